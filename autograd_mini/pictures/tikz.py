"""A picture as TikZ, for papers and Beamer: a file for pdfLaTeX with the packages tikz and xcolor.

A character that pdfLaTeX's fonts do not have is written by its number, such as U+4E2D.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby

from ..printing import ACCENTS, GREEK
from .board import board_of
from .dot import digraph, pill_names
from .layout import positions_in_columns
from .model import Arrow, Box, Line, Picture
from .render import render
from .theme import THEMES
from .typeset import Run, Typeset

PER_CM = 40.0  # points of a board in a centimetre
PER_INCH = 1.6  # centimetres of the picture for an inch of Graphviz, whose letters are larger
SIGNS = {
    "·": r"\cdot ", "−": "-", "≈": r"\approx ", "√": r"\surd ", "≥": r"\ge ", "≤": r"\le ", "…": r"\dots ",
    "∂": r"\partial ", "∞": r"\infty ", "∛": r"\sqrt[3]{}", "\u2009": r"\,", "\u2003": r"\quad ", " ": " ",
    "Δ": r"\Delta ", "Γ": r"\Gamma ", "Θ": r"\Theta ", "Λ": r"\Lambda ", "Ξ": r"\Xi ", "Π": r"\Pi ", "Φ": r"\Phi ",
    "Ψ": r"\Psi ", "Ω": r"\Omega ", "∇": r"\nabla ", "∈": r"\in ", "µ": r"\mu ", "′": "'", "×": r"\times ",
    "÷": r"\div ", "Σ": r"\Sigma ",
    **{letter: f"\\{name} " for name, letter in GREEK.items() if name != "omicron"},
}  # fmt: skip
SPECIAL = {"\\": r"\backslash ", "^": r"\hat{}", "~": r"\sim ", "<": "<", ">": ">"}

HEAD = r"""% {title}: needs only tikz and xcolor
\documentclass[border=6pt]{{standalone}}
\usepackage[T1]{{fontenc}}
\usepackage{{textcomp}}
\usepackage{{tikz}}
{colors}
\newcommand{{\band}}[1]{{\colorbox{{gradient}}{{\color{{ongradient}}\footnotesize$#1$}}}}
\tikzset{{every node/.style={{align=center,text=ink}},
  parameter/.style={{draw=parameterline,fill=parameter,line width=1.2pt,rounded corners=6pt}},
  data/.style={{draw=dataline,fill=data,dashed}},
  result/.style={{draw=resultline,fill=result}},
  output/.style={{draw=outputline,fill=output,line width=1.8pt}},
  wire/.style={{->,>=latex,draw=wirecolor,line width=.8pt}},
  pill/.style={{draw=local,fill=localfill,text=local,rounded corners=4pt,inner sep=2pt,font=\footnotesize}}}}
\begin{{document}}
\begin{{tikzpicture}}
{body}
\end{{tikzpicture}}
\end{{document}}
"""


def tikz(picture: Picture) -> str:
    """Write a picture as a LaTeX file. Graphviz places the boxes. Without Graphviz, they stand in columns."""
    theme = THEMES["light"]
    colors = {"ink": theme.ink, "value": theme.value, "local": theme.local, "localfill": theme.local_fill}
    colors |= {
        "positive": theme.positive,
        "negative": theme.negative,
        "gradient": theme.gradient,
        "ongradient": theme.on_gradient,
        "wirecolor": theme.line,
    }
    for kind in ("parameter", "data", "result", "output"):
        colors[kind], colors[f"{kind}line"] = getattr(theme, kind)
    named = "".join(f"\\definecolor{{{name}}}{{HTML}}{{{code[1:].upper()}}}\n" for name, code in colors.items())
    places = _places(picture)
    ids = {box.id: f"b{i}" for i, box in enumerate(picture.boxes)}
    body = [_node(box, ids[box.id], places[box.id]) for box in picture.boxes]
    pills = pill_names(picture)
    for i, arrow in enumerate(picture.arrows):
        body += _wire(arrow, ids, picture, f"p{i}", places.get(pills[arrow]))
    body += [f"  % {line}" for line in picture.note.split("\n") if line]
    return HEAD.format(title=picture.title.replace("%", ""), colors=named.rstrip(), body="\n".join(body))


def _places(picture: Picture) -> dict[str, tuple[float, float]]:
    if picture.columns:
        return {name: (place.x / PER_CM, place.y / PER_CM) for name, place in board_of(picture).places.items()}
    try:
        text = render(digraph(picture, THEMES["light"]).source, "plain").decode()
    except (ImportError, ValueError):
        return {box: (2.9 * x, -1.6 * y) for box, (x, y) in positions_in_columns(picture).items()}
    places = {}
    for name, x, y in re.findall(r"^node (\w+) (\S+) (\S+) ", text, re.MULTILINE):
        places[name] = (float(x) * PER_INCH, float(y) * PER_INCH)
    return places


def _node(box: Box, name: str, place: tuple[float, float]) -> str:
    kind = "data" if box.kind == "left out" else box.kind
    text = r"\\[2pt]".join(_line(line) for line in box.lines)
    return f"  \\node[{kind}] ({name}) at ({place[0]:.2f},{place[1]:.2f}) {{{text}}};"


def _line(line: Line) -> str:
    inner = _math(line.runs)
    if line.role == "value":
        return rf"{{\Large\bfseries\boldmath\color{{value}}${inner}$}}"
    return rf"\band{{{inner}}}" if line.role == "gradient" else f"${inner}$"


def _wire(
    arrow: Arrow, ids: dict[str, str], picture: Picture, name: str, place: tuple[float, float] | None
) -> list[str]:
    style = "wire" if arrow.role == "forward" else "wire,dashed"
    start, end = ids[arrow.source], ids[arrow.target]
    if arrow.role == "wire":
        if arrow.weight is None:  # before backward()
            return [f"  \\draw[draw=wirecolor,line width=1.2pt] ({start}.east) -- ({end}.west);"]
        color = "positive" if arrow.weight >= 0.0 else "negative"
        number = _math(Typeset.number(arrow.weight, 2).runs)
        return [
            f"  \\draw[draw={color},line width=1.2pt] ({start}.east) -- ({end}.west)"
            f" node[near end,fill=white,inner sep=1pt,text={color},font=\\scriptsize] {{${number}$}};"
        ]
    label = ""
    if arrow.slope is not None and arrow.role == "forward" and picture.slopes != "none":
        above, below, symbol, number = map(_math, arrow.slope)
        stages = [
            rf"\frac{{{above}}}{{{below}}}",
            symbol if picture.slopes != "number" else "",
            rf"\mathbf{{{number}}}",
        ]
        stages = stages[-1:] if picture.slopes == "number" else stages
        label = f"{{${'='.join(x for x in stages if x)}$}}"
    if place is None or not label:
        return [f"  \\draw[{style}] ({start}) -- ({end}){' node[midway,pill] ' * bool(label)}{label};"]
    return [
        f"  \\node[pill] ({name}) at ({place[0]:.2f},{place[1]:.2f}) {label};",
        f"  \\draw[{style},-] ({start}) -- ({name});",
        f"  \\draw[{style}] ({name}) -- ({end});",
    ]


def _math(runs: Iterable[Run]) -> str:
    parts: list[str] = []
    for shift, together in groupby(runs, lambda run: run.shift):
        text = "".join(_letters(run.text) if run.italic else _upright(run.text) for run in together)
        if not shift:
            parts.append(text)
        else:
            parts.append(("_" if shift == "sub" else "^") + f"{{{text}}}")
    return "".join(parts)


def _letters(text: str) -> str:
    """Write italic letters: one as a variable, several as a word."""
    if len(text) == 2 and text[1] in ACCENTS:
        return rf"\{ACCENTS[text[1]]}{{{_upright(text[0])}}}"
    if text in SIGNS:
        return SIGNS[text]
    return (
        text if len(text) == 1 and text.isascii() and text.isalpha() else rf"\mathit{{{_upright(text, words=False)}}}"
    )


def _upright(text: str, words: bool = True) -> str:
    parts = []
    for piece in re.findall(r"[a-zA-Z]{2,}|.", text, re.DOTALL):
        if piece in SIGNS:
            parts.append(SIGNS[piece])
        elif piece in SPECIAL:
            parts.append(SPECIAL[piece])
        elif piece in "{}$&#_%":
            parts.append("\\" + piece)
        elif piece.isascii():
            parts.append(rf"\mathrm{{{piece}}}" if piece.isalpha() and words else piece)
        else:
            parts.append(_foreign(piece))
    return "".join(parts)


def _foreign(sign: str) -> str:
    """Write a character that is not ASCII: a Latin letter as text, any other by its number."""
    whole = unicodedata.normalize("NFC", sign)
    if re.fullmatch("[\u00a1-\u017f€]", whole):
        return rf"\mbox{{{whole}}}"
    return rf"\mbox{{\texttt{{U+{ord(sign):04X}}}}}"
