"""Values and gradients of many calls, which an executor runs: of threads, of processes, or of another machine.

This module has the way of a compiled function to a worker and back. It must not know how a program is run.
"""

from __future__ import annotations

import functools
import pickle
import warnings
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from ..structure import flatten, is_array

if TYPE_CHECKING:
    from .compiler import Compiled

__all__ = ["summed_over"]


def summed_over(
    compiled: Compiled, shards: list[tuple[Any, ...]], executor: Executor, argnums: int | Sequence[int]
) -> tuple[Any, Any]:
    """Return the sums of value and gradient over several calls; see `Compiled.value_and_grad_over`."""
    if not shards:
        raise ValueError(f"{compiled.name}: there are no shards")
    # Traced here, once. A module is known to programs as the object that it is, and so goes along with each call.
    owners = compiled.layout(*shards[0], argnums=argnums).owners
    frozen = pickle.dumps(compiled)
    running: list[Future[Any] | None] = []
    for shard in shards:
        try:
            if owners:
                running.append(executor.submit(_value_and_grad_of, pickle.dumps((compiled, shard)), argnums))
            else:
                running.append(executor.submit(_thawed_value_and_grad, frozen, shard, argnums))
        except BrokenExecutor:
            running.append(None)
    total: Any = None
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
            f"{compiled.name}: the executor broke; {lost} of {len(shards)} shards were run here", stacklevel=3
        )
    return total  # type: ignore[no-any-return]  # a pair


def _thawed_value_and_grad(frozen: bytes, shard: tuple[Any, ...], argnums: Any) -> Any:
    """Call a pickled program, in a worker; it is unpickled once there."""
    return _thawed(frozen).value_and_grad(*shard, argnums=argnums)


def _value_and_grad_of(frozen: bytes, argnums: Any) -> Any:
    """Call a program that was pickled with its arguments, in a worker."""
    compiled, shard = pickle.loads(frozen)
    return compiled.value_and_grad(*shard, argnums=argnums)


@functools.lru_cache(maxsize=4)
def _thawed(frozen: bytes) -> Compiled:
    made: Compiled = pickle.loads(frozen)
    return made


def _sum(name: str, a: tuple[Any, Any], b: tuple[Any, Any]) -> Any:
    """Add values and gradients, numbers and arrays in structures of one kind."""
    (xs, structure), (ys, other) = flatten(a, is_array), flatten(b, is_array)
    if structure != other or list(map(np.shape, xs)) != list(map(np.shape, ys)):
        shapes = " and ".join(str(flatten(gradient)[1]) for _, gradient in (a, b))
        raise ValueError(f"{name}: gradients of the shapes {shapes} cannot be added: give all shards the same shapes")
    return structure.rebuild(map(add, xs, ys))
