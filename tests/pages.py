"""Pages, taken apart: their facts, their scripts run by node, and their sentences as plain text."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

from node import run

import autograd_mini as ag
from autograd_mini import Explorer, Value

VOID = {"meta", "input", "br", "link"}


def formula() -> Value:
    """Return J = 3(a + bc), the graph of the first lesson."""
    return ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=3, c=2)


def fan_out() -> Value:
    """Return a graph in which x has two users."""
    return ag.expression("s = x*y; z = s*x", x=3, y=-2)


def script(page: Explorer, name: str) -> str:
    """Return the script of a page that has an id."""
    found = re.search(rf'<script[^>]* id="{name}">(.*?)</script>', page.html, re.DOTALL)
    assert found is not None
    return found[1]


def facts(page: Explorer) -> Any:
    """Return the facts that a page has of its graph."""
    return json.loads(script(page, "facts"))


def run_pages(pages: Sequence[Explorer], body: str) -> list[Any]:
    """Run a body for each page, which has the page's own `facts`, `engine` and `quiz`."""
    parts = [
        f"(() => {{{script(page, 'engine')}\n{script(page, 'quiz')}\nconst facts = {script(page, 'facts')}; "
        f"const engine = makeEngine(facts, written), quiz = makeQuiz(engine, facts); {body}}})()"
        for page in pages
    ]
    found: list[Any] = run(f"return [{', '.join(parts)}]")
    return found


def run_page(page: Explorer, body: str) -> Any:
    """Run a body for one page."""
    return run_pages([page], body)[0]


def plain(markup: Any) -> Any:
    """Return a sentence of a page, or a list of them, as plain text; a power has a ^ before it."""
    if isinstance(markup, list):
        return [plain(x) for x in markup]
    return html.unescape(re.sub(r"<[^>]*>", "", markup.replace("<sup>", "^"))) if isinstance(markup, str) else markup


def as_sentence(text: str) -> str:
    """Return a derivation without spaces and signs of products, in which plain and typeset text may differ."""
    return re.sub(r"[·\s]", "", text.replace("-", "−"))


def close(x: float, y: float, scale: float = 1.0, tolerance: float = 1e-9) -> bool:
    """Return whether two numbers are the same but for rounding."""
    return x == y or (x != x and y != y) or math.inf > abs(x - y) <= tolerance * (scale + abs(x))


class Parts(HTMLParser):
    """The elements of a page, and those that were not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parts(text: str) -> list[tuple[str, dict[str, str | None]]]:
    """Return the elements of an HTML text, of which each was closed in its place."""
    parser = Parts()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser.found
