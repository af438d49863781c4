"""Elimination: each order gives the same Jacobian, and its costs are those of the definitions."""

from __future__ import annotations

import functools
import operator
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from strategies import DEEP, Dag, dags, examples

import autograd_mini as ag
from autograd_mini import Value
from autograd_mini.accumulation import ORDERS, LinearGraph, accumulate, cheapest


@st.composite
def graphs(draw: st.DrawFn, max_steps: int = 14) -> tuple[list[Value], list[Value]]:
    """Draw outputs and inputs of a graph; an output may be an input, and may be used by another."""
    dag: Dag = draw(dags(max_steps))
    inputs = dag.values()
    nodes = list(inputs)
    for op, operands in dag.steps:
        nodes.append(op(*(nodes[k] for k in operands)))
    picked = draw(st.lists(st.integers(0, len(nodes) - 1), min_size=1, max_size=4, unique=True))
    return [nodes[k] for k in picked], inputs


def dense(outputs: list[Value], inputs: list[Value]) -> Any:
    """Return the Jacobian by one sweep for each output."""
    return [[float(x.data) for x in ag.gradient(z, inputs)] for z in outputs]


def parents(node: Value) -> list[Value]:
    """Return the parents of a node, each once."""
    return list(dict.fromkeys(node.parents))


@given(graphs(), st.data())
def test_every_order_gives_the_jacobian(ends: Any, data: st.DataObject) -> None:
    outputs, inputs = ends
    expected = np.array(dense(outputs, inputs))
    by_hand = data.draw(st.permutations([step.node for step in ag.eliminate(outputs, inputs).steps]))
    for order in (*ORDERS, by_hand):
        made = ag.eliminate(outputs, inputs, order)
        assert np.allclose(np.array(made.jacobian), expected, rtol=1e-9, atol=1e-9 * (1 + np.abs(expected).max()))
        assert {step.node for step in made.steps} == set(by_hand)
        assert made.multiplications == sum(step.multiplications for step in made.steps)


@given(graphs())
def test_forward_and_reverse_cost_as_the_modes_do(ends: Any) -> None:
    """An edge is multiplied with each derivative that is not known to be 0, of its parent or of its user."""
    outputs, inputs = ends
    order, given_inputs = ag.topological_order(*outputs), set(inputs)
    below: dict[Value, set[Value]] = {x: {x} for x in inputs}  # the inputs of each node
    above: dict[Value, set[Value]] = {x: {x} if x in set(outputs) else set() for x in order}  # and the outputs
    for x in order:
        below.setdefault(x, set()).update(*(below[p] for p in parents(x)))
    for x in reversed(order):
        for p in parents(x):
            above[p] |= above[x]
    edges = [(p, x) for x in order for p in parents(x) if below[p] and above[x]]
    forward = sum(len(below[p]) for p, _ in edges if p not in given_inputs)
    reverse = sum(len(above[x] - {x}) for _, x in edges)  # an output's own derivative is multiplied with nothing
    work = ag.work(outputs, inputs)
    assert work.edges == len(edges)
    assert work.counts["forward"] is not None
    assert work.counts["reverse"] is not None
    assert work.counts["forward"][0] == forward
    assert work.counts["reverse"][0] == reverse
    for name in ORDERS:
        made = ag.eliminate(outputs, inputs, name)
        assert work.counts[name] == (made.multiplications, made.additions)
    assert work.counts[work.cheapest][0] == min(c[0] for c in work.counts.values() if c)  # type: ignore[index]


@given(graphs(max_steps=8))
def test_every_path_is_counted(ends: Any) -> None:
    outputs, inputs = ends
    multiplications = found = 0
    entries: set[tuple[Value, Value]] = set()

    def walk(z: Value, node: Value, length: int) -> None:
        nonlocal multiplications, found
        if node in inputs_set:
            multiplications += max(length - 1, 0)
            found += length > 0
            if length:
                entries.add((z, node))
        for p in parents(node):
            walk(z, p, length + 1)

    inputs_set = set(inputs)
    for z in outputs:
        walk(z, z, 0)
    assert ag.work(outputs, inputs).counts["every path"] == (multiplications, found - len(entries))


@settings(max_examples=examples(20))
@given(graphs(max_steps=6))
def test_no_order_is_better_than_the_best_of_all(ends: Any) -> None:
    outputs, inputs = ends
    nodes = [step.node for step in ag.eliminate(outputs, inputs).steps]
    assume(len(nodes) <= 5)
    best = min(ag.eliminate(outputs, inputs, order).multiplications for order in permutations(nodes))
    for name in ORDERS:
        assert ag.eliminate(outputs, inputs, name).multiplications >= best


@given(graphs())
def test_a_jacobian_takes_a_cheap_order(ends: Any) -> None:
    graph = LinearGraph(*ends)
    best = min(accumulate(graph, order).multiplications for order in ORDERS)
    order, made = cheapest(graph)
    assert made.multiplications == accumulate(graph, order).multiplications <= max(2 * graph.size, 2 * best)


def hourglass() -> tuple[list[Value], list[Value]]:
    """Return a graph that is narrow in the middle, with nodes on both sides."""
    x = [Value(0.3 + i, f"x{i}") for i in range(3)]
    a = [ag.sin(v) for v in x]
    s = ag.sum(a)
    y = [ag.exp(s * (i + 1.0)) for i in range(3)]
    for name, nodes in (("a", a), ("y", y)):
        for i, node in enumerate(nodes):
            node.label = f"{name}{i}"
    s.label = "s"
    return y, x


def test_markowitz_needs_less_than_both_modes_where_the_middle_is_narrow() -> None:
    y, x = hourglass()
    counts = {name: pair[0] for name, pair in ag.work(y, x).counts.items() if pair}
    assert counts == {"every path": 27, "reverse": 21, "forward": 21, "markowitz": 15}
    best = ["a0", "a1", "a2", "t1", "t2", "t3", "s"]
    assert ag.eliminate(y, x, best).multiplications == 15
    assert ag.eliminate(y, x, ["s", *best[:-1]]).multiplications == 27


def test_outputs_that_are_used_and_inputs_that_are_outputs() -> None:
    x = Value(2.0, "x")
    u = x * x
    made = ag.eliminate({"u": u, "z": u * x, "x": x}, [x])
    assert made.jacobian == {"u": [4.0], "x": [1.0], "z": [12.0]}
    assert ag.eliminate(u * x, x).jacobian == 12.0
    assert ag.eliminate(x, x).jacobian == 1.0
    stopped = ag.stop_gradient(u) * Value(3.0)
    assert ag.eliminate(stopped, x).jacobian == 0.0
    assert ag.eliminate(stopped, x).steps == ()


def test_text_and_steps() -> None:
    y, x = hourglass()
    made = ag.eliminate(y, x, "forward")
    text = str(made)
    assert text == repr(made)
    assert (
        "1. remove a0: 1 multiplication, 0 additions, 11 edges left\n   ∂s/∂x0 = ∂s/∂a0 · ∂a0/∂x0 = 1 · 0.9553 = 0.9553"
        in text
    )
    assert text.endswith("dy2/dx2 = " + f"{made.jacobian[2][2]:.4g}".replace("e+", "e"))
    short = made.text(precision=2, max_steps=2)
    assert "… 5 more steps; text(max_steps=None) writes all" in short
    assert "0.96" in short
    assert made.steps[0].node is y[0].parents[0].parents[0].parents[0]
    assert [step.edges for step in made.steps][-1] == 9
    assert sum(step.new_edges + step.additions for step in made.steps) == made.multiplications


def test_drawings_shrink_to_the_jacobian() -> None:
    y, x = hourglass()
    made = ag.eliminate(y, x)
    sizes = []
    for k in range(len(made.steps) + 1):
        picture = made.draw(k).picture
        sizes.append(len(picture.boxes))
        assert [box.name for box in picture.boxes if box.marked] == [
            made.names[step.node] for step in made.steps[k : k + 1]
        ]
        if k:
            assert len(picture.arrows) == made.steps[k - 1].edges
    assert sizes == list(range(13, 5, -1))
    numbers = {(arrow.source, arrow.target): arrow.derivative for arrow in picture.arrows}
    assert sorted(numbers.values()) == sorted(functools.reduce(operator.iadd, made.jacobian, []))  # type: ignore[type-var]
    assert "∂y" in made.draw(len(made.steps)).image("dot").decode()


def test_errors() -> None:
    y, x = hourglass()
    a = y[0].parents[0].parents[0].parents
    with pytest.raises(ValueError, match='order must be "reverse", "forward", "markowitz", or a list'):
        ag.eliminate(y, x, "backward")
    with pytest.raises(ValueError, match="order must be"):
        ag.eliminate(y, x, 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the order leaves out s"):
        ag.eliminate(y, x, [*a, "t1", "t2", "t3"])
    with pytest.raises(ValueError, match="the order has a0 twice"):
        ag.eliminate(y, x, [*a, "a0"])
    with pytest.raises(ValueError, match="x0 is no node to remove; the nodes to remove are a0, a1, a2, s, "):
        ag.eliminate(y, x, [x[0]])
    with pytest.raises(ValueError, match="is no node to remove"):
        ag.eliminate(y, x, [Value(1.0)])
    with pytest.raises(ValueError, match="s is computed from x0: give one of them"):
        ag.eliminate(y, [*x, y[0].parents[0].parents[0]])
    with pytest.raises(TypeError, match="eliminate: give Values, not 'y' of type str"):
        ag.eliminate("y", x)
    with pytest.raises(TypeError, match="work: give Values"):
        ag.work([1.0], x)
    for steps in (-1, 8, 1.0):
        with pytest.raises(ValueError, match="steps must be a whole number from 0 to 7"):
            ag.eliminate(y, x).draw(steps)  # type: ignore[arg-type]


def test_a_trace_tells_that_the_numbers_are_read() -> None:
    def f(x: Any) -> Any:
        return ag.eliminate(x * x, x).jacobian * x

    with pytest.warns(ag.TraceWarning, match="is read"):
        ag.trace(f, 3.0)


def test_deep_graphs() -> None:
    x = Value(1.0, "x")
    y = x
    for _ in range(DEEP):
        y = y * 1.0
    counts = ag.work(y, x).counts
    assert counts == dict.fromkeys(counts, (DEEP - 1, 0))
    z = x
    for _ in range(2000):
        z = z + z * x
    assert ag.work(z, x).counts["every path"] == (float("inf"), float("inf"))


def test_the_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from autograd_mini import elimination

    y, x = hourglass()
    monkeypatch.setattr(elimination, "COUNTED", 16)
    work = ag.work(y, x)
    assert work.counts["reverse"] is work.counts["forward"] is None
    assert work.cheapest == "markowitz"
    assert "reverse                over 16             ?" in str(work)
    monkeypatch.setattr(elimination, "MAX_MULTIPLICATIONS", 20)
    with pytest.raises(ValueError, match=r"more than 20 multiplications; jacobian\(f, sparse=True\) keeps no steps"):
        ag.eliminate(y, x, "forward")
