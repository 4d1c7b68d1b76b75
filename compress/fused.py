"""What a training spells out in many operations, by the one operation that TensorFlow has for it.

A small model's graph then holds a thousand operations less, and a picture is read once instead of a dozen times. Values
are those of Keras but for their rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compress.subject import Training


def adam(variables: Sequence[Any], training: Training, steps: int) -> Callable[[Sequence[Any]], None]:
    """Return what moves `variables` against their gradients, once of `steps` times: Adam (Kingma and Ba 2015).

    It is Keras's, at its defaults, by the one operation that TensorFlow has for a variable: spelled out as Keras does,
    a deep model's graph holds a thousand operations more, which take a fifth of a small model's training.
    """
    import keras
    import tensorflow as tf

    falling = training.decay == "cosine"
    rate = keras.optimizers.schedules.CosineDecay(training.learning_rate, steps) if falling else None
    taken = tf.Variable(0, dtype=tf.int64)
    moments = [[tf.Variable(tf.zeros_like(each.value)) for _ in range(2)] for each in variables]

    def update(slopes: Sequence[Any]) -> None:
        now = rate(taken) if rate else training.learning_rate
        count = tf.cast(taken.assign_add(1), tf.float32)
        for variable, (mean, square), slope in zip(variables, moments, slopes, strict=True):
            if slope is None:  # nothing that is computed depends on it
                continue
            tf.raw_ops.ResourceApplyAdam(
                var=variable.value.handle,
                m=mean.handle,
                v=square.handle,
                beta1_power=0.9**count,
                beta2_power=0.999**count,
                lr=now,
                beta1=0.9,
                beta2=0.999,
                epsilon=1e-7,
                grad=tf.convert_to_tensor(slope),
            )

    return update


@contextmanager
def fused_normalisation() -> Iterator[None]:
    """Let batch normalisations that train on pictures compute in the one operation that TensorFlow has for each.

    Spelled out as Keras does, an operation reads the picture a dozen times forward and backward, which takes a quarter
    of a small residual network's training. Values are Keras's but for their rounding: the operation tells the unbiased
    variance, and is put right.
    """
    import keras
    import tensorflow as tf

    spelled_out = keras.layers.BatchNormalization.call

    def call(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        last = len(inputs.shape) - 1
        alike = len(inputs.shape) == 4 and layer.axis in (-1, last) and inputs.dtype == layer.compute_dtype == "float32"
        if not (training and layer.trainable and alike) or mask is not None or layer.renorm or layer.synchronized:
            return spelled_out(layer, inputs, training=training, mask=mask)
        channels = inputs.shape[-1]
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=layer.gamma.value if layer.scale else tf.ones(channels),
            offset=layer.beta.value if layer.center else tf.zeros(channels),
            mean=tf.zeros(0),
            variance=tf.zeros(0),
            epsilon=layer.epsilon,
        )
        values = tf.cast(tf.size(inputs) // channels, tf.float32)
        for moving, now in ((layer.moving_mean, mean), (layer.moving_variance, variance * (values - 1) / values)):
            moving.assign(moving.value * layer.momentum + now * (1 - layer.momentum))
        return outputs

    keras.layers.BatchNormalization.call = call
    try:
        yield
    finally:
        keras.layers.BatchNormalization.call = spelled_out
