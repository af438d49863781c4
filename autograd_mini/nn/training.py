"""The training loop.

This module owns epochs, batches, progress and the errors of training. It asks `diagnosis` for their causes.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from ..diagnosis import find_cause
from ..given import count
from ..hints import FIT, keywords
from ..settings import is_recording
from ..structure import Tree, flatten
from ..sums import dot
from ..value import Value
from . import optimizers
from .cost import Examples, Net, Target, loss_of, mean_loss, numbers_of, pairs_of
from .history import History
from .initializers import Rng, generator
from .losses import LOSSES, Loss, loss_named
from .module import Module
from .optimizers import Adam, Optimizer

if TYPE_CHECKING:
    from ..program.arguments import Numbers
    from ..program.batch import Repeated


class TrainingError(ArithmeticError):
    """The cost or the gradient became nan or inf in training. That step did not change the parameters."""


@keywords(FIT)
def fit(
    net: Net,
    X: Examples,
    y: Examples,
    *,
    loss: str | Loss = "binary_cross_entropy",
    optimizer: Optimizer | None = None,
    epochs: int = 100,
    batch_size: int | None = None,
    rng: Rng = None,
    stop: Callable[[History], object] | None = None,
    progress: bool = True,
    compiled: bool = False,
) -> History:
    """Train a net: move its parameters against the gradient of the cost over the examples.

    Ctrl-C ends the training early and keeps the parameters of that moment.

    Args:
        net: a module, or any function of one example's inputs if the optimizer holds its parameters.
        X: the inputs, an example in each row: m by n_x.
        y: the m targets.
        loss: a name or a function of an output and its target.
        optimizer: None is `Adam(net, lr=0.05)`.
        epochs: the number of passes through all examples.
        batch_size: the number of examples for one step, shuffled in each epoch. None takes all at once.
        rng: a `random.Random`, a NumPy `Generator` or a seed for the shuffle.
        stop: a function of the history, called after each epoch. Training ends if it returns True.
        progress: show a bar on stderr, or in the page of a notebook.
        compiled: run the loss of an example as a program, see `autograd_mini.compile`. This is much faster, and the
            history is the same except for rounding. A loss of your own then gets targets that are Values.

    Raises:
        ValueError: the data or an argument is wrong. Nothing has changed.
        TrainingError: the cost or a gradient became nan or inf, or left a function's domain. The message names the
            cause. The parameters are as before that step.

    >>> from autograd_mini import nn
    >>> X, y = nn.datasets.blobs(20, rng=0)
    >>> net = nn.two_layer_net(2, 2, rng=1)
    >>> history = nn.fit(net, X, y, epochs=30, progress=False)
    >>> history["cost"][-1] < history["cost"][0] / 2, nn.accuracy(net, X, y)
    (True, 1.0)
    """
    inputs, targets = pairs_of(X, y)
    compare = loss_named(loss)
    m = len(inputs)
    size = m if batch_size is None else count("fit: batch_size", batch_size)
    epochs = count("fit: epochs", epochs, least=0)
    optimizer = _optimizer(net, optimizer)
    if stop is not None and not callable(stop):
        raise TypeError(f"fit: stop must be a function of the history, not {stop!r}")
    if not is_recording():
        raise RuntimeError("fit: there is no gradient inside no_grad(); call fit outside of it")
    source = generator(rng)
    _check_targets(net, inputs[0], targets, compare)

    def eager(chosen: list[int]) -> Value:
        return mean_loss(net, [inputs[i] for i in chosen], [targets[i] for i in chosen], compare)

    cost: Callable[[list[int]], Value] = eager
    arrays: _Arrays | None = None
    if compiled:
        numbers = numbers_of(X)  # the inputs as an array already, if X is one
        cost, arrays = _compiled(net, inputs if numbers is None else numbers, targets, compare, optimizer, eager)
    order = list(range(m))
    history = History(cost=[], lr=[], stopped="epochs")
    with _bar(epochs, progress) as bar:
        try:
            for epoch in range(1, epochs + 1):
                if size < m:
                    source.shuffle(order)
                total = 0.0
                with arrays or nullcontext():
                    for first in range(0, m, size):
                        chosen = order[first : first + size]
                        J = arrays.step(chosen) if arrays is not None else None
                        if J is None:
                            where = f"fit: epoch {epoch}, step {first // size + 1}"
                            with arrays.aside() if arrays is not None else nullcontext():
                                J = _step(partial(cost, chosen), optimizer, where)
                        total += J * len(chosen)
                history["cost"].append(total / m)
                history["lr"].append(optimizer.used)
                bar.set_postfix(cost=f"{total / m:.4g}", refresh=False)
                bar.update()
                if stop is not None and stop(history):
                    history["stopped"] = "stop"
                    break
        except KeyboardInterrupt:
            history["stopped"] = "interrupted"
            del history["cost"][len(history["lr"]) :]
    return history


def _step(cost: Callable[[], Value], optimizer: Optimizer, where: str) -> float:
    """Take one step, and return the cost before it."""
    first: float | None = None
    last: Value | None = None
    optimizer.rate()  # a bad schedule is not the net's fault

    def closure() -> Value:
        nonlocal first, last
        last = None
        last = J = cost()
        if first is None:
            first = J.data
        if not math.isfinite(J.data):
            raise ArithmeticError(f"the cost is {J.data}")
        return J

    try:
        optimizer.step(closure)
    except (ArithmeticError, ValueError) as error:
        why = find_cause(last) if last is not None else None
        told = f". {why}" if why else ""
        raise TrainingError(f"{where}: {error}; the parameters are as before this step{told}") from error
    assert first is not None
    return first


class _Held(Module):
    """The trained parameters as an argument of a program."""

    def __init__(self, parameters: list[Value]) -> None:
        self.held = parameters

    def parameters(self) -> list[Value]:
        """Return the parameters without a search."""
        return self.held

    def _entries(self) -> list[tuple[str, Tree]]:
        return [("held", self.held)]


class _Arrays:
    """The parameters and the optimizer's state in arrays, during an epoch of compiled training.

    They are in the arrays inside a `with` block. At its end, also after an error or Ctrl-C, they are written back.
    """

    def __init__(self, optimizer: Optimizer, held: list[Value], X: Numbers, Y: Numbers, repeated: Repeated) -> None:
        import numpy as np

        self._np, self._optimizer, self._held = np, optimizer, held
        self._X, self._Y, self._repeated = X, Y, repeated

    def __enter__(self) -> Self:
        array, optimizer = self._np.array, self._optimizer
        self._others = array([parameter.data for parameter in self._held[len(optimizer.parameters) :]], dtype=float)
        self._g: Any = None
        x = array([parameter.data for parameter in optimizer.parameters], dtype=float)
        self._now: tuple[Any, ...] = x, [array(v) for v in optimizer.state()], optimizer.taken, optimizer.used
        return self

    def __exit__(self, *_: object) -> None:
        if self._g is None:  # nothing was done
            return
        x, state, taken, used = self._now
        self._optimizer._assign(x.tolist(), tuple([v.tolist() for v in state]), taken, used)
        for parameter, slope in zip(self._optimizer.parameters, self._g.tolist(), strict=True):
            parameter.grad = slope

    def step(self, chosen: list[int]) -> float | None:
        """Take a step, and return the cost before it. If a number is not finite, change nothing and return None."""
        np, optimizer = self._np, self._optimizer
        x, state, optimizer.taken, optimizer.used = self._now
        rate = optimizer.rate()
        try:
            losses, total = self._repeated(np.concatenate([x, self._others]), self._X[chosen], self._Y[chosen])
        except ValueError:  # the loss branches on numbers, and a Value that it uses was assigned
            return None
        J, g = float(losses.sum()) / len(chosen), total[: len(x)] / len(chosen)
        with np.errstate(all="ignore"):
            moved, *after = optimizer.rule(rate, np.sqrt)(x, g, *state)
        if not (math.isfinite(J) and all(np.isfinite(v).all() for v in (g, moved, *after))):
            return None
        self._g, self._now = g, (moved, after, optimizer.taken + 1, rate)
        return J

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Write the arrays back for a step on Values, and read them again after it."""
        self.__exit__()
        self._g = None
        yield
        self.__enter__()


def _compiled(
    net: Net,
    inputs: Numbers | list[list[float]],
    targets: list[Target],
    compare: Loss,
    optimizer: Optimizer,
    eager: Callable[[list[int]], Value],
) -> tuple[Callable[[list[int]], Value], _Arrays | None]:
    """Return two ways to train by a program for one example: on Values, and on arrays if this is possible.

    The first returns a node for the cost. Its partials are the program's gradient.
    """
    try:
        import numpy as np
    except ModuleNotFoundError as error:
        raise ImportError('fit: compiled=True needs NumPy: pip install ".[fast]"', name="numpy") from error

    from ..program import compile
    from ..program.batch import Repeated

    def of_example(held: _Held, x: Tree, target: Tree) -> Value:
        return loss_of(compare, net(list(x)), list(target) if hasattr(target, "__len__") else target)

    parameters = optimizer.parameters
    # Other parameters, which the optimizer does not hold, may change as well.
    every = list(dict.fromkeys([*parameters, *(net.parameters() if isinstance(net, Module) else ())]))
    held, X, Y = _Held(every), np.array(inputs, dtype=float), np.array(targets, dtype=float)
    batched = compile(of_example).vmap((None, 0, 0))

    def cost(chosen: list[int]) -> Value:
        losses, gradient = batched.value_and_grad(held, X[chosen], Y[chosen])
        mean = float(losses.sum()) / len(chosen)
        if not math.isfinite(mean):
            return eager(chosen)  # this raises the error that says why
        J: Value = dot([slope / len(chosen) for slope in gradient["held"][: len(parameters)]], parameters)
        J.data = mean
        return J

    if not optimizer.elementwise:
        return cost, None
    try:
        repeated = Repeated(batched, held, X[:1], Y[:1])
    except ValueError:  # the loss branches on numbers or has no value here; the way on Values gives the reason
        return cost, None
    return cost, _Arrays(optimizer, every, X, Y, repeated)


def _optimizer(net: Net, optimizer: Optimizer | None) -> Optimizer:
    if optimizer is None:
        if not isinstance(net, Module):
            raise TypeError(f"fit: give a module, or an optimizer that holds the parameters of {net!r}")
        return Adam(net, lr=0.05)
    if not isinstance(optimizer, Optimizer):
        known = [kind for kind in vars(optimizers).values() if isinstance(kind, type) and issubclass(kind, Optimizer)]
        kinds = {kind.__name__.lower(): kind.__name__ for kind in known if kind is not Optimizer}
        name = optimizer if isinstance(optimizer, str) else getattr(optimizer, "__name__", "")
        kind = kinds.get(name.lower(), "Adam")
        given = "LBFGS(net)" if kind == "LBFGS" else f"{kind}(net, lr=0.05)"
        raise TypeError(f"fit: optimizer must be an object such as nn.{given}, not {optimizer!r}")
    if isinstance(net, Module) and not set(net.parameters()) & set(optimizer.parameters):
        raise ValueError("fit: the optimizer holds no parameter of this net: make the optimizer after the net")
    return optimizer


def _check_targets(net: Net, x: list[float], targets: list[Target], compare: Loss) -> None:
    """Raise an error for a target that the loss does not take, before any parameter changes."""
    outputs, structure = flatten(net(x))
    if compare in LOSSES.values():
        neutral = structure.rebuild(Value(0.5) for _ in outputs)
        firsts: dict[Hashable, int] = {}  # equal targets are checked once
        for i, target in enumerate(targets):
            firsts.setdefault(tuple(target) if isinstance(target, list) else target, i)
        for i in firsts.values():
            target = targets[i]
            try:
                compare(neutral, target)
            except ValueError as error:
                raise ValueError(f"y, row {i}: {error}") from None


def _bar(epochs: int, progress: bool) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notebook without ipywidgets gets a bar of text
        from tqdm.auto import tqdm

        # A notebook shows text on stderr as an error, on red.
        file = sys.stdout if _is_notebook() else None
        return tqdm(total=epochs, desc="fit", unit="epoch", disable=not progress, file=file)


def _is_notebook() -> bool:
    """Return whether this process is a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
