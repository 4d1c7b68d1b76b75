"""A model as integers would compute it: its layers, and their outputs rounded to 8 bits, gradients passing through.

Jacob et al. 2018, section 3. Outputs are rounded to the range of the batch, kernels to a scale for each output
(`compress.pruning.joint.rounded`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compress.pruning.axes import kernel_axes
from compress.pruning.joint import rounded
from compress.pruning.rebuilding import rebuilt

if TYPE_CHECKING:
    import keras

_FUSED = ("Activation", "ReLU", "LeakyReLU")
"""Layers that runtimes compute in one go with the one before: what is between is never rounded."""


def rounding_calls(model: keras.Model) -> Any:
    """Return a function like `model`, of the same variables, that rounds as integers would: inputs to outputs.

    It is to be traced into TensorFlow's graph.
    """
    import keras
    import tensorflow as tf

    class Rounded(keras.layers.Layer):  # type: ignore[misc]
        """Rounds to 8 bits between the smallest and the largest value of the batch, and zero."""

        def call(self, x: Any) -> Any:
            low, high = tf.minimum(tf.reduce_min(x), 0.0), tf.maximum(tf.reduce_max(x), 0.0)
            step = (tf.stop_gradient(high - low) + 1e-12) / 255
            return x + tf.stop_gradient(tf.round((x - low) / step) * step + low - x)

    def instead(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Layer) or isinstance(layer, keras.layers.InputLayer):
            return None
        readers = [type(node.operation).__name__ for node in layer._outbound_nodes]
        if readers and all(name in _FUSED for name in readers):
            return lambda *args, **options: layer(*args, **options)
        return lambda *args, **options: Rounded()(layer(*args, **options))

    view, axes = rebuilt(model, instead), kernel_axes(model)

    def seen(variable: Any) -> Any:
        value = tf.convert_to_tensor(variable.value)
        if variable.path not in axes:
            return value
        return value + tf.stop_gradient(rounded(value, axes[variable.path].outputs) - value)

    def call(inputs: Any) -> Any:
        own = [[seen(one) for one in group] for group in (view.trainable_variables, view.non_trainable_variables)]
        return view.stateless_call(*own, inputs, training=True)[0]

    return call
