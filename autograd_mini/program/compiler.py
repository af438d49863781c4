r"""`compile`: a function or a graph, traced and lifted once, and run as a vector program from then on.

This room owns signatures, structures and what is kept between calls. It must not know how a program is
found or run.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ops import number
from ..structure import Structure, flatten
from ..trace import COMPARE, Trace, trace, trace_graph
from ..value import Value
from .kernels import runner
from .lift import Program, lift
from .notation import written

__all__ = ["Compiled", "compile"]


class _Entry:
    """A trace with its program, and arrays to run it in."""

    def __init__(self, traced: Trace, use_numba: bool | None) -> None:
        self.trace = traced.fold_constants().common_subexpressions().dead_code()
        self.program = lift(self.trace)
        self.runner = runner(self.program, use_numba)
        slots = self.program.slots
        self.outputs = [slots[z] if isinstance(z, int) else z for z in self.trace.outputs]
        self.branches = [
            (COMPARE[b.sign], slots[b.left], slots[b.right] if isinstance(b.right, int) else b.right, b.outcome)
            for b in self.trace.branches
        ]

    def forward(self, numbers: Sequence[float]) -> Any:
        """Return the array of all numbers of the program."""
        program = self.program
        n = program.inputs
        d = np.empty(program.size)
        d[:n] = numbers
        d[n : n + len(program.constants)] = program.constants
        self.runner.forward(d)
        return d

    def holds(self, d: Any) -> bool:
        """Say whether Python code would have taken the branches that were traced."""
        return all(
            compare(d[x], d[y] if isinstance(y, int) else y) == outcome for compare, x, y, outcome in self.branches
        )

    def results(self, d: Any) -> Any:
        """Return the outputs in their structure."""
        return self.trace.out.rebuild(float(d[z]) if isinstance(z, int) else z for z in self.outputs)

    def gradient(self, d: Any) -> list[float]:
        """Return the derivatives of the one output in the inputs."""
        grad = np.zeros(self.program.size)
        if isinstance(self.outputs[0], int):
            grad[self.outputs[0]] = 1.0
            self.runner.backward(d, grad)
        gradient: list[float] = grad[: self.program.inputs].tolist()
        return gradient


class Compiled:
    """A function of numbers that runs as a vector program; made by `compile`.

    `print` shows the instructions that were found.
    """

    def __init__(
        self,
        f: Callable[..., Any] | None,
        entries: dict[Any, list[_Entry]],
        *,
        static_argnums: tuple[int, ...] = (),
        check: bool = False,
        use_numba: bool | None = None,
    ) -> None:
        self._f = f
        self._entries = entries
        self._static = static_argnums
        self._check = check
        self._use_numba = use_numba
        if f is not None:
            functools.update_wrapper(self, f)

    def __call__(self, *args: Any) -> Any:
        """Return what the function returns for numbers."""
        entry, d, _ = self._run(args)
        return entry.results(d)

    def value_and_grad(self, *args: Any, argnums: int | Sequence[int] = 0) -> tuple[Any, Any]:
        """Return the value and the gradient, in the structure of the argument, or a tuple for several.

        Raises:
            TypeError: the function returns more than one number.
        """
        entry, d, dynamic = self._run(args)
        if entry.trace.out.kind is not None:
            raise TypeError(f"{entry.trace.name}: a gradient needs one output, not the structure {entry.trace.out}")
        places = [argnums] if isinstance(argnums, int) else list(argnums)
        slopes = entry.gradient(d)
        found, start = {}, 0
        for place, part in zip(dynamic, entry.trace.into.parts, strict=True):
            found[place] = part.rebuild(slopes[start : start + part.size])
            start += part.size
        try:
            chosen = tuple(found[place % len(args)] for place in places)
        except KeyError:
            raise ValueError(f"{entry.trace.name}: argnums {argnums} is static, or there is no such argument") from None
        return entry.results(d), chosen[0] if isinstance(argnums, int) else chosen

    def grad(self, *args: Any, argnums: int | Sequence[int] = 0) -> Any:
        """Return the gradient alone; see `value_and_grad`."""
        return self.value_and_grad(*args, argnums=argnums)[1]

    def program(self, *args: Any) -> Program:
        """Return the program for the structure of some arguments; without arguments the only one there is.

        Raises:
            LookupError: nothing has been compiled yet, or for more than one structure.
        """
        if args:
            return self._run(args)[0].program
        return self._only().program

    def _only(self) -> _Entry:
        entries = [entry for kept in self._entries.values() for entry in kept]
        if len(entries) != 1:
            raise LookupError(f"there are {len(entries)} programs: give arguments to choose by, or call it first")
        return entries[0]

    def _run(self, args: tuple[Any, ...]) -> tuple[_Entry, Any, list[int]]:
        static = {place % len(args): args[place] for place in self._static} if args else {}
        dynamic = [i for i in range(len(args)) if i not in static]
        leaves, structure = flatten(tuple(args[i] for i in dynamic))
        for leaf in leaves:
            if isinstance(leaf, Value):
                raise TypeError(f"{self._name()}: give numbers, not {leaf!r}: a compiled function records no graph")
        numbers = [number(self._name(), leaf) for leaf in leaves]
        key = (structure, tuple(sorted(static.items())))
        kept = self._entries.get(key)
        if kept is None:
            if self._f is None:
                raise TypeError(f"{self._name()}: the inputs must have the structure {self._into()}, not {structure}")
            kept = self._entries[key] = []
        for entry in kept:
            d = entry.forward(numbers)
            if entry.holds(d):
                break
        else:
            entry = self._traced(args, static, dynamic, numbers, structure, kept)
            d = entry.forward(numbers)
        if self._check and not all(np.isfinite(d[z]) for z in entry.outputs if isinstance(z, int)):
            entry.trace._run([Value(x, name) for x, name in zip(numbers, entry.trace.inputs, strict=True)])
        return entry, d, dynamic

    def _traced(
        self,
        args: tuple[Any, ...],
        static: dict[int, Any],
        dynamic: list[int],
        numbers: list[float],
        structure: Structure,
        kept: list[_Entry],
    ) -> _Entry:
        """Trace the function as it goes with these numbers, and keep what comes of it."""
        f = self._f
        if f is None:
            raise ValueError(f"{self._name()}: Python code would have taken another branch with these numbers")

        def of_dynamic(*given: Any) -> Any:
            whole = dict(zip(dynamic, given, strict=True)) | static
            return f(*(whole[i] for i in range(len(args))))

        of_dynamic.__name__ = self._name()
        named = [Value(x, name) for x, name in zip(numbers, _labels(f, dynamic, structure), strict=True)]
        entry = _Entry(trace(of_dynamic, *structure.rebuild(named)), self._use_numba)
        kept.append(entry)
        return entry

    def _name(self) -> str:
        return getattr(self._f, "__name__", None) or "the graph"

    def _into(self) -> str:
        return " or ".join(str(structure) for structure, _ in self._entries)

    def __repr__(self) -> str:
        programs = [written(e.trace, e.program) for kept in self._entries.values() for e in kept]
        return "\n\n".join(programs) or f"{self._name()}: not compiled yet; it is at the first call"


def _labels(f: Callable[..., Any], places: list[int], structure: Structure) -> list[str]:
    """Name the inputs after the function's parameters."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # of a function in C
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    labels = []
    for place, part in zip(places, structure.parts, strict=True):
        name = named[place] if place < len(named) else f"x{place}"
        labels += [name] if part.size == 1 else [f"{name}_{{{k}}}" for k in range(1, part.size + 1)]
    return labels


def compile(
    f: Any,
    *,
    inputs: Any = None,
    static_argnums: int | Sequence[int] = (),
    check: bool = False,
    numba: bool | None = None,
) -> Compiled:
    r"""Return a function that computes the same as f, on numbers, as a vector program.

    At the first call for each structure of arguments f is run on Values and traced, the graph is lifted to
    instructions on vectors, and from then on these are run. Arguments are numbers, NumPy arrays, and lists and
    dicts of them; arrays reach f as object arrays of Values. The numbers of that first call must be in the domains
    of what f computes. Where Python code branches on numbers (`if x > 0`)
    each way it goes is traced when it is first met. Results are f's but for the order of sums.

    Args:
        f: a function; or, with `inputs`, a Value or a structure of Values: a graph that exists.
        inputs: the nodes of the graph that the compiled function takes, as it will take them.
        static_argnums: arguments that are Python values and not numbers, such as sizes; each gets its own program.
        check: where a result is nan or inf, run the equations one by one and raise Python's own error, with the
            label of the operand. Without it numbers follow IEEE arithmetic.
        numba: False to run with NumPy, True to raise an error where Numba cannot be used; None takes Numba if it
            can.

    Raises:
        TypeError: f is neither a function nor a graph.

    >>> def f(W, x, b):
    ...     return [ag_tanh(z) for z in W @ x + b]
    >>> from autograd_mini import tanh as ag_tanh
    >>> import numpy as np
    >>> g = compile(f)
    >>> [round(y, 4) for y in g(np.eye(2), np.array([0.5, -0.5]), 0.1)]
    [0.537, -0.3799]
    """
    static = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    if inputs is None:
        if not callable(f):
            raise TypeError(f"compile: give a function, or a graph and its inputs, not {f!r}")
        return Compiled(f, {}, static_argnums=static, check=check, use_numba=numba)
    traced = trace_graph(f, inputs)
    entry = _Entry(traced, numba)
    return Compiled(None, {(traced.into, ()): [entry]}, check=check, use_numba=numba)
