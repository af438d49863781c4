"""Functions of several numbers, against mpmath and against their own formulas."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from strategies import examples

import autograd_mini as ag
from autograd_mini import Value, nn

inf = math.inf
LOGITS = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=6)


@given(LOGITS)
def test_values(xs: list[float]) -> None:
    with mpmath.workdps(60):
        total = mpmath.fsum(mpmath.exp(x) for x in xs)
        assert ag.logsumexp(xs) == pytest.approx(float(mpmath.log(total)), rel=1e-13, abs=1e-13)
        assert ag.softmax(xs) == pytest.approx([float(mpmath.exp(x) / total) for x in xs], rel=1e-12)
        assert ag.log_softmax(xs) == pytest.approx([float(x - mpmath.log(total)) for x in xs], rel=1e-12, abs=1e-12)


@given(LOGITS)
def test_the_gradient_of_logsumexp_is_softmax(xs: list[float]) -> None:
    assert ag.grad(ag.logsumexp)(xs) == pytest.approx(ag.softmax(xs), rel=1e-12, abs=1e-300)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=4))
def test_second_derivatives(xs: list[float]) -> None:
    """The Hessian of logsumexp is diag(p) - p p^T."""
    p = ag.softmax(xs)
    expected = [[p[i] * ((i == j) - p[j]) for j in range(len(p))] for i in range(len(p))]
    for row, wanted in zip(ag.hessian(ag.logsumexp)(xs), expected, strict=True):
        assert row == pytest.approx(wanted, abs=1e-12)


def test_a_trace_is_safe_at_other_numbers() -> None:
    """The largest logit is found anew where a trace runs on other numbers."""
    t = ag.trace(ag.logsumexp, [0.0, 1.0])
    assert t([1000.0, 0.0], branches="raise") == 1000.0


def test_a_logit_of_minus_infinity_masks_its_class() -> None:
    xs = [-math.inf, 0.0, 1.0]
    p = ag.softmax([0.0, 1.0])
    assert ag.softmax(xs) == pytest.approx([0.0, *p])
    assert ag.log_softmax(xs)[0] == -math.inf
    assert ag.logsumexp(xs) == pytest.approx(ag.logsumexp([0.0, 1.0]))
    for k in range(3):
        assert math.isfinite(ag.grad(lambda v, k=k: ag.softmax(v)[k])(xs)[0])
        assert ag.grad(lambda v, k=k: ag.softmax(v)[k])(xs)[0] == 0.0
    assert ag.grad(lambda v: nn.cross_entropy(v, 2))(xs) == pytest.approx([0.0, p[0], p[1] - 1])


HALF = -math.log(2.0)
WAYS = {
    "eager": lambda f: f,
    "numpy": lambda f: ag.compile(f, runner="numpy"),
    "default": ag.compile,
    "a trace": lambda f: ag.trace(f, [0.5, 2.0, -1.0]),  # of other numbers
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))


@every_way
@pytest.mark.parametrize(
    ("xs", "shares", "logs"),
    [
        ([inf, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, -inf, -inf]),
        ([1.0, inf, -inf], [0.0, 1.0, 0.0], [-inf, 0.0, -inf]),
        ([inf, 3.0, inf], [0.5, 0.0, 0.5], [HALF, -inf, HALF]),
        ([inf, -inf, 1.7e308], [1.0, 0.0, 0.0], [0.0, -inf, -inf]),
        ([-inf, 2.0, 2.0], [0.0, 0.5, 0.5], [-inf, HALF, HALF]),
    ],
)
def test_infinite_logits(way: Any, xs: list[float], shares: list[float], logs: list[float]) -> None:
    """The values and the slopes are the limits: the slopes of log p_i are [i=j] - p_j, those of p_i that times p_i."""
    assert way(ag.softmax)(xs) == shares
    assert way(ag.log_softmax)(xs) == pytest.approx(logs, rel=1e-15)
    assert way(ag.logsumexp)(xs) == pytest.approx(-logs[1] + 2.0 if max(xs) < inf else inf)
    assert way(ag.grad(ag.logsumexp))(xs) == pytest.approx(shares, rel=1e-15)
    for i in range(3):
        slopes = [(i == j) - p for j, p in enumerate(shares)]
        assert way(lambda v, i=i: nn.cross_entropy(list(v), i))(xs) == pytest.approx(-logs[i], rel=1e-15)
        assert way(ag.grad(lambda v, i=i: ag.softmax(v)[i]))(xs) == [shares[i] * slope for slope in slopes]
        assert way(ag.grad(lambda v, i=i: ag.log_softmax(v)[i]))(xs) == slopes
        assert way(ag.grad(lambda v, i=i: nn.cross_entropy(v, i)))(xs) == [-slope for slope in slopes]


@pytest.mark.parametrize("runner", ["numpy", None])
def test_programs_and_batches_of_infinite_logits(runner: str | None) -> None:
    """A program and a batch have ways back of their own; the program is of the first row's numbers."""
    rows = [[inf, 1.0, 0.0], [0.0, inf, inf], [1.0, 2.0, -inf], [0.0, 0.0, inf], [1.0, 2.0, 3.0]]
    values = [-ag.log_softmax(row)[1] for row in rows]
    slopes = [[p - (j == 1) for j, p in enumerate(ag.softmax(row))] for row in rows]
    loss = ag.compile(lambda v: nn.cross_entropy(list(v), 1), runner=runner)
    assert [loss(row) for row in rows] == pytest.approx(values, rel=1e-14)
    for row, expected in zip(rows, slopes, strict=True):
        assert loss.grad(row) == pytest.approx(expected, rel=1e-14)
    found, gradient = loss.vmap().value_and_grad(np.array(rows))
    assert found.tolist() == pytest.approx(values, rel=1e-14)
    assert gradient == pytest.approx(np.array(slopes), rel=1e-14)


def test_second_derivatives_at_infinite_logits() -> None:
    assert ag.hessian(ag.logsumexp)([inf, 1.0]) == [[0.0, 0.0], [0.0, 0.0]]
    assert ag.hessian(ag.logsumexp)([inf, inf]) == [[0.25, -0.25], [-0.25, 0.25]]


def test_nothing_but_minus_infinity_has_no_shares() -> None:
    for f in (ag.softmax, ag.compile(ag.softmax), ag.compile(ag.softmax, runner="numpy")):
        assert all(map(math.isnan, f([-inf, -inf])))
    assert all(map(math.isnan, ag.softmax([inf, math.nan])))


def test_a_logit_costs_as_many_operations_as_its_formula_has() -> None:
    xs = [Value(float(k)) for k in range(8)]
    nodes = ag.topological_order(ag.sum(ag.softmax(xs)))
    counts = Counter(node.op.name for node in nodes if node.op is not None)
    assert counts == {"maximum": 7, "stop_gradient": 1, "excess": 8, "exp": 8, "sum": 2, "div": 8}


# Statistics, lengths and products.

LISTS = st.lists(st.floats(-3, 3).map(lambda x: round(x, 2)), min_size=2, max_size=5)
OF_LISTS: dict[str, tuple[Any, Any]] = {
    "mean": (ag.mean, lambda v: sum(v) / len(v)),
    "var": (ag.var, lambda v: sum((x - sum(v) / len(v)) ** 2 for x in v) / len(v)),
    "var of a sample": (lambda v: ag.var(v, 1), lambda v: sum((x - sum(v) / len(v)) ** 2 for x in v) / (len(v) - 1)),
    "std": (ag.std, lambda v: mpmath.sqrt(sum((x - sum(v) / len(v)) ** 2 for x in v) / len(v))),
    "norm": (ag.norm, lambda v: mpmath.sqrt(sum(x * x for x in v))),
    "prod": (ag.prod, mpmath.fprod),
    "amax": (ag.amax, max),
    "amin": (ag.amin, min),
}


@pytest.mark.parametrize("name", OF_LISTS)
@given(LISTS)
@settings(max_examples=examples(20))
def test_functions_of_lists_to_the_second_order(name: str, xs: list[float]) -> None:
    f, exact = OF_LISTS[name]
    assume(not name.startswith("std") or len(set(xs)) > 1)
    assume(name != "norm" or any(xs))
    assume(not name.startswith("am") or len(set(xs)) == len(xs))
    n = len(xs)
    with mpmath.workdps(50):

        def partial(*order: int) -> float:
            return float(mpmath.diff(lambda *v: mpmath.mpf(exact(v)), tuple(map(mpmath.mpf, xs)), order, h=1e-15))

        value = float(exact(list(map(mpmath.mpf, xs))))
        slopes = [partial(*(int(i == k) for i in range(n))) for k in range(n)]
        second = [partial(*(int(i == k) + int(i == 0) for i in range(n))) for k in range(n)]
    assert f(xs) == pytest.approx(value, rel=1e-9, abs=1e-9)
    assert ag.grad(f)(xs) == pytest.approx(slopes, rel=1e-9, abs=1e-9)
    assert ag.hessian(f)(xs)[0] == pytest.approx(second, rel=1e-5, abs=1e-5)
    assert ag.compile(f, runner="numpy").value_and_grad(xs)[1] == pytest.approx(slopes, rel=1e-9, abs=1e-9)


def test_equal_numbers_have_no_variance() -> None:
    for xs in ([0.1, 0.1, 0.1], [1e16 + 2, 1e16 + 2], [7.0]):
        assert (ag.var(xs), ag.std(xs)) == (0.0, 0.0)
        assert ag.grad(ag.var)(xs) == ag.grad(ag.std)(xs) == [0.0] * len(xs)
    assert all(math.isnan(x) for row in ag.hessian(ag.std)([2.0, 2.0]) for x in row)
    assert ag.trace(ag.var, [1.0, 2.0])([5.0, 5.0]) == 0.0


@every_way
@pytest.mark.parametrize("x", [3e300, 3.0, 3e-300, 3 * 2.0**-1060])
def test_lengths_do_not_overflow(way: Any, x: float) -> None:
    xs = [x, 0.0, 4 * (x / 3)]
    assert way(ag.norm)(xs) == pytest.approx(5 * (x / 3), rel=1e-15)
    assert way(ag.grad(ag.norm))(xs) == pytest.approx([0.6, 0.0, 0.8], rel=1e-12)
    assert way(ag.std)([x, x, x]) == 0.0
    assert way(ag.grad(ag.norm))([0.0] * 3) == [0.0] * 3
    assert way(ag.grad(lambda v: ag.norm(v) ** 2))([0.0] * 3) == [0.0] * 3


def test_second_derivatives_of_a_length() -> None:
    """They are right where some of the numbers are 0, and nan where all are."""
    assert ag.hessian(ag.norm)([0.0, 0.0, 3.0, 4.0])[0] == [0.2, 0.0, 0.0, 0.0]
    assert all(math.isnan(x) for row in ag.hessian(ag.norm)([0.0, 0.0]) for x in row)
    squared = np.array(ag.hessian(lambda v: ag.norm(v) ** 2)([3.0, 4.0, 0.0]))
    assert squared == pytest.approx(2 * np.eye(3), abs=1e-14)


@every_way
def test_ties_share_and_infinite_numbers_too(way: Any) -> None:
    third = [1 / 3] * 3
    for f, end in ((ag.amax, inf), (ag.amin, -inf)):
        for xs, slopes in (
            ([0.1] * 3, third),
            ([end] * 3, third),
            ([end, 1.0, end], [0.5, 0.0, 0.5]),
            ([-end] * 3, [0.0] * 3),
            ([-0.0, -end, -end], [1.0, 0.0, 0.0]),
        ):
            assert repr(way(f)(xs)) == repr(xs[0])
            assert way(ag.grad(f))(xs) == pytest.approx(slopes, rel=1e-15)
        assert math.isnan(way(f)([1.0, math.nan, 2.0]))


def test_products_are_right_at_0() -> None:
    assert ag.grad(ag.prod)([0.0, 2.0, 3.0]) == [6.0, 0.0, 0.0]
    assert ag.hessian(ag.prod)([0.0, 0.0, 3.0]) == [[0.0, 3.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


def test_clip() -> None:
    def f(x: Any) -> Any:
        return ag.clip(x, 0.0, 1.0)

    for x, z, slope in ((-1.0, 0.0, 0.0), (0.0, 0.0, 0.5), (0.3, 0.3, 1.0), (1.0, 1.0, 0.5), (inf, 1.0, 0.0)):
        assert (f(x), ag.grad(f)(x), ag.compile(f).grad(x)) == (z, slope, slope)
    assert (ag.clip(5.0), ag.clip(5.0, hi=2), ag.clip(5.0, lo=7), ag.clip(5.0, 3, 1)) == (5.0, 2.0, 7.0, 1.0)
    assert math.isnan(ag.clip(math.nan, 0, 1))


def test_sinc_is_smooth_at_0() -> None:
    exact = [0.0 if k % 2 else (-1) ** (k // 2) * math.pi**k / math.factorial(k + 1) for k in range(12)]
    assert ag.taylor(ag.sinc, 0.0, 11) == pytest.approx(exact, rel=1e-13, abs=1e-13)
    nested: Any = ag.sinc
    for k in range(5):
        assert nested(0.0) == pytest.approx(exact[k] * math.factorial(k), rel=1e-14, abs=1e-14)
        assert ag.compile(nested)(0.0) == pytest.approx(nested(0.0), rel=1e-14)
        nested = ag.grad(nested)
    assert [ag.sinc(float(n)) for n in (1, -2, 10**9)] == [0.0] * 3


def test_the_log_of_a_sum_of_two_exponentials_where_they_are_equal() -> None:
    for x in (0.0, 700.0, inf):
        assert ag.hessian(lambda v: ag.logaddexp(v[0], v[1]))([x, x]) == [[0.25, -0.25], [-0.25, 0.25]]


def test_the_inverse_of_the_error_function_to_the_last_place() -> None:
    points = [k / 100 for k in range(-99, 100) if k] + [1 - 10.0**-k for k in range(3, 16)] + [1 - 2.0**-53, 1e-300]
    with mpmath.workdps(50):
        for x in points:
            assert ag.erfinv(x) == pytest.approx(float(mpmath.erfinv(mpmath.mpf(x))), rel=5e-16)


def test_the_log_of_the_beta_function_does_not_cancel() -> None:
    with mpmath.workdps(60):
        for x in (1e-10, 0.5, 9.9, 11.0, 1e3, 1e8):
            for y in (1e-5, 1.0, 10.1, 1e6, 1e10):
                a, b = mpmath.mpf(x), mpmath.mpf(y)
                exact = float(mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b))
                assert ag.betaln(x, y) == pytest.approx(exact, rel=3e-15, abs=3e-15)


@pytest.mark.parametrize("function", [ag.var, ag.std])
def test_too_few_numbers(function: Any) -> None:
    with pytest.raises(
        ValueError, match=f"{function.__name__}: the count of numbers must be more than ddof = 1, not 1"
    ):
        function([1.0], ddof=1)


def test_what_is_no_number_is_refused_by_name() -> None:
    for f in (ag.mean, ag.var, ag.std, ag.norm, ag.prod, ag.amax, ag.amin):
        with pytest.raises(TypeError, match=f"{f.__name__}: cannot use 'a' of type str"):
            f([1.0, "a"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="clip: cannot use 'a' of type str"):
        ag.clip("a", 0, 1)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "function",
    [ag.softmax, ag.logsumexp, ag.log_softmax, ag.mean, ag.var, ag.std, ag.norm, ag.prod, ag.amax, ag.amin],
)
def test_no_numbers(function: Any) -> None:
    with pytest.raises(ValueError, match=f"{function.__name__}: there are no numbers"):
        function([])
