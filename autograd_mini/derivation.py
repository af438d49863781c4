r"""The chain rule written out: derivations and paths, as data and then as text or LaTeX.

This room owns the explanation of a derivative: `explain` writes
$\frac{dJ}{dx} = \sum_u \frac{dJ}{du} \frac{du}{dx}$ with symbols and then with numbers, and `paths`
lists the products of edge weights whose sum it is. It reads a graph and never touches `.grad`. It
must not know output formats beyond text, Markdown and LaTeX.
"""

from __future__ import annotations

import heapq
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice, product
from textwrap import indent
from typing import Any, Generic, TypeVar

from .given import instead_of_a_value
from .ops import Unguarded
from .printing import Tex, Text, Written, format_number, names_of
from .stale import require_fresh
from .value import Value, derivatives_of, primal, reached_by, topological_order, weights_of

__all__ = ["Edge", "Explanation", "Line", "Path", "Paths", "Term", "explain", "paths"]

W = TypeVar("W", bound=Written)
T = TypeVar("T")

WIDEST = 110  # characters of a line of a derivation
LONGEST = 12  # factors of a product, or terms of a sum, that are written before an ellipsis


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    r"""An edge of the graph: `user` was computed from `parent`, with weight $\partial user / \partial parent$."""

    user: Value
    parent: Value
    operand: int
    weight: float

    @property
    def passes(self) -> bool:
        """Return whether derivatives pass: not where the row's rule is the constant 0."""
        return self.user.op is None or self.operand not in self.user.op.stops

    @property
    def is_formula(self) -> bool:
        """Return whether the rule's formula gives the weight: not where the table excepts a point."""
        try:
            plain = float(self._applied(lambda node: Unguarded(primal(node))))
        except (ArithmeticError, ValueError):
            return True
        return math.isclose(plain, self.weight, rel_tol=1e-9) or (math.isnan(plain) and math.isnan(self.weight))

    def rule(self, write: Callable[[Value], W], kind: type[W], precision: int = 4) -> W | None:
        """Write the row's rule over the operands, each written by `write`; None where it is just a number."""

        def written(node: Value) -> W:
            operand = write(node)
            operand.precision = precision
            return operand

        try:
            rule = self._applied(written)
        except (ArithmeticError, ValueError):  # a constant at a pole: the weight says inf or nan
            return None
        return rule if isinstance(rule, kind) else None

    def symbol(self, names: dict[Value, str], kind: type[W], precision: int = 4) -> W | None:
        """Write the weight's rule with names; None where the weight is just a number."""
        return self.rule(lambda node: kind.name(names[node]), kind, precision) if self.is_formula else None

    def substituted(self, kind: type[W], precision: int = 4) -> W | None:
        """Write the weight's rule with numbers; None where there is no symbol or the weight is not finite."""
        if not (self.is_formula and math.isfinite(self.weight)):
            return None
        return self.rule(lambda node: kind.number(primal(node), precision), kind, precision)

    def _applied(self, read: Callable[[Value], Any]) -> Any:
        op = self.user.op
        assert op is not None
        operands = [read(x) if isinstance(x, Value) else x for x in self.user.operands]
        return op.rules[self.operand](*operands, read(self.user))


def edges(user: Value) -> Iterator[Edge]:
    """Yield the edges from a node to its parents, in order and with repeats."""
    weights = iter(weights_of(user))
    for i, operand in enumerate(user.operands):
        if isinstance(operand, Value):
            yield Edge(user, operand, i, next(weights))


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    r"""The local derivative of a node in a parent: of `x*x` in x it has two edges, which add up.

    `partial` says that other ways may lead from the node to the parent, so that the local derivative
    is not the whole one: it is written with ∂.
    """

    edges: tuple[Edge, ...]
    partial: bool

    @property
    def user(self) -> Value:
        """Return the node."""
        return self.edges[0].user

    @property
    def parent(self) -> Value:
        """Return what the node was computed from."""
        return self.edges[0].parent

    @property
    def value(self) -> float:
        """Return the local derivative."""
        return sum(edge.weight for edge in self.edges)


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A product: the derivative in `via` (None for the output's own, 1) times the factors below it."""

    via: Value | None
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """The derivative of the output in one node, as a sum of products."""

    node: Value
    value: float
    terms: tuple[Term, ...]


class Explanation:
    """A derivation: `lines` (and, for a whole graph, `steps`) as data; text, Markdown or LaTeX.

    `print` it, let Jupyter show it, or ask `text`, `latex`, `markdown` and `as_dict`.
    """

    def __init__(
        self,
        output: Value,
        names: dict[Value, str],
        steps: tuple[Value, ...],
        lines: tuple[Line, ...],
        derivatives: dict[Value, float],
    ) -> None:
        self.output = output
        self.names = names
        self.steps = steps
        self.lines = lines
        self.derivatives = derivatives

    def text(self, precision: int = 4, max_lines: int | None = 200, width: int | None = WIDEST) -> str:
        """Write the derivation as plain text, shortened in the middle past `max_lines` a section.

        A line of more than `width` characters is broken before `=`, so that the result is in sight.
        """
        forward, backward = self._written(Text, precision, max_lines)
        if not self.steps:
            return "\n".join(_in_text(stages, width) for stages in backward)
        sections = [
            ("Forward, left to right: each node from its parents", forward),
            (f"Backward, right to left: the derivative of {self.names[self.output]} in each node", backward),
        ]
        return "\n\n".join(
            "\n".join([title, *(indent(_in_text(stages, width), "  ") for stages in rows)]) for title, rows in sections
        )

    def latex(self, precision: int = 4, max_lines: int | None = 200, width: int | None = WIDEST) -> str:
        r"""Write the derivation as the inside of a LaTeX `aligned` block."""
        forward, backward = self._written(Tex, precision, max_lines)
        rows = [*forward, *backward]
        body = " \\\\\n".join(str(row[0]) + " &" + " \\\\\n&".join(_broken(row[1:], width)) for row in rows)
        return "\\begin{aligned}\n" + body + "\n\\end{aligned}"

    def markdown(self, precision: int = 4, max_lines: int | None = 200, width: int | None = WIDEST) -> str:
        """Write the derivation as Markdown with $...$ formulas, one list item a line."""
        forward, backward = self._written(Tex, precision, max_lines)
        sections = ["\n".join(_in_markdown(row, width) for row in rows) for rows in (forward, backward)]
        return f"**Forward**\n\n{sections[0]}\n\n**Backward**\n\n{sections[1]}" if self.steps else sections[1]

    def as_dict(self) -> dict[str, Any]:
        """Return the derivation as plain data, ready for `json.dumps`; numbers are exact.

        Numbers that JSON has no sign for, inf and nan, are strings.
        """
        return {
            "output": self.names[self.output],
            "value": _plain(primal(self.output)),
            "forward": [
                {
                    "name": self.names[node],
                    "op": node.op.name if node.op else None,
                    "operands": [self.names[x] if isinstance(x, Value) else _plain(x) for x in node.operands],
                    "value": _plain(primal(node)),
                }
                for node in self.steps
            ],
            "backward": [
                {
                    "name": self.names[line.node],
                    "derivative": _plain(line.value),
                    "terms": [
                        {
                            "via": None if term.via is None else self.names[term.via],
                            "factors": [
                                {
                                    "of": self.names[factor.user],
                                    "in": self.names[factor.parent],
                                    "value": _plain(factor.value),
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
        return f"$\\displaystyle {self.latex()}$"

    def _written(self, kind: type[W], precision: int, most: int | None) -> tuple[list[list[W]], list[list[W]]]:
        """Write the lines of the forward and of the backward pass."""
        writer = Writer(kind, self.output, self.names, self.derivatives, precision)
        forward = [writer.step(node) for node in _shortened(self.steps, most)]
        return forward, [writer.line(line) for line in _shortened(self.lines, most)]


class Writer(Generic[W]):
    """Write the lines of a derivation in one notation.

    A subclass may write values, derivatives and local derivatives as something else than the numbers that they are.
    """

    def __init__(
        self, kind: type[W], output: Value, names: dict[Value, str], derivatives: dict[Value, float], precision: int
    ) -> None:
        self.kind = kind
        self.output = output
        self.names = names
        self.derivatives = derivatives
        self.precision = precision

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
        """Write a local derivative by its rule with names; as its number where it has none."""
        return edge.symbol(self.names, self.kind, self.precision) or self.weight(edge)

    def substituted(self, edge: Edge) -> W:
        """Write a local derivative by its rule with numbers; as its number where it has none."""
        return edge.substituted(self.kind, self.precision) or self.weight(edge)

    def step(self, node: Value | None) -> list[W]:
        """Write one line of the forward pass: the name, the row with names, with numbers, the value."""
        kind = self.kind
        if node is None:
            return [kind(kind.dots), kind(kind.dots)]
        stages: list[W] = [kind.name(self.names[node])]
        if node.op is not None:
            symbols: list[W] = []
            numbers: list[W] = []
            for x in node.operands:
                symbols.append(kind.name(self.names[x]) if isinstance(x, Value) else kind.of(x, self.precision))
                numbers.append(self.value(x) if isinstance(x, Value) else symbols[-1])
            stages += [kind.write(node.op, symbols), kind.write(node.op, numbers)]
        stages.append(self.value(node))
        return _distinct(stages)

    def line(self, line: Line | None) -> list[W]:
        """Write one line of the backward pass: derivatives, rules, numbers, the result."""
        kind = self.kind
        if line is None:
            return [kind(kind.dots), kind(kind.dots)]
        dots = kind(kind.dots)

        def name(z: Value, x: Value, partial: bool = False) -> W:
            return kind.derivative(self.names[z], self.names[x], partial)

        chain: list[W] = []
        for term in _shortened(line.terms, LONGEST):
            factors = [name(self.output, term.via)] if term and term.via is not None else []
            factors += [
                name(factor.user, factor.parent, factor.partial) if factor else dots
                for factor in (_shortened(term.factors, LONGEST) if term else ())
            ]
            chain.append(kind.product(factors) if term else dots)
        stages: list[W] = [name(self.output, line.node)]
        if chain:
            stages.append(kind.sum(chain))
            terms = line.terms if math.isfinite(line.value) else tuple(_by_edges(line.terms))
            writers = (self.symbol, self.substituted, self.weight)
            stages += [kind.sum([self._term(x, write) for x in _shortened(terms, LONGEST)]) for write in writers]
        stages.append(self.derivative(line.node))
        return _distinct(stages)

    def _term(self, term: Term | None, write: Callable[[Edge], W]) -> W:
        """Write a product of numbers, its local derivatives by `write`."""
        kind = self.kind
        if term is None:
            return kind(kind.dots)
        factors = [
            kind.sum([write(edge) for edge in factor.edges]) if factor else kind(kind.dots)
            for factor in _shortened(term.factors, LONGEST)
        ]
        return kind.product(factors if term.via is None else [self.derivative(term.via), *factors])


def _by_edges(terms: Iterable[Term]) -> Iterator[Term]:
    r"""Yield terms of one edge each: $\infty (1 + 0)$ is not $\infty \cdot 1 + \infty \cdot 0$."""
    for term in terms:
        for run in islice(product(*(factor.edges for factor in term.factors)), 2 * LONGEST):
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


def _plain(x: float) -> float | str:
    return x if math.isfinite(x) else str(x)


def _distinct(stages: list[W]) -> list[W]:
    """Drop each stage that reads as the one before it."""
    return [x for i, x in enumerate(stages) if i == 0 or x.string != stages[i - 1].string]


def _shortened(items: tuple[T, ...], most: int | None) -> list[T | None]:
    """Return the items, or where there are more than `most` the two ends with None between."""
    if most is None or len(items) <= most:
        return list(items)
    half = max(most // 2, 1)
    return [*items[:half], None, *items[-half:]]


def find(output: Value, node: Value | str) -> Value:
    """Return a node of the graph by its label, or by the name that derivations give it, as t1.

    A Value is returned as it is; one that the graph does not use must have a label, to be named by.

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
        raise ValueError(f"{node!r} is no node of this graph: its derivative is 0; give it a label to have it named")
    found = [x for x in order if x.label == node != ""]
    found = found or [x for x, name in names_of(order, output).items() if name == node]
    if len(found) == 1:
        return found[0]
    known = ", ".join(dict.fromkeys(x.label for x in order if x.label)) or "none"
    if found:
        raise ValueError(f"{len(found)} nodes have the label {node!r}: give the node itself")
    raise ValueError(f"no node has the label {node!r}; the graph's labels are: {known[:500]}")


def _between(order: list[Value], node: Value) -> dict[Value, list[Edge]]:
    """Return the nodes from which paths lead to `node`, each with the edges that lead on to it and pass derivatives."""
    onward: dict[Value, list[Edge]] = {}
    reached = reached_by(order[-1])
    for user in order:
        if user is node:
            onward[user] = []
        elif user in reached and (leading := [e for e in edges(user) if e.passes and e.parent in onward]):
            onward[user] = leading
    return onward


def explain(output: Value, node: Value | str | None = None) -> Explanation:
    r"""Derive $dJ/dx$ by the chain rule, or with no x every derivative of the graph of J.

    Local derivatives are written with ∂ where a parent has several users, so that dz/da, all of it,
    and ∂z/∂a, along one edge, are told apart.

    A node that several paths share is derived once, on a line of its own, and named from then on:
    the derivation has at most twice as many factors as the graph has edges.

    Args:
        output: J.
        node: x, or its label; without it, the table of the forward and the backward pass.

    Raises:
        ValueError: no node, or more than one, has that label.
        StaleGraphError: a number was assigned after the graph was computed; `forward()` computes it anew.

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
    Backward, right to left: the derivative of J in each node
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
        reached = reached_by(output)
        incoming = _factors(edge for user in order if user in reached for edge in edges(user) if edge.passes)
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


def _factors(found: Iterable[Edge]) -> dict[Value, list[Factor]]:
    """Return the local derivatives in each parent, one for each user, in the order of the edges."""
    grouped: dict[Value, dict[Value, list[Edge]]] = {}
    for edge in found:
        grouped.setdefault(edge.parent, {}).setdefault(edge.user, []).append(edge)
    return {
        parent: [Factor(tuple(same), len(by_user) > 1) for same in by_user.values()]
        for parent, by_user in grouped.items()
    }


def _derivation(output: Value, node: Value, order: list[Value], derivatives: dict[Value, float]) -> tuple[Line, ...]:
    onward = _between(order, node)
    incoming = _factors(edge for leading in onward.values() for edge in leading)
    # Where paths meet, the derivative gets a line, and also where they fork below a run of edges
    # that the branches would repeat; between such landmarks a term runs through.
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


@dataclass(frozen=True, eq=False)
class Path:
    """One way from the output to a node: its edges, and the product of their weights."""

    edges: tuple[Edge, ...]
    names: dict[Value, str]

    @property
    def factors(self) -> tuple[float, ...]:
        """Return the local derivatives along the path."""
        return tuple(edge.weight for edge in self.edges)

    @property
    def product(self) -> float:
        """Return the product of the factors."""
        return math.prod(self.factors)

    def __str__(self) -> str:
        nodes = [self.edges[0].user, *(edge.parent for edge in self.edges)] if self.edges else []
        way = " → ".join("…" if x is None else self.names[x] for x in _shortened(tuple(nodes), LONGEST))
        factors = [Text("…") if f is None else Text.number(f, 4) for f in _shortened(self.factors, LONGEST)]
        product = f"{Text.product(factors)} = " if len(factors) > 1 else ""
        return f"{way}: {product}{format_number(self.product)}"

    __repr__ = __str__


class Paths:
    """The paths from an output to a node; iterate for all of them, largest product first.

    The iteration is lazy: the first paths cost little even where there are $2^{50}$.
    """

    def __init__(self, output: Value, node: Value) -> None:
        self.output = output
        self.node = node
        self._order = topological_order(output)
        self._onward = _between(self._order, node)
        self._names = names_of(self._order, output)

    @cached_property
    def count(self) -> int:
        """Return how many paths there are, counted without listing them."""
        ways = {self.output: 1} if self.output in self._onward else {}
        for user in reversed(self._order):
            if user is self.node:
                break
            if user in ways:
                n = ways.pop(user)  # popped: such integers may be long, and there is one for each node
                for edge in self._onward[user]:
                    ways[edge.parent] = ways.get(edge.parent, 0) + n
        return ways.get(self.node, 0)

    @cached_property
    def total(self) -> float:
        r"""Return the sum of all products, which is the derivative $dJ/dx$."""
        return derivatives_of(self.output, self._order).get(self.node, 0.0)

    def top(self, k: int = 5) -> list[Path]:
        """Return the k paths whose products are largest in magnitude."""
        return list(islice(self, k))

    def __iter__(self) -> Iterator[Path]:
        if self.output not in self._onward:
            return
        # Best first: `ahead` is the largest log-product still to come, so that what is popped next
        # is the best of all that is left.
        ahead: dict[Value, float] = {}
        for user in self._order:
            if user is self.node:
                ahead[user] = 0.0
            elif user in self._onward:
                ahead[user] = max(_log(edge) + ahead[edge.parent] for edge in self._onward[user])
        ties = count(0, -1)  # among equals the newest, which is the deepest: depth first, not breadth
        Way = tuple[Edge, Any] | None
        heap: list[tuple[float, int, float, Value, Way]] = [(0.0, next(ties), 0.0, self.output, None)]
        while heap:
            _, _, behind, here, way = heapq.heappop(heap)
            if here is self.node:
                run = []
                while way is not None:
                    edge, way = way
                    run.append(edge)
                yield Path(tuple(reversed(run)), self._names)
                continue
            for edge in self._onward[here]:
                magnitude = behind + _log(edge)
                # Rounded, so that equal products are equal also when added up in another order.
                priority = -round(magnitude + ahead[edge.parent], 9)
                entry = (priority, next(ties), magnitude, edge.parent, (edge, way))
                heapq.heappush(heap, entry)

    def __str__(self) -> str:
        n = self.count
        many = f"{n:,}" if n < 10**15 else f"about 2^{n.bit_length() - 1}"
        name = self._names.get(self.node, self.node.label or "x")
        shown = self.top(5)
        lines = [f"{many} path{'s' * (n != 1)} from {self._names[self.output]} to {name}"]
        lines += [f"  {path}" for path in shown]
        if n > len(shown):
            lines.append("  …")
        lines.append(
            f"  sum of all products = {Text.derivative(self._names[self.output], name)} = {format_number(self.total)}"
        )
        return "\n".join(lines)

    __repr__ = __str__


def _log(edge: Edge) -> float:
    """Return the log of a weight's magnitude; finite, so that sums stay ordered, for 0, inf and nan."""
    weight = math.fabs(edge.weight)
    if weight == 0.0:
        return -1e12
    return math.log(weight) if math.isfinite(weight) else 1e12


def paths(output: Value, node: Value | str) -> Paths:
    r"""Return the paths from J to x, with their factors and products, whose sum is $dJ/dx$.

    Raises:
        ValueError: `node` is a label that no node, or more than one, has.
        StaleGraphError: a number was assigned after the graph was computed.

    >>> x = Value(3.0, "x")
    >>> y = x * x + x; y.label = "y"
    >>> paths(y, x)
    3 paths from y to x
      y → t1 → x: 1 · 3 = 3
      y → t1 → x: 1 · 3 = 3
      y → x: 1
      sum of all products = dy/dx = 7
    >>> for _ in range(49):
    ...     y = y + y
    >>> paths(y, x).count
    1688849860263936
    """
    target = find(output, node)
    require_fresh(output)
    return Paths(output, target)


def report(output: Value, nodes: list[Value] | None, format: str, precision: int) -> str:
    """Write the table of the whole graph and a derivation for each leaf, or only those asked for."""
    table = explain(output) if nodes is None else None
    if nodes is None:
        nodes = [node for node in topological_order(output) if node.op is None and node is not output]
    derivations = [explain(output, node) for node in nodes]
    if format == "json":
        written: dict[str, Any] = table.as_dict() if table else {}
        written["derivations"] = [derivation.as_dict() for derivation in derivations]
        return json.dumps(written, indent=2, ensure_ascii=False)
    write = {"text": Explanation.text, "latex": Explanation.latex, "markdown": Explanation.markdown}[format]
    parts = [write(table, precision)] if table is not None else []
    if derivations:
        derived = write(_once(derivations), precision, max_lines=None)
        if table is not None and format != "latex":
            title = "Derivations, from the output to each leaf; a result that they share has a line of its own"
            derived = f"**Derivations**\n\n{derived}" if format == "markdown" else f"{title}\n{indent(derived, '  ')}"
        parts.append(derived)
    return "\n\n".join(parts)


def _once(derivations: Sequence[Explanation]) -> Explanation:
    """Return derivations of one output as one, in which each derivative is derived once."""
    lines: dict[Value, Line] = {}
    for line in (line for derivation in derivations for line in derivation.lines):
        lines.setdefault(line.node, line)
    first = derivations[0]
    return Explanation(first.output, first.names, (), tuple(lines.values()), first.derivatives)
