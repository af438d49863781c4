"""Choices: the side that is not chosen gets no derivative, in every way to differentiate and to run."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import examples

import autograd_mini as ag
from autograd_mini import Value
from autograd_mini.program import guards
from autograd_mini.settings import by_ieee

RUNNERS = ["numpy", "llvm"]


def root(x: Any) -> Any:
    return ag.where(ag.greater(x, 0.0), ag.sqrt(x), 0.0)


def both(x: Any) -> Any:
    return ag.where(ag.greater(x, 0.0), ag.sqrt(x) * x, 3 * x * x)


def twice(x: Any) -> Any:
    """One root in the sides of two choices."""
    s = ag.sqrt(x)
    return ag.where(ag.greater(x, 0.0), s, 0.0) + ag.where(ag.greater(x, 1.0), 2 * s, x)


def by_itself(x: Any) -> Any:
    """A condition that is computed from the side."""
    s = ag.sqrt(x)
    return ag.where(ag.greater(s, 0.0), s, 2 * x)


def nested(x: Any) -> Any:
    inner = ag.where(ag.greater(x, 1.0), ag.log(x + 1.0) * x**1.5, ag.cbrt(x))
    return ag.where(ag.greater(x, 0.0), inner * ag.sqrt(x), x)


def other_side(x: Any) -> Any:
    return ag.where(ag.equal(x, 0.0), x * x, x * ag.sqrt(x))


def taken(x: Any) -> Any:
    return ag.take([x * x, ag.sqrt(x), x], ag.greater(x, 0.0))


def in_a_loop(x: Any) -> Any:
    """A step that is done or left out, again and again: each state is on both sides."""
    for k in range(5):
        x = ag.where(ag.greater(x, float(k)), ag.sqrt(x) + 0.5 * x, x)
    return x


# Each function, the derivatives at 0 to the third order, and the function that it is where x > 0.
CASES: list[tuple[Callable[[Any], Any], tuple[float, ...], Callable[[Any], Any]]] = [
    (root, (0.0, 0.0, 0.0), ag.sqrt),
    (both, (0.0, 6.0, 0.0), lambda x: ag.sqrt(x) * x),
    (twice, (1.0, 0.0, 0.0), lambda x: 3 * ag.sqrt(x) if x > 1 else ag.sqrt(x) + x),
    (by_itself, (2.0, 0.0, 0.0), ag.sqrt),
    (nested, (1.0, 0.0, 0.0), lambda x: (ag.log(x + 1.0) * x**1.5 if x > 1 else ag.cbrt(x)) * ag.sqrt(x)),
    (other_side, (0.0, 2.0, 0.0), lambda x: x * ag.sqrt(x)),
    (taken, (0.0, 2.0, 0.0), ag.sqrt),
]
NAMES = [f.__name__ for f, *_ in CASES]


def derivatives(f: Callable[[Any], Any]) -> list[Callable[[float], Any]]:
    first = ag.grad(f)
    second = ag.grad(first)
    return [first, second, ag.grad(second)]


@pytest.mark.parametrize(("f", "at_zero", "chosen"), CASES, ids=NAMES)
def test_every_order_forward_and_reverse(f: Any, at_zero: tuple[float, ...], chosen: Any) -> None:
    x = Value(0.0)
    f(x).backward()
    assert x.grad == at_zero[0]
    assert [d(0.0) for d in derivatives(f)] == list(at_zero)
    assert ag.jvp(f, (0.0,), (1.0,)) == (f(0.0), at_zero[0])
    assert ag.jacobian(f, mode="fwd")(0.0) == ag.jacobian(f, mode="rev")(0.0) == at_zero[0]
    assert ag.hvp(f, (0.0,), (2.0,)) == 2 * at_zero[1]
    assert ag.jacobian(ag.jacobian(f, mode="fwd"), mode="fwd")(0.0) == at_zero[1]
    assert ag.taylor(f, 0.0, 3) == [f(0.0), at_zero[0], at_zero[1] / 2, at_zero[2] / 6]
    for at in (0.3, 4.0):
        expected = [d(at) for d in derivatives(chosen)]
        assert [d(at) for d in derivatives(f)] == pytest.approx(expected, rel=1e-12)
        assert ag.taylor(f, at, 2)[2] == pytest.approx(expected[1] / 2, rel=1e-12)


@pytest.mark.parametrize(("f", "at_zero", "chosen"), CASES, ids=NAMES)
def test_graphs_traces_and_sparse_derivatives(f: Any, at_zero: tuple[float, ...], chosen: Any) -> None:
    x = Value(0.0, "x")
    y = f(x)
    slope = ag.gradient(y, x)
    assert slope.data == at_zero[0]
    assert ag.gradient(slope, x).data == at_zero[1]
    assert ag.explain(y, x).lines[-1].value == at_zero[0]
    assert ag.paths(y, x).total == at_zero[0]
    assert not any(math.isnan(path.product) for path in ag.paths(y, x).top(100))
    trace = ag.trace(f, 4.0).gradient()
    assert (trace(0.0), trace(4.0)) == (at_zero[0], pytest.approx(ag.grad(chosen)(4.0)))
    x.data = 4.0
    slope.forward()  # the graph of the derivative has both sides
    assert slope.data == pytest.approx(ag.grad(chosen)(4.0))

    def of_list(v: Any) -> Any:
        return f(v[0]) + v[1] * v[1]

    for at in (0.0, 4.0):
        first, second = (ag.grad(of_list)([at, 1.0]), ag.hessian(of_list)([at, 1.0]))
        jacobian = ag.jacobian(lambda v: [of_list(v)], sparse=True)([at, 1.0])
        hessian = ag.hessian(of_list, sparse=True)([at, 1.0])
        np.testing.assert_allclose(jacobian.toarray(), [first], rtol=1e-12)
        np.testing.assert_allclose(hessian.toarray(), second, rtol=1e-12)
        assert jacobian.nnz == 2  # also of the side that is not chosen
        assert ag.eliminate(of_list([v := Value(at), Value(1.0)]), [v]).jacobian[0] == pytest.approx(first[0])
        for order in ("fwd", "rev", None):
            again = ag.grad(lambda t, o=order: ag.jacobian(lambda v: [f(v[0])], sparse=True, mode=o)([t]).values[0])
            assert again(at) == pytest.approx(second[0][0], rel=1e-12, abs=1e-12)
        third = ag.grad(lambda t: ag.hessian(lambda v: f(v[0]), sparse=True)([t])[0, 0])(at)
        assert third == pytest.approx(derivatives(f)[2](at), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize(("f", "at_zero", "chosen"), CASES, ids=NAMES)
def test_programs_and_batches(f: Any, at_zero: tuple[float, ...], chosen: Any, runner: str) -> None:
    third = ag.compile(derivatives(f)[1], runner=runner)
    assert [third.grad(at) for at in (0.0, 4.0)] == pytest.approx([at_zero[2], derivatives(chosen)[2](4.0)], rel=1e-9)
    for first in (0.0, 4.0):  # where it is traced
        compiled = ag.compile(f, runner=runner)
        compiled(first)
        for at in (0.0, 0.3, 4.0):
            slopes = [d(at) for d in derivatives(f)]
            assert compiled(at) == pytest.approx(f(at))
            assert compiled.grad(at) == pytest.approx(slopes[0], rel=1e-10)
            assert compiled.jvp((at,), (1.0,)) == pytest.approx((f(at), slopes[0]), rel=1e-10)
            assert compiled.hessian(at) == pytest.approx(slopes[1], rel=1e-10)
        assert len(compiled) == 1
        xs = np.array([0.0, 4.0, 0.3, 0.0, 2.5, 0.0, 1.5, 0.1, 0.0])
        values, gradients = compiled.vmap().value_and_grad(xs)
        np.testing.assert_allclose(values, [f(x) for x in xs.tolist()], rtol=1e-12)
        np.testing.assert_allclose(gradients, [ag.grad(f)(x) for x in xs.tolist()], rtol=1e-10)


@pytest.mark.parametrize("runner", RUNNERS)
def test_outside_of_the_domain_of_the_other_side(runner: str) -> None:
    """A program computes both sides by IEEE arithmetic; the side that is not chosen brings no nan."""
    f = ag.compile(lambda x, y: ag.where(ag.greater(x, 0.0), ag.log(x) * y, x * y), runner=runner)
    g = ag.compile(lambda x: ag.where(ag.greater(x, 700.0), 0.0, ag.exp(x) * ag.atanh(x / 1e3)), runner=runner)
    assert f(2.0, 3.0) == pytest.approx(3.0 * math.log(2.0))
    assert (f(-1.0, 3.0), f.grad(-1.0, 3.0, argnums=(0, 1))) == (-3.0, (3.0, -1.0))
    assert f.grad(0.0, 3.0, argnums=(0, 1)) == (3.0, 0.0)
    assert f.hessian(-1.0, 3.0, argnums=(0, 1)) == ((0.0, 1.0), (1.0, 0.0))
    assert (g(1.0) > 0.0, g(2e3), g.grad(2e3), g.hessian(2e3)) == (True, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("runner", RUNNERS)
def test_an_infinite_derivative_above_a_choice(runner: str) -> None:
    def f(x: Any, y: Any) -> Any:
        return ag.sqrt(ag.where(ag.greater(y, 1.0), x, y))

    ways: list[Any] = [
        ag.grad(f, (0, 1)),
        ag.jacobian(f, (0, 1), mode="fwd"),
        ag.compile(ag.grad(f, (0, 1)), runner=runner),
    ]
    for way in ways:
        assert way(0.0, 2.0) == (math.inf, 0.0)
    compiled = ag.compile(f, runner=runner)
    assert compiled.grad(0.0, 2.0, argnums=(0, 1)) == (math.inf, 0.0)
    x, y = Value(0.0), Value(2.0)
    f(x, y).backward()
    assert (x.grad, y.grad) == (math.inf, 0.0)


@pytest.mark.parametrize("runner", RUNNERS)
def test_what_is_undefined_where_it_is_chosen_stays_so(runner: str) -> None:
    """The slope of sqrt(x)² at 0 is 0 times infinity, and nan says so, in a side too."""

    def f(x: Any) -> Any:
        return ag.where(ag.greater_equal(x, 0.0), ag.sqrt(x) ** 2, 1.0)

    x = Value(0.0)
    f(x).backward()
    compiled = ag.compile(f, runner=runner)
    for slope in (x.grad, ag.grad(f)(0.0), ag.jvp(f, (0.0,), (1.0,))[1], compiled.grad(0.0), compiled.hessian(0.0)):
        assert math.isnan(slope)


def test_a_condition_that_python_compares() -> None:
    """`x > 0` is a bool, and so a branch of a compiled function; each way has its derivative."""

    def f(x: Any) -> Any:
        return ag.where(x > 0, ag.sqrt(x), 3 * x)

    compiled = ag.compile(f)
    for at, slope in ((0.0, 3.0), (4.0, 0.25)):
        assert ag.grad(f)(at) == compiled.grad(at) == compiled.jvp((at,), (1.0,))[1] == slope
    assert ag.hessian(f)(0.0) == compiled.hessian(0.0) == 0.0


def test_a_loop_of_choices() -> None:
    for at in (0.0, 0.5, 3.0, 20.0):
        by_hand = at
        slope, h = 1.0, 1e-6
        for k in range(5):
            if by_hand > k:
                slope *= 0.5 / math.sqrt(by_hand) + 0.5
                by_hand = math.sqrt(by_hand) + 0.5 * by_hand
        compiled = ag.compile(in_a_loop)
        assert (in_a_loop(at), ag.grad(in_a_loop)(at)) == pytest.approx((by_hand, slope))
        assert compiled.value_and_grad(at) == pytest.approx((by_hand, slope))
        if at > 0.0:
            curved = (ag.grad(in_a_loop)(at + h) - ag.grad(in_a_loop)(at - h)) / (2 * h)
            assert compiled.hessian(at) == pytest.approx(ag.hessian(in_a_loop)(at), rel=1e-10)
            assert ag.hessian(in_a_loop)(at) == pytest.approx(curved, rel=1e-6, abs=1e-9)


ROWS: list[Callable[[Any], Any]] = [
    ag.sqrt,
    ag.log,
    ag.exp,
    ag.cbrt,
    ag.asin,
    ag.acosh,
    lambda x: 1.0 / x,
    lambda x: x**1.5,
    ag.tanh,
    lambda x: x,
]


@given(data=st.data())
@settings(max_examples=examples(20))
def test_sides_of_random_expressions(data: st.DataObject) -> None:
    """Choices among random expressions, and nested, have the derivatives of the expression that is chosen."""
    xs = [round(data.draw(st.floats(0.1, 3.0)), 2) for _ in range(3)]
    zero = data.draw(st.integers(0, 2))
    xs[zero] = 0.0
    plan = [
        (data.draw(st.integers(0, 20)), data.draw(st.sampled_from(range(len(ROWS)))), data.draw(st.integers(0, 20)))
        for _ in range(6)
    ]
    cuts = [round(data.draw(st.floats(0.05, 3.0)), 3) + 0.0005 for _ in range(6)]

    def times(row: Callable[[Any], Any], x: Any, y: Any) -> Any:
        return row(x) * y

    def half(x: Any, y: Any) -> Any:
        return x + 0.5 * y

    def choose(condition: Any, a: Any, b: Any, lazily: bool) -> Any:
        if lazily:  # without the side that is not chosen, which may have no value
            return a() if (condition.data if isinstance(condition, Value) else condition) else b()
        return ag.where(condition, a(), b())

    def f(v: Any, lazily: bool = False) -> Any:
        made = list(v)
        for (i, row, k), cut in zip(plan, cuts, strict=True):
            x, y = made[i % len(made)], made[k % len(made)]
            inside = ag.greater(x, cut) * (1.0 - ag.greater(x, 0.9)) if ROWS[row] is ag.asin else ag.greater(x, cut)
            inside = ag.greater(x, 1.0 + cut) if ROWS[row] is ag.acosh else inside
            made.append(choose(inside, partial(times, ROWS[row], x, y), partial(half, x, y), lazily))
        return ag.sum(ag.tanh(x) for x in made)

    compiled = ag.compile(f, runner=data.draw(st.sampled_from(RUNNERS)))
    try:
        expected = ag.grad(f)(xs)
    except (ArithmeticError, ValueError):  # Python raises where the other side has no value; a program does not
        expected = ag.grad(lambda v: f(v, True))(xs)
    else:
        assert expected == pytest.approx(ag.grad(lambda v: f(v, True))(xs), rel=1e-12, abs=1e-12)
    assert compiled.grad(xs) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(compiled.hessian(xs), ag.hessian(lambda v: f(v, True))(xs), rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(compiled.vmap().grad(np.array([xs] * 3)), [expected] * 3, rtol=1e-9, atol=1e-12)


@given(data=st.data())
@settings(max_examples=examples(60), deadline=None)
def test_the_quick_look_for_sides_misses_none(data: st.DataObject) -> None:
    """A program has the same guards if the sides are found on Values in any case."""
    place = st.integers(0, 20)
    plan = data.draw(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(ROWS), place, place, place), min_size=3))

    def f(*made: Any) -> Any:
        steps = list(made)
        for kind, row, *places in plan:
            x, y, z = [steps[place % len(steps)] for place in places]
            test = ag.greater(x, 1.0)
            steps.append(
                [row(x), ag.where(test, y, z), ag.take([y, z, x], test), ag.where(test, row(y), z), x + y][kind]
            )
        return steps[-1] * steps[data.draw(place) % len(steps)]

    with by_ieee():
        traced = ag.trace(f, 0.5, 1.5, 0.0).by_rows()
    quick = guards.guarded(traced)
    with mock.patch.object(guards, "_may_need_guards", return_value=True):
        whole = guards.guarded(traced)
    assert (quick.equations, quick.outputs) == (whole.equations, whole.outputs)


def test_both_sides_together_are_none() -> None:
    """Rows below all places of a choice need no guards; a row below one place does."""
    log_softmax = ag.trace(
        lambda x, y, k: ag.take(ag.log_softmax([x, y]), k) + ag.take([x, ag.tanh(y)], k), 1.0, 2.0, 0.0
    )
    assert guards.asks(log_softmax)
    assert not guards._may_need_guards(log_softmax)  # so no pass on Values is needed
    assert guards.guarded(log_softmax) is log_softmax
    one = ag.trace(lambda x, k: ag.take([x, ag.sqrt(x), x], k), 1.0, 0.0)
    assert len(guards.guarded(one).equations) > len(one.equations)


def test_deep_sides() -> None:
    """Thousands of choices within one another, and thousands that share a side, need no recursion."""
    x = Value(2.0)
    y = ag.sqrt(x)
    for _ in range(3000):
        y = ag.where(ag.greater(x, 1.0), y + 1e-9, 0.0)
    assert ag.gradient(y, x).data == pytest.approx(0.5 / math.sqrt(2.0))
    z = ag.sqrt(x)
    total = ag.sum([ag.where(ag.greater(x, k * 1e-4), z, 0.0) for k in range(3000)])
    assert ag.gradient(total, x).data == pytest.approx(3000 * 0.5 / math.sqrt(2.0))


# One side only.


def test_cond_calls_one_side() -> None:
    calls: list[str] = []

    def f(x: Any, y: Any) -> Any:
        calls.append("f")
        return ag.log(x) * y

    def g(x: Any, y: Any) -> Any:
        calls.append("g")
        return x * y

    def both(x: Any, y: Any) -> Any:
        return ag.cond(x > 0, f, g, x, y)

    assert (both(-2.0, 3.0), calls) == (-6.0, ["g"])
    assert ag.grad(both, (0, 1))(-2.0, 3.0) == (3.0, -2.0)
    assert ag.hessian(both, (0, 1))(0.0, 3.0) == ((0.0, 1.0), (1.0, 0.0))
    assert ag.cond(Value(0.0), f, g, 1.0, 2.0) == 2.0
    assert ag.cond(math.nan, f, g, 1.0, 2.0) == 0.0  # as Python has it, nan is true
    assert ag.cond(np.True_, f, g, 1.0, 2.0) == 0.0
    assert ag.cond(1, lambda: "yes", lambda: "no") == "yes"
    with pytest.raises(TypeError, match="cond: give a function for each side"):
        ag.cond(True, 1.0, g)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="cond: cannot use 'yes'"):
        ag.cond("yes", f, g, 1.0, 2.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("runner", RUNNERS)
def test_cond_in_programs_and_batches(runner: str) -> None:
    def f(x: Any) -> Any:
        return ag.cond(ag.greater(x, 0.0), lambda x: ag.log(x) * x, lambda x: x * x, x)

    compiled = ag.compile(f, runner=runner)
    xs = np.array([2.0, -1.0, 0.0, 3.0, -2.0])
    expected = [ag.value_and_grad(f)(x) for x in xs.tolist()]
    values, slopes = compiled.vmap().value_and_grad(xs)
    np.testing.assert_allclose(values, [value for value, _ in expected], rtol=1e-12)
    np.testing.assert_allclose(slopes, [slope for _, slope in expected], rtol=1e-12)
    assert len(compiled) == 2  # a program for each way, as for an `if`
    assert [compiled.hessian(x) for x in (2.0, -1.0)] == [0.5, 2.0]
    trace = ag.trace(lambda x: ag.cond(x > 0, ag.log, abs, x), 2.0)
    with pytest.raises(ag.BranchError):
        trace(-1.0, branches="raise")


@pytest.mark.parametrize("runner", ["numpy", "llvm"])
def test_choices_in_loops_and_around_them(runner: str) -> None:
    def inside(xs: Any) -> Any:
        return ag.scan(lambda c, x: (c + ag.where(ag.greater(x, 0.0), ag.sqrt(x), x), None), 0.0, xs)[0]

    assert ag.compile(inside, runner=runner).grad([0.0, 1.0, 0.0]) == [1.0, 0.5, 1.0]

    def around(x: Any, n: Any) -> Any:
        side = ag.where(ag.greater(x, 0.0), ag.sqrt(x * 2.0), 0.0)
        return ag.fori(n, lambda i, c: c * x + 1.0, 1.0) + side

    compiled = ag.compile(around, runner=runner)
    for n in (3, 5, 0):
        assert compiled(2.0, n) == around(2.0, n)
        assert compiled.grad(0.0, n) == ag.grad(around)(0.0, n)


@pytest.mark.parametrize("runner", ["numpy", "llvm"])
def test_an_infinity_of_what_is_not_differentiated(runner: str) -> None:
    f = ag.compile(lambda x, y: ag.where(ag.greater(y, 0.0), x * ag.log(y), x), runner=runner)
    assert (f.grad(2.0, 0.0), f.jacobian(2.0, 0.0), ag.compile(ag.grad(f))(2.0, 0.0)) == (1.0, 1.0, 1.0)
    g = ag.compile(lambda x, y: ag.where(ag.greater(y, 0.0), ag.exp(-1000.0 * y) * x * x, x * y), runner=runner)
    assert g.value_grad_hessian(2.0, -1.0) == (-2.0, -1.0, 0.0)
