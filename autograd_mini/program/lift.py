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

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np

from ..ops import Op, add, mul
from ..traces import Trace

__all__ = ["Access", "Instruction", "Program", "grid", "lift"]

ONE = np.zeros(1, dtype=int)
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
    def stops(self) -> frozenset[int]:
        """Return the places of the operands that no derivative goes to: see `Op.stops`."""
        if self.kind == "take":
            return frozenset([1])  # which one is taken
        return self.op.stops if self.op is not None else frozenset()

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
    slots: Any  # of each of the trace's variables its place, -1 of one that is gone
    equations: int


class _Key(NamedTuple):
    """What is the same in all results of one instruction."""

    kind: str
    op: Op | None
    length: int
    started: bool  # of a dot: with a number that its products are added to
    passing: bool = True  # whether a derivative of the trace's outputs reaches the results

    @property
    def stops(self) -> frozenset[int]:
        """Return the places of the operands that no derivative goes to."""
        return frozenset([self.length]) if self.kind == "take" else self.op.stops if self.op else frozenset()

    @property
    def cuts(self) -> Sequence[int]:
        """Return where operands begin and end: a row's each by itself, a dot's w, its x, and what it begins with."""
        n = self.length
        if self.op is not None:
            return range(self.op.arity + 1)
        return {"sum": (0, n), "take": (0, n, n + 1), "dot": (0, n, 2 * n, 2 * n + 1)[: 3 + self.started]}[self.kind]


class _Nodes(NamedTuple):
    """What is left of the equations after the folding of sums, in columns; the operands are one after the other."""

    keys: list[_Key]
    key: Any  # of each its number
    variable: Any
    width: Any  # how many operands it has
    operands: Any  # a variable or, below zero, a constant: see `Equations`
    size: int  # of a table of all variables, with all constants at its end


def lift(trace: Trace) -> Program:
    """Return the vector program of a trace.

    >>> from autograd_mini import trace
    >>> t = trace(lambda w, x: sum(a * b for a, b in zip(w, x)), [1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    >>> program = lift(t)
    >>> len(t.equations), [i.kind for i in program.instructions]
    (5, ['dot'])
    """
    n = len(trace.inputs)
    nodes, counts, early = _grouped(_apart(_folded(trace), trace))
    firsts = counts.cumsum() - counts
    numbers, widths = nodes.key[firsts], nodes.width[firsts]
    slots = np.full(nodes.size, -1)
    slots[:n] = np.arange(n)
    # Constants stand before the results: their number must be known before the first result's slot.
    used = _constants(nodes.operands, counts, widths)
    slots[~used] = np.arange(n, n + len(used))
    free = n + len(used)
    instructions: list[Instruction] = []
    start = 0
    columns = (column.tolist() for column in (firsts, counts, numbers, widths))
    for first, count, number, width in zip(*columns, strict=True):
        kind, op, length, *_ = nodes.keys[number]
        members = nodes.variable[first : first + count]
        places = slots[nodes.operands[start : start + count * width]].reshape(count, width)
        parts = [places[:, i:j] for i, j in pairwise(nodes.keys[number].cuts)]
        start += count * width
        for chosen, rows, found in _together(kind, parts, early[first : first + count]):
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
            slots[members[chosen]] = np.arange(free, free + len(chosen))
            free += len(chosen)
    constants = np.array(trace.equations.constants, dtype=float)[used]
    variables = slots[: n + len(trace.equations)].copy()
    return Program(trace.name, tuple(instructions), n, constants, free, variables, len(trace.equations))


def _apart(nodes: _Nodes, trace: Trace) -> _Nodes:
    """Return the nodes with other keys for those that no derivative of an output reaches.

    A branch alone asks for them, or what they lead to passes no derivative. They are instructions of their own, so
    that the way back leaves them out: their slopes may be infinite, and 0 times that is nan.
    """
    if not trace.branches and not any(key.stops for key in nodes.keys):
        return nodes
    reached = [False] * nodes.size
    for z in trace.outputs:
        if isinstance(z, int):
            reached[z] = True
    operands, end = nodes.operands.tolist(), len(nodes.operands)
    columns = zip(*(column[::-1].tolist() for column in (nodes.variable, nodes.key, nodes.width)), strict=True)
    for variable, key, width in columns:
        end -= width
        if reached[variable]:
            stops = nodes.keys[key].stops
            for k in range(width):
                if k not in stops:
                    reached[operands[end + k]] = True
    alone = ~np.array(reached)[nodes.variable]
    keys = [*nodes.keys, *(key._replace(passing=False) for key in nodes.keys)]
    return nodes._replace(keys=keys, key=nodes.key + len(nodes.keys) * alone)


def _grouped(nodes: _Nodes) -> tuple[_Nodes, Any, Any]:
    """Return nodes in the order of their instructions, how many each of these has, and the nodes' early levels.

    Those of an instruction have one level and one key; they stand in the order of their early levels.
    """
    early = _early(nodes)
    levels = _late(nodes, early)
    _, first, group, counts = np.unique(
        levels * len(nodes.keys) + nodes.key, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, levels[first]))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    chosen = np.lexsort((early, rank[group]))
    width = nodes.width[chosen]
    starts = nodes.width.cumsum() - nodes.width
    operands = nodes.operands[_runs_of(starts[chosen], width)]
    sorted_nodes = nodes._replace(
        key=nodes.key[chosen], variable=nodes.variable[chosen], width=width, operands=operands
    )
    return sorted_nodes, counts[order], early[chosen]


def _early(nodes: _Nodes) -> Any:
    """Return for each node the first level that is after those of its operands."""
    known = [0] * nodes.size  # of each variable; of inputs and constants it is 0
    read = map(known.__getitem__, nodes.operands.tolist())
    for variable, width in zip(nodes.variable.tolist(), nodes.width.tolist(), strict=True):
        known[variable] = 1 + max(islice(read, width))
    return np.array(known)[nodes.variable]


def _late(nodes: _Nodes, early: Any) -> Any:
    """Return levels where a shorter branch goes on beside the longer ones, as to its end.

    Nodes of one early level and one key, a group, move to the last level where others of that key are and
    nothing needs them before. But those must be taken by the same keys; and what one node takes, if it is no
    sum, are different operands, which stay apart.
    """
    order = np.lexsort((nodes.key, early))
    starts = np.flatnonzero(np.diff(early[order], prepend=-1) | np.diff(nodes.key[order], prepend=-1))
    if len(starts) == len(order):  # nothing is beside anything else
        return early
    levels, keys = early[order[starts]].tolist(), nodes.key[order[starts]].tolist()
    group = np.empty(len(order), dtype=int)
    group[order] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(order)))
    after, taking, takers_of = _takers(nodes, group, len(starts))
    there: dict[Any, list[int]] = {}  # of a role the levels, below zero, the last one first
    first: dict[Any, int] = {}  # of a role and a level the group that is there without having moved
    taken: dict[Any, set[int]] = {}  # and what takes all that are there, once somebody asks
    end = max(levels) + 1
    for g in range(len(starts) - 1, -1, -1):
        role = keys[g], frozenset(taking[g])
        latest = min([levels[h] for h in after[g]], default=end) - 1
        alike = there.setdefault(role, [])
        at = bisect_left(alike, -latest)
        if at < len(alike):
            place = role, -alike[at]
            if place not in taken:
                taken[place] = takers_of(first[place])
            mine = takers_of(g)
            if mine.isdisjoint(taken[place]):
                taken[place] |= mine
                levels[g] = place[1]
                continue
        alike.append(-levels[g])
        first[role, levels[g]] = g
    return np.array(levels)[group]


def _takers(nodes: _Nodes, group: Any, count: int) -> tuple[list[set[int]], list[set[int]], Callable[[int], set[int]]]:
    """Return for each group which groups and keys take its results, and how to find which nodes do, but for sums."""
    n = len(group)
    made = np.full(nodes.size, -1)  # the group that makes a variable
    made[nodes.variable] = group
    made, taker = made[nodes.operands], np.repeat(np.arange(n), nodes.width)
    made, taker = made[made >= 0], taker[made >= 0]

    def sets(of_taker: Any) -> list[set[int]]:
        found: list[set[int]] = [set() for _ in range(count)]
        pairs = np.divmod(np.unique(made * n + of_taker[taker]), n)
        for g, by in zip(*(column.tolist() for column in pairs), strict=True):
            found[g].add(by)
        return found

    others = ~np.array([key.kind == "sum" for key in nodes.keys])[nodes.key[taker]]
    sort = np.argsort(made[others], kind="stable")
    bounds, takers = np.searchsorted(made[others][sort], np.arange(count + 1)), taker[others][sort]
    return sets(group), sets(nodes.key), lambda g: set(takers[bounds[g] : bounds[g + 1]].tolist())


def _constants(operands: Any, counts: Any, widths: Any) -> Any:
    """Return which constants are used: operand by operand of each group, so that what differs along a run is a run."""
    places = np.flatnonzero(operands < 0)
    starts = (counts * widths).cumsum() - counts * widths
    group = np.searchsorted(starts, places, side="right") - 1
    member, operand = np.divmod(places - starts[group], widths[group])
    order = np.argsort(starts[group] + operand * counts[group] + member)
    met = ~operands[places[order]]
    return met[np.sort(np.unique(met, return_index=True)[1])]


def _runs_of(starts: Any, lengths: Any) -> Any:
    """Return the numbers from each start on, as many as its length, one after the other."""
    return np.repeat(starts - (lengths.cumsum() - lengths), lengths) + np.arange(lengths.sum())


def _folded(trace: Trace) -> _Nodes:
    """Return the equations, with sums of products that nothing else uses as dots, and long sums as sums."""
    folding = _Folding(trace)
    return folding.nodes(_Chains(folding, trace.ends))


class _Folding:
    """A node for each equation, in columns, and behind them those of new variables: dots without what they add last."""

    def __init__(self, trace: Trace) -> None:
        equations = trace.by_rows().equations
        self.n, self.count = len(trace.inputs), len(equations)
        self.rows = (*equations.rows, *[add] * (add not in equations.rows))
        self.kinds = [*self.rows, "sum", "take", "dot"]
        self.code = np.array(equations.codes, dtype=int)
        self.arity = np.array([op.arity for op in self.rows])[self.code]
        self.start = self.arity.cumsum() - self.arity
        self.end = self.start + self.arity - 1
        # A row of many operands is what it is; which one is taken comes last.
        names = [op.name if op.composed is not None else op for op in self.rows]
        self.operands = np.array(equations.operands, dtype=int)
        takes = np.array([name == "take" for name in names])[self.code]
        if takes.any():
            moved, taken = np.flatnonzero(np.repeat(takes, self.arity)), self.operands[self.start[takes]]
            self.operands[moved[:-1]] = self.operands[moved[1:]]
            self.operands[self.end[takes]] = taken
        # But what a dot adds last is an addition of its own, of a new variable.
        odd = [name == "dot" and op.arity % 2 == 1 for name, op in zip(names, self.rows, strict=True)]
        self.biased = np.flatnonzero(np.array(odd)[self.code])
        code = np.concatenate([self.code, self.code[self.biased]])
        self.variable = self.n + np.arange(len(code))
        self.size = self.n + len(code) + len(equations.constants)
        self.kind = np.array([self.kinds.index(name) for name in names])[code]
        terms = {"sum": lambda n: n, "take": lambda n: n - 1, "dot": lambda n: n // 2}
        self.length = np.array([terms[op.name](op.arity) if op.composed is not None else 1 for op in self.rows])[code]
        self.width = np.concatenate([self.arity, self.arity[self.biased] - 1])
        self.kind[self.biased], self.length[self.biased], self.width[self.biased] = self.kinds.index(add), 1, 2
        self.started = np.zeros(len(code), dtype=bool)
        self.order = np.concatenate([2 * np.arange(self.count) + 1, 2 * self.biased])
        self.kept = np.ones(len(code), dtype=bool)

    def made_by(self, op: Op) -> Any:
        """Return the equations of a row."""
        return np.flatnonzero(self.code == self.kinds.index(op)) if op in self.rows else np.empty(0, dtype=int)

    def nodes(self, chains: _Chains) -> _Nodes:
        """Return the nodes that are left, each after its operands."""
        chains.fold(self)
        nodes = np.flatnonzero(self.kept)
        nodes = nodes[np.argsort(self.order[nodes], kind="stable")]
        first = np.zeros(len(self.kept), dtype=int)
        first[nodes] = self.width[nodes].cumsum() - self.width[nodes]
        found = np.empty(self.width[nodes].sum(), dtype=int)

        into, number = first[: self.count].copy(), self.arity.copy()
        into[self.biased], number[self.biased] = first[self.count :], number[self.biased] - 1
        copied = self.kept[: self.count].copy()
        copied[chains.added] = False
        places = _runs_of(self.start[copied], number[copied])
        found[_runs_of(into[copied], number[copied])] = self.operands[places]
        found[first[self.biased]] = self.variable[self.count :]
        found[first[self.biased] + 1] = self.operands[self.end[self.biased]]
        chains.write(self, first, found)

        sign = (self.kind + len(self.kinds) * self.length)[nodes] * 2 + self.started[nodes]
        _, example, key = np.unique(sign, return_index=True, return_inverse=True)
        keys = [self._key(k) for k in nodes[example]]
        return _Nodes(keys, key, self.variable[nodes], self.width[nodes], found, self.size)

    def _key(self, node: int) -> _Key:
        kind: Any = self.kinds[self.kind[node]]
        if isinstance(kind, Op):
            return _Key("row", kind, 1, False)
        return _Key(kind, None, int(self.length[node]), bool(self.started[node]))


class _Chains:
    """Additions, in columns: one goes on with that which is its left operand, if nothing else uses it.

    Those of a chain all add products that nothing else uses, or none does. A chain of products is a dot; it
    begins with two of them, or with something else: a bias.
    """

    def __init__(self, equations: _Folding, ends: list[int]) -> None:
        n, operands, size = equations.n, equations.operands, equations.size
        self.added = equations.made_by(add)
        start = equations.start[self.added]
        self.left, self.right = operands[start], operands[start + 1]
        uses = np.bincount(np.concatenate([operands[operands >= 0], np.array(ends, dtype=int)]), minlength=size)
        product = np.zeros(size, dtype=bool)
        product[n + equations.made_by(mul)] = True
        product &= uses == 1
        self.dotted = product[self.right]
        self.begun = self.dotted & product[self.left]
        every = np.arange(len(self.added))
        place, sort = np.zeros(size, dtype=int), np.zeros(size, dtype=np.int8)
        place[n + self.added], sort[n + self.added] = every, 1 + self.dotted
        linked = (uses[self.left] == 1) & (sort[self.left] == 1 + self.dotted)
        before = place[self.left]
        head, self.rank = _chained(np.where(linked, before, every))
        self.first, self.last = ~linked, np.ones(len(every), dtype=bool)
        self.last[before[linked]] = False
        whole = np.empty_like(every)  # of a head the addition that ends the chain
        whole[head[self.last]] = every[self.last]
        whole = whole[head]
        self.whole = self.added[whole]
        self.begun_there = self.begun[head]
        self.terms = self.rank[whole] + 1 + (self.begun_there | ~self.dotted)
        self.single = self.terms == 1  # one product added to something is no dot
        self.terms[self.single] = 2
        self.dotted &= ~self.single

    def fold(self, equations: _Folding) -> None:
        """Make one node of each chain: where its last addition is."""
        n, kinds, added = equations.n, equations.kinds, self.added
        summed = ~self.dotted & (self.terms > 2)
        equations.kind[added[self.dotted]], equations.kind[added[summed]] = kinds.index("dot"), kinds.index("sum")
        equations.started[added] = started = self.dotted & ~self.begun_there
        equations.length[added] = np.where(self.dotted | summed, self.terms, 1)
        equations.width[added] = np.where(self.dotted, 2 * self.terms + started, self.terms)
        equations.kept[added] = self.last
        equations.kept[self.right[self.dotted] - n] = equations.kept[self.left[self.begun] - n] = False
        equations.order[self.right[self.single] - n] = 2 * added[self.single]  # just before it is added

    def write(self, equations: _Folding, first: Any, found: Any) -> None:
        """Put the operands of chains in their places, which begin at the first of each node."""
        to, dotted, summed = first[self.whole], self.dotted, ~self.dotted
        found[(to + 1 + self.rank)[summed]] = self.right[summed]
        found[to[summed & self.first]] = self.left[summed & self.first]
        positions = to + self.rank + self.begun_there
        for some, products, at in ((dotted, self.right, positions), (self.begun, self.left, to)):
            factors = equations.start[products[some] - equations.n]
            found[at[some]] = equations.operands[factors]
            found[(at + self.terms)[some]] = equations.operands[factors + 1]
        begins = dotted & ~self.begun & self.first
        found[(to + 2 * self.terms)[begins]] = self.left[begins]


def _chained(before: Any) -> tuple[Any, Any]:
    """Return the head of each one's chain, and its rank there; before a head there is itself."""
    rank = (before != np.arange(len(before))).astype(int)
    while (before[before] != before).any():
        rank += rank[before]  # doubles what is known of each, so that a chain may be long
        before = before[before]
    return before, rank


_Arranged = list[tuple[Any, int, list["Access | None"]]]  # results in order, in how many rows, and their operands


def _together(kind: str, parts: list[Any], early: Any) -> _Arranged:
    """Return what `_arranged` finds; by their early levels where less has to be gathered then."""
    whole = _arranged(kind, parts)
    if early[0] == early[-1] or not _gathered(whole, parts):
        return whole
    apart: _Arranged = []
    for some in np.split(np.arange(len(early)), np.flatnonzero(np.diff(early)) + 1):
        for chosen, rows, accesses in _arranged(kind, [part[some] for part in parts]):
            apart.append((some[chosen], rows, accesses))
    return min(whole, apart, key=lambda found: _gathered(found, parts))


def _gathered(arranged: _Arranged, parts: list[Any]) -> int:
    """Return how many numbers have to be copied first."""
    return sum(
        len(chosen) * part.shape[1]
        for chosen, _, found in arranged
        for part, access in zip(parts, found, strict=True)
        if access is None
    )


def _arranged(kind: str, parts: list[Any]) -> _Arranged:
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
    if len(parts[0]) == 1:  # in a deep graph there are many
        return ONE, 1, [_line(part[0].tolist()) for part in parts]
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


def _line(places: list[int]) -> Access | None:
    """Return the regular address of one result's operand, None where there is none."""
    base = places[0]
    along = places[1] - base if len(places) > 1 else 0
    regular = len(places) < 3 or places == [base + along * j for j in range(len(places))]
    return Access(base, 0, 0, along) if regular else None


def grid(rows: int, columns: int, terms: int) -> tuple[Any, Any, Any]:
    """Return the numbers of rows, of columns and of terms, as arrays that broadcast (`np.ogrid` takes longer)."""
    return np.arange(rows)[:, None, None], np.arange(columns)[:, None], np.arange(terms)


def _access(part: Any, rows: int) -> Access | None:
    """Return the regular address of an operand, None where there is none."""
    count, length = part.shape
    width = count // rows
    base = int(part[0, 0])
    along = int(part[0, 1]) - base if length > 1 else 0
    inner = int(part[1, 0]) - base if width > 1 else 0
    outer = int(part[width, 0]) - base if rows > 1 else 0
    r, c, j = grid(rows, width, length)
    expected = base + outer * r + inner * c + along * j
    return Access(base, outer, inner, along) if (part.reshape(rows, width, length) == expected).all() else None
