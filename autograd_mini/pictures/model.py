"""A picture as data: boxes with lines of typeset text, arrows with a label and a role, frames.

This module owns what a picture consists of. It must not know graphs of Values, nor any file format: functions make a
`Picture`, writers print it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from .typeset import Run

__all__ = ["Arrow", "Box", "Frame", "Kind", "Line", "Picture", "Role", "Slope"]

Kind = Literal["parameter", "data", "result", "output", "left out"]
Role = Literal["forward", "data", "left out", "wire"]


class Line(NamedTuple):
    """A line of a box: a formula, a value, both as `a = 0.5`, a derivative of the output, or a note."""

    role: Literal["formula", "value", "pair", "gradient", "note"]
    runs: tuple[Run, ...]


class Slope(NamedTuple):
    r"""A local derivative: $\partial u / \partial b$, in symbols (none where it is a number), and the number."""

    above: tuple[Run, ...]
    below: tuple[Run, ...]
    symbol: tuple[Run, ...]
    number: tuple[Run, ...]


@dataclass(frozen=True)
class Box:
    """A node, or several as one; `frame` is the path of the frames that it stands in, from outside."""

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
    """An edge from a box to the box that uses it; `back` is the product that flows back along it.

    A wire, between two neurons, shows `weight` by its sign and size: None where it is not known; `leaf` is the name of
    the leaf that holds the weight.
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
    """A frame around boxes; those of `column` stand one below the other, in order."""

    id: str
    title: str
    column: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """All that is drawn, the boxes in the order in which they are computed."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    frames: tuple[Frame, ...] = ()
    note: str = ""
    legend: bool = False
    rankdir: str = "LR"
    slopes: Literal["both", "symbol", "number", "none"] = "both"
    backward: bool = False  # whether the backward pass has arrows of its own
    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()  # of a net, as on a board: a caption and the boxes

    @property
    def description(self) -> str:
        """Return the picture in words, for a reader who cannot see it."""
        return "; ".join([*(box.sentence for box in self.boxes), *[self.note] * bool(self.note)])
