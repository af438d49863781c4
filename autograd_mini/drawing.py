"""A graph as a picture.

This room owns how a graph looks: `draw` makes a `graphviz.Digraph`, and `Drawing` renders it with
the system's `dot` or, where there is none, with the one inside the pygraphviz wheel. It must not
know derivatives beyond what nodes hold.
"""

from __future__ import annotations

import contextlib
import html
import itertools
import os
import re
import shutil
import struct
import sys
import tempfile
import textwrap
import threading
import webbrowser
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import graphviz

from .files import write_whole
from .folding import Box, boxes_of, unfold
from .printing import Label, Text, format_number, is_formula, names_of, printable
from .stale import staleness
from .value import Value, derivatives_of, primal, topological_order

__all__ = ["LEAF", "LEFT_OUT", "OPERATION", "OUTPUT", "Drawing", "blank", "draw"]

FORMATS = ("svg", "png", "pdf", "dot", "gv")
DIRECTIONS = ("LR", "RL", "TB", "BT")
LONGEST = 40  # characters of a name in a box

# Okabe and Ito's hues, safe for colour-blind eyes, as tints under dark text. Shape tells the kinds
# apart too: leaves are round, operations square, the output has a double line. What stands on the
# page itself is of a middle tone, to be read on white and on black.
LEAF = {"fillcolor": "#d9effb", "color": "#0072b2", "style": "filled,rounded"}
OPERATION = {"fillcolor": "#fdf3d8", "color": "#b37400", "style": "filled"}
OUTPUT = {"fillcolor": "#f9dfd0", "color": "#c8500a", "style": "filled", "peripheries": "2"}
LEFT_OUT = {"fillcolor": "#eeeeee", "color": "#767676", "style": "filled,dashed"}
INK, FAINT, DERIVATIVE, ON_PAGE, LINE = "#1a1a1a", "#555555", "#a33b00", "#c8500a", "#808080"
FONT = "Helvetica,Arial,sans-serif"
DOTS_PER_INCH = 192  # of a png: twice the screen's, shown at half its size


class Drawing(graphviz.Digraph):
    """A `graphviz.Digraph` that renders with or without a `dot` program, and shows itself in Jupyter."""

    title: str = "Computation graph"
    description: str = ""

    def render(self, filename: str | os.PathLike[str], format: str | None = None, view: bool = False) -> Path:
        """Write the picture to a file, its format being the suffix: svg, png, pdf or dot.

        Unlike `graphviz.Digraph.render` it names the file as you did, with no second suffix.

        The file is replaced in one step: it is there as a whole or not at all.

        Raises:
            ValueError: the format is another.
            ImportError: there is no `dot` program and no pygraphviz.
        """
        path = Path(filename)
        write_whole(path, self.image(format or path.suffix.removeprefix(".")))
        if view:
            webbrowser.open(path.absolute().as_uri())
        return path

    def image(self, format: str = "svg") -> bytes:
        """Return the picture as the bytes of an svg, png, pdf or dot file."""
        format = format.lower()
        if format not in FORMATS:
            given = f"cannot draw the format {format!r}" if format else "the file's name has no suffix"
            raise ValueError(f"{given}; there are: {', '.join(FORMATS)}")
        if format in ("dot", "gv"):
            return str(self.source).encode()
        if format == "svg":
            return self.svg().encode()
        source = self.source
        if format == "png":
            source = source.replace("graph [", f"graph [dpi={DOTS_PER_INCH} ", 1)
        return _run_dot(source, format)

    def svg(self, max_width: float | None = None) -> str:
        """Return the picture as SVG text, with a title and a description for screen readers.

        Args:
            max_width: in points; a wider picture says that it is this wide, and scales.
        """
        text = _run_dot(self.source, "svg").decode()
        # Few viewers know baseline-shift; all know dy.
        text = text.replace('baseline-shift="sub"', 'dy="3"').replace('baseline-shift="super"', 'dy="-5"')
        head = re.search(r'<svg width="([\d.]+)pt" height="([\d.]+)pt"', text)
        assert head is not None, "graphviz wrote an svg of another form"
        width, height = float(head[1]), float(head[2])
        if max_width is not None and width > max_width:
            width, height = max_width, height * max_width / width
        text = text[: head.start()] + f'<svg role="img" width="{width:g}pt" height="{height:g}pt"' + text[head.end() :]
        end = text.index(">", head.start()) + 1
        words = f"<title>{html.escape(self.title)}</title>\n<desc>{html.escape(self.description)}</desc>"
        return f"{text[:end]}\n{words}{text[end:]}"

    def pipe(self, format: str | None = None, *_: Any, **__: Any) -> bytes:
        """Return the picture's bytes: `image`, under graphviz's name."""
        return self.image(format or "svg")

    def save(self, filename: str | os.PathLike[str] | None = None, *_: Any, **__: Any) -> Path:
        """Write the picture to a file, its format being the suffix: `render`, under graphviz's name.

        Raises:
            TypeError: no file is named.
        """
        if filename is None:
            raise TypeError('save: name the file, as in draw(J).save("J.svg")')
        return self.render(filename)

    def view(self, *_: Any, **__: Any) -> Path:
        """Open the picture in the browser, from a file in the temporary folder."""
        path = self.render(Path(tempfile.mkdtemp(prefix="autograd_mini_")) / "graph.svg")
        webbrowser.open(path.as_uri())
        return path

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None, **_: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Offer svg, and png for the notebooks that are not trusted with svg, and plain text."""
        png = self.image("png")
        width, height = struct.unpack(">II", png[16:24])
        bundle = {
            "image/svg+xml": self.svg(max_width=700),
            "image/png": png,
            "text/plain": f"{self.title}\n{self.description}",
        }
        scale = min(96 / DOTS_PER_INCH, 930 / width)
        return bundle, {"image/png": {"width": int(width * scale), "height": int(height * scale)}}


def draw(
    output: Value,
    *,
    fold: bool | None = None,
    precision: int = 4,
    max_nodes: int | None = 100,
    rankdir: str = "LR",
) -> Drawing:
    """Draw the graph of a Value: values and derivatives in the nodes, local derivatives on the edges.

    Derivatives are of this output, and `–` until `backward()` has reached it. Edges stand in the order of the
    operands; a plain number is part of its operation's sign, as in `× 3`. Layers and neurons, known by labels such
    as `a_1^[2](3)`, are framed. What Python's `if` decided is not drawn. A note stands below a graph of which a
    number was assigned after it was computed, such as a parameter after a training step; `forward()` computes it anew.

    Args:
        fold: True draws a neuron as one box, and what has no label as part of what it is computed for; the edges
            then carry the derivatives through the fold. False draws also the products and sums inside a `dot`. None
            draws the nodes as they are, and folds a net of more than `max_nodes` of them.
        precision: significant digits of numbers.
        max_nodes: past this the picture keeps what is nearest to the output and says how much it
            left out; None draws all.
        rankdir: `"LR"`, left to right, or another of Graphviz's directions.

    Raises:
        TypeError: `output` is not a Value.
        ValueError: `max_nodes` is less than 1, `precision` not from 1 to 17, or no such direction.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> picture = draw(a * b)
    >>> print(picture.description)
    a = 2, df/da = –; b = 3, df/db = –; f = a · b = 6, df/df = –
    """
    if not isinstance(output, Value):
        raise TypeError(f"draw: give a Value, not {output!r} of type {type(output).__name__}")
    if max_nodes is not None and max_nodes < 1:
        raise ValueError(f"draw: max_nodes must be at least 1, not {max_nodes}")
    if precision not in range(1, 18):
        raise ValueError(f"draw: precision must be a whole number from 1 to 17, not {precision!r}")
    drawing = blank(rankdir)
    if fold is False:
        output = unfold(output)
    order = topological_order(output)
    note = ""
    names = names_of(order, output)
    boxes = boxes_of(order, output, bool(fold))
    if fold is None and max_nodes is not None and len(boxes) > max_nodes and any(box.place for box in boxes):
        boxes, fold = boxes_of(order, output, True), True
        note = "each neuron's nodes in one box; max_nodes=None, or fold=False, draws them"
    kept = boxes if max_nodes is None or len(boxes) <= max_nodes else _nearest(boxes, max_nodes)
    ids = {box.node: f"n{i}" for i, box in enumerate(kept)}

    if len(kept) > 200:  # without these the layout of 1,000 nodes takes 15 s and more
        drawing.graph_attr.update(nslimit="1", nslimit1="1")
    sentences = []
    # Not .grad: it may be the derivative of another output, or the sum of several calls.
    derivatives = derivatives_of(output, order) if output.grad != 0.0 else {}
    with _Frames(drawing) as frames:
        for box in kept:
            node = box.node
            kind = OUTPUT if node is output else LEAF if node.op is None else OPERATION
            derivative = format_number(derivatives[node], precision) if derivatives else "–"
            sentence = _sentence(box, names, output, precision, derivative)
            sentences.append(sentence)
            label = _label(box, names, output, precision, derivative)
            frames.place(box, ids[node]).node(ids[node], label, tooltip=_tip(sentence), **kind)
    _draw_edges(drawing, kept, ids, names, precision)
    if missing := len(boxes) - len(kept):
        what = "boxes" if fold else "nodes"
        note = f"{missing:,} of {len(boxes):,} {what} are not drawn; max_nodes=None draws all"
    if stale := staleness(output, order):
        note = "\n".join([*textwrap.wrap(f"Stale: {stale}", 72), *[note] * bool(note)])
    if note:
        drawing.attr(label=note, labelloc="b", fontname=FONT, fontsize="12", fontcolor=ON_PAGE)
        sentences.append(note)
    drawing.title = f"Computation graph of {names[output]}"
    drawing.description = "; ".join(sentences)
    return drawing


def blank(rankdir: str) -> Drawing:
    """Return a picture with nothing on it yet."""
    if rankdir not in DIRECTIONS:
        raise ValueError(f"draw: rankdir must be one of {', '.join(DIRECTIONS)}, not {rankdir!r}")
    return Drawing(
        graph_attr={"rankdir": rankdir, "bgcolor": "transparent", "nodesep": "0.3", "ranksep": "0.6", "ordering": "in"},
        node_attr={"shape": "box", "fontname": FONT, "fontsize": "14", "fontcolor": INK, "margin": "0.12,0.06"},
        edge_attr={"color": LINE, "fontname": FONT, "fontsize": "12", "fontcolor": ON_PAGE, "arrowsize": "0.7"},
    )


def _draw_edges(
    drawing: Drawing, boxes: list[Box], ids: dict[Value, str], names: dict[Value, str], precision: int
) -> None:
    """Draw what enters each box; a dashed stub stands for what is not in the picture."""
    for box in boxes:
        target, hidden = ids[box.node], 0
        for parent, weight in box.edges:
            if parent not in ids:
                hidden += 1
                continue
            number = format_number(weight, precision)
            slope = _tip(f"{Text.derivative(names[box.node], names[parent], partial=True)} = {number}")
            drawing.edge(ids[parent], target, number, edgetooltip=slope, labeltooltip=slope)
        if hidden:
            stub = f"left_out_{target}"
            drawing.node(stub, "…", tooltip=f"{hidden} operand{'s' * (hidden > 1)} not drawn", **LEFT_OUT)
            drawing.edge(stub, target, style="dashed")


def _nearest(boxes: list[Box], most: int) -> list[Box]:
    """Return the boxes nearest to the output, which is the last, breadth first; in the graph's own order."""
    by_node = {box.node: box for box in boxes}
    found = {boxes[-1].node}
    queue = deque([boxes[-1]])
    while queue:
        for parent, _ in queue.popleft().edges:
            if parent not in found:
                if len(found) == most:
                    return [box for box in boxes if box.node in found]
                found.add(parent)
                queue.append(by_node[parent])
    return boxes


class _Frames:
    """The frames around layers, and around the neurons in them that are drawn in parts."""

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self.graphs: dict[tuple[str, ...], graphviz.Digraph] = {}
        self.columns: dict[str, list[tuple[tuple[str, ...], str]]] = {}  # of a layer's folded neurons

    def __enter__(self) -> _Frames:
        return self

    def place(self, box: Box, name: str) -> graphviz.Digraph:
        """Return what a box is to be drawn in."""
        place = box.place
        if place is None:
            return self.drawing
        layer = self._frame((place.layer,), f"layer {place.layer}")
        if len(box.members) > 1:
            order = (*(part.rjust(9) for part in (place.example, place.neuron)),)  # 2 before 10
            self.columns.setdefault(place.layer, []).append((order, name))
        if len(box.members) > 1 or place.shared:
            return layer
        name = f"neuron {place.neuron}" if place.neuron else "neuron"
        return self._frame(place[:3], f"{name}, example {place.example}" if place.example else name)

    def _frame(self, key: tuple[str, ...], title: str) -> graphviz.Digraph:
        if key not in self.graphs:
            self.graphs[key] = graphviz.Digraph(name=f"cluster_{len(self.graphs)}")
            style = {"style": "rounded", "color": LINE, "fontname": FONT, "fontsize": "12", "fontcolor": LINE}
            self.graphs[key].attr(label=printable(title), labeljust="l", margin="10", **style)
        return self.graphs[key]

    def __exit__(self, *error: object) -> None:
        for layer, names in self.columns.items():  # from the first neuron to the last
            column = graphviz.Digraph(graph_attr={"rank": "same"}, edge_attr={"style": "invis"})
            column.edges(itertools.pairwise(name for _, name in sorted(names)))
            self.graphs[layer,].subgraph(column)
        for key in sorted(self.graphs, key=len, reverse=True):  # the inner ones into theirs first
            outer = self.graphs[key[:1]] if len(key) > 1 else self.drawing
            outer.subgraph(self.graphs[key])


def _sign(node: Value, precision: int) -> str:
    """Write the op of a node with its constant, if it has one: `+`, `× 3`, `2 ^`, `max(·, 0)`."""
    op = node.op
    if op is None:
        return ""
    constants = ["" if isinstance(x, Value) else str(Text.number(x, precision)) for x in node.operands]
    if op.composed is not None:
        return op.symbol
    if op.infix:
        return " ".join(part for part in (*constants[:1], op.symbol, *constants[1:]) if part)
    if any(constants):
        return f"{op.name}({', '.join(c or '·' for c in constants)})"
    return op.name


def _tip(text: str) -> str:
    """Write a text as a tooltip, in which Graphviz would expand its escapes, twice, and entities."""
    return text.replace("\\", "\\" * 4).replace("&", "&amp;")


def _typeset(name: str) -> str:
    """Write a node's name as Graphviz's HTML, sub- and superscripts small and shifted."""
    if len(name) > LONGEST:
        name = name[: LONGEST - 1] + "…"
    label = Label.parse(name.replace("\\", "\\\\"))  # Graphviz reads backslashes here too
    small = '<FONT POINT-SIZE="10">{}</FONT>'
    sub = f"<SUB>{small.format(html.escape(label.sub))}</SUB>" if label.sub else ""
    above = f"<SUP>{small.format(html.escape(label.above))}</SUP>" if label.above else ""
    return html.escape(label.symbol) + sub + above


def _label(box: Box, names: dict[Value, str], output: Value, precision: int, derivative: str) -> str:
    """Return the box: name and op, value, derivative, each a line."""
    node = box.node
    sign = html.escape(_sign(node, precision) if len(box.members) == 1 or box.place else "…")
    name = _typeset(names[node])
    if node.label:
        name = f"<B>{name}</B>"
    head = f'{name}<FONT COLOR="{FAINT}">&nbsp;&nbsp;&nbsp;{sign}</FONT>' if sign else name
    of, into = (f"({_typeset(x)})" if is_formula(x) else _typeset(x) for x in (names[output], names[node]))
    slope = f"d{of}/d{into} = {derivative}"
    lines = [head, format_number(primal(node), precision), f'<FONT COLOR="{DERIVATIVE}">{slope}</FONT>']
    rows = "".join(f"<TR><TD>{line}</TD></TR>" for line in lines)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{rows}</TABLE>>'


def _sentence(box: Box, names: dict[Value, str], output: Value, precision: int, derivative: str) -> str:
    """Say in words what a box shows."""
    node = box.node
    stages = [names[node]]
    if node.op is not None and len(box.members) == 1:
        operands = [Text.name(names[x]) if isinstance(x, Value) else Text.number(x, precision) for x in node.operands]
        stages.append(str(Text.write(node.op, operands)))
    stages.append(format_number(primal(node), precision))
    sentence = f"{' = '.join(stages)}, {Text.derivative(names[output], names[node])} = {derivative}"
    inner = [f"{names[x]} = {format_number(primal(x), precision)}" for x in box.members if x.label and x is not node]
    if len(inner) > 10:
        inner[9:] = [f"and {len(inner) - 9} more"]
    if len(box.members) > 1:
        sentence += f" ({len(box.members)} nodes{': ' * bool(inner)}{', '.join(inner)})"
    return sentence


def _run_dot(source: str, format: str) -> bytes:
    """Lay a graph out and render it, by the system's `dot` or else by pygraphviz's own."""
    if shutil.which("dot"):
        picture: bytes = graphviz.pipe("dot", format, source.encode(), quiet=True)
        return picture
    try:
        import pygraphviz
    except ImportError as error:
        raise ImportError(
            "a picture needs the `dot` program of Graphviz, or pygraphviz, which brings its own: "
            'pip install "autograd_mini[images]" (a .dot file needs neither)'
        ) from error
    with _silent_stderr():
        drawn: bytes = pygraphviz.AGraph(string=source).draw(None, format=format, prog="dot")
    return drawn


_stderr = threading.Lock()  # the descriptor is the process's


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep fontconfig's warnings, written to file descriptor 2 by C code, out of the notebook."""
    with _stderr:
        sys.stderr.flush()
        saved = os.dup(2)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
