"""What a model file is, before anything in it runs: its input and output, its size, and that nothing compressed it."""

from __future__ import annotations

from dataclasses import dataclass

from compress.errors import ModelFileError
from compress.model_file import ModelFile
from compress.own.keras_config import read_keras_config
from compress.runtime.session import read_parts
from compress.runtime.signature import End, read_ends

_RUNTIME = {"tflite": "litert", "onnx": "onnx"}
_FLOAT = "float32"


@dataclass(frozen=True)
class Signature:
    """One tensor in and one out, the batch dimension first: ``(None, 28, 28, 1)``; a shape that is not told is empty.

    ``rescales_its_input`` says that the model itself scales pixels, as far as its file tells.
    """

    input: End
    output: End
    parameters: int
    rescales_its_input: bool = False

    @property
    def sample_shape(self) -> tuple[int | None, ...]:
        """Shape of one sample, ``(28, 28, 1)``."""
        return self.input.shape[1:]

    @property
    def classes(self) -> int | None:
        """How many outputs a sample has when they are one row, as a classifier's are; None when not, or not known."""
        return self.output.shape[1] if len(self.output.shape) == 2 else None


def read_signature(file: ModelFile) -> Signature:
    """Return what `file` takes and gives, read without running it; a SavedModel's by TensorFlow's readers.

    Raises `ModelFileError` that names the file and the remedy when it is truncated or damaged, is quantized already,
    holds code, or has anything but one input, with a batch of one or a free one, and one output.
    """
    if file.format in ("keras", "h5"):
        found = read_keras_config(file)
        (inputs, outputs), parameters, rescales = found.ends, found.parameters, found.rescales_its_input
    elif file.format == "saved_model":
        from compress.own.saved_model import read_saved_model

        inputs, outputs, parameters = read_saved_model(file)
        rescales = False
    else:
        try:
            (inputs, outputs), parameters = _file(file)
        except ModelFileError as error:
            raise ModelFileError(f"{file.path}: {error}") from error
        rescales = False
    for ends, what in ((inputs, "inputs"), (outputs, "outputs")):
        if len(ends) != 1:
            names = ", ".join(end.name for end in ends[:4]) + (" ..." if len(ends) > 4 else "")
            raise ModelFileError(
                f"{file.path} has {len(ends)} {what} ({names}), and models with one input and one output are measured; "
                "export it again with the one that matters"
            )
    batch = inputs[0].shape[:1]
    if batch and batch[0] not in (None, 1):
        raise ModelFileError(
            f"{file.path} takes batches of {batch[0]}, and one sample a call is measured; export it again with a batch "
            "of 1, or a free one"
        )
    return Signature(inputs[0], outputs[0], parameters, rescales)


def _file(file: ModelFile) -> tuple[tuple[tuple[End, ...], tuple[End, ...]], int]:
    content, runtime = file.read(), _RUNTIME[file.format]
    parts = read_parts(content, runtime)
    stored = {part.dtype for part in parts if part.kind == "weights"}
    quantized = sorted(stored - {_FLOAT, "float64"})
    if quantized or any(part.kind == "scales" for part in parts):
        raise ModelFileError(
            f"the model is compressed already (it holds {', '.join(quantized) or 'quantization scales'}); hand over "
            "the float32 model that it was made from"
        )
    return read_ends(content, runtime), sum(part.elements for part in parts if part.kind == "weights")
