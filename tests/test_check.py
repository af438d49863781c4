"""Checks find a wrong rule, and say which; audits agree on right graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from strategies import Dag, dags, examples, smooth_operands

import autograd_mini as ag
from autograd_mini import OPS, GradientError, Op, Value
from autograd_mini.check import settled


@ag.custom_rule(lambda x, z: 2.0 * x**2)
def wrong_cube(x: float) -> float:
    """Cube, with a wrong rule."""
    return x**3


@pytest.mark.parametrize("op", OPS.values(), ids=list(OPS))
@given(data=st.data())
@settings(max_examples=examples(5), suppress_health_check=list(HealthCheck))
def test_every_row_passes(op: Op, data: st.DataObject) -> None:
    if op.name in ("where", "polygamma", "polygamma_gap", "powlog", "sinc_derivative", "stop_gradient"):
        return  # their first operand, or all, has no derivative
    ag.check_grads(op, data.draw(smooth_operands(op)), order=2, rtol=1e-5, atol=1e-5)


@given(dag=dags(max_steps=8))
@settings(max_examples=examples(30))
def test_graphs_pass_and_audits_agree(dag: Dag) -> None:
    inputs = dag.values()
    z = dag(inputs)
    z.backward()
    grads = [x.grad for x in inputs]
    assume(abs(z.data) < 100 and all(abs(g) < 100 for g in grads))
    ag.check_grads(lambda *xs: dag(xs), dag.inputs, order=1, rtol=1e-5, atol=1e-5)
    rows = {row.name: row for row in ag.audit(z)}
    for x, g in zip(inputs, grads, strict=True):
        if x.label in rows:
            row = rows[x.label]
            assert row.reverse == pytest.approx(g, rel=1e-9, abs=1e-12)
            assert row.forward == pytest.approx(g, rel=1e-9, abs=1e-12)
            assert row.numeric == pytest.approx(g, rel=1e-5, abs=1e-5)
    assert [x.grad for x in inputs] == grads


def test_structures_and_arrays() -> None:
    def f(p: dict[str, Any], x: Any) -> Any:
        return np.tanh(p["W"] @ x + p["b"])

    ag.check_grads(f, ({"W": np.array([[0.1, 0.2], [0.3, -0.4]]), "b": [0.1, 0.2]}, np.array([1.0, 2.0])))


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_the_wrong_partial_is_named(mode: str) -> None:
    def f(x: Any, y: Any) -> Any:
        z = wrong_cube(x * y)
        if isinstance(z, Value):
            z.label = "z"
        return ag.sin(z) + x

    with pytest.raises(GradientError, match="the partial of wrong_cube with respect to x is wrong at node z") as caught:
        ag.check_grads(f, (1.1, 0.7), order=1, modes=(mode,))
    assert (caught.value.op, caught.value.node) == ("wrong_cube", "z")
    assert caught.value.analytic == pytest.approx(2 * 0.77**2)
    assert caught.value.numeric == pytest.approx(3 * 0.77**2)
    assert 0 < caught.value.step < 1e-3


def test_a_wrong_second_derivative_is_found() -> None:
    @ag.custom_rule(lambda x, z: ag.cos(ag.stop_gradient(x)))
    def sine(x: float) -> float:
        return OPS["sin"].function(x)

    ag.check_grads(sine, (0.5,), order=1)
    with pytest.raises(GradientError, match=r"the gradient of sine"):
        ag.check_grads(sine, (0.5,), order=2, modes=["rev"])


def test_near_a_kink_it_says_so() -> None:
    with pytest.raises(GradientError, match=r"near a kink.*relu at node f, 0 from its kink \(relu'\(0\) = 0\)"):
        ag.check_grads(ag.relu, (0.0,), order=1)
    ag.check_grads(ag.relu, (1e-4,), order=1)  # near, but steps fit in between


@pytest.mark.parametrize("x", [1e-9, 1e-4, 1.0, 1e8])
def test_steps_fit_into_the_domain(x: float) -> None:
    ag.check_grads(ag.log, (x,))
    ag.check_grads(ag.exp, (-x,), order=1)
    (row,) = ag.audit(ag.sqrt(Value(x)))
    assert row.agrees
    with pytest.raises(ValueError, match="check_grads of sqrt: finite differences need numbers on both sides"):
        ag.check_grads(ag.sqrt, (0.0,))


def test_a_way_around_the_graph_is_said_so() -> None:
    with pytest.raises(GradientError, match="in a way that the graph does not record"):
        ag.check_grads(lambda x: x * x.data, (2.0,), order=1)
    with pytest.raises(GradientError, match="in a way that the graph does not record"):
        ag.check_grads(lambda x: x * x.detach(), (2.0,), order=1)


def test_hard_functions_raise_no_false_alarm() -> None:
    ag.check_grads(lambda x: 1 / x, (1e-3,), order=1)
    ag.check_grads(lambda x: x**1000, (1.0,), order=1)
    ag.check_grads(lambda x: ag.sin(1e4 * x), (1.0,), order=1)
    ag.check_grads(lambda x: ag.exp(-((x / 1e-3) ** 2)), (1e-3,), order=1)
    ag.check_grads(lambda x: x.tanh(), (Value(0.5),), modes="fwd")


def test_a_wrong_partial_that_the_output_hardly_shows_is_found() -> None:
    with pytest.raises(GradientError, match="the partial of wrong_cube with respect to x is wrong"):
        ag.check_grads(lambda x: 1e-9 * wrong_cube(x), (1.0,), order=1)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="order must be a whole number from 1 on"):
        ag.check_grads(ag.sin, (1.0,), order=0)
    with pytest.raises(ValueError, match='modes "fwd", "rev" or both, not order='):
        ag.check_grads(ag.sin, (1.0,), modes=("up",))
    with pytest.raises(TypeError, match=r"args must be a tuple of the arguments, not 1\.0"):
        ag.check_grads(ag.sin, 1.0)  # type: ignore[arg-type]  # as a user might
    with pytest.raises(TypeError, match="audit: give a Value, not 3"):
        ag.audit(3)  # type: ignore[arg-type]  # as a user might
    with pytest.raises(TypeError, match="check_grads: cannot use 'x'"):
        ag.check_grads(ag.sin, ("x",))


def test_audit_shows_what_differs() -> None:
    x = Value(2.0, "x")
    assert str(ag.audit(wrong_cube(x) + x)).splitlines() == [
        "leaf  reverse  forward  numeric",
        "x     9        9        13       differs",
    ]
    (row,) = ag.audit(ag.sqrt(Value(0.0)))
    assert not row.agrees


@given(x=st.floats(0.5, 3.0))
def test_differences_know_their_error(x: float) -> None:
    found, error, _ = settled(lambda t: (x + t) ** 5, 1e-3)
    assert abs(found - 5 * x**4) <= error
