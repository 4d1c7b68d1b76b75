"""Quantization: fewer bits a value. The maths needs numpy alone; each framework sits behind a module of its own."""

from compress.quantization.affine import Parameters, Scheme, dequantize, quantize, sqnr_db
from compress.quantization.codebook import BlockCodebook, BlockCodes, dequantize_blocks, quantize_blocks
from compress.quantization.float16 import Float16, HalfPrecision
from compress.quantization.granularity import Granularity, PerBlock, PerChannel, PerTensor
from compress.quantization.packing import pack_nibbles, unpack_nibbles
from compress.quantization.ranges import MSE, MinMax, Percentile, RangeRule, choose_parameters

__all__ = [
    "MSE",
    "BlockCodebook",
    "BlockCodes",
    "Float16",
    "Granularity",
    "HalfPrecision",
    "MinMax",
    "Parameters",
    "PerBlock",
    "PerChannel",
    "PerTensor",
    "Percentile",
    "RangeRule",
    "Scheme",
    "choose_parameters",
    "dequantize",
    "dequantize_blocks",
    "pack_nibbles",
    "quantize",
    "quantize_blocks",
    "sqnr_db",
    "unpack_nibbles",
]
