"""The layers of the package, computed from its imports: `python tests/layers.py` writes them into docs/design.md."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "autograd_mini"
PAGE = PACKAGE.parent / "docs" / "design.md"
BEGIN, END = "<!-- The layers, as tests/layers.py writes them. -->\n", "<!-- Here they end. -->\n"
PATHS = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "_build.py")

Graph = Mapping[str, Collection[str]]  # names, each with those that it imports


def name(path: Path) -> str:
    """Return a module's name: its path in the package, with dots; a folder's `__init__` is the folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the modules that a module imports, also in functions but not for types alone; and whether they are ours."""
    folder = path.relative_to(PACKAGE).parent.parts
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            start = folder[: len(folder) + 1 - node.level]
            for imported in [node.module] if node.module else [alias.name for alias in node.names]:
                yield ".".join((*start, imported)), True
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            yield from ((module.split(".")[0], False) for module in modules)


def graph() -> Graph:
    """Return the modules, each with the modules of ours that it imports; the package imports some by their names."""
    modules = {name(path): {module for module, ours in imports(path) if ours} for path in PATHS}
    top = ast.walk(ast.parse((PACKAGE / "__init__.py").read_text()))
    constants = [node.value for node in top if isinstance(node, ast.Constant)]
    modules["__init__"] |= modules.keys() & {x.lstrip(".") for x in constants if isinstance(x, str)}
    return modules


def packages() -> Graph:
    """Return the top-level modules and the sub-packages, each of these as one, with what they import of one another."""
    units: dict[str, set[str]] = {}
    for module, imported in graph().items():
        unit = module.split(".")[0]
        arrows = {x.split(".")[0] for x in imported}
        units.setdefault(unit, set()).update(arrows - {unit})
    return units


def inside(package: str) -> Graph:
    """Return the modules of a sub-package, each with those of the same sub-package that it imports."""
    start = f"{package}."
    return {
        module: [x for x in imported if x.startswith(start)]
        for module, imported in graph().items()
        if module.startswith(start)
    }


def layers(arrows: Graph) -> dict[str, int]:
    """Return the layer of each name: 0 where it imports nothing, else one above the highest that it imports.

    >>> layers({"value": ["ops"], "ops": []})
    {'ops': 0, 'value': 1}
    """
    found: dict[str, int] = {}
    for module in TopologicalSorter(arrows).static_order():  # a CycleError names the modules
        found[module] = 1 + max((found[x] for x in arrows[module]), default=-1)
    return found


def about(module: str) -> str:
    """Return the first line of a module's docstring."""
    path = PACKAGE.joinpath(*module.split("."))
    text = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    return (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]


def table(arrows: Graph) -> str:
    """Return the layers as a table, the highest first."""
    found = layers(arrows)
    modules = sorted(found, key=lambda x: (-found[x], x))
    rows = [f"| {found[module]} | `{module.split('.')[-1]}` | {about(module)} |\n" for module in modules]
    return "".join(["| layer | module | |\n", "|---|---|---|\n", *rows])


def written() -> str:
    """Return the section of the page."""
    top = packages()
    folders = sorted(unit for unit in top if (PACKAGE / unit).is_dir())
    parts = [table(top)]
    parts += [f"### In `{folder}`\n\n{table(inside(folder))}" for folder in folders]
    return "\n".join(parts)


def replaced(page: str) -> str:
    """Return the page with the section as it is written now."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{written()}\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(replaced(PAGE.read_text()))
