"""Typeset text with holes: derivations into which a page fills the numbers.

A hole stands for a number or a name that the page knows: the value of a node, the derivative of the output with
respect to it, or a local derivative. `Holes` is the notation of pictures with such holes, and `HoleWriter` writes the
lines of `explain` in this notation. A template is a list of HTML texts and holes `[what, which, level]`. If a text is
looser than the level, it gets brackets. The module must not know the look of a page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..derivation import Term, Writer
from ..edges import Edge
from ..ops import Level, Op
from ..pictures.typeset import BACK, CLOSE, ITALIC, OPEN, SUB, SUP, Run, Typeset
from ..value import Value

Template = list[str | list[str | int]]  # texts, and holes as [what, which, level]
Place = Value | tuple[Value, int]  # a node, or an edge, which is its user and the place of the operand
MARK = "\ue100"  # the mark before and after a hole; `printable` removes it from labels
TAGS = {ITALIC: "i", SUB: "sub", SUP: "sup"}


class Holes(Typeset):
    """Typeset text with holes.

    >>> x = Holes.hole("v", 3)
    >>> (2.0 * x).template
    ['2 · ', ['v', 3, 4]]
    """

    __slots__ = ("what",)

    def __init__(self, string: str, level: Level = Level.ATOM, op: Op | None = None, what: str = "") -> None:
        super().__init__(string, level, op)
        self.what = what

    @classmethod
    def hole(cls, what: str, which: int | str) -> Holes:
        """Return a hole: a kind of number or name, and the place of a node or an edge, or a name in its place."""
        return cls(f"{MARK}{what} {which} 0{MARK}", what=f"{what} {which}")

    def bracketed(self, at_least: Level) -> str:
        """Return the string. A hole gets the level that its text needs without brackets."""
        return f"{MARK}{self.what} {int(at_least)}{MARK}" if self.what else super().bracketed(at_least)

    @property
    def template(self) -> Template:
        """Return the texts and the holes."""
        parts: Template = []
        open_tags: list[str] = []
        for k, piece in enumerate(self.bracketed(Level.COMPARISON).split(MARK)):
            if k % 2:
                what, which, level = piece.split()
                parts.append([what, int(which) if which.isdigit() else which, int(level)])
            elif text := markup(piece, open_tags):
                parts.append(text)
        return parts


@dataclass(eq=False)
class HoleWriter(Writer[Holes]):
    """Write derivations with a hole for each number. `places` has the places of nodes and edges."""

    places: Mapping[Place, int]

    def value(self, node: Value) -> Holes:
        """Write the number of a node."""
        return Holes.hole("v", self.places[node])

    def derivative(self, node: Value) -> Holes:
        """Write the derivative of the output with respect to a node."""
        return Holes.hole("s", self.places[node])

    def weight(self, edge: Edge) -> Holes:
        """Write a local derivative as a number."""
        return self._of_edge("w", edge)

    def symbol(self, edge: Edge) -> Holes:
        """Write a local derivative with names."""
        return self._of_edge("r", edge)

    def substituted(self, edge: Edge) -> Holes:
        """Write a local derivative with numbers."""
        return self._of_edge("i", edge)

    def is_void(self, term: Term) -> bool:
        """Keep all terms: at other numbers a derivative goes along them."""
        return False

    def _of_edge(self, what: str, edge: Edge) -> Holes:
        return Holes.hole(what, self.places[edge.user, edge.operand])


def markup(string: str, open_tags: list[str] | None = None) -> str:
    """Write the string of a typeset text as HTML. `open_tags` has the open tags before it, and is updated.

    >>> markup(Typeset.name("W_{11}^[2]").string)
    '<i>W</i><sub>11</sub><sup>[2]</sup>'
    """
    tags = [] if open_tags is None else open_tags
    parts = []
    for piece in re.split(f"([{ITALIC}{SUB}{SUP}{BACK}])", string):
        if piece in TAGS and piece:
            tags.append(TAGS[piece])
            parts.append(f"<{tags[-1]}>")
        elif piece == BACK:
            parts.append(f"</{tags.pop()}>")
        else:
            parts.append(html.escape(piece.replace(OPEN, "(").replace(CLOSE, ")")))
    return "".join(parts)


def markup_of(runs: Sequence[Run]) -> str:
    """Write runs of typeset text as HTML."""
    parts = []
    for run in runs:
        text = f"<i>{html.escape(run.text)}</i>" if run.italic else html.escape(run.text)
        parts.append(f"<{run.shift}>{text}</{run.shift}>" if run.shift else text)
    return "".join(parts)
