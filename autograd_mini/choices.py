r"""Choices in derivatives that are graphs: a side that is not chosen gets no derivative, not even $0 \cdot \infty$.

For numbers, an edge to a side that is not chosen is left out: see `walks.is_alive`. A derivative that is a graph or a
trace may be computed again at other numbers, which may choose the other side. So it keeps both sides, and tests. The
derivative on an edge of a choice is selected, not multiplied (`Chosen`). If a local derivative in a side can be
infinite, it is replaced by 0 while the side is not chosen (`guards_of`). This module must not know how derivatives are
accumulated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

from .ops import Level, Op, where
from .sums import sum as total
from .value import Number, Value
from .walks import topological_order

T = TypeVar("T")
Factor: TypeAlias = Any  # the derivative on an edge: a number, a Value, or a Chosen of these


class Nothing(float):
    """The number on an edge to a side that is not chosen. Its products are NOTHING, and adding it changes nothing.

    >>> NOTHING * float("inf"), 2.0 + NOTHING
    (0.0, 2.0)
    """

    __slots__ = ()

    def __mul__(self, other: object) -> Nothing:
        return self

    def __add__(self, other: T) -> T:
        return other

    __rmul__, __radd__ = __mul__, __add__


NOTHING = Nothing(0.0)


class Chosen:
    """A derivative that is x where the test is not 0, and nothing elsewhere. Its products are such derivatives too."""

    __slots__ = ("test", "x")

    def __init__(self, test: Number, x: Number) -> None:
        self.test, self.x = test, x

    def __mul__(self, other: Factor) -> Chosen:
        if isinstance(other, Chosen):
            return Chosen(where(self.test, other.test, 0.0), self.x * other.x)
        return Chosen(self.test, self.x * other)

    def __rmul__(self, other: Number) -> Chosen:
        return Chosen(self.test, other * self.x)

    def __add__(self, other: Factor) -> Number:
        return settled(self) + settled(other)

    def __radd__(self, other: Number) -> Number:
        return other + settled(self)


def settled(x: Factor) -> Number:
    """Return a derivative as a number or a Value."""
    return where(x.test, x.x, 0.0) if isinstance(x, Chosen) else x


def handed(op: Op, place: int, slope: Number, test: Number | None = None) -> Factor:
    """Return the factor of an edge with the local derivative `slope`. With a test, it is chosen where this is not 0."""
    if place in op.chooses:
        return Chosen(slope, 1.0)  # the slope is 1 or 0
    return slope if test is None or isinstance(slope, float) else where(test, slope, 0.0)


def _is_comparison(node: Value) -> bool:
    """Return whether a node is 1 or 0."""
    return node.op is not None and node.op.text.level is Level.COMPARISON


def can_be_infinite(op: Op) -> bool:
    """Return whether a row can have a value or a slope that is not finite, at finite operands."""
    return op.raises or op.pole


class Side:
    """A side of choices: a derivative of the output reaches its nodes only where the test is not 0.

    A side of one choice stores the choice and its places among the operands. So both sides of a `where` together are
    no side: a derivative always reaches a node in both. The test of a union of sides is made when it is first read.
    """

    def __init__(
        self,
        within: Side | None = None,
        choice: Value | None = None,
        places: int = 0,  # one bit for each place
        *,
        test: Any = None,  # a number, or None while there are parts
        parts: tuple[Side, ...] = (),
    ) -> None:
        self.within, self.choice, self.places, self._test, self._parts = within, choice, places, test, parts

    @property
    def test(self) -> Any:
        """Return a number that is positive where a derivative reaches the side, and 0 elsewhere."""
        if self._parts:
            tests, waiting = [], [self]
            while waiting:  # no recursion, because a node may be in many sides
                side = waiting.pop()
                waiting += side._parts
                if not side._parts:
                    tests.append(side._test)
            self._test, self._parts = total(tests), ()
        return self._test


class Sides:
    """The sides of nodes. `of` has None for a node that a derivative always reaches.

    Args:
        outputs: the nodes to differentiate; plain numbers may be among them.
        nodes: the nodes that a derivative can reach, each after its parents.
        slope: returns the local derivative of a node with respect to an operand, as a Value.
    """

    def __init__(
        self, outputs: Iterable[Number], nodes: Sequence[Value], slope: Callable[[Value, int], Number]
    ) -> None:
        self._slope = slope
        self._known: dict[tuple[Side | None, Value, int], Side] = {}
        self.of: dict[Value, Side | None] = {z: None for z in outputs if isinstance(z, Value)}
        active = set(nodes)
        for user in reversed(nodes):
            if user.op is None or user not in self.of:
                continue
            within = self.of[user]
            for place, x in enumerate(user.operands):
                if x in active and place not in user.op.stops:
                    side = self._through(user, place, within) if place in user.op.chooses else within
                    self.of[x] = self._either(self.of[x], side) if x in self.of else side  # type: ignore[index]

    def _through(self, choice: Value, place: int, within: Side | None) -> Side:
        """Return the side of an operand of a choice."""
        key = within, choice, 1 << place
        if key not in self._known:
            assert choice.op is not None
            test, condition = self._slope(choice, place), choice.operands[0]
            if choice.op.row is where and place == 1 and isinstance(condition, Value) and _is_comparison(condition):
                test = condition  # the condition, 1 or 0, is the slope itself
            self._known[key] = Side(*key, test=test if within is None else where(within.test, test, 0.0))
        return self._known[key]

    def _either(self, a: Side | None, b: Side | None) -> Side | None:
        """Return the side of a node in two sides."""
        if a is None or b is None or a is b or b.within is a:
            return a if b is not None else b
        if a.within is b:
            return b
        if a.choice is None or a.choice is not b.choice or a.within is not b.within:
            return Side(parts=(a, b))
        key = a.within, a.choice, a.places | b.places
        if key[2].bit_count() == len(a.choice.operands) - 1:
            return a.within  # these are all sides of the choice, and one of them is chosen
        if key not in self._known:
            self._known[key] = Side(*key, parts=(a, b))
        return self._known[key]


def guards_of(
    outputs: Iterable[Number], nodes: Sequence[Value], slope: Callable[[Value, int], Number]
) -> dict[Value, Number]:
    """Return the tests of the sides (see `Sides`) for nodes whose slopes can be infinite."""
    if not any(node.op is not None and node.op.chooses for node in nodes):
        return {}
    infinite: set[Value] = set()
    for node in topological_order(*[z for z in outputs if isinstance(z, Value)]):
        if node.op is not None and (can_be_infinite(node.op) or not infinite.isdisjoint(node.parents)):
            infinite.add(node)
    sides = Sides(outputs, nodes, slope).of if infinite else {}
    return {node: side.test for node, side in sides.items() if side is not None and node in infinite}
