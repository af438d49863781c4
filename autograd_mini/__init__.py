"""Scalars that remember how they were computed, and the chain rule on them.

>>> import autograd_mini as ag
>>> a, b, c = ag.Value(5, "a"), ag.Value(3, "b"), ag.Value(2, "c")
>>> J = 3 * (a + b * c)
>>> J.backward()
>>> a.grad, b.grad, c.grad
(3.0, 6.0, 9.0)

`Value` is the node; the functions are the rows of the table of ops, which take numbers and Values;
`draw` makes the picture, `explain` the derivation, `expression` a graph from text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .explain import Explanation, Path, Paths, explain, paths
from .expression import ExpressionError, expression, label_all
from .ops import (
    OPS,
    Op,
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cbrt,
    cos,
    cosh,
    digamma,
    div,
    equal,
    erf,
    erfc,
    exp,
    expm1,
    gelu,
    greater,
    greater_equal,
    hypot,
    leaky_relu,
    lgamma,
    log,
    log1p,
    log2,
    log10,
    maximum,
    minimum,
    mul,
    neg,
    polygamma,
    pow,
    relu,
    sigmoid,
    sign,
    silu,
    sin,
    sinh,
    softplus,
    sqrt,
    sub,
    tan,
    tanh,
    where,
    xlogy,
)
from .value import Value, no_grad, show_with, topological_order

if TYPE_CHECKING:
    from .drawing import Drawing, draw

# A star import must not replace builtins.
__all__ = [  # noqa: PLE0604  # the rows are named by the table, once
    "OPS",
    "Drawing",
    "Explanation",
    "ExpressionError",
    "Op",
    "Path",
    "Paths",
    "Value",
    "draw",
    "explain",
    "expression",
    "label_all",
    "no_grad",
    "paths",
    "topological_order",
    *(name for name in OPS if name not in ("abs", "pow")),
]

_LATER = {"draw", "Drawing"}  # graphviz is imported when the first picture is drawn


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from . import drawing

        return getattr(drawing, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("autograd_mini")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, "__version__"})


def _show(value: Value, text: dict[str, str]) -> dict[str, Any] | tuple[Any, Any]:
    """Show a Value in Jupyter as its picture, or where nothing can render one as text."""
    from .drawing import draw

    try:
        picture, metadata = draw(value)._repr_mimebundle_()
    except ImportError:
        return text
    return picture | text, metadata


show_with(_show)
