"""Rows of detectors beside the paper's: mAP at 0.25, 0.5 and 0.5:0.95, scenes paired, size, and what stayed float."""

from __future__ import annotations

from benches.saxena2024.printed import cells
from compress.claims.bound import Estimate
from compress.measure.quality import JUDGES
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


def beside_the_paper(cell: Cell, table: str, row: str | None, report_table) -> Estimate:
    """Write a recipe's row, and return its mAP at 0.25."""
    labels, outputs = cell.workbench.data(cell.subject).evaluation_y, cell.measurement.outputs
    maps = {name: JUDGES[name].of_all(outputs, labels) for name in ("map_25", "map_50", "map")}
    printed = cells(table, "mAp0.25").get(row)
    drop = cell.score_drop
    report_table(
        f"Saxena et al., Table {table}, and a slim member beside it: mAP of 400 scenes",
        (
            "recipe",
            "mAP@0.25: paper",
            "here",
            "@0.5",
            "@0.5:0.95",
            "scene AP lost",
            "90 % interval",
            "kB",
            "float32 over it",
        ),
    ).rows.append(
        (
            str(cell.recipe),
            f"{printed:g}" if printed is not None else "-",
            *(f"{maps[name]:.3f}" for name in ("map_25", "map_50", "map")),
            f"{drop.value:+.4f}",
            f"{drop.low:+.4f} .. {drop.high:+.4f}",
            f"{cell.raw_bytes / 1e3:.0f}",
            f"{cell.size_ratio:.2f}",
        )
    )
    return Estimate(maps["map_25"], maps["map_25"], maps["map_25"], n=len(labels))
