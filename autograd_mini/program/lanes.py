r"""The program of a batch, made from the program of one example.

A number that differs between examples becomes a row of lanes, one lane for each example; a number that all examples
share stays one number. Every instruction stays one instruction on longer rows. A shared matrix times a vector of each
example is then a product of two matrices, and so are its derivatives. The same kernels and runners run it.

If only such products read an argument, the buffer has it as the user's array does, one example after the other. Of any
other number, the buffer has all lanes side by side.

    W, x: y = W x                      W 32×64 shared, x 64 numbers, y 32 numbers: one product of a matrix and a vector
    the same with 128 lanes            W 32×64, X 128×64 as it is given, Y 32 rows of 128 lanes: one product of matrices
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..ops import identity
from .arguments import Numbers
from .lift import Access, Instruction, Program, access_of
from .runner import Steps
from .scan_rows import LanesOfScan, Scan

FEW = 8  # this many stretches are copied by one instruction each; more are gathered number by number


class _Operand(NamedTuple):
    """The addresses of an operand of the first example, and the step from one example to the next."""

    access: Access
    lane: int  # 0 if all examples share the numbers

    def moved(self, rows: int) -> _Operand:
        """Return the operand for the results some rows further down."""
        return self._replace(access=self.access._replace(base=self.access.base + rows * self.access.outer))


class Lanes:
    """The program of a batch, and the places in it of the numbers of the program of one example.

    Args:
        one: the program of one example.
        tables: the stretches of its inputs that differ between examples, one for each of the user's arrays.
        outputs: the places of its numbers that are read after the run.
        width: the number of examples.

    >>> from autograd_mini import compile
    >>> f = compile(lambda W, x: W @ x)
    >>> _ = f(np.ones((3, 9)), np.ones(9))
    >>> (i,) = Lanes(f.program(), [slice(27, 36)], [], 100).program.instructions
    >>> i.kind, i.rows, i.columns, i.length
    ('dot', 3, 100, 9)
    """

    def __init__(self, one: Program, tables: Sequence[slice], outputs: Sequence[int], width: int) -> None:
        self.width = width
        self._one = one
        self._instructions: list[Instruction] = []
        self._origins: list[
            tuple[int, int | None]
        ] = []  # for each instruction: its origin in the program of one example, and for a copy the operand
        self.place = np.full(one.size, -1)  # for each number of one example: the place of the first example's number
        self.step = np.zeros(one.size, dtype=int)  # from an example to the next; 0 if shared
        self._lay_out(tables, _lying(one, tables, outputs))
        inputs = self._free - len(one.constants)
        for k, i in enumerate(one.instructions):
            self._add(k, i)
        slots = np.where(one.slots < 0, -1, self.place[one.slots])
        made = tuple(self._instructions)
        self.program = Program(one.name, made, inputs, one.constants, self._free, slots, one.equations)

    def _lay_out(self, tables: Sequence[slice], lying: Sequence[bool]) -> None:
        """Choose places for the shared inputs, the tables of inputs that vary, and the constants, in this order."""
        one, width = self._one, self.width
        shared = np.ones(one.inputs, dtype=bool)
        for table in tables:
            shared[table] = False
        self.shared = np.flatnonzero(shared)
        free = self.shared.size
        self.place[self.shared] = np.arange(free)
        self.tables: list[tuple[int, int, int]] = []  # place, step between examples, step between numbers
        for table, lies in zip(tables, lying, strict=True):
            size = table.stop - table.start
            lane, apart = (size, 1) if lies else (1, width)
            self.place[table] = free + apart * np.arange(size)
            self.step[table] = lane
            self.tables.append((free, lane, apart))
            free += size * width
        constants = slice(one.inputs, one.inputs + len(one.constants))
        self.place[constants] = free + np.arange(len(one.constants))
        self._free = free + len(one.constants)

    def lanes_of(self, slots: Numbers | Sequence[int]) -> Any:
        """Return the places of all lanes of some numbers, a row for each number."""
        slots = np.asarray(slots, dtype=int)
        return self.place[slots][:, None] + self.step[slots][:, None] * np.arange(self.width)

    def steps(self, steps: Steps) -> Steps:
        """Return the steps of the way back through this program, from the steps for one example."""
        needed = dict(steps)
        found = []
        for n, (k, operand) in enumerate(self._origins):
            if k in needed and (scan := self._instructions[n].scan) is not None:
                operands, results = needed[k][:4], needed[k][4:]
                found.append((n, operands + np.repeat(results, scan.size // len(results)).tolist()))
            elif k in needed:
                found.append((n, needed[k] if operand is None else [needed[k][operand]]))
        return found

    def _add(self, k: int, i: Instruction) -> None:
        """Add instruction k of the program of one example, for all examples."""
        if i.kind == "gather":
            operand = self._copied(k, 0, i.index)
            place, step = operand.access.base, operand.access.inner
            self._give(i, place, step, operand.lane)
            return
        if i.scan is not None:
            self._add_scan(k, i, i.scan)
            return
        operands = [self._operand(k, n, i) for n in range(len(i.operands))]
        if not any(operand.lane for operand in operands):
            self._write(k, i, i.rows, i.columns, [operand.access for operand in operands])
            self._give(i, self._free - i.count, 1, 0)
            return
        for rows, columns, accesses in _shapes(i.rows, i.columns, self.width, operands):
            self._write(k, i, rows, columns, accesses)
        self._give(i, self._free - i.count * self.width, self.width, 1)

    def _add_scan(self, k: int, i: Instruction, scan: Scan) -> None:
        """Add a loop; if any number that it reads differs between examples, all its carries, items and ys get lanes."""
        operands = [i.places(n).ravel() for n in range(len(i.operands))]
        closed = operands[0]
        if not any(self.step[slots].any() for slots in operands):
            self._write_scan(k, i, [self.place[slots] for slots in operands], scan)
            self._give(i, self._free - scan.size, 1, 0)
            return
        apart = np.flatnonzero(self.step[closed])
        cuts = np.split(apart, np.flatnonzero(np.diff(apart) != 1) + 1) if apart.size else []
        made = LanesOfScan.made(scan, self.width, tuple([slice(int(run[0]), int(run[-1]) + 1) for run in cuts]))
        same = self.place[np.delete(closed, apart)]
        places = [np.concatenate([same, self.lanes_of(closed[apart]).ravel()])]
        places += [self.lanes_of(slots).ravel() for slots in operands[1:3]]
        self._write_scan(k, i, [*places, self.place[operands[3]]], made)
        self._give(i, self._free - made.size, self.width, 1)

    def _write_scan(self, k: int, i: Instruction, operands: Sequence[Numbers], scan: Scan) -> None:
        accesses = []
        for n, places in enumerate(operands):
            access = access_of(places[None], 1) if places.size else Access(0, 0, 0, 0)
            if access is None:
                access = Access(self._free, 0, 0, 1)
                self._gather(k, n, places)
            accesses.append(access)
        made = Instruction("scan", None, self._free, 1, scan.size, 1, tuple(accesses), scan=scan)
        self._instructions.append(made)
        self._origins.append((k, None))
        self._free += scan.size

    def _write(self, k: int, i: Instruction, rows: int, columns: int, accesses: Sequence[Access]) -> None:
        self._instructions.append(Instruction(i.kind, i.op, self._free, rows, columns, i.length, tuple(accesses)))
        self._origins.append((k, None))
        self._free += rows * columns

    def _give(self, i: Instruction, place: int, step: int, lane: int) -> None:
        """Note the places of an instruction's results."""
        results = slice(i.start, i.start + i.count)
        self.place[results] = place + step * np.arange(i.count)
        self.step[results] = lane

    def _operand(self, k: int, n: int, i: Instruction) -> _Operand:
        """Return the addresses of an operand, or of a copy if they are irregular."""
        slots = i.places(n)
        terms = slots.shape[2]
        step = self.step[slots]
        access, lane = access_of(self.place[slots].reshape(-1, terms), i.rows), int(step[0, 0, 0])
        if access is not None and (step == lane).all():
            return _Operand(access, lane)
        copy = self._copied(k, n, slots.ravel())
        (base, _, one, _), lane = copy
        return _Operand(Access(base, one * i.columns * terms, one * terms, one if terms > 1 else 0), lane)

    def _copied(self, k: int, n: int, slots: Numbers) -> _Operand:
        """Copy numbers side by side, for operand n of instruction k; return the addresses of the copies."""
        start, width = self._free, self.width
        place, step = self.place[slots], self.step[slots]
        if not step.any():
            self._gather(k, n, place)
            return _Operand(Access(start, 0, 1, 0), 0)
        stretches = list(_stretches(place, step))
        if len(stretches) > FEW:
            self._gather(k, n, self.lanes_of(slots).ravel())
        else:
            for first, last in stretches:
                outer = int(place[first + 1] - place[first]) if last - first > 1 else 0
                access = Access(int(place[first]), outer, int(step[first]), 0)
                copy = Instruction("row", identity, self._free, last - first, width, 1, (access,))
                self._instructions.append(copy)
                self._origins.append((k, n))
                self._free += copy.count
        return _Operand(Access(start, 0, width, 0), 1)

    def _gather(self, k: int, n: int, places: Numbers) -> None:
        self._instructions.append(Instruction("gather", None, self._free, 1, places.size, 1, (), places))
        self._origins.append((k, n))
        self._free += places.size


def _stretches(place: Numbers, step: Numbers) -> Iterator[tuple[int, int]]:
    """Yield the bounds of stretches of numbers with equal steps between their places."""
    first, apart = 0, None
    for k in range(1, len(place)):
        here = place[k] - place[k - 1]
        if step[k] != step[k - 1] or (apart is not None and here != apart):
            yield first, k
            first, apart = k, None
        else:
            apart = here
    yield first, len(place)


def _lying(one: Program, tables: Sequence[slice], outputs: Sequence[int]) -> list[bool]:
    """Return for each table whether it can lie as in the user's array: only products with shared numbers read it."""
    table_of = np.full(one.size, -1)
    for k, table in enumerate(tables):
        table_of[table] = k
    lying = np.array([table.stop - table.start >= FEW for table in tables])
    varies = table_of >= 0

    def stand(slots: Numbers | slice) -> None:
        found = np.unique(table_of[slots])
        lying[found[found >= 0]] = False

    stand(np.asarray(outputs, dtype=int))
    for i in one.instructions:
        if i.kind == "gather":
            stand(i.index)
            varies[i.start : i.start + i.count] = varies[i.index].any()
            continue
        if i.scan is not None:
            read = np.concatenate([i.places(n).ravel() for n in range(len(i.operands))])
            stand(read)
            varies[i.start : i.start + i.count] = varies[read].any()
            continue
        spans = [slice(*i.span(a)) for a in i.operands]
        varying = [bool(varies[slots].any()) for slots in spans]
        for n, (a, slots) in enumerate(zip(i.operands, spans, strict=True)):
            product = i.kind == "dot" and n < 2 and not varying[1 - n]
            inside = len(np.unique(table_of[slots])) == 1
            if not (product and inside and a.along == 1 and a.outer == a.inner == 0):
                stand(slots)
        varies[i.start : i.start + i.count] = any(varying)
    return [bool(lies) for lies in lying]


_Shape = tuple[int, int, list[Access]]  # the rows and columns of an instruction, and its operands


def _shapes(rows: int, columns: int, width: int, operands: Sequence[_Operand]) -> Iterator[_Shape]:
    """Yield the shapes of the instructions that compute the results of all lanes, in the order of the results."""
    steps = None  # for each operand, the step from one result to the next
    if rows == 1:
        steps = [access.inner for access, _ in operands]
    elif columns == 1 or all(access.outer == access.inner * columns for access, _ in operands):
        steps = [access.outer if columns == 1 else access.inner for access, _ in operands]
    if steps is not None:
        if all(step == lane * width for step, (_, lane) in zip(steps, operands, strict=True)):
            found = [access._replace(outer=0, inner=lane) for access, lane in operands]
            yield 1, rows * columns * width, found
        else:
            pairs = zip(steps, operands, strict=True)
            yield rows * columns, width, [a._replace(outer=step, inner=lane) for step, (a, lane) in pairs]
    elif all(access.inner == lane * width for access, lane in operands):
        yield rows, columns * width, [access._replace(inner=lane) for access, lane in operands]
    else:
        for r in range(rows):
            moved = [operand.moved(r) for operand in operands]
            yield columns, width, [a._replace(outer=a.inner, inner=lane) for a, lane in moved]
