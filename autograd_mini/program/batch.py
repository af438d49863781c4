"""Batches: one program for many examples, side by side in lanes, and on several threads.

This module cuts a batch into blocks of as many examples as fit into a processor's cache. Sums over examples are taken
block by block, in order, so that no result depends on the number of threads. Examples that branch differently run in
groups. The module `lanes` makes the program of a block.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from ..given import count
from ..ops import TOO_LARGE
from ..structure import is_array, map_leaves
from ..value import assignments
from .arguments import parted, read
from .lanes import Lanes
from .runner import Batch, Blocks, way_back

if TYPE_CHECKING:
    from .arguments import Numbers
    from .buffers import Workspace
    from .programs import Programs
    from .specialization import GradientRequest, Specialization

__all__ = ["Batched", "Repeated"]

Argnums: TypeAlias = "int | Sequence[int] | None"

ALL = slice(None)  # examples of a batch
PARTS = 8  # of a batch for each thread, which may have to wait before it begins
NEAR = 1 << 15  # numbers of a block, which are near a processor
FEWEST = 64  # examples of a block, unless there are fewer
GROUPS = 64  # of examples that branch alike; examples that are left then are run one by one
PLANS = 16  # sizes of blocks, and sets of derivatives, whose programs are kept
KEPT = 1 << 19  # numbers of a buffer that is kept for the next call


class Batched:
    """A compiled function of batches; made by `Compiled.vmap`."""

    def __init__(self, programs: Programs, in_axes: int | Sequence[int | None] | None, threads: int) -> None:
        self._programs = programs
        self._in_axes = in_axes
        self._threads = count("vmap: threads", threads)

    def __call__(self, *args: Any) -> Any:
        """Return the results of all examples, counted along the first axis of each array.

        Raises:
            ValueError: the arrays have not the same number of examples, or none varies.
        """
        run = _Run(self._programs, self._axes(args), args)
        run(self._threads)
        return run.values()

    def value_and_grad(self, *args: Any, argnums: int | Sequence[int] = 0) -> tuple[Any, Any]:
        r"""Return the values of all examples, and the gradient of their sum, $\nabla \sum_i f(x^{(i)})$.

        In an argument that varies this is each example's own gradient, along the first axis.

        >>> from autograd_mini import compile
        >>> compile(lambda w, x: w * x).vmap((None, 0)).value_and_grad(3.0, [1.0, 2.0], argnums=(0, 1))
        (array([3., 6.]), (3.0, array([3., 3.])))
        """
        run = _Run(self._programs, self._axes(args), args)
        request = run.request(run.specialization, argnums)
        assert request is not None
        run(self._threads, argnums)
        return run.values(), request.of(run.gradient)

    def grad(self, *args: Any, argnums: int | Sequence[int] = 0) -> Any:
        """Return the gradient alone; see `value_and_grad`.

        >>> from autograd_mini import compile
        >>> compile(lambda w, x: w * x).vmap((None, 0)).grad(3.0, [1.0, 2.0])
        3.0
        """
        return self.value_and_grad(*args, argnums=argnums)[1]

    def _axes(self, args: tuple[Any, ...]) -> list[int | None]:
        given = self._in_axes
        axes = [given] * len(args) if given is None or isinstance(given, int) else list(given)
        name = self._programs.name
        if len(axes) != len(args):
            raise ValueError(f"{name}: in_axes has {len(axes)} entries, but {len(args)} arguments are given")
        for k in parted(self._programs.static, len(args))[0]:
            axes[k] = None
        if all(axis is None for axis in axes):
            raise ValueError(f"{name}: in_axes must say of some argument where its examples are counted")
        return axes


class Repeated:
    """Values and gradients of batch after batch, where the shared numbers come in an array: for a training loop.

    It takes the structure of the arguments, and the program, from a first batch.

    Raises:
        ValueError: the function branches on numbers, so that a batch may need several programs, or has check=True.
    """

    def __init__(self, batched: Batched, *args: Any, argnums: int = 0) -> None:
        self._batched, self._args, self._argnums = batched, args, argnums
        self._begin()

    def _begin(self) -> None:
        batched = self._batched
        checked = assignments()
        run = _Run(batched._programs, batched._axes(self._args), self._args)
        if batched._programs.check:
            raise ValueError(f"{batched._programs.name}: check=True needs the arguments of each call; use vmap")
        if run.specialization.branches:
            raise ValueError(f"{batched._programs.name}: it branches on numbers")
        self._run, self._checked = run, checked

    def __call__(self, shared: Numbers, *varying: Numbers) -> tuple[Numbers, Numbers]:
        """Return the values of the examples, and the derivatives of their sum with respect to the shared numbers.

        Args:
            shared: all shared numbers, in the order of the arguments.
            varying: the arrays of the other arguments, with the examples along the first axis.

        Raises:
            ValueError: a Value that the function closes over was assigned, and now the function branches on numbers.
        """
        if assignments() != self._checked:
            if self._run.specialization.trace.moved() is not None:  # a Value that the function closes over
                self._begin()
            self._checked = assignments()
        run = self._run
        run.arrays = _in_rows("", list(varying))
        run.size = len(run.arrays[0])
        run.numbers[run.places.shared] = shared
        run(self._batched._threads, self._argnums)
        return run.results[0], run.total


_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):  # a child must not begin while another thread holds it
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="autograd_mini")


class _Run:
    """The arrays of one call."""

    def __init__(self, programs: Programs, axes: list[int | None], args: tuple[Any, ...]) -> None:
        name = programs.name
        whole = [x if axis is None else _first_axis(x, axis) for x, axis in zip(args, axes, strict=True)]
        chunks: list[Any] = []
        for x, axis in zip(whole, axes, strict=True):
            if axis is not None:
                read(name, x, chunks)
        self.programs = programs
        self.arrays = _in_rows(name, chunks)
        self.size = len(self.arrays[0])

        def one(array: Any, i: int) -> Any:
            return array[i] if self.size else np.ones(array.shape[1:])[()]  # to trace a function of no examples

        self.example: Callable[[int], tuple[Any, ...]] = lambda i: tuple(
            x if axis is None else one(x, i) if is_array(x) else map_leaves(lambda array: one(array, i), x, is_array)
            for x, axis in zip(whole, axes, strict=True)
        )
        self.static = parted(programs.static, len(args))[0]
        self.varies = tuple([axis is not None for k, axis in enumerate(axes) if k not in self.static])
        self.specialization = self._of_example(0)
        self.places = self._places()

    def _of_example(self, i: int) -> Specialization:
        """Return the program of an example, and keep its inputs, of which shared ones are those of all examples."""
        found, self.numbers = self.programs.run(self.example(i), _inputs, fill=True)
        return found

    def _places(self) -> _Places:
        """Return the places of the arguments' numbers, and keep them."""
        places, layout = self.specialization.places, self.specialization.layout
        found: _Places | None = places.get(self.varies)
        if found is None:
            varying = np.zeros(layout.size, dtype=bool)
            for k, mapped in enumerate(self.varies):
                varying[layout.span(k)] = mapped
            slots, tables = np.flatnonzero(varying), []
            for a, b in pairwise(accumulate((array.shape[1] for array in self.arrays), initial=0)):
                first = int(slots[a]) if a < b else 0
                tables.append(slice(first, first + b - a))
            shared: Any = np.flatnonzero(~varying)
            first, size = int(shared[0]) if shared.size else 0, shared.size
            if (shared == np.arange(first, first + size)).all():  # the usual case, which is faster
                shared = slice(first, first + size)
            found = places[self.varies] = _Places(shared, size, tables)
        return found

    def request(self, specialization: Specialization, argnums: Argnums) -> GradientRequest | None:
        """Return the derivatives that argnums asks for, None without any."""
        n = len(self.varies) + len(self.static)
        return None if argnums is None else specialization.request(self.programs.name, argnums, n, self.static)

    def __call__(self, threads: int, argnums: Argnums = None) -> None:
        """Run the examples; those that branch alike are run together."""
        found = self.specialization
        self.results = np.empty((len(found.outputs), self.size))
        self.slopes: list[Any] = []  # for each table its derivatives, None where they are not wanted
        self.total: Any = None  # the derivatives with respect to shared numbers
        if not found.branches:
            self._run(found, ALL, threads, argnums)
            return
        left, groups = np.arange(self.size), 0
        while left.size:
            groups += 1
            group = self._alike(found, left) if groups <= GROUPS else left[:1]
            self._run(found, group, threads, argnums)
            left = np.setdiff1d(left, group, assume_unique=True)
            if left.size:
                found = self._of_example(int(left[0]))

    def _alike(self, specialization: Specialization, examples: Any) -> Any:
        """Return the examples that take all branches of a program, which the first of them has."""
        sides = [side for _, *pair, _ in specialization.branches for side in pair]
        slots = [side for side in sides if isinstance(side, int)]
        rows = iter(self._blocks(specialization, examples, slots, 1, None)[0])
        taken = np.ones(len(examples), dtype=bool)
        for compare, *pair, outcome in specialization.branches:
            left, right = (next(rows) if isinstance(side, int) else side for side in pair)
            taken &= compare(left, right) == outcome
        taken[0] = True  # it does not hold, perhaps, where sums round otherwise than Python's
        return examples[taken]

    def _run(self, specialization: Specialization, examples: Any, threads: int, argnums: Argnums) -> None:
        """Run some examples by a program."""
        out, first = specialization.trace.out, self.specialization.trace.out
        if out != first:
            structures = f"{first}, but that of example {examples[0]} is {out}"
            raise ValueError(f"{self.programs.name}: the result of example 0 is {structures}")
        outputs = specialization.outputs
        slots = [z for z in outputs if isinstance(z, int)]
        request = self.request(specialization, argnums)
        found, slopes = self._blocks(specialization, examples, slots, threads, request)
        if examples is ALL and len(slots) == len(outputs):
            self.results = found
        else:
            rows = iter(found)
            for k, z in enumerate(outputs):
                self.results[k, examples] = next(rows) if isinstance(z, int) else z
        if examples is ALL:
            self.slopes = slopes
        elif request is not None:
            if not self.slopes:
                self.slopes = [None if part is None else np.zeros((self.size, part.shape[1])) for part in slopes]
            for whole, part in zip(self.slopes, slopes, strict=True):
                if part is not None:
                    whole[examples] = part
        if self.programs.check:
            infinite = ~np.isfinite(self.results[:, examples]).all(axis=0)
            for i in np.arange(self.size)[examples][infinite].tolist():
                self.programs.run(self.example(i), _inputs)  # which raises

    def _blocks(
        self,
        specialization: Specialization,
        examples: Any,
        slots: list[int],
        threads: int,
        request: GradientRequest | None,
    ) -> tuple[Any, list[Any]]:
        """Run examples block by block; return the numbers at some places, and the derivatives in each table."""
        arrays = [array[examples] for array in self.arrays]
        m, program = len(arrays[0]), specialization.program
        width = _width(program.size - self.places.size - len(program.constants), m)
        count, rest = divmod(m, width)
        plan = self._plan(specialization, slots, request, width)
        results = np.empty((len(slots), m))
        slopes = _tables([array.shape if some else None for array, some in zip(arrays, plan.wanted, strict=True)])
        numbers = self.numbers[self.places.shared]
        totals = np.zeros((count + (rest > 0), len(numbers)))
        wanted = [part for part in slopes if part is not None]
        tables = [*arrays, *(row[:, None] for row in results), *wanted]
        plan.run(tables, totals, numbers, count, threads)
        if rest:
            here = slice(count * width, m)
            plan = self._plan(specialization, slots, request, rest)
            plan.run([table[here] for table in tables], totals[count:], numbers, 1, 1)
        if request is not None:
            total = totals[0] if len(totals) == 1 else totals.sum(axis=0)
            self.total = total if self.total is None else self.total + total
        return results, slopes

    def _plan(
        self, specialization: Specialization, slots: list[int], request: GradientRequest | None, width: int
    ) -> _Plan:
        """Return the plan of a block, and keep it."""
        plans, key = specialization.plans, (self.varies, tuple(slots), request, width)
        with _LOCK:
            found: _Plan | None = plans.pop(key, None)
            if found is not None:
                plans[key] = found  # the last in the order in which plans are dropped
                return found
        made = _Plan(specialization, self.places.tables, slots, request, width)
        with _LOCK:
            plans[key] = made
            while len(plans) > PLANS:
                del plans[next(iter(plans))]
        return made

    def values(self) -> Any:
        """Return the results in the structure of the function's."""
        found = self.specialization
        return found.out.rebuild([_examples_first(self.results, index) for index in found.indices])

    def gradient(self, k: int) -> Any:
        """Return the derivatives with respect to argument k."""
        layout = self.specialization.layout
        if not self.varies[k]:
            shared = self.places.shared
            slopes = np.zeros(self.places.size) if self.total is None else self.total
            if not (isinstance(shared, slice) and shared.start == 0):  # else an argument has its place there, too
                slopes, found = np.zeros(layout.size), slopes
                slopes[shared] = found
            return layout.reader(k, slopes)()
        starts = [table.start if table.stop > table.start else -1 for table in self.places.tables]

        def of(place: Any) -> Any:
            """Return the derivatives with respect to one of the user's arrays, which is a table."""
            shape = np.shape(place)
            if 0 in shape or not self.slopes:
                return np.zeros((self.size, *shape))
            return self.slopes[starts.index(int(np.ravel(place)[0]))].reshape(self.size, *shape)

        return map_leaves(of, layout.reader(k, np.arange(layout.size))(), is_array)


def _inputs(workspace: Workspace, _: GradientRequest | None) -> tuple[Specialization, Numbers]:
    """Return a program with a copy of its inputs."""
    return workspace.specialization, workspace.inputs.copy()


def _in_rows(name: str, chunks: list[Any]) -> list[Any]:
    """Return arrays with the examples along the first axis as tables, with a row for each example."""
    sizes = {len(chunk) for chunk in chunks}
    if len(sizes) != 1:
        raise ValueError(f"{name}: the arguments must have the same number of examples, not {sorted(sizes)}")
    (size,) = sizes
    return [chunk.reshape(size, math.prod(chunk.shape[1:])) for chunk in chunks]


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

    def __init__(
        self,
        specialization: Specialization,
        tables: list[slice],
        slots: list[int],
        request: GradientRequest | None,
        width: int,
    ) -> None:
        one, layout = specialization.program, specialization.layout
        z = specialization.output if request is not None else None
        self.lanes = lanes = Lanes(one, tables, slots if z is None else [*slots, z], width)
        self.runner = specialization.runner.of(lanes.program)
        outputs = [(int(lanes.place[slot]), int(lanes.step[slot]), 0) for slot in slots]
        spans = [layout.span(k) for k in request.places] if request is not None else []
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
            if len(d) <= KEPT:
                self._idle.append((d, prepared))

        # This thread works too. Others are kept, but not for a process that was forked meanwhile.
        others = [_pool(threads - 1, os.getpid()).submit(work) for _ in range(threads - 1)]
        try:
            work()
        except BaseException:
            for _ in parts:  # the others end after the blocks that they have begun
                pass
            raise
        finally:
            for other in others:
                if not other.cancel():  # one that has not begun has nothing to do, and may wait for this thread
                    other.result()
        batch = self.batch
        if batch.lanes < batch.width:  # a result that all examples share
            totals[:count] *= batch.width
        if batch.way is None:  # or that is a constant
            for slopes in tables[len(batch.inputs) + len(batch.outputs) :]:
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


def _examples_first(table: Numbers, place: Any) -> Numbers:
    """Return a row of a table, or an array of rows, with the examples along the first axis."""
    if isinstance(place, int):
        return table[place]  # type: ignore[no-any-return]  # a row
    return np.ascontiguousarray(np.moveaxis(table[np.asarray(place, dtype=int)], -1, 0))


def _is_table(x: Any) -> bool:
    """Return whether it is an array, or lists that hold nothing but numbers and so stand for one."""
    return is_array(x) or _is_numbers(x)


def _is_numbers(x: Any, axes: int = 64) -> bool:  # more than NumPy's arrays have
    if isinstance(x, (list, tuple)):
        return axes > 0 and all(_is_numbers(part, axes - 1) for part in x)
    return isinstance(x, (int, float))


def _first_axis(x: Any, axis: int) -> Any:
    """Return an argument with the examples along the first axis of each of its arrays; a list of numbers is one."""
    return map_leaves(lambda part: _moved(part, axis), x, _is_table)


def _moved(x: Any, axis: int) -> Numbers:
    try:
        if type(x) is np.ndarray and x.dtype == float and x.ndim and axis == 0 and x.flags.c_contiguous:
            return x  # the usual case
        return np.ascontiguousarray(np.moveaxis(np.asarray(x, dtype=float), axis, 0))
    except OverflowError:
        raise OverflowError(f"vmap: {TOO_LARGE}") from None
    except np.exceptions.AxisError:
        raise ValueError(f"vmap: {x!r} has no axis {axis} for the examples; give None in in_axes to share it") from None
