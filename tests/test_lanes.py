"""Batches as programs of lanes: against NumPy, example by example, over random programs on arrays."""

from __future__ import annotations

import operator
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import examples

import autograd_mini as ag
from autograd_mini.program.batch import Repeated
from autograd_mini.program.lanes import Lanes

RUNNERS = ["numpy", "llvm"]
SIZES = [0, 1, 2, 7, 9, 21]
SHAPES = [(), (1,), (3,), (4,), (9,), (12,), (3, 4), (4, 9), (9, 3), (12, 12)]

Step = Callable[[list[Any]], Any]


def on(f: Callable[..., Any], *places: int) -> Step:
    """Return the step that applies a function to some of the arrays."""
    return lambda xs: f(*(xs[i] for i in places))


@st.composite
def steps(draw: Any, shapes: list[tuple[int, ...]]) -> list[Step]:
    """Draw the steps of a program on arrays, which begin with arrays of some shapes."""
    shapes = list(shapes)
    found: list[Step] = []

    def add(step: Step, shape: tuple[int, ...]) -> None:
        found.append(step)
        shapes.append(shape)

    for _ in range(draw(st.integers(2, 7))):
        i = draw(st.integers(0, len(shapes) - 1))
        shape = shapes[i]
        kind = draw(st.sampled_from(["product", "row", "pair", "sum", "turn", "part", "stack"]))
        if kind == "product":
            fitting = [j for j, other in enumerate(shapes) if shape and other and shape[-1] == other[0]]
            if fitting:
                j = draw(st.sampled_from(fitting))
                add(on(operator.matmul, i, j), shape[:-1] + shapes[j][1:])
        elif kind == "row":
            f = draw(st.sampled_from([np.tanh, np.sin, lambda x: x * 0.5 + 1.0, lambda x: 1.0 / (2.0 + x * x)]))
            add(on(f, i), shape)
        elif kind == "pair":
            alike = [j for j, other in enumerate(shapes) if other in (shape, (), shape[-1:])]
            j = draw(st.sampled_from(alike))
            sign = draw(st.sampled_from([lambda x, y: x + y, lambda x, y: x * y, lambda x, y: x - 2.0 * y]))
            add(on(sign, i, j), shape)
        elif kind == "sum" and shape:
            axis = draw(st.sampled_from([None, 0, len(shape) - 1]))
            left = () if axis is None else tuple(n for k, n in enumerate(shape) if k != axis)
            add(on(partial(np.sum, axis=axis), i), left)
        elif kind == "turn":
            add(on(np.transpose, i), shape[::-1])
        elif kind == "part" and shape and shape[0] > 2:
            k = draw(st.sampled_from([slice(1, None), slice(None, None, 2), slice(None, None, -1)]))
            add(on(operator.itemgetter(k), i), (len(range(*k.indices(shape[0]))), *shape[1:]))
        elif kind == "stack" and shape:
            j = draw(st.sampled_from([j for j, other in enumerate(shapes) if other[1:] == shape[1:] and other]))
            add(on(lambda x, y: np.concatenate([x, y]), i, j), (shape[0] + shapes[j][0], *shape[1:]))
    return found


def scalar(given: tuple[Any, ...], program: list[Step]) -> Any:
    """Compute a program, and add all that it has made."""
    xs = [np.asarray(x) for x in given]
    for step in program:
        xs.append(np.asarray(step(xs)))
    return sum(np.sum(x * x) / (1 + x.size) for x in xs[len(given) :])


@pytest.mark.parametrize("runner", RUNNERS)
@given(data=st.data(), m=st.sampled_from(SIZES), seed=st.integers(0, 99), threads=st.integers(1, 2))
@settings(max_examples=examples(50))
def test_random_programs(runner: str, data: st.DataObject, m: int, seed: int, threads: int) -> None:
    shapes = data.draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=4))
    varies = [True, *(data.draw(st.booleans()) for _ in shapes[1:])]
    program = data.draw(steps(shapes))
    rng = np.random.default_rng(seed)
    args = [rng.uniform(-1, 1, ((m,) if mapped else ()) + s) for s, mapped in zip(shapes, varies, strict=True)]
    argnums = tuple(range(len(shapes)))
    f = ag.compile(lambda *xs: scalar(xs, program) + 0.0 * ag.tanh(np.ravel(xs[0])[0]), runner=runner)
    batched = f.vmap([0 if mapped else None for mapped in varies], threads=threads)
    values, slopes = batched.value_and_grad(*args, argnums=argnums)
    total = [np.zeros(s) for s in shapes]
    assert values.shape == (m,)
    for i in range(m):
        example = [x[i] if mapped else x for x, mapped in zip(args, varies, strict=True)]
        value, its = f.value_and_grad(*example, argnums=argnums)
        assert values[i] == pytest.approx(value, rel=1e-11, abs=1e-12)
        for k, slope in enumerate(its):
            if varies[k]:
                np.testing.assert_allclose(slopes[k][i], slope, rtol=1e-9, atol=1e-10)
            total[k] = total[k] + slope
    for k, mapped in enumerate(varies):
        if not mapped:
            np.testing.assert_allclose(slopes[k], total[k], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(batched(*args), values, rtol=1e-13, atol=0)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("m", [0, 1, 7, 8, 9, 1000])
def test_arrays_of_every_kind(runner: str, m: int) -> None:
    rng = np.random.default_rng(m)
    W, whole = rng.normal(size=(5, 8)), rng.integers(-3, 4, (m, 8))
    f = ag.compile(lambda W, x: ag.sum(np.tanh(W @ x) * x[0]), runner=runner).vmap((None, 0))
    expected = (np.tanh(whole @ W.T) * whole[:, :1]).sum(axis=1)
    apart = np.zeros((m, 16))
    apart[:, ::2] = whole
    kept = whole.astype(float)
    kept.flags.writeable = False
    kinds = [
        whole, whole.astype(np.int8), whole.astype(np.float32), np.asfortranarray(whole.astype(float)), apart[:, ::2],
        kept, whole.astype(float)[::-1][::-1], whole.tolist() if m else np.zeros((0, 8)),
    ]  # fmt: skip
    for X in kinds:
        values, slope = f.value_and_grad(W, X, argnums=1)
        np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-13)
        assert slope.shape == (m, 8)
    np.testing.assert_allclose(
        ag.compile(lambda x, W: ag.sum(np.tanh(W @ x) * x[0])).vmap((1, None))(kept.T, W), expected
    )


@pytest.mark.parametrize("runner", RUNNERS)
def test_examples_that_branch_differently(runner: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))

    def f(w: Any, x: Any) -> Any:
        z = w * x[0]
        for k in (1, 2):
            z = z + x[k] if x[k] > 0 else z * x[k]
        return ag.sin(z)

    values, (dw, dX) = ag.compile(f, runner=runner).vmap((None, 0), threads=2).value_and_grad(0.7, X, argnums=(0, 1))
    found = [ag.value_and_grad(f, argnums=(0, 1))(0.7, list(x)) for x in X]
    np.testing.assert_allclose(values, [float(value) for value, _ in found], rtol=1e-12)
    np.testing.assert_allclose(dX, [slope for _, (_, slope) in found], rtol=1e-9, atol=1e-12)
    assert dw == pytest.approx(sum(slope for _, (slope, _) in found), rel=1e-9)


def test_no_examples_of_a_function_that_branches() -> None:
    f = ag.compile(lambda w, x: w * x if x > 0 else -x)
    values, (dw, dx) = f.vmap((None, 0)).value_and_grad(2.0, np.zeros(0), argnums=(0, 1))
    assert (values.shape, dw, dx.shape) == ((0,), 0.0, (0,))


def test_every_example_may_go_its_own_way() -> None:
    """More ways than are run as groups."""

    def f(x: Any) -> Any:
        n = 0
        while x > n:
            n += 1
        return x * n

    X = np.linspace(0.5, 90.5, 91)
    compiled = ag.compile(f)
    with pytest.warns(ag.TraceWarning):
        values, slopes = compiled.vmap().value_and_grad(X)
    assert values.tolist() == [x * (k + 1) for k, x in enumerate(X)]
    assert slopes.tolist() == [k + 1.0 for k in range(91)]


def test_a_shared_matrix_makes_a_product_of_matrices() -> None:
    def f(W: Any, V: Any, x: Any) -> Any:
        return ag.sum(V @ np.tanh(W @ x))

    compiled = ag.compile(f)
    compiled(np.ones((6, 9)), np.ones((3, 6)), np.ones(9))
    lanes = Lanes(compiled.program(), [slice(72, 81)], [], 50)
    dots = [(i.rows, i.columns, i.length) for i in lanes.program.instructions if i.kind == "dot"]
    assert dots == [(6, 50, 9), (3, 50, 6)]
    assert lanes.tables == [(72, 9, 1)]  # as the user's array lies
    kinds = [i.kind for i in lanes.program.instructions]
    assert "gather" not in kinds
    one = ag.compile(lambda a, x: a * x)
    one(1.0, 2.0)
    assert Lanes(one.program(), [slice(1, 2)], [], 50).tables == [(1, 1, 50)]


def test_results_that_examples_share() -> None:
    f = ag.compile(lambda w, x: {"w": w * w, "x": x})
    out = f.vmap((None, 0))(3.0, [1.0, 2.0])
    assert (out["w"].tolist(), out["x"].tolist()) == ([9.0, 9.0], [1.0, 2.0])
    g = ag.compile(lambda w, x: w * w)
    values, (dw, dx) = g.vmap((None, 0)).value_and_grad(3.0, [1.0, 2.0, 5.0], argnums=(0, 1))
    assert (values.tolist(), dw, dx.tolist()) == ([9.0] * 3, 18.0, [0.0] * 3)
    constant = ag.compile(lambda w, x: 2.0)
    values, (dw, dx) = constant.vmap((None, 0)).value_and_grad(3.0, [1.0, 2.0], argnums=(0, 1))
    assert (values.tolist(), dw, dx.tolist()) == ([2.0] * 2, 0.0, [0.0] * 2)


def test_arrays_without_numbers() -> None:
    X = np.arange(6.0).reshape(2, 3)
    f = ag.compile(lambda e, x: (x * x).sum() + sum(e))
    values, (de, dx) = f.vmap().value_and_grad(np.zeros((2, 0)), X, argnums=(0, 1))
    assert values.tolist() == [5.0, 50.0]
    assert de.shape == (2, 0)
    assert (dx == 2 * X).all()


@pytest.mark.parametrize("runner", RUNNERS)
def test_batches_in_batches_on_the_same_threads(runner: str) -> None:
    """A row's Python function runs on a thread of the pool, and asks the same pool."""
    inner = ag.compile(lambda x: x * x, runner=runner)

    @ag.custom_rule(lambda x, z: 2.0 * x)
    def square(x: float) -> float:
        return float(inner.vmap(threads=2)(np.full(20000, x))[0])

    X = np.linspace(0.0, 1.0, 300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python computes it number by number
        values = ag.compile(lambda x: square(x) + 1.0, runner=runner).vmap(threads=2)(X)
    np.testing.assert_allclose(values, X * X + 1.0)


def test_sizes_of_batches_come_and_go() -> None:
    f = ag.compile(lambda w, x: w * x)
    batched = f.vmap((None, 0))
    rng = np.random.default_rng(0)
    for m in rng.integers(1, 200, 60).tolist():
        assert batched(2.0, np.ones(m)).shape == (m,)
    (specialization,) = f._programs.all()
    assert len(specialization.plans) <= 16

    def call(m: int) -> bool:
        return bool((batched(2.0, np.ones(m)) == 2.0).all())

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(call, rng.integers(1, 200, 200).tolist()))
    finally:
        sys.setswitchinterval(before)


def test_batches_again_and_again_ask_for_no_check() -> None:
    f = ag.compile(lambda w, x: ag.log(w * x), check=True)
    with pytest.raises(ValueError, match="use vmap"):
        Repeated(f.vmap((None, 0)), 1.0, np.ones(1))
