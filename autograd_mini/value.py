r"""The node of the graph as users know it: it records the operations on it.

This module owns `Value`: a number that remembers how it was computed. A node keeps its parents and, for each parent,
the local derivative $\partial z / \partial x$. These are the weights of the graph's edges. `node` has the slots of a
Value, `evaluation` the numbers of a row, `walks` the order of a graph, `sweeps` the chain rule, and `pickles` the parts
of a copy. This module makes the nodes. It has its own code for a few ops, for speed; each is tested against its row. It
must not know any other op, or drawing, nets or compilers.

No function in these modules is recursive, because a graph may be a million nodes deep.
"""

from __future__ import annotations

import copy
import os
import sys
from array import array
from collections.abc import Callable
from inspect import Parameter, Signature
from math import inf
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

from .evaluation import applied_to_one, is_plain_power, raised, slope_of_one, value_of
from .node import Node, constant, count_assignment, operands_of, primal, weights_of
from .ops import (
    Op,
    add,
    div,
    floordiv,
    identity,
    mod,
    mul,
    neg as negation,
    number,
    pow as power,
    relu as rectifier,
    stop_gradient as stopper,
    sub,
)
from .pickles import FlatList, attributes_of, flattened, rebuild, rebuild_last, state_of
from .recorder import METHODS, Recorder
from .settings import (
    ARITHMETIC,
    RECORDING,
    in_force,
    is_differentiating,
    is_recording,
    is_traced,
    setting,
    tell_derived,
    watching,
)
from .sweeps import sweep_backward, sweep_forward
from .walks import follows, topological_order

if TYPE_CHECKING:
    import cython
else:
    from . import uncompiled as cython


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
class Value(Node):
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
    write `any(x is v for x in xs)` to look for the node. `bool(v)` raises an error.
    """

    __slots__ = ()
    __signature__ = _Signature()

    def __init__(self, data: SupportsFloat, label: object = "") -> None:
        if isinstance(data, Recorder):
            raise TypeError("Value: the data is a Value already; use v.detach() for a new leaf with its number")
        self._data = data if type(data) is float else number("Value", data)
        self._grad = 0.0
        if type(label) is str:
            self._label = label
        else:
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
        given: float = data if type(data) is float else number("Value.data", data)
        if in_force.count and (watch := watching()) is not None:
            watch.assigned(self)
        self._data = given
        count_assignment()
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
        return operands_of(self)

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

    def backward(self, seed: SupportsFloat = 1.0) -> None:
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
        first: float = number("backward", seed)
        if in_force.count and (watch := watching()) is not None:
            watch.swept(self, first)
        sweep_backward(self, first)
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
        if is_traced() or is_differentiating():
            raise TypeError("forward: it cannot be called inside a function that is traced or differentiated")
        sweep_forward(self)

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
        if len(operands) != op.arity and op.arity is not None:
            raise TypeError(f"{op.name} takes {op.arity} operand{'s' * (op.arity > 1)}, {len(operands)} given")
        if len(operands) == 1:
            return _record_unary(op, self)
        numbers = tuple([primal(x) if isinstance(x, Value) else number(op, x) for x in operands])
        data = value_of(op, numbers, operands)
        if not is_recording() and not is_traced():
            return make_node(None, data, None, None, 0.0, 0.0)
        partials = [op.partial(i, numbers, data) if isinstance(x, Value) else 0.0 for i, x in enumerate(operands)]
        kept = tuple([x if isinstance(x, Value) else c for x, c in zip(operands, numbers, strict=True)])
        if len(kept) > 2:
            return make_node(op, data, kept, array("d", partials), 0.0, 0.0)
        return make_node(op, data, kept[0], kept[1], partials[0], partials[1])

    def __add__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            y: Value = other
            return make_node(add, self._data + y._data, self, y, 1.0, 1.0)
        if (plain := constant(add, other, "__radd__")) is None:
            return NotImplemented
        c: float = plain
        return make_node(add, self._data + c, self, plain, 1.0, 0.0)

    def __radd__(self, other: SupportsFloat) -> Value:
        if type(other) is int and other == 0:  # Python's sum() starts with 0
            return self
        if (plain := constant(add, other, "__add__")) is None:
            return NotImplemented
        c: float = plain
        return make_node(add, c + self._data, plain, self, 0.0, 1.0)

    def __sub__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            y: Value = other
            return make_node(sub, self._data - y._data, self, y, 1.0, -1.0)
        if (plain := constant(sub, other, "__rsub__")) is None:
            return NotImplemented
        c: float = plain
        return make_node(sub, self._data - c, self, plain, 1.0, 0.0)

    def __rsub__(self, other: SupportsFloat) -> Value:
        if (plain := constant(sub, other, "__sub__")) is None:
            return NotImplemented
        c: float = plain
        return make_node(sub, c - self._data, plain, self, 0.0, -1.0)

    def __isub__(self, other: SupportsFloat) -> Value:
        if self._grad != 0.0 and type(other) is float and (self._op_row is None or self._op_row is sub):
            from .lost_steps import tell_how_to_step  # for w -= 0.1 * w.grad, which changes no weight

            tell_how_to_step(self)
        return self - other

    def __mul__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            y: Value = other
            return make_node(mul, self._data * y._data, self, y, y._data, self._data)
        if (plain := constant(mul, other, "__rmul__")) is None:
            return NotImplemented
        c: float = plain
        return make_node(mul, self._data * c, self, plain, c, 0.0)

    def __rmul__(self, other: SupportsFloat) -> Value:
        if (plain := constant(mul, other, "__mul__")) is None:
            return NotImplemented
        c: float = plain
        return make_node(mul, c * self._data, plain, self, 0.0, c)

    def __truediv__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            y: Value = other
            if y._data == 0.0:
                return self.record(div, (self, y))  # this raises Python's error
            z: float = self._data / y._data
            return make_node(div, z, self, y, 1.0 / y._data, -z / y._data)
        if (plain := constant(div, other, "__rtruediv__")) is None:
            return NotImplemented
        c: float = plain
        if c == 0.0:
            return self.record(div, (self, plain))
        return make_node(div, self._data / c, self, plain, 1.0 / c, 0.0)

    def __rtruediv__(self, other: SupportsFloat) -> Value:
        if (plain := constant(div, other, "__truediv__")) is None:
            return NotImplemented
        if self._data == 0.0:
            return self.record(div, (plain, self))
        c: float = plain
        z: float = c / self._data
        return make_node(div, z, plain, self, 0.0, -z / self._data)

    def __mod__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            return self.record(mod, (self, other))
        if (plain := constant(mod, other, "__rmod__")) is None:
            return NotImplemented
        return self.record(mod, (self, plain))

    def __rmod__(self, other: SupportsFloat) -> Value:
        if (plain := constant(mod, other, "__mod__")) is None:
            return NotImplemented
        return self.record(mod, (plain, self))

    def __floordiv__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            return self.record(floordiv, (self, other))
        if (plain := constant(floordiv, other, "__rfloordiv__")) is None:
            return NotImplemented
        return self.record(floordiv, (self, plain))

    def __rfloordiv__(self, other: SupportsFloat) -> Value:
        if (plain := constant(floordiv, other, "__floordiv__")) is None:
            return NotImplemented
        return self.record(floordiv, (plain, self))

    def __neg__(self) -> Value:
        return make_node(negation, -self._data, self, None, -1.0, 0.0)

    def __pow__(self, other: SupportsFloat) -> Value:
        if isinstance(other, Value):
            return self.record(power, (self, other))
        if (plain := constant(power, other, "__rpow__")) is None:
            return NotImplemented
        x: float = self._data
        c: float = plain
        if is_plain_power(x, c):
            z: float = raised(x, c)
            slope: float = c * raised(x, c - 1.0)
            if -inf < z < inf and -inf < slope < inf:
                return make_node(power, z, self, plain, slope, 0.0)
        return self.record(power, (self, plain))  # this handles a pole or an overflow

    def __rpow__(self, other: SupportsFloat) -> Value:
        if (plain := constant(power, other, "__pow__")) is None:
            return NotImplemented
        return self.record(power, (plain, self))

    def __abs__(self) -> Value:
        return METHODS["abs"](self)

    def __dealloc__(self) -> None:
        # Only the compiled class needs this: it would free a deep chain by recursion. Python's own classes do not.
        free_operands(self)  # type: ignore[name-defined]  # noqa: F821  # of value.pxd

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
        return _same(self) if follows(self) else rebuild(*(type(self), *state_of(self), attributes_of(self)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        """Return a copy of the whole graph. Other copies of the same call share its nodes."""
        made: list[Value] = []
        for node in topological_order(self):
            if id(node) not in memo:
                if follows(node):
                    memo[id(node)] = _same(node)
                    continue
                op, data, grad, label, weights, operands = state_of(node)
                operands = tuple(memo[id(x)] if isinstance(x, Value) else x for x in operands)
                memo[id(node)] = rebuild(type(node), op, data, grad, label, weights, operands)
                made.append(node)
        for node in made:  # after all nodes: an attribute may refer to a user of its node
            if attributes := attributes_of(node):
                vars(memo[id(node)]).update(copy.deepcopy(attributes, memo))
        copied: Value = memo[id(self)]
        return copied

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        """Pickle the graph as a flat list, parents first, so a deep graph needs no recursion."""
        if in_force.count and (watch := watching()) is not None:
            watch.read(self, "pickle")
        if self in flattened():
            flattened().discard(self)  # its parents come before it in the list that is being pickled
            return rebuild, (type(self), *state_of(self)), attributes_of(self)
        ancestors = topological_order(self)[:-1]
        return rebuild_last, (FlatList(ancestors), type(self), *state_of(self)), attributes_of(self)


Bundle = dict[str, Any] | tuple[dict[str, Any], dict[str, Any]]  # for a notebook: representations by MIME type
Number = Value | float  # an argument or a result of a function to differentiate or compile

_rebuild, _rebuild_last = rebuild, rebuild_last  # pickles from before 2026-12 name them so

_dying: list[object] = []  # for free_operands
_freeing = False
_waiting: list[Value | None] = [None] * 2048  # spare nodes; below: their number, its limit (9.6 MB), and the next place
_spares = 0
SPARES = int(os.environ.get("AUTOGRAD_MINI_SPARES", "100000"))  # set 0 for a tool that watches every block of memory
_near = 0

if not cython.compiled and sys.platform == "emscripten":
    # Its stack is too small for Python to free a chain of 5,000 nodes.
    from .uncompiled import free_in_turn

    Value.__del__ = free_in_turn  # type: ignore[attr-defined]


def make_node(op: Op | None, data: float, x: Any, y: Any, dx: float, dy: float) -> Value:
    """Make a node. Under some settings, it becomes a leaf, or records the limit of its row."""
    node: Value = new_node() if cython.compiled else Value.__new__(Value)  # type: ignore[name-defined]  # noqa: F821
    node._data = data
    node._grad = 0.0
    node._label = ""
    if in_force.count:
        if op is not None and not setting(RECORDING, True):
            if not is_traced():
                op = x = y = None
                dx = dy = 0.0
            elif op is not stopper:  # a run of the trace computes the number, but passes no derivative
                x, y = _stopped(x), _stopped(y)
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
        return make_node(op, 0.0 if x <= 0.0 else x, node, None, 1.0 if x > 0.0 else 0.0, 0.0)
    data = applied_to_one(op, node)
    if not is_recording() and not is_traced():
        return make_node(None, data, None, None, 0.0, 0.0)
    return make_node(op, data, node, None, slope_of_one(op, x, data), 0.0)


def _same(node: Value) -> Value:
    """Return a node with the same number and label whose parent is the given node."""
    made = make_node(identity, node._data, node, None, 1.0, 0.0)
    made._label = node._label
    return made


def _stopped(x: Any) -> Any:
    """Return operands as nodes that pass no derivative. Other objects do not change."""
    if isinstance(x, Value):
        node: Value = x
        return make_node(stopper, node._data, node, None, 0.0, 0.0)
    return tuple([_stopped(part) for part in x]) if type(x) is tuple else x


class StaleGraphError(ValueError):
    """A node's number differs from the result of its operation on its operands' numbers, after an assignment."""


# The function that shows a Value in notebooks. This module must not know drawing, so the package sets it.
_show: Callable[[Value, dict[str, str]], Bundle] | None = None


def show_with(show: Callable[[Value, dict[str, str]], Bundle] | None) -> None:
    """Set the function that makes a MIME bundle from a Value and its plain text."""
    global _show
    _show = show


def compiled() -> bool:
    """Return whether the engine is compiled. AUTOGRAD_MINI_COMPILE=0 in the environment chooses the Python sources.

    >>> compiled() in (True, False)
    True
    """
    return bool(cython.compiled)
