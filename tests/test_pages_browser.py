"""The page in a browser: what a reader sees, clicks and hears."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import fan_out, formula

import autograd_mini as ag
from autograd_mini import Explorer, Value, nn
from autograd_mini.edges import derivatives_of
from autograd_mini.pages.templates import markup
from autograd_mini.pictures.typeset import Typeset
from autograd_mini.printing import names_of

LOSS = "p = sigmoid(w*x + b); -(y*log(p) + (1 - y)*log(1 - p))"


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open a page; anything it asks for or complains of is an error."""
    complaints: list[str] = []
    contexts = []

    def open_page(explorer: Explorer | str, **how: Any) -> Any:
        context = browser.new_context(**{"reduced_motion": "reduce", **how})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: complaints.extend([request.url] * (not request.url.startswith("file:"))))
        path = tmp_path / "page.html"
        path.write_text(explorer if isinstance(explorer, str) else explorer.html, "utf-8")
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def net_cost() -> Value:
    net = nn.MLP(2, [2, 1], output="sigmoid", rng=0)
    return nn.cost(net, [[1.0, 2.0], [0.5, -1.0]], [[1.0], [0.0]])


def text_of(page: Any, selector: str) -> str:
    """Return the text of an element, each space a plain one."""
    return str(page.text_content(selector)).replace("\xa0", " ").replace("\u2009", "")


def box(i: int, part: str = "", picture: str = "picture") -> str:
    return f'#{picture} .box[data-node="{i}"] {part}'.strip()


def press(page: Any, key: str, times: int = 1) -> None:
    for _ in range(times):
        page.keyboard.press(key)


def number(x: float) -> str:
    """Return a number as a box shows it."""
    return re.sub("<[^>]*>", "", markup(Typeset.number(float(x), 4).string))


def assert_all_numbers(page: Any, moved: Value) -> None:
    """Check the numbers of all boxes against the engine's, at the end of the reverse pass."""
    order = ag.topological_order(moved)
    names = names_of(order, moved)
    for i, (node, slope) in enumerate(derivatives_of(moved, order).items()):
        assert text_of(page, box(i, ".value")) == number(node.data)
        name = re.sub("<[^>]*>", "", markup(Typeset.derivative(names[moved], names[node]).string))
        assert text_of(page, box(i, ".slope")) == f"{name} = {number(slope)}".replace("\u2009", "")


# Steps.


def test_stepping_with_buttons_and_keys(opened: Any) -> None:
    page = opened(ag.explore(formula()))
    assert [text_of(page, box(i, ".value")) for i in range(6)] == ["5", "3", "2", "?", "?", "?"]
    assert text_of(page, "#said") == "The leaves are given: a = 5, b = 3, c = 2."
    assert text_of(page, "#at") == "Step 1 of 11"
    assert page.get_attribute("[data-go=back]", "aria-disabled") == "true"
    for _ in range(3):
        page.click("text=Next")
    assert text_of(page, "#said") == "J = 3v = 3 · 11 = 33"
    assert text_of(page, box(5, ".value")) == "33"
    assert page.get_attribute("[data-mode=values]", "aria-pressed") == "true"
    page.click("text=Back")
    assert text_of(page, box(5, ".value")) == "?"
    press(page, "ArrowRight", 6)
    assert text_of(page, "#said") == "dJ/db = dJ/du · du/db = 3 · c = 3 · 2 = 6"
    assert page.get_attribute("[data-mode=reverse]", "aria-pressed") == "true"
    page.wait_for_function("document.getElementById('live').textContent.startsWith('dJ/db = dJ/du')")
    assert page.locator("#picture .arrow.now").get_attribute("data-edge") == "0"
    assert page.locator("#picture .box.now").get_attribute("data-node") == "3"
    assert page.locator("#picture .box.into").get_attribute("data-node") == "1"
    assert text_of(page, box(1, ".slope")) == "dJ/db = 6"
    assert text_of(page, box(2, ".slope")) == "dJ/dc = ?"
    assert text_of(page, '#picture .arrow[data-edge="0"] text') == "∂u/∂b = c = 2"
    assert text_of(page, '#picture .arrow[data-edge="1"] text') == "∂u/∂c"
    page.keyboard.press("Shift+ArrowLeft")
    assert text_of(page, "#said") == "dJ/da = dJ/dv · dv/da = 3 · 1 = 3"
    page.keyboard.press("Shift+ArrowRight")
    assert text_of(page, "#said").startswith("dJ/db = ")
    page.keyboard.press("End")
    assert text_of(page, "#at") == "Step 11 of 11"
    assert text_of(page, "#said") == "All derivatives are found: dJ/da = 3, dJ/db = 6, dJ/dc = 9."
    assert page.get_attribute("[data-go=step]", "aria-disabled") == "true"
    press(page, "ArrowRight")
    assert text_of(page, "#at") == "Step 11 of 11"
    assert_all_numbers(page, formula())
    page.keyboard.press("Home")
    assert text_of(page, "#said").startswith("The leaves are given")
    page.click("[data-mode=reverse]")
    assert text_of(page, "#said") == "dJ/dJ = 1"
    assert text_of(page, "#where").startswith("Reverse mode: one pass gives the derivatives of J")
    page.click("[data-mode=values]")
    assert text_of(page, "#at") == "Step 1 of 11"
    assert text_of(page, "#where") == "Values, from left to right"


def test_ids_are_unique_once_the_page_has_drawn(opened: Any) -> None:
    page = opened(ag.explore(formula(), beside="overwrite"))
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))


def test_a_sum_that_goes_on_says_so(opened: Any) -> None:
    page = opened(ag.explore(fan_out()))
    press(page, "ArrowRight", 4)
    assert text_of(page, box(0, ".slope")) == "dz/dx = ?"
    press(page, "ArrowRight")
    assert text_of(page, "#said").startswith("dz/dx += ∂z/∂x = s = −6")
    assert text_of(page, box(0, ".slope")) == "dz/dx = −6 + …"
    press(page, "ArrowRight")
    assert text_of(page, box(0, ".slope")) == "dz/dx = −12"


def test_pointing_at_a_box_and_focusing_it_derives_its_derivative(opened: Any) -> None:
    page = opened(ag.explore(formula()))
    page.hover(box(1))
    assert text_of(page, "#of") == "dJ/db"
    assert text_of(page, "#derivation") == "b = 3\ndJ/db = ?"
    page.keyboard.press("End")
    assert text_of(page, "#derivation") == "b = 3\ndJ/db = dJ/dv · dv/du · du/db = 3 · 1 · c = 3 · 1 · 2 = 6"
    page.focus(box(4))
    assert text_of(page, "#derivation") == "v = a + u = 5 + 6 = 11\ndJ/dv = 3"


def test_playing_and_pausing(opened: Any) -> None:
    page = opened(ag.explore(formula()))
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # so that only `run_for` lets time pass
    page.click("#play")
    assert "Pause" in text_of(page, "#play")
    page.clock.run_for(3300)
    assert text_of(page, "#at") == "Step 3 of 11"
    page.click("#play")
    page.clock.run_for(5000)
    assert text_of(page, "#at") == "Step 3 of 11"
    page.select_option("#speed", "4")
    page.locator("body").press("Space")
    page.clock.run_for(850)
    assert text_of(page, "#at") == "Step 5 of 11"
    press(page, "ArrowLeft")  # a step by hand ends it
    page.clock.run_for(5000)
    assert text_of(page, "#at") == "Step 4 of 11"
    page.click("#play")
    page.clock.run_for(60_000)
    assert text_of(page, "#at") == "Step 11 of 11"
    assert page.get_attribute("#play", "aria-pressed") == "false"
    page.click("#play")  # from the start again
    assert text_of(page, "#at") == "Step 1 of 11"


def test_forward_mode(opened: Any) -> None:
    page = opened(ag.explore(formula()))
    page.select_option("#leaf", label="c")
    page.click("[data-mode=forward]")
    assert text_of(page, "#said") == "dc/dc = 1, and 0 for every other leaf"
    assert [text_of(page, box(i, ".slope")) for i in (0, 2, 3)] == ["da/dc = 0", "dc/dc = 1", "du/dc = ?"]
    assert "with respect to c" in text_of(page, "#where")
    press(page, "ArrowRight")
    assert text_of(page, "#said") == "du/dc = b = 3"
    assert page.locator("#picture .arrow.now").get_attribute("data-edge") == "1"
    page.keyboard.press("End")
    assert text_of(page, "#said") == "c has been followed to the output: dJ/dc = 9."
    assert [text_of(page, box(i, ".slope")) for i in (3, 4, 5)] == ["du/dc = 3", "dv/dc = 3", "dJ/dc = 9"]
    assert text_of(page, "#counts").startswith("Multiplications: 4 in reverse mode, for all 3 leaves at once; 2 in")
    page.select_option("#leaf", label="a")
    assert text_of(page, "#said") == "da/da = 1, and 0 for every other leaf"
    page.locator("body").press("r")
    assert text_of(page, "#said") == "dJ/dJ = 1"


def test_another_output(opened: Any) -> None:
    page = opened(ag.explore(formula()))
    page.keyboard.press("End")
    page.select_option("#output", label="v")
    assert text_of(page, "#said") == "dv/dv = 1"
    page.keyboard.press("End")
    assert text_of(page, "#said") == "All derivatives are found: dv/da = 1, dv/db = 2, dv/dc = 3."
    assert text_of(page, box(1, ".slope")) == "dv/db = 2"
    assert text_of(page, "#result") == "v = 11"
    unused = page.locator("#picture .box.unused")
    assert unused.count() == 1
    assert unused.get_attribute("data-node") == "5"
    assert text_of(page, ".leaf:nth-child(3) span.m") == "dv/dc = 3"
    assert page.is_hidden(box(5, ".band"))  # J has no derivative that is asked for
    assert text_of(page, box(5, ".slope")) == ""
    assert page.is_visible(box(4, ".band"))
    assert page.evaluate("document.getElementById('result').tagName") == "SPAN"


# Leaves.


def test_sliders_and_number_boxes_recompute_all_numbers(opened: Any) -> None:
    text = "p = sigmoid(w*x + b); L = -log(p) + 0.01*w**2"
    f = ag.expression(text, w=2, x=-0.5, b=0.1)
    page = opened(ag.explore(f))
    page.keyboard.press("End")
    at = text_of(page, "#at")
    page.focus("#leaf-0")
    page.keyboard.press("ArrowRight")  # moves the slider and not the step
    w = float(page.input_value("#leaf-0"))
    assert w > 2
    assert text_of(page, "#at") == at
    moved = ag.expression(text, w=w, x=-0.5, b=0.1)
    assert_all_numbers(page, moved)
    assert text_of(page, "#result") == f"L = {number(moved.data)}"
    assert page.get_attribute("#leaf-0", "aria-valuetext") == number(w)
    page.wait_for_function("document.getElementById('live').textContent.includes('dL/dw')")
    page.fill(".leaf:nth-child(2) input[type=number]", "1e3")
    assert text_of(page, box(1, ".value")) == "1000"
    assert_all_numbers(page, ag.expression(text, w=w, x=1000, b=0.1))
    page.fill(".leaf:nth-child(2) input[type=number]", "")  # no number: nothing moves
    assert text_of(page, box(1, ".value")) == "1000"
    page.click("#reset")
    assert_all_numbers(page, f)


def test_a_number_is_edited_in_its_box(opened: Any) -> None:
    page = opened(ag.explore(formula()))
    page.keyboard.press("End")
    page.click(box(1))
    assert page.input_value("#picture input") == "3"
    page.keyboard.type("-4")
    page.keyboard.press("Enter")
    assert page.locator("#picture input").count() == 0
    moved = ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=-4, c=2)
    assert_all_numbers(page, moved)
    assert page.evaluate("document.activeElement.dataset.node") == "1"
    page.keyboard.press("Enter")  # by keyboard, and given up
    page.keyboard.type("7")
    page.keyboard.press("Escape")
    assert page.locator("#picture input").count() == 0
    assert_all_numbers(page, moved)
    page.keyboard.press("Enter")
    page.keyboard.type("0.5")
    page.click("#counts")  # leaving it takes the number
    assert_all_numbers(page, ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=0.5, c=2))
    page.click(box(3))  # which is computed
    assert page.locator("#picture input").count() == 0


def test_numbers_are_recomputed_step_by_step(opened: Any) -> None:
    page = opened(ag.explore(formula()))
    page.keyboard.press("End")
    page.select_option("#recompute", "steps")
    page.fill(".leaf:nth-child(2) input[type=number]", "4")
    assert [text_of(page, box(i, ".value")) for i in range(6)] == ["5", "4", "2", "?", "?", "?"]
    page.click("[data-go=step]")
    assert text_of(page, "#said") == "u = bc = 4 · 2 = 8"
    page.keyboard.press("End")
    page.fill(".leaf:nth-child(1) input[type=number]", "1")
    assert [text_of(page, box(i, ".value")) for i in range(6)] == ["1", "4", "2", "8", "?", "?"]


def test_what_has_no_value_says_why(opened: Any) -> None:
    page = opened(ag.explore(ag.expression("l = log(x); y = 2*l", x=1)))
    press(page, "ArrowRight")
    page.fill(".leaf input[type=number]", "-1")
    assert text_of(page, box(1, ".value")) == "nan"
    assert text_of(page, "#said").endswith("l has no value: it needs x > 0")


def test_the_curve_and_its_tangent_appear_at_their_steps_and_move(opened: Any) -> None:
    page = opened(ag.explore(formula()))
    assert page.locator("#curve svg").count() == 0
    assert re.match("The curve appears when J is known, .*tangent when dJ/da is", text_of(page, "#curve-note"))
    press(page, "ArrowRight", 3)
    assert page.get_attribute("#curve svg", "aria-label") == "Curve of J against a"
    assert page.locator("#curve line").count() == 0
    press(page, "ArrowRight", 3)
    assert page.locator("#curve line").count() == 1
    assert text_of(page, "#curve-note") == "At a = 5 the tangent has the slope dJ/da = 3."

    def ends() -> tuple[list[float], list[float], list[float]]:
        """Return the ends of the curve, those of the tangent, and the point."""
        points = re.findall(r"[ML](\S+) ([^ML]+)", page.get_attribute("#curve g path", "d"))
        line = page.locator("#curve line")
        dot = page.locator("#curve circle")
        return (
            [float(x) for pair in (points[0], points[-1]) for x in pair],
            [float(line.get_attribute(key)) for key in ("x1", "y1", "x2", "y2")],
            [float(dot.get_attribute(key)) for key in ("cx", "cy")],
        )

    curve, tangent, before = ends()
    assert tangent == pytest.approx(curve, abs=0.2)  # J is a straight line over a
    page.fill("#leaf-0", "-6")
    _, _, after = ends()
    assert after[0] < before[0]
    assert after[1] > before[1]
    assert text_of(page, "#curve-note") == "At a = −6 the tangent has the slope dJ/da = 3."
    page.fill(".leaf input[type=number]", "3e7")
    assert page.locator("#curve svg", has_text="<sup>").count() == 0


def test_the_curve_of_a_graph_that_stops_a_derivative_has_no_tangent(opened: Any) -> None:
    """The curve is 3x², with the slope 12 at x = 2; the pass gives 6."""
    page = opened(ag.explore(ag.expression("t = 3*x; r = stop_gradient(t); y = r*x + w", x=2, w=1)))
    press(page, "End")
    assert text_of(page, "#curve-note") == (
        "dy/dx = 6 leaves out edges that pass no derivative, so the curve has another slope."
    )
    assert page.locator("#curve svg").count() == 1
    assert page.locator("#curve line").count() == 0
    page.select_option("#leaf", label="w")
    press(page, "End")
    assert text_of(page, "#curve-note") == "At w = 1 the tangent has the slope dy/dw = 1."
    assert page.locator("#curve line").count() == 1


def numbers_of_curve(page: Any) -> list[str]:
    return [str(text) for text in page.locator("#curve text").all_text_contents()]


def test_the_curve_has_its_extremes(opened: Any) -> None:
    page = opened(ag.explore(ag.expression("y = x*x", x=3)))
    press(page, "End")
    assert numbers_of_curve(page) == ["−5", "0", "5", "0", "25"]


def test_a_curve_of_rounding_noise_is_a_line(opened: Any) -> None:
    """At a = 1/2 the loss of a neuron is log 2 for every target, but for the last digits."""
    loss = "p = 1/(1 + exp(-z)); -(y*log(p) + (1 - y)*log(1 - p))"
    page = opened(ag.explore(ag.expression(loss, y=1, z=2.7e-17)))
    page.select_option("#leaf", label="y")
    press(page, "End")
    assert numbers_of_curve(page) == ["−2", "0", "2", "0.693"]
    drawn = [float(y) for y in re.findall(r"[ML]\S+ ([^ML]+)", page.get_attribute("#curve g path", "d"))]
    assert max(drawn) - min(drawn) < 1


def test_the_numbers_of_a_curve_are_in_sight(opened: Any) -> None:
    page = opened(ag.explore(ag.expression("z = x*y; w = z*x", x=1e-12, y=1e300)))
    press(page, "End")
    assert numbers_of_curve(page)[-2:] == ["0", "1·10³⁰⁰"]
    left = page.locator("#curve svg").bounding_box()["x"]
    assert all(text.bounding_box()["x"] >= left for text in page.locator("#curve text").all())
    assert page.locator("#curve line").count() == 1  # though dw/dx times w is beyond all numbers


def test_names_in_lists_are_typeset(opened: Any) -> None:
    """An option has plain text, and so has the name that a screen reader says."""
    page = opened(ag.explore(Value(2.0, "W_{11}^{[2]}") * Value(0.1, "lambda") + Value(3.0, "x_{10}") ** 2))
    assert page.locator("#leaf option").all_text_contents() == ["W₁₁^[2]", "λ", "x₁₀"]
    assert page.get_attribute(box(0), "aria-label") == "W₁₁^[2]: 2"
    assert page.locator("#leaves label").all_text_contents() == ["W11[2]", "λ", "x10"]


def test_a_vertical_tangent(opened: Any) -> None:
    page = opened(ag.explore(ag.expression("y = sqrt(x)", x=0)))
    press(page, "End")
    assert text_of(page, "#curve-note") == "At x = 0 the tangent is vertical."
    assert page.locator("#curve line").count() == 0


def test_an_op_of_ones_own_that_branches_moves_on(opened: Any) -> None:
    @ag.custom_rule(lambda x, y, z: y if x > 0 else 0.0, lambda x, y, z: z / y)
    def bent(x: float, y: float) -> float:
        return y * x if x > 0 else 0.0

    page = opened(ag.explore(bent(Value(0.5, "x"), Value(3.0, "y"))))
    page.keyboard.press("End")
    assert page.is_hidden("#frozen")
    assert text_of(page, "#result") == "f = 1.5"
    page.fill("#leaf-0", "1")
    assert text_of(page, "#result") == "f = 3"
    assert [text_of(page, box(i, ".slope")) for i in (0, 1)] == ["df/dx = 3", "df/dy = 1"]
    page.focus("#leaf-0")
    page.keyboard.press("Home")
    assert text_of(page, "#result") == "f = 0"


def test_what_is_off_says_why(opened: Any) -> None:
    page = opened(ag.explore(ag.digamma(Value(2.5, "x"))))
    assert page.is_disabled("#leaf-0")
    assert page.is_disabled(".leaf input[type=number]")
    assert page.is_hidden("#reset")
    assert "The sliders are off (polygamma has no function in JavaScript: _scipy" in text_of(page, "#frozen")
    page.keyboard.press("End")
    assert text_of(page, box(0, ".slope")) == "df/dx = 0.4904"
    page.click(box(0))
    assert page.locator("#picture input").count() == 0
    assert "which are off" in text_of(page, "#curve-note")
    left = ag.custom_rule(lambda x, z: 0.0)(lambda x: (int(x) * 3**40 + 1) % 7)  # beyond JavaScript's whole numbers
    page = opened(ag.explore(left(Value(5.0, "x"))))
    assert page.is_disabled("#leaf-0")
    assert "JavaScript computes other numbers than the engine did" in text_of(page, "#frozen")


def test_labels_are_text(opened: Any) -> None:
    odd = "</script><script>console.log('ran')</script><img src=x>"
    page = opened(ag.explore(Value(2.0, odd) * 2, beside={odd: 3.0}))
    press(page, "ArrowRight", 2)
    page.keyboard.press("End")
    assert text_of(page, ".leaf label") == odd
    assert page.locator("img").count() == 0
    page.click("[data-how=quiz]")
    page.fill("#answer", "<img src=x onerror=console.log(1)>")
    page.keyboard.press("Enter")
    assert page.is_visible("#verdict")
    assert page.locator("img").count() == 0
    page.evaluate("() => { window.print = () => {}; }")
    page.click("#print")
    assert page.locator("img").count() == 0


# Questions.

ANSWERS = ["u", "bc", "v", "11", "33", "J", "3", "v", "1", "3", "1", "3", "c", "3c", "3", "9"]


def answer(page: Any, text: str) -> str:
    """Answer a question and return the verdict."""
    page.fill("#answer", text)
    page.keyboard.press("Enter")
    return text_of(page, "#verdict")


def test_a_quiz_from_the_first_question_to_the_score(opened: Any) -> None:
    page = opened(ag.quiz(formula()))
    for k, text in enumerate(ANSWERS):
        assert text_of(page, "#at") == f"Question {k + 1} of {len(ANSWERS)}"
        if k == 4:
            assert answer(page, "34").startswith("Not yet.")
        if k == 13:
            assert answer(page, "2").startswith("That is only the local derivative ∂u/∂b.")
        assert page.get_attribute("[data-go=step]", "aria-disabled") == "true"
        assert answer(page, text) == "Right."
        assert page.locator("#verdict.right").count() == 1
        assert page.is_hidden("#form")
        page.keyboard.press("Enter")  # Next has the focus
    assert text_of(page, "#at") == "Score"
    assert text_of(page, "#ask") == "You have answered every question."
    assert text_of(page, "#said") == "14 of 16 right at the first try Not at the first try: 5, 14."
    assert page.is_enabled("#leaf-0")
    assert_all_numbers(page, formula())


def test_a_quiz_shows_nothing_before_it_is_answered(opened: Any) -> None:
    page = opened(ag.explore(formula(), quiz=True))
    assert text_of(page, "#ask").startswith("Which node can be computed next?")
    assert page.locator("#picture .box.now").count() == 0  # which would be the answer
    assert page.is_disabled("#leaf-0")
    assert "after the last question" in text_of(page, "#frozen")
    answer(page, "u")
    page.keyboard.press("Enter")
    assert text_of(page, "#ask") == "What is u?"
    assert text_of(page, box(3, ".value")) == "?"
    assert answer(page, "1.5").startswith("Did you divide?")
    assert page.locator("#verdict.right").count() == 0
    page.wait_for_function("document.getElementById('live').textContent.startsWith('Did you divide?')")
    assert page.evaluate("document.activeElement.id") == "answer"
    assert text_of(page, box(3, ".value")) == "?"
    answer(page, "6")
    assert text_of(page, box(3, ".value")) == "6"
    assert text_of(page, "#said") == "u = bc = 3 · 2 = 6"
    page.keyboard.press("ArrowLeft")  # back to a question that is answered
    assert text_of(page, "#at") == "Question 1 of 16"
    assert page.get_attribute("[data-go=last]", "aria-disabled") == "true"
    press(page, "End")
    page.click("[data-go=last]", force=True)
    page.click("[data-how=quiz]")  # which is on
    assert text_of(page, "#at") == "Question 1 of 16"
    page.click("[data-how=watch]")
    assert text_of(page, "#at") == "Step 1 of 11"
    assert page.is_enabled("#leaf-0")
    assert page.is_hidden("#form")


def test_a_hint_and_an_answer_that_is_shown_do_not_count(opened: Any) -> None:
    page = opened(ag.quiz(ag.expression("J = a*b", a=2, b=7)))
    assert text_of(page, "#ask") == "What is J?"
    page.click("#hint")
    assert text_of(page, "#said") == "J = ab = ?"
    page.click("#hint")
    assert text_of(page, "#said") == "J = ab = 2 · 7 = ?"
    assert page.get_attribute("#hint", "aria-disabled") == "true"
    assert answer(page, "14") == "Right."
    press(page, "Enter")
    assert text_of(page, "#ask") == "What is the local derivative ∂J/∂a, on the arrow from a to J?"
    assert text_of(page, '#picture .arrow[data-edge="0"] text') == "∂J/∂a"
    page.click("#show")
    assert text_of(page, "#said") == "∂J/∂a = b = 7"
    assert text_of(page, '#picture .arrow[data-edge="0"] text') == "∂J/∂a = b = 7"
    press(page, "Enter")
    assert answer(page, "a") == "Right."
    press(page, "Enter")
    assert text_of(page, "#said") == "1 of 3 right at the first try Not at the first try: 1, 2."


def test_pressing_the_mode_that_is_on_does_nothing(opened: Any) -> None:
    page = opened(ag.quiz(formula()))
    for text in ANSWERS[:3]:
        answer(page, text)
        press(page, "Enter")
    for pressed in ("[data-how=quiz]", "[data-mode=values]"):
        page.click(pressed)
        assert text_of(page, "#at") == "Question 4 of 16", pressed


def test_a_hint_is_kept_by_its_question(opened: Any) -> None:
    page = opened(ag.quiz(ag.expression("p = a*b; J = p + c", a=2, b=7, c=1)))
    answer(page, "p")
    press(page, "Enter")
    assert text_of(page, "#ask") == "What is p?"
    page.click("#hint")
    assert text_of(page, "#said") == "p = ab = ?"
    page.click("[data-go=back]")
    assert text_of(page, "#at") == "Question 1 of 10"
    page.click("[data-go=step]")
    assert text_of(page, "#ask") == "What is p?"
    assert text_of(page, "#said") == "p = ab = ?"
    page.click("#hint")
    assert text_of(page, "#said") == "p = ab = 2 · 7 = ?"
    assert answer(page, "14") == "Right."
    press(page, "Enter")
    assert text_of(page, "#ask") == "What is J?"
    assert text_of(page, "#said") == ""  # a hint of its own
    assert page.get_attribute("#hint", "aria-disabled") == "false"


def test_what_cannot_be_read_does_not_cost_the_first_try(opened: Any) -> None:
    page = opened(ag.quiz(ag.expression("J = a*b", a=2, b=7)))
    assert answer(page, "hm?") == "Write a number or a short formula.Such as 6, 1/3, 2a. Not understood: hm?"
    assert answer(page, "").startswith("Write a number")
    assert answer(page, "J").startswith("That is not known yet.")
    for text in ("14", "7", "2"):
        assert answer(page, text) == "Right."
        press(page, "Enter")
    assert text_of(page, "#said") == "3 of 3 right at the first try "
    page = opened(ag.quiz(ag.expression("J = a*b", a=2, b=7)))
    answer(page, "15")
    for text in ("14", "7", "2"):
        assert answer(page, text) == "Right."
        press(page, "Enter")
    assert text_of(page, "#said") == "2 of 3 right at the first try Not at the first try: 1."


def test_a_formula_that_is_right_here_alone_is_a_right_answer(opened: Any) -> None:
    page = opened(ag.quiz(ag.expression("J = a*b", a=2, b=4)))
    told = "Right for these numbers.With other leaves your formula gives another number than {}."
    assert answer(page, "2b") == told.format("J")
    assert page.locator("#verdict.right").count() == 1
    assert page.is_hidden("#form")
    press(page, "Enter")
    assert answer(page, "a+2") == told.format("∂J/∂a")
    press(page, "Enter")
    answer(page, "a")
    press(page, "Enter")
    assert text_of(page, "#said") == "3 of 3 right at the first try "


def test_the_leaves_are_locked_while_a_question_is_open(opened: Any) -> None:
    page = opened(ag.quiz(ag.expression("J = a*b", a=2, b=7)))
    assert page.get_attribute("#reset", "aria-disabled") == "true"
    page.click("#reset", force=True)
    assert text_of(page, "#at") == "Question 1 of 3"
    page.click(box(0))  # a leaf
    assert page.locator("#picture input").count() == 0
    assert page.get_attribute(box(0), "role") == "img"
    answer(page, "14")
    page.select_option("#leaf", label="b")  # for the curve, and for forward mode, which is not asked
    assert text_of(page, "#at") == "Question 1 of 3"
    assert text_of(page, "#verdict") == "Right."
    assert text_of(page, "#curve-note") == "The curve appears after the last question."
    press(page, "Enter")
    for text in ("7", "2"):
        answer(page, text)
        press(page, "Enter")
    assert text_of(page, "#at") == "Score"
    assert page.get_attribute("#reset", "aria-disabled") == "false"
    assert page.get_attribute(box(0), "role") == "button"
    page.fill("#leaf-0", "1")
    page.click("#reset")
    assert page.input_value("#leaf-0") == "2"
    assert text_of(page, "#at") == "Score"


def test_another_leaf_in_a_quiz_of_forward_mode_asks_anew(opened: Any) -> None:
    page = opened(ag.quiz(ag.expression("J = a*b", a=2, b=7)))
    page.click("[data-mode=forward]")
    assert text_of(page, "#ask") == "What is dJ/da?"
    page.select_option("#leaf", label="b")
    press(page, "Home")
    assert text_of(page, "#ask") == "What is J?"
    answer(page, "14")
    press(page, "Enter")
    assert text_of(page, "#ask") == "What is dJ/db?"


def test_the_derivation_of_what_is_asked_is_not_told(opened: Any) -> None:
    page = opened(ag.quiz(ag.expression("J = a*b", a=2, b=7)))
    assert [text_of(page, name) for name in ("#of", "#derivation")] == ["", ""]
    page.hover(box(2))
    assert [text_of(page, name) for name in ("#of", "#derivation")] == ["dJ/dJ", "J = ab = ?\ndJ/dJ = ?"]
    page.hover("#title")
    assert text_of(page, "#derivation") == ""
    answer(page, "14")
    assert text_of(page, "#derivation").startswith("J = ab = 2 · 7 = 14")


def test_the_next_node_is_chosen_in_the_picture(opened: Any) -> None:
    page = opened(ag.quiz(formula()))
    page.click(box(4))
    assert text_of(page, "#verdict") == "v has to wait.It is computed from other nodes. Still missing: u."
    assert page.get_attribute(box(4), "role") == "button"
    page.click(box(3))
    assert text_of(page, "#verdict") == "Right."
    assert page.get_attribute(box(4), "role") == "img"
    page.click(box(4))  # which is no answer now
    assert text_of(page, "#verdict") == "Right."
    press(page, "ArrowRight")
    answer(page, "6")
    press(page, "Enter")
    page.focus(box(4))  # by keyboard
    press(page, "Space")
    assert text_of(page, "#verdict") == "Right."
    assert text_of(page, "#at") == "Question 3 of 16"


def test_a_quiz_of_forward_mode(opened: Any) -> None:
    page = opened(ag.quiz(ag.expression("J = a*b", a=2, b=7)))
    page.click("[data-mode=forward]")
    assert text_of(page, "#ask") == "What is dJ/da?"
    told = "Try it: move a by 0.001. By how many thousandths does J move?"
    assert answer(page, "2") == f"Not yet.{told}"
    assert page.locator("#verdict.right").count() == 0
    assert answer(page, "b") == "Right."
    assert text_of(page, box(2, ".slope")) == "dJ/da = 7"


def test_a_quiz_of_a_leaf_has_no_questions(opened: Any) -> None:
    page = opened(ag.explore(Value(2.0, "x"), quiz=True))
    for key in ("ArrowRight", "ArrowLeft", "Home", "End", "ArrowRight"):
        page.keyboard.press(key)
    assert "nothing to ask" in text_of(page, "#ask")


def test_a_sheet_is_printed_with_its_key(opened: Any) -> None:
    page = opened(ag.quiz(formula()))
    page.evaluate("() => { window.print = () => { window.printed = (window.printed ?? 0) + 1; }; }")
    page.click("#print")
    assert page.evaluate("window.printed") == 1
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # as a browser sends it, by whatever way one prints
    page.emulate_media(media="print")
    assert page.is_visible("#sheet")
    assert page.is_hidden("main")
    questions, key = (page.locator(f"#sheet {name} > li").all_text_contents() for name in ("> ol", ".key ol"))
    assert len(questions) == len(key) == 12  # without those for the next node
    assert questions[0] == "What is u?"
    assert key[0] == "u = bc = 3 · 2 = 6"
    assert key[-1] == "dJ/dc = dJ/du · du/dc = 3 · b = 3 · 3 = 9"
    values = [text_of(page, f'#sheet .box[data-node="{i}"] .value') for i in range(6)]
    assert values == ["5", "3", "2", "?", "?", "?"]
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.is_visible("main")
    assert text_of(page, "#at") == "Question 1 of 16"
    assert page.is_hidden("#sheet")


def test_a_dark_page_is_printed_in_light_colours(opened: Any) -> None:
    page = opened(ag.quiz(formula()), color_scheme="dark")
    for _ in range(2):  # the system's theme, and the reader's
        ink, ground = brightness(page)
        assert ink > ground
        page.emulate_media(media="print")
        ink, ground = brightness(page)
        assert ink < ground
        page.emulate_media(media="screen", color_scheme="light")
        page.click("#theme")


def test_no_sheet_is_printed_of_a_page_that_does_not_ask(opened: Any) -> None:
    page = opened(ag.explore(formula()))
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.is_visible("main")
    assert page.is_hidden("#sheet")
    assert page.locator("#sheet *").count() == 0


def test_the_sheet_of_a_net_has_all_boxes(opened: Any) -> None:
    page = opened(ag.quiz(net_cost()))
    page.evaluate("() => { window.print = () => {}; }")
    seen = page.input_value("#which")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#sheet .box").count() == len(ag.topological_order(net_cost()))
    assert page.locator("#sheet .arrow").count() > 20
    assert page.input_value("#which") == seen


# Two runs.


def test_a_wrong_pass_beside_the_right_one(opened: Any) -> None:
    page = opened(ag.explore(fan_out(), beside="overwrite"))
    assert text_of(page, "#first-caption") == "The right pass"
    assert text_of(page, "#second-caption").startswith("Assign where a derivative must be added")
    assert page.locator(".box.differs").count() == 0
    page.keyboard.press("End")
    assert [text_of(page, box(0, ".slope", name)) for name in ("picture", "picture-2")] == ["dz/dx = −12", "dz/dx = −6"]
    differs = page.locator(".box.differs")
    assert differs.count() == 1
    assert differs.get_attribute("data-node") == "0"
    assert page.locator("#picture-2 .box.differs").count() == 1
    assert text_of(page, "#second-said").endswith("dz/dx = −6, dz/dy = 9.")
    page.fill("#leaf-0", "1")
    assert text_of(page, box(0, ".value", "picture-2")) == "1"
    page.click("[data-mode=forward]")  # of which a wrong backward pass says nothing
    assert page.is_hidden("#second")
    page.click("[data-mode=reverse]")
    assert page.is_visible("#second")


def test_a_wrong_pass_that_does_no_harm_says_so(opened: Any) -> None:
    page = opened(ag.explore(formula(), beside="overwrite"))
    assert text_of(page, "#second-caption").endswith(". On this graph it gives the same numbers.")
    page.keyboard.press("End")
    assert page.locator(".box.differs").count() == 0
    page = opened(ag.explore(fan_out(), beside="overwrite"))
    assert text_of(page, "#second-caption").endswith(
        ". A violet frame marks a number that differs from the first picture."
    )


@pytest.mark.parametrize("beside", ["overwrite", {"x": 4.0}])
def test_a_second_run_does_not_tell_what_is_asked(opened: Any, beside: Any) -> None:
    page = opened(ag.explore(ag.expression("J = x*x", x=3), quiz=True, beside=beside))
    assert page.is_hidden("#second")
    for text in ("9", "3", "3", "6"):
        assert page.is_hidden("#second")
        assert answer(page, text) == "Right."
        press(page, "Enter")
    assert text_of(page, "#at") == "Score"
    assert page.is_visible("#second")


def test_other_numbers_beside_stay_in_forward_mode(opened: Any) -> None:
    page = opened(ag.explore(formula(), beside={"b": 4.0}))
    page.click("[data-mode=forward]")
    assert page.is_visible("#second")
    assert text_of(page, "#first-caption") == "The numbers of the graph"


def test_a_page_that_cannot_compute_has_no_second_run_of_other_numbers(opened: Any) -> None:
    f = ag.digamma(Value(2.5, "x")) * 2
    page = opened(ag.explore(f, beside={"x": 3.0}))
    assert page.is_hidden("#second")
    assert text_of(page, "#first-caption") == "The second run needs the sliders, which are off."
    press(page, "End")
    assert page.is_hidden("#second")
    page = opened(ag.explore(f, beside="no local derivative"))  # which needs no other numbers
    assert page.is_visible("#second")
    assert text_of(page, "#first-caption") == "The right pass"


def test_other_numbers_beside_those_of_the_graph(opened: Any) -> None:
    page = opened(ag.explore(formula(), beside={"b": 4.0}))
    page.keyboard.press("End")
    moved = ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=4, c=2)
    for i, node in enumerate(ag.topological_order(moved)):
        assert text_of(page, box(i, ".value", "picture-2")) == number(node.data)
    found = page.locator("#picture-2 .box.differs")
    different = {found.nth(k).get_attribute("data-node") for k in range(found.count())}
    assert different == {"1", "2", "3", "4", "5"}  # b and what follows, and dJ/dc
    assert_all_numbers(page, formula())


# Nets.


def test_the_board_of_a_net_and_its_neurons(opened: Any) -> None:
    page = opened(ag.explore(net_cost()), viewport={"width": 1280, "height": 900})
    titles = page.locator("#which option").all_text_contents()
    assert titles[:2] == ["Net, example 1", "Net, example 2"]
    assert titles[-1] == "All nodes"
    assert page.locator("#picture .wire").count() >= 6
    neuron = page.locator("#picture .neuron").first
    neuron.click()
    opened_one = page.evaluate("document.getElementById('which').selectedOptions[0].textContent")
    assert opened_one in titles[2:-1]
    assert page.locator("#picture .neuron").count() == 0
    assert page.locator("#picture .arrow").count() > 2
    page.locator("body").press("Escape")
    assert page.input_value("#which") == "0"
    page.locator("#picture .neuron").first.press("Enter")  # by keyboard
    assert page.input_value("#which") != "0"
    page.select_option("#which", label="All nodes")
    cost = net_cost()
    assert page.locator("#picture .box").count() == len(ag.topological_order(cost))
    page.locator("body").press("End")
    assert_all_numbers(page, cost)
    weights = [number(weight) for node in ag.topological_order(cost) for weight in node.partials]
    assert page.locator("#picture .arrow text").all_text_contents() == weights


def test_the_picture_follows_the_steps(opened: Any) -> None:
    page = opened(ag.explore(net_cost()))
    n = int(text_of(page, "#at").split()[-1])
    seen = set()
    while text_of(page, "#at") != f"Step {n} of {n}":
        press(page, "Shift+ArrowRight")
        seen.add(page.input_value("#which"))
        assert text_of(page, "#at") == f"Step {n} of {n}" or page.locator("#picture .box.now").count() == 1
    assert len(seen) >= 2


def nodes_of_question(page: Any, output: Value) -> list[int]:
    """Return the places of the nodes that a question names: of an arrow both ends, of a number one."""
    order = ag.topological_order(output)
    names = names_of(order, output)
    places = {re.sub(r"[\s_{}^]", "", names[node]): i for i, node in enumerate(order)}
    asked = re.sub(r"\s", "", text_of(page, "#ask"))
    arrow = re.search(r"onthearrowfrom(.*)to(.*)\?$|onarrow\dof\dfrom(.*)to(.*)\?$", asked)
    if arrow:
        return [places[name] for name in arrow.groups() if name]
    number_of = re.match(rf"Whatis(?:d{names[output]}/d)?(.*?)(?:,onceall\d+edges.*)?\?$", asked)
    name = number_of[1] if number_of else ""
    return [places[name if name in places else name[1:-1]]] if name else []  # a formula has brackets


@pytest.mark.parametrize("seed", [None, 1])
def test_a_net_asks_in_a_picture_that_has_the_node(opened: Any, seed: int | None) -> None:
    """A folded neuron shows neither its nodes nor their arrows."""
    cost = net_cost()
    page = opened(ag.quiz(cost, seed=seed))
    seen = {page.input_value("#which")}
    n = int(text_of(page, "#at").split()[-1])
    for _ in range(n - 1):
        page.click("#show")
        press(page, "ArrowRight")
        seen.add(page.input_value("#which"))
        if text_of(page, "#ask").startswith("Which node"):
            assert page.locator("#picture .box").count() == len(ag.topological_order(cost))
        else:
            assert_asked_nodes(page, cost)
    page.click("#show")
    press(page, "ArrowRight")
    assert text_of(page, "#at") == "Score"
    assert len(seen) >= 2


def assert_asked_nodes(page: Any, output: Value) -> None:
    asked = text_of(page, "#ask")
    found = nodes_of_question(page, output)
    assert found, asked
    for i in found:
        assert page.locator(box(i)).count() == 1, asked
    if len(found) == 2:
        assert page.locator("#picture .arrow.now").count() == 1, asked


def test_the_first_question_of_a_net_has_its_picture(opened: Any) -> None:
    cost = net_cost()
    page = opened(ag.quiz(cost))
    assert_asked_nodes(page, cost)


def test_a_net_whose_quiz_is_chosen_later_asks_in_a_picture_that_has_the_node(opened: Any) -> None:
    cost = net_cost()
    page = opened(ag.explore(cost))
    page.click("[data-how=quiz]")
    assert_asked_nodes(page, cost)


@pytest.mark.parametrize("mode", ["reverse", "values"])
def test_a_net_of_which_a_mode_is_chosen_asks_in_a_picture_that_has_the_node(opened: Any, mode: str) -> None:
    cost = net_cost()
    page = opened(ag.quiz(cost))
    page.click(f"[data-mode={mode}]")
    if text_of(page, "#ask").startswith("Which node"):
        assert page.input_value("#which") == str(page.locator("#which option").count() - 1)
    else:
        assert_asked_nodes(page, cost)


def test_a_folded_neuron_is_a_button(opened: Any) -> None:
    page = opened(ag.explore(net_cost()), viewport={"width": 1280, "height": 900})
    roles = {neuron.get_attribute("role") for neuron in page.locator("#picture .neuron").all()}
    assert roles == {"button"}
    page.locator("#picture .neuron").first.press("Space")
    assert page.input_value("#which") != "0"


# Themes, windows, presenting.


def brightness(page: Any) -> tuple[int, int]:
    """Return how bright the letters and the ground are."""
    ink, ground = page.evaluate(
        "(() => { const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]"
        ".map(text => text.match(/\\d+/g).slice(0, 3).reduce((x, y) => x + Number(y), 0)); })()"
    )
    return ink, ground


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_the_systems_or_the_readers_choice(opened: Any, scheme: str) -> None:
    page = opened(ag.explore(formula()), color_scheme=scheme)
    ink, ground = brightness(page)
    assert (ink < ground) is (scheme == "light")
    assert abs(ink - ground) > 500
    page.click("#theme")
    ink, ground = brightness(page)
    assert (ink < ground) is (scheme == "dark")
    assert page.evaluate(AFTER_MESSAGES, ["dark", "light", scheme]) == {"light": "dark", "dark": "light"}[scheme]
    page.click("#theme")
    ink, ground = brightness(page)
    assert (ink < ground) is (scheme == "light")


AFTER_MESSAGES = """async themes => {
  for (const theme of themes) postMessage({theme}, "*");
  await new Promise(done => {
    addEventListener("message", ({data}) => { if (data === "over") done(); });
    postMessage("over", "*");
  });
  return document.documentElement.dataset.theme ?? "";
}"""


def test_the_theme_of_a_message_until_the_reader_chooses(opened: Any) -> None:
    page = opened(ag.explore(formula()), color_scheme="light")
    assert page.evaluate(AFTER_MESSAGES, [None, "pink", 3]) == ""
    assert page.evaluate(AFTER_MESSAGES, ["dark", "pink"]) == "dark"
    assert page.evaluate(AFTER_MESSAGES, ["dark", "light"]) == "light"
    page.click("#theme")
    assert page.evaluate(AFTER_MESSAGES, ["light"]) == "dark"


def test_the_notebooks_theme_is_followed(opened: Any) -> None:
    cell = ag.explore(formula())._repr_html_()
    page = opened(f'<!doctype html><body data-jp-theme-light="false"><div>{cell}</div></body>')
    root = page.frame_locator("iframe").locator("html[data-theme=dark]")
    root.wait_for(state="attached")
    page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    page.frame_locator("iframe").locator("html[data-theme=light]").wait_for(state="attached")
    page.evaluate("delete document.body.dataset.jpThemeLight; document.body.className = 'vscode-dark'")
    page.frame_locator("iframe").locator("html[data-theme=dark]").wait_for(state="attached")


def test_a_quiz_in_a_notebooks_frame_is_answered(opened: Any) -> None:
    page = opened(f"<!doctype html><body>{ag.quiz(formula())._repr_html_()}</body>").frame_locator("iframe")
    page.locator("#answer").fill("u")
    page.locator("#answer").press("Enter")
    page.locator("#verdict.right").wait_for()


def test_a_page_that_is_loaded_out_of_sight(opened: Any) -> None:
    page = opened(f"<!doctype html><body><div id=cell hidden>{ag.explore(formula())._repr_html_()}</div></body>")
    inside = page.frame_locator("iframe")
    page.eval_on_selector("iframe", "frame => { frame.loading = 'eager'; }")
    inside.locator(".box").nth(5).wait_for(state="attached")
    page.eval_on_selector("#cell", "cell => { cell.hidden = false; }")
    for i in range(6):  # and no step, which would write the boxes anew
        frame = inside.locator(box(i, ".outline"))
        frame.wait_for(state="visible")
        outer = frame.bounding_box()
        for text in inside.locator(box(i, "text")).all():
            if text.text_content():
                found = text.bounding_box()
                assert outer["x"] < found["x"]
                assert found["x"] + found["width"] < outer["x"] + outer["width"]


WITHIN = """() => {
  const panel = document.querySelector('aside').getBoundingClientRect();
  const boxes = [...document.querySelectorAll('#picture .box.now, #picture .box.into')];
  return boxes.length > 0 && boxes.every(box => {
    const {left, right, top, bottom} = box.getBoundingClientRect();
    return left >= 0 && right <= 390 && top >= 0 && bottom <= Math.min(panel.top, innerHeight) + 1;
  });
}"""


@pytest.mark.parametrize("name", ["J", "loss"])
def test_phones(opened: Any, name: str) -> None:
    f = formula() if name == "J" else ag.expression(LOSS, w=2, x=-0.5, b=0.1, y=1)
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = opened(ag.explore(f), **phone)
    assert page.evaluate("document.documentElement.scrollWidth") == 390  # the picture scrolls, the page does not
    n = int(text_of(page, "#at").split()[-1])
    for _ in range(n - 2):
        page.tap("[data-go=step]")
        page.wait_for_function(WITHIN, timeout=5000)
    page.click("[data-how=quiz]")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_picture_with_small_letters_is_enlarged_by_a_tap(opened: Any) -> None:
    neuron = nn.MLP(9, [1], output="sigmoid", rng=0)
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = opened(ag.explore(nn.log_loss(neuron([float(k) for k in range(9)]), 1)), **phone)
    frame = page.locator("#picture")
    leaf = page.locator("#picture .box.parameter").first
    whole = frame.bounding_box()["height"]

    def middle() -> tuple[float, float]:
        place = leaf.bounding_box()
        return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2

    def is_wide() -> bool:
        return bool(frame.evaluate("frame => frame.scrollWidth > frame.clientWidth + 1"))

    assert not is_wide()
    assert page.get_attribute("#zoom", "aria-pressed") == "false"
    page.touchscreen.tap(*middle())  # enlarges the leaf, and does not edit it
    assert page.locator("#picture input").count() == 0
    assert page.get_attribute("#zoom", "aria-pressed") == "true"
    assert is_wide()
    assert frame.bounding_box()["height"] > 1.5 * whole
    x, y = middle()
    assert 0 < x < 390
    assert 0 < y < page.locator("aside").bounding_box()["y"]
    page.touchscreen.tap(x, y)
    assert page.locator("#picture input").count() == 1
    page.keyboard.press("Escape")
    page.tap("[data-go=step]")  # the picture stays large, and follows the steps
    assert is_wide()
    page.wait_for_function(WITHIN, timeout=5000)
    page.locator("#zoom").press("Enter")
    assert not is_wide()
    page.set_viewport_size({"width": 1280, "height": 844})
    page.wait_for_function("document.getElementById('zoom').hidden")


def test_two_runs_of_an_upright_graph_are_side_by_side(opened: Any) -> None:
    f = ag.expression(LOSS, w=2, x=-0.5, b=0.1, y=1)
    page = opened(ag.explore(f, beside={"w": 1.5}), viewport={"width": 1280, "height": 900})
    first, second = (page.locator(f"#{name}").bounding_box() for name in ("picture", "picture-2"))
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] <= second["x"]
    page.click("[data-how=quiz]")  # one run alone
    assert page.locator("#picture").bounding_box()["width"] > 1.5 * first["width"]


def test_the_quiz_of_a_neuron_in_a_notebook_on_a_phone(opened: Any) -> None:
    """The leaves of z = w₁x₁ + w₂x₂ + b are side by side: all of them are in sight, and so is the question."""
    neuron = nn.MLP(2, [1], output="sigmoid", rng=0)
    quiz = ag.explore(nn.log_loss(neuron([4.0, 3.0]), 0), quiz=True)
    head = '<!doctype html><meta name="viewport" content="width=device-width"><body>' + "<p>Text</p>" * 30
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = opened(head + quiz._repr_html_() + "<p>Text</p>" * 30, **phone)
    page.locator("iframe").scroll_into_view_if_needed()
    inside = page.frame_locator("iframe")
    inside.locator(".box").first.wait_for()
    edges = inside.locator(".box .outline").evaluate_all("all => all.map(box => box.getBoundingClientRect().right)")
    assert max(edges) <= 390
    page.evaluate("document.querySelector('iframe').scrollIntoView()")
    for part in ("#answer", "[data-go=step]"):  # without a scroll
        place = inside.locator(part).bounding_box()
        assert place["y"] + place["height"] <= 844
    frame = page.frames[1]
    assert frame.evaluate("scrollY") == 0
    session = page.context.new_cdp_session(page)
    finger = [("touchStart", 400), *(("touchMove", y) for y in range(390, 200, -10)), ("touchEnd", None)]
    for kind, y in finger:
        points = [] if y is None else [{"x": 200, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    frame.wait_for_function("scrollY > 50")  # a finger on the picture moves the page


def test_a_net_on_a_phone(opened: Any) -> None:
    page = opened(ag.explore(net_cost()), viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.select_option("#which", label="All nodes")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_presenting(opened: Any) -> None:
    page = opened(ag.explore(formula()), viewport={"width": 1920, "height": 1080})
    press(page, "p")
    page.wait_for_function("document.body.classList.contains('presenting')")
    press(page, "Space")
    press(page, "PageDown")
    press(page, "PageDown")
    assert text_of(page, "#said") == "J = 3v = 3 · 11 = 33"
    press(page, "PageUp")
    assert text_of(page, "#said") == "v = a + u = 5 + 6 = 11"
    press(page, "PageDown", 6)
    sizes = page.evaluate("""() => [...document.querySelectorAll('#picture text, #said')]
      .filter(text => text.textContent && text.getBoundingClientRect().height)
      .map(text => [text.textContent, parseFloat(getComputedStyle(text).fontSize)
        * (text.closest('svg')?.getScreenCTM().a ?? 1)])""")
    assert len(sizes) > 12
    assert min(sizes, key=lambda found: found[1])[1] >= 1080 / 40, sizes
    assert page.evaluate("document.documentElement.scrollHeight") == 1080
    assert page.is_hidden("#theme")
    assert page.is_hidden("[data-mode]")
    assert text_of(page, "#present") == "End"
    assert all(page.is_visible(name) for name in ("#present", "[data-go=back]", "[data-go=step]"))
    visible = page.evaluate("document.querySelector('#said').getBoundingClientRect().bottom")
    assert visible <= 1080
    press(page, "Escape")
    page.wait_for_function("!document.body.classList.contains('presenting')")
    assert page.is_visible("header")
    assert text_of(page, "#present") == "Present"
    page.click("#present")
    page.wait_for_function("document.body.classList.contains('presenting')")
    press(page, "p")
    page.wait_for_function("!document.body.classList.contains('presenting')")


@pytest.mark.parametrize("quiz", [False, True])
def test_a_wide_graph_is_presented_in_parts_around_the_step(opened: Any, quiz: bool) -> None:
    """All of the loss of a neuron in one window would have letters that no back row can read."""
    f = ag.expression(LOSS, w=2, x=-0.5, b=0.1, y=1)
    page = opened(ag.explore(f, quiz=quiz), viewport={"width": 1920, "height": 1080})
    press(page, "Escape")
    whole = page.get_attribute("#picture svg", "viewBox")
    page.locator("#present").click()
    page.locator("#present").blur()
    seen = set()
    while text_of(page, "#at") != "Score" and page.get_attribute("[data-go=step]", "aria-disabled") == "false":
        press(page, "PageDown")
        marked = page.locator("#picture .box:is(.now, .into)")
        if not marked.count():
            continue
        seen.add(page.get_attribute("#picture svg", "viewBox"))
        assert page.evaluate("document.querySelector('#picture svg').getScreenCTM().a") >= 0.999 * 1080 / 40 / 15
        frame = page.locator("#picture").bounding_box()
        for one in marked.all():
            inner = one.locator(".outline").bounding_box()
            assert inner is not None
            assert frame["x"] <= inner["x"]
            assert inner["x"] + inner["width"] <= frame["x"] + frame["width"]
            assert frame["y"] <= inner["y"]
            assert inner["y"] + inner["height"] <= frame["y"] + frame["height"]
    assert len(seen) > 4
    assert whole not in seen
    press(page, "Escape")
    page.wait_for_function("!document.body.classList.contains('presenting')")
    assert page.get_attribute("#picture svg", "viewBox").startswith("0 0 ")


def test_presenting_by_mouse_and_with_focused_controls(opened: Any) -> None:
    page = opened(ag.explore(formula()), viewport={"width": 1920, "height": 1080})
    page.click("#present")
    page.click("#picture", position={"x": 5, "y": 5})  # beside the boxes
    assert text_of(page, "#at") == "Step 2 of 11"
    page.click("[data-go=step]")
    assert text_of(page, "#at") == "Step 3 of 11"
    press(page, "Enter")  # on Next, one step and not two
    assert text_of(page, "#at") == "Step 4 of 11"
    page.focus("[data-go=back]")
    press(page, "Space")
    assert text_of(page, "#at") == "Step 3 of 11"
    press(page, "Enter")
    assert text_of(page, "#at") == "Step 2 of 11"
    page.focus(box(0))
    press(page, "Enter")  # edits the leaf
    assert page.locator("#picture input").count() == 1
    press(page, "Escape")
    assert text_of(page, "#at") == "Step 2 of 11"
    assert page.evaluate("document.body.classList.contains('presenting')")
    page.focus("#present")
    press(page, "Enter")
    page.wait_for_function("!document.body.classList.contains('presenting')")
    page.click("#picture", position={"x": 5, "y": 5})  # which steps while presenting alone
    assert text_of(page, "#at") == "Step 2 of 11"


def test_presenting_a_quiz(opened: Any) -> None:
    page = opened(ag.quiz(formula()), viewport={"width": 1920, "height": 1080})
    page.click("#present")
    page.locator("#present").blur()
    for k, (question, shown) in enumerate(
        [("Which node can be computed next?", "u"), ("What is u?", "u = bc = 3 · 2 = 6")]
    ):
        assert text_of(page, "#at") == f"Question {k + 1} of 16"
        assert text_of(page, "#ask").startswith(question)
        assert page.is_visible("#form")
        assert page.is_hidden("#verdict")
        press(page, "PageDown")  # the answer
        assert page.is_hidden("#form")
        assert text_of(page, "#said") == shown
        assert page.is_hidden("#verdict")
        press(page, "PageDown")  # the next question
    assert text_of(page, "#at") == "Question 3 of 16"
    assert text_of(page, box(3, ".value")) == "6"
    page.click("#picture", position={"x": 5, "y": 5})
    assert text_of(page, "#said") == "v"
    press(page, "Enter")  # on Next, which has the focus
    assert text_of(page, "#at") == "Question 4 of 16"


# Without a mouse, and without eyes.


def test_the_tab_key_goes_through_the_boxes_as_the_forward_pass(opened: Any) -> None:
    page = opened(ag.explore(formula()))
    visited = []
    for _ in range(40):
        page.keyboard.press("Tab")
        node, name = page.evaluate("[document.activeElement.dataset.node ?? '', document.activeElement.id]")
        visited.append(node or name)
        if name == "leaf":
            break
    assert [name for name in visited if name.isdigit()] == ["0", "1", "2", "3", "4", "5"]
    assert visited[-1] == "leaf"  # the last control, so that none is out of reach
    assert {"theme", "present", "play", "leaf-0", "recompute", "reset", "output"} <= set(visited)


def test_the_accessibility_tree_tells_values_and_slopes(opened: Any) -> None:
    page = opened(ag.explore(formula()))
    tree = page.locator("body").aria_snapshot()
    assert 'img "u: ?"' in tree  # nothing happens there
    assert 'button "a: 5"' in tree  # another number can be given
    assert 'heading "J = 3(a + bc)" [level=1]' in tree
    assert 'region "The graph"' in tree
    assert 'slider "a"' in tree
    assert 'button "Next"' in tree
    press(page, "ArrowRight", 8)
    page.wait_for_function("document.getElementById('live').textContent !== ''")
    tree = page.locator("body").aria_snapshot()
    assert 'img "u: 6; dJ/du = 3"' in tree
    assert 'button "b: 3; dJ/db = 6"' in tree
    assert 'button "c: 2; dJ/dc = ?"' in tree
    assert re.search(r'status: "?dJ/db = dJ/du · du/db = 3 · c = 3 · 2 = 6', tree)
    page.click("[data-how=quiz]")
    tree = page.locator("body").aria_snapshot()
    assert 'textbox "Your answer"' in tree
    assert 'button "v: ?"' in tree  # an answer
    answer(page, "v")
    page.wait_for_function("document.getElementById('live').textContent.startsWith('v has to wait')")


def test_every_control_has_a_name(opened: Any) -> None:
    page = opened(ag.explore(net_cost(), beside="overwrite", quiz=True))
    tree = page.locator("body").aria_snapshot()
    controls = r"\s*- (button|slider|textbox|combobox|spinbutton):?"
    assert [line for line in tree.splitlines() if re.fullmatch(controls, line)] == []
