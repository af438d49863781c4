"""Pages of many graphs in windows of many widths: nothing scrolls sideways, texts keep apart, and can be read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import fan_out, formula

import autograd_mini as ag
from autograd_mini import Explorer, Value, nn

WIDTHS = (320, 390, 1280)
LEAST = 9.9  # pixels of letters that can be read
# What is wrong with the page as it is shown. Of texts only the part counts that their frame shows.
WRONG = r"""() => {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} wide`);
  for (const element of document.querySelectorAll("body *")) {
    if (element.matches(".scrolls")) continue; // a matrix
    const scrolls = ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
    if (scrolls && element.scrollWidth > element.clientWidth + 1) found.push(`${element.id} scrolls sideways`);
  }
  const part = (element, spare) => {
    const place = element.getBoundingClientRect();
    const frame = element.closest(".picture, .scroll")?.getBoundingClientRect() ?? place;
    return {
      left: Math.max(place.left, frame.left),
      right: Math.min(place.right, frame.right),
      top: Math.max(place.top + spare * place.height, frame.top), // no letter is as high as its line
      bottom: Math.min(place.bottom - spare * place.height, frame.bottom),
    };
  };
  const isSeen = place => place.right - place.left > 0 && place.bottom - place.top > 0;
  const meet = (a, b) => {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    return across > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  };
  const shown = (selector, spare) => [...document.querySelectorAll(selector)]
    .map(element => ({element, place: part(element, spare), name: element.textContent}))
    .filter(({place, name, element}) => isSeen(place) && (name.trim() || element.tagName === "rect"));
  const texts = shown("svg text", 0.15);
  const outlines = shown("svg .box > rect:first-of-type", 0);
  const pills = shown("svg .arrow rect, svg .wire rect", 0);
  texts.forEach(({element, place, name}, i) => {
    for (const other of texts.slice(i + 1))
      if (meet(place, other.place)) found.push(`${name} covers ${other.name}`);
    const own = element.closest(".box");
    for (const outline of outlines) {
      const box = outline.element.parentNode;
      const edge = outline.place;
      if (box !== own && meet(place, edge)) found.push(`${name} is over the box ${box.textContent}`);
      const [whole, rim] = [element.getBoundingClientRect(), outline.element.getBoundingClientRect()];
      const isInside = whole.left > rim.left && whole.right < rim.right;
      if (box === own && !isInside) found.push(`${name} sticks out of its box`);
    }
  });
  pills.forEach(({element, place}, i) => {
    const name = element.parentNode.textContent;
    for (const other of [...pills.slice(i + 1), ...outlines])
      if (meet(place, other.place)) found.push(`the number ${name} covers ${other.element.parentNode.textContent}`);
  });
  return found;
}"""
SMALLEST = """() => Math.min(...[...document.querySelectorAll("svg text")]
  .filter(text => text.textContent.trim() && text.getBoundingClientRect().width)
  .map(text => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a))"""


def total(n: int) -> Value:
    """Return the square of a sum of n leaves."""
    s = ag.sum([Value(float(k % 7) - 2.5, f"x_{k}") for k in range(1, n + 1)])
    s.label = "s"
    J = s * s
    J.label = "J"
    return J


def chain(n: int) -> Value:
    """Return a chain of n operations."""
    x = Value(0.5, "x")
    for k in range(n):
        x = ag.sin(x) if k % 2 else x * 1.1
        x.label = f"h_{k + 1}"
    return x


def neuron(n: int) -> Value:
    """Return the loss of a neuron with n inputs."""
    inputs = [0.5 + k for k in range(n)]
    loss: Value = nn.log_loss(nn.MLP(n, [1], output="sigmoid", rng=0)(inputs), 1)
    return loss


def cost(layers: list[int]) -> Value:
    return nn.cost(nn.MLP(2, layers, output="sigmoid", rng=0), [[1.0, 2.0]], [[1.0]])


def strange() -> Value:
    """Return a graph with numbers and names that need much room."""
    a, b = Value(-1.10e-5, "lambda"), Value(1e300, "W_{11}^[2]")
    c, d = Value(math.inf, "a_long_name_of_a_leaf"), Value(math.nan, "x^{(12)}")
    u = a * b
    u.label = "u_{max}"
    v = u * c
    v.label = "another_long_name"
    return v + d / b


def powers() -> Value:
    a, b, c = Value(-1.2345e-5, "lambda_1"), Value(3.4567e-7, "W_{11}^[2]"), Value(-9.87654e12, "x^{(12)}")
    return ag.exp(a * b * c**2) - a / b


LOSS = "p = sigmoid(w*x + b); -(y*log(p) + (1 - y)*log(1 - p))"
PAGES: dict[str, Callable[[], Explorer]] = {
    "J": lambda: ag.explore(formula()),
    "J beside": lambda: ag.explore(formula(), beside={"a": -1.1e-5, "b": 1e300}),
    "fan-out": lambda: ag.explore(fan_out()),
    "loss beside": lambda: ag.explore(ag.expression(LOSS, w=2, x=-0.5, b=0.1, y=1), beside="overwrite"),
    **{f"sum of {n}": lambda n=n: ag.explore(total(n)) for n in (1, 2, 5, 9, 20, 64)},  # type: ignore[misc]
    "neuron with 9 inputs": lambda: ag.explore(neuron(9)),
    "neuron with 20 inputs": lambda: ag.explore(neuron(20)),
    "chain": lambda: ag.explore(chain(30)),
    "net 2-4-1": lambda: ag.explore(cost([4, 1])),
    "net 2-8-4-1": lambda: ag.explore(cost([8, 4, 1])),
    "strange": lambda: ag.explore(strange()),
    "powers": lambda: ag.explore(powers()),
    "17 digits": lambda: ag.explore(powers(), precision=17),
}


@pytest.fixture(scope="module")
def window(browser: Any) -> Iterator[Any]:
    context = browser.new_context(reduced_motion="reduce")
    yield context.new_page()
    context.close()


def assert_fits(window: Any, width: int) -> None:
    """Check a page in a window of some width, and with its picture enlarged if that has small letters."""
    window.set_viewport_size({"width": width, "height": 844})
    window.wait_for_function(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
    )
    wrong = window.evaluate(WRONG)
    if width > 600:  # the frame of a large picture scrolls
        wrong = [text for text in wrong if "scrolls sideways" not in text]
    assert wrong == [], width
    if window.evaluate(SMALLEST) < LEAST:
        zoom = window.locator("#zoom")
        zoom.click()
        assert window.evaluate(SMALLEST) >= LEAST, width
        assert [text for text in window.evaluate(WRONG) if "scrolls sideways" not in text] == [], width
        zoom.click()


def opened(window: Any, explorer: Explorer, folder: Path) -> None:
    path = explorer.save(folder / "page.html")
    window.set_viewport_size({"width": WIDTHS[0], "height": 844})
    window.goto(path.as_uri())


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_graphs(window: Any, tmp_path: Path, name: str) -> None:
    opened(window, PAGES[name](), tmp_path)
    pictures = window.locator("#which option").count()
    for width in WIDTHS:
        for mode in ("values", "reverse", "forward"):
            window.click(f"[data-mode={mode}]")
            window.keyboard.press("Home" if mode == "values" else "End")
            for k in {0, pictures - 1}:
                if pictures > 1:
                    window.select_option("#which", str(k))
                assert_fits(window, width)


def trained(layers: list[int], number: Callable[[float], float] = float, inputs: int = 2) -> Explorer:
    """Return the page that trains a net, of which all parameters are moved."""
    net = nn.MLP(inputs, layers, "tanh", rng=0)
    for parameter in net.parameters():
        parameter.data = number(parameter.data)
    X = [[math.sin(i * (k + 1)) for k in range(inputs)] for i in range(12)]
    return ag.explore(net, X, [float(i % 2) for i in range(12)], loss="mean_squared_error")


TRAINING: dict[str, Callable[[], Explorer]] = {
    "net 2-4-1": lambda: trained([4, 1]),
    "net 2-1": lambda: trained([1]),
    "net 9-4-1": lambda: trained([4, 1], inputs=9),
    "net 2-16-16-1": lambda: trained([16, 16, 1]),
    "small numbers": lambda: trained([4, 1], lambda x: 1e-6 * x - 1.1e-5),
    "tiny numbers": lambda: trained([4, 1], lambda x: 1e-120 * x - 1.1e-120),
    "large numbers": lambda: trained([4, 1], lambda x: 1e5 * x - 1.2345e7),
}


@pytest.mark.parametrize("name", TRAINING)
def test_pages_that_train(window: Any, tmp_path: Path, name: str) -> None:
    opened(window, TRAINING[name](), tmp_path)
    for width in WIDTHS:
        for kind in ("weights", "gradients"):
            window.click(f"[data-wires={kind}]")
            assert_fits(window, width)
        window.click("#ten")
        assert_fits(window, width)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("make", [formula, fan_out, lambda: total(9), lambda: chain(12), lambda: cost([4, 1]), powers])
def test_pages_that_eliminate(window: Any, tmp_path: Path, make: Callable[[], Value], mode: str) -> None:
    output = make()
    leaves = [node for node in ag.topological_order(output) if node.op is None]
    opened(window, ag.eliminate(output, leaves, mode).explore(), tmp_path)
    for width in WIDTHS:
        for key in ("Home", "ArrowRight", "End"):
            window.keyboard.press(key)
            assert_fits(window, width)


@pytest.mark.parametrize("make", [formula, fan_out, lambda: neuron(9)])
def test_pages_of_small_graphs_are_small(make: Callable[[], Value]) -> None:
    assert len(ag.explore(make()).html.encode()) < 150_000
