"""The structure: imports have no cycle, and each module imports only the libraries that it is known to need."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import layers
import pytest
from layers import PACKAGE, PATHS, imports, name

THIRD_PARTY = {
    "program.lanes": {"numpy"},
    "program.lift": {"numpy"},
    "program.columns": {"numpy"},
    "program.levels": {"numpy"},
    "program.arguments": {"numpy"},
    "program.axes": {"numpy"},
    "program.plans": {"numpy"},
    "program.nested": {"numpy"},
    "program.separate": {"numpy"},
    "program.batch": {"numpy"},
    "program.vectorised": {"numpy"},
    "program.specialization": {"numpy"},
    "program.buffers": {"numpy"},
    "program.programs": {"numpy"},
    "program.arrays": {"numpy"},
    "program.blocks": {"llvmlite"},
    "program.builder": {"llvmlite"},
    "program.code": {"numpy"},
    "program.kernels": {"numpy", "llvmlite"},
    "program.machine": {"llvmlite"},
    "program.primitives": {"llvmlite", "numpy"},
    "program.runner": {"numpy"},
    "program.scan_steps": {"numpy"},
    "program.looping": {"numpy"},
    "program.values": {"llvmlite"},
    "program.notation": {"numpy"},
    "program.adjoint": {"numpy"},
    "program.forms": {"numpy"},
    "program.compiler": {"numpy"},
    "program.export": {"numpy"},
    "program.functions_numpy": {"numpy"},
    "program.statements": {"numpy"},
    "program.written_numpy": {"numpy"},
    "program.shards": {"numpy"},
    "program.simplification": {"numpy"},
    "recorder": {"cython"},  # while it is compiled
    "value": {"cython"},
    "edges": {"cython"},
    "pages.places": {"graphviz"},
    "pictures.dot": {"graphviz"},
    "pictures.drawing": {"graphviz"},
    "pictures.render": {"pygraphviz"},
    "sparse": {"numpy", "scipy"},
    "structure": {"numpy"},
    "lessons.tasks": {"numpy"},
    "nn.cost": {"numpy"},
    "nn.optimizers": {"scipy"},
    "nn.plots": {"matplotlib"},
    "nn.recover": {"numpy"},
    "nn.training": {"numpy", "tqdm"},
    "demo": {"matplotlib"},
}


def test_imports_have_no_cycle() -> None:
    graph = layers.graph()
    assert {module for imported in graph.values() for module in imported} <= graph.keys()
    found = layers.layers(graph)  # a CycleError names the modules
    assert found["ops"] < found["value"] < found["transform"] < found["program.compiler"]


def test_no_package_imports_what_stands_above_it() -> None:
    """Sub-packages, each taken as one module, and the top-level modules have no cycle either."""
    found = layers.layers(layers.packages())
    assert found["value"] < min(found[unit] for unit in ("nn", "pages", "pictures", "program"))
    assert max(found, key=found.__getitem__) == "__main__"


def test_the_page_has_the_layers() -> None:
    page = layers.PAGE.read_text()
    assert layers.replaced(page) == page, "python tests/layers.py writes them"


def test_the_files_that_the_page_names_exist() -> None:
    names = set(re.findall(r"(\w+\.(?:py|js))\b", layers.PAGE.read_text()))
    assert names <= {path.name for folder in (PACKAGE, layers.TESTS) for path in folder.rglob("*.*")}


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_other_libraries(path: Path) -> None:
    used = {module for module, ours in imports(path) if not ours}
    assert used <= sys.stdlib_module_names | THIRD_PARTY.get(name(path), set())


def test_only_the_table_knows_ops_by_name() -> None:
    """No module outside the table may branch on an op, apart from those that write operators or formulas."""
    for path in PATHS:
        if name(path) in (
            "ops",
            "evaluation",
            "sums",
            "value",
            "series",
            "formulas",
            "printing",
            "pictures.typeset",
            "pictures.graph",
            "choices",
            "functions",
            "nn.losses",
            "nn.recover",
            "program.algebra",
            "program.columns",
            "program.guards",
            "program.meanings",
            "program.notation",
            "program.statements",
            "program.terms",
            "program.values",
            "program.vectors",
            "__init__",
        ):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "ops":
                assert {alias.name for alias in node.names} <= {
                    "Constant",
                    "Op",
                    "OPS",
                    "Interval",
                    "Level",
                    "Recorder",
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
