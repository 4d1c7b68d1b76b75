"""What exporters start from: a Keras model or a SavedModel as a function of one sample, by the names of its ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress.ends import Ends, keras_ends, keras_inputs, parameters_named
from compress.model_file import ModelFile

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Serving:
    """A function of one sample: a tensor an input, ``(1, 28, 28, 1)``, to a dictionary of the outputs by their names.

    ``specs`` are the inputs' ``TensorSpec``; ``owner`` holds the variables, and has to be kept with the function.
    """

    answer: Callable[..., dict[str, Any]]
    specs: tuple[Any, ...]
    ends: Ends
    owner: Any


def serving(model: keras.Model | ModelFile) -> Serving:
    """Return a Keras model or a SavedModel as a function. Raises `CompressError` when a Keras model is not built."""
    if isinstance(model, ModelFile):
        from compress.quantization.saved_model import serving_function

        return serving_function(model)
    import keras
    import tensorflow as tf

    ends = keras_ends(model)
    names = [one.name for one in ends.inputs]

    def answer(*tensors: Any) -> dict[str, Any]:
        given = keras_inputs(model, dict(zip(names, tensors, strict=True)))
        return dict(zip(ends.outputs, keras.tree.flatten(model(given, training=False)), strict=True))

    answer.__signature__ = parameters_named(names)  # type: ignore[attr-defined]
    specs = tuple(tf.TensorSpec((1, *one.shape[1:]), one.dtype, name=one.name) for one in ends.inputs)
    return Serving(answer, specs, ends, model)
