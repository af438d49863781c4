"""Numbers that leave a Value while it is traced, and numbers of outside that a trace keeps."""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from strategies import examples

import autograd_mini as ag
from autograd_mini import Value, nn

POINTS = (2.0, 3.0, -1.5)


def detached(x: Any) -> Any:
    return x.detach() * 3 + x


def straight_through(x: Any) -> Any:
    return x + (ag.sign(x) - x).detach()


def without_grad(x: Any) -> Any:
    with ag.no_grad():
        s = x * x + 1
        s = ag.dot([s, x], [x, 2.0], s) + ag.where(x > 0, x, -x)
    return s * x


def a_slope_without_grad(x: Any) -> Any:
    with ag.no_grad():
        s = ag.grad(lambda t: t**3)(x)
    return s * x


def copied(x: Any) -> Any:
    return copy.copy(x) * copy.deepcopy(x * x) + copy.deepcopy([x])[0]


def own_gradient(x: Any) -> Any:
    y = x * x * x
    y.backward()
    return x * x.grad


def own_gradients(x: Any) -> Any:
    y = ag.sin(x)
    z = y * y
    z.backward(2.0)
    first = x.grad
    z.backward()
    total = first + x.grad * y.grad
    z.zero_grad()
    (x * y).backward()
    x.grad = x.grad / 2
    return total + x.grad + z.grad


def closed_over_by_a_slope(x: Any) -> Any:
    return ag.grad(lambda t: t * t * x)(3.0) + ag.jvp(lambda t: t * x, (2.0,), (1.0,))[0]


FUNCTIONS = [
    detached,
    straight_through,
    without_grad,
    a_slope_without_grad,
    copied,
    own_gradient,
    own_gradients,
    closed_over_by_a_slope,
]
every = pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
RUN = pytest.mark.parametrize("runner", ["numpy", None], ids=["numpy", "llvm"])


def number(x: Any) -> float:
    return float(x.data if isinstance(x, Value) else x)


def eager(f: Callable[..., Any], x: float) -> float:
    return number(f(Value(x)))


@every
def test_a_trace_follows(f: Callable[..., Any]) -> None:
    for there in POINTS:
        t = ag.trace(f, there)
        for here in POINTS:
            if (here > 0) == (there > 0) or f is not without_grad:
                assert t(here, branches="ignore") == pytest.approx(eager(f, here), rel=1e-14)
    slope = ag.trace(ag.grad(f), 2.0)
    assert slope(3.0) == pytest.approx(ag.grad(f)(3.0), rel=1e-14)


@every
@RUN
def test_a_program_follows(f: Callable[..., Any], runner: str | None) -> None:
    c = ag.compile(f, runner=runner)
    for x in POINTS:
        assert c(x) == pytest.approx(eager(f, x), rel=1e-13)
        assert c.grad(x) == pytest.approx(ag.grad(f)(x), rel=1e-13)
        assert c.jvp((x,), (1.0,)) == pytest.approx((eager(f, x), ag.jvp(f, (x,), (1.0,))[1]), rel=1e-13)
    # The slope of the slope: eager has it of the numbers that were read, as here.
    assert ag.compile(ag.grad(f), runner=runner)(3.0) == pytest.approx(ag.grad(f)(3.0), rel=1e-13)
    assert c.map([2.0, 3.0]).tolist() == pytest.approx([eager(f, 2.0), eager(f, 3.0)], rel=1e-13)


def test_the_issues_numbers() -> None:
    c = ag.compile(lambda x: x.detach() * 3, runner="numpy")
    assert (c(2.0), c(3.0), c.grad(3.0)) == (6.0, 9.0, 0.0)

    def f(x: Any) -> Any:
        y = x * x
        y.backward()
        return x * x.grad

    c = ag.compile(f, runner="numpy")
    assert (c(2.0), c(3.0), c.grad(3.0)) == (8.0, 18.0, 6.0)


READS: list[Callable[[Any], Any]] = [
    lambda x: x * x.data,
    lambda x: (2 * x).data * x,
    lambda x: x * (x * x).partials[0],
    lambda x: x * pickle.loads(pickle.dumps(x)),
    lambda x: x * nn.predict(lambda v: v[0] * 2, [[x]])[0] if False else x * x.data,
]


@pytest.mark.parametrize("f", READS)
def test_a_number_that_cannot_be_followed_is_told_once(f: Callable[..., Any]) -> None:
    with pytest.warns(ag.TraceWarning, match=r"at other inputs it stays the same\. Use the Value itself") as told:
        ag.trace(f, 2.0)
    assert len(told) == 1
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error", ag.TraceWarning)
        with pytest.raises(ag.TraceWarning):
            ag.compile(f, runner="numpy")(2.0)


def test_what_is_read_often_is_told_once_a_line() -> None:
    def f(x: Any) -> Any:
        total = 0.0
        for _ in range(5):
            total += x.data
        return x * total

    with pytest.warns(ag.TraceWarning, match="of 'x0' is read") as told:
        ag.trace(f, 2.0)
    assert len(told) == 1


def test_what_does_not_depend_on_the_inputs_may_be_read() -> None:
    w = Value(2.0, "w")

    def f(x: Any) -> Any:
        repr(x), f"{x:.3f}", str(x)
        return x * w.data + (w * 3).data + w.grad

    assert ag.trace(f, 1.0)(2.0) == 10.0
    c = ag.compile(f, runner="numpy")
    assert c(2.0) == 10.0
    w.data = 3.0  # and yet it is looked at
    assert c(2.0) == 15.0


def test_a_gradient_from_outside_is_told() -> None:
    w = Value(2.0, "w")
    (w * w).backward()
    with pytest.warns(ag.TraceWarning, match=r"\.grad of w comes from a backward\(\) outside of the trace"):
        ag.trace(lambda x: x * w.grad, 1.0)


def test_nothing_is_assigned_in_a_trace() -> None:
    w = Value(2.0, "w")

    def f(x: Any) -> Any:
        w.data = 3.0
        return x * w

    def step(x: Any) -> Any:
        sgd = nn.SGD([w], lr=0.1)
        (w * x).backward()
        sgd.step()
        return w * x

    for g, message in ((f, "f: the number of w cannot be assigned"), (step, r"SGD: step\(\) cannot run")):
        with pytest.raises(TypeError, match=f"{message} inside a function that is traced"):
            ag.trace(g, 1.0)
    assert w.data == 2.0


# What a function closes over.


def test_a_trace_refuses_when_a_number_of_outside_has_moved() -> None:
    w, v = Value(2.0, "w"), Value(7.0, "v")
    t = ag.trace(lambda x: x * w + v * 0 + (w * w), 3.0)
    slope = t.gradient()
    assert (t(1.0), slope(1.0)) == (6.0, 2.0)
    w.data = 5.0
    for stale in (t, slope, t.optimize()):
        with pytest.raises(
            ValueError, match="w that it closes over was 2 when it was traced and is 5 now: trace it again"
        ):
            stale(1.0)
    assert pickle.loads(pickle.dumps(t))(1.0) == 6.0  # as it was, in another process
    w.data = 2.0
    assert t(1.0) == 6.0
    v.data = math.nan
    with pytest.raises(ValueError, match="v that it closes over was 7"):
        t(1.0)


@RUN
def test_a_program_is_made_anew_when_a_number_of_outside_has_moved(runner: str | None) -> None:
    w = Value(2.0, "w")
    u = w * 10  # whose number stays when w's is assigned
    calls = []

    def f(x: Any) -> Any:
        calls.append(1)
        return x * x * w + u if x > 0 else -x * w

    c = ag.compile(f, runner=runner)
    over, jvp = c.vmap(), c.jvp
    for now in (2.0, 5.0, -0.0, 0.0, 2.0):
        w.data = now
        assert c(3.0) == 9 * now + 20
        assert c(-3.0) == 3 * now
        assert c.grad(3.0) == 6 * now
        assert jvp((3.0,), (1.0,)) == (9 * now + 20, 6 * now)
        assert c.hvp((3.0,), (1.0,)) == 2 * now
        assert over([1.0, 2.0]).tolist() == [now + 20, 4 * now + 20]
        assert str(c.written_backward(3.0)).endswith(f"dx = {2 * now:g} * x") or now == 0
    before = len(calls)
    Value(1.0).data = 2.0  # of no one's
    assert c(3.0) == 9 * now + 20
    assert len(calls) == before
    u.data = 1.0
    assert c(3.0) == 9 * now + 1


@RUN
def test_a_net_that_was_trained_on(runner: str | None) -> None:
    net = nn.MLP(2, [3, 1], rng=0)
    c = ag.compile(lambda x: net(x), runner=runner)  # noqa: PLW0108  # a module is called
    for _ in range(3):
        assert c([1.0, -1.0]) == pytest.approx(net([1.0, -1.0]).data, rel=1e-13)
        net.zero_grad()
        (net([1.0, -1.0]) ** 2).backward()
        nn.SGD(net, lr=0.1).step()


def test_a_graph_is_made_anew() -> None:
    a, w = Value(1.0, "a"), Value(2.0, "w")
    c = ag.compile(a * w + w, inputs=a, runner="numpy")
    assert (c(3.0), c.grad(3.0), c.jvp((3.0,), (1.0,))) == (8.0, 2.0, (8.0, 2.0))
    w.data = 10.0
    assert (c(3.0), c.grad(3.0), c.jvp((3.0,), (1.0,))) == (40.0, 10.0, (40.0, 10.0))
    assert "10" in str(c)
    t = ag.trace_graph(a * w, [a])
    w.data = 11.0
    with pytest.raises(ValueError, match="w that it closes over was 10"):
        t([1.0])


STEPS: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x.detach() * y,
    lambda x, y: copy.copy(x) + y,
    lambda x, y: copy.deepcopy(x) * 0.5 - y,
    lambda x, y: _frozen(x) * y,
    lambda x, y: _slope(x) + y,
    lambda x, y: ag.sin(x) * y,
    lambda x, y: x + y * y / 4,
]


def _frozen(x: Any) -> Any:
    with ag.no_grad():
        return ag.tanh(x) * x


def _slope(x: Any) -> Any:
    y = ag.tanh(x) * x
    y.backward()
    return x.grad * 0.25


@given(
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=5),
    there=st.floats(-1, 1),
    here=st.floats(-1, 1),
)
@settings(max_examples=examples(60))
def test_whatever_a_function_does_with_its_values(steps: list[Any], there: float, here: float) -> None:
    def f(x: Any) -> Any:
        made = [x]
        for step, i, j in steps:
            made.append(step(made[i % len(made)], made[j % len(made)]))
        return made[-1]

    expected = eager(f, here)
    t = ag.trace(f, there)
    assert t(here) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    c = ag.compile(f, runner="numpy")
    c(there)
    assert c(here) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert c.grad(here) == pytest.approx(ag.grad(f)(here), rel=1e-12, abs=1e-12)


@RUN
def test_series_are_right_at_a_pole_and_from_one(runner: str | None) -> None:
    cases: list[tuple[Callable[[Any], Any], tuple[float, ...]]] = [
        (lambda x: ag.taylor(ag.sqrt, x, 2)[2], (0.0, 4.0)),
        (ag.derivative(lambda t: t**2.5, 2), (0.0, 4.0)),
        (ag.derivative(ag.cbrt), (0.0, 8.0)),
        (ag.derivative(ag.sin, 9), (0.0, 1.0)),
        (lambda x: ag.taylor(lambda t: abs(t) * t, x, 2)[1], (-9.0, 4.0)),
    ]
    for f, points in cases:
        expected = [number(f(x)) for x in points]
        for there in points:
            assert [ag.trace(f, there)(x) for x in points] == pytest.approx(expected, rel=1e-12)
            c = ag.compile(f, runner=runner)
            c(there)
            assert [c(x) for x in points] == pytest.approx(expected, rel=1e-12)


def test_constants_that_share_are_walked_once() -> None:
    c = Value(1.0, "c")

    def f(x: Any) -> Any:
        y = c
        for _ in range(60):
            y = y + y
        return x * y

    assert ag.trace(f, 1.0)(2.0) == 2.0**61


@RUN
def test_what_an_inner_trace_closes_over(runner: str | None) -> None:
    w = Value(3.0, "w")
    t = ag.trace(lambda x: x * w, 2.0)
    c = ag.compile(lambda x: t(x) * 2, runner=runner)
    assert c(2.0) == 12.0
    w.data = 5.0
    for stale in (t, copy.copy(t), copy.deepcopy(t), c, ag.compile(t, runner=runner)):
        with pytest.raises(ValueError, match="w that it closes over was 3"):
            stale(2.0)
    d = ag.compile(lambda x: 1.0 * ag.trace(lambda y: y * w, 1.0)(x), runner=runner)
    assert d(2.0) == 10.0
    w.data = 7.0
    assert d(2.0) == 14.0
    with pytest.warns(ag.TraceWarning, match="of 'x0' is read"):
        ag.trace(lambda x: ag.trace(lambda y: y * x, 1.0)(x), 2.0)


def test_a_graph_with_constants_between() -> None:
    x, w = Value(2.0, "x"), Value(3.0, "w")
    u = w * 2
    y = x * u
    t, c = ag.trace_graph(y, x), ag.compile(y, inputs=x, runner="numpy")
    assert (t(4.0), c(4.0)) == (24.0, 24.0)
    w.data = 5.0
    with pytest.raises(ValueError, match="w that it closes over was 3"):
        t(4.0)
    with pytest.raises(ag.StaleGraphError, match="should be 10 now, because a number was assigned"):
        c(4.0)
    y.forward()
    assert c(4.0) == ag.trace_graph(y, x)(4.0) == 40.0


def test_copies_of_what_is_no_input_are_their_own() -> None:
    net = nn.MLP(2, [2, 1], rng=0)

    def adapted(x: Any) -> Any:
        fast = copy.deepcopy(net)
        assert len(fast.parameters()) == len(net.parameters()) == 9
        pair = copy.deepcopy([x, x])
        assert pair[0] is pair[1]
        return fast([x, 1.0]) * pair[0]

    slope = ag.grad(adapted)(2.0)
    ag.check_grads(adapted, (2.0,))
    assert ag.compile(adapted, runner="numpy").grad(2.0) == pytest.approx(slope, rel=1e-13)
    assert all(p.grad == 0.0 for p in net.parameters())
