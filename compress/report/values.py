"""A metric's stored value as text for people, and how it changed since another run."""

from __future__ import annotations

import math

from compress.claims.bound import format_number
from compress.measure.metric import METRICS, Metric


def metric_called(metric: str) -> Metric:
    """Return the metric of that name; one of another version of this package has no unit, and is shown all the same."""
    return METRICS.get(metric) or Metric(metric, "", "exact", "same", "")


def as_number(value: object) -> float:
    """Return what a sparkline draws: a count by kind is drawn as its sum, and what is no number as NaN."""
    if isinstance(value, dict):
        return sum(map(as_number, value.values()))
    try:
        return float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return math.inf


def shown(metric: Metric, value: object) -> str:
    """Return a value as people read it: ``3.42 µs``, ``98.40%``, ``276,144``; empty when there is none."""
    number = as_number(value)
    if math.isfinite(number):
        if metric.unit == "s":
            factor, unit = next(((f, u) for f, u in ((1, "s"), (1e3, "ms")) if number * f >= 1), (1e6, "µs"))
            return f"{number * factor:.4g} {unit}"
        if metric.unit == "fraction":
            return f"{number:.2%}"
        return format_number(number)
    return "" if value is None else str(value)


def change(metric: Metric, old: object, new: object) -> str:
    """Return how a value differs from an older one: ``=``, ``+1.20%``, ``-0.10 points``; empty without an older one."""
    if old is None:
        return ""
    if old == new:
        return "="
    before, after = as_number(old), as_number(new)
    if isinstance(new, dict) or not (math.isfinite(before) and math.isfinite(after)):
        return "changed"
    if metric.unit == "fraction":
        return f"{(after - before) * 100:+.2f} points"
    if metric.unit == "dB":
        return f"{after - before:+.1f} dB"
    return f"{(after - before) / abs(before):+.2%}" if before else "changed"
