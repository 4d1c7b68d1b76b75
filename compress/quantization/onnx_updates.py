"""Write what updates a slice of a tensor - a step's keys and values in a cache - in operations that ONNX has.

tf2onnx leaves TensorFlow's ``XlaDynamicUpdateSlice`` as it is, which ONNX Runtime does not know. An update of one place
is a ScatterND: https://onnx.ai/onnx/operators/onnx__ScatterND.html.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from compress.errors import CompressError

OPERATION = "XlaDynamicUpdateSlice"


def write_updates_by_scatter(proto: Any) -> None:
    """Replace, in place, each update of one place by a ScatterND: ``(1, 72, 4, 32)`` at ``(0, position)``.

    Raises `CompressError` when an update covers several places, or its shape is not known.
    """
    from onnx import helper, numpy_helper

    if not any(node.op_type == OPERATION for node in proto.graph.node):
        return
    shapes = _shapes(proto.graph)
    nodes = []
    for node in proto.graph.node:
        if node.op_type != OPERATION:
            nodes.append(node)
            continue
        given, update, start = node.input
        axes = _indexed_axes(shapes.get(given), shapes.get(update))
        name = node.output[0]
        constants = {"from": [0], "to": [axes], "shape": [*[1] * axes, axes]}
        for key, values in constants.items():
            proto.graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), f"{name}/{key}"))
        nodes += [
            helper.make_node("Cast", [start], [f"{name}/start"], to=7),  # INT64
            helper.make_node("Slice", [f"{name}/start", f"{name}/from", f"{name}/to"], [f"{name}/place"]),
            helper.make_node("Reshape", [f"{name}/place", f"{name}/shape"], [f"{name}/index"]),
            helper.make_node("ScatterND", [given, f"{name}/index", update], [name]),
        ]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def _shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    values = (*graph.value_info, *graph.input, *graph.output)
    found = {value.name: tuple(one.dim_value for one in value.type.tensor_type.shape.dim) for value in values}
    return found | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _indexed_axes(given: tuple[int, ...] | None, update: tuple[int, ...] | None) -> int:
    """Return how many leading axes say where the update goes; along the others it is as long as the tensor."""
    if given and update and len(given) == len(update) and all((*given, *update)):
        axes = max((axis + 1 for axis in range(len(given)) if given[axis] != update[axis]), default=1)
        if set(update[:axes]) == {1}:
            return axes
    raise CompressError(f"an update of shape {update} in a tensor of shape {given} cannot be written for ONNX")
