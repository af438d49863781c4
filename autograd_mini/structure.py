"""Containers: the registry of their kinds, and conversion between nested arguments and flat lists.

This module has one table with two functions for each kind of container: one takes it apart into parts, and one makes a
container of parts. All code that walks over arguments reads this table. It must not know the use of the leaves. It
imports NumPy only after the user has made an array.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from math import prod
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")
Tree: TypeAlias = Any  # a number, a Value, an array, or a container of trees, such as a list or a dataclass
Rest: TypeAlias = Any  # all of a container but its parts, such as a dict's keys; it can be hashed
TOO_DEEP: Final = "the arguments are nested too deeply, or a container holds itself"


class Kind(NamedTuple):
    """The functions that take containers of a kind apart and put them together."""

    type: type  # of the containers that `unflatten` makes
    flatten: Callable[[Any], tuple[Sequence[Tree], Rest]]  # the parts, and the rest, such as keys
    unflatten: Callable[[Rest, list[Tree]], Tree]  # a container of that rest and of other parts
    names: Callable[[Rest], Sequence[Any]] | None = None  # the names of the parts, from the rest; None means numbers
    owner: bool = False  # whether its parts are its own Values; then only `flatten(owners=True)` takes it apart


_kinds: dict[type, Kind] = {
    NoneType: Kind(NoneType, lambda _: ((), ()), lambda *_: None),
    list: Kind(list, lambda x: (x, ()), lambda _, parts: parts),
    tuple: Kind(tuple, lambda x: (x, ()), lambda _, parts: tuple(parts)),
    OrderedDict: Kind(
        OrderedDict,
        lambda x: (list(x.values()), tuple(x)),
        lambda keys, parts: OrderedDict(zip(keys, parts, strict=True)),
        lambda keys: keys,
    ),
    defaultdict: Kind(
        defaultdict,
        lambda x: ([x[key] for key in in_order(tuple(x))], (x.default_factory, *in_order(tuple(x)))),
        lambda rest, parts: defaultdict(rest[0], zip(rest[1:], parts, strict=True)),
        lambda rest: rest[1:],
    ),
    dict: Kind(
        dict,
        lambda x: ([x[key] for key in in_order(tuple(x))], in_order(tuple(x))),
        lambda keys, parts: dict(zip(keys, parts, strict=True)),
        lambda keys: keys,
    ),
}
_BUILT_IN = tuple(_kinds)  # classes that inherit from these are treated as these


def in_order(keys: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a dict's keys, names in alphabetical order as in JAX, so that equal dicts have the same order."""
    return tuple(sorted(keys)) if all(isinstance(key, str) for key in keys) else keys


def register_container(
    cls: type[T],
    flatten: Callable[[T], tuple[Iterable[Tree], Rest]],
    unflatten: Callable[[Rest, list[Tree]], T],
) -> None:
    """Register a class of containers of numbers, so that its objects may be arguments and results, as lists may.

    Derivatives with respect to such an argument are an object of the class, too. Lists, tuples, named tuples, dicts and
    dataclasses need no registration. The parts of a dataclass are the fields that its constructor takes, without those
    with `field(metadata={"static": True})`. Register a class that inherits from `cls` separately.

    Args:
        flatten: a function that takes an object and returns its parts and the rest, a hashable value such as a size.
        unflatten: a function that takes the rest and a list of other parts, and returns an object. The parts may be
            Values, floats or arrays, so it should not check them.

    Raises:
        TypeError: `cls` is not a class, or `flatten` or `unflatten` is not a function.
        ValueError: `cls` is registered already.

    >>> from autograd_mini import grad
    >>> class Pair:
    ...     def __init__(self, x, y):
    ...         self.x, self.y = x, y
    >>> register_container(Pair, lambda p: ((p.x, p.y), None), lambda _, parts: Pair(*parts))
    >>> slopes = grad(lambda p: p.x * p.y)(Pair(2.0, 3.0))
    >>> slopes.x, slopes.y
    (3.0, 2.0)
    """
    if not (isinstance(cls, type) and callable(flatten) and callable(unflatten)):
        raise TypeError("register_container: give a class and two functions, flatten and unflatten")

    def taken_apart(x: T) -> tuple[list[Tree], Rest]:
        parts, rest = flatten(x)
        return list(parts), rest

    register(Kind(cls, taken_apart, unflatten))


def register(kind: Kind) -> None:
    """Register a kind of containers.

    An owner, such as a module, has Values of its own. Its `flatten` returns these Values, and as the rest the owner and
    the Values. Its `unflatten` returns their derivatives. Classes that inherit from the class are of this kind, too.
    """
    if kind.type in _kinds:
        raise ValueError(f"register_container: {kind.type.__name__} is registered already")
    _kinds[kind.type] = kind
    _kind_of.cache_clear()


@lru_cache(maxsize=1024)
def _kind_of(cls: type) -> Kind | None:
    """Return the kind of the objects of a class, or None for leaves and arrays.

    >>> kind_of(dict).flatten({"b": 3.0, "a": 2.0})
    ([2.0, 3.0], ('a', 'b'))
    """
    if cls in _kinds:
        return _kinds[cls]
    for base in cls.__mro__:
        if base in _kinds and (base in _BUILT_IN or _kinds[base].owner):
            return _named_tuple(cls) if base is tuple and hasattr(cls, "_fields") else _kinds[base]
    own = cls.__module__.startswith(f"{__package__}.")  # such as a Trace: it has Values and is not a container
    return _dataclass(cls) if is_dataclass(cls) and not own else None


kind_of: Callable[[type], Kind | None] = _kind_of


def _named_tuple(cls: type) -> Kind:
    return Kind(cls, lambda x: (x, ()), lambda _, parts: cls(*parts))


def _dataclass(cls: Any) -> Kind:
    parts: list[str] = []
    rest: list[str] = []
    for field in fields(cls):
        if field.init:  # the class computes the others
            (rest if field.metadata.get("static") else parts).append(field.name)
    return Kind(
        cls,
        lambda x: ([getattr(x, name) for name in parts], tuple([getattr(x, name) for name in rest])),
        lambda kept, made: cls(**dict(zip(parts, made, strict=True)), **dict(zip(rest, kept, strict=True))),
        lambda _: parts,
    )


class Structure(NamedTuple):
    """The shape of nested arguments. Two are equal if the leaves of one fit into the other."""

    kind: Any  # None for a leaf, the type of a container, or "array"
    keys: Rest = ()  # the rest of a container, such as a dict's keys, or the shape of an array
    parts: tuple[Structure, ...] = ()

    def rebuild(self, leaves: Iterable[Tree]) -> Tree:
        """Put leaves into the structure, from left to right.

        >>> leaves, structure = flatten({"b": 3.0, "w": [1.0, 2.0]})
        >>> structure.rebuild(10 * x for x in leaves)
        {'b': 30.0, 'w': [10.0, 20.0]}
        """
        return self._rebuild(iter(leaves))

    def _rebuild(self, leaves: Iterator[Tree]) -> Tree:
        if self.kind is None:
            return next(leaves)
        if self.kind == "array":
            return array([next(leaves) for _ in range(self.size)], self.keys)
        kind = kind_of(self.kind)
        if kind is None:  # it was registered in another process
            raise TypeError(f"{self.kind.__name__} is not registered in this process: call register_container first")
        parts = [next(leaves) if part is LEAF else part._rebuild(leaves) for part in self.parts]
        return kind.unflatten(self.keys, parts)

    @property
    def size(self) -> int:
        """Return the number of leaves."""
        if self.kind is None:
            return 1
        if self.kind == "array":
            return prod(self.keys)
        return sum(part.size for part in self.parts)

    def __str__(self) -> str:
        if self.kind is None:
            return "number"
        if self.kind is NoneType:
            return "None"
        if self.kind == "array":
            return f"array{self.keys}"
        parts = [str(part) for part in self.parts]
        if len(parts) > 12 and not issubclass(self.kind, dict):  # shortened, for messages
            parts = [*parts[:3], f"… {len(parts) - 4:,} more", parts[-1]]
        kind = kind_of(self.kind)
        if issubclass(self.kind, dict) and kind is not None and kind.names is not None:
            names = kind.names(self.keys)
            return "{" + ", ".join(f"{k!r}: {part}" for k, part in zip(names, parts, strict=True)) + "}"
        if self.kind is list:
            return f"[{', '.join(parts)}]"
        if issubclass(self.kind, tuple):
            return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
        return f"{self.kind.__name__}({', '.join(parts)})"


LEAF = Structure(None)


def flatten(
    tree: Tree, is_leaf: Callable[[Tree], bool] | None = None, *, owners: bool = False
) -> tuple[list[Tree], Structure]:
    """Take a structure apart into its leaves, from left to right, and its shape.

    Args:
        is_leaf: return whether a part that could be taken apart is a leaf.
        owners: take objects that own Values apart, too, such as modules.

    Raises:
        ValueError: it is nested too deeply, or a container in it holds itself.

    >>> leaves, structure = flatten((1.0, [2.0, {"x": 3.0}]))
    >>> leaves, str(structure)
    ([1.0, 2.0, 3.0], "(number, [number, {'x': number}])")
    """
    leaves: list[Tree] = []
    try:
        return leaves, _flatten(tree, leaves, is_leaf, owners)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


def _flatten(tree: Tree, leaves: list[Tree], is_leaf: Callable[[Tree], bool] | None, owners: bool) -> Structure:
    if type(tree) is float or (is_leaf is not None and is_leaf(tree)):
        leaves.append(tree)
        return LEAF
    kind = kind_of(type(tree))
    if kind is not None and (owners or not kind.owner):
        parts, rest = kind.flatten(tree)
        return Structure(kind.type, rest, tuple([_flatten(part, leaves, is_leaf, owners) for part in parts]))
    if is_array(tree) and tree.ndim:
        flat = tree.ravel()
        if flat.ndim != 1:
            raise TypeError(f"a {type(tree).__name__} is always a table of rows: give np.asarray(x) instead")
        leaves.extend(flat.tolist())
        return Structure("array", tuple(tree.shape))
    leaves.append(tree.item() if is_array(tree) else tree)  # an array that is one number
    return LEAF


def map_leaves(f: Callable[[Tree], Tree], tree: Tree, is_leaf: Callable[[Tree], bool] | None = None) -> Tree:
    """Return the structure with f applied to each leaf.

    >>> map_leaves(abs, {"a": -1.0, "b": (2.0, None)})
    {'a': 1.0, 'b': (2.0, None)}
    """
    if is_leaf is not None and is_leaf(tree):
        return f(tree)
    leaves, structure = flatten(tree, is_leaf)
    return structure.rebuild(map(f, leaves))


def holds(tree: Tree, wanted: type) -> bool:
    """Return whether a structure has a leaf of a class. It may have any depth, and may contain itself."""
    waiting, seen = [tree], {}
    while waiting:
        x = waiting.pop()
        if type(x) in (float, int):
            continue
        if isinstance(x, wanted):
            return True
        kind = kind_of(type(x))
        if kind is not None and not kind.owner and id(x) not in seen:
            seen[id(x)] = x  # kept alive, or another object could get its id
            waiting += kind.flatten(x)[0]
        elif is_array(x) and getattr(x.dtype, "kind", "O") == "O":
            waiting += x.ravel().tolist() if x.ndim else [x.item()]
    return False


def is_array(x: object) -> bool:
    """Return whether x is an array of NumPy or another library. A table of pandas has `ndim`, but is not an array."""
    return hasattr(type(x), "ravel") and hasattr(x, "ndim")  # of np.float64 itself the type is `type`


def array(leaves: list[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a NumPy array of floats, or of objects if a leaf is not a number."""
    import numpy as np

    if all(type(x) is float for x in leaves):
        return np.array(leaves, dtype=float).reshape(shape)
    return np.fromiter(leaves, dtype=object, count=len(leaves)).reshape(shape)  # this does not look for items of a leaf
