"""What the recipes of one subject have in common, kept by the process that builds them, one subject at a time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compress.conversions import Conversions
from compress.curve import Curve
from compress.errors import CompressError
from compress.model_file import ModelFile
from compress.subject import Dataset, Subject

if TYPE_CHECKING:
    import keras


@dataclass
class SharedModel:
    """A model that several recipes begin with, what making it took and recorded, and what their files begin with."""

    model: keras.Model | ModelFile
    time_s: float
    conversions: Conversions = field(default_factory=Conversions)
    curves: tuple[Curve, ...] = ()

    def __post_init__(self) -> None:
        self._weights = _digest(self.model)

    def check(self, recipe: str) -> None:
        """Raise `CompressError` when a step of `recipe` wrote to the weights that it was given."""
        if _digest(self.model) != self._weights:
            raise CompressError(f"{recipe}: a step changed the model that it was given; let it work on a clone")


def _digest(model: keras.Model | ModelFile) -> str:
    """Return a digest of the weights, or of a file's content; of a model that is none of the two, of nothing."""
    if isinstance(model, ModelFile):
        return model.digest()
    digest = hashlib.sha256()
    for weight in model.get_weights() if hasattr(model, "get_weights") else ():
        digest.update(weight.tobytes())
    return digest.hexdigest()


class Kept:
    """What one recipe leaves for the next: its subject's data and model, and the model after its transforms.

    That is one subject and two models at a time, which bounds the memory; the old ones go before new ones are made.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._given: tuple[tuple[str, str], Dataset, SharedModel] | None = None
        self._changed: tuple[str, SharedModel] | None = None

    def given(self, subject: Subject) -> tuple[Dataset, SharedModel]:
        """Return the data and the model of `subject`, whose ``time_s`` is what the two took."""
        key = subject.name, subject.identity()
        if self._given is None or self._given[0] != key:
            self.clear()
            started = time.perf_counter()
            data, model = subject.data(), subject.model()
            self._given = key, data, SharedModel(model, time.perf_counter() - started)
        return self._given[1:]

    def changed(self, key: str, make: Callable[[], SharedModel]) -> SharedModel:
        """Return the model after the transforms that `key` stands for; `make` makes or loads it."""
        if self._changed is None or self._changed[0] != key:
            self._changed = None
            self._changed = key, make()
        return self._changed[1]
