"""A plan for the layout of a picture, so that Graphviz takes no longer than a second.

This module predicts the time that `dot` takes, and chooses a plan by it. `dot` spends most of its time placing boxes.
That time grows with the square of the total length of the edges, counted in ranks. The length is large where many
nodes use one leaf or one state. A plan says whether labels take room, and which long edges begin at a small copy of
their box, just before its user. The constants were fitted to 36 families of graphs of up to 1,000 nodes with Graphviz
14 (docs/decisions/0011-pictures.md). The module must not read the text of boxes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .model import Picture

Labels = Literal["pills", "labels", "heads"]
MAX_SECONDS = 1.0  # seconds that a layout may take, as predicted
MAX_LABELLED = 20  # with more boxes, an arrow's label is not a separate box
COPIED_FROM = 3  # a leaf with at least this many users may be copied


@dataclass(frozen=True)
class Plan:
    """The kind of labels, the edges (source, target) that begin at a copy, and other settings of Graphviz."""

    labels: Labels
    copied: frozenset[tuple[str, str]] = frozenset()
    attributes: dict[str, str] = field(default_factory=dict)
    narrowest: int = 0  # points that a box is wide at least


# The longest edge, in ranks, from a leaf and from a result that is not copied, and whether labels take room.
STEPS: list[tuple[int | None, int | None, bool]] = [
    (None, None, True),
    (3, None, True),
    (3, None, False),
    (3, 12, False),
    (2, 4, False),
    (1, 2, False),
]
LAST = {"nslimit": "0", "splines": "line", "mclimit": "0.1"}


def plan_of(picture: Picture, copies: bool = True) -> Plan:
    """Return the plan of a picture. Try the most beautiful plan first, and take the first that is fast enough.

    >>> plan_of(Picture("nothing", (), ())).labels
    'pills'
    """
    operands, users = _neighbours(picture)
    pairs = [(source, target) for source in users for target in users[source]]
    few = len(picture.boxes) <= MAX_LABELLED and picture.slopes in ("both", "symbol")
    labels: Labels = "pills" if few else "labels"
    rank = _ranks(operands, users)
    lengths = {pair: rank[pair[1]] - rank[pair[0]] for pair in pairs}
    copied: frozenset[tuple[str, str]] = frozenset()
    for leaf_over, result_over, room in STEPS if copies else (STEPS[0], STEPS[2]):
        over = {pair: result_over if operands[pair[0]] else leaf_over for pair in pairs}
        copied = frozenset(
            pair
            for pair in pairs
            if copies
            and (least := over[pair]) is not None
            and lengths[pair] > least
            and (len(users[pair[0]]) >= COPIED_FROM or result_over is not None)
        )
        length = sum(1 if pair in copied else n for pair, n in lengths.items())
        if _seconds(len(users) + len(copied), len(pairs), length, room) <= MAX_SECONDS:
            return Plan(labels if room else "heads", copied)
    return Plan("heads", copied, LAST)


def _neighbours(picture: Picture) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the operands and the users of each box, each once."""
    operands: dict[str, list[str]] = {box.id: [] for box in picture.boxes}
    users: dict[str, list[str]] = {box.id: [] for box in picture.boxes}
    for source, target in dict.fromkeys((arrow.source, arrow.target) for arrow in picture.arrows):
        operands[target].append(source)
        users[source].append(target)
    return operands, users


def _ranks(operands: dict[str, list[str]], users: dict[str, list[str]]) -> dict[str, int]:
    """Return ranks similar to those of `dot`: right of the operands, and near the users if edges get shorter.

    The boxes are in the order of computation.
    """
    rank: dict[str, int] = {}
    pull: dict[str, int] = {}
    for box, xs in operands.items():
        rank[box] = max((rank[x] + 1 for x in xs), default=0)
        pull[box] = sum(min(1, pull[x]) if len(users[x]) == 1 else 1 for x in xs)
    for box in reversed(operands):
        if users[box] and len(users[box]) >= pull[box]:
            rank[box] = min(rank[user] for user in users[box]) - 1
    return rank


def _seconds(boxes: int, edges: int, length: int, room: bool) -> float:
    """Predict the seconds that `dot` takes. Labels that take room double the number of ranks."""
    if room:
        nodes = boxes - edges + 4 * length
        return (4 * nodes + 9 * max(0, nodes - 4 * boxes)) * nodes * 1e-8
    nodes = boxes - edges + 2 * length
    return (2 * nodes + 5 * max(0, nodes - 2 * boxes)) * nodes * 1e-8


def positions_in_columns(picture: Picture) -> dict[str, tuple[float, float]]:
    """Return a place for each box without Graphviz: its rank, and its number in the rank from above.

    >>> positions_in_columns(Picture("nothing", (), ()))
    {}
    """
    rank = _ranks(*_neighbours(picture))
    left = min(rank.values(), default=0)
    counts: dict[int, int] = {}
    places = {}
    for box in picture.boxes:
        column = rank[box.id] - left
        counts[column] = counts.get(column, 0) + 1
        places[box.id] = (float(column), float(counts[column] - 1))
    return places
