"""Graphviz: from DOT text to the bytes of a picture.

This module owns the way to a renderer: the system's `dot`, or where there is none the one inside the pygraphviz wheel,
or a function of your own. It must not know what a picture shows.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

__all__ = ["DOTS_PER_INCH", "laid_out", "render", "render_with"]

DOTS_PER_INCH = 192  # of a png: twice the screen's, shown at half its size
MAX_WIDTH, MAX_PIXELS = 6000, 20e6  # pixels across a png, and in all of it; beyond them it has fewer dots per inch
PATIENCE = 60  # seconds that a `dot` program may take; up to 1,000 nodes layouts are planned to take one

_own: Callable[[str, str], bytes] | None = None


def render_with(function: Callable[[str, str], bytes] | None) -> None:
    """Make a function of DOT text and a format, such as "svg", the renderer of all pictures; None is Graphviz again.

    It returns the bytes of the file, and raises a ValueError for a format that it does not make: a notebook is then
    not offered that one.

    >>> render_with(lambda text, format: f"<svg>{len(text) > 0}</svg>".encode())
    >>> render("digraph {}", "svg")
    b'<svg>True</svg>'
    >>> render_with(None)
    """
    global _own
    if function is not None and not callable(function):
        raise TypeError(f"render_with: give a function of DOT text and a format, or None, not {function!r}")
    _own = function


def render(source: str, format: str) -> bytes:
    """Lay a graph out and return the bytes of the file."""
    if _own is not None:
        return _own(source, format)
    return _run(_with_resolution(source, format), format, "dot")


def laid_out(source: str, placed: bool = False) -> Callable[[str], bytes]:
    """Lay a graph out once, unless its boxes have places, and return what makes a file of each format of it."""

    @functools.cache
    def done() -> str:
        return source if placed else _run(source, "dot", "dot").decode()

    def drawn(format: str) -> bytes:
        if _own is not None:  # asked each time: `render_with` may have been called since
            return _own(source, format)
        return _run(_with_resolution(done(), format), format, "nop2")

    return drawn


def _with_resolution(source: str, format: str) -> str:
    if format != "png":
        return source
    dots = float(DOTS_PER_INCH)
    if bounds := re.search(r'\bbb="0,0,([\d.]+),([\d.]+)"', source):  # in points, where it is laid out
        width, height = (max(float(x), 1.0) / 72 for x in bounds.groups())
        dots = min(dots, MAX_WIDTH / max(width, height), (MAX_PIXELS / (width * height)) ** 0.5)
    return re.sub(r"graph \[", f"graph [dpi={dots:.1f} ", source, count=1)


def _run(source: str, format: str, engine: str) -> bytes:
    if program := shutil.which("dot"):
        command = [program, f"-K{engine}", f"-T{format}"]
        try:
            done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"`dot` did not end in {PATIENCE} s: draw fewer nodes, with max_nodes or fold") from None
        if done.returncode or not done.stdout:
            raise RuntimeError(f"`dot` failed: {done.stderr.decode(errors='replace').strip()[:500]}")
        return done.stdout
    try:
        import pygraphviz
    except ImportError as error:
        raise ImportError(
            "a picture needs the `dot` program of Graphviz, or pygraphviz, which brings its own: "
            'pip install ".[images]" (.dot, .mmd, .tex and .json files need neither)'
        ) from error
    with _silent_stderr():
        drawn: bytes = pygraphviz.AGraph(string=source).draw(None, format=format, prog=engine)
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
