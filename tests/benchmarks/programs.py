"""Compiled programs beside other compilers on the same work: the rows of `ag.compile`, in one run.

    python tests/benchmarks/programs.py [rounds] [--limit SECONDS] [--large]

Every peer that is installed gives the same numbers first, and is then timed in this process, in turns;
medians are compared: JAX's jit, PyTorch's tensors, CasADi's virtual machine, Numba and NumPy by hand
(`pip install jax torch casadi numba`). Peers are given arrays of their own kind, double precision and
compiled functions that are warm. "Ready" is what it takes to trace, compile and call once. --limit is
how long JAX may compile a graph; --large also compiles graphs of 5,000,000 nodes.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import pickle
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import engines
import first_calls
import numpy as np
from derivatives import black_scholes
from engines import installed, medians, table
from first_calls import J, gpt_loss, net
from gpt import GPT, HEADS, WIDTH, Functions, names, tokens

import autograd_mini as ag
from autograd_mini import nn
from autograd_mini.program.lift import lift
from autograd_mini.structure import flatten

OURS, EAGER, JAX, TORCH, CASADI = "autograd_mini", "autograd_mini, eager", "JAX jit", "PyTorch", "CasADi SX"
Run = Callable[[], Any]
Work = dict[str, Callable[[], Run]]  # what makes each peer's run, which gives a value and a gradient
Peers = Mapping[str, Any]


def flat(result: Any) -> Any:
    """Return the numbers of a result in one array, whatever library it is of."""
    if isinstance(result, dict):
        result = [result[key] for key in sorted(result)]
    if isinstance(result, (list, tuple)):
        return np.concatenate([flat(part) for part in result])
    return np.asarray(result.detach() if hasattr(result, "detach") else result, dtype=float).ravel()


def checked(work: Work) -> tuple[dict[str, Run], dict[str, float]]:
    """Make the runs, see that their numbers are ours, and return them and the seconds until each was ready."""
    runs, ready, ours = {}, {}, None
    for peer, make in work.items():
        started = time.perf_counter()
        runs[peer] = make()
        result = flat(runs[peer]())
        ready[peer] = time.perf_counter() - started
        ours = result if ours is None else ours
        np.testing.assert_allclose(result, ours, rtol=1e-9, atol=1e-9 * np.abs(ours).max(), err_msg=peer)
    return runs, ready


def calls_in(run: Run, seconds: float = 0.05) -> int:
    """Return how many calls take so long."""
    started = time.perf_counter()
    calls = 0
    while (spent := time.perf_counter() - started) < seconds / 5 and calls < 1000:
        run()
        calls += 1
    return max(1, round(calls * seconds / spent))


def race(title: str, work: Work, per: int = 1, unit: float = 1e-6, name: str = "us") -> None:
    """Check the runs, time them in turns, and print the medians; a run is so many pieces of work."""
    runs, ready = checked(work)
    calls = {peer: calls_in(run) for peer, run in runs.items()}

    def repeated(run: Run, n: int) -> None:
        for _ in range(n):
            run()

    seconds = medians({peer: partial(repeated, run, calls[peer]) for peer, run in runs.items()})
    table(title, {peer: t / calls[peer] / per for peer, t in seconds.items()}, next(iter(work)), unit, name)
    print("  ready after, s:", ", ".join(f"{peer} {t:.2f}" for peer, t in ready.items()))


def ours(f: Callable[..., Any], *args: Any, argnums: Any = 0, static: Any = ()) -> Run:
    """Return a compiled value and gradient."""
    return partial(ag.compile(f, static_argnums=static).value_and_grad, *args, argnums=argnums)


def eager(f: Callable[..., Any], *args: Any, argnums: Any = 0) -> Run:
    """Return a value and gradient on Values, by backward()."""
    leaves, structure = flatten(args)

    def run() -> Any:
        values = [ag.Value(x) for x in leaves]
        J = f(*structure.rebuild(values))
        J.backward()
        slopes = structure.rebuild(value.grad for value in values)
        return J.data, slopes[argnums] if isinstance(argnums, int) else [slopes[i] for i in argnums]

    return run


def with_jax(peers: Peers, f: Callable[..., Any], *args: Any, argnums: Any = 0) -> Run:
    """Return a value and gradient by JAX."""
    jax = peers["jax"]
    jitted = jax.jit(jax.value_and_grad(f, argnums))
    placed = jax.tree.map(jax.numpy.asarray, args)
    return lambda: jax.block_until_ready(jitted(*placed))


def with_torch(peers: Peers, f: Callable[..., Any], parameters: dict[str, Any], *args: Any) -> Run:
    """Return a value and gradient by PyTorch, of one dict of parameters."""
    torch = peers["torch"]
    placed = {name: torch.tensor(parameters[name], requires_grad=True) for name in sorted(parameters)}
    rest = [torch.tensor(x) for x in args]

    def run() -> Any:
        value = f(placed, *rest)
        return value, torch.autograd.grad(value, tuple(placed.values()))

    return run


def with_casadi(peers: Peers, f: Callable[..., Any], *args: Any, buffers: bool) -> Run:
    """Return a value and gradient by CasADi's virtual machine, on buffers alone or called with an array."""
    casadi = peers["casadi"]
    x = casadi.SX.sym("x", sum(len(part) for part in args))
    symbols = iter(casadi.vertsplit(x))
    J = f(*[[next(symbols) for _ in part] for part in args])
    function = casadi.Function("f", [x], [J, casadi.densify(casadi.gradient(J, x))])
    numbers: Any = np.concatenate(args)
    if not buffers:
        return lambda: [result.full() for result in function(numbers)]
    value: Any = np.zeros(1)
    gradient: Any = np.zeros(x.numel())
    buffer, call = function.buffer()
    buffer.set_arg(0, memoryview(numbers))
    buffer.set_res(0, memoryview(value))
    buffer.set_res(1, memoryview(gradient))

    def run(kept: Any = (function, buffer, numbers)) -> Any:  # which call() has only the addresses of
        call()
        return value, gradient

    return run


# --- the scalar GPT


def tensor_gpt(softmax: Any, log_softmax: Any, relu: Any) -> Callable[..., Any]:
    """Return the loss of the same GPT in tensors, for JAX as for PyTorch."""

    def norm(x: Any) -> Any:
        return x * ((x * x).mean(-1, keepdims=True) + 1e-5) ** -0.5

    def loss(p: Any, ids: Any, wanted: Any, places: Any, causal: Any) -> Any:
        n = len(ids)
        x = norm(p["token"][ids] + p["position"][places])
        normed = norm(x)
        query, key, value = (
            (normed @ p[name].T).reshape(n, HEADS, WIDTH // HEADS).swapaxes(0, 1) for name in ("query", "key", "value")
        )
        shares = softmax(query @ key.swapaxes(1, 2) * (WIDTH // HEADS) ** -0.5 + causal, -1)
        x = x + (shares @ value).swapaxes(0, 1).reshape(n, WIDTH) @ p["mix"].T
        x = x + relu(norm(x) @ p["up"].T) @ p["down"].T
        return -log_softmax(x @ p["head"].T, -1)[places, wanted].mean()

    return loss


def gpt_parameters() -> dict[str, Any]:
    """Return the GPT's first parameters as arrays."""
    return {name: np.array(matrix) for name, matrix in GPT(float).matrices().items()}


def gpt_arrays(document: Sequence[int]) -> tuple[Any, ...]:
    """Return the arguments of the GPT in tensors for a document."""
    n = len(document) - 1
    causal = np.where(np.tri(n, dtype=bool), 0.0, -np.inf)
    return np.array(document[:-1]), np.array(document[1:]), np.arange(n), causal


def gpt(peers: Peers, documents: Sequence[str]) -> Work:
    """Return the value and gradient of the GPT's loss of each document."""
    parameters = gpt_parameters()
    ids = [tuple(tokens(name)) for name in documents]

    def each(make: Callable[[tuple[int, ...]], Run]) -> Run:
        runs = [make(document) for document in ids]
        return lambda: [run() for run in runs]

    def all_of_ours() -> Run:
        fast = ag.compile(gpt_loss, static_argnums=1)
        runs = [partial(fast.value_and_grad, parameters, document) for document in ids]
        with warnings.catch_warnings():
            # Softmax subtracts the largest logit as a number: that of the first call is as good.
            warnings.simplefilter("ignore", ag.TraceWarning)
            for run in runs:
                run()
        return lambda: [run() for run in runs]

    work: Work = {
        OURS: all_of_ours,
        EAGER: lambda: each(lambda document: eager(partial(gpt_loss, document=document), parameters)),
    }
    if "jax" in peers:
        jax_nn = peers["jax"].nn
        jax_loss = tensor_gpt(jax_nn.softmax, jax_nn.log_softmax, jax_nn.relu)
        work[JAX] = lambda: each(lambda document: with_jax(peers, jax_loss, parameters, *gpt_arrays(document)))
    if "torch" in peers:
        torch = peers["torch"]
        torch_loss = tensor_gpt(torch.softmax, torch.log_softmax, torch.relu)
        work[TORCH] = lambda: each(lambda document: with_torch(peers, torch_loss, parameters, *gpt_arrays(document)))
    return work


class Rows:
    """A matrix of which an input chooses a row."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix

    def __getitem__(self, index: Any) -> Any:
        return ag.take(self.matrix, index)

    def __len__(self) -> int:
        return len(self.matrix)


def gpt_loss_of_tokens(parameters: Any, document: Sequence[Any]) -> Any:
    """Return the loss of the GPT with the tokens as inputs, so that one program serves all documents of a length.

    Products of matrices are written with `ag.dot`, one node for each sum.
    """
    model = GPT(float, Functions(ag.exp, ag.log, ag.relu, ag.dot))
    chosen: Any = Rows(parameters["token"])
    model = model.with_matrices({**parameters, "token": chosen})
    logits = model.logits(document[:-1])
    losses = [-ag.take(ag.log_softmax(row), wanted) for row, wanted in zip(logits, document[1:], strict=True)]
    return ag.sum(losses) / len(losses)


def training(steps: int) -> None:
    """Print how long the GPT is trained, tracing and lifting of every length included, with Adam in NumPy."""
    started = time.perf_counter()
    parameters, fast = gpt_parameters(), ag.compile(gpt_loss_of_tokens)
    m = {name: np.zeros_like(x) for name, x in parameters.items()}
    v = {name: np.zeros_like(x) for name, x in parameters.items()}
    documents, losses, ready = names(), [], 0.0
    for step in range(1, steps + 1):
        document = tokens(documents[(step - 1) % len(documents)])
        before, count = time.perf_counter(), len(fast)
        loss, gradient = fast.value_and_grad(parameters, document)
        if len(fast) > count:
            ready += time.perf_counter() - before
        losses.append(loss)
        rate = 0.01 * (1 - (step - 1) / steps)
        for name, g in gradient.items():
            m[name] = 0.85 * m[name] + 0.15 * g
            v[name] = 0.99 * v[name] + 0.01 * g * g
            slope = m[name] / (1 - 0.85**step) / (np.sqrt(v[name] / (1 - 0.99**step)) + 1e-8)
            parameters[name] = parameters[name] - rate * slope
    taken = time.perf_counter() - started
    ends = max(1, steps // 10)
    first, last = (float(np.mean(part)) for part in (losses[:ends], losses[-ends:]))
    print(f"\n{steps:,} training steps of the scalar GPT [aim: 3 s for 1,000]")
    print(f"  {taken:.2f} s, of which {ready:.2f} s are {len(fast)} first calls, a length each;", end="")
    print(f" loss {first:.3f} to {last:.3f}")


def lifting() -> None:
    """Print how long the lifting of a large trace takes, and what comes before it."""
    document = next(ids for ids in map(tokens, names()) if len(ids) == 9)
    started = time.perf_counter()
    traced = ag.trace(partial(gpt_loss, document=document), gpt_parameters())
    tracing = time.perf_counter() - started
    simple = traced.fold_constants().common_subexpressions().dead_code()
    seconds = medians(
        {
            "lift": lambda: lift(simple),
            "folding, CSE and dead code": lambda: traced.fold_constants().common_subexpressions().dead_code(),
        }
    )
    title = f"lifting {len(traced.equations):,} equations of the GPT [aim: 250 ms after tracing]"
    table(title, seconds | {"tracing, once": tracing}, "lift")


def fresh(work: Callable[..., Any], *args: Any) -> Any:
    """Return what a function returns in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def first_call(work: str, args: tuple[Any, ...], folder: str, *peer: str) -> float:
    """Return the seconds of a first call in a new process, with a folder for object code."""
    command = [sys.executable, first_calls.__file__, work, *peer]
    environment = os.environ | {"AUTOGRAD_MINI_CACHE": folder}
    done = subprocess.run(command, input=pickle.dumps(args), env=environment, capture_output=True, check=True)
    return float(done.stdout)


def first_calls_of(peers: Peers, work: str, args: tuple[Any, ...]) -> dict[str, float]:
    """Return the medians of a work's first calls: with an empty folder, with the same folder again, and by JAX."""
    times: dict[str, list[float]] = {name: [] for name in ("cold", "warm", *[JAX] * ("jax" in peers))}
    for _ in range(engines.ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            for name, seconds in times.items():
                seconds.append(first_call(work, args, folder, *["--jax"] * (name == JAX)))
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def first_arguments() -> dict[str, tuple[tuple[Any, ...], str]]:
    """Return the arguments of each work's first call, and the aims: cold, warm."""
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(500, 30)), rng.normal(size=30)
    y = np.where(X @ w + rng.normal(size=500) > 0.0, 1.0, -1.0)
    return {
        first_calls.FORMULA: ((5.0, 3.0, 2.0), "0.25 s, 0.12 s"),
        first_calls.MOONS: (net_arguments(100), "0.6 s, 0.12 s"),
        first_calls.LOGISTIC: ((np.zeros(30), 0.0, X, y), "0.6 s, 0.12 s"),
        first_calls.DOCUMENT: (
            (gpt_parameters(), tuple(tokens(names()[0]))),
            "1.5 s, 0.12 s after tracing and lifting",
        ),
    }


def first(peers: Peers) -> None:
    """Print how long first calls take in new processes."""
    print("\nfirst calls in new processes, after imports: the folder of object code is empty (cold), or has it (warm)")
    for work, (args, aim) in first_arguments().items():
        seconds = first_calls_of(peers, work, args)
        print(f"  {work:34}{', '.join(f'{name} {t:.2f} s' for name, t in seconds.items())} [aim: {aim}]")


# --- small nets and formulas


def net_by_hand(p: Any, X: Any, y: Any) -> Any:
    """Return the same loss and its gradient, written with NumPy."""
    H1 = np.maximum(X @ p["W1"].T + p["b1"], 0.0)
    H2 = np.maximum(H1 @ p["W2"].T + p["b2"], 0.0)
    margins = np.maximum(1.0 - y * (H2 @ p["W3"].T + p["b3"])[:, 0], 0.0)
    d3 = ((margins > 0.0) * y * (-1.0 / len(y)))[:, None]
    d2 = (d3 @ p["W3"]) * (H2 > 0.0)
    d1 = (d2 @ p["W2"]) * (H1 > 0.0)
    slopes = {"W1": d1.T @ X, "W2": d2.T @ H1, "W3": d3.T @ H2}
    return margins.mean(), slopes | {"b1": d1.sum(0), "b2": d2.sum(0), "b3": d3.sum(0)}


def net_arguments(examples: int) -> tuple[Any, ...]:
    """Return the parameters of a net, and moons."""
    rng = np.random.default_rng(0)
    parameters: dict[str, Any] = {}
    for l, (width, height) in enumerate(((2, 16), (16, 16), (16, 1)), 1):
        parameters[f"W{l}"] = rng.uniform(-1.0, 1.0, (height, width))
        parameters[f"b{l}"] = rng.uniform(-0.1, 0.1, height)
    X, labels = nn.datasets.moons(examples, rng=0)
    return parameters, np.array(X), 2.0 * np.array(labels) - 1.0


def moons(peers: Peers, examples: int = 100) -> Work:
    """Return the value and gradient of a net's hinge loss on moons."""
    args = net_arguments(examples)
    loss = net(np.frompyfunc(ag.relu, 1, 1))
    work: Work = {
        OURS: partial(ours, loss, *args),
        EAGER: partial(eager, loss, *args),
        "NumPy by hand": lambda: partial(net_by_hand, *args),
    }
    if "jax" in peers:
        work[JAX] = lambda: with_jax(peers, net(peers["jax"].nn.relu), *args)
    if "torch" in peers:
        work[TORCH] = lambda: with_torch(peers, net(peers["torch"].relu), *args)
    return work


def formula(peers: Peers) -> Work:
    """Return the value and gradient of J = 3(a + bc)."""

    args, argnums = (5.0, 3.0, 2.0), (0, 1, 2)
    work: Work = {OURS: partial(ours, J, *args, argnums=argnums), EAGER: partial(eager, J, *args, argnums=argnums)}
    if "jax" in peers:
        work[JAX] = lambda: with_jax(peers, J, *args, argnums=argnums)
    return work


# --- irregular graphs


def irregular(
    peers: Peers, f: Callable[..., Callable[..., Any]], args: tuple[Any, ...], wide: Callable[..., Any] | None = None
) -> Work:
    """Return the value and gradient in all arguments of f(a library's functions); wide is f for JAX's arrays."""
    argnums = tuple(range(len(args)))
    of_ours = f(ag)
    work: Work = {
        OURS: partial(ours, of_ours, *args, argnums=argnums),
        EAGER: partial(eager, of_ours, *args, argnums=argnums),
    }
    if "casadi" in peers:
        for name, buffers in ((CASADI, False), (f"{CASADI}, on buffers", True)):
            work[name] = partial(with_casadi, peers, f(peers["casadi"]), *args, buffers=buffers)
    if "jax" in peers:
        work[JAX] = lambda: with_jax(peers, wide or f(peers["jax"].numpy), *args, argnums=argnums)
    return work


def options(peers: Peers, count: int = 1000) -> Work:
    """Return the sum of the prices of options, and its gradient in all that they depend on."""
    rng = np.random.default_rng(0)
    lows_and_highs = ((80.0, 120.0), (80.0, 120.0), (0.1, 2.0), (0.0, 0.05), (0.1, 0.5))

    def prices(library: Any) -> Callable[..., Any]:
        erfc = getattr(library, "erfc", None) or (lambda x: 1.0 - library.erf(x))
        price = black_scholes(library.log, library.exp, library.sqrt, erfc)
        return lambda *columns: sum_of(price(*option) for option in zip(*columns, strict=True))

    wide = None
    if "jax" in peers:
        jnp, jax_erfc = peers["jax"].numpy, peers["jax"].scipy.special.erfc
        jax_price = black_scholes(jnp.log, jnp.exp, jnp.sqrt, jax_erfc)
        wide = lambda *columns: jax_price(*columns).sum()  # noqa: E731
    return irregular(peers, prices, tuple(rng.uniform(low, high, count) for low, high in lows_and_highs), wide)


def sum_of(xs: Iterator[Any]) -> Any:
    """Return the sum from left to right, without a 0 to begin with."""
    total = next(xs)
    for x in xs:
        total = total + x
    return total


LINKS = [(0.0, 0.0, 0.4), (0.5, 0.0, 0.0), (0.4, 0.0, 0.1), (0.0, 0.2, 0.3), (0.1, 0.0, 0.2), (0.0, 0.0, 0.1)]
TURNED = [(0, 1), (0, 2), (0, 2), (1, 2), (0, 2), (0, 1)]  # the plane in which a joint turns


def hand(library: Any) -> Callable[[Any], list[Any]]:
    """Return the place of a 6-joint arm's hand as a function of the angles."""

    def placed(angles: Any) -> list[Any]:
        axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]  # of the hand, as columns
        place: list[Any] = [0.0, 0.0, 0.0]
        for k, (link, (i, j)) in enumerate(zip(LINKS, TURNED, strict=True)):
            s, c = library.sin(angles[k]), library.cos(angles[k])
            a, b = axes[i], axes[j]
            axes[i] = [c * u + s * v for u, v in zip(a, b, strict=True)]
            axes[j] = [c * v - s * u for u, v in zip(a, b, strict=True)]
            for axis, along in zip(axes, link, strict=True):
                if along:
                    place = [h + along * u for h, u in zip(place, axis, strict=True)]
        return place

    return placed


def arm(peers: Peers) -> Work:
    """Return the squared distance of a 6-joint arm's hand from a target, and its gradient in the angles."""

    def distance(library: Any) -> Callable[..., Any]:
        return lambda angles: sum_of((h - t) ** 2 for h, t in zip(hand(library)(angles), (0.6, 0.3, 0.8), strict=True))

    return irregular(peers, distance, (np.array([0.3, -0.5, 0.8, 0.2, -0.4, 0.6]),))


def dag(library: Any, nodes: int, seed: int = 0) -> Callable[[Any], Any]:
    """Return a random graph as a function of an array: of earlier numbers two new nodes, and at last the sum."""
    rows: list[Callable[[Any, Any], Any]] = [
        lambda a, b: library.sin(a + b),
        lambda a, b: library.tanh(a * b),
        lambda a, b: (a - b) * 0.5,
    ]

    def f(x: Any) -> Any:
        rng = random.Random(seed)
        values = list(x)
        unused = set(range(len(values)))
        while 2 * (len(values) - len(x)) + len(unused) - 1 < nodes:
            i, j = rng.randrange(len(values)), rng.randrange(len(values))
            unused -= {i, j}
            unused.add(len(values))
            values.append(rng.choice(rows)(values[i], values[j]))
        return sum_of(values[i] for i in sorted(unused))

    return f


def random_graph(peers: Peers, nodes: int, limit: float = 0.0) -> Work:
    """Return a random graph of 50 inputs, with JAX where it compiles it within some seconds."""
    x = np.linspace(-1.0, 1.0, 50)
    f = partial(dag, nodes=nodes)
    if "jax" not in peers or compiles(nodes, x, limit):
        return irregular(peers, f, (x,))
    print(f"\nJAX did not compile {nodes:,} nodes within {limit:.0f} s, and is left out")
    return irregular({name: peer for name, peer in peers.items() if name != "jax"}, f, (x,))


def compiles(nodes: int, x: Any, limit: float) -> bool:
    """Say whether JAX compiles a random graph in time, in a process that can be ended."""
    process = multiprocessing.get_context("spawn").Process(target=compile_with_jax, args=(nodes, x))
    process.start()
    process.join(limit)
    in_time = process.exitcode == 0
    process.kill()
    return in_time


def compile_with_jax(nodes: int, x: Any) -> None:
    """Compile a random graph with JAX."""
    peers = compilers("jax")
    with_jax(peers, dag(peers["jax"].numpy, nodes), x)()


# --- batches, and large graphs


def expression(exp: Any, log: Any, sqrt: Any, tanh: Any) -> Callable[..., Any]:
    """Return an expression of 20 nodes over a library's functions."""

    def f(a: Any, b: Any, c: Any, d: Any) -> Any:
        u = tanh(a * b + c)
        v = exp(-(d * d)) * u
        w = log(a * a + b * b + 1.5)
        return (v + w) * sqrt(c * c + 0.5) + u / (w + 2.0)

    return f


def batch(peers: Peers, threads: int, examples: int = 100_000) -> Work:
    """Return the values of an expression for many examples."""
    rng = np.random.default_rng(0)
    columns = [rng.uniform(-2.0, 2.0, examples) for _ in range(4)]
    fast = ag.compile(expression(ag.exp, ag.log, ag.sqrt, ag.tanh))
    work: Work = {OURS: lambda: partial(fast.vmap(in_axes=0, threads=threads), *columns)}
    if "numba" in peers:
        work["Numba by hand"] = lambda: partial(loop_by_hand(peers["numba"], threads), *columns)
    f = expression(np.exp, np.log, np.sqrt, np.tanh)
    return work | {"NumPy by hand": lambda: partial(f, *columns)}


def loop_by_hand(numba: Any, threads: int) -> Callable[..., Any]:
    """Return a loop over the examples, on threads, written for Numba."""
    f = numba.njit(expression(math.exp, math.log, math.sqrt, math.tanh))
    prange = numba.prange
    if threads > 1:
        numba.set_num_threads(threads)

    @numba.njit(parallel=threads > 1)  # type: ignore[untyped-decorator]
    def loop(a: Any, b: Any, c: Any, d: Any) -> Any:
        out = np.empty(len(a))
        for i in prange(len(a)):
            out[i] = f(a[i], b[i], c[i], d[i])
        return out

    return loop  # type: ignore[no-any-return]


def large(kind: str, nodes: int) -> str:
    """Compile a large graph and run it twice; return its nodes, the peak of memory and the seconds as text."""
    import resource

    if kind == "the net on moons":
        f, args = net(np.frompyfunc(ag.relu, 1, 1)), net_arguments(nodes // 643)
    else:
        f, args = dag(ag, nodes), (np.linspace(-1.0, 1.0, 50),)
    fast = ag.compile(f)
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        fast.value_and_grad(*args)
        seconds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    equations = fast.program(*args).equations
    return f"{equations:12,} nodes {peak / 1e9:8.2f} GB{seconds[0]:10.1f} s{seconds[1]:10.3f} s"


def compilers(*chosen: str) -> dict[str, Any]:
    """Import the peers that are installed, set to double precision and one thread."""
    peers = installed(*chosen)
    if "jax" in peers:
        peers["jax"].config.update("jax_enable_x64", True)
    if "torch" in peers:
        peers["torch"].set_num_threads(1)
    return peers


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description="Time compiled programs beside other compilers.")
    parser.add_argument("rounds", nargs="?", type=int, default=engines.ROUNDS, help="rounds of which the median is")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds that JAX may compile a random graph")
    parser.add_argument("--large", action="store_true", help="also compile graphs of 5,000,000 nodes")
    asked = parser.parse_args()
    engines.ROUNDS = asked.rounds
    warnings.simplefilter("ignore", ag.TraceWarning)  # the softmax takes out the largest logit as a number
    peers = compilers("jax", "torch", "casadi", "numba")
    versions = ", ".join(f"{name} {peer.__version__}" for name, peer in peers.items())
    kind = "compiled" if ag.compiled() else "interpreted"
    print(f"autograd_mini {kind}, CPython {sys.version.split()[0]}, {os.cpu_count()} cores; {versions};")
    print(f"values and gradients, medians of {engines.ROUNDS} rounds; the last column is in multiples of ours")

    documents = names()[:8]
    lengths = sorted(len(tokens(name)) - 1 for name in documents)
    aim = "aim: 30 us, a 5th of JAX's, a 15th of PyTorch's"
    race(f"scalar GPT, mean of documents of {lengths} tokens [{aim}]", gpt(peers, documents), len(documents))
    lifting()
    training(1000)
    first(peers)
    race("moons, 100 examples, 2-16-16-1, hinge loss [aim: NumPy's by hand]", moons(peers))
    race("J = 3(a + bc), one call [aim: 3 us]", formula(peers))
    race("Black-Scholes, 1,000 options, all Greeks [aim: below each]", options(peers))
    race("arm of 6 joints, squared distance [aim: below each]", arm(peers))
    race("random graph of 400 nodes [aim: below each]", random_graph(peers, 400, asked.limit))
    race("random graph of 5,000 nodes [aim: below each]", random_graph(peers, 5000, asked.limit))
    for threads in (1, 2):
        title = f"100,000 examples of 20 nodes, threads: {threads} [aim: Numba's by hand]"
        race(title, batch(peers, threads), unit=1e-3, name="ms")
    if asked.large:
        print("\n5,000,000 nodes compiled and run [aim: 4 GB]               peak   first call    second")
        for graph in ("the net on moons", "a random graph"):
            print(f"  {graph:28}{fresh(large, graph, 5_000_000)}")


if __name__ == "__main__":
    main()
