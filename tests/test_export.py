"""Programs as source code: they are compiled and run, and give what the program gives."""

from __future__ import annotations

import ctypes
import itertools
import math
import pickle
import re
import subprocess
import tempfile
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exports import (
    FLAGS,
    GCC,
    LANGUAGES,
    Case,
    agree,
    agree_on,
    apart,
    expected,
    javascript,
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
from autograd_mini import OPS, Op, Value, nn

NUMBERS = [0.0, -0.0, 0.3, 1.0, -1.0, 2.5, -3.5, 60.0, 1e-310, 800.0, math.inf, -math.inf, math.nan]


def of_operands(op: Op) -> Callable[..., Any]:
    """Return a row as a function of as many numbers."""
    space: dict[str, Any] = {"op": op}
    names = ", ".join(f"x{i}" for i in range(op.arity))
    exec(f"def of_{op}({names}): return op({names})", space)
    f: Callable[..., Any] = space[f"of_{op}"]
    return f


# All rows, random programs, arrays.


def test_all_rows_are_written_with_their_slopes_at_special_values_too() -> None:
    pytest.importorskip("scipy")
    cases = []
    for op in OPS.values():
        numbers = NUMBERS if op.arity < 3 else [0.0, 0.5, 2.0, -1.0, math.inf, math.nan]
        compiled = ag.compile(of_operands(op), runner="numpy")
        compiled(*[0.5] * op.arity)
        points = list(itertools.product(numbers, repeat=op.arity))
        if op.name not in ("digamma", "polygamma"):
            cases.append(Case(compiled, points, "grad", tuple(range(op.arity))))
        elif op.name == "digamma":
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


def layer(p: Any, x: Any) -> Any:
    return sum(ag.tanh(z) for z in p["W"] @ x + p["b"])


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


# Names, constants, errors.


def test_names_that_are_words_of_the_language() -> None:
    def double(
        int: Any,
        char: Any,
        NAN: Any,
        main: Any,
        λ: Any,  # noqa: PLC2401
        sum: Any,
        i: Any,
        j: Any,
        value: Any,
        dx: Any,
        np: Any,
    ) -> Any:
        return int * char + NAN * main + λ * sum + i * j + value * dx * np

    agree(double, tuple(map(float, range(2, 13))), argnums=tuple(range(11)))
    compiled = ag.compile(double)
    compiled(*[1.0] * 11)
    code = compiled.source("c")
    assert code.isascii()
    assert "int double_2(double int_2, double char_2, double NAN_2, double main_2, double lamda," in code


@pytest.mark.parametrize(
    "name", ["exp", "gelu", "f_gelu", "_gelu", "main", "await", "λ", "a b", "", "class", "sum", "each", "number"]
)
def test_a_function_of_any_name(name: str) -> None:
    def f(f_gelu: Any, gelu: Any, erfc: Any) -> Any:
        return ag.gelu(f_gelu) * ag.gelu(gelu) + erfc

    f.__name__ = name
    agree(f, (0.5, 0.25, 0.125), derivatives=["grad"], argnums=(0, 1, 2))


def test_labels_end_no_comment() -> None:
    agree(lambda p: p["*/"] * p["\n"] * p['"'], ({"*/": 2.0, "\n": 3.0, '"': 5.0},))
    k = Value(0.5, 'a */ """ \\ \n b')
    agree(lambda x: x * k, (2.0,))


def test_constants_are_written_in_full() -> None:
    known = [1e-310, 5e-324, math.inf, -0.0, math.pi, 0.1, 1.7976931348623157e308]
    compiled = ag.compile(lambda x: [*(x[i] * c for i, c in enumerate(known)), ag.maximum(x[0], math.nan), 5.0, -0.0])
    agree(compiled, ([1.0] * len(known),), derivatives=[None], tolerance=0.0)


def test_numbers_of_values_that_a_function_closes_over_are_told() -> None:
    k = Value(0.1, "k")
    compiled = ag.compile(lambda x: x * k)
    compiled(2.0)
    for language in LANGUAGES:
        assert "Values that it closes over are constants here: k = 0.1" in compiled.source(language).replace(
            "\n * ", " "
        )
    k.data = 0.3
    with pytest.raises(LookupError, match="no program"):
        compiled.source("c")
    assert "k = 0.3" in compiled.source("c", 2.0).replace("0.29999999999999999", "0.3")


def test_ops_of_ones_own_are_written_from_their_sources() -> None:
    @ag.custom_rule(lambda x, z: 1 / (1 + x * x) if x > 0 else 0.0)
    def own(x: float) -> float:
        total = 0.0
        for k in range(3):
            total += math.exp(-x * k) / (k + 1)
        return total if total > 1 else math.log(x)

    agree(lambda x, y: own(x) * own(y), *itertools.product(NUMBERS, repeat=2), derivatives=["grad"], argnums=(0, 1))


def test_an_op_that_cannot_be_written_is_refused_by_its_name() -> None:
    @ag.custom_rule(lambda x, z: 1.0)
    def unwritten(x: float) -> float:
        return float(f"{x:.3f}")

    compiled = ag.compile(unwritten)
    with pytest.warns(UserWarning, match="unwritten"):
        compiled(1.0)
    languages: list[Any] = ["numpy", "c", "javascript"]
    for language in languages:
        with pytest.raises(NotImplementedError, match=r"unwritten: there is no .* for unwritten"):
            compiled.source(language)


def test_keys_that_are_one_in_javascript() -> None:
    compiled = ag.compile(lambda p: p[1] * p["1"])
    compiled({1: 2.0, "1": 3.0})
    assert python(compiled.source("numpy"))({1: 2.0, "1": 3.0}) == 6.0
    with pytest.raises(NotImplementedError, match="there is no JavaScript for a dict with the keys"):
        compiled.source("javascript")


def test_errors_say_what_to_give() -> None:
    compiled = ag.compile(lambda x, y: x * y)
    with pytest.raises(LookupError, match="there is no program: give arguments to choose by, or call it first"):
        compiled.source("c")
    assert "int f(" in compiled.source("c", 1.0, 2.0)
    compiled(np.ones(2), 2.0)
    with pytest.raises(LookupError, match="there are programs for 2 structures of arguments: give"):
        compiled.source("c")
    compiled = ag.compile(lambda x, y: x * y)
    compiled(1.0, 2.0)
    with pytest.raises(ValueError, match="source writes 'numpy', 'c' and 'javascript', not 'rust'"):
        compiled.source("rust")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='derivative must be None, "grad" or "jvp", not \'hessian\''):
        compiled.source("c", derivative="hessian")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="argnums 1 asks for a derivative"):
        compiled.source("c", argnums=1)
    with pytest.raises(ValueError, match="argnums 2, but there are 2 arguments"):
        compiled.source("c", derivative="grad", argnums=2)
    with pytest.raises(ValueError, match="names an argument twice"):
        compiled.source("c", derivative="grad", argnums=(0, -2))
    several = ag.compile(lambda x: [x, x])
    several(1.0)
    with pytest.raises(TypeError, match="a gradient needs one output"):
        several.source("c", derivative="grad")
    nothing = ag.compile(lambda x: None)
    nothing(1.0)
    with pytest.raises(ValueError, match="it returns no number"):
        nothing.source("numpy")


def test_arguments_of_another_shape_are_refused() -> None:
    compiled = ag.compile(layer)
    W, b, x = np.ones((3, 4)), np.ones(3), np.ones(4)
    compiled({"W": W, "b": b}, x)
    function = python(compiled.source("numpy"))
    with pytest.raises(ValueError, match=r"p\['W'\] must have the shape \(3, 4\), and has \(4, 3\)"):
        function({"W": W.T, "b": b}, x)
    if NODE is not None:
        code = compiled.source("javascript")
        calls = [({"W": W.T, "b": b}, x), ({"W": W, "b": b}, 1.0), ({"W": W, "b": [1.0, 2.0, None]}, x)]
        assert javascript([code], [calls]) == [["TypeError"] * 3]


def test_results_share_no_memory_with_arguments_or_with_one_another() -> None:
    compiled = ag.compile(lambda x, y: (x * y).sum())
    x, y = np.ones(3), np.full(3, 2.0)
    compiled(x, y)
    _, (dx, dy) = python(compiled.source("numpy", derivative="grad", argnums=(0, 1)))(x, y)
    dx[:] = dy[:] = 7.0
    assert x.tolist() == [1.0] * 3
    assert y.tolist() == [2.0] * 3


# Text.


def test_numpy_alone_is_needed() -> None:
    compiled = ag.compile(layer)
    args = {"W": RNG.normal(size=(3, 4)), "b": RNG.normal(size=3)}, RNG.normal(size=4)
    compiled(*args)
    text = repr(args)[1:-1]
    found = apart(compiled.source("numpy", derivative="grad"), text)
    value, slopes = compiled.value_and_grad(*args)
    assert found == pytest.approx([value, *numbers_of(slopes)], rel=1e-7)  # as repr writes arrays


def test_c_is_readable() -> None:
    compiled = ag.compile(layer)
    compiled({"W": np.ones((3, 4)), "b": np.ones(3)}, np.ones(4))
    assert (
        compiled.source("c", derivative="grad").partition("#include")[2]
        == """ <math.h>

int layer_grad(const double W[12], const double b[3], const double x[4], double *value,
    double dW[12], double db[3]) {
    double v1[3];
    for (int i = 0; i < 3; i++) {
        double sum = -0.0;
        for (int j = 0; j < 4; j++) sum += W[4*i + j] * x[j];
        v1[i] = sum + b[i];
    }
    double v2[3];
    for (int i = 0; i < 3; i++)
        v2[i] = tanh(v1[i]);
    double v3 = -0.0;
    for (int i = 0; i < 3; i++) v3 += v2[i];
    *value = v3;
    /* The way back: dx is the derivative of the value with respect to x. */
    const double dv3 = 1.0;
    double dv2[3];
    for (int i = 0; i < 3; i++)
        dv2[i] = dv3;
    double dv1[3];
    for (int i = 0; i < 3; i++)
        dv1[i] = dv2[i] * (1.0 - v2[i] * v2[i]);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            dW[4*i + j] = dv1[i] * x[j];
    for (int i = 0; i < 3; i++)
        db[i] = dv1[i];
    return 0;
}
"""
    )


def test_a_large_program_is_short() -> None:
    compiled = ag.compile(lambda A, B: ag.tanh((A @ B).sum()))
    A = np.ones((30, 30))
    compiled(A, A)
    for language in LANGUAGES:
        assert len(compiled.source(language, derivative="grad", argnums=(0, 1)).splitlines()) < 80


def test_a_pickled_function_is_written_too() -> None:
    compiled = ag.compile(lambda x: x * x)
    compiled(3.0)
    assert "v1 = x * x" in pickle.loads(pickle.dumps(compiled)).source("c")


def test_arrays_without_numbers() -> None:
    compiled = ag.compile(lambda x, p: p["y"] * 2.0)
    args = np.zeros((2, 0)), {"y": 3.0, "z": [], "n": None}
    compiled(*args)
    for derivative, argnums in (("grad", (0, 1)), ("jvp", None), (None, None)):
        case = Case(compiled, [args], derivative, argnums)
        agree_on([case])
    value, (dx, dp) = python(compiled.source("numpy", derivative="grad", argnums=(0, 1)))(*args)
    assert (value, dx.shape, dp) == (6.0, (2, 0), {"n": None, "y": 2.0, "z": []})


def test_static_arguments_are_part_of_the_program() -> None:
    compiled = ag.compile(lambda x, n: x**n, static_argnums=1)
    compiled(2.0, 3)
    assert python(compiled.source("numpy", derivative="grad"))(2.0) == (8.0, 12.0)


def test_a_deep_program() -> None:
    def f(x: Any) -> Any:
        for _ in range(3000):
            x = ag.sin(x)
        return x

    agree(f, (1.0,), derivatives=["grad"])


@needs_gcc
def test_the_use_in_c_of_the_page() -> None:
    page = (Path(__file__).parent.parent / "docs" / "howto" / "export.md").read_text()
    (use,) = re.findall(r"^```c\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)

    def misfit(p: Any, t: Any, y: Any) -> Any:
        return (p[0] * ag.exp(-p[1] * t) - y) ** 2

    compiled = ag.compile(misfit)
    code = compiled.source("c", [1.0, 0.5], 2.0, 0.3, derivative="grad")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "f.c")
        file.write_text(f"{code}\n{use}")
        command = [
            GCC or "",
            *FLAGS,
            "-Wno-redundant-decls",
            "-shared",
            "-fPIC",
            str(file),
            "-o",
            f"{folder}/f.so",
            "-lm",
        ]
        subprocess.run(command, check=True)
        learn = ctypes.CDLL(f"{folder}/f.so").learn
    learn.restype = ctypes.c_double
    p, expected = (ctypes.c_double * 2)(1.0, 0.5), [1.0, 0.5]
    for _ in range(20):
        value, slopes = compiled.value_and_grad(expected, 2.0, 0.3)
        assert learn(p, ctypes.c_double(2.0), ctypes.c_double(0.3)) == pytest.approx(value, rel=1e-9, abs=1e-15)
        expected = [x - 0.1 * slope for x, slope in zip(expected, slopes, strict=True)]
    assert list(p) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("language", ["c", "javascript", "numpy"])
def test_a_loop_is_written_step_by_step(language: Any) -> None:
    f = ag.compile(lambda w, xs: ag.scan(lambda c, x: (ag.tanh(w * c + x), c), 0.5, xs)[0])
    f(0.3, np.zeros(7))
    with pytest.raises(NotImplementedError, match="is written step by step: give arguments"):
        f.source(language)
    assert f.source(language, 0.3, np.zeros(3), derivative="grad")


@pytest.mark.parametrize("language", ["c", "javascript", "numpy"])
def test_results_that_cannot_be_written_are_refused(language: Any) -> None:
    f = ag.compile(lambda x: [x[0]] if x[0] > 0 else [x[0], x[1]])
    f([1.0, 2.0])
    f([-1.0, 2.0])
    with pytest.raises(NotImplementedError, match="another structure"):
        f.source(language)
    sparse = ag.compile(ag.hessian(lambda x: x[0] * x[0] * x[1], sparse=True))
    with pytest.raises(NotImplementedError, match="a sparse matrix cannot be written"):
        sparse.source(language, [1.0, 2.0])
