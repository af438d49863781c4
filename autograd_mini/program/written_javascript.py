"""A program as an ES module of JavaScript, for browsers and for Node."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

from ..javascript import RUNTIME, Script
from ..source import Unreadable
from .arguments import Numbers
from .export import Container, Export, Input, Leaf
from .statements import Variable
from .written_loops import LoopWriter, Names, indented, is_used, listed, literal
from .written_trees import TreeWriter

RESERVED = (
    "await break case catch class const continue debugger default delete do else enum export extends false finally for "
    "function if implements import in instanceof interface let new null package private protected public return static "
    "super switch this throw true try typeof var void while with yield arguments eval async of undefined NaN Infinity "
    "Math Number Array Object Float64Array ArrayBuffer TypeError RangeError Error number numbers nested"
).split()
HELPERS = {
    "number": """const number = (name, x) => {
    if (typeof x !== "number") throw new TypeError(`${name} must be a number, not ${x}`);
    return x;
};""",
    "numbers": """// The numbers of an array of arrays, which may be one typed array, row by row.
const numbers = (name, x, shape) => {
    const size = shape.reduce((m, n) => m * n, 1);
    if (ArrayBuffer.isView(x) && x.length === size) return Float64Array.from(x);
    const flat = (part, [n, ...rest]) => {
        if (n === undefined) return [number(`a number of ${name}`, part)];
        if (part?.length !== n) throw new TypeError(`${name} must be an array of the shape ${shape.join("×")}`);
        return Array.from(part).flatMap(y => flat(y, rest));
    };
    return Float64Array.from(flat(x, shape));
};""",
    "nested": """const nested = (x, [n, ...rest]) => {
    const size = x.length / n;
    return rest.length ? Array.from({ length: n }, (_, k) => nested(x.slice(k * size, (k + 1) * size), rest)) : [...x];
};""",
}


class _Writer(LoopWriter):
    """A writer of one way through a program."""

    equals = "==="
    of_condition = "Number({})"
    comment = "// {}"

    def __init__(self, names: Names, script: Script, leaves: str) -> None:
        super().__init__(names)
        self.script, self.leaves = script, leaves

    def declared(self, name: str, size: int, value: str | None, *, fixed: bool) -> str:
        """Write the declaration of a number, or of an array."""
        if size > 1:
            return f"const {name} = new Float64Array({size});"
        return f"{'const' if fixed else 'let'} {name} = {value};"

    def loop(self, counter: str, count: int) -> str:
        """Write the head of a loop."""
        return f"for (let {counter} = 0; {counter} < {count}; {counter}++)"

    def failed(self, condition: str) -> str:
        """Write the statement that leaves the program if a condition holds."""
        return f"if ({condition}) {self.leaves}"


class _Trees(TreeWriter):
    """A writer of arguments and results: arrays of arrays, and objects."""

    def key(self, key: object) -> str:
        """Write the access to a part of a container."""
        return f".{key}" if _is_name(key) else f"[{json.dumps(key if isinstance(key, int) else str(key))}]"

    def leaf(self, leaf: Leaf, path: str) -> str:
        """Write the expression that reads and checks a leaf."""
        if leaf.kind == "number":
            return f"number({json.dumps(path)}, {path})"
        return f"numbers({json.dumps(path)}, {path}, {json.dumps(leaf.shape)})"

    def read(self, own: str, calls: list[str], x: Input) -> str:
        """Write the line that makes an input from its leaves."""
        text = calls[0] + "[0]" * (x.slots.size == 1 and x.leaves[0].kind != "number")
        if len(calls) > 1:
            parts = zip(calls, x.leaves, strict=True)
            rows = [f"    {'' if leaf.kind == 'number' else '...'}{call},\n" for call, leaf in parts]
            text = f"Float64Array.of(\n{''.join(rows)})"
        return f"{'' if own in self.parameters + self.tangents else 'const '}{own} = {text};"

    def part(self, name: str, variable: Variable, leaf: Leaf, first: int) -> str:
        """Write a leaf of a result: numbers of an array, from number `first` on."""
        size, shape = leaf.slots.size, json.dumps(leaf.shape)
        if leaf.kind == "number":
            return name if variable.size == 1 else f"{name}[{first}]"
        numbers = name if size == variable.size else f"{name}.slice({first}, {first + size})"
        numbers = f"[{name * size}]" if variable.size == 1 else numbers if size else "[]"
        return f"nested({numbers}, {shape})" if len(leaf.shape) > 1 else f"[...{numbers}]"

    def container(self, tree: Container, parts: list[str]) -> str:
        """Write a container with its parts."""
        if tree.kind == "none":
            return "null"
        if tree.kind not in ("dict", "state"):
            return self.several(parts)
        keys = [key if _is_name(key) else json.dumps(str(key)) for key in tree.parts]
        return f"{{ {', '.join(f'{key}: {part}' for key, part in zip(keys, parts, strict=True))} }}"

    def several(self, texts: Sequence[str]) -> str:
        """Write several results."""
        return f"[{', '.join(texts)}]"


def _require_different(tree: Container | Leaf) -> None:
    """Raise an error if two keys are the same in JavaScript."""
    if isinstance(tree, Container):
        if len(set(map(str, tree.parts))) < len(tree.parts):
            raise Unreadable(f"a dict with the keys {list(tree.parts)}: two of them are the same key there")
        for part in tree.parts.values():
            _require_different(part)


def _is_name(key: object) -> bool:
    return isinstance(key, str) and key.isascii() and key.isidentifier()


def write(export: Export, taken: Collection[str] = ()) -> str:
    """Return the text of the module. It does not use names that are taken."""
    names = Names([*RESERVED, *RUNTIME, *taken])
    name, script = names.new(export.name), Script()
    trees = _Trees(export, names)
    for tree in (export.out, *(tree for _, tree in export.arguments)):
        _require_different(tree)
    several = len(export.ways) > 1
    refusal = f"throw new RangeError({json.dumps(export.refusal)});"
    bodies, constants, used = [], [], set(names.taken)
    for way in export.ways:
        writer = _Writer(Names(names.taken), script, "return null;" if several else refusal)
        writer.named |= dict(zip(way.given, trees.given, strict=True)) | dict(zip(way.results, trees.came, strict=True))
        writer.named |= {x: names.new(x.name) for x in way.constants}
        body = [*writer.body(way, [*way.given, *way.constants])]
        constants += [_array(writer.named[x], x.values) for x in way.constants if is_used(writer.named[x], body)]
        tables = [
            f"const {table} = [\n{listed([*map(str, index.flat)], '    ')}\n];"
            for table, index in writer.tables.values()
        ]
        bodies.append([*tables, *body])
        used |= writer.names.taken
    functions = "\n\n".join(_functions(name, trees, bodies, names, refusal))
    if script.functions.keys() & used.difference(RESERVED, RUNTIME, taken):
        return write(export, {*taken, *script.functions})
    helpers = [
        text
        for helper, text in HELPERS.items()
        if f"{helper}(" in functions or (helper == "number" and "numbers(" in functions)
    ]
    parts = [
        _comment(export),
        *helpers,
        *[str(script)] * bool(script.functions),
        *["\n".join(constants)] * bool(constants),
    ]
    return "\n\n".join([*parts, functions]) + "\n"


def _functions(name: str, trees: _Trees, bodies: list[list[str]], names: Names, refusal: str) -> Iterator[str]:
    """Yield the function. If there are several ways, yield the functions of the ways first."""
    came, given = ", ".join(trees.came), ", ".join(trees.given)
    body = bodies[0]
    if len(bodies) > 1:
        own = [names.new(f"{name}_way_{k}") for k in range(1, len(bodies) + 1)]
        for way, lines in zip(own, bodies, strict=True):
            yield f"const {way} = ({given}) => {{\n{indented([*lines, f'return [{came}];'])}\n}};"
        results = names.new("results")
        calls = " ?? ".join(f"{way}({given})" for way in own)
        body = [f"const {results} = {calls};", f"if ({results} === null) {refusal}", f"const [{came}] = {results};"]
    result = trees.result(trees.export.ways[0])
    end = f"return {trees.several(result) if len(result) > 1 else result[0]};"
    signature = ", ".join(trees.parameters)
    if trees.export.derivative == "jvp":
        signature = f"[{signature}], [{', '.join(trees.tangents)}]"
    yield f"export function {name}({signature}) {{\n{indented([*trees.reading, *body, end])}\n}}"


def _array(name: str, numbers: Numbers) -> str:
    return f"const {name} = Float64Array.of(\n{listed([literal(Script(), x).text for x in numbers.flat], '    ')}\n);"


def _comment(export: Export) -> str:
    returns = {
        None: "Returns the result.",
        "grad": "Returns [result, gradient]; the gradient has the structure of the argument.",
        "jvp": "Takes an array of arguments and one of tangents; returns [result, change].",
    }[export.derivative]
    arrays = "An array is one of numbers, or of arrays of them; an argument may also be a typed array, row by row."
    lines = [export.title, returns, *[arrays] * any(x.slots.size > 1 for x in export.inputs), *export.notes]
    return "/**\n" + "\n".join(f" * {line}".rstrip() for line in lines) + "\n */"
