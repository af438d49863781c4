r"""Rational functions of numbered symbols, with exact cancellation.

This module owns the form $k \prod_i q_i^{n_i}$. Here k is a fraction, each q is a polynomial whose leading coefficient
is 1, and a power may be negative. A sum keeps the factors that all its terms share; the rest is multiplied out, and
then divided by factors of the denominator where possible. `Ratio` is a recorder: a row's rule applied to Ratios gives
a Ratio, and each call that is not arithmetic becomes a symbol. This module must not know the meaning of the symbols.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from ..ops import Op, Recorder, add, div, mul, neg, pow, sigmoid, sub
from ..recorder import Operand
from .arguments import Numbers

Monomial: TypeAlias = tuple[int, ...]  # the symbols in order; x**2 has x twice
Ratios: TypeAlias = Numbers  # an array of objects, each a Ratio
Polynomial: TypeAlias = dict[Monomial, Fraction]
Factor: TypeAlias = tuple[tuple[Monomial, Fraction], ...]  # a polynomial that can be a key of a dict

ONE: Polynomial = {(): Fraction(1)}


class Ratio(Recorder):
    """A rational function; made by `Algebra.symbol` and `Algebra.of`, and by arithmetic.

    >>> algebra = Algebra(first=10)
    >>> a, y = algebra.symbol(1), algebra.symbol(2)
    >>> slope = -(y / a) + (1.0 - y) / (1.0 - a)
    >>> slope * (a * (1.0 - a)) == a - y
    True
    """

    __slots__ = ("algebra", "factors", "k")
    first_order = True

    def __init__(self, algebra: Algebra, k: Fraction, factors: Mapping[Factor, int]) -> None:
        self.algebra = algebra
        self.k = k
        self.factors = {factor: n for factor, n in factors.items() if n} if k else {}

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Return the key of the function: equal functions have equal keys."""
        return self.k, frozenset(self.factors.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ratio) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def size(self) -> int:
        """Return the number of terms of all factors."""
        return sum(len(factor) * abs(n) for factor, n in self.factors.items())

    @property
    def symbols(self) -> set[int]:
        """Return all symbols in it."""
        return {x for factor in self.factors for monomial, _ in factor for x in monomial}

    def split(self) -> tuple[Polynomial, dict[Factor, int]]:
        """Return the numerator, multiplied out, and the factors of the denominator."""
        above = [(factor, n) for factor, n in self.factors.items() if n > 0]
        return _expanded(self.k, above), {factor: -n for factor, n in self.factors.items() if n < 0}

    def renamed(self, names: Mapping[int, int]) -> Ratio:
        """Return the function with other symbols in place of its own."""
        factors = {
            tuple(sorted((tuple(names[x] for x in reversed(monomial)), k) for monomial, k in factor)): n
            for factor, n in self.factors.items()
        }
        return Ratio(self.algebra, self.k, factors)

    def record(self, op: Op, operands: tuple[Operand, ...]) -> Ratio:
        """Apply a row: compute it if it is arithmetic, and otherwise make a symbol for the call."""
        xs = [self.algebra.of(x) for x in operands]
        found = self.algebra.arithmetic(op, xs)
        return self.algebra.call(op, xs) if found is None else found

    def plus(self, other: Ratio) -> Ratio:
        """Add, and keep the common factors outside of the sum."""
        if not (self.k and other.k):
            return self if self.k else other
        every = {**self.factors, **other.factors}
        common = {factor: min(self.factors.get(factor, 0), other.factors.get(factor, 0)) for factor in every}
        total: Polynomial = {}
        for x in (self, other):
            for monomial, k in _expanded(x.k, ((f, x.factors.get(f, 0) - n) for f, n in common.items())).items():
                total[monomial] = total.get(monomial, Fraction(0)) + k
        total = {monomial: k for monomial, k in total.items() if k}
        for factor in [factor for factor, n in common.items() if n < 0]:
            while total and common[factor] and (quotient := _quotient(total, dict(factor))) is not None:
                total = quotient
                common[factor] += 1
        return Ratio(self.algebra, Fraction(1), common).times(_ratio(self.algebra, total))

    def times(self, other: Ratio) -> Ratio:
        """Multiply: add the powers of equal factors."""
        return Ratio(self.algebra, self.k * other.k, _added(self.factors, other.factors))

    def power(self, exponent: Ratio) -> Ratio | None:
        """Raise to a small whole power; return None for any other exponent."""
        n = exponent.k
        if exponent.factors or n.denominator > 1 or abs(n) > 4 or (n < 0 and not self.k):
            return None
        return Ratio(self.algebra, self.k ** int(n), {factor: m * int(n) for factor, m in self.factors.items()})


_ARITHMETIC: Mapping[Op, Callable[..., Ratio | None]] = {
    add: Ratio.plus,
    sub: lambda x, y: x.plus(y.times(x.algebra.of(-1.0))),
    mul: Ratio.times,
    neg: lambda x: x.times(x.algebra.of(-1.0)),
    div: lambda x, y: x.times(y.power(x.algebra.of(-1.0))) if y.k else None,
    pow: Ratio.power,
}
_REFLECTED: Mapping[Op, Callable[[Ratio], Ratio]] = {sigmoid: lambda s: 1.0 - s}  # f(-x) as a function of f(x)


class Algebra:
    """The symbols: the given ones, and one for each call of a row."""

    def __init__(self, first: int) -> None:
        self.free = first  # the number of the next new symbol
        self.calls: dict[int, tuple[Op | float, Sequence[Ratio]]] = {}
        self._known: dict[tuple[Hashable, ...], int] = {}

    def symbol(self, number: int, k: Fraction = ONE[()]) -> Ratio:
        """Return k times a symbol."""
        return Ratio(self, k, {(((number,), Fraction(1)),): 1})

    def fresh(self) -> int:
        """Return the number of a new symbol."""
        self.free += 1
        return self.free - 1

    def of(self, x: Operand) -> Ratio:
        """Return a number as a constant function; inf and nan are symbols."""
        if isinstance(x, Ratio):
            return x
        return Ratio(self, Fraction(x), {}) if math.isfinite(x) else self._symbol((repr(x),), float(x), [])

    def arithmetic(self, op: Op, operands: Sequence[Ratio]) -> Ratio | None:
        """Return the result of a row that is arithmetic; None for any other row."""
        return _ARITHMETIC[op](*operands) if op in _ARITHMETIC else None

    def know(self, op: Op, operands: Sequence[Ratio], number: int) -> None:
        """Use a given symbol for a call from now on."""
        self._known.setdefault((op, *(x.key for x in operands)), number)

    def call(self, op: Op, operands: Sequence[Ratio]) -> Ratio:
        """Return the symbol for a call."""
        if op in _REFLECTED and operands[0].k < 0:
            return _REFLECTED[op](self.call(op, [-operands[0]]))
        return self._symbol((op, *(x.key for x in operands)), op, operands)

    def _symbol(self, key: tuple[Hashable, ...], op: Op | float, operands: Sequence[Ratio]) -> Ratio:
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = self.fresh()
            self.calls[number] = op, operands
        return self.symbol(number)


def _ratio(algebra: Algebra, p: Polynomial) -> Ratio:
    """Return a polynomial as a function; the symbols that all its terms share become factors."""
    if not p:
        return Ratio(algebra, Fraction(0), {})
    lead = p[_leading(p)]
    common = Counter(next(iter(p)))
    for monomial in p:
        common &= Counter(monomial)
    factors: dict[Factor, int] = {(((x,), Fraction(1)),): n for x, n in common.items()}
    rest = {tuple(sorted((Counter(monomial) - common).elements())): k / lead for monomial, k in p.items()}
    if rest != ONE:
        factors[tuple(sorted(rest.items()))] = 1
    return Ratio(algebra, lead, factors)


def _added(x: Mapping[Factor, int], y: Mapping[Factor, int]) -> dict[Factor, int]:
    return {factor: x.get(factor, 0) + y.get(factor, 0) for factor in {**x, **y}}


def _leading(p: Polynomial) -> Monomial:
    return max(p, key=lambda monomial: (len(monomial), monomial))


def _product(p: Polynomial, q: Polynomial) -> Polynomial:
    product: Polynomial = {}
    for a, j in p.items():
        for b, k in q.items():
            monomial = tuple(sorted(a + b))
            product[monomial] = product.get(monomial, Fraction(0)) + j * k
    return {monomial: k for monomial, k in product.items() if k}


def _expanded(k: Fraction, powers: Iterable[tuple[Factor, int]]) -> Polynomial:
    expanded: Polynomial = {(): k} if k else {}
    for factor, n in powers:
        for _ in range(n):
            expanded = _product(expanded, dict(factor))
    return expanded


def _quotient(p: Polynomial, q: Polynomial) -> Polynomial | None:
    """Return the quotient of two polynomials; None if the division leaves a remainder."""
    lead = _leading(q)
    rest, quotient = dict(p), {}
    while rest:
        top = _leading(rest)
        left = Counter(top)
        left.subtract(lead)
        if min(left.values(), default=0) < 0:
            return None
        monomial, k = tuple(sorted(left.elements())), rest[top] / q[lead]
        quotient[monomial] = k
        for m, j in _product({monomial: k}, q).items():
            rest[m] = rest.get(m, Fraction(0)) - j
            if not rest[m]:
                del rest[m]
    return quotient
