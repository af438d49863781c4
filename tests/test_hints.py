"""What newcomers type, and the answers."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from decimal import Decimal
from itertools import product
from typing import Any

import mpmath
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
        ("numpy", ": use NumPy itself, import numpy as np: np.exp and its like take Values and arrays of them"),
        ("less", ": use ag.greater(y, x); x < y compares the numbers"),
        ("cumsum", ": use np.cumsum on an array of Values, such as np.array(xs)"),
        ("gammaln", ": use ag.lgamma(x)"),
        ("egrad", ": use ag.grad(f), or ag.derivative(f, order=n)"),
        ("train", ": use nn.fit(net, X, y): from autograd_mini import nn"),
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
        ("DataLoader", ": give nn.fit lists or arrays X and y, and batch_size=16"),
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
        ("sum", ": a Value is one number; ag.sum(xs) is of a list of them"),
        ("int", ": write int(v.data), or v.trunc()"),
        ("add_", ": nothing changes a Value in place: write v = v + y, or v.data += y for a leaf"),
        ("build_topo", ": use ag.topological_order(v)"),
        ("dtype", ": np.sinc asks for it; use ag.sinc"),
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


def test_functions_that_numpy_cannot_hand_over() -> None:
    v, xs = Value(0.5), np.array([Value(0.5), Value(2.0)])
    with pytest.raises(AttributeError, match=r"np\.sinc asks for it; use ag\.sinc"):
        np.sinc(v)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"use ag\.sinc"):
        np.sinc(xs)
    with pytest.raises(AttributeError, match=r"v\.sign\(\) \* \(abs\(v\) % abs\(y\)\)"):
        np.fmod(xs, 2.0)


def test_names_of_a_net() -> None:
    with pytest.raises(AttributeError, match=r"^'MLP' object has no attribute 'forward': call the net itself, net\(x"):
        _ = a_net().forward  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"'parametrs' \(did you mean 'parameters'\?\)$"):
        _ = a_net().parametrs  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("owner", "name", "hint"),
    [
        (nn.SGD(a_net()), "learning_rate", "'SGD' object has no attribute 'learning_rate': use optimizer.lr"),
        (nn.Adam(a_net()), "minimize", "'Adam' object has no attribute 'minimize': call J"),
        (nn.SGD(a_net()), "zero_grads", r"'SGD' object has no attribute 'zero_grads' \(did you mean 'zero_grad'\?\)$"),
        (ag.draw(a_graph()[1]), "show", "'Drawing' object has no attribute 'show': end a notebook's cell with the "),
        (ag.draw(a_graph()[1]), "to_svg", r"'Drawing' object has no attribute 'to_svg': use svg\(\)$"),
    ],
)
def test_names_of_optimizers_and_drawings(owner: Any, name: str, hint: str) -> None:
    with pytest.raises(AttributeError, match=f"^{hint}"):
        getattr(owner, name)
    assert not hasattr(owner, "__nonsense__")


FORMULAS: dict[str, Callable[..., float]] = {  # names whose hint is a formula of x and y, with an oracle
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "celu": lambda x: max(0.0, x) + min(0.0, math.exp(x) - 1),
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (math.exp(x) - 1)),
    "mish": lambda x: x * math.tanh(math.log(1 + math.exp(x))),
    "softsign": lambda x: x / (1 + abs(x)),
    "hardtanh": lambda x: sorted([-1.0, x, 1.0])[1],
    "hardsigmoid": lambda x: 0.0 if x <= -3 else 1.0 if x >= 3 else x / 6 + 0.5,
    "relu6": lambda x: sorted([0.0, x, 6.0])[1],
    "heaviside": lambda x: np.heaviside(x, 0.0),
    "fmod": math.fmod,
    "remainder": np.remainder,
    "rint": np.rint,
    "fix": np.trunc,
    "frac": lambda x: math.modf(x)[0],
    "deg2rad": np.deg2rad,
    "rad2deg": np.rad2deg,
    "logaddexp2": np.logaddexp2,
    "gammaln": lambda x: float(mpmath.loggamma(x).real),
    "beta": mpmath.beta,
    "psi": mpmath.digamma,
    "factorial": mpmath.factorial,
    "ndtr": mpmath.ncdf,
    "sec": mpmath.sec,
    "csc": mpmath.csc,
    "cot": mpmath.cot,
    "copysign": math.copysign,
    "lt": np.less,
    "le": np.less_equal,
    "ne": np.not_equal,
    "square": np.square,
    "reciprocal": np.reciprocal,
    "rsqrt": lambda x: x**-0.5,
}
POSITIVE = ("beta", "psi", "gammaln", "factorial", "csc", "cot", "reciprocal", "rsqrt")


def formula(hint: str) -> str:
    """Return the first expression in a hint."""
    return re.split(r"; |, or |, which | with ", hint.partition(" ")[2])[0]


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_of_hints_are_right(name: str) -> None:
    oracle, text = FORMULAS[name], formula(hints.PACKAGE[name])
    binary = re.search(r"\by\b", text) is not None
    negative = name not in POSITIVE
    xs, ys = [0.7, 2.5, 1.0, *[-1.6, 0.0, -30.0] * negative], [1.3, 2.5, *[-0.4] * negative]
    for x, y in product(xs, ys):
        args = [x, y] if binary else [x]
        given = {"ag": ag, "math": math, "c": math.log(2), **dict(zip("xy", map(Value, args), strict=False))}
        found = eval(text, given)
        assert found.data == pytest.approx(float(oracle(*args)), rel=1e-13, abs=1e-13), (text, args)


def test_slopes_of_hints_at_kinks() -> None:
    """One of elu is smooth at 0, and at other kinks the sides share."""
    for name, slope in {"elu": 1.0, "hardtanh": 1.0, "softsign": 1.0, "selu": 1.0507009873554805 * 1.33663162}.items():
        x = Value(0.0)
        eval(formula(hints.PACKAGE[name]), {"ag": ag, "x": x}).backward()
        assert x.grad == pytest.approx(slope, rel=1e-6), name
    e = ag.abs(Value(0.25) - 1.0)
    q = ag.minimum(e, 1)
    assert "q * (e - q / 2) with e = ag.abs(yhat - t) and q = ag.minimum(e, 1)" in hints.NN["huber"]
    assert (q * (e - q / 2)).data == 0.75**2 / 2


def test_np_names_in_hints_take_values() -> None:
    xs = np.array([Value(1.0), Value(-2.0), Value(3.0)])
    more = {"percentile": (50,), "outer": (xs,), "cross": (xs,), "reshape": ((3, 1),)}
    for name, hint in hints.PACKAGE.items():
        if hint == f"use np.{name} on an array of Values, such as np.array(xs)":
            f = getattr(np, name)
            plain = [x.data for x in xs]
            if name == "einsum":
                found, exact = np.einsum("i,i->", xs, xs), np.einsum("i,i->", plain, plain)
            elif name in ("stack", "concatenate"):
                found, exact = f([xs, xs]), f([plain, plain])
            else:
                rest = more.get(name, ())
                numbers = [[x.data for x in part] if part is xs else part for part in rest]
                found, exact = f(xs, *rest), f(plain, *numbers)
            numbers = [x.data if isinstance(x, Value) else x for x in np.ravel(found)]
            assert numbers == pytest.approx(np.ravel(exact).tolist()), name


def test_python_adds_no_guess_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", "import autograd_mini as ag; ag.ln"], capture_output=True, check=False)
    assert done.stderr.decode().splitlines()[-1].endswith("'ln': use ag.log, the natural logarithm")


def test_hints_name_what_is_there_and_hide_nothing() -> None:
    here: list[tuple[dict[str, str], Any]] = [
        (dict(hints.PACKAGE), ag),
        (dict(hints.NN), nn),
        (dict(hints.VALUE), Value(1.0)),
        (dict(hints.NET), a_net()),
        (dict(hints.OPTIMIZERS), nn.SGD(a_net())),
        (dict(hints.DRAWING), ag.draw(a_graph()[1])),
    ]
    for table, place in here:
        for name, hint in table.items():
            assert not hasattr(place, name), name
            assert name not in dir(place)
            assert "{" not in hint, hint
            for prefix, module in (("ag", ag), ("nn", nn)):
                for word in re.findall(rf"\b{prefix}\.(\w+)", hint):
                    assert hasattr(module, word), hint
            for word in re.findall(r"\b[vJ]\.(?!png|svg)(\w+)", hint):
                assert hasattr(Value(1.0), word), hint
    assert set(hints.OPERANDS) <= set(ag.OPS)
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
    (
        lambda: ag.jvp(math.fabs, 2.0, 1.0),  # type: ignore[call-overload]
        TypeError,
        "jvp: give tuples of arguments and tangents, as in ag.jvp(f, (x,), (v,)), not 2.0",
    ),
    (
        lambda: ag.hvp(math.fabs, (2.0,), Value(1.0)),  # type: ignore[arg-type]
        TypeError,
        "hvp: give tuples of arguments and tangents, as in ag.hvp(f, (x,), (v,)), not Value(1.0)",
    ),
    (lambda: a_graph()[0] ^ 2, TypeError, "w ^ 2: write w**2 for a power"),  # type: ignore[operator]
    (lambda: 2 ^ Value(3.0), TypeError, "2 ^ v: write 2**v for a power"),  # type: ignore[operator]
    (
        lambda: nn.MLP(2, [1], seed=0),  # type: ignore[call-arg]
        TypeError,
        "MLP: there is no argument seed, which is 0 here: give rng=0",
    ),
    (
        lambda: nn.Neuron(2, nonlin=False),  # type: ignore[call-arg]
        TypeError,
        'Neuron: there is no argument nonlin, which is False here: give activation="relu", or None for the sum alone',
    ),
    (
        lambda: nn.SGD(a_net().parameters),  # type: ignore[arg-type]
        TypeError,
        "SGD: give a module or a list of Values, not <bound method Module.parameters of MLP(2, [2, 1], 'relu', "
        "output='sigmoid')>; call it, net.parameters()",
    ),
    (
        lambda: ag.sum(a_graph()[0]),  # type: ignore[call-overload]
        TypeError,
        "sum: give a list of numbers, not Value(2.0, label='w') alone",
    ),
    (lambda: ag.dot(2.0, [1.0]), TypeError, "dot: give a list of numbers, not 2.0 alone"),  # type: ignore[call-overload]
    (lambda: ag.norm(3), TypeError, "norm: give a list of numbers, not 3 alone"),  # type: ignore[call-overload]
    (
        lambda: ag.mean(np.array([[Value(1.0), 2.0]])),
        TypeError,
        "mean: give a list of numbers, not an array of shape (1, 2); x.ravel() has all of them",
    ),
    (
        lambda: ag.log(Value(8.0), 2),  # type: ignore[call-overload]
        TypeError,
        "log(x) takes 1 operand, 2 given; write ag.log(x) / math.log(base), or use ag.log2 or ag.log10",
    ),
    (
        lambda: ag.hypot(1.0, 2.0, Value(3.0)),  # type: ignore[call-overload]
        TypeError,
        "hypot(x, y) takes 2 operands, 3 given; use ag.norm(xs)",
    ),
    (lambda: ag.hypot(1.0), TypeError, "hypot(x, y) takes 2 operands, 1 given"),  # type: ignore[call-overload]
    (
        lambda: Value(2.0) + Decimal("0.1"),
        TypeError,
        "add: cannot use Decimal('0.1') of type Decimal; use float('0.1')",
    ),
    (
        lambda: Decimal("0.1") * Value(2.0),
        TypeError,
        "mul: cannot use Decimal('0.1') of type Decimal; use float('0.1')",
    ),
    (
        lambda: setattr(a_graph()[0], "data", Value(3.0)),
        TypeError,
        "Value.data: cannot use Value(3.0) of type Value; use its number, .data",
    ),
    (
        lambda: setattr(a_graph()[0], "grad", None),
        TypeError,
        "Value.grad: cannot use None of type NoneType; use 0.0",
    ),
    (
        lambda: int(Value(2.0)),
        TypeError,
        "int(v) would lose the gradient: use int(v.data) for the number, or ag.trunc(v)",
    ),
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
    assert lines[0] == "History of 30 epochs, complete"
    assert lines[1].split() == ["epoch", "cost", "lr"]
    assert [line.split()[0] for line in lines[2:]] == ["1", "6", "11", "15", "20", "25", "30"]
    assert repr(nn.fit(a_net(), X, Y, epochs=0, progress=False)) == "History of 0 epochs, complete"
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
