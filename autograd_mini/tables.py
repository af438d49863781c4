"""Tables: rows of cells as aligned text and as HTML.

The first row is the head. The module must not know the contents of a table.
"""

from __future__ import annotations

from collections.abc import Sequence


def as_text(rows: Sequence[Sequence[str]]) -> str:
    """Write a table as text, with two spaces between columns.

    >>> print(as_text([("leaf", "derivative"), ("long name", "4")]))
    leaf       derivative
    long name  4
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def as_html(rows: Sequence[Sequence[str]]) -> str:
    """Write a table as HTML.

    >>> as_html([("leaf",), ("a < b",)])
    '<table><tr><th>leaf</th></tr><tr><td>a &lt; b</td></tr></table>'
    """
    from html import escape  # here, since it would lengthen the import of the package

    def line(row: Sequence[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in row)}</tr>"

    head, *body = rows
    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in body)}</table>"
