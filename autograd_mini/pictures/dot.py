"""A picture as a `graphviz.Digraph`, which users may change.

This module decides the colours, type and shapes of boxes, arrows and frames. A number is a value, a local derivative or
a derivative of the output. Each of the three has its own colour, form and place.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import graphviz

from .board import board_of
from .layout import plan_of
from .model import Arrow, Box, Frame, Picture, Slope
from .theme import THEMES, Theme
from .typeset import Run, Typeset, plain

SERIF = "Times New Roman,Liberation Serif,Times,serif"
SANS = "Arial,Liberation Sans,Helvetica,sans-serif"
SIZES = {"formula": 18, "value": 22, "gradient": 15, "note": 13, "pill": 15}
SMALL_SIZES = {"formula": 15, "value": 16, "gradient": 13, "note": 12, "pill": 12}
LINES = {
    "parameter": ("2", "ROUNDED"),
    "data": ("1", "DASHED"),
    "result": ("1", ""),
    "output": ("3", ""),
    "left out": ("1", "DASHED"),
}


def digraph(picture: Picture, theme: Theme) -> graphviz.Digraph:
    """Return the picture as a `graphviz.Digraph`."""
    return _Writer(picture, theme).graph


def pill_names(picture: Picture) -> dict[Arrow, str]:
    """Return the name of the box that holds the label of an arrow."""
    return {arrow: f"{arrow.source}_in_{arrow.target}_{i}" for i, arrow in enumerate(picture.arrows)}


class _Writer:
    def __init__(self, picture: Picture, theme: Theme) -> None:
        self.picture, self.theme, self.plan = picture, theme, plan_of(picture)
        self.pills = pill_names(picture)
        pills = self.plan.labels == "pills"
        self.sizes = SIZES if pills else SMALL_SIZES
        self.graph = graphviz.Digraph(
            graph_attr={
                "rankdir": picture.rankdir,
                "bgcolor": theme.page,
                "nodesep": "0.28",
                "ranksep": "0.3" if pills else "0.6",
                "ordering": "in",
                "pad": "0.12",
                "fontname": SERIF,
                **self.plan.attributes,
            },
            node_attr={"shape": "plain", "fontname": SERIF},
            edge_attr={"color": theme.line, "penwidth": "1.5", "arrowsize": "0.8", "fontname": SERIF},
        )
        self.graph.edge_attr.update(fontsize=str(self.sizes["pill"]), fontcolor=theme.local)
        if picture.note or picture.legend:
            self.graph.graph_attr.update(label=self._below(), labelloc="b")
        by_id = {box.id: box for box in picture.boxes}
        if picture.columns:
            self._board()
            return
        self._boxes()
        for arrow in picture.arrows:
            self._arrow(arrow, by_id[arrow.source])

    def _board(self) -> None:
        """Write a net with given places."""
        theme, board = self.theme, board_of(self.picture)
        self.graph.graph_attr.update(outputorder="edgesfirst")
        largest = max((abs(a.weight or 0.0) for a in self.picture.arrows if a.role == "wire"), default=0.0) or 1.0
        for i, (title, x, y) in enumerate(board.captions):
            caption = _font(html.escape(title), 13, theme.muted, SANS)
            self.graph.node(f"caption_{i}", f"<{caption}>", pos=f"{x:.1f},{y:.1f}")
        for box in self.picture.boxes:
            place = board.places[box.id]
            label = self._box(box, size=(place.width, place.height))
            self.graph.node(box.id, label, pos=f"{place.x:.1f},{place.y:.1f}", tooltip=_tip(box.sentence))
        for i, arrow in enumerate(self.picture.arrows):
            (a, b), tip, number = board.ends[i], _tip(arrow.sentence), board.numbers[i]
            if arrow.role != "wire":
                tip_at = f"e,{b[0]:.1f},{b[1]:.1f} "  # the line ends where its head begins
                far = ((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) ** 0.5
                pos = tip_at + _line(a, (b[0] - (b[0] - a[0]) * 9 / far, b[1] - (b[1] - a[1]) * 9 / far))
                self.graph.edge(arrow.source, arrow.target, pos=pos, edgetooltip=tip)
                continue
            weight, color = arrow.weight, theme.line
            if weight is not None:
                color = theme.positive if weight >= 0.0 else theme.negative
            pen = f"{1.2 + 4.8 * min(abs(weight or 0.0) / largest, 1.0):.1f}"
            look = {"color": color, "penwidth": pen, "arrowhead": "none", "edgetooltip": tip}
            if weight is not None and weight < 0.0 and theme is THEMES["grey"]:
                look["style"] = "dashed"
            self.graph.edge(arrow.source, arrow.target, pos=_line(a, b), **look)
            if number is not None and weight is not None:
                shown = _font(f"<B>{_signed(weight)}</B>", 12, _on(theme, color))
                cell = _table([shown], BGCOLOR=theme.result[0], CELLPADDING="1")
                self.graph.node(f"number_{i}", f"<{cell}>", pos=f"{number[0]:.1f},{number[1]:.1f}", tooltip=tip)

    def _boxes(self) -> None:
        frames = {tuple(frame.id.split("/")): frame for frame in self.picture.frames}
        graphs: dict[tuple[str, ...], graphviz.Digraph] = {(): self.graph}
        for i, (path, frame) in enumerate(frames.items()):
            inner = graphs[path] = graphviz.Digraph(name=f"cluster_{i}")
            title = _font(html.escape(frame.title), 13, self.theme.muted, SANS)
            inner.attr(label=f"<{title}>", labeljust="l", margin="10")
            inner.attr(style="rounded", color=self.theme.line)
        users: dict[str, list[str]] = {}
        for arrow in self.picture.arrows:
            users.setdefault(arrow.source, []).append(arrow.target)
        for box in self.picture.boxes:
            pairs = dict.fromkeys((box.id, user) for user in users.get(box.id, ()))
            copied = [pair for pair in pairs if pair in self.plan.copied]
            if copied:
                label, tip = self._box(box, True), _tip(box.sentence)
                for source, target in copied:
                    graphs[()].node(f"{source}_for_{target}", label, tooltip=tip)
            graphs[box.frame].node(box.id, self._box(box), tooltip=_tip(box.sentence))
        for path, frame in frames.items():
            self._column(graphs[path], frame)
        for path in sorted(frames, key=len, reverse=True):  # inner frames first
            graphs[path[:-1]].subgraph(graphs[path])

    def _column(self, graph: graphviz.Digraph, frame: Frame) -> None:
        """Keep boxes of a frame one below the other, in order."""
        column = graphviz.Digraph(graph_attr={"rank": "same"}, edge_attr={"style": "invis"})
        column.edges(list(zip(frame.column, frame.column[1:], strict=False)))
        if frame.column:
            graph.subgraph(column)

    def _box(self, box: Box, is_copy: bool = False, size: tuple[float, float] | None = None) -> str:
        theme = self.theme
        fill, line = getattr(theme, box.kind, theme.data)
        width, style = LINES["data" if is_copy else box.kind]
        rows = []
        for role, runs in box.lines:
            if role == "gradient":
                if is_copy:
                    continue
                band = {"BGCOLOR": theme.gradient, "STYLE": "ROUNDED", "CELLPADDING": "2", "CELLSPACING": "1"}
                rows.append(_table([self._text(runs, "gradient", theme.on_gradient, last_bold=True)], **band))
            elif role == "pair":
                name, number = _parted(runs)
                left = _font(_html(name, self.sizes["formula"]), self.sizes["formula"], theme.ink)
                rows.append(f"{left}<B>{self._text(number, 'value', theme.value)}</B>")
            elif role == "value":
                rows.append(f"<B>{self._text(runs, 'value', theme.value)}</B>")
            else:
                rows.append(self._text(runs, role, theme.ink))
        if box.marked:
            line, width = theme.mark, "4"
        look = {"BORDER": width, "BGCOLOR": fill, "COLOR": line, "STYLE": style}
        narrowest = self.plan.narrowest
        if size is not None:
            narrowest, look["HEIGHT"] = int(size[0]) - 8, f"{size[1]:.0f}"
        if narrowest:
            rows[0] = f'<TABLE BORDER="0"><TR><TD WIDTH="{narrowest}">{rows[0]}</TD></TR></TABLE>'
        return f"<{_table(rows, CELLPADDING='2', CELLSPACING='2', **look)}>"

    def _text(self, runs: Sequence[Run], role: str, color: str, last_bold: bool = False) -> str:
        size = self.sizes[role]
        if last_bold:
            before, last = _parted(runs)
            return _font(f"{_html(before, size)}<B>{_html(last, size)}</B>", size, color)
        return _font(_html(runs, size), size, color)

    def _arrow(self, arrow: Arrow, source: Box) -> None:
        start = arrow.source
        if (start, arrow.target) in self.plan.copied:
            start = f"{start}_for_{arrow.target}"
        tip = _tip(arrow.sentence)
        look = {"style": "dashed", "penwidth": "1.2", "color": self.theme.data[1]} if arrow.role != "forward" else {}
        if (
            arrow.slope is None
            or self.picture.slopes == "none"
            or (arrow.role == "data" and self.plan.labels == "pills")
        ):
            self.graph.edge(start, arrow.target, edgetooltip=tip, **look)
        elif self.plan.labels == "pills":
            pill = self.pills[arrow]
            self.graph.node(pill, self._pill(arrow.slope, arrow.back if self.picture.backward else ()), tooltip=tip)
            self.graph.edge(start, pill, arrowhead="none", edgetooltip=tip, weight="2")
            self.graph.edge(pill, arrow.target, edgetooltip=tip, weight="2")
        else:
            size = self.sizes["pill"]
            number = f"<{_font(_html(arrow.slope.number, size), size, self.theme.local)}>"
            if self.plan.labels == "heads":
                look |= {"headlabel": number, "labeldistance": "1.6", "labelangle": "-20"}
            else:
                look["label"] = number
            self.graph.edge(start, arrow.target, edgetooltip=tip, labeltooltip=tip, **look)
        if self.picture.backward and arrow.role == "forward":
            look = {"style": "dashed", "color": self.theme.gradient, "penwidth": "2.2"}
            self.graph.edge(arrow.target, start, constraint="false", edgetooltip=_tip(plain(arrow.back)), **look)

    def _pill(self, slope: Slope, back: tuple[Run, ...]) -> str:
        theme, size = self.theme, self.sizes["pill"]

        def text(runs: Iterable[Run], before: str = "", bold: bool = False) -> str:
            inner = _html(runs, size)
            return _font(before + (f"<B>{inner}</B>" if bold else inner), size, theme.local)

        rule = _table([text(slope.above), "<HR/>", text(slope.below)], COLOR=theme.local)
        cells = [rule]
        if slope.symbol and self.picture.slopes != "number":
            cells.append(text(slope.symbol, "&nbsp;= "))
        if not slope.symbol or self.picture.slopes != "symbol":
            cells.append(text(slope.number, "&nbsp;= ", True))
        rows = [_row_of(cells)]
        if back:
            rows.append(_font(_html(back, size), size, theme.gradient))
        return f"<{_table(rows, **_pill(theme), CELLSPACING='1')}>"

    def _below(self) -> str:
        rows = []
        if self.picture.legend:
            rows.append(self._legend())
        rows += [
            _font(html.escape(line), 12, self.theme.gradient, SANS) for line in self.picture.note.split("\n") if line
        ]
        return f"<{_table(rows, CELLPADDING='3')}>"

    def _legend(self) -> str:
        theme, picture = self.theme, self.picture
        cells = []

        def words(text: str) -> str:
            return _font(f"&nbsp;{text}&nbsp;&nbsp;", 13, theme.muted, SANS)

        kinds = {box.kind for box in picture.boxes}
        for kind in ("parameter", "data", "result", "output"):
            if kind in kinds and "data" in kinds:
                fill, line = getattr(theme, kind)
                width, style = LINES[kind]
                look = {"BORDER": width, "BGCOLOR": fill, "COLOR": line, "STYLE": style}
                cells += [_table(["&nbsp;&nbsp;&nbsp;&nbsp;"], **look), words(kind)]
        band = {"BGCOLOR": theme.gradient, "STYLE": "ROUNDED", "CELLPADDING": "3"}
        cells += [_font("<B>6</B>", 16, theme.value), words("value")]
        if picture.columns:
            cells += [_font("<B>+1</B>", 14, theme.positive), words("wire above 0")]
            cells += [_font("<B>−1</B>", 14, theme.negative), words("below 0; thick is large")]
        elif picture.slopes != "none":
            cells += [
                _table([_font("∂<I>u</I>/∂<I>b</I>", 13, theme.local)], **_pill(theme)),
                words("local derivative"),
            ]
        of = _html(Typeset.name(picture.boxes[-1].name).runs, 13)
        cells += [_table([_font(f"d{of}/d<I>u</I>", 13, theme.on_gradient)], **band)]
        cells += [words("derivative of the output")]
        return _row_of(cells)


def _pill(theme: Theme) -> dict[str, str]:
    return {"BORDER": "1", "COLOR": theme.local, "BGCOLOR": theme.local_fill, "STYLE": "ROUNDED", "CELLPADDING": "2"}


def _signed(weight: float) -> str:
    """Write a weight with its sign and two decimals, or a smaller one with two significant digits."""
    if 0.005 <= abs(weight) < 1e4:
        return f"{weight:+.2f}".replace("-", "−")
    return ("+" if weight >= 0.0 else "") + html.escape(plain(Typeset.number(weight, 2).runs))


def _line(a: tuple[float, float], b: tuple[float, float]) -> str:
    """Write a straight line as a curve in Graphviz's notation."""
    return " ".join(f"{a[0] + (b[0] - a[0]) * t:.1f},{a[1] + (b[1] - a[1]) * t:.1f}" for t in (0, 1 / 3, 2 / 3, 1))


def _parted(runs: Sequence[Run]) -> tuple[Sequence[Run], Sequence[Run]]:
    """Split a line after its last equals sign, and return both parts."""
    at = max((i for i, run in enumerate(runs) if run.text == " = "), default=-1) + 1
    return runs[:at], runs[at:]


def _on(theme: Theme, color: str) -> str:
    """Return the colour of a wire's number. If the page has no background, the number gets a light one."""
    light = THEMES["light"]
    return {theme.positive: light.positive, theme.negative: light.negative}[color] if theme is THEMES["any"] else color


def _font(text: str, size: float, color: str, face: str = SERIF) -> str:
    named = f'FACE="{face}" ' if face != SERIF else ""  # all boxes have these
    return f'<FONT {named}POINT-SIZE="{size:g}" COLOR="{color}">{text}</FONT>'


def _table(rows: Iterable[str], **attributes: str) -> str:
    given = {"BORDER": "0", "CELLBORDER": "0", "CELLSPACING": "0", "CELLPADDING": "0", **attributes}
    head = " ".join(f'{name}="{value}"' for name, value in given.items() if value)
    return f"<TABLE {head}>{''.join(row if row == '<HR/>' else f'<TR><TD>{row}</TD></TR>' for row in rows)}</TABLE>"


def _row_of(cells: Iterable[str]) -> str:
    inner = "".join(f"<TD>{cell}</TD>" for cell in cells)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>{inner}</TR></TABLE>'


def _html(runs: Iterable[Run], size: float) -> str:
    """Write typeset text as Graphviz's HTML, where a backslash must be escaped, too."""
    parts = []
    for run in runs:
        text = html.escape(run.text.replace("\\", "\\\\"))
        if run.shift:
            tag = run.shift.upper()
            text = f'<{tag}><FONT POINT-SIZE="{round(size * 0.85)}">{text}</FONT></{tag}>'
        parts.append(f"<I>{text}</I>" if run.italic else text)
    return "".join(parts)


def _tip(text: str) -> str:
    """Write a text as a tooltip. Escape backslashes and entities, which Graphviz would expand."""
    return text.replace("\\", "\\" * 4).replace("&", "&amp;")
