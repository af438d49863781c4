"""Questions with a number or a word as their answer, tasks with a function as theirs, and verdicts on an answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from numbers import Real
from typing import Any, ClassVar

from ..value import Value

UNANSWERED = "No answer yet. Write it in place of the three dots, and run the cell again."
RIGHT = "Right."
WRONG = "Not yet."
NEAR = 0.01  # a rounded answer is right if the exact one is no whole number

# The field's script has the rules of `Question.verdict`. `this` is the form.
SCRIPT = """
event.preventDefault();
const question = JSON.parse(this.dataset.question), field = this.querySelector('input');
const number = text => text.trim().replace('\u2212', '-').replace(',', '.').split('/').map(s => s.trim() ? +s : NaN);
const near = (x, y) => Math.abs(x - y) <= (Number.isInteger(y) ? 1e-9 : 0.01 * Math.abs(y));
let given = event.submitter ? event.submitter.value : '', same = (x, y) => x === y;
if (field) {
  const [top, bottom = 1] = number(field.value);
  given = top / bottom;
  same = near;
}
const hint = (question.wrong.find(([answer]) => same(given, answer)) || [0, question.hint])[1];
this.querySelector('output').textContent = same(given, question.answer)
  ? question.right
  : Number.isNaN(given) ? 'Type a number, such as -6, 0.25 or 1/4.' : question.notYet + ' ' + hint;
"""
# JupyterLab does not submit a form at Enter.
ENTER = "if (event.key === 'Enter') { event.preventDefault(); this.form.requestSubmit(); }"
FRAME = "font: inherit; color: inherit; background: transparent; border: 1px solid; border-radius: .3em"


@dataclass(frozen=True)
class Verdict:
    """The result of a check: whether the answer is right, and a sentence on it. `right` is None without an answer."""

    right: bool | None
    text: str

    def __repr__(self) -> str:
        return self.text


def number(x: Any) -> float:
    """Return a number as a float, also that of a Value."""
    return float(x.data if isinstance(x, Value) else x)


def judged(fault: str | None) -> Verdict:
    """Return the verdict on an answer with this fault, or on a right one."""
    return Verdict(True, RIGHT) if fault is None else Verdict(False, f"{WRONG} {fault}")


@dataclass(frozen=True)
class Question:
    """A question whose answer is a number, several numbers or one of a few words."""

    text: str
    answer: float | str | Sequence[float]
    hint: str  # for a wrong answer that `wrong` does not list
    wrong: Mapping[float | str | tuple[float, ...], str] = field(default_factory=dict)  # hints, by the wrong answer
    choices: tuple[str, ...] = ()

    @property
    def fits_a_field(self) -> bool:
        """Return whether the answer is a single number or word."""
        return isinstance(self.answer, (int, float, str))

    def verdict(self, given: Any) -> Verdict:
        """Return the verdict on an answer. Rounded numbers are right, apart from whole ones."""
        if isinstance(self.answer, str):
            if not isinstance(given, str) or given.strip().casefold() not in self.choices:
                return judged(f"The answer is one of these words: {', '.join(map(repr, self.choices))}.")
            given = given.strip().casefold()
        elif not _numbers(given, self.answer):
            n = 1 if isinstance(self.answer, (int, float)) else len(self.answer)
            return judged("The answer is a number." if n == 1 else f"The answer is a list of {n} numbers.")
        if _same(given, self.answer):
            return judged(None)
        return judged(next((hint for answer, hint in self.wrong.items() if _same(given, answer)), self.hint))


def _numbers(given: Any, answer: float | Sequence[float]) -> bool:
    """Return whether an answer has the form of the right one: a number, or as many numbers."""
    if isinstance(answer, (int, float)):
        is_single = isinstance(given, (Real, Value)) or getattr(given, "ndim", None) == 0
        return is_single and not isinstance(given, bool)
    return hasattr(given, "__len__") and len(given) == len(answer) and all(map(_numbers, given, answer))


def _same(given: Any, answer: Any) -> bool:
    if isinstance(answer, str):
        return bool(given == answer)
    if isinstance(answer, (int, float)):
        whole = float(answer).is_integer()
        return math.isclose(number(given), answer, rel_tol=0 if whole else NEAR, abs_tol=1e-9 * whole)
    return all(map(_same, given, answer))


@dataclass(frozen=True)
class Ask:
    """A question without an answer yet. Notebooks and pages show a field for the answer; a terminal shows text."""

    name: str
    question: Question
    right: ClassVar[None] = None

    def __repr__(self) -> str:
        return f'{self.question.text} … No answer yet: check("{self.name}", answer).'

    def _repr_html_(self) -> str:
        q = self.question
        data = {"answer": q.answer, "hint": q.hint, "wrong": [*q.wrong.items()], "right": RIGHT, "notYet": WRONG}
        style = f"{FRAME}; padding: .1em .6em; margin: .2em .3em .2em 0"
        pressed = f"{style}; cursor: pointer"
        if q.choices:
            fields = "".join(f'<button value="{escape(c)}" style="{pressed}">{escape(c)}</button>' for c in q.choices)
        else:
            fields = (
                '<span style="white-space: nowrap"><input aria-label="Your answer" size="8" autocomplete="off" '
                f'onkeydown="{escape(ENTER)}" style="{style}"><button style="{pressed}">Check</button></span>'
            )
        return (
            f'<form data-question="{escape(json.dumps(data))}" onsubmit="{escape(SCRIPT.strip())}" '
            f'style="margin: .3em 0; line-height: 1.9">{escape(q.text)} {fields} <output></output></form>'
        )


@dataclass(frozen=True)
class Task:
    """A task whose answer is a function or a class.

    `fault` returns a sentence on the fault of an answer, `UNANSWERED` if dots are still in it, or None.
    """

    fault: Callable[[Any], str | None]

    def verdict(self, given: Any) -> Verdict:
        """Return the verdict on an answer, also if it raises an error."""
        try:
            fault = self.fault(given)
        except Exception as error:
            fault = f"Your code raised an error: {type(error).__name__}: {error}"
        return Verdict(None, UNANSWERED) if fault == UNANSWERED else judged(fault)
