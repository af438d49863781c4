"""The nodes of a graph as columns of numbers, made by loops over all nodes. Cython compiles these loops.

The places of inputs come first, and then those of nodes. Places of constants are below zero. This module must not know
traces.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .ops import Op
    from .value import Value


class Numbered(NamedTuple):
    """The places of inputs and of the nodes that depend on them, and columns with an entry for each such node."""

    places: dict[Value, int]
    rows: tuple[Op, ...]  # each once
    codes: array[int]  # of each node its row
    arities: array[int]  # of each node the number of its operands
    operands: array[int]  # the operands' places, one node after the other
    names: array[int]


def labelled(nodes: Sequence[Value]) -> list[Value]:
    """Return the nodes with a label."""
    return [node for node in nodes if node._label]


def numbered(
    inputs: Sequence[Value],
    order: Sequence[Value],
    names: Mapping[Value, int],
    more: Iterator[int],
    constant: Callable[[Any], int],
) -> Numbered:
    """Return the nodes that depend on some inputs, in columns.

    Args:
        order: nodes after their operands, perhaps with inputs among them.
        names: the names of nodes with a label.
        more: the names of all other nodes. Nodes that do not depend on the inputs take a name too.
        constant: a function that returns the place of an operand that does not depend on the inputs.
    """
    places = {node: k for k, node in enumerate(inputs)}
    rows: dict[Any, int] = {}
    codes, arities, own_names = [array("i", [0]) * len(order) for _ in range(3)]
    operands = array("i", [0]) * _most_operands(order)
    code_at, arity_at, name_at, operand_at = codes, arities, own_names, operands  # Cython reads and writes these in C
    count = start = end = 0
    for node in order:
        if node in places:
            continue
        name = names[node] if node in names else next(more)
        x, y = node._x, node._y
        if type(x) is tuple:
            if places.keys().isdisjoint(x):
                continue
            for operand in x:
                operand_at[end] = places[operand] if operand in places else constant(operand)
                end += 1
        else:
            first, second = places.get(x), places.get(y)
            if first is None and second is None:
                continue
            operand_at[end] = constant(x) if first is None else first
            end += 1
            if y is not None:
                operand_at[end] = constant(y) if second is None else second
                end += 1
        places[node] = len(inputs) + count
        code_at[count] = rows.setdefault(node._op_row, len(rows))
        name_at[count] = name
        arity_at[count] = end - start
        start = end
        count += 1
    return Numbered(places, tuple(rows), codes[:count], arities[:count], operands[:end], own_names[:count])


def _most_operands(nodes: Sequence[Value]) -> int:
    """Return a bound for the number of all operands of some nodes."""
    count = 0
    for node in nodes:
        count += len(node._x) if type(node._x) is tuple else 2
    return count
