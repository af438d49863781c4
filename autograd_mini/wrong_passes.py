r"""Classical wrong backward passes as data, to run on any graph.

A pass is a list of steps. Each step passes a derivative along an edge. A wrong pass has another order, or other
weights, or assigns a derivative that it must add. One loop runs all of them, here and in a page. Going backward from
the output, the first node that differs from the right pass shows the bug. The module must not import pictures.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .edges import Edge, derivatives_of, edges_of, pull, reached_edges
from .given import require_value
from .printing import Text, format_number, names_of
from .settings import no_grad
from .stale import require_fresh
from .tables import as_html, as_text
from .value import Value
from .walks import reached_by, topological_order

Derivatives = dict[Value, float]


class Step(NamedTuple):
    """A step of a pass: an edge, and a weight: the weight of the edge `factor` times `sign`, or only the sign."""

    edge: Edge
    factor: Edge | None
    sign: float = 1.0

    @property
    def weight(self) -> float:
        """Return the number that the step multiplies by."""
        return self.sign * (1.0 if self.factor is None else self.factor.weight)


@dataclass(frozen=True, eq=False)
class Pass:
    """A backward pass: its steps. It may assign derivatives instead of adding them, or run a second time (`again`)."""

    steps: tuple[Step, ...]
    assigns: bool = False
    again: bool = False

    def run(self, output: Value) -> Derivatives:
        """Return the derivatives that the pass finds."""
        order = topological_order(output)
        left = derivatives_of(output, order) if self.again else dict.fromkeys(order, 0.0) | {output: 1.0}
        reached = reached_by(output, alive=True)
        alive = (step for step in self.steps if step.edge.alive and step.edge.user in reached)
        steps = ((step.edge.user, [(step.edge.parent, step.weight)]) for step in alive)
        return pull(left, steps, plus=(lambda _, part: 0.0 + part) if self.assigns else operator.add)


def _steps(output: Value, order: Iterable[Value], step: Callable[[Edge], Step]) -> tuple[Step, ...]:
    """Return the steps along all edges that pass derivatives, in the order of the users."""
    return tuple(map(step, reached_edges(output, order)))


def _right(edge: Edge) -> Step:
    return Step(edge, edge)


def _backward(output: Value) -> list[Value]:
    return topological_order(output)[::-1]


def overwrite(output: Value) -> Pass:
    """Assign where a derivative must be added: a node with several users keeps the last contribution."""
    return Pass(_steps(output, _backward(output), _right), assigns=True)


def as_they_come(output: Value) -> Pass:
    """Visit each node when it is first met: it may pass its derivative on before all of its users have done so."""
    waiting = [output]
    met = {output}
    for node in waiting:
        for parent in node.parents:
            if parent not in met:
                met.add(parent)
                waiting.append(parent)
    return Pass(_steps(output, waiting, _right))


def no_local(output: Value) -> Pass:
    """Forget the local derivative: every node passes on its own derivative unchanged."""
    return Pass(_steps(output, _backward(output), lambda edge: Step(edge, None)))


def swapped(output: Value) -> Pass:
    """Exchange the local derivatives of two operands."""

    def step(edge: Edge) -> Step:
        if len(edge.user.operands) != 2:
            return Step(edge, edge)
        both = [x for x in edges_of(edge.user) if x.passes]
        return Step(edge, both[1 - edge.operand] if len(both) == 2 else edge)

    return Pass(_steps(output, _backward(output), step))


def wrong_sign(output: Value) -> Pass:
    """Forget the minus of a local derivative that is a number, such as that of b in a − b."""

    def step(edge: Edge) -> Step:
        if not edge.weight < 0.0:
            return Step(edge, edge)
        with no_grad():
            try:
                constant = isinstance(edge.apply(), float)
            except (ArithmeticError, ValueError):
                constant = False
        return Step(edge, edge, -1.0 if constant else 1.0)

    return Pass(_steps(output, _backward(output), step))


def not_cleared(output: Value) -> Pass:
    """Run backward twice without clearing interior nodes: the derivatives of the first pass are passed on again."""
    return Pass(_steps(output, _backward(output), _right), again=True)


MISTAKES: dict[str, Callable[[Value], Pass]] = {
    "overwrite": overwrite,
    "as they come": as_they_come,
    "no local derivative": no_local,
    "swapped factors": swapped,
    "wrong sign": wrong_sign,
    "not cleared": not_cleared,
}


def sentence_of(name: str) -> str:
    """Return the sentence on a mistake.

    >>> sentence_of("overwrite")
    'Assign where a derivative must be added: a node with several users keeps the last contribution'
    """
    return (MISTAKES[name].__doc__ or "").split(".")[0]


@dataclass(frozen=True, eq=False)
class Mistake:
    """The result of a wrong pass: all derivatives, and the first node that differs, or None if there is none."""

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
        return as_text(self._rows())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        names = names_of(topological_order(self.output), self.output)
        rows: list[tuple[str, ...]] = [("mistake", "first wrong", "right", "wrong", "wrong nodes", "what it does")]
        for mistake in self:
            if mistake.node is None:
                rows.append((mistake.name, "none", "", "", "0", mistake.does))
                continue
            first = str(Text.derivative(names[self.output], names[mistake.node]))
            numbers = (format_number(x) for x in (mistake.right, mistake.wrong))
            rows.append((mistake.name, first, *numbers, str(_differing(self.output, mistake)), mistake.does))
        return rows


def _differing(output: Value, mistake: Mistake) -> int:
    order = topological_order(output)
    right = derivatives_of(output, order)
    return sum(not _same(right[x], mistake.derivatives.get(x, 0.0)) for x in order)


def _same(x: float, y: float) -> bool:
    return math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-300) or (math.isnan(x) and math.isnan(y))


def mistakes(output: Value) -> Mistakes:
    r"""Run the classical wrong backward passes on the graph of J, and return the first node at which each differs.

    The column `wrong nodes` counts the nodes that differ. If it is 0, a test on this graph does not find the mistake.

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
    require_value("mistakes", output)
    order = topological_order(output)
    require_fresh(output, order)
    right = derivatives_of(output, order)
    results = []
    for name, run in MISTAKES.items():
        wrong = run(output).run(output)
        first = next((x for x in reversed(order) if not _same(right[x], wrong.get(x, 0.0))), None)
        says = sentence_of(name)
        numbers = (0.0, 0.0) if first is None else (right[first], wrong.get(first, 0.0))
        results.append(Mistake(name, says, wrong, first, *numbers))
    table = Mistakes(results)
    table.output = output
    return table
