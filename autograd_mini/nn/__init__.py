"""Neurons, layers and nets of scalars, with losses, optimizers and training.

>>> from autograd_mini import nn
>>> X, y = nn.datasets.moons(40, rng=0)
>>> net = nn.MLP(2, [8, 1], "tanh", "sigmoid", rng=0)
>>> history = nn.fit(net, X, y, epochs=100, progress=False)
>>> nn.accuracy(net, X, y) > 0.9
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import datasets as datasets, initializers as initializers
from .cost import accuracy as accuracy, cost as cost, predict as predict
from .history import History as History
from .layers import (
    MLP as MLP,
    Layer as Layer,
    Neuron as Neuron,
    Sequential as Sequential,
    two_layer_net as two_layer_net,
)
from .losses import (
    binary_cross_entropy as binary_cross_entropy,
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
    cross_entropy as cross_entropy,
    hinge as hinge,
    log_loss as log_loss,
    mean_squared_error as mean_squared_error,
)
from .module import Module as Module
from .optimizers import (
    LBFGS as LBFGS,
    SGD as SGD,
    Adam as Adam,
    AdamW as AdamW,
    Optimizer as Optimizer,
    RMSProp as RMSProp,
    cosine as cosine,
    exponential as exponential,
    steps as steps,
    warmup as warmup,
)
from .plots import (
    plot_decision_boundary as plot_decision_boundary,
    plot_history as plot_history,
    plot_weights as plot_weights,
)
from .recover import Comparison as Comparison, recover_formulas as recover_formulas
from .symmetry import Symmetries as Symmetries, symmetries as symmetries
from .training import TrainingError as TrainingError, fit as fit

if not TYPE_CHECKING:  # type checkers report a misspelt name as an error

    def __getattr__(name: str) -> Any:
        import sys

        from ..hints import NN, missing

        raise missing(sys.modules[__name__], name, NN)
