"""Vectors: that a few numbers side by side come out as each alone would, and products of any shape."""

from __future__ import annotations

import ctypes
import math
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from oracles import oracle
from strategies import examples

import autograd_mini as ag

pytest.importorskip("llvmlite")
from autograd_mini.program.builder import Unit
from autograd_mini.program.machine import WIDTH, Loaded, object_of
from autograd_mini.program.primitives import Floats, Static, load, store
from autograd_mini.program.vectors import LANES

SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 5e-324, -5e-324, 1e-310, 2.3e-308, 709.7, 709.8]
SPECIAL += [
    710.5,
    -708.5,
    -745.0,
    -745.2,
    -747.0,
    1e-17,
    19.5,
    20.5,
    -20.5,
    37.0,
    1e300,
    -1e300,
    1.7976931348623157e308,
]


def apply(function: Static, arity: Static, d: Floats, size: int) -> None:
    """Apply a function of vectors to the first numbers of an array, and write its results behind them."""
    for i in range(0, size, WIDTH):
        xs = [load(d, k * size + i) for k in range(arity)]
        store(d, arity * size + i, function(*xs))


class Machine:
    """Functions that are written as kernels are, as machine code."""

    def __init__(self) -> None:
        self.kept: dict[Any, tuple[Loaded, Any]] = {}

    def __call__(self, function: Any, *args: Any) -> None:
        """Call it; arrays are given by their addresses."""
        static = [x for x, kind in zip(args, function.__annotations__.values(), strict=False) if kind == "Static"]
        others = [x for x, kind in zip(args, function.__annotations__.values(), strict=False) if kind != "Static"]
        key = function, *map(str, static)
        if key not in self.kept:
            unit = Unit()
            unit.shared(function, args, name="made")
            loaded = Loaded(object_of(str(unit.module)))
            self.kept[key] = loaded, loaded.place("made")
        places = [x.ctypes.data if isinstance(x, np.ndarray) else x for x in others]
        ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(places))(self.kept[key][1])(*places)


machine = Machine()


def in_lanes(name: str, *operands: list[float]) -> list[float]:
    """Apply a vector function of the name to lists of numbers, as machine code and as plain Python."""
    size = -(-len(operands[0]) // WIDTH) * WIDTH
    d = np.array([[*x, *[1.0] * (size - len(x))] for x in operands] + [[0.0] * size]).ravel()
    plain = d.copy()
    machine(apply, LANES[name], len(operands), d, size)
    with np.errstate(all="ignore"):
        apply(LANES[name], len(operands), plain, size)
    np.testing.assert_allclose(d, plain, rtol=1e-14, atol=1e-300)
    return d[len(operands) * size :][: len(operands[0])].tolist()  # type: ignore[no-any-return]


def plain(name: str, *operands: float) -> float:
    """Return what the row's own function says, by IEEE arithmetic."""
    if name == "pow":
        x, y = operands
        try:
            return math.pow(x, y)
        except (OverflowError, ValueError):  # Python's errors; NumPy has the number
            with np.errstate(all="ignore"):
                return float(np.power(np.float64(x), np.float64(y)))
    try:
        return ag.OPS[name].function(*operands)
    except OverflowError:
        return math.inf
    except ValueError:
        return -math.inf if name == "log" and operands[0] == 0.0 else math.nan


@pytest.mark.parametrize("name", sorted(LANES))
def test_special_values(name: str) -> None:
    arity = len(ag.OPS[name].rules)
    operands = [list(x) for x in zip(*product(SPECIAL, repeat=arity), strict=True)]
    for got, *xs in zip(in_lanes(name, *operands), *operands, strict=True):
        want = plain(name, *xs)
        if math.isfinite(want):
            assert got == pytest.approx(want, rel=1e-15, abs=5e-324), (name, xs)
        else:
            assert got == want or (got != got and want != want), (name, xs)
        if got == 0.0 and name not in ("maximum", "minimum"):  # where the order of operands says which zero
            assert math.copysign(1.0, got) == math.copysign(1.0, want), (name, xs)


@pytest.mark.parametrize("y", [1.0, 2.0, 3.0, 4.0, -1.0, -2.0, -3.0, 0.5, 1.5, -0.5, -1.5, -2.5, 0.0])
def test_powers_that_are_the_same_in_all_lanes(y: float) -> None:
    for got, x in zip(in_lanes("pow", SPECIAL, [y] * len(SPECIAL)), SPECIAL, strict=True):
        want = plain("pow", x, y)
        assert got == pytest.approx(want, rel=1e-15, abs=5e-324, nan_ok=True), x
        assert got != 0.0 or math.copysign(1.0, got) == math.copysign(1.0, want), x


@pytest.mark.parametrize("name", sorted(name for name in LANES if len(ag.OPS[name].rules) == 1))
@given(xs=st.lists(st.floats(-800.0, 800.0) | st.floats(-1.0, 1.0), min_size=4, max_size=40))
@settings(max_examples=examples(40))
def test_the_last_place(name: str, xs: list[float]) -> None:
    xs = [abs(x) for x in xs] if name == "log" else xs
    with mpmath.workprec(200):
        for x, got in zip(xs, in_lanes(name, xs), strict=True):
            if x == 0.0 and name == "log":
                continue
            want = oracle(ag.OPS[name])(mpmath.mpf(x))
            if 1e-290 < abs(want) < 1e300:
                assert abs(mpmath.mpf(got) - want) <= 4.0 * math.ulp(float(want)), (x, got)


sides = st.integers(1, 19)
numbers = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))


@given(sizes=st.tuples(sides, sides, sides), turned=st.tuples(st.booleans(), st.booleans()), data=st.data())
@settings(max_examples=examples(60))
def test_products_of_any_shape(sizes: tuple[int, int, int], turned: tuple[bool, bool], data: st.DataObject) -> None:
    rows, columns, n = sizes
    W = data.draw(arrays(float, (rows, n)[:: -1 if turned[0] else 1], elements=numbers))
    X = data.draw(arrays(float, (n, columns)[:: -1 if turned[1] else 1], elements=numbers))
    C = data.draw(arrays(float, (rows, columns), elements=numbers))

    def f(W: Any, X: Any, b: Any) -> Any:
        Z = (W.T if turned[0] else W) @ (X.T if turned[1] else X) + b
        return ag.dot(Z.ravel().tolist(), C.ravel().tolist())

    value, (dW, dX, db) = ag.compile(f, runner="llvm").value_and_grad(W, X, 0.5, argnums=(0, 1, 2))
    A, B = W.T if turned[0] else W, X.T if turned[1] else X
    assert value == pytest.approx(float(((A @ B + 0.5) * C).sum()), rel=1e-12, abs=1e-11)
    assert np.allclose(dW.T if turned[0] else dW, C @ B.T, rtol=1e-12, atol=1e-11)
    assert np.allclose(dX.T if turned[1] else dX, A.T @ C, rtol=1e-12, atol=1e-11)
    assert db == pytest.approx(float(C.sum()), rel=1e-12, abs=1e-11)


@given(sizes=st.tuples(st.integers(1, 9), st.integers(1, 30)), data=st.data())
@settings(max_examples=examples(40))
def test_products_with_what_overlaps(sizes: tuple[int, int], data: st.DataObject) -> None:
    """A convolution, whose windows share numbers, and squares of them, whose factors are the same."""
    n, count = sizes
    k = data.draw(arrays(float, n, elements=numbers))
    x = data.draw(arrays(float, n + count - 1, elements=numbers))
    windows = np.lib.stride_tricks.sliding_window_view(x, n)

    def f(k: Any, x: Any) -> Any:
        found = [ag.dot(k.tolist(), x[i : i + n].tolist()) for i in range(count)]
        norms = [ag.dot(x[i : i + n].tolist(), x[i : i + n].tolist()) for i in range(count)]
        return ag.sum(y * y for y in found) + ag.sum(norms)

    value, (dk, dx) = ag.compile(f, runner="llvm").value_and_grad(k, x, argnums=(0, 1))
    y = windows @ k
    assert value == pytest.approx(float(y @ y + (windows**2).sum()), rel=1e-12, abs=1e-11)
    assert np.allclose(dk, 2 * windows.T @ y, rtol=1e-12, atol=1e-11)
    want = np.zeros_like(x)
    for i in range(count):
        want[i : i + n] += 2 * y[i] * k + 2 * windows[i]
    assert np.allclose(dx, want, rtol=1e-12, atol=1e-11)


@given(data=st.data(), count=st.integers(1, 19))
@settings(max_examples=examples(40))
def test_steps_of_any_size(data: st.DataObject, count: int) -> None:
    """Operands that are one number, follow each other, are apart, go backwards or overlap."""
    x = data.draw(arrays(float, 4 * count, elements=numbers))
    starts = [data.draw(st.sampled_from([(0, 0), (0, 1), (1, 1), (0, 2), (4 * count - 1, -1)])) for _ in range(2)]
    (a, p), (b, q) = starts

    def f(x: Any) -> Any:
        return ag.sum(ag.tanh(x[a + p * i] * x[b + q * i]) - x[b + q * i] for i in range(count))

    value, dx = ag.compile(f, runner="llvm").value_and_grad(x)
    i = np.arange(count)
    u, v = x[a + p * i], x[b + q * i]
    want = np.zeros_like(x)
    slope = 1 - np.tanh(u * v) ** 2
    np.add.at(want, a + p * i, slope * v)
    np.add.at(want, b + q * i, slope * u - 1)
    assert value == pytest.approx(float((np.tanh(u * v) - v).sum()), rel=1e-12, abs=1e-12)
    assert np.allclose(dx, want, rtol=1e-12, atol=1e-12)


@given(chosen=st.permutations(range(4)).flatmap(lambda order: st.integers(1, 4).map(lambda n: order[:n])))
@settings(max_examples=examples(30))
def test_what_is_not_asked_for_changes_nothing(chosen: list[int]) -> None:
    def f(W: Any, X: Any, a: Any, b: Any) -> Any:
        Z = W @ X + b
        return ag.sum(ag.exp(a * z) for z in Z.ravel().tolist()) + (W * W).sum() ** 1.5

    rng = np.random.default_rng(0)
    args = rng.normal(size=(3, 5)), rng.normal(size=(5, 6)), 0.3, rng.normal(size=(3, 1))
    g = PROGRAM.setdefault("f", ag.compile(f, runner="llvm"))
    everything = g.grad(*args, argnums=range(4))
    for got, k in zip(g.grad(*args, argnums=chosen), chosen, strict=True):
        assert np.array_equal(got, everything[k])


PROGRAM: dict[str, Any] = {}


def test_rows_of_your_own_stay_themselves() -> None:
    """One may have the name of a row of the table, raise errors, and have an endless slope."""

    @ag.custom_rule(lambda x, z: 3.0 * x**2)
    def exp(x: float) -> float:
        return x * x * x

    @ag.custom_rule(lambda x, z: math.inf)
    def root(x: float) -> float:
        if x < 0.0:
            raise ValueError("negative")
        return math.sqrt(x)

    x = np.linspace(0.1, 1.0, 6)
    value, slopes = ag.compile(lambda x: ag.sum(exp(v) for v in x), runner="llvm").value_and_grad(x)
    assert value == pytest.approx(float((x**3).sum()))
    assert np.allclose(slopes, 3 * x**2)
    f = ag.compile(lambda x: ag.sum(root(v) for v in x), runner="llvm")
    value, slopes = f.value_and_grad(x)
    assert value == pytest.approx(float(np.sqrt(x).sum()))
    assert np.isinf(slopes).all()
    x[2] = -1.0
    assert math.isnan(f(x))


@given(sizes=st.lists(st.integers(1, 9), min_size=2, max_size=5))
@settings(max_examples=examples(30))
def test_programs_of_a_function_take_turns(sizes: list[int]) -> None:
    """They share arrays; constants stand where another has inputs and results."""

    def f(x: Any) -> Any:
        return ag.sum(ag.tanh((k + 2.5) * v) * v for k, v in enumerate(x)) + ag.sum(x) * 0.5

    g = PROGRAM.setdefault("turns", ag.compile(f, runner="llvm"))
    for n in sizes:
        x, c = np.linspace(-1.0, 1.0, n), np.arange(n) + 2.5
        t = np.tanh(c * x)
        assert np.allclose(g.grad(x), t + x * c * (1 - t * t) + 0.5, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("runner", ["llvm", "numpy"])
def test_the_gradient_of_a_constant_result(runner: str) -> None:
    f = ag.compile(lambda x: x * x if x > 0 else 3.0, runner=runner)
    assert [f.grad(3.0), f.grad(-1.0), f.grad(2.0)] == [6.0, 0.0, 4.0]


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("columns", [*range(1, 10), 12, 15, 16, 17])
def test_runs_of_any_length(rows: int, columns: int) -> None:
    """Whole vectors, parts of one, and a few numbers; operands side by side, a step apart, and one for all."""

    def f(X: Any, y: Any, s: Any) -> Any:
        turned = [[X[c][r] for c in range(columns)] for r in range(rows)]
        firsts = [[ag.exp(-(x * x)) / (s * s + 1.0) for x in row] for row in turned]
        seconds = [[ag.tanh(z * y[r]) - s for z in row] for r, row in enumerate(firsts)]
        thirds = [
            [ag.where(z > 0.0, z, w * s) for z, w in zip(a, b, strict=True)]
            for a, b in zip(firsts, seconds, strict=True)
        ]
        return sum(sum(z**3 for z in row) for row in seconds + thirds)

    rng = np.random.default_rng(rows * 100 + columns)
    args = rng.normal(size=(columns, rows)), rng.normal(size=rows), 0.7
    fast, slow = (ag.compile(f, runner=runner).value_and_grad(*args, argnums=(0, 1, 2)) for runner in ("llvm", "numpy"))
    for x, y in zip((fast[0], *fast[1]), (slow[0], *slow[1]), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)
