"""Values that machine code computes when it runs, and arithmetic with them.

`Number` is such a value. It inherits `Recorder`, so the rules of rows work on it without changes. `Values` builds the
instructions of arithmetic with Python's meaning: an int and a float make a float, `/` of ints is a float, and `%` has
the sign of the divisor.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import cache, reduce
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from llvmlite import ir

from .. import ops
from ..ops import OPS, Op, Recorder
from ..recorder import Operand
from ..source import OF_MATH, Unreadable, source_row
from .machine import WIDTH
from .primitives import BOOL, FLOAT, FUSED, INT, MASK, NONE, VECTOR, lanes, of_llvm, spread_out
from .vectors import LANES

if TYPE_CHECKING:
    from .builder import Unit


ORDER = [BOOL, INT, FLOAT, VECTOR]  # a value can be converted to a later kind
Object: TypeAlias = Any  # that a name stands for: a `Number`, an ordinary object, or a list or tuple of such
BIGGEST = 2**63  # the machine's ints are smaller
EXACT = 2.0**53  # floats can hold every smaller int


class Failed(Exception):
    """An expression always raises an error."""


class Number(Recorder):
    """A value that is computed when machine code runs: an address, a boolean, an int, a float, or a vector."""

    __slots__ = ("of", "value")
    first_order = True

    def __init__(self, of: Values, value: ir.Value) -> None:
        self.of, self.value = of, value

    @property
    def kind(self) -> ir.Type:
        """Return the type of the value."""
        return self.value.type

    def record(self, op: Op, operands: tuple[Operand, ...]) -> Operand:
        """Build the instructions that apply a row."""
        return self.of.row(op.row, operands)

    def __bool__(self) -> bool:
        raise Unreadable("Python needs a number that is not known before the machine code runs")

    def __eq__(self, other: object) -> bool:
        raise Unreadable("Python compares a number that is not known before the machine code runs")

    __hash__ = Recorder.__hash__


class Values:
    """A builder of instructions on values.

    Args:
        b: LLVM's builder, at the place where instructions go.
        failing: the block to jump to where Python would raise an error, or None if no error is possible.
        checked: whether the code is a user's function. It fails where the machine has no result, or another result
            than Python: at an int that is too large, a division of ints by 0, or an error of `math`.
    """

    def __init__(self, unit: Unit, b: ir.IRBuilder, failing: ir.Block | None = None, *, checked: bool = False) -> None:
        self.unit, self.b, self.failing, self.checked = unit, b, failing, checked
        self.callbacks: dict[Op, ir.Value] = {}  # the places of the addresses of rows' Python functions

    def inside(self, function: Callable[..., Any], args: Sequence[Object]) -> Object:
        """Write a function in place, and return its result."""
        raise NotImplementedError

    def call(self, f: Callable[..., Any], args: Sequence[Object]) -> Object:
        """Build a call, and return its result."""
        raise NotImplementedError

    # Kinds.

    def wrapped(self, value: ir.Value | None) -> Number | None:
        """Return a value of LLVM as a `Number`, or None if there is no value."""
        return None if value is None or value.type == NONE else Number(self, value)

    def kind_of(self, x: Object) -> ir.Type | None:
        """Return the kind of a number, or None for another object."""
        if isinstance(x, Number):
            return x.kind
        return next((kind for of, kind in ((bool, BOOL), (int, INT), (float, FLOAT)) if isinstance(x, of)), None)

    def number(self, x: Operand, kind: ir.Type) -> Number:
        """Return a number converted to a kind, as a `Number`."""
        return Number(self, self.converted(x, kind))

    def converted(self, x: Operand, kind: ir.Type) -> ir.Value:
        """Return a number converted to a kind, as a value of LLVM."""
        own, b = self.kind_of(x), self.b
        if own == MASK and kind == VECTOR:
            return b.select(x.value, lanes(1.0), lanes(0.0))
        if own == kind and isinstance(x, Number):
            return x.value
        if own not in ORDER or kind not in ORDER or ORDER.index(own) > ORDER.index(kind):
            raise Unreadable(f"expected {_name_of(kind)}, not {_name_of(own) or x!r}")
        if not isinstance(x, Number):
            if isinstance(x, int) and not -BIGGEST <= x < BIGGEST:
                raise Unreadable(f"the int {x} is too large")
            return lanes(float(x)) if kind == VECTOR else kind(float(x) if kind == FLOAT else int(x))
        value = b.zext(x.value, INT) if own == BOOL else x.value
        if kind in (FLOAT, VECTOR) and own in (BOOL, INT):
            value = b.sitofp(value, FLOAT)
        return spread_out(b, value) if kind == VECTOR else value

    def common(self, xs: Iterable[Object]) -> ir.Type:
        """Return the kind to which all of some numbers can be converted."""
        kinds = [self.kind_of(x) for x in xs]
        if None not in kinds and len(set(kinds)) == 1:
            return kinds[0]
        if not all(kind in ORDER for kind in kinds):
            raise Unreadable("values are used together that are not numbers of one type")
        return max(kinds, key=ORDER.index)

    def truth(self, x: Object) -> bool | ir.Value:
        """Return whether a number is not 0: a bool, or a value of LLVM."""
        if not isinstance(x, Number):
            return bool(x)
        if x.kind in (BOOL, MASK):
            return x.value
        if x.kind == INT:
            return self.b.icmp_signed("!=", x.value, INT(0))
        return self.b.fcmp_unordered("!=", x.value, self.converted(0.0, x.kind))

    # Errors.

    def fail(self) -> NoReturn:
        """Stop building an expression, because it raises an error."""
        if self.failing is None:
            raise Unreadable("it raises an error")
        raise Failed

    def fail_where(self, condition: ir.Value) -> None:
        """Build a jump to the failing block if a condition holds."""
        if self.failing is not None:
            following = self.b.append_basic_block()
            self.b.cbranch(condition, self.failing, following)
            self.b.position_at_end(following)

    # Functions from elsewhere, and rows.

    def declared(self, name: str, kinds: Sequence[ir.Type], result: ir.Type = FLOAT) -> ir.Function:
        """Declare a function that is defined elsewhere, and return it."""
        found = self.b.module.globals.get(name)
        return found or ir.Function(self.b.module, ir.FunctionType(result, kinds), name)

    def of_llvm(self, name: str, *xs: ir.Value) -> ir.Value:
        """Build a call of an intrinsic function of LLVM, for floats or vectors, and return its value."""
        suffix = f"v{WIDTH}f64" if xs[0].type == VECTOR else "f64"
        return of_llvm(self.b, f"{name}.{suffix}", xs[0].type, *xs)

    def library(self, name: str, args: Sequence[Operand]) -> Number:
        """Build a call of a function of C."""
        if len(args) != (2 if name in OF_TWO else 1):
            raise Unreadable(f"{name} of {len(args)} numbers")
        found = self.b.call(self.declared(name, [FLOAT] * len(args)), [self.converted(x, FLOAT) for x in args])
        if self.checked and name in UNLIKE:
            self.fail_where(self.b.not_(self.is_below(found, math.inf)))
        return Number(self, found)

    def is_below(self, x: ir.Value, limit: float) -> ir.Value:
        """Return whether the absolute value of a float is below a limit. For nan it is not."""
        return self.b.fcmp_ordered("<", self.of_llvm("fabs", x), FLOAT(limit))

    def row(self, op: Op, args: Sequence[Operand]) -> Operand:
        """Apply a row to floats or to vectors."""
        kind = VECTOR if any(self.kind_of(x) in (VECTOR, MASK) for x in args) else FLOAT
        if op is ops.pow and not isinstance(args[1], Number) and args[1] in (1, 2):
            return args[0] if args[1] == 1 else self.row(ops.mul, [args[0], args[0]])
        values = [self.converted(x, kind) for x in args]
        if op in DIRECT:
            return Number(self, DIRECT[op](self, FUSED if kind == VECTOR else (), *values))
        if kind == VECTOR:
            return self.call(LANES[op.name], [Number(self, x) for x in values])
        function = source_row(op).function
        if function in LIBRARY:
            return self.library(LIBRARY[function], [Number(self, x) for x in values])
        if op in self.callbacks:
            values.append(self.callbacks[op])
        return Number(self, self.b.call(self.unit.of_row(op, called_back=op in self.callbacks), values))

    # Arithmetic.

    def unary(self, op: type, x: Object) -> Object:
        """Apply an operator such as `-` before a value."""
        if not isinstance(x, Number):
            return PYTHON[op](x)
        if op is ast.Not:
            return Number(self, self.b.not_(self.truth(x)))
        if op is ast.UAdd and x.kind != BOOL:
            return x
        if op is ast.USub:
            return self.binary(ast.Sub, 0, x) if x.kind in (BOOL, INT) else Number(self, self.b.fneg(x.value))
        raise Unreadable(f"{op.__name__} of a number")

    def binary(self, op: type, x: Object, y: Object) -> Object:
        """Apply an operator such as `+` between two values."""
        if not isinstance(x, Number) and not isinstance(y, Number):
            try:
                return PYTHON[op](x, y)
            except (ArithmeticError, ValueError):
                return self.fail()
        kind = self.common([x, y])
        if kind in (BOOL, INT):
            return self.of_ints(op, x, y)
        if op in (ast.FloorDiv, ast.Mod) and kind == FLOAT:
            return self.inside(floordiv if op is ast.FloorDiv else mod, [x, y])
        if op not in ROWS or kind not in (FLOAT, VECTOR):
            raise Unreadable(f"{op.__name__} of numbers of kind {kind}")
        if op is ast.Pow and kind == FLOAT:  # not by the row, whose own code uses this
            return self.inside(power, [x, y]) if self.checked else self.library("pow", [x, y])
        return self.row(ROWS[op], [x, y])

    def of_ints(self, op: type, x: Operand, y: Operand) -> Operand:
        """Apply an operator between ints. It is a failure if the result is too large for the machine."""
        b = self.b
        if op is ast.Pow and not isinstance(y, Number) and y in range(1, 9):
            return reduce(lambda total, _: self.binary(ast.Mult, total, x), range(y - 1), x)
        values = [self.converted(z, INT) for z in (x, y)]
        if op in (ast.Div, ast.FloorDiv, ast.Mod) and self.checked:
            self.fail_where(b.icmp_signed("==", values[1], INT(0)))
            too_large = [b.icmp_signed("==", z, INT(k)) for z, k in zip(values, (-BIGGEST, -1), strict=True)]
            self.fail_where(b.and_(*too_large))
        if op is ast.Div:
            return Number(self, b.fdiv(*[b.sitofp(z, FLOAT) for z in values]))
        if op in (ast.FloorDiv, ast.Mod):
            rest = b.srem(*values)
            other = b.and_(b.icmp_signed("!=", rest, INT(0)), b.icmp_signed("<", b.xor(rest, values[1]), INT(0)))
            if op is ast.Mod:
                return Number(self, b.add(rest, b.select(other, values[1], INT(0))))
            return Number(self, b.sub(b.sdiv(*values), b.zext(other, INT)))
        names: dict[type, str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}
        name = names.get(op)
        if name is None:
            raise Unreadable(f"{op.__name__} of ints")
        if not self.checked:
            return Number(self, getattr(b, name)(*values))
        pair = ir.LiteralStructType([INT, BOOL])
        found = b.call(self.declared(f"llvm.s{name}.with.overflow.i64", [INT, INT], pair), values)
        self.fail_where(b.extract_value(found, 1))
        return Number(self, b.extract_value(found, 0))

    def compared(self, signs: Sequence[type], xs: Sequence[Object]) -> Object:
        """Return the result of a comparison, or of a chain of comparisons."""
        return reduce(self.both, [self.compare(sign, x, y) for sign, x, y in zip(signs, xs, xs[1:], strict=False)])

    def compare(self, sign: type, x: Object, y: Object) -> Object:
        """Return the result of comparing two values."""
        if sign in (ast.In, ast.NotIn) and isinstance(y, (tuple, list)) and holds_number((x, y)):
            found = [self.compare(ast.Eq, x, part) for part in y]
            is_in = reduce(self.b.or_, [self.converted(part, BOOL) for part in found], BOOL(0))
            return Number(self, is_in if sign is ast.In else self.b.not_(is_in))
        if not holds_number((x, y)):
            return COMPARISONS[sign][0](x, y)
        text = COMPARISONS[sign][1]
        if not text:
            raise Unreadable(f"{sign.__name__} of a number")
        kind = self.common([x, y])
        if kind in (BOOL, INT):
            return Number(self, self.b.icmp_signed(text, *[self.converted(z, INT) for z in (x, y)]))
        for z in (x, y):
            if self.checked and isinstance(z, Number) and z.kind == INT:  # Python compares an int with a float exactly
                self.fail_where(self.b.not_(self.is_below(self.converted(z, FLOAT), EXACT)))
        compare = self.b.fcmp_unordered if sign is ast.NotEq else self.b.fcmp_ordered
        return Number(self, compare(text, *[self.converted(z, kind) for z in (x, y)]))

    def both(self, x: Object, y: Object) -> Object:
        """Return whether two comparisons hold."""
        if isinstance(x, Number) and isinstance(y, Number):
            return Number(self, self.b.and_(x.value, y.value))
        return (y if x else x) if not isinstance(x, Number) else (x if y else y)


def _name_of(kind: ir.Type | None) -> str:
    """Return Python's name for a type of LLVM."""
    return {BOOL: "a bool", INT: "an int", FLOAT: "a float", VECTOR: "a vector"}.get(kind, "") if kind else ""


# Lists of values.


def holds_number(x: Object) -> bool:
    """Return whether an object is a `Number`, or a list or tuple that holds one."""
    return isinstance(x, Number) or (isinstance(x, (tuple, list)) and any(map(holds_number, x)))


def is_same(x: Object, y: Object) -> bool:
    """Return whether two objects are identical, or the same number or text."""
    return x is y or (type(x) is type(y) and isinstance(x, (bool, int, float, str)) and repr(x) == repr(y))


def rebuilt(like: Object, parts: list[Object]) -> Object:
    """Return the parts as a tuple or list of the same type as another."""
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)


def leaves(x: Object) -> list[Object]:
    """Return the objects in lists and tuples, at all depths."""
    return [leaf for part in x for leaf in leaves(part)] if isinstance(x, (tuple, list)) else [x]


# Python's meaning of some operators between floats.


def power(x: float, y: float) -> float:
    """Return x**y, for a real result."""
    if -math.inf < x < 0.0 and -math.inf < y < math.inf and y != math.floor(y):
        raise ValueError
    return math.pow(x, y)


def mod(x: float, y: float) -> float:
    """Return x % y, which has the sign of y."""
    if y == 0.0:
        raise ZeroDivisionError
    r = math.fmod(x, y)
    if r == 0.0:
        return math.copysign(0.0, y)
    return r + y if (r < 0.0) != (y < 0.0) else r


def floordiv(x: float, y: float) -> float:
    """Return x // y, with Python's rounding."""
    if y == 0.0:
        raise ZeroDivisionError
    r = math.fmod(x, y)
    quotient = (x - r) / y - (1.0 if r != 0.0 and (r < 0.0) != (y < 0.0) else 0.0)
    if quotient == 0.0:
        return math.copysign(0.0, x / y)
    whole = math.floor(quotient)
    return whole + 1.0 if quotient - whole > 0.5 else whole


ROWS = {ast.Add: ops.add, ast.Sub: ops.sub, ast.Mult: ops.mul, ast.Div: ops.div, ast.Pow: ops.pow}
DIRECT: dict[Op, Callable[..., Any]] = {  # rows that need only one instruction
    ops.add: lambda v, flags, x, y: v.b.fadd(x, y, flags=flags),
    ops.sub: lambda v, flags, x, y: v.b.fsub(x, y, flags=flags),
    ops.mul: lambda v, flags, x, y: v.b.fmul(x, y, flags=flags),
    ops.div: lambda v, flags, x, y: v.b.fdiv(x, y),
    ops.neg: lambda v, flags, x: v.b.fneg(x),
    ops.abs: lambda v, flags, x: v.of_llvm("fabs", x),
    ops.sqrt: lambda v, flags, x: v.of_llvm("sqrt", x),
    ops.root: lambda v, flags, x: v.of_llvm("sqrt", x),
    ops.floor: lambda v, flags, x: v.of_llvm("floor", x),
    ops.ceil: lambda v, flags, x: v.of_llvm("ceil", x),
    ops.trunc: lambda v, flags, x: v.of_llvm("trunc", x),
    ops.round: lambda v, flags, x: v.of_llvm("rint", x),
}
# Functions of Python, with C's names. The machine has instructions for the two that are left out.
LIBRARY = {getattr(math, name): name for name in OF_MATH if name not in ("copysign", "sqrt")} | {math.gamma: "tgamma"}
OF_TWO = frozenset(["atan2", "fmod", "hypot", "pow"])
UNLIKE = frozenset(["fmod"])  # no row: C has a result where Python raises an error
PYTHON: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_, ast.Invert: operator.invert,
}  # fmt: skip
COMPARISONS: dict[type, tuple[Callable[..., Any], str]] = {
    ast.Lt: (operator.lt, "<"), ast.LtE: (operator.le, "<="), ast.Gt: (operator.gt, ">"), ast.GtE: (operator.ge, ">="),
    ast.Eq: (operator.eq, "=="), ast.NotEq: (operator.ne, "!="), ast.Is: (operator.is_, ""),
    ast.IsNot: (operator.is_not, ""), ast.In: (lambda x, y: x in y, ""), ast.NotIn: (lambda x, y: x not in y, ""),
}  # fmt: skip


class _Vectorial(Recorder):
    """A recorder that checks whether vectors have all rows that a rule applies."""

    __slots__ = ()
    first_order = True

    def record(self, op: Op, operands: tuple[Operand, ...]) -> _Vectorial:
        """Go on if vectors have the row."""
        if op.row not in DIRECT and (OPS.get(op.name) is not op.row or op.name not in LANES):
            raise LookupError(op.name)
        return self


@cache
def is_vectorial(op: Op, backward: bool) -> bool:
    """Return whether vectors have a row, or if backward, all rows that its rules apply."""
    x = _Vectorial()
    try:
        if backward:
            [rule(*[x] * len(op.rules), x) for rule in op.formulas]
        else:
            x.record(op, (x,) * len(op.rules))
    except LookupError:
        return False
    return True
