r"""The edges of a graph, and the chain rule along them.

This module owns `Edge` and `edges_of`, the only function that makes edges. `pull` is the reverse sweep: it passes
cotangents, which may be numbers, nodes or formulas, from users to their parents. The module reads a graph and never
changes `.grad`. It must not know notations, pictures or transformations.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from .node import primal, weights_of
from .ops import Constant, Unguarded
from .spelling import Mapped
from .value import Value
from .walks import is_alive, reached_by

if TYPE_CHECKING:
    import cython

    from .printing import Written
else:
    from . import uncompiled as cython

W = TypeVar("W", bound="Written")
T = TypeVar("T")


@cython.no_gc  # a node is in no cycle, and so no edge is
@cython.cclass
class Edge:
    r"""An edge of the graph: `user` was computed from `parent`, with weight $\partial user / \partial parent$."""

    __slots__ = ("operand", "parent", "user", "weight")

    user: Value
    parent: Value
    operand: int  # the place of the parent among the operands of the user
    weight: float

    def __init__(self, user: Value, parent: Value, operand: int, weight: float) -> None:
        self.user, self.parent, self.operand, self.weight = user, parent, operand, weight

    def __reduce__(self) -> tuple[type[Edge], tuple[Value, Value, int, float]]:
        return Edge, (self.user, self.parent, self.operand, self.weight)

    def __repr__(self) -> str:
        return f"Edge(user={self.user}, parent={self.parent}, operand={self.operand}, weight={self.weight})"

    @property
    def passes(self) -> bool:
        """Return whether derivatives pass. They do not if the row's rule is the constant 0."""
        op = self.user.op
        return self.weight != 0.0 or op is None or self.operand not in op.stops

    @property
    def alive(self) -> bool:
        """Return whether a derivative goes along the edge at these numbers: see `walks.is_alive`."""
        op = self.user.op
        return op is None or is_alive(op, self.operand, self.weight)

    @property
    def is_formula(self) -> bool:
        """Return whether the weight is the rule's formula. It is not at an exception of the table."""
        try:
            formula = float(self.apply(lambda node: Unguarded(primal(node))))
        except (ArithmeticError, ValueError):
            return True
        return math.isclose(formula, self.weight, rel_tol=1e-9) or (math.isnan(formula) and math.isnan(self.weight))

    def apply(self, read: Callable[[Value], object] = lambda node: node) -> Any:
        """Return the result of the row's rule on the operands and the user, the nodes as `read` gives them."""
        op = self.user.op
        assert op is not None
        operands = Mapped(lambda x: read(x) if isinstance(x, Value) else x, self.user.operands)
        if op.slope is not None:
            return op.slope(self.operand, operands, read(self.user))
        return op.formulas[self.operand](*operands, read(self.user))

    def rule(self, write: Callable[[Value], W], kind: type[W], precision: int = 4) -> W | None:
        """Write the row's rule over the operands, each written by `write`. Return None for a number without a name."""

        def written(node: Value) -> W:
            operand = write(node)
            operand.precision = precision
            return operand

        try:
            rule = self.apply(written)
        except (ArithmeticError, ValueError):  # a constant at a pole: the weight says inf or nan
            return None
        return kind.of(rule, precision) if isinstance(rule, (kind, Constant)) else None

    def symbol(self, names: dict[Value, str], kind: type[W], precision: int = 4) -> W | None:
        """Write the weight's rule with names. Return None if the weight is only a number."""
        return self.rule(lambda node: kind.name(names[node]), kind, precision) if self.is_formula else None

    def substituted(self, kind: type[W], precision: int = 4) -> W | None:
        """Write the weight's rule with numbers. Return None if there is no symbol or the weight is not finite."""
        if not (self.is_formula and math.isfinite(self.weight)):
            return None
        return self.rule(lambda node: kind.number(primal(node), precision), kind, precision)


def edges_of(user: Value) -> list[Edge]:
    """Return the edges from a node to its parents, in order and with repeats.

    >>> from autograd_mini import Value
    >>> x = Value(3.0, "x")
    >>> [(edge.operand, edge.weight) for edge in edges_of(x * x)]
    [(0, 3.0), (1, 3.0)]
    """
    edges: list[Edge] = []
    weights = weights_of(user)
    for i, operand in enumerate(user.operands):
        if isinstance(operand, Value):
            edge: Edge = Edge.__new__(Edge)  # faster than a call with arguments where it is compiled
            edge.user, edge.parent, edge.operand, edge.weight = user, operand, i, weights[len(edges)]
            edges.append(edge)
    return edges


def passing(user: Value) -> Iterator[tuple[Value, float]]:
    """Yield the parents to which a derivative of a node goes, each with the weight of its edge."""
    return ((edge.parent, edge.weight) for edge in edges_of(user) if edge.alive)


def reached_edges(output: Value, order: Iterable[Value]) -> Iterator[Edge]:
    """Yield the edges that a derivative of the output passes, user by user in the order given."""
    reached = reached_by(output)
    return (edge for user in order if user in reached for edge in edges_of(user) if edge.passes)


def leading_to(targets: Collection[Value], order: Iterable[Value]) -> dict[Value, list[Edge]]:
    """Return the nodes that depend on a target, parents first, each with its edges that pass derivatives to targets.

    >>> from autograd_mini import Value
    >>> x = Value(3.0, "x")
    >>> y = x * x
    >>> z = y + Value(1.0)
    >>> [len(edges) for edges in leading_to([x], [x, y, z]).values()]
    [0, 2, 1]
    """
    wanted = set(targets)  # a set tells nodes apart by identity
    leading: dict[Value, list[Edge]] = {}
    edge: Edge
    for user in order:
        onward: list[Edge] = []
        for edge in edges_of(user):
            if edge.parent in leading and edge.passes:
                onward.append(edge)  # noqa: PERF401  # in a comprehension C would not know the type
        if onward or user in wanted:
            leading[user] = onward
    return leading


def pull(
    cotangents: dict[Value, T],
    users: Iterable[tuple[Value, Iterable[tuple[Value, T]]]],
    times: Callable[[T, T], T] = operator.mul,
    plus: Callable[[T, T], T] = operator.add,
) -> dict[Value, T]:
    r"""Carry cotangents from users to parents, $\bar x = \sum_u \bar u \, \partial u / \partial x$, and return them.

    `users` come before their parents. Each comes with its parents and the weights of its edges. The weights are read
    only if the user has a cotangent.

    >>> from autograd_mini import Value
    >>> x = Value(3.0, "x")
    >>> y = x * x
    >>> pull({y: 1.0}, [(y, y.edges)])[x]
    6.0
    """
    for user, parents in users:
        if user in cotangents:
            upstream = cotangents[user]
            for parent, weight in parents:
                part = times(upstream, weight)
                cotangents[parent] = plus(cotangents[parent], part) if parent in cotangents else part
    return cotangents


def derivatives_of(output: Value, order: list[Value]) -> dict[Value, float]:
    """Return the derivative of the output with respect to every node, without a change to the graph."""
    derivatives = pull({output: 1.0}, ((user, passing(user)) for user in reversed(order)))
    return {node: derivatives.get(node, 0.0) + 0.0 for node in order}  # never -0.0: `backward` adds to 0.0, too
