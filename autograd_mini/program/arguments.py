"""Conversion between the arguments of a compiled function and a flat array of numbers.

A program runs on the flat array. Every call of a compiled function converts its arguments, so the conversion must be
cheap: a list of numbers or an array is one chunk, which is copied as a whole. This module must not know programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np

from ..ops import number
from ..structure import LEAF, TOO_DEEP, Kind, Rest, Structure, Tree, array, flatten, in_order, kind_of
from ..value import Value

NUMBERS: Final = frozenset((float, int, np.float64))
Numbers = np.ndarray[Any, np.dtype[Any]]  # an array of floats, or of their places
FLOAT: Final = np.dtype(float)
MAX_DEPTH: Final = 400  # nested containers; compiled code has no recursion limit, so it would crash

# The key of a number is None; of an array, its shape; of n numbers, (list, n) or (tuple, n). An object with Values of
# its own, such as a module, has the key (owner, parameters). The key of a container is like a `Structure`: its class,
# its rest, and the keys of its parts. If the rest is not a dict's keys, it follows once more, with its parts' types.
Key = tuple[Any, ...] | None


def read(name: str, x: Tree, chunks: list[Tree], depth: int = 0) -> Key:
    """Put an argument's numbers on the list of chunks, and return the key of its structure.

    >>> chunks = []
    >>> read("f", {"w": [1.0, 2.0], "b": 3}, chunks)
    (<class 'dict'>, ('b', 'w'), (None, (<class 'list'>, 2)))
    >>> chunks
    [3, [1.0, 2.0]]
    """
    cls = type(x)
    if cls in NUMBERS:
        chunks.append(x)
        return None
    if cls is np.ndarray and x.ndim and x.dtype.kind in "fiub":
        chunks.append(x)
        return x.shape  # type: ignore[no-any-return]
    parts: Sequence[Tree]
    rest: Rest
    kind: Kind | None = None
    if cls is list or cls is tuple:
        if x and NUMBERS.issuperset(map(type, x)):
            chunks.append(x)
            return cls, len(x)
        rest, parts = (), x
    elif cls is dict:
        rest = _in_order(tuple(x))
        parts = [x[key] for key in rest]
        shapes = tuple([part.shape for part in parts if type(part) is np.ndarray and part.dtype is FLOAT])
        if len(shapes) == len(parts) and () not in shapes:  # the usual case: the weights of a model
            chunks += parts
            return dict, rest, shapes
    else:
        kind = kind_of(cls)
        if kind is None:
            return _read_leaf(name, x, chunks)
        parts, rest = kind.flatten(x)
        if kind.owner:
            chunks.append([parameter.data for parameter in parts])
            return rest  # type: ignore[no-any-return]
        cls = kind.type
    if depth > MAX_DEPTH:
        raise ValueError(f"{name}: {TOO_DEEP}")
    keys = tuple([read(name, part, chunks, depth + 1) for part in parts])
    return (cls, rest, keys) if kind is None else (cls, rest, keys, typed(rest))


_in_order: Callable[[tuple[Any, ...]], tuple[Any, ...]] = lru_cache(maxsize=1024)(in_order)


class GivenValue(TypeError):
    """A Value is among arguments that must be numbers."""


def _read_leaf(name: str, x: Tree, chunks: list[Tree]) -> Key:
    """Read a number of another type, or an array of objects; raise a TypeError for anything else."""
    leaves, structure = flatten(x)
    for leaf in leaves:
        if isinstance(leaf, Value):
            raise GivenValue(
                f"{name}: give numbers, not {leaf!r}: to differentiate a compiled function, use `ag.grad` and "
                "similar functions"
            )
    try:
        plain = [number(name, leaf) for leaf in leaves]
    except TypeError:
        wrong = next(leaf for leaf in leaves if not _is_number(leaf))
        if hasattr(wrong, "to_numpy"):  # the message of this error names `to_numpy` already
            raise
        raise TypeError(
            f"{name}: cannot use {wrong!r} of type {type(wrong).__name__}; give numbers, arrays, lists and dicts of "
            "them, or modules, and name other arguments in static_argnums"
        ) from None
    if structure.kind is None:
        chunks.append(plain[0])
        return None
    chunks.append(np.array(plain).reshape(structure.keys))
    return structure.keys  # type: ignore[no-any-return]


@lru_cache(maxsize=1024)
def parted(static: tuple[int, ...], n: int) -> tuple[list[int], list[int]]:
    """Return the places of the static arguments among n arguments, and the places of the others.

    A place beyond the given arguments is left out: that argument has its default.

    >>> parted((-1,), 3)
    ([2], [0, 1])
    """
    places = sorted({k % n for k in static if -n <= k < n})
    return places, [k for k in range(n) if k not in places]


def typed(x: Any) -> Any:
    """Return a static argument with the types of its parts, because 1, True and 1.0 are equal but not the same."""
    if isinstance(x, tuple):
        return type(x), *map(typed, x)
    if isinstance(x, frozenset):
        return type(x), frozenset(map(typed, x))
    if isinstance(x, float):
        return type(x), x.hex()  # in this text 0.0 and -0.0 differ, and nan equals nan
    if isinstance(x, complex):
        return type(x), repr(x)
    if is_dataclass(x) and not isinstance(x, type) and type(x).__eq__ is not object.__eq__:
        return type(x), x, *(typed(getattr(x, field.name)) for field in fields(x) if field.compare)
    return type(x), x


def _is_number(x: Tree) -> bool:
    try:
        number("", x)
    except TypeError:
        return False
    return True


class Chunk(NamedTuple):
    """A number, an array, a list or tuple of numbers, or the parameters of an owner: a leaf of a layout."""

    name: str
    key: Key
    span: slice  # in a flat array
    shape: tuple[int, ...]

    def view(self, numbers: Numbers) -> Numbers:
        """Return the view of the chunk's numbers in a flat array, in the chunk's shape."""
        return numbers[self.span].reshape(self.shape)

    def reader(self, numbers: Numbers) -> Callable[[], Tree]:
        """Return a function that reads the chunk from a flat array, in the form in which it was given.

        For an owner, the function returns its state.
        """
        view = self.view(numbers)
        if self.key is None:
            return view.item
        if self.owned is not None:
            unflatten, key = self.owned.unflatten, self.key
            return lambda: unflatten(key, view.tolist())
        if self.key[0] is list:
            return view.tolist
        return (lambda: tuple(view.tolist())) if self.key[0] is tuple else view.copy

    def of(self, leaves: list[Tree]) -> Tree:
        """Return the chunk with other leaves, in the form in which it was given; return an owner unchanged."""
        mine = leaves[self.span]
        if self.key is None:
            return mine[0]
        if self.owned is not None:
            return self.key[0]
        if self.key[0] is list:
            return mine
        return tuple(mine) if self.key[0] is tuple else array(mine, self.shape)

    def leaves(self, numbers: Numbers) -> list[Value]:
        """Return a leaf for each number, with a label such as $W_{21}$; for an owner, return its own parameters."""
        if self.owned is not None:
            assert self.key is not None
            return list(self.key[1])
        comma = "," if max(self.shape, default=0) > 9 else ""  # needed if an index has two digits
        labels = [f"{self.name}_{{{comma.join(str(i + 1) for i in place)}}}" for place in np.ndindex(self.shape)]
        return list(map(Value, numbers[self.span].tolist(), labels if self.shape else [self.name]))

    @property
    def owned(self) -> Kind | None:
        """Return the kind of the owner whose parameters the chunk holds, or None."""
        return None if self.key is None or isinstance(self.key[0], (int, type)) else kind_of(type(self.key[0]))


class Layout:
    """The places of the numbers of some arguments in a flat array, from the keys and the chunks of `read`."""

    def __init__(self, names: list[str], keys: tuple[Key, ...], chunks: list[Tree]) -> None:
        self.count, self.names = len(keys), names
        self.scalars = all(key is None for key in keys)
        shapes = [np.shape(chunk) for chunk in chunks]
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)]).tolist()
        self.size: int = ends[-1]
        places = iter(zip(map(slice, ends, ends[1:]), shapes, strict=False))
        self._structures = [_over_chunks(key) for key in keys]
        self._chunks = [
            [Chunk(name, inner, *next(places)) for name, inner in _named(name, key)]
            for name, key in zip(names, keys, strict=True)
        ]
        self.owners = any(chunk.owned is not None for chunk in self._all())

    @property
    def parts(self) -> list[tuple[Structure, list[Chunk]]]:
        """Return for each argument its structure, in which a leaf stands for a chunk, and its chunks."""
        return list(zip(self._structures, self._chunks, strict=True))

    @property
    def parameters(self) -> list[Value]:
        """Return the parameters of all owners."""
        return [x for chunk in self._all() if chunk.owned is not None and chunk.key is not None for x in chunk.key[1]]

    def _all(self) -> list[Chunk]:
        return [chunk for chunks in self._chunks for chunk in chunks]

    def views(self, numbers: Numbers) -> list[Numbers]:
        """Return a view of a flat array for each chunk, in the chunk's shape."""
        return [chunk.view(numbers) for chunk in self._all()]

    def span(self, k: int) -> slice:
        """Return the place of argument k in a flat array."""
        chunks = self._chunks[k]
        return slice(chunks[0].span.start, chunks[-1].span.stop) if chunks else slice(0, 0)

    def leaves(self, numbers: Numbers) -> list[Value]:
        """Return a leaf for each number, named after its argument; for an owner, return its own parameters."""
        return [leaf for chunk in self._all() for leaf in chunk.leaves(numbers)]

    def structure(self, leaves: list[Tree]) -> Structure:
        """Return the structure of the arguments, with the list of its parameters in place of an owner."""
        made = self._made(lambda chunk: chunk.of(leaves) if chunk.owned is None else leaves[chunk.span])
        return flatten(tuple(made))[1]

    def arguments(self, leaves: list[Tree]) -> list[Tree]:
        """Return the arguments with other leaves; an owner stays unchanged."""
        return self._made(lambda chunk: chunk.of(leaves))

    def in_place(self, numbers: Numbers) -> list[Tree]:
        """Return the arguments with a view of a flat array for each array, list of numbers and number."""
        return self._made(lambda chunk: chunk.view(numbers))

    def _made(self, f: Callable[[Chunk], Tree]) -> list[Tree]:
        return [
            structure.rebuild(map(f, chunks)) for structure, chunks in zip(self._structures, self._chunks, strict=True)
        ]

    def reader(self, k: int, numbers: Numbers) -> Callable[[], Tree]:
        """Return a function that reads argument k from a flat array, in the form in which it was given.

        For an owner, the function returns its state.
        """
        return reader(self._structures[k], iter([chunk.reader(numbers) for chunk in self._chunks[k]]))


def reader(structure: Structure, readers: Iterator[Callable[[], Tree]]) -> Callable[[], Tree]:
    """Return a function that builds a structure; its leaves are the results of the given functions."""
    if structure.kind is None:
        return next(readers)
    kind, rest = kind_of(structure.kind), structure.keys
    assert kind is not None
    unflatten, inner = kind.unflatten, [reader(part, readers) for part in structure.parts]
    if structure.kind is dict:  # the usual case: the weights of a model
        pairs = list(zip(rest, inner, strict=True))
        return lambda: {key: read() for key, read in pairs}
    return lambda: unflatten(rest, [read() for read in inner])


def _is_container(key: Key) -> bool:
    return key is not None and len(key) > 2 and isinstance(key[0], type)


def _over_chunks(key: Key) -> Structure:
    """Return the structure of an argument, in which a leaf stands for a chunk."""
    if key is None or not _is_container(key):
        return LEAF
    cls, rest, parts = key[:3]
    return Structure(cls, rest, tuple([_over_chunks(part) for part in parts]))


def _named(name: str, key: Key) -> Iterator[tuple[str, Key]]:
    """Yield the name and the key of each chunk of an argument."""
    if key is None or not _is_container(key):
        yield name, key
        return
    cls, rest, parts = key[:3]
    kind = kind_of(cls)
    assert kind is not None
    names = kind.names(rest) if kind.names is not None else [f"{name}{k}" for k in range(len(parts))]
    for inner, part in zip(names, parts, strict=True):
        yield from _named(str(inner), part)
