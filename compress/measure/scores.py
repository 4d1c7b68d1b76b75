"""Quality as a score a sample - F1, PSNR, average precision - kept with every run so that two runs can be paired."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

LARGEST = 60_000.0
"""Scores are kept in half precision, which ends shortly above."""


@dataclass(frozen=True)
class Scores:
    """``values (n,)`` float32, higher is better, in the score's own ``unit``; ``samples`` digests what was scored."""

    values: NDArray[np.float32]
    samples: str
    unit: str = ""

    @classmethod
    def of(cls, values: NDArray[np.float32], labels: NDArray[np.generic], unit: str = "") -> Scores:
        """Return the scores of the samples with these labels, at the resolution they are stored in.

        Samples that are one question, such as the windows of a long text, may have one score together. Raises
        `DataError` unless there are finite scores below 60,000, at most one for each of the ``labels (n, ...)``.
        """
        given = np.asarray(values, np.float64)
        if given.ndim != 1 or not 0 < len(given) <= len(labels):
            raise DataError(
                f"a subject's score gives one number a sample, ({len(labels)},), or a group of samples; got shape "
                f"{given.shape}"
            )
        if not (np.isfinite(given).all() and (np.abs(given) <= LARGEST).all()):
            raise DataError(f"a subject's scores must be finite and at most {LARGEST:,.0f}; scale them")
        content = np.ascontiguousarray(labels).tobytes() + repr((labels.shape, labels.dtype.kind)).encode()
        return cls(given.astype(np.float16).astype(np.float32), hashlib.sha256(content).hexdigest()[:16], unit)

    @property
    def mean(self) -> float:
        """The mean score of the samples."""
        return float(self.values.mean(dtype=np.float64))

    def to_json(self) -> dict[str, object]:
        """Return the scores as JSON, two bytes a sample, compressed."""
        content = zlib.compress(self.values.astype("<f2").tobytes(), 9)
        stored = {"n": len(self.values), "samples": self.samples, "values": base64.b85encode(content).decode()}
        return {**stored, "unit": self.unit} if self.unit else stored

    @classmethod
    def from_json(cls, stored: dict[str, object]) -> Scores:
        """Return what `to_json` stored. Raises `DataError` when it is damaged."""
        try:
            content = zlib.decompress(base64.b85decode(str(stored["values"])))
            values = np.frombuffer(content, "<f2").astype(np.float32)
            n, samples = int(str(stored["n"])), str(stored["samples"])
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise DataError(f"stored scores are damaged: {error!r}") from error
        if n < 1 or len(values) != n or not np.isfinite(values).all():
            raise DataError(f"stored scores are damaged: {n} samples, {len(values)} values")
        return cls(values, samples, str(stored.get("unit", "")))
