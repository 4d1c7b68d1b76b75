"""What a model takes and gives, as every exporter needs to know it: one tensor in, one tensor out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress.errors import CompressError
from compress.model_file import ModelFile

if TYPE_CHECKING:
    import keras

INPUT_NAME = "input"
OUTPUT_NAME = "output"


def single_input(model: keras.Model | ModelFile) -> tuple[tuple[int | None, ...], str]:
    """Return the shape, batch dimension first, and dtype of the one input of a Keras model or a SavedModel.

    Raises `CompressError` when the model is not built, or has several inputs or outputs.
    """
    if isinstance(model, ModelFile):
        from compress.quantization.saved_model import serving_function

        spec = serving_function(model)[1]
        return tuple(spec.shape), spec.dtype.name
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1:
        raise CompressError(
            f"model {model.name!r} has {len(inputs)} inputs and {len(outputs)} outputs, and one of each can be "
            "exported; build it with keras.Input, one tensor in and one out"
        )
    return tuple(inputs[0].shape), str(inputs[0].dtype)
