"""A subject made of a model file and data, by name: what `compress-bench run` and a claims file measure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from compress.artifact import sha256_of
from compress.errors import DataError
from compress.measure.quality import find_judge
from compress.model_file import KERAS_FORMATS, ModelFile, open_model_file
from compress.own.data import DataOptions, OwnData, stamp
from compress.own.signature import Signature, read_signature
from compress.subject import Subject, Training

if TYPE_CHECKING:
    import keras

TRAINING = Training(epochs=3, batch_size=32, learning_rate=1e-4, decay="cosine")
"""How a pruned model of somebody's own is retrained: gently, as its training is not known here."""


@dataclass(frozen=True)
class OwnModel:
    """What loads the model: called, it returns a Keras model, or the file itself when Keras cannot load it."""

    file: ModelFile

    def __call__(self) -> keras.Model | ModelFile:
        """Return the model. Raises `ModelFileError` when the file cannot be loaded safely."""
        if self.file.format not in KERAS_FORMATS:
            return self.file
        from compress.runtime.keras import load_keras

        return load_keras(self.file.path)


@dataclass(frozen=True)
class OwnIdentity:
    """What a subject's artifacts are cached by: a digest of the model's content and of the samples."""

    file: ModelFile
    data: OwnData

    def __call__(self) -> str:
        """Return the digest."""
        content = _digest(self.file, stamp(self.file.path))
        return sha256_of(f"{content} {_data_digest(self.data, stamp(Path(self.data.spec)))}".encode())


@lru_cache(maxsize=16)
def _digest(file: ModelFile, written: tuple[int, ...]) -> str:
    del written  # tells one state of the file from another
    return file.digest()


@lru_cache(maxsize=16)
def _data_digest(data: OwnData, written: tuple[int, ...]) -> str:
    del written
    return data.digest()


def own_subject(
    model: Path | str,
    data: str,
    *,
    metric: str | None = None,
    name: str | None = None,
    options: DataOptions | None = None,
    training: Training = TRAINING,
) -> Subject:
    """Return the subject of the model file `model` and the data that the text `data` names.

    ``metric`` is a name of `compress.measure.quality.JUDGES` or a ``module:function``; unless given it is accuracy for
    a classifier with labels, and the outputs' signal-to-noise ratio against the float model for any other. `name` is
    the file's unless given. Everything is read and checked here, and nothing is run. Raises `ModelFileError` or
    `DataError` that names the file and the remedy.
    """
    file = open_model_file(model)
    signature = read_signature(file)
    own = OwnData(str(data), signature, options or DataOptions())
    loaded = own()
    classified = loaded.is_labelled and _are_classes(loaded.evaluation_y, signature)
    judge = find_judge(metric or ("accuracy" if classified else "sqnr_db"))
    if judge.against == "labels" and not loaded.is_labelled:
        raise DataError(f"{data} has no labels, which metric {judge.name} needs; add y, or choose another metric")
    return Subject(
        name=name or file.path.stem,
        model=OwnModel(file),
        data=own,
        identity=OwnIdentity(file, own),
        parameters=signature.parameters,
        training=training,
        task="classification" if classified or judge.name == "accuracy" else "fidelity",
        score=None if judge.name == "accuracy" else judge,
    )


def _are_classes(labels: NDArray[Any], signature: Signature) -> bool:
    """Return whether labels are classes of the model's: whole numbers, one a sample, within its row of outputs."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        return False
    if len(signature.outputs) > 1 or len(signature.outputs[0].shape) not in (0, 2):
        return False
    return signature.classes is None or (
        signature.classes > 1 and labels.min() >= 0 and labels.max() < signature.classes
    )
