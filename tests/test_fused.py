"""What is fused computes what Keras spells out."""

import contextlib

import numpy as np
import pytest

from compress.fused import adam, fused_normalisation
from compress.subject import Training

STEPS = 7


@pytest.mark.parametrize("decay", ["none", "cosine"])
def test_the_optimizer_moves_weights_as_keras_adam_does(decay):
    import keras
    import tensorflow as tf

    random = np.random.default_rng(0)
    training = Training(learning_rate=0.01, decay=decay)
    shapes = [(5, 3), (3,), (2, 2, 3, 4)]
    started = [random.normal(size=shape).astype(np.float32) for shape in shapes]
    ours, theirs = ([keras.Variable(value) for value in started] for _ in range(2))
    update = adam(ours, training, STEPS)
    rate = keras.optimizers.schedules.CosineDecay(0.01, STEPS) if decay == "cosine" else 0.01
    reference = keras.optimizers.Adam(rate)

    for _ in range(STEPS):
        slopes = [tf.constant(random.normal(size=shape).astype(np.float32)) for shape in shapes]
        update(slopes)
        reference.apply(slopes, theirs)

    for mine, other, before in zip(ours, theirs, started, strict=True):
        assert np.abs(mine.numpy() - before).max() > 0.01
        np.testing.assert_allclose(mine.numpy(), other.numpy(), atol=1e-6)


def test_a_variable_that_nothing_depends_on_stays():
    import keras
    import tensorflow as tf

    moved, unused = keras.Variable([1.0]), keras.Variable([1.0])
    update = adam([moved, unused], Training(learning_rate=0.5), 1)

    update([tf.constant([1.0]), None])

    assert moved.numpy() == pytest.approx([0.5], abs=1e-5)
    assert unused.numpy() == [1.0]


def normalised(layer, shape, *, fused):
    """Return what a training step makes of pictures: outputs, gradients of all it reads, and moving statistics."""
    import tensorflow as tf

    random = np.random.default_rng(1)
    pictures = tf.constant(random.normal(2, 3, shape).astype(np.float32))
    weighted = tf.constant(random.normal(size=shape).astype(np.float32))
    layer.build(shape)
    for weight in layer.weights:
        weight.assign(random.uniform(0.5, 2, weight.shape))
    with contextlib.nullcontext() if not fused else fused_normalisation(), tf.GradientTape() as tape:
        tape.watch(pictures)
        outputs = layer(pictures, training=True)
        loss = tf.reduce_sum(weighted * outputs)
    slopes = tape.gradient(loss, [pictures, *(one.value for one in layer.trainable_variables)])
    return [one.numpy() for one in (outputs, *slopes, *(each.value for each in layer.non_trainable_variables))]


@pytest.mark.parametrize(
    "options",
    [{}, {"scale": False}, {"center": False}, {"momentum": 0.8, "epsilon": 0.1}, {"axis": 3}, {"trainable": False}],
    ids=str,
)
def test_a_fused_normalisation_computes_and_learns_what_keras_spells_out(options):
    import keras

    shape = (3, 5, 4, 6)
    spelled_out, fused = (
        normalised(keras.layers.BatchNormalization(**options), shape, fused=each) for each in (False, True)
    )

    assert len(fused) == len(spelled_out) > 2
    for one, other in zip(fused, spelled_out, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("shape", "axis"), [((8, 6), -1), ((3, 5, 6), -1), ((3, 5, 4, 6), 1)])
def test_what_has_no_operation_of_its_own_is_spelled_out_as_ever(shape, axis):
    import keras

    spelled_out, fused = (
        normalised(keras.layers.BatchNormalization(axis=axis), shape, fused=each) for each in (False, True)
    )

    for one, other in zip(fused, spelled_out, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_layer_is_as_it_was_after_an_error():
    import keras

    before, within = keras.layers.BatchNormalization.call, []
    with contextlib.suppress(ZeroDivisionError), fused_normalisation():
        within.append(keras.layers.BatchNormalization.call)
        _ = 1 / 0
    assert within != [before]
    assert keras.layers.BatchNormalization.call is before
