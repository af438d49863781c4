"""The data of a node: a number, the row that made it, its operands, and their local derivatives.

This module owns `Node`, the storage of `Value`, and functions that read a node without telling the watch. A function
whose types say `Value` gets a Value, because each node is one. A variable is annotated `Node` if its slots are used: in
the compiled package this is an access to a C struct. The module must not know how nodes are made.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NoReturn, SupportsFloat

from .methods import Methods
from .op import Op, number
from .recorder import Recorder
from .settings import in_force, watching

if TYPE_CHECKING:
    import cython

    from .value import Number
else:
    from . import uncompiled as cython

_assignments = 0


@cython.no_gc  # a graph has no cycles, so the garbage collector need not look at its nodes
@cython.cclass
class Node(Methods):
    """The slots of a node, comparisons of its number, and its hash. Every node is a Value."""

    # Two operands and their partials have slots of their own, because tuples would double the size of a node. A plain
    # number keeps its place, with a partial of 0. For a row of three or more operands, _x is a tuple of all operands,
    # and _y is an array of their partials.
    __slots__ = ("__weakref__", "_data", "_dx", "_dy", "_grad", "_label", "_op_row", "_x", "_y")

    _label: str
    _data: float
    _grad: float
    _op_row: Op | None
    _x: Any
    _y: Any
    _dx: float
    _dy: float
    _mark: int  # the last walk over this node; only the compiled class has it, in bytes that are unused otherwise

    # Comparisons compare the numbers, so a Python `if` works on them. The hash belongs to the object.

    def __lt__(self, other: SupportsFloat) -> bool:
        if (y := _comparable("<", other)) is None:
            return NotImplemented
        return _decided("<", self, other, y, self._data < y)

    def __le__(self, other: SupportsFloat) -> bool:
        if (y := _comparable("<=", other)) is None:
            return NotImplemented
        return _decided("<=", self, other, y, self._data <= y)

    def __gt__(self, other: SupportsFloat) -> bool:
        if (y := _comparable(">", other)) is None:
            return NotImplemented
        return _decided(">", self, other, y, self._data > y)

    def __ge__(self, other: SupportsFloat) -> bool:
        if (y := _comparable(">=", other)) is None:
            return NotImplemented
        return _decided(">=", self, other, y, self._data >= y)

    def __eq__(self, other: object) -> bool:
        if (y := _comparable("==", other)) is None:
            return NotImplemented
        return _decided("==", self, other, y, self._data == y)

    def __ne__(self, other: object) -> bool:
        if (y := _comparable("!=", other)) is None:
            return NotImplemented
        return _decided("!=", self, other, y, self._data != y)

    def __bool__(self) -> bool:
        raise TypeError(
            "bool(Value): write v != 0 to ask for the number, or v is not None to ask whether there is one; "
            "np.sinc and np.where ask it too: use ag.sinc and ag.where"
        )

    def __hash__(self) -> int:
        return address(self)  # type: ignore[name-defined,no-any-return]  # noqa: F821  # of node.pxd

    def __float__(self) -> NoReturn:
        raise TypeError(
            "float(v) or a function of math, such as math.exp(v), would lose the gradient: "
            "use v.data for the number, or ag.exp, ag.sqrt, ag.logaddexp, ... for the function"
        )

    def __int__(self) -> NoReturn:
        raise TypeError("int(v) would lose the gradient: use int(v.data) for the number, or ag.trunc(v)")


if not cython.compiled:
    Node.__hash__ = Recorder.__hash__  # type: ignore[method-assign]  # object's own, in C, where sets are fast


def _comparable(sign: str, other: object) -> Any:
    """Return the exact number to compare a node with, or None if the other object must do the comparison."""
    if isinstance(other, Node):
        node: Node = other
        return node._data
    kind = type(other)
    if kind is float or kind is int:
        return other
    if getattr(other, "ndim", 0):  # an array compares its elements itself
        return None
    if isinstance(other, Integral):  # also an int of NumPy: its own comparison would round the float
        return int(other)
    if isinstance(other, (Fraction, Decimal)):
        return other
    if isinstance(other, complex) and other.imag == 0.0:
        return other.real if sign in ("==", "!=") else number(sign, other)
    try:
        return number(sign, other)
    except TypeError:
        if sign in ("==", "!="):  # as in Python: an object that is no number is not equal
            return None
        raise


def _decided(sign: str, x: Node, other: object, y: object, outcome: bool) -> bool:
    if in_force.count and (watch := watching()) is not None:
        watch.compared(sign, x, other if isinstance(other, Node) else y, outcome)  # type: ignore[arg-type]  # a Value
    return outcome


def constant(op: Op, other: object, reflected: str) -> float | None:
    """Return a plain operand as a float, or None if the operand's type handles the operation with Values itself."""
    if type(other) is float:
        return other
    kind = type(other)
    if (
        kind.__module__ not in ("builtins", "decimal")
        and not isinstance(other, Real)
        and hasattr(kind, reflected)
        and (getattr(other, "ndim", None) != 0 or getattr(getattr(other, "dtype", None), "kind", "") == "O")
    ):
        return None
    return number(op, other)


def primal(node: Node) -> float:
    """Return the number of a node without telling the watch."""
    return node._data


def primal_grad(node: Node) -> float:
    """Return the number that `backward()` stored in a node."""
    return node._grad


def number_of(operand: Node | float | None) -> float:
    """Return the number of an operand, a node or a float, without telling the watch."""
    if isinstance(operand, Node):
        node: Node = as_node(operand) if cython.compiled else operand  # type: ignore[name-defined]  # noqa: F821
        return node._data
    plain: float = 0.0 if operand is None else operand
    return plain


def operands_of(node: Node) -> tuple[Number, ...]:
    """Return the operands of a node's row, in order: nodes, and floats for constants."""
    x, y = node._x, node._y
    if type(x) is tuple:
        return x
    if x is None:
        return ()
    return (x,) if y is None else (x, y)


def weights_of(node: Node) -> tuple[float, ...]:
    """Return the local derivatives, one for each of the parents."""
    weights = node._y if type(node._x) is tuple else (node._dx, node._dy)
    return tuple([d for x, d in zip(operands_of(node), weights, strict=False) if isinstance(x, Node)])


def assignments() -> int:
    """Return the count of assignments to numbers of nodes in this process."""
    return _assignments


def count_assignment() -> None:
    """Count an assignment to a node's number, or to all numbers of a graph."""
    global _assignments
    _assignments += 1


def was_assigned(leaf: Node) -> bool:
    """Return whether a leaf's number was assigned after it was made."""
    return leaf._op_row is None and leaf._dy != 0.0
