"""The training loop, its data sets and its plots."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd_mini as ag
from autograd_mini import Value, nn
from autograd_mini.nn.plots import LIGHT

DATASETS = [nn.datasets.moons, nn.datasets.circles, nn.datasets.xor, nn.datasets.spirals, nn.datasets.blobs]


def test_gradient_descent_is_the_texts() -> None:
    """With full batches and SGD, w <- w - lr dw with the text's vectorized gradients, step for step."""
    X, y = nn.datasets.blobs(12, rng=0)
    net = nn.two_layer_net(2, 3, rng=0)
    twin = nn.two_layer_net(2, 3, rng=0)
    nn.fit(net, X, y, optimizer=nn.SGD(net, lr=0.7), epochs=5, progress=False)
    for _ in range(5):
        table = nn.recover_formulas(twin, X, y)
        for l, layer in enumerate(twin.layers, 1):
            for neuron, dw, db in zip(layer.neurons, table[f"dW{l}"].expected, table[f"db{l}"].expected, strict=True):
                neuron.b.data -= 0.7 * db[0]
                for w, d in zip(neuron.w, dw, strict=True):
                    w.data -= 0.7 * d
    assert [p.data for p in net.parameters()] == pytest.approx([p.data for p in twin.parameters()], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("dataset", [*DATASETS, nn.datasets.flower])
def test_data_sets(dataset: Any) -> None:
    X, y = dataset(41, rng=3)
    assert dataset(41, rng=3) == (X, y) != dataset(41, rng=4)
    assert len(X) == len(y) == 41
    assert sorted(map(y.count, set(y))) == [20, 21]
    assert all(len(x) == 2 and all(map(math.isfinite, x)) for x in X)
    with pytest.raises(ValueError, match="n must be 2 or more, a point for each class, not 1"):
        dataset(1)
    with pytest.raises(ValueError, match="the noise must not be negative"):
        dataset(10, noise=-1.0)
    with pytest.raises(ValueError, match="blobs: classes must be 2 or more, not 1"):
        nn.datasets.blobs(10, classes=1)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_net_learns(dataset: Any) -> None:
    X, y = dataset(60, rng=0)
    net = nn.MLP(2, [8, 1], "tanh", "sigmoid", rng=0)
    nn.fit(net, X, y, optimizer=nn.Adam(net, lr=0.05), epochs=100, batch_size=20, rng=0, progress=False)
    assert nn.accuracy(net, X, y) > 0.85


def test_other_losses_and_lbfgs() -> None:
    X, y = nn.datasets.blobs(30, rng=0, classes=3)
    net = nn.MLP(2, [4, 3], "tanh", rng=0)
    history = nn.fit(net, X, y, loss="cross_entropy", optimizer=nn.LBFGS(net), epochs=3, progress=False)
    assert nn.accuracy(net, X, y) > 0.95
    assert history["cost"] == sorted(history["cost"], reverse=True)
    X, y = nn.datasets.moons(30, rng=0)
    net = nn.MLP(2, [8, 1], "relu", rng=0)
    signs = [2 * k - 1 for k in y]
    nn.fit(net, np.array(X), np.array(signs), loss="hinge", optimizer=nn.SGD(net, 0.1, momentum=0.9), progress=False)
    assert nn.accuracy(net, X, signs, threshold=0) > 0.85


def test_history_is_plain_and_reproducible() -> None:
    X, y = nn.datasets.moons(30, rng=0)

    def run() -> nn.History:
        net = nn.MLP(2, [3, 1], "tanh", "sigmoid", rng=0)
        adam = nn.Adam(net, lr=nn.exponential(0.1, 0.9))
        return nn.fit(net, X, y, optimizer=adam, epochs=4, batch_size=8, rng=5, progress=False)

    history = run()
    assert history == run()
    assert json.loads(json.dumps(history)) == history
    assert (len(history["cost"]), history["stopped"]) == (4, "epochs")
    assert history["lr"] == pytest.approx([0.1 * 0.9 ** (4 * e - 1) for e in range(1, 5)])  # of each epoch's last step


def test_early_stop_and_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = nn.datasets.moons(20, rng=0)
    net = nn.MLP(2, [3, 1], "tanh", "sigmoid", rng=0)
    history = nn.fit(net, X, y, stop=lambda h: len(h["cost"]) == 7)
    assert (len(history["cost"]), history["stopped"]) == (7, "stop")
    assert "cost=" in capsys.readouterr().err

    def interrupt(history: nn.History) -> bool:
        if len(history["cost"]) == 3:
            raise KeyboardInterrupt
        return False

    before = net.state_dict()
    history = nn.fit(net, X, y, stop=interrupt, progress=False)
    assert (len(history["cost"]), history["stopped"]) == (3, "interrupted")
    assert net.state_dict() != before
    assert capsys.readouterr().err == ""


def test_a_nan_stops_training_and_is_blamed() -> None:
    w = Value(1.0, "w")
    calls = []

    def net(x: Any) -> Any:
        calls.append(x)
        return w * x[0] * (math.inf if len(calls) > 4 else 1.0)

    optimizer = nn.SGD([w], lr=0.1)
    with pytest.raises(nn.TrainingError, match=r"fit: epoch 2, step 1: the cost is inf.*as before this step\. .*inf"):
        nn.fit(net, [[0.0], [1.0]], [0.0, 1.0], loss="mean_squared_error", optimizer=optimizer, progress=False)
    assert math.isfinite(w.data)
    assert optimizer.taken == 1


def test_a_bad_slope_stops_training_and_is_blamed() -> None:
    w = Value(0.0, "w")
    with pytest.raises(nn.TrainingError, match=r"the gradient of w = 0 is -inf.*sqrt"):
        nn.fit(lambda x: w.sqrt(), [[1.0]], [1.0], loss="mean_squared_error", optimizer=nn.SGD([w]), progress=False)
    assert w.data == 0.0


def test_a_log_of_zero_stops_training() -> None:
    net = nn.two_layer_net(1, 1, init=lambda n_in, n_out, rng: 800.0)
    before = net.state_dict()
    with pytest.raises(nn.TrainingError, match=r"epoch 1, step 1: .*the loss is infinite"):
        nn.fit(net, [[1.0]], [0], loss="log_loss", progress=False)
    assert net.state_dict() == before
    nn.fit(net, [[1.0]], [0], progress=False, epochs=2)  # from the logit there is nothing to fear


def test_bad_data_changes_nothing() -> None:
    net = nn.MLP(2, [3, 1], "tanh", "sigmoid", rng=0)
    before = net.state_dict()
    X, y = nn.datasets.moons(20, rng=0)
    bad: list[tuple[Any, Any, dict[str, Any], str]] = [
        (X, [*y[:-1], 3], {"batch_size": 5}, "y, row 19: binary_cross_entropy: a target must be from 0 to 1, not 3"),
        (X, [*y[:-1], 3], {}, "y, row 19: binary_cross_entropy: a target must be from 0 to 1, not 3"),
        (X, [[v, v] for v in y], {}, "y, row 0: binary_cross_entropy: 1 output, but 2 targets"),
        (X, y[:-1], {}, "19 targets for 20 examples; an example is a row of X"),
        ([x[0] for x in X], y, {}, "expected a row of inputs for each example"),
        (X, y, {"epochs": 2.5}, "epochs must be a whole number from 0 on, not 2.5"),
        (X, y, {"optimizer": nn.SGD(nn.Neuron(2))}, "the optimizer holds no parameter of this net"),
        ([*X[:-1], [1.0]], y, {}, "row 19 has 1 input, but row 0 has 2"),
        ([*X, [1.0, math.nan]], [*y, 0], {"batch_size": 5}, "nan"),
        (X, y, {"batch_size": 0}, "batch_size must be a whole number from 1 on, not 0"),
        (X, y, {"loss": "huber"}, "there is no 'huber'"),
        ([[*x, 1.0] for x in X], y, {}, "layer 1: expected 2 inputs, 3 given"),
    ]
    for data, targets, how, message in bad:
        with pytest.raises(ValueError, match=message):
            nn.fit(net, data, targets, progress=False, **how)
        assert net.state_dict() == before
    wrong: list[tuple[Any, Any, dict[str, Any], str]] = [
        (X, y, {"optimizer": "adam"}, "optimizer must be an object such as .*, not 'adam'"),
        (X, y, {"stop": 0.1}, "stop must be a function of the history, not 0.1"),
        (None, y, {}, "X: expected a list or an array, .*, not None"),
        (X, ["red"] * 20, {}, "y, row 0: cannot use 'red'"),
    ]
    for data, targets, how, message in wrong:
        with pytest.raises(TypeError, match=message):
            nn.fit(net, data, targets, progress=False, **how)
    with pytest.raises(TypeError, match="give a module, or an optimizer"):
        nn.fit(lambda x: x[0], X, y)
    with pytest.raises(RuntimeError, match="there is no gradient inside no_grad"), ag.no_grad():
        nn.fit(net, X, y)
    assert net.state_dict() == before


def test_plots(tmp_path: Path) -> None:
    from matplotlib.colors import to_hex
    from matplotlib.figure import Figure

    X, y = nn.datasets.moons(30, rng=0)
    net = nn.MLP(2, [3, 1], "tanh", "sigmoid", rng=0)
    history = nn.fit(net, X, y, epochs=3, progress=False)
    ax = nn.plot_history(history, Figure().subplots())
    assert ax.lines[0].get_ydata() == pytest.approx(history["cost"])
    ax = nn.plot_decision_boundary(net, X, y, Figure().subplots(), points=20)
    clouds: list[Any] = [c.get_offsets() for c in ax.collections]
    assert [len(points) for points in clouds[-2:]] == [15, 15]
    colours = [to_hex(np.asarray(c.get_facecolor())[0]) for c in ax.collections[-2:]]
    assert colours == [LIGHT.negative, LIGHT.positive]  # class 1 is blue as in the page and on the wires
    plane = ax.collections[0].get_cmap()
    assert [to_hex(plane(0.0)), to_hex(plane(1.0))] == colours
    axes = nn.plot_weights(net, Figure().subplots(1, 2))
    shown = axes[0].images[0].get_array()
    assert shown.tolist() == [[*(w.data for w in n.w), n.b.data] for n in net.layers[0].neurons]
    many = nn.MLP(2, [4, 3], "tanh", rng=0)
    nn.plot_decision_boundary(many, *nn.datasets.blobs(30, rng=0, classes=3), Figure().subplots(), points=20)
    with pytest.raises(ValueError, match="expected points of 2 coordinates, not 1"):
        nn.plot_decision_boundary(net, [[1.0]], [1])
    with pytest.raises(ValueError, match="no epoch"):
        nn.plot_history({"cost": []})
    with pytest.raises(TypeError, match="a net of layers"):
        nn.plot_weights(nn.Neuron(2))  # type: ignore[arg-type]


OPTIMIZERS: dict[str, Callable[[Any], nn.Optimizer]] = {
    "SGD": lambda net: nn.SGD(net, lr=0.1),
    "momentum": lambda net: nn.SGD(net, lr=nn.exponential(0.05, 0.99), momentum=0.9, weight_decay=0.01),
    "Nesterov": lambda net: nn.SGD(net, lr=0.05, momentum=0.9, nesterov=True),
    "RMSProp": lambda net: nn.RMSProp(net, weight_decay=0.01),
    "Adam": lambda net: nn.Adam(net, lr=0.02, weight_decay=0.01),
    "AdamW": lambda net: nn.AdamW(net, lr=0.02),
    "some of the parameters": lambda net: nn.Adam(net.parameters()[3:], lr=0.02),
}


def trained(name: str, compiled: bool, **options: Any) -> tuple[nn.MLP, nn.Optimizer, Any]:
    """Train a small net, and return it with its optimizer and history."""
    X, y = nn.datasets.moons(30, rng=1)
    net = nn.MLP(2, [5, 1], "tanh", "sigmoid", rng=3)
    optimizer = OPTIMIZERS[name](net)
    options = {"epochs": 4, "batch_size": 8, "rng": 0, "progress": False} | options
    history = nn.fit(net, X, [(t + 1) / 2 for t in y], optimizer=optimizer, compiled=compiled, **options)
    return net, optimizer, history


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_compiled_training_is_the_same(name: str) -> None:
    (net, optimizer, history), (other, its, expected) = trained(name, compiled=True), trained(name, compiled=False)
    assert history["cost"] == pytest.approx(expected["cost"], rel=1e-10)
    assert history["lr"] == expected["lr"]
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        assert p.data == pytest.approx(q.data, rel=1e-9, abs=1e-12)
    for p, q in zip(optimizer.parameters, its.parameters, strict=True):
        assert p.grad == pytest.approx(q.grad, rel=1e-8, abs=1e-12)
    assert (optimizer.taken, optimizer.used) == (its.taken, its.used) == (16, expected["lr"][-1])
    assert [len(v) for v in optimizer.state()] == [len(v) for v in its.state()]
    for v, w in zip(optimizer.state(), its.state(), strict=True):
        assert v == pytest.approx(w, rel=1e-8, abs=1e-14)
    optimizer.step()  # goes on from where it was left, with the numbers of Python
    assert all(type(p.data) is float for p in net.parameters())


def test_compiled_training_takes_the_data_that_training_takes() -> None:
    """Lists, arrays of any kind, arrays of lists, and objects with a dtype that are no arrays of numbers."""
    rows, y = [[0, 1], [1, 0], [1, 1], [0, 0]], [1, 1, 0, 0]
    of_lists = np.empty(4, dtype=object)
    of_lists[:] = rows
    costs = []
    for X in (rows, np.array(rows), np.array(rows, dtype=np.float32), np.array(rows, dtype=object), of_lists):
        for compiled in (False, True):
            net = nn.MLP(2, [2, 1], output="sigmoid", rng=0)
            costs.append(nn.fit(net, X, y, epochs=3, progress=False, compiled=compiled)["cost"])
    for cost in costs:
        assert cost == pytest.approx(costs[0], rel=1e-10)


def test_whoever_looks_at_parameters_in_training_sees_them() -> None:
    seen: list[list[float]] = []
    nets: list[nn.MLP] = []

    class Net(nn.MLP):
        def __init__(self) -> None:
            super().__init__(2, [5, 1], "tanh", "sigmoid", rng=3)
            nets.append(self)

    def look(history: Any) -> bool:
        seen.append([p.data for p in nets[-1].parameters()])
        nets[-1].parameters()[0].data += 0.25  # and may move them
        return False

    X, y = nn.datasets.moons(20, rng=1)
    for compiled in (True, False):
        net = Net()
        options: dict[str, Any] = {"epochs": 3, "batch_size": 6, "rng": 0, "progress": False, "stop": look}
        nn.fit(net, X, [(t + 1) / 2 for t in y], optimizer=nn.Adam(net, lr=0.02), compiled=compiled, **options)
    for one, other in zip(seen[:3], seen[3:], strict=True):
        assert one == pytest.approx(other, rel=1e-9)
    assert seen[0] != seen[1]


def test_an_interrupt_keeps_the_whole_steps_of_compiled_training() -> None:
    steps = 0

    def rate(t: int) -> float:
        nonlocal steps
        steps = t
        if t == 6:
            raise KeyboardInterrupt
        return 0.1

    X, y = nn.datasets.moons(30, rng=1)
    found = []
    for compiled in (True, False):
        net = nn.MLP(2, [3, 1], "tanh", "sigmoid", rng=3)
        optimizer = nn.SGD(net, lr=rate, momentum=0.5)
        options: dict[str, Any] = {"epochs": 4, "batch_size": 8, "rng": 0, "progress": False}
        history = nn.fit(net, X, [(t + 1) / 2 for t in y], optimizer=optimizer, compiled=compiled, **options)
        assert history["stopped"] == "interrupted"
        assert len(history["cost"]) == len(history["lr"]) == 1
        assert optimizer.taken == 6
        found.append([p.data for p in net.parameters()])
    assert found[0] == pytest.approx(found[1], rel=1e-10)


@pytest.mark.parametrize("compiled", [True, False])
def test_parameters_are_as_before_the_step_that_failed(compiled: bool) -> None:
    w = Value(3.0, "w")
    before = []

    def net(x: Any) -> Any:
        return w * x[0]

    optimizer = nn.SGD([w], lr=lambda t: 0.1 if t < 3 else 1e308)
    with pytest.raises(nn.TrainingError, match="epoch 4, step 1: SGD: the next value of w"):
        nn.fit(
            net, [[1.0]], [0.5], loss="mean_squared_error", optimizer=optimizer, epochs=9, progress=False,
            stop=lambda _: before.append(w.data), compiled=compiled,
        )  # fmt: skip
    assert w.data == before[-1] != 3.0
    assert (optimizer.taken, len(before)) == (3, 3)


def test_what_a_loss_closes_over_may_move_between_epochs() -> None:
    weight, costs = Value(1.0, "weight"), []

    def move(history: Any) -> None:
        costs.append(history["cost"][-1])
        weight.data *= 2.0

    for compiled in (True, False):
        w = Value(1.0, "w")
        weight.data = 1.0
        nn.fit(
            partial(_times, w), [[1.0], [2.0]], [0.5, 1.5], loss=lambda z, t: weight * (z - t) ** 2,
            optimizer=nn.SGD([w], lr=0.01), epochs=3, progress=False, stop=move, compiled=compiled,
        )  # fmt: skip
    assert costs[:3] == pytest.approx(costs[3:], rel=1e-12)


@pytest.mark.parametrize("compiled", [True, False])
def test_options_of_an_optimizer_may_change(compiled: bool) -> None:
    w = Value(3.0, "w")
    optimizer = nn.SGD([w], lr=0.1, momentum=0.9)
    for momentum in (0.9, 0.0, 0.5):
        optimizer.momentum = momentum
        nn.fit(
            partial(_times, w), [[1.0]], [0.0], loss="mean_squared_error", optimizer=optimizer, epochs=2,
            progress=False, compiled=compiled,
        )  # fmt: skip
    assert abs(w.data) < 3.0


def _times(w: Value, x: Any) -> Any:
    return w * x[0]


def test_a_net_that_begins_to_branch() -> None:
    """The program on arrays is for one way alone; then training goes on with Values."""
    gain, found = Value(1.0, "gain"), []

    def lower(history: Any) -> None:
        gain.data -= 0.2

    def net(w: Value, x: Any) -> Any:
        y = w * x[0] * gain
        return y if gain.data >= 0.7 or y > 0.5 else y * 0.5

    for compiled in (True, False):
        w = Value(1.0, "w")
        gain.data = 1.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ag.TraceWarning)  # of gain.data
            history = nn.fit(
                partial(net, w), [[1.0], [2.0]], [0.5, 1.5], loss="mean_squared_error",
                optimizer=nn.SGD([w], lr=0.01), epochs=6, progress=False, stop=lower, compiled=compiled,
            )  # fmt: skip
        found.append(history["cost"])
    assert found[0] == pytest.approx(found[1], rel=1e-12)
