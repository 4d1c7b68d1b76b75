"""A small picture as a PNG file's bytes, so that a stored run can carry what a generator made.

The format is that of the W3C's PNG specification (third edition, 2023): eight bits a channel, grey or RGB.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

LARGEST = 512
"""Pixels of a side, at most: a report shows pictures side by side, and a run is kept for long."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2
_HEADER = struct.Struct(">IIBBBBB")


@dataclass(frozen=True)
class Picture:
    """A PNG file's bytes. Raises `DataError` for anything that does not begin as one, or has a side of 0 or over 512.

    Only the beginning is read: a browser shows a damaged rest as a damaged picture.
    """

    png: bytes

    def __post_init__(self) -> None:
        if self.png[:8] != _SIGNATURE or self.png[12:16] != b"IHDR" or len(self.png) < 16 + _HEADER.size:
            raise DataError(f"a picture is a PNG file, got {len(self.png)} bytes that begin with {self.png[:8]!r}")
        if not (0 < self.width <= LARGEST and 0 < self.height <= LARGEST):
            raise DataError(f"a picture has sides of 1 to {LARGEST} pixels, got {self.width} x {self.height}")

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(_HEADER.unpack_from(self.png, 16)[0])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(_HEADER.unpack_from(self.png, 16)[1])


def picture(pixels: NDArray[Any]) -> Picture:
    """Return the picture of `pixels`: ``(height, width)`` or ``(height, width, 1)`` for grey, ``(height, width, 3)``.

    Integers are from 0 to 255, floats from 0 to 1. Raises `DataError` for another shape, other values, or a side of
    over 512 pixels, which is to be scaled down first.
    """
    array = np.asarray(pixels)
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise DataError(f"a picture's pixels are (height, width), or that and 1 or 3 channels, got {array.shape}")
    if max(array.shape[:2]) > LARGEST:
        raise DataError(f"a picture has sides of 1 to {LARGEST} pixels, got {array.shape}; scale it down")
    most = 1 if array.dtype.kind == "f" else 255
    if array.dtype.kind not in "fiu" or not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= most):
        raise DataError(f"a picture's values are integers from 0 to 255 or floats from 0 to 1, got {array.dtype}")
    levels = np.round(array * 255).astype(np.uint8) if most == 1 else array.astype(np.uint8)
    return Picture(_encode(levels))


def _encode(levels: NDArray[np.uint8]) -> bytes:
    height, width = levels.shape[:2]
    lines = levels.reshape(height, -1)
    unfiltered = np.concatenate([np.zeros((height, 1), np.uint8), lines], axis=1)  # each line begins with its filter: 0
    header = _HEADER.pack(width, height, 8, _GREY if levels.ndim == 2 else _RGB, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(unfiltered.tobytes(), 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
