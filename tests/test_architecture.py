"""The structure: imports have no cycle, and each module imports only the libraries that it is known to need."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "autograd_mini"
THIRD_PARTY = {
    "program.lanes": {"numpy"},
    "program.lift": {"numpy"},
    "program.arguments": {"numpy"},
    "program.batch": {"numpy"},
    "program.specialization": {"numpy"},
    "program.buffers": {"numpy"},
    "program.programs": {"numpy"},
    "program.arrays": {"numpy"},
    "program.builder": {"llvmlite"},
    "program.code": {"numpy"},
    "program.kernels": {"numpy", "llvmlite"},
    "program.machine": {"llvmlite"},
    "program.primitives": {"llvmlite", "numpy"},
    "program.runner": {"numpy"},
    "program.values": {"llvmlite"},
    "program.notation": {"numpy"},
    "program.adjoint": {"numpy"},
    "program.compiler": {"numpy"},
    "_build": {"setuptools", "Cython"},
    "ops": {"cython"},  # while it is compiled
    "value": {"cython"},
    "pages.places": {"graphviz"},
    "pictures.dot": {"graphviz"},
    "pictures.drawing": {"graphviz"},
    "pictures.render": {"pygraphviz"},
    "structure": {"numpy"},
    "nn.optimizers": {"scipy"},
    "nn.plots": {"matplotlib"},
    "nn.recover": {"numpy"},
    "nn.training": {"numpy", "tqdm"},
    "demo": {"matplotlib"},
}
PATHS = sorted(PACKAGE.rglob("*.py"))


def name(path: Path) -> str:
    """Return a room's name: its path in the package, with dots; a folder's `__init__` is the folder."""
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


def test_imports_have_no_cycle() -> None:
    graph = {name(path): [module for module, ours in imports(path) if ours] for path in PATHS}
    assert {module for modules in graph.values() for module in modules} <= graph.keys()
    order = [*TopologicalSorter(graph).static_order()]  # a CycleError names the modules
    assert order.index("ops") < order.index("value") < order.index("transform") < order.index("program.compiler")


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_other_libraries(path: Path) -> None:
    used = {module for module, ours in imports(path) if not ours}
    assert used <= sys.stdlib_module_names | THIRD_PARTY.get(name(path), set())


def test_only_the_table_knows_ops_by_name() -> None:
    """No room outside the table may branch on an op, apart from those that write operators or formulas."""
    for path in PATHS:
        if name(path) in (
            "ops",
            "value",
            "series",
            "formulas",
            "printing",
            "pictures.typeset",
            "pictures.graph",
            "functions",
            "nn.losses",
            "nn.recover",
            "program.algebra",
            "program.lift",
            "program.notation",
            "program.values",
            "program.vectors",
            "__init__",
        ):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "ops":
                assert {alias.name for alias in node.names} <= {
                    "Op",
                    "OPS",
                    "Interval",
                    "Level",
                    "Traced",
                    "TOO_LARGE",
                    "Unguarded",
                    "guard",
                    "identity",
                    "number",
                    "stop_gradient",
                }


def test_the_top_level_is_as_agreed() -> None:
    import subprocess

    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    allowed = {"LICENSE", "README.md", "pyproject.toml", "autograd_mini", "tests", "notebooks", "docs"}
    assert {name for name in listed.stdout.split() if not name.startswith(".")} <= allowed
