r"""The backward program, derived from the forward one.

This module owns the adjoints of lines, in reverse order. Between products of matrices it multiplies adjoints out,
number by number: each is a rational function of the forward program's results, and `algebra` cancels common factors.
Then `forms` looks for a common form of all numbers of a matrix, and this form becomes a line. A constant factor of all
numbers, such as 1/m, is carried along to the inputs. This module must not know how programs are run or printed, or any
row: the rules come from the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from ..traces import Trace
from .algebra import Algebra, Ratio, Ratios
from .arguments import Numbers
from .forms import Forms, Irregular
from .lift import Program
from .notation import Block, Line, Notation, Sheet
from .parameters import places_of
from .terms import (
    Assignment,
    Call,
    Elementwise,
    Filled,
    MatMul,
    Matrix,
    Slice,
    Summed,
    Term,
    Transpose,
    matrices,
    number,
    transposed,
    walk,
)

LARGE = 12  # an adjoint with more terms gets a name, and a number with more terms becomes a symbol
FEW = 8  # this many numbers without a pattern are written one by one, and no more


def written_backward(trace: Trace, program: Program, argnums: int | Sequence[int] | None = None) -> str:
    r"""Write the backward program: a line of NumPy for each adjoint, in the names of the forward program.

    Args:
        argnums: the arguments to differentiate with respect to; None for all.

    Raises:
        TypeError: the program has more than one output.
        ValueError: the program has a loop.

    >>> import autograd_mini as ag
    >>> from autograd_mini.program.lift import lift
    >>> def half_square(w, x, b):
    ...     return ag.tanh(sum(a * b for a, b in zip(w, x)) + b) ** 2 / 2
    >>> t = ag.trace(half_square, [ag.Value(k, f"w_{k}") for k in (1, 2)], [0.5, 0.25], ag.Value(0.0, "b"))
    >>> print(written_backward(t, lift(t), argnums=(0, 2)))
    half_square, backward
      # inputs: w 2×1, x 2×1, b 1×1
      dv1 = v2 * (1 - v2**2)
      dw = x @ dv1.T  # 2×1
      db = dv1
    """
    return str(Backward(trace, program, argnums))


class Backward:
    """The lines of the backward program.

    `notation` is the notation of the forward program, and `names` maps a block's name to the name of its adjoint.
    """

    def __init__(self, trace: Trace, program: Program, argnums: int | Sequence[int] | None = None) -> None:
        trace.require_one_output()
        if any(i.scan is not None for i in program.instructions):
            raise ValueError(
                f"{program.name}: the backward program of a loop is not written; print shows the loop's step"
            )
        self.notation = Notation(trace, program)
        self.lines: list[Assignment] = []
        self.names = {block.name: self.notation.name(f"d{block.name}") for block in self.notation.blocks}
        self._algebra = Algebra(program.size)
        self._forms = Forms(self._algebra, self.notation.constant)
        self._grads: dict[int, Ratio] = {}
        sizes = [part.size for part in trace.into.parts]
        places = range(len(sizes)) if argnums is None else places_of(program.name, argnums, len(sizes))
        self._active = {slot for k in places for slot in range(sum(sizes[:k]), sum(sizes[: k + 1]))}
        for block in self.notation.blocks:
            self._forms.stand(block.matrix, block.slots)
        self._values: dict[int, Ratio | float] = {slot: self._algebra.symbol(slot) for slot in range(program.inputs)}
        self._values |= {slot: float(x) for slot, x in enumerate(program.constants, program.inputs)}
        self._read: dict[str, list[Ratios]] = {}  # the values of a block's operands, at each place, by the block's name
        for line in self.notation.lines:
            self._forward(line)
        (output,) = trace.outputs
        if isinstance(output, int):
            self._grads[int(self.notation.origin[program.slots[output]])] = self._algebra.of(1.0)
        self._derive()

    def __str__(self) -> str:
        return str(self.sheet())

    def sheet(self) -> Sheet:
        """Return the written program."""
        forward = self.notation.sheet()
        return forward._replace(of=", backward", lines=self.lines, outputs=set(), returned="")

    def _adjoint(self, block: Block) -> Matrix:
        return Matrix(self.names[block.name], block.shape)

    def _derive(self) -> None:
        """Write all lines; write an input's adjoint after all lines that read the input."""
        lines = self.notation.lines
        inputs = [block for block in self.notation.inputs if self._is_active(block.slots)]
        first_reader = [
            next((k for k, line in enumerate(lines) if any(np.isin(block.slots, x).any() for x in line.operands)), -1)
            for block in inputs
        ]
        for k in range(len(lines) - 1, -2, -1):
            if k >= 0:
                self._backward(lines[k])
            for block, first in zip(inputs, first_reader, strict=True):
                if first == k:
                    self._finish(block)

    def _is_active(self, slots: Numbers) -> bool:
        """Return whether derivatives with respect to some of the numbers are wanted."""
        return not self._active.isdisjoint(slots.flat)

    # Forward: each number as a function of the numbers that have names.

    def _forward(self, line: Line) -> None:
        """Write the line's numbers as functions of named numbers.

        A number gets a name of its own if no arithmetic computes it, if it is a product of matrices, or if its
        function is large.
        """
        if any(map(self._is_active, line.operands)):
            self._active |= set(line.block.slots.flat)
        if line.kind != "product":
            self._read[line.block.name] = [self._held(x) for x in line.operands]
        for place, slot in np.ndenumerate(line.block.slots):
            found = self._value(line, place, slot)
            self._values[slot] = self._algebra.symbol(slot) if found is None or found.size > LARGE else found

    def _value(self, line: Line, place: tuple[int, ...], slot: int) -> Ratio | None:
        """Return the result at a place as a function of its operands; None if no arithmetic computes it."""
        algebra = self._algebra
        if line.kind == "row" and line.op is not None:
            values = [algebra.of(x[place]) for x in self._read[line.block.name]]
            found = algebra.arithmetic(line.op, values)
            if found is None:
                algebra.know(line.op, values, slot)
            return found
        if line.kind not in {"sum", "dot"} or not self._is_written_out(line):
            return None
        operands = self._read[line.block.name]
        factors = operands[: 1 + (line.kind == "dot")]
        terms = [prod((x[(*place, j)] for x in factors), start=algebra.of(1.0)) for j in range(factors[0].shape[2])]
        return sum([*terms, *(x[place] for x in operands[len(factors) :])], start=algebra.of(0.0))

    def _is_written_out(self, line: Line) -> bool:
        """Return whether the terms of a sum are numbers of different matrices."""
        first = line.operands[0]
        return first.shape[2] <= LARGE and bool((np.ptp(self.notation.place[0, first], axis=2) > 0).all())

    def _held(self, slots: Numbers) -> Ratios:
        """Return the values in slots, at their places; different constants become symbols of a constant matrix."""
        if slots.ndim == 3:
            return np.stack([self._held(slots[..., j]) for j in range(slots.shape[2])], axis=2)
        numbers = self.notation.numbers(slots)
        if numbers is None or (numbers == numbers.flat[0]).all():
            return _objects(slots.shape, [self._values[slot] for slot in slots.flat])
        term = self.notation.constant(numbers, "Y")
        (matrix,) = matrices(term)
        symbols = self._forms.symbols(matrix)
        symbols = symbols.T if isinstance(term, Transpose) else symbols
        held = _objects(slots.shape, [self._algebra.symbol(symbol) for symbol in symbols.flat])
        return 1.0 - held if isinstance(term, Elementwise) else held

    # Backward: the adjoint of each kind of line.

    def _backward(self, line: Line) -> None:
        """Pass a line's adjoint on to the matrices that the line reads; a large adjoint gets its own line."""
        grads = self._adjoints(line.block)
        if not self._is_active(line.block.slots) or not any(g.k for g in grads.flat):
            return
        if line.kind in {"take", "product"}:
            grads = self._named(line.block, grads)
            (self._backward_take if line.kind == "take" else self._backward_product)(line, grads)
            return
        slopes = self._slopes(line)
        if line.kind == "row" and not any(x.k for slope in slopes for x in slope.flat):
            return
        if any(g.size > LARGE or not self._forms.has_names(g) for g in grads.flat):
            grads = self._named(line.block, grads)
        for slots, slope in zip(line.operands, slopes, strict=False):
            if slots.ndim == 2:
                self._give(slots, grads * slope)
            else:
                for place, slot in np.ndenumerate(slots):
                    self._add(slot, grads[place[:2]] * slope[place])
        for slots in line.operands[2:] if line.kind == "dot" else ():
            self._give(slots, grads)

    def _slopes(self, line: Line) -> list[Any]:
        """Return the partial derivatives with respect to the operands, at their places."""
        operands = self._read[line.block.name]
        if line.kind == "dot":
            return operands[1::-1]
        found = [np.empty(x.shape, dtype=object) for x in line.operands]
        result = self._held(line.block.slots)
        for k, slopes in enumerate(found):
            rule = None if line.op is None else line.op.formulas[k]
            for place in np.ndindex(slopes.shape):
                slope = 1.0 if rule is None else rule(*(x[place] for x in operands), result[place])
                slopes[place] = self._algebra.of(slope)
        return found

    def _adjoints(self, block: Block) -> Ratios:
        """Return the adjoints of a matrix so far."""
        zero = self._algebra.of(0.0)
        return _objects(block.shape, [self._grads.get(slot, zero) for slot in block.slots.flat])

    def _backward_product(self, line: Line, grads: Ratios) -> None:
        """Add $dZ X^T$ to W and $W^T dZ$ to X, for $Z = W X$."""
        left, right, *added = line.operands
        adjoint, scale = self._adjoint(line.block), grads.flat[0].k
        product = next(part for part in walk(line.term) if isinstance(part, MatMul))
        w, x = product.left, product.right
        for slots, own, term in ((left, w, MatMul(adjoint, transposed(x))), (right, x, MatMul(transposed(w), adjoint))):
            if self._is_active(slots):
                turn = isinstance(own, Transpose)  # the numbers of W.T are known by their places in W
                self._give_matrix(slots.T if turn else slots, transposed(term) if turn else term, scale)
        for slots in added:
            self._give(slots, grads)

    def _backward_take(self, line: Line, grads: Ratios) -> None:
        """Pass adjoints on to the chosen terms, as `scattered(…)`: NumPy has no expression for this."""
        places = self.notation.place[0, line.operands[0]]
        for k in np.unique(places[places >= 0]):  # a constant has no block
            block = self.notation.blocks[k]
            term = Call("scattered", (self._adjoint(line.block),), block.shape)
            self._give_matrix(block.slots, term, grads.flat[0].k)

    def _give(self, slots: Numbers, terms: Ratios) -> None:
        """Add terms to the adjoints of the numbers read; a repeated row or column gets the sum of its terms."""
        if not self._is_active(slots):
            return
        for axis, part in ((1, slots[:, :1]), (0, slots[:1]), (None, slots[:1, :1])):
            if part.size < slots.size and (slots == part).all():
                try:
                    scale, term = self._forms.common(terms, scaled=True)
                except Irregular:
                    break
                self._give_matrix(part, Summed(term, axis), scale)
                return
        for slot, term in zip(slots.flat, terms.flat, strict=True):
            self._add(slot, term)

    def _give_matrix(self, slots: Numbers, term: Term, scale: Fraction) -> None:
        """Add a factor times a matrix to the adjoints of the matrices that were read."""
        for slot, symbol in zip(slots.flat, self._forms.symbols(term).flat, strict=True):
            self._add(slot, self._algebra.symbol(symbol, scale))

    def _add(self, slot: int, term: Ratio) -> None:
        if slot in self._active:
            self._grads[slot] = self._grads[slot].plus(term) if slot in self._grads else term

    # Lines: the common form of the numbers of a matrix.

    def _named(self, block: Block, grads: Ratios) -> Ratios:
        """Write the line of an adjoint, without the factor that is carried along, and return its numbers."""
        scale = Fraction(1)
        try:
            scale, term = self._forms.common(grads, scaled=True)
            lacking = "" if scale == 1 else f"without the factor {number(scale)}"
            self.lines.append(Assignment(self._adjoint(block), term, lacking))
        except Irregular:
            self._in_parts(block, grads)
        symbols = self._forms.symbols(self._adjoint(block))
        return _objects(block.shape, [self._algebra.symbol(symbol, scale) for symbol in symbols.flat])

    def _finish(self, block: Block) -> None:
        """Write the adjoint of an input."""
        grads = self._adjoints(block)
        try:
            self.lines.append(Assignment(self._adjoint(block), self._forms.common(grads, scaled=False)[1]))
        except Irregular:
            self._in_parts(block, grads)

    def _in_parts(self, block: Block, grads: Ratios) -> None:
        """Write an adjoint column by column, row by row or number by number."""
        target, (rows, columns) = self._adjoint(block), block.shape
        by_column = [(None, range(c, c + 1)) for c in range(columns)]
        by_row = [(range(r, r + 1), None) for r in range(rows)]
        single = [(r, c) for r, _ in by_row for _, c in by_column]
        for way in (by_column, by_row, single):
            try:
                parts = [
                    self._forms.common(grads[tuple(map(_slice, at))], scaled=False)[1] for at in way if len(way) <= FEW
                ]
            except Irregular:
                continue
            if parts:
                self.lines.append(Assignment(target, Filled("empty", block.shape)))
                places = (at if columns > 1 and at[1] else at[:1] for at in way)
                self.lines += [Assignment(Slice(target, at), part) for at, part in zip(places, parts, strict=True)]
                return
        self.lines.append(Assignment(target, None, f"{grads.size} numbers without a common form"))


def _objects(shape: tuple[int, ...], items: Sequence[object]) -> Ratios:
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found.reshape(shape)


def _slice(at: range | None) -> slice:
    return slice(None) if at is None else slice(at.start, at.stop)
