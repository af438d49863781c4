"""`forward()`, which computes a graph anew, and graphs whose numbers were assigned since they were computed."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from strategies import DEEP, Dag, dags, examples

import autograd_mini as ag
from autograd_mini import StaleGraphError, Value, nn
from autograd_mini.evaluation import stale_node


def state(output: Value) -> list[Any]:
    return [(v.data.hex(), [p.hex() for p in v.partials], v.grad.hex()) for v in ag.topological_order(output)]


def mixed(x: Any, y: Any) -> Any:
    """Compute something with every kind of row: hot ones, constants on both sides, unary, many operands."""
    u = (x + y) * (x - 2.0) / (y + 3.0) - (1.5 - x) * 0.5 + 2.0 / (y * y + 1)
    v = x**2 + y**3.0 + (y * y + 1) ** -0.5 + x**0 + 2.0**x + (x * x + 1) ** y
    w = ag.tanh(u) + ag.relu(v) + ag.relu(-v) + ag.log(x * x + 1) + abs(y) + (-x)
    m = ag.where(ag.greater(x, y), u, w) + ag.maximum(u, 0.5) + ag.take([u, v, w], 1) + ag.atan2(x, y)
    return m + ag.dot([u, v, 2.0], [x, 3.0, y], w) + ag.dot([u, x], [v, y]) + ag.sum([u, v, w, 1.0])


@given(a=st.tuples(st.floats(-2, 2), st.floats(-2, 2)), b=st.tuples(st.floats(-2, 2), st.floats(-2, 2)))
@settings(max_examples=examples(100))
def test_every_row_is_computed_anew(a: tuple[float, float], b: tuple[float, float]) -> None:
    leaves = [Value(x) for x in a]
    z = mixed(*leaves)
    expected = [Value(x) for x in b]
    for leaf, x in zip(leaves, b, strict=True):
        leaf.data = x
    z.forward()
    assert state(z) == state(mixed(*expected))
    assert stale_node(ag.topological_order(z)) is None
    z.backward()
    assert leaves[0].grad == pytest.approx(ag.grad(mixed)(*b), rel=1e-9, abs=1e-9, nan_ok=True)


@given(dag=dags(), seed=st.integers(0, 2**32))
@settings(max_examples=examples(100))
def test_a_graph_that_was_moved_is_the_graph_built_there(dag: Dag, seed: int) -> None:
    import random

    values = dag.values()
    z = dag(values)
    if not isinstance(z, Value):
        return
    draw = random.Random(seed)
    moved = [draw.uniform(-1.5, 1.5) for _ in values]
    for v, x in zip(values, moved, strict=True):
        v.data = x
    z.forward()
    assert state(z) == state(dag([Value(x) for x in moved]))


def test_derivatives_start_anew_and_leaves_keep_theirs() -> None:
    x = Value(3.0, "x")
    y = x * x
    z, other = y + 1, y * 2
    z.backward()
    x.data = 4.0
    z.forward()
    assert (x.grad, y.grad, z.grad) == (6.0, 0.0, 0.0)
    assert (y.data, other.data) == (16.0, 18.0)  # what other outputs share has moved, and they have not
    other.forward()
    assert other.data == 32.0
    y.data = 5.0  # an interior number that was assigned is computed anew too
    z.forward()
    assert (y.data, z.data) == (16.0, 17.0)
    x.forward()  # a leaf has nothing to compute
    assert x.data == 4.0


def test_all_or_nothing() -> None:
    x, y = Value(2.0, "x"), Value(3.0, "y")
    z = ag.dot([x, x], [y, x], ag.log(y)) * (x + 1) + ag.log(x)
    z.backward()
    x.data, y.data = -1.0, 7.0
    before = state(z)
    with pytest.raises(ValueError, match=r"math domain error in log\(x=-1\.0\)"):
        z.forward()
    assert state(z) == before
    x.data, y.data = 1.0, -7.0
    before = state(z)
    with pytest.raises(ValueError, match=r"math domain error in log\(y=-7\.0\)"):
        z.forward()
    assert state(z) == before
    y.data = 7.0
    z.forward()
    assert z.data == 2 * (7.0 + 1.0 + math.log(7.0))


def test_what_is_cut_off_stays() -> None:
    x = Value(3.0, "x")
    cut = (x * 2).detach()
    with ag.no_grad():
        plain = x * 5
    y = x * cut + plain + ag.stop_gradient(x)
    x.data = 4.0
    with ag.no_grad():
        y.forward()
    assert y.data == 4 * 6 + 15 + 4
    assert cut.data == 6.0


@ag.custom_rule(lambda x, y, z: 2 * x, lambda x, y, z: 1.0)
def own(x: float, y: float) -> float:
    if y > 100:
        raise ValueError("y is too large")
    return x * x + y


class Named(Value):
    name: str = ""


def test_rows_of_ones_own_subclasses_and_copies() -> None:
    x, y = Named(2.0), Value(3.0, "y")
    x.name = "first"
    z = own(x, y) * 2
    twin, thawed = copy.deepcopy(z), pickle.loads(pickle.dumps(z))
    x.data = 5.0
    for v in (z, twin, thawed):
        v.forward()
    assert (z.data, twin.data, thawed.data) == (56.0, 14.0, 14.0)
    y.data = 101.0
    with pytest.raises(ValueError, match=r"y is too large in own\(5\.0, y=101\.0\)"):
        z.forward()
    assert z.data == 56.0


def test_a_slope_at_a_pole_is_computed_anew() -> None:
    x = Value(0.0, "x")
    slope = ag.gradient(ag.sqrt(x), x)
    x.data = 4.0
    slope.forward()
    assert slope.data == 0.25
    x.data = 0.0
    slope.forward()
    assert slope.data == math.inf


def test_a_graph_that_is_traced_or_differentiated_stays() -> None:
    x = Value(2.0)
    y = x * x

    def f(v: Any) -> Any:
        y.forward()
        return v

    for run in (ag.trace, lambda f, x: ag.grad(f)(x)):
        with pytest.raises(TypeError, match="forward: it cannot be called inside a function"):
            run(f, 1.0)


def test_a_deep_graph() -> None:
    x = Value(1.0)
    y = x
    for _ in range(DEEP):
        y = y * 0.5 + 1.0
    x.data = 3.0
    y.forward()
    assert y.data == 2.0


def test_a_program_of_a_graph_follows() -> None:
    a, w = Value(2.0, "a"), Value(3.0, "w")
    u = w * w
    c = ag.compile(a * u, inputs=a, runner="numpy")
    assert c(2.0) == 18.0
    w.data = 1.0
    u.forward()
    assert c(2.0) == 2.0


# Stale graphs.

SHOWS: list[Callable[[Value], Any]] = [
    ag.explain,
    lambda y: ag.explain(y, "w"),
    lambda y: ag.paths(y, "w"),
    ag.audit,
    ag.blame,
    ag.explore,
]


@pytest.mark.parametrize("show", SHOWS)
def test_no_false_arithmetic_is_shown(show: Callable[[Value], Any]) -> None:
    w, b = Value(1.0, "w"), Value(2.0, "b")
    s = w * w
    s.label = "s"
    y = s + b
    y.label = "y"
    show(y)
    w.data = 5.0
    with pytest.raises(StaleGraphError) as caught:
        show(y)
    assert str(caught.value) == ("s = 1, but w * w is 25 now: w was assigned. y.forward() computes the graph again")
    y.forward()
    show(y)
    b.data = 2.0  # the number that it had
    show(y)


def test_a_picture_says_it() -> None:
    w = Value(1.0, "w")
    y = w * w
    assert "assign" not in ag.draw(y).description
    w.data = 5.0
    picture = ag.draw(y)
    assert "Stale: f = 1, but w * w is 25 now: w was assigned" in picture.description
    assert "Stale: f = 1" in picture.source
    y.forward()
    assert "assign" not in ag.draw(y).description


def test_only_what_disagrees_is_told() -> None:
    nan = Value(math.nan)
    a, b, c = Value(1.0, "a"), Value(0.1, "b"), Value(3.0, "c")
    b.data = 0.2  # before anything is computed from it
    graph = ag.exp(a) * b + ag.dot([a, b, c], [b, c, a], nan) + ag.sum([a, b, c])
    assert stale_node(ag.topological_order(graph)) is None
    c.data = math.nextafter(3.0, 4.0)  # less than 4 units in the last place of the results
    assert stale_node(ag.topological_order(graph)) is None
    inner = a * b
    inner.data = 9.0
    with pytest.raises(
        StaleGraphError, match=r"= 9, but a \* b is 0\.2 now: b was assigned|its own number was assigned"
    ):
        ag.explain(inner + 1)
    product = Value(2.0, "p") * Value(3.0, "q")
    product.data = 7.0
    with pytest.raises(StaleGraphError, match="its own number was assigned, or mul is no function of its operands"):
        ag.explain(product)


def test_training_leaves_a_graph_that_says_so() -> None:
    net = nn.MLP(2, [2, 1], rng=0)
    J = net([1.0, 2.0]) ** 2
    J.label = "J"
    J.backward()
    nn.SGD(net, lr=0.1).step()
    with pytest.raises(StaleGraphError, match=r"J\.forward\(\) computes the graph again"):
        ag.explain(J)
    J.forward()
    assert J.data == (net([1.0, 2.0]) ** 2).data


def test_a_healthy_graph_of_old_numbers_is_no_anomaly() -> None:
    w = Value(2.0, "w")
    a = w * w
    b = a * 3
    with ag.detect_anomaly():
        a.backward()
        w.data = 1.0
        b.backward()
    assert w.grad == 4.0 + 12.0


def test_compiled_training_says_where_a_gradient_went_wrong() -> None:
    broken = ag.custom_rule(lambda x, z: math.nan)(lambda x: x)

    def net(x: Any) -> Any:
        return broken(w) * x[0]

    w = Value(0.5, "w")
    with pytest.raises(nn.TrainingError, match=r"epoch 1, step 1: SGD: the gradient of w = 0\.5 is nan"):
        nn.fit(
            net, [[1.0], [2.0]], [1.0, 2.0], loss="mean_squared_error", optimizer=nn.SGD([w], lr=0.1), epochs=1,
            compiled=True, progress=False,
        )  # fmt: skip


def test_a_stale_graph_without_a_value_promises_nothing() -> None:
    x = Value(2.0, "x")
    y = ag.log(x)
    y.label = "y"
    x.data = -1.0
    with pytest.raises(ag.StaleGraphError) as caught:
        ag.explain(y)
    assert str(caught.value) == "y = 0.6931, but log(x) has no value now: x was assigned"
