"""Derivatives as functions, against closed forms, mpmath and differences; nesting in every mix."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from oracles import oracle
from scipy.stats import norm
from strategies import Dag, dags, differentiable, examples, slope, smooth_operands

import autograd_mini as ag
from autograd_mini import OPS, Op, Value
from autograd_mini.structure import flatten


class Point(NamedTuple):
    x: Any
    y: Any


# Structures.


def test_a_gradient_has_the_structure_of_its_argument() -> None:
    def f(p: dict[str, Any], q: Any) -> Any:
        return p["w"][0] * q.x + p["w"][1] * q.y + np.sum(p["A"] @ p["A"])

    A = np.array([[1.0, 2.0], [3.0, 4.0]])
    p, q = {"w": [2.0, 3.0], "A": A}, Point(5.0, 7.0)
    dp, dq = ag.grad(f, argnums=(0, 1))(p, q)
    assert dp["w"] == [5.0, 7.0]
    assert dq == Point(2.0, 3.0)
    assert dp["A"].dtype == float
    np.testing.assert_allclose(dp["A"], np.add.outer(A.sum(axis=1), A.sum(axis=0)).T)
    assert ag.grad(f, argnums=-1)(p, q) == Point(2.0, 3.0)


def test_none_and_nothing_are_structures_too() -> None:
    assert ag.grad(lambda p: p[0] * 2 if p[1] is None else 0.0)([1.0, None]) == [2.0, None]
    assert ag.grad(lambda x: 3.0)([]) == []
    assert ag.grad(lambda x: np.sum(x * x))(np.array([])).shape == (0,)
    assert ag.grad(lambda x: np.sum(x * x))(np.array([[1, 2]])).tolist() == [[2.0, 4.0]]


def test_keys_of_a_dict_may_come_in_any_order() -> None:
    f: Callable[[Any], Any] = lambda p: p["a"] * p["b"]  # noqa: E731
    assert ag.jvp(f, ({"a": 2.0, "b": 3.0},), ({"b": 1.0, "a": 0.0},)) == (6.0, 2.0)
    assert ag.trace(f, {"a": 2.0, "b": 3.0})({"b": 5.0, "a": 4.0}) == 20.0


def test_value_aux_and_keywords() -> None:
    def f(x: Any, scale: float = 1.0) -> Any:
        return x * x * scale, {"twice": x * 2}

    assert ag.value_and_grad(f, has_aux=True)(3.0, scale=10.0) == ((90.0, {"twice": 6.0}), 60.0)
    assert ag.grad(f, has_aux=True)(3.0) == (6.0, {"twice": 6.0})
    assert ag.grad(f, has_aux=True).__name__ == "f"


def test_numbers_in_numbers_out_values_in_values_out() -> None:
    def f(x: Any) -> Any:
        return x**3

    assert ag.grad(f)(np.float32(2)) == 12.0
    x = Value(2.0, "x")
    slope_ = ag.grad(f)(x)
    assert isinstance(slope_, Value)
    slope_.backward()
    assert (slope_.data, x.grad) == (12.0, 12.0)
    assert ag.grad(lambda x: 5.0)(2.0) == 0.0
    assert ag.jacobian(f)(np.array(2.0)) == 12.0


def test_a_derivative_that_is_constant_is_a_value_too() -> None:
    x = Value(2.0, "x")
    results: list[Any] = [
        ag.value_and_grad(lambda x: 5.0)(x),
        ag.value_and_grad(lambda x: 5.0 * x)(x),
        ag.grad(lambda v: v[0] * v[1])([1.0, x]),
        ag.jvp(lambda x: 3.0 * x, (x,), (1.0,)),
        ag.vjp(lambda x: 3.0 * x, x)[1](1.0),
        ag.linearize(lambda x: 3.0 * x, x)[1](1.0),
        ag.hvp(lambda x, y: x * y, (x, 1.0), (1.0, 0.0)),
        ag.jacobian(lambda v: [v[0], v[1] ** 2])([x, x]),
        ag.hessian(lambda v: v[0] + v[1] ** 2)([x, x]),
        ag.taylor(lambda x: 5.0, x, 2),
        ag.derivative(lambda x: 5.0, order=2)(x),
    ]
    leaves, _ = flatten(results)
    assert all(isinstance(z, Value) for z in leaves)
    assert [z.data for z in leaves[:4]] == [5.0, 0.0, 10.0, 5.0]
    inner = ag.grad(lambda x: x * ag.grad(lambda y: 3.0 * y)(x))
    assert inner(2.0) == 3.0
    assert isinstance(inner(2.0), float)


def test_jacobian_shapes_and_modes() -> None:
    def f(x: Any, y: Any) -> Any:
        return {"outer": np.outer(x, y), "first": x[0] * y[0]}

    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0])
    for mode in ("fwd", "rev", None):
        J = ag.jacobian(f, argnums=(0, 1), mode=mode)(x, y)
        assert J["outer"][0].shape == (2, 3, 2)
        np.testing.assert_array_equal(J["outer"][1], np.einsum("i,jk->ijk", x, np.eye(3)))
        np.testing.assert_array_equal(J["first"][0], [3.0, 0.0])
    H = ag.hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 3.0, "b": 2.0})
    assert H == {"a": {"a": 4.0, "b": 6.0}, "b": {"a": 6.0, "b": 0.0}}


def test_vjp_jvp_and_linearize_take_structures() -> None:
    def f(p: list[Any], y: Any) -> Any:
        return [p[0] * y, p[1] + y]

    value, pullback = ag.vjp(f, [2.0, 3.0], 5.0)
    assert value == [10.0, 8.0]
    assert pullback([1.0, 10.0]) == ([5.0, 10.0], 12.0)
    assert ag.jvp(f, ([2.0, 3.0], 5.0), ([1.0, 0.0], 1.0)) == ([10.0, 8.0], [7.0, 1.0])
    _, pushforward = ag.linearize(f, [2.0, 3.0], 5.0)
    assert pushforward([1.0, 0.0], 1.0) == [7.0, 1.0]
    assert pushforward([0.0, 0.0], 0.0) == [0.0, 0.0]


# Nesting.


def forward(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the derivative of f by forward mode."""
    return lambda x: ag.jvp(f, (x,), (1.0,))[1]


def test_perturbations_are_not_confused() -> None:
    one: list[Callable[[Any], Callable[[Any], Any]]] = [ag.grad, ag.derivative, forward, ag.jacobian]
    for outer, inner in itertools.product(one, one):
        d, e = outer, inner
        assert d(lambda x, e=e: x * e(lambda y: x + y)(1.0))(1.0) == 1.0
        assert d(lambda x, e=e: x * e(lambda y: x * y)(x))(3.0) == 6.0
        assert d(lambda x, e=e: x * e(lambda y: x * y * y)(x))(3.0) == 54.0
        assert d(lambda x, e=e: e(lambda y: y * y * y)(x) ** 2)(2.0) == 288.0


@pytest.mark.parametrize("mix", list(itertools.product("fr", repeat=3)), ids="".join)
@given(dag=dags(max_steps=6))
@settings(max_examples=examples(8))
def test_any_mix_of_modes_gives_the_same_third_derivative(mix: tuple[str, ...], dag: Dag) -> None:
    def g(t: Any) -> Any:
        return dag([x + (i + 1) * t for i, x in enumerate(dag.inputs)])

    f: Callable[[Any], Any] = g
    for mode in mix:
        f = ag.grad(f) if mode == "r" else forward(f)
    expected = ag.derivative(g, order=3)(0.1)
    assume(abs(expected) < 1e6)
    assert f(0.1) == pytest.approx(expected, rel=1e-8, abs=1e-6)


@given(dag=dags())
@settings(max_examples=examples(60))
def test_gradients_and_hessians_of_graphs(dag: Dag) -> None:
    f: Callable[..., Any] = lambda *xs: dag(xs)  # noqa: E731  # one expression
    argnums = tuple(range(len(dag.inputs)))
    inputs = dag.values()
    z = dag(inputs)
    z.backward()
    assume(abs(z.data) < 1e3 and all(abs(x.grad) < 1e3 for x in inputs))
    grads = [x.grad for x in inputs]
    assert list(ag.grad(f, argnums)(*dag.inputs)) == pytest.approx(grads, rel=1e-9, abs=1e-9)
    slopes = ag.gradient(z, inputs)
    assert [s.data for s in slopes] == pytest.approx(grads, rel=1e-9, abs=1e-9)
    assert [x.grad for x in inputs] == grads  # never touched
    H = np.array(ag.hessian(f, argnums)(*dag.inputs))
    np.testing.assert_allclose(H, H.T, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(H).max()))
    v = [0.5, -1.0, 2.0, 1.5][: len(argnums)]
    product = np.reshape(ag.hvp(f, dag.inputs, v), -1)
    np.testing.assert_allclose(product, H @ v, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(H).max()))
    numeric = slope(ag.grad(f), dag.inputs, 0, h=5e-4)
    assume(np.abs(H).max() < 1e3)
    assert H[0, 0] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_an_inner_node_may_be_asked_for() -> None:
    b, c = Value(3.0, "b"), Value(2.0, "c")
    u = b * c
    J = u * u + b
    du, db = ag.gradient(J, [u, b])
    assert (du.data, db.data) == (12.0, 25.0)
    assert ag.gradient(J, {"J": J, "w": Value(1.0)})["J"].data == 1.0
    assert str(ag.explain(ag.gradient(u, b), c)) == "df/dc = 1"


# All rows to order 4, by mpmath.

SMOOTH = [
    op
    for op in OPS.values()
    if len(op.rules) < 3 and len(differentiable(op)) == len(op.rules) and op.name != "stop_gradient"
]


@pytest.mark.parametrize("op", SMOOTH, ids=str)
@given(data=st.data())
@settings(max_examples=examples(6), suppress_health_check=list(HealthCheck))
def test_every_row_to_order_4(op: Op, data: st.DataObject) -> None:
    xs = data.draw(smooth_operands(op))

    def along(t: Any, f: Callable[..., Any] = op) -> Any:
        return f(*(x + d * t for x, d in zip(xs, (0.3, 0.7), strict=False)))

    nested: Callable[[Any], Any] = along
    for order in range(1, 5):
        nested = ag.grad(nested)
        with mpmath.workdps(60):
            expected = float(mpmath.diff(lambda t: along(t, oracle(op)), mpmath.mpf(0), order))
        tolerance = pytest.approx(expected, rel=1e-7, abs=1e-7)
        assert ag.derivative(along, order)(0.0) == tolerance
        assert ag.derivative(along, order)(Value(0.0)) == Close(tolerance)
        assert nested(0.0) == tolerance


class Close:
    """Compare a result's number, be it a Value or a float."""

    def __init__(self, tolerance: Any) -> None:
        self.tolerance = tolerance

    def __eq__(self, x: object) -> bool:
        return bool((x.data if isinstance(x, Value) else x) == self.tolerance)

    __hash__ = None  # type: ignore[assignment]  # nothing to hash


@pytest.mark.parametrize(("name", "x"), [("sqrt", 0.0), ("asin", 1.0), ("acosh", 1.0), ("cbrt", 0.0)])
def test_a_pole_has_no_finite_second_derivative(name: str, x: float) -> None:
    assert ag.grad(OPS[name])(x) == math.inf
    assert not math.isfinite(ag.grad(ag.grad(OPS[name]))(x))
    assert not math.isfinite(ag.grad(ag.grad(ag.grad(OPS[name])))(x))
    assert ag.derivative(OPS[name])(x) == math.inf
    H = np.array(ag.hessian(lambda p: p[0] ** p[1])([-2.0, 3.0]))
    assert H[0, 0] == -12.0
    assert np.isnan([H[0, 1], H[1, 0], H[1, 1]]).all()


def test_where_and_whole_powers_at_zero() -> None:
    f: Callable[[Any], Any] = lambda x: ag.where(x > 1, x**4, x**2)  # noqa: E731
    assert [ag.derivative(f, n)(2.0) for n in range(6)] == [16.0, 32.0, 48.0, 48.0, 24.0, 0.0]
    assert [ag.derivative(lambda x: x**3, n)(0.0) for n in range(5)] == [0.0, 0.0, 0.0, 6.0, 0.0]
    assert ag.grad(ag.grad(ag.grad(lambda x: x**3)))(0.0) == 6.0


def test_high_orders() -> None:
    f = lambda x: ag.exp(ag.sin(x) * ag.tanh(x)) / (1 + x**2.5)  # noqa: E731
    g = lambda x: mpmath.exp(mpmath.sin(x) * mpmath.tanh(x)) / (1 + x**2.5)  # noqa: E731
    for order in (10, 20, 30):
        with mpmath.workdps(80):
            expected = float(mpmath.diff(g, mpmath.mpf(0.7), order))
        assert ag.derivative(f, order)(0.7) == pytest.approx(expected, rel=1e-9)
    deep = ag.taylor(lambda x: ag.sin(sum([x] * 2000)), 0.0, 3)
    assert deep[3] == pytest.approx(-(2000.0**3) / 6)


# Cases from outside.


def rosenbrock(x: Any) -> Any:
    return sum(100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(len(x) - 1))


def test_rosenbrock_against_scipy() -> None:
    from scipy.optimize import rosen_der, rosen_hess, rosen_hess_prod

    x = np.linspace(-1.0, 1.5, 7)
    v = np.cos(np.arange(7.0))
    np.testing.assert_allclose(ag.grad(rosenbrock)(x), rosen_der(x), rtol=1e-12)
    np.testing.assert_allclose(ag.hessian(rosenbrock)(x), rosen_hess(x), rtol=1e-12)
    np.testing.assert_allclose(ag.hvp(rosenbrock, (x,), (v,)), rosen_hess_prod(x, v), rtol=1e-12)


def test_himmelblau() -> None:
    def f(x: Any, y: Any) -> Any:
        return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2

    assert ag.grad(f, (0, 1))(3.0, 2.0) == (0.0, 0.0)
    x, y = 1.5, -0.5
    assert ag.grad(f, (0, 1))(x, y) == pytest.approx(
        (4 * x * (x**2 + y - 11) + 2 * (x + y**2 - 7), 2 * (x**2 + y - 11) + 4 * y * (x + y**2 - 7))
    )
    (fxx, fxy), (fyx, fyy) = ag.hessian(f, (0, 1))(x, y)
    assert (fxx, fxy, fyx, fyy) == pytest.approx(
        (12 * x**2 + 4 * y - 42, 4 * x + 4 * y, 4 * x + 4 * y, 4 * x + 12 * y**2 - 26)
    )


def test_newton_converges_quadratically_on_rosenbrock() -> None:
    x = np.array([-1.2, 1.0])
    sizes = []
    for _ in range(7):
        gradient = ag.grad(rosenbrock)(x)
        sizes.append(float(np.linalg.norm(gradient)))
        x = x - np.linalg.solve(ag.hessian(rosenbrock)(x), gradient)
    np.testing.assert_allclose(x, [1.0, 1.0], atol=1e-12)
    assert sizes[5] < 1e-4 * sizes[3] or sizes[6] < 1e-9


def black_scholes(S: Any, K: Any, T: Any, r: Any, sigma: Any) -> Any:
    def Phi(x: Any) -> Any:
        return 0.5 * ag.erfc(-x / math.sqrt(2))

    d1 = (ag.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * ag.sqrt(T))
    d2 = d1 - sigma * ag.sqrt(T)
    return S * Phi(d1) - K * ag.exp(-r * T) * Phi(d2)


def test_black_scholes_greeks() -> None:
    S, K, T, r, sigma = args = (100.0, 110.0, 0.75, 0.03, 0.25)
    d1 = (math.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * math.sqrt(T))
    d2 = d1 - sigma * math.sqrt(T)
    price = S * norm.cdf(d1) - K * math.exp(-r * T) * norm.cdf(d2)
    value, (delta, dT, rho, vega) = ag.value_and_grad(black_scholes, (0, 2, 3, 4))(*args)
    gamma = ag.grad(ag.grad(black_scholes))(*args)
    vanna = ag.grad(ag.grad(black_scholes, 4), 0)(*args)
    theta = -S * norm.pdf(d1) * sigma / (2 * math.sqrt(T)) - r * K * math.exp(-r * T) * norm.cdf(d2)
    assert value == pytest.approx(price, rel=1e-12)
    assert delta == pytest.approx(norm.cdf(d1), rel=1e-12)
    assert gamma == pytest.approx(norm.pdf(d1) / (S * sigma * math.sqrt(T)), rel=1e-12)
    assert vega == pytest.approx(S * norm.pdf(d1) * math.sqrt(T), rel=1e-12)
    assert -dT == pytest.approx(theta, rel=1e-12)
    assert rho == pytest.approx(K * T * math.exp(-r * T) * norm.cdf(d2), rel=1e-12)
    assert vanna == pytest.approx(-norm.pdf(d1) * d2 / sigma, rel=1e-11)


def test_a_two_link_arm() -> None:
    def hand(q: Any) -> Any:
        return [2 * ag.cos(q[0]) + ag.cos(q[0] + q[1]), 2 * ag.sin(q[0]) + ag.sin(q[0] + q[1])]

    a, b = 0.3, 1.1
    s, c = math.sin(a + b), math.cos(a + b)
    expected = [[-2 * math.sin(a) - s, -s], [2 * math.cos(a) + c, c]]
    for mode in ("fwd", "rev"):
        np.testing.assert_allclose(ag.jacobian(hand, mode=mode)([a, b]), expected, rtol=1e-14)


def test_through_a_fixed_point_loop() -> None:
    def kepler(M: Any, e: float) -> Any:
        E = M
        for _ in range(60):
            E = M + e * ag.sin(E)
        return E

    M, e = 1.0, 0.3
    E = kepler(M, e)
    assert ag.grad(kepler)(M, e) == pytest.approx(1 / (1 - e * math.cos(E)), rel=1e-12)
    second = -e * math.sin(E) / (1 - e * math.cos(E)) ** 3
    assert ag.grad(ag.grad(kepler))(M, e) == pytest.approx(second, rel=1e-10)


# Stopping, custom rules.


def test_stop_gradient_no_grad_and_detach() -> None:
    one: list[Callable[[Any], Callable[[Any], Any]]] = [ag.grad, ag.derivative, forward]
    for d in one:
        assert d(lambda x: x * ag.stop_gradient(x))(3.0) == 3.0
        assert d(lambda x: x * x.detach())(3.0) == 3.0

        def with_no_grad(x: Any) -> Any:
            with ag.no_grad():
                y = x * x
            return x * y

        assert d(with_no_grad)(3.0) == 9.0
        with ag.no_grad():
            assert d(lambda x: x * x)(3.0) == 6.0
    with ag.no_grad():
        assert ag.grad(lambda x: x * x)(Value(3.0)) == 6.0


@ag.custom_rule(lambda x, z: 3 * x**2, tex="<x>^{3}")
def cube(x: float) -> float:
    """Cube, $x^3$."""
    return x**3


@ag.custom_rule(lambda x, y, w, z: y * w, lambda x, y, w, z: x * w, lambda x, y, w, z: x * y)
def product(x: float, y: float, w: float) -> float:
    return x * y * w


def test_custom_rules_work_in_everything() -> None:
    import copy
    import pickle

    assert cube(2.0) == 8.0
    assert ag.grad(ag.grad(cube))(2.0) == 12.0
    assert ag.derivative(cube, 3)(2.0) == 6.0
    x = Value(2.0, "x")
    y = cube(x)
    assert str(ag.explain(y, x)) == "df/dx = 3 · x**2 = 3 · 2**2 = 12"
    assert ag.draw(y).description == "x = 2, df/dx = ?; f = x³ = 8, df/df = ?"
    assert "x^{3}" in ag.explain(y).latex()
    assert pickle.loads(pickle.dumps(y)).op is cube
    assert copy.deepcopy(y).op is cube
    assert cube.__doc__ == "Cube, $x^3$."
    H = ag.hessian(lambda p: product(*p))([2.0, 3.0, 5.0])
    assert H == [[0.0, 5.0, 3.0], [5.0, 0.0, 2.0], [3.0, 2.0, 0.0]]
    assert str(ag.explain(product(x, 3, 5), x)).endswith("= 15")
    assert "product(·, 3, 5)" in ag.draw(product(x, 3, 5), formulas=False).source
    assert "f = product(x, 3, 5) = 30" in ag.draw(product(x, 3, 5)).description
    ag.check_grads(cube, (2.0,), order=3)
    assert ag.trace(cube, 2.0)(3.0) == 27.0
    scaled = ag.custom_rule(lambda x, k, z: k, lambda x, k, z: x)(lambda x, k=3.0: x * k)
    assert (scaled(2.0), scaled(2.0, 5.0), scaled.parameters) == (6.0, 10.0, ("x", "k"))
    assert str(ag.explain(scaled(x), x)) == "df/dx = 3"
    with pytest.raises(TypeError, match="the rules must be functions"):
        ag.custom_rule(2.0)(lambda x: x)  # type: ignore[arg-type]  # as a user might
    with pytest.raises(TypeError, match=r"lambda: there is no column 'dommain'; the columns are doc, .*, domain, "):
        ag.custom_rule(lambda x, z: 1.0, dommain=())(lambda x: x)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"custom_rule: f\(x, y\) needs one rule for each operand, 1 given"):

        @ag.custom_rule(lambda x, z: 1)
        def f(x: float, y: float) -> float:
            return x


# Errors.


def test_errors_say_what_was_expected_and_what_came() -> None:
    def f(x: Any) -> Any:
        return [x, x]

    with pytest.raises(TypeError, match=r"f: the output must be one number, not \[number, number\]; use jacobian"):
        ag.grad(f)(1.0)
    with pytest.raises(ValueError, match="f: argnums=1, but the call has 1 positional argument"):
        ag.grad(f, argnums=1)(1.0)
    with pytest.raises(ValueError, match=r"argnums=\(0, -2\) names an argument twice"):
        ag.grad(lambda x, y: x * y, argnums=(0, -2))(1.0, 2.0)
    with pytest.raises(TypeError, match=r"argnums must be a whole number or several, not 1\.5"):
        ag.grad(f, argnums=1.5)(1.0)  # type: ignore[call-overload]  # as a user might
    with pytest.raises(TypeError, match=r"^f: the tangents must have the structure \(number,\), not \(\[number\],\)"):
        ag.jvp(f, (1.0,), ([1.0],))
    with pytest.raises(
        TypeError, match=r"vjp of f: the cotangent must have the structure \[number, number\], not number"
    ):
        ag.vjp(f, 1.0)[1](1.0)
    with pytest.raises(TypeError, match="f: an argument: cannot use 'x'"):
        ag.grad(f)("x")
    with pytest.raises(TypeError, match="its result: cannot use 'x'"):
        ag.grad(lambda x: "x")(1.0)
    with pytest.raises(TypeError, match=r"must return \(output, aux\)"):
        ag.grad(lambda x: x, has_aux=True)(1.0)
    with pytest.raises(ValueError, match='mode must be "fwd", "rev" or None'):
        ag.jacobian(f, mode="up")  # type: ignore[arg-type]  # a typing error that a user may make
    with pytest.raises(ValueError, match="the order must be a whole number from 0 on, not -1"):
        ag.derivative(ag.sin, -1)(1.0)
    with pytest.raises(TypeError, match=r"f: the output must be one number, not \[1\.0, 1\.0\]"):
        ag.derivative(f)(1.0)
    with pytest.raises(TypeError, match=r"sin: the argument must be one number, not \[1\.0\]"):
        ag.taylor(ag.sin, [1.0], 2)  # type: ignore[arg-type]  # as a user might
    with pytest.raises(TypeError, match="the output must be one number, not None; return a number"):
        ag.grad(lambda x: None)(1.0)
    with pytest.raises(TypeError, match="gradient: give Values, not 3"):
        ag.gradient(Value(1.0), 3)
    assert ag.grad(lambda x, y: x)(1.0, 2.0) == 1.0
    assert ag.grad(lambda x, y: x, 1)(1.0, 2.0) == 0.0
    with pytest.raises(ValueError, match=r"no output depends on the input \(strict=True\)"):
        ag.grad(lambda x, y: x, 1, strict=True)(1.0, 2.0)
    with pytest.raises(ValueError, match="strict=True"):
        ag.jacobian(lambda x: [1.0], strict=True)(1.0)


def test_an_error_in_the_function_leaves_no_context_behind() -> None:
    with pytest.raises(ZeroDivisionError):
        ag.grad(lambda x: x / 0)(1.0)
    assert isinstance(ag.grad(lambda x: x * x)(1.0), float)


def test_a_rule_that_asks_for_numbers_where_it_is_not_defined() -> None:
    @ag.custom_rule(lambda x, z: 1.0 if x > 1 else math.sqrt(x))
    def clipped(x: float) -> float:
        return x

    x = Value(0.25, "x")
    clipped(x).backward()
    assert x.grad == 0.5
    assert str(ag.explain(clipped(x), x)) == "df/dx = dclipped_dx(x, f) = dclipped_dx(0.25, 0.25) = 0.5"
    assert r"\frac{\partial \operatorname{clipped}}{\partial x}(x, f)" in ag.explain(clipped(x), x).latex()
    assert math.isnan(clipped(ag.Value(-1.0)).partials[0])

    @ag.custom_rule(lambda x, z: 1 / (x - x) if x < 9 else missing(x))
    def spiked(x: float) -> float:
        return x

    assert spiked(ag.Value(1.0)).partials == (math.inf,)
    with pytest.raises(ValueError, match=r"no table: the derivative of spiked\(x=9\.0\) with respect to x"):
        spiked(ag.Value(9.0))


def missing(x: float) -> float:
    raise ValueError("no table")
