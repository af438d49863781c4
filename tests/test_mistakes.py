"""The classical wrong passes: each does what it says, and is found where it begins."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import Value
from autograd_mini.edges import derivatives_of
from autograd_mini.wrong_passes import MISTAKES


def by_name(J: Value) -> dict[str, ag.Mistake]:
    return {mistake.name: mistake for mistake in ag.mistakes(J)}


def test_a_node_that_is_used_twice() -> None:
    J = ag.expression("p = a*b; J = p + a", a=2, b=3)
    found = by_name(J)
    over = found["overwrite"]
    assert over.node is not None
    assert (over.node.label, over.right, over.wrong) == ("a", 4.0, 3.0)
    assert found["as they come"].node is None
    assert found["wrong sign"].node is None
    assert found["swapped factors"].wrong == 3.0  # the derivative in b is a = 2, and not b


def test_a_short_and_a_long_way() -> None:
    J = ag.expression("p = a*b; q = p*c; J = p + q", a=2, b=4, c=3)
    found = by_name(J)
    early = found["as they come"]
    assert early.node is not None
    assert (early.node.label, early.right, early.wrong) == ("b", 8.0, 2.0)
    assert {node.label: x for node, x in early.derivatives.items()}[
        "p"
    ] == 4.0  # right in the end, and passed on too early


def test_signs_and_clearing() -> None:
    J = ag.expression("d = a - b; J = d*d", a=5, b=2)
    found = by_name(J)
    sign, twice = found["wrong sign"], found["not cleared"]
    assert sign.node is not None
    assert (sign.node.label, sign.right, sign.wrong) == ("b", -6.0, 6.0)
    assert twice.node is not None
    assert (twice.node.label, twice.right, twice.wrong) == ("d", 6.0, 12.0)
    assert twice.derivatives[J.parents[0].parents[0]] == 6.0 + 12.0


@given(dag=dags())
@settings(max_examples=examples(60))
def test_what_is_said_to_be_wrong_is(dag: Dag) -> None:
    J = dag(dag.values())
    order = ag.topological_order(J)
    right = derivatives_of(J, order)
    before = [node.grad for node in order]
    for mistake in ag.mistakes(J):
        differ = [
            x for x in reversed(order) if not math.isclose(right[x], mistake.derivatives.get(x, 0.0), rel_tol=1e-9)
        ]
        assert mistake.node is (differ[0] if differ else None) or not differ or abs(right[differ[0]]) < 1e-200
        users = {parent: 0 for node in order for parent in node.parents}
        for node in order:
            for parent in node.parents:
                users[parent] += 1
        if max(users.values(), default=0) <= 1 and mistake.name in ("overwrite", "as they come"):
            assert mistake.node is None  # on a tree these do no harm
    assert [node.grad for node in order] == before


def test_the_table() -> None:
    J = ag.expression("p = a*b; J = p + a", a=2, b=3)
    lines = str(ag.mistakes(J)).splitlines()
    assert len(lines) == 1 + len(MISTAKES)
    assert lines[1].split()[:6] == ["overwrite", "dJ/da", "4", "3", "1", "Assign"]
    with pytest.raises(TypeError, match="mistakes: give a Value, not 3"):
        ag.mistakes(3)  # type: ignore[arg-type]  # as a user might
    J.parents[0].parents[0].data = 7.0
    with pytest.raises(ag.StaleGraphError):
        ag.mistakes(J)


def test_a_deep_graph() -> None:
    y = x = Value(1.0, "x")
    for _ in range(30_000):
        y = y * 1.0
    assert {mistake.name for mistake in ag.mistakes(y) if mistake.node is not None} == {"not cleared"}
    assert x.grad == 0.0
