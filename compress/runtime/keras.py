"""Keras files: read what the bytes of a ``.weights.h5`` are, and load a ``.keras`` model somebody hands over.

Weight files hold no architecture, so there is nothing to run; the other runtimes' files of the same model are run.
Layout after `keras.Model.save_weights`: one HDF5 dataset a variable, an optimizer's under ``optimizer/``.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from compress.artifact import Kind, Part
from compress.errors import ModelFileError

if TYPE_CHECKING:
    import keras

_LARGEST_EXPANSION = 1100
"""Deflate shrinks at most 1032 to 1; a dataset that claims more is not real data."""


def prepare() -> None:
    """Import the HDF5 reader. Raises `ModelFileError` when it is not installed."""
    try:
        import h5py  # noqa: F401
    except ImportError as error:
        raise ModelFileError("reading .weights.h5 files needs h5py: pip install compress-bench[litert]") from error


def open_session(content: bytes, threads: int) -> NoReturn:  # noqa: ARG001
    """Raise `ModelFileError`: a weight file cannot be run."""
    raise ModelFileError("a Keras weight file holds no architecture and cannot be run; use @litert or @onnx")


load_session = open_session


def op_counts(content: bytes) -> dict[str, int]:  # noqa: ARG001
    """Return no operations: a weight file holds none."""
    return {}


def read_parts(content: bytes) -> tuple[Part, ...]:
    """Return what every byte of a ``.weights.h5`` file is; see `compress.runtime.session.read_parts`.

    An optimizer's slots are parts of kind ``metadata`` whose names start with ``optimizer/``: they are bytes that
    inference does not need, not parameters.
    """
    prepare()
    import h5py

    found: list[Part] = []
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            file.visititems(lambda name, item: found.append(_part(name, item)) if hasattr(item, "dtype") else None)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"Keras weight file is not whole HDF5: {error}; save the weights again") from error
    rest = len(content) - sum(part.bytes for part in found)
    if rest < 0:
        raise ModelFileError(f"Keras weight file is damaged: its data sets overlap by {-rest} bytes")
    found.sort(key=lambda part: part.kind != "weights")
    return (*found, Part("metadata", "metadata", "uint8", rest, rest))


def _part(name: str, dataset: Any) -> Part:
    stored = int(dataset.id.get_storage_size())
    if dataset.is_virtual or dataset.external or dataset.nbytes > _LARGEST_EXPANSION * (stored + 1):
        raise ModelFileError(
            f"Keras weight file: {name} claims {dataset.nbytes} bytes and stores {stored} here; save the weights again"
        )
    values = np.asarray(dataset[()])
    zeros = int(np.count_nonzero(values == 0))
    kind: Kind = "metadata" if name.startswith("optimizer/") else "weights"
    return Part(name, kind, str(dataset.dtype), values.size, stored, zeros, tuple(dataset.shape))


def load_keras(path: Path | str) -> keras.Model:
    """Return the Keras 3 model in a ``.keras`` or whole ``.h5`` file, loaded in safe mode: nothing in it is executed.

    Raises `ModelFileError` when the file is missing, truncated or of another kind, or when it holds code (a Lambda
    layer).
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"no model file {path}; check the path")
    if path.suffix != ".h5" and (path.suffix != ".keras" or not zipfile.is_zipfile(path)):
        raise ModelFileError(f"{path} is not a whole .keras archive; save the model again with model.save('x.keras')")
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a layer's constructor raises
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "ambda" in str(error):
            raise ModelFileError(
                f"{path} holds a Lambda layer, which is code that loading would run; replace it by built-in layers or "
                "a registered custom layer, and save the model again"
            ) from error
        raise ModelFileError(f"{path} cannot be loaded: {reason}; save the model again with this Keras") from error
