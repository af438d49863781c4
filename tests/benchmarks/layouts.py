"""How long Graphviz takes for pictures of graphs of many shapes: `python tests/benchmarks/layouts.py`.

Prints, for each family of graphs and number of nodes, the CPU seconds from the graph to the svg, and the plan: labels
that take room (L) or stand at the heads of arrows (H), and how many edges begin at a copy.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

import autograd_mini as ag
from autograd_mini import Value, nn
from autograd_mini.pictures.layout import plan_of

SIZES = (50, 100, 200, 300, 500, 1000)


def chain(n: int) -> Value:
    y = Value(0.5, "x")
    for _ in range(n - 1):
        y = ag.sin(y)
    return y


def fan(n: int) -> Value:
    x = Value(0.5, "x")
    y = x * 1.0
    for k in range(n // 2):
        y = y + x * float(k)
    return y


def recurrence(n: int) -> Value:
    x = y = Value(0.5, "x")
    for _ in range(n // 2):
        y = y * 1.0001 + x
    return y


def horner(n: int) -> Value:
    x, y = Value(0.9, "x"), Value(1.0, "a")
    for k in range(n // 3):
        y = y * x + Value(1.0, f"a_{k}")
    return y


def euler(n: int) -> Value:
    p, q, h, k = (Value(v, name) for v, name in ((1.0, "p"), (0.0, "q"), (0.1, "h"), (2.0, "k")))
    for _ in range(n // 6):
        p, q = p + h * q, q - h * k * p
    return p + q


def rnn(n: int) -> Value:
    W = [[Value(0.1 * (i - j), f"W_{i}{j}") for j in range(3)] for i in range(3)]
    state = [Value(0.1, f"h_{i}") for i in range(3)]
    for _ in range(n // 6):
        state = [ag.tanh(ag.dot(row, state)) for row in W]
    total: Value = ag.sum(state)
    return total


def net(n: int) -> Value:
    width = max(2, round((n / 5) ** 0.5))
    model = nn.MLP(2, [width, width, 1], "tanh", rng=0)
    return nn.cost(model, [[0.5, 1.0]], [1.0], "mean_squared_error")


def derivative(n: int) -> Value:
    x, y = Value(0.5, "x"), Value(0.25, "y")
    z: Value = x
    for _ in range(n // 24):
        z = ag.sin(z * y) + x
    slope: Value = ag.grad(lambda a: _of(a, y, n))(x)
    return slope


def _of(x: Value, y: Value, n: int) -> Value:
    z = x
    for _ in range(n // 24):
        z = ag.sin(z * y) + x
    return z


def scattered(n: int) -> Value:
    draw = random.Random(0)
    nodes = [Value(draw.random(), f"x_{k}") for k in range(5)]
    unused = dict.fromkeys(nodes)
    while len(nodes) + len(unused) < n:
        a, b = draw.choice(nodes), draw.choice(nodes)
        nodes.append(a * b if draw.random() < 0.5 else a + b)
        unused.pop(a, None)
        unused.pop(b, None)
        unused[nodes[-1]] = None
    total: Value = ag.sum(unused)
    return total


def near(n: int) -> Value:
    draw = random.Random(0)
    nodes = [Value(draw.random(), f"x_{k}") for k in range(5)]
    for _ in range(n - 5):
        nodes.append(draw.choice(nodes[-10:]) * draw.choice(nodes[-10:]))
    return nodes[-1]


FAMILIES: list[Callable[[int], Value]] = [
    chain,
    fan,
    recurrence,
    horner,
    euler,
    rnn,
    net,
    derivative,
    near,
    scattered,
]


def main() -> None:
    print("| graph | " + " | ".join(f"{n} nodes" for n in SIZES) + " |")
    print("|---" * (len(SIZES) + 1) + "|")
    worst = 0.0
    for family in FAMILIES:
        cells = []
        for n in SIZES:
            output = family(n)
            output.backward()
            before = time.process_time()
            drawing = ag.draw(output, max_nodes=None, formulas=False)
            drawing.svg()
            seconds = time.process_time() - before
            worst = max(worst, seconds)
            plan = plan_of(drawing.picture)
            cells.append(f"{seconds:.2f} {plan.labels[0].upper()}{f'+{len(plan.copied)}' if plan.copied else ''}")
            print(family.__name__, n, cells[-1], file=sys.stderr)
        print(f"| {family.__name__} | " + " | ".join(cells) + " |")
    print(f"\nthe longest: {worst:.2f} s")


if __name__ == "__main__":
    main()
