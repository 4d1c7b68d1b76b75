"""Rewrite the tables of a LiteRT file that GATHER reads row by row, so that EMBEDDING_LOOKUP reads them.

The two give the same rows; LiteRT has kernels for 4-bit tables in the second alone. Source:
``tensorflow/lite/kernels/embedding_lookup.cc``, whose indices are one row of int32.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def with_lookups(content: bytes) -> bytes:
    """Return the .tflite file with each ``GATHER(table (words, width), ids (1, 64))`` as a lookup between two RESHAPEs.

    Gathers along another axis, of a table that is computed, or by other indices than int32 stay.
    """
    import flatbuffers
    from ai_edge_litert.schema_py_generated import BuiltinOperator, ModelT

    model = ModelT.InitFromPackedBuf(content, 0)
    gather = {place for place, one in enumerate(model.operatorCodes) if _builtin(one) == BuiltinOperator.GATHER}
    for number, graph in enumerate(model.subgraphs):
        operators = []
        for place, operator in enumerate(graph.operators):
            is_lookup = operator.opcodeIndex in gather and _is_row_by_row(model, graph, operator)
            operators += _lookup(model, graph, operator, f"{number}/{place}") if is_lookup else [operator]
        graph.operators = operators
    builder = flatbuffers.Builder(len(content) + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _builtin(code: Any) -> int:
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def _is_row_by_row(model: Any, graph: Any, operator: Any) -> bool:
    from ai_edge_litert.schema_py_generated import TensorType

    table, ids = (graph.tensors[int(place)] for place in operator.inputs[:2])
    data = model.buffers[table.buffer].data
    options = operator.builtinOptions
    axis, batched = (options.axis, options.batchDims) if options is not None else (0, 0)
    return bool(
        (axis, batched) == (0, 0)
        and table.type == TensorType.FLOAT32
        and len(table.shape) == 2
        and data is not None
        and len(data) > 0
        and ids.type == TensorType.INT32
        and ids.shape is not None
        and (np.asarray(ids.shape) > 0).all()
    )


def _lookup(model: Any, graph: Any, operator: Any, label: str) -> list[Any]:
    """Return the three operators that do what `operator` does, their tensors added to `graph`."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator, OperatorT, TensorType

    table, ids = (int(place) for place in operator.inputs[:2])
    (out,) = (int(place) for place in operator.outputs)
    count = int(np.prod(graph.tensors[ids].shape))
    width = int(graph.tensors[table].shape[1])
    flat = _tensor(model, graph, [count], graph.tensors[ids].type, f"{label}.ids")
    rows = _tensor(model, graph, [count, width], TensorType.FLOAT32, f"{label}.rows")
    lookup = OperatorT()
    lookup.opcodeIndex = _code(model, BuiltinOperator.EMBEDDING_LOOKUP)
    lookup.inputs, lookup.outputs = np.array([flat, table], np.int32), np.array([rows], np.int32)
    return [
        _reshape(model, graph, ids, flat, f"{label}.flat"),
        lookup,
        _reshape(model, graph, rows, out, f"{label}.shape"),
    ]


def _reshape(model: Any, graph: Any, given: int, made: int, label: str) -> Any:
    from ai_edge_litert.schema_py_generated import BuiltinOperator, OperatorT, TensorType

    shape = np.asarray(graph.tensors[made].shape, np.int32)
    operator = OperatorT()
    operator.opcodeIndex = _code(model, BuiltinOperator.RESHAPE)
    target = _tensor(model, graph, [shape.size], TensorType.INT32, label, shape.tobytes())
    operator.inputs, operator.outputs = np.array([given, target], np.int32), np.array([made], np.int32)
    return operator


def _tensor(model: Any, graph: Any, shape: list[int], kind: int, name: str, data: bytes | None = None) -> int:
    from ai_edge_litert.schema_py_generated import BufferT, TensorT

    tensor, buffer = TensorT(), BufferT()
    tensor.shape, tensor.type, tensor.name, tensor.hasRank = np.array(shape, np.int32), kind, name, True
    if data is not None:
        buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _code(model: Any, builtin: int) -> int:
    """Return the place of `builtin` among the model's operator codes, added when it is new."""
    from ai_edge_litert.schema_py_generated import OperatorCodeT

    places = [place for place, one in enumerate(model.operatorCodes) if _builtin(one) == builtin]
    if places:
        return places[0]
    code = OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
