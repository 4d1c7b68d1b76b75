"""What users have today, by its own rules: pytest-benchmark's ``--benchmark-compare-fail`` and asv's comparison.

pytest-benchmark 5: fails when a statistic of single calls grew by more than the percentage. asv 0.6: fails when a
two-sided Mann-Whitney test on the samples has p < 0.002 and the median grew by more than a factor of 1.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats

from benches.gate.recording import Solo, Trial

ALLOWED = 1.05
ASV_FACTOR, ASV_P = 1.1, 0.002


@dataclass(frozen=True)
class Side:
    """What one side of a comparison brings: statistics of its single calls, and asv's samples, in seconds a call."""

    mean_s: float
    median_s: float
    min_s: float
    samples_s: tuple[float, ...]

    def slowed(self, fraction: float) -> Side:
        """Return the side as it were if every call took `fraction` longer."""
        factor = 1 + fraction
        samples = tuple(factor * sample for sample in self.samples_s)
        return Side(factor * self.mean_s, factor * self.median_s, factor * self.min_s, samples)


Rule = Callable[[Side, Side], bool]


def _asv(old: Side, new: Side) -> bool:
    if np.median(new.samples_s) <= ASV_FACTOR * np.median(old.samples_s):
        return False
    return bool(stats.mannwhitneyu(old.samples_s, new.samples_s, alternative="two-sided").pvalue < ASV_P)


RULES: dict[str, Rule] = {
    "mean:5%": lambda old, new: new.mean_s > ALLOWED * old.mean_s,
    "median:5%": lambda old, new: new.median_s > ALLOWED * old.median_s,
    "min:5%": lambda old, new: new.min_s > ALLOWED * old.min_s,
    "asv": _asv,
}
"""Whether a rule fails the new side against the old one."""


def sides_of_runs(solos: Sequence[Solo], rule: str) -> list[Side]:
    """Return the sides that runs in their order make: one process each, for asv two."""
    if rule != "asv":
        return [Side(one.mean_s, one.median_s, one.min_s, one.samples_s) for one in solos]
    return [
        Side(one.mean_s, one.median_s, one.min_s, one.samples_s + other.samples_s)
        for one, other in zip(solos[::2], solos[1::2], strict=False)
    ]


def sides_of_trial(trial: Trial) -> tuple[Side, Side]:
    """Return old and new side of an interleaved trial, its blocks' calls pooled; asv's samples are 20 runs of them."""
    found = []
    for name in ("old_wall_s", "new_wall_s"):
        calls = np.concatenate([getattr(block, name) for block in trial.blocks])
        samples = tuple(float(part.mean()) for part in np.array_split(calls, min(20, len(calls))))
        found.append(Side(float(calls.mean()), float(np.median(calls)), float(calls.min()), samples))
    return found[0], found[1]


def next_runs(sides: Sequence[Side]) -> list[tuple[Side, Side]]:
    """Return each run with the one after it: the kindest case, least time between them."""
    return list(pairwise(sides))


def all_runs(sides: Sequence[Side]) -> list[tuple[Side, Side]]:
    """Return all ordered pairs of two runs; of any two, at most one order fails."""
    return [(old, new) for old in sides for new in sides if old is not new]


def fails(pairs: Sequence[tuple[Side, Side]], rule: str, fraction: float = 0.0) -> int:
    """Return how many pairs `rule` fails when the new side is `fraction` slower still."""
    return sum(RULES[rule](old, new.slowed(fraction)) for old, new in pairs)
