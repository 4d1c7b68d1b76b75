"""Multiply-adds of a network, the cost that channel pruning lowers: one for each weight of a kernel and each position.

Counted as papers on mobile networks do (Howard et al. 2017, 3.1): additions of biases, normalisations, activations,
pooling and merging are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.errors import RecipeError

if TYPE_CHECKING:
    import keras

CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D")
TRANSPOSED = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
SEPARABLE = ("SeparableConv1D", "SeparableConv2D")


def multiply_adds(model: keras.Model) -> int:
    """Return the multiply-adds of one inference at batch 1: those of convolutions (every kind) and of dense layers.

    Layers of nested models and every call of a shared layer count. Raises `RecipeError` when the model is a subclass,
    whose forward pass is code, or when a layer's input has no fixed size.
    """
    total = 0
    for call in calls(model):
        if hasattr(call.operation, "layers"):
            total += multiply_adds(call.operation)
        else:
            name = kind(call.operation)
            if name == "Dense" or name in CONVOLUTIONS + TRANSPOSED + DEPTHWISE + SEPARABLE:
                sizes = (int(np.prod(each.shape)) for each in call.operation.weights if each.name.endswith("kernel"))
                total += positions(call) * sum(sizes)
    return total


def calls(model: keras.Model) -> Iterator[Any]:
    """Yield the nodes of a functional or sequential model, inputs first: an ``operation`` and its tensors each.

    Raises `RecipeError` for any other model.
    """
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):
        raise RecipeError(
            f"{model.name} is no functional model ({type(model).__name__}): its forward pass is code, which cannot be "
            "followed; build it from layers as keras.Model(inputs, outputs), or as a keras.Sequential with an Input"
        )
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        yield from graph._nodes_by_depth[depth]


def kind(layer: Any) -> str:
    """Return the name of a layer's class when Keras itself defines it, and "" for any other, a subclass included."""
    import keras

    name = type(layer).__name__
    return name if type(layer) is getattr(keras.layers, name, None) else ""


def positions(call: Any) -> int:
    """Return at how many positions a convolution or dense layer applies its kernel in one call, at batch 1.

    A transposed convolution applies it at every position of its input, any other of its output.
    """
    (tensor,) = call.input_tensors if kind(call.operation) in TRANSPOSED else call.output_tensors
    if None in tensor.shape[1:]:
        raise RecipeError(
            f"layer {call.operation.name}: its size {tensor.shape} is not fixed, so multiply-adds cannot be counted; "
            "give the model an input of a fixed size"
        )
    return int(np.prod(tensor.shape[1:-1]))
