"""What one model became by each recipe, a row each: size, quality, time and memory, and which of them are worth having.

As rows of plain data first, for JSON and CSV, then as a table for people.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from compress.report.columns import aligned
from compress.report.pareto import Point, worth_having

if TYPE_CHECKING:
    from compress.workbench import Cell


@dataclass(frozen=True)
class Row:
    """One recipe's result; all but the recipe and the reason is None for one that was refused.

    ``quality`` is in the unit of the metric (accuracy in percent), with its interval at 95 % a side; ``drop`` what it
    lost against the float32 file in the same runtime. ``pareto``: nothing else is as small, as good and as fast.
    ``each`` is the quality of every sample, which pairs rows; it is not written out.
    """

    recipe: str
    runtime: str
    reason: str = ""
    raw_bytes: int | None = None
    gzip_bytes: int | None = None
    size_ratio: float | None = None
    quality: float | None = None
    quality_low: float | None = None
    quality_high: float | None = None
    drop: float | None = None
    accuracy: float | None = None
    top_5_accuracy: float | None = None
    overall_score: float | None = None
    output_sqnr_db: float | None = None
    mse: float | None = None
    psnr_db: float | None = None
    cosine_similarity: float | None = None
    latency_s: float | None = None
    load_time_s: float | None = None
    peak_memory_bytes: int | None = None
    compress_time_s: float | None = None
    sparsity: float | None = None
    pareto: bool = False
    sha256: str = ""
    file: str = ""
    each: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    def to_plain(self) -> dict[str, object]:
        """Return what is written out of the row, by name."""
        return asdict(replace(self, each=None), dict_factory=lambda pairs: {k: v for k, v in pairs if k != "each"})


_COPIED = (
    "accuracy",
    "top_5_accuracy",
    "overall_score",
    "output_sqnr_db",
    "mse",
    "psnr_db",
    "cosine_similarity",
    "latency_s",
    "load_time_s",
    "peak_memory_bytes",
    "compress_time_s",
    "sparsity",
)


def row_of(cell: Cell) -> Row:
    """Return the row of a measured cell; a file that is kept but not run has sizes only."""
    values = cell.measurement.values
    found = Row(
        recipe=str(cell.recipe),
        runtime=cell.recipe.runtime,
        raw_bytes=cell.raw_bytes,
        gzip_bytes=cell.gzip_bytes,
        size_ratio=cell.size_ratio,
        sha256=cell.artifact.sha256,
        file=str(cell.artifact.path),
        **{name: values[name] for name in _COPIED if name in values},  # type: ignore[arg-type]
    )
    if not cell.measurement.was_run:
        return found
    quality, before = cell.quality, cell.reference.quality
    scores, outcomes = cell.measurement.scores, cell.measurement.outcomes
    return replace(
        found,
        quality=quality.value,
        quality_low=quality.low,
        quality_high=quality.high,
        drop=before.value - quality.value,
        each=scores.values if scores else outcomes.correct.astype(np.float32) if outcomes else None,
    )


def refused(recipe: str, runtime: str, reason: str) -> Row:
    """Return the row of a recipe that could not be measured, and why."""
    return Row(recipe, runtime, reason)


def mark_pareto(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with the Pareto set marked: small, fast (beyond ten percent), good (beyond noise)."""
    points = {
        index: Point(row.raw_bytes, row.latency_s, row.quality_low, row.quality_high, row.each)
        for index, row in enumerate(rows)
        if row.raw_bytes is not None
        and row.latency_s is not None
        and row.quality_low is not None
        and row.quality_high is not None
    }
    best = dict(zip(points, worth_having(list(points.values())), strict=True))
    return [replace(row, pareto=best.get(index, False)) for index, row in enumerate(rows)]


def to_json(rows: Sequence[Row], about: dict[str, object]) -> str:
    """Return the rows as a JSON document, after what they are `about`."""
    return json.dumps({**about, "rows": [row.to_plain() for row in rows]}, indent=1)


def to_csv(rows: Sequence[Row]) -> str:
    """Return the rows as CSV, a line each under a line of names; what was not measured is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0].to_plain()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.to_plain() for row in rows)
    return out.getvalue()


LEGEND = (
    "* nothing else here is as small, as fast (to ten percent) and, as far as these samples tell, as good;\n"
    "x: the float32 file in the same runtime over this one; [ ]: where {quality} lies, 95 % a side, n={n};\n"
    "call: median of one sample's inference on one thread; peak: resident memory"
)


def legend(quality: str, n: int) -> str:
    """Return what the table's marks and columns mean."""
    return LEGEND.format(quality=quality, n=f"{n:,}")


def judged_name(rows: Sequence[Row], metric: str) -> str:
    """Return what the quality of `rows` is called: a mean of samples, where `metric` is of all samples together."""
    return f"mean {metric} of samples" if any(row.overall_score is not None for row in rows) else metric


def lines_of(rows: Sequence[Row], metric: str, unit: str) -> list[str]:
    """Return a line of headings and one a row, in columns, the Pareto set marked; refused recipes are left out."""
    judged = judged_name(rows, metric)
    overall = [metric] if judged != metric else []  # beside the mean that has an interval and pairs recipes
    heading = (
        "",
        "recipe",
        "bytes",
        "x",
        "gzip",
        *overall,
        f"{judged}, {unit}" if unit else judged,
        "call µs",
        "peak MB",
    )
    shown = [
        (
            "*" if row.pareto else "",
            row.recipe,
            f"{row.raw_bytes:,}",
            f"{row.size_ratio:.2f}",
            f"{row.gzip_bytes:,}",
            *("" if row.overall_score is None else f"{row.overall_score:.4f}" for _ in overall),
            _quality(row, unit),
            "" if row.latency_s is None else f"{row.latency_s * 1e6:,.1f}",
            "" if row.peak_memory_bytes is None else f"{row.peak_memory_bytes / 1e6:,.1f}",
        )
        for row in rows
        if not row.reason
    ]
    return aligned([heading, *shown], right=range(2, len(heading)))


def _quality(row: Row, unit: str) -> str:
    if row.quality is None or row.quality_low is None or row.quality_high is None:
        return ""
    decimals = 2 if unit else 4
    return f"{row.quality:.{decimals}f} [{row.quality_low:.{decimals}f}, {row.quality_high:.{decimals}f}]"
