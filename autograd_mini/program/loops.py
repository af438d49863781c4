"""The loops, written out: Python source for Numba of what does one kind of instruction, from the rows of the table.

This room owns that text: `forward` and `backward` of each kind, and the driver that calls one after the other.
An instruction is a line of integers: which kernel does it, where its results start, its rows, columns and terms,
and for each operand the address, the steps and whether its derivative is wanted. Where results stand side by
side a vector of them is computed at once (`vectors`). In the lanes' kernels every number is a row of numbers,
one for each example of a batch. Derivatives of results are cleared as they are handed on: between runs all are
-0.0 but those of inputs and constants. It must not know how instructions were found, nor import Numba.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from ..ops import OPS, Level, Op, Traced
from ..uncompiled import source_module

__all__ = [
    "FIELDS",
    "FRAME",
    "LINE",
    "PLACES",
    "VECTORS",
    "driver",
    "in_table",
    "is_arithmetic",
    "is_beyond",
    "kernel",
    "name_of",
    "written",
]

FIELDS = 5  # of an access: where it is, its steps, and whether its derivative is wanted
PLACES = ("x", "y", "w")  # what the loops call the operands of a row
LINE = 5 + FIELDS * len(PLACES)  # of an instruction: kernel, start of the results, rows, columns, terms, accesses
# What `run` is told: addresses of arrays, and numbers. Those from COLUMNS on are of a batch.
FRAME = (
    "KERNELS FORTH LINES_FORTH BACK LINES_BACK INDEX NUMBERS SLOPES ROOM FIRST END "
    "COLUMNS SIZE MAPPED COUNT_MAPPED SAME COUNT_SAME OUTPUTS COUNT_OUTPUTS RESULTS DERIVATIVES TOTALS"
).split()
# The functions that `vectors` has.
VECTORS = frozenset(
    "abs equal exp greater greater_equal hypot identity leaky_relu log maximum minimum pow relu sigmoid silu softplus "
    "sqrt tanh where".split()
)


def _number(x: Any) -> str:
    """Write a number for a compiler."""
    text = repr(float(x))
    return {"inf": "INF", "-inf": "-INF", "nan": "NAN"}.get(text, text)


class _Source(Traced):
    """A recorder that writes a rule as a line of Python for a compiler."""

    __slots__ = ("text",)
    first_order = True

    def __init__(self, text: str) -> None:
        self.text = text

    def record(self, op: Op, operands: tuple[Any, ...]) -> _Source:
        parts = [x.text if isinstance(x, _Source) else _number(x) for x in operands]
        return type(self)(self.applied(op, parts))

    @staticmethod
    def applied(op: Op, parts: list[str]) -> str:
        """Write a row applied to operands: as its own text says where that is Python's arithmetic, else as a call."""
        if not is_arithmetic(op):
            return f"{name_of(op)}({', '.join(parts)})"
        return f"({op.text.filled(dict(zip(op.operands, parts, strict=True)))})"


class _Lanes(_Source):
    """A recorder that writes a rule for vectors; it is empty where these do not have a function."""

    __slots__ = ()

    @staticmethod
    def applied(op: Op, parts: list[str]) -> str:
        """Write a row applied to vectors."""
        if not all(parts) or not in_table(op):
            return ""
        if op.name in VECTORS:
            return f"v_{op.name}({', '.join(parts)})"
        return _Source.applied(op, parts) if is_arithmetic(op) else ""


def written(op: Op, parts: list[str]) -> str:
    """Write a row applied to operands."""
    return _Source.applied(op, parts)


def in_table(op: Op) -> bool:
    """Say whether a row is the table's, not one's own that may have the name of another."""
    return OPS.get(op.name) is op.row


def is_arithmetic(op: Op) -> bool:
    """Say whether the row's own text is Python's arithmetic."""
    return in_table(op) and op.infix and op.text.level > Level.COMPARISON


def name_of(op: Op) -> str:
    """Return the name of a row's function in the loops; rows of one's own may have the same name."""
    return f"f_{op.name}" if in_table(op) else f"own_{id(op):x}"


def _indented(lines: Iterable[str], depth: int) -> list[str]:
    return ["    " * depth + line for line in lines]


# A row's lines. Of operand x, `a` is where it is and `a2` the step to the next result's, `na` says whether its
# derivative is wanted; b and e are so for y and w.


SOME = ("some", "load", "store", "taken_some", "give_some")  # how a vector of results is computed
PART = ("some_part", "read_part", "write_part", "taken_part", "give_part")  # and one of fewer
NUMBER = ("pick", "get", "put", "taken", "give")  # and one result


def _forward_row(op: Op) -> list[str]:
    def lines(how: tuple[str, ...], value: str, part: str = "") -> list[str]:
        pick, _, put, *_ = how
        return [*_reads(op, pick, part), f"{put}(d, out + c, {value}{part})"]

    return _each(op, lines, _value(op), _value(op, _Lanes))


def _backward_row(op: Op) -> list[str]:
    def lines(how: tuple[str, ...], rules: list[str], part: str = "") -> list[str]:
        pick, get, _, taken, give = how
        results = f"z, g = {get}(d, out + c{part}), {taken}(grad, out + c{part})"
        return [*_reads(op, pick, part), results, *_gifts(op, give, rules, f"{{p}}, c, {{p}}2, g * {{rule}}{part}")]

    many = _rules(op, _Lanes)
    return _each(op, lines, _rules(op), many if all(many) else None)


def _each(op: Op, lines: Callable[..., list[str]], one: Any, many: Any) -> list[str]:
    """Do something for each result; where vectors have the function for as many as they have, and for what is left.

    One to three results come first, each by itself: what a compiler prepares for vectors takes longer than they do.
    """
    names = [p for _, p in _operands(op)]
    starts = f"{', '.join(names)}, c = {', '.join(f'{p}0 + r * {p}1' for p in names)}, 0"
    each = ["while c < columns:", *_indented([*lines(NUMBER, one), "c += 1"], 1)]
    few, steps = [], each
    if many:
        few = ["if rows == 1 and columns < 4:", *_indented(["r = 0", starts, *each, "return"], 1)]
        steps = ["while c + WIDTH <= columns:", *_indented([*lines(SOME, many), "c += WIDTH"], 1)]
        steps += ["if c < columns:", *_indented(lines(PART, many, ", columns - c"), 1)]
    rows = ["for r in range(rows):", *_indented([starts, *steps, "out += columns"], 1)]
    return [f"READ {''.join(names)}", *_indented([*few, *rows], 1)]


def _reads(op: Op, read: str, part: str = "") -> list[str]:
    return [f"{name} = {read}(d, {p}, c, {p}2{part})" for name, p in _operands(op)]


def _gifts(op: Op, give: str, rules: list[str], what: str) -> list[str]:
    """Add what each operand gets of a result's derivative."""
    found = []
    for (_, p), rule in zip(_operands(op), rules, strict=True):
        found += [f"if n{p}:", f"    {give}(grad, {what.format(p=p, rule=rule)})"]
    return found


def _forward_lanes(op: Op) -> list[str]:
    many = _value(op, _Lanes)
    read, write = ("load", "store") if many else ("get", "put")
    reads = [f"{name} = {read}(d, {p} + i)" for name, p in _operands(op)]
    return _lanes(op, many, [*reads, f"{write}(d, p + i, {many or _value(op)})"])


def _backward_lanes(op: Op) -> list[str]:
    many = _rules(op, _Lanes)
    read, taken, give, rules = (
        ("load", "taken_some", "give_some", many) if all(many) else ("get", "taken", "give", _rules(op))
    )
    reads = [f"{name} = {read}(d, {p} + i)" for name, p in [*_operands(op), ("z", "p")]]
    gifts = _gifts(op, give, rules, "{p}, i, 1, g * {rule}")
    return _lanes(op, all(many), [*reads, f"g = {taken}(grad, p + i)", *gifts])


def _lanes(op: Op, many: Any, lines: list[str]) -> list[str]:
    names = [p for _, p in _operands(op)]
    lanes = f"{', '.join(names)}, p = {', '.join(f'{p} * width' for p in (*names, 'out'))}"
    steps = "for i in range(0, width, WIDTH):" if many else "for i in range(width):"
    return [f"EACH {''.join(names)}", *_indented([lanes, steps, *_indented(lines, 1), "out += 1"], 3)]


def _operands(op: Op) -> list[tuple[str, str]]:
    """Return the names of each operand's number and of its address."""
    return list(zip(PLACES, "abe"[: op.arity], strict=False))


def _value(op: Op, source: type[_Source] = _Source) -> str:
    """Write a row of x, y and w."""
    return source.applied(op, list(PLACES[: op.arity]))


def _rules(op: Op, source: type[_Source] = _Source) -> list[str]:
    """Write the partial derivatives as expressions in x, y, w and z."""
    slopes = (rule(*map(source, PLACES[: op.arity]), source("z")) for rule in op.rules)
    return [slope.text if isinstance(slope, _Source) else _number(slope) for slope in slopes]


HEAD = """\
import math
from math import inf as INF, nan as NAN

import numpy as np
from autograd_mini.program.vectors import *

"""
FACTORS = """\
    if a2 == 0 and b1 == 0:  # a product may be turned
        a0, a1, a2, a3, na, b0, b1, b2, b3, nb = b0, b1, b2, b3, nb, a0, a1, a2, a3, na
    once, times = (1, rows) if a1 == 0 else (rows, 1)  # all rows have the same matrix, or each its own
    along = a3 == 1 and b3 == 1  # a3 is passed for 1 then: for a constant Numba would compile another function
    packs = b2 == 0 and a1 == 0 and rows > 3 and columns > 3 and (n < WIDTH or not along)
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
    return "\n".join(["", "", "@internal", f"def combine{rows}{vectors}({names}):", *_indented(lines, 1), ""])


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
        f"{' = '.join(name for *_, name in z)} = spread(-0.0)",
        "j = 0",
        "while j + WIDTH <= n:",
        *_indented([*steps("load({}, {})"), "j += WIDTH"], 1),
        "if j < n:",
        *_indented(steps("load_part({}, {}, n - j)"), 1),
        *(
            f"give_totals(T, t + {p} * tp, tq, {', '.join(f'z{p}{q}' for q in range(4))})"
            if columns == 4
            else f"give(T, t, {p}, tp, total(z{p}0))"
            for p in range(rows)
        ),
    ]
    names = "T, t, tp, tq, X, x, xp, Y, y, yq, n"
    return "\n".join(["", "", "@internal", f"def meet{rows}{columns}({names}):", *_indented(lines, 1), ""])


CLEAR = """

@internal
def clear(grad, i, count):
    k = 0
    while k + WIDTH <= count:
        store(grad, i + k, spread(-0.0))
        k += WIDTH
    while k < count:
        put(grad, i + k, -0.0)
        k += 1

"""
PRODUCTS = (
    CLEAR
    + """

@internal
def inner(d, a, sa, b, sb, n):
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


@internal
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
            give(T, t, j, tj, g * get(M, m + j * mj))
"""
    + "".join(_tile(p, v) for p in (4, 1) for v in (2, 1))
    + """

@internal
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

@internal
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


@internal
def pack(d, a, step, along, n, columns, to):
    for c in range(columns):
        for j in range(n):
            put(d, to + j * columns + c, get(d, a + c * step + j * along))


@internal
def unpack(grad, a, step, along, n, columns, to):
    for c in range(columns):
        for j in range(n):
            give(grad, a + c * step, j, along, get(grad, to + j * columns + c))
            put(grad, to + j * columns + c, -0.0)


@internal
def step(d, grad, a, a3, na, b, b3, nb, out, columns, n):
    for j in range(n):
        x, z, p = spread(get(d, b + j * b3)), spread(-0.0), a + j * a3
        for c in range(0, columns, WIDTH):
            count = min(WIDTH, columns - c)
            g = load_most(grad, out + c, count)
            if nb:
                z = z + g * load_most(d, p + c, count)
            if na:
                store_most(grad, p + c, load_most(grad, p + c, count) + x * g, count)
        if nb:
            give(grad, b, j, b3, total(z))
"""
)
FORWARD = {
    "gather": """
    a0 = word(code, k + 5)
    for c in range(columns):
        put(d, out + c, get(d, word(index, a0 + c)))
""",
    "dot": """
    READ e
    for r in range(rows):
        for c in range(columns):
            put(d, out + r * columns + c, get(d, e0 + r * e1 + c * e2) if e3 else -0.0)
    FACTORS
    if packs or (b2 == 0 and (a2 == 1 or along)):
        a, step_a = a0, a3
        if packs:
            pack(d, a0, a2, a3, n, columns, room)
            a, step_a = room, columns
        for r in range(once):
            if packs or a2 == 1:
                combine(d, out, columns, d, b0 + r * b1, b1, b3, d, a + r * a1, step_a, times, n, columns)
            else:
                meet(d, out, columns, a3, d, b0 + r * b1, b1, d, a0 + r * a1, a2, times, columns, n)
            out += columns
    else:
        for r in range(rows):
            a, b, c = a0 + r * a1, b0 + r * b1, 0
            while n < 16 and c + WIDTH <= columns:
                z = load(d, out)
                for j in range(n):
                    z = z + some(d, a + j * a3, c, a2) * some(d, b + j * b3, c, b2)
                store(d, out, z)
                out += WIDTH
                c += WIDTH
            while c < columns:
                give(d, out, 0, 0, inner(d, a + c * a2, a3, b + c * b2, b3, n))
                out += 1
                c += 1
""",
    "sum": """
    EACH a
            j = 0
            sum = -0.0  # to which anything can be added, a -0.0 too
            if a3 == 1 and n >= WIDTH:
                z = spread(-0.0)
                while j + WIDTH <= n:
                    z = z + load(d, a + j)
                    j += WIDTH
                sum = total(z)
            while j < n:
                sum += pick(d, a, j, a3)
                j += 1
            put(d, out, sum)
            out += 1
""",
    "take": """
    EACH ab
            at = get(d, b)
            put(d, out, pick(d, a, int(at), a3) if 0.0 <= at < n and at == math.floor(at) else NAN)
            out += 1
""",
}
BACKWARD = {
    "gather": """
    a0 = word(code, k + 5)
    for c in range(columns):
        give(grad, word(index, a0 + c), 0, 0, taken(grad, out + c))
""",
    "dot": """
    READ e
    if e3 and ne:
        for r in range(rows):
            for c in range(columns):
                give(grad, e0 + r * e1, c, e2, get(grad, out + r * columns + c))
    FACTORS
    if packs:
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
                    combine(grad, a, a2, grad, out, a3, columns, d, b, b1, columns, times, n)
                if nb:
                    combine(grad, b, b1, grad, out, columns, a3, d, a, a2, times, columns, n)
            out += columns
    else:
        for r in range(rows):
            a, b, c = a0 + r * a1, b0 + r * b1, 0
            while n < 16 and c + WIDTH <= columns:
                z = load(grad, out)
                for j in range(n):
                    if na:
                        give_some(grad, a + j * a3, c, a2, z * some(d, b + j * b3, c, b2))
                    if nb:
                        give_some(grad, b + j * b3, c, b2, z * some(d, a + j * a3, c, a2))
                out += WIDTH
                c += WIDTH
            while c < columns:
                if na:
                    scale(grad, a + c * a2, a3, get(grad, out), d, b + c * b2, b3, n)
                if nb:
                    scale(grad, b + c * b2, b3, get(grad, out), d, a + c * a2, a3, n)
                out += 1
                c += 1
    clear(grad, word(code, k + 1), rows * columns)
""",
    "sum": """
    EACH a
            g, j = taken(grad, out), 0
            while na and a3 == 1 and j + WIDTH <= n:
                give_some(grad, a, j, 1, spread(g))
                j += WIDTH
            while na and j < n:
                give(grad, a, j, a3, g)
                j += 1
            out += 1
""",
    "take": """
    EACH ab
            at, g = get(d, b), taken(grad, out)
            if na and 0.0 <= at < n and at == math.floor(at):
                give(grad, a, int(at), a3, g)
            out += 1
""",
}
RUN = """
def run(frame):  # one argument, for each of them takes time
    place = address(frame)
    kernels, index = words_at(word(place, KERNELS)), words_at(word(place, INDEX))
    d, grad = numbers_at(word(place, NUMBERS)), numbers_at(word(place, SLOPES))
    room, first, z = word(place, ROOM), word(place, FIRST), word(place, END)
    code = words_at(word(place, FORTH))
    for k in range(0, LINE * word(place, LINES_FORTH), LINE):
        call(word(kernels, 2 * word(code, k)), code, k, index, d, grad, room)
    if z >= 0:
        clear(grad, 0, first)
        put(grad, z, 1.0)
        code = words_at(word(place, BACK))
        for k in range(LINE * (word(place, LINES_BACK) - 1), -1, -LINE):
            call(word(kernels, 2 * word(code, k) + 1), code, k, index, d, grad, room)
"""
FORWARD_LANES = {
    "gather": """
    a0 = word(code, k + 5)
    for c in range(columns):
        a = word(index, a0 + c) * width
        for i in range(0, width, WIDTH):
            store(d, (out + c) * width + i, load(d, a + i))
""",
    "dot": """
    EACH abe
            for i in range(0, width, WIDTH):
                z = load(d, e * width + i) if e3 else spread(-0.0)
                for j in range(n):
                    z = z + load(d, (a + j * a3) * width + i) * load(d, (b + j * b3) * width + i)
                store(d, out * width + i, z)
            out += 1
""",
    "sum": """
    EACH a
            for i in range(0, width, WIDTH):
                z = load(d, a * width + i)
                for j in range(1, n):
                    z = z + load(d, (a + j * a3) * width + i)
                store(d, out * width + i, z)
            out += 1
""",
    "take": """
    EACH ab
            for i in range(width):
                at = get(d, b * width + i)
                inside = 0.0 <= at < n and at == math.floor(at)
                put(d, out * width + i, get(d, (a + int(at) * a3) * width + i) if inside else NAN)
            out += 1
""",
}
BACKWARD_LANES = {
    "gather": """
    a0 = word(code, k + 5)
    for c in range(columns):
        a = word(index, a0 + c) * width
        for i in range(0, width, WIDTH):
            give_some(grad, a, i, 1, taken_some(grad, (out + c) * width + i))
""",
    "dot": """
    EACH abe
            for i in range(0, width, WIDTH):
                z = taken_some(grad, out * width + i)
                if e3 and ne:
                    give_some(grad, e * width, i, 1, z)
                for j in range(n):
                    x, y = (a + j * a3) * width, (b + j * b3) * width
                    if na:
                        give_some(grad, x, i, 1, z * load(d, y + i))
                    if nb:
                        give_some(grad, y, i, 1, z * load(d, x + i))
            out += 1
""",
    "sum": """
    EACH a
            for i in range(0, width, WIDTH):
                z = taken_some(grad, out * width + i)
                for j in range(n if na else 0):
                    give_some(grad, (a + j * a3) * width, i, 1, z)
            out += 1
""",
    "take": """
    EACH ab
            for i in range(width):
                at, g = get(d, b * width + i), taken(grad, out * width + i)
                if na and 0.0 <= at < n and at == math.floor(at):
                    give(grad, (a + int(at) * a3) * width, i, 1, g)
            out += 1
""",
}
BLOCKS = """
def run(first, last, frame):
    place = address(frame)
    kernels, index = words_at(word(place, KERNELS)), words_at(word(place, INDEX))
    d, grad = numbers_at(word(place, NUMBERS)), numbers_at(word(place, SLOPES))
    width, inputs, z = word(place, ROOM), word(place, FIRST), word(place, END)
    columns, size = words_at(word(place, COLUMNS)), word(place, SIZE)
    mapped, outputs, same = words_at(word(place, MAPPED)), words_at(word(place, OUTPUTS)), words_at(word(place, SAME))
    results, slopes = numbers_at(word(place, RESULTS)), numbers_at(word(place, DERIVATIVES))
    totals, sames = numbers_at(word(place, TOTALS)), word(place, COUNT_SAME)
    for block in range(first, last):
        start = block * width
        count = min(width, size - start)
        for k in range(word(place, COUNT_MAPPED)):
            column, step, at = numbers_at(word(columns, 2 * k)), word(columns, 2 * k + 1), word(mapped, k) * width
            for i in range(count):
                put(d, at + i, get(column, (start + i) * step))
        code = words_at(word(place, FORTH))
        for k in range(0, LINE * word(place, LINES_FORTH), LINE):
            call(word(kernels, 2 * word(code, k)), code, k, index, d, grad, width)
        for k in range(word(place, COUNT_OUTPUTS)):
            for i in range(count):
                put(results, k * size + start + i, get(d, word(outputs, k) * width + i))
        if z < 0:
            continue
        clear(grad, 0, inputs * width)
        for i in range(width):
            put(grad, z * width + i, 1.0 if i < count else 0.0)
        code = words_at(word(place, BACK))
        for k in range(LINE * (word(place, LINES_BACK) - 1), -1, -LINE):
            call(word(kernels, 2 * word(code, k) + 1), code, k, index, d, grad, width)
        for k in range(word(place, COUNT_MAPPED)):
            for i in range(count):
                put(slopes, k * size + start + i, get(grad, word(mapped, k) * width + i))
        for k in range(sames):
            sum = -0.0
            for i in range(count):
                sum += get(grad, word(same, k) * width + i)
            put(totals, block * sames + k, sum)
"""
NUMPYS = {"cbrt"}  # functions that Numba has of NumPy and not of math


@cache
def _function_of(name: str) -> str:
    """Return a row's own function of floats as source; nothing for SciPy's."""
    function = OPS[name].function
    if inspect.isbuiltin(function):
        home = "math" if function.__name__ not in NUMPYS else "np"
        return f"f_{name} = {home}.{function.__name__}"
    function = source_module("ops").OPS[name].function
    text = inspect.getsource(function)
    return "" if "_scipy_special" in text else f"\n@internal\n{text}\nf_{name} = {function.__name__}\n"


@cache
def is_beyond(op: Op) -> bool:
    """Say whether the loops cannot have a row: it calls what is not there, or has too many operands."""
    if op.arity > len(PLACES):
        return True
    called = set(re.findall(r"\bf_(\w+)\(", "\n".join([*_forward_row(op), *_backward_row(op)])))
    return not all(name in OPS and _function_of(name) for name in called)


def kernel(what: Op | str, *, lanes: bool) -> str:
    """Return the source of what does one kind of instruction, `forward` and `backward`: a row, or what is named."""
    texts = [PRODUCTS] if what == "dot" and not lanes else []
    for way, parts, row in (
        (("forward", FORWARD_LANES, _forward_lanes), ("backward", BACKWARD_LANES, _backward_lanes))
        if lanes
        else (("forward", FORWARD, _forward_row), ("backward", BACKWARD, _backward_row))
    ):
        part = parts[what] if isinstance(what, str) else "\n".join(row(what))
        texts.append(_function(way, part, "width" if lanes else "room"))
    called: list[str] = []
    names, seen = _called("".join(texts)), set[str]()
    while names:
        seen |= names
        called = [*(_function_of(name) for name in sorted(names & OPS.keys())), *called]
        names = _called("".join(called)) - seen
    return "\n".join([HEAD, *dict.fromkeys(called), *texts])


def _called(text: str) -> set[str]:
    """Return the rows whose functions are called in a text, as `f_exp` or by one another as `_exp`."""
    return set(re.findall(r"\bf?_(\w+)\(", text))


def driver(*, lanes: bool) -> str:
    """Return the source of what runs instructions one after the other, `run`."""
    numbers = {"LINE": LINE} | {name: k for k, name in enumerate(FRAME)}
    return HEAD + re.sub(
        r"[A-Z_]+", lambda name: str(numbers.get(name[0], name[0])), CLEAR + (BLOCKS if lanes else RUN)
    )


def _function(name: str, part: str, size: str) -> str:
    """Write the function that does one kind of instruction."""
    lines = [f"def {name}(code, k, index, d, grad, {size}):", f"    out, rows, columns, n = {_words(1, 4)}"]
    for line in part.strip("\n").splitlines():
        what, _, places = line.strip().partition(" ")
        if what == "FACTORS":
            lines += [*_read("ab"), *FACTORS.splitlines()]
        elif what == "READ":
            lines += _read(places)
        elif what == "EACH":
            found = ", ".join(f"{p}0 + r * {p}1 + c * {p}2" for p in places)
            walk = ["for r in range(rows):", "    for c in range(columns):", f"        {', '.join(places)} = {found}"]
            lines += [*_read(places), *_indented(walk, 1)]
        else:
            lines.append(line)
    return "\n".join(["", *lines, ""])


def _read(places: str) -> list[str]:
    """Write the reading of operands' fields."""
    fields = [f"{p}0, {p}1, {p}2, {p}3, n{p} = {_words(5 + FIELDS * 'abe'.index(p), FIELDS)}" for p in places]
    return _indented(fields, 1)


def _words(at: int, count: int) -> str:
    return ", ".join(f"word(code, k + {i})" for i in range(at, at + count))
