"""The axes of a kernel, against what the layer's output does when one input is silenced or one output asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compress.pruning.axes import Axes, kernel_axes
from compress.training import kernels


def alone(shape: tuple[int, ...], build: Callable[[Any], Any]) -> Any:
    import keras

    inputs = keras.Input(shape)
    return keras.Model(inputs, build(keras.layers)(inputs))


@pytest.mark.parametrize(
    ("shape", "build", "axes"),
    [
        ((6,), lambda layers: layers.Dense(5), Axes((1,), 0)),
        ((9, 4), lambda layers: layers.Conv1D(5, 3), Axes((2,), 1)),
        ((9, 9, 4), lambda layers: layers.Conv2D(6, 3, groups=2), Axes((3,), 2)),
        ((9, 9, 4), lambda layers: layers.Conv2DTranspose(5, 3), Axes((2,), 3)),
        ((9, 9, 4), lambda layers: layers.DepthwiseConv2D(3, depth_multiplier=2), Axes((2, 3), None)),
        ((4, 6), lambda layers: layers.EinsumDense("abc,cde->abde", (None, 2, 3)), Axes((1, 2), 0)),
        ((4, 2, 3), lambda layers: layers.EinsumDense("abcd,cde->abe", (None, 5)), Axes((2,), 1)),
        ((4, 6), lambda layers: layers.EinsumDense("...x,xy->...y", 5), Axes((1,), 0)),
    ],
)
def test_the_axes_of_a_layer(shape: tuple[int, ...], build: Any, axes: Axes) -> None:
    assert list(kernel_axes(alone(shape, build)).values()) == [axes]


@pytest.mark.parametrize(
    ("shape", "build"),
    [
        ((6,), lambda layers: layers.Dense(5)),
        ((9, 9, 4), lambda layers: layers.Conv2D(5, 3)),
        ((9, 9, 4), lambda layers: layers.Conv2DTranspose(5, 3)),
        ((4, 6), lambda layers: layers.EinsumDense("abc,cde->abde", (None, 2, 3))),
    ],
)
def test_weights_along_the_input_axis_meet_the_inputs_in_their_order(shape: tuple[int, ...], build: Any) -> None:
    model = alone(shape, build)
    (kernel,), (axes,) = kernels(model).values(), kernel_axes(model).values()
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    images[..., 1] = 0
    before, values = model(images).numpy(), np.moveaxis(kernel.numpy(), axes.inputs, 0).copy()
    values[1] = 7
    kernel.assign(np.moveaxis(values, 0, axes.inputs))
    assert np.array_equal(model(images).numpy(), before)
    values[2] = 7
    kernel.assign(np.moveaxis(values, 0, axes.inputs))
    assert not np.allclose(model(images).numpy(), before)


def test_every_kernel_has_axes_those_of_nested_models_and_attention_too() -> None:
    import keras

    layers = keras.layers
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.SeparableConv2D(4, 3)], name="inner")
    inputs = keras.Input((8, 8, 4))
    x = layers.Reshape((36, 4))(inner(inputs))
    x = layers.LSTM(3)(layers.MultiHeadAttention(2, 3)(x, x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    assert kernel_axes(model).keys() == kernels(model).keys()
    assert {path: axes for path, axes in kernel_axes(model).items() if "separable" in path} == {
        f"inner/{inner.layers[0].name}/depthwise_kernel": Axes((2, 3), None),
        f"inner/{inner.layers[0].name}/pointwise_kernel": Axes((3,), 2),
    }
