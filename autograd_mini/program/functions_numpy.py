"""Rows' functions as Python code that needs only NumPy, written from their sources."""

from __future__ import annotations

import ast
import builtins
import math
import re
from collections.abc import Callable, Sequence
from itertools import count
from types import FunctionType
from typing import Any

import numpy as np

from .. import special
from ..javascript import Script, Writer
from ..ops import OPS, Op
from ..source import Source, Unreadable, in_order, source_of, source_row
from .arrays import UNLIKE

__all__ = ["PythonScript", "literal"]

TEXTS = {
    "root": "np.sqrt({})", "excess": "np.where(np.minimum({0}, {1}) == np.inf, 0.0, {0} - {1})",
    "relu": "np.where({0} <= 0.0, 0.0, {0})", "maximum": "np.where(({0} >= {1}) | ({0} != {0}), {0}, {1})",
    "minimum": "np.where(({0} <= {1}) | ({0} != {0}), {0}, {1})",
}  # fmt: skip
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


def literal(x: float) -> str:
    """Write a number for Python.

    >>> literal(-0.0), literal(float("inf"))
    ('-0.0', 'np.inf')
    """
    text = repr(float(x))
    return {"inf": "np.inf", "-inf": "-np.inf", "nan": "np.nan"}.get(text, text)


class PythonScript:
    """Python functions of floats, each after those that it calls."""

    def __init__(self) -> None:
        self.functions: dict[str, str] = {}
        self._names: dict[Any, str] = {}
        self._active: list[Any] = []

    def __str__(self) -> str:
        return "\n\n\n".join(
            [EACH] * any("each(" in text for text in self.functions.values()) + [*self.functions.values()]
        )

    def applied(self, op: Op, operands: Sequence[str]) -> str:
        """Write a row applied to arrays."""
        row, text = op.row, ", ".join(operands)
        if OPS.get(row.name) is row:
            if row.name in TEXTS:
                return TEXTS[row.name].format(*(x if re.fullmatch(r"[\w.]+", x) else f"({x})" for x in operands))
            if row.name not in UNLIKE:
                for name in row.methods:
                    if isinstance(getattr(np, name, None), np.ufunc):
                        return f"np.{name}({text})"
        return f"{self._row(row)}({text})"

    def _row(self, row: Op) -> str:
        """Write a row's function of arrays, and return its name."""
        if row not in self._names:
            found = source_row(row)
            function = special.digamma_series if OPS.get(row.name) is row and row.name == "digamma" else found.function
            limited = found.beyond is None
            own = self.function(function, row.name, limited=limited)
            beyond = f", {self.function(found.beyond, f'{row.name}_beyond')}" if found.beyond is not None else ""
            self._names[row] = self._defined(row.name, f"{{}} = each({own}{beyond})")
        return self._names[row]

    def function(self, f: Callable[..., Any], name: str = "", *, limited: bool = False) -> str:
        """Write a Python function of floats, and return its name; if `limited`, it computes by IEEE arithmetic."""
        if _is_of_math(f):
            return f"math.{f.__name__}"
        key = f, limited
        if key in self._active:
            raise Unreadable(f"{f.__name__} calls itself")
        if key not in self._names:
            found = source_of(f)
            self._active.append(key)
            try:
                own = name if name and found.name == "<lambda>" else found.name
                self._names[key] = self._defined(f"_{own.strip('_')}", self._text(found, limited))
            finally:
                self._active.pop()
        return self._names[key]

    def _text(self, found: Source, limited: bool) -> str:
        translated = _Translator(self, found, limited)
        body = [translated.visit(ast.parse(ast.unparse(x)).body[0]) for x in found.body]
        lines = [ast.unparse(ast.fix_missing_locations(x)) for x in body]
        start = [f"    {x} = np.float64({x})" for x in found.parameters] if limited else []
        text = "\n".join(lines)
        return f"def {{}}({', '.join(found.parameters)}):\n" + "\n".join(
            [*start, *(f"    {x}" for x in text.splitlines())]
        ).replace("{", "{{").replace("}", "}}")

    def _defined(self, name: str, text: str) -> str:
        base = re.sub(r"\W", "_", name.strip("<>"))
        names = (f"{base}_{n}" if n else base for n in count())
        chosen = next(
            x
            for x in names
            if self.functions.get(x, text.format(x)) == text.format(x)
            and not hasattr(builtins, x)
            and x not in ("np", "math", "each")
        )
        self.functions[chosen] = text.format(chosen)
        return chosen


class _Translator(ast.NodeTransformer):
    """A translator that replaces a function's outer names by the functions and numbers that they stand for."""

    def __init__(self, script: PythonScript, found: Source, limited: bool) -> None:
        self.script, self.source, self.limited = script, found, limited
        self.look = Writer(Script(), found, strict=False).thing

    def visit_Expr(self, node: ast.Expr) -> Any:
        """Leave out a docstring."""
        return ast.Pass() if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> Any:
        """Raise a ValueError, which `each` catches."""
        return ast.Raise(ast.Name("ValueError", ast.Load()))

    def visit_Call(self, node: ast.Call) -> Any:
        """Write a call of a known function."""
        f = self.look(node.func)
        if isinstance(f, FunctionType):
            named = {str(x.arg): x.value for x in node.keywords}
            given = [self.visit(x) if isinstance(x, ast.expr) else _number(x) for x in in_order(f, node.args, named)]
            return ast.Call(ast.Name(self.script.function(f, limited=self.limited), ast.Load()), given, [])
        if node.keywords:
            raise Unreadable(ast.unparse(node))
        args = [self.visit(x) for x in node.args]
        if isinstance(f, Op):
            missing = f.defaults[len(f.defaults) + len(args) - f.arity :]
            args += [_number(x) for x in missing]
            written = self.script.applied(f, [ast.unparse(x) for x in args])
            return ast.parse(written, mode="eval").body
        if _is_of_math(f):
            ufunc = {"gamma": None, "fabs": "fabs"}.get(f.__name__, f.__name__)
            name = next(
                (x for x in (ufunc, f"arc{f.__name__[1:]}") if x and isinstance(getattr(np, x, None), np.ufunc)), None
            )
            own = (
                f"np.{name}"
                if self.limited and name and name not in ("floor", "ceil", "trunc") and len(args) < 3
                else f"math.{f.__name__}"
            )
            return ast.Call(ast.parse(own, mode="eval").body, args, [])
        if any(f is x for x in SAFE):
            return ast.Call(node.func, args, [])
        raise Unreadable(ast.unparse(node))

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        """Write a number of a module."""
        return self._known(node)

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        """Write a number of a list."""
        return self._known(node)

    def visit_Name(self, node: ast.Name) -> Any:
        """Write the number that a name outside of the function stands for."""
        return node if node.id in self.source.own else self._known(node)

    def _known(self, node: ast.expr) -> Any:
        known = self.look(node)
        if isinstance(known, int | float):
            return _number(known)
        if type(known) in (list, tuple) and all(isinstance(x, int | float) for x in known):
            return ast.List([_number(x) for x in known], ast.Load())
        raise Unreadable(ast.unparse(node))

    def generic_visit(self, node: ast.AST) -> Any:
        """Refuse statements and expressions beyond plain arithmetic."""
        if isinstance(node, REFUSED):
            raise Unreadable(ast.unparse(node).partition("\n")[0])
        return super().generic_visit(node)


REFUSED = (
    ast.Try, ast.Global, ast.Nonlocal, ast.Import, ast.ImportFrom, ast.With, ast.Lambda, ast.FunctionDef, ast.ClassDef,
    ast.Await, ast.Yield, ast.YieldFrom, ast.JoinedStr, ast.Dict, ast.Set, ast.Delete, ast.NamedExpr, ast.Starred,
    ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp,
)  # fmt: skip


def _is_of_math(f: Any) -> bool:
    return callable(f) and getattr(math, getattr(f, "__name__", ""), None) is f


def _number(x: Any) -> ast.expr:
    if isinstance(x, bool) or (isinstance(x, int) and not isinstance(x, bool)):
        return ast.Constant(x)
    return ast.parse(literal(x), mode="eval").body
