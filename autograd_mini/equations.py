"""The data of a trace: equations in columns, and the branches that the computation took.

This module owns the form of a recorded computation. It must not know how it was recorded or how it is run.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple, overload

from .ops import Op

COMPARE: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}  # with the sides exchanged


class Equation(NamedTuple):
    """One line: the variable `name` is `op` of `operands`. An operand is the place of a variable, or a number."""

    name: str
    op: Op
    operands: tuple[int | float, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Equations(Sequence[Equation]):
    """Equations in columns of four-byte numbers. An item or a loop makes `Equation` objects.

    An operand below zero is a constant, `constants[~x]`. So a list of what belongs to each variable finds
    that of the constants, in reverse, at its end.
    """

    rows: tuple[Op, ...]  # each once
    codes: array[int]  # of each equation its row
    arities: array[int]  # of each equation the number of its operands
    operands: array[int]  # one after the other
    constants: tuple[float, ...]
    names: array[int]  # k is the name tk; a number below zero is a label
    labels: tuple[str, ...]

    @cached_property
    def starts(self) -> array[int]:
        """Return the place of each equation's first operand, and the number of all operands."""
        return array("i", accumulate(self.arities, initial=0))

    def name(self, k: int) -> str:
        """Return the name of equation k."""
        name = self.names[k]
        return self.labels[~name] if name < 0 else f"t{name}"

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[Equation]:
        read = iter(self.operands)
        return (self._made(k, islice(read, arity)) for k, arity in enumerate(self.arities))

    @overload
    def __getitem__(self, k: int) -> Equation: ...
    @overload
    def __getitem__(self, k: slice) -> tuple[Equation, ...]: ...
    def __getitem__(self, k: Any) -> Any:
        places = range(len(self))[k]
        if isinstance(places, range):
            return tuple([self[place] for place in places])
        return self._made(places, self.operands[self.starts[places] : self.starts[places + 1]])

    def _made(self, k: int, operands: Iterable[int]) -> Equation:
        found = tuple([self.constants[~x] if x < 0 else x for x in operands])
        return Equation(self.name(k), self.rows[self.codes[k]], found)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Equations):
            return NotImplemented
        return self is other or (len(self) == len(other) and all(map(eq, self, other)))

    def __hash__(self) -> int:
        return hash(tuple(self))


class Constants:
    """The constants of equations. Each number has one place, and places count down from -1."""

    def __init__(self) -> None:
        self.places: dict[float | str, int] = {}
        self.numbers: list[float] = []

    def place(self, x: float) -> int:
        """Return a number's place. 0.0 and -0.0 have different places, and all nans have the same."""
        key = x if x and x == x else x.hex()
        place = self.places.get(key)
        if place is None:
            self.numbers.append(x)
            place = self.places[key] = -len(self.numbers)
        return place


@dataclass(frozen=True, slots=True)
class Branch:
    """A comparison that Python code made on a traced number, and its result."""

    sign: str
    left: int
    right: int | float
    outcome: bool
