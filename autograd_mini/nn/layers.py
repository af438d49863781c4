r"""Neurons, layers and nets. All numbers have the names that they have in the text.

This module owns $z = W a + b$ and $a = g(z)$. The labels $z_j^{[l](i)}$ have the layer l, the neuron j and the example
i, and `draw` makes its clusters from them. The module must not know losses or training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from ..given import count
from ..hints import ACTIVATIONS, LAYERS, closest, keywords
from ..ops import OPS, Op, identity
from ..printing import counted
from ..structure import Tree
from ..sums import dot
from ..value import Value
from .initializers import Initializer, Rng, generator, initializer
from .module import Module

if TYPE_CHECKING:
    from ..signatures import Outputs

Part: TypeAlias = Any  # a part of a net: a module, or a function
Activation = str | Callable[[Any], Any] | None


class Neuron(Module):
    r"""Compute $a = g(z)$ with $z = w \cdot x + b$.

    Args:
        n_in: the number of inputs.
        activation: a row's name, such as "sigmoid", a function of one number, or None for z itself.
        init: a name or a function that draws a weight, see `autograd_mini.nn.initializers`. b is 0.
        rng: a `random.Random`, a NumPy `Generator` or a seed, from which the weights are drawn.
        n_out: the size of the layer, for initializers that use it.

    Raises:
        ValueError: no activation or initializer has that name, or n_in is less than 1.

    >>> neuron = Neuron(2, "tanh", rng=0)
    >>> a = neuron([1.0, -1.0])
    >>> a.label, [w.label for w in neuron.w]
    ('a', ['w_1', 'w_2'])
    """

    @keywords(LAYERS)
    def __init__(
        self,
        n_in: int,
        activation: Activation = "relu",
        *,
        init: str | Initializer | None = None,
        rng: Rng = None,
        n_out: int = 1,
    ) -> None:
        n_in = count("Neuron: n_in", n_in)
        self._activation = _activation(activation)
        draw, source = initializer(init, _name(self._activation)), generator(rng)
        self.w = [Value(draw(n_in, n_out, source), f"w_{index(k)}") for k in range(1, n_in + 1)]
        self.b = Value(0.0, "b")
        self._z, self._a = "z", "a"
        self._where = "Neuron"

    def __call__(self, x: Tree, example: int | None = None) -> Value:
        """Return a for the inputs of one example. The labels get the number of the example, if it is given."""
        return self._fire(_inputs(self._where, len(self.w), x), example)

    def _fire(self, x: Tree, example: int | None) -> Value:
        try:
            z: Value = dot(self.w, x, self.b)
        except TypeError:
            _refuse_rows(self._where, x)
            raise
        of = "" if example is None else f"({example})"
        if self._activation is identity:
            z.label = self._a + of
            return z
        z.label = self._z + of
        a = self._activation(z)
        if not isinstance(a, Value):
            raise TypeError(f"{self._where}: the activation must give a Value, not {a!r}")
        a.label = self._a + of
        return a

    @property
    def label_of_z(self) -> str:
        """Return the label of z. In a linear neuron, z is the node a."""
        return self._a if self._activation is identity else self._z

    def _label(self, layer: int, j: int, alone: bool) -> None:
        """Label all parts by their place: neuron j of layer l."""
        sub, above = "" if alone else f"_{index(j)}", f"^[{layer}]"
        self._z, self._a = f"z{sub}{above}", f"a{sub}{above}"
        self._where = f"layer {layer}, neuron {j}"
        comma = "," if j > 9 or len(self.w) > 9 else ""
        for k, w in enumerate(self.w, 1):
            w.label = f"W_{{{j}{comma}{k}}}{above}"
        self.b.label = f"b{sub}{above}"

    def __repr__(self) -> str:
        return f"Neuron({len(self.w)}, {_name(self._activation)!r})"


class Layer(Module):
    r"""Compute $a^{[l]} = g(W^{[l]} a^{[l-1]} + b^{[l]})$ with one neuron for each row of W.

    A call with the inputs of one example returns the list of activations. If the layer has only one neuron, it returns
    the Value without a list, as micrograd does.

    Args:
        n_in: the number of inputs.
        n_out: the number of neurons.
        activation, init, rng: as in `Neuron`.

    >>> layer = Layer(3, 2, "sigmoid", init="zeros")
    >>> [a.data for a in layer([1.0, 2.0, 3.0])]
    [0.5, 0.5]
    """

    @keywords(LAYERS)
    def __init__(
        self,
        n_in: int,
        n_out: int,
        activation: Activation = "relu",
        *,
        init: str | Initializer | None = None,
        rng: Rng = None,
    ) -> None:
        n_in, n_out = count("Layer: n_in", n_in), count("Layer: n_out", n_out)
        source = generator(rng)
        self.neurons = [Neuron(n_in, activation, init=init, rng=source, n_out=n_out) for _ in range(n_out)]
        self._where = "Layer"
        self._label(1)

    @property
    def n_in(self) -> int:
        """Return the number of inputs."""
        return len(self.neurons[0].w)

    @property
    def n_out(self) -> int:
        """Return the number of neurons."""
        return len(self.neurons)

    @property
    def W(self) -> list[list[Value]]:  # the text's name
        """Return the weights as a matrix, a row for each neuron, n_out by n_in."""
        return [neuron.w for neuron in self.neurons]

    @property
    def b(self) -> list[Value]:
        """Return the biases, one for each neuron."""
        return [neuron.b for neuron in self.neurons]

    @property
    def activation(self) -> Callable[[Any], Any]:
        """Return g."""
        return self.neurons[0]._activation

    def __call__(self, x: Tree, example: int | None = None) -> Outputs:
        """Return the activations for the inputs of one example: a Value, or a list if there are several."""
        inputs = _inputs(self._where, self.n_in, x)
        outputs = [neuron._fire(inputs, example) for neuron in self.neurons]
        answer: Any = outputs[0] if len(outputs) == 1 else outputs
        return answer  # type: ignore[no-any-return]

    def _label(self, layer: int) -> None:
        self._where = f"layer {layer}"
        for j, neuron in enumerate(self.neurons, 1):
            neuron._label(layer, j, alone=len(self.neurons) == 1)

    def __repr__(self) -> str:
        return f"Layer({self.n_in}, {self.n_out}, {_name(self.activation)!r})"


class Sequential(Module):
    """Compute one module after the other. The labels number the layers from 1.

    Args:
        layers: modules and functions. A row of the table acts on each number, and any other function acts on the list
            of numbers.

    >>> from autograd_mini import softmax
    >>> net = Sequential(Layer(2, 3, "tanh", rng=0), Layer(3, 2, None, rng=1), softmax)
    >>> round(sum(p.data for p in net([0.5, -0.5])), 12)
    1.0
    """

    def __init__(self, *layers: Part) -> None:
        if not layers or not all(map(callable, layers)):
            raise TypeError(f"{type(self).__name__}: give modules and functions, not {layers!r}")
        self.layers = list(layers)
        width = l = 0
        for part in self._parts():
            if isinstance(part, Layer):
                l += 1
                if width and width != part.n_in:
                    raise ValueError(
                        f"layer {l} takes {counted(part.n_in, 'input')}, but layer {l - 1} has "
                        f"{counted(width, 'output')}"
                    )
                width = part.n_out
                part._label(l)
            elif not isinstance(part, Op):  # a function may change the number of values
                width = 0

    def _parts(self) -> Iterator[Part]:
        """Yield the parts in the order of computation, also the parts of nested Sequentials."""
        for layer in self.layers:
            if isinstance(layer, Sequential):
                yield from layer._parts()
            else:
                yield layer

    def __call__(self, x: Tree, example: int | None = None) -> Tree:
        """Return the output for the inputs of one example."""
        out: Tree = x
        for layer in self.layers:
            if isinstance(layer, (Neuron, Layer, Sequential)):
                out = layer(out, example)
            elif isinstance(layer, Op) and isinstance(out, (list, tuple)):
                out = [layer(a) for a in out]
            else:
                out = layer(out)
        return out

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(_name, self.layers))})"


class MLP(Sequential):
    """Stack layers: `MLP(3, [4, 4, 1])` has three inputs, two layers of four neurons, and one output.

    Args:
        n_in: the number of inputs.
        n_outs: the number of neurons of each layer.
        activation: the activation of all layers except the last.
        output: the activation of the last layer. None means a linear layer, as in micrograd.
        init, rng: as in `Neuron`.

    >>> net = MLP(3, [4, 4, 1], rng=0)
    >>> net
    MLP(3, [4, 4, 1], 'relu')
    >>> net([2.0, 3.0, -1.0]).label, len(net.parameters())
    ('a^[3]', 41)
    """

    if TYPE_CHECKING:

        def __call__(self, x: Tree, example: int | None = None) -> Outputs: ...  # noqa: D102

    @keywords(LAYERS)
    def __init__(
        self,
        n_in: int,
        n_outs: Sequence[int],
        activation: Activation = "relu",
        output: Activation = None,
        *,
        init: str | Initializer | None = None,
        rng: Rng = None,
    ) -> None:
        if not hasattr(n_outs, "__len__") or not len(n_outs):
            raise ValueError(f"MLP: n_outs must list the number of neurons of each layer, as [4, 4, 1], not {n_outs!r}")
        source = generator(rng)
        sizes = [n_in, *n_outs]
        super().__init__(
            *(
                Layer(a, b, activation if l < len(n_outs) else output, init=init, rng=source)
                for l, (a, b) in enumerate(pairwise(sizes), 1)
            )
        )

    def __repr__(self) -> str:
        sizes = [layer.n_out for layer in self.layers]
        hidden, output = (_name(self.layers[i].activation) for i in (0, -1))
        names = [repr(hidden)] if len(sizes) > 1 else []
        if output != "linear":
            names.append(f"output={output!r}")
        return f"MLP({', '.join([str(self.layers[0].n_in), str(sizes), *names])})"


def two_layer_net(
    n_x: int, n_h: int, n_y: int = 1, *, init: str | Initializer | None = "normal", rng: Rng = None
) -> MLP:
    r"""Make the net of the text: $z^{[l]} = W^{[l]} a^{[l-1]} + b^{[l]}$, sigmoid in both layers.

    By default, the weights are drawn as `randn * 0.01`, and the biases are 0.

    Args:
        n_x: the number of inputs.
        n_h: the number of hidden neurons.
        n_y: the number of outputs.

    >>> net = two_layer_net(2, 3, rng=0)
    >>> net([0.5, -1.0], example=3).label, net.layers[0].W[1][0].label, net.layers[1].b[0].label
    ('a^[2](3)', 'W_{21}^[1]', 'b^[2]')
    """
    return MLP(n_x, [n_h, n_y], "sigmoid", "sigmoid", init=init, rng=rng)


def _inputs(where: str, n: int, x: Tree) -> Any:
    """Return the checked inputs of one example as a list. A number is a list of one input."""
    if not hasattr(x, "__len__") and n == 1 and isinstance(x, (Value, Real)):
        return [x]
    if not hasattr(x, "__len__"):
        raise TypeError(f"{where}: expected a list of {counted(n, 'input')}, not {x!r}")
    if len(x) != n:
        hint = "; for many examples use nn.predict or nn.cost" if len(x) and hasattr(x[0], "__len__") else ""
        raise ValueError(f"{where}: expected {counted(n, 'input')}, {len(x)} given{hint}")
    return x


def _refuse_rows(where: str, x: Tree) -> None:
    """Raise an error if the inputs are rows, with advice on many examples."""
    if all(hasattr(row, "__len__") and not isinstance(row, str) for row in x) or getattr(x, "ndim", 1) > 1:
        raise TypeError(
            f"{where}: a net takes one example, not {counted(len(x), 'row')}: write nn.predict(net, X) for the "
            "outputs, or nn.cost(net, X, y)"
        ) from None


def index(k: int) -> str:
    """Write a subscript of a label, in braces if it has two digits."""
    return str(k) if k < 10 else f"{{{k}}}"


def _name(part: object) -> str:
    if part is identity:
        return "linear"
    if isinstance(part, Module):
        return repr(part)
    return getattr(part, "__name__", repr(part))


def _activation(activation: Activation) -> Callable[[Any], Any]:
    """Return the activation of that name: any row that can be called with one operand."""
    if activation is None or activation == "linear":
        return identity
    if isinstance(activation, str):
        op = OPS.get(activation)
        if op is None or op.arity != 1 + len(op.defaults):
            usual = "sigmoid, tanh, relu, leaky_relu, gelu, silu, softplus or None"
            hint = closest(activation, OPS, ACTIVATIONS)
            if activation == "softmax":
                hint = " (take nn.cross_entropy as the loss, on logits)"
            raise ValueError(f"activation: there is no {activation!r}{hint}; take {usual}")
        return op
    if not callable(activation):
        raise TypeError(f"activation: give a name or a function, not {activation!r}")
    return activation
