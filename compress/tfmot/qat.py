"""TFMOT's quantization-aware training, its activation ranges begun where calibration finds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from compress.errors import BridgeError, RecipeError
from compress.records import by_input
from compress.tfmot.bridge import to_keras3, to_tf_keras
from compress.tfmot.training import check_trains, fit, import_tfmot, seeded

if TYPE_CHECKING:
    import keras
    import tf_keras

    from compress.subject import Dataset, Training

_PREFIX = "quant_"
"""What TFMOT puts before the name of a layer that it wraps."""


@dataclass(frozen=True)
class QuantizationAwareTraining:
    """TFMOT's ``quantize_model``: training that sees its weights and activations rounded to 8 bits.

    What comes back is the original architecture with the trained float weights, before rounding. TFMOT rounds them
    symmetrically to [-127, 127], convolution kernels per output channel, dense and depthwise kernels per tensor; an
    exporter rounds them again on its own grid, which per channel is never coarser. The learned activation ranges have
    no place in a Keras 3 model and are left behind: ``qat | int8`` estimates them again from calibration data. TFMOT
    starts each of them at -6 to 6 and moves it by a thousandth a step, so that a training of a few hundred steps would
    see hardly another grid (an Inception-v3 lost 11 points by it): here they start at the smallest and largest value
    that the given model computes of the first ``calibration`` training samples. A batch normalisation after a
    convolution is trained unfolded, with the batch's own statistics, and comes back as itself; folding it stays the
    exporter's business, and scales whole output channels.

    ``preserve_sparsity`` holds the zeros of a model pruned before (TFMOT's prune-preserving scheme, which masks dense
    and convolution kernels in the forward pass; depthwise ones, which it leaves out, are set back after every step).

    Raises `RecipeError` for less than one epoch, or no calibration sample.
    """

    epochs: int | None = None
    preserve_sparsity: bool = False
    calibration: int = 200

    def __post_init__(self) -> None:
        check_trains(self.epochs)
        if self.calibration < 1 or int(self.calibration) != self.calibration:
            raise RecipeError(f"calibration must be a count of training samples from 1, got {self.calibration}")

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a copy of `model` trained with emulated 8-bit quantization.

        Raises `BridgeError` for a model that cannot be carried to tf_keras, or that TFMOT cannot quantize.
        """
        tfmot = import_tfmot()
        epochs = training.epochs if self.epochs is None else self.epochs
        with seeded(seed):
            carried = to_tf_keras(model)
            callbacks = []
            try:
                if self.preserve_sparsity:
                    scheme = tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
                    annotated = tfmot.quantization.keras.quantize_annotate_model(carried)
                    wrapped = tfmot.quantization.keras.quantize_apply(annotated, scheme)
                    callbacks.append(_holding_depthwise_zeros(wrapped))
                else:
                    wrapped = tfmot.quantization.keras.quantize_model(carried)
            except (RuntimeError, TypeError, ValueError) as error:
                raise BridgeError(
                    f"TFMOT cannot quantize {model.name}: {error}; replace that layer, or use int8, without training"
                ) from error
            wrapped = _inputs_in_order(wrapped, carried)
            _begin_ranges(wrapped, carried, data.train_x[: self.calibration])
            fit(wrapped, data, training, epochs, seed, teacher=model, callbacks=callbacks)
            return to_keras3(wrapped, like=model)


def _holding_depthwise_zeros(model: tf_keras.Model) -> Any:
    """Return a callback that sets what is zero in the depthwise kernels of `model` now back to zero after each step."""
    import tensorflow as tf
    import tf_keras

    kernels = [weight for weight in model.weights if weight.name.rpartition("/")[2].startswith("depthwise_kernel:")]
    held = [(kernel, tf.constant(kernel.numpy() != 0, kernel.dtype)) for kernel in kernels]

    def hold(*_: Any) -> None:
        for kernel, mask in held:
            kernel.assign(kernel * mask)

    return tf_keras.callbacks.LambdaCallback(on_train_batch_end=hold)


def _inputs_in_order(quantized: tf_keras.Model, model: tf_keras.Model) -> tf_keras.Model:
    """Return `quantized` with the inputs of every merging layer in the order of `model`'s.

    TFMOT puts those it has replaced behind those it has not: a concatenation of two convolutions and a pooling comes
    back with the pooling first, and every kernel that reads it meets another channel's values
    (https://github.com/tensorflow/model-optimization/issues/1061).
    """
    import tf_keras

    def inputs_of(layer: Any) -> list[str]:
        if isinstance(layer, tf_keras.layers.InputLayer):
            return []
        return [_name(tensor) for tensor in layer.inbound_nodes[0].keras_inputs]

    wanted = {layer.name: inputs_of(layer) for layer in model.layers if len(inputs_of(layer)) > 1}
    if all(inputs_of(quantized.get_layer(_PREFIX + name)) == inputs for name, inputs in wanted.items()):
        return quantized
    tensors = {_name(tensor): tensor for tensor in quantized.inputs}
    for layer in quantized.layers:
        name = layer.name.removeprefix(_PREFIX)
        if name not in tensors:
            inputs = [tensors[each] for each in wanted.get(name, inputs_of(layer))]
            tensors[name] = layer(inputs if len(inputs) > 1 else inputs[0])
    return tf_keras.Model(quantized.inputs, [tensors[_name(tensor)] for tensor in quantized.outputs])


def _name(tensor: Any) -> str:
    """Return the name that the layer behind a symbolic tensor had before TFMOT wrapped it."""
    name: str = tensor._keras_history.layer.name
    return name.removeprefix(_PREFIX)


def _begin_ranges(quantized: tf_keras.Model, model: tf_keras.Model, samples: NDArray[Any]) -> None:
    """Set each activation range of TFMOT's `quantized` to what `model`, the float one, computes there of `samples`.

    TFMOT rounds a layer's output (``output``, ``post_activation``), or what goes into its activation where that is a
    softmax, sigmoid or tanh (``pre_activation``). A range always includes zero, as TFMOT would have it.
    """
    import tf_keras

    ranges: dict[tuple[str, str], dict[str, Any]] = {}
    known = {layer.name: layer for layer in model.layers}
    for layer in quantized.layers:
        for variable in layer.non_trainable_variables:
            place, _, end = variable.name.rpartition("/")[2].partition(":")[0].rpartition("_")
            name = layer.name.removeprefix(_PREFIX)
            if name in known and place in ("output", "post_activation", "pre_activation"):
                ranges.setdefault((name, place), {})[end] = variable
    taps = {f"{name}/{place}": _tap(known[name], place) for name, place in ranges}
    computed = tf_keras.Model(model.inputs, taps).predict(by_input(samples), verbose=0)
    for (name, place), ends in ranges.items():
        values = computed[f"{name}/{place}"]
        if place == "pre_activation":
            values = _before_activation(known[name], values)
        ends["min"].assign(min(values.min(), 0))
        ends["max"].assign(max(values.max(), 0))


def _tap(layer: tf_keras.layers.Layer, place: str) -> Any:
    return layer.input if place == "pre_activation" else layer.output


def _before_activation(layer: tf_keras.layers.Layer, inputs: NDArray[Any]) -> NDArray[Any]:
    """Return what `layer` feeds its activation, of `inputs`."""
    import tf_keras

    activation, layer.activation = layer.activation, tf_keras.activations.linear
    try:
        outputs: NDArray[Any] = layer(inputs).numpy()
    finally:
        layer.activation = activation
    return outputs
