"""An axis of a chart: where a value lies on it, and round numbers to mark it with (steps of 1, 2 and 5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

LOG_FROM = 4
"""Ratio of the largest to the smallest value from which an axis is logarithmic, where it may be."""

_MARGIN = 0.06


@dataclass(frozen=True)
class Tick:
    """A mark of an axis: its place in pixels and its text."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """A range of values, linear or logarithmic, drawn from pixel ``first`` to pixel ``last``."""

    low: float
    high: float
    log: bool
    first: float
    last: float

    def at(self, value: float) -> float:
        """Return the pixel of a value, to a tenth."""
        low, high, one = (
            (math.log(x) for x in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return round(self.first + (one - low) / (high - low) * (self.last - self.first), 1)

    def ticks(self, text: Callable[[float], str], most: int = 6) -> tuple[Tick, ...]:
        """Return at most about `most` marks at round numbers, the lowest first."""
        values = _log_marks(self.low, self.high, most) if self.log else _marks(self.low, self.high, most)
        return tuple(Tick(self.at(value), text(value)) for value in values)


def axis(values: Iterable[float], first: float, last: float, *, log: bool = False, zero: bool = False) -> Axis:
    """Return an axis that holds all `values`, finite and at least one, with a margin.

    With `log` it is logarithmic when the values are positive and far apart; with `zero` it begins at zero.
    """
    found = list(values)
    low, high = min(found), max(found)
    if log and low > 0 and high / low >= LOG_FROM:
        slack = (high / low) ** _MARGIN
        return Axis(low / slack, high * slack, True, first, last)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    slack = _MARGIN * (high - low) or abs(high) * _MARGIN or 1.0
    return Axis(low if zero and low == 0 else low - slack, high + slack, False, first, last)


def _marks(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= raw * 0.999)
    begin, end = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # three marks at least: one alone says nothing of the scale
    return (
        [index * step for index in range(begin, end + 1)]
        if end - begin > 1 or most > 20
        else _marks(low, high, most * 2)
    )


def _log_marks(low: float, high: float, most: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
        if len(found) <= most + 1:
            break
    return found if len(found) > 1 else _marks(low, high, most)


def number_text(value: float) -> str:
    """Return a plain number: ``0.25``, ``1,000``, ``2e+06``."""
    rounded = float(f"{value:.6g}")
    return f"{rounded:,.6g}" if abs(rounded) < 1e6 else f"{rounded:.3g}"


def bytes_text(value: float) -> str:
    """Return a count of bytes: ``500 B``, ``20 kB``, ``1.5 MB``."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g} B"


def seconds_text(value: float) -> str:
    """Return a time: ``2 s``, ``5 ms``, ``20 µs``."""
    for factor, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if abs(value) >= factor * 0.9999:
            return f"{value / factor:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns" if value else "0"


def percent_text(value: float) -> str:
    """Return a fraction in percent: ``98%``, ``98.5%``."""
    return f"{100 * value:.4g}%"
