r"""The chain rule written out: derivations as data, and then as text or LaTeX.

This module owns the explanation of a derivative: `explain` writes
$\frac{dJ}{dx} = \sum_u \frac{dJ}{du} \frac{du}{dx}$ with symbols and then with numbers. It reads a
graph and never touches `.grad`. It must not know output formats beyond text, Markdown and LaTeX.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from textwrap import indent
from typing import Any, Generic, TypeVar

from .edges import Edge, derivatives_of, leading_to, reached_edges
from .given import instead_of_a_value
from .node import primal
from .printing import Tex, Text, Written, json_number, names_of
from .spelling import Mapped, shortened
from .stale import require_fresh
from .value import Number, Value
from .walks import reached_by, topological_order

W = TypeVar("W", bound=Written)

LINE_WIDTH = 110  # characters of a line of a derivation
FORMULA_WIDTH = 60  # of a line that a notebook or a page shows typeset
MAX_LEAVES = 100  # leaves that get a derivation below the table of a whole graph
MAX_TERMS = 12  # factors of a product, or terms of a sum, that are written before an ellipsis


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    r"""The local derivative of a node with respect to a parent. For `x*x` and x, it is the sum of two edges.

    `partial` means that other paths may lead from the parent to the node, so that this is only a part of the
    derivative. Then it is written with ∂.
    """

    edges: tuple[Edge, ...]
    partial: bool

    @property
    def user(self) -> Value:
        """Return the node."""
        return self.edges[0].user

    @property
    def parent(self) -> Value:
        """Return the parent."""
        return self.edges[0].parent

    @property
    def value(self) -> float:
        """Return the local derivative."""
        return sum(edge.weight for edge in self.edges)


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A product: the derivative with respect to `via` times the factors below it. None as `via` is the output."""

    via: Value | None
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """The derivative of the output with respect to one node, as a sum of products."""

    node: Value
    value: float
    terms: tuple[Term, ...]


@dataclass(eq=False, repr=False)
class Explanation:
    """A derivation: `lines` (and, for a whole graph, `steps`) as data; text, Markdown or LaTeX.

    `print` it, let Jupyter show it, or ask `text`, `latex`, `markdown` and `as_dict`.
    """

    output: Value
    names: dict[Value, str]
    steps: tuple[Value, ...]
    lines: tuple[Line, ...]
    derivatives: dict[Value, float]

    def text(self, precision: int = 4, max_lines: int | None = 200, width: int | None = LINE_WIDTH) -> str:
        """Write the derivation as plain text. A section of more than `max_lines` lines is shortened in the middle.

        A line of more than `width` characters is broken before `=`.
        """
        forward, backward = self._written(Text, precision, max_lines)
        if not self.steps:
            return "\n".join(_in_text(stages, width) for stages in backward)
        sections = [
            ("Forward, left to right: each node from its parents", forward),
            (
                f"Backward, right to left: the derivative of {self.names[self.output]} with respect to each node",
                backward,
            ),
        ]
        return "\n\n".join(
            "\n".join([title, *(indent(_in_text(stages, width), "  ") for stages in rows)]) for title, rows in sections
        )

    def latex(self, precision: int = 4, max_lines: int | None = 200, width: int | None = LINE_WIDTH) -> str:
        r"""Write the derivation as the inside of a LaTeX `aligned` block."""
        forward, backward = self._written(Tex, precision, max_lines)
        rows = [*forward, *backward]
        body = " \\\\\n".join(str(row[0]) + " &" + " \\\\\n&".join(_broken(row[1:], width)) for row in rows)
        return "\\begin{aligned}\n" + body + "\n\\end{aligned}"

    def markdown(self, precision: int = 4, max_lines: int | None = 200, width: int | None = LINE_WIDTH) -> str:
        """Write the derivation as Markdown with $...$ formulas, one list item a line."""
        forward, backward = self._written(Tex, precision, max_lines)
        sections = ["\n".join(_in_markdown(row, width) for row in rows) for rows in (forward, backward)]
        return f"**Forward**\n\n{sections[0]}\n\n**Backward**\n\n{sections[1]}" if self.steps else sections[1]

    def as_dict(self) -> dict[str, Any]:
        """Return the derivation as plain data, ready for `json.dumps`; numbers are exact.

        The numbers inf and nan, which JSON does not have, are strings.
        """
        return {
            "output": self.names[self.output],
            "value": json_number(primal(self.output)),
            "forward": [
                {
                    "name": self.names[node],
                    "op": node.op.name if node.op else None,
                    "operands": [self.names[x] if isinstance(x, Value) else json_number(x) for x in node.operands],
                    "value": json_number(primal(node)),
                }
                for node in self.steps
            ],
            "backward": [
                {
                    "name": self.names[line.node],
                    "derivative": json_number(line.value),
                    "terms": [
                        {
                            "via": None if term.via is None else self.names[term.via],
                            "factors": [
                                {
                                    "of": self.names[factor.user],
                                    "in": self.names[factor.parent],
                                    "value": json_number(factor.value),
                                }
                                for factor in term.factors
                            ],
                        }
                        for term in line.terms
                    ],
                }
                for line in self.lines
            ],
        }

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex(width=FORMULA_WIDTH)}$"

    def _written(self, kind: type[W], precision: int, most: int | None) -> tuple[list[list[W]], list[list[W]]]:
        """Write the lines of the forward and of the backward pass."""
        writer = Writer(kind, self.output, self.names, self.derivatives, precision)
        forward = [writer.step(node) for node in shortened(self.steps, most)]
        return forward, [writer.line(line) for line in shortened(self.lines, most)]


@dataclass(eq=False)
class Writer(Generic[W]):
    """Write the lines of a derivation in one notation.

    A subclass may write something else in place of the numbers, such as holes of a template.
    """

    kind: type[W]
    output: Value
    names: dict[Value, str]
    derivatives: dict[Value, float]
    precision: int

    def value(self, node: Value) -> W:
        """Write the number of a node."""
        return self.kind.number(primal(node), self.precision)

    def derivative(self, node: Value) -> W:
        """Write the number of the derivative of the output with respect to a node."""
        return self.kind.number(self.derivatives.get(node, 0.0), self.precision)

    def weight(self, edge: Edge) -> W:
        """Write the number of a local derivative."""
        return self.kind.number(edge.weight, self.precision)

    def symbol(self, edge: Edge) -> W:
        """Write a local derivative by its rule with names. Write its number if it has no such rule."""
        return edge.symbol(self.names, self.kind, self.precision) or self.weight(edge)

    def substituted(self, edge: Edge) -> W:
        """Write a local derivative by its rule with numbers. Write its number if it has no such rule."""
        return edge.substituted(self.kind, self.precision) or self.weight(edge)

    def step(self, node: Value | None) -> list[W]:
        """Write one line of the forward pass: name = operation with names = operation with numbers = value."""
        kind = self.kind
        if node is None:
            return [kind(kind.dots), kind(kind.dots)]
        stages: list[W] = [kind.name(self.names[node])]
        if node.op is not None:

            def symbol(x: Number) -> W:
                return kind.name(self.names[x]) if isinstance(x, Value) else kind.of(x, self.precision)

            def number(x: Number) -> W:
                return self.value(x) if isinstance(x, Value) else symbol(x)

            stages += [kind.write(node.op, Mapped(write, node.operands)) for write in (symbol, number)]
        stages.append(self.value(node))
        return _distinct(stages)

    def line(self, line: Line | None) -> list[W]:
        """Write one line of the backward pass: derivative = chain rule = rules with names = with numbers = result."""
        kind = self.kind
        dots = kind(kind.dots)
        if line is None:
            return [dots, dots]

        def name(z: Value, x: Value, partial: bool = False) -> W:
            return kind.derivative(self.names[z], self.names[x], partial)

        chain: list[W] = []
        for term in shortened(line.terms, MAX_TERMS):
            factors = [name(self.output, term.via)] if term and term.via is not None else []
            factors += [
                name(factor.user, factor.parent, factor.partial) if factor else dots
                for factor in (shortened(term.factors, MAX_TERMS) if term else ())
            ]
            chain.append(kind.product(factors) if term else dots)
        stages: list[W] = [name(self.output, line.node)]
        if chain:
            stages.append(kind.sum(chain))
            terms = line.terms if math.isfinite(line.value) else tuple(_by_edges(line.terms))
            stages.append(self._sum(terms, self.symbol))
            alive = tuple([x for x in terms if not self.is_void(x)])
            stages += [self._sum(alive, write) for write in (self.substituted, self.weight) if alive]
        stages.append(self.derivative(line.node))
        return _distinct(stages)

    def is_void(self, term: Term) -> bool:
        r"""Return whether a term has an infinite factor, and no derivative goes along: a side is not chosen."""
        if all(math.isfinite(edge.weight) for factor in term.factors for edge in factor.edges):
            return False
        ends = term.via is not None and term.via not in reached_by(self.output, alive=True)
        return ends or not all(any(edge.alive for edge in factor.edges) for factor in term.factors)

    def _sum(self, terms: tuple[Term, ...], write: Callable[[Edge], W]) -> W:
        """Write a sum of products of numbers."""
        return self.kind.sum([self._term(x, write) for x in shortened(terms, MAX_TERMS)])

    def _term(self, term: Term | None, write: Callable[[Edge], W]) -> W:
        """Write a product of numbers, its local derivatives by `write`."""
        kind = self.kind
        if term is None:
            return kind(kind.dots)
        factors = [
            kind.sum([write(edge) for edge in factor.edges]) if factor else kind(kind.dots)
            for factor in shortened(term.factors, MAX_TERMS)
        ]
        return kind.product(factors if term.via is None else [self.derivative(term.via), *factors])


def _by_edges(terms: Iterable[Term]) -> Iterator[Term]:
    r"""Yield terms of one edge each: $\infty (1 + 0)$ is not $\infty \cdot 1 + \infty \cdot 0$."""
    for term in terms:
        for run in islice(product(*(factor.edges for factor in term.factors)), 2 * MAX_TERMS):
            yield Term(term.via, tuple(Factor((edge,), f.partial) for edge, f in zip(run, term.factors, strict=True)))


def _in_text(stages: Sequence[Written], width: int | None) -> str:
    first, *more = _broken(stages[1:], width)
    return "\n".join([f"{stages[0]} {first}", *(" " * (len(str(stages[0])) + 1) + line for line in more)])


def _in_markdown(stages: Sequence[Written], width: int | None) -> str:
    first, *more = _broken(stages[1:], width)
    return "  \n".join([f"- ${stages[0]} {first}$", *(f"  ${line}$" for line in more)])


def _broken(stages: Sequence[Written], width: int | None) -> list[str]:
    """Return equal stages in lines that begin with = and are not wider than `width`."""
    lines: list[str] = []
    taken = 0
    for stage in stages:
        piece = f"= {stage}"
        size = len(re.sub(r"\\[a-zA-Z]+|[{}\\^_ ]", "", piece)) if isinstance(stage, Tex) else len(piece)
        if not lines or (width is not None and taken + size + 1 > width):
            lines.append(piece)
            taken = size
        else:
            lines[-1] += f" {piece}"
            taken += size + 1
    return lines


def _distinct(stages: list[W]) -> list[W]:
    """Drop each stage that is equal to the one before it."""
    return [x for i, x in enumerate(stages) if i == 0 or x.string != stages[i - 1].string]


def find(output: Value, node: Value | str) -> Value:
    """Return a node of the graph by its label, or by its name in derivations, such as t1.

    Return a Value as it is. If it is not in the graph, it must have a label.

    Raises:
        TypeError: `output` is not a Value.
        ValueError: no node has the label, or several do, or a node of another graph has no label.
    """
    if not isinstance(output, Value):
        raise TypeError(
            f"the output must be a Value, not {output!r} of type {type(output).__name__}{instead_of_a_value(output)}"
        )
    if isinstance(node, Value) and node.label:
        return node
    order = topological_order(output)
    if isinstance(node, Value):
        if any(x is node for x in order):
            return node
        raise ValueError(f"{node!r} is not in this graph, so its derivative is 0; give it a label to name it here")
    called = [x for x in order if x.label == node != ""]
    called = called or [x for x, name in names_of(order, output).items() if name == node]
    if len(called) == 1:
        return called[0]
    known = ", ".join(dict.fromkeys(x.label for x in order if x.label)) or "none"
    if called:
        raise ValueError(f"{len(called)} nodes have the label {node!r}: pass the node and not its label")
    raise ValueError(f"no node has the label {node!r}; the graph's labels are: {known[:500]}")


def explain(output: Value, node: Value | str | None = None) -> Explanation:
    r"""Derive $dJ/dx$ by the chain rule or, without x, the derivatives with respect to all nodes.

    If a parent has several users, ∂z/∂a is the local derivative along one edge, and dz/da is the whole derivative.

    If several paths share a node, the derivation has one line for this node, and other lines use its result. So the
    derivation has at most twice as many factors as the graph has edges.

    Args:
        output: J.
        node: x, or its label; without it, the table of the forward and the backward pass.

    Raises:
        ValueError: no node, or more than one, has that label.
        StaleGraphError: a number was assigned after the graph was computed; `forward()` computes it again.

    >>> a, b, c = Value(5, "a"), Value(3, "b"), Value(2, "c")
    >>> u = b * c; u.label = "u"
    >>> v = a + u; v.label = "v"
    >>> J = 3 * v; J.label = "J"
    >>> explain(J, b)
    dJ/db = dJ/dv · dv/du · du/db = 3 · 1 · c = 3 · 1 · 2 = 6
    >>> explain(J)
    Forward, left to right: each node from its parents
      a = 5
      b = 3
      c = 2
      u = b · c = 3 · 2 = 6
      v = a + u = 5 + 6 = 11
      J = 3 · v = 3 · 11 = 33
    <BLANKLINE>
    Backward, right to left: the derivative of J with respect to each node
      dJ/dJ = 1
      dJ/dv = 3
      dJ/du = dJ/dv · dv/du = 3 · 1 = 3
      dJ/dc = dJ/du · du/dc = 3 · b = 3 · 3 = 9
      dJ/db = dJ/du · du/db = 3 · c = 3 · 2 = 6
      dJ/da = dJ/dv · dv/da = 3 · 1 = 3
    """
    target = find(output, output if node is None else node)
    order = topological_order(output)
    require_fresh(output, order)
    derivatives = derivatives_of(output, order)
    names = names_of(order, output)
    if node is None:
        incoming = _factors(reached_edges(output, order))
        lines = tuple(
            Line(
                x,
                derivatives[x],
                tuple(Term(None if f.user is output else f.user, (f,)) for f in incoming.get(x, ())),
            )
            for x in reversed(order)
        )
        return Explanation(output, names, tuple(order), lines, derivatives)
    if target not in derivatives:
        names = names_of([*order, target], output)
        return Explanation(output, names, (), (Line(target, 0.0, ()),), derivatives)
    return Explanation(output, names, (), _derivation(output, target, order, derivatives), derivatives)


def _factors(edges: Iterable[Edge]) -> dict[Value, list[Factor]]:
    """Return the local derivatives with respect to each parent, one for each user, in the order of the edges."""
    grouped: dict[Value, dict[Value, list[Edge]]] = {}
    for edge in edges:
        grouped.setdefault(edge.parent, {}).setdefault(edge.user, []).append(edge)
    return {
        parent: [Factor(tuple(same), len(by_user) > 1) for same in by_user.values()]
        for parent, by_user in grouped.items()
    }


def _derivation(output: Value, node: Value, order: list[Value], derivatives: dict[Value, float]) -> tuple[Line, ...]:
    reached = reached_by(output)
    onward = leading_to([node], (x for x in order if x in reached))
    incoming = _factors(edge for leading in onward.values() for edge in leading)
    # A node gets a line if several paths meet at it, or if paths fork at it below a run of edges, which each branch
    # would repeat. A term runs through all other nodes.
    landmarks = []
    named = {output}
    for x in reversed(order):
        if x not in onward or x is output or x is node:
            continue
        forks = len({edge.parent for edge in onward[x]}) > 1
        if len(incoming[x]) > 1 or (forks and incoming[x][0].user not in named):
            landmarks.append(x)
            named.add(x)
    lines = []
    for x in (*landmarks, node):
        terms = []
        for factor in incoming.get(x, ()):
            run = [factor]
            while run[-1].user not in named:
                run.append(incoming[run[-1].user][0])
            via = run[-1].user
            terms.append(Term(None if via is output else via, tuple(reversed(run))))
        lines.append(Line(x, derivatives[x], tuple(terms)))
    return tuple(lines)


def report(output: Value, nodes: list[Value] | None, format: str, precision: int) -> str:
    """Write the table of the whole graph and a derivation for each leaf, or only the derivations for `nodes`.

    If there are more than 100 leaves, only JSON has them all.
    """
    table, each = explain(output) if nodes is None else None, "each leaf"
    if nodes is None:
        leaves = [node for node in topological_order(output) if node.op is None and node is not output]
        shown = shortened(leaves, None if format == "json" else MAX_LEAVES)
        nodes = [node for node in shown if node is not None]
        if len(nodes) < len(leaves):
            each = f"the first and the last {MAX_LEAVES // 2} of {len(leaves):,} leaves"
    derivations = [explain(output, node) for node in nodes]
    if format == "json":
        import json  # here, since it would lengthen the import of the package

        written: dict[str, Any] = table.as_dict() if table else {}
        written["derivations"] = [derivation.as_dict() for derivation in derivations]
        return json.dumps(written, indent=2, ensure_ascii=False)
    write = {"text": Explanation.text, "latex": Explanation.latex, "markdown": Explanation.markdown}[format]
    parts = [write(table, precision)] if table is not None else []
    if derivations:
        derived = write(_once(derivations), precision, max_lines=None)
        if table is not None and format != "latex":
            title = f"Derivations, from the output to {each}; a shared result has a separate line"
            derived = f"**Derivations**\n\n{derived}" if format == "markdown" else f"{title}\n{indent(derived, '  ')}"
        parts.append(derived)
    return "\n\n".join(parts)


def _once(derivations: Sequence[Explanation]) -> Explanation:
    """Join derivations of one output. Each derivative is derived once."""
    lines: dict[Value, Line] = {}
    for line in (line for derivation in derivations for line in derivation.lines):
        lines.setdefault(line.node, line)
    first = derivations[0]
    return Explanation(first.output, first.names, (), tuple(lines.values()), first.derivatives)
