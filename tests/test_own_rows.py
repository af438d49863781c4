"""Rows of one's own as machine code: their Python is read, with Python's meaning, or Python is called back."""

from __future__ import annotations

import gc
import math
import signal
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import examples

import autograd_mini as ag

pytest.importorskip("llvmlite")
from autograd_mini.program import kernels
from autograd_mini.source import Unreadable, content, source_of

inf, nan = math.inf, math.nan
RATE = 0.25
COEFFICIENTS = (1.0, -0.5, 0.25, 2)
AT = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    -2.5,
    3.0,
    7.0,
    -7.0,
    5e-324,
    1e-310,
    37.5,
    -710.5,
    1e18,
    -1e19,
    1e300,
    inf,
    -inf,
    nan,
)


def helper(t: float, k: float = 2.0) -> float:
    return t * k if t > 0 else -t


def branching(x: float) -> float:
    """Bend."""
    y = x / 2
    if 0 < x <= 10 and x != 5:
        y = x
    elif x != x or x < -3:
        return 7
    return max(y, RATE * x, -1000)


def looping(x: float) -> float:
    y: float = 1
    for k in range(1, 31):
        y = y + x / k * 0.01
    return y


def newton(x: float) -> float:
    y, turns = 1.0, 0
    while abs(y * y - x) > 1e-9 and turns < 50:
        y = 0.5 * (y + x / y)
        turns += 1
    return y + turns


def leaving(x: float) -> float:
    total = 0
    for k in range(20):
        if k % 3 == 0:
            continue
        if k > x:
            break
        total += k
    return total


def after_the_loop(x: float) -> float:
    i, total = -1, 0
    for i in range(int(x) if 0 < x < 10 else 3):
        total += i
    return i + x + total


def polynomial(x: float) -> float:
    total = 0.0
    for c in COEFFICIENTS:
        total = total * x + c
    return total + sum([c * 2 for c in COEFFICIENTS])


def factorial(x: float) -> float:
    product = 1
    for k in range(1, int(abs(x)) + 1 if abs(x) < 40 else 2):
        product *= k
    return float(product % 1000007)


def whole(x: float) -> float:
    return math.floor(x) + math.ceil(x / 3) * 2 + int(x) + round(x)


def products_of_whole_numbers(x: float) -> float:
    """Compute with products above 2**53, which a float would round."""
    n, k = (math.floor(x % 2e9), round(x % 1e9)) if abs(x) < math.inf else (7, 5)
    return n * n - (n - 1) * (n + 1) + (1103515245 * k + 12345) % 2147483648 + n**4 % 3 + math.trunc(x % 5e8) / 3


def dividing(x: float) -> float:
    return x // 3.0 + x % -2.5 + (7 // 2) + (-7 % 3) + 5.0 // (x if x else 1.0) - -5.0 // (x if x else 1.0)


def ints(x: float) -> float:
    n = int(x) if abs(x) < 1e100 else 3
    return n // 3 + n % -4 + n**2 + -n + abs(n) + (n > 2)


def raising(x: float) -> float:
    if x < 0:
        raise ValueError(f"negative: {x}")
    return math.sqrt(x) + math.log(x)


def complex_power(x: float) -> float:
    return float(abs(x**0.5)) + (-x) ** 3


def infinite(x: float) -> float:
    return math.exp(x) - 1 / x + math.fmod(x, 2) + math.atan2(x, -0.0)


def factorial_of_less_one(x: float) -> float:
    return math.gamma(x)


def mixed(x: float) -> float:
    return float(ag.exp(x)) * math.pi + helper(x) + helper(x, 3.0) + (math.tau if x else 1) + float(x > 1) + bool(x)


def pairs(x: float) -> float:
    a, (b, c) = x, (x + 1, x - 1)
    a, b = b, a
    return (a if a > c else b) * 10 + a - b


def membership(x: float) -> float:
    return 1.0 if x in (1, 2.0, 3) else 0.0 if x not in (7.0, -7) else math.copysign(2, x)


def own_name(x: float) -> float:
    RATE = x  # not the one of the module
    return RATE * 2


def keyword(x: float) -> float:
    return helper(x, k=5.0)


READABLE = [
    branching, looping, newton, leaving, after_the_loop, polynomial, factorial, whole, dividing, ints, raising,
    complex_power, infinite, factorial_of_less_one, mixed, pairs, membership, own_name, keyword,
    products_of_whole_numbers,
]  # fmt: skip


def row(f: Callable[..., Any], *rules: Any) -> Any:
    return ag.custom_rule(*(rules or [lambda *_: 1.0]))(f)


def compiled(op: Any) -> Any:
    return ag.compile(lambda x: [op(v) for v in x], runner="llvm")


def same(got: Any, want: Any) -> Any:
    np.testing.assert_allclose(got, want, rtol=1e-13, atol=0.0, equal_nan=True)
    zero = np.array(want) == 0.0
    assert np.array_equal(np.signbit(np.array(got)[zero]), np.signbit(np.array(want)[zero]))


@pytest.mark.parametrize("f", READABLE, ids=lambda f: f.__name__)
def test_it_is_read_and_means_the_same(f: Callable[[float], float]) -> None:
    op = row(f)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it needs no Python
        same(compiled(op)(np.array(AT)), [op.limit(x) for x in AT])


@given(xs=st.lists(st.floats(-1e300, 1e300) | st.sampled_from(AT) | st.floats(-50, 50), min_size=1, max_size=9))
@settings(max_examples=examples(30))
def test_it_means_the_same_at_any_number(xs: list[float]) -> None:
    for f in READABLE:
        op = ROWS.setdefault(f, row(f))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            same(PROGRAMS.setdefault((f, len(xs)), compiled(op))(np.array(xs)), [op.limit(x) for x in xs])


ROWS: dict[Any, Any] = {}
PROGRAMS: dict[Any, Any] = {}


def count_of(x: float) -> int:
    return int(x) if 0 < x < 9 else 3


def keyword_only(x: float, *, k: float = 4.0) -> float:
    return x * k


def extended(x: float) -> float:
    xs = ys = [1.0, 2.0]
    ys += [x]
    return sum(xs)


def exhausted(x: float) -> float:
    pairs = zip([1.0, 2.0], [3.0, 4.0], strict=True)
    if x > 1:
        return x + sum([a * b for a, b in pairs])
    return sum([a for a, _ in pairs])


def twice(x: float) -> float:
    g = (c * x for c in COEFFICIENTS)
    return sum(g) + sum(g)


class Pair(NamedTuple):
    a: float
    b: float = 3.0


def helper_with_attribute(x: float) -> float:
    return x


helper_with_attribute.k = 2.0  # type: ignore[attr-defined]


# Whether a function is compiled or called back is not said here; its number is Python's.
EITHER: list[Callable[[float], float]] = [
    lambda x: sum([c for c in (x, -x, 2 * x) if c > 0]),
    lambda x: sum([x * k for k in range(count_of(x))]),
    lambda x: sum(range(count_of(x))) + x,
    lambda x: len(range(count_of(x))) + x,
    lambda x: float(2 in range(count_of(x))) + x,
    lambda x: sum([i * k for i, k in enumerate(range(count_of(x)))]) + x,
    lambda x: sum(reversed(range(count_of(x)))) + x,
    lambda x: float(5.0 in (x, 2.0)),
    lambda x: float((x, 1.0) == (5.0, 1.0)),
    lambda x: float((x, 1.0) < (2.0, 3.0)),
    lambda x: (x, 1.0)[int(x) % 3] if 0 <= x < 9 and int(x) % 3 < 2 else x,
    lambda x: round(x, 2) if abs(x) < 1e10 else 0.0,
    lambda x: pow(int(x), 2, 3) if abs(x) < 1e10 else 0.0,
    lambda x: math.atan2(math.ceil(x - 5.5), -1) if abs(x) < 1e10 else 0.0,
    lambda x: math.atan2(round(x - 5.3), -1) if abs(x) < 1e10 else 0.0,
    lambda x: float(math.floor(x * 1e15) + 1 - math.floor(x * 1e15)) if abs(x) < 1e3 else 0.0,
    lambda x: float(int(x) == x + 0.25) if abs(x) < 1e18 else 0.0,
    lambda x: (int(x) - 9223372036854775807 - 1) // (-1 if x < 2 else 1) if 0 <= x < 1e3 else 0.0,
    lambda x: keyword_only(x) + keyword_only(x, k=2.0),
    lambda x: -5.0 // x if x else 0.0,
    lambda x: sum(k for k in (x, 1.0)) + max(k * x for k in (1.0, 2.0)),
    lambda x: sum([a * b for a, b in zip((1.0, 2.0), (x,), strict=True)]) if x > 1e200 else x,
    lambda x: float(all(x > k for k in (0, 1)) + any([x > 3, x < -2])),
    lambda x: sum(1 for _ in range(0, int(x), 2**62)) if 1 <= x < 100 else 0.0,
    lambda x: ag.leaky_relu(x) + 0.0,
    lambda x: x * Pair(x).b,
    lambda x: x * helper_with_attribute.k,  # type: ignore[attr-defined]
    extended,
    exhausted,
    twice,
]


@pytest.mark.parametrize("f", EITHER, ids=lambda f: f.__name__)
def test_it_is_right_or_python_is_called_back(f: Callable[[float], float]) -> None:
    op, xs = row(f), [x for x in AT if abs(x) < 1e300] + [5.0, 1.5, 0.1, 8.0, 1000.0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(compiled(op)(np.array(xs)), [op.limit(x) for x in xs])


def test_rows_of_the_same_content_call_back_their_own_functions() -> None:
    def reading_from(table: list[float]) -> Any:
        def read() -> float:
            return table.__getitem__(0)

        return row(lambda x: x * read())

    first, second = [2.0], [2.0]
    one, other = compiled(reading_from(first)), compiled(reading_from(second))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = np.array([3.0])
        assert one(x) == other(x) == [6.0]
        second[0] = 5.0
        assert (one(x)[0], other(x)[0]) == (6.0, 15.0)


def test_no_function_runs_after_an_error() -> None:
    seen = []

    def noting(x: float) -> float:
        seen.append(x)
        return {1.0: 1.0}[x]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(KeyError):
            compiled(row(noting))(np.array([1.0, 2.0, 1.0, 1.0]))
    assert seen == [1.0, 2.0]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
def test_an_interrupt_is_never_lost() -> None:
    """Also where it comes between machine code and the first line of a function."""

    class Rung(Exception):
        pass

    def ring(*_: Any) -> None:
        raise Rung

    table: dict[str, float] = {}

    def called(x: float) -> float:
        return x + len(table)

    g, x, rung, rng = compiled(row(called)), np.arange(500.0), 0, np.random.default_rng(0)
    before = signal.signal(signal.SIGALRM, ring)
    gc.disable()  # Hypothesis watches it, and would be interrupted too
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            g(x)
        for _ in range(60):
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(2e-5, 4e-4))
                found = g(x)
                signal.setitimer(signal.ITIMER_REAL, 0)
                assert found == x.tolist()
            except Rung:
                rung += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    assert rung


def test_a_rule_may_return_any_number() -> None:
    big = ag.custom_rule(lambda x, z: 2**70)(lambda x: x)
    array = ag.custom_rule(lambda x, z: np.array(2.0))(lambda x: x)
    f = ag.compile(lambda x: big(x) + array(x), runner="llvm")
    assert f.grad(1.0) == 2.0**70 + 2.0


def test_lambdas_of_an_edited_line(tmp_path: Any) -> None:
    path = tmp_path / "lambdas.py"
    path.write_text("f, g = lambda x: 2.0*x, lambda x: 3.0*x\n")
    room: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), room)
    path.write_text("f, g = lambda x: 3.0*x, lambda x: 2.0*x\n")
    for f in (room["f"], room["g"]):
        with pytest.raises(Unreadable):
            source_of(f)


def test_errors_of_functions_within_functions_are_kept_apart() -> None:
    def failing(x: float) -> float:
        return {1.0: 1.0}[x]

    inner = compiled(row(failing))

    def outer(x: float) -> float:
        if x == 7.0:
            raise IndexError("of the outer one")
        try:
            return float(inner(np.array([x]))[0])
        except KeyError:
            return -99.0

    g = compiled(row(outer))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert g(np.array([1.0, 2.0, 1.0])) == [1.0, -99.0, 1.0]
        with pytest.raises(IndexError, match="of the outer one"):
            g(np.array([7.0, 2.0, 1.0]))


def test_lambdas_on_one_line_and_what_they_close_over() -> None:
    def scaled(k: float) -> tuple[Any, Any]:
        return row(lambda x: k * x), row(lambda x: x * 11 + k)

    for k in (2.0, 3.0):
        by, more = scaled(k)
        same(compiled(by)(np.array([1.0, -2.0])), [k, -2.0 * k])
        same(compiled(more)(np.array([1.0])), [11.0 + k])


def test_a_global_is_as_it_is_when_the_program_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    op = row(lambda x: RATE * x)
    assert compiled(op)(np.array([4.0])) == [1.0]
    monkeypatch.setitem(globals(), "RATE", 0.5)
    assert compiled(op)(np.array([4.0])) == [2.0]


def fibonacci(n: float) -> float:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def trying(x: float) -> float:
    try:
        return math.log(x)
    except ValueError:
        return -1.0


SETTINGS = SimpleNamespace(rate=2.0)
SEEN: list[float] = []


def reading(x: float) -> float:
    return x * float(SETTINGS.rate)


def noting(x: float) -> float:
    SEEN.append(1.0)
    return x


made: dict[str, Any] = {}
exec("def sourceless(x):\n    return x * 3", made)
UNREADABLE = [fibonacci, trying, reading, noting, made["sourceless"]]


@pytest.mark.parametrize("f", UNREADABLE, ids=lambda f: f.__name__)
def test_python_is_called_back_with_a_warning(f: Callable[[float], float]) -> None:
    kernels._PLACES.clear()  # of this process, that warns once
    op = row(f)
    xs = [0.5, 3.0, -1.0, 8.0]
    g = compiled(op)
    with pytest.warns(UserWarning, match=rf"Python computes {f.__name__} number by number: "):
        got = g(np.array(xs))
    same(got, [op.limit(x) for x in xs])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once
        same(g(np.array(xs)), [op.limit(x) for x in xs])


def test_what_python_reads_when_it_is_called_back_is_fresh() -> None:
    g = compiled(row(reading))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert g(np.array([3.0])) == [6.0]
        try:
            SETTINGS.rate = 5.0
            assert g(np.array([3.0])) == [15.0]
        finally:
            SETTINGS.rate = 2.0


def test_an_error_of_a_function_comes_out_as_itself() -> None:
    def looked_up(x: float) -> float:
        return {1.0: 10.0}[x]

    def refusing(x: float) -> float:
        if x > 2:
            raise KeyError("too large")
        return x

    for f, good, bad in ((looked_up, 1.0, 2.0), (refusing, 1.0, 3.0)):
        g = compiled(row(f))
        over = ag.compile(row(f), runner="llvm").vmap(threads=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert g(np.array([good])) == [f(good)]
            with pytest.raises(KeyError):
                g(np.array([good, bad]))
            assert g(np.array([good])) == [f(good)]  # and leaves nothing behind
            assert over([good, good]).tolist() == [f(good)] * 2
            with pytest.raises(KeyError):
                over([good] * 300 + [bad])


def test_rules_that_ask_for_numbers_and_rows_of_many_operands() -> None:
    @ag.custom_rule(
        lambda a, b, c, d, z: b if a > 0 else 0.0, lambda a, b, c, d, z: math.cos(a), lambda a, b, c, d, z: d,
        lambda a, b, c, d, z: c,
    )  # fmt: skip
    def four(a: float, b: float, c: float, d: float) -> float:
        return (a * b if a > 0 else 0.0) + c * d

    f = ag.compile(lambda x: ag.sum(four(*x[k : k + 4]) for k in range(10)), runner="llvm")
    g = ag.compile(lambda x: ag.sum(four(*x[k : k + 4]) for k in range(10)), runner="numpy")
    x = np.linspace(-1.0, 1.0, 13)
    (value, slopes), (want, wanted) = f.value_and_grad(x), g.value_and_grad(x)
    assert value == pytest.approx(want, rel=1e-14)
    same(slopes, wanted)


def test_a_source_that_was_edited_is_noticed(tmp_path: Any) -> None:
    path = tmp_path / "edited.py"
    path.write_text("def f(x):\n    return x + 1\n")
    room: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), room)
    assert source_of(room["f"]).parameters == ("x",)
    path.write_text("def f(x):\n    return x + 2\n")
    exec(compile("def f(x):\n    return x + 1\n", str(path), "exec"), room)
    import linecache

    linecache.checkcache()
    with pytest.raises(Unreadable, match="does not belong to the function that runs"):
        source_of(compile_anew(room["f"]))


def compile_anew(f: Any) -> Any:
    """Return a function of the same code, that no cache knows."""
    return type(f)(f.__code__.replace(co_name=f.__name__, co_consts=(*f.__code__.co_consts, "anew")), f.__globals__)


def test_content_is_a_key() -> None:
    assert content([lambda x: x * RATE]) != content([lambda x: x + RATE])
    assert content([helper]) == content([helper])
    assert "object at" in content([lambda x: x * SETTINGS])
    assert "0.25" in content([row(branching)])
