r"""Losses: a loss measures how far an output is from its target. The cost J is the mean loss over the examples.

A loss takes the output for one example, which is a Value or a list of Values, and the target. This module must not know
how an output was made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from .. import hints
from ..functions import log_softmax, shifted_logits, take
from ..node import number_of, primal
from ..ops import log, number, relu, sigmoid, softplus
from ..printing import counted
from ..structure import Tree
from ..sums import sum
from ..value import Number, Value
from .words import named

Loss: TypeAlias = Callable[[Any, Any], Any]  # of the output and the target of one example


def log_loss(yhat: Tree, y: Tree) -> Any:
    r"""Return $L = -(y \log \hat y + (1 - y) \log(1 - \hat y))$, the loss of the text.

    For several outputs, it is the sum. The derivative with respect to $\hat y$ is
    $(\hat y - y) / (\hat y (1 - \hat y))$. If $\hat y$ may round to 0 or 1, use `binary_cross_entropy`.

    Args:
        yhat: probabilities.
        y: targets, from 0 to 1.

    Raises:
        ValueError: a target is not from 0 to 1, or $\hat y$ is exactly 0 or 1 and wrong.

    >>> yhat = Value(0.8, "yhat")
    >>> L = log_loss(yhat, 1)
    >>> round(L.data, 6)
    0.223144
    """
    return sum(-_log_likelihood(a, t) for a, t in _pairs("log_loss", yhat, y, probabilities=True))


def _log_likelihood(a: Number, t: float) -> Number:
    p = number_of(a)
    if not 0.0 <= p <= 1.0:
        raise ValueError(
            f"log_loss: an output must be a probability, from 0 to 1, not {p:g}: give the net output='sigmoid', "
            "or take binary_cross_entropy_with_logits as the loss"
        )
    if type(t) is float and t in (0.0, 1.0) and p == 1.0 - t:
        raise ValueError(
            f"log_loss: the output is exactly {p:g} where the target is {t:g}, so that the loss is infinite: take "
            "binary_cross_entropy, which finds the logit, or binary_cross_entropy_with_logits"
        )
    if type(t) is float and t in (0.0, 1.0):  # without the other term, because the derivative of 0 * log 0 is 0 * inf
        return log(a if t else 1.0 - a)
    return t * log(a) + (1.0 - t) * log(1.0 - a)


def binary_cross_entropy_with_logits(z: Tree, y: Tree) -> Any:
    r"""Return the `log_loss` of $\hat y = \sigma(z)$ from z: $L = y \log(1 + e^{-z}) + (1 - y) \log(1 + e^z)$.

    The loss and its derivative, $\sigma(z) - y$, are finite for every z.

    Raises:
        ValueError: a target is not from 0 to 1, or z is the result of a sigmoid.

    >>> binary_cross_entropy_with_logits(Value(-1e4), 1).data
    10000.0
    """
    pairs = _pairs("binary_cross_entropy_with_logits", z, y, probabilities=True)
    if any(isinstance(a, Value) and a.op is sigmoid for a, _ in pairs):
        raise ValueError(
            "binary_cross_entropy_with_logits: the output has been through sigmoid already; "
            "take binary_cross_entropy, which finds its logit"
        )
    return sum(_from_logit(a, t) for a, t in pairs)


def _from_logit(z: Number, t: float) -> Number:
    if type(t) is float and t in (0.0, 1.0):
        return softplus(-z if t else z)
    return t * softplus(-z) + (1.0 - t) * softplus(z)


def binary_cross_entropy(yhat: Tree, y: Tree) -> Any:
    r"""Return the `log_loss`. If $\hat y$ is a node $\sigma(z)$, compute it from the logit z.

    Then the loss and its derivative are finite for every z, and $\hat y$ is not in the graph of L.

    Raises:
        ValueError: a target is not from 0 to 1.

    >>> z = Value(1e4, "z")
    >>> L = binary_cross_entropy(sigmoid(z), 0)
    >>> L.backward()
    >>> L.data, z.grad
    (10000.0, 1.0)
    """
    pairs = _pairs("binary_cross_entropy", yhat, y, probabilities=True)
    return sum(
        _from_logit(a.operands[0], t) if isinstance(a, Value) and a.op is sigmoid else -_log_likelihood(a, t)
        for a, t in pairs
    )


def cross_entropy(logits: Tree, y: Tree) -> Any:
    r"""Return $L = -\sum_k y_k \log p_k$ with p the softmax of the logits; for one class y, $-\log p_y$.

    A logit of inf is certain of its class: L is 0 if that is y, and inf if it is another.

    Args:
        logits: one for each class, not yet through softmax.
        y: the class, from 0 on, or a probability for each class.

    Raises:
        ValueError: there is no such class; the numbers of probabilities and of logits differ; or the probabilities do
            not sum to 1.

    >>> round(cross_entropy([Value(0.0), Value(0.0)], 1).data, 6)
    0.693147
    """
    logits = _list(logits)
    if len(logits) < 2:
        raise ValueError("cross_entropy: expected at least 2 logits; for one take binary_cross_entropy")
    if hasattr(y, "__len__"):
        shares = [t if isinstance(t, Value) else number("cross_entropy", t) for t in y]
        plain = [number_of(t) for t in shares]
        if len(shares) != len(logits):
            raise ValueError(
                f"cross_entropy: {len(logits)} logits, but "
                f"{counted(len(shares), 'target probability', 'target probabilities')}"
            )
        if not all(0.0 <= t <= 1.0 for t in plain) or abs(sum(plain) - 1.0) > 1e-9:
            raise ValueError(f"cross_entropy: the target {plain} is not a distribution over the classes")
        return -sum(t * p for t, p in zip(shares, log_softmax(logits), strict=True) if type(t) is not float or t)
    k = primal(y) if isinstance(y, Value) else number("cross_entropy", y)
    if not (k.is_integer() and 0 <= k < len(logits)):
        raise ValueError(f"cross_entropy: the target {y!r} is not a class from 0 to {len(logits) - 1}")
    shifted, total = shifted_logits("cross_entropy", logits)
    return -(take(shifted, y) - total)


def mean_squared_error(yhat: Tree, y: Tree) -> Any:
    r"""Return $(\hat y - y)^2$. For several outputs, return the mean of these squares.

    >>> mean_squared_error([Value(1.0), Value(2.0)], [0.0, 0.0]).data
    2.5
    """
    pairs = _pairs("mean_squared_error", yhat, y)
    total = sum((a - t) ** 2 for a, t in pairs)
    return total if len(pairs) == 1 else total / len(pairs)


def hinge(score: Tree, y: Tree) -> Any:
    r"""Return $\max(0, 1 - y s)$ of a score s and a target of -1 or 1.

    Raises:
        ValueError: a target is another number.

    >>> hinge(Value(0.25), -1).data
    1.25
    """
    pairs = _pairs("hinge", score, y)
    for t in (number_of(t) for _, t in pairs):
        if t not in (-1.0, 1.0):
            raise ValueError(f"hinge: a target must be -1 or 1, not {t:g}; for 0 and 1 give 2*y - 1")
    return sum(relu(1.0 - t * s) for s, t in pairs)


LOSSES: dict[str, Loss] = {
    loss.__name__: loss
    for loss in (
        binary_cross_entropy,
        binary_cross_entropy_with_logits,
        cross_entropy,
        hinge,
        log_loss,
        mean_squared_error,
    )
}


def loss_named(loss: str | Loss) -> Loss:
    """Return a loss by its name.

    Raises:
        ValueError: no loss has that name.
    """
    chosen: Loss = named("loss", loss, LOSSES, "(output, target)", hints.LOSSES)
    return chosen


def _pairs(name: str, outputs: Tree, targets: Tree, probabilities: bool = False) -> list[tuple[Any, Any]]:
    """Pair the outputs of one example with their targets. Targets are floats, except the inputs of a program."""
    ours, theirs = _list(outputs), [t if isinstance(t, Value) else number(name, t) for t in _list(targets)]
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"{name}: {counted(len(ours), 'output')}, but {counted(len(theirs), 'target')}")
    for t in map(number_of, theirs):
        if probabilities and not 0.0 <= t <= 1.0:
            hint = "; for -1 and 1 give (y + 1)/2" if t == -1.0 else ""
            raise ValueError(f"{name}: a target must be from 0 to 1, not {t:g}{hint}")
    return list(zip(ours, theirs, strict=True))


def _list(x: Tree) -> list[Any]:
    return list(x) if hasattr(x, "__len__") and getattr(x, "ndim", None) != 0 else [x]
