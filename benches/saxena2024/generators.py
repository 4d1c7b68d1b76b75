"""Fréchet distances of generators' files, compared: the same pictures, left out in the same groups."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from compress.claims.bound import Estimate
from compress.measure.frechet import frechet_distance
from compress.workbench import Cell

N = "500 made and 500 real pictures"
GROUPS = 20
CONFIDENT = 1.729
"""Student's t of 19 degrees of freedom, 95 % a side."""

BETWEEN_TRAININGS = 0.15
"""Standard deviation of the log distance of one recipe's generators, of three trainings."""


def distance(cell: Cell) -> float:
    """Return the Fréchet distance of what a file makes from real pictures."""
    return cell.value("frechet_distance")


def ratio(cell: Cell, other: Cell) -> Estimate:
    """Return the distance of `cell` over that of `other`, with its limits by the jackknife, 95 % a side.

    A group of made pictures, and as many real ones, are left out of both at a time (Quenouille 1956, Tukey 1958).
    """
    made = [features_of(one) for one in (cell, other)]
    assert cell.subject is other.subject
    real = real_features(cell)

    def logarithm(kept: NDArray[np.bool_]) -> float:
        near, far = (frechet_distance(one[kept], real[kept]) for one in made)
        return math.log(near / far)

    group = np.random.default_rng(0).permutation(len(real)) % GROUPS
    left_out = np.array([logarithm(group != number) for number in range(GROUPS)])
    half = CONFIDENT * math.sqrt((GROUPS - 1) * float(left_out.var()))
    value = distance(cell) / distance(other)
    note = f"distances {distance(cell):.2f} and {distance(other):.2f}"
    return Estimate(value, value * math.exp(-half), value * math.exp(half), "x the distance", n=len(real), note=note)


def against_float(cell: Cell) -> Estimate:
    """Return the distance of a file over that of the float32 file in the same runtime, as `ratio` does."""
    return ratio(cell, cell.reference)


def of_two_trainings(found: Estimate) -> Estimate:
    """Return a ratio with the limits of two trainings: which of them ended nearer is chance as well."""
    spread = math.exp(CONFIDENT * math.sqrt(2) * BETWEEN_TRAININGS)
    return Estimate(found.value, found.low / spread, found.high * spread, found.unit, found.n, found.note)


def features_of(cell: Cell) -> NDArray[np.float32]:
    """Return the features of the pictures that a file makes, ``(500, 64)``."""
    outputs = cell.measurement.outputs
    assert outputs is not None
    return _features(outputs.tobytes(), outputs.shape)


def real_features(cell: Cell) -> NDArray[np.float32]:
    """Return the features of the real pictures of the domain that a file translates to, ``(500, 64)``."""
    real = cell.workbench.data(cell.subject).evaluation_y
    return _features(real.tobytes(), real.shape)


@cache
def _features(pictures: bytes, shape: tuple[int, ...]) -> NDArray[np.float32]:
    from fixtures.digit_features import features
    from fixtures.two_domains import as_picture

    return features(as_picture(np.frombuffer(pictures, np.float32).reshape(shape)))
