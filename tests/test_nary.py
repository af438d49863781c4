"""Nodes of many operands: `dot` and `sum`, against the same written with + and *."""

from __future__ import annotations

import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import autograd_mini as ag
from autograd_mini import Value
from autograd_mini.ops import dot, sum as sum_row, take

NUMBERS = st.floats(-10, 10)


def plain_dot(ws: Any, xs: Any, b: Any = None) -> Any:
    total = ws[0] * xs[0]
    for w, x in zip(ws[1:], xs[1:], strict=True):
        total = total + w * x
    return total if b is None else total + b


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[float], list[float], float | None, list[bool]]:
    n = draw(st.integers(1, 8))
    ws, xs = (draw(st.lists(NUMBERS, min_size=n, max_size=n)) for _ in range(2))
    b = draw(st.none() | NUMBERS)
    return ws, xs, b, draw(st.lists(st.booleans(), min_size=2 * n + 1, max_size=2 * n + 1))


@given(problems())
def test_dot_is_the_sum_of_products(problem: tuple[list[float], list[float], float | None, list[bool]]) -> None:
    """Bit for bit, with Values and numbers in any mix; and so are the gradients."""
    ws, xs, b, traced = problem
    n = len(ws)

    def run(f: Any) -> tuple[float, list[float]]:
        leaves = [Value(x) if t else x for x, t in zip([*ws, *xs, b or 0.0], traced, strict=True)]
        z = f(leaves[:n], leaves[n : 2 * n], None if b is None else leaves[-1])
        if isinstance(z, Value):
            z.backward(2.0)
        return getattr(z, "data", z), [x.grad for x in leaves if isinstance(x, Value)]

    assert run(ag.dot) == run(plain_dot)


@given(st.lists(NUMBERS, min_size=1, max_size=9))
def test_sum_is_the_sum(numbers: list[float]) -> None:
    xs = [Value(x) for x in numbers]
    y = ag.sum(xs)
    y.backward()
    total = numbers[0]
    for x in numbers[1:]:
        total = total + x
    assert y.data == total == ag.sum(numbers)
    assert all(x.grad == 1.0 for x in xs)


def test_the_same_value_in_many_places() -> None:
    x = Value(3.0, "x")
    y = ag.dot([x, x, 2.0], [x, 5.0, x], x)
    y.backward()
    assert (y.data, x.grad) == (9 + 15 + 6 + 3, 6 + 5 + 2 + 1)
    assert y.parents == (x, x, x, x, x)
    assert y.partials == (3.0, 5.0, 3.0, 2.0, 1.0)


def test_every_order_and_every_transformation() -> None:
    def f(w: Any) -> Any:
        return ag.dot(w, [1.0, w[0], 3.0], w[1]) * ag.sum(w)

    def g(w: Any) -> Any:
        return plain_dot(w, [1.0, w[0], 3.0], w[1]) * (w[0] + w[1] + w[2])

    at = [0.5, -1.5, 2.0]
    for transform in (ag.grad, ag.hessian, lambda h: ag.jacobian(ag.grad(h), mode="fwd")):
        assert np.array(transform(f)(at)) == pytest.approx(np.array(transform(g)(at)), rel=1e-12)
    ag.check_grads(f, (at,), order=2)
    assert ag.derivative(lambda x: ag.dot([x, x, 1.0], [x, 2.0, x]), order=2)(3.0) == 2.0
    t = ag.trace(f, at)
    assert t(at) == f(at)
    assert t.gradient()(at) == pytest.approx(ag.grad(f)(at))


def test_derivations_and_pickles() -> None:
    w = [Value(float(i), f"w{i}") for i in range(1, 4)]
    z = ag.dot(w, [4.0, 5.0, 6.0], Value(7.0, "b"))
    z.label = "z"
    assert "z = w1 · 4 + w2 · 5 + w3 · 6 + b" in str(ag.explain(z))
    assert str(ag.explain(z, "w2")) == "dz/dw2 = 5"
    for twin in (pickle.loads(pickle.dumps(z)), pickle.loads(pickle.dumps(z, 2))):
        assert (twin.op, twin.data, twin.partials) == (z.op, z.data, z.partials)
    for row in (dot, sum_row, take, take.limit):
        assert pickle.loads(pickle.dumps(row)) is row
    long = ag.dot([Value(1.0, "w")] * 40, [1.0] * 40)
    assert "…" in str(ag.explain(long))


def test_numbers_of_any_kind_and_what_is_refused() -> None:
    w = [Value(1.0), Value(2.0)]
    assert ag.dot(w, np.array([3.0, 4.0])).data == 11.0
    assert ag.dot(tuple(w), (True, np.float32(2)), 1).data == 6.0
    assert ag.dot(iter(w), iter(w)).data == 5.0
    with pytest.raises(ValueError, match="dot: ws and xs need the same length, at least 1; got 2 and 1"):
        ag.dot(w, [1.0])
    with pytest.raises(ValueError, match="got 0 and 0"):
        ag.dot([], [])
    with pytest.raises(ValueError, match="sum: there are no numbers"):
        ag.sum([])
    with pytest.raises(TypeError, match="dot: cannot use 'a'"):
        ag.dot(w, ["a", 1.0])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="dot: cannot use 'a'"):
        ag.dot(["a"], [3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="sum: cannot use 'a'"):
        ag.sum(["a", "b"])  # type: ignore[list-item]
    assert (type(ag.dot([2], [3])), type(ag.sum([True]))) == (float, float)
    with ag.no_grad():
        assert ag.dot(w, w).parents == ()


def test_rows_of_many_operands_are_light() -> None:
    n = 200_000
    x = Value(1.0, "x")
    ws, xs = [x] * n, [2.0] * n
    tracemalloc.start()
    y = ag.dot(ws, xs)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 36 * n + 10_000  # for each operand a place in the tuple and a weight
    assert y.op is dot
    y.backward()
    assert x.grad == 2.0 * n
    assert dot.spelled(2 * n).parameters[n - 1 : n + 1] == [f"w{n}", "x1"]
    assert dot.rules[0](*map(float, range(2 * n)), 0.0) == n
