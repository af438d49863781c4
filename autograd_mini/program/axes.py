"""The axes along which the examples of arguments are counted.

This module reads `in_axes`. It has an entry for each argument: None if all examples share the argument, the number of
an axis, or a container of such entries, built like the argument's outer containers. This module must not know how
examples are run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..ops import TOO_LARGE, number
from ..printing import counted
from ..structure import Kind, Rest, Tree, array as array_of, holds, is_array, kind_of, map_leaves
from ..value import Value
from .arguments import FLOAT, GivenValue, Key, Numbers, read, typed

InAxes: TypeAlias = "int | Sequence[Any] | None"
Axes: TypeAlias = Any  # an entry of in_axes: None, an int, or a container of entries


def is_axis(axes: Axes) -> bool:
    """Return whether axes are one entry for the whole argument: a number or None."""
    return axes is None or type(axes) is int or hasattr(axes, "__index__")


def is_plain(x: object) -> bool:
    """Return whether x is an array that programs can read without a copy, with the examples along its first axis."""
    return type(x) is np.ndarray and x.dtype is FLOAT and x.ndim > 0 and x.flags.c_contiguous and x.flags.aligned


def each_of(name: str, in_axes: InAxes, n: int) -> list[Axes]:
    """Return the axes of each of n arguments.

    Raises:
        ValueError: `in_axes` does not have n entries.
        TypeError: `in_axes` is not a number, None, or a list or tuple of entries.
    """
    if is_axis(in_axes):
        return [in_axes] * n
    if not isinstance(in_axes, (list, tuple)) or hasattr(in_axes, "_fields"):
        raise TypeError(
            f"{name}: in_axes must be a number, None, or a tuple with an entry for each argument, not {in_axes!r}; for "
            f"one argument, type in_axes=({in_axes!r},)"
        )
    if len(in_axes) != n:
        raise ValueError(
            f"{name}: in_axes has {counted(len(in_axes), 'entry', 'entries')} for {counted(n, 'argument')}: "
            "give one entry for each argument"
        )
    return list(in_axes)


def _parts(name: str, x: Tree, axes: Axes) -> tuple[Sequence[Tree], Sequence[Axes], Kind, Rest]:
    """Return the parts of an argument, the axes of each part, and the kind and rest to rebuild the container."""
    kind, mine = kind_of(type(axes)), kind_of(type(x))
    if kind is None or axes is None:
        raise TypeError(f"{name}: in_axes must hold numbers and None, not {axes!r}")
    if mine is None or mine.owner or mine.type is not kind.type:
        raise ValueError(f"{name}: in_axes has {axes!r} for an argument of type {type(x).__name__}: give one like it")
    (parts, rest), (inner, wanted) = mine.flatten(x), kind.flatten(axes)
    if rest != wanted or len(parts) != len(inner):
        raise ValueError(
            f"{name}: in_axes has {axes!r}, which has other parts than the argument: give an entry for each"
        )
    return parts, inner, mine, rest


def mapped(
    name: str, f: Callable[[Tree, int | None], Tree], x: Tree, axes: Axes, is_leaf: Callable[[Tree], bool] | None = None
) -> Tree:
    """Return an argument in which each array is replaced by f of the array and its axis.

    >>> mapped("f", lambda x, axis: (x, axis), {"w": 1.0, "x": [2.0, 3.0]}, {"w": None, "x": 0})
    {'w': (1.0, None), 'x': ([2.0, 3.0], 0)}
    """
    if is_axis(axes):
        return map_leaves(lambda leaf: f(leaf, axes), x, is_leaf or is_table)
    parts, inner, kind, rest = _parts(name, x, axes)
    return kind.unflatten(rest, [mapped(name, f, part, a, is_leaf) for part, a in zip(parts, inner, strict=True)])


def examples_first(name: str, x: Tree, axes: Axes) -> Tree:
    """Return an argument with the examples along the first axis of each array that varies.

    A list of numbers counts as an array.
    """
    if type(axes) is int and type(x) is np.ndarray:
        return moved(name, x, axes)
    return mapped(name, lambda part, axis: part if axis is None else moved(name, part, axis), x, axes)


def moved(name: str, x: Tree, axis: int, values: bool = False) -> Numbers:
    """Return an array of floats with the examples along the first axis. With `values`, it may hold Values, too.

    Raises:
        GivenValue: there is a Value, without `values`.
        TypeError: x is not made of numbers, or the examples do not have the same length.
        ValueError: x does not have the axis.
    """
    if axis == 0 and is_plain(x):
        return x  # type: ignore[no-any-return]
    try:
        values = values and holds(x, Value)
        array = _of_values(name, x) if values else np.asarray(x)
        if array.dtype.kind not in "fiubO" or (array.dtype.kind == "O" and holds(x, str)):
            raise TypeError
        array = array if values else array.astype(float, copy=False)
    except OverflowError:
        raise OverflowError(f"vmap: {TOO_LARGE}") from None
    except (TypeError, ValueError):
        if not values and holds(x, Value):
            raise GivenValue(f"{name}: vmap takes numbers here, not {x!r}") from None
        raise TypeError(_no_numbers(name, x)) from None
    if not array.ndim:
        only = array.item()
        raise ValueError(
            f"{name}: vmap was given the number {only} where it counts examples. Type [{only}] for a batch of one, "
            "or None at its place in in_axes, such as vmap((None, 0)), to share it among all examples"
        )
    require_axis(name, array.shape, axis)
    return np.require(np.moveaxis(array, axis, 0), requirements=["C", "A"])


def _of_values(name: str, x: Tree) -> Numbers:
    """Return an array, or nested lists of the same length, as an array of floats and Values."""
    array = np.asarray(x, dtype=object)
    return array_of([z if isinstance(z, Value) else number(name, z) for z in array.ravel().tolist()], array.shape)


def _no_numbers(name: str, x: Tree) -> str:
    """Return the message for an argument that is not made of numbers."""
    kind = kind_of(type(x))
    if kind is not None and kind.owner:
        return f"{name}: a module has no examples to count: share it by None at its place in in_axes"
    return (
        f"{name}: vmap takes arrays and lists of numbers, not {x!r}: name an argument that is not made of "
        "numbers in static_argnums, and give all examples the same length"
    )


def require_axis(name: str, shape: tuple[int, ...], axis: int) -> None:
    """Raise an error unless arrays of a shape have an axis.

    Raises:
        ValueError: arrays of this shape do not have the axis.
    """
    if not -len(shape) <= axis < len(shape):
        if not shape:
            raise ValueError(
                f"{name}: in_axes has {axis} for an array with one axis, but an outer vmap takes its only axis"
            )
        raise ValueError(
            f"{name}: in_axes has {axis}, but an array of the shape {shape} has "
            f"{counted(len(shape), 'axis', 'axes')}, counted from 0: give the number of one, or None to "
            "share the array among all examples"
        )


def read_examples(name: str, x: Tree, axes: Axes, chunks: list[Tree], varying: list[bool]) -> Key:
    """Put an argument's numbers on the list of chunks, and return the key of its structure.

    For each chunk, append to `varying` whether it differs between examples.

    >>> import numpy as np
    >>> chunks, varying = [], []
    >>> _ = read_examples("f", {"w": 1.0, "x": np.ones((3, 2))}, {"w": None, "x": 0}, chunks, varying)
    >>> [np.shape(chunk) for chunk in chunks], varying
    ([(), (3, 2)], [False, True])
    """
    if is_axis(axes):
        key = read(name, x, chunks)
        varying += [axes is not None] * (len(chunks) - len(varying))
        return key
    parts, inner, kind, rest = _parts(name, x, axes)
    keys = [read_examples(name, part, a, chunks, varying) for part, a in zip(parts, inner, strict=True)]
    return kind.type, rest, tuple(keys), typed(rest)


def example_of(name: str, x: Tree, axes: Axes, i: int) -> Tree:
    """Return example i of an argument that has the examples along the first axis.

    If there are no examples, return ones, with which the function can be traced.
    """

    def of(part: Tree, axis: int | None) -> Tree:
        if axis is None:
            return part
        one = part[i] if len(part) else np.ones(part.shape[1:])[()]
        return one.item() if isinstance(one, np.float64) else one

    return mapped(name, of, x, axes)


def is_table(x: object) -> bool:
    """Return whether x is an array, or a list that can be read as one: nested lists of numbers or Values."""
    return is_array(x) or _is_numbers(x)


def _is_numbers(x: Tree, axes: int = 64) -> bool:  # NumPy's arrays have 64 axes at most
    if isinstance(x, (list, tuple)):
        return axes > 0 and not hasattr(x, "_fields") and all(_is_numbers(part, axes - 1) for part in x)
    return isinstance(x, (int, float, Value))


def depth_of(x: Tree) -> int:
    """Return the number of axes of an array, or of nested lists, which may differ in length."""
    depth = 0
    while isinstance(x, (list, tuple)) and x:
        x, depth = x[0], depth + 1
    return depth + np.ndim(x)
