"""Types for type checkers only. The package does not import this module at run time.

This module has the types of rows, with their numbers of operands. It also has the types of the functions that `grad`,
`value_and_grad` and `compile` return; they have the parameters of the given function. If a parameter is annotated as a
Value, or as a Value or a float, the returned function takes a float, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, SupportsFloat, TypeVar, overload

from .ops import Op, Recorder
from .program.compiler import Compiled
from .value import Number, Value

P = ParamSpec("P")
Q = ParamSpec("Q")
R_co = TypeVar("R_co", covariant=True)
X = TypeVar("X")
Key = TypeVar("Key")
T = TypeVar("T", bound=Recorder)

# A Value has a __float__, which raises an error, so mypy says that overloads overlap. The first that fits is right.


class Unary(Op):
    """A row of one operand."""

    @overload
    def __call__(self, x: Value, /) -> Value: ...
    @overload
    def __call__(self, x: T, /) -> T: ...
    @overload
    def __call__(self, x: SupportsFloat, /) -> float: ...
    def __call__(self, *operands: Any) -> Any:
        """Apply the row."""


class Binary(Op):
    """A row of two operands."""

    @overload
    def __call__(self, x: Value, y: SupportsFloat, /) -> Value: ...
    @overload
    def __call__(self, x: SupportsFloat, y: Value, /) -> Value: ...
    @overload
    def __call__(self, x: T, y: T | SupportsFloat, /) -> T: ...
    @overload
    def __call__(self, x: SupportsFloat, y: T, /) -> T: ...
    @overload
    def __call__(self, x: SupportsFloat, y: SupportsFloat, /) -> float: ...
    def __call__(self, *operands: Any) -> Any:
        """Apply the row."""


class UnarySloped(Op):
    """A row of two operands. The second has a default."""

    @overload
    def __call__(self, x: Value, y: SupportsFloat = ..., /) -> Value: ...
    @overload
    def __call__(self, x: SupportsFloat, y: Value, /) -> Value: ...
    @overload
    def __call__(self, x: T, y: T | SupportsFloat = ..., /) -> T: ...
    @overload
    def __call__(self, x: SupportsFloat, y: T, /) -> T: ...
    @overload
    def __call__(self, x: SupportsFloat, y: SupportsFloat = ..., /) -> float: ...
    def __call__(self, *operands: Any) -> Any:
        """Apply the row."""


class Ternary(Op):
    """A row of three operands."""

    @overload
    def __call__(self, x: Value, y: SupportsFloat, z: SupportsFloat, /) -> Value: ...
    @overload
    def __call__(self, x: SupportsFloat, y: Value, z: SupportsFloat, /) -> Value: ...
    @overload
    def __call__(self, x: SupportsFloat, y: SupportsFloat, z: Value, /) -> Value: ...
    @overload
    def __call__(self, x: T, y: T | SupportsFloat, z: T | SupportsFloat, /) -> T: ...
    @overload
    def __call__(self, x: SupportsFloat, y: T, z: T | SupportsFloat, /) -> T: ...
    @overload
    def __call__(self, x: SupportsFloat, y: SupportsFloat, z: T, /) -> T: ...
    @overload
    def __call__(self, x: SupportsFloat, y: SupportsFloat, z: SupportsFloat, /) -> float: ...
    def __call__(self, *operands: Any) -> Any:
        """Apply the row."""


class Slope(Generic[P]):
    """The gradient function of a function with parameters P, with respect to the first of them."""

    __name__: str

    @overload
    def __call__(self: Slope[[Value]] | Slope[[Number]], x: float, /) -> float: ...
    @overload
    def __call__(self: Slope[[Value]] | Slope[[Number]], x: Value, /) -> Value: ...
    @overload
    def __call__(self: Slope[[Value, Value]] | Slope[[Number, Number]], x: float, y: float, /) -> float: ...
    @overload
    def __call__(self: Slope[[Value, Value]] | Slope[[Number, Number]], x: Number, y: Number, /) -> Value: ...
    @overload
    def __call__(
        self: Slope[[Value, Value, Value]] | Slope[[Number, Number, Number]], x: float, y: float, z: float, /
    ) -> float: ...
    @overload
    def __call__(
        self: Slope[[Value, Value, Value]] | Slope[[Number, Number, Number]], x: Number, y: Number, z: Number, /
    ) -> Value: ...
    @overload
    def __call__(self: Slope[Concatenate[Value, Q]], x: float, /, *args: Q.args, **kwargs: Q.kwargs) -> float: ...
    @overload
    def __call__(self: Slope[Concatenate[Number, Q]], x: float, /, *args: Q.args, **kwargs: Q.kwargs) -> float: ...
    @overload
    def __call__(self: Slope[Concatenate[Value, Q]], x: Value, /, *args: Q.args, **kwargs: Q.kwargs) -> Value: ...
    @overload
    def __call__(self: Slope[Concatenate[Number, Q]], x: Value, /, *args: Q.args, **kwargs: Q.kwargs) -> Value: ...
    @overload
    def __call__(self: Slope[Concatenate[float, Q]], x: float, /, *args: Q.args, **kwargs: Q.kwargs) -> float: ...
    @overload
    def __call__(
        self: Slope[Concatenate[list[Value], Q]], x: list[float], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> list[float]: ...
    @overload
    def __call__(
        self: Slope[Concatenate[dict[Key, Value], Q]], x: dict[Key, float], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> dict[Key, float]: ...
    @overload
    def __call__(self: Slope[Concatenate[list[X], Q]], x: list[X], /, *args: Q.args, **kwargs: Q.kwargs) -> list[X]: ...
    @overload
    def __call__(
        self: Slope[Concatenate[dict[Key, X], Q]], x: dict[Key, X], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> dict[Key, X]: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the gradient."""


class Derived(Generic[P]):
    """A function that returns derivatives of a function with parameters P in a structure."""

    __name__: str

    @overload
    def __call__(self: Derived[[Value]], x: Number, /) -> Any: ...
    @overload
    def __call__(self: Derived[[Value, Value]], x: Number, y: Number, /) -> Any: ...
    @overload
    def __call__(self: Derived[[Value, Value, Value]], x: Number, y: Number, z: Number, /) -> Any: ...
    @overload
    def __call__(self: Derived[Concatenate[Value, Q]], x: Number, /, *args: Q.args, **kwargs: Q.kwargs) -> Any: ...
    @overload
    def __call__(
        self: Derived[Concatenate[list[Value], Q]], x: list[float], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> Any: ...
    @overload
    def __call__(
        self: Derived[Concatenate[dict[Key, Value], Q]], x: dict[Key, float], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> Any: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the derivatives."""


class ValueSlope(Generic[P]):
    """A function that returns value and gradient of a function with parameters P, with respect to the first of them."""

    __name__: str

    @overload
    def __call__(self: ValueSlope[[Value]] | ValueSlope[[Number]], x: float, /) -> tuple[float, float]: ...
    @overload
    def __call__(self: ValueSlope[[Value]] | ValueSlope[[Number]], x: Value, /) -> tuple[Value, Value]: ...
    @overload
    def __call__(
        self: ValueSlope[[Value, Value]] | ValueSlope[[Number, Number]], x: float, y: float, /
    ) -> tuple[float, float]: ...
    @overload
    def __call__(
        self: ValueSlope[[Value, Value]] | ValueSlope[[Number, Number]], x: Number, y: Number, /
    ) -> tuple[Value, Value]: ...
    @overload
    def __call__(
        self: ValueSlope[[Value, Value, Value]] | ValueSlope[[Number, Number, Number]], x: float, y: float, z: float, /
    ) -> tuple[float, float]: ...
    @overload
    def __call__(
        self: ValueSlope[[Value, Value, Value]] | ValueSlope[[Number, Number, Number]],
        x: Number,
        y: Number,
        z: Number,
        /,
    ) -> tuple[Value, Value]: ...
    @overload
    def __call__(
        self: ValueSlope[Concatenate[Value, Q]], x: float, /, *args: Q.args, **kwargs: Q.kwargs
    ) -> tuple[float, float]: ...
    @overload
    def __call__(
        self: ValueSlope[Concatenate[Number, Q]], x: float, /, *args: Q.args, **kwargs: Q.kwargs
    ) -> tuple[float, float]: ...
    @overload
    def __call__(
        self: ValueSlope[Concatenate[Value, Q]], x: Value, /, *args: Q.args, **kwargs: Q.kwargs
    ) -> tuple[Value, Value]: ...
    @overload
    def __call__(
        self: ValueSlope[Concatenate[Number, Q]], x: Value, /, *args: Q.args, **kwargs: Q.kwargs
    ) -> tuple[Value, Value]: ...
    @overload
    def __call__(
        self: ValueSlope[Concatenate[float, Q]], x: float, /, *args: Q.args, **kwargs: Q.kwargs
    ) -> tuple[float, float]: ...
    @overload
    def __call__(
        self: ValueSlope[Concatenate[list[Value], Q]], x: list[float], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> tuple[Any, list[float]]: ...
    @overload
    def __call__(
        self: ValueSlope[Concatenate[dict[Key, Value], Q]], x: dict[Key, float], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> tuple[Any, dict[Key, float]]: ...
    @overload
    def __call__(
        self: ValueSlope[Concatenate[list[X], Q]], x: list[X], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> tuple[Any, list[X]]: ...
    @overload
    def __call__(
        self: ValueSlope[Concatenate[dict[Key, X], Q]], x: dict[Key, X], /, *args: Q.args, **kwargs: Q.kwargs
    ) -> tuple[Any, dict[Key, X]]: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> tuple[Any, Any]: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the value and the gradient."""


if TYPE_CHECKING:

    class _Unknown:
        """A type that no function returns, so that only Any matches it."""

    class CompiledFunction(Compiled, Generic[P, R_co]):
        """A compiled function of parameters P. It returns a float for each Value that f returns."""

        @overload
        def __call__(self: CompiledFunction[P, _Unknown], *args: P.args, **kwargs: P.kwargs) -> Any: ...
        @overload
        def __call__(self: CompiledFunction[[Value], Number], x: float, /) -> float: ...
        @overload
        def __call__(self: CompiledFunction[[Value, Value], Number], x: float, y: float, /) -> float: ...
        @overload
        def __call__(
            self: CompiledFunction[[Value, Value, Value], Number], x: float, y: float, z: float, /
        ) -> float: ...
        @overload
        def __call__(self: CompiledFunction[P, Number], *args: P.args, **kwargs: P.kwargs) -> float: ...
        @overload
        def __call__(
            self: CompiledFunction[Concatenate[list[Value], Q], Number],
            x: Sequence[float],
            /,
            *args: Q.args,
            **kwargs: Q.kwargs,
        ) -> float: ...
        @overload
        def __call__(
            self: CompiledFunction[Concatenate[list[Value], Q], Any],
            x: Sequence[float],
            /,
            *args: Q.args,
            **kwargs: Q.kwargs,
        ) -> Any: ...
        @overload
        def __call__(self: CompiledFunction[[Value], Any], x: float, /) -> Any: ...
        @overload
        def __call__(self: CompiledFunction[[Value, Value], Any], x: float, y: float, /) -> Any: ...
        @overload
        def __call__(self: CompiledFunction[[Value, Value, Value], Any], x: float, y: float, z: float, /) -> Any: ...
        @overload
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Return the results of the function for numbers."""

    class Outputs(Value, list[Value]):
        """The outputs of a net: one Value or a list of Values, as its shape says. Its type does not show its shape."""
