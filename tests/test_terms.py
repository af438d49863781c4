"""Written programs as data: the printed text is run, and compared with the data, read by another interpreter."""

from __future__ import annotations

import ast
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from strategies import examples

import autograd_mini as ag
from autograd_mini.program.terms import (
    Assignment,
    Call,
    Elementwise,
    Filled,
    Gathered,
    MatMul,
    Matrix,
    Number,
    Power,
    Product,
    Reshape,
    Slice,
    Sum,
    Summed,
    Term,
    Transpose,
    cost,
    is_finite,
    matrices,
    number,
    numeric,
    shape_of,
    transposed,
)

ROWS = {name: np.vectorize(op, otypes=[float]) for name, op in ag.OPS.items()}
NUMPY = {name: getattr(np, name) for name in ("sum", "ones", "zeros", "inf", "nan")}
NAMES = {"axis": (2, 3), "T": (3, 2), "np": (2, 2), "reshape": (3, 3), "x": (1, 3), "keepdims": (2, 1), "b": (1, 1)}
MATRICES = {name: Matrix(name, shape) for name, shape in NAMES.items()}
SPACE = {name: np.random.default_rng(k).normal(size=shape) for k, (name, shape) in enumerate(NAMES.items())}
OPS = [ag.OPS[name] for name in "add sub mul div neg exp where equal greater sign pow".split()]


def value(term: Term) -> Any:
    """Compute a term without its text."""
    match term:
        case Matrix(name):
            return SPACE[name]
        case Number(x):
            return np.full((1, 1), float(x))
        case Filled(name, shape):
            return np.full(shape, float(name == "ones"))
        case Slice(of, index):
            each = [n if n is not None else range(size) for n, size in zip(index, shape_of(of), strict=False)]
            return value(of)[np.ix_(*([n] if isinstance(n, int) else [*n] for n in each))]
        case Transpose(of):
            return value(of).T
        case Reshape(of, shape):
            return value(of).reshape(shape)
        case Elementwise(op, arguments):
            return ROWS[op.name](*map(value, arguments))
        case MatMul(left, right):
            return np.einsum("ij,jk->ik", value(left), value(right))
        case Summed(of, axis):
            return value(of).sum(axis=axis, keepdims=True)
        case Power(of, exponent):
            return value(of) ** float(exponent)
        case Product(scale, above, below):
            found = np.full((1, 1), float(scale))
            for factor in above:
                found = found * value(factor)
            for factor in below:
                found = found / value(factor)
            return found
        case Sum(terms):
            return sum(map(value, terms))
    raise TypeError(term)


def is_array(term: Term) -> bool:
    """Return whether NumPy has two axes for a term; a number has none."""
    if isinstance(term, Slice):
        return not any(isinstance(at, int) for at in term.index)
    if isinstance(term, Number | Elementwise | Product | Sum | Power):
        return any(map(is_array, term.operands))
    return True


@st.composite
def terms(draw: st.DrawFn, depth: int = 3) -> Term:
    """Draw a term: of matrices that have the names of NumPy's own words."""
    kinds = ["matrix", "number", "slice", "transpose", "row", "product", "matmul", "sum", "summed", "power", "reshape"]
    kind = draw(st.sampled_from(kinds if depth else kinds[:2]))
    inner = terms(depth - 1)

    def like(shape: tuple[int, int]) -> st.SearchStrategy[Term]:
        return inner.filter(lambda x: all(n in (1, size) for n, size in zip(shape_of(x), shape, strict=True)))

    if kind == "matrix":
        return draw(st.sampled_from([*MATRICES.values()]))
    if kind == "number":
        numbers: list[float | Fraction] = [2.0, -2.0, 0.5, Fraction(1, 2), Fraction(-3, 4), Fraction(3)]
        return Number(draw(st.sampled_from(numbers)))
    x = draw(inner.filter(is_array) if kind in {"slice", "transpose", "reshape", "matmul", "summed"} else inner)
    rows, columns = shape_of(x)
    if kind == "slice":
        r, c = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
        return Slice(x, draw(st.sampled_from([(range(r, rows),), (None, range(c + 1)), (range(r + 1), None), (r, c)])))
    if kind == "transpose":
        return Transpose(x)
    if kind == "reshape":
        return Reshape(x, (columns, rows))
    if kind == "summed":
        return Summed(x, draw(st.sampled_from([0, 1, None])))
    if kind == "power":
        return Power(x, draw(st.integers(2, 3)))
    if kind == "matmul":
        y = draw(inner.filter(is_array))
        assume(shape_of(y)[0] == columns)
        return MatMul(x, y)
    if kind == "row":
        op = draw(st.sampled_from(OPS))
        return Elementwise(op, (x, *(draw(like((rows, columns))) for _ in range(len(op.rules) - 1))))
    others = draw(st.lists(like((rows, columns)), max_size=2))
    if kind == "sum":
        return Sum.of(x, *others)
    k = draw(st.integers(0, len(others)))
    scale = draw(st.sampled_from([Fraction(1), Fraction(-1), Fraction(2, 3), Fraction(-2)]))
    return Product(scale, (x, *others[:k]), tuple(others[k:]))


@given(terms())
@settings(max_examples=examples(800))
def test_the_text_is_the_term(term: Term) -> None:
    """The text, which Python's own parser reads, has the term's value and shape, and names the term's matrices."""
    with np.errstate(all="ignore"):
        try:
            expected = value(term)
            made = eval(str(numeric(term)), {**NUMPY, **ROWS, **SPACE})
            found = np.atleast_2d(np.asarray(made, dtype=float))  # whole numbers may have more digits than NumPy's
        except (ArithmeticError, ValueError):  # a row outside its domain, or a division of numbers by 0
            assume(False)
    assert found.shape == shape_of(term) == expected.shape
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-9, equal_nan=True)
    read = ast.walk(ast.parse(str(term)))
    assert {x.name for x in matrices(term)} == {node.id for node in read if isinstance(node, ast.Name)} & NAMES.keys()


@given(terms())
@settings(max_examples=examples(200))
def test_the_transpose_of_a_term(term: Term) -> None:
    with np.errstate(all="ignore"):
        try:
            expected = value(term).T
        except (ArithmeticError, ValueError):
            assume(False)
        assert np.allclose(value(transposed(term)), expected, equal_nan=True)
        assert shape_of(transposed(transposed(term))) == shape_of(term)


A, B, C = MATRICES["axis"], MATRICES["T"], MATRICES["np"]
LESS = Elementwise(ag.OPS["sub"], (Number(1.0), C))


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (Product(Fraction(1), (A, MatMul(Transpose(LESS), A))), "axis * ((1 - np).T @ axis)"),
        (Product(Fraction(-1, 2), (C,), (C, B)), "-1/2 * np / (np * T)"),
        (Product(Fraction(1), (), (Power(LESS, 2),)), "1 / (1 - np)**2"),
        (Power(Number(-2.0), 2), "(-2)**2"),
        (Product(Fraction(1), (C,), (Number(Fraction(1, 2)),)), "np / (1/2)"),
        (Sum((MatMul(A, B), Number(-1.0), Product(Fraction(-2), (C,)))), "axis @ T + -1 - 2 * np"),
        (Slice(MatMul(A, B), (0, 1)), "(axis @ T)[0, 1]"),
        (Slice(A, (range(1, 2),)), "axis[1:2]"),
        (Slice(A, (None, range(0, 3, 2))), "axis[:, 0:3:2]"),
        (Summed(A), "sum(axis, keepdims=True)"),
        (Summed(A, keepdims=False), "sum(axis)"),
        (Gathered((A, B), (5, 1)), "gathered(axis, T)"),
        (Call("take", (A, B), (1, 1)), "take(axis, T)"),
        (Filled("ones", (2, 3)), "ones((2, 3))"),
    ],
)
def test_brackets(term: Term, text: str) -> None:
    assert str(term) == text


def test_cost_and_finiteness() -> None:
    assert cost(MatMul(Transpose(A), Reshape(B, (2, 3)))) == 4
    assert cost(Summed(Product(Fraction(1), (A, MATRICES["keepdims"])), 0)) == 0
    assert cost(Elementwise(ag.OPS["exp"], (Gathered((A,), (2, 3)),))) == 99
    assert is_finite(Slice(Transpose(Matrix("f(x)", (2, 2))), (0, 1)))
    assert is_finite(Number(2.0))
    infinite: list[Term] = [Number(float("inf")), Elementwise(ag.OPS["exp"], (A,)), MatMul(A, B), Summed(A)]
    assert not any(map(is_finite, infinite))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (Assignment(A, MatMul(C, A), "once"), "  axis = np @ axis  # 2×3, once"),
        (Assignment(MATRICES["b"], Number(1.0)), "  b = 1"),
        (Assignment(Slice(A, (range(1),)), Filled("zeros", (1, 3))), "  axis[0:1] = zeros((1, 3))"),
        (Assignment(A, None, "6 numbers"), "  # axis: 6 numbers"),
    ],
)
def test_lines(line: Assignment, text: str) -> None:
    assert str(line) == text


@given(st.fractions() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_what_they_are(x: Fraction | float) -> None:
    read: Callable[[str], Any] = eval
    assert read(number(x)) == pytest.approx(float(x), rel=1e-15, abs=0.0)


def test_a_sign_before_truth_values() -> None:
    A, T = MATRICES["axis"], MATRICES["axis"]
    truth = Elementwise(ag.equal, (A, T))
    for term in (
        Product(Fraction(-1), (truth,), (A,)),
        Product(Fraction(-1), (truth, A), ()),
        Sum.of(Product(Fraction(-1), (truth, A), ()), A),
        Sum.of(Product(Fraction(-1), (truth,), (A,)), A),
    ):
        assert np.allclose(eval(str(term), {**NUMPY, **ROWS, **SPACE}), value(term))
