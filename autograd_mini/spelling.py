"""The spelling of a row: templates with a place for each operand, and the precedence of their signs.

A row of any number of operands may have a million operands. So its spelling names the few places that are written, and
functions that write text read only these operands. This module must not know any row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


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
    shown: Sequence[int]  # the places of the operands that the text and the LaTeX have


class Mapped(Sequence[T]):
    """A sequence of the results of a function on some items. A result is computed when it is read.

    >>> words = Mapped(str, range(10**12))
    >>> words[7], words[-1], len(words)
    ('7', '999999999999', 1000000000000)
    """

    def __init__(self, function: Callable[[Any], T], items: Sequence[Any]) -> None:
        self.function, self.items = function, items

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return map(self.function, self.items)

    def __getitem__(self, i: Any) -> Any:
        return Mapped(self.function, self.items[i]) if isinstance(i, slice) else self.function(self.items[i])


def shortened(items: Sequence[T], most: int | None, ends: int | None = None) -> list[T | None]:
    """Return the items. If there are more than `most`, return some from both ends, with None between them.

    >>> shortened("abcde", 4), shortened(range(10**6), 6, ends=1)
    (['a', 'b', None, 'd', 'e'], [0, None, 999999])
    """
    if most is None or len(items) <= most:
        return list(items)
    n = ends or max(most // 2, 1)
    return [*items[:n], None, *items[-n:]]
