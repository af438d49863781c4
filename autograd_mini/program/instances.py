"""A compiled function as the method of an instance.

`instance.f` is an object of the class `Method`. This module must not know how a program is found or run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from inspect import Signature, signature
from typing import TYPE_CHECKING, Any, Literal

from ..structure import Tree
from ..transform import hvp, jvp
from .batch import Batched
from .parameters import Argnums, Same, after_instance, itself

if TYPE_CHECKING:
    from concurrent.futures import Executor  # the import takes long

    from .axes import InAxes
    from .compiler import Compiled

OF_ARGUMENTS = frozenset(["program", "draw"])
DERIVED = frozenset(["value_and_grad", "grad", "bind", "jacobian", "hessian", "value_grad_hessian"])


class Method:
    """A compiled function whose first argument is an instance. It has all methods of `Compiled`.

    The caller does not give the instance: `argnums`, the primals of `jvp` and `hvp` and the `in_axes` of `vmap` begin
    with the argument after it. In a batch all examples share the instance.
    """

    def __init__(self, compiled: Compiled, instance: object) -> None:
        self.compiled, self.instance = compiled, instance

    def __call__(self, *args: Tree, **kwargs: object) -> Tree:
        """Call the function with the instance before the arguments."""
        return self.compiled(self.instance, *args, **kwargs)

    def jvp(self, primals: Sequence[Tree], tangents: Sequence[Tree], **kwargs: object) -> Tree:
        """Return the outputs and their derivative along the tangents; see `Compiled.jvp`."""
        return self.compiled._along(jvp, (self.instance,), primals, tangents, kwargs)

    def hvp(self, primals: Sequence[Tree], tangents: Sequence[Tree], **kwargs: object) -> Tree:
        """Return the Hessian times the tangents; see `Compiled.hvp`."""
        return self.compiled._along(hvp, (self.instance,), primals, tangents, kwargs)

    def vmap(self, in_axes: InAxes = 0, threads: int = 1) -> Batched:
        """Return the same method for batches of arguments; see `Compiled.vmap`."""
        return Batched(self.compiled, in_axes, threads, first=(self.instance,))

    def value_and_grad_over(
        self, shards: Iterable[tuple[Tree, ...]], *, executor: Executor, argnums: int | Sequence[int] = 0
    ) -> tuple[Tree, Tree]:
        """Return the sums of value and gradient over several calls; see `Compiled.value_and_grad_over`."""
        given = [(self.instance, *shard) for shard in shards]
        return self.compiled.value_and_grad_over(
            given, executor=executor, argnums=after_instance(self.compiled.name, argnums)
        )

    def source(
        self,
        language: Literal["c", "javascript", "numpy"],
        *args: Tree,
        derivative: Literal["grad", "jvp"] | None = None,
        argnums: int | Sequence[int] | None = None,
    ) -> str:
        """Return the method as source code; see `Compiled.source`."""
        given = (self.instance, *args) if args else ()
        if derivative == "grad" or argnums is not None:
            argnums = self._argnums(0 if argnums is None else argnums)
        return self.compiled.source(language, *given, derivative=derivative, argnums=argnums)

    def written_backward(self, *args: Tree, argnums: int | Sequence[int] | None = None) -> str:
        """Write the backward program; see `Compiled.written_backward`."""
        given = (self.instance, *args) if args else ()
        return self.compiled.written_backward(*given, argnums=self._argnums(argnums))

    def _argnums(self, argnums: Argnums) -> Argnums:
        """Return argnums for the arguments of a program. A static instance is not one of them."""
        return argnums if isinstance(self.instance, Same) else after_instance(self.compiled.name, argnums)

    @property
    def __signature__(self) -> Signature:
        """Return the signature without the instance."""
        whole = signature(self.compiled)
        return whole.replace(parameters=[*whole.parameters.values()][1:])

    def map(self, *args: Tree, threads: int = 1) -> Tree:
        """Return the results for the examples along the first axis of every argument."""
        return self.vmap(threads=threads)(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        return Method, (self.compiled, self.instance)

    def __getattr__(self, name: str) -> Any:
        """Return a method of the compiled function, with the instance before its arguments."""
        if name == "__wrapped__":  # otherwise `inspect` would read the signature of the wrapped function
            raise AttributeError(name)
        original: Callable[..., Any] = getattr(self.compiled, name)
        if name in OF_ARGUMENTS:
            return lambda *args, **kwargs: original(*((self.instance, *args) if args else ()), **kwargs)
        return partial(_derived, original, self.compiled.name, self.instance) if name in DERIVED else original

    def __repr__(self) -> str:
        return f"{self.compiled!r}\nof {type(itself(self.instance)).__name__}"


def _derived(
    original: Callable[..., Any], name: str, instance: object, /, *args: Any, argnums: Argnums = None, **kwargs: object
) -> Any:
    """Call a method that takes `argnums`. These count from the argument after the instance."""
    if argnums is None and original.__name__ != "bind":
        argnums = 0
    return original(instance, *args, argnums=after_instance(name, argnums), **kwargs)
