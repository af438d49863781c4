"""The levels of a graph's nodes: nodes of one kind and one level become one instruction.

Both passes are functions from columns to columns, as those in `columns` are. This module must not know rows, or how
addresses are found.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np

from .columns import Columns, Ints, distinct


@dataclass(frozen=True)
class Scheduled(Columns):
    """Columns with levels: nodes of one level and one kind become one instruction."""

    early: Ints  # for each node, the first level after the levels of its operands
    level: Ints  # for each node, the level of its instruction
    per_node: ClassVar[tuple[str, ...]] = (*Columns.per_node, "early", "level")


def schedule(nodes: Columns) -> Scheduled:
    """Return the columns with levels: as early as the operands allow, but a short branch waits for longer ones.

    Nodes with the same earliest level and the same kind are a group. A group moves to the deepest level with other
    nodes of its kind and the same kinds of users. But two operands of one node stay apart, unless the node is a sum.

    >>> from autograd_mini import exp, sin, trace
    >>> from autograd_mini.program.columns import columns_of
    >>> nodes = schedule(columns_of(trace(lambda x, y: [sin(x), sin(exp(x)), sin(exp(y))], 1.0, 2.0)))
    >>> [f"{nodes.kinds[k]} {level}" for k, level in zip(nodes.kind, nodes.level)]
    ['sin 2', 'exp 1', 'sin 2', 'exp 1', 'sin 2']
    """
    early = _early(nodes)
    return Scheduled(**vars(nodes), early=early, level=_late(nodes, early))


def _early(nodes: Columns) -> Ints:
    """Return for each node the first level after the levels of its operands."""
    below = nodes.maker[nodes.read]
    inner = below >= 0  # inputs and constants come before all levels
    counts = np.bincount(nodes.owner[inner], minlength=len(nodes))
    levels: list[int] = []
    read = map(levels.__getitem__, below[inner].tolist())
    for count in counts.tolist():
        levels.append(1 + max(islice(read, count)) if count else 1)  # noqa: PERF401  # `read` reads this list
    return np.array(levels, dtype=np.int64)


def _late(nodes: Columns, early: Ints) -> Ints:
    """Return the levels of nodes after the groups have moved: see `schedule`."""
    _, first_of, group = distinct(early * len(nodes.kinds) + nodes.kind)
    if len(first_of) == len(nodes):  # each group is a single node
        return early
    levels, kinds = early[first_of].tolist(), nodes.kind[first_of].tolist()
    after, taking, takers_of = _takers(nodes, group, len(levels))
    # A role is a kind of nodes, with the kinds of their users.
    there: dict[Any, list[int]] = {}  # for each role, its levels with a minus sign, the deepest first
    first: dict[Any, int] = {}  # for each role and level, the group that has not moved
    taken: dict[Any, set[int]] = {}  # for each role and level, the users of all groups there, computed when needed
    end = max(levels) + 1
    for g in range(len(levels) - 1, -1, -1):
        role = kinds[g], frozenset(taking[g])
        latest = min([levels[h] for h in after[g]], default=end) - 1
        alike = there.setdefault(role, [])
        at = bisect_left(alike, -latest)
        if at < len(alike):
            place = role, -alike[at]
            if place not in taken:
                taken[place] = takers_of(first[place])
            mine = takers_of(g)
            if mine.isdisjoint(taken[place]):
                taken[place] |= mine
                levels[g] = place[1]
                continue
        alike.append(-levels[g])
        first[role, levels[g]] = g
    return np.array(levels)[group]


def _takers(
    nodes: Columns, group: Ints, count: int
) -> tuple[list[set[int]], list[set[int]], Callable[[int], set[int]]]:
    """Return for each group the groups that use its results, and their kinds; and a function for the nodes.

    The function returns the nodes that use a group's results, without sums.
    """
    n, maker = len(group), nodes.maker[nodes.read]
    made, taker = group[maker[maker >= 0]], nodes.owner[maker >= 0]

    def sets(of_taker: Ints) -> list[set[int]]:
        found: list[set[int]] = [set() for _ in range(count)]
        pairs = np.divmod(distinct(made * n + of_taker[taker])[0], n)
        for g, by in zip(*(column.tolist() for column in pairs), strict=True):
            found[g].add(by)
        return found

    others = ~np.array([kind.name == "sum" for kind in nodes.kinds])[nodes.kind[taker]]
    sort = np.argsort(made[others], kind="stable")
    bounds, takers = np.searchsorted(made[others][sort], np.arange(count + 1)), taker[others][sort]
    return sets(group), sets(nodes.kind), lambda g: set(takers[bounds[g] : bounds[g + 1]].tolist())


def group(nodes: Scheduled) -> Scheduled:
    """Return nodes in the order of their instructions; within an instruction, in the order of their early levels.

    >>> from autograd_mini import exp, trace
    >>> from autograd_mini.program.columns import columns_of
    >>> print(group(schedule(columns_of(trace(lambda x, y: [exp(x), x * y, exp(y)], 1.0, 2.0)))))
    v2 = exp(v0)
    v4 = exp(v1)
    v3 = mul(v0, v1)
    """
    _, first, of_node = distinct(nodes.level * len(nodes.kinds) + nodes.kind)
    return nodes.chosen(np.lexsort((nodes.early, first[of_node], nodes.level)))
