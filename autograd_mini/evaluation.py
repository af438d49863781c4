"""The number and the local derivatives of a node, computed by its row from the numbers of its operands.

`Value` calls this module when it records an operation, and `sweeps` when a graph is computed again. Frequent rows have
their own code here, for speed; each is tested against its row. The module makes no nodes.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, NoReturn

from .node import Node, number_of, operands_of
from .ops import (
    Op,
    add,
    div,
    dot as dot_row,
    mul,
    neg as negation,
    number,
    pow as power,
    refuse,
    relu as rectifier,
    sub,
    sum as sum_row,
)
from .settings import ARITHMETIC, in_force, setting

if TYPE_CHECKING:
    import cython

    from .value import Number, Value
else:
    from . import uncompiled as cython

_WEIGHT = array("d", [1.0])


def _function(op: Op) -> Callable[..., float]:
    """Return the float function of a row for the arithmetic in force."""
    return op.function if not in_force.count or setting(ARITHMETIC, "Python's") == "Python's" else op.limit.function


def applied_to_one(op: Op, node: Node) -> float:
    """Return the value of a row of one operand at a node, or raise an error that names the node."""
    try:
        data = op.function(node._data) if not in_force.count else _function(op)(node._data)
    except (ArithmeticError, ValueError) as error:
        _refuse(error, op, (node,))
    return data if type(data) is float else number(f"{op}: its result", data)  # of a custom op


def slope_of_one(op: Op, x: float, data: Any) -> float:
    """Return the local derivative of a row of one operand at x, where its value is `data`."""
    try:
        slope = op.rules[0](x, data)
    except (ArithmeticError, ValueError):  # at a pole the row has the limit
        slope = None
    if type(slope) is float:
        return slope
    return float(slope) if isinstance(slope, float) else op.partial(0, (x,), data)


def is_plain_power(x: float, c: float) -> bool:
    """Return whether a power is real, and its slope is not at a pole and not the constant 0."""
    return c != 0.0 and (x > 0.0 or (x < 0.0 and c == c // 1.0))


def raised(x: float, c: float) -> float:
    """Return a power, or inf if it overflows."""
    try:
        z: float = x**c
    except OverflowError:
        z = inf
    return z


def value_of(op: Op, numbers: tuple[float, ...], operands: tuple[object, ...]) -> float:
    """Return the value of a row at numbers, or raise an error that names the operands."""
    try:
        data = _function(op)(*numbers)
    except (ArithmeticError, ValueError) as error:
        _refuse(error, op, operands)
    return data if type(data) is float else number(f"{op}: its result", data)  # of a custom op


def _refuse(error: Exception, op: Op, operands: tuple[object, ...]) -> NoReturn:
    """Raise an error that names the op and its operands, before any node exists."""
    refuse(error, op, [_text_of(x) for x in operands])


def _text_of(operand: object) -> str:
    if isinstance(operand, Node):
        node: Node = operand
        return f"{node._label}={node._data!r}" if node._label else repr(node._data)
    return repr(operand)


def inner_product(operands: list[Any], n: cython.Py_ssize_t, weights: array[float] | None) -> float:
    """Return the sum of n products, plus the bias if there is one. In the list, plain numbers become floats."""
    total: float = 0.0
    w: float
    x: float
    i: cython.Py_ssize_t
    for i in range(n):
        w = read_operand("dot", operands, i)
        x = read_operand("dot", operands, i + n)
        total = total + w * x if i else w * x
        if weights is None:
            continue
        if cython.compiled:
            put(weights, i, x)  # type: ignore[name-defined]  # noqa: F821  # of node.pxd
            put(weights, i + n, w)  # type: ignore[name-defined]  # noqa: F821
        else:
            weights[i], weights[i + n] = x, w
    if len(operands) > 2 * n:
        total = total + read_operand("dot", operands, 2 * n)
    return total


def total_of(operands: list[Any]) -> float:
    """Return the sum of numbers, from left to right. In the list, plain numbers become floats."""
    total: float = read_operand("sum", operands, 0)
    i: cython.Py_ssize_t
    for i in range(1, len(operands)):
        total = total + read_operand("sum", operands, i)
    return total


def read_operand(name: str, operands: list[Any], i: cython.Py_ssize_t) -> float:
    """Return the number of an operand. In the list, a plain number becomes a float."""
    operand = operands[i]
    if isinstance(operand, Node):
        node: Node = as_node(operand) if cython.compiled else operand  # type: ignore[name-defined]  # noqa: F821
        return node._data
    if type(operand) is not float:
        operands[i] = operand = number(name, operand)
    plain: float = operand
    return plain


def unit_weights(n: cython.Py_ssize_t) -> array[float]:
    """Return an array of n ones."""
    weights: array[float] = _WEIGHT * n
    return weights


def compute(node: Node) -> None:
    """Compute a node's number and local derivatives again from the numbers of its operands."""
    op: Any = node._op_row
    if type(node._x) is tuple:
        _compute_many(node, op)
        return
    x: float = number_of(node._x)
    y: float = number_of(node._y)
    if op is add:
        node._data = x + y
    elif op is mul:
        node._data = x * y
        _weigh(node, y, x)
    elif op is sub:
        node._data = x - y
    elif op is negation:
        node._data = -x
    elif op is div and y != 0.0:
        node._data = x / y
        _weigh(node, 1.0 / y, -node._data / y)
    elif op is rectifier:
        node._data = 0.0 if x <= 0.0 else x
        node._dx = 1.0 if x > 0.0 else 0.0
    elif op is power and not isinstance(node._y, Node) and is_plain_power(x, y):
        z: float = raised(x, y)
        slope: float = y * raised(x, y - 1.0)
        if -inf < z < inf and -inf < slope < inf:
            node._data = z
            node._dx = slope
        else:
            _compute_by_row(node, op)
    elif node._y is None:
        data = applied_to_one(op, node._x)
        node._dx = slope_of_one(op, x, data)
        node._data = data
    else:
        _compute_by_row(node, op)


def _weigh(node: Node, dx: float, dy: float) -> None:
    node._dx = 0.0 if type(node._x) is float else dx
    node._dy = 0.0 if type(node._y) is float else dy


def _compute_by_row(node: Node, op: Op) -> None:
    data, partials = _by_row(op, operands_of(node))
    node._dx, node._dy = partials[0], partials[-1]
    node._data = data


def _compute_many(node: Node, op: Op) -> None:
    operands: tuple[Number, ...] = node._x
    if op is dot_row or op is sum_row:
        numbers: list[float] = [number_of(x) for x in operands]
        n: cython.Py_ssize_t = len(numbers) // 2
        weights = unit_weights(len(numbers))
        node._data = total_of(numbers) if op is sum_row else inner_product(numbers, n, weights)
        node._y = weights
        return
    data, partials = _by_row(op, operands)
    node._y = array("d", partials)
    node._data = data


def _by_row(op: Op, operands: tuple[Number, ...]) -> tuple[float, list[float]]:
    """Return the value of a row and its local derivatives. A constant has 0."""
    numbers = tuple([number_of(x) for x in operands])
    data = value_of(op, numbers, operands)
    return data, [op.partial(i, numbers, data) if isinstance(x, Node) else 0.0 for i, x in enumerate(operands)]


def stale_node(order: list[Value]) -> tuple[Value, float] | None:
    """Return the first node whose number differs from its row's result by more than 4 ulp, and this result."""
    node: Node
    for node in order:
        op = node._op_row
        if op is None:
            continue
        data: float = op.limit.function(*[number_of(x) for x in operands_of(node)])
        if data != node._data and not _is_near(data, node._data):
            return node, data
    return None


def _is_near(x: float, y: float) -> bool:
    """Return whether numbers differ by at most 4 ulp (units in the last place). Two nan are the same."""
    if x != x or y != y:
        return x != x and y != y
    if math.isinf(x) or math.isinf(y):
        return x == y
    return math.fabs(x - y) <= 4.0 * math.ulp(max(math.fabs(x), math.fabs(y)))
