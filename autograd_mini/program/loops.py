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

FIELDS = 4  # of an access
PLACES = ("x", "y", "w")  # what the loops call the operands of a row
KINDS = {"gather": 0, "dot": 1, "sum": 2, "started dot": 3, "take": 4}
FIRST_ROW = len(KINDS)


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


def _forward_row(op: Op) -> list[str]:
    reads = [f"{name} = d[{p} + c * s{p}]" for name, p in _operands(op)]
    return _each(op, [*reads, f"d[out + c] = {_value(op)}"])


def _backward_row(op: Op) -> list[str]:
    reads = [f"{name} = d[{p} + c * s{p}]" for name, p in _operands(op)]
    adds = [f"grad[{p} + c * s{p}] += g * {_rule(op, i)}" for i, (_, p) in enumerate(_operands(op))]
    return _each(op, [*reads, "z = d[out + c]; g = grad[out + c]", *adds])


def _forward_lanes(op: Op) -> list[str]:
    views = [f"d{p} = d[{p} + c * s{p}]" for _, p in _operands(op)]
    reads = [f"{name} = d{p}[i]" for name, p in _operands(op)]
    lanes = ["for i in range(width):", *_indented([*reads, f"zs[i] = {_value(op)}"], 1)]
    return _each(op, ["; ".join([*views, "zs = d[out + c]"]), *lanes])


def _backward_lanes(op: Op) -> list[str]:
    views = [f"d{p} = d[{p} + c * s{p}]; g{p} = grad[{p} + c * s{p}]" for _, p in _operands(op)]
    reads = [f"{name} = d{p}[i]" for name, p in _operands(op)]
    adds = [f"g{p}[i] += g * {_rule(op, k)}" for k, (_, p) in enumerate(_operands(op))]
    lanes = ["for i in range(width):", *_indented([*reads, "z = zs[i]; g = gs[i]", *adds], 1)]
    return _each(op, ["; ".join([*views, "zs = d[out + c]; gs = grad[out + c]"]), *lanes])


def _operands(op: Op) -> list[tuple[str, str]]:
    """Return the names of each operand's number and of its address."""
    return list(zip(PLACES, "abe"[: op.arity], strict=False))


def _value(op: Op) -> str:
    return applied(op, list(PLACES[: op.arity]))


def _each(op: Op, lines: list[str]) -> list[str]:
    """Do something for every result of a row, of which the loops know the operands' addresses."""
    places = [
        f"{p} = code[k, {5 + FIELDS * i}] + r * code[k, {6 + FIELDS * i}]; s{p} = code[k, {7 + FIELDS * i}]"
        for i, (_, p) in enumerate(_operands(op))
    ]
    return [
        "for r in range(rows):",
        *_indented([*places, "for c in range(columns):"], 1),
        *_indented(lines, 2),
        "    out += columns",
    ]


HEAD = """\
import math
from math import inf as INF, nan as NAN

import numpy as np
from numba import njit
"""
EACH = """\
            for r in range(rows):
                for c in range(columns):
                    a = code[k, 5] + r * code[k, 6] + c * code[k, 7]
"""
FORWARD = """
@njit(error_model="numpy", fastmath={"reassoc"})
def inner(d, a, sa, b, sb, n):
    total = 0.0
    if sa == 1 and sb == 1:  # slices: indices from 0 on need no test for being negative, and become SIMD
        x = d[a : a + n]
        y = d[b : b + n]
        for j in range(n):
            total += x[j] * y[j]
    else:
        for j in range(n):
            total += d[a + j * sa] * d[b + j * sb]
    return total


@njit(error_model="numpy", fastmath={"reassoc"})
def inner4(d, a, step, b, n, out):
    a1, a2, a3 = a + step, a + 2 * step, a + 3 * step
    x0, x1, x2, x3 = d[a : a + n], d[a1 : a1 + n], d[a2 : a2 + n], d[a3 : a3 + n]
    y = d[b : b + n]
    t0 = t1 = t2 = t3 = 0.0
    for j in range(n):
        t0 += x0[j] * y[j]
        t1 += x1[j] * y[j]
        t2 += x2[j] * y[j]
        t3 += x3[j] * y[j]
    d[out], d[out + 1], d[out + 2], d[out + 3] = t0, t1, t2, t3


@njit
def packed(d, a, step, along, n, columns):
    wt = np.empty((n, columns))
    for c in range(columns):
        for j in range(n):
            wt[j, c] = d[a + c * step + j * along]
    return wt


@njit(error_model="numpy", fastmath={"reassoc"})
def product(d, out, wt, b, outer, along, rows):
    n, columns = wt.shape
    for r in range(rows):
        z = d[out : out + columns]
        at = b + r * outer
        j = 0
        while j + 4 <= n:
            x0, x1, x2, x3 = d[at], d[at + along], d[at + 2 * along], d[at + 3 * along]
            w0, w1, w2, w3 = wt[j], wt[j + 1], wt[j + 2], wt[j + 3]
            for c in range(columns):
                z[c] += x0 * w0[c] + x1 * w1[c] + x2 * w2[c] + x3 * w3[c]
            at += 4 * along
            j += 4
        while j < n:
            x0, w0 = d[at], wt[j]
            for c in range(columns):
                z[c] += x0 * w0[c]
            at += along
            j += 1
        out += columns


@njit(error_model="numpy", cache=CACHE, nogil=True)
def forward(code, index, d):
    for k in range(code.shape[0]):
        kind, out, rows, columns, n = code[k, 0], code[k, 1], code[k, 2], code[k, 3], code[k, 4]
        if kind == 0:  # gather
            a = code[k, 5]
            for c in range(columns):
                d[out + c] = d[index[a + c]]
        elif kind == 1 or kind == 3:  # dot; 3: one that begins with a number
            a0, a1, a2, a3 = code[k, 5], code[k, 6], code[k, 7], code[k, 8]
            b0, b1, b2, b3 = code[k, 9], code[k, 10], code[k, 11], code[k, 12]
            if a2 == 0 and b1 == 0:
                a0, a1, a2, a3, b0, b1, b2, b3 = b0, b1, b2, b3, a0, a1, a2, a3
            if a1 == 0 and b2 == 0 and rows > 15 and columns > 3:  # a matrix times a matrix
                for r in range(rows):
                    for c in range(columns):
                        start = d[code[k, 13] + r * code[k, 14] + c * code[k, 15]] if kind == 3 else 0.0
                        d[out + r * columns + c] = start
                product(d, out, packed(d, a0, a2, a3, n, columns), b0, b1, b3, rows)
                continue
            four = a3 == 1 and b3 == 1 and b2 == 0
            for r in range(rows):
                a = a0 + r * a1
                b = b0 + r * b1
                c = 0
                while four and c + 4 <= columns:
                    inner4(d, a + c * a2, a2, b, n, out + c)
                    c += 4
                while c < columns:
                    d[out + c] = inner(d, a + c * a2, a3, b + c * b2, b3, n)
                    c += 1
                if kind == 3:
                    for c in range(columns):
                        d[out + c] = d[code[k, 13] + r * code[k, 14] + c * code[k, 15]] + d[out + c]
                out += columns
        elif kind == 2:  # sum
            a3 = code[k, 8]
            EACH
                    total = d[a]
                    for j in range(1, n):
                        total += d[a + j * a3]
                    d[out] = total
                    out += 1
        elif kind == 4:  # take
            EACH
                    at = d[code[k, 9] + r * code[k, 10] + c * code[k, 11]]
                    d[out] = d[a + int(at) * code[k, 8]] if 0.0 <= at < n and at == math.floor(at) else NAN
                    out += 1
"""
BACKWARD = """
@njit(error_model="numpy")
def spread(grad, a, sa, d, b, sb, g, n):
    if sa == 1 and sb == 1:
        x = grad[a : a + n]
        y = d[b : b + n]
        for j in range(n):
            x[j] += g * y[j]
    else:
        for j in range(n):
            grad[a + j * sa] += g * d[b + j * sb]


@njit(error_model="numpy", fastmath={"reassoc"})
def spread4(grad, a, step, d, b, n, out):
    g0, g1, g2, g3 = grad[out], grad[out + 1], grad[out + 2], grad[out + 3]
    a1, a2, a3 = a + step, a + 2 * step, a + 3 * step
    y, dy = d[b : b + n], grad[b : b + n]
    x0, x1, x2, x3 = d[a : a + n], d[a1 : a1 + n], d[a2 : a2 + n], d[a3 : a3 + n]
    for j in range(n):
        dy[j] += g0 * x0[j] + g1 * x1[j] + g2 * x2[j] + g3 * x3[j]
    d0, d1, d2, d3 = grad[a : a + n], grad[a1 : a1 + n], grad[a2 : a2 + n], grad[a3 : a3 + n]
    for j in range(n):
        d0[j] += g0 * y[j]
    for j in range(n):
        d1[j] += g1 * y[j]
    for j in range(n):
        d2[j] += g2 * y[j]
    for j in range(n):
        d3[j] += g3 * y[j]


@njit(error_model="numpy", fastmath={"reassoc"})
def spread_product(d, grad, out, wt, b, outer, along, rows):
    n, columns = wt.shape
    dwt = np.zeros((n, columns))
    for r in range(rows):
        g = grad[out : out + columns]
        at = b + r * outer
        j = 0
        while j + 4 <= n:
            x0, x1, x2, x3 = d[at], d[at + along], d[at + 2 * along], d[at + 3 * along]
            w0, w1, w2, w3 = wt[j], wt[j + 1], wt[j + 2], wt[j + 3]
            d0, d1, d2, d3 = dwt[j], dwt[j + 1], dwt[j + 2], dwt[j + 3]
            t0 = t1 = t2 = t3 = 0.0
            for c in range(columns):
                t0 += g[c] * w0[c]
                t1 += g[c] * w1[c]
                t2 += g[c] * w2[c]
                t3 += g[c] * w3[c]
            for c in range(columns):
                d0[c] += x0 * g[c]
                d1[c] += x1 * g[c]
                d2[c] += x2 * g[c]
                d3[c] += x3 * g[c]
            grad[at] += t0
            grad[at + along] += t1
            grad[at + 2 * along] += t2
            grad[at + 3 * along] += t3
            at += 4 * along
            j += 4
        while j < n:
            x0, w0, d0 = d[at], wt[j], dwt[j]
            t0 = 0.0
            for c in range(columns):
                t0 += g[c] * w0[c]
                d0[c] += x0 * g[c]
            grad[at] += t0
            at += along
            j += 1
        out += columns
    return dwt


@njit(error_model="numpy", cache=CACHE, nogil=True)
def backward(code, index, d, grad):
    for k in range(code.shape[0] - 1, -1, -1):
        kind, out, rows, columns, n = code[k, 0], code[k, 1], code[k, 2], code[k, 3], code[k, 4]
        start = out
        if kind == 0:
            a = code[k, 5]
            for c in range(columns):
                grad[index[a + c]] += grad[out + c]
        elif kind == 1 or kind == 3:
            a0, a1, a2, a3 = code[k, 5], code[k, 6], code[k, 7], code[k, 8]
            b0, b1, b2, b3 = code[k, 9], code[k, 10], code[k, 11], code[k, 12]
            if kind == 3:
                for r in range(rows):
                    for c in range(columns):
                        grad[code[k, 13] + r * code[k, 14] + c * code[k, 15]] += grad[out + r * columns + c]
            if a2 == 0 and b1 == 0:
                a0, a1, a2, a3, b0, b1, b2, b3 = b0, b1, b2, b3, a0, a1, a2, a3
            if a1 == 0 and b2 == 0 and rows > 15 and columns > 3:
                dwt = spread_product(d, grad, out, packed(d, a0, a2, a3, n, columns), b0, b1, b3, rows)
                for c in range(columns):
                    for j in range(n):
                        grad[a0 + c * a2 + j * a3] += dwt[j, c]
                grad[start : start + rows * columns] = 0.0
                continue
            four = a3 == 1 and b3 == 1 and b2 == 0
            for r in range(rows):
                a = a0 + r * a1
                b = b0 + r * b1
                c = 0
                while four and c + 4 <= columns:
                    spread4(grad, a + c * a2, a2, d, b, n, out + c)
                    c += 4
                while c < columns:
                    g = grad[out + c]
                    if n < 9:
                        p, q = a + c * a2, b + c * b2
                        for _ in range(n):
                            x = d[p]
                            grad[p] += g * d[q]
                            grad[q] += g * x
                            p += a3
                            q += b3
                    else:
                        spread(grad, a + c * a2, a3, d, b + c * b2, b3, g, n)
                        spread(grad, b + c * b2, b3, d, a + c * a2, a3, g, n)
                    c += 1
                out += columns
        elif kind == 2:
            a3 = code[k, 8]
            EACH
                    g = grad[out]
                    out += 1
                    for j in range(n):
                        grad[a + j * a3] += g
        elif kind == 4:
            EACH
                    at = d[code[k, 9] + r * code[k, 10] + c * code[k, 11]]
                    if 0.0 <= at < n and at == math.floor(at):
                        grad[a + int(at) * code[k, 8]] += grad[out]
                    out += 1
"""
BOTH = """
@njit(error_model="numpy", cache=CACHE, nogil=True)
def both(code, index, d, grad, first, z):
    forward(code, index, d)
    grad[:first] = 0.0
    grad[z] = 1.0
    backward(code, index, d, grad)
"""
FORWARD_LANES = """
@njit(error_model="numpy", cache=CACHE, nogil=True)
def forward(code, index, d):
    width = d.shape[1]
    for k in range(code.shape[0]):
        kind, out, rows, columns, n = code[k, 0], code[k, 1], code[k, 2], code[k, 3], code[k, 4]
        if kind == 0:
            for c in range(columns):
                d[out + c] = d[index[code[k, 5] + c]]
        elif kind == 1 or kind == 3:
            EACH
                    b = code[k, 9] + r * code[k, 10] + c * code[k, 11]
                    zs = d[out]
                    if kind == 3:
                        zs[:] = d[code[k, 13] + r * code[k, 14] + c * code[k, 15]]
                    else:
                        zs[:] = 0.0
                    for j in range(n):
                        xs, ys = d[a + j * code[k, 8]], d[b + j * code[k, 12]]
                        for i in range(width):
                            zs[i] += xs[i] * ys[i]
                    out += 1
        elif kind == 2:
            EACH
                    zs = d[out]
                    zs[:] = d[a]
                    for j in range(1, n):
                        xs = d[a + j * code[k, 8]]
                        for i in range(width):
                            zs[i] += xs[i]
                    out += 1
        elif kind == 4:
            EACH
                    ats, zs = d[code[k, 9] + r * code[k, 10] + c * code[k, 11]], d[out]
                    for i in range(width):
                        whole = 0.0 <= ats[i] < n and ats[i] == math.floor(ats[i])
                        zs[i] = d[a + int(ats[i]) * code[k, 8], i] if whole else NAN
                    out += 1
"""
BACKWARD_LANES = """
@njit(error_model="numpy", cache=CACHE, nogil=True)
def backward(code, index, d, grad):
    width = d.shape[1]
    for k in range(code.shape[0] - 1, -1, -1):
        kind, out, rows, columns, n = code[k, 0], code[k, 1], code[k, 2], code[k, 3], code[k, 4]
        start = out
        if kind == 0:
            for c in range(columns):
                gs, ga = grad[out + c], grad[index[code[k, 5] + c]]
                for i in range(width):
                    ga[i] += gs[i]
        elif kind == 1 or kind == 3:
            EACH
                    b = code[k, 9] + r * code[k, 10] + c * code[k, 11]
                    gs = grad[out]
                    if kind == 3:
                        ge = grad[code[k, 13] + r * code[k, 14] + c * code[k, 15]]
                        for i in range(width):
                            ge[i] += gs[i]
                    for j in range(n):
                        xs, ga = d[a + j * code[k, 8]], grad[a + j * code[k, 8]]
                        ys, gb = d[b + j * code[k, 12]], grad[b + j * code[k, 12]]
                        for i in range(width):
                            ga[i] += gs[i] * ys[i]
                        for i in range(width):
                            gb[i] += gs[i] * xs[i]
                    out += 1
        elif kind == 2:
            EACH
                    gs = grad[out]
                    for j in range(n):
                        ga = grad[a + j * code[k, 8]]
                        for i in range(width):
                            ga[i] += gs[i]
                    out += 1
        elif kind == 4:
            EACH
                    ats, gs = d[code[k, 9] + r * code[k, 10] + c * code[k, 11]], grad[out]
                    for i in range(width):
                        if 0.0 <= ats[i] < n and ats[i] == math.floor(ats[i]):
                            grad[a + int(ats[i]) * code[k, 8], i] += gs[i]
                    out += 1
"""
BLOCKS = """
@njit(error_model="numpy", cache=CACHE, nogil=True)
def blocks(code, index, d, grad, X, mapped, same, outputs, results, slopes, totals, first, last, inputs, z):
    width = d.shape[1]
    for block in range(first, last):
        start = block * width
        count = min(width, X.shape[1] - start)
        for k in range(mapped.size):
            d[mapped[k], :count] = X[k, start : start + count]
        forward(code, index, d)
        for k in range(outputs.size):
            results[k, start : start + count] = d[outputs[k], :count]
        if z >= 0:
            grad[:inputs] = 0.0
            grad[z, :count] = 1.0
            grad[z, count:] = 0.0
            backward(code, index, d, grad)
            for k in range(mapped.size):
                slopes[k, start : start + count] = grad[mapped[k], :count]
            for k in range(same.size):
                gs = grad[same[k]]
                total = 0.0
                for i in range(count):
                    total += gs[i]
                totals[block, k] = total
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
    parts = [HEAD, *_functions().values()]
    for text, row in loops:
        lines = [text.rstrip()]
        for i, op in enumerate(ops, FIRST_ROW):
            lines += [f"        elif kind == {i}:  # {op.name}", *_indented(row(op), 3)]
        parts.append("\n".join(lines))
        if text in (BACKWARD, BACKWARD_LANES):  # what has been handed on
            parts.append("        grad[start : start + rows * columns] = 0.0")
    parts.append(BLOCKS if lanes else BOTH)
    return ("\n".join(parts) + "\n").replace("            EACH\n", EACH).replace("CACHE", str(cached))
