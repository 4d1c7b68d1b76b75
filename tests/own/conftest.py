"""Data for the small classifier of `tests.own_models`."""

import numpy as np
import pytest

from tests.own_models import CLASSES, SAMPLES, SHAPE


@pytest.fixture
def arrays(tmp_path):
    """Return a function that writes arrays into ``data.npz`` and returns its path."""

    def write(**named):
        np.savez(tmp_path / "data.npz", **named)
        return str(tmp_path / "data.npz")

    return write


@pytest.fixture
def x():
    return np.random.default_rng(0).random((SAMPLES, *SHAPE), np.float32)


@pytest.fixture
def y():
    return np.arange(SAMPLES) % CLASSES
