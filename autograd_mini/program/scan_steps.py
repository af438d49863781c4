"""The programs of a loop's body, and the loop on NumPy's arrays.

Forward, a loop keeps the carry after each step. Backward, it begins with the last step. It computes each step again
from the carry before the step, by a program with only the outputs that a derivative reaches. This module must not know
machine code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .arguments import Numbers
from .lanes import Lanes
from .lift import Instruction, Program, lift
from .runner import Runner, Way, way_back
from .scan_rows import LanesOfScan, Scan, ScanRow


class Part(NamedTuple):
    """Steps that one program runs."""

    steps: int
    runner: Any  # the program's runner
    outputs: Numbers  # the outputs of the body that the program computes
    slots: Numbers  # the slots of these
    way: Way | None = None


def forth(scan: Scan, runner: Runner) -> Part:
    """Return the way forward, for a runner of the kind of `runner`."""
    outputs = np.arange(scan.carry + scan.y)
    program, slots = _program(scan, outputs)
    return Part(scan.steps, runner.of(program), outputs, slots)


def back(scan: Scan, runner: Runner, needed: Sequence[bool], reached: Sequence[bool]) -> list[Part]:
    """Return the way back, the last step first.

    Args:
        needed: whether a derivative goes to the closed numbers, to the first carry, and to the items.
        reached: which of the loop's results get a derivative.
    """
    if not any(needed):
        return []
    ends = np.cumsum([0, scan.closed, scan.carry, scan.item]).tolist()
    asked = needed[0], True, needed[2]
    spans = [slice(*span) for span, some in zip(pairwise(ends), asked, strict=True) if some]
    made: dict[tuple[int, ...], tuple[Part, list[int]]] = {}  # with the carries that a derivative reaches
    carries = [j for j in range(scan.carry) if reached[j]]
    parts: list[Part] = []
    for step in range(scan.steps - 1, -1, -1):
        ys = [scan.carry + j for j in range(scan.y) if reached[scan.place(scan.carry + j, step)]]
        outputs = *carries, *ys
        if outputs not in made:
            chosen = np.array(outputs, dtype=int)
            program, slots = _program(scan, chosen)
            steps, silent = way_back(program, slots, spans)
            own = runner.of(program)
            there = set(range(scan.carry)) - {slot - scan.closed for slot in silent.tolist()}
            made[outputs] = Part(0, own, chosen, slots, own.way(steps, silent)), sorted(there)
        part, carries = made[outputs]
        if parts and parts[-1].runner is part.runner:
            parts[-1] = parts[-1]._replace(steps=parts[-1].steps + 1)
        else:
            parts.append(part._replace(steps=1))
    return parts


def _program(scan: Scan, outputs: Numbers) -> tuple[Program, Numbers]:
    """Return the program that computes some outputs of a body, and their slots.

    In a batch, the outputs have all lanes of a row, or none of them.
    """
    if isinstance(scan, LanesOfScan):
        one, slots = _program(scan.of, outputs[:: scan.width] // scan.width)
        first = scan.of.closed
        carry = slice(first, first + scan.of.carry)
        tables = [*scan.varying, carry, slice(carry.stop, carry.stop + scan.of.item)]
        lanes = Lanes(one, [table for table in tables if table.start < table.stop], range(one.inputs), scan.width)
        return lanes.program, lanes.lanes_of(slots).ravel()
    body = replace(scan.body, outputs=tuple([scan.body.outputs[k] for k in outputs.tolist()])).dead_code()
    program = lift(body)
    return program, program.slots[np.array(body.outputs, dtype=int)]


def most_numbers(scan: Scan) -> int:
    """Return an upper bound for the numbers of any program of the body, with its scratch space."""
    if isinstance(scan, LanesOfScan):
        return scan.width * most_numbers(scan.of)
    equations = scan.body.equations
    inner = [op.scan for op in equations.rows if isinstance(op, ScanRow)]
    own = scan.inputs + len(equations.constants) + 3 * (len(equations) + len(equations.operands))
    return own + sum([other.size + most_numbers(other) for other in inner])


# On NumPy's arrays.


def run_forth(i: Instruction, part: Part, d: Numbers) -> None:
    """Run a loop, and write its results."""
    scan, run = _scan(i), _Run(i, d)
    task, own = run.task(part)
    first, further = run.results(part.outputs)
    for k in range(run.steps):
        run.enter(own, k)
        task()
        d[first + k * further] = own[part.slots]
    last = i.start + run.steps * scan.carry
    d[i.start : i.start + scan.carry] = d[last : last + scan.carry] if run.steps else d[run.carry]


def run_back(i: Instruction, parts: Sequence[Part], needed: Sequence[bool], d: Numbers, grad: Numbers) -> None:
    """Add the derivatives of a loop's operands, from those of its results."""
    scan, run = _scan(i), _Run(i, d)
    k, first, items = run.steps, scan.closed, scan.closed + scan.carry
    closed, last = np.full(scan.closed, -0.0), i.start + scan.carry
    slope = grad[i.start : i.start + scan.carry].copy()  # the derivative with respect to the carry after step k
    for part in parts:
        task, own = run.task(part)
        slopes = np.full(len(own), -0.0)
        results, further = run.results(part.outputs)
        for _ in range(min(part.steps, k)):
            k -= 1
            run.enter(own, k)
            task()
            slopes[:] = -0.0
            grad[last + k * scan.carry : last + (k + 1) * scan.carry] = slope
            np.add.at(slopes, part.slots, grad[results + k * further])
            part.runner.pull(own, slopes, part.way)
            slope = slopes[first:items].copy()
            if needed[2]:
                np.add.at(grad, run.items[k], slopes[items : scan.inputs])
            closed += slopes[:first]
    if needed[0]:
        np.add.at(grad, run.closed, closed)
    if needed[1]:
        np.add.at(grad, run.carry, slope)


class _Run:
    """A run of a loop, with the places of the numbers that the loop reads."""

    def __init__(self, i: Instruction, d: Numbers) -> None:
        self.scan, self.d, self.start = _scan(i), d, i.start
        self.closed, self.carry, items, count = (i.places(n).ravel() for n in range(4))
        self.items = items.reshape(self.scan.steps, self.scan.item)
        self.steps = steps_of(self.scan.steps, d[count[0]]) if self.scan.counted else self.scan.steps

    def results(self, outputs: Numbers) -> tuple[Numbers, Numbers]:
        """Return the places of some outputs' results after step 0, and the distances to the next step's results."""
        first, second = (np.array([self.scan.place(j, k) for j in outputs.tolist()], dtype=int) for k in (0, 1))
        return self.start + first, second - first

    def task(self, part: Part) -> tuple[Callable[[], None], Numbers]:
        """Return the task that computes a step, and its array."""
        program, scan = part.runner.program, self.scan
        own = np.zeros(program.size + part.runner.scratch)
        own[: scan.closed] = self.d[self.closed]
        own[program.inputs : program.inputs + len(program.constants)] = program.constants
        return part.runner.task(own), own

    def enter(self, own: Numbers, k: int) -> None:
        """Write the carry and the item of a step."""
        scan, first, items = self.scan, self.scan.closed, self.scan.closed + self.scan.carry
        before = self.start + k * scan.carry  # the place of the carry after step k - 1
        own[first:items] = self.d[before : before + scan.carry] if k else self.d[self.carry]
        own[items : scan.inputs] = self.d[self.items[k]]


def steps_of(most: int, count: float) -> int:
    """Return the number of steps that an operand counts, or 0 for a count that is no number from 0 to `most`.

    With such a count the branches of the trace fail, so nobody reads the results.
    """
    return int(count) if 0.0 <= count <= most else 0


def _scan(i: Instruction) -> Scan:
    assert i.scan is not None
    return i.scan
