"""Loops: what `scan` and `fori` mean, and compiled loops against Python's over random bodies."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import examples

import autograd_mini as ag
from autograd_mini.structure import flatten

RUNNERS = ["numpy", "llvm"]
LENGTHS = [0, 1, 2, 3, 7]
Body = Callable[[Any, Any, Any], tuple[Any, Any]]

UNARY = [ag.tanh, ag.sin, ag.sigmoid, lambda x: x * 0.5 - 1.0, lambda x: 1.0 / (2.0 + x * x), lambda x: x * x]
BINARY = [lambda x, y: x + y, lambda x, y: x * y, lambda x, y: x - 2.0 * y, lambda x, y: ag.dot([x, y], [y, x], x)]


def assert_close(got: Any, expected: Any) -> None:
    """Compare two structures of numbers."""
    (xs, mine), (ys, other) = flatten(got), flatten(expected)
    assert mine == other
    np.testing.assert_allclose(np.array(xs, dtype=float), np.array(ys, dtype=float), rtol=1e-9, atol=1e-9)


def loops(compiled: Any, *args: Any) -> int:
    """Return the number of loops in the program for some arguments."""
    return sum(i.kind == "scan" for i in compiled.program(*args).instructions)


@st.composite
def bodies(draw: st.DrawFn, carry: int, item: int, closed: int) -> Body:
    """Draw the body of a loop over numbers: a graph in which operands repeat, and any of it is a carry or a y."""
    places: list[tuple[Any, ...]] = []
    for known in range(carry + item + closed, carry + item + closed + draw(st.integers(1, 8))):
        place = st.integers(0, known - 1)
        if draw(st.booleans()):
            places.append((draw(st.sampled_from(UNARY)), draw(place)))
        else:
            places.append((draw(st.sampled_from(BINARY)), draw(place), draw(place)))
    ends = st.integers(0, carry + item + closed + len(places) - 1)
    after = draw(st.lists(ends, min_size=carry, max_size=carry))
    ys = draw(st.lists(ends | st.just(-1), max_size=3))

    def body(c: Any, x: Any, w: Any) -> tuple[Any, Any]:
        held = [*c, *x, *w]
        for f, *operands in places:
            held.append(f(*(held[k] for k in operands)))
        return [ag.tanh(held[k]) if k >= carry else held[k] for k in after], [held[k] if k >= 0 else 1.5 for k in ys]

    return body


def function_of(body: Body, reverse: bool) -> Callable[[Any, Any, Any], Any]:
    """Return a function with work before a loop and after it."""

    def f(w: Any, c: Any, xs: Any) -> Any:
        w = [x + 0.1 * c[0] for x in w]
        last, ys = ag.scan(lambda c, x: body(c, x, w), [ag.sin(x) for x in c], xs, reverse=reverse)
        return sum(last) * w[0] + sum(y * (k + j + 1.0) for k, row in enumerate(ys) for j, y in enumerate(row))

    return f


@st.composite
def calls(draw: st.DrawFn, lengths: list[int]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Draw a function with a loop, and its arguments: closed numbers, a carry and items."""
    carry, item, closed = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    f = function_of(draw(bodies(carry, item, closed)), draw(st.booleans()))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return f, (rng.normal(size=closed), rng.normal(size=carry), rng.normal(size=(draw(st.sampled_from(lengths)), item)))


@pytest.mark.parametrize("runner", RUNNERS)
@given(call=calls(LENGTHS))
@settings(max_examples=examples(60))
def test_a_compiled_loop_is_pythons(runner: str, call: Any) -> None:
    f, args = call
    value, slopes = ag.value_and_grad(f, (0, 1, 2))(*args)
    g = ag.compile(f, runner=runner)
    assert_close(g(*args), value)
    assert_close(g.value_and_grad(*args, argnums=(0, 1, 2)), (value, slopes))
    for k in range(3):
        assert_close(g.grad(*args, argnums=k), slopes[k])
    assert_close(ag.trace(f, *args)(*args), value)


@pytest.mark.parametrize("runner", RUNNERS)
@given(call=calls([0, 1, 2, 5]), axes=st.lists(st.sampled_from([None, 0]), min_size=3, max_size=3), m=st.integers(1, 9))
@settings(max_examples=examples(40))
def test_a_batch_of_loops(runner: str, call: Any, axes: list[int | None], m: int) -> None:
    """Against one example after the other, whatever they share."""
    f, args = call
    axes = axes if 0 in axes else [None, 0, None]
    rng = np.random.default_rng(m)
    args = tuple(x if axis is None else rng.normal(size=(m, *x.shape)) for x, axis in zip(args, axes, strict=True))
    each = [tuple(x if axis is None else x[i] for x, axis in zip(args, axes, strict=True)) for i in range(m)]
    found = [ag.value_and_grad(f, (0, 1, 2))(*one) for one in each]
    batched = ag.compile(f, runner=runner).vmap(axes)
    values, slopes = batched.value_and_grad(*args, argnums=(0, 1, 2))
    assert_close(values, np.array([value for value, _ in found]))
    for k, axis in enumerate(axes):
        parts = np.array([slope[k] for _, slope in found], dtype=float)
        np.testing.assert_allclose(slopes[k], parts.sum(axis=0) if axis is None else parts, rtol=1e-9, atol=1e-9)


@given(call=calls([2, 3]))
@settings(max_examples=examples(15))
def test_higher_derivatives(call: Any) -> None:
    f, args = call
    g = ag.compile(f)
    tangents = tuple(np.cos(x) for x in args)
    assert_close(g.jvp(args, tangents), ag.jvp(f, args, tangents))
    assert_close(g.hvp(args, tangents), ag.hvp(f, args, tangents))
    assert_close(g.hessian(*args, argnums=1), ag.hessian(f, 1)(*args))
    assert_close(ag.hessian(g, 0)(*args), ag.hessian(f, 0)(*args))
    first: Any = ag.grad(f)
    second: Any = ag.grad(lambda w, c, xs: ag.sum(first(w, c, xs)), 2)
    assert_close(ag.compile(second)(*args), second(*args))


# What a loop means.


class Pair(NamedTuple):
    a: Any
    b: Any


def test_items_and_results() -> None:
    xs = {"u": np.array([1.0, 2.0, 3.0]), "v": ([4.0, 5.0, 6.0], [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]), "none": None}

    def step(c: Any, x: Any) -> Any:
        return c + x["u"], Pair(np.array([x["u"], x["v"][0]]), {"c": c, "row": x["v"][1]})

    last, ys = ag.scan(step, 0.0, xs)
    assert last == 6.0
    assert ys.a.tolist() == [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
    assert ys.b == {"c": [0.0, 1.0, 3.0], "row": [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]}
    assert ag.scan(lambda c, y: (c + y.b["c"] * y.a[1], None), 0.0, ys) == (1.0 * 5.0 + 3.0 * 6.0, None)
    assert ag.scan(step, 0.0, xs, reverse=True)[1].b["c"] == [5.0, 3.0, 0.0]


def test_steps_without_items() -> None:
    assert ag.scan(lambda c, x: (2.0 * c, x), 1.0, length=5) == (32.0, None)
    assert ag.scan(lambda c, x: (2.0 * c, c), 1.0, length=0) == (1.0, [])
    assert ag.scan(lambda c, x: (2.0 * c, c), 1.0, [1.0, 1.0], length=2) == (4.0, [1.0, 2.0])
    assert ag.fori(0, lambda i, c: c / 0.0, 7.0) == 7.0
    assert ag.fori(4, lambda i, c: [*c[1:], i], [9, 9]) == [2, 3]  # i is an int: it may be an index


@pytest.mark.parametrize("runner", RUNNERS)
def test_structures_of_a_compiled_loop(runner: str) -> None:
    def f(p: Any, xs: Any) -> Any:
        def step(c: Any, x: Any) -> Any:
            h = Pair(ag.tanh(c["h"].a * x["u"] + p["w"]), c["h"].b + x["v"][0])
            return {"h": h, "k": c["k"] * 1.5}, (c["h"].a, [x["v"][1], c["k"]])

        c, (y, z) = ag.scan(step, {"h": Pair(0.1, p["b"]), "k": 2.0}, xs)
        return c["h"].a + c["h"].b + c["k"] + sum(y) + sum(q * q for row in z for q in row)

    args = {"w": 0.3, "b": 0.5}, {"u": np.array([1.0, 2.0, 3.0]), "v": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}
    g = ag.compile(f, runner=runner)
    assert_close(g.value_and_grad(*args, argnums=(0, 1)), ag.value_and_grad(f, (0, 1))(*args))
    assert loops(g, *args) == 1


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: ag.scan(3, 1.0, [1.0]), TypeError, "step must be a function of (carry, x), not 3"),  # type: ignore[arg-type]
    (lambda: ag.scan(lambda c, x: (c,), 1.0, [1.0]), TypeError, "must return a pair, (carry, y), not (1.0,)"),  # type: ignore[arg-type, return-value]
    (
        lambda: ag.scan(lambda c, x: ([c], 1), 1.0, [1.0]),
        TypeError,
        "that it is given, number; step 0 returned [number]",
    ),
    (lambda: ag.scan(lambda c, x: (c, [1] * int(x)), 1.0, [1.0, 2.0]), TypeError, "step 1 returned [number, number]"),
    (lambda: ag.scan(lambda c, x: (c, 1), 1.0, 3.0), TypeError, "xs must be an array or a list, or a container"),
    (lambda: ag.scan(lambda c, x: (c, 1), 1.0, range(3)), TypeError, "not range(0, 3)"),
    (lambda: ag.scan(lambda c, x: (c, 1), 1.0, ([1.0], [1.0, 2.0])), ValueError, "differ in length: 1, 2"),
    (lambda: ag.scan(lambda c, x: (c, 1), 1.0), ValueError, "give xs or length, not None"),
    (lambda: ag.scan(lambda c, x: (c, 1), 1.0, [1.0], length=2), ValueError, "length is 2, but xs has 1 step"),
    (
        lambda: ag.scan(lambda c, x: (c, 1), 1.0, length=-1),
        ValueError,
        "length must be a whole number from 0 on, not -1",
    ),
    (
        lambda: ag.compile(lambda n: ag.scan(lambda c, x: (c, 1), 1.0, length=n)[0])(3.0),
        TypeError,
        "length must be a whole number of Python, not Value(3.0, label='n')",
    ),
    (lambda: ag.fori(2.5, lambda i, c: c, 1.0), ValueError, "n must be a whole number from 0 on, not 2.5"),
    (lambda: ag.fori(-1, lambda i, c: c, 1.0), ValueError, "n must be a whole number from 0 on, not -1"),
    (lambda: ag.fori("a", lambda i, c: c, 1.0), ValueError, "n must be a whole number from 0 on, not 'a'"),  # type: ignore[arg-type]
    (lambda: ag.fori(3, lambda i, c: (c,), 1.0), TypeError, "that it is given, number; step 0 returned (number,)"),
    (lambda: ag.fori(lambda i, c: c, 3, 1.0), TypeError, "body must be a function of (i, carry), not 3"),  # type: ignore[arg-type]
    (
        lambda: ag.compile(lambda n: ag.fori(n, lambda i, c: c, n))(2.5),
        ValueError,
        "n must be a whole number from 0 on",
    ),
    (
        lambda: ag.compile(lambda x: ag.scan(lambda c, x: ([c], 1), x, [1.0, x]))(2.0),
        TypeError,
        "step 0 returned [number]",
    ),
]


@pytest.mark.parametrize(("call", "error", "words"), WRONG)
def test_errors(call: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)


# Compiled loops.


def rnn(W: Any, U: Any, h: Any, xs: Any) -> Any:
    """Return a number of all states of a recurrent net."""
    h, ys = ag.scan(lambda h, x: (np.tanh(W @ h + U @ x), h[0] * h[1]), h, xs)
    return ag.sum(h * h) + sum(ys)


def weights(rng: Any) -> tuple[Any, ...]:
    return rng.normal(size=(9, 9)) / 3, rng.normal(size=(9, 3)), rng.normal(size=9)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_program_does_not_grow_with_the_length(runner: str) -> None:
    """The programs of all lengths share buffers, in any order of calls."""
    rng = np.random.default_rng(0)
    p = weights(rng)
    f: Any = ag.compile(rnn, runner=runner)
    sizes = set()
    for n in (7, 100, 2, 40, 7, 100, 3):
        xs = rng.normal(size=(n, 3))
        args = *p, xs
        expected = ag.value_and_grad(rnn, (0, 1, 2, 3))(*args)
        assert_close(f.value_and_grad(*args, argnums=(0, 1, 2, 3)), expected)
        assert_close(f.grad(*p, xs, argnums=3), expected[1][3])
        sizes.add(len(f.program(*p, xs).instructions))
    assert max(sizes) < 9


@pytest.mark.parametrize("runner", RUNNERS)
def test_products_beside_a_loop(runner: str) -> None:
    """Kernels for products need the room that a loop's body uses, and find it as they left it."""

    def f(A: Any, B: Any, w: Any, xs: Any) -> Any:
        C = A @ B @ A
        h, _ = ag.scan(lambda h, x: (np.tanh(C @ (A @ np.outer(h, h)) @ w * x), None), w, xs)
        return ag.sum((C @ A @ np.outer(h, w) @ B).ravel())

    rng = np.random.default_rng(1)
    args = rng.normal(size=(9, 9)) / 3, rng.normal(size=(9, 9)) / 3, rng.normal(size=9), rng.normal(size=4)
    g = ag.compile(f, runner=runner)
    for _ in range(2):
        assert_close(g.value_and_grad(*args, argnums=(0, 1, 2, 3)), ag.value_and_grad(f, (0, 1, 2, 3))(*args))
    assert loops(g, *args) == 1


def nested(w: Any, h: Any, xs: Any) -> Any:
    def outer(h: Any, x: Any) -> Any:
        c, ys = ag.scan(lambda c, z: (ag.tanh(c * w[0] + z * x + h), c * z), h * 0.5, [1.0, 2.0, w[1]])
        return c + ag.sum(ys), ag.fori(3, lambda i, u: u * h + i, x)

    h, ys = ag.scan(outer, h, xs)
    return h + ag.dot(ys, ys)


@pytest.mark.parametrize("runner", RUNNERS)
def test_nested_loops(runner: str) -> None:
    args = [0.3, 0.7], 0.2, [0.1, 0.2, 0.3, 0.4]
    f = ag.compile(nested, runner=runner)
    assert_close(f.value_and_grad(*args, argnums=(0, 1, 2)), ag.value_and_grad(nested, (0, 1, 2))(*args))
    assert loops(f, *args) == 1
    many = [np.array([x, x]) + 0.1 for x in args]
    values = f.vmap().value_and_grad(many[0].T, many[1], many[2].T[:2])[0]
    assert values[0] == pytest.approx(nested(list(many[0].T[0]), many[1][0], list(many[2].T[0])))


def test_tokens() -> None:
    def f(E: Any, W: Any, tokens: Any) -> Any:
        h, _ = ag.scan(lambda h, t: (np.tanh(W @ h + ag.take(E, t)), None), np.zeros(3), tokens)
        return ag.sum(h)

    rng = np.random.default_rng(2)
    g, E, W = ag.compile(f), rng.normal(size=(5, 3)), rng.normal(size=(3, 3))
    for tokens in ([0, 3, 2, 2, 4], [1, 1, 0, 4, 4]):
        assert_close(g.value_and_grad(E, W, tokens, argnums=(0, 1)), ag.value_and_grad(f, (0, 1))(E, W, tokens))
    assert (len(g), loops(g, E, W, [0, 3, 2, 2, 4])) == (1, 1)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_body_without_equations_that_a_derivative_reaches(runner: str) -> None:
    def f(x: Any, v: Any) -> Any:
        return ag.fori(2, lambda i, c: ag.take(v, ag.floor(x)), 0.0)

    assert ag.compile(f, runner=runner).value_and_grad(1.5, [1.0, 2.0, 3.0]) == (2.0, 0.0)
    assert ag.compile(f, runner=runner).grad(1.5, [1.0, 2.0, 3.0], argnums=1) == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_number_of_steps_is_an_input(runner: str) -> None:
    def power(n: Any, x: Any) -> Any:
        return ag.fori(n, lambda i, c: c * x + i, 1.0)

    f = ag.compile(power, runner=runner)
    for n in range(17):
        assert_close(f.value_and_grad(n, 1.1, argnums=1), ag.value_and_grad(power, 1)(n, 1.1))
        assert f.grad(n, 1.1, argnums=0) == 0.0
    assert len(f) == 1
    assert_close(f.value_and_grad(19.0, 1.1, argnums=1), ag.value_and_grad(power, 1)(19, 1.1))
    assert len(f) == 2
    for wrong in (2.5, -1.0, float("nan")):
        with pytest.raises(ValueError, match="n must be a whole number from 0 on"):
            f(wrong, 1.0)
    counts, xs = np.array([1.0, 5.0, 3.0, 1.0, 17.0]), np.linspace(0.5, 1.5, 5)
    values, slopes = f.vmap().value_and_grad(counts, xs, argnums=1)
    found = [ag.value_and_grad(power, 1)(n, x) for n, x in zip(counts, xs, strict=True)]
    assert_close((values, slopes), tuple(map(np.array, zip(*found, strict=True))))


def test_a_padded_sequence() -> None:
    """One program for all lengths up to a power of 2, although the sequence has fewer rows than that."""

    def f(w: Any, xs: Any, n: Any) -> Any:
        return ag.fori(n, lambda i, h: ag.tanh(w * h + ag.take(xs, i)), 0.0)

    g, xs = ag.compile(f), np.sin(np.arange(20.0))
    for n in (20, 17, 18, 3):
        expected = ag.value_and_grad(lambda w, xs: ag.scan(lambda h, x: (ag.tanh(w * h + x), None), 0.0, xs)[0], (0, 1))
        value, (dw, dxs) = g.value_and_grad(0.7, xs, n, argnums=(0, 1))
        assert_close((value, (dw, dxs[:n])), expected(0.7, xs[:n]))
        assert not dxs[n:].any()
    assert (len(g), loops(g, 0.7, xs, 3)) == (1, 1)


@pytest.mark.parametrize("runner", RUNNERS)
def test_no_derivative_goes_where_none_is_asked_for(runner: str) -> None:
    """A carry that is not used in the end and a y of another step pass nothing on, not even 0 times inf."""

    def f(x: Any, xs: Any) -> Any:
        def step(c: Any, u: Any) -> Any:
            return (c[0] * u, ag.sqrt(c[1])), ag.sqrt(u)

        c, ys = ag.scan(step, (x, x * 0.0), xs)
        return c[0] + ys[1]

    expected = ag.value_and_grad(f, (0, 1))(0.5, [0.0, 4.0])
    assert_close(ag.compile(f, runner=runner).value_and_grad(0.5, [0.0, 4.0], argnums=(0, 1)), expected)


# Bodies that are no loops of a program: they are written out, and right.


def branching(x: Any, xs: Any) -> Any:
    return ag.scan(lambda c, u: (c * u if c > 0 else c + u, None), x, xs)[0]


def counting(x: Any, xs: Any) -> Any:
    calls = iter([1.0, 2.0, 4.0, 8.0, 16.0])
    return ag.scan(lambda c, u: (c * next(calls) + u, None), x, xs)[0]


def leaking(x: Any, xs: Any) -> Any:
    history = []

    def step(c: Any, u: Any) -> Any:
        history.append(ag.sin(c * u))
        return history[-1], None

    ag.scan(step, x, xs)
    return ag.sum([h * h for h in history])


def differentiating(x: Any, xs: Any) -> Any:
    a = x * 2.0
    return ag.gradient(ag.scan(lambda c, u: (c * a + u, None), a, xs)[0], a) if isinstance(a, ag.Value) else None


def indexing(x: Any, xs: Any) -> Any:
    table = [1.0, 2.0, 3.0, 4.0]
    return ag.fori(4, lambda i, c: c * table[i] + x, x) * ag.scan(lambda c, u: (c + u * x, None), x, xs)[0]


@pytest.mark.parametrize("f", [branching, counting, leaking, indexing])
def test_bodies_that_are_written_out(f: Callable[..., Any]) -> None:
    g = ag.compile(f)
    for x, xs in ((0.5, [1.0, -2.0, 3.0, 0.5]), (-0.5, [1.0, 2.0, 3.0, 0.5]), (3.0, [1.0, -2.0, -3.0, -0.5])):
        assert_close(g.value_and_grad(x, xs, argnums=(0, 1)), ag.value_and_grad(f, (0, 1))(x, xs))
        assert loops(g, x, xs) == (f is indexing)


def test_a_gradient_in_the_function() -> None:
    f = ag.compile(differentiating)
    xs = [1.0, -2.0, 3.0]
    assert f(0.5, xs) == pytest.approx(differentiating(ag.Value(0.5), xs).data)


def test_a_derivative_in_the_body() -> None:
    def f(x: Any, xs: Any) -> Any:
        return ag.scan(lambda c, u: (ag.grad(lambda z: ag.sin(z * u) * x)(c), c), x, xs)[0]

    g, xs = ag.compile(f), [1.0, -2.0, 3.0]
    assert_close(g.value_and_grad(0.5, xs, argnums=(0, 1)), ag.value_and_grad(f, (0, 1))(0.5, xs))


def test_a_number_that_is_read() -> None:
    f = ag.compile(lambda x, xs: ag.scan(lambda c, u: (c * u.data, None), x, xs)[0])
    with pytest.warns(ag.TraceWarning, match="is read"):
        assert f(2.0, [1.0, 2.0, 3.0]) == 12.0


# Everything else that a compiled function does.


def test_other_ways_to_call() -> None:
    rng = np.random.default_rng(3)
    args = (*weights(rng), rng.normal(size=(6, 3)))
    expected = ag.value_and_grad(rnn)(*args)
    f = ag.compile(rnn)
    bound = f.bind(*args, argnums=0)
    assert_close((bound.value, bound.gradient), expected)
    assert_close(pickle.loads(pickle.dumps(f)).value_and_grad(*args), expected)
    assert_close(ag.compile(rnn, check=True).value_and_grad(*args), expected)
    local = ag.compile(lambda W, U, h, xs: 1.0 * rnn(W, U, h, xs))
    local(*args)
    thawed = pickle.loads(pickle.dumps(local))  # without its function
    assert_close(thawed.value_and_grad(*args), expected)
    assert_close(ag.value_and_grad(thawed)(*args), expected)


def test_python_raises_its_error() -> None:
    f = ag.compile(lambda x, xs: ag.scan(lambda c, u: (ag.log(c), None), x, xs)[0], check=True)
    with pytest.raises(ValueError, match="log"):
        f(2.0, [1.0, 2.0, 3.0, 4.0])


def test_the_printed_loop() -> None:
    f = ag.compile(rnn)
    rng = np.random.default_rng(4)
    args = (*weights(rng), rng.normal(size=(5, 3)))
    f(*args)
    assert "v1 = scan(W, U, h, xs)  # 59×1" in str(f)
    assert "the loop of v1, 5 steps of" in str(f)
    assert f.draw().description
    with pytest.raises(ValueError, match="the backward program of a loop is not written"):
        f.written_backward()


def test_threads() -> None:
    rng = np.random.default_rng(5)
    p = weights(rng)
    f: Any = ag.compile(rnn)
    xs = [rng.normal(size=(20, 3)) for _ in range(4)]
    eager: Any = ag.value_and_grad(rnn)
    expected = [eager(*p, x) for x in xs]
    wrong = []

    def work(k: int) -> None:
        for _ in range(30):
            value, slope = f.value_and_grad(*p, xs[k])
            if abs(value - expected[k][0]) > 1e-9 or np.abs(slope - np.array(expected[k][1], dtype=float)).max() > 1e-9:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_value_of_outside() -> None:
    """It is a constant of the loop, and the function is traced again where it was assigned."""
    w = ag.Value(0.5, "w")
    f = ag.compile(lambda x, xs: ag.scan(lambda c, u: (ag.tanh(c * w + u), None), x, xs)[0])
    before = f(1.0, [0.1, 0.2])
    w.data = -0.5
    assert f(1.0, [0.1, 0.2]) != before
    assert f(1.0, [0.1, 0.2]) == pytest.approx(np.tanh(-0.5 * np.tanh(-0.5 + 0.1) + 0.2))


def test_an_own_row_that_python_computes() -> None:
    table = {1.0: 2.0}

    @ag.custom_rule(lambda x, z: 2.0 * x)
    def odd(x):  # type: ignore[no-untyped-def]
        return x * x + table.get(1.0, 0.0)

    f = ag.compile(lambda x, xs: ag.scan(lambda c, u: (ag.sin(odd(c)) + u, None), x, xs)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = f.value_and_grad(0.3, [0.1, 0.2, 0.3])
    eager = ag.value_and_grad(lambda x, xs: ag.scan(lambda c, u: (ag.sin(odd(c)) + u, None), x, xs)[0])
    assert_close(found, eager(0.3, [0.1, 0.2, 0.3]))


def test_a_batch_whose_examples_count_their_steps_notices_assigned_values() -> None:
    outside = ag.Value(2.0)
    f = ag.compile(lambda n, x: ag.fori(n, lambda i, c: c * x + outside.data, 1.0)).vmap((0, None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert f([1.0, 2.0, 3.0], 2.0).tolist() == [4.0, 10.0, 22.0]
        outside.data = 3.0
        assert f([1.0, 2.0, 3.0], 2.0).tolist() == [5.0, 13.0, 29.0]


def test_a_batch_of_loops_is_written() -> None:
    f = ag.compile(lambda w, xs: ag.scan(lambda c, x: (ag.tanh(w * c + x), c), 0.5, xs)[0]).vmap((None, 0))
    f(0.3, np.zeros((5, 7)))
    assert "scan(w, constants, xs)" in repr(f)
    with pytest.raises(ValueError, match="the backward program of a loop is not written"):
        f.written_backward()
