"""4-bit codebooks over blocks: NF4 and int4, with double quantization of the block constants.

Dettmers et al. 2023, "QLoRA: Efficient finetuning of quantized LLMs", section 3 and appendix E. One deviation: the
second quantization is to symmetric int8, where the paper has an 8-bit float; the storage is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from compress.errors import QuantizationError
from compress.quantization.affine import Parameters, Scheme, dequantize, floats, quantize
from compress.quantization.granularity import PerBlock, expand, per_group
from compress.quantization.packing import pack_nibbles, unpack_nibbles
from compress.quantization.ranges import choose_parameters


def nf4_levels() -> NDArray[np.float32]:
    """Return the 16 NormalFloat levels, ascending from -1 to 1: quantiles of a normal distribution, zero among them.

    8 evenly spaced probabilities from 1/2 to 1 - d on the positive side, 7 on the negative, scaled to 1; d is the mean
    of 1/30 and 1/32, half a probability step of 15 and of 16 levels. Source: QLoRA, eq. 4 and appendix E.
    """
    outermost = 1 - (1 / 30 + 1 / 32) / 2
    normal = NormalDist()
    positive = [normal.inv_cdf(p) for p in np.linspace(0.5, outermost, 9)[1:]]
    negative = [-normal.inv_cdf(p) for p in np.linspace(0.5, outermost, 8)[1:]]
    return np.array([*negative[::-1], 0.0, *positive], np.float32) / np.float32(positive[-1])


def int4_levels() -> NDArray[np.float32]:
    """Return the 15 evenly spaced levels -7/7...7/7 of symmetric int4; the 16th code is unused."""
    return (np.arange(-7, 8) / 7).astype(np.float32)


_LEVELS = {"nf4": nf4_levels, "int4": int4_levels}


@dataclass(frozen=True)
class BlockCodebook:
    """A codebook, how many values share a constant, and how many constants share a second one.

    ``second_block_size`` None keeps the constants in float32 (no double quantization). Raises `QuantizationError` for
    an unknown codebook and for block sizes below 1.
    """

    levels: Literal["nf4", "int4"] = "nf4"
    block_size: int = 64
    second_block_size: int | None = 256

    def __post_init__(self) -> None:
        if self.levels not in _LEVELS:
            raise QuantizationError(f"levels must be one of {', '.join(_LEVELS)}, got {self.levels!r}")
        for size in (self.block_size, self.second_block_size):
            if size is not None and size < 1:
                raise QuantizationError(f"block sizes must be at least 1, got {size}")

    @property
    def constant_bits_per_parameter(self) -> float:
        """Bits that the constants of full blocks add to each parameter: 0.127 for 64 and 256, 0.5 for 64 alone.

        8 / 64 + 32 / (64 x 256) against 32 / 64 (QLoRA, section 3, "Double Quantization"). The mean of all constants,
        32 bits a tensor, is left out as in the paper.
        """
        if self.second_block_size is None:
            return 32 / self.block_size
        return 8 / self.block_size + 32 / (self.block_size * self.second_block_size)

    @property
    def bits_per_parameter(self) -> float:
        """Bits a parameter takes, code and constants: 4.127 with double quantization, 4.5 without."""
        return 4 + self.constant_bits_per_parameter


@dataclass(frozen=True, eq=False)
class BlockConstants:
    """The largest absolute value of each block: ``mean + scale x code``, or ``scale`` alone where ``codes`` is None.

    For n blocks: ``codes`` int8 ``(n,)``, ``scale`` float32 ``(ceil(n / 256),)`` or ``(n,)``, ``mean`` float32 ``()``.
    """

    scale: NDArray[np.float32]
    codes: NDArray[np.int8] | None
    mean: np.float32


@dataclass(frozen=True, eq=False)
class BlockCodes:
    """An array quantized by a codebook: two codes a byte in row-major order, and the constants of their blocks."""

    packed: NDArray[np.uint8]
    constants: BlockConstants
    shape: tuple[int, ...]
    codebook: BlockCodebook

    @property
    def stored_bytes(self) -> int:
        """Bytes of codes, constants and, with double quantization, the mean."""
        constants = self.constants
        second = 0 if constants.codes is None else constants.codes.nbytes + constants.mean.nbytes
        return self.packed.nbytes + constants.scale.nbytes + second


def quantize_blocks(x: ArrayLike, codebook: BlockCodebook) -> BlockCodes:
    """Return each value's nearest level of its block: float32 ``(out, in)`` -> ``out * in / 2`` bytes and constants.

    Blocks run over the flattened array, the last may be shorter. A tie goes to the lower level. Raises
    `QuantizationError` for NaN, infinities, values beyond float32, and an array that is not of floats.
    """
    values = floats(x)
    flat = values.reshape(-1)
    if not (np.abs(flat) <= np.finfo(np.float32).max).all():
        raise QuantizationError("block constants are float32: every value must be a finite float32")
    largest = per_group(_largest, flat, PerBlock(codebook.block_size))[:, 0].astype(np.float32)
    each = expand(largest.astype(np.float64), flat.shape, PerBlock(codebook.block_size))
    levels = _LEVELS[codebook.levels]().astype(np.float64)
    codes = np.searchsorted((levels[1:] + levels[:-1]) / 2, flat / np.where(each > 0, each, 1.0))
    packed = pack_nibbles(codes.astype(np.uint8))
    return BlockCodes(packed, _store(largest, codebook), values.shape, codebook)


def dequantize_blocks(blocks: BlockCodes, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return level x constant of each code in float `dtype` and the array's shape; zero comes back as zero."""
    count = prod(blocks.shape)
    codes = unpack_nibbles(blocks.packed, (count,), signed=False)
    constants = block_constants(blocks).astype(np.float64)
    each = expand(constants, (count,), PerBlock(blocks.codebook.block_size))
    levels = _LEVELS[blocks.codebook.levels]().astype(np.float64)
    values: NDArray[np.float64] = levels[codes] * each
    return values.reshape(blocks.shape).astype(dtype)


def block_constants(blocks: BlockCodes) -> NDArray[np.float32]:
    """Return the constant that each block is multiplied by, float32 ``(blocks,)``, none of them negative."""
    constants = blocks.constants
    if constants.codes is None:
        return constants.scale
    parameters = Parameters(constants.scale, np.zeros(constants.scale.shape, np.int32), _second(blocks.codebook))
    centred: NDArray[np.float64] = dequantize(constants.codes, parameters, np.float64)
    return np.clip(centred + constants.mean, 0, np.finfo(np.float32).max).astype(np.float32)


def _store(largest: NDArray[np.float32], codebook: BlockCodebook) -> BlockConstants:
    if codebook.second_block_size is None:
        return BlockConstants(largest, None, np.float32(0))
    mean = np.float32(largest.mean(dtype=np.float64)) if largest.size else np.float32(0)
    centred = largest.astype(np.float64) - mean
    chosen = choose_parameters(centred, _second(codebook))
    # What is stored is float32: quantize with the scale that will be read back, and never with an underflowed one.
    scale = np.maximum(chosen.scale, np.finfo(np.float32).tiny).astype(np.float32)
    codes = quantize(centred, Parameters(scale, chosen.zero_point, chosen.scheme))
    return BlockConstants(scale, codes, mean)


def _second(codebook: BlockCodebook) -> Scheme:
    return Scheme("int8", granularity=PerBlock(codebook.second_block_size or 1))


def _largest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    largest: NDArray[np.float64] = np.abs(values).max(axis=-1, initial=0.0, keepdims=True)
    return largest
