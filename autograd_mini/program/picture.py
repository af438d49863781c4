"""The picture of a vector program.

The picture has a box for each matrix, with its line of code and its shape, and an arrow from each matrix that the line
reads. This module must not know how lines are written.
"""

from __future__ import annotations

from ..pictures.drawing import Drawing
from ..pictures.graph import DIRECTIONS
from ..pictures.model import Arrow, Box, Kind, Line, Picture
from ..pictures.typeset import Run
from ..traces import Trace
from .lift import Program
from .notation import Notation, Sheet
from .terms import Matrix, Shape, matrices

MAX_LINES = 100  # lines in a picture
SHOWN = 44  # characters of a line that are shown


def drawn(trace: Trace, program: Program, rankdir: str = "LR") -> Drawing:
    """Return the picture of a program: matrices as boxes, with arrows to the matrices that are computed from them.

    Raises:
        ValueError: the program has too many lines for a picture.

    >>> from autograd_mini import trace
    >>> from autograd_mini.program.lift import lift
    >>> t = trace(lambda w, x: sum(a * b for a, b in zip(w, x)), [1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    >>> print(drawn(t, lift(t)).description)
    x 3×1; x3 3×1; v1 = x.T @ x3
    """
    return drawn_sheet(Notation(trace, program).sheet(), rankdir)


def drawn_sheet(sheet: Sheet, rankdir: str = "LR") -> Drawing:
    """Return the picture of a written program."""
    if len(sheet.lines) > MAX_LINES:
        raise ValueError(f"{sheet.name}: a picture of {len(sheet.lines)} lines cannot be read: print it")
    if rankdir not in DIRECTIONS:
        raise ValueError(f"draw: rankdir must be one of {', '.join(DIRECTIONS)}, not {rankdir!r}")
    boxes: dict[str, Box] = {}
    arrows: list[Arrow] = []

    def box(name: str, text: str, shape: Shape, kind: Kind) -> None:
        size = "×".join(map(str, shape)) if max(shape) > 1 else "a number"
        head = [Line("formula", (Run(name, italic=True),)), *[Line("note", (Run(_short(text)),))] * bool(text)]
        sentence = f"{name} = {text}" if text else f"{name} {size}"
        lines = (*head, Line("note", (Run(size),)))
        boxes[name] = Box(f"n{len(boxes)}", kind, name, lines, sentence, operation=text)

    for name, shape in sheet.inputs.items():
        box(name, "", shape, "parameter")
    for name, shape in sheet.constants.items():
        box(name, "", shape, "data")
    for line in sheet.lines:
        target, term = line.target, line.value
        assert isinstance(target, Matrix)  # forward lines assign to whole matrices
        assert term is not None
        box(target.name, str(term), target.shape, "output" if target.name in sheet.outputs else "result")
        read = (boxes[x.name].id for x in matrices(term) if x.name in boxes)
        arrows += [Arrow(x, boxes[target.name].id, "forward") for x in read]
    title = f"Vector program of {sheet.name}"
    return Drawing(Picture(title, tuple(boxes.values()), tuple(arrows), rankdir=rankdir, slopes="none"))


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
