"""A subject: a model to compress, with its data and its task. Plain data; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from compress.decoding import Decoding
from compress.errors import DataError

if TYPE_CHECKING:
    import keras

    from compress.model_file import ModelFile


UNLABELLED = -1
"""The label of a sample that has none."""


@dataclass(frozen=True)
class Dataset:
    """Arrays of one task, made read-only on construction so that a slip raises.

    Shapes by example: ``train_x (2000, 28, 28, 1)`` float32, ``train_y (2000,)`` int64, and the same for
    ``evaluation_x`` and ``evaluation_y``. Training samples may be trained on and calibrated with; evaluation samples
    are only ever scored. Samples without a label have `UNLABELLED`: such a model can be compared with itself only.
    Samples of a model with several inputs are records (`compress.records`). Labels of one that continues texts are each
    place's next token, ``(n, 64)``, `UNLABELLED` where none is to be learnt.

    Raises `DataError` when inputs and labels differ in length, or either half is empty.
    """

    name: str
    train_x: NDArray[Any]
    train_y: NDArray[Any]
    evaluation_x: NDArray[Any]
    evaluation_y: NDArray[Any]

    def __post_init__(self) -> None:
        for half in ("train", "evaluation"):
            x, y = getattr(self, f"{half}_x"), getattr(self, f"{half}_y")
            if len(x) != len(y) or len(x) == 0:
                raise DataError(f"data set {self.name!r}: {half} has {len(x)} inputs and {len(y)} labels")
            x.flags.writeable = False
            y.flags.writeable = False

    @property
    def is_labelled(self) -> bool:
        """Whether any evaluation sample has a label."""
        return self.evaluation_y.dtype.kind not in "iu" or bool((self.evaluation_y != UNLABELLED).any())

    def calibration(self, samples: int = 100, seed: int = 0) -> NDArray[Any]:
        """Return `samples` training inputs drawn without replacement, (samples, ...); never an evaluation input.

        100 is what Saxena et al. 2024 (III-A) calibrate with. Raises `DataError` when the training half is smaller.
        """
        if not 0 < samples <= len(self.train_x):
            raise DataError(f"data set {self.name!r}: cannot draw {samples} of {len(self.train_x)} training samples")
        chosen = np.random.default_rng(seed).choice(len(self.train_x), samples, replace=False)
        return self.train_x[np.sort(chosen)]


@dataclass(frozen=True)
class Training:
    """How a subject is retrained after a step that damaged it (Ishtiaq et al., III: 12 epochs, batch 128, Adam).

    ``decay`` says what becomes of the learning rate: ``none`` keeps it, ``cosine`` lets it fall to zero by the last
    step (Loshchilov & Hutter 2017), as a short retraining on little data needs. ``targets`` are the data's labels, or
    the answers of the model that the step was given (`compress.distillation`).

    A model that is no classifier has a ``loss`` of its own: a module-level function from a batch of targets and the
    model's outputs, in their structure, to a scalar tensor that is lowered in place of cross-entropy. Answers as
    targets are in that structure too. A generator's ``critic`` returns the Keras model that tells made pictures from
    real ones, which are the labels; what it depends on belongs to the subject's identity.
    """

    epochs: int = 12
    batch_size: int = 128
    learning_rate: float = 1e-3
    decay: Literal["none", "cosine"] = "none"
    targets: Literal["labels", "teacher"] = "labels"
    loss: Callable[[Any, Any], Any] | None = field(default=None, repr=False)  # told by name where files are kept
    critic: Callable[[], keras.Model] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Subject:
    """A model to compress, the data it is calibrated, retrained and scored on, and how it is retrained.

    ``model`` and ``data`` are module-level functions (they are called by name in another process), or callables that
    can be pickled. A model that is no Keras one is a `compress.model_file.ModelFile`. ``identity`` is a
    digest of everything the two return depends on - architecture source, weight file, data file, split - cheap
    enough to be asked on every run; artifacts are cached by it. ``score`` is the subject's own quality beside right and
    wrong: from ``outputs (n, classes)`` and ``labels (n,)`` to one number a sample, higher is better. ``absent`` says
    why the data is not here, and nothing when it is: benches of the subject are then unmeasured for that reason.

    A language model that answers prompts has a ``decoding``; ``evaluation_x`` are the prompts, outputs are token ids
    ``(n, most_new)`` padded with -1, and the task is ``generation``. ``served``, a module-level function, returns the
    model that is written to the file - one token and a cache in, logits and the new cache out - from the one of whole
    sequences that steps transform.
    """

    name: str
    model: Callable[[], keras.Model | ModelFile]
    data: Callable[[], Dataset]
    identity: Callable[[], str]
    parameters: int
    training: Training = Training()
    task: str = "classification"
    score: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float32]] | None = None
    absent: Callable[[], str] | None = None
    served: Callable[[keras.Model], keras.Model] | None = None
    decoding: Decoding | None = None
