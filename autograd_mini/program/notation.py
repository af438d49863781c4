r"""A vector program, written out as lines of NumPy.

This room owns how results stand as matrices, and what these are called. A matrix has a neuron in each row
and an example in each column where labels such as $z_j^{[l](i)}$ say so; else it stands so that few products
need a transpose. Names come from labels where these agree: $z_1^{[1](3)}$ and its like are Z1. It must not
know how programs are run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from keyword import kwlist
from typing import Any, NamedTuple

import numpy as np

from ..ops import OPS, Level, Op, add, mul
from ..printing import Code, Label, format_number
from ..structure import Structure
from ..traces import Trace
from .lift import Program, grid

__all__ = ["Block", "Line", "Notation", "commented", "constant", "written"]

FEW = 4  # terms that are written one by one


class Block(NamedTuple):
    """A matrix with a name: which slot stands where."""

    name: str
    slots: Any

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of rows and columns."""
        rows, columns = self.slots.shape
        return rows, columns


class Line(NamedTuple):
    """An instruction on matrices, with the slots that its operands read.

    Of a product they are the two matrices, and what is added to it. Else they have the shape of the results,
    and of a sum, or a dot that is no product of matrices, the terms as a third axis.
    """

    block: Block
    kind: str  # "row", "product", "dot", "sum" or "take"
    op: Op | None
    operands: list[Any]


class _Step(NamedTuple):
    """An instruction before it is known how its results stand: operands are results by terms."""

    kind: str
    op: Op | None
    out: Any
    operands: list[Any]


def written(trace: Trace, program: Program) -> str:
    """Write a program: what it was lifted from, and a line of NumPy for each step, with its shape.

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
    pairs = zip(notation.lines, notation.texts, strict=True)
    lines = [commented(f"{line.block.name} = {text}", line.block) for line, text in pairs]
    n = len(program.instructions)
    head = f"{program.name}: {program.equations:,} equations, {n} instruction{'s' * (n != 1)}"
    return "\n".join([head, *notation.givens(), *lines, f"  return {notation.returned()}"])


def commented(text: str, block: Block, remark: str = "") -> str:
    """Return a line with the shape of its matrix, and a remark, as a comment.

    >>> commented("b1 = Z1 @ A1", Block("b1", np.zeros((3, 1))))
    '  b1 = Z1 @ A1  # 3×1'
    """
    rows, columns = block.shape
    remarks = [f"{rows}×{columns}"] * (rows * columns > 1) + [remark] * bool(remark)
    return f"  {text}{'  # ' * bool(remarks)}{', '.join(remarks)}"


def constant(x: float) -> str:
    """Write a number in full, as Python reads it."""
    return format_number(x) if x.is_integer() else repr(x)


class Notation:
    """The blocks of a program, and a line for each instruction: copies left out, and a dot and its bias in one."""

    def __init__(self, trace: Trace, program: Program) -> None:
        self.trace, self.program = trace, program
        self.constants: dict[str, Any] = {}  # those that are matrices
        self.blocks: list[Block] = []
        self.place = np.full((3, program.size), -1)  # of each slot its block, and its row and column there
        self.names = {
            *kwlist,
            *OPS,
            "sum",
            "dot",
            "ones",
            "zeros",
            "empty",
            "gathered",
            "take",
            "scattered",
        }  # that are taken
        named = zip(program.slots.tolist(), trace.names, strict=True)
        self.labels = {slot: name for slot, name in named if slot >= 0}
        self.origin = np.arange(program.size)  # of a slot that is a copy
        first, self.inputs = 0, []
        for part in trace.into.parts:
            self.inputs += [self._block(slots) for slots in _inputs(part, trace.inputs, first)]
            first += part.size
        self.lines = [self._line(step) for step in self._steps()]
        self.texts = [self._written(line.kind, line.op, line.operands, name=True) for line in self.lines]

    def _block(self, slots: Any) -> Block:
        """Name a matrix, and remember where its slots are."""
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
        """Return a name that is not taken, and take it: with a number if it is, or from a number on."""
        found = f"{name}{number or ''}"
        while found in self.names:
            number = max(number, 1) + 1
            found = f"{name}{number}" if name == "v" else f"{name}_{number}"
        self.names.add(found)
        return found

    def _steps(self) -> Iterator[_Step]:
        """Give the instructions with all slots spelled out: without copies, a dot and its bias in one."""
        steps: list[_Step] = []
        for i in self.program.instructions:
            if i.kind == "gather":
                self.origin[i.start : i.start + i.count] = self.origin[i.index]
                continue
            r, c, j = grid(i.rows, i.columns, i.length)
            read = [
                np.broadcast_to(a.base + a.outer * r + a.inner * c + a.along * j, (i.rows, i.columns, i.length))
                for a in i.operands
            ]
            operands = [self.origin[slots].reshape(i.count, -1) for slots in read]
            operands[2:] = [slots[:, :1] for slots in operands[2:]]  # what a dot begins with is one number
            steps.append(_Step(i.kind, i.op, np.arange(i.start, i.start + i.count), operands))
        kept = [self.program.slots[z] for z in self.trace.outputs if isinstance(z, int)]
        uses = np.zeros(self.program.size, dtype=int)
        np.add.at(uses, self.origin[kept], 1)
        for step in steps:
            for slots in step.operands:
                np.add.at(uses, slots, 1)
        dots = {tuple(s.out): s for s in steps if s.kind == "dot" and len(s.operands) == 2 and (uses[s.out] == 1).all()}
        merged: dict[int, _Step] = {}
        for step in steps:
            for own, other in (step.operands, step.operands[::-1]) if step.op is add else ():
                dot = dots.pop(tuple(np.sort(own[:, 0])), None)
                if dot is not None:
                    order = own[:, 0] - dot.out[0]
                    merged[int(dot.out[0])] = dot
                    merged[int(step.out[0])] = _Step("dot", None, step.out, [*(x[order] for x in dot.operands), other])
                    break
        for step in steps:
            found = merged.get(int(step.out[0]), step)
            if found is not step or int(step.out[0]) not in merged:
                yield found

    def _line(self, step: _Step) -> Line:
        """Let a step's results stand so that its line is simple."""
        best: tuple[int, Any, str, list[Any]] | None = None
        for order in self._orders(step):
            for kind, operands in _readings(step, order):
                text = self._written(kind, step.op, operands, name=False)
                cost = text.count(".T") + 3 * (kind == "dot") + 3 * text.count(".reshape") + 99 * text.count("gathered")
                if best is None or cost < best[0]:
                    best = cost, order, kind, operands
        assert best is not None
        _, order, kind, operands = best
        return Line(self._block(step.out[order]), kind, step.op, operands)

    def _orders(self, step: _Step) -> Iterator[Any]:
        """Give ways for results to stand: by labels, as an operand stands, by a dot's factors, in a column or row."""
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
        first, last = (
            np.unique(x, axis=0, return_inverse=True)[1].ravel() for x in (step.operands[0], step.operands[-1])
        )
        if step.kind == "dot":
            last = np.unique(step.operands[1], axis=0, return_inverse=True)[1].ravel()
        order = _grid(first, last)
        if order is not None:
            yield from (order, order.T)
        yield from (np.arange(n)[:, None], np.arange(n)[None])

    def view(self, slots: Any) -> str | None:
        """Write a matrix of slots as a part of one block, None where it is none; equal rows or columns are one."""
        slots = slots[:, :1] if (slots == slots[:, :1]).all() else slots
        slots = slots[:1] if (slots == slots[:1]).all() else slots
        place, row, column = self.place[:, slots]
        k = int(place[0, 0])
        if k < 0 or (place != k).any():
            return None
        block = self.blocks[k]
        for transposed in (False, True):
            if transposed:
                row, column = row.T, column.T
            if (row == row[:, :1]).all() and (column == column[:1]).all():
                parts = [_slice(row[:, 0], block.shape[0]), _slice(column[0], block.shape[1])]
                if all(parts):
                    index = f"[{', '.join(parts if parts[1] != ':' else parts[:1])}]" if parts != [":", ":"] else ""
                    return block.name + index + ".T" * transposed
        flat = self.place[1, slots.ravel()]
        if block.shape[1] == 1 and (np.diff(flat) == 1).all():
            return f"{block.name}[{flat[0]}:{flat[-1] + 1}].reshape{slots.shape}"
        return None

    def matrix(self, numbers: Any, letter: str) -> tuple[str, str]:
        """Return the name of a matrix of constants, and how it is read, such as `{}.T`; a new one gets a letter."""
        for name, there in self.constants.items():
            for how, array in (("{}", there), ("{}.T", there.T), ("(1 - {})", 1.0 - there)):
                if np.array_equal(array, numbers):
                    return name, how
        name = self.name(letter if numbers.shape[1] > 1 else letter.lower())
        self.constants[name] = numbers
        return name, "{}"

    def numbers(self, slots: Any) -> Any:
        """Return the constants that slots hold, None where one is no constant."""
        places = slots - self.program.inputs
        inside = ((places >= 0) & (places < len(self.program.constants))).all()
        return self.program.constants[places] if inside else None

    def read(self, slots: Any, letter: str = "Y", name: bool = True) -> Code:
        """Write what an operand reads; constants are a number, or a matrix, which gets a letter for its name.

        It may have less rows or columns if these are equal; not for the letter X, which a factor of a product has.
        """
        numbers = self.numbers(slots)
        if numbers is not None:
            if letter != "X" and (numbers == numbers.flat[0]).all():
                x = float(numbers.flat[0])
                return Code(constant(x), Level.SUM if x < 0 else Level.ATOM)
            if not name:
                return Code(letter)
            known, how = self.matrix(numbers, letter)
            return Code(how.format(known))
        found = None if letter == "X" and not _full([slots]) else self.view(slots)
        return Code(found or f"gathered({', '.join(self._sources([slots]))})")

    def _written(self, kind: str, op: Op | None, operands: list[Any], name: bool) -> str:
        if kind == "row" and op is not None:
            written = str(Code.write(op, [self.read(x, name=name) for x in operands]))
            return written if _full(operands) else f"gathered({written})"
        if kind == "product":
            left, right = (self.read(x, "X", name) for x in operands[:2])
            return " + ".join([f"{left} @ {right}", *(str(self.read(x, name=name)) for x in operands[2:])])
        if kind == "take":
            table, at = (", ".join(self._sources([x])) for x in operands)
            return f"take({table}, {at})"
        factors = operands[:2] if kind == "dot" else operands[:1]
        rows, columns, terms = factors[0].shape
        if rows == columns == 1:  # in the order of a block, if it is the sum of all of one
            order = _grid(*self.place[1:, factors[0][0, 0]])
            order = np.arange(terms)[None] if order is None else order
            summed, options = [x[0, 0][order] for x in factors], ""
        elif columns == 1:
            summed, options = [x[:, 0] for x in factors], ", axis=1, keepdims=True"
        else:
            summed, options = [x[0].T for x in factors], ", axis=0, keepdims=True"
        spread = min(rows, columns) > 1
        if terms <= FEW and (spread or "gathered" in self._product(summed, name=False)):
            found = " + ".join(self._product([x[..., j] for x in factors], name) for j in range(terms))
        elif spread:
            found = f"{kind}(gathered({', '.join(self._sources(factors))}))"
        else:
            found = f"sum({self._product(summed, name)}{options})"
        return " + ".join([found, *(str(self.read(x, name=name)) for x in operands[2:])])

    def _product(self, factors: list[Any], name: bool) -> str:
        written = " * ".join(str(self.read(x, name=name)) for x in factors)
        return written if _full(factors) else f"gathered({written})"

    def _sources(self, factors: list[Any]) -> list[str]:
        numbers = dict.fromkeys(k for x in factors for k in self.place[0, x.ravel()].tolist())
        return [self.blocks[k].name if k >= 0 else "constants" for k in numbers]

    def givens(self) -> list[str]:
        """Return comments with the shapes of what must be there: the inputs and the matrices of constants."""
        given = {
            "inputs": {b.name: b.shape for b in self.inputs},
            "constants": {k: x.shape for k, x in self.constants.items()},
        }
        return [
            f"  # {what}: {', '.join(f'{name} {rows}×{columns}' for name, (rows, columns) in shapes.items())}"
            for what, shapes in given.items()
            if shapes
        ]

    def returned(self) -> str:
        """Write the outputs: whole blocks by their names, others one by one."""
        slots = np.array([self.origin[self.program.slots[z]] if isinstance(z, int) else -1 for z in self.trace.outputs])
        if slots.size and slots[0] >= 0:
            block = self.blocks[self.place[0, slots[0]]]
            if np.array_equal(slots, block.slots.ravel()):
                return str(block.name)
        texts = [
            self.read(np.array([[slot]])) if isinstance(z, int) else constant(z)
            for slot, z in zip(slots[:8], self.trace.outputs, strict=False)
        ]
        return ", ".join(map(str, texts)) + f", … ({slots.size} numbers)" * (slots.size > 8)


def _readings(step: _Step, order: Any) -> Iterator[tuple[str, list[Any]]]:
    """Give the ways to read a step whose results stand in an order: as a product of matrices, or place by place."""
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


def _full(operands: list[Any]) -> bool:
    """Say whether what is computed with operands, of which each may have equal rows or columns, has all of them."""
    return all(operands[0].shape[axis] == 1 or any((x != x.take([0], axis)).any() for x in operands) for axis in (0, 1))


def _slice(places: Any, size: int) -> str:
    """Write places in the rows or columns of a block as a slice, "" if there is none; the only one stands for all."""
    steps = set(np.diff(places).tolist())
    if size == 1 or (len(places) == size and steps <= {1} and places[0] == 0):
        return ":"
    if len(places) > 1 and (len(steps) > 1 or min(steps) < 1):
        return ""
    step = steps.pop() if steps else 1
    return f"{places[0]}:{places[-1] + 1}" + f":{step}" * (step > 1)


def _grid(rows: Any, columns: Any) -> Any:
    """Return which of some things stands where, by its row and column, if they fill a rectangle."""
    _, r = np.unique(rows, return_inverse=True)
    _, c = np.unique(columns, return_inverse=True)
    found = np.full((r.max() + 1, c.max() + 1), -1)
    if found.size != len(r):
        return None
    found[r.ravel(), c.ravel()] = np.arange(len(r))
    return found if (found >= 0).all() else None


def _read(label: str) -> Label:
    """Read a label; a second and third of the same name, z′ and z′2, are those of more examples."""
    again = re.fullmatch(r"(.*[^′])′(\d*)", label)
    if again is None:
        return Label.parse(label)
    read = Label.parse(again[1])
    return read if read.example else read._replace(example=str(1 + int(again[2] or 1)))


def _family(label: str) -> tuple[str, str]:
    read = _read(label)
    return read.base.partition("_{")[0], read.layer


def _by_label(labels: Sequence[str]) -> Any:
    """Return how numbers stand by their labels: neuron by example, and a weight by its two numbers."""
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
    """Return a name for numbers whose labels have the same base and layer, "" where they have not.

    It is a capital where they are of several examples.
    """
    families = {_family(label) for label in labels}
    base, layer = families.pop()
    if families or not base or base == "t":
        return ""
    several = len({_read(label).example for label in labels}) > 1
    return (base.upper() if several and len(base) == 1 else base) + layer


def _inputs(structure: Structure, labels: Sequence[str], first: int) -> Iterator[Any]:
    """Give the inputs as matrices: arrays as they are, lists by labels, and else in a column."""
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
