"""The locator as a subject: what compress-bench needs to know of a model that no claims file can describe."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path

import numpy as np

from compress.subject import Dataset, Subject
from shapes import data

LOCATOR = Path(__file__).parents[1] / "models" / "locator.keras"


def load_locator():
    """Return the network; called where it is compressed, in a process of its own."""
    import keras

    return keras.saving.load_model(LOCATOR, compile=False)


def located() -> Dataset:
    """Return what it is calibrated with, and what it is only ever scored on."""
    return Dataset("drawn shapes", *data.located())


def identity() -> str:
    """Return a digest of all that the two depend on; files that were built of it are kept under it."""
    return hashlib.sha256(LOCATOR.read_bytes() + inspect.getsource(data).encode()).hexdigest()


def closeness(outputs: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return minus the distance to the centre, in pixels, one number a picture: higher is better."""
    return -np.linalg.norm(outputs - centres, axis=1)


def locator() -> Subject:
    """Return the subject."""
    return Subject(
        "locator",
        model=load_locator,
        data=located,
        identity=identity,
        parameters=26_858,
        task="regression",  # whatever is not `classification` has no right and wrong, and no accuracy
        score=closeness,
    )
