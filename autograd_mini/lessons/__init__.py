"""Questions and exercises of the lessons, and checks of the answers.

>>> from autograd_mini.lessons import ask, check
>>> check("one-neuron/1", ...)
dz = … No answer yet: check("one-neuron/1", answer).
>>> check("one-neuron/1", 0.5)
Not yet. The size is right, the sign is not: dz = a − y.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from .exercises import EXERCISES
from .predictions import LESSONS, PREDICTIONS
from .question import UNANSWERED, Ask, Question, Task, Verdict

Asked = TypeVar("Asked", bound=Question | Task)


def ask(name: str) -> Ask:
    """Return a question of a lesson. A notebook shows it with a field for the answer.

    Args:
        name: the lesson's name without its number, a slash, and the question's name.

    Raises:
        ValueError: no question has this name.

    >>> ask("computation-graph/growth")
    b grows by 0.001. By how much does J grow? … No answer yet: check("computation-graph/growth", answer).
    """
    return Ask(name, _named("ask: there is no question", name, PREDICTIONS))


def check(name: str, answer: Any) -> Verdict | Ask:
    """Check the answer to a question or an exercise of a lesson. The verdict does not tell the right answer.

    Without an answer yet, the result is the question. A notebook shows it with a field.

    Args:
        name: the lesson's name without its number, a slash, and the name of the question or the exercise.
        answer: a number, a word or a function, as the exercise says; `...` if there is no answer yet.

    Raises:
        ValueError: no question or exercise has this name.

    >>> check("computation-graph/growth", 6)
    Not yet. This is the derivative: the growth of J divided by the growth of b.
    """
    asked = _named("check: there is no exercise", name, PREDICTIONS | EXERCISES)
    if answer is not ...:
        return asked.verdict(answer)
    return Ask(name, asked) if isinstance(asked, Question) and asked.fits_a_field else Verdict(None, UNANSWERED)


def _named(complaint: str, name: str, known: Mapping[str, Asked]) -> Asked:
    """Return the question or exercise of this name. If there is none, raise an error that lists those of the lesson."""
    if name in known:
        return known[name]
    lesson = str(name).partition("/")[0]
    there = [each for each in known if each.startswith(f"{lesson}/")]
    hint = f"there are {', '.join(there)}" if there else f"the name begins with a lesson: {', '.join(LESSONS)}"
    raise ValueError(f"{complaint} {name!r}; {hint}")
