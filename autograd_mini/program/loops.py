r"""Kernels: a function for each kind of instruction, forward and backward, and the runs that call them in turn.

Kernels are plain Python over `primitives`, and `builder` compiles them. A `Static` parameter, such as the row, is known
at the compilation, and a kernel is compiled for each of its values. Kernels can also run as plain Python, on NumPy's
arrays.

Operand x of a result in row r and column c, and term j of a sum, stands at `x.at + r x.outer + c x.inner + j x.along`.
A kernel clears the derivative of a result when it passes it on. So between runs all derivatives are -0.0, except those
of inputs and constants.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from .arrays import share_of
from .code import FIELDS, HEAD, TABLE, Frame
from .machine import WIDTH
from .primitives import (
    Floats,
    Static,
    Vector,
    Words,
    add_to,
    add_vector,
    applied,
    call,
    callbacks,
    first_of,
    get,
    lane,
    load,
    numbers_at,
    put,
    shared,
    spread,
    store,
    unrolled,
    with_lane,
    word,
    words_at,
)
from .values import is_vectorial
from .vectors import total

FEW = 4  # fewer columns than this are computed one by one: vectors would not be faster


class Line(NamedTuple):
    """The head of an instruction."""

    out: int
    rows: int
    columns: int
    terms: int


class Operand(NamedTuple):
    """The place and the steps of an operand's numbers, and whether its derivative is wanted."""

    at: int
    outer: int
    inner: int
    along: int
    wanted: int


def line(code: Words, k: int) -> Line:
    """Return the head of an instruction."""
    return Line(*[word(code, k + 1 + i) for i in range(HEAD - 1)])


def operand(code: Words, k: int, place: Static) -> Operand:
    """Return an operand of an instruction."""
    return Operand(*[word(code, k + HEAD + FIELDS * place + i) for i in range(FIELDS)])


def slot(x: Operand, r: int, c: int) -> int:
    """Return the place of an operand's number, or of its first term, for the result in a row and a column."""
    return x.at + r * x.outer + c * x.inner


def is_index(i: float, n: int) -> bool:
    """Return whether a number is a whole number from 0 to n - 1."""
    return 0.0 <= i < n and i == math.floor(i)


# Vectors of `count` numbers, from a place on, with a step between them. A full vector of numbers side by side is read
# at once. All others are read and written number by number: a read after a masked write would wait for the memory.


@shared
def read_lanes(d: Floats, at: int, step: int, count: int) -> Vector:
    """Return a vector of `count` numbers, read one by one, with zeros in the other lanes."""
    v = spread(0.0)
    for k in unrolled(WIDTH):
        if k >= count:
            return v
        v = with_lane(v, k, get(d, at + k * step))
    return v


@shared
def write(d: Floats, at: int, v: Vector, count: int) -> None:
    """Write the first `count` numbers of a vector."""
    if count == WIDTH:
        store(d, at, v)
        return
    for k in unrolled(WIDTH):
        if k >= count:
            return
        put(d, at + k, lane(v, k))


@shared
def add_lanes(d: Floats, at: int, step: int, v: Vector, count: int) -> None:
    """Add the lanes of a vector to numbers one by one, or, if the step is 0, add all lanes to one number."""
    if step == 0:
        add_to(d, at, total(first_of(v, count)))
        return
    for k in unrolled(WIDTH):
        if k >= count:
            return
        add_to(d, at + k * step, lane(v, k))


def read(d: Floats, at: int, step: int, count: int) -> Vector:
    """Return a vector of numbers, or, if the step is 0, of one number; lanes beyond `count` may hold any number."""
    if step == 0:
        return spread(get(d, at))
    return load(d, at) if step == 1 and count == WIDTH else read_lanes(d, at, step, count)


def give(d: Floats, at: int, step: int, v: Vector, count: int) -> None:
    """Add a vector to numbers, or, if the step is 0, add all its lanes to one number."""
    if step == 1 and count == WIDTH:
        add_vector(d, at, v)
    else:
        add_lanes(d, at, step, v, count)


def taken(grad: Floats, at: int) -> float:
    """Return the derivative of a result, and put -0.0 in its place: the neutral number of addition."""
    g = get(grad, at)
    put(grad, at, -0.0)
    return g


def taken_vector(grad: Floats, at: int) -> Vector:
    """Return the derivatives of results, and put -0.0 in their places."""
    g = load(grad, at)
    store(grad, at, spread(-0.0))
    return g


@shared
def clear(grad: Floats, at: int, count: int) -> None:
    """Write -0.0 to numbers."""
    k = 0
    while k + WIDTH <= count:
        store(grad, at + k, spread(-0.0))
        k += WIDTH
    while k < count:
        put(grad, at + k, -0.0)
        k += 1


# Rows of the table.


def simple(xs: Static) -> bool:
    """Return whether each operand is numbers side by side, or one number."""
    return all(x.inner in (0, 1) for x in xs)


def near(d: Floats, at: int, step: int) -> Vector:
    """Return a vector of numbers side by side, or, if the step is 0, of one number."""
    return spread(get(d, at)) if step == 0 else load(d, at)


def give_near(d: Floats, at: int, step: int, v: Vector) -> None:
    """Add a vector to numbers side by side, or, if the step is 0, add all its lanes to one number."""
    if step == 0:
        add_to(d, at, total(v))
    else:
        add_vector(d, at, v)


def row_forward(op: Static, code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Apply a row to each column of each row of results."""
    out, rows, columns, first = line(code, k)
    callbacks(op, index, first)
    xs = [operand(code, k, i) for i in range(op.arity)]
    if not is_vectorial(op, False) or columns < FEW:
        for r in range(rows):
            for c in range(columns):
                put(d, out + c, applied(op, [get(d, slot(x, r, c)) for x in xs]))
            out += columns
        return
    whole = columns - columns % WIDTH if simple(xs) else 0
    for r in range(rows):
        for c in range(0, whole, WIDTH):  # without calls, so that all stays in registers
            store(d, out + c, applied(op, [near(d, slot(x, r, c), x.inner) for x in xs]))
        for c in range(whole, columns, WIDTH):
            count = min(WIDTH, columns - c)
            write(d, out + c, applied(op, [read(d, slot(x, r, c), x.inner, count) for x in xs]), count)
        out += columns


def row_backward(op: Static, code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Pass the derivative of each result on to the operands, times the partial derivative."""
    out, rows, columns, first = line(code, k)
    callbacks(op, index, first)
    xs = [operand(code, k, i) for i in range(op.arity)]
    if not is_vectorial(op, True) or columns < FEW:
        for r in range(rows):
            for c in range(columns):
                z, g = get(d, out + c), taken(grad, out + c)
                places = [slot(x, r, c) for x in xs]
                ys = [get(d, at) for at in places]
                for i, x, at in zip(unrolled(op.arity), xs, places, strict=True):
                    if x.wanted:
                        add_to(grad, at, share_of(op, i, g, ys, z))
            out += columns
        return
    whole = columns - columns % WIDTH if simple(xs) else 0
    for r in range(rows):
        for c in range(0, whole, WIDTH):  # without calls, so that all stays in registers
            z, g = load(d, out + c), taken_vector(grad, out + c)
            places = [slot(x, r, c) for x in xs]
            ys = [near(d, at, x.inner) for x, at in zip(xs, places, strict=True)]
            for i, x, at in zip(unrolled(op.arity), xs, places, strict=True):
                if x.wanted:
                    give_near(grad, at, x.inner, share_of(op, i, g, ys, z))
        for c in range(whole, columns, WIDTH):
            count = min(WIDTH, columns - c)
            z, g = read(d, out + c, 1, count), read(grad, out + c, 1, count)
            write(grad, out + c, spread(-0.0), count)
            places = [slot(x, r, c) for x in xs]
            ys = [read(d, at, x.inner, count) for x, at in zip(xs, places, strict=True)]
            for i, x, at in zip(unrolled(op.arity), xs, places, strict=True):
                if x.wanted:
                    give(grad, at, x.inner, share_of(op, i, g, ys, z), count)
        out += columns


# Gathers, sums, and choices.


def gather_forward(code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Copy numbers from any places to places side by side."""
    out, _, columns, first = line(code, k)
    for c in range(columns):
        put(d, out + c, get(d, word(index, first + c)))


def gather_backward(code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Pass the derivative of each copy on."""
    out, _, columns, first = line(code, k)
    for c in range(columns):
        add_to(grad, word(index, first + c), taken(grad, out + c))


def sum_forward(code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Add the terms of each result; if terms of neighbouring results lie side by side, add them as vectors."""
    out, rows, columns, n = line(code, k)
    x = operand(code, k, 0)
    whole = columns - columns % WIDTH if x.inner == 1 else 0
    for r in range(rows):
        for c in range(0, whole, WIDTH):
            at, v = slot(x, r, c), spread(-0.0)
            for j in range(n):
                v = v + load(d, at + j * x.along)
            store(d, out + c, v)
        for c in range(whole, columns):
            at, j, z = slot(x, r, c), 0, -0.0
            if x.along == 1 and n >= WIDTH:
                v = spread(-0.0)
                while j + WIDTH <= n:
                    v = v + load(d, at + j)
                    j += WIDTH
                z = total(v)
            while j < n:
                z += get(d, at + j * x.along)
                j += 1
            put(d, out + c, z)
        out += columns


def sum_backward(code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Pass the derivative of each sum on to its terms."""
    out, rows, columns, n = line(code, k)
    x = operand(code, k, 0)
    whole = columns - columns % WIDTH if x.inner == 1 else 0
    for r in range(rows):
        for c in range(0, whole, WIDTH):
            at, v = slot(x, r, c), taken_vector(grad, out + c)
            for j in range(n if x.wanted else 0):
                add_vector(grad, at + j * x.along, v)
        for c in range(whole, columns):
            at, j, g = slot(x, r, c), 0, taken(grad, out + c)
            if x.wanted:
                while x.along == 1 and j + WIDTH <= n:
                    add_vector(grad, at + j, spread(g))
                    j += WIDTH
                while j < n:
                    add_to(grad, at + j * x.along, g)
                    j += 1
        out += columns


def take_forward(code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Choose a term by its index; the result is nan if the index is not a whole number from 0 to n - 1."""
    out, rows, columns, n = line(code, k)
    x, choice = operand(code, k, 0), operand(code, k, 1)
    for r in range(rows):
        for c in range(columns):
            i, at = get(d, slot(choice, r, c)), slot(x, r, c)
            put(d, out, get(d, at + int(i) * x.along) if is_index(i, n) else math.nan)
            out += 1


def take_backward(code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Pass the derivative of each choice on to the chosen term."""
    out, rows, columns, n = line(code, k)
    x, choice = operand(code, k, 0), operand(code, k, 1)
    for r in range(rows):
        for c in range(columns):
            i, at = get(d, slot(choice, r, c)), slot(x, r, c)
            g = taken(grad, out)
            if x.wanted and is_index(i, n):
                add_to(grad, at + int(i) * x.along, g)
            out += 1


# Runs.


def frame_at(place: int) -> Frame:
    """Return the frame at an address."""
    words = words_at(place)
    return Frame(*[word(words, i) for i in range(len(Frame._fields))])


def run(place: int) -> None:
    """Run the instructions forward, then those of the way back; each of the two may be empty."""
    f = frame_at(place)
    d, grad = numbers_at(f.numbers), numbers_at(f.slopes)
    forward(f, d, grad)
    if f.end >= 0:
        backward(f, d, grad)


def blocks(place: int, first: int, last: int) -> None:
    """Run blocks of a batch: read their examples, run the instructions, and write results and derivatives."""
    f = frame_at(place)
    d, grad, totals = numbers_at(f.numbers), numbers_at(f.slopes), numbers_at(f.totals)
    for block in range(first, last):
        for k in range(f.count_inputs):
            mine, theirs, count = table_at(f.inputs, k, d, block * f.width)
            copy(mine, theirs, f.width, count)
        forward(f, d, grad)
        for k in range(f.count_outputs):
            mine, theirs, count = table_at(f.outputs, k, d, block * f.width)
            copy(theirs, mine, f.width, count)
        if f.end >= 0:
            backward(f, d, grad)
            for k in range(f.count_derivatives):
                mine, theirs, count = table_at(f.derivatives, k, grad, block * f.width)
                copy(theirs, mine, f.width, count)
            for k in range(f.count_shared):
                put(totals, block * f.count_shared + k, get(grad, k))


class Table(NamedTuple):
    """Numbers of examples: number j of example i stands at `at + i row + j column`."""

    d: Floats
    at: int
    row: int
    column: int


def table_at(place: int, k: int, d: Floats, example: int) -> tuple[Table, Table, int]:
    """Return the buffer's table k, the user's table from an example on, and the number of numbers of an example."""
    words = words_at(place)
    theirs, row, column, count, at, lane, apart = [word(words, TABLE * k + i) for i in range(TABLE)]
    return Table(d, at, lane, apart), Table(numbers_at(theirs), example * row, row, column), count


@shared
def copy(to: Table, of: Table, width: int, count: int) -> None:
    """Copy `count` numbers of `width` examples, as vectors if they lie side by side in both tables."""
    if to.column == 1 and of.column == 1:
        for i in range(width):
            copy_row(to.d, to.at + i * to.row, of.d, of.at + i * of.row, count)
    elif to.row == 1 and of.row == 1:
        for j in range(count):
            copy_row(to.d, to.at + j * to.column, of.d, of.at + j * of.column, width)
    else:
        for j in range(count):
            for i in range(width):
                put(to.d, to.at + i * to.row + j * to.column, get(of.d, of.at + i * of.row + j * of.column))


@shared
def copy_row(to: Floats, at: int, of: Floats, x: int, count: int) -> None:
    """Copy numbers that lie side by side."""
    k = 0
    while k + WIDTH <= count:
        store(to, at + k, load(of, x + k))
        k += WIDTH
    while k < count:
        put(to, at + k, get(of, x + k))
        k += 1


def forward(f: Frame, d: Floats, grad: Floats) -> None:
    """Run the instructions from the first to the last."""
    kernels, code, k = words_at(f.kernels), words_at(f.forth), 0
    for _ in range(f.lines_forth):
        call(word(kernels, 2 * word(code, k)), code, k, words_at(f.indices), d, grad, f.size)
        k += f.line


def backward_lines(f: Frame, d: Floats, grad: Floats) -> None:
    """Run the instructions of the way back, from the last to the first."""
    kernels, code, k = words_at(f.kernels), words_at(f.back), f.lines_back * f.line
    for _ in range(f.lines_back):
        k -= f.line
        call(word(kernels, 2 * word(code, k) + 1), code, k, words_at(f.indices), d, grad, f.size)


def backward(f: Frame, d: Floats, grad: Floats) -> None:
    """Run the way back, which begins with a derivative of 1 at the numbers to differentiate."""
    clear(grad, 0, f.first)
    for i in range(f.lanes):
        put(grad, f.end + i, 1.0)
    backward_lines(f, d, grad)
    silent = words_at(f.silent)
    for i in range(f.count_silent):
        put(grad, word(silent, i), 0.0)
    if f.chooses:  # some inputs may still have -0.0, which becomes 0.0
        for i in range(f.first):
            put(grad, i, get(grad, i) + 0.0)
