"""Exported programs, run: C by gcc, JavaScript by node, NumPy in this process or in one without the package."""

from __future__ import annotations

import ctypes
import itertools
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from node import NODE

import autograd_mini as ag
from autograd_mini.program import Compiled
from autograd_mini.structure import is_array, map_leaves

GCC = shutil.which("gcc")
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
NUMBERS = [0.0, -0.0, 0.3, 1.0, -1.0, 2.5, -3.5, 60.0, 1e-310, 800.0, math.inf, -math.inf, math.nan]
needs_gcc = pytest.mark.skipif(GCC is None, reason="this machine has no gcc")


def layer(p: Any, x: Any) -> Any:
    return sum(ag.tanh(z) for z in p["W"] @ x + p["b"])


def numbers_of(x: Any) -> list[float]:
    """Return the numbers of nested arguments or results, dicts by their keys."""
    if x is None:
        return []
    if isinstance(x, dict):
        return [y for key in (sorted(x) if all(isinstance(k, str) for k in x) else x) for y in numbers_of(x[key])]
    if isinstance(x, (list, tuple)):
        return [y for part in x for y in numbers_of(part)]
    if isinstance(x, np.ndarray):
        return [float(y) for y in x.ravel()]
    return [float(x)]


class C(NamedTuple):
    """A function in C."""

    parameters: list[list[str]]
    function: Any

    def __call__(self, numbers: Sequence[float]) -> tuple[int, list[float]]:
        """Call it with the numbers of the arguments one after the other; return the status and all results."""
        left, given, results = iter(numbers), [], []
        for *kind, name in self.parameters:
            size = int(name[name.index("[") + 1 : -1]) if "[" in name else 1
            if "const" in kind or not ("[" in name or "*" in name):
                xs = [next(left) for _ in range(size)]
                given.append((ctypes.c_double * size)(*xs) if "[" in name else ctypes.c_double(xs[0]))
            else:
                results.append((ctypes.c_double * size)(*[math.pi] * size))
                given.append(results[-1])
        assert not list(left)
        return self.function(*given), [y for x in results for y in x]


def libraries(codes: Sequence[str], *more: str) -> list[C]:
    """Return the function of each C file that is not static. Their names must differ."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"f{k}.c") for k in range(len(codes))]
        for file, code in zip(files, codes, strict=True):
            file.write_text(code)
        command = [GCC or "", *FLAGS, *more, "-shared", "-fPIC", *map(str, files), "-o", f"{folder}/f.so", "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{codes[0]}"
        library = ctypes.CDLL(f"{folder}/f.so")
    found = []
    for code in codes:
        head = re.findall(r"^int (\w+)\((.*?)\)", code, re.MULTILINE | re.DOTALL)
        assert len(head) == 1, code
        name, parameters = head[0]
        found.append(C([x.split() for x in " ".join(parameters.split()).split(", ")], getattr(library, name)))
    return found


def javascript(codes: Sequence[str], calls: Sequence[Sequence[Sequence[Any]]]) -> list[list[Any]]:
    """Return the results of modules' functions for some calls each, as flat numbers; or the name of an error."""
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for k, code in enumerate(codes):
            name = re.findall(r"^export function (\w+)", code, re.MULTILINE)[0]
            Path(folder, f"f{k}.mjs").write_text(code)
            lines.append(f'import {{ {name} as f{k} }} from "{folder}/f{k}.mjs";')
        asked = ", ".join(f"[f{k}, {written(list(each))}]" for k, each in enumerate(calls))
        text = """
const number = x => Object.is(x, -0) ? "-0" : String(x);
const flat = x => x === null ? [] : typeof x === "object" ? Object.values(x).flatMap(flat) : [number(x)];
const tried = (f, xs) => { try { return flat(f(...xs)); } catch (e) { return e.name; } };
console.log(JSON.stringify([ASKED].map(([f, calls]) => calls.map(xs => tried(f, xs)))));
"""
        Path(folder, "run.mjs").write_text("\n".join(lines) + text.replace("ASKED", asked))
        done = subprocess.run([NODE or "", f"{folder}/run.mjs"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{codes[0]}"

    def numbers(x: Any) -> Any:
        return x if isinstance(x, str) else [float(y.replace("Infinity", "inf")) for y in x]

    return [[numbers(x) for x in each] for each in json.loads(done.stdout)]


def written(x: Any) -> str:
    """Return arguments as JavaScript."""
    if x is None:
        return "null"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {written(part)}" for key, part in sorted(x.items())) + "}"
    if isinstance(x, (list, tuple)):
        return f"[{', '.join(map(written, x))}]"
    if isinstance(x, np.ndarray):
        return written(x.tolist())
    text = repr(float(x))
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(text, text)


def python(code: str) -> Any:
    """Return the function of a NumPy module."""
    name = re.findall(r"^def (\w+)", code, re.MULTILINE)[-1]
    space: dict[str, Any] = {}
    exec(compile(code, "<exported>", "exec"), space)
    return space[name]


def apart(code: str, arguments: str) -> list[float]:
    """Run a NumPy module's function in a process without autograd_mini, and return its results as flat numbers."""
    name = re.findall(r"^def (\w+)", code, re.MULTILINE)[-1]
    end = f"""
import sys
def flat(x):
    if isinstance(x, dict):
        x = [x[key] for key in sorted(x)]
    if x is None:
        return []
    return [y for part in x for y in flat(part)] if isinstance(x, (list, tuple, np.ndarray)) else [float(x)]
array, inf, nan = np.array, np.inf, np.nan
print(flat({name}({arguments})))
assert not any(name.startswith(("autograd_mini", "scipy")) for name in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code + end], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    found: list[float] = eval(done.stdout, {"inf": math.inf, "nan": math.nan})
    return found


# Comparisons of exports with their programs.

LANGUAGES: list[Any] = ["numpy", *["c"] * (GCC is not None), *["javascript"] * (NODE is not None)]


def same(x: float, y: float, tolerance: float) -> bool:
    return x == y or (x != x and y != y) or abs(x - y) <= tolerance * max(1.0, abs(x), abs(y)) < math.inf


def tangents(args: Any) -> Any:
    """Return tangents for arguments, all different."""
    count = itertools.count(1)
    return map_leaves(
        lambda x: np.full(np.shape(x), 0.25) * next(count) if is_array(x) else 0.5 * next(count), args, is_array
    )


class Case(NamedTuple):
    """A compiled function, with calls and a derivative."""

    compiled: Compiled
    calls: Sequence[tuple[Any, ...]]
    derivative: Any = None
    argnums: Any = None

    def source(self, language: Any) -> str:
        return str(self.compiled.source(language, derivative=self.derivative, argnums=self.argnums))

    @property
    def given(self) -> list[Any]:
        return [(args, tangents(args)) if self.derivative == "jvp" else args for args in self.calls]

    @property
    def expected(self) -> list[list[float]]:
        return [expected(self.compiled, args, self.derivative, self.argnums) for args in self.calls]


def results(cases: Sequence[Case], language: str) -> list[list[Any]]:
    """Return the results of exported functions as flat numbers. A failed call has the error's name, or "Error" in C."""
    codes = [case.source(language) for case in cases]
    if language == "javascript":
        return javascript(codes, [case.given for case in cases])
    if language == "c":
        functions = libraries(codes)
        found = [[f(numbers_of(args)) for args in case.given] for f, case in zip(functions, cases, strict=True)]
        return [[numbers if status == 0 else "Error" for status, numbers in each] for each in found]
    return [[tried(python(code), args) for args in case.given] for code, case in zip(codes, cases, strict=True)]


def tried(f: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        return numbers_of(f(*args))
    except ValueError:
        return "Error"


def expected(compiled: Compiled, args: tuple[Any, ...], derivative: Any, argnums: Any) -> list[float]:
    if derivative == "grad":
        return numbers_of(compiled.value_and_grad(*args, argnums=argnums or 0))
    return numbers_of(compiled(*args) if derivative is None else compiled.jvp(args, tangents(args)))


def agree(
    f: Callable[..., Any],
    *calls: tuple[Any, ...],
    derivatives: Sequence[Any] = (None, "grad", "jvp"),
    argnums: Any = None,
    languages: Sequence[str] = LANGUAGES,
    tolerance: float = 1e-11,
) -> None:
    """Compare a function's exports with its program, with all derivatives."""
    compiled = f if isinstance(f, Compiled) else ag.compile(f)
    for args in calls:
        compiled(*args)
    cases = [Case(compiled, calls, derivative, argnums if derivative == "grad" else None) for derivative in derivatives]
    agree_on(cases, languages, tolerance)


def agree_on(cases: Sequence[Case], languages: Sequence[str] = LANGUAGES, tolerance: float = 1e-11) -> None:
    """Compare exports with their programs."""
    wanted = [case.expected for case in cases]
    for language in languages:
        for case, numbers, found in zip(cases, wanted, results(cases, language), strict=True):
            for args, xs, ys in zip(case.calls, numbers, found, strict=True):
                told = language, case.compiled.name, case.derivative, args, xs, ys
                assert len(xs) == len(ys), told
                assert all(same(x, y, tolerance) for x, y in zip(xs, ys, strict=True)), told
