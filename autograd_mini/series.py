r"""Truncated power series, for derivatives of high order in one variable.

This module owns `Series`, a recorder that runs rows on Taylor coefficients. Sums, products, quotients and constant
powers follow the well-known recurrences (Griewank and Walther, Evaluating Derivatives, 2008, section 13.2). The series
of every other row comes from its rules by integration of $\dot z = \sum_i \partial z / \partial x_i \, \dot x_i$. So no
row has a rule for series. Order n takes $O(n^2)$ steps for each operation, while nested gradients grow exponentially.
The coefficients are floats, or Values if the result will be differentiated. For a derivative of high order, all but the
first are `Wide` numbers, which do not underflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from .limits import Compared
from .ops import Op, Recorder, add, div, excess, mul, neg, pow as pow_row, sub, where
from .recorder import Operand


class Series(Compared):
    r"""A power series $\sum_k c_k t^k$. A coefficient is computed when it is first read.

    >>> t = Series([2.0, 1.0])
    >>> square = t * t
    >>> [square[k] for k in range(4)]
    [4.0, 4.0, 1.0, 0.0]
    """

    def __init__(self, coefficients: Sequence[Operand], following: Callable[[int], Operand] | None = None) -> None:
        self.coefficients = list(coefficients)
        self.following = following  # returns coefficient k from the lower ones; None means that all further ones are 0
        self.made: dict[
            tuple[Op | str | int, ...], tuple[Series, tuple[Operand, ...]]
        ] = {}  # results of rows on this series, with their operands

    @property
    def x(self) -> Operand:
        """Return the number of the series, its first coefficient."""
        return self[0]

    def __getitem__(self, k: int) -> Operand:
        if self.constant:
            return self.coefficients[0] if k == 0 else 0.0
        while len(self.coefficients) <= k:
            self.coefficients.append(0.0 if self.following is None else self.following(len(self.coefficients)))
        return self.coefficients[k]

    @property
    def constant(self) -> bool:
        """Return whether only the first coefficient can differ from 0."""
        return self.following is None and len(self.coefficients) == 1

    def record(self, op: Op, operands: tuple[Operand, ...]) -> Series:
        """Apply a row to series; other operands are constants.

        For the same row and operands, return the earlier result, because the rule of sin needs cos, and the rule of cos
        needs sin.
        """
        key = (op, *(x.hex() if isinstance(x, float) else id(x) for x in operands))
        made = self.made.get(key)
        if made is None:
            made = self.made[key] = self._applied(op, operands), operands
        return made[0]

    def _applied(self, op: Op, operands: tuple[Operand, ...]) -> Series:
        x, *rest = xs = [x if isinstance(x, Series) else Series([x]) for x in operands]
        y = rest[0] if rest else x
        row = op.row
        if row is where:
            # Values compare by their numbers. nan counts as true, as in Python.
            return rest[1] if x[0] >= 0.0 and x[0] <= 0.0 else rest[0]
        z = Series([op(*(x[0] for x in xs))])
        if all(x.constant for x in xs):
            return z
        exponent = y[0] if row is pow_row and y.constant else None
        if op is add:
            z.following = lambda k: x[k] + y[k]
        elif op is sub or op is excess:
            z.following = lambda k: x[k] - y[k]
        elif op is neg:
            z.following = lambda k: -x[k]
        elif op is mul:
            z.following = lambda k: _sum(x[j] * y[k - j] for j in range(k + 1))
        elif row is div:
            z.following = lambda k: (x[k] - _sum(y[j] * z[k - j] for j in range(1, k + 1))) / y[0]
        elif isinstance(exponent, (int, float)) and 0 <= exponent < 2**53 and float(exponent).is_integer():
            # As a product, because the recurrence divides by x[0], which may be 0 or nearly 0. For a larger power, the
            # products are nested too deep.
            z.following = _whole_power(x, int(exponent)).__getitem__
        elif exponent is not None:
            z.following = lambda k: (
                _sum((exponent * j - (k - j)) * x[j] * z[k - j] for j in range(1, k + 1)) / (k * x[0])
            )
        else:
            z.following = _Integral(op, operands, xs, z)
        return z


class _Integral:
    """Compute the coefficients of z from the rules of its row and the derivatives of its operands."""

    def __init__(self, op: Op, operands: tuple[Operand, ...], xs: list[Series], z: Series) -> None:
        self.op, self.operands, self.xs, self.z = op, operands, xs, z

    @cached_property
    def terms(self) -> list[tuple[Operand, Series]]:
        """Pair the local derivatives, as series or numbers, with their operands."""
        return [(self.op.local(i, self.operands, self.z), x) for i, x in enumerate(self.xs) if not x.constant]

    def __call__(self, k: int) -> Operand:
        total: Operand = 0.0
        for slope, x in self.terms:
            if isinstance(slope, Series):
                total = total + _sum(slope[k - j] * (j * x[j]) for j in range(1, k + 1))
            else:
                total = total + slope * (k * x[k])
        return total / k


def _whole_power(x: Series, n: int) -> Series:
    """Multiply n equal factors by repeated squaring."""
    power = Series([1.0])
    while n:
        if n % 2:
            power = power * x
        x, n = x * x, n // 2
    return power


def _sum(terms: Iterable[Operand]) -> Operand:
    """Add the terms. Skip zeros that are plain numbers, because most series have few coefficients."""
    total: Operand = 0.0
    for term in terms:
        if isinstance(term, Recorder) or term:
            total = total + term
    return total
