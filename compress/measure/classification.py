"""Quality of a classifier: right or wrong on each sample, and how far its outputs are from the float32 file's."""

from __future__ import annotations

import base64
import hashlib
import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

SQNR_CEILING_DB = 60.0
"""Above this, outputs agree to float rounding: what is left belongs to the processor, not to the compression."""

LEAST_DECADE = -14.0
STEPS_PER_DECADE = 16.0
LARGEST_STEP = 255
"""Noise over mean signal is kept in steps of a sixteenth of a decade (0.6 dB) from 1e-14, which stands for none, to 87;
outputs that are not numbers are noise of the largest step."""


@dataclass(frozen=True)
class Outcomes:
    """Per-sample outcomes of one artifact, compact enough to be kept with every run.

    ``correct (n,)`` bool; ``noise (n,)`` float32 is the squared distance of each sample's outputs from the reference's
    and ``signal (n,)`` the reference's squared norm; ``samples`` is a digest of the labels, in order, so that outcomes
    are paired with those of the same samples only.
    """

    correct: NDArray[np.bool_]
    noise: NDArray[np.float32]
    signal: NDArray[np.float32]
    samples: str

    @property
    def accuracy(self) -> float:
        """Top-1 accuracy, a fraction of the samples."""
        return float(self.correct.mean())

    @property
    def output_sqnr_db(self) -> float:
        """Signal-to-quantization-noise ratio of the outputs, in dB; infinite when they equal the reference's."""
        noise, signal = float(self.noise.sum(dtype=np.float64)), float(self.signal.sum(dtype=np.float64))
        if noise == 0:
            return math.inf
        return 10 * math.log10(signal / noise) if signal else -math.inf

    def to_json(self) -> dict[str, object]:
        """Return the outcomes as JSON: a bit a sample for `correct`, a byte a sample for `noise`, both compressed."""
        mean_signal = float(self.signal.mean(dtype=np.float64))
        with np.errstate(divide="ignore"):
            decades = np.log10(self.noise.astype(np.float64) / (mean_signal or 1.0))
        steps = np.rint((decades - LEAST_DECADE) * STEPS_PER_DECADE)
        return {
            "n": len(self.correct),
            "samples": self.samples,
            "correct": _pack(np.packbits(self.correct).tobytes()),
            "noise": _pack(np.clip(steps, 0, LARGEST_STEP).astype(np.uint8).tobytes()),
            "mean_signal": mean_signal,
        }

    def as_stored(self) -> Outcomes:
        """Return the outcomes as they come back from a ledger, so that two runs are compared at one resolution."""
        return Outcomes.from_json(self.to_json())

    @classmethod
    def from_json(cls, stored: dict[str, object]) -> Outcomes:
        """Return what `to_json` stored; `signal` comes back as its mean. Raises `DataError` when it is damaged."""
        try:
            n = int(str(stored["n"]))
            bits = np.frombuffer(_unpack(stored["correct"]), np.uint8)
            steps = np.frombuffer(_unpack(stored["noise"]), np.uint8).astype(np.float64)
            mean_signal = float(str(stored["mean_signal"]))
            samples = str(stored["samples"])
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise DataError(f"stored outcomes are damaged: {error!r}") from error
        if n < 1 or len(bits) != (n + 7) // 8 or len(steps) != n or not 0 <= mean_signal < np.inf:
            raise DataError(
                f"stored outcomes are damaged: {n} samples, {len(bits)} bytes of bits, {len(steps)} noise values, "
                f"mean signal {mean_signal}"
            )
        noise = np.where(steps == 0, 0.0, 10.0 ** (steps / STEPS_PER_DECADE + LEAST_DECADE)) * (mean_signal or 1.0)
        correct = np.unpackbits(bits, count=n).astype(bool)
        return cls(correct, noise.astype(np.float32), np.full(n, mean_signal, np.float32), samples)


def score(outputs: NDArray[np.float32], labels: NDArray[np.int64], reference: NDArray[np.float32]) -> Outcomes:
    """Return the outcomes of ``outputs (n, classes)`` against ``labels (n,)`` and the reference's outputs.

    An answer that holds NaN or infinity is wrong, and its noise the largest that is kept. Raises `DataError` when the
    shapes do not agree, as a compressed model must answer like the one it replaces, or the reference is not finite.
    """
    if outputs.shape != reference.shape or len(outputs) != len(labels) or outputs.ndim != 2:
        raise DataError(
            f"outputs {outputs.shape}, reference {reference.shape} and labels {labels.shape} do not belong together"
        )
    if not np.isfinite(reference).all():
        raise DataError("the float32 file answers with NaN or infinity, which nothing can be measured against")
    exact, answer = reference.astype(np.float64), outputs.astype(np.float64)
    signal = (exact**2).sum(axis=1)
    finite = np.asarray(np.isfinite(answer).all(axis=1, keepdims=True))
    noise = ((np.where(finite, answer, 0.0) - exact) ** 2).sum(axis=1)
    noise[~finite[:, 0]] = 10.0 ** (LARGEST_STEP / STEPS_PER_DECADE + LEAST_DECADE) * (signal.mean() or 1.0)
    digest = hashlib.sha256(np.ascontiguousarray(labels).astype("<i8").tobytes()).hexdigest()
    return Outcomes(
        correct=np.asarray((answer.argmax(axis=1) == labels) & finite[:, 0]),
        noise=np.minimum(noise, np.finfo(np.float32).max).astype(np.float32),
        signal=signal.astype(np.float32),
        samples=digest[:16],
    )


def is_right(outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 1 where the largest of ``outputs (n, classes)`` is the label's, else 0: ``(n,)``. Errors as `in_top`."""
    return in_top(outputs, labels, 1)


def in_top_5(outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 1 where the label's output is among the five largest, else 0: ``(n,)``. Errors as `in_top`."""
    return in_top(outputs, labels, 5)


def in_top(outputs: NDArray[np.float32], labels: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return 1 where fewer than `k` of ``outputs (n, classes)`` beat the label's, else 0: ``(n,)``.

    Of equal outputs the first class counts as larger, as ``argmax`` has it; an answer that holds NaN or infinity is
    wrong (Russakovsky et al. 2015, 4.1, for k = 5). Raises `DataError` when the shapes do not agree or a label has no
    output.
    """
    check_labels(outputs, labels)
    own = np.take_along_axis(outputs, labels[:, None], axis=1)
    first = np.arange(outputs.shape[1]) < labels[:, None]
    beaten_by = ((outputs > own) | ((outputs == own) & first)).sum(axis=1)
    return np.asarray((beaten_by < k) & np.isfinite(outputs).all(axis=1), np.float64)


def check_labels(outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """Raise `DataError` unless there is a whole-number label below the number of classes for each row of outputs."""
    if outputs.ndim != 2 or labels.shape != outputs.shape[:1] or labels.dtype.kind not in "iu":
        raise DataError(
            f"outputs {outputs.shape} and labels {labels.shape} of {labels.dtype} do not belong together: a classifier "
            "gives (n, classes) for whole-number labels (n,); choose another metric"
        )
    if len(labels) and not (labels.min() >= 0 and labels.max() < outputs.shape[1]):
        raise DataError(
            f"labels {labels.min()} to {labels.max()} do not fit the model's {outputs.shape[1]} outputs; classes count "
            "from 0"
        )


def _pack(content: bytes) -> str:
    return base64.b85encode(zlib.compress(content, 9)).decode()


def _unpack(text: object) -> bytes:
    return zlib.decompress(base64.b85decode(str(text)))
