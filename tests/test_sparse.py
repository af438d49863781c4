"""Sparse derivatives: equal to the dense ones, with the entries that the graph leads to and no others."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from strategies import DEEP, Dag, dags, examples, smooth_operands

import autograd_mini as ag
from autograd_mini import OPS, Op


def rosenbrock(x: Any) -> Any:
    """Sum over the chained valley."""
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


def stored(matrix: Any) -> set[tuple[int, int]]:
    """Return the places of a sparse matrix that have an entry."""
    coo = matrix.tocoo()
    return set(zip(coo.row.tolist(), coo.col.tolist(), strict=True))


def close(sparse: Any, dense: Any) -> bool:
    """Return whether a sparse matrix has the numbers of a dense one."""
    dense = np.asarray(dense, dtype=float)
    return bool(np.allclose(sparse.toarray(), dense, rtol=1e-9, atol=1e-9 * (1 + np.abs(dense).max(initial=0.0))))


# Hessians.


@given(dags())
def test_hessians_equal_dense_ones(dag: Dag) -> None:
    x = list(dag.inputs)
    H = ag.hessian(dag, sparse=True)(x)
    assert H.shape == (len(x), len(x))
    assert close(H, ag.hessian(dag)(x))
    assert (H != H.T).nnz == 0


@given(dags())
def test_a_hessian_has_no_entry_that_the_edges_exclude(dag: Dag) -> None:
    """An entry needs a node that both inputs lead to, by a row that is not linear."""
    x = dag.values()
    leads: list[set[int]] = [{i} for i in range(len(x))]
    allowed = set()
    for op, operands in dag.steps:
        into: set[int] = set().union(*(leads[k] for k in operands))
        leads.append(into)
        if op.name == "mul":  # its operands are in no product with themselves
            a, b = (leads[k] for k in operands)
            allowed |= {pair for i in a for j in b for pair in ((i, j), (j, i))}
        elif op.name not in ("add", "sub", "neg"):
            allowed |= {(i, j) for i in into for j in into}
    assert stored(ag.hessian(dag, sparse=True)(list(dag.inputs))) <= allowed


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@given(data=st.data())
@settings(max_examples=examples(20))
def test_every_row_has_its_second_partials(op: Op, data: st.DataObject) -> None:
    x = list(data.draw(smooth_operands(op)))
    n = len(x) - (op.name == "powlog")  # orders of derivatives have none themselves
    first = int(op.name in ("polygamma", "polygamma_gap", "sinc_derivative"))

    def f(free: Any) -> Any:
        operands = [*x[:first], *free, *x[n:]]
        return op(*operands) * op(*operands)

    free = x[first:n]
    dense = np.array(ag.hessian(f)(free))
    assume(np.isfinite(dense).all())
    assert close(ag.hessian(f, sparse=True)(free), dense)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_a_row_of_one_number_used_twice(op: Op) -> None:
    x = 0.37 if op.name not in ("acosh", "polygamma", "powlog") else 1.5
    if op.name in ("polygamma", "polygamma_gap", "powlog", "sinc_derivative"):
        pytest.skip("an order is a whole number and has no derivative")
    f = lambda v: op(*[v] * len(op.rules))  # noqa: E731
    assert close(ag.hessian(f, sparse=True)(x), [[ag.hessian(f)(x)]])


@ag.custom_rule(lambda x, y, z: 2 * x * ag.sin(y), lambda x, y, z: x**2 * ag.cos(y))
def bend(x: float, y: float) -> float:
    """Compute x^2 sin(y)."""
    return x * x * math.sin(y)


@ag.custom_rule(lambda x, z: math.cos(x))
def math_sine(x: float) -> float:
    """Compute a sine whose rule asks for floats."""
    return math.sin(x)


@ag.custom_rule(lambda x, z: 3.0 * x * x if x > 0 else 1.0 * x)
def branching(x: float) -> float:
    """Compute a function of two pieces, with a rule that branches."""
    return x**3 if x > 0 else x * x / 2


def test_ops_of_ones_own() -> None:
    f = lambda x: bend(x[0], x[1]) * x[2] + bend(x[2], x[2]) + branching(x[0]) + branching(-x[1])  # noqa: E731
    x = [0.7, 1.1, -0.4]
    assert close(ag.hessian(f, sparse=True)(x), ag.hessian(f)(x))
    assert math.isnan(ag.hessian(math_sine)(1.0))
    assert math.isnan(ag.hessian(math_sine, sparse=True)(1.0).toarray()[0, 0])  # not known, and not 0


def many(x: list[Any]) -> Any:
    """Compute rows of many operands, with plain numbers and repeats among these."""
    n = len(x)
    inner = ag.dot(x, [*x[1:], 2.0], x[0]) * ag.dot([3.0] * n, x)
    return ag.sum([*x, 1.0, x[0], inner]) ** 2 + ag.take(x, 1) * ag.hypot(x[0], x[2]) + ag.dot(x, x)


@pytest.mark.parametrize("n", [3, 4, 9])
def test_rows_of_any_number_of_operands(n: int) -> None:
    x = [0.3 + 0.1 * i for i in range(n)]
    assert close(ag.hessian(many, sparse=True)(x), ag.hessian(many)(x))


CONSTANT = ag.Value(3.0, "c")
SPECIAL: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "repeated parents": (lambda x: x[0] * x[0] * (x[0] * x[1]), [2.0, 3.0]),
    "a node with many users": (lambda x: (u := x[0] * x[1]) * u + ag.sin(u) / u, [0.5, 2.0]),
    "powers": (lambda x: x[0] ** 2 + x[0] ** 3 + 2.0 ** x[1] + x[0] ** x[1] + x[1] ** 1 + x[0] ** 0, [0.5, 2.0]),
    "whole powers of a negative number": (lambda x: x[0] ** 3 + x[0] ** -1, [-0.5]),
    "stopped": (lambda x: ag.stop_gradient(x[0]) * x[1] * x[1] + ag.stop_gradient(ag.exp(x[0])), [0.5, 2.0]),
    "at the origin of hypot": (lambda x: ag.hypot(x[0], 1.0) * x[1], [0.0, 2.0]),
    "constants of outside": (lambda x: CONSTANT * x[0] * x[0] + CONSTANT * CONSTANT * x[1], [0.5, 2.0]),
    "the argument itself": (lambda x: x[1], [0.5, 2.0]),
    "a number": (lambda x: 3.0, [0.5, 2.0]),
}


@pytest.mark.parametrize(("f", "x"), SPECIAL.values(), ids=SPECIAL)
def test_special_graphs(f: Callable[[Any], Any], x: list[float]) -> None:
    assert close(ag.hessian(f, sparse=True)(x), ag.hessian(f)(x))
    assert close(ag.jacobian(lambda v: [f(v), v[0]], sparse=True)(x), ag.jacobian(lambda v: [f(v), v[0]])(x))


def test_entries_that_cancel_in_numbers_are_stored_and_others_are_not() -> None:
    H = ag.hessian(lambda x: x[0] * x[1] - x[1] * x[0] + x[2] ** 2, sparse=True)([2.0, 3.0, 1.0])
    assert stored(H) == {(0, 1), (1, 0), (2, 2)}
    assert H.toarray().tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 2.0]]
    assert (
        stored(ag.hessian(lambda x: ag.relu(x[0]) + abs(x[1]) * 3 + ag.maximum(x[0], x[1]), sparse=True)([1.0, 2.0]))
        == set()
    )
    J = ag.jacobian(lambda x: [x[0] - x[0], x[1] * 0.0, ag.floor(x[0])], sparse=True)([1.0, 2.0])
    assert stored(J) == {(0, 0), (1, 1)}


def test_nested_arguments_count_from_left_to_right() -> None:
    def f(p: Any, q: Any, fixed: float = 2.0) -> Any:
        return p["a"] * p["b"][1] * q[0, 1] + fixed * p["b"][0] ** 2

    args = ({"a": 2.0, "b": [3.0, 4.0]}, np.array([[1.0, 5.0]]))
    flat = [2.0, 3.0, 4.0, 1.0, 5.0]
    dense = ag.hessian(lambda x: f({"a": x[0], "b": x[1:3]}, np.array([x[3:]], dtype=object), 7.0))(flat)
    assert close(ag.hessian(f, argnums=(0, 1), sparse=True)(*args, fixed=7.0), dense)
    assert close(ag.hessian(f, sparse=True)(*args, fixed=7.0), np.array(dense)[:3, :3])
    assert close(ag.hessian(f, argnums=1, sparse=True)(*args, fixed=7.0), np.array(dense)[3:, 3:])


# Jacobians.


@st.composite
def systems(draw: st.DrawFn) -> tuple[Callable[[Any], list[Any]], list[float]]:
    """Draw a function of several numbers to several, among them inputs and nodes that others use."""
    dag = draw(dags())
    size = len(dag.inputs) + len(dag.steps)
    picked = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=5))

    def f(x: Any) -> list[Any]:
        nodes = list(x)
        for op, operands in dag.steps:
            nodes.append(op(*(nodes[k] for k in operands)))
        return [nodes[k] for k in picked]

    return f, list(dag.inputs)


@given(systems())
def test_jacobians_equal_dense_ones(system: Any) -> None:
    f, x = system
    dense = ag.jacobian(f)(x)
    for mode in (None, "fwd", "rev"):
        J = ag.jacobian(f, mode=mode, sparse=True)(x)
        assert J.shape == (len(dense), len(x))
        assert close(J, dense)


def test_jacobians_of_structures() -> None:
    def f(p: Any) -> Any:
        return {"u": [p["a"] * p["b"], p["b"]], "v": ag.exp(p["a"])}

    J = ag.jacobian(f, sparse=True)({"a": 0.0, "b": 3.0})
    assert J.toarray().tolist() == [[3.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    assert stored(J) == {(0, 0), (0, 1), (1, 1), (2, 0)}


# Patterns.


@given(systems(), st.integers(0, 3))
def test_patterns_are_the_entries_and_have_all_that_is_not_0(system: Any, k: int) -> None:
    f, x = system
    first = ag.sparsity(f)(x)
    assert set(first) == stored(ag.jacobian(f, sparse=True)(x))
    elsewhere = [v + 0.1 * k for v in x]
    assert set(zip(*np.nonzero(np.array(ag.jacobian(f)(elsewhere))), strict=True)) <= set(first)
    second = ag.sparsity(f, order=2)(x)
    of_sum = lambda v: ag.sum([*f(v), 0.0])  # noqa: E731
    assert set(second) == stored(ag.hessian(of_sum, sparse=True)(x))
    assert set(zip(*np.nonzero(np.array(ag.hessian(of_sum)(elsewhere))), strict=True)) <= set(second)
    assert first.nnz == len(set(first)) == first.csc_array().nnz
    assert all(place in first for place in first)


def dots(text: str) -> set[tuple[int, int]]:
    """Read a picture in braille: the rows and columns of its dots."""
    found = set()
    for i, line in enumerate(text.splitlines()[1:]):
        for j, char in enumerate(line[1:-1]):
            bits = ord(char) - 0x2800
            # Unicode numbers the dots 1 to 8: down the left, down the right, then the lowest two.
            for bit, (down, right) in enumerate([(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]):
                if bits >> bit & 1:
                    found.add((4 * i + down, 2 * j + right))
    return found


@given(st.integers(1, 90), st.integers(1, 90), st.data())
def test_a_pattern_prints_a_dot_for_each_place(m: int, n: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.sets(st.integers(0, n - 1), max_size=5), min_size=m, max_size=m))
    pattern = ag.Pattern((m, n), tuple(tuple(sorted(row)) for row in rows))
    assert dots(str(pattern)) == set(pattern)
    assert len(set(map(len, str(pattern).splitlines()[1:]))) == 1
    assert pattern.svg().count("h1v1h-1z") == pattern.nnz


def test_large_and_empty_patterns_print() -> None:
    large = ag.Pattern((10_000, 10_000), tuple((i,) for i in range(10_000)))
    lines = str(large).splitlines()
    assert lines[0] == "10,000 × 10,000, 10,000 of 100,000,000 can be nonzero (0.01%)"
    assert max(map(len, lines[1:])) <= 50
    assert len(lines) <= 26
    assert len(large.svg()) < 10_000
    assert str(ag.sparsity(lambda x: [])([1.0])) == "0 × 1, 0 of 0 can be nonzero"
    assert ag.sparsity(lambda x: 1.0)([1.0, 2.0]).nnz == 0
    assert ag.sparsity(lambda x: x)([1.0, 2.0])._repr_mimebundle_()["image/svg+xml"].startswith("<svg")


def test_patterns_of_a_graph() -> None:
    x, y, c = ag.Value(1.0, "x"), ag.Value(2.0, "y"), ag.Value(3.0, "c")
    u = x * y
    z = [c * u, ag.exp(y)]
    assert set(ag.sparsity_graph(z)) == {(0, 0), (0, 1), (0, 2), (1, 2)}  # c, x, y: the leaves in order
    assert set(ag.sparsity_graph(z, [x, y])) == {(0, 0), (0, 1), (1, 1)}
    assert set(ag.sparsity_graph(z, {"u": u})) == {(0, 0)}
    assert set(ag.sparsity_graph(z[0], [x, y], order=2)) == {(0, 1), (1, 0)}
    with pytest.raises(ValueError, match="is computed from x: give one of them"):
        ag.sparsity_graph(z, [x, u])
    with pytest.raises(ValueError, match="the same node is among the inputs twice"):
        ag.sparsity_graph(z, [x, x])
    with pytest.raises(TypeError, match="sparsity_graph: give Values, not 3"):
        ag.sparsity_graph(3.0, [x])
    with pytest.raises(ValueError, match="order must be 1 or 2, not 3"):
        ag.sparsity(lambda x: x, order=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="give a function"):
        ag.sparsity(z)  # type: ignore[arg-type]


# On Values.


@settings(max_examples=examples(50))
@given(systems())
def test_matrices_of_values_are_differentiated_again(system: Any) -> None:
    f, x = system

    def of_sum(v: Any) -> Any:
        return ag.sum([*f(v), v[0]])

    for transform, function in ((ag.hessian, of_sum), (ag.jacobian, f)):
        values = transform(function, sparse=True)([ag.Value(v) for v in x])
        numbers = transform(function, sparse=True)(x)
        assert isinstance(values, ag.SparseMatrix)
        assert set(values.pattern) == stored(numbers)
        assert close(values.csc_array(), numbers.toarray())

        def by_entries(v: Any, transform: Any = transform, function: Any = function) -> Any:
            return sum((k + 1.0) * z for k, z in enumerate(transform(function, sparse=True)(v).values))

        def densely(v: Any, transform: Any = transform, function: Any = function, values: Any = values) -> Any:
            dense = transform(function)(v)
            return sum((k + 1.0) * dense[i][j] for k, (i, j) in enumerate(values.pattern.places))

        expected = np.array(ag.grad(densely)(x))
        assert np.allclose(ag.grad(by_entries)(x), expected, rtol=1e-8, atol=1e-8 * (1 + np.abs(expected).max()))


@pytest.mark.parametrize("n", [3, 9])
def test_rows_of_many_operands_on_values(n: int) -> None:
    x = [0.3 + 0.1 * i for i in range(n)]
    values = ag.hessian(many, sparse=True)([ag.Value(v) for v in x])
    assert close(values.csc_array(), ag.hessian(many)(x))


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
@given(data=st.data())
@settings(max_examples=examples(10))
def test_every_row_has_its_second_partials_as_values(op: Op, data: st.DataObject) -> None:
    x = list(data.draw(smooth_operands(op)))
    H = ag.hessian(lambda v: op(*v), sparse=True)
    expected, found = H(x), H([ag.Value(v) for v in x])
    assert set(found.pattern) == stored(expected)
    assert np.allclose(found.csc_array().toarray(), expected.toarray(), rtol=1e-9, atol=1e-9, equal_nan=True)


def test_a_trace_and_a_program_have_the_entries_alone() -> None:
    x, there = [0.3, -0.2, 0.7, 0.1], [1.3, 0.2, -0.7, 0.4]
    for transform, f in ((ag.hessian, rosenbrock), (ag.jacobian, lambda v: [v[0] * v[1], ag.sin(v[2]) + v[3]])):
        sparse = transform(f, sparse=True)
        entries: Any = lambda v, sparse=sparse: sparse(v).values  # noqa: E731
        expected = sparse(there)
        pattern = ag.sparsity(f, order=2 if transform is ag.hessian else 1)(x)
        for made in (ag.trace(entries, x), ag.compile(entries)):
            assert close(pattern.csc_array(made(there)), expected.toarray())
    assert math.isnan(ag.trace(lambda v: ag.hessian(math_sine, sparse=True)(v).values[0], 1.0)(2.0))


def test_a_matrix_of_values() -> None:
    x, y = ag.Value(2.0, "x"), ag.Value(3.0, "y")
    H = ag.hessian(lambda v: v[0] ** 3 * v[1] + v[1], sparse=True)([x, y])
    assert (H.shape, H.nnz, len(H.values)) == ((2, 2), 3, 3)
    assert H[0, 1] is H[1, 0]
    assert H[1, 1] == 0.0
    assert float(ag.gradient(H[0, 0], x).data) == 18.0  # 6xy in x
    assert [z.data for z in H @ [1.0, 2.0]] == [36.0 + 24.0, 12.0]
    assert str(H).startswith("SparseMatrix, 2 × 2, 3 of 4 can be nonzero (75%)")
    with pytest.raises(IndexError, match=r"no place \(2, 0\) in 2 × 2"):
        H[2, 0]
    with pytest.raises(ValueError, match="expected a vector of 2 numbers, not 3"):
        H @ [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="expected 3 numbers, one for each place, not 2"):
        H.pattern.csc_array([1.0, 2.0])


# Large and deep graphs.


def test_the_work_grows_with_the_entries() -> None:
    def entries(f: Any, n: int) -> int:
        return int(ag.hessian(f, sparse=True)([0.1 * (i % 7) for i in range(n)]).nnz)

    arrow = lambda x: ag.sum(x[0] * v * v for v in x[1:]) + sum(ag.sin(x[0] + v) for v in x[1:])  # noqa: E731
    assert entries(rosenbrock, 2000) == 3 * 2000 - 2
    assert entries(arrow, 2000) == 3 * 2000 - 2


def test_deep_graphs() -> None:
    def deep(x: Any) -> Any:
        y = x
        for _ in range(DEEP):
            y = y * 1.0000001
        return y * x

    limit = sys.getrecursionlimit()
    H = ag.hessian(deep, sparse=True)(1.0)
    assert H[0, 0] == pytest.approx(2 * 1.0000001**DEEP)
    J = ag.jacobian(deep, sparse=True)(1.0)
    assert J[0, 0] == pytest.approx(2 * 1.0000001**DEEP)
    assert sys.getrecursionlimit() == limit


# What is refused.


@pytest.mark.parametrize("transform", [ag.hessian, ag.jacobian])
def test_errors(transform: Any) -> None:
    with pytest.raises(TypeError, match="an argument: cannot use 'a'"):
        transform(lambda x: x[0] * x[1], sparse=True)(["a", 2.0])
    with pytest.raises(TypeError, match="give a function"):
        transform(3.0, sparse=True)


def test_a_sparse_hessian_is_of_one_number() -> None:
    with pytest.raises(TypeError, match="the output must be one number"):
        ag.hessian(lambda x: [x[0]], sparse=True)([1.0])


def test_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    for transform in (ag.hessian, ag.jacobian):
        with pytest.raises(ImportError, match=r'with sparse=True needs SciPy: pip install "\.\[scipy\]"$'):
            transform(rosenbrock, sparse=True)
        assert transform(rosenbrock)([1.0, 1.0])


def test_grads_are_left_alone() -> None:
    x = ag.Value(2.0)
    (x * x).backward()
    ag.hessian(lambda v: v * v * x, sparse=True)(3.0)
    assert x.grad == 4.0


def test_nodes_of_equal_numbers_are_told_apart() -> None:
    x, y = ag.Value(3.0, "x"), ag.Value(3.0, "y")
    p, q = y * 1, x * 2
    p.label, q.label = "p", "q"
    with pytest.raises(ValueError, match="q is computed from x"):
        ag.sparsity_graph(p + q, [p, q, x])


def test_numbers_of_a_sparse_matrix_in_a_trace_are_warned_of() -> None:
    def f(x: Any) -> Any:
        return ag.hessian(lambda v: v[0] ** 3 * v[1], sparse=True)([x, x]).csc_array().toarray().sum() * x

    with pytest.warns(ag.TraceWarning):
        ag.trace(f, 2.0)
