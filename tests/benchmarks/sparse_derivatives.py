"""Time sparse derivatives beside CasADi and asdex: `python tests/benchmarks/sparse_derivatives.py`.

Each piece of work goes from a function and a point to the sparse matrix, the building of graphs included; for
"compiled" it is the first call of a compiled function, and for "again" one more call. The peers' times are printed
as ratios to ours; of a peer that is not installed nothing is printed (`pip install casadi asdex`). asdex gets the
vectorised source that JAX is for.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

import autograd_mini as ag


def seconds(work: Callable[[], Any], times: int = 5) -> float:
    """Return the median seconds of a call."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def median_of(work: Callable[[], Any] | None) -> float:
    """Return the seconds of a peer's work, after one call to warm up; 0 where it has none."""
    if work is None:
        return 0.0
    work()
    return seconds(work, 3)


def rosenbrock(x: Any) -> Any:
    """Sum over the chained valley."""
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


def arrow(x: Any) -> Any:
    """Compute a sum in which the first number is in every term."""
    return sum(x[0] * v * v + (v - x[0]) ** 4 for v in x[1:])


def bratu(u: Any, exp: Callable[[Any], Any] = ag.exp, strength: float = 6.0) -> list[Any]:
    """Return the residuals of Bratu's problem on a square grid."""
    n = round(len(u) ** 0.5)

    def at(i: int, j: int) -> Any:
        return u[i * n + j] if 0 <= i < n and 0 <= j < n else 0.0

    def residual(i: int, j: int) -> Any:
        around = at(i - 1, j) + at(i + 1, j) + at(i, j - 1) + at(i, j + 1)
        return (around - 4 * at(i, j)) * (n + 1) ** 2 + strength * exp(at(i, j))

    return [residual(i, j) for i in range(n) for j in range(n)]


def point(n: int) -> list[float]:
    """Return numbers that are not special."""
    return [0.3 + 0.05 * (i % 11) for i in range(n)]


Work = dict[str, Callable[[], Any]]


def ours(scale: int = 1) -> Work:
    """Return the work for this package, at sizes divided by a number."""
    work: Work = {}
    for n in (1_000, 10_000, 100_000):
        work[f"chained Rosenbrock, n={n:,}"] = partial(ag.hessian(rosenbrock, sparse=True), point(n // scale))
    work["arrow, n=2,000"] = partial(ag.hessian(arrow, sparse=True), point(2_000 // scale))
    work["Bratu, 100 × 100"] = partial(ag.jacobian(bratu, sparse=True), point((100 // scale) ** 2))

    def compiled(f: Any, derivative: str, x: Any) -> Any:
        return getattr(ag.compile(f), derivative)(x, sparse=True)

    for title, f, derivative, n in (
        ("chained Rosenbrock, n=1,000", rosenbrock, "hessian", 1_000 // scale),
        ("chained Rosenbrock, n=10,000", rosenbrock, "hessian", 10_000 // scale),
        ("arrow, n=2,000", arrow, "hessian", 2_000 // scale),
        ("Bratu, 100 × 100", bratu, "jacobian", (100 // scale) ** 2),
    ):
        x = np.array(point(n))
        work[f"{title}, compiled"] = partial(compiled, f, derivative, x)
        work[f"{title}, again"] = partial(getattr(ag.compile(f), derivative), x, sparse=True)
    return work


def with_compiled(work: Work) -> Work:
    """Return the work of a peer that compiles at its first call, which stands beside both of ours."""
    return work | {f"{title}, compiled": run for title, run in work.items() if not title.endswith("again")}


def casadi(scale: int = 1) -> Work:
    """Return the same work for CasADi's SX, the same sources run on its scalars."""
    ca: Any = import_module("casadi")

    def compiled(function: Any, derivative: Callable[[Any, Any], Any], n: int) -> Any:
        x = ca.SX.sym("x", n)
        return ca.Function("f", [x], [derivative(function(ca.vertsplit(x)), x)])

    def run(function: Any, derivative: Callable[[Any, Any], Any], n: int) -> Any:
        return compiled(function, derivative, n)(point(n)).sparse()

    def hessian(z: Any, x: Any) -> Any:
        return ca.hessian(z, x)[0]

    def jacobian(z: Any, x: Any) -> Any:
        return ca.jacobian(ca.vertcat(*z), x)

    work: Work = {}
    for n in (1_000, 10_000):
        work[f"chained Rosenbrock, n={n:,}"] = partial(run, rosenbrock, hessian, n // scale)
    work["arrow, n=2,000"] = partial(run, arrow, hessian, 2_000 // scale)
    work["Bratu, 100 × 100"] = partial(run, partial(bratu, exp=ca.exp), jacobian, (100 // scale) ** 2)
    n, k, m = 10_000 // scale, 2_000 // scale, (100 // scale) ** 2
    work["chained Rosenbrock, n=10,000, again"] = partial(compiled(rosenbrock, hessian, n), np.array(point(n)))
    work["arrow, n=2,000, again"] = partial(compiled(arrow, hessian, k), np.array(point(k)))
    work["Bratu, 100 × 100, again"] = partial(compiled(partial(bratu, exp=ca.exp), jacobian, m), np.array(point(m)))
    return with_compiled(work)


def asdex(scale: int = 1) -> Work:
    """Return the same work for asdex on JAX, written for arrays; each call detects the pattern and compiles anew."""
    made: Any = import_module("asdex")
    jax: Any = import_module("jax")
    jnp: Any = import_module("jax.numpy")
    jax.config.update("jax_enable_x64", True)

    def valley(x: Any) -> Any:
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def spread(x: Any) -> Any:
        return jnp.sum(x[0] * x[1:] ** 2 + (x[1:] - x[0]) ** 4)

    def field(u: Any) -> Any:
        n = round(u.size**0.5)
        v = jnp.pad(u.reshape(n, n), 1)
        around = v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:]
        return ((around - 4 * v[1:-1, 1:-1]) * (n + 1) ** 2 + 6.0 * jnp.exp(v[1:-1, 1:-1])).ravel()

    def compiled(transform: Any, f: Any, n: int) -> Any:
        return jax.jit(transform(partial(f), jnp.array(point(n))))  # a new function, compiled anew

    def call(function: Any, n: int) -> Any:
        return jax.block_until_ready(function(np.array(point(n))))

    def run(transform: Any, f: Any, n: int) -> Any:
        return call(compiled(transform, f, n), n)

    work: Work = {}
    for n in (1_000, 10_000):
        work[f"chained Rosenbrock, n={n:,}"] = partial(run, made.hessian, valley, n // scale)
    work["arrow, n=2,000"] = partial(run, made.hessian, spread, 2_000 // scale)
    work["Bratu, 100 × 100"] = partial(run, made.jacobian, field, (100 // scale) ** 2)
    n, k, m = 10_000 // scale, 2_000 // scale, (100 // scale) ** 2
    work["chained Rosenbrock, n=10,000, again"] = partial(call, compiled(made.hessian, valley, n), n)
    work["arrow, n=2,000, again"] = partial(call, compiled(made.hessian, spread, k), k)
    work["Bratu, 100 × 100, again"] = partial(call, compiled(made.jacobian, field, m), m)
    return with_compiled(work)


def products(scale: int = 1) -> Work:
    """Return the Hessians by products with the Hessian, one for each group of columns that share no row."""
    group_columns: Any = import_module("scipy.optimize._numdiff").group_columns

    def run(f: Any, n: int) -> Any:
        x = point(n)
        groups = group_columns(ag.sparsity(f, order=2)(x).csc_array())
        _, push = ag.linearize(ag.grad(f), x)
        return np.array([push((groups == k).astype(float).tolist()) for k in range(groups.max() + 1)])

    return {
        "chained Rosenbrock, n=1,000": partial(run, rosenbrock, 1_000 // scale),
        "chained Rosenbrock, n=10,000": partial(run, rosenbrock, 10_000 // scale),
    }


PEERS = {"CasADi": casadi, "asdex": asdex, "ours by colouring": products}


def main() -> None:
    """Print the table."""
    peers: dict[str, Work] = {}
    for name, make in PEERS.items():
        try:
            peers[name] = make()
        except ImportError:
            print(f"({name} is not installed)")
    print(f"{'':>36} {'ours, ms':>10}" + "".join(f"{name:>20}" for name in peers))
    for title, work in ours().items():
        work()  # a program is compiled at its first call
        here = seconds(work)
        theirs = [median_of(peer.get(title)) / here for peer in peers.values()]
        ratios = "".join(f"{ratio:18.1f} x" if ratio else f"{'':>20}" for ratio in theirs)
        print(f"{title:>36} {here * 1e3:10.3g}{ratios}")


if __name__ == "__main__":
    main()
