"""Small data sets for two-dimensional pictures, computed from a seed.

Each returns `(X, y)`: a list of points `[x_1, x_2]`, an example in each row, and the list of their
classes from 0 on. The same seed gives the same points on every machine. This module must not know nets.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from .initializers import Rng, generator

Data = tuple[list[list[float]], list[int]]


def moons(n: int = 100, noise: float = 0.1, rng: Rng = None) -> Data:
    """Make two interleaving half circles.

    >>> X, y = moons(4, noise=0.0, rng=0)
    >>> [[round(v, 3) + 0.0 for v in x] for x in X], y
    ([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [2.0, 0.5]], [0, 0, 1, 1])
    """

    def point(k: int, share: float, draw: random.Random) -> tuple[float, float]:
        c, s = math.cos(math.pi * share), math.sin(math.pi * share)
        return (1.0 - c, 0.5 - s) if k else (c, s)

    return _make("moons", n, 2, noise, rng, point)


def circles(n: int = 100, noise: float = 0.1, rng: Rng = None) -> Data:
    """Make a circle of radius 1, class 0, around one of radius 1/2, class 1.

    >>> X, y = circles(4, noise=0.0, rng=0)
    >>> [round(math.hypot(*x), 12) for x in X], y
    ([1.0, 1.0, 0.5, 0.5], [0, 0, 1, 1])
    """

    def point(k: int, share: float, draw: random.Random) -> tuple[float, float]:
        radius, angle = (0.5 if k else 1.0), draw.uniform(0.0, 2.0 * math.pi)
        return radius * math.cos(angle), radius * math.sin(angle)

    return _make("circles", n, 2, noise, rng, point)


def xor(n: int = 100, noise: float = 0.1, rng: Rng = None) -> Data:
    """Make points in a square around 0. The class is 1 if the signs of x_1 and x_2 differ.

    >>> X, y = xor(20, noise=0.0, rng=0)
    >>> all((a * b < 0) == (k == 1) for (a, b), k in zip(X, y))
    True
    """

    def point(k: int, share: float, draw: random.Random) -> tuple[float, float]:
        a, b = draw.uniform(0.0, 1.0), draw.uniform(0.0, 1.0)
        sign = draw.choice((-1.0, 1.0))
        return sign * a, (-sign if k else sign) * b

    return _make("xor", n, 2, noise, rng, point)


def spirals(n: int = 100, noise: float = 0.05, rng: Rng = None, *, classes: int = 2, turns: float = 1.0) -> Data:
    """Make spirals that wind out from 0, one for each class.

    >>> X, y = spirals(6, noise=0.0, rng=0, classes=3)
    >>> y
    [0, 0, 1, 1, 2, 2]
    """

    def point(k: int, share: float, draw: random.Random) -> tuple[float, float]:
        angle = 2.0 * math.pi * (turns * share + k / classes)
        return share * math.cos(angle), share * math.sin(angle)

    return _make("spirals", n, classes, noise, rng, point)


def blobs(n: int = 100, noise: float = 0.5, rng: Rng = None, *, classes: int = 2) -> Data:
    """Make round clouds around points that stand evenly on a circle of radius 2.

    >>> X, y = blobs(3, noise=0.0, rng=0, classes=3)
    >>> [round(math.hypot(*x), 12) for x in X]
    [2.0, 2.0, 2.0]
    """

    def point(k: int, share: float, draw: random.Random) -> tuple[float, float]:
        angle = 2.0 * math.pi * k / classes
        return 2.0 * math.cos(angle), 2.0 * math.sin(angle)

    return _make("blobs", n, classes, noise, rng, point)


def flower(n: int = 400, noise: float = 0.2, rng: Rng = None) -> Data:
    r"""Make the planar flower, a usual example for a two-layer net: four petals of each class.

    The petals are the rose $r = 4 \sin 4\theta$, one class for each half turn of the angle; the noise is
    in the angle and in the radius.

    >>> X, y = flower(6, rng=0)
    >>> len(X), y
    (6, [0, 0, 0, 1, 1, 1])
    """
    _check("flower", n, 2, noise)

    def point(k: int, share: float, draw: random.Random) -> tuple[float, float]:
        angle = math.pi * (k + share) + draw.gauss(0.0, noise)
        radius = 4.0 * math.sin(4.0 * angle) + draw.gauss(0.0, noise)
        return radius * math.sin(angle), radius * math.cos(angle)

    return _make("flower", n, 2, 0.0, rng, point)


def _check(name: str, n: int, classes: int, noise: float) -> None:
    if classes < 2:
        raise ValueError(f"{name}: classes must be 2 or more, not {classes}")
    if n < classes:
        raise ValueError(f"{name}: n must be {classes} or more, a point for each class, not {n}")
    if not noise >= 0:
        raise ValueError(f"{name}: the noise must not be negative, but is {noise:g}")


def _make(
    name: str,
    n: int,
    classes: int,
    noise: float,
    rng: Rng,
    point: Callable[[int, float, random.Random], tuple[float, float]],
) -> Data:
    """Make n points, with classes in turn and of equal sizes. In each class, a share goes from 0 to 1."""
    _check(name, n, classes, noise)
    draw = generator(rng)
    X: list[list[float]] = []
    y: list[int] = []
    for k in range(classes):
        size = n // classes + (k < n % classes)
        for i in range(size):
            a, b = point(k, i / max(1, size - 1), draw)
            X.append([a + noise * draw.gauss(0.0, 1.0), b + noise * draw.gauss(0.0, 1.0)])
            y.append(k)
    return X, y
