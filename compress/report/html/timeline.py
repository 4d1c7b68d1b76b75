"""Every metric of every cell over the stored runs, with what changed, and what somebody accepted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from compress.claims.stored_run import StoredRun
from compress.fingerprint import differences
from compress.measure.metric import METRICS
from compress.report.html.chart import Path, spark_step, sparkline
from compress.report.values import as_number, change, metric_called, shown

TOLD_CHANGES = 12
"""How many of a metric's last changes are listed; `compress-bench history` lists them all."""

TOLD = ("time", "memory")
"""Natures of metrics that differ from run to run: only what was accepted of them is listed."""


@dataclass(frozen=True)
class Event:
    """A change of a metric in one run: old and new value, and the reasons why it was accepted."""

    run: StoredRun
    old: str
    new: str
    change: str
    notes: tuple[str, ...]
    x: float
    accepted: bool


@dataclass(frozen=True)
class MetricHistory:
    """A metric's way through the runs; ``paths`` is empty where it never changed."""

    name: str
    is_what: str
    unit: str
    first: str
    last: str
    change: str
    lowest: str
    highest: str
    paths: tuple[Path, ...]
    events: tuple[Event, ...]
    earlier: int


@dataclass(frozen=True)
class CellHistory:
    """All metrics of a cell, with how many runs measured it."""

    name: str
    runs: int
    metrics: tuple[MetricHistory, ...]

    @property
    def changed(self) -> int:
        """How many metrics, times and memory apart, changed at least once."""
        return sum(bool(one.events) for one in self.metrics)


@dataclass(frozen=True)
class Subject:
    """The cells of a subject at one scale."""

    name: str
    scale: str
    cells: tuple[CellHistory, ...]


def timeline(runs: Sequence[StoredRun]) -> list[Subject]:
    """Return the history of every cell in `runs`, the oldest first, by scale and subject."""
    found: dict[tuple[str, str], dict[str, list[StoredRun]]] = {}
    for run in runs:
        for name in run.cells:
            subject = name.partition(": ")[0]
            found.setdefault((str(run.scale), subject), {}).setdefault(name, []).append(run)
    return [
        Subject(subject, scale, tuple(_cell(name, measured) for name, measured in sorted(cells.items())))
        for (scale, subject), cells in sorted(found.items())
    ]


def _cell(name: str, runs: Sequence[StoredRun]) -> CellHistory:
    stored = {metric for run in runs for metric in run.cells[name]["values"]}
    ordered = [metric for metric in METRICS if metric in stored] + sorted(stored - METRICS.keys())
    return CellHistory(name, len(runs), tuple(_metric(name, metric, runs) for metric in ordered))


def _metric(cell: str, metric: str, runs: Sequence[StoredRun]) -> MetricHistory:
    kind = metric_called(metric)
    values = [run.cells[cell]["values"].get(metric) for run in runs]
    there = [value for value in values if value is not None] or [None]
    numbers = [as_number(value) for value in values]
    finite = [one for one in numbers if math.isfinite(one)]
    changed = any(value != there[0] for value in there)
    events = _events(cell, metric, runs, values)
    ends = (shown(kind, min(finite)), shown(kind, max(finite))) if finite else ("", "")
    return MetricHistory(
        metric,
        kind.is_what,
        kind.unit,
        shown(kind, there[0]),
        shown(kind, there[-1]),
        change(kind, there[0], there[-1]) if len(there) > 1 else "",
        *ends,
        sparkline(numbers) if changed else (),
        tuple(events[-TOLD_CHANGES:]),
        max(len(events) - TOLD_CHANGES, 0),
    )


def _events(cell: str, metric: str, runs: Sequence[StoredRun], values: Sequence[Any]) -> list[Event]:
    kind, step = metric_called(metric), spark_step(len(runs))
    events, before = [], None
    for index, (run, value) in enumerate(zip(runs, values, strict=True)):
        if value is None:
            continue
        accepted = [_acceptance(one) for one in run.acceptances(cell) if before != value or index == 0]
        differs = before is not None and before != value and kind.nature not in TOLD
        if differs or (accepted and before is not None):
            notes = list(accepted)
            if isinstance(before, dict) and isinstance(value, dict):
                notes += differences(before, value)
            texts = shown(kind, before), shown(kind, value), change(kind, before, value)
            events.append(Event(run, *texts, tuple(notes), round(4 + index * step, 1), bool(accepted)))
        before = value
    return events


def _acceptance(one: dict[str, Any]) -> str:
    by = f" by {one['who']}" if one.get("who") else ""
    return f"accepted {str(one.get('when', ''))[:10]}{by}: {one.get('reason', '')}"
