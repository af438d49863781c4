"""Change one operator, comparison or number of a module at a time, and see whether a test fails.

    python tests/mutation.py --most 200 --seed 1

copies the package to a scratch folder, changes it there, and runs the tests that are named beside the module. A change
that no test notices, a survivor, is printed with its line. `docs/contributing.md` says which ones are left, and why.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ROWS = ["test_ops.py", "test_limits.py", "test_ways.py", "test_transform.py", "test_value.py", "test_nary.py"]
NODES = ["test_value.py", "test_limits.py", "test_forward.py", "test_leaks.py", "test_memory.py", "test_nary.py"]
TESTS = {
    "ops.py": ROWS,
    "op.py": ROWS,
    "special.py": ROWS,
    **dict.fromkeys(["node.py", "walks.py", "evaluation.py", "sweeps.py", "pickles.py", "value.py", "sums.py"], NODES),
}
SECONDS = 240  # after which a change counts as noticed: a loop that does not end
OTHERS: dict[type, list[type]] = {
    ast.Lt: [ast.LtE], ast.LtE: [ast.Lt], ast.Gt: [ast.GtE], ast.GtE: [ast.Gt], ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot], ast.IsNot: [ast.Is], ast.In: [ast.NotIn], ast.NotIn: [ast.In],
    ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Div], ast.Div: [ast.Mult], ast.Pow: [ast.Mult],
    ast.And: [ast.Or], ast.Or: [ast.And], ast.USub: [ast.UAdd], ast.Not: [],
}  # fmt: skip


def changes(tree: ast.Module) -> Iterator[tuple[int, str, ast.Module]]:
    """Yield every change: its line, what it is, and the module with it."""
    places = [node for node in ast.walk(tree) if isinstance(node, (ast.Compare, ast.BinOp, ast.BoolOp, ast.UnaryOp))]
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    for node in places:
        field = "ops" if isinstance(node, ast.Compare) else "op"
        sign = node.ops[0] if isinstance(node, ast.Compare) else node.op
        for other in OTHERS.get(type(sign), []):
            text = f"{type(sign).__name__} for {other.__name__}: {ast.unparse(node)[:60]}"
            yield node.lineno, text, changed(tree, node, field, [other()] if field == "ops" else other())
    for constant in constants:
        value: Any = constant.value
        if type(value) in (int, float):
            yield constant.lineno, f"{value!r} + 1", changed(tree, constant, "value", value + 1)


def changed(tree: ast.Module, node: ast.AST, field: str, value: object) -> ast.Module:
    """Return the module with another value in one field of one node."""
    before = getattr(node, field)
    rest = before[1:] if field == "ops" else []
    setattr(node, field, [*value, *rest] if isinstance(value, list) else value)
    made = copy.deepcopy(tree)
    setattr(node, field, before)
    return made


def is_noticed(folder: Path, tests: list[str]) -> bool:
    """Return whether a test fails."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "HYPOTHESIS_PROFILE": "quick", "AUTOGRAD_MINI_COMPILE": "0"}
    try:
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return True
    return ran.returncode != 0


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Change a module, and see whether a test fails.")
    parser.add_argument("--most", type=int, default=100, help="changes to try, drawn from all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("modules", nargs="*", default=sorted(TESTS))
    asked = parser.parse_args()
    found = [
        (name, line, text, made)
        for name in asked.modules
        for line, text, made in changes(ast.parse((ROOT / "autograd_mini" / name).read_text()))
    ]
    tried = random.Random(asked.seed).sample(found, min(asked.most, len(found)))
    survivors = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for part in ("autograd_mini", "tests"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        for name, line, text, made in sorted(tried, key=lambda change: change[:2]):
            path = folder / "autograd_mini" / name
            kept = path.read_text()
            path.write_text(ast.unparse(made))
            if not is_noticed(folder, [f"tests/{test}" for test in TESTS[name]]):
                survivors += 1
                print(f"{name}:{line}: {text}", flush=True)
            path.write_text(kept)
    print(f"{len(tried)} of {len(found)} changes tried, {survivors} not noticed")


if __name__ == "__main__":
    main()
