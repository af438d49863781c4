"""Compiled programs: that they equal the eager engine, and find what they should."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import Dag, dags, examples, smooth_operands

import autograd_mini as ag
from autograd_mini import Op, Value, nn
from autograd_mini.program import lift
from autograd_mini.program.kernels import runner as runner_of

RUNNERS = ["numpy", "llvm"]
LEFT_OUT = "digamma polygamma polygamma_gap powlog lgamma gamma betaln sinc_derivative stop_gradient".split()
ROWS = [op for op in ag.OPS.values() if op.name not in LEFT_OUT]


def eager(f: Callable[..., Any], at: list[float]) -> tuple[float, list[float]]:
    leaves = [Value(x) for x in at]
    z = f(leaves)
    z.backward()
    return z.data, [x.grad for x in leaves]


@pytest.mark.parametrize("runner", RUNNERS)
@given(dag=dags(max_steps=30))
@settings(max_examples=examples(60))
def test_programs_equal_eager(runner: str, dag: Dag) -> None:
    value, slopes = eager(dag, list(dag.inputs))
    got, gradient = ag.compile(dag, runner=runner).value_and_grad(list(dag.inputs))
    assert got == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert gradient == pytest.approx(slopes, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
@given(data=st.data())
@settings(max_examples=examples(10))
def test_every_row(op: Op, runner: str, data: st.DataObject) -> None:
    at = [data.draw(smooth_operands(op)) for _ in range(data.draw(st.integers(1, 7)))]  # a vector and what is left

    def f(rows: Any) -> Any:
        return sum(k * op(*row) for k, row in enumerate(rows, 1))

    flat = [x for row in at for x in row]
    n = len(op.rules)
    value, slopes = eager(lambda xs: f([xs[i : i + n] for i in range(0, len(xs), n)]), flat)
    got, gradient = ag.compile(f, runner=runner).value_and_grad([list(row) for row in at])
    assert got == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert [x for row in gradient for x in row] == pytest.approx(slopes, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("runner", RUNNERS)
@given(sizes=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)), seed=st.integers(0, 99))
@settings(max_examples=examples(20))
def test_arrays_and_nets(runner: str, sizes: tuple[int, int, int], seed: int) -> None:
    """Written with numpy as usual: W @ X + b on arrays, which are object arrays of Values inside."""
    n, k, m = sizes
    rng = np.random.default_rng(seed)
    W1, b1, W2, X = rng.normal(size=(k, n)), rng.normal(size=(k, 1)), rng.normal(size=(1, k)), rng.normal(size=(n, m))

    def cost(p: Any, X: Any) -> Any:
        A = np.tanh(p["W1"] @ X + p["b1"])
        return ((p["W2"] @ A) ** 2).sum() / m

    value, gradient = ag.compile(cost, runner=runner).value_and_grad({"W1": W1, "b1": b1, "W2": W2}, X)
    A = np.tanh(W1 @ X + b1)
    Z = W2 @ A
    dZ = 2 * Z / m
    dA = W2.T @ dZ * (1 - A**2)
    assert value == pytest.approx((Z**2).sum() / m)
    assert gradient["W2"] == pytest.approx(dZ @ A.T)
    assert gradient["W1"] == pytest.approx(dA @ X.T)
    assert gradient["b1"] == pytest.approx(dA.sum(axis=1, keepdims=True))
    assert gradient["W1"].shape == W1.shape


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_graph_that_exists(runner: str) -> None:
    net = nn.MLP(2, [5, 4, 1], "tanh", rng=0)
    X, y = nn.datasets.moons(12, rng=0)
    J = nn.cost(net, X, y, "mean_squared_error")
    J.backward()
    compiled = ag.compile(J, inputs=net.parameters(), runner=runner)
    numbers = [p.data for p in net.parameters()]
    value, slopes = compiled.value_and_grad(numbers)
    assert value == pytest.approx(J.data, rel=1e-14)
    assert slopes == pytest.approx([p.grad for p in net.parameters()], rel=1e-10, abs=1e-14)
    moved = [x + 0.1 for x in numbers]
    for parameter, x in zip(net.parameters(), moved, strict=True):
        parameter.data = x
    assert compiled(moved) == pytest.approx(nn.cost(net, X, y, "mean_squared_error").data, rel=1e-13)
    with pytest.raises(TypeError, match="the inputs must have the structure"):
        compiled(numbers[:-1])


def test_what_is_lifted() -> None:
    def matvec(W: Any, x: Any, b: Any) -> Any:
        return W @ x + b

    t = ag.trace(matvec, np.ones((20, 30)), np.ones(30), np.ones(20))
    program = lift(t)
    assert len(t.equations) == 20 * 60
    kinds = [(i.kind, i.count, i.length) for i in program.instructions]
    assert kinds == [("dot", 20, 30), ("row", 20, 1)]
    t = ag.trace(lambda A, B: A @ B, np.ones((4, 6)), np.ones((6, 5)))
    (product,) = lift(t).instructions
    assert (product.kind, product.rows, product.columns, product.length) == ("dot", 4, 5, 6)
    t = ag.trace(lambda x: [ag.exp(a) for a in x], [1.0] * 50)
    assert [(i.kind, i.count) for i in lift(t).instructions] == [("row", 50)]


def test_a_finished_dot_is_not_swallowed() -> None:
    def residual(x: Any, W: Any) -> Any:
        return [a + ag.dot(row, x) for a, row in zip(x, W, strict=True)]

    def plain(x: Any, W: Any) -> Any:
        return [a + sum(w * b for w, b in zip(row, x, strict=True)) for a, row in zip(x, W, strict=True)]

    at = [1.0, 2.0, 3.0], np.arange(9.0).reshape(3, 3)
    for f in (residual, plain):
        assert [i.kind for i in lift(ag.trace(f, *at)).instructions] == ["dot", "row"]
        assert ag.compile(f)(*at) == [9.0, 28.0, 47.0]


@pytest.mark.parametrize("runner", RUNNERS)
@given(data=st.data())
@settings(max_examples=examples(40))
def test_irregular_graphs(runner: str, data: st.DataObject) -> None:
    """Operands chosen at random, so that they have to be gathered; and sums that are begun by anything."""
    n, m = data.draw(st.integers(2, 6)), data.draw(st.integers(1, 12))
    places = data.draw(st.lists(st.tuples(*[st.integers(0, n - 1)] * 4), min_size=m, max_size=m))

    def f(x: Any) -> Any:
        parts = [x[a] + x[b] * x[c] + x[d] * x[a] + 0.5 * x[c] for a, b, c, d in places]
        return sum(ag.sin(p) * k for k, p in enumerate(parts, 1)) + parts[0] * parts[-1]

    at = [0.1 * k + 0.2 for k in range(n)]
    value, slopes = eager(f, at)
    got, gradient = ag.compile(f, runner=runner).value_and_grad(at)
    assert got == pytest.approx(value, rel=1e-12)
    assert gradient == pytest.approx(slopes, rel=1e-9, abs=1e-12)


SUMS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b, c, d: a + b,
    "bias": lambda a, b, c, d: a + b * c,
    "products": lambda a, b, c, d: a * b + c * d,
    "plain": lambda a, b, c, d: a + b + c + d,
    "dot": lambda a, b, c, d: ag.dot([a, b], [c, d]),
    "dot and bias": lambda a, b, c, d: ag.dot([a, 0.5], [b, c], d),
    "sum": lambda a, b, c, d: ag.sum([a, b, 0.25, c, d]),
    "take": lambda a, b, c, d: ag.take([a, b, c], 0.0 * d + 1.0),
    "constant": lambda a, b, c, d: 0.5 * a + -0.25,
    "row": lambda a, b, c, d: ag.tanh(a - b),
}


@pytest.mark.parametrize("runner", RUNNERS)
@given(data=st.data())
@settings(max_examples=examples(60))
def test_sums_of_any_kind(runner: str, data: st.DataObject) -> None:
    """Sums go on with sums and dots with dots, and each may be used again."""
    place = st.integers(1, 6)
    steps = st.tuples(st.sampled_from(sorted(SUMS)), *[place] * 4)
    chosen = data.draw(st.lists(steps, min_size=1, max_size=25))

    def f(x: Any) -> Any:
        made = list(x)
        for kind, *back in chosen:
            made.append(SUMS[kind](*(made[-min(k, len(made))] for k in back)))
        return [ag.tanh(z) for z in made[3:]]

    at = [0.3, -0.2, 0.7]
    assert ag.compile(f, runner=runner)(at) == pytest.approx(f(at), rel=1e-12, abs=1e-12)
    value, slopes = eager(lambda x: sum(f(x)), at)
    got, gradient = ag.compile(lambda x: sum(f(x)), runner=runner).value_and_grad(at)
    assert got == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert gradient == pytest.approx(slopes, rel=1e-9, abs=1e-12)


def test_a_program_knows_where_each_variable_is() -> None:
    def f(x: Any) -> Any:
        u = x[0] * x[1] + x[1] * x[2] + x[2] * x[0]
        return ag.tanh(u) + x[0] * 0.5

    t = ag.trace(f, [1.0, 2.0, 3.0])
    program = lift(t)
    numbers = np.zeros(program.size)
    numbers[: program.inputs] = t.primals
    numbers[program.inputs :][: len(program.constants)] = program.constants
    runner_of(program, use="numpy").task(numbers)()
    left = program.slots >= 0
    # All but what the dot is made of: three products and the sum of two.
    assert [e.name for e, there in zip(t.equations, left[3:], strict=True) if not there] == ["t1", "t2", "t3", "t4"]
    assert numbers[program.slots[left]] == pytest.approx(np.array(t._run(t.primals))[left])


def test_long_sums_are_found_at_once() -> None:
    n = 100_000
    t = ag.trace(lambda w, x: sum(a * b for a, b in zip(w, x, strict=True)), [1.0] * n, [2.0] * n)
    assert [(i.kind, i.length) for i in lift(t).instructions] == [("dot", n)]
    t = ag.trace(sum, [1.0] * n)
    assert [(i.kind, i.length) for i in lift(t).instructions] == [("sum", n)]


def test_structures_statics_and_argnums() -> None:
    def f(p: Any, n: int, x: Any) -> Any:
        return {"y": sum(p["w"] * x**k for k in range(n)), "w": [p["w"]]}

    g = ag.compile(f, static_argnums=1)
    assert g({"w": 2.0}, 3, 3.0) == {"y": 26.0, "w": [2.0]}
    assert g({"w": 2.0}, 2, 3.0) == {"y": 8.0, "w": [2.0]}
    with pytest.raises(TypeError, match="a gradient needs one output"):
        g.grad({"w": 2.0}, 2, 3.0)
    h = ag.compile(lambda a, n, b: a**n * b, static_argnums=(1,))
    assert h.grad(3.0, 2, 5.0) == 30.0
    assert h.grad(3.0, 2, 5.0, argnums=(0, 2)) == (30.0, 9.0)
    assert h.grad(3.0, 2, 5.0, argnums=-1) == 9.0
    with pytest.raises(ValueError, match=r"argnums 1, but there are 3 arguments, of which \[1\] are static"):
        h.grad(3.0, 2, 5.0, argnums=1)


@pytest.mark.parametrize(
    ("argnums", "words"),
    [
        ("x", "argnums must be a whole number or several, not 'x'"),
        (1.0, r"argnums must be a whole number or several, not 1\.0"),
        ((0, 0.5), "argnums must be a whole number or several"),
        (([0],), r"argnums must be a whole number or several, not \(\[0\],\)"),
        ({0, 1}, "argnums must be a whole number or several"),
        ((1, 1), r"argnums \(1, 1\) names an argument twice"),
        (2, "argnums 2, but"),
    ],
)
def test_wrong_argnums(argnums: Any, words: str) -> None:
    f = ag.compile(lambda x, y: x * y)
    f(2.0, 3.0)
    calls: list[Callable[[], Any]] = [
        lambda: f.grad(2.0, 3.0, argnums=argnums),
        lambda: f.value_and_grad(2.0, 3.0, argnums=argnums),
        lambda: f.bind(2.0, 3.0, argnums=argnums),
        lambda: f.vmap().grad([2.0], [3.0], argnums=argnums),
        lambda: f.written_backward(argnums=argnums),
        lambda: f.source("c", derivative="grad", argnums=argnums),
        lambda: ag.compile(lambda x, *, y: x * y).grad(2.0, y=3.0, argnums=argnums),
    ]
    for call in calls:
        with pytest.raises((TypeError, ValueError), match=words):
            call()


def test_argnums_in_an_array() -> None:
    argnums: Any = np.array([1, 0])
    f = ag.compile(lambda x, y: x * y)
    assert f.grad(2.0, 3.0, argnums=argnums) == (2.0, 3.0)
    assert f.vmap().grad([2.0], [3.0], argnums=argnums) == ([2.0], [3.0])
    assert ag.grad(lambda x, y: x * y, argnums=argnums)(2.0, 3.0) == (2.0, 3.0)


def test_a_gradient_needs_argnums() -> None:
    f: Any = ag.compile(lambda x, y: x * y)
    calls: list[Callable[[], Any]] = [
        lambda: f.grad(2.0, 3.0, argnums=None),
        lambda: f.vmap().grad([2.0], [3.0], argnums=None),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="not None"):
            call()


def test_each_branch_is_traced_when_it_is_met() -> None:
    calls = []

    @ag.compile
    def f(x: Any) -> Any:
        """Do something."""
        calls.append(repr(x))
        return x * x if x > 0 else -x

    assert (f(3.0), f(-2.0), f(4.0), f(-5.0)) == (9.0, 2.0, 16.0, 5.0)
    assert f.grad(-1.0) == -1.0
    assert calls == ["Value(3.0, label='x')", "Value(-2.0, label='x')"]
    assert (f.__wrapped__.__name__, f.__doc__) == ("f", "Do something.")  # type: ignore[attr-defined]
    x = Value(2.0, "x")
    assert ag.compile(ag.relu(x), inputs=x)(-3.0) == 0.0


def test_numbers_that_leave_the_domain() -> None:
    def f(x: Any) -> Any:
        return ag.log(x) + 1 / x

    for runner in RUNNERS:
        g = ag.compile(f, runner=runner)
        assert g(2.0) == math.log(2.0) + 0.5
        assert math.isnan(g(-1.0))
        assert ag.compile(lambda x: 1 / x, runner=runner)(2.0) == 0.5
        e = ag.compile(lambda x: ag.exp(x) + ag.sqrt(x), runner=runner)
        assert e.value_and_grad(0.0) == (1.0, math.inf)
        assert e(1e4) == math.inf
    checked = ag.compile(f, check=True)
    assert checked(2.0) == g(2.0)
    with pytest.raises(ValueError, match=r"math domain error in log\(x=-1\.0\)"):
        checked(-1.0)


def test_rows_of_your_own_and_scipys() -> None:
    @ag.custom_rule(lambda x, z: 3 * x**2)
    def cube(x: float) -> float:
        return x**3

    for runner in RUNNERS:
        assert ag.compile(lambda x: cube(x) + x, runner=runner).value_and_grad(2.0) == (10.0, 13.0)
    for runner in RUNNERS:
        g = ag.compile(ag.lgamma, runner=runner)
        assert g.value_and_grad(3.0) == pytest.approx((math.log(2.0), ag.digamma(3.0)), rel=1e-14)


def test_rules_of_your_own_that_ask_for_numbers() -> None:
    @ag.custom_rule(lambda x, y, z: y if x > 0 else 0.5 * y, lambda x, y, z: z / y)
    def leaky(x: float, y: float) -> float:
        return (x if x > 0 else 0.5 * x) * y

    @ag.custom_rule(lambda x, z: math.cos(x) if x else 1.0)
    def sine(x: float) -> float:
        return math.sin(x)

    @ag.custom_rule(lambda x, z: ag.exp(x) if x < 0 else 1.0)
    def beyond(x: float) -> float:
        return math.exp(x) if x < 0 else 1.0 + x

    xs = np.linspace(-2.0, 2.0, 10)
    for op in (lambda x: leaky(x, 3.0 * x), sine, beyond):
        for runner in RUNNERS:
            f = ag.compile(lambda x, op=op: sum(op(v) * v for v in x), runner=runner)
            value, slope = f.value_and_grad(xs)
        expected = ag.value_and_grad(lambda x, op=op: sum(op(v) * v for v in x))(list(xs))
        assert value == pytest.approx(expected[0])
        assert slope == pytest.approx(np.array(expected[1]))
    g = ag.compile(lambda x: sine(x) * x)
    assert "dsine_dx(x, " in g.written_backward(2.0)


def test_constants_and_unused_inputs() -> None:
    f = ag.compile(lambda x, y: x * 0.0 + 4.0)
    assert f.value_and_grad(1.0, 2.0, argnums=(0, 1)) == (4.0, (0.0, 0.0))
    assert ag.compile(lambda x: 7.0).value_and_grad(1.0) == (7.0, 0.0)
    assert ag.compile(lambda x: x).value_and_grad(3.0) == (3.0, 1.0)
    assert ag.compile(lambda x: (x, [x, 1.0], None))(3.0) == (3.0, [3.0, 1.0], None)


def test_it_shows_what_it_found() -> None:
    g = ag.compile(lambda W, x: [ag.tanh(z) for z in W @ x])
    assert "not compiled yet" in repr(g)
    g(np.ones((3, 4)), np.ones(4))
    text = str(g)
    assert "equations, 2 instructions" in text
    assert "v1 = W @ x  # 3×1" in text
    assert "= tanh(" in text
    assert len(g.program().instructions) == 2
    g(np.ones((2, 2)), np.ones(2))
    with pytest.raises(LookupError, match="there are 2 programs"):
        g.program()
    assert len(g.program(np.ones((2, 2)), np.ones(2)).instructions) == 2


def test_arguments_by_name() -> None:
    def f(x: Any, y: Any = 2.0, n: int = 3) -> Any:
        return x**n * y

    g = ag.compile(f, static_argnums=2)
    assert g(3.0) == g(x=3.0, y=2.0) == g(3.0, n=3, y=2.0) == 54.0
    assert g.value_and_grad(3.0, y=5.0, n=2, argnums=(0, 1)) == (45.0, (30.0, 9.0))
    assert len(g) == 4  # a default that is left out is not an argument
    with pytest.raises(TypeError, match="f: there is no argument 'z'; they are x, y, n"):
        g(3.0, z=1.0)  # type: ignore[call-overload]
    assert ag.compile(lambda x, *, y: x * y)(2.0, y=3.0) == 6.0
    with pytest.raises(TypeError, match=r"missing a required .*argument: 'y'"):
        ag.compile(lambda x, *, y: x * y)(2.0)  # type: ignore[call-overload]


def test_bad_input() -> None:
    with pytest.raises(TypeError, match="give a function, or a graph and its inputs"):
        ag.compile(3.0)  # type: ignore[call-overload]
    f = ag.compile(lambda x: x * 2)
    with pytest.raises(TypeError, match=r"to differentiate a compiled function, use `ag\.grad`") as caught:
        f.bind(Value(1.0))
    assert caught.type is TypeError
    with pytest.raises(TypeError, match="cannot use 'a'"):
        f("a")


def test_a_deep_chain_and_a_large_program() -> None:
    def chain(x: Any) -> Any:
        y = x
        for _ in range(20_000):
            y = y * 0.5 + x
        return y

    value, slope = ag.compile(chain, runner="llvm").value_and_grad(3.0)
    assert (value, slope) == (6.0, 2.0)


def test_matrices_apart_are_products_of_their_own() -> None:
    """Queries, keys and values at one level, in matrices that are not neighbours: none is gathered."""

    def f(p: Any, X: Any) -> Any:
        parts = [p[name] @ x for name in ("q", "k", "v") for x in X]
        return ag.sum([ag.tanh(z) for part in parts for z in part])

    rng = np.random.default_rng(0)
    p = {name: rng.normal(size=(4, 4)) for name in ("k", "other", "q", "s", "v")} | {"r": rng.normal(size=3)}
    X = rng.normal(size=(5, 4))
    g = ag.compile(f)
    value, gradient = g.value_and_grad(p, X)
    assert value == pytest.approx(sum(np.tanh(X @ p[name].T).sum() for name in "qkv"))
    assert gradient["k"] == pytest.approx((1 - np.tanh(X @ p["k"].T) ** 2).T @ X)
    assert gradient["other"].tolist() == np.zeros((4, 4)).tolist()
    kinds = [(i.kind, i.rows, i.columns) for i in g.program().instructions]
    assert kinds[:3] == [("dot", 5, 4)] * 3


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_function_bound_to_arrays(runner: str) -> None:
    def f(p: Any, x: Any, k: Any) -> Any:
        return ag.dot(p["w"].tolist(), x) * k + p["b"]

    g = ag.compile(f, runner=runner)
    args = {"w": np.array([1.0, 2.0]), "b": 0.5}, [3.0, 4.0], 2.0
    bound = g.bind(*args, argnums=(0, 2))
    bound()
    value, (dp, dk) = g.value_and_grad(*args, argnums=(0, 2))
    assert bound.value == value == 22.5
    assert (bound.gradient[0]["w"].tolist(), float(bound.gradient[0]["b"])) == (dp["w"].tolist(), dp["b"])
    assert bound.gradient[1] == dk
    p, x, k = bound.args
    p["w"][:], p["b"][...], x[1], k[...] = [-1.0, 0.0], 7.0, 10.0, 0.5
    other = g.bind(*args, argnums=(0, 2))  # has arrays of its own
    other()
    bound()
    assert (bound.value, other.value) == (5.5, 22.5)
    assert bound.gradient[0]["w"].tolist() == [1.5, 5.0]
    forward: Any = g.bind(*args)
    forward()
    assert forward.value == 22.5
    with pytest.raises(ValueError, match="give argnums to bind"):
        _ = forward.gradient
    with pytest.raises(TypeError, match="item assignment"):  # an assigned number would be read by nothing
        forward.args[2] = 3.0
    assert g(*args) == 22.5


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_bound_function_refuses_what_it_was_not_traced_for(runner: str) -> None:
    w = Value(3.0)
    g = ag.compile(lambda x: x * w if x > 0 else -x, runner=runner).bind(2.0, argnums=0)
    g()
    assert (g.value, float(g.gradient)) == (6.0, 3.0)
    g.args[0][...] = -1.0
    with pytest.raises(ValueError, match="another branch is taken"):
        g()
    g.args[0][...] = 4.0
    g()
    assert g.value == 12.0
    w.data = 5.0
    with pytest.raises(ValueError, match="it closes over was 3 when it was traced and is 5 now"):
        g()
    net = ag.nn.Neuron(2, rng=0)
    with pytest.raises(TypeError, match="give a module's parameters as such"):
        ag.compile(lambda net, x: net(x), runner=runner).bind(net, [1.0, 2.0])
