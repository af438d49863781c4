"""Limits of rows where they raise, and edges that pass no derivative."""

from __future__ import annotations

import copy
import itertools
import json
import math
import pickle
from collections.abc import Callable
from typing import Any, cast

import pytest

import autograd_mini as ag
from autograd_mini import OPS, Op, Value
from autograd_mini.ops import dot, sum as sum_row, take

inf, nan = math.inf, math.nan
SPECIAL = (
    0.0,
    -0.0,
    0.5,
    1.0,
    -1.0,
    2.0,
    -2.0,
    -2.5,
    3.0,
    5e-324,
    1e-310,
    1e160,
    -1e160,
    800.0,
    -800.0,
    inf,
    -inf,
    nan,
)
every_row = pytest.mark.parametrize("op", OPS.values(), ids=list(OPS))


def same(x: float, y: float) -> bool:
    """Return whether two numbers are the same, signs of zeros too; nan is nan."""
    return (math.isnan(x) and math.isnan(y)) or (x == y and math.copysign(1.0, x) == math.copysign(1.0, y))


def points(op: Op) -> Any:
    n = len(op.rules)
    return itertools.product(SPECIAL, repeat=n) if n < 3 else [(1.0,) * n]


@every_row
def test_a_limit_is_the_row_where_the_row_has_a_value(op: Op) -> None:
    for xs in points(op):
        try:
            z = op(*xs)
        except (ArithmeticError, ValueError):
            assert op.raises, xs
            assert isinstance(op.limit(*xs), float)
        else:
            assert same(op.limit(*xs), z), xs
    assert op.limit.row is op.row is op
    assert op.limit.limit is op.limit
    assert (op.limit.name, op.limit.text, op.limit.rules) == (op.name, op.text, op.rules)


@pytest.mark.parametrize(
    ("name", "xs", "limit"),
    [
        ("div", (1.0, 0.0), inf), ("div", (1.0, -0.0), -inf), ("div", (-inf, 0.0), -inf), ("div", (0.0, 0.0), nan),
        ("div", (nan, 0.0), nan), ("pow", (0.0, -1.0), inf), ("pow", (-0.0, -1.0), -inf), ("pow", (-0.0, -3.0), -inf),
        ("pow", (-0.0, -2.0), inf), ("pow", (-0.0, -0.5), inf), ("pow", (-8.0, 1 / 3), nan),
        ("pow", (-1e200, 3.0), -inf), ("pow", (-1e200, 2.0), inf), ("pow", (2.0, 1e5), inf), ("sqrt", (-1.0,), nan),
        ("exp", (1e3,), inf), ("expm1", (1e3,), inf), ("sinh", (-800.0,), -inf), ("sinh", (800.0,), inf),
        ("cosh", (-800.0,), inf), ("log", (0.0,), -inf), ("log", (-0.0,), -inf), ("log", (-1.0,), nan),
        ("log", (-inf,), nan), ("log2", (0.0,), -inf), ("log10", (-0.0,), -inf), ("log1p", (-1.0,), -inf),
        ("log1p", (-2.0,), nan), ("atanh", (1.0,), inf), ("atanh", (-1.0,), -inf), ("atanh", (2.0,), nan),
        ("sin", (inf,), nan), ("acos", (1.5,), nan), ("acosh", (0.5,), nan), ("xlogy", (2.0, 0.0), -inf),
        ("xlogy", (-2.0, 0.0), inf), ("xlogy", (0.0, -1.0), nan), ("lgamma", (0.0,), inf), ("lgamma", (-3.0,), inf),
        ("mod", (1.0, 0.0), nan), ("floordiv", (1.0, -0.0), -inf), ("floordiv", (0.0, 0.0), nan), ("exp2", (1e4,), inf),
        ("gamma", (0.0,), inf), ("gamma", (-0.0,), -inf), ("gamma", (-2.0,), nan), ("gamma", (-inf,), nan),
        ("gamma", (200.0,), inf), ("gamma", (-1e-310,), -inf), ("erfinv", (1.0,), inf), ("erfinv", (-1.0,), -inf),
        ("erfinv", (2.0,), nan), ("logit", (0.0,), -inf), ("logit", (1.0,), inf), ("logit", (2.0,), nan),
        ("betaln", (0.0, 2.0), inf), ("betaln", (0.0, inf), nan), ("betaln", (-1.0, 0.0), nan), ("root", (-1.0,), nan),
        ("lgamma", (1e307,), inf), ("digamma", (0.0,), -inf), ("digamma", (-0.0,), inf), ("digamma", (-2.0,), nan),
    ],
)  # fmt: skip
def test_limits(name: str, xs: tuple[float, ...], limit: float) -> None:
    with pytest.raises((ArithmeticError, ValueError)):
        OPS[name](*xs)
    assert same(OPS[name].limit(*xs), limit)


def test_powers_of_negative_numbers_are_pythons() -> None:
    for x, y in itertools.product(SPECIAL, repeat=2):
        try:
            expected = x**y
        except (ArithmeticError, ValueError):
            continue
        if isinstance(expected, complex):
            continue
        assert same(ag.pow(x, y), expected), (x, y)


@pytest.mark.parametrize(
    ("name", "place", "xs", "slope"),
    [
        ("cosh", 0, (-800.0,), -inf),
        ("sinh", 0, (-800.0,), inf),
        ("pow", 0, (-2.0, 0.5), nan),
        ("pow", 0, (0.0, -1.0), -inf),
        ("sqrt", 0, (0.0,), inf),
        ("div", 1, (1.0, 0.0), -inf),
        ("log", 0, (0.0,), inf),
    ],
)
def test_partials_at_poles(name: str, place: int, xs: tuple[float, ...], slope: float) -> None:
    op = OPS[name]
    assert same(op.partial(place, xs, op.limit(*xs)), slope)


@ag.custom_rule(lambda x, z: -math.exp(x))
def falling(x: float) -> float:
    return -math.exp(x)


@ag.custom_rule(lambda x, z: 2 / x if abs(x) < 1 else 2 / (x * x))
def bent(x: float) -> float:
    if x == 0:
        return -1 / x
    return math.log(x) if math.isfinite(x) else math.pow(x, 2)


def test_limits_of_ones_own_rows() -> None:
    assert (falling.limit(1e3), falling.partial(0, (1e3,), -inf), falling.limit(0.0)) == (-inf, -inf, -1.0)
    assert (bent.limit(0.0), bent.limit(-0.0), bent.limit(inf), bent.limit(1.0)) == (-inf, inf, inf, 0.0)
    assert math.isnan(bent.limit(-2.0))
    assert (bent.partial(0, (0.0,), 0.0), bent.partial(0, (2.0,), 0.0)) == (inf, 0.5)
    assert pickle.loads(pickle.dumps(falling.limit)) is falling.limit


def test_graphs_of_derivatives_are_copied_and_pickled() -> None:
    x = Value(0.0, "x")
    slope = ag.gradient(ag.sqrt(x), x).parents[0]
    assert slope.op is ag.div.limit
    for made in (copy.deepcopy(slope), pickle.loads(pickle.dumps(slope))):
        assert made.op is ag.div.limit
        assert made.data == inf


# Errors name the row and its operands, in the same words on every Python.


@pytest.mark.parametrize(
    ("f", "x", "error", "message"),
    [
        (ag.log, -1.0, ValueError, "math domain error in log(%s)"),
        (ag.asin, 2.0, ValueError, "math domain error in asin(%s)"),
        (ag.exp, 1e4, OverflowError, "math range error in exp(%s)"),
        (lambda x: 1.0 / x, Value(0.0), ZeroDivisionError, "division by zero in div(1.0, 0.0)"),
        (lambda x: ag.div(1.0, x), 0.0, ZeroDivisionError, "division by zero in div(1.0, %s)"),
        (lambda x: ag.pow(x, -1.0), 0.0, ZeroDivisionError, "division by zero in pow(%s, -1.0)"),
        (lambda x: ag.pow(x, 1e3), 10.0, OverflowError, "math range error in pow(%s, 1000.0)"),
        (lambda x: ag.pow(x, 0.5), -2.0, ValueError, "math domain error in pow(%s, 0.5)"),
    ],
)
def test_words_for_domain_errors(f: Callable[..., Any], x: Any, error: type[Exception], message: str) -> None:
    places = [(x, repr(x)), (Value(x, "a"), f"a={x!r}")] if isinstance(x, float) else [(x, "")]
    for operand, place in places:
        with pytest.raises(error) as caught:
            f(operand)
        assert str(caught.value) == (message % place if "%s" in message else message)


@ag.custom_rule(lambda x, z: 1.0)
def particular(x: float) -> float:
    if x > 3:
        raise ValueError
    if x > 2:
        json.loads("{")
    raise ZeroDivisionError("x is too small")


@pytest.mark.parametrize("kind", [float, lambda x: Value(x, "w")])
def test_a_row_of_ones_own_keeps_its_errors(kind: Callable[[float], Any]) -> None:
    place = "w=" * isinstance(kind(0.0), Value)
    with pytest.raises(ZeroDivisionError, match=rf"^x is too small in particular\({place}1\.0\)$") as caught:
        particular(kind(1.0))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(ValueError, match=rf"^ValueError in particular\({place}4\.0\)$"):
        particular(kind(4.0))
    with pytest.raises(json.JSONDecodeError) as broken:
        particular(kind(2.5))
    assert f"in particular({place}2.5)" in broken.value.__notes__[0]


# What is recorded of a derivative is right at other numbers.

POLES: list[tuple[Callable[..., Any], tuple[float, ...], tuple[float, ...]]] = [
    (ag.sqrt, (0.0,), (4.0,)),
    (ag.cbrt, (0.0,), (8.0,)),
    (lambda x: x**0.5, (0.0,), (4.0,)),
    (lambda x: x**1.5, (0.0,), (4.0,)),
    (lambda x, y: x**y, (0.0, 2.0), (2.0, 3.0)),
    (ag.asin, (1.0,), (0.5,)),
    (ag.acos, (-1.0,), (0.5,)),
    (ag.acosh, (1.0,), (2.0,)),
    (ag.hypot, (0.0, 0.0), (3.0, 4.0)),
    (ag.atan2, (0.0, 0.0), (3.0, 4.0)),
    (ag.xlogy, (1.0, 0.5), (2.0, 3.0)),
    (lambda x: ag.sqrt(x * x), (0.0,), (3.0,)),
    (lambda x: 2.0**x, (1.0,), (3.0,)),
    (lambda x: 0.0**x, (1.0,), (3.0,)),
]


@pytest.mark.parametrize(("f", "pole", "ordinary"), POLES)
def test_traces_of_derivatives_hold_no_slope(
    f: Callable[..., Any], pole: tuple[float, ...], ordinary: tuple[float, ...]
) -> None:
    k = tuple(range(len(pole)))
    for slopes in (ag.grad(f, k), lambda *xs: [list(row) for row in ag.hessian(f, k)(*xs)]):
        for there, here in itertools.product((pole, ordinary), repeat=2):
            expected, found = slopes(*here), ag.trace(slopes, *there)(*here)
            flat = [x for row in expected for x in (row if isinstance(row, list) else [row])]
            also = [x for row in found for x in (row if isinstance(row, list) else [row])]
            assert all(map(same, flat, also)), (there, here, expected, found)


def test_the_users_own_division_still_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        ag.trace(lambda x: 1 / x, 2.0)(0.0)
    with pytest.raises(ZeroDivisionError):
        ag.grad(lambda x: 1 / x)(0.0)
    with pytest.raises(ValueError, match="math domain error"):
        ag.trace(ag.grad(lambda x: ag.log(x) ** 2), 1.0)(-1.0)


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((0.0, 2.0), [[2.0, 0.0], [0.0, 0.0]]),
        ((0.0, 3.0), [[0.0, 0.0], [0.0, 0.0]]),
        ((0.0, 1.0), [[0.0, -inf], [-inf, 0.0]]),
        ((2.0, 3.0), [[12.0, 4 + 12 * math.log(2)], [4 + 12 * math.log(2), 8 * math.log(2) ** 2]]),
    ],
)
def test_second_derivatives_of_a_power_at_its_end(point: tuple[float, float], expected: list[list[float]]) -> None:
    found = ag.hessian(lambda v: v[0] ** v[1])(list(point))
    for row, right in zip(found, expected, strict=True):
        assert row == pytest.approx(right, rel=1e-14)

    def twice_in_y(x: Any) -> Any:
        return ag.grad(ag.grad(lambda y: x**y))(point[1])

    mixed = ag.grad(twice_in_y)(point[0])
    if point[1] > 1.0:  # d/dx of x^y log² x
        x, y = point
        assert mixed == pytest.approx(0.0 if x == 0.0 else x ** (y - 1) * (y * math.log(x) ** 2 + 2 * math.log(x)))


def test_the_slope_of_sqrt_at_both_zeros() -> None:
    for zero in (0.0, -0.0):
        assert ag.grad(ag.sqrt)(zero) == ag.compile(ag.sqrt).grad(zero) == inf
        assert ag.grad(lambda x: ag.sqrt(-x))(zero) == -inf
        assert ag.derivative(ag.sqrt)(zero) == inf
    assert str(ag.explain(ag.expression("y = sqrt(x)", x=4), "x")) == "dy/dx = 0.5 / y = 0.5 / 2 = 0.25"


@pytest.mark.parametrize("runner", ["numpy", None])
def test_a_program_follows_ieee_from_its_first_call_on(runner: str | None) -> None:
    for first, then in itertools.permutations((0.0, -0.0, 2.0), 2):
        c = ag.compile(lambda x: 1 / x, runner=runner)
        for x in (first, then):
            assert c(x) == (1 / x if x else math.copysign(inf, x))
        d = ag.compile(ag.sqrt, runner=runner)
        for x in (first, then):
            assert d.jvp((x,), (1.0,))[1] == (0.5 / math.sqrt(x) if x else inf)
    checked = ag.compile(lambda x: ag.log(x) + 1, check=True, runner=runner)
    for x in (0.0, 1.0, 0.0):
        if x:
            assert checked(x) == 1.0
        else:
            with pytest.raises(ValueError, match=r"math domain error in log\(x=0\.0\)"):
                checked(x)


# Edges whose rule is the constant 0.


def test_rows_say_where_they_stop() -> None:
    stopping = {name: sorted(op.stops) for name, op in OPS.items() if op.stops}
    assert stopping == {
        "floor": [0], "ceil": [0], "round": [0], "trunc": [0], "floordiv": [0, 1],
        "stop_gradient": [0], "where": [0], "sign": [0], "greater": [0, 1], "greater_equal": [0, 1], "equal": [0, 1],
    }  # fmt: skip
    assert [sorted(op.stops) for op in (take, dot, sum_row)] == [[0], [], []]
    assert ag.custom_rule(lambda x, z: 0)(lambda x: x).stops == {0}
    assert not ag.custom_rule(lambda x, z: 0.0 if x > 0 else 1.0)(lambda x: x).stops


STOPS: list[tuple[Callable[..., Any], float]] = [
    (lambda x: ag.sqrt(ag.stop_gradient(x)) + x, 1.0),
    (lambda x: ag.stop_gradient(ag.sqrt(x)) + x, 1.0),
    (lambda x: ag.sqrt(ag.sign(x)) + x, 1.0),
    (lambda x: ag.sqrt(ag.greater(x, 0.0)) + x, 1.0),
    (lambda x: ag.sqrt(ag.equal(1.0, x)) + x, 1.0),
    (lambda x: ag.where(ag.sqrt(x), 2 * x, 3 * x), 3.0),
    (lambda x: ag.take([x, 2 * x], ag.sqrt(x)), 1.0),
    (lambda x: ag.stop_gradient(ag.stop_gradient(ag.sqrt(x)) * ag.sqrt(x)) + 2 * x, 2.0),
]


@pytest.mark.parametrize(("f", "slope"), STOPS)
def test_edges_of_the_constant_0_pass_nothing(f: Callable[..., Any], slope: float) -> None:
    assert ag.grad(f)(0.0) == slope
    assert ag.jvp(f, (0.0,), (1.0,))[1] == slope
    assert ag.jacobian(f, mode="fwd")(0.0) == slope
    assert ag.hessian(f)(0.0) == 0.0
    x = Value(0.0, "x")
    y = f(x)
    y.backward()
    assert x.grad == slope
    assert ag.gradient(y, x).data == slope
    assert ag.paths(y, x).total == slope
    assert math.fsum(path.product for path in ag.paths(y, x)) == slope
    assert ag.explain(y, x).lines[-1].value == slope
    assert "0 · inf" not in str(ag.explain(y))
    assert "nan" not in str(ag.blame(y))
    (row,) = ag.audit(y)
    assert row.reverse == row.forward == slope


def test_a_rule_that_is_0_at_a_point_stays_an_edge() -> None:
    assert math.isnan(ag.grad(lambda x: ag.sqrt(x * x))(0.0))
    assert math.isnan(ag.grad(lambda x: ag.sqrt(ag.relu(x)))(0.0))
    x = Value(0.0, "x")
    y = ag.sign(x) * 2
    assert y.parents[0].parents == (x,)
    assert y.parents[0].partials == (0.0,)


def test_only_the_tables_guards_are_left_out_of_formulas() -> None:
    @ag.custom_rule(lambda x, z: ag.where(ag.equal(x, 2.0), 5.0, x))
    def kinked(x: float) -> float:
        return x * x / 2

    x, y = Value(2.0, "x"), Value(3.0, "y")
    assert str(ag.explain(kinked(x), x)).startswith("df/dx = where(x == 2, 5, x) = ")
    assert str(ag.explain(ag.hypot(x, y), x)).startswith("df/dx = x / f = ")
    assert str(ag.explain(x**y, y)).startswith("df/dy = f · log(x) = ")
    assert pickle.loads(pickle.dumps(ag.gradient(ag.hypot(x, y), x))).data == 2 / math.hypot(2, 3)


def test_a_guard_covers_a_point_and_leaves_it_without_a_second_derivative() -> None:
    H = ag.hessian(lambda v: ag.hypot(v[0], v[1]))
    assert all(math.isnan(x) for row in H([0.0, 0.0]) for x in row)
    assert H([3.0, 0.0]) == [[0.0, 0.0], [0.0, 1 / 3]]
    squared = ag.hessian(lambda v: ag.hypot(v[0], v[1]) ** 2)
    assert not any(math.isfinite(x) for row in squared([0.0, 0.0]) for x in row)
    assert squared([0.0, 2.0]) == [[2.0, 0.0], [0.0, 2.0]]
    power = ag.hessian(lambda v: v[0] ** v[1])
    assert power([2.0, 0.0])[0] == [0.0, 0.5]
    assert ag.grad(lambda x, y: x**y)(0.0, 0.0) == 0.0
    assert ag.grad(lambda x, y: x**y)(nan, 0.0) == 0.0


def test_far_out_second_derivatives_are_0() -> None:
    for f in (ag.atan, ag.erf, ag.erfc, ag.tanh, ag.sigmoid, ag.gelu, ag.softplus, ag.silu):
        for x in (1e160, -1e160, 1e300):
            assert ag.grad(ag.grad(f))(x) == 0.0
            assert ag.derivative(f, 2)(x) == 0.0


def test_the_entropys_slope_at_0() -> None:
    assert ag.grad(lambda p: ag.xlogy(0.0, p))(0.0) == 0.0
    assert ag.grad(lambda p: ag.xlogy(1.0, p) + ag.xlogy(0.0, 1.0 - p))(1.0) == 1.0
    assert math.isnan(ag.hessian(lambda v: ag.xlogy(v[0], v[1]))([0.0, 0.0])[1][1])


@ag.custom_rule(lambda x, z: math.cos(x))
def sine(x: float) -> float:
    return math.sin(x)


@ag.custom_rule(lambda x, y, z: y if x > 0 else 0.0, lambda x, y, z: math.fabs(x))
def odd(x: float, y: float) -> float:
    return abs(x) * y


def test_a_rule_that_calls_math_serves_the_first_order_everywhere() -> None:
    slope = math.cos(0.3)
    assert ag.grad(sine)(0.3) == ag.grad(sine)(Value(0.3)).data == ag.derivative(sine)(0.3) == slope
    assert ag.jvp(sine, (0.3,), (1.0,))[1] == ag.taylor(sine, 0.3, 1)[1] == slope
    assert ag.trace(ag.grad(sine), 0.5)(0.3) == slope
    for runner in ("numpy", None):
        c = ag.compile(sine, runner=runner)
        assert c.jvp((0.3,), (1.0,))[1] == pytest.approx(slope, rel=1e-15)
        assert ag.compile(ag.grad(sine), runner=runner)(0.3) == pytest.approx(slope, rel=1e-15)
    assert math.isnan(ag.grad(ag.grad(sine))(0.3))
    assert math.isnan(ag.derivative(sine, 2)(0.3))
    assert [x.data for x in ag.grad(odd, (0, 1))(*cast("Any", (Value(2.0), Value(3.0))))] == [3.0, 2.0]
    with pytest.raises(TypeError, match="would lose the gradient"):
        ag.taylor(lambda x: math.sin(x), 0.3, 1)  # noqa: PLW0108  # not the builtin itself


@pytest.mark.parametrize("exponent", [0, 1, 2, 0.0, -0.0, 3.0, -1.0, 0.5])
def test_powers_with_a_plain_exponent_to_the_second_order(exponent: float) -> None:
    def p(x: Any) -> Any:
        return x**exponent + 3 * x * x

    for x in (2.0, 0.7):
        second = 6.0 + exponent * (exponent - 1) * x ** (exponent - 2)
        found = [
            ag.grad(ag.grad(p))(x),
            ag.hessian(p)(x),
            ag.hvp(p, (x,), (1.0,)),
            ag.trace(ag.grad(ag.grad(p)), 1.5)(x),
            ag.trace(p, 1.5).gradient().gradient()(x),
            ag.compile(ag.grad(p), runner="numpy").grad(x),
            ag.compile(p, runner="numpy").hvp((x,), (1.0,)),
            ag.gradient(ag.grad(p)(y := Value(x)), y).data,
        ]
        assert found == pytest.approx([second] * len(found), rel=1e-13)
    if exponent in (0, 1, 2):
        assert ag.hessian(p)(0.0) == 6.0 + 2 * (exponent == 2)
        assert ag.grad(p)(0.0) == float(exponent == 1)


def test_polynomials_from_powers() -> None:
    def p(x: Any) -> Any:
        return sum(c * x**k for k, c in enumerate([1.0, 2.0, 3.0]))

    assert [ag.hessian(p)(x) for x in (2.0, 0.0, -1.0)] == [6.0, 6.0, 6.0]
    assert ag.compile(p, runner="numpy").hvp((2.0,), (1.0,)) == 6.0
