"""What exporters start from: the ends of a model, and a Keras model as a function of one sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from compress.ends import Ends, keras_ends, keras_inputs, parameters_named
from compress.model_file import ModelFile

if TYPE_CHECKING:
    import keras


def ends_of(model: keras.Model | ModelFile) -> Ends:
    """Return what a Keras model or a SavedModel takes and gives. Raises `CompressError` when a model is not built."""
    if isinstance(model, ModelFile):
        from compress.quantization.saved_model import serving_function

        return serving_function(model).ends
    return keras_ends(model)


def serving(model: keras.Model) -> tuple[Callable[..., Any], list[Any]]:
    """Return a Keras model as a function of one sample by its ends' names, and the ``TensorSpec`` of each input."""
    import keras
    import tensorflow as tf

    ends = ends_of(model)
    specs = [tf.TensorSpec((1, *one.shape[1:]), one.dtype, name=one.name) for one in ends.inputs]

    def answer(*tensors: Any) -> dict[str, Any]:
        given = keras_inputs(model, dict(zip((one.name for one in ends.inputs), tensors, strict=True)))
        return dict(zip(ends.outputs, keras.tree.flatten(model(given, training=False)), strict=True))

    answer.__signature__ = parameters_named([one.name for one in ends.inputs])  # type: ignore[attr-defined]
    return answer, specs
