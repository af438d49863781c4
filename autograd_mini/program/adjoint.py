r"""The backward program, derived from the forward one and written out as lines of NumPy.

This room owns the adjoints of lines, in reverse. Between products of matrices they are multiplied out number
by number, as rational functions of what the forward program computes, in which `algebra` cancels; what all
numbers of a matrix have in common is then a line. A factor that they share, such as 1/m, is carried along to
the inputs. It must not know how programs are run, or any row: rules come from the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import prod
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from ..ops import Level
from ..printing import Code
from ..traces import Trace
from .algebra import Algebra, Ratio
from .lift import Program
from .notation import Block, Line, Notation, commented, constant

__all__ = ["Backward", "written_backward"]

LARGE = 12  # the terms beyond which an adjoint gets a name, and a number is a symbol of its own
FEW = 8  # numbers without a pattern that are written one by one

Names: TypeAlias = tuple[str, ...]  # a product of symbols, by what they are called at their place
Terms: TypeAlias = Mapping[Names, Any]  # their coefficients: a fraction, or an array of them


class _Irregular(Exception):
    """The numbers of a matrix are no common function of matrices."""


def written_backward(trace: Trace, program: Program, argnums: int | Sequence[int] | None = None) -> str:
    r"""Write the backward program: a line of NumPy for each adjoint, in the names of the forward program.

    Args:
        argnums: the arguments in which the derivatives are wanted; None for all.

    Raises:
        TypeError: the program has more than one output.

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
    """The lines of the backward program; `notation` is that of the forward one."""

    def __init__(self, trace: Trace, program: Program, argnums: int | Sequence[int] | None = None) -> None:
        trace.require_one_output()
        self.notation = Notation(trace, program)
        self.lines: list[str] = []
        self._algebra = Algebra(program.size)
        self._standing: dict[int, tuple[str, int, int, tuple[int, int]]] = {}  # of a symbol: matrix, row, column, shape
        self._rank: dict[str, int] = {}  # of a matrix: later ones stand first in a product
        self._unnamed: set[int] = set()  # the symbols that stand for products and sums of matrices
        self._grads: dict[int, Ratio] = {}
        sizes = [part.size for part in trace.into.parts]
        argnums = range(len(sizes)) if argnums is None else [argnums] if isinstance(argnums, int) else argnums
        places = [k % len(sizes) for k in argnums]
        self._active = {slot for k in places for slot in range(sum(sizes[:k]), sum(sizes[: k + 1]))}
        for block in self.notation.blocks:
            self._stand(block.name, block.slots)
        self._values: dict[int, Ratio | float] = {slot: self._algebra.symbol(slot) for slot in range(program.inputs)}
        self._values |= {slot: float(x) for slot, x in enumerate(program.constants, program.inputs)}
        self._constants: dict[str, Any] = {}  # the symbols of a matrix of constants
        self._read: dict[str, list[Any]] = {}  # of a block the values of its operands, at each place
        for line in self.notation.lines:
            self._forward(line)
        inputs = [block for block in self.notation.inputs if set(block.slots.flat) & self._active]
        readers = {block.name: self._first_reader(block) for block in inputs}
        (output,) = trace.outputs
        if isinstance(output, int):
            self._grads[int(self.notation.origin[program.slots[output]])] = self._algebra.of(1.0)
        for k, line in reversed(list(enumerate(self.notation.lines))):
            self._backward(line)
            for block in inputs:
                if readers[block.name] == k:
                    self._finish(block)
        for block in inputs:
            if readers[block.name] is None:
                self._finish(block)

    def __str__(self) -> str:
        return "\n".join([f"{self.notation.program.name}, backward", *self.notation.givens(), *self.lines])

    def _stand(self, text: str, symbols: Any) -> None:
        """Let symbols stand for the numbers of a matrix."""
        self._rank.setdefault(text, len(self._rank))
        for (r, c), symbol in np.ndenumerate(symbols):
            self._standing[int(symbol)] = text, r, c, symbols.shape

    def _fresh(self, text: str, shape: tuple[int, ...]) -> Any:
        """Return new symbols for the numbers of a matrix."""
        symbols = np.array([self._algebra.fresh() for _ in range(int(np.prod(shape)))]).reshape(shape)
        self._stand(text, symbols)
        return symbols

    def _first_reader(self, block: Block) -> int | None:
        """Return the line with which the adjoint of an input is complete."""
        own = set(block.slots.flat)
        lines = enumerate(self.notation.lines)
        return next((k for k, line in lines if any(own & set(x.flat) for x in line.operands)), None)

    # Forward: what each number is, in terms of those that have names.

    def _forward(self, line: Line) -> None:
        """Find what arithmetic makes of named numbers; what is no arithmetic, a product or large is a name itself."""
        algebra, slots = self._algebra, line.block.slots
        if any(self._active & set(x.flat) for x in line.operands):
            self._active |= set(slots.flat)
        if line.kind != "product":
            operands = self._read[line.block.name] = [self._held(x) for x in line.operands]
        for place, slot in np.ndenumerate(slots):
            found: Ratio | None = None
            if line.kind == "row" and line.op is not None:
                values = [algebra.of(x[place]) for x in operands]
                found = algebra.arithmetic(line.op, values)
                if found is None:
                    algebra.know(line.op, values, slot)
            elif line.kind in {"sum", "dot"} and self._is_written_out(line):
                factors = operands[: 1 + (line.kind == "dot")]
                terms = [
                    prod((x[(*place, j)] for x in factors), start=algebra.of(1.0)) for j in range(factors[0].shape[2])
                ]
                found = sum([*terms, *(x[place] for x in operands[len(factors) :])], start=algebra.of(0.0))
            self._values[slot] = algebra.symbol(slot) if found is None or found.size > LARGE else found

    def _is_written_out(self, line: Line) -> bool:
        """Say whether the terms of a sum are numbers of different matrices."""
        first = line.operands[0]
        return first.shape[2] <= LARGE and bool((np.ptp(self.notation.place[0, first], axis=2) > 0).all())

    def _held(self, slots: Any) -> Any:
        """Return the values in slots, at their places; constants that differ are symbols of their matrix."""
        if slots.ndim == 3:
            return np.stack([self._held(slots[..., j]) for j in range(slots.shape[2])], axis=2)
        numbers = self.notation.numbers(slots)
        if numbers is None or (numbers == numbers.flat[0]).all():
            return _objects(slots.shape, [self._values[slot] for slot in slots.flat])
        name, how = self.notation.matrix(numbers, "Y")
        if name not in self._constants:
            self._constants[name] = self._fresh(name, self.notation.constants[name].shape)
        symbols = self._constants[name].T if how == "{}.T" else self._constants[name]
        held = _objects(slots.shape, [self._algebra.symbol(symbol) for symbol in symbols.flat])
        return 1.0 - held if how == "(1 - {})" else held

    # Backward: the adjoint of each kind of line.

    def _backward(self, line: Line) -> None:
        """Give a line's adjoint on to what it reads; it has a line of its own where sums of products enter."""
        slots = line.block.slots
        grads = self._adjoints(line.block)
        if not self._active & set(slots.flat) or not any(g.k for g in grads.flat):
            return
        if line.kind == "take":
            self._backward_take(line, self._named(line.block, grads))
            return
        slopes = [] if line.kind == "product" else self._slopes(line)
        if line.kind == "row" and not any(x.k for slope in slopes for x in slope.flat):
            return
        if line.kind == "product" or any(g.size > LARGE or g.symbols & self._unnamed for g in grads.flat):
            grads = self._named(line.block, grads)
        if line.kind == "product":
            self._backward_product(line, grads)
        for slots, slope in zip(line.operands, slopes, strict=False):
            if slots.ndim == 2:
                self._give(slots, grads * slope)
            else:
                for place, slot in np.ndenumerate(slots):
                    self._add(slot, grads[place[:2]] * slope[place])
        for slots in line.operands[2:] if line.kind == "dot" else ():
            self._give(slots, grads)

    def _slopes(self, line: Line) -> list[Any]:
        """Return the partial derivatives in the operands, at their places."""
        operands = self._read[line.block.name]
        if line.kind == "dot":
            return operands[1::-1]
        found = [np.empty(x.shape, dtype=object) for x in line.operands]
        result = self._held(line.block.slots)
        for slopes, k in zip(found, range(len(found)), strict=True):
            rule = None if line.op is None else line.op.formulas[k]
            for place in np.ndindex(slopes.shape):
                own = [x[place] for x in operands]
                slope = 1.0 if rule is None else rule(*own, result[place])
                slopes[place] = self._algebra.of(slope)
        return found

    def _adjoints(self, block: Block) -> Any:
        """Return what the adjoints of a matrix are so far."""
        zero = self._algebra.of(0.0)
        return _objects(block.shape, [self._grads.get(slot, zero) for slot in block.slots.flat])

    def _backward_product(self, line: Line, grads: Any) -> None:
        """Give $dZ X^T$ to W and $W^T dZ$ to X, for $Z = W X$."""
        left, right, *added = line.operands
        name, scale = self._dname(line.block), grads.flat[0].k
        w, x = (str(self.notation.read(slots, "X")) for slots in (left, right))
        for slots, text, own, turned in (
            (left, f"{name} @ {_transposed(x)}", w, f"{x} @ {name}.T"),
            (right, f"{_transposed(w)} @ {name}", x, f"{name}.T @ {w}"),
        ):
            if self._active & set(slots.flat):
                turn = own.endswith(".T")  # it is W.T that was read: what is wanted stands as W
                self._give_matrix(slots.T if turn else slots, turned if turn else text, scale)
        for slots in added:
            self._give(slots, grads)

    def _backward_take(self, line: Line, grads: Any) -> None:
        """Give adjoints to what was chosen: no line of NumPy, and said to be none."""
        text = f"scattered({self._dname(line.block)})"
        places = self.notation.place[0, line.operands[0]]
        for k in np.unique(places[places >= 0]):  # constants have none
            self._give_matrix(self.notation.blocks[k].slots, text, grads.flat[0].k)

    def _give(self, slots: Any, terms: Any) -> None:
        """Add to the adjoints of what was read; what was read repeatedly gets the sum over the repeats."""
        if not self._active & set(slots.flat):
            return
        options = "axis=1, ", "axis=0, ", ""
        once = slots[:, :1], slots[:1], slots[:1, :1]
        for option, part in zip(options, once, strict=True):
            if part.size < slots.size and (slots == part).all():
                try:
                    scale, text = self._common(terms, scaled=True)
                except _Irregular:
                    break
                self._give_matrix(part, f"sum({text}, {option}keepdims=True)", scale)
                return
        for slot, term in zip(slots.flat, terms.flat, strict=True):
            self._add(slot, term)

    def _give_matrix(self, slots: Any, text: str, scale: Fraction) -> None:
        """Add a factor times a matrix, which is a text, to the adjoints of what was read."""
        symbols = self._fresh(text, slots.shape)
        self._unnamed |= set(symbols.flat)
        for slot, symbol in zip(slots.flat, symbols.flat, strict=True):
            self._add(slot, self._algebra.symbol(symbol, scale))

    def _add(self, slot: int, term: Ratio) -> None:
        if slot in self._active:
            self._grads[slot] = self._grads[slot].plus(term) if slot in self._grads else term

    # Writing: what the numbers of a matrix have in common.

    def _named(self, block: Block, grads: Any) -> Any:
        """Write the line of an adjoint, but for a factor that is carried along, and return what stands for it."""
        name = self._dname(block)
        try:
            scale, text = self._common(grads, scaled=True)
            lacking = "" if scale == 1 else f"without the factor {_number(scale)}"
            self.lines.append(commented(f"{name} = {text}", block, lacking))
        except _Irregular:
            scale = Fraction(1)
            self._in_parts(block, grads)
        symbols = self._fresh(name, block.shape)
        return _objects(block.shape, [self._algebra.symbol(symbol, scale) for symbol in symbols.flat])

    def _finish(self, block: Block) -> None:
        """Write the adjoint of an input."""
        grads = self._adjoints(block)
        try:
            _, text = self._common(grads, scaled=False)
            self.lines.append(commented(f"{self._dname(block)} = {text}", block))
        except _Irregular:
            self._in_parts(block, grads)

    def _in_parts(self, block: Block, grads: Any) -> None:
        """Write an adjoint column by column, row by row or number by number."""
        name, (rows, columns) = self._dname(block), block.shape
        every = slice(None)
        ways = [(every, slice(c, c + 1)) for c in range(columns)], [(slice(r, r + 1), every) for r in range(rows)]
        single = [(slice(r, r + 1), slice(c, c + 1)) for r in range(rows) for c in range(columns)]
        for way in (*ways, single):
            try:
                texts = [self._common(grads[part], scaled=False)[1] for part in way] if len(way) <= FEW else []
            except _Irregular:
                continue
            if texts:
                self.lines.append(commented(f"{name} = empty({block.shape})", block))
                for part, text in zip(way, texts, strict=True):
                    r, c = (":" if p == every else f"{p.start}:{p.stop}" for p in part)
                    self.lines.append(f"  {name}[{r}{f', {c}' * (columns > 1 and c != ':')}] = {text}")
                return
        self.lines.append(f"  # {name}: {grads.size} numbers without a common form")

    def _dname(self, block: Block) -> str:
        name = f"d{block.name}"
        return name if name not in self.notation.names else f"{name}_"

    def _common(self, grads: Any, scaled: bool) -> tuple[Fraction, Code]:
        """Return a factor, which is 1 unless it is asked for, and what all the numbers are besides."""
        rows, columns = grads.shape
        self._everywhere = set.intersection(*(g.symbols for g in grads.flat)) if grads.size > 1 else set()
        self._covered = [rows == 1, columns == 1]
        forms = [self._form(g, r, c, grads.shape) for (r, c), g in np.ndenumerate(grads)]
        scale, text = self._join(forms, grads.shape, scaled)
        if not all(self._covered) or (scaled and str(text) == "1"):
            ones = Code(f"ones({grads.shape})")
            text = {"0": Code(f"zeros({grads.shape})"), "1": ones}.get(str(text)) or text * ones
        return scale, text

    def _form(self, g: Ratio, r: int, c: int, shape: tuple[int, int]) -> _Form:
        """Return a number's function in the names of matrices that have their own number at its place."""
        factors: Counter[tuple[tuple[Names, Fraction], ...]] = Counter()
        for factor, n in g.factors.items():
            named = [(tuple(self._called(x, r, c, shape) for x in reversed(m)), k) for m, k in factor]
            factors[tuple(sorted(named))] = n
        return g.k, factors

    def _called(self, symbol: int, r: int, c: int, shape: tuple[int, int]) -> str:
        """Name a symbol in a line that is about the place r, c of a matrix."""
        if symbol not in self._standing:
            op, operands = self._algebra.calls[symbol]
            if isinstance(op, float):
                return repr(op)
            texts = [self._join([self._form(x, r, c, shape)], (1, 1), scaled=False)[1] for x in operands]
            text = Code.write(op, texts).bracketed(Level.ATOM)
            self._rank.setdefault(text, 0)
            return text
        text, i, j, size = self._standing[symbol]
        atom = f"({text})" if "@" in text else text
        if symbol in self._everywhere and size != (1, 1):
            return f"{atom}[{i}, {j}]"
        parts = [_part(i, r, size[0], shape[0]), _part(j, c, size[1], shape[1])]
        if None in parts:
            if size == shape[::-1] and (j, i) == (r, c):
                self._covered = [True, True]
                return f"{atom}.T"
            raise _Irregular
        self._covered = [done or n > 1 for done, n in zip(self._covered, size, strict=True)]
        return text if parts == [":", ":"] else f"{atom}[{', '.join(map(str, parts))}]"

    def _join(self, forms: Sequence[_Form], shape: tuple[int, int], scaled: bool) -> tuple[Fraction, Code]:
        """Write forms that agree as they are, or multiplied out if only their coefficients differ."""
        (k, factors), *_ = forms
        alone = list(factors.values()) == [1] and any(len(factor) > 1 for factor in factors)
        if not alone and all(form == forms[0] for form in forms):
            scale = abs(k) if scaled else Fraction(1)
            return scale, self._product(k / scale if k else k, factors.items())
        split = [_split(form) for form in forms]
        below = split[0][1]
        names = dict.fromkeys(name for above, _ in split for name in above)
        if any(other != below for _, other in split) or len(names) > max(len(above) for above, _ in split):
            raise _Irregular
        terms: dict[Names, Any] = {}
        for name in names:
            own = [above.get(name, Fraction(0)) for above, _ in split]
            if 0 in own and any("(" in text for text in name):  # 0 times what may be infinite elsewhere
                raise _Irregular
            terms[name] = own[0] if len(set(own)) == 1 else np.array(own).reshape(shape)
        sizes = [abs(k) for name, k in terms.items() if isinstance(k, Fraction)]
        scale = Fraction(1)
        if sizes and (scaled or (len(terms) > 1 and len(set(sizes)) == 1 and len(sizes) == len(terms))):
            scale = sizes[0]
        terms = {name: k / scale for name, k in terms.items()}
        under = Counter({factor[0][0][0]: n for factor, n in below.items() if len(factor) == 1})
        if len(under) == len(below) and any(set(name) & set(under) for name in terms):
            text = self._sum(terms, under)  # some terms are no fractions
        else:
            text = self._sum(terms)
            text = text / self._product(Fraction(1), below.items()) if below else text
        if scale != 1 and not scaled:
            text = Code(f"{_number(scale)} * {text.bracketed(Level.POWER)}", Level.PRODUCT)
        return (scale if scaled else Fraction(1)), text

    def _sum(self, terms: Terms, under: Mapping[str, int] = MappingProxyType({})) -> Code:
        """Write a sum of terms over the same symbols: what is positive first, and short products before long ones."""

        def order(item: tuple[Names, Any]) -> tuple[Any, ...]:
            name, k = item
            return _negative(k), len(name), [-self._rank_of(text) for text in name]

        text = ""
        for name, k in sorted(terms.items(), key=order):
            sign = "-" if _negative(k) else ""
            if isinstance(k, Fraction):
                factors = Counter(name)
            else:
                self._covered = [True, True]
                matrix, how = self.notation.matrix(
                    (-k if sign else k).astype(float), "C" if set(name) - set(under) else "Y"
                )
                factors = Counter([*name, how.format(matrix)])
            factors.subtract(under)
            powers = [((((factor,), Fraction(1)),), n) for factor, n in factors.items() if n]
            written = self._product(abs(k) if isinstance(k, Fraction) else Fraction(1), powers).bracketed(Level.PRODUCT)
            text = f"{text} {sign or '+'} {written}" if text else sign + written
        return Code(text or "0", Level.SUM if len(terms) > 1 or text.startswith("-") else Level.PRODUCT)

    def _product(self, k: Fraction, powers: Iterable[tuple[tuple[tuple[Names, Fraction], ...], int]]) -> Code:
        """Write a product of factors and, after a stroke, those with negative powers."""
        above: list[tuple[int, Code]] = []
        below: list[tuple[int, Code]] = []
        powers = list(powers)
        gains = [n % 2 * (2 * sum(x < 0 for _, x in factor) - len(factor) + 1) for factor, n in powers]
        turned = gains.index(max(gains)) if k < 0 and max(gains, default=0) > 0 else -1  # -(a - 1) is 1 - a
        k = abs(k) if turned >= 0 else k
        for place, (factor, n) in enumerate(powers):
            single, sign = len(factor) == 1, -1 if place == turned else 1
            text = Code(factor[0][0][0]) if single else self._sum({name: x * sign for name, x in factor})
            if single and " @ " in str(text) and not str(text).startswith(("(", "sum(")):
                text = Code(str(text), Level.PRODUCT)
            rank = max((self._rank_of(x) for name, _ in factor for x in name), default=0)
            (above if n > 0 else below).append((2 * rank + single, text if abs(n) == 1 else text ** abs(n)))
        ordered = [[text for _, text in sorted(x, key=lambda item: -item[0])] for x in (above, below)]
        least = Level.PRODUCT if len(above) == 1 else Level.POWER
        parts = [text.bracketed(least) for text in ordered[0]]
        if abs(k) != 1 or not parts:
            parts.insert(0, _number(abs(k)))
        written = "-" * (k < 0) + " * ".join(parts)
        if below:
            under = " * ".join(text.bracketed(Level.POWER) for text in ordered[1])
            written += f" / ({under})" if len(below) > 1 else f" / {under}"
        if len(parts) == 1 and not below and k > 0:
            return ordered[0][0] if above else Code(written, Level.PRODUCT if "/" in written else Level.ATOM)
        return Code(written, Level.SUM if k < 0 else Level.PRODUCT)

    def _rank_of(self, text: str) -> int:
        return self._rank.get(text.partition("[")[0].removesuffix(".T"), self._rank.get(text, 0))


_Form: TypeAlias = tuple[Fraction, Mapping[tuple[tuple[Names, Fraction], ...], int]]


def _split(form: _Form) -> tuple[dict[Names, Fraction], dict[Any, int]]:
    """Return what is above the line, multiplied out, and the factors below it."""
    k, factors = form
    above: dict[Names, Fraction] = {(): k} if k else {}
    for factor, n in factors.items():
        for _ in range(n):
            found: dict[Names, Fraction] = {}
            for (name, x), (other, y) in ((a, b) for a in above.items() for b in factor):
                key = tuple(sorted(name + other))
                found[key] = found.get(key, Fraction(0)) + x * y
            above = {name: x for name, x in found.items() if x}
    return above, {factor: -n for factor, n in factors.items() if n < 0}


def _objects(shape: tuple[int, ...], items: list[Any]) -> Any:
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found.reshape(shape)


def _part(i: int, r: int, size: int, rows: int) -> str | None:
    """Write which rows of a matrix with size rows stand beside rows, if its row i stands beside row r."""
    if size == 1 or (size == rows and i == r):
        return ":"
    return f"{i - r}:{i - r + rows}" if 0 <= i - r <= size - rows else None


def _transposed(text: str) -> str:
    return text.removesuffix(".T") if text.endswith(".T") else f"{text}.T"


def _negative(k: Any) -> bool:
    return bool(np.all(k <= 0))


def _number(k: Fraction) -> str:
    """Write a fraction as such if it is simple, in full if not."""
    simple = k.limit_denominator(1000)
    if abs(k - simple) <= abs(k) * Fraction(1, 10**15):
        k = simple
    if max(abs(k.numerator), k.denominator) < 10**4:
        return str(k)
    try:
        return constant(float(k))
    except OverflowError:
        return "inf" if k > 0 else "-inf"
