r"""The nodes of a graph in columns, and the passes that prepare them for instructions.

This module owns the passes that find sums and dots. Each is a function from columns to columns, and `lift` runs the
passes in order. This module knows additions, products and the rows of many operands. It must not know how addresses are
found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypeAlias

import numpy as np

from ..ops import Op, add, mul
from ..traces import Trace
from .scan_rows import Result, Scan, ScanRow

if TYPE_CHECKING:
    from numpy.typing import NDArray  # the import takes long


Ints: TypeAlias = "NDArray[np.int64]"


class Kind(NamedTuple):
    """The kind of a node: nodes of one kind and one level become one instruction."""

    name: str  # "row", "dot", "sum", "take", "scan" or "result"
    op: Op | None = None  # the row of the table, if the name is "row"
    length: int = 1  # the number of terms
    started: bool = False  # whether a dot's products are added to a number
    passing: bool = True  # whether a derivative of the trace's outputs reaches the results
    scan: Scan | None = None

    @property
    def stops(self) -> frozenset[int]:
        """Return the places of the operands that no derivative goes to."""
        if self.name in ("take", "scan"):
            return frozenset([1 if self.name == "take" else 3])
        return self.op.stops if self.op else frozenset()

    @property
    def cuts(self) -> Sequence[int]:
        """Return the bounds of the operands: one each for a row; w, x and perhaps the first number for a dot."""
        n = self.length
        if self.scan is not None:
            return list(accumulate(self.scan.lengths, initial=0))
        if self.op is not None:
            return range(len(self.op.rules) + 1)
        return {"sum": (0, n), "take": (0, n, n + 1), "dot": (0, n, 2 * n, 2 * n + 1)[: 3 + self.started]}[self.name]

    def __str__(self) -> str:
        return self.op.name if self.op is not None else self.name


@dataclass(frozen=True)
class Columns:
    """Nodes in columns, each after its operands. `print` shows one node on each line.

    An operand x is a variable, or, if it is negative, the constant `constants[~x]`. So `table[x]` works for both in a
    table of all variables with the constants, in reverse order, at its end.
    """

    kinds: tuple[Kind, ...]  # each kind once
    kind: Ints  # for each node, the place of its kind in `kinds`
    variable: Ints  # for each node, the variable that it computes
    start: Ints  # for each node, the place of its first operand in `operands`
    width: Ints  # for each node, the number of its operands
    operands: Ints  # the operands of all nodes, in any order
    size: int  # the length of a table of all variables and constants
    per_node: ClassVar[tuple[str, ...]] = ("kind", "variable", "start", "width")

    def __len__(self) -> int:
        return len(self.kind)

    def __str__(self) -> str:
        """Write one node on each line; constant k is written as ck."""
        lines = []
        for kind, variable, start, width in zip(self.kind, self.variable, self.start, self.width, strict=True):
            names = [f"v{x}" if x >= 0 else f"c{~x}" for x in self.operands[start : start + width].tolist()]
            lines.append(f"v{variable} = {self.kinds[kind]}({', '.join(names)})")
        return "\n".join(lines)

    def chosen(self, nodes: Ints) -> Self:
        """Return some of the nodes, in a given order."""
        return replace(self, **{name: getattr(self, name)[nodes] for name in self.per_node})

    def doing(self, *kinds: Kind) -> Ints:
        """Return the nodes of some kinds."""
        return np.flatnonzero(np.isin(self.kind, [k for k, kind in enumerate(self.kinds) if kind in kinds]))

    def with_each_kind_once(self) -> Columns:
        """Return the columns with each kind that a node has only once in `kinds`."""
        used = np.flatnonzero(np.bincount(self.kind)).tolist()
        places: dict[Kind, int] = {}
        number = np.zeros(len(self.kinds), dtype=np.int64)
        number[used] = [places.setdefault(self.kinds[k], len(places)) for k in used]
        return replace(self, kinds=tuple(places), kind=number[self.kind])

    @property
    def owner(self) -> Ints:
        """Return for each operand in `read` the node that reads it."""
        return np.repeat(np.arange(len(self)), self.width)

    @property
    def read(self) -> Ints:
        """Return the operands of all nodes, one after the other."""
        return self.operands[_runs(self.start, self.width)]

    @property
    def maker(self) -> Ints:
        """Return for each variable the node that computes it, -1 for inputs and constants."""
        maker = np.full(self.size, -1)
        maker[self.variable] = np.arange(len(self))
        return maker


def columns_of(trace: Trace) -> Columns:
    """Return the equations in columns, with rows of the table in place of their limits.

    >>> from autograd_mini import trace
    >>> print(columns_of(trace(lambda x, y: (x + 2.0) * y, 3.0, 4.0)))
    v2 = add(v0, c0)
    v3 = mul(v2, v1)
    """
    n, equations = len(trace.inputs), trace.by_rows().equations
    kind = np.array(equations.codes, dtype=np.int64)
    width = np.array(equations.arities, dtype=np.int64)
    return Columns(
        kinds=tuple([Kind("row", op) for op in equations.rows]),
        kind=kind,
        variable=n + np.arange(len(kind)),
        start=width.cumsum() - width,
        width=width,
        operands=np.array(equations.operands, dtype=np.int64),
        size=n + len(kind) + len(equations.constants),
    )


def set_scans(nodes: Columns) -> Columns:
    """Return the columns with loops as scans; a node for a loop's result loses its operand with the result's number."""
    kinds, width = list(nodes.kinds), nodes.width
    for k, kind in enumerate(nodes.kinds):
        op = kind.op
        if isinstance(op, ScanRow):
            kinds[k] = Kind("scan", scan=op.scan)
        elif isinstance(op, Result):
            kinds[k] = Kind("result")
            width = np.where(nodes.kind == k, 1, width)
    return replace(nodes, kinds=tuple(kinds), width=width)


def fold_sums(nodes: Columns, ends: Sequence[int]) -> Columns:
    """Return the columns with each sum of products as a dot, and each other long sum as a sum.

    A product becomes part of a dot if nothing else uses it. A dot begins with two products, or with another number,
    such as a bias; this number is then its last operand.

    >>> from autograd_mini import trace
    >>> t = trace(lambda a, b, c: [a + b * c + c * c, a + b + c], 1.0, 2.0, 3.0)
    >>> print(fold_sums(columns_of(t), t.ends))
    v6 = dot(v1, v2, v2, v2, v0)
    v8 = sum(v0, v1, v2)

    Args:
        ends: the variables that are used outside of the nodes; a variable stands here once for each use.
    """
    added, maker = nodes.doing(Kind("row", add)), nodes.maker
    chains = _chains(nodes, added, ends)
    dotted, begun, terms = chains.dotted, chains.begun, chains.terms
    summed = ~dotted & (terms > 2)
    started = dotted & ~chains.begun_there
    made = np.flatnonzero((dotted | summed) & chains.last)  # the additions that become a dot or a sum
    width = (np.where(dotted, 2 * terms, terms) + started)[made]
    start = np.zeros(len(added), dtype=np.int64)
    start[made] = width.cumsum() - width
    found = np.empty(width.sum(), dtype=np.int64)

    def put(some: Any, place: Any, operands: Ints) -> None:
        """Write operands of some additions to their places in the dot or sum of their chain."""
        found[(start[chains.whole] + place)[some]] = operands

    put(summed & chains.first, 0, chains.left[summed & chains.first])
    put(summed, 1 + chains.rank, chains.right[summed])
    for some, products, place in ((begun, chains.left, 0), (dotted, chains.right, chains.rank + chains.begun_there)):
        factors = nodes.start[maker[products[some]]]
        put(some, place, nodes.operands[factors])
        put(some, place + terms, nodes.operands[factors + 1])
    put(started & chains.first, 2 * terms, chains.left[started & chains.first])

    sign, _, number = distinct(4 * terms[made] + 2 * started[made] + dotted[made])
    kinds = [Kind("dot" if k & 1 else "sum", None, k >> 2, bool(k & 2)) for k in sign.tolist()]
    columns = {name: getattr(nodes, name).copy() for name in ("kind", "start", "width")}
    columns["kind"][added[made]] = len(nodes.kinds) + number
    columns["start"][added[made]] = len(nodes.operands) + start[made]
    columns["width"][added[made]] = width
    kept = np.ones(len(nodes), dtype=bool)
    kept[added] = chains.last
    kept[maker[chains.right[dotted]]] = kept[maker[chains.left[begun]]] = False
    order = 2 * np.arange(len(nodes)) + 1
    order[maker[chains.right[chains.single]]] = 2 * added[chains.single]  # just before the product's addition
    left = np.flatnonzero(kept)
    operands = np.concatenate([nodes.operands, found])
    folded = replace(nodes, kinds=(*nodes.kinds, *kinds), operands=operands, **columns)
    return folded.chosen(left[np.argsort(order[left], kind="stable")])


class _Chains(NamedTuple):
    """Chains of additions, in columns: the left operand of an addition belongs to its chain if nothing else uses it.

    Either all additions of a chain add a product that nothing else uses, or none of them does.
    """

    left: Ints
    right: Ints
    dotted: Any  # whether the addition adds a product, and its chain is a dot
    begun: Any  # whether the addition begins a dot with two products
    begun_there: Any  # whether the addition's chain begins so
    single: Any  # whether the addition adds a single product to a number; this is no dot
    first: Any
    last: Any
    rank: Ints  # the number of additions before it in the chain
    whole: Ints  # the last addition of the chain
    terms: Ints  # the number of terms of the chain


def _chains(nodes: Columns, added: Ints, ends: Sequence[int]) -> _Chains:
    """Return the chains that some additions form."""
    left, right = (nodes.operands[nodes.start[added] + k] for k in (0, 1))
    used = nodes.read
    uses = np.bincount(np.concatenate([used[used >= 0], np.array(ends, dtype=np.int64)]), minlength=nodes.size)
    product = np.zeros(nodes.size, dtype=bool)
    product[nodes.variable[nodes.doing(Kind("row", mul))]] = True
    product &= uses == 1
    dotted = product[right]
    begun = dotted & product[left]
    every = np.arange(len(added))
    place, sort = np.zeros(nodes.size, dtype=np.int64), np.zeros(nodes.size, dtype=np.int8)
    place[nodes.variable[added]], sort[nodes.variable[added]] = every, 1 + dotted
    linked = (uses[left] == 1) & (sort[left] == 1 + dotted)
    before = place[left]
    head, rank = _ranked(np.where(linked, before, every))
    last = np.ones(len(added), dtype=bool)
    last[before[linked]] = False
    whole = np.empty_like(every)  # for a head, the last addition of its chain
    whole[head[last]] = every[last]
    whole = whole[head]
    terms = rank[whole] + 1 + (begun[head] | ~dotted)
    single = terms == 1
    terms[single] = 2
    return _Chains(left, right, dotted & ~single, begun, begun[head], single, ~linked, last, rank, whole, terms)


def _ranked(before: Ints) -> tuple[Ints, Ints]:
    """Return for each item the head of its chain and its rank in it; `before` of a head is the head itself."""
    rank = (before != np.arange(len(before))).astype(np.int64)
    while (before[before] != before).any():
        rank += rank[before]  # each turn doubles the known ranks, so long chains take few turns
        before = before[before]
    return before, rank


def split_wide_rows(nodes: Columns) -> Columns:
    """Return the columns with rows of many operands as sums, dots and takes.

    The index of a take is its last operand. A dot's bias becomes an addition of its own, because it is added last.

    >>> from autograd_mini import dot, take, trace
    >>> print(split_wide_rows(columns_of(trace(lambda a, b, k: dot([a, b], [b, b], take([a, b], k)), 1.0, 2.0, 0.0))))
    v3 = take(v0, v1, v2)
    v5 = dot(v0, v1, v1, v1)
    v4 = add(v5, v3)
    """
    wide = np.array([kind.op is not None and kind.op.arity is None for kind in nodes.kinds])
    if not wide.any():
        return nodes
    if not len(nodes):  # only kinds are left, as of a loop's body whose carry never changes
        return nodes.with_each_kind_once()
    terms = {"sum": lambda n: n, "take": lambda n: n - 1, "dot": lambda n: n // 2}
    many = np.flatnonzero(wide[nodes.kind])
    code, _, number = distinct(nodes.width[many] * len(nodes.kinds) + nodes.kind[many])
    found = [(str(nodes.kinds[k]), n) for n, k in (divmod(x, len(nodes.kinds)) for x in code.tolist())]
    takes = many[np.array([name == "take" for name, _ in found], dtype=bool)[number]]
    biased = many[np.array([name == "dot" and n % 2 == 1 for name, n in found], dtype=bool)[number]]
    kinds, kind = [*nodes.kinds, Kind("row", add)], nodes.kind.copy()
    kind[many] = len(kinds) + number
    kinds += [Kind(name, None, terms[name](n)) for name, n in found]
    operands, last = nodes.operands.copy(), nodes.start + nodes.width - 1
    moved = _runs(nodes.start[takes], nodes.width[takes])
    operands[moved[:-1]] = nodes.operands[moved[1:]]
    operands[last[takes]] = nodes.operands[nodes.start[takes]]
    # A dot with a bias becomes two nodes: a dot with a new variable, and the addition of its bias.
    new = nodes.variable.max() + 1 + np.arange(len(biased))
    pairs = np.stack([new, operands[last[biased]]], axis=1).ravel()
    split = replace(
        nodes, kinds=tuple(kinds), kind=kind, operands=np.concatenate([operands, pairs]), size=nodes.size + len(biased)
    ).chosen(np.sort(np.concatenate([np.arange(len(nodes)), biased])))
    first = biased + np.arange(len(biased))
    split.variable[first] = new
    split.width[first] -= 1
    split.kind[first + 1] = len(nodes.kinds)
    split.start[first + 1] = len(operands) + 2 * np.arange(len(biased))
    split.width[first + 1] = 2
    return split.with_each_kind_once()


def set_apart(nodes: Columns, outputs: Sequence[int | float]) -> Columns:
    """Return the columns with other kinds for nodes that no derivative of an output reaches.

    Only a branch needs such a node, or the nodes that use it pass no derivative. Such nodes get instructions of their
    own, so that the backward pass leaves them out: their slopes may be infinite, and 0 times infinity is nan.

    >>> from autograd_mini import trace
    >>> t = trace(lambda x: x * 2.0 if x * 3.0 > 1.0 else x, 1.0)
    >>> nodes = set_apart(columns_of(t), t.outputs)
    >>> [nodes.kinds[k].passing for k in nodes.kind]
    [True, False]
    """
    read, first = nodes.read, nodes.width.cumsum() - nodes.width
    passes = read >= 0
    for k, kind in enumerate(nodes.kinds):
        for place in kind.stops:
            passes[first[nodes.kind == k] + kind.cuts[place]] = False
    ends = np.array([z for z in outputs if isinstance(z, int)], dtype=np.int64)
    uses = np.bincount(np.concatenate([read[passes], ends]), minlength=nodes.size)
    alone = np.flatnonzero(uses[nodes.variable] == 0).tolist()  # and, from here, operands that only such nodes use
    if not alone:
        return nodes
    left, maker = uses.tolist(), nodes.maker.tolist()
    for node in alone:
        some = slice(first[node], first[node] + nodes.width[node])
        for x in read[some][passes[some]].tolist():
            left[x] -= 1
            if left[x] == 0 and maker[x] >= 0:
                alone.append(maker[x])
    kinds = (*nodes.kinds, *[kind._replace(passing=False) for kind in nodes.kinds])
    number = nodes.kind.copy()
    number[alone] += len(nodes.kinds)
    return replace(nodes, kinds=kinds, kind=number)


def distinct(column: Ints) -> tuple[Ints, Ints, Ints]:
    """Return a column's distinct numbers in rising order, the first place of each, and the column as indices of them.

    `np.unique` is not used: its first call imports `numpy.ma`, and this takes longer than to lift a graph.

    >>> distinct(np.array([7, 5, 7]))
    (array([5, 7]), array([1, 0]), array([1, 0, 1]))
    """
    order = np.argsort(column, kind="stable")
    starts = changes(column[order])
    number = np.empty(len(column), dtype=np.int64)
    number[order] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(column)))
    return column[order[starts]], order[starts], number


def changes(*columns: Ints) -> Ints:
    """Return the first place, and each place where a column's number differs from the number before it."""
    changed = np.ones(len(columns[0]), dtype=bool)
    changed[1:] = np.logical_or.reduce([np.diff(column) != 0 for column in columns])
    return np.flatnonzero(changed)


def _runs(starts: Ints, lengths: Ints) -> Ints:
    """Return `length` whole numbers from each start on, one stretch after the other."""
    steps: Ints = np.repeat(starts - (lengths.cumsum() - lengths), lengths)
    return steps + np.arange(len(steps))
