"""Functions of several numbers, against mpmath and against their own formulas."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, strategies as st

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


@pytest.mark.parametrize("function", [ag.softmax, ag.logsumexp, ag.log_softmax])
def test_no_numbers(function: Any) -> None:
    with pytest.raises(ValueError, match=f"{function.__name__}: there are no numbers"):
        function([])
