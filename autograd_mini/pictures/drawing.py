"""A picture with methods to show and save it.

This module defines `draw` and `Drawing`. `draw` checks its arguments and builds the picture as data. `Drawing` calls
the writer of each format. The writers decide the look of a box.
"""

from __future__ import annotations

import html
import os
import re
import struct
import tempfile
import webbrowser
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import graphviz

from ..derivation import find
from ..files import write_whole
from ..given import require_value
from ..hints import DRAW, DRAWING, keywords, missing
from ..value import Value
from .data import as_json
from .dot import digraph
from .graph import DIRECTIONS, Slopes, picture_of
from .mermaid import mermaid
from .model import Picture
from .net import Wires
from .render import DOTS_PER_INCH, laid_out
from .theme import THEMES
from .tikz import tikz

WRITERS: dict[str, Callable[[Picture], str]] = {"mmd": mermaid, "tex": tikz, "json": as_json}
FORMATS = ("svg", "png", "pdf", "dot", "gv", *WRITERS)
CELL_WIDTH = 636  # points, a notebook's cell of 848 pixels
INSTEAD = {"pipe": 'image("svg") returns the bytes', "format": 'image("png") names the format'}
OF_AN_INSTANCE = {"body", "edge_attr", "graph_attr", "node_attr"}


class Drawing:
    """A picture: `render` writes it to a file, `image` returns its bytes, and Jupyter shows it.

    `picture` is the picture as data. `graphviz` is the `graphviz.Digraph` that is drawn, and you may change it.
    """

    def __init__(self, picture: Picture, theme: str = "any") -> None:
        if theme not in (*THEMES, "auto"):
            raise ValueError(f"draw: theme must be one of {', '.join((*THEMES, 'auto'))}, not {theme!r}")
        self.picture = picture
        self.theme = theme
        self._laid_out: tuple[str, Callable[[str], bytes]] | None = None

    @property
    def title(self) -> str:
        """Return the name of the drawn graph."""
        return self.picture.title

    @property
    def description(self) -> str:
        """Return the picture in words."""
        return self.picture.description

    @cached_property
    def graphviz(self) -> graphviz.Digraph:
        """Return the `graphviz.Digraph`. A change to it shows in the formats that Graphviz draws, and in dot."""
        return digraph(self.picture, THEMES.get(self.theme, THEMES["light"]))

    @property
    def source(self) -> str:
        """Return the DOT text."""
        return str(self.graphviz.source)

    def render(self, filename: str | os.PathLike[str], format: str | None = None, view: bool = False) -> Path:
        """Write the picture to a file. The suffix is the format: svg, png, pdf, dot, mmd, tex or json.

        The file is replaced in one step. If writing fails, the old file stays as it was.

        Raises:
            ValueError: the suffix is not one of these.
            ImportError: the format is svg, png or pdf, and there is no `dot` program and no pygraphviz.
        """
        path = Path(filename)
        write_whole(path, self.image(format or path.suffix.removeprefix(".")))
        if view:
            webbrowser.open(path.absolute().as_uri())
        return path

    def image(self, format: str = "svg") -> bytes:
        """Return the bytes of a file of the picture."""
        format = format.lower()
        if format not in FORMATS:
            given = f"cannot draw the format {format!r}" if format else "the file's name has no suffix"
            raise ValueError(f"{given}; there are: {', '.join(FORMATS)}")
        if format in WRITERS:
            return WRITERS[format](self.picture).encode()
        if format in ("dot", "gv"):
            return self.source.encode()
        return self.svg().encode() if format == "svg" else self._drawn(format)

    def _drawn(self, format: str) -> bytes:
        """Return a file that Graphviz draws. Keep the layout for the next file."""
        source = self.source
        if self._laid_out is None or self._laid_out[0] != source:
            self._laid_out = source, laid_out(source, placed=bool(self.picture.columns))
        return self._laid_out[1](format)

    def svg(self, max_width: float | None = None) -> str:
        """Return the picture as SVG text, with a title and a description for screen readers.

        Args:
            max_width: the largest width in points. A wider picture is scaled to it.
        """
        text = _shifted(self._drawn("svg").decode())
        head = re.search(r'<svg width="([\d.]+)pt" height="([\d.]+)pt"', text)
        if head is None:  # from the user's renderer
            return text
        width, height = float(head[1]), float(head[2])
        if max_width is not None and width > max_width:
            width, height = max_width, height * max_width / width
        text = text[: head.start()] + f'<svg role="img" width="{width:g}pt" height="{height:g}pt"' + text[head.end() :]
        end = text.index(">", head.start()) + 1
        words = f"<title>{html.escape(self.title)}</title>\n<desc>{html.escape(self.description)}</desc>"
        return f"{text[:end]}\n{words}{_both_themes() if self.theme == 'auto' else ''}{text[end:]}"

    def save(self, filename: str | os.PathLike[str] | None = None) -> Path:
        """Write the picture to a file: `render`, under graphviz's name.

        Raises:
            TypeError: no file is named.
        """
        if filename is None:
            raise TypeError('save: name the file, as in draw(J).save("J.svg")')
        return self.render(filename)

    def view(self) -> Path:
        """Open the picture in the browser, from a file in the temporary folder."""
        path = self.render(Path(tempfile.mkdtemp(prefix="autograd_mini_")) / "graph.svg")
        webbrowser.open(path.as_uri())
        return path

    if not TYPE_CHECKING:  # type checkers report a misspelt name as an error

        def __getattr__(self, name: str) -> Any:
            if (not name.startswith("_") and hasattr(graphviz.Digraph, name)) or name in OF_AN_INSTANCE:
                hint = f"; {INSTEAD[name]}" if INSTEAD.get(name) else ""
                raise AttributeError(f"a Drawing has no {name!r}; draw(J).graphviz.{name} is that of the Digraph{hint}")
            raise missing(self, name, DRAWING)

    def __repr__(self) -> str:
        n, m = len(self.picture.boxes), len(self.picture.arrows)
        return (
            f"<{self.title}: {n} box{'es' * (n != 1)}, {m} arrow{'s' * (m != 1)}; "
            'render("graph.svg") writes it, view() opens it, Jupyter shows it>'
        )

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None, **_: object
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the picture as svg, as png for notebooks that do not show svg, and as text."""
        bundle: dict[str, Any] = {
            "image/svg+xml": self.svg(max_width=CELL_WIDTH),
            "text/plain": f"{self.title}\n{self.description}",
        }
        try:
            png = self.image("png")
            width, height = struct.unpack(">II", png[16:24])
        except (ValueError, struct.error):  # the user's renderer does not make this format
            return bundle, {}
        scale = min(96 / DOTS_PER_INCH, CELL_WIDTH * 4 / 3 / width)
        bundle["image/png"] = png
        return bundle, {"image/png": {"width": int(width * scale), "height": int(height * scale)}}


def _shifted(svg: str) -> str:
    """Place sub- and superscripts by dy, which all viewers know, with the font size of Graphviz's measurement."""

    def placed(match: re.Match[str]) -> str:
        dy = "0.26em" if match[1] == "sub" else "-0.52em"
        return f'dy="{dy}" font-size="{float(match[2]) * 0.83:.2f}"'

    return re.sub(r'baseline-shift="(sub|super)" font-size="([\d.]+)"', placed, svg)


def _both_themes() -> str:
    """Return a style that changes the colours of a light picture on a dark page."""
    light, dark = THEMES["light"], THEMES["dark"]
    flat = [
        (a, b)
        for x, y in zip(light, dark, strict=True)
        for a, b in ([(x, y)] if isinstance(x, str) else zip(x, y, strict=True))
    ]
    rules = "".join(f'[{of}="{a}"]{{{of}:{b}}}' for a, b in flat for of in ("fill", "stroke"))
    return f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>"


@keywords(DRAW)
def draw(
    output: Value,
    *,
    fold: bool | None = None,
    formulas: bool = True,
    slopes: Slopes | None = None,
    direction: Literal["forward", "both"] = "forward",
    legend: bool = False,
    precision: int = 4,
    max_nodes: int | None = 100,
    rankdir: str = "LR",
    theme: str = "any",
    wires: Wires = "weights",
    example: int | None = None,
    mark: Value | str | Iterable[Value | str] = (),
) -> Drawing:
    r"""Draw the graph of a Value: formula, value and derivative of the output in a box, local derivatives on arrows.

    An unnamed result becomes part of the only formula that uses it, if this formula stays short. The derivatives are
    those of this output, and `?` before `backward()`. Arrows follow the order of the operands. Layers and neurons,
    known by labels such as `a_1^[2](3)`, get frames. If the graph has weights, leaves called x or y are data, with
    dashed lines. The decisions of Python's `if` are not drawn. If a number was assigned after the graph was computed,
    such as a parameter in a training step, a note below the picture says so; `forward()` computes the graph again.

    Args:
        fold: True draws a neuron as one box and layers as columns, and unlabelled nodes become part of the box that
            uses them. False draws also the products and sums inside a `dot`. None folds a net of more than
            `max_nodes` nodes.
        formulas: False draws each node as a separate box, with the sign of its operation.
        slopes: the text on an arrow: "both", $\partial u / \partial b = c = 2$, "symbol", "number", or "none".
            None is "both" for up to 20 boxes.
        direction: "both" draws the backward pass, too, as arrows from right to left.
        legend: explain the colours below the picture.
        precision: the significant digits of numbers.
        max_nodes: the largest number of nodes. A larger picture keeps the nodes nearest to the output, and says how
            many it leaves out. None draws all.
        rankdir: `"LR"`, left to right, or another of Graphviz's directions.
        wires: the numbers of the wires between the neurons of a folded net: the weights, the derivatives through a
            neuron, or the derivatives of the output with respect to the weights. Blue is positive, and thick is large.
        example: the example of a folded net to draw, counted from 1. None is the first.
        mark: nodes or labels of nodes that get a thick violet line.
        theme: "any" for a page of any colour, "light", "dark", "grey", or "auto" for an svg in the reader's theme.

    Raises:
        TypeError: `output` is not a Value.
        ValueError: an argument is not one of those above.

    >>> b, c = Value(3.0, "b"), Value(2.0, "c")
    >>> u = b * c; u.label = "u"
    >>> J = 3 * (5 + u); J.label = "J"
    >>> J.backward()
    >>> print(draw(J).description)
    b = 3, dJ/db = 6; c = 2, dJ/dc = 9; u = bc = 6, dJ/du = 3; J = 3(5 + u) = 33, dJ/dJ = 1
    """
    require_value("draw", output)
    if max_nodes is not None and not (type(max_nodes) is int and max_nodes >= 1):
        raise ValueError(f"draw: max_nodes must be at least 1, not {max_nodes!r}")
    if type(precision) is not int or precision not in range(1, 18):
        raise ValueError(f"draw: precision must be a whole number from 1 to 17, not {precision!r}")
    choices = {
        "fold": (fold, (None, True, False)),
        "rankdir": (rankdir, DIRECTIONS),
        "slopes": (slopes, (None, "both", "symbol", "number", "none")),
        "direction": (direction, ("forward", "both")),
        "wires": (wires, ("weights", "derivatives", "gradients")),
    }
    for name, (given, known) in choices.items():
        if given not in known:
            raise ValueError(f"draw: {name} must be one of {', '.join(map(str, known))}, not {given!r}")
    marks: Iterable[Value | str] = [mark] if isinstance(mark, (Value, str)) else mark
    picture = picture_of(
        output,
        fold=fold,
        precision=precision,
        max_nodes=max_nodes,
        rankdir=rankdir,
        formulas=formulas,
        slopes=slopes,
        backward=direction == "both",
        legend=legend,
        wires=wires,
        example=example,
        mark=[find(output, x) for x in marks],
    )
    return Drawing(picture, theme)
