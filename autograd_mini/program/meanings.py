"""Python's own functions as machine code: for each, a function that builds its instructions."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias

from ..ops import Op, number, where
from ..recorder import Operand
from ..source import Unreadable, called_back
from .arrays import share_of
from .primitives import BOOL, FLOAT, INT, NONE, PLACE, VECTOR, applied, callbacks, unrolled
from .values import BIGGEST, LIBRARY, Number, is_vectorial

if TYPE_CHECKING:
    from llvmlite import ir

    from .evaluator import Evaluator


# Kernels are Python functions with annotations. An annotation names the kind of a value in machine code; `Static` marks
# an argument that is known when the kernel is compiled.
Kind: TypeAlias = Any  # a type of LLVM, a named tuple of such types, or None for an argument that is static
KINDS = {"bool": BOOL, "int": INT, "float": FLOAT, "Vector": VECTOR, "Words": PLACE, "Floats": PLACE, "None": NONE}


def kinds_of(function: Callable[..., Any]) -> list[Kind]:
    """Return the kinds of a kernel's parameters and of its result."""
    found = []
    for name, text in function.__annotations__.items():
        kind = KINDS.get(text) or function.__globals__.get(text)
        if text != "Static" and text not in KINDS and not hasattr(kind, "_fields"):
            raise TypeError(
                f"{function.__name__}: {name} is annotated {text!r}; write Static, a named tuple, or {[*KINDS]}"
            )
        found.append(None if text == "Static" else kind)
    return found


def parts_of(kind: Kind) -> list[ir.Type]:
    """Return the types of LLVM in a kind: one, several for a named tuple, or none for None."""
    if isinstance(kind, type):
        return [KINDS[text.__forward_arg__] for text in kind.__annotations__.values()]
    return [] if kind is None else [kind]


@dataclass(frozen=True)
class Range:
    """A range whose ends are known only when the machine code runs. Only a loop can use it."""

    start: Operand
    stop: Operand
    step: Operand


def _range(e: Evaluator, *args: Operand) -> Range:
    if e.checked and any(e.kind_of(x) == FLOAT for x in args):
        raise Unreadable("a range of floats")
    ends = [_to_int(e, x) if e.kind_of(x) == FLOAT else x for x in args]
    return Range(*([0, *ends, 1] if len(ends) == 1 else [*ends, 1] if len(ends) == 2 else ends))


def _to_int(e: Evaluator, x: Any = 0) -> Number:
    """Return a float without its fraction. It is a failure if no int of the machine can hold the result."""
    if x.kind != FLOAT:
        return e.number(x, INT)
    if e.checked:
        e.fail_where(e.b.not_(e.is_below(x.value, float(BIGGEST))))
    return Number(e, e.b.fptosi(x.value, INT))


def _whole(name: str) -> Callable[..., Any]:
    """Return the meaning of a function such as `math.floor`.

    In a user's function its result is an int, because products of ints are exact. Elsewhere it stays a float.
    """

    def build(e: Evaluator, x: Number) -> Number:
        if x.kind in (BOOL, INT):
            return x
        found = Number(e, e.of_llvm(name, x.value))
        return _to_int(e, found) if e.checked else found

    return build


def _of_llvm(name: str) -> Callable[..., Any]:
    def build(e: Evaluator, *xs: Operand) -> Number:
        kind = VECTOR if e.kind_of(xs[0]) == VECTOR else FLOAT
        return Number(e, e.of_llvm(name, *[e.converted(x, kind) for x in xs]))

    return build


def _abs(e: Evaluator, x: Number) -> Operand:
    if x.kind not in (BOOL, INT):
        return _of_llvm("fabs")(e, x)
    return e.either(e.compare(ast.Lt, x, 0), lambda: e.unary(ast.USub, x), lambda: x)


def _extreme(sign: type) -> Callable[..., Any]:
    def build(e: Evaluator, *xs: Any) -> Any:
        several = xs[0] if len(xs) == 1 and isinstance(xs[0], (tuple, list)) else xs
        return reduce(lambda x, y: e.either(e.compare(sign, y, x), lambda: y, lambda: x), several)

    return build


def _log(e: Evaluator, x: Operand, *base: Operand) -> Operand:
    over = [e.call(math.log, base)] if base else []
    return reduce(lambda y, z: e.binary(ast.Div, y, z), over, e.library("log", [x]))


def _is_finite(e: Evaluator, x: Operand) -> Number:
    return Number(e, e.is_below(e.converted(x, FLOAT), math.inf))


def _is_nan(e: Evaluator, x: Operand) -> Operand:
    return e.compare(ast.NotEq, x, x)


def _is_infinite(e: Evaluator, x: Operand) -> Operand:
    return e.compare(ast.Eq, _of_llvm("fabs")(e, x), math.inf)


def _callbacks(e: Evaluator, op: Op, index: Number, first: Number) -> None:
    e.callbacks = {
        row: e.b.gep(index.value, [e.b.add(first.value, INT(k))], source_etype=INT)
        for k, row in enumerate(called_back(op))
    }


def _all(e: Evaluator, xs: Iterable[Operand]) -> Operand:
    return reduce(e.both, [Number(e, e.truth(x)) if isinstance(x, Number) else bool(x) for x in xs], True)


def _any(e: Evaluator, xs: Iterable[Operand]) -> Operand:
    return e.unary(ast.Not, _all(e, [e.unary(ast.Not, x) for x in xs]))


def _share_of(e: Evaluator, op: Op, i: int, g: Operand, xs: Sequence[Operand], z: Operand) -> Operand:
    found = op.formulas[i](*xs, z)
    slope = found if isinstance(found, Number) else number("a rule", found)
    product = e.binary(ast.Mult, g, slope)
    return e.row(where, [slope, product, 0.0]) if i in op.chooses else product


def _sum(e: Evaluator, xs: Any, start: Operand = 0) -> Any:
    if not isinstance(xs, (tuple, list)):
        raise Unreadable("a sum of a list that is not known")
    return reduce(lambda x, y: e.binary(ast.Add, x, y), xs, start)


STATIC = frozenset([is_vectorial, unrolled, enumerate, len, list, reversed, tuple, zip])  # they do not read numbers
PURE = STATIC | LIBRARY.keys() | {
    abs, bool, float, int, isinstance, max, min, pow, range, round, sum,
    *(f for name, f in vars(math).items() if callable(f) and not name.startswith("_")),
}  # fmt: skip
FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    applied: lambda e, op, xs: e.row(op.row, xs),
    share_of: _share_of,
    callbacks: _callbacks,
    abs: _abs,
    all: _all,
    any: _any,
    bool: lambda e, x: Number(e, e.truth(x)),
    float: lambda e, x: e.number(x, FLOAT),
    int: _to_int,
    max: _extreme(ast.Gt),
    min: _extreme(ast.Lt),
    pow: lambda e, x, y: e.binary(ast.Pow, x, y),
    range: _range,
    round: _whole("roundeven"),
    sum: _sum,
    math.ceil: _whole("ceil"),
    math.copysign: _of_llvm("copysign"),
    math.degrees: lambda e, x: e.binary(ast.Mult, x, 180.0 / math.pi),
    math.fabs: _of_llvm("fabs"),
    math.floor: _whole("floor"),
    math.isfinite: _is_finite,
    math.isinf: _is_infinite,
    math.isnan: _is_nan,
    math.log: _log,
    math.radians: lambda e, x: e.binary(ast.Mult, x, math.pi / 180.0),
    math.sqrt: _of_llvm("sqrt"),
    math.trunc: _whole("trunc"),
}
