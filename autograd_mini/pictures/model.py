"""A picture as data: boxes with lines of typeset text, arrows with a label and a role, frames.

This module owns the parts of a picture. It must not know graphs of Values or file formats: functions make a `Picture`,
and writers write it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from .typeset import Run

Kind = Literal["parameter", "data", "result", "output", "left out"]
Role = Literal["forward", "data", "left out", "wire"]


class Line(NamedTuple):
    """A line of a box: a formula, a value, both as `a = 0.5`, a derivative of the output, or a note."""

    role: Literal["formula", "value", "pair", "gradient", "note"]
    runs: tuple[Run, ...]


class Slope(NamedTuple):
    r"""A local derivative: $\partial u / \partial b$, its symbols (none if it is a plain number), and its number."""

    above: tuple[Run, ...]
    below: tuple[Run, ...]
    symbol: tuple[Run, ...]
    number: tuple[Run, ...]


@dataclass(frozen=True)
class Box:
    """A node, or several nodes as one box. `frame` is the path of the frames around it, the outer frame first."""

    id: str
    kind: Kind
    name: str
    lines: tuple[Line, ...]
    sentence: str
    value: float | None = None
    gradient: float | None = None
    operation: str = ""
    frame: tuple[str, ...] = ()
    marked: bool = False


@dataclass(frozen=True, eq=False)
class Arrow:
    """An edge from a box to the box that uses it. `back` is the product that the backward pass sends along it.

    A wire between two neurons shows the sign and size of `weight`, or nothing if it is None. `leaf` is the name of the
    leaf that holds the weight.
    """

    source: str
    target: str
    role: Role
    sentence: str = ""
    slope: Slope | None = None
    derivative: float | None = None
    weight: float | None = None
    back: tuple[Run, ...] = ()
    leaf: str = ""


class Frame(NamedTuple):
    """A frame around boxes. The boxes of `column` stand one below the other, in order."""

    id: str
    title: str
    column: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """All parts of a picture. The boxes are in the order of computation."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    frames: tuple[Frame, ...] = ()
    note: str = ""
    legend: bool = False
    rankdir: str = "LR"
    slopes: Literal["both", "symbol", "number", "none"] = "both"
    backward: bool = False  # whether the backward pass has separate arrows
    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()  # of a net, as on a board: a caption and the boxes

    @property
    def description(self) -> str:
        """Return the picture in words, for a reader who cannot see it."""
        return "; ".join([*(box.sentence for box in self.boxes), *[self.note] * bool(self.note)])
