"""TFMOT through the bridge on the blocks that deep classifiers are made of, batch normalisation in each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from compress.pruning.magnitude import Retrain
from compress.quantization.litert import write_litert
from compress.runtime.session import open_session
from compress.subject import Dataset, Training
from compress.tfmot import qat
from compress.tfmot.bridge import to_keras3
from compress.tfmot.cluster import Cluster
from compress.tfmot.prune import TfmotPrune
from compress.tfmot.qat import QuantizationAwareTraining
from compress.training import kernels

if TYPE_CHECKING:
    import keras

TRAINING = Training(epochs=1, batch_size=32, learning_rate=1e-2)


@pytest.fixture(scope="module")
def colours() -> Dataset:
    """160 noisy 16 x 16 images of four classes in colour to train on, 40 to score."""
    generator = np.random.default_rng(0)
    prototypes, labels = generator.normal(size=(4, 16, 16, 3)), generator.integers(4, size=200)
    images = (prototypes[labels] + generator.normal(size=(200, 16, 16, 3))).astype(np.float32)
    return Dataset("colours", images[:160], labels[:160], images[160:], labels[160:])


def normalised(layers: Any, x: Any, **options: Any) -> Any:
    return layers.BatchNormalization(momentum=0.5, **options)(x)


def inverted_residual(layers: Any, x: Any) -> Any:
    """Expand, depthwise, project and add, as in MobileNetV2; then again by a stride of two, padded by hand."""
    y = layers.ReLU(6.0)(normalised(layers, layers.Conv2D(16, 1, use_bias=False)(x)))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
    y = layers.ReLU(6.0)(normalised(layers, y))
    x = layers.Add()([x, normalised(layers, layers.Conv2D(8, 1, use_bias=False)(y))])
    y = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    return layers.ReLU(6.0)(normalised(layers, layers.DepthwiseConv2D(3, 2, use_bias=False)(y)))


def bottleneck(layers: Any, x: Any) -> Any:
    """A padded max pooling, then 1 x 1, 3 x 3, 1 x 1 beside a projection, as in ResNet50."""
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))
    y = layers.Activation("relu")(normalised(layers, layers.Conv2D(8, 1)(x)))
    y = layers.Activation("relu")(normalised(layers, layers.Conv2D(8, 3, padding="same")(y)))
    y = normalised(layers, layers.Conv2D(16, 1)(y))
    return layers.Activation("relu")(layers.Add()([normalised(layers, layers.Conv2D(16, 1)(x)), y]))


def mixed(layers: Any, x: Any) -> Any:
    """Branches of 1 x 1, 1 x 5 then 5 x 1, and a pooled one, concatenated, as in InceptionV3."""

    def convolved(y: Any, size: int | tuple[int, int]) -> Any:
        y = layers.Conv2D(8, size, padding="same", use_bias=False)(y)
        return layers.Activation("relu")(normalised(layers, y, scale=False))

    pooled = layers.AveragePooling2D(3, 1, padding="same")(x)
    return layers.Concatenate()([convolved(x, 1), convolved(convolved(x, (1, 5)), (5, 1)), convolved(pooled, 1)])


def reduction(layers: Any, x: Any) -> Any:
    """A convolution of stride two and a pooling of the same input, concatenated, as InceptionV3 halves a map."""
    convolved = layers.Activation("relu")(normalised(layers, layers.Conv2D(8, 3, 2, "same", use_bias=False)(x)))
    return layers.Concatenate()([convolved, layers.MaxPooling2D(3, 2, "same")(x)])


def classifier(*blocks: Callable[[Any, Any], Any]) -> keras.Model:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.Activation("relu")(normalised(layers, x))
    for block in blocks:
        x = block(layers, x)
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x)), name="deep")


def distance(one: Any, other: Any) -> float:
    return float(np.mean(np.abs(one - other)))


@pytest.mark.parametrize("block", [inverted_residual, bottleneck, mixed, reduction])
def test_a_model_comes_back_from_quantization_aware_training_computing_what_it_computed_there(
    colours, monkeypatch, block: Any
) -> None:
    import keras

    trained_there = []

    def capturing(wrapped: Any, like: keras.Model) -> keras.Model:
        trained_there.append(wrapped)
        return to_keras3(wrapped, like)

    monkeypatch.setattr(qat, "to_keras3", capturing)
    model = Retrain(epochs=4).transform(classifier(block), colours, TRAINING, seed=0)
    x = colours.evaluation_x
    returned = QuantizationAwareTraining().transform(model, colours, TRAINING, seed=0)
    there, here = trained_there[0](x, training=False).numpy(), returned(x, training=False).numpy()
    int8 = write_litert(returned, "int8", calibration=colours.calibration(100))
    rounded = open_session(int8, "litert").invoke(x)
    for layer, before in zip(returned.layers, model.layers, strict=True):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(before.moving_mean)
            layer.moving_variance.assign(before.moving_variance)
    stale = distance(returned(x, training=False).numpy(), here)
    assert distance(there, here) < 0.008 < 0.012 < stale
    assert distance(rounded, here) < 0.008


def test_activation_ranges_begin_at_what_the_given_model_computes_of_the_calibration_samples(
    colours, monkeypatch
) -> None:
    import keras

    begun: dict[str, float] = {}

    def capturing(wrapped: Any, *_: Any, **__: Any) -> None:
        variables = {f"{layer.name}/{v.name.rpartition('/')[2]}": v for layer in wrapped.layers for v in layer.weights}
        begun.update({name: float(v) for name, v in variables.items() if v.shape.rank == 0})

    monkeypatch.setattr(qat, "fit", capturing)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = keras.layers.AveragePooling2D(2, name="pool")(x)
    logits = keras.layers.Dense(4, name="logits")(keras.layers.Flatten()(x))
    outputs = keras.layers.Dense(4, activation="softmax", name="dense")(logits)
    model = keras.Model(inputs, outputs)
    model.get_layer("conv").kernel.assign(model.get_layer("conv").kernel * 20)
    QuantizationAwareTraining(calibration=7).transform(model, colours, TRAINING, seed=0)
    taps = keras.Model(inputs, [model.get_layer("conv").output, x, logits])
    conv, pool, middle = (tap.numpy() for tap in taps(colours.train_x[:7]))
    dense = model.get_layer("dense")
    before_softmax = middle @ dense.kernel.numpy() + dense.bias.numpy()
    assert conv.max() > 20
    expected = {"conv/post_activation": conv, "pool/output": pool, "logits/post_activation": middle}
    for place, values in {**expected, "dense/pre_activation": before_softmax}.items():
        lowest, highest = begun[f"quant_{place}_min:0"], begun[f"quant_{place}_max:0"]
        np.testing.assert_allclose((lowest, highest), (min(values.min(), 0), values.max()), rtol=1e-4)


@pytest.mark.parametrize("step", [TfmotPrune(0.75), Cluster(16)])
def test_every_convolution_of_a_deep_model_is_compressed_but_the_depthwise_ones(colours, step: Any) -> None:
    model = classifier(inverted_residual, bottleneck, mixed)
    compressed = step.transform(model, colours, TRAINING, seed=0)
    assert [weight.path for weight in compressed.weights] == [weight.path for weight in model.weights]
    for path, kernel in kernels(compressed).items():
        values, depthwise = kernel.numpy(), "depthwise" in path
        if isinstance(step, TfmotPrune):
            assert np.mean(values == 0) == (0 if depthwise else 0.75)
        else:
            assert (len(np.unique(values)) > 16) == depthwise
    before, after = model(colours.evaluation_x).numpy(), compressed(colours.evaluation_x).numpy()
    assert distance(before, after) > 0.01
