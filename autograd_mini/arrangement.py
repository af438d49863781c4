"""Matrices of derivatives as nested arguments: for each output the structure of the inputs.

This module owns the shape of a Jacobian. It must not know where its numbers come from.
"""

from __future__ import annotations

from .structure import LEAF, Structure, Tree, array
from .value import Number


def arranged(out: Structure, into: Structure, rows: list[list[Number]]) -> Tree:
    """Arrange a matrix, rows for outputs and columns for inputs, as a structure of structures."""
    if out.kind == "array":
        return _columns(out, into, rows)
    if out.kind is None:
        return into.rebuild(rows[0])
    parts, start = [], 0
    for part in out.parts:
        parts.append(arranged(part, into, rows[start : start + part.size]))
        start += part.size
    return Structure(out.kind, out.keys, (LEAF,) * len(parts)).rebuild(parts)


def _columns(out: Structure, into: Structure, rows: list[list[Number]]) -> Tree:
    """Arrange the rows of an output array, for each leaf of the input's structure."""
    if into.kind is None or into.kind == "array":
        return array([x for row in rows for x in row], out.keys + (into.keys if into.kind else ()))
    parts, start = [], 0
    for part in into.parts:
        parts.append(_columns(out, part, [row[start : start + part.size] for row in rows]))
        start += part.size
    return Structure(into.kind, into.keys, (LEAF,) * len(parts)).rebuild(parts)
