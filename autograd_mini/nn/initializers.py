r"""Initial weights: an initializer draws one weight of a layer.

An initializer is any function `(n_in, n_out, rng) -> float`. A name such as `"he"` chooses one with its usual width.
The generator is `random.Random`, which draws the same numbers on every machine.
"""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, SupportsIndex, TypeAlias

from .words import named

if TYPE_CHECKING:
    from numpy.random import Generator

Rng: TypeAlias = "random.Random | Generator | SupportsIndex | None"  # see `generator`
Initializer: TypeAlias = Callable[[int, int, random.Random], float]


def generator(rng: Rng) -> random.Random:
    """Return the given generator, or a new one with the given seed.

    Args:
        rng: a `random.Random`, a whole number as a seed, a NumPy `Generator`, which draws the seed, or None for a new
            seed each time.

    Raises:
        TypeError: `rng` is none of these.

    >>> generator(0).random() == generator(0).random()
    True
    """
    if isinstance(rng, random.Random):
        return rng
    if rng is None:
        return random.Random()
    if hasattr(rng, "__index__") and not isinstance(rng, bool):
        return random.Random(operator.index(rng))
    if hasattr(rng, "integers"):
        return random.Random(int(rng.integers(2**63)))
    raise TypeError(f"rng: give a random.Random, a NumPy Generator or a seed, not {rng!r}")


def zeros(n_in: int, n_out: int, rng: random.Random) -> float:
    """Return 0. The neurons of a layer then stay equal for ever, see `symmetries`."""
    return 0.0


def normal(scale: float = 0.01) -> Initializer:
    r"""Draw from $\mathcal N(0, scale^2)$: the text's `randn * 0.01`.

    >>> draw = normal(0.01)
    >>> abs(draw(2, 4, generator(0))) < 0.1
    True
    """
    return lambda n_in, n_out, rng: rng.gauss(0.0, 1.0) * scale


def uniform(width: float = 1.0) -> Initializer:
    """Draw uniformly from -width to width. The width of micrograd is 1."""
    return lambda n_in, n_out, rng: rng.uniform(-width, width)


def xavier(n_in: int, n_out: int, rng: random.Random) -> float:
    r"""Draw uniformly within $\pm\sqrt{6 / (n_{in} + n_{out})}$, which suits tanh and sigmoid.

    Source: X. Glorot and Y. Bengio, Understanding the difficulty of training deep feedforward
    neural networks, AISTATS 2010, equation 16.
    """
    width = math.sqrt(6.0 / (n_in + n_out))
    return rng.uniform(-width, width)


def he(n_in: int, n_out: int, rng: random.Random) -> float:
    r"""Draw from $\mathcal N(0, 2 / n_{in})$, which suits relu.

    Source: K. He et al., Delving deep into rectifiers, ICCV 2015, equation 10.
    """
    return rng.gauss(0.0, math.sqrt(2.0 / n_in))


BY_NAME: dict[str, Initializer] = {
    "normal": normal(),
    "zeros": zeros,
    "xavier": xavier,
    "he": he,
    "uniform": uniform(),
}


def initializer(init: str | Initializer | None, activation: str) -> Initializer:
    """Return an initializer by its name. None is He's for relu and similar activations, and Xavier's otherwise.

    Raises:
        ValueError: no initializer has that name.
    """
    if init is None:
        return he if activation in ("relu", "leaky_relu", "gelu", "silu", "softplus") else xavier
    chosen: Initializer = named("init", init, BY_NAME, "(n_in, n_out, rng)")
    return chosen
