r"""Numbers with the digits of a float and an exponent of any size, for the coefficients of series of high order.

This module owns `Wide`. The Taylor coefficients of the exponential function are $1 / n!$, and from order 178 on a float
cannot hold them. The derivatives $n! \, c_n$ are in range again.
"""

from __future__ import annotations

from math import copysign, frexp, inf, ldexp
from typing import TypeAlias, Union

Real: TypeAlias = Union["Wide", float]


class Wide:
    r"""The number $m \cdot 2^e$: m is 0, infinite, nan, or from 0.5 to 1 in size.

    Operations round as those of floats, but never overflow or underflow. If the number is converted to a float, it may
    overflow or underflow.

    >>> tiny = Wide(0.5, -2000)
    >>> float(tiny), float(tiny * Wide(1.0, 2000)), float(1.0 / 3.0 + tiny)
    (0.0, 0.5, 0.3333333333333333)
    """

    __slots__ = ("e", "m")

    def __init__(self, m: float, e: int = 0) -> None:
        self.m, shift = frexp(m)
        self.e = e + shift

    def __add__(self, other: Real) -> Wide:
        y = other if type(other) is Wide else Wide(other)  # type: ignore[arg-type]  # a float
        if not self.m:
            return y
        if not y.m:
            return self
        gap = y.e - self.e
        return Wide(self.m + ldexp(y.m, gap), self.e) if gap < 0 else Wide(ldexp(self.m, -gap) + y.m, y.e)

    __radd__ = __add__

    def __sub__(self, other: Real) -> Wide:
        return self + -other

    def __rsub__(self, other: Real) -> Wide:
        return -self + other

    def __mul__(self, other: Real) -> Wide:
        y = other if type(other) is Wide else Wide(other)  # type: ignore[arg-type]  # a float
        return Wide(self.m * y.m, self.e + y.e)

    __rmul__ = __mul__

    def __truediv__(self, other: Real) -> Wide:
        y = other if type(other) is Wide else Wide(other)  # type: ignore[arg-type]  # a float
        return Wide(self.m / y.m, self.e - y.e)

    def __neg__(self) -> Wide:
        return Wide(-self.m, self.e)

    def __bool__(self) -> bool:
        return self.m != 0.0

    def __float__(self) -> float:
        try:
            return ldexp(self.m, self.e)
        except OverflowError:
            return copysign(inf, self.m)
