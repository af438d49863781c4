"""Batches of batches: `vmap` of `vmap`.

The examples of all levels become one batch if this copies few numbers: an argument that varies at only one level is
repeated for the examples of the other levels. If it would copy many numbers, the outer examples are run one after the
other, each as a batch. So a stack of weight matrices with one set of examples is one matrix product for each matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..structure import Tree, flatten, is_array, map_leaves
from .arguments import Numbers
from .axes import Axes, is_table, mapped, moved, require_axis
from .separate import each_argument, one_by_one

if TYPE_CHECKING:
    from .batch import Batched
    from .parameters import Argnums

FEW = 4096  # copied numbers for each outer example: to copy this many is faster than to run the example by itself


class _Stack(NamedTuple):
    """An array. Its first axes count the examples of the levels at which it varies."""

    array: Numbers
    varies: tuple[bool, ...]  # for each level so far: whether the array varies there

    @property
    def rest(self) -> tuple[int, ...]:
        """Return the shape of one example."""
        return self.array.shape[sum(self.varies) :]  # type: ignore[no-any-return]

    def further(self, name: str, axis: int | None) -> _Stack:
        """Return this stack with the axis of one more level."""
        if axis is None:
            return _Stack(self.array, (*self.varies, False))
        depth = sum(self.varies)
        require_axis(name, self.rest, axis)
        place = depth + axis % len(self.rest)
        return _Stack(np.moveaxis(self.array, place, depth), (*self.varies, True))

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield the levels at which the array varies, each with its number of examples."""
        levels = [level for level, varies in enumerate(self.varies) if varies]
        return zip(levels, self.array.shape, strict=False)

    def flat(self, sizes: Sequence[int]) -> Numbers:
        """Return the array with one axis for the examples of all levels."""
        lead = [m if varies else 1 for m, varies in zip(sizes, self.varies, strict=True)]
        whole = np.broadcast_to(self.array.reshape(*lead, *self.rest), (*sizes, *self.rest))
        return np.ascontiguousarray(whole).reshape(prod(sizes), *self.rest)


def run(levels: Sequence[Batched], args: tuple[Tree, ...], argnums: Argnums) -> tuple[Tree, Tree]:
    """Return the results and the gradient of batches of batches. The outermost level comes first."""
    outer, name = levels[0], levels[0].name
    axes = [level._axes_of(args, depth) for depth, level in enumerate(levels)]
    stacked = [_stacked(f"{name}, argument {k}", x, [own[k] for own in axes]) for k, x in enumerate(args)]
    stacks = [_stacks(x) for x in stacked]
    sizes = _sizes(name, [stack for some in stacks for stack in some], len(levels))
    copied = sum(prod(sizes) * prod(stack.rest) - stack.array.size for some in stacks for stack in some)
    if copied > FEW * sizes[0]:
        inner = levels[1]
        return one_by_one(lambda example: inner._run(example, argnums), name, args, axes[0], argnums)
    in_axes = tuple(map(_in_axes, stacked))
    whole = [map_leaves(lambda x: x.flat(sizes) if isinstance(x, _Stack) else x, x, _is_leaf) for x in stacked]
    values, gradient = outer.flat(in_axes)._run(tuple(whole), argnums)
    values = map_leaves(lambda x: x.reshape(*sizes, *x.shape[1:]), values, is_array)
    if argnums is None:
        return values, None

    def summed(k: int, slopes: Tree) -> Tree:
        """Return derivatives with an axis for each level at which the argument varies, summed over other levels."""
        given = iter(stacks[k])

        def of(x: Tree, axis: int | None) -> Tree:
            if axis is None:
                return x
            stack = next(given)
            shared = tuple([level for level, varies in enumerate(stack.varies) if not varies])
            return x.reshape(*sizes, *x.shape[1:]).sum(axis=shared)

        return mapped(name, of, slopes, in_axes[k], is_array)

    return values, each_argument(summed, gradient, argnums, len(args))


def _in_axes(x: Tree) -> Axes:
    """Return the axes of the examples in an argument that holds stacks: the first axis of each stack."""
    return map_leaves(lambda part: 0 if isinstance(part, _Stack) else None, x, _is_leaf) if _stacks(x) else None


def _is_leaf(x: object) -> bool:
    return isinstance(x, _Stack) or is_table(x)


def _stacked(name: str, x: Tree, levels: Sequence[Axes]) -> Tree:
    """Return an argument with a stack for each array that varies at some level. Other arrays do not change."""
    for level, axes in enumerate(levels):

        def further(part: Tree, axis: int | None, level: int = level) -> Tree:
            if isinstance(part, _Stack):
                return part.further(name, axis)
            return part if axis is None else _Stack(moved(name, part, axis), (False,) * level + (True,))

        if axes is not None or _stacks(x):
            x = mapped(name, further, x, axes, _is_leaf)
    return x


def _stacks(x: Tree) -> list[_Stack]:
    return [part for part in flatten(x, _is_leaf)[0] if isinstance(part, _Stack)]


def _sizes(name: str, stacks: Sequence[_Stack], levels: int) -> list[int]:
    """Return the number of examples of each level."""
    of_levels: list[set[int]] = [set() for _ in range(levels)]
    for stack in stacks:
        for level, size in stack.sizes():
            of_levels[level].add(size)
    for sizes in of_levels:
        if len(sizes) > 1:
            raise ValueError(f"{name}: the arguments must have the same number of examples, not {sorted(sizes)}")
        if not sizes:
            raise ValueError(f"{name}: in_axes must have an axis for at least one argument, such as 0, not only None")
    return [sizes.pop() for sizes in of_levels]
