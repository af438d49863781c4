r"""Functions of several numbers that are composed of rows, without overflow.

This module owns functions that take a list, such as $\log\sum e^x$, softmax and `take`. If all arguments are numbers,
the result is a float. If one is a Value, the result is a Value. The module must not know nets.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, SupportsFloat, TypeVar, overload

from .node import primal
from .ops import (
    Op,
    Recorder,
    abs,
    equal,
    excess,
    exp,
    exp2,
    floor,
    floordiv,
    listed,
    log,
    log2,
    maximum,
    minimum,
    mod,
    number,
    root,
    stop_gradient,
    take as take_row,
    where,
)
from .recorder import Operand
from .structure import Tree, flatten
from .sums import dot, sum
from .value import Value

LARGEST = sys.float_info.max

X = TypeVar("X")


@overload
def logsumexp(xs: Iterable[Value]) -> Value: ...
@overload
def logsumexp(xs: Iterable[float]) -> float: ...
@overload
def logsumexp(xs: Iterable[SupportsFloat]) -> Value | float: ...
def logsumexp(xs: Iterable[SupportsFloat]) -> Any:
    r"""Return $\log \sum_i e^{x_i}$, a smooth maximum, without overflow.

    Compute it as $m + \log \sum_i e^{x_i - m}$, where m is the largest x. The derivative does not depend on m.

    Raises:
        ValueError: there are no numbers.

    >>> logsumexp([1000.0, 1000.0]) == 1000 + log(2.0)
    True
    """
    xs = _some("logsumexp", xs)
    top = maximum(-LARGEST, _largest(xs))  # above -inf, because -inf - -inf is nan
    return log.limit(sum(exp(excess(x, top)) for x in xs)) + top


@overload
def softmax(xs: Iterable[Value]) -> list[Value]: ...
@overload
def softmax(xs: Iterable[float]) -> list[float]: ...
@overload
def softmax(xs: Iterable[SupportsFloat]) -> list[Any]: ...
def softmax(xs: Iterable[SupportsFloat]) -> list[Any]:
    r"""Return $e^{x_i} / \sum_j e^{x_j}$ for each of the numbers, which are logits.

    A logit of -inf masks its class: its result and its derivatives are 0. A logit of inf has the result 1, and several
    of them share it equally. If all logits are -inf, the results are nan.

    Raises:
        ValueError: there are no numbers.

    >>> softmax([0.0, 0.0]), softmax([0.0, -float("inf")]), softmax([float("inf"), 0.0])
    ([0.5, 0.5], [1.0, 0.0], [1.0, 0.0])
    """
    xs = _some("softmax", xs)
    top = _largest(xs)
    exps = [exp(excess(x, top)) for x in xs]
    total = sum(exps)
    return [e / total for e in exps]


@overload
def log_softmax(xs: Iterable[Value]) -> list[Value]: ...
@overload
def log_softmax(xs: Iterable[float]) -> list[float]: ...
@overload
def log_softmax(xs: Iterable[SupportsFloat]) -> list[Any]: ...
def log_softmax(xs: Iterable[SupportsFloat]) -> list[Any]:
    r"""Return $x_i - \log \sum_j e^{x_j}$ for each of the numbers: finite where softmax underflows.

    For logits of inf and -inf, the results are the logarithms of those of `softmax`: 0 for 1, and -inf for 0.

    Raises:
        ValueError: there are no numbers.

    >>> log_softmax([1000.0, 0.0])
    [0.0, -1000.0]
    """
    shifted, total = shifted_logits("log_softmax", xs)
    return [x - total for x in shifted]


def shifted_logits(name: str, xs: Iterable[Any]) -> tuple[list[Any], Any]:
    r"""Return $x_i - \max_j x_j$ for each number, and the logarithm of the sum of their exponentials."""
    xs = _some(name, xs)
    top = _largest(xs)
    shifted = [excess(x, top) for x in xs]
    return shifted, log(sum(exp(x) for x in shifted))


@overload
def divmod(x: Value, y: SupportsFloat) -> tuple[Value, Value]: ...
@overload
def divmod(x: SupportsFloat, y: Value) -> tuple[Value, Value]: ...
@overload
def divmod(x: float, y: float) -> tuple[float, float]: ...
def divmod(x: SupportsFloat, y: SupportsFloat) -> tuple[Any, Any]:
    r"""Return $\lfloor x / y \rfloor$ and the remainder, `x // y` and `x % y`, as Python's `divmod` does.

    Raises:
        ZeroDivisionError: y is 0.

    >>> divmod(-7, 3), divmod(Value(7.5), -2)
    ((-3.0, 2.0), (Value(-4.0, op='floordiv'), Value(-0.5, op='mod')))
    """
    return floordiv(x, y), mod(x, y)


@overload
def clip(x: Value, lo: SupportsFloat | None = ..., hi: SupportsFloat | None = ...) -> Value: ...
@overload
def clip(x: float, lo: float | None = ..., hi: float | None = ...) -> float: ...
@overload
def clip(x: SupportsFloat, lo: SupportsFloat | None = ..., hi: SupportsFloat | None = ...) -> Value | float: ...
def clip(x: SupportsFloat, lo: SupportsFloat | None = None, hi: SupportsFloat | None = None) -> Any:
    r"""Return the number in $[lo, hi]$ that is nearest to x, $\min(\max(x, lo), hi)$. None is no limit.

    If x equals an end, both share the derivative. If lo > hi, the result is hi, as in NumPy.

    >>> clip(5.0, 0, 1), clip(-0.5, lo=0), clip(0.25, 0, 1)
    (1.0, 0.0, 0.25)
    """
    (x,) = _numbers("clip", [x])
    x = x if lo is None else maximum(x, lo)
    return x if hi is None else minimum(x, hi)


@overload
def mean(xs: Iterable[Value]) -> Value: ...
@overload
def mean(xs: Iterable[float]) -> float: ...
@overload
def mean(xs: Iterable[SupportsFloat]) -> Value | float: ...
def mean(xs: Iterable[SupportsFloat]) -> Any:
    r"""Return the mean of numbers, $\frac{1}{n} \sum_i x_i$. It is infinite if the sum overflows.

    Raises:
        ValueError: there are no numbers.

    >>> mean([1, 2, 6])
    3.0
    """
    xs = _numbers("mean", xs)
    return sum(xs) / float(len(xs))


@overload
def var(xs: Iterable[Value], ddof: float = ...) -> Value: ...
@overload
def var(xs: Iterable[float], ddof: float = ...) -> float: ...
@overload
def var(xs: Iterable[SupportsFloat], ddof: float = ...) -> Value | float: ...
def var(xs: Iterable[SupportsFloat], ddof: float = 0) -> Any:
    r"""Return the variance of numbers, $\frac{1}{n - d} \sum_i (x_i - \bar x)^2$. It is exactly 0 if they are equal.

    Args:
        xs: the numbers.
        ddof: d, 1 for a sample's.

    Raises:
        ValueError: there are not more numbers than d.

    >>> var([1, 2, 6]) == 14 / 3, var([1, 2, 6], ddof=1), var([0.1, 0.1, 0.1])
    (True, 7.0, 0.0)
    """
    deviations, n = _deviations("var", xs, ddof)
    return dot(deviations, deviations) / n


@overload
def std(xs: Iterable[Value], ddof: float = ...) -> Value: ...
@overload
def std(xs: Iterable[float], ddof: float = ...) -> float: ...
@overload
def std(xs: Iterable[SupportsFloat], ddof: float = ...) -> Value | float: ...
def std(xs: Iterable[SupportsFloat], ddof: float = 0) -> Any:
    r"""Return the standard deviation of numbers, $\sqrt{\frac{1}{n - d} \sum_i (x_i - \bar x)^2}$, without overflow.

    If all numbers are equal, it is 0 and has a kink: the slopes are 0, and second derivatives are nan.

    Args:
        xs: the numbers.
        ddof: d, 1 for a sample's.

    Raises:
        ValueError: there are not more numbers than d.

    >>> std([1.0, 3.0]), std([2e200, 4e200]), std([1.0, 2.0, 3.0], ddof=1)
    (1.0, 1e+200, 1.0)
    """
    deviations, n = _deviations("std", xs, ddof)
    return norm(deviations) / math.sqrt(n)


@overload
def norm(xs: Iterable[Value]) -> Value: ...
@overload
def norm(xs: Iterable[float]) -> float: ...
@overload
def norm(xs: Iterable[SupportsFloat]) -> Value | float: ...
def norm(xs: Iterable[SupportsFloat]) -> Any:
    r"""Return the length of a vector, $\sqrt{\sum_i x_i^2}$, without overflow.

    At 0 it has a kink: the slopes are 0, and second derivatives are nan. If you need second derivatives of its square
    at 0, or where the length is below 1e-205, write `dot(xs, xs)`.

    Raises:
        ValueError: there are no numbers.

    >>> norm([3.0, 4.0]), norm([3e300, 4e300]), norm([3e-320, 4e-320])
    (5.0, 5e+300, 5e-320)
    """
    xs = _numbers("norm", xs)
    top = _largest([abs(x) for x in xs])
    ordinary = where(equal(top, 0.0) + equal(top, math.inf), 1.0, top)
    # A power of 2, so that dividing by it rounds nothing. It is about the root of the largest number. Then the sum of
    # squares does not overflow, and neither do derivatives on their way back through the scale and the square root.
    exponent = log2(ordinary)
    scale = exp2(floor(exponent - clip(0.5 * exponent, -460.0, 460.0)))
    scaled = [x / scale for x in xs]
    return scale * root(dot(scaled, scaled))


@overload
def prod(xs: Iterable[Value]) -> Value: ...
@overload
def prod(xs: Iterable[float]) -> float: ...
@overload
def prod(xs: Iterable[SupportsFloat]) -> Value | float: ...
def prod(xs: Iterable[SupportsFloat]) -> Any:
    r"""Return the product of numbers, $\prod_i x_i$, from left to right. Its slopes are right also if a number is 0.

    Raises:
        ValueError: there are no numbers.

    >>> prod([2, 3, 4])
    24.0
    """
    return reduce(lambda x, y: x * y, _numbers("prod", xs))


@overload
def amax(xs: Iterable[Value]) -> Value: ...
@overload
def amax(xs: Iterable[float]) -> float: ...
@overload
def amax(xs: Iterable[SupportsFloat]) -> Value | float: ...
def amax(xs: Iterable[SupportsFloat]) -> Any:
    r"""Return the largest of numbers, $\max_i x_i$, or nan if one is nan. Equal largest numbers share the derivative.

    If three or more are all -inf, the slopes are 0.

    Raises:
        ValueError: there are no numbers.

    >>> x = [Value(3.0), Value(1.0), Value(3.0), Value(3.0)]
    >>> y = amax(x)
    >>> y.backward()
    >>> y.data, [round(v.grad, 3) for v in x]
    (3.0, [0.333, 0.0, 0.333, 0.333])
    """
    xs = _numbers("amax", xs)
    if len(xs) < 3:
        return reduce(maximum, xs)
    found = _largest(xs)
    top = maximum(found, -LARGEST)
    return found - sum(excess(top, maximum(x, top)) for x in xs) * _share(xs, found)


@overload
def amin(xs: Iterable[Value]) -> Value: ...
@overload
def amin(xs: Iterable[float]) -> float: ...
@overload
def amin(xs: Iterable[SupportsFloat]) -> Value | float: ...
def amin(xs: Iterable[SupportsFloat]) -> Any:
    r"""Return the smallest of numbers, $\min_i x_i$, or nan if one is nan. Equal smallest numbers share the derivative.

    If three or more are all inf, the slopes are 0.

    Raises:
        ValueError: there are no numbers.

    >>> amin([3, 1, 2])
    1.0
    """
    xs = _numbers("amin", xs)
    if len(xs) < 3:
        return reduce(minimum, xs)
    found = _largest(xs, minimum)
    bottom = minimum(found, LARGEST)
    return found - sum(excess(-minimum(x, bottom), -bottom) for x in xs) * _share(xs, found)


def cond(test: SupportsFloat, f: Callable[..., X], g: Callable[..., X], *operands: Tree) -> X:
    r"""Return `f(*operands)` if the test is not 0, else `g(*operands)`; the other function is not called.

    It is Python's `if` as an expression. A compiled function keeps a program for each side that was taken. In a batch,
    the examples that take the same side run together. If both sides are cheap and always defined, `where` makes one
    program of both.

    Args:
        test: a number, a Value or a bool, such as `x > 0`; nan is not 0.

    Raises:
        TypeError: f or g is not a function, or the test is neither a number nor a bool.

    >>> x = Value(-4.0)
    >>> cond(x > 0, lambda v: v**0.5, lambda v: 0.0 * v, x).data
    -0.0
    """
    for side in (f, g):
        if not callable(side):
            raise TypeError(f"cond: give a function for each side, as in ag.cond(x > 0, f, g, x), not {side!r}")
    holds = test if isinstance(test, bool) else (test if isinstance(test, Recorder) else number("cond", test)) != 0.0
    return f(*operands) if holds else g(*operands)


@overload
def take(rows: Sequence[X], index: float) -> X: ...
@overload
def take(rows: Sequence[SupportsFloat], index: Value) -> Value: ...
@overload
def take(rows: Tree, index: SupportsFloat) -> Tree: ...
def take(rows: Tree, index: SupportsFloat) -> Tree:
    r"""Return `rows[index]`. The index may be a Value, such as a token that is an input of a compiled program.

    The chosen row gets the derivative. The index gets none.

    Args:
        rows: numbers, or rows of numbers that all have the same structure.
        index: a whole number, counted from 0.

    Raises:
        IndexError: no row has this index.

    >>> take([10.0, 20.0, 30.0], 1.0)
    20.0
    >>> take([[1.0, 2.0], [3.0, 4.0]], 0)
    [1.0, 2.0]
    """
    at = primal(index) if isinstance(index, Value) else number("take", index)
    if not 0 <= at < len(rows) or not float(at).is_integer():
        raise IndexError(
            f"take: the index must be a whole number from 0 to {len(rows) - 1}, not {at:g}"
            if len(rows)
            else "take: there are no rows"
        )
    if not isinstance(index, Value):
        return rows[int(at)]
    flat = [flatten(row) for row in rows]
    structure = flat[0][1]
    for k, (_, other) in enumerate(flat):
        if other != structure:
            raise ValueError(f"take: row {k} has the structure {other}, row 0 {structure}")
    return structure.rebuild([take_row(index, *column) for column in zip(*(leaves for leaves, _ in flat), strict=True)])


def _numbers(name: str, xs: Iterable[SupportsFloat]) -> list[Operand]:
    """Return Values as they are, and plain numbers as floats."""
    return [x if isinstance(x, Recorder) else number(name, x) for x in _some(name, xs)]


def _deviations(name: str, xs: Iterable[SupportsFloat], ddof: float) -> tuple[list[Operand], float]:
    """Return the differences of numbers from their mean, and the divisor of the sum of their squares."""
    xs = _numbers(name, xs)
    n = len(xs) - number(name, ddof)
    if not n > 0.0:
        raise ValueError(f"{name}: the count of numbers must be more than ddof = {ddof}, not {len(xs)}")
    first = stop_gradient(xs[0])  # subtracted first, so that the differences of equal numbers are exactly 0
    differences = [x - first for x in xs]
    middle = mean(differences)
    return [x - middle for x in differences], n


def _share(xs: list[Operand], found: Operand) -> Operand:
    """Return the factor that turns the halves of a tie into equal shares."""
    return 2.0 / maximum(sum(equal(x, found) for x in xs), 1.0)


def _some(name: str, xs: Iterable[SupportsFloat]) -> list[Operand]:
    found = listed(name, xs)
    if not found:
        raise ValueError(f"{name}: there are no numbers")
    return found


def _largest(xs: list[Operand], larger: Op = maximum) -> Operand:
    """Return the largest number by comparing pairs, then pairs of results, and so on: a graph of few levels."""
    while len(xs) > 1:
        pairs = [larger(x, y) for x, y in zip(xs[::2], xs[1::2], strict=False)]
        xs = pairs + xs[2 * len(pairs) :]
    return stop_gradient(xs[0])  # a node, so that a trace finds the largest of other numbers, too
