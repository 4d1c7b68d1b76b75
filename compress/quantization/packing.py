"""Two 4-bit codes a byte, the first in the low nibble.

The layout of ONNX (onnx.proto, `TensorProto.INT4`) and of LiteRT (schema.fbs, `TensorType.INT4`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import QuantizationError


def pack_nibbles(codes: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the codes in row-major order, two a byte: 5 codes -> 3 bytes, the last high nibble zero.

    Codes are -8...7 in a signed array, or 0...15 in an unsigned one. Raises `QuantizationError` for any other.
    """
    if codes.dtype.kind not in "iu":
        raise QuantizationError(f"expected an array of integer codes, got {codes.dtype}")
    low, high = (-8, 7) if codes.dtype.kind == "i" else (0, 15)
    if codes.size and not low <= codes.min() <= codes.max() <= high:
        raise QuantizationError(f"4-bit codes lie in {low}...{high}, got {codes.min()}...{codes.max()}")
    nibbles = np.zeros(codes.size + codes.size % 2, np.uint8)
    nibbles[: codes.size] = codes.ravel() & 0x0F
    return (nibbles[0::2] | nibbles[1::2] << 4).astype(np.uint8, copy=False)


def unpack_nibbles(packed: NDArray[np.uint8], shape: tuple[int, ...], *, signed: bool) -> NDArray[Any]:
    """Return the int8 (or uint8) codes of `shape` that `packed` holds: 3 bytes -> ``(5,)``.

    Raises `QuantizationError` when the bytes are not as many as the shape needs.
    """
    count = int(np.prod(shape, dtype=np.int64))
    if packed.dtype != np.uint8 or packed.ndim != 1 or packed.size != (count + 1) // 2:
        raise QuantizationError(
            f"{count} codes of 4 bits are {(count + 1) // 2} bytes, got {packed.dtype} of shape {packed.shape}"
        )
    nibbles = np.stack([packed & 0x0F, packed >> 4], axis=-1).ravel()[:count].reshape(shape)
    return ((nibbles ^ 8).astype(np.int8) - np.int8(8)) if signed else nibbles
