r"""The order of the chain rule: the cost of each order on a graph, and one order step by step.

A step removes a node: the product of each edge into it and each edge out of it makes a new edge, or is added to an
edge. In the end the edges are the Jacobian. Forward and reverse mode are two of the orders. This module owns the costs
of orders and the steps as text. It must not know how pictures look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any

from .accumulation import ORDERS, Accumulation, LinearGraph, Order, Product
from .arrangement import arranged
from .printing import Text, counted, lines_of, names_of
from .settings import tell_read
from .sparsity import ends_of
from .structure import Structure, Tree
from .value import Value
from .walks import topological_order

if TYPE_CHECKING:
    from .pages.page import Explorer
    from .pictures.drawing import Drawing

MAX_MULTIPLICATIONS = 1_000_000  # multiplications: `eliminate` refuses more
COUNTED = 10_000_000  # multiplications: `work` stops to count an order with more


@dataclass(frozen=True, eq=False)
class Step:
    """The removal of a node, with its products. `edges` is the number of edges after it."""

    node: Value
    products: tuple[Product, ...]
    edges: int

    @property
    def multiplications(self) -> int:
        """Return the number of edges into the node times the number of edges out of it."""
        return len(self.products)

    @property
    def additions(self) -> int:
        """Return the number of products that are added to an existing edge."""
        return sum(product.before is not None for product in self.products)

    @property
    def new_edges(self) -> int:
        """Return the number of products that make a new edge: the fill-in."""
        return self.multiplications - self.additions


@dataclass(frozen=True, eq=False)
class Elimination:
    r"""The steps from a graph to its Jacobian, as `eliminate` returns them.

    Print it, call `text` for another number of digits, `draw(k)` the graph after k steps, or `explore` it.
    """

    graph: LinearGraph
    order: Order | None  # None if the nodes were given
    names: dict[Value, str]
    steps: tuple[Step, ...]
    jacobian: Tree
    rows: list[dict[int, float]] = field(repr=False)

    @property
    def multiplications(self) -> int:
        """Return the number of multiplications of all steps."""
        return sum(step.multiplications for step in self.steps)

    @property
    def additions(self) -> int:
        """Return the number of additions of all steps."""
        return sum(step.additions for step in self.steps)

    def text(self, precision: int = 4, max_steps: int | None = 50) -> str:
        """Write the steps and the Jacobian as plain text, with at most `max_steps` steps, products or derivatives."""
        shown = self.steps[:max_steps]
        lines = [f"{counted(self.graph.size, 'edge')}, {counted(len(self.steps), 'node')} to remove"]
        for k, step in enumerate(shown, 1):
            lines.append(
                f"{k}. remove {self.names[step.node]}: {counted(step.multiplications, 'multiplication')}, "
                f"{counted(step.additions, 'addition')}, {counted(step.edges, 'edge')} left"
            )

            def product(x: Product, step: Step = step) -> str:
                return f"   {self._product(step, x, precision)}"

            lines += lines_of(step.products, max_steps, product, "product", ask="text(max_steps=None) writes all")
        if left := len(self.steps) - len(shown):
            lines.append(f"… {counted(left, 'more step')}; text(max_steps=None) writes all")
        lines.append(f"{counted(self.multiplications, 'multiplication')}, {counted(self.additions, 'addition')} in all")
        return "\n".join([*lines, *self._entries(precision, max_steps)])

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _name(self, place: int) -> str:
        return self.names[self.graph.nodes[place]]

    def _product(self, step: Step, product: Product, precision: int) -> str:
        """Write one product: the new edge in symbols and in numbers, and its value."""
        user, parent, node = self._name(product.user), self._name(product.parent), self.names[step.node]

        def slope(z: str, x: str) -> Text:
            return Text.derivative(z, x, partial=True)

        def number(x: float) -> Text:
            return Text.number(x, precision)

        before = [] if product.before is None else [product.before]
        symbols = Text.sum(
            [*(slope(user, parent) for _ in before), Text.product([slope(user, node), slope(node, parent)])]
        )
        numbers = Text.sum([*map(number, before), Text.product([number(product.outer), number(product.inner)])])
        sign = "=" if product.before is None else "←"
        return f"{slope(user, parent)} {sign} {symbols} = {numbers} = {number(product.after)}"

    def _entries(self, precision: int, most: int | None) -> list[str]:
        """Write the derivatives, one on each line."""
        rows = [(z, row) for z, row in zip(self.graph.outputs, self.rows, strict=True) if z is not None]
        entries = ((z, x, slope) for z, row in rows for x, slope in sorted(row.items()))
        lines = [
            f"{Text.derivative(self._name(z), self._name(x))} = {Text.number(slope, precision)}"
            for z, x, slope in islice(entries, most)
        ]
        left = sum(len(row) for _, row in rows) - len(lines)
        return [*lines, f"… {left:,} more"] if left else lines

    def draw(self, steps: int = 0, *, precision: int = 4, theme: str = "any") -> Drawing:
        """Draw the graph after a number of steps, with the local derivatives on its edges.

        The next node to remove is marked.

        Raises:
            ValueError: there are fewer steps.
        """
        if not (type(steps) is int and 0 <= steps <= len(self.steps)):
            raise ValueError(f"draw: steps must be a whole number from 0 to {len(self.steps)}, not {steps!r}")
        from .pictures.drawing import Drawing
        from .pictures.linear import picture_of_edges

        place = {node: v for v, node in enumerate(self.graph.nodes)}
        left = Accumulation(self.graph)
        for step in self.steps[:steps]:
            left.remove(place[step.node])
        marked = self.names[self.steps[steps].node] if steps < len(self.steps) else ""
        picture = picture_of_edges(
            f"After {counted(steps, 'step')} of {len(self.steps)}",
            {self._name(v): {self._name(p): x for p, x in edges.items()} for v, edges in left.into.items()},
            [self._name(x) for x in self.graph.inputs],
            [self._name(z) for z in self.graph.outputs if z is not None],
            marked,
            precision,
        )
        return Drawing(picture, theme)

    def explore(self, *, quiz: bool = False, precision: int = 4) -> Explorer:
        """Make a page that shows the steps: the graph shrinks until the Jacobian is left.

        The page has all orders, with their counts. In the reader's own order, a click removes a node.

        Args:
            quiz: ask for the numbers of each step before they are shown.
            precision: significant digits of numbers.

        Raises:
            ValueError: the graph has more than 60 nodes or 200 edges, or no output depends on an input; or `precision`
                is not from 1 to 17.
            ImportError: there is no `dot` program and no pygraphviz.

        >>> a, b = Value(2.0, "a"), Value(3.0, "b")
        >>> J = a * b + b; J.label = "J"
        >>> eliminate(J).explore()
        <Elimination of J: save('J.html')>
        """
        from .pages.elimination import elimination_page

        place = {node: v for v, node in enumerate(self.graph.nodes)}
        chosen = [] if self.order else [place[step.node] for step in self.steps]
        return elimination_page(self.graph, self.names, self.order or "own", chosen, precision, quiz)


def eliminate(outputs: Tree, inputs: Tree = None, order: Order | Sequence[Value | str] = "markowitz") -> Elimination:
    r"""Return the steps that remove the nodes between inputs and outputs one by one, until the Jacobian is left.

    To remove $v$ means $\frac{\partial w}{\partial u} \leftarrow \frac{\partial w}{\partial u} +
    \frac{\partial w}{\partial v} \frac{\partial v}{\partial u}$ for each edge from some u to v and each edge
    from v to some w. All orders have the same Jacobian, up to rounding, with different numbers of multiplications
    (Griewank and Walther, Evaluating Derivatives, 2008, section 9.2).

    Args:
        outputs: a Value or a structure of Values.
        inputs: nodes of the graph, one or a structure of them, none computed from another; all leaves if not given.
        order: "forward" begins at the inputs, like forward mode; "reverse" begins at the outputs, like backward();
            "markowitz" takes the node with the fewest products next. A list has the nodes themselves, or their names.

    Raises:
        TypeError: an output or an input is not a Value.
        ValueError: an input is given twice, or computed from another; the order is unknown, or does not have each node
            between inputs and outputs once; it takes more than a million multiplications.

    >>> a, b, c = Value(5, "a"), Value(3, "b"), Value(2, "c")
    >>> u = b * c; u.label = "u"
    >>> J = (a + u) * b; J.label = "J"
    >>> eliminate(J, [a, b, c], order="reverse")
    6 edges, 2 nodes to remove
    1. remove t1: 2 multiplications, 0 additions, 5 edges left
       ∂J/∂a = ∂J/∂t1 · ∂t1/∂a = 3 · 1 = 3
       ∂J/∂u = ∂J/∂t1 · ∂t1/∂u = 3 · 1 = 3
    2. remove u: 2 multiplications, 1 addition, 3 edges left
       ∂J/∂b ← ∂J/∂b + ∂J/∂u · ∂u/∂b = 11 + 3 · 2 = 17
       ∂J/∂c = ∂J/∂u · ∂u/∂c = 3 · 3 = 9
    4 multiplications, 1 addition in all
    dJ/da = 3
    dJ/db = 17
    dJ/dc = 9
    """
    nodes, leaves, out, into = ends_of("eliminate", outputs, inputs)
    for z in nodes:
        tell_read(z)  # the steps make plain numbers, which a trace would keep as constants
    graph = LinearGraph(nodes, leaves)
    names = _names(nodes, leaves)
    left = Accumulation(graph)
    named = order if isinstance(order, str) and order in ORDERS else None
    places = left.in_order(named) if named else _given(graph, names, order)
    steps, edges = [], graph.size
    for v in places:
        if left.multiplications + left.degree(v) > MAX_MULTIPLICATIONS:
            raise ValueError(
                f"eliminate: the steps have more than {MAX_MULTIPLICATIONS:,} multiplications; "
                "jacobian(f, sparse=True) keeps no steps"
            )
        products = tuple(left.products(v))
        before = len(left.into[v]) * (v not in left.kept) + len(left.users[v])
        left.remove(v)
        edges += sum(product.before is None for product in products) - before
        steps.append(Step(graph.nodes[v], products, edges))
    return Elimination(graph, named, names, tuple(steps), _arranged(left.rows, out, into), left.rows)


def _arranged(rows: list[dict[int, float]], out: Structure, into: Structure) -> Any:
    """Return the Jacobian in the structure of `jacobian`."""
    return arranged(out, into, [[row.get(j, 0.0) for j in range(into.size)] for row in rows])


def _names(outputs: Sequence[Value], inputs: Sequence[Value]) -> dict[Value, str]:
    order = dict.fromkeys([*inputs, *topological_order(*outputs)])
    return names_of(order, outputs[0] if len(outputs) == 1 else None)


def _given(graph: LinearGraph, names: dict[Value, str], order: object) -> list[int]:
    """Return the places of the nodes in an order. The order must have all nodes between inputs and outputs."""
    known = ", ".join(f'"{name}"' for name in ORDERS)
    if isinstance(order, (str, Value)) or not isinstance(order, Iterable):
        raise ValueError(f"eliminate: order must be {known}, or a list of the nodes to remove, not {order!r}")
    interior = dict.fromkeys(graph.interior)
    place = {graph.nodes[v]: v for v in interior}
    of_name = {names[node]: v for node, v in place.items()}
    found: dict[int, None] = {}
    for x in order:
        v = place.get(x) if isinstance(x, Value) else of_name.get(x)
        name = names.get(x, repr(x)) if isinstance(x, Value) else x
        if v is None:
            raise ValueError(
                f"eliminate: {name} is no node to remove; the nodes to remove are {', '.join(of_name) or 'none'}"
            )
        if v in found:
            raise ValueError(f"eliminate: the order has {name} twice")
        found[v] = None
    if missing := [names[graph.nodes[v]] for v in interior if v not in found]:
        raise ValueError(f"eliminate: the order leaves out {', '.join(missing[:10])}{', …' * (len(missing) > 10)}")
    return list(found)


@dataclass(frozen=True)
class Work:
    """The multiplications and additions of several orders, as `work` returns them.

    `counts` has them by the name of the order. It has None for an order with more than ten million multiplications. A
    number that is too large to be exact is a float, and may be inf.
    """

    edges: int
    nodes: int
    counts: dict[str, tuple[float, float] | None]

    @property
    def cheapest(self) -> str:
        """Return the order with the fewest multiplications."""
        return min(self.counts, key=lambda name: (self.counts[name] or (inf,))[0])

    def __str__(self) -> str:
        lines = [f"{counted(self.edges, 'edge')}, {counted(self.nodes, 'node')} to remove"]
        lines.append(f"{'order':<12}{'multiplications':>18}{'additions':>14}")
        for name, counts in self.counts.items():
            shown = (f"over {COUNTED:,}", "?") if counts is None else map(_large, counts)
            lines.append("{:<12}{:>18}{:>14}".format(name, *shown))
        return "\n".join(lines)

    __repr__ = __str__


def work(outputs: Tree, inputs: Tree = None) -> Work:
    r"""Count the multiplications and additions for the Jacobian of a graph, in several orders of the chain rule.

    "every path" multiplies along each path from an input to an output separately, and adds the products. "forward",
    "reverse" and "markowitz" are the orders of `eliminate`: forward and reverse mode with sparse vectors of
    derivatives. A node that is an operand twice, as in x * x, has one edge. A local derivative of 1 counts like any
    other. The first derivative of a mode, such as dy/dy = 1, needs no multiplication. For one output, reverse mode
    needs at most one multiplication for each edge.

    Args:
        outputs: a Value or a structure of Values.
        inputs: nodes of the graph, one or a structure of them, none computed from another; all leaves if not given.

    Raises:
        TypeError: an output or an input is not a Value.
        ValueError: an input is given twice, or computed from another.

    >>> x = Value(2.0, "x")
    >>> y = x
    >>> for _ in range(10):
    ...     y = y + y * x
    >>> work(y)
    39 edges, 19 nodes to remove
    order          multiplications     additions
    every path              20,226         1,534
    reverse                     37            19
    forward                     28            19
    markowitz                   28            19
    """
    nodes, leaves, _, _ = ends_of("work", outputs, inputs)
    graph = LinearGraph(nodes, leaves)
    counts: dict[str, tuple[float, float] | None] = dict.fromkeys(("every path", *ORDERS))
    for order in ORDERS:
        left = Accumulation(graph)
        if left.run(order, COUNTED):
            counts[order] = left.multiplications, left.additions
            entries = sum(len(left.into[v]) for v in left.kept if v in left.into)
            counts["every path"] = _by_paths(graph, left.kept, entries)
    return Work(graph.size, len(graph.interior), counts)


def _by_paths(graph: LinearGraph, ends: Iterable[int], entries: int) -> tuple[float, float]:
    """Return the multiplications and additions for a separate product along each path to some nodes."""
    paths = dict.fromkeys(graph.inputs, 1.0)  # the number of paths to each node
    products = dict.fromkeys(graph.inputs, 0.0)  # the multiplications along all of these
    for v, edges in graph.edges.items():
        paths[v] = sum(paths[p] for p in edges)
        products[v] = sum(products[p] + paths[p] for p in edges if p in graph.edges)
    to = [v for v in ends if v in graph.edges]
    return _whole(sum(products[v] for v in to)), _whole(sum(paths[v] for v in to) - entries)


def _whole(n: float) -> float:
    return int(n) if n < 2**53 else n


def _large(n: float) -> str:
    return f"{n:,}" if isinstance(n, int) else f"{n:.1e}"
