"""What a model makes of the first few samples, as pictures to be looked at side by side (Saxena et al. 2024, Fig. 15).

A strip is one picture: the samples below each other, so that strips beside each other compare sample by sample.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.measure.picture import LARGEST, Picture, picture
from compress.records import fields

SAMPLES = 4
"""How many samples a strip shows, at most."""

MOST_BYTES = 48_000
"""Bytes of the strips of one file together, at most: as base64 text a third more, 64 kB."""

_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_SLACK = 0.05
"""By how much of a range a model may overshoot it and still be taken to mean it."""


def sample_pictures(
    inputs: NDArray[Any], reference: NDArray[Any], outputs: Mapping[str, NDArray[Any]]
) -> dict[str, Picture]:
    """Return strips by name: ``input`` where samples are pictures, ``float32``, and those of each file's `outputs`.

    Pictures are ``(n, height, width, 1 or 3)``, or with the channels before them; of records the first field that is.
    All outputs are shown on the range of the float32 file's: 0 to 1, -1 to 1 or 0 to 255, whichever holds nearly all
    of it, else its own. Fewer samples are shown, then scaled down ones, until `MOST_BYTES` hold all strips. Empty when
    an output is no picture.
    """
    answers = {name: _pixels(one) for name, one in {"float32": reference, **outputs}.items()}
    if any(one is None for one in answers.values()):
        return {}
    pixels = {name: one for name, one in {"input": _pixels(inputs), **answers}.items() if one is not None}
    ranges = {name: _range(pixels[name if name == "input" else "float32"]) for name in pixels}
    levels = {name: _levels(one, *ranges[name]) for name, one in pixels.items()}
    samples, shrunk = SAMPLES, 1
    while True:
        strips = {each: _strip(one[:samples], shrunk) for each, one in levels.items()}
        if max(max(one.shape) for one in strips.values()) <= LARGEST:
            made = {each: picture(one) for each, one in strips.items()}
            if sum(len(one.png) for one in made.values()) <= MOST_BYTES:
                return made
        if samples > SAMPLES // 2:
            samples -= 1
        else:
            shrunk *= 2


def to_json(pictures: Mapping[str, Picture]) -> dict[str, str]:
    """Return what a run stores of strips: each PNG file in base64."""
    return {name: base64.b64encode(one.png).decode() for name, one in pictures.items()}


def from_json(stored: object) -> dict[str, Picture]:
    """Return the strips that `to_json` stored. Raises `DataError` on anything else."""
    if not isinstance(stored, Mapping):
        raise DataError("stored pictures are an object with a picture a name")
    try:
        return {str(name): Picture(base64.b64decode(png, validate=True)) for name, png in stored.items()}
    except (TypeError, ValueError, binascii.Error) as error:
        raise DataError(f"a stored picture cannot be read: {error}") from error


def _pixels(values: NDArray[Any]) -> NDArray[np.float64] | None:
    """Return the first samples as ``(n, height, width, 1 or 3)``, or None when they are no pictures."""
    for one in fields(values[:SAMPLES]).values():
        if one.ndim != 4:
            continue
        first = np.asarray(one, np.float64)
        if first.shape[3] not in (1, 3):
            first = first.transpose(0, 2, 3, 1)
        if first.shape[3] in (1, 3) and first.size and min(first.shape[1:3]) > 1:
            return first
    return None


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0, 1)
    for least, most in _RANGES:
        slack = _SLACK * (most - least)
        if least - slack <= low and high <= most + slack:
            return least, most
    return float(low), float(high)


def _levels(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Return `values` from 0 to 1; what is not finite is black."""
    scaled: NDArray[np.float64] = np.nan_to_num(np.clip((values - low) / ((high - low) or 1), 0, 1))
    return scaled


def _strip(levels: NDArray[np.float64], shrunk: int) -> NDArray[np.float64]:
    """Return pictures below each other, white in between, each side `shrunk` times smaller: the mean of its pixels."""
    for axis in (1, 2):
        starts = np.arange(0, levels.shape[axis], shrunk)
        counts = np.diff([*starts, levels.shape[axis]])
        shape = [-1 if each == axis else 1 for each in range(levels.ndim)]
        levels = np.add.reduceat(levels, starts, axis) / counts.reshape(shape)
    gap = np.ones((1, *levels.shape[2:]))
    strip: NDArray[np.float64] = np.concatenate([row for one in levels for row in (gap, one)][1:])
    return np.minimum(strip, 1)  # a mean of ones may be rounded up
