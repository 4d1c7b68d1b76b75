"""The constants of an ONNX file as the floats that they stand for.

DequantizeLinear, ConvInteger, MatMulInteger and QLinearConv as in https://onnx.ai/onnx/operators/; for dynamic
quantization the weight's scale stands where ONNX Runtime's quantizer puts it, in a product behind the integer result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelFileError
from compress.runtime.onnx_file import OPERANDS, constants, parse, values_of
from compress.runtime.onnx_packed import Packed, packed_constants

_FIRST_AXIS = ("QLinearConv", "ConvInteger")
"""Operations whose kernel has its channels first; a matrix has them last."""


def weight_readers(content: bytes) -> dict[str, Callable[[], NDArray[np.float32]]]:
    """Return a function for each constant of an .onnx file that returns its values as floats, dequantized.

    A function raises `ModelFileError` for integers whose scale does not stand in the file, or fits no axis of theirs.
    """
    tensors, nodes = constants(parse(content))
    scales, packed = _scales(tensors, nodes), packed_constants(nodes, tensors)
    return {
        name: partial(_unpacked, name, tensors, packed[name])
        if name in packed
        else partial(_values, name, tensors, scales.get(name))
        for name in tensors
    }


def _unpacked(name: str, tensors: dict[str, Any], packed: Packed) -> NDArray[np.float32]:
    if packed.scales not in tensors:
        raise ModelFileError(f"ONNX file: the scale of {name!r} is not a constant of the file")
    points = values_of(tensors[packed.zero_points]) if packed.zero_points in tensors else None
    codes = packed.codes(values_of(tensors[name]), name)
    return packed.values(codes, values_of(tensors[packed.scales]), points, name)


def _scales(tensors: dict[str, Any], nodes: list[Any]) -> dict[str, tuple[str, str, int, int]]:
    """Return (scale, zero point, axis, block size) of each constant that an operation reads as codes."""
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found: dict[str, tuple[str, str, int, int]] = {}
    for node in nodes:
        inputs = dict(enumerate(node.input))
        for value, scale, zero_point in OPERANDS.get(node.op_type, ()):
            name = inputs.get(value, "")
            if name not in tensors or node.op_type == "QuantizeLinear":
                continue
            axis, block = (0 if node.op_type in _FIRST_AXIS else -1), 0
            if node.op_type == "DequantizeLinear":
                attributes = {each.name: each.i for each in node.attribute}
                axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
            if node.op_type == "QGemm" and {each.name: each.i for each in node.attribute}.get("transB"):
                axis = 0
            place = inputs.get(scale, "") if scale >= 0 else _behind(node, readers, tensors)
            found[name] = (place, inputs.get(zero_point, ""), axis, block)
    return found


def _behind(node: Any, readers: dict[str, list[Any]], tensors: dict[str, Any]) -> str:
    """Return the weight's scale in ONNX Runtime's dynamic quantization: integer product, Cast, Mul by scales' Mul."""
    for cast in readers.get(node.output[0], []):
        for product in readers.get(cast.output[0], []) if cast.op_type == "Cast" else []:
            for both in product.input if product.op_type == "Mul" else []:
                for scales in (each for nodes in readers.values() for each in nodes if both in each.output):
                    if held := [name for name in scales.input if name in tensors]:
                        return str(held[0])
    return ""


def _values(name: str, tensors: dict[str, Any], quantization: tuple[str, str, int, int] | None) -> NDArray[np.float32]:
    codes = values_of(tensors[name])
    if quantization is None:
        return np.asarray(codes, np.float32)
    scale_name, zero_name, axis, block = quantization
    if scale_name not in tensors:
        raise ModelFileError(f"ONNX file: the scale of {name!r} is not a constant of the file")
    scale = values_of(tensors[scale_name]).astype(np.float64)
    zero = values_of(tensors[zero_name]).astype(np.float64) if zero_name in tensors else np.zeros(())
    spread = [_spread(each, codes.shape, axis, block, name) for each in (scale, zero)]
    return np.asarray((codes.astype(np.float64) - spread[1]) * spread[0], np.float32)


def _spread(parameter: NDArray[Any], shape: tuple[int, ...], axis: int, block: int, name: str) -> NDArray[Any]:
    """Return `parameter` shaped to go with the codes: of the tensor, of the channels on `axis`, or of blocks there."""
    if parameter.size == 1:
        return parameter.reshape(())
    if block and parameter.ndim == len(shape):
        return np.repeat(parameter, block, axis)[tuple(slice(size) for size in shape)]
    flat, axis = parameter.reshape(-1), axis % max(len(shape), 1)
    if not shape or shape[axis] != flat.size:
        raise ModelFileError(f"ONNX file: {flat.size} scales or zero points for {name!r} of shape {shape}")
    return flat.reshape([-1 if each == axis else 1 for each in range(len(shape))])
