"""Derivatives compared with finite differences of the function.

This module owns `check_grads` for functions and `audit` for graphs. They name the wrong local derivative, and not
only the leaf whose derivative is wrong. The module must not know our tests.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .edges import Edge, derivatives_of, edges_of
from .given import require_value
from .node import number_of, primal
from .ops import number
from .printing import counted, format_number, names_of
from .runs import Linear
from .spelling import shortened
from .stale import require_fresh
from .structure import Tree, flatten
from .tables import as_text
from .transform import jvp, vjp
from .value import Value
from .walks import topological_order

MAX_COMPUTED = 10_000_000  # leaves times operands: `audit` refuses more, which takes minutes
MAX_EDGES = 12  # edges of a row of any number of operands that `check_grads` looks at
STEP = sys.float_info.epsilon**0.2  # the best step of a difference of fourth order, about 7e-4


class GradientError(AssertionError):
    """A derivative is wrong. The attributes `op`, `node`, `analytic`, `numeric` and `step` have the facts."""

    def __init__(
        self,
        message: str,
        op: str = "",
        node: str = "",
        analytic: float = math.nan,
        numeric: float = math.nan,
        step: float = math.nan,
    ) -> None:
        super().__init__(message)
        self.op, self.node, self.analytic, self.numeric, self.step = op, node, analytic, numeric, step


def difference(f: Callable[[float], float], h: float) -> tuple[float, float]:
    """Return the slope of f at 0 by central differences of fourth order, and an estimate of its rounding error.

    >>> slope, rounding = difference(lambda t: math.sin(1 + t), 1e-3)
    >>> abs(slope - math.cos(1)) <= rounding + 1e-12
    True
    """
    near, far = (f(h) - f(-h)) / (2 * h), (f(2 * h) - f(-2 * h)) / (4 * h)
    slope = (4 * near - far) / 3
    scale = max(abs(f(0.0)), abs(f(h)))
    return slope, 4 * sys.float_info.epsilon * scale / h


def settled(f: Callable[[float], float], h: float) -> tuple[float, float, float]:
    """Return the slope of f at 0, its error and the step. Choose the step with the smallest relative error.

    Raises:
        ValueError: f cannot be computed on both sides of 0.
    """
    best: tuple[float, float, float] | None = None
    least = before = math.nan
    for step in (h / 4.0**k for k in range(16)):
        try:
            slope, noise = difference(f, step)
        except (ArithmeticError, ValueError):  # outside the domain: a smaller step
            continue
        error = abs(slope - before) + noise
        change = error / abs(slope) if slope else error  # relative: across a pole slopes are small
        if best is None or change < least or math.isnan(least):
            best, least = (slope, error, step), change
        if error <= 1e-9 * abs(slope):
            break
        before = slope
    if best is None:
        raise ValueError(
            "finite differences need numbers on both sides, but the point is at an end of the domain; move it"
        )
    return best


def check_grads(
    f: Callable[..., Tree],
    args: Sequence[Tree],
    order: int = 2,
    modes: Iterable[str] = ("fwd", "rev"),
    *,
    rtol: float = 1e-6,
    atol: float = 1e-7,
    step: float | None = None,
) -> None:
    r"""Check the derivatives of f up to `order` against finite differences, along one direction.

    In forward mode, compare the tangent $J \dot x$ with the central difference along $\dot x$. In reverse mode, compute
    $\bar z^T J$ and compare its product with $\dot x$. For higher orders, check the derivative as a function.

    Args:
        args: the arguments, as a tuple: numbers, arrays and nested structures.
        modes: "fwd", "rev" or both.
        step: the step of the finite differences for arguments of size 1. None is 7e-4.

    Raises:
        GradientError: a derivative is wrong. The message names the op with the wrong local derivative. Or it says that
            a kink is near, or that the output depends on an input in a way that the graph does not record.
        ValueError: a mode is unknown, `order` is below 1, or the point is at an end of the domain.

    >>> from autograd_mini import sin
    >>> check_grads(lambda x, y: x * sin(y), (2.0, 0.5), order=3)
    """
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    if not isinstance(order, int) or order < 1 or not modes or not set(modes) <= {"fwd", "rev"}:
        raise ValueError(
            'check_grads: order must be a whole number from 1 on, and modes "fwd", "rev" or both, not '
            f"order={order!r}, modes={modes!r}"
        )
    if not isinstance(args, Sequence):
        raise TypeError(f"check_grads: args must be a tuple of the arguments, not {args!r}")
    name = getattr(f, "__name__", "f")
    leaves, structure = flatten(tuple(args))
    numbers = [primal(x) if isinstance(x, Value) else number("check_grads", x) for x in leaves]
    args = structure.rebuild(numbers)
    randomly = random.Random(0)
    direction = [randomly.uniform(0.5, 1.0) * randomly.choice((-1, 1)) for _ in numbers]
    tangents = structure.rebuild(direction)
    h = STEP if step is None else step

    def outputs_at(t: float) -> list[float]:
        moved = structure.rebuild(Value(x + t * d) for x, d in zip(numbers, direction, strict=True))
        return [primal(x) if isinstance(x, Value) else number("check_grads", x) for x in flatten(f(*moved))[0]]

    tangent = flatten(jvp(f, args, tangents)[1])[0]
    weights = [randomly.uniform(0.5, 1.0) * randomly.choice((-1, 1)) for _ in tangent]
    try:
        expected, error, used = settled(
            lambda t: math.fsum(w * z for w, z in zip(weights, outputs_at(t), strict=True)), h
        )
    except ValueError as end:
        raise ValueError(f"check_grads of {name}: {end}") from None
    derivatives = {}
    if "fwd" in modes:
        derivatives["forward"] = math.fsum(w * x for w, x in zip(weights, tangent, strict=True))
    if "rev" in modes:
        value, pullback = vjp(f, *args)
        cotangents = flatten(pullback(flatten(value)[1].rebuild(weights)))[0]
        derivatives["reverse"] = math.fsum(d * x for d, x in zip(direction, cotangents, strict=True))
    start = structure.rebuild(map(Value, numbers))
    outputs = [z for z in flatten(f(*start))[0] if isinstance(z, Value)]
    if (wrong := _wrong_partial(name, outputs, h)) is not None:
        raise wrong
    for mode, derivative in derivatives.items():
        if not abs(derivative - expected) <= atol + rtol * max(abs(expected), abs(derivative)) + 10 * error:
            summary = (
                f"{name}: the {mode} derivative is {derivative!r}, differences give {expected!r} (step {used:.1g})"
            )
            raise GradientError(f"{summary}; {_excuse(outputs, h)}")
    if order > 1:
        for mode in modes:
            slope = (lambda *xs: jvp(f, xs, tangents)[1]) if mode == "fwd" else _pulled(f, weights)
            slope.__name__ = f"the {'tangent' if mode == 'fwd' else 'gradient'} of {name}"
            check_grads(slope, args, order - 1, modes, rtol=10 * rtol, atol=10 * atol, step=step)


def _pulled(f: Callable[..., Tree], weights: list[float]) -> Callable[..., Tree]:
    def pulled(*xs: Tree) -> Tree:
        value, pullback = vjp(f, *xs)
        return pullback(flatten(value)[1].rebuild(weights))

    return pulled


def _wrong_partial(name: str, outputs: list[Value], h: float) -> GradientError | None:
    """Find a node whose local derivative is not the slope of its function."""
    order = topological_order(*outputs)
    for node in order:
        for edge, numeric, error, step in _local_slopes(node, h):
            analytic = edge.weight
            if abs(analytic - numeric) <= 1e-6 * max(1.0, abs(analytic), abs(numeric)) + 10 * error:
                continue
            assert node.op is not None
            where = names_of(order, outputs[-1])[node]
            operand = node.op.spelled(len(node.operands)).parameters[edge.operand]
            return GradientError(
                f"{name}: the partial of {node.op.name} with respect to {operand} is wrong at node {where}: "
                f"its rule gives {analytic!r}, and differences give {numeric!r} (step {step:.1g})",
                node.op.name,
                where,
                analytic,
                numeric,
                step,
            )
    return None


def _excuse(outputs: list[Value], h: float) -> str:
    """Return another cause of the difference: a nan, a kink, or an input that the graph does not record."""
    order = topological_order(*outputs)
    names = names_of(order, outputs[-1]) if outputs else {}
    bad = next((node for node in order if not math.isfinite(primal(node))), None)
    if bad is not None:
        return f"node {names[bad]} is {primal(bad)}: see blame"
    kinks = [
        f"{node.op.name} at node {names[node]}, {distance:.1g} from its kink ({node.op.convention})"
        for node in order
        if (distance := _distance_to_kink(node)) < 10 * h and node.op is not None
    ]
    if kinks:
        return f"finite differences are not reliable near a kink: {', '.join(kinks)}"
    return (
        "every partial of the graph is right, so the function must use an input in a way that the graph does not "
        "record (.data, float(), stop_gradient, detach, no_grad, or a branch that flips here)"
    )


def _distance_to_kink(node: Value) -> float:
    if node.op is None or node.op.kink is None:
        return math.inf
    return abs(node.op.kink(*_numbers(node)))


def _numbers(node: Value) -> list[float]:
    return [number_of(x) for x in node.operands]


def _local_slopes(node: Value, h: float) -> Iterable[tuple[Edge, float, float, float]]:
    """Yield each edge with its slope by differences, the error and the step; skip edges at an end of the domain.

    A row of any number of operands has one rule for all, so of many edges some at both ends are enough.
    """
    if node.op is None or _distance_to_kink(node) < 10 * h:
        return
    xs, function = _numbers(node), node.op.function
    edges = edges_of(node)
    for edge in edges if node.op.slope is None else filter(None, shortened(edges, MAX_EDGES)):

        def moved(t: float, i: int = edge.operand) -> float:
            return function(*xs[:i], xs[i] + t, *xs[i + 1 :])

        try:
            slope = settled(moved, h * max(1.0, abs(xs[edge.operand])))
        except ValueError:  # the end of the domain
            continue
        yield edge, *slope


@dataclass(frozen=True)
class AuditRow:
    """The derivative of the output with respect to one leaf, computed in three ways."""

    name: str
    reverse: float
    forward: float
    numeric: float
    error: float  # an estimate for `numeric`

    @property
    def agrees(self) -> bool:
        """Return whether the three agree within the error of the differences."""
        tolerance = 1e-6 * max(1.0, abs(self.reverse)) + 10 * self.error
        same = math.isclose(self.reverse, self.forward, rel_tol=1e-9, abs_tol=1e-12)
        return same and abs(self.reverse - self.numeric) <= tolerance


class Audit(tuple[AuditRow, ...]):
    """Rows of an audit, printed as a table."""

    __slots__ = ()

    def __str__(self) -> str:
        cells: list[tuple[str, ...]] = [("leaf", "reverse", "forward", "numeric", "")]
        for row in self:
            numbers = (format_number(x, 8) for x in (row.reverse, row.forward, row.numeric))
            cells.append((row.name, *numbers, "" if row.agrees else "differs"))
        return as_text(cells)

    __repr__ = __str__


def audit(output: Value) -> Audit:
    """Show the derivative with respect to each leaf by reverse mode, forward mode and finite differences.

    The finite differences compute the graph again from moved leaves. `.grad` does not change.

    Raises:
        TypeError: `output` is not a Value.
        ValueError: there are so many leaves and edges that the differences would take minutes.
        StaleGraphError: a number was assigned after the graph was computed.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> audit(a * b + a)
    leaf  reverse  forward  numeric
    a     4        4        4
    b     2        2        2
    """
    require_value("audit", output)
    order = topological_order(output)
    require_fresh(output, order)
    leaves, operands = sum(node.op is None for node in order), sum(len(node.operands) for node in order)
    if leaves * operands > MAX_COMPUTED:
        raise ValueError(
            f"audit: the graph has {counted(leaves, 'leaf', 'leaves')} and {counted(operands, 'operand')}, and is "
            "computed again for each leaf, which takes too long; ag.check_grads(f, args) compares one direction"
        )
    names = names_of(order, output)
    derivatives = derivatives_of(output, order)
    rows = []
    for leaf in order:
        if leaf.op is not None:
            continue

        def moved(t: float, leaf: Value = leaf) -> float:
            held: dict[Value, float] = {}
            for node in order:
                if node.op is None:
                    held[node] = primal(node) + t * (node is leaf)
                else:
                    held[node] = node.op.function(*(held[x] if isinstance(x, Value) else x for x in node.operands))
            return held[output]

        (forward,) = Linear([output], [leaf], graph=False).push([1.0])
        try:
            numeric, error, _ = settled(moved, STEP * max(1.0, abs(primal(leaf))))
        except ValueError:  # the end of a domain
            numeric, error = math.nan, math.inf
        rows.append(AuditRow(names[leaf], derivatives[leaf], number_of(forward), numeric, error))
    return Audit(rows)
