"""A page that removes the nodes of a graph one by one, until its Jacobian is left.

Python gives the edges with their numbers, and the places of the boxes. `elimination.js` removes nodes, with the numbers
that `eliminate` has. `removal.js` has the sentences and the questions, `routes.js` draws edges around boxes, and
`eliminating.js` has the controls.
"""

from __future__ import annotations

from typing import Any

from ..accumulation import LinearGraph
from ..ops import Level
from ..pictures.typeset import Typeset, width
from ..printing import json_number
from ..value import Value
from .facts import as_json
from .page import Explorer, page, part, require_precision
from .places import in_ranks
from .templates import markup
from .words import OF_ELIMINATION

SCRIPTS = (
    "texts",
    "elimination",
    "routes",
    "answers",
    "removal",
    "tools",
    "svg",
    "zoom",
    "linear",
    "stage",
    "eliminating",
)
MAX_NODES, MAX_EDGES = 60, 200  # of which a picture can be read
MAX_FORMULA = 14  # letters
HEIGHT = 900  # pixels of the frame in a notebook


def elimination_page(
    graph: LinearGraph, names: dict[Value, str], order: str, chosen: list[int], precision: int, quiz: bool
) -> Explorer:
    """Make the page.

    Args:
        order: the order that the page starts with: "forward", "reverse", "markowitz", or "own" for the chosen nodes.
        chosen: the places of nodes, in an order of one's own.

    Raises:
        ValueError: the graph has more than 60 nodes or 200 edges, or no edges; or `precision` is not from 1 to 17.
        ImportError: there is no `dot` program and no pygraphviz.
    """
    _require_readable(graph, precision)
    order_of_nodes = [*graph.inputs, *graph.edges]
    place = {v: i for i, v in enumerate(order_of_nodes)}
    outputs = list(dict.fromkeys(place[z] for z in graph.outputs if z is not None))
    nodes = [_node(graph.nodes[v], names, v < len(graph.inputs)) for v in order_of_nodes]
    edges = [(place[v], place[p], json_number(x)) for v, parents in graph.edges.items() for p, x in parents.items()]
    sizes = [node.pop("size") for node in nodes]
    last = [z for z in outputs if z >= len(graph.inputs) and all(p != z for _, p, _ in edges)]
    facts = {
        "precision": precision,
        "nodes": nodes,
        "inputs": len(graph.inputs),
        "outputs": outputs,
        "edges": edges,
        "places": {
            name: in_ranks(sizes, [(p, v) for v, p, _ in edges], list(graph.inputs), last, rankdir)
            for name, rankdir in (("wide", "LR"), ("tall", "TB"))
        },
        "order": order,
        "chosen": [place[v] for v in chosen],
        "start": "quiz" if quiz else "watch",
        "words": OF_ELIMINATION,
    }
    titles = [names[graph.nodes[order_of_nodes[z]]] for z in outputs]
    parts = {
        "heading": _heading([nodes[z]["name"] for z in outputs], [nodes[x]["name"] for x in graph.inputs]),
        "facts": as_json(facts),
    }
    title, style = f"Elimination of {', '.join(titles)}", part("page.css") + part("elimination.css")
    return Explorer(titles[0], page("elimination", title, style, SCRIPTS, parts), HEIGHT, "Elimination")


def _require_readable(graph: LinearGraph, precision: object) -> None:
    require_precision("explore", precision)
    if all(z is None for z in graph.outputs):
        raise ValueError("explore: no output depends on an input, so there are no edges to show")
    nodes = len(graph.inputs) + len(graph.edges)
    for count, most, what in ((nodes, MAX_NODES, "nodes"), (graph.size, MAX_EDGES, "edges")):
        if count > most:
            raise ValueError(
                f"explore: the graph has {count:,} {what}, and at most {most} can be read; print the steps instead"
            )


def _node(node: Value, names: dict[Value, str], is_input: bool) -> dict[str, Any]:
    """Return the name of a node and, where it is short, its operation; and the size of its box."""
    name = Typeset.name(names[node])
    fact: dict[str, Any] = {"name": markup(name.string), "bare": markup(name.bracketed(Level.POWER))}
    letters = width(name.runs)
    if node.op is not None and not is_input:
        operands = [Typeset.name(names[x]) if isinstance(x, Value) else Typeset.constant(x, 4) for x in node.operands]
        written = Typeset.write(node.op, operands)
        if width(written.runs) <= MAX_FORMULA:
            fact["operation"] = markup(written.string)
            letters = max(letters, 0.8 * width(written.runs))
    fact["size"] = (round(max(62.0, 9.4 * letters + 24)), 58 if "operation" in fact else 44)
    return fact


def _heading(outputs: list[str], inputs: list[str]) -> str:
    """Write the ends of the graph; of many the first ones."""

    def listed(names: list[str]) -> str:
        shown = ", ".join(names if len(names) <= 4 else [*names[:3], "…"])
        return f"d{shown}" if len(names) == 1 else f"d({shown})"

    return f"{listed(outputs)}/{listed(inputs)}"
