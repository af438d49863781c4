r"""Vectors: a few numbers side by side in one register of the processor, as a type of Numba's.

This room owns that type: how its numbers come from arrays and go back, its arithmetic, and the functions of
the table that are computed for all of them at once. A compiler that is left alone with a loop over numbers
does not find these by itself: it must fear that arrays overlap, and it calls `exp` for one number at a
time. Products are rounded together with the sum they enter where the processor can. It must not know
programs; only the loops' text imports it, where Numba is installed.

The functions reduce their operand to a small interval and take a series there (J.-M. Muller, *Elementary
Functions*, 2016, chapter 11); they are within 4 units in the last place, where results
are normal numbers.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core.codegen import get_host_cpu_features
from numba.core.typeconv.castgraph import Conversion
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model

_CHOSEN: str | None = getattr(config, "CPU_FEATURES", None)  # by a variable of Numba's
# Numbers of a vector, a register of the processor.
WIDTH = 8 if "+avx512f" in (get_host_cpu_features() if _CHOSEN is None else _CHOSEN) else 4
FUSED = ("contract",)

# What only kernels call: no way to call it from Python is compiled.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
internal: Any = njit(**_OPTIONS)

INT, FLOAT, NONE = types.intp, types.float64, types.none
ADDRESS, WORDS = types.CPointer(FLOAT), types.CPointer(INT)
# What does one instruction: of all code, the place of its line, indices, numbers, derivatives, and a size.
KERNEL = NONE(WORDS, INT, WORDS, ADDRESS, ADDRESS, INT)

_I1, _I32, _I64 = (ir.VectorType(ir.IntType(bits), WIDTH) for bits in (1, 32, 64))
_F64 = ir.VectorType(ir.DoubleType(), WIDTH)


class Vector(types.Type):
    """The type of `WIDTH` floats; a float becomes one where one is needed."""

    def __init__(self) -> None:
        super().__init__(name=f"Vector{WIDTH}")

    def can_convert_from(self, context: Any, other: Any) -> Any:
        """Say that a number may stand for a vector."""
        return Conversion.safe if isinstance(other, (types.Float, types.Integer)) else None


VECTOR = Vector()


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _F64)


def _function(result: Any, *operands: Any, build: Callable[..., Any]) -> Any:
    """Make a function for Numba of what builds its instructions."""

    def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = build(builder, *args)
        return context.get_dummy_value() if result is NONE else found

    made = signature(result, *operands), lowered
    names = ", ".join("xyzwabc"[: len(operands)])  # Numba counts a function's parameters
    return intrinsic(eval(f"lambda typing, {names}: made", {"made": made}))


def _of_llvm(name: str, result: Any, *operands: Any) -> Callable[..., Any]:
    """Return what calls a function that LLVM has."""
    kind = ir.FunctionType(result, operands)

    def build(builder: Any, *args: Any) -> Any:
        found = builder.module.globals.get(f"llvm.{name}")
        return builder.call(found or ir.Function(builder.module, kind, f"llvm.{name}"), args)

    return build


def _lanes(x: float) -> Any:
    return ir.Constant(_F64, [x] * WIDTH)


def _whole_lanes(*n: int) -> Any:
    return ir.Constant(_I64, list(n) if len(n) > 1 else [*n] * WIDTH)


# The numbers of an array, by its address, and a place that is known to be in it: not counted from the end, not
# checked. An address is one argument of a function, where an array is seven. It does not keep the array.


@intrinsic
def address(typing: Any, d: Any) -> Any:
    """Return where an array's first number is."""

    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return context.make_array(sig.args[0])(context, builder, args[0]).data

    return types.CPointer(d.dtype)(d), build


def _at(builder: Any, d: Any, i: Any) -> Any:
    return builder.bitcast(builder.gep(d, [i]), _F64.as_pointer())


def _first(builder: Any, count: Any) -> Any:
    """Return which lanes are the first so many."""
    return builder.icmp_signed("<", _whole_lanes(*range(WIDTH)), _spread(builder, count, _I64))


def _spread(builder: Any, x: Any, kind: Any = _F64) -> Any:
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, x, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(_I32, [0] * WIDTH))


_DOUBLE = ir.DoubleType().as_pointer()
_POINTER, _ALIGN = _F64.as_pointer(), ir.Constant(ir.IntType(32), 8)
_masked_load = _of_llvm(f"masked.load.v{WIDTH}f64.p0", _F64, _POINTER, ir.IntType(32), _I1, _F64)
_masked_store = _of_llvm(f"masked.store.v{WIDTH}f64.p0", ir.VoidType(), _F64, _POINTER, ir.IntType(32), _I1)


def _load(b: Any, d: Any, i: Any, count: Any = None) -> Any:
    """Return a vector; with a count the first numbers of it, and zeros."""
    if count is None:
        return b.load(_at(b, d, i), align=8)
    return _masked_load(b, _at(b, d, i), _ALIGN, _first(b, count), _lanes(0.0))


def _store(b: Any, d: Any, i: Any, v: Any, count: Any = None) -> Any:
    if count is None:
        return b.store(v, _at(b, d, i), align=8)
    return _masked_store(b, v, _at(b, d, i), _ALIGN, _first(b, count))


words_at = _function(WORDS, INT, build=lambda b, place: b.inttoptr(place, ir.IntType(64).as_pointer()))
numbers_at = _function(ADDRESS, INT, build=lambda b, place: b.inttoptr(place, _DOUBLE))
get = _function(FLOAT, ADDRESS, INT, build=lambda b, d, i: b.load(b.gep(d, [i])))
word = _function(INT, WORDS, INT, build=lambda b, d, i: b.load(b.gep(d, [i])))
put = _function(NONE, ADDRESS, INT, FLOAT, build=lambda b, d, i, x: b.store(x, b.gep(d, [i])))
load = _function(VECTOR, ADDRESS, INT, build=_load)
store = _function(NONE, ADDRESS, INT, VECTOR, build=_store)
load_part = _function(VECTOR, ADDRESS, INT, INT, build=_load)
store_part = _function(NONE, ADDRESS, INT, VECTOR, INT, build=_store)
spread = _function(VECTOR, FLOAT, build=_spread)
lane = _function(FLOAT, VECTOR, build=lambda b, x: b.extract_element(x, ir.Constant(ir.IntType(32), 0)))


def _call(b: Any, place: Any, *args: Any) -> Any:
    return b.call(b.inttoptr(place, ir.FunctionType(ir.VoidType(), [x.type for x in args]).as_pointer()), args)


call = _function(NONE, INT, *KERNEL.args, build=_call)  # what is at an address


# Sums.


def _chosen(b: Any, x: Any, y: Any, places: list[int]) -> Any:
    """Return numbers of two vectors, counted through both."""
    return b.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places))


def _halved(b: Any, x: Any, y: Any, first: list[int], second: list[int]) -> Any:
    """Add numbers of two vectors to others."""
    return b.fadd(_chosen(b, x, y, first), _chosen(b, x, y, second))


def _folded(b: Any, x: Any) -> Any:
    """Return four numbers that have a vector's sum."""
    return x if WIDTH == 4 else _halved(b, x, x, [0, 1, 2, 3], [4, 5, 6, 7])


def _totals(b: Any, x: Any, y: Any, z: Any, w: Any) -> Any:
    """Return the sums of four vectors' numbers."""

    def merged(v: Any, w: Any, *places: int) -> Any:
        first, second = ([four + k for four in range(0, WIDTH, 4) for k in half] for half in (places[:4], places[4:]))
        return _halved(b, v, w, first, second)

    xy, zw = (merged(v, w, 0, WIDTH, 2, WIDTH + 2, 1, WIDTH + 1, 3, WIDTH + 3) for v, w in ((x, y), (z, w)))
    return _folded(b, merged(xy, zw, 0, 1, WIDTH, WIDTH + 1, 2, 3, WIDTH + 2, WIDTH + 3))


def _total(b: Any, x: Any) -> Any:
    x = _folded(b, x)
    x = _halved(b, x, x, [0, 1, 2, 3], [2, 3, 0, 1])
    return b.extract_element(_halved(b, x, x, [0, 1, 2, 3], [1, 0, 3, 2]), ir.Constant(ir.IntType(32), 0))


total = _function(FLOAT, VECTOR, build=_total)


# The numbers of the results from c on, in an array where those of the first are at i and others a step apart.


def _either(b: Any, condition: Any, first: Callable[[], Any], second: Callable[[], Any]) -> Any:
    """Return what one of two builders gives, of which one will run."""
    with b.if_else(condition) as (then, otherwise):
        with then:
            x, end_x = first(), b.block
        with otherwise:
            y, end_y = second(), b.block
    if x is None or not isinstance(x.type, ir.VectorType):
        return None
    z = b.phi(x.type)
    z.add_incoming(x, end_x)
    z.add_incoming(y, end_y)
    return z


def _is(b: Any, n: Any, what: int) -> Any:
    return b.icmp_signed("==", n, ir.Constant(n.type, what))


def _stepped(b: Any, d: Any, i: Any, c: Any, step: Any) -> Any:
    return b.gep(d, [b.add(i, b.mul(c, step))])


def _lane_at(b: Any, place: Any, step: Any, k: int) -> tuple[Any, Any]:
    """Return a lane, and the place of its number."""
    return ir.Constant(ir.IntType(32), k), b.gep(place, [b.mul(step, ir.Constant(step.type, k))])


def _more(b: Any, count: Any, k: int) -> Any:
    return b.icmp_signed(">", count, ir.Constant(count.type, k))


def _read_lanes(b: Any, place: Any, step: Any, count: Any = None) -> Any:
    """Return a vector of which each number is read by itself; with a count the first numbers of it, and zeros."""

    def read(v: Any, k: int) -> Any:
        lane, at = _lane_at(b, place, step, k)
        v = b.insert_element(v, b.load(at), lane)
        if k + 1 == WIDTH - (count is not None):  # a part is less than a vector
            return v
        if count is None:
            return read(v, k + 1)
        return _either(b, _more(b, count, k + 1), lambda: read(v, k + 1), lambda: v)

    return read(_lanes(0.0), 0)


def _each_lane(b: Any, place: Any, step: Any, v: Any, do: Callable[[Any, Any, Any], Any], count: Any = None) -> None:
    """Do something with the place and the number of each lane."""

    def rest(k: int) -> None:
        lane, at = _lane_at(b, place, step, k)
        do(b, at, b.extract_element(v, lane))
        if k + 1 < v.type.count - (count is not None):
            with nullcontext() if count is None else b.if_then(_more(b, count, k + 1)):
                rest(k + 1)

    rest(0)


def _some(b: Any, d: Any, i: Any, c: Any, step: Any) -> Any:
    place, nothing = _stepped(b, d, i, c, step), ir.Constant(step.type, 0)
    return _either(
        b,
        _is(b, step, 1),
        lambda: _load(b, place, nothing),
        lambda: _either(b, _is(b, step, 0), lambda: _spread(b, b.load(place)), lambda: _read_lanes(b, place, step)),
    )


def _give(b: Any, place: Any, x: Any) -> None:
    b.store(b.fadd(b.load(place, align=8), x, flags=FUSED), place, align=8)


def _give_once(b: Any, place: Any, v: Any) -> None:
    _give(b, place, _total(b, v))


def _give_some(b: Any, d: Any, i: Any, c: Any, step: Any, v: Any) -> None:
    place = _stepped(b, d, i, c, step)
    _either(
        b,
        _is(b, step, 1),
        lambda: _give(b, b.bitcast(place, _POINTER), v),
        lambda: _either(
            b, _is(b, step, 0), lambda: _give_once(b, place, v), lambda: _each_lane(b, place, step, v, _give)
        ),
    )


# A part of a vector, less than one. It is read and written number by number: what a mask has written has to reach
# the memory before it can be read.


def _some_part(b: Any, d: Any, i: Any, c: Any, step: Any, count: Any) -> Any:
    place = _stepped(b, d, i, c, step)
    return _either(b, _is(b, step, 0), lambda: _spread(b, b.load(place)), lambda: _read_lanes(b, place, step, count))


def _give_part(b: Any, d: Any, i: Any, c: Any, step: Any, v: Any, count: Any) -> None:
    place = _stepped(b, d, i, c, step)
    repeated = b.and_(_is(b, step, 0), _more(b, count, 1))
    _either(
        b,
        repeated,
        lambda: _give_once(b, place, b.select(_first(b, count), v, _lanes(-0.0))),
        lambda: _each_lane(b, place, step, v, _give, count),
    )


def _read_part(b: Any, d: Any, i: Any, count: Any) -> Any:
    return _read_lanes(b, b.gep(d, [i]), ir.Constant(i.type, 1), count)


def _write_part(b: Any, d: Any, i: Any, v: Any, count: Any) -> None:
    one = ir.Constant(i.type, 1)
    _each_lane(b, b.gep(d, [i]), one, v, lambda b, at, x: b.store(x, at), count)


def _taken_part(b: Any, d: Any, i: Any, count: Any) -> Any:
    v = _read_part(b, d, i, count)
    _write_part(b, d, i, _lanes(-0.0), count)
    return v


def _give_totals(b: Any, d: Any, i: Any, step: Any, *vectors: Any) -> None:
    sums, place = _totals(b, *vectors), b.gep(d, [i])
    _either(
        b,
        _is(b, step, 1),
        lambda: _give(b, b.bitcast(place, sums.type.as_pointer()), sums),
        lambda: _each_lane(b, place, step, sums, _give),
    )


def _taken(b: Any, d: Any, i: Any) -> Any:
    place = b.gep(d, [i])
    x = b.load(place)
    b.store(ir.Constant(x.type, -0.0), place)
    return x


def _taken_some(b: Any, d: Any, i: Any) -> Any:
    v = _load(b, d, i)
    _store(b, d, i, _lanes(-0.0))
    return v


pick = _function(FLOAT, ADDRESS, INT, INT, INT, build=lambda b, *place: b.load(_stepped(b, *place)))
give = _function(
    NONE, ADDRESS, INT, INT, INT, FLOAT, build=lambda b, d, i, c, step, x: _give(b, _stepped(b, d, i, c, step), x)
)
some = _function(VECTOR, ADDRESS, INT, INT, INT, build=_some)
some_part = _function(VECTOR, ADDRESS, INT, INT, INT, INT, build=_some_part)
# What is there, where -0.0 is left, to which anything can be added.
taken = _function(FLOAT, ADDRESS, INT, build=_taken)
taken_some = _function(VECTOR, ADDRESS, INT, build=_taken_some)
taken_part = _function(VECTOR, ADDRESS, INT, INT, build=_taken_part)
read_part = _function(VECTOR, ADDRESS, INT, INT, build=_read_part)
write_part = _function(NONE, ADDRESS, INT, VECTOR, INT, build=_write_part)
give_some = _function(NONE, ADDRESS, INT, INT, INT, VECTOR, build=_give_some)
give_part = _function(NONE, ADDRESS, INT, INT, INT, VECTOR, INT, build=_give_part)
give_totals = _function(NONE, ADDRESS, INT, INT, VECTOR, VECTOR, VECTOR, VECTOR, build=_give_totals)
# The first numbers alone where they are not as many as a vector has.
load_most = _function(
    VECTOR, ADDRESS, INT, INT,
    build=lambda b, d, i, count: _either(
        b, _is(b, count, WIDTH), lambda: _load(b, d, i), lambda: _load(b, d, i, count)
    ),
)  # fmt: skip
store_most = _function(
    NONE, ADDRESS, INT, VECTOR, INT,
    build=lambda b, d, i, v, count: _either(
        b, _is(b, count, WIDTH), lambda: _store(b, d, i, v), lambda: _store(b, d, i, v, count)
    ),
)  # fmt: skip


# Arithmetic, by Python's operators.


@lower_cast(types.Integer, Vector)
@lower_cast(types.Float, Vector)
def _of_number(context: Any, builder: Any, source: Any, target: Any, x: Any) -> Any:
    return _spread(builder, context.cast(builder, x, source, FLOAT))


def _operation(sign: Any, arity: int, build: Callable[..., Any]) -> None:
    """Give vectors an operator."""
    operands = [VECTOR] * arity
    infer_global(sign)(type("_Template", (ConcreteTemplate,), {"cases": [signature(VECTOR, *operands)]}))
    lower_builtin(sign, *operands)(lambda context, builder, sig, args: build(builder, *args))


_operation(operator.add, 2, lambda b, x, y: b.fadd(x, y, flags=FUSED))
_operation(operator.sub, 2, lambda b, x, y: b.fsub(x, y, flags=FUSED))
_operation(operator.mul, 2, lambda b, x, y: b.fmul(x, y, flags=FUSED))
_operation(operator.truediv, 2, lambda b, x, y: b.fdiv(x, y))
_operation(operator.neg, 1, lambda b, x: b.fneg(x))


# Comparisons, and what chooses: with Python's answers where a number is nan.


def _comparison(sign: str) -> Any:
    return _function(
        VECTOR, VECTOR, VECTOR, build=lambda b, x, y: b.select(b.fcmp_ordered(sign, x, y), _lanes(1.0), _lanes(0.0))
    )


def _extreme(sign: str) -> Any:
    """Make the function that chooses x where the comparison with y holds or x is nan, else y."""

    def build(b: Any, x: Any, y: Any) -> Any:
        return b.select(b.or_(b.fcmp_ordered(sign, x, y), b.fcmp_unordered("uno", x, x)), x, y)

    return _function(VECTOR, VECTOR, VECTOR, build=build)


v_greater, v_greater_equal, v_equal = _comparison(">"), _comparison(">="), _comparison("==")
v_maximum, v_minimum = _extreme(">="), _extreme("<=")
v_where = _function(
    VECTOR, VECTOR, VECTOR, VECTOR, build=lambda b, c, x, y: b.select(b.fcmp_unordered("!=", c, _lanes(0.0)), x, y)
)  # fmt: skip


# Functions. A whole number that is added to WHOLE is the last bits of the sum.

WHOLE = 1.5 * 2.0**52
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10  # log 2 by its first 32 bits, and the rest
LOG2_E = math.log2(math.e)
SMALLEST_NORMAL, LARGEST = sys.float_info.min, sys.float_info.max
INF, NAN = math.inf, math.nan


def _unary(build: Callable[..., Any]) -> Any:
    return _function(VECTOR, VECTOR, build=build)


def _bits(x: float) -> Any:
    return _whole_lanes(int(np.float64(x).view(np.int64)))


def _two_to(b: Any, n: Any) -> Any:
    """Return 2 to whole powers from -1022 to 1023."""
    biased = b.bitcast(b.fadd(n, _lanes(WHOLE + 1023.0)), _I64)
    return b.bitcast(b.shl(biased, _whole_lanes(52)), _F64)


def _exponent_bits(b: Any, x: Any) -> Any:
    """Return n as whole numbers, where x is 2^n times a number between sqrt(1/2) and sqrt(2)."""
    return b.ashr(b.sub(b.bitcast(x, _I64), _bits(math.sqrt(0.5))), _whole_lanes(52))


def _exponent_of(b: Any, x: Any) -> Any:
    return b.fsub(b.bitcast(b.add(_exponent_bits(b, x), _bits(WHOLE)), _F64), _lanes(WHOLE))


def _fraction_of(b: Any, x: Any) -> Any:
    exponent = b.shl(_exponent_bits(b, x), _whole_lanes(52))
    return b.bitcast(b.sub(b.bitcast(x, _I64), exponent), _F64)


def _polynomial(*coefficients: float) -> Any:
    """Make the function $c_0 + c_1 x + c_2 x^2 + ...$, by even and odd powers (Estrin)."""

    def value(b: Any, c: tuple[float, ...], x: Any) -> Any:
        if len(c) == 1:
            return _lanes(c[0])
        square = b.fmul(x, x, flags=FUSED)
        odd = b.fmul(value(b, c[1::2], square), x, flags=FUSED)
        return b.fadd(odd, value(b, c[::2], square), flags=FUSED)

    return _unary(lambda b, x: value(b, coefficients, x))


v_sqrt, v_abs, _whole = (_unary(_of_llvm(f"{name}.v{WIDTH}f64", _F64, _F64)) for name in ("sqrt", "fabs", "rint"))
_signed = _function(VECTOR, VECTOR, VECTOR, build=_of_llvm(f"copysign.v{WIDTH}f64", _F64, _F64, _F64))
_pow = _function(VECTOR, VECTOR, VECTOR, build=_of_llvm(f"pow.v{WIDTH}f64", _F64, _F64, _F64))
_power, _exponent, _fraction = _unary(_two_to), _unary(_exponent_of), _unary(_fraction_of)
_exp_rest = _polynomial(*(1.0 / math.factorial(k + 2) for k in range(12)))  # (e^r - 1 - r) / r^2
_log_rest = _polynomial(*(2.0 / (2 * k + 3) for k in range(10)))  # (log((1 + s) / (1 - s)) - 2s) / s^3, of s^2


@internal
def _reduced(x: Any) -> Any:
    r"""Return n, and $e^r - 1$ where $x = n \log 2 + r$."""
    n = _whole(x * LOG2_E)
    r = x - n * LN2_HIGH - n * LN2_LOW
    return n, r + r * r * _exp_rest(r)


@internal
def v_exp(x: Any) -> Any:
    """Return $e^x$."""
    n, rest = _reduced(v_maximum(v_minimum(x, 710.0), -746.0))
    half = _whole(n * 0.5)  # both halves have powers that are numbers, where the whole may have none
    return (rest + 1.0) * _power(half) * _power(n - half)


@internal
def v_tanh(x: Any) -> Any:
    r"""Return $\tanh x = t / (t + 2)$, with $t = e^{2x} - 1$."""
    a = v_minimum(v_abs(x), 20.0)
    n, rest = _reduced(a + a)
    t = _power(n) * rest + (_power(n) - 1.0)
    return _signed(t / (t + 2.0), x)


@internal
def v_log(x: Any) -> Any:
    r"""Return $\log x = n \log 2 + \log(1 + f)$."""
    tiny = v_greater(SMALLEST_NORMAL, x)
    y = v_where(tiny, x * 2.0**54, x)
    n = _exponent(y) - 54.0 * tiny
    f = _fraction(y) - 1.0
    s = f / (f + 2.0)
    h = 0.5 * f * f
    z = n * LN2_HIGH - ((h - (s * (h + s * s * _log_rest(s * s)) + n * LN2_LOW)) - f)
    z = v_where(v_greater(x, LARGEST), INF, z)
    z = v_where(v_greater_equal(0.0, x), v_where(v_equal(x, 0.0), -INF, NAN), z)
    return v_where(v_equal(x, x), z, x)


@internal
def v_sigmoid(x: Any) -> Any:
    """Return $1 / (1 + e^{-x})$."""
    e = v_exp(-v_abs(x))
    return v_where(v_greater_equal(x, 0.0), 1.0, e) / (e + 1.0)


@internal
def v_softplus(x: Any) -> Any:
    r"""Return $\log(1 + e^x)$."""
    e = v_exp(-v_abs(x))
    w = e + 1.0
    return v_maximum(x, 0.0) + v_log(w) + (e - (w - 1.0)) / w  # with what w has lost of e


@internal
def v_relu(x: Any) -> Any:
    r"""Return $\max(0, x)$."""
    return v_where(v_greater_equal(0.0, x), 0.0, x)


@internal
def v_leaky_relu(x: Any, slope: Any) -> Any:
    """Return x, and on the left slope times x."""
    return v_where(v_greater_equal(0.0, x), slope * x, x)


@internal
def v_silu(x: Any) -> Any:
    r"""Return $x \sigma(x)$."""
    return x * v_sigmoid(x)


@internal
def v_hypot(x: Any, y: Any) -> Any:
    r"""Return $\sqrt{x^2 + y^2}$, as the larger times $\sqrt{1 + r^2}$, where no square overflows."""
    large, small = v_maximum(v_abs(x), v_abs(y)), v_minimum(v_abs(x), v_abs(y))
    r = v_where(v_equal(large, small), v_where(large, 1.0, 0.0), small / large)
    endless = v_greater(v_abs(x), LARGEST) + v_greater(v_abs(y), LARGEST)  # even beside nan
    return v_where(endless, INF, large * v_sqrt(1.0 + r * r))


@internal
def v_pow(x: Any, y: Any) -> Any:
    """Return $x^y$; small powers, and halves, that are the same in all lanes by products and roots."""
    n = lane(y)
    if total(v_abs(y - n)) == 0.0:
        if n in (1.0, 2.0, 3.0, -1.0, -2.0, -3.0):
            z = x if n > 0.0 else 1.0 / x
            return z if abs(n) == 1.0 else z * z if abs(n) == 2.0 else z * z * z
        if n in (0.5, 1.5, -0.5, -1.5):
            root = v_where(v_equal(x, -INF), INF, v_sqrt(x + 0.0))  # of -0.0 and -inf, as pow has it
            z = root if abs(n) == 0.5 else root * v_abs(x)
            return z if n > 0.0 else 1.0 / z
    return _pow(x, y)


@internal
def v_identity(x: Any) -> Any:
    """Return x."""
    return x


# What the loops' text uses.
__all__ = [  # noqa: PLE0604
    "WIDTH", "internal", "address", "words_at", "numbers_at", "call", "word", "get", "put", "pick",
    "give", "taken", "load", "store", "load_part", "store_part", "load_most", "store_most", "some", "some_part",
    "give_some", "give_part", "taken_some", "taken_part", "read_part", "write_part", "give_totals", "spread", "total",
    *(name for name in dir() if name.startswith("v_")),
]  # fmt: skip
