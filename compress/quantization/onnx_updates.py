"""Write what updates a place in a tensor - a step's keys and values in a cache - in operations that ONNX has.

tf2onnx does not know TensorFlow's ``XlaDynamicUpdateSlice``. An update of one place is a ScatterND:
https://onnx.ai/onnx/operators/onnx__ScatterND.html.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compress.errors import CompressError


def update_handlers() -> dict[str, tuple[Callable[..., None], list[Any]]]:
    """Return what tf2onnx converts such updates by: its ``custom_op_handlers``."""
    return {"XlaDynamicUpdateSlice": (_scatter, [])}


def _scatter(graph: Any, node: Any, name: str, _: Any) -> None:
    """Put a ScatterND in the place of `node`: ``(1, 1, 4, 32)`` into ``(1, 72, 4, 32)`` at ``(0, position)``."""
    given, update, start = node.input
    axes = _indexed_axes(graph.get_shape(given), graph.get_shape(update))
    shapes, dtypes = [graph.get_shape(given)], [graph.get_dtype(given)]

    def constant(values: list[int]) -> str:
        return str(graph.make_const(f"{name}/{values}", np.array(values, np.int64)).output[0])

    place = graph.make_node("Cast", [start], attr={"to": 7}).output[0]  # INT64
    place = graph.make_node("Slice", [place, constant([0]), constant([axes])]).output[0]
    index = graph.make_node("Reshape", [place, constant([*[1] * axes, axes])]).output[0]
    outputs = node.output
    graph.remove_node(node.name)
    graph.make_node("ScatterND", [given, index, update], outputs=outputs, name=name, shapes=shapes, dtypes=dtypes)


def _indexed_axes(given: list[int] | None, update: list[int] | None) -> int:
    """Return how many leading axes say where the update goes; along the others it is as long as the tensor.

    Raises `CompressError` when an update covers several places, or its shape is not known.
    """
    if given and update and len(given) == len(update) and min(*given, *update) > 0:
        axes = max((axis + 1 for axis in range(len(given)) if given[axis] != update[axis]), default=1)
        if set(update[:axes]) == {1}:
            return axes
    raise CompressError(f"an update of shape {update} in a tensor of shape {given} cannot be written for ONNX")
