"""Ratios of latency: of two files timed in processes of their own, or run in turn in one, with the interval of each."""

from __future__ import annotations

import math

from compress.claims.bound import Estimate
from compress.claims.policy import Policy
from compress.own import measures
from compress.workbench import Cell

BETWEEN_PROCESSES = 0.235
"""Standard deviation of the log ratio of two medians of one file, timed in two idle processes: measured, 44 runs each.

Repetition inside a process does not shrink it: where a process lands in memory and on which core stays as it is.
"""

SIDES = 1.645

FACTORS = Policy(allowed_slowdown_fraction=0.9, time_budget_s=30, long_call_time_budget_s=60)
"""Timed until it is clear on which side of 1.9 a ratio is: what is claimed here are factors, not percents."""


def side_by_side(compressed: Cell, original: Cell) -> Estimate:
    """Return the time of a call of `compressed` over that of `original`, called in turn until a factor shows."""
    return measures.side_by_side(compressed, original, FACTORS)


def latency_ratio(compressed: Cell, original: Cell) -> Estimate:
    """Return the median latency of `compressed` over that of `original`, one sample, one thread; below 1 is faster.

    The limits are 95 % a side for the noise between processes, a factor of 1.47 either way.
    """
    ratio = compressed.value("latency_s") / original.value("latency_s")
    spread = math.exp(SIDES * BETWEEN_PROCESSES)
    microseconds = f"{1e6 * compressed.value('latency_s'):.1f} us against {1e6 * original.value('latency_s'):.1f} us"
    return Estimate(ratio, ratio / spread, ratio * spread, "x the latency", note=microseconds)


def speed_ratio(compressed: Cell, original: Cell) -> Estimate:
    """Return how many times faster `compressed` is than `original`: the inverse of `latency_ratio`."""
    slower = latency_ratio(compressed, original)
    return Estimate(1 / slower.value, 1 / slower.high, 1 / slower.low, "x the speed", note=slower.note)
