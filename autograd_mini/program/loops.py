r"""Kernels: the functions that do one kind of instruction, forward and backward, and the runs that call them in turn.

They are plain Python over `primitives`, which `builder` compiles; a parameter that is `Static`, such as the row, is
known then, and a kernel is compiled for each of its values. They can be called as they stand, on NumPy's arrays.

Operand x of a result in row r and column c, and term j of a sum, stands at `x.at + r x.outer + c x.inner + j x.along`.
Derivatives of results are cleared as they are handed on: between runs all are -0.0 but those of inputs and constants.
In the kernels for lanes every number is a row of numbers, one for each example of a batch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..ops import Op
from .code import FIELDS, FRAME, HEAD
from .primitives import (
    WIDTH,
    Numbers,
    Static,
    Vector,
    Words,
    add_to,
    add_vector,
    applied,
    call,
    first_of,
    get,
    lane,
    load,
    load_part,
    numbers_at,
    put,
    shared,
    slope,
    spread,
    store,
    store_part,
    with_lane,
    word,
    words_at,
)
from .vectors import four_totals, is_vectorial, total

FEW = 4  # columns that are computed one by one, for vectors do not pay
SHORT = 16  # terms of a product that is summed in vectors of results
KERNELS, LINE, FORTH, LINES_FORTH, BACK, LINES_BACK, INDEX, NUMBERS, SLOPES, ROOM, FIRST, END = range(12)
COLUMNS, SIZE, MAPPED, COUNT_MAPPED, SAME, COUNT_SAME, OUTPUTS, COUNT_OUTPUTS, RESULTS, DERIVATIVES, TOTALS = range(
    12, 23
)
assert len(FRAME) == 23


class Line(NamedTuple):
    """The head of an instruction."""

    out: int
    rows: int
    columns: int
    terms: int


class Operand(NamedTuple):
    """Where an operand's numbers are, and whether its derivative is wanted."""

    at: int
    outer: int
    inner: int
    along: int
    wanted: int


def line(code: Words, k: int) -> Line:
    return Line(*[word(code, k + 1 + i) for i in range(HEAD - 1)])


def operand(code: Words, k: int, place: Static) -> Operand:
    return Operand(*[word(code, k + HEAD + FIELDS * place + i) for i in range(FIELDS)])


# Vectors of the first `count` numbers from a place on that are some step apart; a whole one of numbers side by side is
# read at once. All others are read and written number by number: a mask that has written must reach the memory first.


@shared
def read_lanes(d: Numbers, at: int, step: int, count: int) -> Vector:
    v = spread(0.0)
    for k in list(range(WIDTH)):
        if k >= count:
            return v
        v = with_lane(v, k, get(d, at + k * step))
    return v


@shared
def write_lanes(d: Numbers, at: int, v: Vector, count: int) -> None:
    for k in list(range(WIDTH)):
        if k >= count:
            return
        put(d, at + k, lane(v, k))


@shared
def add_lanes(d: Numbers, at: int, step: int, v: Vector, count: int) -> None:
    if step == 0:
        add_to(d, at, total(first_of(v, count)))
        return
    for k in list(range(WIDTH)):
        if k >= count:
            return
        add_to(d, at + k * step, lane(v, k))


def read(d: Numbers, at: int, step: int, count: int) -> Vector:
    """Return a vector of numbers, or of one number where the step is 0; lanes beyond the count may hold anything."""
    if step == 0:
        return spread(get(d, at))
    return load(d, at) if step == 1 and count == WIDTH else read_lanes(d, at, step, count)


def write(d: Numbers, at: int, v: Vector, count: int) -> None:
    if count == WIDTH:
        store(d, at, v)
    else:
        write_lanes(d, at, v, count)


def give(d: Numbers, at: int, step: int, v: Vector, count: int) -> None:
    """Add a vector to numbers, or all of it to one number where the step is 0."""
    if step == 1 and count == WIDTH:
        add_vector(d, at, v)
    else:
        add_lanes(d, at, step, v, count)


def taken(grad: Numbers, at: int) -> float:
    """Return the derivative of a result, and leave -0.0, to which anything can be added."""
    g = get(grad, at)
    put(grad, at, -0.0)
    return g


def taken_vector(grad: Numbers, at: int) -> Vector:
    g = load(grad, at)
    store(grad, at, spread(-0.0))
    return g


def load_most(d: Numbers, at: int, count: int) -> Vector:
    """Return the first numbers of a vector, or all."""
    return load(d, at) if count == WIDTH else load_part(d, at, count)


def store_most(d: Numbers, at: int, v: Vector, count: int) -> None:
    if count == WIDTH:
        store(d, at, v)
    else:
        store_part(d, at, v, count)


@shared
def clear(grad: Numbers, at: int, count: int) -> None:
    k = 0
    while k + WIDTH <= count:
        store(grad, at + k, spread(-0.0))
        k += WIDTH
    while k < count:
        put(grad, at + k, -0.0)
        k += 1


# Rows of the table.


def row_forward(op: Static, code: Words, k: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    """Apply a row to each column of each row of results."""
    out, rows, columns, _ = line(code, k)
    xs = [operand(code, k, i) for i in range(op.arity)]
    if not is_vectorial(op, False) or columns < FEW:
        for r in range(rows):
            for c in range(columns):
                put(d, out + c, applied(op, [get(d, x.at + r * x.outer + c * x.inner) for x in xs]))
            out += columns
        return
    for r in range(rows):
        for c in range(0, columns, WIDTH):
            count = min(WIDTH, columns - c)
            ys = [read(d, x.at + r * x.outer + c * x.inner, x.inner, count) for x in xs]
            write(d, out + c, applied(op, ys), count)
        out += columns


def row_backward(op: Static, code: Words, k: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    """Hand the derivative of each result on to the operands, times the partial derivative."""
    out, rows, columns, _ = line(code, k)
    xs = [operand(code, k, i) for i in range(op.arity)]
    if not is_vectorial(op, True) or columns < FEW:
        for r in range(rows):
            for c in range(columns):
                z, g = get(d, out + c), taken(grad, out + c)
                places = [x.at + r * x.outer + c * x.inner for x in xs]
                ys = [get(d, at) for at in places]
                for rule, x, at in zip(op.rules, xs, places):
                    if x.wanted:
                        add_to(grad, at, g * slope(rule, ys, z))
            out += columns
        return
    for r in range(rows):
        for c in range(0, columns, WIDTH):
            count = min(WIDTH, columns - c)
            z, g = read(d, out + c, 1, count), read(grad, out + c, 1, count)
            write(grad, out + c, spread(-0.0), count)
            places = [x.at + r * x.outer + c * x.inner for x in xs]
            ys = [read(d, at, x.inner, count) for x, at in zip(xs, places)]
            for rule, x, at in zip(op.rules, xs, places):
                if x.wanted:
                    give(grad, at, x.inner, g * slope(rule, ys, z), count)
        out += columns


# Gathers, sums, and choices.


def gather_forward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    out, _, columns, first = line(code, k)
    for c in range(columns):
        put(d, out + c, get(d, word(index, first + c)))


def gather_backward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    out, _, columns, first = line(code, k)
    for c in range(columns):
        add_to(grad, word(index, first + c), taken(grad, out + c))


def sum_forward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    out, rows, columns, n = line(code, k)
    x = operand(code, k, 0)
    for r in range(rows):
        for c in range(columns):
            at, j, z = x.at + r * x.outer + c * x.inner, 0, -0.0
            if x.along == 1 and n >= WIDTH:
                v = spread(-0.0)
                while j + WIDTH <= n:
                    v = v + load(d, at + j)
                    j += WIDTH
                z = total(v)
            while j < n:
                z += get(d, at + j * x.along)
                j += 1
            put(d, out, z)
            out += 1


def sum_backward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    out, rows, columns, n = line(code, k)
    x = operand(code, k, 0)
    for r in range(rows):
        for c in range(columns):
            at, j, g = x.at + r * x.outer + c * x.inner, 0, taken(grad, out)
            if x.wanted:
                while x.along == 1 and j + WIDTH <= n:
                    add_vector(grad, at + j, spread(g))
                    j += WIDTH
                while j < n:
                    add_to(grad, at + j * x.along, g)
                    j += 1
            out += 1


def take_forward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    """Choose one of the terms; there is none for an index that is no whole number from 0 to below their number."""
    out, rows, columns, n = line(code, k)
    x, choice = operand(code, k, 0), operand(code, k, 1)
    for r in range(rows):
        for c in range(columns):
            i, at = get(d, choice.at + r * choice.outer + c * choice.inner), x.at + r * x.outer + c * x.inner
            put(d, out, get(d, at + int(i) * x.along) if 0.0 <= i < n and i == math.floor(i) else math.nan)
            out += 1


def take_backward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    out, rows, columns, n = line(code, k)
    x, choice = operand(code, k, 0), operand(code, k, 1)
    for r in range(rows):
        for c in range(columns):
            i, at = get(d, choice.at + r * choice.outer + c * choice.inner), x.at + r * x.outer + c * x.inner
            g = taken(grad, out)
            if x.wanted and 0.0 <= i < n and i == math.floor(i):
                add_to(grad, at + int(i) * x.along, g)
            out += 1


# Products.


def added(z: Static, x: Vector, y: Static) -> Static:
    """Return vectors plus a number times vectors."""
    return [zv + x * yv for zv, yv in zip(z, y)]


@shared
def tile(
    rows: Static, vectors: Static, whole: Static,
    T: Numbers, t: int, tp: int, S: Numbers, s: int, sp: int, sq: int, M: Numbers, m: int, mq: int, Q: int, part: int,
) -> None:  # fmt: skip
    """Do `combine` for a few rows by a few vectors, which stay in registers; the last has a part of its numbers."""
    counts = [WIDTH] * (vectors - 1) + [WIDTH if whole else part]
    z = [[load_most(T, t + p * tp + v * WIDTH, n) for v, n in enumerate(counts)] for p in range(rows)]
    for _ in range(Q):
        y = [load_most(M, m + v * WIDTH, n) for v, n in enumerate(counts)]
        z = [added(zp, spread(get(S, s + p * sp)), y) for p, zp in enumerate(z)]
        s += sq
        m += mq
    for p, zp in enumerate(z):
        for v, n in enumerate(counts):
            store_most(T, t + p * tp + v * WIDTH, zp[v], n)


@shared
def combine(
    T: Numbers,
    t: int,
    tp: int,
    S: Numbers,
    s: int,
    sp: int,
    sq: int,
    M: Numbers,
    m: int,
    mq: int,
    P: int,
    Q: int,
    n: int,
) -> None:
    """Add a product, $T_{pj} += sum_q S_{pq} M_{qj}$, where j steps by 1."""
    four = tp >= n or tp <= -n  # else rows overlap
    j = 0
    while j < n:
        p = 0
        left = n - j
        while p < P:
            if four and p + 4 <= P:
                tiles(4, T, t + p * tp + j, tp, S, s + p * sp, sp, sq, M, m + j, mq, Q, left)
                p += 4
            else:
                tiles(1, T, t + p * tp + j, tp, S, s + p * sp, sp, sq, M, m + j, mq, Q, left)
                p += 1
        j += 2 * WIDTH


def tiles(
    rows: Static, T: Numbers, t: int, tp: int, S: Numbers, s: int, sp: int, sq: int, M: Numbers, m: int, mq: int, Q: int,
    left: int,
) -> None:  # fmt: skip
    """Do the tile that as many columns as are left need."""
    if left >= 2 * WIDTH:
        tile(rows, 2, True, T, t, tp, S, s, sp, sq, M, m, mq, Q, WIDTH)
    elif left > WIDTH:
        tile(rows, 2, False, T, t, tp, S, s, sp, sq, M, m, mq, Q, left - WIDTH)
    else:
        tile(rows, 1, False, T, t, tp, S, s, sp, sq, M, m, mq, Q, left)


@shared
def meeting(
    rows: Static, columns: Static, T: Numbers, t: int, tp: int, tq: int, X: Numbers, x: int, xp: int, Y: Numbers, y: int,
    yq: int, n: int,
) -> None:  # fmt: skip
    """Do `meet` for a few rows by a few columns, whose sums stay in registers."""
    z = [[spread(-0.0) for q in range(columns)] for p in range(rows)]
    j = 0
    while j + WIDTH <= n:
        ys = [load(Y, y + q * yq + j) for q in range(columns)]
        z = [added(zp, load(X, x + p * xp + j), ys) for p, zp in enumerate(z)]
        j += WIDTH
    if j < n:
        ys = [load_part(Y, y + q * yq + j, n - j) for q in range(columns)]
        z = [added(zp, load_part(X, x + p * xp + j, n - j), ys) for p, zp in enumerate(z)]
    for p, zp in enumerate(z):
        if columns == 4:
            sums = four_totals(*zp)
            if tq == 1:
                add_vector(T, t + p * tp, sums)
            else:
                for q in list(range(4)):
                    add_to(T, t + p * tp + q * tq, lane(sums, q))
        else:
            add_to(T, t + p * tp, total(zp[0]))


def meetings(
    rows: Static, T: Numbers, t: int, tp: int, tq: int, X: Numbers, x: int, xp: int, Y: Numbers, y: int, yq: int, Q: int,
    n: int,
) -> None:  # fmt: skip
    """Do `meet` for a few rows."""
    q = 0
    while q + 4 <= Q:
        meeting(rows, 4, T, t + q * tq, tp, tq, X, x, xp, Y, y + q * yq, yq, n)
        q += 4
    while q < Q:
        meeting(rows, 1, T, t + q * tq, tp, tq, X, x, xp, Y, y + q * yq, yq, n)
        q += 1


@shared
def meet(
    T: Numbers,
    t: int,
    tp: int,
    tq: int,
    X: Numbers,
    x: int,
    xp: int,
    Y: Numbers,
    y: int,
    yq: int,
    P: int,
    Q: int,
    n: int,
) -> None:
    """Add a product, $T_{pq} += sum_j X_{pj} Y_{qj}$, where j steps by 1."""
    p = 0
    while p < P:
        if p + 4 <= P:
            meetings(4, T, t + p * tp, tp, tq, X, x + p * xp, xp, Y, y, yq, Q, n)
            p += 4
        else:
            meetings(1, T, t + p * tp, tp, tq, X, x + p * xp, xp, Y, y, yq, Q, n)
            p += 1


@shared
def inner(d: Numbers, a: int, sa: int, b: int, sb: int, n: int) -> float:
    """Return $sum_j a_j b_j$."""
    if sa == 1 and sb == 1 and n > 3:
        z = spread(-0.0)
        j = 0
        while j + WIDTH <= n:
            z = z + load(d, a + j) * load(d, b + j)
            j += WIDTH
        if j < n:
            z = z + load_part(d, a + j, n - j) * load_part(d, b + j, n - j)
        return total(z)
    sum = get(d, a) * get(d, b)
    for j in range(1, n):
        sum += get(d, a + j * sa) * get(d, b + j * sb)
    return sum


@shared
def scale(T: Numbers, t: int, tj: int, g: float, M: Numbers, m: int, mj: int, n: int) -> None:
    """Add a vector times a number, $T_j += g M_j$."""
    j = 0
    if tj == 1 and mj == 1 and n > 3:
        x = spread(g)
        while j + WIDTH <= n:
            store(T, t + j, load(T, t + j) + x * load(M, m + j))
            j += WIDTH
        if j < n:
            store_part(T, t + j, load_part(T, t + j, n - j) + x * load_part(M, m + j, n - j), n - j)
    else:
        for j in range(n):
            add_to(T, t + j * tj, g * get(M, m + j * mj))


@shared
def pack(d: Numbers, a: int, step: int, along: int, n: int, columns: int, to: int) -> None:
    """Copy a matrix to a place where its columns are side by side."""
    for c in range(columns):
        for j in range(n):
            put(d, to + j * columns + c, get(d, a + c * step + j * along))


@shared
def unpack(grad: Numbers, a: int, step: int, along: int, n: int, columns: int, to: int) -> None:
    for c in range(columns):
        for j in range(n):
            add_to(grad, a + c * step + j * along, taken(grad, to + j * columns + c))


@shared
def single(
    d: Numbers, grad: Numbers, a: int, along: int, b: int, step: int, out: int, columns: int, n: int, wanted: int
) -> None:
    """Do the way back of one row of a product whose matrix lies side by side; 1 and 2 in `wanted` are its factors."""
    for j in range(n):
        x, z, p = spread(get(d, b + j * step)), spread(-0.0), a + j * along
        for c in range(0, columns, WIDTH):
            count = min(WIDTH, columns - c)
            g = load_most(grad, out + c, count)
            if wanted >= 2:
                z = z + g * load_most(d, p + c, count)
            if wanted != 2:
                store_most(grad, p + c, load_most(grad, p + c, count) + x * g, count)
        if wanted >= 2:
            add_to(grad, b + j * step, total(z))


class Factors(NamedTuple):
    """The factors of a product: a, the matrix that all rows may share, and b; and how they are multiplied."""

    a: Operand
    b: Operand
    once: int  # matrices
    times: int  # rows of results for each
    along: bool  # whether both step by 1 from term to term
    packs: bool  # whether the matrix is copied first


def factors(code: Words, k: int, rows: int, columns: int, n: int) -> Factors:
    a, b = operand(code, k, 0), operand(code, k, 1)
    if a.inner == 0 and b.outer == 0:  # a product may be turned
        a, b = b, a
    once, times = (1, rows) if a.outer == 0 else (rows, 1)
    along = a.along == 1 and b.along == 1
    packs = b.inner == 0 and a.outer == 0 and rows > 3 and columns > 3 and (n < WIDTH or not along)
    return Factors(a, b, once, times, along, packs)


def dot_forward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    """Compute products of matrices, or of any vectors, and add them to where they begin with a number."""
    out, rows, columns, n = line(code, k)
    start = operand(code, k, 2)
    for r in range(rows):
        for c in range(columns):
            at = start.at + r * start.outer + c * start.inner
            put(d, out + r * columns + c, get(d, at) if start.along else -0.0)
    a, b, once, times, along, packs = factors(code, k, rows, columns, n)
    if packs or (b.inner == 0 and (a.inner == 1 or along)):
        matrix, step = a.at, a.along
        if packs:
            pack(d, a.at, a.inner, a.along, n, columns, room)
            matrix, step = room, columns
        for r in range(once):
            if packs or a.inner == 1:
                combine(
                    d,
                    out,
                    columns,
                    d,
                    b.at + r * b.outer,
                    b.outer,
                    b.along,
                    d,
                    matrix + r * a.outer,
                    step,
                    times,
                    n,
                    columns,
                )
            else:
                meet(
                    d,
                    out,
                    columns,
                    1,
                    d,
                    b.at + r * b.outer,
                    b.outer,
                    d,
                    a.at + r * a.outer,
                    a.inner,
                    times,
                    columns,
                    n,
                )
            out += columns
        return
    for r in range(rows):
        x, y, c = a.at + r * a.outer, b.at + r * b.outer, 0
        while n < SHORT and c + WIDTH <= columns:
            z = load(d, out + c)
            for j in range(n):
                p, q = x + j * a.along + c * a.inner, y + j * b.along + c * b.inner
                z = z + read(d, p, a.inner, WIDTH) * read(d, q, b.inner, WIDTH)
            store(d, out + c, z)
            c += WIDTH
        while c < columns:
            add_to(d, out + c, inner(d, x + c * a.inner, a.along, y + c * b.inner, b.along, n))
            c += 1
        out += columns


def dot_backward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    out, rows, columns, n = line(code, k)
    first, start = out, operand(code, k, 2)
    if start.along and start.wanted:
        for r in range(rows):
            for c in range(columns):
                add_to(grad, start.at + r * start.outer + c * start.inner, get(grad, out + r * columns + c))
    a, b, once, times, along, packs = factors(code, k, rows, columns, n)
    if packs:
        if a.wanted:
            combine(grad, room, columns, d, b.at, b.along, b.outer, grad, out, columns, n, rows, columns)
            unpack(grad, a.at, a.inner, a.along, n, columns, room)
        if b.wanted:
            pack(d, a.at, a.inner, a.along, n, columns, room)
            meet(grad, b.at, b.outer, b.along, grad, out, columns, d, room, columns, rows, n, columns)
    elif b.inner == 0 and (a.inner == 1 or along):
        for r in range(once):
            x, y = a.at + r * a.outer, b.at + r * b.outer
            if a.inner == 1 and times == 1:
                single(d, grad, x, a.along, y, b.along, out, columns, n, a.wanted + 2 * b.wanted)
            elif a.inner == 1:
                if a.wanted:
                    combine(grad, x, a.along, d, y, b.along, b.outer, grad, out, columns, n, times, columns)
                if b.wanted:
                    meet(grad, y, b.outer, b.along, grad, out, columns, d, x, a.along, times, n, columns)
            else:
                if a.wanted:
                    combine(grad, x, a.inner, grad, out, 1, columns, d, y, b.outer, columns, times, n)
                if b.wanted:
                    combine(grad, y, b.outer, grad, out, columns, 1, d, x, a.inner, times, columns, n)
            out += columns
    else:
        for r in range(rows):
            x, y, c = a.at + r * a.outer, b.at + r * b.outer, 0
            while n < SHORT and c + WIDTH <= columns:
                z = load(grad, out + c)
                for j in range(n):
                    p, q = x + j * a.along + c * a.inner, y + j * b.along + c * b.inner
                    if a.wanted:
                        give(grad, p, a.inner, z * read(d, q, b.inner, WIDTH), WIDTH)
                    if b.wanted:
                        give(grad, q, b.inner, z * read(d, p, a.inner, WIDTH), WIDTH)
                c += WIDTH
            while c < columns:
                p, q, g = x + c * a.inner, y + c * b.inner, get(grad, out + c)
                if a.wanted:
                    scale(grad, p, a.along, g, d, q, b.along, n)
                if b.wanted:
                    scale(grad, q, b.along, g, d, p, a.along, n)
                c += 1
            out += columns
    clear(grad, first, rows * columns)


# Runs.


def run(place: int) -> None:
    """Do the instructions forward, then those on the way back; either may be none."""
    frame = words_at(place)
    kernels, index, step = words_at(word(frame, KERNELS)), words_at(word(frame, INDEX)), word(frame, LINE)
    d, grad = numbers_at(word(frame, NUMBERS)), numbers_at(word(frame, SLOPES))
    room, z = word(frame, ROOM), word(frame, END)
    forward(frame, kernels, step, index, d, grad, room)
    if z >= 0:
        clear(grad, 0, word(frame, FIRST))
        put(grad, z, 1.0)
        backward(frame, kernels, step, index, d, grad, room)


def forward(frame: Words, kernels: Words, step: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    code, k = words_at(word(frame, FORTH)), 0
    for _ in range(word(frame, LINES_FORTH)):
        call(word(kernels, 2 * word(code, k)), code, k, index, d, grad, room)
        k += step


def backward(frame: Words, kernels: Words, step: int, index: Words, d: Numbers, grad: Numbers, room: int) -> None:
    lines = word(frame, LINES_BACK)
    code, k = words_at(word(frame, BACK)), lines * step
    for _ in range(lines):
        k -= step
        call(word(kernels, 2 * word(code, k) + 1), code, k, index, d, grad, room)
