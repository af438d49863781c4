"""What type checkers and editors are told: methods, functions and programs of users, right ones and wrong ones."""

from __future__ import annotations

import inspect
import json
import os
import re
import runpy
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import autograd_mini as ag
from autograd_mini import Value, signatures
from autograd_mini.ops import METHODS, OPS, Op

ROOT = Path(ag.__file__).parent.parent
USER = Path(__file__).with_name("a_user.py")
BEFORE = """
import math

import autograd_mini as ag
from autograd_mini import Value, nn

a, b = Value(2.0), Value(3.0)
J = a * b
net = nn.MLP(2, [4, 1])


def f(x: Value, y: Value) -> Value:
    return x * y


def g(x: float, times: int = 2) -> float:
    return x**times
"""
WRONG = {  # and what mypy and pyright say of it
    "a.tnah()": ("attr-defined", "reportAttributeAccessIssue"),
    "J.backwards()": ("attr-defined", "reportAttributeAccessIssue"),
    "a.tanh(b)": ("call-arg", "reportCallIssue"),
    "a.hypot()": ("call-arg", "reportCallIssue"),
    "a.tanh().upper()": ("attr-defined", "reportAttributeAccessIssue"),
    "a + '1'": ("operator", "reportOperatorIssue"),
    "abs(a).foo": ("attr-defined", "reportAttributeAccessIssue"),
    "Value('2')": ("arg-type", "reportArgumentType"),
    "a.grad.backward()": ("attr-defined", "reportAttributeAccessIssue"),
    "ag.tahn(a)": ("attr-defined", "reportAttributeAccessIssue"),
    "ag.tanh(a, b)": ("call-overload", "reportCallIssue"),
    "ag.tanh([a])": ("call-overload", "reportCallIssue"),
    "ag.tanh(0.5).backward()": ("attr-defined", "reportAttributeAccessIssue"),
    "ag.hypot(a)": ("call-overload", "reportCallIssue"),
    "ag.where(a)": ("call-overload", "reportCallIssue"),
    "ag.sum(a)": ("call-overload", "reportCallIssue"),
    "ag.sum([a, b]).upper()": ("attr-defined", "reportAttributeAccessIssue"),
    "ag.dot([a], [1.0], 'b')": ("call-overload", "reportCallIssue"),
    "ag.softmax([a, b]).data": ("attr-defined", "reportAttributeAccessIssue"),
    "ag.grad(f)(2.0)": ("call-overload", "reportCallIssue"),
    "ag.grad(f)('2', 3.0)": ("call-overload", "reportCallIssue"),
    "ag.grad(g)(2.0, tmies=3)": ("call-overload", "reportCallIssue"),
    "ag.grad(g)(2.0).backward()": ("attr-defined", "reportAttributeAccessIssue"),
    "ag.grad(2.0)": ("call-overload", "reportArgumentType"),
    "ag.value_and_grad(f)(2.0, 3.0, 4.0)": ("call-overload", "reportCallIssue"),
    "ag.jacobian(g)('2')": ("call-overload", "reportArgumentType"),
    "ag.compile(f)(2.0)": ("call-overload", "reportCallIssue"),
    "ag.compile(g)(2.0, times='3')": ("call-overload", "reportCallIssue"),
    "ag.compile(g)(2.0).data": ("attr-defined", "reportAttributeAccessIssue"),
    "ag.compile(2.0)": ("call-overload", "reportCallIssue"),
    "ag.value_and_grad(f, has_aux=True)(2.0)": ("call-overload", "reportCallIssue"),
    "ag.value_and_grad(f, (0, 1))(2.0, '3')": ("call-overload", "reportCallIssue"),
    "ag.compile(f).vamp(0)": ("attr-defined", "reportAttributeAccessIssue"),
    "ag.compile(f).hesian(2.0, 3.0)": ("attr-defined", "reportAttributeAccessIssue"),
    "ag.mean(a)": ("call-overload", "reportCallIssue"),
    "ag.norm([a, b]).upper()": ("attr-defined", "reportAttributeAccessIssue"),
    "ag.clip('a', 0, 1)": ("call-overload", "reportCallIssue"),
    "ag.scan(f)": ("call-arg", "reportCallIssue"),
    "divmod(a, b)[2]": ("misc", "reportGeneralTypeIssues"),
    "math.floor(a).is_integer()": ("attr-defined", "reportAttributeAccessIssue"),
    "a.backward(retain_graph=True)": ("call-arg", "reportCallIssue"),
    "Value(2.0, name='a')": ("call-arg", "reportCallIssue"),
    "nn.MLP(2, [1], seed=0)": ("call-arg", "reportCallIssue"),
    "nn.SGD(net).learning_rate": ("attr-defined", "reportAttributeAccessIssue"),
    "ag.draw(J).show()": ("attr-defined", "reportAttributeAccessIssue"),
    "net([1.0, 2.0]).backwards()": ("attr-defined", "reportAttributeAccessIssue"),
    "nn.MPL(2, [1])": ("attr-defined", "reportAttributeAccessIssue"),
}


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a checker on a folder, with the package of this process."""
    path = {} if "site-packages" in ROOT.parts else {"PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT)}
    environment = {**os.environ, **path, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    return subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )


@cache
def without_pyright() -> str:
    """Say why there is no pyright, or nothing."""
    done = run("pyright", "--version", folder=ROOT)
    return "" if done.returncode == 0 else f"no pyright: {(done.stderr.strip() or done.stdout).splitlines()[-1]}"


def checked(checker: str, file: Path) -> dict[int, set[str]]:
    """Return the kinds of errors that a checker finds, by lines."""
    found: dict[int, set[str]] = {}
    if checker == "mypy":
        pytest.importorskip("mypy")
        options = ["--strict", "--follow-imports=silent", "--cache-dir", str(file.parent / "cache")]
        done = run("mypy", *options, "--config-file=", file.name, folder=file.parent)
        assert done.returncode in (0, 1), done.stderr
        for line, code in re.findall(r"^\w+\.py:(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE):
            found.setdefault(int(line), set()).add(code)
        assert bool(found) == bool(done.returncode), done.stdout
    else:
        if why := without_pyright():
            pytest.skip(why)
        done = run("pyright", "--outputjson", "--pythonpath", sys.executable, file.name, folder=file.parent)
        for error in json.loads(done.stdout)["generalDiagnostics"]:
            found.setdefault(error["range"]["start"]["line"] + 1, set()).add(error.get("rule", error["message"]))
    return found


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_program_of_a_user_is_right(checker: str, tmp_path: Path) -> None:
    file = tmp_path / "user.py"
    file.write_text(USER.read_text())
    assert checked(checker, file) == {}


def test_the_program_runs() -> None:
    assert runpy.run_path(str(USER))["a"].grad != 0.0


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_wrong_lines_are_errors(checker: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(f"{BEFORE}\n" + "".join(f"{line}\n" for line in WRONG))
    first = BEFORE.count("\n") + 2
    found = checked(checker, file)
    assert found.keys() <= set(range(first, first + len(WRONG))), found
    expected = {line: codes[checker == "pyright"] for line, codes in WRONG.items()}
    said = {line: found.get(at, set()) for at, line in enumerate(WRONG, first)}
    assert {line: said[line] for line, code in expected.items() if code not in said[line]} == {}


def test_methods_have_the_operands_of_their_rows() -> None:
    for name, row in METHODS.items():
        found = [*inspect.signature(getattr(Value(1.0), name)).parameters.values()]
        assert [p.name for p in found] == list(row.parameters[1:])
        assert tuple(p.default for p in found if p.default is not p.empty) == row.defaults
        operands = [Value(0.5), *[Value(2.0)] * (len(row.rules) - 1)]
        if name not in ("acosh", "arccosh", "lgamma", "digamma"):  # of 0.5, or with SciPy
            assert getattr(operands[0], name)(*operands[1:]).op is row


def test_rows_are_told_with_their_number_of_operands() -> None:
    source = Path(ag.ops.__file__).with_name("ops.py").read_text()
    told = dict(re.findall(r"^(\w+): (\w+) += _row\(", source, re.MULTILINE))
    kinds = {(1, 0): "Unary", (2, 0): "Binary", (2, 1): "UnarySloped", (3, 0): "Ternary"}
    assert told == {name: kinds[len(row.rules), len(row.defaults)] for name, row in OPS.items()}
    assert all(issubclass(getattr(signatures, kind), Op) for kind in kinds.values())


def test_names_are_found() -> None:
    names = dir(ag)
    assert {"compile", "compiled", "sum", "take", "nn", "draw", "explore", "__version__"} <= set(names)
    assert all(hasattr(ag, name) for name in names if name != "__version__")
    assert not [name for name in names if name.startswith(("take_", "import_", "show_"))]
    assert not {"import_module", "show_with", "sys"} & vars(ag).keys()
    assert {"tanh", "hypot", "arcsin", "backward"} <= set(dir(Value)) & set(dir(Value(1.0)))


def test_help_needs_no_numpy() -> None:
    code = "import sys, pydoc; sys.modules['numpy'] = None; import autograd_mini as ag; "
    code += "pydoc.render_doc(ag); print(dir(ag))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "'take'" in done.stdout
    assert "'compile'" not in done.stdout


def test_help_begins_with_a_map() -> None:
    page = inspect.getdoc(ag) or ""
    for word in ("record", "differentiate", "explain", "draw", "explore", "check", "compile", "nets"):
        (line,) = re.findall(rf"^    {word} +(\w.*)$", page, re.MULTILINE)
        assert line
    rows = [line for line in page.splitlines() if line.startswith("    ")]
    for names in [re.sub(r"^    \w* +|`.*?`", "", line).partition(":")[0] for line in rows if ":" in line]:
        for name in re.findall(r"\w+", names):
            assert name in ("v", "backward", "the", "node") or hasattr(ag, name), name
