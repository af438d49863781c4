r"""The paths from an output to a node, each a product of local derivatives.

This module owns `paths`. The derivative is a sum over all paths. The term of a path is the product of the weights along
it. There may be $2^{50}$ paths, so the module counts them without a list, and lists the largest terms first. It must
not know the form of derivations.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice
from typing import TypeAlias

from .derivation import MAX_TERMS, find
from .edges import Edge, derivatives_of, leading_to
from .printing import Text, format_number, names_of
from .spelling import shortened
from .stale import require_fresh
from .value import Value
from .walks import reached_by, topological_order

Way: TypeAlias = "tuple[Edge, Way] | None"  # the edges in reverse: the one at the output is last


@dataclass(frozen=True, eq=False)
class Path:
    """One path from the output to a node: its edges, and the product of their weights."""

    edges: tuple[Edge, ...]
    names: dict[Value, str]

    @property
    def factors(self) -> tuple[float, ...]:
        """Return the local derivatives along the path."""
        return tuple(edge.weight for edge in self.edges)

    @property
    def product(self) -> float:
        """Return the product of the factors, or 0 if an edge leads to a side of a choice that is not chosen."""
        return math.prod(self.factors) if all(edge.alive for edge in self.edges) else 0.0

    def __str__(self) -> str:
        nodes = [self.edges[0].user, *(edge.parent for edge in self.edges)] if self.edges else []
        way = " → ".join("…" if x is None else self.names[x] for x in shortened(tuple(nodes), MAX_TERMS))
        factors = [Text("…") if f is None else Text.number(f, 4) for f in shortened(self.factors, MAX_TERMS)]
        product = f"{Text.product(factors)} = " if len(factors) > 1 else ""
        return f"{way}: {product}{format_number(self.product)}"

    __repr__ = __str__


class Paths:
    """The paths from an output to a node; iterate for all of them, largest product first.

    The iteration is lazy: the first paths take little time, even if there are $2^{50}$.
    """

    def __init__(self, output: Value, node: Value) -> None:
        self.output = output
        self.node = node
        self._order = topological_order(output)
        reached = reached_by(output)
        self._onward = leading_to([node], (x for x in self._order if x in reached))
        self._names = names_of(self._order, output)

    @cached_property
    def count(self) -> int:
        """Return the number of paths, without a list of them."""
        ways = {self.output: 1} if self.output in self._onward else {}
        for user in reversed(self._order):
            if user is self.node:
                break
            if user in ways:
                n = ways.pop(user)  # removed when used: such integers may be long
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
        # Best first: `ahead` is the largest log-product that can follow. So the next path popped is the best of those
        # that are left.
        ahead: dict[Value, float] = {}
        for user in self._order:
            if user is self.node:
                ahead[user] = 0.0
            elif user in self._onward:
                ahead[user] = max(_log(edge) + ahead[edge.parent] for edge in self._onward[user])
        ties = count(0, -1)  # of equal paths take the newest, which is the deepest: this is depth first
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
    """Return the log of a weight's magnitude. It is finite also for 0, inf and nan, so sums can be compared."""
    weight = math.fabs(edge.weight)
    if weight == 0.0:
        return -1e12
    return math.log(weight) if math.isfinite(weight) else 1e12


def paths(output: Value, node: Value | str) -> Paths:
    r"""Return the paths from J to x, with their factors and products, whose sum is $dJ/dx$.

    Raises:
        ValueError: `node` is a label of no node or of several nodes.
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
