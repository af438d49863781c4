"""Batches and training beside other libraries on the same work, in one run.

    python tests/benchmarks/batches.py [rounds] [--threads N]

Values and gradients of batches through `vmap`, beside NumPy by hand, JAX's jit and PyTorch; and `nn.fit` beside
PyTorch's Adam. Every peer gives the same numbers first, and is then timed in turns. --threads is the number of threads
that NumPy's BLAS, JAX and PyTorch may use; ours takes one for these.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

if __name__ == "__main__":  # before the libraries are imported, which read it then
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    for name in ("OPENBLAS", "OMP", "MKL"):
        os.environ[f"{name}_NUM_THREADS"] = str(asked.threads)
    if asked.threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import engines
import numpy as np
from engines import medians, table
from programs import JAX, OURS, TORCH, Peers, Run, Work, compilers, race, with_jax

import autograd_mini as ag
from autograd_mini import nn

Parameters = dict[str, Any]


def digits(examples: int) -> tuple[Any, ...]:
    """Return random weights of a 64-32-10 net, and as many inputs and classes as the digits of a batch have."""
    rng = np.random.default_rng(0)
    p = {
        "W1": rng.normal(size=(32, 64)) * 0.1,
        "b1": np.zeros(32),
        "W2": rng.normal(size=(10, 32)) * 0.1,
        "b2": np.zeros(10),
    }
    return p, rng.random((examples, 64)), rng.integers(0, 10, examples)


def digits_loss(p: Parameters, x: Any, y: Any) -> Any:
    """Return the softmax cross-entropy of one example."""
    return nn.cross_entropy(list(p["W2"] @ np.tanh(p["W1"] @ x + p["b1"]) + p["b2"]), y)


def digits_by_hand(p: Parameters, X: Any, y: Any) -> Any:
    """Return the sum of the losses, and its gradient, as the formulas on paper."""
    A = np.tanh(X @ p["W1"].T + p["b1"])
    Z = A @ p["W2"].T + p["b2"]
    Z -= Z.max(axis=1, keepdims=True)
    E = np.exp(Z)
    S = E.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    value = (np.log(S[:, 0]) - Z[rows, y]).sum()
    dZ = E / S
    dZ[rows, y] -= 1.0
    dA = (dZ @ p["W2"]) * (1.0 - A * A)
    return value, {"W1": dA.T @ X, "b1": dA.sum(axis=0), "W2": dZ.T @ A, "b2": dZ.sum(axis=0)}


def digits_work(peers: Peers, examples: int) -> Work:
    """Return value and gradient of a batch of digits."""
    p, X, y = digits(examples)
    batched = ag.compile(digits_loss).vmap((None, 0, 0))

    def ours() -> Any:
        values, gradient = batched.value_and_grad(p, X, y)
        return values.sum(), gradient

    work: Work = {OURS: lambda: ours, "NumPy by hand": lambda: partial(digits_by_hand, p, X, y)}
    if "jax" in peers:
        jnp, jax_nn = peers["jax"].numpy, peers["jax"].nn

        def loss(p: Parameters, X: Any, y: Any) -> Any:
            Z = jnp.tanh(X @ p["W1"].T + p["b1"]) @ p["W2"].T + p["b2"]
            return -jax_nn.log_softmax(Z)[jnp.arange(len(y)), y].sum()

        work[JAX] = lambda: with_jax(peers, loss, p, X, y)
    if "torch" in peers:
        work[TORCH] = lambda: with_torch(peers["torch"], p, X, y)
    return work


def with_torch(torch: Any, p: Parameters, X: Any, y: Any) -> Run:
    """Return value and gradient of a batch of digits by PyTorch."""
    q = {name: torch.tensor(w, requires_grad=True) for name, w in p.items()}
    inputs, classes = torch.tensor(X), torch.tensor(y)

    def run() -> Any:
        Z = torch.tanh(inputs @ q["W1"].T + q["b1"]) @ q["W2"].T + q["b2"]
        value = torch.nn.functional.cross_entropy(Z, classes, reduction="sum")
        slopes = torch.autograd.grad(value, list(q.values()))
        return value, dict(zip(q, slopes, strict=True))

    return run


def logistic_work(peers: Peers, examples: int = 500, inputs: int = 30) -> Work:
    """Return value and gradient of a logistic regression over a batch."""
    rng = np.random.default_rng(1)
    w, b, X, y = rng.normal(size=inputs), 0.1, rng.normal(size=(examples, inputs)), rng.choice([-1.0, 1.0], examples)
    batched = ag.compile(lambda w, b, x, y: ag.softplus(-y * (w @ x + b))).vmap((None, None, 0, 0))

    def ours() -> Any:
        values, slopes = batched.value_and_grad(w, b, X, y, argnums=(0, 1))
        return values.sum(), *slopes

    def by_hand() -> Any:
        z = -y * (X @ w + b)
        d = -y / (1.0 + np.exp(-z))
        return np.logaddexp(0.0, z).sum(), d @ X, d.sum()

    work: Work = {OURS: lambda: ours, "NumPy by hand": lambda: by_hand}
    if "jax" in peers:
        softplus = peers["jax"].nn.softplus
        work[JAX] = lambda: with_jax(
            peers, lambda w, b, X, y: softplus(-y * (X @ w + b)).sum(), w, b, X, y, argnums=(0, 1)
        )
    return work


def lorenz(steps: int) -> Callable[[Any], Any]:
    """Return a point of the Lorenz system after steps of Runge and Kutta, as a function of its start and constants."""

    def slope(point: Sequence[Any], s: Any, r: Any, b: Any) -> tuple[Any, ...]:
        x, y, z = point
        return s * (y - x), x * (r - z) - y, x * y - b * z

    def f(inputs: Any) -> Any:
        *point, s, r, b = inputs
        h = 0.01
        for _ in range(steps):
            k1 = slope(point, s, r, b)
            k2 = slope([u + 0.5 * h * k for u, k in zip(point, k1, strict=True)], s, r, b)
            k3 = slope([u + 0.5 * h * k for u, k in zip(point, k2, strict=True)], s, r, b)
            k4 = slope([u + h * k for u, k in zip(point, k3, strict=True)], s, r, b)
            point = [
                u + h / 6.0 * (a + 2.0 * c + 2.0 * d + e) for u, a, c, d, e in zip(point, k1, k2, k3, k4, strict=True)
            ]
        return point[0] * point[0] + point[1] + point[2]

    return f


def lorenz_work(peers: Peers, steps: int = 300) -> Work:
    """Return value and gradient of the Lorenz system in its six inputs."""
    at, f = np.array([1.0, 1.0, 1.0, 10.0, 28.0, 8.0 / 3.0]), lorenz(steps)
    compiled = ag.compile(f)
    work: Work = {OURS: lambda: partial(compiled.value_and_grad, at)}
    if "casadi" in peers:
        casadi = peers["casadi"]
        x = casadi.SX.sym("x", 6)
        J = f([x[i] for i in range(6)])
        both = casadi.Function("f", [x], [J, casadi.gradient(J, x)])

        def run() -> Any:
            value, gradient = both(at)
            return float(value), np.array(gradient).ravel()

        work["CasADi SX"] = lambda: run
    return work


def fit(torch: Any, epochs: int = 5, size: int = 128) -> None:
    """Train the digits net with Adam, and print the seconds after a first fit."""
    p, X, y = digits(1797)
    net = nn.MLP(64, [32, 10], "tanh", rng=0)
    classes = y.tolist()

    def ours() -> None:
        optimizer = nn.Adam(net, lr=0.001)
        nn.fit(
            net, X, classes, loss="cross_entropy", optimizer=optimizer, epochs=epochs, batch_size=size, rng=0,
            progress=False, compiled=True,
        )  # fmt: skip

    works: dict[str, Callable[[], Any]] = {f"{OURS}, nn.fit": ours}
    if torch is not None:
        works[TORCH] = partial(train_with_torch, torch, p, X, y, epochs, size)
    for work in works.values():
        work()
    table(f"fit, {epochs} epochs of 1,797 digits in batches of {size}", medians(works), next(iter(works)), 1e-3, "ms")


def train_with_torch(torch: Any, p: Parameters, X: Any, y: Any, epochs: int, size: int) -> None:
    """Train the digits net by PyTorch."""
    q = {name: torch.tensor(w, requires_grad=True) for name, w in p.items()}
    optimizer = torch.optim.Adam(q.values(), lr=0.001)
    inputs, classes = torch.tensor(X), torch.tensor(y)
    for _ in range(epochs):
        order = torch.randperm(len(y))
        for first in range(0, len(y), size):
            chosen = order[first : first + size]
            Z = torch.tanh(inputs[chosen] @ q["W1"].T + q["b1"]) @ q["W2"].T + q["b2"]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(Z, classes[chosen]).backward()
            optimizer.step()


def main() -> None:
    """Run all work and print it."""
    engines.ROUNDS = asked.rounds
    peers = compilers("jax", "torch", "casadi")
    torch = peers.get("torch")
    if torch is not None:
        torch.set_num_threads(asked.threads)
    kind = "compiled" if ag.compiled() else "interpreted"
    print(f"autograd_mini {kind}, CPython {sys.version.split()[0]}; medians of {asked.rounds} rounds")
    print(f"threads of the peers: {asked.threads}; the last column is in multiples of ours")
    race("digits 64-32-10, a batch of 128 [aim: below each, 1.3 x by hand]", digits_work(peers, 128))
    race("digits 64-32-10, a batch of 1,024", digits_work(peers, 1024))
    race("logistic regression, 500 x 30 [aim: below each, 1.3 x by hand]", logistic_work(peers))
    race("Lorenz system, 300 steps, gradient in 6 inputs", lorenz_work(peers))
    fit(torch)


if __name__ == "__main__":
    main()
