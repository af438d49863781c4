"""The recorder of a function: it observes the function's run and makes equations of it.

This module records the nodes that depend on the inputs, other uses of their numbers by Python code, and the resulting
equations. It must not know how equations are run.
"""

from __future__ import annotations

import functools
import math
import os
import sys
import warnings
from collections.abc import Sequence
from itertools import chain
from types import FrameType
from typing import Any, NamedTuple

from .equations import MIRRORED, Branch, Constants, Equations
from .node import primal, primal_grad
from .numbering import labelled, numbered
from .ops import number, stop_gradient
from .printing import labels_of, numbers_beside
from .settings import Watch, tell_read
from .transform import adjoints
from .value import Number, Value
from .walks import topological_order

OURS = (f"{os.path.dirname(__file__)}{os.sep}", functools.__file__)  # the folder of code that is not the user's


class TraceWarning(UserWarning):
    """A trace may be wrong at other inputs."""


class Tracer(Watch):
    """Record the uses of Values by Python code that make no nodes: comparisons, numbers that it reads, derivatives."""

    traces = True

    def __init__(self, name: str, inputs: Sequence[Value]) -> None:
        self.name = name
        self.comparisons: list[tuple[str, Value, Number, bool]] = []
        self._made: list[Value] = []
        self.made = self._made.append  # type: ignore[assignment, method-assign]  # every node takes this way
        self._own: set[Value] = set()
        self._counted = 0
        self.frozen: dict[Value, float] = {}  # nodes from outside the trace whose numbers are constants
        self.adjoints: dict[Value, Any] = {}  # the nodes of `.grad`
        self._depends = dict.fromkeys(inputs, True)
        self._entered: set[Value] = set()  # nodes that are leaves of a function that is differentiated
        self._walked: set[Value] = set()  # constants whose nodes from outside the trace are known
        self._said: set[str] = set()

    @property
    def own(self) -> set[Value]:
        """Return the nodes that were made in the trace."""
        self._own.update(self._made[self._counted :])  # not islice, which begins at the front each time
        self._counted = len(self._made)
        return self._own

    def graph(self, order: list[Value]) -> None:
        """Treat the nodes of an existing graph as made in the trace, so that constants come from its leaves."""
        self._made += order

    def follows(self, node: Value) -> bool:
        """Return whether a node becomes an equation because it depends on the inputs. If not, it is a constant."""
        if self.depends(node):
            return True
        self.freeze(node)
        return False

    def depends(self, node: Value) -> bool:
        """Return whether a node was computed from the inputs.

        One path down to an input is enough: all nodes on it depend on that input.
        """
        known = self._depends
        path = [(node, iter(node.parents))] if node not in known else []
        while path:
            top, parents = path[-1]
            below = next((x for x in parents if known.get(x) is not False), None)
            if below is None:
                known[top] = False
                path.pop()
            elif below in known:
                known.update((x, True) for x, _ in path)
                break
            else:
                path.append((below, iter(below.parents)))
        return known[node]

    def freeze(self, node: Value) -> None:
        """Record that a node's number is a constant, which comes from nodes outside the trace."""
        own, stack = self.own, [node]
        while stack:
            top = stack.pop()
            if top in self._walked:
                continue
            self._walked.add(top)
            if top.op is not None and top in own:
                stack += top.parents
            else:
                self.frozen[top] = primal(top)
                tell_read(top)  # an outer trace records it as well

    def read(self, node: Value, what: str) -> None:
        if self.depends(node):
            value = repr(node.label) if node.label else f"a result of {node.op}" if node.op else "an input"
            told = "the graph" if what == "pickle" else f".{what}"
            self._warn(f"{told} of {value} is read and becomes a constant: at other inputs it stays the same")
        else:
            self.freeze(node)

    def assigned(self, node: Value) -> None:
        value = node.label or repr(node)
        raise TypeError(
            f"{self.name}: the number of {value} cannot be assigned inside a function that is traced, because a run of "
            "the trace would not repeat it. Move parameters outside of the function, with the gradient that it returns"
        )

    def swept(self, output: Value, seed: float) -> None:
        for node, found in adjoints(output, seed).items():
            slope = stop_gradient(found)  # it is a number for its reader
            before = self.adjoint(node, primal_grad(node)) if node.op is None or node in self._entered else 0.0
            self.adjoints[node] = slope if isinstance(before, float) and before == 0.0 else before + slope

    def entered(self, node: Value) -> None:
        self._entered.add(node)

    def adjoint(self, node: Value, grad: float) -> Any:
        if node in self.adjoints:
            return self.adjoints[node]
        if node in self.own or node in self._depends:  # it was made in the trace, so it had no derivative before
            return 0.0
        if grad:
            self._warn(
                f".grad of {node.label or repr(node)} comes from a backward() outside of the trace, and is a constant"
            )
        return grad

    def keep_adjoint(self, node: Value, grad: Any) -> Any:
        self.adjoints[node] = grad if isinstance(grad, Value) else number("Value.grad", grad)
        return primal(grad) if isinstance(grad, Value) else grad

    def _warn(self, message: str) -> None:
        frame = users_frame()
        path, line = frame.f_code.co_filename, frame.f_lineno
        if f"{path}:{line}:{message}" not in self._said:
            self._said.add(f"{path}:{line}:{message}")
            warnings.warn_explicit(
                f"{self.name}: {message}. Use the Value itself, or v.detach() for its number without a derivative",
                TraceWarning,
                path,
                line,
            )

    def compared(self, sign: str, x: Value, y: Any, outcome: bool) -> None:
        if not isinstance(y, (Value, float)):
            at = _float_of(y)
            if at != y and at == at:  # between two floats: no float is equal, and x < y is x <= the one below
                if sign in ("==", "!="):
                    return
                sign, at = ("<=" if sign in ("<", "<=") else ">"), at if at < y else math.nextafter(at, -math.inf)
            y = at
        self.comparisons.append((sign, x, y, outcome))


def users_frame() -> FrameType:
    """Return the innermost frame that is not in this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    return frame


def _float_of(x: Any) -> float:
    """Return the float that is nearest to an exact number."""
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


class Recorded(NamedTuple):
    """Equations from inputs to outputs, and the assumptions under which they hold: see `Trace`."""

    inputs: tuple[str, ...]
    equations: Equations
    outputs: tuple[int | float, ...]
    branches: tuple[Branch, ...]
    primals: tuple[float, ...]
    frozen: tuple[tuple[Value, float], ...]


def recorded(
    outputs: Sequence[Number], inputs: Sequence[Value], tracer: Tracer, order: Sequence[Value] | None = None
) -> Recorded:
    """Return the equations that compute some outputs, which are nodes or numbers, from the inputs.

    Nodes that do not depend on the inputs are constants. `order` has all nodes from the inputs to the outputs, if they
    are known.
    """
    compared = tracer.comparisons
    sides = chain.from_iterable((left, right) for _, left, right, _ in compared)
    given = set(inputs)
    ends = [x for x in chain(outputs, sides) if isinstance(x, Value)]
    order = topological_order(*ends) if order is None else order
    labels = labels_of([*inputs, *[node for node in labelled(order) if node not in given]])
    numbers = numbers_beside(labels.values())
    named = tuple([labels.pop(x, "") or f"t{next(numbers)}" for x in inputs])
    names = {node: ~k for k, node in enumerate(labels)}

    def constant(x: Any) -> float:
        if not isinstance(x, Value):
            return float(x)
        tracer.freeze(x)
        return primal(x)

    constants = Constants()
    found = numbered(inputs, order, names, numbers, lambda x: constants.place(constant(x)))

    def place(x: Any) -> int | float:
        return found.places[x] if x in found.places else constant(x)

    branches = []
    for sign, left, right, outcome in compared:
        a, b = place(left), place(right)
        if isinstance(a, int):
            branches.append(Branch(sign, a, b, outcome))
        elif isinstance(b, int):
            branches.append(Branch(MIRRORED[sign], b, a, outcome))
    return Recorded(
        named,
        Equations(
            found.rows,
            found.codes,
            found.arities,
            found.operands,
            tuple(constants.numbers),
            found.names,
            tuple(labels.values()),
        ),
        tuple(place(z) for z in outputs),
        tuple(dict.fromkeys(branches)),
        tuple(map(primal, inputs)),
        tuple(tracer.frozen.items()),
    )
