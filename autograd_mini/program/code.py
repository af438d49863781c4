r"""The code of a program for the kernels: each instruction is a row of ints."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..ops import Op
from .arguments import Numbers
from .lift import Program

HEAD = 5  # the kernel, the place of the first result, rows, columns, and terms
FIELDS = 5  # ints of an operand: its place, three steps, and whether its derivative is wanted

SCAN = 7  # ints of a loop, before those of its parts
PART = 6  # ints of a part of a loop
TABLE = 7  # ints of a user's array: its address, two steps, the numbers of an example; and their place in the buffer


class Frame(NamedTuple):
    """The addresses and numbers that a run needs."""

    kernels: int = 0  # address: the addresses of the kernels of each kind of instruction, forward and backward
    line: int = 0  # the number of ints in a line of code
    forth: int = 0
    lines_forth: int = 0
    back: int = 0
    lines_back: int = 0
    indices: int = 0  # address: the indices of gathers, and the addresses of rows' Python functions
    numbers: int = 0
    slopes: int = 0
    size: int = 0  # the number of numbers
    first: int = 0  # the number of numbers before the first result
    end: int = 0  # the place of the number to differentiate, or -1
    lanes: int = 1  # this many numbers from `end` on are differentiated: their sum
    silent: int = 0  # address: inputs with wanted derivatives that no path reaches
    count_silent: int = 0
    chooses: int = 0  # whether an instruction passes its derivative to one of several numbers
    width: int = 0  # the number of examples in a block; from here on, of a batch
    inputs: int = 0  # address: the tables of inputs; outputs and derivatives have tables as well
    count_inputs: int = 0
    outputs: int = 0
    count_outputs: int = 0
    derivatives: int = 0
    count_derivatives: int = 0
    totals: int = 0  # address: derivatives with respect to shared numbers, with a row for each block
    count_shared: int = 0


class Code(NamedTuple):
    """The lines of a program, the places that its gathers read, and the kinds of its instructions."""

    lines: Numbers
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
    indices: list[Numbers] = [np.empty(0, dtype=np.int64)]
    offset = 0
    for line, i in zip(lines, program.instructions, strict=True):
        line[:HEAD] = kinds.setdefault(i.op or i.kind, len(kinds)), i.start, i.rows, i.columns, i.length
        if i.kind == "gather":
            line[HEAD - 1] = offset  # a gather has an offset in place of the number of terms
            indices.append(i.index)
            offset += i.index.size
        for k, access in enumerate(i.operands):
            line[HEAD + FIELDS * k : HEAD + FIELDS * (k + 1)] = *access, 1
        if i.kind == "dot" and len(i.operands) > 2:
            line[HEAD + 2 * FIELDS + 3] = 1  # a dot's start is one number, which needs no step along terms
    return Code(lines, np.concatenate(indices), tuple(kinds))
