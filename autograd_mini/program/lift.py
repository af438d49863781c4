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
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np

from ..ops import Op, add, mul
from ..trace import Trace

__all__ = ["Access", "Instruction", "Program", "lift"]

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
    def count(self) -> int:
        """Return the number of results."""
        return self.rows * self.columns


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

    @property
    def cuts(self) -> Sequence[int]:
        """Return where its operands begin and end: a row's each by itself, a dot's w, its x, and what it begins with."""
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
    nodes, counts = _grouped(_folded(trace))
    slots = np.full(nodes.size, -1)
    slots[:n] = np.arange(n)
    # Constants stand before the results: their number must be known before the first result's slot.
    used = _constants(nodes, counts)
    slots[~used] = np.arange(n, n + len(used))
    free = n + len(used)
    instructions: list[Instruction] = []
    first = start = 0  # of a group its first result and operand
    for count, number, width in zip(counts.tolist(), *_of_groups(nodes, counts), strict=True):
        kind, op, length, _ = nodes.keys[number]
        members = nodes.variable[first : first + count]
        places = slots[nodes.operands[start : start + count * width]].reshape(count, width)
        parts = [places[:, i:j] for i, j in pairwise(nodes.keys[number].cuts)]
        first, start = first + count, start + count * width
        for chosen, rows, found in _arranged(kind, parts):
            accesses = []
            for part, regular in zip(parts, found, strict=True):
                access = regular
                if access is None:
                    flat = part[chosen].ravel()
                    instructions.append(Instruction("gather", None, free, 1, flat.size, 1, (), flat))
                    terms = part.shape[1]
                    access = Access(free, len(chosen) // rows * terms, terms, 1)
                    free += flat.size
                accesses.append(access)
            if kind == "dot" and accesses[0].inner == 0 != accesses[1].inner:
                accesses[:2] = accesses[1::-1]  # a product may be turned: the second factor is the shared one
            instructions.append(Instruction(kind, op, free, rows, len(chosen) // rows, length, tuple(accesses)))
            slots[members[chosen]] = np.arange(free, free + len(chosen))
            free += len(chosen)
    numbers = np.array(trace.equations.constants, dtype=float)[used]
    variables = slots[: n + len(trace.equations)].copy()
    return Program(trace.name, tuple(instructions), n, numbers, free, variables, len(trace.equations))


def _of_groups(nodes: _Nodes, counts: Any) -> tuple[list[int], list[int]]:
    """Return the number of each group's key, and how many operands each of its results has."""
    firsts = counts.cumsum() - counts
    return nodes.key[firsts].tolist(), nodes.width[firsts].tolist()


def _grouped(nodes: _Nodes) -> tuple[_Nodes, Any]:
    """Return nodes in the order of their instructions, and how many each of these has: of one level and one key."""
    known = [0] * nodes.size  # the level of each variable; of inputs and constants it is 0
    read = map(known.__getitem__, nodes.operands.tolist())
    for variable, width in zip(nodes.variable.tolist(), nodes.width.tolist(), strict=True):
        known[variable] = 1 + max(islice(read, width))
    levels = np.array(known)[nodes.variable]
    _, first, group, counts = np.unique(
        levels * len(nodes.keys) + nodes.key, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, levels[first]))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    chosen = np.argsort(rank[group], kind="stable")
    width = nodes.width[chosen]
    starts = nodes.width.cumsum() - nodes.width
    operands = nodes.operands[_runs_of(starts[chosen], width)]
    sorted_nodes = nodes._replace(
        key=nodes.key[chosen], variable=nodes.variable[chosen], width=width, operands=operands
    )
    return sorted_nodes, counts[order]


def _constants(nodes: _Nodes, counts: Any) -> Any:
    """Return which constants are used: operand by operand of each group, so that what differs along a run is a run."""
    places = np.flatnonzero(nodes.operands < 0)
    width = np.array(_of_groups(nodes, counts)[1], dtype=int)
    starts = (counts * width).cumsum() - counts * width
    group = np.searchsorted(starts, places, side="right") - 1
    member, operand = np.divmod(places - starts[group], width[group])
    order = np.argsort(starts[group] + operand * counts[group] + member)
    met = ~nodes.operands[places[order]]
    return met[np.sort(np.unique(met, return_index=True)[1])]


def _runs_of(starts: Any, lengths: Any) -> Any:
    """Return the numbers from each start on, as many as its length, one after the other."""
    return np.repeat(starts - (lengths.cumsum() - lengths), lengths) + np.arange(lengths.sum())


def _folded(trace: Trace) -> _Nodes:
    """Return the equations, with sums of products that nothing else uses as dots, and long sums as sums.

    An addition goes on with the one that its left operand is, if nothing else uses that: they are a chain.
    """
    equations, n, count = trace.equations, len(trace.inputs), len(trace.equations)
    rows = (*equations.rows, *[add] * (add not in equations.rows))
    code, operands = np.array(equations.codes, dtype=int), np.array(equations.operands, dtype=int)
    arity = np.array([op.arity for op in rows])[code]
    start = arity.cumsum() - arity
    end = start + arity - 1

    # A row of many operands is what it is; but what a dot adds last is an addition of its own, of a new variable.
    names = [op.name if op.composed is not None else op for op in rows]
    kinds: list[Any] = [*rows, "sum", "take", "dot"]
    terms = {"sum": lambda n: n, "take": lambda n: n - 1, "dot": lambda n: n // 2}
    takes = np.array([name == "take" for name in names])[code]
    ending = np.array([name == "dot" and op.arity % 2 == 1 for name, op in zip(names, rows, strict=True)])[code]
    if takes.any():  # which one is taken comes last
        moved, taken = np.flatnonzero(np.repeat(takes, arity)), operands[start[takes]]
        operands[moved[:-1]] = operands[moved[1:]]
        operands[end[takes]] = taken
    biased = np.flatnonzero(ending)
    variable = np.concatenate([n + np.arange(count), n + count + np.arange(len(biased))])
    size = n + len(variable) + len(equations.constants)
    columns = np.concatenate([code, code[biased]])
    kind = np.array([kinds.index(name) for name in names])[columns]
    length = np.array([terms[op.name](op.arity) if op.composed is not None else 1 for op in rows])[columns]
    started = np.zeros(len(columns), dtype=bool)
    width = np.concatenate([arity, arity[biased] - 1])
    kind[biased], length[biased], width[biased] = kinds.index(add), 1, 2
    order = np.concatenate([2 * np.arange(count) + 1, 2 * biased])
    kept = np.ones(len(columns), dtype=bool)

    # Chains of additions: of products, each used here alone, or of anything.
    read = np.concatenate([operands[operands >= 0], np.array(trace.ends, dtype=int)])
    uses = np.bincount(read, minlength=size)
    product = np.zeros(size, dtype=bool)
    product[n : n + count] = code == kinds.index(mul) if mul in rows else False
    product &= uses == 1
    added = np.flatnonzero(code == kinds.index(add))
    left, right = operands[start[added]], operands[start[added] + 1]
    dotted = product[right]
    begun = dotted & product[left]  # by two products; other dots begin with something else, a bias
    place, sort = np.zeros(size, dtype=int), np.zeros(size, dtype=np.int8)
    place[n + added], sort[n + added] = np.arange(len(added)), 1 + dotted
    linked = (uses[left] == 1) & (sort[left] == 1 + dotted)
    head, rank = _chained(np.where(linked, place[left], np.arange(len(added))))
    last = np.ones(len(added), dtype=bool)
    last[place[left[linked]]] = False
    whole = np.empty_like(added)  # of each addition the one that ends the chain
    whole[head[last]] = np.flatnonzero(last)
    whole = whole[head]
    summed = rank[whole] + 1 + (begun[head] | ~dotted)
    single = summed == 1  # one product added to something is no dot
    dotted, summed, biased_chain = dotted & ~single, summed + single, dotted & ~single & ~begun[head]
    kept[added] = last
    kept[right[dotted] - n] = kept[left[begun] - n] = False
    order[right[single] - n] = 2 * added[single]
    kind[added[dotted]], kind[added[~dotted & (summed > 2)]] = kinds.index("dot"), kinds.index("sum")
    length[added] = np.where(dotted | (summed > 2), summed, 1)
    started[added] = biased_chain
    width[added] = np.where(dotted, 2 * summed + biased_chain, summed)

    nodes = np.flatnonzero(kept)
    nodes = nodes[np.argsort(order[nodes], kind="stable")]
    first = np.zeros(len(kept), dtype=int)
    first[nodes] = width[nodes].cumsum() - width[nodes]
    found = np.empty(width[nodes].sum(), dtype=int)

    into = np.arange(count)
    into[biased] = count + np.arange(len(biased))
    copied = kept[:count].copy()
    copied[added] = False
    chosen = np.repeat(copied, arity)
    chosen[end[biased]] = False
    source = np.flatnonzero(chosen)
    found[source + np.repeat((first[into] - start)[copied], (arity - ending)[copied])] = operands[source]
    found[first[biased]], found[first[biased] + 1] = variable[count:], operands[end[biased]]

    to = first[added[whole]]
    found[(to + rank + 1)[~dotted]] = right[~dotted]
    begins = ~dotted & ~linked
    found[to[begins]] = left[begins]
    for some, factors, position in ((dotted, right, to + rank + begun[head]), (begun, left, to)):
        made = start[factors[some] - n]
        found[position[some]], found[(position + summed)[some]] = operands[made], operands[made + 1]
    begins = biased_chain & ~linked
    found[(to + 2 * summed)[begins]] = left[begins]

    sign = (kind + len(kinds) * length)[nodes] * 2 + started[nodes]
    _, example, key = np.unique(sign, return_index=True, return_inverse=True)
    keys = [
        _Key("row", kinds[kind[k]], 1, False)
        if kind[k] < len(rows)
        else _Key(kinds[kind[k]], None, int(length[k]), bool(started[k]))
        for k in nodes[example]
    ]
    return _Nodes(keys, key, variable[nodes], width[nodes], found, size)


def _chained(before: Any) -> tuple[Any, Any]:
    """Return the head of each one's chain, and its rank there; before a head there is itself."""
    rank = (before != np.arange(len(before))).astype(int)
    while (before[before] != before).any():
        rank += rank[before]  # doubles what is known of each, so that a chain may be long
        before = before[before]
    return before, rank


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
