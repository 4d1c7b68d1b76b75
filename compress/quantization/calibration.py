"""What integer files are calibrated with: which inputs, and which of an activation's values make its range.

Percentile ranges after Wu et al. 2020, "Integer Quantization for Deep Learning Inference" (arXiv:2004.09602).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from compress.errors import RecipeError
from compress.records import are_records

if TYPE_CHECKING:
    from compress.subject import Dataset

Inputs = Literal["training", "noise", "unscaled"]
Ranges = Literal["min_max", "percentile"]

PERCENTILE = 99.99
"""Share of an activation's values, in percent, that its range keeps; half of the rest is clipped at either end.

The middle of the 99.9 to 99.9999 that Wu et al. compare. ONNX Runtime's own 99.999 clips one value in 200,000 at an
end: none of a layer with 1,000 values a sample, at 100 samples.
"""

BINS = 2048
"""Bins of an activation's histogram, as many as ONNX Runtime starts with."""

_UNSCALED = 255
"""Largest value of a pixel that nobody divided."""


def calibration_inputs(data: Dataset, inputs: Inputs, samples: int, seed: int) -> NDArray[Any]:
    """Return what to calibrate with, (samples, ...): ``(100, 28, 28, 1)``, float32.

    ``training`` is training samples. ``noise`` is uniform over the range that the training samples span, shaped as
    they are. ``unscaled`` is a mistake to measure: training samples times 255, pixels of 0...255 for a model that
    takes 0...1. Raises `DataError` when there are fewer training samples.
    """
    if inputs != "training" and are_records(data.train_x):
        raise RecipeError(f"int8(inputs={inputs}) is for a model with one input; {data.name} has several")
    if inputs == "noise":
        low, high = data.train_x.min(), data.train_x.max()
        shape = (samples, *data.train_x.shape[1:])
        return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)
    drawn = data.calibration(samples, seed)
    return drawn * np.float32(_UNSCALED) if inputs == "unscaled" else drawn


def percentile_range(counts: NDArray[np.int64], low: float, high: float) -> tuple[float, float]:
    """Return the ends of the bins that hold the middle `PERCENTILE` of the values.

    `counts` ``(2048,)`` are the values in equal bins from `low` to `high`, the smallest and the largest.
    """
    edges = np.linspace(low, high, counts.size + 1)
    below = np.cumsum(counts) / counts.sum()
    cut = (100 - PERCENTILE) / 200
    return float(edges[np.searchsorted(below, cut)]), float(edges[np.searchsorted(below, 1 - cut) + 1])
