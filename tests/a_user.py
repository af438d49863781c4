"""A program of a user, with the types that checkers must find: `tests/test_types.py` checks and runs it."""

from __future__ import annotations

import math
from typing import assert_type

import autograd_mini as ag
from autograd_mini import Value, nn

a, b = Value(2.0, "a"), Value(3, "b")
assert_type(a.tanh(), Value)
assert_type(abs(a) + a.hypot(b) + a.leaky_relu(), Value)
assert_type(ag.tanh(a), Value)
assert_type(ag.tanh(0.5), float)
assert_type(ag.hypot(3, a), Value)
assert_type(ag.hypot(3, 4), float)
assert_type(ag.leaky_relu(-1.0), float)
assert_type(ag.where(a > b, a, 0.0), Value)
assert_type(ag.sum([a, b]), Value)
assert_type(ag.sum([1.0, 2.0]), float)
assert_type(ag.dot([a, b], [1.0, 2.0], 3), Value)
assert_type(ag.dot([1.0], [2.0]), float)
assert_type(ag.softmax([a, b]), list[Value])
assert_type(ag.logsumexp([0.0, 1.0]), float)
assert_type(ag.take([a, b], 1), Value)
assert_type(ag.take([1.0, 2.0, 3.0], a), Value)
assert_type(ag.cond(a > b, lambda: 1.0, lambda: 2.0), float)
assert_type(ag.mean([a, b]), Value)
assert_type(ag.var([1.0, 2.0], ddof=1), float)
assert_type(ag.norm([a, b]) + ag.amax([a, b]) + ag.prod([a, b]) + ag.std([a, b]), Value)
assert_type(ag.clip(a, 0, hi=b), Value)
assert_type(ag.clip(0.5, 0, 1), float)
assert_type(ag.divmod(7, a), tuple[Value, Value])
assert_type(divmod(a, b), tuple[Value, Value])
assert_type(round(a) + math.floor(a) + math.ceil(a) + math.trunc(a) + a % 2 + 7 // b, Value)
assert_type(a.edges, tuple[tuple[Value, float], ...])
J = (3 * (a + b * 2)).log()
J.backward()
slope: float = a.grad + b.grad
last, states = ag.scan(lambda c, x: (c * x + a, c), b, [1.0, 2.0])
J = ag.fori(3, lambda i, c: c * last + i, states[0])
assert_type(ag.gradient(J, [a, b]), list[Value])


def f(x: Value, y: Value) -> Value:
    return x * y + ag.sin(x)


def g(x: float, times: int = 2) -> float:
    return x**times


def loss(w: dict[str, ag.Number]) -> ag.Number:
    return w["a"] * w["b"]


def polynomial(x: ag.Number, k: int = 2) -> ag.Number:
    return x * k


def total(xs: list[Value]) -> Value:
    return ag.sum(xs)


def with_aux(x: Value, k: float = 2.0) -> tuple[Value, str]:
    return x * k, "aux"


class Line:
    def __init__(self) -> None:
        self.w = Value(2.0, "w")

    def at(self, x: Value) -> Value:
        return self.w * x

    @ag.compile
    def fast(self, x: Value) -> Value:
        return self.w * x


assert_type(ag.grad(f)(2.0, 3.0), float)
assert_type(ag.grad(f)(a, b), Value)
assert_type(ag.grad(f)(2.0, b), Value)
assert_type(ag.grad(g)(2.0, times=3), float)
assert_type(ag.grad(polynomial)(2.0, k=3), float)
assert_type(ag.grad(ag.grad(g))(2.0), float)
assert_type(ag.grad(ag.tanh)(0.5), float)
assert_type(ag.grad(total)([a, b]), list[Value])
assert_type(ag.value_and_grad(f)(2.0, 3.0), tuple[float, float])
assert_type(ag.value_and_grad(polynomial)(a), tuple[Value, Value])
assert_type(ag.compile(f)(2.0, 3.0), float)
assert_type(ag.compile(g)(2.0, times=3), float)
assert_type(ag.compile(polynomial)(x=2.0, k=3), float)
assert_type(ag.derivative(ag.exp, order=3)(0.0), float)
ag.grad(loss)({"a": 3.0, "b": a})["a"]
ag.grad(lambda w: w["a"] * w["b"])({"a": 3.0, "b": 2.0})["a"]
ag.grad(lambda x, y: x * y, argnums=(0, 1))(2.0, 3.0)
ag.grad(lambda x: (x * x, x), has_aux=True)(2.0)
ag.grad(with_aux, has_aux=True)(2.0, k=3.0)
(value, aux), slope = ag.value_and_grad(with_aux, has_aux=True)(2.0)
value, (dx, dy) = ag.value_and_grad(f, argnums=(0, 1))(2.0, 3.0)
assert_type(ag.grad(Line().at)(2.0), float)
assert_type(ag.compile(Line().at)(2.0), float)
Line().fast(2.0)
ag.compile(f).vmap((0, None))([1.0, 2.0], 3.0)
ag.compile(f).hessian(2.0, 3.0)
ag.compile(lambda x, y: x * y)(2.0, 3.0)
ag.compile(f).value_and_grad(2.0, 3.0)
ag.compile(J, inputs=[a, b])([1.0, 2.0])
ag.jacobian(lambda x: [x[0], x[1]])([1.0, 2.0])
ag.hessian(total)([a, b])
ag.compile(total).hessian([1.0, 2.0], sparse=True)
ag.compile(ag.hessian(total, sparse=True))([1.0, 2.0])
net = nn.MLP(2, [4, 1], "tanh", "sigmoid", rng=0)
cost: Value = (net([1.0, 2.0]) - 1.0) ** 2
cost.backward()
first: Value = nn.MLP(2, [2])([0.0, 1.0])[0]
ag.compile(ag.grad(f))(2.0, 3.0)
ag.compile(ag.value_and_grad(polynomial))(2.0)
