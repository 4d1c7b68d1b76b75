"""What a file computes in float32, by operation: integers do not reach everything."""

from __future__ import annotations

from compress.runtime.session import read_graph
from compress.workbench import Cell

LEFT_FLOAT = ("DEQUANTIZE", "QUANTIZE", "DequantizeLinear", "QuantizeLinear")


def float_operations(cell: Cell) -> dict[str, int]:
    """Return the operations of a file that compute in float32, by count: ``{"EXP": 1, "MUL": 40}``."""
    graph = read_graph(cell.artifact.path.read_bytes(), cell.artifact.runtime)
    found: dict[str, int] = {}
    for node in graph.nodes:
        if node.op not in LEFT_FLOAT and "float32" in {graph.dtype(name) for name in (*node.inputs, node.name)}:
            found[node.op] = found.get(node.op, 0) + 1
    return found
