"""Half precision: what becomes of values that are too large or too small for it.

IEEE 754-2019, binary16: largest 65504, smallest normal 2^-14, smallest subnormal 2^-24; rounded half to even.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compress.errors import QuantizationError
from compress.quantization.affine import floats

LARGEST = 65504.0
SMALLEST_NORMAL = 2.0**-14


@dataclass(frozen=True, eq=False)
class HalfPrecision:
    """Values in float16 and how many of them left its normal range.

    ``overflowed`` counts finite values that round beyond 65504, ``flushed`` nonzero values that became zero,
    ``subnormal`` values kept with fewer than 11 significant bits.
    """

    values: NDArray[np.float16]
    overflowed: int
    flushed: int
    subnormal: int


@dataclass(frozen=True)
class Float16:
    """How values are cast to float16.

    ``overflow`` is ``inf`` (IEEE 754, numpy, the LiteRT converters) or ``saturate`` (65504, keeping the sign, as ONNX
    Runtime's float16 converter). ``subnormals`` is ``keep`` (gradual underflow) or ``flush`` (to zero, keeping the
    sign, as an accelerator without subnormals). Raises `QuantizationError` for any other word.
    """

    overflow: Literal["inf", "saturate"] = "inf"
    subnormals: Literal["keep", "flush"] = "keep"

    def __post_init__(self) -> None:
        if self.overflow not in ("inf", "saturate"):
            raise QuantizationError(f"overflow must be inf or saturate, got {self.overflow!r}")
        if self.subnormals not in ("keep", "flush"):
            raise QuantizationError(f"subnormals must be keep or flush, got {self.subnormals!r}")

    def cast(self, x: ArrayLike) -> HalfPrecision:
        """Return `x` in float16 and its shape, with the counts.

        Infinities and NaN, which float16 has, stay what they are under either policy and are not counted. Raises
        `QuantizationError` for an array that is not of floats.
        """
        exact = floats(x)
        with np.errstate(over="ignore", under="ignore"):
            # From the array's own type: by way of float64 is the same (rounding is exact there), and slower.
            half = np.asarray(x).astype(np.float16)
        overflowed = np.isinf(half) & np.isfinite(exact)
        subnormal = (half != 0) & (np.abs(half) < np.float16(SMALLEST_NORMAL))
        if self.overflow == "saturate":
            half = np.where(overflowed, np.copysign(np.float16(LARGEST), half), half)
        if self.subnormals == "flush":
            half = np.where(subnormal, np.copysign(np.float16(0), half), half)
            subnormal = np.zeros_like(subnormal)
        flushed = (half == 0) & (exact != 0)
        return HalfPrecision(half, int(overflowed.sum()), int(flushed.sum()), int(subnormal.sum()))
