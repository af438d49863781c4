r"""The node of the graph, and the chain rule.

This module owns `Value`: a number that remembers how it was computed. A node keeps its parents and, for each parent,
the local derivative $\partial z / \partial x$. These are the weights of the graph's edges, and `Value.backward` is one
loop that multiplies and adds them. This module has its own code for a few ops, for speed; each is tested against its
row. It must not know any other op, or drawing, nets or compilers.

No function here is recursive, because a graph may be a million nodes deep.
"""

from __future__ import annotations

import copy
import math
import os
import sys
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from inspect import Parameter, Signature
from math import inf
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Never, NoReturn, SupportsFloat, SupportsIndex, overload

from .methods import Methods
from .ops import (
    SIZES,
    Op,
    add,
    div,
    dot_of,
    floordiv,
    identity,
    listed,
    mod,
    mul,
    neg as negation,
    number,
    pow as power,
    refuse,
    relu as rectifier,
    stop_gradient as stopper,
    sub,
    sum_of,
)
from .recorder import METHODS, Recorder
from .settings import (
    ARITHMETIC,
    DIFFERENTIATING,
    RECORDING,
    active,
    in_force,
    is_differentiating,
    is_recording,
    is_traced,
    setting,
    tell_derived,
    watching,
)

if TYPE_CHECKING:
    import cython
else:
    from . import uncompiled as cython

__all__ = ["Number", "StaleGraphError", "Value", "compiled", "dot", "sum", "topological_order"]

COMPILED = bool(cython.compiled)


class _Signature:
    """The signature of `Value`, for `help` and editors. The compiled class has no signature by itself."""

    def __get__(self, node: Value | None, kind: type[Value]) -> Signature:
        if node is not None or kind.__init__ is not Value.__init__:  # for a subclass Python finds the signature
            raise AttributeError("__signature__")
        parameters = [
            Parameter("data", Parameter.POSITIONAL_OR_KEYWORD, annotation="SupportsFloat"),
            Parameter("label", Parameter.POSITIONAL_OR_KEYWORD, annotation="str", default=""),
        ]
        return Signature(parameters, return_annotation="None")


@cython.no_gc  # a graph has no cycles, so the garbage collector need not look at its nodes
@cython.cclass
class Value(Methods):
    """A number that records the operations on it.

    Python's operators, the functions of the package (`ag.tanh(v)`, or as a method `v.tanh()`) and NumPy's functions on
    object arrays make new nodes. The new nodes are plain Values, also for operands of a subclass. An operand that is a
    plain number is kept as a constant in the new node, and gets no node of its own.

    Args:
        data: a real number, Python's or NumPy's.
        label: a name for pictures and derivations, such as `"a"` or, for
            $a_1^{[2](3)}$, `"a1[2](3)"`.

    Raises:
        TypeError: `data` is not a real number.

    >>> a, b, c = Value(5, "a"), Value(3, "b"), Value(2, "c")
    >>> J = 3 * (a + b * c)
    >>> J.backward()
    >>> J.data, a.grad, b.grad, c.grad
    (33.0, 3.0, 6.0, 9.0)

    `==`, `<` and the other comparisons compare the numbers, as floats do. The hash belongs to the object, so sets and
    dicts keep two Values with the same number apart. In a list, `in`, `index`, `remove` and `count` compare numbers:
    write `any(x is v for x in xs)` to look for the node. `bool(v)` is refused.
    """

    # Two operands and their partials have slots of their own, because tuples would double the size of a node. A plain
    # number keeps its place, with a partial of 0. For a row of three or more operands, _x is a tuple of all operands,
    # and _y is an array of their partials.
    __slots__ = ("__weakref__", "_data", "_dx", "_dy", "_grad", "_label", "_op_row", "_x", "_y")

    __signature__ = _Signature()

    _label: str
    _data: float
    _grad: float
    _op_row: Op | None
    _x: Any
    _y: Any
    _dx: float
    _dy: float
    _mark: int  # the last walk over this node; only the compiled class has it, in bytes that are unused otherwise

    def __init__(self, data: SupportsFloat, label: object = "", **unknown: Never) -> None:
        if unknown:
            from .hints import NEW_VALUE, refuse_arguments

            refuse_arguments("Value", unknown, NEW_VALUE)
        if isinstance(data, Recorder):
            raise TypeError("Value: the data is a Value already; use v.detach() for a new leaf of its number")
        self._data = number("Value", data)
        self._grad = 0.0
        self.label = label
        self._op_row = self._x = self._y = None
        self._dx = self._dy = 0.0

    # The public attributes of a node.

    @property
    def data(self) -> float:
        """Return the number. An assignment changes only this node, not the nodes that were computed from it."""
        if in_force.count and (watch := watching()) is not None:
            watch.read(self, "data")
        return self._data

    @data.setter
    def data(self, data: SupportsFloat) -> None:
        global _assignments
        given: float = data if type(data) is float else number("Value.data", data)
        if in_force.count and (watch := watching()) is not None:
            watch.assigned(self)
        self._data = given
        _assignments += 1
        if self._op_row is None:
            self._dy = 1.0  # a leaf has no weight here: this is the mark that it was assigned

    @property
    def grad(self) -> float:
        r"""Return the derivative $\partial J / \partial v$ that `J.backward()` stored here, or 0.0 before that."""
        if in_force.count and (watch := watching()) is not None:
            return watch.adjoint(self, self._grad)  # type: ignore[return-value]  # a Value, in a trace
        return self._grad

    @grad.setter
    def grad(self, grad: SupportsFloat) -> None:
        if in_force.count and (watch := watching()) is not None:
            grad = watch.keep_adjoint(self, grad)
        self._grad = grad if type(grad) is float else number("Value.grad", grad)

    @property
    def label(self) -> str:
        """Return the name for pictures and derivations, or "" if there is none."""
        return self._label

    @label.setter
    def label(self, label: object) -> None:
        if not isinstance(label, str):
            raise TypeError(f"Value: the label must be a str, not {label!r}")
        self._label = label if type(label) is str else str(label)

    @property
    def op(self) -> Op | None:
        """Return the row that made this node, or None for a leaf."""
        return self._op_row

    @property
    def operands(self) -> tuple[Value | float, ...]:
        """Return the operands of the row, in order: nodes, and floats for constants."""
        op = self._op_row
        if op is None:
            return ()
        if op.arity > 2:
            return tuple(self._x)
        return (self._x,) if op.arity == 1 else (self._x, self._y)

    @property
    def parents(self) -> tuple[Value, ...]:
        """Return the operands that are nodes, in order and with repeats.

        >>> x = Value(3.0, "x")
        >>> (x * x).parents
        (Value(3.0, label='x'), Value(3.0, label='x'))
        """
        return tuple(x for x in self.operands if isinstance(x, Value))

    @property
    def partials(self) -> tuple[float, ...]:
        r"""Return the local derivatives $\partial z / \partial x$, one for each of the parents.

        >>> x = Value(3.0)
        >>> (x * x).partials, (x / 2).partials
        ((3.0, 3.0), (0.5,))
        """
        if in_force.count and (watch := watching()) is not None:
            watch.read(self, "partials")
        return weights_of(self)

    @property
    def edges(self) -> tuple[tuple[Value, float], ...]:
        r"""Return the edges to the parents, in order and with repeats. An edge is a parent and its local derivative.

        >>> x, y = Value(3.0, "x"), Value(2.0, "y")
        >>> for parent, slope in (x * y).edges:
        ...     print(parent.label, slope)
        x 2.0
        y 3.0
        """
        return tuple(zip(self.parents, self.partials, strict=True))

    @property
    def _prev(self) -> tuple[Value, ...]:
        """Return the parents. Drawing code for micrograd reads them by this name."""
        return self.parents

    @property
    def _op(self) -> str:
        """Return the op's symbol or name, or '' for a leaf. Drawing code for micrograd reads it by this name."""
        op = self._op_row
        if op is None:
            return ""
        return op.text.template.replace("<x>", "").replace("<y>", "").strip() if op.infix else op.name

    # The chain rule.

    def backward(self, seed: SupportsFloat = 1.0, **unknown: Never) -> None:
        r"""Store $\partial J / \partial v$, times `seed`, in `.grad` of every node v in the graph of this node, J.

        From the output back to the leaves, each node passes its derivative to its parents, times the local derivative
        on the edge. A node with several users gets the sum,
        $\frac{\partial J}{\partial x} = \sum_u \frac{\partial J}{\partial u} \frac{\partial u}{\partial x}$.

        Interior nodes begin at 0, so you may call it twice. Leaves accumulate, so you may add the derivatives of
        several outputs: clear leaves between steps with `zero_grad`. An edge whose rule is the constant 0, such as the
        edge of `stop_gradient`, passes no derivative, not even $0 \cdot \infty$.

        >>> x = Value(3.0)
        >>> y = x * x * x
        >>> y.backward()
        >>> x.grad
        27.0
        """
        if unknown:
            from .hints import BACKWARD, refuse_arguments

            refuse_arguments("backward", unknown, BACKWARD)
        first: float = number("backward", seed)
        if in_force.count and (watch := watching()) is not None:
            watch.swept(self, first)
        _claim()
        try:
            _sweep(self, first)
        finally:
            _free()
        tell_derived(self)

    def forward(self) -> None:
        r"""Compute the graph of this node again from its leaves: all numbers and all local derivatives.

        Assign leaves and call this, instead of building the graph again. `.grad` of interior nodes becomes 0, and
        `.grad` of leaves stays. If an operation has no value, an error is raised, and nothing changes. Nodes that other
        outputs share change too. This runs the graph, not the function that built it, so a Python `if` in that function
        is not decided again.

        Raises:
            ValueError, ArithmeticError: an operation has no value at these numbers; the message names it.
            TypeError: the graph is being traced or differentiated.

        >>> x = Value(3.0)
        >>> y = x * x + 1
        >>> x.data = 5.0
        >>> y.forward()
        >>> y.data
        26.0
        """
        global _assignments
        if _is_followed():
            raise TypeError("forward: it cannot be called inside a function that is traced or differentiated")
        with _alone:
            _forward(self)
        _assignments += 1

    def zero_grad(self) -> None:
        """Set `.grad` to 0.0 in the whole graph of this node.

        >>> x = Value(3.0)
        >>> y = x * x
        >>> y.backward()
        >>> y.zero_grad()
        >>> x.grad, y.grad
        (0.0, 0.0)
        """
        node: Value
        for node in topological_order(self):
            if in_force.count:
                node.grad = 0.0
            node._grad = 0.0

    def detach(self) -> Value:
        """Return a new leaf with this number and label, without a connection to the graph.

        In a trace it is a node that passes no derivative, because the trace must follow the number.

        >>> (Value(2.0) * 3).detach()
        Value(6.0)
        """
        if not is_traced():
            return Value(self._data, self.label)
        cut: Value = _stopped(self)
        cut._label = self._label
        return cut

    # The recording of operations. Frequent ones have code of their own; all others go through their row.

    def record(self, op: Op, operands: tuple[SupportsFloat, ...]) -> Value:
        """Apply `op` to `operands` and return the node. Its function computes the value, and its rules the edges."""
        if len(operands) != op.arity:
            raise TypeError(f"{op.name} takes {op.arity} operand{'s' * (op.arity > 1)}, {len(operands)} given")
        if len(operands) == 1:
            return _record_unary(op, self)
        numbers = tuple([primal(x) if isinstance(x, Value) else number(op, x) for x in operands])
        data = _value_of(op, numbers, operands)
        if not is_recording() and not is_traced():
            return _node(None, data, None, None, 0.0, 0.0)
        partials = [op.partial(i, numbers, data) if isinstance(x, Value) else 0.0 for i, x in enumerate(operands)]
        kept = tuple([x if isinstance(x, Value) else c for x, c in zip(operands, numbers, strict=True)])
        if op.arity > 2:
            return _node(op, data, kept, array("d", partials), 0.0, 0.0)
        return _node(op, data, kept[0], kept[1] if op.arity == 2 else None, partials[0], partials[-1])

    def __add__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            y: Value = other
            return _node(add, self._data + y._data, self, y, 1.0, 1.0)
        if (plain := _constant(add, other, "__radd__")) is None:
            return NotImplemented
        c: float = plain
        return _node(add, self._data + c, self, plain, 1.0, 0.0)

    def __radd__(self, other: SupportsFloat) -> Value:
        if type(other) is int and other == 0:  # Python's sum() starts with 0
            return self
        if (plain := _constant(add, other, "__add__")) is None:
            return NotImplemented
        c: float = plain
        return _node(add, c + self._data, plain, self, 0.0, 1.0)

    def __sub__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            y: Value = other
            return _node(sub, self._data - y._data, self, y, 1.0, -1.0)
        if (plain := _constant(sub, other, "__rsub__")) is None:
            return NotImplemented
        c: float = plain
        return _node(sub, self._data - c, self, plain, 1.0, 0.0)

    def __rsub__(self, other: SupportsFloat) -> Value:
        if (plain := _constant(sub, other, "__sub__")) is None:
            return NotImplemented
        c: float = plain
        return _node(sub, c - self._data, plain, self, 0.0, -1.0)

    def __isub__(self, other: SupportsFloat) -> Value:
        if self._grad != 0.0 and type(other) is float and (self._op_row is None or self._op_row is sub):
            from .lost_steps import tell_how_to_step  # for w -= 0.1 * w.grad, which changes no weight

            tell_how_to_step(self)
        return self - other

    def __mul__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            y: Value = other
            return _node(mul, self._data * y._data, self, y, y._data, self._data)
        if (plain := _constant(mul, other, "__rmul__")) is None:
            return NotImplemented
        c: float = plain
        return _node(mul, self._data * c, self, plain, c, 0.0)

    def __rmul__(self, other: SupportsFloat) -> Value:
        if (plain := _constant(mul, other, "__mul__")) is None:
            return NotImplemented
        c: float = plain
        return _node(mul, c * self._data, plain, self, 0.0, c)

    def __truediv__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            y: Value = other
            if y._data == 0.0:
                return self.record(div, (self, y))  # this raises Python's error
            z: float = self._data / y._data
            return _node(div, z, self, y, 1.0 / y._data, -z / y._data)
        if (plain := _constant(div, other, "__rtruediv__")) is None:
            return NotImplemented
        c: float = plain
        if c == 0.0:
            return self.record(div, (self, plain))
        return _node(div, self._data / c, self, plain, 1.0 / c, 0.0)

    def __rtruediv__(self, other: SupportsFloat) -> Value:
        if (plain := _constant(div, other, "__truediv__")) is None:
            return NotImplemented
        if self._data == 0.0:
            return self.record(div, (plain, self))
        c: float = plain
        z: float = c / self._data
        return _node(div, z, plain, self, 0.0, -z / self._data)

    def __mod__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            return self.record(mod, (self, other))
        if (plain := _constant(mod, other, "__rmod__")) is None:
            return NotImplemented
        return self.record(mod, (self, plain))

    def __rmod__(self, other: SupportsFloat) -> Value:
        if (plain := _constant(mod, other, "__mod__")) is None:
            return NotImplemented
        return self.record(mod, (plain, self))

    def __floordiv__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            return self.record(floordiv, (self, other))
        if (plain := _constant(floordiv, other, "__rfloordiv__")) is None:
            return NotImplemented
        return self.record(floordiv, (self, plain))

    def __rfloordiv__(self, other: SupportsFloat) -> Value:
        if (plain := _constant(floordiv, other, "__floordiv__")) is None:
            return NotImplemented
        return self.record(floordiv, (plain, self))

    def __neg__(self) -> Value:
        return _node(negation, -self._data, self, None, -1.0, 0.0)

    def __pow__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            return self.record(power, (self, other))
        if (plain := _constant(power, other, "__rpow__")) is None:
            return NotImplemented
        x: float = self._data
        c: float = plain
        if _is_plain_power(x, c):
            z: float = _raised(x, c)
            slope: float = c * _raised(x, c - 1.0)
            if -inf < z < inf and -inf < slope < inf:
                return _node(power, z, self, plain, slope, 0.0)
        return self.record(power, (self, plain))  # this handles a pole or an overflow

    def __rpow__(self, other: SupportsFloat) -> Value:
        if (plain := _constant(power, other, "__pow__")) is None:
            return NotImplemented
        return self.record(power, (plain, self))

    def __abs__(self) -> Value:
        return METHODS["abs"](self)

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
        return address(self)  # type: ignore[name-defined,no-any-return]  # noqa: F821  # of value.pxd

    def __dealloc__(self) -> None:
        # Only the compiled class needs this: it would free a deep chain by recursion. Python's own classes do not.
        free_operands(self)  # type: ignore[name-defined]  # noqa: F821  # of value.pxd

    def __float__(self) -> NoReturn:
        raise TypeError(
            "float(Value), and so a function of math, would lose the gradient: "
            "use v.data for the number, or ag.exp, ag.sqrt, ag.logaddexp, ... for the function"
        )

    def __int__(self) -> NoReturn:
        raise TypeError("int(Value) would lose the gradient: use int(v.data) for the number, or ag.trunc(v)")

    # Text, copies and pickles.

    def __repr__(self) -> str:
        parts = [f"{self._data!r}"]
        if self.label:
            parts.append(f"label={self.label!r}")
        if self._op_row is not None:
            parts.append(f"op={self._op_row.name!r}")
        if self._grad:
            parts.append(f"grad={self._grad!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def __format__(self, spec: str) -> str:
        """Format the number, as in `f"{v:.3f}"`. Without a format, return `str(v)`."""
        return format(self._data, spec) if spec else str(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Bundle:
        """Show the graph in Jupyter, with the function that `show_with` has set."""
        text = {"text/plain": repr(self)}
        return text if _show is None else _show(self, text)

    def __copy__(self) -> Value:
        """Return a new node with the same parents.

        If the node depends on an input of a trace, or of a function that is being differentiated, the node is the
        parent of the copy.
        """
        return _same(self) if _follows(self) else _rebuild(*(type(self), *self._state(), self._attributes()))

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        """Return a copy of the whole graph. Other copies of the same call share its nodes."""
        made: list[Value] = []
        for node in topological_order(self):
            if id(node) not in memo:
                if _follows(node):
                    memo[id(node)] = _same(node)
                    continue
                op, data, grad, label, weights, operands = node._state()
                operands = tuple(memo[id(x)] if isinstance(x, Value) else x for x in operands)
                memo[id(node)] = _rebuild(type(node), op, data, grad, label, weights, operands)
                made.append(node)
        for node in made:  # after all nodes: an attribute may refer to a user of its node
            if attributes := node._attributes():
                vars(memo[id(node)]).update(copy.deepcopy(attributes, memo))
        copied: Value = memo[id(self)]
        return copied

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        """Pickle the graph as a flat list, parents first, so a deep graph needs no recursion."""
        if in_force.count and (watch := watching()) is not None:
            watch.read(self, "pickle")
        if self in _flattened():
            _flattened().discard(self)  # its parents come before it in the list that is being pickled
            return _rebuild, (type(self), *self._state()), self._attributes()
        ancestors = topological_order(self)[:-1]
        return _rebuild_last, (_Flat(ancestors), type(self), *self._state()), self._attributes()

    def _attributes(self) -> dict[str, Any] | None:
        """Return the attributes of a subclass, if any."""
        return getattr(self, "__dict__", None) or None

    def _state(self) -> tuple[Op | None, float, float, str, Sequence[float], tuple[Number, ...]]:
        # Return a copy of the array: the caller may change it, but the node needs a weight for each operand.
        weights = array("d", self._y) if type(self._x) is tuple else (self._dx, self._dy)
        return self._op_row, self._data, self._grad, self._label, weights, self.operands


Bundle = dict[str, Any] | tuple[dict[str, Any], dict[str, Any]]  # for a notebook: representations by MIME type
Number = Value | float  # an argument or a result of a function to differentiate or compile

# Derivatives are stored in the nodes, so only one thread at a time may compute them. A fork waits for this thread.
_alone = threading.RLock()
_claim, _free = _alone.acquire, _alone.release  # twice as fast as `with`
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_alone.acquire, after_in_parent=_alone.release, after_in_child=_alone.release)

_assignments = 0
_walks = 0  # number of walks so far; each walk marks nodes with its own number
_dots: dict[int, Op] = {}  # rows of `dot` by arity, for fast access
_dying: list[object] = []  # for free_operands
_freeing = False
_waiting: list[Value | None] = [None] * 2048  # spare nodes; below: their number, its limit (9.6 MB), and the next place
_spares = 0
SPARES = int(os.environ.get("AUTOGRAD_MINI_SPARES", "100000"))  # set 0 for a tool that watches every block of memory
_near = 0

if not COMPILED:
    Value.__hash__ = Recorder.__hash__  # type: ignore[method-assign]  # object's own, in C, where sets are fast
    if sys.platform == "emscripten":  # its stack is too small for Python to free a chain of 5,000 nodes
        from .uncompiled import free_in_turn

        Value.__del__ = free_in_turn  # type: ignore[attr-defined]


def _sweep(output: Value, seed: float) -> None:
    """Add derivatives to all nodes in the graph of an output, from the output back to the leaves."""
    node: Value
    parent: Value
    order: list[Value] = topological_order(output)
    reached: set[Value] | None = (
        None  # computed at the first product that is nan: it may be 0 times inf, on an edge without a derivative
    )
    part: float
    for node in order:
        if node._op_row is not None:
            node._grad = 0.0
    output._grad += seed
    for node in reversed(order):
        grad: float = node._grad
        if isinstance(node._x, Value):
            parent = node._x
            part = grad * node._dx
            if part != part and reached is None:
                reached = reached_by(output, alive=True)
            if part == part or _hands_on(reached, node, 0, node._dx):
                parent._grad += part
        elif type(node._x) is tuple:  # more than two operands
            operands: tuple[Number, ...] = node._x
            i: cython.Py_ssize_t
            for i in range(len(operands)):
                if isinstance(operands[i], Value):
                    parent = operands[i]
                    weight: float = entry(node._y, i) if COMPILED else node._y[i]  # type: ignore[name-defined]  # noqa: F821
                    part = grad * weight
                    if part != part and reached is None:
                        reached = reached_by(output, alive=True)
                    if part == part or _hands_on(reached, node, i, weight):
                        parent._grad += part
        if isinstance(node._y, Value):
            parent = node._y
            part = grad * node._dy
            if part != part and reached is None:
                reached = reached_by(output, alive=True)
            if part == part or _hands_on(reached, node, 1, node._dy):
                parent._grad += part


def _forward(output: Value) -> None:
    """Compute the nodes in the graph of an output again. If an error is raised, no node changes."""
    order: list[Value] = topological_order(output)
    node: Value
    i: cython.Py_ssize_t
    done: cython.Py_ssize_t = 0
    before = array("d", bytes(24 * len(order)))  # old numbers and weights, to restore after an error
    weights: list[array[float]] = []  # old weights in rows of many operands
    try:
        for i in range(len(order)):
            node = order[i]
            if COMPILED:
                put(before, 3 * i, node._data)  # type: ignore[name-defined]  # noqa: F821
                put(before, 3 * i + 1, node._dx)  # type: ignore[name-defined]  # noqa: F821
                put(before, 3 * i + 2, node._dy)  # type: ignore[name-defined]  # noqa: F821
            else:
                before[3 * i], before[3 * i + 1], before[3 * i + 2] = node._data, node._dx, node._dy
            if type(node._x) is tuple:
                weights.append(node._y)
            done = i + 1
            if node._op_row is not None:
                _compute(node)
    except BaseException:
        for i in range(done - 1, -1, -1):
            node = order[i]
            node._data, node._dx, node._dy = before[3 * i], before[3 * i + 1], before[3 * i + 2]
            if type(node._x) is tuple:
                node._y = weights.pop()
        raise
    for node in order:
        if node._op_row is not None:
            node._grad = 0.0


def topological_order(*outputs: Value) -> list[Value]:
    """Return the nodes in the graphs of the outputs, each after its parents.

    The order is depth first and from left to right, as a person evaluates an expression. The function uses its own
    stack instead of recursion.

    >>> a, b = Value(1.0, "a"), Value(2.0, "b")
    >>> [node.label or node.op.name for node in topological_order(a * b + a)]
    ['a', 'b', 'mul', 'add']
    """
    global _walks
    order: list[Value] = []
    stack: list[Value | None] = list(reversed(outputs))
    seen: set[Value] = set()
    operands: tuple[Number, ...]
    i: cython.Py_ssize_t
    # From here on, make no object that could start the garbage collector: it might start a walk inside of this walk.
    _walks += 1
    walk: cython.longlong = _walks
    while stack:
        top = stack.pop()
        if top is None:  # the parents of the node under this mark are in the order now
            order.append(stack.pop())  # type: ignore[arg-type]  # a mark lies on its node
            continue
        node: Value = top
        if COMPILED:
            if node._mark == walk:
                continue
            node._mark = walk  # type: ignore[misc]  # in no slot of the Python class
        else:
            if node in seen:
                continue
            seen.add(node)
        if node._op_row is None:
            order.append(node)
            continue
        stack.append(node)
        stack.append(None)
        if isinstance(node._y, Value):
            stack.append(node._y)
        if isinstance(node._x, Value):
            stack.append(node._x)
        elif type(node._x) is tuple:
            operands = node._x
            for i in range(len(operands) - 1, -1, -1):
                if isinstance(operands[i], Value):
                    stack.append(operands[i])  # noqa: PERF401  # a list made here could start the collector
    return order


@overload
def dot(ws: Iterable[Value], xs: Iterable[SupportsFloat], bias: SupportsFloat | None = None) -> Value: ...
@overload
def dot(ws: Iterable[SupportsFloat], xs: Iterable[Value], bias: SupportsFloat | None = None) -> Value: ...
@overload
def dot(ws: Iterable[SupportsFloat], xs: Iterable[SupportsFloat], bias: Value) -> Value: ...
@overload
def dot(ws: Iterable[float], xs: Iterable[float], bias: float | None = None) -> float: ...
@overload
def dot(
    ws: Iterable[SupportsFloat], xs: Iterable[SupportsFloat], bias: SupportsFloat | None = None
) -> Value | float: ...
def dot(ws: Iterable[Any], xs: Iterable[Any], bias: Any = None) -> Any:
    r"""Return $\sum_i w_i x_i + b$ as one node: the weighted sum of a neuron.

    Numbers may be among the Values. If there are only numbers, the result is a float. `draw(fold=False)` shows the
    products and sums.

    Raises:
        ValueError: there are no numbers, or the counts of w and x differ.

    >>> w, b = [Value(2.0), Value(3.0)], Value(0.5)
    >>> z = dot(w, [10.0, 1.0], b)
    >>> z.backward()
    >>> z.data, [v.grad for v in w], b.grad
    (23.5, [10.0, 1.0], 1.0)
    """
    left: list[Any] = ws if type(ws) is list else listed("dot", ws)
    right: list[Any] = xs if type(xs) is list else listed("dot", xs)
    n: cython.Py_ssize_t = len(left)
    if n == 0 or len(right) != n:
        raise ValueError(f"dot: ws and xs need the same length, at least 1; got {n} and {len(right)}")
    operands: list[Any] = left + right
    if n == 1 and bias is None:
        _read("dot", operands, 0)
        _read("dot", operands, 1)
        return operands[0] * operands[1]
    if bias is not None:
        operands.append(bias)
    weights = _weights(len(operands))
    total: float = _inner(operands, n, weights)
    if not _holds_value(operands):
        return total
    arity = len(operands)
    row = _dots.get(arity)
    if row is None:
        if len(_dots) == SIZES:
            _dots.clear()
        row = _dots[arity] = dot_of(arity)
    return _node(row, total, tuple(operands), weights, 0.0, 0.0)


@overload
def sum(xs: Iterable[Value]) -> Value: ...
@overload
def sum(xs: Iterable[float]) -> float: ...
@overload
def sum(xs: Iterable[SupportsFloat]) -> Value | float: ...
def sum(xs: Iterable[Any]) -> Any:
    r"""Return $\sum_i x_i$ as one node. Python's `sum` makes a node for each addition.

    Raises:
        ValueError: there are no numbers.

    >>> x = [Value(1.0), Value(2.0), Value(3.0)]
    >>> y = sum(x)
    >>> y.data, len(y.parents)
    (6.0, 3)
    """
    operands: list[Any] = listed("sum", xs)
    n: cython.Py_ssize_t = len(operands)
    i: cython.Py_ssize_t
    if n == 0:
        raise ValueError("sum: there are no numbers")
    if n < 3:
        for i in range(n):
            _read("sum", operands, i)
        return operands[0] if n == 1 else operands[0] + operands[1]
    total: float = _total(operands)
    if not _holds_value(operands):
        return total
    return _node(sum_of(n), total, tuple(operands), _weights(n), 0.0, 0.0)


def _inner(operands: list[Any], n: cython.Py_ssize_t, weights: array[float] | None) -> float:
    """Return the sum of n products, plus the bias if there is one. In the list, plain numbers become floats."""
    total: float = 0.0
    w: float
    x: float
    i: cython.Py_ssize_t
    for i in range(n):
        w = _read("dot", operands, i)
        x = _read("dot", operands, i + n)
        total = total + w * x if i else w * x
        if weights is None:
            continue
        if COMPILED:
            put(weights, i, x)  # type: ignore[name-defined]  # noqa: F821  # of value.pxd
            put(weights, i + n, w)  # type: ignore[name-defined]  # noqa: F821
        else:
            weights[i], weights[i + n] = x, w
    if len(operands) > 2 * n:
        total = total + _read("dot", operands, 2 * n)
    return total


def _total(operands: list[Any]) -> float:
    """Return the sum of numbers, from left to right. In the list, plain numbers become floats."""
    total: float = _read("sum", operands, 0)
    i: cython.Py_ssize_t
    for i in range(1, len(operands)):
        total = total + _read("sum", operands, i)
    return total


def _read(name: str, operands: list[Any], i: cython.Py_ssize_t) -> float:
    """Return the number of an operand. In the list, a plain number becomes a float."""
    operand = operands[i]
    if isinstance(operand, Value):
        node: Value = operand
        return node._data
    if type(operand) is not float:
        operands[i] = operand = number(name, operand)
    plain: float = operand
    return plain


def _holds_value(operands: list[Any]) -> bool:
    for operand in operands:  # noqa: SIM110  # a generator is slow in C
        if isinstance(operand, Value):
            return True
    return False


_WEIGHT = array("d", [1.0])


def _weights(n: cython.Py_ssize_t) -> array[float]:
    weights: array[float] = _WEIGHT * n
    return weights


def compiled() -> bool:
    """Return whether the engine is compiled. AUTOGRAD_MINI_COMPILE=0 in the environment chooses the Python sources.

    >>> compiled() in (True, False)
    True
    """
    return COMPILED


def primal(node: Value) -> float:
    """Return the number of a node without telling the watch."""
    return node._data


def weights_of(node: Value) -> tuple[float, ...]:
    """Return the local derivatives, one for each of the parents."""
    op = node._op_row
    weights = node._y if op is not None and op.arity > 2 else (node._dx, node._dy)
    return tuple([d for x, d in zip(node.operands, weights, strict=False) if isinstance(x, Value)])


def assignments() -> int:
    """Return the count of assignments to numbers of nodes in this process."""
    return _assignments


def _same(node: Value) -> Value:
    """Return a node with the same number and label whose parent is the given node."""
    made = _node(identity, node._data, node, None, 1.0, 0.0)
    made._label = node._label
    return made


def _stopped(x: Any) -> Any:
    """Return operands as nodes that pass no derivative. Other objects do not change."""
    if isinstance(x, Value):
        node: Value = x
        return _node(stopper, node._data, node, None, 0.0, 0.0)
    return tuple([_stopped(part) for part in x]) if type(x) is tuple else x


def is_alive(op: Op, place: int, weight: float) -> bool:
    """Return whether an edge passes derivatives.

    It does not if its rule is the constant 0, or if it leads to a side that is not chosen. All functions that multiply
    numbers along edges call this.
    """
    return weight != 0.0 or not (place in op.stops or place in op.chooses)


def _hands_on(reached: set[Value] | None, node: Value, place: cython.Py_ssize_t, weight: float) -> bool:
    """Return whether a derivative reaches a node and goes on to an operand."""
    return reached is None or (node in reached and is_alive(node._op_row, place, weight))  # type: ignore[arg-type]


def reached_by(output: Value, alive: bool = False) -> set[Value]:
    """Return the nodes that a derivative of the output can reach. With `alive`, it must reach them at these numbers."""
    reached = {output}
    stack = [output]
    while stack:
        user = stack.pop()
        op: Any = user.op
        weights = iter(weights_of(user))
        for i, x in enumerate(user.operands):
            if isinstance(x, Value):
                weight = next(weights)
                if x not in reached and (is_alive(op, i, weight) if alive else i not in op.stops):
                    reached.add(x)
                    stack.append(x)
    return reached


def _function(op: Op) -> Callable[..., float]:
    """Return the float function of a row for the arithmetic in force."""
    return op.function if not in_force.count or setting(ARITHMETIC, "Python's") == "Python's" else op.limit.function


def _is_followed() -> bool:
    """Return whether a trace, or a run of a function that is being differentiated, is active here."""
    return is_traced() or is_differentiating()


def _follows(node: Value) -> bool:
    """Return whether a node depends on an input of a trace, or of a function that is being differentiated here."""
    if not in_force.count:
        return False
    watch = watching()
    return (watch is not None and watch.traces and watch.follows(node)) or is_differentiated(node)


def is_differentiated(*nodes: Value) -> bool:
    """Return whether a node depends on an input of a function that is being differentiated here."""
    inputs: list[Value] = []
    switch = active(DIFFERENTIATING.get())
    while switch is not None:
        inputs += switch.state
        switch = active(switch.outer)
    return bool(inputs) and not set(inputs).isdisjoint(topological_order(*nodes))


def primal_grad(node: Value) -> float:
    """Return the number that `backward()` stored in a node."""
    return node._grad


def _node(op: Op | None, data: float, x: Any, y: Any, dx: float, dy: float) -> Value:
    node: Value = new_node() if COMPILED else Value.__new__(Value)  # type: ignore[name-defined]  # noqa: F821
    node._data = data
    node._grad = 0.0
    node._label = ""
    if in_force.count:
        if op is not None and not setting(RECORDING, True):
            if not is_traced():
                op = x = y = None
                dx = dy = 0.0
            elif op is not stopper:  # a run of the trace computes the number, but passes no derivative
                x, y = _stopped(x), y if op.arity > 2 else _stopped(y)
        if op is not None and setting(ARITHMETIC, "Python's") == "limits":
            op = op.limit
    node._op_row = op
    node._x = x
    node._y = y
    node._dx = dx
    node._dy = dy
    if in_force.count and (watch := watching()) is not None:
        watch.made(node)
    return node


def _record_unary(op: Op, node: Value) -> Value:
    x: float = node._data
    if op is rectifier:
        return _node(op, 0.0 if x <= 0.0 else x, node, None, 1.0 if x > 0.0 else 0.0, 0.0)
    data = _applied_to_one(op, node)
    if not is_recording() and not is_traced():
        return _node(None, data, None, None, 0.0, 0.0)
    return _node(op, data, node, None, _slope_of_one(op, x, data), 0.0)


def _applied_to_one(op: Op, node: Value) -> float:
    try:
        data = op.function(node._data) if not in_force.count else _function(op)(node._data)
    except (ArithmeticError, ValueError) as error:
        _refuse(error, op, (node,))
    return data if type(data) is float else number(f"{op}: its result", data)  # of a custom op


def _slope_of_one(op: Op, x: float, data: Any) -> float:
    try:
        slope = op.rules[0](x, data)
    except (ArithmeticError, ValueError):  # at a pole the row has the limit
        slope = None
    if type(slope) is float:
        return slope
    return float(slope) if isinstance(slope, float) else op.partial(0, (x,), data)


def _is_plain_power(x: float, c: float) -> bool:
    """Return whether a power is real, and its slope is not at a pole and not the constant 0."""
    return c != 0.0 and (x > 0.0 or (x < 0.0 and c == c // 1.0))


def _raised(x: float, c: float) -> float:
    """Return a power, or inf if it overflows."""
    try:
        z: float = x**c
    except OverflowError:
        z = inf
    return z


# Compute a node's number and weights again from its operands' numbers. Frequent rows have their own code, as above.


def number_of(operand: Number | None) -> float:
    """Return the number of an operand, a node or a float, without telling the watch."""
    if isinstance(operand, Value):
        node: Value = operand
        return node._data
    plain: float = 0.0 if operand is None else operand
    return plain


def _compute(node: Value) -> None:
    op: Any = node._op_row
    if type(node._x) is tuple:
        _compute_many(node, op)
        return
    x: float = number_of(node._x)
    y: float = number_of(node._y)
    if op is add:
        node._data = x + y
    elif op is mul:
        node._data = x * y
        _weigh(node, y, x)
    elif op is sub:
        node._data = x - y
    elif op is negation:
        node._data = -x
    elif op is div and y != 0.0:
        node._data = x / y
        _weigh(node, 1.0 / y, -node._data / y)
    elif op is rectifier:
        node._data = 0.0 if x <= 0.0 else x
        node._dx = 1.0 if x > 0.0 else 0.0
    elif op is power and not isinstance(node._y, Value) and _is_plain_power(x, y):
        z: float = _raised(x, y)
        slope: float = y * _raised(x, y - 1.0)
        if -inf < z < inf and -inf < slope < inf:
            node._data = z
            node._dx = slope
        else:
            _compute_by_row(node, op)
    elif node._y is None:
        data = _applied_to_one(op, node._x)
        node._dx = _slope_of_one(op, x, data)
        node._data = data
    else:
        _compute_by_row(node, op)


def _weigh(node: Value, dx: float, dy: float) -> None:
    node._dx = dx if isinstance(node._x, Value) else 0.0
    node._dy = dy if isinstance(node._y, Value) else 0.0


def _compute_by_row(node: Value, op: Op) -> None:
    data, partials = _by_row(op, node.operands)
    node._dx, node._dy = partials[0], partials[-1]
    node._data = data


def _compute_many(node: Value, op: Op) -> None:
    operands: tuple[Number, ...] = node._x
    if op.composed is not None and op.name in ("dot", "sum"):
        numbers: list[float] = [number_of(x) for x in operands]
        n: cython.Py_ssize_t = len(numbers) // 2
        weights = _weights(len(numbers))
        node._data = _total(numbers) if op.name == "sum" else _inner(numbers, n, weights)
        node._y = weights
        return
    data, partials = _by_row(op, operands)
    node._y = array("d", partials)
    node._data = data


def _by_row(op: Op, operands: tuple[Number, ...]) -> tuple[float, list[float]]:
    """Return the value of a row and its local derivatives. A constant has 0."""
    numbers = tuple([number_of(x) for x in operands])
    data = _value_of(op, numbers, operands)
    return data, [op.partial(i, numbers, data) if isinstance(x, Value) else 0.0 for i, x in enumerate(operands)]


def _value_of(op: Op, numbers: tuple[float, ...], operands: tuple[object, ...]) -> float:
    """Return the value of a row at numbers, or raise an error that names the operands."""
    try:
        data = _function(op)(*numbers)
    except (ArithmeticError, ValueError) as error:
        _refuse(error, op, operands)
    return data if type(data) is float else number(f"{op}: its result", data)  # of a custom op


class StaleGraphError(ValueError):
    """A node's number differs from the result of its operation on its operands' numbers, after an assignment."""


def stale_node(order: list[Value]) -> tuple[Value, float] | None:
    """Return the first node whose number differs from its row's result by more than 4 ulp, and this result."""
    node: Value
    for node in order:
        op = node._op_row
        if op is None:
            continue
        data: float = op.limit.function(*[number_of(x) for x in node.operands])
        if data != node._data and not _is_near(data, node._data):
            return node, data
    return None


def _is_near(x: float, y: float) -> bool:
    """Return whether numbers differ by at most 4 ulp (units in the last place). Two nan are the same."""
    if x != x or y != y:
        return x != x and y != y
    if math.isinf(x) or math.isinf(y):
        return x == y
    return math.fabs(x - y) <= 4.0 * math.ulp(max(math.fabs(x), math.fabs(y)))


def was_assigned(leaf: Value) -> bool:
    """Return whether a leaf's number was assigned after it was made."""
    return leaf._op_row is None and leaf._dy != 0.0


def _comparable(sign: str, other: object) -> Any:
    """Return the exact number to compare a node with, or None if the other object must do the comparison."""
    if isinstance(other, Value):
        return primal(other)
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


def _decided(sign: str, x: Value, other: object, y: object, outcome: bool) -> bool:
    if in_force.count and (watch := watching()) is not None:
        watch.compared(sign, x, other if isinstance(other, Value) else y, outcome)
    return outcome


def _constant(op: Op, other: object, reflected: str) -> float | None:
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


def _refuse(error: Exception, op: Op, operands: tuple[object, ...]) -> NoReturn:
    """Raise an error that names the op and its operands, before any node exists."""
    places = [
        (f"{x.label}={primal(x)!r}" if x.label else repr(primal(x))) if isinstance(x, Value) else repr(x)
        for x in operands
    ]
    refuse(error, op, places)


def _rebuild(
    kind: object,
    op: object,
    data: float,
    grad: float,
    label: object,
    weights: Iterable[float],
    operands: Iterable[SupportsFloat],
    attributes: dict[str, Any] | None = None,
) -> Value:
    """Make a node from its parts: the inverse of `Value._state`. Check the parts, because a pickle may be wrong.

    In pickles from before 2026-12, the attributes of a subclass are an argument.
    """
    if not (isinstance(kind, type) and issubclass(kind, Value) and (op is None or isinstance(op, Op))):
        raise TypeError(f"a node cannot be made of {kind!r} and {op!r}")
    operands = tuple([x if isinstance(x, Value) else number("a node", x) for x in operands])
    if len(operands) != (op.arity if op is not None else 0):
        raise ValueError(f"a node of {op or 'no operation'} cannot have {len(operands)} operands")
    label = label if type(label) is str else str(label)
    node: Value = kind.__new__(kind)
    node._op_row, node._data, node._grad, node._label = op, data, grad, label
    if attributes:  # the attributes of a subclass
        vars(node).update(attributes)
    if len(operands) > 2:
        node._dx = node._dy = 0.0
        node._x, node._y = operands, array("d", weights)
        if len(node._y) != len(operands):
            raise ValueError(f"a node of {len(operands)} operands, but {len(node._y)} partials")
    else:
        node._dx, node._dy = weights
        node._x, node._y = (*operands, None, None)[:2]
    return node


def _rebuild_last(ancestors: list[Value], kind: type[Value], *state: Any) -> Value:
    """Make the last node of a flat list. The list has made the other nodes before."""
    return _rebuild(kind, *state)


# The function that shows a Value in notebooks. This module must not know drawing, so the package sets it.
_show: Callable[[Value, dict[str, str]], Bundle] | None = None


def show_with(show: Callable[[Value, dict[str, str]], Bundle] | None) -> None:
    """Set the function that makes a MIME bundle from a Value and its plain text."""
    global _show
    _show = show


_local = threading.local()


def _flattened() -> set[Value]:
    """Return the nodes in the lists that are being pickled on this thread, each after its parents."""
    try:
        nodes: set[Value] = _local.flattened
    except AttributeError:
        nodes = _local.flattened = set()
    return nodes


class _Flat:
    """A list of nodes, parents first. While it is pickled, its nodes are in the set `_flattened()`.

    Pickle passes no context to `Value.__reduce_ex__`, so the set is the context. The nodes come from a generator, which
    ends with an `_End`. The `_End` removes them from the set. If pickling fails, the generator is closed, and removes
    them too.
    """

    def __init__(self, nodes: list[Value]) -> None:
        self.nodes = nodes

    def __reduce__(self) -> tuple[type[list[object]], tuple[()], None, Iterator[Value | _End]]:
        return list, (), None, self._in_order()

    def _in_order(self) -> Iterator[Value | _End]:
        flattened = _flattened()
        flattened.update(self.nodes)
        try:
            yield from self.nodes
            yield _End(self.nodes)
        except GeneratorExit:
            flattened.difference_update(self.nodes)
            raise


class _End:
    """The mark after the last node of a flat list. When it is pickled, it removes the nodes from the set."""

    def __init__(self, nodes: list[Value]) -> None:
        self.nodes = nodes

    def __reduce__(self) -> tuple[type[int], tuple[()]]:
        _flattened().difference_update(self.nodes)
        return int, ()
