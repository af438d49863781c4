r"""The written program of a batch, made from the lines for one example.

If each of m examples has a vector, the batch has a matrix with a row for each example, like the user's array. If each
example has a number, the batch has a column. A vector that all examples share is one row. So $z = W x + b$ becomes
`Z = X @ W.T + b`. The derivative with respect to W is a sum over examples, and becomes the product `dZ.T @ X`. This
module turns a term of one example into a term of the batch. It must not know how lines are found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np

from ..traces import Trace
from .adjoint import Backward
from .arguments import Numbers
from .lift import Program
from .notation import Notation, Sheet
from .terms import (
    Assignment,
    Call,
    Elementwise,
    Filled,
    Gathered,
    MatMul,
    Matrix,
    Number,
    Power,
    Product,
    Reshape,
    Shape,
    Slice,
    Subscript,
    Sum,
    Summed,
    Term,
    Transpose,
    filled,
    matrices,
    shape_of,
    transposed,
)


class _Examples(int):
    """The number of examples, m. It is larger than all other sizes."""

    def __str__(self) -> str:
        return "m"

    __repr__ = __str__


M = _Examples(1 << 62)


class Apart(Exception):
    """A line has no form for the batch, for example a product of two matrices that differ between examples."""


def forward_sheet(trace: Trace, program: Program, varies: Numbers | Sequence[bool]) -> Sheet:
    r"""Return the lines of a batch, or the lines of one example if each example has a matrix of its own.

    Args:
        varies: for each input of the program, whether it differs between examples.

    >>> import numpy as np
    >>> import autograd_mini as ag
    >>> f = ag.compile(lambda W, b, x: ag.sum(np.tanh(W @ x + b)))
    >>> _ = f(np.ones((5, 3)), np.ones(5), np.ones(3))
    >>> (found,) = f._programs.all()
    >>> print("\n".join(map(str, forward_sheet(found.trace, found.program, [False] * 20 + [True] * 3).lines)))
      V1 = X @ W.T + b  # m×5
      V2 = tanh(V1)  # m×5
      V3 = sum(V2, axis=1, keepdims=True)  # m×1
    """
    notation = Notation(trace, program)
    try:
        return _Batch(notation, varies).forward()
    except Apart:
        one = notation.sheet()
        return one._replace(of=f"{one.of}, for each of m examples")


def backward_sheet(
    trace: Trace, program: Program, varies: Numbers | Sequence[bool], argnums: int | Sequence[int] | None = None
) -> Sheet:
    """Return the backward lines of a batch. They compute the derivatives of the sum over the examples."""
    backward = Backward(trace, program, argnums)
    try:
        return _Batch(backward.notation, varies).backward(backward)
    except Apart:
        return backward.sheet()._replace(of=", backward, for each of m examples")


class _Batch:
    """The matrices of a batch for the matrices of one example."""

    def __init__(self, notation: Notation, varies: Numbers | Sequence[bool]) -> None:
        self.notation = notation
        self._matrices: dict[str, Matrix] = {}
        self._sums: set[str] = set()  # adjoints of shared matrices: these are sums over examples already
        mask = np.zeros(notation.program.size, dtype=bool)
        mask[: len(varies)] = varies
        for block in notation.inputs:
            if mask[block.slots].any() != mask[block.slots].all():
                raise Apart
            self._enter(block.name, block.shape, bool(mask[block.slots].all()))
        for name, numbers in notation.constants.items():
            self._enter(name, numbers.shape, False)
        for line in notation.lines:
            mask[line.block.slots] = any(mask[slots].any() for slots in line.operands)
            self._enter(line.block.name, line.block.shape, bool(mask[line.block.slots].any()))

    def _enter(self, name: str, shape: Shape, varies: bool) -> None:
        """Set the name and the shape of a matrix in the batch."""
        if not varies:
            own = self.notation.name(name) if name == "m" else name  # m is the number of examples
            self._matrices[name] = Matrix(own, shape[::-1] if shape[1] == 1 else shape)
            return
        if min(shape) > 1:
            raise Apart
        family = name.rstrip("0123456789_")
        capital = name.upper() if len(family) == 1 else name
        own = capital if capital == name else self.notation.name(capital)
        self._matrices[name] = Matrix(own, (M, max(shape)))

    def _matrix(self, one: Matrix) -> Matrix:
        if one.name not in self._matrices:  # such as "constants"
            raise Apart
        return self._matrices[one.name]

    def _varies(self, term: Term) -> bool:
        return any(self._matrix(x).shape[0] == M for x in matrices(term))

    def forward(self) -> Sheet:
        """Return the lines of the forward program."""
        notation, one = self.notation, self.notation.sheet()
        lines = [Assignment(self._matrices[line.block.name], self._either(line.term), "") for line in notation.lines]
        returned = [str(self._either(term)) for term in notation.results()]
        outputs = {self._matrices[name].name for name in one.outputs}
        return self._sheet(f"{one.of}, for m examples at once", lines)._replace(
            outputs=outputs, returned=notation.shortened(returned)
        )

    def backward(self, backward: Backward) -> Sheet:
        """Return the lines of the backward program."""
        names, lines = backward.names, []
        blocks = [block.name for block in backward.notation.blocks]
        shared = {name for name in blocks if self._matrices[name].shape[0] != M}
        for name in blocks:
            own = self._matrices[name]
            taken = names[name] if own.name == name else self.notation.name(f"d{own.name}")
            self._matrices[names[name]] = Matrix(taken, own.shape)
            if name in shared:
                self._sums.add(names[name])
        for name, numbers in backward.notation.constants.items():
            if name not in self._matrices:
                self._enter(name, numbers.shape, False)
        for line in backward.lines:
            target = line.target
            if not isinstance(target, Matrix) or line.value is None:
                raise Apart
            value = self._total(line.value) if target.name in self._sums else self._row(line.value)
            mine = self._matrices[target.name]
            lines.append(Assignment(mine, _spread(value, mine.shape), line.remark))
        return self._sheet(", backward, for m examples at once", lines)

    def _sheet(self, of: str, lines: list[Assignment]) -> Sheet:
        inputs = [self._matrices[block.name] for block in self.notation.inputs]
        constants = [self._matrices[name] for name in self.notation.constants]
        return Sheet(
            self.notation.program.name,
            of,
            {matrix.name: matrix.shape for matrix in inputs},
            {matrix.name: matrix.shape for matrix in constants},
            lines,
            set(),
            "",
        )

    # Terms of the batch.

    def _either(self, term: Term) -> Term:
        return self._row(term) if min(shape_of(term)) == 1 else self._whole(term)

    def _row(self, term: Term) -> Term:
        """Return the rows of the batch for a vector or a number of one example, or one row if all examples share it."""
        shape = shape_of(term)
        if min(shape) > 1:
            raise Apart
        match term:
            case Matrix():
                return self._matrix(term)
            case Number():
                return term
            case Filled(name):
                return Filled(name, (1, max(shape)))
            case Transpose(of):
                return self._row(of)
            case Reshape(of):
                return self._row(of)
            case Slice(of, index):
                return self._sliced(of, index)
            case MatMul(left, right):
                return self._product(left, right)
            case Summed(of, axis, _):
                return self._summed(of, axis)
            case Elementwise() | Product() | Sum() | Power():
                if any(shape_of(x) not in (shape, (1, 1)) for x in term.operands):
                    raise Apart
                return _with_operands(term, self._row)
            case Gathered() | Call():
                lead = M if self._varies(term) else 1
                return _with_operands(term, self._either, shape=(lead, max(shape)))
        raise Apart

    def _whole(self, term: Term) -> Term:
        """Return the term of the batch for a matrix that all examples share."""
        if self._varies(term):
            raise Apart
        if isinstance(term, Matrix):
            mine = self._matrix(term)
            return mine if mine.shape == term.shape else Transpose(mine)
        if isinstance(term, Transpose):
            return transposed(self._whole(term.of))
        return _with_operands(term, self._whole)

    def _sliced(self, of: Term, index: Subscript) -> Term:
        """Return a part of the rows of the batch, or a row or column of a shared matrix."""
        parts = [range(at, at + 1) if isinstance(at, int) else at for at in (*index, None)[:2]]
        shape = shape_of(of)
        if min(shape) > 1:
            found = Slice(self._whole(of), tuple(parts))
            return found if shape_of(found)[0] == 1 else Transpose(found)
        along = parts[0] if shape[1] == 1 else parts[1]
        return self._row(of) if along is None else Slice(self._row(of), (None, along))

    def _product(self, left: Term, right: Term) -> Term:
        """Return the rows of the batch for a product. One of its sides, or its result, is a vector or a number."""
        (rows, inner), columns = shape_of(left), shape_of(right)[1]
        if inner == 1:  # a number times a vector
            return Product(Fraction(1), (self._row(left), self._row(right)))
        if rows > 1:
            return MatMul(self._row(right), transposed(self._whole(left)))
        if columns > 1:
            return MatMul(self._row(left), self._whole(right))
        if self._varies(left) and self._varies(right):
            return Summed(Product(Fraction(1), (self._row(left), self._row(right))), 1)
        own, other = (right, left) if self._varies(right) else (left, right)
        return MatMul(self._row(own), transposed(self._row(other)))

    def _summed(self, of: Term, axis: int | None) -> Term:
        """Return sums over the numbers of an example."""
        shape = shape_of(of)
        if min(shape) > 1:
            total = Summed(self._whole(of), axis)
            return total if shape_of(total)[0] == 1 else Transpose(total)
        if axis is not None and shape[axis] == 1:
            return self._row(of)
        return Summed(self._row(of), 1)

    def _is_summed(self, term: Term) -> bool:
        """Return whether a factor of a term is a sum over examples already."""
        if isinstance(term, Sum):
            found = {*map(self._is_summed, term.terms)}
            if len(found) > 1:  # some parts are sums, and others are not
                raise Apart
            return found == {True}
        return term.name in self._sums if isinstance(term, Matrix) else any(map(self._is_summed, term.operands))

    def _contracted(self, term: Term) -> Term | None:
        """Return a matrix product for the sum over examples of a number times a vector, or None for other terms."""
        if isinstance(term, MatMul) and shape_of(term.left)[1] == 1:
            term = Product(Fraction(1), (term.left, term.right))
        if not isinstance(term, Product) or max(shape_of(term)) == 1:
            return None
        vectors = [x for x in term.above if max(shape_of(x)) > 1]
        numbers = [x for x in term.above if max(shape_of(x)) == 1]
        if len(vectors) != 1 or any(max(shape_of(x)) > 1 for x in term.below):
            return None
        factor = self._row(replace(term, above=tuple(numbers)))
        vector = self._row(vectors[0])
        if not (_is_wide(factor) and _is_wide(vector)):
            return None
        return MatMul(transposed(factor), vector)

    def _total(self, term: Term) -> Term:
        """Return the sum of a term over all examples. Adjoints of shared matrices are such sums already."""
        if isinstance(term, Sum):
            return Sum.of(*map(self._total, term.terms))
        if isinstance(term, Product) and len(term.above) == 1 and not term.below:
            found = self._total(term.above[0])
            return found if term.scale == 1 else Product(term.scale, (found,))
        summed = self._is_summed(term)
        if not self._varies(term):
            found = self._either(term)
            return found if summed else Product(Fraction(1), (Matrix("m", (1, 1)), found))
        if summed:
            raise Apart
        if min(shape_of(term)) == 1:
            return self._contracted(term) or Summed(self._row(term), 0)
        if isinstance(term, Product) and not term.below:
            varying = [x for x in term.above if self._varies(x)]
            if len(varying) == 1 and shape_of(varying[0]) == shape_of(term):
                above = [self._total(x) if x is varying[0] else self._whole(x) for x in term.above]
                return Product(term.scale, tuple(above))
        if isinstance(term, MatMul) and shape_of(term.left)[1] == 1:
            left, right = (self._row(x) for x in (term.left, term.right))
            if not self._varies(term.right):
                return MatMul(transposed(Summed(left, 0)), right)
            if not self._varies(term.left):
                return MatMul(transposed(left), Summed(right, 0))
            return MatMul(transposed(left), right)
        raise Apart


def _is_wide(term: Term) -> bool:
    """Return whether a term of the batch has a row for each example."""
    return shape_of(term)[0] == M


def _spread(term: Term, shape: Shape) -> Term:
    """Return a term broadcast to a shape."""
    if shape_of(term) == shape:
        return term
    return replace(term, shape=shape) if isinstance(term, Filled) else filled(term, shape)


def _with_operands(term: Term, f: Callable[[Term], Term], **changes: Any) -> Term:
    """Return a term with f applied to its parts, and with other changes."""

    def of(part: Any) -> Any:
        if isinstance(part, tuple):
            return tuple([f(x) if isinstance(x, Term) else x for x in part])
        return f(part) if isinstance(part, Term) else part

    old: Any = term
    made: Term = replace(old, **{field.name: of(getattr(term, field.name)) for field in fields(old)} | changes)
    return made
