r"""Rows, numbers and labels, written as text and as LaTeX.

This module owns notation: brackets, precision, and labels such as `a1[2](3)` for $a_1^{[2](3)}$. `Text`, `Code` and
`Tex` are recorders like `Value`. If a row or a derivative rule is applied to them, they write it as text. This module
must not know any graph algorithm.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import ClassVar, NamedTuple, TypeVar

from .ops import OPS, Constant, Level, Notation, Op, Recorder, add, guard, mul
from .recorder import Operand
from .spelling import shortened
from .value import Value

T = TypeVar("T")
W = TypeVar("W", bound="Written")
P = TypeVar("P", bound="Text")

GREEK = {
    name: chr(0x3B1 + i)
    for i, name in enumerate(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho "
        "varsigma sigma tau upsilon phi chi psi omega".split()
    )
}


class Label(NamedTuple):
    r"""A name in the notation of neural nets: $base_{sub}^{[layer](example)}$.

    `a1[2](3)`, `a_1[2](3)`, `a_1^[2](3)` and LaTeX's `a_1^{[2](3)}` are the same label. Any subscript may stand in
    braces after an underscore, as in `W_{21}[1]`. A name of another shape is a base without other parts.

    >>> Label.parse("a1[2](3)")
    Label(base='a', sub='1', layer='2', example='3')
    >>> Label.parse("W_{21}^[1]").tex(), Label.parse("dz2").tex(), Label.parse("learning_rate").tex()
    ('W_{21}^{[1]}', '\\mathit{dz}_{2}', '\\mathit{learning\\_rate}')
    """

    base: str
    sub: str = ""
    layer: str = ""
    example: str = ""

    @classmethod
    def parse(cls, label: str) -> Label:
        """Read a label. A name that does not follow the notation becomes the base, unchanged."""
        match = _matched(label)
        if match is None:
            return cls(label)
        base, digits, braced, short, layer, example = (group or "" for group in match.groups())
        return cls(base, digits or braced or short, layer, example)

    @property
    def above(self) -> str:
        """Return the superscript: the layer in [], the example in ()."""
        return (f"[{self.layer}]" if self.layer else "") + (f"({self.example})" if self.example else "")

    @property
    def symbol(self) -> str:
        """Return the base. If it is the name of a Greek letter, return the letter."""
        return GREEK.get(self.base, self.base)

    def tex(self) -> str:
        """Write the label as LaTeX."""
        sub, above = (part.replace("_", r"\_") for part in (self.sub, self.above))
        return _tex_base(self.base) + (f"_{{{sub}}}" if sub else "") + (f"^{{{above}}}" if above else "")


_LABEL = re.compile(r"((?:[^\W\d_][\u0300-\u036f]*)+)(?:(\d+)|_\{([\w,]+)\}|_(\d+|\w))?(?:\^?\[(\w+)\])?(?:\((\w+)\))?")
_BRACED = re.compile(r"\^\{(?=[(\[])((?:\[\w+\])?(?:\(\w+\))?)\}\Z")


def _matched(label: str) -> re.Match[str] | None:
    """Match a label with the notation, also if its superscript is in braces as in LaTeX."""
    return _LABEL.fullmatch(_BRACED.sub(r"\1", label))


ACCENTS = {
    "\u0300": "grave",
    "\u0301": "acute",
    "\u0302": "hat",
    "\u0303": "tilde",
    "\u0304": "bar",
    "\u0306": "breve",
    "\u0307": "dot",
    "\u0308": "ddot",
    "\u030c": "check",
}


def _tex_base(base: str) -> str:
    """Write the base of a label as LaTeX: a letter, perhaps with an accent, a word, or any other text."""
    if base in GREEK:
        return rf"\{base}" if base != "omicron" else "o"  # TeX has no name for these letters
    apart = unicodedata.normalize("NFD", base)
    letter, mark = apart[:1], apart[1:]
    if letter.isalpha() and mark in ACCENTS:
        return rf"\{ACCENTS[mark]}{{{letter}}}"
    composed = unicodedata.normalize("NFC", base)
    if len(composed) == 1 and composed.isalpha():
        return composed
    shown = re.sub("[\u0300-\u036f\u231c-\u231f]", "\ufffd", composed)
    escaped = re.sub(r"[\\{}$&#^_%~`]", lambda match: SPECIAL.get(match[0], "\\" + match[0]), shown)
    if base.isidentifier():
        return rf"\mathit{{{escaped}}}"
    # Signs of mathematics stand outside \text. A < with a letter after it would begin a tag in Markdown.
    pieces = re.split("([<\u203c\u2100-\u22ff\u27c0-\u27ef\u2980-\u2aff])", escaped)
    return "".join(rf"\mathord{{{x}}}" if k % 2 else rf"\text{{{x}}}" if x else "" for k, x in enumerate(pieces))


SPECIAL = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "`": "\u2018"}


def printable(name: str) -> str:
    """Replace characters that would break a file or reverse the text: control and direction characters."""
    return name if name.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in name)


def is_formula(label: str) -> bool:
    """Return whether a label is itself a formula, such as `x1*w1`, and needs brackets inside another.

    >>> is_formula("x1*w1 + b"), is_formula("W_{21}^[1]"), is_formula("learning_rate")
    (True, False, False)
    """
    return _matched(label) is None and re.search(r"[-\s+*/^=<>%&|·×÷−]", label) is not None


def format_number(x: float, precision: int = 4) -> str:
    """Write a number with `precision` significant digits, a whole number with all its digits, and -0 as 0.

    >>> format_number(33.0), format_number(16384.0), format_number(1 / 3), format_number(-1.5e-9, 2)
    ('33', '16384', '0.3333', '-1.5e-09')
    """
    if x.is_integer() and abs(x) < 1e7:
        return f"{x + 0.0:.0f}"
    return f"{x:.{precision}g}"


def counted(n: int, noun: str, plural: str = "") -> str:
    """Write a number with a noun, in the singular for 1.

    >>> counted(1, "argument"), counted(2000, "argument"), counted(0, "entry", "entries")
    ('1 argument', '2,000 arguments', '0 entries')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def lines_of(
    items: Sequence[T], most: int | None, write: Callable[[T], str], noun: str, plural: str = "", ask: str = ""
) -> list[str]:
    """Write a line for each item. If there are more than `most`, write those at the ends, and count the others.

    >>> lines_of(range(1000), 2, str, "row", ask="text(max_lines=None) writes all")
    ['0', '  … 998 more rows; text(max_lines=None) writes all', '999']
    """
    shown = shortened(items, most)
    left = counted(len(items) - len(shown) + 1, f"more {noun}", f"more {plural}" if plural else "")
    return [f"  … {left}; {ask}" if x is None else write(x) for x in shown]


def list_of(items: Sequence[T], most: int | None, write: Callable[[T], str]) -> str:
    """Write items with commas between them. If there are more than `most`, write those at the ends.

    >>> list_of(range(1000), 4, str)
    '0, 1, …, 998, 999'
    """
    return ", ".join("…" if x is None else write(x) for x in shortened(items, most))


def json_number(x: float) -> float | str:
    """Return a number for JSON. JSON has no inf and nan, so they become text."""
    return x if math.isfinite(x) else str(x)


class Written(Recorder):
    """A piece of notation, and the tightness of its outermost sign."""

    __slots__ = ("level", "op", "precision", "string")
    first_order = True

    brackets: ClassVar[tuple[str, str]]
    times: ClassVar[str]
    dots: ClassVar[str]

    def __init__(self, string: str, level: Level = Level.ATOM, op: Op | None = None) -> None:
        self.string = string
        self.level = level
        self.op = op
        self.precision = 4  # digits of numbers in rules

    def __str__(self) -> str:
        return self.string

    @classmethod
    def notation(cls, op: Op, n: int) -> Notation:
        """Return the notation of a row with n operands."""
        raise NotImplementedError

    @classmethod
    def number(cls: type[W], x: float, precision: int) -> W:
        """Write a number."""
        raise NotImplementedError

    @classmethod
    def named(cls, x: Constant) -> Notation | None:
        """Return the notation of a number that has a name, or None if it has no name."""
        raise NotImplementedError

    @classmethod
    def name(cls: type[W], label: str) -> W:
        """Write the name of a node."""
        raise NotImplementedError

    @classmethod
    def derivative(cls: type[W], z: str, x: str, partial: bool = False) -> W:
        """Write the derivative of the node named z with respect to the node named x, with d or with ∂."""
        raise NotImplementedError

    @classmethod
    def write(cls: type[W], op: Op, operands: Sequence[W]) -> W:
        """Write a row applied to operands, without simplification. Read only the operands that are shown."""
        n = len(operands)
        notation, spelled = cls.notation(op, n), op.spelled(n)
        parts = {spelled.parameters[i]: operands[i].bracketed(notation.levels[i]) for i in spelled.shown}
        return cls(notation.filled(parts), notation.level, op)

    def record(self: W, op: Op, operands: tuple[Operand, ...]) -> Operand:
        """Write a row as part of a rule. Leave out ones and zeros, as a textbook does."""
        if op is guard:
            return operands[2]  # a rule with an exception at a point is written without the exception
        plain = [None if isinstance(x, Written) else float(x) for x in operands]
        left, right = (0.0, 0.0) if op is add else op.neutral or (None, None)
        if left is not None and plain[0] == left:
            return operands[1]
        if right is not None and plain[-1] == right:
            return operands[0]
        if op is mul and 0.0 in plain:
            return 0.0
        written = self.write(op, [self.of(x, self.precision) for x in operands])
        written.precision = self.precision
        return written

    @classmethod
    def of(cls: type[W], x: Operand, precision: int = 4) -> W:
        """Write the result of a rule: notation, or a number, which may have a name."""
        if isinstance(x, cls):
            return x
        named = cls.named(x) if isinstance(x, Constant) else None
        return cls.number(float(x), precision) if named is None else cls(named.template, named.level)

    def bracketed(self, at_least: Level) -> str:
        """Return the string, in brackets if it is looser than its place allows."""
        if self.level >= at_least:
            return self.string
        return self.brackets[0] + self.string + self.brackets[1]

    @classmethod
    def product(cls: type[W], factors: Sequence[W]) -> W:
        """Write a product of factors."""
        if len(factors) == 1:
            return factors[0]
        return cls(cls.times.join(factor.bracketed(Level.POWER) for factor in factors), Level.PRODUCT)

    @classmethod
    def sum(cls: type[W], terms: Sequence[W]) -> W:
        """Write a sum of terms."""
        if len(terms) == 1:
            return terms[0]
        first, *others = terms
        strings = [first.bracketed(Level.SUM), *(x.bracketed(Level.QUOTIENT) for x in others)]
        return cls(" + ".join(strings), Level.SUM)


class Text(Written):
    """Notation as plain text for readers. A product has a dot.

    >>> x, y = Text.name("x"), Text.name("y")
    >>> str((x + y) * -x ** 2), str(x / y * x)
    ('(x + y) · (-x**2)', '(x / y) · x')
    """

    __slots__ = ()
    brackets = ("(", ")")
    times = " · "
    dots = "…"

    @classmethod
    def notation(cls, op: Op, n: int) -> Notation:
        return _dotted(op, n)

    @classmethod
    def number(cls: type[P], x: float, precision: int) -> P:
        return cls(format_number(x, precision), Level.SUM if x < 0 else Level.ATOM)

    @classmethod
    def named(cls, x: Constant) -> Notation | None:
        return x.text

    @classmethod
    def name(cls: type[P], label: str) -> P:
        return cls(label, Level.COMPARISON if is_formula(label) else Level.ATOM)

    @classmethod
    def derivative(cls: type[P], z: str, x: str, partial: bool = False) -> P:
        d = "∂" if partial else "d"
        return cls(f"{d}{cls.name(z).bracketed(Level.ATOM)}/{d}{cls.name(x).bracketed(Level.ATOM)}")


@lru_cache(1024)  # limited, because users may make many rows
def _dotted(op: Op, n: int) -> Notation:
    """Return a row's text with a dot for each sign of a product."""
    text = op.spelled(n).text
    return text._replace(template=re.sub(r" ?(?<!\*)\*(?!\*) ?", " · ", text.template))


class Code(Text):
    """Notation as Python code.

    >>> x, y = Code.name("x"), Code.name("y")
    >>> str((x + y) * -x ** 2)
    '(x + y) * (-x**2)'
    """

    __slots__ = ()
    times = " * "

    @classmethod
    def notation(cls, op: Op, n: int) -> Notation:
        return op.spelled(n).text

    @classmethod
    def named(cls, x: Constant) -> Notation | None:
        return None


class Tex(Written):
    r"""Notation as LaTeX, without the dollar signs.

    >>> x, y = Tex.name("x"), Tex.name("a1[2](3)")
    >>> print((x + y) * x / y)
    \frac{\left(x + a_{1}^{[2](3)}\right) \cdot x}{a_{1}^{[2](3)}}
    """

    __slots__ = ()
    brackets = (r"\left(", r"\right)")
    times = r" \cdot "
    dots = r"\cdots"

    @classmethod
    def notation(cls, op: Op, n: int) -> Notation:
        return op.spelled(n).tex

    @classmethod
    def number(cls, x: float, precision: int) -> Tex:
        if math.isnan(x):
            return cls(r"\mathrm{nan}")
        if math.isinf(x):
            return cls(r"\infty") if x > 0 else cls(r"-\infty", Level.SUM)
        mantissa, _, exponent = format_number(x, precision).partition("e")
        level = Level.SUM if x < 0 else Level.PRODUCT if exponent else Level.ATOM
        return cls(mantissa + (rf" \cdot 10^{{{int(exponent)}}}" if exponent else ""), level)

    @classmethod
    def named(cls, x: Constant) -> Notation | None:
        return x.tex

    @classmethod
    def name(cls, label: str) -> Tex:
        parsed = Label.parse(label)
        level = Level.COMPARISON if is_formula(label) else Level.POWER if parsed.above else Level.ATOM
        return cls(parsed.tex(), level)

    @classmethod
    def derivative(cls, z: str, x: str, partial: bool = False) -> Tex:
        d = r"\partial " if partial else "d"
        above, below = (cls.name(label).bracketed(Level.POWER) for label in (z, x))
        return cls(rf"\frac{{{d}{above}}}{{{d}{below}}}", Level.POWER)


def names_of(order: Iterable[Value], output: Value | None = None) -> dict[Value, str]:
    """Return a different name for each node: its label, or else f for the output and t1, t2, ... for other nodes.

    >>> a = Value(1.0, "a")
    >>> t = a * 2
    >>> y = t + a
    >>> list(names_of([a, t, y], y).values())
    ['a', 't1', 'f']
    """
    order = list(order)
    labels = labels_of(order)
    numbers = numbers_beside(labels.values())
    names: dict[Value, str] = {}
    for node in order:
        is_f = node is output and "f" not in labels.values()
        names[node] = labels.get(node) or ("f" if is_f else f"t{next(numbers)}")
    return names


def labels_of(order: Iterable[Value]) -> dict[Value, str]:
    """Return the labels of all labelled nodes. A second x is called x′, and a third x′2."""
    labels = {node: printable(node.label) for node in order if node.label}
    taken: set[str] = set()
    again: dict[str, int] = {}
    if len(set(labels.values())) == len(labels):
        return labels
    for node, label in labels.items():
        name = label
        while name in taken:
            again[label] = k = again.get(label, 0) + 1
            name = f"{label}′{k if k > 1 else ''}"
        labels[node] = name
        taken.add(name)
    return labels


def numbers_beside(names: Iterable[str]) -> Iterator[int]:
    """Return an iterator over the numbers k for which tk is not among the names.

    >>> from itertools import islice
    >>> list(islice(numbers_beside(["a", "t2"]), 3))
    [1, 3, 4]
    """
    taken = {name for name in names if name.startswith("t") and name[1:].isdecimal()}
    return (k for k in count(1) if f"t{k}" not in taken) if taken else count(1)


def op_table() -> str:
    """Write the table of ops as Markdown: `docs/ops.md` is this text."""
    lines = [
        "# The operations",
        "",
        "`autograd-mini ops --format markdown` writes this table from the rows of `autograd_mini/ops.py`. In a rule,",
        "z is the result. $[x > y]$ is 1 if x > y, else 0.",
        "",
        "| op | result | derivatives | domain | at a kink or an end |",
        "|---|---|---|---|---|",
    ]
    for op in OPS.values():
        operands = [Tex.name("c" if name == "condition" else name) for name in op.parameters]
        z = Tex.name("z")
        derivatives = []
        for name, rule in zip(operands, op.formulas, strict=True):
            slope = Tex.of(rule(*operands, z))
            derivatives.append(rf"\frac{{\partial z}}{{\partial {name}}} = {slope}")
        domain = r" \times ".join(str(interval) for interval in dict.fromkeys(op.domain))
        if all(str(interval) == r"(-\infty, \infty)" for interval in op.domain):
            domain = r"\mathbb{R}"
        cells = (
            f"`{op.name}`",
            f"${Tex.write(op, operands)}$",
            "<br>".join(f"${derivative}$" for derivative in derivatives),
            f"${domain}$",
            op.convention,
        )
        lines.append("| " + " | ".join(cell.replace("|", r"\vert ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def op_list() -> str:
    """Write the table of ops as text for a terminal: each op, and below it its derivatives, domain and convention."""
    from textwrap import wrap

    rows = [("op", "z", ["derivatives, and conventions"])]
    for op in OPS.values():
        operands = [Text.name("c" if name == "condition" else name) for name in op.parameters]
        z = Text.name("z")
        lines = [f"dz/d{x} = {Text.of(rule(*operands, z))}" for x, rule in zip(operands, op.formulas, strict=True)]
        if notes := [note for note in (_domain(op), op.convention) if note]:
            lines += wrap(f"({'; '.join(notes)})", 60)
        rows.append((op.name, str(Text.write(op, operands)), lines))
    names, results = (max(len(row[i]) for row in rows) for i in (0, 1))
    text = []
    for name, result, lines in rows:
        text += [
            f"{name if i == 0 else '':{names}}  {result if i == 0 else '':{results}}  {line}"
            for i, line in enumerate(lines)
        ]
    return "\n".join([*text, "", "x > y is 1 where it holds, and 0 elsewhere."]) + "\n"


def _domain(op: Op) -> str:
    """Return the domain of a row in words, or "" if it is all numbers."""
    told = []
    for name, interval in zip(op.parameters, op.domain, strict=True):
        if not math.isnan(interval.hole):
            told.append(f"{name} ≠ {interval.hole:g}")
        elif math.inf in (-interval.lo, interval.hi):
            if interval.lo > -math.inf:
                told.append(f"{name} {'≥' if interval.closed_lo else '>'} {interval.lo:g}")
            elif interval.hi < math.inf:
                told.append(f"{name} {'≤' if interval.closed_hi else '<'} {interval.hi:g}")
        else:
            signs = ["≤" if closed else "<" for closed in (interval.closed_lo, interval.closed_hi)]
            told.append(f"{interval.lo:g} {signs[0]} {name} {signs[1]} {interval.hi:g}")
    return ", ".join(told)
