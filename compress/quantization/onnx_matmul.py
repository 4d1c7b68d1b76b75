"""Bring an ONNX graph's products with constants into one form: ``MatMul(x, W)`` with W a stored matrix (in, out).

Gemm and MatMul as in https://onnx.ai/onnx/operators/. tf2onnx fuses a dense layer into Gemm when its input is a
matrix; EinsumDense and dense layers over sequences come as MatMul with a folded kernel already.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from compress.quantization.onnx_names import graphs_of


def split_gemms(proto: Any) -> Any:
    """Return a copy of the model in which ``Gemm(x, W, b)`` with a stored W is ``Add(MatMul(x, W), b)``.

    A transposed W is stored the other way round. A Gemm that scales or transposes its input stays what it is.
    """
    from onnx import helper, numpy_helper

    split = type(proto)()
    split.CopyFrom(proto)
    for graph in graphs_of(split.graph):
        held = {tensor.name: tensor for tensor in graph.initializer}
        read_by = [name for inner in graphs_of(split.graph) for node in inner.node for name in node.input]
        nodes = []
        for node in graph.node:
            options = {one.name: helper.get_attribute_value(one) for one in node.attribute}
            plain = options.get("alpha", 1.0) == options.get("beta", 1.0) == 1.0 and not options.get("transA", 0)
            if node.op_type != "Gemm" or node.input[1] not in held or not plain:
                nodes.append(node)
                continue
            weights = node.input[1]
            if options.get("transB", 0):
                if read_by.count(weights) > 1:
                    nodes.append(node)
                    continue
                turned = np.ascontiguousarray(numpy_helper.to_array(held[weights]).T)
                held[weights].CopyFrom(numpy_helper.from_array(turned, weights))
            biased = len(node.input) > 2 and node.input[2]
            product = f"{node.output[0]}.product" if biased else node.output[0]
            nodes.append(helper.make_node("MatMul", [node.input[0], weights], [product], name=product))
            if biased:
                nodes.append(helper.make_node("Add", [product, node.input[2]], list(node.output), name=node.name))
        del graph.node[:]
        graph.node.extend(nodes)
    return split
