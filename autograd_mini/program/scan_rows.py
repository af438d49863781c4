"""A scan in a trace: the data of a loop, and the rows for it among equations.

A loop is one equation. Its operands are all numbers that the loop reads. Each result in use is one more equation.
The loop's body is a trace of its own. This module must not know how a body is found or run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

from ..node import primal
from ..op import Op
from ..printing import counted
from ..recorder import Operand
from ..spelling import Level, Mapped, Notation, Spelling, shortened
from ..traces import Trace
from ..value import Number, Value


class NotALoop(Exception):  # the trace catches it and begins again, so users do not see it
    """A loop must be unrolled: its body does more than compute, or the function differentiates it."""


@dataclass(frozen=True, eq=False)
class Scan:
    """A loop. Its results are the last carry, the carry after each step, and the ys of all steps."""

    body: Trace  # from closed numbers, a carry and an item to the next carry and a y
    steps: int  # the number of steps, or the largest number if an operand counts them
    closed: int  # numbers from outside that every step reads
    carry: int
    item: int
    y: int
    counted: bool = False  # whether the last operand is the number of steps; then there is no y

    @property
    def lengths(self) -> tuple[int, int, int, int]:
        """Return the sizes of the operands: closed numbers, the first carry, all items, and a count."""
        return self.closed, self.carry, self.steps * self.item, int(self.counted)

    @property
    def inputs(self) -> int:
        """Return the number of the body's inputs."""
        return self.closed + self.carry + self.item

    @property
    def size(self) -> int:
        """Return the number of all results."""
        return self.carry + self.steps * (self.carry + self.y)

    def place(self, output: int, step: int) -> int:
        """Return the place, among the results, of an output of the body after a step.

        The last carry comes first; the carry after step 0 follows.
        """
        if output < self.carry:
            return (step + 1) * self.carry + output
        return (self.steps + 1) * self.carry + step * self.y + output - self.carry

    def written_out(self, operands: Sequence[Operand]) -> list[Operand]:
        """Compute all results, step by step, from numbers or Values."""
        closed, rest = operands[: self.closed], operands[self.closed + self.carry :]
        carry = list(operands[self.closed : self.closed + self.carry])
        carries: list[Operand] = []
        ys: list[Operand] = []
        for k in range(self._times(operands[-1]) if self.counted else self.steps):
            held = self.body._run([*closed, *carry, *rest[k * self.item : (k + 1) * self.item]])
            found = [held[z] if isinstance(z, int) else z for z in self.body.outputs]
            carry = found[: self.carry]
            carries += carry
            ys += found[self.carry :]
        return carry + carries + ys

    def _times(self, count: Number) -> int:
        """Return the number of steps that an operand counts."""
        times = primal(count) if isinstance(count, Value) else count
        if count == times and 0 <= times <= self.steps:  # compare the Value itself, so a trace records the branch
            return int(times)
        raise ValueError(f"fori: n must be a whole number from 0 to {self.steps} here, not {times!r}")


def _no_rule(*_: Operand) -> float:
    raise NotALoop


@dataclass(frozen=True, eq=False)
class LanesOfScan(Scan):
    """A loop of a batch: each number of a carry, item or y is a row of lanes, one lane for each example."""

    of: Scan = field(kw_only=True)  # the loop of one example
    width: int = field(kw_only=True)
    varying: tuple[slice, ...] = field(
        kw_only=True
    )  # closed numbers that differ between examples; the batch has them last

    @classmethod
    def made(cls, of: Scan, width: int, varying: tuple[slice, ...]) -> LanesOfScan:
        """Return the loop of a batch, from the loop of one example."""
        apart = sum(some.stop - some.start for some in varying)
        closed = of.closed - apart + apart * width
        sizes = closed, of.carry * width, of.item * width, of.y * width
        return cls(of.body, of.steps, *sizes, of.counted, of=of, width=width, varying=varying)


def counts_steps(trace: Trace) -> bool:
    """Return whether an operand counts the steps of some loop in a trace."""
    scans = [op.scan for op in trace.equations.rows if isinstance(op, ScanRow)]
    return any(scan.counted or counts_steps(scan.body) for scan in scans)


class ScanRow(Op):
    """A loop as a row. A call returns the list of all results."""

    scan: Scan

    def __init__(self, scan: Scan) -> None:
        text = Notation(f"scan of {scan.steps} steps")
        super().__init__(
            "scan", lambda *_: nan, (_no_rule,) * sum(scan.lengths), (), text, text, "scan", (), "Run a loop.",
            raises=False, composed=scan.written_out,
        )  # fmt: skip
        vars(self)["scan"] = scan  # a row is frozen

    def __call__(self, *operands: Operand) -> Any:
        """Compute all results, step by step."""
        return self.scan.written_out(operands)

    def spelled(self, n: int) -> Spelling:
        """Return the names of the n numbers that the loop reads, and its text. A long list has dots in the middle."""
        names = Mapped(lambda i: f"x{i + 1}", range(n))
        places = shortened(range(n), 6, ends=2)
        read = ", ".join("…" if i is None else f"<{names[i]}>" for i in places)
        levels = Mapped(lambda i: Level.COMPARISON, range(n))
        what = f"scan of {counted(self.scan.steps, 'step')} over "
        text = Notation(what + read, Level.COMPARISON, levels)
        tex = Notation(rf"\text{{{what}}}{read}".replace("…", r"\dots"), Level.COMPARISON, levels)
        return Spelling(names, text, tex, [i for i in places if i is not None])

    def __reduce__(self) -> tuple[Any, ...]:
        return ScanRow, (self.scan,)


class Result(Op):
    """The row that takes one result of a loop by its place."""

    def __init__(self) -> None:
        text = Notation("<x>[<k>]", levels=(Level.ATOM, Level.COMPARISON))
        super().__init__(
            "result", lambda *_: nan, (_no_rule, lambda *_: 0.0), ("x", "k"), text, text, "result", (),
            "Take a result of a loop.", raises=False,
        )  # fmt: skip

    def __call__(self, *operands: Operand) -> Any:
        """Return the result at a place."""
        results, k = operands
        return results[int(k)]

    def __reduce__(self) -> tuple[Any, ...]:
        return Result, ()
