"""The contract of a compression step; what a recipe is made of.

A step is a small frozen dataclass in a file of its own, validated at construction, with no state. Its fields are its
parameters, in the order in which a recipe's text gives them: `Prune(sparsity=0.9)` is written ``prune(0.9)``.
Steps write to nothing they are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    import keras

    from compress.model_file import ModelFile
    from compress.subject import Dataset, Training


@runtime_checkable
class Transform(Protocol):
    """A step from model to model: pruning, clustering, quantization-aware training."""

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a new Keras 3 model; `model` keeps its weights."""
        ...


@runtime_checkable
class Export(Protocol):
    """The last step of a recipe, from model to file content."""

    runtimes: ClassVar[frozenset[str]]
    """Target runtimes the step can write for, of ``litert``, ``onnx``, ``keras``."""

    def export(self, model: keras.Model | ModelFile, data: Dataset, *, runtime: str, seed: int) -> bytes:
        """Return the bytes of the file for `runtime`; `model` keeps its weights, or its content.

        Raises `CompressError` for a model that the step cannot write for `runtime`.
        """
        ...
