"""A first call in a new process, which `programs.py` starts and times: value and gradient, until the numbers are there.

    python tests/benchmarks/first_calls.py WORK [--jax] < arguments

The clock starts after `import autograd_mini, numpy`, or with --jax after `import jax`. Arguments are a pickled tuple.
Printed are the seconds. This module imports nothing else of the package, so that a first call has all to do.
"""

from __future__ import annotations

import pickle
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gpt import GPT, Functions

import autograd_mini as ag

FORMULA, MOONS, LOGISTIC, DOCUMENT = "J = 3(a + bc)", "moons", "logistic regression, a batch", "GPT, a document"


def J(a: Any, b: Any, c: Any) -> Any:
    """Return the formula of the text."""
    return 3.0 * (a + b * c)


def net(relu: Any) -> Callable[..., Any]:
    """Return the hinge loss of a 2-16-16-1 net over a library's relu of arrays."""

    def loss(p: Any, X: Any, y: Any) -> Any:
        hidden = relu(X @ p["W1"].T + p["b1"])
        hidden = relu(hidden @ p["W2"].T + p["b2"])
        return relu(1.0 - y * (hidden @ p["W3"].T + p["b3"])[:, 0]).mean()

    return loss


def logistic(softplus: Any) -> Callable[..., Any]:
    """Return the loss of one example, whose y is 1 or -1, over a library's softplus."""
    return lambda w, b, x, y: softplus(-y * (w @ x + b))


def gpt_loss(parameters: Any, document: Sequence[int]) -> Any:
    """Return the loss of the GPT in scalars, with the parameters that it is given."""
    model = GPT(float, Functions(ag.exp, ag.log, ag.relu)).with_matrices(parameters)
    return model.loss(document)


AXES = None, None, 0, 0  # of a batch for the logistic regression
OURS: dict[str, Callable[..., Any]] = {
    FORMULA: lambda *args: ag.compile(J).value_and_grad(*args, argnums=(0, 1, 2)),
    MOONS: lambda *args: ag.compile(net(np.frompyfunc(ag.relu, 1, 1))).value_and_grad(*args),
    LOGISTIC: lambda *args: ag.compile(logistic(ag.softplus)).vmap(AXES).value_and_grad(*args, argnums=(0, 1)),
    DOCUMENT: lambda *args: ag.compile(gpt_loss, static_argnums=1).value_and_grad(*args),
}


def with_jax(work: str, args: Any) -> Callable[[], Any]:
    """Return the same work by JAX's jit, on arrays that are on its device already."""
    import programs

    peers = programs.compilers("jax")
    nn = peers["jax"].nn
    if work == FORMULA:
        return programs.with_jax(peers, J, *args, argnums=(0, 1, 2))
    if work == MOONS:
        return programs.with_jax(peers, net(nn.relu), *args)
    if work == DOCUMENT:
        loss = programs.tensor_gpt(nn.softmax, nn.log_softmax, nn.relu)
        return programs.with_jax(peers, loss, args[0], *programs.gpt_arrays(args[1]))
    each = peers["jax"].vmap(logistic(nn.softplus), AXES)
    return programs.with_jax(peers, lambda *args: each(*args).sum(), *args, argnums=(0, 1))


def main() -> None:
    """Print the seconds of one first call."""
    work, *peer = sys.argv[1:]
    args = pickle.load(sys.stdin.buffer)
    run = with_jax(work, args) if peer else lambda: OURS[work](*args)
    warnings.simplefilter("ignore", ag.TraceWarning)  # softmax takes out the largest logit as a number
    started = time.perf_counter()
    run()
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
