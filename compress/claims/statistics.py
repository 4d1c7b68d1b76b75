"""The statistics that judge quality: paired tests, intervals, and the smallest drop a sample can show.

Sources: McNemar 1947 (exact, by the binomial); Bonett and Price 2012 (adjusted Wald interval of a paired difference);
Wilson 1927 (interval of a proportion); Wilcoxon 1945 (signed rank); Efron 1987 (BCa bootstrap).

What is a special function is taken from `scipy.special`: `scipy.stats`, which takes as long to import as all else of a
run together, is imported where a test is more than that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

_Count = int | NDArray[np.int64]


@dataclass(frozen=True)
class Paired:
    """Right and wrong of two models on the same samples: how many only the old, or only the new one, got right."""

    n: int
    only_old: int
    only_new: int

    @classmethod
    def of(cls, old: NDArray[np.bool_], new: NDArray[np.bool_]) -> Paired:
        """Return the counts of ``old (n,)`` and ``new (n,)``. Raises `ValueError` when they differ in length."""
        if old.shape != new.shape:
            raise ValueError(f"outcomes of {old.shape} and {new.shape} samples cannot be paired")
        return cls(len(old), int((old & ~new).sum()), int((~old & new).sum()))

    @property
    def drop(self) -> float:
        """Accuracy lost from old to new, as a fraction of the samples; negative when gained."""
        return (self.only_old - self.only_new) / self.n

    @property
    def discordance(self) -> float:
        """Fraction of the samples on which the two disagree about being right."""
        return (self.only_old + self.only_new) / self.n

    def mcnemar_p(self) -> float:
        """Return the exact one-sided p value of "new is no worse than old" (0.5-binomial on the discordant samples)."""
        discordant = self.only_old + self.only_new
        return float(_binomial_sf(self.only_old - 1, discordant, 0.5)) if discordant else 1.0

    def drop_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the limits of the drop, each one-sided at `confidence` (Bonett and Price: one added to each count).

        Fractions of the samples, in [-1, 1].
        """
        gone, come = (self.only_old + 1) / (self.n + 2), (self.only_new + 1) / (self.n + 2)
        z = float(special.ndtri(confidence))
        half = z * float(np.sqrt((gone + come - (gone - come) ** 2) / (self.n + 2)))
        return max(-1.0, gone - come - half), min(1.0, gone - come + half)


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the limits of a proportion, each one-sided at `confidence`, as fractions."""
    z = float(special.ndtri(confidence))
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, centre - half), min(1.0, centre + half)


def mean_interval(values: NDArray[np.float32], confidence: float = 0.95) -> tuple[float, float]:
    """Return the limits of the mean of ``values (n,)``, each one-sided at `confidence`, by Student's t.

    A single value is its own interval, as nothing tells its spread.
    """
    exact = values.astype(np.float64)
    mean, n = float(exact.mean()), len(exact)
    if n < 2:
        return mean, mean
    half = float(special.stdtrit(n - 1, confidence)) * float(exact.std(ddof=1)) / math.sqrt(n)
    return mean - half, mean + half


@lru_cache(maxsize=4096)
def minimum_detectable_drop(n: int, discordance: float, alpha: float = 0.01, power: float = 0.9) -> float:
    """Return the smallest true drop, as a fraction, that McNemar's test would find with probability `power`.

    `discordance` is the fraction of the `n` samples that flip either way without any true drop (half each way); the
    drop comes on top. Computed exactly: the sum over the binomial number of discordant samples. Infinite when no drop
    whatever would be found so often: `n` is too small.
    """

    def found(drop: float) -> float:
        # at the most, all samples flip: a drop beyond that takes the place of flips the other way
        total = min(1.0, discordance + drop)
        only_old = (total + drop) / (2 * total) if total else 0.0
        discordant = np.arange(int(_least(1 - 1e-9, n, total)), int(_least(1e-9, n, total)) + 1)
        critical = _least(alpha, discordant, 0.5) + 1
        return float((_binomial_pmf(discordant, n, total) * _binomial_sf(critical - 1, discordant, only_old)).sum())

    low, high = 0.0, 1.0
    if found(high) < power:
        return math.inf
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) >= power else (middle, high)
    return high


def _binomial_sf(k: _Count, n: _Count, p: float) -> NDArray[np.float64]:
    """Return the probability of more than `k` of `n`; `k` is -1 or more."""
    return np.where(np.less(k, 0), 1.0, special.bdtrc(np.maximum(k, 0), n, p))


def _binomial_pmf(k: _Count, n: _Count, p: float) -> NDArray[np.float64]:
    choose = special.gammaln(np.add(n, 1)) - special.gammaln(np.add(k, 1)) - special.gammaln(np.subtract(n, k) + 1)
    return np.asarray(np.exp(choose + special.xlogy(k, p) + special.xlog1py(np.subtract(n, k), -p)))


def _least(alpha: float, n: _Count, p: float) -> NDArray[np.int64]:
    """Return the least count that so few of `n` exceed: with probability `alpha` or less."""
    found = np.ceil(special.bdtrik(1 - alpha, n, p)) if 0 < p < 1 else np.multiply(n, p)
    found = np.clip(np.nan_to_num(found), 0, n)  # of nothing, nothing is more
    below = np.maximum(found - 1, 0)
    return np.asarray(np.where(_binomial_sf(below, n, p) <= alpha, below, found), np.int64)


def noise_grew_p(old: NDArray[np.float32], new: NDArray[np.float32]) -> float:
    """Return the one-sided Wilcoxon p value of "the outputs' noise did not grow", paired on the same samples.

    ``old (n,)`` and ``new (n,)`` are squared distances from the reference; 1.0 when they are all equal.
    """
    difference = np.sqrt(new.astype(np.float64)) - np.sqrt(old.astype(np.float64))
    if not difference.any():
        return 1.0
    from scipy import stats

    return float(stats.wilcoxon(difference, alternative="greater", method="approx").pvalue)


def two_proportions_p(old_right: int, old_n: int, new_right: int, new_n: int) -> float:
    """Return Fisher's one-sided p value of "new is no worse than old" when the samples cannot be paired."""
    from scipy import stats

    table = [[old_right, old_n - old_right], [new_right, new_n - new_right]]
    return float(stats.fisher_exact(table, alternative="greater").pvalue)


RESAMPLES = 4999


@dataclass(frozen=True)
class ScoreDrop:
    """A mean score's drop with one-sided limits on each side, and the smallest drop that so many samples could show."""

    drop: float
    low: float
    high: float
    detectable: float


def drop_of_scores(
    old: NDArray[np.float32], new: NDArray[np.float32], confidence: float = 0.99, power: float = 0.9
) -> ScoreDrop:
    """Return the drop of the mean from ``old (n,)`` to ``new (n,)``, paired, by the BCa bootstrap with a fixed seed.

    Each limit is one-sided at `confidence`; ``detectable`` is by the normal approximation, found at `power`.
    """
    difference = old.astype(np.float64) - new.astype(np.float64)
    drop, spread = float(difference.mean()), float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    z = float(special.ndtri(confidence) + special.ndtri(power))
    detectable = z * spread / math.sqrt(len(difference))
    if spread == 0:  # every sample moved alike, or there is one: nothing to resample
        return ScoreDrop(drop, drop, drop, detectable)
    from scipy import stats

    found = stats.bootstrap(
        (difference,),
        np.mean,
        confidence_level=2 * confidence - 1,
        n_resamples=RESAMPLES,
        batch=max(1, 2_000_000 // len(difference)),
        rng=np.random.default_rng(0),
    ).confidence_interval
    return ScoreDrop(drop, float(found.low), float(found.high), detectable)
