r"""The kernels for batches, in which every number is a row of lanes, one for each example.

They are as those of `loops`; `width` is the number of lanes, of which vectors hold `WIDTH`.
"""

from __future__ import annotations

import math

from .loops import backward, clear, forward, frame_at, is_index, line, operand, slot, taken, taken_vector
from .machine import WIDTH
from .primitives import (
    Numbers,
    Static,
    Words,
    add_to,
    add_vector,
    applied,
    callbacks,
    get,
    load,
    numbers_at,
    put,
    slope,
    spread,
    store,
    word,
    words_at,
)
from .values import is_vectorial


def row_forward(op: Static, code: Words, k: int, index: Words, d: Numbers, grad: Numbers, width: int) -> None:
    """Apply a row to all lanes of each result."""
    out, rows, columns, first = line(code, k)
    callbacks(op, index, first)
    xs = [operand(code, k, i) for i in range(op.arity)]
    for r in range(rows):
        for c in range(columns):
            places = [slot(x, r, c) * width for x in xs]
            z = out * width
            if is_vectorial(op, False):
                for i in range(0, width, WIDTH):
                    store(d, z + i, applied(op, [load(d, at + i) for at in places]))
            else:
                for i in range(width):
                    put(d, z + i, applied(op, [get(d, at + i) for at in places]))
            out += 1


def row_backward(op: Static, code: Words, k: int, index: Words, d: Numbers, grad: Numbers, width: int) -> None:
    """Hand the derivatives of each result on, times the partial derivatives."""
    out, rows, columns, first = line(code, k)
    callbacks(op, index, first)
    xs = [operand(code, k, i) for i in range(op.arity)]
    for r in range(rows):
        for c in range(columns):
            places = [slot(x, r, c) * width for x in xs]
            p = out * width
            if is_vectorial(op, True):
                for i in range(0, width, WIDTH):
                    ys, z = [load(d, at + i) for at in places], load(d, p + i)
                    v = taken_vector(grad, p + i)
                    for rule, x, at in zip(op.rules, xs, places, strict=True):
                        if x.wanted:
                            add_vector(grad, at + i, v * slope(rule, ys, z))
            else:
                for i in range(width):
                    ys, z = [get(d, at + i) for at in places], get(d, p + i)
                    g = taken(grad, p + i)
                    for rule, x, at in zip(op.rules, xs, places, strict=True):
                        if x.wanted:
                            add_to(grad, at + i, g * slope(rule, ys, z))
            out += 1


def gather_forward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, width: int) -> None:
    """Copy numbers from any places."""
    out, _, columns, first = line(code, k)
    for c in range(columns):
        a = word(index, first + c) * width
        for i in range(0, width, WIDTH):
            store(d, (out + c) * width + i, load(d, a + i))


def gather_backward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, width: int) -> None:
    """Hand the derivatives of each copy on."""
    out, _, columns, first = line(code, k)
    for c in range(columns):
        a = word(index, first + c) * width
        for i in range(0, width, WIDTH):
            add_vector(grad, a + i, taken_vector(grad, (out + c) * width + i))


def sum_forward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, width: int) -> None:
    """Add the terms of each result."""
    out, rows, columns, n = line(code, k)
    x = operand(code, k, 0)
    for r in range(rows):
        for c in range(columns):
            at = slot(x, r, c) * width
            for i in range(0, width, WIDTH):
                z = load(d, at + i)
                for j in range(1, n):
                    z = z + load(d, at + j * x.along * width + i)
                store(d, out * width + i, z)
            out += 1


def sum_backward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, width: int) -> None:
    """Hand the derivatives of each sum on to its terms."""
    out, rows, columns, n = line(code, k)
    x = operand(code, k, 0)
    for r in range(rows):
        for c in range(columns):
            at = slot(x, r, c) * width
            for i in range(0, width, WIDTH):
                v = taken_vector(grad, out * width + i)
                if x.wanted:
                    for j in range(n):
                        add_vector(grad, at + j * x.along * width + i, v)
            out += 1


def dot_forward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, width: int) -> None:
    """Add the products of each result."""
    out, rows, columns, n = line(code, k)
    a, b, start = operand(code, k, 0), operand(code, k, 1), operand(code, k, 2)
    for r in range(rows):
        for c in range(columns):
            x, y = slot(a, r, c), slot(b, r, c)
            s = slot(start, r, c) * width
            for i in range(0, width, WIDTH):
                z = load(d, s + i) if start.along else spread(-0.0)
                for j in range(n):
                    z = z + load(d, (x + j * a.along) * width + i) * load(d, (y + j * b.along) * width + i)
                store(d, out * width + i, z)
            out += 1


def dot_backward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, width: int) -> None:
    """Hand the derivatives of each sum of products on to both factors."""
    out, rows, columns, n = line(code, k)
    a, b, start = operand(code, k, 0), operand(code, k, 1), operand(code, k, 2)
    for r in range(rows):
        for c in range(columns):
            x, y = slot(a, r, c), slot(b, r, c)
            s = slot(start, r, c) * width
            for i in range(0, width, WIDTH):
                z = taken_vector(grad, out * width + i)
                if start.along and start.wanted:
                    add_vector(grad, s + i, z)
                for j in range(n):
                    p, q = (x + j * a.along) * width + i, (y + j * b.along) * width + i
                    if a.wanted:
                        add_vector(grad, p, z * load(d, q))
                    if b.wanted:
                        add_vector(grad, q, z * load(d, p))
            out += 1


def take_forward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, width: int) -> None:
    """Choose in each lane one of the terms."""
    out, rows, columns, n = line(code, k)
    x, choice = operand(code, k, 0), operand(code, k, 1)
    for r in range(rows):
        for c in range(columns):
            at, chosen = slot(x, r, c), slot(choice, r, c)
            for i in range(width):
                z = get(d, chosen * width + i)
                put(d, out * width + i, get(d, (at + int(z) * x.along) * width + i) if is_index(z, n) else math.nan)
            out += 1


def take_backward(code: Words, k: int, index: Words, d: Numbers, grad: Numbers, width: int) -> None:
    """Hand the derivative in each lane on to the chosen term."""
    out, rows, columns, n = line(code, k)
    x, choice = operand(code, k, 0), operand(code, k, 1)
    for r in range(rows):
        for c in range(columns):
            at, chosen = slot(x, r, c), slot(choice, r, c)
            for i in range(width):
                z, g = get(d, chosen * width + i), taken(grad, out * width + i)
                if x.wanted and is_index(z, n):
                    add_to(grad, (at + int(z) * x.along) * width + i, g)
            out += 1


def run(place: int, first: int, last: int) -> None:
    """Run blocks of a batch: read the examples' numbers, do the instructions, and write results and derivatives."""
    f = frame_at(place)
    d, grad, width = numbers_at(f.numbers), numbers_at(f.slopes), f.size
    columns, mapped, outputs, same = words_at(f.columns), words_at(f.mapped), words_at(f.outputs), words_at(f.same)
    results, slopes, totals = numbers_at(f.results), numbers_at(f.derivatives), numbers_at(f.totals)
    for block in range(first, last):
        start = block * width
        count = min(width, f.examples - start)
        for k in range(f.count_mapped):
            column, step, at = numbers_at(word(columns, 2 * k)), word(columns, 2 * k + 1), word(mapped, k) * width
            for i in range(count):
                put(d, at + i, get(column, (start + i) * step))
        forward(f, d, grad)
        for k in range(f.count_outputs):
            for i in range(count):
                put(results, k * f.examples + start + i, get(d, word(outputs, k) * width + i))
        if f.end < 0:
            continue
        clear(grad, 0, f.first * width)
        for i in range(width):
            put(grad, f.end * width + i, 1.0 if i < count else 0.0)
        backward(f, d, grad)
        for k in range(f.count_mapped):
            for i in range(count):
                put(slopes, k * f.examples + start + i, get(grad, word(mapped, k) * width + i))
        for k in range(f.count_same):
            sum = -0.0
            for i in range(count):
                sum += get(grad, word(same, k) * width + i)
            put(totals, block * f.count_same + k, sum)
