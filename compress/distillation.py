"""Distillation: a damaged model learns the answers of the model it was made from (Hinton, Vinyals & Dean 2015).

Labels of few samples are soon learnt by heart, at the cost of what the weights knew; the answers of the undamaged
model say more of each sample, and ask nothing of a model that is not damaged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.conversions import conversions_of
from compress.ends import keras_inputs
from compress.records import are_records, fields

if TYPE_CHECKING:
    import keras

TEMPERATURE = 3.0
"""What logits are divided by before the softmax, so that small probabilities count (Hinton et al. 2015, section 3)."""

_LEAST = 1e-7


def soft_targets(teacher: keras.Model, inputs: NDArray[Any], *, from_logits: bool) -> NDArray[np.float32]:
    """Return the classifier `teacher`'s softened probabilities for `inputs`: ``(8000, 32, 32, 3) -> (8000, 10)``.

    Where recipes of one model share what they have in common, it answers once for all of them.
    """
    import tensorflow as tf

    def softened() -> NDArray[np.float32]:
        logits = _logits(_asked(teacher, inputs), from_logits=from_logits)
        found: NDArray[np.float32] = tf.nn.softmax(logits / TEMPERATURE).numpy()
        return found

    return conversions_of(teacher).once(f"softened answers to {_digest(inputs)}", softened)


def answers(teacher: keras.Model, inputs: NDArray[Any]) -> Any:
    """Return what `teacher` answers to `inputs`, in the structure of its outputs: what a loss of one's own may ask for.

    Where recipes of one model share what they have in common, it answers once for all of them.
    """
    return conversions_of(teacher).once(f"answers to {_digest(inputs)}", lambda: _asked(teacher, inputs))


def _asked(teacher: keras.Model, inputs: NDArray[Any]) -> Any:
    given = keras_inputs(teacher, fields(inputs)) if are_records(inputs) else inputs
    return teacher.predict(given, batch_size=500, verbose=0)


def _digest(inputs: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(inputs).tobytes()).hexdigest()


def distillation_loss(*, from_logits: bool) -> Callable[[Any, Any], Any]:
    """Return the loss of ``targets (n, classes)`` of `soft_targets` and a student's ``outputs (n, classes)``: a scalar.

    Times the temperature squared, so that gradients keep their size (Hinton et al. 2015, section 2).
    """
    import tensorflow as tf

    def loss(targets: Any, outputs: Any) -> Any:
        softened = _logits(outputs, from_logits=from_logits) / TEMPERATURE
        return TEMPERATURE**2 * tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, softened))

    return loss


def _logits(outputs: Any, *, from_logits: bool) -> Any:
    import tensorflow as tf

    return outputs if from_logits else tf.math.log(tf.maximum(outputs, _LEAST))
