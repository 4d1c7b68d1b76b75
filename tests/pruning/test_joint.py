"""Pruning and rounding in one training: what the forward pass sees, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compress.errors import RecipeError
from compress.pruning.axes import kernel_axes
from compress.pruning.joint import PruneQat, RoundedZeros, rounded
from compress.pruning.magnitude import Prune, magnitude_zeros
from compress.pruning.masks import kept_count
from compress.recipe import Recipe
from compress.training import kernels, retrain


def test_rounding_keeps_zero_and_each_channels_largest_weight_and_moves_none_by_more_than_half_a_step() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 64, 5)).astype(np.float32) * [1, 2, 0, 1e-6, 1e6]
    kernel[..., 0][kernel[..., 0] < 0.5] = 0
    seen = rounded(kernel.astype(np.float32), (3,)).numpy()
    largest = np.abs(kernel).max(axis=(0, 1, 2))
    assert np.all(seen[kernel == 0] == 0)
    np.testing.assert_allclose(np.abs(seen).max(axis=(0, 1, 2)), largest, rtol=1e-6)
    assert np.all(np.abs(seen - kernel) <= largest / 127 * 0.5001)
    assert all(len(np.unique(seen[..., channel])) <= 255 for channel in range(5))
    assert len(np.unique(seen)) > 255


def test_the_grid_is_the_one_that_litert_rounds_to() -> None:
    import keras
    from ai_edge_litert.interpreter import Interpreter

    from compress.quantization.litert import write_litert

    layers = keras.layers
    inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(32, 3, name="conv")(inputs)
    x = layers.DepthwiseConv2D(7 - 1, depth_multiplier=16, name="depthwise")(x)
    model = keras.Model(inputs, layers.Dense(40, name="dense")(layers.Flatten()(x)))
    rng = np.random.default_rng(0)
    for kernel in kernels(model).values():  # a weight half way between two steps may go either way
        kernel.assign(rng.normal(size=kernel.shape).astype(np.float32))
    calibration = rng.normal(size=(4, 8, 8, 4)).astype(np.float32)
    interpreter = Interpreter(model_content=write_litert(model, "int8", calibration=calibration))
    interpreter.allocate_tensors()
    stored = [
        interpreter.get_tensor(each["index"]) * each["quantization_parameters"]["scales"].reshape(shape)
        for each in interpreter.get_tensor_details()
        for shape in [[-1 if axis == each["quantization_parameters"]["quantized_dimension"] else 1
                       for axis in range(len(each["shape"]))]]
        if each["dtype"] == np.int8 and len(each["quantization_parameters"]["scales"]) > 1
    ]  # fmt: skip
    axes = kernel_axes(model)
    for path, kernel in kernels(model).items():
        seen = np.sort(rounded(kernel.value, axes[path].outputs).numpy(), axis=None)
        (same,) = [each for each in stored if each.size == seen.size]
        np.testing.assert_allclose(np.sort(same, axis=None), seen, atol=1e-6)


def test_every_forward_pass_sees_at_most_255_values_a_channel_and_no_pruned_weight(data, training) -> None:
    import keras
    import tensorflow as tf

    class Recording(keras.layers.Dense):
        def call(self, inputs: Any, *_: Any, **__: Any) -> Any:
            ordered = tf.sort(self.kernel.value, axis=0)
            distinct = 1 + tf.math.count_nonzero(ordered[1:] != ordered[:-1], axis=0, dtype=tf.int32)
            self.most_distinct.assign(tf.maximum(self.most_distinct, tf.reduce_max(distinct)))
            self.most_seen.assign(tf.maximum(self.most_seen, tf.math.count_nonzero(self.kernel.value, dtype=tf.int32)))
            return super().call(inputs)

    def most_seen(rounding: bool) -> tuple[int, int]:
        layer = Recording(4)
        layer.most_distinct, layer.most_seen = tf.Variable(0), tf.Variable(0)
        stages = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.RepeatVector(20), keras.layers.Flatten()]
        model = keras.Sequential([*stages, layer])
        layer.most_distinct.assign(0)
        layer.most_seen.assign(0)
        zeros = magnitude_zeros({1: 0.25}, "global")
        constraint = RoundedZeros(zeros, kernel_axes(model)) if rounding else zeros
        retrain(model, data, training, teacher=model, epochs=1, seed=0, constraint=constraint)
        return int(layer.most_distinct.numpy()), int(layer.most_seen.numpy())

    kept = 1280 * 4 * 3 // 4
    of_rounded, of_float = most_seen(rounding=True), most_seen(rounding=False)
    assert 200 < of_rounded[0] <= 255 < of_float[0]
    assert of_rounded[1] <= kept == of_float[1]


def test_float_weights_come_back_and_the_pruned_are_exactly_zero(model, data, training) -> None:
    pruned = [kernel.numpy() for kernel in kernels(PruneQat(0.6).transform(model, data, training, seed=0)).values()]
    assert sum(np.count_nonzero(each) for each in pruned) == kept_count(36 + 576, 0.6)
    of_dense = pruned[1]
    codes = of_dense / (np.abs(of_dense).max(axis=0) / 127)
    assert np.count_nonzero(np.abs(codes - np.round(codes)) > 0.01) > 100


def test_the_rounding_is_felt_by_the_training(model, data, training) -> None:
    joint = PruneQat(0.6).transform(model, data, training, seed=0).get_weights()
    alone = Prune(0.6).transform(model, data, training, seed=0).get_weights()
    assert max(float(np.max(np.abs(one - other))) for one, other in zip(joint, alone, strict=True)) > 1e-4


def test_a_seed_fixes_the_weights_and_the_given_model_keeps_its_own(model, data, training) -> None:
    before = model.get_weights()
    runs = [PruneQat(0.8, epochs=1).transform(model, data, training, seed=seed).get_weights() for seed in (3, 3, 4)]
    assert all(np.array_equal(one, other) for one, other in zip(model.get_weights(), before, strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(runs[0], runs[1], strict=True))
    assert not all(np.array_equal(one, other) for one, other in zip(runs[0], runs[2], strict=True))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PruneQat(1.0), r"sparsity must be in \[0, 1\), got 1.0"),
        (lambda: PruneQat(0.5, initial_sparsity=-0.1), r"initial_sparsity must be in \[0, 1\), got -0.1"),
        (lambda: PruneQat(0.5, epochs=0), "epochs must be none or at least 1, got 0"),
        (lambda: PruneQat(0.5, epochs=-1), "epochs must be none or a whole number from 0, got -1"),
    ],
)
def test_a_step_that_cannot_be_is_refused_at_construction(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build()


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("prune_qat(0.9)", PruneQat(0.9)),
        ("prune_qat(0.9, initial_sparsity=0.2, epochs=3)", PruneQat(0.9, "global", 0.2, 3)),
    ],
)
def test_a_step_is_spelt_by_its_parameters(text: str, step: PruneQat) -> None:
    assert Recipe.parse(text).transforms == (step,)
    assert str(Recipe.parse(text)) == text
