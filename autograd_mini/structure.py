"""Nested arguments: numbers and Values in lists, tuples, dicts and NumPy arrays.

This room owns the taking apart of such structures into a flat list of leaves and the putting
together again. It must not know what is done with the leaves, and imports NumPy only where an array
is there already.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

__all__ = ["Structure", "flatten"]


class Structure(NamedTuple):
    """The shape of nested arguments: two are equal if leaves of one fit into the other."""

    kind: Any  # None for a leaf, the type of a container, or "array"
    keys: tuple[Any, ...] = ()  # of a dict, or the shape of an array
    parts: tuple[Structure, ...] = ()

    def rebuild(self, leaves: Iterable[Any]) -> Any:
        """Put leaves into the structure, from left to right.

        >>> leaves, structure = flatten({"b": 3.0, "w": [1.0, 2.0]})
        >>> structure.rebuild(10 * x for x in leaves)
        {'b': 30.0, 'w': [10.0, 20.0]}
        """
        return self._rebuild(iter(leaves))

    def _rebuild(self, leaves: Iterator[Any]) -> Any:
        if self.kind is None:
            return next(leaves)
        if self == NOTHING:
            return None
        if self.kind == "array":
            return array([next(leaves) for _ in range(self.size)], self.keys)
        parts = [part._rebuild(leaves) for part in self.parts]
        if self.kind in (dict, OrderedDict):
            return self.kind(zip(self.keys, parts, strict=True))
        if hasattr(self.kind, "_fields"):
            return self.kind(*parts)
        return self.kind(parts)

    @property
    def size(self) -> int:
        """Return the number of leaves."""
        if self.kind is None:
            return 1
        if self.kind == "array":
            size = 1
            for n in self.keys:
                size *= n
            return size
        return sum(part.size for part in self.parts)

    def __str__(self) -> str:
        if self.kind is None:
            return "*"
        if self == NOTHING:
            return "None"
        if self.kind == "array":
            return f"array{self.keys}"
        parts = [str(part) for part in self.parts]
        if len(parts) > 12 and self.kind is not dict:  # shortened, for messages
            parts = [*parts[:3], f"… {len(parts) - 4:,} more", parts[-1]]
        if self.kind in (dict, OrderedDict):
            return "{" + ", ".join(f"{k!r}: {part}" for k, part in zip(self.keys, parts, strict=True)) + "}"
        if self.kind is list:
            return f"[{', '.join(parts)}]"
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"


LEAF = Structure(None)
NOTHING = Structure("None")  # a part that is None, and stays so


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """Take a structure apart into its leaves, from left to right, and its shape.

    >>> leaves, structure = flatten((1.0, [2.0, {"x": 3.0}]))
    >>> leaves, str(structure)
    ([1.0, 2.0, 3.0], "(*, [*, {'x': *}])")
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> Structure:
    if tree is None:
        return NOTHING
    if isinstance(tree, type):  # of which np.float64 has an ndim, too
        leaves.append(tree)
        return LEAF
    if isinstance(tree, dict):
        keys = sorted(tree) if all(isinstance(key, str) for key in tree) else list(tree)  # as JAX: in order
        kind: type = dict
        if isinstance(tree, OrderedDict):
            keys, kind = list(tree), OrderedDict
        return Structure(kind, tuple(keys), tuple(_flatten(tree[key], leaves) for key in keys))
    if isinstance(tree, (list, tuple)):
        kind = type(tree) if hasattr(tree, "_fields") else list if isinstance(tree, list) else tuple
        return Structure(kind, (), tuple(_flatten(part, leaves) for part in tree))
    if getattr(tree, "ndim", 0) and hasattr(tree, "ravel"):  # a pandas Series has an ndim too
        leaves.extend(tree.ravel().tolist())
        return Structure("array", tuple(tree.shape))
    leaves.append(tree.item() if getattr(tree, "ndim", None) == 0 else tree)  # an array that is one number
    return LEAF


def array(leaves: list[Any], shape: tuple[int, ...]) -> Any:
    """Return a NumPy array of floats, or of objects where a leaf is no number."""
    import numpy as np

    if all(type(x) is float for x in leaves):
        return np.array(leaves, dtype=float).reshape(shape)
    return np.fromiter(leaves, dtype=object, count=len(leaves)).reshape(shape)  # which asks no leaf for its items
