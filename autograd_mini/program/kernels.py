r"""Kernels: what runs instructions, made from the rows of the table.

This room owns two interpreters of a program's instructions. One is a module of loops, written out from
the rows' functions and rules and compiled by Numba; it is kept in a cache folder, so that a machine
compiles it once. The other runs the same instructions on NumPy arrays, where Numba is not installed
or cannot take a function. Numbers that leave a domain follow IEEE arithmetic in both. It must not know
how instructions were found.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import re
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from ..files import write_whole
from ..ops import OPS, Level, Op, Traced
from ..uncompiled import load_file, source_module
from .lift import Instruction, Program

__all__ = ["Runner", "runner"]

FIELDS = 4  # of an access
PLACES = ("x", "y", "w")  # what the loops call the operands of a row


class _Source(Traced):
    """A recorder that writes a rule as a line of Python for a compiler."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def record(self, op: Op, operands: tuple[Any, ...]) -> _Source:
        parts = [x.text if isinstance(x, _Source) else repr(float(x)) for x in operands]
        return _Source(_applied(op, parts))


def _applied(op: Op, parts: list[str]) -> str:
    """Write a row applied to operands: as its own text says where that is Python's arithmetic, else as a call."""
    parts = [{"inf": "INF", "-inf": "-INF", "nan": "NAN"}.get(part, part) for part in parts]
    if not _is_arithmetic(op):
        return f"{_name(op)}({', '.join(parts)})"
    holes = dict(zip(op.operands, parts, strict=True))
    return "(" + re.sub(r"<(\w+)>", lambda hole: holes[hole[1]], op.text.template) + ")"


def _is_arithmetic(op: Op) -> bool:
    return OPS.get(op.name) is op and op.infix and op.text.level > Level.COMPARISON


def _name(op: Op) -> str:
    return f"f_{op.name}"


def _rule(op: Op, i: int) -> str:
    """Return a partial derivative as an expression in x, y, w and z."""
    slope = op.partials[i](*[_Source(name) for name in PLACES[: op.arity]], _Source("z"))
    return slope.text if isinstance(slope, _Source) else repr(float(slope))


def _indented(lines: Iterable[str], depth: int) -> list[str]:
    return ["    " * depth + line for line in lines]


def _places(op_arity: int) -> list[str]:
    return [
        f"{p} = code[k, {5 + FIELDS * i}] + r * code[k, {6 + FIELDS * i}]; s{p} = code[k, {7 + FIELDS * i}]"
        for i, p in enumerate("abe"[:op_arity])
    ]


def _forward_row(op: Op) -> list[str]:
    reads = [f"{name} = d[{p} + c * s{p}]" for name, p in zip(PLACES, "abe"[: op.arity], strict=False)]
    value = _applied(op, list(PLACES[: op.arity]))
    return [
        "for r in range(rows):",
        *_indented(_places(op.arity), 1),
        "    for c in range(columns):",
        *_indented([*reads, f"d[out + c] = {value}"], 2),
        "    out += columns",
    ]


def _backward_row(op: Op) -> list[str]:
    places = "abe"[: op.arity]
    reads = [f"{name} = d[{p} + c * s{p}]" for name, p in zip(PLACES, places, strict=False)]
    adds = [f"grad[{p} + c * s{p}] += g * {_rule(op, i)}" for i, p in enumerate(places)]
    return [
        "for r in range(rows):",
        *_indented(_places(op.arity), 1),
        "    for c in range(columns):",
        *_indented([*reads, "z = d[out + c]; g = grad[out + c]", *adds], 2),
        "    out += columns",
    ]


HEAD = """\
import math
from math import inf as INF, nan as NAN

import numpy as np
from numba import njit
"""
FORWARD = """
@njit(error_model="numpy", fastmath={"reassoc"})
def inner(d, a, sa, b, sb, n):
    total = 0.0
    if sa == 1 and sb == 1:  # slices: indices from 0 on need no test for being negative, and become SIMD
        x = d[a : a + n]
        y = d[b : b + n]
        for j in range(n):
            total += x[j] * y[j]
    else:
        for j in range(n):
            total += d[a + j * sa] * d[b + j * sb]
    return total


@njit(error_model="numpy", fastmath={"reassoc"})
def inner4(d, a, step, b, n, out):
    a1, a2, a3 = a + step, a + 2 * step, a + 3 * step
    x0, x1, x2, x3 = d[a : a + n], d[a1 : a1 + n], d[a2 : a2 + n], d[a3 : a3 + n]
    y = d[b : b + n]
    t0 = t1 = t2 = t3 = 0.0
    for j in range(n):
        t0 += x0[j] * y[j]
        t1 += x1[j] * y[j]
        t2 += x2[j] * y[j]
        t3 += x3[j] * y[j]
    d[out], d[out + 1], d[out + 2], d[out + 3] = t0, t1, t2, t3


@njit(error_model="numpy", cache=CACHE, nogil=True)
def forward(code, index, d):
    for k in range(code.shape[0]):
        kind, out, rows, columns, n = code[k, 0], code[k, 1], code[k, 2], code[k, 3], code[k, 4]
        if kind == 0:  # gather
            a = code[k, 5]
            for c in range(columns):
                d[out + c] = d[index[a + c]]
        elif kind == 1 or kind == 3:  # dot; 3: one that begins with a number
            a2, a3, b2, b3 = code[k, 7], code[k, 8], code[k, 11], code[k, 12]
            four = a3 == 1 and b3 == 1 and b2 == 0
            for r in range(rows):
                a = code[k, 5] + r * code[k, 6]
                b = code[k, 9] + r * code[k, 10]
                c = 0
                while four and c + 4 <= columns:
                    inner4(d, a + c * a2, a2, b, n, out + c)
                    c += 4
                while c < columns:
                    d[out + c] = inner(d, a + c * a2, a3, b + c * b2, b3, n)
                    c += 1
                if kind == 3:
                    for c in range(columns):
                        d[out + c] = d[code[k, 13] + r * code[k, 14] + c * code[k, 15]] + d[out + c]
                out += columns
        elif kind == 2:  # sum
            a3 = code[k, 8]
            for r in range(rows):
                for c in range(columns):
                    a = code[k, 5] + r * code[k, 6] + c * code[k, 7]
                    total = d[a]
                    for j in range(1, n):
                        total += d[a + j * a3]
                    d[out] = total
                    out += 1
"""
BACKWARD = """
@njit(error_model="numpy")
def spread(grad, a, sa, d, b, sb, g, n):
    if sa == 1 and sb == 1:
        x = grad[a : a + n]
        y = d[b : b + n]
        for j in range(n):
            x[j] += g * y[j]
    else:
        for j in range(n):
            grad[a + j * sa] += g * d[b + j * sb]


@njit(error_model="numpy", fastmath={"reassoc"})
def spread4(grad, a, step, d, b, n, out):
    g0, g1, g2, g3 = grad[out], grad[out + 1], grad[out + 2], grad[out + 3]
    a1, a2, a3 = a + step, a + 2 * step, a + 3 * step
    y, dy = d[b : b + n], grad[b : b + n]
    x0, x1, x2, x3 = d[a : a + n], d[a1 : a1 + n], d[a2 : a2 + n], d[a3 : a3 + n]
    for j in range(n):
        dy[j] += g0 * x0[j] + g1 * x1[j] + g2 * x2[j] + g3 * x3[j]
    d0, d1, d2, d3 = grad[a : a + n], grad[a1 : a1 + n], grad[a2 : a2 + n], grad[a3 : a3 + n]
    for j in range(n):
        d0[j] += g0 * y[j]
    for j in range(n):
        d1[j] += g1 * y[j]
    for j in range(n):
        d2[j] += g2 * y[j]
    for j in range(n):
        d3[j] += g3 * y[j]


@njit(error_model="numpy", cache=CACHE, nogil=True)
def backward(code, index, d, grad):
    for k in range(code.shape[0] - 1, -1, -1):
        kind, out, rows, columns, n = code[k, 0], code[k, 1], code[k, 2], code[k, 3], code[k, 4]
        if kind == 0:
            a = code[k, 5]
            for c in range(columns):
                grad[index[a + c]] += grad[out + c]
        elif kind == 1 or kind == 3:
            a2, a3, b2, b3 = code[k, 7], code[k, 8], code[k, 11], code[k, 12]
            four = a3 == 1 and b3 == 1 and b2 == 0
            for r in range(rows):
                a = code[k, 5] + r * code[k, 6]
                b = code[k, 9] + r * code[k, 10]
                if kind == 3:
                    for c in range(columns):
                        grad[code[k, 13] + r * code[k, 14] + c * code[k, 15]] += grad[out + c]
                c = 0
                while four and c + 4 <= columns:
                    spread4(grad, a + c * a2, a2, d, b, n, out + c)
                    c += 4
                while c < columns:
                    g = grad[out + c]
                    spread(grad, a + c * a2, a3, d, b + c * b2, b3, g, n)
                    spread(grad, b + c * b2, b3, d, a + c * a2, a3, g, n)
                    c += 1
                out += columns
        elif kind == 2:
            a3 = code[k, 8]
            for r in range(rows):
                for c in range(columns):
                    a = code[k, 5] + r * code[k, 6] + c * code[k, 7]
                    g = grad[out]
                    out += 1
                    for j in range(n):
                        grad[a + j * a3] += g
"""
NUMPYS = {"cbrt"}  # functions that Numba has of NumPy and not of math
KINDS = {"gather": 0, "dot": 1, "sum": 2, "started dot": 3}
FIRST_ROW = len(KINDS)


@cache
def _functions() -> dict[str, str]:
    """Return the rows' own float functions as source, but for SciPy's; each is compiled when it is used."""
    found = {}
    for name, op in source_module("ops").OPS.items():
        function = op.function
        if inspect.isbuiltin(function):
            home = "math" if function.__name__ not in NUMPYS else "np"
            found[name] = f"f_{name} = {home}.{function.__name__}"
        elif "_scipy_special" not in (text := inspect.getsource(function)):
            found[name] = f"@njit(error_model='numpy')\n{text}\nf_{name} = {function.__name__}"
    return found


@cache
def _beyond() -> frozenset[str]:
    """Return the rows that the loops cannot have: they call what is not there, or have too many operands."""

    def calls(op: Op) -> set[str]:
        return set(re.findall(r"\bf_(\w+)\(", "\n".join([*_forward_row(op), *_backward_row(op)])))

    return frozenset(name for name, op in OPS.items() if op.arity > len(PLACES) or not calls(op) <= _functions().keys())


def _module(ops: tuple[Op, ...], cached: bool) -> str:
    branches = {"forward": FORWARD, "backward": BACKWARD}
    parts = [HEAD, *_functions().values()]
    for name, row in (("forward", _forward_row), ("backward", _backward_row)):
        lines = [branches[name].replace("CACHE", str(cached)).rstrip()]
        for i, op in enumerate(ops, FIRST_ROW):
            lines += [f"        elif kind == {i}:  # {op.name}", *_indented(row(op), 3)]
        parts.append("\n".join(lines))
    return "\n".join(parts) + "\n"


class Runner(Protocol):
    """What runs a program's instructions."""

    def forward(self, d: Any) -> None:
        """Fill the array of numbers, from the inputs and constants that stand in it."""

    def backward(self, d: Any, grad: Any) -> None:
        """Add to the gradients, from the outputs' that stand in it."""


class _Compiled:
    """Numba's loops."""

    def __init__(self, program: Program, ops: tuple[Op, ...]) -> None:
        loops = _loops(ops)
        kinds = {op: i for i, op in enumerate(ops, FIRST_ROW)}
        code = np.zeros((len(program.instructions), 5 + FIELDS * len(PLACES)), dtype=np.int64)
        indices: list[Any] = [np.empty(0, dtype=np.int64)]
        offset = 0
        for line, i in zip(code, program.instructions, strict=True):
            started = "started " * (i.kind == "dot" and len(i.operands) > 2)
            kind = kinds[i.op] if i.op is not None else KINDS[started + i.kind]
            line[:5] = kind, i.start, i.rows, i.columns, i.length
            if i.kind == "gather":
                line[5] = offset
                indices.append(i.index)
                offset += i.index.size
            for k, access in enumerate(i.operands):
                line[5 + FIELDS * k : 5 + FIELDS * (k + 1)] = access
        index = np.concatenate(indices)
        self.code, self.index, self.loops = code, index, loops
        nothing = np.zeros((0, code.shape[1]), dtype=np.int64)
        loops.forward(nothing, index, np.zeros(1))  # compiled now, so that what Numba cannot take is known
        loops.backward(nothing, index, np.zeros(1), np.zeros(1))

    def forward(self, d: Any) -> None:
        """Fill the array of numbers, from the inputs and constants that stand in it."""
        self.loops.forward(self.code, self.index, d)

    def backward(self, d: Any, grad: Any) -> None:
        """Add to the gradients, from the outputs' that stand in it."""
        self.loops.backward(self.code, self.index, d, grad)


@cache
def _loops(ops: tuple[Op, ...]) -> Any:
    """Return the compiled module for some rows, from the cache folder where they are the package's."""
    own = all(OPS.get(op.name) is op for op in ops)
    text = _module(ops, cached=own)
    if own:
        name = f"kernels_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autograd_mini"
        path = folder / f"{name}.py"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                write_whole(path, text.encode())
        except OSError:  # no place to keep it
            text = _module(ops, cached=False)
        else:
            return load_file(name, path)  # a name by which Numba finds it again
    from numba import njit

    module = ModuleType("kernels")
    vars(module).update({_name(op): njit(error_model="numpy")(op.function) for op in ops if OPS.get(op.name) is not op})
    exec(text, vars(module))  # of our own making
    return module


class _Arrays:
    """NumPy's arrays, for the same instructions."""

    def __init__(self, program: Program) -> None:
        self.steps = [(i, *_addresses(i)) for i in program.instructions]

    def forward(self, d: Any) -> None:
        """Fill the array of numbers, from the inputs and constants that stand in it."""
        with np.errstate(all="ignore"):
            for i, out, operands in self.steps:
                if i.kind == "gather":
                    d[out] = d[i.index]
                elif i.op is not None:
                    d[out] = _applied_to_arrays(i.op, [d[place][..., 0] for place in operands])
                else:
                    terms = d[operands[0]] if i.kind == "sum" else d[operands[0]] * d[operands[1]]
                    started = len(operands) > 2
                    total = d[operands[2]][..., 0] if started else terms[..., 0]
                    for j in range(not started, i.length):  # from left to right, as the loops
                        total = total + terms[..., j]
                    d[out] = total

    def backward(self, d: Any, grad: Any) -> None:
        """Add to the gradients, from the outputs' that stand in it."""
        with np.errstate(all="ignore"):
            for i, out, operands in reversed(self.steps):
                g = grad[out]
                if i.kind == "gather":
                    np.add.at(grad, i.index, g)
                elif i.kind == "sum":
                    np.add.at(grad, operands[0], g[..., None])
                elif i.kind == "dot":
                    a, b = (d[place] for place in operands[:2])
                    if len(operands) > 2:
                        np.add.at(grad, operands[2][..., :1], g[..., None])
                    np.add.at(grad, operands[0], g[..., None] * b)
                    np.add.at(grad, operands[1], g[..., None] * a)
                elif i.op is not None:
                    xs = [_Array(d[place][..., 0]) for place in operands]
                    z = _Array(d[out])
                    for rule, place in zip(i.op.partials, operands, strict=True):
                        slope = rule(*xs, z)
                        np.add.at(grad, place[..., 0], g * (slope.x if isinstance(slope, _Array) else slope))


def _addresses(i: Instruction) -> tuple[Any, list[Any]]:
    """Return the slots of the results, rows by columns, and of each operand, with its terms as a third axis."""
    r, c, j = np.ogrid[: i.rows, : i.columns, : i.length]
    places = [a.base + a.outer * r + a.inner * c + a.along * j for a in i.operands]
    shape = (i.count,) if i.kind == "gather" else (i.rows, i.columns)
    return i.start + np.arange(i.count).reshape(shape), places


class _Array(Traced):
    """A recorder that computes a rule on arrays."""

    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x

    def record(self, op: Op, operands: tuple[Any, ...]) -> _Array:
        return _Array(
            _applied_to_arrays(op, [x.x if isinstance(x, _Array) else np.asarray(float(x)) for x in operands])
        )


def _applied_to_arrays(op: Op, xs: list[Any]) -> Any:
    """Apply a row to arrays: by NumPy's function of the name, or number by number."""
    if OPS.get(op.name) is op:
        if _is_arithmetic(op):
            return _arithmetic(op)(*xs)
        for name in op.methods:  # under which NumPy asks the elements of an object array
            if isinstance(ufunc := getattr(np, name, None), np.ufunc):
                return ufunc(*xs)

    def extended(*numbers: float) -> float:
        try:
            return float(op.function(*map(float, numbers)))
        except OverflowError:
            return math.inf
        except (ArithmeticError, ValueError):
            return math.nan

    return np.vectorize(extended, otypes=[float])(*xs)


# Compiling the loops takes seconds, for all rows 15 of them, and is done once on a machine. So there are two
# sets of loops for the table's rows: the usual ones, and all that Numba can take.
USUAL = frozenset("add sub mul div neg pow exp log sqrt tanh sigmoid softplus relu maximum greater where".split())


def _rows_for(ops: set[Op]) -> tuple[Op, ...]:
    """Return the rows that the loops for some ops shall have."""
    table = {op for op in ops if OPS.get(op.name) is op}
    names = USUAL if all(op.name in USUAL for op in table) else OPS.keys() - _beyond()
    return (*(OPS[name] for name in sorted(names)), *sorted(ops - table, key=_name))


@cache
def _arithmetic(op: Op) -> Any:
    """Return a row that is arithmetic as a function of arrays."""
    places = list(PLACES[: op.arity])
    return eval(f"lambda {', '.join(places)}: {_applied(op, places)}")  # of the table's own text


def runner(program: Program, use_numba: bool | None = None) -> Runner:
    """Return what runs a program: Numba's loops where it is installed and can take all rows.

    Args:
        use_numba: False for NumPy in any case; True to have an error where Numba cannot be used.
    """
    if use_numba is False:
        return _Arrays(program)
    try:
        import numba
    except ImportError:
        if use_numba:
            raise ImportError('this needs Numba: pip install "autograd_mini[fast]"') from None
        return _Arrays(program)
    ops = {i.op for i in program.instructions if i.op is not None}
    reason = next((f"{op} is beyond it" for op in ops if op.name in _beyond() or op.arity > len(PLACES)), "")
    if not reason:
        try:
            return _Compiled(program, _rows_for(ops))
        except numba.core.errors.NumbaError as error:
            reason = str(error).splitlines()[0]
    if use_numba:
        raise ValueError(f"{program.name}: Numba cannot take it: {reason}")
    warnings.warn(f"{program.name}: NumPy runs it, for Numba cannot take it: {reason}", stacklevel=3)
    return _Arrays(program)
