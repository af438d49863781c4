"""The picture of nodes and local derivatives without formulas, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .model import Arrow, Box, Kind, Line, Picture, Slope
from .typeset import Run, Typeset, plain


def picture_of_edges(
    title: str,
    edges: Mapping[str, Mapping[str, float]],
    inputs: Sequence[str],
    outputs: Sequence[str],
    marked: str,
    precision: int,
) -> Picture:
    """Return the picture of nodes with names, and of edges into them, by the user and the parent.

    Args:
        marked: the name of the node with a thick line, "" for none.
    """
    names = dict.fromkeys([*inputs, *edges])
    ids = {name: f"n{i}" for i, name in enumerate(names)}
    boxes = []
    for name in names:
        runs = Typeset.name(name).runs
        kind: Kind = "output" if name in outputs else "parameter" if name in inputs else "result"
        boxes.append(Box(ids[name], kind, name, (Line("formula", runs),), plain(runs), marked=name == marked))
    arrows = []
    for user, parents in edges.items():
        for parent, weight in parents.items():
            above, below = ((Run("∂"), *Typeset.name(name).runs) for name in (user, parent))
            number = Typeset.number(weight, precision).runs
            sentence = f"{plain(above)}/{plain(below)} = {plain(number)}"
            slope = Slope(above, below, (), number)
            arrows.append(Arrow(ids[parent], ids[user], "forward", sentence, slope, weight))
    return Picture(title, tuple(boxes), tuple(arrows))
