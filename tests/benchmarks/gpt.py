"""A character-level GPT in scalars, for any scalar class of micrograd's shape.

One layer, embeddings of 16, four heads, blocks of 16, RMSNorm without a learned scale, no biases, a
relu MLP of width 64: 4,192 parameters, of which one document's loss makes about 60,000 nodes. It is
the large workload of the benchmarks, and asks of a scalar no more than + * ** with numbers on either
side, data, grad, backward(), and exp, log and relu as functions; floats do for the forward pass alone.

    python tests/benchmarks/gpt.py [steps]      trains it on names, with autograd_mini

The names are those of ../shared/data/names.txt beside the repository or of the file that AUTOGRAD_MINI_NAMES
names, one in a line, of the letters a to z; without a file they are made up by a seeded generator.
"""

from __future__ import annotations

import copy
import math
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from operator import methodcaller
from pathlib import Path
from typing import Any, NamedTuple

WIDTH, HEADS, BLOCK, HIDDEN = 16, 4, 16, 64
LETTERS = "abcdefghijklmnopqrstuvwxyz"
END = len(LETTERS)  # the token before and after a name
VOCABULARY = END + 1

Scalar = Callable[[float], Any]
Vector = Sequence[Any]


def dot(ws: Vector, xs: Vector) -> Any:
    """Return the sum of products, left to right."""
    total = ws[0] * xs[0]
    for w, x in zip(ws[1:], xs[1:], strict=True):
        total = total + w * x
    return total


class Functions(NamedTuple):
    """How to call the functions of a scalar."""

    exp: Callable[[Any], Any] = methodcaller("exp")
    log: Callable[[Any], Any] = methodcaller("log")
    relu: Callable[[Any], Any] = methodcaller("relu")
    dot: Callable[[Any, Any], Any] = dot


def names(seed: int = 0) -> list[str]:
    """Return the documents, shuffled."""
    beside = Path(__file__).parents[3] / "shared" / "data" / "names.txt"
    file = Path(os.environ.get("AUTOGRAD_MINI_NAMES", beside))
    rng = random.Random(seed)
    if file.is_file():
        words = file.read_text().split()
    else:
        onsets, vowels = "b d f g h j k l m n r s t v br ch sh th".split(), "a e i o u ia ee".split()
        words = [
            "".join(rng.choice(onsets) + rng.choice(vowels) for _ in range(rng.randint(1, 4))) + rng.choice(["", "n"])
            for _ in range(5000)
        ]
    rng.shuffle(words)
    return words


def tokens(name: str) -> list[int]:
    """Return a name as letters' numbers, between two ends, as much as a block holds."""
    return [END, *(LETTERS.index(c) for c in name), END][: BLOCK + 1]


class GPT:
    """The parameters as matrices of scalars, and the loss of a document."""

    def __init__(self, scalar: Scalar, functions: Functions | None = None, seed: int = 42, std: float = 0.08) -> None:
        self._functions = functions or Functions()
        rng = random.Random(seed)

        def matrix(rows: int, columns: int) -> list[list[Any]]:
            return [[scalar(rng.gauss(0.0, std)) for _ in range(columns)] for _ in range(rows)]

        self.token, self.position = matrix(VOCABULARY, WIDTH), matrix(BLOCK, WIDTH)
        self.query, self.key, self.value, self.mix = (matrix(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = matrix(HIDDEN, WIDTH), matrix(WIDTH, HIDDEN)
        self.head = matrix(VOCABULARY, WIDTH)

    def matrices(self) -> dict[str, Sequence[Vector]]:
        """Return what is learned, by name."""
        return {name: matrix for name, matrix in vars(self).items() if not name.startswith("_")}

    def with_matrices(self, matrices: Mapping[str, Sequence[Vector]]) -> GPT:
        """Return the same model with matrices that are there already."""
        other = copy.copy(self)
        vars(other).update(matrices)
        return other

    def parameters(self) -> list[Any]:
        """Return all scalars that are learned."""
        return [p for matrix in self.matrices().values() for row in matrix for p in row]

    def logits(self, document: Sequence[int]) -> list[list[Any]]:
        """Return the logits of the next token at each place."""
        exp, _, relu, dot = self._functions

        def linear(matrix: Sequence[Vector], xs: Vector) -> list[Any]:
            return [dot(row, xs) for row in matrix]

        keys: list[list[Any]] = []
        values: list[list[Any]] = []
        out = []
        for place, token in enumerate(document):
            x = rms_norm([t + p for t, p in zip(self.token[token], self.position[place], strict=True)])
            normed = rms_norm(x)
            query = linear(self.query, normed)
            keys.append(linear(self.key, normed))
            values.append(linear(self.value, normed))
            seen: list[Any] = []
            for h in range(0, WIDTH, WIDTH // HEADS):
                part = slice(h, h + WIDTH // HEADS)
                scale = (WIDTH // HEADS) ** -0.5
                shares = softmax([dot(query[part], key[part]) * scale for key in keys], exp)
                seen += [dot(shares, [value[i] for value in values]) for i in range(h, h + WIDTH // HEADS)]
            x = [a + b for a, b in zip(x, linear(self.mix, seen), strict=True)]
            hidden = [relu(z) for z in linear(self.up, rms_norm(x))]
            x = [a + b for a, b in zip(x, linear(self.down, hidden), strict=True)]
            out.append(linear(self.head, x))
        return out

    def loss(self, document: Sequence[int]) -> Any:
        """Return the mean of -log p of each next token."""
        exp, log = self._functions[:2]
        losses = [
            -log(softmax(logits, exp)[wanted])
            for logits, wanted in zip(self.logits(document[:-1]), document[1:], strict=True)
        ]
        return total(losses) * (1.0 / len(losses))


def total(xs: Vector) -> Any:
    """Return the sum, left to right, without a 0 to begin with."""
    result = xs[0]
    for x in xs[1:]:
        result = result + x
    return result


def rms_norm(xs: Vector) -> list[Any]:
    """Divide a vector by its root mean square."""
    scale = (dot(xs, xs) * (1.0 / len(xs)) + 1e-5) ** -0.5
    return [x * scale for x in xs]


def softmax(xs: Vector, exp: Callable[[Any], Any]) -> list[Any]:
    """Return the shares of logits; the largest is taken out as a number."""
    numbers: list[Any] = [getattr(x, "data", x) for x in xs]
    top = max(numbers)
    exps = [exp(x + -top) for x in xs]
    scale = total(exps) ** -1.0
    return [e * scale for e in exps]


class Adam:
    """Adam over objects with data and grad, with a rate that falls linearly to zero."""

    def __init__(self, parameters: list[Any], steps: int, lr: float = 0.01) -> None:
        self.parameters, self.steps, self.lr, self.taken = parameters, steps, lr, 0
        self.m, self.v = [0.0] * len(parameters), [0.0] * len(parameters)

    def step(self) -> None:
        """Move the parameters, and zero their gradients."""
        t = self.taken = self.taken + 1
        rate = self.lr * (1.0 - (t - 1) / self.steps)
        b1, b2, m, v = 0.85, 0.99, self.m, self.v
        scale, root = rate / (1.0 - b1**t), math.sqrt(1.0 - b2**t)
        for i, p in enumerate(self.parameters):
            g = p.grad
            m[i] = a = b1 * m[i] + (1.0 - b1) * g
            v[i] = b = b2 * v[i] + (1.0 - b2) * g * g
            p.data -= scale * a / (math.sqrt(b) / root + 1e-8)
            p.grad = 0.0


def train(
    scalar: Scalar, functions: Functions, steps: int, report: Callable[[int, float], None] | None = None
) -> list[float]:
    """Train for a number of steps, one document each, and return the losses."""
    model, documents = GPT(scalar, functions), names()
    optimizer = Adam(model.parameters(), steps)
    losses = []
    for step in range(steps):
        loss = model.loss(tokens(documents[step % len(documents)]))
        loss.backward()
        optimizer.step()
        losses.append(loss.data)
        if report is not None:
            report(step, loss.data)
    return losses


def main() -> None:
    """Train with autograd_mini, and say what came of it."""
    from tqdm import tqdm

    import autograd_mini as ag

    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    model = GPT(ag.Value)
    name = tokens("isabella")
    nodes = len(ag.topological_order(model.loss(name)))
    print(f"{len(model.parameters()):,} parameters; {nodes:,} nodes for {len(name) - 1} tokens")
    start = time.perf_counter()
    with tqdm(total=steps, unit="step") as bar:

        def report(step: int, loss: float) -> None:
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update()

        losses = train(ag.Value, Functions(ag.exp, ag.log, ag.relu), steps, report)
    seconds = time.perf_counter() - start
    last = losses[-100:]
    print(f"{steps} steps in {seconds:.1f} s; mean loss of the first {len(last)}: {sum(losses[:100]) / len(last):.3f},")
    print(f"of the last {len(last)}: {sum(last) / len(last):.3f}; guessing evenly: {math.log(VOCABULARY):.3f}")


if __name__ == "__main__":
    main()
