"""Plots of training with Matplotlib (extra `[plot]`). Each function returns the Axes of its plot.

This module must not know how nets are trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..pictures.theme import CLASSES, THEMES
from .cost import Examples, Net, Target, pairs_of, predict
from .layers import Layer, Sequential

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap

MISSING = 'plots need matplotlib: pip install ".[plot]"'
LIGHT = THEMES["light"]
HUES = [getattr(LIGHT, role) for role in CLASSES]


def plot_history(history: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Plot the cost against the epoch, from the result of `fit`.

    Raises:
        ValueError: the history has no epoch.
        ImportError: matplotlib is not installed.
    """
    costs = history["cost"] if isinstance(history, Mapping) else None
    if costs is None:
        raise TypeError(f"plot_history: give the result of fit, not {history!r}")
    if not costs:
        raise ValueError("plot_history: the history has no epoch")
    ax = _axes(ax)
    ax.plot(range(1, len(costs) + 1), costs, color=LIGHT.gradient)
    ax.set(xlabel="epoch", ylabel="cost J", ylim=(0, None) if min(costs) >= 0 else None)
    ax.grid(alpha=0.3)
    return ax


def plot_decision_boundary(
    net: Net,
    X: Examples,
    y: Examples,
    ax: Axes | None = None,
    *,
    points: int = 80,
    threshold: float = 0.5,
) -> Axes:
    """Plot points of the plane with their classes, and the output of the net at every place as colour.

    Args:
        net: a net of two inputs. A single output is compared with `threshold`. Of several outputs, the largest gives
            the class. As in `accuracy`, use the threshold 0 for logits and for scores of -1 and 1.
        X: m points, m by 2.
        y: their classes.
        points: the number of points of the grid along each axis.

    Raises:
        ValueError: the points do not have two coordinates.
        ImportError: matplotlib is not installed.
    """
    inputs, targets = pairs_of(X, y)
    if len(inputs[0]) != 2:
        raise ValueError(f"plot_decision_boundary: expected points of 2 coordinates, not {len(inputs[0])}")
    ax = _axes(ax)
    xs, ys = (_grid([row[i] for row in inputs], points) for i in (0, 1))
    places = [[a, b] for b in ys for a in xs]
    outputs = predict(net, places)
    several = isinstance(outputs[0], list)
    found = [float(out.index(max(out))) if several else out for out in outputs]
    rows = [found[i : i + points] for i in range(0, len(found), points)]
    if several:
        classes = len(outputs[0])
        levels = [k - 0.5 for k in range(classes + 1)]
        ax.contourf(xs, ys, rows, levels=levels, colors=[HUES[k % len(HUES)] for k in range(classes)], alpha=0.25)
    else:
        spread = max(abs(v - threshold) for v in found) or 1.0
        levels = [threshold + spread * k / 8 for k in range(-8, 9)]
        ax.contourf(xs, ys, rows, levels=levels, cmap=_signs(), alpha=0.5)
        if min(found) < threshold < max(found):
            ax.contour(xs, ys, rows, levels=[threshold], colors="#1a1a1a", linewidths=1.2)
    for place, k in enumerate(sorted({_class(t) for t in targets})):
        members = [row for row, t in zip(inputs, targets, strict=True) if _class(t) == k]
        ax.scatter(
            [a for a, _ in members],
            [b for _, b in members],
            color=HUES[place % len(HUES)],
            edgecolors="white",
            linewidths=0.5,
            s=22,
            marker="os^Dv"[place % 5],  # classes also differ in shape
            label=f"y = {k:g}",
        )
    ax.legend(loc="upper right", fontsize="small")
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(xs[0], xs[-1]), ylim=(ys[0], ys[-1]))
    return ax


def plot_weights(net: Sequential, axes: Any = None) -> Any:
    """Plot the matrix W of each layer in colour, with the biases as the last column. Return the array of Axes.

    Raises:
        TypeError: the net has no layers.
        ImportError: matplotlib is not installed.
    """
    layers = [layer for layer in getattr(net, "layers", []) if isinstance(layer, Layer)]
    if not layers:
        raise TypeError(f"plot_weights: give a net of layers, such as an MLP, not {net!r}")
    if axes is None:
        axes = _pyplot().subplots(1, len(layers), squeeze=False, layout="constrained")[1][0]
    size = max(abs(p.data) for layer in layers for p in layer.parameters()) or 1.0  # one scale for all
    for l, (layer, ax) in enumerate(zip(layers, axes, strict=True), 1):
        rows = [[w.data for w in neuron.w] + [neuron.b.data] for neuron in layer.neurons]
        image = ax.imshow(rows, cmap=_signs(), vmin=-size, vmax=size)
        ax.set_title(f"$W^{{[{l}]}}$, $b^{{[{l}]}}$")
        ax.set_xticks(range(layer.n_in + 1), [*map(str, range(1, layer.n_in + 1)), "b"])
        ax.set_yticks(range(layer.n_out), list(map(str, range(1, layer.n_out + 1))))
        ax.set(xlabel="from", ylabel="neuron")
        ax.figure.colorbar(image, ax=ax, shrink=0.7)
    return axes


def _class(target: Target) -> float:
    return float(target.index(max(target)) if isinstance(target, list) else target)


def _grid(xs: list[float], points: int) -> list[float]:
    margin = 0.1 * (max(xs) - min(xs) or 1.0)
    lo, hi = min(xs) - margin, max(xs) + margin
    return [lo + (hi - lo) * i / (points - 1) for i in range(points)]


def _signs() -> LinearSegmentedColormap:
    """Return the colours from negative numbers to positive ones, with the page's colour between."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("signs", [LIGHT.negative, LIGHT.page, LIGHT.positive])


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    axes: Axes = _pyplot().subplots()[1]
    return axes


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(MISSING) from error
    return plt
