"""The programs of a function: each found by the arguments of a call, or traced, and run.

This module has what is kept between calls. It must not know the ways to call, and not how a program is made or run.
"""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakSet

import numpy as np

from ..ops import TOO_LARGE
from ..settings import by_ieee
from ..structure import flatten
from ..tracer import TraceWarning
from ..traces import Trace, trace_call, trace_graph
from ..value import assignments
from .arguments import NUMBERS, Key, Layout, parted, read, typed
from .buffers import Buffer, Workspace
from .looping import traced_with_loops
from .parameters import Parameters
from .specialization import GradientRequest, Specialization

__all__ = ["Programs"]

T = TypeVar("T")
ALL: WeakSet[Programs] = WeakSet()  # to give them new locks in a process that was forked
WAYS = 64  # the programs that are kept of one structure of arguments, each for other branches


class Programs:
    """The programs of a function, or of a graph that exists, and the buffers that they run in."""

    def __init__(
        self, name: str, f: Callable[..., Any] | None, static: tuple[int, ...], check: bool, runner: str | None
    ) -> None:
        self.name, self.function = name, f
        self.parameters, self._given_static = Parameters(name, f), static
        self.static, self.check, self.runner = (*static, *self.parameters.static), check, runner
        self.loops = True  # whether they may have loops; without them all loops are written out
        self._without_loops: Programs | None = None
        self._unlock()
        self._kept: dict[Any, list[Specialization]] = {}
        self.prepared: dict[Any, Any] = {}  # calls of batches, of the module `batch`
        self._free: list[Buffer] = []  # which no call is using; to pop and to append are safe among threads
        self._graph: tuple[Any, Any] | None = None  # outputs and inputs, where there is no function
        self._checked = assignments()  # when the numbers that programs keep of outside were last looked at
        self._calls = 0  # of functions with several programs
        self._warned = False

    def run(
        self,
        args: tuple[Any, ...],
        use: Callable[[Workspace, GradientRequest | None], T],
        argnums: int | Sequence[int] | None = None,
        *,
        fill: bool = False,
        alone: bool = False,
    ) -> T:
        """Run the program for some arguments; with argnums also backward. Return what `use` makes of its workspace.

        With `fill` the numbers of the arguments are put in their places, and nothing is run unless there are branches.
        A call that finds no program waits for other threads, and looks again, `alone`, before it traces.
        """
        name = self.name
        if assignments() != self._checked:
            self.drop_moved()
        places: list[int] = []  # of static arguments
        chunks: Any = []
        keys: tuple[Key, ...]
        key: Any
        if self.static:
            places, others = parted(self.static, len(args))
            keys = tuple([read(name, args[k], chunks) for k in others])
            key = keys, tuple([(k, typed(args[k])) for k in places])
        elif NUMBERS.issuperset(map(type, args)):
            chunks = args
            key = keys = (None,) * len(args)
        else:
            key = keys = tuple([read(name, x, chunks) for x in args])
        try:
            kept = self._kept.get(key)
        except TypeError:
            raise _unhashable(name, [args[k] for k in places]) from None
        if kept is None:
            kept = self._new(key, args)
        try:
            buffer = self._free.pop()
        except IndexError:
            buffer = Buffer()
        for found in kept:
            request = self._request(found, argnums, len(args), places)
            workspace = buffer.workspace(found)
            workspace.fill(chunks)
            if (fill and not found.branches) or workspace.run(request):
                if len(kept) > 1:
                    self._calls += 1
                    found.called = self._calls
                break
        else:
            if not alone:
                with self.lock:
                    return self.run(args, use, argnums, fill=fill, alone=True)
            found = self._keep(self._traced(args, places, keys, chunks), kept)
            request = self._request(found, argnums, len(args), places)
            workspace = buffer.workspace(found)
            workspace.fill(chunks)
            if not fill or found.branches:
                # Not asked again whether branches hold: where sums round otherwise than Python's, they may not.
                workspace.run(request, ask=False)
        if self.check and not fill:
            found.require_finite(workspace.d)
        result = use(workspace, request)
        self._free.append(buffer)  # not where an error was raised on the way: its derivatives may be in disorder
        return result

    def _request(
        self, found: Specialization, argnums: int | Sequence[int] | None, n: int, static: list[int]
    ) -> GradientRequest | None:
        """Return the derivatives that argnums asks for, None without any."""
        if argnums is None:
            return None
        if self.parameters.by_name:
            argnums = self.parameters.counted(argnums, n)
        return found.request(self.name, argnums, n, static)

    def all(self) -> list[Specialization]:
        """Return all programs that are kept."""
        if assignments() != self._checked:
            self.drop_moved()
        return [found for kept in self._kept.values() for found in kept]

    def alike(self, args: tuple[Any, ...]) -> list[Specialization]:
        """Return the programs for arguments of a structure, each of other branches; without arguments of the only one.

        Raises:
            LookupError: there are no programs, or those of several structures.
        """
        if args:
            own = self.run(args, lambda workspace, _: workspace.specialization)
            return next(kept for kept in self._kept.values() if own in kept)
        self.all()  # lets go of programs whose constants are others by now
        found = [kept for kept in self._kept.values() if kept]
        if len(found) != 1:
            there = f"are programs for {len(found)} structures of arguments" if found else "is no program"
            raise LookupError(f"{self.name}: there {there}: give arguments to choose by, or call it first")
        return found[0]

    def drop_moved(self) -> bool:
        """Let go of programs with constants that are numbers of Values of outside, where these are others by now."""
        now = assignments()
        keys = [key for key, kept in self._kept.items() if any(found.trace.moved() is not None for found in kept)]
        moved = bool(keys)
        if moved and self._graph is not None:
            self.take_graph(*self._graph)  # or an error, at the next call again
        else:
            for key in keys:
                self._kept[key] = [found for found in self._kept[key] if found.trace.moved() is None]
        if self._without_loops is not None and self._without_loops.drop_moved():
            moved = True
        if moved:
            self.prepared.clear()
        self._checked = now
        return moved

    def without_loops(self) -> Programs:
        """Return the programs of the same function in which all loops are written out."""
        if self.function is None:
            raise ValueError(
                f"{self.name}: vmap writes out a loop whose n is an input, and its Python function is not here"
            )
        if self._without_loops is None:
            made = Programs(self.name, self.function, self._given_static, self.check, self.runner)
            made.loops = False
            self._without_loops = made
        return self._without_loops

    def take_graph(self, outputs: Any, inputs: Any) -> None:
        """Make the program of a graph that exists."""
        self._graph = outputs, inputs
        traced = trace_graph(outputs, inputs)
        chunks: list[Any] = []
        keys = (read("compile", traced.into.parts[0].rebuild(traced.primals), chunks),)
        self._kept = {keys: [Specialization(traced, Layout(["x"], keys, chunks), self.runner)]}

    def _new(self, key: Any, args: tuple[Any, ...]) -> list[Specialization]:
        """Return the list of programs for arguments of a structure that was not met before."""
        if self.function is None:
            into = " or ".join(str(found.trace.into) for found in self.all())
            raise TypeError(f"{self.name}: the inputs must have the structure {into}, not {flatten(args)[1]}")
        return self._kept.setdefault(key, [])  # of which threads get the same one

    def _keep(self, made: Specialization, kept: list[Specialization]) -> Specialization:
        """Keep a program beside those of other branches, if it is new, and return the one to run.

        The one that was not called for longest makes room.
        """
        for other in kept:
            if made.branches and other.branches == made.branches:
                return other
        if len(kept) == WAYS:
            kept.remove(min(kept, key=lambda other: other.called))
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"{self.name}: its branches have gone more than {WAYS} ways, each of which is traced and kept as a "
                    "program of its own; from now on programs are dropped and traced again. Branch on fewer numbers, "
                    "or name in static_argnums what they are compared with",
                    TraceWarning,
                    stacklevel=5,
                )
        self._calls += 1
        made.called = self._calls
        kept.append(made)
        return made

    def _traced(
        self, args: tuple[Any, ...], static: list[int], keys: tuple[Key, ...], chunks: list[Any]
    ) -> Specialization:
        """Trace the function as it goes with these numbers, and return its program."""
        f = self.function
        if f is None:
            raise ValueError(f"{self.name}: Python code would have taken another branch with these numbers")
        dynamic = [k for k in range(len(args)) if k not in static]
        layout = Layout(self.parameters.names(dynamic, len(args)), keys, chunks)
        numbers = np.zeros(layout.size)
        try:
            for place, chunk in zip(layout.views(numbers), chunks, strict=True):
                place[...] = chunk
        except OverflowError:
            raise OverflowError(f"{self.name}: {TOO_LARGE}") from None
        leaves = layout.leaves(numbers)
        if len(set(leaves)) != len(leaves):
            raise ValueError(f"{self.name}: the same parameter is in two of the modules that are given")
        whole = dict(zip(dynamic, layout.arguments(leaves), strict=True)) | {k: args[k] for k in static}

        placed = [whole[k] for k in range(len(args))]

        def call() -> Trace:
            return trace_call(self.name, lambda: self.parameters.call(f, placed), leaves)

        with by_ieee():
            made = traced_with_loops(call, self.runner, self.loops)
        made = replace(made if self.check else made.by_rows(), into=layout.structure(leaves))
        return Specialization(made, layout, self.runner)

    def __getstate__(self) -> dict[str, Any]:
        state = {**vars(self), "prepared": {}, "_free": [], "_graph": None, "_checked": 0}
        del state["lock"]
        try:
            pickle.dumps(self.function)
        except (AttributeError, TypeError, pickle.PicklingError):  # a lambda, a closure, or what a decorator replaced
            state["function"] = _place_of(self.function)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if isinstance(self.function, tuple):
            self.function = _function_at(*self.function)
        self._unlock()

    def _unlock(self) -> None:
        """Make the lock that is held while the function is traced."""
        self.lock = threading.RLock()
        ALL.add(self)


def _function_at(module: str, name: str) -> Callable[..., Any] | None:
    """Return the function of the compiled function that has a name in a module."""
    with suppress(ImportError):
        importlib.import_module(module)
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return getattr(getattr(found, "_programs", None), "function", None)


def _place_of(f: Any) -> Any:
    """Return the module and the name of a function that `compile` decorates; None for another."""
    place = getattr(f, "__module__", ""), getattr(f, "__qualname__", "")
    return place if _function_at(*place) is f else None


def _unhashable(name: str, static: list[Any]) -> TypeError:
    wrong = f"static arguments must be hashable, not {static}"
    return TypeError(f"{name}: {wrong if static else 'what a container keeps beside its parts must be hashable'}")


def _unlock_all() -> None:
    for programs in ALL:
        programs._unlock()


if hasattr(os, "register_at_fork"):  # in a child no thread is left that would let go of a lock
    os.register_at_fork(after_in_child=_unlock_all)
