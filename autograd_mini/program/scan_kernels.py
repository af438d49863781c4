r"""The kernels of loops: each step copies numbers into a stretch of the buffer for the body, and runs the body there.

The stretch lies behind the program's numbers. Between instructions all derivatives in it are -0.0. The body's numbers
begin with the closed numbers, the carry and the item; its constants follow. See `scan_steps` for the order of the
steps.
"""

from __future__ import annotations

from typing import NamedTuple

from .code import PART, SCAN
from .loops import Operand, backward_lines, clear, copy_row, forward, frame_at, line, operand, taken
from .primitives import Floats, Words, add_to, beyond, get, numbers_at, put, shared, word, words_at
from .scan_steps import steps_of


class Loop(NamedTuple):
    """The number of a loop's steps, and the sizes of the numbers that a step reads and makes: see `Scan`."""

    steps: int
    closed: int
    carry: int
    item: int
    y: int
    counted: int
    parts: int


class Part(NamedTuple):
    """Steps that one program runs: see `scan_steps.Part`."""

    steps: int
    frame: int
    constants: int
    count_constants: int
    ends: int
    count_ends: int


def loop_at(words: Words) -> Loop:
    """Return the head of a loop."""
    return Loop(*[word(words, i) for i in range(SCAN)])


def part_at(words: Words, k: int) -> Part:
    """Return a part of a loop."""
    return Part(*[word(words, SCAN + PART * k + i) for i in range(PART)])


def place(s: Loop, output: int, step: int) -> int:
    """Return the place, among a loop's results, of an output of its body after a step."""
    if output < s.carry:
        return (step + 1) * s.carry + output
    return (s.steps + 1) * s.carry + step * s.y + output - s.carry


@shared
def enter(own: Floats, at: int, d: Floats, first: int, step: int, count: int) -> None:
    """Copy numbers that lie some step apart to a place where they lie side by side."""
    if step == 1:
        copy_row(own, at, d, first, count)
    else:
        for k in range(count):
            put(own, at + k, get(d, first + k * step))


@shared
def leave(grad: Floats, first: int, step: int, own: Floats, at: int, count: int) -> None:
    """Add derivatives that lie side by side to those of numbers that lie some step apart."""
    for k in range(count):
        add_to(grad, first + k * step, get(own, at + k))


def enter_item(own: Floats, s: Loop, d: Floats, x: Operand, t: int) -> None:
    """Copy the item of a step."""
    enter(own, s.closed + s.carry, d, x.at + t * s.item * x.along, x.along, s.item)


def steps_here(s: Loop, d: Floats, at: int) -> int:
    """Return the number of steps of a run."""
    return s.steps if s.counted == 0 else steps_of(s.steps, get(d, at))


def scan_forward(code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Run a loop, and write its results."""
    out, _, _, words_place = line(code, k)
    closed, start, items, count = [operand(code, k, i) for i in range(4)]
    words = words_at(words_place)
    s, part = loop_at(words), part_at(words, 0)
    f, ends = frame_at(part.frame), words_at(part.ends)
    own, own_grad = beyond(d, scratch), beyond(grad, scratch)
    enter(own, 0, d, closed.at, closed.along, s.closed)
    enter(own, s.closed, d, start.at, start.along, s.carry)
    copy_row(own, s.closed + s.carry + s.item, numbers_at(part.constants), 0, part.count_constants)
    for t in range(steps_here(s, d, count.at)):
        enter_item(own, s, d, items, t)
        forward(f, own, own_grad)
        for j in range(part.count_ends):
            put(d, out + place(s, word(ends, 2 * j), t), get(own, word(ends, 2 * j + 1)))
        copy_row(own, s.closed, d, out + (t + 1) * s.carry, s.carry)
    copy_row(d, out, own, s.closed, s.carry)


def scan_backward(code: Words, k: int, index: Words, d: Floats, grad: Floats, scratch: int) -> None:
    """Add the derivatives of a loop's operands, from those of its results. Compute each step again first."""
    out, _, columns, words_place = line(code, k)
    closed, start, items, count = [operand(code, k, i) for i in range(4)]
    words = words_at(words_place)
    s = loop_at(words)
    own, own_grad = beyond(d, scratch), beyond(grad, scratch)
    inputs, t = s.closed + s.carry + s.item, steps_here(s, d, count.at)
    enter(own, 0, d, closed.at, closed.along, s.closed)
    copy_row(grad, out + t * s.carry, grad, out, s.carry)  # the last carry is the carry after the last step
    for p in range(s.parts):
        part = part_at(words, p)
        f, ends = frame_at(part.frame), words_at(part.ends)
        copy_row(own, inputs, numbers_at(part.constants), 0, part.count_constants)
        for _ in range(min(part.steps, t)):
            t -= 1
            if t > 0:
                copy_row(own, s.closed, d, out + t * s.carry, s.carry)
            else:
                enter(own, s.closed, d, start.at, start.along, s.carry)
            enter_item(own, s, d, items, t)
            forward(f, own, own_grad)
            clear(own_grad, s.closed, s.carry + s.item)
            for j in range(part.count_ends):
                add_to(own_grad, word(ends, 2 * j + 1), taken(grad, out + place(s, word(ends, 2 * j), t)))
            backward_lines(f, own, own_grad)
            copy_row(grad, out + t * s.carry, own_grad, s.closed, s.carry)
            if items.wanted:
                at = items.at + t * s.item * items.along
                leave(grad, at, items.along, own_grad, s.closed + s.carry, s.item)
        clear(own_grad, s.closed, f.first - s.closed)
    if start.wanted:
        leave(grad, start.at, start.along, grad, out, s.carry)
    if closed.wanted:
        leave(grad, closed.at, closed.along, own_grad, 0, s.closed)
    clear(own_grad, 0, s.closed)
    clear(grad, out, columns)
