"""What every step of TFMOT does: import it unharmed, wrap the layers it can, seed it, train as `retrain` does."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.curve import record_epoch
from compress.errors import BridgeError, RecipeError
from compress.records import by_input
from compress.training import check_epochs, check_labels, objective, training_steps, zeros_left

if TYPE_CHECKING:
    import keras
    import tf_keras

    from compress.subject import Dataset, Training

_LEGACY = "TF_USE_LEGACY_KERAS"
_WRAPPED = ("kernel", "pointwise_kernel", "embeddings")


def import_tfmot() -> Any:
    """Return the ``tensorflow_model_optimization`` module, imported so that ``tf.keras`` still means what it meant.

    TFMOT sets ``TF_USE_LEGACY_KERAS`` when it is imported, and TensorFlow reads that when ``tf.keras`` is first used:
    so it is used before, and the variable is put back after. Raises `BridgeError` when TFMOT is not installed.
    """
    import tensorflow as tf

    _ = tf.keras.layers
    before = os.environ.get(_LEGACY)
    try:
        with warnings.catch_warnings():
            # TFMOT compares TensorFlow's version by distutils, which says that it is deprecated
            warnings.filterwarnings("ignore", ".*distutils", DeprecationWarning)
            import tensorflow_model_optimization
    except ImportError as error:
        raise BridgeError(f"TFMOT cannot be imported ({error}); pip install 'compress-bench[tfmot]'") from error
    finally:
        if before is None:
            os.environ.pop(_LEGACY, None)
        else:
            os.environ[_LEGACY] = before
    return tensorflow_model_optimization


def wrapped(model: tf_keras.Model, wrap: Callable[[Any, int], Any]) -> tf_keras.Model:
    """Return `model` with every layer that has a kernel or embeddings replaced by ``wrap(layer, count of those)``.

    Depthwise kernels are neither, to TFMOT. Raises `BridgeError`, naming the layer, where TFMOT cannot wrap it.
    """
    import tf_keras

    def replaced(layer: Any) -> Any:
        if isinstance(layer, tf_keras.Model):
            return tf_keras.models.clone_model(layer, clone_function=replaced)
        weight = next((getattr(layer, name) for name in _WRAPPED if hasattr(layer, name)), None)
        if weight is None:
            return layer
        try:
            return wrap(layer, int(np.prod(weight.shape)))
        except ValueError as error:
            raise BridgeError(
                f"TFMOT cannot wrap layer {layer.name}: {error}; use prune(...), or replace it"
            ) from error

    return tf_keras.models.clone_model(model, clone_function=replaced)


def check_trains(epochs: int | None) -> None:
    """Raise `RecipeError` unless `epochs` is none or at least 1."""
    check_epochs(epochs)
    if epochs == 0:
        raise RecipeError("epochs must be none or at least 1, got 0: TFMOT does this while it trains")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed tf_keras (whose way is to seed Python, NumPy and TensorFlow too), and give Python and NumPy theirs back."""
    import tf_keras

    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - saved, not drawn from
    tf_keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002 - restored, not drawn from


def fit(
    model: tf_keras.Model,
    data: Dataset,
    training: Training,
    epochs: int,
    seed: int,
    *,
    teacher: keras.Model,
    callbacks: list[Any] | None = None,
) -> None:
    """Train a tf_keras model in place as `retrain` trains a Keras 3 one: the same batches in the same order.

    What `retrain` records is recorded too; zeros are those of the kernels that TFMOT has wrapped.
    """
    import tf_keras

    if training.loss is None:
        check_labels(data, model)
    generator = np.random.default_rng(seed)
    if training.loss is not None and len(model.outputs) > 1:
        raise RecipeError(f"{model.name} has several outputs, and tf_keras lowers a loss of each; prune with `prune`")
    targets, loss = objective(teacher, data, training, tf_keras.losses.SparseCategoricalCrossentropy)
    rate = training.learning_rate
    if training.decay == "cosine":
        rate = tf_keras.optimizers.schedules.CosineDecay(rate, training_steps(data, training, epochs))
    model.compile(tf_keras.optimizers.Adam(rate), loss)
    for _ in range(epochs):
        order = generator.permutation(len(data.train_x))
        told = model.fit(
            by_input(data.train_x[order]),
            targets[order],
            batch_size=training.batch_size,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
        held = [weight for weight in model.weights if weight.name.rpartition("/")[2].partition(":")[0] in _WRAPPED]
        record_epoch({"loss": told.history["loss"][-1], **zeros_left(held)})
