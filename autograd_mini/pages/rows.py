"""The rows of a graph as JavaScript: their functions, which `javascript` writes, and their rules.

A rule is applied to a recorder that writes each operation as JavaScript. This module has no rule of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn, SupportsFloat

from ..javascript import Script
from ..ops import OPS, Op, Recorder, guard
from ..source import Unreadable
from ..value import Value

ALIKE = frozenset("add sub mul div neg".split())  # the text of these rows is also JavaScript
MAX_LENGTH = 20_000  # characters of a row as JavaScript; a user's function may be very long


class Unwritten(Exception):
    """A row cannot be written in JavaScript. The message is for the reader of the page."""


class JavaScript(Recorder):
    """A recorder that writes the operations on it as a JavaScript expression."""

    __slots__ = ("rows", "text")

    first_order = True
    guards: ClassVar[bool] = True  # whether to write the exception of a rule at a point

    def __init__(self, rows: Rows, text: str) -> None:
        self.rows = rows
        self.text = text

    def record(self, op: Op, operands: tuple[Any, ...]) -> Any:
        """Write an operation."""
        if op is guard and not self.guards:
            return operands[2]
        text = self.rows.applied(op, [_text(x) for x in operands])
        if len(text) > MAX_LENGTH:
            raise Unwritten(f"{op} is too long as JavaScript")
        return type(self)(self.rows, text)

    # A function that branches on the number cannot be written. Without these methods, it would take one branch.
    def __bool__(self) -> NoReturn:
        raise Unwritten("a branch")

    def __eq__(self, other: object) -> NoReturn:
        raise Unwritten("a branch")

    __hash__ = Recorder.__hash__


class _Formula(JavaScript):
    """A recorder that writes a rule as its formula, without exceptions at points."""

    __slots__ = ()
    guards = False


def _text(x: JavaScript | SupportsFloat) -> str:
    """Write an operand or the result of a rule as JavaScript."""
    return x.text if isinstance(x, JavaScript) else Script.literal(float(x))


class Rows:
    """The rows of a page: the functions that they call, and one entry for each use of a row."""

    def __init__(self) -> None:
        self.script = Script()
        self.entries: dict[str, int] = {}

    def place(self, node: Value) -> int:
        """Return the place of a node's row with its constants, because a rule may depend on these."""
        assert node.op is not None
        op = node.op.row
        operands = [JavaScript(self, f"x{i}") if isinstance(x, Value) else x for i, x in enumerate(node.operands)]
        parameters = ", ".join(x.text for x in operands if isinstance(x, JavaScript))
        value = self.applied(op, [_text(x) for x in operands])
        slopes, formulas = self._slopes(op, operands, JavaScript), self._slopes(op, operands, _Formula)
        listed = ", ".join(f"({parameters}, z) => {slope}" for slope in slopes)
        entry = f"value: ({parameters}) => {value}, slopes: [{listed}]"
        if formulas != slopes:
            entry += f", formulas: [{', '.join(f'({parameters}, z) => {formula}' for formula in formulas)}]"
        return self.entries.setdefault(f"{{{entry}}}", len(self.entries))

    def _slopes(self, op: Op, operands: Sequence[JavaScript | float], kind: type[JavaScript]) -> list[str]:
        """Write the rules of the operands that are not constants."""
        written = [kind(self, x.text) if isinstance(x, JavaScript) else x for x in operands]
        places = [i for i, x in enumerate(operands) if isinstance(x, JavaScript)]
        return [self.recorded(op, op.formulas[i], [*written, kind(self, "z")]) for i in places]

    def applied(self, op: Op, parts: list[str]) -> str:
        """Write a row applied to operands: as its text if that is arithmetic, else as a call."""
        if OPS.get(op.name) is op.row and op.name in ALIKE:
            return f"({op.text.filled(dict(zip(op.parameters, parts, strict=True)))})"
        if op.composed is not None:
            return self.recorded(op, op.function, [JavaScript(self, part) for part in parts])
        try:
            return self.script.applied(op, parts)
        except Unreadable as error:
            raise Unwritten(f"{op} has no function in JavaScript: {error}") from error

    def recorded(self, op: Op, function: Callable[..., Any], operands: Sequence[JavaScript | float]) -> str:
        """Write the result of a function of the operands. It is a rule, or a row that is composed of others."""
        try:
            try:
                return _text(function(*operands))
            except (ArithmeticError, ValueError):  # a constant is at a pole; JavaScript computes the limit
                return _text(function(*(JavaScript(self, _text(x)) for x in operands)))
        except Unwritten:
            raise
        except Exception as error:  # a function may raise any error for an argument that is not a number
            raise Unwritten(f"{op} has no function in JavaScript") from error

    def written(self) -> str:
        """Return the functions and the list of rows, as a script."""
        return "\n".join([*str(self.script).splitlines(), "const rows = [", *(f"  {x}," for x in self.entries), "];"])
