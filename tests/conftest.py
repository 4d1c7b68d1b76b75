"""Settings of every test: what a machine is slow at fails nothing. A suite without a framework, a model with one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

from compress.subject import Dataset, Training

if TYPE_CHECKING:
    import keras

os.environ.pop("GITHUB_STEP_SUMMARY", None)  # runs inside of tests are not a job's to sum up

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="module")
def tiny_steps(tmp_path_factory):
    """Put the steps of `tests.tiny_subject` into the registry, here and in builders; return the log they write."""
    from compress.recipe import STEPS, step_class
    from tests.tiny_subject import TINY_STEPS

    log = tmp_path_factory.mktemp("tiny") / "log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY_STEPS", "1")
        patch.setenv("TINY_LOG", str(log))
        for name, target in TINY_STEPS.items():
            patch.setitem(STEPS, name, target)
        step_class.cache_clear()
        yield log
    step_class.cache_clear()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Return the folder of the model files of `tests.own_models`, converted once a session."""
    from tests.own_models import write_models

    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


@pytest.fixture(scope="session")
def data() -> Dataset:
    """150 noisy 8 x 8 images of four classes to train on (a multiple of no batch size used), as many to score."""
    generator = np.random.default_rng(0)
    prototypes = generator.normal(size=(4, 8, 8, 1))
    labels = generator.integers(4, size=300)
    images = (prototypes[labels] + 1.5 * generator.normal(size=(300, 8, 8, 1))).astype(np.float32)
    return Dataset("prototypes", images[:150], labels[:150], images[150:], labels[150:])


@pytest.fixture
def training() -> Training:
    """Ten steps in all: five an epoch, the last of them smaller."""
    return Training(epochs=2, batch_size=32, learning_rate=1e-2)


@pytest.fixture
def model() -> keras.Model:
    """Convolution, batch normalisation, dropout and a softmax: 36 + 576 kernel weights, from a fixed seed."""
    import keras

    layers, glorot = keras.layers, keras.initializers.GlorotUniform
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", kernel_initializer=glorot(1), name="conv"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(4, activation="softmax", kernel_initializer=glorot(2), name="dense"),
        ],
        name="small",
    )
