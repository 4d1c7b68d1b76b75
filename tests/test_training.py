"""Training: its optimizer is the Adam that it says it is, and a loss of one's own is the one that is lowered."""

from types import SimpleNamespace

import numpy as np
import pytest

from compress.errors import RecipeError
from compress.subject import Dataset, Training
from compress.training import adam, objective, retrain

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


def halved(labels, outputs):
    """Return how far the first of two outputs is from half of the labels, and the second from none."""
    import tensorflow as tf

    return tf.reduce_mean(tf.square(outputs[0] - labels[:, 0] / 2)) + tf.reduce_mean(tf.square(outputs[1]))


def test_a_loss_of_ones_own_is_lowered_in_place_of_cross_entropy():
    import keras

    random = np.random.default_rng(0)
    x = random.uniform(0.5, 1, (64, 3)).astype(np.float32)
    data = Dataset("lengths", x, (x * 4)[:, np.newaxis], x.copy(), (x * 4)[:, np.newaxis])
    given = keras.Input((3,))
    model = keras.Model(given, [keras.layers.Dense(3)(given), keras.layers.Dense(2)(given)])
    training = Training(batch_size=8, learning_rate=0.03, loss=halved)

    retrain(model, data, training, teacher=model, epochs=120, seed=0)

    doubled, nothing = model.predict(x, verbose=0)
    np.testing.assert_allclose(doubled, 2 * x, atol=0.15)
    np.testing.assert_allclose(nothing, np.zeros((64, 2)), atol=0.15)


def test_a_loss_of_ones_own_has_no_teacher():
    with pytest.raises(RecipeError, match="targets=labels"):
        objective(SimpleNamespace(name="m"), None, Training(loss=halved, targets="teacher"), None)
