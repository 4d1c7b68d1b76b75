"""What the integers of a QOperator file mean: each operation is given the scale and zero point of what it writes.

Places after https://onnx.ai/onnx/operators (QLinearConv, QLinearMatMul) and ONNX Runtime's docs/ContribOperators.md.
"""

from __future__ import annotations

from compress.runtime.graph import Graph

_SCALE_OF_OUTPUT = {
    **dict.fromkeys(("QLinearConv", "QLinearMatMul", "com.microsoft.QLinearConv"), 6),
    **dict.fromkeys(("com.microsoft.QLinearAdd", "com.microsoft.QLinearMul"), 6),
    "com.microsoft.QGemm": 7,
    **dict.fromkeys(
        (
            "com.microsoft.QLinearAveragePool",
            "com.microsoft.QLinearGlobalAveragePool",
            "com.microsoft.QLinearLeakyRelu",
            "com.microsoft.QLinearReduceMean",
            "com.microsoft.QLinearSigmoid",
            "com.microsoft.QLinearSoftmax",
        ),
        3,
    ),
    "com.microsoft.QLinearConcat": 0,
    "QuantizeLinear": 1,
}
"""Operation -> the input that is its output's scale; the next one is its zero point."""

_SAME_CODES = frozenset(
    {"MaxPool", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather", "Clip"}
)


def scale_and_zero_point(graph: Graph, name: str) -> tuple[str, str] | None:
    """Return the constants by which the codes in the tensor `name` are values: ``(code - zero point) * scale``.

    None where `name` holds no codes, or an operation wrote them whose inputs are not known here.
    """
    for _ in graph.nodes:
        writer = graph.writers.get(name)
        if writer is None:
            return None
        place = _SCALE_OF_OUTPUT.get(writer.op)
        if place is not None:
            ends = writer.inputs[place : place + 2]
            return (ends[0], ends[1]) if len(ends) == 2 and all(map(graph.is_constant, ends)) else None
        if writer.op not in _SAME_CODES:
            return None
        name = writer.inputs[0]
    return None
