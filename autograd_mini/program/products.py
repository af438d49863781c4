r"""The kernels of products: sums of products of numbers, which are matrix products if the operands' layout allows it.

These functions do the work, in registers: `combine` adds rows of a matrix times numbers, `meet` computes inner
products of rows, and `inner` and `scale` compute one result.
"""

from __future__ import annotations

from typing import NamedTuple

from .loops import Operand, clear, give, line, operand, read, slot, taken
from .machine import WIDTH
from .primitives import (
    Floats,
    Static,
    Vector,
    Words,
    add_to,
    add_vector,
    get,
    lane,
    load,
    load_part,
    put,
    shared,
    spread,
    store,
    store_part,
    unrolled,
)
from .vectors import four_totals, total

SHORT = 16  # terms: a product with fewer terms is summed in vectors of results


class Matrix(NamedTuple):
    """A matrix in memory. The number in row p and column q is at the address `at + p row + q column`."""

    d: Floats
    at: int
    row: int
    column: int


def part(M: Matrix, p: int, q: int) -> Matrix:
    """Return the matrix that begins at another row and column."""
    return Matrix(M.d, M.at + p * M.row + q * M.column, M.row, M.column)


def added(z: Static, x: Vector, y: Static) -> Static:
    """Return vectors plus a number times vectors."""
    return [zv + x * yv for zv, yv in zip(z, y, strict=True)]


def load_most(d: Floats, at: int, count: int) -> Vector:
    """Return a vector of `count` numbers side by side."""
    return load(d, at) if count == WIDTH else load_part(d, at, count)


def store_most(d: Floats, at: int, v: Vector, count: int) -> None:
    """Write the first `count` numbers of a vector side by side."""
    if count == WIDTH:
        store(d, at, v)
    else:
        store_part(d, at, v, count)


@shared
def tile(rows: Static, vectors: Static, whole: Static, T: Matrix, S: Matrix, M: Matrix, Q: int, left: int) -> None:
    """Do `combine` for a few rows by a few vectors, which stay in registers. The last vector may be partly filled."""
    counts = [WIDTH] * (vectors - 1) + [WIDTH if whole else left]
    z = [[load_most(T.d, T.at + p * T.row + v * WIDTH, n) for v, n in enumerate(counts)] for p in range(rows)]
    s, m = S.at, M.at
    for _ in range(Q):
        y = [load_most(M.d, m + v * WIDTH, n) for v, n in enumerate(counts)]
        z = [added(zp, spread(get(S.d, s + p * S.row)), y) for p, zp in enumerate(z)]
        s += S.column
        m += M.row
    for p, zp in enumerate(z):
        for v, n in enumerate(counts):
            store_most(T.d, T.at + p * T.row + v * WIDTH, zp[v], n)


def tiles(rows: Static, T: Matrix, S: Matrix, M: Matrix, Q: int, left: int) -> None:
    """Do a tile with as many vectors as the remaining columns need: a row alone has up to four, else one or two."""
    most = 4 if rows == 1 else 2
    if left >= most * WIDTH:
        tile(rows, most, True, T, S, M, Q, WIDTH)
    elif rows == 1 and left > 3 * WIDTH:
        tile(rows, 4, False, T, S, M, Q, left - 3 * WIDTH)
    elif rows == 1 and left > 2 * WIDTH:
        tile(rows, 3, False, T, S, M, Q, left - 2 * WIDTH)
    elif left > WIDTH:
        tile(rows, 2, False, T, S, M, Q, left - WIDTH)
    else:
        tile(rows, 1, False, T, S, M, Q, left)


@shared
def combine(T: Matrix, S: Matrix, M: Matrix, P: int, Q: int, n: int) -> None:
    r"""Add a product, $T_{pj} += \sum_q S_{pq} M_{qj}$, for T and M whose columns lie side by side."""
    apart = T.row >= n or T.row <= -n  # rows that overlap must be done one by one
    fours = P - P % 4 if apart else 0
    for j in range(0, n, 2 * WIDTH):
        for p in range(0, fours, 4):
            tiles(4, part(T, p, j), part(S, p, 0), part(M, 0, j), Q, n - j)
    for p in range(fours, P):
        for j in range(0, n, 4 * WIDTH):
            tiles(1, part(T, p, j), part(S, p, 0), part(M, 0, j), Q, n - j)


@shared
def meeting(rows: Static, columns: Static, T: Matrix, X: Matrix, Y: Matrix, n: int) -> None:
    """Do `meet` for a few rows by a few columns. The sums stay in registers."""
    z = [[spread(-0.0) for _ in range(columns)] for _ in range(rows)]
    j = 0
    while j + WIDTH <= n:
        y = [load(Y.d, Y.at + q * Y.row + j) for q in range(columns)]
        z = [added(zp, load(X.d, X.at + p * X.row + j), y) for p, zp in enumerate(z)]
        j += WIDTH
    if j < n:
        y = [load_part(Y.d, Y.at + q * Y.row + j, n - j) for q in range(columns)]
        z = [added(zp, load_part(X.d, X.at + p * X.row + j, n - j), y) for p, zp in enumerate(z)]
    for p, zp in enumerate(z):
        if columns == 1:
            add_to(T.d, T.at + p * T.row, total(zp[0]))
        else:
            add_four(T.d, T.at + p * T.row, T.column, four_totals(*zp))


def add_four(d: Floats, at: int, step: int, v: Vector) -> None:
    """Add four numbers."""
    if step == 1:
        add_vector(d, at, v)
    else:
        for q in unrolled(4):
            add_to(d, at + q * step, lane(v, q))


def meetings(rows: Static, T: Matrix, X: Matrix, Y: Matrix, Q: int, n: int) -> None:
    """Do `meet` for a few rows."""
    q = 0
    while q + 4 <= Q:
        meeting(rows, 4, part(T, 0, q), X, part(Y, q, 0), n)
        q += 4
    while q < Q:
        meeting(rows, 1, part(T, 0, q), X, part(Y, q, 0), n)
        q += 1


@shared
def meet(T: Matrix, X: Matrix, Y: Matrix, P: int, Q: int, n: int) -> None:
    r"""Add a product, $T_{pq} += \sum_j X_{pj} Y_{qj}$, for X and Y whose columns lie side by side."""
    p = 0
    while p < P:
        if p + 4 <= P:
            meetings(4, part(T, p, 0), part(X, p, 0), Y, Q, n)
            p += 4
        else:
            meetings(1, part(T, p, 0), part(X, p, 0), Y, Q, n)
            p += 1


@shared
def inner(d: Floats, a: int, step_a: int, b: int, step_b: int, n: int) -> float:
    r"""Return $\sum_j a_j b_j$."""
    if step_a == 1 and step_b == 1 and n > 3:
        v = spread(-0.0)
        j = 0
        while j + WIDTH <= n:
            v = v + load(d, a + j) * load(d, b + j)
            j += WIDTH
        if j < n:
            v = v + load_part(d, a + j, n - j) * load_part(d, b + j, n - j)
        return total(v)
    z = get(d, a) * get(d, b)
    for j in range(1, n):
        z += get(d, a + j * step_a) * get(d, b + j * step_b)
    return z


@shared
def scale(t: Floats, at: int, step: int, g: float, d: Floats, x: int, step_x: int, n: int) -> None:
    """Add numbers times one number, $t_j += g x_j$."""
    j = 0
    if step == 1 and step_x == 1 and n > 3:
        v = spread(g)
        while j + WIDTH <= n:
            store(t, at + j, load(t, at + j) + v * load(d, x + j))
            j += WIDTH
        if j < n:
            store_part(t, at + j, load_part(t, at + j, n - j) + v * load_part(d, x + j, n - j), n - j)
    else:
        for j in range(n):
            add_to(t, at + j * step, g * get(d, x + j * step_x))


@shared
def pack(M: Matrix, n: int, columns: int, to: int) -> None:
    """Copy a matrix to another place. There the columns of each row lie side by side."""
    for c in range(columns):
        for j in range(n):
            put(M.d, to + j * columns + c, get(M.d, M.at + j * M.row + c * M.column))


@shared
def unpack(M: Matrix, n: int, columns: int, at: int) -> None:
    """Add the copy that `pack` made to a matrix, and clear the copy."""
    for c in range(columns):
        for j in range(n):
            add_to(M.d, M.at + j * M.row + c * M.column, taken(M.d, at + j * columns + c))


@shared
def single(d: Floats, grad: Floats, M: Matrix, b: int, step: int, out: int, columns: int, n: int, wanted: int) -> None:
    """Pass on the derivatives of one row of results.

    They go to the matrix if `wanted` is 1, to its factor if it is 2, and to both if it is 3.
    """
    for j in range(n):
        x, z, at = spread(get(d, b + j * step)), spread(-0.0), M.at + j * M.row
        for c in range(0, columns, WIDTH):
            count = min(WIDTH, columns - c)
            g = load_most(grad, out + c, count)
            if wanted >= 2:
                z = z + g * load_most(d, at + c, count)
            if wanted != 2:
                store_most(grad, at + c, load_most(grad, at + c, count) + x * g, count)
        if wanted >= 2:
            add_to(grad, b + j * step, total(z))


class Factors(NamedTuple):
    """The factors of a product, a and b, and the way to multiply them. All rows may share a."""

    a: Operand
    b: Operand
    once: int  # number of matrices
    times: int  # rows of results for each matrix
    along: bool  # whether the terms of both lie side by side
    packs: bool  # whether the matrix is copied first


def factors(code: Words, k: int, rows: int, columns: int, n: int) -> Factors:
    """Return the factors of a product and the way to multiply them."""
    a, b = operand(code, k, 0), operand(code, k, 1)
    if a.inner == 0 and b.outer == 0:  # the factors may change places
        a, b = b, a
    once, times = (1, rows) if a.outer == 0 else (rows, 1)
    along = a.along == 1 and b.along == 1
    apart = a.inner != 1 and (n < WIDTH or not along)  # neither rows nor columns of the matrix lie side by side
    packs = b.inner == 0 and a.outer == 0 and rows > 3 and columns > 3 and apart
    return Factors(a, b, once, times, along, packs)


@shared
def begin(start: Operand, d: Floats, out: int, rows: int, columns: int) -> None:
    """Write the start values of sums, or the neutral number of addition."""
    if start.along == 0:
        clear(d, out, rows * columns)
        return
    for r in range(rows):
        for c in range(columns):
            put(d, out + c, get(d, slot(start, r, c)))
        out += columns


@shared
def give_to(start: Operand, grad: Floats, out: int, rows: int, columns: int) -> None:
    """Pass on the derivatives of sums to their start values."""
    for r in range(rows):
        for c in range(columns):
            add_to(grad, slot(start, r, c), get(grad, out + c))
        out += columns


def dot_forward(code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Compute products of matrices, or of any rows of numbers, and add them to the start values of their sums."""
    out, rows, columns, n = line(code, k)
    begin(operand(code, k, 2), d, out, rows, columns)
    a, b, once, times, along, packs = factors(code, k, rows, columns, n)
    if packs:
        pack(Matrix(d, a.at, a.along, a.inner), n, columns, scratch)
        X = Matrix(d, b.at, b.outer, b.along)
        combine(Matrix(d, out, columns, 1), X, Matrix(d, scratch, columns, 1), times, n, columns)
    elif b.inner == 0 and (a.inner == 1 or along):
        for r in range(once):
            T = Matrix(d, out + r * columns, columns, 1)
            X, M = Matrix(d, b.at + r * b.outer, b.outer, b.along), Matrix(d, a.at + r * a.outer, a.along, a.inner)
            if a.inner == 1:
                combine(T, X, M, times, n, columns)
            else:
                meet(T, X, Matrix(d, M.at, a.inner, 1), times, columns, n)
    else:
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


def dot_backward(code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Pass on the derivatives of products to both factors, and to the start values of their sums."""
    out, rows, columns, n = line(code, k)
    first, start = out, operand(code, k, 2)
    if start.along and start.wanted:
        give_to(start, grad, out, rows, columns)
    a, b, once, times, along, packs = factors(code, k, rows, columns, n)
    if packs:
        G = Matrix(grad, out, columns, 1)
        if a.wanted:
            combine(Matrix(grad, scratch, columns, 1), Matrix(d, b.at, b.along, b.outer), G, n, rows, columns)
            unpack(Matrix(grad, a.at, a.along, a.inner), n, columns, scratch)
        if b.wanted:
            pack(Matrix(d, a.at, a.along, a.inner), n, columns, scratch)
            meet(Matrix(grad, b.at, b.outer, b.along), G, Matrix(d, scratch, columns, 1), rows, n, columns)
    elif b.inner == 0 and (a.inner == 1 or along):
        for r in range(once):
            x, y = a.at + r * a.outer, b.at + r * b.outer
            G, turned = Matrix(grad, out, columns, 1), Matrix(grad, out, 1, columns)
            if a.inner == 1 and times == 1:
                single(d, grad, Matrix(d, x, a.along, 1), y, b.along, out, columns, n, a.wanted + 2 * b.wanted)
            elif a.inner == 1:
                if a.wanted:
                    combine(Matrix(grad, x, a.along, 1), Matrix(d, y, b.along, b.outer), G, n, times, columns)
                if b.wanted:
                    meet(Matrix(grad, y, b.outer, b.along), G, Matrix(d, x, a.along, 1), times, n, columns)
            else:
                if a.wanted:
                    combine(Matrix(grad, x, a.inner, 1), turned, Matrix(d, y, b.outer, 1), columns, times, n)
                if b.wanted:
                    combine(Matrix(grad, y, b.outer, 1), G, Matrix(d, x, a.inner, 1), times, columns, n)
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
