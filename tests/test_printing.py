"""Notation: brackets that keep the meaning, labels, numbers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

import autograd_mini as ag
from autograd_mini import OPS
from autograd_mini.printing import Label, Tex, Text, format_number, names_of, printable

formulas = st.recursive(
    st.sampled_from(["x", "y", "2", "(-3)", "0.5"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from("+ - * / **".split()), inner)
        | st.builds("(-{})".format, inner)
        | st.builds("tanh({})".format, inner)
    ),
    max_leaves=8,
)


@given(formula=formulas)
def test_brackets_are_kept_where_they_matter(formula: str) -> None:
    names = {name: Text.name(name) for name in "xy"}
    for name in names.values():
        name.precision = 17  # in which a float is itself: a digit less may cancel, and then be all

    def run(text: str) -> object:
        try:
            return eval(text, {**names, "tanh": ag.tanh, "__builtins__": {}})
        except (ArithmeticError, ValueError, TypeError):
            return None  # of constants alone, such as 1/0 or the complex (-3)**0.5

    first = run(formula)
    if not isinstance(first, Text):
        return

    def value(text: str) -> object:
        try:
            return ag.expression(f"0*x*y + ({text})", x=1.25, y=-0.75).data
        except ag.ExpressionError:
            return None

    written = value(str(first))
    expected = value(formula)
    if written is not None and expected is not None:
        assert written == expected or (written != written and expected != expected)


@pytest.mark.parametrize(
    ("label", "parsed", "tex"),
    [
        ("a1[2](3)", ("a", "1", "2", "3"), "a_{1}^{[2](3)}"),
        ("a_1^[2](3)", ("a", "1", "2", "3"), "a_{1}^{[2](3)}"),
        ("z_j[l](i)", ("z", "j", "l", "i"), "z_{j}^{[l](i)}"),
        ("W_{21}^[1]", ("W", "21", "1", ""), "W_{21}^{[1]}"),
        ("W_{21}^{[1]}", ("W", "21", "1", ""), "W_{21}^{[1]}"),
        ("a_1^{[2](3)}", ("a", "1", "2", "3"), "a_{1}^{[2](3)}"),
        ("x^{(3)}", ("x", "", "", "3"), "x^{(3)}"),
        ("x^{}", ("x^{}", "", "", ""), r"\text{x\textasciicircum{}\{\}}"),
        ("x^{[2]}y", ("x^{[2]}y", "", "", ""), r"\text{x\textasciicircum{}\{[2]\}y}"),
        ("b^[2]", ("b", "", "2", ""), "b^{[2]}"),
        ("L(3)", ("L", "", "", "3"), "L^{(3)}"),
        ("J", ("J", "", "", ""), "J"),
        ("dz2", ("dz", "2", "", ""), r"\mathit{dz}_{2}"),
        ("alpha", ("alpha", "", "", ""), r"\alpha"),
        ("learning_rate", ("learning_rate", "", "", ""), r"\mathit{learning\_rate}"),
        ("50% of $x", ("50% of $x", "", "", ""), r"\text{50\% of \$x}"),
    ],
)
def test_labels(label: str, parsed: tuple[str, ...], tex: str) -> None:
    assert Label.parse(label) == parsed
    assert Label.parse(label).tex() == tex


@pytest.mark.parametrize(
    ("label", "tex"),
    [
        ("x__", r"x_{\_}"),
        ("a[x__y]", r"a^{[x\_\_y]}"),
        ("y\u0302", r"\hat{y}"),
        ("ŷ_1", r"\hat{y}_{1}"),
        ("\u0301", "\\text{\ufffd}"),
        ("\x1b[31m", "\\text{\ufffd[31m}"),
        ("<img src=x onerror=alert(1)>", r"\mathord{<}\text{img src=x onerror=alert(1)>}"),
        ("a ≠ b", r"\text{a }\mathord{≠}\text{ b}"),
        ("`a`", "\\text{\u2018a\u2018}"),
    ],
)
def test_labels_that_would_break_a_formula(label: str, tex: str) -> None:
    x = ag.Value(2.0, label)
    y = x * x
    assert Label.parse(printable(label)).tex() == tex
    assert tex in ag.explain(y, x).markdown()
    assert not re.search(r"<\w", ag.explain(y).markdown() + ag.explain(y).latex())


def test_labels_that_are_formulas_are_bracketed() -> None:
    a = ag.Value(2.0, "x1*w1 + b")
    y = a * 3
    y.label = "y"
    assert "y = (x1*w1 + b) · 3 = 2 · 3 = 6" in str(ag.explain(y))
    assert "dy/d(x1*w1 + b) = 3" in str(ag.explain(y))
    assert "y = 3(x1*w1 + b) = 6" in ag.draw(y).description
    assert str(Tex.name("a - b") * 2) == r"\left(\text{a - b}\right) \cdot 2"


def test_a_name_with_a_digit_is_one_word_in_latex() -> None:
    """MathJax splits the name of an operator at a digit, unless it is upright text."""

    @ag.custom_rule(lambda x, z: 3.0)
    def times3(x: float) -> float:
        return 3.0 * x

    for op in (*OPS.values(), times3):
        assert not re.search(r"operatorname\{[^{}]*\d", op.tex.template)
    assert str(ag.log1p(Tex.name("x"))) == r"\operatorname{\mathrm{log1p}}(x)"
    assert str(ag.sinc(Tex.name("x"))) == r"\operatorname{sinc}(x)"
    assert r"\operatorname{\mathrm{times3}}(x)" in ag.explain(times3(ag.Value(2.0, "x"))).latex()


def test_many_nodes_of_one_label_have_names_of_their_own() -> None:
    h = ag.Value(1.0, "h")
    for _ in range(5000):
        h = -h
        h.label = "h"
    names = list(names_of(ag.topological_order(h)).values())
    assert names[:4] == ["h", "h′", "h′2", "h′3"]
    assert len(set(names)) == 5001


def test_a_label_with_a_superscript_is_bracketed_under_a_power() -> None:
    assert str(Tex.name("a[1]") ** 2) == r"\left(a^{[1]}\right)^{2}"
    assert str(Tex.name("a") ** 2) == "a^{2}"


@pytest.mark.parametrize(
    ("x", "text", "tex"),
    [
        (33.0, "33", "33"),
        (-0.0, "0", "0"),
        (1 / 3, "0.3333", "0.3333"),
        (1e-9, "1e-09", r"1 \cdot 10^{-9}"),
        (float("inf"), "inf", r"\infty"),
        (float("-inf"), "-inf", r"-\infty"),
        (float("nan"), "nan", r"\mathrm{nan}"),
    ],
)
def test_numbers(x: float, text: str, tex: str) -> None:
    assert format_number(x) == str(Text.number(x, 4)) == text
    assert str(Tex.number(x, 4)) == tex


@pytest.mark.parametrize(
    ("label", "text", "tex"),
    [
        ("a\x1b[31mb", "a\ufffd[31mb", None),
        ("x\u202ey", "x\ufffdy", None),
        ("x__", "x__", r"x_{\_}"),
        ("a[x__y]", "a[x__y]", r"a^{[x\_\_y]}"),
    ],
)
def test_labels_that_would_break_a_terminal_or_a_formula(label: str, text: str, tex: str | None) -> None:
    x = ag.Value(2.0, label)
    y = x * 3
    assert names_of([x, y], y)[x] == text
    assert str(ag.explain(y)).splitlines()[1] == f"  {text} = 2"
    assert all(c.isprintable() or c == "\n" for c in str(ag.explain(y)) + str(ag.trace_graph(y, x)) + str(ag.blame(y)))
    assert tex is None or Label.parse(label).tex() == tex
