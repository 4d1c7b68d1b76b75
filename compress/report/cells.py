"""The table of cells: what the papers print of every compressed model, one line each, one table a subject."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby

from compress.measure.classification import Outcomes
from compress.workbench import Cell

COLUMNS = (
    "bytes",
    "x",
    "gzip",
    "x",
    "zeros",
    "right",
    "drop",
    "SQNR",
    "call µs",
    "FPS",
    "load ms",
    "peak MB",
    "made s",
)
NARROW = 8
"""How many of `COLUMNS` are always shown, however short a line is: those of size and quality."""

LONGEST_RECIPE = 40
"""Characters of a line that recipes may take before columns give way to them; longer ones take two lines."""

GAP = 2
"""Blanks between two columns."""

LEGEND = (
    "x: the float32 file in the same runtime over this one; right: top-1 accuracy, or the mean of a score; drop: lost "
    "of it against float32;\nSQNR: its outputs, dB; call: median of one sample's inference on one thread, and FPS its "
    "inverse; load: in a fresh process;\npeak: its resident memory; made: all steps, s"
)


def by_subject(cells: Iterable[Cell]) -> list[tuple[str, list[Cell]]]:
    """Return the cells of each subject, in the order of their names."""
    ordered = sorted(cells, key=lambda cell: (cell.subject.name, cell.recipe.runtime, cell.name))
    return [(name, list(group)) for name, group in groupby(ordered, key=lambda cell: cell.subject.name)]


def scored(cells: Iterable[Cell]) -> int:
    """Return how many samples, or groups of them, one subject's cells were judged by; 0 when none was run."""
    judged = (cell.measurement.outcomes or cell.measurement.scores for cell in cells)
    return next((len(one.correct if isinstance(one, Outcomes) else one.values) for one in judged if one is not None), 0)


def fitting(rows: Sequence[tuple[str, ...]], width: int) -> int:
    """Return how many of `COLUMNS` fit beside the recipes of `rows` into lines of `width`, `NARROW` at least."""
    widths = [max(map(len, column)) for column in zip(("recipe", *COLUMNS), *rows, strict=True)]
    widths[0] = min(widths[0], LONGEST_RECIPE)
    ends = [end + GAP * index for index, end in enumerate(accumulate(widths))]
    return max(NARROW, sum(end <= width for end in ends[1:]))


def _quality(cell: Cell) -> tuple[str, str]:
    """Return accuracy and what of it was lost; of a subject that has none, its own score."""
    if cell.measurement.outcomes is not None:
        return f"{cell.accuracy.value:.2f}%", "" if cell is cell.reference else f"{cell.accuracy_drop.value:+.2f}"
    if cell.measurement.scores is None:
        return "", ""
    score, before = cell.score.value, cell.reference.score.value
    return f"{score:.4g}", "" if cell is cell.reference else f"{before - score:+.2g}"


def row(cell: Cell) -> tuple[str, ...]:
    """Return a cell's recipe and one text for each of `COLUMNS`; empty where a format has no such thing."""
    values = cell.measurement.values

    def shown(metric: str, form: str, factor: float = 1) -> str:
        value = values.get(metric)
        return format(value * factor, form) if isinstance(value, int | float) else ""

    return (
        str(cell.recipe),
        f"{cell.raw_bytes:,}",
        f"{cell.size_ratio:.2f}",
        f"{cell.gzip_bytes:,}",
        f"{cell.gzip_ratio:.2f}",
        f"{cell.sparsity:.1%}",
        *_quality(cell),
        shown("output_sqnr_db", ".1f"),
        shown("latency_s", ".1f", 1e6),
        f"{cell.fps:,.0f}" if "latency_s" in values else "",
        shown("load_time_s", ".1f", 1e3),
        shown("peak_memory_bytes", ".1f", 1e-6),
        shown("compress_time_s", ".1f"),
    )
