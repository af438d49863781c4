"""Batches whose examples run one after the other, and batches that are recorded in this way.

A batch is recorded if an argument has a Value, or inside of a function that is differentiated or traced. Then the
function itself runs on each example, so the results are graphs: they have arrays of Values where the results of a
program have arrays of floats. This module must not know how a program is found or run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ops import number
from ..structure import Tree, flatten, is_array
from ..transform import value_and_grad
from ..value import Value
from .axes import Axes, example_of, is_axis, mapped, moved
from .parameters import Argnums

if TYPE_CHECKING:
    from .batch import Batched
    from .compiler import Compiled


def recorded(levels: Sequence[Batched], args: tuple[Tree, ...], argnums: Argnums) -> tuple[Tree, Tree]:
    """Return the results and the gradient (None without argnums) of a batch as graphs. The outermost level comes first.

    Raises:
        TypeError: an argument is not made of numbers and Values; or argnums are given, and the function returns more
            than one number.
        ValueError: the arrays have different numbers of examples, no argument varies, argnums name no argument, or the
            results of two examples have different structures.
    """
    outer, inner = levels[0], levels[1:]
    run = partial(recorded, inner, argnums=argnums) if inner else partial(_of_example, outer.compiled, argnums)
    return one_by_one(run, outer.name, args, outer._axes_of(args), argnums)


def _of_example(compiled: Compiled, argnums: Argnums, example: tuple[Tree, ...]) -> tuple[Tree, Tree]:
    """Return the result of an example as floats and Values, and its gradient or None."""
    made = compiled._recorded(example, None if argnums is None else value_and_grad, argnums)
    result, gradient = (made, None) if argnums is None else made
    leaves, out = flatten(result)
    whole = [z if isinstance(z, Value) else number(f"{compiled.name}: its result", z) for z in leaves]
    return out.rebuild(whole), gradient


def one_by_one(
    run: Callable[[tuple[Tree, ...]], tuple[Tree, Tree]],
    name: str,
    args: tuple[Tree, ...],
    axes: Sequence[Axes],
    argnums: Argnums,
) -> tuple[Tree, Tree]:
    """Run the examples one after the other, each by `run`, which returns its results and its gradient or None.

    Stack the results and the derivatives that vary, and add the derivatives of arguments that all examples share. If
    there are no examples, the structures are those of an example of ones.
    """
    sizes: set[int] = set()
    given = [
        x if own is None else _examples(f"{name}, argument {k}", x, own, sizes)
        for k, (x, own) in enumerate(zip(args, axes, strict=True))
    ]
    if len(sizes) != 1:
        raise ValueError(
            f"{name}: the arguments must have the same number of examples, not {sorted(sizes)}"
            if sizes
            else f"{name}: in_axes must have an axis for at least one argument, such as 0, not only None"
        )
    (size,) = sizes

    def example(i: int) -> tuple[Tree, ...]:
        return tuple([x if own is None else example_of(name, x, own, i) for x, own in zip(given, axes, strict=True)])

    runs = [run(example(i)) for i in range(max(size, 1))]
    leaves, structures = zip(*[flatten(values, is_array) for values, _ in runs], strict=True)
    _require_same(name, [values for values, _ in runs], leaves, structures)
    values = structures[0].rebuild(_stacked(column, size) for column in zip(*leaves, strict=True))
    if argnums is None:
        return values, None
    slopes = [gradient if isinstance(gradient, tuple) and not is_axis(argnums) else (gradient,) for _, gradient in runs]

    def joined(k: int, _: Tree) -> Tree:
        place = 0 if is_axis(argnums) else [int(n) % len(args) for n in argnums].index(k)  # type: ignore[union-attr]
        parts = [some[place] for some in slopes]
        counted: list[int | None] = []
        mapped(name, lambda _, axis: counted.append(axis), parts[0], axes[k], is_array)
        columns = zip(*(flatten(part, is_array)[0] for part in parts), strict=True)
        made = [
            _total(column, size) if axis is None else _stacked(column, size)
            for column, axis in zip(columns, counted, strict=True)
        ]
        return flatten(parts[0], is_array)[1].rebuild(made)

    return values, each_argument(joined, runs[0][1], argnums, len(args))


def each_argument(f: Callable[[int, Tree], Tree], gradient: Tree, argnums: Argnums, n: int) -> Tree:
    """Call f with the number of each argument and the derivatives with respect to it, and return the results."""
    if hasattr(argnums, "__index__"):
        return f(int(argnums) % n, gradient)  # type: ignore[arg-type]
    return tuple([f(int(k) % n, part) for k, part in zip(argnums, gradient, strict=True)])  # type: ignore[arg-type]


def _examples(name: str, x: Tree, axes: Axes, sizes: set[int]) -> Tree:
    """Return an argument with the examples along the first axis of each array that varies, and note their number."""

    def first(part: Tree, axis: int | None) -> Tree:
        if axis is None:
            return part
        array = moved(name, part, axis, values=True)
        sizes.add(len(array))
        return array

    return mapped(name, first, x, axes)


def _require_same(name: str, results: Sequence[Tree], leaves: Sequence[list[Tree]], structures: Sequence[Any]) -> None:
    """Raise a ValueError unless the results of all examples have the same structure."""
    shapes = [list(map(np.shape, own)) for own in leaves]
    for i, (structure, own) in enumerate(zip(structures, shapes, strict=True)):
        if structure != structures[0] or own != shapes[0]:
            first, other = flatten(results[0])[1], flatten(results[i])[1]
            raise ValueError(f"{name}: the result of example 0 is {first}, but that of example {i} is {other}")


def _stacked(column: Sequence[Tree], size: int) -> Any:
    """Return the numbers or arrays of the examples as one array."""
    return np.stack(column) if size else np.zeros((0, *np.shape(column[0])))


def _total(column: Sequence[Tree], size: int) -> Tree:
    """Return the sum of the numbers or arrays of the examples."""
    if size:
        return sum(column[1:], column[0])
    return np.zeros(np.shape(column[0])) if np.ndim(column[0]) else 0.0
