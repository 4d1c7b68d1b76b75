"""What a model file takes and gives: names, shapes and types of its ends, read without running it.

Formats: LiteRT's ``schema.fbs`` version 3 (subgraph fields 0 to 2, tensor fields 0, 1, 3 and 7), and ONNX's IR.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compress.ends import INPUT_NAME, OUTPUT_NAME, end_name, names_of
from compress.errors import ModelFileError
from compress.runtime.flatbuffer import Flatbuffer
from compress.runtime.onnx_file import parse
from compress.runtime.tflite_tables import DTYPES


@dataclass(frozen=True)
class End:
    """An input or output: ``shape`` with the batch dimension first, ``(None, 28, 28, 1)``, None for a free size.

    ``dtype`` is numpy's name. A shape that the file does not tell is empty.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


Ends = tuple[tuple[End, ...], tuple[End, ...]]


def read_ends(content: bytes, runtime: str) -> Ends:
    """Return the inputs and the outputs of a ``litert`` or ``onnx`` file.

    Raises `ModelFileError` when the content is not a whole file of `runtime`, or it is a file of no such runtime.
    """
    if runtime not in _READERS:
        raise ModelFileError(f"inputs and outputs are read from {', '.join(_READERS)} files, not {runtime}")
    return _READERS[runtime](content)


def field_names(content: bytes, runtime: str) -> tuple[list[str], list[str]]:
    """Return what the inputs and the outputs of a file are called in samples and answers (`compress.records`)."""
    inputs, outputs = read_ends(content, runtime)
    return names_of([end.name for end in inputs], INPUT_NAME), names_of([end.name for end in outputs], OUTPUT_NAME)


def _litert(content: bytes) -> Ends:
    file = Flatbuffer(content, b"TFL3", "LiteRT")
    graphs = file.tables(file.root, 2)
    if not graphs:
        raise ModelFileError("LiteRT file holds no graph; export the model again")
    tensors = file.tables(graphs[0], 0)
    called = _signature_names(file)

    def end(index: int) -> End:
        if not 0 <= index < len(tensors):
            raise file.broken("an input or output refers to a tensor")
        sizes = file.numbers(tensors[index], 7, "i") or file.numbers(tensors[index], 0, "i")
        dtype = DTYPES.get(file.scalar(tensors[index], 1, "b"), "unknown")
        return End(
            called.get(index) or end_name(file.text(tensors[index], 3)),
            tuple(None if size < 0 else size for size in sizes),
            dtype,
        )

    inputs, outputs = (tuple(end(index) for index in file.numbers(graphs[0], field, "i")) for field in (1, 2))
    return inputs, outputs


def _signature_names(file: Flatbuffer) -> dict[int, str]:
    """Return what the signature of the first graph calls its tensors, by their place."""
    found: dict[int, str] = {}
    for signature in file.tables(file.root, 7):
        if file.scalar(signature, 4, "I") == 0:
            for end in (*file.tables(signature, 0), *file.tables(signature, 1)):
                found[file.scalar(end, 1, "I")] = file.text(end, 0)
    return found


def _onnx(content: bytes) -> Ends:
    from onnx import helper

    graph = parse(content).graph
    constants = {tensor.name for tensor in graph.initializer}  # which old exporters list as inputs too

    def end(value: Any) -> End:
        kind = value.type.tensor_type
        sizes = tuple(
            size.dim_value if size.HasField("dim_value") and size.dim_value > 0 else None for size in kind.shape.dim
        )
        dtype = str(helper.tensor_dtype_to_np_dtype(kind.elem_type)) if kind.elem_type else "unknown"
        return End(value.name, sizes, dtype)

    inputs = tuple(end(value) for value in graph.input if value.name not in constants)
    return inputs, tuple(end(value) for value in graph.output)


_READERS: dict[str, Callable[[bytes], Ends]] = {"litert": _litert, "onnx": _onnx}
