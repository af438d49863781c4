r"""Neurons that are equal and stay equal: the reason why weights must start at random.

Take two neurons of a hidden layer with equal incoming weights, equal biases and activations, and equal outgoing
weights. If you swap them, the net does not change, and so the gradient does not change: $\partial J / \partial w$ is
equal for both. After a step of gradient descent, or of any optimizer with the same rule for all parameters, they are
equal again. By induction they stay equal for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from .layers import Layer, Sequential


@dataclass(frozen=True)
class Symmetries:
    """The groups of equal neurons: `groups` lists each as its layer and its neurons, counted from 1."""

    groups: tuple[tuple[int, tuple[int, ...]], ...]

    def __bool__(self) -> bool:
        return bool(self.groups)

    def __str__(self) -> str:
        if not self.groups:
            return "no two neurons of a hidden layer are equal"
        return "\n".join(
            f"layer {l}: neurons {', '.join(map(str, js))} compute the same and stay equal: "
            f"equal rows of W^[{l}] and b^[{l}], equal columns of W^[{l + 1}]"
            for l, js in self.groups
        )

    __repr__ = __str__


def symmetries(net: Sequential) -> Symmetries:
    """Find the neurons of each hidden layer that compute the same and stay equal under training.

    Two neurons are reported if their incoming weights, biases, activations and outgoing weights are equal. This
    condition is sufficient, and it is exact also for floats.

    Raises:
        TypeError: the net is not made of layers.

    >>> from autograd_mini import nn
    >>> nn.symmetries(nn.two_layer_net(2, 3, init="zeros"))
    layer 1: neurons 1, 2, 3 compute the same and stay equal: equal rows of W^[1] and b^[1], equal columns of W^[2]
    >>> nn.symmetries(nn.two_layer_net(2, 3, rng=0))
    no two neurons of a hidden layer are equal
    """
    if not isinstance(net, Sequential) or not all(isinstance(layer, Layer) for layer in net.layers):
        raise TypeError(f"symmetries: give a net of layers, such as an MLP, not {net!r}")
    groups = []
    for l, (layer, after) in enumerate(zip(net.layers, net.layers[1:], strict=False), 1):
        alike: dict[tuple[object, ...], list[int]] = {}
        for j, neuron in enumerate(layer.neurons):
            coming = (neuron._activation, neuron.b.data, *(w.data for w in neuron.w))
            going = (row[j].data for row in after.W)
            alike.setdefault((*coming, *going), []).append(j + 1)
        groups += [(l, tuple(js)) for js in alike.values() if len(js) > 1]
    return Symmetries(tuple(groups))
