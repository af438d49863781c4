"""A picture as Mermaid text, which GitHub, Notion and JupyterLab show.

Mermaid has no outlined labels and no bands. Words and symbols name each number.
"""

from __future__ import annotations

from collections.abc import Iterable

from .model import Box, Picture
from .theme import THEMES
from .typeset import Run, Typeset


def mermaid(picture: Picture) -> str:
    """Write a picture as a Mermaid flowchart."""
    lines = [f"%% {_escaped(picture.title)}", f"flowchart {picture.rankdir}"]
    ids = {box.id: f"b{i}" for i, box in enumerate(picture.boxes)}
    framed: dict[tuple[str, ...], list[str]] = {}
    for box in picture.boxes:
        framed.setdefault(box.frame, []).append(_box(box, ids[box.id]))
    titles = {tuple(frame.id.split("/")): frame.title for frame in picture.frames}
    lines += [f"  {line}" for line in framed.pop((), [])]
    for path, title in titles.items():
        if len(path) == 1:
            lines += _frame(path, title, framed, titles, "  ")
    for arrow in picture.arrows:
        wire = {"forward": "-->", "wire": "---"}.get(arrow.role, "-.->")
        label = ""
        if arrow.slope is not None and picture.slopes != "none" and arrow.role == "forward":
            symbol = arrow.slope.symbol if picture.slopes != "number" else ()
            stages = [(*arrow.slope.above, Run("/"), *arrow.slope.below), symbol, arrow.slope.number]
            stages = [stages[-1]] if picture.slopes == "number" else stages
            label = f'|"{" = ".join(_text(stage, False) for stage in stages if stage)}"|'
        if arrow.role == "wire" and arrow.weight is not None:
            label = f'|"{_text(Typeset.number(arrow.weight, 2).runs)}"|'
        lines.append(f"  {ids[arrow.source]} {wire}{label} {ids[arrow.target]}")
    theme = THEMES["light"]
    for kind, style in (
        ("parameter", "stroke-width:2px"),
        ("data", "stroke-dasharray:4"),
        ("result", "stroke-width:1px"),
        ("output", "stroke-width:3px"),
    ):
        fill, line = getattr(theme, kind)
        lines.append(f"  classDef {kind} fill:{fill},stroke:{line},{style},color:{theme.ink}")
    if picture.note:
        lines.append(f"  %% {picture.note.replace(chr(10), ' ')}")
    return "\n".join(lines) + "\n"


def _frame(
    path: tuple[str, ...],
    title: str,
    framed: dict[tuple[str, ...], list[str]],
    titles: dict[tuple[str, ...], str],
    indent: str,
) -> list[str]:
    lines = [f'{indent}subgraph {"_".join(path).replace(" ", "_").replace(",", "")} ["{_escaped(title)}"]']
    lines += [f"{indent}  {line}" for line in framed.get(path, [])]
    for inner, name in titles.items():
        if inner[:-1] == path:
            lines += _frame(inner, name, framed, titles, indent + "  ")
    return [*lines, f"{indent}end"]


def _box(box: Box, name: str) -> str:
    parts = [f"<b>{_text(line.runs)}</b>" if line.role == "value" else _text(line.runs) for line in box.lines]
    left, right = "()" if box.kind == "parameter" else "[]"
    kind = "data" if box.kind == "left out" else box.kind
    return f'{name}{left}"{"<br/>".join(parts)}"{right}:::{kind}'


def _text(runs: Iterable[Run], styled: bool = True) -> str:
    parts = []
    for run in runs:
        text = f"<i>{_escaped(run.text)}</i>" if run.italic and styled else _escaped(run.text)
        parts.append(f"<{run.shift}>{text}</{run.shift}>" if run.shift else text)
    return "".join(parts)


def _escaped(text: str) -> str:
    """Write each special character of Mermaid or HTML by its number, and put a space after a backslash."""
    return "".join(f"#{ord(c)};" + "\u200b" * (c == "\\") if c in '"<>&#;`\\%{}$:' else c for c in text)
