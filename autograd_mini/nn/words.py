"""What several rooms of nn say alike about a bad argument."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

__all__ = ["closest", "count"]


def closest(word: str, words: Iterable[str]) -> str:
    """Return a question after the known word that a misspelt one is like, "" if there is none.

    >>> closest("ReLU", ["tanh", "relu"]), closest("x", ["tanh"])
    (" (did you mean 'relu'?)", '')
    """
    found = get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""


def count(name: str, n: Any, least: int = 1) -> int:
    """Return a whole number, Python's or NumPy's.

    Raises:
        ValueError: it is none, or less than `least`.

    >>> count("Layer: n_in", 3)
    3
    """
    try:
        whole = operator.index(n)
    except TypeError:
        whole = least - 1
    if whole < least or isinstance(n, bool):
        raise ValueError(f"{name} must be a whole number from {least} on, not {n!r}")
    return whole
