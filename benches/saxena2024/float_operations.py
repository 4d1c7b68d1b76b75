"""What a file computes in float32, by operation: integers do not reach everything."""

from __future__ import annotations

from compress.runtime.graph import Graph, Node
from compress.runtime.session import read_graph
from compress.workbench import Cell

CONVERSIONS = ("DEQUANTIZE", "QUANTIZE", "DequantizeLinear", "QuantizeLinear")


def float_operations(cell: Cell) -> dict[str, int]:
    """Return the operations of a file that compute in float32, by count: ``{"EXP": 1, "MUL": 40}``.

    ONNX writes integers' operations as float ones between conversions, which the runtime fuses: those are none.
    """
    graph = read_graph(cell.artifact.path.read_bytes(), cell.artifact.runtime)
    found: dict[str, int] = {}
    for node in graph.nodes:
        floats = [name for name in (*node.inputs, node.name) if graph.dtype(name) == "float32"]
        if node.op not in CONVERSIONS and floats and not is_fused(graph, node):
            found[node.op] = found.get(node.op, 0) + 1
    return found


def is_fused(graph: Graph, node: Node) -> bool:
    """Return whether an ONNX operation reads what DequantizeLinear writes, and is read by QuantizeLinear, only."""
    writers = {graph.writers[name].op for name in node.inputs if name in graph.writers}
    readers = {reader.op for reader, _ in graph.readers[node.name]} if node.name in graph.readers else set()
    return writers == {"DequantizeLinear"} and readers == {"QuantizeLinear"}
