r"""A folded net as on a board: inputs, layers and cost in columns, a wire for each weight.

This module owns the text of a neuron's box and of a wire. The chain rule finds the weight of a wire: it is the leaf
that equals the derivative of a neuron's sum with respect to an input. The module must not know coordinates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from ..edges import edges_of
from ..folding import Box as Fold
from ..node import primal
from ..ops import Op
from ..printing import Label
from ..settings import no_grad
from ..value import Value
from .model import Arrow, Box, Kind, Line
from .typeset import Run, Typeset, plain

Wires = Literal["weights", "derivatives", "gradients"]


def is_one_box_each(folds: list[Fold]) -> bool:
    """Return whether the folds are a net with one box for each neuron of each example."""
    places = [fold.place for fold in folds if fold.place]
    return bool(places) and len(set(places)) == len(places)


def of_example(folds: list[Fold], example: int | None) -> tuple[list[Fold], str]:
    """Return the folds of one example of a net's cost, and a note that names the example."""
    examples = sorted({x for x in map(_example, folds) if x}, key=lambda x: x.rjust(9))
    if not examples:
        if example is not None:
            raise ValueError(f"draw: there is one example, without a number; leave example={example} out")
        return folds, ""
    chosen = examples[0] if example is None else str(example)
    if chosen not in examples:
        raise ValueError(f"draw: there is no example {example}; there are {examples[0]} to {examples[-1]}")
    kept = [fold for fold in folds if _example(fold) in ("", chosen)]
    others = f"; example={examples[-1 if chosen == examples[0] else 0]} draws another"
    return kept, f"example {chosen} of {len(examples)} is drawn{others * (len(examples) > 1)}"


def _example(fold: Fold) -> str:
    return fold.place.example if fold.place else Label.parse(fold.node.label).example


def weights_and_biases(fold: Fold, kinds: Mapping[Value, Kind]) -> tuple[dict[Value, Value], list[Value]]:
    r"""Return the weight of each input of a neuron, and the biases, by the derivatives of its sum z.

    If $\partial z / \partial x$ is a parameter, it is the weight of x. A bias is a parameter b with
    $\partial z / \partial b = 1$. Other inputs have no weight.
    """
    inside = set(fold.members)
    total = fold.node
    while total.op is not None and total.op.arity == 1 and total.parents[0] in inside:  # below the activation
        total = total.parents[0]
    entering = Counter(parent for user in fold.members for parent in user.parents)
    ones, weights, biases = {total}, {}, []
    for user in reversed(fold.members):
        if user not in ones or user.op is None:
            continue
        for parent, rule in _rules(user):
            if entering[parent] > 1:
                continue
            if isinstance(rule, Value) and parent not in inside and kinds.get(rule) == "parameter":
                weights[parent] = rule
            elif isinstance(rule, float) and rule == 1.0:
                ones.add(parent)
                if kinds[parent] == "parameter":
                    biases.append(parent)
    return weights, biases


def without_parameters(folds: list[Fold], kinds: Mapping[Value, Kind]) -> list[Fold]:
    """Return the folds without the parameters that wires and neurons show."""
    users: dict[Value, int] = {}
    shown: dict[Value, int] = {}
    for fold in folds:
        for parent, _ in fold.edges:
            users[parent] = users.get(parent, 0) + 1
        if fold.place:
            weights, biases = weights_and_biases(fold, kinds)
            for parameter in {*weights.values(), *biases}:
                shown[parameter] = shown.get(parameter, 0) + 1
    return [fold for fold in folds if not shown.get(fold.node) or shown[fold.node] < users[fold.node]]


def _rules(user: Value) -> Iterator[tuple[Value, object]]:
    """Yield each parent of a node with the result of its rule on Values. For a product, this is the other factor."""
    with no_grad():
        for edge in edges_of(user):
            try:
                yield edge.parent, edge.apply()
            except (ArithmeticError, ValueError):  # the rule has a pole, so the node is not a product
                continue


def wire(
    source: tuple[str, Value],
    target: tuple[str, Value],
    weight: Value | None,
    derivative: float,
    derivatives: Mapping[Value, float],
    output: Value,
    what: Wires,
) -> Arrow:
    """Return the wire between two neurons. Without a weight, or by choice, it shows the local derivative."""
    (start, parent), (end, user) = source, target
    of, into = (plain(Typeset.name(x.label or "?").runs) for x in (user, parent))
    number: float | None = derivative
    said = f"∂{of}/∂{into}"
    if weight is not None and what == "weights":
        number, said = primal(weight), plain(Typeset.name(weight.label or "w").runs)
    elif weight is not None and what == "gradients":
        number, said = derivatives.get(weight), plain(Typeset.derivative(output.label or "f", weight.label or "w").runs)
    shown = "?" if number is None else plain(Typeset.number(number, 4).runs)
    return Arrow(start, end, "wire", f"{said} = {shown}", derivative=derivative, weight=number)


def neuron(box: Box, biases: Sequence[Value], name: tuple[Run, ...], value: tuple[Run, ...]) -> Box:
    """Return the box of a neuron: its output, its bias and its derivative."""
    lines = [Line("pair", (*name, Run(" = "), *value))]
    for bias in biases[:2]:
        letter = Typeset.name(Label.parse(bias.label).base or "b").runs
        lines.append(Line("note", (*letter, Run(" = "), *Typeset.number(primal(bias), 3).runs)))
    return replace(box, lines=(*lines, *(line for line in box.lines if line.role == "gradient")))


def columns_of(folds: Sequence[Fold], ids: dict[Value, str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the columns: the inputs of the net, its layers, and the results after them."""
    layers = list(dict.fromkeys(fold.place.layer for fold in folds if fold.place))
    columns: list[tuple[str, list[tuple[object, str]]]] = [("data", [])]
    columns += [(f"layer {layer}", []) for layer in layers]
    place: dict[Value, int] = {}
    activations: dict[int, set[Op | None]] = {}
    for fold in folds:
        name = ids[fold.node]
        if fold.place:
            column = 1 + layers.index(fold.place.layer)
            columns[column][1].append((fold.place.neuron.rjust(9), name))
            activations.setdefault(column, set()).add(fold.node.op)
        else:
            column = max((place[x] + 1 for x, _ in fold.edges if x in place), default=0)
            column = column if column == 0 else max(column, len(layers) + 1)
            while len(columns) <= column:
                columns.append(("", []))
            columns[column][1].append((len(columns[column][1]), name))
        place[fold.node] = column
    captions = []
    for k, (title, boxes) in enumerate(columns):
        op, *others = activations.get(k, {None})
        formula = op is not None and op.arity == 1 and not others and plain(Typeset.write(op, [Typeset.name("z")]).runs)
        captions.append(f"{title}: a = {formula}" if formula else title)
        if k in activations:
            boxes.sort()
    named = zip(captions, columns, strict=True)
    return tuple((title, tuple(name for _, name in boxes)) for title, (_, boxes) in named if boxes)
