r"""All second derivatives of one number in one sweep back over its graph: edge pushing.

This module owns the algorithm of Gower and Mello (A new framework for the computation of Hessians, 2012). The sweep
keeps the first derivatives, called adjoints, and a sparse symmetric map of second derivatives with respect to pairs of
nodes. A node passes both to its parents, and adds the second partials of its own row. An entry exists only if edges
lead to it; its value may be 0. If second derivatives must be differentiated again, the same sweep runs on Values. This
module must not know matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

from .choices import NOTHING, Factor, guards_of, handed, settled
from .limits import Compared
from .node import primal
from .op import Unknown
from .ops import Op, Recorder, number
from .pickles import state_of
from .recorder import Operand
from .settings import recording_limits, tell_derived
from .value import Number, Value
from .walks import is_alive, topological_order

Row = dict[int, Factor]  # numbers, or Values, by places: second derivatives with respect to a node and others
MAX_ENDS = 10_000  # operands of one node: pairs of more would take gigabytes


def second_derivatives(outputs: Sequence[Number], inputs: Sequence[Value], graph: bool = False) -> list[Row]:
    r"""Return $\partial^2 J / \partial x_i \partial x_j$ for $j \le i$: for each input i a row, by the input j.

    Args:
        outputs: nodes; J is their sum. A plain number among them depends on nothing.
        inputs: nodes; none may be computed from another.
        graph: return Values, not numbers.

    Raises:
        ValueError: a node whose second derivative is not 0 depends on more than 10,000 others.
    """
    with recording_limits() if graph else nullcontext():
        return _swept(outputs, inputs, graph)


def _swept(outputs: Sequence[Number], inputs: Sequence[Value], graph: bool) -> list[Row]:
    n = len(inputs)
    rows: dict[int, Row] = {i: {} for i in range(n)}
    roots = [z for z in outputs if isinstance(z, Value)]
    place = active_nodes(roots, inputs)
    nodes = list(place)
    tests = guards_of(roots, nodes, rule_of) if graph else {}
    adjoints: list[Any] = [None] * len(nodes)  # None where no derivative of the output has come
    for root in roots:
        if root in place:
            adjoints[place[root]] = (adjoints[place[root]] or 0.0) + 1.0
    for i in range(len(nodes) - 1, n - 1, -1):
        adjoint, node = adjoints[i], nodes[i]
        if adjoint is None:
            continue
        state: Any = state_of(node)  # one call for all, because most of the time is spent here
        op, result, _, _, weights, operands = state
        if graph:
            result, weights = node, rules_of(node, place, tests.get(node))
        edges = placed_edges(op, operands, weights, place)
        if (row := rows.pop(i, None)) is not None:
            _push(row, i, edges, rows)
        if (pairs := _known_pairs(op) if op.composed is None else _pairs_of_many(op, len(operands))) != ():
            places = {k: place[x] for k, x in enumerate(operands) if x in place and k not in op.stops}
            for a, b, partial in _second_partials(op, pairs, operands, weights, result, places):
                second = handed(op, a, partial, tests[node]) if node in tests else partial
                p, q = places[a], places[b]
                part = times(adjoint, second)
                _add(rows, p, q, part if a == b or p != q else 2.0 * part)
        for p, weight in edges.items():
            if p >= n:  # first derivatives with respect to inputs are not needed
                before, part = adjoints[p], times(adjoint, weight)
                adjoints[p] = part if before is None else before + part
    for root in roots:
        tell_derived(root)
    return [{j: settled(x) for j, x in rows[i].items()} for i in range(n)]


def active_nodes(outputs: Sequence[Value], inputs: Sequence[Value]) -> dict[Value, int]:
    """Return places for the inputs, then for the nodes that are computed from them, each after its parents."""
    place = {x: i for i, x in enumerate(inputs)}
    is_active = place.__contains__
    for node in topological_order(*outputs):
        if any(map(is_active, node.operands)) and node not in place:
            place[node] = len(place)
    return place


def placed_edges(
    op: Op, operands: Sequence[Any], weights: Sequence[Factor], place: dict[Value, int]
) -> dict[int, Factor]:
    """Return the weights of the edges that pass derivatives from a node to nodes with places, by the parents' places.

    A parent that is an operand twice has one edge, with the sum of both weights. The weight of an edge to a side that
    is not chosen is NOTHING. This edge is kept, so the places of a Jacobian do not depend on the numbers.
    """
    stops, chooses, place_of = op.stops, op.chooses, place.get
    edges: dict[int, Factor] = {}
    for k, x in enumerate(operands):
        p = place_of(x)
        if p is not None and k not in stops:
            weight = weights[k]
            if k in chooses and type(weight) is float and not is_alive(op, k, weight):
                weight = NOTHING
            edges[p] = edges[p] + weight if p in edges else weight
    return edges


def rules_of(node: Value, place: dict[Value, int], test: Number | None) -> list[Factor]:
    """Return the factors of a node's edges as Values, or 0 for operands without places; see `choices.handed`."""
    op: Any = node.op
    return [
        handed(op, k, rule_of(node, k), test) if x in place and k not in op.stops else 0.0
        for k, x in enumerate(node.operands)
    ]


def rule_of(node: Value, i: int) -> Any:
    """Return the local derivative of a node with respect to an operand, as a Value."""
    op: Any = node.op
    return local_derivative(op, i, node.operands, node, Value)


def local_derivative(
    op: Op, i: int, operands: Sequence[Operand], z: Operand, wrap: Callable[[float], Operand]
) -> Operand:
    """Compute a local derivative by its rule on recorders. `wrap` makes a recorder from a number."""
    try:
        return op.local(i, operands, z)
    except (ArithmeticError, ValueError):  # a plain number at a pole; a recorder has a limit there
        return op.rules[i](*[x if isinstance(x, Recorder) else wrap(x) for x in operands], z)
    except TypeError:  # the rule needs numbers, like math.cos: use its row, whose own slope is unknown (nan)
        known = op.formulas[i]
        if known is op.rules[i]:
            raise
        return known(*operands, z)


def times(x: Factor, y: Factor) -> Factor:
    """Return a product of numbers or Values. If a factor is a plain 1, make no node."""
    if type(y) is float and y == 1.0:
        return x
    return y if type(x) is float and x == 1.0 else x * y


def _push(row: Row, i: int, edges: dict[int, Factor], rows: dict[int, Row]) -> None:
    """Pass the second derivatives with respect to pairs that contain a node on to its parents."""
    square = row.pop(i, None)
    for u, second in row.items():
        for p, weight in edges.items():
            _add(rows, p, u, times(second, weight) if p != u else 2.0 * times(second, weight))
    if square is not None:
        ends = list(edges.items())
        if len(ends) > MAX_ENDS:
            raise ValueError(
                f"a node with {len(ends):,} operands has {len(ends) ** 2:,} second derivatives, which are too many for "
                "a matrix: ag.hvp(f, (x,), (v,)) multiplies them by a vector"
            )
        for k, (p, weight) in enumerate(ends):
            half = times(square, weight)
            for q, other in ends[: k + 1]:
                _add(rows, p, q, times(half, other))


def _add(rows: dict[int, Row], p: int, q: int, second: Factor) -> None:
    """Add to the second derivative with respect to two places. It is in the row of the later place."""
    if p < q:
        p, q = q, p
    row = rows.get(p)
    if row is None:
        rows[p] = {q: second}
    else:
        row[q] = row[q] + second if q in row else second


# The second partials of a row, from its own rules.


class Dual(Compared):
    r"""A number and its derivatives with respect to some variables: $x + \sum_k \dot x_k \varepsilon_k$.

    If it does not depend on a variable, this variable has no entry. The number and the derivatives may be Values.

    >>> x, y = Dual(3.0, {0: 1.0}), Dual(2.0, {1: 1.0})
    >>> z = x * x * y
    >>> z.x, z.slopes
    (18.0, {0: 12.0, 1: 9.0})
    """

    __slots__ = ("slopes", "x")

    def __init__(self, x: Operand, slopes: Row) -> None:
        self.x, self.slopes = x, slopes

    def record(self, op: Op, operands: tuple[Operand, ...]) -> Dual:
        """Apply a row by IEEE arithmetic, and apply the chain rule."""
        parts = tuple([x.x if isinstance(x, Dual) else x for x in operands])
        graph = any(isinstance(x, Value) for x in parts)
        if graph:
            z = op(*parts)
        else:
            parts = tuple([number(op, x) for x in parts])
            z = number(op, op.limit.function(*parts))
        slopes: Row = {}
        for i, operand in enumerate(operands):
            if isinstance(operand, Dual) and operand.slopes and i not in op.stops:
                weight = handed(op, i, local_derivative(op, i, parts, z, Value)) if graph else op.partial(i, parts, z)
                if not graph and not is_alive(op, i, weight):
                    weight = NOTHING
                for k, slope in operand.slopes.items():
                    slopes[k] = slopes[k] + weight * slope if k in slopes else weight * slope
        return Dual(z, slopes)

    def __mul__(self, other: Operand) -> Operand:
        if type(other) is not float:
            return super().__mul__(other)
        # A shortcut with the same result as the row, because many rules multiply by a number.
        return Dual(self.x * other, {k: other * slope for k, slope in self.slopes.items()})

    def __rmul__(self, other: Operand) -> Operand:
        return self * other if type(other) is float else super().__rmul__(other)


def _second_partials(
    op: Op,
    pairs: Iterable[tuple[int, int]] | None,
    operands: Sequence[Number],
    weights: Sequence[Factor],
    result: Number,
    places: Iterable[int],
) -> Iterable[tuple[int, int, Factor]]:
    """Return the second partials of a row with respect to operands with places, once for each pair."""
    if pairs is not None:
        return [(i, k, 1.0) for i, k in pairs if i in places and k in places]
    graph = isinstance(result, Value)
    duals: list[Operand] = [primal(x) if isinstance(x, Value) and not graph else x for x in operands]
    for k in places:
        duals[k] = Dual(duals[k], {k: 1.0})
    z = Dual(result, {k: weights[k] for k in places})
    seconds: dict[tuple[int, int], Factor] = {}
    for i in places:
        slope = local_derivative(op, i, duals, z, _constant)
        if isinstance(slope, Dual):
            for k, second in slope.slopes.items():
                seconds.setdefault((i, k) if i < k else (k, i), second)
    return [(i, k, second) for (i, k), second in seconds.items()]


def _constant(x: float) -> Dual:
    return Dual(x, {})


def _pairs_of_many(op: Op, arity: int) -> tuple[tuple[int, int], ...]:
    """Return the pairs of operands whose second partials are 1: each w and its x for dot, and none for other rows."""
    n = arity // 2 if op.name == "dot" else 0
    return tuple(zip(range(n), range(n, 2 * n), strict=True))


@lru_cache(1024)
def _known_pairs(op: Op) -> tuple[tuple[int, int], ...] | None:
    """Return the pairs of operands whose second partials are 1, if all others are 0. Return None for other rows."""
    symbols = [Unknown() for _ in range(len(op.rules) + 1)]
    pairs: set[tuple[int, int]] = set()
    for i, rule in enumerate(op.rules):
        try:
            slope = rule(*symbols)
        except Exception:  # the rule needs numbers
            return None
        same = [k for k in range(len(op.rules)) if slope is symbols[k]]
        if isinstance(slope, Recorder) and not same:
            return None
        pairs.update((min(i, k), max(i, k)) for k in same)
    return tuple(pairs)
