"""Kernels and rows' functions as one module of LLVM, and as object code; `text_of` shows the module's text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir

from ..ops import OPS, Op
from ..source import Unreadable, source_row
from . import loops, products, scan_kernels
from .blocks import Key, Promote
from .evaluator import Evaluator
from .machine import WIDTH, object_of, triple
from .meanings import kinds_of, parts_of
from .primitives import FLOAT, INT, NONE, PLACE, call_at
from .values import Failed, Number, Object

KERNELS: dict[str, Callable[..., Any]] = {  # kernels by their names
    f.__name__: f
    for module in (loops, products, scan_kernels)
    for f in vars(module).values()
    if getattr(f, "__module__", "") == module.__name__
    and f.__name__.endswith(("run", "blocks", "_forward", "_backward"))
}


def compiled(wanted: Mapping[str, tuple[str, Op | str | None]]) -> tuple[bytes, dict[Op, str]]:
    """Return the object code of kernels, and for each row that Python must compute the reason.

    Args:
        wanted: for each symbol the name of a kernel, and the kernel's row if it has one.
    """
    unit = Unit()
    for symbol, (name, kind) in wanted.items():
        unit.shared(KERNELS[name], [kind] * isinstance(kind, Op), name=symbol)
    return object_of(str(unit.module)), unit.refused


class Unit:
    """The functions that are compiled to one object file."""

    def __init__(self) -> None:
        self.module = ir.Module("kernels")
        self.module.triple = triple()
        self.refused: dict[Op, str] = {}  # the rows with functions that cannot be compiled, and the reasons
        self.hints: dict[Key, ir.Type] = {}  # the kinds that loops' variables turned out to need
        self.steps = 0  # the number of statements of users' functions

    def shared(self, function: Callable[..., Any], args: Sequence[Object], *, name: str = "") -> ir.Function:
        """Return the module's function for arguments; an argument that is no number becomes part of the function."""
        *kinds, result = kinds_of(function)
        fixed = [x for x, kind in zip(args, kinds, strict=False) if kind is None]
        title = name or ".".join([function.__module__, function.__name__, *map(_title, fixed)])
        found = self.module.globals.get(title)
        if found is None:
            found = self._begun(title, result, [part for kind in kinds for part in parts_of(kind)], external=bool(name))

            def body(e: Evaluator) -> Object:
                known, numbers = iter(fixed), iter(found.args)
                given = []
                for kind in kinds:
                    own = [Number(e, next(numbers)) for _ in parts_of(kind)]
                    given.append(next(known) if kind is None else kind(*own) if isinstance(kind, type) else own[0])
                return e.inside(function, given)

            self._build(found, body)
        return found

    def of_row(self, op: Op, *, called_back: bool) -> ir.Function:
        """Return a row's function of floats; where it raises an error, it returns the value beyond or nan.

        A function that may call Python for that value has one more argument: the place of the address of its Python
        function.
        """
        found = self.module.globals.get(f"row.{_title(op)}")
        if found is None:
            found = self._begun(f"row.{_title(op)}", FLOAT, [*[FLOAT] * len(op.rules), *[PLACE] * called_back])
            row, values = source_row(op), found.args[: len(op.rules)]

            def python(e: Evaluator) -> Number:
                kind = ir.FunctionType(FLOAT, [FLOAT] * len(op.rules))
                return Number(e, call_at(e.b, e.b.load(found.args[-1], typ=INT), kind, values))

            def inside(function: Callable[..., float], e: Evaluator) -> Object:
                return e.inside(function, [Number(e, x) for x in values], checked=op.is_custom)

            def beyond(e: Evaluator) -> Object:
                return python(e) if called_back else inside(row.beyond, e) if row.beyond is not None else math.nan

            try:
                self._build(found, lambda e: inside(row.function, e), beyond)
            except Unreadable as error:
                if not called_back:
                    raise
                self.refused[op] = str(error)
                self._build(found, python)
        return found

    def _begun(self, name: str, result: ir.Type, kinds: Sequence[ir.Type], *, external: bool = False) -> ir.Function:
        made = ir.Function(self.module, ir.FunctionType(result, kinds), name)
        made.linkage = "external" if external else "internal"
        made.attributes.add("nounwind")
        if external:  # so that a vector on the stack does not lie across two cache lines
            made.attributes.alignstack = 8 * WIDTH
        return made

    def _build(
        self, made: ir.Function, body: Callable[[Evaluator], Object], fail: Callable[[Evaluator], Object] | None = None
    ) -> None:
        """Build a function's blocks; begin again if a loop's variable turns out to be of another kind."""
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

    def _end(self, e: Evaluator, x: Object) -> None:
        """Build the return of a value from the function."""
        kind = e.b.function.ftype.return_type
        if kind == NONE:
            e.b.ret_void()
        else:
            e.b.ret(e.converted(x, kind))


def text_of(name: str, *static: object) -> str:
    """Return the text of a kernel, such as `row_forward` for a row, in LLVM's language.

    >>> "define external void" in text_of("row_forward", OPS["exp"])
    True
    """
    unit = Unit()
    unit.shared(KERNELS[name], static, name="kernel")
    return str(unit.module)


def _title(x: object) -> str:
    """Return a text for an argument that is part of a function, for the function's name."""
    if isinstance(x, Op):
        return x.name if OPS.get(x.name) is x.row else f"{x.name}.{id(x.row):x}"
    return str(x)
