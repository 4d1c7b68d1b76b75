"""Whether a model file became slower: it is timed beside the file it replaces until an interval of the ratio decides.

A sequential test on block log ratios with Yuen's trimmed t (Yuen 1974; Tukey and McLaughlin 1963), its error spread
over all looks (Bonferroni): robust against the bursts of a shared machine, and free to stop as soon as it knows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import special

from compress.claims.policy import Policy
from compress.errors import ClaimError
from compress.runtime.paired import Block, PairedProcess
from compress.runtime.paired_worker import LONG_CALL_S

LOOKS = (6, 9, 14, 21, 32, 48, 72, 108)
"""Numbers of blocks after which the interval is looked at; the last one ends the measurement."""

FEWEST_BLOCKS = 3
"""No interval is taken of fewer, when the budget ends before the first look."""

TRIMMED_FRACTION = 0.2
"""Share of the block ratios left out at either end."""

Verdict = Literal["passed", "failed", "undecided"]
WallOrCPU = Literal["wall", "cpu"]
Statistic = Literal["q25", "min", "median"]
_QUANTILES = {"q25": 0.25, "min": 0.0, "median": 0.5}


@dataclass(frozen=True)
class Decision:
    """What the block log ratios so far say; ``estimate``, ``low`` and ``high`` are log(new / old)."""

    verdict: Verdict
    estimate: float
    low: float
    high: float
    blocks: int
    looks: int


@dataclass(frozen=True)
class TimeComparison:
    """How much time a call of the new file takes, as a multiple of the old one's (``ratio``), and the verdict on it.

    ``low`` and ``high`` are one-sided limits of the ratio at the level of the look that decided, so that all looks
    together keep the confidence asked for. ``spent_s`` is the measuring alone; ``start_s`` came before it. ``call_s``
    is a call of the old file. ``load_ratio`` compares the times of loading and is told only.
    """

    verdict: Verdict
    ratio: float
    low: float
    high: float
    blocks: int
    looks: int
    spent_s: float
    budget_s: float
    start_s: float
    clock: WallOrCPU
    call_s: float
    allowed_slowdown_fraction: float
    load_ratio: float

    @property
    def faster(self) -> bool:
        """Whether the new file is certainly faster by more than the slowdown that would be allowed."""
        return self.high < 1 / (1 + self.allowed_slowdown_fraction)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON's own types; an infinite limit (too few blocks) is null."""
        found = asdict(self)
        return {**found, "high": self.high if math.isfinite(self.high) else None}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Return the comparison that `to_json` wrote. Raises `ClaimError` when it is not one."""
        try:
            found = cls(**{**stored, "high": math.inf if stored["high"] is None else stored["high"]})
        except (TypeError, KeyError) as error:
            raise ClaimError(f"not a stored time comparison: {error}") from error
        for name, value in asdict(found).items():
            choices = {"verdict": get_args(Verdict), "clock": get_args(WallOrCPU)}.get(name)
            if value not in choices if choices else type(value) not in (int, float):
                raise ClaimError(f"not a stored time comparison: {name} is {value!r}")
        return found

    def __str__(self) -> str:
        return (
            f"{self.ratio:.2f}x [{self.low:.2f}, {self.high:.2f}] in {self.blocks} blocks, "
            f"{self.spent_s:.1f} of {self.budget_s:g} s, {self.clock} clock; "
            f"allowed {1 + self.allowed_slowdown_fraction:g}x"
        )


def block_log_ratio(block: Block, clock: WallOrCPU = "wall", statistic: Statistic = "q25") -> float:
    """Return log(new / old) of one block, each side stood for by a low quantile of its calls."""
    return math.log(_quantile(block, "new", clock, statistic) / _quantile(block, "old", clock, statistic))


def _quantile(block: Block, side: Literal["old", "new"], clock: WallOrCPU, statistic: Statistic) -> float:
    return float(np.quantile(getattr(block, f"{side}_{clock}_s"), _QUANTILES[statistic]))


def yuen_limits(y: NDArray[np.float64], level: float) -> tuple[float, float, float]:
    """Return the 20 % trimmed mean of ``y (n,)`` and its lower and upper limit, each one-sided at `level`.

    Source: Yuen 1974, one sample: the winsorized standard deviation over the observations kept, Student's t. Raises
    `ValueError` for fewer than two values.
    """
    n = len(y)
    if n < 2:
        raise ValueError(f"limits need at least two values, got {n}")
    trimmed = int(TRIMMED_FRACTION * n)
    kept = n - 2 * trimmed
    ordered = np.sort(np.asarray(y, np.float64))
    estimate = float(ordered[trimmed : n - trimmed].mean())
    winsorized = np.clip(ordered, ordered[trimmed], ordered[n - 1 - trimmed])
    error = float(winsorized.std(ddof=1)) * math.sqrt((n - 1) / (kept * (kept - 1)))
    half = float(special.stdtrit(kept - 1, 1 - level)) * error
    return estimate, estimate - half, estimate + half


def decide(
    y: Sequence[float] | NDArray[np.float64],
    *,
    allowed_slowdown_fraction: float = 0.05,
    alpha: float = 0.01,
    out_of_time: bool = False,
) -> Decision | None:
    """Return the first look's decision on the block log ratios `y`, in their order, or none: measure on.

    Passed when the upper limit, at ``alpha / 8`` a side, is below log(1 + allowed), failed when the lower limit is
    above it. When the measurement is `out_of_time`, all the blocks are looked at once more in place of the next look,
    and without a decision then, or at the last look, it is ``undecided``.
    """
    y = np.asarray(y, np.float64)
    schedule = [n for n in LOOKS if n <= len(y)]
    ended = len(y) >= LOOKS[-1]
    if out_of_time and not ended:
        ended = True
        if len(y) >= FEWEST_BLOCKS and len(y) not in schedule:
            schedule.append(len(y))
    limit = math.log1p(allowed_slowdown_fraction)
    found = Decision("undecided", float(np.mean(y)) if len(y) else math.nan, -math.inf, math.inf, len(y), 0)
    for look, n in enumerate(schedule, start=1):
        estimate, low, high = yuen_limits(y[:n], alpha / len(LOOKS))
        verdict: Verdict = "passed" if high < limit else "failed" if low > limit else "undecided"
        found = Decision(verdict, estimate, low, high, n, look)
        if verdict != "undecided":
            return found
    return found if ended else None


def clock_of(policy: Policy, call_s: float) -> WallOrCPU:
    """Return the clock for calls of `call_s` seconds: the thread's own, which others cannot stretch, if it is fine."""
    if policy.clock != "auto":
        return policy.clock
    return "cpu" if time.get_clock_info("thread_time").resolution * 1000 <= call_s else "wall"


def time_pair(
    old: Path, new: Path, runtime: str, sample: NDArray[np.float32] | None, policy: Policy, *, seed: int = 0
) -> TimeComparison:
    """Time `new` beside `old` on one thread until `policy` is decided or its budget is spent; see `PairedProcess`.

    The budget counts from the first block. Another block is begun only when it is likely to end in time; the first
    one always is. Raises `RuntimeCrash` and `ModelFileError` as `PairedProcess` does.
    """
    with PairedProcess(old, new, runtime, sample, seed=seed) as pair:
        clock = clock_of(policy, pair.call_s)
        budget_s = policy.time_budget_s if pair.call_s < LONG_CALL_S else policy.long_call_time_budget_s
        blocks: list[Block] = []
        y: list[float] = []
        decision = None
        started = time.perf_counter()
        while decision is None:
            blocks += pair.blocks(1)
            y.append(block_log_ratio(blocks[-1], clock))
            spent_s = time.perf_counter() - started
            out_of_time = spent_s * (1 + 1 / len(blocks)) > budget_s
            if out_of_time or len(blocks) in LOOKS:
                decision = decide(
                    y,
                    allowed_slowdown_fraction=policy.allowed_slowdown_fraction,
                    alpha=policy.alpha,
                    out_of_time=out_of_time,
                )
        start_s = pair.start_s
    return TimeComparison(
        verdict=decision.verdict,
        ratio=math.exp(decision.estimate),
        low=math.exp(decision.low),
        high=math.exp(decision.high),
        blocks=decision.blocks,
        looks=decision.looks,
        spent_s=spent_s,
        budget_s=budget_s,
        start_s=start_s,
        clock=clock,
        call_s=float(np.median([_quantile(block, "old", clock, "q25") for block in blocks])),
        allowed_slowdown_fraction=policy.allowed_slowdown_fraction,
        load_ratio=math.exp(_trimmed_mean([math.log(block.new_load_s / block.old_load_s) for block in blocks])),
    )


def _trimmed_mean(values: Sequence[float]) -> float:
    ordered, trimmed = sorted(values), int(TRIMMED_FRACTION * len(values))
    return float(np.mean(ordered[trimmed : len(ordered) - trimmed]))
