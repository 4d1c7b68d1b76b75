"""One small classifier, and its files in every format."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np

SAMPLES, SHAPE, CLASSES = 40, (8, 8, 1), 6
PARAMETERS = 3 * 3 * 1 * 4 + 4 + 6 * 6 * 4 * CLASSES + CLASSES
FORMATS = ("small.keras", "small.h5", "small", "small.tflite", "small.onnx")


def build():
    """Return a classifier of 8 x 8 images with seeded weights."""
    import keras

    layers, glorot = keras.layers, keras.initializers.GlorotUniform
    bias = keras.initializers.RandomNormal(0, 0.1, 3)  # zeros would be left out of converted files
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(4, 3, activation="relu", kernel_initializer=glorot(1), bias_initializer=bias),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax", kernel_initializer=glorot(2), bias_initializer=bias),
        ],
        name="small",
    )


@contextmanager
def saving():
    """Let pass what Keras and TensorFlow themselves do wrong as they save: NumPy 2's ``__array__`` for one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def write_models(folder: Path) -> None:
    """Write `FORMATS` into `folder`, and ``int8.tflite``, which is compressed already."""
    import keras

    from compress.quantization.export import DynamicRange, Float32
    from compress.subject import Dataset

    model = build()
    x, y = np.zeros((2, *SHAPE), np.float32), np.zeros(2, np.int64)
    data = Dataset("none", x, y, x.copy(), y.copy())
    with saving():
        model.save(folder / "small.keras")
        model.save(folder / "small.h5")
        model.export(folder / "small", verbose=False)
        (folder / "small.tflite").write_bytes(Float32().export(model, data, runtime="litert", seed=0))
        (folder / "small.onnx").write_bytes(Float32().export(model, data, runtime="onnx", seed=0))
        wide = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(64)])
        (folder / "int8.tflite").write_bytes(DynamicRange().export(wide, data, runtime="litert", seed=0))
