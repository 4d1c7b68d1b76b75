"""Fidelity: how close a compressed model's outputs are to the float32 file's, a sample at a time, of any shape.

Needs no labels. Mean squared error and peak signal-to-noise ratio as for images (Huynh-Thu and Ghanbari 2008, "Scope of
validity of PSNR"); the signal-to-quantization-noise ratio is in dB of power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.measure.classification import SQNR_CEILING_DB
from compress.records import flat, shown

PSNR_CEILING_DB = 100.0
"""Above this, outputs agree to float rounding. The ratio's peak is the range of all the reference's outputs."""
FLOOR_DB = -100.0
"""What an answer that is not finite gets, or one that is all noise."""


@dataclass(frozen=True)
class Fidelity:
    """Means over the samples."""

    mse: float
    psnr_db: float
    cosine_similarity: float


def fidelity(outputs: NDArray[np.float32], reference: NDArray[np.float32]) -> Fidelity:
    """Return the means over ``outputs (n, ...)`` against ``reference (n, ...)``. Raises `DataError` as `sqnr_db`."""
    answer, exact = _rows(outputs, reference)
    return Fidelity(
        float(np.nan_to_num(_mse(answer, exact), nan=np.inf, posinf=np.inf).mean()),
        float(psnr_db(outputs, reference).mean()),
        float(cosine_similarity(outputs, reference).mean()),
    )


def sqnr_db(outputs: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each sample's signal-to-quantization-noise ratio, ``(n, ...) -> (n,)``, in dB, from -100 to 60.

    Raises `DataError` when the shapes differ, as a compressed model must answer like the one it replaces, or the
    reference is not finite.
    """
    answer, exact = _rows(outputs, reference)
    return _db((exact**2).mean(axis=1), _mse(answer, exact), SQNR_CEILING_DB)


def psnr_db(outputs: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each sample's peak signal-to-noise ratio in dB, from -100 to 100: squared range over squared error.

    The range is that of all the reference's outputs. Raises `DataError` as `sqnr_db` does.
    """
    answer, exact = _rows(outputs, reference)
    return _db(np.full(len(exact), np.ptp(exact) ** 2), _mse(answer, exact), PSNR_CEILING_DB)


def cosine_similarity(outputs: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each sample's cosine of the angle to the reference, ``(n, ...) -> (n,)``, from -1 to 1.

    Two zero vectors are alike, 1; one of them, or an answer that is not finite, gives 0. Raises `DataError` as
    `sqnr_db` does.
    """
    answer, exact = _rows(outputs, reference)
    norms = np.linalg.norm(answer, axis=1), np.linalg.norm(exact, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # each to unit length first: products of large values overflow
        cosine = ((answer / norms[0][:, None]) * (exact / norms[1][:, None])).sum(axis=1)
    both_zero = (norms[0] == 0) & (norms[1] == 0)
    return np.asarray(np.where(both_zero, 1.0, np.clip(np.nan_to_num(cosine, nan=0.0), -1.0, 1.0)), np.float64)


def _rows(
    outputs: NDArray[np.float32], reference: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if (
        outputs.shape != reference.shape
        or outputs.dtype.names != reference.dtype.names
        or outputs.ndim == 0
        or outputs.size == 0
    ):
        raise DataError(
            f"outputs {shown(outputs)} and the float32 file's {shown(reference)} do not belong together: a compressed "
            "model answers like the one it replaces"
        )
    answer, exact = flat(outputs), flat(reference)
    if answer.shape != exact.shape:
        raise DataError(
            f"outputs {shown(outputs)} and the float32 file's {shown(reference)} do not belong together: a compressed "
            "model answers like the one it replaces"
        )
    if not np.isfinite(exact).all():
        raise DataError("the float32 file answers with NaN or infinity, which nothing can be measured against")
    return answer.astype(np.float64), exact.astype(np.float64)


def _mse(answer: NDArray[np.float64], exact: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):
        squared: NDArray[np.float64] = ((answer - exact) ** 2).mean(axis=1)
    return squared


def _db(signal: NDArray[np.float64], noise: NDArray[np.float64], ceiling: float) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 10 * np.log10(signal / noise)
    ratio = np.where(noise == 0, ceiling, ratio)
    clipped: NDArray[np.float64] = np.clip(
        np.nan_to_num(ratio, nan=FLOOR_DB, neginf=FLOOR_DB, posinf=ceiling), FLOOR_DB, ceiling
    )
    return clipped
