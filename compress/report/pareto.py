"""The Pareto set: what nothing else beats in every respect (dominance as in Kung, Luccio and Preparata 1975)."""

from __future__ import annotations

import math
from collections.abc import Sequence

LATENCY_STEP = 1.1
"""Latencies within a step of ten percent are called equal, as two measurements of one file are not nearer."""


def pareto(points: Sequence[Sequence[float]]) -> list[bool]:
    """Return whether each point is dominated by none, less being better in every coordinate.

    ``[(1, 9), (2, 5), (3, 5)] -> [True, True, False]``: a point is dominated by one that is no more in any coordinate
    and less in one; equal points stay together. Raises `ValueError` for a coordinate that is not a number.
    """
    if any(math.isnan(value) for point in points for value in point):
        raise ValueError("a Pareto set of points that are not numbers has no meaning")
    return [not any(_dominates(other, point) for other in points) for point in points]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return tuple(one) != tuple(other) and all(mine <= its for mine, its in zip(one, other, strict=True))


def latency_class(latency_s: float) -> int:
    """Return the number of the step that a latency lies in; two in the same step are equally fast."""
    return round(math.log(latency_s) / math.log(LATENCY_STEP))
