"""The page that removes nodes: its numbers, sentences and verdicts, and what a reader does in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from node import needs_node, run
from pages import facts, parts, plain, script
from strategies import examples
from test_elimination import graphs, hourglass

import autograd_mini as ag
from autograd_mini import Explorer, Value
from autograd_mini.accumulation import ORDERS
from autograd_mini.elimination import Elimination
from autograd_mini.pages import elimination as page_module
from autograd_mini.pages.templates import markup
from autograd_mini.pages.words import OF_ELIMINATION
from autograd_mini.pictures.typeset import Typeset


def exercise() -> tuple[list[Value], list[Value]]:
    """Return the graph of the exercise: two inputs, two outputs, five nodes between them."""
    p, q = Value(1.0, "p"), Value(2.0, "q")
    a = ag.sin(q)
    b = ag.sin(p)
    c = ag.sin(a)
    d = a * q
    e = b * d
    y, z = e * b, c * d
    for name, node in {"a": a, "b": b, "c": c, "d": d, "e": e, "y": y, "z": z}.items():
        node.label = name
    return [y, z], [p, q]


def run_page(page: Explorer, body: str) -> Any:
    """Run a body that has the page's own `facts`, `elimination` and `removal`."""
    return run(
        f"{script(page, 'elimination')}; const facts = {script(page, 'facts')}; "
        f"const elimination = makeElimination(facts), removal = makeRemoval(elimination, facts); {body}"
    )


# The page.


def test_the_page_is_whole_and_asks_for_nothing_else() -> None:
    page = ag.eliminate(*exercise()).explore()
    found = parts(page.html)
    assert not any({"src", "href", "action"} & set(attributes) for _, attributes in found)
    text = page.html.replace('"http://www.w3.org/2000/svg"', "")  # a name, which no browser asks for
    assert not re.search(r"https?:|@import|url\((?!#)|fetch\(|XMLHttp|import\(|\beval\(|new Function", text)
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "<title>Elimination of y, z</title>" in page.html
    assert repr(page) == "<Elimination of y: save('y.html')>"
    assert len(page.html) < 80_000


def test_the_facts() -> None:
    outputs, inputs = exercise()
    held = facts(ag.eliminate(outputs, inputs, "reverse").explore())
    names = [plain(node["name"]) for node in held["nodes"]]
    assert sorted(names) == sorted(["p", "q", "a", "b", "c", "d", "e", "y", "z"])
    assert names[: held["inputs"]] == ["p", "q"]
    assert [names[z] for z in held["outputs"]] == ["y", "z"]
    edges = {"pb", "qa", "qd", "ad", "ac", "be", "by", "de", "dz", "ey", "cz"}
    assert {names[p] + names[v] for v, p, _ in held["edges"]} == edges
    assert (held["order"], held["chosen"], held["start"]) == ("reverse", [], "watch")
    own = facts(ag.eliminate(outputs, inputs, list("acdeb")).explore(quiz=True))
    assert (own["order"], [names[i] for i in own["chosen"]], own["start"]) == ("own", list("acdeb"), "quiz")
    for layout in held["places"].values():
        assert len(layout["boxes"]) == len(names)
        assert all(0 < x < layout["width"] and 0 < y < layout["height"] for x, y, _, _ in layout["boxes"])
    across = [x for x, *_ in held["places"]["wide"]["boxes"]]
    ends = [*range(held["inputs"])], held["outputs"]
    assert max(across[i] for i in ends[0]) < min(x for i, x in enumerate(across) if i >= 2)
    assert min(across[i] for i in ends[1]) > max(x for i, x in enumerate(across) if i not in held["outputs"])


def test_labels_are_text() -> None:
    x = Value(2.0, "</script><img src=x>")
    u = ag.sin(x)
    u.label = "/*rows*/"
    page = ag.eliminate(ag.exp(u), x).explore()
    assert "<img" not in page.html.replace(script(page, "facts"), "")
    assert [plain(node["name"]) for node in facts(page)["nodes"]] == [x.label, u.label, "f"]


def test_what_cannot_be_read_is_refused() -> None:
    x = Value(1.0, "x")
    y = x
    for _ in range(61):
        y = ag.sin(y)
    with pytest.raises(ValueError, match=r"^explore: the graph has 62 nodes, and at most 60 can be read"):
        ag.eliminate(y, x).explore()
    leaves = [Value(1.0 + i) for i in range(20)]
    made = ag.eliminate([ag.sum(leaves) for _ in range(11)], leaves)
    with pytest.raises(ValueError, match=r"^explore: the graph has 220 edges, and at most 200 can be read"):
        made.explore()
    with pytest.raises(ValueError, match=r"^explore: no output depends on an input"):
        ag.eliminate(ag.stop_gradient(x) * 2.0, x).explore()
    for precision in (0, 18, 2.5, True):
        with pytest.raises(
            ValueError, match=f"^explore: precision must be a whole number from 1 to 17, not {precision}"
        ):
            ag.eliminate(ag.sin(x), x).explore(precision=precision)  # type: ignore[arg-type]  # as a user might


# Sentences.

MADE = {f"{kind} {order}" for kind in ("order", "name") for order in ("forward", "reverse", "markowitz", "own")}


def test_every_sentence_is_used_and_exists() -> None:
    folder = Path(page_module.__file__).parent
    code = "\n".join(
        re.sub(r"//.*", "", (folder / f"{name}.js").read_text("utf-8")) for name in ("removal", "stage", "eliminating")
    )
    strings = set(re.findall(r'"([^"\n]*)"', code))
    several = {key for word in re.findall(r'many\([^"]*"(\w+)"\)', code) for key in (f"one {word}", f"{word}s")}
    found = strings | MADE | several | {f"{key} more" for key in strings}
    assert [key for key in OF_ELIMINATION if key not in found] == []
    said = set(re.findall(r'\bsay\("([^"]+)"', code)) | MADE | several
    said |= set(re.findall(r'say\(\w+ \? "([^"]+)"', code)) | set(re.findall(r'say\([^"()]*"[^"]+" : "([^"]+)"', code))
    assert len(said) > 40
    assert sorted(said - OF_ELIMINATION.keys()) == []


# Numbers.


def steps_of(made: Elimination) -> list[Any]:
    """Return the steps as the page has them."""
    place = {v: i for i, v in enumerate([*made.graph.inputs, *made.graph.edges])}
    of_node = {node: v for v, node in enumerate(made.graph.nodes)}
    return [
        [
            place[of_node[step.node]],
            step.edges,
            [[place[x.parent], place[x.user], x.before, x.outer, x.inner, x.after] for x in step.products],
        ]
        for step in made.steps
    ]


STEPS = """steps.map(({node, products, after}) => [node, elimination.size(after),
  products.map(x => [x.parent, x.user, x.before ?? null, x.outer, x.inner, x.after])])"""


def same(x: Any, y: Any) -> bool:
    if isinstance(x, list):
        return len(x) == len(y) and all(map(same, x, y))
    return bool(x == y or (x != x and y != y))


@needs_node
@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), st.data())
def test_the_steps_are_those_of_eliminate(ends: Any, data: st.DataObject) -> None:
    by_hand = data.draw(st.permutations([step.node for step in ag.eliminate(*ends).steps]))
    outputs, inputs = ends
    orders: list[Any] = ["forward", "reverse", "markowitz", by_hand]
    each = [ag.eliminate(outputs, inputs, order) for order in orders]
    assume(any(z is not None for z in each[-1].graph.outputs))
    body = f"""return [...elimination.ORDERS.map(elimination.inOrder), facts.chosen].map(chosen => {{
      const steps = elimination.steps(chosen), {{multiplications, additions}} = elimination.cost(steps);
      const end = steps.at(-1)?.after ?? elimination.first;
      const jacobian = elimination.outputs.map(z =>
        Array.from({{length: elimination.inputs}}, (_, x) => elimination.entry(end, z, x)));
      return [{STEPS}, multiplications, additions, jacobian];
    }})"""
    for made, (steps, multiplications, additions, jacobian) in zip(
        each, run_page(each[-1].explore(), body), strict=True
    ):
        assert same(steps, steps_of(made))
        assert (multiplications, additions) == (made.multiplications, made.additions)
        rows = [row for row, z in zip(made.rows, made.graph.outputs, strict=True) if z is not None]
        assert same(jacobian, [[row.get(x, 0.0) for x in made.graph.inputs] for row in rows])


@needs_node
@pytest.mark.parametrize("order", [*ORDERS, list("acdeb")])
def test_the_sentences_are_those_of_the_text(order: Any) -> None:
    made = ag.eliminate(*exercise(), order)
    body = """const chosen = facts.order === 'own' ? facts.chosen : elimination.inOrder(facts.order);
      const steps = elimination.steps(chosen);
      return steps.flatMap(step => removal.told(step).slice(1));"""
    # The page writes e·b as eb, and 1e-07 as a power of ten: of names and numbers like these there are none.
    lines = [line.strip() for line in made.text().splitlines() if line.startswith("   ")]
    assert [line.replace("−", "-") for line in plain(run_page(made.explore(), body))] == lines


@needs_node
def test_special_numbers() -> None:
    x = Value(0.0, "x")
    u = ag.sqrt(x)
    u.label = "u"
    body = "return elimination.steps(elimination.inOrder('forward')).map(removal.told)"
    [(_, line)] = run_page(ag.eliminate(u * u, x).explore(), body)
    assert plain(line) == "∂f/∂x = ∂f/∂u · ∂u/∂x = 0 · ∞ = nan"


# Questions.


@needs_node
def test_answers_are_judged_and_wrong_ones_explained() -> None:
    y, x = exercise()
    made = ag.eliminate(y, x, list("debac"))
    body = """const [step] = elimination.steps(facts.chosen);
      return removal.questions(step).map(question => [removal.ask(step, question), removal.solution(step, question),
        answers.map(text => {
          const {right, isUnread, key, text: more} = removal.check(step, question, text);
          return right ? 'right' : isUnread ? 'unread' : `${key}: ${more}`;
        })])"""
    found = run_page(made.explore(), f"const answers = ['4', '2', '3', 'x', '', '1/0', '77']; {body}")
    ask, solution, verdicts = found[0]
    assert plain(ask) == "How many multiplications does it take to remove d?"
    assert solution == "2 · 2 = 4"
    assert verdicts[0] == "right"
    assert verdicts[1] == "count one side: 2 edges in times 2 edges out: each pair takes one multiplication."
    assert verdicts[3:5] == ["unread", "unread"]
    assert plain(verdicts[5]).startswith("not counted: Count the edges into d")
    assert len(found) == 4  # the count, and three products


@needs_node
def test_a_product_that_is_added() -> None:
    a, b, c = Value(5, "a"), Value(3, "b"), Value(2, "c")
    u = b * c
    u.label = "u"
    J = (a + u) * b
    J.label = "J"
    made = ag.eliminate(J, [a, b, c], order="reverse")
    body = """const step = elimination.steps(elimination.inOrder('reverse'))[1];
      const question = removal.questions(step)[1];
      return [removal.ask(step, question), ...['17', '11 + 3·2', '6', '11', '16', '3', '-17', '5', '99'].map(text =>
        removal.check(step, question, text).key ?? 'right')]"""
    ask, *keys = run_page(made.explore(), body)
    assert plain(ask) == "u is removed. ∂J/∂b was 11. What is it now?"
    assert keys == [
        "right", "right", "not added", "not multiplied", "sum", "one factor", "sign", "sum", "not yet",
    ]  # fmt: skip


# In a browser.


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open a page; anything it asks for or complains of is an error."""
    complaints: list[str] = []
    contexts = []

    def open_page(explorer: Explorer, **how: Any) -> Any:
        context = browser.new_context(**{"reduced_motion": "reduce", **how})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(explorer.save(tmp_path / "page.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def names_shown(page: Any) -> list[str]:
    return [str(x) for x in page.locator(".box:not(.gone) .formula").all_text_contents()]


def work(page: Any, order: str) -> list[str]:
    found = page.locator("#work tr", has_text=order).locator("td").all_text_contents()
    return [str(x) for x in found]


def box(i: int) -> str:
    return f'.box[data-node="{i}"]'


def test_the_graph_shrinks_to_the_jacobian(opened: Any) -> None:
    made = ag.eliminate(*exercise(), "reverse")
    page = opened(made.explore())
    assert page.text_content("#ask") == "11 edges, 5 nodes to remove"
    for k, step in enumerate(made.steps, 1):
        page.click("[data-go=step]")
        assert page.text_content("#ask") == f"{made.names[step.node]} is removed"
        assert page.locator(".arrow path").count() == step.edges
        assert page.locator(".arrow.fresh path").count() == len({(x.user, x.parent) for x in step.products})
        assert len(names_shown(page)) == 9 - k
    assert page.get_attribute("[data-go=step]", "aria-disabled") == "true"
    assert sorted(names_shown(page)) == ["p", "q", "y", "z"]
    assert page.locator("#jacobian td").all_text_contents() == [
        re.sub("<[^>]*>", "", markup(Typeset.number(float(x), 4).string)) for row in made.jacobian for x in row
    ]
    assert work(page, "Reverse") == ["10", "4"]
    assert "10 multiplications, 4 additions in all" in page.text_content("#said")
    page.keyboard.press("Home")
    assert len(names_shown(page)) == 9


def test_an_order_of_ones_own_beats_the_others(opened: Any) -> None:
    page = opened(ag.eliminate(*exercise()).explore())
    place = {plain(node["name"]): i for i, node in enumerate(facts(ag.eliminate(*exercise()).explore())["nodes"])}
    page.hover(box(place["d"]))
    assert page.text_content("#counts") == "d: 2 edges in, 2 edges out, so 4 multiplications to remove it."
    assert page.locator(".arrow.goes path").count() == 4
    for name in "acde":
        page.click(box(place[name]))
    assert page.get_attribute("[data-order=own]", "aria-pressed") == "true"
    assert work(page, "Yours")[0].endswith("so far")
    page.focus(box(place["b"]))
    page.keyboard.press("Enter")
    assert work(page, "Yours")[0] == "8"
    assert "That is fewer than forward, reverse and Markowitz's order need." in page.text_content("#said")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.click(box(place["b"]))  # another way from here
    assert page.text_content("#at") == "Step 4 of 5"
    page.click("[data-order=forward]")
    assert page.text_content("#at") == "Step 0 of 5"
    page.keyboard.press("End")
    assert work(page, "Forward") == ["9", "3"]
    assert work(page, "Yours")[0] == "7 so far"  # is kept
    page.click("[data-order=own]")
    assert page.text_content("#at") == "Step 4 of 5"


def test_a_quiz_tells_nothing_before_its_time(opened: Any) -> None:
    made = ag.eliminate(*hourglass(), "markowitz")
    page = opened(made.explore(quiz=True))
    assert [work(page, order)[0] for order in ("Forward", "Reverse")] == ["?", "?"]
    page.click("[data-go=step]")
    assert page.text_content("#ask") == "How many multiplications does it take to remove a0?"
    assert page.get_attribute("[data-go=step]", "aria-disabled") == "true"
    assert page.text_content("#said") == ""
    page.hover(box(3))
    assert "multiplication" not in page.text_content("#counts")
    assert page.locator('.box[aria-label*="multiplication"]').count() == 0
    page.fill("#answer", "2")
    page.click("#form .go")
    assert page.text_content("#verdict").startswith("Did you add?")
    page.fill("#answer", "1")
    page.keyboard.press("Enter")
    assert page.text_content("#said") == "1 · 1 = 1"
    page.click("[data-go=step]")
    assert page.text_content("#ask") == "a0 is removed. What is the new ∂s/∂x0?"
    assert page.locator(".arrow path").count() == 12  # the step is still to come
    page.click("#show")
    assert page.text_content("#said").endswith("= 0.9553")
    page.click("[data-go=step]")
    assert page.locator(".arrow path").count() == 11
    for _ in range(60):
        if page.is_visible("#show"):
            page.click("#show")
        if page.get_attribute("[data-go=step]", "aria-disabled") == "true":
            break
        page.click("[data-go=step]")
    assert re.search(r"0 of \d+ right at the first try\.", page.text_content("#said"))
    assert work(page, "Markowitz") == ["15", "0"]
    assert work(page, "Forward")[0] == "?"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(opened: Any, scheme: str) -> None:
    page = opened(ag.eliminate(*exercise()).explore(), viewport={"width": 390, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for button in page.locator("button:visible").all():
        found = button.bounding_box()
        assert found["x"] >= 0
        assert found["x"] + found["width"] <= 390
    page.keyboard.press("End")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_presenting_and_playing(opened: Any) -> None:
    page = opened(ag.eliminate(*exercise()).explore())
    page.keyboard.press("p")
    assert not page.is_visible("#work")
    page.keyboard.press("ArrowRight")
    assert page.text_content("#ask").endswith("is removed")
    page.keyboard.press("p")
    assert page.is_visible("#work")
    page.select_option("#speed", "4")
    page.click("#play")
    page.wait_for_function("document.getElementById('at').textContent === 'Step 5 of 5'")
    assert page.get_attribute("#play", "aria-pressed") == "false"


def test_no_number_covers_another_or_a_box(opened: Any) -> None:
    page = opened(ag.eliminate(*exercise()).explore(), viewport={"width": 1280, "height": 900})
    body = """() => {
      const rects = selector => [...document.querySelectorAll(selector)].map(x => x.getBoundingClientRect());
      const pills = rects('.arrow rect'), boxes = rects('.box:not(.gone) .outline');
      const over = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
      const pairs = pills.flatMap((a, i) => [...pills.slice(i + 1), ...boxes].filter(b => over(a, b)));
      return pairs.length;
    }"""
    for order in ORDERS:
        page.click(f"[data-order={order}]")
        for _ in range(6):
            assert page.evaluate(body) == 0
            page.keyboard.press("ArrowRight")


def test_a_quiz_of_ones_own_order_asks_for_the_node_that_was_chosen(opened: Any) -> None:
    made = ag.eliminate(*exercise(), list("acdeb"))
    page = opened(made.explore(quiz=True))
    assert page.text_content("#said") == "a is removed next."  # as given, but another may be chosen
    place = {plain(node["name"]): i for i, node in enumerate(facts(made.explore())["nodes"])}
    page.click(box(place["e"]))
    assert page.text_content("#ask") == "How many multiplications does it take to remove e?"
    page.click(box(place["d"]))  # while a question is open it is the one that is asked
    assert page.text_content("#ask") == "How many multiplications does it take to remove e?"
    page.fill("#answer", "2")
    page.keyboard.press("Enter")
    for _ in range(2):
        page.click("[data-go=step]")
        page.click("#show")
    page.click("[data-go=step]")
    assert page.text_content("#ask") == "e is removed"
    assert page.get_attribute("[data-go=step]", "aria-disabled") == "true"  # the reader's order ends here
    assert "Choose a node to remove." in page.text_content("#said")


def test_a_graph_without_nodes_to_remove(opened: Any) -> None:
    x = Value(2.0, "x")
    page = opened(ag.eliminate([ag.sin(x), x], x).explore())
    assert page.text_content("#ask") == "1 edge, 0 nodes to remove"
    assert page.locator("#jacobian td").all_text_contents() == ["−0.4161", "1"]
    assert "0 multiplications, 0 additions in all" in page.text_content("#said")
