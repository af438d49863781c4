"""The files made from the table: `python tests/generate.py` writes them again.

These are the methods of `Value` in methods.py, and the pages docs/ops.md and docs/api/ops.md.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import autograd_mini
from autograd_mini.ops import METHODS, OPS, SECTIONS, Op
from autograd_mini.printing import op_table

SOURCE = Path(autograd_mini.__file__).with_name("methods.py")
DOCS = Path(__file__).parent.parent / "docs"
BEGIN = "    __slots__ = ()\n"
INTRODUCTION = """\
Each function takes numbers and Values. If all are numbers, it returns a float, else a node. Each is also a method of
`Value`, such as `v.tanh()`, except for {}, `clip`, `cond`, `divmod` and the functions [of many
numbers](#of-many-numbers). [The table](../ops.md) has the derivatives."""


def files() -> dict[Path, str]:
    """Return the files of which all or a part is made from the table, as they must be."""
    api = DOCS / "api" / "ops.md"
    return {
        SOURCE: with_methods(SOURCE.read_text()),
        DOCS / "ops.md": op_table(),
        api: with_rows(api.read_text()),
    }


def with_methods(source: str) -> str:
    """Return the source of `Value` with the table's methods."""
    before, _, _ = source.partition(BEGIN)
    methods = "\n".join([method(name, row) for name, row in METHODS.items()])
    return f"{before}{BEGIN}\n{methods}"


def method(name: str, row: Op) -> str:
    """Write one method, or another name of a method above it."""
    if name != row.name and row.name in METHODS:
        return f"    {name} = {row.name}  # NumPy's name\n"
    rest = row.parameters[1:]
    given = dict.fromkeys(rest[: len(rest) - len(row.defaults)], "")
    given |= {y: f" = {default!r}" for y, default in zip(rest[len(given) :], row.defaults, strict=True)}
    parameters = ", ".join(["self", *(f"{y}: SupportsFloat{default}" for y, default in given.items()), "/"])
    about = row.doc if name == row.name else f"Return the same as `{row.name}`: NumPy calls it by this name."
    lines = [about, "", f"Convention: {row.convention}.", ""] if row.convention and name == row.name else [about]
    if len(about) > 105:
        lines[:1] = textwrap.wrap(about, 105)
    quote = 'r"""' if "\\" in about else '"""'
    doc = textwrap.indent("\n".join([quote + lines[0], *lines[1:]]), " " * 8, lambda line: line != "\n")
    doc = (doc.rstrip() + '\n        """') if len(lines) > 1 else doc + '"""'
    return (
        f"    def {name}({parameters}) -> Value:\n{doc}\n"
        f'        return METHODS["{name}"]({", ".join(["self", *rest])})\n'
    )


def with_rows(page: str) -> str:
    """Return the page of the functions with the table's rows under its headings; what else stands there stays."""
    title, _, *sections = page.split("\n\n", 2)
    functions_only = ", ".join(f"`{name}`" for name in OPS if name not in METHODS)
    introduction = textwrap.fill(INTRODUCTION.format(functions_only), 120, break_on_hyphens=False)
    page = "\n\n".join([title, introduction, *sections])
    for heading, rows in SECTIONS.items():
        before, found, rest = page.partition(f"\n## {heading}\n")
        assert found, f"docs/api/ops.md has no heading {heading!r}"
        text, _, after = rest.partition("\n```\n")
        first, *names = text.split("\n\n.. autofunction:: ")
        names = [*(row.name for row in rows), *(name for name in names if name not in OPS)]
        listed = "".join(f"\n\n.. autofunction:: {name}" for name in names)
        page = f"{before}{found}{first}{listed}\n```\n{after}"
    return page


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
