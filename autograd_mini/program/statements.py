r"""A program and its derivatives as statements over arrays. Each statement is a few loops in any language.

A statement assigns to numbers of one array. It assigns a sum to each number. A summand is a row of the table applied to
numbers of other arrays, or the sum of several such terms. An array keeps its numbers row by row. An index is an array
of ints with three axes: the rows of the results, their columns, and the terms of a sum. This module makes the
statements: forward from the lines of the written program, and the derivatives and tangents by the rows' rules. It must
not know a language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import Any, TypeAlias

import numpy as np

from ..ops import Op, Recorder, equal, floor, greater, greater_equal, mul, neg, where
from ..recorder import Operand
from .arguments import Numbers
from .notation import Line, Notation
from .specialization import Specialization

FEW = 4  # up to so many results or terms that read several arrays are written one by one
Index: TypeAlias = Numbers  # ints with three axes; an axis has length 1 if nothing changes along it


@dataclass(frozen=True, eq=False)
class Variable:
    """An array of numbers with a name. If it has one row and one column, it is a number."""

    name: str
    shape: tuple[int, int]
    values: Any = None  # the numbers, if these are constants

    @property
    def size(self) -> int:
        """Return the count of numbers."""
        return self.shape[0] * self.shape[1]

    @property
    def whole(self) -> Read:
        """Return the expression that reads the whole array."""
        return Read(self, np.arange(self.size).reshape(*self.shape, 1))


class Expression:
    """A number for each place that a statement assigns to."""


@dataclass(frozen=True, eq=False)
class Literal(Expression):
    """A constant."""

    value: float


@dataclass(frozen=True, eq=False)
class Read(Expression):
    """Numbers of an array."""

    of: Variable
    index: Index


@dataclass(frozen=True, eq=False)
class Count(Expression):
    """Constant whole numbers, such as the number of a term."""

    index: Index


@dataclass(frozen=True, eq=False)
class Apply(Expression):
    """A row of the table applied to expressions."""

    op: Op
    operands: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Summand:
    """An expression, and the number of terms that are summed along its third axis."""

    of: Expression
    count: int = 1


@dataclass(frozen=True, eq=False)
class Statement:
    """A sum, assigned to numbers of an array, or added to them."""

    target: Read
    summands: tuple[Summand, ...]
    adds: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of rows and columns of the results."""
        rows, columns, _ = self.target.index.shape
        return rows, columns


@dataclass(frozen=True, eq=False)
class Test:
    """A comparison of two numbers, with its expected outcome."""

    __test__ = False  # it is no test for pytest

    sign: str
    left: Expression
    right: Expression
    outcome: bool


def reads(x: Expression) -> Iterator[Read | Count]:
    """Yield all parts of an expression that have an index."""
    if isinstance(x, Apply):
        for operand in x.operands:
            yield from reads(operand)
    elif isinstance(x, Read | Count):
        yield x


def reindexed(x: Expression, f: Callable[[Index], Index]) -> Expression:
    """Return an expression with f applied to each index."""
    match x:
        case Apply(op, operands):
            return Apply(op, tuple([reindexed(operand, f) for operand in operands]))
        case Read(of, index):
            return Read(of, f(index))
        case Count(index):
            return Count(f(index))
    return x


def thin(index: Index) -> Index:
    """Return an index with length 1 along the axes where nothing changes."""
    for axis in range(3):
        first = index.take([0], axis)
        if index.shape[axis] > 1 and (index == first).all():
            index = first
    return index


def steps_of(index: Index) -> tuple[int, tuple[int, ...]] | None:
    """Return the first number of an index and its steps along the axes, or None if the steps are not regular.

    >>> steps_of(np.arange(12).reshape(3, 4, 1)[:, 1:])
    (1, (4, 1, 0))
    """
    base = int(index[0, 0, 0])
    at = [index[1, 0, 0] - base if index.shape[0] > 1 else 0, 0, 0]
    at[1] = index[0, 1, 0] - base if index.shape[1] > 1 else 0
    at[2] = index[0, 0, 1] - base if index.shape[2] > 1 else 0
    r, c, j = np.ogrid[: index.shape[0], : index.shape[1], : index.shape[2]]
    regular = (index == base + at[0] * r + at[1] * c + at[2] * j).all()
    return (base, tuple(map(int, at))) if regular else None


class Traced(Recorder):
    """A recorder that builds an expression from the rows that a rule applies."""

    __slots__ = ("of",)
    first_order = True

    def __init__(self, of: Expression) -> None:
        self.of = of

    def record(self, op: Op, operands: tuple[Operand, ...]) -> Traced:
        """Apply a row."""
        return Traced(Apply(op.row, tuple(map(_expression, operands))))


def _expression(x: Operand) -> Expression:
    return x.of if isinstance(x, Traced) else Literal(float(x))


def slope(x: Apply, k: int, z: Expression) -> Expression:
    """Return the rule for operand k as an expression in the operands and the result."""
    rule = x.op.formulas[k]
    numbers = [operand.value if isinstance(operand, Literal) else Traced(operand) for operand in x.operands]
    try:
        return _expression(rule(*numbers, Traced(z)))
    except (ArithmeticError, ValueError, TypeError):
        # At a pole Python raises an error for a constant. An expression has the limit.
        return _expression(rule(*map(Traced, (*x.operands, z))))


def times(g: Expression, factor: Expression) -> Expression:
    """Return a product. Leave out a factor of 1."""
    known = factor.value if isinstance(factor, Literal) else None
    return g if known == 1.0 else Apply(neg, (g,)) if known == -1.0 else Apply(mul, (g, factor))


def along(x: Apply, k: int, g: Expression, z: Expression) -> Expression:
    """Return a derivative times the slope with respect to operand k.

    A choice is different: the result is exactly 0 on the side that it does not choose.
    """
    if x.op is where:
        return Apply(where, (x.operands[0], *((g, Literal(0.0)) if k == 1 else (Literal(0.0), g))))
    return times(g, slope(x, k, z))


def _is_by_rows(places: Numbers, columns: int) -> bool:
    """Return whether the places in each row lie in one row of an array with so many columns."""
    rows = places // columns
    return bool((rows == rows[:, :1]).all())


@dataclass
class Contribution:
    """A part of the derivative with respect to numbers of an array. The shape is the shape of its statement."""

    target: Read
    of: Expression
    shape: tuple[int, int, int]

    def arranged(self) -> tuple[bool, Statement]:
        """Return whether the part covers all numbers, each once, and the statement that adds the part."""
        to, index, shape = self.target.of, thin(self.target.index), self.shape
        grid = to.whole.index
        for order in permutations(range(3)):
            turned = index.transpose(order)
            if (shape[order[0]], shape[order[1]]) == to.shape and np.array_equal(turned, grid):
                term = Summand(reindexed(self.of, partial(np.transpose, axes=order)), shape[order[2]])
                return True, Statement(to.whole, (term,), adds=True)
        varying = [k for k in range(3) if index.shape[k] > 1]
        if len(varying) == 2 and not _is_by_rows(index.squeeze(), to.shape[1]):
            varying.reverse()  # so that results have the layout of the numbers
        order = (*varying, *(k for k in range(3) if k not in varying))
        places = index.transpose(order).ravel()
        covers = places.size == to.size == len(np.unique(places))
        first = np.argsort(places) if covers else np.arange(places.size)
        if covers:
            rows, columns = to.shape
        elif len(varying) == 2:
            rows, columns = (index.shape[k] for k in varying)
        else:
            rows, columns = (1, places.size) if _is_by_rows(places[None], to.shape[1]) else (places.size, 1)
        count = shape[0] * shape[1] * shape[2] // places.size

        def moved(x: Index) -> Index:
            if x.size == 1:
                return x
            flat = np.broadcast_to(x, shape).transpose(order).reshape(places.size, count)[first]
            return thin(flat.reshape(rows, columns, count))

        target = to.whole if covers else Read(to, places.reshape(rows, columns, 1))
        return covers, Statement(target, (Summand(reindexed(self.of, moved), count),), adds=True)


class Routine:
    """The statements of a program, in order, with the tests of its branches, and the statements of its derivatives.

    Attributes:
        inputs: the given arrays.
        statements: the statements that compute the outputs.
        value: the outputs.
        constants: arrays of constants.
    """

    def __init__(self, specialization: Specialization, given: Sequence[tuple[str, Numbers]]) -> None:
        """Write the statements of a program. Its inputs are matrices, given by their names and the numbers' slots."""
        trace = specialization.trace
        self.specialization = specialization
        self.notation = Notation(trace, specialization.program)
        self.notation.names -= {block.name for block in self.notation.inputs}
        self.inputs = [Variable(self.notation.name(name), slots.shape) for name, slots in given]
        inner = self.notation.blocks[len(self.notation.inputs) :]
        self._variables = [*self.inputs, *(Variable(block.name, block.shape) for block in inner)]
        self._place = np.full_like(self.notation.place, -1)
        for k, slots in enumerate([*(slots for _, slots in given), *(block.slots for block in inner)]):
            self._place[0, slots], self._place[1:, slots] = k, np.indices(slots.shape)
        self.statements: list[Statement | Test] = []
        self.constants: list[Variable] = []
        self._known = set(self.inputs)
        self._tests = list(zip([branch.sign for branch in trace.branches], specialization.branches, strict=True))
        self._test()
        for line, variable in zip(self.notation.lines, self._variables[len(self.inputs) :], strict=True):
            self._line(line, variable)
            self._known.add(variable)
            self._test()
        outputs = specialization.outputs
        self.value = Variable(self.notation.name("value"), (len(outputs), 1))
        self._copy(self.value, np.array([z if isinstance(z, int) else -1 for z in outputs], dtype=int), outputs)

    # Forward.

    def _line(self, line: Line, variable: Variable) -> None:
        """Write a line of the program as statements."""
        if line.kind not in ("row", "product", "dot", "sum", "take"):
            raise NotImplementedError(f"an instruction {line.kind!r} cannot be written")
        operands = [x if x.ndim == 3 else x[:, :, None] for x in line.operands]
        if line.kind == "product":  # a matrix times a matrix
            operands[:2] = line.operands[0][:, None, :], line.operands[1].T[None, :, :]
        self._results(line, variable.whole, operands)

    def _results(self, line: Line, target: Read, slots: list[Numbers]) -> None:
        """Write the statement for some results of a line. If a few results read several arrays, write one for each."""
        found = [self._read(x) for x in slots]
        rows, columns = target.index.shape[:2]
        if None in found and 1 < rows * columns <= FEW:
            for place in np.ndindex(rows, columns):
                self._results(line, Read(target.of, _at(target.index, place)), [_at(x, place) for x in slots])
            return
        count = max((x.shape[2] for x in slots), default=1)
        factors = {"row": len(slots), "sum": 1, "take": 2}.get(line.kind, 2)
        terms: list[Summand] = []
        if None in found[:factors] and 1 < count <= FEW and line.kind in ("sum", "dot", "product"):
            for j in range(count):
                parts = [self._whole_read(x[:, :, j : j + 1]) for x in slots[:factors]]
                terms.append(Summand(parts[0] if factors == 1 else Apply(mul, tuple(parts))))
        else:
            parts = [self._whole_read(x) for x in slots[:factors]]
            terms = [*_terms(line, parts, count)]
        terms += [Summand(self._whole_read(x)) for x in slots[factors:]]
        self.statements.append(Statement(target, tuple(terms)))

    def _read(self, slots: Numbers) -> Expression | None:
        """Return an expression for the numbers in slots, or None if they lie in several arrays."""
        slots = thin(slots)
        numbers = self.notation.numbers(slots)
        if numbers is not None:
            return self._constant(numbers)
        number, row, column = self._place[:, slots]
        k = int(number.flat[0])
        if k < 0 or (number != k).any():
            return None
        return Read(self._variables[k], row * self._variables[k].shape[1] + column)

    def _whole_read(self, slots: Numbers) -> Expression:
        """Return an expression for the numbers in slots. If they lie in several arrays, copy them to one first."""
        found = self._read(slots)
        if found is not None:
            return found
        slots = thin(slots)
        rows, columns, count = slots.shape
        made = Variable(self.notation.name("v", 1), (rows, columns) if count == 1 else (rows * columns, count))
        self._copy(made, slots.ravel())
        return Read(made, np.arange(slots.size).reshape(slots.shape))

    def _copy(self, to: Variable, slots: Numbers, numbers: Sequence[float] = ()) -> None:
        """Copy numbers from slots to an array. For a slot of -1, copy the given number."""
        real = slots >= 0
        slots, sources = slots.copy(), np.full(len(slots), -1)
        slots[real] = self.notation.origin[slots[real]]
        sources[real] = self._place[0, slots[real]]
        for k in dict.fromkeys(sources.tolist()):
            places = np.flatnonzero(sources == k)
            chosen = slots[places][:, None, None]
            if k >= 0:
                read = self._read(chosen)
            elif numbers:
                known = [numbers[i] if slots[i] < 0 else self._number(slots[i]) for i in places.tolist()]
                read = self._constant(np.array(known, dtype=float)[:, None, None])
            else:
                read = self._constant(self.notation.numbers(chosen))
            assert read is not None
            target = to.whole if len(places) == to.size else Read(to, places[:, None, None])
            if len(places) == to.size:
                read = reindexed(read, lambda x: x if x.size == 1 else x.reshape(*to.shape, 1))
            self.statements.append(Statement(target, (Summand(read),)))

    def _number(self, slot: int) -> float:
        program = self.specialization.program
        return float(program.constants[slot - program.inputs])

    def _constant(self, numbers: Numbers) -> Expression:
        """Return an expression for constants: one number, or an array, which may exist already."""
        bits = numbers.view(np.int64)
        if (bits == bits.flat[0]).all():
            return Literal(float(numbers.flat[0]))
        rows, columns, count = numbers.shape
        matrix = numbers.reshape(rows, columns) if count == 1 else numbers.reshape(rows * columns, count)
        index = np.arange(numbers.size).reshape(numbers.shape)
        for known in self.constants:
            if np.array_equal(known.values, matrix, equal_nan=True):
                return Read(known, index)
            if count == 1 and np.array_equal(known.values, matrix.T, equal_nan=True):
                return Read(known, np.arange(numbers.size).reshape(columns, rows).T[:, :, None])
        named = (name for name, x in self.notation.constants.items() if np.array_equal(x, matrix, equal_nan=True))
        name = next(named, None) or self.notation.name("Y")
        self.constants.append(Variable(name, (matrix.shape[0], matrix.shape[1]), matrix))
        return Read(self.constants[-1], index)

    def _test(self) -> None:
        """Write the tests whose numbers are computed by now, in Python's order."""
        while self._tests:
            sign, (_, left, right, outcome) = self._tests[0]
            sides = [self._side(x) for x in (left, right)]
            if any(isinstance(x, Read) and x.of not in self._known for x in sides):
                return
            self._tests.pop(0)
            self.statements.append(Test(sign, sides[0], sides[1], outcome))

    def _side(self, x: int | float) -> Expression:
        if not isinstance(x, int):
            return Literal(float(x))
        found = self._read(self.notation.origin[np.array([[[x]]])])
        assert found is not None
        return found

    # Derivatives.

    @property
    def forward(self) -> list[Statement]:
        """Return the statements without the tests."""
        return [x for x in self.statements if isinstance(x, Statement)]

    def _active(self, wanted: Iterable[Variable]) -> set[Variable]:
        """Return the arrays that depend on some inputs along edges that pass derivatives."""
        active = set(wanted)
        for statement in self.forward:
            if any(read.of in active for term in statement.summands for _, read in _operands(term.of)):
                active.add(statement.target.of)
        return active

    def gradient(self, wanted: Sequence[Variable]) -> tuple[list[Statement], list[Variable]]:
        """Return the backward statements, and the derivatives with respect to some inputs."""
        active = self._active(wanted)
        adjoints: dict[Variable, Variable] = {}
        waiting: dict[Variable, list[Contribution]] = {}
        written: list[Statement] = []

        def finish(variable: Variable) -> None:
            adjoints[variable] = made = Variable(self.notation.name(f"d{variable.name}"), variable.shape)
            written.extend(_total(made, waiting.pop(variable, [])))

        by_target: dict[Variable, list[Statement]] = {}
        for statement in self.forward:  # in the order in which the arrays become complete
            by_target[statement.target.of] = [*by_target.pop(statement.target.of, []), statement]
        for variable in [*by_target][::-1]:
            if variable is not self.value:
                if variable not in waiting:
                    continue
                finish(variable)
            for statement in by_target[variable]:
                g = Literal(1.0) if variable is self.value else Read(adjoints[variable], statement.target.index)
                for part in _contributions(statement, g, active):
                    waiting.setdefault(part.target.of, []).append(part)
        for variable in wanted:
            finish(variable)
        return written, [adjoints[variable] for variable in wanted]

    def tangents(self, wanted: Sequence[Variable]) -> tuple[list[Statement], list[Variable], Variable]:
        """Return the statements of the tangents, the tangents of some inputs, and the tangents of the outputs."""
        active = self._active(wanted) | {self.value}
        made = {x: Variable(self.notation.name(f"t{x.name}"), x.shape) for x in active}
        written = []
        for statement in self.forward:
            if statement.target.of in active:
                terms = [
                    Summand(x, term.count) for term in statement.summands for x in _tangents(statement, term, made)
                ]
                target = Read(made[statement.target.of], statement.target.index)
                written.append(Statement(target, tuple(terms) or (Summand(Literal(0.0)),)))
        return _live(written, made[self.value]), [made[x] for x in wanted], made[self.value]


def _at(index: Index, place: tuple[int, int]) -> Index:
    r, c = (k if n > 1 else 0 for k, n in zip(place, index.shape, strict=False))
    return index[r : r + 1, c : c + 1]


def _terms(line: Line, parts: list[Expression], count: int) -> Iterator[Summand]:
    """Yield the terms of a line, without the summand of its products."""
    if line.kind == "row":
        assert line.op is not None
        yield Summand(Apply(line.op.row, tuple(parts)))
    elif line.kind == "sum":
        yield Summand(parts[0], count)
    elif line.kind != "take":
        yield Summand(Apply(mul, (parts[0], parts[1])), count)
    else:  # the chosen term, or nan if the index is no whole number from 0 to count - 1
        table, choice = parts
        j = Count(np.arange(count).reshape(1, 1, count))
        yield Summand(Apply(where, (Apply(equal, (choice, j)), table, Literal(-0.0))), count)
        inside = Apply(greater_equal, (choice, Literal(0.0))), Apply(greater, (Literal(float(count)), choice))
        whole = Apply(equal, (choice, Apply(floor, (choice,))))
        exists = Apply(mul, (Apply(mul, inside), whole))
        yield Summand(Apply(where, (exists, Literal(-0.0), Literal(float("nan")))))


def _operands(x: Expression) -> list[tuple[int, Read]]:
    """Return the operands of an expression that read arrays and get a derivative, with their places."""
    if isinstance(x, Read):
        return [(0, x)]
    if not isinstance(x, Apply):
        return []
    stops = x.op.stops
    return [(k, y) for k, y in enumerate(x.operands) if isinstance(y, Read) and k not in stops]


def _contributions(statement: Statement, g: Expression, active: set[Variable]) -> Iterator[Contribution]:
    """Yield the contributions of a statement to derivatives, one for each operand that it reads."""
    rows, columns = statement.shape
    for term in statement.summands:
        for k, read in _operands(term.of):
            if read.of in active:
                of = along(term.of, k, g, statement.target) if isinstance(term.of, Apply) else g
                yield Contribution(read, of, (rows, columns, term.count))


def _tangents(statement: Statement, term: Summand, made: dict[Variable, Variable]) -> Iterator[Expression]:
    """Yield the tangents of a term, one for each of its operands."""
    for k, read in _operands(term.of):
        if read.of in made:
            t = Read(made[read.of], read.index)
            yield along(term.of, k, t, statement.target) if isinstance(term.of, Apply) else t


def _live(statements: list[Statement], wanted: Variable) -> list[Statement]:
    """Return the statements that an array depends on. Tangents that reach no output are dropped."""
    needed, kept = {wanted}, []
    for statement in reversed(statements):
        if statement.target.of in needed:
            needed |= {x.of for term in statement.summands for x in reads(term.of) if isinstance(x, Read)}
            kept.append(statement)
    return kept[::-1]


def _total(to: Variable, parts: list[Contribution]) -> Iterator[Statement]:
    """Yield the statements that add up a derivative. The first statements assign to all of its numbers."""
    arranged = [Contribution(Read(to, part.target.index), part.of, part.shape).arranged() for part in parts]
    whole = tuple([term for covers, statement in arranged if covers for term in statement.summands])
    others = sorted((x for covers, x in arranged if not covers), key=lambda x: int(x.target.index.flat[0]))
    places = np.concatenate([x.target.index.ravel() for x in others]) if others else np.zeros(0)
    if not whole and len(places) == to.size == len(np.unique(places)):
        yield from (Statement(x.target, x.summands) for x in others)
        return
    yield Statement(to.whole, whole or (Summand(Literal(0.0)),))
    yield from others
