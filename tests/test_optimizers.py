"""Optimizers against their published formulas, written with NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_mini as ag
from autograd_mini import Value, nn


def rosenbrock(x: Any, y: Any) -> Any:
    return (1 - x) ** 2 + 10 * (y - x * x) ** 2


def slope(p: Any) -> Any:
    x, y = p
    return np.array([-2 * (1 - x) - 40 * x * (y - x * x), 20 * (y - x * x)])


def sgd(p: Any, rate: float, mu: float = 0.0, nesterov: bool = False, decay: float = 0.0) -> Any:
    v = np.zeros(2)
    while True:
        g = slope(p) + decay * p
        v = mu * v + g
        p = p - rate * (g + mu * v if nesterov else v)
        yield p


def rmsprop(p: Any, rate: float, rho: float) -> Any:
    s = np.zeros(2)
    while True:
        g = slope(p)
        s = rho * s + (1 - rho) * g**2
        p = p - rate * g / (np.sqrt(s) + 1e-8)
        yield p


def adam(p: Any, rate: float, b1: float = 0.9, b2: float = 0.999, decay: float = 0.0, decoupled: bool = False) -> Any:
    m, v, t = np.zeros(2), np.zeros(2), 0
    while True:
        t += 1
        g = slope(p) + (0 if decoupled else decay * p)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        p = p - rate * (m_hat / (np.sqrt(v_hat) + 1e-8) + (decay * p if decoupled else 0))
        yield p


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda ps: nn.SGD(ps, 0.01), lambda p: sgd(p, 0.01)),
        (lambda ps: nn.SGD(ps, 0.01, momentum=0.9), lambda p: sgd(p, 0.01, 0.9)),
        (lambda ps: nn.SGD(ps, 0.01, momentum=0.9, nesterov=True), lambda p: sgd(p, 0.01, 0.9, True)),
        (lambda ps: nn.SGD(ps, 0.01, weight_decay=0.1), lambda p: sgd(p, 0.01, decay=0.1)),
        (lambda ps: nn.RMSProp(ps, 0.01, rho=0.9), lambda p: rmsprop(p, 0.01, 0.9)),
        (lambda ps: nn.Adam(ps, 0.1), lambda p: adam(p, 0.1)),
        (lambda ps: nn.Adam(ps, 0.1, betas=(0.8, 0.9), weight_decay=0.1), lambda p: adam(p, 0.1, 0.8, 0.9, 0.1)),
        (lambda ps: nn.AdamW(ps, 0.1, weight_decay=0.1), lambda p: adam(p, 0.1, decay=0.1, decoupled=True)),
    ],
)
def test_against_the_formulas(make: Callable[[list[Value]], nn.Optimizer], rule: Callable[[Any], Any]) -> None:
    x, y = Value(-0.5, "x"), Value(1.0, "y")
    optimizer = make([x, y])
    for expected in [p for p, _ in zip(rule(np.array([-0.5, 1.0])), range(50), strict=False)]:
        optimizer.step(lambda: rosenbrock(x, y))
        assert [x.data, y.data] == pytest.approx(expected.tolist(), rel=1e-9)


def test_lbfgs_finds_the_minimum_and_counts_on_a_closure() -> None:
    x, y = Value(-1.2), Value(1.0)
    nn.LBFGS([x, y], iterations=100).step(lambda: rosenbrock(x, y))
    assert [x.data, y.data] == pytest.approx([1.0, 1.0], abs=1e-4)
    with pytest.raises(TypeError, match="step needs a function that returns the cost"):
        nn.LBFGS([x]).step()


def test_lbfgs_that_fails_leaves_the_parameters() -> None:
    x = Value(4.0, "x")
    calls = []

    def closure() -> Value:
        calls.append(x.data)
        if len(calls) > 2:
            raise LookupError
        return x * x

    with pytest.raises(LookupError):
        nn.LBFGS([x]).step(closure)
    assert len(calls) == 3
    assert x.data == 4.0
    with pytest.raises(ValueError, match="domain"):
        nn.LBFGS([x]).step(lambda: 2 * (0 - x).log())
    with pytest.raises(ArithmeticError, match="the cost is inf"):
        nn.LBFGS([x]).step(lambda: x + math.inf)
    assert x.data == 4.0


def test_lbfgs_backs_off_where_there_is_no_number() -> None:
    v = Value(0.5, "v")
    nn.LBFGS([v], iterations=50).step(lambda: (v - 5) ** 2 - (1 - v).log())  # defined for v < 1
    assert 2 * (v.data - 5) + 1 / (1 - v.data) == pytest.approx(0.0, abs=1e-3)
    w = Value(0.0, "w")
    nn.LBFGS([w], iterations=50).step(lambda: ag.exp(500 * w) - 1e6 * w)  # overflows at w = 1.5
    assert w.data == pytest.approx(math.log(2000) / 500, rel=1e-3)


def test_an_interrupt_of_lbfgs_keeps_the_best_so_far() -> None:
    x, y = Value(-1.2), Value(1.0)
    costs: list[float] = []

    def closure() -> Value:
        if len(costs) == 20:
            raise KeyboardInterrupt
        J: Value = rosenbrock(x, y)
        costs.append(J.data)
        return J

    with pytest.raises(KeyboardInterrupt):
        nn.LBFGS([x, y], iterations=100).step(closure)
    assert rosenbrock(x.data, y.data) == min(costs) < costs[0]


@pytest.mark.parametrize("kind", [nn.Adam, nn.RMSProp])
def test_a_state_that_would_overflow_is_not_kept(kind: Any) -> None:
    w = Value(1.0, "w")
    optimizer = kind([w], lr=0.1)
    w.grad = 1e200
    with pytest.raises(ArithmeticError, match="the optimizer's state for w = 1 is inf"):
        optimizer.step()
    assert (w.data, optimizer.taken, optimizer._state) == (1.0, 0, ())
    optimizer.step(lambda: w * w)
    assert 0.0 < w.data < 1.0


def test_nothing_moves_where_a_number_goes_bad() -> None:
    a, b = Value(1.0, "a"), Value(2.0, "b")
    optimizer = nn.SGD([a, b], lr=0.1, momentum=0.9)
    optimizer.step(lambda: a * b)
    before = a.data, b.data, optimizer._state
    a.grad, b.grad = 1.0, math.inf
    with pytest.raises(ArithmeticError, match=r"the gradient of b = 1\.9 is inf"):
        optimizer.step()
    assert (a.data, b.data, optimizer._state) == before
    a.grad, b.grad = 1e308, 0.0
    optimizer.lr = 1e10
    with pytest.raises(ArithmeticError, match=r"the next value of a = .* is -?inf"):
        optimizer.step()
    assert (a.data, b.data, optimizer._state) == before


def test_an_interrupt_does_not_tear_a_step_apart() -> None:
    class Interrupted(nn.SGD):
        torn = True

        def _assign(self, moved: list[float], *rest: Any) -> None:
            if self.torn:
                self.torn = False
                self.parameters[0].data = moved[0]
                raise KeyboardInterrupt
            super()._assign(moved, *rest)

    a, b = Value(1.0), Value(2.0)
    with pytest.raises(KeyboardInterrupt):
        Interrupted([a, b], lr=0.1).step(lambda: a + b)
    assert (a.data, b.data) == (0.9, 1.9)


def test_schedules() -> None:
    w = Value(1.0)
    optimizer = nn.SGD([w], lr=nn.steps(0.1, every=2, factor=0.1))
    moved = []
    for _ in range(4):
        before = w.data
        optimizer.step(lambda: w * 1)
        moved.append(round(before - w.data, 12))
    assert moved == [0.1, 0.1, 0.01, 0.01]
    assert nn.warmup(nn.exponential(1.0, 0.5), over=2)(0) == 0.5
    assert nn.cosine(1.0, 10, least=0.1)(10) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.SGD([], 0.1), ValueError, "SGD: there are no parameters"),
        (lambda: nn.SGD([Value(1.0)], -0.1), ValueError, "learning rate must be 0 or more and finite, not -0.1"),
        (lambda: nn.Adam([Value(1.0)], math.nan), ValueError, "not nan"),
        (lambda: nn.Adam([Value(1.0) * 2]), TypeError, "a parameter must be a leaf Value"),
        (lambda: nn.Adam([1.0]), TypeError, "a parameter must be a leaf Value"),  # type: ignore[list-item]
        (lambda: nn.SGD([Value(1.0)], momentum=1.0), ValueError, "momentum must be from 0 to less than 1"),
        (lambda: nn.SGD([Value(1.0)], nesterov=True), ValueError, "nesterov needs a momentum"),
        (lambda: nn.Adam([Value(1.0)], eps=0), ValueError, "eps must be more than 0"),
        (lambda: nn.cosine(0.1, total=0), ValueError, "cosine: total must be a whole number from 1 on, not 0"),
        (lambda: nn.SGD(None), TypeError, "give a module or a list of Values, not None"),  # type: ignore[arg-type]
        (lambda: nn.SGD([Value(1.0)]).step(float), TypeError, "must return the cost"),  # type: ignore[arg-type]
        (
            lambda: nn.LBFGS([Value(1.0)], iterations=0),
            ValueError,
            "iterations must be a whole number",
        ),
    ],
)
def test_bad_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
