"""Keep in float what was left in float: ONNX Runtime would quantize such weights itself when it loads the file.

Its optimizer ``WeightBiasQuantization`` (onnxruntime/core/optimizer/qdq_transformer) rounds the float weights of a
Conv, ConvTranspose or Gemm to 8 bits, one scale for all of them, wherever the layer stands between a DequantizeLinear
and a QuantizeLinear, after it has moved the two as near to each other as it can. Just there stands a layer that was
excluded from quantization for its sensitive weights: a LeNet-5 with an outlier had 14 dB by it instead of 40.
"""

from __future__ import annotations

from typing import Any

_ROUNDED = ("Conv", "ConvTranspose", "Gemm")
_FUSED = ("Relu", "Clip")


def keep_float(model: Any) -> list[str]:
    """Put a node that changes nothing behind each float layer of a QDQ model, in place; return those layers' outputs.

    The node is a Sum of one value: no QuantizeLinear is moved over it, and no optimizer of ONNX Runtime takes it out.
    It comes behind a Relu or Clip that is computed in one go with the layer.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    if not any(node.op_type == "QuantizeLinear" for node in graph.node):
        return []
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    floats = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    layers = [node for node in graph.node if node.op_type in _ROUNDED and node.input[1] in floats]
    ends = {value.name for value in graph.output}
    held: dict[str, str] = {}
    for node in layers:
        last = node
        while len(after := readers.get(last.output[0], [])) == 1 and after[0].op_type in _FUSED:
            last = after[0]
        if last.output[0] not in ends:
            held[last.output[0]] = f"{last.output[0]}_float"
    nodes = []
    for node in graph.node:
        node.input[:] = [held.get(name, name) for name in node.input]
        nodes += [node, *(helper.make_node("Sum", [name], [held[name]]) for name in node.output if name in held)]
    copied = [type(node).FromString(node.SerializeToString()) for node in nodes]  # they go with the list they are in
    del graph.node[:]
    graph.node.extend(copied)
    return [node.output[0] for node in copied if node.op_type in _ROUNDED and node.input[1] in floats]
