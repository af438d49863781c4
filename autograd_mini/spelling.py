"""The text and the LaTeX of a row, as templates with a place for each operand.

This module has the precedence of notation, and numbers that are written by their names. It must not know any row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple


class Level(IntEnum):
    """The precedence of a piece of notation. An operand of a lower level than its place gets brackets."""

    COMPARISON = 0
    SUM = 1
    QUOTIENT = 2
    PRODUCT = 3
    POWER = 4
    ATOM = 5


class Notation(NamedTuple):
    """The text or the LaTeX of a row: a template with a place for each operand, such as `<x> + <y>`, and its level.

    An operand of a lower level than its place gets brackets.
    """

    template: str
    level: Level = Level.ATOM
    levels: Sequence[Level] = ()  # the levels of the places, in the order of the operands

    def filled(self, parts: Mapping[str, str]) -> str:
        """Return the template with operands at the places of their names."""
        return re.sub(r"<(\w+)>", lambda place: parts[place[1]], self.template)


class Constant(float):
    r"""A number in a rule that is written by its name. The name may have a lower level than a number.

    >>> import math
    >>> half_turn = Constant(math.pi, "π", r"\pi")
    >>> half_turn, half_turn.text.template, 2 * half_turn
    (3.141592653589793, 'π', 6.283185307179586)
    """

    text: Notation
    tex: Notation

    def __new__(cls, x: float, text: Notation | str, tex: Notation | str) -> Constant:
        self = super().__new__(cls, x)
        self.text = Notation(text) if isinstance(text, str) else text
        self.tex = Notation(tex) if isinstance(tex, str) else tex
        return self


class Spelling(NamedTuple):
    """The names of a row's operands, and the row's text and LaTeX, which have a place for each name."""

    parameters: Sequence[str]
    text: Notation
    tex: Notation
