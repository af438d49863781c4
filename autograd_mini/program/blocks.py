"""Blocks of instructions that branch and join, and the values of names where blocks join."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from ..source import Unreadable
from .primitives import BOOL
from .values import ORDER, Failed, Number, Object, Values, is_same, rebuilt

Edge = tuple[ir.Block, Any]  # the end of a block, and its names with their values, or the value of its expression
Key = tuple[int | str, ...]  # of a variable of a loop: the loop, the name, and places in lists
Phis = list[tuple[Key, ir.PhiInstr]]
NOTHING = object()  # stands for the value of a name that some block does not define


class Promote(Exception):
    """A loop's variable has another kind after the loop's body, so the function is built again with that kind."""


class Blocks(Values):
    """The builder of branches: blocks of instructions, of which only some run."""

    def join(self, edges: Sequence[Edge]) -> Any:
        """Join several blocks in a new one, and return the joined names or the joined value."""
        if len(edges) == 1:
            self.b.position_at_end(edges[0][0])
            return edges[0][1]
        blocks, xs = zip(*edges, strict=True)
        meeting = self.b.append_basic_block()
        if isinstance(xs[0], dict):
            shared = [name for name in xs[0] if all(name in x for x in xs)]
            merged = {name: self.merged([x[name] for x in xs], blocks, meeting) for name in shared}
            result: Any = {name: x for name, x in merged.items() if x is not NOTHING}
        else:
            result = self.merged(xs, blocks, meeting)
            if result is NOTHING:
                raise Unreadable("its results are not all numbers")
        for block in blocks:
            self.b.position_at_end(block)
            self.b.branch(meeting)
        self.b.position_at_end(meeting)
        return result

    def merged(self, xs: Sequence[Object], blocks: Sequence[ir.Block], meeting: ir.Block) -> Object:
        """Return the value of a name after several blocks, from its values at their ends."""
        first = xs[0]
        if all(is_same(first, x) for x in xs[1:]):
            return first
        if all(isinstance(x, (tuple, list)) and type(x) is type(first) and len(x) == len(first) for x in xs):
            return rebuilt(first, [self.merged(parts, blocks, meeting) for parts in zip(*xs, strict=True)])
        try:
            kind = self.common(xs)
        except Unreadable:
            return NOTHING
        values = []
        for x, block in zip(xs, blocks, strict=True):
            self.b.position_at_end(block)
            values.append(self.converted(x, kind))
        self.b.position_at_end(meeting)
        phi = self.b.phi(kind)
        for value, block in zip(values, blocks, strict=True):
            phi.add_incoming(value, block)
        return Number(self, phi)

    def two_ways(self, condition: ir.Value, builds: Sequence[Callable[[], tuple[bool, Any]]]) -> list[Edge]:
        """Build two blocks with a condition between them, and return the ends of blocks that do not leave."""
        if condition.type != BOOL:
            raise Unreadable("a vector is no condition: use `where`")
        edges: list[Edge] = []
        blocks = [self.b.append_basic_block() for _ in builds]
        self.b.cbranch(condition, *blocks)
        for block, build in zip(blocks, builds, strict=True):
            self.b.position_at_end(block)
            try:
                goes_on, x = build()
            except Failed:
                self.give_up()
            else:
                edges += [(self.b.block, x)] * goes_on
        return edges

    def either(self, test: Object, first: Callable[[], Object], second: Callable[[], Object]) -> Object:
        """Return the value of one of two expressions; a condition chooses it, and only this one is computed."""
        condition = self.truth(test)
        if isinstance(condition, bool):
            return first() if condition else second()
        edges = self.two_ways(condition, [lambda: (True, first()), lambda: (True, second())])
        if not edges:
            raise Failed
        return self.join(edges)

    def give_up(self) -> None:
        """End a block that has failed: jump to the end of the function that reports it."""
        if not self.b.block.is_terminated:
            self.b.branch(self.failing)

    # The variables of loops.

    def opened(self, x: Object, key: Key, start: ir.Block, head: ir.Block, phis: Phis) -> Object:
        """Return the value of a loop's variable at the head of each turn; in the first turn it comes from `start`."""
        if isinstance(x, (tuple, list)):
            return rebuilt(x, [self.opened(part, (*key, k), start, head, phis) for k, part in enumerate(x)])
        kind = self.unit.hints.get(key) or self.kind_of(x)
        if kind is None:
            raise Unreadable(f"{key[1]} changes in a loop and is no number")
        self.b.position_at_end(start)
        value = self.converted(x, kind)
        self.b.position_at_end(head)
        phi = self.b.phi(kind)
        phi.add_incoming(value, start)
        phis.append((key, phi))
        return Number(self, phi)

    def closed(self, phis: Phis, xs: Sequence[Object]) -> None:
        """Connect the values at the end of a turn to the loop's variables."""
        if len(xs) != len(phis):
            raise Unreadable("a list changes its length in a loop")
        for (key, phi), x in zip(phis, xs, strict=True):
            kind = self.kind_of(x)
            if kind in ORDER and phi.type in ORDER and ORDER.index(kind) > ORDER.index(phi.type):
                raise Promote(key, kind)
            phi.add_incoming(self.converted(x, phi.type), self.b.block)
