"""What a model file is, before anything in it runs: what it takes and gives, and that nothing compressed it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from compress.ends import names_of
from compress.errors import ModelFileError
from compress.model_file import ModelFile
from compress.own.keras_config import read_keras_config
from compress.runtime.session import read_parts
from compress.runtime.signature import End, read_ends

_RUNTIME = {"tflite": "litert", "onnx": "onnx"}
_FLOAT = "float32"


@dataclass(frozen=True)
class Signature:
    """What goes in and comes out, the batch dimension first: ``(None, 28, 28, 1)``; a shape not told is empty.

    Names are those that samples and answers go by (`compress.records`): one input is called ``input`` by files, and
    here as the model calls it. ``rescales_its_input`` says that the model itself scales pixels, as far as its file
    tells.
    """

    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    parameters: int
    rescales_its_input: bool = False

    @property
    def takes_records(self) -> bool:
        """Whether there are several inputs, so that a sample is a record of one field an input."""
        return len(self.inputs) > 1

    @property
    def sample_shape(self) -> tuple[int | None, ...]:
        """Shape of one sample of a model with one input, ``(28, 28, 1)``."""
        return self.inputs[0].shape[1:]

    @property
    def classes(self) -> int | None:
        """How many outputs a sample has when they are one row, as a classifier's are; None when not, or not known."""
        return self.outputs[0].shape[1] if len(self.outputs) == 1 and len(self.outputs[0].shape) == 2 else None


def read_signature(file: ModelFile) -> Signature:
    """Return what `file` takes and gives, read without running it; a SavedModel's by TensorFlow's readers.

    Raises `ModelFileError` that names the file and the remedy when it is truncated or damaged, is quantized already,
    holds code, or takes anything but batches of one or of a free size.
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
    if not inputs or not outputs:
        raise ModelFileError(f"{file.path} has {len(inputs)} inputs and {len(outputs)} outputs; export it again")
    for end in inputs:
        if end.shape[:1] and end.shape[0] not in (None, 1):
            raise ModelFileError(
                f"{file.path} takes batches of {end.shape[0]}, and one sample a call is measured; export it again with "
                "a batch of 1, or a free one"
            )
    return Signature(_named(inputs), _named(outputs), parameters, rescales)


def _named(ends: tuple[End, ...]) -> tuple[End, ...]:
    """Return several ends by the names that they get in files and samples."""
    names = names_of([end.name for end in ends], ends[0].name)
    return tuple(replace(end, name=name) for end, name in zip(ends, names, strict=True))


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
