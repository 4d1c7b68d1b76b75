"""The Pareto set of measured files: what no other beats (dominance as in Kung, Luccio and Preparata 1975).

One beats another only by what is more than noise, and that is not transitive: of three files each may be as good as the
next, and the first certainly better than the last. The set is then the kernel of the relation (von Neumann and
Morgenstern 1944): no member beats another, and some member beats each that is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compress.claims.statistics import Paired, mean_interval

LATENCY_STEP = 1.1
"""Latencies within ten percent are called equal, as two measurements of one file are not nearer."""

ALPHA = 0.05
"""Of a quality that is called better: one-sided, as the intervals that are shown with it."""


@dataclass(frozen=True)
class Point:
    """A file's size in bytes, seconds of a call, limits of its quality, and the quality of each sample if known."""

    size: int
    latency_s: float
    low: float
    high: float
    each: NDArray[np.float32] | None = field(default=None, compare=False)

    def is_faster_than(self, other: Point) -> bool:
        """Return whether the difference is more than that of two measurements of one file."""
        return self.latency_s * LATENCY_STEP < other.latency_s

    def is_better_than(self, other: Point) -> bool:
        """Return whether the quality is certainly higher: by a paired test, else by limits that do not overlap.

        McNemar's exact test where each sample is right or wrong, Student's t of the differences where it has a score.
        """
        mine, its = self.each, other.each
        if mine is None or its is None or mine.shape != its.shape:
            return self.low > other.high
        if all(np.isin(each, (0, 1)).all() for each in (mine, its)):
            return Paired.of(mine.astype(bool), its.astype(bool)).mcnemar_p() < ALPHA
        return mean_interval(mine - its, 1 - ALPHA)[0] > 0

    def beats(self, other: Point) -> bool:
        """Return whether this is smaller, faster or better, and in nothing worse."""
        if self.size > other.size or other.is_faster_than(self) or other.is_better_than(self):
            return False
        return self.size < other.size or self.is_faster_than(other) or self.is_better_than(other)


def worth_having(points: Sequence[Point]) -> list[bool]:
    """Return whether each point is in the Pareto set. Points that differ by noise only are in it together, or not."""
    return kernel(len(points), lambda one, other: points[one].beats(points[other]))


def kernel(count: int, beats: Callable[[int, int], bool]) -> list[bool]:
    """Return which of 0 to `count` - 1 ``beats(one, other)`` leaves; where all beat each other in circles, all stay."""
    beaten_by = [{one for one in range(count) if one != other and beats(one, other)} for other in range(count)]
    members: set[int] = set()
    left = set(range(count))
    while left:
        best = {one for one in left if not left & beaten_by[one]} or set(left)
        members |= best
        left = {one for one in left - best if not members & beaten_by[one]}
    return [one in members for one in range(count)]
