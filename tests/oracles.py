"""The rows by mpmath, which is not us, with as many digits as it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath

from autograd_mini import Op

# Rows that mpmath does not have, or has under another name or with another meaning.
OTHERS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "excess": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "mod": lambda x, y: x - y * mpmath.floor(x / y),
    "floordiv": lambda x, y: mpmath.floor(x / y),
    "neg": lambda x: -x,
    "pow": mpmath.power,
    "powlog": lambda x, y, k: x**y * mpmath.log(x) ** k,
    "abs": mpmath.fabs,
    "root": mpmath.sqrt,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "exp2": lambda x: 2**x,
    "log2": lambda x: mpmath.log(x, 2),
    "xlogy": lambda x, y: x * mpmath.log(y),
    "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    "logit": lambda x: mpmath.log(x / (1 - x)),
    "sinc": mpmath.sincpi,
    "sinc_derivative": lambda k, x: sinc_derivative(int(k), x),
    "lgamma": mpmath.loggamma,
    "betaln": lambda x, y: mpmath.loggamma(x) + mpmath.loggamma(y) - mpmath.loggamma(x + y),
    "polygamma": lambda n, x: mpmath.psi(int(n), x),
    "polygamma_gap": lambda n, x, y: mpmath.psi(int(n), x) - mpmath.psi(int(n), x + y),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "log_sigmoid": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x, y: x if x > 0 else y * x,
    "gelu": lambda x: x * mpmath.ncdf(x),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "identity": lambda x: x,
    "stop_gradient": lambda x: x,
    "maximum": max,
    "minimum": min,
    "where": lambda condition, x, y: x if condition else y,
    "round": mpmath.nint,
    "trunc": lambda x: mpmath.sign(x) * mpmath.floor(abs(x)),
    "greater": lambda x, y: mpmath.mpf(x > y),
    "greater_equal": lambda x, y: mpmath.mpf(x >= y),
    "equal": lambda x, y: mpmath.mpf(x == y),
}


def oracle(op: Op) -> Callable[..., Any]:
    """Return a row over the numbers of mpmath: its function of that name, if no other is in the list."""
    found: Callable[..., Any] | None = OTHERS.get(op.name) or getattr(mpmath, op.name, None)
    assert found is not None, f"mpmath has no {op.name}: tests/oracles.py needs a line for it"
    return found


def sinc_derivative(k: int, x: Any) -> Any:
    """Return the k-th derivative of sin(πx)/(πx) by its series, with digits for what cancels."""
    with mpmath.workdps(400):
        u = mpmath.pi * x
        terms = [(-1) ** ((j + k) // 2) * u**j / (mpmath.factorial(j) * (j + k + 1)) for j in range(k % 2, 600, 2)]
        return mpmath.pi**k * mpmath.fsum(terms)
