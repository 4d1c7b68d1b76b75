"""Figures that a bench adds to the report: histograms, lines and pictures, compact enough to be kept with every run."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compress.errors import DataError
from compress.measure.histogram import Histogram
from compress.measure.picture import Picture

MOST_POINTS = 1000
"""Points of a line, at most: a run is kept for long."""

DIGITS = 6
"""Significant digits that are kept of a line's numbers: more than a chart can show."""


@dataclass(frozen=True)
class Line:
    """Points that belong together, such as the loss of each epoch: ``Line([1, 2, 3], [0.9, 0.4, 0.3])``.

    Raises `DataError` unless there are as many of ``y`` as of ``x``, 1 to 1,000, all finite.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            try:
                values = np.asarray(getattr(self, name), np.float64)
            except (TypeError, ValueError) as error:
                raise DataError(f"a line's {name} are numbers: {error}") from error
            if values.ndim != 1 or not 0 < values.size <= MOST_POINTS or not np.isfinite(values).all():
                raise DataError(f"a line's {name} are 1 to {MOST_POINTS} finite numbers, got an array {values.shape}")
            object.__setattr__(self, name, tuple(float(f"{value:.{DIGITS}g}") for value in values))
        if len(self.x) != len(self.y):
            raise DataError(f"a line needs as many y as x, got {len(self.x)} x and {len(self.y)} y")


Series = Line | Histogram | Picture
KINDS: dict[str, type[Series]] = {"line": Line, "histogram": Histogram, "picture": Picture}
"""What a figure may be made of, by the name it is stored under."""


@dataclass
class Figure:
    """A figure of the report: series of one kind by name, with what ``x`` and ``y`` are, and a ``note`` to read it by.

    Histograms and pictures stand side by side, lines share their axes.
    """

    title: str
    x: str = ""
    y: str = ""
    note: str = ""
    series: dict[str, Series] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``line``, ``histogram`` or ``picture``; empty while there is nothing in it."""
        return next((name for one in self.series.values() for name, kind in KINDS.items() if type(one) is kind), "")

    def add(self, name: str, series: Series) -> Figure:
        """Add a series under a name, in place of one that had it, and return the figure.

        Raises `DataError` for what is no series, or of another kind than the figure's others.
        """
        if not isinstance(series, Line | Histogram | Picture):
            raise DataError(
                f"{self.title}: a figure is made of lines, histograms or pictures, got a {type(series).__name__}"
            )
        if any(type(one) is not type(series) for one in self.series.values()):
            raise DataError(f"{self.title}: a figure is of one kind, this one of {self.kind}; begin another for {name}")
        self.series[name] = series
        return self

    def add_all(self, series: Mapping[str, Series]) -> Figure:
        """Add several series by name, as `add` does each, and return the figure."""
        for name, one in series.items():
            self.add(name, one)
        return self

    def to_json(self) -> dict[str, Any]:
        """Return what a run stores of the figure."""
        return {
            "title": self.title,
            "x": self.x,
            "y": self.y,
            "note": self.note,
            "kind": self.kind,
            "series": {name: _to_json(one) for name, one in self.series.items()},
        }


def _to_json(one: Series) -> dict[str, Any]:
    if isinstance(one, Line):
        return {"x": one.x, "y": one.y}
    if isinstance(one, Histogram):
        return {"counts": one.counts, "zeros": one.zeros, "limit": one.limit}
    return {"png": base64.b64encode(one.png).decode()}


def figure_from_json(stored: object) -> Figure:
    """Return the figure that `Figure.to_json` stored. Raises `DataError` on anything else."""
    if not isinstance(stored, Mapping) or not isinstance(stored.get("series"), Mapping):
        raise DataError("a stored figure is an object with a title and series")
    texts = {name: stored.get(name, "") for name in ("title", "x", "y", "note")}
    kind = stored.get("kind")
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(kind, str):
        raise DataError("a stored figure's title, kind, axes and note are texts")
    figure = Figure(**texts)
    for name, one in stored["series"].items():
        try:
            figure.add(str(name), _from_json(kind, one))
        except (KeyError, TypeError, ValueError, OverflowError, binascii.Error) as error:
            raise DataError(f"{figure.title}: {name} is no stored {kind}: {error}") from error
    return figure


def _from_json(kind: str, one: Mapping[str, Any]) -> Series:
    if kind == "line":
        return Line(one["x"], one["y"])
    if kind == "picture":
        return Picture(base64.b64decode(one["png"], validate=True))
    if kind != "histogram":
        raise DataError(f"no such kind of figure; there are {', '.join(KINDS)}")
    counts, zeros, limit = tuple(int(count) for count in one["counts"]), int(one["zeros"]), float(one["limit"])
    if not counts or min(*counts, zeros, 0) < 0 or not 0 < limit < np.inf:
        raise DataError("it has counts of at least 0 and a positive, finite limit")
    return Histogram(counts, zeros, limit)
