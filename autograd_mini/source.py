"""The source of a Python function as a tree, with the meanings of its names.

This module finds the syntax tree of a function, also of one lambda among several on a line. It checks that the tree
belongs to the code that runs, because a file may change after its import. Printers and builders for other languages
walk over the tree. `Source.names` has the object of each name.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple, TypeVar

from .ops import OPS, Op, Recorder
from .recorder import Operand
from .special import WITHOUT_SCIPY
from .uncompiled import source_module

T = TypeVar("T")
# The functions of `math` that C has under the same names. JavaScript, C and machine code call them.
OF_MATH = (
    "acos acosh asin asinh atan atan2 atanh cbrt copysign cos cosh erf erfc exp exp2 expm1 fmod hypot lgamma log log10 "
    "log1p log2 pow sin sinh sqrt tan tanh"
).split()


class Unreadable(Exception):
    """The source of a function is missing, or has a construct that cannot be written in another language."""

    def at(self, node: ast.stmt) -> Unreadable:
        """Return the error with the statement that caused it, unless it already has one."""
        if not hasattr(self, "statement"):
            self.statement = ast.unparse(node).splitlines()[0]
        return self

    def __str__(self) -> str:
        text, statement = super().__str__(), getattr(self, "statement", None)
        return text if statement is None or text in statement else f"{text}, in `{statement}`"


class Source(NamedTuple):
    """A function: its parameters and statements, its own names, and the objects that other names stand for."""

    name: str
    parameters: tuple[str, ...]
    body: list[ast.stmt]
    own: frozenset[str]
    names: Mapping[str, object]

    def object_of(self, node: ast.expr) -> Any:
        """Return the object of an expression, or None if the object is not known now."""
        match node:
            case ast.Constant(value=x):
                return x
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=float() | int() as x)):
                return -x
            case ast.Name(id=name) if name not in self.own and name in self.names:
                return self.names[name]
            case ast.Attribute(value=x, attr=name) if isinstance(module := self.object_of(x), ModuleType):
                return getattr(module, name, None)
            case ast.Subscript(value=x, slice=at) if isinstance(xs := self.object_of(x), (tuple, list, dict)):
                with suppress(LookupError, TypeError):
                    return xs[self.object_of(at)]
        return None


def source_of(function: Callable[..., Any]) -> Source:
    """Return the source of a Python function.

    Raises:
        Unreadable: it is not a Python function, its source is missing or has changed, or it has parameters such as
            `*args`.

    >>> source_of(lambda x: 2 * x).parameters
    ('x',)
    """
    if not isinstance(function, FunctionType):
        raise Unreadable(f"{function!r} is not a Python function")
    arguments, body = _tree_of(function.__code__)
    if arguments.vararg or arguments.kwonlyargs or arguments.kwarg:
        raise Unreadable(f"{function.__name__} has a parameter such as *args, or a keyword-only parameter")
    parameters = tuple(x.arg for x in [*arguments.posonlyargs, *arguments.args])
    own = frozenset([*function.__code__.co_varnames, *function.__code__.co_cellvars])
    return Source(function.__name__, parameters, body, own, _names_of(function))


def source_row(op: Op) -> Op:
    """Return a row whose functions have a source. For a row of the table, this is a twin, as `ops` may be compiled."""
    found: Op = getattr(source_module("ops"), op.name) if OPS.get(op.name) is op.row else op.row
    return found


def _names_of(function: FunctionType) -> Mapping[str, object]:
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    closed = {}
    for name, cell in cells.items():
        try:
            closed[name] = cell.cell_contents
        except ValueError:  # the name has no value yet
            raise Unreadable(f"{function.__name__} uses {name} before it has a value") from None
    return ChainMap(closed, function.__globals__, getattr(function, "__builtins__"))  # noqa: B009  # that mypy does not know


@cache
def _tree_of(code: CodeType) -> tuple[ast.arguments, list[ast.stmt]]:
    """Return the parameters and the statements of a function's code."""
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename)
    if not lines:
        raise Unreadable(f"{code.co_name} has no source")
    is_right = code.co_filename.startswith(PACKAGE)  # the files of the package do not change after the import
    try:
        if is_right and code.co_name != "<lambda>":
            block = lines[code.co_firstlineno - 1 :]
            last = max(end or 0 for _, end, _, _ in code.co_positions())  # Python may run without it
            block = block[: last - code.co_firstlineno + 1] if last else inspect.getblock(block)
            text, first = textwrap.dedent("".join(block)), 1
        else:
            text, first = "".join(lines), code.co_firstlineno
            is_right = is_right or any(_same(code, other) for other in _codes_at(text, code))
        found = [node for node in _functions_at(_parsed(text), first) if _is_of(node, code)]
    except (SyntaxError, ValueError) as error:
        raise Unreadable(f"{code.co_name} has no source: {error}") from None
    without_columns = len(found) > 1 and all(start is None for _, _, start, _ in code.co_positions())
    if not found or not is_right or without_columns:  # several lambdas on one line cannot be told apart
        raise Unreadable(f"the source of {code.co_name} does not belong to the function that runs")
    node = found[-1]  # of nested lambdas take the inner one
    return node.args, node.body if isinstance(node, ast.FunctionDef) else [ast.Return(node.body, lineno=node.lineno)]


PACKAGE = str(Path(__file__).parent)


def _functions_at(node: ast.AST, line: int) -> Iterator[ast.FunctionDef | ast.Lambda]:
    """Yield the functions that begin at a line, the outer ones first."""
    for child in ast.iter_child_nodes(node):
        first = min((x.lineno for x in getattr(child, "decorator_list", [])), default=getattr(child, "lineno", line))
        if first <= line <= getattr(child, "end_lineno", line):
            if first == line and isinstance(child, (ast.FunctionDef, ast.Lambda)):
                yield child
            yield from _functions_at(child, line)


def _is_of(node: ast.FunctionDef | ast.Lambda, code: CodeType) -> bool:
    """Return whether a function's tree belongs to the code: by its name, or by its parameters and its place."""
    if isinstance(node, ast.FunctionDef):
        return node.name == code.co_name
    names = tuple(x.arg for x in [*node.args.posonlyargs, *node.args.args])
    return names == code.co_varnames[: code.co_argcount] and _stands_in(node, code)


def _key(code: CodeType) -> tuple[str, int]:
    return code.co_name, code.co_firstlineno


def _codes_at(text: str, code: CodeType) -> list[CodeType]:
    """Return the code of those functions of a module that have the same name and place as the given code."""
    positions = [*code.co_positions()]  # lambdas on one line differ by this
    return [other for other in _codes(text).get(_key(code), []) if [*other.co_positions()] == positions]


@cache
def _parsed(text: str) -> ast.AST:
    """Return the tree of a module, or of a function."""
    return ast.parse(text)


@cache
def _codes(text: str) -> dict[tuple[str, int], list[CodeType]]:
    """Return the code of all functions of a module."""
    codes: dict[tuple[str, int], list[CodeType]] = {}
    left = [compile(text, "<source>", "exec", dont_inherit=True)]
    while left:
        inner = _codes_in(left.pop())
        left += inner
        for code in inner:
            codes.setdefault(_key(code), []).append(code)
    return codes


def _stands_in(node: ast.Lambda, code: CodeType) -> bool:
    """Return whether code comes from the columns of a lambda, if Python keeps the columns of code."""
    for first, last, start, end in code.co_positions():
        if None in (first, last, start, end) or end == 0:
            continue
        before = (first, start) < (node.body.lineno, node.body.col_offset)
        if before or (last, end) > (node.body.end_lineno, node.body.end_col_offset):
            return False
    return True


def _same(one: CodeType, other: CodeType) -> bool:
    """Return whether two pieces of code are the same."""
    consts = [[repr(x) for x in code.co_consts if not isinstance(x, CodeType)] for code in (one, other)]
    inner = [_codes_in(code) for code in (one, other)]
    return (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and consts[0] == consts[1]
        and len(inner[0]) == len(inner[1])
        and all(map(_same, *inner))
    )


def _codes_in(code: CodeType) -> list[CodeType]:
    return [x for x in code.co_consts if isinstance(x, CodeType)]


def in_order(f: FunctionType, args: Sequence[T], named: Mapping[str, T]) -> Sequence[T]:
    """Return the arguments of a call at the places of the function's parameters."""
    try:
        bound = inspect.signature(f).bind(*args, **named)
    except TypeError as error:
        raise Unreadable(str(error)) from None
    bound.apply_defaults()
    return bound.args


@cache
def assigned_in(tree: ast.AST) -> list[str]:
    """Return the names that a tree assigns to."""
    return [x.id for x in ast.walk(tree) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)]


MAX_OBJECTS = 5000  # objects that are part of a content


def content(functions: Sequence[object]) -> str:
    """Return a text of the functions' code and of the values in it. Functions with the same text compute the same.

    The text is a key: a function may replace another one with the same content, also in another process. If the content
    of an object is not known, the text is valid only in this process.

    >>> def scaled(k):
    ...     return lambda x: k * x
    >>> content([scaled(2.0)]) == content([scaled(2.0)]), content([scaled(2.0)]) == content([scaled(3.0)])
    (True, False)
    """
    seen: dict[tuple[int, frozenset[str]], int] = {}
    try:
        return "; ".join(_content(f, seen, frozenset()) for f in functions)
    except RecursionError:
        return f"functions object at {[id(f) for f in functions]}"


def is_plain(x: object) -> bool:
    """Return whether an object is a number or a text of Python's own classes, and not of a user's class."""
    return (
        x is None
        or type(x) in (bool, int, float, str, bytes)
        or (type(x).__module__ == "numpy" and isinstance(x, float))
    )


def is_lasting(text: str) -> bool:
    """Return whether a content has the same meaning in another process."""
    return "object at" not in text


def _content(x: Any, seen: dict[tuple[int, frozenset[str]], int], names: frozenset[str]) -> str:
    """Return the content of an object. The function uses its attributes with the given names."""
    if is_plain(x):
        return repr(x)
    if (id(x), names) in seen:  # a function that calls itself
        return f"#{seen[id(x), names]}"
    if type(x) in (tuple, list, set, frozenset):
        parts = [_content(part, seen, names) for part in x]
        return f"{type(x).__name__}({', '.join(sorted(parts) if isinstance(x, (set, frozenset)) else parts)})"
    if isinstance(x, Op) and (x.arity is None or OPS.get(x.name) is x.row):
        return f"row {x.name}"
    seen[id(x), names] = len(seen)
    if len(seen) > MAX_OBJECTS:
        raise RecursionError
    if type(x) is dict:
        return f"dict({', '.join(f'{key!r}: {_content(value, seen, names)}' for key, value in x.items())})"
    if isinstance(x, Op):
        return f"op({', '.join(_content(f, seen, names) for f in [x.row.function, *x.rules])})"
    if isinstance(x, CodeType):
        return f"{x.co_code!r} {x.co_names} {_content(x.co_consts, seen, names)}"
    if isinstance(x, FunctionType):
        used = _names_in(x.__code__)
        try:
            free = _names_of(x)
        except Unreadable:
            return f"function object at {id(x)}"
        values = {name: _content(free[name], seen, used) for name in sorted(used) if name in free}
        code = _content((x.__code__, x.__defaults__, x.__kwdefaults__, vars(x)), seen, used)
        return f"function({code}, {values})"
    if inspect.isbuiltin(x) and (x.__self__ is None or inspect.ismodule(x.__self__)):
        return f"{x.__module__}.{x.__qualname__}"
    if inspect.ismodule(x):
        own = {name: vars(x)[name] for name in sorted(names) if name in vars(x)}
        return f"module {x.__name__} { ({name: _content(value, seen, names) for name, value in own.items()}) }"
    if inspect.isclass(x) and x.__module__ == "builtins":
        return f"class {x.__name__}"
    _PINNED[id(x)] = x  # kept alive, so no other object gets its id
    attributes = {name: inspect.getattr_static(x, name, None) for name in sorted(names)}
    if not inspect.isclass(x):
        attributes |= {name: value for name, value in getattr(x, "__dict__", {}).items() if _is_data(value)}
    numbers = x.tobytes() if hasattr(x, "tobytes") else b""
    values = {name: _content(value, seen, names) for name, value in attributes.items() if value is not None}
    bound = _content(getattr(x, "__self__", None), seen, names)
    return f"{type(x).__name__} object at {id(x)} {numbers!r} {bound} {values}"


def _is_data(x: Any) -> bool:
    """Return whether an object is a number, a text, or a list, tuple or dict of them."""
    parts = x.values() if type(x) is dict else x
    return is_plain(x) or (type(x) in (tuple, list, dict) and all(map(_is_data, parts)))


_PINNED: dict[int, object] = {}  # objects that are known by their id


class _Collector(Recorder):
    """A recorder that collects the rows that rules apply."""

    __slots__ = ("rows",)
    first_order = True

    def __init__(self, rows: dict[Op, None]) -> None:
        self.rows = rows

    def record(self, op: Op, operands: tuple[Operand, ...]) -> _Collector:
        """Collect a row."""
        self.rows[op.row] = None
        return self


def called_back(op: Op) -> list[Op]:
    """Return the rows that a row and its rules apply, without those that call only functions of Python and C.

    >>> from autograd_mini.ops import lgamma, mul
    >>> called_back(mul), called_back(lgamma)
    ([], [<op digamma>])
    """
    rows: dict[Op, None] = {op.row: None}
    for rule in op.formulas:
        rule(*[_Collector(rows)] * (len(op.rules) + 1))
    return [row for row in rows if OPS.get(row.name) is not row or row.function in WITHOUT_SCIPY]


def _names_in(code: CodeType) -> frozenset[str]:
    return frozenset([*code.co_names, *code.co_freevars]).union(*map(_names_in, _codes_in(code)))
