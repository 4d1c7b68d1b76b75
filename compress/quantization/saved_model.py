"""A SavedModel's serving signature as one function of one sample, written anew so that exporters know what they get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from compress.errors import ModelFileError
from compress.model_file import ModelFile
from compress.quantization.signature import INPUT_NAME, OUTPUT_NAME

_DEFAULT = "serving_default"
_INTERNAL = "__saved_model_init_op"


def signature_key(keys: Sequence[str], file: ModelFile) -> str:
    """Return the signature to serve: ``serving_default``, else the only one. Raises `ModelFileError` otherwise."""
    usable = [key for key in keys if key != _INTERNAL]
    if _DEFAULT in usable:
        return _DEFAULT
    if len(usable) == 1:
        return usable[0]
    raise ModelFileError(
        f"{file.path} has no signature {_DEFAULT!r} but {', '.join(usable) or 'none'}; export the model again with one"
    )


def serving_function(file: ModelFile) -> tuple[Callable[..., Any], Any, Any]:
    """Return the function of one sample, the ``TensorSpec`` of its input, and the loaded module that must be kept.

    ``(1, 28, 28, 1) -> (1, 10)`` by the names ``input`` and ``output``. Raises `ModelFileError` when the signature has
    several inputs or outputs.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(file.path))
    served = loaded.signatures[signature_key(sorted(loaded.signatures), file)]
    inputs, outputs = served.structured_input_signature[1], served.structured_outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelFileError(f"{file.path} has {len(inputs)} inputs and {len(outputs)} outputs, not one of each")
    (name, spec), (output,) = next(iter(inputs.items())), outputs
    spec = tf.TensorSpec((1, *spec.shape[1:]), spec.dtype, name=INPUT_NAME)

    @tf.function(input_signature=[spec])  # type: ignore[untyped-decorator]
    def serve(value: Any) -> dict[str, Any]:
        return {OUTPUT_NAME: served(**{name: value})[output]}

    return serve, spec, loaded


def write_saved_model(file: ModelFile, folder: Path) -> None:
    """Write into `folder` a SavedModel of `file` that takes one sample, called ``input``, and gives ``output``."""
    import tensorflow as tf

    serve, _, loaded = serving_function(file)
    module = tf.Module()
    module.loaded = loaded
    module.serve = serve
    signatures = {_DEFAULT: serve.get_concrete_function()}  # type: ignore[attr-defined]
    tf.saved_model.save(module, str(folder), signatures=signatures)
