"""The first cause of a bad derivative, and the edge."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import AnomalyError, Value
from autograd_mini.edges import derivatives_of


def test_nan_from_a_pole_of_the_slope() -> None:
    y = ag.expression("s = sqrt(x); y = s*x", x=0)
    found = ag.blame(y)
    (finding,) = found.findings
    assert finding.kind == "nan"
    assert finding.edge is not None
    assert (finding.edge.user.label, finding.edge.parent.label) == ("s", "x")
    assert "∂s/∂x = 0.5 / s = inf" in str(found)
    assert "inf · 0" in str(found)


def test_inf_from_a_pole_of_the_slope() -> None:
    y = ag.expression("y = asin(x)*2", x=1)
    assert [f.kind for f in ag.blame(y).findings] == ["inf"]
    assert "∂t1/∂x = 1 / sqrt((1 - x) · (1 + x)) = inf (asin'(±1) = inf)" in str(ag.blame(y))


def test_the_sign_of_an_infinite_derivative_is_said() -> None:
    assert str(ag.blame(ag.expression("y = acos(x)", x=1))).startswith(
        "The derivative with respect to x is -inf: at the edge y → x"
    )
    assert str(ag.blame(ag.expression("t = acos(x); y = t*2", x=1))).endswith("times dy/dt = 2, is -inf.")
    assert str(ag.blame(Value(-math.inf, "x") * 2)) == "The leaf x is -inf before anything is computed."


def test_the_first_bad_number_of_the_forward_pass() -> None:
    x = Value(1e200, "x")
    y = x * x - x * x
    assert str(ag.blame(y)) == "t1 is the first inf of the forward pass: mul of x = 1e+200, x = 1e+200."
    bad = Value(math.nan, "x")
    assert str(ag.blame(bad * 2)) == "The leaf x is nan before anything is computed."
    assert [f.kind for f in ag.blame(y).findings] == ["inf"]


def test_a_closed_relu() -> None:
    y = ag.expression("z = w*x + b; y = relu(z)*3", w=2, x=-1, b=1)
    found = ag.blame(y, "w")
    assert [f.kind for f in found.findings] == ["zero"]
    assert "relu is closed at z = -1 (edge t2 → z, ∂t2/∂z = z > 0 = 0)" in str(found)


def test_a_saturated_sigmoid() -> None:
    y = ag.expression("y = sigmoid(x)", x=40)
    assert "sigmoid is saturated at x = 40" in str(ag.blame(y))
    y = ag.expression("y = sigmoid(x)", x=20)
    found = ag.blame(y)
    assert [f.kind for f in found.findings] == ["vanishing"]
    assert "∂y/∂x = y · (1 - y) = 2.061e-09 (sigmoid is saturated at x = 20)" in str(found)


def test_cancelled_and_independent_and_multiplied_by_zero() -> None:
    x, w = Value(2.0, "x"), Value(0.0, "w")
    assert "contributions that are not 0 cancel" in str(ag.blame(x * 3 - x * 3, x))
    assert str(ag.blame(x * 3, w)) == "The output does not depend on w."
    assert "mul is flat at w = 0, x = 2" in str(ag.blame(w * x, x))
    assert "stop_gradient is flat" in str(ag.blame(ag.stop_gradient(x) * 2, x))


def test_too_small_for_a_float() -> None:
    y = Value(1.0, "x")
    for _ in range(3):
        y = y * 1e-150
    assert "is too small for a float" in str(ag.blame(y))


def test_exploding() -> None:
    x = y = Value(1.0, "x")
    for _ in range(5):
        y = y * 100
    found = ag.blame(y, x)
    assert [f.kind for f in found.findings] == ["exploding"]
    assert "On its largest path, of 5 factors, the largest are" in str(found)


@given(dag=dags())
@settings(max_examples=examples(60))
def test_a_healthy_graph_is_said_to_be(dag: Dag) -> None:
    z = dag(dag.values())
    leaves = [x for x in ag.topological_order(z) if x.op is None]
    derivatives = derivatives_of(z, ag.topological_order(z))
    found = ag.blame(z)
    sizes = [abs(derivatives[x]) for x in leaves]
    if all(1e-8 < size < 1e8 for size in sizes):
        assert not found
        assert "finite and not 0" in str(found)
    if 0.0 in sizes:
        assert any(f.kind == "zero" for f in found.findings)
    assert z.grad == 0.0


def test_a_deep_graph_is_blamed_without_recursion() -> None:
    y = Value(0.5, "x")
    for _ in range(100_000):
        y = y * 0.9997
    assert ag.blame(y).findings[0].kind == "vanishing"
    assert len(str(ag.blame(y))) < 1000


def test_detect_anomaly_names_the_line() -> None:
    x = Value(1e200, "x")

    def f() -> None:
        with ag.detect_anomaly():
            _ = x * 2
            _ = x * x  # this line

    message = r"mul gave inf for x = 1e\+200, x = 1e\+200; made at .*test_blame\.py"
    with pytest.raises(AnomalyError, match=message) as caught:
        f()
    assert "x * x  # this line" in caught.value.line
    assert (x * x).data == math.inf  # outside nothing is watched


def test_detect_anomaly_names_the_line_of_the_backward_pass() -> None:
    x = Value(0.0, "x")

    def f() -> None:
        with ag.detect_anomaly():
            s = ag.sqrt(x)  # this line
            (s * x).backward()

    with pytest.raises(AnomalyError, match="inf · 0: at the edge t1 → x") as caught:
        f()
    assert "s = ag.sqrt(x)  # this line" in caught.value.line
    assert caught.value.node.op is ag.sqrt


def test_detect_anomaly_watches_transformations() -> None:
    def f() -> None:
        with ag.detect_anomaly():
            ag.grad(lambda x: ag.sqrt(x) * 2)(0.0)

    with pytest.raises(AnomalyError, match="sqrt'"):
        f()


def test_blame_of_one_node_looks_at_its_own_ways() -> None:
    J = ag.expression("J = sqrt(a) + relu(b)", a=0, b=-1)
    assert str(ag.blame(J, "b")) == (
        "The derivative with respect to b is 0: relu is closed at b = -1 (edge t2 → b, ∂t2/∂b = b > 0 = 0)."
    )
    with pytest.raises(TypeError, match="the output must be a Value, not 3"):
        ag.blame(3)  # type: ignore[arg-type]  # as a user might


def test_detect_anomaly_is_quiet_on_good_numbers() -> None:
    def f(x: Any) -> Any:
        return ag.exp(x) * x

    with ag.detect_anomaly():
        x = Value(1.0)
        f(x).backward()
        assert ag.grad(f)(1.0) == pytest.approx(x.grad)
