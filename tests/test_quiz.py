"""The questions that a page asks: which they are, what it takes for an answer, and what it says to a wrong one."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from node import needs_node
from pages import facts, fan_out, formula, plain, run_page, run_pages
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import Explorer, Value, nn
from autograd_mini.wrong_passes import MISTAKES

pytestmark = needs_node

KINDS = ["add", "multiply", "subtract", "divide", "exchange", "operand", "sign", "other factor", "parallel"]
KINDS += ["value not slope", "overwritten", "missing path", "one arrow", "swapped", "not crossed", "local alone"]
KINDS += ["sum", "quotient", "other slope", "mistake", "coarse", "not yet", "right"]

START = "const now = engine.run(), line = engine.timeline(now);"
FORWARD = "const now = engine.run(), line = engine.timeline(now, 'forward');"  # in the first leaf
CHOICE = "Which node can be computed next? Choose it in the picture, or type its name."
HANDS_ON = "Which node can pass on its derivative next? Choose it in the picture, or type its name."


@pytest.fixture
def J() -> Value:
    """Return J = 3(a + bc) with numbers of which no two rules of the quiz make the same."""
    return ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=4, c=2)


def net_cost() -> Value:
    net = nn.MLP(2, [2, 1], output="sigmoid", rng=0)
    return nn.cost(net, [[1.0, 2.0], [0.5, -1.0]], [[1.0], [0.0]])


# Questions.


def test_the_questions_of_a_graph_in_order() -> None:
    body = f"""{START} return quiz.questions(now, line)
      .map(q => [q.kind, quiz.ask(now, q), quiz.solution(now, line, q).join(' = ')]);"""
    assert plain(run_page(ag.explore(formula()), body)) == [
        ["next", CHOICE, "u"],
        ["value", "What is u?", "u = bc = 3 · 2 = 6"],
        ["next", CHOICE, "v"],
        ["value", "What is v?", "v = a + u = 5 + 6 = 11"],
        ["value", "What is J?", "J = 3v = 3 · 11 = 33"],
        ["next", HANDS_ON, "J"],
        ["arrow", "What is the local derivative ∂J/∂v, on the arrow from v to J?", "∂J/∂v = 3"],
        ["next", HANDS_ON, "v"],
        ["arrow", "What is the local derivative ∂v/∂a, on the arrow from a to v?", "∂v/∂a = 1"],
        ["slope", "What is dJ/da?", "dJ/da = dJ/dv · dv/da = 3 · 1 = 3"],
        ["arrow", "What is the local derivative ∂v/∂u, on the arrow from u to v?", "∂v/∂u = 1"],
        ["slope", "What is dJ/du?", "dJ/du = dJ/dv · dv/du = 3 · 1 = 3"],
        ["arrow", "What is the local derivative ∂u/∂b, on the arrow from b to u?", "∂u/∂b = c = 2"],
        ["slope", "What is dJ/db?", "dJ/db = dJ/du · du/db = 3 · c = 3 · 2 = 6"],
        ["arrow", "What is the local derivative ∂u/∂c, on the arrow from c to u?", "∂u/∂c = b = 3"],
        ["slope", "What is dJ/dc?", "dJ/dc = dJ/du · du/dc = 3 · b = 3 · 3 = 9"],
    ]


def test_the_derivative_of_a_node_with_several_users_is_asked_for_once_all_have_passed_theirs_on() -> None:
    body = f"""{START} return quiz.questions(now, line).filter(({{kind, node}}) => kind === 'slope' && node === 0)
      .map(q => [q.at, quiz.ask(now, q), quiz.solution(now, line, q).join(' = ')]);"""
    assert plain(run_page(ag.explore(fan_out()), body)) == [
        [
            6,
            "What is dz/dx, once all 2 edges have passed on their contributions?",
            "dz/dx = ∂z/∂x + dz/ds · ∂s/∂x = s + 3 · y = −6 + 3 · (−2) = −12",
        ]
    ]


def test_the_questions_of_forward_mode_and_of_another_output() -> None:
    body = """const now = engine.run({leaf: 2}), line = engine.timeline(now, 'forward');
      const inner = engine.run({output: 4}), other = engine.timeline(inner);
      return [quiz.questions(now, line).map(q => [q.kind, quiz.ask(now, q)]),
              quiz.questions(inner, other).map(q => quiz.ask(inner, q))];"""
    forward, inner = plain(run_page(ag.explore(formula()), body))
    assert [ask for kind, ask in forward if kind == "tangent"] == ["What is du/dc?", "What is dv/dc?", "What is dJ/dc?"]
    assert {kind for kind, _ in forward} == {"next", "value", "tangent"}
    assert [ask for ask in inner if ask.startswith("What is dv")] == ["What is dv/db?", "What is dv/dc?"]
    assert not any("J" in ask for ask in inner)


def test_after_an_arrow_straight_to_the_output_the_derivative_is_not_asked_again() -> None:
    """Unless the arrow is one of several that leave the node."""
    body = f"""{START} return quiz.all(now, line).filter(({{kind}}) => ['arrow', 'slope'].includes(kind))
      .map(q => quiz.ask(now, q));"""
    graphs = [ag.expression("J = a*b", a=2, b=3), ag.expression("J = a*a", a=2)]
    product, square = plain(run_pages([ag.explore(J) for J in graphs], body))
    assert product == [f"What is the local derivative ∂J/∂{x}, on the arrow from {x} to J?" for x in "ab"]
    assert square == [
        "What is the local derivative ∂J/∂a, on arrow 1 of 2 from a to J?",
        "What is the local derivative ∂J/∂a, on arrow 2 of 2 from a to J?",
        "What is dJ/da, once all 2 edges have passed on their contributions?",
    ]


def stopped() -> Value:
    """Return y = r x with r = stop_gradient(3x), whose rule leaves out a way from x to y."""
    return ag.expression("t = 3*x; r = stop_gradient(t); y = r*x", x=2)


def test_the_questions_of_a_graph_that_stops_a_derivative() -> None:
    """No question asks for an arrow that passes nothing on, and no hint speaks of a move along all arrows."""
    body = """return ['reverse', 'forward'].map(mode => {
      const now = engine.run(), line = engine.timeline(now, mode);
      return quiz.all(now, line).filter(q => !['next', 'value'].includes(q.kind))
        .map(q => [quiz.ask(now, q), quiz.solution(now, line, q).join(' = ')]);
    });"""
    reverse, forward = plain(run_page(ag.explore(stopped()), body))
    assert reverse == [
        ["What is the local derivative ∂y/∂r, on the arrow from r to y?", "∂y/∂r = x = 2"],
        ["What is the local derivative ∂y/∂x, on the arrow from x to y?", "∂y/∂x = r = 6"],
    ]
    assert forward == [["What is dt/dx?", "dt/dx = ∂t/∂x = 3"], ["What is dy/dx?", "dy/dx = ∂y/∂x = r = 6"]]
    found = verdicts(ag.explore(stopped()), "tangent", "y", ["6", "r", "77"], FORWARD)
    assert found[:2] == [[True, "", "Right.", ""]] * 2
    assert found[2] == [False, "not yet", "Not yet", ""]
    longer = ag.explore(stopped() * 2)  # y passes 2 on
    found = verdicts(longer, "slope", "x", ["12", "77"])
    assert found == [[True, "", "Right.", ""], [False, "not yet", "Not yet", ""]]


def test_a_leaf_has_no_questions() -> None:
    assert run_page(ag.explore(Value(2.0, "x"), quiz=True), f"{START} return quiz.questions(now, line)") == []
    with pytest.raises(ValueError, match=r"^quiz: there is nothing to ask of a leaf; give a Value that was computed$"):
        ag.quiz(Value(2.0, "x"))


def test_a_seed_chooses_among_many_questions() -> None:
    body = f"""{START} const every = quiz.all(now, line).length;
      const chosen = seed => quiz.questions(now, line, {{seed}}).map(({{kind, at}}) => `${{kind}} ${{at}}`);
      return [every, chosen(1), chosen(1), chosen(2), quiz.questions(now, line).map(({{at}}) => at),
              quiz.questions(now, line, {{most: 1000}}).length];"""
    every, first, again, other, order, all_of_them = run_page(ag.explore(net_cost()), body)
    assert every == all_of_them > 24
    assert len(first) == len(other) == 24
    assert first == again != other
    assert order == sorted(order)


# What is read.


def read(texts: list[str], output: Value | None = None) -> list[Any]:
    """Return the number that each answer stands for, or None where it is not understood."""
    body = f"""{START} const answers = makeAnswers(engine), every = answers.vocabularyOf(now, () => true);
      return {json.dumps(texts)}.map(text => answers.parse(text, every).value?.(now) ?? null);"""
    found: list[Any] = run_page(ag.explore(formula() if output is None else output), body)
    return found


def test_numbers_and_short_formulas_are_read() -> None:
    expected = {
        "6": 6,
        "∞": math.inf,
        "-inf": -math.inf,
        "2π": 2 * math.pi,
        " −3 ": -3,
        "–3": -3,
        "+7": 7,
        "1/3": 1 / 3,
        "6:3": 2,
        "0,5": 0.5,
        ".5": 0.5,
        "5.": 5,
        "1e3": 1000,
        "2E-1": 0.2,
        "1.5·10^−3": 0.0015,
        "2c": 4,
        "2 c": 4,
        "3*b": 9,
        "3·2": 6,
        "3×2": 6,
        "-c": -2,
        "--3": 3,
        "2*-3": -6,
        "2--3": 5,
        "bc": 6,
        "b c": 6,
        "abc": 30,
        "c^2": 4,
        "c**2": 4,
        "-c^2": -4,
        "2^-1": 0.5,
        "2^3^2": 512,
        "2-3-4": -5,
        "8/4/2": 1,
        "2(c+1)": 6,
        "(a)(b)": 15,
        "a(b - c)": 5,
        "((a))": 5,
        "du/db": 2,
        "dJ/du*c": 6,
        "dJ/du·du/db": 6,
        "dJ/dJ": 1,
        "J": 33,
        "(" * 40 + "1" + ")" * 40: 1,
    }
    assert read(list(expected)) == pytest.approx(list(expected.values()))


def test_functions_are_read() -> None:
    f = ag.expression("y = sigmoid(x)*log(x) + s", x=0.5, s=2)
    texts = ["sigmoid(x)", "σ(x)", "ln(x)", "log(x)", "exp(-x)", "2sin(x)cos(x)", "sqrt(x)^2", "tanh (x + s)", "s(x)"]
    sigmoid = 1 / (1 + math.exp(-0.5))
    numbers = [sigmoid, sigmoid, math.log(0.5), math.log(0.5), math.exp(-0.5), math.sin(1), 0.5, math.tanh(2.5), 1]
    assert read(texts, f) == pytest.approx(numbers)
    assert keys(ag.explore(f), "slope", "x", ["σ(x)(1-σ(x))log(x) + σ(x)/x"]) == ["right"]


def test_functions_need_no_brackets() -> None:
    f = ag.expression("t = 2*x + y; z = t*x", x=0.5, y=3)
    expected = {
        "ln x": math.log(0.5),
        "3 ln 2": 3 * math.log(2),
        "cos 2x": math.cos(1),
        "sin xy": math.sin(1.5),
        "sin x cos y": math.sin(0.5) * math.cos(3),
        "ln x (1 - y)": -2 * math.log(0.5),
        "sin x^2": math.sin(0.25),
        "sin^2 x + cos²(x)": 1,
        "√x": math.sqrt(0.5),
        "√2x": math.sqrt(2) / 2,
        "√(2x)": 1,
        "e^-x": math.exp(-0.5),
        "1/(1 + e^(-x))": 1 / (1 + math.exp(-0.5)),
        "⌊7.5/y⌋": 2,
        "floor(x) + ceil(x) + sign(-x)": 0,
        "relu(-x) + relu(y)": 3,
    }
    assert read(list(expected), f) == pytest.approx(list(expected.values()))
    assert read(["sin", "sin -x", "sin^-1(x)", "sin⁻¹(x)", "sinx", "e", "1e", "e2"], f) == [None] * 8
    assert read(["e^2", "2e^2", "ef"], ag.expression("e*f", e=3, f=5)) == [9, 18, 15]


def test_small_digits_are_read() -> None:
    f = ag.expression("w1*x1 + w1**2", w1=2, x1=3)
    assert read(["w₁", "w₁²", "x₁ w₁", "2w₁³", "10⁻²", "x₁¹⁰"], f) == pytest.approx([2, 4, 6, 16, 0.01, 3**10])
    odd = Value(2.0, "x₁") * Value(5.0, "W_{12}^[2](3)")
    assert read(["x₁", "x1", "W₁₂^[2](3)", "W12^[2](3)"], odd) == [2, 2, 5, 5]


def test_what_stands_at_an_arrow_is_read() -> None:
    assert read(["∂u/∂b"]) == [2]  # as the arrow from b to u has it
    assert read(["∂z/∂x", "dz/ds*∂s/∂x"], fan_out()) == [-6, -6]


def test_a_name_is_read_as_it_is_shown_and_as_it_is_typed() -> None:
    f = ag.expression("w1*x1 + w1**2", w1=2, x1=3)
    assert read(["w1", "2x1", "w1x1", "w1^2", "w1*x1 + 1"], f) == [2, 6, 6, 4, 7]
    odd = Value(2.0, "W_{11}^[1]") * Value(5.0, "learning rate")
    assert read(["W11[1]", "W_{11}^[1]", "W11[1]*learning rate"], odd) == [2, 2, 10]


RUBBISH = [
    *[
        "",
        " ",
        "x",
        "a+",
        "(a",
        "a)",
        "*",
        "1e",
        "()",
        "a**",
        "a%2",
        "sinus(a)",
        "sin",
        "Infinity",
        "1_000",
        "?",
    ],
    *[
        "1,5,2",
        "０",
        "²",
        "a b c d",
        "alert(1)",
        "now.values",
        "constructor",
        "constructor(a)",
        "toString(a)",
        "__proto__",
        "a;b",
        "a=5",
        "∂",
    ],
    *["9" * 201, "(" * 150, "(" * 90 + "1" + ")" * 90, "1+" * 99, "-" * 199, "((((a*" * 30, "^" * 150],
    *["a(" * 99, "a" * 199 + "!", "1^" * 99, " " * 10_000, "(a)" * 66 + ")"],
]


def test_rubbish_is_refused_at_once() -> None:
    assert dict(zip(RUBBISH, read(RUBBISH), strict=True)) == dict.fromkeys(RUBBISH)


def test_two_numbers_side_by_side_are_no_product() -> None:
    assert read(["1.5.2", "1..2", "1 2", "1 000"]) == [None] * 4


def test_long_answers_that_are_right_are_read_at_once() -> None:
    assert read(["a" * 199, "-" * 198 + "1", "1^" * 99 + "1"]) == pytest.approx([5.0**199, 1, 1])


# What is right.

MANY = st.lists(dags(max_steps=8), min_size=3, max_size=5)
SLOW = settings(max_examples=examples(10), suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(MANY)
def test_right_answers_are_right_and_wrong_ones_are_not(graphs: list[Dag]) -> None:
    body = """return ['reverse', 'forward'].flatMap(mode => {
      const now = engine.run({leaf: engine.leaves.at(-1)}), line = engine.timeline(now, mode);
      const isRight = (q, text) => quiz.check(now, line, q, text).right;
      const other = e => facts.nodes[engine.edges[e].user].edges.map(k => facts.nodes[engine.edges[k].parent].plain);
      return quiz.all(now, line).map(q => {
        if (q.kind === 'next') {
          const names = quiz.ready(now, line, q.at - 1).map(i => facts.nodes[i].plain);
          const others = facts.nodes.map(({plain}) => plain).filter(name => !names.includes(name));
          return [q.kind, names.every(name => isRight(q, name)), others.some(name => isRight(q, name)), ''];
        }
        const x = quiz.answer(now, q), wrong = x + 0.5 + Math.abs(x) / 10;
        const texts = [x.toPrecision(17), engine.format(x).replace('<sup>', '^').replace('</sup>', '')];
        if (!Number.isInteger(x)) texts.push(x.toPrecision(3));
        return [q.kind, texts.every(text => isRight(q, text)),
                isRight(q, String(wrong)) || isRight(q, String(2 * x - wrong)), texts.join(' ')];
      });
    });"""

    def graph(dag: Dag) -> Value:
        f: Value = dag(dag.values())
        return f

    asked = 0
    for found in run_pages([ag.explore(graph(dag)) for dag in graphs], body):
        for kind, right, wrong, texts in found:
            assert right, (kind, texts)
            assert not wrong, (kind, texts)
            asked += 1
    assert asked > 4 * len(graphs)


def verdicts(page: Explorer, kind: str, subject: str, answers: list[str], how: str = "") -> list[Any]:
    """Return what is said to answers to a question: whether it is right, the diagnosis, the title, the text.

    The title of one that is right for these numbers alone stands for its diagnosis.
    """
    start = how or START
    body = f"""{start}
      const text = markup => markup.replace(/<[^>]*>/g, '');
      const about = q => q.edge === undefined || q.kind === 'slope' ? facts.nodes[q.node].plain
        : text(engine.edges[q.edge].partial);
      const q = quiz.all(now, line).find(q => q.kind === {json.dumps(kind)} && about(q) === {json.dumps(subject)});
      return {json.dumps(answers)}.map(given => {{
        const {{right, key, title, text}} = quiz.check(now, line, q, given);
        return [right, right && title !== 'Right.' ? title : key ?? '', title, text];
      }});"""
    found: list[Any] = plain(run_page(page, body))
    return found


def keys(page: Explorer, kind: str, subject: str, answers: list[str], how: str = "") -> list[str]:
    """Return the diagnosis of each answer; of a right one, "right", or "here" if it is so by these numbers alone."""
    return [
        {"": "right"}.get(key, "here") if right else key
        for right, key, _, _ in verdicts(page, kind, subject, answers, how)
    ]


def told(page: Explorer, kind: str, subject: str, answers: list[str], how: str = "") -> list[list[str]]:
    """Return for wrong answers the diagnosis and what is said: the title and the advice."""
    found = verdicts(page, kind, subject, answers, how)
    assert [right for right, *_ in found] == [False] * len(answers)
    return [x[1:] for x in found]


def test_formulas_are_right_where_they_hold_for_all_leaves() -> None:
    page = ag.explore(formula())
    right = ["6", "3c", "3*c", "dJ/du*c", "dJ/dv * dv/du * du/db", "dJ/du·du/db", "c+2c", "3(c)", "6c/2"]
    assert keys(page, "slope", "b", right) == ["right"] * len(right)
    assert keys(page, "value", "u", ["b*c", "bc", "6"]) == ["right"] * 3
    assert keys(page, "arrow", "∂u/∂b", ["c", "u/b"]) == ["right"] * 2


def test_a_formula_is_compared_at_leaves_that_tell_it_apart() -> None:
    page = ag.explore(ag.expression("J = a*b", a=2, b=4))
    assert keys(page, "arrow", "∂J/∂a", ["b", "2a"]) == ["right", "here"]


def test_a_formula_that_is_right_for_these_numbers_alone_is_accepted_and_told() -> None:
    page = ag.explore(formula())
    assert keys(page, "slope", "b", ["u", "2b", "a+1", "b+3", "dJ/du*2b/b"]) == ["here"] * 5
    ((right, _, title, text),) = verdicts(page, "slope", "b", ["2b"])
    assert right is True
    assert title == "Right for these numbers"
    assert text == "With other leaves your formula gives another number than dJ/db."
    told_of = {("value", "u", "2b"): "u", ("arrow", "∂u/∂b", "b-1"): "∂u/∂b", ("slope", "a", "b"): "dJ/da"}
    for (kind, subject, formula_), name in told_of.items():
        ((right, _, title, text),) = verdicts(page, kind, subject, [formula_])
        assert [right, title] == [True, "Right for these numbers"]
        assert text == f"With other leaves your formula gives another number than {name}."
    ((right, _, title, text),) = verdicts(page, "tangent", "v", ["b - 2"], FORWARD)  # in a
    assert [right, title] == [True, "Right for these numbers"]
    assert text == "With other leaves your formula gives another number than dv/da."


def test_derivatives_of_another_output_are_its_own() -> None:
    how = "const now = engine.run({output: 4}), line = engine.timeline(now);"  # v
    page = ag.explore(formula())
    assert keys(page, "slope", "b", ["dv/du*c", "c", "2", "dv/dv * c"], how) == ["right"] * 4
    ((right, *_),) = verdicts(page, "slope", "b", ["dJ/du*c"], how)  # is 6, and dv/db is 2
    assert not right


def test_rounded_answers_are_right() -> None:
    page = ag.explore(ag.expression("y = a/b; z = y*7", a=1, b=3))
    assert keys(page, "value", "y", ["0.33", "0,333", "1/3", "0.3333", "a/b", "0.34"]) == ["right"] * 5 + ["not yet"]
    assert keys(page, "value", "z", ["2.33", "7/3", "2.4"]) == ["right", "right", "not yet"]
    assert keys(ag.explore(formula()), "value", "J", ["33", "33.0", "33.1"]) == ["right", "right", "not yet"]


@pytest.mark.parametrize("infinite", ["∞", "inf", "-inf", "1/0", "-1/0", "1e999"])
def test_no_finite_number_is_infinite(infinite: str) -> None:
    """The distance from a number to infinity is no larger than any share of infinity."""
    page = ag.explore(formula())
    assert not any(verdict[0] for verdict in verdicts(page, "slope", "b", [infinite]))
    pole = ag.explore(ag.expression("y = sqrt(x)", x=0))  # dy/dx = ∞
    found = verdicts(pole, "arrow", "∂y/∂x", [infinite, "0", "1e300", "-5"])
    assert [verdict[0] for verdict in found] == [not infinite.startswith("-"), False, False, False]


def test_zero_is_not_the_derivative_of_another_node() -> None:
    page = ag.explore(ag.expression("J = 0*a + 2*b", a=3, b=5))
    assert "other slope" not in keys(page, "slope", "b", ["0"])


def test_one_or_two_digits_are_too_few() -> None:
    page = ag.explore(ag.expression("y = a/b; z = y*7", a=1, b=3))
    close = ["coarse", "Close: give three digits", "A number that is not whole may be rounded, but not so much."]
    assert told(page, "value", "y", ["0.3"]) == [close]
    assert told(page, "value", "z", ["2.3", "2"]) == [close] * 2
    negative = ag.explore(ag.expression("y = a/b", a=-40, b=7))  # −5.714
    assert keys(negative, "value", "y", ["-5.7", "-6", "-5"]) == ["right", "coarse", "not yet"]


def test_a_whole_number_is_not_close_where_it_is_wrong() -> None:
    """Of 11 or 33 no digit may be given up."""
    page = ag.explore(formula())
    assert keys(page, "value", "v", ["10"]) == keys(page, "value", "J", ["30"]) == ["not yet"]


@pytest.mark.parametrize("precision", [1, 2])
def test_few_digits_where_the_page_itself_shows_few(precision: int) -> None:
    """What the page writes for a number is an answer."""
    graphs = [
        ag.expression("y = a/b; z = y*7", a=1, b=3),
        ag.expression("p = sigmoid(w*x + b); L = -log(p) + 0.01*w**2", w=2, x=-0.5, b=0.1),
        net_cost(),
    ]
    found = run_pages([ag.explore(f, precision=precision) for f in graphs], AS_SHOWN)
    assert all(len(of_graph) >= 9 for of_graph in found)
    assert [x for of_graph in found for x in of_graph if not x[0]] == []


AS_SHOWN = """return ['reverse', 'forward'].flatMap(mode => {
  const now = engine.run(), line = engine.timeline(now, mode);
  return quiz.all(now, line).filter(({kind}) => kind !== 'next' && !(mode === 'forward' && kind === 'value'))
    .map(q => {
      const shown = engine.format(quiz.answer(now, q)).replace('<sup>', '^').replace('</sup>', '');
      return [quiz.check(now, line, q, shown).right, shown];
    });
});"""


def test_a_large_number_as_the_page_itself_shows_it() -> None:
    f = ag.expression("y = a*b", a=127, b=-345.75)
    for precision, shown in ((1, "−4·10^4"), (2, "−4.4·10^4"), (4, "−4.391·10^4")):
        found = run_page(ag.explore(f, precision=precision), AS_SHOWN)
        assert found[0] == [True, shown]


# What is said to a wrong answer.

SIGN = "The size is right, the sign is not"
MOVE = "By how many thousandths does {} move?"


def test_a_wrong_value() -> None:
    page = ag.explore(ag.expression("u = b*c; J = u + a", a=5, b=7, c=4))
    assert told(page, "value", "u", ["11", "3", "1.75", "7", "5", "-28", "77"]) == [
        ["add", "Did you add?", "The operation is bc."],
        ["subtract", "Did you subtract?", "The operation is bc."],
        ["divide", "Did you divide?", "The operation is bc."],
        ["operand", "That is b", "The operation bc is missing."],
        ["operand", "That is a", "The operation bc is missing."],
        ["sign", SIGN, "Check the sign of each part of bc."],
        ["not yet", "Not yet", "Put the numbers into bc."],
    ]
    difference = ag.explore(ag.expression("y = a - b", a=2, b=5))
    assert told(difference, "value", "y", ["7", "10"]) == [
        ["add", "Did you add?", "The operation is a − b."],
        ["multiply", "Did you multiply?", "The operation is a − b."],
    ]
    quotient = ag.explore(ag.expression("y = a/b", a=2, b=5))
    assert told(quotient, "value", "y", ["2.5", "-3", "10"]) == [
        ["exchange", "Did you exchange the operands?", "The operation is a/b."],
        ["subtract", "Did you subtract?", "The operation is a/b."],
        ["multiply", "Did you multiply?", "The operation is a/b."],
    ]
    assert keys(quotient, "value", "y", ["0.4", "2/5"]) == ["right", "right"]
    assert told(ag.explore(fan_out()), "value", "s", ["6", "1", "3"]) == [  # xy = 3 · (−2)
        ["sign", SIGN, "Check the sign of each part of xy."],
        ["add", "Did you add?", "The operation is xy."],
        ["operand", "That is x", "The operation xy is missing."],
    ]


def test_the_operands_of_a_difference_are_exchanged() -> None:
    """No sign in a − b is wrong where b − a is given, so that nobody finds one by looking at each part."""
    page = ag.explore(ag.expression("y = a - b", a=2, b=5))
    assert told(page, "value", "y", ["3"]) == [
        ["exchange", "Did you exchange the operands?", "The operation is a − b."]
    ]


def test_a_wrong_local_derivative(J: Value) -> None:
    hold = "Try it: move b by 0.001 on this arrow alone, and hold the other operands of u fixed. "
    page = ag.explore(J)
    assert told(page, "arrow", "∂u/∂b", ["4", "8", "-2", "17"]) == [
        ["other factor", "That is the local derivative with respect to c", "Hold c fixed, and move b alone."],
        ["value not slope", "That is the value of u", "The question is how fast u changes with b."],
        ["sign", SIGN, "Check the sign of each part of c."],
        ["not yet", "Not yet", hold + MOVE.format("u")],
    ]
    assert told(page, "arrow", "∂v/∂a", ["5", "13", "-1"]) == [
        ["value not slope", "That is the value of a", "The question is how fast v changes with a."],
        ["value not slope", "That is the value of v", "The question is how fast v changes with a."],
        ["sign", SIGN, ""],
    ]
    assert keys(page, "arrow", "∂u/∂b", ["6"]) == ["not yet"]  # dJ/db, which is not known yet
    assert keys(page, "arrow", "∂u/∂b", ["2", "c"]) == ["right", "right"]
    difference = ag.explore(ag.expression("d = a - b; J = 3*d", a=7, b=2))
    assert told(difference, "arrow", "∂d/∂b", ["1", "2", "5"]) == [
        ["sign", SIGN, ""],  # the other local derivative, too: the sign is what went wrong
        ["value not slope", "That is the value of b", "The question is how fast d changes with b."],
        ["value not slope", "That is the value of d", "The question is how fast d changes with b."],
    ]


def test_the_other_operand_of_a_quotient_is_no_factor() -> None:
    """What is said of a product may not be said of other operations."""
    page = ag.explore(ag.expression("q = a/b; J = 3*q", a=6, b=2))  # ∂q/∂a = 1/2, ∂q/∂b = −3/2
    assert told(page, "arrow", "∂q/∂a", ["-1.5", "-0.5"]) == [
        ["other factor", "That is the local derivative with respect to b", "Hold b fixed, and move a alone."],
        ["sign", SIGN, "Check the sign of each part of 1/b."],
    ]
    assert told(page, "arrow", "∂q/∂b", ["0.5", "1.5"]) == [
        ["other factor", "That is the local derivative with respect to a", "Hold a fixed, and move b alone."],
        ["sign", SIGN, "Check the sign of each part of (−q)/b."],
    ]


PRODUCT = "Along a path the numbers are multiplied. They are added only where paths meet."
QUOTIENT = "The chain rule multiplies: each arrow scales the number that crosses it."


def test_a_wrong_derivative(J: Value) -> None:
    exchanged = "Exchanged local derivatives give this number. The right one is ∂u/∂b = c."
    arrived = "It must be multiplied by dJ/du = 3, which has already arrived."
    crosses = "It has not crossed the arrow yet. Multiply it by the local derivative ∂u/∂b."
    answers = ["12", "2", "3", "5", "1.5", "2/3", "4", "-6", "1", "77"]
    assert told(ag.explore(J), "slope", "b", answers) == [
        ["swapped", "Did you take the wrong factor?", exchanged],
        ["local alone", "That is only the local derivative ∂u/∂b", arrived],
        ["not crossed", "That is dJ/du", crosses],
        ["sum", "Did you add?", PRODUCT],
        ["quotient", "Did you divide?", QUOTIENT],
        ["quotient", "Did you divide?", QUOTIENT],
        ["value not slope", "That is the value of b", "The question is how fast J changes with b."],
        ["sign", SIGN, "Check the sign of each part of dJ/du · du/db."],
        ["other slope", "That is dJ/dJ", "The question is dJ/db."],
        ["not yet", "Not yet", "Try it: move b by 0.001. " + MOVE.format("J")],
    ]
    assert told(ag.explore(J), "slope", "a", ["1", "4"]) == [
        [
            "local alone",
            "That is only the local derivative ∂v/∂a",
            "It must be multiplied by dJ/dv = 3, which has already arrived.",
        ],
        ["sum", "Did you add?", PRODUCT],
    ]


def test_a_path_is_missing_or_was_overwritten() -> None:
    page = ag.explore(ag.expression("p = a*b; J = p + a", a=2, b=3))  # J passes 1 on to a, then p passes on 3
    assert told(page, "slope", "a", ["3", "1", "2"]) == [
        ["overwritten", "Did the last contribution overwrite the others?", f"Only one path is left: p. {ASSIGNED}"],
        ["missing path", "A path is missing", f"Left out: p. {ADDED.format(2)}"],
        [
            "mistake",
            "A wrong pass gives this number",
            "“Forget the local derivative: every node passes on its own derivative unchanged.” "
            "Run the pass with the right rule.",
        ],
    ]
    assert keys(page, "slope", "a", ["4"]) == ["right"]
    three = ag.explore(ag.expression("q = a*c; p = a*b; r = p + q; J = r + a", a=2, b=3, c=7))  # 1 + 7 + 3
    found = dict(zip("4 8 10 3".split(), told(three, "slope", "a", "4 8 10 3".split()), strict=True))
    assert found == {
        "4": ["missing path", "A path is missing", f"Left out: q. {ADDED.format(3)}"],
        "8": ["missing path", "A path is missing", f"Left out: p. {ADDED.format(3)}"],
        "10": [
            "missing path",
            "A path is missing",
            f"Left out: the direct arrow to J. {ADDED.format(3)}",
        ],
        "3": [
            "overwritten",
            "Did the last contribution overwrite the others?",
            f"Only one path is left: p. {ASSIGNED}",
        ],
    }
    for text, names in (("1", ["q", "p"]), ("7", ["the direct arrow to J", "p"])):
        ((key, _, advice),) = told(three, "slope", "a", [text])  # two ways are left out
        assert key == "missing path"
        assert all(name in advice for name in names)


ASSIGNED = "Where paths meet, their contributions add up: +=, not =."
ADDED = "Add the contributions of all {} edges."


def test_a_wrong_derivative_of_a_node_with_two_ways() -> None:
    """z = sx with s = xy: dz/dx = s + 3y = −6 − 6, where both parts are the same number."""
    page = ag.explore(fan_out())
    assert told(page, "slope", "x", ["-6", "12", "3", "-2", "77"]) == [
        ["overwritten", "Did the last contribution overwrite the others?", f"Only one path is left: s. {ASSIGNED}"],
        ["sign", SIGN, "Check the sign of each part of ∂z/∂x + dz/ds · ∂s/∂x."],
        [
            "not crossed",
            "That is dz/ds",
            "It has not crossed the arrow yet. Multiply it by the local derivative ∂s/∂x.",
        ],
        [
            "local alone",
            "That is only the local derivative ∂s/∂x",
            "It must be multiplied by dz/ds = 3, which has already arrived.",
        ],
        ["not yet", "Not yet", "Try it: move x by 0.001. " + MOVE.format("z")],
    ]
    assert told(page, "slope", "y", ["-9", "-2"]) == [
        ["sign", SIGN, "Check the sign of each part of dz/ds · ds/dy."],
        ["value not slope", "That is the value of y", "The question is how fast z changes with y."],
    ]


def test_a_node_that_is_used_twice_by_one_operation() -> None:
    page = ag.explore(ag.expression("s = x*x; J = 5*s", x=3))
    assert told(page, "slope", "x", ["15"]) == [
        ["one arrow", "Not all arrows are added", "Add the contributions of all 2 arrows from x to s."]
    ]
    assert told(page, "arrow", "∂s/∂x", ["6"]) == [
        ["parallel", "That is the sum over all arrows from x to s", "The question is about one of them."]
    ]
    assert keys(page, "arrow", "∂s/∂x", ["3"]) == ["right"]
    asked = run_page(page, f"{START} return quiz.all(now, line).map(q => quiz.ask(now, q))")
    assert [ask for ask in plain(asked) if "of 2 from" in ask] == [
        "What is the local derivative ∂s/∂x, on arrow 1 of 2 from x to s?",
        "What is the local derivative ∂s/∂x, on arrow 2 of 2 from x to s?",
    ]


def test_the_arrows_are_named_by_their_ends() -> None:
    square = ag.explore(ag.expression("y = x*x", x=3))
    arrows = "Add the contributions of all 2 arrows from x to y."
    assert [text for _, _, text in told(square, "slope", "x", ["3", "x"])] == [arrows] * 2
    in_forward_mode = told(square, "tangent", "y", ["3"], FORWARD)
    assert in_forward_mode == [["one arrow", "Not all arrows are added", arrows]]


def test_the_arrows_to_a_user_are_those_that_are_counted() -> None:
    """Two of the three edges of x lead to s = x·x, the third to J = s + x."""
    page = ag.explore(ag.expression("s = x*x; J = s + x", x=3))
    ((key, title, text),) = told(page, "slope", "x", ["4"])
    assert [key, title] == ["one arrow", "Not all arrows are added"]
    assert text == "Add the contributions of all 2 arrows from x to s."


def test_a_forgotten_minus() -> None:
    page = ag.explore(ag.expression("d = -2*b + a; J = 3*d", a=7, b=5))
    assert told(page, "slope", "b", ["6"]) == [["sign", SIGN, "Check the sign of each part of dJ/dt1 · dt1/db."]]
    difference = ag.explore(ag.expression("d = a - b; J = 3*d", a=7, b=2))
    assert told(difference, "slope", "b", ["3", "-1"]) == [
        ["sign", SIGN, "Check the sign of each part of dJ/dd · dd/db."],
        [
            "local alone",
            "That is only the local derivative ∂d/∂b",
            "It must be multiplied by dJ/dd = 3, which has already arrived.",
        ],
    ]
    assert keys(difference, "slope", "b", ["-3"]) == keys(difference, "slope", "a", ["3"]) == ["right"]


def test_a_minus_too_much_in_a_difference() -> None:
    """A difference has no factors that somebody could take for each other."""
    difference = ag.explore(ag.expression("d = a - b; J = 3*d", a=7, b=2))
    ((_, title, _),) = told(difference, "slope", "a", ["-3"])
    assert title == SIGN


def test_the_derivative_of_another_node() -> None:
    page = ag.explore(ag.expression("J = a*b + c*d", a=2, b=4, c=5, d=7))  # those of c and d come first
    assert told(page, "slope", "a", ["7"]) == [["other slope", "That is dJ/dc", "The question is dJ/da."]]
    assert keys(page, "slope", "c", ["4"]) == ["not yet"]  # dJ/da, which is not known yet


@pytest.mark.parametrize(
    "name", [name for name in MISTAKES if name in ("as they come", "no local derivative", "swapped factors")]
)
def test_each_wrong_pass_is_told(name: str) -> None:
    """Where a wrong pass gives another number at a leaf, the answer is refused with a reason."""
    J = ag.expression("p = a*b; q = p*c; r = p*q; J = r - d*p", a=2, b=7, c=3, d=11)
    wrong = MISTAKES[name](J).run(J)
    (b,) = [node for node in ag.topological_order(J) if node.label == "b"]
    ((is_right, key, _, _),) = verdicts(ag.explore(J), "slope", "b", [repr(wrong[b])])
    assert not is_right
    assert key not in ("", "not yet")


def test_a_wrong_tangent(J: Value) -> None:
    how = "const now = engine.run({leaf: 2}), line = engine.timeline(now, 'forward');"
    page = ag.explore(J)
    crosses = "It has not crossed the arrow yet. Multiply it by the local derivative {}."
    assert keys(page, "tangent", "J", ["12", "3*b", "3c"], how) == ["right", "right", "not yet"]
    assert told(page, "tangent", "J", ["3", "4", "7", "0.75", "4/3", "39", "-12", "77"], how) == [
        [
            "local alone",
            "That is only the local derivative ∂J/∂v",
            "It must be multiplied by dv/dc = 4, which has already arrived.",
        ],
        ["not crossed", "That is dv/dc", crosses.format("∂J/∂v")],
        ["sum", "Did you add?", PRODUCT],
        ["quotient", "Did you divide?", QUOTIENT],
        ["quotient", "Did you divide?", QUOTIENT],
        ["value not slope", "That is the value of J", "The question is how fast J changes with c."],
        ["sign", SIGN, "Check the sign of each part of dJ/dv · dv/dc."],
        ["not yet", "Not yet", "Try it: move c by 0.001. " + MOVE.format("J")],
    ]
    assert told(page, "tangent", "u", ["3", "1"], how) == [
        ["other slope", "That is dJ/du", "The question is du/dc."],
        ["not crossed", "That is dc/dc", crosses.format("∂u/∂c")],
    ]
    assert keys(page, "tangent", "u", ["b", "4"], how) == ["right", "right"]


def test_a_path_is_missing_in_forward_mode() -> None:
    page = ag.explore(ag.expression("p = a*b; J = p + a", a=2, b=3))
    assert told(page, "tangent", "J", ["3"], FORWARD) == [
        ["missing path", "A path is missing", "Left out: a. Add the contributions of all 2 edges."]
    ]
    assert keys(page, "tangent", "J", ["4"], FORWARD) == ["right"]


def test_nothing_is_said_of_users_in_forward_mode() -> None:
    """There the parts of a sum come from the operands of a node; how many users it has does not matter."""
    page = ag.explore(ag.expression("p = a*b; J = p + a", a=2, b=3))  # J has no user
    ((_, _, text),) = told(page, "tangent", "J", ["1"], FORWARD)
    assert "several users" not in text


def test_what_is_not_understood_is_quoted_as_text() -> None:
    found = verdicts(ag.explore(formula()), "value", "u", ["<img src=x onerror=alert(1)>", "hm?", ""])
    assert [x[:3] for x in found] == [[False, "", "Write a number or a short formula"]] * 3
    assert found[1][3] == "Such as 6, 1/3, 2a. Not understood: hm?"
    body = f"{START} return quiz.check(now, line, quiz.all(now, line)[1], '<img src=x onerror=alert(1)>\"').text"
    assert "<img" not in run_page(ag.explore(formula()), body)


def test_what_is_not_known_yet_and_what_is_no_answer_are_no_tries() -> None:
    page = ag.explore(formula())
    unknown = [False, "", "That is not known yet", "Use numbers, and the names of numbers that the picture shows."]
    assert verdicts(page, "value", "u", ["u", "J", "dJ/db"]) == [unknown] * 3
    assert verdicts(page, "slope", "b", ["dJ/db", "3*du/dc"]) == [unknown] * 2
    body = f"""{START} const q = quiz.all(now, line).find(({{kind}}) => kind === 'value');
      const next = quiz.all(now, line)[0];
      return [['hm?', '', 'J', '7', '6'].map(text => Boolean(quiz.check(now, line, q, text).isUnread)),
              ['zz', '', 'J', 'b', 'u'].map(text => Boolean(quiz.check(now, line, next, text).isUnread))];"""
    assert run_page(page, body) == [[True, True, True, False, False], [True, True, False, False, False]]


# The next node.


def chosen(output: Value, which: int, answers: list[Any]) -> list[Any]:
    """Return what is said to answers to the questions for the next node."""
    body = f"""{START} const q = quiz.all(now, line).filter(({{kind}}) => kind === 'next')[{which}];
      return {json.dumps(answers)}.map(given => {{
        const {{right, title, text}} = quiz.check(now, line, q, given);
        return [right, title, text];
      }});"""
    found: list[Any] = plain(run_page(ag.explore(output), body))
    return found


def waits(node: str, *missing: str, phase: str = "values") -> list[Any]:
    names = ", ".join(missing)
    values = phase == "values"
    why = (
        f"It is computed from other nodes. Still missing: {names}."
        if values
        else f"First, {names} must pass a derivative to it."
    )
    return [False, f"{node} has to wait", why]


RIGHT = [True, "Right.", ""]
NO_NODE = [False, "That is no node of this graph", "Type a name from a box, or choose the box."]
KNOWN = [False, "b is known already", "Look for a box with a question mark."]
HANDED_ON = [
    False,
    "J has passed on its derivative already",
    "Look for a node whose derivative is complete, and not passed on yet.",
]


def test_the_next_node_of_the_values() -> None:
    assert chosen(formula(), 0, ["u", "v", "J", "b", "zz", "", 3, 4, "<i>u</i>"]) == [
        RIGHT,
        waits("v", "u"),
        waits("J", "v"),
        KNOWN,
        NO_NODE,
        NO_NODE,
        RIGHT,
        waits("v", "u"),
        NO_NODE,
    ]


def test_the_next_node_of_the_derivatives() -> None:
    assert chosen(formula(), 3, ["v", "u", "b", "J", "a"]) == [
        RIGHT,
        waits("u", "v", phase="reverse"),
        waits("b", "u", phase="reverse"),
        HANDED_ON,
        waits("a", "v", phase="reverse"),
    ]


def test_another_order_is_right_too() -> None:
    f = ag.expression("p = a*b; q = c*d; r = p*q; J = r + p", a=2, b=3, c=4, d=5)
    assert chosen(f, 0, ["q", "p", "r", "J"]) == [
        [True, "Right. The page takes p first; both orders work.", ""],
        RIGHT,
        waits("r", "p", "q"),
        waits("J", "r", "p"),
    ]


def test_a_node_with_several_users_waits_for_all_of_them() -> None:
    f = ag.expression("p = a*b; q = p*c; J = p + q", a=2, b=4, c=3)
    assert chosen(f, 3, ["q", "p", "a", "J"]) == [
        RIGHT,
        waits("p", "q", phase="reverse"),
        waits("a", "p", phase="reverse"),
        HANDED_ON,
    ]


# All sentences.

GRAPHS = [
    "u = b*c; v = a + u; J = 3*v",
    "s = a*b; z = s*a",
    "d = a - b; J = 3*d",
    "q = a/b; J = q*c + a",
    "s = a*a; t = 2*s; J = t + a",
    "p = a*b; q = a*c; r = p + q; J = r + a",
]


def sentences() -> dict[str, list[str]]:
    """Return what is said to many answers to all questions of some graphs, by the diagnosis."""
    body = """return ['reverse', 'forward'].flatMap(mode => {
      const now = engine.run(), line = engine.timeline(now, mode);
      const numbers = [...new Set([...now.values, ...now.slopes, ...now.weights, ...now.tangents])];
      const pairs = numbers.flatMap(x => numbers.flatMap(y => [x + y, x - y, x * y, x / y])).concat(numbers, 77.7);
      const answers = [...new Set(pairs.flatMap(x => [x, -x]).filter(Number.isFinite))].map(String).concat('hm?', 'J');
      return quiz.all(now, line).flatMap(q => answers.concat(facts.nodes.map(({plain}) => plain)).map(text => {
        const {right, key, title, text: more} = quiz.check(now, line, q, text);
        return [right ? 'right' : key ?? '', `${quiz.ask(now, q)} ${title} ${more}`];
      }));
    });"""
    leaves = {"a": 2.0, "b": 5.0, "c": 7.0}
    pages = [
        ag.explore(ag.expression(text, **{name: x for name, x in leaves.items() if re.search(rf"\b{name}\b", text)}))
        for text in GRAPHS
    ]
    said: dict[str, set[str]] = {}
    for found in run_pages(pages, body):
        for key, text in found:
            said.setdefault(key, set()).add(text)
    return {key: sorted(texts) for key, texts in said.items()}


def test_every_diagnosis_is_given_to_some_answer_with_its_holes_filled() -> None:
    said = sentences()
    assert [text for texts in said.values() for text in texts if re.search(r"undefined|[{}]|NaN", text)] == []
    assert [kind for kind in KINDS if kind not in said] == []


# Sheets of one's own.


def test_a_seed_gives_other_leaves_and_the_same_graph() -> None:
    J = ag.expression("u = b*c; v = a + u; J = 3*tanh(v)", a=0.5, b=3, c=-2)
    page, again, other = ag.quiz(J, seed=7), ag.quiz(J, seed=7), ag.quiz(J, seed=8)
    held, plain_facts = facts(page), facts(ag.quiz(J))
    assert page.html == again.html
    assert page.html != other.html
    assert held["seed"] == 7
    for key in ("user", "parent", "shared", "symbol"):
        assert [edge[key] for edge in held["edges"]] == [edge[key] for edge in plain_facts["edges"]]
    assert [node["plain"] for node in held["nodes"]] == [node["plain"] for node in plain_facts["nodes"]]
    a, b, c = (node["value"] for node in held["nodes"][:3])
    assert (a, b, c) != (0.5, 3, -2)
    assert b != 3
    assert c != -2
    assert b == int(b) != 0 != int(c) == c
    assert float(f"{a:.2g}") == a
    assert held["nodes"][-1]["value"] == pytest.approx(3 * math.tanh(a + b * c))
    assert [node.data for node in ag.topological_order(J)[:3]] == [0.5, 3, -2]  # the graph is left as it was


@pytest.mark.parametrize("seed", range(5))
def test_other_leaves_are_in_the_domain(seed: int) -> None:
    f = ag.expression("y = log(a - b) + sqrt(c)/d + asin(e)", a=9, b=1, c=4, d=2, e=0.5)
    held = facts(ag.quiz(f, seed=seed))
    assert held["frozen"] == ""
    assert all(isinstance(node["value"], float) for node in held["nodes"])


def test_bad_seeds_are_refused() -> None:
    for seed in (1.0, "1", True, [1]):
        with pytest.raises(TypeError, match=r"^quiz: seed must be a whole number or None, not "):
            ag.quiz(formula(), seed=seed)  # type: ignore[arg-type]  # as a user might
    stale = formula()
    stale.parents[0].parents[0].data = 7.0
    with pytest.raises(ag.StaleGraphError):
        ag.quiz(stale, seed=1)
