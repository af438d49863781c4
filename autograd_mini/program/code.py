r"""The code of a program, as kernels read it: each instruction is a line of ints."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..ops import Op
from .lift import Program

__all__ = ["FIELDS", "HEAD", "PART", "SCAN", "TABLE", "Code", "Frame", "code_of"]

HEAD = 5  # the kernel, the place of the first result, rows, columns, and terms
FIELDS = 5  # of an operand: its place, three steps, and whether its derivative is wanted

SCAN = 7  # ints of a loop, before those of its parts
PART = 6  # of a part of a loop
TABLE = 7  # of a user's array: its address, two steps, the numbers of an example; and where they are in the buffer


class Frame(NamedTuple):
    """The addresses and numbers that a run is told of."""

    kernels: int = 0  # for each kind of instruction the addresses of its kernels, forward and backward
    line: int = 0  # ints of a line of code
    forth: int = 0
    lines_forth: int = 0
    back: int = 0
    lines_back: int = 0
    indices: int = 0  # that gathers read, and addresses of rows' Python functions
    numbers: int = 0
    slopes: int = 0
    size: int = 0  # numbers
    first: int = 0  # numbers before the first result
    end: int = 0  # the number that is differentiated, or -1
    lanes: int = 1  # as many numbers from `end` on are, or rather their sum
    silent: int = 0  # inputs that are wanted and get no derivative
    count_silent: int = 0
    chooses: int = 0  # whether an instruction hands its derivative to one of several numbers
    width: int = 0  # examples of a block, here and below of a batch
    inputs: int = 0  # tables, as are the outputs and the derivatives
    count_inputs: int = 0
    outputs: int = 0
    count_outputs: int = 0
    derivatives: int = 0
    count_derivatives: int = 0
    totals: int = 0  # the derivatives of numbers that examples share, a row for each block
    count_shared: int = 0


class Code(NamedTuple):
    """The lines of a program, the places that its gathers read, and the kinds of its instructions."""

    lines: Any
    index: Any
    kinds: tuple[Op | str, ...]


def code_of(program: Program) -> Code:
    """Return the code of a program.

    >>> from autograd_mini import compile
    >>> f = compile(lambda x, y: x * y)
    >>> f(2.0, 3.0)
    6.0
    >>> code_of(f.program()).lines[:, :HEAD].tolist()
    [[0, 2, 1, 1, 1]]
    """
    kinds: dict[Op | str, int] = {}
    most = max((3 if i.kind == "dot" else len(i.operands) for i in program.instructions), default=0)
    width = HEAD + FIELDS * most
    lines = np.zeros((len(program.instructions), width), dtype=np.int64)
    indices: list[Any] = [np.empty(0, dtype=np.int64)]
    offset = 0
    for line, i in zip(lines, program.instructions, strict=True):
        line[:HEAD] = kinds.setdefault(i.op or i.kind, len(kinds)), i.start, i.rows, i.columns, i.length
        if i.kind == "gather":
            line[HEAD - 1] = offset  # a gather has no terms
            indices.append(i.index)
            offset += i.index.size
        for k, access in enumerate(i.operands):
            line[HEAD + FIELDS * k : HEAD + FIELDS * (k + 1)] = *access, 1
        if i.kind == "dot" and len(i.operands) > 2:
            line[HEAD + 2 * FIELDS + 3] = 1  # it begins with a number, which has no terms to step along
    return Code(lines, np.concatenate(indices), tuple(kinds))
