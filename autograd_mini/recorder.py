"""The hook that records operations: operators and methods for a class that defines how a row is applied.

For an operation, `Value` makes a node, `printing.Text` writes a string, and `program.values.Number` builds an
instruction. This module knows the table by its two dictionaries, which `ops` fills. It must not know any recorder.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any, Final, Never, NoReturn, TypeAlias, TypeVar

if TYPE_CHECKING:
    import cython

    from .op import Op
else:
    from . import uncompiled as cython

T = TypeVar("T", bound="Recorder")
Operand: TypeAlias = Any  # an object of a recorder, or a plain number; so is the result of a row

OPS: dict[str, Op] = {}  # all rows of the table, by name
METHODS: dict[str, Op] = {}  # the rows that are methods, by the methods' names
# Other libraries read these to recognize arrays and tables. Each has its part of the error.
ASKED: Final = {"dtype": ": np.sinc asks for it; use ag.sinc", "ndim": "", "ravel": "", "to_numpy": ""}


@cython.no_gc  # so a compiled Value can do without the garbage collector
@cython.cclass
class Recorder:
    """Arithmetic, and a method for every row of the table, for a class that records operations.

    The method `record` of a subclass applies a row to operands: `Value` makes a node, `printing.Text` writes a string.
    """

    __slots__ = ()
    # This is higher than for NumPy's scalars (-1e6), so np.float64(2) * v calls v. It is lower than for NumPy's arrays
    # (0), so array * v works element-wise, and the result is an object array.
    __array_priority__ = -1.0
    first_order = False  # whether this class needs only the numbers of rules, and not their derivatives

    def record(self: T, op: Op, operands: tuple[Operand, ...]) -> T:
        """Apply `op` to `operands`, and return the result. `self` is one of the operands."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to record {op.name}")

    def __add__(self, other: Operand) -> Operand:
        return self.record(OPS["add"], (self, other))

    def __radd__(self, other: Operand) -> Operand:
        return self.record(OPS["add"], (other, self))

    def __sub__(self, other: Operand) -> Operand:
        return self.record(OPS["sub"], (self, other))

    def __rsub__(self, other: Operand) -> Operand:
        return self.record(OPS["sub"], (other, self))

    def __mul__(self, other: Operand) -> Operand:
        return self.record(OPS["mul"], (self, other))

    def __rmul__(self, other: Operand) -> Operand:
        return self.record(OPS["mul"], (other, self))

    def __truediv__(self, other: Operand) -> Operand:
        return self.record(OPS["div"], (self, other))

    def __rtruediv__(self, other: Operand) -> Operand:
        return self.record(OPS["div"], (other, self))

    def __mod__(self, other: Operand) -> Operand:
        return self.record(OPS["mod"], (self, other))

    def __rmod__(self, other: Operand) -> Operand:
        return self.record(OPS["mod"], (other, self))

    def __floordiv__(self, other: Operand) -> Operand:
        return self.record(OPS["floordiv"], (self, other))

    def __rfloordiv__(self, other: Operand) -> Operand:
        return self.record(OPS["floordiv"], (other, self))

    def __divmod__(self: T, other: Operand) -> tuple[T, T]:
        return self // other, self % other

    def __rdivmod__(self: T, other: Operand) -> tuple[T, T]:
        return other // self, other % self

    def __pow__(self, other: Operand) -> Operand:
        return self.record(OPS["pow"], (self, other))

    def __rpow__(self, other: Operand) -> Operand:
        return self.record(OPS["pow"], (other, self))

    def __neg__(self) -> Operand:
        return self.record(OPS["neg"], (self,))

    def __pos__(self: T) -> T:
        return self

    def __abs__(self: T) -> T:
        return self.record(OPS["abs"], (self,))

    def __floor__(self: T) -> T:
        return self.record(OPS["floor"], (self,))

    def __ceil__(self: T) -> T:
        return self.record(OPS["ceil"], (self,))

    def __trunc__(self: T) -> T:
        return self.record(OPS["trunc"], (self,))

    def __round__(self: T, digits: Any = None) -> T:
        if digits is not None:
            raise TypeError(
                f"round({type(self).__name__}, {digits!r}): it rounds to whole numbers; write "
                f"round(v * 10**n) / 10**n for n digits, or round(v.data, n) for the number"
            )
        return self.record(OPS["round"], (self,))

    def __xor__(self, other: Never) -> NoReturn:
        raise TypeError(f"{_called(self)} ^ {_called(other)}: write {_called(self)}**{_called(other)} for a power")

    def __rxor__(self, other: Never) -> NoReturn:
        raise TypeError(f"{_called(other)} ^ {_called(self)}: write {_called(other)}**{_called(self)} for a power")

    if not TYPE_CHECKING:  # type checkers report a misspelt name as an error

        def __getattr__(self, name: str) -> Any:
            """Return a row of the table as a method: `v.tanh()` is `tanh(v)`."""
            row = METHODS.get(name)
            if row is None:
                if not name.startswith("__") and name not in ASKED:  # other names belong to protocols
                    from .hints import missing

                    raise missing(self, name)
                error = f"{type(self).__name__!r} object has no attribute {name!r}{ASKED.get(name, '')}"
                raise AttributeError(error, name=name, obj=self)
            return MethodType(row, self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *METHODS})


def _called(x: Any) -> str:
    """Return the text of an operand in a line of Python."""
    if not isinstance(x, Recorder):
        return repr(x)
    label = getattr(x, "label", "")
    return label if label.isidentifier() else "v"
