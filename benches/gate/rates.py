"""How often the gate is right, wrong or undecided on recorded blocks, and what each takes: pure functions of trials.

A slowdown is injected into the blocks of a file beside itself by shifting the log ratios: the new side's every call is
that much longer. The rule is the gate's own, `compress.claims.timing.decide`, ended where the recording was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benches.gate.recording import Trial
from compress.claims.bound import Estimate
from compress.claims.policy import Clock, Policy
from compress.claims.statistics import wilson_interval
from compress.claims.timing import Decision, Statistic, decide, yuen_limits

POLICY = Policy()
"""The gate's own defaults: 5 % allowed at 99 %."""

LIMIT = POLICY.allowed_slowdown_fraction


@dataclass(frozen=True)
class Estimator:
    """What stands for a side in a block, and on which clock."""

    statistic: Statistic = "q25"
    clock: Clock = "auto"

    def __str__(self) -> str:
        return f"{self.statistic}, {self.clock} clock"


RECOMMENDED = Estimator()
ESTIMATORS = (
    RECOMMENDED,
    *(Estimator(statistic, clock) for statistic in ("q25", "min", "median") for clock in ("wall", "cpu")),
    Estimator("min"),
    Estimator("median"),
)


@dataclass(frozen=True)
class Found:
    """How many of `n` trials passed and failed, and the seconds of measuring until each was decided, on average."""

    n: int
    passed: int
    failed: int
    mean_s: float

    @property
    def undecided(self) -> int:
        """The others."""
        return self.n - self.passed - self.failed

    def __str__(self) -> str:
        if not self.n:
            return "-"
        shares = (100 * count / self.n for count in (self.passed, self.undecided, self.failed))
        return "/".join(f"{share:.1f}".removesuffix(".0") for share in shares)


def judged(trial: Trial, slowdown: float = 0.0, estimator: Estimator = RECOMMENDED) -> Decision:
    """Return the gate's decision on a trial whose new side is `slowdown` slower still."""
    y = trial.log_ratios(estimator.statistic, estimator.clock) + math.log1p(slowdown)
    decision = decide(y, allowed_slowdown_fraction=LIMIT, alpha=POLICY.alpha, out_of_time=True)
    assert decision is not None, "out of time, it is decided or undecided"
    return decision


def found_in(trials: Sequence[Trial], slowdown: float = 0.0, estimator: Estimator = RECOMMENDED) -> Found:
    """Return what the gate found in `trials`."""
    decisions = [judged(trial, slowdown, estimator) for trial in trials]
    spent = [trial.spent_s[decision.blocks - 1] for trial, decision in zip(trials, decisions, strict=True)]
    verdicts = [decision.verdict for decision in decisions]
    mean_s = float(np.mean(spent)) if spent else math.nan
    return Found(len(trials), verdicts.count("passed"), verdicts.count("failed"), mean_s)


def wrong_at_the_limit(trials: Sequence[Trial], estimator: Estimator = RECOMMENDED) -> tuple[int, int]:
    """Return how often a limit of the interval was wrong where the truth is the allowed one itself, of how many limits.

    To pass is wrong there and so is to fail, each with the gate's alpha. Swapping old and new would swap the two.
    """
    found = found_in(trials, LIMIT, estimator)
    return found.passed + found.failed, 2 * found.n


def spread(trials: Sequence[Trial], estimator: Estimator = RECOMMENDED) -> float:
    """Return the root mean square of the estimates of a file beside itself, as a fraction: whole trials, truth 0."""
    found = [
        yuen_limits(y, 0.5)[0]
        for y in (trial.log_ratios(estimator.statistic, estimator.clock) for trial in trials)
        if len(y) > 1
    ]
    return float(np.sqrt(np.mean(np.square(found)))) if found else math.nan


def share(count: int, n: int, confidence: float, note: str = "") -> Estimate:
    """Return `count` of `n` in percent with its Wilson limits, one-sided at `confidence`; all is open when n is 0."""
    low, high = wilson_interval(count, n, confidence) if n else (0.0, 1.0)
    value = count / n if n else 0.5
    # the interval's ends are rounded last: at 0 and at n of n they meet the share itself
    return Estimate(100 * value, 100 * min(low, value), 100 * max(high, value), "%", n, note)
