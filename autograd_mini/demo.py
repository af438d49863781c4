"""The demonstration: compute, print and draw the two examples of the text.

This module owns the numbers of the examples and the report. It must not know arguments or exit codes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from . import nn
from .derivation import report
from .files import write_whole
from .formulas import expression
from .nn.plots import MISSING
from .pages.explorer import explore
from .pages.page import Explorer
from .pictures.drawing import draw
from .value import Value

EXAMPLE = "u = b*c; v = a + u; J = 3*v"
HIDDEN, EPOCHS, STEPS = 4, 80, 20
RATE = 1.2  # the learning rate of the page; the net learns the flower in about 500 steps


def demo(folder: Path) -> list[str]:
    """Write pictures, pages and reports into a folder, print a summary, and return messages on the missing ones."""
    folder.mkdir(parents=True, exist_ok=True)
    files = _Folder(folder)
    _example(files)
    _net(files)
    pages = " and ".join(f"{path} {purpose}" for path, purpose in files.pages.items())
    print(f"\nOpen in a browser: {pages}.")
    return list(files.missing)


class _Folder:
    """The files that the demo writes, and the reasons if some are missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.missing: dict[str, None] = {}
        self.pages: dict[Path, str] = {}  # with their purposes

    def attempt(self, make: Callable[[], Any]) -> Any:
        """Call `make`. If a package is missing for it, remember the message."""
        try:
            return make()
        except ImportError as error:
            self.missing[str(error)] = None

    def write(self, name: str, content: bytes) -> None:
        write_whole(self.folder / name, content)
        print(f"wrote {self.folder / name}", file=sys.stderr)

    def picture(self, output: Value, name: str, **how: Any) -> None:
        drawing = draw(output, **how)
        for suffix in ("svg", "png", "dot"):
            self.write(f"{name}.{suffix}", drawing.image(suffix))

    def page(self, name: str, made: Explorer, purpose: str) -> None:
        self.write(f"{name}.html", made.html.encode())
        self.pages[self.folder / f"{name}.html"] = purpose


def _example(files: _Folder) -> None:
    """Derive and draw J = 3(a + bc)."""
    output = expression(EXAMPLE, a=5, b=3, c=2)
    output.backward()
    print("J = 3(a + bc) at a = 5, b = 3, c = 2, with u = bc, v = a + u, J = 3v\n")
    print(report(output, None, "text", 4))
    sys.stdout.flush()
    files.attempt(lambda: files.picture(output, "J"))
    files.attempt(lambda: files.page("J", explore(output), "to step through the example"))
    files.write("J.md", (report(output, None, "markdown", 4) + "\n").encode())


def _net(files: _Folder) -> None:
    """Train the two-layer net, and compare its gradients with the text's formulas."""
    X, y = nn.datasets.flower(400, rng=1)
    net = nn.two_layer_net(2, HIDDEN, rng=2)
    page = explore(net, X, y, optimizer=nn.SGD(net, lr=RATE))
    print(f"\nThe two-layer sigmoid net on the planar flower: {len(X)} points, {HIDDEN} hidden neurons\n")
    before, right = nn.cost(net, X, y).data, nn.accuracy(net, X, y)
    table = files.attempt(lambda: nn.recover_formulas(net, X, y))
    optimizer = nn.Adam(net, lr=0.05)
    history = nn.fit(net, X, y, optimizer=optimizer, epochs=EPOCHS, batch_size=50, rng=0)
    after = nn.cost(net, X, y, "binary_cross_entropy").data
    print("           cost J  accuracy")
    print(f"before     {before:.4f}    {right:6.1%}")
    print(f"{EPOCHS} epochs  {after:.4f}    {nn.accuracy(net, X, y):6.1%}\n")
    if table is not None:
        print(f"Gradients of the first cost: the engine's, and the text's formulas over m = {len(X)} examples\n")
        print(f"{table}\n")
    print(f"Equal neurons after {STEPS} steps from each start\n")
    for name in ("zeros", "normal"):
        small = nn.two_layer_net(2, HIDDEN, init=name, rng=3)
        nn.fit(small, X, y, optimizer=nn.SGD(small, lr=1.0), epochs=STEPS, progress=False)
        start = "randn * 0.01" if name == "normal" else name
        print(f"{start + ':':14}{nn.symmetries(small)}")
    sys.stdout.flush()

    unsure = min(enumerate(nn.predict(net, X)), key=lambda place: abs(place[1] - 0.5))[0]
    J = nn.cost(net, [X[unsure]], [y[unsure]])  # no neuron is saturated there
    J.backward()
    files.attempt(lambda: files.picture(J, "net", fold=True))
    files.attempt(lambda: files.write("cost.png", _plot(lambda ax: nn.plot_history(history, ax))))
    files.attempt(lambda: files.write("boundary.png", _plot(lambda ax: nn.plot_decision_boundary(net, X, y, ax))))
    files.page("net", page, "to train the net")


def _plot(draw_on: Callable[[Any], object]) -> bytes:
    """Draw one plot without a display, and return it as a png."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(MISSING) from error
    figure = Figure(figsize=(6, 4.5), dpi=150, layout="constrained")
    draw_on(figure.subplots())
    content = BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()
