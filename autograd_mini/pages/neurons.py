"""A net as on a board, for the page that trains it: the places of neurons and wires, and the neurons' outputs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..folding import boxes_of
from ..nn.layers import index
from ..nn.module import Module
from ..pictures.board import board_of
from ..pictures.model import Arrow, Box, Line, Picture
from ..pictures.net import columns_of, is_one_box_each, weights_and_biases, without_parameters
from ..pictures.typeset import Run, Typeset
from ..structure import flatten
from ..trace import Trace, trace_graph
from ..value import Value, sum as total_of, topological_order

__all__ = ["board_facts", "runs_of"]

MOST_DRAWN = 400  # wires that can be told apart
MOST_LABELLED = 16  # wires between two columns, up to which they have numbers
ROOM = 5  # characters
SHARES = [0.68, 0.6, 0.76, 0.52, 0.82, 0.44, 0.36, 0.28]  # of the length of a wire, where its number may stand
WIDE, HIGH = 46.0, 18.0  # points of such a number


def board_facts(net: Module, parameters: list[Value], x: list[float]) -> tuple[dict[str, Any] | None, Trace | None]:
    """Return the places of a net's neurons and wires, and the equations of the neurons' outputs.

    Both are None where the net has no neurons, or too many wires.
    """
    leaves = [Value(v, f"x_{index(k)}") for k, v in enumerate(x, 1)]
    outputs = [z for z in flatten(net(leaves))[0] if isinstance(z, Value)]
    whole = total_of(outputs) if len(outputs) > 1 else outputs[0]
    order = topological_order(whole)
    folds = boxes_of(order, whole, fold=True)
    places = any(fold.place for fold in folds)
    steps = {fold.node for fold in folds if fold.place or (not places and fold.node.op is not None)}
    if not (is_one_box_each(folds) if places else all(node.label for node in steps)):
        return None, None
    numbered = {p: k for k, p in enumerate(parameters)}
    kinds: Any = {node: "parameter" if node in numbered else "data" for node in order}
    inner = {fold.node: weights_and_biases(fold, kinds) for fold in folds if fold.node in steps}
    entering = {parent for fold in folds if fold.node in steps for parent, _ in fold.edges}
    if not places:  # a neuron alone
        entering -= {x for found, own in inner.values() for x in (*found.values(), *own)}
    kept = [fold for fold in without_parameters(folds, kinds) if fold.node in steps or fold.node in entering]
    ids = {fold.node: f"n{k}" for k, fold in enumerate(kept)}
    room = Run(" " * ROOM) if len(x) == 2 else Run("")  # for a small picture of the neuron's plane
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    numbers: dict[str, list[int]] = {"J": []}  # the biases of boxes, by their places among the parameters
    weights: list[int | None] = []
    for fold in kept:
        found, own = inner.get(fold.node, ({}, []))
        name = ids[fold.node]
        numbers[name] = [numbered[bias] for bias in own]
        lines = [Line("pair", Typeset.name(fold.node.label or "…").runs)]
        lines += [Line("note", (Run("b = −0.0000"), room))] * (fold.node in steps)
        boxes.append(Box(name, "result" if fold.node in steps else "data", name, tuple(lines), ""))
        for parent in [parent for parent, _ in fold.edges if parent in ids]:
            weight = found.get(parent)
            arrows.append(Arrow(ids[parent], name, "forward" if weight is None else "wire"))
            weights.append(None if weight is None else numbered[weight])
    if len(arrows) > MOST_DRAWN:
        return None, None
    columns = columns_of(kept, ids)
    boxes.append(Box("J", "output", "J", (Line("pair", (Run("J = 0.000000"),)),), ""))
    for name in columns[-1][1]:
        arrows.append(Arrow(name, "J", "forward"))
        weights.append(None)
    picture = Picture("", tuple(boxes), tuple(arrows), columns=(*columns, ("cost", ("J",))))
    neurons = trace_graph([fold.node for fold in kept if fold.node in steps], [*parameters, *leaves])
    return _placed(picture, weights, numbers), neurons


def _placed(picture: Picture, weights: list[int | None], biases: dict[str, list[int]]) -> dict[str, Any]:
    """Return the boxes and wires of a picture with their places, from the left and from the top."""
    board = board_of(picture)
    numbers = _numbers(list(board.ends), [weight is not None for weight in weights])
    top = max(y for _, _, y in board.captions) + 14
    return {
        "width": max(place.x + place.width / 2 for place in board.places.values()),
        "height": top,
        "captions": [[title, x, top - y] for title, x, y in board.captions],
        "boxes": [
            {
                "kind": box.kind,
                "name": runs_of(box.lines[0].runs),
                "biases": biases[box.id],
                "at": [place.x, top - place.y, place.width, place.height],
            }
            for box in picture.boxes
            for place in [board.places[box.id]]
        ],
        "wires": [
            {
                "ends": [start[0], top - start[1], end[0], top - end[1]],
                "weight": weight,
                "number": number and [number[0], top - number[1]],
            }
            for weight, (start, end), number in zip(weights, board.ends, numbers, strict=True)
        ],
    }


End = tuple[float, float]


def _numbers(ends: list[tuple[End, End]], shown: list[bool]) -> list[End | None]:
    """Return the places of the wires' numbers, where none covers another; None where there is no place or are many."""
    places: list[End | None] = [None] * len(ends)
    taken: list[End] = []
    between = Counter((start[0], end[0]) for (start, end), one in zip(ends, shown, strict=True) if one)
    few = [k for k, ((x, _), (to_x, _)) in enumerate(ends) if shown[k] and between[x, to_x] <= MOST_LABELLED]
    steepest = sorted(few, key=lambda k: -abs(ends[k][1][1] - ends[k][0][1]))
    for k in steepest:
        (x, y), (to_x, to_y) = ends[k]
        for share in SHARES:
            a, b = x + (to_x - x) * share, y + (to_y - y) * share
            if all(abs(a - c) > WIDE or abs(b - d) > HIGH for c, d in taken):
                taken.append((a, b))
                places[k] = a, b
                break
    return places


def runs_of(runs: tuple[Run, ...]) -> list[list[str]]:
    """Write typeset text as pieces, each with its style: "" or "i" for italic, and "", "sub" or "sup"."""
    return [[run.text, "i" * run.italic, run.shift] for run in runs]
