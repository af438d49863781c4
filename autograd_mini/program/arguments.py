"""The arguments of a compiled function, and back.

This room owns the way between a call's arguments and the flat array of numbers that a program runs on. It
is gone at every call: a list of numbers or an array is one chunk, copied as a whole. It must not know
programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from ..nn.module import Module
from ..ops import number
from ..structure import Structure, array, flatten
from ..value import Value

__all__ = ["NUMBERS", "Layout", "at", "each", "parted", "read"]

NUMBERS = frozenset((float, int, np.float64))
FLOAT = np.dtype(float)


def read(name: str, x: Any, chunks: list[Any]) -> Any:
    """Put an argument's numbers on the list of chunks, and return the key of its structure.

    >>> chunks = []
    >>> read("f", {"w": [1.0, 2.0], "b": 3}, chunks)
    (<class 'dict'>, ('b', 'w'), (None, (<class 'list'>, 2)))
    >>> chunks
    [3, [1.0, 2.0]]
    """
    kind = type(x)
    if kind in NUMBERS:
        chunks.append(x)
        return None
    if kind is np.ndarray and x.ndim and x.dtype.kind in "fiub":
        chunks.append(x)
        return x.shape
    if kind is list or kind is tuple:
        if x and NUMBERS.issuperset(map(type, x)):
            chunks.append(x)
            return kind, len(x)
        return kind, None, tuple([read(name, part, chunks) for part in x])
    if isinstance(x, tuple) and hasattr(kind, "_fields"):
        return kind, None, tuple([read(name, part, chunks) for part in x])
    if kind is dict:
        keys = _in_order(tuple(x))
        parts = [x[key] for key in keys]
        shapes = tuple([part.shape for part in parts if type(part) is np.ndarray and part.dtype is FLOAT])
        if len(shapes) == len(parts) and () not in shapes:  # the usual case, of a model's weights
            chunks += parts
            return dict, keys, shapes
        return dict, keys, tuple([read(name, part, chunks) for part in parts])
    if isinstance(x, Module):
        parameters = tuple(x.parameters())
        chunks.append([parameter.data for parameter in parameters])
        return x, parameters
    leaves, structure = flatten(x)
    for leaf in leaves:
        if isinstance(leaf, Value):
            raise TypeError(f"{name}: give numbers, not {leaf!r}: a compiled function records no graph")
    try:
        plain = [number(name, leaf) for leaf in leaves]
    except TypeError:
        wrong = next(leaf for leaf in leaves if not _is_number(leaf))
        if hasattr(wrong, "to_numpy"):  # the message says so
            raise
        raise TypeError(
            f"{name}: cannot use {wrong!r} of type {type(wrong).__name__}; give numbers, arrays, lists and dicts of "
            "them, or modules, and name other arguments in static_argnums"
        ) from None
    if structure.kind is None:  # a number of another type
        chunks.append(plain[0])
        return None
    chunks.append(plain)
    return "leaves", structure


@lru_cache(maxsize=1024)
def parted(static: tuple[int, ...], n: int) -> tuple[list[int], list[int]]:
    """Return which of n arguments are static and which are numbers; one that is not given has its default.

    >>> parted((-1,), 3)
    ([2], [0, 1])
    """
    places = sorted({k % n for k in static if -n <= k < n})
    return places, [k for k in range(n) if k not in places]


def _is_number(x: Any) -> bool:
    try:
        number("", x)
    except TypeError:
        return False
    return True


@lru_cache(maxsize=1024)
def _in_order(keys: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a dict's keys, names by the alphabet, so that dicts that are equal have one order."""
    return tuple(sorted(keys)) if all(isinstance(key, str) for key in keys) else keys


class Layout:
    """Where the numbers of some arguments are in a flat array, from the keys that `read` gives and the chunks."""

    def __init__(self, names: list[str], keys: tuple[Any, ...], chunks: list[Any]) -> None:
        self.keys = keys
        self.scalars = all(key is None for key in keys)
        shapes = [np.shape(chunk) for chunk in chunks]
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)]).tolist()
        self.size = ends[-1]
        self._chunks = [list(_chunks(name, key)) for name, key in zip(names, keys, strict=True)]
        self.modules = any(_is_module(key) for chunks in self._chunks for _, key in chunks)
        places = iter([(slice(a, b), shape) for a, b, shape in zip(ends, ends[1:], shapes, strict=False)])
        self._places = [[next(places) for _ in found] for found in self._chunks]

    def views(self, numbers: Any) -> list[Any]:
        """Return the places of the chunks in a flat array, in the chunks' shapes."""
        return [numbers[span].reshape(shape) for places in self._places for span, shape in places]

    def arrays(self, numbers: Any) -> list[Any]:
        """Return the places of each argument that is made of arrays alone, None for the others."""
        return [
            _assembled(key, iter([(numbers[span], shape) for span, shape in places]), in_place=True)
            if _of_arrays(key)
            else None
            for key, places in zip(self.keys, self._places, strict=True)
        ]

    def span(self, k: int) -> slice:
        """Return the place of argument k in a flat array."""
        places = self._places[k]
        return slice(places[0][0].start, places[-1][0].stop) if places else slice(0, 0)

    def leaves(self, numbers: Any) -> list[Value]:
        """Return a leaf for each number, named after its argument; of a module its own parameters."""
        found: list[Value] = []
        for chunks, places in zip(self._chunks, self._places, strict=True):
            for (name, key), (span, shape) in zip(chunks, places, strict=True):
                if _is_module(key):
                    found += key[1]
                else:
                    found += map(Value, numbers[span].tolist(), _labels(name, shape))
        return found

    def structure(self) -> Structure:
        """Return the structure of the arguments, in which a module is the list of its parameters, in order."""
        return flatten(tuple(self._made(np.zeros(self.size), lambda key, numbers: numbers)))[1]

    def arguments(self, leaves: list[Any]) -> list[Any]:
        """Return the arguments, made of the leaves; a module is there as it is."""
        return self._made(leaves, lambda key, _: key[0])

    def _made(self, numbers: Any, module: Callable[[Any, list[Any]], Any]) -> list[Any]:
        return [
            _assembled(key, iter([(numbers[span], shape) for span, shape in places]), module)
            for key, places in zip(self.keys, self._places, strict=True)
        ]

    def in_place(self, numbers: Any) -> list[Any]:
        """Return the arguments with a view of a flat array for each array, list of numbers and number."""
        return [
            _assembled(key, iter([(numbers[span], shape) for span, shape in places]), in_place=True)
            for key, places in zip(self.keys, self._places, strict=True)
        ]

    def part(self, k: int, numbers: Any) -> Any:
        """Return numbers of a flat array in the structure of argument k; of a module, as its `state_dict`."""
        return _assembled(self.keys[k], iter([(numbers[span], shape) for span, shape in self._places[k]]))


def each(x: Any, f: Callable[[Any], Any]) -> Any:
    """Apply a function to each array or number of a structure."""
    if isinstance(x, dict):
        return {key: each(part, f) for key, part in x.items()}
    if isinstance(x, (list, tuple)):
        parts = [each(part, f) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return None if x is None else f(x)


def at(places: Any, numbers: Any) -> Any:
    """Return numbers of a flat array in a structure of their places; a float is a number itself.

    >>> at({"a": 1, "b": [2.5, 0]}, np.array([10.0, 20.0]))
    {'a': 20.0, 'b': [2.5, 10.0]}
    """

    def one(place: Any) -> Any:
        if not isinstance(place, np.ndarray):
            return numbers.item(place) if isinstance(place, int) else place
        if place.dtype == int:
            return numbers[place]
        return array([one(z) for z in place.ravel().tolist()], place.shape)

    return each(places, one)


def _is_module(key: Any) -> bool:
    return isinstance(key, tuple) and bool(key) and isinstance(key[0], Module)


def _is_container(key: Any) -> bool:
    return isinstance(key, tuple) and len(key) == 3 and isinstance(key[0], type)


def _chunks(name: str, key: Any) -> Iterator[tuple[str, Any]]:
    """Give the name and the key of each chunk of an argument."""
    if _is_container(key):
        kind, keys, parts = key
        for k, part in enumerate(parts):
            yield from _chunks(str(keys[k]) if kind is dict else f"{name}{k}", part)
    else:
        yield name, key


def _labels(name: str, shape: tuple[int, ...]) -> list[str]:
    """Name the numbers of an array as the text does, $W_{21}$, with a comma where an index has two digits."""
    if not shape:
        return [name]
    comma = "," if max(shape) > 9 else ""
    return [f"{name}_{{{comma.join(str(i + 1) for i in place)}}}" for place in np.ndindex(shape)]


def _of_arrays(key: Any) -> bool:
    if _is_container(key):
        return all(map(_of_arrays, key[2]))
    return isinstance(key, tuple) and bool(key) and type(key[0]) is int


def _state(key: Any, numbers: list[Any]) -> dict[str, Any]:
    """Return the numbers of a module's parameters as its `state_dict`."""
    module, parameters = key
    found = dict(zip(parameters, numbers, strict=True))
    return {path: _like(tree, found) for path, tree in module._entries()}


def _assembled(
    key: Any,
    chunks: Iterator[tuple[Any, tuple[int, ...]]],
    module: Callable[[Any, list[Any]], Any] = _state,
    in_place: bool = False,
) -> Any:
    """Put chunks of numbers together; of a module as its state, unless said otherwise."""
    if _is_container(key):
        kind, keys, parts = key
        found = [_assembled(part, chunks, module, in_place) for part in parts]
        if kind is dict:
            return dict(zip(keys, found, strict=True))
        return kind(*found) if hasattr(kind, "_fields") else kind(found)
    flat, shape = next(chunks)
    if in_place:
        return flat.reshape(shape)
    if isinstance(flat, np.ndarray):
        if key is not None and type(key[0]) is int:
            return flat.reshape(shape).copy()
        flat = flat.tolist()
    if key is None:
        return flat[0]
    kind = key[0]
    if type(kind) is int:
        return array(flat, shape)
    if kind == "leaves":
        structure: Structure = key[1]
        return structure.rebuild(flat)
    if isinstance(kind, Module):
        return module(key, flat)
    return flat if kind is list else tuple(flat)


def _like(tree: Any, numbers: dict[Value, float]) -> Any:
    return numbers[tree] if isinstance(tree, Value) else [_like(part, numbers) for part in tree]
