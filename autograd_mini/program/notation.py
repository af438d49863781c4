r"""A vector program as lines over matrices.

This module arranges results as matrices and names the matrices. If the labels are such as $z_j^{[l](i)}$, a matrix has
a neuron in each row and an example in each column. Without such labels, its layout is one that needs few transposes.
If the labels of a matrix agree, its name comes from them: $z_1^{[1](3)}, z_2^{[1](3)}, …$ make Z1. This module must
not know how programs are run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from keyword import kwlist
from textwrap import indent
from typing import Any, NamedTuple
from unicodedata import normalize

import numpy as np

from ..ops import OPS, Op, add, mul, sub
from ..printing import Label, counted
from ..structure import Structure
from ..traces import Trace
from .arguments import Numbers
from .lift import Instruction, Program, lift
from .terms import (
    Assignment,
    Call,
    Elementwise,
    Gathered,
    MatMul,
    Matrix,
    Naming,
    Number,
    Product,
    Reshape,
    Shape,
    Slice,
    Sum,
    Summed,
    Term,
    Transpose,
    cost,
    is_gathered,
    shape_of,
)

FEW = 4  # terms that are written one by one
MAX_RESULTS = 8  # results that are written one by one
RESERVED = {*kwlist, *OPS, *"sum dot ones zeros empty inf nan gathered constants take scan scattered".split()}


class Block(NamedTuple):
    """A matrix with a name, and the slot of each of its numbers."""

    name: str
    slots: Numbers

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of rows and columns."""
        rows, columns = self.slots.shape
        return rows, columns

    @property
    def matrix(self) -> Matrix:
        """Return the block as a term."""
        return Matrix(self.name, self.shape)


class Line(NamedTuple):
    """An instruction on matrices: the slots that its operands read, and its right side as a term.

    The operands of a product are the two matrices and the summand. The operands of other lines have the shape of the
    results. A sum, or a dot that is not a product of matrices, has its terms along a third axis.
    """

    block: Block
    kind: str  # "row", "product", "dot", "sum", "take" or "scan"
    op: Op | None
    operands: list[Numbers]
    term: Term


class _Step(NamedTuple):
    """An instruction before its results have a layout. Each operand has an axis for results and one for terms."""

    kind: str
    op: Op | None
    out: Numbers
    operands: list[Numbers]


def written(trace: Trace, program: Program) -> str:
    """Write a program: the size of its trace, and a line of NumPy for each step, with its shape.

    >>> from autograd_mini import trace
    >>> from autograd_mini.program.lift import lift
    >>> t = trace(lambda w, x: sum(a * b for a, b in zip(w, x)), [1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    >>> print(written(t, lift(t)))
    <lambda>: 5 equations, 1 instruction
      # inputs: x 3×1, x3 3×1
      v1 = x.T @ x3
      return v1
    """
    notation = Notation(trace, program)
    loops = [_body(notation, i) for i in program.instructions if i.scan is not None]
    return "\n".join([str(notation.sheet()), *loops])


def _body(notation: Notation, i: Instruction) -> str:
    """Write the body of a loop below its program."""
    assert i.scan is not None
    block, most = notation.blocks[notation.place[0, i.start]], "at most " * i.scan.counted
    body = written(i.scan.body, lift(i.scan.body))
    return f"the loop of {block.name}, {most}{counted(i.scan.steps, 'step')} of\n{indent(body, '  ')}"


class Sheet(NamedTuple):
    """A written program."""

    name: str
    of: str  # a description of the program
    inputs: dict[str, Shape]
    constants: dict[str, Shape]
    lines: list[Assignment]
    outputs: set[str]  # the matrices that hold outputs
    returned: str  # "" for a backward program, whose lines name its results

    def __str__(self) -> str:
        given = {"inputs": self.inputs, "constants": self.constants}
        givens = [
            f"  # {kind}: {', '.join(f'{name} {rows}×{columns}' for name, (rows, columns) in shapes.items())}"
            for kind, shapes in given.items()
            if shapes
        ]
        returned = [f"  return {self.returned}"] * bool(self.returned)
        return "\n".join([f"{self.name}{self.of}", *givens, *map(str, self.lines), *returned])


class Notation:
    """The blocks of a program, and a line for each instruction.

    Copies have no line. A dot and the addition of its bias share one line.
    """

    def __init__(self, trace: Trace, program: Program) -> None:
        self.trace, self.program = trace, program
        self.constants: dict[str, Numbers] = {}  # matrices of constants, by name
        self.blocks: list[Block] = []
        self.place = np.full((3, program.size), -1)  # for each slot: its block, its row and its column
        templates = "".join(i.op.text.template for i in program.instructions if i.op is not None)
        self.names = RESERVED | {
            *re.findall(r"(?<![<\w])[^\W\d]\w*", templates)
        }  # names in use, with those in the templates of rows
        self._numbers: dict[str, int] = {}  # for each name in use: its last number
        named = zip(program.slots.tolist(), trace.names, strict=True)
        self.labels = {slot: name for slot, name in named if slot >= 0}
        self.origin = np.arange(program.size)  # for each slot: the slot that it is a copy of
        first, self.inputs = 0, []
        for part in trace.into.parts:
            self.inputs += [self._block(slots) for slots in _inputs(part, trace.inputs, first)]
            first += part.size
        lines = [self._line(step) for step in self._with_biases(self._steps())]
        # Constants get their names after the results.
        self.lines = [x if x.kind == "scan" else self._with_constants(x) for x in lines]

    def _with_constants(self, line: Line) -> Line:
        return line._replace(term=self._term(line.kind, line.op, line.operands, self.constant))

    def _block(self, slots: Numbers) -> Block:
        """Name a matrix, and store the places of its slots."""
        first = int(slots.flat[0])
        name = _common([self.labels.get(slot, "") for slot in slots.flat])
        if first < self.program.inputs and (slots.size == 1 or name in self.names):
            name = self.labels[first] if self.labels[first].isidentifier() else name
        found = Block(self.name(name) if name.isidentifier() else self.name("v", 1), slots)
        self.place[1:, slots] = np.indices(slots.shape)
        self.place[0, slots] = len(self.blocks)
        self.blocks.append(found)
        return found

    def name(self, name: str, number: int = 0) -> str:
        """Return a new name: the name itself, or if it is in use, the name with a number.

        If a number is given, the name gets this number or a larger one.
        """
        name = normalize("NFKC", name)  # as Python reads names
        fresh = f"{name}{number or ''}"
        number = max(number, self._numbers.get(name, 1))
        while fresh in self.names:
            number += 1
            fresh = f"{name}{number}" if name == "v" else f"{name}_{number}"
        self.names.add(fresh)
        self._numbers[name] = number
        return fresh

    def _steps(self) -> list[_Step]:
        """Return the instructions as steps, with arrays of slots. Copies are left out."""
        steps: list[_Step] = []
        for i in self.program.instructions:
            if i.kind == "gather":
                self.origin[i.start : i.start + i.count] = self.origin[i.index]
                continue
            read = [self.origin[i.places(n)] for n in range(len(i.operands))]
            operands = [slots.reshape(-1, slots.shape[2]) for slots in read if slots.size]
            steps.append(_Step(i.kind, i.op, np.arange(i.start, i.start + i.count), operands))
        return steps

    def _with_biases(self, steps: list[_Step]) -> Iterator[_Step]:
        """Yield steps: one for a dot and the addition of a bias, if nothing else uses the dot."""
        kept = [self.program.slots[z] for z in self.trace.outputs if isinstance(z, int)]
        uses = np.zeros(self.program.size, dtype=int)
        for slots in (self.origin[kept], *(slots for step in steps for slots in step.operands)):
            np.add.at(uses, slots, 1)
        dots = {tuple(s.out): s for s in steps if s.kind == "dot" and len(s.operands) == 2 and (uses[s.out] == 1).all()}
        merged: dict[int, _Step | None] = {}
        for step in steps:
            for own, other in (step.operands, step.operands[::-1]) if step.op is add else ():
                dot = dots.pop(tuple(np.sort(own[:, 0])), None)
                if dot is not None:
                    factors = [x[own[:, 0] - dot.out[0]] for x in dot.operands]
                    merged[int(dot.out[0])] = None
                    merged[int(step.out[0])] = _Step("dot", None, step.out, [*factors, other])
                    break
        yield from (found for step in steps if (found := merged.get(int(step.out[0]), step)) is not None)

    def _line(self, step: _Step) -> Line:
        """Choose the layout of a step's results with the simplest line, and return this line."""
        if step.kind == "scan":
            call = Call("scan", tuple(self._sources(step.operands)), (step.out.size, 1))
            return Line(self._block(step.out[:, None]), step.kind, None, step.operands, call)
        best: tuple[int, Numbers, str, list[Numbers], Term] | None = None
        for order in self._orders(step):
            for kind, operands in _readings(step, order):
                term = self._term(kind, step.op, operands, _unnamed)
                effort = cost(term) + 3 * (kind == "dot")
                if best is None or effort < best[0]:
                    best = effort, order, kind, operands, term
            if best is not None and not best[0]:
                break  # no line is simpler
        assert best is not None
        _, order, kind, operands, term = best
        return Line(self._block(step.out[order]), kind, step.op, operands, term)

    def _orders(self, step: _Step) -> Iterator[Numbers]:
        """Yield layouts of results: by labels, as an operand, by a dot's factors, as a column or as a row."""
        n = len(step.out)
        by_label = _by_label([self.labels.get(slot, "") for slot in step.out])
        if by_label is not None:
            yield by_label
        for slots in step.operands:
            place = self.place[:, slots[:, 0]]
            if (place[0] == place[0, 0]).all() and place[0, 0] >= 0:
                order = _grid(place[1], place[2])
                if order is not None:
                    yield order
        factors = step.operands[0], step.operands[1 if step.kind == "dot" else -1]
        order = _grid(*(np.unique(x, axis=0, return_inverse=True)[1].ravel() for x in factors))
        if order is not None:
            yield from (order, order.T)
        yield from (np.arange(n)[:, None], np.arange(n)[None])

    # The terms that a line reads.

    def view(self, slots: Numbers) -> Term | None:
        """Return the term for some slots if they are a part of one block, else None. Equal rows or columns are one."""
        slots = slots[:, :1] if (slots == slots[:, :1]).all() else slots
        slots = slots[:1] if (slots == slots[:1]).all() else slots
        place, row, column = self.place[:, slots]
        k = int(place[0, 0])
        if k < 0 or (place != k).any():
            return None
        matrix = self.blocks[k].matrix
        for turned, (rows, columns) in ((False, (row, column)), (True, (row.T, column.T))):
            if (rows == rows[:, :1]).all() and (columns == columns[:1]).all():
                parts = [_range(x, n) for x, n in zip((rows[:, 0], columns[0]), matrix.shape, strict=True)]
                if None not in parts:
                    index = tuple(None if x == range(n) else x for x, n in zip(parts, matrix.shape, strict=True))
                    part = matrix if index == (None, None) else Slice(matrix, index if index[1] else index[:1])
                    return Transpose(part) if turned else part
        flat = self.place[1, slots.ravel()].tolist()
        if matrix.shape[1] == 1 and flat == [*range(flat[0], flat[-1] + 1)]:
            return Reshape(Slice(matrix, (range(flat[0], flat[-1] + 1),)), slots.shape)
        return None

    def constant(self, numbers: Numbers, letter: str) -> Term:
        """Return the term that reads a matrix of constants.

        It is a new matrix, a known one K, its transpose, or 1 - K.
        """
        for name, known in self.constants.items():
            matrix = Matrix(name, known.shape)
            less = Elementwise(sub, (Number(1.0), matrix))
            for term, array in ((matrix, known), (Transpose(matrix), known.T), (less, 1.0 - known)):
                if np.array_equal(array, numbers):
                    return term
        name = self.name(letter if numbers.shape[1] > 1 else letter.lower())
        self.constants[name] = numbers
        return Matrix(name, numbers.shape)

    def numbers(self, slots: Numbers) -> Any:
        """Return the constants in some slots, or None if one slot holds no constant."""
        places = slots - self.program.inputs
        inside = ((places >= 0) & (places < len(self.program.constants))).all()
        return self.program.constants[places] if inside else None

    def read(self, slots: Numbers, naming: Naming) -> Term:
        """Return the term that reads some slots. It may have fewer rows or columns if these are equal."""
        numbers = self.numbers(slots)
        if numbers is None:
            return self.view(slots) or self._gathered([slots], slots.shape)
        return Number(float(numbers.flat[0])) if (numbers == numbers.flat[0]).all() else naming(numbers, "Y")

    def factor(self, slots: Numbers, naming: Naming) -> Term:
        """Return the term for a factor of a matrix product, with all rows and columns."""
        numbers = self.numbers(slots)
        if numbers is not None:
            return naming(numbers, "X")
        found = self.view(slots)
        return found if found and shape_of(found) == slots.shape else self._gathered([slots], slots.shape)

    def _term(self, kind: str, op: Op | None, operands: list[Numbers], naming: Naming) -> Term:
        """Return the right side of a line."""
        if kind == "row" and op is not None:
            return _whole(Elementwise(op, tuple(self.read(x, naming) for x in operands)), operands[0].shape)
        if kind == "take":
            sources = (source for x in operands for source in self._sources([x]))
            return Call("take", tuple(sources), operands[0].shape[:2])
        factors = operands[:2] if kind in {"product", "dot"} else operands[:1]
        added = [self.read(x, naming) for x in operands[len(factors) :]]
        if kind == "product":
            return Sum.of(MatMul(*(self.factor(x, naming) for x in factors)), *added)
        return Sum.of(*self._summed(kind, factors, naming), *added)

    def _summed(self, kind: str, factors: list[Numbers], naming: Naming) -> list[Term]:
        """Return the terms for sums of products. The factors have the summed terms along a third axis.

        The result is one sum, or a few terms one by one.
        """
        rows, columns, terms = factors[0].shape
        spread = min(rows, columns) > 1
        axis = None if rows == columns == 1 else 1 if columns == 1 else 0
        if axis is None:  # the sum of a whole block takes the numbers in the block's order
            order = _grid(*self.place[1:, factors[0][0, 0]])
            summed = [x[0, 0][np.arange(terms)[None] if order is None else order] for x in factors]
        else:
            summed = [x[:, 0] if axis else x[0].T for x in factors]
        if terms <= FEW and (spread or is_gathered(self._product(summed, _unnamed))):
            return [self._product([x[..., j] for x in factors], naming) for j in range(terms)]
        if spread:
            return [Call(kind, (self._gathered(factors, (rows, columns)),), (rows, columns))]
        return [Summed(self._product(summed, naming), axis, keepdims=axis is not None)]

    def _product(self, factors: list[Numbers], naming: Naming) -> Term:
        read = tuple(self.read(x, naming) for x in factors)
        return _whole(Product(Fraction(1), read) if len(read) > 1 else read[0], factors[0].shape)

    def _gathered(self, parts: list[Numbers], shape: tuple[int, int]) -> Term:
        return Gathered(tuple(self._sources(parts)), shape)

    def _sources(self, parts: list[Numbers]) -> list[Matrix]:
        numbers = dict.fromkeys(k for x in parts for k in self.place[0, x.ravel()].tolist())
        return [self.blocks[k].matrix if k >= 0 else Matrix("constants", (0, 0)) for k in numbers]

    def sheet(self) -> Sheet:
        """Return the written program."""
        program, n = self.program, len(self.program.instructions)
        kept = {self.origin[program.slots[z]] for z in self.trace.outputs if isinstance(z, int)}
        return Sheet(
            program.name,
            f": {counted(program.equations, 'equation')}, {counted(n, 'instruction')}",
            {block.name: block.shape for block in self.inputs},
            {name: numbers.shape for name, numbers in self.constants.items()},
            [Assignment(line.block.matrix, line.term) for line in self.lines],
            {line.block.name for line in self.lines if not kept.isdisjoint(line.block.slots.ravel().tolist())},
            self.shortened([*map(str, self.results())]),
        )

    def results(self) -> list[Term]:
        """Return the outputs, or the first of them, as terms: whole blocks, or numbers one by one."""
        slots = np.array([self.origin[self.program.slots[z]] if isinstance(z, int) else -1 for z in self.trace.outputs])
        if slots.size and slots[0] >= 0:
            block = self.blocks[self.place[0, slots[0]]]
            if np.array_equal(slots, block.slots.ravel()):
                return [block.matrix]
        return [
            self.read(np.array([[slot]]), self.constant) if isinstance(z, int) else Number(z)
            for slot, z in zip(slots[:MAX_RESULTS], self.trace.outputs, strict=False)
        ]

    def shortened(self, texts: list[str]) -> str:
        """Return the text of the results, with '…' for those that were left out."""
        count = len(self.trace.outputs)
        return ", ".join(texts) + f", … ({count} numbers)" * (count > MAX_RESULTS == len(texts))


def _unnamed(numbers: Numbers, letter: str) -> Term:
    """Return a matrix of constants that has no name yet."""
    return Matrix(letter, numbers.shape)


def _whole(term: Term, shape: tuple[int, int]) -> Term:
    """Return a term of a shape: the term itself, or if it has too few rows or columns, one that gathers its numbers."""
    return term if shape_of(term) == shape else Gathered((term,), shape)


def _readings(step: _Step, order: Numbers) -> Iterator[tuple[str, list[Numbers]]]:
    """Yield the ways to read a step whose results have a given layout: as a matrix product, or place by place."""
    read = [slots[order] for slots in step.operands]
    shared = all(len(np.unique(slots)) < order.size for slots in step.operands)
    if step.kind == "dot" or (step.op is mul and shared):
        for left, right in (read[:2], read[1::-1]):
            if (left == left[:, :1]).all() and (right == right[:1]).all():
                yield "product", [left[:, 0], right[0].T, *(slots[..., 0] for slots in read[2:])]
    if step.kind == "row":
        yield "row", [slots[..., 0] for slots in read]
    else:
        yield step.kind, [*read[:2], *(slots[..., 0] for slots in read[2:])]


def _range(places: Numbers, size: int) -> range | None:
    """Return places along an axis of a block as a range, or None if they are no range.

    If the axis has only one place, this place stands for any number of them.
    """
    if size == 1:
        return range(1)
    first, *others = places.tolist()
    whole = range(first, first + 1) if not others else range(first, places[-1] + 1, max(others[0] - first, 1))
    return whole if [*whole] == places.tolist() else None


def _grid(rows: Numbers | Sequence[int], columns: Numbers | Sequence[int]) -> Numbers | None:
    """Return the number of the thing at each row and column, if the things fill a rectangle, else None."""
    _, r = np.unique(rows, return_inverse=True)
    _, c = np.unique(columns, return_inverse=True)
    numbers = np.full((r.max() + 1, c.max() + 1), -1)
    if numbers.size != len(r):
        return None
    numbers[r.ravel(), c.ravel()] = np.arange(len(r))
    return numbers if (numbers >= 0).all() else None


def _read(label: str) -> Label:
    """Read a label. Labels with marks, such as z′ and z′2, are numbers of further examples."""
    again = re.fullmatch(r"(.*[^′])′(\d*)", label)
    if again is None:
        return Label.parse(label)
    read = Label.parse(again[1])
    return read if read.example else read._replace(example=str(1 + int(again[2] or 1)))


def _family(label: str) -> tuple[str, str]:
    read = _read(label)
    return read.base.partition("_{")[0], read.layer


def _by_label(labels: Sequence[str]) -> Numbers | None:
    """Return a layout of numbers by their labels: neuron by example, and a weight by its two indices."""
    read = [_read(label) for label in labels]
    if len({(r.base, r.layer) for r in read}) > 1 or not read[0].base or read[0].base == "t":
        return None
    subs = [r.sub for r in read]
    try:
        if read[0].base.isupper() and all("," in sub or len(sub) == 2 for sub in subs):
            places = [tuple(map(int, sub.split(",") if "," in sub else sub)) for sub in subs]
        else:
            places = [(int(r.sub or 1), int(r.example or 1)) for r in read]
    except ValueError:  # no numbers
        return None
    rows, columns = zip(*places, strict=True)
    return _grid(rows, columns)


def _common(labels: list[str]) -> str:
    """Return a name for numbers whose labels have the same base and layer, or "" if the labels differ.

    The name is a capital if the numbers belong to several examples.
    """
    families = {_family(label) for label in labels}
    base, layer = families.pop()
    if families or not base or base == "t":
        return ""
    several = len({_read(label).example for label in labels}) > 1
    return (base.upper() if several and len(base) == 1 else base) + layer


def _inputs(structure: Structure, labels: Sequence[str], first: int) -> Iterator[Numbers]:
    """Yield the inputs as matrices: arrays in their shape, lists by labels, and other numbers as a column."""
    if not structure.size:
        return
    places = range(first, first + structure.size)
    numbers = np.array(places)
    own = [labels[k] for k in places]
    if structure.kind == "array":
        yield numbers.reshape(-1, structure.keys[-1]) if len(structure.keys) > 1 else numbers[:, None]
    elif all(part.kind is None for part in structure.parts):
        families: dict[tuple[str, str], list[int]] = {}
        for k in places:
            families.setdefault(_family(labels[k]), []).append(k)
        for members in families.values():
            order = _by_label([labels[k] for k in members])
            yield np.array(members)[np.arange(len(members))[:, None] if order is None else order]
    elif len({(part.kind, part.size) for part in structure.parts}) == 1 and len(set(map(_family, own))) == 1:
        yield numbers.reshape(len(structure.parts), -1)
    else:
        for part in structure.parts:
            yield from _inputs(part, labels, first)
            first += part.size
