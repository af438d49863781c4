"""What Hypothesis draws: operands for a row from the row's own domain, and graphs."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import settings, strategies as st

from autograd_mini import OPS, Op, Value, sum as total
from autograd_mini.ops import Interval
from autograd_mini.printing import Text

# A new user's run draws the same examples every time, fewer than ours; with "explore" a seed is drawn anew.
PROFILES = {"default": 0.4, "explore": 1.0, "quick": 0.2}  # the shares of a test's examples that are drawn
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
DEEP = 1_000_000 if PROFILE == "explore" else 150_000  # the nodes of a deep graph, where each takes long

MARGIN = 0.3  # how far from the end of a domain, a hole or a kink a smooth point is


def load_profile() -> None:
    """Let Hypothesis take the profile that the environment names."""
    if PROFILE not in PROFILES:
        raise ValueError(f"HYPOTHESIS_PROFILE must be one of {', '.join(PROFILES)}, not {PROFILE!r}")
    settings.register_profile(PROFILE, deadline=None, derandomize=PROFILE == "default", max_examples=examples(100))
    settings.load_profile(PROFILE)


def examples(n: int) -> int:
    """Return how many of n examples the profile draws."""
    return max(round(n * PROFILES[PROFILE]), 3)


def inside(interval: Interval, reach: float = 3.0) -> st.SearchStrategy[float]:
    """Draw a number of an interval, away from its ends, of ordinary size."""
    lo = max(interval.lo + MARGIN, -reach)
    hi = min(interval.hi - MARGIN, max(lo, 0.0) + reach)
    numbers = st.floats(lo, hi)
    return numbers if math.isnan(interval.hole) else numbers.filter(lambda x: abs(x - interval.hole) > MARGIN)


def differentiable(op: Op) -> list[int]:
    """Return the places of a row's operands but its orders, in which the slope is the constant nan."""
    slopes = [rule(*[Text.name("x")] * (len(op.rules) + 1)) for rule in op.formulas]
    return [i for i, slope in enumerate(slopes) if isinstance(slope, Text) or not math.isnan(slope)]


def smooth_operands(op: Op) -> st.SearchStrategy[tuple[float, ...]]:
    """Draw operands at which a row is smooth."""
    columns = [inside(interval) for interval in op.domain]
    if op.name == "where":
        columns[0] = st.sampled_from([0.0, 1.0])
    if op.name in ("polygamma", "polygamma_gap"):
        columns[0] = st.sampled_from([1.0, 2.0, 3.0])
    if op.name == "sinc_derivative":
        columns[0] = st.sampled_from([0.0, 1.0, 2.0, 5.0])
    if op.name == "powlog":
        columns[2] = st.sampled_from([1.0, 2.0, 3.0])
    operands = st.tuples(*columns)
    kink, domain = op.kink, op.domain[0]
    if kink is None or op.name == "stop_gradient":  # whose rule is a slope nowhere
        return operands

    def smooth(xs: tuple[float, ...]) -> bool:
        return abs(kink(*xs)) > MARGIN

    def moved(xs: tuple[float, ...]) -> tuple[float, ...]:
        """Move the first operand until the point is smooth: a filter alone drops most draws of `floor`."""
        for k in (0, 1, 2, -1, -2):
            point = (xs[0] + k * (MARGIN + 0.01), *xs[1:])
            if domain.lo + MARGIN <= point[0] <= domain.hi - MARGIN and smooth(point):
                return point
        return xs

    return operands.map(moved).filter(smooth)


@dataclass(frozen=True)
class Dag:
    """A graph as a recipe that runs on floats and on Values alike."""

    inputs: tuple[float, ...]
    steps: tuple[tuple[Op, tuple[int, ...]], ...]

    def __call__(self, inputs: Sequence[Any]) -> Any:
        """Compute the recipe; the last node sums all that nothing else has used."""
        nodes = list(inputs)
        unused = set(range(len(nodes)))
        for op, operands in self.steps:
            nodes.append(op(*(nodes[i] for i in operands)))
            unused -= set(operands)
            unused.add(len(nodes) - 1)
        total = 0
        for i in sorted(unused):
            total = total + nodes[i]
        return total

    def values(self) -> list[Value]:
        """Return the inputs as fresh leaves."""
        return [Value(x, f"x{i}") for i, x in enumerate(self.inputs)]


SMOOTH = [OPS[name] for name in "add sub mul neg tanh sigmoid sin cos atan softplus silu erf asinh".split()]


@st.composite
def dags(draw: st.DrawFn, max_steps: int = 14) -> Dag:
    """Draw a graph with shared subexpressions and repeated parents, smooth everywhere."""
    inputs = tuple(draw(st.lists(st.floats(-1.5, 1.5).map(lambda x: round(x, 3)), min_size=1, max_size=4)))
    steps = []
    for size in range(len(inputs), len(inputs) + draw(st.integers(1, max_steps))):
        op = draw(st.sampled_from(SMOOTH))
        steps.append((op, tuple(draw(st.integers(0, size - 1)) for _ in range(len(op.rules)))))
    return Dag(inputs, tuple(steps))


def slope(f: Any, xs: Sequence[float], i: int, h: float = 2e-3) -> float:
    """Return the derivative of f in its i-th argument by a central difference of fourth order."""

    def at(step: float) -> float:
        moved = list(xs)
        moved[i] += step
        return float(f(*moved))

    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)


def cubic(w: Any, x: Any) -> Any:
    """Compute something, in a module that a worker process can import."""
    return total([w["a"] * v**3 + w["b"] for v in x])
