"""Rendering by Graphviz: from DOT text to the bytes of a picture.

This module chooses the renderer: your own function, or the system's `dot`, or the one inside the pygraphviz wheel. It
must not know the content of a picture.
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

DOTS_PER_INCH = 192  # dots per inch of a png: twice those of the screen; it is shown at half its size
MAX_WIDTH, MAX_PIXELS = 6000, 20e6  # largest width and number of pixels of a png; a larger one gets fewer dots per inch
PATIENCE = 60  # seconds that a `dot` program may take; up to 1,000 nodes layouts are planned to take one

_own: Callable[[str, str], bytes] | None = None


def render_with(function: Callable[[str, str], bytes] | None) -> None:
    """Use your own renderer for all pictures, or Graphviz again if it is None.

    A renderer is a function of a DOT text and a format, such as "svg". It returns the bytes of the file. For a format
    that it does not make, it raises a ValueError, and notebooks do not get this format.

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
    """Lay a graph out once, unless its boxes have places, and return a function from a format to a file."""

    @functools.cache
    def done() -> str:
        return source if placed else _run(source, "dot", "dot").decode()

    def drawn(format: str) -> bytes:
        if _own is not None:  # looked up at each call, because `render_with` may change it
            return _own(source, format)
        return _run(_with_resolution(done(), format), format, "nop2")

    return drawn


def _with_resolution(source: str, format: str) -> str:
    if format != "png":
        return source
    dots = float(DOTS_PER_INCH)
    if bounds := re.search(r'\bbb="0,0,([\d.]+),([\d.]+)"', source):  # in points, if it is laid out
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
    """Keep fontconfig's warnings out of the notebook. C code writes them to file descriptor 2."""
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
