r"""Functions of single numbers as one term of matrices.

This module owns the step from the numbers of a matrix to one term. Each number is a rational function of symbols. A
symbol is read as the matrix that has it at the place of the number. Then all functions must agree, or differ only by
their coefficients, which become a matrix of constants. This module must not know the meaning of the numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .algebra import Algebra, Factor, Monomial, Ratio, Ratios
from .arguments import Numbers
from .terms import (
    Elementwise,
    Matrix,
    Naming,
    Number,
    Power,
    Product,
    Shape,
    Slice,
    Sum,
    Term,
    Transpose,
    divided,
    filled,
    is_finite,
    shape_of,
)

ONE = Fraction(1)
Coefficients: TypeAlias = Mapping[Monomial, Any]  # a fraction, or an array of fractions


class Irregular(Exception):
    """The numbers of a matrix do not have one common function of matrices."""


class _Place(NamedTuple):
    """The place of a symbol: its matrix, and its row and column in it."""

    term: Term
    row: int
    column: int
    shape: Shape


class _View(NamedTuple):
    """The place of a number: its row and column, the shape of its matrix, and the symbols of all numbers there."""

    row: int
    column: int
    shape: Shape
    everywhere: set[int]


class Forms:
    """The matrices of symbols, and the terms for functions of symbols."""

    def __init__(self, algebra: Algebra, naming: Naming) -> None:
        self._algebra, self._naming = algebra, naming
        self._symbols: dict[Term, Numbers] = {}
        self._places: dict[int, _Place] = {}
        self._rank: dict[Term, int] = {}  # in a product, a later matrix stands before an earlier one

    def stand(self, term: Term, symbols: Numbers) -> None:
        """Let symbols stand for the numbers of a matrix."""
        self._symbols[term] = symbols
        self._rank[term] = len(self._rank)
        for (row, column), symbol in np.ndenumerate(symbols):
            self._places[int(symbol)] = _Place(term, row, column, symbols.shape)

    def symbols(self, term: Term) -> Numbers:
        """Return the symbols for the numbers of a matrix: new ones if it has none."""
        if term not in self._symbols:
            rows, columns = shape_of(term)
            fresh = [self._algebra.fresh() for _ in range(rows * columns)]
            self.stand(term, np.array(fresh).reshape(rows, columns))
        return self._symbols[term]

    def has_names(self, x: Ratio) -> bool:
        """Return whether all matrices in a function have names."""
        return all(isinstance(self._places[s].term, Matrix) for s in x.symbols if s in self._places)

    def rank(self, term: Term) -> int:
        """Return the rank of a term, or of the matrix that it is a part of: a later matrix has a higher rank."""
        whole = term
        while isinstance(whole, Slice | Transpose):
            whole = whole.of
        return self._rank.get(whole if isinstance(whole, Matrix) else term, 0)

    def common(self, numbers: Ratios, scaled: bool) -> tuple[Fraction, Term]:
        """Return a factor and a term: all numbers are the factor times the term. The factor is 1 unless `scaled`.

        Raises:
            Irregular: the numbers have no common term.
        """
        everywhere = set.intersection(*(x.symbols for x in numbers.flat)) if numbers.size > 1 else set()
        read = [(x, self._read(x, _View(at[0], at[1], numbers.shape, everywhere))) for at, x in np.ndenumerate(numbers)]
        scale, term = self._joined(read, numbers.shape, scaled)
        whole = shape_of(term) == numbers.shape and not (scaled and term == Number(ONE))
        return scale, term if whole else filled(term, numbers.shape)

    def _read(self, x: Ratio, view: _View) -> dict[int, Term]:
        """Return the terms for a function's symbols, read from a place."""
        return {symbol: self._term(symbol, view) for symbol in x.symbols}

    def _term(self, symbol: int, view: _View) -> Term:
        """Return the term for a symbol, in a line about a number at a place."""
        if symbol not in self._places:
            op, operands = self._algebra.calls[symbol]
            if isinstance(op, float):
                return Number(op)
            return Elementwise(op, tuple(self._joined([(x, self._read(x, view))], (1, 1), False)[1] for x in operands))
        place = self._places[symbol]
        if symbol in view.everywhere and place.shape != (1, 1):
            return Slice(place.term, (place.row, place.column))
        rows = _beside(place.row, view.row, place.shape[0], view.shape[0])
        columns = _beside(place.column, view.column, place.shape[1], view.shape[1])
        if rows is not None and columns is not None:
            index = tuple(None if at == range(n) else at for at, n in zip((rows, columns), place.shape, strict=True))
            return Slice(place.term, index) if any(index) else place.term
        if place.shape == view.shape[::-1] and (place.column, place.row) == (view.row, view.column):
            return Transpose(place.term)
        raise Irregular

    def _joined(
        self, read: Sequence[tuple[Ratio, dict[int, Term]]], shape: Shape, scaled: bool
    ) -> tuple[Fraction, Term]:
        """Return a factor and the term of functions that are equal, or that differ only by their coefficients."""
        terms = sorted(
            {term for _, each in read for term in each.values()}, key=lambda term: str(Product(ONE, (term,)))
        )
        names = {term: k for k, term in enumerate(terms)}
        functions = [x.renamed({symbol: names[term] for symbol, term in each.items()}) for x, each in read]
        writer = _Writer(terms, self.rank, self._naming)
        first = functions[0]
        is_sum = [*first.factors.values()] == [1] and any(len(factor) > 1 for factor in first.factors)
        if is_sum or any(x != first for x in functions):
            return writer.fraction(*_multiplied_out(functions, shape, [is_finite(term) for term in terms]), scaled)
        scale = abs(first.k) if scaled and first.k else ONE
        k = first.k / scale
        return scale, writer.product(k, first.factors.items()) if first.factors else Number(k)


class _Writer:
    """A writer of polynomials as terms: a symbol is the number of a term in a list."""

    def __init__(self, terms: list[Term], rank: Callable[[Term], int], naming: Naming) -> None:
        self._terms, self._naming = terms, naming
        self._ranks = [rank(term) for term in terms]
        self._rank = rank

    def fraction(self, above: Coefficients, below: Mapping[Factor, int], scaled: bool) -> tuple[Fraction, Term]:
        """Return a factor, and a sum divided by factors.

        If a term of the sum has one of the factors itself, each term is divided; otherwise the whole sum is.
        """
        scale = _shared(above, scaled)
        above = {name: k / scale for name, k in above.items()}
        single = {factor[0][0][0]: n for factor, n in below.items() if len(factor) == 1}
        if len(single) == len(below) and any(not single.keys().isdisjoint(name) for name in above):
            term = self.sum(above, single)
        else:
            term = self.sum(above)
            term = divided(term, self.product(ONE, below.items())) if below else term
        if scaled or scale == 1:
            return scale, term
        return ONE, Product(scale, (term,))

    def sum(self, coefficients: Coefficients, below: Mapping[int, int] | None = None) -> Term:
        """Return a sum with divided terms: positive terms first, and short products before long ones."""

        def order(item: tuple[Monomial, Any]) -> tuple[Any, ...]:
            name, k = item
            return _is_negative(k), len(name), [-self._ranks[x] for x in name]

        return Sum.of(*(self._divided(name, k, below or {}) for name, k in sorted(coefficients.items(), key=order)))

    def _divided(self, name: Monomial, k: Any, below: Mapping[int, int]) -> Term:
        """Return a product with a coefficient, divided by powers; an array of coefficients becomes a matrix."""
        powers = Counter(name)
        extra: tuple[Term, ...] = ()
        if not isinstance(k, Fraction):
            sign = -1 if _is_negative(k) else 1
            extra = (self._naming((k * sign).astype(float), "C" if set(name) - set(below) else "Y"),)
            k = Fraction(sign)
        powers.subtract(below)
        return self.product(k, [((((x,), ONE),), n) for x, n in powers.items() if n], extra)

    def product(self, k: Fraction, powers: Iterable[tuple[Factor, int]], extra: tuple[Term, ...] = ()) -> Product:
        """Return a product of powers and of extra factors; later matrices stand before earlier ones."""
        powers = [*powers]
        turned = _turned(powers) if k < 0 else None
        ranked = []
        for factor, n in powers:
            rank = max((self._ranks[x] for name, _ in factor for x in name), default=0)
            ranked.append((2 * rank + (len(factor) == 1), self._factor(factor, factor is turned), n))
        ranked += [(2 * self._rank(x) + 1, x, 1) for x in extra]
        ranked.sort(key=lambda item: -item[0])
        above, below = (
            tuple(term if abs(n) == 1 else Power(term, abs(n)) for _, term, n in ranked if (n > 0) == is_above)
            for is_above in (True, False)
        )
        return Product(abs(k) if turned else k, above, below)

    def _factor(self, factor: Factor, turned: bool) -> Term:
        """Return a factor; if it is turned, with the opposite sign."""
        if len(factor) == 1:
            return self._terms[factor[0][0][0]]
        return self.sum({name: -x if turned else x for name, x in factor})


def _multiplied_out(
    functions: Sequence[Ratio], shape: Shape, finite: Sequence[bool]
) -> tuple[Coefficients, dict[Factor, int]]:
    """Return the coefficients of the numerators, and the denominator, of functions with a common denominator."""
    split = [x.split() for x in functions]
    below = split[0][1]
    names = dict.fromkeys(name for above, _ in split for name in above)
    if any(other != below for _, other in split) or len(names) > max(len(above) for above, _ in split):
        raise Irregular
    coefficients: dict[Monomial, Any] = {}
    for name in names:
        own = [above.get(name, Fraction(0)) for above, _ in split]
        if 0 in own and not all(finite[x] for x in name):  # it would compute 0 times a number that may be infinite
            raise Irregular
        coefficients[name] = own[0] if len(set(own)) == 1 else np.array(own).reshape(shape)
    return coefficients, below


def _shared(coefficients: Coefficients, scaled: bool) -> Fraction:
    """Return the factor to take out of a sum: the size of the first coefficient if `scaled`, else of all terms."""
    sizes = [abs(k) for k in coefficients.values() if isinstance(k, Fraction)]
    same = len(sizes) == len(coefficients) > 1 and len(set(sizes)) == 1
    return sizes[0] if sizes and (scaled or same) else ONE


def _turned(powers: Sequence[tuple[Factor, int]]) -> Factor | None:
    """Return the factor that should absorb a minus sign, as in -(a - 1) = 1 - a; None if no factor gets shorter."""
    gains = [n % 2 * (2 * sum(x < 0 for _, x in factor) - len(factor) + 1) for factor, n in powers]
    most = max(gains, default=0)
    return powers[gains.index(most)][0] if most > 0 else None


def _beside(i: int, r: int, size: int, rows: int) -> range | None:
    """Return the rows of a matrix with `size` rows that stand beside `rows` rows, if row i stands beside row r."""
    if size == 1 or (size == rows and i == r):
        return range(size)
    return range(i - r, i - r + rows) if 0 <= i - r <= size - rows else None


def _is_negative(k: Any) -> bool:
    return bool(np.all(k <= 0))
