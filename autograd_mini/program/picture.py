"""The picture of a vector program.

This room owns how a program looks: a box for each matrix, with the line that makes it and its shape. It
must not know how lines are written.
"""

from __future__ import annotations

import html
import re

from ..drawing import LEAF, LEFT_OUT, OPERATION, OUTPUT, Drawing, blank
from ..trace import Trace
from .lift import Program
from .notation import Notation

__all__ = ["drawn"]

MOST = 100  # lines, as nodes of a graph
SHOWN = 44  # characters of a line


def drawn(trace: Trace, program: Program, rankdir: str = "LR") -> Drawing:
    """Return the picture of a program: matrices as boxes, and edges to what is computed of them.

    Raises:
        ValueError: it has more lines than can be read.

    >>> from autograd_mini import trace
    >>> from autograd_mini.program.lift import lift
    >>> t = trace(lambda w, x: sum(a * b for a, b in zip(w, x)), [1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    >>> print(drawn(t, lift(t)).description)
    x 3×1; x3 3×1; v1 = x.T @ x3
    """
    notation = Notation(trace, program)
    if len(notation.lines) > MOST:
        raise ValueError(f"{program.name}: a picture of {len(notation.lines)} lines cannot be read: print it")
    picture = blank(rankdir)
    outputs = {notation.origin[program.slots[z]] for z in trace.outputs if isinstance(z, int)}
    sentences: list[str] = []
    drawn_so_far: set[str] = set()

    def box(name: str, text: str, shape: tuple[int, int], kind: dict[str, str]) -> None:
        size = "×".join(map(str, shape)) if max(shape) > 1 else "a number"
        lines = [f"<B>{html.escape(name)}</B>", *[html.escape(_short(text))] * bool(text), size]
        rows = "".join(f"<TR><TD>{line}</TD></TR>" for line in lines)
        label = f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1">{rows}</TABLE>>'
        sentences.append(f"{name} = {text}" if text else f"{name} {size}")
        drawn_so_far.add(name)
        picture.node(name, label, tooltip=html.escape(sentences[-1]), **kind)

    for block in notation.inputs:
        box(block.name, "", block.shape, LEAF)
    for name, numbers in notation.constants.items():
        box(name, "", numbers.shape, LEFT_OUT)
    for line, text in zip(notation.lines, notation.texts, strict=True):
        last = bool(outputs & set(line.block.slots.ravel().tolist()))
        box(line.block.name, text, line.block.shape, OUTPUT if last else OPERATION)
        for name in dict.fromkeys(re.findall(r"[^\W\d]\w*", text)):  # the matrices that the line names
            if name in drawn_so_far:
                picture.edge(name, line.block.name)
    picture.title = f"Vector program of {program.name}"
    picture.description = "; ".join(sentences)
    return picture


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
