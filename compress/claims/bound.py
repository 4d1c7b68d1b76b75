"""Bounds: the interval a claim allows, and why it is that wide."""

from __future__ import annotations

import math
from dataclasses import dataclass

from compress.errors import ClaimError


@dataclass(frozen=True)
class Estimate:
    """A measured value with the interval that its sample size leaves open; exact values are their own interval.

    ``n`` is the number of samples behind a quality value (0: exact), ``note`` what a reader should know beside it.
    Raises `ClaimError` when the interval's ends are swapped.
    """

    value: float
    low: float
    high: float
    unit: str = ""
    n: int = 0
    note: str = ""

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ClaimError(f"an estimate needs low <= high, got [{self.low}, {self.high}]")

    def __str__(self) -> str:
        text = format_number(self.value)
        if self.low != self.high:
            text += f" [{format_number(self.low)}, {format_number(self.high)}]"
        if self.unit:
            text += f" {self.unit}"
        return f"{text} (n={self.n})" if self.n else text


@dataclass(frozen=True)
class Bound:
    """``low <= value <= high``, and ``why`` the limits are these: a cell of a paper, a derivation, a sample size.

    Raises `ClaimError` when the interval is empty or no reason is given.
    """

    low: float
    high: float
    why: str

    def __post_init__(self) -> None:
        if not self.why.strip():
            raise ClaimError("a bound needs a why: the paper's cell, a derivation, or the number of samples")
        if math.isnan(self.low) or math.isnan(self.high) or self.low > self.high:
            raise ClaimError(f"a bound needs low <= high, got [{self.low}, {self.high}]")

    def __str__(self) -> str:
        if self.low == self.high:
            return f"= {format_number(self.low)}"
        if self.high == math.inf:
            return f">= {format_number(self.low)}"
        if self.low == -math.inf:
            return f"<= {format_number(self.high)}"
        return f"{format_number(self.low)} .. {format_number(self.high)}"


def at_least(low: float, *, why: str) -> Bound:
    """Return the bound ``value >= low``."""
    return Bound(low, math.inf, why)


def at_most(high: float, *, why: str) -> Bound:
    """Return the bound ``value <= high``."""
    return Bound(-math.inf, high, why)


def between(low: float, high: float, *, why: str) -> Bound:
    """Return the bound ``low <= value <= high``."""
    return Bound(low, high, why)


def exactly(value: float, *, why: str) -> Bound:
    """Return the bound ``value == this``."""
    return Bound(value, value, why)


def about(value: float, *, within_fraction: float, why: str) -> Bound:
    """Return the bound ``|value' - value| <= within_fraction * |value|``."""
    slack = abs(value) * within_fraction
    return Bound(value - slack, value + slack, why)


def is_true(*, why: str) -> Bound:
    """Return the bound of an ordering or a yes-or-no claim; the bench returns a bool (or 0 and 1)."""
    return Bound(1, 1, why)


def format_number(value: float) -> str:
    """Return `value` in at most five significant digits, integers whole."""
    if math.isfinite(value) and value == int(value):
        return f"{int(value):,}"
    return f"{value:.5g}" if abs(value) < 100_000 else f"{value:,.0f}"
