"""The cost, the outputs and the accuracy of a net on many examples.

This module owns the checks of data with an example in each row. It must not know training.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any, TypeAlias

from ..ops import number
from ..printing import counted
from ..settings import no_grad
from ..structure import Tree, flatten
from ..sums import sum
from ..value import Value
from .layers import index
from .losses import Loss, loss_named
from .module import Module

Net: TypeAlias = Callable[[Any], Any]  # a module, or a function of the inputs of one example
Examples: TypeAlias = Any  # inputs or targets: a list or an array with a row for each example, or a table of pandas
Target: TypeAlias = float | list[float]


def cost(net: Net, X: Examples, y: Examples, loss: str | Loss = "log_loss") -> Value:  # the text's name
    r"""Return $J = \frac1m \sum_{i=1}^m L(\hat y^{(i)}, y^{(i)})$, every node with its name in the text.

    The inputs are leaves $x_k^{(i)}$, so the picture shows them. For one example, (i) is left out.

    Args:
        net: a module, or any function of one example's inputs. If a module has an argument `example`, it gets the
            number of the example.
        X: the inputs, an example in each row: m by n_x.
        y: the m targets.
        loss: the name or the function that compares an output with its target. The default is the text's formula, which
            the picture shows. `binary_cross_entropy` is also safe if the sigmoid is saturated.

    Raises:
        ValueError: there are no examples, a different number of targets, or rows of different lengths.

    >>> from autograd_mini import nn
    >>> net = nn.two_layer_net(2, 2, init="zeros")
    >>> J = nn.cost(net, [[0.0, 1.0], [1.0, 1.0]], [0, 1])
    >>> J.label, round(J.data, 6), [x.label for x in J.parents[0].parents]
    ('J', 0.693147, ['L(1)', 'L(2)'])
    """
    inputs, targets = pairs_of(X, y)
    compare = loss_named(loss)
    several = len(inputs) > 1
    numbered = several and isinstance(net, Module) and "example" in signature(net).parameters
    losses = []
    for i, (x, target) in enumerate(zip(inputs, targets, strict=True), 1):
        of = f"({i})" if several else ""
        leaves = [Value(v, f"x_{index(k)}{of}") for k, v in enumerate(x, 1)]
        output = net(leaves, example=i) if numbered else net(leaves)  # type: ignore[call-arg]
        losses.append(loss_of(compare, output, target))
        losses[-1].label = f"L{of}"
    J = _mean(losses)
    J.label = "J"
    return J


def mean_loss(net: Net, inputs: list[list[float]], targets: list[Target], compare: Loss) -> Value:
    """Return the cost of checked examples, without names for nodes. Training computes this."""
    return _mean([loss_of(compare, net(x), target) for x, target in zip(inputs, targets, strict=True)])


def loss_of(compare: Loss, output: Tree, target: Tree) -> Value:
    """Return the loss of one output.

    Raises:
        TypeError: the loss is a plain number, which has no derivative.
    """
    term = compare(output, target)
    if not isinstance(term, Value):
        raise TypeError(f"cost: the loss must return a Value, not {term!r}; check that the net uses its parameters")
    return term


def _mean(losses: list[Value]) -> Value:
    return losses[0] if len(losses) == 1 else sum(losses) / len(losses)


def predict(net: Net, X: Examples, *, compiled: bool = False) -> list[Tree]:
    """Return the net's output for each example as floats: probabilities or scores, unchanged.

    Args:
        compiled: run the net as a program on all examples, see `autograd_mini.compile`: faster for many examples, and
            the same except for rounding.

    >>> from autograd_mini import nn
    >>> nn.predict(nn.two_layer_net(2, 3, init="zeros"), [[1.0, 2.0], [3.0, 4.0]])
    [0.5, 0.5]
    """
    inputs = inputs_of(X)
    if compiled:
        return _by_program(net, inputs)
    with no_grad():
        return [_floats(net(x)) for x in inputs]


def _by_program(net: Net, inputs: list[list[float]]) -> list[Tree]:
    """Return the outputs for all examples by one program. The parameters of a module are inputs of it, too."""
    try:
        import numpy as np
    except ModuleNotFoundError as error:
        raise ImportError('predict: compiled=True needs NumPy: pip install ".[fast]"', name="numpy") from error

    from ..program import compile

    X = np.array(inputs, dtype=float)
    with no_grad():
        if isinstance(net, Module):
            outputs = compile(lambda net, x: net(list(x))).vmap((None, 0))(net, X)
        else:
            outputs = compile(lambda x: net(list(x))).vmap()(X)
    columns, structure = flatten(outputs, lambda part: isinstance(part, np.ndarray))
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [_floats(structure.rebuild(row)) for row in rows]


def accuracy(net: Net, X: Examples, y: Examples, threshold: float | None = None, *, compiled: bool = False) -> float:
    """Return the share of examples with the right class, from 0 to 1.

    If the net has several outputs, the largest gives the class. A single output is compared with the threshold.

    Args:
        y: the classes: numbers from 0 on for several outputs; 0 and 1 for one output, or other pairs with the threshold
            between them.
        threshold: 0.5 for probabilities of classes 0 and 1. Use 0 for logits, and for scores of -1 and 1.
        compiled: run the net as a program on all examples; see `predict`.

    Raises:
        ValueError: a target is not a class.

    >>> from autograd_mini import nn
    >>> nn.accuracy(lambda x: x[0], [[0.9], [0.2], [0.7]], [1, 0, 0])
    0.6666666666666666
    """
    inputs, targets = pairs_of(X, y)
    outputs = predict(net, inputs, compiled=compiled)
    right = 0
    for i, (output, target) in enumerate(zip(outputs, targets, strict=True)):
        if isinstance(output, list):
            k = target.index(max(target)) if isinstance(target, list) else target
            if k not in range(len(output)):
                raise ValueError(f"y, row {i}: {k:g} is not a class from 0 to {len(output) - 1}")
            right += output.index(max(output)) == k
        elif isinstance(target, list):
            raise ValueError(f"y, row {i}: the net has one output, but the target is {target}")
        elif threshold is None and target not in (0.0, 1.0):
            raise ValueError(f"y, row {i}: {target:g} is not a class 0 or 1; for -1 and 1 give threshold=0")
        else:
            at = 0.5 if threshold is None else threshold
            right += (output > at) == (target > at)
    return right / len(inputs)


def inputs_of(X: Examples) -> list[list[float]]:
    """Return checked inputs as rows of finite floats.

    Raises:
        ValueError: there are no inputs, or rows have different lengths. The message names the row.
        TypeError: an input is not a number.
    """
    if (numbers := numbers_of(X)) is not None and numbers.ndim == 2:
        return numbers.tolist()  # type: ignore[no-any-return]
    rows: list[list[float]] = []
    for i, row in enumerate(_rows("X", X)):
        if not _is_row(row):
            raise ValueError(f"X: expected a row of inputs for each example, as [[1.0], [2.0]], but row {i} is {row!r}")
        rows.append([_finite(f"X, row {i}", x) for x in row])
        if len(rows[i]) != len(rows[0]):
            raise ValueError(f"X: row {i} has {counted(len(rows[i]), 'input')}, but row 0 has {len(rows[0])}")
    if not rows:
        raise ValueError("X: there are no examples")
    return rows


def pairs_of(X: Examples, y: Examples) -> tuple[list[list[float]], list[Target]]:
    """Return checked inputs and targets. A target is a float, or a list if it has several numbers.

    Raises:
        ValueError: as in `inputs_of`, or the number of targets is another.
    """
    inputs = inputs_of(X)
    numbers = numbers_of(y)
    targets: list[Any]
    if numbers is not None and numbers.ndim in (1, 2):
        targets = numbers.tolist()
    elif (floats := _floats_of(y)) is not None:
        targets = floats
    else:
        targets = [
            [_finite(f"y, row {i}", t) for t in row] if _is_row(row) else _finite(f"y, row {i}", row)
            for i, row in enumerate(_rows("y", y))
        ]
    targets = [t[0] if isinstance(t, list) and len(t) == 1 else t for t in targets]
    if len(targets) != len(inputs):
        raise ValueError(
            f"y: {counted(len(targets), 'target')} for {counted(len(inputs), 'example')}; an example is a row of X"
        )
    return inputs, targets


def numbers_of(data: Examples) -> Any:
    """Return a NumPy array of finite numbers as floats, or None for other data, which is read number by number."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and type(data) is numpy.ndarray and data.dtype.kind in "fiu" and data.size:
        floats = data.astype(float)
        if math.isfinite(floats.min()) and math.isfinite(floats.max()):
            return floats
    return None


def _floats_of(data: Examples) -> list[float] | None:
    """Return a list of ints and floats as finite floats, or None for other data, which is read number by number."""
    if type(data) is not list or not {*map(type, data)} <= {int, float}:
        return None
    try:
        floats = list(map(float, data))
    except OverflowError:  # an int beyond the floats
        return None
    return floats if all(map(math.isfinite, floats)) else None


def _rows(name: str, data: Examples) -> Iterator[Any]:
    if hasattr(data, "to_numpy"):  # a table of pandas or Polars: a loop over it gives the names of columns
        data = data.to_numpy()
    try:
        return iter(data)
    except TypeError:
        raise TypeError(f"{name}: expected a list or an array, with a row for each example, not {data!r}") from None


def _is_row(row: object) -> bool:
    return hasattr(row, "__len__") and not isinstance(row, (str, bytes)) and getattr(row, "ndim", 1) != 0


def _finite(what: str, x: Any) -> float:
    if _is_row(x):
        raise ValueError(f"{what}: expected numbers, not {x!r}")
    if isinstance(x, Value):
        raise TypeError(f"{what}: expected a number, not {x!r}, whose derivative would be lost: give its .data")
    plain = number(what, x)
    if not math.isfinite(plain):
        raise ValueError(f"{what}: expected finite numbers, not {plain}")
    return plain


def _floats(output: Tree) -> Tree:
    """Return the output of a net with floats for its Values."""
    if isinstance(output, (list, tuple)):
        return [_floats(x) for x in output]
    return output.data if isinstance(output, Value) else number("predict", output)
