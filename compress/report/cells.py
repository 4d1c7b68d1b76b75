"""The table of cells: what the papers print of every compressed model, one line each."""

from __future__ import annotations

from collections.abc import Iterable

from compress.workbench import Cell

TITLE = "cells (ratios against the subject's float32 file in the same runtime; drop in points; latency: one thread)"
COLUMNS = (
    "subject: recipe",
    "bytes",
    "ratio",
    "gzipped",
    "ratio",
    "zeros",
    "accuracy",
    "drop",
    "SQNR dB",
    "latency µs",
    "FPS",
    "load ms",
    "peak MB",
    "compress s",
)


def cell_rows(cells: Iterable[Cell]) -> list[tuple[str, ...]]:
    """Return one row of `COLUMNS` a cell, by name; what a format cannot have (a Keras weight file) is left out."""
    return [_row(cell) for cell in sorted(cells, key=lambda cell: cell.name)]


def _row(cell: Cell) -> tuple[str, ...]:
    values = cell.measurement.values

    def shown(metric: str, form: str, factor: float = 1) -> str:
        value = values.get(metric)
        return format(value * factor, form) if isinstance(value, int | float) else ""

    run = cell.measurement.outcomes is not None
    latency_s = values.get("latency_s")
    return (
        cell.name,
        f"{cell.raw_bytes:,}",
        f"{cell.size_ratio:.2f}",
        f"{cell.gzip_bytes:,}",
        f"{cell.gzip_ratio:.2f}",
        f"{cell.sparsity:.1%}",
        f"{cell.accuracy.value:.2f}%" if run else "",
        f"{cell.accuracy_drop.value:+.2f}" if run and cell is not cell.reference else "",
        shown("output_sqnr_db", ".1f"),
        shown("latency_s", ".1f", 1e6),
        f"{1 / latency_s:,.0f}" if isinstance(latency_s, float) and latency_s else "",
        shown("load_time_s", ".2f", 1e3),
        shown("peak_memory_bytes", ".1f", 1e-6),
        shown("compress_time_s", ".1f"),
    )
