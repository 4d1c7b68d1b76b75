"""A channel's importance is what its criterion's paper says, checked by hand and by finite differences."""

import numpy as np
import pytest

from compress.pruning.channel_groups import find_channels
from compress.pruning.importance import TAYLOR_BATCH_SIZE, channel_importance
from compress.subject import Dataset


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(TAYLOR_BATCH_SIZE, 6, 6, 2)).astype(np.float32)
    y = generator.integers(3, size=TAYLOR_BATCH_SIZE)
    return Dataset("noise", x, y, x.copy(), y.copy())


@pytest.fixture
def model():
    """Return two convolutions, the second without BatchNormalization, of random weights and statistics."""
    import keras

    layers = keras.layers
    image = keras.Input((6, 6, 2))
    x = layers.ReLU()(layers.BatchNormalization(name="bn")(layers.Conv2D(4, 3, use_bias=False, name="scaled")(image)))
    x = layers.Flatten()(layers.Conv2D(5, 3, activation="relu", name="bare")(x))
    built = keras.Model(image, layers.Dense(3, name="classes")(x))
    generator = np.random.default_rng(1)
    for weight in built.weights:
        value = generator.normal(0, 0.4, weight.shape)
        weight.assign(np.abs(value) + 0.5 if weight.name == "moving_variance" else value)
    return built


def by_layer(model, criterion, data):
    """Return the importance of the channels that each of the two convolutions makes."""
    channels = find_channels(model)
    importance = channel_importance(model, channels, criterion, data, seed=0)
    return {each.layer: importance[each.numbers] for each in channels.slices if each.makes and each.weight == "kernel"}


def test_the_l1_norm_of_a_filter_is_relative_to_its_layers_mean(model, data):
    found = by_layer(model, "l1", data)
    for name in ("scaled", "bare"):
        norms = np.abs(model.get_layer(name).get_weights()[0]).sum(axis=(0, 1, 2))
        np.testing.assert_allclose(found[name], norms / norms.mean(), rtol=1e-5)


def test_a_channel_is_judged_by_its_batch_normalization_and_by_its_filter_where_it_has_none(model, data):
    scales = np.abs(model.get_layer("bn").gamma.numpy())
    found = by_layer(model, "bn_scale", data)
    np.testing.assert_allclose(found["scaled"], scales / scales.mean(), rtol=1e-5)
    np.testing.assert_allclose(found["bare"], by_layer(model, "l1", data)["bare"], rtol=1e-6)


@pytest.mark.parametrize(("name", "makers"), [("scaled", ["bn"]), ("bare", ["bare"])])
def test_taylor_is_the_squared_slope_of_the_loss_along_a_gate_on_the_channel(model, data, name, makers):
    import keras

    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = by_layer(model, "taylor", data)[name]
    weights = [
        weight
        for maker in makers
        for weight in model.get_layer(maker).trainable_weights  # gamma and beta, or kernel and bias
    ]
    originals = [weight.numpy() for weight in weights]

    def loss(channel, gate):
        for weight, original in zip(weights, originals, strict=True):
            changed = original.copy()
            changed[..., channel] *= gate
            weight.assign(changed)
        return float(loss_of(data.train_y, model(data.train_x, training=False)))

    slopes = [(loss(channel, 1.01) - loss(channel, 0.99)) / 0.02 for channel in range(len(found))]
    np.testing.assert_allclose(found, np.square(slopes), rtol=0.05, atol=1e-6)


def test_a_channel_that_several_layers_make_sums_what_each_says(data):
    import keras

    layers = keras.layers
    image = keras.Input((6, 6, 2))
    ends = [layers.Conv2D(3, 1, name=name)(image) for name in ("one", "other")]
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Add()(ends))))
    norms = [np.abs(model.get_layer(name).get_weights()[0]).sum(axis=(0, 1, 2)) for name in ("one", "other")]
    expected = sum(norm / norm.mean() for norm in norms)
    found = by_layer(model, "l1", data)
    np.testing.assert_allclose(found["one"], expected, rtol=1e-5)
    np.testing.assert_array_equal(found["one"], found["other"])
