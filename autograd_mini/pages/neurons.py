"""The board of a net on the page that trains it: the places of neurons and wires, and the outputs of the neurons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..folding import boxes_of
from ..nn.layers import index
from ..nn.module import Module
from ..pictures.board import board_of
from ..pictures.model import Arrow, Box, Line, Picture
from ..pictures.net import columns_of, is_one_box_each, weights_and_biases, without_parameters
from ..pictures.typeset import Run, Typeset
from ..structure import flatten
from ..sums import sum as total_of
from ..traces import Trace, trace_graph
from ..value import Value
from ..walks import topological_order
from .places import numbers_along
from .templates import markup_of

MAX_WIRES = 400  # with more wires, nobody can tell them apart
PLANE_WIDTH = 5  # characters
MARGIN, BELOW = 4.0, 6.0  # points around the picture


def board_facts(net: Module, parameters: list[Value], x: list[float]) -> tuple[dict[str, Any] | None, Trace | None]:
    """Return the places of a net's neurons and wires, and the equations of the neurons' outputs.

    Both are None if the net has no neurons or too many wires.
    """
    leaves = [Value(v, f"x_{index(k)}") for k, v in enumerate(x, 1)]
    outputs = [z for z in flatten(net(leaves))[0] if isinstance(z, Value)]
    whole = total_of(outputs) if len(outputs) > 1 else outputs[0]
    order = topological_order(whole)
    folds = boxes_of(order, whole, fold=True)
    has_layers = any(fold.place for fold in folds)
    neurons = {fold.node for fold in folds if fold.place or (not has_layers and fold.node.op is not None)}
    if not (is_one_box_each(folds) if has_layers else all(node.label for node in neurons)):
        return None, None
    numbered = {p: k for k, p in enumerate(parameters)}
    kinds: Any = {node: "parameter" if node in numbered else "data" for node in order}
    inside = {fold.node: weights_and_biases(fold, kinds) for fold in folds if fold.node in neurons}
    shown = neurons | {parent for fold in folds if fold.node in neurons for parent, _ in fold.edges}
    if not has_layers:  # a net that is a single neuron
        shown -= {x for weights, biases in inside.values() for x in (*weights.values(), *biases)} - neurons
    kept = [fold for fold in without_parameters(folds, kinds) if fold.node in shown]
    ids = {fold.node: f"n{k}" for k, fold in enumerate(kept)}
    wires = [(parent, fold.node) for fold in kept for parent, _ in fold.edges if parent in ids]
    if len(wires) > MAX_WIRES:
        return None, None
    weights = [inside[node][0].get(parent) for parent, node in wires]
    arrows = [
        Arrow(ids[parent], ids[node], "forward" if weight is None else "wire")
        for (parent, node), weight in zip(wires, weights, strict=True)
    ]
    boxes = [_box(ids[fold.node], fold.node, fold.node in neurons, len(x) == 2) for fold in kept]
    picture = _with_cost(boxes, arrows, columns_of(kept, ids))
    biases = {ids[node]: [numbered[bias] for bias in own] for node, (_, own) in inside.items()}
    places = [None if weight is None else numbered[weight] for weight in weights]
    traced = trace_graph([fold.node for fold in kept if fold.node in neurons], [*parameters, *leaves])
    return _placed(picture, places, biases), traced


def _box(name: str, node: Value, is_neuron: bool, has_plane: bool) -> Box:
    """Return the box of a neuron or an input, with room for a bias and a small picture of the neuron's output."""
    lines = [Line("pair", Typeset.name(node.label or "…").runs)]
    if is_neuron:
        lines.append(Line("note", (Run("b = −0.0000"), Run(" " * PLANE_WIDTH * has_plane))))
    return Box(name, "result" if is_neuron else "data", name, tuple(lines), "")


def _with_cost(boxes: list[Box], arrows: list[Arrow], columns: Sequence[tuple[str, tuple[str, ...]]]) -> Picture:
    """Return a picture of the net, with the cost after its last column."""
    cost = Box("J", "output", "J", (Line("pair", (Run("J = 0.000000"),)),), "")
    into = [Arrow(name, "J", "forward") for name in columns[-1][1]]
    return Picture("", (*boxes, cost), (*arrows, *into), columns=(*columns, ("cost", ("J",))))


def _placed(picture: Picture, weights: list[int | None], biases: dict[str, list[int]]) -> dict[str, Any]:
    """Return the boxes and wires of a picture with their places, from the left and from the top.

    `weights` are the parameters on the first wires. `biases` are the parameters of boxes, by their places. Other wires
    and boxes have no parameter.
    """
    board = board_of(picture)
    of_wires = [*weights, *[None] * (len(picture.arrows) - len(weights))]
    numbers = numbers_along(list(board.ends), [weight is not None for weight in of_wires])
    top = max(y for _, _, y in board.captions) + 14

    def at(x: float, y: float) -> list[float]:
        return [x + MARGIN, top - y]

    return {
        "width": max(place.x + place.width / 2 for place in board.places.values()) + 2 * MARGIN,
        "height": top + BELOW,
        "captions": [[title, *at(x, y)] for title, x, y in board.captions],
        "boxes": [
            {
                "kind": box.kind,
                "name": markup_of(box.lines[0].runs),
                "biases": biases.get(box.id, []),
                "at": [*at(place.x, place.y), place.width, place.height],
            }
            for box in picture.boxes
            for place in [board.places[box.id]]
        ],
        "wires": [
            {"ends": [*at(*start), *at(*end)], "weight": weight, "number": number and at(*number)}
            for weight, (start, end), number in zip(of_wires, board.ends, numbers, strict=True)
        ],
    }
