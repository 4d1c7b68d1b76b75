"""Training: a loss of one's own is the one that is lowered."""

import numpy as np

from compress.subject import Dataset, Training
from compress.training import retrain


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


def apart(told, outputs):
    """Return how far two outputs are from what a teacher told."""
    import tensorflow as tf

    return sum(tf.reduce_mean(tf.square(one - other)) for one, other in zip(told, outputs, strict=True))


def test_a_loss_of_ones_own_may_ask_for_every_output_of_a_teacher():
    import keras

    x = np.random.default_rng(0).uniform(-1, 1, (64, 3)).astype(np.float32)
    data = Dataset("nothing", x, np.full((64, 1, 5), -1, np.float32), x.copy(), np.full((64, 1, 5), -1, np.float32))
    given = keras.Input((3,))
    keras.utils.set_random_seed(1)
    teacher, student = (
        keras.Model(given, [keras.layers.Dense(3)(given), keras.layers.Dense(2)(given)]) for _ in range(2)
    )
    training = Training(batch_size=8, learning_rate=0.03, targets="teacher", loss=apart)

    retrain(student, data, training, teacher=teacher, epochs=60, seed=0)

    for wanted, found in zip(teacher.predict(x, verbose=0), student.predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(found, wanted, atol=0.05)
