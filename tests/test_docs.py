"""What the docs refer to is there. Their code blocks are run as doctests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_and_tests_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([\w./-]+\.\w+)(?:#[\w-]*)?\)", text):
        assert (page.parent / link).exists(), link
    for file, test in re.findall(r"`(tests/\w+\.py)::(\w+)`", text):
        assert f"def {test}(" in (ROOT / file).read_text(), test


def test_every_statement_of_the_text_names_its_test() -> None:
    text = (ROOT / "docs" / "the-text.md").read_text()
    assert len(re.findall(r"`tests/\w+\.py::\w+`", text)) > 12
    for section in text.split("\n## ")[1:]:
        assert re.search(r"^Tests?: ", section, re.MULTILINE), section.splitlines()[0]
