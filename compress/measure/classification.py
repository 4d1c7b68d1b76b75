"""Quality of a classifier: right or wrong on each sample, and how far its outputs are from the float32 file's."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

SQNR_CEILING_DB = 60.0
"""Above this, outputs agree to float rounding: what is left belongs to the processor, not to the compression."""

LEAST_DECADE = -14.0
STEPS_PER_DECADE = 16.0
"""Noise is kept in steps of a sixteenth of a decade (0.6 dB) from 1e-14, which stands for none, to 87."""


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
        """Return the outcomes as JSON: a bit a sample for `correct`, a byte a sample for `noise`, both compressed."""
        with np.errstate(divide="ignore"):
            steps = np.rint((np.log10(self.noise.astype(np.float64)) - LEAST_DECADE) * STEPS_PER_DECADE)
        return {
            "n": len(self.correct),
            "samples": self.samples,
            "correct": _pack(np.packbits(self.correct).tobytes()),
            "noise": _pack(np.clip(steps, 0, 255).astype(np.uint8).tobytes()),
            "mean_signal": float(self.signal.mean(dtype=np.float64)),
        }

    @classmethod
    def from_json(cls, stored: dict[str, object]) -> Outcomes:
        """Return what `to_json` stored; `signal` comes back as its mean. Raises `DataError` when it is damaged."""
        try:
            n = int(str(stored["n"]))
            bits = np.frombuffer(_unpack(stored["correct"]), np.uint8)
            steps = np.frombuffer(_unpack(stored["noise"]), np.uint8).astype(np.float64)
            correct = np.unpackbits(bits, count=n).astype(bool)
            noise = np.where(steps == 0, 0.0, 10.0 ** (steps / STEPS_PER_DECADE + LEAST_DECADE)).astype(np.float32)
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
            f"outputs {outputs.shape}, reference {reference.shape} and labels {labels.shape} do not belong together"
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
