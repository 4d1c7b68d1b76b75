"""Weight histograms: how a layer's weights lie before and after a step (Saxena et al. 2024, Figures 3-7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

_HEIGHTS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Histogram:
    """How many values fall into each of equally wide bins from ``-limit`` to ``limit``, exact zeros apart.

    The spike that pruning leaves at zero would flatten all the rest, so ``counts`` are of the values that are not
    zero, and ``zeros`` of those that are. Values beyond the limit count to the outermost bins.
    """

    counts: tuple[int, ...]
    zeros: int
    limit: float

    @property
    def edges(self) -> NDArray[np.float64]:
        """The bins' edges, one more than there are bins."""
        return np.linspace(-self.limit, self.limit, len(self.counts) + 1)

    @property
    def zeros_fraction(self) -> float:
        """Exact zeros over all values."""
        return self.zeros / (self.zeros + sum(self.counts))

    def __str__(self) -> str:
        return f"{sparkline(self.counts)} ±{self.limit:.3g}, {self.zeros_fraction:.1%} zeros"


def histogram(values: NDArray[Any], bins: int = 31, limit: float | None = None) -> Histogram:
    """Return the histogram of `values` of any shape; `limit` is their largest magnitude unless given.

    Give two histograms that are to be compared the same limit. Raises `DataError` when there is no value or one is not
    finite, or for less than one bin or a limit that is not positive.
    """
    flat = np.asarray(values, np.float64).ravel()
    if flat.size == 0 or not np.isfinite(flat).all():
        raise DataError(
            f"a histogram needs finite values, got {flat.size} with {np.sum(~np.isfinite(flat))} that are not"
        )
    largest = (float(np.abs(flat).max()) or 1.0) if limit is None else limit
    if bins < 1 or not 0 < largest < np.inf:
        raise DataError(f"a histogram needs at least one bin and a positive limit, got {bins} bins to {largest}")
    other = np.clip(flat[flat != 0], -largest, largest)
    counts, _ = np.histogram(other, bins, (-largest, largest))
    return Histogram(tuple(counts.tolist()), flat.size - other.size, largest)


def sparkline(counts: Sequence[int]) -> str:
    """Return one character a count, as high as the count is large: ``[0, 1, 4, 8] -> " ▁▄█"``.

    Heights are relative to the largest count; a count of zero is blank, and any other is not.
    """
    most = max(counts, default=0)
    return "".join(_HEIGHTS[-(-count * len(_HEIGHTS) // most) - 1] if count else " " for count in counts)
