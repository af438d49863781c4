"""Python functions of floats as JavaScript, written from their sources.

A `Script` collects functions. Each is written once, after the functions that it calls. JavaScript's numbers stand for
floats, bools and ints, which are exact up to 2**53. Arithmetic follows IEEE, as in `op.limit`. If a row's function
raises an error, the result is the value of its column `beyond`. A row without this column continues with infinities,
and its result is nan at a `raise` statement. All other constructs are refused.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from types import FunctionType
from typing import Any

from . import special
from .ops import OPS, Op
from .source import OF_MATH, Source, Unreadable, in_order, source_of, source_row

# Functions that JavaScript lacks: Python's arithmetic, and functions of `math` and of rows under their names.
RUNTIME = {
    "caught": "(f, beyond) => (...xs) => { try { return Number(f(...xs)); } catch { return beyond(...xs); } }",
    "fail": "() => { throw 0; }",
    # As in C: nan as the result of numbers, or infinity as the result of finite numbers, means an error.
    "checked": """(f, ...xs) => {
    const z = f(...xs);
    return (z !== z ? !xs.some(Number.isNaN) : Math.abs(z) === Infinity && xs.every(Number.isFinite)) ? fail() : z;
  }""",
    "divided": "(x, y) => y === 0 ? fail() : x / y",
    "pow": "(x, y) => x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y",
    "nonzero": "x => x === 0 ? fail() : x",
    "modulo": """(x, y) => {
    const r = x % y;
    return r === 0 ? copysign(0, y) : r < 0 !== y < 0 ? r + y : r;
  }""",
    "quotient": """(x, y) => {
    if (y === 0) return x / y;
    const r = x % y, z = (x - r) / y - (r !== 0 && r < 0 !== y < 0 ? 1 : 0), low = Math.floor(z);
    return z === 0 ? copysign(0, x / y) : z - low > 0.5 ? low + 1 : low;
  }""",
    "whole": "x => Number.isFinite(x) ? x + 0 : fail()",
    "rounded": """x => {
    const low = Math.floor(x), rest = x - low;
    return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
  }""",
    "largest": "(...xs) => xs.reduce((x, y) => y > x ? y : x)",
    "smallest": "(...xs) => xs.reduce((x, y) => y < x ? y : x)",
    "copysign": "(x, y) => y < 0 || Object.is(y, -0) ? -Math.abs(x) : Math.abs(x)",
    "exp2": "x => 2 ** x",
    "fmod": "(x, y) => x % y",
    # A series of positive terms near 0, a continued fraction in the tail.
    "erf": """x => {
    if (Math.abs(x) > 2) return Math.sign(x) * (1 - erfc(Math.abs(x)));
    let term = x, total = x;
    for (let n = 1; n < 60; n++) total += term *= 2 * x * x / (2 * n + 1);
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * total;
  }""",
    "erfc": """x => {
    if (!(x > 2)) return 1 - erf(x);
    let fraction = x;
    for (let n = 100; n > 0; n--) fraction = x + n / 2 / fraction;
    return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
  }""",
    # Stirling's series far out, to where recurrences lead, and far left of 0 the reflections.
    "gamma": """x => {
    if (x === 0) return 1 / x;
    if (!(x < 0.5)) return Math.exp(lgamma(x));
    const n = Math.round(x), sine = (n % 2 ? -1 : 1) * Math.sin(Math.PI * (x - n));
    return x === n || x === -Infinity ? NaN : Math.PI / sine / gamma(1 - x);
  }""",
    "lgamma": """x => {
    const n = Math.round(x), t = 1 / x / x;
    if (x === 1 || x === 2) return 0;
    if ((x <= 0 && x === n) || x === -Infinity) return Infinity;
    if (x < -20) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * (x - n)))) - lgamma(1 - x);
    if (x < 20) return lgamma(x + 1) - Math.log(Math.abs(x));
    const rest = ((((t / 1188 - 1 / 1680) * t + 1 / 1260) * t - 1 / 360) * t + 1 / 12) / x;
    return x === Infinity ? x : (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + rest;
  }""",
}
MATH: dict[Callable[..., Any], str] = {
    getattr(math, name): name if name in RUNTIME else f"Math.{name}" for name in [*OF_MATH, "gamma"]
} | {math.fabs: "Math.abs"}
FORMS = {
    abs: "Math.abs({})", float: "{}", bool: "Number({} !== 0)", int: "whole(Math.trunc({}))",
    round: "whole(rounded({}))",
    math.trunc: "whole(Math.trunc({}))", math.floor: "whole(Math.floor({}))", math.ceil: "whole(Math.ceil({}))",
    math.degrees: "({} * 180 / Math.PI)", math.radians: "({} * Math.PI / 180)", math.isnan: "Number(Number.isNaN({}))",
    math.isinf: "Number(Math.abs({}) === Infinity)", math.isfinite: "Number(Number.isFinite({}))",
    ast.Add: "({} + {})", ast.Sub: "({} - {})", ast.Mult: "({} * {})", ast.Div: "({} / {})", ast.Mod: "modulo({}, {})",
    ast.FloorDiv: "quotient({}, {})", ast.USub: "(-{})", ast.UAdd: "{}",
}  # fmt: skip
SIGNS: dict[type, str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "===", ast.NotEq: "!==",
    ast.And: "&&", ast.Or: "||",
}  # fmt: skip
MANY = {max: "largest", min: "smallest"}
MAX_TURNS = 1_000_000  # turns of a `while`: after so many it has no result, because a page must not hang


class Script:
    """Functions in JavaScript, each after the functions that it calls."""

    language = "JavaScript"
    runtime: Mapping[str, str] = RUNTIME
    math: Mapping[Callable[..., Any], str] = MATH
    infinite: Mapping[str, str] = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
    needless = ".0"  # the end of a whole number in Python that is left out

    def __init__(self) -> None:
        self.functions: dict[str, str] = {}
        self._rows: dict[Op, str] = {}
        self._names: dict[tuple[Callable[..., Any], bool], str] = {}  # names in JavaScript, by Python's functions
        self._active: list[tuple[Callable[..., Any], bool]] = []  # functions whose writing has not ended

    def __str__(self) -> str:
        return "\n".join(f"const {name} = {text};" for name, text in self.functions.items())

    @classmethod
    def literal(cls, x: object) -> str:
        """Write a number of Python, a negative one in brackets.

        >>> Script.literal(2.5), Script.literal(-3), Script.literal(True)
        ('2.5', '(-3)', '1')
        """
        if not isinstance(x, (int, float)) or (isinstance(x, int) and abs(x) > 2**53):
            raise Unreadable(f"{x!r} is no number of {cls.language}")
        text = repr(float(x)).removesuffix(cls.needless)
        text = cls.infinite.get(text, text)
        return f"({text})" if text.startswith("-") else text

    def applied(self, op: Op, operands: Sequence[str]) -> str:
        """Write a row applied to numbers.

        Raises:
            Unreadable: the function of the row cannot be written.

        >>> Script().applied(OPS["exp"], ["x"])
        'Math.exp(x)'
        """
        op = op.row
        row, own = source_row(op), OPS.get(op.name) is op
        name = op.name if own and op.name in self.runtime else self.math.get(row.function)
        if name is None and op not in self._rows:
            series = special.WITHOUT_SCIPY.get(row.function)
            outside = None if series else row.beyond
            name = self.function(series or row.function, op.name, strict=outside is not None)
            beyond = None if outside is None else self.function(outside, f"{op.name}_beyond")
            name = self._rows[op] = self.caught(op, name, beyond)
        return self.used(f"{name or self._rows[op]}({', '.join(operands)})")

    def caught(self, op: Op, name: str, beyond: str | None) -> str:
        """Write the function of a row. If a function in it throws, the result is `beyond`, or nan without it."""
        if not op.raises:
            return name
        return self.defined(op.name, self.used(f"caught({name}, {beyond or '() => NaN'})"))

    def function(self, f: Callable[..., Any], name: str = "", *, strict: bool = False) -> str:
        """Write a Python function and return its name. A strict function throws where Python raises an error.

        A lambda gets a name like the given name.
        """
        key = f, strict
        if key in self._active:
            raise Unreadable(f"{f.__name__} calls itself")
        if key not in self._names:
            source = source_of(f)
            self._active.append(key)
            try:
                own = name if name and source.name == "<lambda>" else source.name
                self._names[key] = self.defined(own, self.written(source, strict))
            finally:
                self._active.pop()
        return self._names[key]

    def written(self, source: Source, strict: bool) -> str:
        """Return the parameters and the body of a function in JavaScript."""
        return str(Writer(self, source, strict))

    def defined(self, name: str, text: str) -> str:
        """Keep a function under a new name like the given name, and return the new name."""
        base = "f_" + re.sub(r"\W", "_", name.strip("<>"))
        names = (f"{base}_{n}" if n else base for n in count())
        chosen = next(x for x in names if self.functions.get(x, text) == text)
        self.functions[chosen] = text
        return chosen

    def used(self, text: str) -> str:
        """Keep the functions that a text uses and that JavaScript lacks."""
        for name in re.findall(r"[$\w]+", text):
            if name in self.runtime and name not in self.functions:
                self.functions[name] = self.runtime[name]
                self.used(self.runtime[name])
                self.functions[name] = self.functions.pop(name)  # moved to the end, after the functions that it calls
        return text


class Writer:
    """A writer of one function. The name of a variable has a `$`, so it differs from JavaScript's own names.

    A subclass writes C. It changes the attributes and the first methods below.
    """

    forms: Mapping[object, str] = FORMS
    signs: Mapping[type, str] = SIGNS
    as_number = "Number({})"
    variable = "${}"
    raised = "throw 0;"

    def __init__(self, script: Script, source: Source, strict: bool) -> None:
        self.script, self.source, self.strict = script, source, strict

    def __str__(self) -> str:
        own, given = self.source.own, self.source.parameters
        parameters, variables = (
            ", ".join(map(self.variable.format, names)) for names in (given, sorted(own - {*given}))
        )
        start = f"let {variables}; " if variables else ""
        return f"({parameters}) => {{ {start}{self.block(self.source.body)} }}"

    def block(self, nodes: Sequence[ast.stmt]) -> str:
        """Write statements."""
        return " ".join(filter(None, map(self.statement, nodes)))

    def statement(self, node: ast.stmt) -> str:
        """Write a statement."""
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                return ""
            case ast.Return(value=ast.expr() as x):
                return f"return {self.number(x)};"
            case ast.Raise():
                return self.raised
            case ast.Break():
                return "break;"
            case ast.Continue():
                return "continue;"
            case ast.Assign(targets=targets, value=x):
                return self.assigned([pair for target in targets for pair in self.pairs(target, x)])
            case ast.AnnAssign(target=target, value=ast.expr() as x):
                return self.assigned(self.pairs(target, x))
            case ast.AugAssign(target=ast.Name() as target, op=op, value=x):
                return self.assigned(self.pairs(target, ast.BinOp(ast.Name(target.id, ast.Load()), op, x)))
            case ast.If(test=test, body=body, orelse=orelse):
                no = f" else {{ {self.block(orelse)} }}" if orelse else ""
                return f"if ({self.condition(test)}) {{ {self.block(body)} }}{no}"
            case ast.While(test=test, body=body, orelse=[]):
                return self.script.used(self.turns(self.condition(test), self.block(body)))
            case ast.For(target=ast.Name(id=name), iter=over, body=body, orelse=[]):
                head, item = self.over(over)
                return f"for ({head}) {{ {self.variable.format(name)} = {item}; {self.block(body)} }}"
        raise Unreadable(ast.unparse(node).partition("\n")[0])

    def pairs(self, target: ast.expr, value: ast.expr) -> list[tuple[str, str]]:
        """Return the names that an assignment sets, and their values."""
        match target, value:
            case ast.Name(id=name), _:
                return [(self.variable.format(name), self.number(value))]
            case ast.Tuple(elts=names), ast.Tuple(elts=values) if len(names) == len(values):
                return [pair for both in zip(names, values, strict=True) for pair in self.pairs(*both)]
        raise Unreadable(f"{ast.unparse(target)} = {ast.unparse(value)}")

    def assigned(self, pairs: list[tuple[str, str]]) -> str:
        """Write an assignment to names, all at once."""
        names, values = map(", ".join, zip(*pairs, strict=True))
        return f"{names} = {values};" if len(pairs) == 1 else f"[{names}] = [{values}];"

    # These differ from language to language.

    def truth(self, x: bool) -> str:
        """Write a constant condition."""
        return str(x).lower()

    def called(self, name: str, args: Sequence[str]) -> str:
        """Write a call of a function that may throw."""
        return f"{name}({', '.join(args)})"

    def divided(self, x: str, y: str) -> str:
        """Write a division that throws where Python raises an error."""
        return self.called("divided", [x, y])

    def checked(self, name: str, args: Sequence[str]) -> str:
        """Write a call of a function of `math` that throws where Python raises an error."""
        return self.called("checked", [name, *args])

    def many(self, name: str, args: Sequence[str]) -> str:
        """Write the largest or smallest of some numbers."""
        return self.called(name, args)

    def turns(self, test: str, body: str) -> str:
        """Write a `while`."""
        return f"for (let i = 0; {test}; i++ < {MAX_TURNS} || fail()) {{ {body} }}"

    def counted(self, start: str, stop: str, step: int) -> tuple[str, str]:
        """Write the head of a loop over a range, and the loop's number."""
        return f"let i = {start}, n = {stop}; i {'<' if step > 0 else '>'} n; i += {self.script.literal(step)}", "i"

    def listed(self, numbers: Sequence[str]) -> tuple[str, str]:
        """Write the head of a loop over some numbers, and the loop's number."""
        return f"const i of [{', '.join(numbers)}]", "i"

    def over(self, node: ast.expr) -> tuple[str, str]:
        """Write the head of a loop over a range or a constant list, and the loop's number."""
        match node:
            case ast.Call(func=f, args=[*ends], keywords=[]) if self.source.object_of(f) is range:
                step = self.source.object_of(ends.pop()) if len(ends) == 3 else 1
                start, stop = ["0", *map(self.number, ends)][-2:]
                if isinstance(step, int) and step != 0:
                    return self.counted(start, stop, step)
            case ast.Tuple(elts=xs) | ast.List(elts=xs):
                return self.listed([*map(self.number, xs)])
            case _ if isinstance(known := self.source.object_of(node), (tuple, list)):
                return self.listed([*map(self.script.literal, known)])
        raise Unreadable(ast.unparse(node))

    def number(self, node: ast.expr) -> str:
        """Write an expression as a number."""
        match node:
            case ast.Name(id=name) if name in self.source.own:
                return self.variable.format(name)
            case ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return self.as_number.format(self.condition(node))
            case ast.UnaryOp(op=op, operand=x) if type(op) in self.forms:
                return self.forms[type(op)].format(self.number(x))
            case ast.BinOp(left=x, op=ast.Pow(), right=y):
                return self.call(node, math.pow, [x, y], {})
            case ast.BinOp(left=x, op=ast.Div(), right=y) if self.strict:
                return self.script.used(self.divided(self.number(x), self.number(y)))
            case ast.BinOp(left=x, op=ast.FloorDiv() | ast.Mod() as op, right=y) if self.strict:
                nonzero = self.called("nonzero", [self.number(y)])
                return self.script.used(self.forms[type(op)].format(self.number(x), nonzero))
            case ast.BinOp(left=x, op=op, right=y) if type(op) in self.forms:
                return self.script.used(self.forms[type(op)].format(self.number(x), self.number(y)))
            case ast.BoolOp(op=op, values=[x, *rest]):
                ways = self.number(x), self.number(ast.BoolOp(op, rest) if rest[1:] else rest[0])
                return "({} ? {} : {})".format(self.condition(x), *(ways if isinstance(op, ast.Or) else ways[::-1]))
            case ast.IfExp(test=test, body=x, orelse=y):
                return f"({self.condition(test)} ? {self.number(x)} : {self.number(y)})"
            case ast.Call(func=f, args=args, keywords=keywords):
                return self.call(node, self.source.object_of(f), args, {str(x.arg): x.value for x in keywords})
            case _ if isinstance(known := self.source.object_of(node), (int, float)):
                return self.script.literal(known)
        raise Unreadable(ast.unparse(node))

    def condition(self, node: ast.expr) -> str:
        """Write an expression as a condition. nan is true in Python, but false in JavaScript."""
        match node:
            case ast.Constant(value=bool() as x):
                return self.truth(x)
            case ast.UnaryOp(op=ast.Not(), operand=x):
                return f"!{self.condition(x)}"
            case ast.BoolOp(op=op, values=xs):
                return f"({f' {self.signs[type(op)]} '.join(map(self.condition, xs))})"
            case ast.Compare(left=first, ops=ops, comparators=more) if all(type(op) in self.signs for op in ops):
                sides = [self.number(x) for x in (first, *more)]
                parts = [f"{x} {self.signs[type(op)]} {y}" for x, op, y in zip(sides, ops, sides[1:], strict=False)]
                return f"({' && '.join(parts)})"
            case ast.Compare():
                raise Unreadable(ast.unparse(node))
        return f"({self.number(node)} {self.signs[ast.NotEq]} 0)"

    def call(self, node: ast.expr, f: Callable[..., Any], args: Sequence[ast.expr], named: dict[str, ast.expr]) -> str:
        """Write a call."""
        if isinstance(f, Op) and f.raises and self.strict:
            return self.call(node, source_row(f).function, args, named)
        if isinstance(f, FunctionType):
            given = [
                self.number(x) if isinstance(x, ast.expr) else self.script.literal(x) for x in in_order(f, args, named)
            ]
            return self.called(self.script.function(f, strict=self.strict), given)
        xs = [self.number(x) for x in args]
        text = ", ".join(xs)
        if named:
            pass
        elif isinstance(f, Op):
            return self.script.applied(f, [*xs, *map(self.script.literal, f.lacking(len(xs)))])
        elif f is math.log and len(xs) == 2:
            return self.script.used(self.divided(*[self.checked(self.script.math[f], [x]) for x in xs]))
        elif f in self.script.math and (self.strict or f is math.fmod):  # fmod has no row with a limit
            return self.script.used(self.checked(self.script.math[f], xs))
        elif f in self.script.math:
            return self.script.used(f"{self.script.math[f]}({text})")
        elif f in MANY and len(xs) > 1:
            return self.script.used(self.many(MANY[f], xs))
        elif f in self.forms and len(xs) == 1:
            return self.script.used(self.forms[f].format(text))
        elif f is pow and len(xs) == 2:
            return self.call(node, math.pow, args, {})
        raise Unreadable(ast.unparse(node))
