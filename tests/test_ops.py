"""Every row against oracles that are not us, and every other form of the row against the row."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import generate
import mpmath
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from oracles import oracle
from strategies import differentiable, examples, slope, smooth_operands

import autograd_mini as ag
from autograd_mini import OPS, Op, Value
from autograd_mini.edges import derivatives_of
from autograd_mini.ops import METHODS, REAL, Recorder
from autograd_mini.printing import Code

inf, nan = math.inf, math.nan
every_row = pytest.mark.parametrize("op", OPS.values(), ids=list(OPS))
honest = [op for op in OPS.values() if op.name != "stop_gradient"]  # whose rules are its slopes
every_slope = pytest.mark.parametrize("op", honest, ids=[op.name for op in honest])
some = settings(max_examples=examples(25), suppress_health_check=[HealthCheck.filter_too_much])


@every_slope
@given(data=st.data())
@some
def test_partials_are_the_slopes_of_the_function(op: Op, data: st.DataObject) -> None:
    xs = data.draw(smooth_operands(op))
    for i in differentiable(op):
        expected = 0.0 if op.name == "where" and i == 0 else slope(op.function, xs, i)
        assert op.partial(i, xs, op.function(*xs)) == pytest.approx(expected, rel=1e-6, abs=1e-7)


@every_slope
@given(data=st.data())
@some
def test_rules_run_on_values_and_give_second_derivatives(op: Op, data: st.DataObject) -> None:
    xs = data.draw(smooth_operands(op))
    for i in differentiable(op):
        operands = [Value(x) for x in xs]
        z = op(*operands)
        rule = op.rules[i](*operands, z)
        if not isinstance(rule, Value):
            assert rule == op.partial(i, xs, z.data)
            continue
        assert rule.data == pytest.approx(op.partial(i, xs, z.data), rel=1e-15)
        rule.backward()
        for j in differentiable(op):
            if op.name == "where" and j == 0:
                continue

            def first(*at: float, i: int = i) -> float:
                return op.partial(i, at, op.function(*at))

            assert operands[j].grad == pytest.approx(slope(first, xs, j), rel=1e-5, abs=1e-6)


@every_row
@given(data=st.data())
@some
def test_nodes_have_the_function_and_the_partials_of_the_row(op: Op, data: st.DataObject) -> None:
    xs = data.draw(smooth_operands(op))
    kept = data.draw(st.lists(st.booleans(), min_size=len(op.rules), max_size=len(op.rules)).filter(any))
    operands = [Value(x) if keep else x for x, keep in zip(xs, kept, strict=True)]
    z = op(*operands)
    assert z.op is op
    assert z.data == op(*xs) == op.function(*xs)
    assert z.operands == tuple(operands)
    assert z.parents == tuple(x for x in operands if isinstance(x, Value))
    expected = [op.partial(i, xs, z.data) for i in range(len(op.rules)) if kept[i]]
    assert z.partials == pytest.approx(expected, nan_ok=True, rel=0)


INFIX: dict[str, Any] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "mod": lambda x, y: x % y,
    "floordiv": lambda x, y: x // y,
    "pow": lambda x, y: x**y,
}
anything = st.floats(allow_nan=False, width=32) | st.sampled_from([0.0, 1.0, -1.0, 2.0, 3.0, -2.0, 0.5, -0.5])


def outcome(f: Any, xs: tuple[float, ...], kept: tuple[bool, bool]) -> Any:
    """Return what there is to see of a result, or of the error."""
    operands = [Value(x) if keep else x for x, keep in zip(xs, kept, strict=True)]
    try:
        z = f(*operands)
    except (ArithmeticError, ValueError) as error:
        return type(error), str(error)
    return z.op, repr(z.data), repr(z.partials), z.operands == tuple(operands)


@pytest.mark.parametrize("name", INFIX)
@pytest.mark.parametrize("kept", [(True, True), (True, False), (False, True)])
@given(x=anything, y=anything)
@settings(max_examples=examples(200))
def test_operators_written_out_equal_their_rows(name: str, kept: tuple[bool, bool], x: float, y: float) -> None:
    if kept == (False, True) and name == "add" and x == 0:
        return  # sum() starts at the int 0 alone; float zeros are the next test's
    row = Value(0.0).record
    by_row = outcome(lambda *operands: row(OPS[name], operands), (x, y), kept)
    assert outcome(INFIX[name], (x, y), kept) == by_row


@given(x=anything)
def test_negation_equals_its_row(x: float) -> None:
    by_row = Value(x).record(OPS["neg"], (Value(x),))
    assert (repr((-Value(x)).data), (-Value(x)).partials) == (repr(by_row.data), by_row.partials)


@every_row
@given(data=st.data())
@some
def test_text_of_a_row_is_an_expression_of_it(op: Op, data: st.DataObject) -> None:
    xs = data.draw(smooth_operands(op))
    names = ("p", "q", "r")[: len(op.rules)]
    if op.name == "identity":
        return  # written as its operand
    text = str(Code.write(op, [Code.name(name) for name in names]))
    z = ag.expression(text, **dict(zip(names, xs, strict=True)))
    assert z.op is op
    assert z.data == op(*xs)
    assert [x.label for x in z.parents] == list(names)


class Number(Recorder):
    """A recorder of the user's own."""

    def __init__(self, x: float) -> None:
        self.x = x

    def record(self, op: Op, operands: tuple[Any, ...]) -> Number:
        return Number(op(*(x.x if isinstance(x, Number) else x for x in operands)))


@every_row
@given(data=st.data())
@some
def test_anything_that_records_can_run_a_row(op: Op, data: st.DataObject) -> None:
    xs = data.draw(smooth_operands(op))
    assert op(*(Number(x) for x in xs)).x == op(*xs)


def test_methods_carry_the_rows() -> None:
    for name, op in METHODS.items():
        x = Value(1.5 if op.name == "acosh" else 0.5)
        others = (0.25,) * (len(op.rules) - 1)
        assert getattr(x, name)(*others).data == op(x.data, *others)
        assert name in dir(x)


@every_row
@given(data=st.data())
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.filter_too_much])
def test_functions_against_mpmath(op: Op, data: st.DataObject) -> None:
    xs = data.draw(smooth_operands(op))
    with mpmath.workdps(40):
        expected = float(oracle(op)(*map(mpmath.mpf, xs)))
    # betaln adds logarithms of about 1: where they cancel, their absolute errors stay.
    assert op(*xs) == pytest.approx(expected, rel=1e-12, abs=1e-14 if op is OPS["betaln"] else 1e-15)


@pytest.mark.parametrize(
    ("name", "xs", "z", "partials"),
    [
        ("relu", (0.0,), 0.0, (0.0,)),
        ("relu", (nan,), nan, (0.0,)),
        ("abs", (0.0,), 0.0, (0.0,)),
        ("sign", (0.0,), 0.0, (0.0,)),
        ("leaky_relu", (0.0, 0.1), 0.0, (0.1, 0.0)),
        ("maximum", (2.0, 2.0), 2.0, (0.5, 0.5)),
        ("maximum", (3.0, 2.0), 3.0, (1.0, 0.0)),
        ("maximum", (nan, 2.0), nan, (0.0, 0.0)),
        ("maximum", (2.0, nan), nan, (0.0, 0.0)),
        ("minimum", (2.0, 2.0), 2.0, (0.5, 0.5)),
        ("minimum", (3.0, 2.0), 2.0, (0.0, 1.0)),
        ("excess", (inf, inf), 0.0, (1.0, -1.0)),
        ("excess", (1.0, inf), -inf, (1.0, -1.0)),
        ("excess", (inf, 1.0), inf, (1.0, -1.0)),
        ("excess", (-inf, -inf), nan, (1.0, -1.0)),
        ("where", (1.0, 5.0, 7.0), 5.0, (0.0, 1.0, 0.0)),
        ("where", (0.0, 5.0, 7.0), 7.0, (0.0, 0.0, 1.0)),
        ("hypot", (0.0, 0.0), 0.0, (0.0, 0.0)),
        ("atan2", (0.0, 0.0), 0.0, (nan, nan)),
        ("sqrt", (0.0,), 0.0, (inf,)),
        ("cbrt", (0.0,), 0.0, (inf,)),
        ("cbrt", (-8.0,), -2.0, (1 / 12,)),
        ("asin", (1.0,), math.pi / 2, (inf,)),
        ("acos", (-1.0,), math.pi, (-inf,)),
        ("acosh", (1.0,), 0.0, (inf,)),
        ("xlogy", (0.0, 0.0), 0.0, (-inf, 0.0)),
        ("xlogy", (0.0, 2.0), 0.0, (math.log(2), 0.0)),
        ("powlog", (0.0, 2.0, 1.0), 0.0, (0.0, 0.0, nan)),
        ("powlog", (0.0, 1.0, 1.0), 0.0, (-inf, 0.0, nan)),
        ("pow", (0.0, 0.0), 1.0, (0.0, -inf)),
        ("pow", (0.0, 2.0), 0.0, (0.0, 0.0)),
        ("pow", (0.0, 0.5), 0.0, (inf, 0.0)),
        ("pow", (-2.0, 3.0), -8.0, (12.0, nan)),
        ("pow", (-2.0, -1.0), -0.5, (-0.25, nan)),
        ("exp", (-inf,), 0.0, (0.0,)),
        ("tanh", (inf,), 1.0, (0.0,)),
        ("sigmoid", (1e4,), 1.0, (0.0,)),
        ("sigmoid", (-1e4,), 0.0, (0.0,)),
        ("softplus", (1e4,), 1e4, (1.0,)),
        ("softplus", (-1e4,), 0.0, (0.0,)),
        ("gelu", (-40.0,), 0.0, (0.0,)),
        ("erf", (1e200,), 1.0, (0.0,)),
        ("floor", (-0.0,), -0.0, (0.0,)),
        ("floor", (-2.5,), -3.0, (0.0,)),
        ("floor", (inf,), inf, (0.0,)),
        ("floor", (nan,), nan, (0.0,)),
        ("ceil", (-0.5,), -0.0, (0.0,)),
        ("trunc", (-2.5,), -2.0, (0.0,)),
        ("round", (2.5,), 2.0, (0.0,)),
        ("round", (-3.5,), -4.0, (0.0,)),
        ("round", (0.49999999999999994,), 0.0, (0.0,)),
        ("round", (1e300,), 1e300, (0.0,)),
        ("mod", (-7.0, 3.0), 2.0, (1.0, 3.0)),
        ("mod", (7.0, -3.0), -2.0, (1.0, 3.0)),
        ("mod", (-1.0, inf), inf, (1.0, 1.0)),
        ("mod", (inf, 3.0), nan, (1.0, nan)),
        ("floordiv", (7.0, -2.0), -4.0, (0.0, 0.0)),
        ("floordiv", (1.0, 0.1), 9.0, (0.0, 0.0)),
        ("floordiv", (inf, 2.0), nan, (0.0, 0.0)),
        ("root", (0.0,), 0.0, (0.0,)),
        ("root", (4.0,), 2.0, (0.25,)),
        ("exp2", (-inf,), 0.0, (0.0,)),
        ("exp2", (10.0,), 1024.0, (1024 * math.log(2),)),
        ("degrees", (math.pi,), 180.0, (180 / math.pi,)),
        ("logaddexp", (-inf, -inf), -inf, (0.5, 0.5)),
        ("logaddexp", (inf, inf), inf, (0.5, 0.5)),
        ("logaddexp", (-inf, 2.0), 2.0, (0.0, 1.0)),
        ("logaddexp", (inf, 2.0), inf, (1.0, 0.0)),
        ("logaddexp", (1e308, 1e308), 1e308, (0.5, 0.5)),
        ("logaddexp", (1e308, -1e308), 1e308, (1.0, 0.0)),
        ("logaddexp", (-1e308, -1e308), -1e308, (0.5, 0.5)),
        ("logaddexp", (0.0, -50.0), 1.9287498479639178e-22, (1.0, 1.9287498479639178e-22)),
        ("logit", (0.5,), 0.0, (4.0,)),
        ("logit", (1e-300,), math.log(1e-300), (1e300,)),
        ("logit", (1 - 2.0**-53,), 53 * math.log(2), (2.0**53 / (1 - 2.0**-53),)),
        ("logit", (0.5 + 2.0**-50,), 4 * 2.0**-50, (4.0,)),
        ("log_sigmoid", (-800.0,), -800.0, (1.0,)),
        ("log_sigmoid", (800.0,), -0.0, (0.0,)),
        ("log_sigmoid", (50.0,), -1.9287498479639178e-22, (1.9287498479639178e-22,)),
        ("log_sigmoid", (-inf,), -inf, (1.0,)),
        ("sinc", (0.0,), 1.0, (0.0,)),
        ("sinc", (1.0,), 0.0, (-1.0,)),
        ("sinc", (5e-324,), 1.0, (0.0,)),
        ("sinc", (inf,), 0.0, (0.0,)),
        ("sinc_derivative", (2.0, 0.0), -(math.pi**2) / 3, (nan, 0.0)),
        ("gamma", (5.0,), 24.0, (24 * (25 / 12 - 0.5772156649015329),)),
        ("erfinv", (0.0,), 0.0, (math.sqrt(math.pi) / 2,)),
        ("betaln", (1.0, 1.0), 0.0, (-1.0, -1.0)),
        ("betaln", (inf, 2.0), -inf, (0.0, -inf)),
        ("betaln", (1e308, 1e308), -1.3862943611198906e308, (-math.log(2.0), -math.log(2.0))),
        ("asinh", (1e200,), math.asinh(1e200), (1e-200,)),
    ],
)
def test_special_values(name: str, xs: tuple[float, ...], z: float, partials: tuple[float, ...]) -> None:
    node = OPS[name](*map(Value, xs))
    assert node.data == pytest.approx(z, nan_ok=True, rel=1e-15, abs=1e-300)
    assert node.partials == pytest.approx(partials, nan_ok=True, rel=1e-15, abs=1e-300)


@pytest.mark.parametrize(
    ("name", "xs", "error"),
    [
        ("log", (0.0,), ValueError),
        ("digamma", (0.0,), ValueError),
        ("polygamma", (1.5, 2.0), ValueError),
        ("log", (-1.0,), ValueError),
        ("sqrt", (-1.0,), ValueError),
        ("acos", (2.0,), ValueError),
        ("atanh", (1.0,), ValueError),
        ("div", (1.0, 0.0), ZeroDivisionError),
        ("pow", (0.0, -1.0), ZeroDivisionError),
        ("pow", (-8.0, 1 / 3), ValueError),
        ("exp", (1e4,), OverflowError),
        ("pow", (10.0, 400.0), OverflowError),
        ("mod", (1.0, 0.0), ZeroDivisionError),
        ("floordiv", (1.0, 0.0), ZeroDivisionError),
        ("exp2", (1024.0,), OverflowError),
        ("logit", (0.0,), ValueError),
        ("logit", (1.0,), ValueError),
        ("erfinv", (1.0,), ValueError),
        ("gamma", (-1.0,), ValueError),
        ("gamma", (172.0,), OverflowError),
        ("betaln", (-1.0, 2.0), ValueError),
        ("root", (-1.0,), ValueError),
        ("sinc_derivative", (1.5, 0.0), ValueError),
    ],
)
def test_domain_errors_are_those_of_python_and_name_the_operand(
    name: str, xs: tuple[float, ...], error: type[Exception]
) -> None:
    leaves = [Value(x, label) for x, label in zip(xs, "pq", strict=False)]
    with pytest.raises(error, match=rf"in {name}\(p={xs[0]!r}"):
        OPS[name](*leaves)
    with pytest.raises(error):
        OPS[name](*xs)


UNARY = [op for op in OPS.values() if op.domain == (REAL,) and op.kink is None]


@pytest.mark.parametrize("op", UNARY, ids=lambda op: op.name)
@given(x=st.floats(-30, 30).filter(lambda x: abs(x) > 1e-3))
@settings(max_examples=examples(25))
def test_slopes_keep_their_digits_far_out(op: Op, x: float) -> None:
    with mpmath.workdps(500):  # digits: erf(30) is 1 but for the 393rd
        expected = float(mpmath.diff(oracle(op), mpmath.mpf(x)))
    # sigmoid, silu and tanh are written as in textbooks, with 1 - z; gelu adds what nearly cancels
    loose = op.name in ("sigmoid", "silu", "tanh", "gelu")
    assert op.partial(0, (x,), op(x)) == pytest.approx(expected, rel=1e-9, abs=1e-14 if loose else 1e-300)


@pytest.mark.parametrize("bad", ["1", None, 1j, [1.0], b"1"])
def test_what_is_no_real_number_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"tanh: cannot use .* of type"):
        ag.tanh(bad)
    with pytest.raises(TypeError, match=r"hypot: cannot use .* of type"):
        ag.hypot(Value(1.0), bad)


def test_number_of_operands_is_checked() -> None:
    with pytest.raises(TypeError, match=r"tanh\(x\) takes 1 operand, 2 given"):
        ag.tanh(1.0, 2.0)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"where\(condition, x, y\) takes 3 operands, 1 given"):
        ag.where(1.0)  # type: ignore[call-overload]
    assert ag.leaky_relu(-1.0) == -0.01


def test_condition_may_be_a_comparison() -> None:
    x, y = Value(3.0), Value(4.0)
    z = ag.where(x > y, x * 2, y * 5)
    z.backward()
    assert (z.data, x.grad, y.grad) == (20.0, 0.0, 5.0)


def test_every_row_says_what_it_does() -> None:
    for op in OPS.values():
        assert op.doc.endswith(".")
        assert "$" in op.doc
        assert (op.__doc__ or "").startswith(op.doc)
        assert list(inspect.signature(op).parameters) == list(op.parameters)
        assert vars(ag).get(op.name) is op, f"autograd_mini/__init__.py has no line `{op.name} as {op.name},`"
        assert (op.kink is None) or op.convention
        assert len(op.domain) == len(op.text.levels) == len(op.tex.levels) == len(op.rules)


@pytest.mark.parametrize("path", generate.files(), ids=lambda path: path.name)
def test_files_are_those_that_the_table_makes(path: Path) -> None:
    assert path.read_text() == generate.files()[path], "run: python tests/generate.py"


def test_derivatives_as_data_equal_backward() -> None:
    x = Value(2.0)
    y = ag.where(x, x * x, 1.0) + x
    y.backward()
    assert derivatives_of(y, ag.topological_order(y))[x] == x.grad == 5.0


# What a change of one sign in the table would break.


def test_comparisons_of_equal_numbers() -> None:
    x, y = Value(2.0), Value(2.0)
    assert (x < y, x <= y, x > y, x >= y, x == y, x != y) == (False, True, False, True, True, False)
    assert (ag.greater(x, y).data, ag.greater_equal(x, y).data, ag.equal(x, y).data) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("name", "xs", "distance"),
    [
        ("greater", (2.0, 2.0), 0.0),
        ("greater_equal", (2.0, 2.0), 0.0),
        ("greater_equal", (2.0, 5.0), 3.0),
        ("equal", (1.0, 4.0), 3.0),
        ("atan2", (3.0, 4.0), 5.0),
        ("atan2", (0.0, -1.0), 0.0),  # the cut, where the angle jumps
        ("atan2", (0.5, -1.0), 0.5),
        ("atan2", (0.0, 0.0), 0.0),
        ("atan2", (2.0, 0.0), 2.0),
        ("relu", (-0.25,), 0.25),
        ("maximum", (1.0, 3.5), 2.5),
    ],
)
def test_how_far_a_kink_is(name: str, xs: tuple[float, ...], distance: float) -> None:
    kink = OPS[name].kink
    assert kink is not None
    assert abs(kink(*xs)) == distance
    (decision,) = ag.trace(OPS[name], *xs).decisions()
    assert decision.distance == distance


@pytest.mark.parametrize(
    ("f", "left"),
    [
        (lambda x: x * 1.0, 0), (lambda x: 1.0 * x, 0), (lambda x: x / 1.0, 0), (lambda x: x**1.0, 0),
        (lambda x: x * 0.0, 1), (lambda x: 2.0 * x, 1), (lambda x: 1.0 / x, 1), (lambda x: 1.0**x, 1),
        (lambda x: x + 0.0, 1),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_left_out(f: Any, left: int) -> None:
    t = ag.trace(f, 3.0).optimize()
    assert len(t.equations) == left
    assert t(5.0) == f(5.0)


def test_relu_has_no_negative_zero() -> None:
    for z in (ag.relu(-0.0), ag.relu(Value(-0.0)).data, ag.relu(Value(-2.0)).data, OPS["relu"].function(-0.0)):
        assert math.copysign(1.0, z) == 1.0
    assert ag.relu(Value(-0.0)).partials == (0.0,)
