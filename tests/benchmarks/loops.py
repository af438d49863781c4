"""A recurrent net by `scan`, beside the same net written out and beside JAX's scan, in one run.

    python tests/benchmarks/loops.py [rounds] [--threads N]

The net has 16 hidden units and inputs of 4 numbers. Each of 13 lengths from 10 to 200 gets a first call, which traces
and compiles, and later calls of value and gradient with respect to all weights. All must give the same numbers.
--threads is the number of threads that JAX may use.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

if __name__ == "__main__":  # before the libraries are imported, which read it then
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    if asked.threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np
from programs import JAX, Peers, Work, compilers

import autograd_mini as ag

SCAN, UNROLLED, PADDED = "scan", "written out", "fori, n an input"
LENGTHS = (10, 20, 30, 50, 60, 70, 80, 100, 120, 140, 160, 180, 200)
HIDDEN, INPUTS = 16, 4
WEIGHTS = (0, 1, 2)


def weights() -> tuple[Any, ...]:
    """Return the matrices of the net and its bias."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(HIDDEN, HIDDEN)) / 4, rng.normal(size=(HIDDEN, INPUTS)), np.zeros(HIDDEN)


def by_scan(W: Any, U: Any, b: Any, xs: Any) -> Any:
    """Return the sum of squares of the last state."""
    h, _ = ag.scan(lambda h, x: (np.tanh(W @ h + U @ x + b), None), np.zeros(HIDDEN), xs)
    return ag.sum(h * h)


def written_out(W: Any, U: Any, b: Any, xs: Any) -> Any:
    """Return the same, by a loop of Python."""
    h: Any = np.zeros(HIDDEN)
    for x in xs:
        h = np.tanh(W @ h + U @ x + b)
    return ag.sum(h * h)


def by_fori(W: Any, U: Any, b: Any, padded: Any, n: Any) -> Any:
    """Return the same for the first n rows, so that one program runs for every n."""
    h = ag.fori(n, lambda i, h: np.tanh(W @ h + U @ ag.take(padded, i) + b), np.zeros(HIDDEN))
    return ag.sum(h * h)


def rnn_work(peers: Peers, xs: Any, padded: Any) -> Work:
    """Return value and gradient of the net over a sequence."""
    p = weights()
    work: Work = {
        SCAN: lambda: lambda: COMPILED[SCAN].value_and_grad(*p, xs, argnums=WEIGHTS),
        UNROLLED: lambda: lambda: COMPILED[UNROLLED].value_and_grad(*p, xs, argnums=WEIGHTS),
        PADDED: lambda: lambda: COMPILED[PADDED].value_and_grad(*p, padded, float(len(xs)), argnums=WEIGHTS),
    }
    if "jax" in peers:
        work[JAX] = lambda: with_jax(peers["jax"], xs)
    return work


COMPILED: dict[str, Any] = {SCAN: ag.compile(by_scan), UNROLLED: ag.compile(written_out), PADDED: ag.compile(by_fori)}


def with_jax(jax: Any, xs: Any) -> Callable[[], Any]:
    """Return value and gradient by JAX's scan."""
    given = [jax.numpy.asarray(x) for x in (*weights(), xs)]
    jitted = COMPILED.setdefault(JAX, jax.jit(jax.value_and_grad(_of_jax(jax), WEIGHTS)))
    return lambda: jax.block_until_ready(jitted(*given))


def _of_jax(jax: Any) -> Callable[..., Any]:
    def f(W: Any, U: Any, b: Any, xs: Any) -> Any:
        h, _ = jax.lax.scan(lambda h, x: (jax.numpy.tanh(W @ h + U @ x + b), None), jax.numpy.zeros(HIDDEN), xs)
        return (h * h).sum()

    return f


def main() -> None:
    """Run all lengths and print them."""
    peers = compilers("jax")
    kind = "compiled" if ag.compiled() else "interpreted"
    print(f"autograd_mini {kind}, CPython {sys.version.split()[0]}; medians of {asked.rounds} rounds")
    rng = np.random.default_rng(1)
    names = list(rnn_work(peers, np.zeros((2, INPUTS)), np.zeros((2, INPUTS))))
    padded = rng.normal(size=(max(LENGTHS), INPUTS))
    for task in rnn_work(peers, padded[:4], padded).values():  # kernels, and JAX's own first work
        task()()
    total = dict.fromkeys(names, 0.0)
    print(f"{'steps':>5} " + "".join(f"{name:>28}" for name in names))
    for n in LENGTHS:
        tasks = {name: make() for name, make in rnn_work(peers, padded[:n], padded).items()}
        first: dict[str, float] = {}
        values = []
        for name, task in tasks.items():
            start = time.perf_counter()
            values.append(task())
            first[name] = time.perf_counter() - start
            total[name] += first[name]
        for value, slopes in values[1:]:
            np.testing.assert_allclose(float(value), values[0][0], rtol=1e-9)
            for mine, other in zip(values[0][1], slopes, strict=True):
                np.testing.assert_allclose(np.asarray(other), mine, rtol=1e-9, atol=1e-15)
        times: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(asked.rounds):
            for name, task in tasks.items():
                start = time.perf_counter()
                task()
                times[name].append(time.perf_counter() - start)
        cells = [f"{1e3 * first[name]:12.1f} ms {1e6 * median(times[name]):9.1f} us" for name in names]
        print(f"{n:5d} " + "".join(f"{cell:>28}" for cell in cells))
    print("all first calls: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in total.items()))


if __name__ == "__main__":
    main()
