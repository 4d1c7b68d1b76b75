"""What the cells of runs hold to be looked at: the curves of their trainings, and pictures of what their files make."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compress.claims.stored_run import StoredRun
from compress.curve import Curve, curve_from_json
from compress.errors import DataError
from compress.measure.figure import Line
from compress.measure.metric import METRICS
from compress.measure.picture import Picture
from compress.measure.sample_pictures import from_json
from compress.report.html.axis import number_text
from compress.report.html.chart import line_chart
from compress.report.html.drawn import Drawn, Image, TableOfNumbers

MOST_PICTURE_BYTES = 3_000_000
"""Of pictures in one page: one that is sent around must open."""

LIKENESS = ("psnr_db", "output_sqnr_db", "cosine_similarity", "mse")
"""Metrics that say of a file's pictures how near they are to the float32 file's."""


@dataclass(frozen=True)
class OfSubject:
    """The figures of a subject's files at one scale."""

    subject: str
    scale: str
    figures: tuple[Drawn, ...]


def trainings(runs: Sequence[StoredRun]) -> tuple[list[OfSubject], list[str]]:
    """Return the trainings of the cells of `runs`, the newest first, each once; and what cannot be shown.

    Files whose curves are the same share a training.
    """
    found: dict[tuple[str, str, str, tuple[Curve, ...]], list[str]] = {}
    faults = []
    for run, name, cell in _cells(runs):
        stored = cell.get("curves")
        try:
            curves = tuple(map(curve_from_json, stored if isinstance(stored, list) else ()))
        except DataError as error:
            faults.append(f"run {run.number}: the training of {name} cannot be shown: {error}")
            continue
        if curves:
            subject, _, recipe = name.partition(": ")
            found.setdefault((str(run.scale), subject, run.number, curves), []).append(recipe)
    drawn = [
        (scale, subject, _training(subject, sorted(recipes, key=lambda one: (len(one), one)), curves, number))
        for (scale, subject, number, curves), recipes in found.items()
    ]
    return _by_subject(drawn), faults


def pictures(runs: Sequence[StoredRun]) -> tuple[list[OfSubject], list[str]]:
    """Return what files of `runs` make of a few samples, beside the float32 file; and what cannot be shown.

    Cells that would make the page too large are left out, and said.
    """
    drawn: list[tuple[str, str, Drawn]] = []
    faults: list[str] = []
    left, left_out = MOST_PICTURE_BYTES, 0
    for run, name, cell in _cells(runs):
        try:
            strips = from_json(cell.get("pictures") or {})
        except DataError as error:
            faults.append(f"run {run.number}: the pictures of {name} cannot be shown: {error}")
            continue
        needed = sum(len(one.png) for one in strips.values()) * 4 // 3
        if needed > left:
            left_out += 1
        elif strips:
            left -= needed
            drawn.append((str(run.scale), name.partition(": ")[0], _strips(name, strips, cell["values"], run.number)))
    if left_out:
        faults.append(f"the pictures of {left_out} more cells are left out, so that the page stays small")
    return _by_subject(drawn), faults


def _cells(runs: Sequence[StoredRun]) -> Iterator[tuple[StoredRun, str, Mapping[str, Any]]]:
    """Yield each cell once, of the newest run that has it; names are ``subject: recipe``."""
    seen = set()
    for run in runs:
        for name, cell in run.cells.items():
            if (run.scale, name) not in seen:
                seen.add((run.scale, name))
                yield run, name, cell


def _by_subject(drawn: Sequence[tuple[str, str, Drawn]]) -> list[OfSubject]:
    found: dict[tuple[str, str], list[Drawn]] = {}
    for scale, subject, one in drawn:
        found.setdefault((scale, subject), []).append(one)
    return [
        OfSubject(subject, scale, tuple(sorted(figures, key=lambda one: one.title)))
        for (scale, subject), figures in sorted(found.items())
    ]


def _training(subject: str, recipes: Sequence[str], curves: Sequence[Curve], run: str) -> Drawn:
    steps = list(dict.fromkeys(curve.step for curve in curves))
    charts = []
    for curve in curves:
        name = f"{curve.name}, {curve.step}" if len(steps) > 1 else curve.name
        charts.append(line_chart(name, {curve.name: Line(curve.x, curve.y)}, curve.over, curve.name, (400, 240)))
    names = list(dict.fromkeys(curve.name for curve in curves))
    # one row for each place on what a step's curves are over
    rows: dict[tuple[str, str, float, int], dict[str, str]] = {}
    for curve in curves:
        seen: dict[float, int] = {}
        for x, y in zip(curve.x, curve.y, strict=True):
            seen[x] = seen.get(x, -1) + 1
            rows.setdefault((curve.step, curve.over, x, seen[x]), {})[curve.name] = number_text(y)
    order = sorted(rows, key=lambda one: (steps.index(one[0]), one[1:]))
    table = tuple(
        (step, over, number_text(x), *(rows[step, over, x, again].get(name, "") for name in names))
        for step, over, x, again in order
    )
    title = f"{subject}: {recipes[0]}"
    note = f"Of {', '.join(recipes[1:])} too." if recipes[1:] else ""
    return Drawn(
        title,
        note,
        "curves",
        tuple(charts),
        (),
        TableOfNumbers(f"trainings of {title}", ("step", "over", "at", *names), table, run),
        run,
    )


def _strips(name: str, strips: Mapping[str, Picture], values: Mapping[str, Any], run: str) -> Drawn:
    images = tuple(
        Image(each, f"data:image/png;base64,{base64.b64encode(one.png).decode()}", one.width, one.height)
        for each, one in strips.items()
    )
    rows = [(f"{one.name}, pixels", f"{one.width} x {one.height}") for one in images]
    for metric in LIKENESS:
        value = values.get(metric)
        if isinstance(value, int | float) and not isinstance(value, bool):
            unit = METRICS[metric].unit if metric in METRICS else ""
            rows.append((f"{metric}, against float32", f"{value:.4g} {unit}".strip()))
    table = TableOfNumbers(f"pictures of {name}", ("what", "value"), tuple(rows), run)
    return Drawn(name, "The first samples, below each other.", "picture strips", (), images, table, run)
