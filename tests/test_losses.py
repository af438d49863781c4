"""Losses against closed forms, at the ends of their domains, and with bad targets."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import pytest
from hypothesis import given, strategies as st

import autograd_mini as ag
from autograd_mini import Value, nn

LOGIT = st.floats(-1e4, 1e4)
TARGET = st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0)


@given(st.floats(1e-6, 1 - 1e-6), TARGET)
def test_log_loss_and_its_slope(p: float, y: float) -> None:
    yhat = Value(p)
    L = nn.log_loss(yhat, y)
    L.backward()
    assert L.data == pytest.approx(-(y * math.log(p) + (1 - y) * math.log(1 - p)), abs=1e-15)
    assert yhat.grad == pytest.approx((p - y) / (p * (1 - p)), rel=1e-9)


@given(LOGIT, TARGET)
def test_from_logits_it_is_exact_and_finite(z: float, y: float) -> None:
    for automatic in (False, True):
        x = Value(z)
        L = nn.binary_cross_entropy(x.sigmoid(), y) if automatic else nn.binary_cross_entropy_with_logits(x, y)
        L.backward()
        with mpmath.workdps(50):
            right, wrong = (mpmath.log1p(mpmath.exp(sign * mpmath.mpf(z))) for sign in (-1, 1))
            expected = float(y * right + (1 - y) * wrong)
            sure, unsure = (1 / (1 + mpmath.exp(-sign * mpmath.mpf(z))) for sign in (1, -1))
            slope = float((1 - y) * sure - y * unsure)
        whole = y in (0.0, 1.0)  # then nothing cancels, however sure the net is
        assert L.data == pytest.approx(expected, rel=1e-12, abs=1e-300 if whole else 1e-12)
        assert x.grad == pytest.approx(slope, rel=1e-12, abs=1e-300 if whole else 1e-15)
        assert all(map(math.isfinite, (L.data, x.grad)))


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=5), st.data())
def test_cross_entropy(zs: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(zs) - 1))
    logits = [Value(z) for z in zs]
    L = nn.cross_entropy(logits, k)
    L.backward()
    p = ag.softmax(zs)
    assert L.data == pytest.approx(-ag.log_softmax(zs)[k], rel=1e-12, abs=1e-12)
    assert [z.grad for z in logits] == pytest.approx([q - (i == k) for i, q in enumerate(p)], abs=1e-12)
    one_hot = [float(i == k) for i in range(len(zs))]
    assert nn.cross_entropy(zs, one_hot) == pytest.approx(L.data, abs=1e-12)


def test_no_digits_are_lost_to_large_logits() -> None:
    assert ag.log_softmax([1e16, 1e16]) == [-math.log(2), -math.log(2)]
    assert nn.cross_entropy([1e16, 1e16], 0) == math.log(2)


def test_several_outputs() -> None:
    assert nn.log_loss([Value(0.5), Value(0.25)], [1, 0]).data == pytest.approx(-math.log(0.5) - math.log(0.75))
    assert nn.mean_squared_error([Value(3.0), Value(1.0)], [1.0, 1.0]).data == 2.0
    assert nn.hinge([Value(0.5), Value(3.0)], [1, -1]).data == 4.5


def test_certain_and_right_is_no_loss() -> None:
    assert nn.log_loss(Value(1.0), 1).data == 0.0
    assert nn.log_loss(Value(0.0), 0).data == 0.0
    for p, y, slope in [(1.0, 1, -1.0), (0.0, 0, 1.0)]:
        yhat = Value(p)
        nn.log_loss(yhat, y).backward()
        assert yhat.grad == slope
    with pytest.raises(ValueError, match="so that the loss is infinite"):
        nn.log_loss(Value(0.0, "yhat"), 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.log_loss(Value(1.5), 1), "from 0 to 1, not 1.5: give the net output='sigmoid'"),
        (lambda: nn.binary_cross_entropy_with_logits(Value(0.5).sigmoid(), 1), "has been through sigmoid already"),
        (lambda: nn.binary_cross_entropy(Value(0.5), -1), "for -1 and 1 give"),
        (lambda: nn.log_loss(Value(0.5), 1.5), "log_loss: a target must be from 0 to 1, not 1.5"),
        (lambda: nn.binary_cross_entropy(Value(0.5), -1), "a target must be from 0 to 1, not -1"),
        (lambda: nn.binary_cross_entropy_with_logits(Value(0.5), math.nan), "not nan"),
        (lambda: nn.log_loss([Value(0.5), Value(0.5)], [1]), "2 outputs, but 1 target"),
        (lambda: nn.cross_entropy([Value(0.5), Value(0.5)], 2), "target 2 is not a class from 0 to 1"),
        (lambda: nn.cross_entropy([Value(0.5), Value(0.5)], 0.5), "target 0.5 is not a class"),
        (lambda: nn.cross_entropy([Value(0.5), Value(0.5)], [0.5, 0.6]), "is not a distribution"),
        (lambda: nn.cross_entropy([Value(0.5), Value(0.5)], [1.0]), "2 logits, but 1 target probability"),
        (lambda: nn.cross_entropy(Value(0.5), 0), "at least 2 logits"),
        (lambda: nn.hinge(Value(0.5), 0), "a target must be -1 or 1, not 0"),
        (lambda: nn.cost(lambda x: x[0], [[1.0]], [1], "log_los"), "there is no 'log_los' .did you mean 'log_loss'"),
    ],
)
def test_bad_targets(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
