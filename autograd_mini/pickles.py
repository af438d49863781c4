"""The state of a node, nodes that are made of a state, and the pickle of a graph as a flat list.

`Value` uses this module for copies and pickles. In the list, parents come first, so a deep graph needs no recursion.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, SupportsFloat

from .node import Node, operands_of
from .op import Op, number

if TYPE_CHECKING:
    from .value import Number, Value

State = tuple[Op | None, float, float, str, Sequence[float], "tuple[Number, ...]"]


def state_of(node: Node) -> State:
    """Return the parts of a node but for the attributes of a subclass."""
    # Return a copy of the array: the caller may change it, but the node needs a weight for each operand.
    weights = array("d", node._y) if type(node._x) is tuple else (node._dx, node._dy)
    return node._op_row, node._data, node._grad, node._label, weights, operands_of(node)


def attributes_of(node: Node) -> dict[str, Any] | None:
    """Return the attributes of a subclass, if any."""
    return getattr(node, "__dict__", None) or None


def rebuild(
    kind: object,
    op: object,
    data: float,
    grad: float,
    label: object,
    weights: Iterable[float],
    operands: Iterable[SupportsFloat],
    attributes: dict[str, Any] | None = None,
) -> Value:
    """Make a node from its parts: the inverse of `state_of`. Check the parts, because a pickle may be wrong.

    In pickles from before 2026-12, the attributes of a subclass are an argument.
    """
    if not (
        isinstance(kind, type) and issubclass(kind, Node) and kind is not Node and (op is None or isinstance(op, Op))
    ):
        raise TypeError(f"a node cannot be made of {kind!r} and {op!r}")
    operands = tuple([x if isinstance(x, Node) else number("a node", x) for x in operands])
    arity = op.arity if op is not None else 0
    if len(operands) != arity and (arity is not None or len(operands) < 2):
        raise ValueError(f"a node of {op or 'no operation'} cannot have these operands: {operands}")
    label = label if type(label) is str else str(label)
    node: Node = kind.__new__(kind)
    node._op_row, node._data, node._grad, node._label = op, data, grad, label
    if attributes:  # the attributes of a subclass
        vars(node).update(attributes)
    if len(operands) > 2:
        node._dx = node._dy = 0.0
        node._x, node._y = operands, array("d", weights)
        if len(node._y) != len(operands):
            raise ValueError(f"a node has {len(operands)} operands, but {len(node._y)} partials")
    else:
        node._dx, node._dy = weights
        node._x, node._y = (*operands, None, None)[:2]
    return node  # type: ignore[return-value]  # each node is a Value


def rebuild_last(ancestors: list[Value], kind: type[Value], *state: Any) -> Value:
    """Make the last node of a flat list. The list has made the other nodes before."""
    return rebuild(kind, *state)


_local = threading.local()


def flattened() -> set[Value]:
    """Return the nodes in the lists that are being pickled on this thread, each after its parents."""
    try:
        nodes: set[Value] = _local.flattened
    except AttributeError:
        nodes = _local.flattened = set()
    return nodes


class FlatList:
    """A list of nodes, parents first. While it is pickled, its nodes are in the set `flattened()`.

    Pickle passes no context to `Value.__reduce_ex__`, so the set is the context. The nodes come from a generator, which
    ends with an `_End`. The `_End` removes them from the set. If pickling fails, the generator is closed, and removes
    them too.
    """

    def __init__(self, nodes: list[Value]) -> None:
        self.nodes = nodes

    def __reduce__(self) -> tuple[type[list[object]], tuple[()], None, Iterator[Value | _End]]:
        return list, (), None, self._in_order()

    def _in_order(self) -> Iterator[Value | _End]:
        being_pickled = flattened()
        being_pickled.update(self.nodes)
        try:
            yield from self.nodes
            yield _End(self.nodes)
        except GeneratorExit:
            being_pickled.difference_update(self.nodes)
            raise


class _End:
    """The mark after the last node of a flat list. When it is pickled, it removes the nodes from the set."""

    def __init__(self, nodes: list[Value]) -> None:
        self.nodes = nodes

    def __reduce__(self) -> tuple[type[int], tuple[()]]:
        flattened().difference_update(self.nodes)
        return int, ()
