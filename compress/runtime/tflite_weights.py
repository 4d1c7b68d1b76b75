"""The values of a LiteRT file's constants: codes as they are stored, and the floats that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelFileError
from compress.runtime.flatbuffer import Vector
from compress.runtime.tflite_tables import GRAPH_DTYPES, PACKED_BITS, LiteRTFile, Tensor, tensor_names


def read_weights(content: bytes, name: str) -> NDArray[np.float32]:
    """Return the constant that `read_parts` names `name`, as the float values it stands for and in its shape.

    Quantized values are (code - zero point) x scale. Shapes are the runtime's: a convolution's are ``(out, h, w, in)``.
    Raises `ModelFileError` that lists the constants when there is none of that name, or for one stored as sparse.
    """
    constants = weight_readers(content)
    if name not in constants:
        raise ModelFileError(f"no weights {name!r} in the LiteRT file; there are {', '.join(constants) or 'none'}")
    return constants[name]()


def weight_readers(content: bytes) -> dict[str, Callable[[], NDArray[np.float32]]]:
    """Return a function for each constant, by the name that `read_parts` gives it, that returns its values as floats.

    What they return and raise is what `read_weights` does.
    """
    file = LiteRTFile(content)
    constants: dict[str, Callable[[], NDArray[np.float32]]] = {}
    for index, graph in enumerate(file.subgraphs):
        for tensor, name in zip(graph.tensors, tensor_names(graph, index), strict=True):
            run = file.buffers[tensor.buffer]
            if run.length and (tensor.quantization or tensor.dtype not in GRAPH_DTYPES):
                if tensor.quantization and tensor.quantization.block:
                    scales = graph.tensors[tensor.quantization.block_scales]
                    stored = codes_of(scales, bytes_of(content, file.buffers[scales.buffer]))
                    constants[name] = partial(_dequantized_blocks, tensor, name, content, run, stored)
                else:
                    constants[name] = partial(_dequantized, tensor, name, content, run)
    return constants


def bytes_of(content: bytes, run: Vector) -> bytes:
    """Return the bytes of a vector."""
    return content[run.start : run.start + run.length]


def codes_of(tensor: Tensor, data: bytes) -> NDArray[Any]:
    """Return the stored values of the constant `tensor`, (elements,): codes where it is quantized, else its numbers."""
    bits = PACKED_BITS.get(tensor.dtype)
    if bits:
        steps = np.arange(0, 8, bits, dtype=np.uint8)
        codes = ((np.frombuffer(data, np.uint8)[:, None] >> steps) & (2**bits - 1)).reshape(-1)
        codes = codes[: int(np.prod(tensor.shape))].astype(np.int8)
        if not tensor.dtype.startswith("u"):
            codes[codes >= 2 ** (bits - 1)] -= 2**bits
        return np.asarray(codes)
    if tensor.dtype == "bfloat16":
        high_halves = np.frombuffer(data[: len(data) // 2 * 2], np.uint16).astype(np.uint32)
        return np.asarray(high_halves << 16).view(np.float32)
    dtype = np.dtype(tensor.dtype if tensor.dtype in np.sctypeDict and tensor.dtype != "str" else "uint8")
    return np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype)


def zero_points(tensor: Tensor, elements: int) -> NDArray[np.int64] | int:
    """Return the code of zero for each of the stored `elements`, or for all of them."""
    points = tensor.quantization.zero_points if tensor.quantization else ()
    if len(set(points)) <= 1:
        return points[0] if points else 0
    return _each(np.array(points, np.int64), tensor, elements)


def _each(parameters: NDArray[Any], tensor: Tensor, elements: int) -> NDArray[Any]:
    """Return the quantization parameter of each of the stored `elements` from those of the channels, or the tensor."""
    if len(parameters) == 1:
        return np.broadcast_to(parameters, elements)
    dimension = tensor.quantization.dimension if tensor.quantization else 0
    shape = [1] * len(tensor.shape)
    if elements != int(np.prod(tensor.shape)) or tensor.shape[dimension : dimension + 1] != parameters.shape:
        raise ModelFileError(
            f"LiteRT file is damaged: {len(parameters)} scales or zero points for a tensor of shape {tensor.shape}"
        )
    shape[dimension] = len(parameters)
    return np.asarray(np.broadcast_to(parameters.reshape(shape), tensor.shape).reshape(-1))


def _dequantized_blocks(
    tensor: Tensor, name: str, content: bytes, run: Vector, scales: NDArray[Any]
) -> NDArray[np.float32]:
    """Return the values of a tensor that is quantized in blocks of its rows: ``(out, in)`` with `scales` in order."""
    codes, block = codes_of(tensor, bytes_of(content, run)), tensor.quantization.block if tensor.quantization else 1
    rows = int(np.prod(tensor.shape[:-1]))
    blocks = -(-tensor.shape[-1] // block) if tensor.shape else 0
    if codes.size != int(np.prod(tensor.shape)) or scales.size != rows * blocks or not codes.size:
        raise ModelFileError(
            f"{name} stores {codes.size} values and {scales.size} scales for shape {tensor.shape} in blocks of {block}"
        )
    each = np.repeat(scales.astype(np.float64).reshape(rows, blocks), block, axis=1)[:, : tensor.shape[-1]]
    return np.asarray(codes.reshape(rows, -1) * each, np.float32).reshape(tensor.shape)


def _dequantized(tensor: Tensor, name: str, content: bytes, run: Vector) -> NDArray[np.float32]:
    codes = codes_of(tensor, bytes_of(content, run))
    if tensor.sparsity is not None or codes.size != int(np.prod(tensor.shape)):
        raise ModelFileError(f"{name} stores {codes.size} values for shape {tensor.shape}: only dense ones can be read")
    if tensor.quantization is None:
        return codes.astype(np.float32).reshape(tensor.shape)
    place = tensor.quantization.scale
    scale = _each(np.frombuffer(content, "<f4", place.length, place.start).astype(np.float64), tensor, codes.size)
    values = (codes - zero_points(tensor, codes.size)) * scale
    return np.asarray(values, np.float32).reshape(tensor.shape)
