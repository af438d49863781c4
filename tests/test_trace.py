"""Traces compute what the function computes, and say where it would compute something else."""

from __future__ import annotations

import itertools
import math
import pickle
import tracemalloc
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import BranchError, BranchWarning, Value


@given(dag=dags())
@settings(max_examples=examples(60))
def test_a_trace_and_every_pass_compute_the_function(dag: Dag) -> None:
    trace = ag.trace(lambda *xs: dag(xs), *dag.inputs)
    others = [x * 0.5 + 0.1 for x in dag.inputs]
    expected = [dag(dag.inputs), dag(others)]
    for t in (trace, trace.dead_code(), trace.common_subexpressions(), trace.fold_constants(), trace.optimize()):
        assert [t(*dag.inputs), t(*others)] == expected
        assert len(t.equations) <= len(trace.equations)
    assert str(trace) == str(ag.trace(lambda *xs: dag(xs), *dag.inputs))
    z = trace.optimize()(*map(Value, others))
    assert not isinstance(z, Value) or z.data == expected[1]


@given(dag=dags())
@settings(max_examples=examples(40))
def test_equations_are_a_sequence(dag: Dag) -> None:
    t = ag.trace(lambda *xs: dag(xs) * 0.5, *dag.inputs)
    equations = list(t.equations)
    n = len(equations)
    assert [t.equations[k] for k in range(-n, n)] == 2 * equations
    assert t.equations[1:] == tuple(equations[1:])
    assert equations[-1].operands[-1:] == (0.5,)
    assert all(type(x) is float or (type(x) is int and x < n + len(dag.inputs)) for e in equations for x in e.operands)
    with pytest.raises(IndexError):
        t.equations[n]
    for other in (t.optimize(), pickle.loads(pickle.dumps(t)), ag.trace(lambda *xs: dag(xs) * 0.25, *dag.inputs)):
        same = str(other) == str(t)
        assert (other.equations == t.equations) == same
        assert not same or hash(other.equations) == hash(t.equations)


def test_constants_are_the_same_where_no_digit_differs() -> None:
    def f(x: Any) -> Any:
        return [k / x for k in (0.0, -0.0, 1.0, 1, math.nan, math.nan)]

    t = ag.trace(f, 2.0).common_subexpressions()
    assert [math.copysign(1, e.operands[0]) for e in t.equations[:2]] == [1, -1]
    assert [e.operands[0] for e in t.equations[2:3]] == [1.0]
    assert len(t.equations) == 4
    assert [math.copysign(1, y) for y in t(3.0)[:2]] == [1, -1]


def test_names_give_way_to_labels() -> None:
    def f(x: Any) -> Any:
        first, second, third = x + 1, x + 2, x + 3
        second.label, third.label = "t1", "t1"
        return first * second * third * (Value(2.0, "constant") + 1)

    assert [e.name for e in ag.trace(f, 1.0).equations] == ["t2", "t1", "t3", "t1′", "t4", "t6"]
    inputs = [Value(1.0), Value(2.0, "t1"), Value(3.0)]
    t = ag.trace_graph(inputs[0] * inputs[1] * inputs[2], inputs)
    assert (t.inputs, [e.name for e in t.equations]) == (("t2", "t1", "t3"), ["t4", "t5"])


def test_an_equation_takes_a_few_bytes() -> None:
    def f(x: Any) -> Any:
        for k in range(20_000):
            x = x * 1.00001 + k % 7
        return x

    ag.trace(f, 1.0)  # whose nodes the compiled engine keeps, to be used again
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    t = ag.trace(f, 1.0)
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(t.equations) > 30_000
    assert kept < 24 * len(t.equations)


@given(dag=dags(max_steps=8))
@settings(max_examples=examples(40))
def test_a_gradient_is_a_trace(dag: Dag) -> None:
    def f(*xs: Any) -> Any:
        return dag(xs)

    others = [x * 0.5 + 0.1 for x in dag.inputs]
    argnums = 0 if len(others) == 1 else tuple(range(len(others)))
    expected = ag.grad(f, argnums)(*others)
    assume(np.all(np.abs(expected) < 1e6))
    found = ag.trace(f, *dag.inputs).gradient()(*others)
    assert np.ravel(found) == pytest.approx(np.ravel(expected), rel=1e-9, abs=1e-9)


def test_it_reads_as_equations() -> None:
    def f(p: dict[str, Any], x: Any) -> Any:
        u = p["w"] * x
        if isinstance(u, Value):
            u.label = "u"
        return [ag.tanh(u + 1.0), u]

    trace = ag.trace(f, {"w": 2.0}, Value(3.0, "x"))
    assert str(trace).splitlines() == [
        "trace of f: 2 inputs, 3 equations",
        "  x0, x = inputs",
        "  u = x0 * x",
        "  t1 = u + 1",
        "  t2 = tanh(t1)",
        "  return t2, u",
    ]
    assert trace({"w": 0.5}, 4.0) == [ag.tanh(3.0), 2.0]
    with pytest.raises(
        TypeError, match=r"f: the inputs must have the structure \(\{'w': number\}, number\), not \(number, number\)"
    ):
        trace(1.0, 2.0)
    with pytest.raises(TypeError, match="gradient needs one output"):
        trace.gradient()


def test_arrays() -> None:
    W = np.array([[1.0, 2.0], [3.0, 4.0]])
    trace = ag.trace(lambda W, x: np.sum(np.tanh(W @ x)), W, np.array([0.1, 0.2]))
    assert trace(W * 2, np.array([0.3, 0.1])) == pytest.approx(np.sum(np.tanh(2 * W @ [0.3, 0.1])))
    dW, dx = trace.gradient()(W, np.array([0.1, 0.2]))
    assert dW.shape == (2, 2)
    assert dx == pytest.approx(W.T @ (1 - np.tanh(W @ [0.1, 0.2]) ** 2))


def test_an_existing_graph() -> None:
    J = ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=3, c=2)
    a, b, c = (x for x in ag.topological_order(J) if x.op is None)
    trace = ag.trace_graph(J, {"a": a, "b": b})
    assert trace({"a": 1.0, "b": 1.0}) == 9.0
    assert "u = b * 2" in str(trace)
    u = b * c
    assert ag.trace_graph([u * u, u], [u])([5.0]) == [25.0, 5.0]  # from an inner node
    assert ag.trace_graph(c, [a])([1.0]) == 2.0
    with pytest.raises(TypeError, match="trace_graph: give Values, not 3"):
        ag.trace_graph(3, [a])


def test_passes_print_before_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Any) -> Any:
        _unused = ag.exp(x)
        return (x * x + x * x) * 1.0

    trace = ag.trace(f, 2.0)
    small = trace.optimize(show=True)
    assert [e.op.name for e in small.equations] == ["mul", "add"]
    printed = capsys.readouterr().out
    assert "fold_constants: before\ntrace of f: 1 input, 4 equations" in printed
    assert "common_subexpressions: after\ntrace of f: 1 input, 2 equations" in printed
    assert small(3.0) == f(3.0)


def test_a_flipped_branch_is_told() -> None:
    def f(x: Any, y: Any) -> Any:
        return x * 2 if x > y else y * 3

    trace = ag.trace(f, 3.0, 1.0)
    assert "assuming x0 > x1 is True" in str(trace)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert trace(5.0, 4.0) == 10.0
    with pytest.warns(
        BranchWarning, match=r"f: the trace was made where x0 > x1 was True; here it is False \(1 and 4\)"
    ):
        assert trace(1.0, 4.0) == 2.0
    with pytest.raises(BranchError):
        trace(1.0, 4.0, branches="raise")
    assert trace(1.0, 4.0, branches="ignore") == 2.0
    with pytest.raises(ValueError, match="branches must be"):
        trace(1.0, 4.0, branches="maybe")  # type: ignore[arg-type]  # as a user might
    with pytest.raises(BranchError):
        trace.optimize().gradient()(1.0, 4.0, branches="raise")
    loop = ag.trace(lambda x: max(x, 2.0) + (1 if x < 3 else 0), 5.0)
    with pytest.raises(BranchError):
        loop(1.0, branches="raise")


def test_decisions_list_branches_and_kinks() -> None:
    def f(x: Any) -> Any:
        y = ag.relu(x - 1)
        return ag.maximum(y, 0.5) if x >= 0 else abs(y)

    decisions = ag.trace(f, 3.0).decisions()
    assert [(d.kind, d.distance) for d in decisions] == [("branch", 3.0), ("kink", 2.0), ("kink", 1.5)]
    assert [d.distance for d in ag.trace(f, 3.0).decisions(1.25)] == [1.25, 0.25, 0.25]
    assert str(decisions[0]) == "x0 >= 0 (branch, 3 from flipping)"


def test_a_deep_trace() -> None:
    def f(x: Any) -> Any:
        for _ in range(50_000):
            x = x * 1.00001
        return x

    trace = ag.trace(f, 1.0)
    assert trace(2.0) == f(2.0)
    assert trace.gradient()(2.0) == pytest.approx(f(1.0))


def test_a_pole_is_not_baked_in() -> None:
    for point in (0.0, 1.0):
        slope = ag.trace(ag.sqrt, point).gradient()
        assert (slope(0.0), slope(4.0)) == (math.inf, 0.25)
    x = Value(1.0)
    with pytest.raises(ValueError, match="the same node is among the inputs twice"):
        ag.trace_graph(x * x, [x, x])


def test_contexts_nest() -> None:
    def f(x: Any) -> Any:
        with ag.detect_anomaly():
            return x if x > 0 else -x

    with pytest.raises(BranchError):
        ag.trace(f, 1.0)(-1.0, branches="raise")
    with pytest.raises(ag.AnomalyError), ag.detect_anomaly():
        ag.trace(lambda x: x * 1e308 * 1e10, 1.0)


def test_no_grad_around_does_not_stop_a_trace() -> None:
    with ag.no_grad():
        assert ag.trace(lambda x: x * x, 2.0)(3.0) == 9.0


def test_jupyter_shows_equations() -> None:
    t = ag.trace(lambda x, y: ag.exp(x * y) - 0.5, 1.0, 2.0)
    assert t._repr_latex_() == (
        r"$$\begin{aligned}t_{1} &= x_{0} \cdot x_{1} \\ t_{2} &= e^{t_{1}} \\ t_{3} &= t_{2} - 0.5\end{aligned}$$"
    )
    assert ag.trace(lambda x: x, 1.0)._repr_latex_() is None
    assert ag.trace(lambda x: sum(x * k for k in range(50)), 1.0)._repr_latex_() is None


@pytest.mark.parametrize("run", ["trace", "numpy", "llvm"])
def test_equality_is_a_branch(run: Any) -> None:
    def sinc(x: Any) -> Any:
        return 1.0 if x == 0 else ag.sin(x) / x

    def power(x: Any, mode: Any) -> Any:
        return x * x if mode == 1 else x

    def same(x: Any, y: Any) -> Any:
        return 2 * x if x != y else 3 * x

    def halved(n: Any) -> Any:
        total = 0.0 * n
        while n != 0:
            total, n = total + n, n - 1
        return total

    cases: list[tuple[Any, list[tuple[float, ...]]]] = [
        (sinc, [(0.0,), (2.0,), (-0.0,)]),
        (power, [(3.0, 1.0), (3.0, 2.0), (3.0, 1.0)]),
        (same, [(1.0, 1.0), (1.0, 2.0)]),
        (halved, [(3.0,), (1.0,), (0.0,), (2.0,)]),
    ]
    for f, points in cases:
        if run == "trace":
            for there, here in itertools.product(points, repeat=2):
                t = ag.trace(f, *there)
                try:
                    assert t(*here, branches="raise") == f(*here)
                except BranchError:
                    assert t.branches != ag.trace(f, *here).branches
            continue
        compiled = ag.compile(f, runner=run)
        for xs in points:
            assert compiled(*xs) == pytest.approx(f(*xs), rel=1e-15)
    assert str(ag.trace(sinc, 0.0)).splitlines()[2] == "  assuming x0 == 0 is True"


def test_a_batch_asks_each_example_whether_it_is_equal() -> None:
    f = ag.compile(lambda x: 1.0 * x if x == 0 else ag.sin(x) / x, runner="numpy")
    assert f.map([0.0, 2.0, 0.0]).tolist() == [0.0, math.sin(2.0) / 2.0, 0.0]


def test_the_derivative_is_that_of_the_branch_that_ran() -> None:
    def f(x: Any) -> Any:
        return 5.0 * x if x == 1 else x**2

    assert [ag.grad(f)(x) for x in (1.0, 3.0)] == [5.0, 6.0]
    assert ag.compile(f, runner="numpy").grad(1.0) == 5.0

    @ag.custom_rule(lambda x, z: 7.0 if x == 2 else 2.0 * x)
    def square(x: float) -> float:
        return x * x

    assert [ag.grad(square)(x) for x in (2.0, 3.0)] == [7.0, 6.0]
    assert [ag.grad(ag.grad(square))(x) for x in (2.0, 3.0)] == [0.0, 2.0]
    assert [ag.derivative(square, 2)(x) for x in (2.0, 3.0)] == [0.0, 2.0]
