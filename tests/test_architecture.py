"""The house: imports point down, and rooms of one layer do not know each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "autograd_mini"
LAYERS = {
    "uncompiled": 0,
    "files": 0,
    "ops": 1,
    "value": 2,
    "structure": 2,
    "series": 2,
    "expression": 3,
    "transform": 3,
    "functions": 3,
    "printing": 4,
    "stale": 5,
    "nn.words": 0,
    "nn.module": 4,
    "nn.initializers": 4,
    "nn.losses": 4,
    "check": 6,
    "trace": 5,
    "explain": 6,
    "folding": 5,
    "nn.layers": 5,
    "nn.optimizers": 5,
    "nn.datasets": 5,
    "program.lift": 6,
    "program.loops": 7,
    "program.vectors": 0,
    "program.arguments": 7,
    "program.algebra": 4,
    "program.notation": 7,
    "program.kernels": 8,
    "program.adjoint": 8,
    "program.picture": 11,
    "program.batch": 9,
    "program.compiler": 12,
    "program": 13,
    "exploring": 11,
    "blame": 7,
    "mistakes": 7,
    "pictures": 0,
    "pictures.theme": 0,
    "pictures.typeset": 5,
    "pictures.model": 6,
    "pictures.layout": 7,
    "pictures.board": 7,
    "pictures.net": 7,
    "pictures.render": 1,
    "pictures.graph": 8,
    "pictures.dot": 8,
    "pictures.data": 7,
    "pictures.mermaid": 9,
    "pictures.tikz": 9,
    "pictures.drawing": 10,
    "nn.cost": 6,
    "nn.symmetry": 6,
    "nn.recover": 7,
    "nn.plots": 7,
    "nn.training": 14,
    "nn": 15,
    "demo": 16,
    "cli": 17,
    "__init__": 18,
    "__main__": 18,
    "_build": 0,
}
THIRD_PARTY = {
    "program.lift": {"numpy"},
    "program.arguments": {"numpy"},
    "program.batch": {"numpy"},
    "program.vectors": {"llvmlite", "numba", "numpy"},
    "program.kernels": {"numpy", "numba", "tqdm"},
    "program.notation": {"numpy"},
    "program.adjoint": {"numpy"},
    "program.compiler": {"numpy"},
    "_build": {"setuptools", "Cython"},
    "ops": {"cython"},  # while it is compiled
    "value": {"cython"},
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


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_imports_point_down(path: Path) -> None:
    room = name(path)
    folder = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = folder[: len(folder) + 1 - node.level]
            for imported in [node.module] if node.module else [alias.name for alias in node.names]:
                below = ".".join((*start, imported))
                assert LAYERS[below] < LAYERS[room], f"{room} imports {below}, which is not below it"
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            for module in modules:
                top = module.split(".")[0]
                assert top in __import__("sys").stdlib_module_names | THIRD_PARTY.get(room, set()), module


def test_only_the_table_knows_ops_by_name() -> None:
    """No room outside the table may branch on an op, apart from those that write operators or formulas."""
    for path in PATHS:
        if name(path) in (
            "ops",
            "value",
            "series",
            "expression",
            "printing",
            "pictures.typeset",
            "pictures.graph",
            "functions",
            "nn.losses",
            "nn.recover",
            "program.algebra",
            "program.lift",
            "program.notation",
            "__init__",
        ):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "ops":
                assert {alias.name for alias in node.names} <= {
                    "Op",
                    "OPS",
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
