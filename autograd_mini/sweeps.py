"""Sweeps over a graph: backward for the derivatives of its output, and forward to compute its numbers again.

This module owns the order of the steps and the lock on graphs. `evaluation` computes a single node.
"""

from __future__ import annotations

import os
import threading
from array import array
from typing import TYPE_CHECKING, Any

from .evaluation import compute
from .node import Node, count_assignment
from .walks import is_alive, reached_by, topological_order

if TYPE_CHECKING:
    import cython

    from .value import Value
else:
    from . import uncompiled as cython

# Derivatives are stored in the nodes, so only one thread at a time may compute them. A fork waits for this thread.
_alone = threading.RLock()
_claim, _free = _alone.acquire, _alone.release  # twice as fast as `with`
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_alone.acquire, after_in_parent=_alone.release, after_in_child=_alone.release)


def sweep_backward(output: Value, seed: float) -> None:
    """Add derivatives to all nodes in the graph of an output, from the output back to the leaves."""
    _claim()
    try:
        _pass_derivatives(output, seed)
    finally:
        _free()


def sweep_forward(output: Value) -> None:
    """Compute the nodes in the graph of an output again. If an error is raised, no node changes."""
    with _alone:
        _compute_again(output)
    count_assignment()


def _pass_derivatives(output: Value, seed: float) -> None:
    node: Node
    parent: Node
    order: list[Value] = topological_order(output)
    reached: set[Value] | None = (
        None  # computed at the first product that is nan: it may be 0 times inf, on an edge without a derivative
    )
    part: float
    for node in order:
        if node._op_row is not None:
            node._grad = 0.0
    output._grad += seed
    for node in reversed(order):
        grad: float = node._grad
        x, y = node._x, node._y
        if type(x) is tuple:  # more than two operands
            operands: tuple[Any, ...] = x
            i: cython.Py_ssize_t
            for i in range(len(operands)):
                if type(operands[i]) is not float:
                    parent = as_node(operands[i]) if cython.compiled else operands[i]  # type: ignore[name-defined]  # noqa: F821
                    weight: float = entry(node._y, i) if cython.compiled else node._y[i]  # type: ignore[name-defined]  # noqa: F821
                    part = grad * weight
                    if part != part and reached is None:
                        reached = reached_by(output, alive=True)
                    if part == part or _hands_on(reached, node, i, weight):
                        parent._grad += part
            continue
        # An operand is a node if it is no float: isinstance takes longer, because its class is a subclass of Node.
        if x is not None and type(x) is not float:
            parent = as_node(x) if cython.compiled else x  # type: ignore[name-defined]  # noqa: F821
            part = grad * node._dx
            if part != part and reached is None:
                reached = reached_by(output, alive=True)
            if part == part or _hands_on(reached, node, 0, node._dx):
                parent._grad += part
        if y is not None and type(y) is not float:
            parent = as_node(y) if cython.compiled else y  # type: ignore[name-defined]  # noqa: F821
            part = grad * node._dy
            if part != part and reached is None:
                reached = reached_by(output, alive=True)
            if part == part or _hands_on(reached, node, 1, node._dy):
                parent._grad += part


def _hands_on(reached: set[Value] | None, node: Value, place: cython.Py_ssize_t, weight: float) -> bool:
    """Return whether a derivative reaches a node and goes on to an operand."""
    return reached is None or (node in reached and is_alive(node._op_row, place, weight))  # type: ignore[arg-type]


def _compute_again(output: Value) -> None:
    order: list[Value] = topological_order(output)
    node: Node
    i: cython.Py_ssize_t
    done: cython.Py_ssize_t = 0
    before = array("d", bytes(24 * len(order)))  # old numbers and weights, to restore after an error
    weights: list[array[float]] = []  # old weights in rows of many operands
    try:
        for i in range(len(order)):
            node = order[i]
            if cython.compiled:
                put(before, 3 * i, node._data)  # type: ignore[name-defined]  # noqa: F821
                put(before, 3 * i + 1, node._dx)  # type: ignore[name-defined]  # noqa: F821
                put(before, 3 * i + 2, node._dy)  # type: ignore[name-defined]  # noqa: F821
            else:
                before[3 * i], before[3 * i + 1], before[3 * i + 2] = node._data, node._dx, node._dy
            if type(node._x) is tuple:
                weights.append(node._y)
            done = i + 1
            if node._op_row is not None:
                compute(node)
    except BaseException:
        for i in range(done - 1, -1, -1):
            node = order[i]
            node._data, node._dx, node._dy = before[3 * i], before[3 * i + 1], before[3 * i + 2]
            if type(node._x) is tuple:
                node._y = weights.pop()
        raise
    for node in order:
        if node._op_row is not None:
            node._grad = 0.0
