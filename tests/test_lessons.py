"""The questions and exercises of the lessons: a right answer is right, wrong ones get a hint that does not tell it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

import autograd_mini as ag
from autograd_mini.lessons import ask, check
from autograd_mini.lessons.exercises import EXERCISES
from autograd_mini.lessons.predictions import PREDICTIONS
from autograd_mini.lessons.question import Question, Task

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
QUESTIONS = {**PREDICTIONS, **{name: x for name, x in EXERCISES.items() if isinstance(x, Question)}}


def sources(path: Path) -> list[tuple[dict[str, Any], str]]:
    return [(cell, "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]


def test_each_question_and_exercise_stands_in_its_lesson() -> None:
    asked: list[str] = []
    checked: list[str] = []
    for path in NOTEBOOKS:
        lesson = path.stem.split("-", 1)[1]
        for cell, source in sources(path):
            if cell["cell_type"] == "code":
                for kind, name in re.findall(r'\b(ask|check)\("([^"]+)"', source):
                    assert name.startswith(f"{lesson}/")
                    (asked if kind == "ask" else checked).append(name)
    assert sorted(asked) == sorted(PREDICTIONS)
    assert sorted(set(checked)) == sorted(EXERCISES)
    assert not PREDICTIONS.keys() & EXERCISES.keys()


def shown_when_folded(output: dict[str, Any]) -> str:
    """Return the line that JupyterLab shows of a folded output: the first line of the first one, if it is a text."""
    if output.get("data", {}).keys() == {"image/png", "text/plain"}:
        return "a picture"
    return "".join(output["text"]).split("\n")[0]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_waits_for_the_answer(path: Path) -> None:
    """Each result that follows a Predict is folded, in JupyterLab and on the site, and so is each explanation of it."""
    predicted, folded = False, 0
    for cell, source in sources(path):
        tags, jupyter = cell["metadata"].get("tags", []), cell["metadata"].get("jupyter", {})
        if cell["cell_type"] == "markdown":
            assert source.count("<details>") == source.count("</details>")
            predicted = "**Predict" in source
        elif source.startswith("ask("):
            assert tags == ["remove-input"]
            assert jupyter == {"source_hidden": True}
            assert predicted
        elif predicted:
            assert "hide-output" in tags
            assert jupyter.get("outputs_hidden")
            assert shown_when_folded(cell["outputs"][0]) in ("Answer:", "a picture")
            folded += 1
        else:
            assert "hide-output" not in tags
            assert not jupyter.get("outputs_hidden")
    assert folded > 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_says_how_long_it_takes_and_what_comes_next(path: Path) -> None:
    head = sources(path)[0][1]
    assert re.search(r"\*Time: \d+ minutes\. Level: [\w ,]+\. You need ", head)
    following = NOTEBOOKS[NOTEBOOKS.index(path) + 1 :]
    assert (f"({following[0].name})" if following else "This is the last lesson.") in head
    for _, source in sources(path):
        for link in re.findall(r"\]\(([^)#]+\.ipynb)\)", source):
            assert (path.parent / link).exists(), link


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question(name: str) -> None:
    question = QUESTIONS[name]
    assert check(name, question.answer).right is True
    assert check(name, ...).right is None
    wrong = [x for x in (*question.wrong, *question.choices, "x", None, 1e9, -17) if x != question.answer]
    verdicts = [question.verdict(x) for x in wrong]
    assert len(verdicts) >= 2
    assert all(verdict.right is False for verdict in verdicts)
    assert all(question.verdict(x).text.endswith(hint) for x, hint in question.wrong.items())
    if isinstance(question.answer, str):
        assert question.answer in question.choices
        assert set(question.wrong) <= set(question.choices)
        assert check(name, f" {question.answer.upper()} ").right is True
    elif isinstance(question.answer, (int, float)):
        shown = f"{question.answer:.4g}".lstrip("-")
        whole = float(question.answer).is_integer()
        assert (
            check(name, question.answer * (1.1 if question.answer else 1) + 0.1 * (not question.answer)).right is False
        )
        assert check(name, question.answer * 1.004).right is (not whole or question.answer == 0)
        if not whole:
            assert all(shown not in hint for hint in (question.hint, *question.wrong.values()))


def test_an_answer_may_be_a_value_or_an_array_element() -> None:
    assert check("one-neuron/1", ag.Value(-0.5)).right is True
    assert check("one-neuron/1", np.float32(-0.5)).right is True
    assert check("random-initialisation/4", np.array([0.173, 0.141])).right is True
    assert check("random-initialisation/4", [0.173]).right is False
    assert check("one-neuron/1", True).right is False


@pytest.mark.parametrize("function", [ask, lambda name: check(name, 1)])
def test_a_name_that_is_not_there(function: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"there is no .*'one-neuron/99'; there are one-neuron/z, ") as caught:
        function("one-neuron/99")
    assert "two-layer-net/" not in str(caught.value)
    with pytest.raises(
        ValueError, match=r"no .*'neuron/z'; the name begins with a lesson: computation-graph, one-neuron, "
    ):
        function("neuron/z")


class Engine:
    """An engine as a learner writes it in lesson 05."""

    def __init__(self, data: float, parents: tuple[Any, ...] = (), local: tuple[float, ...] = ()) -> None:
        self.data, self.parents, self.local, self.grad = data, parents, local, 0.0

    def made(self, data: float, parents: tuple[Any, ...], local: tuple[float, ...]) -> Any:
        return type(self)(data, parents, local)

    def __add__(self, other: Any) -> Any:
        return self.made(self.data + other.data, (self, other), (1.0, 1.0))

    def __sub__(self, other: Any) -> Any:
        return self.made(self.data - other.data, (self, other), (1.0, -1.0))

    def __mul__(self, other: Any) -> Any:
        return self.made(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, n: float) -> Any:
        return self.made(self.data**n, (self,), (n * self.data ** (n - 1),))

    def tanh(self) -> Any:
        t = math.tanh(self.data)
        return self.made(t, (self,), (1 - t * t,))

    def order(self) -> list[Any]:
        found: list[Any] = []
        seen: set[Any] = set()
        waiting = [(self, False)]
        while waiting:
            node, done = waiting.pop()
            if done:
                found.append(node)
            elif node not in seen:
                seen.add(node)
                waiting += [(node, True), *((parent, False) for parent in node.parents)]
        return found

    def backward(self) -> Any:
        self.grad = 1.0
        for node in reversed(self.order()):
            for parent, local in zip(node.parents, node.local, strict=True):
                parent.grad += node.grad * local


def engine(**methods: Callable[..., Any]) -> type:
    """Return the right engine with some methods of its own."""
    return type("Mine", (Engine,), methods)


def overwriting(self: Any) -> None:
    self.grad = 1.0
    for node in reversed(self.order()):
        for parent, local in zip(node.parents, node.local, strict=True):
            parent.grad = node.grad * local


def hasty(self: Any) -> None:
    self.grad = 1.0
    waiting = [self]
    for node in waiting:
        for parent, local in zip(node.parents, node.local, strict=True):
            parent.grad += node.grad * local
            if parent not in waiting:
                waiting.append(parent)


def recursive(self: Any) -> list[Any]:
    found: list[Any] = []

    def visit(node: Any) -> None:
        if node not in found:
            for parent in node.parents:
                visit(parent)
            found.append(node)

    visit(self)
    return found


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def gradient(w1: float, w2: float, b: float, x1: float, x2: float, y: float) -> tuple[float, float, float]:
    error = sigmoid(w1 * x1 + w2 * x2 + b) - y
    return x1 * error, x2 * error, error


def step(w: float, b: float, xs: list[float], ys: list[float], alpha: float) -> tuple[float, float]:
    errors = [sigmoid(w * x + b) - y for x, y in zip(xs, ys, strict=True)]
    dw = sum(x * e for x, e in zip(xs, errors, strict=True)) / len(xs)
    return w - alpha * dw, b - alpha * sum(errors) / len(xs)


def uphill(w: float, b: float, xs: list[float], ys: list[float], alpha: float) -> tuple[float, float]:
    return step(w, b, xs, ys, -alpha)


def stable(zs: list[Any]) -> list[Any]:
    largest = max(zs)
    exps = [math.exp(z - largest) for z in zs]
    return [e / sum(exps) for e in exps]


def weighted(w: list[Any], b: Any, x: list[Any]) -> Any:
    return sum((wi * xi for wi, xi in zip(w, x, strict=True)), b)


Answers = tuple[Any, dict[str, Any]]
TASKS: dict[str, Answers] = {  # a right answer, and wrong ones by a word of their verdict
    "computation-graph/5": (
        lambda f, x: (f(x + 1e-6) - f(x)) / 1e-6,
        {
            "Divide": lambda f, x: f(x + 1e-6) - f(x),
            "sign": lambda f, x: (f(x) - f(x + 1e-6)) / 1e-6,
            "value of f": lambda f, x: f(x),
            "far from": lambda f, x: 17.0,
            "exp": lambda f, x: 2 * x,
            "None": lambda f, x: None,
            "ZeroDivisionError": lambda f, x: 1 / 0,
        },
    ),
    "one-neuron/4": (
        gradient,
        {
            "signs are not": lambda *x: [-g for g in gradient(*x)],
            "times the input": lambda *x: [gradient(*x)[2]] * 3,
            "cancelled": lambda w1, w2, b, x1, x2, y: [
                g * sigmoid(w1 * x1 + w2 * x2 + b) * (1 - sigmoid(w1 * x1 + w2 * x2 + b))
                for g in gradient(w1, w2, b, x1, x2, y)
            ],
            "3 numbers": lambda *x: 0.5,
            "dw₂": lambda *x: (gradient(*x)[0], 0.0, gradient(*x)[2]),
        },
    ),
    "one-neuron/5": (
        step,
        {
            "uphill": uphill,
            "mean": lambda w, b, xs, ys, alpha: step(w, b, xs, ys, len(xs) * alpha),
            "learning rate": lambda w, b, xs, ys, alpha: step(w, b, xs, ys, 1),
            "new w": lambda w, b, xs, ys, alpha: [x - y for x, y in zip((w, b), step(w, b, xs, ys, 1), strict=True)],
            "new b": lambda w, b, xs, ys, alpha: (0, 0),
            "other one": lambda w, b, xs, ys, alpha: (step(w, b, xs, ys, alpha)[0], b),
        },
    ),
    "two-layer-net/1": (
        lambda a, y: 2 * (a - y) * a * (1 - a),
        {
            "log loss": lambda a, y: a - y,
            "slope": lambda a, y: 2 * (a - y),
            "sign": lambda a, y: 2 * (y - a) * a * (1 - a),
            "factor 2": lambda a, y: (a - y) * a * (1 - a),
            "Multiply": lambda a, y: 0.0,
        },
    ),
    "two-layer-net/4": (
        lambda dz2, a1, W2: (dz2 @ a1.T, W2.T @ dz2),
        {
            "dW2 has the shape": lambda dz2, a1, W2: (a1 @ dz2, W2.T @ dz2),
            "da1 has the shape": lambda dz2, a1, W2: (dz2 @ a1.T, dz2 @ W2),
            "other numbers": lambda dz2, a1, W2: (-dz2 @ a1.T, W2.T @ dz2),
            "2 numbers": lambda dz2, a1, W2: None,
        },
    ),
    "a-gpt-in-scalars/1": (
        stable,
        {
            "fails": lambda zs: [math.exp(z) / sum(map(math.exp, zs)) for z in zs],
            "add up": lambda zs: [math.exp(z - max(zs)) for z in zs],
            "(2, 1, 0) are wrong": lambda zs: [1 / len(zs) for _ in zs],
            "(1000.0, 0.0) are wrong": lambda zs: stable([min(z, 5.0) for z in zs]),
        },
    ),
    "a-gpt-in-scalars/3": (
        ("mar", "amr"),
        {
            "pair": "mar",
            "different": ("mar", "mar"),
            "last letter": ("mar", "mra"),
            "same letters": ("mar", "mir"),
        },
    ),
    "build-the-engine/add": (
        Engine,
        {
            "number": engine(__add__=lambda a, b: a.made(a.data - b.data, (a, b), (1.0, 1.0))),
            "local derivatives": engine(__add__=lambda a, b: a.made(a.data + b.data, (a, b), (b.data, a.data))),
            "parents": engine(__add__=lambda a, b: a.made(a.data + b.data, (a,), (1.0,))),
            "one local derivative": engine(__add__=lambda a, b: a.made(a.data + b.data, (a, b), (1.0,))),
            "new Value": engine(__add__=lambda a, b: a.data + b.data),
        },
    ),
    "build-the-engine/multiply": (
        Engine,
        {
            "swapped": engine(__mul__=lambda a, b: a.made(a.data * b.data, (a, b), (a.data, b.data))),
            "local derivatives": engine(__mul__=lambda a, b: a.made(a.data * b.data, (a, b), (1.0, 1.0))),
        },
    ),
    "build-the-engine/topological-order": (
        Engine,
        {
            "wrong way": engine(order=lambda self: Engine.order(self)[::-1]),
            "twice": engine(order=lambda self: [*Engine.order(self), self]),
            "4 nodes": engine(order=lambda self: [self]),
            "a list": engine(order=lambda self: None),
            "before one": engine(order=lambda self: [Engine.order(self)[k] for k in (0, 2, 1, 3)]),
        },
    ),
    "build-the-engine/backward": (
        Engine,
        {
            "+=": engine(backward=overwriting),
            "before it had all": engine(backward=hasty),
            "itself is 1": engine(backward=lambda self: None),
            "leaf": engine(backward=lambda self: setattr(self, "grad", 1.0)),
        },
    ),
    "build-the-engine/tanh": (
        Engine,
        {
            "number": engine(tanh=lambda self: self.made(math.sinh(self.data), (self,), (1.0,))),
            "local derivatives": engine(tanh=lambda self: self.made(math.tanh(self.data), (self,), (1.0,))),
        },
    ),
    "build-the-engine/neuron": (
        lambda w, b, x: weighted(w, b, x).tanh(),
        {
            "tanh is": weighted,
            "bias": lambda w, b, x: (w[0] * x[0] + w[1] * x[1]).tanh(),
            "begins with": lambda w, b, x: (sum(wi * xi for wi, xi in zip(w, x, strict=True)) + b).tanh(),
            "first product": lambda w, b, x: (w[0] * x[0] + b).tanh(),
            "a Value": lambda w, b, x: 0.5,
            "number is wrong": lambda w, b, x: b.tanh(),
        },
    ),
    "build-the-engine/1": (
        Engine,
        {
            "swapped": engine(__sub__=lambda a, b: a.made(a.data - b.data, (a, b), (-1.0, 1.0))),
            "local derivatives": engine(__sub__=lambda a, b: a.made(a.data - b.data, (a, b), (1.0, 1.0))),
        },
    ),
    "build-the-engine/2": (
        Engine,
        {
            "number": engine(__pow__=lambda a, n: a.made(a.data * n, (a,), (n,))),
            "local derivatives": engine(__pow__=lambda a, n: a.made(a.data**n, (a,), (n * a.data,))),
        },
    ),
    "build-the-engine/3": (
        Engine,
        {
            "calls itself": engine(order=recursive),
            "wrong way": engine(order=lambda self: Engine.order(self)[::-1]),
        },
    ),
}


def test_each_task_has_answers_here() -> None:
    assert TASKS.keys() == {name for name, x in EXERCISES.items() if isinstance(x, Task)}
    assert min(len(wrong) for _, wrong in TASKS.values()) >= 2


@pytest.mark.parametrize("name", TASKS)
def test_a_task(name: str) -> None:
    right, wrong = TASKS[name]
    assert check(name, right).right is True, check(name, right)
    for word, answer in wrong.items():
        verdict = check(name, answer)
        assert verdict.right is False, word
        assert word in str(verdict)


OWN = {
    "add": "return Value(other.data + self.data, (self, other), (1, 1))",
    "multiply": "return Value(other.data * self.data, (self, other), (other.data, self.data))",
    "order": "return list(reversed(sort(self)))",
    "backward": "walk(self)",
    "tanh": "return Value(math.tanh(self.data), (self,), (1 - math.tanh(self.data) ** 2,))",
    "neuron": "return sum((v * u for v, u in zip(w, x)), b).tanh()",
}
HELPERS = """
def sort(node):
    found, users = [], {id(node): 0}
    waiting = [node]
    for each in waiting:
        for parent in each.parents:
            if id(parent) not in users:
                waiting.append(parent)
            users[id(parent)] = users.get(id(parent), 0) + 1
    ready = [node]
    while ready:
        found.append(ready.pop())
        for parent in found[-1].parents:
            users[id(parent)] -= 1
            if not users[id(parent)]:
                ready.append(parent)
    return found


def walk(node):
    node.grad = 1.0
    for each in sort(node):
        for parent, local in zip(each.parents, each.local):
            parent.grad += each.grad * local
"""


WRONG: dict[str, dict[str, str]] = {
    "right": {},
    "a wrong product": {"multiply": "return Value(other.data * self.data, (self, other), (self.data, other.data))"},
    "an error": {"order": "return order_of(self)"},
    "no sum": {"backward": "self.grad = 1.0", "neuron": "return b.tanh()"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_run_all_keeps_the_code_of_a_learner(wrong: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """All cells of lesson 05 run with a learner's functions. Solutions replace only those that do not pass."""
    answers = OWN | wrong
    shell: Any = InteractiveShell()  # type: ignore[no-untyped-call]  # IPython's
    shell.run_cell(HELPERS).raise_error()
    for cell, source in sources(NOTEBOOKS[4]):
        task = re.match(r"def (\w+)\(.*\n    return \.\.\.", source)
        answer = answers.get(task[1]) if task else None
        if cell["cell_type"] == "code":
            shell.run_cell(re.sub(r"return \.\.\..*", answer, source, count=1) if answer else source).raise_error()
    printed = capsys.readouterr().out
    assert printed.count("goes on with your code.") == len(OWN) - len(wrong)
    assert printed.count("goes on with the folded solution.") == len(wrong)
    assert "200 of 200 random graphs agree" in printed


def test_the_field_tells_the_verdicts_of_python(browser: Any, tmp_path: Path) -> None:
    asked = {name: question for name, question in QUESTIONS.items() if question.fits_a_field}
    path = tmp_path / "fields.html"
    path.write_text("\n".join(check(name, ...)._repr_html_() for name in asked), "utf-8")  # type: ignore[union-attr]
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())

    typed = """(form, answers) => answers.map(answer => {
        const field = form.querySelector('input'), buttons = [...form.querySelectorAll('button')];
        if (field) field.value = answer;
        form.requestSubmit(field ? buttons[0] : buttons.find(button => button.value === answer));
        return form.querySelector('output').textContent;
    })"""
    forms = page.locator("form")
    for i, question in enumerate(asked.values()):
        answers = [question.answer, *question.wrong, *(question.choices or (1e9, -17, 0.3))]
        told = forms.nth(i).evaluate(typed, [str(answer) for answer in answers])
        assert told == [question.verdict(answer).text for answer in answers]
    dz = forms.nth(list(asked).index("one-neuron/1"))
    assert dz.evaluate(typed, ["\u22120,5", " -1/2 "]) == ["Right."] * 2
    assert set(dz.evaluate(typed, ["", "a - y", "1/x", "0.5 0"])) == {"Type a number, such as -6, 0.25 or 1/4."}
    dz.locator("input").fill("-0.5")
    dz.locator("input").press("Enter")
    assert dz.locator("output").text_content() == "Right."
    page.close()
    assert complaints == []
