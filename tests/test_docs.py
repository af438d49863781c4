"""The docs' links, tests and names exist, and docstrings follow the rules of `docs/contributing.md`.

The code blocks of the docs are run as doctests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path

import pytest

import autograd_mini as ag
from autograd_mini import nn

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SCRIPTS = [*(ROOT / "autograd_mini").rglob("*.py"), DOCS / "conf.py", *(DOCS / "play").glob("*.py")]
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_and_tests_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([\w./-]+\.\w+)(?:#[\w-]*)?\)", text):
        assert (page.parent / link).exists(), link
    for file, test in re.findall(r"`(tests/\w+\.py)::(\w+)`", text):
        assert f"def {test}(" in (ROOT / file).read_text(), test
    for lesson in re.findall(r"\{lesson\}`(?:[^`]*<)?([\w-]+)>?`", text):
        assert len([*(ROOT / "notebooks").glob(f"??-{lesson}.ipynb")]) == 1, lesson
    terms = re.findall(r"^[A-Za-z].*$", blocks(DOCS / "glossary.md", "glossary")[0], re.MULTILINE)
    for term in re.findall(r"\{term\}`(?:[^`]*<)?([\w -]+)>?`", text):
        assert term.lower() in [name.lower() for name in terms], term


def test_every_statement_of_the_text_names_its_test() -> None:
    text = (ROOT / "docs" / "the-text.md").read_text()
    assert len(re.findall(r"`tests/\w+\.py::\w+`", text)) > 12
    for section in text.split("\n## ")[1:]:
        assert re.search(r"^Tests?: ", section, re.MULTILINE), section.splitlines()[0]


def blocks(page: Path, kind: str) -> list[str]:
    """Return the insides of a page's blocks of one kind."""
    return re.findall(rf"^```\{{{kind}\}}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def entries(page: Path) -> Iterator[str]:
    """Yield what a page's toctrees list, as paths from docs without a suffix, globs as they are."""
    for block in blocks(page, "toctree"):
        for line in block.splitlines():
            if line and not line.startswith(":"):
                yield (page.parent.relative_to(DOCS) / line).as_posix()


def test_every_page_is_in_one_toctree() -> None:
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in PAGES[1:]}
    pages |= {f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    listed = [entry for page in PAGES[1:] for entry in entries(page)]
    for page in sorted(pages - {"index"}):
        found = [e for e in listed if fnmatchcase(page, e) and page.count("/") == e.count("/")]
        assert len(found) == 1, f"{page} is in {len(found)} toctrees; see docs/index.md"
    for entry in listed:
        assert any(fnmatchcase(page, entry) for page in pages), f"there is no page {entry}"


def test_every_public_name_is_in_the_api() -> None:
    documented = set()
    for page in (DOCS / "api").glob("*.md"):
        for block in blocks(page, "eval-rst"):
            module = import_module(re.findall(r"^\.\. currentmodule:: ([\w.]+)$", block, re.MULTILINE)[0])
            for name in re.findall(r"^\.\. (?:auto\w+|data):: (\w+)$", block, re.MULTILINE):
                assert hasattr(module, name), f"{page.name}: {module.__name__} has no {name}"
                assert (module.__name__, name) not in documented, f"{name} is documented twice"
                documented.add((module.__name__, name))
    public = {("autograd_mini", name) for name in {*ag.__all__, *ag.OPS, "compile", "sum", "take"} - {"nn"}}
    for module in (nn, nn.datasets):
        for name, thing in vars(module).items():
            ours = getattr(thing, "__module__", "").startswith(nn.__name__)
            if ours and not name.startswith("_") and (module is nn or thing.__module__ == module.__name__):
                public.add((module.__name__, name))
    assert public <= documented, sorted(public - documented)


# "Plain English" in docs/contributing.md: the parts that a program can check.
VAGUE = re.compile(r"(Say|Give|Tell|What|Who|How|Why|Which|Where|Whether|That)\b")
TURNED = re.compile(r"(derivatives? of \w+ in \w+|\banew|Return (if|what|that which|who))\b")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_docstrings_are_in_plain_english(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
            name = getattr(node, "name", path.name)
            assert not VAGUE.match(text), f"{name}: begin with a noun, or with a verb such as Return or Yield"
            found = TURNED.search(text.split(">>>")[0])
            assert not found, f"{name}: instead of {found[0]!r} write a noun, or 'with respect to'"
