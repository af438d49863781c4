"""What newcomers type, and the answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd_mini as ag
from autograd_mini import Value, hints, nn

X, Y = nn.datasets.moons(10, rng=0)


def a_net() -> nn.MLP:
    return nn.MLP(2, [2, 1], output="sigmoid", rng=0)


def a_graph() -> tuple[Value, Value]:
    w = Value(2.0, "w")
    J = w * w
    J.label = "J"
    return w, J


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ln", ": use ag.log, the natural logarithm"),
        ("max", ": use ag.maximum(x, y), or ag.amax(xs), or Python's max(x, y, z)"),
        ("backward", ": call it on the output, J.backward()"),
        ("relu6", ": write ag.minimum(ag.relu(x), 6)"),
        ("pow2", ": write x**2"),
        ("pi", ": use math.pi"),
        ("arctan2", ": use ag.atan2"),
        ("jit", ": use ag.compile"),
        ("tensor", ': use ag.Value(3.0, "x")'),
        ("SGD", ": it is nn.SGD: from autograd_mini import nn"),
        ("grads", " (did you mean 'grad'?)"),
        ("tahn", " (did you mean 'tanh'?)"),
        ("ReLU", " (did you mean 'relu'?)"),
        ("nonsense", ""),
        ("__nonsense__", ""),
    ],
)
def test_names_of_the_package(name: str, hint: str) -> None:
    with pytest.raises(AttributeError) as raised:
        getattr(ag, name)
    assert str(raised.value) == f"module 'autograd_mini' has no attribute {name!r}{hint}"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Linear", ': use nn.Layer(n_in, n_out, "relu"), or with None for the sum alone'),
        ("Dense", ': use nn.Layer(n_in, n_out, "relu"), or with None for the sum alone'),
        (
            "ReLU",
            ': an activation is a name, nn.Layer(2, 3, "relu"), or a part of a net, nn.Sequential(layer, ag.relu)',
        ),
        (
            "Sigmoid",
            ': an activation is a name, nn.Layer(2, 3, "sigmoid"), or a part of a net, '
            "nn.Sequential(layer, ag.sigmoid)",
        ),
        ("MSELoss", ': use nn.mean_squared_error, or loss="mean_squared_error"'),
        ("CrossEntropyLoss", ': use nn.cross_entropy, or loss="cross_entropy"; it takes logits'),
        ("relu", ": it is ag.relu: import autograd_mini as ag"),
        ("Sgd", " (did you mean 'SGD'?)"),
        ("Conv2d", ""),
    ],
)
def test_names_of_nn(name: str, hint: str) -> None:
    with pytest.raises(AttributeError) as raised:
        getattr(nn, name)
    assert str(raised.value) == f"module 'autograd_mini.nn' has no attribute {name!r}{hint}"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("item", ": use v.data, the number"),
        (
            "_backward",
            ": a node has no function of its own; v.edges has its parents and local derivatives, and J.backward() "
            "runs the whole graph",
        ),
        ("zero_", ": write v.data = 0.0; v.zero_grad() clears derivatives"),
        ("requires_grad", ": every Value has a derivative; v.detach() or ag.stop_gradient(v) stops it"),
        ("name", ": use v.label"),
        ("children", ": use v.parents"),
        ("tanhh", " (did you mean 'tanh'?)"),
        ("nonsense", ""),
        ("_nonsense", ""),
        ("ndim", ""),
        ("__nonsense__", ""),
    ],
)
def test_names_of_a_value(name: str, hint: str) -> None:
    for _ in range(2):  # the second time from memory
        with pytest.raises(AttributeError) as raised:
            getattr(Value(2.0), name)
        assert str(raised.value) == f"'Value' object has no attribute {name!r}{hint}"
    assert not hasattr(Value(2.0), name)


def test_names_of_a_net() -> None:
    with pytest.raises(AttributeError, match=r"^'MLP' object has no attribute 'forward': call the net itself, net\(x"):
        _ = a_net().forward  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"'parametrs' \(did you mean 'parameters'\?\)$"):
        _ = a_net().parametrs  # type: ignore[attr-defined]


def test_python_adds_no_guess_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", "import autograd_mini as ag; ag.ln"], capture_output=True, check=False)
    assert done.stderr.decode().splitlines()[-1].endswith("'ln': use ag.log, the natural logarithm")


def test_hints_name_what_is_there_and_hide_nothing() -> None:
    here: list[tuple[dict[str, str], Any]] = [
        (dict(hints.PACKAGE), ag),
        (dict(hints.NN), nn),
        (dict(hints.VALUE), Value(1.0)),
        (dict(hints.NET), a_net()),
    ]
    for table, place in here:
        for name, hint in table.items():
            assert not hasattr(place, name), name
            assert name not in dir(place)
            assert "{" not in hint, hint
            for prefix, module in (("ag", ag), ("nn", nn)):
                for word in re.findall(rf"\b{prefix}\.(\w+)", hint):
                    assert hasattr(module, word), hint
            for word in re.findall(r"\b[vJ]\.(\w+)", hint):
                assert hasattr(Value(1.0), word), hint
    assert set(hints.LOSSES.values()) <= {*dir(nn)}
    assert {*hints.ACTIVATIONS.values()} - {"linear"} <= {*ag.OPS}


def test_hints_are_not_imported_before_they_are_needed() -> None:
    code = "import sys, autograd_mini as ag; dir(ag); print('autograd_mini.hints' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"


CALLS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: nn.fit(a_net(), X, Y, lr=0.5),  # type: ignore[call-arg]
        TypeError,
        "fit: there is no argument lr, which is 0.5 here: give optimizer=nn.SGD(net, lr=0.5)",
    ),
    (
        lambda: nn.fit(a_net(), X, Y, verbose=0),  # type: ignore[call-arg]
        TypeError,
        "fit: there is no argument verbose, which is 0 here: give progress=False for no bar, or progress=True",
    ),
    (
        lambda: nn.fit(a_net(), X, Y, epohcs=3),  # type: ignore[call-arg]
        TypeError,
        "fit: there is no argument epohcs (did you mean 'epochs'?)",
    ),
    (
        lambda: nn.fit(a_net(), X, Y, optimizer="sgd"),  # type: ignore[arg-type]
        TypeError,
        "fit: optimizer must be an object such as nn.SGD(net, lr=0.05), not 'sgd'",
    ),
    (
        lambda: nn.SGD(a_net(), learning_rate=0.5),  # type: ignore[call-arg]
        TypeError,
        "SGD: there is no argument learning_rate, which is 0.5 here: give lr=0.5",
    ),
    (
        lambda: ag.explore(a_net(), X, Y, lr=0.5),  # type: ignore[call-arg]
        TypeError,
        "explore: there is no argument lr, which is 0.5 here: give optimizer=nn.SGD(net, lr=0.5)",
    ),
    (
        lambda: ag.explore("J = a*b"),  # type: ignore[arg-type]
        TypeError,
        "explore: give a Value, not 'J = a*b' of type str; write ag.expression('J = a*b', a=..., b=...)",
    ),
    (
        lambda: ag.draw(a_net()),  # type: ignore[arg-type]
        TypeError,
        "draw: give a Value, not MLP(2, [2, 1], 'relu', output='sigmoid') of type MLP; for a net, give its cost, "
        "nn.cost(net, X, y), or its output, net(x)",
    ),
    (
        lambda: ag.draw(a_graph()[1], fold="yes"),  # type: ignore[arg-type]
        ValueError,
        "draw: fold must be one of None, True, False, not 'yes'",
    ),
    (
        lambda: ag.draw(a_graph()[1], format="svg"),  # type: ignore[call-arg]
        TypeError,
        "draw: there is no argument format, which is 'svg' here: write ag.draw(J).render('J.svg')",
    ),
    (
        lambda: ag.explain([1, 2]),  # type: ignore[arg-type]
        TypeError,
        "the output must be a Value, not [1, 2] of type list; give one Value of it, or ag.sum(...) of it",
    ),
    (
        lambda: ag.grad(3),  # type: ignore[call-overload]
        TypeError,
        "grad: give a function, as in ag.grad(lambda x: x**2, ...), not 3",
    ),
    (
        lambda: ag.hessian(a_graph()[1]),  # type: ignore[arg-type]
        TypeError,
        "hessian: give a function, as in ag.hessian(lambda x: x**2, ...), not Value(4.0, label='J', op='mul'); for "
        "an existing graph, write ag.gradient(J, x)",
    ),
    (lambda: a_graph()[0] ^ 2, TypeError, "w ^ 2: write w**2 for a power"),  # type: ignore[operator]
    (lambda: 2 ^ Value(3.0), TypeError, "2 ^ v: write 2**v for a power"),  # type: ignore[operator]
]


@pytest.mark.parametrize(("call", "error", "message"), CALLS)
def test_calls(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "f", [ag.value_and_grad, ag.jacobian, ag.derivative, ag.vjp, ag.jvp, ag.hvp, ag.linearize, ag.taylor, ag.trace]
)
def test_what_is_no_function(f: Any) -> None:
    more = {"jvp": (3.0, 1.0), "hvp": (3.0, 1.0), "taylor": (3.0, 2)}.get(f.__name__, ())
    with pytest.raises(TypeError, match=f"^{f.__name__}: give a function, as in ag.{f.__name__}"):
        f(3, *more)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("mse", "mean_squared_error"), ("bce", "binary_cross_entropy"), ("CrossEntropyLoss", "cross_entropy")],
)
def test_losses(given: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"^loss: there is no '{given}' \(did you mean '{meant}'\?\); take binary"):
        nn.fit(a_net(), X, Y, loss=given)


@pytest.mark.parametrize(("given", "meant"), [("ReLU", "relu"), ("swish", "silu"), ("LeakyReLU", "leaky_relu")])
def test_activations(given: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"^activation: there is no '{given}' \(did you mean '{meant}'\?\); take"):
        nn.Layer(2, 3, activation=given)


@pytest.mark.parametrize("rows", [[[1, 2], [3, 4]], np.array([[1, 2], [3, 4]])])
def test_rows_for_a_net(rows: Any) -> None:
    with pytest.raises(TypeError) as raised:
        a_net()(rows)
    assert str(raised.value) == (
        "layer 1, neuron 1: a net takes one example, not 2 rows: write nn.predict(net, X) for the outputs, "
        "or nn.cost(net, X, y)"
    )
    with pytest.raises(TypeError, match=r"^dot: cannot use 'a'"):
        a_net()(["a", "b"])


# Steps.


def test_a_step_by_minus_is_told_when_the_graph_grows() -> None:
    w = Value(3.0, "w")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            J = w * w
            J.backward()
            w -= 0.1 * w.grad
    assert [str(warning.message) for warning in told] == [
        "w -= ... makes a new Value and leaves the parameter as it was, so that the label is lost and the graph grows "
        "with each step: write w.data -= 0.1 * w.grad"
    ]
    assert told[0].filename == __file__


def test_a_step_by_minus_is_told_when_it_is_lost() -> None:
    w = Value(3.0, "w")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            J = w * w
            J.backward()
            for p in [w]:
                p -= 0.1 * p.grad  # noqa: PLW2901
    assert [str(warning.message) for warning in told] == [
        "p -= ... makes a new Value and leaves the parameter as it was, so that the step is lost: "
        "write p.data -= 0.1 * p.grad"
    ]


def test_right_loops_are_not_warned_of() -> None:
    """Warnings are errors in this suite."""
    w, x = Value(3.0, "w"), Value(1.0, "x")
    for _ in range(3):
        J = (w * x) ** 2
        J.backward()
        w -= 0.1 * w.grad
        w = w.detach()
        with ag.no_grad():
            x -= 0.1 * x.grad
        y = x
        y -= 1.0
        y -= w.grad
        y -= w
    net = a_net()
    for _ in range(3):
        net.zero_grad()
        nn.cost(net, X, Y).backward()
        for p in net.parameters():
            p.data -= 0.1 * p.grad
    z = Value(2.0)
    z -= 1
    assert (z.data, z.op) == (1.0, ag.sub)
    with pytest.raises(TypeError):
        z -= "a"  # type: ignore[arg-type]


def test_a_forgotten_backward_is_told_once() -> None:
    w, _ = a_graph()
    sgd = nn.SGD([w])
    with pytest.warns(UserWarning, match="all gradients are 0") as told:
        sgd.step()
    assert [(str(warning.message), warning.filename) for warning in told] == [
        ("SGD: all gradients are 0, so no parameter moves: call J.backward() before step()", __file__)
    ]
    sgd.step()
    right = nn.SGD([w])
    (w * w).backward()
    right.step()
    right.zero_grad()
    right.step()  # a gradient may become 0: a hinge that is far enough away
    nn.SGD([w]).step(lambda: 0 * w)


# Extras.

WITHOUT_NUMPY = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import autograd_mini as ag
from autograd_mini import nn
"""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ag.compile(abs)", 'ag.compile needs NumPy: pip install ".[fast]"'),
        (
            "nn.fit(nn.MLP(2, [1], output='sigmoid'), [[1, 2]], [0], compiled=True)",
            'fit: compiled=True needs NumPy: pip install ".[fast]"',
        ),
    ],
)
def test_compiling_without_numpy(code: str, message: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_NUMPY + code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == f"ImportError: {message}"


def test_the_commands_are_the_readmes() -> None:
    folder = os.path.dirname(ag.__file__)
    found = []
    for place, _, files in os.walk(folder):
        for file in files:
            if file.endswith(".py"):
                with open(os.path.join(place, file), encoding="utf-8") as source:
                    found += re.findall(r"pip install (\S*\[\w+\]\S*)", source.read())
    assert len(found) > 5
    assert all(re.match(r'"\.\[\w+\]"', command) for command in found), found


# The history.


def test_a_history_is_data_and_a_table() -> None:
    history = nn.fit(a_net(), X, Y, epochs=30, progress=False)
    assert json.loads(json.dumps(history)) == history
    lines = repr(history).splitlines()
    assert lines[0] == "History of 30 epochs, all of them"
    assert lines[1].split() == ["epoch", "cost", "lr"]
    assert [line.split()[0] for line in lines[2:]] == ["1", "6", "11", "15", "20", "25", "30"]
    assert repr(nn.fit(a_net(), X, Y, epochs=0, progress=False)) == "History of 0 epochs, all of them"
    page = history._repr_html_()
    assert page.count("<tr>") == 8
    assert re.search(r'<svg [^>]*role="img"[^>]*aria-label="The cost against the epoch: from [\d.]+ to [\d.]+', page)
    (points,) = re.findall(r'points="([^"]*)"', page)
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert len(heights) == 30
    assert heights == sorted(heights)  # it falls, and y points down
    assert "<svg" not in nn.fit(a_net(), X, Y, epochs=1, progress=False)._repr_html_()
    from IPython.lib.pretty import pretty

    assert pretty(history) == repr(history)  # type: ignore[no-untyped-call]  # of IPython


@pytest.mark.parametrize("kernel", [None, "a kernel"])
def test_in_a_notebook_the_bar_is_no_error(
    kernel: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = type("Shell", (), {"kernel": kernel, "config": {}})()
    fake = type(sys)("IPython")
    fake.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", fake)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.fit(a_net(), X, Y, epochs=2)
    out, err = capsys.readouterr()
    assert ("fit: 100%" in out, "fit: 100%" in err) == (kernel is not None, kernel is None)
