"""The gate: compare a cell's measurement with its baseline, each metric by the test that its nature asks for.

Exact metrics are compared as they are. Quality is paired on the same samples: McNemar's exact test for right and wrong,
the signed-rank test for the noise of the outputs, each with a minimum effect. Time and memory are told, not judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from compress.claims.bound import format_number
from compress.claims.statistics import Paired, minimum_detectable_drop, noise_grew_p, two_proportions_p
from compress.measure.classification import SQNR_CEILING_DB, Outcomes
from compress.measure.metric import METRICS, Metric

ALPHA = 0.01
"""One-sided level of the quality tests."""

MINIMUM_DROP_FRACTION = 0.001
"""An accuracy drop below this is never a regression, however certain."""

MINIMUM_SQNR_LOSS_DB = 1.0
"""A loss of output signal-to-noise below this is never a regression: 6 dB are one bit."""

Direction = Literal["worse", "better", "changed", "undecided", "information"]


@dataclass(frozen=True)
class Change:
    """How one metric of one cell differs from its baseline; ``worse`` and ``changed`` fail the gate."""

    cell: str
    metric: str
    old: str
    new: str
    direction: Direction
    detail: str = ""

    @property
    def fails(self) -> bool:
        """Whether the gate fails on it: a worsening, or a change of something that should only change on purpose."""
        return self.direction in ("worse", "changed")

    def __str__(self) -> str:
        text = f"{self.cell}: {self.metric} {self.old} -> {self.new}"
        return f"{text} ({self.detail})" if self.detail else text


def compare_values(cell: str, old: dict[str, object], new: dict[str, object]) -> list[Change]:
    """Return the changes of all exact metrics, and time and memory as information. Equal values are left out."""
    changes: list[Change | None] = []
    for name, metric in METRICS.items():
        if metric.nature == "quality" or (name not in old and name not in new):
            continue
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if metric.nature in ("time", "memory"):
            if isinstance(before, int | float) and isinstance(after, int | float):
                changes.append(_told(cell, metric, before, after))
        else:
            changes.append(_exact(cell, metric, before, after))
    return [change for change in changes if change is not None]


def _told(cell: str, metric: Metric, old: float, new: float) -> Change:
    ratio = f"{new / old:.2f}x, not gated" if old else "not gated"
    return Change(cell, metric.name, format_number(old), format_number(new), "information", ratio)


def _exact(cell: str, metric: Metric, old: object, new: object) -> Change | None:
    if not isinstance(old, int | float) or not isinstance(new, int | float):
        return Change(cell, metric.name, _show(old), _show(new), "changed", metric.unit)
    if metric.better == "same":
        return Change(cell, metric.name, format_number(old), format_number(new), "changed", metric.unit)
    growth = (new - old) / abs(old) if old else math.copysign(math.inf, new - old)
    worsening = growth if metric.better == "lower" else -growth
    if abs(growth) <= metric.tolerance_fraction:
        return None
    detail = f"{growth:+.2%} {metric.unit}" if math.isfinite(growth) else metric.unit
    # told as worse unless it is better, so that a value that is no number is not an improvement
    direction: Direction = "better" if worsening < 0 else "worse"
    return Change(cell, metric.name, format_number(old), format_number(new), direction, detail)


def _show(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {count}" for key, count in sorted(value.items())) + "}"
    return "absent" if value is None else str(value)


def compare_outcomes(cell: str, old: Outcomes, new: Outcomes) -> list[Change]:
    """Return the changes of quality: accuracy by McNemar, output noise by the signed-rank test.

    When the evaluation samples are not the same (other labels, order or number) that is a change of its own, and
    accuracy is compared unpaired. Both must be at one resolution (`Outcomes.as_stored`).
    """
    changes = []
    old_accuracy, new_accuracy = old.accuracy, new.accuracy
    shown = f"{old_accuracy:.2%}", f"{new_accuracy:.2%}"
    if old.samples != new.samples:
        detail = f"n={len(old.correct)} -> {len(new.correct)}; other labels, or another order"
        changes.append(Change(cell, "evaluation_samples", old.samples, new.samples, "changed", detail))
        p = two_proportions_p(int(old.correct.sum()), len(old.correct), int(new.correct.sum()), len(new.correct))
        fell = old_accuracy - new_accuracy >= MINIMUM_DROP_FRACTION and p < ALPHA
        detail = f"{(new_accuracy - old_accuracy) * 100:+.2f} points, unpaired p={p:.2g}"
        changes.append(Change(cell, "accuracy", *shown, "worse" if fell else "information", detail))
        return changes
    paired = Paired.of(old.correct, new.correct)
    if paired.drop != 0:
        smallest = minimum_detectable_drop(paired.n, paired.discordance - abs(paired.drop), ALPHA)
        flips = f"{paired.only_old} lost, {paired.only_new} gained of n={paired.n}"
        worse, better = paired.mcnemar_p(), Paired(paired.n, paired.only_new, paired.only_old).mcnemar_p()
        certain = abs(paired.drop) >= MINIMUM_DROP_FRACTION and min(worse, better) < ALPHA
        direction: Direction = ("worse" if paired.drop > 0 else "better") if certain else "information"
        detail = f"{-paired.drop * 100:+.2f} points; {flips}; McNemar p={min(worse, better):.2g}"
        could_show = f"{smallest * 100:.2f} points" if math.isfinite(smallest) else "none"
        detail += f"; smallest drop that n could show: {could_show}"
        changes.append(Change(cell, "accuracy", *shown, direction, detail))
    return changes + _compare_noise(cell, old, new)


def _compare_noise(cell: str, old: Outcomes, new: Outcomes) -> list[Change]:
    before, after = min(old.output_sqnr_db, SQNR_CEILING_DB), min(new.output_sqnr_db, SQNR_CEILING_DB)
    if abs(before - after) < MINIMUM_SQNR_LOSS_DB:
        return []
    p = noise_grew_p(old.noise, new.noise) if after < before else noise_grew_p(new.noise, old.noise)
    direction: Direction = ("worse" if after < before else "better") if p < ALPHA else "information"
    detail = f"{after - before:+.1f} dB against the float32 file's outputs; signed rank p={p:.2g}"
    return [Change(cell, "output_sqnr_db", f"{before:.1f}", f"{after:.1f}", direction, detail)]
