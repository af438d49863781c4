"""Rows' functions as Python code that needs only NumPy, written from their sources."""

from __future__ import annotations

import ast
import builtins
import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from keyword import kwlist
from types import FunctionType
from typing import Any

import numpy as np

from ..javascript import Script
from ..ops import OPS, Op
from ..source import Source, Unreadable, in_order
from .arrays import UNLIKE

RESERVED = [
    *kwlist, *"np math each given float tuple range abs bool int max min pow round isinstance complex".split(),
    *"ArithmeticError ValueError".split(),
]  # fmt: skip
TEXTS = {
    "root": "np.sqrt({})", "excess": "np.where(np.minimum({0}, {1}) == np.inf, 0.0, {0} - {1})",
    "relu": "np.where({0} <= 0.0, 0.0, {0})", "maximum": "np.where(({0} >= {1}) | ({0} != {0}), {0}, {1})",
    "minimum": "np.where(({0} <= {1}) | ({0} != {0}), {0}, {1})",
}  # fmt: skip
RECENT = frozenset("acos acosh asin asinh atan atan2 atanh pow".split())  # names that NumPy has only since version 2
SAFE = frozenset([abs, bool, float, int, max, min, pow, range, round])
EACH = '''def each(function, beyond=None):
    """Return a function of arrays, number by number: where it raises an error, the value beyond, or nan."""

    def one(*xs):
        try:
            z = function(*xs)
            return z if not isinstance(z, complex) else math.nan
        except (ArithmeticError, ValueError):
            return math.nan if beyond is None else beyond(*xs)

    def of(*arrays):
        return np.vectorize(one, otypes=[float])(*arrays)[()]

    return of'''


class PythonScript(Script):
    """Functions in Python, each after the functions that it calls. A row's function takes arrays."""

    language = "Python"
    runtime: Mapping[str, str] = {}
    math: Mapping[Callable[..., Any], str] = {}
    infinite: Mapping[str, str] = {"inf": "np.inf", "-inf": "-np.inf", "nan": "np.nan"}
    needless = ""

    def __str__(self) -> str:
        texts = [
            f"def {name}{text}" if text.startswith("(") else f"{name}{text}" for name, text in self.functions.items()
        ]
        return "\n\n\n".join([EACH] * any("each(" in text for text in texts) + texts)

    def applied(self, op: Op, operands: Sequence[str]) -> str:
        """Write a row applied to arrays."""
        row = op.row
        if OPS.get(row.name) is row:
            if row.name in TEXTS:
                return TEXTS[row.name].format(*(x if re.fullmatch(r"[\w.]+", x) else f"({x})" for x in operands))
            if row.name not in UNLIKE and (name := _ufunc(*row.methods)):
                return f"{name}({', '.join(operands)})"
        return super().applied(op, operands)

    def caught(self, op: Op, name: str, beyond: str | None) -> str:
        """Write a row's function of arrays."""
        return self.defined(op.name, f" = each({name}{f', {beyond}' if beyond else ''})")

    def function(self, f: Callable[..., float], name: str = "", *, strict: bool = False) -> str:
        """Write a Python function of floats and return its name. A strict function raises errors as Python does."""
        return f"math.{f.__name__}" if _is_of_math(f) else super().function(f, name, strict=strict)

    def written(self, source: Source, strict: bool) -> str:
        """Return the parameters and the body of a function in Python."""
        return str(_Translator(self, source, strict))

    def defined(self, name: str, text: str) -> str:
        """Keep a function under a new name like the given name, and return the new name."""
        base = re.sub(r"\W", "_", name).strip("_") or "f"
        if text.startswith("(") or base[0].isdigit():
            base = f"_{base}"
        names = (f"{base}_{n}" if n else base for n in count())
        chosen = next(
            x for x in names if self.functions.get(x, text) == text and x not in RESERVED and not hasattr(builtins, x)
        )
        self.functions[chosen] = text
        return chosen


class _Translator(ast.NodeTransformer):
    """A translator that replaces a function's outer names by the functions and numbers that they stand for.

    The name of a variable gets a `_` at its end, so it differs from the names of functions.
    """

    def __init__(self, script: Script, source: Source, strict: bool) -> None:
        self.script, self.source, self.strict = script, source, strict

    def __str__(self) -> str:
        body = [self.visit(ast.parse(ast.unparse(x)).body[0]) for x in self.source.body]
        parameters = [f"{x}_" for x in self.source.parameters]
        lines = [] if self.strict else [f"{x} = np.float64({x})" for x in parameters]
        lines += [line for x in body for line in ast.unparse(ast.fix_missing_locations(x)).splitlines()]
        return f"({', '.join(parameters)}):\n" + "\n".join(f"    {line}" for line in lines)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """Leave out a docstring."""
        return ast.Pass() if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Raise a ValueError, which `each` catches."""
        return ast.Raise(ast.Name("ValueError", ast.Load()))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Write a call of a known function."""
        f = self.source.object_of(node.func)
        if isinstance(f, FunctionType):
            named = {str(x.arg): x.value for x in node.keywords}
            given = [self.visit(x) if isinstance(x, ast.expr) else _number(x) for x in in_order(f, node.args, named)]
            return ast.Call(ast.Name(self.script.function(f, strict=self.strict), ast.Load()), given, [])
        if node.keywords:
            raise Unreadable(ast.unparse(node))
        args = [self.visit(x) for x in node.args]
        if isinstance(f, Op):
            args += map(_number, f.lacking(len(args)))
            written = self.script.applied(f, [ast.unparse(x) for x in args])
            return ast.parse(written, mode="eval").body
        if _is_of_math(f):
            is_strict = self.strict or f in (math.floor, math.ceil, math.trunc) or len(args) > 2
            ufunc = None if is_strict else _ufunc(f.__name__, f"arc{f.__name__[1:]}", "power" * (f is math.pow))
            return ast.Call(ast.parse(ufunc or f"math.{f.__name__}", mode="eval").body, args, [])
        if any(f is x for x in SAFE):
            return ast.Call(node.func, args, [])
        raise Unreadable(ast.unparse(node))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Write a number of a module."""
        return self._known(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """Write a number of a list."""
        return self._known(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Write a variable, or the number that a name outside of the function stands for."""
        return ast.Name(f"{node.id}_", node.ctx) if node.id in self.source.own else self._known(node)

    def _known(self, node: ast.expr) -> ast.AST:
        known = self.source.object_of(node)
        if isinstance(known, int | float):
            return _number(known)
        if type(known) in (list, tuple) and all(isinstance(x, int | float) for x in known):
            return ast.List([_number(x) for x in known], ast.Load())
        raise Unreadable(ast.unparse(node))

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Refuse statements and expressions beyond plain arithmetic."""
        if isinstance(node, REFUSED):
            raise Unreadable(ast.unparse(node).partition("\n")[0])
        return super().generic_visit(node)


REFUSED = (
    ast.Try, ast.Global, ast.Nonlocal, ast.Import, ast.ImportFrom, ast.With, ast.Lambda, ast.FunctionDef, ast.ClassDef,
    ast.Await, ast.Yield, ast.YieldFrom, ast.JoinedStr, ast.Dict, ast.Set, ast.Delete, ast.NamedExpr, ast.Starred,
    ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp,
)  # fmt: skip


def _ufunc(*names: str) -> str | None:
    """Return the first of some names that is a function of arrays in all versions of NumPy, or None."""
    known = (name for name in names if name not in RECENT and isinstance(getattr(np, name, None), np.ufunc))
    return next((f"np.{name}" for name in known), None)


def _is_of_math(f: object) -> bool:
    return callable(f) and getattr(math, getattr(f, "__name__", ""), None) is f


def _number(x: float) -> ast.expr:
    if isinstance(x, bool) or (isinstance(x, int) and not isinstance(x, bool)):
        return ast.Constant(x)
    return ast.parse(PythonScript.literal(x), mode="eval").body
