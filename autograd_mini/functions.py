r"""Functions composed of rows: of several numbers, and safe from overflow.

This room owns what is no row of its own because it takes a list: $\log\sum e^x$ and softmax. Numbers
give floats, a Value among them gives Values. It must not know nets.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

from .ops import exp, log, maximum, stop_gradient
from .value import sum

__all__ = ["log_softmax", "logsumexp", "softmax"]


def logsumexp(xs: Iterable[Any]) -> Any:
    r"""Return $\log \sum_i e^{x_i}$, a smooth maximum, without overflow.

    The largest x is taken out, $m + \log \sum_i e^{x_i - m}$; the derivative does not depend on m.

    Raises:
        ValueError: there are no numbers.

    >>> logsumexp([1000.0, 1000.0]) == 1000 + log(2.0)
    True
    """
    xs = _some("logsumexp", xs)
    top = _largest(xs)
    return log(sum(exp(x - top) for x in xs)) + top


def softmax(xs: Iterable[Any]) -> list[Any]:
    r"""Return $e^{x_i} / \sum_j e^{x_j}$ for each of the numbers, which are logits.

    Raises:
        ValueError: there are no numbers.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]
    """
    xs = _some("softmax", xs)
    top = _largest(xs)
    exps = [exp(x - top) for x in xs]
    total = sum(exps)
    return [e / total for e in exps]


def log_softmax(xs: Iterable[Any]) -> list[Any]:
    r"""Return $x_i - \log \sum_j e^{x_j}$ for each of the numbers: finite where softmax underflows.

    Raises:
        ValueError: there are no numbers.

    >>> log_softmax([1000.0, 0.0])
    [0.0, -1000.0]
    """
    xs = _some("log_softmax", xs)
    top = _largest(xs)
    lesser = [x - top for x in xs]
    total = log(sum(exp(x) for x in lesser))
    return [x - total for x in lesser]


def _some(name: str, xs: Iterable[Any]) -> list[Any]:
    xs = list(xs)
    if not xs:
        raise ValueError(f"{name}: there are no numbers")
    return xs


def _largest(xs: list[Any]) -> Any:
    return stop_gradient(reduce(maximum, xs))  # a node, so that a trace run on other numbers finds theirs
