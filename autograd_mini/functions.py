r"""Functions composed of rows: of several numbers, and safe from overflow.

This room owns what is no row of its own because it takes a list: $\log\sum e^x$, softmax, and the choice
among rows. Numbers give floats, a Value among them gives Values. It must not know nets.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from .ops import excess, exp, log, maximum, number, stop_gradient, take_of
from .structure import flatten
from .value import Value, primal, sum

LARGEST = sys.float_info.max

__all__ = ["log_softmax", "logsumexp", "softmax", "take"]


def logsumexp(xs: Iterable[Any]) -> Any:
    r"""Return $\log \sum_i e^{x_i}$, a smooth maximum, without overflow.

    The largest x is taken out, $m + \log \sum_i e^{x_i - m}$; the derivative does not depend on m.

    Raises:
        ValueError: there are no numbers.

    >>> logsumexp([1000.0, 1000.0]) == 1000 + log(2.0)
    True
    """
    xs = _some("logsumexp", xs)
    top = maximum(-LARGEST, _largest(xs))  # above -inf, less which -inf would be nan
    return log.limit(sum(exp(excess(x, top)) for x in xs)) + top


def softmax(xs: Iterable[Any]) -> list[Any]:
    r"""Return $e^{x_i} / \sum_j e^{x_j}$ for each of the numbers, which are logits.

    A logit of -inf masks its class: the share is 0 and so are its derivatives. A logit of inf takes the whole, and
    several share it equally. Nothing but -inf leaves the shares undefined: nan.

    Raises:
        ValueError: there are no numbers.

    >>> softmax([0.0, 0.0]), softmax([0.0, -float("inf")]), softmax([float("inf"), 0.0])
    ([0.5, 0.5], [1.0, 0.0], [1.0, 0.0])
    """
    xs = _some("softmax", xs)
    top = _largest(xs)
    exps = [exp(excess(x, top)) for x in xs]
    total = sum(exps)
    return [e / total for e in exps]


def log_softmax(xs: Iterable[Any]) -> list[Any]:
    r"""Return $x_i - \log \sum_j e^{x_j}$ for each of the numbers: finite where softmax underflows.

    Logits of inf and -inf give the logarithms of the shares that softmax gives, 0 and -inf where these are 1 and 0.

    Raises:
        ValueError: there are no numbers.

    >>> log_softmax([1000.0, 0.0])
    [0.0, -1000.0]
    """
    xs = _some("log_softmax", xs)
    top = _largest(xs)
    lesser = [excess(x, top) for x in xs]
    total = log(sum(exp(x) for x in lesser))
    return [x - total for x in lesser]


def take(rows: Any, index: Any) -> Any:
    r"""Return `rows[index]` where the index may be a Value: an input of a compiled program, such as a token.

    The derivative goes to what was chosen, and none to the index.

    Args:
        rows: numbers, or rows of them of one structure.
        index: a whole number from 0 on.

    Raises:
        IndexError: there is no such row.

    >>> take([10.0, 20.0, 30.0], 1.0)
    20.0
    >>> take([[1.0, 2.0], [3.0, 4.0]], 0)
    [1.0, 2.0]
    """
    at = primal(index) if isinstance(index, Value) else number("take", index)
    if not 0 <= at < len(rows) or not float(at).is_integer():
        raise IndexError(f"take: there is no row {at:g} among {len(rows)}, counted from 0")
    if not isinstance(index, Value):
        return rows[int(at)]
    flat = [flatten(row) for row in rows]
    structure = flat[0][1]
    for k, (_, other) in enumerate(flat):
        if other != structure:
            raise ValueError(f"take: row {k} has the structure {other}, row 0 {structure}")
    row = take_of(len(rows) + 1)
    return structure.rebuild([row(index, *column) for column in zip(*(leaves for leaves, _ in flat), strict=True)])


def _some(name: str, xs: Iterable[Any]) -> list[Any]:
    xs = list(xs)
    if not xs:
        raise ValueError(f"{name}: there are no numbers")
    return xs


def _largest(xs: list[Any]) -> Any:
    """Return the largest, found pair by pair: lists of different lengths differ by few levels, not by many."""
    while len(xs) > 1:
        pairs = [maximum(x, y) for x, y in zip(xs[::2], xs[1::2], strict=False)]
        xs = pairs + xs[2 * len(pairs) :]
    return stop_gradient(xs[0])  # a node, so that a trace run on other numbers finds theirs
