"""Size against accuracy and against latency, charts of their own for each subject, with the Pareto set marked.

A file is on the front when no other of its subject is at least as good in both and better in one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compress.measure.metric import METRICS
from compress.report.html.axis import Axis, axis, bytes_text, number_text, percent_text, seconds_text
from compress.report.html.chart import BOTTOM, TOP, Chart, Mark, Path, across, upward
from compress.report.values import as_number, shown

SHAPES = {"litert": "circle", "onnx": "square"}
"""Marker by runtime; any other is a diamond."""

SIZES = {"raw_bytes": "size of the file", "gzip_bytes": "gzipped size"}
NAMES = {"accuracy": "accuracy", "score": "score", "latency_s": "latency of a call"}
NAMED = 6
"""How many files of a front are named below its chart; the table has all."""

NUMBER_WIDTH, NUMBER_HEIGHT = 16, 11
"""Pixels that a number beside a mark takes."""

COLUMNS = {
    "raw_bytes": "bytes",
    "gzip_bytes": "gzipped",
    "sparsity": "zeros",
    "accuracy": "accuracy",
    "score": "score",
    "output_sqnr_db": "SQNR, dB",
    "latency_s": "latency",
    "load_time_s": "load",
    "peak_memory_bytes": "peak memory",
    "compress_time_s": "made in",
}


@dataclass(frozen=True)
class File:
    """A measured file: its number in the charts, recipe, runtime, values by metric, and the fronts it is on."""

    number: int
    recipe: str
    runtime: str
    values: Mapping[str, Any]
    ratio: str
    fronts: tuple[str, ...] = ()

    def at(self, metric: str) -> float:
        """Return a metric's value as a number, NaN where there is none."""
        return as_number(self.values.get(metric))

    def text(self, metric: str) -> str:
        """Return a metric's value for people."""
        if METRICS[metric].nature == "memory" and math.isfinite(self.at(metric)):
            return bytes_text(self.at(metric))
        return shown(METRICS[metric], self.values.get(metric))


@dataclass(frozen=True)
class Tradeoff:
    """A subject's files, the smallest last, its charts, and metric and title of each column that any file fills."""

    subject: str
    scale: str
    files: tuple[File, ...]
    charts: tuple[Chart, ...]
    columns: tuple[tuple[str, str], ...]


def tradeoffs(cells: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[Tradeoff]:
    """Return each subject's trade-offs; `cells` are stored cells by scale and name, ``("embedded", "tiny: int8")``."""
    subjects: dict[tuple[str, str], list[tuple[str, Mapping[str, Any]]]] = {}
    for (scale, name), cell in cells.items():
        subject, _, recipe = name.partition(": ")
        subjects.setdefault((scale, subject), []).append((recipe, cell))
    return [_tradeoff(scale, subject, found) for (scale, subject), found in sorted(subjects.items())]


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the places of the points that no other beats: both coordinates are better when smaller."""
    return [
        index
        for index, (x, y) in enumerate(points)
        if not any(a <= x and b <= y and (a, b) != (x, y) for a, b in points)
    ]


def _tradeoff(scale: str, subject: str, found: Sequence[tuple[str, Mapping[str, Any]]]) -> Tradeoff:
    full = {
        str(cell.get("runtime")): as_number(cell["values"].get("raw_bytes")) for name, cell in found if _dense(name)
    }
    ordered = sorted(found, key=lambda one: (-as_number(one[1]["values"].get("raw_bytes")), one[0]))
    files = []
    for number, (recipe, cell) in enumerate(ordered, start=1):
        runtime, raw_bytes = str(cell.get("runtime") or ""), as_number(cell["values"].get("raw_bytes"))
        ratio = full.get(runtime, math.nan) / raw_bytes if raw_bytes else math.nan
        files.append(File(number, recipe, runtime, cell["values"], f"{ratio:.2f}x" if math.isfinite(ratio) else ""))
    quality = "accuracy" if any(math.isfinite(one.at("accuracy")) for one in files) else "score"
    charts: list[Chart] = []
    on: dict[int, list[str]] = {}
    for size, metric in (("raw_bytes", quality), ("gzip_bytes", quality), ("raw_bytes", "latency_s")):
        there = [one for one in files if math.isfinite(one.at(metric)) and one.at(size) > 0]
        if len(there) > 1:
            sign = 1 if metric == "latency_s" else -1
            best = [there[index] for index in front([(one.at(size), sign * one.at(metric)) for one in there])]
            for one in best:
                on.setdefault(one.number, []).append(f"{SIZES[size]} and {NAMES[metric]}")
            charts.append(_chart(subject, size, metric, there, best))
    files = [File(**{**vars(one), "fronts": tuple(on.get(one.number, ()))}) for one in files]
    columns = [named for named in COLUMNS.items() if any(one.values.get(named[0]) is not None for one in files)]
    return Tradeoff(subject, scale, tuple(files), tuple(charts), tuple(columns))


def _dense(recipe: str) -> bool:
    return recipe.split("@")[0] == "float32"


def _chart(subject: str, size: str, metric: str, files: Sequence[File], best: Sequence[File]) -> Chart:
    width, height = 400, 320
    x_axis = across([one.at(size) for one in files], width, log=True)
    y_axis, text = _vertical(metric, [one.at(metric) for one in files], height)
    # the best first, as a number is only written where it covers no other
    ordered = sorted(files, key=lambda one: one not in best)
    places = [(x_axis.at(one.at(size)), y_axis.at(_up(metric, one.at(metric)))) for one in ordered]
    labels = _free(places)
    marks = tuple(
        Mark(
            *place,
            SHAPES.get(one.runtime, "diamond"),
            str(one.number) if free else "",
            f"{one.number}. {one.recipe}: {one.text(size)} bytes, {one.text(metric)}",
            one in best,
        )
        for one, place, free in zip(ordered, places, labels, strict=True)
    )
    line = " ".join(
        f"{x:g},{y:g}" for x, y in sorted({place for place, mark in zip(places, marks, strict=True) if mark.on_front})
    )
    title = f"{subject}: {SIZES[size]} and {NAMES[metric]}"
    named = "; ".join(f"{one.number} {one.recipe}" for one in best[:NAMED])
    more = f" and {len(best) - NAMED} more" if len(best) > NAMED else ""
    about = f"{len(files)} files. On the Pareto front: {named}{more}."
    ticks = x_axis.ticks(bytes_text, 4), y_axis.ticks(text)
    return Chart(title, about, width, height, SIZES[size], NAMES[metric], *ticks, marks[::-1], (Path(line),))


def _up(metric: str, value: float) -> float:
    """Return what the vertical axis is of: of an accuracy the errors, as one of 99 % makes half those of 98 %."""
    return 1 - value if metric == "accuracy" else value


def _vertical(metric: str, values: Sequence[float], height: int) -> tuple[Axis, Callable[[float], str]]:
    if metric == "accuracy":
        downward = axis([_up(metric, value) for value in values], TOP, height - BOTTOM, log=True)
        return downward, lambda errors: percent_text(1 - errors)
    if metric == "latency_s":
        return upward(values, height, log=True), seconds_text
    return upward(values, height), number_text


def _free(places: Sequence[tuple[float, float]]) -> list[bool]:
    """Return for each place whether a number fits beside it, those before it having taken theirs."""
    taken: list[tuple[float, float]] = []
    found = []
    for x, y in places:
        free = all(abs(x - a) > NUMBER_WIDTH or abs(y - b) > NUMBER_HEIGHT for a, b in taken)
        found.append(free)
        taken += [(x, y)] if free else []
    return found
