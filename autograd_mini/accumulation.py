r"""The Jacobian of a graph by the elimination of its nodes, in any order.

This module owns the local derivatives of a graph as numbers on edges, and the step that removes a node: the product of
each edge into it and each edge out of it makes a new edge, or is added to an edge. When only inputs and outputs are
left, the edges are the Jacobian. Forward mode begins at the inputs, and reverse mode at the outputs. Markowitz's order
removes the node with the fewest products next (Griewank and Walther, Evaluating Derivatives, 2008, chapters 9 and 10).
This module must not know how steps are shown.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from math import inf
from typing import Any, Literal, NamedTuple, get_args

from .choices import guards_of, settled
from .edge_pushing import Row, active_nodes, placed_edges, rule_of, rules_of, times
from .pickles import state_of
from .settings import recording_limits, tell_derived
from .value import Number, Value

Order = Literal["reverse", "forward", "markowitz"]  # in `ORDERS`, the one with the least overhead comes first
ORDERS: tuple[Order, ...] = get_args(Order)


class LinearGraph:
    """The edges from inputs to outputs, with their local derivatives. Each node has a place, which is an int.

    Inputs come first, then the nodes on paths from an input to an output, each after its parents. With `graph`, the
    local derivatives are Values, and so are all results.
    """

    def __init__(self, outputs: Sequence[Any], inputs: Sequence[Value], graph: bool = False) -> None:
        place = active_nodes([z for z in outputs if isinstance(z, Value)], inputs)
        self.nodes = list(place)
        self.inputs = range(len(inputs))
        self.edges: dict[int, Row] = {}  # for each node that is computed, the edges into it, by the parent
        reached = set(self.inputs)
        with recording_limits() if graph else nullcontext():
            tests = guards_of(outputs, self.nodes, rule_of) if graph else {}
            for v in range(len(inputs), len(place)):
                state: Any = state_of(self.nodes[v])
                op, _, _, _, weights, operands = state
                if graph:
                    weights = rules_of(self.nodes[v], place, tests.get(self.nodes[v]))
                edges = placed_edges(op, operands, weights, place)
                if not reached.issuperset(edges):
                    edges = {p: x for p, x in edges.items() if p in reached}
                if edges:
                    reached.add(v)
                    self.edges[v] = edges
        self.outputs = [place[z] if z in place and place[z] in reached else None for z in outputs]
        leading = {v for v in self.outputs if v is not None}
        for v in reversed(list(self.edges)):
            if v in leading:
                leading.update(self.edges[v])
            else:
                del self.edges[v]
        for z in outputs:
            if isinstance(z, Value):
                tell_derived(z)

    @property
    def interior(self) -> list[int]:
        """Return the nodes to remove: all nodes with users, except inputs."""
        used = {p for edges in self.edges.values() for p in edges}
        return [v for v in self.edges if v in used]

    @property
    def size(self) -> int:
        """Return the number of edges."""
        return sum(map(len, self.edges.values()))


class Product(NamedTuple):
    """One multiplication of a step. The edge from `parent` to `user` was `before`, or None for a new edge."""

    parent: int
    user: int
    before: float | None
    outer: float
    inner: float

    @property
    def after(self) -> float:
        """Return the local derivative on the edge after the step."""
        product = self.outer * self.inner
        return product if self.before is None else self.before + product


class Accumulation:
    """The edges of a graph while nodes are removed one after the other, and the work so far."""

    def __init__(self, graph: LinearGraph) -> None:
        self.graph = graph
        self.into = {v: dict(edges) for v, edges in graph.edges.items()}
        self.users: dict[int, dict[int, None]] = {v: {} for v in (*graph.inputs, *self.into)}  # in the graph's order
        for v, edges in self.into.items():
            for p in edges:
                self.users[p][v] = None
        self.kept = {v for v in graph.outputs if v is not None}
        self.multiplications = self.additions = 0

    def degree(self, v: int) -> int:
        """Return the number of multiplications to remove a node."""
        return len(self.into[v]) * len(self.users[v])

    def products(self, v: int) -> list[Product]:
        """Return the multiplications to remove a node, before it is removed."""
        return [
            Product(p, user, self.into[user].get(p), self.into[user][v], weight)
            for user in self.users[v]
            for p, weight in self.into[v].items()
        ]

    def remove(self, v: int) -> None:
        """Remove a node: its edges become edges from its parents to its users. An output keeps the edges into it."""
        kept = v in self.kept
        inner = self.into[v] if kept else self.into.pop(v)
        users, self.users[v] = self.users[v], {}
        for user in users:
            edges = self.into[user]
            outer = edges.pop(v)
            for p, weight in inner.items():
                if p in edges:
                    edges[p] += times(outer, weight)
                    self.additions += 1
                else:
                    edges[p] = times(outer, weight)
                    self.users[p][user] = None
        self.multiplications += len(inner) * len(users)
        if not kept:
            for p in inner:
                del self.users[p][v]

    def in_order(self, order: Order) -> Iterator[int]:
        """Yield the nodes to remove. The caller must remove each node before it takes the next."""
        interior = self.graph.interior
        if order != "markowitz":
            yield from interior if order == "forward" else reversed(interior)
            return
        left = set(interior)
        degrees = {v: self.degree(v) for v in interior}
        heap = [(degree, v) for v, degree in degrees.items()]
        heapq.heapify(heap)
        while heap:
            degree, v = heapq.heappop(heap)
            if v not in left or degree != degrees[v]:
                continue
            left.remove(v)
            near = {*self.into[v], *self.users[v]} & left
            yield v
            for u in near:
                degrees[u] = self.degree(u)
                heapq.heappush(heap, (degrees[u], u))

    def run(self, order: Order, most: float = inf) -> bool:
        """Remove all nodes in an order. Stop and return False after more than `most` multiplications."""
        for v in self.in_order(order):
            self.remove(v)
            if self.multiplications > most:
                return False
        return True

    @property
    def rows(self) -> list[Row]:
        """Return the Jacobian after all nodes are removed: for each output a row, by the input."""
        n = len(self.graph.inputs)
        return [{} if v is None else {v: 1.0} if v < n else self.into[v] for v in self.graph.outputs]


def accumulate(graph: LinearGraph, order: Order) -> Accumulation:
    """Remove all nodes in an order."""
    work = Accumulation(graph)
    work.run(order)
    return work


def cheapest(graph: LinearGraph) -> tuple[Order, Accumulation]:
    """Remove all nodes in a cheap order: the first order of `ORDERS` that stays below a limit.

    The limit is two multiplications for each edge of the graph. If all orders need more, the limit is doubled. So the
    result takes at most two multiplications for each edge, or at most twice the multiplications of the best order.
    """
    most = 2 * graph.size
    while True:
        for order in ORDERS:
            work = Accumulation(graph)
            if work.run(order, most):
                return order, work
        most *= 2


def jacobian_rows(outputs: Sequence[Number], inputs: Sequence[Value], order: Order | None, graph: bool) -> list[Row]:
    """Return the Jacobian: for each output a row, by the input, with numbers or, with `graph`, Values.

    Args:
        order: the order in which nodes are removed, or None for a cheap order.
    """
    made = LinearGraph(outputs, inputs, graph)
    rows = (cheapest(made)[1] if order is None else accumulate(made, order)).rows
    return [{j: settled(x) for j, x in row.items()} for row in rows]
