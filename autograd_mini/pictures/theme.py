"""The colours of pictures, pages and plots by their roles."""

from __future__ import annotations

from typing import NamedTuple


class Theme(NamedTuple):
    """The colours of a picture. A box has one for its fill and one for its line."""

    page: str
    ink: str
    muted: str
    line: str
    value: str
    local: str
    local_fill: str
    gradient: str
    on_gradient: str
    parameter: tuple[str, str]
    data: tuple[str, str]
    result: tuple[str, str]
    output: tuple[str, str]
    positive: str
    negative: str
    mark: str
    olive: str
    violet: str


# The roles whose colours the classes of data have: class 0 that of negative numbers, class 1 that of positive ones.
CLASSES = ("negative", "positive", "local", "mark", "gradient", "muted", "olive", "violet")


# Contrasts of text are 4.5 or more, of lines 3 or more; the roles stay apart for colour-blind eyes and in grey.
THEMES = {
    "light": Theme(
        "#ffffff", "#16202e", "#566072", "#5c6675", "#0a3d80", "#00706a", "#eef8f6", "#b23a0a", "#fffdfb",
        ("#e6f0fc", "#0a4ea3"), ("#eceef1", "#8b94a1"), ("#fffefe", "#2c3848"), ("#fff1ea", "#b13909"),
        "#0b4f9f", "#a36600", "#a0149a", "#4f7a00", "#6a4fc9",
    ),
    "dark": Theme(
        "#14181f", "#eef1f5", "#a7b0bd", "#97a1b0", "#a9d2ff", "#5fd6b8", "#12302c", "#ff9a62", "#1c0d04",
        ("#10294a", "#6fb1fe"), ("#262c35", "#7b8696"), ("#1b212a", "#c3cad4"), ("#3a1c0e", "#ff9963"),
        "#6fb1ff", "#e6ab3c", "#f78bf2", "#b5d96a", "#b9a7ff",
    ),
    "grey": Theme(
        "#ffffff", "#111111", "#555555", "#565656", "#111112", "#333333", "#fdfdfd", "#3a3a3a", "#fefefe",
        ("#f1f1f1", "#111113"), ("#e2e2e2", "#777777"), ("#fffffe", "#222222"), ("#fffefd", "#111114"),
        "#222223", "#767676", "#000000", "#8a8a8a", "#444444",
    ),
}  # fmt: skip
# For a page of any colour, as in a notebook: no background, opaque boxes, and lines visible on white and on black.
THEMES["any"] = THEMES["light"]._replace(
    page="transparent", muted="#6f7988", line="#6f7988", parameter=("#e6f0fc", "#2f74cf"), data=("#eceef1", "#7d8694"),
    result=("#fffefe", "#6f7988"), output=("#fff1ea", "#cc4a12"),
    positive="#2f74cf", negative="#b57200", mark="#c22fbb",
)  # fmt: skip
