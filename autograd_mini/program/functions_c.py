"""Rows' functions as C99, written from their Python sources.

Python raises errors, and C does not. A function that can fail takes a pointer to an int, and sets the int to 1 when it
fails. Then the function of its row returns the row's value beyond its domain, or else nan.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..javascript import FORMS, MAX_TURNS, SIGNS, Script, Writer
from ..ops import OPS, Op
from ..source import OF_MATH, Source, Unreadable

# Python's arithmetic that C lacks, as functions of C.
RUNTIME = {
    "fail": "double fail(int *failed) { *failed = 1; return NAN; }",
    # If numbers give nan, or finite numbers give infinity, then Python raises an error.
    "checked": """double checked(double (*f)(double), double x, int *failed) {
    const double z = f(x);
    return (z != z ? x == x : isinf(z) && isfinite(x)) ? fail(failed) : z;
}""",
    "checked_2": """double checked_2(double (*f)(double, double), double x, double y, int *failed) {
    const double z = f(x, y);
    return (z != z ? x == x && y == y : isinf(z) && isfinite(x) && isfinite(y)) ? fail(failed) : z;
}""",
    "divided": "double divided(double x, double y, int *failed) { return y == 0.0 ? fail(failed) : x / y; }",
    "nonzero": "double nonzero(double x, int *failed) { return x == 0.0 ? fail(failed) : x; }",
    "modulo": """double modulo(double x, double y) {
    const double r = fmod(x, y);
    return r == 0.0 ? copysign(0.0, y) : (r < 0.0) != (y < 0.0) ? r + y : r;
}""",
    "quotient": """double quotient(double x, double y) {
    if (y == 0.0) return x / y;
    const double r = fmod(x, y), z = (x - r) / y - (r != 0.0 && (r < 0.0) != (y < 0.0) ? 1.0 : 0.0), low = floor(z);
    return z == 0.0 ? copysign(0.0, x / y) : z - low > 0.5 ? low + 1.0 : low;
}""",
    "whole": "double whole(double x, int *failed) { return isfinite(x) ? x + 0.0 : fail(failed); }",
    "largest": "double largest(double x, double y) { return y > x ? y : x; }",
    "smallest": "double smallest(double x, double y) { return y < x ? y : x; }",
}
MATH: dict[Callable[..., Any], str] = {getattr(math, name): name for name in [*OF_MATH, "fabs"]} | {
    math.gamma: "tgamma"
}
# Rows that have an equal function in C's IEEE arithmetic.
NATIVE = {
    "pow": "pow", "mod": "modulo", "floordiv": "quotient", "floor": "floor", "ceil": "ceil", "trunc": "trunc",
    "round": "rint",
}  # fmt: skip
SAFE = ("fabs", "copysign")  # functions that never raise an error
PI = repr(math.pi)


def indented(text: str) -> str:
    """Return statements of C, one on each line."""
    lines, brackets, start, depth = [], 0, 0, 1
    for at, sign in enumerate(text):
        brackets += (sign == "(") - (sign == ")")
        if brackets == 0 and sign in "{};":
            depth -= sign == "}"
            lines.append("    " * depth + text[start : at + 1].strip())
            depth += sign == "{"
            start = at + 1
    return "\n".join(lines).replace("}\n" + "    " * depth + "else", "} else")


def _is_read(name: str, body: str) -> bool:
    """Return whether a body reads a variable, and does not only assign to it."""
    return re.search(rf"\b{name}\b(?! = )", body) is not None


def _is_number(text: str) -> bool:
    """Return whether a text is a positive number, such as 2.0."""
    return text[0].isdigit() and text != "0.0" and re.fullmatch(r"[\d.e+-]+", text) is not None


class _Writer(Writer):
    """A writer of one function as C. Variables get an underscore, so that no name is a name of C."""

    forms: Mapping[object, str] = FORMS | {
        abs: "fabs({})", bool: "(double) ({} != 0.0)", int: "whole(trunc({}), failed)",
        round: "whole(rint({}), failed)", math.trunc: "whole(trunc({}), failed)",
        math.floor: "whole(floor({}), failed)", math.ceil: "whole(ceil({}), failed)",
        math.degrees: f"({{}} * 180.0 / {PI})", math.radians: f"({{}} * {PI} / 180.0)",
        math.isnan: "(double) (isnan({}) != 0)", math.isinf: "(double) (isinf({}) != 0)",
        math.isfinite: "(double) (isfinite({}) != 0)",
    }  # fmt: skip
    signs = SIGNS | {ast.Eq: "==", ast.NotEq: "!="}
    as_number = "(double) {}"
    variable = "{}_"
    raised = "return fail(failed);"
    script: CScript

    def __str__(self) -> str:
        own, given = self.source.own, self.source.parameters
        parameters = ", ".join(f"double {self.variable.format(name)}" for name in given)
        variables = ", ".join(f"{self.variable.format(name)} = 0.0" for name in sorted(own - {*given}))
        body = self.script.used(self.block(self.source.body))
        fails = re.search(r"\bfailed\b", body) is not None
        unused = [name for name in map(self.variable.format, [*given, *own]) if not _is_read(name, body)]
        lines = [f"double {variables};"] if variables else []
        lines += [*(f"(void) {name};" for name in sorted(unused)), body]
        return f"({parameters}{', int *failed' * fails}) {{\n" + indented(" ".join(lines)) + "\n}"

    def assigned(self, pairs: list[tuple[str, str]]) -> str:
        """Write an assignment to several names at once."""
        if len(pairs) == 1:
            return "{} = {};".format(*pairs[0])
        values = ", ".join(f"v{k} = {value}" for k, (_, value) in enumerate(pairs))
        return f"{{ const double {values}; {' '.join(f'{name} = v{k};' for k, (name, _) in enumerate(pairs))} }}"

    def truth(self, x: bool) -> str:
        """Write a known condition."""
        return str(int(x))

    def called(self, name: str, args: Sequence[str]) -> str:
        """Write a call of a function that may fail."""
        if name == "nonzero" and _is_number(args[0]):
            return args[0]
        return f"{name}({', '.join([*args, 'failed'] if self.script.fails(name) else args)})"

    def divided(self, x: str, y: str) -> str:
        """Write a division that fails where Python raises an error."""
        return f"({x} / {y})" if _is_number(y) else super().divided(x, y)

    def checked(self, name: str, args: Sequence[str]) -> str:
        """Write a call of a function of `math` that fails where Python raises an error."""
        if name in SAFE:
            return f"{name}({', '.join(args)})"
        return super().checked(name, args) if len(args) == 1 else self.called("checked_2", [name, *args])

    def many(self, name: str, args: Sequence[str]) -> str:
        """Write the largest or smallest of some numbers."""
        return args[0] if len(args) == 1 else f"{name}({self.many(name, args[:-1])}, {args[-1]})"

    def turns(self, test: str, body: str) -> str:
        """Write a `while`."""
        return f"for (long i = 0; {test}; i++) {{ if (i > {MAX_TURNS} || *failed) return fail(failed); {body} }}"

    def counted(self, start: str, stop: str, step: int) -> tuple[str, str]:
        """Return the head of a loop over a range, and the expression for its number."""
        return f"double i = {start}, n = {stop}; i {'<' if step > 0 else '>'} n; i += {self.script.literal(step)}", "i"

    def listed(self, numbers: Sequence[str]) -> tuple[str, str]:
        """Return the head of a loop over some numbers, and the expression for its number."""
        return f"int i = 0; i < {len(numbers)}; i++", f"((const double[]) {{{', '.join(numbers)}}})[i]"

    def call(self, node: ast.expr, f: Callable[..., Any], args: Sequence[ast.expr], named: dict[str, ast.expr]) -> str:
        """Write a call."""
        if f in self.script.math and len(args) > 2:
            raise Unreadable(ast.unparse(node))
        return super().call(node, f, args, named)


class CScript(Script):
    """Functions in C, each after those that it calls."""

    language = "C"
    runtime = RUNTIME
    math = MATH
    infinite: Mapping[str, str] = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}
    needless = ""

    def __str__(self) -> str:
        return "\n\n".join(
            f"static {text}" if name in RUNTIME else f"static double {name}{text}"
            for name, text in self.functions.items()
        )

    def applied(self, op: Op, operands: Sequence[str]) -> str:
        """Write a row applied to numbers."""
        row = op.row
        if OPS.get(row.name) is row and row.name in NATIVE:
            return self.used(f"{NATIVE[row.name]}({', '.join(operands)})")
        return super().applied(op, operands)

    def written(self, source: Source, strict: bool) -> str:
        """Return the parameters and the body of a function in C."""
        return str(_Writer(self, source, strict))

    def fails(self, name: str) -> bool:
        """Return whether a function can fail, and so takes the pointer."""
        return "int *failed" in self.functions.get(name, RUNTIME.get(name, ""))

    def caught(self, op: Op, name: str, beyond: str | None) -> str:
        """Write the function of a row: if `name` fails, it returns the value of `beyond`, or else nan."""
        if not self.fails(name):
            return name
        xs = [f"x{k}" for k in range(len(op.rules))]
        parameters, args = ", ".join(f"double {x}" for x in xs), ", ".join([*xs, "&failed"])
        otherwise = "NAN" if beyond is None else f"{beyond}({args if self.fails(beyond) else ', '.join(xs)})"
        lines = "int failed = 0;", f"const double z = {name}({args});", f"return failed ? {otherwise} : z;"
        return self.defined(op.name, f"({parameters}) {{\n    " + "\n    ".join(lines) + "\n}")
