"""The command, run as a process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import autograd_mini
from autograd_mini.printing import op_table

TEXT = "u = b*c; v = a + u; J = 3*v"


def run(*words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "autograd_mini", *words]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(command, capture_output=True, encoding="utf-8", cwd=cwd, env=environment, check=False)


def test_the_tables_and_the_derivations() -> None:
    done = run(TEXT, "a=5", "b=3", "c=2")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.strip() for line in done.stdout.splitlines()]
    for line in [
        "J = 3 · v = 3 · 11 = 33",
        "dJ/dv = 3",
        "dJ/du = dJ/dv · dv/du = 3 · 1 = 3",
        "dJ/da = dJ/dv · dv/da = 3 · 1 = 3",
        "dJ/db = dJ/dv · dv/du · du/db = 3 · 1 · c = 3 · 1 · 2 = 6",
        "dJ/dc = dJ/dv · dv/du · du/dc = 3 · 1 · b = 3 · 1 · 3 = 9",
    ]:
        assert line in lines


def test_a_shared_result_is_derived_once() -> None:
    text = run("a = sigmoid(w*x + b); L = a*a + a", "w=2", "x=1", "b=-1").stdout
    derivations = text[text.index("Derivations, from the output to each leaf") :]
    names = re.findall(r"^  (d\w+/d\w+) = ", derivations, re.MULTILINE)
    assert names == ["dL/da", "dL/dw", "dL/dx", "dL/db"]
    again = run("a = sigmoid(w*x + b); L = a*a + a", "w=2", "x=1", "b=-1", "--wrt", "w", "--wrt", "x").stdout
    assert re.findall(r"^(d\w+/d\w+) = ", again, re.MULTILINE) == ["dL/da", "dL/dw", "dL/dx"]
    page = run("a = sigmoid(w*x + b); L = a*a + a", "w=2", "x=1", "b=-1", "--format", "markdown").stdout
    assert page.split("**Derivations**")[1].count(r"$\frac{dL}{da} =") == 1


def test_formats() -> None:
    words = (TEXT, "a=5", "b=3", "c=2", "--format")
    report = json.loads(run(*words, "json").stdout)
    assert report["value"] == 33
    assert [(d["backward"][-1]["name"], d["backward"][-1]["derivative"]) for d in report["derivations"]] == [
        ("a", 3),
        ("b", 6),
        ("c", 9),
    ]
    assert r"\frac{dJ}{dv} \cdot \frac{dv}{du}" in run(*words, "latex").stdout
    assert "**Derivations**" in run(*words, "markdown").stdout
    only = run(*words, "text", "--wrt", "b", "--wrt", "c").stdout.splitlines()
    assert [line[:5] for line in only] == ["dJ/db", "dJ/dc"]


def test_values_and_precision() -> None:
    done = run("-x", "x=pi/3", "--precision", "10", "--wrt", "x")
    assert done.stdout == "df/dx = -1\n"
    assert "1.047197551" in run("-x", "x=pi/3", "--precision", "10").stdout
    assert "x = -2" in run("x*x", "x=-2").stdout
    assert run("-h*2", "h=3", "--wrt", "h").stdout.endswith("= -2\n")
    assert run("--x", "x=3", "--wrt", "x").stdout.endswith("= 1\n")
    assert "1 / (x · ln 10) = 1 / (3 · ln 10) = 0.1447648273" in run("log10(x)", "x=3", "--precision", "10").stdout
    assert run("3*µ", "µ=2", "--wrt", "μ").stdout == "df/dμ = 3\n"


def test_pictures(tmp_path: Path) -> None:
    done = run(TEXT, "a=5", "b=3", "c=2", "--render", "J.svg", "--render", "J.dot", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == "wrote J.svg\nwrote J.dot\n"
    assert "dJ/db = 6" in (tmp_path / "J.svg").read_text()
    done = run(TEXT, "a=5", "b=3", "c=2", "--render", "J.html", "--precision", "3", cwd=tmp_path)
    assert done.stderr == "wrote J.html\n"
    page = (tmp_path / "J.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert '"precision":3' in page


def test_code(tmp_path: Path) -> None:
    done = run(TEXT, "a=5", "b=3", "c=2", "--render", "J.c", "--render", "J.js", "--render", "J.py", cwd=tmp_path)
    assert done.returncode == 0
    assert "int J_grad(double a, double b, double c, double *value," in (tmp_path / "J.c").read_text()
    assert "export function J_grad(a, b, c) {" in (tmp_path / "J.js").read_text()
    space: dict[str, Any] = {}
    exec((tmp_path / "J.py").read_text(), space)
    assert space["J_grad"](5.0, 3.0, 2.0) == (33.0, (3.0, 6.0, 9.0))
    done = run("u = 2*a; J = 3", "a=1", "--render", "J.py", cwd=tmp_path)
    exec((tmp_path / "J.py").read_text(), space)
    assert space["J_grad"](5.0) == (3.0, (0.0,))
    done = run("2*3", "--render", "J.py", cwd=tmp_path)
    exec((tmp_path / "J.py").read_text(), space)
    assert space["f_grad"]() == (6.0, ())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a^2", "a=1"), "write **, as in x**2\n  a^2\n   ^\n"),
        (("a*b", "a=1"), "b has no value: give b=...\n  a*b\n    ^\n"),
        (("log(a)", "a=-1"), "math domain error in log(a=-1.0)\n  log(a)\n  ^\n"),
        (("a", "b"), "'b' is not of the form name=value"),
        (("a", "a=1", "a=2"), "a is given twice"),
        (("a", "a=1/0"), "the value of a: division by zero in div(1.0, 0.0)\n  1/0"),
        (("a", "a="), "the value of a: there is nothing to compute"),
        (("a*2", "a=1", "z=1"), "z: given a value, but the text does not use it"),
        (("a*2", "a=1", "--wrt", "q"), "--wrt: no node has the label 'q'"),
        (
            ("a*2", "a=1", "--render", "x.dot", "--render", "x.gif"),
            "x.gif: the name must end in one of .svg, .png",
        ),
        (("a*2", "a=1", "--render", "no/x.dot"), "there is no folder no"),
        (("a*2", "a=1", "--precision", "0"), "'0' is not a whole number from 1 to 17"),
        (("a*2", "a=1", "--bogus"), "unrecognized arguments: --bogus"),
        (("a*2", "a=x=1"), "the value of a must be a number, not 'x=1'"),
        (("a*2", "a=x=1;x+1"), "the value of a must be a number, not"),
        (("sin(sin)", "sin=2"), "sin is a number;"),
        (("a*b", "a=1", "b=a"), "a value consists of numbers, pi, e and functions"),
        (("a*2", "a=1", "--render", "x"), "--render x: the name must end in one of .svg"),
        (("+".join(["a"] * 305), "a=1", "--render", "x.html"), "--render x.html: explore: the graph has 305 nodes"),
        (("ops", "x"), "unrecognized arguments: x"),
        (("a*2", "lambda=1"), "lambda cannot be a name"),
        (("digamma(a)", "a=1", "--render", "x.c"), "--render x.c: f: there is no C for polygamma"),
        (("demo", "a", "b"), "unrecognized arguments: b"),
    ],
)
def test_bad_input_is_one_message_and_no_file(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("autograd-mini: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_demo(tmp_path: Path) -> None:
    done = run("demo", "out", cwd=tmp_path)
    assert done.returncode == 0
    assert "dJ/db = dJ/dv · dv/du · du/db = 3 · 1 · c = 3 · 1 · 2 = 6" in done.stdout
    pictures = [f"{name}.{suffix}" for name in ("J", "net") for suffix in ("dot", "png", "svg")]
    written = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert written == sorted([*pictures, "J.md", "J.html", "net.html", "boundary.png", "cost.png"])
    stepping, training = Path("out") / "J.html", Path("out") / "net.html"
    last = f"Open in a browser: {stepping} to step through the example and {training} to train the net."
    assert done.stdout.splitlines()[-1] == last
    lines = done.stdout.splitlines()
    accuracies = [float(line.split()[-1].rstrip("%")) for line in lines if line.startswith(("before", "80 epochs"))]
    assert accuracies[0] < 60
    assert accuracies[1] > 85
    differences = [float(line.split()[-1]) for line in lines if line.startswith(("dZ", "dW", "db"))]
    assert len(differences) == 6
    assert max(differences) < 1e-12
    assert any(line.startswith("zeros:        layer 1: neurons 1, 2, 3, 4 compute the same") for line in lines)
    assert any(line.startswith("randn * 0.01: no two neurons") for line in lines)


def test_help_and_ops() -> None:
    assert "examples:" in run("--help").stdout
    assert run().stdout == run("--help").stdout
    assert run("--version").stdout.startswith("autograd-mini 0.")
    assert run("y = tanh(x*x)", "x=1", "--wrt", "t1").stdout.startswith("dy/dt1 = ")
    text = run("ops").stdout
    assert re.search(r"^tanh +tanh\(x\) +dz/dx = 1 - z\*\*2\n", text, re.MULTILINE)
    assert re.search(r"^div +x / y +dz/dx = 1 / y\n +dz/dy = \(-z\) / y\n +\(y ≠ 0\)\n", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 110
    assert run("ops", "--format", "markdown").stdout == op_table()


def test_a_checkout_that_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "autograd_mini").symlink_to(Path(autograd_mini.__file__).parent)

    def run_bare(*words: str) -> str:
        command = [sys.executable, "-S", "-W", "error", *words]  # -S leaves out what is installed
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout

    said = f"autograd-mini, not installed: run from {tmp_path / 'autograd_mini'}\n"
    assert run_bare("-m", "autograd_mini", "--version") == said
    assert run_bare("-m", "autograd_mini", "x*x", "x=2", "--wrt", "x") == "df/dx = x + x = 2 + 2 = 4\n"
    assert run_bare("-c", "import autograd_mini as ag; print(hasattr(ag, '__version__'))") == "False\n"


def test_a_terminal_without_the_dot_sign() -> None:
    done = run(TEXT, "a=5", "b=3", "c=2", "--wrt", "b", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("dJ/db = dJ/dv ? dv/du")
