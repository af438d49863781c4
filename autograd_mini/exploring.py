r"""An interactive view of a graph: one HTML page that steps through both passes and recomputes them.

This module fills the page with the picture, the facts of the graph as JSON, and the rows as JavaScript: their
functions, which `javascript` writes, and their rules, which are run over a recorder. How the page behaves stands
in `explore.html`, the one file that is not Python. It must not know how derivatives are found, nor how a graph is
laid out.
"""

from __future__ import annotations

import html
import json
import math
import os
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from .explain import edges, explain
from .files import write_whole
from .javascript import Script, literal
from .ops import OPS, Level, Op, Traced, guard
from .printing import Text
from .source import Unreadable
from .stale import require_fresh
from .value import Value, primal, topological_order

__all__ = ["Explorer", "explore"]

MOST = 300  # nodes: beyond it neither the picture nor the list of sliders can be read
MOST_EDGES = 2_500
LONGEST = 20_000  # characters of a row as JavaScript; a function of one's own may grow without end
ROOM = 120  # points that a box is wide, for other numbers than those that are there at first
TALLEST, LOWEST = 900, 460  # pixels of the frame in a notebook


class Explorer:
    """A page that explores a graph: `save` it, or let Jupyter show it. It holds the numbers as they were."""

    def __init__(self, name: str, html: str, height: int) -> None:
        self.name = name
        self.html = html
        self.height = height  # in pixels, in a notebook

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file, which is there as a whole or not at all, and needs no other.

        Raises:
            ValueError: the name has another suffix than .html.
            OSError: the file cannot be written.
        """
        written = Path(path)
        if written.suffix.lower() not in (".html", ".htm", ""):
            raise ValueError(
                f"explore: {written.name} is a page, so that its name ends in .html; draw(J).render("
                f"{written.name!r}) writes a picture"
            )
        write_whole(written, self.html.encode())
        return written

    def _repr_html_(self) -> str:
        # A frame keeps the page's styles, keys and names apart from the notebook's.
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts" loading="lazy" '
            f'title="{html.escape(f"Explore {self.name}")}" '
            f'style="width: 100%; height: {self.height}px; border: 0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<Explorer of {self.name}: save('{self.name if self.name.isidentifier() else 'graph'}.html')>"


def explore(output: Value, *, precision: int = 4) -> Explorer:
    """Make a page that steps through the graph of a Value, one node and one edge at a time.

    Buttons and arrow keys step; a node that is pointed at or focused shows its derivation; sliders on the
    leaves recompute all numbers in the page. An op that JavaScript cannot have turns the sliders off.

    Args:
        precision: significant digits of numbers.

    Raises:
        TypeError: `output` is not a Value.
        ValueError: the graph has more than 300 nodes or 2,500 edges, or `precision` is not from 1 to 17.
        StaleGraphError: a number was assigned after the graph was computed.
        ImportError: there is no `dot` program and no pygraphviz.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> J = a * b; J.label = "J"
    >>> explore(J)
    <Explorer of J: save('J.html')>
    """
    if not isinstance(output, Value):
        raise TypeError(f"explore: give a Value, not {output!r} of type {type(output).__name__}")
    order = topological_order(output)
    require_fresh(output, order)
    if len(order) > MOST:
        raise ValueError(
            f"explore: the graph has {len(order):,} nodes, and at most {MOST} can be read; explore a node inside "
            "it or fewer examples, or draw it, which folds"
        )
    if precision not in range(1, 18):
        raise ValueError(f"explore: precision must be a whole number from 1 to 17, not {precision!r}")
    if (many := sum(len(node.parents) for node in order)) > MOST_EDGES:
        raise ValueError(f"explore: the graph has {many:,} edges, and at most {MOST_EDGES:,} can be read")
    from .pictures.drawing import Drawing
    from .pictures.graph import picture_of
    from .pictures.layout import plan_of

    picture = picture_of(output, precision=precision, max_nodes=None, every=True)
    drawing = Drawing(picture, plan=replace(plan_of(picture, copies=False), narrowest=ROOM))
    rows = _Rows()
    facts = _facts(output, order, precision, rows)
    name = facts["nodes"][-1]["name"]
    svg, height = _marked(drawing.svg(), order, [(e["parent"], e["user"]) for e in facts["edges"]])
    leaves = sum(node.op is None for node in order)
    parts = {
        "title": html.escape(drawing.title),
        "picture": svg,
        "facts": _json(facts),
        "rows": (_Rows() if facts["frozen"] else rows).written(),
    }
    # In one pass, so that a label that reads like a hole is none.
    page = re.sub(r"<!--(\w+)-->|/\*(\w+)\*/", lambda hole: parts[hole[1] or hole[2]], _template())
    return Explorer(name, page, round(min(max(360 + height * 4 / 3 + 46 * leaves, LOWEST), TALLEST)))


@cache
def _template() -> str:
    return Path(__file__).with_name("explore.html").read_text(encoding="utf-8")


# The facts.


def _json(facts: Any) -> str:
    """Write data as JSON that can stand inside a script element: nothing in it ends one, or opens a comment."""
    text = json.dumps(facts, separators=(",", ":"))
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _facts(output: Value, order: list[Value], precision: int, rows: _Rows) -> dict[str, Any]:
    """Return what the page knows of a graph: nodes, edges and derivations, by their places in lists."""
    whole = explain(output)
    names, place = whole.names, {node: i for i, node in enumerate(order)}
    found = [edge for node in order if node.op for edge in edges(node)]
    shared = {parent for parent, n in Counter(edge.parent for edge in found).items() if n > 1}
    places = {(edge.user, edge.operand): i for i, edge in enumerate(found)}
    factors = {(f.user, f.parent): f for line in whole.lines for term in line.terms for f in term.factors}
    numbered = {pair: i for i, pair in enumerate(factors)}

    def name(node: Value) -> Text:
        return Text.name(names[node])

    def hole(node: Value) -> _Holes:
        return _Holes("", place=place[node])

    frozen = ""
    nodes = []
    for node in order:
        explained = explain(output, node)
        fact: dict[str, Any] = {
            "name": names[node],
            "slope": str(Text.derivative(names[output], names[node])),
            "value": _plain(primal(node)),
            "edges": [places[node, i] for i, x in enumerate(node.operands) if isinstance(x, Value)],
            "derivation": [  # lines of a node and terms, a term being what it starts from and its factors
                [
                    place[line.node],
                    [
                        [
                            None if term.via is None else place[term.via],
                            [numbered[factor.user, factor.parent] for factor in term.factors],
                        ]
                        for term in line.terms
                    ],
                ]
                for line in explained.lines
            ],
        }
        if node.op is not None:
            operands = [
                Text.name(names[x]) if isinstance(x, Value) else Text.number(x, precision) for x in node.operands
            ]
            holes = [hole(x) if isinstance(x, Value) else _Holes.number(x, precision) for x in node.operands]
            fact["symbols"] = str(Text.write(node.op, operands))
            fact["numbers"] = _Holes.write(node.op, holes).parts
            try:
                fact["row"] = rows.place(node)
            except _Unwritten as error:
                frozen = frozen or str(error)
        nodes.append(fact)
    return {
        "precision": precision,
        "frozen": frozen,
        "nodes": nodes,
        "edges": [
            {
                "user": place[edge.user],
                "parent": place[edge.parent],
                "weight": _plain(edge.weight),
                "passes": edge.passes,
                "name": str(Text.derivative(names[edge.user], names[edge.parent], partial=edge.parent in shared)),
                "symbol": (symbol := edge.rule(name, Text, precision)) and [symbol.string, int(symbol.level)],
                "numbers": (numbers := edge.rule(hole, _Holes, precision)) and [numbers.parts, int(numbers.level)],
                "formula": edge.is_formula,
            }
            for edge in found
        ],
        "factors": [
            {
                "edges": [places[edge.user, edge.operand] for edge in factor.edges],
                "name": str(Text.derivative(names[factor.user], names[factor.parent], factor.partial)),
            }
            for factor in factors.values()
        ],
    }


class _Holes(Text):
    """Notation with holes, each of which says which node's number stands there and how tight its place is."""

    __slots__ = ("place",)

    def __init__(self, string: str, level: Level = Level.ATOM, op: Op | None = None, place: int | None = None) -> None:
        super().__init__(string, level, op)
        self.place = place

    def bracketed(self, at_least: Level) -> str:
        if self.place is None:
            return super().bracketed(at_least)
        return f"\ue000{self.place} {int(at_least)}\ue000"

    @property
    def parts(self) -> list[str | list[int]]:
        """Return the text and, as place and level, the holes."""
        found = self.bracketed(Level.COMPARISON).split("\ue000")
        return [[int(x) for x in part.split()] if k % 2 else part for k, part in enumerate(found)]


def _plain(x: float) -> float | str:
    return x if math.isfinite(x) else str(x)


# The rows as JavaScript.


class _Unwritten(Exception):
    """A row that JavaScript cannot have; the message is for the reader of the page."""


class _Script(Traced):
    """A recorder that writes what is done with it as a JavaScript expression."""

    __slots__ = ("rows", "text")

    first_order = True
    guards: ClassVar[bool] = True  # whether a point that a rule excepts is written

    def __init__(self, rows: _Rows, text: str) -> None:
        self.rows = rows
        self.text = text

    def record(self, op: Op, operands: tuple[Any, ...]) -> Any:
        if op is guard and not self.guards:
            return operands[2]
        text = self.rows.applied(op, [_text(x) for x in operands])
        if len(text) > LONGEST:
            raise _Unwritten(f"{op} is too long as JavaScript")
        return type(self)(self.rows, text)

    # A function that branches on the number cannot be written down; without these it would take one branch.
    def __bool__(self) -> NoReturn:
        raise _Unwritten("a branch")

    def __eq__(self, other: object) -> NoReturn:
        raise _Unwritten("a branch")

    __hash__ = Traced.__hash__


class _Formula(_Script):
    """A recorder that writes a rule as its formula, without the points that the table excepts."""

    __slots__ = ()
    guards = False


def _text(x: Any) -> str:
    """Write an operand, or what a rule gave, as JavaScript."""
    return x.text if isinstance(x, _Script) else literal(float(x))


class _Rows:
    """The rows of a page: the functions that they take, and one entry for each way a row is used."""

    def __init__(self) -> None:
        self.script = Script()
        self.entries: dict[str, int] = {}

    def place(self, node: Value) -> int:
        """Return the place of a node's row, its constants written in: a rule may depend on which they are."""
        assert node.op is not None
        op = node.op.row
        operands = [_Script(self, f"x{i}") if isinstance(x, Value) else x for i, x in enumerate(node.operands)]
        parameters = ", ".join(x.text for x in operands if isinstance(x, _Script))
        value = self.applied(op, [_text(x) for x in operands])
        slopes, formulas = self._slopes(op, operands, _Script), self._slopes(op, operands, _Formula)
        listed = ", ".join(f"({parameters}, z) => {slope}" for slope in slopes)
        entry = f"value: ({parameters}) => {value}, slopes: [{listed}]"
        if formulas != slopes:
            entry += f", formulas: [{', '.join(f'({parameters}, z) => {formula}' for formula in formulas)}]"
        return self.entries.setdefault(f"{{{entry}}}", len(self.entries))

    def _slopes(self, op: Op, operands: Sequence[Any], kind: type[_Script]) -> list[str]:
        """Write the rules of the operands that are no constants."""
        written = [kind(self, x.text) if isinstance(x, _Script) else x for x in operands]
        rules = zip(op.rules, operands, strict=True)
        return [self._recorded(op, rule, [*written, kind(self, "z")]) for rule, x in rules if isinstance(x, _Script)]

    def applied(self, op: Op, parts: list[str]) -> str:
        """Write a row applied to operands: as its own text where that is arithmetic, else as a call."""
        if OPS.get(op.name) is op.row and op.infix and Level.SUM <= op.text.level <= Level.PRODUCT:
            return f"({op.text.filled(dict(zip(op.operands, parts, strict=True)))})"
        if op.composed is not None:
            return self._recorded(op, op.function, [_Script(self, part) for part in parts])
        try:
            return self.script.applied(op, parts)
        except Unreadable as error:
            raise _Unwritten(f"{op} has no function in JavaScript: {error}") from error

    def _recorded(self, op: Op, function: Callable[..., Any], operands: Sequence[Any]) -> str:
        try:
            try:
                return _text(function(*operands))
            except (ArithmeticError, ValueError):  # a constant at a pole: JavaScript knows the limit
                return _text(function(*(_Script(self, _text(x)) for x in operands)))
        except _Unwritten:
            raise
        except Exception as error:  # whatever a function says that was given no number
            raise _Unwritten(f"{op} has no function in JavaScript") from error

    def written(self) -> str:
        """Return the functions and the list of rows, as a script."""
        return "\n  ".join([*str(self.script).splitlines(), "const rows = [", *(f"  {x}," for x in self.entries), "];"])


# The picture.


def _marked(svg: str, order: list[Value], ends: list[tuple[int, int]]) -> tuple[str, float]:
    """Return the picture with names on what a script shall find, and its height in points.

    Graphviz names a group by its node, or by the two of its edge, and counts the edges as they were drawn;
    what it says in tooltips would not be true for long.
    """
    root = ET.fromstring(svg)
    for element in root.iter():  # inside HTML there are no namespaces
        element.tag = element.tag.rpartition("}")[2]
        for key in [key for key in element.attrib if "}" in key]:
            del element.attrib[key]
    waiting: dict[tuple[int, int], list[int]] = {}
    for i, pair in enumerate(ends):
        waiting.setdefault(pair, []).append(i)
    groups = [g for g in root.iter("g") if g.get("class") in ("node", "edge")]
    groups.sort(key=lambda g: int((g.get("id") or "").removeprefix(g.get("class") or "")))
    for group in groups:
        ids = [int(word[1:]) for word in (group.findtext("title") or "").split("->")]
        texts = list(group.iter("text"))
        if len(ids) == 2:
            group.set("id", f"edge-{waiting[ids[0], ids[1]].pop(0)}")
            texts[-1].set("class", "weight")
            continue
        kind = "leaf" if order[ids[0]].op is None else "operation"
        group.set("id", f"node-{ids[0]}")
        group.set("class", f"node {kind}")
        # Where the box stands, for a script that may run before the page is laid out.
        shape, *_, outline = (shape for shape in group.iter() if shape.tag in ("path", "polygon"))
        outline.set("class", "outline")
        across = [float(x) for x in re.findall(r"(-?[\d.]+),", shape.get("d") or shape.get("points") or "")]
        group.set("data-middle", f"{(min(across) + max(across)) / 2:g}")
        group.set("data-width", f"{max(across) - min(across):g}")
        slope = [text for text in texts if text.get("y") == texts[-1].get("y")]
        for text in slope:
            text.set("class", "slope")
        texts[-len(slope) - 1].set("class", "value")
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in ("title", "desc")]:
            parent.remove(child)
    width, height = (float((root.get(side) or "").removesuffix("pt")) for side in ("width", "height"))
    root.attrib.update({"role": "group", "aria-labelledby": "title", "id": "graph"})
    root.set("style", f"width: {width:g}pt; height: auto; min-width: {0.75 * width:g}pt")
    return ET.tostring(root, encoding="unicode"), height
