"""Names that other libraries use, and the names to type here instead.

This module has one table for each place where a user types a name: the package, nn, a Value, a net, and the arguments
of functions. It is imported only when a name is missing. It must not know any other module.
"""

from __future__ import annotations

import ast
import linecache
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, wraps
from itertools import islice
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final, ParamSpec, TypeVar
from weakref import WeakSet

__all__ = [
    "ACTIVATIONS",
    "DRAW",
    "EXPLORE",
    "FIT",
    "LOSSES",
    "OPTIMIZER",
    "closest",
    "keywords",
    "missing",
    "tell_how_to_step",
]

P = ParamSpec("P")
R = TypeVar("R")
Table = Mapping[str, str]

ALIKE: Final = 0.7  # the similarity from which on a name is offered


def _each(names: str, hint: str) -> dict[str, str]:
    """Return the same hint for several names. {} in the hint stands for the name."""
    return {name: hint.format(name) for name in names.split()}


OF_NN = (
    "Adam AdamW LBFGS Layer MLP Module Neuron Optimizer RMSProp SGD Sequential accuracy binary_cross_entropy "
    "binary_cross_entropy_with_logits cost cross_entropy datasets fit hinge initializers log_loss mean_squared_error "
    "plot_decision_boundary plot_history plot_weights predict recover_formulas symmetries two_layer_net"
)

PACKAGE: Table = {
    "ln": "use ag.log, the natural logarithm",
    **_each("max fmax", "use ag.maximum(x, y), or ag.amax(xs), or Python's max(x, y, z)"),
    **_each("min fmin", "use ag.minimum(x, y), or ag.amin(xs), or Python's min(x, y, z)"),
    **_each("argmax argmin", "take Python's max or min of the Values, which compares their numbers"),
    "clamp": "use ag.clip(x, lo, hi)",
    **_each("power float_power", "write x**y, or ag.pow(x, y)"),
    **_each("square pow2", "write x**2"),
    "reciprocal": "write 1/x",
    "rsqrt": "write 1/ag.sqrt(x)",
    "subtract": "write x - y, or ag.sub(x, y)",
    "multiply": "write x * y, or ag.mul(x, y)",
    **_each("divide true_divide", "write x / y, or ag.div(x, y)"),
    **_each("negative", "write -x, or ag.neg(x)"),
    **_each("absolute fabs", "use ag.abs(x)"),
    **{f"arc{name}": f"use ag.a{name}" for name in ("sin", "cos", "tan", "tan2", "sinh", "cosh", "tanh")},
    **_each("logistic expit", "use ag.sigmoid"),
    "swish": "use ag.silu",
    "logsigmoid": "use ag.log_sigmoid",
    "relu6": "write ag.minimum(ag.relu(x), 6)",
    "elu": "write ag.where(ag.greater(x, 0), x, ag.expm1(x))",
    "heaviside": "use ag.greater(x, 0)",
    **_each("gt ge eq", "use ag.greater, ag.greater_equal or ag.equal; x > y compares the numbers"),
    **_each("average", "use ag.mean(xs)"),
    **_each("matmul inner vdot", "use ag.dot(ws, xs); matrices are NumPy arrays of Values, W @ x"),
    **_each("pi e inf nan", "use math.{}"),
    **_each("tensor Tensor Variable Parameter Scalar Var Node", 'use ag.Value(3.0, "x")'),
    **_each("array asarray", "use a list of ag.Value, or a NumPy array of them"),
    "backward": "call it on the output, J.backward()",
    "zero_grad": "call it on the output, J.zero_grad(), or on a net or an optimizer",
    "step": "an optimizer has it: nn.SGD(net, lr=0.1).step()",
    "autograd": "use ag.gradient(J, x), or ag.grad(f)",
    "gradcheck": "use ag.check_grads",
    **_each("value_and_gradient", "use ag.value_and_grad"),
    "jacfwd": 'use ag.jacobian(f, mode="fwd")',
    "jacrev": 'use ag.jacobian(f, mode="rev")',
    "jit": "use ag.compile",
    "fori_loop": "use ag.fori(n, body, carry), which counts from 0",
    **_each("register_pytree_node register_dataclass", "use ag.register_container; dataclasses need no registration"),
    "vmap": "use ag.compile(f).vmap(in_axes)",
    "make_jaxpr": "use ag.trace(f, x)",
    "jet": "use ag.taylor(f, x, order)",
    **_each("custom_jvp custom_vjp Function", "use @ag.custom_rule"),
    **_each("detach", "use x.detach(), or ag.stop_gradient(x)"),
    **_each("inference_mode set_grad_enabled", "write with ag.no_grad():"),
    "enable_grad": "recording is on outside of with ag.no_grad():",
    **_each("draw_dot plot show visualize graph", "use ag.draw(J)"),
    "optim": "optimizers are in nn, such as nn.SGD: from autograd_mini import nn",
    **_each("Linear Dense", "use nn.Layer(n_in, n_out): from autograd_mini import nn"),
    **_each(OF_NN, "it is nn.{}: from autograd_mini import nn"),
}

AS_ACTIVATION = 'an activation is a name, nn.Layer(2, 3, "{0}"), or a part of a net, nn.Sequential(layer, ag.{0})'
ACTIVATION_KINDS = {
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "GELU": "gelu",
    "SiLU": "silu",
    "Softplus": "softplus",
}
FUNCTIONS = "relu leaky_relu sigmoid tanh gelu silu softplus softmax log_softmax"

NN: Table = {
    **_each("Linear Dense", 'use nn.Layer(n_in, n_out, "relu"), or with None for the sum alone'),
    **{kind: AS_ACTIVATION.format(name) for kind, name in ACTIVATION_KINDS.items()},
    **_each(FUNCTIONS, "it is ag.{}: import autograd_mini as ag"),
    **_each(
        "Softmax LogSoftmax", 'give nn.fit loss="cross_entropy", which takes logits; ag.softmax(logits) has shares'
    ),
    **_each("MSELoss mse mse_loss", 'use nn.mean_squared_error, or loss="mean_squared_error"'),
    **_each("BCELoss bce", 'use nn.binary_cross_entropy, or loss="binary_cross_entropy"'),
    "BCEWithLogitsLoss": 'use nn.binary_cross_entropy_with_logits, or loss="binary_cross_entropy_with_logits"',
    **_each("CrossEntropyLoss NLLLoss", 'use nn.cross_entropy, or loss="cross_entropy"; it takes logits'),
    **_each("L1Loss", "give a function as the loss: lambda yhat, t: ag.abs(yhat - t)"),
    "Parameter": 'every leaf Value that a module holds is a parameter: ag.Value(0.5, "w")',
    **_each("ModuleList ModuleDict ParameterList", "use a list or a dict: parameters are found in them"),
    **_each("functional F", "functions are in the package, such as ag.relu"),
    "init": "use nn.initializers",
    "optim": "optimizers are here, such as nn.SGD",
    "DataLoader": "give nn.fit batch_size=16",
    "StepLR": "use nn.steps(lr, every)",
    "ExponentialLR": "use nn.exponential(lr, factor)",
    "CosineAnnealingLR": "use nn.cosine(lr, total)",
    **_each("Net Model", "use nn.MLP(2, [8, 1])"),
    "train": "use nn.fit(net, X, y)",
    "evaluate": "use nn.accuracy(net, X, y), or nn.cost(net, X, y).data",
    "Value": "it is ag.Value: import autograd_mini as ag",
}

VALUE: Table = {
    **_each("item numpy tolist value", "use v.data, the number"),
    "_backward": "a node has no function of its own; v.edges has its parents and local derivatives, and J.backward() "
    "runs the whole graph",
    **_each("_children children inputs", "use v.parents"),
    **_each("prev", "use v.parents"),
    "name": "use v.label",
    "gradient": "use v.grad after J.backward(), or ag.gradient(J, v)",
    "grad_fn": "use v.op, and v.edges for its parents and local derivatives",
    "is_leaf": "write v.op is None",
    **_each("requires_grad requires_grad_", "every Value has a derivative; v.detach() or ag.stop_gradient(v) stops it"),
    "retain_grad": "every node keeps v.grad",
    "zero_": "write v.data = 0.0; v.zero_grad() clears derivatives",
    "zero_grad_": "use v.zero_grad()",
    **_each("clone copy", "use copy.copy(v)"),
    **_each("shape size T", "a Value is one number"),
    **_each("cpu cuda to", "there is nothing to move: v.data is a Python float"),
    "ln": "use v.log()",
    "pow": "write v**y",
    "square": "write v**2",
    "add": "write v + y",
    "sub": "write v - y",
    "mul": "write v * y",
    "div": "write v / y",
    **_each("max", "use v.maximum(y)"),
    **_each("min", "use v.minimum(y)"),
    **_each("clamp clip", "write v.maximum(lo).minimum(hi)"),
    "backprop": "use J.backward()",
    **_each("draw plot show", "use ag.draw(v)"),
    **_each("explain paths blame explore", "use ag.{}(v)"),
    "step": "an optimizer has it: nn.SGD([v], lr=0.1).step(); or write v.data -= 0.1 * v.grad",
}

NET: Table = {
    "forward": "call the net itself, net(x)",
    "predict": "use nn.predict(net, X)",
    **_each("fit train", "use nn.fit(net, X, y)"),
    "eval": "a net has no modes; nn.predict(net, X) computes without a graph",
    **_each("evaluate score", "use nn.accuracy(net, X, y)"),
    "backward": "call it on the cost, J.backward()",
    **_each("step compile", "give nn.fit an optimizer, nn.SGD(net, lr=0.1)"),
    **_each("cpu cuda to", "there is nothing to move"),
    **_each("weights", "use net.parameters() or net.state_dict()"),
}

TRAINING: Table = {
    **_each("lr learning_rate alpha", "give optimizer=nn.SGD(net, lr={{}})"),
    **_each("criterion loss_fn loss_function cost", "give loss={{}}"),
}

FIT: Table = {
    **TRAINING,
    "verbose": "give progress=False for no bar, or progress=True",
    **_each("epoch n_epochs num_epochs iterations max_iter", "give epochs={{}}"),
    **_each("batch batchsize minibatch", "give batch_size={{}}"),
    **_each("opt solver", "give optimizer=nn.Adam(net, lr=0.05)"),
    **_each("seed random_state", "give rng={{}}"),
    "shuffle": "fit shuffles the examples for batches; give rng=0 for the same order each time",
    **_each("callback callbacks early_stopping", "give stop=, a function of the history that returns True to end"),
    **_each("validation_data validation_split", "call nn.accuracy(net, X, y) with those examples afterwards"),
    "metrics": "call nn.accuracy(net, X, y) afterwards",
    "jit": "give compiled={}",
}

EXPLORE: Table = {
    **TRAINING,
    **_each("fold formulas slopes rankdir theme", "it is an argument of ag.draw"),
    **_each("epochs batch_size", "the page trains until its reader stops it, on all examples"),
    "seed": "give it to ag.quiz(J, seed={})",
}

DRAW: Table = {
    "format": "write ag.draw(J).render('J.svg')",
    **_each("filename file path", "write ag.draw(J).render({{}})"),
    **_each("direction_ layout", "give rankdir="),
    **_each("depth max_depth", "give max_nodes={{}}"),
    "digits": "give precision={}",
    "dark": 'give theme="dark"',
}

OPTIMIZER: Table = {
    **_each("learning_rate alpha eta", "give lr={{}}"),
    "params": "give the parameters first: a net, or a list of Values",
    **_each("beta1 beta2", "give betas=(0.9, 0.999)"),
    "epsilon": "give eps={}",
    **_each("decay l2", "give weight_decay={{}}"),
}

# Other libraries' names of the losses and activations that can be chosen by a name.
LOSSES: Table = {
    **_each("mse l2 squared_error mse_loss mseloss quadratic", "mean_squared_error"),
    **_each("bce bceloss binary_crossentropy", "binary_cross_entropy"),
    **_each("bce_with_logits bcewithlogitsloss logistic", "binary_cross_entropy_with_logits"),
    **_each("ce nll crossentropy crossentropyloss categorical_crossentropy", "cross_entropy"),
    "sparse_categorical_crossentropy": "cross_entropy",
    **_each("svm hinge_loss", "hinge"),
}
ACTIVATIONS: Table = {
    **_each("logistic expit", "sigmoid"),
    "swish": "silu",
    "rectifier": "relu",
    "none": "linear",
}


def closest(word: str, words: Iterable[str], others: Table | None = None) -> str:
    """Return a question that offers the known word most similar to a misspelt one, or "" if none is similar.

    Args:
        others: other libraries' names of the known words, in lower case.

    >>> closest("ReLU", ["tanh", "relu"]), closest("x", ["tanh"]), closest("MSE", [], LOSSES)
    (" (did you mean 'relu'?)", '', " (did you mean 'mean_squared_error'?)")
    """
    lower = word.lower()
    if others and lower in others:
        return f" (did you mean {others[lower]!r}?)"
    found = _alike(lower, words, 0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _alike(word: str, words: Iterable[str], least: float) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(word, list(words), 1, least)


def missing(owner: Any, name: str, table: Table = VALUE) -> AttributeError:
    """Return the error for a missing attribute, with the name to type instead.

    >>> import autograd_mini as ag
    >>> missing(ag, "ln", PACKAGE)
    AttributeError("module 'autograd_mini' has no attribute 'ln': use ag.log, the natural logarithm")
    """
    if isinstance(owner, ModuleType):
        plain, hint = f"module {owner.__name__!r} has no attribute {name!r}", _hint(name, table, tuple(dir(owner)))
    else:
        kind = type(owner)
        plain, hint = f"{kind.__name__!r} object has no attribute {name!r}", _hint_of(kind, name, owner, table)
    if not hint:
        return AttributeError(plain, name=name, obj=owner)
    return AttributeError(plain + hint, obj=owner)  # without the name, or Python would add a guess of its own


_hints: dict[tuple[str, str], str] = {}  # for objects; protocols look up the same attributes many times


def _hint_of(kind: type, name: str, owner: Any, table: Table) -> str:
    key = kind.__qualname__, name
    if key not in _hints:
        if len(_hints) > 500:
            _hints.clear()
        _hints[key] = _hint(name, table, () if name.startswith("_") else tuple(dir(owner)))
    return _hints[key]


def _hint(name: str, table: Table, known: Iterable[str]) -> str:
    if name in table:
        return f": {table[name]}"
    if name.startswith("_"):
        return ""
    public = [word for word in known if not word.startswith("_")]
    found = (
        [word for word in public if word.lower() == name.lower()]
        or [word for word in public if sorted(word) == sorted(name)]  # two letters changed places
        or _alike(name.lower(), public, ALIKE)
    )
    return f" (did you mean {found[0]!r}?)" if found else ""


def keywords(table: Table) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function's errors on unknown arguments name the argument to type instead.

    >>> keywords({"verbose": "give progress=False"})(lambda progress=True: None)(verbose=0)
    Traceback (most recent call last):
        ...
    TypeError: <lambda>: there is no argument verbose, which is 0 here: give progress=False
    """

    def decorated(f: Callable[P, R]) -> Callable[P, R]:
        code: CodeType = f.__code__
        known = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        name = f.__qualname__.removesuffix(".__init__")

        @wraps(f)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for word in kwargs.keys() - known:
                given = kwargs[word]
                if word in table:
                    what = f"there is no argument {word}, which is {_short(given)} here: "
                    raise TypeError(f"{name}: {what}{table[word].format(_short(given))}")
                raise TypeError(f"{name}: there is no argument {word}{closest(word, sorted(known))}")
            return f(*args, **kwargs)

        return checked

    return decorated


def _short(x: Any) -> str:
    """Return the name of an object, or its repr, on one short line."""
    text = getattr(x, "__name__", None) if callable(x) else None
    text = text or repr(x)
    return text if len(text) < 60 else f"{text[:57]}..."


# A step that changes no parameter: w -= 0.1 * w.grad.

_left: WeakSet[Any] = WeakSet()  # the leaves of such steps
HERE: Final = str(Path(__file__).parent)


def tell_how_to_step(v: Any) -> None:
    """Warn of the second `w -= 0.1 * w.grad`, which makes a new node each time and changes no parameter.

    Warn only if the statement gets the node that it made before, so that the graph grows, or the leaf that it did not
    change. A loop that makes a new leaf of each result is right, and gets no warning.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HERE):
        frame, level = frame.f_back, level + 1
    target, step = _own_step(frame.f_code, frame.f_lasti)
    if not target:
        return
    if v.op is None and v not in _left:
        _left.add(v)
        return
    if v.op is not None and not isinstance(v.operands[-1], float):
        return
    lost = "the step is lost" if v.op is None else "the label is lost and the graph grows with each step"
    warnings.warn(
        f"{target} -= ... makes a new Value and leaves the parameter as it was, so that {lost}: write {step}",
        stacklevel=level,
    )


@lru_cache(64)
def _own_step(code: CodeType, place: int) -> tuple[str, str]:
    """Return T and the right step if code is at a statement `T -= ... T.grad ...`, else two empty texts.

    Read the source, because bytecode does not show which names are the same.
    """
    nothing = "", ""
    first, last, start, end = next(islice(code.co_positions(), place // 2, None))
    if first is None or last is None:
        return nothing
    lines = [line.encode() for line in linecache.getlines(code.co_filename)[first - 1 : last]]
    if not lines:
        return nothing
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    try:
        tree = ast.parse(b"".join(lines))
    except (SyntaxError, ValueError):
        return nothing
    match tree.body:
        case [ast.AugAssign(target=target, op=ast.Sub(), value=value)]:
            name = ast.unparse(target)
            for part in ast.walk(value):
                if isinstance(part, ast.Attribute) and part.attr == "grad" and ast.unparse(part.value) == name:
                    return name, f"{name}.data -= {ast.unparse(value)}"
    return nothing
