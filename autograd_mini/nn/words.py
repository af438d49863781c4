"""Functions that are chosen by a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..hints import closest


def named(
    what: str, given: object, known: Mapping[str, Any], arguments: str, others: Mapping[str, str] | None = None
) -> Any:
    """Return the function of a name, or the function that is given instead of a name.

    Raises:
        ValueError: no function has that name.
        TypeError: the argument is neither a name nor a function.

    >>> named("loss", "hinge", {"hinge": max}, "(output, target)") is max
    True
    """
    if isinstance(given, str):
        if given not in known:
            names = ", ".join(known)
            raise ValueError(
                f"{what}: there is no {given!r}{closest(given, known, others)}; take {names}, or a function"
            )
        return known[given]
    if not callable(given):
        raise TypeError(f"{what}: give a name or a function {arguments}, not {given!r}")
    return given
