"""Values and gradients of many calls. An executor runs the calls on threads, in processes, or on other machines.

This module sends a compiled function to workers, and adds the results. It must not know how a program is run.
"""

from __future__ import annotations

import functools
import pickle
import warnings
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from operator import add
from typing import TYPE_CHECKING

import numpy as np

from ..printing import counted
from ..structure import Tree, flatten, is_array

if TYPE_CHECKING:
    from .compiler import Compiled


def summed_over(
    compiled: Compiled, shards: list[tuple[Tree, ...]], executor: Executor, argnums: int | Sequence[int]
) -> tuple[Tree, Tree]:
    """Return the sums of value and gradient over several calls; see `Compiled.value_and_grad_over`."""
    if not shards:
        raise ValueError(f"{compiled.name}: there are no shards")
    # Trace once, here. Programs find the parameters of a module by the object, so each call must send the module, and
    # the function with it.
    programs = compiled._programs
    owners = programs.specialization(compiled._placed(shards[0], {}), argnums).layout.owners
    frozen = pickle.dumps(compiled)
    running: list[Future[Tree] | None] = []
    for shard in shards:
        try:
            if owners:
                running.append(executor.submit(_value_and_grad_of, pickle.dumps((compiled, shard)), argnums))
            else:
                running.append(executor.submit(_thawed_value_and_grad, frozen, shard, argnums))
        except BrokenExecutor:
            running.append(None)
    total: Tree = None
    lost = 0
    for shard, future in zip(shards, running, strict=True):
        try:
            found = None if future is None else future.result()
        except BrokenExecutor:
            found = None
        if found is None:
            lost += 1
            found = compiled.value_and_grad(*shard, argnums=argnums)
        total = found if total is None else _sum(compiled.name, total, found)
    if lost:
        warnings.warn(
            f"{compiled.name}: the executor broke; {lost} of {counted(len(shards), 'shard')} ran in this process",
            stacklevel=3,
        )
    return total  # type: ignore[no-any-return]  # a pair


def _thawed_value_and_grad(frozen: bytes, shard: tuple[Tree, ...], argnums: int | Sequence[int]) -> Tree:
    """Call a pickled program in a worker, which unpickles it only once."""
    return _thawed(frozen).value_and_grad(*shard, argnums=argnums)


def _value_and_grad_of(frozen: bytes, argnums: int | Sequence[int]) -> Tree:
    """Call a program in a worker, pickled together with its arguments."""
    compiled, shard = pickle.loads(frozen)
    return compiled.value_and_grad(*shard, argnums=argnums)


@functools.lru_cache(maxsize=4)
def _thawed(frozen: bytes) -> Compiled:
    made: Compiled = pickle.loads(frozen)
    return made


def _sum(name: str, a: tuple[Tree, Tree], b: tuple[Tree, Tree]) -> Tree:
    """Add values and gradients: numbers and arrays in equal structures."""
    (xs, structure), (ys, other) = flatten(a, is_array), flatten(b, is_array)
    if structure != other or list(map(np.shape, xs)) != list(map(np.shape, ys)):
        shapes = " and ".join(str(flatten(gradient)[1]) for _, gradient in (a, b))
        raise ValueError(f"{name}: gradients of the shapes {shapes} cannot be added: give all shards the same shapes")
    return structure.rebuild(map(add, xs, ys))
