"""Checks of the functions and classes that the exercises ask for. Each returns the fault of an answer, or None."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .question import UNANSWERED, number


def sigmoid(z: float) -> float:
    """Return 1 / (1 + exp(-z))."""
    return 1 / (1 + math.exp(-z))


def near(x: Any, y: float, tolerance: float = 1e-6) -> bool:
    """Return whether a number, which may be a Value, is close to another."""
    return math.isclose(number(x), y, rel_tol=tolerance, abs_tol=tolerance)


def numbers(given: Any, n: int) -> str | None:
    """Return the fault of an answer that should be n numbers."""
    if given is ...:
        return UNANSWERED
    if not hasattr(given, "__len__"):
        return f"Return {n} numbers, not {given!r}."
    return None if len(given) == n else f"Return {n} numbers, not {len(given)}."


def slope(f: Callable[..., Any]) -> str | None:
    """Check a finite difference."""
    found = f(lambda x: x * x, 3.0)
    if found is ...:
        return UNANSWERED
    if found is None:
        return "Your function returns None: is there a return?"
    if near(found, 6e-6, 1e-8):
        return "Your function returns the growth of f. Divide it by the growth of x."
    if near(found, -6, 1e-3):
        return "The size is right, the sign is not: take f after the nudge minus f before it."
    if near(found, 9, 1e-3):
        return "This is the value of f. Take the difference of two values."
    if not near(found, 6, 1e-3):
        return "For f(x) = x² at x = 3, your result is far from the derivative 2x."
    if not near(f(math.exp, 1.0), math.e, 1e-3):
        return "It works for x² at x = 3, but not for exp at x = 1. Does it use f and x?"
    return None


def gradient_of_a_neuron(f: Callable[..., Any]) -> str | None:
    """Check dw1, dw2 and db of the log loss of a neuron."""
    for w1, w2, b, x1, x2, y in ((1.0, 0.5, -3.5, 1.0, 5.0, 0), (0.3, -0.8, 0.1, 2.0, -1.0, 1)):
        found = f(w1, w2, b, x1, x2, y)
        if fault := numbers(found, 3):
            return fault
        a = sigmoid(w1 * x1 + w2 * x2 + b)
        right = x1 * (a - y), x2 * (a - y), a - y
        if all(map(near, found, right)):
            continue
        if all(near(a, -r) for a, r in zip(found, right, strict=True)):
            return "The sizes are right, the signs are not: the error is a − y."
        if all(near(a, right[2]) for a in found):
            return "Each weight's derivative is the error times the input of this weight."
        if all(near(g, r * a * (1 - a)) for g, r in zip(found, right, strict=True)):
            return "The factor a(1 − a) has already cancelled in dz = a − y."
        wrong = [name for name, g, r in zip(("dw₁", "dw₂", "db"), found, right, strict=True) if not near(g, r)]
        return f"Wrong for at least one example: {', '.join(wrong)}. Compute a first, then the error a − y."
    return None


def step_of_a_neuron(f: Callable[..., Any]) -> str | None:
    """Check a step of gradient descent of a neuron with one input."""
    w, b, xs, ys, alpha = 0.4, -0.2, [1.0, -2.0, 0.5, 3.0], [1, 0, 0, 1], 0.7
    found = f(w, b, xs, ys, alpha)
    if fault := numbers(found, 2):
        return fault
    errors = [sigmoid(w * x + b) - y for x, y in zip(xs, ys, strict=True)]
    dw, db = sum(x * e for x, e in zip(xs, errors, strict=True)) / 4, sum(errors) / 4
    moved = (found[0] - w) / alpha, (found[1] - b) / alpha
    if near(moved[0], -dw) and near(moved[1], -db):
        return None
    if near(moved[0], dw) and near(moved[1], db):
        return "The step goes uphill: subtract the derivatives."
    if near(moved[0], -4 * dw) and near(moved[1], -4 * db):
        return "These are the sums over the examples. The cost is the mean."
    if near(moved[0], -dw * alpha**-1) and near(moved[1], -db * alpha**-1):
        return "Multiply the derivatives by the learning rate."
    if near(found[0], dw) and near(found[1], db):
        return "These are the derivatives. Return the new w and the new b."
    good = [name for name, m, d in (("w", moved[0], dw), ("b", moved[1], db)) if near(m, -d)]
    return f"The new {good[0]} is right, the other one is not." if good else "Neither the new w nor the new b is right."


def squared_error(f: Callable[..., Any]) -> str | None:
    """Check dz of the squared error of a sigmoid neuron."""
    for a, y in ((0.8, 1.0), (0.3, 0.0), (0.0001, 1.0)):
        found = f(a, y)
        if found is ...:
            return UNANSWERED
        right = 2 * (a - y) * a * (1 - a)
        if not near(found, right, 1e-9):
            if near(found, a - y, 1e-9):
                return "This is dz of the log loss."
            if near(found, 2 * (a - y), 1e-9):
                return "This is the derivative with respect to a. The slope of the sigmoid is missing."
            if near(found, -right, 1e-9):
                return "The size is right, the sign is not."
            if near(found, right / 2, 1e-9):
                return "The derivative of a square has a factor 2."
            return f"Wrong at a = {a:g}, y = {y:g}. Multiply dL/da by da/dz."
    return None


def transposes(f: Callable[..., Any]) -> str | None:
    """Check dW2 and W2ᵀdz2, the products with a transpose."""
    try:
        import numpy as np
    except ImportError:
        return 'This check needs NumPy: pip install ".[fast]".'
    dz2, a1, W2 = np.array([[0.5]]), np.array([[0.2], [0.4], [0.6]]), np.array([[1.0, -1.0, 2.0]])
    found = f(dz2, a1, W2)
    if fault := numbers(found, 2):
        return fault
    for name, given, right in (("dW2", found[0], dz2 @ a1.T), ("da1", found[1], W2.T @ dz2)):
        if np.shape(given) != right.shape:
            return f"{name} has the shape {np.shape(given)}. It needs the shape of {name[1:]}."
        if not np.allclose(given, right):
            return f"{name} has the right shape, but other numbers."
    return None


def _applied(kind: type, operation: str, x: float, y: float) -> tuple[Any, Any, Any]:
    """Return two Values of a learner's engine and the result of an operation on them."""
    a, b = kind(x), kind(y)
    return a, b, getattr(a, operation)(b)


def _node(made: Any, parents: Sequence[Any], value: float, local: Sequence[float], sign: str) -> str | None:
    """Return the fault of a node that an operation made."""
    if made is ...:
        return UNANSWERED
    if not hasattr(made, "local"):
        return f"{sign} must be a new Value, not {made!r}."
    if not near(made.data, value):
        return f"The number of {sign} is wrong."
    if len(made.parents) != len(parents) or any(p is not q for p, q in zip(made.parents, parents, strict=True)):
        return f"The parents of {sign} are its operands, in their order."
    if len(made.local) != len(local):
        return f"{sign} needs one local derivative for each parent."
    if all(map(near, made.local, local)):
        return None
    if all(near(a, b) for a, b in zip(made.local, reversed(local), strict=True)):
        return f"The two local derivatives of {sign} are swapped."
    return f"The local derivatives of {sign} are wrong. Nudge each operand: how fast does the result change?"


def add(kind: type) -> str | None:
    """Check the sum of a learner's engine."""
    a, b, made = _applied(kind, "__add__", 2.0, 5.0)
    return _node(made, (a, b), 7.0, (1.0, 1.0), "a + b")


def multiply(kind: type) -> str | None:
    """Check the product of a learner's engine."""
    a, b, made = _applied(kind, "__mul__", 2.0, 5.0)
    return _node(made, (a, b), 10.0, (5.0, 2.0), "a * b")


def subtract(kind: type) -> str | None:
    """Check the difference of a learner's engine."""
    a, b, made = _applied(kind, "__sub__", 2.0, 5.0)
    return _node(made, (a, b), -3.0, (1.0, -1.0), "a - b")


def power(kind: Any) -> str | None:
    """Check the power of a learner's engine."""
    for x, n in ((3.0, 2), (2.0, 3), (4.0, 0.5)):
        a = kind(x)
        if fault := _node(a**n, (a,), x**n, (n * x ** (n - 1),), f"a**{n}"):
            return fault
    return None


def tanh(kind: Any) -> str | None:
    """Check tanh of a learner's engine."""
    a = kind(0.5)
    t = math.tanh(0.5)
    return _node(a.tanh(), (a,), t, (1 - t * t,), "a.tanh()")


def _diamond(kind: Any) -> tuple[Any, Any]:
    """Return a leaf x and 2x + (2x)², a graph with shared nodes, in which a short path meets a long one."""
    x = kind(1.0)
    u = x + x
    return x, u + u * u


def topological_order(kind: Any) -> str | None:
    """Check the topological order of a learner's engine."""
    x, J = _diamond(kind)
    found = J.order()
    if found is ...:
        return UNANSWERED
    if not isinstance(found, list):
        return f"order must return a list, not {found!r}."
    places = {id(node): place for place, node in enumerate(found)}
    if len(places) < len(found):
        return "A node is in the list twice."
    if id(x) not in places or id(J) not in places or len(found) != 4:
        return f"The graph of u = x + x and u + u*u has 4 nodes. Your list has {len(found)}."
    if places[id(x)] > places[id(J)]:
        return "The list is the wrong way round: parents come before the nodes that use them."
    if any(places[id(p)] > places[id(node)] for node in found for p in node.parents):
        return "A node comes before one of its parents."
    return None


def backward(kind: Any) -> str | None:
    """Check the backward pass of a learner's engine."""
    y = kind(3.0)
    J = y * y + y
    if J.backward() is ...:
        return UNANSWERED
    if near(J.grad, 0):
        return "The derivative of the output with respect to itself is 1. Set it first."
    if near(y.grad, 0):
        return "No derivative reaches the leaf y of y*y + y."
    if not near(y.grad, 7):
        return "Where paths meet, add: use += and not =. The derivative of y*y + y at y = 3 is wrong."
    x, J = _diamond(kind)
    J.backward()
    if near(x.grad, 10):
        return None
    return "A node passed its derivative on before it had all contributions: go through the order from its end."


class _Own:
    """A number that can be added to and multiplied by its own kind only, like the Value that a learner writes."""

    def __init__(self, data: float) -> None:
        self.data = data

    def __add__(self, other: _Own) -> _Own:
        return _Own(self.data + other.data)

    def __mul__(self, other: _Own) -> _Own:
        return _Own(self.data * other.data)

    def tanh(self) -> _Own:
        return _Own(math.tanh(self.data))


def neuron(f: Callable[..., Any]) -> str | None:
    """Check a tanh neuron on numbers that have nothing but +, · and tanh."""
    w, b, x = [_Own(0.5), _Own(-1.0)], _Own(0.2), [_Own(1.0), _Own(2.0)]
    try:
        made = f(w, b, x)
    except TypeError as error:
        if "'int' and" in str(error):
            return "Your engine adds only Values, and Python's sum begins with the plain number 0. Begin with b."
        raise
    if made is ...:
        return UNANSWERED
    if not hasattr(made, "data"):
        return f"Return a Value, not {made!r}."
    for value, hint in (
        (-1.3, "tanh is missing."),
        (math.tanh(-1.5), "The bias is missing."),
        (math.tanh(0.7), "Only the first product is in the sum."),
    ):
        if near(made.data, value):
            return hint
    return None if near(made.data, math.tanh(-1.3)) else "The number is wrong for w = (0.5, −1), b = 0.2, x = (1, 2)."


def deep_order(kind: Any) -> str | None:
    """Check a topological order without recursion."""
    if fault := topological_order(kind):
        return fault
    y = kind(1.0)
    for _ in range(20_000):
        y = y + y
    try:
        found = y.order()
    except RecursionError:
        return "It still calls itself: a chain of 20,000 nodes is too deep."
    return None if len(found) == 20_001 else f"A chain of 20,001 nodes gives a list of {len(found)}."


def softmax(f: Callable[..., Any]) -> str | None:
    """Check a softmax that is safe from overflow."""
    found = f([2.0, 1.0, 0.0])
    if fault := numbers(found, 3):
        return fault
    if not near(sum(map(number, found)), 1):
        return "The probabilities of (2, 1, 0) do not add up to 1."
    total = math.exp(2) + math.exp(1) + 1
    if not all(map(near, found, (math.exp(2) / total, math.exp(1) / total, 1 / total))):
        return "The probabilities of (2, 1, 0) are wrong."
    for logits, right in (([1000.0, 0.0], (1.0, 0.0)), ([-1000.0, -1000.0], (0.5, 0.5))):
        try:
            found = f(logits)
        except (OverflowError, ZeroDivisionError):
            return (
                f"It fails on the logits {tuple(logits)}. The same number added to all logits changes no probability."
            )
        if not all(map(near, found, right)):
            return f"The probabilities of {tuple(logits)} are wrong."
    return None


def beginnings(pair: Any) -> str | None:
    """Check two beginnings that a model without places cannot tell apart."""
    if not (isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(x, str) for x in pair)):
        return 'The answer is a pair of words, such as ("ab", "ba").'
    first, second = pair
    if first == second:
        return "The two beginnings must be different."
    if first[-1:] != second[-1:]:
        return "The last letter is the place that guesses: it makes the query."
    if sorted(first) != sorted(second):
        return "A place sees the letters before it. Both beginnings need the same letters."
    return None
