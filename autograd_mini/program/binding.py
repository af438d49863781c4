"""A compiled function on arrays of its own: a call copies no numbers.

This module has the object that `Compiled.bind` returns. It must not know how a program is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from ..node import assignments
from ..settings import in_force
from ..structure import Tree
from .arguments import Numbers
from .buffers import Buffer
from .specialization import GradientRequest, Specialization

if TYPE_CHECKING:
    import cython
else:
    from .. import uncompiled as cython


@cython.cclass
class BoundCall:
    """A compiled function with arrays of its own, for one thread; made by `Compiled.bind`.

    Attributes:
        args: the arguments, with an array for each array, list and number. A number's array has no axes: write
            `args[0][...] = 2.0`.
    """

    def __init__(
        self, name: str, specialization: Specialization, given: Numbers, request: GradientRequest | None, check: bool
    ) -> None:
        self._name, self._specialization, self._check = name, specialization, check
        workspace = Buffer().workspace(specialization)
        workspace.inputs[:] = given
        self._d, self._value = workspace.d, workspace.value
        layout = specialization.layout
        self.args = tuple(layout.in_place(workspace.d))  # an assigned argument would be read by nothing
        self._slopes = None if request is None else request.of(layout.in_place(workspace.slopes).__getitem__)
        _, _, self._run = workspace.tasks(request)
        self._now = assignments()
        self._checks = check or bool(specialization.branches or specialization.trace.frozen)
        self()

    def __call__(self) -> None:
        """Compute the value for the numbers in `args`, and the gradient if `bind` got `argnums`.

        Raises:
            ValueError: the function takes another branch with these numbers, or a Value that it closes over was
                assigned. Then `value` and `gradient` are wrong.
        """
        if self._checks and assignments() != self._now:
            self._specialization.trace.require_frozen()
            self._now = assignments()
        if in_force.count:
            self._specialization.tell_constants()
        self._run()
        if self._checks:
            if not self._specialization.holds(self._d):
                raise ValueError(f"{self._name}: another branch is taken with these numbers; call bind again with them")
            if self._check:
                self._specialization.require_finite(self._d)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self._name}: a bound function cannot be pickled; pickle the compiled function")

    @property
    def value(self) -> Tree:
        """Return the results of the last call."""
        return self._value()

    @property
    def gradient(self) -> Tree:
        """Return the derivatives of the last call, in the structure of the arguments; the next call overwrites them."""
        if self._slopes is None:
            raise ValueError(f"{self._name}: bound without a gradient; give argnums to bind")
        return self._slopes
