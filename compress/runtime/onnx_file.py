"""Read ONNX files: which operations they hold, and what every byte is.

Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Quantization operators and their inputs as in
https://onnx.ai/onnx/operators/ and ONNX Runtime's contributed ones (docs/ContribOperators.md).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact import Part
from compress.errors import ModelFileError
from compress.runtime.multiply_adds import Operation, Shape
from compress.runtime.onnx_nesting import graphs
from compress.runtime.onnx_packed import OPERANDS as PACKED_OPERANDS
from compress.runtime.onnx_packed import packed_constants, standing_in

_GRAPH_DTYPES = frozenset({"int32", "int64", "bool", "str", "object", "uint64", "uint32"})
"""Constants of these types that nothing dequantizes are shapes, axes or permutations."""

OPERANDS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "QuantizeLinear": ((0, 1, 2),),
    "DequantizeLinear": ((0, 1, 2),),
    "MatMulInteger": ((0, -1, 2), (1, -1, 3)),
    "ConvInteger": ((0, -1, 2), (1, -1, 3)),
    "QLinearConv": ((0, 1, 2), (3, 4, 5), (-1, 6, 7), (8, -1, -1)),
    "QLinearMatMul": ((0, 1, 2), (3, 4, 5), (-1, 6, 7)),
    "QLinearAdd": ((0, 1, 2), (3, 4, 5), (-1, 6, 7)),
    "QLinearMul": ((0, 1, 2), (3, 4, 5), (-1, 6, 7)),
    "QGemm": ((0, 1, 2), (3, 4, 5), (6, -1, -1), (-1, 7, 8)),
    "DynamicQuantizeMatMul": ((1, 2, 3),),
    "MatMulIntegerToFloat": ((0, 2, 4), (1, 3, 5)),
    **{name: (places,) for name, places in PACKED_OPERANDS.items()},
}
"""Operator -> positions of (value, scale, zero point) in its inputs; -1 where it takes none."""


@dataclass
class _Uses:
    """What the graph uses its constants for, by name."""

    quantized: dict[str, str] = field(default_factory=dict)
    """A constant that is read as codes -> its zero point ('' for none)."""
    scales: dict[str, bool] = field(default_factory=dict)
    """A scale or zero point -> whether what it scales is an activation."""


def parse(content: bytes) -> Any:
    """Return the checked ``ModelProto`` in `content`. Raises `ModelFileError` when it is not whole, or not one file."""
    try:
        import onnx
    except ImportError as error:
        raise ModelFileError("reading .onnx files needs onnx: pip install compress-bench[onnx]") from error
    try:
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's errors and the checker's share no base of their own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFileError(
            f"not a whole ONNX file ({len(content)} bytes): {reason}; check the path, or export the model again"
        ) from error
    for graph in graphs(model.graph):
        for tensor in graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                raise ModelFileError(
                    f"ONNX file keeps {tensor.name!r} in another file; save it whole with save_as_external_data=False"
                )
    return model


def op_counts(content: bytes) -> dict[str, int]:
    """Return how often each ONNX operation occurs, ``{"Conv": 1}``, over all graphs; contributed ones with domain."""
    nodes = [node for graph in graphs(parse(content).graph) for node in graph.node]
    counts = Counter(f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in nodes)
    return dict(sorted(counts.items()))


def operations(content: bytes) -> list[Operation]:
    """Return the operations of an .onnx file over all graphs, with shapes as ONNX infers them for one sample.

    Contributed operations carry their domain. A shape that is only known when the file runs is None.
    """
    from onnx import inliner, shape_inference

    model = inliner.inline_local_functions(parse(content))
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        dimensions = value.type.tensor_type.shape.dim
        if value.name not in constants and dimensions and not dimensions[0].dim_value:
            dimensions[0].dim_value = 1
    shapes: dict[str, Shape] = {}
    inferred = shape_inference.infer_shapes(standing_in(model), data_prop=True)
    for graph in graphs(inferred.graph):
        shapes.update({tensor.name: tuple(tensor.dims) for tensor in graph.initializer})
        for value in (*graph.input, *graph.output, *graph.value_info):
            kind = value.type.tensor_type
            sizes = tuple(dimension.dim_value for dimension in kind.shape.dim)
            if kind.HasField("shape") and all(dimension.HasField("dim_value") for dimension in kind.shape.dim):
                shapes[value.name] = sizes
    nodes, plain = ([node for graph in graphs(one.graph) for node in graph.node] for one in (model, inferred))
    return [
        Operation(
            f"{node.domain}.{node.op_type}" if node.domain else node.op_type,
            tuple(shapes.get(name) for name in stand_in.input),
            tuple(shapes.get(name) for name in stand_in.output),
        )
        for node, stand_in in zip(nodes, plain, strict=True)
    ]


def read_parts(content: bytes) -> tuple[Part, ...]:
    """Return what every byte of an .onnx file is; see `compress.runtime.session.read_parts`."""
    model = parse(content)
    tensors, nodes = constants(model)
    sparse = [tensor for graph in graphs(model.graph) for tensor in graph.sparse_initializer]
    uses, packed = _uses(nodes, tensors), packed_constants(nodes, tensors)
    weights, scales = [], []
    for name, tensor in tensors.items():
        values, stored = values_of(tensor), _stored_bytes(tensor)
        if name in uses.scales:
            label = f"activation:{name}" if uses.scales[name] else name
            zeros = int(np.count_nonzero(values == 0))
            scales.append(Part(label, "scales", str(values.dtype), values.size, stored, zeros, values.shape))
        elif name in packed:
            one = packed[name]
            points = values_of(tensors[one.zero_points]) if one.zero_points in tensors else None
            zeros = one.zeros(values, points, name)
            weights.append(Part(name, "weights", one.dtype, one.shape[0] * one.shape[1], stored, zeros, one.shape))
        elif name in uses.quantized or str(values.dtype) not in _GRAPH_DTYPES:
            zeros = int(np.count_nonzero(values == _zero_point(uses, name, tensors, values)))
            weights.append(Part(name, "weights", str(values.dtype), values.size, stored, zeros, values.shape))
    for tensor in sparse:
        values, indices = values_of(tensor.values), values_of(tensor.indices)
        name = tensor.values.name
        stored = _stored_bytes(tensor.values)
        weights.append(Part(name, "weights", str(values.dtype), values.size, stored, 0, tuple(tensor.dims)))
        stored = _stored_bytes(tensor.indices)
        scales.append(Part(f"{name}.indices", "indices", str(indices.dtype), indices.size, stored, 0, indices.shape))
    rest = len(content) - sum(part.bytes for part in (*weights, *scales))
    if rest < 0:
        raise ModelFileError(f"ONNX file is damaged: its tensors take {-rest} bytes more than the file has")
    return (*weights, *scales, Part("metadata", "metadata", "uint8", rest, rest))


def constants(model: Any) -> tuple[dict[str, Any], list[Any]]:
    """Return the constants of all graphs by name, initializers and Constant nodes, and the nodes."""
    tensors: dict[str, Any] = {}
    nodes: list[Any] = []
    for graph in graphs(model.graph):
        tensors.update({tensor.name: tensor for tensor in graph.initializer})
        nodes.extend(graph.node)
    for node in nodes:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                tensors[node.output[0]] = attribute.t
    return tensors, nodes


def _uses(nodes: list[Any], tensors: dict[str, Any]) -> _Uses:
    uses = _Uses()
    dynamic_scales = {node.output[1] for node in nodes if node.op_type == "DynamicQuantizeLinear"}
    for node in nodes:
        inputs = dict(enumerate(node.input))
        for value, scale, zero_point in OPERANDS.get(node.op_type, ()):
            held = inputs.get(value, "") in tensors
            if held and node.op_type != "QuantizeLinear":
                uses.quantized[inputs[value]] = inputs.get(zero_point, "")
            for position in (scale, zero_point):
                name = inputs.get(position, "")
                if name in tensors:
                    uses.scales[name] = uses.scales.get(name, True) and not held
        # dynamic quantization multiplies the activation's scale, known at run time, by the weight's
        if node.op_type == "Mul" and dynamic_scales & set(node.input):
            uses.scales.update({name: False for name in node.input if name in tensors})
    return uses


def values_of(tensor: Any) -> NDArray[Any]:
    """Return the values of a ``TensorProto``. Raises `ModelFileError` that names it when they do not fit its shape."""
    from onnx import numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"ONNX file: tensor {tensor.name!r} of shape {list(tensor.dims)}: {error}") from error


def _stored_bytes(tensor: Any) -> int:
    """Return the bytes of the tensor's values in the file: raw data, or a typed field as protobuf packs it."""
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data)
    alone = type(tensor)()
    for name in ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data"):
        getattr(alone, name).extend(getattr(tensor, name))
    return int(alone.ByteSize())


def _zero_point(uses: _Uses, name: str, tensors: dict[str, Any], values: NDArray[Any]) -> NDArray[Any] | int:
    """Return the code of zero in `values`, shaped to compare with it."""
    point = uses.quantized.get(name, "")
    if point not in tensors:
        return 0
    points = values_of(tensors[point]).reshape(-1)
    if points.size == 0 or np.all(points == points[0]):
        return int(points[0]) if points.size else 0
    axes = [axis for axis, size in enumerate(values.shape) if size == points.size]
    if not axes:
        raise ModelFileError(f"ONNX file: {points.size} zero points for {name!r} of shape {values.shape}")
    return points.reshape([-1 if axis == axes[0] else 1 for axis in range(values.ndim)])
