"""Compiled programs beyond one call: batches, derivatives along directions, choices, modules, other machines."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import Dag, cubic, dags, examples

import autograd_mini as ag
from autograd_mini import Value, nn

RUNNERS = ["numpy", "llvm"]
numbers = st.floats(-2, 2).map(lambda x: round(x, 3))


@pytest.mark.parametrize("runner", RUNNERS)
@given(dag=dags(max_steps=20), m=st.integers(1, 70), threads=st.integers(1, 3), seed=st.integers(0, 99))
@settings(max_examples=examples(40))
def test_a_batch_is_its_examples(runner: str, dag: Dag, m: int, threads: int, seed: int) -> None:
    """Each example's value and gradient as from a call of its own; beside the scalar program, and beside eager."""
    rng = np.random.default_rng(seed)
    X = np.array(dag.inputs) + 1e-3 * rng.normal(size=(m, len(dag.inputs)))
    f = ag.compile(lambda x: dag(list(x)), runner=runner)
    batched = f.vmap(threads=threads)
    values, slopes = batched.value_and_grad(X)
    assert values.shape == (m,)
    assert slopes.shape == X.shape
    for x, value, slope in zip(X, values, slopes, strict=True):
        one, its = f.value_and_grad(x)
        assert value == pytest.approx(one, rel=1e-12, abs=1e-12)
        assert slope == pytest.approx(its, rel=1e-9, abs=1e-9)
    assert batched(X) == pytest.approx(values, rel=1e-14)


@pytest.mark.parametrize("runner", RUNNERS)
def test_what_does_not_vary_gets_the_sum(runner: str) -> None:
    rng = np.random.default_rng(0)
    W, X, y = rng.normal(size=(3, 4)), rng.normal(size=(50, 4)), rng.normal(size=50)

    def loss(p: Any, x: Any, t: Any) -> Any:
        return (ag.sum(np.tanh(p["W"] @ x)) - t * p["b"]) ** 2

    f = ag.compile(loss, runner=runner)
    values, (dp, dx) = f.vmap((None, 0, 0)).value_and_grad({"W": W, "b": 0.5}, X, y, argnums=(0, 1))
    A = np.tanh(X @ W.T)
    E = A.sum(axis=1) - 0.5 * y
    assert values == pytest.approx(E**2)
    dZ = 2 * E[:, None] * (1 - A**2)
    assert dp["W"] == pytest.approx(dZ.T @ X)
    assert dp["b"] == pytest.approx((-2 * E * y).sum())
    assert dx == pytest.approx(dZ @ W)


def test_results_do_not_depend_on_the_threads() -> None:
    X = np.random.default_rng(1).normal(size=(5000, 3))
    f = ag.compile(lambda w, x: ag.exp(ag.sin(w * x[0]) * x[1]) + w * x[2], runner="llvm")
    one, two, five = (f.vmap((None, 0), threads=n).value_and_grad(0.3, X, argnums=(0, 1)) for n in (1, 2, 5))
    for other in (two, five):
        assert (one[0] == other[0]).all()
        assert one[1][0] == other[1][0]
        assert (one[1][1] == other[1][1]).all()


@pytest.mark.parametrize("runner", RUNNERS)
def test_axes_structures_and_branches(runner: str) -> None:
    f = ag.compile(lambda x, y: {"s": x + y, "p": [x * y, 2.0]}, runner=runner)
    out = f.vmap((0, None))([1.0, 2.0, 3.0], 10.0)
    assert out["s"].tolist() == [11.0, 12.0, 13.0]
    assert out["p"][0].tolist() == [10.0, 20.0, 30.0]
    assert out["p"][1].tolist() == [2.0] * 3
    X = np.arange(6.0).reshape(2, 3)
    g = ag.compile(lambda x: x * x[0], runner=runner)
    assert (g.vmap(1)(X) == np.array([c * c[0] for c in X.T])).all()
    assert (g.map(X) == np.array([r * r[0] for r in X])).all()
    kinked = ag.compile(lambda a, x: a * x if x > 0 else -x, runner=runner)
    values, (da, dx) = kinked.vmap((None, 0)).value_and_grad(3.0, [1.0, -2.0, 4.0], argnums=(0, 1))
    assert (values.tolist(), da, dx.tolist()) == ([3.0, 2.0, 12.0], 5.0, [3.0, -1.0, 3.0])
    static = ag.compile(lambda x, n: x**n, static_argnums=1, runner=runner)
    assert static.vmap((0, None))([1.0, 2.0], 3).tolist() == [1.0, 8.0]


@pytest.mark.parametrize("runner", ["numpy", None])
def test_a_batch_of_no_examples(runner: str | None) -> None:
    f = ag.compile(lambda x, y: ag.log(x) * y, runner=runner)
    assert len(f.map([], [])) == 0
    assert f.vmap((None, 0))(3.0, np.zeros(0)).shape == (0,)
    value, (slope, slopes) = f.vmap((None, 0)).value_and_grad(3.0, np.zeros(0), argnums=(0, 1))
    assert (value.shape, slope, slopes.shape) == ((0,), 0.0, (0,))
    tree = ag.compile(lambda p: [p["a"], p["b"][0] * p["b"][1]], runner=runner)
    first, second = tree.vmap()({"a": [], "b": np.zeros((0, 2))})
    assert first.shape == second.shape == (0,)
    branching = ag.compile(lambda x: x if x > 0 else -x, runner=runner)
    assert branching.vmap()([]).shape == (0,)


def test_lists_inside_a_dict_are_arrays_too() -> None:
    f = ag.compile(lambda p: p["a"] * p["b"][0])
    assert f.vmap()({"a": [1.0, 2.0], "b": [[3.0, 0.0], [4.0, 0.0]]}).tolist() == [3.0, 8.0]


def test_bad_batches() -> None:
    f = ag.compile(lambda x, y: x * y)
    with pytest.raises(ValueError, match="in_axes has 1 entry for 2 arguments: give one"):
        f.vmap((0,))([1.0], [2.0])
    with pytest.raises(ValueError, match="in_axes must have an axis"):
        f.vmap(None)(1.0, 2.0)
    with pytest.raises(ValueError, match=r"the same number of examples, not \[1, 2\]"):
        f.map([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"the same number of examples, not \[0, 1\]"):
        f.vmap()([], [1.0])
    with pytest.raises(ValueError, match=r"was given the number 2.0 where it counts examples. Type \[2.0\]"):
        f.vmap()([1.0], 2.0)
    with pytest.raises(OverflowError, match="vmap: a number is too large for a float"):
        f.vmap()([10**400], [1.0])
    with pytest.raises(ValueError, match="threads"):
        f.vmap(threads=0)
    with pytest.raises(TypeError, match="a gradient needs one output"):
        ag.compile(lambda x: [x, x]).vmap().value_and_grad([1.0])


@given(dag=dags(max_steps=12), data=st.data())
@settings(max_examples=examples(25))
def test_derivatives_along_tangents(dag: Dag, data: st.DataObject) -> None:
    at = list(dag.inputs)
    along = [data.draw(numbers) for _ in at]
    f = ag.compile(dag, runner="numpy")
    assert f.jvp((at,), (along,)) == pytest.approx(ag.jvp(dag, (at,), (along,)), rel=1e-9, abs=1e-9)
    got, expected = f.hvp((at,), (along,)), ag.hvp(dag, (at,), (along,))
    assert got == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_derivatives_of_a_graph_that_exists() -> None:
    x, y = Value(2.0, "x"), Value(3.0, "y")
    f = ag.compile(x * x * y, inputs=[x, y])
    assert f.jvp(([2.0, 3.0],), ([1.0, 0.0],)) == (12.0, 12.0)
    assert f.hvp(([2.0, 3.0],), ([1.0, 0.0],)) == [6.0, 4.0]
    with pytest.raises(ValueError, match="bind them first"):
        ag.compile(lambda x, n: x**n, static_argnums=1).jvp((2.0, 3), (1.0, 0))


@pytest.mark.parametrize("runner", RUNNERS)
@given(n=st.integers(2, 9), width=st.integers(1, 4), tokens=st.lists(st.integers(0, 8), min_size=1, max_size=6))
@settings(max_examples=examples(30))
def test_take(runner: str, n: int, width: int, tokens: list[int]) -> None:
    """An embedding: one program for all tokens of that number, equal to plain indexing."""
    tokens = [t % n for t in tokens]
    E = np.arange(float(n * width)).reshape(n, width) / 7

    def f(E: Any, tokens: Any) -> Any:
        rows = [ag.take(E, t) for t in tokens]
        return ag.sum(ag.tanh(x) * (k + 1) for k, row in enumerate(rows) for x in row)

    compiled = ag.compile(f, runner=runner)
    compiled(E, [0] * len(tokens))
    value, slopes = compiled.value_and_grad(E, tokens)
    weights = np.zeros(n)
    np.add.at(weights, tokens, np.arange(1.0, len(tokens) + 1))
    assert value == pytest.approx((np.tanh(E) * weights[:, None]).sum())
    assert slopes == pytest.approx((1 - np.tanh(E) ** 2) * weights[:, None])
    assert sum(i.kind == "take" for i in compiled.program().instructions) == 1
    assert "= take(E, " in str(compiled)
    assert " = scattered(dv" in compiled.written_backward(argnums=0)
    values = compiled.vmap((None, 0))(E, [tokens, [0] * len(tokens)])
    assert values == pytest.approx([value, compiled(E, [0] * len(tokens))])
    assert np.isnan(compiled(E, [n] * len(tokens)))  # there is no such row: no number


def test_take_in_a_graph() -> None:
    xs, i = [Value(float(k), f"x_{k}") for k in (5, 6, 7)], Value(1.0, "i")
    z = ag.take(xs, i) * 2
    z.backward()
    assert (z.data, [x.grad for x in xs], i.grad) == (12.0, [0.0, 2.0, 0.0], 0.0)
    assert ag.unfold(z).data == 12.0
    assert pickle.loads(pickle.dumps(z)).parents[0].op is z.parents[0].op
    assert str(ag.explain(z, xs[1])).endswith("2 · (i == 1) = 2 · (1 == 1) = 2 · 1 = 2")
    assert ag.take(xs, 2) is xs[2]
    assert isinstance(ag.take(np.array(xs, dtype=object).reshape(3, 1), i), np.ndarray)
    for bad in (3, -1, 0.5, Value(3.0)):
        with pytest.raises(IndexError, match="take: the index must be a whole number from 0 to"):
            ag.take(xs, bad)
    with pytest.raises(ValueError, match="row 1 has the structure"):
        ag.take([[1.0], [1.0, 2.0]], Value(0.0))


@pytest.mark.parametrize("runner", RUNNERS)
def test_modules_as_arguments(runner: str) -> None:
    net = nn.MLP(2, [3, 1], "tanh", rng=0)
    f = ag.compile(lambda net, x: net(x) ** 2, runner=runner)
    for _ in range(2):
        value, gradient = f.value_and_grad(net, [0.5, -1.0])
        J = net([0.5, -1.0]) ** 2
        net.zero_grad()
        J.backward()
        assert value == pytest.approx(J.data)
        assert list(gradient) == list(net.state_dict())
        assert gradient["layers.0.neurons.1.w"] == pytest.approx([w.grad for w in net.layers[0].neurons[1].w])
        for p in net.parameters():
            p.data += 0.1
    assert len(f.program().instructions) == len(f.program(net, [1.0, 2.0]).instructions)
    assert f.value_and_grad([net][0], [0.5, -1.0], argnums=1)[1] == pytest.approx(
        ag.grad(lambda x: net(x) ** 2)([0.5, -1.0])
    )


SHARDS = [({"a": 2.0, "b": np.array(0.5)}, np.arange(3.0) + k) for k in range(5)]


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as made:
        yield made


def check_over(executor: Executor) -> None:
    X = np.array([x for _, x in SHARDS])
    for f in (cubic, lambda w, x: 1.0 * cubic(w, x)):  # one that a worker can import, and one that it cannot
        compiled = ag.compile(f, runner="numpy")
        value, gradient = compiled.value_and_grad_over(SHARDS, executor=executor)
        assert value == pytest.approx(2.0 * (X**3).sum() + 0.5 * X.size)
        assert gradient["a"] == pytest.approx((X**3).sum())
        assert gradient["b"] == X.size


def test_over_threads_and_processes(pool: Executor) -> None:
    check_over(pool)
    with ThreadPoolExecutor(2) as threads:
        check_over(threads)
        with pytest.raises(ValueError, match="there are no shards"):
            ag.compile(cubic).value_and_grad_over([], executor=threads)


def test_a_lost_worker() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as broken:
        with pytest.raises(Exception, match="terminated abruptly"):
            broken.submit(os._exit, 1).result()
        with pytest.warns(UserWarning, match="5 of 5 shards ran in this process"):
            check_over(broken)


def test_over_dask() -> None:
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as c,
            distributed.Client(c) as client,
        ):
            check_over(client.get_executor())


@pytest.mark.parametrize("runner", RUNNERS)
def test_programs_pickle(runner: str) -> None:
    f = ag.compile(cubic, runner=runner)
    before = f.value_and_grad(*SHARDS[1])
    again = pickle.loads(pickle.dumps(f))
    assert again.value_and_grad(*SHARDS[1]) == before
    assert str(again) == str(f)
    branching = ag.compile(lambda x: x * x if x > 0 else -x, runner=runner)
    assert branching.value_and_grad(3.0) == (9.0, 6.0)
    without_its_function = pickle.loads(pickle.dumps(branching))
    assert not hasattr(without_its_function, "__wrapped__")
    assert again.__wrapped__ is cubic
    assert without_its_function.value_and_grad(4.0) == (16.0, 8.0)
    with pytest.raises(ValueError, match="would have taken another branch"):
        without_its_function(-1.0)
    bare = pickle.loads(pickle.dumps(ag.compile(lambda x: x * x)))
    with pytest.raises(TypeError, match="it had no program yet: call it before you pickle it"):
        bare(1.0)


@pytest.mark.parametrize(
    ("loss", "make"),
    [
        ("binary_cross_entropy", lambda: nn.two_layer_net(2, 3, rng=0)),
        ("log_loss", lambda: nn.two_layer_net(2, 3, rng=0)),
        ("mean_squared_error", lambda: nn.MLP(2, [3, 2], "tanh", rng=0)),
        ("cross_entropy", lambda: nn.MLP(2, [4, 3], "gelu", rng=0)),
        ("hinge", lambda: nn.MLP(2, [4, 1], "relu", rng=0)),
    ],
)
@pytest.mark.parametrize("batch_size", [None, 4])
def test_training_with_programs(loss: str, make: Any, batch_size: int | None) -> None:
    X, labels = nn.datasets.moons(18, rng=0)
    y: Any = {"hinge": [2 * k - 1 for k in labels], "mean_squared_error": [[k, 1 - k] for k in labels]}.get(
        loss, labels
    )
    nets = [make(), make()]
    eager, fast = (
        nn.fit(net, X, y, loss=loss, epochs=6, batch_size=batch_size, rng=0, progress=False, compiled=net is nets[1])
        for net in nets
    )
    assert fast["cost"] == pytest.approx(eager["cost"], rel=1e-9)
    assert [p.data for p in nets[0].parameters()] == pytest.approx(
        [p.data for p in nets[1].parameters()], rel=1e-7, abs=1e-7
    )


def test_training_that_fails_says_the_same() -> None:
    messages = []
    for compiled in (False, True):
        net = nn.MLP(1, [1], output=ag.log, rng=0)
        before = net.state_dict()
        with pytest.raises(nn.TrainingError) as raised:
            nn.fit(net, [[1.0], [-1.0]], [0.0, 0.0], loss="mean_squared_error", progress=False, compiled=compiled)
        assert net.state_dict() == before
        messages.append(str(raised.value))
    assert messages[0] == messages[1]
    assert "math domain error in log" in messages[0]


def test_one_program_in_many_threads() -> None:
    f = ag.compile(lambda w, x: ag.sum([ag.tanh(w * v) for v in x]))
    X = np.random.default_rng(0).normal(size=(200, 30))
    expected = [f.value_and_grad(k / 100, x) for k, x in enumerate(X)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda k: f.value_and_grad(k / 100, X[k]), range(len(X))))
        batches = list(threads.map(lambda k: f.vmap((None, 0))(k / 100, X[:9]).tolist(), range(50)))
    assert found == expected
    assert batches == [f.vmap((None, 0))(k / 100, X[:9]).tolist() for k in range(50)]


class Point(NamedTuple):
    """Two numbers, or two arrays of them."""

    x: Any
    y: Any


@pytest.mark.parametrize("runner", RUNNERS)
def test_named_tuples(runner: str) -> None:
    f = ag.compile(lambda p, w: p.x * w + p.y, runner=runner)
    many = Point(np.arange(4.0), np.ones(4))
    values, (dp, dw) = f.vmap((0, None)).value_and_grad(many, 2.0, argnums=(0, 1))
    assert (values.tolist(), dw) == ([1.0, 3.0, 5.0, 7.0], 6.0)
    assert isinstance(dp, Point)
    assert dp.x.tolist() == [2.0] * 4
    assert f.grad(Point(1.0, np.float32(2.0)), np.array(3.0)) == Point(3.0, 1.0)


def test_what_must_not_come_out_wrong() -> None:
    net = nn.Neuron(1, None, rng=0)
    f = ag.compile(lambda a, b, x: a(x) + 10 * b(x))
    with pytest.raises(ValueError, match="the same parameter is in two of the modules"):
        f(net, net, [3.0])
    with pytest.raises(TypeError, match="a module's parameters would be constants"):
        ag.compile(net)
    with ThreadPoolExecutor(1) as pool:
        g = ag.compile(lambda nets, x: nets[0](x))
        assert g.value_and_grad_over([([net], [1.0])], executor=pool) == g.value_and_grad([net], [1.0])
    with pytest.raises(ValueError, match=r"the result of example 0 is .*, but that of example 1 is"):
        ag.compile(lambda x: [x * 2, x] if x > 0 else x).map([1.0, -1.0])
    static = ag.compile(lambda x, m: x * 2 if m is True else x * 3, static_argnums=1)
    assert (static(1.0, 1), static(1.0, True)) == (3.0, 2.0)
    with pytest.raises(TypeError, match="static arguments must be hashable"):
        static(1.0, [1])
    assert ag.compile(ag.compile(ag.log), check=True)._programs.check
    checked = ag.compile(lambda x: ag.log(x) + 1.0, check=True)
    with pytest.raises(ValueError, match="math domain error"):
        checked.map([1.0, -1.0])
    assert ag.compile(lambda x, y: x * y).grad(2.0, 3.0, argnums=np.int64(1)) == 2.0  # type: ignore[arg-type]


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_choice_must_be_whole(runner: str) -> None:
    f: Any = ag.compile(ag.take, runner=runner)  # mypy takes the first overload of `take` alone, of sequences
    x = np.arange(3.0)
    assert f(x, 1.0) == 1.0
    assert np.isnan([f(x, 1.5), f(x, -1.0), f(x, 3.0), f(x, float("nan"))]).all()
    assert np.isnan(f.vmap((None, 0))(x, [1.0, 1.5])).tolist() == [False, True]


def test_a_branch_at_a_rounding() -> None:
    """The loops may add in another order than Python; a branch that is then taken otherwise is traced but once."""
    x = np.random.default_rng(1).normal(size=40)
    values = np.array([Value(a) for a in x.tolist()], dtype=object)
    limit = (values @ values).data
    f = ag.compile(lambda x, c: x @ x if x @ x >= c else 0 * c)
    assert [f(x, limit) for _ in range(3)] == pytest.approx([limit] * 3)
    assert len(f) <= 2


def test_training_moves_with_what_the_optimizer_does_not_hold() -> None:
    costs = []
    for compiled in (False, True):
        net = nn.Neuron(1, None, rng=0)

        def move(_: Any, net: Any = net) -> None:
            net.b.data += 0.5

        sgd = nn.SGD(net.w, lr=0.01)
        data = [[1.0], [2.0]], [1.0, 2.0]
        fit = nn.fit(
            net, *data, loss="mean_squared_error", optimizer=sgd, epochs=4, progress=False, stop=move, compiled=compiled
        )
        costs.append(fit["cost"])
    assert costs[0] == pytest.approx(costs[1])
