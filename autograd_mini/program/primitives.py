r"""The operations of kernels: on numbers in memory, and on vectors.

Each operation has two meanings. If Python calls it, it works on NumPy's arrays, so tests can run a kernel without a
compiler. In machine code it is the instructions that its `build` makes. An address is an array in Python, and a
pointer in machine code. A pointer does not keep an array alive, and nothing checks its bounds.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir

from ..ops import Op
from .arrays import apply
from .machine import WIDTH

F = TypeVar("F", bound=Callable[..., Any])

Vector = Any  # `WIDTH` floats, which one register of the processor holds
Floats = Any  # the address of floats
Words = Any  # the address of ints
Static = Any  # an object that is known when the kernel is compiled

BOOL, INT, FLOAT, PLACE, NONE = ir.IntType(1), ir.IntType(64), ir.DoubleType(), ir.PointerType(), ir.VoidType()
LANE = ir.IntType(32)
VECTOR, MASK, WORDS = (ir.VectorType(kind, WIDTH) for kind in (FLOAT, BOOL, INT))
FUSED = ("contract",)  # LLVM may fuse a product with a sum: one rounding for both
KERNEL = (PLACE, INT, PLACE, PLACE, PLACE, INT)  # the code, the place of a line in it, indices, d, grad, and a size


class Primitive:
    """An operation with a meaning in Python and one for the machine."""

    def __init__(self, python: Callable[..., Any], build: Callable[..., Any]) -> None:
        self.python, self.build = python, build
        self.kinds = [*python.__annotations__.values()][:-1]

    def __call__(self, *args: Any) -> Any:
        """Run the operation in Python."""
        return self.python(*args)


def primitive(build: Callable[..., Any]) -> Callable[[F], F]:
    """Return a decorator that makes a Python function a primitive; `build` makes its instructions."""
    return lambda python: Primitive(python, build)  # type: ignore[return-value]


def shared(function: F) -> F:
    """Mark a function to be compiled once and called. Other functions are written in place at each use."""
    function.shared = True  # type: ignore[attr-defined]
    return function


def applied(op: Op, xs: Sequence[Vector]) -> Vector:
    """Apply a row to floats, or to vectors, by IEEE arithmetic."""
    return apply(op, [np.asarray(x) for x in xs])


def unrolled(n: int) -> list[int]:
    """Return the numbers below n, for a loop that is unrolled. A loop over a `range` is a loop in machine code."""
    return list(range(n))


def callbacks(op: Op, index: Words, first: int) -> None:
    """Set the addresses of a row's Python functions, for `applied` and `share_of`: they begin at `index[first]`."""


# Functions that build instructions.


def of_llvm(b: ir.IRBuilder, name: str, result: ir.Type, *args: ir.Value) -> ir.Value:
    """Build a call of one of LLVM's intrinsic functions."""
    found = b.module.globals.get(f"llvm.{name}")
    kind = ir.FunctionType(result, [x.type for x in args])
    return b.call(found or ir.Function(b.module, kind, f"llvm.{name}"), args)


def lanes(x: float) -> ir.Constant:
    """Return a constant vector with the same number in all lanes."""
    return ir.Constant(VECTOR, [x] * WIDTH)


def whole_lanes(*n: int) -> ir.Constant:
    """Return a constant vector of ints."""
    return ir.Constant(WORDS, list(n) if len(n) > 1 else [*n] * WIDTH)


def spread_out(b: ir.IRBuilder, x: ir.Value, kind: ir.Type = VECTOR) -> ir.Value:
    """Return a vector with the same number in all lanes."""
    nothing = ir.Constant(kind, ir.Undefined)
    first = b.insert_element(nothing, x, LANE(0))
    return b.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(LANE, WIDTH), [0] * WIDTH))


def _at(b: ir.IRBuilder, place: ir.Value, i: ir.Value) -> ir.Value:
    return b.gep(place, [i], source_etype=FLOAT)


def _first(b: ir.IRBuilder, count: ir.Value) -> ir.Value:
    """Return a mask of the first `count` lanes."""
    return b.icmp_signed("<", whole_lanes(*range(WIDTH)), spread_out(b, count, WORDS))


def _masked_load(b: ir.IRBuilder, d: ir.Value, i: ir.Value, count: ir.Value) -> ir.Value:
    args = _at(b, d, i), LANE(8), _first(b, count), lanes(0.0)
    return of_llvm(b, f"masked.load.v{WIDTH}f64.p0", VECTOR, *args)


def _masked_store(b: ir.IRBuilder, d: ir.Value, i: ir.Value, v: ir.Value, count: ir.Value) -> None:
    of_llvm(b, f"masked.store.v{WIDTH}f64.p0", NONE, v, _at(b, d, i), LANE(8), _first(b, count))


def _added(b: ir.IRBuilder, d: ir.Value, i: ir.Value, x: ir.Value) -> None:
    place = _at(b, d, i)
    b.store(b.fadd(b.load(place, typ=x.type, align=8), x, flags=FUSED), place, align=8)


class FunctionAt(ir.instructions.CastInstr):  # type: ignore[misc]
    """A pointer to a function of a given type, from an address."""

    def __init__(self, block: ir.Block, place: ir.Value, kind: ir.FunctionType) -> None:
        super().__init__(block, "inttoptr", place, PLACE)
        self.kind = kind

    @property
    def function_type(self) -> ir.FunctionType:
        """Return the type of the function."""
        return self.kind


def call_at(b: ir.IRBuilder, place: ir.Value, kind: ir.FunctionType, args: Sequence[ir.Value]) -> ir.Value:
    """Call the function at an address."""
    function = FunctionAt(b.block, place, kind)
    b._insert(function)
    return b.call(function, args)


# Numbers in memory.


@primitive(lambda b, d, i: b.load(_at(b, d, i), typ=FLOAT))
def get(d: Floats, i: int) -> float:
    """Read a number."""
    return float(d[i])


@primitive(lambda b, d, i, x: b.store(x, _at(b, d, i)))
def put(d: Floats, i: int, x: float) -> None:
    """Write a number."""
    d[i] = x


@primitive(_added)
def add_to(d: Floats, i: int, x: float) -> None:
    """Add to a number."""
    d[i] += x


@primitive(lambda b, d, i: b.load(_at(b, d, i), typ=INT))
def word(d: Words, i: int) -> int:
    """Read an int."""
    return int(d[i])


@primitive(lambda b, place: b.inttoptr(place, PLACE))
def words_at(place: int) -> Words:
    """Return the ints at a place."""
    return (ctypes.c_int64 * (1 << 40)).from_address(place)


@primitive(lambda b, place: b.inttoptr(place, PLACE))
def numbers_at(place: int) -> Floats:
    """Return the floats at a place."""
    return (ctypes.c_double * (1 << 40)).from_address(place)


@primitive(_at)
def beyond(d: Floats, i: int) -> Floats:
    """Return the address of number i."""
    return (ctypes.c_double * (1 << 30)).from_buffer(d, 8 * i) if isinstance(d, ctypes.Array) else d[i:]


@primitive(lambda b, place, *args: call_at(b, place, ir.FunctionType(NONE, KERNEL), args))
def call(place: int, code: Words, k: int, index: Words, d: Floats, grad: Floats, size: int) -> None:
    """Call the kernel at a place."""
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(place)(*map(_place, (code, k, index, d, grad, size)))


def _place(x: Any) -> int:
    """Return the address of an array, or an int."""
    return x if isinstance(x, int) else x.ctypes.data if isinstance(x, np.ndarray) else ctypes.addressof(x)


# Vectors in memory: numbers side by side.


@primitive(lambda b, d, i: b.load(_at(b, d, i), typ=VECTOR, align=8))
def load(d: Floats, i: int) -> Vector:
    """Read a vector."""
    return np.array(d[i : i + WIDTH])


@primitive(lambda b, d, i, v: b.store(v, _at(b, d, i), align=8))
def store(d: Floats, i: int, v: Vector) -> None:
    """Write a vector."""
    d[i : i + WIDTH] = v


@primitive(_added)
def add_vector(d: Floats, i: int, v: Any) -> None:
    """Add a vector."""
    d[i : i + len(v)] += v


@primitive(_masked_load)
def load_part(d: Floats, i: int, count: int) -> Vector:
    """Read the first `count` numbers of a vector. The other numbers are 0."""
    return np.append(d[i : i + count], np.zeros(WIDTH - count))


@primitive(_masked_store)
def store_part(d: Floats, i: int, v: Vector, count: int) -> None:
    """Write the first `count` numbers of a vector."""
    d[i : i + count] = v[:count]


# Vectors.


@primitive(spread_out)
def spread(x: float) -> Vector:
    """Return a vector with the same number in all lanes."""
    return np.full(WIDTH, x)


@primitive(lambda b, v, k: b.extract_element(v, LANE(k)))
def lane(v: Any, k: Static) -> float:
    """Return number k of a vector."""
    return float(v[k])


@primitive(lambda b, v, k, x: b.insert_element(v, x, LANE(k)))
def with_lane(v: Vector, k: Static, x: float) -> Vector:
    """Return a vector with x in lane k."""
    return np.where(np.arange(WIDTH) == k, x, v)


@primitive(lambda b, v, w, places: b.shuffle_vector(v, w, ir.Constant(ir.VectorType(LANE, len(places)), list(places))))
def shuffled(v: Any, w: Any, places: Static) -> Any:
    """Return the numbers of two vectors at some places. Places count through v, then through w."""
    return np.append(v, w)[list(places)]


@primitive(lambda b, v, count: b.select(_first(b, count), v, lanes(-0.0)))
def first_of(v: Vector, count: int) -> Vector:
    """Return the first `count` numbers of a vector, and -0.0 in the other lanes."""
    return np.where(np.arange(WIDTH) < count, v, -0.0)


@primitive(lambda b, v, w: b.fadd(v, w))
def sum_of(v: Any, w: Any) -> Any:
    """Add two vectors of any length."""
    return v + w


@primitive(lambda b, c, x, y: b.select(c, x, y))
def where(c: Any, x: Vector, y: Vector) -> Vector:
    """Return x in the lanes where a comparison holds, and y in the others."""
    return np.where(c, x, y)


@primitive(lambda b, x: of_llvm(b, f"rint.v{WIDTH}f64", VECTOR, x))
def rounded(x: Vector) -> Vector:
    """Round to whole numbers; halves are rounded to even numbers."""
    return np.rint(x)


@primitive(lambda b, x, y: of_llvm(b, f"copysign.v{WIDTH}f64", VECTOR, x, y))
def signed_as(x: Vector, y: Vector) -> Vector:
    """Return x with the sign of y."""
    return np.copysign(x, y)


@primitive(lambda b, x: of_llvm(b, f"fabs.v{WIDTH}f64", VECTOR, x))
def size_of(x: Vector) -> Vector:
    """Return the absolute value."""
    return np.abs(x)


@primitive(lambda b, x, y: of_llvm(b, f"pow.v{WIDTH}f64", VECTOR, x, y))
def powers(x: Vector, y: Vector) -> Vector:
    """Return powers, lane by lane."""
    with np.errstate(all="ignore"):
        return x**y


# The bits of floats. If a whole number is added to WHOLE, it is in the last bits of the sum.

WHOLE = 1.5 * 2.0**52


def _bits(x: float) -> int:
    return int(np.float64(x).view(np.int64))


def _exponent_bits(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """Return n as ints, where x is 2^n times a number between sqrt(1/2) and sqrt(2)."""
    return b.ashr(b.sub(b.bitcast(x, WORDS), whole_lanes(_bits(0.5**0.5))), whole_lanes(52))


def _power(b: ir.IRBuilder, n: ir.Value) -> ir.Value:
    return b.bitcast(b.shl(b.bitcast(b.fadd(n, lanes(WHOLE + 1023.0)), WORDS), whole_lanes(52)), VECTOR)


def _exponent(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    found = b.bitcast(b.add(_exponent_bits(b, x), whole_lanes(_bits(WHOLE))), VECTOR)
    return b.fsub(found, lanes(WHOLE))


def _fraction(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return b.bitcast(b.sub(b.bitcast(x, WORDS), b.shl(_exponent_bits(b, x), whole_lanes(52))), VECTOR)


@primitive(_power)
def two_to(n: Vector) -> Vector:
    """Return 2 to whole powers from -1022 to 1023."""
    return np.ldexp(1.0, n.astype(int))


@primitive(_exponent)
def exponent(x: Vector) -> Vector:
    """Return n, where x is 2^n times a number between sqrt(1/2) and sqrt(2); x is normal and positive."""
    fraction, n = np.frexp(x)
    return n - (fraction < 0.5**0.5)


@primitive(_fraction)
def fraction(x: Vector) -> Vector:
    """Return x without its power of 2, between sqrt(1/2) and sqrt(2)."""
    return np.ldexp(x, -exponent(x).astype(int))
