"""A picture as JSON: nodes and edges with exact numbers, for other programs."""

from __future__ import annotations

import json

from ..printing import json_number
from .model import Picture
from .typeset import plain


def as_json(picture: Picture) -> str:
    """Write the nodes and edges of a picture as JSON. JSON has no inf and nan, so they are strings."""
    nodes = [
        {
            "id": box.id,
            "kind": box.kind,
            "name": box.name,
            "operation": box.operation or None,
            "formula": " ".join(plain(line.runs) for line in box.lines if line.role == "formula"),
            "value": _exact(box.value),
            "derivative": _exact(box.gradient),
            "frame": list(box.frame),
        }
        for box in picture.boxes
    ]
    edges = [
        {
            "source": arrow.source,
            "target": arrow.target,
            "role": arrow.role,
            "derivative": _exact(arrow.derivative),
            "weight": _exact(arrow.weight),
            "symbol": plain(arrow.slope.symbol) or None if arrow.slope else None,
        }
        for arrow in picture.arrows
    ]
    whole = {"title": picture.title, "note": picture.note or None, "nodes": nodes, "edges": edges}
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _exact(x: float | None) -> float | str | None:
    return None if x is None else json_number(x)
