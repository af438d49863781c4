"""Settings that hold inside a `with` block, on one thread and in one task, and the watch.

This module owns the settings: whether operations are recorded, their arithmetic, whether a function is being
differentiated, and the watch, which is told about events. `Value` reads the settings. This module must not know how a
node is made.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ContextDecorator
from contextvars import ContextVar
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import TYPE_CHECKING, Any, Self, SupportsFloat, TypeVar

if TYPE_CHECKING:
    import cython

    from .value import Number, Value
else:
    from . import uncompiled as cython

F = TypeVar("F", bound=Callable[..., Any])


@cython.cclass
class Settings:
    """The number of settings in force, on all threads. If it is 0, code need only compare an int."""

    count: int

    def __init__(self) -> None:
        self.count = 0


in_force = Settings()
_in_force = in_force  # for this module, in C where it is compiled


class Switch(ContextDecorator, AbstractContextManager[None]):
    """A setting inside a `with` block. It ends with the block. Blocks may end in any order, and on any thread."""

    def __init__(self, variable: ContextVar[Switch | None], state: Any) -> None:
        self.variable, self.state = variable, state
        self.outer: Switch | None = None
        self.active = False

    def __call__(self, f: F) -> F:
        """Return f as a function that runs with the setting.

        Raises:
            TypeError: f is a generator or a coroutine, which would run after the setting has ended.
        """
        if isgeneratorfunction(f) or iscoroutinefunction(f) or isasyncgenfunction(f):
            raise TypeError(
                f"{f.__name__} runs after the call that makes it, and would run without the setting: "
                "write the with block inside of it"
            )
        return super().__call__(f)

    def _recreate_cm(self) -> Self:  # for a function that it decorates
        return type(self)(self.variable, self.state)

    def __enter__(self) -> None:
        if self.active:
            raise RuntimeError(
                "this object is in use by a with block: for another block make a new one, as in `with ag.no_grad():`"
            )
        self.outer = active(self.variable.get())
        self.variable.set(self)
        _in_force.count += 1
        self.active = True  # last: after an earlier interrupt, the setting is not in force

    def __exit__(self, *_: object) -> None:
        self.active = False
        if self.variable.get() is self:
            self.variable.set(self.outer)
        _in_force.count -= 1


class Watching(Switch):
    """The setting of a watch. Outer watches are told about events, too, as long as they last."""

    def _recreate_cm(self) -> Self:
        return type(self)(self.variable, type(self.state)())

    def __enter__(self) -> None:
        around = active(self.variable.get())
        if around is not None:
            self.state = _Both(around, self.state)
        super().__enter__()


RECORDING: ContextVar[Switch | None] = ContextVar("recording", default=None)
ARITHMETIC: ContextVar[Switch | None] = ContextVar("arithmetic", default=None)
DIFFERENTIATING: ContextVar[Switch | None] = ContextVar("differentiating", default=None)
WATCH: ContextVar[Switch | None] = ContextVar("watch", default=None)


def active(switch: Switch | None) -> Switch | None:
    """Return the innermost setting that is in force. A setting may end before the settings inside of it."""
    while switch is not None and not switch.active:
        switch = switch.outer
    return switch


def setting(variable: ContextVar[Switch | None], default: Any) -> Any:
    """Return the state of a setting, or the default if there is none."""
    switch = active(variable.get())
    return default if switch is None else switch.state


def watching() -> Watch | None:
    """Return the watch that is in force here, if there is one."""
    watch: Watch | None = setting(WATCH, None)
    return watch


class Watch:
    """Observe events on this thread inside `watched_by`. Subclasses override methods."""

    traces = False  # whether the events are recorded to run again with other numbers

    def read(self, node: Value, what: str) -> None:
        """Note that Python code reads the number or the local derivatives of a node."""

    def assigned(self, node: Value) -> None:
        """Note that Python code will assign a node's number."""

    def adjoint(self, node: Value, grad: float) -> Number:
        """Return the derivative that `.grad` shows. `grad` is the number that `backward()` stored there."""
        return grad

    def keep_adjoint(self, node: Value, grad: SupportsFloat) -> SupportsFloat:
        """Note that `.grad` is assigned, and return the number to keep there."""
        return grad

    def swept(self, output: Value, seed: float) -> None:
        """Note `output.backward(seed)`, before it stores derivatives."""

    def follows(self, node: Value) -> bool:
        """Return whether a node depends on the inputs of the trace."""
        return False

    def entered(self, node: Value) -> None:
        """Note a node that stands for an argument of a function that is differentiated."""

    def made(self, node: Value) -> None:
        """Note a new node."""

    def derived(self, output: Value) -> None:
        """Note that derivatives of a node were taken, by `backward()` or a transformation."""

    def compared(self, sign: str, x: Value, y: object, outcome: bool) -> None:
        """Note that Python code compared a node, and so may have taken a branch."""


class _Both(Watch):
    """Two watches, one inside the other."""

    def __init__(self, around: Switch, inner: Watch) -> None:
        self.around, self.inner = around, inner

    @property
    def outer(self) -> Watch:
        """Return the outer watch, or a watch that notes nothing if the outer one has ended."""
        switch = active(self.around)
        return Watch() if switch is None else switch.state

    @property
    def traces(self) -> bool:  # type: ignore[override]
        """Return whether one of them records the events."""
        return self.inner.traces or self.outer.traces

    def adjoint(self, node: Value, grad: float) -> Number:
        return (self.inner if self.inner.traces else self.outer).adjoint(node, grad)

    def keep_adjoint(self, node: Value, grad: SupportsFloat) -> SupportsFloat:
        return (self.inner if self.inner.traces else self.outer).keep_adjoint(node, grad)

    def follows(self, node: Value) -> bool:
        of_outer = self.outer.follows(node)
        return self.inner.follows(node) or of_outer


def _to_both(event: str) -> Callable[..., None]:
    def tell(both: _Both, *facts: object) -> None:
        getattr(both.outer, event)(*facts)
        getattr(both.inner, event)(*facts)

    return tell


for _event in ("read", "assigned", "swept", "entered", "made", "derived", "compared"):
    setattr(_Both, _event, _to_both(_event))


def watched_by(watch: Watch) -> Switch:
    """Report all events inside the context to `watch`. Outside of it, this costs nothing."""
    return Watching(WATCH, watch)


def tell_derived(output: Value) -> None:
    """Report to the watch, if there is one, that derivatives of a node were taken."""
    if _in_force.count and (watch := watching()) is not None:
        watch.derived(output)


def no_grad() -> Switch:
    """Compute without recording: inside, every result is a leaf. This holds for one thread and one task.

    >>> from autograd_mini import Value
    >>> x = Value(2.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y, y.parents
    (Value(4.0), ())
    """
    return Switch(RECORDING, False)


def recording() -> AbstractContextManager[None]:
    """Record, also inside `no_grad`, because a transformation needs its graph."""
    return Switch(RECORDING, True)


def by_ieee() -> AbstractContextManager[None]:
    """Compute by IEEE arithmetic if a row would raise an error, and record the row."""
    return Switch(ARITHMETIC, "IEEE's")


def recording_limits() -> AbstractContextManager[None]:
    """Compute by IEEE arithmetic, and record each row as its limit. The rules of derivatives are recorded in this way.

    A derivative has a value at a pole of its rule, and its graph may be run at other numbers.
    """
    return Switch(ARITHMETIC, "limits")


def differentiating() -> Switch:
    """Mark that a function inside is differentiated. The state is the list of its inputs."""
    return Switch(DIFFERENTIATING, [])


def is_differentiating() -> bool:
    """Return whether a function that is differentiated runs here."""
    return bool(_in_force.count) and setting(DIFFERENTIATING, None) is not None


def tell_read(node: Value) -> None:
    """Report to the watch, if there is one, that a node's number is taken as a constant."""
    if _in_force.count and (watch := watching()) is not None:
        watch.read(node, "data")


def tell_entered(node: Value) -> None:
    """Report to the watch, if there is one, that a node stands for an argument: to the function it is a leaf."""
    if _in_force.count and (watch := watching()) is not None:
        watch.entered(node)


def is_traced() -> bool:
    """Return whether operations are recorded here to run again with other numbers."""
    return bool(_in_force.count) and (watch := watching()) is not None and watch.traces


def is_recording() -> bool:
    """Return whether operations are recorded here, on this thread."""
    return not _in_force.count or setting(RECORDING, True)
