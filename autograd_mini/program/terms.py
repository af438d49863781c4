r"""Written programs as data.

A term is a matrix, or an expression over matrices. A number is a matrix with one row and one column. Functions
compute the shape of a term, its cost and the matrices that it reads, and `code` prints it for NumPy. This module must
not know how the lines of a program are found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

from ..ops import Level, Op, div, mul
from ..printing import Code, format_number
from .arguments import Numbers

Shape: TypeAlias = tuple[int, int]
Subscript: TypeAlias = tuple[int | range | None, ...]  # None means all of an axis


class Term:
    """A matrix or an expression; `str` prints it for NumPy."""

    def __str__(self) -> str:
        return str(code(self))

    @property
    def operands(self) -> Iterator[Term]:
        """Yield the parts of this term that are terms."""
        for part in vars(self).values():
            yield from (x for x in (part if isinstance(part, tuple) else (part,)) if isinstance(x, Term))


Naming: TypeAlias = Callable[
    [Numbers, str], Term
]  # makes the term that reads a matrix of constants; the letter begins its name


@dataclass(frozen=True)
class Matrix(Term):
    """A matrix with a name: an input, a constant, or the result of a line."""

    name: str
    shape: Shape


@dataclass(frozen=True)
class Number(Term):
    """A number. A fraction is printed as a fraction."""

    value: float | Fraction


@dataclass(frozen=True)
class Filled(Term):
    """A new matrix: `zeros`, `ones` or, before its parts are assigned, `empty`."""

    name: str
    shape: Shape


@dataclass(frozen=True)
class Slice(Term):
    """A part of a matrix, by an index of NumPy."""

    of: Term
    index: Subscript


@dataclass(frozen=True)
class Transpose(Term):
    """A matrix with its rows as columns; `transposed` makes it."""

    of: Term


@dataclass(frozen=True)
class Reshape(Term):
    """The numbers of a column as a matrix, row by row."""

    of: Term
    shape: Shape


@dataclass(frozen=True)
class Gathered(Term):
    """Numbers of some matrices in an order that is not a slice. NumPy has no expression for it."""

    sources: tuple[Term, ...]
    shape: Shape


@dataclass(frozen=True)
class Call(Term):
    """A call of a function that NumPy does not have, such as `take`."""

    name: str
    arguments: tuple[Term, ...]
    shape: Shape


@dataclass(frozen=True)
class Elementwise(Term):
    """A row of the table, applied element-wise."""

    op: Op
    arguments: tuple[Term, ...]


@dataclass(frozen=True)
class MatMul(Term):
    """A product of matrices."""

    left: Term
    right: Term


@dataclass(frozen=True)
class Summed(Term):
    """The sum of a matrix along an axis, or of all its numbers."""

    of: Term
    axis: int | None = None
    keepdims: bool = True


@dataclass(frozen=True)
class Power(Term):
    """A term with an integer exponent."""

    of: Term
    exponent: int


@dataclass(frozen=True)
class Product(Term):
    """A fraction times some terms, divided by other terms, element-wise."""

    scale: Fraction
    above: tuple[Term, ...]
    below: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Sum(Term):
    """A sum of terms; `of` makes it."""

    terms: tuple[Term, ...]

    @staticmethod
    def of(*terms: Term) -> Term:
        """Return the sum of some terms. The sum of one term is the term itself."""
        return terms[0] if len(terms) == 1 else Sum(terms)


@dataclass(frozen=True)
class Assignment:
    """A line of a program. Without a value it is a comment, with the remark as its text."""

    target: Matrix | Slice
    value: Term | None
    remark: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return f"  # {self.target}: {self.remark}"
        if isinstance(self.target, Slice):
            return f"  {self.target} = {self.value}"
        rows, columns = self.target.shape
        remarks = [f"{rows}×{columns}"] * (rows * columns > 1) + [self.remark] * bool(self.remark)
        return f"  {self.target} = {numeric(self.value)}{'  # ' * bool(remarks)}{', '.join(remarks)}"


def walk(term: Term) -> Iterator[Term]:
    """Yield a term and all terms in it, from left to right. A term comes before its parts."""
    waiting = [term]
    while waiting:
        yield (top := waiting.pop())
        waiting += [*top.operands][::-1]


def matrices(term: Term) -> list[Matrix]:
    """Return the matrices that a term reads, each once.

    >>> [matrix.name for matrix in matrices(MatMul(Transpose(Matrix("axis", (2, 3))), Matrix("T", (2, 1))))]
    ['axis', 'T']
    """
    return list(dict.fromkeys(found for found in walk(term) if isinstance(found, Matrix)))


def cost(term: Term) -> int:
    """Return the cost of a term, which is larger for less readable terms: 0 if it only computes."""
    return sum({Transpose: 1, Reshape: 3, Gathered: 99}.get(type(found), 0) for found in walk(term))


def is_gathered(term: Term) -> bool:
    """Return whether a term gathers numbers, so that NumPy cannot run it."""
    return any(isinstance(found, Gathered) for found in walk(term))


def is_finite(term: Term) -> bool:
    """Return whether a term only reads numbers. If the program's matrices are finite, 0 times the term is 0."""
    if isinstance(term, Number):
        return math.isfinite(term.value)
    return not any(isinstance(found, Elementwise | Summed | MatMul) for found in walk(term))


def shape_of(term: Term) -> Shape:
    """Return the numbers of rows and columns.

    >>> shape_of(MatMul(Transpose(Matrix("W", (2, 3))), Slice(Matrix("Z", (2, 9)), (None, range(4)))))
    (3, 4)
    """
    match term:
        case Matrix() | Filled() | Reshape() | Gathered() | Call():
            return term.shape
        case Slice(of, index):
            every = zip(shape_of(of), (*index, None)[:2], strict=True)
            rows, columns = (n if at is None else len(at) if isinstance(at, range) else 1 for n, at in every)
        case Transpose(of):
            columns, rows = shape_of(of)
        case MatMul(left, right):
            rows, columns = shape_of(left)[0], shape_of(right)[1]
        case Summed(of, axis):
            rows, columns = (1 if axis in (None, k) else n for k, n in enumerate(shape_of(of)))
        case _:
            shapes = [(1, 1), *map(shape_of, term.operands)]
            rows, columns = (max(sizes) for sizes in zip(*shapes, strict=True))
    return rows, columns


def transposed(term: Term) -> Term:
    """Return the transpose of a term, simplified: $(A^T)^T = A$, and $(A B)^T = B^T A^T$."""
    if isinstance(term, MatMul):
        return MatMul(transposed(term.right), transposed(term.left))
    return term.of if isinstance(term, Transpose) else Transpose(term)


def divided(above: Term, below: Term) -> Term:
    """Return an element-wise quotient."""
    return Elementwise(div, (above, below))


def filled(term: Term, shape: Shape) -> Term:
    """Return a term broadcast to a shape."""
    if isinstance(term, Number) and term.value in (0, 1):
        return Filled("ones" if term.value else "zeros", shape)
    return Elementwise(mul, (term, Filled("ones", shape)))


def is_boolean(term: Term) -> bool:
    """Return whether NumPy computes booleans for a term. NumPy does not add or negate booleans as numbers."""
    if isinstance(term, Slice | Transpose | Reshape):
        return is_boolean(term.of)
    if isinstance(term, Product):
        return abs(term.scale) == 1 and bool(term.above) and not term.below and all(map(is_boolean, term.above))
    return isinstance(term, Elementwise) and term.op.text.level == Level.COMPARISON


def numeric(term: Term) -> Term:
    """Return a term as numbers: 1 times booleans."""
    if not is_boolean(term):
        return term
    scale, above = (term.scale, term.above) if isinstance(term, Product) else (Fraction(1), (term,))
    return Product(scale, (Number(1.0), *above))


# The printer.


def code(term: Term) -> Code:
    """Print a term for NumPy.

    >>> a, b = Matrix("a", (2, 3)), Matrix("b", (3, 2))
    >>> print(code(Product(Fraction(1, 2), (Slice(MatMul(a, b), (0, 1)), Sum((a, transposed(b)))))))
    1/2 * (a @ b)[0, 1] * (a + b.T)
    """
    match term:
        case Matrix(name):
            return Code(name)
        case Number(value):
            text = number(value)
            return Code(text, Level.SUM if value < 0 else Level.PRODUCT if "/" in text else Level.ATOM)
        case Filled(name, shape):
            return Code(f"{name}({shape})")
        case Slice(of, index):
            return Code(f"{code(of).bracketed(Level.ATOM)}[{', '.join(map(_place, index))}]")
        case Transpose(of):
            return Code(f"{code(of).bracketed(Level.ATOM)}.T")
        case Reshape(of, shape):
            return Code(f"{code(of).bracketed(Level.ATOM)}.reshape{shape}")
        case Gathered(sources):
            return Code(f"gathered({', '.join(map(str, sources))})")
        case Call(name, arguments):
            return Code(f"{name}({', '.join(map(str, arguments))})")
        case Elementwise(op, arguments):
            return Code.write(op, [code(numeric(x) if op.infix else x) for x in arguments])
        case MatMul(left, right):
            return Code(" @ ".join(code(numeric(x)).bracketed(Level.POWER) for x in (left, right)), Level.PRODUCT)
        case Summed(of, axis, keepdims):
            options = f", axis={axis}" * (axis is not None) + ", keepdims=True" * keepdims
            return Code(f"sum({of}{options})")
        case Power(of, exponent):
            return Code(f"{code(of).bracketed(Level.ATOM)}**{exponent}", Level.POWER)
        case Product():
            return _product(term)
        case Sum(terms):
            return _sum(terms)
    raise TypeError(f"code: {term!r} is no term")


def _product(product: Product) -> Code:
    above, below = product.above, product.below
    if product.scale == -1 and _begins_boolean(product):
        above = (Number(1.0), *above)
    if product.scale == 1 and len(above) == 1 and not below:
        return Code(_part(above[0], Level.ATOM)) if isinstance(above[0], Elementwise) else code(above[0])
    parts = [_part(x, Level.PRODUCT if len(above) == 1 else Level.POWER) for x in above]
    if abs(product.scale) != 1 or not parts:
        parts.insert(0, number(abs(product.scale)))
    text = "-" * (product.scale < 0) + " * ".join(parts)
    if below:
        under = " * ".join(_part(x, Level.POWER) for x in below)
        text += f" / ({under})" if len(below) > 1 else f" / {under}"
    return Code(text, Level.SUM if product.scale < 0 else Level.PRODUCT)


def _begins_boolean(product: Product) -> bool:
    """Return whether a sign before a product would negate booleans, which NumPy refuses."""
    return bool(product.above) and is_boolean(product.above[0])


def _sum(terms: tuple[Term, ...]) -> Code:
    text, first = "", terms[0]
    if isinstance(first, Product) and first.scale == -1 and _begins_boolean(first):
        terms = (replace(first, above=(Number(1.0), *first.above)), *terms[1:])
    elif all(map(is_boolean, terms[:2])):
        terms = (numeric(first), *terms[1:])
    for term in terms:
        sign, part = "+" if text else "", term
        if isinstance(term, Product) and term.scale < 0:
            sign, part = "-", replace(term, scale=-term.scale)
        written = _part(part, Level.PRODUCT)
        text += f" {sign} {written}" if text else sign + written
    return Code(text, Level.SUM)


def _part(term: Term, at_least: Level) -> str:
    """Print a factor or a summand. A row's result is in brackets unless it is a call. A float has no brackets."""
    if isinstance(term, Number) and isinstance(term.value, float):
        return str(term)
    return code(term).bracketed(Level.ATOM if isinstance(term, Elementwise) else at_least)


def _place(at: int | range | None) -> str:
    if not isinstance(at, range):
        return ":" if at is None else str(at)
    return f"{at[0]}:{at[-1] + 1}" + f":{at.step}" * (at.step > 1)


def number(x: float | Fraction) -> str:
    """Return the text of a number in Python: a simple fraction as a fraction, and other numbers in full."""
    if isinstance(x, Fraction):
        simple = x.limit_denominator(1000)
        x = simple if abs(x - simple) <= abs(x) * Fraction(1, 10**15) else x
        if max(abs(x.numerator), x.denominator) < 10**4:
            return str(x)
        try:
            x = float(x)
        except OverflowError:
            return "inf" if x > 0 else "-inf"
    short = format_number(x)
    return short if float(short) == x else repr(x)
