"""A page: one HTML file without other files, made from a template and its parts."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from ..files import write_whole
from ..pictures.theme import THEMES


class Explorer:
    """A page that explores a graph: `save` it, or let Jupyter show it. It keeps the numbers of its creation."""

    def __init__(self, name: str, html: str, height: int, kind: str = "Explorer") -> None:
        self.name = name
        self.html = html
        self.height = height  # in pixels, in a notebook
        self._kind = kind

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file, which needs no other file. If writing fails, an old file stays as it was.

        Raises:
            ValueError: the suffix of the name is not .html.
            OSError: the file cannot be written.
        """
        written = Path(path)
        if written.suffix.lower() not in (".html", ".htm", ""):
            raise ValueError(
                f"explore: {written.name} must end in .html, because it is a page; draw(J).render("
                f"{written.name!r}) writes a picture"
            )
        write_whole(written, self.html.encode())
        return written

    def _repr_html_(self) -> str:
        # A frame keeps the page's styles, keys and names apart from the notebook's. It is lower than the window, which
        # shows the picture together with the question below it.
        style = f"width: 100%; height: {self.height}px; max-height: 86vh; border: 0"
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts allow-forms allow-modals" '
            f'loading="lazy" allow="fullscreen" title="{html.escape(f"{self._kind} of {self.name}")}" '
            f'style="{style}"></iframe><script>{part("follow.js")}</script>'
        )

    def __repr__(self) -> str:
        return f"<{self._kind} of {self.name}: save('{self.name if self.name.isidentifier() else 'graph'}.html')>"


def require_precision(name: str, precision: object) -> None:
    """Raise an error if a page cannot show numbers with this many digits."""
    if type(precision) is not int or precision not in range(1, 18):
        raise ValueError(f"{name}: precision must be a whole number from 1 to 17, not {precision!r}")


@cache
def part(name: str) -> str:
    """Return the text of a file in the folder of this module."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def filled(template: str, parts: Mapping[str, str]) -> str:
    """Return a template with parts in its holes. Fill all in one pass, so that a label like a hole is not filled.

    >>> filled("<p><!--a--></p>/*b*/", {"a": "/*b*/", "b": "1"})
    '<p>/*b*/</p>1'
    """
    return re.sub(r"<!--(\w+)-->|/\*(\w+)\*/", lambda hole: parts[hole[1] or hole[2]], template)


def page(template: str, title: str, style: str, scripts: Iterable[str], parts: Mapping[str, str]) -> str:
    """Return a page: the template of this name with its head, its scripts and its other parts."""
    written = html.escape(title)
    head = filled(part("head.html"), {"title": written, "colours": colours(), "style": style})
    files = {name: part(f"{name}.js") for name in scripts}
    return filled(part(f"{template}.html"), {"head": head, "title": written, **files, **parts})


def colours() -> str:
    """Return the colours of both themes as CSS. The reader chooses, or else the notebook, or else the system.

    Paper is light.
    """

    def variables(name: str) -> str:
        theme = THEMES[name]
        properties = {"color-scheme": name}
        for field, colour in theme._asdict().items():
            key = f"--{field.replace('_', '-')}"
            if isinstance(colour, str):
                properties[key] = colour
            else:
                properties[key], properties[f"{key}-line"] = colour
        return " ".join(f"{key}: {value};" for key, value in properties.items())

    light, dark = variables("light"), variables("dark")
    return (
        f":root {{ {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ {dark} }} }}\n"
        f"@media screen {{ :root[data-theme=dark] {{ {dark} }} }}"
    )
