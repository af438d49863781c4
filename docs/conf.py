"""The settings of Sphinx, which builds the site: `pip install ".[docs]" && sphinx-build -W docs docs/_build/html`.

The pages are Markdown and the notebooks as they were saved. The API comes from the docstrings, which
are Markdown too, and are put into Sphinx's words here.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.roles import XRefRole
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["AUTOGRAD_MINI_COMPILE"] = "0"  # the sources know more of their signatures than the compiled modules

import autograd_mini  # noqa: E402
from autograd_mini import nn  # noqa: E402
from autograd_mini.cli import compute  # noqa: E402

project = "autograd_mini"
author = "the contributors"
copyright = f"{author}; MIT licence"
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "sphinx_copybutton"]
exclude_patterns = ["_build"]
smartquotes_action = "D"  # dashes only: the prime in f'(0) is no quotation mark
highlight_language = "none"  # an indented block is for the shell

html_theme = "furo"
html_title = "autograd_mini"
html_css_files = ["site.css"]
html_search_scorer = str(ROOT / "docs" / "_static" / "scorer.js")
pygments_style, pygments_dark_style = "friendly", "github-dark"

# One file of MathJax with its glyphs as paths: it asks for nothing else, and works from a folder on disk.
mathjax = find_spec("sphinx-mathjax-offline")
if mathjax is None or mathjax.origin is None:
    raise ImportError('sphinx-mathjax-offline is missing: pip install ".[docs]"')
mathjax_path = "tex-svg.js"
html_static_path = ["_static", str(Path(mathjax.origin).parent / "static" / "mathjax" / mathjax_path)]

nb_execution_mode = "off"  # the tests run the notebooks, and compare
nb_code_prompt_show, nb_code_prompt_hide = "Show the answer", "Hide the answer"  # of a question in a lesson
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

# The playground, where it was built; the files of `extra/` go into the site as they are.
EXTRA = Path(__file__).parent / "_build" / "extra"
html_js_files: list[Any] = []
if (EXTRA / "play" / "index.html").exists():
    tags.add("play")  # type: ignore[name-defined]  # noqa: F821  # Sphinx's own
    html_extra_path = [str(EXTRA)]
    html_js_files.append(("try.js", {"defer": "defer"}))
if (EXTRA / "lite" / "index.html").exists():
    tags.add("lite")  # type: ignore[name-defined]  # noqa: F821

copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

add_module_names = False
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_use_rtype = False

PUBLIC = {
    where: {
        name: f"{where}.{name}"
        for name in dir(module)
        if not name.startswith("_") and not isinstance(getattr(module, name), ModuleType)
    }
    for where, module in (("autograd_mini", autograd_mini), ("autograd_mini.nn", nn))
}
NOT_OURS = {"abs", "annotations", "dot", "pow", "sum"}  # in prose: Python's, and Graphviz's program
# Nobody calls these: a function makes them, and their arguments would only be in the way.
MADE = {"Blame", "Comparison", "Compiled", "Drawing", "Explanation", "Op", "Path", "Paths", "Symmetries", "Trace"}
MADE |= {"Batched", "BoundCall", "History", "Method"}
# Besides code and formulas what reStructuredText would read as a mark: in `output: J.` the beginning of a list.
SPAN = re.compile(r"`(?P<code>[^`]+)`|\$(?P<tex>[^$]+)\$|(?P<mark>[*|\\]|_(?!\w)|(?<=: [A-Z])\.)")


def as_rst(_app: Any, what: str, name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    """Put `code` and $formulas$ of a docstring into reStructuredText, and link the names of the API."""
    known = {k: v for k, v in PUBLIC["autograd_mini"].items() if k not in NOT_OURS}
    if ".nn." in name:
        known |= PUBLIC["autograd_mini.nn"]
    if what in ("class", "method", "property"):  # a class's own names come before the package's
        owner = name if what == "class" else name.rpartition(".")[0]
        module, _, kind = owner.rpartition(".")
        known |= {k: f"{owner}.{k}" for k in dir(getattr(sys.modules[module], kind)) if not k.startswith("_")}

    def rewrite(match: re.Match[str]) -> str:
        before, after = match.string[match.start() - 1 : match.start()], match.string[match.end() : match.end() + 1]
        if match["mark"]:
            return "\\" + match["mark"]
        target = known.get((match["code"] or "").removesuffix("()"))
        if match["tex"]:
            inner = f":math:`{match['tex']}`"
        elif target and target != name:
            inner = f":py:obj:`{match['code']} <{target}>`"
        else:
            inner = f"``{match['code']}``"
        return ("\\ " if before.isalnum() else "") + re.sub(r"\s*\n\s*", " ", inner) + ("\\ " * after.isalnum())

    paragraphs = re.split(r"\n{2,}", "\n".join(lines))
    rewritten = [p if p.lstrip().startswith(">>>") else SPAN.sub(rewrite, p) for p in paragraphs]
    # Of a property napoleon takes what stands before a colon in the first line for a type.
    lines[:] = [""] * (what == "property") + "\n\n".join(rewritten).split("\n")


def without_arguments(
    _app: Any, what: str, name: str, _object: Any, _options: Any, signature: str | None, _returns: Any
) -> tuple[str, None] | None:
    """Leave out the signature of a class that users do not call."""
    made = what == "exception" or (what == "class" and name.rpartition(".")[2] in MADE)
    return ("", None) if made and signature else None


def where_it_is_documented(app: Any, env: Any, node: Any, inner: Any) -> Any:
    """Lead from a name in the module that defines it to the name that the package gives it."""
    module, _, name = node.get("reftarget", "").rpartition(".")
    if node.get("refdomain") != "py" or not module.startswith("autograd_mini") or module not in sys.modules:
        return None
    for names in PUBLIC.values():
        target = names.get(name)
        if target and target != node["reftarget"]:
            return env.domains.python_domain.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, inner)
    return None


def tidy(_app: Any, page: Any) -> None:
    """Drop the empty line that ends a doctest in Markdown, keep formulas on the page and with their commas, mend links.

    `docs/notebooks` is a symbolic link. So a link from one notebook to another has the path of the real file.
    """
    for block in page.findall(nodes.literal_block):
        text = block.astext().rstrip()
        if block.rawsource == block.astext():
            block.rawsource = text
            block[:] = [nodes.Text(text)]
    for formula in list(page.findall(nodes.math)):
        after = formula.next_node(descend=False, siblings=True)
        if len(formula.astext()) > 75:
            formula["classes"].append("long")
        elif isinstance(after, nodes.Text) and after[:1] in (",", ".", ";", ":", ")", "?", "!"):
            # A browser may break a line between a formula and the mark after it.
            after.parent.replace(after, nodes.Text(after[1:]))
            together = nodes.inline(classes=["unbroken"])
            formula.replace_self(together)
            together += [formula, nodes.Text(after[:1])]
    for link in page.findall(addnodes.pending_xref):
        path = Path(link["reftarget"])
        if path.parent == ROOT / "notebooks":
            link["reftarget"] = f"notebooks/{path.name}"


def run_in_the_browser(_app: Any, page: Any, where: str) -> None:
    """Link a lesson's page to the copy that runs in the browser, if the site has one: `docs/play/lite.py` builds it."""
    name = f"{Path(where).name}.ipynb"
    if where.startswith("notebooks/") and (EXTRA / "lite" / "files" / name).exists():
        link = nodes.reference("", "Run in the browser", refuri=f"../lite/notebooks/index.html?path={name}")
        link["classes"].append("try")
        title = page.next_node(nodes.title)
        title.parent.insert(title.parent.index(title) + 1, nodes.paragraph("", "", link))


class Explored(SphinxDirective):
    """Show the page that explores an expression. If nothing renders pictures, show the directive's content instead."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {"quiz": directives.nonnegative_int}  # noqa: RUF012  # a seed

    def run(self) -> list[nodes.Node]:
        """Return the page in a frame. The argument is that of the command: an expression in quotes, and numbers."""
        text, *numbers = shlex.split(self.arguments[0])
        try:
            J = compute(text, numbers)
            seed = self.options.get("quiz")
            page = autograd_mini.explore(J) if seed is None else autograd_mini.quiz(J, seed=seed)
        except ImportError as error:
            logging.getLogger(__name__).info("no explorer of %s: %s", text, error)
            return self.parse_content_to_nodes()
        return [nodes.raw("", page._repr_html_(), format="html")]


class Lesson(XRefRole):
    """Link a lesson by its file's name without the number, which changes when a lesson is added."""

    def create_xref_node(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return a link to a page."""
        self.refdomain, self.reftype = "std", "doc"
        return super().create_xref_node()

    def process_link(
        self, env: Any, refnode: Any, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        """Return the title of the link and the page that it leads to."""
        found = next((ROOT / "docs" / "notebooks").glob(f"??-{target}.ipynb"), Path(target))
        return title, f"/notebooks/{found.stem}"


def setup(app: Any) -> None:
    """Register the functions above. The docstrings are rewritten before napoleon reads their sections."""
    app.add_role("lesson", Lesson(innernodeclass=nodes.inline))
    app.add_directive("explorer", Explored)
    app.connect("autodoc-process-docstring", as_rst, priority=400)
    app.connect("autodoc-process-signature", without_arguments)
    app.connect("doctree-read", tidy)
    app.connect("doctree-resolved", run_in_the_browser)
    app.connect("missing-reference", where_it_is_documented)
