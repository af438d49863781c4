"""Time derivatives beside other libraries on the same work: `python tests/benchmarks/derivatives.py`.

Every row is timed in turn with its peers, in this process, and the medians are printed as ratios to
ours: absolute times on a shared machine mean little. A peer that is not installed is left out
(`pip install autograd torch`).
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import autograd_mini as ag


def median_time(work: Callable[[], Any], budget: float = 0.6) -> float:
    """Return the median seconds of a call, after one call to warm up."""
    work()
    times: list[float] = []
    ends = time.perf_counter() + budget
    while time.perf_counter() < ends or len(times) < 3:
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def rosenbrock(x: Any) -> Any:
    """Sum over the valley, written with scalars."""
    return sum(100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2 for i in range(len(x) - 1))


def on_rosenbrock(grad: Any, hessian: Any, array: Callable[[list[float]], Any]) -> dict[str, Callable[[], Any]]:
    """Return gradients and Hessians by a library's transformations."""
    work: dict[str, Callable[[], Any]] = {}
    for n in (10, 100):
        x = array([0.5 + 0.01 * i for i in range(n)])
        work[f"Rosenbrock n={n}: gradient"] = partial(grad(rosenbrock), x)
        work[f"Rosenbrock n={n}: Hessian"] = partial(hessian(rosenbrock), x)
    return work


def black_scholes(log: Any, exp: Any, sqrt: Any, erfc: Any) -> Callable[..., Any]:
    """Return the price of a call, over a library's functions."""

    def price(S: Any, K: Any, T: Any, r: Any, sigma: Any) -> Any:
        d1 = (log(S / K) + (r + sigma**2 / 2.0) * T) / (sigma * sqrt(T))
        d2 = d1 - sigma * sqrt(T)
        return 0.5 * (S * erfc(-d1 / math.sqrt(2.0)) - K * exp(-r * T) * erfc(-d2 / math.sqrt(2.0)))

    return price


def ours() -> dict[str, Callable[[], Any]]:
    """Return the work for this package."""
    price = black_scholes(ag.log, ag.exp, ag.sqrt, ag.erfc)
    args = (100.0, 110.0, 0.75, 0.03, 0.25)
    greeks = ag.grad(price, (0, 2, 3, 4))
    gamma, vanna = ag.grad(ag.grad(price)), ag.grad(ag.grad(price, 4), 0)
    work = on_rosenbrock(ag.grad, ag.hessian, list)
    work["Black-Scholes: delta theta rho vega"] = lambda: greeks(*args)
    work["Black-Scholes: gamma and vanna"] = lambda: (gamma(*args), vanna(*args))
    return work


def hips() -> dict[str, Callable[[], Any]]:
    """Return the same work for HIPS autograd, its arrays indexed as the formula is written."""
    autograd: Any = import_module("autograd")
    np: Any = import_module("autograd.numpy")
    special: Any = import_module("autograd.scipy.special")
    price = black_scholes(np.log, np.exp, np.sqrt, special.erfc)
    args = (100.0, 110.0, 0.75, 0.03, 0.25)
    gamma, vanna = autograd.grad(autograd.grad(price)), autograd.grad(autograd.grad(price, 4), 0)
    greeks = autograd.grad(lambda p: price(p[0], args[1], p[1], p[2], p[3]))
    work = on_rosenbrock(autograd.grad, autograd.hessian, np.array)
    work["Black-Scholes: delta theta rho vega"] = lambda: greeks(np.array([args[0], *args[2:]]))
    work["Black-Scholes: gamma and vanna"] = lambda: (gamma(*args), vanna(*args))
    return work


def pytorch() -> dict[str, Callable[[], Any]]:
    """Return the same work for PyTorch's functional API."""
    torch: Any = import_module("torch")
    torch.set_num_threads(1)
    func: Any = import_module("torch.func")
    price = black_scholes(torch.log, torch.exp, torch.sqrt, torch.special.erfc)
    args = tuple(torch.tensor(x, dtype=torch.float64) for x in (100.0, 110.0, 0.75, 0.03, 0.25))
    greeks = func.grad(price, (0, 2, 3, 4))
    gamma, vanna = func.grad(func.grad(price)), func.grad(func.grad(price, 4), 0)
    work = on_rosenbrock(func.grad, func.hessian, partial(torch.tensor, dtype=torch.float64))
    work["Black-Scholes: delta theta rho vega"] = lambda: greeks(*args)
    work["Black-Scholes: gamma and vanna"] = lambda: (gamma(*args), vanna(*args))
    return work


def multiples() -> None:
    """Print what a derivative costs as a multiple of the function on Values."""
    print("\ncost as a multiple of the function itself, on Values (hessian: divided by n as well)\n")
    print(f"{'Rosenbrock':>12} {'grad':>8} {'hvp':>8} {'hessian/n':>10}")
    for n in (10, 50, 100, 200):
        x = [0.5 + 0.001 * i for i in range(n)]
        once = median_time(partial(rosenbrock, [ag.Value(a) for a in x]), 0.3)
        grad = median_time(partial(ag.grad(rosenbrock), x), 0.3) / once
        hvp = median_time(partial(ag.hvp, rosenbrock, (x,), ([1.0] * n,)), 0.3) / once
        hessian = median_time(partial(ag.hessian(rosenbrock), x), 0.6) / once / n
        print(f"{f'n={n}':>12} {grad:8.1f} {hvp:8.1f} {hessian:10.1f}")


def main() -> None:
    """Print the tables."""
    peers: dict[str, dict[str, Callable[[], Any]]] = {}
    for name, make in (("HIPS autograd", hips), ("PyTorch", pytorch)):
        try:
            peers[name] = make()
        except ImportError:
            print(f"({name} is not installed)")
    print(f"{'':>38} {'ours, ms':>10}" + "".join(f"{name:>16}" for name in peers))
    for title, work in ours().items():
        seconds = median_time(work)
        ratios = "".join(f"{median_time(peer[title]) / seconds:14.1f} x" for peer in peers.values())
        print(f"{title:>38} {seconds * 1e3:10.3f}{ratios}")
    multiples()


if __name__ == "__main__":
    main()
