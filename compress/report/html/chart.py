"""A chart as plain geometry, which the template draws as SVG: nothing here writes markup.

Marks are told apart by shape as well as by colour, so that nobody has to see colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from compress.measure.figure import Line
from compress.measure.histogram import Histogram
from compress.report.html.axis import Axis, Tick, axis, number_text

LEFT, RIGHT, TOP, BOTTOM = 66, 14, 14, 44
"""Pixels around the plot, for its axes' texts."""

COLORS = 6
"""How many lines a chart tells apart by colour; the template's style has as many."""


@dataclass(frozen=True)
class Mark:
    """A point: its shape (``circle``, ``square`` or ``diamond``), a number beside it, and what it is."""

    x: float
    y: float
    shape: str
    label: str
    title: str
    on_front: bool = False


@dataclass(frozen=True)
class Path:
    """Straight strokes through ``points``, such as ``0,1 2,3``; ``color`` counts from 0."""

    points: str
    name: str = ""
    color: int = 0


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Chart:
    """What the template draws; ``title`` and ``about`` are read to those who do not see it."""

    title: str
    about: str
    width: int
    height: int
    x_label: str = ""
    y_label: str = ""
    x_ticks: tuple[Tick, ...] = ()
    y_ticks: tuple[Tick, ...] = ()
    marks: tuple[Mark, ...] = ()
    paths: tuple[Path, ...] = ()
    bars: tuple[Bar, ...] = ()

    @property
    def plot(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the plot."""
        return LEFT, TOP, self.width - RIGHT, self.height - BOTTOM


def across(values: Sequence[float], width: int, *, log: bool = False) -> Axis:
    """Return the horizontal axis of a chart."""
    return axis(values, LEFT, width - RIGHT, log=log)


def upward(values: Sequence[float], height: int, *, log: bool = False, zero: bool = False) -> Axis:
    """Return the vertical axis of a chart."""
    return axis(values, height - BOTTOM, TOP, log=log, zero=zero)


def line_chart(
    title: str, lines: dict[str, Line], x_label: str, y_label: str, size: tuple[int, int] = (640, 320)
) -> Chart:
    """Return the chart of lines that share their axes, so many pixels wide and high."""
    width, height = size
    x_axis = across([value for line in lines.values() for value in line.x], width)
    y_axis = upward([value for line in lines.values() for value in line.y], height)
    paths, marks = [], []
    for index, (name, line) in enumerate(lines.items()):
        points = [(x_axis.at(x), y_axis.at(y)) for x, y in zip(line.x, line.y, strict=True)]
        paths.append(Path(" ".join(f"{x:g},{y:g}" for x, y in points), name, index % COLORS))
        if len(points) <= 40:
            shape = ("circle", "square", "diamond")[index % 3]
            told = zip(points, line.x, line.y, strict=True)
            marks += [
                Mark(*at, f"{shape} c{index % COLORS}", "", f"{name}: {number_text(x)}, {number_text(y)}")
                for at, x, y in told
            ]
    ticks = x_axis.ticks(number_text, 8), y_axis.ticks(number_text)
    many = "a line" if len(lines) == 1 else f"{len(lines)} lines"
    about = f"{many[0].upper()}{many[1:]} of {y_label or 'y'} over {x_label or 'x'}; the table below has their numbers."
    return Chart(title, about, width, height, x_label, y_label, *ticks, tuple(marks), tuple(paths))


def histogram_chart(title: str, drawn: Histogram, x_label: str, y_label: str, most: int) -> Chart:
    """Return the chart of one histogram, whose vertical axis goes up to `most` as its neighbours' do."""
    width, height = 320, 220
    x_axis = Axis(-drawn.limit, drawn.limit, False, LEFT, width - RIGHT)
    y_axis = upward([0, max(most, 1)], height, zero=True)
    edges, bottom = [x_axis.at(float(edge)) for edge in drawn.edges], y_axis.at(0)
    bars = [
        Bar(left, y_axis.at(count), max(round(right - left - 0.6, 1), 0.4), round(bottom - y_axis.at(count), 1))
        for left, right, count in zip(edges, edges[1:], drawn.counts, strict=False)
        if count
    ]
    about = f"{sum(drawn.counts):,} values other than zero over {len(drawn.counts)} bins; {drawn.zeros:,} exact zeros."
    ticks = x_axis.ticks(number_text, 4), y_axis.ticks(number_text, 4)
    return Chart(title, about, width, height, x_label, y_label, *ticks, bars=tuple(bars))


def sparkline(numbers: Sequence[float], width: int = 220, height: int = 34) -> tuple[Path, ...]:
    """Return the strokes through `numbers`, one a run; one that is not finite leaves a gap, and so breaks the line."""
    finite = [one for one in numbers if math.isfinite(one)]
    if not finite:
        return ()
    y_axis, step = axis(finite, height - 4, 4), spark_step(len(numbers), width)
    strokes: list[list[str]] = [[]]
    for index, one in enumerate(numbers):
        if math.isfinite(one):
            strokes[-1].append(f"{4 + index * step:.4g},{y_axis.at(one):g}")
        elif strokes[-1]:
            strokes.append([])
    return tuple(Path(" ".join(points)) for points in strokes if points)


def spark_step(count: int, width: int = 220) -> float:
    """Return the pixels from a run to the next in a sparkline of `count` runs."""
    return (width - 8) / max(count - 1, 1)
