"""Scalars that remember how they were computed, and the chain rule on them.

>>> import autograd_mini as ag
>>> a, b, c = ag.Value(5, "a"), ag.Value(3, "b"), ag.Value(2, "c")
>>> J = 3 * (a + b * c)
>>> J.backward()
>>> a.grad, b.grad, c.grad
(3.0, 6.0, 9.0)

The names by subject; each has its own `help`:

    record         Value, the node: operators, `v.tanh()` and functions such as `tanh(v)` make graphs of nodes
                   dot, sum, softmax, logsumexp, log_softmax, take: for several numbers; custom_rule: an op of your own
                   expression: a graph from text; label_all: names from your variables; no_grad: numbers alone
    differentiate  v.backward(): leaves the derivatives in `.grad`; gradient: returns them as a graph
                   grad, value_and_grad, derivative, taylor, jacobian, hessian, jvp, vjp, hvp: of functions
                   sparsity: which derivatives can be nonzero; work, eliminate: the order of the chain rule
    explain        explain: the chain rule written out; paths: one term for each path; mistakes: common wrong passes
    draw           draw: the picture, in a notebook or a file
    explore        explore: a page to step through a graph or a net; quiz: a page that asks
    check          check_grads, audit: comparison with finite differences; blame, detect_anomaly: the cause of a nan
    compile        compile: a function as a vector program; trace: its equations
    nets           nn: neurons, layers, losses, optimizers, fit

`Number` is a Value or a float: the type of the arguments and results of functions that you differentiate or compile.
`OPS` is the table of ops. Exceptions and results have names, too, such as `TraceWarning` and `Explanation`.

`help` lists all names below in alphabetical order, classes first. `help(ag.grad)` explains one name.
"""

from __future__ import annotations

import sys as _sys
from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from . import uncompiled as _uncompiled

_uncompiled.take(
    __name__,
    "recorder",
    "op",
    "ops",
    "settings",
    "methods",
    "node",
    "walks",
    "evaluation",
    "sweeps",
    "pickles",
    "value",
    "sums",
    "numbering",
    "edges",
    "edge_pushing",
    "accumulation",
)

from .check import GradientError as GradientError, audit as audit, check_grads as check_grads
from .derivation import Explanation as Explanation, explain as explain
from .diagnosis import (
    AnomalyError as AnomalyError,
    Blame as Blame,
    blame as blame,
    detect_anomaly as detect_anomaly,
)
from .folding import unfold as unfold
from .formulas import ExpressionError as ExpressionError, expression as expression, label_all as label_all
from .functions import (
    amax as amax,
    amin as amin,
    clip as clip,
    cond as cond,
    divmod as divmod,
    log_softmax as log_softmax,
    logsumexp as logsumexp,
    mean as mean,
    norm as norm,
    prod as prod,
    softmax as softmax,
    std as std,
    take as take,
    var as var,
)
from .ops import (
    OPS as OPS,
    Op as Op,
    abs as abs,
    acos as acos,
    acosh as acosh,
    add as add,
    asin as asin,
    asinh as asinh,
    atan as atan,
    atan2 as atan2,
    atanh as atanh,
    betaln as betaln,
    cbrt as cbrt,
    ceil as ceil,
    cos as cos,
    cosh as cosh,
    custom_rule as custom_rule,
    degrees as degrees,
    digamma as digamma,
    div as div,
    equal as equal,
    erf as erf,
    erfc as erfc,
    erfinv as erfinv,
    excess as excess,
    exp as exp,
    exp2 as exp2,
    expm1 as expm1,
    floor as floor,
    floordiv as floordiv,
    gamma as gamma,
    gelu as gelu,
    greater as greater,
    greater_equal as greater_equal,
    hypot as hypot,
    identity as identity,
    leaky_relu as leaky_relu,
    lgamma as lgamma,
    log as log,
    log1p as log1p,
    log2 as log2,
    log10 as log10,
    log_sigmoid as log_sigmoid,
    logaddexp as logaddexp,
    logit as logit,
    maximum as maximum,
    minimum as minimum,
    mod as mod,
    mul as mul,
    neg as neg,
    polygamma as polygamma,
    polygamma_gap as polygamma_gap,
    pow as pow,
    powlog as powlog,
    radians as radians,
    relu as relu,
    root as root,
    round as round,
    sigmoid as sigmoid,
    sign as sign,
    silu as silu,
    sin as sin,
    sinc as sinc,
    sinc_derivative as sinc_derivative,
    sinh as sinh,
    softplus as softplus,
    sqrt as sqrt,
    stop_gradient as stop_gradient,
    sub as sub,
    tan as tan,
    tanh as tanh,
    trunc as trunc,
    where as where,
    xlogy as xlogy,
)
from .routes import Path as Path, Paths as Paths, paths as paths
from .settings import no_grad as no_grad
from .sparse import Pattern as Pattern, SparseMatrix as SparseMatrix
from .sparsity import sparsity as sparsity, sparsity_graph as sparsity_graph
from .structure import register_container as register_container
from .sums import (
    dot as dot,
    sum as sum,
)
from .tracer import TraceWarning as TraceWarning
from .traces import (
    BranchError as BranchError,
    BranchWarning as BranchWarning,
    Trace as Trace,
    trace as trace,
    trace_graph as trace_graph,
)
from .transform import (
    derivative as derivative,
    grad as grad,
    gradient as gradient,
    hessian as hessian,
    hvp as hvp,
    jacobian as jacobian,
    jvp as jvp,
    linearize as linearize,
    taylor as taylor,
    value_and_grad as value_and_grad,
    vjp as vjp,
)
from .value import (
    Number as Number,
    StaleGraphError as StaleGraphError,
    Value as Value,
    compiled as compiled,
    show_with as _show_with,
)
from .walks import topological_order as topological_order
from .wrong_passes import Mistake as Mistake, Mistakes as Mistakes, mistakes as mistakes

if TYPE_CHECKING:
    from . import nn as nn
    from .elimination import Elimination as Elimination, Work as Work, eliminate as eliminate, work as work
    from .pages.explorer import explore as explore, quiz as quiz
    from .pages.page import Explorer as Explorer
    from .pictures.drawing import Drawing as Drawing, draw as draw
    from .pictures.render import render_with as render_with
    from .program import compile as compile
    from .scans import fori as fori, scan as scan

    __version__: str

# `x as x` is how a typed package exports. A star import must not replace builtins.
__all__ = [  # noqa: PLE0604  # the rows are named by the table, once
    "OPS",
    "AnomalyError",
    "Blame",
    "BranchError",
    "BranchWarning",
    "Drawing",
    "Elimination",
    "Explanation",
    "Explorer",
    "ExpressionError",
    "GradientError",
    "Mistake",
    "Mistakes",
    "Number",
    "Op",
    "Path",
    "Paths",
    "Pattern",
    "SparseMatrix",
    "StaleGraphError",
    "Trace",
    "TraceWarning",
    "Value",
    "Work",
    "amax",
    "amin",
    "audit",
    "blame",
    "check_grads",
    "clip",
    "cond",
    "compiled",
    "custom_rule",
    "derivative",
    "detect_anomaly",
    "dot",
    "draw",
    "eliminate",
    "explain",
    "explore",
    "expression",
    "fori",
    "grad",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "label_all",
    "linearize",
    "log_softmax",
    "logsumexp",
    "mean",
    "mistakes",
    "nn",
    "no_grad",
    "norm",
    "paths",
    "prod",
    "quiz",
    "register_container",
    "render_with",
    "scan",
    "softmax",
    "sparsity",
    "sparsity_graph",
    "std",
    "taylor",
    "topological_order",
    "trace",
    "trace_graph",
    "unfold",
    "value_and_grad",
    "var",
    "vjp",
    "work",
    *(name for name in OPS if name not in ("abs", "pow", "round")),
]

# Few programs use these modules, so they are imported when they are used. So are Graphviz, NumPy and nn.
_LATER = {
    "Drawing": "pictures.drawing",
    "Elimination": "elimination",
    "Explorer": "pages.page",
    "Work": "elimination",
    "compile": "program",
    "draw": "pictures.drawing",
    "eliminate": "elimination",
    "fori": "scans",
    "render_with": "pictures.render",
    "explore": "pages.explorer",
    "quiz": "pages.explorer",
    "scan": "scans",
    "work": "elimination",
}


if not TYPE_CHECKING:  # type checkers report a misspelt name as an error

    def __getattr__(name: str) -> Any:
        if name in _LATER:
            try:
                return getattr(_import_module(f".{_LATER[name]}", __name__), name)
            except ModuleNotFoundError as error:
                if error.name != "numpy":
                    raise
                raise ImportError(f'ag.{name} needs NumPy: pip install ".[fast]"', name="numpy") from error
        if name == "nn":
            return _import_module(".nn", __name__)
        if name == "__version__":
            from importlib.metadata import PackageNotFoundError, version

            try:
                return version(__name__)
            except PackageNotFoundError:
                raise AttributeError(f"no version: {__name__} is not installed; type pip install -e .") from None
        from .hints import PACKAGE, missing

        raise missing(_sys.modules[__name__], name, PACKAGE)


def __dir__() -> list[str]:
    from importlib.util import find_spec

    with_numpy = ["compile"] if find_spec("numpy") else []  # `help` asks for every name that is here
    return sorted({*__all__, *OPS, "__version__", "sum", "take", *with_numpy})


def _show(value: Value, text: dict[str, str]) -> dict[str, Any] | tuple[Any, Any]:
    """Show a Value in Jupyter as its picture, or as text if there is no renderer."""
    from .pictures.drawing import draw

    try:
        picture, metadata = draw(value)._repr_mimebundle_()
    except ImportError:
        return text
    return picture | text, metadata


_show_with(_show)
