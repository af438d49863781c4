r"""Find the vector program in a scalar graph.

This module owns the lifting of equations into a few instructions that each do the same to many numbers. The passes
stand in order in `lift`, and each is a function from columns to columns:

1. Sums of products that nothing else uses become dots, and other long sums become sums.
2. Nodes with one kind and one depth, their level, become one instruction; its results stand side by side, in an order
   in which the operands' addresses are regular, if there is one.
3. An operand's addresses are then usually $base + a s_1 + b s_2 + j s_3$ (a dot's factor being a matrix that is walked
   over); where they are not, they are gathered first.

It knows additions and products, which step 1 looks for, and the rows of many operands: sums, dots and takes. It must
not know nets, nor how instructions are run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..ops import Op
from ..traces import Trace
from .columns import (
    Columns,
    Ints,
    Kind,
    Scheduled,
    changes,
    columns_of,
    distinct,
    fold_sums,
    group,
    schedule,
    set_apart,
    set_scans,
    split_wide_rows,
)
from .scan_rows import Scan

__all__ = ["Access", "Instruction", "Program", "access_of", "grid", "lift"]

ONE: Ints = np.zeros(1, dtype=np.int64)
MOST = 4  # matrices at one level that are products of their own


class Access(NamedTuple):
    """Where an operand's numbers are: at `base + a*outer + b*inner + j*along`."""

    base: int
    outer: int
    inner: int
    along: int  # the third step, of a dot or a sum

    def places(self, rows: int, columns: int, terms: int) -> Ints:
        """Return the places of the numbers, by rows, columns and terms.

        >>> Access(10, 4, 1, 0).places(2, 3, 1)[:, :, 0]
        array([[10, 11, 12],
               [14, 15, 16]])
        """
        r, c, j = grid(rows, columns, terms)
        found: Ints = self.base + self.outer * r + self.inner * c + self.along * j
        return found


def grid(rows: int, columns: int, terms: int) -> tuple[Any, Any, Any]:
    """Return the numbers of rows, of columns and of terms, as arrays that broadcast (`np.ogrid` takes longer)."""
    return np.arange(rows)[:, None, None], np.arange(columns)[:, None], np.arange(terms)


@dataclass(frozen=True)
class Instruction:
    """One vector instruction: `rows * columns` results from `start` on, each of `length` terms."""

    kind: str  # "row", "dot", "sum", "take", "scan" or "gather"
    op: Op | None  # of a row
    start: int
    rows: int
    columns: int
    length: int
    operands: tuple[Access, ...]
    index: Any = None  # of a gather: the slots that are copied
    scan: Scan | None = None

    @property
    def stops(self) -> frozenset[int]:
        """Return the places of the operands that no derivative goes to: see `Op.stops`."""
        return Kind(self.kind, self.op).stops

    @property
    def count(self) -> int:
        """Return the number of results."""
        return self.rows * self.columns

    def places(self, n: int) -> Ints:
        """Return the places of operand n, by rows, columns and terms: one term of a dot's start and a take's choice."""
        if self.scan is not None:
            return self.operands[n].places(1, 1, self.scan.lengths[n])
        terms = 1 if (self.kind, n) in (("dot", 2), ("take", 1)) else self.length
        return self.operands[n].places(self.rows, self.columns, terms)

    def span(self, access: Access) -> tuple[int, int]:
        """Return the stretch that an operand's numbers are in."""
        steps = (self.rows - 1) * access.outer, (self.columns - 1) * access.inner, (self.length - 1) * access.along
        return access.base + sum(min(s, 0) for s in steps), access.base + sum(max(s, 0) for s in steps) + 1


@dataclass(frozen=True)
class Program:
    """Instructions over one array of numbers: the inputs, then the constants, then all results."""

    name: str
    instructions: tuple[Instruction, ...]
    inputs: int
    constants: Any
    size: int
    slots: Any  # of each of the trace's variables its place, -1 of one that is gone
    equations: int


def lift(trace: Trace) -> Program:
    """Return the vector program of a trace.

    >>> from autograd_mini import trace
    >>> t = trace(lambda w, x: sum(a * b for a, b in zip(w, x)), [1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    >>> program = lift(t)
    >>> len(t.equations), [i.kind for i in program.instructions]
    (5, ['dot'])
    """
    nodes = set_scans(columns_of(trace))
    nodes = fold_sums(nodes, trace.ends)
    nodes = split_wide_rows(nodes)
    nodes = set_apart(nodes, trace.outputs)
    scheduled = schedule(nodes)
    return program_of(group(scheduled), trace)


def program_of(nodes: Scheduled, trace: Trace) -> Program:
    """Return the instructions for nodes in the order of their groups."""
    n = len(trace.inputs)
    starts = changes(nodes.level, nodes.kind)
    slots = np.full(nodes.size, -1)
    slots[:n] = np.arange(n)
    # Constants stand before the results: their number must be known before the first result's slot.
    used = _constants(nodes, starts)
    slots[~used] = np.arange(n, n + len(used))
    free, read, end = n + len(used), nodes.read, 0
    instructions: list[Instruction] = []
    columns = (column.tolist() for column in (nodes.kind[starts], nodes.width[starts]))
    bounds = pairwise([*starts.tolist(), len(nodes)])
    for (first, last), number, width in zip(bounds, *columns, strict=True):
        kind, begin, end = nodes.kinds[number], end, end + (last - first) * width
        places = slots[read[begin:end]].reshape(last - first, width)
        if kind.name == "result":  # a scan has it in its place
            made_here = nodes.variable[first:last]
            slots[made_here] = places[:, 0] + _result_numbers(trace, made_here)
            continue
        parts = [places[:, i:j] for i, j in pairwise(kind.cuts)]
        for members, rows, found in _arranged(kind, parts, nodes.early[first:last]):
            accesses = []
            for part, regular in zip(parts, found, strict=True):
                access = regular
                if access is None:
                    flat = part[members].T.ravel()  # one term of all results after the other
                    instructions.append(Instruction("gather", None, free, 1, flat.size, 1, (), flat))
                    access = Access(free, len(members) // rows, 1, len(members) if part.shape[1] > 1 else 0)
                    free += flat.size
                accesses.append(access)
            if kind.name == "dot" and accesses[0].inner == 0 != accesses[1].inner:
                accesses[:2] = accesses[1::-1]  # a product may be turned: the second factor is the shared one
            count = len(members) if kind.scan is None else kind.scan.size
            shape = rows, count // rows, kind.length
            instructions.append(Instruction(kind.name, kind.op, free, *shape, tuple(accesses), scan=kind.scan))
            slots[nodes.variable[first:last][members]] = np.arange(free, free + len(members))
            free += count
    constants = np.array(trace.equations.constants, dtype=float)[used]
    variables = slots[: n + len(trace.equations)].copy()
    return Program(trace.name, tuple(instructions), n, constants, free, variables, len(trace.equations))


def _result_numbers(trace: Trace, variables: Ints) -> Ints:
    """Return the places of some results among those of their scans."""
    equations = trace.equations
    starts = np.array(equations.starts)[variables - len(trace.inputs)]
    constants = np.array(equations.constants)
    found: Ints = constants[~np.array(equations.operands)[starts + 1]].astype(np.int64)
    return found


def _constants(nodes: Columns, starts: Ints) -> Ints:
    """Return the constants in use, operand by operand of each group: those that differ along a run are a run."""
    read, first = nodes.read, nodes.width.cumsum() - nodes.width
    places = np.flatnonzero(read < 0)
    owner = nodes.owner[places]
    in_group = np.searchsorted(starts, owner, side="right")
    met = ~read[places][np.lexsort((owner, places - first[owner], in_group))]
    return met[np.sort(distinct(met)[1])]


# The order of a group's results, and the addresses of their operands.


class _Arranged(NamedTuple):
    """Results of a group in order, in how many rows they stand, and the operands' addresses, None of irregular ones."""

    members: Ints
    rows: int
    accesses: list[Access | None]


def _arranged(kind: Kind, parts: list[Ints], early: Ints) -> list[_Arranged]:
    """Return the instructions for a group: one; or one for each early level, where less has to be gathered then."""
    whole = _in_matrices(kind, parts)
    if early[0] == early[-1] or not _gathered(whole, parts):
        return whole
    apart: list[_Arranged] = []
    for some in np.split(np.arange(len(early)), np.flatnonzero(np.diff(early)) + 1):
        found = _in_matrices(kind, [part[some] for part in parts])
        apart += [_Arranged(some[members], rows, accesses) for members, rows, accesses in found]
    return min(whole, apart, key=lambda found: _gathered(found, parts))


def _gathered(arranged: list[_Arranged], parts: list[Ints]) -> int:
    """Return how many numbers have to be copied first."""
    return sum(
        len(members) * part.shape[1]
        for members, _, found in arranged
        for part, access in zip(parts, found, strict=True)
        if access is None
    )


def _in_matrices(kind: Kind, parts: list[Ints]) -> list[_Arranged]:
    """Return one instruction for all results; or several, if they are dots and regular then.

    Those of several matrices at one level, such as queries, keys and values, are a product each, where
    gathering would copy the matrices.
    """
    whole = _regular(parts)
    if kind.name != "dot" or None not in whole.accesses:
        return [whole]
    for factor in parts[:2]:
        firsts, _, member_of = distinct(factor[:, 0])
        run_of = _even_runs(firsts)[member_of]
        found = []
        for run in range(run_of.max() + 1 if run_of.max() < MOST else 0):
            some = np.flatnonzero(run_of == run)
            members, rows, accesses = _regular([part[some] for part in parts])
            found.append(_Arranged(some[members], rows, accesses))
        if found and not any(None in accesses for _, _, accesses in found):
            return found
    return [whole]


def _even_runs(addresses: Ints) -> Ints:
    """Return for each of some rising addresses the number of the run of equal steps that it is in."""
    runs = np.zeros(len(addresses), dtype=np.int64)
    run, step = 0, 0
    for i in range(1, len(addresses)):
        before, step = step, int(addresses[i] - addresses[i - 1])
        if before and step != before:
            run, step = run + 1, 0
        runs[i] = run
    return runs


def _regular(parts: list[Ints]) -> _Arranged:
    """Return the order in which most operands' addresses are regular.

    The order in which results were made is tried, and those in which one operand after another moves on.
    """
    if len(parts[0]) == 1:  # in a deep graph there are many
        return _Arranged(ONE, 1, [_line(part[0].tolist()) for part in parts])
    firsts = [part[:, 0] for part in parts]
    best: _Arranged | None = None
    for keys in (None, firsts, firsts[::-1]):
        order = np.arange(len(firsts[0])) if keys is None else np.lexsort(keys)
        found = _Arranged(order, *_in_rows([part[order] for part in parts]))
        if best is None or found.accesses.count(None) < best.accesses.count(None):
            best = found
        if None not in found.accesses:
            break
    assert best is not None
    return best


def _in_rows(parts: Sequence[Ints]) -> tuple[int, list[Access | None]]:
    """Return into how many rows results fall so that all addresses are regular, else one, and the addresses."""
    count = len(parts[0])
    breaks = {count}
    for part in parts:
        steps = np.diff(part[:, 0])
        changes = np.flatnonzero(steps != steps[0])
        if changes.size:
            breaks.add(int(changes[0]) + 1)
    for width in sorted(breaks):
        if count % width == 0:
            accesses = [access_of(part, count // width) for part in parts]
            if None not in accesses:
                return count // width, accesses
    return 1, accesses  # of the last width, which is all


def _line(places: list[int]) -> Access | None:
    """Return the regular address of one result's operand, None where there is none."""
    if not places:  # a scan without numbers of a kind
        return Access(0, 0, 0, 0)
    base = places[0]
    along = places[1] - base if len(places) > 1 else 0
    regular = len(places) < 3 or places == [base + along * j for j in range(len(places))]
    return Access(base, 0, 0, along) if regular else None


def access_of(part: Ints, rows: int) -> Access | None:
    """Return the regular address of the places of an operand, results by terms, None where there is none."""
    count, length = part.shape
    width = count // rows
    base = int(part[0, 0])
    along = int(part[0, 1]) - base if length > 1 else 0
    inner = int(part[1, 0]) - base if width > 1 else 0
    outer = int(part[width, 0]) - base if rows > 1 else 0
    access = Access(base, outer, inner, along)
    return access if (part.reshape(rows, width, length) == access.places(rows, width, length)).all() else None
