"""Read LiteRT files (.tflite): which operations they hold, and what every byte is.

The format is ``tensorflow/lite/schema/schema.fbs``, version 3; field numbers below are its declaration order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact import Part
from compress.errors import ModelFileError
from compress.runtime.flatbuffer import Flatbuffer, Vector
from compress.runtime.multiply_adds import Operation

DTYPES = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "str", 6: "bool", 7: "int16", 8: "complex64",
    9: "int8", 10: "float64", 11: "complex128", 12: "uint64", 15: "uint32", 16: "uint16", 17: "int4", 18: "bfloat16",
    19: "int2", 20: "uint4",
}  # fmt: skip
"""``TensorType`` of the schema -> numpy's name (packed types by theirs)."""

_PACKED_BITS = {"int4": 4, "uint4": 4, "int2": 2}
_GRAPH_DTYPES = frozenset({"int32", "int64", "bool", "str", "uint32", "uint64"})
"""Constants of these types that carry no scale are shapes, axes or permutations."""

_ROLES = {
    **{
        (operation, position): role
        for operation in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_3D", "BATCH_MATMUL")
        for position, role in ((1, "weights"), (2, "bias"))
    },
    ("EMBEDDING_LOOKUP", 1): "weights",
    ("TRANSPOSE_CONV", 1): "weights",
    ("TRANSPOSE_CONV", 3): "bias",
}
"""What an operation's input is, by position; others are named by number."""

_INDEX_DTYPES = {1: "int32", 2: "uint16", 3: "uint8"}
"""``SparseIndexVector`` of the schema -> numpy's name."""


@dataclass(frozen=True)
class _Quantization:
    """A tensor's scales and zero points, where they lie in the file."""

    scale: Vector
    zero_point: Vector
    zero_points: tuple[int, ...]
    dimension: int


@dataclass(frozen=True)
class _Tensor:
    name: str
    dtype: str
    shape: tuple[int, ...]
    buffer: int
    quantization: _Quantization | None
    sparsity: int | None


@dataclass(frozen=True)
class _Operator:
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class _Subgraph:
    tensors: list[_Tensor]
    operators: list[_Operator]


@cache
def _builtin_names() -> dict[int, str]:
    try:
        from ai_edge_litert.schema_py_generated import BuiltinOperator
    except ImportError as error:
        raise ModelFileError(
            "reading .tflite files needs ai-edge-litert: pip install compress-bench[litert]"
        ) from error
    return {code: name for name, code in vars(BuiltinOperator).items() if name.isupper()}


class _File:
    """A .tflite file's tables, read once with bounds checked."""

    def __init__(self, content: bytes) -> None:
        file = self.file = Flatbuffer(content, b"TFL3", "LiteRT")
        self.buffers = [self._buffer(table) for table in file.tables(file.root, 4)]
        names = [self._operator_name(table) for table in file.tables(file.root, 1)]
        self.subgraphs = [self._subgraph(table, names) for table in file.tables(file.root, 2)]
        self.metadata_buffers = {file.scalar(table, 1, "I") for table in file.tables(file.root, 6)}
        if not self.subgraphs or not self.buffers:
            raise ModelFileError("LiteRT file holds no graph; export the model again")

    def _buffer(self, table: int) -> Vector:
        offset, size = self.file.scalar(table, 1, "Q"), self.file.scalar(table, 2, "Q")
        if offset > 1:  # files over 2 GB keep the data behind the flatbuffer
            if offset + size > len(self.file.content):
                raise self.file.broken(f"a buffer of {size} bytes at byte {offset} ends")
            return Vector(offset, size)
        return self.file.vector(table, 0, 1)

    def _operator_name(self, table: int) -> str:
        code = max(self.file.scalar(table, 0, "b"), self.file.scalar(table, 3, "i"))
        custom = self.file.text(table, 1)
        return custom or _builtin_names().get(code, f"BUILTIN_{code}")

    def _subgraph(self, table: int, names: list[str]) -> _Subgraph:
        tensors = [self._tensor(position) for position in self.file.tables(table, 0)]
        operators = []
        for position in self.file.tables(table, 3):
            code = self.file.scalar(position, 0, "I")
            inputs, outputs = self.file.numbers(position, 1, "i"), self.file.numbers(position, 2, "i")
            if code >= len(names) or any(not -1 <= index < len(tensors) for index in (*inputs, *outputs)):
                raise self.file.broken("an operator refers to a tensor or code")
            operators.append(_Operator(names[code], inputs, outputs))
        return _Subgraph(tensors, operators)

    def _tensor(self, table: int) -> _Tensor:
        file = self.file
        kind, buffer = file.scalar(table, 1, "b"), file.scalar(table, 2, "I")
        if buffer >= len(self.buffers):
            raise file.broken(f"buffer {buffer} of {len(self.buffers)} lies")
        quantization = file.table(table, 4)
        found = None
        if quantization is not None and file.vector(quantization, 2, 4).length:
            found = _Quantization(
                file.vector(quantization, 2, 4),
                file.vector(quantization, 3, 8),
                file.numbers(quantization, 3, "q"),
                file.scalar(quantization, 6, "i"),
            )
        return _Tensor(
            file.text(table, 3),
            DTYPES.get(kind, f"type{kind}"),
            file.numbers(table, 0, "i"),
            buffer,
            found,
            file.table(table, 6),
        )


def _tensor_names(graph: _Subgraph, index: int) -> list[str]:
    """Return a name for each tensor: the file's, or where it has none what the tensor is to an operation.

    ``conv_2d_0.weights`` for a constant that operation 0 reads, ``conv_2d_0`` for what it writes. A constant behind a
    DEQUANTIZE (float16 weights) is named by the operation that reads the result.
    """
    readers: dict[int, tuple[int, int]] = {}
    writers: dict[int, int] = {}
    for number, operator in enumerate(graph.operators):
        for position, tensor in enumerate(operator.inputs):
            readers.setdefault(tensor, (number, position))
        for tensor in operator.outputs:
            writers.setdefault(tensor, number)

    def derived(tensor: int) -> str:
        if tensor in writers:
            return f"{graph.operators[writers[tensor]].name.lower()}_{writers[tensor]}"
        if tensor not in readers:
            return "unused"
        number, position = readers[tensor]
        operator = graph.operators[number]
        if operator.name == "DEQUANTIZE" and operator.outputs and operator.outputs[0] in readers:
            number, position = readers[operator.outputs[0]]
            operator = graph.operators[number]
        return f"{operator.name.lower()}_{number}.{_ROLES.get((operator.name, position), position)}"

    prefix = f"subgraph_{index}/" if index else ""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for number, found in enumerate(graph.tensors):
        name = prefix + (found.name or derived(number))
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def _sparse_indices(file: Flatbuffer, tensor: _Tensor) -> list[tuple[str, str, Vector]]:
    """Return the index vectors of a tensor in the schema's sparse format: label, type, place."""
    if tensor.sparsity is None:
        return []
    found = []
    for number, dimension in enumerate(file.tables(tensor.sparsity, 2)):
        for label, kind_field in (("segments", 2), ("indices", 4)):
            dtype = _INDEX_DTYPES.get(file.scalar(dimension, kind_field, "B"))
            values = file.table(dimension, kind_field + 1)
            if dtype and values is not None:
                run = file.vector(values, 0, np.dtype(dtype).itemsize)
                found.append((f"{label}_{number}", dtype, run))
    return found


def _codes(tensor: _Tensor, data: bytes) -> NDArray[Any]:
    """Return the stored values of the constant `tensor`, (elements,): codes where it is quantized, else its numbers."""
    bits = _PACKED_BITS.get(tensor.dtype)
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


def _weights(tensor: _Tensor, name: str, data: bytes) -> Part:
    """Return the part that the constant `tensor` with the stored bytes `data` is."""
    codes = _codes(tensor, data)
    zeros = int(np.count_nonzero(codes == _zero_points(tensor, codes.size)))
    return Part(name, "weights", tensor.dtype, codes.size, len(data), zeros, tensor.shape)


def _zero_points(tensor: _Tensor, elements: int) -> NDArray[np.int64] | int:
    """Return the code of zero for each of the stored `elements`, or for all of them."""
    points = tensor.quantization.zero_points if tensor.quantization else ()
    if len(set(points)) <= 1:
        return points[0] if points else 0
    return _each(np.array(points, np.int64), tensor, elements)


def _each(parameters: NDArray[Any], tensor: _Tensor, elements: int) -> NDArray[Any]:
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
    counts = Counter(operator.name for graph in _File(content).subgraphs for operator in graph.operators)
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
        for graph in _File(content).subgraphs
        for operator in graph.operators
    ]


def read_weights(content: bytes, name: str) -> NDArray[np.float32]:
    """Return the constant that `read_parts` names `name`, as the float values it stands for and in its shape.

    Quantized values are (code - zero point) x scale. Shapes are the runtime's: a convolution's are ``(out, h, w, in)``.
    Raises `ModelFileError` that lists the constants when there is none of that name, or for one stored as sparse.
    """
    file, constants = _File(content), []
    for index, graph in enumerate(file.subgraphs):
        for tensor, each in zip(graph.tensors, _tensor_names(graph, index), strict=True):
            run = file.buffers[tensor.buffer]
            if run.length == 0 or (tensor.dtype in _GRAPH_DTYPES and not tensor.quantization):
                continue
            if each == name:
                return _dequantized(tensor, name, content, run)
            constants.append(each)
    raise ModelFileError(f"no weights {name!r} in the LiteRT file; there are {', '.join(constants) or 'none'}")


def _dequantized(tensor: _Tensor, name: str, content: bytes, run: Vector) -> NDArray[np.float32]:
    codes = _codes(tensor, content[run.start : run.start + run.length])
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
    file = _File(content)
    parts: list[Part] = []
    claimed: set[int] = set()  # first bytes: a buffer or scale that tensors share is counted once

    def take(run: Vector) -> bool:
        if run.length == 0 or run.start in claimed:
            return False
        claimed.add(run.start)
        return True

    def add_scales(tensor: _Tensor, name: str) -> None:
        found = tensor.quantization
        if found is None:
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
        for tensor, name in zip(graph.tensors, _tensor_names(graph, index), strict=True)
    ]
    for tensor, name in named:
        run = file.buffers[tensor.buffer]
        if run.length and (tensor.quantization or tensor.dtype not in _GRAPH_DTYPES) and take(run):
            parts.append(_weights(tensor, name, content[run.start : run.start + run.length]))
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
