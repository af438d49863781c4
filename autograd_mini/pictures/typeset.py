r"""Typeset formulas: italic variables, sub- and superscripts, a true minus sign.

This module owns typeset text, a sequence of `Run`s. `Typeset` is a recorder like `Tex`. It reads the LaTeX column of a
row, so it needs no table for $\sigma(x)$, $\sqrt{x}$ or your own operations. It must not know boxes or file formats.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple, Self

from ..ops import Constant, Level, Notation, Op, add, mul
from ..printing import GREEK, Label, Written, format_number, is_formula
from ..recorder import Operand


class Run(NamedTuple):
    """A piece of text in one style. `shift` is "sub", "sup" or ""."""

    text: str
    italic: bool = False
    shift: str = ""


# Marks of style inside a string, from Unicode's private use area. `printable` removes them from labels.
ITALIC, UPRIGHT, SUB, SUP, BACK, OPEN, CLOSE, TIMES = map(chr, range(0xE010, 0xE018))
SMALL_SPACE = "\u2009"

HATS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
NAMED = {
    math.pi: "π",
    2 * math.pi: "2π",
    math.pi / 2: "π/2",
    math.e: "e",
    math.log(2.0): "ln 2",
    math.log(10.0): "ln 10",
    math.sqrt(2.0): "√2",
}
SYMBOLS = {"cdot": TIMES, "ge": "≥", "le": "≤", "dots": "…", "vert": "|", "partial": "∂", "infty": "∞", "Gamma": "Γ"}
SYMBOLS |= {"bmod": "mod", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉"}
SYMBOLS |= GREEK


class Typeset(Written):
    """Notation as typeset text. `runs` are its pieces.

    >>> a, b, c = map(Typeset.name, ("a", "b", "c"))
    >>> plain((3 * (a + b * c)).runs), plain(Typeset.derivative("J", "w_1").runs)
    ('3(a + bc)', 'dJ/dw₁')
    >>> from autograd_mini import sigmoid, sqrt
    >>> plain((sigmoid(-a) * b**2 / sqrt(c)).runs)
    'σ(−a) · b²/√c'
    """

    __slots__ = ()
    brackets = (OPEN, CLOSE)
    times = TIMES
    dots = "…"

    @property
    def runs(self) -> tuple[Run, ...]:
        """Return the pieces of the text."""
        return _runs_of(self.string)

    @classmethod
    def notation(cls, op: Op, n: int) -> Notation:
        """Return the template and levels of a row with n operands."""
        return _notation(op, n)

    @classmethod
    def write(cls, op: Op, operands: Sequence[Typeset]) -> Typeset:
        """Write a row applied to operands. In a product, a number comes first."""
        if op.arity is not None:
            operands = [*operands]  # of many operands, only those that are shown are read
        if op is mul and _is_number(operands[1]) and not _is_number(operands[0]):
            operands = operands[::-1]
        if op is mul and operands[0].string == "−1":
            return cls(f"−{operands[1].bracketed(Level.PRODUCT)}", Level.SUM, op)
        if op is mul and operands[0].string.startswith("−") and _is_number(operands[0]):
            factors = [cls(operands[0].string), operands[1]]
            return cls(_multiplied(super().write(op, factors).string), Level.SUM, op)
        if op is mul and operands[0].string == operands[1].string and SQUARED.fullmatch(operands[0].string):
            return cls(f"{operands[0].string}{SUP}2{BACK}", Level.POWER, op)
        if op is add and operands[1].level == Level.SUM and operands[1].string.startswith("−"):
            left, right = operands[0].bracketed(Level.SUM), operands[1].string
            return cls(f"{left} − {right[1:]}", Level.SUM, op)
        raised = operands[-1].string
        if SUP in _notation(op, len(operands)).template and (SUB in raised or SUP in raised):
            return cls._in_one_line(op, operands)
        written = super().write(op, operands)
        string = _multiplied(written.string)
        if string[:1] in "√∛" and string[1:2] == OPEN:  # these brackets are a function's, not a factor's
            string = f"{string[0]}({string[2:-1]})"
        return cls(string, written.level, op)

    @classmethod
    def _in_one_line(cls, op: Op, operands: Sequence[Typeset]) -> Typeset:
        """Write a power whose exponent has sub- or superscripts in one line: e^(−x²) as exp(−x²)."""
        template, level, least = op.text
        least = (least[0], Level.ATOM) if "**" in template else least
        parts = [x.bracketed(at) for x, at in zip(operands, least, strict=True)]
        filled = Notation(template.replace("**", "^"), level, least).filled(
            dict(zip(op.parameters, parts, strict=True))
        )
        return cls(filled, level, op)

    @classmethod
    def of(cls, x: Operand, precision: int = 4) -> Typeset:
        """Write an operand or the result of a rule: notation, or a number, with π and similar numbers by name."""
        if isinstance(x, Constant) and x not in NAMED:
            return super().of(x, precision)
        return x if isinstance(x, cls) else cls.constant(float(x), precision)

    @classmethod
    def named(cls, x: Constant) -> Notation | None:
        """Return the notation of a number that has a name."""
        return x.text._replace(template=x.text.template.replace("-", "−"))

    @classmethod
    def product(cls, factors: Sequence[Self]) -> Self:
        """Write a product of factors."""
        written = super().product(factors)
        return written if len(factors) == 1 else cls(_multiplied(written.string), written.level)

    @classmethod
    def number(cls, x: float, precision: int) -> Typeset:
        """Write a number with a true minus sign, and with a power of ten instead of e."""
        if math.isinf(x):
            return cls("∞") if x > 0 else cls("−∞", Level.SUM)
        mantissa, _, exponent = format_number(x, precision).replace("-", "−").partition("e")
        power = f"·10{SUP}{exponent[:1].replace('+', '')}{exponent[1:].lstrip('0')}{BACK}" if exponent else ""
        return cls(mantissa + power, Level.SUM if x < 0 else Level.PRODUCT if power else Level.ATOM)

    @classmethod
    def constant(cls, x: float, precision: int) -> Typeset:
        """Write a plain number in a formula, with π and similar numbers by name."""
        if x not in NAMED:
            return cls.number(x, precision)
        name = NAMED[x]
        loose = Level.QUOTIENT if "ln" in name or "/" in name else Level.PRODUCT if name == "2π" else Level.ATOM
        return cls(name, loose)

    @classmethod
    def name(cls, label: str) -> Typeset:
        """Write the name of a node."""
        return cls(*_named(label))

    @classmethod
    def derivative(cls, z: str, x: str, partial: bool = False) -> Typeset:
        """Write the derivative of the node named z with respect to the node named x, with d or with ∂."""
        d = "∂" if partial else "d"
        return cls(f"{d}{cls.name(z).bracketed(Level.POWER)}/{d}{cls.name(x).bracketed(Level.POWER)}")


@lru_cache(4096)
def _named(label: str) -> tuple[str, Level]:
    """Return a name as typeset text, and its level."""
    if is_formula(label):
        return ITALIC + label + BACK, Level.COMPARISON
    parsed = Label.parse(label)
    hat = re.fullmatch(r"([^\W\d_])(hat|bar|tilde)", parsed.base)
    base = unicodedata.normalize("NFC", f"{hat[1]}{HATS[hat[2]]}" if hat else parsed.symbol)
    string = ITALIC + base + BACK if _is_word(base) else base
    string += SUB + parsed.sub + BACK if parsed.sub else ""
    return (string + (SUP + parsed.above + BACK if parsed.above else ""), Level.POWER if parsed.above else Level.ATOM)


def _is_word(text: str) -> bool:
    return bool(text) and all(c.isalpha() or c == "_" or c in "′\u0302\u0303\u0304" for c in text)


def _is_number(x: Typeset) -> bool:
    return x.op is None and (x.string.lstrip("−")[:1].isdigit() or x.string in NAMED.values())


# A product of single letters has no sign: bc, 3v, 3(a + b), w₁x₁.
SHIFTED = f"(?:[{SUB}{SUP}][^{BACK}]*{BACK})*"
LETTER = f"(?<![√∛]){ITALIC}[^{BACK}][\u0302-\u0304′]?{BACK}"
FUNCTION = f"{ITALIC}[fghFGσψΓ]{BACK}{SHIFTED}"  # a letter before a bracket, which would look like a function
SQUARED = re.compile(LETTER)
PLAIN = rf"(?<![{SUP}{SUB}\d.,/√∛])[−]?(?:[\d.]+π?|π)"  # a number that is not part of √2 or π/2
SIDE_BY_SIDE = re.compile(rf"((?:{PLAIN}|{LETTER}{SHIFTED}|{CLOSE}){TIMES})(?={LETTER}|{OPEN}(?!−[\d.]+{CLOSE}))")


def _multiplied(string: str) -> str:
    """Replace each sign of a product by a dot, a thin space or nothing."""

    def close(match: re.Match[str]) -> str:
        left = match[1][:-1]
        return left + (SMALL_SPACE if left.endswith(BACK) and (SUB in left or SUP in left) else "")

    if TIMES not in string:
        return string
    string = re.sub(rf" ?{TIMES} ?", TIMES, string)
    string = re.sub(rf"({FUNCTION}){TIMES}(?={OPEN})", r"\1 · ", string)
    string = SIDE_BY_SIDE.sub(close, string).replace(TIMES, " · ")
    return re.sub(rf" \+ {OPEN}(−[\d.]+){CLOSE}(?= [+−] |$)", lambda match: f" − {match[1][1:]}", string)


@lru_cache(4096)
def _runs_of(string: str) -> tuple[Run, ...]:
    return tuple(_runs(string))


def _runs(string: str) -> Iterator[Run]:
    styles: list[str] = []
    for piece in re.split(f"([{ITALIC}{SUB}{SUP}{BACK}])", string):
        if piece in (ITALIC, SUB, SUP) and piece:
            styles.append(piece)
        elif piece == BACK:
            styles.pop()
        elif piece:
            shift = next((("sub", "sup")[s == SUP] for s in styles if s != ITALIC), "")
            text = piece.replace(OPEN, "(").replace(CLOSE, ")")
            yield Run(text, ITALIC in styles, shift)


# A row's LaTeX as a template of typeset text.

TOKEN = re.compile(r"\\operatorname\{([^{}]*)\}|\\([a-zA-Z]+)(\[3\])?|<(\w+)>|(.)")
FUNCTIONS = {
    "log",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "max",
    "min",
    "exp",
    "ln",
}


@lru_cache(1024)  # limited, because users may make many rows
def _notation(op: Op, n: int) -> Notation:
    """Return the template and levels of a row with n operands. If its LaTeX is not understood, use its text."""
    parameters, text, tex, _ = op.spelled(n)
    try:
        template, tight, loose = _Reader(tex.template).read()
    except (KeyError, StopIteration, IndexError):
        template = re.sub(r" ?(?<!\*)\*(?!\*) ?", TIMES, text.template).replace("-", "−")
        return text._replace(template=template)
    if op.composed is not None:
        return text._replace(template=template)
    template = re.sub("(?<=[⌊⌈]) | (?=[⌋⌉])", "", template)
    if template == "−<x>":  # −xy and −x/y need no brackets
        return Notation(template, op.text.level, (Level.QUOTIENT,))
    written = text if r"\frac" in tex.template else tex  # in one line, write a fraction with a slash
    levels = [
        Level.ATOM if name in tight else Level.COMPARISON if name in loose else least
        for name, least in zip(parameters, written.levels, strict=True)
    ]
    level = Level.SUM if " mod " in template else Level.ATOM if template[-1] in "⌋⌉" else written.level
    return Notation(template, level, levels)


class _Reader:
    """A reader of the LaTeX of rows. An unknown command raises a KeyError."""

    def __init__(self, text: str) -> None:
        plain = re.sub(r"\\mathrm\{([^{}]*)\}", r"\1", text.replace(r"\left", "").replace(r"\right", ""))
        self.tokens = list(TOKEN.finditer(plain))
        self.at = 0
        self.under = 0  # the number of roots and of sub- or superscripts around the place
        self.raised = 0
        self.tight: set[str] = set()  # operands under a root
        self.loose: set[str] = set()  # operands in a superscript

    def read(self) -> tuple[str, set[str], set[str]]:
        parts = []
        while self.at < len(self.tokens):
            parts.append(self.piece())
        return "".join(parts), self.tight, self.loose

    def piece(self) -> str:
        token = self.tokens[self.at]
        self.at += 1
        function, command, cube, hole, char = token.groups()
        if function is not None:
            return function
        if hole is not None:
            (self.tight if self.under else self.loose if self.raised else set()).add(hole)
            return f"<{hole}>"
        if command == "frac":
            return f"{self.group()}/{self.group()}"
        if command == "sqrt":
            self.under += 1
            inner = self.group()
            self.under -= 1
            return ("∛" if cube else "√") + inner
        if command in FUNCTIONS:
            return command
        if command is not None:
            return SYMBOLS[command]
        if char in "^_":
            self.raised += 1
            inner = self.group()
            self.raised -= 1
            return (SUP if char == "^" else SUB) + inner + BACK
        if char in "{}":
            raise KeyError(char)
        return "−" if char == "-" else char

    def group(self) -> str:
        if self.tokens[self.at][0] != "{":
            return self.piece()
        self.at += 1
        parts = []
        while self.tokens[self.at][0] != "}":
            parts.append(self.piece())
        self.at += 1
        return "".join(parts)


SUBS = str.maketrans("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
SUPS = str.maketrans("0123456789+-−=()in", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁱⁿ")


def plain(runs: Iterable[Run]) -> str:
    """Write typeset text without styles. Use Unicode's small digits if possible.

    >>> plain([Run("W", True), Run("11", shift="sub"), Run("[1]", shift="sup")])
    'W₁₁^[1]'
    """
    parts = []
    for shift, together in groupby(runs, lambda run: run.shift):
        text = "".join(run.text for run in together)
        table = {"sub": SUBS, "sup": SUPS}.get(shift, {})
        if not shift or all(ord(c) in table for c in text):
            parts.append(text.translate(table))
        else:
            alone = len(text) == 1 or re.fullmatch(r"(\[\w+\])?(\(\w+\))?", text) or (shift == "sub" and text.isalnum())
            parts.append(("_" if shift == "sub" else "^") + (text if alone else f"({text})"))
    return "".join(parts)


def width(runs: Iterable[Run]) -> float:
    """Return the approximate width of a text in characters."""
    return sum(len(run.text) * (0.7 if run.shift else 1.0) for run in runs)
