"""The built site in a browser: the order of search results, and pages that fit the window.

`PLAY_SITE` names the folder of a built site; without it these tests are skipped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SITE = Path(os.environ.get("PLAY_SITE", "."))
pytestmark = pytest.mark.skipif(not (SITE / "searchindex.js").exists(), reason="PLAY_SITE names no built site")
TEACHES = re.compile(r"(notebooks/|(glossary|concepts|start|order|the-text)\.html)")
FOR_DEVELOPERS = re.compile(r"(decisions|design\.html|contributing\.html|changelog\.html|speed\.html)")
# A mark such as a comma that follows a formula and stands in the line below it.
LOST_MARKS = """() => [...document.querySelectorAll("article mjx-container")].filter(formula => {
  const after = (formula.closest("span.math") ?? formula).nextSibling;
  if (after?.nodeType !== Node.TEXT_NODE || !/^[,.;:)?!]/.test(after.data)) return false;
  const mark = document.createRange();
  mark.setStart(after, 0);
  mark.setEnd(after, 1);
  return mark.getBoundingClientRect().left < formula.getBoundingClientRect().right - 1;
}).map(formula => formula.parentElement.parentElement.textContent)"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(reduced_motion="reduce")
    yield context.new_page()
    context.close()


def found(page: Any, query: str) -> list[str]:
    """Return the pages that the site's search finds, in its order."""
    page.goto((SITE / "search.html").as_uri() + f"?q={query}")
    # Sphinx writes the number of results first, and then one result after the other.
    page.wait_for_function(r"""() => {
        const said = document.querySelector("#search-results .search-summary")?.textContent.match(/\d+/);
        return said && document.querySelectorAll("#search-results ul.search > li").length === Number(said[0]);
    }""")
    links = page.eval_on_selector_all("ul.search > li > a", "links => links.map(link => link.getAttribute('href'))")
    return [str(link) for link in links]


@pytest.mark.parametrize("query", ["sigmoid", "chain rule", "gradient", "backpropagation", "local derivative"])
def test_search_shows_lessons_and_concepts_above_decisions(page: Any, query: str) -> None:
    results = found(page, query)
    teaching = [k for k, link in enumerate(results) if TEACHES.match(link)]
    developing = [k for k, link in enumerate(results) if FOR_DEVELOPERS.match(link)]
    assert len(teaching) > 2
    assert teaching[0] == 0
    assert max(teaching) < min(developing, default=len(results))


@pytest.mark.parametrize("name", ["vjp", "check_grads", "two_layer_net"])
def test_search_shows_the_api_first_for_a_name_of_the_code(page: Any, name: str) -> None:
    assert found(page, name)[0].startswith("api/")


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_scrolls_sideways_and_no_line_begins_with_a_comma(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    paths = [
        path
        for path in sorted(SITE.rglob("*.html"))
        if path.relative_to(SITE).parts[0] not in ("_static", "play", "lite")
    ]
    assert len(paths) > 50
    for path in paths:
        page.goto(path.as_uri())
        page.wait_for_function("!window.MathJax || MathJax.startup?.promise?.then(() => true)")
        assert page.evaluate(TOO_WIDE) <= 0, path
        assert page.evaluate(LOST_MARKS) == [], path


def test_the_table_of_operations_fits(page: Any) -> None:
    for width in (390, 1000, 1280, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto((SITE / "ops.html").as_uri())
        page.wait_for_function("MathJax.startup?.promise?.then(() => true)")
        assert page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('.table-wrapper'))") <= 1


def test_each_lesson_that_runs_in_the_browser_has_a_link(page: Any) -> None:
    for path in sorted(SITE.glob("notebooks/*.html")):
        page.goto(path.as_uri())
        links = page.eval_on_selector_all("article a[href*='lite/']", "links => links.map(link => link.href)")
        copy = SITE / "lite" / "files" / f"{path.stem}.ipynb"
        assert links == ([f"{(SITE / 'lite/notebooks/index.html').as_uri()}?path={copy.name}"] if copy.exists() else [])
