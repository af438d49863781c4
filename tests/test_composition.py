"""Transformations of compiled functions, and compiled functions in others."""

from __future__ import annotations

import inspect
import multiprocessing
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import Value, nn
from autograd_mini.structure import flatten

RUNNERS = ["numpy", "llvm"]


@pytest.mark.parametrize("runner", RUNNERS)
@given(dag=dags(max_steps=12), data=st.data())
@settings(max_examples=examples(25))
def test_transformations_of_a_compiled_function(runner: str, dag: Dag, data: st.DataObject) -> None:
    """Each is that of the function itself; and compiled it is the same to rounding."""
    at = list(dag.inputs)
    along = [data.draw(st.floats(-2, 2).map(lambda x: round(x, 3))) for _ in at]
    f = ag.compile(dag, runner=runner)
    assert ag.grad(f)(at) == ag.grad(dag)(at)
    assert ag.value_and_grad(f)(at) == ag.value_and_grad(dag)(at)
    assert ag.jvp(f, (at,), (along,)) == ag.jvp(dag, (at,), (along,))
    assert ag.hvp(f, (at,), (along,)) == ag.hvp(dag, (at,), (along,))
    assert ag.vjp(f, at)[1](1.0) == ag.vjp(dag, at)[1](1.0)
    expected = ag.hessian(dag)(at)
    assert ag.hessian(f)(at) == expected
    slopes = ag.grad(dag)(at)
    np.testing.assert_allclose(f.hessian(at), expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ag.compile(ag.grad(f), runner=runner)(at), slopes, rtol=1e-8, atol=1e-8)
    value, first, second = f.value_grad_hessian(at)
    assert value == pytest.approx(f(at), rel=1e-10, abs=1e-12)
    np.testing.assert_allclose(first, slopes, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(second, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("runner", RUNNERS)
def test_jacobians(runner: str) -> None:
    def f(p: Any, x: Any) -> Any:
        return {"y": np.tanh(p["W"] @ x), "s": x[0] * x[1]}

    p, x = {"W": np.arange(6.0).reshape(2, 3) / 7.0}, np.array([0.5, -0.25, 1.0])
    compiled = ag.compile(f, runner=runner)
    for argnums in (0, 1, (0, 1)):
        expected, structure = flatten(ag.jacobian(f, argnums)(p, x))
        for found in (ag.jacobian(compiled, argnums)(p, x), compiled.jacobian(p, x, argnums=argnums)):
            got, its = flatten(found)
            assert its == structure
            assert got == pytest.approx(expected, rel=1e-12)
    ag.check_grads(lambda x: compiled(p, x)["s"], (x,), order=2)


def test_a_compiled_function_in_another() -> None:
    inner = ag.compile(lambda x, y: ag.exp(x) * y if x > 0 else x - y)
    outer = ag.compile(lambda x: inner(x, 2.0) + inner(-x, x) ** 2)
    for x in (0.5, -0.7):
        assert outer(x) == pytest.approx(inner(x, 2.0) + inner(-x, x) ** 2, rel=1e-14)
        assert outer.grad(x) == pytest.approx(ag.grad(outer)(x), rel=1e-12)
        assert outer.grad(x) == pytest.approx((outer(x + 1e-6) - outer(x - 1e-6)) / 2e-6, rel=1e-8)


def test_a_compiled_function_of_values_is_a_graph() -> None:
    a, b = Value(5.0, "a"), Value(2.0, "b")
    J = ag.compile(lambda a, b: 3 * (a + b * b))(a, b)
    J.backward()
    assert (J.data, a.grad, b.grad) == (27.0, 3.0, 12.0)
    assert "12" in str(ag.explain(J, b))
    x = Value(2.0, "x")
    of_graph = ag.compile(x * x * x, inputs=[x])
    assert ag.grad(of_graph)([3.0]) == [27.0]
    assert of_graph.hessian([3.0]) == [[18.0]]
    assert of_graph([Value(3.0)]).data == 27.0


def test_modules() -> None:
    net = nn.MLP(2, [3, 1], "tanh", rng=0)
    f = ag.compile(lambda net, x: net(list(x)) ** 2)
    f(net, [Value(0.5), Value(-1.0)]).backward()
    slopes = {name: parameter.grad for name, parameter in net.named_parameters()}
    net.zero_grad()
    (net([0.5, -1.0]) ** 2).backward()
    assert slopes == {name: parameter.grad for name, parameter in net.named_parameters()}
    assert sorted(slopes.values()) == pytest.approx(sorted(flatten(f.grad(net, [0.5, -1.0]))[0]), rel=1e-12)


def test_static_arguments_and_errors() -> None:
    f = ag.compile(lambda x, n: x**n, static_argnums=1)
    assert f(Value(2.0), 3).data == 8.0
    assert ag.grad(f)(2.0, 3) == 12.0
    assert (f.hessian(2.0, 3), f.jacobian(2.0, 3), f.value_grad_hessian(2.0, 3)) == (12.0, 12.0, (8.0, 12.0, 12.0))
    with pytest.raises(ValueError, match="bind them first"):
        f.jvp((2.0, 3), (1.0, 0.0))

    def bad(x: Any) -> Any:
        ag.compile(lambda y: y * 2).program(x)  # of a Value: an error of the function, not of its arguments

    with pytest.raises(TypeError, match="differentiate a compiled function"):
        ag.compile(bad)(1.0)


# Methods and arguments by name.


class Spring:
    def __init__(self, k: float) -> None:
        self.k = k

    @ag.compile
    def energy(self, x: Any, *, bias: Any = 1.0) -> Any:
        return self.k * x * x + bias


class Weight(nn.Module):
    def __init__(self) -> None:
        self.w = Value(3.0, "w")

    @ag.compile
    def square(self, x: Any) -> Any:
        return self.w * x * x


@dataclass
class Line:
    k: float

    @ag.compile
    def at(self, x: Any) -> Any:
        return self.k * x


def test_methods() -> None:
    """All that a compiled function does, its method does without the instance."""
    soft, hard = Spring(2.0), Spring(3.0)
    f = hard.energy
    assert (soft.energy(2.0), f(2.0), f(2.0, bias=0.0)) == (9.0, 13.0, 12.0)
    assert (f.grad(2.0), f.value_and_grad(2.0, bias=0.5), f.grad(2.0, bias=1.0, argnums=(0, 1))) == (
        12.0,
        (12.5, 12.0),
        (12.0, 1.0),
    )
    assert f.grad(2.0, argnums=-1) == 12.0
    assert (f.jacobian(2.0), f.hessian(2.0), f.value_grad_hessian(2.0)) == (12.0, 6.0, (13.0, 12.0, 6.0))
    assert f.jvp((2.0,), (0.5,)) == (13.0, 6.0)
    assert f.jvp((2.0,), (0.5,), bias=0.0) == (12.0, 6.0)
    assert f.hvp((2.0,), (0.5,)) == 3.0
    bound = f.bind(2.0, argnums=0)
    assert (bound.value, bound.gradient) == (13.0, 12.0)
    at = np.arange(3.0)
    assert f.vmap()(at).tolist() == f.map(at).tolist() == [1.0, 4.0, 13.0]
    assert f.vmap()(at, bias=at).tolist() == [0.0, 4.0, 14.0]
    assert f.vmap().grad(at).tolist() == [0.0, 6.0, 12.0]
    with ThreadPoolExecutor(2) as pool:
        assert f.value_and_grad_over([(2.0,), (1.0,)], executor=pool) == (17.0, 18.0)
        assert Line(2.0).at.value_and_grad_over([(2.0,), (1.0,)], executor=pool, argnums=(0,)) == (6.0, (4.0,))
    assert ag.grad(f)(2.0) == 12.0
    assert ag.compile(lambda x: f(x) + soft.energy(x)).grad(2.0) == 20.0
    assert Spring.energy.grad is not None


def test_derivatives_of_a_method_in_batches_of_batches() -> None:
    """All levels share the instance, and in_axes has no entry for it."""

    class Cubic:
        k = 2.0

        @ag.compile
        def f(self, x: Any, y: Any) -> Any:
            return self.k * x * x * y

    x, y = np.arange(3.0), np.arange(4.0)
    table = Cubic().f.vmap((0, None)).vmap((None, 0))
    np.testing.assert_array_equal(table(x, y), 2 * np.multiply.outer(y, x**2))
    np.testing.assert_array_equal(table.hessian(x, y), np.multiply.outer(4 * y, np.ones(3)))
    np.testing.assert_array_equal(table.jacobian(x, y, argnums=1), np.multiply.outer(np.ones(4), 2 * x**2))


def test_the_instance_of_a_method() -> None:
    """A module and a container are arguments, whose numbers change; any other object is as it was."""
    net = Weight()
    before = len(Weight.square)
    assert (net.square(2.0), net.square.grad(2.0), net.square.jvp((2.0,), (1.0,))) == (12.0, 12.0, (12.0, 12.0))
    net.w.data = 5.0
    assert (net.square(2.0), net.square.hvp((2.0,), (1.0,)), net.square.hessian(2.0)) == (20.0, 10.0, 10.0)
    assert net.square.vmap()(np.arange(3.0)).tolist() == [0.0, 5.0, 20.0]
    assert Weight.square.grad(net, 2.0) == {"w": 4.0}
    assert len(Weight.square) == before + 1
    line = Line(2.0)
    assert (line.at(3.0), line.at.grad(3.0), Line.at.grad(line, 3.0)) == (6.0, 2.0, Line(3.0))
    line.k = 7.0
    assert (line.at(3.0), len(Line.at)) == (21.0, 1)


def test_arguments_by_name_only() -> None:
    f = ag.compile(lambda x, *, k=2.0: k * x**3)
    assert (f(2.0), f(2.0, k=3.0), f.grad(2.0, k=3.0), ag.grad(f)(2.0, k=3.0)) == (16.0, 24.0, 36.0, 36.0)
    assert len(f) == 1  # the default is a number as any
    assert (f.hessian(2.0, k=1.0), ag.hessian(f)(2.0, k=1.0), f.grad(2.0, argnums=1)) == (12.0, 12.0, 8.0)
    assert f.jvp((2.0,), (1.0,), k=1.0) == ag.jvp(lambda x: f(x, k=1.0), (2.0,), (1.0,)) == (8.0, 12.0)
    assert f.bind(2.0, k=1.0, argnums=0).gradient == 12.0
    assert f.vmap()(np.arange(3.0), k=1.0).tolist() == [0.0, 1.0, 8.0]
    assert f.hessian(2.0, argnums=[0]) == ((12.0 * 2.0,),)
    assert "dx" in f.written_backward(2.0, argnums=0)
    again = pickle.loads(pickle.dumps(f))
    assert (again(2.0, k=3.0), again(2.0)) == (24.0, 16.0)
    flagged = ag.compile(lambda x, *, twice=False, name=None: 2 * x if twice else x)  # no numbers, and so static
    assert (flagged(2.0), flagged(2.0, twice=True), flagged.grad(2.0, name="f")) == (2.0, 4.0, 1.0)
    assert (flagged.jvp((2.0,), (1.0,)), flagged.hessian(2.0, twice=True), len(flagged)) == ((2.0, 1.0), 0.0, 3)
    g = ag.compile(lambda x, *, twice: 2 * x if twice else x, static_argnames="twice")
    assert (g(2.0, twice=True), g.grad(2.0, twice=False), g.hessian(2.0, twice=True), len(g)) == (4.0, 1.0, 0.0, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f(2.0, z=1.0), "there is no argument 'z'; they are x, k"),
        (lambda f: f(), "missing a required argument: 'x'"),
        (lambda f: ag.compile(lambda x, **more: x)(1.0, y=2.0), r"y is taken by \*\*more"),
    ],
)
def test_wrong_arguments(call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(ag.compile(lambda x, *, k=2.0: k * x))


def test_names_of_static_arguments() -> None:
    with pytest.raises(ValueError, match="there is no argument 'm'; they are x, n"):
        ag.compile(lambda x, n: x**n, static_argnames="m")


# Modules, outputs of several numbers, and what a function returns besides.


def test_transformations_of_modules() -> None:
    """Tangents have the structure of the state, or are a module; derivatives are those of the numbers."""
    net = nn.MLP(2, [3, 1], "tanh", rng=0)
    x = [0.5, -1.0]

    def cost(net: Any, x: Any) -> Any:
        return net(list(x)) ** 2

    compiled = ag.compile(cost)
    direction = nn.MLP(2, [3, 1], "tanh", rng=1)
    along = direction.state_dict()
    tangents = along, [1.0, 0.5]
    value, slope = ag.jvp(cost, (net, x), tangents)
    assert ag.jvp(cost, (net, x), (direction, [1.0, 0.5])) == (value, slope)
    state, h = net.state_dict(), 1e-5

    def moved(by: float) -> Any:
        other = nn.MLP(2, [3, 1], "tanh", rng=2)
        other.load_state_dict(
            {name: (np.asarray(numbers) + by * np.asarray(along[name])).tolist() for name, numbers in state.items()}
        )
        return ag.grad(cost, (0, 1))(other, [a + by * b for a, b in zip(x, [1.0, 0.5], strict=True)])

    flat = [flatten(moved(by))[0] for by in (-h, h)]
    product = ag.hvp(cost, (net, x), tangents)
    assert flatten(product)[0] == pytest.approx(
        ((np.array(flat[1]) - np.array(flat[0])) / (2 * h)).tolist(), rel=1e-6, abs=1e-9
    )
    gradient = flatten(ag.grad(cost, (0, 1))(net, x))[0]
    assert slope == pytest.approx(np.dot(gradient, flatten(tangents)[0]), rel=1e-12)
    assert gradient == pytest.approx(flatten(compiled.grad(net, x, argnums=(0, 1)))[0], rel=1e-12)
    assert compiled.jvp((net, x), (direction, [1.0, 0.5])) == pytest.approx((value, slope), rel=1e-12)
    assert flatten(compiled.hvp((net, x), tangents))[0] == pytest.approx(flatten(product)[0], rel=1e-10)
    dense = np.reshape(flatten(ag.hessian(cost)(net, x))[0], (13, 13))
    np.testing.assert_allclose(dense, dense.T, rtol=1e-10, atol=1e-14)
    again = flatten(compiled.hessian(net, x))[0]
    np.testing.assert_allclose(np.reshape(again, (13, 13)), dense, rtol=1e-10, atol=1e-14)
    assert ag.vjp(cost, net, x)[1](1.0)[1] == pytest.approx(ag.grad(cost, 1)(net, x), rel=1e-12)
    assert net.parameters()[0].grad == 0.0


def test_what_was_computed_from_a_module_before() -> None:
    net = nn.MLP(1, [1], rng=0)
    before = net.parameters()[0] * 2
    with pytest.raises(ValueError, match="computed from the module's parameters outside of it"):
        ag.grad(lambda net: net([1.0]) * before)(net)
    with pytest.raises(ValueError, match="the same parameter is in two of the modules"):
        ag.grad(lambda a, b: a([1.0]) * b([1.0]), (0, 1))(net, net)
    with pytest.raises(TypeError, match="the tangents must have the structure"):
        ag.jvp(lambda net: net([1.0]), (net,), ({"w": 1.0},))


def test_hessians_of_several_outputs() -> None:
    def f(x: Any) -> Any:
        return {"a": x[0] ** 2 * x[1], "b": [x[0] * x[1], np.array([x[1] ** 3, x[0]])]}

    for found in (ag.hessian(f)([2.0, 3.0]), ag.compile(f).hessian([2.0, 3.0]), ag.hessian(ag.compile(f))([2.0, 3.0])):
        assert found["a"] == [[6.0, 4.0], [4.0, 0.0]]
        assert found["b"][0] == [[0.0, 1.0], [1.0, 0.0]]
        assert [[cell.tolist() for cell in row] for row in found["b"][1]] == [
            [[0.0, 0.0], [0.0, 0.0]],
            [[0.0, 0.0], [18.0, 0.0]],
        ]
    with pytest.raises(TypeError, match="one number"):
        ag.hessian(f, sparse=True)([2.0, 3.0])


def test_what_a_function_returns_besides() -> None:
    def f(x: Any) -> Any:
        return x * x, {"twice": 2 * x, "name": "f"}

    aux = {"twice": 6.0, "name": "f"}
    value, pullback, found = ag.vjp(f, 3.0, has_aux=True)
    assert (value, pullback(1.0), found) == (9.0, (6.0,), aux)
    assert ag.jvp(f, (3.0,), (1.0,), has_aux=True) == (9.0, 6.0, aux)
    assert ag.linearize(f, 3.0, has_aux=True)[2] == aux
    assert ag.jacobian(f, has_aux=True)(3.0) == (6.0, aux)
    assert ag.hessian(f, has_aux=True)(3.0) == (2.0, aux)
    matrix, found = ag.hessian(lambda x: (x[0] ** 2, x[0]), sparse=True, has_aux=True)([3.0])
    assert (matrix.toarray().tolist(), found) == ([[2.0]], 3.0)
    assert ag.jacobian(lambda x: ([x], x), has_aux=True, sparse=True)(3.0)[1] == 3.0
    with pytest.raises(TypeError, match="has_aux it must return"):
        ag.hessian(lambda x: x, has_aux=True)(1.0)


# Threads and executors.


def test_first_calls_of_threads_trace_once() -> None:
    runs: list[None] = []
    together = threading.Barrier(8)

    def f(x: Any) -> Any:
        runs.append(None)
        time.sleep(0.02)
        return x * x if x > 0 else -x

    compiled = ag.compile(f, runner="numpy")

    def call(x: float) -> float:
        together.wait()
        return float(compiled(x))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, [3.0] * 8)) == [9.0] * 8
        assert (len(runs), len(compiled)) == (1, 1)
        assert list(pool.map(call, [-3.0, 2.0] * 4)) == [3.0, 4.0] * 4
        assert (len(runs), len(compiled)) == (2, 2)
        hessians = [pool.submit(compiled.hessian, 3.0) for _ in range(8)]
        assert [future.result() for future in hessians] == [2.0] * 8


def cubed(x: Any) -> Any:
    return x**3


def cost_of(net: Any, x: Any) -> Any:
    return net(list(x)) ** 2


def test_executors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled functions and modules go to other threads and processes, and derivatives come back."""
    monkeypatch.syspath_prepend(Path(__file__).parent.parent)  # where other processes find this module
    f, net = ag.compile(cubed), nn.MLP(2, [2, 1], "tanh", rng=0)
    g, x = ag.compile(cost_of), [0.5, 1.0]
    expected = g.value_and_grad(net, x)
    shards = [(net, [0.5, 1.0]), (net, [1.0, -1.0])]
    value = sum(g(*shard) for shard in shards)
    context = multiprocessing.get_context("spawn")
    for executor in (ThreadPoolExecutor(2), ProcessPoolExecutor(2, mp_context=context)):
        with executor as pool:
            assert list(pool.map(f, [1.0, 2.0])) == [1.0, 8.0]
            assert pool.submit(f.hessian, 2.0).result() == 12.0
            assert pool.submit(f.vmap(), np.arange(3.0)).result().tolist() == [0.0, 1.0, 8.0]
            assert pool.submit(g.value_and_grad, net, x).result() == expected
            assert pool.submit(g.jvp, (net, x), (net.state_dict(), x)).result() == g.jvp(
                (net, x), (net.state_dict(), x)
            )
            assert pool.submit(net.state_dict).result() == net.state_dict()
            total, slopes = g.value_and_grad_over(shards, executor=pool)
            assert total == pytest.approx(value, rel=1e-12)
            assert slopes.keys() == net.state_dict().keys()


def test_a_method_goes_to_a_process() -> None:
    frozen = pickle.dumps(Spring(2.0).energy)
    assert pickle.loads(frozen)(3.0) == 19.0


# Nested to the third order.


ORDERS: dict[str, Callable[[Any], Any]] = {
    "grad": ag.grad,
    "jacobian": ag.jacobian,
    "fwd": lambda f: ag.jacobian(f, mode="fwd"),
    "jvp": lambda f: lambda x: ag.jvp(f, (x,), (1.0,))[1],
    "vjp": lambda f: lambda x: ag.vjp(f, x)[1](1.0)[0],
    "linearize": lambda f: lambda x: ag.linearize(f, x)[1](1.0),
    "taylor": lambda f: lambda x: ag.taylor(f, x, 1)[1],
    "derivative": ag.derivative,
    "sparse": lambda f: lambda x: _entry(ag.jacobian(lambda v: [f(v[0])], sparse=True)([x])),
    "compiled grad": lambda f: ag.compile(f).grad,
    "grad of compiled": lambda f: ag.grad(ag.compile(f)),
    "compiled jvp": lambda f: ag.compile(lambda x: ag.jvp(f, (x,), (1.0,))[1]),
    "compile": lambda f: ag.compile(ag.grad(f)),
}


def _entry(matrix: Any) -> Any:
    return matrix[0, 0]


@given(dag=dags(max_steps=6), data=st.data())
@settings(max_examples=examples(25))
def test_every_transformation_in_every_other_to_the_third_order(dag: Dag, data: st.DataObject) -> None:
    """However the third derivative is asked for, over a plain or a compiled function, it is the series'."""
    names = [data.draw(st.sampled_from(list(ORDERS))) for _ in range(3)]
    rest = dag.inputs[1:]

    def f(x: Any) -> Any:
        return dag([x, *rest])

    expected = 6.0 * ag.taylor(f, dag.inputs[0], 3)[3]
    nested: Any = ag.compile(f) if data.draw(st.booleans()) else f
    for name in names:
        nested = ORDERS[name](nested)
    assert nested(dag.inputs[0]) == pytest.approx(expected, rel=1e-7, abs=1e-7)


# What is differentiated or traced is recorded, whatever the compiled function is given.


class Weighted(nn.Module):
    """A module with compiled methods, of which one calls the other."""

    def __init__(self) -> None:
        self.w = Value(2.0)

    @ag.compile
    def penalty(self) -> Any:
        return self.w * self.w

    @ag.compile
    def cost(self, x: Any) -> Any:
        return self.penalty() + x * self.w


def test_a_module_alone_is_differentiated() -> None:
    net, x = nn.Neuron(2, "tanh", rng=0), [1.0, -0.7]

    def f(n: Any, x: Any) -> Any:
        return n(x) ** 2

    compiled = ag.compile(f)
    expected = ag.grad(f)(net, x)
    for found in (
        ag.grad(compiled)(net, x),
        ag.compile(lambda n: compiled(n, x)).grad(net),
        ag.compile(ag.grad(compiled))(net, x),
        ag.grad(lambda n: compiled(n, x))(net),
    ):
        assert flatten(found)[0] == pytest.approx(flatten(expected)[0], rel=1e-12)
    assert ag.hessian(compiled, sparse=True)(net, x).nnz == 9
    module = Weighted()
    assert ag.grad(lambda m: m.cost(3.0))(module) == {"w": 7.0}
    assert Weighted.cost.grad(module, 3.0) == {"w": 7.0}


def test_what_a_compiled_function_closes_over_is_differentiated() -> None:
    class Scaled:
        def __init__(self, k: Any) -> None:
            self.k = k

        @ag.compile
        def f(self, x: Any) -> Any:
            return self.k * x

    assert ag.grad(lambda v: Scaled(v).f(3.0))(2.0) == 3.0
    assert ag.grad(lambda v: ag.compile(lambda x: v * x)(3.0))(2.0) == 3.0


RUNS: dict[str, tuple[Callable[[Any], Any], float]] = {  # with its derivative for v * x with respect to v
    "value_and_grad": (lambda f: f.value_and_grad(2.0)[0], 2.0),
    "grad": (lambda f: f.grad(2.0), 1.0),
    "bind": (lambda f: f.bind(2.0).value, 2.0),
    "map": (lambda f: f.map([2.0, 3.0]).sum(), 5.0),
    "a gradient of a batch": (lambda f: f.vmap().value_and_grad([2.0, 3.0])[1].sum(), 2.0),
}
runs = pytest.mark.parametrize(("run", "slope"), RUNS.values(), ids=RUNS)


@runs
def test_a_derivative_goes_through_every_call_except_that_of_bind(run: Callable[[Any], Any], slope: float) -> None:
    """What bind returns is a number, and so the derivative would be 0."""

    def through(v: Any) -> Any:
        return run(ag.compile(lambda x: v * v * x))

    if run is RUNS["bind"][0]:
        with pytest.raises(TypeError, match="depends on an input of the function that is being differentiated"):
            ag.grad(through)(3.0)
    else:
        assert (ag.grad(through)(3.0), ag.hessian(through)(3.0)) == (6 * slope, 2 * slope)
        assert ag.compile(through).value_and_grad(3.0) == (9 * slope, 6 * slope)

    def unrecorded(v: Any) -> Any:
        with ag.no_grad():
            return v * run(ag.compile(lambda x: v * x))

    assert ag.grad(unrecorded)(3.0) == 0.0  # as of any function that does not record
    other = Value(3.0)
    assert ag.grad(lambda v: v * run(ag.compile(lambda x: other * x)))(3.0) == run(ag.compile(lambda x: 3.0 * x))


@runs
def test_the_same_after_the_program_has_run(run: Callable[[Any], Any], slope: float) -> None:
    net = nn.Neuron(1, activation=None, rng=0)
    f = ag.compile(lambda x: net([x]))
    run(f)
    if run is RUNS["bind"][0]:
        with pytest.raises(TypeError, match="w_1 is a constant here"):
            ag.grad(lambda n: run(f))(net)
    else:
        assert ag.grad(lambda n: run(f))(net)["w"] == [slope]
    given = ag.compile(lambda n, x: n([x]))
    assert ag.grad(lambda n: given.value_and_grad(n, 2.0)[0])(net)["w"] == [2.0]
    batch = given.vmap((None, 0))
    batch(net, [2.0])
    assert ag.grad(lambda n: batch(n, [2.0, 5.0]).sum())(net)["w"] == [7.0]


@runs
def test_constants_of_a_program_in_a_program_may_be_assigned(run: Callable[[Any], Any], slope: float) -> None:
    w = Value(3.0)
    inner = ag.compile(lambda x: w * x)
    run(inner)  # the programs are there before the outer function is traced
    outer = ag.compile(lambda y: y * run(inner))
    before = outer(1.0)
    w.data = 6.0
    assert outer(1.0) == 2 * before


def test_a_bound_call_tells_of_its_constants() -> None:
    w = Value(3.0)
    bound = ag.compile(lambda x: w * x).bind(2.0)

    def f(v: Any) -> Any:
        bound()
        return v * bound.value

    outer = ag.compile(f)
    assert outer(1.0) == 6.0
    w.data = 5.0
    with pytest.raises(ValueError, match="now"):
        outer(1.0)


def test_a_trace_refuses_an_input_of_a_derivative() -> None:
    with pytest.raises(TypeError, match="depends on an input of the function that is being differentiated"):
        ag.grad(lambda v: ag.trace(lambda x: v * x, 2.0)(2.0))(3.0)


def test_equal_instances_have_programs_of_their_own() -> None:
    class Item:
        def __init__(self, name: str, k: float) -> None:
            self.name, self.k = name, k

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Item) and self.name == other.name

        def __hash__(self) -> int:
            return hash(self.name)

        @ag.compile
        def f(self, x: Any, *, scale: float = 1.0) -> Any:
            return self.k * x * scale

    a, b = Item("a", 2.0), Item("a", 3.0)
    assert (a.f(1.0), b.f(1.0), a.f(1.0, scale=5.0)) == (2.0, 3.0, 10.0)
    assert ag.compile(ag.grad(a.f))(2.0) == 2.0
    assert "double x" in a.f.source("c", 2.0, derivative="grad")
    assert list(inspect.signature(a.f).parameters) == ["x", "scale"]


def test_flags_by_name_in_jvp_and_hvp() -> None:
    def f(x: Any, *, flag: bool = False) -> Any:
        return x * x if flag is True else x

    compiled = ag.compile(f)
    assert compiled.jvp((3.0,), (1.0,), flag=True) == (9.0, 6.0)
    assert compiled.jvp((3.0,), (1.0,)) == (3.0, 1.0)
    assert compiled.hvp((3.0,), (1.0,), flag=True) == 2.0
    assert (compiled.jvp((3.0,), (1.0,), flag=1), compiled.hvp((3.0,), (1.0,), flag=1)) == ((3.0, 1.0), 0.0)


def test_negative_argnums_count_from_the_last_argument_with_a_place() -> None:
    def f(x: Any, *, s: float = 2.0) -> Any:
        return x * s

    compiled = ag.compile(f)
    assert compiled.grad(3.0, argnums=-1) == ag.grad(f, argnums=-1)(3.0) == compiled.jacobian(3.0, argnums=-1) == 2.0
    assert compiled.vmap().grad([3.0, 4.0], argnums=-1).tolist() == [2.0, 2.0]
    assert compiled.grad(3.0, argnums=1) == 3.0
    with pytest.raises(ValueError, match="argnums -2, but the call has 2 arguments, 1 of them keyword-only"):
        compiled.grad(3.0, argnums=-2)


def test_defaults_that_are_no_numbers_may_be_left_out() -> None:
    def f(x: Any, y: Any = 4.0, mode: str = "times", *, scale: Any = 2.0) -> Any:
        return scale * (x * y if mode == "times" else x + y)

    compiled = ag.compile(f)
    assert [compiled(3.0), compiled(3.0, 5.0), compiled(3.0, y=5.0), compiled(3.0, scale=1.0)] == [
        24.0,
        30.0,
        30.0,
        12.0,
    ]
    assert (compiled.grad(3.0, scale=1.0), compiled.grad(3.0, argnums=1)) == (4.0, 6.0)
    assert compiled.vmap((0, None)).grad([1.0, 2.0], y=5.0).tolist() == [10.0, 10.0]
    named = ag.compile(f, static_argnums=2)
    assert (named(3.0, y=5.0), named(3.0, mode="plus")) == (30.0, 14.0)
    with pytest.raises(TypeError, match="call it before you pickle it"):  # Python cannot pickle f
        pickle.loads(pickle.dumps(ag.compile(f)))(3.0)
    with pytest.raises(TypeError, match="cannot use 'plus' of type str"):
        compiled(3.0, mode="plus")


@pytest.mark.parametrize("f", [np.sin, np.mean, np.sum, np.matmul, np.linalg.norm])
def test_functions_of_numpy(f: Any) -> None:
    """Their signatures have defaults that are no numbers, and a ufunc refuses some of its own."""
    args = [np.array([0.5, 2.0]), *[np.array([1.0, 3.0])] * (f is np.matmul)]
    np.testing.assert_allclose(ag.compile(f)(*args), f(*args), rtol=1e-15)


def test_programs_of_batches_are_written_with_their_own_axes_by_name() -> None:
    """A call does not change the text of the programs that other calls by name have used."""

    def f(x: Any, *, s: Any) -> Any:
        return ag.sum(x * (s["a"] if isinstance(s, dict) else s))

    x, rows = np.ones((3, 2)), np.ones((3, 2))
    calls: list[tuple[Any, Any]] = [(rows, 0), (2.0, None), (np.ones(3), 0), ({"a": rows}, 0), ({"a": 2.0}, None)]
    compiled = ag.compile(f)
    by_name = compiled.vmap()
    expected: dict[int, str] = {}  # the text of each program, as its last call writes it
    for k in (0, 1, 3, 4, 0, 2, 1, 4, 2):
        s, axis = calls[k]
        by_name(x, s=s)
        alone = ag.compile(with_places(f)).vmap((0, axis))
        alone(x, s)
        expected[1 if k == 2 else k] = str(alone)  # a number that differs between examples, and one that does not
        assert str(by_name) == "\n\n".join(expected.values())
    assert len(compiled) == len(expected)


def test_batches_with_static_arguments_are_written() -> None:
    """A static argument may have its default, or be named twice."""
    text = "  # inputs: X m×1\n  V1 = X**2  # m×1\n  return V1"
    default = ag.compile(lambda x, n=2: x**n, static_argnums=1)
    twice = ag.compile(lambda n, x: x**n, static_argnums=(0, -2))
    calls: list[tuple[Any, Any, Any]] = [
        (default, (0,), ([3.0],)),
        (default, (0, None), ([3.0], 2)),
        (twice, (None, 0), (2, [3.0])),
    ]
    for f, in_axes, args in calls:
        batched = f.vmap(in_axes)
        assert batched(*args).tolist() == [9.0]
        assert str(batched).endswith(text)


def with_places(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of x and s whose arguments can be given by place."""

    def placed(x: Any, s: Any) -> Any:
        return f(x, s=s)

    placed.__name__ = f.__name__
    return placed


def test_containers_by_name_in_batches() -> None:
    f = ag.compile(lambda x, *, p: x * p["a"]).vmap()
    assert f([1.0, 2.0], p={"a": [3.0, 4.0]}).tolist() == [3.0, 8.0]
    assert f([1.0, 2.0], p={"a": np.array([3.0, 4.0])}).tolist() == [3.0, 8.0]
    assert ag.compile(lambda x, *, p: x * p[0] * p[1]).vmap()([1.0, 2.0], p=(np.array([3.0, 4.0]), 2.0)).tolist() == [
        6.0,
        16.0,
    ]
