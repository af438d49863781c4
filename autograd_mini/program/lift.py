r"""Find the vector program in a scalar graph.

This module owns the step from equations to a few vector instructions; one instruction computes many numbers in the same
way. `lift` calls the passes in order, and each pass is a function from columns to columns:

1. A sum of products that nothing else uses becomes a dot, and any other long sum becomes a sum.
2. Nodes of one kind and one depth, their level, become one instruction. Its results stand side by side. Their order
   makes the addresses of the operands regular, if such an order exists.
3. Regular addresses have the form $base + a s_1 + b s_2 + j s_3$; so does a matrix as a factor of a dot. The numbers at
   irregular addresses are copied side by side first, by a gather.

This module knows additions and products, for step 1, and the rows of many operands: sums, dots and takes. It must not
know nets, or how instructions are run.
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
    changes,
    columns_of,
    distinct,
    fold_sums,
    set_apart,
    set_scans,
    split_wide_rows,
)
from .levels import Scheduled, group, schedule
from .scan_rows import Scan

ONE: Ints = np.zeros(1, dtype=np.int64)
MOST = 4  # up to this many matrices at one level become products of their own


class Access(NamedTuple):
    """The addresses of an operand's numbers: `base + a*outer + b*inner + j*along`."""

    base: int
    outer: int
    inner: int
    along: int  # the step between terms of a dot or a sum

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
    """Return the indices of rows, columns and terms, as arrays that broadcast (`np.ogrid` takes longer)."""
    return np.arange(rows)[:, None, None], np.arange(columns)[:, None], np.arange(terms)


@dataclass(frozen=True)
class Instruction:
    """One vector instruction: `rows * columns` results from `start` on, each of `length` terms."""

    kind: str  # "row", "dot", "sum", "take", "scan" or "gather"
    op: Op | None  # the row of the table, if the kind is "row"
    start: int
    rows: int
    columns: int
    length: int
    operands: tuple[Access, ...]
    index: Any = None  # the slots that a gather copies
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
        """Return the places of operand n, by rows, columns and terms; a dot's start or a take's index has one term."""
        if self.scan is not None:
            return self.operands[n].places(1, 1, self.scan.lengths[n])
        terms = 1 if (self.kind, n) in (("dot", 2), ("take", 1)) else self.length
        return self.operands[n].places(self.rows, self.columns, terms)

    def span(self, access: Access) -> tuple[int, int]:
        """Return the bounds of the stretch that contains an operand's numbers."""
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
    slots: Any  # the place of each variable of the trace; -1 if it has none any more
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
    # Constants stand before the results, so count the constants before the first result gets its slot.
    used = _constants(nodes, starts)
    slots[~used] = np.arange(n, n + len(used))
    free, read, end = n + len(used), nodes.read, 0
    instructions: list[Instruction] = []
    columns = (column.tolist() for column in (nodes.kind[starts], nodes.width[starts]))
    bounds = pairwise([*starts.tolist(), len(nodes)])
    for (first, last), number, width in zip(bounds, *columns, strict=True):
        kind, begin, end = nodes.kinds[number], end, end + (last - first) * width
        places = slots[read[begin:end]].reshape(last - first, width)
        if kind.name == "result":  # the scan's results have a place for it already
            made_here = nodes.variable[first:last]
            slots[made_here] = places[:, 0] + _result_numbers(trace, made_here)
            continue
        parts = [places[:, i:j] for i, j in pairwise(kind.cuts)]
        for members, rows, found in _arranged(kind, parts, nodes.early[first:last]):
            accesses = []
            for part, regular in zip(parts, found, strict=True):
                access = regular
                if access is None:
                    flat = part[members].T.ravel()  # the first terms of all results, then the second terms, and so on
                    instructions.append(Instruction("gather", None, free, 1, flat.size, 1, (), flat))
                    access = Access(free, len(members) // rows, 1, len(members) if part.shape[1] > 1 else 0)
                    free += flat.size
                accesses.append(access)
            if kind.name == "dot" and accesses[0].inner == 0 != accesses[1].inner:
                accesses[:2] = accesses[1::-1]  # swap the factors, so that the second factor is the shared one
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
    """Return the constants in use; those of one operand of one group lie side by side."""
    read, first = nodes.read, nodes.width.cumsum() - nodes.width
    places = np.flatnonzero(read < 0)
    owner = nodes.owner[places]
    in_group = np.searchsorted(starts, owner, side="right")
    met = ~read[places][np.lexsort((owner, places - first[owner], in_group))]
    return met[np.sort(distinct(met)[1])]


# The order of a group's results, and the addresses of their operands.


class _Arranged(NamedTuple):
    """The results of a group in order, the number of their rows, and the operands' addresses; None if irregular."""

    members: Ints
    rows: int
    accesses: list[Access | None]


def _arranged(kind: Kind, parts: list[Ints], early: Ints) -> list[_Arranged]:
    """Return one instruction for a group; or one for each early level, if this gathers fewer numbers."""
    whole = _in_matrices(kind, parts)
    if early[0] == early[-1] or not _gathered(whole, parts):
        return whole
    apart: list[_Arranged] = []
    for some in np.split(np.arange(len(early)), np.flatnonzero(np.diff(early)) + 1):
        found = _in_matrices(kind, [part[some] for part in parts])
        apart += [_Arranged(some[members], rows, accesses) for members, rows, accesses in found]
    return min(whole, apart, key=lambda found: _gathered(found, parts))


def _gathered(arranged: list[_Arranged], parts: list[Ints]) -> int:
    """Return the number of numbers to copy first."""
    return sum(
        len(members) * part.shape[1]
        for members, _, found in arranged
        for part, access in zip(parts, found, strict=True)
        if access is None
    )


def _in_matrices(kind: Kind, parts: list[Ints]) -> list[_Arranged]:
    """Return one instruction for all results; or several dots, if their addresses are regular only then.

    Several matrices at one level, such as queries, keys and values, are multiplied by one instruction each. A single
    instruction would have to copy the matrices.
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
    """Return for each of some rising addresses the number of its run; the steps within a run are equal."""
    runs = np.zeros(len(addresses), dtype=np.int64)
    run, step = 0, 0
    for i in range(1, len(addresses)):
        before, step = step, int(addresses[i] - addresses[i - 1])
        if before and step != before:
            run, step = run + 1, 0
        runs[i] = run
    return runs


def _regular(parts: list[Ints]) -> _Arranged:
    """Return the results in the order with the most regular operands.

    It tries the order of the nodes, and the two orders by the operands' addresses, from the last and from the first.
    """
    if len(parts[0]) == 1:  # a deep graph has many such groups
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
    """Return the number of rows with which all addresses are regular, or else 1, and the addresses."""
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
    return 1, accesses  # from the last width, which has all results in one row


def _line(places: list[int]) -> Access | None:
    """Return the regular address of one result's operand; None if it has no regular address."""
    if not places:  # for example a scan without carries
        return Access(0, 0, 0, 0)
    base = places[0]
    along = places[1] - base if len(places) > 1 else 0
    regular = len(places) < 3 or places == [base + along * j for j in range(len(places))]
    return Access(base, 0, 0, along) if regular else None


def access_of(part: Ints, rows: int) -> Access | None:
    """Return the regular address of an operand, from its places, results by terms; None if there is none."""
    count, length = part.shape
    width = count // rows
    base = int(part[0, 0])
    along = int(part[0, 1]) - base if length > 1 else 0
    inner = int(part[1, 0]) - base if width > 1 else 0
    outer = int(part[width, 0]) - base if rows > 1 else 0
    access = Access(base, outer, inner, along)
    return access if (part.reshape(rows, width, length) == access.places(rows, width, length)).all() else None
