"""Questions and exercises of the lessons, and checks of the answers.

>>> from autograd_mini.lessons import ask, check
>>> check("one-neuron/1", ...)
dz = … No answer yet: check("one-neuron/1", answer).
>>> check("one-neuron/1", 0.5)
Not yet. The size is right, the sign is not: dz = a − y.
"""

from __future__ import annotations

from typing import Any

from .exercises import EXERCISES
from .predictions import PREDICTIONS
from .question import UNANSWERED, Ask, Question, Verdict

__all__ = ["ask", "check"]


def ask(name: str) -> Ask:
    """Return a question of a lesson. A notebook shows it with a field for the answer.

    Args:
        name: the lesson's name without its number, a slash, and the question's name.

    Raises:
        ValueError: no question has this name.

    >>> ask("computation-graph/growth")
    b grows by 0.001. By how much does J grow? … No answer yet: check("computation-graph/growth", answer).
    """
    if name not in PREDICTIONS:
        raise ValueError(f"ask: there is no question {name!r}; there are {', '.join(PREDICTIONS)}")
    return Ask(name, PREDICTIONS[name])


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
    known = PREDICTIONS | EXERCISES
    if name not in known:
        raise ValueError(f"check: there is no exercise {name!r}; there are {', '.join(known)}")
    asked = known[name]
    if answer is not ...:
        return asked.verdict(answer)
    return Ask(name, asked) if isinstance(asked, Question) and asked.fits_a_field else Verdict(None, UNANSWERED)
