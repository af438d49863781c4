"""Reading text: what it means, and that nothing but the documented error comes out of any text."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import ExpressionError, Value
from autograd_mini.formulas import FUNCTIONS
from autograd_mini.printing import Code, names_of


def test_the_text() -> None:
    J = ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=3, c=2)
    J.backward()
    grads = {node.label: node.grad for node in ag.topological_order(J)}
    assert grads == {"a": 3, "b": 6, "c": 9, "u": 3, "v": 3, "J": 1}
    assert J.data == 33


def test_lines_blanks_and_comments() -> None:
    z = ag.expression("  u = a*2   # double\n\n\tv = u + (\n 1)\n  v*v", a=3)
    assert (z.data, z.label) == (49.0, "")
    assert [x.label for x in z.parents] == ["v", "v"]


def test_constants_and_given_values() -> None:
    x = Value(2.0)
    z = ag.expression("cos(pi*x) + log(e)", x=x)
    assert z.data == pytest.approx(2.0)
    assert x.label == "x"
    assert ag.expression("e*2", e=1.0).data == 2.0
    assert ag.expression("2**3").data == 8.0
    assert ag.expression("x", x=np.float32(2)).label == "x"


def test_python_binds_the_operators() -> None:
    for text in ["-x**2", "2**x**2", "x - y - 1", "x/y*2", "-x*y", "x - (y - 1)", "--x", "+x"]:
        assert ag.expression(f"0*x*y + ({text})", x=3, y=7).data == eval(text, {"x": 3.0, "y": 7.0})


def test_comparisons_are_rows() -> None:
    for text, expected in [("x > y", 0.0), ("x < y", 1.0), ("x >= y", 0.0), ("x <= y", 1.0), ("x == y", 0.0)]:
        assert ag.expression(text, x=1, y=2).data == expected
    z = ag.expression("where(x > 0, x*3, y)", x=1, y=2)
    z.backward()
    assert [node.grad for node in ag.topological_order(z) if node.label in "xy" and node.label] == [3.0, 0.0]


def test_a_second_name_is_a_second_node() -> None:
    z = ag.expression("y = x; z = x*y", x=3)
    z.backward()
    assert {n.label: n.grad for n in ag.topological_order(z)} == {"x": 6.0, "y": 3.0, "z": 1.0}


@pytest.mark.parametrize(
    ("text", "message", "caret"),
    [
        ("3v", "a product is written with *", "^"),
        ("3(a + 1)", "a product is written with *, as in 3*(a + v)", "^"),
        ("(a + 1)(a - 1)", "a product is written with *", "^"),
        ("2 + a(a + 1)", "a is a number; a product is written with *", "    ^"),
        ("a^2", "write **", " ^"),
        ("é = a; é^2", "write **", "        ^"),
        ("1 + tanhh(a)", "there is no function tanhh; did you mean tanh?", "    ^"),
        ("a + q", "q has no value: give q=...", "    ^"),
        ("a + tanh", "tanh is a function; write tanh(...)", "    ^"),
        ("a + log(-a)", "math domain error in log(", "    ^"),
        ("a/0", "division by zero in div(a=1.0, 0.0)", "^"),
        ("tanh(a, a)", "takes 1 operand, 2 given", "^"),
        ("a +", "invalid syntax", "   ^"),
        ("(a", "'(' was never closed", "^"),
        ("a.real", "a name cannot have a dot", "^"),
        ("a[0]", "a number cannot be indexed", "^"),
        ("tanh(x=a)", "a function is called by its name", "^"),
        ("(lambda: a)()", "a function is called by its name", "^"),
        ("a if a else a", "a choice is written where(condition, x, y)", "^"),
        ("a < a < a", "compare two numbers at a time", "^"),
        ("a @ 2", "this operator is unknown", "^"),
        ("import os", "only assignments", "^"),
        ("x = y = a", "only assignments", "^"),
        ("x += a", "only assignments", "^"),
        ("a; a", "this result has no name", "^"),
        ("a = 2", "a has a value already", "^"),
        ("exp = a; exp(a)", "exp is a number;", "         ^"),
        ("a + 1j", "1j is not a real number", "    ^"),
        ("a + 'x'", "'x' is not a real number", "    ^"),
        ("a + True", "True is not a number", "    ^"),
        ("[a]", "this is not allowed", "^"),
        ("ln(a)", "did you mean log?", "^"),
        ("9**9**9**9", "math range error in pow(9.0, 387420489.0)", "   ^"),
    ],
)
def test_what_is_wrong_is_said_with_a_caret(text: str, message: str, caret: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        ag.expression(text, a=1)
    said, line, place = str(caught.value).split("\n")
    assert message in said
    assert line == f"  {text}"
    assert place == f"  {caret}"


@pytest.mark.parametrize(
    ("text", "variables", "message"),
    [
        ("", {}, "the text is empty"),
        ("a", {"a": 1, "b": 2}, "b: given a value, but the text does not use it"),
        ("a" * 10_001, {}, "10001 characters; at most 10000"),
        ("(" * 5000 + "a" + ")" * 4000, {"a": 1}, "nested"),
        ("+".join("a" * 4000), {"a": 1}, "nested"),
        ("-" * 5000 + "a", {"a": 1}, "nested"),
    ],
)
def test_what_has_no_place_is_said_without_one(text: str, variables: dict[str, float], message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        ag.expression(text, **variables)


def test_a_long_line_is_shown_around_its_caret() -> None:
    with pytest.raises(ExpressionError) as caught:
        ag.expression("+".join(["a"] * 100) + "^2 + " + "+".join(["a"] * 100), a=1)
    _, line, place = str(caught.value).split("\n")
    assert len(line) < 90
    assert line[place.index("^")] == "^"
    with pytest.raises(ExpressionError, match="too large"):
        ag.expression("a + 1" + "0" * 400, a=1)
    with pytest.raises(ExpressionError, match="lambda cannot be a name"):
        ag.expression("2", **{"lambda": 1})


def test_variables_are_numbers() -> None:
    with pytest.raises(TypeError, match="cannot use 'five'"):
        ag.expression("a", a="five")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the text must be a str"):
        ag.expression(3)  # type: ignore[arg-type]  # as a beginner might


def test_refused_text_leaves_labels_alone() -> None:
    x = Value(1.0)
    with pytest.raises(ExpressionError):
        ag.expression("x + q", x=x)
    assert x.label == ""


def test_errors_pickle() -> None:
    error = pickle.loads(pickle.dumps(ExpressionError("no", "a+", 1)))
    assert str(error) == "no\n  a+\n   ^"


pieces = st.sampled_from(
    [*"ab0123.+-*/^()=;,<>%[]{}'\"\\ \n\t#é☃\x00:@!~&|", "**", "a", "pi", "1e309", "lambda", "exp", *FUNCTIONS]
)


@given(text=st.text(max_size=40) | st.lists(pieces, max_size=20).map("".join))
@example("0or a")
@example("'\\d'")
@example("a = \x0c 1; a")
@example("f'{a}'")
@example("\ufeffa")
@settings(max_examples=examples(500))
def test_only_the_documented_error_comes_out(text: str) -> None:
    try:
        z = ag.expression(text, a=0.5, b=-2)
    except ExpressionError as error:
        assert str(error)
    else:
        assert isinstance(z, Value)
        assert isinstance(z.data, float)


@given(dag=dags())
@settings(max_examples=examples(60))
def test_a_graph_written_as_text_is_the_same_graph(dag: Dag) -> None:
    z = dag(dag.values())
    order = ag.topological_order(z)
    names = names_of(order, z)
    statements = []
    for node in order:
        if node.op is not None:
            operands = [Code.name(names[x]) if isinstance(x, Value) else Code.number(x, 17) for x in node.operands]
            statements.append(f"{names[node]} = {Code.write(node.op, operands)}")
    leaves = {names[node]: node.data for node in order if node.op is None}
    again = ag.expression("; ".join(statements) or next(iter(leaves)), **leaves)
    assert again.data == z.data
    assert [n.op for n in ag.topological_order(again)] == [n.op for n in order]


def test_label_all() -> None:
    a, b = Value(1.0), Value(2.0, "kept")
    c = a * b
    w: list[Any] = [Value(1.0), (Value(2.0), 3)]
    _hidden = Value(1.0)
    n = 3
    W = np.array([[Value(1.0), Value(2.0)]])
    ag.label_all(locals())
    assert [v.label for v in W[0]] == ["W_{00}", "W_{01}"]
    with pytest.raises(TypeError, match="label_all: give a dict of variables"):
        ag.label_all(None)  # type: ignore[arg-type]  # as a user might
    assert [v.label for v in (a, b, c, w[0], _hidden)] == ["a", "kept", "c", "w_0", ""]
    assert n == 3
    assert math.isclose(c.data, 2.0)
