"""Read LiteRT files (.tflite): operations, graph, what every byte is, and the constants' values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact import Part
from compress.errors import ModelFileError
from compress.runtime.flatbuffer import Flatbuffer, Vector
from compress.runtime.graph import Graph, GraphTensor, Node
from compress.runtime.multiply_adds import Operation
from compress.runtime.tflite_tables import (
    GRAPH_DTYPES,
    INDEX_DTYPES,
    PACKED_BITS,
    LiteRTFile,
    Tensor,
    tensor_names,
)


def _sparse_indices(file: Flatbuffer, tensor: Tensor) -> list[tuple[str, str, Vector]]:
    """Return the index vectors of a tensor in the schema's sparse format: label, type, place."""
    if tensor.sparsity is None:
        return []
    found = []
    for number, dimension in enumerate(file.tables(tensor.sparsity, 2)):
        for label, kind_field in (("segments", 2), ("indices", 4)):
            dtype = INDEX_DTYPES.get(file.scalar(dimension, kind_field, "B"))
            values = file.table(dimension, kind_field + 1)
            if dtype and values is not None:
                run = file.vector(values, 0, np.dtype(dtype).itemsize)
                found.append((f"{label}_{number}", dtype, run))
    return found


def _codes(tensor: Tensor, data: bytes) -> NDArray[Any]:
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


def _weights(tensor: Tensor, name: str, data: bytes) -> Part:
    """Return the part that the constant `tensor` with the stored bytes `data` is."""
    codes = _codes(tensor, data)
    zeros = int(np.count_nonzero(codes == _zero_points(tensor, codes.size)))
    return Part(name, "weights", tensor.dtype, codes.size, len(data), zeros, tensor.shape)


def _zero_points(tensor: Tensor, elements: int) -> NDArray[np.int64] | int:
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


def op_counts(content: bytes) -> dict[str, int]:
    """Return how often each LiteRT operation occurs, ``{"CONV_2D": 1}``, over all subgraphs, by name."""
    counts = Counter(operator.name for graph in LiteRTFile(content).subgraphs for operator in graph.operators)
    return dict(sorted(counts.items()))


def operations(content: bytes) -> list[Operation]:
    """Return the operations of a .tflite file over all subgraphs, with the shapes that the file gives its tensors.

    An input that is left out has none, and an axis whose length is open is 1 long, which for the batch is one sample.
    """
    return [
        Operation(
            operator.name,
            tuple(graph.tensors[index].shape if index >= 0 else None for index in operator.inputs),
            tuple(graph.tensors[index].shape for index in operator.outputs if index >= 0),
        )
        for graph in LiteRTFile(content).subgraphs
        for operator in graph.operators
    ]


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
                    stored = _codes(scales, _bytes_of(content, file.buffers[scales.buffer]))
                    constants[name] = partial(_dequantized_blocks, tensor, name, content, run, stored)
                else:
                    constants[name] = partial(_dequantized, tensor, name, content, run)
    return constants


def read_graph(content: bytes) -> Graph:
    """Return the graph of a .tflite file; see `compress.runtime.session.read_graph`."""
    file, tensors, nodes = LiteRTFile(content), {}, []
    for number, graph in enumerate(file.subgraphs):
        names = tensor_names(graph, number)
        for place, (tensor, name) in enumerate(zip(graph.tensors, names, strict=True)):
            constant = file.buffers[tensor.buffer].length > 0
            tensors[name] = GraphTensor(
                name,
                tensor.dtype,
                tensor.shape,
                storage=tensor.buffer if constant else None,
                place=place if number == 0 else None,
                named=bool(tensor.name),
            )
        for operator in graph.operators:
            inputs = tuple(names[index] if index >= 0 else "" for index in operator.inputs)
            outputs = tuple(names[index] for index in operator.outputs if index >= 0)
            nodes.append(Node(outputs[0] if outputs else "", operator.name, inputs, outputs))
    main, names = file.subgraphs[0], tensor_names(file.subgraphs[0], 0)
    return Graph(tensors, tuple(nodes), *(tuple(names[index] for index in end) for end in (main.inputs, main.outputs)))


def _bytes_of(content: bytes, run: Vector) -> bytes:
    return content[run.start : run.start + run.length]


def _dequantized_blocks(
    tensor: Tensor, name: str, content: bytes, run: Vector, scales: NDArray[Any]
) -> NDArray[np.float32]:
    """Return the values of a tensor that is quantized in blocks of its rows: ``(out, in)`` with `scales` in order."""
    codes, block = _codes(tensor, _bytes_of(content, run)), tensor.quantization.block if tensor.quantization else 1
    rows = int(np.prod(tensor.shape[:-1]))
    blocks = -(-tensor.shape[-1] // block) if tensor.shape else 0
    if codes.size != int(np.prod(tensor.shape)) or scales.size != rows * blocks or not codes.size:
        raise ModelFileError(
            f"{name} stores {codes.size} values and {scales.size} scales for shape {tensor.shape} in blocks of {block}"
        )
    each = np.repeat(scales.astype(np.float64).reshape(rows, blocks), block, axis=1)[:, : tensor.shape[-1]]
    return np.asarray(codes.reshape(rows, -1) * each, np.float32).reshape(tensor.shape)


def _dequantized(tensor: Tensor, name: str, content: bytes, run: Vector) -> NDArray[np.float32]:
    codes = _codes(tensor, _bytes_of(content, run))
    if tensor.sparsity is not None or codes.size != int(np.prod(tensor.shape)):
        raise ModelFileError(f"{name} stores {codes.size} values for shape {tensor.shape}: only dense ones can be read")
    if tensor.quantization is None:
        return codes.astype(np.float32).reshape(tensor.shape)
    place = tensor.quantization.scale
    scale = _each(np.frombuffer(content, "<f4", place.length, place.start).astype(np.float64), tensor, codes.size)
    values = (codes - _zero_points(tensor, codes.size)) * scale
    return np.asarray(values, np.float32).reshape(tensor.shape)


def read_parts(content: bytes) -> tuple[Part, ...]:
    """Return what every byte of a .tflite file is; see `compress.runtime.session.read_parts`."""
    file = LiteRTFile(content)
    parts: list[Part] = []
    claimed: set[int] = set()  # first bytes: a buffer or scale that tensors share is counted once

    def take(run: Vector) -> bool:
        if run.length == 0 or run.start in claimed:
            return False
        claimed.add(run.start)
        return True

    def add_scales(tensor: Tensor, name: str) -> None:
        found = tensor.quantization
        if found is None or found.block:
            return
        if take(found.scale):
            parts.append(Part(f"{name}.scale", "scales", "float32", found.scale.length, found.scale.length * 4))
        if take(found.zero_point):
            zeros = found.zero_points.count(0)
            length = found.zero_point.length
            parts.append(Part(f"{name}.zero_point", "scales", "int64", length, length * 8, zeros))

    named = [
        (tensor, name)
        for index, graph in enumerate(file.subgraphs)
        for tensor, name in zip(graph.tensors, tensor_names(graph, index), strict=True)
    ]
    block_scales = {
        (index, tensor.quantization.block_scales): name
        for index, graph in enumerate(file.subgraphs)
        for tensor, name in zip(graph.tensors, tensor_names(graph, index), strict=True)
        if tensor.quantization and tensor.quantization.block
    }
    for (index, place), name in block_scales.items():
        tensor = file.subgraphs[index].tensors[place]
        run = file.buffers[tensor.buffer]
        if take(run):
            values = _codes(tensor, _bytes_of(content, run))
            parts.append(Part(f"{name}.scale", "scales", tensor.dtype, values.size, run.length, 0, tensor.shape))
    for tensor, name in named:
        run = file.buffers[tensor.buffer]
        if run.length and (tensor.quantization or tensor.dtype not in GRAPH_DTYPES) and take(run):
            parts.append(_weights(tensor, name, _bytes_of(content, run)))
            parts.extend(
                Part(f"{name}.{label}", "indices", dtype, indices.length, indices.length * np.dtype(dtype).itemsize)
                for label, dtype, indices in _sparse_indices(file.file, tensor)
                if take(indices)
            )
            add_scales(tensor, name)
    for tensor, name in named:
        add_scales(tensor, f"activation:{name}")
    used = {tensor.buffer for tensor, _ in named} | file.metadata_buffers
    for index, run in enumerate(file.buffers):
        if index not in used and take(run):
            parts.append(Part(f"unreferenced buffer {index}", "metadata", "uint8", run.length, run.length))
    rest = len(content) - sum(part.bytes for part in parts)
    if rest < 0:
        raise ModelFileError(f"LiteRT file is damaged: its tensors overlap, {-rest} bytes more than the file has")
    return (*parts, Part("metadata", "metadata", "uint8", rest, rest))
