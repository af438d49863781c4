"""The questions that a page asks: which they are, what it takes for an answer, and what it says to a wrong one."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from node import needs_node
from pages import facts, fan_out, formula, plain, run_page, run_pages
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import Explorer, Value, nn
from autograd_mini.mistakes import MISTAKES, sentence_of
from autograd_mini.pages.words import WORDS

pytestmark = needs_node

START = "const now = engine.run(), line = engine.timeline(now);"
CHOICE, HANDS_ON = WORDS["ask next values"], WORDS["ask next reverse"]


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
        ["arrow", "What is the local derivative dJ/dv, on the arrow from v to J?", "dJ/dv = 3"],
        ["slope", "What is dJ/dv?", "dJ/dv = 3"],
        ["next", HANDS_ON, "v"],
        ["arrow", "What is the local derivative dv/da, on the arrow from a to v?", "dv/da = 1"],
        ["slope", "What is dJ/da?", "dJ/da = dJ/dv · dv/da = 3 · 1 = 3"],
        ["arrow", "What is the local derivative dv/du, on the arrow from u to v?", "dv/du = 1"],
        ["slope", "What is dJ/du?", "dJ/du = dJ/dv · dv/du = 3 · 1 = 3"],
        ["arrow", "What is the local derivative du/db, on the arrow from b to u?", "du/db = c = 2"],
        ["slope", "What is dJ/db?", "dJ/db = dJ/du · du/db = 3 · c = 3 · 2 = 6"],
        ["arrow", "What is the local derivative du/dc, on the arrow from c to u?", "du/dc = b = 3"],
        ["slope", "What is dJ/dc?", "dJ/dc = dJ/du · du/dc = 3 · b = 3 · 3 = 9"],
    ]


def test_the_derivative_of_a_node_with_several_users_is_asked_for_once_all_have_handed_on() -> None:
    body = f"""{START} return quiz.questions(now, line).filter(({{kind, node}}) => kind === 'slope' && node === 0)
      .map(q => [q.at, quiz.ask(now, q), quiz.solution(now, line, q).join(' = ')]);"""
    assert plain(run_page(ag.explore(fan_out()), body)) == [
        [
            6,
            "What is dz/dx, when all its 2 edges have handed on?",
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
    assert [ask for ask in inner if ask.startswith("What is dv")] == ["What is dv/da?", "What is dv/du?", *INNER]
    assert not any("J" in ask for ask in inner)


INNER = ["What is dv/db?", "What is dv/dc?"]


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
                isRight(q, String(wrong)) || isRight(q, String(-wrong * 2)), texts.join(' ')];
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
    """Return what is said to answers to a question: whether it is right, the diagnosis, the title, the text."""
    start = how or START
    body = f"""{start}
      const text = markup => markup.replace(/<[^>]*>/g, '');
      const about = q => q.edge === undefined || q.kind === 'slope' ? facts.nodes[q.node].plain
        : text(facts.edges[q.edge].partial);
      const q = quiz.all(now, line).find(q => q.kind === {json.dumps(kind)} && about(q) === {json.dumps(subject)});
      return {json.dumps(answers)}.map(given => {{
        const {{right, key, title, text, chance}} = quiz.check(now, line, q, given);
        return [right, chance ? 'chance' : key ?? '', title, text];
      }});"""
    found: list[Any] = plain(run_page(page, body))
    return found


def keys(page: Explorer, kind: str, subject: str, answers: list[str], how: str = "") -> list[str]:
    """Return the diagnosis of each answer; of a right one, "right"."""
    return ["right" if right else key for right, key, _, _ in verdicts(page, kind, subject, answers, how)]


def test_formulas_are_right_where_they_hold_for_all_leaves() -> None:
    page = ag.explore(formula())
    right = ["6", "3c", "3*c", "dJ/du*c", "dJ/dv * dv/du * du/db", "dJ/du·du/db", "c+2c", "3(c)", "6c/2"]
    assert keys(page, "slope", "b", right) == ["right"] * len(right)
    assert keys(page, "slope", "b", ["u", "2b", "a+1", "b+3", "dJ/du*2b/b"]) == ["chance"] * 5
    ((_, _, title, text),) = verdicts(page, "slope", "b", ["2b"])
    assert [title, text] == said("right by chance", name="dJ/db")[1:]
    assert keys(page, "value", "u", ["b*c", "bc", "2b", "6"]) == ["right", "right", "chance", "right"]
    assert keys(page, "arrow", "∂u/∂b", ["c", "b-1", "u/b"]) == ["right", "chance", "right"]


def test_derivatives_of_another_output_are_its_own() -> None:
    how = "const now = engine.run({output: 4}), line = engine.timeline(now);"  # v
    page = ag.explore(formula())
    assert keys(page, "slope", "b", ["dv/du*c", "c", "2", "dv/dv * c"], how) == ["right"] * 4
    ((right, *_),) = verdicts(page, "slope", "b", ["dJ/du*c"], how)  # is 6, and dv/db is 2
    assert not right


def test_rounded_answers_are_right() -> None:
    page = ag.explore(ag.expression("y = a/b; z = y*7", a=1, b=3))
    assert keys(page, "value", "y", ["0.33", "0,333", "1/3", "0.3333", "a/b", "0.3"]) == ["right"] * 5 + ["not yet"]
    assert keys(page, "value", "z", ["2.33", "7/3", "2.3"]) == ["right", "right", "not yet"]
    assert keys(ag.explore(formula()), "value", "J", ["33", "33.0", "33.1"]) == ["right", "right", "not yet"]


# What is said to a wrong answer.


def said(key: str, more: str = "", **holes: Any) -> list[Any]:
    """Return what a wrong answer is told: the diagnosis, its title, and the advice."""
    return [key, WORDS[key].format(**holes), WORDS[more or f"{key} more"].format(**holes)]


def test_a_wrong_value() -> None:
    page = ag.explore(ag.expression("u = b*c; J = u + a", a=5, b=7, c=4))
    found = verdicts(page, "value", "u", ["11", "3", "1.75", "7", "5", "-28", "77"])
    assert [x[1:] for x in found] == [
        said("operation", verb="add", rule="bc"),
        said("operation", verb="subtract", rule="bc"),
        said("operation", verb="divide", rule="bc"),
        said("operand", node="b", rule="bc"),
        said("operand", node="a", rule="bc"),
        said("sign", rule="bc"),
        said("not yet", "try rule", rule="bc"),
    ]
    assert not any(x[0] for x in found)
    difference = ag.explore(ag.expression("y = a - b", a=2, b=5))
    assert keys(difference, "value", "y", ["7", "3", "10", "-3"]) == [*["operation"] * 3, "right"]


def test_a_wrong_local_derivative(J: Value) -> None:
    found = verdicts(ag.explore(J), "arrow", "∂u/∂b", ["4", "6", "8", "-2", "17"])
    assert [x[1:] for x in found] == [
        said("other factor", other="c", parent="b"),
        said("whole", slope="dJ/db", output="J", user="u", parent="b"),
        said("value not slope", node="u", of="u"),
        said("sign", rule="c"),
        said("not yet", "try arrow", leaf="b", node="u"),
    ]


def test_the_other_operand_of_a_quotient_is_no_factor() -> None:
    """What is said of a product may not be said of other operations."""
    page = ag.explore(ag.expression("q = a/b; J = 3*q", a=6, b=2))  # dq/da = 1/2, dq/db = −3/2
    ((_, key, _, text),) = verdicts(page, "arrow", "∂q/∂a", ["-1.5"])
    assert key == "other factor"
    assert "product" not in text


def test_a_wrong_derivative(J: Value) -> None:
    found = verdicts(ag.explore(J), "slope", "b", ["12", "2", "3", "5", "1.5", "2/3", "4", "-6", "1", "77"])
    edge, arrived = {"edge": "du/db"}, {"upstream": "dJ/du", "number": "3"}
    assert [x[1:] for x in found] == [
        said("swapped", **edge, rule="c"),
        said("local alone", **edge, **arrived),
        said("not crossed", **edge, **arrived),
        said("sum"),
        said("quotient"),
        said("quotient"),
        said("value not slope", node="b", of="J"),
        said("sign", rule="dJ/du · du/db"),
        said("mistake", does=sentence_of("no local derivative")),
        said("not yet", "try move", leaf="b", node="J"),
    ]


def test_a_path_is_missing_or_was_overwritten() -> None:
    page = ag.explore(ag.expression("p = a*b; J = p + a", a=2, b=3))  # J hands 1 on to a, then p hands on 3
    found = verdicts(page, "slope", "a", ["3", "1", "4"])
    assert [x[1:] for x in found[:2]] == [said("overwritten", kept="p"), said("missing path", missing="p", m=2)]
    assert found[2][0]
    three = ag.explore(ag.expression("p = a*b; q = a*c; J = p + q + 10*a", a=2, b=3, c=5))  # 10 + 5 + 3, or so
    found = verdicts(three, "slope", "a", ["18", "3", "5", "10"])
    assert {x[1] for x in found[1:]} == {"missing path", "overwritten"}
    assert [x[0] for x in found] == [True, *[False] * 3]


def test_a_node_that_is_used_twice_by_one_operation() -> None:
    page = ag.explore(ag.expression("s = x*x; J = 5*s", x=3))
    assert [x[1:] for x in verdicts(page, "slope", "x", ["15"])] == [said("one arrow", m=2, user="s")]
    assert keys(page, "arrow", "∂s/∂x", ["6", "3"]) == ["parallel", "right"]
    asked = run_page(page, f"{START} return quiz.all(now, line).map(q => quiz.ask(now, q))")
    nth = [WORDS["ask nth arrow"].format(edge="∂s/∂x", k=k, n=2, parent="x", user="s") for k in (1, 2)]
    assert [ask for ask in plain(asked) if "of 2 from" in ask] == nth


def test_a_forgotten_minus() -> None:
    page = ag.explore(ag.expression("d = -2*b + a; J = 3*d", a=7, b=5))
    ((right, key, title, _),) = verdicts(page, "slope", "b", ["6"])
    assert (right, key, title) == (False, "sign", WORDS["sign"])
    difference = ag.explore(ag.expression("d = a - b; J = 3*d", a=7, b=2))
    assert keys(difference, "slope", "b", ["3", "-3"]) in (["sign", "right"], ["not crossed", "right"])


def test_the_derivative_of_another_node() -> None:
    page = ag.explore(ag.expression("J = a*b + c*d", a=2, b=4, c=5, d=7))
    ((_, key, title, text),) = verdicts(page, "slope", "a", ["7"])
    assert [key, title, text] == said("other slope", slope="dJ/dc", node="a")


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
    found = verdicts(page, "tangent", "J", ["12", "3", "4", "7", "0.75", "4/3", "39", "1", "-12", "77"], how)
    assert [x[1] for x in found] == [
        "",
        "local alone",
        "not crossed",
        "sum",
        "quotient",
        "quotient",
        "value not slope",
        "other slope",
        "sign",
        "not yet",
    ]
    assert found[0][0]
    assert [x[1:] for x in (found[1], found[-2], found[-1])] == [
        said("local alone", edge="dJ/dv", upstream="dv/dc", number="4"),
        said("sign", rule="dJ/dv · dv/dc"),
        said("not yet", "try move", leaf="c", node="J"),
    ]
    assert keys(page, "tangent", "u", ["3", "1", "b", "4"], how) == ["other slope", "not crossed", "right", "right"]
    ways = ag.explore(ag.expression("p = a*b; J = p + a", a=2, b=3))
    start = "const now = engine.run({leaf: 0}), line = engine.timeline(now, 'forward');"
    found = verdicts(ways, "tangent", "J", ["1", "3", "4"], start)
    assert [x[1:] for x in found[:2]] == [said("missing path", missing=name, m=2) for name in "pa"]
    assert found[2][0]


def test_what_is_not_understood_is_quoted_as_text() -> None:
    found = verdicts(ag.explore(formula()), "value", "u", ["<img src=x onerror=alert(1)>", "hm?", ""])
    assert [x[:3] for x in found] == [[False, "", WORDS["no answer"]]] * 3
    assert found[1][3] == WORDS["no answer more"].format(example="2a", text="hm?")
    body = f"{START} return quiz.check(now, line, quiz.all(now, line)[1], '<img src=x onerror=alert(1)>\"').text"
    assert "<img" not in run_page(ag.explore(formula()), body)


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
    return [False, *said("too early", f"too early {phase}", node=node, missing=", ".join(missing))[1:]]


RIGHT = [True, WORDS["right"], ""]
NO_NODE = [False, *said("no node")[1:]]


def test_the_next_node_of_the_values() -> None:
    assert chosen(formula(), 0, ["u", "v", "J", "b", "zz", "", 3, 4, "<i>u</i>"]) == [
        RIGHT,
        waits("v", "u"),
        waits("J", "v"),
        [False, *said("known already", node="b")[1:]],
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
        [False, *said("known already", node="J")[1:]],
        waits("a", "v", phase="reverse"),
    ]


def test_another_order_is_right_too() -> None:
    f = ag.expression("p = a*b; q = c*d; r = p*q; J = r + p", a=2, b=3, c=4, d=5)
    assert chosen(f, 0, ["q", "p", "r", "J"]) == [
        [True, WORDS["right next other"].format(node="p"), ""],
        RIGHT,
        waits("r", "p", "q"),
        waits("J", "r", "p"),
    ]


def test_a_node_with_several_users_waits_for_all_of_them() -> None:
    f = ag.expression("p = a*b; q = p*c; J = p + q", a=2, b=4, c=3)
    assert chosen(f, 3, ["q", "p"]) == [RIGHT, waits("p", "q", phase="reverse")]


# Sheets of one's own.


def test_a_seed_gives_other_leaves_and_the_same_graph() -> None:
    J = ag.expression("u = b*c; v = a + u; J = 3*tanh(v)", a=0.5, b=3, c=-2)
    page, again, other = ag.quiz(J, seed=7), ag.quiz(J, seed=7), ag.quiz(J, seed=8)
    held, plain_facts = facts(page), facts(ag.quiz(J))
    assert page.html == again.html
    assert page.html != other.html
    assert held["seed"] == 7
    for key in ("user", "parent", "name", "symbol"):
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
