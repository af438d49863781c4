"""Derivatives of rows at numbers that are very small or large, to the third order, against mpmath."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import mpmath
import numpy as np
import pytest
from oracles import oracle
from strategies import differentiable

import autograd_mini as ag
from autograd_mini import OPS, Op

FAR = [s * x for x in (1e-300, 1e-8, 0.5, 2.0, 20.0, 40.0, 400.0, 745.0, 1e8, 1e100) for s in (1.0, -1.0)]
PAIRED = [1e-160, 1e-8, 1.0, 40.0, 1e8, 1e160, -1.0, -40.0]
# Rows with kinks have tests of their own; these two are smooth but at the origin.
ROWS = [
    op
    for op in OPS.values()
    if (op.kink is None or op.name in ("hypot", "atan2")) and op.name not in ("powlog", "where")
]
# Rows that are not right to all digits, and why: terms of their rules may nearly cancel. The terms have all digits.
ROUNDED = {
    "sigmoid": "1 - z, as in textbooks",
    "tanh": "1 - z^2, as in textbooks",
    "silu": "1 - z, as in textbooks",
    "gelu": "a sum of terms with different signs",
    "asin": "(1 - x) (1 + x) is exact near 1, its slope near 0 is not",
    "acos": "(1 - x) (1 + x) is exact near 1, its slope near 0 is not",
    "atanh": "(1 - x) (1 + x) is exact near 1, its slope near 0 is not",
    "hypot": "a length is nearly linear along itself",
    "atan2": "the second derivatives of an angle have zeros where x = y",
}
NEAR_0 = {"softplus", "log_sigmoid"}  # the same, but only near 0, where the third derivative is 0
# The rules of these rows have a factor that overflows or underflows outside of these sizes, although the derivative may
# not. Then second derivatives are 0, inf or nan.
SIZES = {"pow": (1e-100, math.inf), "atan": (0.0, 1e50), "atan2": (1e-100, 1e100)}


def orders(op: Op, most: int) -> Iterator[tuple[int, ...]]:
    """Yield how often to differentiate with respect to each operand."""
    places = differentiable(op)
    for order in itertools.product(range(most + 1), repeat=len(op.rules)):
        if 0 < sum(order) <= most and all(i in places for i, k in enumerate(order) if k):
            yield order


def points(op: Op) -> Iterator[tuple[float, ...]]:
    """Yield operands in the row's domain, where its value does not overflow."""
    columns: list[Sequence[float]] = [PAIRED if len(differentiable(op)) > 1 else FAR] * len(op.rules)
    if len(differentiable(op)) < len(op.rules):  # the first operand is an order
        columns[0] = (1.0, 4.0)
    for xs in itertools.product(*columns):
        if all(d.lo < x < d.hi for x, d in zip(xs, op.domain, strict=True)):
            try:
                op(*xs)
            except ArithmeticError:
                continue
            yield xs


def exact(op: Op, xs: Sequence[float], order: Sequence[int]) -> Any:
    """Return a derivative: by a formula, or by central differences with enough digits."""
    if op.name in FORMULAS:
        with mpmath.workdps(700):
            return FORMULAS[op.name](order, *map(mpmath.mpf, xs))
    sizes = [math.log10(abs(x)) for x in xs if x]
    n, digits = sum(order), int(30 - min(0.0, *sizes) + max(0.0, *sizes))
    with mpmath.workdps(700 + n * digits):
        h = mpmath.mpf(10) ** -digits
        total = mpmath.mpf(0)
        steps = [i for i, k in enumerate(order) for _ in range(k)]
        for signs in itertools.product((1, -1), repeat=n):
            at = list(map(mpmath.mpf, xs))
            for i, sign in zip(steps, signs, strict=True):
                at[i] += sign * h
            total += math.prod(signs) * oracle(op)(*at)
        return total / (2 * h) ** n


def terms(op: Op, xs: Sequence[float], order: Sequence[int]) -> float:
    """Return the size of the terms that may nearly cancel in a derivative, or 0 if there are none."""
    if op.name in ("hypot", "atan2"):
        return math.hypot(*xs) ** ((op.name == "hypot") - sum(order))
    if op.name in NEAR_0:
        return float(abs(xs[0]) < 1.0)
    return max(1.0, *map(abs, xs)) if op.name in ROUNDED else 0.0


def psi_or_0(order: int, x: Any, wanted: bool) -> Any:
    return mpmath.psi(order, x) if wanted else 0


FORMULAS: dict[str, Callable[..., Any]] = {
    "gamma": lambda order, x: (
        mpmath.gamma(x)
        * (
            mpmath.psi(0, x) ** order[0]
            + (order[0] > 1) * mpmath.psi(1, x) * (1, 1, 1, 3 * mpmath.psi(0, x))[order[0]]
            + (order[0] > 2) * mpmath.psi(2, x)
        )
    ),
    "lgamma": lambda order, x: mpmath.psi(order[0] - 1, x),
    "digamma": lambda order, x: mpmath.psi(order[0], x),
    "polygamma": lambda order, k, x: mpmath.psi(int(k) + order[1], x),
    "sinc_derivative": lambda order, k, x: exact(OPS["sinc"], [float(x)], [int(k) + order[1]]),
    "polygamma_gap": lambda order, k, x, y: (
        psi_or_0(int(k) + sum(order), x, order[2] == 0) - mpmath.psi(int(k) + sum(order), x + y)
    ),
    "betaln": lambda order, x, y: (
        psi_or_0(sum(order) - 1, x, order[1] == 0)
        + psi_or_0(sum(order) - 1, y, order[0] == 0)
        - mpmath.psi(sum(order) - 1, x + y)
    ),
}


def nested(op: Op, order: Sequence[int]) -> Callable[..., Any]:
    f: Callable[..., Any] = op
    for i, k in enumerate(order):
        for _ in range(k):
            f = ag.grad(f, i)
    return f


def taylor(op: Op, order: Sequence[int]) -> Callable[..., Any]:
    i = max(range(len(order)), key=lambda i: order[i])

    def derivative(*xs: float) -> Any:
        return ag.derivative(lambda x: op(*xs[:i], x, *xs[i + 1 :]), order[i])(xs[i])

    return derivative


def pushed(op: Op, order: Sequence[int]) -> Callable[..., Any]:
    p, q = [i for i, k in enumerate(order) for _ in range(k)]

    def derivative(*xs: float) -> Any:
        free = [p, q] if p != q else [p]
        f = lambda v: op(*(v[free.index(i)] if i in free else x for i, x in enumerate(xs)))  # noqa: E731
        return ag.hessian(f, sparse=True)([xs[i] for i in free]).toarray()[0, -1]

    return derivative


def ways(op: Op, order: Sequence[int]) -> Iterator[tuple[str, Callable[..., Any]]]:
    yield "nested", nested(op, order)
    if sum(k > 0 for k in order) == 1:
        yield "taylor", taylor(op, order)
    if sum(order) == 2:
        yield "pushed", pushed(op, order)
    for runner in ("numpy", "llvm"):
        yield runner, ag.compile(nested(op, order), runner=runner)


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_every_row_far_out(op: Op) -> None:
    wrong = []
    at = list(points(op))
    for order in orders(op, 3 if len(op.rules) == 1 else 2):
        expected = [exact(op, xs, order) for xs in at]
        for name, f in ways(op, order):
            for xs, right in zip(at, expected, strict=True):
                least, most = SIZES.get(op.name, (0.0, math.inf))
                if sum(order) > 1 and not all(least <= abs(x) <= most for x in xs):
                    continue
                found = f(*xs)
                if found != pytest.approx(float(right), rel=1e-9, abs=max(1e-300, 1e-15 * terms(op, xs, order))):
                    wrong.append((name, order, xs, found, float(right)))
    assert not wrong


def test_taylor_where_its_products_overflow() -> None:
    """Coefficients are right where a product of other coefficients is not finite."""
    assert ag.taylor(lambda x: ag.norm([x, 2.0 * x]) ** 2, 1e-200, 2) == pytest.approx([0.0, 1e-199, 5.0])
    assert ag.taylor(lambda x: ag.norm([x, 1e-300]), 1e-300, 2)[1:] == pytest.approx([0.5**0.5, 1e300 / 32**0.5])
    assert ag.taylor(ag.gamma, 1e-300, 3) == pytest.approx([1e300, -math.inf, math.inf, -math.inf])
    assert ag.taylor(lambda x: ag.mean([x, 1e308]), 1e308, 2) == [math.inf, 0.5, 0.0]
    assert ag.taylor(lambda x: x / 1e-160, 1e160, 2) == pytest.approx([math.inf, 1e160, 0.0])
    assert ag.taylor(lambda x: x**1e160, 1.0, 2) == [1.0, 1e160, math.inf]
    assert ag.taylor(lambda x: x**5000, 0.0, 2) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("size", [1e-200, 1e-170, 1e-150, 1.0, 1e150, 1e300])
def test_derivatives_of_a_power_of_a_length(size: float) -> None:
    """The square of a small length has derivatives, although the square itself may be 0."""
    xs = [2.0 * size, -3.0 * size, 6.0 * size]
    squared, inverse = lambda v: ag.norm(v) ** 2, lambda v: 1.0 / ag.norm(v)
    if size < 1e151:
        assert ag.grad(squared)(xs) == pytest.approx([2.0 * x for x in xs], rel=1e-14)
        assert ag.compile(squared).grad(xs) == pytest.approx([2.0 * x for x in xs], rel=1e-14)
        assert np.array(ag.hessian(squared)(xs)) == pytest.approx(2.0 * np.eye(3), rel=1e-14, abs=1e-14)
    if 1e-151 < size < 1e151:
        assert ag.grad(inverse)(xs) == pytest.approx([-(x / size) / 343.0 / size**2 for x in xs], rel=1e-14)


# Derivatives of high order, and the numbers of their coefficients.


def falling(y: float, n: int) -> Any:
    return mpmath.ff(mpmath.mpf(y), n)


HIGH: dict[str, tuple[Callable[[Any], Any], Callable[[int, Any], Any]]] = {
    "exp": (ag.exp, lambda n, x: mpmath.exp(x)),
    "small": (lambda x: 1e-250 * ag.exp(x), lambda n, x: mpmath.mpf(1e-250) * mpmath.exp(x)),
    "sin": (ag.sin, lambda n, x: mpmath.sin(x + n * mpmath.pi / 2)),
    "cos": (ag.cos, lambda n, x: mpmath.cos(x + n * mpmath.pi / 2)),
    "wave": (lambda x: ag.sin(x / 2.0), lambda n, x: mpmath.sin(x / 2 + n * mpmath.pi / 2) / 2**n),
    "log": (ag.log, lambda n, x: -mpmath.factorial(n - 1) / (-x) ** n),
    "sqrt": (ag.sqrt, lambda n, x: falling(0.5, n) * x ** (0.5 - n)),
    "power": (lambda x: x**0.5, lambda n, x: falling(0.5, n) * x ** (0.5 - n)),
    "pole": (lambda x: 1.0 / (1.0 - x), lambda n, x: mpmath.factorial(n) / (1 - x) ** (n + 1)),
}


@pytest.mark.parametrize("name", HIGH)
@pytest.mark.parametrize("order", [0, 1, 20, 21, 100, 171, 180, 250])
def test_derivatives_of_high_order(name: str, order: int) -> None:
    """A derivative that is in range is right. A larger one is infinite, although coefficients may be neither."""
    f, derivative = HIGH[name]
    for x in (1e-3, 0.999, 7.5, 650.0):
        with mpmath.workdps(700):
            exact = derivative(order, mpmath.mpf(x)) if order else f(x)
        assert ag.derivative(f, order)(x) == pytest.approx(float(exact), rel=1e-10, abs=1e-300), x


def test_a_derivative_of_order_500() -> None:
    assert ag.derivative(ag.exp, 500)(1.0) == pytest.approx(math.e, rel=1e-13)


def test_derivatives_of_gamma_of_high_order() -> None:
    """Cauchy's integral around 3 is a mean over a circle."""
    n = 200
    with mpmath.workdps(60):
        circle = [mpmath.expjpi(mpmath.mpf(2 * k) / n) for k in range(n)]
        values = [mpmath.gamma(3 + u) for u in circle]
        for order in (25, 40):
            mean = sum(z / u**order for z, u in zip(values, circle, strict=True)) / n
            exact = float((mpmath.factorial(order) * mean).real)
            assert ag.derivative(ag.gamma, order)(3.0) == pytest.approx(exact, rel=1e-11)


def test_high_derivatives_of_polynomials() -> None:
    """Zeros stay 0, and the factorial keeps its digits until it overflows."""
    for order in (21, 31, 171):
        assert ag.derivative(lambda x: x**3 - 2.0 * x, order)(2.0) == 0.0
        assert ag.derivative(ag.sin, 2 * order)(0.0) == 0.0
        assert ag.derivative(lambda x: 5.0, order)(2.0) == 0.0
    for order in (21, 30, 100, 170):
        assert ag.derivative(lambda x: x**order, order)(2.0) == float(math.factorial(order))  # noqa: B023  # used at once
    assert ag.derivative(lambda x: x**171, 171)(2.0) == math.inf
    assert ag.derivative(lambda x: -((x / 100.0) ** 171), 171)(0.0) == pytest.approx(
        -math.factorial(171) / 100**171, rel=1e-13
    )


@pytest.mark.parametrize("order", [21, 175, 200])
def test_high_derivatives_as_values(order: int) -> None:
    """Values do not have the range of wide numbers, but the step of their series keeps them close to 1."""
    for f in (ag.exp, lambda x: 1e-250 * ag.exp(x)):
        right = pytest.approx(f(1.0), rel=1e-11)
        x = ag.Value(1.0)
        z = ag.derivative(f, order)(x)
        z.backward()
        assert z.data == right
        assert x.grad == right
        assert ag.grad(ag.derivative(f, order))(1.0) == right
    assert ag.derivative(lambda x: x**3, order)(ag.Value(2.0)).data == 0.0


def test_coefficients_that_underflow_on_the_way() -> None:
    found = ag.taylor(lambda x: ag.exp(x) * 1e300, 0.0, 190)
    exact = [float(mpmath.mpf(1e300) / mpmath.factorial(k)) for k in range(191)]
    assert found == pytest.approx(exact, rel=1e-12, abs=0.0)


def test_high_derivatives_at_the_end_of_a_domain() -> None:
    assert ag.derivative(ag.sqrt, 2)(0.0) == -math.inf
    for f in (ag.sqrt, lambda x: x**2.5):
        assert not math.isfinite(ag.derivative(f, 30)(0.0))


@pytest.mark.parametrize("x", [6e307, -6e307, 1e308, -math.inf])
def test_the_slope_of_sinc_where_pi_x_overflows(x: float) -> None:
    """Such numbers are even, so sin is 0 and cos is 1."""
    assert ag.grad(ag.sinc)(x) == ag.compile(ag.grad(ag.sinc), runner="llvm")(x) == 1.0 / x
    assert ag.derivative(ag.sinc, 3)(x) == pytest.approx(-(math.pi**2) / x, rel=1e-14)


@pytest.mark.parametrize("logits", [(40.0, 0.0), (0.0, 700.0), (3.0, 3.0)])
def test_second_derivatives_of_logaddexp_where_one_number_dominates(logits: tuple[float, float]) -> None:
    """For two numbers it keeps the digits that logsumexp loses."""
    with mpmath.workdps(700):
        p, q = [mpmath.exp(x) for x in logits]
        exact = float(p * q / (p + q) ** 2)
    expected = np.array([[exact, -exact], [-exact, exact]])
    assert np.array(ag.hessian(lambda v: ag.logaddexp(*v))(list(logits))) == pytest.approx(expected, rel=1e-12, abs=0)
    assert np.array(ag.hessian(ag.logsumexp)(list(logits))) == pytest.approx(expected, rel=0, abs=1e-16)
