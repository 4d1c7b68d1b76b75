"""Read the graph of an ONNX file: who reads and writes which value, with the types and shapes that ONNX infers.

Inference after https://onnx.ai/onnx/api/shape_inference.html; ONNX Runtime's contributed operations have none.
"""

from __future__ import annotations

from typing import Any

from compress.runtime.graph import Graph, GraphTensor, Node
from compress.runtime.onnx_file import constants, parse
from compress.runtime.onnx_nesting import graphs
from compress.runtime.onnx_packed import packed_constants, standing_in


def read_graph(content: bytes) -> Graph:
    """Return the graph of an .onnx file; see `compress.runtime.session.read_graph`."""
    from onnx import shape_inference

    model = parse(content)
    held, held_nodes = constants(model)
    inferred = shape_inference.infer_shapes(standing_in(model))
    packed = packed_constants(held_nodes, held)
    tensors: dict[str, GraphTensor] = {}
    nodes: list[Node] = []
    for graph in graphs(inferred.graph):
        there = {name for node in graph.node for name in (*node.input, *node.output)}
        # a quantizer leaves shapes of values that it has replaced
        shown = [value for value in graph.value_info if value.name in there]
        for value in (*graph.input, *graph.output, *shown):
            tensors[value.name] = _tensor(value)
    for graph in graphs(model.graph):
        nodes += [Node(node.output[0], _op(node), tuple(node.input), tuple(node.output)) for node in graph.node]
    for name, tensor in held.items():
        dtype, shape = _dtype(tensor.data_type), tuple(tensor.dims)
        if name in packed:
            dtype, shape = packed[name].dtype, packed[name].shape
        tensors[name] = GraphTensor(name, dtype, shape, storage=name)
    for node in nodes:
        for name in (*node.inputs, *node.outputs):
            if name:
                tensors.setdefault(name, GraphTensor(name, "", None))
    main = model.graph
    ends = [value.name for value in main.input if value.name not in held], [value.name for value in main.output]
    return Graph(tensors, tuple(node for node in nodes if node.name not in held), *map(tuple, ends))


def _op(node: Any) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain else str(node.op_type)


def _tensor(value: Any) -> GraphTensor:
    kind = value.type.tensor_type
    known = kind.HasField("shape")
    # an open axis counts as one, as in a single sample; some exporters write -1 for it
    shape = tuple(max(dimension.dim_value, 1) for dimension in kind.shape.dim) if known else None
    return GraphTensor(value.name, _dtype(kind.elem_type), shape)


def _dtype(code: int) -> str:
    from onnx import TensorProto, helper

    if code == TensorProto.UNDEFINED:
        return ""
    if code in (TensorProto.INT4, TensorProto.UINT4, TensorProto.BFLOAT16):
        return str(TensorProto.DataType.Name(code)).lower()
    return str(helper.tensor_dtype_to_np_dtype(code))
