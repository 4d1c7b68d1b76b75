"""Curves that a step records of what it does, such as the loss of each epoch, for whoever builds the model to keep.

A step need not know who keeps them, nor whether anybody does: recording outside of a `recording` does nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from compress.errors import DataError

EPOCHS = "epochs"
"""What curves are over unless they say otherwise."""

MOST_POINTS = 200
"""Points of a curve that are kept, at most: every second, third ... of a longer one, and its last."""

DIGITS = 6
"""Significant digits that are kept: more than a chart can show."""


@dataclass(frozen=True)
class Curve:
    """How a quantity went while ``step`` changed a model: ``Curve("loss", "epochs", (1, 2), (0.9, 0.4), "retrain")``.

    Raises `DataError` unless there are as many of ``y`` as of ``x``, 1 to 200, all finite.
    """

    name: str
    over: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    step: str = ""

    def __post_init__(self) -> None:
        whole = len(self.x) == len(self.y) and 0 < len(self.x) <= MOST_POINTS
        if not whole or not all(map(math.isfinite, (*self.x, *self.y))):
            raise DataError(
                f"curve {self.name!r} needs as many y as x, 1 to {MOST_POINTS}, all finite; "
                f"got {len(self.x)} x and {len(self.y)} y"
            )

    def to_json(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {"name": self.name, "over": self.over, "x": list(self.x), "y": list(self.y), "step": self.step}


def curve_from_json(stored: object) -> Curve:
    """Return the curve that `Curve.to_json` stored. Raises `DataError` on anything else."""
    if not isinstance(stored, Mapping):
        raise DataError("a stored curve is an object with a name, x and y")
    texts = [stored.get(name) for name in ("name", "over", "step")]
    if not all(isinstance(text, str) for text in texts):
        raise DataError("a stored curve's name, over and step are texts")
    try:
        x, y = (tuple(float(value) for value in stored[name]) for name in ("x", "y"))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"the stored curve {texts[0]!r} has no numbers: {error}") from error
    return Curve(str(texts[0]), str(texts[1]), x, y, str(texts[2]))


@dataclass
class Recording:
    """What was recorded so far: points by the name of the quantity and what it is over, and the epochs that passed."""

    points: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)
    epochs: int = 0

    def curves(self, step: str = "") -> tuple[Curve, ...]:
        """Return the curves, in the order in which each was begun, as those of `step`."""
        found = []
        for (name, over), points in self.points.items():
            if finite := [(x, y) for x, y in points if math.isfinite(y)]:
                found.append(_thinned(name, over, finite, step))
        return tuple(found)


_RECORDING: ContextVar[Recording | None] = ContextVar("recording", default=None)


@contextmanager
def recording() -> Iterator[Recording]:
    """Keep what is recorded within; an outer recording does not see it."""
    made = Recording()
    token = _RECORDING.set(made)
    try:
        yield made
    finally:
        _RECORDING.reset(token)


def record(values: Mapping[str, float], *, at: float | None = None, over: str = EPOCHS) -> None:
    """Record what some quantities are now: ``record({"channels left": 96})``, before the first epoch or after any.

    Points are over the epochs that have passed in this step; `at` says where else, and `over` what that counts:
    ``record({"channels left": 90}, at=3, over="iteration")``. A value that is not finite leaves a gap.
    """
    found = _RECORDING.get()
    if found is None:
        return
    place = float(found.epochs if at is None else at)
    for name, value in values.items():
        found.points.setdefault((name, over), []).append((place, float(value)))


def record_epoch(values: Mapping[str, float]) -> None:
    """Record what some quantities are as one more epoch has passed: ``record_epoch({"loss": 0.4})``.

    Trainings that follow each other in one step are counted through.
    """
    found = _RECORDING.get()
    if found is not None:
        found.epochs += 1
    record(values)


def _thinned(name: str, over: str, points: list[tuple[float, float]], step: str) -> Curve:
    stride = -(-len(points) // MOST_POINTS)
    # counted from the last point: where a curve ends matters most
    x, y = zip(*reversed(points[::-1][::stride]), strict=True)
    return Curve(name, over, tuple(map(_rounded, x)), tuple(map(_rounded, y)), step)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
