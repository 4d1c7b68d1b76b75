"""What the gate allows: how much slower, how sure it has to be, and how long it may take to find out."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

from compress.errors import ClaimError

Clock = Literal["auto", "wall", "cpu"]
OtherMachine = Literal["inform", "gate"]


@dataclass(frozen=True)
class Policy:
    """The limits of one cell's gate; every field is a setting of ``[tool.compress]``, spelled with dashes.

    ``confidence`` is one-sided, for the quality tests and for the interval of a slowdown, all looks at it together.
    ``clock`` is the time of the wall, or the processor time of the thread that calls, which does not see what others
    compute meanwhile, nor waiting; ``auto`` is the thread's where its clock is fine enough. Load and compress times are
    compared with the slowest of the green runs of the same fingerprint. ``allowed_drop_fraction`` bounds the accuracy
    drop's upper confidence limit (none: only a drop that chance does not explain fails). Raises `ClaimError` on a value
    that has no meaning.
    """

    allowed_slowdown_fraction: float = 0.05
    confidence: float = 0.99
    time_budget_s: float = 10.0
    long_call_time_budget_s: float = 30.0
    clock: Clock = "auto"
    time_on_another_machine: OtherMachine = "inform"
    allowed_load_slowdown_fraction: float = 1.0
    allowed_compress_slowdown_fraction: float = 2.0
    minimum_drop_fraction: float = 0.001
    minimum_score_drop: float = 0.001
    minimum_sqnr_loss_db: float = 1.0
    allowed_drop_fraction: float | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in ("clock", "time_on_another_machine"):
                choices = get_args(Clock if one.name == "clock" else OtherMachine)
                if value not in choices:
                    raise ClaimError(f"{one.name} must be one of {', '.join(choices)}, got {value!r}")
            elif value is None:
                if one.name != "allowed_drop_fraction":
                    raise ClaimError(f"{one.name} must be a number, got None")
            elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise ClaimError(f"{one.name} must be a number of at least 0, got {value!r}")
        if not 0.5 < self.confidence < 1:
            raise ClaimError(f"confidence must be in (0.5, 1), got {self.confidence}")
        if self.allowed_slowdown_fraction == 0:
            raise ClaimError("allowed_slowdown_fraction must be above 0: no number of runs can show equal times")

    @property
    def alpha(self) -> float:
        """One-sided level of the tests."""
        return 1 - self.confidence
