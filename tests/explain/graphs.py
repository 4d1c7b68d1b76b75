"""Graphs and small ONNX files written by hand, so that what a file shows is known."""

from __future__ import annotations

import numpy as np

from compress.artifact import Part
from compress.runtime.graph import Graph, GraphTensor, Node


def graph(nodes, constants=(), activations=(), inputs=("x",), named=True):
    """Return a graph; `nodes` are (op, inputs, output), `constants` (name, dtype, shape), others (name, dtype)."""
    tensors = {}
    for name, dtype, shape in constants:
        tensors[name] = GraphTensor(name, dtype, shape, storage=name, named=named)
    for name, dtype, *shape in activations:
        tensors[name] = GraphTensor(name, dtype, shape[0] if shape else (1, 8), named=named)
    made = tuple(Node(output, op, tuple(given), (output,)) for op, given, output in nodes)
    for node in made:
        for name in (*node.inputs, *node.outputs):
            tensors.setdefault(name, GraphTensor(name, "float32", (1, 8), named=named))
    return Graph(tensors, made, inputs, (made[-1].name,))


def parts(constants):
    """Return the weight parts of (name, dtype, shape)."""
    sizes = {"int8": 1, "float16": 2}
    return [
        Part(name, "weights", dtype, int(np.prod(shape)), int(np.prod(shape)) * sizes.get(dtype, 4), 0, shape)
        for name, dtype, shape in constants
    ]


def onnx_file(nodes, constants, shape=(1, 4), output=None):
    """Return an ONNX file of `nodes`, (op, inputs, output, attributes), from ``x`` of `shape` to the last output."""
    from onnx import TensorProto, helper, numpy_helper

    made = [helper.make_node(op, given, [name], name=name, **attributes) for op, given, name, attributes in nodes]
    last = output or nodes[-1][2]
    model = helper.make_model(
        helper.make_graph(
            made,
            "graph",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, [None, None])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    return bytes(model.SerializeToString())
