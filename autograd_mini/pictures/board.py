"""The places of the boxes and wires of a net: columns and straight lines, computed without a search.

This module computes coordinates in points. It uses only the width and the number of lines of a box's text.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from .model import Box, Picture
from .typeset import width

LETTER = 7.6  # points of a letter of 15 points
GAP, NARROW_GAP, BETWEEN = 120.0, 46.0, 16.0  # between columns with and without wires, and between boxes
MAX_NUMBERED = 20  # with more wires between two columns, wires have no numbers


class Place(NamedTuple):
    """The middle of a box, and its size."""

    x: float
    y: float
    width: float
    height: float


class Board(NamedTuple):
    """The places of boxes, the captions of columns, and the ends and the place of the number of each arrow."""

    places: dict[str, Place]
    captions: list[tuple[str, float, float]]
    ends: list[tuple[tuple[float, float], tuple[float, float]]]
    numbers: list[tuple[float, float] | None]


def board_of(picture: Picture) -> Board:
    """Return the places of a picture that has columns."""
    boxes = {box.id: box for box in picture.boxes}
    column_of = {name: k for k, (_, names) in enumerate(picture.columns) for name in names}
    widths = [max(_width(boxes[name]) for name in names) for _, names in picture.columns]
    heights = [sum(_height(boxes[name]) + BETWEEN for name in names) - BETWEEN for _, names in picture.columns]
    wired = {column_of[arrow.target] for arrow in picture.arrows if arrow.role == "wire"}
    places: dict[str, Place] = {}
    captions = []
    left, top = 0.0, max(heights)
    for k, (title, names) in enumerate(picture.columns):
        left += (GAP if k in wired else NARROW_GAP) if k else 0.0
        # A short column spreads over half of the free height.
        gap = BETWEEN + (top - heights[k]) / (2 * len(names))
        y = (top + heights[k] + (gap - BETWEEN) * (len(names) - 1)) / 2
        for name in names:
            height = _height(boxes[name])
            places[name] = Place(left + widths[k] / 2, y - height / 2, widths[k], height)
            y -= height + gap
        captions.append((title, left + widths[k] / 2, top + 22))
        left += widths[k]
    ends, numbers = [], []
    sources: dict[str, list[str]] = {}
    for arrow in picture.arrows:
        sources.setdefault(arrow.target, []).append(arrow.source)
    for into in sources.values():
        into.sort(key=lambda name: -places[name].y)
    many = Counter(column_of[arrow.target] for arrow in picture.arrows if arrow.role == "wire")
    for arrow in picture.arrows:
        a, b = places[arrow.source], places[arrow.target]
        into = sources[arrow.target]
        order = into.index(arrow.source)
        spread = min(24.0, 0.8 * b.height / len(into))
        start = (a.x + a.width / 2, a.y)
        end = (b.x - b.width / 2, b.y + ((len(into) - 1) / 2 - order) * spread)
        ends.append((start, end))
        alone = len(picture.columns[column_of[arrow.target]][1]) == 1
        share = 0.36 if alone else 0.84 if order % 2 else 0.7
        if column_of[arrow.target] - column_of[arrow.source] > 1:  # clear of the boxes between
            share = 1 - 0.2 * GAP / (end[0] - start[0])
        shown = arrow.role == "wire" and many[column_of[arrow.target]] <= MAX_NUMBERED
        place = (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
        numbers.append(place if shown else None)
    return Board(places, captions, ends, numbers)


def _width(box: Box) -> float:
    return max(62.0, 18 + LETTER * max(width(line.runs) for line in box.lines))


def _height(box: Box) -> float:
    return 14 + sum({"note": 17.0, "gradient": 24.0}.get(line.role, 21.0) for line in box.lines)
