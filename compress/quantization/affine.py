"""Affine quantization: real = scale x (code - zero point), rounded and saturated.

Jacob et al. 2018, "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
eq. 1 and 12. All arithmetic is float64, so that a float32 range from -max to max neither overflows nor loses a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from compress.errors import QuantizationError
from compress.quantization.granularity import Granularity, PerTensor, expand

_BITS = {"int4": 4, "int8": 8, "uint8": 8, "int16": 16, "int32": 32}


@dataclass(frozen=True)
class Scheme:
    """What codes there are and how values come to them.

    ``dtype`` is int4 (held in int8), int8, uint8, int16, or int32 for biases. A ``symmetric`` scheme puts zero on the
    middle code and, for that, never uses the lowest one (int8: -127...127); ``narrow`` leaves it out of an asymmetric
    scheme too. ``rounding`` settles ties: ``half_even`` as ONNX's QuantizeLinear and ai-edge-quantizer, ``half_away``
    (from zero) as TensorFlow's converter. Raises `QuantizationError` for any other dtype or rounding.
    """

    dtype: str = "int8"
    symmetric: bool = True
    narrow: bool = False
    granularity: Granularity = field(default_factory=PerTensor)
    rounding: Literal["half_even", "half_away"] = "half_even"

    def __post_init__(self) -> None:
        if self.dtype not in _BITS:
            raise QuantizationError(f"dtype must be one of {', '.join(_BITS)}, got {self.dtype!r}")
        if self.rounding not in ("half_even", "half_away"):
            raise QuantizationError(f"rounding must be half_even or half_away, got {self.rounding!r}")

    @property
    def bits(self) -> int:
        """Bits that a code takes when packed."""
        return _BITS[self.dtype]

    @property
    def low(self) -> int:
        """Smallest code in use."""
        smallest = 0 if self.dtype.startswith("u") else -(1 << self.bits - 1)
        return smallest + (self.symmetric or self.narrow)

    @property
    def high(self) -> int:
        """Largest code in use."""
        return (1 << self.bits - (not self.dtype.startswith("u"))) - 1

    @property
    def storage(self) -> np.dtype[Any]:
        """Numpy type that holds a code; numpy has none of 4 bits."""
        return np.dtype("int8" if self.dtype == "int4" else self.dtype)


@dataclass(frozen=True, eq=False)
class Parameters:
    """A scale and a zero point for each group of values, with the scheme they belong to.

    Both arrays have the shape of the groups: ``(1, 1)`` per tensor, ``(out, 1)`` per channel of axis 0,
    ``(out, ceil(in / size))`` per block of axis 1. They are copied and made read-only. Raises `QuantizationError` for a
    scale that is not positive and finite, a zero point that is no code, or shapes that differ.
    """

    scale: NDArray[np.floating[Any]]
    zero_point: NDArray[np.int32]
    scheme: Scheme

    def __post_init__(self) -> None:
        scale, zero_point = np.array(self.scale, np.float64), np.array(self.zero_point, np.int32)
        if scale.shape != zero_point.shape:
            raise QuantizationError(f"scales of shape {scale.shape}, zero points of shape {zero_point.shape}")
        if not (np.isfinite(scale) & (scale > 0)).all():
            raise QuantizationError(f"every scale must be positive and finite, got {scale.min()} to {scale.max()}")
        if ((zero_point < self.scheme.low) | (zero_point > self.scheme.high)).any():
            raise QuantizationError(f"every zero point must be a code of {self.scheme}, got {zero_point.tolist()}")
        scale.flags.writeable = zero_point.flags.writeable = False
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "zero_point", zero_point)


class Grid(NamedTuple):
    """Scales and zero points that broadcast against the values they are for, both float64."""

    scale: NDArray[np.float64]
    zero_point: NDArray[np.float64]


def grid(low: NDArray[np.float64], high: NDArray[np.float64], scheme: Scheme) -> Grid:
    """Return the scale and zero point whose codes span ``low`` to ``high``, both widened to hold zero.

    The scale is (high - low) / (number of codes - 1), or max(-low, high) / (highest code - zero point) when symmetric;
    1 for a range that holds nothing but zero. The zero point is rounded to a code, so that zero is exact.
    """
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    steps = scheme.high - scheme.low
    if scheme.symmetric:
        high = np.maximum(-low, high)
        low = -high
    # Halving is exact and keeps a range of two float64 maxima finite.
    scale = (high / 2 - low / 2) / (steps / 2)
    # Below the smallest normal number a scale loses bits, and its codes no longer reach the ends of the range.
    scale = np.where(high > low, np.maximum(scale, np.finfo(np.float64).tiny), 1.0)
    middle = (scheme.high + scheme.low) // 2
    zero_point = np.full_like(scale, middle) if scheme.symmetric else np.rint(scheme.low - low / scale)
    return Grid(scale, np.clip(zero_point, scheme.low, scheme.high))


def encode(x: NDArray[np.float64], on: Grid, scheme: Scheme) -> NDArray[np.float64]:
    """Return the code of each value as a whole float64; values outside the range saturate, infinities too."""
    below, above = scheme.low - on.zero_point, scheme.high - on.zero_point
    with np.errstate(over="ignore"):
        steps = np.clip(x / on.scale, below, above)
    if scheme.rounding == "half_even":
        return np.rint(steps) + on.zero_point
    whole = np.trunc(steps)
    return whole + np.copysign(np.abs(steps - whole) >= 0.5, steps) + on.zero_point


def decode(codes: NDArray[np.float64], on: Grid) -> NDArray[np.float64]:
    """Return the value of each code, no larger than float64 can hold."""
    with np.errstate(over="ignore"):
        return _finite((codes - on.zero_point) * on.scale, np.dtype(np.float64))


def quantize(x: ArrayLike, parameters: Parameters) -> NDArray[Any]:
    """Return the codes of `x`, in its shape and the scheme's storage type: float32 ``(out, in)`` -> int8 ``(out, in)``.

    Values beyond the range saturate, infinities with them. Raises `QuantizationError` for NaN, for an array that is
    not of floats, and for scales of another shape's groups. Source: Jacob et al. 2018, eq. 12.
    """
    values = floats(x)
    if np.isnan(values).any():
        raise QuantizationError(f"{np.isnan(values).sum()} of {values.size} values are NaN, which has no code")
    return encode(values, _grid_for(values.shape, parameters), parameters.scheme).astype(parameters.scheme.storage)


def dequantize(codes: NDArray[Any], parameters: Parameters, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return scale x (code - zero point) in float `dtype`: int8 ``(out, in)`` -> float32 ``(out, in)``.

    The end of a range near the largest `dtype` stays finite. Raises `QuantizationError` unless `codes` are integers
    and `dtype` a float. Source: Jacob et al. 2018, eq. 1.
    """
    target = np.dtype(dtype)
    if codes.dtype.kind not in "iu" or target.kind != "f":
        raise QuantizationError(f"dequantize takes integer codes to a float type, got {codes.dtype} to {target}")
    values = decode(codes.astype(np.float64), _grid_for(codes.shape, parameters))
    return _finite(values, target).astype(target)


def sqnr_db(signal: ArrayLike, approximation: ArrayLike) -> float:
    """Return the signal-to-quantization-noise ratio in dB: 10 log10(sum x^2 / sum (x - x')^2).

    Infinite without noise. Raises `QuantizationError` when the two differ in shape or are not of floats.
    """
    x, y = floats(signal), floats(approximation)
    if x.shape != y.shape:
        raise QuantizationError(f"a signal of shape {x.shape} and an approximation of shape {y.shape}")
    noise = float(np.square(x - y).sum())
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(np.square(x).sum() / noise)) if noise else float("inf")


def floats(x: ArrayLike) -> NDArray[np.float64]:
    """Return `x` as float64; `QuantizationError` unless it holds floats (integers would be quantized silently)."""
    array = np.asarray(x)
    if array.dtype.kind != "f":
        raise QuantizationError(f"expected an array of floats, got {array.dtype}")
    return array.astype(np.float64, copy=False)


def _grid_for(shape: tuple[int, ...], parameters: Parameters) -> Grid:
    granularity = parameters.scheme.granularity
    return Grid(
        expand(parameters.scale, shape, granularity),
        expand(parameters.zero_point.astype(np.float64), shape, granularity),
    )


def _finite(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[np.float64]:
    largest = float(np.finfo(dtype).max)
    return np.clip(values, -largest, largest)
