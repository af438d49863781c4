"""Batches: one program for many examples, side by side in lanes, and on several threads.

This room owns the cutting of a batch into blocks. A block is as many examples as have room in a processor's
cache; sums over examples are taken block by block, in order, so that no result depends on the number of
threads. It must not know how a block is run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from ..nn.words import count
from ..ops import TOO_LARGE
from .arguments import each, parted, read
from .runner import Batch, Blocks

__all__ = ["Batched"]

PARTS = 8  # of a batch for each thread, which may have to wait before it begins
ROOM = 1 << 12  # numbers of a block, if at least 8 examples have it: what is near a processor


class Batched:
    """A compiled function, `compiled`, of batches; made by its method `vmap`."""

    def __init__(self, compiled: Any, in_axes: int | Sequence[int | None] | None, threads: int) -> None:
        self._compiled = compiled
        self._in_axes = in_axes
        self._threads = count("vmap: threads", threads)

    def __call__(self, *args: Any) -> Any:
        """Return the results of all examples, counted along the first axis of each array.

        Raises:
            ValueError: the arrays have not the same number of examples, or none varies.
        """
        run = _Run(self._compiled, self._axes(args), args)
        run(self._threads)
        return run.values()

    def value_and_grad(self, *args: Any, argnums: int | Sequence[int] = 0) -> tuple[Any, Any]:
        r"""Return the values of all examples, and the gradient of their sum, $\nabla \sum_i f(x^{(i)})$.

        In an argument that varies this is each example's own gradient, along the first axis.

        >>> from autograd_mini import compile
        >>> compile(lambda w, x: w * x).vmap((None, 0)).value_and_grad(3.0, [1.0, 2.0], argnums=(0, 1))
        (array([3., 6.]), (3.0, array([3., 3.])))
        """
        run = _Run(self._compiled, self._axes(args), args)
        asked = run.entry.asked(self._compiled.name, argnums, len(args), parted(self._compiled._static, len(args))[0])
        run(self._threads, argnums, asked)
        return run.values(), asked.of(run.gradient)

    def _axes(self, args: tuple[Any, ...]) -> list[int | None]:
        given = self._in_axes
        axes = [given] * len(args) if given is None or isinstance(given, int) else list(given)
        name = self._compiled.name
        if len(axes) != len(args):
            raise ValueError(f"{name}: in_axes has {len(axes)} entries, but {len(args)} arguments are given")
        for k in parted(self._compiled._static, len(args))[0]:
            axes[k] = None
        if all(axis is None for axis in axes):
            raise ValueError(f"{name}: in_axes must say of some argument where its examples are counted")
        return axes


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="autograd_mini")


class _Run:
    """The arrays of one batch."""

    def __init__(self, compiled: Any, axes: list[int | None], args: tuple[Any, ...]) -> None:
        name = compiled.name
        whole = [x if axis is None else _first_axis(x, axis) for x, axis in zip(args, axes, strict=True)]
        chunks: list[Any] = []
        for x, axis in zip(whole, axes, strict=True):
            if axis is not None:
                read(name, x, chunks)
        sizes = {len(chunk) for chunk in chunks}
        if len(sizes) != 1:
            raise ValueError(f"{name}: the arguments must have the same number of examples, not {sorted(sizes)}")
        self.size = sizes.pop()
        self.compiled = compiled

        def one(array: Any, i: int) -> Any:
            return array[i] if self.size else np.ones(array.shape[1:])[()]  # to trace a function of no examples

        self.example: Callable[[int], tuple[Any, ...]] = lambda i: tuple(
            x if axis is None else each(x, lambda array: one(array, i)) for x, axis in zip(whole, axes, strict=True)
        )
        self.entry, space, _ = compiled._run(self.example(0), fill=True)
        self.numbers = space.d[
            : self.entry.program.size
        ].copy()  # with those of the first example, of which what varies will be overwritten
        entry = self.entry
        entry.rooms.append(space.room)
        static, _ = parted(compiled._static, len(args))
        varies = [axis is not None for k, axis in enumerate(axes) if k not in static]
        at = np.zeros(entry.layout.size, dtype=bool)
        for k, mapped in enumerate(varies):
            at[entry.layout.span(k)] = mapped
        self.mapped, self.same = np.flatnonzero(at), np.flatnonzero(~at)
        self.varies = varies
        self.tables = [
            np.ascontiguousarray(chunk, dtype=float).reshape(self.size, int(np.prod(chunk.shape[1:])))
            for chunk in chunks
        ]
        assert sum(table.shape[1] for table in self.tables) == len(self.mapped)

    def __call__(self, threads: int, argnums: Any = None, asked: Any = None) -> None:
        """Run the blocks."""
        entry, program = self.entry, self.entry.program
        gradient = asked is not None
        width = 1 << int(np.clip(np.log2(ROOM / program.size), 3, 8))
        blocks = -(-self.size // width)
        slots = [z if isinstance(z, int) else 0 for z in entry.outputs]
        self.results = np.empty((len(slots), self.size))
        self.slopes = np.zeros((self.mapped.size, self.size) if gradient else (0, 0))
        self.totals = np.zeros((blocks, self.same.size) if gradient else (0, 0))
        if not self.size:
            return
        if entry.branches:
            self._one_by_one(argnums)
            return
        z = entry.output if gradient and entry.output is not None else -1
        places = self.mapped, self.same, np.array(slots, dtype=int)
        way = asked.way if asked is not None else None
        batch = Batch(self.numbers, width, self.tables, *places, self.results, self.slopes, self.totals, z, way)
        threads = min(threads, blocks)
        bounds = np.linspace(0, blocks, min(threads * PARTS if threads > 1 else 1, blocks) + 1).astype(int).tolist()
        parts = iter(list(pairwise(bounds)))

        def work(run: Blocks) -> None:
            for first, last in parts:  # whoever is free takes the next one
                run(first, last)

        # This thread works too. Others are kept, but not for a process that was forked meanwhile.
        mine, *theirs = entry.runner.batch(batch, threads)
        others = [_pool(threads - 1, os.getpid()).submit(work, run) for run in theirs]
        try:
            work(mine)
        finally:
            for other in others:
                other.result()
        for k, out in enumerate(entry.outputs):
            if not isinstance(out, int):
                self.results[k] = out
        if way is not None:
            way.finish(self.slopes, self.mapped)
            way.finish(self.totals.T, self.same)
        if self.compiled._check:
            for i in np.flatnonzero(~np.isfinite(self.results).all(axis=0)):
                self.compiled(*self.example(int(i)))  # which raises

    def _one_by_one(self, argnums: Any) -> None:
        """Run a function that branches on numbers, which each example may do in its own way."""
        for i in range(self.size):
            entry, space, _ = self.compiled._run(self.example(i), argnums)
            if entry.trace.out != self.entry.trace.out:
                structures = f"{self.entry.trace.out}, but that of example {i} is {entry.trace.out}"
                raise ValueError(f"{self.compiled.name}: the result of example 0 is {structures}")
            self.results[:, i] = [space.d.item(z) if isinstance(z, int) else z for z in entry.outputs]
            if argnums is not None:
                self.slopes[:, i] = space.slopes[self.mapped]
                self.totals[0] += space.slopes[self.same]
            entry.rooms.append(space.room)

    def values(self) -> Any:
        """Return the results in the structure of the function's."""
        places = self.entry.trace.out.rebuild(range(len(self.entry.outputs)))
        return each(places, lambda place: _examples_first(self.results, place))

    def gradient(self, k: int) -> Any:
        """Return the derivatives in argument k."""
        layout = self.entry.layout
        if not self.varies[k]:
            slopes = np.zeros(layout.size)
            slopes[self.same] = self.totals.sum(axis=0)
            return layout.part(k, slopes)
        order = np.zeros(layout.size, dtype=int)
        order[self.mapped] = np.arange(self.mapped.size)
        return each(layout.part(k, order), lambda place: _examples_first(self.slopes, place))


def _examples_first(table: Any, place: Any) -> Any:
    """Return a row of a table, or an array of rows, with the examples along the first axis."""
    if isinstance(place, int):
        return table[place]
    return np.ascontiguousarray(np.moveaxis(table[np.asarray(place, dtype=int)], -1, 0))


def _is_table(x: Any) -> bool:
    """Return whether lists hold nothing but numbers, and so stand for an array."""
    return all(map(_is_table, x)) if isinstance(x, (list, tuple)) else isinstance(x, (int, float))


def _first_axis(x: Any, axis: int) -> Any:
    """Return an argument with the examples along the first axis of each of its arrays; a list of numbers is one."""
    if isinstance(x, dict):
        return {key: _first_axis(part, axis) for key, part in x.items()}
    if isinstance(x, (list, tuple)) and not _is_table(x):
        parts = [_first_axis(part, axis) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    try:
        return None if x is None else np.moveaxis(np.asarray(x, dtype=float), axis, 0)
    except OverflowError:
        raise OverflowError(f"vmap: {TOO_LARGE}") from None
    except np.exceptions.AxisError:
        raise ValueError(f"vmap: {x!r} has no axis {axis} for the examples; give None in in_axes to share it") from None
