"""Time compiled Jacobians and Hessians beside JAX and CasADi: `python tests/benchmarks/compiled_derivatives.py`.

Each function is written with scalars of one array. All make dense matrices from the same text of the function: ours by
`compiled.jacobian` and `compiled.hessian`, JAX by `jit`, CasADi on its virtual machine. Peers that are missing are
left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from derivatives import black_scholes, rosenbrock
from programs import Peers, Run, Work, compilers, hand, race

import autograd_mini as ag

Make = Callable[[Any], Callable[[Any], Any]]  # of a library's functions


class Jax:
    """The functions of JAX under the names of ours."""

    def __init__(self, jax: Any) -> None:
        self.log, self.exp, self.sqrt, self.sin, self.cos = (
            getattr(jax.numpy, name) for name in ("log", "exp", "sqrt", "sin", "cos")
        )
        self.erfc = jax.scipy.special.erfc


class CasADi:
    """The functions of CasADi under the names of ours."""

    def __init__(self, casadi: Any) -> None:
        self.log, self.exp, self.sqrt, self.sin, self.cos = (
            getattr(casadi, name) for name in ("log", "exp", "sqrt", "sin", "cos")
        )
        self.erfc = lambda x: 1.0 - casadi.erf(x)


def residuals(_: Any) -> Callable[[Any], Any]:
    """Return the terms of Rosenbrock's function before they are squared."""
    return lambda x: [term for i in range(len(x) - 1) for term in (10.0 * (x[i + 1] - x[i] ** 2), 1.0 - x[i])]


def squared_distance(library: Any) -> Callable[[Any], Any]:
    """Return the squared distance of an arm's hand from a target."""

    def f(angles: Any) -> Any:
        x, y, z = hand(library)(angles)
        return (x - 0.6) ** 2 + (y - 0.3) ** 2 + (z - 0.8) ** 2

    return f


def price(library: Any) -> Callable[[Any], Any]:
    """Return the price of an option, of the spot price, the strike, the time, the rate and the volatility."""
    of_five = black_scholes(library.log, library.exp, library.sqrt, library.erfc)
    return lambda x: of_five(*(x[i] for i in range(5)))


def prices(library: Any) -> Callable[[Any], Any]:
    """Return the prices of options with ten strikes."""
    of_five = black_scholes(library.log, library.exp, library.sqrt, library.erfc)
    return lambda x: [of_five(x[0], strike, x[1], x[2], x[3]) for strike in range(80, 130, 5)]


def point(n: int) -> Any:
    """Return a point in Rosenbrock's valley."""
    return 0.5 + 0.3 * np.sin(np.arange(float(n)))


ANGLES = np.array([0.3, -0.5, 0.8, 0.2, -0.4, 0.6])
MATRICES: dict[str, tuple[str, Make, Any]] = {
    "Rosenbrock 10, Hessian": ("hessian", lambda _: rosenbrock, point(10)),
    "Rosenbrock 100, Hessian": ("hessian", lambda _: rosenbrock, point(100)),
    "Rosenbrock 10, Jacobian of 18 residuals": ("jacobian", residuals, point(10)),
    "Rosenbrock 100, Jacobian of 198 residuals": ("jacobian", residuals, point(100)),
    "arm of 6 joints, Hessian": ("hessian", squared_distance, ANGLES),
    "arm of 6 joints, Jacobian of the hand": ("jacobian", hand, ANGLES),
    "Black-Scholes, Hessian in 5 numbers": ("hessian", price, np.array([100.0, 110.0, 0.75, 0.03, 0.25])),
    "Black-Scholes, Jacobian of 10 prices": ("jacobian", prices, np.array([100.0, 0.75, 0.03, 0.25])),
}


def work(peers: Peers, kind: str, make: Make, x: Any) -> Work:
    """Return the runs of one matrix, ours first."""

    def ours() -> Run:
        derived = getattr(ag.compile(make(ag)), kind)
        return lambda: derived(x)

    def with_jax() -> Run:
        jax = peers["jax"]
        f, transform = make(Jax(jax)), jax.hessian if kind == "hessian" else jax.jacobian
        jitted = jax.jit(transform(lambda x: f(x) if kind == "hessian" else jax.numpy.stack(f(x))))
        placed = jax.numpy.asarray(x)
        return lambda: jax.block_until_ready(jitted(placed))

    def with_casadi() -> Run:
        casadi = peers["casadi"]
        symbol = casadi.SX.sym("x", len(x))
        result = make(CasADi(casadi))([symbol[i] for i in range(len(x))])
        matrix = (
            casadi.hessian(result, symbol)[0] if kind == "hessian" else casadi.jacobian(casadi.vertcat(*result), symbol)
        )
        function = casadi.Function("f", [symbol], [casadi.densify(matrix)])
        return lambda: np.asarray(function(x))

    runs: Work = {"ours": ours}
    if "jax" in peers:
        runs["JAX jit"] = with_jax
    if "casadi" in peers:
        runs["CasADi"] = with_casadi
    return runs


def main() -> None:
    """Print the tables."""
    peers = compilers("jax", "casadi")
    for title, (kind, make, x) in MATRICES.items():
        race(title, work(peers, kind, make, x))


if __name__ == "__main__":
    main()
