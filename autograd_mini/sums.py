"""Sums and dot products of any number of operands, each as one node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsFloat, overload

from .evaluation import inner_product, read_operand, total_of, unit_weights
from .ops import dot as dot_row, listed, sum as sum_row
from .value import Value, make_node

if TYPE_CHECKING:
    import cython


@overload
def dot(ws: Iterable[Value], xs: Iterable[SupportsFloat], bias: SupportsFloat | None = None) -> Value: ...
@overload
def dot(ws: Iterable[SupportsFloat], xs: Iterable[Value], bias: SupportsFloat | None = None) -> Value: ...
@overload
def dot(ws: Iterable[SupportsFloat], xs: Iterable[SupportsFloat], bias: Value) -> Value: ...
@overload
def dot(ws: Iterable[float], xs: Iterable[float], bias: float | None = None) -> float: ...
@overload
def dot(
    ws: Iterable[SupportsFloat], xs: Iterable[SupportsFloat], bias: SupportsFloat | None = None
) -> Value | float: ...
def dot(ws: Iterable[Any], xs: Iterable[Any], bias: Any = None) -> Any:
    r"""Return $\sum_i w_i x_i + b$ as one node: the weighted sum of a neuron.

    Numbers may be among the Values. If there are only numbers, the result is a float. `draw(fold=False)` shows the
    products and sums.

    Raises:
        ValueError: there are no numbers, or the counts of w and x differ.

    >>> from autograd_mini import Value
    >>> w, b = [Value(2.0), Value(3.0)], Value(0.5)
    >>> z = dot(w, [10.0, 1.0], b)
    >>> z.backward()
    >>> z.data, [v.grad for v in w], b.grad
    (23.5, [10.0, 1.0], 1.0)
    """
    left: list[Any] = ws if type(ws) is list else listed("dot", ws)
    right: list[Any] = xs if type(xs) is list else listed("dot", xs)
    n: cython.Py_ssize_t = len(left)
    if n == 0 or len(right) != n:
        raise ValueError(f"dot: ws and xs need the same length, at least 1; got {n} and {len(right)}")
    operands: list[Any] = left + right
    if n == 1 and bias is None:
        read_operand("dot", operands, 0)
        read_operand("dot", operands, 1)
        return operands[0] * operands[1]
    if bias is not None:
        operands.append(bias)
    weights = unit_weights(len(operands))
    total: float = inner_product(operands, n, weights)
    if not _holds_value(operands):
        return total
    return make_node(dot_row, total, tuple(operands), weights, 0.0, 0.0)


@overload
def sum(xs: Iterable[Value]) -> Value: ...
@overload
def sum(xs: Iterable[float]) -> float: ...
@overload
def sum(xs: Iterable[SupportsFloat]) -> Value | float: ...
def sum(xs: Iterable[Any]) -> Any:
    r"""Return $\sum_i x_i$ as one node. Python's `sum` makes a node for each addition.

    Raises:
        ValueError: there are no numbers.

    >>> from autograd_mini import Value
    >>> x = [Value(1.0), Value(2.0), Value(3.0)]
    >>> y = sum(x)
    >>> y.data, len(y.parents)
    (6.0, 3)
    """
    operands: list[Any] = listed("sum", xs)
    n: cython.Py_ssize_t = len(operands)
    i: cython.Py_ssize_t
    if n == 0:
        raise ValueError("sum: there are no numbers")
    if n < 3:
        for i in range(n):
            read_operand("sum", operands, i)
        return operands[0] if n == 1 else operands[0] + operands[1]
    total: float = total_of(operands)
    if not _holds_value(operands):
        return total
    return make_node(sum_row, total, tuple(operands), unit_weights(n), 0.0, 0.0)


def _holds_value(operands: list[Any]) -> bool:
    for operand in operands:  # noqa: SIM110  # a generator is slow in C
        if isinstance(operand, Value):
            return True
    return False
