"""Functions of floats by IEEE arithmetic: the result of a division by zero or an overflow is inf or nan, no error.

`by_limits` calls a function with floats that have this arithmetic. The `math` functions inside follow it, too. A
function may branch on such a float, and on any other recorder that has a number (`Compared`). This module must not know
any row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from .recorder import METHODS, OPS, Operand, Recorder

if TYPE_CHECKING:
    from .op import Op


class Compared(Recorder):
    """A recorder with a number, `x`. A rule may branch on the number."""

    __slots__ = ()
    x: Operand

    def __lt__(self, other: Operand) -> bool:
        return bool(self.x < _number_of(other))

    def __le__(self, other: Operand) -> bool:
        return bool(self.x <= _number_of(other))

    def __gt__(self, other: Operand) -> bool:
        return bool(self.x > _number_of(other))

    def __ge__(self, other: Operand) -> bool:
        return bool(self.x >= _number_of(other))

    def __eq__(self, other: object) -> bool:
        return bool(self.x == _number_of(other))

    __hash__ = None  # type: ignore[assignment]


def _number_of(x: Operand) -> Operand:
    return x.x if isinstance(x, Compared) else x


class Extended(Compared):
    """A float with IEEE 754 arithmetic: division by zero and overflow raise no error."""

    __slots__ = ("x",)
    x: float
    first_order = True

    def __init__(self, x: float) -> None:
        self.x = x

    @staticmethod
    def unwrap(x: Operand) -> float:
        """Return the float of a number."""
        return x.x if isinstance(x, Extended) else float(x)

    def record(self, op: Op, operands: tuple[Operand, ...]) -> Extended:
        """Apply the limit of a row."""
        return type(self)(op.limit.function(*map(self.unwrap, operands)))

    def __bool__(self) -> bool:
        return self.x != 0.0

    def __float__(self) -> float:
        return self.x

    # These return Python's ints and raise Python's errors, as a float's do. The rows do not.

    def __int__(self) -> int:
        return int(self.x)

    def __floor__(self) -> int:  # type: ignore[override]
        return math.floor(self.x)

    def __ceil__(self) -> int:  # type: ignore[override]
        return math.ceil(self.x)

    def __trunc__(self) -> int:  # type: ignore[override]
        return math.trunc(self.x)

    def __round__(self, digits: int | None = None) -> float:  # type: ignore[override]
        return round(self.x, digits)


def by_limits(function: Callable[..., Any], numbers: tuple[float, ...]) -> float:
    """Return the value of a function by IEEE arithmetic."""
    if isinstance(function, FunctionType):  # also the `math` functions in a user's function must not raise an error
        names = {name: function.__globals__[name] for name in _names_in(function.__code__) & {*function.__globals__}}
        scope = {"__builtins__": function.__globals__["__builtins__"], **{k: _limited(x) for k, x in names.items()}}
        limited = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, function.__closure__)
        limited.__kwdefaults__ = function.__kwdefaults__
        function = limited
    return Extended.unwrap(function(*map(Extended, numbers)))


def _names_in(code: CodeType) -> set[str]:
    """Return the names that some code, and the functions inside it, look up."""
    inner = [_names_in(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


def _limited(x: Any) -> Any:
    """Return the IEEE version of the module `math` or of one of its functions. Return other objects as they are."""
    if x is math:
        return _Math()
    return _Math().__getattr__(x.__name__) if getattr(x, "__module__", "") == "math" else x


class _Math:
    """The module `math` for `Extended` numbers."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(math, name)
        row = (
            METHODS.get(name, OPS["pow"] if name == "pow" else None) if name not in ("floor", "ceil", "trunc") else None
        )
        if not callable(found):
            return found

        def called(*xs: Operand) -> Any:
            if row is not None and len(xs) == row.arity:
                return row(*[x if isinstance(x, Extended) else Extended(x) for x in xs])
            result = found(*map(Extended.unwrap, xs))
            return Extended(result) if type(result) is float else result

        return called
