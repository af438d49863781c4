"""The table of operations: an op is a row, and a row is a callable.

This room owns what is true of an op wherever it is used: its float function, its partial
derivatives, how it is written, where it is defined and what holds at a kink. The rules are written
once, over the rows themselves, so that the same line serves floats, nodes, LaTeX and compilers:
whatever inherits from `Traced`, and says in `record` what applying a row means, can run them. This
room must not know any such recorder.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache, cached_property, lru_cache, reduce
from importlib import import_module
from inspect import Parameter, Signature, signature
from numbers import Real
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, SupportsFloat, TypeVar, overload

if TYPE_CHECKING:
    import cython

    from .signatures import Binary, Ternary, Unary, UnarySloped
else:
    from . import uncompiled as cython

T = TypeVar("T", bound="Traced")

TINY: Final = 2.0**-1022  # the smallest normal number
ASKED: Final = frozenset(["dtype", "ndim", "ravel", "to_numpy"])  # of arrays and tables, to tell them from others
inf: Final = math.inf
nan: Final = math.nan


@cython.no_gc  # so that a compiled Value can be without the collector
@cython.cclass
class Traced:
    """Give arithmetic, and a method for every row of the table, to whatever records operations.

    A subclass says in `record` what applying a row to operands means: `Value` makes a node,
    `printing.Text` writes a string.
    """

    __slots__ = ()
    # Above NumPy's scalars (-1e6), so that np.float64(2) * v asks v; below its arrays (0), so that
    # array * v goes through the elements and gives an object array.
    __array_priority__ = -1.0
    first_order = False  # whether only the numbers of rules are asked for, not their own derivatives

    def record(self, op: Op, operands: tuple[Any, ...]) -> Any:
        """Return what applying `op` to `operands`, of which `self` is one, means here."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to record {op.name}")

    def __add__(self, other: Any) -> Any:
        return self.record(add, (self, other))

    def __radd__(self, other: Any) -> Any:
        return self.record(add, (other, self))

    def __sub__(self, other: Any) -> Any:
        return self.record(sub, (self, other))

    def __rsub__(self, other: Any) -> Any:
        return self.record(sub, (other, self))

    def __mul__(self, other: Any) -> Any:
        return self.record(mul, (self, other))

    def __rmul__(self, other: Any) -> Any:
        return self.record(mul, (other, self))

    def __truediv__(self, other: Any) -> Any:
        return self.record(div, (self, other))

    def __rtruediv__(self, other: Any) -> Any:
        return self.record(div, (other, self))

    def __mod__(self, other: Any) -> Any:
        return self.record(mod, (self, other))

    def __rmod__(self, other: Any) -> Any:
        return self.record(mod, (other, self))

    def __floordiv__(self, other: Any) -> Any:
        return self.record(floordiv, (self, other))

    def __rfloordiv__(self, other: Any) -> Any:
        return self.record(floordiv, (other, self))

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self

    def __pow__(self, other: Any) -> Any:
        return self.record(pow, (self, other))

    def __rpow__(self, other: Any) -> Any:
        return self.record(pow, (other, self))

    def __neg__(self) -> Any:
        return self.record(neg, (self,))

    def __pos__(self: T) -> T:
        return self

    def __abs__(self) -> Any:
        return self.record(abs, (self,))

    def __floor__(self) -> Any:
        return self.record(floor, (self,))

    def __ceil__(self) -> Any:
        return self.record(ceil, (self,))

    def __trunc__(self) -> Any:
        return self.record(trunc, (self,))

    def __round__(self, digits: Any = None) -> Any:
        if digits is not None:
            raise TypeError(
                f"round({type(self).__name__}, {digits!r}): it rounds to whole numbers; write "
                f"round(v * 10**n) / 10**n for n digits, or round(v.data, n) for the number"
            )
        return self.record(round, (self,))

    if not TYPE_CHECKING:  # for which a misspelt name is an error

        def __getattr__(self, name: str) -> Any:
            """Offer every row of the table as a method: `v.tanh()` is `tanh(v)`."""
            row = METHODS.get(name)
            if row is None:
                if not name.startswith("__") and name not in ASKED:  # else a protocol asks
                    from .hints import missing

                    raise missing(self, name)
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
            return MethodType(row, self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *METHODS})


class Level(IntEnum):
    """How tightly a piece of notation holds together; an operand looser than its place is bracketed."""

    COMPARISON = 0
    SUM = 1
    QUOTIENT = 2
    PRODUCT = 3
    POWER = 4
    ATOM = 5


class Notation(NamedTuple):
    """How a row is written: a template over `<x>`, `<y>`, ..., its level, and its operands' levels."""

    template: str
    level: Level
    operands: Sequence[Level]

    def filled(self, parts: Mapping[str, str]) -> str:
        """Return the template with the operands, by their names, in its holes."""
        return re.sub(r"<(\w+)>", lambda hole: parts[hole[1]], self.template)


class Interval(NamedTuple):
    """The numbers an operand may be: from `lo` to `hi`, each end in or out, less one `hole`."""

    lo: float = -inf
    hi: float = inf
    closed_lo: bool = False
    closed_hi: bool = False
    hole: float = nan

    def __str__(self) -> str:
        if not math.isnan(self.hole):
            return rf"\mathbb{{R}} \setminus \{{{self.hole:g}\}}"
        lo = r"-\infty" if self.lo == -inf else f"{self.lo:g}"
        hi = r"\infty" if self.hi == inf else f"{self.hi:g}"
        return f"{'[' if self.closed_lo else '('}{lo}, {hi}{']' if self.closed_hi else ')'}"


REAL = Interval()
POSITIVE = Interval(lo=0.0)
NOT_NEGATIVE = Interval(lo=0.0, closed_lo=True)
NOT_ZERO = Interval(hole=0.0)
SHARE = Interval(0.0, 1.0)
UNIT = Interval(-1.0, 1.0, closed_lo=True, closed_hi=True)
OPEN_UNIT = Interval(-1.0, 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class Op:
    """Hold everything about one operation; call it to apply it.

    Operands that are plain numbers give a float, and one `Traced` operand is enough for the result
    to be recorded. Raise what Python's `math` raises outside the domain.

    >>> tanh(0.0), hypot(3, 4)
    (0.0, 5.0)
    """

    name: str
    function: Callable[..., float]  # plain Python over floats: what a compiler compiles
    partials: Sequence[Callable[..., Any]]  # one rule for each operand, over (*operands, z)
    text: Notation
    tex: Notation
    symbol: str  # the sign between two operands or, for a function, its name
    domain: Sequence[Interval]
    doc: str
    kink: Callable[..., float] | None = None  # zero just where the rules are no slopes
    convention: str = ""  # what the partials are there
    pole: bool = False  # whether the convention tells of an infinite slope
    defaults: tuple[float, ...] = ()
    methods: tuple[str, ...] = ()
    operands: Sequence[str] = ("x",)  # what the notation and messages call them
    flat: str = "flat"  # what one says of the row where its slope is 0
    neutral: tuple[float | None, float] | None = None  # a constant on the left or right that changes nothing
    composed: Callable[..., Any] | None = None  # the same of other rows, for a row that is several in one
    beyond: Callable[..., float] | None = None  # the value by IEEE arithmetic where the function raises
    raises: bool = True  # whether the function can raise at all
    arity: int = field(init=False)  # the number of operands

    def __post_init__(self) -> None:
        object.__setattr__(self, "arity", len(self.partials))
        n = self.arity - len(self.defaults)
        parameters = [Parameter("operands", Parameter.VAR_POSITIONAL)]
        if self.composed is None:
            parameters = [
                Parameter(name, Parameter.POSITIONAL_ONLY, default=self.defaults[i - n] if i >= n else Parameter.empty)
                for i, name in enumerate(self.operands)
            ]
        shown = {
            "__doc__": self.doc + (f"\n\nConvention: {self.convention}." if self.convention else ""),
            "__name__": self.name,
            "__qualname__": self.name,
            "__signature__": Signature(parameters),
        }
        for name, value in shown.items():  # what help() and completion ask for
            object.__setattr__(self, name, value)

    @property
    def infix(self) -> bool:
        """Say whether the row is written with a sign, as `x + y` and `-x`, not as a call."""
        return self.text.level < Level.ATOM and self.arity <= 2

    @overload
    def __call__(  # type: ignore[overload-overlap]  # no operand at all is an error in both
        self, *operands: float
    ) -> float: ...
    @overload
    def __call__(self, x: T, /, *operands: T | SupportsFloat) -> T: ...
    @overload
    def __call__(self, *operands: T | float) -> T: ...
    def __call__(self, *operands: Any) -> Any:
        """Apply the row."""
        missing = self.arity - len(operands)
        if missing:
            if not 0 < missing <= len(self.defaults):
                raise TypeError(
                    f"{self.name}({', '.join(self.operands)}) takes {self.arity} "
                    f"operand{'s' * (self.arity > 1)}, {len(operands)} given"
                )
            operands += self.defaults[-missing:]
        plain = True
        for operand in operands:
            if isinstance(operand, Traced):
                return operand.record(self, operands)
            plain = plain and type(operand) is float
        numbers = operands if plain else [number(self, operand) for operand in operands]
        try:
            result = self.function(*numbers)
        except (ArithmeticError, ValueError) as error:
            refuse(error, self, map(repr, numbers))
        return result if type(result) is float else number(f"{self}: its result", result)

    @property
    def is_custom(self) -> bool:
        """Return whether the row is not of the table but made by `custom_rule`."""
        return self.composed is None and OPS.get(self.name) is not self.row

    def partial(self, index: int, operands: tuple[float, ...], z: float) -> float:
        r"""Return the local derivative $\partial z / \partial x_{index}$ as a float.

        Where the rule meets a pole it has the limit of IEEE arithmetic, so that the function keeps
        its value and the edge says what is wrong with it: the slope of sqrt at 0 is inf.

        >>> sqrt.partial(0, (4.0,), 2.0), sqrt.partial(0, (0.0,), 0.0)
        (0.25, inf)
        """
        rule = self.partials[index]
        try:
            slope = rule(*operands, z)
            if type(slope) is float:
                return slope
            if type(slope) is not complex:  # Python's answer for a power of a negative float
                return number(f"{self}: its rule for {self.operands[index]}", slope)
            error: Exception = ValueError("a complex number")
        except (ArithmeticError, ValueError) as raised:
            error = raised
        try:
            return _by_limits(rule, (*operands, z))
        except (ArithmeticError, ValueError, TypeError, AttributeError):  # the rule's own error
            places = ", ".join(f"{name}={x!r}" for name, x in zip(self.operands, operands, strict=True))
            raise type(error)(f"{error}: the derivative of {self.name}({places}) in {self.operands[index]}") from None

    @property
    def row(self) -> Op:
        """Return the row itself, of a row or of its `limit`.

        >>> sqrt.limit.row is sqrt.row is sqrt
        True
        """
        return self

    @cached_property
    def limit(self) -> Op:
        """Return the row as a derivative's rule uses it: by IEEE arithmetic where the function raises.

        It is the row in all else. A row that cannot raise is its own limit.

        >>> div.limit(1.0, 0.0), log.limit(0.0), add.limit is add
        (inf, -inf, True)
        """
        return _Limit(self) if self.raises else self

    @cached_property
    def stops(self) -> frozenset[int]:
        """Return the places of the operands whose rule is the constant 0: no derivative passes there.

        >>> sorted(where.stops), sorted(mul.stops)
        ([0], [])
        """
        if self.composed is not None:
            return frozenset([0] if self.name == "take" else [])
        return frozenset(i for i, rule in enumerate(self.partials) if _is_constant_zero(rule, self.arity))

    @property
    def rules(self) -> Sequence[Callable[..., Any]]:
        """Return the partials for recorders that know no numbers: one that asks for them is a row of its own.

        >>> step = custom_rule(lambda x, z: 1.0 if x > 0 else 0.5)(lambda x: max(x, x / 2))
        >>> step.rules, exp.rules == exp.partials
        ((<op dlambda_dx>,), True)
        """
        if self.composed is not None:
            return self.partials
        return tuple(_opaque(self, i) if _asks(self, i) else rule for i, rule in enumerate(self.partials))

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Write the short form where a printer would list the fields: in IPython, and in Hypothesis."""
        printer.text(repr(self))

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> str | tuple[Any, ...]:
        if self.composed is not None:
            return {"dot": dot_of, "sum": sum_of, "take": take_of}[self.name], (self.arity,)
        return str(vars(self)["__qualname__"])  # pickled by reference, as functions are


class _Twin(Op):
    """A row as another row: the same in all but what a subclass says."""

    def __init__(self, row: Op) -> None:
        vars(self).update(vars(row), of=row)

    @property
    def row(self) -> Op:
        row: Op = vars(self)["of"]
        return row


class _Limit(_Twin):
    """The twin of a row, whose function follows IEEE arithmetic where the row's raises an error."""

    def __init__(self, row: Op) -> None:
        super().__init__(row)
        vars(self).update(function=self._function, limit=self)

    def _function(self, *numbers: float) -> float:
        row = self.row
        try:
            result = row.function(*numbers)
            if type(result) is not complex:
                return result
        except (ArithmeticError, ValueError):
            pass
        if row.beyond is not None:
            return row.beyond(*numbers)
        try:
            return _by_limits(row.function, numbers)
        except (ArithmeticError, ValueError, TypeError, AttributeError):  # the function's own error
            return nan

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.row, "limit")


class _Guard(_Twin):
    """The twin of `where` that a rule of the table uses to except a point; formulas leave it out."""

    def __reduce__(self) -> str:
        return "guard"


class _Extended(Traced):
    """A float that divides by zero and overflows as IEEE 754 says, instead of raising."""

    __slots__ = ("x",)
    first_order = True

    def __init__(self, x: float) -> None:
        self.x = x

    @staticmethod
    def unwrap(x: Any) -> float:
        return x.x if isinstance(x, _Extended) else float(x)

    def record(self, op: Op, operands: tuple[Any, ...]) -> _Extended:
        return type(self)(op.limit.function(*map(self.unwrap, operands)))

    def __lt__(self, other: Any) -> bool:
        return self.x < self.unwrap(other)

    def __le__(self, other: Any) -> bool:
        return self.x <= self.unwrap(other)

    def __gt__(self, other: Any) -> bool:
        return self.x > self.unwrap(other)

    def __ge__(self, other: Any) -> bool:
        return self.x >= self.unwrap(other)

    def __eq__(self, other: object) -> bool:
        return self.x == self.unwrap(other)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return self.x != 0.0

    def __float__(self) -> float:
        return self.x

    # Python's ints, and its errors: not the rows.

    def __int__(self) -> int:
        return int(self.x)

    def __floor__(self) -> int:
        return math.floor(self.x)

    def __ceil__(self) -> int:
        return math.ceil(self.x)

    def __trunc__(self) -> int:
        return math.trunc(self.x)

    def __round__(self, digits: Any = None) -> Any:
        return _to_whole(self.x, digits)


class Unguarded(_Extended):
    """A float for which a rule is just its formula, without the points that a `guard` excepts.

    >>> x = z = Unguarded(0.0)
    >>> float(hypot.rules[0](x, 0.0, z)), hypot.partial(0, (0.0, 0.0), 0.0)
    (nan, 0.0)
    """

    __slots__ = ()

    def record(self, op: Op, operands: tuple[Any, ...]) -> _Extended:
        """Compute a row."""
        return super().record(op, operands) if op is not guard else Unguarded(self.unwrap(operands[2]))


def _by_limits(function: Callable[..., Any], numbers: tuple[float, ...]) -> float:
    """Return a function's value by IEEE arithmetic."""
    if isinstance(function, FunctionType):  # of the user: its `math` must not raise either
        names = {name: function.__globals__[name] for name in _names_in(function.__code__) & {*function.__globals__}}
        scope = {"__builtins__": function.__globals__["__builtins__"], **{k: _limited(x) for k, x in names.items()}}
        limited = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, function.__closure__)
        limited.__kwdefaults__ = function.__kwdefaults__
        function = limited
    return _Extended.unwrap(function(*map(_Extended, numbers)))


def _names_in(code: CodeType) -> set[str]:
    """Return the names that code and the functions within it look up."""
    inner = [_names_in(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


def _limited(x: Any) -> Any:
    """Return the module `math` and its functions as rows, all else as it is."""
    if x is math:
        return _Math()
    return _Math().__getattr__(x.__name__) if getattr(x, "__module__", "") == "math" else x


class _Math:
    """The module `math` on `_Extended` numbers."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(math, name)
        row = METHODS.get(name, pow if name == "pow" else None) if name not in ("floor", "ceil", "trunc") else None
        if not callable(found):
            return found

        def called(*xs: Any) -> Any:
            if row is not None and len(xs) == row.arity:
                return row(*[x if isinstance(x, _Extended) else _Extended(x) for x in xs])
            result = found(*map(_Extended.unwrap, xs))
            return _Extended(result) if type(result) is float else result

        return called


class _Unknown(Traced):
    """An operand of which nothing is known."""

    def record(self, op: Op, operands: tuple[Any, ...]) -> _Unknown:
        return self

    def __eq__(self, other: object) -> bool:
        raise TypeError("this number is not known")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("this number is not known")


def _is_constant_zero(rule: Callable[..., Any], arity: int) -> bool:
    """Return whether a rule is the constant 0, whatever the operands are."""
    try:
        slope = rule(*[_Unknown()] * (arity + 1))
    except Exception:  # it asks for numbers, and so is no constant
        return False
    return isinstance(slope, (int, float)) and slope == 0


@cache
def _asks(op: Op, index: int) -> bool:
    """Say whether a rule asks for numbers: `if x > 0`, `math.cos(x)`."""
    try:
        op.partials[index](*[_Unknown()] * (op.arity + 1))
    except (TypeError, AttributeError):
        return True
    return False


@cache
def _opaque(op: Op, index: int) -> Op:
    """Return a rule as a row, of the operands and the result."""
    x, names = op.operands[index], (*op.operands, "z")
    return _make(
        f"d{op.name}_d{x}",
        op.partials[index],
        *[lambda *_: nan] * len(names),
        tex=rf"\frac{{\partial \operatorname{{{op.name.replace('_', ' ')}}}}}{{\partial {x}}}"
        rf"({', '.join(f'<{name}>' for name in names)})",
        doc=f"The derivative of {op.name} in {x}.",
        names=names,
        methods=(),
    )


WORDS: Final = {
    ZeroDivisionError: "division by zero",
    OverflowError: "math range error",
    ValueError: "math domain error",
}


def refuse(error: Exception, op: Op, places: Iterable[str]) -> NoReturn:
    """Raise the error again, with the name of the row and the operands for which it has no value.

    The words for the table's rows are the same on every Python; a row of one's own keeps its words.

    >>> refuse(ValueError("expected a positive input"), log, ["a=-1.0"])
    Traceback (most recent call last):
        ...
    ValueError: math domain error in log(a=-1.0)
    """
    words = WORDS.get(type(error)) if not op.is_custom else None
    if words is None:
        words = str(error.args[-1]) if error.args else type(error).__name__
    message = f"{words} in {op.name}({', '.join(places)})"
    try:
        raise type(error)(message) from error if op.is_custom else None
    except type(error):
        raise
    except Exception:  # its type takes other arguments, as json.JSONDecodeError
        error.add_note(message)
    raise error


TOO_LARGE: Final = "a number is too large for a float, the largest of which is 1.8e308"


def number(op: Op | str, operand: object) -> float:
    """Return a plain number as a float, or raise a TypeError that names the op and the operand."""
    if type(operand) is float:
        return operand
    if getattr(getattr(operand, "dtype", None), "kind", "") in ("m", "M"):  # NumPy says that such are integers
        raise TypeError(f"{op}: cannot use {operand!r}, which is a time; give a number of a unit")
    if isinstance(operand, Real):
        try:
            return float(operand)
        except OverflowError:
            raise OverflowError(f"{op}: {TOO_LARGE}") from None
    if getattr(operand, "ndim", None) == 0:  # an array or tensor that holds one number
        if getattr(operand, "mask", False):
            raise TypeError(f"{op}: cannot use {operand!r}, which is masked and so no number")
        inner = operand.item()  # type: ignore[attr-defined]  # what has ndim 0 has item
        if isinstance(inner, Real):
            return number(op, inner)
    if hasattr(operand, "to_numpy"):
        raise TypeError(f"{op}: cannot use a {type(operand).__name__}; give its numbers, .to_numpy()")
    hint = (
        "; on an array, np.exp and its like ask each element, and so does np.vectorize(f, otypes=[object])"
        if hasattr(operand, "ndim")
        else "; use a number" + " or a Value" * (op != "Value")
    )
    raise TypeError(f"{op}: cannot use {operand!r} of type {type(operand).__name__}{hint}")


OPS: dict[str, Op] = {}
METHODS: dict[str, Op] = {}


def _make(
    name: str,
    function: Callable[..., float],
    *rules: Callable[..., Any],
    doc: str,
    tex: str = "",
    text: str = "",
    level: Level = Level.ATOM,
    tex_level: Level | None = None,
    operands: Sequence[Level] | None = None,
    partials: Sequence[Callable[..., Any]] | None = None,
    tex_operands: tuple[Level, ...] | None = None,
    symbol: str = "",
    domain: Sequence[Interval] | None = None,
    kink: Callable[..., float] | None = None,
    convention: str = "",
    pole: bool = False,
    defaults: tuple[float, ...] = (),
    methods: tuple[str, ...] | None = None,
    names: Sequence[str] = (),
    flat: str = "flat",
    neutral: tuple[float | None, float] | None = None,
    composed: Callable[..., Any] | None = None,
    beyond: Callable[..., float] | None = None,
    raises: bool = True,
) -> Op:
    """Make a row, with what follows from its name and its number of rules filled in."""
    partials = rules if partials is None else partials
    n = len(partials)
    names = names or (("x", "y")[:n] if n < 3 else tuple(f"x{i}" for i in range(1, n + 1)))
    holes = "" if text and tex else ", ".join(f"<{operand}>" for operand in names)
    operands = (Level.COMPARISON,) * n if operands is None else operands
    if tex_level is None:  # a LaTeX function call is bracketed under a power: (sin(x))^2
        tex_level = min(level, Level.POWER)
    return Op(
        name=name,
        function=function,
        partials=partials,
        text=Notation(text or f"{name}({holes})", level, operands),
        tex=Notation(
            tex or rf"\operatorname{{{name.replace('_', ' ')}}}({holes})",
            tex_level,
            tex_operands or operands,
        ),
        symbol=symbol or name,
        domain=(REAL,) * n if domain is None else domain,
        doc=doc,
        kink=kink,
        convention=convention,
        pole=pole,
        defaults=defaults,
        methods=(name,) if methods is None else methods,
        operands=names,
        flat=flat,
        neutral=neutral,
        composed=composed,
        beyond=beyond,
        raises=raises,
    )


def _row(name: str, function: Callable[..., float], *partials: Callable[..., Any], **columns: Any) -> Any:
    """Add a row to the table; beside it stands how many operands it has, for type checkers."""
    op = _make(name, function, *partials, **columns)
    OPS[name] = op
    METHODS.update(dict.fromkeys(op.methods, op))
    return op


def custom_rule(*partials: Callable[..., Any], **columns: Any) -> Callable[[Callable[..., float]], Op]:
    r"""Make an op of your own of a function of floats and its partial derivatives.

    Like a row of the table it takes numbers and Values and works in everything; it is a function,
    not a method. Derivatives of higher order come from the rules if these are written with operators
    and the package's functions. A rule that calls `math` serves the first order in everything; its own slope is not
    known, so that second derivatives are nan: write `ag.cos(x)` for `math.cos(x)`.

    Args:
        partials: one rule for each operand, of the operands and the result z.
        columns: what a row may say besides: `text` and `tex` over the parameters' names, as `<x>`, `domain`, `kink`,
            `convention`, ...

    Raises:
        TypeError: the function does not have as many parameters as there are rules.

    >>> @custom_rule(lambda x, z: 3 * x**2)
    ... def cube(x):
    ...     return x**3
    >>> cube(2.0), cube.partial(0, (2.0,), 8.0)
    (8.0, 12.0)
    """

    def decorate(function: Callable[..., float]) -> Op:
        parameters = list(signature(function).parameters)
        if not all(map(callable, partials)):
            raise TypeError(f"custom_rule: the rules must be functions, not {partials!r}")
        if not partials or len(parameters) != len(partials):
            raise TypeError(
                f"custom_rule: {function.__name__}({', '.join(parameters)}) needs one rule for each operand, "
                f"{len(partials)} given"
            )
        name = function.__name__.strip("<>")
        given = {
            "doc": function.__doc__ or f"Apply {name}.",
            "methods": (),
            "names": tuple(parameters),
            "defaults": function.__defaults__ or (),
        }
        op = _make(name, function, *partials, **{**given, **columns})
        object.__setattr__(op, "__module__", function.__module__)
        object.__setattr__(op, "__qualname__", function.__qualname__)
        return op

    return decorate


def _scipy_special() -> Any:
    try:
        return import_module("scipy.special")
    except ImportError as error:
        raise ImportError(
            'digamma and polygamma, and so the derivatives of lgamma, gamma and betaln, need SciPy: pip install ".[scipy]"'
        ) from error


# The float functions that `math` does not have. Plain Python, so that a compiler can take them.


def _add(x: float, y: float) -> float:
    return x + y


def _sub(x: float, y: float) -> float:
    return x - y


def _excess(x: float, y: float) -> float:
    return 0.0 if x == y == math.inf else x - y


def _mul(x: float, y: float) -> float:
    return x * y


def _div(x: float, y: float) -> float:
    return x / y


def _mod(x: float, y: float) -> float:
    return x % y


def _floordiv(x: float, y: float) -> float:
    return x // y


def _neg(x: float) -> float:
    return -x


def _pow(x: float, y: float) -> float:
    if -inf < x < 0.0 and -inf < y < inf and y != math.floor(y):  # Python's ** would answer with a complex number
        raise ValueError("math domain error")
    return float(x**y)


# And the values of IEEE arithmetic where these raise an error.


def _gamma_beyond(x: float) -> float:
    return nan if x <= -1.0 or x != x else math.copysign(inf, x)


def _erfinv_beyond(x: float) -> float:
    return math.copysign(inf, x) if math.fabs(x) == 1.0 else nan


def _logit_beyond(x: float) -> float:
    return -inf if x == 0.0 else inf if x == 1.0 else nan


def _betaln_beyond(x: float, y: float) -> float:
    return inf if min(x, y) == 0.0 and max(x, y) < inf else nan


def _infinite(x: float) -> float:
    return inf


def _undefined(*xs: float) -> float:
    return nan


def _undefined_of_two(x: float, y: float) -> float:  # whose source compilers read
    return nan


def _div_beyond(x: float, y: float) -> float:
    return nan if x == 0.0 or x != x else math.copysign(inf, x) * math.copysign(1.0, y)


def _pow_beyond(x: float, y: float) -> float:
    odd = math.isfinite(y) and y % 2.0 == 1.0
    if x == 0.0 or y == math.floor(y):  # a pole, or an overflow
        return math.copysign(inf, x) if odd else inf
    return nan if x < 0.0 else inf


def _sinh_beyond(x: float) -> float:
    return math.copysign(inf, x)


def _log_beyond(x: float) -> float:
    return -inf if x == 0.0 else nan


def _log1p_beyond(x: float) -> float:
    return -inf if x == -1.0 else nan


def _atanh_beyond(x: float) -> float:
    return math.copysign(inf, x) if math.fabs(x) == 1.0 else nan


def _xlogy_beyond(x: float, y: float) -> float:
    return x * _log_beyond(y)


def _digamma_beyond(x: float) -> float:
    return -math.copysign(inf, x) if x == 0.0 else nan


def _identity(x: float) -> float:
    return x


def _powlog(x: float, y: float, k: float) -> float:
    if k < 0.0:  # no term of a derivative
        return 0.0
    power = math.pow(x, y)
    if k == 0.0:
        return power
    return 0.0 if power == 0.0 else power * math.pow(math.log(x), k)  # the power is stronger


def _powlog_beyond(x: float, y: float, k: float) -> float:
    if y != y or (x < 0.0 and k != 0.0) or k % 1.0 != 0.0:
        return nan
    power = 1.0 if y == 0.0 else _pow_beyond(x, y)
    if k == 0.0:
        return power
    log_of_x = -inf if x == 0.0 else math.log(x)
    size = math.fabs(log_of_x)
    if size > 1.0 and k * math.log(size) > 709.78:  # its power overflows
        return power * _pow_beyond(log_of_x, k)
    return power * math.pow(log_of_x, k)


def _pow_slope(x: Any, y: Any, z: Any) -> Any:
    if isinstance(y, Traced):
        # The slope of x**0 is 0 also where x**-1 is inf or nan: at 0, beside it, and at nan. The guard is not for the
        # whole line y = 0, along which it would be constant; left of 0 there is no slope in y.
        return guard(equal(y, 0.0) * (1.0 - greater(x, TINY)), 0.0, y * x ** (y - 1.0))
    if y == 0.0:
        return y if isinstance(x, Traced) or x > TINY else 0.0
    return y * x if y == 2.0 else y * x ** (y - 1.0)


def _pow_slope_in_y(x: Any, y: Any, z: Any) -> Any:
    at_zero = equal(z, 0.0)
    if not isinstance(z, Traced) or z.first_order:
        return guard(at_zero, 0.0, z * log(x))
    # At x = 0 the slope is 0, but its own slopes are those of a power: powlog has them, and log must not be asked there.
    return guard(at_zero, powlog(x, y, 1.0), z * log(guard(at_zero, 1.0, x)))


def _sign(x: float) -> float:
    return x if x != x else float((x > 0.0) - (x < 0.0))


# Whole numbers, with the signs of zeros. What is infinite or nan stays so: a float may be, where Python's int may not.


def _floor(x: float) -> float:
    return math.copysign(math.floor(x), x) if math.isfinite(x) else x


def _ceil(x: float) -> float:
    return math.copysign(math.ceil(x), x) if math.isfinite(x) else x


def _trunc(x: float) -> float:
    return math.copysign(math.trunc(x), x) if math.isfinite(x) else x


_to_whole: Any = round  # Python's, before the row of that name


def _round(x: float) -> float:
    return math.copysign(_to_whole(x), x) if math.isfinite(x) else x


def _to_next_whole(x: float) -> float:
    return x - _round(x)


def _to_next_step(x: float) -> float:
    """Return how far a step of trunc is; it has none at 0."""
    return x - _round(x) if math.fabs(x) > 0.5 else 1.0 - math.fabs(x)


def _to_next_multiple(x: float, y: float) -> float:
    return math.remainder(x, y) if y != 0.0 and math.isfinite(x) else nan


def _greater(x: float, y: float) -> float:
    return 1.0 if x > y else 0.0


def _greater_equal(x: float, y: float) -> float:
    return 1.0 if x >= y else 0.0


def _equal(x: float, y: float) -> float:
    return 1.0 if x == y else 0.0


def _where(condition: float, x: float, y: float) -> float:
    return x if condition else y


def _maximum(x: float, y: float) -> float:
    return x if x >= y or x != x else y


def _minimum(x: float, y: float) -> float:
    return x if x <= y or x != x else y


def _xlogy(x: float, y: float) -> float:
    return 0.0 if x == 0.0 and y >= 0.0 else x * math.log(y)


def _degrees(x: float) -> float:
    return x * (180.0 / math.pi)


def _radians(x: float) -> float:
    return x * (math.pi / 180.0)


def _logaddexp(x: float, y: float) -> float:
    if x == y:  # infinite ones too
        return x + math.log(2.0)
    return x + math.log1p(math.exp(y - x)) if x > y else y + math.log1p(math.exp(x - y))


def _logit(x: float) -> float:
    if x <= 0.0 or x >= 1.0:
        raise ValueError("math domain error")
    if 0.25 < x < 0.75:  # where 2x - 1 is exact
        return 2.0 * math.atanh(2.0 * x - 1.0)
    return math.log(x) - math.log1p(-x)


def _erfinv(x: float) -> float:
    if x <= -1.0 or x >= 1.0:
        raise ValueError("math domain error")
    a = math.fabs(x)
    t = 0.5 * math.log1p(-a * a)
    b = 2.0 / (math.pi * 0.147) + t
    z = math.sqrt(math.sqrt(b * b - t * (2.0 / 0.147)) - b)  # to 0.2 % (Winitzki, 2008)
    for _ in range(3):  # Halley's steps, each with three times as many digits
        error = a - math.erf(z) if a < 0.5 else math.erfc(z) - (1.0 - a)
        step = 0.5 * math.sqrt(math.pi) * math.exp(z * z) * error
        z = z + step / (1.0 - z * step)
    return math.copysign(z, x)


def _beyond_stirling(x: float) -> float:
    """Return the rest of Stirling's formula for log Γ(x), for x from 10 on."""
    t = 1.0 / x / x
    rest = ((t / 156.0 - 691.0 / 360360.0) * t + 1.0 / 1188.0) * t - 1.0 / 1680.0
    return (((rest * t + 1.0 / 1260.0) * t - 1.0 / 360.0) * t + 1.0 / 12.0) / x


def _betaln(x: float, y: float) -> float:
    if x != x or y != y:
        return x + y
    if x <= 0.0 or y <= 0.0:
        raise ValueError("math domain error")
    a = min(x, y)
    b = max(x, y)
    if b == inf:
        return -inf
    if b < 10.0:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    # The logarithms of large gammas nearly cancel: Stirling's formula, in which their large parts have cancelled.
    rest = _beyond_stirling(b) - _beyond_stirling(a + b)
    if a < 10.0:
        return math.lgamma(a) + (a - (b - 0.5) * math.log1p(a / b)) - a * math.log(a + b) + rest
    ends = _beyond_stirling(a) + rest + 0.5 * (math.log(2.0 * math.pi) - math.log(b))
    h = a / b
    return ends + (a - 0.5) * math.log(h / (1.0 + h)) - b * math.log1p(h)


def _sine_of_quarters(x: float, k: float) -> float:
    """Return sin(πx + kπ/2), exactly 0 where it is."""
    n = _round(2.0 * x)
    r = math.pi * (x - 0.5 * n)
    q = (n % 4.0 + k) % 4.0
    z = math.sin(r) if q % 2.0 == 0.0 else math.cos(r)
    return z if q < 2.0 else 0.0 - z


def _sinc(x: float) -> float:
    u = math.pi * x
    if u == 0.0:
        return 1.0
    return 0.0 if math.isinf(u) else _sine_of_quarters(x, 0.0) / u


def _sinc_derivative(k: float, x: float) -> float:
    # S_k, the k-th derivative of sin(u)/u, has u S_k + k S_(k-1) = sin(u + kπ/2): upwards where u is large, else
    # downwards from a k so large that S_k does not matter (Miller).
    if not k >= 0.0 or k % 1.0 != 0.0:
        raise ValueError("math domain error")
    if k > 600.0:  # past which powers of π overflow
        raise OverflowError("math range error")
    u = math.pi * x
    if math.isinf(u):
        return 0.0
    n = int(k)
    sine = _sine_of_quarters(x, 0.0)
    cosine = _sine_of_quarters(x, 1.0)
    if math.fabs(u) > k:
        s = sine / u
        for j in range(1, n + 1):
            s = (cosine - j * s) / u
            sine, cosine = cosine, -sine
    else:
        s = 0.0
        if n % 2 == 1:
            sine, cosine = -sine, -cosine
        for j in range(2 * n + 40, n, -1):
            s = (sine - u * s) / j
            sine, cosine = -cosine, sine
    return s * math.pow(math.pi, k)


def _sigmoid(x: float) -> float:
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)  # not 1 / (1 + exp(-x)), which overflows
    return e / (1.0 + e)


def _softplus(x: float) -> float:
    return (x if x > 0.0 else 0.0) + math.log1p(math.exp(-math.fabs(x)))


def _log_sigmoid(x: float) -> float:
    return -_softplus(-x)


def _relu(x: float) -> float:
    return 0.0 if x <= 0.0 else x


def _leaky_relu(x: float, slope: float) -> float:
    return slope * x if x <= 0.0 else x


def _gelu(x: float) -> float:
    return 0.5 * x * math.erfc(-x / math.sqrt(2.0))


def _silu(x: float) -> float:
    return x * _sigmoid(x)


def _digamma(x: float) -> float:
    if x == -inf or (x <= 0.0 and x % 1.0 == 0.0):
        raise ValueError("math domain error")
    return float(_scipy_special().digamma(x))


def _polygamma(order: float, x: float) -> float:
    if order == 0.0:
        return _digamma(x)
    if order % 1.0 != 0.0 or order < 0.0 or x == -inf or (x <= 0.0 and x % 1.0 == 0.0):
        raise ValueError("math domain error")
    special = _scipy_special()
    with import_module("numpy").errstate(all="ignore"):
        if not x < 0.0:
            return float(special.polygamma(int(order), x))
        # The sum of (x + k)**-s over all k from 0 on; below 0 those are the numbers -u, -u - 1, ... up to x.
        s = order + 1.0
        k = -math.floor(x)
        u = -(x + k - 1.0)
        total = special.zeta(s, x + k) + (-1.0) ** s * (special.zeta(s, u) - special.zeta(s, u + k))
        return float((-1.0) ** s * special.gamma(s) * total)


# One row, one paragraph: function, rules, notation, domain, convention, sentence.
# fmt: off
S, Q, P, W = Level.SUM, Level.QUOTIENT, Level.PRODUCT, Level.POWER
A, C = Level.ATOM, Level.COMPARISON

# Arithmetic.
add: Binary = _row("add", _add, lambda x, y, z: 1.0, lambda x, y, z: 1.0,
                   text="<x> + <y>", tex="<x> + <y>", level=S, operands=(S, Q), symbol="+", methods=(),
                   raises=False, doc="Add, $x + y$.")
sub: Binary = _row("sub", _sub, lambda x, y, z: 1.0, lambda x, y, z: -1.0,
                   text="<x> - <y>", tex="<x> - <y>", level=S, operands=(S, Q), symbol="−", methods=(),
                   raises=False, doc="Subtract, $x - y$.")
excess: Binary = _row("excess", _excess, lambda x, y, z: 1.0, lambda x, y, z: -1.0,
                      tex="<x> - <y>", tex_level=S, tex_operands=(S, Q), methods=(), convention="0 where both are inf",
                      raises=False, doc=r"Take by how much x exceeds y, $x - y$; 0 where both are $\infty$, so that the largest of some numbers never exceeds itself.")
mul: Binary = _row("mul", _mul, lambda x, y, z: y, lambda x, y, z: x,
                   text="<x> * <y>", tex=r"<x> \cdot <y>", level=P, operands=(P, W), symbol="×", methods=(), neutral=(1.0, 1.0),
                   raises=False, doc="Multiply, $x y$.")
div: Binary = _row("div", _div, lambda x, y, z: 1.0 / y, lambda x, y, z: -z / y,
                   text="<x> / <y>", tex=r"\frac{<x>}{<y>}", level=Q, operands=(P, W), tex_level=W, tex_operands=(C, C),
                   symbol="÷", domain=(REAL, NOT_ZERO), methods=(), neutral=(None, 1.0),
                   beyond=_div_beyond, doc="Divide, $x / y$.")
mod: Binary = _row("mod", _mod, lambda x, y, z: 1.0, lambda x, y, z: -floordiv(x, y),
                   text="<x> % <y>", tex=r"<x> \bmod <y>", level=Q, operands=(P, W), symbol="%", domain=(REAL, NOT_ZERO), methods=(),
                   kink=_to_next_multiple, convention="at a multiple of y, where it jumps, the slopes of one side hold",
                   beyond=_undefined_of_two, doc=r"Take the rest of a division, $x - y \lfloor x / y \rfloor$, with the sign of y as Python has it.")
floordiv: Binary = _row("floordiv", _floordiv, lambda x, y, z: 0.0, lambda x, y, z: 0.0,
                        text="<x> // <y>", tex=r"\left\lfloor \frac{<x>}{<y>} \right\rfloor", level=Q, operands=(P, W), tex_level=W,
                        tex_operands=(C, C), symbol="//", domain=(REAL, NOT_ZERO), methods=(),
                        kink=_to_next_multiple, convention="the derivative is 0 everywhere",
                        beyond=_div_beyond, doc=r"Divide and take the whole number below, $\lfloor x / y \rfloor$, as Python does.")
neg: Unary = _row("neg", _neg, lambda x, z: -1.0,
                  text="-<x>", tex="-<x>", level=S, operands=(W,), symbol="−", methods=("neg", "negative"),
                  raises=False, doc="Negate, $-x$.")
pow: Binary = _row("pow", _pow, _pow_slope,
                   _pow_slope_in_y,
                   text="<x>**<y>", tex="<x>^{<y>}", level=W, operands=(A, W), tex_operands=(A, C), symbol="^",
                   domain=(POSITIVE, REAL), methods=(), neutral=(None, 1.0),
                   convention="a negative base needs a whole exponent; 0 ** 0 = 1, with slope 0 in the base",
                   beyond=_pow_beyond, doc="Raise to a power, $x^y$.")
powlog: Ternary = _row("powlog", _powlog,
                       lambda x, y, k, z: y * powlog(x, y - 1.0, k) + k * powlog(x, y - 1.0, k - 1.0),
                       lambda x, y, k, z: powlog(x, y, k + 1.0), lambda x, y, k, z: nan, names=("x", "y", "k"), methods=(),
                       tex=r"<x>^{<y>} \cdot \log(<x>)^{<k>}", tex_level=P, tex_operands=(A, C, C), domain=(POSITIVE, REAL, POSITIVE),
                       convention="0 at x = 0 for y > 0; k is a whole number and has no derivative (nan); 0 for k < 0",
                       beyond=_powlog_beyond, doc=r"Multiply a power by a power of the logarithm, $x^y (\log x)^k$, the k-th derivative of $x^y$ in y.")
abs: Unary = _row("abs", math.fabs, lambda x, z: sign(x),
                  tex=r"\left|<x>\right|", kink=lambda x: x, convention="abs'(0) = 0", methods=("abs", "absolute", "fabs"),
                  raises=False, doc="Take the absolute value, $|x|$.")
sqrt: Unary = _row("sqrt", math.sqrt, lambda x, z: 0.5 / (z + 0.0),  # -0.0 + 0.0 = 0.0
                   tex=r"\sqrt{<x>}", domain=(NOT_NEGATIVE,), convention="sqrt'(0) = inf", pole=True,
                   beyond=_undefined, doc=r"Take the square root, $\sqrt{x}$.")
root: Unary = _row("root", math.sqrt, lambda x, z: guard(equal(z, 0.0), 0.0, 0.5 / z),
                   tex=r"\sqrt{<x>}", domain=(NOT_NEGATIVE,), kink=lambda x: x, convention="root'(0) = 0", methods=(),
                   beyond=_undefined, doc=r"Take the square root of a sum of squares, $\sqrt{x}$, with slope 0 at 0: the last step of a length.")
cbrt: Unary = _row("cbrt", math.cbrt, lambda x, z: 1.0 / (3.0 * z**2),
                   tex=r"\sqrt[3]{<x>}", convention="cbrt'(0) = inf", pole=True, domain=(REAL,), kink=lambda x: x,
                   raises=False, doc=r"Take the cube root, $\sqrt[3]{x}$.")
hypot: Binary = _row("hypot", math.hypot, lambda x, y, z: guard(equal(z, 0.0), 0.0, x / z),
                     lambda x, y, z: guard(equal(z, 0.0), 0.0, y / z),
                     kink=math.hypot, convention="both partials are 0 at the origin",
                     raises=False, doc=r"Take the length of the hypotenuse, $\sqrt{x^2 + y^2}$.")

# Exponentials and logarithms.
exp: Unary = _row("exp", math.exp, lambda x, z: z, tex="e^{<x>}",
                  beyond=_infinite, doc="Raise e to a power, $e^x$.")
exp2: Unary = _row("exp2", math.exp2, lambda x, z: z * math.log(2.0), tex="2^{<x>}",
                   beyond=_infinite, doc="Raise 2 to a power, $2^x$.")
expm1: Unary = _row("expm1", math.expm1, lambda x, z: exp(x),
                    beyond=_infinite, doc="Take the exponential less one, $e^x - 1$, exact near 0.")
log: Unary = _row("log", math.log, lambda x, z: 1.0 / x, tex=r"\log(<x>)", domain=(POSITIVE,),
                  beyond=_log_beyond, doc=r"Take the natural logarithm, $\log x$.")
log1p: Unary = _row("log1p", math.log1p, lambda x, z: 1.0 / (1.0 + x), domain=(Interval(lo=-1.0),),
                    beyond=_log1p_beyond, doc=r"Take the logarithm of one more, $\log(1 + x)$, exact near 0.")
log2: Unary = _row("log2", math.log2, lambda x, z: 1.0 / (x * math.log(2.0)), tex=r"\log_2(<x>)", domain=(POSITIVE,),
                   beyond=_log_beyond, doc=r"Take the logarithm to base 2, $\log_2 x$.")
log10: Unary = _row("log10", math.log10, lambda x, z: 1.0 / (x * math.log(10.0)), tex=r"\log_{10}(<x>)", domain=(POSITIVE,),
                    beyond=_log_beyond, doc=r"Take the logarithm to base 10, $\log_{10} x$.")
xlogy: Binary = _row("xlogy", _xlogy, lambda x, y, z: log(y),
                     lambda x, y, z: guard(equal(x, 0.0) * equal(y, 0.0), 0.0, x / y), domain=(REAL, POSITIVE),
                     convention="0 log 0 = 0",
                     beyond=_xlogy_beyond, doc=r"Multiply by a logarithm, $x \log y$, which is 0 at $x = 0$ (the entropy's convention).")
logaddexp: Binary = _row("logaddexp", _logaddexp,
                         lambda x, y, z: guard(equal(x, -inf) * equal(y, -inf), 0.5, sigmoid(excess(x, y))),
                         lambda x, y, z: guard(equal(x, -inf) * equal(y, -inf), 0.5, sigmoid(excess(y, x))),
                         convention="two infinite numbers share the derivative equally",
                         raises=False, doc=r"Add in logarithms, $\log(e^x + e^y)$, without overflow.")
logit: Unary = _row("logit", _logit, lambda x, z: 1.0 / (x * (1.0 - x)), domain=(SHARE,),
                    beyond=_logit_beyond, doc=r"Take the logarithm of the odds, $\log \frac{x}{1 - x}$, the inverse of the sigmoid.")

# Trigonometry.
sin: Unary = _row("sin", math.sin, lambda x, z: cos(x), tex=r"\sin(<x>)",
                  beyond=_undefined, doc=r"Take the sine of an angle in radians, $\sin x$.")
cos: Unary = _row("cos", math.cos, lambda x, z: -sin(x), tex=r"\cos(<x>)",
                  beyond=_undefined, doc=r"Take the cosine of an angle in radians, $\cos x$.")
tan: Unary = _row("tan", math.tan, lambda x, z: 1.0 + z**2, tex=r"\tan(<x>)",
                  kink=math.cos, convention="a pole at the odd multiples of pi/2, which no float is",
                  beyond=_undefined, doc=r"Take the tangent of an angle in radians, $\tan x$.")
asin: Unary = _row("asin", math.asin, lambda x, z: 1.0 / sqrt((1.0 - x) * (1.0 + x)),
                   tex=r"\arcsin(<x>)", domain=(UNIT,), convention="asin'(±1) = inf", pole=True, methods=("asin", "arcsin"),
                   beyond=_undefined, doc=r"Take the angle whose sine is x, $\arcsin x$, in radians.")
acos: Unary = _row("acos", math.acos, lambda x, z: -1.0 / sqrt((1.0 - x) * (1.0 + x)),
                   tex=r"\arccos(<x>)", domain=(UNIT,), convention="acos'(±1) = -inf", pole=True, methods=("acos", "arccos"),
                   beyond=_undefined, doc=r"Take the angle whose cosine is x, $\arccos x$, in radians.")
atan: Unary = _row("atan", math.atan, lambda x, z: 1.0 / (1.0 + x**2), tex=r"\arctan(<x>)", methods=("atan", "arctan"),
                   raises=False, doc=r"Take the angle whose tangent is x, $\arctan x$, in radians.")
atan2: Binary = _row("atan2", math.atan2, lambda x, y, z: y / hypot(x, y) / hypot(x, y),
                     lambda x, y, z: -x / hypot(x, y) / hypot(x, y),
                     kink=lambda x, y: math.hypot(x, y) if y > 0.0 else x, methods=("atan2", "arctan2"),
                     convention="the partials are nan at the origin, where the angle has no slope",
                     raises=False, doc=r"Take the angle of the point with ordinate x and abscissa y, $\operatorname{atan2}(x, y)$, in radians.")
degrees: Unary = _row("degrees", _degrees, lambda x, z: 180.0 / math.pi, methods=("degrees", "rad2deg"),
                      raises=False, doc=r"Turn radians into degrees, $180 x / \pi$.")
radians: Unary = _row("radians", _radians, lambda x, z: math.pi / 180.0, methods=("radians", "deg2rad"),
                      raises=False, doc=r"Turn degrees into radians, $\pi x / 180$.")
sinc: Unary = _row("sinc", _sinc, lambda x, z: sinc_derivative(1.0, x),
                   raises=False, doc=r"Take NumPy's sinc, $\frac{\sin \pi x}{\pi x}$, which is 1 at 0, with all its derivatives there.")
sinc_derivative: Binary = _row("sinc_derivative", _sinc_derivative, lambda k, x, z: nan, lambda k, x, z: sinc_derivative(k + 1.0, x),
                               names=("k", "x"), tex=r"\operatorname{sinc}^{(<k>)}(<x>)", domain=(POSITIVE, REAL), methods=(),
                               convention="k is the order, a whole number up to 600, and has no derivative (nan)",
                               beyond=_undefined_of_two, doc=r"Take the k-th derivative of sinc at x, $\operatorname{sinc}^{(k)}(x)$.")

# Hyperbolic functions.
sinh: Unary = _row("sinh", math.sinh, lambda x, z: cosh(x), tex=r"\sinh(<x>)",
                   beyond=_sinh_beyond, doc=r"Take the hyperbolic sine, $\sinh x$.")
cosh: Unary = _row("cosh", math.cosh, lambda x, z: sinh(x), tex=r"\cosh(<x>)",
                   beyond=_infinite, doc=r"Take the hyperbolic cosine, $\cosh x$.")
tanh: Unary = _row("tanh", math.tanh, lambda x, z: 1.0 - z**2, tex=r"\tanh(<x>)",
                   flat="saturated", raises=False, doc=r"Take the hyperbolic tangent, $\tanh x$.")
asinh: Unary = _row("asinh", math.asinh, lambda x, z: 1.0 / hypot(x, 1.0), tex=r"\operatorname{arsinh}(<x>)",
                    methods=("asinh", "arcsinh"),
                    raises=False, doc=r"Take the inverse hyperbolic sine, $\operatorname{arsinh} x$.")
acosh: Unary = _row("acosh", math.acosh, lambda x, z: 1.0 / (sqrt(x - 1.0) * sqrt(x + 1.0)),
                    tex=r"\operatorname{arcosh}(<x>)", domain=(Interval(lo=1.0, closed_lo=True),),
                    convention="acosh'(1) = inf", pole=True, methods=("acosh", "arccosh"),
                    beyond=_undefined, doc=r"Take the inverse hyperbolic cosine, $\operatorname{arcosh} x$.")
atanh: Unary = _row("atanh", math.atanh, lambda x, z: 1.0 / ((1.0 - x) * (1.0 + x)),
                    tex=r"\operatorname{artanh}(<x>)", domain=(OPEN_UNIT,), methods=("atanh", "arctanh"),
                    beyond=_atanh_beyond, doc=r"Take the inverse hyperbolic tangent, $\operatorname{artanh} x$.")

# The error and gamma functions.
erf: Unary = _row("erf", math.erf, lambda x, z: 2.0 / math.sqrt(math.pi) * exp(-(x**2)),
                  flat="saturated", raises=False, doc=r"Take the error function, $\frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt$.")
erfc: Unary = _row("erfc", math.erfc, lambda x, z: -2.0 / math.sqrt(math.pi) * exp(-(x**2)),
                   flat="saturated", raises=False, doc=r"Take the complementary error function, $1 - \operatorname{erf} x$.")
erfinv: Unary = _row("erfinv", _erfinv, lambda x, z: 0.5 * math.sqrt(math.pi) * exp(z**2), domain=(OPEN_UNIT,),
                     beyond=_erfinv_beyond, doc=r"Take the inverse of the error function, the z with $\operatorname{erf} z = x$.")
gamma: Unary = _row("gamma", math.gamma, lambda x, z: z * digamma(x), tex=r"\Gamma(<x>)", domain=(POSITIVE,),
                    beyond=_gamma_beyond, doc=r"Take the gamma function, $\Gamma(x)$; its derivative needs SciPy.")
lgamma: Unary = _row("lgamma", math.lgamma, lambda x, z: digamma(x), tex=r"\log\Gamma(<x>)", domain=(POSITIVE,),
                     beyond=_infinite, doc=r"Take the logarithm of the gamma function, $\log\Gamma(x)$; its derivative needs SciPy.")
betaln: Binary = _row("betaln", _betaln, lambda x, y, z: digamma(x) - digamma(x + y), lambda x, y, z: digamma(y) - digamma(x + y),
                      tex=r"\log B(<x>, <y>)", domain=(POSITIVE, POSITIVE),
                      beyond=_betaln_beyond, doc=r"Take the logarithm of the beta function, $\log \frac{\Gamma(x) \Gamma(y)}{\Gamma(x + y)}$; its derivatives need SciPy.")
digamma: Unary = _row("digamma", _digamma, lambda x, z: polygamma(1.0, x), tex=r"\psi(<x>)", domain=(POSITIVE,),
                      beyond=_digamma_beyond, doc=r"Take the logarithmic derivative of the gamma function, $\psi(x)$; needs SciPy.")
polygamma: Binary = _row("polygamma", _polygamma, lambda x, y, z: nan, lambda x, y, z: polygamma(x + 1.0, y),
                         tex=r"\psi^{(<x>)}(<y>)", domain=(POSITIVE, POSITIVE), methods=(),
                         convention="x is the order, a whole number, and has no derivative (nan)",
                         beyond=_undefined, doc=r"Take the x-th derivative of digamma at y, $\psi^{(x)}(y)$; needs SciPy.")

# Activations. The sigmoid's slope is the textbook's z (1 - z); past x = 37, where 1 - z rounds to 0,
# so does the slope.
sigmoid: Unary = _row("sigmoid", _sigmoid, lambda x, z: z * (1.0 - z), tex=r"\sigma(<x>)",
                      flat="saturated", raises=False, doc=r"Squash into (0, 1), $\sigma(x) = 1 / (1 + e^{-x})$, without overflow on either side.")
softplus: Unary = _row("softplus", _softplus, lambda x, z: sigmoid(x),
                       flat="saturated", raises=False, doc=r"Smooth the rectifier, $\log(1 + e^x)$, without overflow on either side.")
log_sigmoid: Unary = _row("log_sigmoid", _log_sigmoid, lambda x, z: sigmoid(-x), tex=r"\log \sigma(<x>)",
                          raises=False, doc=r"Take the logarithm of the sigmoid, $\log \sigma(x) = -\log(1 + e^{-x})$, without overflow on either side.")
relu: Unary = _row("relu", _relu, lambda x, z: greater(x, 0.0), kink=lambda x: x, convention="relu'(0) = 0", flat="closed",
                   raises=False, doc=r"Rectify, $\max(0, x)$.")
leaky_relu: UnarySloped = _row("leaky_relu", _leaky_relu, lambda x, y, z: where(greater(x, 0.0), 1.0, y),
                               lambda x, y, z: where(greater(x, 0.0), 0.0, x), kink=lambda x, y: x, defaults=(0.01,),
                               convention="the slope y holds at 0",
                               raises=False, doc=r"Rectify with slope y (0.01 unless given) on the left: $x$ for $x > 0$, else $y x$.")
gelu: Unary = _row("gelu", _gelu,
                   lambda x, z: 0.5 * erfc(-x / math.sqrt(2.0)) + x * exp(-(x**2) / 2.0) / math.sqrt(2.0 * math.pi),
                   raises=False, doc=r"Weigh by the normal distribution, $x \Phi(x)$, exactly (Hendrycks and Gimpel, 2016).")
silu: Unary = _row("silu", _silu, lambda x, z: sigmoid(x) + z * (1.0 - sigmoid(x)),
                   raises=False, doc=r"Weigh by the sigmoid, $x \sigma(x)$ (Elfwing et al., 2017).")

# Passing a value on.
identity: Unary = _row("identity", _identity, lambda x, z: 1.0, methods=("conjugate",),
                       text="<x>", tex="<x>", operands=(A,),
                       raises=False, doc="Pass a value on as a node of its own, $x$.")
stop_gradient: Unary = _row("stop_gradient", _identity, lambda x, z: 0.0, kink=lambda x: 0.0, convention="the derivative is 0 everywhere",
                            raises=False, doc="Pass a value on and let no derivative through, $x$ with slope 0.")

# Choices.
maximum: Binary = _row("maximum", _maximum, lambda x, y, z: greater(x, y) + 0.5 * equal(x, y),
                       lambda x, y, z: greater(y, x) + 0.5 * equal(x, y), tex=r"\max(<x>, <y>)", kink=lambda x, y: x - y,
                       convention="a tie shares the derivative equally",
                       raises=False, doc=r"Take the larger, $\max(x, y)$; nan if either is.")
minimum: Binary = _row("minimum", _minimum, lambda x, y, z: greater(y, x) + 0.5 * equal(x, y),
                       lambda x, y, z: greater(x, y) + 0.5 * equal(x, y), tex=r"\min(<x>, <y>)", kink=lambda x, y: x - y,
                       convention="a tie shares the derivative equally",
                       raises=False, doc=r"Take the smaller, $\min(x, y)$; nan if either is.")
where: Ternary = _row("where", _where, lambda condition, x, y, z: 0.0, lambda condition, x, y, z: where(condition, 1.0, 0.0),
                      lambda condition, x, y, z: where(condition, 0.0, 1.0), methods=(), names=("condition", "x", "y"),
                      convention="the condition has derivative 0",
                      raises=False, doc=r"Choose $x$ if the condition is not 0, else $y$; both are computed first.")
guard: Op = _Guard(where)
sign: Unary = _row("sign", _sign, lambda x, z: 0.0, kink=lambda x: x, convention="sign(0) = 0, sign'(x) = 0",
                   raises=False, doc=r"Take the sign, $-1$, $0$ or $1$.")
floor: Unary = _row("floor", _floor, lambda x, z: 0.0, tex=r"\lfloor <x> \rfloor",
                    kink=_to_next_whole, convention="the derivative is 0 everywhere",
                    raises=False, doc=r"Take the whole number below, $\lfloor x \rfloor$, as a float.")
ceil: Unary = _row("ceil", _ceil, lambda x, z: 0.0, tex=r"\lceil <x> \rceil",
                   kink=_to_next_whole, convention="the derivative is 0 everywhere",
                   raises=False, doc=r"Take the whole number above, $\lceil x \rceil$, as a float.")
round: Unary = _row("round", _round, lambda x, z: 0.0, methods=("round", "rint"),
                    kink=lambda x: _to_next_whole(x - 0.5), convention="halves to even; the derivative is 0 everywhere",
                    raises=False, doc=r"Take the nearest whole number, $\operatorname{round}(x)$, halves to even, as a float.")
trunc: Unary = _row("trunc", _trunc, lambda x, z: 0.0,
                    kink=_to_next_step, convention="the derivative is 0 everywhere",
                    raises=False, doc=r"Leave out the fraction, $\operatorname{trunc}(x)$, as a float.")
greater: Binary = _row("greater", _greater, lambda x, y, z: 0.0, lambda x, y, z: 0.0,
                       text="<x> > <y>", tex="[<x> > <y>]", level=C, tex_level=A, operands=(S, S), symbol=">",
                       kink=lambda x, y: x - y, convention="the derivative is 0 everywhere", methods=("greater",),
                       raises=False, doc=r"Return 1 where $x > y$ and 0 elsewhere.")
greater_equal: Binary = _row("greater_equal", _greater_equal, lambda x, y, z: 0.0, lambda x, y, z: 0.0,
                             text="<x> >= <y>", tex=r"[<x> \ge <y>]", level=C, tex_level=A, operands=(S, S), symbol="≥",
                             kink=lambda x, y: x - y, convention="the derivative is 0 everywhere",
                             raises=False, doc=r"Return 1 where $x \ge y$ and 0 elsewhere.")
equal: Binary = _row("equal", _equal, lambda x, y, z: 0.0, lambda x, y, z: 0.0,
                     text="<x> == <y>", tex="[<x> = <y>]", level=C, tex_level=A, operands=(S, S), symbol="=",
                     kink=lambda x, y: x - y, convention="the derivative is 0 everywhere",
                     raises=False, doc=r"Return 1 where $x = y$ and 0 elsewhere.")
# fmt: on


# Rows of any number of operands: a neuron's sum as one node. Each size is a row of its own, made when it
# is first asked for; `value.dot`, `value.sum` and `functions.take` record them. What stands at each place is made
# when somebody asks, so that a row of a million operands is as light as one of three.

SIZES = 1024  # the rows that are kept, of each kind


class _Places(Sequence[Any]):
    """What stands at each place of a row of many operands."""

    def __init__(self, n: int, at: Callable[[int], Any]) -> None:
        self.n, self.at = n, at

    def __len__(self) -> int:
        return self.n

    @overload
    def __getitem__(self, i: int) -> Any: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, i: Any) -> Any:
        places = range(self.n)[i]
        return tuple(map(self.at, places)) if isinstance(places, range) else self.at(places)


def _many(name: str, function: Callable[..., Any], n: int, **columns: Any) -> Op:
    """Make a row of n operands; its columns that are functions give what stands at a place."""
    columns = {key: _Places(n, x) if key in ("names", "operands", "partials") else x for key, x in columns.items()}
    domain = _Places(n, lambda i: REAL)
    return _make(name, function, symbol={"sum": "Σ", "dot": "Σ×"}.get(name, name), methods=(), domain=domain, **columns)


@lru_cache(SIZES)
def sum_of(n: int) -> Op:
    r"""Return the row $x_1 + x_2 + \dots + x_n$.

    >>> sum_of(3)(1.0, 2.0, 3.0)
    6.0
    """
    terms = [f"<x{i}>" for i in _ends(1, n)]
    return _many(
        "sum",
        _add_all,
        n,
        partials=lambda i: _one,
        names=lambda i: f"x{i + 1}",
        operands=lambda i: Level.QUOTIENT,
        doc=f"Add {n} numbers, from left to right.",
        text=_joined(terms, n),
        tex=_joined(terms, n, r"\dots"),
        level=Level.SUM,
        composed=_add_all,
        raises=False,
    )


@lru_cache(SIZES)
def dot_of(arity: int) -> Op:
    r"""Return the row $w_1 x_1 + \dots + w_n x_n$, and $+ b$ where the number of operands is odd.

    The operands are the w, then the x, then b.

    >>> dot_of(5)(1.0, 2.0, 3.0, 4.0, 5.0)
    16.0
    """
    n, biased = divmod(arity, 2)

    def name(i: int) -> str:
        return f"w{i + 1}" if i < n else f"x{i - n + 1}" if i < 2 * n else "b"

    def rule(i: int) -> Callable[..., Any]:
        """Return the slope in w_i, which is x_i, in x_i, which is w_i, or in b, which is 1."""
        return (lambda *operands: operands[(i + n) % (2 * n)]) if i < 2 * n else _one

    def function(*operands: Any) -> Any:
        products = [operands[i] * operands[i + n] for i in range(n)]
        return _add_all(*products, *operands[2 * n :])

    ends, bias = _ends(1, n + biased), ["<b>"] * biased
    of_w = [i for i in ends if i <= n]
    return _many(
        "dot",
        function,
        arity,
        partials=rule,
        names=name,
        operands=lambda i: Level.PRODUCT,
        doc=f"Add {n} products{' and a number' * biased}, from left to right.",
        text=_joined([*(f"<w{i}>*<x{i}>" for i in of_w), *bias], n + biased),
        tex=_joined([*(rf"<w{i}> \cdot <x{i}>" for i in of_w), *bias], n + biased, r"\dots"),
        level=Level.SUM,
        composed=function,
        raises=False,
    )


@lru_cache(SIZES)
def take_of(arity: int) -> Op:
    r"""Return the row $x_i$: the first operand, counting from 0, says which of the others it is.

    >>> take_of(4)(2.0, 10.0, 20.0, 30.0)
    30.0
    """
    n = arity - 1
    xs = ", ".join(f"<x{i}>" for i in range(n)) if n <= 6 else f"<x0>, <x1>, …, <x{n - 1}>"

    def chosen(index: Any, *xs: Any) -> Any:
        return reduce(lambda rest, k: where(equal(index, float(k)), xs[k], rest), range(n - 2, -1, -1), xs[-1])

    return _many(
        "take",
        lambda index, *xs: xs[int(index)],
        arity,
        partials=lambda i: (lambda *operands: equal(operands[0], i - 1.0)) if i else (lambda *operands: 0.0),
        names=lambda i: f"x{i - 1}" if i else "i",
        operands=lambda i: Level.COMPARISON,
        doc=f"Choose one of {n} numbers.",
        text=f"take(<i>; {xs})",
        tex=rf"\operatorname{{take}}_{{<i>}}({xs.replace('…', chr(92) + 'dots')})",
        composed=chosen,
        beyond=_undefined,
    )


def _one(*operands: Any) -> float:
    return 1.0


def _add_all(*xs: Any) -> Any:
    return reduce(lambda total, x: total + x, xs)


def _ends(first: int, n: int) -> list[int]:
    """Return the places of n terms that are written: all, or of many the two at each end."""
    places = range(first, first + n)
    return list(places) if n <= 6 else [*places[:2], *places[-2:]]


def _joined(terms: list[str], n: int, dots: str = "…") -> str:
    """Write a sum of n terms, a long one by its ends."""
    return " + ".join(terms if len(terms) == n else [*terms[:2], dots, *terms[2:]])
