"""Kernels and rows' functions as one module of LLVM, and as object code."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir

from ..ops import OPS, Op
from ..source import Unreadable, source_row
from . import lanes, loops, products
from .evaluator import Evaluator, Promote
from .machine import object_of, triple
from .meanings import kinds_of, parts_of
from .primitives import FLOAT, INT, NONE, call_at
from .values import Failed, Number

__all__ = ["Unit", "compiled"]


KERNELS: dict[str, Any] = {  # by the names of their modules and their own
    f"{title}.{f.__name__}": f
    for title, modules in (("loops", (loops, products)), ("lanes", (lanes,)))
    for module in modules
    for f in vars(module).values()
    if getattr(f, "__module__", "") == module.__name__
}


def compiled(wanted: Mapping[str, tuple[str, Op | str | None]], rows: Sequence[Op]) -> tuple[bytes, dict[Op, str]]:
    """Return the object code of kernels, and the rows that Python must compute, with the reasons.

    Args:
        wanted: for each symbol a function of `loops` or `lanes`, and the row that it is for, if it is for one.
        rows: the rows that may be called back, in the order of their addresses.
    """
    unit = Unit(rows)
    for symbol, (name, kind) in wanted.items():
        unit.shared(KERNELS[name], [kind] * isinstance(kind, Op), name=symbol)
    return object_of(str(unit.module)), unit.refused


class Unit:
    """The functions that become one object."""

    def __init__(self, callbacks: Sequence[Op] = ()) -> None:
        self.module = ir.Module("kernels")
        self.module.triple = triple()
        self.callbacks = [*callbacks]
        kind = ir.ArrayType(INT, len(self.callbacks))
        self.table = ir.GlobalVariable(self.module, kind, "callbacks")  # their addresses, once it is loaded
        self.table.initializer = ir.Constant(kind, None)
        self.refused: dict[Op, str] = {}  # rows whose functions cannot be read, and why
        self.hints: dict[Any, Any] = {}  # the kinds that variables of loops have turned out to need
        self.steps = 0  # statements of users' functions

    def shared(self, function: Callable[..., Any], args: Sequence[Any], *, name: str = "") -> Any:
        """Return the function of the module for arguments; those that are no numbers are part of it."""
        *kinds, result = kinds_of(function)
        fixed = [x for x, kind in zip(args, kinds, strict=False) if kind is None]
        title = name or ".".join([function.__module__, function.__name__, *map(_title, fixed)])
        found = self.module.globals.get(title)
        if found is None:
            found = self._begun(title, result, [part for kind in kinds for part in parts_of(kind)], external=bool(name))

            def body(e: Evaluator) -> Any:
                known, numbers = iter(fixed), iter(found.args)
                given = []
                for kind in kinds:
                    own = [Number(e, next(numbers)) for _ in parts_of(kind)]
                    given.append(next(known) if kind is None else kind(*own) if isinstance(kind, type) else own[0])
                return e.inside(function, given)

            self._build(found, body)
        return found

    def of_row(self, op: Op) -> Any:
        """Return a row's function of floats; where it raises an error, its value by IEEE arithmetic or Python's."""
        found = self.module.globals.get(f"row.{_title(op)}")
        if found is None:
            found = self._begun(f"row.{_title(op)}", FLOAT, [FLOAT] * op.arity)
            row, called_back = source_row(op), op in self.callbacks

            def numbers(e: Evaluator) -> list[Number]:
                return [Number(e, x) for x in found.args]

            def beyond(e: Evaluator) -> Any:
                if called_back:
                    return self._callback(e, op, found.args)
                return e.inside(row.beyond, numbers(e)) if row.beyond is not None else math.nan

            try:
                self._build(found, lambda e: e.inside(row.function, numbers(e), checked=op.is_custom), beyond)
            except Unreadable as error:
                self.refused[op] = str(error)
                self._build(found, lambda e: self._callback(e, op, found.args))
        return found

    def _begun(self, name: str, result: Any, kinds: Sequence[Any], *, external: bool = False) -> Any:
        made = ir.Function(self.module, ir.FunctionType(result, kinds), name)
        made.linkage = "external" if external else "internal"
        return made

    def _build(
        self, made: Any, body: Callable[[Evaluator], Any], fail: Callable[[Evaluator], Any] | None = None
    ) -> None:
        """Build a function's blocks; again where a variable of a loop has turned out to be of another kind."""
        self.steps = 0
        while True:
            made.blocks.clear()
            e = Evaluator(self, ir.IRBuilder(made.append_basic_block()))
            e.failing = made.append_basic_block() if fail is not None else None
            try:
                self._end(e, body(e))
            except Promote as promote:
                key, kind = promote.args
                self.hints[key] = kind
                continue
            except Failed:
                raise Unreadable("it raises an error for all numbers") from None
            if fail is not None:
                e.b.position_at_end(e.failing)
                e.failing = None
                self._end(e, fail(e))
            return

    def _end(self, e: Evaluator, x: Any) -> None:
        """Return a value from the function that is built."""
        kind = e.b.function.ftype.return_type
        if kind == NONE:
            e.b.ret_void()
        else:
            e.b.ret(e.converted(x, kind))

    def _callback(self, e: Evaluator, op: Op, values: Sequence[Any]) -> Any:
        """Call a row's Python function."""
        place = e.b.gep(self.table, [INT(self.callbacks.index(op))], source_etype=INT)
        kind = ir.FunctionType(FLOAT, [FLOAT] * op.arity)
        return Number(e, call_at(e.b, e.b.load(place, typ=INT), kind, values))


def _title(x: Any) -> str:
    """Return a name for an argument that is part of a function."""
    if isinstance(x, Op):
        return x.name if OPS.get(x.name) is x.row else f"{x.name}.{id(x.row):x}"
    return str(x)
