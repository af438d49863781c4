r"""Statements over arrays as loops, for languages with the arithmetic syntax of C.

A `LoopWriter` writes one program. A subclass has the declarations and names of its language. This module must not know
derivatives.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple

from ..javascript import Script
from ..ops import OPS, Level, Op
from ..source import Unreadable
from .export import Way
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
    steps_of,
)

LINE = 100  # characters in a line

PASSED_ON = frozenset({"identity", "stop_gradient"})  # rows whose result is their operand


class Piece(NamedTuple):
    """A piece of code, with the precedence of its outermost operator."""

    text: str
    level: Level = Level.ATOM

    def at(self, least: Level) -> str:
        """Return the text, in brackets if its precedence is lower than `least`."""
        return self.text if self.level >= least else f"({self.text})"


class Names:
    """New names in a language. They differ from its reserved words and from names in use."""

    def __init__(self, taken: Iterable[str], ascii: bool = False) -> None:
        self.taken, self.ascii = set(taken), ascii
        self._numbers: dict[str, int] = {}  # for each name in use: its last number

    def new(self, name: str) -> str:
        """Return a new name that is like the given name, and keep it in use."""
        if self.ascii:
            name = "".join(c if c.isascii() else unicodedata.name(c, "u").split()[-1].lower() for c in name)
        base = re.sub(r"\W", "_", name).strip("_") or "f"
        base = f"f_{base}" if base[0].isdigit() else base
        fresh, number = base, self._numbers.get(base, 1)
        while fresh in self.taken:
            number += 1
            fresh = f"{base}_{number}"
        self.taken.add(fresh)
        self._numbers[base] = number
        return fresh


class _Place(NamedTuple):
    """The place of an index: a table of ints or None, a first place, and the steps along the axes."""

    table: str | None
    base: int
    steps: tuple[int, ...]


class LoopWriter:
    """A writer of statements as loops. `lines` writes a whole program."""

    equals: ClassVar[str]  # the operator that compares, such as ==
    of_condition: ClassVar[str]  # a template that makes a number from a comparison
    comment: ClassVar[str]  # a template of a comment
    script: Script  # writes the functions of rows

    def __init__(self, names: Names) -> None:
        self.names = names
        self.named: dict[Variable, str] = {}
        self.tables: dict[bytes, tuple[str, Index]] = {}  # irregular indices, and their names
        self.counters = [names.new(x) for x in "ijk"]
        self.sum = names.new("sum")
        self._letters: dict[int, str] = {}  # the counters of the axes

    # Each language has its own version of these.

    def declared(self, name: str, size: int, value: str | None, *, fixed: bool) -> str:
        """Write the declaration of a number, or of an array."""
        raise NotImplementedError

    def loop(self, counter: str, count: int) -> str:
        """Write the head of a loop."""
        raise NotImplementedError

    def failed(self, condition: str) -> str:
        """Write the statement that leaves the program if a condition holds."""
        raise NotImplementedError

    def element(self, variable: Variable, place: str) -> str:
        """Write a number of an array, or a number."""
        name = self.named[variable]
        return name if variable.size == 1 else f"{name}[{place}]"

    # Statements.

    def body(self, way: Way, given: Sequence[Variable]) -> Iterator[str]:
        """Yield the lines of a way through a program. The lines of a derivative come last."""
        lines = [*self.lines(way.statements, given)]
        if way.more:
            known = [*given, *(x.target.of for x in way.statements if isinstance(x, Statement))]
            lines += [self.comment.format(way.title), *self.lines(way.more, known)]
        for line in lines:
            yield from _broken(line)

    def lines(self, statements: Sequence[Statement | Test], given: Iterable[Variable]) -> Iterator[str]:
        """Yield the lines of statements. The given arrays are declared already."""
        declared = set(given)
        times = Counter(x.target.of for x in statements if isinstance(x, Statement))
        for statement in statements:
            if isinstance(statement, Test):
                yield self.test(statement)
                continue
            variable = statement.target.of
            new = variable not in declared
            declared.add(variable)
            if new:
                self.named.setdefault(variable, self.names.new(variable.name))
            if new and variable.size == 1 and not statement.adds and not _sums(statement):
                value = self._plain(statement.summands)
                yield self.declared(self.named[variable], 1, value, fixed=times[variable] == 1)
                continue
            if new and variable.size > 1:
                yield self.declared(self.named[variable], variable.size, None, fixed=True)
            yield from self.statement(statement, new)

    def statement(self, statement: Statement, new: bool) -> Iterator[str]:
        """Yield the lines of a statement."""
        rows, columns = statement.shape
        merged = rows > 1 and columns > 1 and self._is_flat(statement)
        loops = [(1, rows * columns)] if merged else [(axis, n) for axis, n in enumerate((rows, columns)) if n > 1]
        self._letters = {axis: letter for (axis, _), letter in zip(loops, self.counters, strict=False)}
        if merged:
            self._letters[0] = ""  # one counter counts for both axes
        heads = [self.loop(self._letters[axis], n) for axis, n in loops]
        self._letters[2] = self.counters[len(loops)]
        body = [*self._assigned(statement, new)]
        if len(body) > 1 or (heads and body[0].endswith("}")):
            for depth, head in enumerate(heads):
                yield "    " * depth + head + " {"
            yield from ("    " * len(heads) + line for line in body)
            yield from ("    " * depth + "}" for depth in reversed(range(len(heads))))
            return
        for depth, head in enumerate(heads):
            yield "    " * depth + head
        yield "    " * len(heads) + body[0]

    def _is_flat(self, statement: Statement) -> bool:
        """Return whether one loop can go through all indices of a statement, row by row."""
        columns = statement.shape[1]
        indices = [statement.target.index, *(x.index for term in statement.summands for x in reads(term.of))]
        return all(place.steps[0] == columns * place.steps[1] for place in map(self._located, indices))

    def _assigned(self, statement: Statement, new: bool) -> Iterator[str]:
        """Yield the lines that assign to one number."""
        target = self._element(statement.target)
        sums, plain = _sums(statement), [term for term in statement.summands if term.count == 1]
        sign = "+=" if statement.adds else "="
        if not sums:
            yield f"{target} {sign} {self._plain(plain)};"
            return
        alone = self._letters[2] == self.counters[0]  # outside of loops: add the terms to the target itself
        total, zero = target if alone else self.sum, literal(self.script, -0.0).text
        if not alone or (new and statement.target.of.size == 1):
            yield self.declared(total, 1, zero, fixed=False)
        elif not statement.adds:
            yield f"{total} = {zero};"
        for term in sums:
            yield f"{self.loop(self._letters[2], term.count)} {total} += {self.expression(term.of).text};"
        rest = self._plain(plain)
        if not alone:
            yield f"{target} {sign} {_plus(total, rest)};"
        elif rest:
            yield f"{total} += {rest};"

    def _plain(self, terms: Sequence[Summand]) -> str:
        """Write a sum of terms. For no terms the text is empty."""
        text = ""
        for term in terms:
            piece = self.expression(term.of)
            signed = isinstance(term.of, Apply) and term.of.op is OPS["neg"]
            text = _plus(text, piece.text if signed or not text else piece.at(Level.QUOTIENT))
        return text

    def test(self, test: Test) -> str:
        """Write a test. The program leaves if the outcome is not the expected one."""
        self._letters = {}
        sign = {"==": self.equals, "!=": self.equals.replace("=", "!", 1)}.get(test.sign, test.sign)
        text = f"{self.expression(test.left).at(Level.SUM)} {sign} {self.expression(test.right).at(Level.SUM)}"
        return self.failed(f"!({text})" if test.outcome else text)

    # Expressions.

    def expression(self, x: Expression) -> Piece:
        """Write an expression."""
        match x:
            case Literal(value):
                return literal(self.script, value)
            case Read(_, _):
                return Piece(self._element(x))
            case Count(index):
                return self._number(index)
            case Apply(op, operands):
                return self.applied(op, operands)
        raise TypeError(f"{x!r} is no expression")

    def applied(self, op: Op, operands: Sequence[Expression]) -> Piece:
        """Write a row applied to expressions."""
        name = op.name if OPS.get(op.name) is op else ""
        if name in PASSED_ON:
            return self.expression(operands[0])
        if is_comparison(op):
            return Piece(self.of_condition.format(self.condition(Apply(op, tuple(operands)))))
        if name == "where":
            yes, no = (self.expression(x).at(Level.SUM) for x in operands[1:])
            return Piece(f"({self.condition(operands[0])} ? {yes} : {no})")
        if name == "pow" and isinstance(operands[1], Literal) and isinstance(operands[0], Read):
            base = self.expression(operands[0]).text
            if operands[1].value in (1.0, 2.0, 3.0):
                return Piece(" * ".join([base] * int(operands[1].value)), Level.PRODUCT)
        parts = [self.expression(x) for x in operands]
        if name in ("add", "sub", "mul", "div", "neg"):
            return infix(op, parts)
        return called(self.script, op, parts)

    def condition(self, x: Expression) -> str:
        """Write an expression as a condition."""
        if isinstance(x, Apply) and _is_condition(x):
            if x.op is OPS["mul"]:
                return " && ".join(map(self.condition, x.operands))
            return infix(x.op, [self.expression(side) for side in x.operands]).text.replace(" == ", f" {self.equals} ")
        unequal = self.equals.replace("=", "!", 1)
        return f"{self.expression(x).at(Level.SUM)} {unequal} {literal(self.script, 0.0).text}"

    # Places.

    def _element(self, x: Read) -> str:
        return self.element(x.of, "" if x.of.size == 1 else self._number(x.index).text)

    def _number(self, index: Index) -> Piece:
        """Write an index as an expression in the counters of the loops."""
        table, base, steps = self._located(index)
        parts = [
            self._letters[axis] if step == 1 else f"{step}*{self._letters[axis]}"
            for axis, step in enumerate(steps)
            if step and self._letters[axis]
        ]
        if base or not parts:
            parts.append(str(base))
        text = " + ".join(parts).replace("+ -", "- ")
        return (
            Piece(text, Level.SUM if len(parts) > 1 else Level.PRODUCT) if table is None else Piece(f"{table}[{text}]")
        )

    def _located(self, index: Index) -> _Place:
        """Return the place of an index. An index without regular steps becomes a table."""
        regular = steps_of(index)
        if regular is not None:
            return _Place(None, *regular)
        key = str(index.shape).encode() + index.tobytes()
        if key not in self.tables:
            self.tables[key] = self.names.new("places"), index
        rows, columns, count = index.shape
        steps = (columns * count if rows > 1 else 0, count if columns > 1 else 0, int(count > 1))
        return _Place(self.tables[key][0], 0, steps)


def literal(script: Script, x: float) -> Piece:
    """Write a number."""
    text = script.literal(x).strip("()")
    return Piece(text, Level.SUM if text.startswith("-") else Level.ATOM)


def infix(op: Op, parts: Sequence[Piece]) -> Piece:
    """Write a row with its operator in Python."""
    texts = [part.at(level) for part, level in zip(parts, op.text.levels, strict=True)]
    return Piece(op.text.filled(dict(zip(op.parameters, texts, strict=True))), op.text.level)


def called(script: Script, op: Op, parts: Sequence[Piece]) -> Piece:
    """Write a call of a row's function."""
    try:
        return Piece(script.applied(op, [part.text for part in parts]))
    except Unreadable as error:
        raise Unreadable(f"{op}: {error}") from None


def is_comparison(op: Op) -> bool:
    """Return whether the result of a row is an outcome, as of `x > y`."""
    return op.text.level is Level.COMPARISON


def listed(texts: Sequence[str], indent: str) -> str:
    """Return texts with commas between them, wrapped to lines."""
    return textwrap.fill(
        ", ".join(texts), LINE, initial_indent=indent, subsequent_indent=indent, break_long_words=False
    )


def _plus(text: str, more: str) -> str:
    """Write the sum of two texts. The second text may begin with a sign."""
    if not text or not more:
        return text or more
    return f"{text} - {more[1:]}" if more.startswith("-") else f"{text} + {more}"


def _broken(line: str) -> list[str]:
    """Return a statement, wrapped to lines."""
    indent = " " * (len(line) - len(line.lstrip()))
    if len(line) <= LINE or "\n" in line or '"' in line:
        return [line]
    return textwrap.wrap(line, LINE, subsequent_indent=indent + "    ", break_long_words=False, break_on_hyphens=False)


def indented(lines: Iterable[str]) -> str:
    """Return lines with the indentation of a block."""
    return "\n".join(f"    {line}" if line else line for text in lines for line in text.splitlines())


def is_used(name: str, lines: Sequence[str]) -> bool:
    """Return whether some lines that are no comments use a name."""
    own = re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])")
    return any(own.search(line) for line in lines if not line.startswith(("//", "/*", "#")))


def _sums(statement: Statement) -> list[Summand]:
    return [term for term in statement.summands if term.count > 1]


def _is_condition(x: Apply) -> bool:
    """Return whether the result is the outcome of comparisons: of one, or of several that must all hold."""
    both = x.op is OPS["mul"] and all(isinstance(y, Apply) and _is_condition(y) for y in x.operands)
    return both or is_comparison(x.op)
