"""Checks of arguments: a Value, a function, a whole number, argnums. Each error names the argument to type instead."""

from __future__ import annotations

import operator
import re
from typing import Any

from .value import Value


def instead_of_a_value(given: Any) -> str:
    """Return advice on how to make a Value of an argument, or "" if there is no advice.

    >>> instead_of_a_value("J = a*b + sin(a)")
    "; write ag.expression('J = a*b + sin(a)', a=..., b=...)"
    """
    if isinstance(given, str):
        assigned = set(re.findall(r"([^\W\d]\w*)\s*=(?!=)", given))
        names = dict.fromkeys(re.findall(r"(?<![\w.])[^\W\d]\w*\b(?!\s*[(\w])", given))
        values = "".join(f", {name}=..." for name in names if name not in assigned and name not in ("pi", "e"))
        return f"; write ag.expression({given!r}{values})"
    if hasattr(given, "parameters") and callable(given):
        return "; for a net, give its cost, nn.cost(net, X, y), or its output, net(x)"
    if isinstance(given, (list, tuple)):
        return "; give one Value of it, or ag.sum(...) of it"
    if callable(given):
        return "; give its result"
    return ""


def require_value(name: str, x: object, wanted: str = "a Value") -> Value:
    """Return a Value. For another argument, raise an error with advice on how to make one.

    Raises:
        TypeError: x is not a Value.
    """
    if not isinstance(x, Value):
        raise TypeError(f"{name}: give {wanted}, not {x!r} of type {type(x).__name__}{instead_of_a_value(x)}")
    return x


def require_function(name: str, f: object) -> None:
    """Raise an error if the argument is not a function but, for example, a number or a result.

    Raises:
        TypeError: f cannot be called.
    """
    if not callable(f):
        graph = "; for an existing graph, write ag.gradient(J, x)" if hasattr(f, "backward") else ""
        raise TypeError(f"{name}: give a function, as in ag.{name}(lambda x: x**2, ...), not {f!r}{graph}")


def count(name: str, n: Any, least: int = 1) -> int:
    """Return a whole number of Python or NumPy as an int.

    Raises:
        ValueError: n is not a whole number, or is less than `least`.

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


def whole_argnums(name: str, argnums: Any) -> int | tuple[int, ...]:
    """Return argnums as an int or as a tuple of ints.

    Raises:
        TypeError: they are neither a whole number nor several in an order.

    >>> whole_argnums("f", [0, 2])
    (0, 2)
    """
    try:
        return operator.index(argnums)
    except TypeError:  # several, perhaps in an array, which has this method, too
        several = argnums
    try:
        return tuple([operator.index(several[k]) for k in range(len(several))])
    except (TypeError, LookupError):  # a set has no order
        raise TypeError(f"{name}: argnums must be a whole number or several, not {argnums!r}") from None
