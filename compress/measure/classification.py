"""Quality of a classifier: right or wrong on each sample, and how far its outputs are from the float32 file's."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError


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
        noise = float(self.noise.sum(dtype=np.float64))
        return float("inf") if noise == 0 else 10 * float(np.log10(self.signal.sum(dtype=np.float64) / noise))

    def to_json(self) -> dict[str, object]:
        """Return the outcomes as JSON: bits for `correct`, half floats of log10 for `noise`, both compressed."""
        with np.errstate(divide="ignore"):
            decades = np.log10(self.noise.astype(np.float64))
        return {
            "n": len(self.correct),
            "samples": self.samples,
            "correct": _pack(np.packbits(self.correct).tobytes()),
            "log10_noise": _pack(np.maximum(decades, -60).astype(np.float16).tobytes()),
            "mean_signal": float(self.signal.mean(dtype=np.float64)),
        }

    @classmethod
    def from_json(cls, stored: dict[str, object]) -> Outcomes:
        """Return what `to_json` stored; `signal` comes back as its mean. Raises `DataError` when it is damaged."""
        try:
            n = int(str(stored["n"]))
            bits = np.frombuffer(_unpack(stored["correct"]), np.uint8)
            decades = np.frombuffer(_unpack(stored["log10_noise"]), np.float16).astype(np.float64)
            correct = np.unpackbits(bits, count=n).astype(bool)
            noise = np.where(decades <= -60, 0.0, 10.0**decades).astype(np.float32)
            signal = np.full(n, float(str(stored["mean_signal"])), np.float32)
            samples = str(stored["samples"])
        except (KeyError, ValueError, zlib.error) as error:
            raise DataError(f"stored outcomes are damaged: {error}") from error
        if len(correct) != n or len(noise) != n:
            raise DataError(f"stored outcomes are damaged: {n} samples, {len(correct)} bits, {len(noise)} noise values")
        return cls(correct, noise, signal, samples)


def score(outputs: NDArray[np.float32], labels: NDArray[np.int64], reference: NDArray[np.float32]) -> Outcomes:
    """Return the outcomes of ``outputs (n, classes)`` against ``labels (n,)`` and the reference's outputs.

    Raises `DataError` when the shapes do not agree: a compressed model must answer like the one it replaces.
    """
    if outputs.shape != reference.shape or len(outputs) != len(labels) or outputs.ndim != 2:
        raise DataError(
            f"outputs {outputs.shape}, reference outputs {reference.shape} and labels {labels.shape} do not belong together"
        )
    exact, answer = reference.astype(np.float64), outputs.astype(np.float64)
    digest = hashlib.sha256(np.ascontiguousarray(labels).astype("<i8").tobytes()).hexdigest()
    return Outcomes(
        correct=np.asarray(answer.argmax(axis=1) == labels),
        noise=((answer - exact) ** 2).sum(axis=1).astype(np.float32),
        signal=(exact**2).sum(axis=1).astype(np.float32),
        samples=digest[:16],
    )


def _pack(content: bytes) -> str:
    return base64.b85encode(zlib.compress(content, 9)).decode()


def _unpack(text: object) -> bytes:
    return zlib.decompress(base64.b85decode(str(text)))
