"""What TensorFlow's tools refuse or leave alone: models, layers and operations that the digit classifiers do not have.

Asked in a process of its own, since the answers need TensorFlow and all of TFMOT.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

DEADLINE_S = 300


@dataclass(frozen=True)
class Answers:
    """Errors as text, empty where nothing was refused, and the operations of a file by count."""

    functional_model: str
    subclassed_model: str
    custom_layer: str
    error_function: str
    sine_at_int8: dict[str, int]


@cache
def answers() -> Answers:
    """Return what was answered, asked once a run. Raises what asking raises, such as a missing TFMOT."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_ask).result(DEADLINE_S)


def _ask() -> Answers:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np

    from compress.errors import CompressError
    from compress.quantization.litert import write_litert
    from compress.runtime.session import op_counts
    from compress.tfmot.bridge import to_tf_keras
    from compress.tfmot.training import import_tfmot

    prune = import_tfmot().sparsity.keras.prune_low_magnitude
    import tf_keras

    class Subclassed(tf_keras.Model):
        pass

    class Doubling(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    image = keras.Input((8,))
    dense = keras.layers.Dense(4)(image)
    samples = np.random.default_rng(0).normal(size=(10, 8)).astype(np.float32)
    sine = write_litert(keras.Model(image, keras.ops.sin(dense)), "int8", calibration=samples)
    return Answers(
        functional_model=_refusal(lambda: prune(to_tf_keras(keras.Model(image, dense))), ValueError),
        subclassed_model=_refusal(lambda: prune(Subclassed()), ValueError),
        custom_layer=_refusal(lambda: to_tf_keras(keras.Model(image, Doubling()(dense))), CompressError),
        error_function=_refusal(
            lambda: write_litert(keras.Model(image, keras.ops.erf(dense)), "int8", calibration=samples), CompressError
        ),
        sine_at_int8=op_counts(sine, "litert"),
    )


def _refusal(attempt: Callable[[], object], refused: type[Exception]) -> str:
    try:
        attempt()
    except refused as error:
        return f"{type(error).__name__}: {error}"
    return ""
