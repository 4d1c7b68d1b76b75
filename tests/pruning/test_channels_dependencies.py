"""A network without some of its channels answers as the one in which just these are zero, however layers are joined."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compress.errors import RecipeError
from compress.pruning.channel_choice import choose_channels
from compress.pruning.channel_groups import find_channels
from compress.pruning.channels import without_channels
from compress.pruning.multiply_adds import multiply_adds

IMAGE = (8, 8, 3)
BLOCKS = [
    "conv",
    "residual",
    "projected",
    "concatenated",
    "dense_block",
    "depthwise",
    "separable",
    "squeezed",
    "maximum",
    "transposed",
    "pooled",
    "padded",
    "prelu",
    "stacked",
    "gated",
]
HEADS = ["flatten", "average", "maximum", "reshape", "rows"]


def normalised(x):
    from keras import layers

    return layers.BatchNormalization()(x)


def block(kind, x, width):
    """Return one more block on top of `x`; at a channel's zero its activations are zero."""
    from keras import layers

    conv = layers.Conv2D
    before = x.shape[-1]
    if kind == "conv":
        return layers.ReLU(6.0)(normalised(conv(width, 3, padding="same", use_bias=False)(x)))
    if kind == "residual":
        inner = layers.Activation("silu")(normalised(conv(width, 1)(x)))
        return layers.Add()([x, normalised(conv(before, 3, padding="same")(inner))])
    if kind == "projected":
        return layers.Activation("relu")(layers.Add()([conv(width, 1)(x), normalised(conv(width, 3, 1, "same")(x))]))
    if kind == "concatenated":
        branches = [conv(width, 1, activation="tanh")(x), x, conv(2, 3, padding="same")(x)]
        return layers.Concatenate()(branches)
    if kind == "dense_block":
        grown = layers.Concatenate()([x, conv(3, 3, padding="same")(layers.ReLU()(normalised(x)))])
        return conv(width, 1)(layers.ReLU()(normalised(grown)))
    if kind == "depthwise":
        return layers.ReLU()(normalised(layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)))
    if kind == "separable":
        return layers.SeparableConv2D(width, 3, padding="same", depth_multiplier=2, activation="relu")(x)
    if kind == "squeezed":
        scale = layers.Dense(3, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
        return layers.Multiply()([layers.Dense(before, activation="sigmoid")(scale), x])
    if kind == "maximum":
        return layers.Average()(
            [layers.Maximum()([conv(width, 1)(x), conv(width, 3, 1, "same")(x)]), conv(width, 1)(x)]
        )
    if kind == "transposed":
        return layers.MaxPooling2D(2)(layers.Conv2DTranspose(width, 2, strides=2, activation="relu")(x))
    if kind == "pooled":
        return layers.AveragePooling2D(3, 1, padding="same")(layers.MaxPooling2D(3, 1, padding="same")(x))
    if kind == "padded":
        return layers.Cropping2D(1)(layers.UpSampling2D(1)(layers.ZeroPadding2D(1)(layers.Dropout(0.5)(x))))
    if kind == "prelu":
        return layers.PReLU()(layers.PReLU(shared_axes=[1, 2, 3])(layers.LeakyReLU()(conv(width, 1)(x))))
    if kind == "stacked":
        return layers.Concatenate(axis=1)([conv(width, (2, 1), (2, 1))(x), conv(width, (2, 1), (2, 1))(x)])
    return layers.Multiply()([x, conv(1, 1, activation="sigmoid")(x)])  # gated: one channel for all of x's


def head(kind, x):
    from keras import layers

    if kind == "flatten":
        x = layers.Flatten()(layers.MaxPooling2D(4)(x))
    elif kind == "average":
        x = layers.Reshape((x.shape[-1],))(layers.GlobalAveragePooling2D(keepdims=True)(x))
    elif kind == "maximum":
        x = layers.GlobalMaxPooling2D()(x)
    elif kind == "reshape":
        x = layers.Reshape((-1,))(layers.AveragePooling2D(4)(x))
    else:  # rows: channels of a row of pixels side by side
        x = layers.Flatten()(layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x))
    return layers.Dense(4)(layers.Dropout(0.5)(layers.Dense(6, activation="relu")(x)))


def network(kinds, last, width=5):
    """Return a network of the blocks and the head named, its weights and statistics random."""
    import keras

    image = keras.Input(IMAGE, name="image")
    x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(image)
    for number, kind in enumerate(kinds):
        x = block(kind, x, width + number % 3)
    return with_random_weights(keras.Model(image, head(last, x)))


def with_random_weights(model):
    generator = np.random.default_rng(0)
    for weight in model.weights:
        spread = generator.normal(0, 0.4, weight.shape)
        weight.assign(np.abs(spread) + 0.5 if weight.name == "moving_variance" else spread)
    return model


def choice(model, fraction, seed=0):
    """Return a model's channels, and which stay when `fraction` of the multiply-adds goes by a random ranking."""
    channels = find_channels(model)
    importance = np.random.default_rng(seed).random(len(channels.fixed)) + 0.1
    return channels, choose_channels(channels, importance, fraction, multiply_adds(model))


def assert_equals_zeroing(model, channels, kept):
    """Check the network without channels against the whole one where what makes them gives zero."""
    smaller = without_channels(model, channels, kept)
    images = np.random.default_rng(1).normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    for each in channels.slices:
        if each.makes:
            (weight,) = (one for one in model.get_layer(each.layer).weights if one.name == each.weight)
            values = np.moveaxis(weight.numpy().copy(), each.axis, -1)
            values[..., ~kept[each.numbers]] = 0
            weight.assign(np.moveaxis(values, -1, each.axis))
    np.testing.assert_allclose(smaller(images), model(images), rtol=1e-4, atol=1e-4)
    return smaller


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_network_without_channels_answers_as_one_where_they_are_zero(kind):
    model = network([kind, "conv"], "flatten", width=6)
    before = multiply_adds(model)
    channels, kept = choice(model, 0.4)
    smaller = assert_equals_zeroing(model, channels, kept)
    assert multiply_adds(smaller) <= 0.6 * before
    assert smaller.count_params() < model.count_params()


@pytest.mark.parametrize("last", HEADS)
def test_channels_are_found_again_behind_every_way_to_flatten(last):
    model = network(["conv"], last)
    channels, kept = choice(model, 0.3)
    assert not kept.all()
    assert_equals_zeroing(model, channels, kept)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(
    st.lists(st.sampled_from(BLOCKS), min_size=2, max_size=5),
    st.sampled_from(HEADS),
    st.floats(0.05, 0.6),
    st.integers(0, 99),
)
def test_any_network_without_channels_answers_as_one_where_they_are_zero(kinds, last, fraction, seed):
    model = network(kinds, last)
    before = multiply_adds(model)
    channels, kept = choice(model, fraction, seed)
    smaller = assert_equals_zeroing(model, channels, kept)
    assert multiply_adds(smaller) <= (1 - fraction) * before


def test_a_sequential_model_loses_channels_too():
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input(IMAGE), layers.Conv2D(8, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(3)]
    )
    channels, kept = choice(with_random_weights(model), 0.5)
    assert_equals_zeroing(model, channels, kept)


def test_a_layer_that_is_called_twice_loses_the_same_channels_at_both_calls():
    import keras

    layers = keras.layers
    image = keras.Input(IMAGE)
    shared = [layers.Conv2D(6, 3, padding="same", activation="relu"), layers.BatchNormalization(), layers.PReLU()]
    ends = []
    for x in (layers.Conv2D(6, 1)(image), layers.Conv2D(6, 3, padding="same")(image)):
        for layer in shared:
            x = layer(x)
        ends.append(layers.Flatten()(x))
    model = with_random_weights(keras.Model(image, layers.Dense(3)(layers.Concatenate()(ends))))
    channels, kept = choice(model, 0.5)
    assert_equals_zeroing(model, channels, kept)


def cumulated(x):
    import keras

    return keras.ops.cumsum(x, axis=-1)


def nested(x):
    import keras

    return keras.Sequential([keras.Input((8, 8, 6)), keras.layers.Conv2D(4, 1)], name="inner")(x)


MIXING = {
    "an operation": cumulated,
    "a nested model": nested,
    "a grouped convolution": ("Conv2D", {"filters": 6, "kernel_size": 1, "groups": 2}),
    "a norm over channels": ("LayerNormalization", {}),
    "a norm along rows": ("BatchNormalization", {"axis": 1}),
    "a permutation": ("Permute", {"dims": (3, 1, 2)}),
    "a reshape across channels": ("Reshape", {"target_shape": (8, 16, 3)}),
    "a softmax": ("Softmax", {}),
    "a softmax activation": ("Activation", {"activation": "softmax"}),
}


@pytest.mark.parametrize("mixing", MIXING.values(), ids=MIXING)
def test_channels_that_meet_what_may_mix_them_stay(mixing):
    import keras

    layers = keras.layers
    mix = mixing if callable(mixing) else getattr(layers, mixing[0])(**mixing[1])
    image = keras.Input(IMAGE)
    x = mix(layers.Conv2D(6, 3, padding="same", name="before")(image))
    x = layers.Conv2D(6, 1)(layers.Activation("relu")(layers.Conv2D(8, 1)(x)))
    model = with_random_weights(keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x))))
    channels, kept = choice(model, 0.05)
    smaller = assert_equals_zeroing(model, channels, kept)
    assert smaller.get_layer("before").filters == 6
    assert smaller.count_params() < model.count_params()


def test_a_convolution_whose_own_activation_mixes_its_channels_keeps_them():
    import keras

    layers = keras.layers
    image = keras.Input(IMAGE)
    x = layers.Conv2D(6, 1, activation="softmax", name="mixing")(layers.Conv2D(8, 1)(image))
    model = with_random_weights(keras.Model(image, layers.Dense(3)(layers.Flatten()(x))))
    channels, kept = choice(model, 0.1)
    assert assert_equals_zeroing(model, channels, kept).get_layer("mixing").filters == 6


def test_channels_of_inputs_and_outputs_stay():
    import keras

    layers = keras.layers
    image = keras.Input(IMAGE)
    features = layers.Conv2D(6, 3, padding="same", name="features")(image)
    inside = layers.Conv2D(8, 3, name="inside")(layers.Add()([image, layers.Conv2D(3, 1, name="like_input")(features)]))
    model = with_random_weights(keras.Model(image, [features, layers.Conv2D(2, 1, name="last")(inside)]))
    channels, kept = choice(model, 0.3)
    smaller = without_channels(model, channels, kept)
    assert smaller.output_shape == model.output_shape
    assert [smaller.get_layer(name).filters for name in ("features", "like_input")] == [6, 3]
    assert smaller.get_layer("inside").filters < 8


def test_a_fraction_out_of_reach_is_refused_with_what_can_be_reached():
    with pytest.raises(RecipeError, match=r"0\.99.* cannot be reached: .* 0\.\d+ of the multiply-adds"):
        choice(network(["conv"], "average"), 0.99)


def test_a_model_that_is_code_is_refused():
    import keras

    class Code(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(RecipeError, match="no functional model"):
        find_channels(Code(name="code"))
