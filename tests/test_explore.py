"""The page that explores a graph: what it holds, and that its script computes what the engine does."""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import re
import shutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from node import needs_node, run
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import OPS, Explorer, Op, Value, nn
from autograd_mini.exploring import _Rows, _Unwritten
from autograd_mini.javascript import literal
from autograd_mini.ops import dot_of, sum_of
from autograd_mini.printing import format_number
from autograd_mini.value import derivatives_of

SPECIAL = [0.0, 2.0, -0.0, math.inf, 1.0, -math.inf, -1.0, math.nan, 0.5, 40.0, -3.0, 1e300, -40.0, 5e-324]
SPECIAL += [2.0**-1022, -1e-310, -1e300, sys.float_info.max]


@pytest.fixture
def J() -> Value:
    return ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=3, c=2)


def script(page: Explorer, name: str) -> str:
    found = re.search(rf'<script[^>]* id="{name}">(.*?)</script>', page.html, re.DOTALL)
    assert found is not None
    return found[1]


def facts(page: Explorer) -> Any:
    return json.loads(script(page, "facts"))


def run_pages(pages: list[Explorer], body: str) -> list[Any]:
    """Run a body for each page, which has the page's own engine as `engine`."""
    parts = [
        f"(() => {{{script(page, 'engine')}; const facts = {script(page, 'facts')}; "
        f"const engine = makeEngine(facts, written); {body}}})()"
        for page in pages
    ]
    found: list[Any] = run(f"return [{', '.join(parts)}]")
    return found


def close(x: float, y: float, scale: float = 1.0, tolerance: float = 1e-9) -> bool:
    return x == y or (x != x and y != y) or abs(x - y) <= tolerance * (scale + abs(x))


# The page.


class Parts(HTMLParser):
    """The elements of a page, and those that were not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parts(page: Explorer) -> list[tuple[str, dict[str, str | None]]]:
    parser = Parts()
    parser.feed(page.html)
    parser.close()
    assert parser.open == []
    return parser.found


def test_the_page_is_whole_and_asks_for_nothing_else(J: Value) -> None:
    page = ag.explore(J)
    found = parts(page)
    assert not any({"src", "href", "xlink:href", "srcset", "action"} & set(attributes) for _, attributes in found)
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttp|WebSocket|import\(|\beval\(|new Function", page.html)
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {f"node-{i}" for i in range(6)} | {f"edge-{i}" for i in range(5)} <= set(ids)
    for _, attributes in found:  # what a label or a description refers to is there
        for key in ("for", "aria-labelledby", "aria-describedby"):
            assert attributes.get(key, ids[0]) in ids
    assert page.html.count("<title>Computation graph of J</title>") == 1


def test_the_facts(J: Value) -> None:
    held = facts(ag.explore(J))
    assert [(node["name"], node["value"], node["slope"]) for node in held["nodes"]] == [
        ("a", 5, "dJ/da"),
        ("b", 3, "dJ/db"),
        ("c", 2, "dJ/dc"),
        ("u", 6, "dJ/du"),
        ("v", 11, "dJ/dv"),
        ("J", 33, "dJ/dJ"),
    ]
    assert [(edge["name"], edge["weight"]) for edge in held["edges"]] == [
        ("du/db", 2),
        ("du/dc", 3),
        ("dv/da", 1),
        ("dv/du", 1),
        ("dJ/dv", 3),
    ]
    assert held["frozen"] == ""
    assert J.grad == 0.0


def test_repeated_edges_and_frames_keep_their_places() -> None:
    x = Value(3.0, "x")
    assert {f"edge-{i}" for i in range(2)} <= {a.get("id") for _, a in parts(ag.explore(x * x))}
    net = nn.MLP(2, [2, 1], output="sigmoid", rng=0)
    cost = nn.cost(net, [[1.0, 2.0], [0.5, -1.0]], [[1.0], [0.0]])
    page = ag.explore(cost)
    held = facts(page)
    svg = page.html
    for i, edge in enumerate(held["edges"]):  # the number at an edge is the edge's
        group = re.search(rf'<g id="edge-{i}".*?class="weight">([^<]*)<', svg, re.DOTALL)
        assert group is not None
        assert group[1] == format_number(edge["weight"])
    for i, node in enumerate(held["nodes"]):
        group = re.search(rf'<g id="node-{i}".*?class="value">([^<]*)<', svg, re.DOTALL)
        assert group is not None
        assert group[1] == format_number(node["value"])


def test_labels_are_text() -> None:
    names = ["</script><script>alert(1)</script>", "<!--facts-->", "/*rows*/", "a & b \\n 'q' \"", "\u2028"]
    total = ag.sum(Value(float(i), name) for i, name in enumerate(names))
    page = ag.explore(total)
    shown = [*names[:-1], "\ufffd"]  # a line separator is not printed
    assert [node["name"] for node in facts(page)["nodes"][:-1]] == shown
    found = parts(page)
    assert sum(tag == "script" for tag, _ in found) == 3
    assert "alert(1)" not in re.sub(r"<text.*?</text>", "", page.html.replace(script(page, "facts"), ""))
    assert page.html.count("alert(1)") == page.html.replace("<script>alert", "").count("alert(1)")


def test_bad_arguments_are_refused(J: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match=r"explore: give a Value, not 3.0 of type float"):
        ag.explore(3.0)  # type: ignore[arg-type]  # as a user might
    with pytest.raises(ValueError, match="precision must be a whole number from 1 to 17, not 0"):
        ag.explore(J, precision=0)
    long = Value(1.0)
    for _ in range(300):
        long = -long
    with pytest.raises(ValueError, match="the graph has 301 nodes, and at most 300 can be read; explore a node inside"):
        ag.explore(long)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(ImportError, match=r'pip install "autograd_mini\[images\]"'):
        ag.explore(J)


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
    ((tag, attributes),) = frame.found
    assert tag == "iframe"
    assert attributes["srcdoc"] == page.html
    assert attributes["sandbox"] == "allow-scripts"
    assert f"height: {page.height}px" in (attributes["style"] or "")
    assert 460 <= page.height <= 900
    assert repr(page) == "<Explorer of J: save('J.html')>"
    assert repr(ag.explore(Value(1.0, "x y"))) == "<Explorer of x y: save('graph.html')>"


# The script, run by node.


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


ROWS = [*OPS.values(), dot_of(5), sum_of(4), cube]


def points(op: Op) -> Iterator[tuple[float, ...]]:
    draw = random.Random(op.name)
    for _ in range(40):
        yield tuple(draw.uniform(max(end.lo, -4.0), min(end.hi, max(end.lo, 0.0) + 4.0)) for end in op.domain)
    if op.arity <= 3:
        yield from itertools.product(SPECIAL if op.arity < 3 else SPECIAL[::2], repeat=op.arity)


def slopes_of(op: Op, xs: tuple[float, ...]) -> list[float]:
    """Return the partials, or none outside the domain."""
    try:
        z = op(*xs)
    except (ArithmeticError, ValueError):
        return []
    return [op.partial(i, xs, z) for i in range(op.arity)]


@needs_node
def test_every_row_computes_in_javascript_what_it_does_in_python() -> None:
    rows, without, asked, expected = _Rows(), [], [], []
    for op in ROWS:
        start = 0.5 if op.name == "atanh" else 1.0  # which is in every other row's domain
        try:
            place = rows.place(op(*(Value(start) for _ in range(op.arity))))
        except _Unwritten:
            without.append(op.name)
            continue
        for xs in points(op):
            asked.append(f"[{place}, [{', '.join(map(literal, xs))}]]")
            expected.append((op, xs, op.limit(*xs), slopes_of(op, xs)))
    assert without == ["digamma", "polygamma"]
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


@needs_node
@settings(max_examples=examples(6), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(dags(), min_size=4, max_size=8))
def test_numbers_and_derivations_are_the_engines(graphs: list[Dag]) -> None:
    def graph(dag: Dag, inputs: tuple[float, ...]) -> Value:
        f: Value = dag([Value(x, f"x{i}") for i, x in enumerate(inputs)])
        return f

    pages = [ag.explore(graph(dag, dag.inputs)) for dag in graphs]
    body = """
      const texts = engine.run(null), names = facts.nodes.map(node => node.name);
      const given = Object.fromEntries(engine.leaves.map(i => [i, facts.nodes[i].value / 2 + 0.25]));
      const now = engine.run(given);
      return [engine.differs(), names.map((_, i) => [engine.forward(texts, i), engine.derivation(texts, i)]),
              now.values, now.weights, now.slopes, engine.steps.length,
              engine.known(now, engine.steps.length - 1).slopes];
    """
    for dag, (differs, written, values, weights, slopes, steps, stepped) in zip(
        graphs, run_pages(pages, body), strict=True
    ):
        f = graph(dag, dag.inputs)
        order = ag.topological_order(f)
        assert differs is False
        assert [lines[1] for lines in written] == [ag.explain(f, node).text(width=None) for node in order]
        forward = ag.explain(f).text(max_lines=None).split("\n\n")[0].splitlines()[1:]
        assert [lines[0] for lines in written] == [line.strip() for line in forward]
        moved = graph(dag, tuple(x / 2 + 0.25 for x in dag.inputs))
        order = ag.topological_order(moved)
        expected = derivatives_of(moved, order)
        scale = 1.0 + max(abs(x) for node in order for x in (node.data, expected[node]) if math.isfinite(x))
        assert all(close(node.data, x, scale) for node, x in zip(order, values, strict=True))
        assert all(close(expected[node], x, scale) for node, x in zip(order, slopes, strict=True))
        partials = [d for node in order for d in node.partials]
        assert all(close(d, x, scale) for d, x in zip(partials, weights, strict=True))
        assert steps == 3 + sum(node.op is not None for node in order) + len(partials)
        assert stepped == slopes


@needs_node
def test_the_steps_in_words(J: Value) -> None:
    fan_out = ag.expression("s = x*y; z = s*x", x=3, y=-2)
    body = "const now = engine.run({}); return engine.steps.map((_, at) => engine.sentence(now, at))"
    first, second = run_pages([ag.explore(J), ag.explore(fan_out)], body)
    assert first == [
        "The leaves are given: a = 5, b = 3, c = 2.",
        "u = b · c = 3 · 2 = 6",
        "v = a + u = 5 + 6 = 11",
        "J = 3 · v = 3 · 11 = 33",
        "dJ/dJ = 1",
        "dJ/dv = 3",
        "dJ/da = dJ/dv · dv/da = 3 · 1 = 3",
        "dJ/du = dJ/dv · dv/du = 3 · 1 = 3",
        "dJ/db = dJ/du · du/db = 3 · c = 3 · 2 = 6",
        "dJ/dc = dJ/du · du/dc = 3 · b = 3 · 3 = 9",
        "Every edge has been used: dJ/da = 3, dJ/db = 6, dJ/dc = 9.",
    ]
    assert second[-4:-1] == [
        "dz/dx += ∂z/∂x = s = -6; now dz/dx = -6 so far, from 1 of 2 edges",
        "dz/dx += dz/ds · ∂s/∂x = 3 · y = 3 · (-2) = -6; now dz/dx = -6 + (-6) = -12, from all 2 edges",
        "dz/dy = dz/ds · ds/dy = 3 · x = 3 · 3 = 9",
    ]


@needs_node
def test_a_moved_leaf_rewrites_the_derivation(J: Value) -> None:
    body = "const now = engine.run({1: -4}); return [engine.forward(now, 5), engine.derivation(now, 2)]"
    moved = ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=-4, c=2)
    forward, derivation = run_pages([ag.explore(J)], body)[0]
    assert forward == "J = 3 · v = 3 · (-3) = -9"
    assert derivation == str(ag.explain(moved, "c")) == "dJ/dc = dJ/dv · dv/du · du/dc = 3 · 1 · b = 3 · 1 · (-4) = -12"


@needs_node
def test_nothing_is_told_before_its_step(J: Value) -> None:
    body = """const now = engine.run({});
      return engine.steps.map((_, at) => [4, 5, 1].map(i => [engine.told(now, at, i), engine.valueAt(now, at, i)]))"""
    told = run_pages([ag.explore(J)], body)[0]
    v, J_, b = 0, 1, 2
    assert told[0] == [
        ["v = a + u = ?\ndJ/dv = ?", "?"],
        ["J = 3 · v = ?\ndJ/dJ = ?", "?"],
        ["b = 3\ndJ/db = ?", "3"],
    ]
    assert [step[v][1] for step in told] == ["?", "?", *["11"] * 9]
    assert [step[J_][1] for step in told] == ["?", "?", "?", *["33"] * 8]
    derivation = "dJ/db = dJ/dv · dv/du · du/db = 3 · 1 · c = 3 · 1 · 2 = 6"
    assert [step[b][0].splitlines()[1] for step in told] == ["dJ/db = ?"] * 8 + [derivation] * 3
    fan_out = ag.expression("s = x*y; z = s*x", x=3, y=-2)
    body = "const now = engine.run({}); return engine.steps.map((_, at) => engine.slopeAt(now, at, 0))"
    slopes = run_pages([ag.explore(fan_out)], body)[0]
    assert slopes[:5] == ["?"] * 5
    assert slopes[5:] == ["-6 so far, from 1 of 2 edges"] + ["-12"] * (len(slopes) - 6)


@needs_node
def test_rules_are_written_with_the_moved_numbers() -> None:
    text = "s = sigmoid(w*x); z = s*w/x + x**3"
    body = "const now = engine.run({0: -2, 1: 0.5}); return [0, 1].map(leaf => engine.derivation(now, leaf))"
    moved = ag.expression(text, w=-2, x=0.5)
    found = run_pages([ag.explore(ag.expression(text, w=1, x=2))], body)[0]
    assert found == [ag.explain(moved, name).text(width=None) for name in "wx"]
    assert "(0.2689 · (1 - 0.2689))" in found[0]


@needs_node
def test_an_op_of_ones_own_that_branches_moves_on_with_its_leaves() -> None:
    def graph(x: float, y: float) -> Value:
        f: Value = ag.sin(bent(Value(x, "x"), Value(y, "y"))) + bent(Value(x, "c"), 2.0)
        return f

    page = ag.explore(graph(0.5, 3.0))
    assert facts(page)["frozen"] == ""
    assert len(page.html) < 150_000
    points = [(0.5, 3.0), (1.5, 3.0), (2.5, -1.0), (-1.0, 0.0), (0.0, 1.0), (7.0, 0.25)]
    moved = [graph(*xs) for xs in points]
    body = f"""return {[list(xs) for xs in points]}.map(([x, y]) => {{
      const now = engine.run({{0: x, 1: y, 4: x}});
      return [now.values, now.slopes, engine.differs()];
    }});"""
    for f, (values, slopes, differs) in zip(moved, run_pages([page], body)[0], strict=True):
        order = ag.topological_order(f)
        assert [node.label for node in order if node.op is None] == ["x", "y", "c"]
        assert not differs
        assert all(map(close, [node.data for node in order], values))
        assert all(map(close, derivatives_of(f, order).values(), slopes))


@needs_node
def test_an_excepted_point_has_no_formula() -> None:
    text = "h = hypot(x, y)"
    page = ag.explore(ag.expression(text, x=3, y=4))
    body = "return [[3, 4], [0, 0]].map(([x, y]) => engine.derivation(engine.run({0: x, 1: y}), 0))"
    assert run_pages([page], body)[0] == ["dh/dx = x / h = 3 / 5 = 0.6", "dh/dx = 0"]
    assert str(ag.explain(ag.expression(text, x=0, y=0), "x")) == "dh/dx = 0"


@needs_node
@pytest.mark.parametrize("text", ["y = log(x)", "y = sqrt(x)*2", "y = asin(x - 1)", "y = x**0.5", "y = acosh(x)"])
def test_outside_a_domain_there_is_no_slope(text: str) -> None:
    page = ag.explore(ag.expression(text, x=1.5))
    body = "const now = engine.run({0: -1.25}); return [now.values.at(-1), now.slopes[0], engine.derivation(now, 0)]"
    value, slope, derivation = run_pages([page], body)[0]
    assert math.isnan(value)
    assert math.isnan(slope)
    assert derivation.startswith("dy/dx = ")
    assert derivation.endswith("nan")


@needs_node
@pytest.mark.parametrize("precision", [1, 4, 17])
def test_numbers_are_written_as_in_python(precision: int) -> None:
    draw = random.Random(precision)
    numbers = [x * 10.0**k for k in range(-320, 308, 9) for x in (1.0, -draw.random(), 9.9999999)]
    numbers += [draw.uniform(-1e4, 1e4) for _ in range(500)] + [2.0**-k for k in range(60)]
    numbers += [0.015625, 2.5, 0.5, 12344.5, 12345.5, 9.99995, 1e7, 9999999.0, -0.0, 1e-5, 0.0001, 5e-324]
    page = ag.explore(Value(1.0), precision=precision)
    written = run_pages([page], f"return {numbers}.map(engine.format)")[0]
    assert written == [format_number(x, precision) for x in numbers]
    assert run_pages([page], "return [NaN, Infinity, -Infinity].map(engine.format)")[0] == ["nan", "inf", "-inf"]


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
def test_where_a_row_meets_a_pole() -> None:
    x, zero = Value(2.0, "x"), Value(0.0, "zero")
    pages = [ag.explore(f) for f in (ag.sqrt(zero), ag.xlogy(Value(0.0, "none"), 0.0), x * math.inf)]
    body = "return [engine.differs(), engine.run({}).weights]"
    assert run_pages(pages, body) == [[False, [math.inf]], [False, [-math.inf]], [False, [math.inf]]]


@needs_node
def test_numbers_that_the_page_cannot_repeat_are_noticed() -> None:
    left = ag.custom_rule(lambda x, z: 0.0)(lambda x: (int(x) * 3**40 + 1) % 7)  # beyond JavaScript's whole numbers
    y = left(Value(5.0, "x"))
    assert run_pages([ag.explore(y)], "return [engine.differs(), engine.run(null).values]") == [[True, [5.0, y.data]]]


# The page in a browser.


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    path = next((name for name in found if name), None)
    with api.sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except api.Error as error:
            pytest.skip(f"no Chromium starts: {str(error).splitlines()[0]}")
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open a page; anything it asks for or complains of is an error."""
    complaints: list[str] = []
    contexts = []

    def open_page(explorer: Explorer, **how: Any) -> Any:
        context = browser.new_context(**how)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: complaints.extend([request.url] * (not request.url.startswith("file:"))))
        page.goto(explorer.save(tmp_path / "page.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def test_stepping_in_a_browser(opened: Any, J: Value) -> None:
    page = opened(ag.explore(J))
    assert page.text_content("#node-3 .value") == "?"
    for _ in range(3):
        page.click("text=Step")
    assert page.text_content("#said") == "J = 3 · v = 3 · 11 = 33"
    assert page.text_content("#node-5 .value") == "33"
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.text_content("#said") == "dJ/db = dJ/du · du/db = 3 · c = 3 · 2 = 6"
    page.wait_for_function("document.getElementById('live').textContent.startsWith('dJ/db = dJ/du')")
    assert page.locator(".edge.now").get_attribute("id") == "edge-0"
    assert page.locator(".node.now").get_attribute("id") == "node-3"
    assert page.locator(".node.into").get_attribute("id") == "node-1"
    assert page.text_content("#node-1 .slope").replace("\xa0", " ") == "dJ/db = 6"
    assert page.text_content("#node-2 .slope").replace("\xa0", " ") == "dJ/dc = ?"
    page.keyboard.press("Shift+ArrowLeft")
    assert page.text_content("#said") == "dJ/da = dJ/dv · dv/da = 3 · 1 = 3"
    page.keyboard.press("End")
    assert page.text_content("#at") == "Step 11 of 11: end"
    assert page.get_attribute("[data-go=step]", "aria-disabled") == "true"
    page.keyboard.press("Home")
    assert page.text_content("#said").startswith("The leaves are given")


def test_fan_out_in_a_browser(opened: Any) -> None:
    page = opened(ag.explore(ag.expression("s = x*y; z = s*x", x=3, y=-2)))
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.text_content("#said").startswith("dz/dx += ∂z/∂x = s = -6")
    assert page.text_content("#node-0 .slope").replace("\xa0", " ") == "dz/dx += -6"
    page.keyboard.press("ArrowRight")
    assert page.text_content("#node-0 .slope").replace("\xa0", " ") == "dz/dx += -6"
    page.keyboard.press("ArrowRight")
    assert page.text_content("#node-0 .slope").replace("\xa0", " ") == "dz/dx = -12"


def test_sliders_and_derivations_in_a_browser(opened: Any) -> None:
    f = ag.expression("p = sigmoid(w*x + b); L = -log(p) + 0.01*w**2", w=2, x=-0.5, b=0.1)
    page = opened(ag.explore(f))
    page.keyboard.press("End")
    at = page.text_content("#at")
    page.focus("#leaf-0")
    page.keyboard.press("ArrowRight")  # moves the slider and not the step
    w = float(page.input_value("#leaf-0"))
    assert w > 2
    assert page.text_content("#at") == at
    moved = ag.expression("p = sigmoid(w*x + b); L = -log(p) + 0.01*w**2", w=w, x=-0.5, b=0.1)
    slopes = derivatives_of(moved, ag.topological_order(moved))
    for i, (node, slope) in enumerate(slopes.items()):
        assert page.text_content(f"#node-{i} .value") == format_number(node.data)
        assert page.locator(f"#node-{i} .slope").last.text_content().endswith(f"= {format_number(slope)}")
    assert page.text_content("#result") == f"L = {format_number(moved.data)}"
    page.hover("#node-1")
    assert page.text_content("#of") == "Derivation of dL/dx"
    assert page.text_content("#derivation") == f"x = -0.5\n{ag.explain(moved, 'x').text(width=None)}"
    page.focus("#node-0")
    assert page.text_content("#derivation") == f"w = {format_number(w)}\n{ag.explain(moved, 'w').text(width=None)}"
    page.wait_for_function("document.getElementById('live').textContent.includes('dL/dw')")
    page.fill(".leaf:nth-child(2) input[type=number]", "1e3")
    assert page.text_content("#node-1 .value") == "1000"
    page.click("#reset")
    assert page.text_content("#result") == f"L = {format_number(f.data)}"


def test_sliders_of_an_op_of_ones_own_that_branches_in_a_browser(opened: Any) -> None:
    page = opened(ag.explore(bent(Value(0.5, "x"), Value(3.0, "y"))))
    page.keyboard.press("End")
    assert page.is_hidden("#frozen")
    assert page.text_content("#result") == "f = 1.5"
    page.fill("#leaf-0", "1.5")
    assert page.text_content("#result") == f"f = {format_number(bent(1.5, 3.0))}" == "f = 6"
    slopes = [page.text_content(f"#node-{i} .slope").replace("\xa0", " ") for i in (0, 1)]
    assert slopes == ["df/dx = 6", "df/dy = 2"]
    page.focus("#leaf-0")
    page.keyboard.press("Home")
    assert page.text_content("#result") == "f = 0"


def test_a_page_that_is_loaded_out_of_sight_in_a_browser(opened: Any, J: Value, tmp_path: Path) -> None:
    page = opened(ag.explore(J))
    (tmp_path / "notebook.html").write_text(f"<div id=cell hidden>{ag.explore(J)._repr_html_()}</div>", "utf-8")
    page.goto((tmp_path / "notebook.html").as_uri())
    inside = page.frame_locator("iframe")
    page.eval_on_selector("iframe", "frame => { frame.loading = 'eager'; }")
    inside.locator("#node-5 .slope").wait_for(state="attached")
    page.eval_on_selector("#cell", "cell => { cell.hidden = false; }")
    page.wait_for_timeout(500)  # and no step, which would write the boxes anew
    for i in range(6):
        box = inside.locator(f"#node-{i} :is(path, polygon)").first.bounding_box()
        for text in inside.locator(f"#node-{i} text").all():
            found = text.bounding_box()
            assert box["x"] < found["x"]
            assert found["x"] + found["width"] < box["x"] + box["width"]


def test_what_is_off_in_a_browser(opened: Any) -> None:
    page = opened(ag.explore(ag.digamma(Value(2.5, "x"))))
    assert page.is_disabled("#leaf-0")
    assert "The sliders are off: polygamma has no function in JavaScript: _scipy" in page.text_content("#frozen")
    page.keyboard.press("End")
    assert page.text_content("#node-0 .slope").replace("\xa0", " ") == "df/dx = 0.4904"
    odd = "</script><script>console.log('ran')</script>"
    page = opened(ag.explore(Value(2.0, odd) * 2))
    assert page.text_content(".leaf label") == odd


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phones_and_themes_in_a_browser(opened: Any, scheme: str) -> None:
    f = ag.expression("p = sigmoid(w*x + b); -(y*log(p) + (1 - y)*log(1 - p))", w=2, x=-0.5, b=0.1, y=1)
    page = opened(ag.explore(f), viewport={"width": 360, "height": 700}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 360  # the picture scrolls, the page does not
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "(() => { const box = document.querySelector('.node.now').getBoundingClientRect();"
        " return box.left >= 0 && box.right <= 360; })()"
    )
    ink, ground = page.evaluate(
        "(() => { const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]"
        ".map(text => text.match(/\\d+/g).slice(0, 3).reduce((x, y) => x + Number(y), 0)); })()"
    )
    assert (ink < ground) is (scheme == "light")
    assert abs(ink - ground) > 500
