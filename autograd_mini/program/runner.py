r"""The interface of runners, which run a program's instructions, and the way backward through a program.

Outside a function's domain every runner follows IEEE arithmetic: it computes nan or inf, without an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from .arguments import Numbers
from .lift import Instruction, Program

Steps = list[tuple[int, list[bool]]]  # instructions, each with its operands that get a derivative; see `way_back`
Task = Callable[[], None]  # runs on given arrays, which must exist as long as the task does
Blocks = Callable[[int, int], None]  # runs the blocks of a batch from the first number to before the second
Place = tuple[int, int, int]  # in a buffer: a first place, the step to the next example, and the step within one


class Runner(Protocol):
    """A way to run a program's instructions on an array of its numbers, and on one of their derivatives."""

    scratch: int  # scratch space: how many more numbers the arrays must have, for the runner's own use

    def of(self, program: Program) -> Runner:
        """Return a runner of the same kind for another program."""

    def way(self, steps: Steps, silent: Numbers) -> Way:
        """Return the way backward along some steps. The inputs `silent` are wanted, but no derivative reaches them."""

    def task(self, d: Numbers, grad: Any = None, z: int = -1, way: Way | None = None, *, forth: bool = True) -> Task:
        """Return a task that runs the program forward, backward, or first forward and then backward.

        Forward, the task computes the array of numbers from the inputs and constants in it. With a way back, it leaves
        the derivatives of number z in the places of the wanted inputs, or 0.0 if no derivative reaches an input. The
        places of results hold -0.0 before and after. The places of other inputs are undefined.
        """

    def blocks(self, batch: Batch, d: Numbers, grad: Numbers) -> Callable[[list[Numbers], Numbers], Blocks]:
        """Return a function that prepares runs of a batch's blocks, each by this program, in the given buffers.

        Call it once for each batch, with the user's arrays, which have a row for each example, and the array of
        totals. It returns the function that runs blocks.
        """


class Batch(NamedTuple):
    """The places of the numbers of a block's examples, and the wanted derivatives, if any."""

    width: int  # examples in a block
    inputs: list[Place]
    outputs: list[Place]
    slopes: list[Place]  # derivatives with respect to inputs
    shared: int  # number of the first inputs, which examples share: their derivatives are summed in a row of totals
    z: int = -1  # the first of the numbers whose sum is differentiated
    lanes: int = 1  # the number of these
    way: Way | None = None


class Way(NamedTuple):
    """The way backward through a program."""

    code: Any  # the instructions on the way, in order, as the runner needs them
    silent: Numbers  # the places of wanted inputs that no derivative reaches: it is 0
    chooses: bool  # whether an instruction may pass its derivative to one operand, and nothing to others
    kept: Any = None  # arrays that must stay alive, because the code holds their addresses

    def finish(self, slopes: Numbers) -> None:
        """Replace -0.0 by 0.0 for inputs that no derivative has reached."""
        slopes[self.silent] = 0.0
        if self.chooses:
            slopes += 0.0


def way_back(program: Program, z: int | slice | Numbers, wanted: list[slice]) -> tuple[Steps, Numbers]:
    """Return the instructions on the way from number z, or from several, to some inputs, and the silent inputs.

    Each instruction comes with a list of booleans: for each operand, whether a wanted derivative goes to it. For a
    scan, the list goes on with its results: whether a derivative reaches them. No derivative goes along an edge whose
    rule is the constant 0. No derivative reaches a silent input.
    """
    active = np.zeros(program.size, dtype=bool)  # whether a number depends on a wanted input
    for stretch in wanted:
        active[stretch] = True
    sources = active.copy()
    places, needed = [], []
    for i in program.instructions:
        places.append([i.index] if i.kind == "gather" else addresses(i)[1])
        needed.append([k not in i.stops and bool(active[place].any()) for k, place in enumerate(places[-1])])
        if any(needed[-1]):
            active[i.start : i.start + i.count] = True
    reached = np.zeros(program.size, dtype=bool)  # whether a derivative reaches a number
    reached[z] = True
    steps = []
    for k in range(len(needed) - 1, -1, -1):
        i = program.instructions[k]
        if reached[i.start : i.start + i.count].any():  # also if no operand needs it: it must clear its derivative
            of_results = reached[i.start : i.start + i.count].tolist() if i.scan is not None else []
            steps.append((k, [*needed[k], *of_results]))
            for place, asked in zip(places[k], needed[k], strict=True):
                if asked or i.kind == "gather":  # a gather passes on all derivatives
                    reached[place] = True
    return steps[::-1], np.flatnonzero(sources & ~reached)


def chooses(program: Program, steps: Steps) -> bool:
    """Return whether a step may pass its derivative to some of its operands, and nothing to the others."""
    return any(program.instructions[k].kind in ("take", "scan") for k, _ in steps)


def addresses(i: Instruction) -> tuple[Numbers, list[Numbers]]:
    """Return the slots of the results, rows by columns, and the slots of each operand, with a third axis for terms."""
    shape = (i.count,) if i.kind == "gather" else (i.rows, i.columns)
    places = [i.places(n) for n in range(len(i.operands))]
    return i.start + np.arange(i.count).reshape(shape), places
