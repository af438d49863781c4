"""Edges and the reverse sweep, beside matrices, `backward()` and reachability by brute force."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st
from strategies import Dag, dags

import autograd_mini as ag
from autograd_mini import Value
from autograd_mini.edges import derivatives_of, edges_of, leading_to, passing, pull, reached_edges
from autograd_mini.walks import topological_order


@given(dags())
def test_the_sweep_solves_the_linear_system_of_the_edges(dag: Dag) -> None:
    r"""$\bar x = \sum_u \bar u w$ for all nodes at once is $(I - W^T) \bar x = e$, which NumPy solves."""
    output = dag(dag.values())
    order = topological_order(output)
    place = {node: i for i, node in enumerate(order)}
    system = np.eye(len(order))
    for user in order:
        for edge in edges_of(user):
            system[place[edge.parent], place[user]] -= edge.weight
    expected = np.linalg.solve(system, [float(node is output) for node in order])
    derivatives = derivatives_of(output, order)
    assert list(map(id, derivatives)) == list(map(id, order))
    assert [*derivatives.values()] == pytest.approx(expected, rel=1e-7, abs=1e-9)
    output.backward()
    assert [*derivatives.values()] == [node.grad for node in order]


@given(dags(), st.data())
def test_the_sweep_is_the_same_for_any_numbers(dag: Dag, data: st.DataObject) -> None:
    """Fractions carry the exact sum over all paths; here each weight is a whole number of its own."""
    output = dag(dag.values())
    order = topological_order(output)
    weights = {user: [(x, Fraction(data.draw(st.integers(-9, 9)))) for x in user.parents] for user in order}
    leaf = order[0]
    sums: dict[Value, Fraction] = {}  # over the paths from each node to the leaf
    for node in order:
        sums[node] = sum((w * sums[x] for x, w in weights[node]), Fraction(node is leaf))
    pulled = pull({output: Fraction(1)}, ((user, weights[user]) for user in reversed(order)))
    assert pulled.get(leaf, 0) == sums[output]


@given(dags(), st.data())
def test_leading_to_finds_the_nodes_that_depend_on_a_target(dag: Dag, data: st.DataObject) -> None:
    order = topological_order(dag(dag.values()))
    targets = [order[i] for i in data.draw(st.lists(st.integers(0, len(order) - 1), max_size=3))]
    ancestors = {node: set(topological_order(node)) for node in order}
    depends = [node for node in order if not ancestors[node].isdisjoint(targets)]
    leading = leading_to(targets, order)
    assert list(map(id, leading)) == list(map(id, depends))
    for user, edges in leading.items():
        assert [id(edge.parent) for edge in edges] == [id(x) for x in user.parents if x in leading]


def test_an_edge_whose_rule_is_0_passes_nothing() -> None:
    x = Value(2.0)
    stopped = ag.stop_gradient(x)
    z = stopped * x
    assert [edge.passes for edge in edges_of(z)] == [True, True]
    assert [(edge.passes, edge.weight) for edge in edges_of(stopped)] == [(False, 0.0)]
    assert list(passing(stopped)) == []
    assert [*leading_to([x], [x, stopped, z])] == [x, z]
    assert [edge.user for edge in reached_edges(z, [z, stopped])] == [z, z]
    infinite = Value(float("inf"))
    assert pull({stopped: float("inf")}, [(stopped, passing(stopped))]) == {stopped: float("inf")}
    assert derivatives_of(y := ag.stop_gradient(infinite) * x, topological_order(y))[infinite] == 0.0


def test_a_user_without_a_cotangent_is_not_asked_for_its_weights() -> None:
    x, y = Value(1.0), Value(2.0)
    z = x + y

    def asked() -> Iterator[tuple[Value, float]]:
        raise AssertionError("weights were read")
        yield

    assert pull({x: 1.0}, [(z, asked()), (x, [])]) == {x: 1.0}


def test_an_edge_has_the_place_of_a_parent_among_all_operands() -> None:
    x = Value(3.0, "x")
    z = ag.where(x, 5.0, x)
    edges = [(edge.operand, edge.parent is x, edge.user is z) for edge in edges_of(z)]
    assert edges == [(0, True, True), (2, True, True)]
    assert edges_of(x) == []


def test_an_edge_is_copied_and_pickled_with_its_graph() -> None:
    x = Value(3.0, "x")
    (edge,) = edges_of(ag.sin(x))
    for twin in (copy.deepcopy(edge), pickle.loads(pickle.dumps(edge))):
        assert (twin.operand, twin.weight, twin.parent.label) == (0, edge.weight, "x")
        assert twin.user.parents == (twin.parent,)
    assert repr(edge) == f"Edge(user={edge.user!r}, parent={x!r}, operand=0, weight={edge.weight})"
