"""Folds: that the chain rule holds on the folded graph, and what is folded."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, strategies as st
from strategies import Dag, dags

import autograd_mini as ag
from autograd_mini import Value, nn
from autograd_mini.edges import derivatives_of
from autograd_mini.folding import Box, boxes_of, unfold
from autograd_mini.walks import topological_order


def derivatives(boxes: list[Box]) -> dict[Value, float]:
    """Return the derivative of the last box's node in every box's, by the chain rule on the boxes."""
    found = {box.node: 0.0 for box in boxes}
    found[boxes[-1].node] = 1.0
    for box in reversed(boxes):
        for parent, weight in box.edges:
            found[parent] += found[box.node] * weight
    return found


@given(dags(), st.data())
def test_the_chain_rule_holds_on_folds(dag: Dag, data: st.DataObject) -> None:
    output = dag(dag.values())
    order = ag.topological_order(output)
    names = st.sampled_from(["", "", "q", "a_1^[1]", "z_1^[1]", "a_2^[2](1)"])
    for node in order:
        node.label = data.draw(names)
    folded = boxes_of(order, output, True)
    whole = derivatives_of(output, order)
    for node, derivative in derivatives(folded).items():
        assert derivative == pytest.approx(whole[node], rel=1e-9, abs=1e-9)
    shared = [x for box in boxes_of(order, output, False) if box.place and box.place.shared for x in box.members]
    assert sorted([id(x) for box in folded for x in box.members] + [id(x) for x in shared]) == sorted(map(id, order))


def test_a_net_is_folded_to_neurons() -> None:
    net = nn.two_layer_net(2, 3, rng=0)
    J = nn.cost(net, [[1.0, 2.0], [3.0, 4.0]], [0, 1])
    boxes = boxes_of(ag.topological_order(J), J, True)
    names = [box.node.label for box in boxes]
    assert sorted(names) == sorted(
        [f"x_{k}({i})" for k in (1, 2) for i in (1, 2)]
        + [f"a_{j}^[1]({i})" for j in (1, 2, 3) for i in (1, 2)]
        + [f"a^[2]({i})" for i in (1, 2)]
        + ["L(1)", "L(2)", "J"]
    )
    neuron = next(box for box in boxes if box.node.label == "a_2^[1](1)")
    a = neuron.node.data
    expected = [a * (1 - a) * w.data for w in net.layers[0].W[1]]
    assert [parent.label for parent, _ in neuron.edges] == ["x_1(1)", "x_2(1)"]
    assert [weight for _, weight in neuron.edges] == pytest.approx(expected)


def test_one_example_takes_the_parameters_in() -> None:
    J = nn.cost(nn.two_layer_net(2, 2, rng=0), [[1.0, 2.0]], [1])
    order = ag.topological_order(J)
    members = {x.label for box in boxes_of(order, J, True) for x in box.members if box.place}
    assert {"W_{11}^[1]", "b_2^[1]", "z_1^[1]", "W_{12}^[2]", "b^[2]"} <= members


def test_unfolding_shows_products_and_sums() -> None:
    net = nn.two_layer_net(2, 3, rng=0)
    J = nn.cost(net, [[1.0, 2.0], [3.0, 4.0]], [0, 1])
    J.backward()
    whole = unfold(J)
    before = {p.label: p.grad for p in net.parameters()}
    assert (whole.data, whole.grad) == (J.data, 1.0)
    nodes = {node.label: node for node in ag.topological_order(J)}
    for node in ag.topological_order(whole):
        assert node.op is None or node.op.composed is None
        if node.label:
            assert (node.data, node.grad) == (nodes[node.label].data, nodes[node.label].grad)
    net.zero_grad()
    whole.backward()
    assert {p.label: p.grad for p in net.parameters()} == pytest.approx(before, rel=1e-12)
    assert "×" in ag.draw(J, fold=False, formulas=False).source
    assert "Σ×" in ag.draw(J, max_nodes=None, formulas=False).source


def test_what_is_used_twice_stays() -> None:
    x = Value(2.0, "x")
    t = x * x  # has no label, but two users of different boxes
    p, q = t + 1, t * 3
    p.label, q.label = "p", "q"
    y = p * q
    boxes = boxes_of(ag.topological_order(y), y, True)
    assert [box.node for box in boxes] == [x, t, p, q, y]


def test_a_long_fold_takes_no_longer_than_its_nodes() -> None:
    y = x = Value(1.0, "x")
    for _ in range(50_000):
        y = y + x
    (box, *rest) = boxes_of(ag.topological_order(y), y, True)[::-1]
    assert len(box.members) == 50_000
    assert [other.node for other in rest] == [x]
    assert box.edges == ((x, 50_001.0),)


def test_neurons_stand_in_order() -> None:
    net = nn.MLP(2, [11, 3], "tanh", rng=0)
    J = nn.cost(net, [[1.0, 2.0]], [2], "cross_entropy")
    picture = ag.draw(J, fold=True).picture
    name = {box.id: box.name for box in picture.boxes}
    assert [[name[x] for x in names] for _, names in picture.columns] == [
        ["x_1", "x_2"],
        [f"a_{j if j < 10 else f'{{{j}}}'}^[1]" for j in range(1, 12)],
        ["a_1^[2]", "a_2^[2]", "a_3^[2]"],
        ["J"],
    ]
    assert [title for title, _ in picture.columns] == ["data", "layer 1: a = tanh(z)", "layer 2", ""]
    source = ag.draw(J, fold=True, rankdir="TB").source  # Graphviz keeps a row in order by arrows that are not seen
    chains = re.findall(r"\t(n\d+) -> (n\d+)\n", source)
    neuron = {box.id: int(box.name[2:].split("^")[0].strip("{}")) for box in picture.boxes if box.frame}
    assert len(chains) == 10 + 2
    assert all(neuron[b] == neuron[a] + 1 for a, b in chains)


def test_wires_are_the_weights() -> None:
    net = nn.two_layer_net(2, 3, rng=1)
    J = nn.cost(net, [[0.5, 1.0]], [1])
    J.backward()
    parameters = {x.label: x for x in net.parameters()}
    numbers_of: dict[Any, dict[str, float]] = {
        "weights": {k: x.data for k, x in parameters.items()},
        "gradients": {k: x.grad for k, x in parameters.items()},
    }
    for what, numbers in numbers_of.items():
        arrows = ag.draw(J, fold=True, wires=what).picture.arrows
        wires = [arrow.weight or 0.0 for arrow in arrows if arrow.role == "wire"]
        assert sorted(wires) == sorted(x for k, x in numbers.items() if k.startswith("W"))
    through = ag.draw(J, fold=True, wires="derivatives").picture
    boxes = {box.id: box for box in through.boxes}
    for arrow in through.arrows:  # the chain rule holds on the folded picture
        if boxes[arrow.target].name == "J":
            assert boxes[arrow.source].gradient == pytest.approx(arrow.derivative)
    notes = [line.runs[-1].text for box in through.boxes for line in box.lines if line.role == "note"]
    assert notes == ["0", "0", "0", "0"]  # the biases


def test_one_example_of_several_is_drawn() -> None:
    net = nn.two_layer_net(2, 2, rng=0)
    J = nn.cost(net, [[0.0, float(k)] for k in range(12)], [k % 2 for k in range(12)])
    for example, other in ((None, 12), (1, 12), (7, 1), (12, 1)):
        picture = ag.draw(J, fold=True, example=example).picture
        assert picture.note == f"example {example or 1} of 12 is drawn; example={other} draws another"
        assert [box.name for box in picture.boxes if box.name.startswith("x")] == [
            f"x_1({example or 1})",
            f"x_2({example or 1})",
        ]
        assert len(picture.boxes) == 7
    with pytest.raises(ValueError, match="there is no example 13; there are 1 to 12"):
        ag.draw(J, fold=True, example=13)
    with pytest.raises(ValueError, match="example=2 is for a folded net, drawn from left to right"):
        ag.draw(J, fold=False, example=2)


def test_pictures_of_nets() -> None:
    net = nn.two_layer_net(2, 2, rng=0)
    J = nn.cost(net, [[1.0, 2.0]], [1])
    J.backward()
    folded = ag.draw(J, fold=True)
    assert "layer 1: a = σ(z)" in folded.source
    assert "neuron 1" not in folded.source
    assert "W₁₁^[1] = " in folded.description
    assert "neuron 1" in ag.draw(J, fold=False).source
    many = nn.cost(net, [[1.0, 2.0]] * 9, [1] * 9)
    assert len(ag.topological_order(many)) > 100
    folded = ag.draw(many)  # a net of more than max_nodes nodes is folded, and the picture says so
    assert "neuron 1" not in folded.source
    assert "fold=False, draws them" in folded.source
    assert "example 1 of 9 is drawn" in folded.source
    assert ag.draw(many, rankdir="TB").svg().count('class="cluster"') == 2
    y = Value(1.0)
    for _ in range(150):
        y = y + 1.0
    assert "not drawn" in ag.draw(y).source  # what is no net is cut off instead


def test_a_part_that_passes_no_derivative_counts_in_no_fold() -> None:
    x = Value(0.0, "x")
    z = ag.stop_gradient(ag.sqrt(x)) + x  # sqrt'(0) is inf
    z.label = "z"
    assert boxes_of(topological_order(z), z, fold=True)[-1].edges == ((x, 1.0),)
