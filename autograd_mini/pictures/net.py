r"""A folded net as on a board: inputs, layers and cost in columns, a wire for each weight.

This room owns what a neuron's box and a wire say. The weight of a wire is found by the chain rule: it is the leaf that
the derivative of a neuron's sum in an input is. It must not know coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..explain import edges
from ..folding import Box as Fold
from ..printing import Label
from ..value import Value, no_grad, primal
from .model import Arrow, Box, Line
from .typeset import Run, Typeset, plain

__all__ = ["Wires", "biases_of", "columns_of", "neuron", "of_example", "weights_of_inputs", "wire"]

Wires = Literal["weights", "derivatives", "gradients"]


def of_example(folds: list[Fold], example: int | None) -> tuple[list[Fold], str]:
    """Return the folds of one example of a net's cost, and a note on which it is."""
    examples = sorted({x for x in map(_example, folds) if x}, key=lambda x: x.rjust(9))
    if not examples:
        return folds, ""
    chosen = examples[0] if example is None else str(example)
    if chosen not in examples:
        raise ValueError(f"draw: there is no example {example}; there are {examples[0]} to {examples[-1]}")
    kept = [fold for fold in folds if _example(fold) in ("", chosen)]
    others = f"; example={examples[-1 if chosen == examples[0] else 0]} draws another"
    return kept, f"example {chosen} of {len(examples)} is drawn{others * (len(examples) > 1)}"


def _example(fold: Fold) -> str:
    return fold.place.example if fold.place else Label.parse(fold.node.label).example


def weights_of_inputs(fold: Fold) -> dict[Value, Value]:
    """Return for what enters a neuron the leaf that it is multiplied by."""
    found: dict[Value, Value] = {}
    inside = set(fold.members)
    for user, parent, rule in _rules(fold):
        if parent not in inside and isinstance(rule, Value) and rule.op is None and user in inside:
            found.setdefault(parent, rule)
    return found


def biases_of(fold: Fold) -> list[Value]:
    """Return the leaves of a neuron that are added to its sum."""
    return [x for _, x, rule in _rules(fold) if x.op is None and x.label and isinstance(rule, float) and rule == 1.0]


def _rules(fold: Fold) -> list[tuple[Value, Value, object]]:
    """Return the edges inside a fold and into it, with what their rules give of the Values themselves."""
    found = []
    with no_grad():
        for user in fold.members:
            for edge in edges(user):
                op = user.op
                assert op is not None
                try:
                    found.append((user, edge.parent, op.rules[edge.operand](*user.operands, user)))
                except (ArithmeticError, ValueError):  # at a pole: no product
                    continue
    return found


def wire(
    source: tuple[str, Value],
    target: tuple[str, Value],
    weight: Value | None,
    derivative: float,
    slope: float,
    what: Wires,
) -> Arrow:
    """Return the wire between two neurons; without a weight, or by choice, it shows the local derivative."""
    (start, parent), (end, user) = source, target
    of, into = (plain(Typeset.name(x.label or "?").runs) for x in (user, parent))
    if what == "derivatives" or weight is None:
        number, said = derivative, f"∂{of}/∂{into}"
    else:
        name = plain(Typeset.name(weight.label).runs)
        number, said = (primal(weight), name) if what == "weights" else (slope, f"dJ/d{name}")
    return Arrow(start, end, "wire", f"{said} = {plain(Typeset.number(number, 4).runs)}", weight=number)


def neuron(box: Box, biases: Sequence[Value], name: tuple[Run, ...], value: tuple[Run, ...]) -> Box:
    """Return the box of a neuron: its output, its bias and the derivative in it."""
    lines = [Line("pair", (*name, Run(" = "), *value))]
    for bias in biases[:1]:
        number = Typeset.number(primal(bias), 3).runs
        lines.append(Line("note", (Run("b", italic=True), Run(" = "), *number)))
    return Box(
        box.id,
        box.kind,
        box.name,
        (*lines, *(line for line in box.lines if line.role == "gradient")),
        box.sentence,
        box.value,
        box.gradient,
        box.operation,
        box.frame,
    )


def columns_of(folds: Sequence[Fold], ids: dict[Value, str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the columns: what enters the net, its layers, and what is computed of them."""
    layers = list(dict.fromkeys(fold.place.layer for fold in folds if fold.place))
    columns: list[tuple[str, list[tuple[object, str]]]] = [("data", [])]
    columns += [(f"layer {layer}", []) for layer in layers]
    place: dict[Value, int] = {}
    for fold in folds:
        name = ids[fold.node]
        if fold.place:
            column = 1 + layers.index(fold.place.layer)
            columns[column][1].append((fold.place.neuron.rjust(9), name))
            op = fold.node.op
            if op is not None and op.arity == 1:
                title = plain(Typeset.write(op, [Typeset.name("z")]).runs)
                columns[column] = (f"layer {fold.place.layer}: a = {title}", columns[column][1])
        else:
            column = max((place[x] + 1 for x, _ in fold.edges if x in place), default=0)
            column = column if column == 0 else max(column, len(layers) + 1)
            while len(columns) <= column:
                columns.append(("cost" if len(columns) == len(layers) + 1 else "", []))
            columns[column][1].append((len(columns[column][1]), name))
        place[fold.node] = column
    for k, (title, found) in enumerate(columns):
        if k and k <= len(layers):
            found.sort()
        columns[k] = (title, found)
    return tuple((title, tuple(name for _, name in found)) for title, found in columns if found)
