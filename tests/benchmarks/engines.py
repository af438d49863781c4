"""Eager engines side by side: build, backward, bytes, the scalar GPT, moons, import.

    python tests/benchmarks/engines.py [rounds]

Every peer that is installed is timed in this process on the same work, in turns, and medians are
compared: micrograd, HIPS autograd, PyTorch scalars, CasADi's SX, a plain engine of slots and tuples
(the yardstick), and bare floats, which are the limit. What is compiled is timed as it is installed.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from gpt import GPT, Adam, Functions, names, tokens

import autograd_mini as ag
from autograd_mini import nn

ROUNDS = 5


class Plain:
    """The yardstick: an ordinary engine of slots, tuples and floats, without closures or recursion."""

    __slots__ = ("data", "grad", "parents", "partials")

    def __init__(self, data: float, parents: tuple[Any, ...] = (), partials: tuple[float, ...] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self.parents = parents
        self.partials = partials

    def __add__(self, other: Any) -> Plain:
        y: Plain = other if isinstance(other, Plain) else Plain(other)
        return Plain(self.data + y.data, (self, y), (1.0, 1.0))

    def __mul__(self, other: Any) -> Plain:
        y: Plain = other if isinstance(other, Plain) else Plain(other)
        return Plain(self.data * y.data, (self, y), (y.data, self.data))

    def __pow__(self, other: float) -> Plain:
        return Plain(self.data**other, (self,), (other * self.data ** (other - 1.0),))

    def exp(self) -> Plain:
        z = math.exp(self.data)
        return Plain(z, (self,), (z,))

    def log(self) -> Plain:
        return Plain(math.log(self.data), (self,), (1.0 / self.data,))

    def relu(self) -> Plain:
        return Plain(max(0.0, self.data), (self,), (float(self.data > 0.0),))

    def __neg__(self) -> Plain:
        return self * -1.0

    def __sub__(self, other: Any) -> Plain:
        y: Plain = other if isinstance(other, Plain) else Plain(other)
        return self + y * -1.0

    def __rsub__(self, other: Any) -> Plain:
        return self * -1.0 + Plain(other)

    __radd__ = __add__
    __rmul__ = __mul__

    def backward(self) -> None:
        order: list[Plain] = []
        seen: set[Plain] = set()
        stack: list[tuple[Plain, bool]] = [(self, False)]
        while stack:
            node, placed = stack.pop()
            if placed:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack += [(parent, False) for parent in node.parents if parent not in seen]
        self.grad = 1.0
        for node in reversed(order):
            for parent, partial in zip(node.parents, node.partials, strict=True):
                parent.grad += partial * node.grad


micrograd: Any = None
autograd: Any = None
torch: Any = None
casadi: Any = None


def installed(*names: str) -> dict[str, Any]:
    """Import the peers that are installed, and say which are not."""
    found = {}
    for name in names:
        try:
            found[name.split(".")[0]] = importlib.import_module(name)
        except ImportError:
            print(f"{name} is not installed")
    return found


def find_peers() -> None:
    """Import this file's peers."""
    globals().update(installed("micrograd.engine", "autograd", "torch", "casadi"))


def medians(work: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Time each in turns, so that a slow moment of the machine hits all, and return the medians."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, run in work.items():
            gc.collect()
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def table(title: str, seconds: dict[str, float], ours: str, unit: float = 1e-3, name: str = "ms") -> None:
    """Print one work's times, and how many times ours they are."""
    print(f"\n{title}")
    for peer, t in seconds.items():
        print(f"  {peer:34}{t / unit:12.3f} {name}{t / seconds[ours]:10.2f}")


def polynomial(x: Any, n: int) -> Any:
    """Return the last of a chain of n pairs of products and sums, which stays near 1."""
    y = x
    for _ in range(n):
        y = y * x + 0.5
    return y


def build_and_backward(n: int = 20_000) -> None:
    """Time the building of 2n nodes, and building with backward."""
    scalars: dict[str, Callable[[], Any]] = {
        "autograd_mini": lambda: ag.Value(0.5),
        "slots and tuples": lambda: Plain(0.5),
        "bare floats": lambda: 0.5,
    }
    if micrograd:
        scalars["micrograd"] = lambda: micrograd.Value(0.5)
    if torch:
        scalars["PyTorch scalars"] = lambda: torch.tensor(0.5, requires_grad=True)
    if casadi:
        scalars["CasADi SX"] = lambda: casadi.SX.sym("x")
    kept: list[Any] = []

    def build(make: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: polynomial(make(), n)

    table(f"build and free {2 * n:,} nodes", medians({k: build(v) for k, v in scalars.items()}), "autograd_mini")
    del kept
    both: dict[str, Callable[[], Any]] = {
        name: (lambda make=make: polynomial(make(), n).backward())  # type: ignore[misc]
        for name, make in scalars.items()
        if name not in ("bare floats", "CasADi SX", "micrograd")
    }
    if autograd:
        slope = autograd.grad(lambda x: polynomial(x, n))
        both["HIPS autograd"] = lambda: slope(0.5)
    table(f"build, backward and free {2 * n:,} nodes", medians(both), "autograd_mini")
    if micrograd:  # which recurses, so that its chain must be short
        short = 400
        few = {
            name: (lambda make=scalars[name]: [polynomial(make(), short // 2).backward() for _ in range(50)])
            for name in ("autograd_mini", "micrograd", "slots and tuples")
        }
        table(f"build, backward and free 50 times {short} nodes", medians(few), "autograd_mini")


def bytes_per_node(n: int = 100_000) -> None:
    """Print the memory of a binary node: of the process, and as Python counts it."""
    print("\nbytes for a binary node          resident    as Python counts")
    for name in ("autograd_mini", "slots and tuples", "micrograd"):
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]); import resource, tracemalloc\n"
            f"import engines; engines.find_peers(); make = engines.maker({name!r})\n"
            "def chain(n):\n x = make(); y = x\n for _ in range(n): y = y * x\n return y\n"
            "def resident(): return int(open('/proc/self/statm').read().split()[1]) * 4096\n"
            f"chain(10); n = {n}\n"
            "before = resident(); y = chain(n); a = (resident() - before) / n\n"
            "tracemalloc.start(); y = chain(n); b = tracemalloc.get_traced_memory()[0] / n\n"
            "print(f'{a:14.0f}{b:14.0f}'); import os; sys.stdout.flush(); os._exit(0)"
        )
        if name == "micrograd" and not micrograd:
            continue
        done = subprocess.run(
            [sys.executable, "-c", code, os.path.dirname(__file__)], capture_output=True, text=True, check=False
        )
        print(f"  {name:28}{done.stdout.rstrip() or done.stderr[-300:]}")


def maker(name: str) -> Callable[[], Any]:
    """Return what makes a leaf of an engine."""
    if name == "micrograd":
        return lambda: micrograd.Value(0.999)
    return (lambda: ag.Value(0.999)) if name == "autograd_mini" else lambda: Plain(0.999)


def gpt_step(documents: int = 3) -> None:
    """Time a training step of the scalar GPT, mean over documents; and its forward pass."""
    chosen = [tokens(name) for name in names()[:documents]]
    ours = Functions(ag.exp, ag.log, ag.relu)
    floats = Functions(math.exp, math.log, lambda x: x if x > 0.0 else 0.0)

    def step(scalar: Any, functions: Functions | None = None) -> Callable[[], None]:
        model = GPT(scalar, functions)
        optimizer = Adam(model.parameters(), 1000)

        def run() -> None:
            for document in chosen:
                model.loss(document).backward()
                optimizer.step()

        return run

    def forward(scalar: Any, functions: Functions) -> Callable[[], None]:
        model = GPT(scalar, functions)

        def run() -> None:
            for document in chosen:
                model.loss(document)

        return run

    seconds = medians({"autograd_mini": step(ag.Value, ours), "slots and tuples": step(Plain)})
    table(f"scalar GPT: {documents} steps", seconds, "autograd_mini")
    seconds = medians({"bare floats": forward(float, floats), "autograd_mini": forward(ag.Value, ours)})
    table(f"scalar GPT: forward of {documents} documents", seconds, "bare floats")


def moons_step() -> None:
    """Time a step of a 2-16-16-1 net on 100 examples, hinge loss with weight decay, as micrograd's demo."""
    X, labels = nn.datasets.moons(100, rng=0)
    y = [2 * k - 1 for k in labels]

    def plain_sums(scalar: Any, relu: Callable[[Any], Any]) -> Callable[[], None]:
        import random

        rng = random.Random(0)
        sizes = [2, 16, 16, 1]
        net = [
            [([scalar(rng.uniform(-1, 1)) for _ in range(a)], scalar(0.0)) for _ in range(b)]
            for a, b in itertools.pairwise(sizes)
        ]
        parameters = [p for layer in net for ws, b in layer for p in (*ws, b)]

        def run() -> None:
            total: Any = 0.0
            for x, target in zip(X, y, strict=True):
                out: Any = x
                for l, layer in enumerate(net):
                    sums = []
                    for ws, b in layer:
                        z = b
                        for w, v in zip(ws, out, strict=True):
                            z = z + w * v
                        sums.append(z if l == 2 else relu(z))
                    out = sums
                total = total + relu(out[0] * -target + 1.0)
            loss = total * 0.01
            loss.backward()
            for p in parameters:
                p.data -= 0.01 * p.grad
                p.grad = 0.0

        return run

    net = nn.MLP(2, [16, 16, 1], rng=0)
    sgd = nn.SGD(net, lr=0.01)

    def with_mlp() -> None:
        nn.fit(net, X, y, loss="hinge", optimizer=sgd, epochs=1, progress=False)

    work: dict[str, Callable[[], Any]] = {
        "autograd_mini, nn.MLP": with_mlp,
        "autograd_mini, plain sums": plain_sums(ag.Value, ag.relu),
        "slots and tuples, plain sums": plain_sums(Plain, Plain.relu),
    }
    if micrograd:
        work["micrograd, plain sums"] = plain_sums(micrograd.Value, micrograd.Value.relu)
        peer = importlib.import_module("micrograd.nn").MLP(2, [16, 16, 1])

        def its_own() -> None:
            scores = [peer(x) for x in X]
            loss = sum((1 + -t * s).relu() for t, s in zip(y, scores, strict=True)) * 0.01
            peer.zero_grad()
            loss.backward()
            for p in peer.parameters():
                p.data -= 0.01 * p.grad

        sys.setrecursionlimit(10_000)
        work["micrograd, its nn.MLP"] = its_own
    table("moons: a step of 100 examples, 2-16-16-1", medians(work), "autograd_mini, nn.MLP")


def deep_chain() -> None:
    """Time building, differentiating and freeing a chain, for each node, as it gets long."""
    print("\na chain: ns for each node         build  backward      free")
    for n in (10_000, 100_000, 1_000_000, 10_000_000):
        rounds = max(1, 100_000 // n)
        times = []
        for _ in range(rounds):
            gc.collect()
            t0 = time.perf_counter()
            y = x = ag.Value(0.5)
            for _ in range(n):
                y = y + x
            t1 = time.perf_counter()
            y.backward()
            t2 = time.perf_counter()
            del y
            t3 = time.perf_counter()
            times.append((t1 - t0, t2 - t1, t3 - t2))
        build, back, free = (statistics.median(column) / n * 1e9 for column in zip(*times, strict=True))
        print(f"  {n:>10,} nodes           {build:10.0f}{back:10.0f}{free:10.0f}")


def import_time(rounds: int = 15) -> None:
    """Print how long imports take beyond the interpreter's own start."""

    def start(code: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - begun

    codes = {"nothing": "", "autograd_mini": "import autograd_mini", "micrograd": "import micrograd.engine"}
    if torch:
        codes["torch"] = "import torch"
    for code in codes.values():
        start(code)
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(rounds):
        for name, code in codes.items():
            if name != "torch" or len(times[name]) < 3:
                times[name].append(start(code))
    seconds = {name: statistics.median(t) for name, t in times.items()}
    print("\nimport, ms beyond the interpreter's start")
    for name in list(codes)[1:]:
        print(f"  {name:34}{(seconds[name] - seconds['nothing']) * 1e3:12.1f}")


def main() -> None:
    """Print all tables."""
    global ROUNDS
    ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    find_peers()
    if torch:
        torch.set_num_threads(1)
    kind = "compiled" if ag.compiled() else "interpreted"
    print(f"autograd_mini {kind}, CPython {sys.version.split()[0]}, medians of {ROUNDS} rounds;")
    print("the last column is in multiples")
    build_and_backward()
    bytes_per_node()
    gpt_step()
    moons_step()
    deep_chain()
    import_time()


if __name__ == "__main__":
    main()
