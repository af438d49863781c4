"""Special functions of floats, in plain Python: compilers read it to write machine code and JavaScript.

This module has functions of the table that are longer than a line and that `math` does not have. It also has the
values of IEEE arithmetic where functions raise an error. It must not know any row. Cython does not compile it, so
functions that a net calls often, such as the sigmoid, stand beside their rows in `ops`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from math import inf, nan
from typing import Any

# Powers and logarithms.


def powlog(x: float, y: float, k: float) -> float:
    if k < 0.0:  # the factor k of a derivative has made this term 0
        return 0.0
    z = math.pow(x, y)
    if k == 0.0:
        return z
    # If the power is 0, so is the product: the power goes to 0 faster than the logarithm goes to infinity.
    return 0.0 if z == 0.0 else z * math.pow(math.log(x), k)


def logaddexp(x: float, y: float) -> float:
    if x == y:  # also for infinite numbers
        return x + math.log(2.0)
    return x + math.log1p(math.exp(y - x)) if x > y else y + math.log1p(math.exp(x - y))


def logit(x: float) -> float:
    if x <= 0.0 or x >= 1.0:
        raise ValueError("math domain error")
    if 0.25 < x < 0.75:  # 2x - 1 is exact here
        return 2.0 * math.atanh(2.0 * x - 1.0)
    return math.log(x) - math.log1p(-x)


# The error and gamma functions.


def erfinv(x: float) -> float:
    if x <= -1.0 or x >= 1.0:
        raise ValueError("math domain error")
    a = math.fabs(x)
    t = 0.5 * math.log1p(-a * a)
    b = 2.0 / (math.pi * 0.147) + t
    z = math.sqrt(math.sqrt(b * b - t * (2.0 / 0.147)) - b)  # with an error of 0.2 % (Winitzki, 2008)
    for _ in range(3):  # each of Halley's steps makes three times as many digits right
        error = a - math.erf(z) if a < 0.5 else math.erfc(z) - (1.0 - a)
        step = 0.5 * math.sqrt(math.pi) * math.exp(z * z) * error
        z = z + step / (1.0 - z * step)
    return math.copysign(z, x)


def beyond_stirling(x: float) -> float:
    """Return the remainder of Stirling's formula for log Γ(x), for x >= 10."""
    t = 1.0 / x / x
    rest = ((t / 156.0 - 691.0 / 360360.0) * t + 1.0 / 1188.0) * t - 1.0 / 1680.0
    return (((rest * t + 1.0 / 1260.0) * t - 1.0 / 360.0) * t + 1.0 / 12.0) / x


def betaln(x: float, y: float) -> float:
    if x != x or y != y:
        return x + y
    if x <= 0.0 or y <= 0.0:
        raise ValueError("math domain error")
    a = min(x, y)
    b = max(x, y)
    if b == inf:
        return -inf
    if b < 10.0:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    # The logarithms of large gammas nearly cancel. This form of Stirling's formula has cancelled their large parts.
    rest = beyond_stirling(b) - beyond_stirling(a + b)
    if a < 10.0:
        return math.lgamma(a) + (a - (b - 0.5) * math.log1p(a / b)) - a * math.log(a + b) + rest
    ends = beyond_stirling(a) + rest + 0.5 * (math.log(2.0 * math.pi) - math.log(b))
    h = a / b
    return ends + (a - 0.5) * math.log(h / (1.0 + h)) - b * math.log1p(h)


def digamma(x: float) -> float:
    if x == -inf or (x <= 0.0 and x % 1.0 == 0.0):
        raise ValueError("math domain error")
    return float(_scipy_special().digamma(x))


def digamma_series(x: float) -> float:
    """Return digamma without SciPy: by Stirling's series for large x, which a recurrence reaches from small x.

    For very negative x, use the reflection formula.
    """
    if x == 0.0:
        return -1.0 / x
    n = nearest(x)
    if x == -inf or (x < 0.0 and x == n):
        return nan
    u = 1.0 - x if x < -20.0 else x
    less = 0.0
    while u < 20.0:
        less = less + 1.0 / u
        u = u + 1.0
    t = 1.0 / u / u
    rest = ((((t / 132.0 - 1.0 / 240.0) * t + 1.0 / 252.0) * t - 1.0 / 120.0) * t + 1.0 / 12.0) * t
    z = math.log(u) - 0.5 / u - rest - less
    return z - math.pi / math.tan(math.pi * (x - n)) if x < -20.0 else z


def polygamma(order: float, x: float) -> float:
    if order == 0.0:
        return digamma(x)
    if order % 1.0 != 0.0 or order < 0.0 or x == -inf or (x <= 0.0 and x % 1.0 == 0.0):
        raise ValueError("math domain error")
    special = _scipy_special()
    with import_module("numpy").errstate(all="ignore"):
        if not x < 0.0:
            return float(special.polygamma(int(order), x))
        # The sum of (x + k)**-s over all k >= 0. The numbers x + k below 0 are x, ..., -u - 1, -u.
        s = order + 1.0
        k = -math.floor(x)
        u = -(x + k - 1.0)
        total = special.zeta(s, x + k) + (-1.0) ** s * (special.zeta(s, u) - special.zeta(s, u + k))
        return float((-1.0) ** s * special.gamma(s) * total)


def polygamma_gap(order: float, x: float, y: float) -> float:
    # The recurrence and Stirling's series of polygamma. Each term is the difference of its values at u and u + y.
    if order % 1.0 != 0.0 or order < 0.0 or x <= 0.0 or y < 0.0:
        raise ValueError("math domain error")
    u = x
    total = 0.0
    while u < 20.0 + order:
        total = total + power_difference(order + 1.0, u, y)
        u = u + 1.0
    total = total + 0.5 * power_difference(order + 1.0, u, y)
    total = total + (power_difference(order, u, y) / order if order > 0.0 else math.log1p(y / u))
    factor = order + 1.0  # (order + k)! / order!
    k = 1.0
    for c in (12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1307674368000.0 / 691.0):  # (2j)! / B_2j
        total = total + factor * power_difference(order + k + 1.0, u, y) / c
        factor = factor * (order + k + 1.0) * (order + k + 2.0)
        k = k + 2.0
    for j in range(1, int(order) + 1):
        total = total * -j
    return -total


def power_difference(s: float, u: float, y: float) -> float:
    """Return u**-s - (u + y)**-s."""
    return 0.0 if y == 0.0 else -math.pow(u, -s) * math.expm1(-s * math.log1p(y / u))


# The functions that call SciPy, with the same function in Python alone, or None if there is none.
WITHOUT_SCIPY: dict[Callable[..., float], Callable[..., float] | None] = {digamma: digamma_series, polygamma: None}


def _scipy_special() -> Any:
    try:
        return import_module("scipy.special")
    except ImportError as error:
        raise ImportError(
            'digamma and polygamma, and so the derivatives of lgamma and gamma, need SciPy: pip install ".[scipy]"'
        ) from error


# The cardinal sine.


def sine_of_quarters(x: float, k: float) -> float:
    """Return sin(πx + kπ/2). Its zeros are exactly 0."""
    n = nearest(2.0 * x)
    r = math.pi * (x - 0.5 * n)
    q = (n % 4.0 + k) % 4.0
    z = math.sin(r) if q % 2.0 == 0.0 else math.cos(r)
    return z if q < 2.0 else 0.0 - z


def sinc(x: float) -> float:
    u = math.pi * x
    if u == 0.0:
        return 1.0
    return 0.0 if math.isinf(u) else sine_of_quarters(x, 0.0) / u


def sinc_derivative(k: float, x: float) -> float:
    # S_k is the k-th derivative of sin(u)/u, and u S_k + k S_(k-1) = sin(u + kπ/2). If u is large, use this upwards.
    # Else use it downwards, from a k so large that the error of S_k does not matter (Miller).
    if not k >= 0.0 or k % 1.0 != 0.0:
        raise ValueError("math domain error")
    if k > 600.0:  # larger powers of π overflow
        raise OverflowError("math range error")
    u = math.pi * x
    if math.isinf(u):  # x is infinite or an even number; the next terms are smaller by a factor of x
        return 0.0 if math.isinf(x) else sine_of_quarters(0.0, k) * math.pow(math.pi, k - 1.0) / x
    n = int(k)
    sine = sine_of_quarters(x, 0.0)
    cosine = sine_of_quarters(x, 1.0)
    if math.fabs(u) > k:
        s = sine / u
        for j in range(1, n + 1):
            s = (cosine - j * s) / u
            sine, cosine = cosine, -sine
    else:
        s = 0.0
        if n % 2 == 1:
            sine, cosine = -sine, -cosine
        for j in range(2 * n + 40, n, -1):
            s = (sine - u * s) / j
            sine, cosine = -cosine, sine
    return s * math.pow(math.pi, k)


# Whole numbers as floats. They keep the sign of zero, and inf and nan, which Python's ints do not have.


def floor(x: float) -> float:
    return math.copysign(math.floor(x), x) if math.isfinite(x) else x


def ceil(x: float) -> float:
    return math.copysign(math.ceil(x), x) if math.isfinite(x) else x


def trunc(x: float) -> float:
    return math.copysign(math.trunc(x), x) if math.isfinite(x) else x


def nearest(x: float) -> float:
    return math.copysign(round(x), x) if math.isfinite(x) else x


def to_next_whole(x: float) -> float:
    return x - nearest(x)


def to_next_step(x: float) -> float:
    """Return the distance to a step of trunc. At 0 it has no step."""
    return x - nearest(x) if math.fabs(x) > 0.5 else 1.0 - math.fabs(x)


def to_next_multiple(x: float, y: float) -> float:
    return math.remainder(x, y) if y != 0.0 and math.isfinite(x) else nan


# Values by IEEE arithmetic where functions raise an error.


def infinite(x: float) -> float:
    return inf


def undefined(x: float) -> float:
    return nan


def undefined_of_two(x: float, y: float) -> float:
    return nan


def div_beyond(x: float, y: float) -> float:
    return nan if x == 0.0 or x != x else math.copysign(inf, x) * math.copysign(1.0, y)


def pow_beyond(x: float, y: float) -> float:
    odd = math.isfinite(y) and y % 2.0 == 1.0
    if x == 0.0 or y == math.floor(y):  # a pole, or an overflow
        return math.copysign(inf, x) if odd else inf
    return nan if x < 0.0 else inf


def powlog_beyond(x: float, y: float, k: float) -> float:
    if y != y or (x < 0.0 and k != 0.0) or k % 1.0 != 0.0:
        return nan
    z = 1.0 if y == 0.0 else pow_beyond(x, y)
    if k == 0.0:
        return z
    log_of_x = -inf if x == 0.0 else math.log(x)
    size = math.fabs(log_of_x)
    if size > 1.0 and k * math.log(size) > 709.78:  # the power overflows
        return z * pow_beyond(log_of_x, k)
    return z * math.pow(log_of_x, k)


def polygamma_gap_beyond(order: float, x: float, y: float) -> float:
    if order % 1.0 != 0.0 or not (order >= 0.0 and x >= 0.0 and y >= 0.0):
        return nan
    return -inf if order % 2.0 == 0.0 else inf  # a pole, or an overflow


def log_beyond(x: float) -> float:
    return -inf if x == 0.0 else nan


def infinite_at_one(x: float) -> float:
    return math.copysign(inf, x) if math.fabs(x) == 1.0 else nan
