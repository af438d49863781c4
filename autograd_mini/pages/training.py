r"""A page that trains a net: gradient descent in the browser, with the numbers of `nn.fit`.

`equations` writes the loss of an example and its gradient as JavaScript, and `neurons` places the net. The JavaScript
files define the behaviour of the page: `trainer.js` has the numbers, `training.js` the state and the controls, and the
other scripts paint.
"""

from __future__ import annotations

import math
from typing import Any

from ..nn.cost import pairs_of
from ..nn.layers import index
from ..nn.losses import Loss, loss_named
from ..nn.module import Module
from ..nn.optimizers import SGD, Optimizer
from ..node import primal
from ..pictures.theme import CLASSES
from ..pictures.typeset import Typeset
from ..settings import is_recording
from ..traces import Trace
from ..value import Value
from .equations import Recorded, as_script, loss_function, output_function
from .facts import as_json
from .neurons import board_facts
from .page import Explorer, page, part, require_precision
from .rows import Rows
from .templates import markup

SCRIPTS = (
    "dice",
    "trainer",
    "tools",
    "svg",
    "zoom",
    "numbers",
    "palette",
    "axes",
    "output",
    "cost",
    "planes",
    "board",
    "table",
    "training",
)
MAX_NUMBERS = 200_000  # numbers in X and y
HEIGHT = 900  # pixels of the frame in a notebook


def training_page(
    net: Module,
    X: Any,
    y: Any,
    *,
    loss: str | Loss = "binary_cross_entropy",
    optimizer: Optimizer | None = None,
    precision: int = 4,
) -> Explorer:
    """Make a page that trains a net in the browser, one step of gradient descent after the other.

    The arguments are those of `nn.fit`. The numbers are the same, too, except for rounding. The net does not change.

    Args:
        net: a module. The training starts at its present parameters.
        X: the inputs, an example in each row: m by n_x.
        y: the m targets.
        loss: a name or a function of an output and its target.
        optimizer: an `nn.SGD` without momentum that holds the parameters of the net. None is `nn.SGD(net, lr=0.1)`.
            The page starts with its learning rate.
        precision: the significant digits of numbers.

    Raises:
        TypeError: `net` is not a module, or an argument has the wrong type.
        ValueError: the data or an argument is wrong. Or the page cannot compute the net, because it branches on its
            numbers, is random, has an op without JavaScript, or is too large.

    >>> from autograd_mini import nn
    >>> X, y = nn.datasets.blobs(20, rng=0)
    >>> training_page(nn.two_layer_net(2, 2, rng=1), X, y, optimizer=nn.SGD(nn.two_layer_net(2, 2), lr=0.5))
    Traceback (most recent call last):
        ...
    ValueError: explore: the optimizer must hold the parameters of this net: make the optimizer after the net
    >>> training_page(nn.two_layer_net(2, 2, rng=1), X, y)
    <Explorer of net: save('net.html')>
    """
    if not isinstance(net, Module):
        raise TypeError(f"explore: give a module, not {net!r} of type {type(net).__name__}")
    require_precision("explore", precision)
    if not is_recording():
        raise RuntimeError("explore: there is no gradient inside no_grad(); call explore outside of it")
    inputs, targets = pairs_of(X, y)
    compare = loss_named(loss)
    parameters = net.parameters()
    rate, decay = _descent(net, parameters, optimizer)
    names = _names(net)
    _require_finite(names, parameters)
    _require_few(inputs, targets)
    recorded = Recorded(net, compare, parameters, inputs, targets)
    board, neurons = board_facts(net, parameters, inputs[0])
    loss_name = getattr(compare, "__name__", "a function")
    facts = {
        "precision": precision,
        "loss": loss_name.replace("_", " "),
        "rate": rate,
        "decay": decay,
        "parameters": [{"name": _name(name), "start": primal(x)} for name, x in zip(names, parameters, strict=True)],
        "biases": sorted({k for box in board["boxes"] for k in box["biases"]}) if board else [],
        "inputs": [_name(f"x_{index(k)}") for k in range(1, len(inputs[0]) + 1)],
        "X": inputs,
        "y": targets,
        "kinds": [kind.examples for kind in recorded.kinds],
        "outputs": recorded.count,
        "equations": sum(len(kind.trace.equations) for kind in recorded.kinds),
        "classes": _classes(loss_name, recorded.count, targets),
        "cost": recorded.cost,
        "slopes": recorded.slopes,
        "board": board,
        "palette": CLASSES,
    }
    parts = {
        "facts": as_json(facts),
        "rows": _script(recorded, neurons, len(parameters)),
    }
    title = f"Train {_shortened(repr(net))}"
    return Explorer("net", page("training", title, part("training.css"), SCRIPTS, parts), HEIGHT)


def _require_finite(names: list[str], parameters: list[Value]) -> None:
    for name, x in zip(names, parameters, strict=True):
        if not math.isfinite(primal(x)):
            raise ValueError(f"explore: the parameter {name} is {primal(x)}")


def _require_few(inputs: list[list[float]], targets: list[Any]) -> None:
    """Raise an error for targets of different lengths, and for more numbers than fit a page."""
    widths = {len(t) if isinstance(t, list) else 0 for t in targets}
    if len(widths) > 1:
        raise ValueError("y: targets of different lengths")
    if (numbers := len(inputs) * (len(inputs[0]) + max(1, *widths))) > MAX_NUMBERS:
        raise ValueError(f"explore: X and y have {numbers:,} numbers, and at most {MAX_NUMBERS:,} fit a page")


def _script(recorded: Recorded, neurons: Trace | None, n: int) -> str:
    """Write the functions of the losses, of the outputs and of the neurons' outputs, over n parameters."""
    rows = Rows()
    losses = [loss_function(rows, kind.trace, n) for kind in recorded.kinds]
    outputs = output_function(rows, recorded.prediction, n)
    return as_script(rows, losses, outputs, "null" if neurons is None else output_function(rows, neurons, n))


def _descent(net: Module, parameters: list[Value], optimizer: Optimizer | None) -> tuple[float, float]:
    """Return the learning rate and the weight decay of plain gradient descent."""
    if not parameters:
        raise ValueError("explore: the net has no parameters")
    if optimizer is None:
        optimizer = SGD(net)
    if not isinstance(optimizer, SGD):
        name = type(optimizer).__name__ if isinstance(optimizer, Optimizer) else repr(optimizer)
        error = ValueError if isinstance(optimizer, Optimizer) else TypeError
        raise error(f"explore: the page trains by gradient descent, so that the optimizer is an nn.SGD, not {name}")
    if optimizer.momentum:
        raise ValueError(f"explore: the page has no momentum, but the optimizer has {optimizer.momentum:g}")
    if callable(optimizer.lr):
        raise ValueError("explore: the learning rate is set in the page: give the optimizer a number as lr")
    if {*optimizer.parameters} != {*parameters}:
        raise ValueError(
            "explore: the optimizer must hold the parameters of this net: make the optimizer after the net"
        )
    return optimizer.rate(), optimizer.weight_decay


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _names(net: Module) -> list[str]:
    """Return the names of the parameters, in order: their labels, or their paths if labels are missing or equal."""
    paths: dict[Value, str] = {}
    for path, x in net.named_parameters():
        paths.setdefault(x, path)
    labels = [x.label for x in paths]
    unique = all(labels) and len(set(labels)) == len(labels)
    return labels if unique else list(paths.values())


def _name(label: str) -> str:
    return markup(Typeset.name(label).string)


def _classes(loss: str, outputs: int, targets: list[Any]) -> dict[str, Any] | None:
    """Return the page's rule for classes, which is that of `nn.accuracy`. None means that targets are not classes.

    If there are several outputs, the largest gives the class, and a target is a class or a probability for each. A
    single output is compared with a threshold, and the classes are its two sides.
    """
    if outputs > 1:
        of: list[int] = []
        for t in targets:
            if isinstance(t, list) and len(t) == outputs and set(t) == {0.0, 1.0} and math.fsum(t) == 1.0:
                of.append(t.index(1.0))
            elif not isinstance(t, list) and t in range(outputs):
                of.append(int(t))
            else:
                return None
        return {"threshold": None, "names": [str(k) for k in range(outputs)], "of": of}
    kinds = set(targets) if not any(isinstance(t, list) for t in targets) else set()
    if not kinds or not (kinds <= {0.0, 1.0} or kinds <= {-1.0, 1.0}):
        return None
    signed = -1.0 in kinds or loss in ("hinge", "binary_cross_entropy_with_logits")
    low = "−1" if -1.0 in kinds or loss == "hinge" else "0"
    return {"threshold": 0.0 if signed else 0.5, "names": [low, "1"], "of": [int(t > 0) for t in targets]}
