"""The history of a training: numbers for each epoch, as a short table and a small plot.

This module has `History` and its table and plot. It must not know how nets are trained.
"""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any, Literal, overload

from ..printing import counted, format_number

ROWS = 7  # rows of the table
WIDTH, HEIGHT, MARGIN = 320.0, 150.0, 8.0  # size of the plot in pixels
ENDS = {"epochs": "complete", "stop": "ended by stop", "interrupted": "ended by Ctrl-C"}


class History(dict[str, Any]):
    """The result of `fit`, a dict of plain data: numbers for each epoch, and the reason for the end.

    - `history["cost"]`: the mean loss over the epoch's examples. The loss of an example is taken before its step.
    - `history["lr"]`: the learning rate of the epoch's last step.
    - `history["stopped"]`: "epochs", "stop" or "interrupted".

    It prints as a short table. Jupyter also shows the cost as a curve.

    >>> History(cost=[0.7, 0.5, 0.41], lr=[0.1, 0.1, 0.1], stopped="epochs")
    History of 3 epochs, complete
      epoch  cost   lr
          1   0.7  0.1
          2   0.5  0.1
          3  0.41  0.1
    """

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: Literal["cost", "lr"], /) -> list[float]: ...
        @overload
        def __getitem__(self, key: Literal["stopped"], /) -> str: ...
        @overload
        def __getitem__(self, key: str, /) -> Any: ...
        def __getitem__(self, key: str, /) -> Any: ...

    def __repr__(self) -> str:
        table = self._table()
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  " + "  ".join(map(str.rjust, row, widths)) for row in table]
        return "\n".join([self._title(), *(lines if len(table) > 1 else [])])

    def _repr_html_(self) -> str:
        """Show the table in Jupyter, and the cost as a curve."""
        head, *rows = [[html.escape(cell) for cell in row] for row in self._table()]
        names = "".join(f'<th scope="col" style="text-align:right">{name}</th>' for name in head)
        body = "".join(
            "<tr>" + "".join(f'<td style="text-align:right">{cell}</td>' for cell in row) + "</tr>" for row in rows
        )
        table = f"<table><caption>{html.escape(self._title())}</caption><tr>{names}</tr>{body}</table>"
        return f'<div style="display:flex;flex-wrap:wrap;gap:24px;align-items:center">{table}{self._plot()}</div>'

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Write the table, because IPython would list the dict."""
        printer.text(repr(self))

    def _title(self) -> str:
        end = self.get("stopped", "")
        return f"History of {counted(len(self._numbers('cost')), 'epoch')}, {ENDS.get(end, end)}"

    def _numbers(self, key: str) -> list[float]:
        numbers: list[float] = self.get(key, [])
        return numbers

    def _table(self) -> list[list[str]]:
        """Return the names of the columns, and the rows of some epochs, including the first and the last."""
        columns = [(key, self._numbers(key)) for key in ("cost", "lr")]
        n = len(columns[0][1])
        chosen = range(n) if n <= ROWS else [round(k * (n - 1) / (ROWS - 1)) for k in range(ROWS)]
        rows = [
            [str(k + 1), *(format_number(numbers[k], 4) if k < len(numbers) else "" for _, numbers in columns)]
            for k in chosen
        ]
        return [["epoch", *(name for name, _ in columns)], *rows]

    def _plot(self) -> str:
        """Return the curve of the cost as SVG, in the page's own colour of text."""
        costs = self._numbers("cost")
        finite = [cost for cost in costs if math.isfinite(cost)]
        if len(finite) < 2:
            return ""
        low, high = min(0.0, *finite), max(finite)
        width, height = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN - 24
        points = " ".join(
            f"{MARGIN + width * k / (len(costs) - 1):.1f},{MARGIN + height * (high - cost) / (high - low or 1.0):.1f}"
            for k, cost in enumerate(costs)
            if math.isfinite(cost)
        )
        bottom, right = MARGIN + height, WIDTH - MARGIN
        first, last = format_number(finite[0], 4), format_number(finite[-1], 4)
        told = f"The cost against the epoch: from {first} to {last} in {counted(len(costs), 'epoch')}"
        return (
            f'<svg width="{WIDTH:g}" height="{HEIGHT:g}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" '
            f'xmlns="http://www.w3.org/2000/svg" aria-label="{told}" font-family="sans-serif" font-size="11" '
            f'fill="currentColor"><title>{told}</title>'
            f'<path d="M{MARGIN:g} {MARGIN:g}V{bottom:g}H{right:g}" fill="none" stroke="currentColor" opacity="0.4"/>'
            f'<polyline points="{points}" fill="none" stroke="#0072b2" stroke-width="2"/>'
            f'<text x="{MARGIN + 4:g}" y="{MARGIN + 8:g}" opacity="0.8">cost, up to {format_number(high, 4)}</text>'
            f'<text x="{MARGIN:g}" y="{bottom + 16:g}">1</text>'
            f'<text x="{right:g}" y="{bottom + 16:g}" text-anchor="end">epoch {len(costs)}</text></svg>'
        )
