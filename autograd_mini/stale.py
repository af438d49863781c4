"""Stale graphs: a number was assigned after the graph was computed.

This module owns the sentence about such a graph. It names the first node that does not agree with its operands, and the
assigned leaves below it. `evaluation` finds the node. Every function that shows arithmetic asks here first, so that it
shows no wrong arithmetic.
"""

from __future__ import annotations

import math

from .evaluation import stale_node
from .node import primal, was_assigned
from .printing import format_number, names_of
from .value import StaleGraphError, Value
from .walks import topological_order


def staleness(output: Value, order: list[Value] | None = None) -> str:
    """Return a sentence on the first node that does not agree with its operands, and the cause, or "" if all do.

    >>> w = Value(1.0, "w")
    >>> y = w * w; y.label = "y"
    >>> w.data = 5.0
    >>> staleness(y)
    'y = 1, but w * w is 25 now: w was assigned. y.forward() computes the graph again'
    """
    order = topological_order(output) if order is None else order
    stale = stale_node(order)
    if stale is None:
        return ""
    node, given = stale
    names = names_of(order, output)
    assert node.op is not None
    spelled = node.op.spelled(len(node.operands))
    shown = ((spelled.parameters[i], node.operands[i]) for i in spelled.shown)
    formula = spelled.text.filled({name: names[x] if isinstance(x, Value) else format_number(x) for name, x in shown})
    formula = formula if len(formula) <= 60 else f"{node.op} of its operands"
    leaves = list(dict.fromkeys(x for x in node.parents if x.op is None))
    moved = [names[x] for x in leaves if was_assigned(x)]
    several = f"{', '.join(moved[:5])}{', …' * (len(moved) > 5)}"
    cause = (
        f"{several} {'was' if len(moved) == 1 else 'were'} assigned"
        if moved
        else f"its own number was assigned, or {node.op} is no function of its operands"
    )
    call = f"{output.label}.forward()" if output.label.isidentifier() else "forward() of the output"
    value = names[node], format_number(primal(node)), formula
    if math.isnan(given) and not any(math.isnan(primal(x)) for x in node.parents):
        return "{} = {}, but {} has no value now: {}".format(*value, cause)
    return "{} = {}, but {} is {} now: {}. {} computes the graph again".format(
        *value, format_number(given), cause, call
    )


def require_fresh(output: Value, order: list[Value] | None = None) -> None:
    """Raise a StaleGraphError if a node does not agree with the numbers of its operands."""
    if told := staleness(output, order):
        raise StaleGraphError(told)
