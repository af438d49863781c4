r"""`compile`: a function or a graph, traced and lifted once, and run as a vector program from then on.

This room owns what is kept between calls, and the ways to call. It must not know how a program is found or
run.
"""

from __future__ import annotations

import functools
import inspect
import pickle
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

import numpy as np

from ..nn.module import Module
from ..ops import TOO_LARGE
from ..structure import flatten
from ..traces import COMPARE, Trace, TraceWarning, trace_call, trace_graph
from ..transform import hvp, jvp
from ..value import Value, assignments, by_ieee
from .adjoint import written_backward
from .arguments import NUMBERS, Layout, at, each, parted, read
from .batch import Batched
from .kernels import runner as runner_of
from .lift import Program, lift
from .notation import written
from .runner import Task, way_back

if TYPE_CHECKING:
    from ..signatures import CompiledFunction, Derived, Slope, ValueSlope

__all__ = ["Bound", "Compiled", "compile"]

P = ParamSpec("P")
R = TypeVar("R")
WAYS = 64  # the programs that are kept of one structure of arguments, each for other branches


class _Entry:
    """A trace with its program, and where arguments go and results come from."""

    def __init__(self, traced: Trace, layout: Layout, runner: str | None, rooms: list[_Room]) -> None:
        self.trace = traced.fold_constants().common_subexpressions().dead_code()
        self.layout = layout
        self.program = lift(self.trace)
        self.runner = runner_of(self.program, runner)
        slots = self.program.slots

        def slot(x: int | float) -> Any:
            return int(slots[x]) if isinstance(x, int) else x

        self.outputs = [slot(z) for z in self.trace.outputs]
        self.places = each(self.trace.out.rebuild(self.outputs), _indices)
        self.output = self.outputs[0] if self.trace.out.kind is None and isinstance(self.outputs[0], int) else None
        self.branches = [(COMPARE[b.sign], slot(b.left), slot(b.right), b.outcome) for b in self.trace.branches]
        self.rooms = rooms
        self.called = 0  # the last call, where there are several programs
        self._asked: dict[Any, Asked] = {}
        self.plans: dict[Any, Any] = {}  # of batches

    def run(self, chunks: Any, asked: Asked | None, *, ask: bool = True, fill: bool = False) -> _Space | None:
        """Run the program on the numbers of some arguments; None where Python code would have branched otherwise.

        With `fill` only the numbers of the arguments are put in their places, if there are no branches.
        """
        try:
            room = self.rooms.pop()  # to be put back when its numbers have been read
        except IndexError:
            room = _Room()
        space = room.last
        if space is None or space.entry is not self:
            space = room.of(self)
        space.fill(chunks)
        if fill and not self.branches:
            return space
        forward, backward, both = space.tasks.get(asked) or space.ready(asked)
        if asked is not None and not (ask and self.branches):
            both()
        else:
            forward()
            if ask and not self.holds(space.d):
                self.rooms.append(room)
                return None
            if asked is not None:
                backward()
        return space

    def asked(self, name: str, argnums: Any, n: int, static: list[int]) -> Asked:
        """Return the derivatives that argnums asks for, of n arguments of which those at some places are static."""
        kind = type(argnums)
        if kind is not int and kind is not tuple:  # of NumPy, a list
            argnums = int(argnums) if hasattr(argnums, "__index__") else tuple(argnums)
        found = self._asked.get(argnums)
        if found is None:
            self.trace.require_one_output()
            dynamic = {k: i for i, k in enumerate(k for k in range(n) if k not in static)}
            several = argnums if isinstance(argnums, tuple) else (argnums,)
            for k in several:
                if not -n <= k < n or k % n not in dynamic:
                    are = "is 1 argument" if n == 1 else f"are {n} arguments"
                    given = f"there {are}" + f", of which {static} are static" * bool(static)
                    raise ValueError(f"{name}: argnums {argnums}, but {given}")
            places = [dynamic[k % n] for k in several]
            spans = [self.layout.span(k) for k in places]
            way = None if self.output is None else self.runner.way(*way_back(self.program, self.output, spans))
            everything = several is argnums and places == list(range(len(dynamic)))
            found = self._asked[argnums] = Asked(places, several is not argnums, way, everything)
        return found

    def holds(self, d: Any) -> bool:
        """Return whether Python code would have taken the branches that were traced."""
        return all(
            compare(d[x], d[y] if isinstance(y, int) else y) == outcome for compare, x, y, outcome in self.branches
        )

    def require_finite(self, space: _Space) -> None:
        """Raise Python's own error where a result is nan or inf."""
        if not all(np.isfinite(space.d[z]) for z in self.outputs if isinstance(z, int)):
            named = zip(space.inputs.tolist(), self.trace.inputs, strict=True)
            self.trace._run([Value(x, label) for x, label in named])

    def results(self, d: Any) -> Any:
        """Return the outputs in their structure."""
        if self.output is not None:
            return d.item(self.output)
        return at(self.places, d)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_asked": {}, "plans": {}}


def _indices(place: Any) -> Any:
    """Return the places of an array's numbers as an index, where none is a constant."""
    if isinstance(place, np.ndarray) and all(isinstance(z, int) for z in place.flat):
        return place.astype(int)
    return place


@dataclass(frozen=True, eq=False)
class Asked:
    """What `argnums` asks for."""

    places: list[int]  # of the arguments that are not static
    single: bool
    way: Any  # back
    everything: bool  # all arguments, in order

    def of(self, part: Callable[[int], Any]) -> Any:
        """Return the parts that are asked for."""
        if self.single:
            return part(self.places[0])
        return tuple([part(k) for k in self.places])


class _Room:
    """The arrays of a run. All programs of a function take turns in one, threads in some: what was used last is near.

    Derivatives are -0.0 but for those of the last program's inputs and constants.
    """

    def __init__(self) -> None:
        self.d = self.grad = np.zeros(0)
        self.spaces: dict[_Entry, _Space] = {}
        self.last: _Space | None = None

    def of(self, entry: _Entry) -> _Space:
        """Return the places of a program's numbers, with its constants there."""
        program = entry.program
        n, size = program.inputs, program.size + entry.runner.room
        if size > len(self.d):
            self.d, self.grad = np.zeros(size), np.full(size, -0.0)
            self.spaces = {}
        elif self.last is not None:
            before = self.last.entry.program
            self.grad[n : before.inputs + len(before.constants)] = -0.0
        space = self.spaces.get(entry)
        if space is None:
            space = self.spaces[entry] = _Space(entry, self, self.d[:size], self.grad[:size])
        space.d[n : n + len(program.constants)] = program.constants
        self.last = space
        return space

    def __reduce__(self) -> Any:
        return _Room, ()


class _Space:
    """The places of a program's numbers and of their derivatives."""

    def __init__(self, entry: _Entry, room: _Room, d: Any, grad: Any) -> None:
        n = entry.program.inputs
        self.entry, self.room, self.d, self.grad = entry, room, d, grad
        self.inputs, self.slopes = d[:n], grad[:n]  # derivatives of inputs
        self.layout = entry.layout
        self.places = self.layout.views(self.d)
        self.tasks: dict[Asked | None, tuple[Task, Task, Task]] = {}
        self.copies = [_copies(arrays) for arrays in self.layout.arrays(self.slopes)]

    def ready(self, asked: Asked | None) -> tuple[Task, Task, Task]:
        """Return tasks that run the program forward, backward, and both ways, and keep them."""
        runner, z = self.entry.runner, self.entry.output
        if asked is None:
            tasks = (runner.task(self.d),) * 3
        elif z is None:  # the result is a constant
            forward, backward = runner.task(self.d), functools.partial(self.slopes.fill, 0.0)

            def both() -> None:
                forward()
                backward()

            tasks = forward, backward, both
        else:
            given = self.d, self.grad, z, asked.way
            forth_and_back = runner.task(*given)  # first, for it needs the kernels of both ways
            tasks = runner.task(self.d), runner.task(*given, forth=False), forth_and_back
        self.tasks[asked] = tasks
        return tasks

    def fill(self, chunks: Any) -> None:
        """Put the numbers of some arguments in their places."""
        try:
            if self.layout.scalars:
                self.inputs[:] = chunks
            else:
                places = self.places
                for k, chunk in enumerate(chunks):  # `zip(strict=True)` alone takes longer than to copy a small array
                    places[k][...] = chunk
        except OverflowError:
            raise OverflowError(f"{self.entry.program.name}: {TOO_LARGE}") from None

    def gradients(self, asked: Asked) -> Any:
        """Return the derivatives that are asked for."""
        if self.layout.scalars:
            return tuple(self.slopes.tolist()) if asked.everything else asked.of(self.slopes.item)
        return asked.of(self._gradient)

    def _gradient(self, k: int) -> Any:
        copied = self.copies[k]
        return copied() if copied is not None else self.layout.part(k, self.slopes)


class Bound:
    """A compiled function with arrays of its own, for one thread; made by `Compiled.bind`.

    Attributes:
        args: the arguments, with an array for each array, list and number; one of a number has no axes.
        value: the results of the last call.
        gradient: its derivatives, in arrays that the next call overwrites.
    """

    def __init__(self, compiled: Compiled, entry: _Entry, given: Any, asked: Asked | None) -> None:
        self._compiled, self._entry, self._asked = compiled, entry, asked
        self._space = _Room().of(entry)
        self._space.inputs[:] = given
        self.args = entry.layout.in_place(self._space.d)
        self._slopes = None if asked is None else asked.of(entry.layout.in_place(self._space.slopes).__getitem__)
        forward, _, both = self._space.ready(asked)
        self._run = forward if asked is None else both
        self._now = assignments()
        self._checks = compiled._check or bool(entry.branches or entry.trace.frozen)
        self()

    def __call__(self) -> None:
        """Compute the value, and the gradient if one is wanted, of the numbers in `args`.

        Raises:
            ValueError: the function would have taken another branch with these numbers, or a Value that it closes
                over was assigned; `value` and `gradient` are not those of the function then.
        """
        if self._checks and assignments() != self._now:
            self._entry.trace.require_frozen()
            self._now = assignments()
        self._run()
        if self._checks:
            if not self._entry.holds(self._space.d):
                name = self._compiled.name
                raise ValueError(f"{name}: another branch is taken with these numbers; call it, or bind it anew")
            if self._compiled._check:
                self._entry.require_finite(self._space)

    def __reduce__(self) -> Any:
        raise TypeError(f"{self._compiled.name}: a bound function cannot be pickled; pickle the compiled function")

    @property
    def value(self) -> Any:
        """Return the results of the last call."""
        return self._entry.results(self._space.d)

    @property
    def gradient(self) -> Any:
        """Return the derivatives of the last call, in the structure of the arguments; the next call overwrites them."""
        if self._asked is None:
            raise ValueError(f"{self._compiled.name}: no gradient is wanted; give argnums to bind")
        return self._slopes


def _copies(x: Any) -> Callable[[], Any] | None:
    """Return the function that copies the arrays of a structure."""
    if x is None or isinstance(x, np.ndarray):
        return None if x is None else x.copy
    if isinstance(x, dict):
        pairs = [(key, _copies(part)) for key, part in x.items()]
        return lambda: {key: copied() for key, copied in pairs}  # type: ignore[misc]
    parts = [_copies(part) for part in x]
    if hasattr(x, "_fields"):
        return lambda: type(x)(*[copied() for copied in parts])  # type: ignore[misc]
    return lambda: type(x)([copied() for copied in parts])  # type: ignore[misc]


class Compiled:
    """A function of numbers that runs as a vector program; made by `compile`.

    `print` shows the instructions that were found. It can be pickled; where its function cannot be, what has
    been compiled goes along without it.
    """

    def __init__(
        self,
        f: Callable[..., Any] | None,
        *,
        static_argnums: tuple[int, ...] = (),
        check: bool = False,
        runner: str | None = None,
    ) -> None:
        self._f = f
        self._entries: dict[Any, list[_Entry]] = {}
        self._static = static_argnums
        self._check = check
        self._runner = runner
        self._derived: dict[str, Compiled] = {}
        self._rooms: list[_Room] = []
        self._graph: tuple[Any, Any] | None = None  # outputs and inputs, where there is no function
        self._checked = assignments()  # when the numbers that programs keep of outside were last looked at
        self._calls = 0  # of functions with several programs
        self._warned = False
        self.name = getattr(f, "__name__", None) or "the graph"
        if f is not None:
            functools.update_wrapper(self, f, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the results of the function for numbers."""
        entry, space, _ = self._run(self._positional(args, kwargs) if kwargs else args)
        results = entry.results(space.d)
        entry.rooms.append(space.room)
        return results

    def value_and_grad(self, *args: Any, argnums: int | Sequence[int] = 0, **kwargs: Any) -> tuple[Any, Any]:
        """Return the value and the gradient, in the structure of the argument, or a tuple for several.

        Arguments that are given by name count as those at their places. The gradient in a module has the structure
        of its `state_dict`.

        Raises:
            TypeError: the function returns more than one number.
            ValueError: there is no such argument, or it is static.
        """
        entry, space, asked = self._run(self._positional(args, kwargs) if kwargs else args, argnums)
        value, gradient = entry.results(space.d), space.gradients(asked)
        entry.rooms.append(space.room)
        return value, gradient

    def grad(self, *args: Any, argnums: int | Sequence[int] = 0, **kwargs: Any) -> Any:
        """Return the gradient alone; see `value_and_grad`.

        >>> compile(lambda x, y: x * y).grad(y=2.0, x=3.0)
        2.0
        """
        return self.value_and_grad(*args, argnums=argnums, **kwargs)[1]

    def bind(self, *args: Any, argnums: int | Sequence[int] | None = None) -> Bound:
        """Return the function on arrays of its own, to be called again and again without any copying.

        Write numbers into `args` in place, call it, and read `value` and, with argnums, `gradient`. At first they are
        those of the arguments that are given.

        Raises:
            TypeError: a module is among the arguments, or the function returns more than one number and a gradient is
                wanted.
            ValueError: there is no such argument, or it is static.

        >>> f = compile(lambda w, x: w @ x).bind(np.ones(3), np.arange(3.0), argnums=0)
        >>> f.value, f.gradient
        (3.0, array([0., 1., 2.]))
        >>> f.args[1][:] = 5.0
        >>> f()
        >>> f.value, f.gradient
        (15.0, array([5., 5., 5.]))
        """
        entry, space, asked = self._run(args, argnums, fill=True)
        given = space.inputs.copy()
        entry.rooms.append(space.room)
        if entry.layout.modules:
            raise TypeError(f"{self.name}: bind takes numbers and arrays; give a module's parameters as such")
        return Bound(self, entry, given, asked)

    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return all arguments at the places of the function's parameters."""
        if self._f is None:
            raise TypeError(f"{self.name}: its arguments have places and no names")
        signature = inspect.signature(self._f)
        unknown = kwargs.keys() - signature.parameters.keys()
        if unknown and not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
            names = ", ".join(signature.parameters)
            raise TypeError(f"{self.name}: there is no argument {min(unknown)!r}; they are {names}")
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(f"{self.name}: {', '.join(bound.kwargs)} can be given by name only, and so not be compiled")
        return bound.args

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        r"""Return the outputs and their derivative along the tangents, $J t$, by a program of its own.

        >>> compile(lambda x, y: x * y).jvp((3.0, 4.0), (1.0, 0.5))
        (12.0, 5.5)
        """
        return self._derive("jvp", jvp)(tuple(primals), tuple(tangents))  # type: ignore[no-any-return]

    def hvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        r"""Return the Hessian of the one output times the tangents, $H t$, by a program of its own.

        >>> compile(lambda x, y: x * x * y).hvp((3.0, 4.0), (1.0, 0.5))
        (11.0, 6.0)
        """
        return self._derive("hvp", hvp)(tuple(primals), tuple(tangents))

    def vmap(self, in_axes: int | Sequence[int | None] | None = 0, threads: int = 1) -> Batched:
        """Return the function of batches of arguments, of which examples are run side by side.

        Args:
            in_axes: where the examples of each argument's arrays are counted; None for an argument that is the same
                for all. One for all arguments, or one for each.
            threads: how many run at once; the results do not depend on it.

        >>> compile(lambda w, x: w * x).vmap((None, 0))(3.0, [1.0, 2.0])
        array([3., 6.])
        """
        return Batched(self, in_axes, threads)

    def map(self, *args: Any, threads: int = 1) -> Any:
        """Return the results for the examples along the first axis of every argument: `vmap()(*args)`."""
        return self.vmap(threads=threads)(*args)

    def value_and_grad_over(
        self, shards: Iterable[tuple[Any, ...]], *, executor: Executor, argnums: int | Sequence[int] = 0
    ) -> tuple[Any, Any]:
        """Return the sums of value and gradient over several calls, which an executor runs.

        Sums are taken in the order of the shards, whoever was ready first. What a lost worker had is run here.

        Args:
            shards: the arguments of each call, as tuples.
            executor: of `concurrent.futures`, or another's of this kind, such as `client.get_executor()` of
                `dask.distributed`.

        Raises:
            ValueError: there are no shards.

        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor() as pool:
        ...     compile(lambda w, x: w * x).value_and_grad_over([(3.0, 1.0), (3.0, 2.0)], executor=pool)
        (9.0, 3.0)
        """
        shards = [tuple(shard) for shard in shards]
        if not shards:
            raise ValueError(f"{self.name}: there are no shards")
        if self._run(shards[0], argnums)[0].layout.modules:  # traced here, once
            raise TypeError(f"{self.name}: a module that is sent elsewhere is another one: give its numbers as arrays")
        frozen = pickle.dumps(self)
        running: list[Future[Any] | None] = []
        for shard in shards:
            try:
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
                found = self.value_and_grad(*shard, argnums=argnums)
            total = found if total is None else _sum(self.name, total, found)
        if lost:
            warnings.warn(
                f"{self.name}: the executor broke; {lost} of {len(shards)} shards were run here", stacklevel=2
            )
        return total  # type: ignore[no-any-return]  # a pair

    def program(self, *args: Any) -> Program:
        """Return the program for the structure of some arguments; without arguments the only one there is.

        Raises:
            LookupError: nothing has been compiled yet, or for more than one structure.
        """
        return self._entry(args).program

    def written_backward(self, *args: Any, argnums: int | Sequence[int] | None = None) -> str:
        """Write the backward program as lines of NumPy, derived from the forward one.

        Args:
            args: arguments to choose the program by; without any it is the only one there is.
            argnums: the arguments in which the derivatives are wanted; None for all.

        Raises:
            TypeError: the function returns more than one number.
            LookupError: as `program`.

        >>> f = compile(lambda W, x: (W @ x).sum())
        >>> f(np.ones((2, 3)), np.ones(3))
        6.0
        >>> print(f.written_backward(argnums=0))
        <lambda>, backward
          # inputs: W 2×3, x 3×1
          dv1 = ones((2, 1))  # 2×1
          dW = dv1 @ x.T  # 2×3
        """
        entry = self._entry(args)
        return written_backward(entry.trace, entry.program, argnums)

    def draw(self, *args: Any, rankdir: str = "LR") -> Any:
        """Return the picture of a program, as `autograd_mini.draw` does of a graph.

        Args:
            args: arguments to choose the program by; without any it is the only one there is.
            rankdir: `"LR"`, left to right, or another of Graphviz's directions.

        Raises:
            ValueError: it has too many lines to be read.
            LookupError: as `program`.
        """
        from .picture import drawn  # brings graphviz

        entry = self._entry(args)
        return drawn(entry.trace, entry.program, rankdir)

    def _entry(self, args: tuple[Any, ...]) -> _Entry:
        """Return the entry for arguments like these; without arguments the only one there is."""
        if args:
            entry, space, _ = self._run(args)
            entry.rooms.append(space.room)
            return entry
        entries = self._all()
        if len(entries) != 1:
            raise LookupError(f"there are {len(entries)} programs: give arguments to choose by, or call it first")
        return entries[0]

    def _all(self) -> list[_Entry]:
        if assignments() != self._checked:
            self._drop_moved()
        return [entry for kept in self._entries.values() for entry in kept]

    def _run(self, args: tuple[Any, ...], argnums: Any = None, *, fill: bool = False) -> tuple[_Entry, _Space, Any]:
        """Run the program for some arguments; with argnums also backward, and return the derivatives that it asks for.

        With `fill` see `_Entry.run`.
        """
        name = self.name
        if assignments() != self._checked:
            self._drop_moved()
        places: list[int] = []  # of static arguments
        chunks: Any = []
        keys: tuple[Any, ...]
        key: Any
        if self._static:
            places, others = parted(self._static, len(args))
            keys = tuple([read(name, args[k], chunks) for k in others])
            key = keys, tuple([(k, _typed(args[k])) for k in places])
        elif NUMBERS.issuperset(map(type, args)):
            chunks = args
            key = keys = (None,) * len(args)
        else:
            key = keys = tuple([read(name, x, chunks) for x in args])
        try:
            kept = self._entries.get(key)
        except TypeError:
            raise TypeError(f"{name}: static arguments must be hashable, not {[args[k] for k in places]}") from None
        asked = None
        if kept is None:
            if self._f is None:
                into = " or ".join(str(entry.trace.into) for entry in self._all())
                raise TypeError(f"{name}: the inputs must have the structure {into}, not {flatten(args)[1]}")
            kept = self._entries[key] = []
        for entry in kept:
            if argnums is not None:
                asked = entry.asked(name, argnums, len(args), places)
            space = entry.run(chunks, asked, fill=fill)
            if space is not None:
                if len(kept) > 1:
                    self._calls += 1
                    entry.called = self._calls
                break
        else:
            entry = self._traced(args, places, keys, chunks)
            same = next((other for other in kept if entry.branches and other.branches == entry.branches), None)
            if same is None:
                self._keep(entry, kept)
            entry = same or entry
            if argnums is not None:
                asked = entry.asked(name, argnums, len(args), places)
            # Not asked again whether branches hold: where sums round otherwise than Python's, they may not.
            space = entry.run(chunks, asked, ask=False, fill=fill)
            assert space is not None
        if self._check and not fill:
            entry.require_finite(space)
        return entry, space, asked

    def _drop_moved(self) -> None:
        """Let go of programs with constants that are numbers of Values of outside, where these are others by now."""
        now = assignments()
        moved = [key for key, kept in self._entries.items() if any(entry.trace.moved() is not None for entry in kept)]
        if moved and self._graph is not None:
            self._take_graph()  # or an error, at the next call again
        elif moved:
            for key in moved:
                self._entries[key] = [entry for entry in self._entries[key] if entry.trace.moved() is None]
        if moved:
            self._derived = {}
        self._checked = now

    def _take_graph(self) -> None:
        """Make the program of a graph that exists."""
        assert self._graph is not None
        traced = trace_graph(*self._graph)
        chunks: list[Any] = []
        keys = (read("compile", traced.into.parts[0].rebuild(traced.primals), chunks),)
        self._entries = {keys: [_Entry(traced, Layout(["x"], keys, chunks), self._runner, self._rooms)]}

    def _keep(self, entry: _Entry, kept: list[_Entry]) -> None:
        """Keep a program beside those of other branches; the one that was not called for longest makes room."""
        if len(kept) == WAYS:
            kept.remove(min(kept, key=lambda other: other.called))
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"{self.name}: its branches have gone more than {WAYS} ways, each of which is traced and kept as a "
                    "program of its own; from now on programs are dropped and traced again. Branch on fewer numbers, "
                    "or name in static_argnums what they are compared with",
                    TraceWarning,
                    stacklevel=4,
                )
        self._calls += 1
        entry.called = self._calls
        kept.append(entry)

    def _traced(self, args: tuple[Any, ...], static: list[int], keys: tuple[Any, ...], chunks: list[Any]) -> _Entry:
        """Trace the function as it goes with these numbers, and return its entry."""
        f = self._f
        if f is None:
            raise ValueError(f"{self.name}: Python code would have taken another branch with these numbers")
        dynamic = [k for k in range(len(args)) if k not in static]
        layout = Layout(_names(f, dynamic), keys, chunks)
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
        with by_ieee():
            made = trace_call(self.name, lambda: f(*(whole[k] for k in range(len(args)))), leaves)
        made = replace(made if self._check else made.by_rows(), into=layout.structure())
        return _Entry(made, layout, self._runner, self._rooms)

    def _derive(self, name: str, transform: Callable[..., Any]) -> Compiled:
        """Return the compiled form of a transformation of the function."""
        if self._static:
            raise ValueError(f"{name}: there are static arguments; bind them first, by functools.partial")
        if assignments() != self._checked:
            self._drop_moved()
        made = self._derived.get(name)
        if made is None:
            f = self._f or self._all()[0].trace

            def derived(primals: Any, tangents: Any) -> Any:
                return transform(f, primals, tangents)

            derived.__name__ = f"{name} of {self.name}"
            made = self._derived[name] = Compiled(derived, check=self._check, runner=self._runner)
        return made

    def __getstate__(self) -> dict[str, Any]:
        state = {**vars(self), "_derived": {}, "_graph": None, "_checked": 0}
        try:
            pickle.dumps(self._f)
        except (AttributeError, TypeError, pickle.PicklingError):  # a lambda, a closure
            state["_f"] = None
            state.pop("__wrapped__", None)
        return state

    def __len__(self) -> int:
        """Return the number of programs that have been compiled."""
        return len(self._all())

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        programs = [written(entry.trace, entry.program) for entry in self._all()]
        return "\n\n".join(programs) or f"{self.name}: not compiled yet; it is at the first call"


def _names(f: Callable[..., Any], places: list[int]) -> list[str]:
    """Name arguments after the function's parameters."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # of a function in C
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [named[place] if place < len(named) else f"x{place}" for place in places]


def _thawed_value_and_grad(frozen: bytes, shard: tuple[Any, ...], argnums: Any) -> Any:
    """Call a pickled program, in a worker; it is unpickled once there."""
    return _thawed(frozen).value_and_grad(*shard, argnums=argnums)


@functools.lru_cache(maxsize=4)
def _thawed(frozen: bytes) -> Compiled:
    made: Compiled = pickle.loads(frozen)
    return made


def _typed(x: Any) -> Any:
    """Return a static argument with the types of its parts: 1, True and 1.0 are equal, and not the same."""
    if isinstance(x, tuple):
        return type(x), *map(_typed, x)
    if isinstance(x, frozenset):
        return type(x), frozenset(map(_typed, x))
    if isinstance(x, float):
        return type(x), x.hex()  # in which 0.0 and -0.0 differ, and nan is nan
    if isinstance(x, complex):
        return type(x), repr(x)
    if is_dataclass(x) and not isinstance(x, type) and type(x).__eq__ is not object.__eq__:
        return type(x), x, *(_typed(getattr(x, field.name)) for field in fields(x) if field.compare)
    return type(x), x


def _sum(name: str, a: Any, b: Any) -> Any:
    """Add numbers and arrays in structures of one kind."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return {key: _sum(name, a[key], b[key]) for key in a}
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        parts = [_sum(name, x, y) for x, y in zip(a, b, strict=True)]
        return type(a)(*parts) if hasattr(a, "_fields") else type(a)(parts)
    if isinstance(a, (dict, list, tuple)) or isinstance(b, (dict, list, tuple)) or np.shape(a) != np.shape(b):
        shapes = " and ".join(
            str(np.shape(x)) if isinstance(x, (float, np.ndarray)) else str(flatten(x)[1]) for x in (a, b)
        )
        raise ValueError(f"{name}: gradients of the shapes {shapes} cannot be added: give all shards the same shapes")
    return a + b


@overload
def compile(
    f: Slope[P] | ValueSlope[P] | Derived[P],
    *,
    inputs: None = None,
    static_argnums: int | Sequence[int] = (),
    check: bool = False,
    runner: str | None = None,
    numba: bool | None = None,
) -> CompiledFunction[P, Any]: ...
@overload
def compile(
    f: Callable[P, R],
    *,
    inputs: None = None,
    static_argnums: int | Sequence[int] = (),
    check: bool = False,
    runner: str | None = None,
    numba: bool | None = None,
) -> CompiledFunction[P, R]: ...
@overload
def compile(
    f: Any,
    *,
    inputs: Any,
    static_argnums: int | Sequence[int] = (),
    check: bool = False,
    runner: str | None = None,
    numba: bool | None = None,
) -> Compiled: ...
def compile(
    f: Any,
    *,
    inputs: Any = None,
    static_argnums: int | Sequence[int] = (),
    check: bool = False,
    runner: str | None = None,
    numba: bool | None = None,
) -> Compiled:
    r"""Return a function that computes the same as f, on numbers, as a vector program.

    At the first call for each structure of arguments f is run on Values and traced, the graph is lifted to
    instructions on vectors, and from then on these are run. Arguments are numbers, NumPy arrays, lists and dicts
    of them, and modules; arrays reach f as object arrays of Values, a module as it is, with its parameters as
    inputs. Where Python code branches on numbers (`if x > 0`) each way it goes is traced when it is first met.
    Results are f's but for rounding: sums in another order, a product rounded with the sum it enters, functions by a
    few units in the last place. The numbers of Values that f closes over are constants of the program: where one is
    assigned, f is traced again. Other things that f reads, such as a list or an attribute of a module, are as they
    were at that first call. So are the numbers that the function of a row of your own reads (`custom_rule`), which is
    compiled from its source. Machine code is kept on disk: `autograd_mini.program.cache`. A number that f takes out of
    a Value (`x.data`) is as it was then; a `TraceWarning` says
    so.

    Args:
        f: a function; or, with `inputs`, a Value or a structure of Values: a graph that exists.
        inputs: the nodes of the graph that the compiled function takes, as it will take them.
        static_argnums: arguments that are Python values and not numbers, such as sizes; each gets its own program.
        check: where a result is nan or inf, run the equations one by one and raise Python's own error, with the
            label of the operand. Without it numbers follow IEEE arithmetic.
        runner: `"llvm"` to run as machine code, `"numpy"` to run on NumPy's arrays; None takes machine code where
            llvmlite is installed.
        numba: the older name: True for `runner="llvm"`, False for `runner="numpy"`.

    Raises:
        TypeError: f is neither a function nor a graph.
        ValueError: there is no such runner.

    >>> import numpy as np
    >>> from autograd_mini import tanh
    >>> def f(W, x, b):
    ...     return [tanh(z) for z in W @ x + b]
    >>> g = compile(f)
    >>> [round(y, 4) for y in g(np.eye(2), np.array([0.5, -0.5]), 0.1)]
    [0.537, -0.3799]
    """
    if numba is not None:
        runner = "llvm" if numba else "numpy"
        warnings.warn(f"compile: give runner={runner!r} instead of numba={numba}", DeprecationWarning, stacklevel=2)
    if runner not in (None, "llvm", "numpy"):
        raise ValueError(f'compile: runner must be "llvm", "numpy" or None, not {runner!r}')
    static = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    if inputs is None:
        if not callable(f):
            raise TypeError(f"compile: give a function, or a graph and its inputs, not {f!r}")
        if isinstance(f, Module):
            raise TypeError(
                "compile: a module's parameters would be constants: give lambda net, x: net(x), and the net"
            )
        return Compiled(f, static_argnums=static, check=check, runner=runner)
    made = Compiled(None, check=check, runner=runner)
    made._graph = f, inputs
    made._take_graph()
    return made
