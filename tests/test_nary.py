"""Nodes of many operands: `dot`, `sum` and `take`, against the same written with + and *, and against NumPy."""

from __future__ import annotations

import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest
from exports import agree
from hypothesis import given, strategies as st

import autograd_mini as ag
from autograd_mini import Value
from autograd_mini.ops import dot, sum as sum_row, take
from autograd_mini.pickles import rebuild

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
    assert [*dot.spelled(2 * n).parameters[n - 1 : n + 1]] == [f"w{n}", "x1"]
    assert dot.rules[0](*map(float, range(2 * n)), 0.0) == n


# One row for any number of operands, against closed forms in NumPy.

Oracle = tuple[float, Any, Any]  # a value, its gradient and its Hessian


def of_sum(xs: Any) -> Oracle:
    return sum(xs), np.ones(len(xs)), np.zeros((len(xs), len(xs)))


def of_dot(xs: Any) -> Oracle:
    n = len(xs) // 2
    w, x, b = np.split(np.array(xs), [n, 2 * n])
    hessian = np.zeros((len(xs), len(xs)))
    hessian[range(n), range(n, 2 * n)] = hessian[range(n, 2 * n), range(n)] = 1.0
    return float(w @ x + b.sum()), np.concatenate([x, w, np.ones(len(b))]), hessian


def of_take(xs: Any) -> Oracle:
    k = len(xs) // 2
    return xs[k], np.eye(len(xs))[k], np.zeros((len(xs), len(xs)))


ORACLES: dict[Any, Any] = {sum_row: of_sum, dot: of_dot, take: of_take}
operands_of_rows = st.lists(st.floats(-3, 3).map(lambda x: round(x, 3)), min_size=2, max_size=40)


def applied(row: Any, xs: Any) -> Any:
    return row(len(xs) // 2, *xs) if row is take else row(*xs)


def near(x: Any, y: Any) -> bool:
    return bool(np.allclose(np.array(x), np.array(y), rtol=1e-9, atol=1e-9))


@given(st.sampled_from([sum_row, dot, take]), operands_of_rows)
def test_a_row_has_derivatives_for_any_number_of_operands(row: Any, xs: list[float]) -> None:
    def f(xs: Any) -> Any:
        return applied(row, xs) ** 2

    z, slopes, second = ORACLES[row](xs)
    gradient = 2 * z * slopes
    nodes = [Value(x) for x in xs]
    node = applied(row, nodes)
    assert node.op is row
    assert near(node.data, z)
    assert near(node.partials, slopes)
    assert len(node.operands) == len(xs) + (row is take)
    assert near(ag.grad(f)(xs), gradient)
    assert near(ag.hessian(f)(xs), 2 * np.outer(slopes, slopes) + 2 * z * second)
    t = ag.trace(f, xs)
    for twin in (t, pickle.loads(pickle.dumps(t))):
        assert near(twin(xs), z * z)
        assert near(twin.gradient()(xs), gradient)
    assert near(ag.jvp(f, (xs,), (slopes.tolist(),))[1], gradient @ slopes)
    assert near(ag.taylor(lambda s: f([s * x for x in xs]), 1.0, 1)[1], gradient @ xs)


@given(st.lists(st.tuples(st.sampled_from([sum_row, dot, take]), operands_of_rows), min_size=1, max_size=6))
def test_a_program_has_rows_of_several_lengths(parts: list[tuple[Any, list[float]]]) -> None:
    def f(parts: Any) -> Any:
        return ag.sum([ag.tanh(applied(row, xs)) for (row, _), xs in zip(rows, parts, strict=True)])

    rows, given = parts, [xs for _, xs in parts]
    found = [ORACLES[row](xs) for row, xs in parts]
    value, slopes = ag.compile(f, runner="numpy").value_and_grad(given)
    assert near(value, sum(np.tanh(z) for z, _, _ in found))
    for (z, slope, _), own in zip(found, slopes, strict=True):
        assert near(own, (1 - np.tanh(z) ** 2) * slope)


def several(w: Any, i: Any) -> Any:
    """Return a number that takes sums, dots and takes of many lengths."""
    sizes = (2, 3, 6, 7, 8)
    sums = [sum_row(*w[:n]) * dot(*w[:n], *w[n : 2 * n]) + dot(*w[: 2 * n + 1]) for n in sizes]
    return ag.sum([*sums, *(take(i, *w[:n]) for n in sizes)])


@pytest.mark.parametrize("runner", ["numpy", "llvm"])
def test_a_program_is_the_function(runner: Any) -> None:
    w = np.random.default_rng(3).normal(size=17).tolist()
    value, slopes = ag.compile(several, runner=runner).value_and_grad(w, 1.0)
    assert value == pytest.approx(several(w, 1.0), rel=1e-12)
    assert slopes == pytest.approx(ag.grad(several)(w, 1.0), rel=1e-12)


def test_exports_are_the_function() -> None:
    agree(several, (np.random.default_rng(3).normal(size=17).tolist(), 1.0))


def test_a_loop_tells_steps_apart_that_split_the_same_operands_differently() -> None:
    """Two sums of three and four numbers are not two sums of four and three."""

    def f(x: Any) -> Any:
        split = iter([3, 4, 4, 3])

        def step(h: Any, _: Any) -> Any:
            row, n = [x, x, x, h, h, h, h], next(split)
            return ag.sum(row[:n]) * ag.sum(row[n:]) * 0.1, None

        return ag.scan(step, x, [0.0] * 4)[0]

    assert ag.compile(f, runner="numpy")(0.7) == pytest.approx(f(0.7), rel=1e-12)


def test_long_sums_are_written_short() -> None:
    for n, dots in ((6, False), (7, True), (1000, True)):
        xs = [Value(1.0, f"x{i}") for i in range(n)]
        sums = str(ag.trace_graph(ag.sum(xs), xs)), str(ag.trace_graph(ag.dot(xs, xs), xs))
        for text, ends in zip(sums, (f"x0 + x1{' + …' * dots}", f"x0*x0 + x1*x1{' + …' * dots}"), strict=True):
            assert ends in text
            assert ("…" in text) is dots


def test_a_row_of_any_number_of_operands_says_so() -> None:
    assert (sum_row.arity, dot.arity, take.arity) == (None, None, None)
    assert ag.tanh.arity == 1
    with pytest.raises(TypeError, match="count the operands of a node"):
        len(dot.rules)
    for n, row in ((0, sum_row), (1, dot), (1, take)):
        with pytest.raises(TypeError, match=f"{row} takes two or more operands, {n} given"):
            row(*[Value(1.0)] * n)
    for op in (dot, ag.tanh):
        with pytest.raises(ValueError, match=f"a node of {op} cannot have these operands"):
            rebuild(Value, op, 1.0, 0.0, "", (0.0, 0.0), ())
