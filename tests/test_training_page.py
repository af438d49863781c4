"""The page that trains a net: what it holds, and that its numbers are those of `nn.fit`."""

from __future__ import annotations

import html
import math
import random
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from node import needs_node, run
from pages import facts, script

import autograd_mini as ag
from autograd_mini import Explorer, Value, nn
from autograd_mini.nn.plots import HUES
from autograd_mini.pages.equations import MAX_TARGETS
from autograd_mini.pages.training import training_page

Make = Callable[[], nn.Module]


def run_page(page: Explorer, body: str) -> Any:
    """Run a body that has the page's own trainer as `trainer`."""
    return run(
        f"{script(page, 'trainer')}; const facts = {script(page, 'facts')}; "
        f"const trainer = makeTrainer(facts, equations); {body}"
    )


def close(x: float, y: float, tolerance: float = 1e-9) -> bool:
    return abs(x - y) <= tolerance * max(abs(x), abs(y), 1e-3)


@pytest.fixture
def page() -> Explorer:
    X, y = nn.datasets.blobs(20, rng=0)
    found: Explorer = training_page(nn.two_layer_net(2, 3, init="xavier", rng=1), X, y)
    return found


# The numbers.


class Quadratic(nn.Module):
    """A net that is no stack of layers."""

    def __init__(self) -> None:
        self.c = [Value(x) for x in (0.5, -0.25, 1.0)]

    def __call__(self, x: Any) -> Any:
        a, b, c = self.c
        return a * x[0] ** 2 + b * x[0] + ag.where(ag.greater(x[0], 0.0), c, -c)


def line(m: int, n: int = 1) -> tuple[list[list[float]], list[float]]:
    draw = random.Random(3)
    X = [[draw.uniform(-2, 2) for _ in range(n)] for _ in range(m)]
    return X, [math.sin(sum(x)) for x in X]


def squared_and_bent(output: Any, y: Any) -> Any:
    """Compare as a loss of one's own does, with a penalty on being large."""
    return (output - y) ** 2 / 2 + 0.1 * ag.softplus(output)


TWO, THREE = nn.datasets.moons(30, rng=0), nn.datasets.blobs(30, rng=0, classes=3)
SIGNED = TWO[0], [2 * y - 1 for y in TWO[1]]
CASES: dict[str, tuple[Make, Any, str | nn.losses.Loss, float, float]] = {
    "text": (lambda: nn.two_layer_net(2, 4, init="xavier", rng=0), TWO, "binary_cross_entropy", 1.2, 0.0),
    "small weights": (lambda: nn.two_layer_net(2, 4, rng=0), TWO, "log_loss", 0.5, 0.0),
    "tanh": (lambda: nn.MLP(2, [5, 4, 1], "tanh", "sigmoid", rng=0), TWO, "log_loss", 0.3, 0.0),
    "relu": (lambda: nn.MLP(2, [6, 1], "relu", rng=0), TWO, "binary_cross_entropy_with_logits", 0.2, 0.0),
    "weight decay": (lambda: nn.MLP(2, [5, 1], "gelu", "sigmoid", rng=0), TWO, "binary_cross_entropy", 0.3, 0.02),
    "hinge": (lambda: nn.MLP(2, [5, 1], "leaky_relu", rng=0), SIGNED, "hinge", 0.1, 0.0),
    "softmax": (lambda: nn.MLP(2, [5, 3], "silu", rng=0), THREE, "cross_entropy", 0.4, 0.0),
    "shares": (
        lambda: nn.MLP(2, [4, 3], "tanh", rng=0),
        (THREE[0], [[0.8 * (k == y) + 0.2 * (k == 0) for k in range(3)] for y in THREE[1]]),
        "cross_entropy",
        0.4,
        0.01,
    ),
    "probabilities": (
        lambda: nn.Sequential(nn.Layer(2, 4, "tanh", rng=0), nn.Layer(4, 3, None, rng=1), ag.softmax),
        (THREE[0], [[float(k == y) for k in range(3)] for y in THREE[1]]),
        "mean_squared_error",
        0.5,
        0.0,
    ),
    "regression": (lambda: nn.MLP(1, [6, 1], "tanh", rng=0), line(25), "mean_squared_error", 0.1, 0.001),
    "five inputs": (lambda: nn.MLP(5, [3, 1], "softplus", rng=0), line(20, 5), "mean_squared_error", 0.05, 0.0),
    "a neuron": (lambda: nn.Neuron(1, "sigmoid", rng=0), ([[0.5], [-1.0]], [1, 0]), "binary_cross_entropy", 1.0, 0.0),
    "one's own": (Quadratic, line(12), squared_and_bent, 0.05, 0.0),
}


@needs_node
@pytest.mark.parametrize("name", CASES)
def test_fifty_steps_are_those_of_fit(name: str) -> None:
    make, (X, y), loss, rate, decay = CASES[name]
    net = make()
    found = ag.explore(net, X, y, loss=loss, optimizer=nn.SGD(net, lr=rate, weight_decay=decay))
    assert [x.data for x in net.parameters()] == [x.data for x in make().parameters()]
    assert all(x.grad == 0.0 for x in net.parameters())
    held = facts(found)
    assert (held["rate"], held["decay"]) == (rate, decay)
    differs, costs, parameters, outputs, accuracy = run_page(
        found,
        f"""const differs = trainer.differs();
        for (let k = 0; k < 50; k++) if (!trainer.step({rate!r})) return "not taken";
        return [differs, trainer.costs, [...trainer.parameters], facts.X.map(x => [...trainer.outputs(x)]),
                trainer.accuracy()];""",
    )
    assert differs is False
    optimizer = nn.SGD(net, lr=rate, weight_decay=decay)
    history = nn.fit(net, X, y, loss=loss, optimizer=optimizer, epochs=51, progress=False)
    assert len(costs) == 51
    assert all(map(close, costs, history["cost"])), (costs, history["cost"])
    again = make()
    optimizer = nn.SGD(again, lr=rate, weight_decay=decay)
    nn.fit(again, X, y, loss=loss, optimizer=optimizer, epochs=50, progress=False)
    assert all(map(close, parameters, [x.data for x in again.parameters()]))
    expected = [z if isinstance(z, list) else [z] for z in nn.predict(again, X)]
    assert all(all(map(close, ours, theirs)) for ours, theirs in zip(outputs, expected, strict=True))
    if held["classes"]:
        assert accuracy == nn.accuracy(again, X, y, held["classes"]["threshold"])
    else:
        assert accuracy is None


@needs_node
@pytest.mark.parametrize(
    "activation", ["sigmoid", "tanh", "relu", "leaky_relu", "gelu", "silu", "softplus", "sin", "atan", "erf", None]
)
def test_the_gradient_of_any_activation(activation: str | None) -> None:
    X, y = line(9, 2)
    net = nn.MLP(2, [3, 1], activation, rng=2)
    slopes, cost = run_page(
        training_page(net, X, y, loss="mean_squared_error"), "return [[...trainer.slopes], trainer.cost]"
    )
    J = nn.cost(net, X, y, "mean_squared_error")
    J.backward()
    assert close(cost, J.data)
    assert all(map(close, slopes, [x.grad for x in net.parameters()]))


@needs_node
@pytest.mark.parametrize("name", ["tanh", "softmax", "shares", "one's own"])
def test_a_function_in_parts_gives_the_same_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, (X, y), loss, rate, _ = CASES[name]
    body = f"""for (let k = 0; k < 5; k++) trainer.step({rate!r});
      return [[...trainer.parameters], [...trainer.slopes], trainer.costs, [...trainer.outputs(facts.X[1])]];"""
    whole = training_page(make(), X, y, loss=loss)
    assert "const t = new Float64Array" not in whole.html
    for longest in (1, 60, 200):
        monkeypatch.setattr("autograd_mini.pages.equations.MAX_LENGTH", longest)
        parts = training_page(make(), X, y, loss=loss)
        assert "const t = new Float64Array" in parts.html
        assert run_page(parts, body) == run_page(whole, body)


@needs_node
def test_a_step_that_leads_to_no_number_is_not_taken() -> None:
    X, y = line(10)
    net = nn.MLP(1, [3, 1], "relu", rng=0)
    taken, same, steps, costs, then = run_page(
        training_page(net, X, y, loss="mean_squared_error"),
        """const taken = [], step = rate => { taken.push(trainer.step(rate)); };
        step(0.01); step(1e300); const held = [...trainer.parameters]; step(1e308);
        const same = held.every((x, k) => x === trainer.parameters[k]), {steps, costs} = trainer;
        step(0.01);
        return [taken, same, steps, costs.length, trainer.steps];""",
    )
    assert taken == [True, False, False, True]
    assert same is True
    assert (steps, costs, then) == (1, 3, 2)  # the costs go on


@needs_node
def test_reset_and_new_weights(page: Explorer) -> None:
    first, again, drawn, other, small, biases = run_page(
        page,
        """const first = [...trainer.parameters];
        for (let k = 0; k < 7; k++) trainer.step(1);
        trainer.reset();
        const again = [...trainer.parameters, trainer.steps, ...trainer.costs];
        const {drawn} = trainer;
        return [[...first, 0, facts.cost], again, drawn(1, 2), drawn(2, 2), drawn(1, 0.5), facts.biases];""",
    )
    assert again[:-1] == first[:-1]
    assert close(again[-1], first[-1])
    assert drawn != other
    assert [x / 4 for x in drawn] == small
    assert biases == [2, 5, 8, 12]
    assert [k for k, x in enumerate(drawn) if x == 0] == biases


@needs_node
def test_a_long_curve_keeps_some_of_its_costs(page: Explorer) -> None:
    count, every, steps, first, last = run_page(
        page,
        """for (let k = 0; k < 20000; k++) trainer.step(0.01);
        const {costs, every, steps} = trainer;
        return [costs.length, every, steps, costs[0], costs.at(-1) - trainer.cost];""",
    )
    assert (every, steps) == (4, 20000)
    assert count == 5001
    assert close(first, facts(page)["cost"])
    assert last == 0


@needs_node
def test_numbers_that_the_page_cannot_repeat_are_noticed(page: Explorer) -> None:
    body = "facts.slopes[3] += 1e-6; const one = trainer.differs(); facts.slopes[3] -= 1e-6; facts.cost *= 1.001; "
    assert run_page(page, f"{body} return [one, trainer.differs()];") == [True, True]


# What the page holds.


class Parts(HTMLParser):
    """The elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def parts(page: Explorer) -> list[tuple[str, dict[str, str | None]]]:
    parser = Parts()
    parser.feed(page.html)
    parser.close()
    return parser.found


def test_the_page_is_whole_and_asks_for_nothing_else(page: Explorer) -> None:
    found = parts(page)
    assert not any({"src", "href", "xlink:href", "srcset", "action"} & set(attributes) for _, attributes in found)
    asking = r"https?:|@import|url\(|fetch\(|XMLHttp|WebSocket|import\(|\beval\(|new Function"
    assert not re.search(asking, page.html.replace('"http://www.w3.org/2000/svg"', ""))
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in found:
        for key in ("for", "aria-labelledby", "aria-describedby"):
            assert attributes.get(key, ids[0]) in ids
    assert repr(page) == "<Explorer of net: save('net.html')>"
    assert page.html.count("<title>Train MLP(2, [3, 1], &#x27;sigmoid&#x27;, output=&#x27;sigmoid&#x27;)</title>") == 1


def test_labels_are_text() -> None:
    odd = "</script><script>alert(1)</script>"

    class Odd(nn.Module):
        def __init__(self) -> None:
            self.w, self.b = Value(0.5, odd), Value(0.25, "<!--rows-->/*facts*/")

        def __call__(self, x: Any) -> Any:
            return self.w * x[0] + self.b

        def __repr__(self) -> str:
            return f"Odd<b>{odd}"

    found = training_page(Odd(), [[1.0], [2.0]], [1.0, 3.0], loss="mean_squared_error")
    names = [x["name"] for x in facts(found)["parameters"]]
    assert names == [f"<i>{html.escape(label)}</i>" for label in (odd, "<!--rows-->/*facts*/")]
    assert sum(tag == "script" for tag, _ in parts(found)) == 3
    assert "<script>alert" not in found.html


def test_the_names_of_parameters() -> None:
    def names(net: nn.Module, loss: str = "mean_squared_error") -> list[str]:
        found = facts(training_page(net, [[1.0, 2.0]], [1.0], loss=loss))
        return [re.sub("<[^>]*>", "", x["name"]) for x in found["parameters"]]

    assert names(nn.two_layer_net(2, 1)) == ["W11[1]", "W12[1]", "b[1]", "W11[2]", "b[2]"]
    assert names(nn.Neuron(2)) == ["w1", "w2", "b"]
    assert names(Quadratic()) == ["c.0", "c.1", "c.2"]
    twins = nn.Sequential(nn.Neuron(2, None))
    twins.layers[0].w[1].label = "w_1"  # the same name twice
    assert names(twins) == ["layers.0.w.0", "layers.0.w.1", "layers.0.b"]


def test_the_board() -> None:
    board = facts(training_page(nn.two_layer_net(2, 3), *TWO))["board"]
    assert [caption[0] for caption in board["captions"]] == ["data", "layer 1: a = σ(z)", "layer 2: a = σ(z)", "cost"]
    assert [box["kind"] for box in board["boxes"]] == ["data"] * 2 + ["result"] * 4 + ["output"]
    assert [box["biases"] for box in board["boxes"]] == [[], [], [2], [5], [8], [12], []]
    assert [wire["weight"] for wire in board["wires"]] == [0, 1, 3, 4, 6, 7, 9, 10, 11, None]
    assert all(wire["number"] for wire in board["wires"][:-1])
    for box in board["boxes"]:
        x, y, width, height = box["at"]
        assert -1 <= x - width / 2 <= x + width / 2 <= board["width"] + 1
        assert 0 <= y - height / 2 <= y + height / 2 <= board["height"]
    places = [wire["number"] for wire in board["wires"][:-1]]
    assert all(
        abs(a[0] - b[0]) > 40 or abs(a[1] - b[1]) > 16 for i, a in enumerate(places) for b in places[:i]
    )  # no number covers another
    alone = facts(training_page(nn.Neuron(2, "sigmoid"), *TWO))["board"]
    names = [box["name"] for box in alone["boxes"][:-1]]
    assert names == ["<i>x</i><sub>1</sub>", "<i>x</i><sub>2</sub>", "<i>z</i>", "<i>a</i>"]
    assert [wire["weight"] for wire in alone["wires"]] == [0, 1, None, None]
    many = facts(training_page(nn.MLP(2, [8, 8, 3], rng=0), *THREE, loss="cross_entropy"))["board"]
    assert sum(box["kind"] == "result" for box in many["boxes"]) == 19
    assert sum(wire["weight"] is not None for wire in many["wires"]) == 8 * 2 + 8 * 8 + 3 * 8
    assert facts(training_page(Quadratic(), *line(3), loss="mean_squared_error"))["board"] is None
    wide = training_page(nn.MLP(2, [18, 24, 1], "tanh", "sigmoid"), *TWO)
    assert facts(wide)["board"] is None  # more wires than can be told apart


def test_equal_targets_share_a_function_and_many_targets_are_inputs() -> None:
    net = nn.MLP(2, [3, 3], "tanh", rng=0)
    assert facts(training_page(net, *THREE, loss="cross_entropy"))["kinds"] == [
        [i for i, y in enumerate(THREE[1]) if y == k] for k in dict.fromkeys(THREE[1])
    ]
    X, y = line(MAX_TARGETS + 1)
    found = facts(training_page(nn.MLP(1, [2, 1]), X, y, loss="mean_squared_error"))
    assert found["kinds"] == [list(range(MAX_TARGETS + 1))]


def test_a_large_net_is_written_in_parts() -> None:
    X, y = nn.datasets.moons(6, rng=0)
    found = training_page(nn.MLP(2, [24, 16, 1], "tanh", "sigmoid", rng=0), X, y)
    assert "const t = new Float64Array" in found.html
    if shutil.which("node"):
        assert run_page(found, "return trainer.differs()") is False


# Bad input.


class Branching(nn.Module):
    """A net of which the graph depends on its numbers."""

    def __init__(self) -> None:
        self.w = Value(0.5, "w")

    def __call__(self, x: Any) -> Any:
        z = self.w * x[0]
        return z if z > 0 else 0.1 * z


class Noisy(Branching):
    def __call__(self, x: Any) -> Any:
        return self.w * x[0] * random.random()


class Reading(Branching):
    def __call__(self, x: Any) -> Any:
        return self.w * x[0].data if isinstance(x[0], Value) else self.w * x[0]


class Special(Branching):
    def __call__(self, x: Any) -> Any:
        return ag.digamma(self.w * x[0])


DATA = [[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (Branching, r"the net or its loss branches on its numbers \(here t\d > 0 is True\)"),
        (Noisy, r"the loss of example \d is .*, but .* by the graph of example 0: the net must do the same"),
        (Reading, r"explore: the net: \.data of 'x_1' is read"),
        (Special, r"the page cannot compute this net: polygamma has no function in JavaScript"),
    ],
)
def test_nets_that_a_page_cannot_have(net: type[nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ag.explore(net(), *DATA, loss="mean_squared_error")


def test_bad_arguments_are_refused() -> None:
    net = nn.two_layer_net(2, 2, rng=0)
    X, y = TWO

    def refused(error: type[Exception], message: str, *args: Any, **more: Any) -> None:
        with pytest.raises(error, match=message):
            ag.explore(*args, **more)

    refused(TypeError, r"explore: give a module with X and y", net)
    refused(TypeError, r"explore: give a module with X and y", net, X)
    refused(TypeError, r"explore: X, y, loss and optimizer are for a module", Value(1.0), X, y)
    refused(TypeError, r"no argument epochs, which is 3 here: the page trains until", net, X, y, epochs=3)
    refused(ValueError, r"y: 29 targets for 30 examples", net, X, y[:-1])
    refused(ValueError, r"X, row 0: expected finite numbers, not nan", net, [[math.nan, 1.0]], [1])
    refused(ValueError, r"X: there are no examples", net, [], [])
    refused(ValueError, r"expected 2 inputs, 3 given", net, [[1.0, 2.0, 3.0]], [1])
    refused(ValueError, r"explore: example 1: .*must be from 0 to 1, not 2", net, X[:2], [1, 2])
    refused(ValueError, r"y: targets of different lengths", net, X[:2], [1, [0, 1]])
    refused(ValueError, r"loss: there is no 'hinges' \(did you mean 'hinge'\?\)", net, X, y, loss="hinges")
    for precision in (0, True, 4.0):
        refused(ValueError, r"precision must be a whole number from 1 to 17", net, X, y, precision=precision)
    refused(ValueError, r"the optimizer is an nn.SGD, not Adam", net, X, y, optimizer=nn.Adam(net))
    refused(TypeError, r"the optimizer is an nn.SGD, not 'sgd'", net, X, y, optimizer="sgd")
    momentum, schedule = nn.SGD(net, momentum=0.9), nn.SGD(net, lr=nn.cosine(0.1, 10))
    refused(ValueError, r"the page has no momentum, but the optimizer has 0.9", net, X, y, optimizer=momentum)
    refused(ValueError, r"give the optimizer a number as lr", net, X, y, optimizer=schedule)
    refused(ValueError, r"must hold the parameters of this net", net, X, y, optimizer=nn.SGD(net.layers[0]))
    broken = nn.Neuron(2)
    broken.w[1].data = math.nan
    refused(ValueError, r"explore: the parameter w_2 is nan", broken, X, y)
    refused(ValueError, r"the net has no parameters", nn.Sequential(ag.tanh), X, y)
    with pytest.raises(RuntimeError, match=r"inside no_grad\(\)"), ag.no_grad():
        ag.explore(net, X, y)
    linear = nn.MLP(2, [2, 1], None)
    linear.layers[1].neurons[0].b.data = 1e200
    refused(ValueError, r"explore: example 0: ", linear, X, y, loss="mean_squared_error")


def test_what_is_too_large_is_refused() -> None:
    X, y = nn.datasets.moons(60, rng=0)
    with pytest.raises(ValueError, match=r"have 2\d,\d+ equations, and at most 20,000 fit a page: take a smaller net"):
        ag.explore(nn.MLP(2, [60, 60, 1], "tanh", "sigmoid", rng=0), X, y)
    X, y = nn.datasets.moons(6000, rng=0)
    with pytest.raises(ValueError, match=r"a step over 6,000 examples .* take \d,\d+ examples, or a smaller net"):
        ag.explore(nn.MLP(2, [12, 12, 1], "tanh", "sigmoid", rng=0), X, y)
    with pytest.raises(ValueError, match=r"X and y have 202,000 numbers, and at most 200,000 fit a page"):
        ag.explore(nn.Neuron(100), [[0.5] * 100] * 2000, [1] * 2000)


# The page in a browser.


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


def plain(text: str) -> float:
    small = text.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    return float(small.replace("−", "-").replace("\u202f", "").replace("·10", "e"))


def cells(page: Any, column: int) -> list[float]:
    return [plain(text) for text in page.locator(f"#values td:nth-child({column})").all_text_contents()]


def test_steps_in_a_browser(opened: Any) -> None:
    X, y = TWO
    net = nn.two_layer_net(2, 2, init="xavier", rng=4)
    page = opened(training_page(net, X, y, optimizer=nn.SGD(net, lr=0.5)))
    J = nn.cost(net, X, y, "binary_cross_entropy")
    J.backward()
    assert page.text_content("#steps") == "0"
    assert math.isclose(plain(page.text_content("#cost")), J.data, rel_tol=1e-3)
    assert all(
        map(
            lambda a, b: math.isclose(a, b, rel_tol=6e-3, abs_tol=1e-9),
            cells(page, 2),
            [x.data for x in net.parameters()],
        )
    )
    page.click("#step")
    page.click("#ten")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert page.text_content("#steps") == "22"
    history = nn.fit(net, X, y, optimizer=nn.SGD(net, lr=0.5), epochs=22, progress=False)
    J = nn.cost(net, X, y, "binary_cross_entropy")
    net.zero_grad()
    J.backward()
    assert J.data < history["cost"][0]
    assert math.isclose(plain(page.text_content("#cost")), J.data, rel_tol=1e-3)
    assert page.text_content("#accuracy") == f"{100 * nn.accuracy(net, X, y):.1f}".removesuffix(".0") + " %"
    for number, x in zip(cells(page, 2), net.parameters(), strict=True):
        assert math.isclose(number, x.data, rel_tol=1e-3)
    page.wait_for_function("document.getElementById('live').textContent.startsWith('Step 22: cost')")
    page.keyboard.press("Home")
    assert page.text_content("#steps") == "0"


def test_playing_in_a_browser(opened: Any, page: Explorer) -> None:
    shown = opened(page)
    shown.evaluate("""() => {
      window.announced = 0;
      new MutationObserver(() => announced++).observe(document.getElementById('live'), {childList: true});
    }""")
    shown.keyboard.press("Space")
    assert "Pause" in shown.text_content("#play")
    shown.wait_for_function("Number(document.getElementById('steps').textContent) >= 30")
    shown.keyboard.press("Space")
    assert "Play" in shown.text_content("#play")
    at = shown.text_content("#steps")
    shown.wait_for_timeout(200)
    assert shown.text_content("#steps") == at
    assert shown.evaluate("announced") <= 2
    shown.select_option("#speed", "Infinity")
    shown.focus("#play")
    shown.keyboard.press("Space")  # the button's own
    shown.wait_for_function("document.getElementById('steps').textContent.length > 3")
    shown.click("#play")
    shown.select_option("#speed", "1")
    shown.click("#reset")
    shown.click("#play")
    shown.wait_for_function("document.getElementById('steps').textContent === '1'")
    shown.click("#step")  # a step pauses
    assert "Play" in shown.text_content("#play")
    at = shown.text_content("#steps")
    shown.wait_for_timeout(1200)
    assert shown.text_content("#steps") == at != "1"


def test_the_learning_rate_in_a_browser(opened: Any) -> None:
    X, y = line(10)
    shown = opened(training_page(nn.MLP(1, [3, 1], "relu", rng=0), X, y, loss="mean_squared_error"))
    assert shown.input_value("#rate") == "0.1"
    assert shown.input_value("#rate-slider") == "-1"
    assert shown.is_hidden("#right")
    shown.fill("#rate-slider", "-2")
    assert shown.input_value("#rate") == "0.01"
    shown.focus("#rate-slider")
    shown.keyboard.press("ArrowRight")  # moves the slider, and takes no step
    assert shown.input_value("#rate") == "0.011"
    assert shown.text_content("#steps") == "0"
    shown.fill("#rate", "1e200")
    assert shown.is_hidden("#said")
    shown.click("#ten")
    assert "was not taken" in shown.text_content("#said")
    shown.fill("#rate", "-3")  # is none, and changes nothing
    shown.fill("#rate", "0.01")
    at = int(shown.text_content("#steps"))
    shown.click("#step")
    assert shown.is_hidden("#said")
    assert int(shown.text_content("#steps")) == at + 1


def test_new_weights_in_a_browser(opened: Any, page: Explorer) -> None:
    shown = opened(page)
    before = cells(shown, 2)
    shown.fill("#size", "3")
    shown.click("#fresh")
    first = cells(shown, 2)
    shown.click("#fresh")
    assert before != first != cells(shown, 2)
    shown.fill("#size", "0")
    shown.click("#fresh")
    assert cells(shown, 2) == [0.0] * len(before)
    shown.click("#reset")
    assert cells(shown, 2) == before


def test_wires_in_a_browser(opened: Any, page: Explorer) -> None:
    shown = opened(page)
    held = facts(page)
    assert shown.locator("#board canvas").count() == 1  # the planes of the neurons
    assert shown.locator(".wire .hit").count() == 9
    assert shown.locator(".wire .plus, .wire .minus").count() == 9
    w = held["parameters"][0]["start"]
    first = shown.locator(".wire text").first
    assert first.text_content() == f"{w:+.2f}".replace("-", "−")
    shown.click("[data-wires=gradients]")
    assert shown.get_attribute("[data-wires=gradients]", "aria-pressed") == "true"
    assert first.text_content() != f"{w:+.2f}".replace("-", "−")
    assert math.isclose(plain(shown.locator(".box .bias").first.text_content()), held["slopes"][2], rel_tol=0.01)
    shown.locator("#values").focus()
    shown.locator(".wires").first.focus()
    assert shown.text_content("#read").startswith("W11[1] = ")
    shown.keyboard.press("ArrowDown")
    assert shown.text_content("#read").startswith("W12[1] = ")
    assert shown.locator("tr.at th").text_content() == "W12[1]"
    shown.keyboard.press("ArrowUp")
    shown.keyboard.press("ArrowUp")
    assert shown.text_content("#read").startswith("W13[2] = ")
    assert shown.text_content("#steps") == "0"
    shown.hover("#values tbody tr:nth-child(3)")
    assert shown.text_content("#read").startswith("b1[1] = 0")


PIXEL = """canvas => {
  const {data} = canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1);
  return [...data];
}"""


def test_the_themes_in_a_browser(opened: Any, page: Explorer) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light = opened(page, color_scheme="light")
    assert light.evaluate(background) == "rgb(255, 255, 255)"
    light.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert light.evaluate(background) == "rgb(20, 24, 31)"
    light.wait_for_timeout(100)
    assert sum(light.eval_on_selector("#plane-canvas", PIXEL)[:3]) < 300
    dark = opened(page, color_scheme="dark")
    assert dark.evaluate(background) == "rgb(20, 24, 31)"
    dark.evaluate("document.documentElement.dataset.theme = 'light'")
    assert dark.evaluate(background) == "rgb(255, 255, 255)"
    dark.wait_for_timeout(100)
    assert sum(dark.eval_on_selector("#plane-canvas", PIXEL)[:3]) > 450


def test_each_class_has_a_colour_in_a_browser(opened: Any) -> None:
    X = [[math.cos(k), math.sin(k)] for k in range(8)]
    shown = opened(training_page(nn.MLP(2, [3, 8], rng=0), X, list(range(8)), loss="cross_entropy"))
    assert shown.locator("#plane-key li").count() == 9
    for scheme in ("light", "dark"):
        shown.emulate_media(color_scheme=scheme)
        shown.wait_for_timeout(100)
        colours = shown.evaluate("""() => {
          const {palette} = JSON.parse(document.getElementById('facts').textContent);
          const {colour, nameOfClass} = makePalette(palette);
          return Array.from({length: 8}, (_, k) => String(colour(nameOfClass(k))));
        }""")
        assert len(set(colours)) == 8
        assert all(re.fullmatch(r"\d+,\d+,\d+", colour) for colour in colours)
        if scheme == "light":  # those of `nn.plot_decision_boundary`
            in_plots = [",".join(str(int(hue[k : k + 2], 16)) for k in (1, 3, 5)) for hue in HUES]
            assert colours == in_plots


@pytest.mark.parametrize("name", ["text", "softmax", "regression", "five inputs", "one's own", "shares", "a neuron"])
def test_a_telephone_in_a_browser(opened: Any, name: str) -> None:
    make, (X, y), loss, _, _ = CASES[name]
    shown = opened(training_page(make(), X, y, loss=loss), viewport={"width": 390, "height": 844})
    shown.click("#ten")
    assert shown.evaluate("document.documentElement.scrollWidth") == 390
    for control in shown.locator("button:visible, select:visible, input[type=number]:visible").all():
        box = control.bounding_box()
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 390
        assert box["height"] >= 40
    assert shown.is_visible("#plane-none") == (name == "five inputs")
    if name == "five inputs":
        assert "this net has 5 inputs" in shown.text_content("#plane-none")
    if name == "one's own":
        assert "The net is not drawn" in shown.text_content("#board")


def test_less_motion_in_a_browser(opened: Any, page: Explorer) -> None:
    shown = opened(page, reduced_motion="reduce")
    shown.evaluate("""() => {
      window.seen = 0;
      new MutationObserver(() => seen++).observe(document.getElementById('steps'), {childList: true});
    }""")
    shown.click("#play")
    shown.wait_for_timeout(1200)
    assert 1 <= shown.evaluate("seen") <= 4
    shown.click("#play")
    assert int(shown.text_content("#steps")) > 20


def test_a_notebook_shows_it_in_a_frame(opened: Any, page: Explorer, tmp_path: Path) -> None:
    shown = opened(page)
    (tmp_path / "notebook.html").write_text(page._repr_html_(), "utf-8")
    shown.goto((tmp_path / "notebook.html").as_uri())
    inside = shown.frame_locator("iframe")
    inside.locator("#step").click()
    assert inside.locator("#steps").text_content() == "1"


def test_what_is_off_in_a_browser(opened: Any, page: Explorer) -> None:
    cost = facts(page)["cost"]
    page.html = page.html.replace(f'"cost":{cost!r}', '"cost":0.123')
    shown = opened(page)
    assert "Training is off" in shown.text_content("#said")
    shown.click("#step", force=True)
    shown.keyboard.press("Space")
    assert shown.text_content("#steps") == "0"
