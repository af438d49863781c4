r"""Derivatives as functions, to any order.

This module owns `grad`, `vjp`, `jvp`, `jacobian` and similar functions. Each runs the function on fresh leaves,
and then walks over the recorded graph: backward with cotangents, or forward with tangents. For numbers, the walk
multiplies the edges' weights. If a derivative may be differentiated again, the walk runs the rows' rules on the nodes.
Then the result is a graph, and derivatives of every order come from the same rule. No function here changes `.grad`.

If all arguments are numbers, so are the results. If an argument has a Value, the results are Values. Inside another
transformation everything stays a Value, so nested derivatives are right.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import e, factorial, isfinite
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, SupportsFloat, TypeVar, cast, overload

from .accumulation import Order, jacobian_rows
from .arrangement import arranged
from .edge_pushing import second_derivatives
from .given import require_function, require_value
from .node import number_of, primal
from .printing import counted
from .runs import Linear, Run, matched
from .series import Series
from .settings import is_differentiating, is_traced, recording_limits
from .sparse import SparseMatrix, csc_array, mirrored, require_scipy
from .structure import LEAF, Tree, flatten
from .value import Number, Value
from .walks import topological_order
from .wide import Wide

if TYPE_CHECKING:
    from .signatures import Derived, Slope, ValueSlope

Mode = Literal["fwd", "rev"]
P = ParamSpec("P")
X = TypeVar("X")
_ORDERS: dict[Mode | None, Order] = {"fwd": "forward", "rev": "reverse"}
MAX_DERIVATIVES = 100_000_000  # of a dense Jacobian; they take some gigabytes and minutes
MAX_PLAIN = 20  # up to this order, coefficients are floats: their factorials are small
MAX_NESTED = 4  # up to this order, gradients of gradients take no longer than a few runs of the function


@overload
def gradient(output: Value, inputs: Value) -> Value: ...
@overload
def gradient(output: Value, inputs: list[Value]) -> list[Value]: ...
@overload
def gradient(output: Value, inputs: dict[X, Value]) -> dict[X, Value]: ...
@overload
def gradient(output: Value, inputs: Tree) -> Tree: ...
def gradient(output: Value, inputs: Tree) -> Tree:
    r"""Return the derivatives $\partial J / \partial x$ of an existing graph as Values, which are graphs again.

    Args:
        output: J.
        inputs: a node of J's graph, or a structure of nodes. The result has the same structure.

    Raises:
        TypeError: `output` or an input is not a Value.

    >>> x = Value(3.0, "x")
    >>> slope = gradient(x * x * x, x)
    >>> slope.data, gradient(slope, x).data
    (27.0, 18.0)
    """
    leaves, structure = flatten(inputs)
    for x in (output, *leaves):
        require_value("gradient", x, "Values")
    slopes = Linear([output], leaves, graph=True).pull([1.0])
    return structure.rebuild(x if isinstance(x, Value) else Value(x) for x in slopes)


def adjoints(output: Value, seed: float) -> dict[Value, Number]:
    """Return the derivatives that `output.backward(seed)` stores in nodes or adds to leaves, as Values."""
    order = topological_order(output)
    leaves = [x for x in order if x.op is None]
    cotangents = Linear([output], leaves, graph=True).cotangents([seed])
    return {x: cotangents.get(x, 0.0) for x in order}


@overload
def value_and_grad(  # type: ignore[overload-overlap]  # the first line that fits is meant
    f: Callable[P, Tree], argnums: Literal[0] = 0, has_aux: Literal[False] = False, *, strict: bool = False
) -> ValueSlope[P]: ...
@overload
def value_and_grad(
    f: Callable[P, Any], argnums: int | Sequence[int], has_aux: bool = False, *, strict: bool = False
) -> Derived[P]: ...
@overload
def value_and_grad(
    f: Callable[P, Any], argnums: int | Sequence[int] = 0, *, has_aux: bool, strict: bool = False
) -> Derived[P]: ...
def value_and_grad(
    f: Callable[..., Tree], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, strict: bool = False
) -> Callable[..., Tree]:
    r"""Return a function that computes $f(x)$ and $\nabla f(x)$ in one run.

    Args:
        f: a function from numbers, arrays or nested structures to one number.
        argnums: the argument to differentiate with respect to, or several.
        has_aux: whether f returns `(output, aux)`; then the new function returns `((output, aux), gradient)`.
        strict: raise an error if the output does not depend on an input, instead of returning 0.

    Raises:
        TypeError: the output is not one number.
        ValueError: there is no such argument or, with `strict`, an input has no effect.

    >>> value_and_grad(lambda x, y: x * y**2)(3.0, 2.0)
    (12.0, 4.0)
    """
    require_function("value_and_grad", f)

    @functools.wraps(f)
    def wrapped(*args: Tree, **kwargs: Any) -> Tree:
        run = Run(f, args, kwargs, argnums, has_aux)
        run.scalar()
        if strict:
            run.insist_on_dependence()
        slopes = run.structure.rebuild(run.results(run.linear.pull([1.0])))
        return ((run.value(), run.aux) if has_aux else run.value()), slopes

    return wrapped


@overload
def grad(  # type: ignore[overload-overlap]  # the first line that fits is meant
    f: Callable[P, Tree], argnums: Literal[0] = 0, has_aux: Literal[False] = False, *, strict: bool = False
) -> Slope[P]: ...
@overload
def grad(
    f: Callable[P, Tree], argnums: int | Sequence[int], has_aux: bool = False, *, strict: bool = False
) -> Derived[P]: ...
@overload
def grad(
    f: Callable[P, Tree], argnums: int | Sequence[int] = 0, *, has_aux: bool, strict: bool = False
) -> Derived[P]: ...
def grad(
    f: Callable[..., Tree], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, strict: bool = False
) -> Callable[..., Tree]:
    r"""Return the gradient function, $x \mapsto \nabla f(x)$; see `value_and_grad`.

    The gradient has the structure of its argument. With `has_aux` the result is `(gradient, aux)`.

    >>> grad(lambda w: w["a"] * w["b"])({"a": 3.0, "b": 2.0})
    {'a': 2.0, 'b': 3.0}
    >>> grad(grad(grad(lambda x: x**4)))(2.0)
    48.0
    """
    require_function("grad", f)
    both = value_and_grad(f, argnums, has_aux, strict=strict)

    @functools.wraps(f)
    def wrapped(*args: Tree, **kwargs: Any) -> Tree:
        value, slopes = both(*args, **kwargs)
        return (slopes, value[1]) if has_aux else slopes

    return wrapped


@overload
def vjp(
    f: Callable[..., Tree], *primals: Tree, has_aux: Literal[False] = False
) -> tuple[Tree, Callable[[Tree], tuple[Tree, ...]]]: ...
@overload
def vjp(
    f: Callable[..., Tree], *primals: Tree, has_aux: Literal[True]
) -> tuple[Tree, Callable[[Tree], tuple[Tree, ...]], Tree]: ...
def vjp(f: Callable[..., Tree], *primals: Tree, has_aux: bool = False) -> Any:
    r"""Return $f(x)$ and the function $\bar z \mapsto \bar z^T J$, the pullback.

    The pullback takes a cotangent with the output's structure, and returns a tuple of cotangents, one for each primal.
    With `has_aux` f returns `(output, aux)`, and the third result is aux.

    >>> z, pullback = vjp(lambda x, y: x * y, 3.0, 2.0)
    >>> z, pullback(1.0)
    (6.0, (2.0, 3.0))
    """
    require_function("vjp", f)
    run = Run(f, primals, {}, range(len(primals)), has_aux)

    def pullback(cotangent: Tree) -> tuple[Tree, ...]:
        seeds = matched(cotangent, run.out_structure, f"vjp of {run.name}: the cotangent")
        result: tuple[Tree, ...] = run.structure.rebuild(run.results(run.linear.pull(seeds)))
        return result

    return (run.value(), pullback, run.aux) if has_aux else (run.value(), pullback)


@overload
def linearize(
    f: Callable[..., Tree], *primals: Tree, has_aux: Literal[False] = False
) -> tuple[Tree, Callable[..., Tree]]: ...
@overload
def linearize(
    f: Callable[..., Tree], *primals: Tree, has_aux: Literal[True]
) -> tuple[Tree, Callable[..., Tree], Tree]: ...
def linearize(f: Callable[..., Tree], *primals: Tree, has_aux: bool = False) -> Any:
    r"""Return $f(x)$ and the function $\dot x \mapsto J \dot x$, which can be called many times.

    With `has_aux` f returns `(output, aux)`, and the third result is aux.

    >>> z, pushforward = linearize(lambda x, y: x * y, 3.0, 2.0)
    >>> z, pushforward(1.0, 0.0), pushforward(0.0, 1.0)
    (6.0, 2.0, 3.0)
    """
    require_function("linearize", f)
    run = Run(f, primals, {}, range(len(primals)), has_aux)

    def pushforward(*tangents: Tree) -> Tree:
        seeds = matched(tangents, run.structure, f"{run.name}: the tangents")
        return run.out_structure.rebuild(run.results(run.linear.push(seeds)))

    return (run.value(), pushforward, run.aux) if has_aux else (run.value(), pushforward)


@overload
def jvp(
    f: Callable[..., Tree], primals: Sequence[Tree], tangents: Sequence[Tree], has_aux: Literal[False] = False
) -> tuple[Tree, Tree]: ...
@overload
def jvp(
    f: Callable[..., Tree], primals: Sequence[Tree], tangents: Sequence[Tree], has_aux: Literal[True]
) -> tuple[Tree, Tree, Tree]: ...
def jvp(f: Callable[..., Tree], primals: Sequence[Tree], tangents: Sequence[Tree], has_aux: bool = False) -> Any:
    r"""Return $f(x)$ and $J \dot x$, the derivative along the tangents.

    The tangents have the structure of the primals. The tangent for a module has the structure of its `state_dict`. With
    `has_aux` f returns `(output, aux)`, and the third result is aux.

    Raises:
        TypeError: the tangents do not have the structure of the primals.

    >>> jvp(lambda x, y: x * y, (3.0, 2.0), (1.0, 10.0))
    (6.0, 32.0)
    """
    require_function("jvp", f)
    _require_tuples("jvp", primals, tangents)
    run = Run(f, tuple(primals), {}, range(len(primals)), has_aux)
    seeds = matched(tuple(tangents), run.structure, f"{run.name}: the tangents")
    slope = run.out_structure.rebuild(run.results(run.linear.push(seeds)))
    return (run.value(), slope, run.aux) if has_aux else (run.value(), slope)


def jacobian(
    f: Callable[P, Tree],
    argnums: int | Sequence[int] = 0,
    *,
    mode: Mode | None = None,
    strict: bool = False,
    sparse: bool = False,
    has_aux: bool = False,
) -> Derived[P]:
    r"""Return the function that computes all $\partial z_i / \partial x_j$.

    The result has the structure of the output, and each leaf of it has the structure of the argument. The derivatives
    of an array of shape s with respect to an array of shape t are an array of shape s + t.

    Args:
        mode: "fwd" walks once for each input, and "rev" once for each output. The default takes fewer walks.
        sparse: return a `scipy.sparse.csc_array` of shape (number of outputs, number of inputs), both counted from left
            to right through nested structures. An entry exists if edges of the graph lead to it; its value may be 0.
            The graph is walked once, in forward, reverse or Markowitz's order. Without `mode`, the order takes at most
            two multiplications for each edge, or at most twice the multiplications of the best order; `work` counts
            them. If results are Values, the matrix is a `SparseMatrix`.
        has_aux: whether f returns `(output, aux)`; then the new function returns `(jacobian, aux)`.

    Raises:
        ValueError: `mode` is unknown, or there are more than 100,000,000 derivatives without `sparse`.
        ImportError: `sparse`, and SciPy is missing.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] ** 2])([3.0, 2.0])
    [[2.0, 3.0], [6.0, 0.0]]
    >>> J = jacobian(lambda x: [x[0] * x[1], x[0] ** 2], sparse=True)([3.0, 2.0])
    >>> J.nnz, J.toarray().tolist()
    (3, [[2.0, 3.0], [6.0, 0.0]])
    """
    require_function("jacobian", f)
    if mode not in (None, "fwd", "rev"):
        raise ValueError(f'jacobian: mode must be "fwd", "rev" or None, not {mode!r}')
    if sparse:
        require_scipy("jacobian with sparse=True")

    @functools.wraps(f)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Tree:
        run = Run(f, args, kwargs, argnums, has_aux)
        if strict:
            run.insist_on_dependence()
        return run.with_aux(_jacobian(run, mode, sparse), has_aux)

    return cast("Derived[P]", wrapped)


def _jacobian(run: Run, mode: Mode | None, sparse: bool) -> Tree:
    if sparse:
        entries = jacobian_rows(run.outputs, run.inputs, _ORDERS.get(mode), run.graph)
        return SparseMatrix(entries, len(run.inputs)) if run.graph else csc_array(entries, len(run.inputs))
    n, m = len(run.inputs), len(run.outputs)
    if n * m > MAX_DERIVATIVES:
        raise ValueError(
            f"{run.name}: {counted(m, 'output')} and {counted(n, 'input')} have {n * m:,} derivatives, which are too "
            "many for a list: sparse=True keeps those that can be nonzero"
        )
    if (mode or ("fwd" if n < m else "rev")) == "fwd":
        columns = [run.linear.push([float(i == j) for i in range(n)]) for j in range(n)]
        rows = [[column[i] for column in columns] for i in range(m)]
    else:
        rows = [run.linear.pull([float(i == j) for j in range(m)]) for i in range(m)]
    return arranged(run.out_structure, run.structure, [run.results(row) for row in rows])


def hessian(
    f: Callable[P, Tree], argnums: int | Sequence[int] = 0, *, sparse: bool = False, has_aux: bool = False
) -> Derived[P]:
    r"""Return the function that computes all $\partial^2 f / \partial x_i \partial x_j$.

    For several outputs it returns one Hessian for each, in the structure of the output.
    It makes the graph of the gradient once, and walks over it once for each input. With `sparse`, it walks over the
    graph of f once, and pushes second derivatives along its edges (Gower and Mello, 2012).

    Args:
        sparse: return a symmetric `scipy.sparse.csc_array` of shape (n, n), for n numbers counted from left to right
            through nested structures. An entry exists if edges of the graph lead to it; its value may be 0. If results
            are Values, the matrix is a `SparseMatrix`.
        has_aux: whether f returns `(output, aux)`; then the new function returns `(hessian, aux)`.

    Raises:
        TypeError: `sparse`, and the output is not one number.
        ImportError: `sparse`, and SciPy is missing.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 2.0])
    [[4.0, 6.0], [6.0, 0.0]]
    >>> hessian(lambda x: {"square": x**2, "cube": x**3})(2.0)
    {'cube': 12.0, 'square': 2.0}
    >>> H = hessian(lambda x: x[0] ** 2 * x[1], sparse=True)([3.0, 2.0])
    >>> H.nnz, H.toarray().tolist()
    (3, [[4.0, 6.0], [6.0, 0.0]])
    """
    require_function("hessian", f)
    if not sparse:
        return jacobian(jacobian(f, argnums, mode="rev", has_aux=has_aux), argnums, has_aux=has_aux)
    require_scipy("hessian with sparse=True")

    @functools.wraps(f)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Tree:
        run = Run(f, args, kwargs, argnums, has_aux)
        run.scalar()
        lower, n = second_derivatives(run.outputs, run.inputs, run.graph), len(run.inputs)
        found = SparseMatrix(mirrored(lower), n) if run.graph else csc_array(lower, n, symmetric=True)
        return run.with_aux(found, has_aux)

    return cast("Derived[P]", wrapped)


def hvp(f: Callable[..., Tree], primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
    r"""Return the Hessian times a vector, $H v$, without making H: one forward walk over the gradient.

    The result has the structure of the primal. For several primals it is a tuple.

    >>> hvp(lambda x: x[0] ** 2 * x[1], ([3.0, 2.0],), ([1.0, 0.0],))
    [4.0, 6.0]
    """
    require_function("hvp", f)
    _require_tuples("hvp", primals, tangents)
    argnums = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(grad(f, argnums), primals, tangents)[1]


def taylor(f: Callable[[Any], Any], x: SupportsFloat, order: int) -> list[Any]:
    r"""Return the Taylor coefficients $f^{(k)}(x) / k!$ for k from 0 to `order`.

    Each node of the graph is a power series: the cost grows with the square of the order.

    Raises:
        ValueError: `order` is not a whole number from 0 on.
        TypeError: f does not take and return one number.

    >>> from autograd_mini import exp
    >>> taylor(exp, 0.0, 3) == [1.0, 1.0, 1 / 2, 1 / 6]
    True
    """
    _require_order("taylor", f, order)
    if order > MAX_PLAIN and (wide := _wide_taylor(f, x, order)):
        return [float(c) for c in wide]
    if not is_traced():
        with suppress(ArithmeticError, ValueError, TypeError):
            found = _taylor(Run(f, (x,), {}, 0), order)
            if all(isfinite(number_of(c)) for c in found):
                return found
    _require_number(f, "argument", x)
    # If a series divides by 0, the rules may still have limits. If a product of coefficients overflows, the product of
    # slopes may not. Nested gradients use these, but each order costs several times as much as the order before. A
    # trace may later run at such a point.
    coefficients = []
    nested = f
    for k in range(min(order, MAX_NESTED) + 1):
        slope = nested(x)
        _require_number(f, "output", slope)
        coefficients.append(slope / factorial(k))
        nested = grad(nested)
    if order > MAX_NESTED:
        coefficients += _taylor_by_limits(f, x, order)[MAX_NESTED + 1 :]
    return coefficients


def _taylor_by_limits(f: Callable[[Any], Any], x: SupportsFloat, order: int, step: float = 1.0) -> list[Any]:
    with recording_limits():
        coefficients = _taylor(Run(f, (x if isinstance(x, Value) else Value(x),), {}, 0), order, step)
    plain = not isinstance(x, Value) and not is_traced() and not is_differentiating()
    return [primal(c) if plain and isinstance(c, Value) else c for c in coefficients]


def _require_tuples(name: str, *given: object) -> None:
    for x in given:
        if not hasattr(x, "__len__"):
            raise TypeError(f"{name}: give tuples of arguments and tangents, as in ag.{name}(f, (x,), (v,)), not {x!r}")


def _require_order(what: str, f: Callable[[Any], Any], order: object) -> None:
    require_function(what, f)
    if isinstance(order, bool) or not isinstance(order, int) or order < 0:
        name = getattr(f, "__name__", repr(f))
        raise ValueError(f"{what} of {name}: the order must be a whole number from 0 on, not {order!r}")


def _require_number(f: Callable[[Any], Any], what: str, x: object) -> None:
    if not isinstance(x, SupportsFloat):
        raise TypeError(f"{getattr(f, '__name__', repr(f))}: the {what} must be one number, not {x!r}")


def _taylor(run: Run, order: int, step: Number | Wide = 1.0) -> list[Any]:
    r"""Return the coefficients of $f(x + h t)$ in t, for the step h."""
    if run.structure != LEAF:
        raise TypeError(f"taylor of {run.name}: the argument must be a number, not {run.structure}")
    run.scalar()
    (point,), (z,) = run.inputs, run.outputs
    if not isinstance(z, Value):
        return run.results([z] + [0.0] * order)
    series = {point: Series([run.show(point), step])}
    nodes = topological_order(z)
    for node in nodes:
        if node not in run.linear.active:
            series[node] = Series([run.show(node)])
        elif node.op is not None and node is not point:
            operands: list[Series | float] = [series[x] if isinstance(x, Value) else x for x in node.operands]
            made = series[node] = node.op(*operands)
            made[order]  # computed now, in order, because a later computation would recurse
    return run.results([series[z][k] for k in range(order + 1)])


def derivative(f: Callable[[Any], Any], order: int = 1) -> Slope[[Value]]:
    r"""Return the function $x \mapsto f^{(n)}(x)$ of one number, for any n = `order`.

    Raises:
        ValueError: `order` is not a whole number from 0 on.
        TypeError: f does not take and return one number.

    >>> from autograd_mini import sin
    >>> derivative(sin, order=9)(0.0)
    1.0
    """
    _require_order("derivative", f, order)

    @functools.wraps(f)
    def wrapped(x: SupportsFloat) -> Any:
        if order > MAX_PLAIN:
            return _high_derivative(f, x, order)
        return taylor(f, x, order)[order] * float(factorial(order))

    return cast("Slope[[Value]]", wrapped)


def _high_derivative(f: Callable[[Any], Any], x: SupportsFloat, order: int) -> Any:
    r"""Return $n! \, c_n$ for an order n with large $n!$ and small $c_n$."""
    whole = factorial(order)
    if wide := _wide_taylor(f, x, order):
        beyond = max(whole.bit_length() - 1000, 0)
        return float(wide[order] * Wide(float(whole >> beyond), beyond))
    # Values have the range of floats. By Stirling's formula, h^n / n! is close to 1 for the step h = n / e.
    step = round(order / e)
    return _taylor_by_limits(f, x, order, float(step))[order] * (whole / step**order)


def _wide_taylor(f: Callable[[Any], Any], x: SupportsFloat, order: int) -> list[Wide] | None:
    """Return the coefficients as wide numbers, or None if they must be Values or are not finite."""
    if not is_traced():
        with suppress(ArithmeticError, ValueError, TypeError):
            run = Run(f, (x,), {}, 0)
            if not run.graph:
                found = [c if isinstance(c, Wide) else Wide(c) for c in _taylor(run, order, Wide(1.0))]
                return found if all(isfinite(c.m) for c in found) else None
    return None
