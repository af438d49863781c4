"""The table of operations: an op is a row, and a row is a callable.

This module owns the facts about each op: its float function, its partial derivatives, its notation, its domain and its
convention at a kink. The rules are written once, with the rows themselves. So one line works for floats, nodes, LaTeX
and compilers: every subclass of `Recorder` can run the rules, because its `record` applies a row. This module must not
know any recorder.

Other modules import everything about ops from here. `op` has the class of a row, `spelling` its notation, `recorder`
the hook, and `special` the functions of floats that are longer than a line.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from math import inf, nan
from typing import TYPE_CHECKING, Any, Final, NoReturn, Unpack

from . import special
from .limits import Extended
from .op import (
    TOO_LARGE as TOO_LARGE,
    Columns,
    Guard,
    Interval as Interval,
    Op as Op,
    custom_rule as custom_rule,
    listed as listed,
    number as number,
    refuse as refuse,
)
from .recorder import METHODS as METHODS, OPS as OPS, Operand, Recorder as Recorder
from .spelling import Constant as Constant, Level as Level, Mapped, Notation as Notation, Spelling, shortened

if TYPE_CHECKING:
    from .signatures import Binary, Ternary, Unary, UnarySloped

SECTIONS: dict[str, list[Op]] = {}  # the rows under each heading of the table

TINY: Final = 2.0**-1022  # the smallest normal number
REAL = Interval()
POSITIVE = Interval(lo=0.0)
NOT_NEGATIVE = Interval(lo=0.0, closed_lo=True)
NOT_ZERO = Interval(hole=0.0)
SHARE = Interval(0.0, 1.0)
UNIT = Interval(-1.0, 1.0, closed_lo=True, closed_hi=True)
OPEN_UNIT = Interval(-1.0, 1.0)

S, Q, P, W = Level.SUM, Level.QUOTIENT, Level.PRODUCT, Level.POWER
A, C = Level.ATOM, Level.COMPARISON

LN2 = Constant(math.log(2.0), "ln 2", r"\ln 2")
LN10 = Constant(math.log(10.0), "ln 10", r"\ln 10")
ROOT_2 = Constant(math.sqrt(2.0), "√2", r"\sqrt{2}")
ROOT_2_PI = Constant(math.sqrt(2.0 * math.pi), "√(2π)", r"\sqrt{2 \pi}")
HALF_ROOT_PI = Constant(0.5 * math.sqrt(math.pi), Notation("√π/2", P), Notation(r"\frac{\sqrt{\pi}}{2}", W))
TWO_BY_ROOT_PI = Constant(2.0 / math.sqrt(math.pi), Notation("2/√π", P), Notation(r"\frac{2}{\sqrt{\pi}}", W))
MINUS_TWO_BY_ROOT_PI = Constant(-2.0 / math.sqrt(math.pi), Notation("-2/√π", S), Notation(r"-\frac{2}{\sqrt{\pi}}", S))
DEGREES = Constant(180.0 / math.pi, Notation("180/π", P), Notation(r"\frac{180}{\pi}", W))
RADIANS = Constant(math.pi / 180.0, Notation("π/180", P), Notation(r"\frac{\pi}{180}", W))


def _section(title: str) -> None:
    """Begin a section of the table."""
    SECTIONS[title] = []


def _row(name: str, function: Callable[..., float], *rules: Callable[..., Any], **columns: Unpack[Columns]) -> Any:
    """Add a row to the table. The annotation beside it has the number of operands, for type checkers.

    A row without the column `beyond`, the value where its function raises an error, cannot raise one.
    """
    given: Columns = {"methods": (name,), "raises": "beyond" in columns, **columns}
    op = Op.of(name, function, *rules, **given)
    object.__setattr__(op, "__module__", __name__)  # pickle looks here
    OPS.setdefault(name, op)  # if the table is compiled, its source is run again for reading: see source.source_row
    for method in op.methods:
        METHODS.setdefault(method, op)
    SECTIONS[next(reversed(SECTIONS))].append(op)
    return op


# Functions and rules that are longer than a line.


def _pow(x: float, y: float) -> float:
    if -inf < x < 0.0 and -inf < y < inf and y != math.floor(y):  # here Python's ** returns a complex number
        raise ValueError("math domain error")
    return float(x**y)


def _pow_slope(x: Operand, y: Operand, z: Operand) -> Operand:
    if isinstance(y, Recorder):
        # The slope of x**0 is 0, also where x**-1 is inf or nan: at 0, close to 0, and at nan. The guard must not hold
        # on the whole line y = 0, because the slope would be a constant there. For negative x there is no slope with
        # respect to y.
        return guard(equal(y, 0.0) * (1.0 - greater(x, TINY)), 0.0, y * x ** (y - 1.0))
    if y == 0.0:
        return y if isinstance(x, Recorder) or x > TINY else 0.0
    return y * x if y == 2.0 else y * x ** (y - 1.0)


def _pow_slope_in_y(x: Operand, y: Operand, z: Operand) -> Operand:
    at_zero = equal(z, 0.0)
    if not isinstance(z, Recorder) or z.first_order:
        return guard(at_zero, 0.0, z * log(x))
    # At x = 0 the slope is 0, but its own slopes are slopes of a power. powlog has these, and log is not called there.
    return guard(at_zero, powlog(x, y, 1.0), z * log(guard(at_zero, 1.0, x)))


def _sigmoid(x: float) -> float:
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)  # not 1 / (1 + exp(-x)), which overflows
    return e / (1.0 + e)


def _softplus(x: float) -> float:
    return (x if x > 0.0 else 0.0) + math.log1p(math.exp(-math.fabs(x)))


def _sigmoid_as_slope(x: Operand) -> Operand:
    r"""Return the sigmoid as a slope.

    If it will be differentiated, return $e^{\log \sigma(x)}$, because the sigmoid's own slope is 0 for x > 37.
    """
    return exp(log_sigmoid(x)) if isinstance(x, Recorder) and not x.first_order else sigmoid(x)


def _are_minus_inf(x: Operand, y: Operand) -> Operand:
    return equal(x, -inf) * equal(y, -inf)


# The table. A row begins with its mathematics: the function, one rule for each operand, and the notation. Its domain,
# its conventions and its sentence follow below.
# fmt: off

_section("Arithmetic")
add: Binary      = _row("add",      lambda x, y: x + y, lambda x, y, z: 1.0,
                                                        lambda x, y, z: 1.0,
    text=Notation("<x> + <y>", S, (S, Q)), tex="<x> + <y>", symbol="+",
    methods=(), doc="Add, $x + y$.")
sub: Binary      = _row("sub",      lambda x, y: x - y, lambda x, y, z: 1.0,
                                                        lambda x, y, z: -1.0,
    text=Notation("<x> - <y>", S, (S, Q)), tex="<x> - <y>", symbol="−",
    methods=(), doc="Subtract, $x - y$.")
excess: Binary   = _row("excess",   lambda x, y: 0.0 if x == y == math.inf else x - y,
                                    lambda x, y, z: 1.0,
                                    lambda x, y, z: -1.0, tex=Notation("<x> - <y>", S, (S, Q)),
    methods=(), convention="0 where both are inf",
    doc=r"Take the excess of x over y, $x - y$, or 0 if both are $\infty$: the largest of some numbers has no excess "
        "over itself.")
mul: Binary      = _row("mul",      lambda x, y: x * y, lambda x, y, z: y,
                                                        lambda x, y, z: x,
    text=Notation("<x> * <y>", P, (P, W)), tex=r"<x> \cdot <y>", symbol="×",
    methods=(), neutral=(1.0, 1.0), doc="Multiply, $x y$.")
div: Binary      = _row("div",      lambda x, y: x / y, lambda x, y, z: 1.0 / y,
                                                        lambda x, y, z: -z / y,
    text=Notation("<x> / <y>", Q, (P, W)), tex=Notation(r"\frac{<x>}{<y>}", W, (C, C)), symbol="÷",
    domain=(REAL, NOT_ZERO), methods=(), neutral=(None, 1.0), beyond=special.div_beyond, doc="Divide, $x / y$.")
mod: Binary      = _row("mod",      lambda x, y: x % y, lambda x, y, z: 1.0,
                                                        lambda x, y, z: -floordiv(x, y),
    text=Notation("<x> % <y>", Q, (P, W)), tex=r"<x> \bmod <y>", symbol="%",
    domain=(REAL, NOT_ZERO), methods=(), beyond=special.undefined_of_two,
    kink=special.to_next_multiple, convention="it jumps at the multiples of y; the slopes there are those of one side",
    doc=r"Take the remainder of a division, $x - y \lfloor x / y \rfloor$, with the sign of y, as in Python.")
floordiv: Binary = _row("floordiv", lambda x, y: x // y,
                                    lambda x, y, z: 0.0,
                                    lambda x, y, z: 0.0,
    text=Notation("<x> // <y>", Q, (P, W)), symbol="//",
    tex=Notation(r"\left\lfloor \frac{<x>}{<y>} \right\rfloor", W, (C, C)),
    domain=(REAL, NOT_ZERO), methods=(), beyond=special.div_beyond,
    kink=special.to_next_multiple, convention="the derivative is 0 everywhere",
    doc=r"Divide and round down to a whole number, $\lfloor x / y \rfloor$, as in Python.")
neg: Unary       = _row("neg",      lambda x: -x,       lambda x, z: -1.0,
    text=Notation("-<x>", S, (W,)), tex="-<x>", symbol="−",
    methods=("neg", "negative"), doc="Negate, $-x$.")
pow: Binary      = _row("pow",      _pow,               _pow_slope,
                                                        _pow_slope_in_y,
    text=Notation("<x>**<y>", W, (A, W)), tex=Notation("<x>^{<y>}", W, (A, C)), symbol="^",
    domain=(POSITIVE, REAL), methods=(), neutral=(None, 1.0), beyond=special.pow_beyond,
    convention="a negative base needs a whole exponent; 0 ** 0 = 1, with slope 0 in the base",
    doc="Raise to a power, $x^y$.")
powlog: Ternary  = _row("powlog",   special.powlog,
                                    lambda x, y, k, z: y * powlog(x, y - 1.0, k) + k * powlog(x, y - 1.0, k - 1.0),
                                    lambda x, y, k, z: powlog(x, y, k + 1.0),
                                    lambda x, y, k, z: nan,
    tex=Notation(r"<x>^{<y>} \cdot \log(<x>)^{<k>}", P, (A, C, C)),
    parameters=("x", "y", "k"), domain=(POSITIVE, REAL, POSITIVE), methods=(), beyond=special.powlog_beyond,
    convention="0 at x = 0 for y > 0; k is a whole number and has no derivative (nan); 0 for k < 0",
    doc=r"Multiply a power by a power of the logarithm, $x^y (\log x)^k$: the k-th derivative of $x^y$ with respect "
        "to y.")
abs: Unary       = _row("abs",      math.fabs,          lambda x, z: sign(x),            tex=r"\left|<x>\right|",
    kink=lambda x: x, convention="abs'(0) = 0", methods=("abs", "absolute", "fabs"),
    doc="Take the absolute value, $|x|$.")
# -0.0 + 0.0 is 0.0, so the slope at -0.0 is inf, too.
sqrt: Unary      = _row("sqrt",     math.sqrt,          lambda x, z: 0.5 / (z + 0.0),    tex=r"\sqrt{<x>}",
    domain=(NOT_NEGATIVE,), convention="sqrt'(0) = inf", pole=True, beyond=special.undefined,
    doc=r"Take the square root, $\sqrt{x}$.")
root: Unary      = _row("root",     math.sqrt,          lambda x, z: guard(equal(z, 0.0), 0.0, 0.5 / z),
    tex=r"\sqrt{<x>}",
    domain=(NOT_NEGATIVE,), kink=lambda x: x, convention="root'(0) = 0", methods=(), beyond=special.undefined,
    doc=r"Take the square root of a sum of squares, $\sqrt{x}$, with slope 0 at 0: the last step to a length.")
cbrt: Unary      = _row("cbrt",     math.cbrt,          lambda x, z: 1.0 / (3.0 * z**2), tex=r"\sqrt[3]{<x>}",
    kink=lambda x: x, convention="cbrt'(0) = inf", pole=True, doc=r"Take the cube root, $\sqrt[3]{x}$.")
hypot: Binary    = _row("hypot",    math.hypot,         lambda x, y, z: guard(equal(z, 0.0), 0.0, x / z),
                                                        lambda x, y, z: guard(equal(z, 0.0), 0.0, y / z),
    kink=math.hypot, convention="both partials are 0 at the origin",
    doc=r"Take the length of the hypotenuse, $\sqrt{x^2 + y^2}$.")

_section("Exponentials and logarithms")
exp: Unary        = _row("exp",       math.exp,          lambda x, z: z,                tex="e^{<x>}",
    beyond=special.infinite, doc="Raise e to a power, $e^x$.")
exp2: Unary       = _row("exp2",      math.exp2,         lambda x, z: z * LN2,          tex="2^{<x>}",
    beyond=special.infinite, doc="Raise 2 to a power, $2^x$.")
expm1: Unary      = _row("expm1",     math.expm1,        lambda x, z: exp(x),
    beyond=special.infinite, doc="Take the exponential minus one, $e^x - 1$, exact near 0.")
log: Unary        = _row("log",       math.log,          lambda x, z: 1.0 / x,          tex=r"\log(<x>)",
    domain=(POSITIVE,), beyond=special.log_beyond, doc=r"Take the natural logarithm, $\log x$.")
log1p: Unary      = _row("log1p",     math.log1p,        lambda x, z: 1.0 / (1.0 + x),
    domain=(Interval(lo=-1.0),), beyond=lambda x: -inf if x == -1.0 else nan,
    doc=r"Take the logarithm of one plus x, $\log(1 + x)$, exact near 0.")
log2: Unary       = _row("log2",      math.log2,         lambda x, z: 1.0 / (x * LN2),  tex=r"\log_2(<x>)",
    domain=(POSITIVE,), beyond=special.log_beyond, doc=r"Take the logarithm to base 2, $\log_2 x$.")
log10: Unary      = _row("log10",     math.log10,        lambda x, z: 1.0 / (x * LN10), tex=r"\log_{10}(<x>)",
    domain=(POSITIVE,), beyond=special.log_beyond, doc=r"Take the logarithm to base 10, $\log_{10} x$.")
xlogy: Binary     = _row("xlogy",     lambda x, y: 0.0 if x == 0.0 and y >= 0.0 else x * math.log(y),
                                      lambda x, y, z: log(y),
                                      lambda x, y, z: guard(equal(x, 0.0) * equal(y, 0.0), 0.0, x / y),
    domain=(REAL, POSITIVE), convention="0 log 0 = 0", beyond=lambda x, y: x * special.log_beyond(y),
    doc=r"Multiply by a logarithm, $x \log y$, which is 0 at $x = 0$ (the entropy's convention).")
logaddexp: Binary = _row("logaddexp", special.logaddexp,
                                      lambda x, y, z: guard(_are_minus_inf(x, y), 0.5, _sigmoid_as_slope(excess(x, y))),
                                      lambda x, y, z: guard(_are_minus_inf(x, y), 0.5, _sigmoid_as_slope(excess(y, x))),
    convention="two infinite numbers share the derivative equally",
    doc=r"Add in logarithms, $\log(e^x + e^y)$, without overflow.")
logit: Unary      = _row("logit",     special.logit,     lambda x, z: 1.0 / x + 1.0 / (1.0 - x),
    domain=(SHARE,), beyond=lambda x: -inf if x == 0.0 else inf if x == 1.0 else nan,
    doc=r"Take the logarithm of the odds, $\log \frac{x}{1 - x}$, the inverse of the sigmoid.")

_section("Trigonometry")
sin: Unary     = _row("sin",     math.sin,     lambda x, z: cos(x),                             tex=r"\sin(<x>)",
    beyond=special.undefined, doc=r"Take the sine of an angle in radians, $\sin x$.")
cos: Unary     = _row("cos",     math.cos,     lambda x, z: -sin(x),                            tex=r"\cos(<x>)",
    beyond=special.undefined, doc=r"Take the cosine of an angle in radians, $\cos x$.")
tan: Unary     = _row("tan",     math.tan,     lambda x, z: 1.0 + z**2,                         tex=r"\tan(<x>)",
    kink=math.cos, convention="a pole at the odd multiples of pi/2, none of them a float", beyond=special.undefined,
    doc=r"Take the tangent of an angle in radians, $\tan x$.")
asin: Unary    = _row("asin",    math.asin,    lambda x, z: 1.0 / sqrt((1.0 - x) * (1.0 + x)),  tex=r"\arcsin(<x>)",
    domain=(UNIT,), convention="asin'(±1) = inf", pole=True, methods=("asin", "arcsin"), beyond=special.undefined,
    doc=r"Take the angle whose sine is x, $\arcsin x$, in radians.")
acos: Unary    = _row("acos",    math.acos,    lambda x, z: -1.0 / sqrt((1.0 - x) * (1.0 + x)), tex=r"\arccos(<x>)",
    domain=(UNIT,), convention="acos'(±1) = -inf", pole=True, methods=("acos", "arccos"), beyond=special.undefined,
    doc=r"Take the angle whose cosine is x, $\arccos x$, in radians.")
atan: Unary    = _row("atan",    math.atan,    lambda x, z: 1.0 / (1.0 + x**2),                 tex=r"\arctan(<x>)",
    methods=("atan", "arctan"), doc=r"Take the angle whose tangent is x, $\arctan x$, in radians.")
atan2: Binary  = _row("atan2",   math.atan2,   lambda x, y, z: y / hypot(x, y) / hypot(x, y),
                                               lambda x, y, z: -x / hypot(x, y) / hypot(x, y),
    kink=lambda x, y: math.hypot(x, y) if y > 0.0 else x, pole=True, methods=("atan2", "arctan2"),
    convention="the partials are nan at the origin, where the angle has no slope",
    doc=r"Take the angle of the point with ordinate x and abscissa y, "
    r"$\operatorname{\mathrm{atan2}}(x, y)$, in radians.")
degrees: Unary = _row("degrees", lambda x: x * (180.0 / math.pi),
                                 lambda x, z: DEGREES,
    methods=("degrees", "rad2deg"), doc=r"Turn radians into degrees, $180 x / \pi$.")
radians: Unary = _row("radians", lambda x: x * (math.pi / 180.0),
                                 lambda x, z: RADIANS,
    methods=("radians", "deg2rad"), doc=r"Turn degrees into radians, $\pi x / 180$.")
sinc: Unary    = _row("sinc",    special.sinc, lambda x, z: sinc_derivative(1.0, x),
    doc=r"Take NumPy's sinc, $\frac{\sin \pi x}{\pi x}$, which is 1 at 0. It has all derivatives at 0.")
sinc_derivative: Binary = _row("sinc_derivative", special.sinc_derivative,
                                                  lambda k, x, z: nan,
                                                  lambda k, x, z: sinc_derivative(k + 1.0, x),
    tex=r"\operatorname{sinc}^{(<k>)}(<x>)",
    parameters=("k", "x"), domain=(POSITIVE, REAL), methods=(), beyond=special.undefined_of_two,
    convention="k is the order, a whole number up to 600, and has no derivative (nan)",
    doc=r"Take the k-th derivative of sinc at x, $\operatorname{sinc}^{(k)}(x)$.")

_section("Hyperbolic functions")
sinh: Unary  = _row("sinh",  math.sinh,  lambda x, z: cosh(x),                       tex=r"\sinh(<x>)",
    beyond=lambda x: math.copysign(inf, x), doc=r"Take the hyperbolic sine, $\sinh x$.")
cosh: Unary  = _row("cosh",  math.cosh,  lambda x, z: sinh(x),                       tex=r"\cosh(<x>)",
    beyond=special.infinite, doc=r"Take the hyperbolic cosine, $\cosh x$.")
tanh: Unary  = _row("tanh",  math.tanh,  lambda x, z: 1.0 - z**2,                    tex=r"\tanh(<x>)",
    flat="saturated", doc=r"Take the hyperbolic tangent, $\tanh x$.")
asinh: Unary = _row("asinh", math.asinh, lambda x, z: 1.0 / hypot(x, 1.0),           tex=r"\operatorname{arsinh}(<x>)",
    methods=("asinh", "arcsinh"), doc=r"Take the inverse hyperbolic sine, $\operatorname{arsinh} x$.")
acosh: Unary = _row("acosh", math.acosh, lambda x, z: 1.0 / (sqrt(x - 1.0) * sqrt(x + 1.0)),
    tex=r"\operatorname{arcosh}(<x>)",
    domain=(Interval(lo=1.0, closed_lo=True),), convention="acosh'(1) = inf", pole=True,
    methods=("acosh", "arccosh"), beyond=special.undefined,
    doc=r"Take the inverse hyperbolic cosine, $\operatorname{arcosh} x$.")
atanh: Unary = _row("atanh", math.atanh, lambda x, z: 1.0 / ((1.0 - x) * (1.0 + x)), tex=r"\operatorname{artanh}(<x>)",
    domain=(OPEN_UNIT,), methods=("atanh", "arctanh"), beyond=special.infinite_at_one,
    doc=r"Take the inverse hyperbolic tangent, $\operatorname{artanh} x$.")

_section("The error and gamma functions")
erf: Unary        = _row("erf",       math.erf,          lambda x, z: TWO_BY_ROOT_PI * exp(-(x**2)),
    flat="saturated", doc=r"Take the error function, $\frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt$.")
erfc: Unary       = _row("erfc",      math.erfc,         lambda x, z: MINUS_TWO_BY_ROOT_PI * exp(-(x**2)),
    flat="saturated", doc=r"Take the complementary error function, $1 - \operatorname{erf} x$.")
erfinv: Unary     = _row("erfinv",    special.erfinv,    lambda x, z: HALF_ROOT_PI * exp(z**2),
    domain=(OPEN_UNIT,), beyond=special.infinite_at_one,
    doc=r"Take the inverse of the error function, the z with $\operatorname{erf} z = x$.")
gamma: Unary      = _row("gamma",     math.gamma,        lambda x, z: z * digamma(x),    tex=r"\Gamma(<x>)",
    domain=(POSITIVE,), beyond=lambda x: nan if x <= -1.0 or x != x else math.copysign(inf, x),
    doc=r"Take the gamma function, $\Gamma(x)$; its derivative needs SciPy.")
lgamma: Unary     = _row("lgamma",    math.lgamma,       lambda x, z: digamma(x),        tex=r"\log\Gamma(<x>)",
    domain=(POSITIVE,), beyond=special.infinite,
    doc=r"Take the logarithm of the gamma function, $\log\Gamma(x)$; its derivative needs SciPy.")
betaln: Binary    = _row("betaln",    special.betaln,    lambda x, y, z: polygamma_gap(0.0, x, y),
                                                         lambda x, y, z: polygamma_gap(0.0, y, x),
    tex=r"\log B(<x>, <y>)",
    domain=(POSITIVE, POSITIVE), beyond=lambda x, y: inf if min(x, y) == 0.0 and max(x, y) < inf else nan,
    doc=r"Take the logarithm of the beta function, $\log \frac{\Gamma(x) \Gamma(y)}{\Gamma(x + y)}$; "
        "its second derivatives need SciPy.")
digamma: Unary    = _row("digamma",   special.digamma,   lambda x, z: polygamma(1.0, x), tex=r"\psi(<x>)",
    domain=(POSITIVE,), beyond=lambda x: -math.copysign(inf, x) if x == 0.0 else nan,
    doc=r"Take the logarithmic derivative of the gamma function, $\psi(x)$; needs SciPy.")
polygamma: Binary = _row("polygamma", special.polygamma, lambda x, y, z: nan,
                                                         lambda x, y, z: polygamma(x + 1.0, y),
    tex=r"\psi^{(<x>)}(<y>)",
    domain=(POSITIVE, POSITIVE), methods=(), beyond=special.undefined_of_two,
    convention="x is the order, a whole number, and has no derivative (nan)",
    doc=r"Take the x-th derivative of digamma at y, $\psi^{(x)}(y)$; needs SciPy.")
polygamma_gap: Ternary = _row("polygamma_gap", special.polygamma_gap,
                              lambda k, x, y, z: nan,
                              lambda k, x, y, z: polygamma_gap(k + 1.0, x, y),
                              lambda k, x, y, z: -polygamma(k + 1.0, x + y),
    tex=Notation(r"\psi^{(<k>)}(<x>) - \psi^{(<k>)}(<x> + <y>)", S, (C, S, S)),
    parameters=("k", "x", "y"), domain=(POSITIVE, POSITIVE, POSITIVE), methods=(),
    beyond=special.polygamma_gap_beyond,
    convention="k is the order, a whole number, and has no derivative (nan)",
    doc=r"Take the gap between two polygammas, $\psi^{(k)}(x) - \psi^{(k)}(x + y)$, to all digits; "
        "its derivative with respect to y needs SciPy.")

_section("Activations")
# The sigmoid's slope is the textbook's z (1 - z). For x > 37, 1 - z rounds to 0, and so does the slope.
sigmoid: Unary     = _row("sigmoid",     _sigmoid,  lambda x, z: z * (1.0 - z), tex=r"\sigma(<x>)",
    flat="saturated", doc=r"Squash into (0, 1), $\sigma(x) = 1 / (1 + e^{-x})$, without overflow on either side.")
softplus: Unary    = _row("softplus",    _softplus, lambda x, z: _sigmoid_as_slope(x),
    flat="saturated", doc=r"Smooth the rectifier, $\log(1 + e^x)$, without overflow on either side.")
log_sigmoid: Unary = _row("log_sigmoid", lambda x: -_softplus(-x),
                                         lambda x, z: _sigmoid_as_slope(-x), tex=r"\log \sigma(<x>)",
    doc=r"Take the logarithm of the sigmoid, $\log \sigma(x) = -\log(1 + e^{-x})$, without overflow on either side.")
relu: Unary        = _row("relu",        lambda x: 0.0 if x <= 0.0 else x,
                                         lambda x, z: greater(x, 0.0),
    kink=lambda x: x, convention="relu'(0) = 0", flat="closed", doc=r"Rectify, $\max(0, x)$.")
leaky_relu: UnarySloped = _row("leaky_relu",  lambda x, y: y * x if x <= 0.0 else x,
                                              lambda x, y, z: where(greater(x, 0.0), 1.0, y),
                                              lambda x, y, z: where(greater(x, 0.0), 0.0, x),
    kink=lambda x, y: x, convention="the slope at 0 is y", defaults=(0.01,),
    doc=r"Rectify with slope y (0.01 unless given) on the left: $x$ for $x > 0$, else $y x$.")
gelu: Unary        = _row("gelu",        lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2.0)),
                                         lambda x, z: 0.5 * erfc(-x / ROOT_2) + x * exp(-(x**2) / 2.0) / ROOT_2_PI,
    doc=r"Weigh by the normal distribution, $x \Phi(x)$, exactly (Hendrycks and Gimpel, 2016).")
silu: Unary        = _row("silu",        lambda x: x * _sigmoid(x),
                                         lambda x, z: sigmoid(x) + z * (1.0 - sigmoid(x)),
    doc=r"Weigh by the sigmoid, $x \sigma(x)$ (Elfwing et al., 2017).")

_section("Passing a value on")
identity: Unary = _row("identity", lambda x: x, lambda x, z: 1.0,
    text=Notation("<x>", A, (A,)), tex=Notation("<x>", W, (A,)),
    methods=("conjugate",), doc="Pass a value on in a new node, $x$.")
stop_gradient: Unary = _row("stop_gradient", lambda x: x, lambda x, z: 0.0,
    kink=lambda x: 0.0, convention="the derivative is 0 everywhere",
    doc="Pass a value on, but no derivative: $x$, with slope 0.")

_section("Choices")
maximum: Binary = _row("maximum", lambda x, y: x if x >= y or x != x else y,
                                  lambda x, y, z: greater(x, y) + 0.5 * equal(x, y),
                                  lambda x, y, z: greater(y, x) + 0.5 * equal(x, y), tex=r"\max(<x>, <y>)",
    kink=lambda x, y: x - y, convention="a tie shares the derivative equally",
    doc=r"Take the larger number, $\max(x, y)$, or nan if either is nan.")
minimum: Binary = _row("minimum", lambda x, y: x if x <= y or x != x else y,
                                  lambda x, y, z: greater(y, x) + 0.5 * equal(x, y),
                                  lambda x, y, z: greater(x, y) + 0.5 * equal(x, y), tex=r"\min(<x>, <y>)",
    kink=lambda x, y: x - y, convention="a tie shares the derivative equally",
    doc=r"Take the smaller number, $\min(x, y)$, or nan if either is nan.")
where: Ternary  = _row("where",   lambda condition, x, y: x if condition else y,
                                  lambda condition, x, y, z: 0.0,
                                  lambda condition, x, y, z: where(condition, 1.0, 0.0),
                                  lambda condition, x, y, z: where(condition, 0.0, 1.0),
    parameters=("condition", "x", "y"), methods=(), chooses=(1, 2),
    convention="the condition has derivative 0; the side that is not chosen gets no derivative, not even 0 times inf",
    doc=r"Choose $x$ if the condition is not 0, else $y$; both are computed first (`cond` computes one).")
guard: Op = Guard(where)
sign: Unary     = _row("sign",    lambda x: x if x != x else float((x > 0.0) - (x < 0.0)),
                                  lambda x, z: 0.0,
    kink=lambda x: x, convention="sign(0) = 0, sign'(x) = 0", doc=r"Take the sign, $-1$, $0$ or $1$.")

_section("Whole numbers")
floor: Unary = _row("floor", special.floor,   lambda x, z: 0.0, tex=r"\lfloor <x> \rfloor",
    kink=special.to_next_whole, convention="the derivative is 0 everywhere",
    doc=r"Round down to a whole number, $\lfloor x \rfloor$, as a float.")
ceil: Unary  = _row("ceil",  special.ceil,    lambda x, z: 0.0, tex=r"\lceil <x> \rceil",
    kink=special.to_next_whole, convention="the derivative is 0 everywhere",
    doc=r"Round up to a whole number, $\lceil x \rceil$, as a float.")
round: Unary = _row("round", special.nearest, lambda x, z: 0.0,
    kink=lambda x: special.to_next_whole(x - 0.5), convention="halves to even; the derivative is 0 everywhere",
    methods=("round", "rint"),
    doc=r"Round to the nearest whole number, $\operatorname{round}(x)$, as a float; halves go to even numbers.")
trunc: Unary = _row("trunc", special.trunc,   lambda x, z: 0.0,
    kink=special.to_next_step, convention="the derivative is 0 everywhere",
    doc=r"Drop the digits after the point, $\operatorname{trunc}(x)$, as a float.")

_section("Comparisons")
greater: Binary = _row("greater", lambda x, y: 1.0 if x > y else 0.0,
                                  lambda x, y, z: 0.0,
                                  lambda x, y, z: 0.0,
    text=Notation("<x> > <y>", C, (S, S)), tex=Notation("[<x> > <y>]", A, (S, S)), symbol=">",
    kink=lambda x, y: x - y, convention="the derivative is 0 everywhere",
    doc=r"Return 1 where $x > y$ and 0 elsewhere.")
greater_equal: Binary = _row("greater_equal", lambda x, y: 1.0 if x >= y else 0.0,
                                              lambda x, y, z: 0.0,
                                              lambda x, y, z: 0.0,
    text=Notation("<x> >= <y>", C, (S, S)), tex=Notation(r"[<x> \ge <y>]", A, (S, S)), symbol="≥",
    kink=lambda x, y: x - y, convention="the derivative is 0 everywhere",
    doc=r"Return 1 where $x \ge y$ and 0 elsewhere.")
equal: Binary   = _row("equal",   lambda x, y: 1.0 if x == y else 0.0,
                                  lambda x, y, z: 0.0,
                                  lambda x, y, z: 0.0,
    text=Notation("<x> == <y>", C, (S, S)), tex=Notation("[<x> = <y>]", A, (S, S)), symbol="=",
    kink=lambda x, y: x - y, convention="the derivative is 0 everywhere",
    doc=r"Return 1 where $x = y$ and 0 elsewhere.")
# fmt: on


class Unguarded(Extended):
    """A float that uses only the formula of a rule, without the exceptions of a `guard`.

    >>> x = z = Unguarded(0.0)
    >>> float(hypot.formulas[0](x, 0.0, z)), hypot.partial(0, (0.0, 0.0), 0.0)
    (nan, 0.0)
    """

    __slots__ = ()

    def record(self, op: Op, operands: tuple[Operand, ...]) -> Extended:  # type: ignore[override]  # after a guard
        """Apply a row."""
        return super().record(op, operands) if op is not guard else Unguarded(self.unwrap(operands[2]))


# Rows of any number of operands: a neuron's sum as one node. `sums.dot`, `sums.sum` and `functions.take` record them.
# A column has an entry for every place, made when it is read. A rule counts the operands that it is given.


class _Everywhere(Sequence[Any]):
    """A column of a row of any number of operands."""

    def __init__(self, at: Callable[[int], Any]) -> None:
        self.at = at

    def __len__(self) -> NoReturn:
        raise TypeError("a row of any number of operands has endless columns; count the operands of a node")

    def __getitem__(self, i: Any) -> Any:
        return self.at(i)


def _many(
    name: str,
    function: Callable[..., Any],
    spelling: Callable[[int], Spelling],
    slope: Callable[[int, Sequence[Any], Any], Any],
    **columns: Any,
) -> Op:
    """Make a row of any number of operands."""
    some = spelling(3)  # every number of operands has the same levels
    given = {"text": some.text, "tex": some.tex, "composed": function, "domain": _Everywhere(lambda i: REAL), **columns}
    rules = _Everywhere(lambda i: lambda *operands: slope(i, operands[:-1], operands[-1]))
    op = Op(name=name, function=function, spelling=spelling, parameters=(), rules=rules, slope=slope, **given)
    object.__setattr__(op, "__module__", __name__)  # pickle looks here
    return op


def _add_all(*xs: Operand) -> Operand:
    return reduce(lambda total, x: total + x, xs)


def _add_products(*operands: Any) -> Any:
    n = len(operands) // 2
    products = [operands[i] * operands[i + n] for i in range(n)]
    return _add_all(*products, *operands[2 * n :])


def _slope_of_dot(i: int, operands: Sequence[Any], z: Any) -> Any:
    """Return the slope: x_i with respect to w_i, w_i with respect to x_i, and 1 with respect to b."""
    n = len(operands) // 2
    return operands[(i + n) % (2 * n)] if i < 2 * n else 1.0


def _choose(index: Any, *xs: Any) -> Any:
    return reduce(lambda rest, k: where(equal(index, float(k)), xs[k], rest), range(len(xs) - 2, -1, -1), xs[-1])


def _spelled_sum(n: int) -> Spelling:
    return _added(Mapped(lambda i: f"x{i + 1}", range(n)), n, lambda k: (k,), Q)


def _spelled_dot(n: int) -> Spelling:
    half = n // 2

    def name(i: int) -> str:
        return "b" if i == 2 * half else f"w{i + 1}" if i < half else f"x{i - half + 1}"

    return _added(Mapped(name, range(n)), n - half, lambda k: (k, k + half) if k < half else (2 * half,), P)


def _added(names: Sequence[str], n: int, places: Callable[[int], tuple[int, ...]], place: Level) -> Spelling:
    """Return the spelling of a sum of n terms, each a product of operands. A long sum has dots in the middle."""
    terms = [() if k is None else places(k) for k in shortened(range(n), 6, ends=2)]
    text = " + ".join("*".join(f"<{names[i]}>" for i in term) or "…" for term in terms)
    tex = text.replace("*", r" \cdot ").replace("…", r"\dots")
    levels = Mapped(lambda i: place, range(len(names)))
    return Spelling(names, Notation(text, S, levels), Notation(tex, S, levels), [i for term in terms for i in term])


def _spelled_take(n: int) -> Spelling:
    names = Mapped(lambda i: f"x{i - 1}" if i else "i", range(n))
    places = shortened(range(1, n), 6, ends=2)
    listed = ", ".join("…" if i is None else f"<{names[i]}>" for i in places)
    tex = rf"\operatorname{{take}}_{{<i>}}({listed})".replace("…", r"\dots")
    levels = Mapped(lambda i: C, range(n))
    shown = [0, *(i for i in places if i is not None)]
    return Spelling(names, Notation(f"take(<i>; {listed})", A, levels), Notation(tex, W, levels), shown)


sum = _many(
    "sum",
    _add_all,
    _spelled_sum,
    slope=lambda i, operands, z: 1.0,
    symbol="Σ",
    doc=r"Add numbers from left to right, $x_1 + x_2 + \dots + x_n$.",
    raises=False,
)
dot = _many(
    "dot",
    _add_products,
    _spelled_dot,
    slope=_slope_of_dot,
    symbol="Σ×",
    doc=r"Add products from left to right, $w_1 x_1 + \dots + w_n x_n$, with $+ b$ if the number of operands is odd. "
    "The operands are all w, then all x, then b.",
    raises=False,
)
take = _many(
    "take",
    lambda index, *xs: xs[int(index)],
    _spelled_take,
    slope=lambda i, operands, z: equal(operands[0], i - 1.0) if i else 0.0,
    composed=_choose,
    symbol="take",
    doc="Choose one of the numbers: the first operand is the index i of one of the others, from 0, $x_i$.",
    chooses=range(1, sys.maxsize),
    beyond=lambda *operands: nan,
)
