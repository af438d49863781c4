"""The facts of a graph for a page: nodes, edges, derivations and wrong passes, as plain data.

Places in lists name nodes and edges. Numbers that change with the leaves are holes in templates.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

from ..derivation import Explanation, explain
from ..edges import Edge, edges_of
from ..node import primal
from ..ops import Interval, Level
from ..pictures.typeset import Typeset
from ..printing import json_number
from ..value import Value
from ..wrong_passes import MISTAKES, sentence_of
from .rows import Rows, Unwritten
from .templates import Holes, HoleWriter, Place, Template, markup

MAX_LINES = 200  # lines in a derivation


def as_json(facts: object) -> str:
    r"""Write data as JSON for a script element. Escape characters that would end the element or begin a comment.

    >>> as_json("</script><!--<b>")
    '"\\u003c/script>\\u003c!--<b>"'
    """
    text = json.dumps(facts, separators=(",", ":"), ensure_ascii=False)
    text = re.sub("<(?=[!/]|script)", r"\\u003c", text, flags=re.IGNORECASE)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def facts_of(output: Value, order: list[Value], precision: int, rows: Rows) -> dict[str, Any]:
    """Return the facts of a graph, and add the functions that it needs to `rows`."""
    whole = explain(output)
    edges = [edge for node in order for edge in edges_of(node)]
    writer = _Facts(whole, order, edges, precision)
    frozen = ""
    nodes = []
    for node in order:
        fact = writer.node(node)
        if node.op is not None:
            try:
                fact["row"] = rows.place(node)
            except Unwritten as error:
                frozen = frozen or str(error)
        nodes.append(fact)
    return {
        "precision": precision,
        "frozen": frozen,
        "nodes": nodes,
        "edges": [writer.edge(edge) for edge in edges],
        "lines": writer.lines,
        "terms": terms(),
        "mistakes": [writer.mistake(name) for name in MISTAKES],
    }


class _Facts(HoleWriter):
    """Write nodes and edges as plain data."""

    def __init__(self, whole: Explanation, order: list[Value], edges: list[Edge], precision: int) -> None:
        places: dict[Place, int] = {node: i for i, node in enumerate(order)}
        places |= {(edge.user, edge.operand): i for i, edge in enumerate(edges)}
        super().__init__(Holes, whole.output, whole.names, whole.derivatives, precision, places)
        users = Counter(edge.parent for edge in edges)
        self.shared = {parent for parent, n in users.items() if n > 1}
        self.lines: list[list[Template]] = []  # the lines of derivations, each once
        self._known: dict[str, int] = {}

    def node(self, node: Value) -> dict[str, Any]:
        """Return the facts of a node."""
        name = Typeset.name(self.names[node])
        fact: dict[str, Any] = {
            "name": markup(name.string),
            "bare": markup(name.bracketed(Level.POWER)),
            "plain": self.names[node],
            "leaf": node.op is None,
            "value": json_number(primal(node)),
            "edges": [self.places[node, i] for i, x in enumerate(node.operands) if isinstance(x, Value)],
            "forward": [stage.template for stage in self.step(node)],
            "derivation": self._derivation(node),
        }
        if conditions := self._conditions(node):
            fact["needs"] = conditions
        return fact

    def _derivation(self, node: Value) -> list[int | None]:
        """Return the places of the lines of a derivation. None stands for lines that are left out."""
        places: list[int | None] = []
        lines = explain(self.output, node).lines
        for k, line in enumerate(lines):
            if len(lines) > MAX_LINES and MAX_LINES // 2 <= k < len(lines) - MAX_LINES // 2:
                if places[-1] is not None:
                    places.append(None)
                continue
            stages = _once([stage.template for stage in self.line(line)])
            key = json.dumps(stages)
            if key not in self._known:
                self._known[key] = len(self.lines)
                self.lines.append(stages)
            places.append(self._known[key])
        return places

    def _conditions(self, node: Value) -> list[dict[str, Any]]:
        """Return the conditions on the operands of a node, such as x > 0, with the ends that they leave out."""
        if node.op is None:
            return []
        domain = node.op.domain
        named = [(x, domain[i]) for i, x in enumerate(node.operands) if isinstance(x, Value)]
        written = [(x, d, _condition(markup(Typeset.name(self.names[x]).string), d)) for x, d in named]
        return [{"text": text, "of": self.places[x], "ends": _ends(d)} for x, d, text in written if text]

    def edge(self, edge: Edge) -> dict[str, Any]:
        """Return the facts of an edge."""

        def name(node: Value) -> Holes:
            written = Typeset.name(self.names[node])
            return Holes(written.string, written.level)

        symbol, numbers = (edge.rule(write, Holes, self.precision) for write in (name, self.value))
        return {
            "user": self.places[edge.user],
            "parent": self.places[edge.parent],
            "weight": json_number(edge.weight),
            "passes": edge.passes,
            "chooses": edge.user.op is not None and edge.operand in edge.user.op.chooses,
            "shared": edge.parent in self.shared,
            "symbol": symbol and [symbol.template, int(symbol.level)],
            "numbers": numbers and [numbers.template, int(numbers.level)],
            "formula": edge.is_formula,
        }

    def mistake(self, name: str) -> dict[str, Any]:
        """Return a wrong pass: for each step the edge, the edge with the weight (None for 1), and the sign."""
        wrong = MISTAKES[name](self.output)
        steps = [
            [
                self.places[step.edge.user, step.edge.operand],
                None if step.factor is None else self.places[step.factor.user, step.factor.operand],
                int(step.sign),
            ]
            for step in wrong.steps
        ]
        return {
            "name": name,
            "does": sentence_of(name),
            "steps": steps,
            "assigns": wrong.assigns,
            "again": wrong.again,
        }


def terms() -> dict[str, list[Template]]:
    """Return the terms of sums over edges, in stages. A page fills in the edge, its ends and the known numbers.

    `first` are the terms of an edge to the output, where the derivative is 1.
    """
    edge = [Holes.hole(what, "edge") for what in ("E", "r", "i", "w")]
    slopes = [Holes.hole("D", "user"), *[Holes.hole("s", "user")] * 3]
    tangents = [Holes.hole("T", "parent"), *[Holes.hole("t", "parent")] * 3]
    return {
        "first": [local.template for local in edge],
        "reverse": [Holes.product([slope, local]).template for slope, local in zip(slopes, edge, strict=True)],
        "forward": [Holes.product([local, tangent]).template for local, tangent in zip(edge, tangents, strict=True)],
    }


def _once(stages: list[Template]) -> list[Template]:
    """Leave out the stages that repeat a stage of rules, with numbers put in and with numbers: a page adds them.

    >>> _once([["a"], [["r", 1, 4]], [["i", 1, 4]], [["w", 1, 4]]])
    [['a'], [['r', 1, 4]]]
    """
    return [stage for stage in stages if not any(part[0] in ("i", "w") for part in stage if isinstance(part, list))]


def _condition(name: str, domain: Interval) -> str:
    """Write that a number is in a domain.

    >>> _condition("x", Interval(lo=0.0)), _condition("x", Interval(-1.0, 1.0, True, True)), _condition("x", Interval())
    ('x &gt; 0', '−1 ≤ x ≤ 1', '')
    """
    if not math.isnan(domain.hole):
        return f"{name} ≠ {domain.hole:g}"
    low, high = (Typeset.number(x, 4).string for x in (domain.lo, domain.hi))
    from_low, to_high = ("≤" if closed else "&lt;" for closed in (domain.closed_lo, domain.closed_hi))
    if math.isinf(domain.hi):
        return "" if math.isinf(domain.lo) else f"{name} {'≥' if domain.closed_lo else '&gt;'} {low}"
    return f"{name} {to_high} {high}" if math.isinf(domain.lo) else f"{low} {from_low} {name} {to_high} {high}"


def _ends(domain: Interval) -> list[float]:
    """Return the numbers just outside of a domain, where a function may have a pole.

    >>> _ends(Interval(lo=0.0)), _ends(Interval(-1.0, 1.0, True, True)), _ends(Interval(hole=2.0))
    ([0.0], [], [2.0])
    """
    ends = [(domain.lo, domain.closed_lo), (domain.hi, domain.closed_hi), (domain.hole, False)]
    return [x for x, closed in ends if math.isfinite(x) and not closed]
