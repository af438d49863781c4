"""Functions of several numbers, against mpmath and against their own formulas."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import pytest
from hypothesis import given, strategies as st

import autograd_mini as ag
from autograd_mini import nn

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


@pytest.mark.parametrize("function", [ag.softmax, ag.logsumexp, ag.log_softmax])
def test_no_numbers(function: Any) -> None:
    with pytest.raises(ValueError, match=f"{function.__name__}: there are no numbers"):
        function([])
