"""What benches added to the report: their tables, and their figures as charts with the numbers beside them."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from compress.claims.stored_run import StoredRun
from compress.errors import DataError
from compress.measure.figure import Figure, Line, figure_from_json
from compress.measure.histogram import Histogram
from compress.measure.picture import Picture
from compress.report.html.axis import number_text
from compress.report.html.chart import Chart, histogram_chart, line_chart


@dataclass(frozen=True)
class TableOfNumbers:
    """A table: its title, the columns' names, rows of texts, and the run it is from."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    run: str

    @property
    def numeric(self) -> tuple[bool, ...]:
        """For each column, whether its fields begin as numbers do, and so are to end alike."""
        return tuple(
            all(re.match(r"$|-$|[-+±]?[\d.]", row[index]) for row in self.rows) for index in range(len(self.columns))
        )


@dataclass(frozen=True)
class Image:
    """A picture by name, as an address that holds its bytes."""

    name: str
    address: str
    width: int
    height: int


@dataclass(frozen=True)
class Drawn:
    """A figure: charts or pictures side by side, and a table of what they show."""

    title: str
    note: str
    kind: str
    charts: tuple[Chart, ...]
    images: tuple[Image, ...]
    numbers: TableOfNumbers
    run: str


def tables_of(runs: Sequence[StoredRun]) -> tuple[list[TableOfNumbers], list[str]]:
    """Return the tables that benches added to `runs`, the newest first, each title once; and what cannot be shown."""
    found: dict[tuple[str, str], TableOfNumbers] = {}
    faults = []
    for run in runs:
        for stored in _stored(run, "tables"):
            try:
                columns = tuple(map(str, stored["columns"]))
                rows = tuple(tuple(map(str, row)) for row in stored["rows"])
                if not isinstance(stored["columns"], list) or any(len(row) != len(columns) for row in rows):
                    raise TypeError("its rows are not as long as its columns")
                made = TableOfNumbers(str(stored["title"]), columns, rows, run.number)
            except (KeyError, TypeError) as error:
                faults.append(f"run {run.number}: a stored table cannot be shown: {error}")
                continue
            found.setdefault((str(run.scale), made.title), made)
    return list(found.values()), faults


def figures_of(runs: Sequence[StoredRun]) -> tuple[list[Drawn], list[str]]:
    """Return the figures that benches added to `runs`, the newest first, each title once; and what cannot be shown."""
    found: dict[tuple[str, str], Drawn] = {}
    faults = []
    for run in runs:
        for stored in _stored(run, "figures"):
            try:
                figure = figure_from_json(stored)
            except DataError as error:
                faults.append(f"run {run.number}: a stored figure cannot be shown: {error}")
                continue
            if figure.series:
                found.setdefault((str(run.scale), figure.title), _draw(figure, run.number))
    return list(found.values()), faults


def _stored(run: StoredRun, key: str) -> list[Any]:
    stored = run.compress.get(key)
    return stored if isinstance(stored, list) else []


def _draw(figure: Figure, run: str) -> Drawn:
    charts: tuple[Chart, ...] = ()
    images: tuple[Image, ...] = ()
    lines = {name: one for name, one in figure.series.items() if isinstance(one, Line)}
    bars = {name: one for name, one in figure.series.items() if isinstance(one, Histogram)}
    if lines:
        charts = (line_chart(figure.title, lines, figure.x, figure.y),)
        columns, rows = _line_numbers(figure, lines)
    elif bars:
        most = max(max(one.counts) for one in bars.values())
        charts = tuple(histogram_chart(name, one, figure.x, figure.y, most) for name, one in bars.items())
        columns, rows = _histogram_numbers(bars)
    else:
        pictures = {name: one for name, one in figure.series.items() if isinstance(one, Picture)}
        images = tuple(
            Image(name, f"data:image/png;base64,{base64.b64encode(one.png).decode()}", one.width, one.height)
            for name, one in pictures.items()
        )
        columns = ("picture", "pixels")
        rows = tuple((one.name, f"{one.width} x {one.height}") for one in images)
    numbers = TableOfNumbers(figure.title, columns, rows, run)
    return Drawn(figure.title, figure.note, figure.kind, charts, images, numbers, run)


def _line_numbers(figure: Figure, lines: dict[str, Line]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    places = sorted({x for line in lines.values() for x in line.x})
    values = {name: dict(zip(line.x, line.y, strict=True)) for name, line in lines.items()}
    rows = tuple(
        (number_text(x), *(number_text(one[x]) if x in one else "" for one in values.values())) for x in places
    )
    return (figure.x or "x", *lines), rows


def _histogram_numbers(bars: dict[str, Histogram]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    rows = []
    for name, one in bars.items():
        total = one.zeros + sum(one.counts)
        third = len(one.counts) // 3
        inner = sum(one.counts[third : len(one.counts) - third]) / max(sum(one.counts), 1)
        fraction = f"{one.zeros_fraction:.1%}" if total else ""
        rows.append((name, f"{total:,}", fraction, f"±{one.limit:.3g}", f"{max(one.counts):,}", f"{inner:.1%}"))
    columns = ("name", "values", "exact zeros", "range", "fullest bin", "of the others, in the middle third")
    return columns, tuple(rows)
