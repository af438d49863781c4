"""The base class of all parts of a net: it holds parameters.

This module finds, zeroes, saves and loads parameters. It must not know the computation of a net.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import write_whole
from ..hints import NET, missing
from ..ops import number
from ..printing import counted
from ..structure import TOO_DEEP, Kind, Tree, kind_of, register
from ..value import Value

FORMAT, VERSION = "autograd_mini.nn", 1


class Module:
    """Hold parameters: every leaf `Value` that a subclass has as an attribute is a parameter.

    Parameters are also found in modules, lists, tuples, dicts, dataclasses, object arrays and your own containers
    (`register_container`). Attributes whose names begin with an underscore are left out.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.w, self.b = Value(2.0, "w"), Value(1.0, "b")
    ...     def __call__(self, x):
    ...         return self.w * x + self.b
    >>> line = Line()
    >>> line(3.0).data, line.state_dict()
    (7.0, {'w': 2.0, 'b': 1.0})
    """

    def __call__(self, x: Tree) -> Tree:
        """Compute the output for the input of one example."""
        hint = " (forward is PyTorch's name)" if hasattr(self, "forward") else ""
        raise NotImplementedError(f"{type(self).__name__} has no __call__ that computes its output: define it{hint}")

    if not TYPE_CHECKING:  # type checkers report a misspelt name as an error

        def __getattr__(self, name: str) -> Any:
            """Raise an error. If other libraries have a method of this name, the error names the one to call here."""
            raise missing(self, name, NET)

    def parameters(self) -> list[Value]:
        """Return the parameters in order, each once."""
        return list(dict.fromkeys(chain.from_iterable(_values(tree) for _, tree in self._entries())))

    def named_parameters(self) -> Iterator[tuple[str, Value]]:
        """Yield each parameter with its path, such as `layers.0.neurons.1.w.0`.

        >>> from autograd_mini import nn
        >>> [name for name, _ in nn.Neuron(2).named_parameters()]
        ['w.0', 'w.1', 'b']
        """
        for path, tree in self._entries():
            yield from _leaves(path, tree)

    def zero_grad(self) -> None:
        """Set `.grad` of every parameter to 0.0."""
        for parameter in self.parameters():
            parameter.grad = 0.0

    def state_dict(self) -> dict[str, Tree]:
        """Return the numbers of all parameters: floats and nested lists of them by their paths."""
        return {path: _filled(tree, attrgetter("data")) for path, tree in self._entries()}

    def load_state_dict(self, state: Tree) -> None:
        """Set all parameters to the numbers of a state. If the state does not fit, change none.

        Raises:
            ValueError: a parameter is missing, unknown, of another shape, or not made of finite numbers.
                The message names it.
        """
        if not isinstance(state, dict):
            raise TypeError(f"load_state_dict: give a dict of paths and numbers, not a {type(state).__name__}")
        entries = dict(self._entries())
        name = type(self).__name__
        if missing := [path for path in entries if path not in state]:
            raise ValueError(f"{name}: the state has no {_listed(missing)}; it has {_listed(list(state)) or 'nothing'}")
        if unknown := [path for path in state if path not in entries]:
            raise ValueError(f"{name}: the state has {_listed(unknown)}, but this net does not")
        pairs: list[tuple[Value, float]] = []
        for path, tree in entries.items():
            _match(f"{name}: {path}", tree, state[path], pairs)
        for parameter, value in pairs:
            parameter.data = value

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the parameters to a JSON file in one step. Floats are exact.

        Raises:
            ValueError: a parameter is nan or inf, which `load` does not accept. An old file stays as it was.
            OSError: the file cannot be written. An old file stays as it was.
        """
        content = {"format": FORMAT, "version": VERSION, "net": repr(self), "parameters": self.state_dict()}
        path = Path(path)
        for name, x in self.named_parameters():
            if not math.isfinite(x.data):
                raise ValueError(f"{path} is not written: the parameter {name} is {x.data}")
        write_whole(path, (json.dumps(content, indent=1) + "\n").encode())
        return path

    def load(self, path: str | os.PathLike[str]) -> None:
        """Set the parameters to those in a file that `save` wrote from a net of the same shape.

        Raises:
            ValueError: the file was not written by `save`, is incomplete, or belongs to a net with another `repr`.
                Nothing has changed. To load it anyway, use `load_state_dict`.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:  # also of an encoding
            raise ValueError(f"{path}: this is not a complete JSON file ({error})") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{path}: this JSON file is not from net.save: its format is not {FORMAT!r}")
        if type(content.get("version")) is not int or content["version"] != VERSION:
            raise ValueError(
                f"{path}: the file has version {content.get('version')!r} of the format, and this package reads only "
                f"version {VERSION}"
            )
        if content.get("net") != repr(self):
            raise ValueError(f"{path}: this was saved from {content.get('net')}, but this net is {self!r}")
        try:
            self.load_state_dict(content.get("parameters"))
        except (ArithmeticError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({counted(len(self.parameters()), 'parameter')})"

    def _entries(self) -> list[tuple[str, Tree]]:
        """Return the entries of the state: the Value, or the nested list of Values, of each path.

        Raises:
            ValueError: two parameters have the same path, or containers are nested too deeply.
        """
        try:
            entries = list(_search("", self, {}))
        except RecursionError:
            raise ValueError(f"{type(self).__name__}: {TOO_DEEP}") from None
        times = Counter(path for path, _ in entries)
        if twice := [path for path, n in times.items() if n > 1]:
            raise ValueError(f"{type(self).__name__}: two parameters have the path {twice[0]!r}; rename a key")
        return entries


def _search(path: str, tree: Tree, seen: dict[int, object]) -> Iterator[tuple[str, Tree]]:
    """Find the parameters of an object. One that is found twice counts once, with its first path."""
    if isinstance(tree, Value):
        if tree.op is None and id(tree) not in seen:
            seen[id(tree)] = tree
            yield path, tree
        return
    listed = isinstance(tree, (list, tuple))
    named = None if listed else _named(tree)
    if named is None:
        parts = tree if listed else _counted(tree)
        if _all_parameters(parts):
            yield path, parts
            return
        named = enumerate(parts)
    elif not isinstance(tree, dict):
        if id(tree) in seen:
            return
        seen[id(tree)] = tree  # kept alive, or another object could get its id
    start = f"{path}." if path else ""
    for name, part in named:
        yield from _search(f"{start}{name}", part, seen)


def _named(tree: Any) -> Iterable[tuple[Any, Tree]] | None:
    """Return the parts of a module, a dict or a dataclass with their names, or None for another object."""
    if isinstance(tree, Module):
        return [(name, part) for name, part in vars(tree).items() if not name.startswith("_")]
    if isinstance(tree, dict):
        return tree.items()  # in the order of the dict, because saved files have it
    kind = kind_of(type(tree))
    if kind is None or kind.names is None:
        return None
    parts, rest = kind.flatten(tree)
    return zip(kind.names(rest), parts, strict=True)


def _counted(tree: Tree) -> Sequence[Tree]:
    """Return the parts of a container whose parts have no names, or no parts for another object."""
    if getattr(getattr(tree, "dtype", None), "kind", "") == "O":
        return tree.tolist()  # type: ignore[no-any-return]
    kind = kind_of(type(tree))
    return () if kind is None else kind.flatten(tree)[0]


def _all_parameters(tree: Tree) -> bool:
    if isinstance(tree, (list, tuple)):
        return bool(tree) and all(map(_all_parameters, tree))
    return isinstance(tree, Value) and tree.op is None


def _values(tree: Tree) -> list[Value]:
    """Return the Values of an entry in order, without their paths: nets have many, and a search is often needed."""
    if isinstance(tree, Value):
        return [tree]
    return [x for part in tree for x in ([part] if isinstance(part, Value) else _values(part))]


def _leaves(path: str, tree: Tree) -> Iterator[tuple[str, Value]]:
    if isinstance(tree, Value):
        yield path, tree
    else:
        for i, part in enumerate(tree):
            yield from _leaves(f"{path}.{i}", part)


def _filled(tree: Tree, number_of: Callable[[Value], Tree]) -> Tree:
    """Return a parameter's number, or the nested list of the numbers of parameters."""
    if isinstance(tree, Value):
        return number_of(tree)
    return [number_of(part) if isinstance(part, Value) else _filled(part, number_of) for part in tree]


def _taken_apart(module: Module) -> tuple[tuple[Value, ...], tuple[Module, tuple[Value, ...]]]:
    parameters = tuple(module.parameters())
    return parameters, (module, parameters)


def _state(owner: tuple[Module, tuple[Value, ...]], numbers: list[Tree]) -> dict[str, Tree]:
    """Return numbers of a module's parameters in the structure of its `state_dict`."""
    module, parameters = owner
    number_of = dict(zip(parameters, numbers, strict=True)).__getitem__
    return {path: _filled(tree, number_of) for path, tree in module._entries()}


register(Kind(Module, _taken_apart, _state, owner=True))  # an argument of programs


def _match(path: str, tree: Tree, state: Tree, pairs: list[tuple[Value, float]]) -> None:
    """Pair parameters with the numbers of a state of the same shape."""
    if isinstance(tree, Value):
        if getattr(state, "ndim", None) != 0 and hasattr(state, "__len__"):
            raise ValueError(f"{path}: expected a number, but the state has {_shown(state)}")
        try:
            plain = number(path, state)
        except TypeError as error:
            raise ValueError(str(error)) from None
        if not math.isfinite(plain):
            raise ValueError(f"{path}: expected a finite number, but the state has {plain}")
        pairs.append((tree, plain))
        return
    if not (isinstance(state, (list, tuple)) or hasattr(state, "ndim")) or len(state) != len(tree):
        raise ValueError(
            f"{path}: expected {counted(len(tree), 'entry', 'entries')}, but the state has {_shown(state)}"
        )
    for i, (part, numbers) in enumerate(zip(tree, state, strict=True)):
        _match(f"{path}.{i}", part, numbers, pairs)


def _shown(state: Tree) -> str:
    many = isinstance(state, (list, tuple)) or hasattr(state, "ndim")
    return counted(len(state), "entry", "entries") if many else repr(state)


def _listed(names: Sequence[object]) -> str:
    return ", ".join(map(str, names[:4])) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _unique(pairs: list[tuple[str, Tree]]) -> dict[str, Tree]:
    """Return the pairs of a JSON object as a dict, or raise an error if a key appears twice."""
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return made
