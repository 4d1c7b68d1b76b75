"""Training: its optimizer is the Adam that it says it is."""

import numpy as np
import pytest

from compress.subject import Training
from compress.training import adam

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
