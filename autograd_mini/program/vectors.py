r"""The functions of the table for vectors: a few numbers side by side in one register of the processor.

They reduce their operand to a small interval and use a series there (J.-M. Muller, *Elementary Functions*, 2016,
chapter 11). Their error is at most 4 units in the last place, if the result is a normal number. These functions exist
because a compiler turns a loop over numbers into calls of `exp` for one number at a time.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..ops import sqrt
from .machine import WIDTH
from .primitives import (
    Static,
    Vector,
    applied,
    exponent,
    fraction,
    lane,
    powers,
    rounded,
    shared,
    shuffled,
    signed_as,
    size_of,
    sum_of,
    two_to,
    where,
)

LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # the first 32 bits of log 2, and the rest
LN2, LOG2_E = math.log(2.0), math.log2(math.e)
SMALLEST_NORMAL, LARGEST = sys.float_info.min, sys.float_info.max
INF, NAN = math.inf, math.nan
EXP_REST = [1.0 / math.factorial(k + 2) for k in range(12)]  # (e^r - 1 - r) / r^2
LOG_REST = [2.0 / (2 * k + 3) for k in range(10)]  # (log((1 + s) / (1 - s)) - 2s) / s^3, as a series in s^2


# Sums.


def four(v: Vector) -> Vector:
    """Return four numbers with the same sum as a vector."""
    if WIDTH == 4:
        return v
    return sum_of(shuffled(v, v, [0, 1, 2, 3]), shuffled(v, v, [4, 5, 6, 7]))


def total(v: Vector) -> float:
    """Return the sum of a vector."""
    x = four(v)
    y = sum_of(x, shuffled(x, x, [2, 3, 0, 1]))
    return lane(sum_of(y, shuffled(y, y, [1, 0, 3, 2])), 0)


def paired(v: Vector, w: Vector, first: Static, second: Static) -> Vector:
    """Add some numbers of two vectors to other numbers. The places repeat for each four numbers."""
    places = [[four + k for four in range(0, WIDTH, 4) for k in half] for half in (first, second)]
    return sum_of(shuffled(v, w, places[0]), shuffled(v, w, places[1]))


def four_totals(x: Vector, y: Vector, z: Vector, w: Vector) -> Vector:
    """Return the sums of four vectors."""
    a, b = [paired(v, u, (0, WIDTH, 2, WIDTH + 2), (1, WIDTH + 1, 3, WIDTH + 3)) for v, u in ((x, y), (z, w))]
    return four(paired(a, b, (0, 1, WIDTH, WIDTH + 1), (2, 3, WIDTH + 2, WIDTH + 3)))


# Functions.


def maximum(x: Vector, y: Vector) -> Vector:
    r"""Return $\max(x, y)$, or x if x is nan."""
    return where(x >= y, x, where(x == x, y, x))


def minimum(x: Vector, y: Vector) -> Vector:
    r"""Return $\min(x, y)$, or x if x is nan."""
    return where(x <= y, x, where(x == x, y, x))


def polynomial(c: Sequence[float], x: Vector) -> Any:
    """Return $c_0 + c_1 x + c_2 x^2 + ...$, by even and odd powers (Estrin)."""
    if len(c) == 1:
        return c[0]
    square = x * x
    return polynomial(c[1::2], square) * x + polynomial(c[::2], square)


def reduced(x: Vector) -> tuple[Vector, Vector]:
    r"""Return n, and $e^r - 1$, with $x = n \log 2 + r$."""
    n = rounded(x * LOG2_E)
    r = x - n * LN2_HIGH - n * LN2_LOW
    return n, r + r * r * polynomial(EXP_REST, r)


@shared
def exp(x: Vector) -> Vector:
    """Return $e^x$."""
    n, rest = reduced(maximum(minimum(x, 710.0), -746.0))
    half = rounded(n * 0.5)  # 2 to the power n may overflow; 2 to the power n / 2 does not
    return (rest + 1.0) * two_to(half) * two_to(n - half)


@shared
def exp2(x: Vector) -> Vector:
    """Return $2^x$."""
    x = maximum(minimum(x, 1025.0), -1076.0)
    n = rounded(x)
    r = (x - n) * LN2
    half = rounded(n * 0.5)
    return (r + r * r * polynomial(EXP_REST, r) + 1.0) * two_to(half) * two_to(n - half)


@shared
def tanh(x: Vector) -> Vector:
    r"""Return $\tanh x = t / (t + 2)$, with $t = e^{2x} - 1$."""
    a = minimum(size_of(x), 20.0)
    n, rest = reduced(a + a)
    t = two_to(n) * rest + (two_to(n) - 1.0)
    return signed_as(t / (t + 2.0), x)


@shared
def log(x: Vector) -> Vector:
    r"""Return $\log x = n \log 2 + \log(1 + f)$."""
    tiny = x < SMALLEST_NORMAL
    y = where(tiny, x * 2.0**54, x)
    n = exponent(y) - where(tiny, 54.0, 0.0)
    f = fraction(y) - 1.0
    s = f / (f + 2.0)
    h = 0.5 * f * f
    z = n * LN2_HIGH - ((h - (s * (h + s * s * polynomial(LOG_REST, s * s)) + n * LN2_LOW)) - f)
    z = where(x > LARGEST, INF, z)
    z = where(x <= 0.0, where(x == 0.0, -INF, NAN), z)
    return where(x == x, z, x)


@shared
def sigmoid(x: Vector) -> Vector:
    """Return $1 / (1 + e^{-x})$."""
    e = exp(-size_of(x))
    return where(x >= 0.0, 1.0, e) / (e + 1.0)


@shared
def softplus(x: Vector) -> Vector:
    r"""Return $\log(1 + e^x)$."""
    e = exp(-size_of(x))
    w = e + 1.0
    return maximum(x, 0.0) + log(w) + (e - (w - 1.0)) / w  # the last term adds the part of e that w lost by rounding


def log_sigmoid(x: Vector) -> Vector:
    r"""Return $-\log(1 + e^{-x})$."""
    return -softplus(-x)


@shared
def logaddexp(x: Vector, y: Vector) -> Vector:
    r"""Return $\log(e^x + e^y)$. For equal numbers, also infinite ones, it is x + log 2."""
    return where(x == y, x + LN2, maximum(x, y) + softplus(-size_of(x - y)))


def degrees(x: Vector) -> Vector:
    """Return an angle in degrees."""
    return x * (180.0 / math.pi)


def radians(x: Vector) -> Vector:
    """Return an angle in radians."""
    return x * (math.pi / 180.0)


def relu(x: Vector) -> Vector:
    r"""Return $\max(0, x)$."""
    return where(x <= 0.0, 0.0, x)


def leaky_relu(x: Vector, slope: Vector) -> Vector:
    """Return x, or slope times x if x is negative."""
    return where(x <= 0.0, slope * x, x)


def silu(x: Vector) -> Vector:
    r"""Return $x \sigma(x)$."""
    return x * sigmoid(x)


@shared
def hypot(x: Vector, y: Vector) -> Vector:
    r"""Return $\sqrt{x^2 + y^2}$: the larger number times $\sqrt{1 + r^2}$, so no square overflows."""
    a, b = size_of(x), size_of(y)
    large, small = maximum(a, b), minimum(a, b)
    r = where(large == small, where(large == 0.0, 0.0, 1.0), small / large)
    z = large * applied(sqrt, [1.0 + r * r])
    return where(a > LARGEST, INF, where(b > LARGEST, INF, z))  # also if the other number is nan


@shared
def pow(x: Vector, y: Vector) -> Vector:
    """Return $x^y$. If all lanes have the same small whole or half exponent, use products and roots."""
    n = lane(y, 0)
    if total(size_of(y - n)) == 0.0:
        if n in (1.0, 2.0, 3.0, -1.0, -2.0, -3.0):
            z = x if n > 0.0 else 1.0 / x
            return z if abs(n) == 1.0 else z * z if abs(n) == 2.0 else z * z * z
        if n in (0.5, 1.5, -0.5, -1.5):
            root = where(x == -INF, INF, applied(sqrt, [x + 0.0]))  # the results of pow for -0.0 and -inf
            z = root if abs(n) == 0.5 else root * size_of(x)
            return z if n > 0.0 else 1.0 / z
    return powers(x, y)


def identity(x: Vector) -> Vector:
    """Return x."""
    return x


def excess(x: Vector, y: Vector) -> Vector:
    """Return x - y, or 0 if both are inf."""
    return where(minimum(x, y) == INF, 0.0, x - y)


def greater(x: Vector, y: Vector) -> Vector:
    """Return 1 where x > y, else 0."""
    return where(x > y, 1.0, 0.0)


def greater_equal(x: Vector, y: Vector) -> Vector:
    """Return 1 where x >= y, else 0."""
    return where(x >= y, 1.0, 0.0)


def equal(x: Vector, y: Vector) -> Vector:
    """Return 1 where x = y, else 0."""
    return where(x == y, 1.0, 0.0)


def chosen(condition: Vector, x: Vector, y: Vector) -> Vector:
    """Return x where the condition is not 0, else y."""
    return where(condition != 0.0, x, y)


LANES: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        maximum, minimum, exp, tanh, log, sigmoid, softplus, relu, leaky_relu, silu, hypot, pow, identity, greater,
        greater_equal, equal, excess, exp2, log_sigmoid, logaddexp, degrees, radians,
    )
} | {"where": chosen}  # fmt: skip
