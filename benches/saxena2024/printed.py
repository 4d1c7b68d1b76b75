"""The tables of Saxena et al. 2024 as printed: columns as numbers, and the ratios that sentences speak of."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

from compress.claims.bound import Estimate
from compress.claims.paper import Paper, load_paper

QUALITY = {
    "II": ("Accuracy", "Latency"),
    "III": ("Accuracy", "Latency"),
    "IV": ("mAp0.25", "Latency"),
    "V": ("mAp0.25", "Latency"),
    "VI": ("F1 Score", "Average prediction time"),
    "VII": ("Average PID Score", "Average Prediction Time"),
}
"""The quantization tables and their columns of quality and latency."""

MODES = {"dynamic": "Dynamic Range Quantized", "float16": "Float16 Quantized", "int8": "Int8 Quantized"}
ORIGINAL = "Original Model"
CLASSIFIERS = ["II", "III"]
ANSWER_TIME = "Average Inference time"
"""The first row of tables XV to XVII."""


@cache
def paper() -> Paper:
    return load_paper(Path(__file__).parent / "paper.toml")


def cells(table: str, column: str) -> dict[object, float]:
    """Return a column's numbers by the table's first cell; cells that hold none are left out."""
    found = paper().table(f"saxena2024/table-{table}")
    numbers = (
        (key, number(cell)) for key, cell in zip(found.column(found.columns[0]), found.column(column), strict=True)
    )
    return {key: value for key, value in numbers if not math.isnan(value)}


def number(cell: object) -> float:
    """Return the number that a cell begins with: ``"0.0475 (200 data points)" -> 0.0475``, ``"-" -> nan``."""
    try:
        return float(str(cell).split()[0])
    except ValueError:
        return math.nan


def size_ratio(table: str, mode: str) -> float:
    sizes = cells(table, "Size")
    return sizes[ORIGINAL] / sizes[MODES[mode]]


def latency_ratios() -> dict[tuple[str, str], float]:
    """Return latency of the quantized rows over the original's, by table and mode; a model that failed has none."""
    found = {}
    for table, (_, column) in QUALITY.items():
        latency = cells(table, column)
        found.update({(table, mode): latency[row] / latency[ORIGINAL] for mode, row in MODES.items() if row in latency})
    return found


def answer_time_ratio(table: str) -> float:
    """Return how many times as long the printed table's 4-bit model takes as its original."""
    return cells(table, "4Bit")[ANSWER_TIME] / cells(table, "Original")[ANSWER_TIME]


def loss_fraction(table: str, mode: str) -> float:
    """Return the quality lost, as a fraction of the original's; of FID, lower is better."""
    quality = cells(table, QUALITY[table][0])
    change = quality[MODES[mode]] / quality[ORIGINAL] - 1
    return change if table == "VII" else -change


def exact(value: float, note: str) -> Estimate:
    return Estimate(value, value, value, note=note)
