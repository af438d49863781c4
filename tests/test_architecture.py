"""The house: imports point down, and rooms of one layer do not know each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "autograd_mini"
LAYERS = {
    "ops": 0,
    "value": 1,
    "structure": 1,
    "series": 1,
    "expression": 2,
    "transform": 2,
    "printing": 3,
    "check": 4,
    "trace": 4,
    "explain": 4,
    "drawing": 4,
    "blame": 5,
    "cli": 6,
    "__init__": 7,
    "__main__": 7,
}
THIRD_PARTY = {"drawing": {"graphviz", "pygraphviz"}, "structure": {"numpy"}}


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_imports_point_down(path: Path) -> None:
    room = path.stem
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            for name in [node.module] if node.module else [alias.name for alias in node.names]:
                assert LAYERS[name] < LAYERS[room], f"{room} imports {name}, which is not below it"
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            for module in modules:
                top = module.split(".")[0]
                assert top in __import__("sys").stdlib_module_names | THIRD_PARTY.get(room, set()), module


def test_only_the_table_knows_ops_by_name() -> None:
    """No room outside the table may branch on an op, apart from those that write operators."""
    for path in PACKAGE.glob("*.py"):
        if path.stem in ("ops", "value", "series", "expression", "printing", "__init__"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "ops":
                assert {alias.name for alias in node.names} <= {"Op", "OPS", "Level", "identity", "number", "pole"}


def test_the_top_level_is_as_agreed() -> None:
    import subprocess

    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    allowed = {"LICENSE", "README.md", "pyproject.toml", "autograd_mini", "tests", "notebooks", "docs"}
    assert {name for name in listed.stdout.split() if not name.startswith(".")} <= allowed
