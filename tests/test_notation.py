"""Programs written out: the lines are run as NumPy, and give what the engine gives."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import Value, nn
from autograd_mini.program import Program, lift
from autograd_mini.program.adjoint import Backward, written_backward
from autograd_mini.program.notation import written
from autograd_mini.program.picture import drawn
from autograd_mini.traces import Trace, trace_graph

NUMPY = {name: getattr(np, name) for name in ("sum", "ones", "zeros", "empty", "inf", "nan")}
SHAPES = (("W", (1, 2, 3, 4)), ("A", (1, 2)))
ROWS = {name: np.vectorize(op, otypes=[float]) for name, op in ag.OPS.items()}


def prepared(t: Trace) -> tuple[Trace, Program]:
    t = t.fold_constants().common_subexpressions().dead_code()
    return t, lift(t)


def run(t: Trace) -> tuple[float | None, list[float] | None]:
    """Run the printed lines; return the value and the derivatives in all inputs, each None if a line is no code."""
    t, program = prepared(t)
    backward = Backward(t, program)
    notation = backward.notation
    inputs = np.array(t.primals)
    space = {**NUMPY, **ROWS, **notation.constants, **{b.name: inputs[b.slots] for b in notation.inputs}}
    *forward, returned = [line.strip() for line in written(t, program).splitlines()[1:]]
    value = None
    if is_code(forward):
        exec("\n".join(forward), space)
        value = float(np.squeeze(eval(returned.removeprefix("return "), space)))
    else:  # the backward lines may be code all the same: give them what the forward program computes
        held = dict(zip(program.slots.tolist(), t._run(list(inputs)), strict=True))
        for block in notation.blocks:
            if all(slot in held for slot in block.slots.flat):
                space[block.name] = np.vectorize(held.get, otypes=[float])(block.slots)
    lines = [line.strip() for line in str(backward).splitlines()[1:]]
    if not is_code(lines):
        return value, None
    exec("\n".join(lines), space)
    slopes = np.zeros(program.inputs)
    for block in notation.inputs:
        slopes[block.slots] = space[backward.names[block.name]]
    return value, slopes.tolist()


def is_code(lines: list[str]) -> bool:
    return not any(mark in line for mark in ("gathered", "without a common form") for line in lines)


def check(t: Trace, forward: bool = True, backward: bool = True) -> None:
    """Compare what the lines give with the engine; say which of them must be code."""
    leaves = [Value(x) for x in t.primals]
    z = t(*t.into.rebuild(leaves))
    z.backward()
    value, slopes = run(t)
    if forward:
        assert value is not None
    if backward:
        assert slopes is not None
    assert value is None or value == pytest.approx(z.data, rel=1e-12, abs=1e-12)
    assert slopes is None or slopes == pytest.approx([x.grad for x in leaves], rel=1e-12, abs=1e-12)


def cost(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any, act: Callable[[Any], Any] = ag.sigmoid) -> Any:
    """Return the text's cost, with the names that the text gives to what is computed."""

    def each(f: Callable[[Any], Any], name: str, Z: Any) -> Any:
        return named(name, np.vectorize(f, otypes=[object])(Z))

    def named(name: str, Z: Any) -> Any:
        for (j, i), z in np.ndenumerate(Z):
            z.label = f"{name[0]}_{j + 1}^[{name[1]}]({i + 1})"
        return Z

    A1 = each(act, "a1", named("z1", W1 @ X + b1))
    A2 = each(ag.sigmoid, "a2", named("z2", W2 @ A1 + b2))
    loss = Y * each(ag.log, "l1", A2) + (1.0 - Y) * each(ag.log, "l2", 1.0 - A2)
    return -loss.sum() / X.shape[1]


def arrays(n_x: int, n_h: int, n_y: int, m: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    shapes = {"W1": (n_h, n_x), "b1": (n_h, 1), "W2": (n_y, n_h), "b2": (n_y, 1), "X": (n_x, m)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()} | {"Y": rng.uniform(size=(n_y, m))}


def labelled(name: str, x: Any) -> Any:
    count = iter(range(1, 10**6))
    return np.vectorize(lambda k: Value(k, f"{name}_{{{next(count)}}}"), otypes=[object])(x)


def traced_cost(given: dict[str, Any], act: Callable[[Any], Any] = ag.sigmoid) -> Trace:
    def f(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> Any:
        return cost(W1, b1, W2, b2, X, Y, act)

    return ag.trace(f, *(labelled(name, x) for name, x in given.items()))


def test_one_equation_is_singular() -> None:
    f = ag.compile(lambda x: x * x)
    f(1.0)
    assert str(f).startswith("<lambda>: 1 equation, 1 instruction\n")
    assert repr(nn.SGD([Value(0.5)], lr=0.1)) == "SGD(1 parameter, lr=0.1, 0 steps taken)"


def test_the_texts_summary() -> None:
    t, program = prepared(traced_cost(arrays(2, 3, 1, 5, 0)))
    forward = written(t, program).splitlines()
    assert [line.strip() for line in forward[2:7]] == [
        "v1 = 1 - Y  # 1×5",
        "Z1 = W1 @ X + b1  # 3×5",
        "A1 = sigmoid(Z1)  # 3×5",
        "Z2 = W2 @ A1 + b2  # 1×5",
        "A2 = sigmoid(Z2)  # 1×5",
    ]
    backward = written_backward(t, program, argnums=range(4)).splitlines()
    assert [line.strip().partition("  #")[0] for line in backward[2:]] == [
        "dZ2 = A2 - Y",
        "dW2 = 1/5 * dZ2 @ A1.T",
        "db2 = 1/5 * sum(dZ2, axis=1, keepdims=True)",
        "dA1 = W2.T @ dZ2",
        "dZ1 = dA1 * A1 * (1 - A1)",
        "dW1 = 1/5 * dZ1 @ X.T",
        "db1 = 1/5 * sum(dZ1, axis=1, keepdims=True)",
    ]
    assert backward[2].endswith("# 1×5, without the factor 1/5")


@given(
    sizes=st.tuples(*[st.integers(1, n) for n in (3, 4, 3, 5)]),
    seed=st.integers(0, 999),
    act=st.sampled_from(["sigmoid", "tanh"]),
)
@settings(max_examples=examples(60))
def test_the_lines_are_code(sizes: tuple[int, int, int, int], seed: int, act: str) -> None:
    check(traced_cost(arrays(*sizes, seed), ag.OPS[act]))


@given(
    sizes=st.tuples(*[st.integers(1, n) for n in (3, 4, 3, 5)]),
    seed=st.integers(0, 999),
    act=st.sampled_from(["sigmoid", "tanh", "relu", "softplus", None]),
    loss=st.sampled_from(["log_loss", "binary_cross_entropy", "mean_squared_error"]),
    whole=st.booleans(),
    with_data=st.booleans(),
    named=st.booleans(),
)
@settings(max_examples=examples(150))
def test_nets(
    sizes: tuple[int, int, int, int], seed: int, act: str | None, loss: str, whole: bool, with_data: bool, named: bool
) -> None:
    """Graphs of nets, in their parameters or in the data too: with constants that nobody has named."""
    n_x, n_h, n_y, m = sizes
    rng = np.random.default_rng(seed)
    net = nn.MLP(n_x, [n_h, n_y], act, "sigmoid", rng=seed)
    X, y = rng.normal(size=(m, n_x)), rng.uniform(size=(m, n_y))
    y = np.round(y) if whole else y
    J = nn.cost(net, X, y, loss) if named else nn.cost(net.__call__, X, y, loss)
    leaves = net.parameters()
    if with_data:
        leaves = leaves + [node for node in ag.topological_order(J) if node.label.startswith("x_")]
    # Where targets are 0 and 1 examples are computed in several ways, and have to be gathered.
    check(trace_graph(J, leaves), forward=not whole or loss == "mean_squared_error")


@given(dag=dags(max_steps=20))
@settings(max_examples=examples(150))
def test_scalars(dag: Dag) -> None:
    check(ag.trace(dag, list(dag.inputs)), forward=False, backward=False)


@given(data=st.data())
@settings(max_examples=examples(100))
def test_irregular_graphs_say_nothing_false(data: st.DataObject) -> None:
    n, m = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 9))
    places = data.draw(st.lists(st.tuples(*[st.integers(0, n - 1)] * 4), min_size=m, max_size=m))
    ops = data.draw(st.lists(st.sampled_from([ag.sin, ag.exp, ag.sigmoid, ag.relu]), min_size=m, max_size=m))

    def f(x: Any) -> Any:
        inner = [x[a] + x[b] * x[c] / (1.0 + x[d] * x[a]) + 0.5 * x[c] for a, b, c, d in places]
        parts = [op(z) for op, z in zip(ops, inner, strict=True)]
        return sum(p * k for k, p in enumerate(parts, 1)) + parts[0] * parts[-1] - 3.0 / parts[0]

    check(ag.trace(f, [0.1 * k + 0.2 for k in range(n)]), forward=False, backward=False)


def lines(t: Trace) -> list[str]:
    return [line.strip().partition("  #")[0] for line in str(Backward(*prepared(t))).splitlines()]


@pytest.mark.parametrize(("loss", "output"), [("log_loss", "A2"), ("binary_cross_entropy", "sigmoid(Z2)")])
def test_targets_that_only_the_structure_knows(loss: str, output: str) -> None:
    """With targets of 0 and 1 the loss has one term of two: that Y is subtracted comes of the algebra."""
    net = nn.two_layer_net(2, 3, rng=0)
    J = nn.cost(net, [[0.5, 1.0], [1.5, -1.0], [-0.5, 2.0], [1.0, 1.0]], [0, 1, 1, 0], loss)
    t = trace_graph(J, net.parameters())
    assert lines(t)[3] == f"dZ2 = {output} - Y"
    assert Backward(*prepared(t)).notation.constants["Y"].tolist() == [[0.0, 1.0, 1.0, 0.0]]
    check(t, forward=loss != "log_loss")  # logarithms of A2 and of 1 - A2 are one line, which gathers them


def test_softmax() -> None:
    net = nn.MLP(2, [3, 4], "tanh", rng=0)
    J = nn.cost(net, [[0.5, 1.0], [1.5, -1.0], [-0.5, 2.0]], [0, 3, 2], "cross_entropy")
    t = trace_graph(J, net.parameters())
    assert lines(t)[3] == "dA2 = v5 / v6 - Y"
    assert Backward(*prepared(t)).notation.constants["Y"].T.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    check(t, forward=False)


def test_matrices_read_in_several_ways() -> None:
    A, B = np.arange(9.0).reshape(3, 3) / 9, np.eye(3) + 0.5
    t = ag.trace(lambda A, B: (A @ B @ A.T @ B.T @ A).sum(), A, B)
    assert lines(t)[-2:] == ["dx = dv1 @ x9.T + dv2 @ v1 + v3 @ dv4.T", "dx9 = x.T @ dv1 + dv3 @ v2.T"]
    check(t)
    check(ag.trace(lambda p, x: sum((p[0] * a + p[1]) ** 2 for a in x), [0.1, 0.2], [1.0, 2.0, 3.0, 4.0, 5.0]))
    check(ag.trace(lambda A, x: x @ A @ x, A, A[1]))
    check(ag.trace(lambda x: sum(ag.exp(a) * ag.exp(a) for a in [x, x, x]), 0.5), forward=False)


def test_names() -> None:
    a, b = Value(2.0, "lambda"), Value(3.0, "sum")
    t = trace_graph(ag.sin(a) * b, [a, b])
    assert lines(t)[-2:] == ["dsum_2 = v1", "dlambda_2 = sum_2 * cos(lambda_2)"]
    check(t)


WORDS = [*"axis np T sum reshape keepdims inf nan ones empty constants gathered True v1 x dx dx_ x_".split()]
WORDS += ["x.T", "f(x)", "x[0:1]", "\u00b5", "\u03bc"]


@given(names=st.lists(st.sampled_from(WORDS), min_size=4, max_size=8), whole=st.booleans())
@settings(max_examples=examples(150))
def test_inputs_may_have_any_names(names: list[str], whole: bool) -> None:
    """Words of the text, names of adjoints, one letter in two of Unicode's forms: the lines are still the program."""
    leaves = [Value(0.3 + 0.1 * k, name) for k, name in enumerate(names)]
    a, b, *others = leaves
    z = ag.sum([ag.sin(x * a) for x in others]) * b + (ag.sum([x * x for x in others]) if whole else ag.exp(b))
    check(trace_graph(z, list(dict.fromkeys(leaves))), forward=False, backward=False)


def test_a_function_of_ones_own_and_an_input_of_its_name() -> None:
    @ag.custom_rule(lambda x, z: 2 * x, text="cubic(<x>)")
    def square_of(x: float) -> float:
        return x * x

    text = written(*prepared(trace_graph(square_of(x := Value(2.0, "cubic")) * x, [x])))
    assert "v1 = cubic(cubic_2)" in text


def arrows(axis: Any, T: Any, constants: Any, keepdims: Any) -> Any:
    rows = [ag.sum([ag.tanh(x) * y for x, y in zip(row, T[0], strict=True)]) for row in axis @ T]
    return ag.sum([row * keepdims[0, 0] for row in rows]) + constants.sum() * keepdims[1, 0]


def test_the_pictures_arrows_are_the_names_in_the_text() -> None:
    """Python's own parser finds the names that a line reads: no word of NumPy is one, no function."""
    shapes = {"axis": (3, 3), "T": (3, 3), "constants": (3, 1), "keepdims": (2, 1)}
    named = [labelled(name, np.arange(float(n * m)).reshape(n, m) / 9) for name, (n, m) in shapes.items()]
    for t, words in (
        (traced_cost(arrays(2, 3, 1, 5, 0)), {"W1"}),
        (ag.trace(arrows, *named), {"axis", "T", "keepdims"}),
    ):
        picture = drawn(*prepared(t)).picture
        names = {box.id: box.name for box in picture.boxes}
        assert words <= {*names.values()}
        for box in picture.boxes:
            nodes = [*ast.walk(ast.parse(box.operation))]
            functions = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
            read = {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in functions}
            assert {names[arrow.source] for arrow in picture.arrows if arrow.target == box.id} == read - {"constants"}


@pytest.mark.parametrize("signs", [(-1, 0), (1, 1), (1, -1), (-1, -1), (1, 0)])
def test_truth_values_are_numbers(signs: tuple[int, int]) -> None:
    """NumPy neither negates nor subtracts truth values, and True + True is True."""
    a, b = signs
    t = ag.trace(lambda xs: ag.sum([a * ag.relu(x) + b * ag.relu(x - 1.0) for x in xs]), [0.5, 2.0, 3.0, -1.0])
    check(t)


def test_numbers_are_written_in_full() -> None:
    t = ag.trace(lambda x: x * 12345678.0 + 2.0**53, 3.0)
    assert "12345678.0" in written(*prepared(t))
    check(t)


def test_a_modules_matrices_in_the_order_of_its_parameters() -> None:
    class Bilinear(nn.Module):
        def __init__(self) -> None:
            self.W, self.A = ([[Value(1.0, f"{s}_{{{i}{j}}}") for j in (1, 2, 3)] for i in rows] for s, rows in SHAPES)

        def __call__(self, x: Any) -> Any:
            return ag.sum([ag.dot(row, x) for row in self.W + self.A])

    fast = ag.compile(lambda net, x: net(x))
    fast(Bilinear(), [1.0, 2.0, 3.0])
    assert "# inputs: W 4×3, A 2×3, x 3×1\n" in str(fast)


def test_more_than_one_output_has_no_gradient() -> None:
    t = ag.trace(lambda x: [x, x * 2.0], 3.0)
    assert written(*prepared(t)).endswith("return x0, v1")
    with pytest.raises(TypeError, match="a gradient needs one output"):
        written_backward(*prepared(t))


def test_the_picture() -> None:
    net = nn.two_layer_net(2, 3, rng=0)
    J = nn.cost(net, [[0.5, 1.0], [1.5, -1.0]], [0.1, 0.9])
    picture = ag.compile(J, inputs=net.parameters()).draw()
    names = {box.id: box.name for box in picture.picture.boxes}
    edges = {(names[arrow.source], names[arrow.target]) for arrow in picture.picture.arrows}
    assert {("W1", "Z1"), ("X", "Z1"), ("b1", "Z1"), ("Z1", "A1"), ("A1", "Z2"), ("Y", "v4")} <= edges
    assert ("X", "v2") not in edges
    assert "Z2 = W2 @ A1 + b2" in picture.description
    assert picture.image("svg").startswith(b"<?xml")
    with pytest.raises(ValueError, match="rankdir must be one of"):
        ag.compile(J, inputs=net.parameters()).draw(rankdir="up")
    y = x = ag.Value(1.0)
    for _ in range(200):
        y = ag.sin(y)
    long = ag.compile(y, inputs=x)
    with pytest.raises(ValueError, match="cannot be read: print it"):
        long.draw()


def test_take() -> None:
    f = ag.compile(lambda x, i: ag.take([x[0], 2.0, x[1]], i) * ag.exp(x[2]))
    assert f.value_and_grad([3.0, 4.0, 0.0], 2) == (4.0, [0.0, 1.0, 4.0])
    assert "= take(" in str(f)
    assert "scattered(dv" in f.written_backward()
    constant = ag.compile(lambda i: ag.take([1.0, 2.0, 5.0], i))
    assert constant.value_and_grad(1) == (2.0, 0.0)
    assert constant.written_backward().splitlines()[-1] == "  di = 0"
