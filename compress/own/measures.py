"""What a ``claims.toml`` may claim of a compressed model, by name: each measures one cell."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from compress.claims.bound import Estimate
from compress.claims.policy import Policy
from compress.claims.statistics import drop_of_scores
from compress.claims.timing import time_pair
from compress.errors import CompressError

if TYPE_CHECKING:
    from compress.workbench import Cell

TIMED = Policy(time_budget_s=10, long_call_time_budget_s=30)
"""How long the two files of a latency ratio are called in turn."""


def side_by_side(compressed: Cell, original: Cell, policy: Policy = TIMED) -> Estimate:
    """Return the time of a call of `compressed` over that of `original`, the same runtime's; below 1 is faster.

    Both are called in turn, in fresh instances every block, and timed by the calling thread's own clock, so that what
    else the machine does hardly counts. The limits are those of all looks together, 99 % a side.
    """
    compressed.value("latency_s")  # unmeasured where other processes of the run compete
    sample = compressed.workbench.data(compressed.subject).evaluation_x[:1]
    found = time_pair(original.artifact.path, compressed.artifact.path, compressed.artifact.runtime, sample, policy)
    note = f"{1e3 * found.call_s * found.ratio:.2f} ms against {1e3 * found.call_s:.2f} ms, {found.blocks} blocks"
    return Estimate(found.ratio, found.low, found.high, "x the latency", note=note)


def latency_ratio(cell: Cell) -> Estimate:
    """Return the time of a call over that of the float32 file in the same runtime, side by side."""
    return side_by_side(cell, cell.reference)


def score_drop(cell: Cell) -> Estimate:
    """Return what the mean score lost against the float32 file, paired on the same samples; 95 % a side (bootstrap).

    Raises `CompressError` when the subject has no score of its own.
    """
    before, after = cell.reference.score, cell.score
    old, new = cell.reference.measurement.scores, cell.measurement.scores
    if old is None or new is None or old.samples != new.samples:
        raise CompressError(f"{cell.name} and its float32 file were not scored on the same samples; nothing to pair")
    found = drop_of_scores(old.values, new.values, confidence=0.95)
    note = f"{before.value:.4g} before, {after.value:.4g} after"
    return Estimate(found.drop, found.low, found.high, after.unit, after.n, note)


def _value(metric: str, cell: Cell) -> float:
    return cell.value(metric)


MEASURES: dict[str, Callable[[Cell], Estimate | float]] = {
    "size_ratio": lambda cell: cell.size_ratio,
    "gzip_ratio": lambda cell: cell.gzip_ratio,
    "accuracy_percent": lambda cell: cell.accuracy,
    "accuracy_drop_points": lambda cell: cell.accuracy_drop,
    "score": lambda cell: cell.score,
    "score_drop": score_drop,
    "latency_ratio": latency_ratio,
    **{
        name: partial(_value, name)
        for name in (
            "raw_bytes",
            "gzip_bytes",
            "sparsity",
            "multiply_adds",
            "overall_score",
            "frechet_distance",
            "output_sqnr_db",
            "latency_s",
            "load_time_s",
            "peak_memory_bytes",
        )
    },
}
"""Name of a metric in the file -> what measures it."""
