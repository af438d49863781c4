"""The arrays that programs run on.

This module has buffers, which all programs of a function share, and the workspace of each program in a buffer. It must
not know how a program is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..ops import TOO_LARGE
from ..structure import Tree
from .arguments import Numbers
from .runner import Task
from .specialization import GradientRequest, Specialization


class Workspace:
    """The part of a buffer that a program uses: `d` has its numbers, and `grad` has their derivatives."""

    def __init__(self, specialization: Specialization, d: Numbers, grad: Numbers) -> None:
        n = specialization.program.inputs
        layout = specialization.layout
        self.specialization, self.d, self.grad = specialization, d, grad
        self.inputs, self.slopes = d[:n], grad[:n]  # the derivatives with respect to inputs
        self._scalars = layout.scalars
        self._views = layout.views(d)
        self._tasks: dict[GradientRequest | None, tuple[Task, Task, Task]] = {}
        self.value = specialization.reader(d)
        self._gradients = [] if layout.scalars else [layout.reader(k, self.slopes) for k in range(layout.count)]

    def fill(self, chunks: Sequence[Tree]) -> None:
        """Put the numbers of some arguments in their places."""
        try:
            if self._scalars:
                self.inputs[:] = chunks
            else:
                views = self._views
                for k, chunk in enumerate(chunks):  # for a small array, `zip(strict=True)` takes longer than the copy
                    views[k][...] = chunk
        except OverflowError:
            raise OverflowError(f"{self.specialization.program.name}: {TOO_LARGE}") from None

    def run(self, request: GradientRequest | None, ask: bool = True) -> bool:
        """Run the program, and backward for a request; return False if the function takes another branch now.

        Without `ask`, the branches are not checked.
        """
        forward, backward, both = self._tasks.get(request) or self.tasks(request)
        if not (ask and self.specialization.branches):
            both()
            return True
        forward()
        if not self.specialization.holds(self.d):
            return False
        backward()
        return True

    def tasks(self, request: GradientRequest | None) -> tuple[Task, Task, Task]:
        """Return tasks that run the program forward, backward, and both ways, and keep them."""
        runner, z = self.specialization.runner, self.specialization.output
        if request is None:
            forward = runner.task(self.d)
            tasks: tuple[Task, Task, Task] = forward, _nothing, forward
        elif z is None:  # the result is a constant
            forward, backward = runner.task(self.d), partial(self.slopes.fill, 0.0)

            def both() -> None:
                forward()
                backward()

            tasks = forward, backward, both
        else:
            given = self.d, self.grad, z, request.way
            forth_and_back = runner.task(*given)  # first, so that the kernels of both directions are compiled together
            tasks = runner.task(self.d), runner.task(*given, forth=False), forth_and_back
        self._tasks[request] = tasks
        return tasks

    # A call of a compiled function ends with one of these.

    def output(self, _: GradientRequest | None) -> Tree:
        """Return the results."""
        return self.value()

    def output_and_gradient(self, request: GradientRequest | None) -> tuple[Tree, Tree]:
        """Return the results, and the derivatives for a gradient request."""
        return self.value(), self.gradient(request)

    def gradient(self, request: GradientRequest | None) -> Tree:
        """Return the derivatives for a gradient request.

        Raises:
            TypeError: there is no request.
        """
        if request is None:
            name = self.specialization.trace.name
            raise TypeError(f"{name}: argnums must be a whole number or several, not None")
        if self._scalars:
            return tuple(self.slopes.tolist()) if request.everything else request.of(self.slopes.item)
        return request.of(self._gradient)

    def _gradient(self, k: int) -> Tree:
        return self._gradients[k]()


def _nothing() -> None:
    """Do nothing: the task of a request without derivatives."""


class Buffer:
    """The arrays of a run.

    All programs of a function share one buffer. Threads that run at the same time have a buffer each; the one that was
    used last is used next. Between runs, all derivatives are -0.0, except those of the last program's inputs and
    constants.
    """

    def __init__(self) -> None:
        self._d = self._grad = np.zeros(0)
        self._workspaces: dict[Specialization, Workspace] = {}
        self._last: Workspace | None = None

    def workspace(self, specialization: Specialization) -> Workspace:
        """Return the workspace of a program, with its constants in the buffer."""
        last = self._last
        if last is not None and last.specialization is specialization:
            return last
        program = specialization.program
        n, size = program.inputs, program.size + specialization.runner.scratch
        if size > len(self._d):
            self._d, self._grad = np.zeros(size), np.full(size, -0.0)
            self._workspaces = {}
        elif last is not None:
            before = last.specialization.program
            self._grad[n : before.inputs + len(before.constants)] = -0.0
        found = self._workspaces.get(specialization)
        if found is None:
            found = Workspace(specialization, self._d[:size], self._grad[:size])
            self._workspaces[specialization] = found
        found.d[n : n + len(program.constants)] = program.constants
        self._last = found
        return found
