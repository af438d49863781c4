r"""The runner on NumPy's arrays: each instruction is a few calls of NumPy.

It runs programs if llvmlite is not installed. The tests compare machine code with it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..ops import OPS, Op, Recorder
from ..recorder import Operand
from .arguments import Numbers
from .lift import Instruction, Program
from .runner import Batch, Blocks, Place, Steps, Task, Way, addresses, chooses
from .scan_steps import back, forth, run_back, run_forth

UNLIKE = frozenset({"maximum", "minimum"})  # NumPy's functions of these names may return -0.0 in place of 0.0


SIGNS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "neg": operator.neg,
    "pow": operator.pow, "where": lambda c, x, y: np.where(c != 0.0, x, y),
    "mod": operator.mod, "floordiv": operator.floordiv, "root": np.sqrt,
    "excess": lambda x, y: np.where(np.minimum(x, y) == math.inf, 0.0, x - y),
}  # fmt: skip


class Arrays:
    """The runner of a program on NumPy's arrays."""

    scratch = 0

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps = [(i, *addresses(i)) for i in program.instructions]
        self.first = program.inputs + len(program.constants)
        self.forth = {i.start: forth(i.scan, self) for i in program.instructions if i.scan is not None}

    def task(self, d: Numbers, grad: Any = None, z: int = -1, way: Way | None = None, *, forth: bool = True) -> Task:
        """Return a task that runs the program forward, backward, or both ways, one after the other."""
        tasks = [partial(self._forward, d)] if forth else []
        if way is not None:
            tasks.append(partial(self._backward, d, grad, slice(z, z + 1), way))
        if len(tasks) == 1:
            return tasks[0]

        def both() -> None:
            for run in tasks:
                run()

        return both

    def _forward(self, d: Numbers) -> None:
        with np.errstate(all="ignore"):
            for i, out, operands in self.steps:
                if i.kind == "gather":
                    d[out] = d[i.index]
                elif i.scan is not None:
                    run_forth(i, self.forth[i.start], d)
                elif i.op is not None:
                    d[out] = apply(i.op, [d[place][:, :, 0] for place in operands])
                elif i.kind == "take":
                    table, (at, inside) = operands[0], _chosen(i, d[operands[1][:, :, 0]])
                    d[out] = np.where(inside, d[_along(table, at)], math.nan)
                else:
                    terms = d[operands[0]] if i.kind == "sum" else d[operands[0]] * d[operands[1]]
                    started = len(operands) > 2
                    total = d[operands[2]][:, :, 0] if started else terms[:, :, 0]
                    for j in range(not started, i.length):  # from left to right, as the kernels of machine code do
                        total = total + terms[:, :, j]
                    d[out] = total

    def blocks(self, batch: Batch, d: Numbers, grad: Numbers) -> Callable[[list[Numbers], Numbers], Blocks]:
        """Return a function that runs this program on blocks of a batch."""
        width, z, shared = batch.width, slice(batch.z, batch.z + batch.lanes), batch.shared
        into, out = len(batch.inputs), len(batch.outputs)

        def mine(buffer: Numbers, place: Place, theirs: Numbers) -> Numbers:
            """Return a view of a block's numbers in a buffer, with a row for each example."""
            first, lane, apart = place
            return as_strided(buffer[first:], (width, theirs.shape[1]), (8 * lane, 8 * apart))

        def of(arrays: list[Numbers], totals: Numbers) -> Blocks:
            given, results, slopes = arrays[:into], arrays[into : into + out], arrays[into + out :]
            inputs = [(mine(d, *pair), pair[1]) for pair in zip(batch.inputs, given, strict=True)]
            outputs = [(mine(d, *pair), pair[1]) for pair in zip(batch.outputs, results, strict=True)]
            back = [(mine(grad, *pair), pair[1]) for pair in zip(batch.slopes, slopes, strict=True)]

            def run(first: int, last: int) -> None:
                for block in range(first, last):
                    here = slice(block * width, (block + 1) * width)
                    for place, numbers in inputs:
                        place[...] = numbers[here]
                    self._forward(d)
                    for place, numbers in outputs:
                        numbers[here] = place
                    if batch.way is not None:
                        self._backward(d, grad, z, batch.way)
                        for place, numbers in back:
                            numbers[here] = place
                        totals[block] = grad[:shared]

            return run

        return of

    def of(self, program: Program) -> Arrays:
        """Return a runner of the same kind for another program."""
        return Arrays(program)

    def way(self, steps: Steps, silent: Numbers) -> Way:
        """Return the steps of the way back, with marks at the operands that need derivatives."""
        code = []
        for k, needed in steps:
            scan = self.program.instructions[k].scan
            parts = back(scan, self, needed[:4], needed[4:]) if scan is not None else []
            code.append((*self.steps[k], needed, parts))
        return Way(code, silent, chooses(self.program, steps))

    def _backward(self, d: Numbers, grad: Numbers, z: slice, way: Way) -> None:
        grad[:] = -0.0  # the neutral number of addition: -0.0 + x is x, also for x = -0.0
        grad[z] = 1.0
        self.pull(d, grad, way)
        grad[self.first :] = -0.0  # the results have passed their derivatives on
        way.finish(grad[: self.program.inputs])

    def pull(self, d: Numbers, grad: Numbers, way: Way) -> None:
        """Pass derivatives on, from the last instruction of the way back to the first."""
        with np.errstate(all="ignore"):
            for i, out, operands, needed, parts in reversed(way.code):
                g = grad[out]
                if i.kind == "gather":
                    np.add.at(grad, i.index, g)
                elif i.scan is not None:
                    run_back(i, parts, needed, d, grad)
                elif i.kind == "sum":
                    np.add.at(grad, operands[0], g[:, :, None])
                elif i.kind == "take":
                    table, (at, inside) = operands[0], _chosen(i, d[operands[1][:, :, 0]])
                    np.add.at(grad, _along(table, at), np.where(inside, g, -0.0))
                elif i.kind == "dot":
                    a, b = (d[place] for place in operands[:2])
                    terms = (g[:, :, None] * b, g[:, :, None] * a, g[:, :, None])
                    for place, term, asked in zip(operands, terms, needed, strict=False):
                        if asked:
                            np.add.at(grad, place, term)
                elif i.op is not None:
                    xs = [d[place][:, :, 0] for place in operands]
                    for k, (place, asked) in enumerate(zip(operands, needed, strict=True)):
                        if asked:
                            np.add.at(grad, place[:, :, 0], share_of(i.op, k, g, xs, d[out]))


def _chosen(i: Instruction, at: Numbers) -> tuple[Numbers, Numbers]:
    """Return the places that a take chooses, and for each whether such a term exists."""
    inside = (at >= 0) & (at < i.length) & (at == np.floor(at))
    return np.where(inside, at, 0).astype(np.int64), inside


def _along(table: Numbers, at: Numbers) -> Numbers:
    return np.take_along_axis(table, at[:, :, None], axis=2)[:, :, 0]


class Array(Recorder):
    """An array as a recorder, which computes the rules of rows on arrays."""

    __slots__ = ("x",)
    first_order = True

    def __init__(self, x: Numbers) -> None:
        self.x = x

    def record(self, op: Op, operands: tuple[Operand, ...]) -> Array:
        """Apply a row to arrays."""
        return Array(apply(op, [x.x if isinstance(x, Array) else np.asarray(float(x)) for x in operands]))


def share_of(op: Op, i: int, g: Any, xs: Sequence[Any], z: Any) -> Any:
    """Return the part of the result's derivative g that operand i gets: 0 where the row chooses another operand."""
    found = op.formulas[i](*map(Array, xs), Array(z))
    slope = found.x if isinstance(found, Array) else found
    return np.where(slope != 0.0, g * slope, 0.0) if i in op.chooses else g * slope


def apply(op: Op, xs: list[Numbers]) -> Any:
    """Apply a row to arrays: by an operator, by NumPy's function with the row's name, or number by number."""
    if OPS.get(op.name) is op.row:
        if op.name in SIGNS:
            return SIGNS[op.name](*xs)
        if op.name not in UNLIKE:
            for name in op.methods:  # methods for elements of object arrays have the names of NumPy's functions
                if isinstance(ufunc := getattr(np, name, None), np.ufunc):
                    return ufunc(*xs)
    function = op.limit.function
    return np.vectorize(lambda *numbers: function(*map(float, numbers)), otypes=[float])(*xs)
