"""The bridge to tf_keras: the same outputs to the last bit there, the same weights back, one clear error otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from compress.errors import BridgeError
from compress.tfmot.bridge import ACTIVATIONS, LAYERS, to_keras3, to_tf_keras

if TYPE_CHECKING:
    import keras
    import tf_keras

INPUT_SHAPES = {1: (9, 4), 2: (9, 8, 4), 3: (6, 5, 4, 4)}
PARAMETERS: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "tanh"},
    "Dense": {"units": 5, "activation": "relu", "kernel_regularizer": "l2", "kernel_constraint": "max_norm"},
    "DepthwiseConv2D": {"kernel_size": 3, "depth_multiplier": 2, "strides": 2},
    "Dot": {"axes": (3, 3)},
    "Embedding": {"input_dim": 11, "output_dim": 3},
    "GaussianNoise": {"stddev": 0.3},
    "LeakyReLU": {"negative_slope": 0.3},
    "Permute": {"dims": (2, 1, 3)},
    "ReLU": {"max_value": 6.0, "negative_slope": 0.1, "threshold": 0.2},
    "RepeatVector": {"n": 3},
    "Rescaling": {"scale": 1 / 127.5, "offset": -1},
    "Reshape": {"target_shape": (8, -1)},
}
MERGING = {"Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"}


def layer_alone(name: str) -> keras.Model:
    import keras

    parameters = PARAMETERS.get(name, {})
    if "Conv" in name and not parameters:
        parameters = {"filters": 4, "kernel_size": 3, "activation": "elu"}
    elif "Dropout" in name:
        parameters = {"rate": 0.3}
    elif name.startswith(("MaxPooling", "AveragePooling")):
        parameters = {"pool_size": 2}
    dimensions = re.search(r"(\d)D", name)
    shape = INPUT_SHAPES[int(dimensions[1]) if dimensions else 2]
    layer = getattr(keras.layers, name)(**parameters)
    if name in MERGING:
        inputs = [keras.Input(shape), keras.Input(shape)]
    elif name == "Embedding":
        inputs = keras.Input((7,), dtype="int32")
    else:
        inputs = keras.Input((4,) if name == "RepeatVector" else shape)
    return keras.Model(inputs, layer(inputs))


def with_random_weights(model: keras.Model) -> keras.Model:
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.1, 1, weight.shape).astype(np.float32) for weight in model.get_weights()])
    return model


def outputs(model: keras.Model | tf_keras.Model, like: keras.Model) -> list[Any]:
    generator = np.random.default_rng(1)
    inputs = [
        generator.integers(0, 11, (2, *each.shape[1:])) if each.dtype == "int32" else
        generator.normal(size=(2, *each.shape[1:])).astype(np.float32)
        for each in like.inputs
    ]  # fmt: skip
    returned = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [each.numpy() for each in (returned if isinstance(returned, (list, tuple)) else [returned])]


def assert_carried(model: keras.Model, tolerance: float = 0.0) -> None:
    """Assert that tf_keras computes what Keras 3 does, and that the weights come back, in place of others."""
    before = model.get_weights()
    carried = to_tf_keras(model)
    for ours, theirs in zip(outputs(model, model), outputs(carried, model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
    model.set_weights([np.zeros_like(weight) for weight in before])
    returned = to_keras3(carried, like=model)
    assert all(np.array_equal(one, other) for one, other in zip(returned.get_weights(), before, strict=True))
    assert not any(weight.any() for weight in model.get_weights())


@pytest.mark.parametrize("name", sorted(LAYERS - {"LayerNormalization"}))
def test_a_layer_computes_the_same_bits(name: str) -> None:
    assert_carried(with_random_weights(layer_alone(name)))


def test_layer_normalization_computes_the_same_but_for_rounding() -> None:
    assert_carried(with_random_weights(layer_alone("LayerNormalization")), tolerance=2e-6)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_an_activation_computes_the_same_bits(name: str) -> None:
    import keras

    inputs = keras.Input((40,))
    assert_carried(keras.Model(inputs, keras.layers.Activation(name)(inputs)))


@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [("MobileNetV2", (96, 96, 3), {"alpha": 0.35}), ("InceptionV3", (75, 75, 3), {})],
)
def test_a_keras_application_computes_the_same_bits(name: str, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    import keras

    model = getattr(keras.applications, name)(input_shape=shape, weights=None, classes=10, **options)
    generator = np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
    assert_carried(model)


def test_batch_statistics_are_updated_as_keras_3_updates_them() -> None:
    model = with_random_weights(layer_alone("BatchNormalization"))
    carried = to_tf_keras(model)
    batch = np.random.default_rng(0).normal(size=(2, 9, 8, 4)).astype(np.float32)
    model(batch, training=True)
    carried(batch, training=True)
    for ours, theirs in zip(model.get_weights(), carried.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def functional(build: Callable[[Any, Any], Any]) -> keras.Model:
    import keras

    inputs = keras.Input((6,), name="in")
    return keras.Model(inputs, build(keras.layers, inputs), name="net")


def shared_layer(layers: Any, x: Any) -> Any:
    shared = layers.Dense(6, name="shared")
    return layers.Add()([shared(layers.ReLU()(shared(x))), x])


def two_outputs(layers: Any, x: Any) -> Any:
    hidden = layers.Dense(4)(x)
    return [layers.Dense(2)(hidden), hidden]


def nested_twice(layers: Any, x: Any) -> Any:
    inner = functional(lambda layers, y: layers.Dense(6, name="dense")(y))
    import keras

    outer = keras.Sequential([keras.Input((6,)), inner, layers.BatchNormalization()], name="outer")
    return layers.Dense(2, name="dense")(outer(layers.Dropout(0.2)(x)))


def nested_and_shared(layers: Any, x: Any) -> Any:
    inner = functional(two_outputs)
    left, right = inner(x), inner(layers.ReLU()(x))
    return layers.Concatenate()([left[0], right[1]])


@pytest.mark.parametrize("build", [shared_layer, two_outputs, nested_twice, nested_and_shared])
def test_a_graph_of_this_kind_computes_the_same_bits(build: Callable[[Any, Any], Any]) -> None:
    assert_carried(with_random_weights(functional(build)))


def test_a_frozen_layer_stays_frozen() -> None:
    model = functional(lambda layers, x: layers.Dense(2)(layers.Dense(3, name="frozen", trainable=False)(x)))
    carried = to_tf_keras(model)
    assert [layer.name for layer in carried.layers if layer.weights and not layer.trainable] == ["frozen"]
    assert len(to_keras3(carried, like=model).trainable_variables) == 2


def custom_layer(layers: Any, x: Any) -> Any:
    class Doubling(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return 2 * inputs

    return Doubling(name="mine")(x)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda layers, x: layers.Lambda(lambda y: y, name="code")(x), r"layer code .*keras\.layers\.Lambda has no"),
        (custom_layer, r"layer mine .*Doubling has no counterpart"),
        (lambda layers, x: x + layers.Dense(6)(x), r"layer add\w* .*\.Add has no counterpart"),
        (lambda layers, x: layers.LSTM(3, name="memory")(layers.Reshape((6, 1))(x)), r"layer memory .*LSTM has no"),
        (lambda layers, x: layers.Dense(2, activation="hard_sigmoid", name="gate")(x), "layer gate .*hard_sigmoid"),
        (lambda layers, x: layers.BatchNormalization(renorm=True, name="renorm")(x), "layer renorm .*renorm=True"),
        (lambda _, x: functional(lambda layers, y: layers.Lambda(abs, name="deep")(y))(x), "layer deep .*Lambda"),
    ],
)
def test_what_tf_keras_cannot_do_is_refused_by_name_with_a_remedy(build: Any, message: str) -> None:
    with pytest.raises(BridgeError, match=f"{message}.*use prune"):
        to_tf_keras(functional(build))


def test_a_quantized_layer_is_refused() -> None:
    import keras

    policy = keras.dtype_policies.QuantizedDTypePolicy("int8", "float32")
    with pytest.raises(BridgeError, match=r"layer dense .*quantized already"):
        to_tf_keras(functional(lambda layers, x: layers.Dense(2, name="dense", dtype=policy)(x)))


def test_a_subclassed_model_is_refused_with_the_way_to_build_it() -> None:
    import keras

    class Mine(keras.Model):
        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(BridgeError, match=r"'mine' is a subclass .*Mine.*keras\.Model\(inputs, outputs\)"):
        to_tf_keras(Mine(name="mine"))


def test_a_model_without_weights_yet_is_refused() -> None:
    import keras

    with pytest.raises(BridgeError, match=r"'late' has no weights yet; .*keras\.Input"):
        to_tf_keras(keras.Sequential([keras.layers.Dense(2)], name="late"))


def test_a_layer_that_did_not_come_back_is_named() -> None:
    model = functional(lambda layers, x: layers.Dense(2, name="kept")(x))
    other = functional(lambda layers, x: layers.Dense(2, name="renamed")(x))
    with pytest.raises(BridgeError, match="layer kept is missing"):
        to_keras3(to_tf_keras(other), like=model)
    wider = functional(lambda layers, x: layers.Dense(3, name="kept")(x))
    with pytest.raises(BridgeError, match=r"layer kept: no weight kernel of shape \(6, 2\).*kernel \(6, 3\)"):
        to_keras3(to_tf_keras(wider), like=model)
