"""Programs as source code: exported functions compute the same numbers as the program."""

from __future__ import annotations

import itertools
import math
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from exports import (
    GCC,
    LANGUAGES,
    NUMBERS,
    Case,
    agree,
    agree_on,
    expected,
    javascript,
    layer,
    libraries,
    needs_gcc,
    numbers_of,
    python,
    results,
)
from hypothesis import given, settings, strategies as st
from node import NODE, needs_node
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import OPS, Op, nn


def of_operands(op: Op) -> Callable[..., Any]:
    """Return a row as a function of as many numbers."""
    space: dict[str, Any] = {"op": op}
    names = ", ".join(f"x{i}" for i in range(len(op.rules)))
    exec(f"def of_{op}({names}): return op({names})", space)
    f: Callable[..., Any] = space[f"of_{op}"]
    return f


# All rows, random programs, arrays.


def test_all_rows_are_written_with_their_slopes_at_special_values_too() -> None:
    pytest.importorskip("scipy")
    cases = []
    for op in OPS.values():
        numbers = NUMBERS if len(op.rules) < 3 else [0.0, 0.5, 2.0, -1.0, math.inf, math.nan]
        compiled = ag.compile(of_operands(op), runner="numpy")
        compiled(*[0.5] * len(op.rules))
        points = list(itertools.product(numbers, repeat=len(op.rules)))
        if op.name not in ("digamma", "polygamma", "polygamma_gap"):
            cases.append(Case(compiled, points, "grad", tuple(range(len(op.rules)))))
        elif op.name != "polygamma":  # the slopes of both need it
            cases.append(Case(compiled, points))
    agree_on(cases)


@pytest.mark.parametrize("language", ["numpy", "c", "javascript"])
def test_polygamma_is_refused_and_so_is_the_slope_of_digamma(language: Any) -> None:
    pytest.importorskip("scipy")
    compiled = ag.compile(ag.digamma)
    compiled(2.0)
    with pytest.raises(NotImplementedError, match=r"digamma: there is no .* for polygamma"):
        compiled.source(language, derivative="grad")


def test_digamma_needs_no_scipy() -> None:
    special = pytest.importorskip("scipy.special")
    code = ag.compile(ag.lgamma)
    code(2.0)
    function = python(code.source("numpy", derivative="grad"))
    for x in [*np.linspace(-40.03, 40.0, 400), 1e-8, 1e8]:
        assert function(x)[1] == pytest.approx(special.digamma(x), rel=1e-12, abs=1e-12)


@pytest.mark.skipif(len(LANGUAGES) < 3, reason="needs gcc and node")
@settings(max_examples=examples(25))
@given(dags(), st.booleans())
def test_random_programs(dag: Dag, as_list: bool) -> None:
    n = len(dag.inputs)
    if as_list:
        agree(dag.__call__, (list(dag.inputs),), derivatives=("grad", "jvp"))
    else:
        agree(lambda *xs: dag(xs), dag.inputs, derivatives=("grad", "jvp"), argnums=tuple(range(n)))


@settings(max_examples=examples(100))
@given(dags(), st.booleans())
def test_random_programs_of_numpy(dag: Dag, as_list: bool) -> None:
    f, args = (dag.__call__, (list(dag.inputs),)) if as_list else ((lambda *xs: dag(xs)), dag.inputs)
    agree(f, args, languages=["numpy"])


@st.composite
def array_programs(draw: st.DrawFn) -> tuple[list[tuple[str, Any]], tuple[int, int]]:
    """Draw steps on matrices: products, transposes, parts, sums along axes, and functions."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    steps: list[tuple[str, Any]] = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from("turn times map part turned sum sums roll own flip outer".split()))
        seed = draw(st.integers(0, 99))
        steps.append((kind, seed))
    return steps, shape


def squashed(X: Any) -> Any:
    return np.array([[ag.tanh(x) for x in row] for row in X], dtype=object)


def run(steps: list[tuple[str, Any]], A: Any) -> Any:
    X = A
    for kind, seed in steps:
        rows, columns = X.shape
        rng = np.random.default_rng(seed)
        if kind == "turn":
            X = X.T
        elif kind == "times":
            X = X @ rng.normal(size=(columns, 1 + seed % 3))
        elif kind == "own":
            X = squashed(X.T @ X)
        elif kind == "map":
            X = 0.5 * squashed(X)
        elif kind == "part":
            X = X[seed % rows :, : 1 + seed % columns]
        elif kind == "turned":
            X = squashed(X[::-1, :] * X)
        elif kind == "flip":
            X = X + 0.5 * X[:, ::-1]
        elif kind == "sum":
            X = X + X.sum(axis=0, keepdims=True) / 4.0
        elif kind == "sums":
            X = X - X.mean(axis=1, keepdims=True)
        elif kind == "roll":
            X = np.concatenate([X[1:], X[:1] * 0.25 + A[0, 0]])
        else:
            X = squashed(X * X[:1] + X[:, :1])
    return X


@settings(max_examples=examples(60))
@given(array_programs(), st.integers(0, 10))
def test_random_programs_of_arrays(program: Any, seed: int) -> None:
    steps, shape = program
    A = np.random.default_rng(seed).normal(size=shape)
    agree(lambda A: run(steps, A).sum(), (A,), languages=["numpy"], tolerance=1e-9)
    agree(lambda A: run(steps, A), (A,), derivatives=[None, "jvp"], languages=["numpy"], tolerance=1e-9)


@needs_gcc
@needs_node
@settings(max_examples=examples(20))
@given(array_programs(), st.integers(0, 10))
def test_random_programs_of_arrays_as_loops(program: Any, seed: int) -> None:
    steps, shape = program
    A = np.random.default_rng(seed).normal(size=shape)
    loops = ["c", "javascript"]
    agree(lambda A: run(steps, A).sum(), (A,), derivatives=["grad"], languages=loops, tolerance=1e-9)
    agree(lambda A: run(steps, A), (A,), derivatives=["jvp"], languages=loops, tolerance=1e-9)


# Programs as people have them.

RNG = np.random.default_rng(0)


def product(A: Any, B: Any) -> Any:
    return ((A @ B) * (A @ B)).sum()


def windows(k: Any, X: Any) -> Any:
    """Return the sum of a convolution's results."""
    places = itertools.product(range(3), range(4))
    return sum(ag.tanh(sum(k[a, b] * X[i + a, j + b] for a in range(2) for b in range(2))) for i, j in places)


def rosenbrock(x: Any) -> Any:
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in itertools.pairwise(x))


def chosen(i: Any, A: Any) -> Any:
    return sum(ag.take(list(A[:, j]), i) * A[0, j] for j in range(3))


def lists(m: Any) -> Any:
    return sum(ag.exp(x * y) for row in m for x, y in itertools.pairwise(row))


def mixed(p: Any) -> Any:
    return {"a": p["x"][0] * p["y"], "b": [p["x"][1] ** 2, (p["z"][0], None)], "c": 3.0, "A": p["A"] * 2.0}


CASES: list[tuple[Callable[..., Any], tuple[Any, ...], Any]] = [
    (layer, ({"W": RNG.normal(size=(3, 4)), "b": RNG.normal(size=3)}, RNG.normal(size=4)), (0, 1)),
    (product, (RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2))), (1, 0)),
    (windows, (RNG.normal(size=(2, 2)), RNG.normal(size=(4, 5))), (0, 1)),
    (rosenbrock, (RNG.normal(size=10).tolist(),), 0),
    (chosen, (1.0, RNG.normal(size=(4, 3))), 1),
    (lists, ([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]],), 0),
    (ag.logsumexp, (RNG.normal(size=6).tolist(),), -1),
    (lambda x: (x * x).sum(), (RNG.normal(size=(2, 3, 4)),), 0),
    (lambda x: sum(x) / len(x), ([2.0],), 0),
    (lambda x: 3.0, (1.0,), 0),
    (lambda x, y: 2.0 * x, (1.0, 2.0), (0, 1)),
]  # fmt: skip


def test_results_of_a_line_that_are_written_one_by_one_pass_all_derivatives_on() -> None:
    def f(A: Any, b: Any) -> Any:
        Z = A @ b
        return sum(A[i] @ b + 0.5 * Z[i] for i in range(2))

    agree(f, (RNG.normal(size=(2, 4)), RNG.normal(size=4)), argnums=(0, 1))
    program = [("times", 1), ("flip", 0), ("part", 0)]
    agree(lambda A: run(program, A).sum(), (RNG.normal(size=(2, 4)),))


@pytest.mark.parametrize(("f", "args", "argnums"), CASES)
def test_programs_of_one_number(f: Callable[..., Any], args: tuple[Any, ...], argnums: Any) -> None:
    agree(f, args, argnums=argnums)


MANY: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (mixed, ({"x": [1.0, 2.0], "y": 3.0, "z": (4.0, 5.0), "A": RNG.normal(size=(2, 2))},)),
    (lambda A, B: A @ B, (RNG.normal(size=(3, 4)), RNG.normal(size=(4, 5)))),
    (lambda A: A.T + 0.0, (RNG.normal(size=(2, 3)),)),
    (ag.hessian(rosenbrock), (RNG.normal(size=5).tolist(),)),
    (ag.jacobian(ag.softmax), (RNG.normal(size=4).tolist(),)),
    (lambda p: {key: 2 * x for key, x in p.items()}, ({"b": 1.0, "a": 2.0},)),
    (lambda a, b, c: [ag.sin(a), ag.sin(b), ag.sin(c)], (1.0, 2.0, 3.0)),
    (lambda x: (x[0], [[x[1], x[2]], [x[0], 1.0]]), ([1.0, 2.0, 3.0],)),
]


@pytest.mark.parametrize(("f", "args"), MANY)
def test_programs_of_several_numbers(f: Callable[..., Any], args: tuple[Any, ...]) -> None:
    agree(f, args, derivatives=[None, "jvp"])


def cost(net: Any, X: Any) -> Any:
    return sum(net([X[0, i], X[1, i]]) ** 2 for i in range(5))


def test_a_net_is_the_matrices_of_the_written_program() -> None:
    net, X = nn.MLP(2, [3, 1], activation="tanh"), RNG.normal(size=(2, 5))
    compiled = ag.compile(cost)
    value, slopes = compiled.value_and_grad(net, X)
    state = net.state_dict()
    assert "Z1 = W1 @ X + b1  # 3×5" in compiled.source("numpy")
    found = python(compiled.source("numpy", derivative="grad"))(state, X)
    assert found[0] == pytest.approx(value, rel=1e-12)
    assert list(found[1]) == list(slopes)
    assert numbers_of(list(found[1].values())) == pytest.approx(numbers_of(list(slopes.values())), rel=1e-9)
    if NODE is not None:
        ((numbers,),) = javascript([compiled.source("javascript", derivative="grad")], [[(state, X)]])
        assert numbers == pytest.approx([value, *numbers_of(list(slopes.values()))], rel=1e-9)
    code = compiled.source("c", derivative="grad")
    assert "const double W1[6], const double b1[3], const double W2[3], double b2" in code
    if GCC is not None:
        order = [f"layers.{k}.neurons.{n}.{name}" for k, m in ((0, 3), (1, 1)) for name in "wb" for n in range(m)]
        status, numbers = libraries([code])[0](numbers_of([[state[key] for key in order], X]))
        assert status == 0
        assert numbers == pytest.approx([value, *numbers_of([slopes[key] for key in order])], rel=1e-9)


def test_a_trained_net_is_its_constants() -> None:
    net = nn.MLP(2, [3, 1], activation="tanh")
    compiled = ag.compile(net.__call__)
    agree(compiled, ([0.3, -0.2],))
    w = net.parameters()[0].data
    for language in LANGUAGES:
        assert repr(w) in compiled.source(language)


@dataclass
class Point:
    x: float
    y: list[float]


Pair = namedtuple("Pair", "u v")


@pytest.mark.parametrize("point", [Point(1.0, [2.0, 3.0]), Pair(1.0, [2.0, 3.0])])
def test_whatever_has_names_is_a_dict(point: Any) -> None:
    first, second = ("x", "y") if isinstance(point, Point) else ("u", "v")
    compiled = ag.compile(lambda p: getattr(p, first) * getattr(p, second)[0] + getattr(p, second)[1])
    compiled(point)
    wanted = (5.0, {first: 2.0, second: [1.0, 1.0]})
    assert python(compiled.source("numpy", derivative="grad"))({first: 1.0, second: [2.0, 3.0]}) == wanted
    if NODE is not None:
        code = compiled.source("javascript", derivative="grad")
        assert javascript([code], [[({first: 1.0, second: [2.0, 3.0]},)]]) == [[[5.0, 2.0, 1.0, 1.0]]]


# Branches.


def branched(x: Any, y: Any) -> Any:
    if x > y:
        return ag.gelu(x) * y
    if x == y:
        return x
    return -x * y if x + y >= 0.0 else y


WAYS = [(2.0, 1.0), (3.0, 3.0), (1.0, 2.0), (-2.0, 1.0)]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("derivative", [None, "grad"])
def test_the_ways_that_were_met_are_there_and_others_are_an_error(n: int, derivative: Any) -> None:
    compiled = ag.compile(branched)
    for args in WAYS[:n]:
        compiled(*args)
    argnums = (0, 1) if derivative else None
    found = {language: results([Case(compiled, WAYS, derivative, argnums)], language)[0] for language in LANGUAGES}
    for k, args in enumerate(WAYS):
        for language in LANGUAGES:
            if k >= n:
                assert found[language][k] == {"javascript": "RangeError"}.get(language, "Error")
            else:
                wanted = expected(ag.compile(branched), args, derivative, argnums)
                assert found[language][k] == pytest.approx(wanted, rel=1e-12)


@needs_gcc
def test_where_no_way_fits_no_result_is_written() -> None:
    compiled = ag.compile(branched)
    compiled(1.0, 2.0)
    (f,) = libraries([compiled.source("c", derivative="grad", argnums=(0, 1))])
    status, numbers = f([2.0, 1.0])
    assert status == 1
    assert numbers == [math.pi] * 3


def test_nan_takes_the_way_that_it_takes_in_python() -> None:
    compiled = ag.compile(lambda x: x if x < 1.0 else 2.0 * x if x != x else 3.0 * x)
    agree(compiled, (math.nan,), (0.5,), (2.0,))


def halved(x: Any) -> Any:
    n = 0
    while x > 1.0:
        x, n = x / 2, n + 1
    return x * n


def test_a_loop_is_as_many_ways_as_lengths_that_were_met() -> None:
    agree(halved, (5.0,), (100.0,), (0.5,))
