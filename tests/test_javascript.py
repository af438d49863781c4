"""Python functions as JavaScript: they compute the same, or are refused."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from node import needs_node, run

import autograd_mini as ag
from autograd_mini import OPS, Op, Value
from autograd_mini.javascript import Script
from autograd_mini.source import Unreadable

RATE = 0.25
WEIGHTS = [1, -2.5, 0.5]
CONFIG = {"scale": 3.0}
NUMBERS = [0.0, -0.0, 0.3, 1.0, -1.0, 2.0, 2.5, -3.5, 7.0, 60.0, 1e-310, -1e300, math.inf, -math.inf, math.nan]
HALVES = [n / 2 for n in range(-9, 10)] + [0.49999999999999994, -0.49999999999999994, 2.0**52 + 1, -(2.0**53)]


def op_of(f: Callable[..., float]) -> Op:
    """Return an op of a function, with no slope."""
    return ag.custom_rule(*[lambda *_: 0.0] * f.__code__.co_argcount)(f)


def computed(op: Op, points: Sequence[tuple[float, ...]]) -> list[float]:
    """Return the results of JavaScript."""
    script = Script()
    text = script.applied(op, [f"x[{i}]" for i in range(len(op.rules))])
    asked = ", ".join(f"[{', '.join(map(Script.literal, xs))}]" for xs in points)
    found: list[float] = run(f'"use strict"; {script}\n return [{asked}].map(x => {text});')
    return found


def same(x: float, y: float) -> bool:
    if x == 0.0:
        return y == 0.0 and math.copysign(1.0, x) == math.copysign(1.0, y)
    return x == y or (x != x and y != y) or abs(x - y) <= 1e-13 * abs(x)


def agree(op: Op, points: Sequence[tuple[float, ...]]) -> None:
    for xs, value in zip(points, computed(op, points), strict=True):
        assert same(op.limit(*xs), value), (op, xs, op.limit(*xs), value)


# Functions as users may write them. They compute the same at all numbers, also where Python raises an error.


def two_ways(x: float, y: float) -> float:
    """Branch."""
    if x > 1:
        return x * RATE
    elif not x or x != x:
        pass
    elif -1 <= y < x <= 1:
        return x - y
    else:
        y = -y
    return y if y >= 0.0 else x


def steps(x: float, y: float) -> float:
    total = 0.0
    for k in range(4):
        if k == 2:
            continue
        total += x * k
        if total > 5:
            break
    for k in range(3, -2, -2):
        total = total + k / 2
    for w in WEIGHTS:
        total *= w
    for w in (x, 2, y):
        total -= w
    return total


def euclid(x: float, y: float) -> float:
    a, b = abs(int(x)) if abs(x) < 100 else 12, 18
    while b:
        a, b = b, a % b
    return float(a)


def root(x: float, y: float) -> float:
    """Search by Newton's steps."""
    if not 0 < x < 1e6:
        raise ValueError("no root of this")
    guess = x
    while True:
        better = (guess + x / guess) / 2
        if abs(better - guess) <= 1e-15 * better:
            break
        guess = better
    return better


def helped(x: float, y: float) -> float:
    return shifted(y) + shifted(by=2.0, x=x) + ag.sigmoid(x) * ag.leaky_relu(y) + two_ways(y, x)


def shifted(x: float, by: float = 1.5) -> float:
    return max(x, by) - by


def named(default: float, let: float) -> float:
    """Take the names that JavaScript keeps for itself."""
    var = const = default
    this: float = let
    arguments, Math = this, 2.0
    function = NaN = var + const
    return function * arguments * Math + NaN


def truths(x: float, y: float) -> float:
    several = (x > 0) + (y > 0) + bool(x) + (not y)
    return several + (x or y) + (x and y and 2) + (x > y or x) + True + math.isnan(x) + (math.isinf(y) == (x < y))


def constants(x: float, y: float) -> float:
    return CONFIG["scale"] * x + WEIGHTS[-1] * y - math.pi + math.inf * (x > 1e9)


def powers(x: float, y: float) -> Any:
    return x**3 - 2**y + pow(y, 2) + x**-1.0 + (-1) ** 3 + math.hypot(x, y, 1.0) + math.fabs(x) ** y


def of_math(x: float, y: float) -> float:
    return math.sinh(x) - math.log(abs(y) + 1, 2) + math.degrees(math.atan2(y, x)) + math.copysign(2.0, y) + ag.log(x)


def scaled(k: float) -> Callable[[float], float]:
    return lambda x: k * x if x < k else k


USERS = [two_ways, steps, helped, named, truths, powers, of_math, root, euclid, constants]


@needs_node
@pytest.mark.parametrize("f", USERS, ids=lambda f: f.__name__)
def test_functions_of_users_compute_what_they_do_in_python(f: Callable[..., float]) -> None:
    agree(op_of(f), list(itertools.product(NUMBERS, repeat=2)))


@needs_node
def test_whole_numbers_and_what_is_left() -> None:
    points = list(itertools.product([*NUMBERS, 1e17, -0.7, 5e-324, -math.tau], repeat=2))
    for two in (lambda x, y: x % y, lambda x, y: x // y):
        agree(op_of(two), points)
    for one in (lambda x: 2 * round(x), lambda x: 2 * int(x), lambda x: 2 * math.floor(x), lambda x: 2 * math.ceil(x)):
        agree(op_of(one), [(x,) for x in [*NUMBERS, *HALVES]])


@needs_node
def test_the_functions_that_javascript_lacks() -> None:
    pytest.importorskip("scipy")
    points = [(n / 8 + 0.01,) for n in range(-200, 1300)] + [(x,) for x in NUMBERS] + [(x,) for x in HALVES]
    for op in (ag.erf, ag.erfc, ag.lgamma, ag.digamma, op_of(lambda x: 2 * math.gamma(x))):
        for xs, value in zip(points, computed(op, points), strict=True):
            z = op.limit(*xs)
            assert same(z, value) or abs(z - value) <= 1e-12 * max(abs(z), op.name != "lambda"), (op, xs, z, value)


@needs_node
def test_closures_and_lambdas_on_a_line_are_told_apart() -> None:
    double, triple = (op_of(f) for f in (lambda x: 2 * x, lambda x: 3 * x))
    three, four = op_of(scaled(3.0)), op_of(scaled(4.0))
    script = Script()
    texts = [script.applied(op, ["5"]) for op in (double, triple, three, four, three)]
    assert run(f"{script}\n return [{', '.join(texts)}]") == [10.0, 15.0, 3.0, 4.0, 3.0]
    assert texts[2] == texts[4] != texts[3]


@needs_node
def test_a_row_has_its_own_value_where_its_function_raises_an_error() -> None:
    op = ag.custom_rule(lambda x, z: z, beyond=lambda x: -7.0)(
        lambda x: math.exp(x) / (x - 1) + ag.log(x) + (x - 2) ** 0.5
    )
    agree(op, [(x,) for x in [*NUMBERS, 800.0, 3.0]])


def test_what_is_used_more_than_once_is_written_once() -> None:
    script = Script()
    for op in (op_of(helped), op_of(two_ways), ag.silu, ag.sigmoid):
        script.applied(op, ["1"] * len(op.rules))
    assert sum(name.startswith("f_two_ways") for name in script.functions) == 2  # the function, and as a row
    assert sum(name.startswith("f_shifted") for name in script.functions) == 1
    assert [name for name in script.functions if "sigmoid" in name] == ["f__sigmoid"]


def test_a_name_that_is_none_in_javascript() -> None:
    def f(x: float) -> float:
        return x

    f.__name__ = "a b; </script>"
    assert Script().applied(op_of(f), ["1"]) == "f_a_b____script_1(1)"


def recursive(x: float) -> float:
    return 1.0 if x < 1 else x * recursive(x - 1)


def even(x: float) -> float:
    return 1.0 if x == 0 else odd(x - 1)


def odd(x: float) -> float:
    return 0.0 if x == 0 else even(x - 1)


def careful(x: float) -> float:
    try:
        return 1 / x
    except ZeroDivisionError:
        return 0.0


def counted(x: float) -> float:
    global RATE
    RATE = x
    return RATE


def looped(x: float) -> float:
    for k in range(3):
        if x > k:
            break
    else:
        x = 0.0
    return x


node = Value(2.0, "x")
REFUSED: list[tuple[Callable[..., float], str]] = [
    (recursive, "recursive calls itself"),
    (even, "even calls itself"),
    (careful, "try:"),
    (counted, "global RATE"),
    (looped, "for k in range(3):"),
    (lambda x: sum([x, x]), "[x, x]"),
    (lambda x: [x, 2][0], "[x, 2][0]"),
    (lambda x: x.real, "x.real"),
    (lambda x: x if x in (1, 2) else 0.0, "x in (1, 2)"),
    (lambda x: round(x, 2), "round(x, 2)"),
    (lambda x: max((x, 1.0)), "(x, 1.0)"),
    (lambda x: max(x, 1.0, key=abs), "max(x, 1.0, key=abs)"),
    (lambda x: shifted(x, f=2.0), "got an unexpected keyword argument 'f'"),  # type: ignore[call-arg]
    (lambda x: x * node.data, "node.data"),
    (lambda x: x * node, "node"),
    (lambda x: int(x) & 1, "int(x) & 1"),
    (lambda x: (y := x) + y, "(y := x)"),
    (lambda x: float(f"{x:.2f}"), "f'{x:.2f}'"),
    (lambda x: 2 * missing(x), "missing(x)"),  # type: ignore[name-defined]  # noqa: F821
    (lambda x: isinstance(x, float) * x, "float"),
    (lambda x: x % 2**60 + 12345678901234567890, "12345678901234567890 is no number of JavaScript"),
    (lambda x: scaled(x)(x), "scaled(x)(x)"),
    (lambda x: x[0], "x[0]"),
    (lambda x: WEIGHTS[9] * x, "WEIGHTS[9]"),
]


@pytest.mark.parametrize(("f", "text"), REFUSED)
def test_what_cannot_be_written_is_refused_by_its_text(f: Callable[..., Any], text: str) -> None:
    script = Script()
    for _ in range(2):
        with pytest.raises(Unreadable) as refused:
            script.applied(op_of(f), ["x"])
        assert str(refused.value) == text


def test_a_function_without_a_source_is_refused() -> None:
    scope: dict[str, Any] = {}
    exec("def f(x): return x", scope)
    with pytest.raises(Unreadable, match="f has no source"):
        Script().applied(op_of(scope["f"]), ["x"])


@needs_node
def test_a_loop_without_end_is_nan() -> None:
    def endless(x: float) -> float:
        while x > 1:
            x /= 2 if x < 10 else 1
        return x

    assert same(math.nan, computed(op_of(endless), [(11.0,)])[0])
    agree(op_of(endless), [(9.0,), (0.5,)])


def test_every_row_of_the_table_is_written_but_those_that_ask_scipy() -> None:
    without = {}
    for op in OPS.values():
        try:
            Script().applied(op, ["1"] * len(op.rules))
        except Unreadable as error:
            without[op.name] = str(error)
    assert [*without] == ["polygamma"], f"add functions of math to OF_MATH in autograd_mini/source.py: {without}"
