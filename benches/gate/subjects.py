"""What the gate is tried on: files of 10 us, 2 ms and 20 ms a call, of seeded weights; speed does not ask for more."""

from __future__ import annotations

import hashlib
import inspect
import sys
from typing import TYPE_CHECKING

import numpy as np

from compress.subject import Dataset, Subject
from fixtures import mnist_models

if TYPE_CHECKING:
    import keras

SAMPLES = 16
CLASSES = 10
LONG_WIDTH = 1.4


def tiny() -> keras.Model:
    """Return the CNN of Ishtiaq et al. 2021, ``(n, 28, 28, 1) -> (n, 10)``."""
    return _seeded(mnist_models.mnist_cnn)


def mid() -> keras.Model:
    """Return a MobileNetV2 (Sandler et al. 2018), ``(n, 96, 96, 3) -> (n, 10)``."""
    return _seeded(lambda: _mobilenet_v2(96, 1.0))


def long() -> keras.Model:
    """Return a MobileNetV2 of width 1.4, ``(n, 224, 224, 3) -> (n, 10)``."""
    return _seeded(lambda: _mobilenet_v2(224, LONG_WIDTH))


def tiny_noise() -> Dataset:
    """Return noise in the shape of `tiny`'s inputs."""
    return _noise(28, 28, 1)


def mid_noise() -> Dataset:
    """Return noise in the shape of `mid`'s inputs."""
    return _noise(96, 96, 3)


def long_noise() -> Dataset:
    """Return noise in the shape of `long`'s inputs."""
    return _noise(224, 224, 3)


def identity() -> str:
    """Return the SHA-256 of the source that all of it is made by."""
    sources = [inspect.getsource(module) for module in (sys.modules[__name__], mnist_models)]
    return hashlib.sha256("\0".join(sources).encode()).hexdigest()


def subjects() -> list[Subject]:
    """Return the subjects ``gate_tiny``, ``gate_mid`` and ``gate_long``, the same at every scale."""
    return [
        Subject("gate_tiny", tiny, tiny_noise, identity, parameters=20_410),
        Subject("gate_mid", mid, mid_noise, identity, parameters=2_270_794),
        Subject("gate_long", long, long_noise, identity, parameters=4_381_706),
    ]


def _seeded(build):
    import keras

    keras.utils.set_random_seed(0)
    return build()


def _mobilenet_v2(size: int, width: float) -> keras.Model:
    import keras

    return keras.applications.MobileNetV2((size, size, 3), alpha=width, weights=None, classes=CLASSES)


def _noise(*shape: int) -> Dataset:
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(SAMPLES, *shape)).astype(np.float32) for _ in range(2)]
    y = [rng.integers(CLASSES, size=SAMPLES) for _ in range(2)]
    return Dataset("noise", x[0], y[0], x[1], y[1])
