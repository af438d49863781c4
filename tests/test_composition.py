"""Transformations of compiled functions, and compiled functions in others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import Value, nn
from autograd_mini.structure import flatten

RUNNERS = ["numpy", "llvm"]


@pytest.mark.parametrize("runner", RUNNERS)
@given(dag=dags(max_steps=12), data=st.data())
@settings(max_examples=examples(25))
def test_transformations_of_a_compiled_function(runner: str, dag: Dag, data: st.DataObject) -> None:
    """Each is that of the function itself; and compiled it is the same to rounding."""
    at = list(dag.inputs)
    along = [data.draw(st.floats(-2, 2).map(lambda x: round(x, 3))) for _ in at]
    f = ag.compile(dag, runner=runner)
    assert ag.grad(f)(at) == ag.grad(dag)(at)
    assert ag.value_and_grad(f)(at) == ag.value_and_grad(dag)(at)
    assert ag.jvp(f, (at,), (along,)) == ag.jvp(dag, (at,), (along,))
    assert ag.hvp(f, (at,), (along,)) == ag.hvp(dag, (at,), (along,))
    assert ag.vjp(f, at)[1](1.0) == ag.vjp(dag, at)[1](1.0)
    expected = ag.hessian(dag)(at)
    assert ag.hessian(f)(at) == expected
    slopes = ag.grad(dag)(at)
    np.testing.assert_allclose(f.hessian(at), expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ag.compile(ag.grad(f), runner=runner)(at), slopes, rtol=1e-8, atol=1e-8)
    value, first, second = f.value_grad_hessian(at)
    assert value == pytest.approx(f(at), rel=1e-10, abs=1e-12)
    np.testing.assert_allclose(first, slopes, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(second, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("runner", RUNNERS)
def test_jacobians(runner: str) -> None:
    def f(p: Any, x: Any) -> Any:
        return {"y": np.tanh(p["W"] @ x), "s": x[0] * x[1]}

    p, x = {"W": np.arange(6.0).reshape(2, 3) / 7.0}, np.array([0.5, -0.25, 1.0])
    compiled = ag.compile(f, runner=runner)
    for argnums in (0, 1, (0, 1)):
        expected, structure = flatten(ag.jacobian(f, argnums)(p, x))
        for found in (ag.jacobian(compiled, argnums)(p, x), compiled.jacobian(p, x, argnums=argnums)):
            got, its = flatten(found)
            assert its == structure
            assert got == pytest.approx(expected, rel=1e-12)
    ag.check_grads(lambda x: compiled(p, x)["s"], (x,), order=2)


def test_a_compiled_function_in_another() -> None:
    inner = ag.compile(lambda x, y: ag.exp(x) * y if x > 0 else x - y)
    outer = ag.compile(lambda x: inner(x, 2.0) + inner(-x, x) ** 2)
    for x in (0.5, -0.7):
        assert outer(x) == pytest.approx(inner(x, 2.0) + inner(-x, x) ** 2, rel=1e-14)
        assert outer.grad(x) == pytest.approx(ag.grad(outer)(x), rel=1e-12)
        assert outer.grad(x) == pytest.approx((outer(x + 1e-6) - outer(x - 1e-6)) / 2e-6, rel=1e-8)


def test_a_compiled_function_of_values_is_a_graph() -> None:
    a, b = Value(5.0, "a"), Value(2.0, "b")
    J = ag.compile(lambda a, b: 3 * (a + b * b))(a, b)
    J.backward()
    assert (J.data, a.grad, b.grad) == (27.0, 3.0, 12.0)
    assert "12" in str(ag.explain(J, b))
    x = Value(2.0, "x")
    of_graph = ag.compile(x * x * x, inputs=[x])
    assert ag.grad(of_graph)([3.0]) == [27.0]
    assert of_graph.hessian([3.0]) == [[18.0]]
    assert of_graph([Value(3.0)]).data == 27.0


def test_modules() -> None:
    net = nn.MLP(2, [3, 1], "tanh", rng=0)
    f = ag.compile(lambda net, x: net(list(x)) ** 2)
    f(net, [Value(0.5), Value(-1.0)]).backward()
    slopes = {name: parameter.grad for name, parameter in net.named_parameters()}
    net.zero_grad()
    (net([0.5, -1.0]) ** 2).backward()
    assert slopes == {name: parameter.grad for name, parameter in net.named_parameters()}
    assert sorted(slopes.values()) == pytest.approx(sorted(flatten(f.grad(net, [0.5, -1.0]))[0]), rel=1e-12)


def test_static_arguments_and_errors() -> None:
    f = ag.compile(lambda x, n: x**n, static_argnums=1)
    assert f(Value(2.0), 3).data == 8.0
    assert ag.grad(f)(2.0, 3) == 12.0
    with pytest.raises(ValueError, match="bind them first"):
        f.hessian(2.0, 3)

    def bad(x: Any) -> Any:
        return ag.compile(lambda y: y * 2).grad(x)  # of a Value: an error of the function, not of its arguments

    with pytest.raises(TypeError, match="differentiate a compiled function"):
        ag.compile(bad)(1.0)
    with pytest.raises(TypeError, match="one number"):
        ag.compile(lambda x: [x, x]).hessian(1.0)
