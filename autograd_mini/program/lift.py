r"""Find the vector program in a scalar graph.

This room owns the lifting of equations into a few instructions that each do the same to many numbers:

1. Sums of products that nothing else uses become dots, and other long sums become sums.
2. What has the same row and the same depth, its level, becomes one instruction; its results stand
   side by side, in an order in which the operands' addresses are regular, if there is one.
3. An operand's addresses are then usually $base + a s_1 + b s_2 + j s_3$ (a dot's factor being a matrix
   that is walked over); where they are not, they are gathered first.

Nothing here knows nets, or any row but the products and sums of step 1. It must not know how
instructions are run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..ops import Op, add, mul
from ..trace import Trace

__all__ = ["Access", "Instruction", "Program", "lift"]

MOST = 4  # matrices at one level that are products of their own


class Access(NamedTuple):
    """Where an operand's numbers are: at `base + a*outer + b*inner + j*along`."""

    base: int
    outer: int
    inner: int
    along: int  # the third step, of a dot or a sum

    @property
    def everywhere(self) -> bool:
        """Say whether it is one number for all results."""
        return self.outer == self.inner == self.along == 0


@dataclass(frozen=True)
class Instruction:
    """One vector instruction: `rows * columns` results from `start` on, each of `length` terms."""

    kind: str  # "row", "dot", "sum", "take" or "gather"
    op: Op | None  # of a row
    start: int
    rows: int
    columns: int
    length: int
    operands: tuple[Access, ...]
    index: Any = None  # of a gather: the slots that are copied

    @property
    def count(self) -> int:
        """Return the number of results."""
        return self.rows * self.columns

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
    slots: dict[int, int]  # of the trace's variables that are left
    equations: int


class _Node(NamedTuple):
    """An equation after the folding of sums; an operand is a variable, an int, or a constant, a float."""

    key: tuple[Any, ...]
    variable: int
    parts: Sequence[Any]  # a row's operands; lists of a dot's w, its x, and what is added first, if anything

    @property
    def operands(self) -> Sequence[Any]:
        """Return all operands, one after the other."""
        return self.parts if self.key[0] == "row" else [x for part in self.parts for x in part]


def lift(trace: Trace) -> Program:
    """Return the vector program of a trace.

    >>> from autograd_mini import trace
    >>> t = trace(lambda w, x: sum(a * b for a, b in zip(w, x)), [1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    >>> program = lift(t)
    >>> len(t.equations), [i.kind for i in program.instructions]
    (5, ['dot'])
    """
    n = len(trace.inputs)
    nodes = _folded(trace)
    levels = [0] * (n + len(trace.equations) + len(nodes))  # of results that no equation has at the end
    groups: dict[tuple[Any, ...], list[_Node]] = {}
    for node in nodes:
        level = 1 + max((levels[x] for x in node.operands if type(x) is int), default=0)
        levels[node.variable] = level
        groups.setdefault((level, *node.key), []).append(node)

    slots: dict[int, int] = {i: i for i in range(n)}
    constants = _Constants(n)
    instructions: list[Instruction] = []
    pending: list[tuple[tuple[Any, ...], list[_Node]]] = sorted(groups.items(), key=lambda item: item[0][0])
    # Constants stand before the results: their number must be known before the first result's slot.
    for _, members in pending:
        constants.take(members)
    free = n + len(constants.numbers)
    for key, members in pending:
        kind, op, length = key[1:4]
        parts = []
        for k in range(len(members[0].parts)):
            operands = (x for node in members for x in ((node.parts[k],) if kind == "row" else node.parts[k]))
            places = np.fromiter((slots[x] if type(x) is int else constants.place(x) for x in operands), np.int64)
            parts.append(places.reshape(len(members), -1))
        for chosen, rows, found in _arranged(kind, parts):
            accesses = []
            for part, regular in zip(parts, found, strict=True):
                access = regular
                if access is None:
                    flat = part[chosen].T.ravel()  # one term of all results after the other
                    instructions.append(Instruction("gather", None, free, 1, flat.size, 1, (), flat))
                    access = Access(free, len(chosen) // rows, 1, len(chosen))
                    free += flat.size
                accesses.append(access)
            if kind == "dot" and accesses[0].inner == 0 != accesses[1].inner:
                accesses[:2] = accesses[1::-1]  # a product may be turned: the second factor is the shared one
            instructions.append(Instruction(kind, op, free, rows, len(chosen) // rows, length, tuple(accesses)))
            for slot, place in enumerate(chosen, free):
                slots[members[place].variable] = slot
            free += len(chosen)
    numbers = np.array(constants.numbers, dtype=float)
    return Program(trace.name, tuple(instructions), n, numbers, free, slots, len(trace.equations))


class _Constants:
    """The constants, each number once, in slots after the inputs."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.numbers: list[float] = []
        self.places: dict[tuple[str, ...], int] = {}

    def take(self, members: list[_Node]) -> None:
        """Make room for a group's constants: operand by operand, so that what differs along a run is a run."""
        for k, part in enumerate(members[0].parts):
            columns = range(len(part)) if isinstance(part, list) else (None,)
            for j in columns:
                for node in members:
                    x = node.parts[k] if j is None else node.parts[k][j]
                    if type(x) is not int and (key := (x.hex(),)) not in self.places:
                        self.places[key] = self.first + len(self.numbers)
                        self.numbers.append(x)

    def place(self, x: float) -> int:
        """Return a constant's slot."""
        return self.places[x.hex(),]


def _folded(trace: Trace) -> list[_Node]:
    """Return the equations, with sums of products that nothing else uses as dots, and long sums as sums."""
    return _Folding(trace).nodes()


class _Folding:
    """Sums under way, by the variable that has them so far; the terms of a dot are w, x, and a first one."""

    def __init__(self, trace: Trace) -> None:
        n = len(trace.inputs)
        self.uses = _uses(trace)
        self.products: dict[Any, tuple[Any, ...]] = {}
        self.dots: dict[Any, list[list[Any]]] = {}
        self.sums: dict[Any, list[Any]] = {}
        self.kept: dict[Any, _Node] = {}
        self.extra = 0  # results that no equation has: numbered from -1 down
        for i, equation in enumerate(trace.equations, n):
            op, operands = equation.op, equation.operands
            if op is add:
                self.add(i, *operands)
            elif op.composed is not None:
                self.expand(i, op, operands)
            else:
                if op is mul and self.uses[i] == 1:
                    self.products[i] = operands
                self.kept[i] = _Node(_row(op), i, operands)

    def add(self, i: int, left: Any, right: Any) -> None:
        """Let an addition go on with the sum that its left operand is, if nothing else uses that one."""
        alone = type(left) is int and self.uses[left] == 1
        product = self.products.get(right) if type(right) is int else None
        if product is None:
            summands = self._take(self.sums, left) if alone and left in self.sums else [left]
            summands.append(right)
            self.sums[i] = summands
        else:
            if alone and left in self.dots:
                terms = self._take(self.dots, left)
            elif alone and left in self.products:
                terms = [[factor] for factor in self._take(self.products, left)]
            else:  # it begins with something else: a bias
                terms = [[], [], [left]]
            for factors, factor in zip(terms, self._take(self.products, right), strict=False):
                factors.append(factor)
            self.dots[i] = terms
        self.kept[i] = _Node((), i, [])  # its place; what it is will be known at the end

    def _take(self, under_way: dict[Any, Any], variable: Any) -> Any:
        del self.kept[variable]
        return under_way.pop(variable)

    def expand(self, i: int, op: Op, operands: tuple[Any, ...]) -> None:
        """Take a row of many operands as what it is; what a dot adds last is an addition of its own."""
        half = op.arity // 2
        if op.name == "sum":
            self.kept[i] = _Node(("sum", None, op.arity, False), i, [list(operands)])
            return
        if op.name == "take":
            self.kept[i] = _Node(("take", None, op.arity - 1, False), i, [list(operands[1:]), [operands[0]]])
            return
        variable = i
        if bias := list(operands[2 * half :]):
            self.extra += 1
            variable = -self.extra
        terms = [list(operands[:half]), list(operands[half : 2 * half])]
        self.kept[variable] = _Node(("dot", None, half, False), variable, terms)
        if bias:
            self.kept[i] = _Node(_row(add), i, (variable, *bias))

    def nodes(self) -> list[_Node]:
        """Return what is left, each after its operands."""
        found: list[_Node] = []
        for i, node in self.kept.items():
            if i in self.sums:
                summands = self.sums[i]
                if len(summands) == 2:
                    found.append(_Node(_row(add), i, summands))
                else:
                    found.append(_Node(("sum", None, len(summands), False), i, [summands]))
            elif i in self.dots:
                terms = self.dots[i]
                if len(terms[0]) > 1:
                    found.append(_Node(("dot", None, len(terms[0]), len(terms) > 2), i, terms))
                else:  # one product added to something is no dot
                    self.extra += 1
                    found.append(_Node(_row(mul), -self.extra, (*terms[0], *terms[1])))
                    found.append(_Node(_row(add), i, (*terms[2], -self.extra)))
            else:
                found.append(node)
        return found


@cache
def _row(op: Op) -> tuple[Any, ...]:
    """Return the key of a row's results, one object for all."""
    return "row", op, 1, False


def _uses(trace: Trace) -> list[int]:
    """Count the uses of each variable."""
    uses = [0] * (len(trace.inputs) + len(trace.equations))
    read = [x for equation in trace.equations for x in equation.operands]
    read += [*trace.outputs, *(x for branch in trace.branches for x in (branch.left, branch.right))]
    for x in read:
        if type(x) is int:
            uses[x] += 1
    return uses


def _arranged(kind: str, parts: list[Any]) -> list[tuple[Any, int, list[Access | None]]]:
    """Return a group's results in order, and what `_regular` finds; in several parts if dots are regular then.

    Those of several matrices at one level, such as queries, keys and values, are a product each, where
    gathering would copy the matrices.
    """
    whole = _regular(parts)
    if kind != "dot" or None not in whole[2]:
        return [whole]
    for factor in parts[:2]:
        firsts, member_of = np.unique(factor[:, 0], return_inverse=True)
        run_of = _runs(firsts)[member_of.ravel()]
        found = []
        for run in range(run_of.max() + 1 if run_of.max() < MOST else 0):
            chosen = np.flatnonzero(run_of == run)
            order, rows, accesses = _regular([part[chosen] for part in parts])
            found.append((chosen[order], rows, accesses))
        if found and not any(None in accesses for _, _, accesses in found):
            return found
    return [whole]


def _runs(addresses: Any) -> Any:
    """Return for each of some rising addresses the number of the run of equal steps that it is in."""
    runs = np.zeros(len(addresses), dtype=int)
    run, step = 0, 0
    for i in range(1, len(addresses)):
        before, step = step, int(addresses[i] - addresses[i - 1])
        if before and step != before:
            run, step = run + 1, 0
        runs[i] = run
    return runs


def _regular(parts: list[Any]) -> tuple[Any, int, list[Access | None]]:
    """Return an order of a group's results, its rows, and the operands' addresses, of which most are regular.

    The order in which they were made is tried, and those in which one operand after another moves on.
    """
    firsts = [part[:, 0] for part in parts]
    best: tuple[Any, int, list[Access | None]] | None = None
    for keys in (None, firsts, firsts[::-1]):
        order = np.arange(len(firsts[0])) if keys is None else np.lexsort(keys)
        sorted_parts = [part[order] for part in parts]
        rows = _rows(sorted_parts)
        found = [_access(part, rows) for part in sorted_parts]
        if best is None or found.count(None) < best[2].count(None):
            best = order, rows, found
        if not found.count(None):
            break
    assert best is not None
    return best


def _rows(parts: Sequence[Any]) -> int:
    """Return into how many rows a group's results fall so that all its operands' addresses are regular."""
    count = len(parts[0])
    breaks = {count}
    for part in parts:
        steps = np.diff(part[:, 0])
        changes = np.flatnonzero(steps != steps[0]) if steps.size else steps
        if changes.size:
            breaks.add(int(changes[0]) + 1)
    for width in sorted(breaks):
        if count % width == 0 and all(_access(part, count // width) is not None for part in parts):
            return count // width
    return 1


def _access(part: Any, rows: int) -> Access | None:
    """Return the regular address of an operand, None where there is none."""
    count, length = part.shape
    width = count // rows
    base = int(part[0, 0])
    along = int(part[0, 1]) - base if length > 1 else 0
    inner = int(part[1, 0]) - base if width > 1 else 0
    outer = int(part[width, 0]) - base if rows > 1 else 0
    r, c, j = np.ogrid[:rows, :width, :length]
    expected = base + outer * r + inner * c + along * j
    return Access(base, outer, inner, along) if (part.reshape(rows, width, length) == expected).all() else None
