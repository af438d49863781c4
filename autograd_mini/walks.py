"""Walks over a graph: its topological order, and the nodes that derivatives reach.

The module must not know how derivatives are computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .node import Node, operands_of, weights_of
from .op import Op
from .settings import DIFFERENTIATING, active, in_force, watching

if TYPE_CHECKING:
    import cython

    from .value import Number, Value
else:
    from . import uncompiled as cython

_walks = 0  # number of walks so far; each walk marks nodes with its own number


def topological_order(*outputs: Value) -> list[Value]:
    """Return the nodes in the graphs of the outputs, each after its parents.

    The order is depth first and from left to right, as a person evaluates an expression. The function uses its own
    stack instead of recursion.

    >>> from autograd_mini import Value
    >>> a, b = Value(1.0, "a"), Value(2.0, "b")
    >>> [node.label or node.op.name for node in topological_order(a * b + a)]
    ['a', 'b', 'mul', 'add']
    """
    global _walks
    order: list[Node] = []
    stack: list[Node | None] = list(reversed(outputs))
    seen: set[Node] = set()
    operands: tuple[Number, ...]
    i: cython.Py_ssize_t
    # From here on, make no object that could start the garbage collector: it might start a walk inside of this walk.
    _walks += 1
    walk: cython.longlong = _walks
    while stack:
        top = stack.pop()
        if top is None:  # the parents of the node under this mark are in the order now
            order.append(stack.pop())  # type: ignore[arg-type]  # a mark lies on its node
            continue
        node: Node = top
        if cython.compiled:
            if node._mark == walk:
                continue
            node._mark = walk  # type: ignore[misc]  # in no slot of the Python class
        else:
            if top in seen:
                continue
            seen.add(top)
        if node._op_row is None:
            order.append(top)
            continue
        stack.append(top)
        stack.append(None)
        x, y = node._x, node._y
        if type(x) is tuple:
            operands = x
            for i in range(len(operands) - 1, -1, -1):
                if isinstance(operands[i], Node):
                    stack.append(operands[i])  # noqa: PERF401  # a list made here could start the collector
            continue
        # An operand is a node if it is no float: isinstance takes longer, because its class is a subclass of Node.
        if y is not None and type(y) is not float:
            stack.append(y)
        if x is not None and type(x) is not float:
            stack.append(x)
    return order  # type: ignore[return-value]  # each node is a Value


def is_alive(op: Op, place: int, weight: float) -> bool:
    """Return whether an edge passes derivatives.

    It does not if its rule is the constant 0, or if it leads to a side that is not chosen. All functions that multiply
    numbers along edges call this.
    """
    return weight != 0.0 or not (place in op.stops or place in op.chooses)


def reached_by(output: Value, alive: bool = False) -> set[Value]:
    """Return the nodes that a derivative of the output can reach. With `alive`, it must reach them at these numbers."""
    reached = {output}
    stack = [output]
    while stack:
        user = stack.pop()
        op: Any = user.op
        weights = iter(weights_of(user))
        for i, x in enumerate(operands_of(user)):
            if isinstance(x, Node):
                weight = next(weights)
                if x not in reached and (is_alive(op, i, weight) if alive else i not in op.stops):
                    reached.add(x)
                    stack.append(x)
    return reached


def is_differentiated(*nodes: Value) -> bool:
    """Return whether a node depends on an input of a function that is being differentiated here."""
    inputs: list[Value] = []
    switch = active(DIFFERENTIATING.get())
    while switch is not None:
        inputs += switch.state
        switch = active(switch.outer)
    return bool(inputs) and not set(inputs).isdisjoint(topological_order(*nodes))


def follows(node: Value) -> bool:
    """Return whether a node depends on an input of a trace, or of a function that is being differentiated here."""
    if not in_force.count:
        return False
    watch = watching()
    return (watch is not None and watch.traces and watch.follows(node)) or is_differentiated(node)
