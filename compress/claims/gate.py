"""The gate: compare a cell's measurement with its baseline, each metric by the test that its nature asks for.

Exact metrics are compared as they are. Quality is paired on the same samples: McNemar's exact test for right and wrong,
the bootstrap for scores, the signed-rank test for the noise of the outputs, each with a minimum effect. A call's time
is judged where old and new file ran beside each other; other times and memory are told, or held to generous limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from compress.claims.bound import format_number
from compress.claims.policy import Policy
from compress.claims.statistics import (
    Paired,
    drop_of_scores,
    minimum_detectable_drop,
    noise_grew_p,
    two_proportions_p,
)
from compress.claims.timing import TimeComparison
from compress.measure.classification import SQNR_CEILING_DB, Outcomes
from compress.measure.metric import METRICS, Metric
from compress.measure.scores import Scores

DEFAULT = Policy()

Direction = Literal["worse", "better", "changed", "undecided", "information"]


@dataclass(frozen=True)
class Change:
    """How one metric of one cell differs from its baseline; ``worse`` and ``changed`` fail the gate.

    ``undecided`` is a difference that the samples, or the time there was, left open; it fails where that is asked for.
    """

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


def compare_cells(cell: str, old: Mapping[str, Any], new: Mapping[str, Any], policy: Policy = DEFAULT) -> list[Change]:
    """Return the changes between two cells as a run stores them; times are told, as nothing is run here.

    Raises `DataError` when stored outcomes are damaged.
    """
    changes = compare_values(cell, old["values"], new["values"])
    if old.get("outcomes") is not None and new.get("outcomes") is not None:
        changes += compare_outcomes(
            cell, Outcomes.from_json(old["outcomes"]), Outcomes.from_json(new["outcomes"]), policy
        )
    if old.get("scores") is not None and new.get("scores") is not None:
        changes += compare_scores(cell, Scores.from_json(old["scores"]), Scores.from_json(new["scores"]), policy)
    for kind in ("outcomes", "scores"):
        if (old.get(kind) is None) != (new.get(kind) is None):
            before, after = ("absent" if one.get(kind) is None else "there" for one in (old, new))
            changes.append(Change(cell, kind, before, after, "changed", "one of the two was not scored"))
    return changes


def compare_values(cell: str, old: Mapping[str, object], new: Mapping[str, object]) -> list[Change]:
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
    ratio = f"{new / old:.2f}x between two runs, told only" if old else "told only"
    return Change(cell, metric.name, format_number(old), format_number(new), "information", ratio)


def _exact(cell: str, metric: Metric, old: object, new: object) -> Change | None:
    if old is None:  # a run without a metric it had is red, so this metric is newer than the baseline
        return Change(cell, metric.name, _show(old), _show(new), "information", "the baseline has no such metric yet")
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


def compare_outcomes(cell: str, old: Outcomes, new: Outcomes, policy: Policy = DEFAULT) -> list[Change]:
    """Return the changes of quality: accuracy by McNemar, output noise by the signed-rank test.

    When the evaluation samples are not the same (other labels, order or number) that is a change of its own, and
    accuracy is compared unpaired. Both must be at one resolution (`Outcomes.as_stored`).
    """
    old_accuracy, new_accuracy = old.accuracy, new.accuracy
    shown = f"{old_accuracy:.2%}", f"{new_accuracy:.2%}"
    if old.samples != new.samples:
        other = _other_samples(cell, old.samples, new.samples, len(old.correct), len(new.correct))
        p = two_proportions_p(int(old.correct.sum()), len(old.correct), int(new.correct.sum()), len(new.correct))
        fell = old_accuracy - new_accuracy >= policy.minimum_drop_fraction and p < policy.alpha
        detail = f"{(new_accuracy - old_accuracy) * 100:+.2f} points, unpaired p={p:.2g}"
        return [other, Change(cell, "accuracy", *shown, "worse" if fell else "information", detail)]
    change = _accuracy(cell, shown, Paired.of(old.correct, new.correct), policy)
    return [*([change] if change else []), *_compare_noise(cell, old, new, policy)]


def _other_samples(cell: str, old: str, new: str, old_n: int, new_n: int) -> Change:
    detail = f"n={old_n} -> {new_n}; other labels, or another order"
    return Change(cell, "evaluation_samples", old, new, "changed", detail)


def _accuracy(cell: str, shown: tuple[str, str], paired: Paired, policy: Policy) -> Change | None:
    low, high = paired.drop_interval(policy.confidence)
    allowed = policy.allowed_drop_fraction
    too_wide = allowed is not None and high > allowed
    if paired.drop == 0 and not too_wide:
        return None
    worse, better = paired.mcnemar_p(), Paired(paired.n, paired.only_new, paired.only_old).mcnemar_p()
    certain = abs(paired.drop) >= policy.minimum_drop_fraction and min(worse, better) < policy.alpha
    direction: Direction = ("worse" if paired.drop > 0 else "better") if certain else "information"
    flips = f"{paired.only_old} lost, {paired.only_new} gained of n={paired.n}"
    detail = f"{-paired.drop * 100:+.2f} points; {flips}; McNemar p={min(worse, better):.2g}"
    smallest = minimum_detectable_drop(paired.n, paired.discordance - abs(paired.drop), policy.alpha)
    detail += f"; smallest drop that n could show: {_points(smallest)}"
    if allowed is not None:
        detail += f"; the drop is at most {_points(high)}, allowed {_points(allowed)}"
        if too_wide and direction in ("information", "better"):
            direction = "worse" if low > allowed else "undecided"
    return Change(cell, "accuracy", *shown, direction, detail)


def _points(fraction: float) -> str:
    return f"{fraction * 100:.2f} points" if math.isfinite(fraction) else "none"


def compare_scores(cell: str, old: Scores, new: Scores, policy: Policy = DEFAULT) -> list[Change]:
    """Return the change of a subject's mean score, paired on the same samples, by the bootstrap; empty when it stayed.

    Other samples are a change of their own, and nothing is compared then.
    """
    if old.samples != new.samples:
        return [_other_samples(cell, old.samples, new.samples, len(old.values), len(new.values))]
    if (old.values == new.values).all():
        return []
    found = drop_of_scores(old.values, new.values, policy.confidence)
    minimum = policy.minimum_sqnr_loss_db if new.unit == "dB" else policy.minimum_score_drop
    certain = abs(found.drop) >= minimum and (found.low > 0 or found.high < 0)
    direction: Direction = ("worse" if found.drop > 0 else "better") if certain else "information"
    detail = (
        f"{-found.drop:+.4g} [{-found.high:+.4g}, {-found.low:+.4g}], paired bootstrap of n={len(old.values)}; "
        f"smallest drop that n could show: {found.detectable:.4g}"
    )
    return [Change(cell, "score", f"{old.mean:.4g}", f"{new.mean:.4g}", direction, detail)]


def _compare_noise(cell: str, old: Outcomes, new: Outcomes, policy: Policy) -> list[Change]:
    before, after = min(old.output_sqnr_db, SQNR_CEILING_DB), min(new.output_sqnr_db, SQNR_CEILING_DB)
    if abs(before - after) < policy.minimum_sqnr_loss_db:
        return []
    p = noise_grew_p(old.noise, new.noise) if after < before else noise_grew_p(new.noise, old.noise)
    direction: Direction = ("worse" if after < before else "better") if p < policy.alpha else "information"
    detail = f"{after - before:+.1f} dB against the float32 file's outputs; signed rank p={p:.2g}"
    return [Change(cell, "output_sqnr_db", f"{before:.1f}", f"{after:.1f}", direction, detail)]


def time_change(cell: str, found: TimeComparison, informs: str = "") -> Change:
    """Return how a call's time changed, as measured with both files beside each other.

    `informs` is a reason why it is told and not judged, such as another machine than the baseline's.
    """
    direction: Direction = "information"
    if not informs:
        if found.verdict == "failed":
            direction = "worse"
        elif found.verdict == "undecided":
            direction = "undecided"
        elif found.faster:
            direction = "better"
    old, new = found.call_s * 1e6, found.call_s * found.ratio * 1e6
    detail = f"{found}; {informs}" if informs else str(found)
    return Change(cell, "latency_s", f"{format_number(old)} µs", f"{format_number(new)} µs", direction, detail)


def slower_than_ever(
    cell: str, metric: str, greens: Sequence[float], measured: float, allowed_fraction: float, floor_s: float
) -> Change | None:
    """Return a worsening when `measured` is beyond the slowest of the green runs' times by more than what is allowed.

    ``floor_s`` is a difference that is never a regression; None without any green run to compare with.
    """
    if not greens:
        return None
    slowest = max(greens)
    if measured <= slowest * (1 + allowed_fraction) or measured - slowest <= floor_s:
        return None
    detail = (
        f"{measured / slowest:.1f}x the slowest of {len(greens)} green runs on this machine and software, "
        f"allowed {1 + allowed_fraction:g}x"
    )
    return Change(cell, metric, f"{format_number(slowest)} s", f"{format_number(measured)} s", "worse", detail)
