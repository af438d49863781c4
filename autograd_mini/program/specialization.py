"""A function's program for one structure of arguments and one way through its branches.

From a trace, this module makes once: the program, the places of its results, and the gradient requests. It must not
know the arrays of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from ..equations import COMPARE
from ..given import whole_argnums
from ..structure import LEAF, Structure, Tree
from ..traces import Trace, tell_constants
from ..value import Value
from .arguments import Layout, Numbers, reader
from .axes import Axes
from .guards import guarded
from .kernels import runner as runner_of
from .lift import lift
from .parameters import selected
from .runner import Way, way_back
from .simplification import simplified

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class GradientRequest:
    """The arguments that `argnums` selects: derivatives are with respect to these."""

    places: list[int]  # places among the arguments that are not static
    single: bool
    way: Way | None  # the way back, or None if the result is a constant
    everything: bool  # whether these are all arguments, in order

    def of(self, part: Callable[[int], T]) -> T | tuple[T, ...]:
        """Return the parts of the selected arguments."""
        if self.single:
            return part(self.places[0])
        return tuple([part(k) for k in self.places])


class Specialization:
    """A trace with its program, and the places of arguments and results."""

    def __init__(self, traced: Trace, layout: Layout, runner: str | None, static: Sequence[int] = ()) -> None:
        self.trace = guarded(simplified(traced))
        self.layout = layout
        self.static = list(static)  # the places of static arguments among all
        self.count = layout.count + len(static)  # the number of all arguments
        self.program = lift(self.trace)
        self.runner = runner_of(self.program, runner)
        self.called = 0  # the number of the last call, if there are several programs
        slots = self.program.slots.tolist()
        self.outputs: list[int | float] = [slots[z] if isinstance(z, int) else z for z in self.trace.outputs]
        self.output = self.outputs[0] if self.trace.out.kind is None and isinstance(self.outputs[0], int) else None
        self.indices, self.out = _by_arrays(self.trace.out, iter(range(len(self.outputs))))
        self.branches = [
            (COMPARE[b.sign], slots[b.left], slots[b.right] if isinstance(b.right, int) else b.right, b.outcome)
            for b in self.trace.branches
        ]
        self._requests: dict[int | tuple[int, ...], GradientRequest] = {}
        self.plans: dict[Hashable, Any] = {}  # of the module `plans`
        self.axes_by_name: list[Axes] = []  # of the last batch, for keyword-only arguments; `batch` uses this

    def request(self, name: str, argnums: int | Sequence[int]) -> GradientRequest:
        """Return the gradient request for argnums."""
        kind = type(argnums)
        try:
            found = self._requests.get(argnums) if kind is int or kind is tuple else None  # type: ignore[arg-type]
        except TypeError:  # it has a part that cannot be hashed
            found = None
        if found is None:
            whole = whole_argnums(name, argnums)
            found = self._requests.get(whole) or self._new_request(name, whole)
        return found

    def _new_request(self, name: str, argnums: int | tuple[int, ...]) -> GradientRequest:
        n, static = self.count, self.static
        self.trace.require_one_output()
        dynamic = {k: i for i, k in enumerate(k for k in range(n) if k not in static)}
        places = [dynamic[k] for k in selected(name, argnums, n, static)]
        way = None
        if self.output is not None:
            spans = [self.layout.span(k) for k in places]
            way = self.runner.way(*way_back(self.program, self.output, spans))
        single = isinstance(argnums, int)
        everything = not single and places == list(range(len(dynamic)))
        made = self._requests[argnums] = GradientRequest(places, single, way, everything)
        return made

    def tell_constants(self) -> None:
        """Report that a run takes Values from outside, and parameters, as numbers; see `traces.tell_constants`."""
        tell_constants(self.trace.name, [*(x for x, _ in self.trace.frozen), *self.layout.parameters])

    def holds(self, d: Numbers) -> bool:
        """Return whether Python code would have taken the traced branches."""
        return all(
            compare(d[x], d[y] if isinstance(y, int) else y) == outcome for compare, x, y, outcome in self.branches
        )

    def require_finite(self, d: Numbers) -> None:
        """Raise Python's own error if a result is nan or inf."""
        if not all(np.isfinite(d[z]) for z in self.outputs if isinstance(z, int)):
            named = zip(d[: self.program.inputs].tolist(), self.trace.inputs, strict=True)
            self.trace._run([Value(x, label) for x, label in named])

    def reader(self, d: Numbers) -> Callable[[], Tree]:
        """Return a function that reads the outputs, in their structure, from the array of a run."""
        return reader(self.out, iter([self._reader(index, d) for index in self.indices]))

    def _reader(self, index: int | Numbers, d: Numbers) -> Callable[[], Tree]:
        """Return a function that reads an output, or an array of outputs."""
        if isinstance(index, int):
            place = self.outputs[index]
            return partial(d.item, place) if isinstance(place, int) else lambda: place
        places = [self.outputs[i] for i in index.flat]
        computed = np.array([isinstance(place, int) for place in places], dtype=bool).reshape(index.shape)
        slots = np.array([place for place in places if isinstance(place, int)], dtype=int)
        if computed.all():
            return partial(d.take, slots.reshape(index.shape))
        constants = np.array([0.0 if isinstance(place, int) else place for place in places]).reshape(index.shape)

        def read() -> Numbers:
            found = constants.copy()
            found[computed] = d[slots]
            return found

        return read

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_requests": {}, "plans": {}}


def _by_arrays(out: Structure, outputs: Iterator[int]) -> tuple[list[int | Numbers], Structure]:
    """Return the outputs, with an array for each array in the structure, and the structure with arrays as leaves."""
    if out.kind is None:
        return [next(outputs)], LEAF
    if out.kind == "array":
        return [np.fromiter(outputs, dtype=int, count=out.size).reshape(out.keys)], LEAF
    indices, parts = [], []
    for part in out.parts:
        inner, made = _by_arrays(part, outputs)
        indices += inner
        parts.append(made)
    return indices, Structure(out.kind, out.keys, tuple(parts))
