r"""A compiled function as data that can be written in another language: arguments, results and ways.

This module has the parts that all languages share: arguments and results as trees, the arrays that a program reads, the
ways through the branches, and the notes at the head of a file. It must not know any language.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass
from types import NoneType
from typing import Any, Literal, TypeAlias

import numpy as np

from ..printing import format_number
from ..sparse import SparseMatrix
from ..structure import Structure, kind_of
from .arguments import Chunk, Numbers
from .notation import Notation
from .specialization import Specialization
from .statements import Routine, Statement, Test, Variable

Path: TypeAlias = tuple[Any, ...]  # the number of the argument, and the keys and places that lead to a part
Derivative: TypeAlias = Literal["grad", "jvp"] | None
FEW = 3  # the most leaves that a comment lists


@dataclass(frozen=True)
class Leaf:
    """A number, an array or a list of numbers, as a part of an argument or a result.

    Attributes:
        path: the number of the argument, and the keys and places that lead to it.
        kind: "number", "array", "list" or "tuple".
        slots: the places of its numbers, among all inputs or outputs.
    """

    name: str
    path: Path
    kind: str
    slots: Numbers

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the array or list; () for a number."""
        shape: tuple[int, ...] = self.slots.shape
        return shape

    @property
    def matrix(self) -> Numbers:
        """Return the places of its numbers in rows and columns; a vector is one column."""
        return self.slots.reshape(-1, self.shape[-1] or 1) if len(self.shape) > 1 else self.slots.reshape(-1, 1)


@dataclass(frozen=True)
class Container:
    """A container, with its parts by their keys or places."""

    kind: str  # "dict", "list", "tuple", "none", or "state" for a module
    parts: dict[Hashable, Container | Leaf]


def leaves_of(tree: Container | Leaf) -> Iterator[Leaf]:
    """Yield the leaves, from left to right."""
    if isinstance(tree, Leaf):
        yield tree
    else:
        for part in tree.parts.values():
            yield from leaves_of(part)


@dataclass(frozen=True)
class Input:
    """An array that a program reads: the numbers of one leaf, or of several leaves, one after the other.

    Attributes:
        slots: the places of its numbers among all inputs, in rows and columns.
    """

    name: str
    slots: Numbers
    leaves: list[Leaf]

    @property
    def argument(self) -> int:
        """Return the number of the argument that it is a part of."""
        return int(self.leaves[0].path[0])

    def place(self, leaf: Leaf) -> int:
        """Return the place of a leaf's first number in the array."""
        before = self.leaves[: [other.path for other in self.leaves].index(leaf.path)]
        return sum(int(other.slots.size) for other in before)


@dataclass(frozen=True)
class Way:
    """One way through the branches: its statements, the statements of the derivative, inputs and outputs."""

    routine: Routine
    title: str = ""  # the comment above the derivative
    more: Sequence[Statement] = ()
    tangents: Sequence[Variable] = ()  # the given tangents
    derived: Sequence[Variable] = ()  # derivatives with respect to inputs, or the tangent of the value

    @property
    def statements(self) -> list[Statement | Test]:
        """Return the statements that compute the value."""
        return self.routine.statements

    @property
    def given(self) -> list[Variable]:
        """Return the arrays that the program reads."""
        return [*self.routine.inputs, *self.tangents]

    @property
    def results(self) -> list[Variable]:
        """Return the arrays that the program computes for its caller."""
        return [self.routine.value, *self.derived]

    @property
    def constants(self) -> list[Variable]:
        """Return the arrays of constants."""
        return self.routine.constants


@dataclass(frozen=True)
class Export:
    """A function to write: its arguments, results, ways and notes.

    Attributes:
        name: the name of the written function.
        of: the name of the compiled function.
        arguments: the name and the structure of each argument.
        wanted: the arguments to differentiate with respect to, or with tangents.
        single: whether the caller named one argument, and not a tuple of arguments.
        notes: lines for the reader of the written file.
    """

    name: str
    of: str
    derivative: Derivative
    arguments: list[tuple[str, Container | Leaf]]
    inputs: list[Input]
    out: Container | Leaf
    wanted: Sequence[int]
    single: bool
    ways: list[Way]
    notes: list[str]

    @property
    def title(self) -> str:
        """Return a sentence about the function."""
        more = {None: "", "grad": " and its gradient", "jvp": " and its derivative along tangents"}[self.derivative]
        return f"{self.of}{more}, as autograd_mini has compiled it."

    @property
    def refusal(self) -> str:
        """Return the message for numbers that take a way through the branches that is not written."""
        return f"{self.of}: with these numbers it takes a way through its branches that was not written"

    def inputs_of(self, k: int) -> list[Input]:
        """Return the arrays that an argument consists of."""
        return [x for x in self.inputs if x.argument == k]

    def path(self, leaf: Leaf) -> str:
        """Return the Python expression for a leaf of an argument, such as `w[0]`."""
        k, *keys = leaf.path
        return "".join([self.arguments[k][0], *(f"[{key!r}]" for key in keys)])

    def described(self) -> list[tuple[str, str]]:
        """Return for each input and output its name and a line about its numbers."""
        ways, lines = self.ways[0], []
        for x, variable in zip(self.inputs, ways.routine.inputs, strict=True):
            paths = [self.path(leaf) for leaf in x.leaves[:FEW]]
            text = ", ".join(paths) + ", ..." * (len(x.leaves) > FEW)
            lines.append((variable.name, _sized(variable, text if text != variable.name else "")))
        lines += [(t.name, f"the change of {x.name}") for t, x in zip(ways.tangents, self._wanted, strict=False)]
        lines.append((ways.routine.value.name, "; ".join(self._described_results()) or "the result"))
        if self.derivative == "jvp":
            lines.append((ways.derived[0].name, "the change of the result"))
        else:
            slopes = zip(ways.derived, self._wanted, strict=True)
            lines += [(d.name, f"the derivative with respect to {x.name}") for d, x in slopes]
        return [(name, plain(line)) for name, line in lines]

    @property
    def _wanted(self) -> list[Variable]:
        places = [k for wanted in self.wanted for k, x in enumerate(self.inputs) if x.argument == wanted]
        return [self.ways[0].routine.inputs[k] for k in places]

    def _described_results(self) -> Iterator[str]:
        for leaf in leaves_of(self.out):
            path = "".join(f"[{key!r}]" for key in leaf.path)
            shape = " x ".join(map(str, leaf.shape))
            first = int(leaf.slots.flat[0]) if leaf.slots.size else 0
            row = ", row by row" * (len(leaf.shape) > 1)
            if path:
                yield f"from [{first}] on {path}" + f", {shape}{row}" * bool(shape)
            elif shape:
                yield f"{shape}{row}"


def _sized(variable: Variable, text: str) -> str:
    rows, columns = variable.shape
    size = (
        "a number" if variable.size == 1 else f"{rows} numbers" if columns == 1 else f"{rows} x {columns}, row by row"
    )
    return size + f": {text}" * bool(text)


def plain(text: str) -> str:
    """Return a text on one line, without the marks that end a comment in some language."""
    return " ".join(text.split()).replace("*/", "* /").replace('"""', "'''").replace("\\", "/")


def export_of(
    name: str, specializations: Sequence[Specialization], derivative: Derivative, wanted: Sequence[int], single: bool
) -> Export:
    """Return the export of a function that has a program for each known way through its branches.

    Args:
        wanted: the arguments to differentiate with respect to, or with tangents.

    Raises:
        ValueError: the function returns nothing.
    """
    first = specializations[0]
    if not first.outputs:
        raise ValueError(f"{name}: it returns no number, so there is nothing to write")
    if any(other.trace.out != first.trace.out for other in specializations):
        raise NotImplementedError(
            f"{name}: its results have another structure in another branch, which cannot be written"
        )
    arguments = [
        (argument, _argument(argument, (k,), structure, iter(chunks)))
        for k, (argument, (structure, chunks)) in enumerate(zip(first.layout.names, first.layout.parts, strict=True))
    ]
    inputs = [x for _, tree in arguments for x in _inputs(tree, first) if x.slots.size]
    chosen = [k for place in wanted for k, x in enumerate(inputs) if x.argument == place]
    return Export(
        name=(name if name.isidentifier() else "f") + (f"_{derivative}" if derivative else ""),
        of=plain(name),
        derivative=derivative,
        arguments=arguments,
        inputs=inputs,
        out=_result(first.trace.out, iter(range(len(first.outputs))), ()),
        wanted=wanted,
        single=single,
        ways=[_way(other, inputs, derivative, chosen) for other in specializations],
        notes=[*map(plain, _notes(specializations))],
    )


def _inputs(tree: Container | Leaf, specialization: Specialization) -> list[Input]:
    """Return the arrays of an argument: its leaves, or, for a module, the matrices of the written program."""
    leaves = list(leaves_of(tree))
    apart = [Input(leaf.name, leaf.matrix, [leaf]) for leaf in leaves]
    if not isinstance(tree, Container) or tree.kind != "state":
        return apart
    first = {int(leaf.slots.flat[0]): leaf for leaf in leaves if leaf.slots.size}
    places = {slot for leaf in leaves for slot in leaf.slots.flat}
    made = []
    for block in Notation(specialization.trace, specialization.program).inputs:
        if places.issuperset(block.slots.flat):
            parts, slots = [], block.slots.ravel().tolist()
            while slots:
                leaf = first.get(slots[0])
                if leaf is None or slots[: leaf.slots.size] != leaf.slots.ravel().tolist():
                    return apart
                parts.append(leaf)
                slots = slots[leaf.slots.size :]
            made.append(Input(block.name, block.slots, parts))
    return made


def _way(specialization: Specialization, inputs: list[Input], derivative: Derivative, chosen: list[int]) -> Way:
    routine = Routine(specialization, [(x.name, x.slots) for x in inputs])
    wanted = [routine.inputs[k] for k in chosen]
    if derivative is None:
        return Way(routine)
    if derivative == "grad":
        more, adjoints = routine.gradient(wanted)
        return Way(routine, "The way back: dx is the derivative of the value with respect to x.", more, (), adjoints)
    more, tangents, tangent = routine.tangents(wanted)
    return Way(routine, "Tangents: tx is the change of x along the given ones.", more, tangents, [tangent])


def _notes(specializations: Sequence[Specialization]) -> Iterator[str]:
    """Yield lines about the written branches, and about Values that became constants."""
    if specializations[0].branches:
        known = f"the ways that earlier calls took through its branches are here ({len(specializations)})"
        yield f"Only {known}; others are refused."
    frozen = {id(x): (x.label or "a Value", then) for other in specializations for x, then in other.trace.frozen}
    if frozen:
        listed = ", ".join(f"{label} = {format_number(then, 17)}" for label, then in frozen.values())
        yield f"Values that it closes over are constants here: {listed}."


# Arguments and results as trees.


def _argument(name: str, path: Path, structure: Structure, chunks: Iterator[Chunk]) -> Container | Leaf:
    """Return an argument as a tree."""
    if structure.kind is None:
        return _chunk(name, path, next(chunks))
    return _container(name, path, structure, lambda name, path, part: _argument(name, path, part, chunks))


def _result(structure: Structure, places: Iterator[int], path: Path, name: str = "value") -> Container | Leaf:
    """Return the results as a tree."""
    if structure.kind is None:
        return Leaf(name, path, "number", np.array(next(places)))
    if structure.kind == "array":
        slots = np.array([next(places) for _ in range(structure.size)], dtype=int)
        return Leaf(name, path, "array", slots.reshape(structure.keys))
    return _container(name, path, structure, lambda name, path, part: _result(part, places, path, name))


def _container(
    name: str, path: Path, structure: Structure, of: Callable[[str, Path, Structure], Container | Leaf]
) -> Container | Leaf:
    """Return a container as a tree; `of` makes its parts. A container with names becomes a dict."""
    cls, keys, kind = structure.kind, list(range(len(structure.parts))), "tuple"
    if cls is SparseMatrix:
        raise NotImplementedError(f"{name}: a sparse matrix cannot be written: return its `values`")
    if cls is NoneType:
        kind = "none"
    elif issubclass(cls, dict) or is_dataclass(cls):
        mine = kind_of(cls)
        assert mine is not None
        assert mine.names is not None
        keys, kind = list(mine.names(structure.keys)), "dict"
    elif hasattr(cls, "_fields"):
        keys, kind = list(cls._fields), "dict"
    elif cls is list:
        kind = "list"
    parts = zip(keys, structure.parts, strict=True)
    return _merged(name, path, Container(kind, {key: of(_named(name, key), (*path, key), part) for key, part in parts}))


def _chunk(name: str, path: Path, chunk: Chunk) -> Container | Leaf:
    slots = np.arange(chunk.span.start, chunk.span.stop)
    if chunk.key is None:
        return Leaf(name, path, "number", slots.reshape(()))
    if chunk.owned is not None:  # a module is written as its state
        state = _state(name, path, chunk.owned.unflatten(chunk.key, slots.tolist()))
        return Container("state", state.parts) if isinstance(state, Container) else state
    kind = "list" if chunk.key[0] is list else "tuple" if chunk.key[0] is tuple else "array"
    return Leaf(name, path, kind, slots.reshape(chunk.shape))


def _state(name: str, path: Path, x: object) -> Container | Leaf:
    """Return dicts and lists of places as a tree."""
    if not isinstance(x, dict | list | tuple):
        return Leaf(name, path, "number", np.array(x, dtype=int))
    kind = "dict" if isinstance(x, dict) else "list" if isinstance(x, list) else "tuple"
    items = x.items() if isinstance(x, dict) else enumerate(x)
    return _merged(name, path, Container(kind, {key: _state(_named(name, key), (*path, key), y) for key, y in items}))


def _merged(name: str, path: Path, tree: Container) -> Container | Leaf:
    """Return a list of numbers, or of lists of one length, as one leaf; return any other tree unchanged."""
    parts = [part for part in tree.parts.values() if isinstance(part, Leaf)]
    if tree.kind not in ("list", "tuple") or not parts or len(parts) < len(tree.parts):
        return tree
    lists = tree.kind == "list" and all(part.kind == "list" and part.shape == parts[0].shape for part in parts)
    if not lists and any(part.kind != "number" for part in parts):
        return tree
    return Leaf(name, path, tree.kind, np.stack([part.slots for part in parts]))


def _named(name: str, key: object) -> str:
    return key if isinstance(key, str) else f"{name}{key}" if isinstance(key, int) else name
