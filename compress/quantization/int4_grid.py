"""The int4 grid of a block of weights: one scale, codes 0...15 around 8, as ONNX Runtime packs and computes with it.

Symmetric rule of ``MlasQuantizeBlockwise`` (onnxruntime/core/mlas/lib/q4_dq.cpp): the value that is largest in
magnitude sits exactly on the end of the grid that has 8 steps; the other end has 7.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import QuantizationError

ZERO = 8
"""The code of zero, which an operator without zero points takes for granted."""


def block_scales(rows: NDArray[np.floating[Any]], block: int) -> NDArray[np.float32]:
    """Return the step of each block of each row: float ``(out, in) -> (out, ceil(in / block))``.

    A step is negative where the value of largest magnitude is positive, and zero for a block of zeros. Raises
    `QuantizationError` for values that float32 cannot hold.
    """
    if rows.ndim != 2 or block < 1:
        raise QuantizationError(f"expected a matrix and a block from 1, got shape {rows.shape} and block {block}")
    values = np.asarray(rows, np.float32)
    if not np.isfinite(values).all():
        raise QuantizationError("4-bit blocks need finite float32 weights")
    cut = _blocks(values, block)
    place = np.abs(cut).argmax(axis=-1)[..., None]
    largest = np.take_along_axis(cut, place, axis=-1)[..., 0]
    return np.asarray(largest / np.float32(-ZERO), np.float32)


def to_codes(rows: NDArray[np.floating[Any]], scales: NDArray[np.float32], block: int) -> NDArray[np.uint8]:
    """Return the nearest code of each value, ``(out, in)``, a tie upwards; what lies beyond the grid goes to its end.

    The error is half a step at most, and up to one whole step between 7 and 8 steps on the side that has 7.
    """
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.where(scales != 0, np.float32(1) / scales, np.float32(0)).astype(np.float32)
        inverse = np.where(np.isfinite(inverse), inverse, np.float32(0))  # of a step that underflowed
    each = np.repeat(inverse, block, axis=1)[:, : rows.shape[1]]
    steps = np.asarray(rows, np.float32) * each
    return np.asarray(np.clip(np.floor(steps + np.float32(ZERO + 0.5)), 0, 15), np.uint8)


def from_codes(codes: NDArray[np.uint8], scales: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Return (code - 8) x scale of each code ``(out, in)``, float32; `scales` are ``(out, ceil(in / block))``."""
    each = np.repeat(scales, block, axis=1)[:, : codes.shape[1]]
    return np.asarray((codes.astype(np.float32) - ZERO) * each, np.float32)


def round_to_nearest(rows: NDArray[np.floating[Any]], block: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return codes ``(out, in)`` and scales ``(out, ceil(in / block))`` of the weights by themselves (RTN)."""
    scales = block_scales(rows, block)
    return to_codes(rows, scales, block), scales


def pack_blocks(codes: NDArray[np.uint8], block: int) -> NDArray[np.uint8]:
    """Return MatMulNBits's storage, ``(out, in) -> (out, ceil(in / block), block / 2)``.

    A byte has the first code in its low half. The last block of a row is filled up with the code of zero.
    """
    cut = _blocks(codes, block, fill=ZERO)
    return np.asarray(cut[..., 0::2] | cut[..., 1::2] << 4, np.uint8)


def _blocks(rows: NDArray[Any], block: int, fill: int = 0) -> NDArray[Any]:
    missing = -rows.shape[1] % block
    padded = np.pad(rows, ((0, 0), (0, missing)), constant_values=fill)
    return padded.reshape(len(rows), -1, block)
