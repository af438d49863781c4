r"""The text's gradient formulas, computed with NumPy and compared with the engine's gradients.

This module owns the six formulas for one example and the six for m examples. They are written here by hand, and the
engine does not know them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..ops import Op, sigmoid
from ..tables import as_html, as_text
from ..value import Value
from ..walks import topological_order
from .cost import Examples, cost, pairs_of
from .layers import MLP, Layer
from .losses import log_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMULAS = {  # for one example, and for m
    "dz2": ("a2 - y", "A2 - Y"),
    "dW2": ("dz2 a1^T", "1/m dZ2 A1^T"),
    "db2": ("dz2", "1/m sum(dZ2)"),
    "dz1": ("W2^T dz2 * g'(z1)", "W2^T dZ2 * g'(Z1)"),
    "dW1": ("dz1 x^T", "1/m dZ1 X^T"),
    "db1": ("dz1", "1/m sum(dZ1)"),
}


@dataclass(frozen=True)
class Row:
    """One gradient: the engine's numbers, the formula's numbers, and their difference."""

    name: str
    formula: str
    engine: NDArray[Any]  # arrays with the shape in the text
    expected: NDArray[Any]
    sizes: NDArray[Any]  # the sums of the absolute values of the terms of each number

    @property
    def difference(self) -> float:
        """Return the largest difference of two numbers, relative to the size of the terms that the formula adds."""
        apart = abs(self.engine - self.expected)
        return float((apart / (self.sizes + (self.sizes == 0.0))).max())


@dataclass(frozen=True)
class Comparison:
    """A table of gradients: `rows` has the data, and `print` writes it as text."""

    rows: tuple[Row, ...]
    examples: int

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"{name!r}: there are {', '.join(row.name for row in self.rows)}")

    @property
    def difference(self) -> float:
        """Return the largest of the rows' relative differences."""
        return max(row.difference for row in self.rows)

    def _cells(self) -> list[tuple[str, ...]]:
        cells: list[tuple[str, ...]] = [("gradient", "formula", "shape", "engine", "the formula's", "difference")]
        for row in self.rows:
            shape = "×".join(map(str, row.engine.shape))
            numbers = (_shown(row.engine), _shown(row.expected))
            cells.append((row.name, row.formula, shape, *numbers, f"{row.difference:.0e}"))
        return cells

    def _repr_html_(self) -> str:
        """Show the table in Jupyter."""
        return as_html(self._cells())

    def __str__(self) -> str:
        return as_text(self._cells())

    __repr__ = __str__


def _shown(array: NDArray[Any]) -> str:
    numbers = array.ravel().tolist()
    return ", ".join(f"{x:.4g}" for x in numbers[:2]) + (", …" if len(numbers) > 2 else "")


def recover_formulas(net: MLP, X: Examples, y: Examples) -> Comparison:
    r"""Compare the gradients that `backward()` computes for a two-layer net with the text's formulas.

    For one example, $dz_2 = a_2 - y$, $dW_2 = dz_2 a_1^T$, $db_2 = dz_2$, $dz_1 = W_2^T dz_2 * g'(z_1)$,
    $dW_1 = dz_1 x^T$, $db_1 = dz_1$. For m examples, with a column for each, $dZ_2 = A_2 - Y$,
    $dW_2 = \frac1m dZ_2 A_1^T$, $db_2 = \frac1m \sum dZ_2$, $dZ_1 = W_2^T dZ_2 * g'(Z_1)$,
    $dW_1 = \frac1m dZ_1 X^T$, $db_1 = \frac1m \sum dZ_1$.

    Afterwards, `.grad` of the parameters is the gradient of the cost.

    Args:
        net: a net of two layers. The activation of the second is sigmoid, and that of the first is a row of the table.
        X: the inputs, m by n_x, an example in each row. A single example may be a plain list.
        y: the targets.

    Raises:
        TypeError: the net is not such a net.
        ImportError: NumPy is not installed.

    >>> from autograd_mini import nn
    >>> net = nn.two_layer_net(2, 3, rng=0)
    >>> table = recover_formulas(net, [[1.0, 2.0], [0.5, -1.0]], [1, 0])
    >>> [row.formula for row in table.rows][:2], table.difference < 1e-12
    (['A2 - Y', '1/m dZ2 A1^T'], True)
    """
    try:
        import numpy as np
    except ImportError as error:
        raise ImportError('recover_formulas compares with NumPy: pip install ".[plot]"') from error
    layers = getattr(net, "layers", [])
    if [isinstance(layer, Layer) for layer in layers] != [True, True] or layers[1].activation is not sigmoid:
        raise TypeError(f"recover_formulas: give a net of two layers, the second with sigmoid, not {net!r}")
    first, second = layers
    g = first.activation
    if not isinstance(g, Op):
        raise TypeError(f"recover_formulas: the first layer's activation must be a row of the table, not {g!r}")
    if len(X) and not hasattr(X[0], "__len__"):
        X, y = [X], [y]
    inputs, targets = pairs_of(X, y)
    m = len(inputs)
    J = cost(net, inputs, targets, log_loss)
    net.zero_grad()
    J.backward()
    nodes = {node.label: node for node in topological_order(J)}

    def z(layer: Layer) -> list[list[Value]]:
        labels = [neuron.label_of_z for neuron in layer.neurons]
        return [[nodes[label + (f"({i})" if m > 1 else "")] for i in range(1, m + 1)] for label in labels]

    def numbers(matrix: list[list[Value]], what: str = "data") -> NDArray[Any]:
        return np.array([[getattr(node, what) for node in row] for row in matrix])

    engine = {
        "dz2": m * numbers(z(second), "grad"),  # J is a mean, but the text's dz belongs to the loss of one example
        "dW2": numbers(second.W, "grad"),
        "db2": numbers([second.b], "grad").T,
        "dz1": m * numbers(z(first), "grad"),
        "dW1": numbers(first.W, "grad"),
        "db1": numbers([first.b], "grad").T,
    }

    # From here on: the text's formulas, with a column for each example.
    x, y = np.array(inputs).T, np.array(targets, dtype=float).reshape(m, -1).T
    W1, b1, W2, b2 = numbers(first.W), numbers([first.b]).T, numbers(second.W), numbers([second.b]).T
    Z1 = W1 @ x + b1
    A1 = np.vectorize(g, otypes=[float])(Z1)
    with np.errstate(over="ignore"):  # 1 / inf is 0
        A2 = 1.0 / (1.0 + np.exp(-(W2 @ A1 + b2)))
    slope = np.vectorize(lambda z: g.partial(0, (z, *g.defaults), g(z)), otypes=[float])(Z1)
    dZ2 = A2 - y
    dZ1 = W2.T @ dZ2 * slope

    def sums(dZ2: NDArray[Any], dZ1: NDArray[Any], A1: NDArray[Any], x: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {
            "dz2": dZ2,
            "dW2": dZ2 @ A1.T / m,
            "db2": dZ2.sum(axis=1, keepdims=True) / m,
            "dz1": dZ1,
            "dW1": dZ1 @ x.T / m,
            "db1": dZ1.sum(axis=1, keepdims=True) / m,
        }

    expected = sums(dZ2, dZ1, A1, x)
    sizes = sums(A2 + y, abs(W2.T) @ (A2 + y) * abs(slope), abs(A1), abs(x))
    several = m > 1
    return Comparison(
        tuple(
            Row(
                name.replace("z", "Z") if several else name,
                formulas[several],
                engine[name],
                expected[name],
                sizes[name],
            )
            for name, formulas in FORMULAS.items()
        ),
        m,
    )
