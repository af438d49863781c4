"""Names that other libraries use, and the names to type here instead.

This module has one table for each place where a user types a name: the package, nn, a Value, a net, and the arguments
of functions. It is imported only when a name is missing. It must not know any other module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from types import CodeType, ModuleType
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

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

SELU = "write 1.0507009873554805 * (ag.maximum(x, 0) + 1.6732632423543772 * ag.expm1(ag.minimum(x, 0)))"

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
    **_each("elu celu", "write ag.maximum(x, 0) + ag.expm1(ag.minimum(x, 0))"),
    "selu": SELU,
    "prelu": "use ag.leaky_relu(x, slope), whose slope may be a Value",
    "mish": "write x * ag.tanh(ag.softplus(x))",
    "softsign": "write x / (1 + ag.abs(x))",
    "hardtanh": "use ag.clip(x, -1, 1)",
    "hardsigmoid": "write ag.clip(x / 6 + 0.5, 0, 1)",
    "softmin": "write ag.softmax([-x for x in xs])",
    "heaviside": "use ag.greater(x, 0)",
    "remainder": "use ag.mod(x, y), which has the sign of y",
    "fmod": "write ag.sign(x) * ag.mod(ag.abs(x), ag.abs(y)); ag.mod(x, y) has the sign of y",
    "rint": "use ag.round(x)",
    "fix": "use ag.trunc(x)",
    "frac": "write x - ag.trunc(x)",
    "deg2rad": "use ag.radians(x)",
    "rad2deg": "use ag.degrees(x)",
    "logaddexp2": "write ag.logaddexp(c * x, c * y) / c with c = math.log(2)",
    **_each("gammaln loggamma", "use ag.lgamma(x)"),
    "beta": "write ag.exp(ag.betaln(x, y))",
    "psi": "use ag.digamma(x)",
    "factorial": "write ag.gamma(x + 1)",
    **_each("ndtr norm_cdf", "write ag.erfc(-x / math.sqrt(2)) / 2"),
    "sec": "write 1/ag.cos(x)",
    "csc": "write 1/ag.sin(x)",
    "cot": "write 1/ag.tan(x)",
    "copysign": "write ag.where(ag.greater_equal(y, 0), ag.abs(x), -ag.abs(x))",
    **_each("isnan isinf isfinite isclose", "use math.{} of numbers, such as x.data"),
    **_each("gt ge eq", "use ag.greater, ag.greater_equal or ag.equal; x > y compares the numbers"),
    **_each("lt less", "use ag.greater(y, x); x < y compares the numbers"),
    **_each("le less_equal", "use ag.greater_equal(y, x); x <= y compares the numbers"),
    **_each("ne not_equal", "write 1 - ag.equal(x, y); x != y compares the numbers"),
    "logical_and": "write p * q, for tests such as p = ag.greater(x, 0)",
    "logical_or": "write ag.maximum(p, q), for tests such as p = ag.greater(x, 0)",
    "logical_not": "write 1 - p, for a test such as p = ag.greater(x, 0)",
    **_each("average", "use ag.mean(xs)"),
    **_each("reduce_sum reduce_mean reduce_prod", "use ag.sum(xs), ag.mean(xs) or ag.prod(xs)"),
    "reduce_max": "use ag.amax(xs)",
    "reduce_min": "use ag.amin(xs)",
    **_each("matmul inner vdot", "use ag.dot(ws, xs); matrices are NumPy arrays of Values, W @ x"),
    **_each(
        "cumsum cumprod diff sort argsort median percentile ptp outer cross einsum transpose reshape stack concatenate",
        "use np.{} on an array of Values, such as np.array(xs)",
    ),
    "cat": "use np.concatenate on arrays of Values",
    **_each("zeros ones eye arange linspace", "use np.{}: arrays of numbers are NumPy's"),
    **_each("rand randn random normal uniform", "random numbers are Python's, import random, or NumPy's, np.random"),
    **_each("manual_seed seed", "give a seed to each function that draws numbers, as in nn.MLP(2, [1], rng=0)"),
    **_each("numpy np", "use NumPy itself, import numpy as np: np.exp and its like take Values and arrays of them"),
    "linalg": "ag.norm(xs) is a vector's length, and W @ x a product of arrays; there are no matrix decompositions",
    **_each("dtype float32 float64", "each number is a double"),
    **_each("device cuda", "there is nothing to move"),
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
    "lax": "use ag.scan, ag.fori, ag.cond and ag.stop_gradient",
    **_each("while_loop", "write Python's while"),
    **_each("elementwise_grad egrad deriv", "use ag.grad(f), or ag.derivative(f, order=n)"),
    **_each("make_vjp vector_jacobian_product", "use ag.vjp(f, x)"),
    **_each("make_jvp jacobian_vector_product Dual", "use ag.jvp(f, (x,), (v,))"),
    "hessian_vector_product": "use ag.hvp(f, (x,), (v,))",
    **_each("primitive defvjp defjvp custom_gradient", "use @ag.custom_rule"),
    "GradientTape": "operations are recorded by themselves: J.backward(), or ag.gradient(J, x)",
    "constant": "write the number itself: a plain number is a constant",
    **_each("register_pytree_node register_dataclass", "use ag.register_container; dataclasses need no registration"),
    "vmap": "use ag.compile(f).vmap(in_axes)",
    "make_jaxpr": "use ag.trace(f, x)",
    "jet": "use ag.taylor(f, x, order)",
    **_each("custom_jvp custom_vjp Function", "use @ag.custom_rule"),
    **_each("detach", "use x.detach(), or ag.stop_gradient(x)"),
    **_each("clone copy", "use copy.copy(x)"),
    **_each("save load", "pickle keeps graphs, and net.save(path) and net.load(path) the parameters of a net"),
    **_each("topo_sort toposort build_topo", "use ag.topological_order(J)"),
    "version": "use ag.__version__",
    **_each("inference_mode set_grad_enabled", "write with ag.no_grad():"),
    "enable_grad": "recording is on outside of with ag.no_grad():",
    **_each("draw_dot plot show visualize graph", "use ag.draw(J)"),
    "optim": "optimizers are in nn, such as nn.SGD: from autograd_mini import nn",
    **_each("Linear Dense", "use nn.Layer(n_in, n_out): from autograd_mini import nn"),
    "train": "use nn.fit(net, X, y): from autograd_mini import nn",
    **_each("loss mse mse_loss", "losses are in nn, such as nn.mean_squared_error: from autograd_mini import nn"),
    **_each("moons make_moons", "use nn.datasets.moons(100): from autograd_mini import nn"),
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
    **_each("L1Loss mae", "give a function as the loss: lambda yhat, t: ag.abs(yhat - t)"),
    **_each(
        "HuberLoss SmoothL1Loss huber",
        "give a function of yhat and t as the loss: q * (e - q / 2) with e = ag.abs(yhat - t) and q = ag.minimum(e, 1)",
    ),
    "Parameter": 'every leaf Value that a module holds is a parameter: ag.Value(0.5, "w")',
    **_each("ModuleList ModuleDict ParameterList", "use a list or a dict: parameters are found in them"),
    **_each("functional F", "functions are in the package, such as ag.relu"),
    "init": "use nn.initializers",
    "optim": "optimizers are here, such as nn.SGD",
    **_each("DataLoader Dataset TensorDataset", "give nn.fit lists or arrays X and y, and batch_size=16"),
    **_each("Momentum", "use nn.SGD(net, lr=0.1, momentum=0.9)"),
    **_each("Adagrad NAdam Rprop", "there are nn.SGD, nn.RMSProp, nn.Adam, nn.AdamW and nn.LBFGS"),
    "lr_scheduler": "give lr=nn.cosine(0.1, total=400), or another function of the steps taken",
    "Flatten": "an example is one list of numbers",
    "Identity": "give None as the activation",
    **_each("save load", "use net.save(path) and net.load(path)"),
    **_each("moons make_moons", "use nn.datasets.moons(100)"),
    **_each("Network NeuralNetwork Perceptron", "use nn.MLP(2, [8, 1])"),
    "StepLR": "use nn.steps(lr, every)",
    "ExponentialLR": "use nn.exponential(lr, factor)",
    "CosineAnnealingLR": "use nn.cosine(lr, total)",
    **_each("Net Model", "use nn.MLP(2, [8, 1])"),
    "train": "use nn.fit(net, X, y)",
    "evaluate": "use nn.accuracy(net, X, y), or nn.cost(net, X, y).data",
    "Value": "it is ag.Value: import autograd_mini as ag",
}

VALUE: Table = {
    **_each("item numpy tolist value val", "use v.data, the number"),
    "_backward": "a node has no function of its own; v.edges has its parents and local derivatives, and J.backward() "
    "runs the whole graph",
    **_each("_children children inputs", "use v.parents"),
    **_each("prev", "use v.parents"),
    "name": "use v.label",
    **_each("gradient derivative", "use v.grad after J.backward(), or ag.gradient(J, v)"),
    "local_grads": "use v.partials, or v.edges",
    **_each("topo build_topo topological_order", "use ag.topological_order(v)"),
    **_each("compile trace jacobian hessian", "use ag.{} of the function that computes v"),
    "grad_fn": "use v.op, and v.edges for its parents and local derivatives",
    "is_leaf": "write v.op is None",
    **_each("requires_grad requires_grad_", "every Value has a derivative; v.detach() or ag.stop_gradient(v) stops it"),
    "retain_grad": "every node keeps v.grad",
    "zero_": "write v.data = 0.0; v.zero_grad() clears derivatives",
    "zero_grad_": "use v.zero_grad()",
    **_each("clone copy", "use copy.copy(v)"),
    **_each("shape size dim numel T view reshape squeeze unsqueeze expand flatten", "a Value is one number"),
    **_each("sum mean prod var std softmax", "a Value is one number; ag.{}(xs) is of a list of them"),
    **_each("dot matmul", "write v * y, or ag.dot(ws, xs) of lists"),
    **_each("cpu cuda to device", "there is nothing to move: v.data is a Python float"),
    **_each("float double", "use v.data, which is a Python float"),
    **_each("int long", "write int(v.data), or v.trunc()"),
    **_each("bool", "write v != 0"),
    "type": "v.data is a Python float",
    **_each("isnan isinf isfinite", "use math.{}(v.data)"),
    "is_integer": "use v.data.is_integer()",
    "ln": "use v.log()",
    **_each("pow power", "write v**y"),
    **_each("square", "write v**2"),
    "reciprocal": "write 1/v",
    "rsqrt": "write 1/v.sqrt()",
    "add": "write v + y",
    "sub": "write v - y",
    "mul": "write v * y",
    "div": "write v / y",
    "fmod": "write v.sign() * (abs(v) % abs(y)); v % y has the sign of y",
    "frac": "write v - v.trunc()",
    "sgn": "use v.sign()",
    "swish": "use v.silu()",
    "elu": "write v.maximum(0) + v.minimum(0).expm1()",
    **_each("gt lt ge le eq ne", "write v > y, which compares the numbers; a Value of 1 or 0 is ag.greater(v, y)"),
    **_each("fill_ copy_", "write v.data = x"),
    **_each(
        "add_ sub_ mul_ div_ clamp_ relu_",
        "nothing changes a Value in place: write v = v + y, or v.data += y for a leaf",
    ),
    "register_hook": "there are no hooks; read v.grad after J.backward()",
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

OPTIMIZERS: Table = {
    "learning_rate": "use optimizer.lr",
    **_each("params param_groups", "use optimizer.parameters"),
    **_each("minimize update apply_gradients", "call J.backward(), then optimizer.step()"),
    "backward": "call it on the cost, J.backward()",
    "state_dict": "an optimizer's state is not saved; net.state_dict() has the parameters",
}

DRAWING: Table = {
    "show": "end a notebook's cell with the drawing, or use view(), which opens a browser",
    "to_svg": "use svg()",
    **_each("to_png savefig to_file write export", 'use render("J.png")'),
    "display": "end a notebook's cell with the drawing",
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

LAYERS: Table = {
    **_each("nin in_features input_dim", "give n_in={{}}"),
    **_each("nout out_features units", "give n_out={{}}"),
    **_each("nouts hidden hidden_sizes layers sizes", "give n_outs, the neurons of each layer, as [4, 4, 1]"),
    "nonlin": 'give activation="relu", or None for the sum alone',
    **_each("act nonlinearity hidden_activation", "give activation={{}}"),
    **_each("output_activation out_activation final_activation", "give output={{}}"),
    **_each("seed random_state", "give rng={{}}"),
    **_each("initializer kernel_initializer weight_init", "give init={{}}"),
    "bias": "every neuron has its b; to keep it at 0, leave it out of the optimizer's parameters",
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

# What to write instead of too many operands of a row.
OPERANDS: Table = {
    "log": "write ag.log(x) / math.log(base), or use ag.log2 or ag.log10",
    "maximum": "use ag.amax(xs)",
    "minimum": "use ag.amin(xs)",
    "hypot": "use ag.norm(xs)",
    "add": "use ag.sum(xs)",
    "mul": "use ag.prod(xs)",
    "atan": "use ag.atan2(y, x)",
    "round": "write ag.round(x * 10**n) / 10**n for n digits",
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
            if unknown := kwargs.keys() - known:
                refuse_arguments(name, {word: kwargs[word] for word in unknown}, table, known)
            return f(*args, **kwargs)

        return checked

    return decorated


def instead_of_operands(name: str, count: int, arity: int) -> str:
    """Return advice on a row that is called with too many operands, or "" if there is none."""
    return f"; {OPERANDS[name]}" if count > arity and name in OPERANDS else ""


def refuse_arguments(name: str, given: Mapping[str, Any], table: Table, known: Iterable[str] = ()) -> NoReturn:
    """Raise the error for unknown arguments of a function, with the argument to type instead of the first one.

    >>> refuse_arguments("fit", {"verbose": 0}, {"verbose": "give progress=False"})
    Traceback (most recent call last):
        ...
    TypeError: fit: there is no argument verbose, which is 0 here: give progress=False
    """
    word, x = next(iter(given.items()))
    if word in table:
        what = f"there is no argument {word}, which is {_short(x)} here: "
        raise TypeError(f"{name}: {what}{table[word].format(_short(x))}")
    raise TypeError(f"{name}: there is no argument {word}{closest(word, sorted(known))}")


def _short(x: Any) -> str:
    """Return the name of an object, or its repr, on one short line."""
    text = getattr(x, "__name__", None) if callable(x) else None
    text = text or repr(x)
    return text if len(text) < 60 else f"{text[:57]}..."
