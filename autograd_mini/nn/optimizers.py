r"""Optimizers, which move parameters against their gradient, and schedules of the learning rate.

An optimizer has one pure rule. The rule computes the next x and the next state from x, its gradient g and its state. It
consists of arithmetic and square roots, so it also takes arrays of all parameters. `step` checks all results before it
assigns them. A schedule is a function of the number of steps taken. This module must not know nets.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..given import count
from ..hints import OPTIMIZER, OPTIMIZERS, keywords, missing
from ..ops import number
from ..printing import counted
from ..settings import is_traced
from ..value import Value
from .module import Module

if TYPE_CHECKING:
    from numpy.typing import NDArray

Schedule = Callable[[int], float]
Vector = list[float]
State = tuple[Vector, ...]
Entry: TypeAlias = Any  # a number of one parameter, or an array of the numbers of all
Rule = Callable[..., tuple[Entry, ...]]  # (x, g, entries of the state) to (next x, next entries)


class Optimizer:
    """Hold parameters and move them at each `step` by the rule of a subclass.

    Args:
        parameters: Values, or a module, which means all its parameters.
        lr: the learning rate: a number, or a schedule, which is a function of the number of steps taken.

    Raises:
        ValueError: there are no parameters, or the learning rate is negative or not finite.
        TypeError: a parameter is not a leaf Value.
    """

    elementwise = False  # whether the rule takes arrays of all parameters as well as the numbers of one

    def __init__(self, parameters: Module | Iterable[Value], lr: float | Schedule) -> None:
        name = type(self).__name__
        if not isinstance(parameters, (Module, Iterable)):
            call = "; call it, net.parameters()" if callable(parameters) else ""
            raise TypeError(f"{name}: give a module or a list of Values, not {parameters!r}{call}")
        held = parameters.parameters() if isinstance(parameters, Module) else list(parameters)
        if not held:
            raise ValueError(f"{name}: there are no parameters")
        for parameter in held:
            if not isinstance(parameter, Value) or parameter.op is not None:
                raise TypeError(f"{name}: a parameter must be a leaf Value, not {parameter!r}")
        self.parameters = list(dict.fromkeys(held))
        self.lr = lr
        self.taken = 0
        self.used = 0.0  # the learning rate of the last step
        self._state: State = ()
        self.rate()

    if not TYPE_CHECKING:  # type checkers report a misspelt name as an error

        def __getattr__(self, name: str) -> Any:
            raise missing(self, name, OPTIMIZERS)

    def rate(self) -> float:
        """Return the learning rate of the next step."""
        rate = number("lr", self.lr(self.taken) if callable(self.lr) else self.lr)
        if not 0.0 <= rate < math.inf:
            raise ValueError(f"{type(self).__name__}: the learning rate must be 0 or more and finite, not {rate:g}")
        return rate

    def zero_grad(self) -> None:
        """Set `.grad` of every parameter to 0.0."""
        for parameter in self.parameters:
            parameter.grad = 0.0

    def step(self, closure: Callable[[], Value] | None = None) -> None:
        """Move the parameters once. If one would become nan or inf, move none.

        Args:
            closure: a function that returns the cost at the present parameters. If it is given, `step` calls it first
                and computes its gradient. `LBFGS` needs it.

        Raises:
            ArithmeticError: a gradient, a new parameter or the new state is nan or inf. Nothing has changed.
        """
        if is_traced():
            raise TypeError(
                f"{type(self).__name__}: step() cannot run inside a function that is traced, because its program would "
                "not repeat the step. Call step() outside of the function, with the gradient that the function returns"
            )
        rate = self.rate()
        if closure is not None:
            self._differentiate(closure)
        x = [parameter.data for parameter in self.parameters]
        g = [parameter.grad for parameter in self.parameters]
        self._require_finite(g, "the gradient of")
        if closure is None and not self.taken and not any(g):  # later a loss may have come to its end
            warnings.warn(
                f"{type(self).__name__}: all gradients are 0, so no parameter moves: call J.backward() before step()",
                stacklevel=2,
            )
        moved, state = self._moved(x, g, rate)
        self._require_finite(moved, "the next value of")
        for vector in state:
            self._require_finite(vector, "the optimizer's state for")
        after = self.taken + 1
        try:
            self._assign(moved, state, after, rate)
        except KeyboardInterrupt:  # in the middle of it: finish first
            self._assign(moved, state, after, rate)
            raise

    def _differentiate(self, closure: Callable[[], Value]) -> float:
        """Return the cost and store its gradient. The old gradient is cleared after the cost is computed."""
        J = closure()
        if not isinstance(J, Value):
            raise TypeError(f"{type(self).__name__}: the closure must return the cost as a Value, not {J!r}")
        self.zero_grad()
        J.backward()
        return J.data

    def _moved(self, x: Vector, g: Vector, rate: float) -> tuple[Vector, State]:
        """Return the next parameters, and the next state."""
        rule = self.rule(rate, math.sqrt)
        moved, *state = zip(*map(rule, x, g, *self.state()), strict=True)
        return list(moved), tuple(map(list, state))

    def rule(self, rate: float, sqrt: Callable[[Entry], Entry]) -> Rule:
        """Return the rule of the next step, for numbers with `math.sqrt`, and for arrays of them with `np.sqrt`."""
        raise NotImplementedError

    def state(self) -> State:
        """Return the state of the parameters. It is zeros before the first step."""
        if len(self._state) == self.entries():  # another size means that an option, such as the momentum, was changed
            return self._state
        return tuple([0.0] * len(self.parameters) for _ in range(self.entries()))

    def entries(self) -> int:
        """Return the number of entries of the state for each parameter."""
        return 0

    def _assign(self, moved: Vector, state: State, taken: int, rate: float) -> None:
        for parameter, value in zip(self.parameters, moved, strict=True):
            parameter.data = value
        self._state, self.taken, self.used = state, taken, rate

    def __repr__(self) -> str:
        lr = getattr(self.lr, "__qualname__", self.lr)
        many, taken = counted(len(self.parameters), "parameter"), counted(self.taken, "step")
        return f"{type(self).__name__}({many}, lr={lr}, {taken} taken)"

    def _require_finite(self, numbers: Vector, what: str) -> None:
        if math.isfinite(sum(numbers)):
            return
        for parameter, x in zip(self.parameters, numbers, strict=True):
            if not math.isfinite(x):
                name = parameter.label or "a parameter"
                raise ArithmeticError(
                    f"{type(self).__name__}: {what} {name} = {parameter.data:g} is {x}; no parameter was moved"
                )


class SGD(Optimizer):
    r"""Gradient descent: $x \leftarrow x - \alpha v$ with $v \leftarrow \mu v + g$; without momentum $v = g$.

    Args:
        momentum: $\mu$, from 0 to 1.
        nesterov: look ahead, with $g + \mu v$ instead of v.
        weight_decay: $\lambda$; $\lambda x$ is added to g.

    Source: I. Sutskever et al., On the importance of initialization and momentum, ICML 2013, in
    PyTorch's form.

    >>> w = Value(3.0, "w")
    >>> optimizer = SGD([w], lr=0.1)
    >>> optimizer.step(lambda: w * w)
    >>> w.data
    2.4
    """

    elementwise = True

    @keywords(OPTIMIZER)
    def __init__(
        self,
        parameters: Module | Iterable[Value],
        lr: float | Schedule = 0.1,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr)
        self.momentum = _share("SGD: momentum", momentum)
        self.nesterov = nesterov
        self.weight_decay = _share("SGD: weight_decay", weight_decay)
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov needs a momentum")

    def entries(self) -> int:
        """Return 1 with a momentum, else 0."""
        return 1 if self.momentum else 0

    def rule(self, rate: float, sqrt: Callable[[Entry], Entry]) -> Rule:
        """Return the rule of the next step."""
        mu, decay = self.momentum, self.weight_decay
        if not mu:
            return lambda x, g: (x - rate * _decayed(x, g, decay),)

        def moved(x: Entry, g: Entry, v: Entry) -> tuple[Entry, ...]:
            g = _decayed(x, g, decay)
            v = mu * v + g
            return x - rate * (g + mu * v if self.nesterov else v), v

        return moved


class RMSProp(Optimizer):
    r"""Divide each gradient by its recent size: $x \leftarrow x - \alpha g / (\sqrt s + \epsilon)$.

    $s \leftarrow \rho s + (1 - \rho) g^2$. Source: G. Hinton, lecture 6e of Neural Networks for Machine
    Learning, 2012.

    >>> w = Value(3.0, "w")
    >>> RMSProp([w], lr=0.1).step(lambda: w * w)
    >>> round(w.data, 6)
    2.0
    """

    elementwise = True

    @keywords(OPTIMIZER)
    def __init__(
        self,
        parameters: Module | Iterable[Value],
        lr: float | Schedule = 0.01,
        *,
        rho: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr)
        self.rho, self.eps = _share("RMSProp: rho", rho), _positive("RMSProp: eps", eps)
        self.weight_decay = _share("RMSProp: weight_decay", weight_decay)

    def entries(self) -> int:
        """Return 1: the mean of the squares."""
        return 1

    def rule(self, rate: float, sqrt: Callable[[Entry], Entry]) -> Rule:
        """Return the rule of the next step."""
        rho, eps, decay = self.rho, self.eps, self.weight_decay

        def moved(x: Entry, g: Entry, s: Entry) -> tuple[Entry, ...]:
            g = _decayed(x, g, decay)
            s = rho * s + (1.0 - rho) * g * g
            return x - rate * g / (sqrt(s) + eps), s

        return moved


class Adam(Optimizer):
    r"""Move by a running mean of the gradient over its running size: $x - \alpha \hat m / (\sqrt{\hat v} + \epsilon)$.

    $m \leftarrow \beta_1 m + (1 - \beta_1) g$, $v \leftarrow \beta_2 v + (1 - \beta_2) g^2$, and
    $\hat m = m / (1 - \beta_1^t)$, $\hat v = v / (1 - \beta_2^t)$. Source: D. Kingma and J. Ba, Adam, ICLR
    2015, algorithm 1.

    Args:
        weight_decay: $\lambda$; $\lambda x$ is added to g. See `AdamW`.

    >>> w = Value(3.0, "w")
    >>> Adam([w], lr=0.1).step(lambda: w * w)
    >>> round(w.data, 6)
    2.9
    """

    elementwise = True

    decoupled = False

    @keywords(OPTIMIZER)
    def __init__(
        self,
        parameters: Module | Iterable[Value],
        lr: float | Schedule = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr)
        name = type(self).__name__
        b1, b2 = betas
        self.betas = (_share(f"{name}: betas", b1), _share(f"{name}: betas", b2))
        self.eps = _positive(f"{name}: eps", eps)
        self.weight_decay = _share(f"{name}: weight_decay", weight_decay)

    def entries(self) -> int:
        """Return 2: the means of the gradients and of their squares."""
        return 2

    def rule(self, rate: float, sqrt: Callable[[Entry], Entry]) -> Rule:
        """Return the rule of the next step."""
        (b1, b2), eps, decay, t = self.betas, self.eps, self.weight_decay, self.taken + 1
        scale, root = rate / (1.0 - b1**t), math.sqrt(1.0 - b2**t)

        def moved(x: Entry, g: Entry, m: Entry, v: Entry) -> tuple[Entry, ...]:
            if not self.decoupled:
                g = _decayed(x, g, decay)
            elif decay:
                x = x - rate * decay * x
            m = b1 * m + (1.0 - b1) * g
            v = b2 * v + (1.0 - b2) * g * g
            return x - scale * m / (sqrt(v) / root + eps), m, v

        return moved


class AdamW(Adam):
    r"""Adam with a separate weight decay: each step also subtracts $\alpha \lambda x$ from x.

    Source: I. Loshchilov and F. Hutter, Decoupled weight decay regularization, ICLR 2019.

    >>> w = Value(3.0, "w")
    >>> AdamW([w], lr=0.1, weight_decay=0.1).step(lambda: w * w)
    >>> round(w.data, 6)
    2.87
    """

    decoupled = True

    @keywords(OPTIMIZER)
    def __init__(
        self,
        parameters: Module | Iterable[Value],
        lr: float | Schedule = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr, betas=betas, eps=eps, weight_decay=weight_decay)


class LBFGS(Optimizer):
    """Minimize with SciPy's L-BFGS-B, which chooses the length of its steps. Use it with all examples at once.

    Each `step` makes up to `iterations` iterations of L-BFGS-B, and calls the closure at least as often.

    Args:
        iterations: the largest number of iterations in one step.

    Raises:
        ImportError: SciPy is not installed.

    >>> x, y = Value(-1.0, "x"), Value(2.0, "y")
    >>> LBFGS([x, y], iterations=100).step(lambda: (1 - x) ** 2 + 100 * (y - x * x) ** 2)
    >>> round(x.data, 3), round(y.data, 3)
    (1.0, 1.0)
    """

    @keywords(OPTIMIZER)
    def __init__(self, parameters: Module | Iterable[Value], *, iterations: int = 20) -> None:
        super().__init__(parameters, 1.0)
        self.iterations = count("LBFGS: iterations", iterations)
        try:
            from scipy.optimize import minimize
        except ImportError as error:
            raise ImportError('LBFGS needs SciPy: pip install ".[scipy]"') from error
        self._minimize = minimize

    def step(self, closure: Callable[[], Value] | None = None) -> None:
        """Minimize the cost that the closure returns.

        If the cost or its gradient is not finite at a trial point, this point is too far. After Ctrl-C, the parameters
        have the best values so far. After any other error, they have their old values.

        Raises:
            TypeError: there is no closure.
            ArithmeticError, ValueError: the cost or its gradient is not finite at the start.
        """
        if closure is None:
            raise TypeError("LBFGS: step needs a function that returns the cost: it is computed several times")
        before = [parameter.data for parameter in self.parameters]
        best, least = before, math.inf

        def value_and_gradient(x: NDArray[Any]) -> tuple[float, Vector]:
            nonlocal best, least
            point = x.tolist()
            self._assign(point, (), self.taken, 1.0)
            try:
                cost = self._differentiate(closure)
                g = [parameter.grad for parameter in self.parameters]
                self._require_finite(g, "the gradient of")
                if not math.isfinite(cost):
                    raise ArithmeticError(f"the cost is {cost}")
            except (ArithmeticError, ValueError):
                if least == math.inf:
                    raise
                return TOO_FAR * (1.0 + abs(least)), [0.0] * len(point)
            if cost < least:
                best, least = point, cost
            return cost, g

        after = before
        try:
            options = {"maxiter": self.iterations}
            self._minimize(value_and_gradient, before, jac=True, method="L-BFGS-B", options=options)
            after = best
        except KeyboardInterrupt:
            after = best
            raise
        finally:
            self._assign(after, (), self.taken + (after is not before), 1.0)


TOO_FAR = 1e10  # if the cost is not a number, the line search gets the cost of the start times this


def _share(name: str, x: float) -> float:
    x = number(name, x)
    if not 0.0 <= x < 1.0:
        raise ValueError(f"{name} must be from 0 to less than 1, not {x:g}")
    return x


def _positive(name: str, x: float) -> float:
    x = number(name, x)
    if not 0.0 < x < math.inf:
        raise ValueError(f"{name} must be more than 0, not {x:g}")
    return x


def _decayed(x: Entry, g: Entry, weight_decay: float) -> Entry:
    """Return the gradient plus the gradient of the weight decay."""
    return g + weight_decay * x if weight_decay else g


# Schedules: learning rates as functions of the steps taken so far.


def steps(lr: float, every: int, factor: float = 0.1) -> Schedule:
    r"""Multiply the rate by a factor every n steps: $\alpha \cdot f^{\lfloor t / n \rfloor}$.

    >>> schedule = steps(1.0, every=10, factor=0.5)
    >>> schedule(9), schedule(10), schedule(20)
    (1.0, 0.5, 0.25)
    """
    every = count("steps: every", every)
    return lambda t: lr * factor ** (t // every)


def exponential(lr: float, factor: float) -> Schedule:
    r"""Multiply the rate by a factor at every step: $\alpha f^t$.

    >>> exponential(1.0, 0.5)(3)
    0.125
    """
    return lambda t: lr * factor**t


def cosine(lr: float, total: int, least: float = 0.0) -> Schedule:
    r"""Fall from lr to `least` along half a cosine, in `total` steps.

    Source: I. Loshchilov and F. Hutter, SGDR, ICLR 2017, equation 5, without restarts.

    >>> schedule = cosine(1.0, total=100)
    >>> schedule(0), round(schedule(50), 12), schedule(100), schedule(200)
    (1.0, 0.5, 0.0, 0.0)
    """
    total = count("cosine: total", total)
    return lambda t: least + (lr - least) * (1.0 + math.cos(math.pi * min(t / total, 1.0))) / 2.0


def warmup(schedule: float | Schedule, over: int) -> Schedule:
    """Rise linearly during the first steps to a constant rate or to the rate of a schedule.

    >>> schedule = warmup(1.0, over=4)
    >>> [schedule(t) for t in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    over = count("warmup: over", over)
    return lambda t: min(1.0, (t + 1) / over) * (schedule(t) if callable(schedule) else schedule)
