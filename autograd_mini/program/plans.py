"""Plans of batches: they cut examples into blocks, and run the blocks on threads.

A block has as many examples as fit into a processor's cache. Sums over examples are added block by block, in order, so
results do not depend on the number of threads. The module `lanes` makes the program of a block. This module must not
know the arguments of a call.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from .lanes import Lanes
from .runner import Batch, Blocks, way_back

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from .arguments import Numbers
    from .specialization import GradientRequest, Specialization

PARTS = 8  # parts of a batch for each thread: several, because a thread may begin late
NEAR = 1 << 15  # numbers in a block: so many fit into a processor's cache
MIN_EXAMPLES = 64  # examples in a block, unless the batch has fewer
MAX_PLANS = 16  # plans to keep: one for each size of blocks and set of derivatives
MAX_KEPT = 1 << 19  # numbers in a buffer: a larger buffer is not kept for the next call

K = TypeVar("K")
T = TypeVar("T")
_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):  # no thread may hold the lock when a process forks
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # the import takes long

    return ThreadPoolExecutor(threads, thread_name_prefix="autograd_mini")


def kept_in(plans: dict[K, T], key: K, make: Callable[[], T], most: int) -> T:
    """Return the object under a key, or make and keep one. If there are too many, drop the least recently used."""
    with _LOCK:
        found = plans.pop(key, None)
        if found is not None:
            plans[key] = found  # moved to the end: the first one is dropped first
            return found
    made = make()
    with _LOCK:
        plans[key] = made
        while len(plans) > most:
            del plans[next(iter(plans))]
    return made


class Places(NamedTuple):
    """The places of the inputs of one example."""

    varying: tuple[bool, ...]  # for each stretch of numbers: whether it differs between examples
    sizes: tuple[int, ...]  # the sizes of the stretches
    shared: slice | Numbers  # the places of numbers that all examples share
    alike: int  # the number of these
    tables: list[slice]  # the stretches that differ


def places_of(varying: Sequence[bool], sizes: Sequence[int]) -> Places:
    """Return the places of stretches of numbers that lie one after the other.

    >>> places_of([False, True], [3, 2])[2:]
    (slice(0, 3, None), 3, [slice(3, 5, None)])
    """
    spans = [slice(a, b) for a, b in pairwise(accumulate(sizes, initial=0))]
    tables = [span for span, varies in zip(spans, varying, strict=True) if varies]
    shared: Any = np.flatnonzero(~np.repeat(np.array(varying, dtype=bool), sizes))
    count = shared.size
    first = int(shared[0]) if count else 0
    if (shared == np.arange(first, first + count)).all():  # the usual case, which is faster
        shared = slice(first, first + count)
    return Places(tuple(varying), tuple(sizes), shared, count, tables)


class Work:
    """A run of a program on some examples. Its results are the outputs, or the numbers that branches compare."""

    def __init__(
        self, specialization: Specialization, places: Places, what: str, request: GradientRequest | None, size: int
    ) -> None:
        def plan(width: int) -> _Plan:
            key = places.varying, places.sizes, what, request, width
            return kept_in(  # type: ignore[no-any-return]
                specialization.plans, key, lambda: _Plan(specialization, places, leaves, request, width), MAX_PLANS
            )

        leaves = _outputs(specialization) if what == "outputs" else [_compared(specialization)]
        program = specialization.program
        width = _width(program.size - places.alike - len(program.constants), size)
        self.size, self.wants = size, request is not None
        self.count, rest = divmod(size, width)
        self.plan = plan(width)
        self.rest = plan(rest) if rest else None
        self._shapes = [(size, len(leaf)) for leaf in leaves]
        self._slopes = [
            (size, table.stop - table.start) if wanted else None
            for table, wanted in zip(places.tables, self.plan.wanted, strict=True)
        ]

    def run(
        self, arrays: list[Numbers], shared: Numbers, total: Numbers, threads: int
    ) -> tuple[list[Numbers], list[Any]]:
        """Return the results, one array for each leaf, and the derivatives with respect to each table.

        These arrays have a row for each example.

        Args:
            arrays: the tables, with a row for each example.
            shared: the numbers that all examples share.
            total: an array of one row, for the derivatives with respect to the shared numbers.
        """
        results = [np.empty(shape) for shape in self._shapes]
        slopes = [None if shape is None else np.empty(shape) for shape in self._slopes]
        count, rest, plan = self.count, self.rest, self.plan
        blocks = count + (rest is not None)
        totals = total if blocks == 1 else np.empty((blocks, total.shape[1]))
        if count:
            plan.run(arrays, results, slopes, totals, shared, count, threads)
        if rest is not None:
            start = count * plan.batch.width
            given, made, back = ([None if x is None else x[start:] for x in some] for some in (arrays, results, slopes))
            rest.run(given, made, back, totals[count:] if count else totals, shared, 1, 1)
        if self.wants and blocks != 1:
            np.sum(totals, axis=0, out=total[0])
        return results, slopes


def _width(numbers: int, examples: int) -> int:
    """Return the number of examples in a block, if each example has so many numbers of its own."""
    most = max(NEAR // max(numbers, 1), MIN_EXAMPLES)
    if examples <= most:
        return max(examples, 1)
    width = -(-examples // -(-examples // most))  # blocks of nearly equal sizes
    return -(-width // 8) * 8


def _outputs(specialization: Specialization) -> list[list[int | float]]:
    """Return, for each number or array among the results, the places of its outputs, or constants."""
    return [[specialization.outputs[i] for i in np.ravel(index).tolist()] for index in specialization.indices]


def _compared(specialization: Specialization) -> list[int | float]:
    """Return the places of the numbers that branches compare."""
    return [side for _, *pair, _ in specialization.branches for side in pair if isinstance(side, int)]


class _Stretch(NamedTuple):
    """Columns of a leaf's array whose numbers lie at regular steps in the buffer."""

    leaf: int
    columns: slice | None  # None for all columns
    place: tuple[int, int, int]  # of the first number, then the steps to the next example and to the next column


class _Plan:
    """The program of a block of examples, and the buffers of blocks that have been run."""

    def __init__(
        self,
        specialization: Specialization,
        places: Places,
        leaves: list[list[int | float]],
        request: GradientRequest | None,
        width: int,
    ) -> None:
        one, layout = specialization.program, specialization.layout
        slots = [z for leaf in leaves for z in leaf if isinstance(z, int)]
        z = specialization.output if request is not None else None
        self.lanes = lanes = Lanes(one, places.tables, slots if z is None else [*slots, z], width)
        self.runner = specialization.runner.of(lanes.program)
        self._stretches = [*_stretches(lanes, leaves)]
        self._constants = [
            (k, c, z) for k, leaf in enumerate(leaves) for c, z in enumerate(leaf) if not isinstance(z, int)
        ]
        spans = [layout.span(k) for k in request.places] if request is not None else []
        self.wanted = [any(span.start <= table.start < span.stop for span in spans) for table in places.tables]
        slopes = [place for place, wanted in zip(lanes.tables, self.wanted, strict=True) if wanted]
        outputs = [stretch.place for stretch in self._stretches]
        self.batch = Batch(width, lanes.tables, outputs, slopes, len(lanes.shared))
        if z is not None:
            steps, silent = way_back(one, z, spans)
            way = self.runner.way(lanes.steps(steps), np.unique(lanes.lanes_of(silent)))
            count = width if lanes.step[z] else 1
            self.batch = self.batch._replace(z=int(lanes.place[z]), lanes=count, way=way)
        self._is_constant = z is None and request is not None  # then all derivatives are 0
        self._idle: list[tuple[Numbers, Callable[[list[Numbers], Numbers], Blocks]]] = []

    def run(
        self,
        arrays: list[Any],
        results: list[Any],
        slopes: list[Any],
        totals: Numbers,
        shared: Numbers,
        count: int,
        threads: int,
    ) -> None:
        """Run `count` blocks on threads: read the user's arrays, and write results and derivatives to arrays.

        The totals get the derivatives with respect to the numbers that the examples share, one row for each block.
        """
        wanted = [x for x in slopes if x is not None]
        stretches = [results[k] if part is None else results[k][:, part] for k, part, _ in self._stretches]
        tables = [*arrays, *stretches, *wanted]
        threads = min(threads, count)
        if threads <= 1:
            d, prepared = self._taken()
            d[: len(shared)] = shared
            prepared(tables, totals)(0, count)
            self._give_back(d, prepared)
        else:
            self._on_threads(tables, totals, shared, count, threads)
        for leaf, column, x in self._constants:
            results[leaf][:, column] = x
        batch = self.batch
        if batch.way is not None and batch.lanes < batch.width:  # a result that all examples share
            totals[:count] *= batch.width
        if self._is_constant:
            for x in [totals, *wanted]:
                x[...] = 0.0

    def _on_threads(self, tables: list[Numbers], totals: Numbers, shared: Numbers, count: int, threads: int) -> None:
        """Run blocks on this thread and on others. Each thread takes the next blocks when it is free."""
        size = max(count // (PARTS * threads), 1)
        parts = iter([(first, min(first + size, count)) for first in range(0, count, size)])

        def work() -> None:
            d, prepared = self._taken()
            d[: len(shared)] = shared
            blocks = prepared(tables, totals)
            for first, last in parts:
                blocks(first, last)
            self._give_back(d, prepared)

        # The pool of threads is kept for the next call. A forked process has no threads, so it needs its own pool.
        others = [_pool(threads - 1, os.getpid()).submit(work) for _ in range(threads - 1)]
        try:
            work()
        except BaseException:
            for _ in parts:  # take all parts, so the other threads end after their present blocks
                pass
            raise
        finally:
            for other in others:
                if not other.cancel():  # a task that was cancelled has not begun: do not wait for it
                    other.result()

    def _taken(self) -> tuple[Numbers, Callable[[list[Numbers], Numbers], Blocks]]:
        """Return a free buffer, and the function that runs blocks in it."""
        try:
            return self._idle.pop()
        except IndexError:
            program = self.lanes.program
            n, size = program.inputs, program.size + self.runner.scratch
            d = np.zeros(size)
            d[n : n + len(program.constants)] = program.constants
            grad = d if self.batch.way is None else np.full(size, -0.0)
            return d, self.runner.blocks(self.batch, d, grad)

    def _give_back(self, d: Numbers, prepared: Callable[[list[Numbers], Numbers], Blocks]) -> None:
        """Keep a buffer for the next call. A buffer is not given back after an error: its numbers may be wrong."""
        if len(d) <= MAX_KEPT:
            self._idle.append((d, prepared))


def _stretches(lanes: Lanes, leaves: list[list[int | float]]) -> Iterator[_Stretch]:
    """Yield stretches of outputs that lie at regular steps in the buffer."""
    for k, leaf in enumerate(leaves):
        first = 0
        while first < len(leaf):
            slot, last, apart = leaf[first], first + 1, 0
            if isinstance(slot, int):
                place, step = int(lanes.place[slot]), int(lanes.step[slot])
                while last < len(leaf) and isinstance(z := leaf[last], int) and lanes.step[z] == step:
                    here = int(lanes.place[z]) - place
                    if last > first + 1 and here != apart * (last - first):
                        break
                    apart = here if last == first + 1 else apart
                    last += 1
                columns = None if last - first == len(leaf) else slice(first, last)
                yield _Stretch(k, columns, (place, step, apart))
            first = last


def tables_of(name: str, arrays: Sequence[Numbers]) -> list[Numbers]:
    """Return arrays as tables with a row for each example. The first axis of each array counts the examples."""
    sizes = {len(array) for array in arrays}
    if len(sizes) != 1:
        raise ValueError(f"{name}: the arguments must have the same number of examples, not {sorted(sizes)}")
    (size,) = sizes
    return [array.reshape(size, math.prod(array.shape[1:])) for array in arrays]
