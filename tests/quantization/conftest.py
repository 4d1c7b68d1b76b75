"""Two small untrained models and their exported files, each converted once a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from compress.subject import Dataset

if TYPE_CHECKING:
    import keras

    from compress.step import Export

SHAPES = {"cnn": (12, 12, 2), "mlp": (64,)}


def build(kind: str) -> keras.Model:
    """Return the model of `kind` with seeded weights, biases included; its layer names differ at every call."""
    import keras

    layers = keras.layers
    stacks = {
        "cnn": [
            layers.Conv2D(8, 3, activation="relu"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10),
        ],
        "mlp": [layers.Dense(32, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(10)],
    }
    model = keras.Sequential([keras.Input(SHAPES[kind]), *stacks[kind]])
    rng = np.random.default_rng(7)
    model.set_weights(
        [
            rng.normal(0, np.sqrt(2 / np.prod(w.shape[:-1])) if w.ndim > 1 else 0.1, w.shape).astype(np.float32)
            for w in model.get_weights()
        ]
    )
    return model


def poisoned(kind: str) -> Dataset:
    """Return data whose evaluation half is NaN: a calibration that touches it shows in every output."""
    rng = np.random.default_rng(11)
    train = rng.random((150, *SHAPES[kind]), np.float32)
    evaluation = np.full((150, *SHAPES[kind]), np.nan, np.float32)
    labels = rng.integers(0, 10, 150)
    return Dataset(kind, train, labels, evaluation, labels.copy())


@pytest.fixture(scope="session")
def model_of() -> Callable[[str], keras.Model]:
    return cache(build)


@pytest.fixture(scope="session")
def another_model_of() -> Callable[[str], keras.Model]:
    return build


@pytest.fixture(scope="session")
def data_of() -> Callable[[str], Dataset]:
    return cache(poisoned)


@pytest.fixture(scope="session")
def exported(model_of: Callable[[str], keras.Model]) -> Callable[[str, Export, str], bytes]:
    @cache
    def export(kind: str, step: Export, runtime: str) -> bytes:
        return step.export(model_of(kind), poisoned(kind), runtime=runtime, seed=0)

    return export


@pytest.fixture(scope="session")
def float_outputs(model_of: Callable[[str], keras.Model]) -> Callable[[str], tuple[np.ndarray, np.ndarray]]:
    @cache
    def predict(kind: str) -> tuple[np.ndarray, np.ndarray]:
        x = poisoned(kind).train_x[:40]
        return x, model_of(kind).predict(x, verbose=0)

    return predict
