"""The page that explores a graph: what it holds, and that its script computes and says what the engine does."""

from __future__ import annotations

import html
import itertools
import math
import os
import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from node import needs_node, run
from pages import Parts, as_sentence, close, facts, fan_out, formula, parts, plain, run_page, run_pages, script
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import OPS, Op, Value, nn
from autograd_mini.derivation import Writer
from autograd_mini.edges import derivatives_of, edges_of
from autograd_mini.javascript import Script
from autograd_mini.ops import dot, sum as sum_row
from autograd_mini.pages import explorer
from autograd_mini.pages.rows import Rows, Unwritten
from autograd_mini.pages.templates import markup
from autograd_mini.pages.words import WORDS
from autograd_mini.pictures.typeset import Typeset
from autograd_mini.printing import format_number, names_of
from autograd_mini.wrong_passes import MISTAKES

SPECIAL = [0.0, 2.0, -0.0, math.inf, 1.0, -math.inf, -1.0, math.nan, 0.5, 40.0, -3.0, 1e300, -40.0, 5e-324]
SPECIAL += [2.0**-1022, -1e-310, -1e300, sys.float_info.max]


@pytest.fixture
def J() -> Value:
    return formula()


def graph(dag: Dag, inputs: tuple[float, ...] | None = None) -> Value:
    f: Value = dag([Value(x, f"x{i}") for i, x in enumerate(inputs or dag.inputs)])
    return f


def net_cost() -> Value:
    net = nn.MLP(2, [2, 1], output="sigmoid", rng=0)
    return nn.cost(net, [[1.0, 2.0], [0.5, -1.0]], [[1.0], [0.0]])


# The page.


def test_the_page_is_whole_and_asks_for_nothing_else(J: Value) -> None:
    page = ag.explore(J)
    found = parts(page.html)
    assert not any({"src", "href", "xlink:href", "srcset", "action"} & set(attributes) for _, attributes in found)
    text = page.html.replace('"http://www.w3.org/2000/svg"', "")  # a name, which no browser asks for
    assert not re.search(r"https?:|@import|url\((?!#)|fetch\(|XMLHttp|WebSocket|import\(|\beval\(|new Function", text)
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in found:  # what a label or a description refers to is there
        for key in ("for", "aria-labelledby", "aria-describedby"):
            assert attributes.get(key, ids[0]) in ids
    assert page.html.count("<title>Computation graph of J</title>") == 1
    assert len(page.html) < 150_000
    assert J.grad == 0.0


def heading(output: Value) -> str:
    found = re.search(r'<h1 id="title"[^>]*>(.*?)</h1>', ag.explore(output).html)
    assert found is not None
    return str(plain(found[1])).replace("\u2009", " ")


def test_the_heading_is_the_formula() -> None:
    assert heading(formula()) == "J = 3(a + bc)"
    assert heading(Value(2.0, "x")) == "x"
    assert heading(ag.expression("p = w1*x1; p + 1", w1=1, x1=2)) == "f = w1 x1 + 1"


def test_a_long_heading_ends_at_named_nodes_or_is_left_out() -> None:
    x = Value(1.0, "x")
    assert heading(ag.sum(x * float(k) for k in range(2, 30))) == "f = 2x + 3x + … + 28x + 29x"
    long = x
    for k in range(2, 30):
        long = ag.tanh(long) + float(k)
    assert heading(ag.sin(long)) == "f"
    long.label = "L"
    assert heading(ag.sin(long)) == "f = sin(L)"


def test_the_facts(J: Value) -> None:
    held = facts(ag.explore(J))
    assert [(plain(node["name"]), node["plain"], node["value"], node["leaf"]) for node in held["nodes"]] == [
        ("a", "a", 5, True),
        ("b", "b", 3, True),
        ("c", "c", 2, True),
        ("u", "u", 6, False),
        ("v", "v", 11, False),
        ("J", "J", 33, False),
    ]
    assert [(edge["user"], edge["parent"], edge["weight"]) for edge in held["edges"]] == [
        (3, 1, 2),
        (3, 2, 3),
        (4, 0, 1),
        (4, 3, 1),
        (5, 4, 3),
    ]
    names = "return [engine.edges.map(edge => edge.name), engine.edges.map(edge => edge.partial)];"
    found = plain(run_page(ag.explore(J), names))
    assert found[0] == ["du/db", "du/dc", "dv/da", "dv/du", "dJ/dv"]
    assert found[1] == [name.replace("d", "∂") for name in found[0]]
    assert held["frozen"] == ""
    assert held["start"] == "watch"
    assert held["beside"] is None
    assert facts(ag.explore(J, quiz=True))["start"] == facts(ag.quiz(J))["start"] == "quiz"
    assert run_page(ag.explore(fan_out()), "return engine.edges[0].name;").startswith("∂")  # x has two users
    assert {mistake["name"] for mistake in held["mistakes"]} == set(MISTAKES)


def inside(box: list[float], width: float, height: float) -> bool:
    x, y, across, up = box
    return across / 2 <= x <= width - across / 2 and up / 2 <= y <= height - up / 2


def apart(a: list[float], b: list[float]) -> bool:
    return abs(a[0] - b[0]) >= (a[2] + b[2]) / 2 - 1 or abs(a[1] - b[1]) >= (a[3] + b[3]) / 2 - 1


def on_the_rim(point: list[float], box: list[float]) -> bool:
    across, up = abs(point[0] - box[0]) - box[2] / 2, abs(point[1] - box[1]) - box[3] / 2
    return max(across, up) == pytest.approx(0.0, abs=0.2)


def neuron_loss() -> Value:
    loss: Value = nn.log_loss(nn.MLP(4, [1], output="sigmoid", rng=0)([4.0, 3.0, 2.0, 1.0]), 0)
    return loss


def small_cost() -> Value:
    return nn.cost(nn.two_layer_net(2, 2, rng=0), [[1.0, 2.0]], [[1.0]])


@pytest.mark.parametrize(
    "output",
    [formula(), Value(3.0, "x") ** 2 * 2, ag.add(*[Value(3.0, "x")] * 2), net_cost(), neuron_loss(), small_cost()],
)
def test_each_node_and_each_edge_has_a_place(output: Value) -> None:
    held = facts(ag.explore(output))
    *boards, whole = held["pictures"]
    assert whole["nodes"] == list(range(len(held["nodes"])))
    assert whole["edges"] == list(range(len(held["edges"])))
    for picture in held["pictures"]:
        for places in (picture[name] for name in ("wide", "tall") if name in picture):
            assert len(places["boxes"]) == len(picture["nodes"]) == len(picture["formulas"]) == len(picture["kinds"])
            assert len(places["arrows"]) == len(picture.get("wires", picture["edges"]))
            assert all(inside(box, places["width"], places["height"]) for box in places["boxes"])
            pills = [place["pill"] for place in places["arrows"] if "pill" in place]
            assert all(apart(a, b) for a, b in itertools.combinations([*places["boxes"], *pills], 2))
            for wire in (place["ends"] for place in places["arrows"] if "ends" in place):
                assert all(any(on_the_rim(end, box) for box in places["boxes"]) for end in wire)
            if "wires" not in picture:
                assert all(place["path"] for place in places["arrows"])
    for picture in boards:
        if "members" in picture:
            members = [i for group in picture["members"] for i in group]
            assert len(members) == len(set(members))
            assert all(i in group for i, group in zip(picture["nodes"], picture["members"], strict=True))
            assert all(wire["weight"] is None or held["nodes"][wire["weight"]]["leaf"] for wire in picture["wires"])
        else:  # a neuron: the edges that are in it or enter it
            assert all(
                {held["edges"][e]["user"], held["edges"][e]["parent"]} <= {*picture["nodes"]} for e in picture["edges"]
            )


def test_the_leaves_of_a_box_stand_in_two_rows_from_the_top_down() -> None:
    """The leaves of a neuron side by side are too wide for a phone; in one row with their sum, for a reader."""
    held = facts(ag.explore(neuron_loss()))
    picture = held["pictures"][-1]
    users = {edge["parent"]: edge["user"] for edge in held["edges"]}
    boxes = dict(zip(picture["nodes"], picture["tall"]["boxes"], strict=True))
    leaves = [i for i, node in enumerate(held["nodes"]) if node["leaf"]]
    assert len(leaves) == 5
    assert len({boxes[i][1] for i in leaves}) == 2
    for layout, along in (("tall", 1), ("wide", 0)):
        boxes = dict(zip(picture["nodes"], picture[layout]["boxes"], strict=True))
        assert all(boxes[i][along] < boxes[users[i]][along] for i in leaves)


def test_a_small_net_opens_as_a_board() -> None:
    assert facts(ag.explore(small_cost()))["pictures"][0]["title"] == "Net"
    single = nn.cost(nn.MLP(2, [1], output="sigmoid", rng=0), [[1.0, 2.0]], [[1.0]])
    assert [picture["title"] for picture in facts(ag.explore(single))["pictures"]] == ["All nodes"]


def test_the_pictures_of_a_net() -> None:
    titles = [picture["title"] for picture in facts(ag.explore(net_cost()))["pictures"]]
    assert titles[:2] == ["Net, example 1", "Net, example 2"]
    assert titles[-1] == "All nodes"
    assert [picture["title"] for picture in facts(ag.explore(formula()))["pictures"]] == ["All nodes"]


def test_labels_are_text() -> None:
    def page(names: list[str]) -> ag.Explorer:
        return ag.explore(ag.sum(Value(float(i), name) for i, name in enumerate(names)))

    names = ["</script><script>alert(1)</script>", "<!--facts-->", "/*rows*/", "a & b \\n 'q' \"", "\u2028"]
    odd, even = page(names), page(list("abcde"))
    shown = [*names[:-1], "\ufffd"]  # a line separator is not printed
    held = facts(odd)
    assert [node["plain"] for node in held["nodes"][:-1]] == shown
    assert [plain(node["name"]) for node in held["nodes"][:-1]] == shown
    assert not re.search("</|<!", script(odd, "facts"))
    tags = [Counter(tag for tag, _ in parts(page.html) if tag not in ("i", "sub", "sup")) for page in (odd, even)]
    assert tags[0] == tags[1]
    assert "<script>alert(1)" not in odd.html.replace(script(odd, "facts"), "")
    name = "<img src=x onerror=alert(1)>"
    single = ag.explore(Value(1.0, name))
    assert html.escape(name) in single.html
    assert "<img" not in single.html.replace(script(single, "facts"), "")


def test_bad_arguments_are_refused(J: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match=r"^explore: give a Value, not 3\.0 of type float$"):
        ag.explore(3.0)  # type: ignore[arg-type]  # as a user might
    with pytest.raises(TypeError, match=r"^quiz: give a Value, not 3\.0 of type float$"):
        ag.quiz(3.0)  # type: ignore[arg-type]  # as a user might
    for precision in (0, 18, 2.5, True):
        message = f"precision must be a whole number from 1 to 17, not {precision!r}"
        with pytest.raises(ValueError, match=f"^explore: {re.escape(message)}$"):
            ag.explore(J, precision=precision)  # type: ignore[arg-type]  # as a user might
        with pytest.raises(ValueError, match=f"^quiz: {re.escape(message)}$"):
            ag.quiz(J, precision=precision)  # type: ignore[arg-type]  # as a user might
    long = Value(1.0)
    for _ in range(300):
        long = -long
    advice = "explore a node inside it or fewer examples, or draw it, which folds"
    with pytest.raises(ValueError, match=f"^explore: the graph has 301 nodes, and at most 300 can be read; {advice}$"):
        ag.explore(long)
    x = Value(1.0)
    with pytest.raises(ValueError, match=r"^explore: the graph has 2,604 edges, and at most 2,500 can be read$"):
        ag.explore(ag.sum(ag.sum([x] * 650) for _ in range(4)))
    J.parents[0].parents[0].data = 7.0
    with pytest.raises(ag.StaleGraphError):
        ag.explore(J)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(ImportError, match=r'pip install "\.\[images\]"'):
        ag.explore(formula())


@pytest.mark.parametrize(
    ("beside", "error", "message"),
    [
        (
            "underwrite",
            ValueError,
            f"beside must be one of {', '.join(MISTAKES)}, or a dict such as {{'b': 3.1}}, not 'underwrite'",
        ),
        ({"u": 1.0}, ValueError, "beside names 'u', which is no leaf of this graph"),
        ({"a": "4"}, TypeError, "beside gives 'a' the number '4' of type str; give a float"),
        ({"a": True}, TypeError, "beside gives 'a' the number True of type bool; give a float"),
        (3, TypeError, "beside must be a mistake's name, or a dict such as {'b': 3.1}, not 3"),
    ],
)
def test_a_bad_second_run_is_refused(J: Value, beside: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(f'explore: {message}')}$"):
        ag.explore(J, beside=beside)


def test_a_second_run_is_named_by_leaves_and_labels(J: Value) -> None:
    (a,) = [node for node in ag.topological_order(J) if node.label == "a"]
    assert facts(ag.explore(J, beside={a: 4.5, "c": 7}))["beside"] == {"given": {"0": 4.5, "2": 7.0}}
    assert facts(ag.explore(J, beside="overwrite"))["beside"] == {"mistake": "overwrite"}
    with pytest.raises(ValueError, match=r"no node has the label 'z'"):
        ag.explore(J, beside={"z": 1.0})
    with pytest.raises(ValueError, match=r"which is no leaf of this graph$"):
        ag.explore(J, beside={Value(1.0, "other"): 1.0})


def test_the_largest_graph() -> None:
    long = Value(1.0)
    for _ in range(299):
        long = ag.tanh(long)
    assert len(facts(ag.explore(long))["nodes"]) == 300


def test_save(J: Value, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ag.explore(J)
    path = page.save(tmp_path / "J.html")
    assert path == tmp_path / "J.html"
    assert path.read_bytes() == page.html.encode()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        page.save(tmp_path / "nowhere" / "J.html")
    with pytest.raises(ValueError, match=r"^explore: J\.svg must end in \.html, because it is a page; draw\(J\)"):
        page.save(tmp_path / "J.svg")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        ag.explore(J.parents[0]).save(path)
    assert [(p.name, p.read_text("utf-8")) for p in tmp_path.iterdir()] == [("J.html", page.html)]


def test_a_notebook_shows_it_in_a_frame_of_its_own(J: Value) -> None:
    page = ag.explore(J)
    frame = Parts()
    frame.feed(page._repr_html_())
    (tag, attributes), (after, _) = frame.found
    assert (tag, after) == ("iframe", "script")  # which tells the frame the notebook's theme
    assert attributes["srcdoc"] == page.html
    assert "allow-same-origin" not in (attributes["sandbox"] or "")
    assert "allow-scripts" in (attributes["sandbox"] or "")
    assert attributes["title"] == "Explorer of J"
    assert f"height: {page.height}px; max-height: 86vh" in (attributes["style"] or "")
    assert 620 <= page.height <= 1000
    assert repr(page) == "<Explorer of J: save('J.html')>"
    assert repr(ag.explore(Value(1.0, "x y"))) == "<Explorer of x y: save('graph.html')>"
    quiz = ag.quiz(J)
    assert repr(quiz) == "<Quiz of J: save('J.html')>"
    assert "<title>Quiz of J</title>" in quiz.html
    assert 'title="Quiz of J"' in quiz._repr_html_()


# The rows, run by node.


@ag.custom_rule(lambda x, y, z: 3 * x**2 * y, lambda x, y, z: x**3)
def cube(x: Any, y: Any) -> Any:
    return x**3 * y


@ag.custom_rule(lambda x, z: ag.greater(x, 1.0))
def above_one(x: float) -> float:
    return x if x > 1.0 else 1.0


@ag.custom_rule(lambda x, z: 1.0)
def unless_one(x: float) -> float:
    return 0.0 if x == 1.0 else x


def slope_of_bent(x: float, y: float, z: float) -> float:
    total = 0.0
    for k in range(3):
        if x > k:
            total += y
    return total


@ag.custom_rule(slope_of_bent, lambda x, y, z: z / y if y != 0 else math.nan)
def bent(x: float, y: float) -> float:
    """Bend at 0, at 1 and at 2."""
    total = 0.0
    for k in range(3):
        if x > k:
            total += x - k
    return y * total


ARITIES = {op: len(op.rules) for op in [*OPS.values(), cube]} | {dot: 5, sum_row: 4}


def points(op: Op) -> Iterator[tuple[float, ...]]:
    draw, arity = random.Random(op.name), ARITIES[op]
    domain = [op.domain[i] for i in range(arity)]
    for _ in range(40):
        yield tuple(draw.uniform(max(end.lo, -4.0), min(end.hi, max(end.lo, 0.0) + 4.0)) for end in domain)
    if arity <= 3:
        yield from itertools.product(SPECIAL if arity < 3 else SPECIAL[::2], repeat=arity)


def slopes_of(op: Op, xs: tuple[float, ...]) -> list[float]:
    """Return the partials, or none outside the domain."""
    try:
        z = op(*xs)
    except (ArithmeticError, ValueError):
        return []
    return [op.partial(i, xs, z) for i in range(ARITIES[op])]


@needs_node
def test_every_row_computes_in_javascript_what_it_does_in_python() -> None:
    rows, without, asked, expected = Rows(), [], [], []
    for op, arity in ARITIES.items():
        start = 0.5 if op.name in ("atanh", "erfinv", "logit") else 1.0  # which is in every other row's domain
        try:
            place = rows.place(op(*(Value(start) for _ in range(arity))))
        except Unwritten:
            without.append(op.name)
            continue
        for xs in points(op):
            asked.append(f"[{place}, [{', '.join(map(Script.literal, xs))}]]")
            expected.append((op, xs, op.limit(*xs), slopes_of(op, xs)))
    assert without == ["digamma", "polygamma", "polygamma_gap"]
    computed = run(
        f"{rows.written()} return [{', '.join(asked)}].map(([i, xs]) => "
        "{ const z = rows[i].value(...xs); return [z, rows[i].slopes.map(slope => Number(slope(...xs, z)))]; })"
    )
    assert len(expected) > 9000
    for (op, xs, z, slopes), (value, weights) in zip(expected, computed, strict=True):
        assert close(z, value, 1e-300, 1e-12), (op, xs, z, value)
        assert z != 0.0 or math.copysign(1.0, z) == math.copysign(1.0, value), (op, xs, z, value)
        for slope, weight in zip(slopes, weights, strict=False):
            # The rule of ** looks at its exponent, if that is a number: 0 for x**0 also where x is nan.
            excused = op is ag.pow and any(map(math.isnan, xs))
            assert excused or close(slope, weight, 1e-14, 1e-11), (op, xs, slopes, weights)


# Numbers of graphs.

SLOW = settings(max_examples=examples(12), suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
MANY = st.lists(dags(), min_size=4, max_size=8)


def scale_of(order: list[Value], found: dict[Value, float]) -> float:
    return 1.0 + max(abs(x) for node in order for x in (node.data, found[node]) if math.isfinite(x))


@needs_node
@SLOW
@given(MANY)
def test_numbers_are_the_engines_at_any_leaves(graphs: list[Dag]) -> None:
    body = """
      const given = Object.fromEntries(engine.leaves.map(i => [i, facts.nodes[i].value / 2 + 0.25]));
      const now = engine.run({given}), line = engine.timeline(now), {sums} = engine.known(now, line, line.length - 1);
      return [engine.differs(), now.values, now.weights, now.slopes, line.length, sums];
    """
    pages = [ag.explore(graph(dag)) for dag in graphs]
    for dag, (differs, values, weights, slopes, steps, sums) in zip(graphs, run_pages(pages, body), strict=True):
        assert differs is False
        moved = graph(dag, tuple(x / 2 + 0.25 for x in dag.inputs))
        order = ag.topological_order(moved)
        expected = derivatives_of(moved, order)
        scale = scale_of(order, expected)
        assert all(close(node.data, x, scale) for node, x in zip(order, values, strict=True))
        assert all(close(expected[node], x, scale) for node, x in zip(order, slopes, strict=True))
        partials = [d for node in order for d in node.partials]
        assert all(close(d, x, scale) for d, x in zip(partials, weights, strict=True))
        assert steps == 3 + sum(node.op is not None for node in order) + len(partials)
        assert sums == slopes


@needs_node
@SLOW
@given(MANY)
def test_forward_mode_gives_the_derivatives_of_all_nodes_in_a_leaf(graphs: list[Dag]) -> None:
    pages = [ag.explore(graph(dag)) for dag in graphs]
    body = """return engine.leaves.map(leaf => {
      const now = engine.run({leaf}), line = engine.timeline(now, 'forward'), last = line.length - 1;
      return [leaf, now.tangents, line.map(({phase}) => phase), engine.known(now, line, last).tangents];
    });"""
    for dag, found in zip(graphs, run_pages(pages, body), strict=True):
        f = graph(dag)
        order = ag.topological_order(f)
        for leaf, tangents, phases, known in found:
            one_at = tuple(float(x.label == order[leaf].label) for x in dag.values())
            _, slope = ag.jvp(lambda *xs, dag=dag: dag(xs), dag.inputs, one_at)
            assert close(float(slope), tangents[-1], 1.0 + abs(slope))
            for node, tangent in zip(order, tangents, strict=True):
                below = ag.topological_order(node)
                expected = derivatives_of(node, below).get(order[leaf], 0.0)
                assert close(expected, tangent, scale_of(below, derivatives_of(node, below)))
            assert phases.count("leaf") == phases.count("forward end") == 1
            assert all(known)


@needs_node
@SLOW
@given(MANY)
def test_any_node_can_be_the_output(graphs: list[Dag]) -> None:
    pages = [ag.explore(graph(dag)) for dag in graphs]
    body = """return facts.nodes.map((_, output) => {
      const now = engine.run({output}), line = engine.timeline(now);
      return [now.slopes, now.used, engine.timeline(now).map(({node}) => node ?? -1),
              facts.nodes.map((_, i) => engine.slopeStages(now, i).join(' = ')), engine.counts(now).reverse];
    });"""
    for dag, found in zip(graphs, run_pages(pages, body), strict=True):
        f = graph(dag)
        order = ag.topological_order(f)
        names = names_of(order, f)
        for output, (slopes, used, visited, sentences, many) in zip(order, found, strict=True):
            below = ag.topological_order(output)
            expected = derivatives_of(output, below)
            scale = scale_of(below, expected)
            assert used == [node in expected for node in order]
            assert all(i == -1 or used[i] for i in visited)
            leaves = [node for node in below if node.op is None]
            assert many == (ag.work(output, leaves).counts["reverse"] or (None,))[0]
            for node, slope, sentence in zip(order, slopes, sentences, strict=True):
                assert close(expected.get(node, 0.0), slope, scale)
                stages = sentence.split(" = ")
                assert plain(stages[0]) == plain(markup(Typeset.derivative(names[output], names[node]).string))
                assert stages[-1] == markup(Typeset.number(float(slope), 4).string)


@needs_node
@SLOW
@given(MANY)
def test_wrong_passes_are_those_of_mistakes(graphs: list[Dag]) -> None:
    body = """return facts.mistakes.map(wrong => {
      const now = engine.run({wrong}), line = engine.timeline(now);
      return [wrong.name, now.slopes, engine.known(now, line, line.length - 1).sums];
    });"""
    pages = [ag.explore(graph(dag)) for dag in graphs]
    for dag, found in zip(graphs, run_pages(pages, body), strict=True):
        f = graph(dag)
        order = ag.topological_order(f)
        for name, slopes, sums in found:
            wrong = MISTAKES[name](f).run(f)
            scale = 1.0 + max(abs(x) for x in wrong.values())
            assert all(close(wrong.get(node, 0.0), x, scale) for node, x in zip(order, slopes, strict=True)), name
            assert sums == slopes


@needs_node
def test_a_wrong_pass_moves_on_with_the_leaves() -> None:
    text = "p = a*b; q = p*c; J = p + q - a"
    body = """return facts.mistakes.map(wrong => [wrong.name, engine.run({wrong, given: {0: -3, 1: 0.5}}).slopes])"""
    moved = ag.expression(text, a=-3, b=0.5, c=3)
    order = ag.topological_order(moved)
    assert [node.label for node in order[:2]] == ["a", "b"]
    for name, slopes in run_page(ag.explore(ag.expression(text, a=2, b=4, c=3)), body):
        wrong = MISTAKES[name](moved).run(moved)
        assert slopes == pytest.approx([wrong.get(node, 0.0) for node in order]), name


@needs_node
def test_nothing_is_passed_on_along_an_edge_that_passes_no_derivative() -> None:
    x = Value(2.0, "x")
    f = ag.stop_gradient(x * 3) * x
    body = """const now = engine.run(), line = engine.timeline(now);
      const forward = engine.timeline(now, 'forward').filter(({phase}) => phase === 'forward').map(({node}) => node);
      return [now.slopes, now.tangents, engine.counts(now).reverse, forward,
              engine.known(now, line, line.length - 1).whole]"""
    slopes, tangents, reverse, forward, whole = run_page(ag.explore(f), body)
    order = ag.topological_order(f)
    assert slopes == list(derivatives_of(f, order).values())
    assert slopes[1] == 0.0
    assert tangents == [1.0, 3.0, 0.0, 6.0]
    assert reverse == 0
    assert forward == [1, 3]
    assert all(whole)


@needs_node
@pytest.mark.parametrize("at", [0.0, 4.0])
def test_nothing_is_passed_on_to_a_side_that_is_not_chosen(at: float) -> None:
    """The page takes the other side where a slider moves the condition; an infinite slope brings no nan."""
    body = """const now = engine.run({given: {[engine.leaves[0]]: 4 - facts.nodes[engine.leaves[0]].value}});
      return [engine.run().slopes[engine.leaves[0]], now.slopes[engine.leaves[0]], now.tangents.at(-1)]"""
    x = Value(at, "x")
    y = ag.where(ag.greater(x, 0.0), ag.sqrt(x), 3 * x)
    here, there = (0.25, 3.0) if at else (3.0, 0.25)
    assert run_page(ag.explore(y), body) == [here, there, there]
    assert [mistake for mistake in ag.mistakes(y) if math.isnan(mistake.wrong)] == []


@needs_node
def test_which_leaves_reach_the_output_along_an_edge_that_passes_no_derivative() -> None:
    f = ag.expression("y = stop_gradient(3*x)*w + w", x=2, w=5)
    body = "return facts.nodes.map((_, output) => engine.leaves.map(leaf => engine.stops(engine.run({output}), leaf)))"
    found = run_page(ag.explore(f), body)
    labels = [node.label for node in ag.topological_order(f)]
    assert labels[:2] == ["x", ""]  # the leaf, and 3x
    assert found[1] == [False, False]
    assert found[-1] == [True, False]  # of x, and of w


COUNTS = """const {reverse, one, all, leaves} = engine.counts(engine.run({output, leaf}));
  return [reverse, one, all, leaves];"""


@needs_node
def test_the_modes_are_compared_by_their_multiplications(J: Value) -> None:
    body = f"return engine.leaves.map(leaf => {{const output = engine.last; {COUNTS}}})"
    assert run_page(ag.explore(J), body) == [[4, 1, 5, 3], [4, 2, 5, 3], [4, 2, 5, 3]]
    assert run_page(ag.explore(J), f"const output = 3, leaf = 1; {COUNTS}") == [0, 0, 0, 2]  # u = bc
    assert run_page(ag.explore(fan_out()), f"const output = 3, leaf = 0; {COUNTS}") == [2, 1, 2, 2]


@needs_node
@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.too_slow])
@given(dags(8))
def test_the_multiplications_are_those_of_work(dag: Dag) -> None:
    f = graph(dag)
    order = ag.topological_order(f)
    leaves = [node for node in order if node.op is None]
    work = ag.work(f, leaves).counts
    reverse, forward = work["reverse"], work["forward"]
    assert reverse is not None
    assert forward is not None
    singly = [(ag.work(f, leaf).counts["forward"] or (0,))[0] for leaf in leaves]
    assert sum(singly) == forward[0]
    body = f"const output = engine.last; return engine.leaves.map(leaf => {{{COUNTS}}})"
    expected = [[reverse[0], one, forward[0], len(leaves)] for one in singly]
    assert run_page(ag.explore(f), body) == expected


@needs_node
def test_an_op_of_ones_own_that_branches_moves_on_with_its_leaves() -> None:
    def branching(x: float, y: float) -> Value:
        f: Value = ag.sin(bent(Value(x, "x"), Value(y, "y"))) + bent(Value(x, "c"), 2.0)
        return f

    page = ag.explore(branching(0.5, 3.0))
    assert facts(page)["frozen"] == ""
    at = [(0.5, 3.0), (1.5, 3.0), (2.5, -1.0), (-1.0, 0.0), (0.0, 1.0), (7.0, 0.25)]
    moved = [branching(*xs) for xs in at]
    body = f"""return {[list(xs) for xs in at]}.map(([x, y]) => {{
      const now = engine.run({{given: {{0: x, 1: y, 4: x}}}});
      return [now.values, now.slopes, engine.differs()];
    }});"""
    for f, (values, slopes, differs) in zip(moved, run_page(page, body), strict=True):
        order = ag.topological_order(f)
        assert [node.label for node in order if node.op is None] == ["x", "y", "c"]
        assert not differs
        assert all(map(close, [node.data for node in order], values))
        assert all(map(close, derivatives_of(f, order).values(), slopes))


@needs_node
@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("y = log(x)", "x > 0"),
        ("y = sqrt(x)", "x ≥ 0"),
        ("y = asin(x)", "−1 ≤ x ≤ 1"),
        ("y = x**0.5", "x > 0"),
        ("y = acosh(x)", "x ≥ 1"),
    ],
)
def test_outside_a_domain_there_is_no_slope(text: str, needs: str) -> None:
    page = ag.explore(ag.expression(text, x=1.0))
    body = """const now = engine.run({given: {0: -1.25}});
      return [now.values.at(-1), now.slopes[0], engine.derivation(now, 0), engine.trouble(now, 1)]"""
    value, slope, derivation, why = run_page(page, body)
    assert math.isnan(value)
    assert math.isnan(slope)
    assert plain(derivation).startswith("dy/dx = ")
    assert plain(derivation).endswith("nan")
    assert plain(why) == f"y has no value: it needs {needs}"


@needs_node
@pytest.mark.parametrize(("text", "needs"), [("y = log(x)", "x > 0"), ("y = 1/x", "x ≠ 0"), ("y = x**-0.5", "x > 0")])
def test_a_pole_says_where_it_is(text: str, needs: str) -> None:
    body = """return [0, -0, 1, Infinity].map(x => {
      const now = engine.run({given: {0: x}});
      return [now.values[1], engine.trouble(now, 1)];
    });"""
    at_zero, below_zero, *others = run_page(ag.explore(ag.expression(text, x=1.0)), body)
    for value, why in (at_zero, below_zero):
        assert math.isinf(value)
        assert plain(why) == f"y is infinite: it needs {needs}"
    assert [why for _, why in others] == ["", ""]


@needs_node
def test_what_overflows_is_at_no_pole() -> None:
    body = "const now = engine.run({given: {0: 1e-320}}); return [now.values[1], engine.trouble(now, 1)]"
    assert run_page(ag.explore(ag.expression("y = 1/x", x=1.0)), body) == [math.inf, ""]


@needs_node
def test_what_is_computed_from_no_number_is_none() -> None:
    page = ag.explore(ag.expression("l = log(x); y = 2*l", x=1.0))
    body = "const now = engine.run({given: {0: -1}}); return [0, 1, 2].map(i => engine.trouble(now, i))"
    assert plain(run_page(page, body)) == ["", "l has no value: it needs x > 0", "y has no value: an operand has none"]


@needs_node
def test_where_a_row_meets_a_pole() -> None:
    x, zero = Value(2.0, "x"), Value(0.0, "zero")
    pages = [ag.explore(f) for f in (ag.sqrt(zero), ag.xlogy(Value(0.0, "none"), 0.0), x * math.inf)]
    body = "return [engine.differs(), engine.run().weights]"
    assert run_pages(pages, body) == [[False, [math.inf]], [False, [-math.inf]], [False, [math.inf]]]


@needs_node
def test_numbers_that_the_page_cannot_repeat_are_noticed() -> None:
    left = ag.custom_rule(lambda x, z: 0.0)(lambda x: (int(x) * 3**40 + 1) % 7)  # beyond JavaScript's whole numbers
    y = left(Value(5.0, "x"))
    body = "return [engine.differs(), engine.run({recorded: true}).values]"
    assert run_page(ag.explore(y), body) == [True, [5.0, y.data]]


@needs_node
def test_infinity_is_far_from_all_other_numbers(J: Value) -> None:
    xs = "[-Infinity, -1e308, 0, 1, 1e308, Infinity, NaN]"
    body = f"return {xs}.map(x => {xs}.map(y => engine.far(x, y)))"
    assert run_page(ag.explore(J), body) == [[i != k for k in range(7)] for i in range(7)]


def test_what_javascript_cannot_have_turns_the_sliders_off() -> None:
    @ag.custom_rule(lambda x, z: z)
    def careful(x: float) -> float:
        try:
            return math.exp(x)
        except OverflowError:
            return math.inf

    x = Value(2.0, "x")

    def frozen(f: Value) -> str:
        found: str = facts(ag.explore(f))["frozen"]
        return found

    assert frozen(x * ag.digamma(x)).startswith("polygamma has no function in JavaScript: _scipy_special().")
    assert frozen(careful(x)) == "careful has no function in JavaScript: try:"
    for works in (ag.lgamma(x), above_one(x), unless_one(x), cube(x, x)):
        assert frozen(works) == ""
    zero = Value(0.0, "x")
    (slope,) = ag.gradient(ag.sqrt(zero) * 2, [zero])
    assert frozen(slope) == ""  # a slope at its pole moves on with its leaf


@needs_node
def test_a_frozen_page_steps_through_the_numbers_that_the_engine_computed() -> None:
    f = ag.digamma(Value(2.5, "x")) * 2
    body = """const now = engine.run({recorded: true}), line = engine.timeline(now);
      return [now.values, now.slopes, now.tangents.at(-1), line.map((_, at) => engine.sentence(now, line, at))]"""
    values, slopes, tangent, sentences = run_page(ag.explore(f), body)
    order = ag.topological_order(f)
    assert values == [node.data for node in order]
    assert slopes == list(derivatives_of(f, order).values())
    assert tangent == slopes[0]
    assert len(sentences) == 7


# Sentences.


def scripts() -> str:
    """Return the scripts of the page that explores, without comments."""
    folder = Path(explorer.__file__).parent
    return "\n".join(re.sub(r"//.*", "", (folder / f"{name}.js").read_text("utf-8")) for name in explorer.SCRIPTS)


def strings(code: str) -> set[str]:
    """Return the strings in double quotes of a script."""
    return set(re.findall(r'"([^"\n]*)"', code))


MODES = {f"mode {mode}" for mode in ("values", "reverse", "forward")}  # of which a script makes the keys


def test_every_sentence_is_used() -> None:
    code = scripts()
    verbs = re.findall(r"const results = \{(.*)\}", code)[0]
    found = strings(code) | set(re.findall(r"\bwords\.(\w+)", code)) | set(re.findall(r"(\w+):", verbs))
    assert "say(`mode ${mode()}`" in code
    assert "more = `${key} more`" in code
    found |= MODES | {f"{key} more" for key in found}
    assert [key for key in WORDS if key not in found] == []


def test_every_sentence_that_a_script_says_exists() -> None:
    code = scripts()
    calls = re.findall(r"\bsay\(((?:[^(){}]|\([^()]*\))*)", code)  # up to what fills the holes
    said = {key for call in calls for key in strings(re.sub(r'[=!]== "[^"]*"', "", call))}
    key_of_the_curve = re.findall(r"const (?:tangent|steep|later|key) = ([^`\n]*);", code)
    said |= {key for line in key_of_the_curve for key in strings(re.sub(r"[.]join[(][^)]*[)]", "", line))}
    said |= set(re.findall(r"\bwords\.(\w+)", code)) | MODES
    assert len(said) > 55
    verdicts = re.findall(
        r'(?:verdict\((?:true|false), (?:\w+ \? )?|isRight\()"([^"]+)"(?: : "([^"]+)")?([^)]*)\)', code
    )
    assert len(verdicts) > 7
    for first, second, more in verdicts:
        said |= {first, second or first} | strings(more)
    wrong = (Path(explorer.__file__).parent / "diagnosis.js").read_text("utf-8")
    yielded = re.findall(r'\[[^\[\]{}]*?, "([^"]+)", (?:\{[^{}]*\}|\w+), "([^"]*)"\]', wrong)
    assert len(yielded) > 10
    said |= {key for pair in yielded for key in pair}
    assert sorted(said - {*WORDS, ""}) == []


def test_each_hole_of_a_sentence_has_a_name() -> None:
    for key, sentence in WORDS.items():
        assert re.sub(r"\{[a-z]+\}", "", sentence).count("{") == 0, key


@needs_node
@pytest.mark.parametrize("precision", [1, 4, 17])
def test_numbers_are_written_as_they_are_typeset_in_python(precision: int) -> None:
    draw = random.Random(precision)
    numbers = [x * 10.0**k for k in range(-320, 308, 9) for x in (1.0, -draw.random(), 9.9999999)]
    numbers += [draw.uniform(-1e4, 1e4) for _ in range(500)] + [2.0**-k for k in range(60)]
    numbers += [0.015625, 2.5, 0.5, 12344.5, 12345.5, 9.99995, 1e7, 9999999.0, -0.0, 1e-5, 0.0001, 5e-324]
    page = ag.explore(Value(1.0), precision=precision)
    written, special = run_page(
        page, f"return [{numbers}.map(engine.format), [NaN, Infinity, -Infinity].map(engine.format)]"
    )
    assert written == [markup(Typeset.number(x, precision).string) for x in numbers]
    assert special == ["nan", "∞", "−∞"]


def compared(sentence: str) -> str:
    """Return a sentence without what a formula of numbers has otherwise than one of holes: dots, and some brackets."""
    text = re.sub(r" ?· ?|\u2009", "", plain(sentence))
    text = re.sub(r"\((−(?:[\d.]+(?:10\^−?\d+)?|∞))\)", r"\1", text)
    return text.replace("+ −", "− ")


def by_python(f: Value, precision: int = 4) -> list[tuple[str, str]]:
    """Return the forward step and the derivation of each node as Python typesets them."""
    order = ag.topological_order(f)
    writer = Writer(Typeset, f, names_of(order, f), derivatives_of(f, order), precision)

    def written(stages: list[Typeset]) -> str:
        return compared(" = ".join(markup(stage.string) for stage in stages))

    return [
        (written(writer.step(node)), "\n".join(written(writer.line(line)) for line in ag.explain(f, node).lines))
        for node in order
    ]


def without_minus_one(dag: Dag) -> bool:
    """Return whether no number of a graph is −1, which Python leaves out of a product and the page does not."""
    return all(format_number(node.data) != "-1" for node in ag.topological_order(graph(dag)))


DERIVATIONS = "return facts.nodes.map((_, i) => [engine.forward(now, i), engine.derivation(now, i)]);"


@needs_node
@SLOW
@given(st.lists(dags().filter(without_minus_one), min_size=4, max_size=8))
def test_derivations_are_those_of_explain(graphs: list[Dag]) -> None:
    functions = [graph(dag) for dag in graphs]
    found = run_pages([ag.explore(f) for f in functions], f"const now = engine.run(); {DERIVATIONS}")
    for f, written in zip(functions, found, strict=True):
        assert [tuple(map(compared, lines)) for lines in written] == by_python(f)


FORMULAS = [
    "y = (x - w)**2/(1 + x*x)",
    "s = sigmoid(w*x); y = s*w/x + x**3",
    "y = exp(-x*x)*w",
    "y = hypot(x, w)",
    "y = log(x*x + 1)/sqrt(w*w + 2)",
    "y = maximum(x, w)*abs(x)",
    "y = 1/(x*w)",
    "y = 2*(x + 3*w)*x",
    "y = x**-2*w**3",
    "y = softplus(x)*tanh(w) - atan2(x, w)",
    "p = sigmoid(w*x); y = -(x*log(p) + (1 - x)*log(1 - p))",
]


@needs_node
@pytest.mark.parametrize("precision", [2, 4])
def test_a_moved_graph_is_written_as_one_of_those_numbers(precision: int) -> None:
    start, moved = (1.5, 2.25), (0.3, -0.137)
    pages = [ag.explore(ag.expression(text, x=start[0], w=start[1]), precision=precision) for text in FORMULAS]
    body = f"""const given = Object.fromEntries(engine.leaves.map(i =>
        [i, {{x: {moved[0]}, w: {moved[1]}}}[facts.nodes[i].plain]]));
      const now = engine.run({{given}}); {DERIVATIONS}"""
    for text, written in zip(FORMULAS, run_pages(pages, body), strict=True):
        f = ag.expression(text, x=moved[0], w=moved[1])
        assert [tuple(map(compared, lines)) for lines in written] == by_python(f, precision), text


@needs_node
@SLOW
@given(MANY)
def test_what_is_written_as_equal_is(graphs: list[Dag]) -> None:
    """All stages of a sentence that are arithmetic have the same value, in each of its parts."""
    body = """const leaf = engine.leaves.at(-1), now = engine.run({leaf});
      const told = ['reverse', 'forward'].flatMap(mode => {
        const line = engine.timeline(now, mode);
        return line.map((_, at) => engine.sentence(now, line, at));
      });
      return told.concat(facts.nodes.flatMap((_, i) => [engine.forward(now, i),
        engine.slopeStages(now, i).join(' = '), engine.tangent(now, i), ...engine.derivation(now, i).split("\\n")]));"""
    outputs = [graph(dag) for dag in graphs]
    pages = [ag.explore(f, precision=17) for f in outputs]
    for f, sentences in zip(outputs, run_pages(pages, body), strict=True):
        parts_of = [re.split(r"; now |, from |, (?=[^(),]* = )", plain(sentence)) for sentence in sentences]
        arithmetic = [node for node in ag.topological_order(f) if node.op in (ag.add, ag.sub, ag.mul)]
        checked = sum(equal_stages(part) for found in parts_of for part in found)
        assert checked >= 3 * sum(len(node.parents) == 2 for node in arithmetic)  # each forward step is told thrice


def equal_stages(sentence: str) -> int:
    """Check that the stages of a sentence that are arithmetic have the same value; return how many were compared."""
    text = re.sub(r" so far$|\.$|^[^=]*: ", "", sentence)
    code = re.sub(r"(?<=[\d)])\(", "*(", text.replace("−", "-").replace("·", "*").replace("^", "**")).split(" = ")
    stages = [x for x in code if re.fullmatch(r"[-+*/() \d.]+", x) and re.search(r"\d", x)]
    numbers = [eval(x) for stage in stages for x in re.findall(r"\d[\d.]*(?:\*10\*\*-?\d+)?", stage)]
    values = [eval(stage) for stage in stages]
    scale = 1.0 + max(numbers, default=0.0) ** 3
    assert all(close(x, values[-1], scale) for x in values), sentence
    return max(len(values) - 1, 0)


def test_unequal_stages_are_found() -> None:
    assert equal_stages("dJ/db = 3 · c = 3 · (−2) = −6") == 1
    assert equal_stages("dz/dx = −6 + (−6) = −12 so far") == 1
    assert equal_stages("u = bc = x") == 0
    assert equal_stages("df/dx = 1 · 2(1 + 1)(1 + 1) = 8") == 1
    for wrong in ("u = 3 · 2 = 7", "u = 3 · 2 = 6 = 6.1", "s = 2 + 2 = 5 so far", "t = 2(1 + 1) = 3"):
        with pytest.raises(AssertionError):
            equal_stages(wrong)


@needs_node
def test_the_steps_in_words(J: Value) -> None:
    body = """return ['reverse', 'forward'].map(mode => {
      const now = engine.run({leaf: engine.leaves.at(-1)}), line = engine.timeline(now, mode);
      return line.map((_, at) => engine.sentence(now, line, at));
    })"""
    (reverse, forward), (_, ways) = plain(run_pages([ag.explore(J), ag.explore(fan_out())], body))
    values = [
        "The leaves are given: a = 5, b = 3, c = 2.",
        "u = bc = 3 · 2 = 6",
        "v = a + u = 5 + 6 = 11",
        "J = 3v = 3 · 11 = 33",
    ]
    assert reverse == [
        *values,
        "dJ/dJ = 1",
        "dJ/dv = 3",
        "dJ/da = dJ/dv · dv/da = 3 · 1 = 3",
        "dJ/du = dJ/dv · dv/du = 3 · 1 = 3",
        "dJ/db = dJ/du · du/db = 3 · c = 3 · 2 = 6",
        "dJ/dc = dJ/du · du/dc = 3 · b = 3 · 3 = 9",
        "All derivatives are found: dJ/da = 3, dJ/db = 6, dJ/dc = 9.",
    ]
    assert forward == [
        *values,
        "dc/dc = 1, and 0 for every other leaf",
        "du/dc = b = 3",
        "dv/dc = dv/du · du/dc = 1 · 3 = 3",
        "dJ/dc = dJ/dv · dv/dc = 3 · 3 = 9",
        "c has been followed to the output: dJ/dc = 9.",
    ]
    assert ways[3:] == [
        "dy/dy = 1, and 0 for every other leaf",
        "ds/dy = x = 3",
        "dz/dy = dz/ds · ds/dy = x · 3 = 3 · 3 = 9",
        "y has been followed to the output: dz/dy = 9.",
    ]


@needs_node
def test_fan_out_in_words() -> None:
    body = """const now = engine.run(), line = engine.timeline(now), forward = engine.timeline(now, 'forward');
      return [line.map((_, at) => engine.sentence(now, line, at)),
              forward.map((_, at) => engine.sentence(now, forward, at)), engine.derivation(now, 0)]"""
    reverse, forward, derivation = plain(run_page(ag.explore(fan_out()), body))
    assert reverse[-4:-1] == [
        "dz/dx += ∂z/∂x = s = −6; now dz/dx = −6 so far, from 1 of 2 edges",
        "dz/dx += dz/ds · ∂s/∂x = 3 · y = 3 · (−2) = −6; now dz/dx = −6 + (−6) = −12, from all 2 edges",
        "dz/dy = dz/ds · ds/dy = 3 · x = 3 · 3 = 9",
    ]
    assert forward[-2] == "dz/dx = dz/ds · ds/dx + ∂z/∂x = x · (−2) + s = 3 · (−2) + (−6) = −12"
    assert derivation == "dz/dx = dz/ds · ∂s/∂x + ∂z/∂x = x · y + s = 3 · (−2) + (−6) = −12"


@needs_node
def test_three_ways_add_up_in_words() -> None:
    x = Value(2.0, "x")
    f = ag.sum([x * x, x])
    f.label = "y"
    body = """const now = engine.run(), line = engine.timeline(now);
      return line.map((_, at) => engine.sentence(now, line, at))"""
    sentences = plain(run_page(ag.explore(f), body))
    assert [sentence.split("; now ")[1] for sentence in sentences if "; now " in sentence] == [
        "dy/dx = 1 so far, from 1 of 3 edges",
        "dy/dx = 1 + 2 = 3 so far, from 2 of 3 edges",
        "dy/dx = 3 + 2 = 5, from all 3 edges",
    ]


@needs_node
def test_a_wrong_pass_in_words() -> None:
    body = """return ['overwrite', 'no local derivative', 'not cleared'].map(pass => {
      const wrong = facts.mistakes.find(({name}) => name === pass);
      const now = engine.run({wrong}), line = engine.timeline(now);
      return line.map((_, at) => engine.sentence(now, line, at)).slice(3);
    })"""
    overwrite, no_local, again = plain(run_page(ag.explore(fan_out()), body))
    assert overwrite[-4:] == [
        "dz/dx = ∂z/∂x = s = −6",
        "dz/dx = dz/ds · ∂s/∂x = 3 · y = 3 · (−2) = −6",
        "dz/dy = dz/ds · ds/dy = 3 · x = 3 · 3 = 9",
        "The wrong pass ends: dz/dx = −6, dz/dy = 9.",
    ]
    assert no_local[1:5] == [
        "dz/ds = 1 · 1 = 1",
        "dz/dx += 1 · 1 = 1; now dz/dx = 1 so far, from 1 of 2 edges",
        "dz/dx += 1 · 1 = 1; now dz/dx = 1 + 1 = 2, from all 2 edges",
        "dz/dy = 1 · 1 = 1",
    ]
    left = "with the number that was not cleared"
    assert again[2:5] == [
        f"dz/dx += ∂z/∂x = s = −6; now dz/dx = −12 + (−6) = −18, {left}",
        f"dz/dx += dz/ds · ∂s/∂x = 6 · y = 6 · (−2) = −12; now dz/dx = −18 + (−12) = −30, {left}",
        f"dz/dy += dz/ds · ∂s/∂y = 6 · x = 6 · 3 = 18; now dz/dy = 9 + 18 = 27, {left}",
    ]


@needs_node
def test_a_derivative_is_not_added_to_itself_in_words() -> None:
    """The addend of a number that was not cleared is the local derivative of the arrow, which is another number."""
    body = """const wrong = facts.mistakes.find(({name}) => name === 'not cleared');
      const now = engine.run({wrong}), line = engine.timeline(now);
      return line.map((_, at) => engine.sentence(now, line, at))"""
    sentences = plain(run_page(ag.explore(fan_out()), body))
    assert not any(sentence.startswith("dz/ds += dz/ds") for sentence in sentences)


@needs_node
def test_the_chosen_output_in_words(J: Value) -> None:
    body = """const now = engine.run({output: 4}), line = engine.timeline(now);
      const sentences = line.map((_, at) => engine.sentence(now, line, at));
      return [sentences, engine.derivation(now, 1), engine.slopeName(now, 5)]"""
    sentences, derivation, name = plain(run_page(ag.explore(J), body))
    assert sentences == [
        "The leaves are given: a = 5, b = 3, c = 2.",
        "u = bc = 3 · 2 = 6",
        "v = a + u = 5 + 6 = 11",
        "dv/dv = 1",
        "dv/da = 1",
        "dv/du = 1",
        "dv/db = dv/du · du/db = 1 · c = 1 · 2 = 2",
        "dv/dc = dv/du · du/dc = 1 · b = 1 · 3 = 3",
        "All derivatives are found: dv/da = 1, dv/db = 2, dv/dc = 3.",
    ]
    assert derivation == "dv/db = dv/du · du/db = 1 · c = 1 · 2 = 2"
    assert name == "dv/dJ"


@needs_node
def test_no_path_leads_from_a_leaf_to_an_output_that_does_not_use_it(J: Value) -> None:
    body = """const now = engine.run({output: 3, leaf: 0}), line = engine.timeline(now, 'forward');
      return [now.tangents[3], engine.sentence(now, line, line.length - 1)]"""
    tangent, sentence = run_page(ag.explore(J), body)
    assert tangent == 0.0
    assert plain(sentence) == "No path leads from a to u: du/da = 0."


@needs_node
def test_a_moved_leaf_rewrites_the_derivation(J: Value) -> None:
    body = """const now = engine.run({given: {1: -4}}), line = engine.timeline(now);
      return [engine.forward(now, 5), engine.derivation(now, 2), engine.sentence(now, line, 9)]"""
    forward, derivation, sentence = plain(run_page(ag.explore(J), body))
    assert forward == "J = 3v = 3 · (−3) = −9"
    assert derivation == "dJ/dc = dJ/dv · dv/du · du/dc = 3 · 1 · b = 3 · 1 · (−4) = −12"
    assert sentence == "dJ/dc = dJ/du · du/dc = 3 · b = 3 · (−4) = −12"


@needs_node
def test_rules_are_written_with_the_moved_numbers() -> None:
    text = "s = sigmoid(w*x); z = s*w/x + x**3"
    body = "const now = engine.run({given: {0: -2, 1: 0.5}}); return engine.derivation(now, 0)"
    found = plain(run_page(ag.explore(ag.expression(text, w=1, x=2)), body))
    assert "(0.2689 · (1 − 0.2689))" in found
    assert as_sentence(found) == as_sentence(ag.explain(ag.expression(text, w=-2, x=0.5), "w").text(width=None))


@needs_node
def test_an_excepted_point_has_no_formula() -> None:
    page = ag.explore(ag.expression("h = hypot(x, y)", x=3, y=4))
    body = "return [[3, 4], [0, 0]].map(([x, y]) => engine.derivation(engine.run({given: {0: x, 1: y}}), 0))"
    assert plain(run_page(page, body)) == ["dh/dx = x/h = 3/5 = 0.6", "dh/dx = 0"]
    assert str(ag.explain(ag.expression("h = hypot(x, y)", x=0, y=0), "x")) == "dh/dx = 0"


@needs_node
def test_nothing_is_told_before_its_step(J: Value) -> None:
    body = """const now = engine.run(), line = engine.timeline(now);
      const told = (at, i) => [engine.told(now, line, at, i), engine.valueAt(now, line, at, i)];
      return line.map((_, at) => [4, 5, 1].map(i => told(at, i)))"""
    told = plain(run_page(ag.explore(J), body))
    v, J_, b = 0, 1, 2
    assert told[0] == [
        ["v = a + u = ?\ndJ/dv = ?", "?"],
        ["J = 3v = ?\ndJ/dJ = ?", "?"],
        ["b = 3\ndJ/db = ?", "3"],
    ]
    assert [step[v][1] for step in told] == ["?", "?", *["11"] * 9]
    assert [step[J_][1] for step in told] == ["?", "?", "?", *["33"] * 8]
    derivation = "dJ/db = dJ/dv · dv/du · du/db = 3 · 1 · c = 3 · 1 · 2 = 6"
    assert [step[b][0].splitlines()[1] for step in told] == ["dJ/db = ?"] * 8 + [derivation] * 3
    body = """const now = engine.run(), line = engine.timeline(now);
      return line.map((_, at) => engine.slopeAt(now, line, at, 0))"""
    slopes = plain(run_page(ag.explore(fan_out()), body))
    assert slopes[:5] == ["?"] * 5
    assert slopes[5:] == ["−6 so far, from 1 of 2 edges"] + ["−12"] * (len(slopes) - 6)


@needs_node
def test_nothing_is_told_before_its_step_in_forward_mode(J: Value) -> None:
    body = """const now = engine.run({leaf: 2}), line = engine.timeline(now, 'forward');
      return [3, 4, 0, 2].map(i => line.map((_, at) => engine.told(now, line, at, i).split("\\n")[1]))"""
    u, v, a, c = plain(run_page(ag.explore(J), body))
    assert u == ["du/dc = ?"] * 5 + ["du/dc = b = 3"] * 4
    assert v == ["dv/dc = ?"] * 6 + ["dv/dc = dv/du · du/dc = 1 · 3 = 3"] * 3
    assert a == ["da/dc = ?"] * 4 + ["da/dc = 0"] * 5
    assert c == ["dc/dc = ?"] * 4 + ["dc/dc = 1"] * 5


def test_a_second_reading_of_typeset_edges() -> None:
    """Each edge of the page has the name that the engine's edges give."""
    f = fan_out()
    order = ag.topological_order(f)
    names = names_of(order, f)
    found = plain(run_page(ag.explore(f), "return engine.edges.map(edge => edge.partial);"))
    expected = [f"∂{names[e.user]}/∂{names[e.parent]}" for node in order if node.op for e in edges_of(node)]
    assert found == expected


@needs_node
def test_a_logarithm_of_a_number_is_kept_apart_from_what_it_multiplies() -> None:
    page = ag.explore(ag.expression("y = 2**x; J = 3*y", x=3))
    derivation = plain(run_page(page, "return engine.derivation(engine.run(), 0)"))
    assert "ln 2y" not in derivation  # which reads as the logarithm of 2y
    assert "ln 2 · 8" not in derivation
