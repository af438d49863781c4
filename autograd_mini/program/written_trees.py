"""Arguments and results of a program in their structure, for languages that have containers.

A `TreeWriter` writes the code that reads the inputs from the arguments, and the code that builds the results. A
subclass writes the arrays and containers of its language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .export import Container, Export, Input, Leaf, Way
from .statements import Variable
from .written_loops import Names

NOTHING = Variable("", (0, 0))  # stands for an argument's array without numbers, which is no input


class TreeWriter:
    """A writer of the lines that read a function's arguments and return its results."""

    def __init__(self, export: Export, names: Names) -> None:
        self.export, self.names = export, names
        self.parameters = [names.new(name) for name, _ in export.arguments]
        wanted = export.wanted if export.derivative == "jvp" else []
        self.tangents = [names.new(f"t{export.arguments[k][0]}") for k in wanted]
        self.given: list[str] = []  # the names of the inputs, and then of their tangents
        self.reading = [*self._reading()]
        self.came = [names.new(x.name) for x in export.ways[0].results]

    # Each language has its own version of these.

    def key(self, key: object) -> str:
        """Write the access to a part of a container."""
        raise NotImplementedError

    def read(self, own: str, calls: list[str], x: Input) -> str:
        """Write the line that makes an input from its leaves."""
        raise NotImplementedError

    def leaf(self, leaf: Leaf, path: str) -> str:
        """Write the expression that reads and checks a leaf."""
        raise NotImplementedError

    def part(self, name: str, variable: Variable, leaf: Leaf, first: int) -> str:
        """Write a leaf of a result: numbers of an array, from number `first` on."""
        raise NotImplementedError

    def container(self, tree: Container, parts: list[str]) -> str:
        """Write a container with its parts."""
        raise NotImplementedError

    def several(self, texts: Sequence[str]) -> str:
        """Write several results."""
        raise NotImplementedError

    # All languages share these.

    def _reading(self) -> Iterator[str]:
        for x in self.export.inputs:
            yield self._read(x, self.parameters[x.argument], "")
        for k, root in zip(self.export.wanted, self.tangents, strict=False):
            for x in self.export.inputs_of(k):
                yield self._read(x, root, "t")

    def _read(self, x: Input, root: str, start: str) -> str:
        """Write the line that reads an input. If the whole argument is the input, it keeps its name."""
        calls = [self.leaf(leaf, root + "".join(map(self.key, leaf.path[1:]))) for leaf in x.leaves]
        self.given.append(root if len(x.leaves[0].path) == 1 else self.names.new(start + x.name))
        return self.read(self.given[-1], calls, x)

    def result(self, way: Way) -> list[str]:
        """Write the results: the value, and the derivative."""
        found = [self._value(name, way.routine.value) for name in self.came[: 1 + (self.export.derivative == "jvp")]]
        if self.export.derivative == "grad":
            found.append(self._gradient(way))
        return found

    def _value(self, name: str, variable: Variable) -> str:
        def of(leaf: Leaf) -> str:
            return self.part(name, variable, leaf, int(leaf.slots.flat[0]) if leaf.slots.size else 0)

        return self.tree(self.export.out, of)

    def _gradient(self, way: Way) -> str:
        inputs = [x for k in self.export.wanted for x in self.export.inputs_of(k)]
        places = {
            leaf.path: (name, variable, x.place(leaf))
            for name, variable, x in zip(self.came[1:], way.derived, inputs, strict=True)
            for leaf in x.leaves
        }

        def of(leaf: Leaf) -> str:
            name, variable, first = places.get(leaf.path, ("", NOTHING, 0))
            return self.part(name, variable, leaf, first)

        slopes = [self.tree(self.export.arguments[k][1], of) for k in self.export.wanted]
        return slopes[0] if self.export.single else self.several(slopes)

    def tree(self, tree: Container | Leaf, of: Callable[[Leaf], str]) -> str:
        """Write a tree. `of` writes its leaves."""
        if isinstance(tree, Leaf):
            return str(of(tree))
        return self.container(tree, [self.tree(part, of) for part in tree.parts.values()])
