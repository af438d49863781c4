r"""The interface of the runners of a program's instructions, and the way backward through a program.

Numbers that leave a domain follow IEEE arithmetic in every runner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from .lift import Instruction, Program

__all__ = ["Batch", "Blocks", "Runner", "Steps", "Task", "Way", "addresses", "way_back"]

Steps = list[tuple[int, list[bool]]]  # instructions, each with the operands that get a derivative; see `way_back`
Task = Callable[[], None]  # on arrays that were given, and must be there as long as it is run
Blocks = Callable[[int, int], None]  # from one block of a batch to before another
Place = tuple[int, int, int]  # in a buffer: of a first number, and the steps from example to example, and within one


class Runner(Protocol):
    """A way to run a program's instructions on an array of its numbers, and on one of their derivatives."""

    room: int  # how many numbers more the arrays must have, for its own use

    def of(self, program: Program) -> Runner:
        """Return the same kind of runner, of another program."""

    def way(self, steps: Steps, silent: Any) -> Way:
        """Return the way backward along some steps; the inputs `silent` are wanted, and get no derivative."""

    def task(self, d: Any, grad: Any = None, z: int = -1, way: Way | None = None, *, forth: bool = True) -> Task:
        """Return a task that runs the program forward, backward, or both ways, one after the other.

        Forward it fills the array of numbers, from the inputs and constants that stand in it. With a way back it leaves
        the derivatives of number z in the places of the inputs that are wanted; one that gets none has 0.0. Places of
        results hold -0.0 on entry and on return; places of other inputs are undefined.
        """

    def blocks(self, batch: Batch, d: Any, grad: Any) -> Callable[[list[Any], Any], Blocks]:
        """Return a function that runs blocks of a batch, each by this program, in buffers that were given.

        It is made in two steps: once for the buffers, and then for each batch from the user's arrays, which have a row
        for each example, and the array of totals.
        """


class Batch(NamedTuple):
    """Where the numbers of a block's examples are, and the derivatives that are wanted, if there are any."""

    width: int  # examples of a block
    inputs: list[Place]
    outputs: list[Place]
    slopes: list[Place]  # derivatives of inputs
    shared: int  # the first inputs, whose derivatives are summed: a row of totals for each block
    z: int = -1  # the first number that is differentiated
    lanes: int = 1  # as many numbers from there on, or rather their sum
    way: Way | None = None


class Way(NamedTuple):
    """The way backward through a program."""

    code: Any  # of the runner: the instructions on it, in their order
    silent: Any  # the places of inputs that are wanted and get no derivative: it is 0
    chooses: bool  # whether an instruction hands its derivative to one of several numbers, and nothing to the others
    kept: Any = None  # arrays whose addresses the code has

    def finish(self, slopes: Any) -> None:
        """Make 0.0 of the -0.0 that inputs have which got nothing."""
        slopes[self.silent] = 0.0
        if self.chooses:
            slopes += 0.0


def way_back(program: Program, z: Any, wanted: list[slice]) -> tuple[Steps, Any]:
    """Return the instructions on the way from number z, or several, to some inputs, and the inputs that get nothing.

    With each instruction stand the operands that a derivative which is wanted goes to, and with a scan also which of
    its results get one. None goes along an edge whose rule is the constant 0.
    """
    active = np.zeros(program.size, dtype=bool)  # depends on an input that is wanted
    for stretch in wanted:
        active[stretch] = True
    sources = active.copy()
    places, needed = [], []
    for i in program.instructions:
        places.append([i.index] if i.kind == "gather" else addresses(i)[1])
        needed.append([k not in i.stops and bool(active[place].any()) for k, place in enumerate(places[-1])])
        if any(needed[-1]):
            active[i.start : i.start + i.count] = True
    reached = np.zeros(program.size, dtype=bool)  # gets a derivative
    reached[z] = True
    steps = []
    for k in range(len(needed) - 1, -1, -1):
        i = program.instructions[k]
        if reached[i.start : i.start + i.count].any():  # also without a need: it clears what it has got
            of_results = reached[i.start : i.start + i.count].tolist() if i.scan is not None else []
            steps.append((k, [*needed[k], *of_results]))
            for place, asked in zip(places[k], needed[k], strict=True):
                if asked or i.kind == "gather":  # which hands all on
                    reached[place] = True
    return steps[::-1], np.flatnonzero(sources & ~reached)


def chooses(program: Program, steps: Steps) -> bool:
    """Return whether one of the steps may hand its derivative to some of several numbers, and nothing to the others."""
    return any(program.instructions[k].kind in ("take", "scan") for k, _ in steps)


def addresses(i: Instruction) -> tuple[Any, list[Any]]:
    """Return the slots of the results, rows by columns, and of each operand, with its terms as a third axis."""
    shape = (i.count,) if i.kind == "gather" else (i.rows, i.columns)
    places = [i.places(n) for n in range(len(i.operands))]
    return i.start + np.arange(i.count).reshape(shape), places
