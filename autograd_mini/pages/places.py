"""The places of boxes, arrows and labels in the picture of a page.

This module computes the sizes of boxes from their text, with room for other numbers. Graphviz places empty boxes of
these sizes, and the page draws into them. Coordinates are pixels from the upper left corner.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import graphviz

from ..pictures.board import board_of
from ..pictures.layout import Plan, plan_of
from ..pictures.model import Box, Picture
from ..pictures.render import render
from ..pictures.typeset import Run, width
from .templates import markup_of

Layout = dict[str, Any]
FORMULA, FIGURE, NUMBER, PILL = 9.4, 11.5, 7.8, 7.4  # pixels of a letter: formula, value, derivative's line, pill
NUMBER_WIDTH = 7  # letters of most numbers with 4 digits; the page squeezes longer ones
MIN_WIDTH = 112.0
LINE, VALUE, BAND = 24.0, 29.0, 27.0  # pixels that a line of a formula, a value and a derivative are high
PILL_HEIGHT = 25.0
ABREAST = 3  # operands of one box side by side, in a picture from the top down
MAX_STACKED = 12  # more operands of one box stay in one row: the long arrows of 299 took Graphviz 46 s instead of 16 s
MAX_NUMBERED = 16  # with more wires between two columns, wires have no numbers
SHARES = [0.68, 0.6, 0.76, 0.52, 0.82, 0.44, 0.36, 0.28]  # parts of the length of a wire at which its number may stand
WIDE, HIGH = 46.0, 18.0  # points of the number of a wire
ROOM, ROW_GAP, CAPTION, LETTER = 12.0, 96.0, 20.0, 6.6  # pixels around boxes, between rows, and of a row's caption
End = tuple[float, float]
NO_SVG = "explore: the renderer must return the svg that Graphviz writes, a group of each node and edge"
_POINT = re.compile(r"(-?[\d.]+),(-?[\d.]+)")


def laid_out(picture: Picture, digits: int = 4) -> Layout:
    """Return the places of the boxes and arrows of a picture, in its order, with room for numbers of some digits.

    Raises:
        ImportError: there is no `dot` program and no pygraphviz.
    """
    plan = plan_of(picture, copies=False)
    graph = _graph(picture, plan, NUMBER_WIDTH + max(0, digits - 4))
    groups = _groups(render(graph.source, "svg").decode())
    size = groups.pop(0)[2]
    elements_of: dict[tuple[str, str], list[ET.Element]] = {}
    shift = size.pop("shift")
    for kind, title, element in groups:
        elements_of.setdefault((kind, title), []).append(element)

    def box(kind: str, title: str) -> list[float]:
        return _around(elements_of[kind, title].pop(0), shift)

    boxes = [box("node", x.id) for x in picture.boxes]
    arrows: list[dict[str, Any]] = []
    for i, arrow in enumerate(picture.arrows):
        place: dict[str, Any] = {}
        if plan.labels == "pills":
            pill = f"pill{i}"
            ends = [f"{arrow.source}->{pill}", f"{pill}->{arrow.target}"]
            place["pill"] = box("node", pill)
        else:
            ends = [f"{arrow.source}->{arrow.target}"]
        elements = [elements_of["edge", end].pop(0) for end in ends]
        parts = [_path(element, shift) for element in elements]
        place["path"] = "L".join([parts[0], *(path.removeprefix("M") for path in parts[1:])])  # straight below the pill
        for text in elements[0].iter("text"):
            place["label"] = [_moved(float(text.get(k) or 0), shift[k == "y"]) for k in ("x", "y")]
        arrows.append(place)
    frames = [[*box("cluster", f"cluster_{i}"), frame.title] for i, frame in enumerate(picture.frames)]
    return {**size, "boxes": boxes, "arrows": arrows, "frames": frames}


def in_ranks(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    first: Sequence[int],
    last: Sequence[int],
    rankdir: str,
) -> Layout:
    """Return the places of boxes of some sizes, those of `first` in the first rank and those of `last` in the last.

    Raises:
        ImportError: there is no `dot` program and no pygraphviz.
    """
    quick = {"splines": "none", "mclimit": "0.2", "nslimit": "2"}  # 1.9 s for 376 edges, where it took 56 s
    graph = graphviz.Digraph(
        graph_attr={"rankdir": rankdir, "nodesep": "0.45", "ranksep": "0.55", "pad": "0.4", **quick},
        node_attr={"shape": "box", "fixedsize": "true", "label": ""},
        edge_attr={"arrowhead": "none", "fontsize": "15", "label": "0" * NUMBER_WIDTH},
    )
    for i, (across, up) in enumerate(sizes):
        graph.node(f"n{i}", width=f"{across / 72:.3f}", height=f"{up / 72:.3f}")
    for rank, some in (("source", first), ("sink", last)):
        with graph.subgraph() as part:
            part.attr(rank=rank)
            for i in some:
                part.node(f"n{i}")
    for source, target in edges:
        graph.edge(f"n{source}", f"n{target}")
    groups = _groups(render(graph.source, "svg").decode())
    size = groups.pop(0)[2]
    shift = size.pop("shift")
    boxes = {title: _around(element, shift) for kind, title, element in groups if kind == "node"}
    return {**size, "boxes": [boxes[f"n{i}"] for i in range(len(sizes))]}


def on_a_board(picture: Picture) -> Layout:
    """Return the places of a folded net in columns, with straight wires."""
    board = board_of(picture)
    left = min(p.x - p.width / 2 for p in board.places.values()) - 12
    top = max([p.y + p.height / 2 for p in board.places.values()] + [y + 12 for _, _, y in board.captions]) + 8
    right = max(p.x + p.width / 2 for p in board.places.values()) + 12
    low = min(p.y - p.height / 2 for p in board.places.values()) - 12

    def at(point: Sequence[float]) -> list[float]:
        return [round(point[0] - left, 1), round(top - point[1], 1)]

    boxes = []
    for box in picture.boxes:
        place = board.places[box.id]
        boxes.append([*at((place.x, place.y)), round(place.width, 1), round(place.height, 1)])
    numbers = numbers_along(list(board.ends), [arrow.role == "wire" for arrow in picture.arrows])
    arrows = [
        {"ends": [at(a), at(b)], "label": None if number is None else at(number)}
        for (a, b), number in zip(board.ends, numbers, strict=True)
    ]
    captions = [[*at((x, y)), title] for title, x, y in board.captions]
    size = {"width": round(right - left), "height": round(top - low)}
    return {**size, "boxes": boxes, "arrows": arrows, "captions": captions}


def in_rows(picture: Picture) -> Layout:
    """Return the places of a folded net in rows, from the inputs down: the columns of its board for a narrow window."""
    sizes = board_of(picture).places
    rows = [[sizes[name] for name in names] for _, names in picture.columns]
    widest = max(sum(box.width + ROOM for box in row) for row in rows)
    high = max(box.height for box in sizes.values())
    weighted = {arrow.target for arrow in picture.arrows if arrow.role == "wire"}
    places: dict[str, list[float]] = {}
    captions = []
    low = 0.0  # the lower end of the row above
    for (title, names), row in zip(picture.columns, rows, strict=True):
        top = low + (ROW_GAP if weighted.intersection(names) else ROOM + CAPTION)
        captions.append([round(LETTER * len(title) / 2 + ROOM, 1), top - CAPTION / 2, title])
        free = (widest - sum(box.width for box in row)) / len(row)
        left = free / 2
        for name, box in zip(names, row, strict=True):
            places[name] = [round(left + box.width / 2, 1), round(top + high / 2, 1), round(box.width, 1), high]
            left += box.width + free
        low = top + high
    ends = _down(picture, places)
    across = [((y, x), (to_y, to_x)) for (x, y), (to_x, to_y) in ends]
    numbers = numbers_along(across, [arrow.role == "wire" for arrow in picture.arrows], (HIGH, WIDE))
    arrows = [
        {"ends": [*pair], "label": None if number is None else [round(x, 1) for x in number[::-1]]}
        for pair, number in zip(ends, numbers, strict=True)
    ]
    size = {"width": round(widest), "height": round(low + ROOM)}
    return {**size, "boxes": [places[box.id] for box in picture.boxes], "arrows": arrows, "captions": captions}


def _down(picture: Picture, places: Mapping[str, Sequence[float]]) -> list[tuple[End, End]]:
    """Return the ends of the wires between rows. Those into a box keep apart, in the order of their sources."""
    into: dict[str, list[str]] = {}
    for arrow in picture.arrows:
        into.setdefault(arrow.target, []).append(arrow.source)
    for sources in into.values():
        sources.sort(key=lambda name: places[name][0])
    ends = []
    for arrow in picture.arrows:
        (x, y, _, high), (to_x, to_y, width, _) = places[arrow.source], places[arrow.target]
        sources = into[arrow.target]
        shift = (sources.index(arrow.source) - (len(sources) - 1) / 2) * min(24.0, 0.8 * width / len(sources))
        ends.append(((x, round(y + high / 2, 1)), (round(to_x + shift, 1), round(to_y - high / 2, 1))))
    return ends


def numbers_along(
    ends: list[tuple[End, End]], shown: list[bool], size: tuple[float, float] = (WIDE, HIGH)
) -> list[End | None]:
    """Return places of the wires' numbers at which none covers another. None means no place, or too many wires."""
    places: list[End | None] = [None] * len(ends)
    taken: list[End] = []
    between = Counter((start[0], end[0]) for (start, end), one in zip(ends, shown, strict=True) if one)
    few = [k for k, ((x, _), (to_x, _)) in enumerate(ends) if shown[k] and between[x, to_x] <= MAX_NUMBERED]
    steepest = sorted(few, key=lambda k: -abs(ends[k][1][1] - ends[k][0][1]))
    for k in steepest:
        (x, y), (to_x, to_y) = ends[k]
        for share in SHARES:
            a, b = x + (to_x - x) * share, y + (to_y - y) * share
            if all(abs(a - c) > size[0] or abs(b - d) > size[1] for c, d in taken):
                taken.append((a, b))
                places[k] = a, b
                break
    return places


def formula_lines(box: Box) -> list[str]:
    """Return the lines of a box's formula as HTML."""
    return [markup_of(line.runs) for line in box.lines if line.role == "formula"]


def _graph(picture: Picture, plan: Plan, letters: int) -> graphviz.Digraph:
    """Write the graph of empty boxes, with room for numbers of some letters."""
    pills = plan.labels == "pills"
    apart = {"nodesep": "0.25", "ranksep": "0.25" if pills else "0.5", "ordering": "in", "pad": "0.1"}
    graph = graphviz.Digraph(
        graph_attr={"rankdir": picture.rankdir, **apart, **plan.attributes},
        node_attr={"shape": "box", "fixedsize": "true", "label": ""},
        edge_attr={"arrowhead": "none", "fontsize": "15"},
    )
    graphs: dict[tuple[str, ...], graphviz.Digraph] = {(): graph}
    frames = [tuple(frame.id.split("/")) for frame in picture.frames]
    for i, path in enumerate(frames):
        graphs[path] = graphviz.Digraph(name=f"cluster_{i}")
        graphs[path].attr(label="x", margin="10")
    for box in picture.boxes:
        across, up = _size(box, letters)
        graphs[box.frame].node(box.id, width=f"{across / 72:.3f}", height=f"{up / 72:.3f}")
    frame_of = {box.id: box.frame for box in picture.boxes}
    for i, arrow in enumerate(picture.arrows):
        if pills and arrow.slope is not None:
            slope = arrow.slope
            names = width((*slope.above, *slope.below, *slope.symbol)) + 3 * bool(slope.symbol)
            # A pill stands in the frame of both ends. Outside of it, it would keep both ends in one rank.
            around = graphs[_shared(frame_of[arrow.source], frame_of[arrow.target])]
            around.node(
                f"pill{i}", width=f"{PILL * (names + letters + 1.5) / 72:.3f}", height=f"{PILL_HEIGHT / 72:.3f}"
            )
    for path in sorted(frames, key=len, reverse=True):  # inner frames first
        graphs[path[:-1]].subgraph(graphs[path])
    label = "headlabel" if plan.labels == "heads" else "label"
    rows = _rows_above(picture)
    for i, arrow in enumerate(picture.arrows):
        far = {"minlen": str(1 + 2 * rows.get(arrow.source, 0))}
        if pills and arrow.slope is not None:
            graph.edge(arrow.source, f"pill{i}", weight="2")
            graph.edge(f"pill{i}", arrow.target, weight="2", **far)
        else:
            graph.edge(arrow.source, arrow.target, **{label: "0" * letters}, **far)
    return graph


def _shared(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    """Return the innermost frame that is around two frames."""
    return tuple(x for x, _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _rows_above(picture: Picture) -> dict[str, int]:
    """Return the row of each operand of a box with several, from 0: from the top down they are too wide for one row.

    An operand is a box that has no operands in this picture, and one user.
    """
    if picture.rankdir != "TB":
        return {}
    users = Counter(arrow.source for arrow in picture.arrows)
    inner = {arrow.target for arrow in picture.arrows}
    operands: dict[str, list[str]] = {}
    for arrow in picture.arrows:
        if users[arrow.source] == 1 and arrow.source not in inner:
            operands.setdefault(arrow.target, []).append(arrow.source)
    many = (names for names in operands.values() if 2 < len(names) <= MAX_STACKED)
    return {name: k % max(2, math.ceil(len(names) / ABREAST)) for names in many for k, name in enumerate(names)}


def _size(box: Box, letters: int) -> tuple[float, float]:
    """Return the width and the height of a box, with room for numbers of some letters."""
    formulas = [line.runs for line in box.lines if line.role == "formula"]
    gradient = next((line.runs for line in box.lines if line.role == "gradient"), ())
    equals = max((i for i, run in enumerate(gradient) if run.text == " = "), default=0)
    line = width((*gradient[:equals], Run(" = "))) + letters
    across = max(
        MIN_WIDTH, FIGURE * letters + 20, NUMBER * line + 20, *(FORMULA * width(runs) + 24 for runs in formulas)
    )
    return round(across), LINE * len(formulas) + VALUE + BAND + 12


# Reading the SVG of Graphviz.


def _groups(svg: str) -> list[tuple[str, str, Any]]:
    """Return the size of the picture and its shift, and then each group with its kind and title."""
    try:
        root = ET.fromstring(svg)
    except ET.ParseError:
        raise ValueError(NO_SVG) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    view = [float(x) for x in (root.get("viewBox") or "").split()]
    whole = next((g for g in root.iter("g") if g.get("class") == "graph"), None)
    if whole is None or len(view) != 4:
        raise ValueError(NO_SVG)
    moved = re.search(r"translate\(([-\d.]+)[ ,]+([-\d.]+)\)", whole.get("transform") or "")
    shift = (float(moved[1]), float(moved[2])) if moved else (0.0, 0.0)
    size = {"width": round(view[2]), "height": round(view[3]), "shift": shift}
    kinds = ("node", "edge", "cluster")
    groups = [(g.get("class") or "", g.findtext("title") or "", g) for g in whole.iter("g")]
    return [("graph", "", size), *(group for group in groups if group[0] in kinds)]


def _around(group: ET.Element, shift: tuple[float, float]) -> list[float]:
    """Return the middle and the size of a group's outline."""
    shape = next(x for x in group.iter() if x.tag in ("polygon", "path"))
    points = [float(x) for x in re.findall(r"-?[\d.]+(?:e-?\d+)?", shape.get("points") or shape.get("d") or "")]
    xs, ys = points[::2], points[1::2]
    middle = [(min(zs) + max(zs)) / 2 + by for zs, by in ((xs, shift[0]), (ys, shift[1]))]
    return [round(x, 1) for x in (*middle, max(xs) - min(xs), max(ys) - min(ys))]


def _path(group: ET.Element, shift: tuple[float, float]) -> str:
    """Return the path of an edge."""
    path = next(group.iter("path")).get("d") or ""

    def moved(pair: re.Match[str]) -> str:
        return f"{round(float(pair[1]) + shift[0])},{round(float(pair[2]) + shift[1])}"

    return _POINT.sub(moved, path)


def _moved(x: float, by: float) -> float:
    return round(x + by, 1)
