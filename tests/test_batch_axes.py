"""Batches: the axes of examples in containers, batches of batches, derived functions, and calls that are prepared."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import nn
from autograd_mini.program import nested

RUNNERS = ["numpy", "llvm"]
SIZES = [0, 1, 7, 8, 9, 1000]


class Pair(NamedTuple):
    """Two parts."""

    x: Any
    y: Any


@dataclass
class Point:
    """Two parts."""

    x: Any
    y: Any


def turned(x: Any, axis: int) -> Any:
    """Return an array with its first axis at another place."""
    return np.moveaxis(x, 0, axis)


def like(x: Any, kind: str) -> Any:
    """Return the same numbers as another kind of array."""
    if kind == "list":
        return x.tolist()
    if kind == "apart":
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1])) if x.ndim else x
        if x.ndim:
            wide[..., ::2] = x
            return wide[..., ::2]
    if kind == "read-only":
        x = np.array(x)
        x.flags.writeable = False
    if kind == "unaligned":
        bytes_ = np.zeros(x.nbytes + 1, dtype=np.uint8)
        found = bytes_[1:].view(float).reshape(x.shape)
        found[...] = x
        return found
    return x.astype({"float32": np.float32, "int8": np.int8, "big": ">f8"}.get(kind, float))


kinds = st.sampled_from(["float", "float32", "int8", "big", "list", "apart", "read-only", "unaligned", "backwards"])


@pytest.mark.parametrize("runner", RUNNERS)
@given(data=st.data(), dag=dags(max_steps=12), m=st.sampled_from(SIZES), seed=st.integers(0, 99))
@settings(max_examples=examples(30))
def test_axes_of_every_leaf(runner: str, data: st.DataObject, dag: Dag, m: int, seed: int) -> None:
    """A dict with arrays that vary along any axis and arrays that are shared, against map, one by one, and eager."""
    rng = np.random.default_rng(seed)
    n = len(dag.inputs)
    one: dict[str, Any] = {
        "a": np.array(dag.inputs),
        "b": rng.integers(-2, 3, (2, 3)).astype(float),
        "c": np.float64(0.5),
    }
    axes: dict[str, Any] = {}
    given_: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    for name, x in one.items():
        varies = name == "a" or data.draw(st.booleans())
        axis = data.draw(st.integers(-np.ndim(x) - 1, np.ndim(x))) if varies else None
        whole[name] = x + rng.integers(-1, 2, (m, *np.shape(x))) / 8 * (name != "b") if varies else x
        axes[name] = axis
        array = whole[name] if axis is None else turned(whole[name], axis)
        kind = data.draw(kinds) if name == "b" else data.draw(st.sampled_from(["float", "apart", "read-only"]))
        if kind == "list" and not array.size:
            kind = "float"
        given_[name] = array[::-1][::-1] if kind == "backwards" and array.ndim else like(array, kind)

    def f(p: Any, k: Any) -> Any:
        return dag(list(p["a"])) * p["c"] + k * ag.sum([x * x for x in np.ravel(p["b"])]) + p["b"][1][2]

    compiled = ag.compile(f, runner=runner)
    batched = compiled.vmap((axes, None))
    values, (dp, dk) = batched.value_and_grad(given_, 2.0, argnums=(0, 1))
    assert values.shape == (m,)
    total: dict[str, Any] = {name: np.zeros(np.shape(x)) for name, x in one.items()}
    chosen = range(m) if m < 10 else rng.integers(0, m, 5).tolist()
    for i in chosen:
        own = {name: whole[name] if axis is None else whole[name][i] for name, axis in axes.items()}
        value, slopes = compiled.value_and_grad(own, 2.0)
        assert values[i] == pytest.approx(value, rel=1e-11, abs=1e-12)
        assert value == pytest.approx(ag.value_and_grad(f)(own, 2.0)[0], rel=1e-9, abs=1e-9)
        for name, slope in slopes.items():
            total[name] = total[name] + slope
            if axes[name] is not None:
                np.testing.assert_allclose(dp[name][i], slope, rtol=1e-9, atol=1e-9)
    for name, axis in axes.items():
        assert np.shape(dp[name]) == ((m,) if axis is not None else ()) + np.shape(one[name])
        if axis is None and m < 10:
            np.testing.assert_allclose(dp[name], total[name], rtol=1e-8, atol=1e-8)
    assert isinstance(dk, float)
    assert len(dag.inputs) == n
    np.testing.assert_array_equal(batched(given_, 2.0), values)


@pytest.mark.parametrize("few", [-1, nested.FEW, 10**9])
@given(data=st.data(), sizes=st.tuples(*[st.sampled_from([0, 1, 2, 3])] * 3), seed=st.integers(0, 99))
@settings(max_examples=examples(30), deadline=None)
def test_batches_of_batches(few: int, data: st.DataObject, sizes: tuple[int, ...], seed: int) -> None:
    """Two or three levels, each argument with or without an axis at each; all run as one batch, or one by one."""
    levels = data.draw(st.integers(2, 3))
    sizes = sizes[:levels]
    rng = np.random.default_rng(seed)
    shapes = [(2, 3), (3,), ()]
    varies = [[data.draw(st.booleans()) for _ in range(levels)] for _ in shapes]
    for level in range(levels):
        if not any(own[level] for own in varies):
            varies[data.draw(st.integers(0, 2))][level] = True
    ordered: list[Any] = []
    args: list[Any] = []
    axes: list[list[int | None]] = [[None] * 3 for _ in range(levels)]
    for k, (shape, own) in enumerate(zip(shapes, varies, strict=True)):
        lead = [m for m, mapped in zip(sizes, own, strict=True) if mapped]
        x = rng.normal(size=(*lead, *shape))
        ordered.append(x)
        left = [level for level in range(levels) if own[level]]
        for depth in range(len(left) - 1, -1, -1):  # the innermost axis is put in first
            axis = data.draw(st.integers(0, x.ndim - 1 - depth))
            x = np.moveaxis(x, depth, depth + axis)
            axes[left[depth]][k] = axis
        args.append(x)

    def f(W: Any, x: Any, c: Any) -> Any:
        return ag.sum(np.tanh(W @ x * c)) + c

    compiled = ag.compile(f, runner="numpy")
    batched = compiled.vmap(tuple(axes[-1]))
    for own_axes in reversed(axes[:-1]):
        batched = batched.vmap(tuple(own_axes))
    before, nested.FEW = nested.FEW, few
    try:
        values, slopes = batched.value_and_grad(*args, argnums=(0, 1, 2))
        alone = batched(*args)
    finally:
        nested.FEW = before
    expected = np.zeros(sizes)
    sums = [np.zeros(x.shape) for x in ordered]
    for at in product(*map(range, sizes)):
        places = [tuple(i for i, mapped in zip(at, own, strict=True) if mapped) for own in varies]
        one = [x[place] for x, place in zip(ordered, places, strict=True)]
        expected[at], own_slopes = compiled.value_and_grad(*one, argnums=(0, 1, 2))
        for total, place, slope in zip(sums, places, own_slopes, strict=True):
            total[place] += slope
    np.testing.assert_allclose(values, expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(alone, values, rtol=1e-13, atol=0)
    for slope, total in zip(slopes, sums, strict=True):
        assert np.shape(slope) == total.shape
        np.testing.assert_allclose(slope, total, rtol=1e-9, atol=1e-10)


def test_containers_of_axes() -> None:
    f = ag.compile(lambda p: p[0] * p[1])
    x = np.arange(3.0)
    for kind, axes in ((Pair, Pair(0, None)), (Point, Point(0, None))):
        g = ag.compile(lambda p: p.x * p.y)
        values, slope = g.vmap((axes,)).value_and_grad(kind(x, 2.0))
        assert (values.tolist(), slope.x.tolist(), slope.y) == ([0.0, 2.0, 4.0], [2.0] * 3, 3.0)
        assert isinstance(slope, kind)
    values, slope = f.vmap(([0, None],)).value_and_grad([x, 2.0])
    assert (values.tolist(), slope[0].tolist(), slope[1]) == ([0.0, 2.0, 4.0], [2.0] * 3, 3.0)
    assert f.vmap(((None, 0),))((2.0, x)).tolist() == [0.0, 2.0, 4.0]
    # A prefix: the axis of a part is that of all that it holds.
    deep = ag.compile(lambda p: p["a"]["u"] * p["a"]["v"][0] + p["b"])
    given_ = {"a": {"u": x, "v": [[1.0, 0.0]] * 3}, "b": 10.0}
    assert deep.vmap(({"a": 0, "b": None},))(given_).tolist() == [10.0, 11.0, 12.0]
    ordered = ag.compile(lambda p: p["b"] - p["a"])
    assert ordered.vmap((OrderedDict(b=0, a=None),))(OrderedDict(b=x, a=1.0)).tolist() == [-1.0, 0.0, 1.0]
    # The same sizes under other names are another structure.
    named = ag.compile(lambda p: sum(k * p[name] for k, name in enumerate(p, 1)))
    assert named.vmap(({"a": 0, "b": None},))({"a": x, "b": 1.0}).tolist() == [2.0, 3.0, 4.0]
    assert named.vmap(({"a": None, "b": 0},))({"a": 1.0, "b": x}).tolist() == [1.0, 3.0, 5.0]
    assert named.vmap(({"a": 0, "c": None},))({"a": x, "c": 1.0}).tolist() == [2.0, 3.0, 4.0]


def test_a_named_tuple_of_lists_is_no_array() -> None:
    f = ag.compile(lambda p: p.x - p.y)
    assert f.vmap()(Pair([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])).tolist() == [0.0, 1.0, 2.0]


def test_a_module_beside_what_varies() -> None:
    net = nn.MLP(2, [3, 1], "tanh", rng=0)
    f = ag.compile(lambda p: p["net"](p["x"]) ** 2)
    X = np.array([[0.5, -1.0], [0.25, 2.0]])
    values, slope = f.vmap(({"net": None, "x": 0},)).value_and_grad({"net": net, "x": X})
    for x, value in zip(X, values, strict=True):
        assert value == pytest.approx((net(list(x)) ** 2).data)
    net.zero_grad()
    ag.sum([net(list(x)) ** 2 for x in X]).backward()
    assert slope["net"]["layers.0.neurons.1.w"] == pytest.approx([w.grad for w in net.layers[0].neurons[1].w])
    assert slope["x"].shape == (2, 2)
    with pytest.raises(TypeError, match="a module has no examples to count: share it by None"):
        f.vmap()({"net": net, "x": X})


@pytest.mark.parametrize("runner", RUNNERS)
def test_derived_functions_of_batches(runner: str) -> None:
    f = ag.compile(lambda w, x: w * x[0] ** 3 * x[1], runner=runner)
    X, T = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[1.0, 0.0], [0.5, 2.0]])
    batched = f.vmap((None, 0))
    values, along = batched.jvp((2.0, X), (0.0, T))
    assert values.tolist() == batched(2.0, X).tolist()
    assert along == pytest.approx((f.vmap((None, 0)).grad(2.0, X, argnums=1) * T).sum(axis=1))
    hessians = batched.hessian(2.0, X, argnums=1)
    expected = [ag.hessian(lambda x: 2.0 * x[0] ** 3 * x[1])(list(x)) for x in X]
    np.testing.assert_allclose(hessians, expected)
    ones = ag.compile(lambda x: x[0] ** 3 * x[1], runner=runner).vmap()
    np.testing.assert_allclose(ones.hvp((X,), (T,)), np.einsum("mij,mj->mi", np.array(expected) / 2.0, T))
    np.testing.assert_allclose(ones.jacobian(X), ones.grad(X))
    twice = f.vmap((None, 0)).vmap((0, None))
    assert twice.hessian([2.0, 4.0], X, argnums=1).shape == (2, 2, 2, 2)
    assert twice.jvp(([2.0, 4.0], X), ([1.0, 1.0], T))[1].shape == (2, 2)
    with pytest.raises(ValueError, match="bind them first"):
        ag.compile(lambda x, n: x**n, static_argnums=1).vmap((0, None)).jvp(([1.0], 2), ([1.0], 0))


def test_weights_of_several_models_are_not_copied_for_each_example() -> None:
    """Each model's batch is then a product of matrices."""
    f = ag.compile(lambda W, x: ag.sum(np.tanh(W @ x)))
    W, X = np.random.default_rng(0).normal(size=(3, 20, 30)), np.random.default_rng(1).normal(size=(50, 30))
    values = f.vmap((None, 0)).vmap((0, None))(W, X)
    np.testing.assert_allclose(values, np.tanh(np.einsum("kij,mj->kmi", W, X)).sum(axis=2), rtol=1e-12)
    (found,) = f._programs.all()
    assert {plan.batch.width for plan in found.plans.values()} == {50}


def test_results_own_their_memory() -> None:
    f = ag.compile(lambda w, x: {"a": w * x, "b": x})
    g = ag.compile(lambda w, x, y: w @ x * y)
    X, y, w = np.ones((5, 3)), np.ones(5), np.ones(3)
    first = f.vmap((None, 0))(2.0, y)
    kept = {name: x.copy() for name, x in first.items()}
    values, slopes = g.vmap((None, 0, 0)).value_and_grad(w, X, y, argnums=(0, 1, 2))
    before = [x.copy() for x in (values, *slopes)]
    f.vmap((None, 0))(3.0, 7 * y)
    g.vmap((None, 0, 0)).value_and_grad(5 * w, 6 * X, 7 * y, argnums=(0, 1, 2))
    assert all((first[name] == kept[name]).all() for name in kept)
    for old, new in zip(before, (values, *slopes), strict=True):
        np.testing.assert_array_equal(old, new)
    every = [*first.values(), values, *slopes]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(every) for b in [*every[:i], X, y, w])
    for x in every:
        x[...] = 0.0
    assert (X == 1.0).all()
    assert (y == 1.0).all()


def test_prepared_calls_know_what_was_assigned() -> None:
    scale = ag.Value(2.0)
    f = ag.compile(lambda x: x * scale)
    batched = f.vmap()
    assert batched([1.0, 2.0]).tolist() == [2.0, 4.0]
    scale.data = 3.0
    assert batched([1.0, 2.0]).tolist() == [3.0, 6.0]
    scale.data = 4.0
    assert f(1.0) == 4.0  # which lets go of the program
    assert batched([1.0, 2.0]).tolist() == [4.0, 8.0]


def test_prepared_calls_are_of_a_structure() -> None:
    f = ag.compile(lambda x, n: x * (n if n is not True else 10), static_argnums=1)
    batched = f.vmap((0, None))
    for n, factor in ((2, 2.0), (1, 1.0), (True, 10.0), (1.0, 1.0), (2, 2.0)):
        assert batched([1.0, 2.0], n).tolist() == [factor, 2 * factor]
    with pytest.raises(TypeError, match="static arguments must be hashable"):
        batched([1.0], [1])
    g = ag.compile(lambda x, y: np.sum(x * y))
    ones, two = np.ones((2, 2)), np.ones(2)
    assert g.vmap((0, None))(ones, two).tolist() == [2.0, 2.0]
    assert g.vmap((None, 0))(ones[0], ones).tolist() == [2.0, 2.0]
    assert g.vmap()(ones, ones).tolist() == [2.0, 2.0]
    assert g.vmap()(two, two).tolist() == [1.0, 1.0]
    several: list[Any] = [(0, 2.0), (1, 1.0), ((0, 1), 2.0), ((1, 0), 1.0), ([0], 2.0), (np.int64(1), 1.0)]
    for argnums, first in several:
        slopes = g.vmap().value_and_grad(ones, 2 * ones, argnums=argnums)[1]
        assert np.shape(slopes) in {(2, 2), (1, 2, 2), (2, 2, 2)}
        assert np.ravel(slopes)[0] == first


@pytest.mark.parametrize(
    ("axes", "args", "message"),
    [
        (0, (3.0,), r"argument 0: vmap was given the number 3.0 .* Type \[3.0\] for a batch of one"),
        (1, ([3.0],), r"in_axes has 1, but an array of the shape \(1,\) has 1 axis"),
        (-3, (np.ones((2, 2)),), r"in_axes has -3, but an array of the shape \(2, 2\) has 2 axes"),
        ({"a": 0}, ({"a": [1.0]},), r"type in_axes=\(\{'a': 0\},\)"),
        (({"b": 0},), ({"a": [1.0]},), "which has other parts than the argument: give an entry for each"),
        (([0],), ({"a": [1.0]},), "for an argument of type dict: give one like it"),
        (([0],), ([[1.0], [2.0]],), "which has other parts"),
        (("a",), ([1.0],), "in_axes must hold numbers and None, not 'a'"),
        (({"a": None},), ({"a": 1.0},), "in_axes must have an axis"),
        (0, ("text",), "vmap takes arrays and lists of numbers, not 'text'"),
        (0, ([[1.0], [1.0, 2.0]],), "give all examples the same length"),
        (0, (ag.Value(3.0),), r"vmap was given the number Value\(3.0\) where it counts examples"),
        (0, ([[ag.Value(1.0)], [1.0, 2.0]],), "give all examples the same length"),
        (0, (np.array([ag.Value(1.0), "text"]),), "vmap takes arrays and lists of numbers, not array"),
        (1, ([ag.Value(1.0)],), r"in_axes has 1, but an array of the shape \(1,\) has 1 axis"),
        (0, ([ag.Value(1.0)], [1.0, 2.0]), r"the same number of examples, not \[1, 2\]"),
        (None, (ag.Value(1.0),), "in_axes must have an axis for at least one argument"),
        (0, (np.array([1.0 + 2.0j]),), "vmap takes arrays and lists of numbers, not array"),
        (0, (np.array(["1.0"]),), "vmap takes arrays and lists of numbers, not array"),
        (0, (["1.0"],), "vmap takes arrays and lists of numbers, not '1.0'"),
        (0, (np.array(["1.0", 2.0], dtype=object),), "vmap takes arrays and lists of numbers, not array"),
        (0, (np.array(["2020-01-01"], dtype="M8[D]"),), "vmap takes arrays and lists of numbers, not array"),
        (0, ([1.0], [1.0, 2.0]), r"the same number of examples, not \[1, 2\]"),
    ],
)
def test_what_cannot_be_counted(axes: Any, args: Any, message: str) -> None:
    f = ag.compile(lambda *xs: xs[0])
    with pytest.raises((TypeError, ValueError), match=message):
        f.vmap(axes)(*args)


def test_batches_of_batches_that_cannot_be_counted() -> None:
    f = ag.compile(lambda x, y: x * y)
    with pytest.raises(ValueError, match="an outer vmap takes its only axis"):
        f.vmap().vmap()([1.0], [1.0])
    with pytest.raises(ValueError, match="in_axes must have an axis"):
        f.vmap().vmap(None)([1.0], [1.0])
    with pytest.raises(ValueError, match=r"the same number of examples, not \[1, 2\]"):
        f.vmap((0, None)).vmap((0, 0))(np.ones((2, 3)), np.ones(1))
    with pytest.raises(ValueError, match=r"argument 0: vmap was given the number 1.0"):
        f.vmap((0, 0)).vmap((None, 0))(1.0, np.ones((2, 2)))
