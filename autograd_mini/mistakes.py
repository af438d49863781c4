r"""The classical wrong backward passes, run on a graph of one's own.

Each mistake is a pass over the graph's edges. This module compares its derivatives with the right ones. The first node
that differs, from the output backward, is the place where such a bug begins. The module must not import pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .explain import Edge, edges
from .printing import Text, format_number, names_of
from .stale import require_fresh
from .value import Value, derivatives_of, no_grad, reached_by, topological_order

__all__ = ["MISTAKES", "Mistake", "Mistakes", "mistakes"]

Derivatives = dict[Value, float]


def _pass(output: Value, order: Iterable[Value], hand_on: Callable[[Derivatives, Edge], None]) -> Derivatives:
    """Go through nodes, and hand on what each has to its parents."""
    found: Derivatives = {output: 1.0}
    reached = reached_by(output)
    for user in order:
        if user in reached:
            for edge in edges(user):
                if edge.passes:
                    found.setdefault(edge.parent, 0.0)
                    hand_on(found, edge)
    return found


def _add(weight: Callable[[Edge], float]) -> Callable[[Derivatives, Edge], None]:
    """Return the right way to hand on, with a weight that may be wrong."""

    def hand_on(found: Derivatives, edge: Edge) -> None:
        found[edge.parent] += found[edge.user] * weight(edge)

    return hand_on


def _right(edge: Edge) -> float:
    return edge.weight


def _backward(output: Value) -> list[Value]:
    return topological_order(output)[::-1]


def overwrite(output: Value) -> Derivatives:
    """Assign where a derivative must be added: a node with several users keeps the last contribution."""

    def hand_on(found: Derivatives, edge: Edge) -> None:
        found[edge.parent] = found[edge.user] * edge.weight

    return _pass(output, _backward(output), hand_on)


def as_they_come(output: Value) -> Derivatives:
    """Visit nodes as they are met, each once: one may hand on before all of its users have handed theirs to it."""
    waiting = [output]
    met = {output}
    for node in waiting:
        for parent in node.parents:
            if parent not in met:
                met.add(parent)
                waiting.append(parent)
    return _pass(output, waiting, _add(_right))


def no_local(output: Value) -> Derivatives:
    """Forget the local derivative: every node hands on just what it has."""
    return _pass(output, _backward(output), _add(lambda edge: 1.0))


def swapped(output: Value) -> Derivatives:
    """Exchange the local derivatives of two operands."""

    def weight(edge: Edge) -> float:
        both = [x for x in edges(edge.user) if x.passes]
        return both[1 - edge.operand].weight if len(both) == len(edge.user.operands) == 2 else edge.weight

    return _pass(output, _backward(output), _add(weight))


def wrong_sign(output: Value) -> Derivatives:
    """Forget the minus of a local derivative that is a number: of b in a − b."""

    def weight(edge: Edge) -> float:
        assert edge.user.op is not None
        with no_grad():
            rule = edge.user.op.rules[edge.operand]
            try:
                constant = isinstance(rule(*edge.user.operands, edge.user), float)
            except (ArithmeticError, ValueError):
                constant = False
        return abs(edge.weight) if constant and edge.weight < 0.0 else edge.weight

    return _pass(output, _backward(output), _add(weight))


def stale(output: Value) -> Derivatives:
    """Run backward twice without clearing the nodes between: what the first pass left is handed on again."""
    found = dict(derivatives_of(output, topological_order(output)))
    for user in _backward(output):
        for edge in edges(user):
            if edge.passes and edge.parent in found and user in found:
                found[edge.parent] += found[user] * edge.weight
    return found


MISTAKES: dict[str, Callable[[Value], Derivatives]] = {
    "overwrite": overwrite,
    "as they come": as_they_come,
    "no local derivative": no_local,
    "swapped factors": swapped,
    "wrong sign": wrong_sign,
    "not cleared": stale,
}


@dataclass(frozen=True, eq=False)
class Mistake:
    """What a wrong pass gives: all derivatives, and the first node that differs; None where it does no harm."""

    name: str
    does: str
    derivatives: Derivatives
    node: Value | None
    right: float
    wrong: float


class Mistakes(tuple[Mistake, ...]):
    """The classical mistakes on a graph, printed as a table."""

    output: Value

    def __str__(self) -> str:
        names = names_of(topological_order(self.output), self.output)
        rows: list[tuple[str, ...]] = [("mistake", "first wrong", "right", "wrong", "of", "what it does")]
        for mistake in self:
            if mistake.node is None:
                rows.append((mistake.name, "none", "", "", "0", mistake.does))
                continue
            first = str(Text.derivative(names[self.output], names[mistake.node]))
            numbers = (format_number(x) for x in (mistake.right, mistake.wrong))
            rows.append((mistake.name, first, *numbers, str(_differing(self.output, mistake)), mistake.does))
        widths = [max(len(row[k]) for row in rows) for k in range(5)]
        return "\n".join(
            "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[5]]) for row in rows
        )

    __repr__ = __str__


def _differing(output: Value, mistake: Mistake) -> int:
    order = topological_order(output)
    right = derivatives_of(output, order)
    return sum(not _same(right[x], mistake.derivatives.get(x, 0.0)) for x in order)


def _same(x: float, y: float) -> bool:
    return math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-300) or (math.isnan(x) and math.isnan(y))


def mistakes(output: Value) -> Mistakes:
    r"""Run the classical wrong backward passes on the graph of J, and say where each begins to differ.

    The column `of` counts the nodes that are wrong. A mistake that does no harm on this graph is one that a test with
    it would not find.

    Raises:
        TypeError: `output` is not a Value.
        StaleGraphError: a number was assigned after the graph was computed.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> p = a * b; p.label = "p"
    >>> J = p + a; J.label = "J"
    >>> for mistake in mistakes(J)[:3]:
    ...     print(mistake.name, "-" if mistake.node is None else mistake.node.label, mistake.right, mistake.wrong)
    overwrite a 4.0 3.0
    as they come - 0.0 0.0
    no local derivative b 2.0 1.0
    """
    if not isinstance(output, Value):
        raise TypeError(f"mistakes: give a Value, not {output!r} of type {type(output).__name__}")
    order = topological_order(output)
    require_fresh(output, order)
    right = derivatives_of(output, order)
    found = []
    for name, run in MISTAKES.items():
        wrong = run(output)
        first = next((x for x in reversed(order) if not _same(right[x], wrong.get(x, 0.0))), None)
        says = (run.__doc__ or "").split(".")[0]
        numbers = (0.0, 0.0) if first is None else (right[first], wrong.get(first, 0.0))
        found.append(Mistake(name, says, wrong, first, *numbers))
    table = Mistakes(found)
    table.output = output
    return table
