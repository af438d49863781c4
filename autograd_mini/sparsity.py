r"""The pattern of Jacobians and Hessians: the places of derivatives that can be nonzero.

This module owns the patterns of functions and graphs. It must not know how derivatives are computed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Literal

from .accumulation import LinearGraph, cheapest
from .edge_pushing import second_derivatives
from .given import require_function, require_value
from .runs import Run
from .sparse import Pattern, mirrored
from .structure import Structure, Tree, flatten
from .value import Number, Value
from .walks import topological_order


def sparsity(
    f: Callable[..., Tree], argnums: int | Sequence[int] = 0, *, order: Literal[1, 2] = 1
) -> Callable[..., Pattern]:
    r"""Return the function that computes the places where derivatives of f can be nonzero.

    For order 1, these are the places (i, j) of $\partial z_i / \partial x_j$. For order 2, they are the places of
    $\partial^2 z / \partial x_i \partial x_j$ for any output z. A place is left out if no path leads from the input to
    the output or, for order 2, if all rows on the way are linear. A place stays if its value cancels to 0. The pattern
    belongs to the run at these arguments: to the branches that `if` takes and the elements that are chosen there.

    Args:
        f: a function from numbers, arrays or nested structures to the same. A place counts the numbers from left to
            right.
        argnums: the argument to differentiate with respect to, or several.
        order: the order of the derivatives, 1 or 2.

    Raises:
        ValueError: `order` is neither 1 nor 2.

    >>> sparsity(lambda x: [x[0] * x[1], x[1] + x[2], x[2] ** 2])([1.0, 2.0, 3.0])
    3 × 3, 5 of 9 can be nonzero (55.6%)
    [⠙⠆]
    >>> list(sparsity(lambda x: x[0] * x[1] + x[2], order=2)([1.0, 2.0, 3.0]))
    [(0, 1), (1, 0)]
    """
    require_function("sparsity", f)
    _require_order(order)

    @functools.wraps(f)
    def wrapped(*args: Tree, **kwargs: Any) -> Pattern:
        run = Run(f, args, kwargs, argnums)
        return _pattern(run.outputs, run.inputs, order)

    return wrapped


def sparsity_graph(outputs: Tree, inputs: Tree = None, *, order: Literal[1, 2] = 1) -> Pattern:
    """Return the places where derivatives of a graph can be nonzero; see `sparsity`.

    Args:
        outputs: a Value or a structure of Values.
        inputs: a node or a structure of nodes of the graph, none computed from another. None is all leaves.
        order: the order of the derivatives, 1 or 2.

    Raises:
        TypeError: an output or an input is not a Value.
        ValueError: an input is given twice, or computed from another; `order` is neither 1 nor 2.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> list(sparsity_graph([a * b, b + 1], [a, b]))
    [(0, 0), (0, 1), (1, 1)]
    """
    _require_order(order)
    nodes, leaves, _, _ = ends_of("sparsity_graph", outputs, inputs)
    return _pattern(nodes, leaves, order)


def _require_order(order: object) -> None:
    if order not in (1, 2):
        raise ValueError(f"sparsity: order must be 1 or 2, not {order!r}")


def _pattern(outputs: Sequence[Number], inputs: Sequence[Value], order: int) -> Pattern:
    if order == 1:
        rows = cheapest(LinearGraph(outputs, inputs))[1].rows
    else:
        rows = mirrored(second_derivatives(outputs, inputs))
    return Pattern((len(rows), len(inputs)), tuple(tuple(sorted(row)) for row in rows))


def ends_of(what: str, outputs: Tree, inputs: Tree) -> tuple[list[Value], list[Value], Structure, Structure]:
    """Return the outputs and the inputs of a graph as lists, and their structures. None as `inputs` is all leaves.

    Raises:
        TypeError: an output or an input is not a Value.
        ValueError: an input is given twice, or computed from another.
    """
    nodes, out = flatten(outputs)
    if inputs is None:
        for z in nodes:
            require_value(what, z, "Values")
        inputs = [x for x in topological_order(*nodes) if x.op is None]
    leaves, into = flatten(inputs)
    for x in (*nodes, *leaves):
        require_value(what, x, "Values")
    given = set(leaves)
    if len(given) != len(leaves):
        raise ValueError(f"{what}: the same node is among the inputs twice")
    for x in topological_order(*chain.from_iterable(x.parents for x in leaves)):
        if x in given:
            # A set tells nodes apart by identity; `in` of a list compares numbers.
            user = next(u for u in leaves if u.op is not None and x in set(topological_order(*u.parents)))
            raise ValueError(
                f"{what}: {user.label or repr(user)} is computed from {x.label or repr(x)}: give one of them"
            )
    return nodes, leaves, out, into
