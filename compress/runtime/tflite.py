"""Read LiteRT files (.tflite): operations, graph, and what every byte is."""

from __future__ import annotations

from collections import Counter

import numpy as np

from compress.artifact import Part
from compress.errors import ModelFileError
from compress.runtime.flatbuffer import Flatbuffer, Vector
from compress.runtime.graph import Graph, GraphTensor, Node
from compress.runtime.multiply_adds import Operation
from compress.runtime.tflite_tables import GRAPH_DTYPES, INDEX_DTYPES, LiteRTFile, Tensor, tensor_names
from compress.runtime.tflite_weights import bytes_of, codes_of, zero_points


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


def _weights(tensor: Tensor, name: str, data: bytes) -> Part:
    """Return the part that the constant `tensor` with the stored bytes `data` is."""
    codes = codes_of(tensor, data)
    zeros = int(np.count_nonzero(codes == zero_points(tensor, codes.size)))
    return Part(name, "weights", tensor.dtype, codes.size, len(data), zeros, tensor.shape)


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
            values = codes_of(tensor, bytes_of(content, run))
            parts.append(Part(f"{name}.scale", "scales", tensor.dtype, values.size, run.length, 0, tensor.shape))
    for tensor, name in named:
        run = file.buffers[tensor.buffer]
        if run.length and (tensor.quantization or tensor.dtype not in GRAPH_DTYPES) and take(run):
            parts.append(_weights(tensor, name, bytes_of(content, run)))
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
