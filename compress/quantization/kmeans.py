"""k-means of one-dimensional values: few centroids for many weights (Han et al. 2016, "Deep Compression", 3.1 and 3.2).

Lloyd's iteration on sorted values: clusters are runs between the midpoints of centroids, so a step costs two look-ups
a centroid, and not a distance for every pair of value and centroid.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compress.errors import QuantizationError
from compress.quantization.affine import floats

Init = Literal["linear", "density_based", "forgy", "kmeans_plus_plus"]

_MOST_STEPS = 10_000


def kmeans(x: ArrayLike, clusters: int, init: Init, generator: np.random.Generator) -> NDArray[Any]:
    """Return the centroids that Lloyd's iteration ends at: ``(3, 3, 8, 16) -> (16,)`` of its dtype, ascending.

    They start (Han et al., 3.2) evenly spaced between the smallest and the largest value (``linear``), evenly spaced
    in probability (``density_based``), at values drawn without replacement (``forgy``), or at values drawn by their
    squared distance from those before (``kmeans_plus_plus``; Arthur & Vassilvitskii 2007). Only the last two draw
    from `generator`. A centroid that no value is nearest to stays where it is: some of those returned may be unused.
    Where no more than `clusters` values differ, they are the centroids. A run that has not ended after 10,000 steps
    is cut there.

    Raises `QuantizationError` for NaN, infinities, values beyond float32, an array that is not of floats, an unknown
    `init`, and fewer than 1 cluster.
    """
    if clusters < 1:
        raise QuantizationError(f"clusters must be at least 1, got {clusters}")
    ordered = np.sort(floats(x), axis=None)
    ends = np.append(ordered[:1], ordered[-1:])  # NaN is sorted last
    if not (np.abs(ends) <= np.finfo(np.float32).max).all():
        raise QuantizationError("k-means has no mean for these values: each must be a finite float32")
    distinct = np.unique(ordered)
    if len(distinct) > clusters:
        distinct = _lloyd(ordered, _first(ordered, clusters, init, generator))
    return np.unique(distinct.astype(np.asarray(x).dtype))


def nearest(x: ArrayLike, centroids: NDArray[Any]) -> NDArray[np.intp]:
    """Return the index of each value's nearest of ascending `centroids`, in the shape of `x`; of two, the lower."""
    return np.searchsorted(_midpoints(centroids.astype(np.float64)), np.asarray(x, np.float64))


def _midpoints(centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    return (centroids[1:] + centroids[:-1]) / 2


def _first(
    ordered: NDArray[np.float64], clusters: int, init: Init, generator: np.random.Generator
) -> NDArray[np.float64]:
    if init == "linear":
        return np.linspace(ordered[0], ordered[-1], clusters)
    if init == "density_based":
        return np.quantile(ordered, (np.arange(clusters) + 0.5) / clusters)
    if init == "forgy":
        return np.sort(generator.choice(ordered, clusters, replace=False))
    if init == "kmeans_plus_plus":
        return _spread(ordered, clusters, generator)
    raise QuantizationError(f"init must be linear, density_based, forgy or kmeans_plus_plus, got {init!r}")


def _spread(ordered: NDArray[np.float64], clusters: int, generator: np.random.Generator) -> NDArray[np.float64]:
    chosen = [generator.choice(ordered)]
    squared = np.full(len(ordered), np.inf)
    while len(chosen) < clusters:
        np.minimum(squared, (ordered - chosen[-1]) ** 2, out=squared)
        cumulative = np.cumsum(squared)
        # drawn from (0, total], so that a value at no distance, chosen already, is never drawn
        drawn = (1 - generator.random()) * cumulative[-1]
        chosen.append(ordered[np.searchsorted(cumulative, drawn)])
    return np.sort(chosen)


def _lloyd(ordered: NDArray[np.float64], centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where `centroids` come to rest: each the mean of the values that are nearest to it."""
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    cuts = np.zeros(0, np.intp)
    for _ in range(_MOST_STEPS):
        before, inner = cuts, np.searchsorted(ordered, _midpoints(centroids), side="right")
        cuts = np.concatenate([[0], inner, [len(ordered)]])
        if np.array_equal(cuts, before):
            break
        starts, ends = cuts[:-1], cuts[1:]
        used = ends > starts
        starts, ends = starts[used], ends[used]
        means = (sums[ends] - sums[starts]) / (ends - starts)
        # the difference of two large sums may round to a value outside of its own run
        centroids[used] = np.clip(means, ordered[starts], ordered[ends - 1])
    return centroids
