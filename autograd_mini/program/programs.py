"""The programs of a function: a call finds its program by its arguments, or traces a new one, and runs it.

This module keeps programs between calls. It must not know the ways to call, or how a program is made or run.
"""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakSet

import numpy as np

from ..node import assignments
from ..ops import TOO_LARGE
from ..settings import by_ieee, in_force
from ..structure import Tree, flatten
from ..tracer import TraceWarning
from ..traces import Trace, trace_call, trace_graph
from .arguments import NUMBERS, Key, Layout, parted, read, typed
from .buffers import Buffer, Workspace
from .looping import traced_with_loops
from .parameters import Parameters
from .specialization import GradientRequest, Specialization

T = TypeVar("T")
ALL: WeakSet[Programs] = WeakSet()  # a forked process gives them new locks
MAX_WAYS = 64  # programs that are kept for one structure of arguments, each for other outcomes of its branches


class Programs:
    """The programs of a function, or of an existing graph, and their buffers."""

    def __init__(
        self, name: str, f: Callable[..., Tree] | None, static: tuple[int, ...], check: bool, runner: str | None
    ) -> None:
        self.name, self.function = name, f
        self.parameters, self._given_static = Parameters(name, f), static
        self.static, self.check, self.runner = (*static, *self.parameters.static), check, runner
        self.loops = True  # whether programs may have loops; if not, all loops are unrolled
        self._without_loops: Programs | None = None
        self._unlock()
        self._kept: dict[Hashable, list[Specialization]] = {}
        self.prepared: dict[Hashable, object] = {}  # prepared calls of batches; the module `batch` uses this
        self._free: list[Buffer] = []  # buffers that no call is using; pop and append are safe among threads
        self._graph: tuple[Tree, Tree] | None = None  # outputs and inputs, if there is no function
        self._checked = assignments()  # the count of assignments at the last check of constants from outside
        self._calls = 0  # counted for functions with several programs
        self._warned = False

    def run(
        self,
        args: tuple[Tree, ...],
        use: Callable[[Workspace, GradientRequest | None], T],
        argnums: int | Sequence[int] | None = None,
        *,
        fill: bool = False,
        alone: bool = False,
    ) -> T:
        """Run the program for some arguments, and return `use(workspace, request)`. With argnums, also run backward.

        With `fill`, copy the numbers of the arguments to their places, and run the program only if it has branches.
        A call that finds no program waits for other threads. Then it looks again, with `alone`, before it traces.
        """
        name = self.name
        if assignments() != self._checked:
            self.drop_moved()
        places: list[int] = []  # places of static arguments
        chunks: Tree = []
        keys: tuple[Key, ...]
        key: Hashable
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
        for specialization in kept:
            request = self._request(specialization, argnums)
            workspace = buffer.workspace(specialization)
            workspace.fill(chunks)
            if (fill and not specialization.branches) or workspace.run(request):
                if len(kept) > 1:
                    self._calls += 1
                    specialization.called = self._calls
                break
        else:
            if not alone:
                with self.lock:
                    return self.run(args, use, argnums, fill=fill, alone=True)
            specialization = self._keep(self._traced(args, places, keys, chunks), kept)
            request = self._request(specialization, argnums)
            workspace = buffer.workspace(specialization)
            workspace.fill(chunks)
            if not fill or specialization.branches:
                # Do not check the branches again: the program may round a sum otherwise than Python, and then a
                # branch may come out otherwise than in the trace.
                workspace.run(request, ask=False)
        if in_force.count:
            specialization.tell_constants()
        if self.check and not fill:
            specialization.require_finite(workspace.d)
        result = use(workspace, request)
        self._free.append(buffer)  # after an error the buffer is dropped, because its derivatives may be wrong
        return result

    def _request(self, specialization: Specialization, argnums: int | Sequence[int] | None) -> GradientRequest | None:
        """Return the gradient request for argnums, or None without argnums."""
        if argnums is None:
            return None
        if self.parameters.by_name:
            argnums = self.parameters.counted(argnums, specialization.count)
        return specialization.request(self.name, argnums)

    def all(self) -> list[Specialization]:
        """Return all programs."""
        if assignments() != self._checked:
            self.drop_moved()
        return [one for kept in self._kept.values() for one in kept]

    def pickled(self) -> list[Specialization]:
        """Return all programs, which are all that is left of a function that could not be pickled.

        Raises:
            TypeError: there is none.
        """
        programs = self.all()
        if not programs:
            raise TypeError(
                f"{self.name}: Python could not pickle its function, and it had no program yet: "
                "call it before you pickle it"
            )
        return programs

    def specialization(
        self, args: tuple[Tree, ...], argnums: int | Sequence[int] | None = None, *, fill: bool = False
    ) -> Specialization:
        """Run the program for some arguments like `run`, and return the program."""
        return self.run(args, lambda workspace, _: workspace.specialization, argnums, fill=fill)

    def alike(self, args: tuple[Tree, ...]) -> list[Specialization]:
        """Return the programs for the structure of some arguments, one for each way through the branches.

        Without arguments, return the programs of the only structure.

        Raises:
            LookupError: there are no programs, or programs for several structures.
        """
        if args:
            own = self.specialization(args)
            return next(kept for kept in self._kept.values() if own in kept)
        self.all()  # drops programs whose constants have changed
        alike = [kept for kept in self._kept.values() if kept]
        if len(alike) != 1:
            raise LookupError(
                f"{self.name}: there are programs for {len(alike)} structures of arguments: give arguments of one"
                if alike
                else f"{self.name}: there is no program yet: call the function first, or give arguments"
            )
        return alike[0]

    def drop_moved(self) -> bool:
        """Drop programs whose constants come from Values outside of the function, if these Values have changed."""
        now = assignments()
        keys = [key for key, kept in self._kept.items() if any(one.trace.moved() is not None for one in kept)]
        moved = bool(keys)
        if moved and self._graph is not None:
            self.take_graph(*self._graph)  # if this raises an error, the next call tries again
        else:
            for key in keys:
                self._kept[key] = [one for one in self._kept[key] if one.trace.moved() is None]
        if self._without_loops is not None and self._without_loops.drop_moved():
            moved = True
        if moved:
            self.prepared.clear()
        self._checked = now
        return moved

    def without_loops(self) -> Programs:
        """Return the programs of the same function without loops: all loops are unrolled."""
        if self.function is None:
            raise ValueError(
                f"{self.name}: its loops cannot be written out, because a pickled program has no Python function"
            )
        if self._without_loops is None:
            made = Programs(self.name, self.function, self._given_static, self.check, self.runner)
            made.loops = False
            self._without_loops = made
        return self._without_loops

    def take_graph(self, outputs: Tree, inputs: Tree) -> None:
        """Make the program of an existing graph."""
        self._graph = outputs, inputs
        traced = trace_graph(outputs, inputs)
        chunks: list[Tree] = []
        keys = (read("compile", traced.into.parts[0].rebuild(traced.primals), chunks),)
        self._kept = {keys: [Specialization(traced, Layout(["x"], keys, chunks), self.runner)]}

    def _new(self, key: Hashable, args: tuple[Tree, ...]) -> list[Specialization]:
        """Return the new list of programs for a structure of arguments that no call has had before."""
        if self.function is None:
            into = " or ".join(str(one.trace.into) for one in self.pickled())
            raise TypeError(f"{self.name}: the inputs must have the structure {into}, not {flatten(args)[1]}")
        return self._kept.setdefault(key, [])  # all threads get the same list

    def _keep(self, made: Specialization, kept: list[Specialization]) -> Specialization:
        """Keep a program beside those for other branches, if it is new, and return the program to run.

        If there are too many programs, the least recently called one is dropped.
        """
        for other in kept:
            if made.branches and other.branches == made.branches:
                return other
        if len(kept) == MAX_WAYS:
            kept.remove(min(kept, key=lambda other: other.called))
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"{self.name}: its calls have taken more than {MAX_WAYS} different ways through its branches. Each "
                    "way is a program of its own, so from now on programs are dropped and traced again. Branch on "
                    "fewer numbers, or name the compared arguments in static_argnums",
                    TraceWarning,
                    stacklevel=5,
                )
        self._calls += 1
        made.called = self._calls
        kept.append(made)
        return made

    def _traced(
        self, args: tuple[Tree, ...], static: list[int], keys: tuple[Key, ...], chunks: list[Tree]
    ) -> Specialization:
        """Trace the function with these numbers, and return its program."""
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
        return Specialization(made, layout, self.runner, static)

    def __getstate__(self) -> dict[str, Any]:
        state = {**vars(self), "prepared": {}, "_free": [], "_graph": None, "_checked": 0}
        del state["lock"]
        try:
            pickle.dumps(self.function)
        except (
            AttributeError,
            TypeError,
            pickle.PicklingError,
        ):  # a lambda, a closure, or a function that a decorator replaced
            state["function"] = _place_of(self.function)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if isinstance(self.function, tuple):
            self.function = _function_at(*self.function)
        self._unlock()

    def _unlock(self) -> None:
        """Make a new lock. A thread holds it while it traces the function."""
        self.lock = threading.RLock()
        ALL.add(self)


def _function_at(module: str, name: str) -> Callable[..., Any] | None:
    """Return the Python function of the compiled function with this name in a module."""
    with suppress(ImportError):
        importlib.import_module(module)
    x: Any = sys.modules.get(module)
    for part in name.split("."):
        x = getattr(x, part, None)
    return getattr(getattr(x, "_programs", None), "function", None)


def _place_of(f: object) -> tuple[str, str] | None:
    """Return the module and the name of a function that `compile` decorates, or None for other functions."""
    place = getattr(f, "__module__", ""), getattr(f, "__qualname__", "")
    return place if _function_at(*place) is f else None


def _unhashable(name: str, static: list[object]) -> TypeError:
    wrong = f"static arguments must be hashable, not {static}"
    return TypeError(f"{name}: {wrong if static else 'the constant part of a container must be hashable'}")


def _unlock_all() -> None:
    for programs in ALL:
        programs._unlock()


if hasattr(os, "register_at_fork"):  # the child has no thread that could release a held lock
    os.register_at_fork(after_in_child=_unlock_all)
