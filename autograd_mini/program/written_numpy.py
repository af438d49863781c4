"""A program as a Python function that needs only NumPy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import partial

import numpy as np

from ..ops import OPS, Level, Op
from .arguments import Numbers
from .export import Container, Export, Input, Leaf, Way
from .functions_numpy import RESERVED, PythonScript
from .statements import (
    Apply,
    Count,
    Expression,
    Index,
    Literal,
    Read,
    Statement,
    Summand,
    Test,
    Variable,
    reads,
    reindexed,
    steps_of,
    thin,
)
from .written_loops import PASSED_ON, Names, Piece, called, indented, infix, is_comparison, is_used, listed, literal
from .written_trees import TreeWriter

QUOTES = '"""'
GIVEN = '''def given(name, x, shape):
    """Return an argument as an array of floats, or a float, of a shape."""
    x = np.array(x, dtype=float)
    if x.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, and has {x.shape}")
    return x'''


class _Writer:
    """A writer of one way through a program. Its arrays have two axes; an array of one number is a number."""

    def __init__(self, names: Names, script: PythonScript, failed: str) -> None:
        self.names, self.script, self.failed = names, script, failed
        self.named: dict[Variable, str] = {}
        self.tables: dict[bytes, tuple[str, Index]] = {}

    def body(self, way: Way) -> Iterator[str]:
        """Yield the lines of a way through a program. The lines of a derivative come last."""
        declared = {*way.given, *way.constants}
        yield from self.lines(way.statements, declared)
        if way.more:
            yield f"# {way.title}"
            yield from self.lines(way.more, declared)

    def lines(self, statements: Sequence[Statement | Test], declared: set[Variable]) -> Iterator[str]:
        """Yield the lines of statements."""
        times = Counter(x.target.of for x in statements if isinstance(x, Statement))
        for statement in statements:
            if isinstance(statement, Test):
                left, right = (self.piece(x).at(Level.SUM) for x in (statement.left, statement.right))
                yield f"if {'not ' * statement.outcome}{left} {statement.sign} {right}:"
                yield f"    {self.failed}"
                continue
            variable = statement.target.of
            if variable not in declared:
                self.named.setdefault(variable, self.names.new(variable.name))
            yield from self._statement(statement, variable not in declared, times[variable])
            declared.add(variable)

    def _statement(self, statement: Statement, new: bool, times: int) -> Iterator[str]:
        variable, index = statement.target.of, statement.target.index
        name, shape = self.named[variable], statement.shape
        pieces, found = zip(*[self.term(term, shape) for term in statement.summands], strict=True)
        text = _sum(list(pieces))
        full = tuple(max(sizes) for sizes in zip(*found, strict=True)) == shape
        whole = index.size == variable.size and np.array_equal(index.ravel(), np.arange(variable.size))
        sign = "+=" if statement.adds else "="
        if variable.size == 1:
            yield f"{name} {sign} {text}"
            return
        if whole and not statement.adds:
            if not full:
                text = f"np.full({variable.shape}, {text})"
            elif times > 1 and isinstance(statement.summands[0].of, Read) and len(pieces) == 1:
                text = f"np.array({text})"
            remark = f"  # {variable.shape[0]}×{variable.shape[1]}" if new else ""
            yield f"{name} = {text}{remark}"
            return
        if new:
            yield f"{name} = np.empty({variable.shape})"
        place = self._slices(variable, index)
        if place is not None and not place.endswith(".T"):
            yield f"{place} {sign} {text}"
            return
        rows, columns = (self._table(thin(x)) for x in np.divmod(index, variable.shape[1]))
        if statement.adds and len(np.unique(index)) < index.size:  # it adds to some numbers more than once
            yield f"np.add.at({name}, ({rows}, {columns}), {text})"
        else:
            yield f"{name}[{rows}, {columns}] {sign} {text}"

    # Terms.

    def term(self, term: Summand, shape: tuple[int, int]) -> tuple[Piece, tuple[int, int]]:
        """Return the text of a term, and its shape. The shape may be smaller than the shape of the result."""
        indices = [thin(x.index) for x in reads(term.of)]
        rows, columns, count = (max((x.shape[k] for x in indices), default=1) for k in range(3))
        if term.count == 1:
            return self.piece(term.of), (rows, columns)
        product = self._product(term, rows, columns)
        if product is not None:
            return product, (rows, columns)
        if count == 1:  # the same term many times
            return Piece(f"{self.piece(term.of).at(Level.PRODUCT)} * {float(term.count)}", Level.PRODUCT), (
                rows,
                columns,
            )
        if rows == columns == 1:
            if isinstance(term.of, Read) and np.array_equal(indices[0].ravel(), np.arange(term.of.of.size)):
                return Piece(f"np.sum({self.named[term.of.of]})"), (1, 1)
            orders = ((2, 0, 1), (0, 2, 1))
            ways = [reindexed(term.of, partial(np.transpose, axes=order)) for order in orders]
            return Piece(f"np.sum({min((self.piece(x).text for x in ways), key=len)})"), (1, 1)
        if columns == 1:
            laid = reindexed(term.of, partial(np.transpose, axes=(0, 2, 1)))
            return Piece(f"np.sum({self.piece(laid).text}, axis=1, keepdims=True)"), (rows, 1)
        if rows == 1:
            laid = reindexed(term.of, partial(np.transpose, axes=(2, 1, 0)))
            return Piece(f"np.sum({self.piece(laid).text}, axis=0, keepdims=True)"), (1, columns)
        return Piece(f"np.sum({self.piece(term.of, deep=True).text}, axis=2)"), (rows, columns)

    def _product(self, term: Summand, rows: int, columns: int) -> Piece | None:
        """Return a sum of products as a product of matrices, or None if it is no such product."""
        match term.of:
            case Apply(op, (Read() as x, Read() as y)) if OPS.get(op.name) is op and op.name == "mul":
                pass
            case _:
                return None
        for left, right in ((x, y), (y, x)):
            a, b = thin(left.index), thin(right.index)
            if a.shape[1] == 1 and b.shape[0] == 1 and a.shape[2] == b.shape[2] == term.count:
                sides = Read(left.of, a.transpose(0, 2, 1)), Read(right.of, b.transpose(2, 1, 0))
                text = " @ ".join(self.piece(side).at(Level.POWER) for side in sides)
                return Piece(f"({text})[0, 0]") if rows == columns == 1 else Piece(text, Level.PRODUCT)
        return None

    # Expressions.

    def piece(self, x: Expression, deep: bool = False) -> Piece:
        """Write an expression over arrays with two axes, or with three if `deep`."""
        match x:
            case Literal(value):
                return literal(self.script, value)
            case Read(of, index):
                return Piece(self._array(of, thin(index), deep))
            case Count(index):
                return Piece(self._table(thin(index), float, deep=deep))
            case Apply(op, operands):
                return self._applied(op, operands, deep)
        raise TypeError(f"{x!r} is no expression")

    def _applied(self, op: Op, operands: Sequence[Expression], deep: bool) -> Piece:
        name = op.name if OPS.get(op.name) is op else ""
        if name in PASSED_ON:
            return self.piece(operands[0], deep)
        if is_comparison(op):
            return Piece(f"1.0 * ({self._condition(Apply(op, tuple(operands)), deep)})", Level.PRODUCT)
        if name == "where":
            yes, no = (self.piece(x, deep).text for x in operands[1:])
            return Piece(f"np.where({self._condition(operands[0], deep)}, {yes}, {no})")
        parts = [self.piece(x, deep) for x in operands]
        if all(isinstance(x, Literal) for x in operands):
            parts[0] = Piece(f"np.float64({parts[0].text})")
        return infix(op, parts) if op.text.level < Level.ATOM else called(self.script, op, parts)

    def _condition(self, x: Expression, deep: bool) -> str:
        if isinstance(x, Apply) and is_comparison(x.op):
            return infix(x.op, [self.piece(side, deep) for side in x.operands]).text
        return f"{self.piece(x, deep).at(Level.SUM)} != 0.0"

    # Places.

    def _array(self, of: Variable, index: Index, deep: bool) -> str:
        """Write some numbers of an array."""
        name = self.named[of]
        if of.size == 1:
            return name
        if not deep or index.size == 1:
            found = self._slices(of, index)
            if found is not None:
                return found
        flat, shape = index.ravel(), index.shape if deep else index.shape[:2]
        if (np.diff(flat) == 1).all():
            part = name if flat.size == of.size else f"{name}.ravel()[{flat[0]}:{flat[-1] + 1}]"
            return f"{part}.reshape{shape}"
        return f"{name}.ravel()[{self._table(index, deep=deep)}]"

    def _slices(self, of: Variable, index: Index) -> str | None:
        """Write numbers of an array as a slice, or as the transpose of a slice. Return None if they are neither."""
        name, (rows, columns) = self.named[of], np.divmod(thin(index)[:, :, 0], of.shape[1])
        if index.size == 1:
            return f"{name}[{rows[0, 0]}, {columns[0, 0]}]"
        for turned, (r, c) in ((False, (rows, columns)), (True, (rows.T, columns.T))):
            if (r == r[:, :1]).all() and (c == c[:1]).all():
                parts = [_slice(x, n) for x, n in zip((r[:, 0], c[0]), of.shape, strict=True)]
                if None not in parts:
                    part = "" if parts == [":", ":"] else f"[{', '.join(map(str, parts))}]"
                    return f"{name}{part}{'.T' * turned}"
        return None

    def _table(self, index: Index, kind: type = int, deep: bool = False) -> str:
        """Return the name of an array of places."""
        array = index if deep else index[:, :, 0]
        if array.size == 1:
            return str(kind(array.flat[0]))
        key = f"{array.shape} {kind} ".encode() + array.tobytes()
        if key not in self.tables:
            self.tables[key] = self.names.new("places"), array.astype(kind)
        return self.tables[key][0]


def _slice(places: Numbers, size: int) -> str | None:
    """Write places along an axis as a slice, or return None if they are no slice."""
    first, last, count = int(places[0]), int(places[-1]), len(places)
    step = 1 if count == 1 else int(places[1]) - first
    if step <= 0 or places.tolist() != [*range(first, last + 1, step)]:
        return None
    return ":" if count == size else f"{first}:{last + 1}" + f":{step}" * (step > 1)


def _sum(pieces: list[Piece]) -> str:
    text = pieces[0].at(Level.SUM)
    for piece in pieces[1:]:
        text += f" - {piece.text[1:]}" if _is_negative(piece) else f" + {piece.at(Level.QUOTIENT)}"
    return text


def _is_negative(piece: Piece) -> bool:
    """Return whether a piece is a minus sign before a name or an item."""
    return piece.level == Level.SUM and re.fullmatch(r"-[\w.]+(\[[^\]]*\])?", piece.text) is not None


class _Trees(TreeWriter):
    """A writer of arguments and results: arrays, lists, tuples and dicts."""

    def key(self, key: object) -> str:
        """Write the access to a part of a container."""
        return f"[{key!r}]"

    def leaf(self, leaf: Leaf, path: str) -> str:
        """Write the expression that reads and checks a leaf."""
        return f"given({path!r}, {path}, {leaf.shape})"

    def read(self, own: str, calls: list[str], x: Input) -> str:
        """Write the line that makes an input from its leaves."""
        text = calls[0]
        if len(calls) > 1:
            text = "np.hstack([\n" + "".join(f"    {call},\n" for call in calls) + "])"
        if x.slots.size == 1:
            text += "[()]" if x.leaves[0].kind == "number" else f"[{', '.join('0' for _ in x.leaves[0].shape)}]"
        elif len(calls) > 1 or x.slots.shape != x.leaves[0].shape:
            text += f".reshape{x.slots.shape}"
        return f"{own} = {text}"

    def part(self, name: str, variable: Variable, leaf: Leaf, first: int) -> str:
        """Write a leaf of a result: numbers of an array, from number `first` on."""
        size, shape = leaf.slots.size, leaf.shape
        if leaf.kind == "number":
            row, column = divmod(first, variable.shape[1] or 1)
            return f"float({name})" if variable.size == 1 else f"float({name}[{row}, {column}])"
        if variable.size == 1 or not size:
            array = f"np.full({shape}, {name if size else 0.0})"
        elif size == variable.size:
            array = name if shape == variable.shape else f"{name}.reshape{shape}"
        else:
            array = f"{name}.ravel()[{first}:{first + size}]" + f".reshape{shape}" * (len(shape) > 1)
        if leaf.kind == "array":
            return array if array.startswith("np.full") else f"{array}.copy()"
        return f"{array}.tolist()" if leaf.kind == "list" else f"tuple({array}.tolist())"

    def container(self, tree: Container, parts: list[str]) -> str:
        """Write a container with its parts."""
        if tree.kind == "none":
            return "None"
        if tree.kind == "list":
            return f"[{', '.join(parts)}]"
        if tree.kind == "tuple":
            return self.several(parts)
        return "{" + ", ".join(f"{key!r}: {part}" for key, part in zip(tree.parts, parts, strict=True)) + "}"

    def several(self, texts: Sequence[str]) -> str:
        """Write several results."""
        return f"({', '.join(texts)}{',' * (len(texts) == 1)})"


def write(export: Export, taken: Collection[str] = ()) -> str:
    """Return the text of the module. It does not use names that are taken."""
    names = Names([*RESERVED, *taken])
    name, script = names.new(export.name), PythonScript()
    trees = _Trees(export, names)
    several = len(export.ways) > 1
    refusal = f"raise ValueError({export.refusal!r})"
    bodies, constants = [], []
    for way in export.ways:
        writer = _Writer(names, script, "return None" if several else refusal)
        writer.named |= dict(zip(way.given, trees.given, strict=True)) | dict(zip(way.results, trees.came, strict=True))
        writer.named |= {x: names.new(x.name) for x in way.constants}
        body = [*writer.body(way)]
        arrays = [(writer.named[x], x.values) for x in way.constants if is_used(writer.named[x], body)]
        constants += [_array(*each) for each in [*arrays, *writer.tables.values()]]
        bodies.append(body)
    functions = "\n\n\n".join(_functions(name, trees, bodies, names, refusal))
    if script.functions.keys() & names.taken.difference(RESERVED, taken):
        return write(export, {*taken, *script.functions})
    helpers = str(script)
    imports = ["import math"] * ("math." in helpers) + ["import numpy as np"]
    comment = "\n".join(f"# {line}" for line in _comment(export))
    parts = ["\n\n".join([comment, *imports]), *["\n".join(constants)] * bool(constants), *[helpers] * bool(helpers)]
    return "\n\n\n".join([*parts, *[GIVEN] * ("given(" in functions), functions]) + "\n"


def _functions(name: str, trees: _Trees, bodies: list[list[str]], names: Names, refusal: str) -> Iterator[str]:
    """Yield the function. If there are several ways, yield the functions of the ways first."""
    export, came, given = trees.export, trees.several(trees.came), ", ".join(trees.given)
    found = trees.result(export.ways[0])
    end = f"return {trees.several(found) if len(found) > 1 else found[0]}"
    quiet = 'with np.errstate(all="ignore"):'
    main = [*trees.reading, quiet, *(f"    {line}" for line in bodies[0]), end]
    if len(bodies) > 1:
        own = [names.new(f"{name}_way_{k}") for k in range(1, len(bodies) + 1)]
        for way, lines in zip(own, bodies, strict=True):
            yield f"def {way}({given}):\n{indented([*lines, f'return {came}'])}"
        way, results = names.new("way"), names.new("results")
        tries = [f"    for {way} in {trees.several(own)}:", f"        {results} = {way}({given})"]
        taken = [f"        if {results} is not None:", f"            {came} = {results}", f"            {end}"]
        main = [*trees.reading, quiet, *tries, *taken, refusal]
    signature = ", ".join(trees.parameters)
    if export.derivative == "jvp":
        primals, tangents = names.new("primals"), names.new("tangents")
        signature = f"{primals}, {tangents}"
        pairs = (trees.parameters, primals), (trees.tangents, tangents)
        main = [*(f"{trees.several(own)} = {given}" for own, given in pairs), *main]
    yield f"def {name}({signature}):\n{indented([QUOTES + export.title + QUOTES, *main])}"


def _array(name: str, numbers: Numbers) -> str:
    """Write an array of constants. Write places with regular steps as a sum of ranges."""
    regular = steps_of(numbers if numbers.ndim == 3 else numbers[:, :, None])
    if numbers.dtype.kind == "i" and regular is not None:
        last = numbers.ndim - 1
        axes = [f"np.arange({n})" + f"[:{', None' * (last - k)}]" * (k < last) for k, n in enumerate(numbers.shape)]
        parts = [f"{step} * {axis}" for step, axis in zip(regular[1], axes, strict=False) if step]
        total = " + ".join([str(regular[0]), *parts])
        return f"{name} = ({total}).reshape{numbers.shape}" if 1 in numbers.shape else f"{name} = {total}"
    texts = [literal(PythonScript(), x).text if numbers.dtype.kind == "f" else str(x) for x in numbers.ravel().tolist()]
    return f"{name} = np.array([\n{listed(texts, '    ')}\n]).reshape{numbers.shape}"


def _comment(export: Export) -> list[str]:
    returns = {
        None: "Returns the result.",
        "grad": "Returns the result, and its gradient in the structure of the argument.",
        "jvp": "Takes a tuple of arguments and one of tangents; returns the result and its change.",
    }[export.derivative]
    return [export.title, returns, *export.notes]
