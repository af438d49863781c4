"""Nets: the text's formulas, names, symmetry, and what is refused."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from strategies import examples

import autograd_mini as ag
from autograd_mini import Value, nn
from autograd_mini.nn.cost import pairs_of
from autograd_mini.structure import flatten

SMOOTH = ["sigmoid", "tanh", "softplus", "gelu", "silu", "linear"]


NUMBERS = st.floats(-2, 2).map(lambda x: round(x, 6))  # products of which keep their digits


@st.composite
def problems(draw: st.DrawFn) -> tuple[nn.MLP, list[list[float]], list[Any]]:
    """Draw a two-layer net with weights that are not small, and data."""
    n_x, n_h, n_y, m = (draw(st.integers(1, n)) for n in (4, 5, 3, 5))
    net = nn.MLP(n_x, [n_h, n_y], draw(st.sampled_from(SMOOTH)), "sigmoid", rng=0)
    for parameter in net.parameters():
        parameter.data = draw(NUMBERS)
    X = [[draw(NUMBERS) for _ in range(n_x)] for _ in range(m)]
    y = [[draw(st.sampled_from([0.0, 1.0, 0.3])) for _ in range(n_y)] for _ in range(m)]
    return net, X, y


@given(problems())
@settings(max_examples=examples(60))
def test_the_formulas_of_the_text(problem: tuple[nn.MLP, list[list[float]], list[Any]]) -> None:
    """dz2 = a2 - y, dW2 = dz2 a1^T, ... for one example, and the vectorized ones for m."""
    net, X, y = problem
    outputs = flatten([net(x) for x in X])[0]
    assume(all(1e-3 < a.data < 1 - 1e-3 for a in outputs))  # 1 - a has as many digits less as a is near 1
    assert nn.recover_formulas(net, X, y).difference < 1e-12
    assert nn.recover_formulas(net, X[:1], y[:1]).difference < 1e-12


def test_the_formulas_by_hand() -> None:
    """One net, worked out with a pocket calculator's steps, apart from NumPy and from the engine."""
    net = nn.two_layer_net(1, 1)
    net.load_state_dict(
        {
            "layers.0.neurons.0.w": [0.5],
            "layers.0.neurons.0.b": 0.1,
            "layers.1.neurons.0.w": [-0.3],
            "layers.1.neurons.0.b": 0.2,
        }
    )
    x, y = 2.0, 1.0
    z1 = 0.5 * x + 0.1
    a1 = 1 / (1 + math.exp(-z1))
    a2 = 1 / (1 + math.exp(-(-0.3 * a1 + 0.2)))
    dz2 = a2 - y
    dz1 = -0.3 * dz2 * a1 * (1 - a1)
    table = nn.recover_formulas(net, [x], y)
    got = {row.name: (row.engine.item(), row.expected.item()) for row in table.rows}
    for name, number in {"dz2": dz2, "dW2": dz2 * a1, "db2": dz2, "dz1": dz1, "dW1": dz1 * x, "db1": dz1}.items():
        assert got[name] == pytest.approx((number, number), rel=1e-13)
    assert [row.formula for row in table.rows][:2] == ["a2 - y", "dz2 a1^T"]
    assert "W2^T dz2 * g'(z1)" in str(table)


def test_a_wrong_formula_would_show() -> None:
    net = nn.two_layer_net(2, 3, rng=0)
    table = nn.recover_formulas(net, [[1.0, 2.0], [0.5, -1.0]], [1, 1])
    assert table.difference < 1e-12
    row = table["dW1"]
    wrong = row.engine.copy()
    wrong[2, 1] *= 1 + 1e-9
    changed = replace(row, engine=wrong)
    assert changed.difference > 1e-11
    assert replace(table, rows=(*table.rows, changed)).difference == changed.difference
    with pytest.raises(KeyError, match="'dz2': there are dZ2, dW2"):
        table["dz2"]


def test_every_node_has_its_name() -> None:
    net = nn.two_layer_net(2, 2, rng=0)
    J = nn.cost(net, [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0, 1, 1])
    labels = {node.label for node in ag.topological_order(J)}
    for label in ["z_1^[1](3)", "a_2^[1](1)", "z^[2](2)", "a^[2](3)", "L(3)", "J", "x_2(3)"]:
        assert label in labels
    assert [p.label for p in net.parameters()][:4] == ["W_{11}^[1]", "W_{12}^[1]", "b_1^[1]", "W_{21}^[1]"]
    assert net([1.0, 2.0]).label == "a^[2]"
    assert nn.MLP(11, [1]).parameters()[10].label == "W_{1,11}^[1]"
    assert {"b^[2]", "W_{12}^[2]"} <= labels


def test_micrograds_call_forms() -> None:
    assert isinstance(nn.MLP(3, [4, 4, 1])([1.0, -2.0, 3.0]), Value)
    assert len(nn.MLP(3, [4, 2])([1.0, -2.0, 3.0])) == 2
    assert isinstance(nn.Neuron(2)([Value(1.0), Value(2.0)]), Value)
    assert len(nn.Layer(2, 3)([1.0, 2.0])) == 3
    net = nn.MLP(3, [4, 4, 1], rng=0)
    assert len(net.parameters()) == 41
    loss = sum(((net(x) - y) ** 2 for x, y in [([1, 2, 3], 1), ([0, 0, 1], -1)]), Value(0))
    loss.backward()
    assert any(p.grad for p in net.parameters())
    net.zero_grad()
    assert not any(p.grad for p in net.parameters())


@pytest.mark.parametrize("name", [n for n, op in ag.OPS.items() if len(op.rules) - len(op.defaults) == 1])
def test_every_row_of_one_operand_is_an_activation(name: str) -> None:
    neuron = nn.Neuron(1, name, init=lambda n_in, n_out, rng: 1.0)
    x = 1.5 if name == "acosh" else 0.6
    assert neuron([x]).data == ag.OPS[name](x)
    function = nn.Neuron(1, lambda z: z * z * z, init=lambda n_in, n_out, rng: 1.0)
    assert function([2.0]).data == 8.0


def test_initializers() -> None:
    def weights(init: Any, rng: Any = 0) -> list[float]:
        return [w.data for row in nn.Layer(50, 40, init=init, rng=rng).W for w in row]

    def deviation(xs: list[float]) -> float:
        return math.sqrt(sum(x * x for x in xs) / len(xs))

    assert set(weights("zeros")) == {0.0}
    assert deviation(weights("normal")) == pytest.approx(0.01, rel=0.1)
    assert deviation(weights("he")) == pytest.approx(math.sqrt(2 / 50), rel=0.1)
    assert deviation(weights("xavier")) == pytest.approx(math.sqrt(2 / 90), rel=0.1)
    assert max(map(abs, weights("xavier"))) <= math.sqrt(6 / 90)
    assert 0.9 < max(map(abs, weights("uniform"))) <= 1.0
    assert weights("he", random.Random(7)) == weights("he", 7) != weights("he", 8)
    assert weights("he", np.random.default_rng(7)) == weights("he", np.random.default_rng(7))
    # The same on every machine and Python: written down once.
    assert weights("normal", 0)[:2] == pytest.approx([0.009417154046806644, -0.013965781047011498], rel=1e-14)
    assert all(b.data == 0.0 for b in nn.Layer(3, 4).b)


@pytest.mark.parametrize("optimizer", [nn.SGD, nn.Adam])
def test_zeros_stay_equal_for_ever(optimizer: Any) -> None:
    """The text's symmetry problem: rows of dW^[1] are equal, bit for bit, after any number of steps."""
    X, y = nn.datasets.flower(30, rng=0)
    net = nn.two_layer_net(2, 4, init="zeros")
    moved = optimizer(net, lr=0.5)
    for _ in range(25):
        moved.step(lambda: nn.cost(net, X, y))
        first = net.layers[0]
        gradients = [[w.grad for w in row] for row in first.W]
        assert all(row == gradients[0] for row in gradients)
        assert nn.symmetries(net).groups == ((1, (1, 2, 3, 4)),)
    assert any(p.data for p in net.layers[1].parameters())  # it did learn something


def test_small_random_weights_do_not() -> None:
    X, y = nn.datasets.flower(30, rng=0)
    net = nn.two_layer_net(2, 4, rng=0)
    nn.fit(net, X, y, optimizer=nn.SGD(net, lr=0.5), epochs=25, progress=False)
    assert not nn.symmetries(net)
    rows = [tuple(w.grad for w in row) for row in net.layers[0].W]
    assert len(set(rows)) == 4


def test_symmetry_needs_equal_weights_going_out_too() -> None:
    net = nn.two_layer_net(2, 3, init="zeros")
    net.layers[1].W[0][1].data = 1.0
    assert nn.symmetries(net).groups == ((1, (1, 3)),)
    net.layers[0].b[0].data = 0.5
    assert not nn.symmetries(net)
    deep = nn.MLP(2, [2, 3, 2], "tanh", init="zeros")
    assert deep.layers[2].n_out == 2  # the outputs have targets of their own
    assert nn.symmetries(deep).groups == ((1, (1, 2)), (2, (1, 2, 3)))


def test_state_and_files(tmp_path: Path) -> None:
    net = nn.MLP(2, [3, 1], "tanh", rng=0)
    net.layers[0].b[0].data = 0.1 + 0.2
    path = net.save(tmp_path / "net.json")
    other = nn.MLP(2, [3, 1], "tanh", rng=1)
    other.load(path)
    assert other.state_dict() == net.state_dict()
    assert json.loads(path.read_text())["version"] == 1
    assert "layers.0.neurons.0.w" in path.read_text()
    assert [p.data for p in pickle.loads(pickle.dumps(net)).parameters()] == [p.data for p in net.parameters()]
    again = copy.deepcopy(net)
    again.parameters()[0].data = 9.0
    assert net.parameters()[0].data != 9.0
    assert list(tmp_path.iterdir()) == [path]
    other.load_state_dict({k: np.array(v) for k, v in net.state_dict().items()})
    assert other.state_dict() == net.state_dict()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a complete JSON file"),
        ('{"format": "autograd_mini.nn", "ver', "not a complete JSON file"),
        ("[1, 2]", "not from net.save"),
        ('{"format": "other"}', "not from net.save"),
        (
            '{"format": "autograd_mini.nn", "version": 2}',
            "version 2 of the format, and this package reads only version 1",
        ),
        (
            '{"format": "autograd_mini.nn", "version": 1, "net": "MLP(1, [1])"}',
            r"this was saved from MLP\(1, \[1\]\), but this net is MLP\(2, \[2, 1\], 'relu'\)",
        ),
    ],
)
def test_a_bad_file_changes_nothing(content: str, message: str, tmp_path: Path) -> None:
    net = nn.MLP(2, [2, 1], rng=0)
    before = net.state_dict()
    (tmp_path / "net.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        net.load(tmp_path / "net.json")
    assert net.state_dict() == before
    with pytest.raises(FileNotFoundError):
        net.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers.0.neurons.1.w": [1.0]}, r"layers\.0\.neurons\.1\.w: expected 2 entries, but the state has 1 entry"),
        ({"layers.1.neurons.0.w": 3.0}, r"expected 2 entries, but the state has 3\.0"),
        ({"layers.1.neurons.0.b": [3.0]}, "expected a number, but the state has 1 entry"),
        ({"layers.1.neurons.0.b": "3"}, "cannot use '3'|expected a number, but the state has '3'"),
        ({"layers.1.neurons.0.b": None}, "cannot use None"),
        ({"layers.9.w": 1.0}, r"the state has layers\.9\.w, but this net does not"),
    ],
)
def test_a_state_of_another_shape_changes_nothing(change: dict[str, Any], message: str) -> None:
    net = nn.MLP(2, [2, 1], rng=0)
    before = net.state_dict()
    with pytest.raises(ValueError, match=message):
        net.load_state_dict({**{k: _plus_one(v) for k, v in before.items()}, **change})
    assert net.state_dict() == before


def _plus_one(x: Any) -> Any:
    return [v + 1 for v in x] if isinstance(x, list) else x + 1


def test_modules_of_your_own() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            self.shared = nn.Neuron(2, "tanh", rng=0)
            self.parts = {"a": [self.shared, Value(1.0)], "b": Value(2.0) * 3}
            self.matrix = [[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]]
            self._cache = Value(7.0)

    module = Tied()
    names = [name for name, _ in module.named_parameters()]
    assert names == [
        *("shared.w.0", "shared.w.1", "shared.b", "parts.a.1"),
        *("matrix.0.0", "matrix.0.1", "matrix.1.0", "matrix.1.1"),
    ]
    assert len(module.parameters()) == 8
    assert module.state_dict()["matrix"] == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(NotImplementedError, match="Tied has no __call__ that computes its output"):
        module(1.0)


def test_modules_that_are_shared_or_refer_back() -> None:
    class Node(nn.Module):
        def __init__(self, **parts: Any) -> None:
            vars(self).update(parts)

    bottom = Node(w=Value(1.0), array=np.array([[Value(2.0)], [Value(3.0)]], dtype=object))
    top = Node(left=Node(part=bottom), right=Node(part=bottom))
    bottom.parent = top  # type: ignore[attr-defined]
    assert [name for name, _ in top.named_parameters()] == ["left.part.w", "left.part.array.0.0", "left.part.array.1.0"]
    assert top.state_dict() == {"left.part.w": 1.0, "left.part.array": [[2.0], [3.0]]}
    with pytest.raises(ValueError, match=r"two parameters have the path 'd\.1'; rename a key"):
        Node(d={1: Value(1.0), "1": Value(2.0)}).state_dict()
    assert repr(top) == "Node(3 parameters)"


def test_a_file_of_another_net_of_the_same_shape_is_refused(tmp_path: Path) -> None:
    nn.MLP(2, [3, 1], "tanh").save(tmp_path / "net.json")
    net = nn.MLP(2, [3, 1], "relu")
    with pytest.raises(ValueError, match=r"saved from MLP.*'tanh'.*but this net is MLP.*'relu'"):
        net.load(tmp_path / "net.json")
    net.load_state_dict(json.loads((tmp_path / "net.json").read_text())["parameters"])


def test_layers_are_numbered_through_nested_parts() -> None:
    net = nn.Sequential(
        nn.MLP(2, [3, 2], rng=0), ag.tanh, nn.Sequential(nn.Layer(2, 2), lambda a: a[:1], nn.Layer(1, 1))
    )
    labels = {p.label for p in net.parameters()}
    assert len(labels) == len(net.parameters())
    assert {"b_1^[1]", "b_2^[2]", "b_1^[3]", "b^[4]"} <= labels
    J = nn.cost(net, [[1.0, 2.0], [3.0, 4.0]], [1, 0], "mean_squared_error")
    assert {"a^[4](2)", "z_1^[1](1)"} <= {node.label for node in ag.topological_order(J)}


def test_numpys_whole_numbers() -> None:
    net = nn.MLP(np.int64(2), np.array([3, 1]), rng=np.int64(4))  # type: ignore[arg-type]
    assert net.state_dict() == nn.MLP(2, [3, 1], rng=4).state_dict()
    assert nn.Neuron(1)(2.0).label == "a"


def test_sequential() -> None:
    net = nn.Sequential(nn.Layer(2, 3, None, rng=0), ag.tanh, nn.Layer(3, 2, None, rng=1), ag.softmax)
    out = net([1.0, 2.0])
    assert sum(p.data for p in out) == pytest.approx(1.0)
    assert net.layers[2].b[0].label == "b_1^[2]"
    assert repr(net).startswith("Sequential(Layer(2, 3, 'linear'), tanh, Layer")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.MLP(2, [3, 1])([1.0]), ValueError, "layer 1: expected 2 inputs, 1 given"),
        (lambda: nn.MLP(2, [3, 1])(1.0), TypeError, "layer 1: expected a list of 2 inputs, not 1.0"),
        (lambda: nn.Neuron(2)([1.0]), ValueError, "Neuron: expected 2 inputs, 1 given"),
        (
            lambda: nn.MLP(2, [3, 1], "rellu"),
            ValueError,
            "'rellu' .did you mean 'relu'.*take sigmoid, tanh",
        ),
        (lambda: nn.MLP(2, [3, 1], "softmax"), ValueError, "take nn.cross_entropy as the loss, on logits"),
        (lambda: nn.MLP(2, [3, 1], "add"), ValueError, "there is no 'add'"),
        (lambda: nn.MLP(2, [3, 1], init="glorot"), ValueError, "there is no 'glorot'; take normal, zeros"),
        (lambda: nn.MLP(2, []), ValueError, "must list the number of neurons"),
        (lambda: nn.MLP(2, 3), ValueError, "must list the number of neurons of each layer"),  # type: ignore[arg-type]
        (lambda: nn.Layer(0, 3), ValueError, "n_in must be a whole number from 1 on, not 0"),
        (lambda: nn.Neuron(2, rng="x"), TypeError, "give a random.Random, a NumPy Generator or a seed"),  # type: ignore[arg-type]
        (
            lambda: nn.Sequential(nn.Layer(2, 3), nn.Layer(2, 1)),
            ValueError,
            "layer 2 takes 2 inputs, but layer 1 has 3 outputs",
        ),
        (lambda: nn.Sequential(3), TypeError, "give modules and functions"),
        (lambda: nn.cost(nn.MLP(2, [1]), [], []), ValueError, "X: there are no examples"),
        (lambda: nn.cost(nn.MLP(2, [1]), [[1, 2], [3]], [0, 1]), ValueError, "row 1 has 1 input, but row 0 has 2"),
        (lambda: nn.cost(nn.MLP(2, [1]), [[1, 2]], [0, 1]), ValueError, "2 targets for 1 example;"),
        (lambda: nn.cost(nn.MLP(2, [1]), [1, 2], [0, 1]), ValueError, "row 0 is 1"),
        (lambda: nn.cost(nn.MLP(2, [1]), [["a", 2]], [0]), TypeError, "X, row 0: cannot use 'a'"),
        (lambda: nn.symmetries(nn.Layer(2, 3)), TypeError, "give a net of layers"),  # type: ignore[arg-type]
        (lambda: nn.recover_formulas(nn.MLP(2, [3, 3, 1]), [[1, 2]], [1]), TypeError, "a net of two layers"),
    ],
)
def test_bad_input(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_predict_and_accuracy() -> None:
    net = nn.MLP(2, [3, 3], "tanh", rng=0)
    outputs = nn.predict(net, np.eye(2))
    assert [[round(a.data, 12) for a in net(row)] for row in np.eye(2)] == [[round(a, 12) for a in o] for o in outputs]
    classes = [o.index(max(o)) for o in outputs]
    assert nn.accuracy(net, np.eye(2), classes) == 1.0
    assert nn.accuracy(lambda x: x[0], [[-0.5], [0.1]], [-1, 1], threshold=0) == 1.0
    for net_, y, message in [
        (lambda x: x[0], [-1, 1], "row 0: -1 is not a class 0 or 1; for -1 and 1 give threshold=0"),
        (lambda x: x[0], [[0, 1], [1, 0]], "one output, but the target is"),
        (lambda x: [x[0], -x[0]], [0, 2], "row 1: 2 is not a class from 0 to 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            nn.accuracy(net_, [[-0.5], [0.1]], y)


def test_jupyter_shows_the_table() -> None:
    net = nn.two_layer_net(1, 2, rng=0)
    shown = nn.recover_formulas(net, [[1.0], [2.0]], [0, 1])._repr_html_()
    assert shown.startswith("<table><tr><th>gradient</th>")
    assert "<td>W2^T dZ2 * g&#x27;(Z1)</td>" in shown


def test_a_file_says_its_version_once(tmp_path: Path) -> None:
    net = nn.MLP(1, [1], rng=0)
    path = net.save(tmp_path / "net.json") or tmp_path / "net.json"
    text = path.read_text()
    for bad, message in (
        (text.replace('"version": 1', '"version": true'), "the file has version True"),
        (text.replace('"version": 1', '"version": 1.0'), "the file has version 1.0"),
        (text.replace('"version": 1', '"version": 1, "version": 1'), "the key 'version' is there twice"),
    ):
        assert bad != text
        path.write_text(bad)
        with pytest.raises(ValueError, match=message):
            net.load(path)
    path.write_text(text)
    net.load(path)


def test_data_in_arrays_is_read_as_in_lists() -> None:
    X, y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 1])
    for kind in (float, int, np.float32, np.uint8):
        assert pairs_of(X.astype(kind), y.astype(kind)) == pairs_of(X.tolist(), y.tolist())
    assert pairs_of(X, y[:, None]) == pairs_of(X.tolist(), y.tolist())
    assert pairs_of(X, X) == pairs_of(X.tolist(), X.tolist())
    assert {type(x) for row in pairs_of(X.astype(int), y)[0] for x in row} == {float}
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match=r"X, row 1: expected finite numbers"):
            pairs_of(np.where(X == 3.0, bad, X), y)
        with pytest.raises(ValueError, match=r"y, row 0: expected finite numbers"):
            pairs_of(X, np.where(y == 0, bad, 1.0))
    with pytest.raises(ValueError, match="there are no examples"):
        pairs_of(np.zeros((0, 2)), [])
    with pytest.raises(ValueError, match="expected a row of inputs for each example"):
        pairs_of(np.zeros(3), y)


def test_predictions_by_program() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.integers(0, 2, 40)
    w = Value(0.5, "w")
    nets: list[Any] = [
        nn.MLP(3, [4, 1], "tanh", "sigmoid", rng=0),
        nn.MLP(3, [4, 3], "relu", rng=0),
        lambda x: [w * x[0], (x[1], 2.0)],
        lambda x: w * x[0] if x[1] > 0 else x[2],
    ]
    for net in nets:
        plain, fast = nn.predict(net, X), nn.predict(net, X, compiled=True)
        assert flatten(fast)[1] == flatten(plain)[1]
        assert flatten(fast)[0] == pytest.approx(flatten(plain)[0], rel=1e-12)
    for net in nets[:2]:
        assert nn.accuracy(net, X, y, compiled=True) == nn.accuracy(net, X, y)
    nets[0].parameters()[0].data += 1.0
    assert nn.predict(nets[0], X, compiled=True) == pytest.approx(nn.predict(nets[0], X), rel=1e-12)
    assert nn.predict(nets[1], X[:1], compiled=True)[0] == pytest.approx(nn.predict(nets[1], X[:1])[0], rel=1e-12)
    with pytest.raises(ValueError, match="there are no examples"):
        nn.predict(nets[0], [], compiled=True)
