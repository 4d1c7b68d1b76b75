"""Make an ONNX file's bytes depend on the model alone: names by place, no documentation, tensors as raw data.

Converters write layer counters and function ids into names, which differ between two exports of one model.
Format: https://github.com/onnx/onnx/blob/main/docs/IR.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from compress.ends import INPUT_NAME, OUTPUT_NAME, names_of
from compress.quantization.float_layers import MARK

_ROLES = {"Conv": {1: "weights", 2: "bias"}, "Gemm": {1: "weights", 2: "bias"}, "MatMul": {1: "weights"}}


def graphs_of(graph: Any) -> Iterator[Any]:
    """Yield `graph` and the graphs inside its nodes' attributes (loop bodies, branches), outermost first."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.output:
                    yield from graphs_of(inner)


def name_by_place(proto: Any, marked: re.Pattern[str] | None = None) -> Any:
    """Return a copy of the model with every value named by the node that makes or first reads it.

    ``Conv_1`` is what node 1 writes, ``Conv_1.weights`` a constant it reads; the graph's one input is ``input``, its
    one output ``output``, and several keep their names. Nodes get their output's name, which ONNX Runtime's quantizers
    need. The place of one whose own name, or whose output's, `marked` finds ends in `MARK`: ``Mul_7/float``.
    """
    renamed = type(proto)()
    renamed.CopyFrom(proto)
    names = {"": ""}
    graph = renamed.graph
    for ends, alone in ((graph.input, INPUT_NAME), (graph.output, OUTPUT_NAME)):
        given = [end.name for end in ends]
        names |= dict(zip(given, names_of(given, alone), strict=True))
    number = 0
    for inner in graphs_of(graph):
        constants = {tensor.name for tensor in inner.initializer}
        for node in inner.node:
            found = marked is not None and any(marked.search(name) for name in (node.name, *node.output))
            place = f"{node.op_type}_{number}{MARK if found else ''}"
            number += 1
            for position, name in enumerate(node.input):
                if name in constants:
                    names.setdefault(name, f"{place}.{_ROLES.get(node.op_type, {}).get(position, position)}")
            for position, name in enumerate(node.output):
                names.setdefault(name, f"{place}:{position}" if position else place)
    for inner in graphs_of(graph):
        for value in (*inner.input, *inner.output, *inner.initializer):
            value.name = names.setdefault(value.name, f"value_{len(names)}")
        for node in inner.node:
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names[name] for name in node.output]
            node.name = node.output[0]
        inner.name = "graph"
        del inner.value_info[:]
    return renamed


LEAST_OPSET = 13
"""The first operator set whose QuantizeLinear and DequantizeLinear take a scale a channel."""


def prepare_own(proto: Any) -> Any:
    """Return a copy of somebody's model as the quantizers need it: inputs only at the ends, one sample, opset 13 up.

    Old exporters list constants as inputs, and write constants as nodes; a free batch becomes one sample.
    """
    from onnx import version_converter

    ready = type(proto)()
    ready.CopyFrom(proto)
    opset = next((entry.version for entry in ready.opset_import if entry.domain in ("", "ai.onnx")), LEAST_OPSET)
    if opset < LEAST_OPSET:
        ready = version_converter.convert_version(ready, LEAST_OPSET)
    graph = ready.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    del graph.input[:]
    graph.input.extend(inputs)
    for value in graph.input:
        for size in value.type.tensor_type.shape.dim[:1]:
            size.dim_value = 1  # and so no symbol
    return ready


def sort_from_outputs(proto: Any) -> None:
    """Put each node right before the first that needs it, from the outputs on, in place.

    tf2onnx sorts by names that differ between two exports of one model, as soon as a graph has several ends.
    """
    graph = proto.graph
    graph.output.sort(key=lambda value: value.name)
    maker = {name: place for place, node in enumerate(graph.node) for name in node.output}
    order: dict[int, None] = {}
    waiting = [maker[value.name] for value in reversed(graph.output) if value.name in maker]
    while waiting:
        place = waiting[-1]
        needed = [maker[name] for name in _reads(graph.node[place]) if name in maker]
        missing = [one for one in needed if one not in order]
        if missing:
            waiting += reversed(missing)
        else:
            order.setdefault(waiting.pop())
    nodes = [graph.node[place] for place in order]
    del graph.node[:]
    graph.node.extend(nodes)


def _reads(node: Any) -> Iterator[str]:
    """Yield what a node reads, and what the graphs inside its attributes read from around them."""
    yield from node.input
    for attribute in node.attribute:
        for outer in (attribute.g, *attribute.graphs):
            for inner in graphs_of(outer):
                for one in inner.node:
                    yield from one.input


def write_erfc_by_erf(proto: Any) -> None:
    """Write each Erfc, which tf2onnx leaves of the exact GELU and ONNX does not have, as 1 - Erf, in place."""
    import numpy as np
    from onnx import helper, numpy_helper

    for graph in graphs_of(proto.graph):
        nodes = []
        for node in graph.node:
            if node.op_type != "Erfc":
                nodes.append(node)
                continue
            one, erf = f"{node.output[0]}_one", f"{node.output[0]}_erf"
            graph.initializer.append(numpy_helper.from_array(np.ones((), np.float32), one))
            nodes += [helper.make_node("Erf", node.input, [erf]), helper.make_node("Sub", [one, erf], node.output)]
        if len(nodes) != len(graph.node):
            del graph.node[:]
            graph.node.extend(nodes)


def pin_bytes(proto: Any) -> bytes:
    """Return the serialized model without node names, documentation, shape notes and unused operator sets."""
    from onnx import numpy_helper

    pinned = type(proto)()
    pinned.CopyFrom(proto)
    pinned.ClearField("doc_string")
    pinned.ClearField("metadata_props")
    domains = set()
    for graph in graphs_of(pinned.graph):
        graph.name = "graph"
        graph.ClearField("doc_string")
        graph.ClearField("value_info")
        for tensor in graph.initializer:
            # the quantizers leave small tensors as variable-length integers
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
        for node in graph.node:
            domains.add(node.domain)
            node.ClearField("name")
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
    used = [entry for entry in pinned.opset_import if entry.domain in domains | {"", "ai.onnx"}]
    kept = [(entry.domain, entry.version) for entry in used]
    del pinned.opset_import[:]
    for domain, version in kept:
        pinned.opset_import.add(domain=domain, version=version)
    return bytes(pinned.SerializeToString(deterministic=True))
