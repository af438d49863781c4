"""Compiled sparse derivatives: equal to the eager ones, at all inputs and on all branches."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from operator import mul
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from strategies import SMOOTH, Dag, dags, examples
from test_sparse import branching, many, rosenbrock, systems

import autograd_mini as ag
from autograd_mini import Op
from autograd_mini.structure import map_leaves

RUN = pytest.mark.parametrize("runner", ["numpy", "llvm"])


def same(found: Any, expected: Any) -> bool:
    """Return whether two of SciPy's matrices have the same places, and numbers that are equal but for rounding."""
    return (
        type(found) is type(expected)
        and found.shape == expected.shape
        and found.indices.tolist() == expected.indices.tolist()
        and found.indptr.tolist() == expected.indptr.tolist()
        and np.allclose(found.data, expected.data, rtol=1e-9, atol=1e-9 * (1 + np.abs(expected.data).max(initial=0.0)))
    )


def points(n: int) -> st.SearchStrategy[list[list[float]]]:
    """Draw some points of n numbers."""
    number = st.floats(-1.5, 1.5).map(lambda x: round(x, 3))
    return st.lists(st.lists(number, min_size=n, max_size=n), min_size=1, max_size=4)


# On random graphs.


@RUN
@given(dag=dags(), data=st.data())
@settings(max_examples=examples(40))
def test_hessians_equal_eager_ones(runner: str, dag: Dag, data: st.DataObject) -> None:
    f = ag.compile(dag, runner=runner)
    eager = ag.hessian(dag, sparse=True)
    for x in (list(dag.inputs), *data.draw(points(len(dag.inputs)))):
        expected = eager(x)
        H = f.hessian(x, sparse=True)
        assert same(H, expected)
        assert (H != H.T).nnz == 0
        assert np.allclose(H.toarray(), f.hessian(x), rtol=1e-9, atol=1e-9 * (1 + abs(expected.data).max(initial=0.0)))
        value, slopes, H = f.value_grad_hessian(x, sparse=True)
        assert same(H, expected)
        assert value == pytest.approx(f(x), rel=1e-9, abs=1e-9)
        assert slopes == pytest.approx(f.grad(x), rel=1e-9, abs=1e-9 * (1 + max(map(abs, f.grad(x)))))


@RUN
@given(system=systems(), data=st.data())
@settings(max_examples=examples(40))
def test_jacobians_equal_eager_ones(runner: str, system: Any, data: st.DataObject) -> None:
    f, x = system
    compiled = ag.compile(f, runner=runner)
    for point in (x, *data.draw(points(len(x)))):
        assert same(compiled.jacobian(point, sparse=True), ag.jacobian(f, sparse=True)(point))


# Branches.


@dataclass(frozen=True)
class Forked:
    """A graph as a recipe, of which a step goes one way or the other, by the number of a node."""

    steps: tuple[tuple[int, float, tuple[Op, tuple[int, ...]], tuple[Op, tuple[int, ...]]], ...]

    def __call__(self, x: Sequence[Any], margins: list[float] | None = None) -> Any:
        """Compute the last node; with `margins` write down how far the numbers are from the other way."""
        nodes = list(x)
        for k, bound, one, other in self.steps:
            if margins is not None:
                margins.append(abs(nodes[k] - bound))
            op, operands = one if nodes[k] > bound else other
            nodes.append(op(*(nodes[i] for i in operands)))
        return nodes[-1]

    def is_clear(self, x: Sequence[float]) -> bool:
        """Return whether rounding cannot change the way."""
        margins: list[float] = []
        self([float(v) for v in x], margins)
        return min(margins) > 1e-6


@st.composite
def forked(draw: st.DrawFn) -> tuple[Forked, list[list[float]]]:
    """Draw a graph with branches, and points to call it at, some of them again."""
    n = draw(st.integers(1, 4))
    steps = []
    for size in range(n, n + draw(st.integers(1, 6))):
        ways = []
        for _ in range(2):
            op = draw(st.sampled_from(SMOOTH))
            ways.append((op, tuple(draw(st.integers(0, size - 1)) for _ in range(len(op.rules)))))
        steps.append((draw(st.integers(0, size - 1)), draw(st.sampled_from([-0.4, 0.1, 0.6])), *ways))
    found = draw(points(n))
    return Forked(tuple(steps)), [*found, *draw(st.permutations(found))]  # type: ignore[arg-type]


@RUN
@given(drawn=forked())
@settings(max_examples=examples(60))
def test_another_branch_has_its_own_places(runner: str, drawn: Any) -> None:
    f, xs = drawn
    assume(all(map(f.is_clear, xs)))
    compiled = ag.compile(f, runner=runner)
    of_transform = ag.compile(ag.hessian(f, sparse=True), runner=runner)
    of_compiled = ag.hessian(compiled, sparse=True)
    for x in xs:
        expected = ag.hessian(f, sparse=True)(x)
        assert same(compiled.hessian(x, sparse=True), expected)
        assert same(of_transform(x), expected)
        assert same(of_compiled(x), expected)
        assert same(compiled.value_grad_hessian(x, sparse=True)[2], expected)
        pair = lambda v: [f(v), f(v[::-1])]  # noqa: E731
        if f.is_clear(x[::-1]):
            assert same(ag.compile(pair, runner=runner).jacobian(x, sparse=True), ag.jacobian(pair, sparse=True)(x))


def fork(x: Any) -> Any:
    """Compute one of two functions, whose Hessians have no place in common."""
    return x[0] * x[1] if x[2] > 0 else x[1] ** 2 * x[2]


@RUN
def test_branches_switch_between_calls(runner: str) -> None:
    f = ag.compile(fork, runner=runner)
    for _ in range(2):
        assert f.hessian([2.0, 3.0, 1.0], sparse=True).toarray().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
        assert f.hessian([2.0, 3.0, -1.0], sparse=True).toarray().tolist() == [[0, 0, 0], [0, -2, 6], [0, 6, 0]]
    bound = ag.compile(ag.hessian(fork, sparse=True), runner=runner).bind([2.0, 3.0, 1.0])
    assert bound.value.nnz == 2
    bound.args[0][2] = -1.0
    with pytest.raises(ValueError, match="another branch is taken"):
        bound()


@RUN
def test_rules_that_branch_choose_the_places_too(runner: str) -> None:
    """The second derivative of a rule of one's own is a constant on one side of 0."""

    @ag.custom_rule(lambda x, z: 3.0 * x * x if x > 0 else 2.0)
    def bent(x: float) -> float:
        """Compute x^3 right of 0, and 2x left of it."""
        return x**3 if x > 0 else 2.0 * x

    for row in (bent, branching):
        f = lambda x, row=row: row(x[0]) * 1.0 + x[1]  # noqa: E731
        compiled = ag.compile(f, runner=runner)
        for x in ([1.0, 2.0], [-1.0, 2.0], [3.0, 1.0]):
            assert same(compiled.hessian(x, sparse=True), ag.hessian(f, sparse=True)(x))


@pytest.mark.parametrize("transform", [ag.hessian, ag.jacobian])
def test_a_trace_has_the_places_and_reports_branches_and_kinks(transform: Any) -> None:
    f = lambda x: ag.relu(x[0]) ** 2 * x[1] if x[1] > 0 else x[1]  # noqa: E731
    t = ag.trace(transform(f, sparse=True), [2.0, 3.0])
    assert same(t([5.0, 7.0]), transform(f, sparse=True)([5.0, 7.0]))
    assert {decision.kind for decision in t.decisions()} == {"kink", "branch"}
    with pytest.raises(ag.BranchError, match="> 0 was True; here it is False"):
        t([5.0, -7.0], branches="raise")
    with pytest.warns(ag.BranchWarning):
        t([5.0, -7.0])


# Arguments and results.


class Point(NamedTuple):
    x: Any
    y: Any


STRUCTURES: dict[str, tuple[Callable[..., Any], tuple[Any, ...], int | tuple[int, ...]]] = {
    "a number": (lambda x: x**3, (2.0,), 0),
    "numbers": (lambda x, y: x**3 * y, (2.0, 3.0), (1, 0)),
    "a tuple": (lambda x: x[0] * x[1], ((2.0, 3.0),), 0),
    "an array": (lambda x: ag.sum(x[i, j] * x[j, 0] for i in range(3) for j in range(2)), (np.ones((3, 2)),), 0),
    "a dict": (lambda p: p["w"][0] * p["w"][1] * p["b"], ({"w": np.array([2.0, 5.0]), "b": 3.0},), 0),
    "a named tuple": (lambda p: p.x * ag.exp(p.y), (Point(2.0, 3.0),), 0),
    "several": (lambda p, q, r: p["a"] * q[0] * r**2 + p["a"] ** 3, ({"a": 2.0}, [3.0], 5.0), (0, 2)),
    "the last": (lambda x, y: x * y[0] ** 2, (2.0, [3.0, 4.0]), -1),
}


@RUN
@pytest.mark.parametrize(("f", "args", "argnums"), STRUCTURES.values(), ids=STRUCTURES)
def test_arguments_of_any_structure(runner: str, f: Any, args: Any, argnums: Any) -> None:
    compiled = ag.compile(f, runner=runner)
    outputs = ag.compile(lambda *args: {"z": [f(*args)], "u": np.array([f(*args)])}, runner=runner)
    for scale in (1.0, 0.5):
        scaled = map_leaves(partial(mul, scale), args)
        H = ag.hessian(f, argnums, sparse=True)(*scaled)
        assert same(compiled.hessian(*scaled, argnums=argnums, sparse=True), H)
        assert same(compiled.value_grad_hessian(*scaled, argnums=argnums, sparse=True)[2], H)
        J = ag.jacobian(lambda *args: [f(*args)] * 2, argnums, sparse=True)(*scaled)
        assert same(outputs.jacobian(*scaled, argnums=argnums, sparse=True), J)


PLACES: dict[str, tuple[Callable[[Any], Any], int]] = {
    "none": (lambda x: ag.sum([*x, 2.0]), 3),
    "no derivative": (lambda x: 3.0, 2),
    "all": (lambda x: ag.sum(x) ** 3, 4),
    "constants": (lambda x: ag.sum(v * v for v in x) + x[0] * x[1], 3),
    "constants among others": (lambda x: x[0] * x[1] + x[1] ** 3, 3),
    "inputs": (lambda x: x[0] * x[1] * x[2], 3),
    "no numbers": (lambda x: 1.0, 0),
    "one number": (lambda x: ag.sin(x[0]), 1),
    "rows of many operands": (many, 9),
    "a choice": (lambda x: ag.take([v * v for v in x], ag.floor(x[0])) * x[1], 3),
}


@RUN
@pytest.mark.parametrize(("f", "n"), PLACES.values(), ids=PLACES)
def test_places(runner: str, f: Any, n: int) -> None:
    compiled, system = ag.compile(f, runner=runner), lambda x: [*x, f(x), 2.0]
    for start in (0.3, 1.4):
        x = [start + 0.1 * i for i in range(n)]
        assert same(compiled.hessian(x, sparse=True), ag.hessian(f, sparse=True)(x))
        J = ag.compile(system, runner=runner).jacobian(np.array(x), sparse=True)
        assert same(J, ag.jacobian(system, sparse=True)(np.array(x)))
    empty = ag.compile(lambda x: [], runner=runner).jacobian([1.0, 2.0], sparse=True)
    assert (empty.shape, empty.nnz) == ((0, 2), 0)


@RUN
def test_results_belong_to_the_caller(runner: str) -> None:
    hessian = ag.compile(rosenbrock, runner=runner).hessian
    x = [0.5] * 6
    first = hessian(x, sparse=True)
    expected = first.toarray()
    first.data[::2] = 0.0
    first.eliminate_zeros()  # in place: it moves indices
    second = hessian(x, sparse=True)
    assert (second.toarray() == expected).all()
    hessian([0.7] * 6, sparse=True)
    assert (second.toarray() == expected).all()
    assert second.has_canonical_format
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda k: hessian([0.1 * k] * 6, sparse=True), range(40)))
    assert all(same(H, ag.hessian(rosenbrock, sparse=True)([0.1 * k] * 6)) for k, H in enumerate(found))


@RUN
def test_products_with_vectors(runner: str) -> None:
    def push(x: Any, v: Any) -> Any:
        return ag.hessian(rosenbrock, sparse=True)(x) @ v

    x, v = np.linspace(0.2, 0.9, 7), np.linspace(-1.0, 2.0, 7)
    H = ag.compile(rosenbrock, runner=runner).hessian(x, sparse=True)
    expected = ag.compile(rosenbrock, runner=runner).hvp((x,), (v,))
    assert H @ v == pytest.approx(expected)
    assert ag.compile(push, runner=runner)(x, v) == pytest.approx(expected)


def test_derivatives_of_a_compiled_sparse_matrix() -> None:
    f = lambda x: x[0] ** 2 * x[1] ** 2  # noqa: E731
    sparse = ag.compile(ag.hessian(f, sparse=True))
    x, t = [2.0, 3.0], [1.0, -1.0]
    H, along = sparse.jvp((x,), (t,))
    assert H.toarray().tolist() == [[18.0, 24.0], [24.0, 8.0]]
    assert along.toarray() == pytest.approx(np.array(ag.jvp(ag.hessian(f), (x,), (t,))[1]))
    third = np.array(ag.jacobian(ag.hessian(f))(x))
    assert sparse.jacobian(x, sparse=True).toarray() == pytest.approx(third.reshape(4, 2))
    assert isinstance(sparse([ag.Value(2.0), 3.0]), ag.SparseMatrix)
    assert ag.grad(lambda v: ag.sum(sparse(v).values))(x) == pytest.approx(third.sum(axis=(0, 1)))


def test_large_graphs() -> None:
    arrow = lambda x: sum(x[0] * v * v + (v - x[0]) ** 4 for v in x[1:])  # noqa: E731
    x = 0.3 + 0.05 * (np.arange(2000) % 11)
    for f in (rosenbrock, arrow):
        compiled = ag.compile(ag.hessian(f, sparse=True))
        H = compiled(x)
        assert same(H, ag.hessian(f, sparse=True)(x))
        assert H.nnz == 3 * 2000 - 2
        program = compiled.program(x)
        assert program.size < 40 * 2000
        assert len(program.instructions) < 40


def test_a_deep_graph() -> None:
    def deep(x: Any) -> Any:
        y = x
        for _ in range(3000):
            y = y * 1.0001
        return y * x

    assert ag.compile(deep).hessian(1.0, sparse=True)[0, 0] == pytest.approx(2 * 1.0001**3000)


# Pickles.


def test_pickles_keep_the_places_of_all_branches() -> None:
    sparse = ag.compile(ag.hessian(fork, sparse=True))  # a function that cannot be pickled, but its programs can
    expected = [sparse(x).toarray().tolist() for x in ([2.0, 3.0, 1.0], [2.0, 3.0, -1.0])]
    thawed = pickle.loads(pickle.dumps(sparse))
    assert [thawed(x).toarray().tolist() for x in ([2.0, 3.0, 1.0], [2.0, 3.0, -1.0])] == expected
    assert same(pickle.loads(pickle.dumps(ag.compile(fork))).hessian([2.0, 3.0, 1.0], sparse=True), sparse([2.0, 3, 1]))


def test_a_function_that_was_not_pickled_refuses_another_branch() -> None:
    f = ag.compile(lambda x: x[0] * x[1] if x[2] > 0 else x[1] ** 2 * x[2])
    f([2.0, 3.0, 1.0])
    thawed = pickle.loads(pickle.dumps(f))
    assert thawed.hessian([2.0, 5.0, 1.0], sparse=True).nnz == 2
    assert pickle.loads(pickle.dumps(thawed)).hessian([2.0, 5.0, 1.0], sparse=True).nnz == 2
    for derivative in (lambda x: thawed.hessian(x, sparse=True), thawed.hessian, ag.grad(thawed)):
        with pytest.raises(ag.BranchError, match=r"x_\{3\} > 0 was True; here it is False \(-1 and 0\)"):
            derivative([2.0, 3.0, -1.0])


# What is refused.


def test_errors() -> None:
    with pytest.raises(TypeError, match="cannot use 'a' of type str; give numbers, arrays, lists and dicts"):
        ag.compile(fork).hessian(["a", 2.0, 3.0], sparse=True)
    with pytest.raises(TypeError, match=r"the output must be one number, not \[number\]"):
        ag.compile(lambda x: [x[0]]).hessian([1.0], sparse=True)
    with pytest.raises(TypeError, match="its result: cannot use 'a' of type str"):
        ag.compile(lambda x: ["a", x[0]]).jacobian([1.0], sparse=True)
    with pytest.raises(ValueError, match="argnums=1, but the call has 1 positional argument"):
        ag.compile(fork).hessian([1.0, 2.0, 3.0], argnums=1, sparse=True)


def test_a_sparse_matrix_has_no_batch() -> None:
    sparse = ag.compile(ag.hessian(fork, sparse=True))
    with pytest.raises(TypeError, match="one number at each place: for batches or derivatives, return its entries"):
        sparse.map(np.ones((4, 3)))
    with pytest.raises(TypeError, match=r"return its entries, `\.values`"):
        sparse.jacobian([1.0, 2.0, 3.0])
    entries = ag.compile(lambda x: ag.hessian(fork, sparse=True)(x).values)
    assert np.shape(entries.jacobian([1.0, 2.0, 3.0])) == (2, 3)


def test_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    f = ag.compile(fork)
    for call in (f.hessian, f.jacobian, f.value_grad_hessian):
        with pytest.raises(ImportError, match=r'with sparse=True needs SciPy: pip install "\.\[scipy\]"$'):
            call([1.0, 2.0, 3.0], sparse=True)
    assert f.hessian([1.0, 2.0, 3.0])
