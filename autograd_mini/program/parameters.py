"""The parameters of a compiled function, and the places of a call's arguments.

Programs know arguments only by their places. Keyword-only parameters have the last places, in the order of the
signature, and keep their defaults. A keyword-only parameter is static if its default is no number, for example a flag
or None. If a call leaves out another parameter, its default is a constant of the program. This module must not know
programs.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Sequence
from contextlib import suppress
from inspect import Parameter
from numbers import Real
from typing import Any, Final, TypeAlias, TypeVar

from ..given import whole_argnums
from ..printing import counted
from ..structure import Kind, Tree, is_array, kind_of, register

F = TypeVar("F", bound=Callable[..., Any])
Argnums: TypeAlias = "int | Sequence[int] | None"


class LeftOut:
    """The mark of a parameter that a call leaves out before an argument that it gives by name; it holds no number."""

    def __reduce__(self) -> str:  # there is one mark, also in a pickled program
        return "LEFT_OUT"


LEFT_OUT: Final = LeftOut()
register(Kind(LeftOut, lambda _: ((), ()), lambda *_: LEFT_OUT))


class Parameters:
    """The parameters of a function. There are none if Python cannot read the signature, or for a graph.

    >>> def f(x, *, scale=2.0): ...
    >>> f = Parameters("f", f)
    >>> f.placed((1.0,), {}), f.names(range(2), 2), f.place("scale")
    ((1.0, 2.0), ['x', 'scale'], -1)
    """

    def __init__(self, name: str, f: Callable[..., Any] | None) -> None:
        self.name = name
        self._signature: inspect.Signature | None = None
        parameters: list[Parameter] = []
        with suppress(TypeError, ValueError):  # a function in C may have no signature
            parameters = [] if f is None else list(inspect.signature(f).parameters.values())
            # pickle fails for annotations with local types
            plain = [p.replace(annotation=Parameter.empty) for p in parameters]
            self._signature = None if f is None else inspect.Signature(plain)
        self.by_name = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        n = len(self.by_name)
        defaults = [p.default for p in parameters if p.kind is p.KEYWORD_ONLY]
        # The places of keyword-only parameters count from the end.
        self.static = tuple([k - n for k, default in enumerate(defaults) if _is_static(default)])
        self.static_names = frozenset([self.by_name[k] for k in self.static])
        self._by_place = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self._defaults = {p.name: p.default for p in parameters if _is_static(p.default)}

    def placed(self, args: tuple[Tree, ...], kwargs: dict[str, Tree], argnums: Argnums = None) -> tuple[Tree, ...]:
        """Return all arguments of a call at their places, up to the first left out whose default is no number.

        Parameters that are left out have `LEFT_OUT` at their places, or their defaults if argnums select them.
        Keyword-only parameters always have their defaults.

        Raises:
            TypeError: there is no such argument, one is missing, or the names are not known.
        """
        signature = self._signature
        if signature is None:
            raise TypeError(f"{self.name}: its arguments have places and no names")
        known = signature.parameters
        if unknown := kwargs.keys() - {*self._by_place, *self.by_name}:
            if any(p.kind is p.VAR_KEYWORD for p in known.values()):
                raise TypeError(
                    f"{self.name}: {min(unknown)} is taken by **{[*known][-1]}, and so cannot be compiled: give it "
                    "a parameter of its own"
                )
            raise TypeError(f"{self.name}: there is no argument {min(unknown)!r}; they are {', '.join(known)}")
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        count = max([k + 1 for k, name in enumerate(self._by_place) if name in given], default=0)
        left_out = [k for k, name in enumerate(self._by_place) if k >= count and name in self._defaults]
        by_place = [given.get(name, LEFT_OUT) for name in self._by_place[: min(left_out, default=None)]]
        by_name = [given.get(name, known[name].default) for name in self.by_name]
        made = (*by_place, *args[len(self._by_place) :], *by_name)
        if argnums is None or not any(x is LEFT_OUT for x in by_place):
            return made
        whole, n = self.counted(argnums, len(made)), len(made)
        chosen = {k % n for k in (whole if isinstance(whole, tuple) else (whole,))}
        return tuple([self._default(k) if x is LEFT_OUT and k in chosen else x for k, x in enumerate(made)])

    def counted(self, argnums: Any, n: int) -> int | tuple[int, ...]:
        """Return argnums of n arguments, where negative ones count from the last argument that has a place.

        Raises:
            ValueError: there is no such argument.
        """
        by_place = n - len(self.by_name)
        whole = whole_argnums(self.name, argnums)
        several = [whole] if isinstance(whole, int) else list(whole)
        if wrong := [k for k in several if not -by_place <= k < n]:
            raise ValueError(
                f"{self.name}: argnums {wrong[0]}, but the call has {counted(n, 'argument')}"
                + f", {len(self.by_name)} of them keyword-only" * bool(self.by_name)
            )
        places = [k + (by_place if k < 0 else 0) for k in several]
        return places[0] if isinstance(whole, int) else tuple(places)

    def call(self, f: Callable[..., Tree], args: Sequence[Tree]) -> Tree:
        """Call a function of these parameters with arguments at their places."""
        n = len(args) - len(self.by_name)
        args = [self._default(k) if x is LEFT_OUT else itself(x) for k, x in enumerate(args)]
        named = zip(self.by_name, args[n:], strict=True)
        # A function in C, such as np.sin, may refuse some of its own defaults.
        return f(*args[:n], **{name: x for name, x in named if x is not self._defaults.get(name, self)})

    def _default(self, place: int) -> Any:
        """Return the default of the parameter at a place."""
        assert self._signature is not None  # otherwise no argument is given by name
        return self._signature.parameters[self._by_place[place]].default

    def names(self, places: Sequence[int], n: int) -> list[str]:
        """Return the names of the arguments at some places of n. Argument k without a name is called xk."""
        named = dict(enumerate(self._by_place)) | dict(enumerate(self.by_name, n - len(self.by_name)))
        return [named.get(place, f"x{place}") for place in places]

    def place(self, name: str) -> int:
        """Return the place of a parameter. The place of a keyword-only parameter counts from the end.

        Raises:
            ValueError: there is no such parameter.
        """
        if name in self.by_name:
            return self.by_name.index(name) - len(self.by_name)
        if name not in self._by_place:
            known = ", ".join([*self._by_place, *self.by_name])
            raise ValueError(f"{self.name}: there is no argument {name!r}; they are {known}")
        return self._by_place.index(name)

    def __getstate__(self) -> dict[str, object]:
        state = dict(vars(self))
        try:
            pickle.dumps(self._signature)
        except (AttributeError, TypeError, pickle.PicklingError):  # a default may be a local function, for example
            state |= {"_signature": None, "_defaults": {}}
        return state


class Same:
    """An instance as a static argument: equal to itself alone, although its class may compare by other rules."""

    __slots__ = ("itself",)

    def __init__(self, itself: object) -> None:
        self.itself = itself

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.itself is self.itself

    def __hash__(self) -> int:
        return id(self.itself)


def itself(x: Any) -> Any:
    """Return an argument without the mark of a static instance."""
    return x.itself if type(x) is Same else x


def places_of(name: str, argnums: Any, n: int) -> list[int]:
    """Return the places of arguments among n, of which none is static.

    Raises:
        TypeError: argnums are neither a whole number nor several.
        ValueError: there is no such argument, or one is named twice.
    """
    whole = whole_argnums(name, argnums)
    if any(not -n <= k < n for k in ([whole] if isinstance(whole, int) else whole)):
        raise ValueError(f"{name}: argnums {argnums}, but the count of arguments, without static ones, is {n}")
    return selected(name, whole, n, ())


def selected(name: str, argnums: int | Sequence[int], n: int, static: Sequence[int]) -> list[int]:
    """Return the places that argnums select among all n arguments of a call.

    Raises:
        ValueError: there is no such argument, it is static, or one is named twice.
    """
    several = argnums if isinstance(argnums, Sequence) else (argnums,)
    for k in several:
        if not -n <= k < n or k % n in static:
            are = "is 1 argument" if n == 1 else f"are {n} arguments"
            given = f"there {are}" + f", of which {list(static)} are static" * bool(static)
            raise ValueError(f"{name}: argnums {argnums}, but {given}")
    places = [k % n for k in several]
    if len(set(places)) < len(places):
        raise ValueError(f"{name}: argnums {argnums} names an argument twice")
    return places


def after_instance(name: str, argnums: Any) -> Any:
    """Return the places of arguments whose numbers begin with the argument after an instance. None stays None.

    Raises:
        TypeError: they are neither a whole number nor several.

    >>> after_instance("f", 0), after_instance("f", [1, -1])
    (1, (2, -1))
    """
    if argnums is None:
        return None
    whole = whole_argnums(name, argnums)
    return whole + (whole >= 0) if isinstance(whole, int) else tuple([k + (k >= 0) for k in whole])


def _is_static(default: object) -> bool:
    """Return whether a default is neither a number nor a container that may hold some."""
    if default is None or isinstance(default, bool):
        return True
    return default is not Parameter.empty and not (
        isinstance(default, Real) or is_array(default) or kind_of(type(default)) is not None
    )


def with_name(name: str) -> Callable[[F], F]:
    """Return a decorator that sets the name of a function."""

    def named(f: F) -> F:
        f.__name__ = name
        return f

    return named
