"""A SavedModel's serving signature as one function of one sample, written anew so that exporters know what they get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compress.ends import INPUT_NAME, OUTPUT_NAME, Ends, Input, names_of, parameters_named
from compress.errors import ModelFileError
from compress.model_file import ModelFile
from compress.quantization.signature import Serving

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


def serving_function(file: ModelFile) -> Serving:
    """Return the function of one sample: ``(1, 28, 28, 1) -> (1, 10)`` by the names ``input`` and ``output``.

    Several inputs or outputs keep the signature's names.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(file.path))
    served = loaded.signatures[signature_key(sorted(loaded.signatures), file)]
    inputs, outputs = served.structured_input_signature[1], sorted(served.structured_outputs)
    taken = sorted(inputs)
    names, given = names_of(taken, INPUT_NAME), names_of(outputs, OUTPUT_NAME)
    specs = tuple(
        tf.TensorSpec((1, *inputs[key].shape[1:]), inputs[key].dtype, name=name)
        for key, name in zip(taken, names, strict=True)
    )

    def answer(*values: Any) -> dict[str, Any]:
        answers = served(**dict(zip(taken, values, strict=True)))
        return {name: answers[key] for key, name in zip(outputs, given, strict=True)}

    answer.__signature__ = parameters_named(names)  # type: ignore[attr-defined]
    ends = Ends(tuple(Input(spec.name, tuple(spec.shape), spec.dtype.name) for spec in specs), tuple(given))
    return Serving(answer, specs, ends, loaded)
