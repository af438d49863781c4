"""Batches in functions that are differentiated or traced: they are what a loop over the examples is."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import examples

import autograd_mini as ag
from autograd_mini import Value, nn

W, X = np.array([0.5, -2.0]), np.array([[1.0, 2.0], [-0.5, 0.25], [3.0, -1.0]])


def f(w: Any, x: Any) -> Any:
    return ag.sum(w * np.tanh(x)) ** 2


def looped(w: Any, rows: Any, axis: int = 0) -> Any:
    """The batch by hand."""
    rows = np.moveaxis(np.asarray(rows), axis, 0)
    return np.array([f(w, row) for row in rows])


BATCHES: dict[str, tuple[Any, Any]] = {
    "first axis": (X, 0),
    "last axis": (np.ascontiguousarray(X.T), 1),
    "counted from the end": (X, -2),
    "a list": (X.tolist(), 0),
    "one example": (X[:1], 0),
}
batches = pytest.mark.parametrize(("rows", "axis"), BATCHES.values(), ids=BATCHES)


@batches
def test_every_transformation_of_a_batch_is_that_of_a_loop(rows: Any, axis: int) -> None:
    batched = ag.compile(f).vmap((None, axis))
    rng = np.random.default_rng(0)
    along = rng.normal(size=2), rng.normal(size=np.shape(rows))

    def of_batch(w: Any, x: Any) -> Any:
        return ag.sum(np.exp(batched(w, x)) / 4)

    def of_loop(w: Any, x: Any) -> Any:
        return ag.sum(np.exp(looped(w, x, axis)) / 4)

    array = np.asarray(rows)
    transformations: list[Callable[[Any], Any]] = [
        lambda of: ag.grad(of, argnums=(0, 1))(W, array),
        lambda of: ag.hessian(of)(W, array),
        lambda of: ag.hessian(of, argnums=1)(W, array),
        lambda of: ag.jvp(of, (W, array), along)[1],
        lambda of: ag.hvp(of, (W, array), along),
        lambda of: ag.compile(of)(W, array),
        lambda of: ag.compile(of).grad(W, array, argnums=(0, 1)),
        lambda of: ag.compile(of).hessian(W, array),
        lambda of: ag.compile(ag.grad(of))(W, array),
        lambda of: ag.grad(ag.compile(of))(W, array),
        lambda of: ag.grad(lambda w: ag.sum(ag.grad(of, argnums=1)(w, array).ravel()))(W),
        lambda of: ag.trace(of, W, array)(W, array),
        lambda of: [z.data for z in of([Value(w) for w in W], array).parents],
    ]
    for transform in transformations:
        np.testing.assert_allclose(_flat(transform(of_batch)), _flat(transform(of_loop)), rtol=1e-12, atol=1e-13)


def _flat(found: Any) -> Any:
    return np.concatenate([np.ravel(part) for part in (found if isinstance(found, tuple) else (found,))])


DERIVED: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "grad": (lambda b, w: b.grad(w, X), lambda one, w: sum(ag.grad(one)(w, x) for x in X)),
    "grad of the examples": (
        lambda b, w: b.grad(w, X, argnums=1),
        lambda one, w: np.array([ag.grad(one, 1)(w, x) for x in X]),
    ),
    "value_and_grad": (
        lambda b, w: b.value_and_grad(w, X, argnums=(1, 0))[1][1],
        lambda one, w: sum(ag.grad(one)(w, x) for x in X),
    ),
    "jvp": (
        lambda b, w: b.jvp((w, X), (w, X))[1],
        lambda one, w: np.array([ag.jvp(one, (w, x), (w, x))[1] for x in X]),
    ),
    "hvp": (
        lambda b, w: b.hvp((w, X), (w, X))[0],
        lambda one, w: np.array([ag.hvp(one, (w, x), (w, x))[0] for x in X]),
    ),
    "jacobian": (lambda b, w: b.jacobian(w, X), lambda one, w: np.array([ag.jacobian(one)(w, x) for x in X])),
    "hessian": (
        lambda b, w: b.hessian(w, X, argnums=1),
        lambda one, w: np.array([ag.hessian(one, 1)(w, x) for x in X]),
    ),
}


@pytest.mark.parametrize(("of_batch", "of_loop"), DERIVED.values(), ids=DERIVED)
def test_derivatives_of_a_batch_are_differentiated_and_compiled(of_batch: Any, of_loop: Any) -> None:
    batched = ag.compile(f).vmap((None, 0))
    expected = of_loop(f, W)
    np.testing.assert_allclose(of_batch(batched, W), expected, rtol=1e-12)
    np.testing.assert_allclose(ag.compile(lambda w: of_batch(batched, w))(W), expected, rtol=1e-12)
    values = np.ravel(of_batch(batched, np.array([Value(w) for w in W])))
    np.testing.assert_allclose([x.data for x in values], np.ravel(expected), rtol=1e-12)
    found = ag.grad(lambda w: ag.sum(np.ravel(of_batch(batched, w))))(W)
    np.testing.assert_allclose(found, ag.grad(lambda w: ag.sum(np.ravel(of_loop(f, w))))(W), rtol=1e-11)


@given(st.lists(st.integers(1, 3), min_size=2, max_size=2), st.sampled_from([(0, None), (None, 0), (0, 0)]), st.data())
@settings(max_examples=examples(20))
def test_batches_of_batches(sizes: list[int], outer: Any, data: st.DataObject) -> None:
    """At each level an argument varies or is shared; recorded batches are what the program gives."""
    inner = data.draw(st.sampled_from([(0, None), (None, 0), (0, 0)]))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    n, m = sizes
    args = [rng.normal(size=(*[n] * (outer[k] == 0), *[m] * (inner[k] == 0)))[()] for k in range(2)]
    batched = ag.compile(lambda x, y: x * np.sin(y)).vmap(inner).vmap(outer)
    values, slopes = batched.value_and_grad(*args, argnums=(0, 1))
    traced = ag.compile(lambda x, y: batched.value_and_grad(x, y, argnums=(0, 1)))(*args)
    np.testing.assert_allclose(traced[0], values, rtol=1e-12)
    for k in range(2):
        np.testing.assert_allclose(traced[1][k], slopes[k], rtol=1e-12, atol=1e-14)
    found = ag.grad(lambda x, y: ag.sum(np.ravel(batched(x, y))), argnums=(0, 1))(*args)
    for k in range(2):
        np.testing.assert_allclose(found[k], slopes[k], rtol=1e-12, atol=1e-14)


def test_values_from_outside_and_modules() -> None:
    net = nn.Neuron(2, "tanh", rng=0)
    batched = ag.compile(lambda n, x: n(list(x))).vmap((None, 0))
    closed = ag.compile(lambda x: net(list(x))).vmap()
    expected = ag.grad(lambda n: ag.sum([n(list(x)) for x in X]))(net)
    for found in (
        ag.grad(lambda n: ag.sum(batched(n, X)))(net),
        ag.grad(lambda n: ag.sum(closed(X)))(net),
        ag.compile(lambda n: ag.sum(batched(n, X))).grad(net),
        ag.compile(lambda n: batched.grad(n, X))(net),
    ):
        assert found["w"] == pytest.approx(expected["w"], rel=1e-12)
        assert found["b"] == pytest.approx(expected["b"], rel=1e-12)
    second = ag.grad(lambda n: batched.grad(n, X)["b"])(net)
    assert second["b"] == pytest.approx(ag.grad(ag.grad(lambda b: ag.sum([_at(net, b, x) for x in X])))(net.b.data))
    assert ag.grad(lambda v: ag.sum(ag.compile(lambda x: v * x).vmap()([1.0, 2.0])))(5.0) == 3.0


def _at(net: nn.Neuron, b: Any, x: Any) -> Any:
    return np.tanh(net.w[0].data * x[0] + net.w[1].data * x[1] + b)


def test_containers_and_names() -> None:
    batched = ag.compile(lambda p, *, s: (p["a"] * p["b"] * s, [p["a"]])).vmap(({"a": 0, "b": None},))
    p = {"a": [1.0, 2.0], "b": Value(3.0)}
    first, (second,) = batched(p, s=[5.0, 7.0])
    assert (first.dtype, second.dtype, first.shape) == (object, float, (2,))
    assert [z.data for z in first] == [15.0, 42.0]
    assert second.tolist() == [1.0, 2.0]
    found = ag.grad(lambda p, s: ag.sum(batched(p, s=s)[0]), argnums=(0, 1))({"a": [1.0, 2.0], "b": 3.0}, [5.0, 7.0])
    assert found == ({"a": [15.0, 21.0], "b": 19.0}, [3.0, 6.0])
    by_name = ag.compile(lambda x, *, s: x * s).vmap().vmap()
    rows = [[1.0, 2.0], [3.0, 4.0]]
    assert ag.compile(lambda s: by_name(rows, s=s))([5.0, 6.0]).tolist() == by_name(rows, s=[5.0, 6.0]).tolist()

    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.k = Value(3.0)

        @ag.compile
        def f(self, x: Any) -> Any:
            return self.k * x

    assert ag.grad(lambda m: ag.sum(m.f.vmap()([1.0, 2.0])))(Scaled()) == {"k": 3.0}
    assert ag.grad(lambda x: ag.sum(Scaled().f.vmap().grad(x)))([1.0, 2.0]) == [0.0, 0.0]


def test_empty_batches() -> None:
    batched, none = ag.compile(f).vmap((None, 0)), np.zeros((0, 2))
    values, (dw, dx) = ag.compile(lambda w: batched.value_and_grad(w, none, argnums=(0, 1)))(W)
    assert (values.shape, dw.tolist(), dx.shape) == ((0,), [0.0, 0.0], (0, 2))
    assert batched([Value(1.0), Value(2.0)], none).shape == (0,)
    assert ag.grad(lambda w: ag.sum([1.0, *batched(w, none)]))(W).tolist() == [0.0, 0.0]
    scalar = ag.compile(lambda w, x: w * x).vmap((None, 0))
    assert ag.compile(lambda w: scalar.grad(w, []))(2.0) == 0.0


def test_the_program_of_a_batch_in_a_program_has_products_of_matrices() -> None:
    batched = ag.compile(lambda w, x: ag.sum(np.tanh(w @ x))).vmap((None, 0))
    outer = ag.compile(lambda w, x: ag.sum(batched(w, x)))
    rng = np.random.default_rng(0)
    outer(rng.normal(size=(3, 4)), rng.normal(size=(20, 4)))
    assert "w @ x.T" in str(outer)
    assert len(outer.program().instructions) <= 4


def test_a_static_argument_and_a_branch() -> None:
    power = ag.compile(lambda x, n: x**n if x > 0 else -x, static_argnums=1).vmap((0, None))
    assert ag.grad(lambda x: ag.sum(power(x, 3)))([2.0, -1.0]) == [12.0, -1.0]
    outer = ag.compile(lambda x: ag.sum(power(x, 3)))
    assert (outer([2.0, -1.0]), outer([-2.0, 1.0]), outer.grad([-2.0, 1.0])) == (9.0, 3.0, [-1.0, 3.0])


def test_threads() -> None:
    batched = ag.compile(f).vmap((None, 0), threads=2)
    expected = ag.grad(lambda w: ag.sum(looped(w, X)))(W)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: ag.grad(lambda w: ag.sum(batched(w, X)))(W), range(8)):
            np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert type(batched(W, X)[0]) is np.float64  # numbers again, after the function that is differentiated


@pytest.mark.parametrize("mean", [lambda g, *args: ag.grad(g)(*args), lambda g, *args: ag.compile(g)(*args)])
def test_errors_are_those_of_the_program(mean: Callable[..., Any]) -> None:
    batched = ag.compile(f).vmap((None, 0))
    with pytest.raises(ValueError, match="argnums 5, but there are 2 arguments"):
        mean(lambda w: ag.sum(batched.grad(w, X, argnums=5)), W)
    with pytest.raises(ValueError, match="argnums 5, but there are 2 arguments"):
        mean(lambda w: ag.sum(ag.compile(f).grad(w, X[0], argnums=5)), W)
    with pytest.raises(TypeError, match="argnums must be a whole number or several, not None"):
        mean(lambda w: ag.sum(ag.compile(f).grad(w, X[0], argnums=None)), W)  # type: ignore[arg-type]
    static = ag.compile(lambda x, n: x**n, static_argnums=1).vmap((0, None))
    with pytest.raises(ValueError, match=r"of which \[1\] are static"):
        mean(lambda x: ag.sum(static.grad(x, 2, argnums=1)), W)
    with pytest.raises(ValueError, match=r"argument 1: in_axes has 0|argument 1: vmap was given the number"):
        mean(lambda w: batched(w, w[0]), W)
    branches = ag.compile(lambda x: [x] if x > 0 else [x, x]).vmap()
    with pytest.raises(ValueError, match=r"example 0 is \[number\], but that of example 1 is \[number, number\]"):
        mean(branches, np.array([1.0, -1.0]))
    with pytest.raises(TypeError, match="its result: cannot use 'text'"):
        mean(ag.compile(lambda x: "text").vmap(), W)
    with pytest.raises(TypeError, match="the output must be one number"):
        mean(lambda x: ag.compile(lambda x: [x, x]).vmap().grad(x)[0], W)


# Defaults, argnums of methods, and empty pickles.


def repeated(x: Any, n: int = 3, z: Any = 2.0) -> Any:
    for _ in range(n):
        x = x * z
    return x


def test_a_default_that_is_left_out_is_a_constant() -> None:
    compiled = ag.compile(repeated)
    assert (compiled(2.0), compiled(2.0, z=3.0), compiled(x=2.0, z=3.0), compiled(x=2.0)) == (16.0, 54.0, 54.0, 16.0)
    assert compiled.grad(2.0, z=3.0) == 27.0
    assert compiled.grad(2.0, z=3.0, argnums=2) == compiled.grad(2.0, z=3.0, argnums=-1) == 54.0
    assert compiled.value_and_grad(2.0, z=3.0, argnums=(0, 2)) == (54.0, (27.0, 54.0))
    assert (compiled.hessian(2.0, z=3.0, argnums=2), compiled.jvp((2.0,), (1.0,), z=3.0)) == (36.0, (54.0, 27.0))
    assert compiled.bind(2.0, z=3.0, argnums=0).gradient == 27.0
    assert compiled.vmap((0, None, None))([1.0, 2.0], z=3.0).tolist() == [27.0, 54.0]
    assert compiled.vmap()([1.0, 2.0], z=[3.0, 1.0]).tolist() == [27.0, 2.0]
    assert ag.grad(lambda z: compiled(2.0, z=z))(3.0) == 54.0
    assert compiled(2.0, z=Value(3.0)).data == 54.0
    again = pickle.loads(pickle.dumps(compiled))
    assert (again(2.0, z=3.0), len(again)) == (54.0, len(compiled))
    with pytest.raises(TypeError, match="integer"):
        compiled(2.0, n=3)  # an argument that is given is an input


def test_a_default_that_argnums_select_is_an_input() -> None:
    ones = np.ones(2)
    scaled = ag.compile(lambda x, y=ones, z=1.0: ag.sum(x * y) * z)
    assert scaled(W, z=2.0) == 2.0 * W.sum()
    assert scaled.grad(W, z=2.0, argnums=1).tolist() == (2.0 * W).tolist()
    assert scaled.value_and_grad(W, z=2.0, argnums=(0, 1))[1][1].tolist() == (2.0 * W).tolist()
    assert scaled.vmap((0, None, None)).grad(X, z=2.0, argnums=1).tolist() == (2.0 * X.sum(axis=0)).tolist()
    assert scaled.bind(W, z=2.0, argnums=1).gradient.tolist() == (2.0 * W).tolist()
    mode = ag.compile(lambda x, how="plus", z=2.0: x + z if how == "plus" else x * z)
    assert (mode(3.0, z=4.0), mode.grad(3.0, z=4.0)) == (7.0, 1.0)
    unread = pickle.loads(pickle.dumps(scaled))  # Python cannot pickle the function
    assert unread(W, z=3.0) == 3.0 * W.sum()


class Square:
    @ag.compile
    def f(self, x: Any) -> Any:
        return x * x


@pytest.mark.parametrize("argnums", ["x", 1.5, (0, "x"), [None]])
@pytest.mark.parametrize("method", ["grad", "value_and_grad", "jacobian", "hessian", "bind", "value_grad_hessian"])
def test_wrong_argnums_of_methods(method: str, argnums: Any) -> None:
    called = [getattr(Square().f, method)]
    if hasattr(Square().f.vmap(), method):
        called.append(getattr(Square().f.vmap(), method))
    for call, x in zip(called, (2.0, [2.0]), strict=False):
        with pytest.raises(TypeError, match="f: argnums must be a whole number or several, not"):
            call(x, argnums=argnums)


def test_a_pickle_without_function_and_program() -> None:
    empty = pickle.loads(pickle.dumps(ag.compile(lambda x: x * x)))
    calls: list[Callable[[], Any]] = [
        lambda: empty(2.0),
        lambda: empty(Value(2.0)),
        lambda: empty.jvp((2.0,), (1.0,)),
        lambda: empty.hessian(2.0),
        lambda: empty.vmap()([2.0]),
        lambda: empty.vmap().jvp(([2.0],), ([1.0],)),
        lambda: ag.grad(empty)(2.0),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="it had no program yet: call it before you pickle it"):
            call()
