"""Text such as `u = b*c; J = 3*(a + u)` as labelled Values.

This module reads expressions: `ast` parses them, and a walk accepts only the constructs on a list. Python never
evaluates them. The module must not know the command line.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from keyword import iskeyword
from typing import NoReturn, SupportsFloat
from unicodedata import normalize

from .ops import OPS, Op, add, div, equal, floordiv, greater, greater_equal, identity, mod, mul, neg, pow, sub
from .structure import Tree
from .value import Value

MAX_LENGTH = 10_000  # characters
MAX_DEPTH = 400  # nested operators; a sum of n terms counts as n; this is below Python's recursion limit

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}
OTHER_NAMES = {"ln": "log", "lg": "log10"}  # names that mathematics has for some functions
PRODUCT = "a product is written with *, as in 3*(a + v)"
ADVICE: dict[type[ast.AST], str] = {
    ast.IfExp: "a choice is written where(condition, x, y)",
    ast.Attribute: "a name cannot have a dot; write a function as tanh(x)",
    ast.Subscript: "a number cannot be indexed; give each number its own name",
    ast.Call: "a function is called by its name, with operands only, as tanh(x)",
    ast.BinOp: "this operator is unknown; use + - * / // % **",
    ast.Compare: "this comparison is unknown; use x < y, x <= y, x > y, x >= y or x == y",
    ast.BoolOp: "and, or cannot be used; multiply comparisons, as (x > 0)*(x < 1)",
    ast.UnaryOp: "this operator is unknown; use -x",
}
BINARY: dict[type[ast.operator], Op] = {
    ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: div, ast.FloorDiv: floordiv, ast.Mod: mod, ast.Pow: pow,
}  # fmt: skip
COMPARE: dict[type[ast.cmpop], tuple[Op, bool]] = {  # with a flag: whether the sides are exchanged
    ast.Gt: (greater, False),
    ast.Lt: (greater, True),
    ast.GtE: (greater_equal, False),
    ast.LtE: (greater_equal, True),
    ast.Eq: (equal, False),
}
FUNCTIONS = {name: op for op in OPS.values() if not op.infix for name in dict.fromkeys((op.name, *op.methods))}


class ExpressionError(ValueError):
    """The text of an expression is wrong. The message has a caret under the place."""

    def __init__(self, message: str, line: str = "", column: int | None = None) -> None:
        self.message = message
        self.line = line
        self.column = column
        super().__init__(message + ("" if column is None else _pointed(line, column)))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.line, self.column)


def _pointed(line: str, column: int) -> str:
    """Return the line, or its part around the column, with a caret under the column."""
    start = max(0, column - 50)
    part = line[start : column + 30]
    before, after = "…" * (start > 0), "…" * (len(line) > column + 30)
    return f"\n  {before}{part}{after}\n  {' ' * (column - start + len(before))}^"


def expression(text: str, /, **variables: SupportsFloat) -> Value:
    r"""Compute a text of assignments and return the last value. Each name becomes the label of its node.

    Separate statements by `;` or line ends. The last may be an expression without a name. The text may use
    `+ - * / // % **`, comparisons, the functions of the table, and the constants `pi` and `e`. Assign each name only
    once.

    Args:
        text: such as `"u = b*c; v = a + u; J = 3*v"`.
        variables: a number or a Value for each name that the text does not assign.

    Raises:
        ExpressionError: the text is not such an expression, a variable is missing or unknown, or a number is outside a
            function's domain. The message has a caret under the place.
        TypeError: a variable is not a number.

    >>> J = expression("u = b*c; v = a + u; J = 3*v", a=5, b=3, c=2)
    >>> J
    Value(33.0, label='J', op='mul')
    >>> expression("3*(a + b)", a=5)
    Traceback (most recent call last):
        ...
    autograd_mini.formulas.ExpressionError: b has no value: give b=...
      3*(a + b)
             ^
    """
    return _Reader(text, variables).read()


class _Reader:
    def __init__(self, text: str, variables: Mapping[str, SupportsFloat]) -> None:
        if not isinstance(text, str):
            raise TypeError(f"expression: the text must be a str, not {text!r}")
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"the text has {len(text)} characters; at most {MAX_LENGTH} are read")
        # Leading blanks are an error of indentation in Python; here they mean nothing.
        self.text = "\n".join(line.strip() for line in text.splitlines())
        self.lines = self.text.split("\n")
        self.names: dict[str, Value] = {}
        self.assigned: set[str] = set()
        self.used: set[str] = set()
        for name, x in ((normalize("NFKC", name), x) for name, x in variables.items()):  # as Python reads text
            if not name.isidentifier() or iskeyword(name):
                raise ExpressionError(f"{name} cannot be a name; choose another")
            self.names[name] = x if isinstance(x, Value) else Value(x, name)

    def read(self) -> Value:
        result: Value | float | None = None
        statements = self._parse().body
        for statement in statements:
            result = self._statement(statement, statement is statements[-1])
        if result is None:
            raise ExpressionError("there is nothing to compute: the text is empty")
        unused = [name for name in self.names if name not in self.used | self.assigned]
        if unused:
            raise ExpressionError(f"{', '.join(unused)}: given a value, but the text does not use it")
        for name, x in self.names.items():  # only now, so that an error changes no label
            x.label = x.label or name
        return result if isinstance(result, Value) else Value(result)

    def _parse(self) -> ast.Module:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's advice on its syntax, such as on "1if x"
                return ast.parse(self.text)
        except SyntaxError as error:
            line = min(max(error.lineno or 1, 1), len(self.lines)) - 1
            column = min(max((error.offset or 1) - 1, 0), len(self.lines[line]))
            hint = ""
            if "decimal literal" in error.msg:
                hint = f"; {PRODUCT}"
            message = error.msg.removesuffix(". Perhaps you forgot a comma?")
            raise ExpressionError(f"{message}{hint}", self.lines[line], column) from None
        except (RecursionError, MemoryError):
            raise ExpressionError("the text is nested too deeply; name parts of it") from None
        except ValueError as error:
            raise ExpressionError(f"the text cannot be read: {error}") from None

    def _fail(self, message: str, node: ast.AST) -> NoReturn:
        line = self.lines[getattr(node, "lineno", 1) - 1]
        offset: int = getattr(node, "col_offset", 0)  # counts bytes
        raise ExpressionError(message, line, len(line.encode()[:offset].decode(errors="replace"))) from None

    def _statement(self, statement: ast.stmt, last: bool) -> Value | float:
        match statement:
            case ast.Expr(value=value) if last:
                return self._evaluate(value, 0)
            case ast.Expr():
                self._fail("this result has no name; write name = ... (only the last may go without)", statement)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                return self._assign(name, value, statement)
            case _:
                self._fail("only assignments, name = expression, can stand here", statement)

    def _assign(self, name: str, value: ast.expr, statement: ast.stmt) -> Value:
        if name in self.names:
            self._fail(f"{name} has a value already; each name is assigned once", statement)
        result = self._evaluate(value, 0)
        if not isinstance(result, Value):
            result = Value(result)
        elif any(
            result is x for x in self.names.values()
        ):  # y = x: a second name for the same node would lose one of the two
            result = identity(result)
        result.label = name
        self.names[name] = result
        self.assigned.add(name)
        return result

    def _evaluate(self, node: ast.expr, depth: int) -> Value | float:
        if depth > MAX_DEPTH:
            self._fail(f"nested more than {MAX_DEPTH} deep; name parts of it", node)
        depth += 1
        match node:
            case ast.Constant(value=bool() as truth):
                self._fail(f"{truth} is not a number", node)
            case ast.Constant(value=int() | float() as number):
                try:
                    return float(number)
                except OverflowError as error:
                    self._fail(str(error), node)
            case ast.Name(id=name):
                return self._name(name, node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._apply(neg, (self._evaluate(operand, depth),), node)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._evaluate(operand, depth)
            case ast.BinOp(left=left, op=ast.BitXor(), right=right):
                self._fail("^ is not a power here; write **, as in x**2", _sign_of(node, self.lines))
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
                operands = self._evaluate(left, depth), self._evaluate(right, depth)
                return self._apply(BINARY[type(sign)], operands, node)
            case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in COMPARE:
                op, swapped = COMPARE[type(sign)]
                operands = self._evaluate(left, depth), self._evaluate(right, depth)
                return self._apply(op, operands[::-1] if swapped else operands, node)
            case ast.Compare(ops=[_, _, *_]):
                self._fail("compare two numbers at a time: multiply comparisons, as (x > 0)*(x < 1)", node)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if (
                name in FUNCTIONS and name not in self.names
            ):
                return self._apply(FUNCTIONS[name], tuple(self._evaluate(x, depth) for x in args), node)
            case ast.Call(func=ast.Name(id=name)) if name in self.names:
                self._fail(f"{name} is a number; {PRODUCT}", node)
            case ast.Call(func=ast.Constant() | ast.BinOp() | ast.UnaryOp()):
                self._fail(PRODUCT, node)
            case ast.Call(func=ast.Name(id=name), keywords=[]):
                self._fail(f"there is no function {name}{_nearest(name, FUNCTIONS)}", node)
            case ast.Constant(value=constant):
                self._fail(f"{constant!r} is not a real number", node)
            case _:
                otherwise = "this is not allowed; use numbers, names, + - * / // % ** and functions"
                self._fail(ADVICE.get(type(node), otherwise), node)

    def _name(self, name: str, node: ast.expr) -> Value | float:
        if name in self.names:
            self.used.add(name)
            return self.names[name]
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name in FUNCTIONS:
            self._fail(f"{name} is a function; write {name}(...)", node)
        self._fail(f"{name} has no value: give {name}=...", node)

    def _apply(self, op: Op, operands: tuple[Value | float, ...], node: ast.expr) -> Value | float:
        try:
            result: Value | float = op(*operands)
            return result
        except (ArithmeticError, ValueError, TypeError) as error:
            self._fail(str(error.args[-1]), node)


def _sign_of(node: ast.BinOp, lines: list[str]) -> ast.AST:
    """Return the place of the operator's sign, which ast does not keep."""
    line = lines[(node.left.end_lineno or 1) - 1].encode()
    place = ast.Pass()
    place.lineno = node.left.end_lineno or 1
    place.col_offset = max(line.find(b"^", node.left.end_col_offset or 0), 0)
    return place


def _nearest(name: str, known: Iterable[str]) -> str:
    close = [OTHER_NAMES[name]] if name in OTHER_NAMES else get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def label_all(variables: Mapping[str, Tree]) -> None:
    """Label the Values of a dict, such as `locals()`, with its names.

    A Value that has a label keeps it. In lists, tuples and arrays the label gets the index, such as `w_1` or `W_{01}`.
    Names that begin with an underscore give no label.

    Raises:
        TypeError: `variables` is not a mapping.

    >>> x = Value(2.0)
    >>> w = [Value(1.0), Value(3.0)]
    >>> label_all({"x": x, "w": w})
    >>> x.label, w[1].label
    ('x', 'w_1')
    """
    if not isinstance(variables, Mapping):
        raise TypeError(f"label_all: give a dict of variables, such as locals(), not {variables!r}")
    for name, held in variables.items():
        if not name.startswith("_"):
            _label(held, name, ())


def _label(held: Tree, name: str, index: tuple[int, ...]) -> None:
    if isinstance(held, Value):
        places = ("" if max(index, default=0) < 10 else ",").join(map(str, index))
        held.label = held.label or (
            name if not index else f"{name}_{places}" if len(index) == 1 else f"{name}_{{{places}}}"
        )
    elif isinstance(held, (list, tuple)) or getattr(getattr(held, "dtype", None), "kind", "") == "O":
        for i, item in enumerate(held):
            _label(item, name, (*index, i))
