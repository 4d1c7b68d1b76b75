"""Size against accuracy and against latency, one pair of charts a subject, with the Pareto set marked.

A file is on the front when no other of its subject is at least as good in both and better in one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compress.measure.metric import METRICS
from compress.report.html.axis import bytes_text, number_text, percent_text, seconds_text
from compress.report.html.chart import Chart, Mark, Path, across, upward
from compress.report.values import as_number, shown

SHAPES = {"litert": "circle", "onnx": "square"}
"""Marker by runtime; any other is a diamond."""

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
        return shown(METRICS[metric], self.values.get(metric))


@dataclass(frozen=True)
class Tradeoff:
    """A subject's files, the smallest last, its charts, and metric and name of the columns that any file has a value of."""

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
    full = {str(cell.get("runtime")): as_number(cell["values"].get("raw_bytes")) for name, cell in found if _dense(name)}
    ordered = sorted(found, key=lambda one: (-as_number(one[1]["values"].get("raw_bytes")), one[0]))
    files = []
    for number, (recipe, cell) in enumerate(ordered, start=1):
        runtime, size = str(cell.get("runtime") or ""), as_number(cell["values"].get("raw_bytes"))
        ratio = full.get(runtime, math.nan) / size if size else math.nan
        files.append(File(number, recipe, runtime, cell["values"], f"{ratio:.2f}x" if math.isfinite(ratio) else ""))
    quality = "accuracy" if any(math.isfinite(one.at("accuracy")) for one in files) else "score"
    charts: list[Chart] = []
    on: dict[int, list[str]] = {}
    for metric, told in ((quality, "size and quality"), ("latency_s", "size and latency")):
        there = [one for one in files if math.isfinite(one.at(metric)) and one.at("raw_bytes") > 0]
        if len(there) > 1:
            sign = -1 if metric == quality else 1
            best = [there[index] for index in front([(one.at("raw_bytes"), sign * one.at(metric)) for one in there])]
            for one in best:
                on.setdefault(one.number, []).append(told)
            charts.append(_chart(subject, metric, there, best))
    files = [File(**{**vars(one), "fronts": tuple(on.get(one.number, ()))}) for one in files]
    columns = [named for named in COLUMNS.items() if any(one.values.get(named[0]) is not None for one in files)]
    return Tradeoff(subject, scale, tuple(files), tuple(charts), tuple(columns))


def _dense(recipe: str) -> bool:
    return recipe.split("@")[0] == "float32"


def _chart(subject: str, metric: str, files: Sequence[File], best: Sequence[File]) -> Chart:
    width, height = 480, 340
    text: Callable[[float], str] = {"accuracy": percent_text, "latency_s": seconds_text}.get(metric, number_text)
    x_axis = across([one.at("raw_bytes") for one in files], width, log=True)
    y_axis = upward([one.at(metric) for one in files], height, log=metric == "latency_s")
    marks = tuple(
        Mark(
            x_axis.at(one.at("raw_bytes")),
            y_axis.at(one.at(metric)),
            SHAPES.get(one.runtime, "diamond"),
            str(one.number),
            f"{one.number}. {one.recipe}: {one.text('raw_bytes')} bytes, {one.text(metric)}",
            one in best,
        )
        for one in files
    )
    line = sorted((x_axis.at(one.at("raw_bytes")), y_axis.at(one.at(metric))) for one in best)
    name = {"latency_s": "latency of one call"}.get(metric, metric)
    numbers = ", ".join(str(one.number) for one in best)
    about = f"{len(files)} files by size and {name}. On the Pareto front: {numbers}; the table below names them."
    ticks = x_axis.ticks(bytes_text, 5), y_axis.ticks(text)
    path = (Path(" ".join(f"{x:g},{y:g}" for x, y in line), "Pareto front"),)
    return Chart(f"{subject}: size and {name}", about, width, height, "size of the file", name, *ticks, marks, path)
