"""The loops, written out: a module of Python source for Numba, from the rows of the table.

This room owns that text. The loops walk over a program's instructions, each a line of integers: its kind,
where its results start, its rows, columns and terms, and for each operand the address and steps. In the
lanes' loops every number is a row of numbers, one for each example of a batch, so that a processor does
several at once. Gradients of results are cleared as soon as they have been handed on: between runs all are
zero but those of inputs and constants. It must not know how instructions were found, nor import Numba.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from ..ops import OPS, Level, Op, Traced
from ..uncompiled import source_module

__all__ = ["FIELDS", "KINDS", "PLACES", "applied", "beyond", "is_arithmetic", "module", "name_of"]

FIELDS = 5  # of an access: where it is, its steps, and whether its derivative is wanted
PLACES = ("x", "y", "w")  # what the loops call the operands of a row
KINDS = {"gather": 0, "dot": 1, "sum": 2, "started dot": 3, "take": 4}
FIRST_ROW = len(KINDS)
# The functions that `vectors` has.
VECTORS = frozenset(
    "abs equal exp greater greater_equal identity leaky_relu log maximum minimum relu sigmoid silu softplus sqrt "
    "square tanh where".split()
)


class _Source(Traced):
    """A recorder that writes a rule as a line of Python for a compiler."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def record(self, op: Op, operands: tuple[Any, ...]) -> _Source:
        parts = [x.text if isinstance(x, _Source) else repr(float(x)) for x in operands]
        return _Source(applied(op, parts))


def applied(op: Op, parts: list[str]) -> str:
    """Write a row applied to operands: as its own text says where that is Python's arithmetic, else as a call."""
    parts = [{"inf": "INF", "-inf": "-INF", "nan": "NAN"}.get(part, part) for part in parts]
    if not is_arithmetic(op):
        return f"{name_of(op)}({', '.join(parts)})"
    return f"({op.text.filled(dict(zip(op.operands, parts, strict=True)))})"


def is_arithmetic(op: Op) -> bool:
    """Say whether the row's own text is Python's arithmetic."""
    return OPS.get(op.name) is op and op.infix and op.text.level > Level.COMPARISON


def name_of(op: Op) -> str:
    """Return what the loops call a row's function."""
    return f"f_{op.name}"


def _rule(op: Op, i: int) -> str:
    """Return a partial derivative as an expression in x, y, w and z."""
    slope = op.partials[i](*[_Source(name) for name in PLACES[: op.arity]], _Source("z"))
    return slope.text if isinstance(slope, _Source) else repr(float(slope))


def _indented(lines: Iterable[str], depth: int) -> list[str]:
    return ["    " * depth + line for line in lines]


# One row's loop. `a` is where operand x is, `sa` the step to the next result's, `na` whether its derivative is wanted;
# so b for y and e for w.


def _forward_row(op: Op) -> list[str]:
    scalar = [f"{name} = get(d, {p} + c * s{p})" for name, p in _operands(op)]
    vector = [f"{name} = some(d, {p} + c * s{p}, s{p})" for name, p in _operands(op)]
    many = _side_by_side(_value(op))
    return _each(
        op,
        many and [*vector, f"store(d, out + c, {many})"],
        [*scalar, f"put(d, out + c, {_value(op)})"],
    )


def _backward_row(op: Op) -> list[str]:
    scalar = [f"{name} = get(d, {p} + c * s{p})" for name, p in _operands(op)]
    vector = [f"{name} = some(d, {p} + c * s{p}, s{p})" for name, p in _operands(op)]
    many = [_side_by_side(rule) for rule in _rules(op)]
    return _each(
        op,
        all(many)
        and [
            *vector,
            "z = load(d, out + c); g = load(grad, out + c)",
            *_where_wanted(op, [f"add_some(grad, {p} + c * s{p}, s{p}, g * {{}})" for _, p in _operands(op)], many),
        ],
        [
            *scalar,
            "z = get(d, out + c); g = get(grad, out + c)",
            *_where_wanted(op, [f"add_to(grad, {p} + c * s{p}, g * {{}})" for _, p in _operands(op)], _rules(op)),
        ],
    )


def _where_wanted(op: Op, adds: list[str], rules: list[str]) -> list[str]:
    """Add what each operand gets of a result's derivative."""
    found = zip(_operands(op), adds, rules, strict=True)
    return [line for (_, p), add, rule in found for line in (f"if n{p}:", f"    {add.format(rule)}")]


def _each(op: Op, many: Any, one: list[str]) -> list[str]:
    """Do something for every result of a row: for a vector of them while there are so many, then one by one."""
    vectors = ["while c + WIDTH <= columns:", *_indented([*many, "c += WIDTH"], 1)] if many else []
    lines = [*_places(op), "c = 0", *vectors, "while c < columns:", *_indented([*one, "c += 1"], 1), "out += columns"]
    return ["for r in range(rows):", *_indented(lines, 1)]


def _places(op: Op) -> list[str]:
    return [
        f"{p} = code[k, {at}] + r * code[k, {at + 1}]; s{p} = code[k, {at + 2}]; n{p} = code[k, {at + 4}]"
        for at, (_, p) in zip(range(5, 5 + 3 * FIELDS, FIELDS), _operands(op), strict=False)
    ]


# The same in lanes: each number is `width` numbers, of as many examples.


def _forward_lanes(op: Op) -> list[str]:
    many = _side_by_side(_value(op))
    get, put, value = ("load", "store", many) if many else ("get", "put", _value(op))
    reads = [f"{name} = {get}(d, x{p} + i)" for name, p in _operands(op)]
    return _lanes(op, many, [*reads, f"{put}(d, out * width + i, {value})"])


def _backward_lanes(op: Op) -> list[str]:
    many = [_side_by_side(rule) for rule in _rules(op)]
    get, add, rules = ("load", "add_vector", many) if all(many) else ("get", "add_to", _rules(op))
    reads = [f"{name} = {get}(d, x{p} + i)" for name, p in _operands(op)]
    slopes = f"z = {get}(d, out * width + i); g = {get}(grad, out * width + i)"
    adds = _where_wanted(op, [f"{add}(grad, x{p} + i, g * {{}})" for _, p in _operands(op)], rules)
    return _lanes(op, all(many), [*reads, slopes, *adds])


def _lanes(op: Op, many: Any, lines: list[str]) -> list[str]:
    rows = [f"x{p} = ({p} + c * s{p}) * width" for _, p in _operands(op)]
    steps = "for i in range(0, width, WIDTH):" if many else "for i in range(width):"
    each = [*rows, steps, *_indented(lines, 1), "out += 1"]
    return ["for r in range(rows):", *_indented([*_places(op), "for c in range(columns):", *_indented(each, 1)], 1)]


def _operands(op: Op) -> list[tuple[str, str]]:
    """Return the names of each operand's number and of its address."""
    return list(zip(PLACES, "abe"[: op.arity], strict=False))


def _value(op: Op) -> str:
    return applied(op, list(PLACES[: op.arity]))


def _rules(op: Op) -> list[str]:
    return [_rule(op, i) for i in range(op.arity)]


def _side_by_side(text: str) -> str:
    """Write an expression for vectors; nothing if it calls what these do not have."""
    text = re.sub(r"\b([xywz])\*\*2\.0", r"v_square(\1)", text)
    called = set(re.findall(r"\bf_(\w+)\(", text))
    return re.sub(r"\bf_(\w+)\(", r"v_\1(", text) if called <= VECTORS and "**" not in text else ""


HEAD = """\
import math
from math import inf as INF, nan as NAN

import numpy as np
from numba import njit

from autograd_mini.program.vectors import *
"""
EACH = """\
            for r in range(rows):
                for c in range(columns):
                    a = code[k, 5] + r * code[k, 6] + c * code[k, 7]
"""
FACTORS = """\
            a0, a1, a2, a3, na = code[k, 5], code[k, 6], code[k, 7], code[k, 8], code[k, 9]
            b0, b1, b2, b3, nb = code[k, 10], code[k, 11], code[k, 12], code[k, 13], code[k, 14]
            if a2 == 0 and b1 == 0:  # a product may be turned
                a0, a1, a2, a3, na, b0, b1, b2, b3, nb = b0, b1, b2, b3, nb, a0, a1, a2, a3, na
            once, times = (1, rows) if a1 == 0 else (rows, 1)  # all rows have the same matrix, or each its own
            along = a3 == 1 and b3 == 1
            packs = a1 == 0 and rows > 3 and columns > 3 and (n < WIDTH or not along)
"""


def _tile(rows: int, vectors: int) -> str:
    """Write the loop of `combine` for a few rows by a few vectors, which stay in registers."""
    z = [(p, v, f"z{p}{v}") for p in range(rows) for v in range(vectors)]
    last = vectors - 1

    def loaded(array: str, at: str, v: int) -> str:
        return f"load_most({array}, {at} + {v} * WIDTH, part)" if v == last else f"load({array}, {at} + {v} * WIDTH)"

    def stored(p: int, v: int) -> str:
        at = f"T, t + {p} * tp + {v} * WIDTH, z{p}{v}"
        return f"store_most({at}, part)" if v == last else f"store({at})"

    steps = [f"y{v} = {loaded('M', 'm', v)}" for v in range(vectors)]
    for p in range(rows):
        steps += [f"x = spread(get(S, s + {p} * sp))", *(f"z{p}{v} = z{p}{v} + x * y{v}" for v in range(vectors))]
    lines = [
        *(f"{name} = {loaded('T', f't + {p} * tp', v)}" for p, v, name in z),
        "for _ in range(Q):",
        *_indented([*steps, "s += sq", "m += mq"], 1),
        *(stored(p, v) for p, v, _ in z),
    ]
    names = "T, t, tp, S, s, sp, sq, M, m, mq, Q, part"
    return "\n".join(["", "", "@njit", f"def combine{rows}{vectors}({names}):", *_indented(lines, 1), ""])


def _meeting(rows: int, columns: int) -> str:
    """Write the loop of `meet` for a few rows by a few columns, whose sums stay in registers."""
    z = [(p, q, f"z{p}{q}") for p in range(rows) for q in range(columns)]

    def steps(get: str) -> list[str]:
        found = [f"y{q} = {get.format('Y', f'y + {q} * yq + j')}" for q in range(columns)]
        for p in range(rows):
            found += [f"x0 = {get.format('X', f'x + {p} * xp + j')}"]
            found += [f"z{p}{q} = z{p}{q} + x0 * y{q}" for q in range(columns)]
        return found

    lines = [
        f"{' = '.join(name for *_, name in z)} = spread(0.0)",
        "j = 0",
        "while j + WIDTH <= n:",
        *_indented([*steps("load({}, {})"), "j += WIDTH"], 1),
        "if j < n:",
        *_indented(steps("load_part({}, {}, n - j)"), 1),
        *(
            f"add_some(T, t + {p} * tp, tq, totals({', '.join(f'z{p}{q}' for q in range(4))}))"
            if columns == 4
            else f"add_to(T, t + {p} * tp, total(z{p}0))"
            for p in range(rows)
        ),
    ]
    names = "T, t, tp, tq, X, x, xp, Y, y, yq, n"
    return "\n".join(["", "", "@njit", f"def meet{rows}{columns}({names}):", *_indented(lines, 1), ""])


PRODUCTS = (
    """

@njit
def add_to(d, i, x):
    put(d, i, get(d, i) + x)


@njit
def clear(grad, i, count):
    for k in range(i, i + count):
        put(grad, k, 0.0)


@njit
def add_vector(d, i, x):
    store(d, i, load(d, i) + x)


@njit
def some(d, i, step):
    if step == 1:
        return load(d, i)
    if step == 0:
        return spread(get(d, i))
    return load_every(d, i, step)


@njit
def add_some(d, i, step, x):
    if step == 1:
        add_vector(d, i, x)
    elif step == 0:
        add_to(d, i, total(x))
    else:
        store_every(d, i, step, load_every(d, i, step) + x)


@njit
def load_most(d, i, count):
    return load(d, i) if count == WIDTH else load_part(d, i, count)


@njit
def store_most(d, i, x, count):
    if count == WIDTH:
        store(d, i, x)
    else:
        store_part(d, i, x, count)


@njit
def inner(d, a, sa, b, sb, n):
    if sa == 1 and sb == 1 and n > 3:
        z = spread(0.0)
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


@njit
def scale(T, t, tj, g, M, m, mj, n):  # T[j] += g M[j]
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
"""
    + "".join(_tile(p, v) for p in (4, 1) for v in (2, 1))
    + """

@njit
def combine(T, t, tp, S, s, sp, sq, M, m, mq, P, Q, n):  # T[p, j] += sum_q S[p, q] M[q, j], where j steps by 1
    four = tp >= n or tp <= -n  # else rows overlap
    j = 0
    while j < n:
        p = 0
        if n - j > WIDTH:
            part = min(WIDTH, n - j - WIDTH)
            while four and p + 4 <= P:
                combine42(T, t + p * tp + j, tp, S, s + p * sp, sp, sq, M, m + j, mq, Q, part)
                p += 4
            while p < P:
                combine12(T, t + p * tp + j, tp, S, s + p * sp, sp, sq, M, m + j, mq, Q, part)
                p += 1
        else:
            while four and p + 4 <= P:
                combine41(T, t + p * tp + j, tp, S, s + p * sp, sp, sq, M, m + j, mq, Q, n - j)
                p += 4
            while p < P:
                combine11(T, t + p * tp + j, tp, S, s + p * sp, sp, sq, M, m + j, mq, Q, n - j)
                p += 1
        j += 2 * WIDTH
"""
    + "".join(_meeting(p, q) for p in (4, 1) for q in (4, 1))
    + """

@njit
def meet(T, t, tp, tq, X, x, xp, Y, y, yq, P, Q, n):  # T[p, q] += sum_j X[p, j] Y[q, j], where j steps by 1
    p = 0
    while p < P:
        q = 0
        if p + 4 <= P:
            while q + 4 <= Q:
                meet44(T, t + p * tp + q * tq, tp, tq, X, x + p * xp, xp, Y, y + q * yq, yq, n)
                q += 4
            while q < Q:
                meet41(T, t + p * tp + q * tq, tp, tq, X, x + p * xp, xp, Y, y + q * yq, yq, n)
                q += 1
            p += 4
        else:
            while q + 4 <= Q:
                meet14(T, t + p * tp + q * tq, tp, tq, X, x + p * xp, xp, Y, y + q * yq, yq, n)
                q += 4
            while q < Q:
                meet11(T, t + p * tp + q * tq, tp, tq, X, x + p * xp, xp, Y, y + q * yq, yq, n)
                q += 1
            p += 1


@njit
def pack(d, a, step, along, n, columns, to):
    for c in range(columns):
        for j in range(n):
            put(d, to + j * columns + c, get(d, a + c * step + j * along))


@njit
def unpack(grad, a, step, along, n, columns, to):
    for c in range(columns):
        for j in range(n):
            add_to(grad, a + c * step + j * along, get(grad, to + j * columns + c))
            put(grad, to + j * columns + c, 0.0)


@njit
def step(d, grad, a, a3, na, b, b3, nb, out, columns, n):
    for j in range(n):
        x, z, p = spread(get(d, b + j * b3)), spread(0.0), a + j * a3
        for c in range(0, columns, WIDTH):
            count = min(WIDTH, columns - c)
            g = load_most(grad, out + c, count)
            if nb:
                z = z + g * load_most(d, p + c, count)
            if na:
                store_most(grad, p + c, load_most(grad, p + c, count) + x * g, count)
        if nb:
            add_to(grad, b + j * b3, total(z))
"""
)
FORWARD = """

@njit(error_model="numpy")
def forward(code, index, d, room):
    for k in range(code.shape[0]):
        kind, out, rows, columns, n = code[k, 0], code[k, 1], code[k, 2], code[k, 3], code[k, 4]
        if kind == 0:  # gather
            a = code[k, 5]
            for c in range(columns):
                put(d, out + c, get(d, index[a + c]))
        elif kind == 1 or kind == 3:  # dot; 3: one that begins with a number
            for r in range(rows):
                for c in range(columns):
                    start = get(d, code[k, 15] + r * code[k, 16] + c * code[k, 17]) if kind == 3 else 0.0
                    put(d, out + r * columns + c, start)
            FACTORS
            if b2 == 0 and (packs or a2 == 1 or along):
                a, step_a = a0, a3
                if packs:
                    pack(d, a0, a2, a3, n, columns, room)
                    a, step_a = room, columns
                for r in range(once):
                    if packs or a2 == 1:
                        combine(d, out, columns, d, b0 + r * b1, b1, b3, d, a + r * a1, step_a, times, n, columns)
                    else:
                        meet(d, out, columns, 1, d, b0 + r * b1, b1, d, a0 + r * a1, a2, times, columns, n)
                    out += columns
            else:
                for r in range(rows):
                    c = 0
                    while n < 16 and c + WIDTH <= columns:
                        a, b, z = a0 + r * a1 + c * a2, b0 + r * b1 + c * b2, load(d, out)
                        for j in range(n):
                            z = z + some(d, a + j * a3, a2) * some(d, b + j * b3, b2)
                        store(d, out, z)
                        out += WIDTH
                        c += WIDTH
                    while c < columns:
                        add_to(d, out, inner(d, a0 + r * a1 + c * a2, a3, b0 + r * b1 + c * b2, b3, n))
                        out += 1
                        c += 1
        elif kind == 2:  # sum
            a3 = code[k, 8]
            EACH
                    j = 0
                    sum = 0.0
                    if a3 == 1 and n >= WIDTH:
                        z = spread(0.0)
                        while j + WIDTH <= n:
                            z = z + load(d, a + j)
                            j += WIDTH
                        sum = total(z)
                    while j < n:
                        sum += get(d, a + j * a3)
                        j += 1
                    put(d, out, sum)
                    out += 1
        elif kind == 4:  # take
            EACH
                    at = get(d, code[k, 10] + r * code[k, 11] + c * code[k, 12])
                    inside = 0.0 <= at < n and at == math.floor(at)
                    put(d, out, get(d, a + int(at) * code[k, 8]) if inside else NAN)
                    out += 1
"""
BACKWARD = """

@njit(error_model="numpy")
def backward(code, index, d, grad, room):
    for k in range(code.shape[0] - 1, -1, -1):
        kind, out, rows, columns, n = code[k, 0], code[k, 1], code[k, 2], code[k, 3], code[k, 4]
        start = out
        if kind == 0:
            a = code[k, 5]
            for c in range(columns):
                add_to(grad, index[a + c], get(grad, out + c))
        elif kind == 1 or kind == 3:
            if kind == 3 and code[k, 19]:
                for r in range(rows):
                    for c in range(columns):
                        at = code[k, 15] + r * code[k, 16] + c * code[k, 17]
                        add_to(grad, at, get(grad, out + r * columns + c))
            FACTORS
            if b2 == 0 and packs:
                if na:
                    combine(grad, room, columns, d, b0, b3, b1, grad, out, columns, n, rows, columns)
                    unpack(grad, a0, a2, a3, n, columns, room)
                if nb:
                    pack(d, a0, a2, a3, n, columns, room)
                    meet(grad, b0, b1, b3, grad, out, columns, d, room, columns, rows, n, columns)
            elif b2 == 0 and (a2 == 1 or along):
                for r in range(once):
                    a, b = a0 + r * a1, b0 + r * b1
                    if a2 == 1 and times == 1:
                        step(d, grad, a, a3, na, b, b3, nb, out, columns, n)
                    elif a2 == 1:
                        if na:
                            combine(grad, a, a3, d, b, b3, b1, grad, out, columns, n, times, columns)
                        if nb:
                            meet(grad, b, b1, b3, grad, out, columns, d, a, a3, times, n, columns)
                    else:
                        if na:
                            combine(grad, a, a2, grad, out, 1, columns, d, b, b1, columns, times, n)
                        if nb:
                            combine(grad, b, b1, grad, out, columns, 1, d, a, a2, times, columns, n)
                    out += columns
            else:
                for r in range(rows):
                    c = 0
                    while n < 16 and c + WIDTH <= columns:
                        a, b, g = a0 + r * a1 + c * a2, b0 + r * b1 + c * b2, load(grad, out)
                        for j in range(n):
                            if na:
                                add_some(grad, a + j * a3, a2, g * some(d, b + j * b3, b2))
                            if nb:
                                add_some(grad, b + j * b3, b2, g * some(d, a + j * a3, a2))
                        out += WIDTH
                        c += WIDTH
                    while c < columns:
                        a, b, g = a0 + r * a1 + c * a2, b0 + r * b1 + c * b2, get(grad, out)
                        if na:
                            scale(grad, a, a3, g, d, b, b3, n)
                        if nb:
                            scale(grad, b, b3, g, d, a, a3, n)
                        out += 1
                        c += 1
        elif kind == 2:
            a3 = code[k, 8]
            EACH
                    g = get(grad, out)
                    j = 0
                    if a3 == 1:
                        while j + WIDTH <= n:
                            add_vector(grad, a + j, spread(g))
                            j += WIDTH
                    while j < n:
                        add_to(grad, a + j * a3, g)
                        j += 1
                    out += 1
        elif kind == 4:
            EACH
                    at = get(d, code[k, 10] + r * code[k, 11] + c * code[k, 12])
                    if 0.0 <= at < n and at == math.floor(at):
                        add_to(grad, a + int(at) * code[k, 8], get(grad, out))
                    out += 1
"""
RUN = """

@njit(error_model="numpy", cache=CACHE, nogil=True)
def run(code, back_code, index, d, grad, first, size, z, forth, back):
    if forth:
        forward(code, index, address(d), size)
    if back:
        grad[:first] = 0.0
        grad[z] = 1.0
        backward(back_code, index, address(d), address(grad), size)
"""
FORWARD_LANES = """

@njit(error_model="numpy")
def forward(code, index, d, width):
    for k in range(code.shape[0]):
        kind, out, rows, columns, n = code[k, 0], code[k, 1], code[k, 2], code[k, 3], code[k, 4]
        if kind == 0:
            for c in range(columns):
                a = index[code[k, 5] + c] * width
                for i in range(0, width, WIDTH):
                    store(d, (out + c) * width + i, load(d, a + i))
        elif kind == 1 or kind == 3:
            EACH
                    b = code[k, 10] + r * code[k, 11] + c * code[k, 12]
                    e = code[k, 15] + r * code[k, 16] + c * code[k, 17]
                    for i in range(0, width, WIDTH):
                        z = load(d, e * width + i) if kind == 3 else spread(0.0)
                        for j in range(n):
                            x = load(d, (a + j * code[k, 8]) * width + i)
                            z = z + x * load(d, (b + j * code[k, 13]) * width + i)
                        store(d, out * width + i, z)
                    out += 1
        elif kind == 2:
            EACH
                    for i in range(0, width, WIDTH):
                        z = load(d, a * width + i)
                        for j in range(1, n):
                            z = z + load(d, (a + j * code[k, 8]) * width + i)
                        store(d, out * width + i, z)
                    out += 1
        elif kind == 4:
            EACH
                    b = (code[k, 10] + r * code[k, 11] + c * code[k, 12]) * width
                    for i in range(width):
                        at = get(d, b + i)
                        inside = 0.0 <= at < n and at == math.floor(at)
                        put(d, out * width + i, get(d, (a + int(at) * code[k, 8]) * width + i) if inside else NAN)
                    out += 1
"""
BACKWARD_LANES = """

@njit(error_model="numpy")
def backward(code, index, d, grad, width):
    for k in range(code.shape[0] - 1, -1, -1):
        kind, out, rows, columns, n = code[k, 0], code[k, 1], code[k, 2], code[k, 3], code[k, 4]
        start = out
        if kind == 0:
            for c in range(columns):
                a = index[code[k, 5] + c] * width
                for i in range(0, width, WIDTH):
                    add_vector(grad, a + i, load(grad, (out + c) * width + i))
        elif kind == 1 or kind == 3:
            na, nb, ne = code[k, 9], code[k, 14], kind == 3 and code[k, 19]
            EACH
                    b = code[k, 10] + r * code[k, 11] + c * code[k, 12]
                    e = code[k, 15] + r * code[k, 16] + c * code[k, 17]
                    for i in range(0, width, WIDTH):
                        g = load(grad, out * width + i)
                        if ne:
                            add_vector(grad, e * width + i, g)
                        for j in range(n):
                            x, y = (a + j * code[k, 8]) * width + i, (b + j * code[k, 13]) * width + i
                            if na:
                                add_vector(grad, x, g * load(d, y))
                            if nb:
                                add_vector(grad, y, g * load(d, x))
                    out += 1
        elif kind == 2:
            EACH
                    for i in range(0, width, WIDTH):
                        g = load(grad, out * width + i)
                        for j in range(n):
                            add_vector(grad, (a + j * code[k, 8]) * width + i, g)
                    out += 1
        elif kind == 4:
            EACH
                    b = (code[k, 10] + r * code[k, 11] + c * code[k, 12]) * width
                    for i in range(width):
                        at = get(d, b + i)
                        if 0.0 <= at < n and at == math.floor(at):
                            add_to(grad, (a + int(at) * code[k, 8]) * width + i, get(grad, out * width + i))
                    out += 1
"""
BLOCKS = """

@njit(error_model="numpy", cache=CACHE, nogil=True)
def blocks(code, back_code, index, d, grad, X, mapped, same, outputs, results, slopes, totals, first, last, inputs, z):
    width = d.shape[1]
    for block in range(first, last):
        start = block * width
        count = min(width, X.shape[1] - start)
        for k in range(mapped.size):
            d[mapped[k], :count] = X[k, start : start + count]
        forward(code, index, address(d), width)
        for k in range(outputs.size):
            results[k, start : start + count] = d[outputs[k], :count]
        if z >= 0:
            grad[:inputs] = 0.0
            grad[z, :count] = 1.0
            grad[z, count:] = 0.0
            backward(back_code, index, address(d), address(grad), width)
            for k in range(mapped.size):
                slopes[k, start : start + count] = grad[mapped[k], :count]
            for k in range(same.size):
                gs = grad[same[k]]
                sum = 0.0
                for i in range(count):
                    sum += gs[i]
                totals[block, k] = sum
"""
NUMPYS = {"cbrt"}  # functions that Numba has of NumPy and not of math


@cache
def _functions() -> dict[str, str]:
    """Return the rows' own float functions as source, but for SciPy's; each is compiled when it is used."""
    found = {}
    for name, op in source_module("ops").OPS.items():
        function = op.function
        if inspect.isbuiltin(function):
            home = "math" if function.__name__ not in NUMPYS else "np"
            found[name] = f"f_{name} = {home}.{function.__name__}"
        elif "_scipy_special" not in (text := inspect.getsource(function)):
            found[name] = f"@njit(error_model='numpy')\n{text}\nf_{name} = {function.__name__}"
    return found


@cache
def beyond() -> frozenset[str]:
    """Return the rows that the loops cannot have: they call what is not there, or have too many operands."""

    def calls(op: Op) -> set[str]:
        return set(re.findall(r"\bf_(\w+)\(", "\n".join([*_forward_row(op), *_backward_row(op)])))

    return frozenset(name for name, op in OPS.items() if op.arity > len(PLACES) or not calls(op) <= _functions().keys())


def module(ops: tuple[Op, ...], *, lanes: bool, cached: bool) -> str:
    """Return the source of the loops that know some rows, for single numbers or for lanes."""
    loops = (
        [(FORWARD_LANES, _forward_lanes), (BACKWARD_LANES, _backward_lanes)]
        if lanes
        else [(FORWARD, _forward_row), (BACKWARD, _backward_row)]
    )
    parts = [HEAD, *_functions().values(), PRODUCTS.strip()]
    for text, row in loops:
        lines = [text.rstrip()]
        for i, op in enumerate(ops, FIRST_ROW):
            lines += [f"        elif kind == {i}:  # {op.name}", *_indented(row(op), 3)]
        parts.append("\n".join(lines))
        if text in (BACKWARD, BACKWARD_LANES):  # what has been handed on
            size = "" if text is BACKWARD else " * width"
            parts.append(f"        clear(grad, start{size}, rows * columns{size})")
    parts.append(BLOCKS if lanes else RUN)
    whole = "\n".join(parts) + "\n"
    for name, part in {"EACH": EACH, "FACTORS": FACTORS}.items():
        whole = whole.replace(f"            {name}\n", part)
    return whole.replace("CACHE", str(cached))
