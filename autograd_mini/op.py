"""A row of the table: `Op`, with its columns.

This module has the features of every row: a row is called with numbers and with recorders, it has partial derivatives
and a limit, and pickle stores its name. The module must not know any row of the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache
from inspect import Parameter, Signature, signature
from numbers import Real
from typing import Any, Final, NamedTuple, NoReturn, SupportsFloat, TypedDict, TypeVar, Unpack, overload

from .limits import by_limits
from .recorder import OPS, Operand, Recorder
from .spelling import Level, Notation, Spelling

T = TypeVar("T", bound=Recorder)

inf: Final = math.inf
nan: Final = math.nan


class Interval(NamedTuple):
    """The allowed numbers of an operand: from `lo` to `hi`, with or without the ends, and without one `hole`."""

    lo: float = -inf
    hi: float = inf
    closed_lo: bool = False
    closed_hi: bool = False
    hole: float = nan

    @property
    def inside(self) -> float:
        """Return a number in the interval. Functions with this domain, and their slopes, are finite there."""
        if self.lo > -inf:
            return (self.lo + self.hi) / 2.0 if self.hi < inf else self.lo + 1.0
        return 1.0 if math.isnan(self.hole) else self.hole + 1.0

    def __str__(self) -> str:
        if not math.isnan(self.hole):
            return rf"\mathbb{{R}} \setminus \{{{self.hole:g}\}}"
        lo = r"-\infty" if self.lo == -inf else f"{self.lo:g}"
        hi = r"\infty" if self.hi == inf else f"{self.hi:g}"
        return f"{'[' if self.closed_lo else '('}{lo}, {hi}{']' if self.closed_hi else ')'}"


class Columns(TypedDict, total=False):
    """The columns of a row, besides its name, its function and its rules. Only `doc` is required."""

    doc: str
    parameters: Sequence[str]
    text: Notation | str
    tex: Notation | str
    symbol: str
    domain: Sequence[Interval]
    kink: Callable[..., float] | None
    convention: str
    pole: bool
    defaults: tuple[float, ...]
    methods: tuple[str, ...]
    flat: str
    neutral: tuple[float | None, float] | None
    beyond: Callable[..., float] | None
    raises: bool
    chooses: Collection[int]


@dataclass(frozen=True, eq=False, repr=False)
class Op:
    """Everything about one operation. Call it to apply the operation.

    If all operands are plain numbers, the result is a float. If one operand is a `Recorder`, it records the operation.
    Outside of the domain the row raises the error of Python's `math`.

    >>> from autograd_mini import hypot, tanh
    >>> tanh(0.0), hypot(3, 4)
    (0.0, 5.0)
    """

    name: str
    function: Callable[..., float]  # plain Python on floats, for compilers too
    rules: Sequence[Callable[..., Any]]  # one for each operand, over (*operands, z)
    parameters: Sequence[str]  # names of the operands in the notation and in messages; see `spelled`
    text: Notation
    tex: Notation
    symbol: str  # the operator between two operands, or the name of a function
    domain: Sequence[Interval]
    doc: str
    kink: Callable[..., float] | None = None  # zero exactly where the rules are not the slopes
    convention: str = ""  # the partials at a kink, in words
    pole: bool = False  # whether the convention is about a slope that is not finite
    defaults: tuple[float, ...] = ()
    methods: tuple[str, ...] = ()
    flat: str = "flat"  # a word for the row where its slope is 0
    neutral: tuple[float | None, float] | None = None  # a constant on the left or right that changes nothing
    beyond: Callable[..., float] | None = None  # the value by IEEE arithmetic where the function raises
    raises: bool = True  # whether the function can raise at all
    chooses: Collection[int] = ()  # the places of operands of which the row chooses one; the others get no derivative
    composed: Callable[..., Any] | None = None  # the same function, composed of other rows
    spelling: Callable[[int], Spelling] | None = None  # for n operands, in a row of any number of operands
    slope: Callable[[int, Sequence[Any], Any], Any] | None = None  # for operand i, in a row of any number of operands
    arity: int | None = field(init=False)  # the number of operands, or None for any number

    @classmethod
    def of(
        cls, name: str, function: Callable[..., float], *rules: Callable[..., Any], **columns: Unpack[Columns]
    ) -> Op:
        """Make a row. Columns that are not given follow from its name and its number of rules."""
        if unknown := columns.keys() - Columns.__annotations__.keys():
            raise TypeError(
                f"{name}: there is no column {min(unknown)!r}; the columns are {', '.join(Columns.__annotations__)}"
            )
        n = len(rules)
        parameters = columns.get("parameters") or (("x", "y")[:n] if n < 3 else tuple(f"x{i + 1}" for i in range(n)))
        places = ", ".join(f"<{parameter}>" for parameter in parameters)
        text = columns.get("text") or f"{name}({places})"
        if isinstance(text, str):
            text = Notation(text, Level.ATOM, (Level.COMPARISON,) * n)
        tex = columns.get("tex") or f"{_in_latex(name)}({places})"
        if isinstance(tex, str):  # in LaTeX, a function call under a power gets brackets: (sin(x))^2
            tex = Notation(tex, min(text.level, Level.POWER), text.levels)
        filled: dict[str, Any] = {"symbol": name, "domain": (Interval(),) * n, "doc": f"Apply {name}.", **columns}
        return cls(name, function, rules, **{**filled, "parameters": parameters, "text": text, "tex": tex})

    def __post_init__(self) -> None:
        object.__setattr__(self, "arity", len(self.rules) if self.spelling is None else None)
        parameters = [Parameter("operands", Parameter.VAR_POSITIONAL)]
        if self.composed is None:
            n = len(self.rules) - len(self.defaults)
            parameters = [
                Parameter(name, Parameter.POSITIONAL_ONLY, default=self.defaults[i - n] if i >= n else Parameter.empty)
                for i, name in enumerate(self.parameters)
            ]
        shown = {
            "__doc__": self.doc + (f"\n\nConvention: {self.convention}." if self.convention else ""),
            "__name__": self.name,
            "__qualname__": self.name,
            "__signature__": Signature(parameters),
        }
        for name, value in shown.items():  # help() and completion read these
            object.__setattr__(self, name, value)

    @property
    def infix(self) -> bool:
        """Return whether the row is written with an operator, such as `x + y` and `-x`, not as a call."""
        return self.text.level < Level.ATOM and self.arity in (1, 2)

    def spelled(self, n: int) -> Spelling:
        """Return the names, the text and the LaTeX for n operands.

        >>> from autograd_mini.ops import dot, mul
        >>> mul.spelled(2).text.template, dot.spelled(5).text.template
        ('<x> * <y>', '<w1>*<x1> + <w2>*<x2> + <b>')
        """
        if self.spelling is not None:
            return self.spelling(n)
        return Spelling(self.parameters, self.text, self.tex, range(len(self.parameters)))

    def lacking(self, n: int) -> tuple[float, ...]:
        """Return the default operands that follow n operands in a call.

        Raises:
            TypeError: the row does not take n operands.
        """
        if n == self.arity or (self.arity is None and n > 1):
            return ()
        if self.arity is None:
            raise TypeError(f"{self.name} takes two or more operands, {n} given")
        missing = self.arity - n
        if not 0 < missing <= len(self.defaults):
            from .hints import instead_of_operands

            raise TypeError(
                f"{self.name}({', '.join(self.parameters)}) takes {self.arity} "
                f"operand{'s' * (self.arity > 1)}, {n} given{instead_of_operands(self.name, n, self.arity)}"
            )
        return self.defaults[-missing:]

    @overload
    def __call__(  # type: ignore[overload-overlap]  # no operand at all is an error in both
        self, *operands: float
    ) -> float: ...
    @overload
    def __call__(self, x: T, /, *operands: T | SupportsFloat) -> T: ...
    @overload
    def __call__(self, *operands: T | float) -> T: ...
    def __call__(self, *operands: Operand) -> Operand:
        """Apply the row."""
        if len(operands) != self.arity:
            operands += self.lacking(len(operands))
        plain = True
        for operand in operands:
            if isinstance(operand, Recorder):
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
        """Return whether `custom_rule` made the row, so the row is not in the table."""
        return self.composed is None and OPS.get(self.name) is not self.row

    def local(self, i: int, operands: Sequence[Operand], z: Operand) -> Operand:
        """Apply the rule for operand i. Among many operands, read only those that the rule needs."""
        return self.rules[i](*operands, z) if self.slope is None else self.slope(i, operands, z)

    def partial(self, index: int, operands: tuple[float, ...], z: float) -> float:
        r"""Return the local derivative $\partial z / \partial x_{index}$ as a float.

        At a pole of the rule the result follows IEEE arithmetic, for example inf for sqrt at 0. So the function keeps
        its value, and the edge shows the problem.

        >>> from autograd_mini import sqrt
        >>> sqrt.partial(0, (4.0,), 2.0), sqrt.partial(0, (0.0,), 0.0)
        (0.25, inf)
        """
        try:
            slope = self.local(index, operands, z)
            if isinstance(slope, float):
                return slope if type(slope) is float else float(slope)
            if type(slope) is not complex:  # Python returns a complex number for a power of a negative float
                return number(f"{self}: its rule for {self.spelled(len(operands)).parameters[index]}", slope)
            error: Exception = ValueError("a complex number")
        except (ArithmeticError, ValueError) as raised:
            error = raised
        try:
            return by_limits(self.rules[index], (*operands, z))
        except (ArithmeticError, ValueError, TypeError, AttributeError):  # the rule's own error
            names = self.spelled(len(operands)).parameters
            places = ", ".join(f"{name}={x!r}" for name, x in zip(names, operands, strict=True))
            raise type(error)(
                f"{error}: the derivative of {self.name}({places}) with respect to {names[index]}"
            ) from None

    @property
    def row(self) -> Op:
        """Return the row itself, for a row and for its `limit`.

        >>> from autograd_mini import sqrt
        >>> sqrt.limit.row is sqrt.row is sqrt
        True
        """
        return self

    @cached_property
    def limit(self) -> Op:
        """Return the version of the row for rules: it follows IEEE arithmetic where the function raises an error.

        Everything else is the same. A row that cannot raise an error is its own limit.

        >>> from autograd_mini import add, div, log
        >>> div.limit(1.0, 0.0), log.limit(0.0), add.limit is add
        (inf, -inf, True)
        """
        return _Limit(self) if self.raises else self

    @cached_property
    def stops(self) -> frozenset[int]:
        """Return the places of the operands whose rule is the constant 0: they get no derivative.

        >>> from autograd_mini import mul, where
        >>> sorted(where.stops), sorted(mul.stops)
        ([0], [])
        """
        if self.composed is not None:  # of many operands only the first may be an index
            return frozenset([0] if _is_constant_zero(self.rules[0], self.arity or 3) else [])
        return frozenset(i for i, rule in enumerate(self.rules) if _is_constant_zero(rule, len(self.rules)))

    @property
    def formulas(self) -> Sequence[Callable[..., Any]]:
        """Return the rules for recorders without numbers. A rule that needs numbers becomes a row of its own.

        >>> from autograd_mini import exp
        >>> step = custom_rule(lambda x, z: 1.0 if x > 0 else 0.5)(lambda x: max(x, x / 2))
        >>> step.formulas, exp.formulas == exp.rules
        ((<op dlambda_dx>,), True)
        """
        if self.composed is not None:
            return self.rules
        return tuple(_opaque(self, i) if _asks(self, i) else rule for i, rule in enumerate(self.rules))

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Write the short form. Without this, IPython and Hypothesis would list the fields."""
        printer.text(repr(self))

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> str | tuple[object, ...]:
        return str(vars(self)["__qualname__"])  # pickled by reference, like functions


class _Twin(Op):
    """A copy of a row with some attributes changed by a subclass."""

    def __init__(self, row: Op) -> None:
        vars(self).update(vars(row), original=row)

    @property
    def row(self) -> Op:
        row: Op = vars(self)["original"]
        return row


class _Limit(_Twin):
    """The twin of a row whose function follows IEEE arithmetic where the row's function raises an error."""

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
            return by_limits(row.function, numbers)
        except (ArithmeticError, ValueError, TypeError, AttributeError):  # the function's own error
            return nan

    def __reduce__(self) -> tuple[object, ...]:
        return getattr, (self.row, "limit")


class Guard(_Twin):
    """The twin of `where` for rules of the table: it makes an exception at a point. Formulas leave it out.

    It is not a choice: at such a point the slope of the rule is not known, and it is not 0.
    """

    def __init__(self, row: Op) -> None:
        super().__init__(row)
        vars(self).update(chooses=())

    def __reduce__(self) -> str:
        return "guard"


class Unknown(Recorder):
    """An operand without a known number. Every result computed from it is another `Unknown`."""

    __slots__ = ()

    def record(self, op: Op, operands: tuple[Operand, ...]) -> Unknown:
        """Return another unknown."""
        return Unknown()

    def __eq__(self, other: object) -> bool:
        raise TypeError("this number is not known")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("this number is not known")


def _is_constant_zero(rule: Callable[..., Any], arity: int) -> bool:
    """Return whether a rule is the constant 0 for all operands."""
    try:
        slope = rule(*[Unknown()] * (arity + 1))
    except Exception:  # it needs numbers, so it is no constant
        return False
    return isinstance(slope, (int, float)) and slope == 0


@lru_cache(1024)  # limited, because users may make many rows
def _asks(op: Op, index: int) -> bool:
    """Return whether a rule needs numbers, as in `if x > 0` or `math.cos(x)`."""
    try:
        op.rules[index](*[Unknown()] * (len(op.rules) + 1))
    except (TypeError, AttributeError):
        return True
    return False


def _in_latex(name: str) -> str:
    r"""Return the name of a function in LaTeX. Without `\mathrm`, MathJax writes log1p as log 1p."""
    word = name.replace("_", " ")
    if any(letter.isdigit() for letter in word):
        word = rf"\mathrm{{{word}}}"
    return rf"\operatorname{{{word}}}"


@lru_cache(1024)  # limited, because users may make many rows
def _opaque(op: Op, index: int) -> Op:
    """Return a rule as a row whose operands are the row's operands and its result."""
    x, parameters = op.parameters[index], (*op.parameters, "z")
    return Op.of(
        f"d{op.name}_d{x}",
        op.rules[index],
        *[lambda *_: nan] * len(parameters),
        tex=rf"\frac{{\partial {_in_latex(op.name)}}}{{\partial {x}}}({', '.join(f'<{name}>' for name in parameters)})",
        doc=f"The derivative of {op.name} with respect to {x}.",
        parameters=parameters,
    )


WORDS: Final = {
    ZeroDivisionError: "division by zero",
    OverflowError: "math range error",
    ValueError: "math domain error",
}


def refuse(error: Exception, op: Op, places: Iterable[str]) -> NoReturn:
    """Raise the error again, with the name of the row and its operands.

    For rows of the table, the text is the same on every Python. For a user's row, the text of the error stays.

    >>> from autograd_mini import log
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
    except Exception:  # the class needs other arguments, like json.JSONDecodeError
        error.add_note(message)
    raise error


NUMBERS_ONLY: Final = frozenset(["Value", "Value.data", "Value.grad", "backward", "lr"])  # they take no Value
TOO_LARGE: Final = "a number is too large for a float, the largest of which is 1.8e308"


def number(op: Op | str, operand: object) -> float:
    """Return a plain number as a float, or raise a TypeError that names the op and the operand."""
    if type(operand) is float:
        return operand
    if getattr(getattr(operand, "dtype", None), "kind", "") in (
        "m",
        "M",
    ):  # NumPy counts dates and durations as integers
        raise TypeError(f"{op}: cannot use {operand!r}, which is a time; give a number, such as its seconds")
    if isinstance(operand, Real):
        try:
            return float(operand)
        except OverflowError:
            raise OverflowError(f"{op}: {TOO_LARGE}") from None
    if getattr(operand, "ndim", None) == 0:  # an array or tensor that holds one number
        if getattr(operand, "mask", False):
            raise TypeError(f"{op}: cannot use {operand!r}, which is masked and has no number")
        inner = operand.item()  # type: ignore[attr-defined]  # an object with ndim 0 has `item`
        if isinstance(inner, Real):
            return number(op, inner)
    if hasattr(operand, "to_numpy"):
        raise TypeError(f"{op}: cannot use a {type(operand).__name__}; give its numbers, .to_numpy()")
    raise TypeError(f"{op}: cannot use {operand!r} of type {type(operand).__name__}; {_instead(op, operand)}")


def _instead(op: Op | str, operand: object) -> str:
    """Return advice on what to use instead of an operand that is no real number."""
    if isinstance(operand, Recorder):
        return "use its number, .data"
    if isinstance(operand, Decimal):
        return f"use float({str(operand)!r})"
    if hasattr(operand, "ndim"):
        return "for an array, use np.exp and similar functions, or np.vectorize(f, otypes=[object])"
    if operand is None and op == "Value.grad":
        return "use 0.0"
    return "use a number" if op in NUMBERS_ONLY else "use a number or a Value"


def listed(name: str, xs: Any) -> list[Any]:
    """Return the numbers in a new list, or raise a TypeError if the argument is one number or a matrix."""
    if type(xs) is list or type(xs) is tuple:  # the usual case, without a look at abstract classes, which takes longer
        return list(xs)
    if isinstance(xs, (Recorder, Real)):
        raise TypeError(f"{name}: give a list of numbers, not {xs!r} alone")
    if getattr(xs, "ndim", 1) > 1:
        raise TypeError(f"{name}: give a list of numbers, not an array of shape {xs.shape}; x.ravel() has all of them")
    return list(xs)


def custom_rule(*rules: Callable[..., Any], **columns: Unpack[Columns]) -> Callable[[Callable[..., float]], Op]:
    r"""Make an op of your own from a function of floats and its partial derivatives.

    Like a row of the table, it takes numbers and Values, and it works in all parts of the package. It is a function,
    not a method. Derivatives of higher order come from the rules, if you write these with operators and the package's
    functions. A rule that calls `math` is enough for first derivatives. The slope of such a rule is not known, so
    second derivatives are nan: write `ag.cos(x)` instead of `math.cos(x)`.

    Args:
        rules: one function for each operand; its arguments are the operands and the result z.
        columns: other columns of the row: `text` and `tex` with the parameters' names, such as `<x>`, `domain`,
            `kink`, `convention`, ...

    Raises:
        TypeError: the numbers of parameters and of rules differ, or a row has no such column.

    >>> @custom_rule(lambda x, z: 3 * x**2)
    ... def cube(x):
    ...     return x**3
    >>> cube(2.0), cube.partial(0, (2.0,), 8.0)
    (8.0, 12.0)
    """

    def decorate(function: Callable[..., float]) -> Op:
        parameters = tuple(signature(function).parameters)
        if not all(map(callable, rules)):
            raise TypeError(f"custom_rule: the rules must be functions, not {rules!r}")
        if not rules or len(parameters) != len(rules):
            raise TypeError(
                f"custom_rule: {function.__name__}({', '.join(parameters)}) needs one rule for each operand, "
                f"{len(rules)} given"
            )
        name = function.__name__.strip("<>")
        given: Columns = {
            "doc": function.__doc__ or f"Apply {name}.",
            "parameters": parameters,
            "defaults": function.__defaults__ or (),
            **columns,
        }
        op = Op.of(name, function, *rules, **given)
        object.__setattr__(op, "__module__", function.__module__)
        object.__setattr__(op, "__qualname__", function.__qualname__)
        return op

    return decorate
