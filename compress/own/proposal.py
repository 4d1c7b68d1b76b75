"""Budgets at today's values: the ``claims.toml`` that says of a model what was just measured, and some room.

The room is what a rebuild or another processor may change without anybody having done anything: a little for sizes, the
interval that the samples leave for quality, a factor for latency.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compress.workbench import Cell

SIZE_ROOM_FRACTION = 0.02
"""A converter's next version moves names and padding by less."""

SPARSE_FRACTION = 0.1
"""Zeros from which on a file is one that is meant to be sparse; rounding to int8 alone leaves a few percent."""

LEAST_DROP_POINTS = 0.5
"""Points of accuracy that few notice, and that 200 samples cannot show."""

SQNR_ROOM_DB = 3.0
"""Half of the signal-to-noise power."""

SLOWER_FACTOR = 1.25
"""Room for a latency ratio, which differs between processors of one kind by a tenth."""


@dataclass(frozen=True)
class Budget:
    """A claim to write: a metric of a recipe, the limit, on which side it is, and why it is that wide."""

    recipe: str
    metric: str
    limit: float
    is_least: bool
    why: str

    def to_toml(self, subject: str) -> str:
        """Return the claim as a ``[[claim]]`` table."""
        side = "at_least" if self.is_least else "at_most"
        limit = str(int(self.limit)) if float(self.limit).is_integer() else f"{self.limit:.10g}"
        return "\n".join(
            [
                "[[claim]]",
                f"subject = {_text(subject)}",
                f"recipe = {_text(self.recipe)}",
                f"metric = {_text(self.metric)}",
                f"{side} = {limit}",
                f"why = {_text(self.why)}",
            ]
        )


def budgets(cell: Cell, date: str, latency_ratio: float | None = None) -> list[Budget]:
    """Return the budgets of a measured cell: size, what quality it lost, and its latency ratio where one is given."""
    recipe = str(cell.recipe)
    found = [
        Budget(
            recipe,
            "raw_bytes",
            _up(cell.raw_bytes * (1 + SIZE_ROOM_FRACTION)),
            False,
            f"{cell.raw_bytes:,} bytes on {date}, {cell.size_ratio:.2f}x smaller, and {SIZE_ROOM_FRACTION:.0%} of room",
        )
    ]
    if cell.sparsity >= SPARSE_FRACTION:
        why = f"{cell.gzip_bytes:,} bytes gzipped on {date}, {cell.gzip_ratio:.2f}x smaller: zeros show in nothing else"
        found.append(Budget(recipe, "gzip_bytes", _up(cell.gzip_bytes * (1 + SIZE_ROOM_FRACTION)), False, why))
    if cell.measurement.outcomes is not None:
        drop = cell.accuracy_drop
        limit = max(LEAST_DROP_POINTS, math.ceil(10 * drop.high) / 10)
        why = f"{drop.value:+.2f} points lost on {date}, at most {drop.high:.2f} by n={drop.n:,} samples"
        found.append(Budget(recipe, "accuracy_drop_points", limit, False, why))
    if "output_sqnr_db" in cell.measurement.values:
        sqnr = cell.value("output_sqnr_db")
        why = f"{sqnr:.1f} dB on {date}, and {SQNR_ROOM_DB:g} dB of room: half of the power of the noise"
        found.append(Budget(recipe, "output_sqnr_db", math.floor(10 * (sqnr - SQNR_ROOM_DB)) / 10, True, why))
    if cell.measurement.scores is not None and _is_of_labels(cell):
        score = cell.score
        why = f"mean {score.value:.4g} on {date}; its interval, 95 % a side, by n={score.n:,} samples, twice as wide"
        found.append(Budget(recipe, "score", _down(score.value - 2 * (score.value - score.low)), True, why))
    if latency_ratio is not None:
        why = f"{latency_ratio:.2f} of the float32 file's latency on {date}, and a quarter of room for other machines"
        found.append(Budget(recipe, "latency_ratio", math.ceil(100 * latency_ratio * SLOWER_FACTOR) / 100, False, why))
    return found


def to_toml(subject: str, described: Mapping[str, str | int], found: Sequence[Budget]) -> str:
    """Return the text of a ``claims.toml`` with one subject, `described` by its keys, and its budgets."""
    lines = [
        "# Budgets of compressed models: `pytest` in this folder measures and judges each of them.",
        "# Limits are yours to change; each has a `why`, which a failing test shows.",
        "",
        f"[subject.{subject}]",
        *(f"{key} = {_text(value) if isinstance(value, str) else value}" for key, value in described.items()),
    ]
    return "\n\n".join(["\n".join(lines), *(one.to_toml(subject) for one in found)]) + "\n"


def _is_of_labels(cell: Cell) -> bool:
    """Return whether scores are of answers against labels; those against the float32 file are no drop of anything."""
    return getattr(cell.subject.score, "against", "labels") == "labels"


def _text(text: str) -> str:
    """Return a TOML basic string; JSON's escapes are TOML's."""
    return json.dumps(text)


def _up(value: float) -> int:
    """Return `value` rounded up to three significant digits."""
    step = 10 ** max(math.floor(math.log10(value)) - 2, 0)
    return int(math.ceil(value / step) * step)


def _down(value: float) -> float:
    """Return `value` rounded down to four decimals."""
    return math.floor(value * 10_000) / 10_000
