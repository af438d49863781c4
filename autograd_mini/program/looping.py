"""Loops of a compiled function as single equations: the body of a loop is traced once, not once for each step.

This module makes the equation of a loop while the function is traced. If the body does more than compute, for example
if it branches on numbers, the function is traced again, and Python runs this loop step by step. This module must not
know instructions.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple, NoReturn

import numpy as np

from ..node import primal
from ..ops import Op, number
from ..pickles import rebuild
from ..scans import Loop, stepped, taken_over
from ..settings import is_differentiating, watched_by, watching
from ..structure import Structure, Tree, flatten
from ..tracer import Tracer, recorded
from ..traces import Trace
from ..value import Number, Value
from .guards import asks, guarded
from .kernels import runner as runner_of
from .lift import Access, Instruction, Program
from .scan_rows import NotALoop, Result, Scan, ScanRow
from .simplification import simplified

MIN_STEPS = 2  # loops with fewer steps are left to Python
COUNTED = 16  # if an input is the number of steps, a program has room for this many, or twice as many, and so on
MAX_REFUSED = 3  # if so many loops are refused, all loops are written out

RESULT = Result()


def traced_with_loops(call: Callable[[], Trace], runner: str | None, allowed: bool) -> Trace:
    """Return the trace of a call; where possible and allowed, a loop becomes a single equation."""
    written_out: set[int] = set()
    while allowed and len(written_out) < MAX_REFUSED:
        loops = _Loops(runner, written_out)
        try:
            with taken_over(loops):
                made = call()
        except NotALoop:
            made = None
        if loops.refused is not None:
            written_out.add(loops.refused)
        elif made is None or any(x in loops.inside for x, _ in made.frozen):
            break  # the function differentiated a loop, or used a node of a body outside of it
        elif any(isinstance(op, ScanRow) for op in made.equations.rows) and asks(made):
            break  # a side of a choice needs guards: nodes are made again for them, and a loop cannot be
        else:
            return made
    with taken_over(None):
        return call()


class _BodyWatch(Tracer):
    """The watch of a loop's body: it raises NotALoop if the body does more than compute."""

    def follows(self, node: Value) -> bool:
        return self.depends(node)

    def _refuse(self, *_: object) -> NoReturn:
        raise NotALoop

    read = assigned = compared = swept = adjoint = keep_adjoint = _refuse  # type: ignore[assignment]


class _Body(NamedTuple):
    """The body of a loop, the outer numbers and nodes that it reads, and the structure of its result."""

    trace: Trace
    closed: list[Number]
    of_y: Structure

    def is_same(self, other: _Body) -> bool:
        """Return whether another trace of the body computes the same."""
        if len(self.closed) != len(other.closed) or self.of_y != other.of_y:
            return False
        pairs = zip(self.closed, other.closed, strict=True)
        closed = all(x is y or (not isinstance(x, Value) and x == y) for x, y in pairs)
        return closed and _is_same(self.trace, other.trace)


def _is_same(one: Trace, other: Trace) -> bool:
    a, b = one.equations, other.equations
    return (
        (a.codes, a.arities, a.operands, repr(a.constants)) == (b.codes, b.arities, b.operands, repr(b.constants))
        and one.outputs == other.outputs
        and len(a.rows) == len(b.rows)
        and all(map(_is_same_row, a.rows, b.rows))
    )


def _is_same_row(one: Op, other: Op) -> bool:
    if not (isinstance(one, ScanRow) and isinstance(other, ScanRow)):
        return one is other
    sizes = [(scan.steps, scan.lengths, scan.item, scan.y) for scan in (one.scan, other.scan)]
    return sizes[0] == sizes[1] and _is_same(one.scan.body, other.scan.body)


class _Loops:
    """The loops of one run of a function, by number; `refused` is a loop that must be written out."""

    def __init__(self, runner: str | None, written_out: set[int]) -> None:
        self.runner, self.written_out = runner, written_out
        self.count = 0
        self.refused: int | None = None
        self.inside: set[Value] = set()  # the leaves that stand for inputs of bodies

    def __call__(self, loop: Loop) -> tuple[Tree, list[Tree]] | None:
        mine = self.count
        self.count += 1
        if mine in self.written_out or (len(loop.items) < MIN_STEPS and loop.counted is None) or is_differentiating():
            return None
        try:
            return self._taken(loop)
        except NotALoop:
            if self.refused is None:
                self.refused = mine
            raise
        except Exception:  # the body's own error; when Python runs the loop, it is raised again if it is real
            self.refused = mine
            raise NotALoop from None

    def _taken(self, loop: Loop) -> tuple[Tree, list[Tree]]:
        carry, of_carry = flatten(loop.carry)
        counts = [] if loop.counted is None else [loop.counted]
        steps = _most(loop.counted) if loop.counted is not None else len(loop.items)
        items = [flatten(item) for item in (range(steps) if counts else loop.items)]
        of_item = items[0][1]
        if any(structure != of_item for _, structure in items):
            raise NotALoop
        structures = of_carry, of_item
        body = self._body(loop, structures, carry, items[0][0])
        last = items[max(len(loop.items) - 1, 0)][0]
        if not body.is_same(self._body(loop, structures, carry, last)):  # the body may, for example, count its calls
            raise NotALoop
        operands = [*body.closed, *carry, *(x for leaves, _ in items for x in leaves), *counts]
        if not any(isinstance(x, Value) for x in operands):
            raise NotALoop
        if any(isinstance(op, ScanRow) for op in body.trace.equations.rows) and asks(body.trace):
            raise NotALoop
        sizes = len(body.closed), len(carry), len(items[0][0]), len(body.trace.outputs) - len(carry)
        trace = guarded(simplified(body.trace.by_rows()))
        scan = Scan(trace, steps, *sizes, bool(counts))
        results = self._results(scan, [x if isinstance(x, Value) else number(loop.name, x) for x in operands])
        ys = [body.of_y.rebuild([results(scan.place(scan.carry + j, k)) for j in range(scan.y)]) for k in range(steps)]
        return of_carry.rebuild(map(results, range(scan.carry))), ys

    def _body(self, loop: Loop, structures: tuple[Structure, Structure], carry: list[Tree], item: list[Tree]) -> _Body:
        """Trace the body of a loop at some numbers."""
        starts, firsts = [_leaf(x) for x in carry], [_leaf(x) for x in item]
        inputs = starts + firsts
        self.inside.update(inputs)
        of_carry, of_item = structures
        watch = _BodyWatch(loop.name, inputs)
        with watched_by(watch):
            after, y = stepped(loop, of_carry.rebuild(starts), of_item.rebuild(firsts), of_carry, 0)
        ys, of_y = flatten(y)
        ends = flatten(after)[0] + ys
        order, outside = _closed(watch, inputs, ends)
        closed: list[Number] = list(outside)
        for k, z in enumerate(ends):
            if not isinstance(z, Value):  # a constant becomes an input that is closed over
                ends[k] = leaf = _leaf(z)
                outside.append(leaf)
                closed.append(z)
        found = recorded(ends, [*outside, *inputs], watch, order)
        into = Structure(tuple, (), tuple([Structure("array", (len(xs),)) for xs in (closed, starts, firsts)]))
        return _Body(Trace(loop.name, **found._asdict(), into=into, out=Structure("array", (len(ends),))), closed, of_y)

    def _results(self, scan: Scan, operands: list[Number]) -> Callable[[int], Value]:
        """Record a loop, and return a function that makes the node of a result."""
        numbers = _computed(scan, operands, self.runner)
        watch = watching()
        assert watch is not None
        row = ScanRow(scan)

        def node(op: Op, data: float, *operands: Number) -> Value:
            weights = array("d", bytes(8 * max(len(operands), 2)))
            made = rebuild(Value, op, data, 0.0, "", weights, operands)
            watch.made(made)
            return made

        whole = node(row, 0.0, *operands)
        return lambda place: node(RESULT, float(numbers[place]), whole, float(place))


def _most(count: Value) -> int:
    """Return the most steps that a loop's program has room for, a power of 2.

    The comparisons with it become branches of the trace.
    """
    most = COUNTED
    while most < primal(count):
        most *= 2
    if not (count >= 0.0 and count <= float(most) and count == math.floor(count)):
        raise NotALoop
    return most


def _leaf(x: Tree) -> Value:
    """Return a leaf that stands for a number or node inside of a body."""
    if not isinstance(x, Value):
        return Value(number("scan", x))
    return Value(primal(x), x.label)


def _closed(watch: _BodyWatch, inputs: list[Value], ends: Sequence[Number]) -> tuple[list[Value], list[Value]]:
    """Return the nodes of a body that its outputs need, in order, and the outer nodes that they read."""
    own, known = watch.own, set(inputs)
    needed = {z for z in ends if isinstance(z, Value)}
    order = []
    for node in reversed(watch._made):
        if node in needed:
            order.append(node)
            needed.update(node.parents)
    order.reverse()
    read = [x for node in order for x in node.parents] + [z for z in ends if isinstance(z, Value)]
    outside = dict.fromkeys(x for x in read if x not in own and x not in known)
    return order, list(outside)


def _computed(scan: Scan, operands: Sequence[Number], use: str | None) -> Tree:
    """Return the numbers of all results of a loop."""
    n = len(operands)
    accesses = tuple([Access(first, 0, 0, 1) for first in accumulate(scan.lengths[:-1], initial=0)])
    whole = Instruction("scan", None, n, 1, scan.size, 1, accesses, scan=scan)
    program = Program("scan", (whole,), n, np.zeros(0), n + scan.size, np.arange(n), 1)
    runner = runner_of(program, use)
    d = np.zeros(program.size + runner.scratch)
    d[:n] = [primal(x) if isinstance(x, Value) else x for x in operands]
    runner.task(d)()
    return d[n : program.size]
