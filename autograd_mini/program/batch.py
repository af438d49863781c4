"""Batches: one program for many examples, side by side in lanes, and on several threads.

This module cuts a batch into blocks of as many examples as fit into a processor's cache. Sums over examples are taken
block by block, in order, so that no result depends on the number of threads. Examples that branch differently run in
groups. The module `lanes` makes the program of a block.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from ..nn.words import count
from ..ops import TOO_LARGE
from .arguments import each, parted, read
from .lanes import Lanes
from .runner import Batch, Blocks, way_back

__all__ = ["Batched"]

ALL = slice(None)  # examples of a batch
PARTS = 8  # of a batch for each thread, which may have to wait before it begins
NEAR = 1 << 15  # numbers of a block, which are near a processor
FEWEST = 64  # examples of a block, unless there are fewer
GROUPS = 64  # of examples that branch alike; examples that are left then are run one by one
PLANS = 8  # sizes of blocks, and sets of derivatives, whose programs are kept


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
        asked = run.asked(run.entry, argnums)
        run(self._threads, argnums)
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
    """The arrays of one call."""

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
        self.static = parted(compiled._static, len(args))[0]
        self.varies = tuple([axis is not None for k, axis in enumerate(axes) if k not in self.static])
        self.arrays = [chunk.reshape(self.size, math.prod(chunk.shape[1:])) for chunk in chunks]
        self.entry = self._entry(0)
        self.places = self._places(self.entry)

    def _entry(self, i: int) -> Any:
        """Return the entry of an example, and keep the inputs, of which shared ones are those of all."""
        entry, space, _ = self.compiled._run(self.example(i), fill=True)
        self.numbers = space.inputs.copy()
        entry.rooms.append(space.room)
        return entry

    def _places(self, entry: Any) -> _Places:
        """Return the places of the arguments' numbers, and keep them."""
        found: _Places | None = entry.plans.get(self.varies)
        if found is None:
            layout = entry.layout
            varying = np.zeros(layout.size, dtype=bool)
            for k, mapped in enumerate(self.varies):
                varying[layout.span(k)] = mapped
            slots, tables = np.flatnonzero(varying), []
            ends = accumulate((array.shape[1] for array in self.arrays), initial=0)
            for a, b in pairwise(ends):
                first = int(slots[a]) if a < b else 0
                tables.append(slice(first, first + b - a))
            places: Any = np.flatnonzero(~varying)
            first, size = int(places[0]) if places.size else 0, places.size
            if (places == np.arange(first, first + size)).all():  # the usual case, which is faster
                places = slice(first, first + size)
            found = entry.plans[self.varies] = _Places(places, size, tables)
        return found

    def asked(self, entry: Any, argnums: Any) -> Any:
        """Return the derivatives that argnums asks for, None without any."""
        n = len(self.varies) + len(self.static)
        return None if argnums is None else entry.asked(self.compiled.name, argnums, n, self.static)

    def __call__(self, threads: int, argnums: Any = None) -> None:
        """Run the examples; those that branch alike are run together."""
        entry = self.entry
        self.results = np.empty((len(entry.outputs), self.size))
        self.slopes: list[Any] = []  # for each table its derivatives, None where they are not wanted
        self.total = np.zeros(self.places.size)
        if not entry.branches:
            self._run(entry, ALL, threads, argnums)
            return
        left, groups = np.arange(self.size), 0
        while left.size:
            groups += 1
            group = self._alike(entry, left) if groups <= GROUPS else left[:1]
            self._run(entry, group, threads, argnums)
            left = np.setdiff1d(left, group, assume_unique=True)
            if left.size:
                entry = self._entry(int(left[0]))

    def _alike(self, entry: Any, examples: Any) -> Any:
        """Return the examples that take all branches of an entry, which the first of them has."""
        sides = [side for _, *pair, _ in entry.branches for side in pair]
        slots = [side for side in sides if isinstance(side, int)]
        rows = iter(self._blocks(entry, examples, slots, 1, None)[0])
        taken = np.ones(len(examples), dtype=bool)
        for compare, *pair, outcome in entry.branches:
            left, right = (next(rows) if isinstance(side, int) else side for side in pair)
            taken &= compare(left, right) == outcome
        taken[0] = True  # it does not hold, perhaps, where sums round otherwise than Python's
        return examples[taken]

    def _run(self, entry: Any, examples: Any, threads: int, argnums: Any) -> None:
        """Run some examples by the program of an entry."""
        if entry.trace.out != self.entry.trace.out:
            structures = f"{self.entry.trace.out}, but that of example {examples[0]} is {entry.trace.out}"
            raise ValueError(f"{self.compiled.name}: the result of example 0 is {structures}")
        slots = [z for z in entry.outputs if isinstance(z, int)]
        asked = self.asked(entry, argnums)
        found, slopes = self._blocks(entry, examples, slots, threads, asked)
        if examples is ALL and len(slots) == len(entry.outputs):
            self.results = found
        else:
            rows = iter(found)
            for k, out in enumerate(entry.outputs):
                self.results[k, examples] = next(rows) if isinstance(out, int) else out
        if examples is ALL:
            self.slopes = slopes
        elif asked is not None:
            if not self.slopes:
                self.slopes = [None if part is None else np.zeros((self.size, part.shape[1])) for part in slopes]
            for whole, part in zip(self.slopes, slopes, strict=True):
                if part is not None:
                    whole[examples] = part
        if self.compiled._check:
            infinite = ~np.isfinite(self.results[:, examples]).all(axis=0)
            for i in np.arange(self.size)[examples][infinite].tolist():
                self.compiled(*self.example(i))  # which raises

    def _blocks(self, entry: Any, examples: Any, slots: list[int], threads: int, asked: Any) -> tuple[Any, list[Any]]:
        """Run examples block by block; return the numbers at some places, and the derivatives in each table."""
        arrays = [array[examples] for array in self.arrays]
        m = len(arrays[0])
        width = _width(entry.program.size - len(self.total) - len(entry.program.constants), m)
        count, rest = divmod(m, width)
        plan = self._plan(entry, slots, asked, width)
        results = np.empty((len(slots), m))
        slopes = _tables([array.shape if some else None for array, some in zip(arrays, plan.wanted, strict=True)])
        numbers = self.numbers[self.places.shared]
        totals = np.zeros((count + (rest > 0), len(numbers)))
        wanted = [part for part in slopes if part is not None]
        tables = [*arrays, *(row[:, None] for row in results), *wanted]
        plan.run(tables, totals, numbers, count, threads)
        if rest:
            here = slice(count * width, m)
            plan = self._plan(entry, slots, asked, rest)
            plan.run([table[here] for table in tables], totals[count:], numbers, 1, 1)
        if asked is not None:
            self.total += totals[0] if len(totals) == 1 else totals.sum(axis=0)
        return results, slopes

    def _plan(self, entry: Any, slots: list[int], asked: Any, width: int) -> _Plan:
        """Return the plan of a block, and keep it."""
        key = self.varies, tuple(slots), asked, width
        found: _Plan | None = entry.plans.get(key)
        if found is None:
            if len(entry.plans) >= PLANS:
                entry.plans.pop(next(iter(entry.plans)), None)
            found = entry.plans[key] = _Plan(entry, self.places.tables, slots, asked, width)
        return found

    def values(self) -> Any:
        """Return the results in the structure of the function's."""
        places = self.entry.trace.out.rebuild(range(len(self.entry.outputs)))
        return each(places, lambda place: _examples_first(self.results, place))

    def gradient(self, k: int) -> Any:
        """Return the derivatives in argument k."""
        layout = self.entry.layout
        if not self.varies[k]:
            slopes = np.zeros(layout.size)
            slopes[self.places.shared] = self.total
            return layout.part(k, slopes)
        starts = [table.start for table in self.places.tables]

        def of(place: Any) -> Any:
            """Return the derivatives in one of the user's arrays, which is one of the tables."""
            shape = np.shape(place)
            if 0 in shape or not self.slopes:
                return np.zeros((self.size, *shape))
            return self.slopes[starts.index(int(np.ravel(place)[0]))].reshape(self.size, *shape)

        return each(layout.part(k, np.arange(layout.size)), of)


def _tables(shapes: list[Any]) -> list[Any]:
    """Return an array of each shape, None for None. One allocation for all is returned to the system less often."""
    ends = [*accumulate((0 if shape is None else math.prod(shape) for shape in shapes), initial=0)]
    numbers = np.empty(ends[-1])
    spans = zip(shapes, pairwise(ends), strict=True)
    return [None if shape is None else numbers[a:b].reshape(shape) for shape, (a, b) in spans]


class _Places(NamedTuple):
    """The places of the inputs of one example."""

    shared: Any  # with other examples
    size: int  # how many are
    tables: list[slice]  # of the user's arrays that have the examples along the first axis


def _width(numbers: int, examples: int) -> int:
    """Return the number of examples of a block, of which each has so many numbers of its own."""
    most = max(NEAR // max(numbers, 1), FEWEST)
    if examples <= most:
        return max(examples, 1)
    width = -(-examples // -(-examples // most))  # of blocks as equal as can be
    return -(-width // 8) * 8


class _Plan:
    """The program of a block of examples, and the buffers of blocks that have been run."""

    def __init__(self, entry: Any, tables: list[slice], slots: list[int], asked: Any, width: int) -> None:
        one, z = entry.program, entry.output if asked is not None else None
        self.lanes = lanes = Lanes(one, tables, slots if z is None else [*slots, z], width)
        self.runner = type(entry.runner)(lanes.program)
        outputs = [(int(lanes.place[slot]), int(lanes.step[slot]), 0) for slot in slots]
        spans = [entry.layout.span(k) for k in asked.places] if asked is not None else []
        self.wanted = [any(span.start <= table.start < span.stop for span in spans) for table in tables]
        slopes = [place for place, wanted in zip(lanes.tables, self.wanted, strict=True) if wanted]
        self.batch = Batch(width, lanes.tables, outputs, slopes, len(lanes.shared))
        if z is not None:
            steps, silent = way_back(one, z, spans)
            way = self.runner.way(lanes.steps(steps), np.unique(lanes.lanes_of(silent)))
            count = width if lanes.step[z] else 1
            self.batch = self.batch._replace(z=int(lanes.place[z]), lanes=count, way=way)
        self._idle: list[tuple[Any, Callable[[list[Any], Any], Blocks]]] = []

    def run(self, tables: list[Any], totals: Any, shared: Any, count: int, threads: int) -> None:
        """Run as many blocks, from the user's arrays to arrays for results and derivatives, on threads.

        The examples share some numbers, whose derivatives are left in the totals, a row for each block.
        """
        threads = max(min(threads, count), 1)
        size = max(count // (PARTS * threads), 1) if threads > 1 else count
        parts = iter([(first, min(first + size, count)) for first in range(0, count, size or 1)])

        def work() -> None:
            d, prepared = self._taken()
            d[: len(shared)] = shared
            blocks = prepared(tables, totals)
            for first, last in parts:  # the next thread that is free takes the next blocks
                blocks(first, last)
            self._idle.append((d, prepared))

        # This thread works too. Others are kept, but not for a process that was forked meanwhile.
        others = [_pool(threads - 1, os.getpid()).submit(work) for _ in range(threads - 1)]
        try:
            work()
        finally:
            for other in others:
                other.result()
        width, _, outputs, _, _, _, lanes, way = self.batch
        if lanes < width:  # a result that all examples share
            totals[:count] *= width
        if way is None:  # or that is a constant
            for slopes in tables[len(self.batch.inputs) + len(outputs) :]:
                slopes.fill(0.0)

    def _taken(self) -> tuple[Any, Callable[[list[Any], Any], Blocks]]:
        """Return a buffer that no thread has, and the function that runs blocks there."""
        try:
            return self._idle.pop()
        except IndexError:
            program = self.lanes.program
            n, size = program.inputs, program.size + self.runner.room
            d = np.zeros(size)
            d[n : n + len(program.constants)] = program.constants
            grad = d if self.batch.way is None else np.full(size, -0.0)
            return d, self.runner.blocks(self.batch, d, grad)


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
        if type(x) is np.ndarray and x.dtype == float and axis == 0 and x.flags.c_contiguous and x.ndim:
            return x  # the usual case
        return None if x is None else np.ascontiguousarray(np.moveaxis(np.asarray(x, dtype=float), axis, 0))
    except OverflowError:
        raise OverflowError(f"vmap: {TOO_LARGE}") from None
    except np.exceptions.AxisError:
        raise ValueError(f"vmap: {x!r} has no axis {axis} for the examples; give None in in_axes to share it") from None
