"""Rows of detectors beside the paper's: mAP at 0.25, 0.5 and 0.5:0.95, scenes paired, and size."""

from __future__ import annotations

from benches.saxena2024.printed import cells
from compress.claims.bound import Estimate
from compress.measure.quality import JUDGES
from compress.workbench import Cell


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
