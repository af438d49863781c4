r"""Sides of choices in programs: the side that is not chosen brings no nan into derivatives.

A program multiplies derivatives along all edges. The derivative of a side that is not chosen is 0, and 0 times an
infinite slope is nan. So each row of a side that can have infinite slopes gets a `where` before it: while the side is
not chosen, the row computes with operands inside its domain. This is known as the double-where trick. This module must
not know how programs are run.
"""

from __future__ import annotations

from itertools import count, islice
from typing import Any

from ..choices import Side, Sides, can_be_infinite
from ..edge_pushing import rule_of
from ..ops import Op, where
from ..settings import by_ieee, recording
from ..tracer import Tracer, recorded
from ..traces import Trace
from ..value import Value
from ..walks import topological_order
from .scan_rows import ScanRow

ALWAYS, SEVERAL = (-1, 0), (-2, 0)  # sides: a derivative always reaches it; a union of sides of several choices


def guarded(trace: Trace) -> Trace:
    """Return a trace of the same values; products of its derivatives along edges have no 0 times infinity.

    >>> from autograd_mini import greater, sqrt, trace
    >>> guarded(trace(lambda x: where(greater(x, 0.0), sqrt(x), 0.0), 4.0))
    trace of <lambda>: 1 input, 4 equations
      x0 = inputs
      t1 = x0 > 0
      t2 = where(t1, x0, 1)
      t3 = sqrt(t2)
      t4 = where(t1, t3, 0)
      return t4
    """
    if not (asks(trace) and _may_need_guards(trace)):
        return trace
    with recording(), by_ieee():
        inputs = [Value(x, name) for x, name in zip(trace.primals, trace.inputs, strict=True)]
        held = trace._run(inputs)
        for k, node in enumerate(held[len(inputs) :]):
            if trace.equations.names[k] < 0 and isinstance(node, Value):
                node.label = trace.equations.name(k)
        outputs = [held[z] if isinstance(z, int) else z for z in trace.outputs]
        order = topological_order(*[z for z in outputs if isinstance(z, Value)])
        made = _rebuilt(order, Sides(outputs, order, rule_of).of)
    if not made:
        return trace
    tracer = Tracer(trace.name, inputs)
    for b in trace.branches:
        right = held[b.right] if isinstance(b.right, int) else b.right
        tracer.comparisons.append((b.sign, held[b.left], right, b.outcome))
    ends = [made.get(z, z) if isinstance(z, Value) else z for z in outputs]
    columns = recorded(ends, inputs, tracer)._replace(frozen=trace.frozen)
    return Trace(trace.name, **columns._asdict(), into=trace.into, out=trace.out).common_subexpressions()


def asks(trace: Trace) -> bool:
    """Return whether a choice depends on a row with values or slopes that can be infinite."""
    equations = trace.equations
    rows = [(bool(op.chooses), _is_infinite(op)) for op in equations.rows]
    if not (any(chooses for chooses, _ in rows) and any(infinite for _, infinite in rows)):
        return False
    found = bytearray(len(trace.inputs) + len(equations) + len(equations.constants))
    read = iter(equations.operands)
    for i, code, arity in zip(count(len(trace.inputs)), equations.codes, equations.arities, strict=False):
        chooses, infinite = rows[code]
        below = max(map(found.__getitem__, islice(read, arity)))
        if below and chooses:
            return True
        found[i] = infinite or below
    return False


def _may_need_guards(trace: Trace) -> bool:
    """Return whether a row that can be infinite may be in a side; `Sides` finds the same on Values, and takes longer.

    Here a side is a choice and the set of its places, one bit for each. All places together are always reached.
    """
    equations, n = trace.equations, len(trace.inputs)
    operands, starts = equations.operands, equations.starts
    facts = [(op.stops, op.chooses, can_be_infinite(op)) for op in equations.rows]
    sides: list[Any] = [None] * (n + len(equations) + len(equations.constants))
    for z in trace.outputs:
        if isinstance(z, int):
            sides[z] = ALWAYS
    for k in range(len(equations) - 1, -1, -1):
        user, (stops, chooses, infinite) = n + k, facts[equations.codes[k]]
        side = sides[user]
        if side is None:  # no derivative reaches it
            continue
        choice, places = side
        if choice >= 0 and places.bit_count() == equations.arities[choice - n] - 1:
            side = ALWAYS
        if infinite and side is not ALWAYS:
            return True
        for place, x in enumerate(operands[starts[k] : starts[k + 1]]):
            if place not in stops:
                its = side if place not in chooses else (user, 1 << place) if side is ALWAYS else SEVERAL
                sides[x] = its if sides[x] is None else _both(sides[x], its)
    return False


def _both(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Return the side of a node that is in two sides."""
    if one is ALWAYS or other is ALWAYS:
        return ALWAYS
    return (one[0], one[1] | other[1]) if one[0] == other[0] else SEVERAL


def _is_infinite(op: Op) -> bool:
    """Return whether a row, or one in the body of a loop, can have a value or a slope that is infinite."""
    return any(map(_is_infinite, op.scan.body.equations.rows)) if isinstance(op, ScanRow) else can_be_infinite(op)


def _rebuilt(order: list[Value], sides: dict[Value, Side | None]) -> dict[Value, Value]:
    """Return new nodes for the guarded nodes, and for all nodes that depend on them."""
    made: dict[Any, Value] = {}
    for node in order:
        op = node.op
        if op is None:
            continue
        side = sides.get(node) if can_be_infinite(op) else None
        operands = [x if k in op.stops else made.get(x, x) for k, x in enumerate(node.operands)]
        if side is not None:
            operands = [
                where(side.test, x, op.domain[k].inside) if isinstance(x, Value) and k not in op.stops else x
                for k, x in enumerate(operands)
            ]
        if any(x is not before for x, before in zip(operands, node.operands, strict=True)):
            made[node] = op(*operands)
            made[node].label = node.label
    return made
