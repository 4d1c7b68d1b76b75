"""Fréchet distance between two sets of feature vectors, each taken for a sample of a Gaussian.

Fréchet 1957, Dowson & Landau 1982: ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2)``. Of the features of an Inception-v3
that was trained on ImageNet it is the Fréchet inception distance (Heusel et al. 2017); with features of another network
it is a distance of its own, and no value of the one can be compared with a value of the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError


def frechet_distance(features: NDArray[np.floating], others: NDArray[np.floating]) -> float:
    """Return the squared distance between two sets of features, ``(n, d)`` and ``(m, d)``; 0 for the same set.

    It is biased upwards by few samples, so distances compare at one n and m only. Raises `DataError` when the sets
    have other widths, fewer than two vectors, or values that are not finite.
    """
    sets = [np.asarray(one, np.float64) for one in (features, others)]
    for one in sets:
        if one.ndim != 2 or len(one) < 2 or one.shape[1] != sets[0].shape[1] or not one.shape[1]:
            shapes = " and ".join(str(each.shape) for each in sets)
            raise DataError(f"a Fréchet distance is between sets of two or more vectors of one width, got {shapes}")
        if not np.isfinite(one).all():
            raise DataError("a Fréchet distance is between finite features, and some are NaN or infinite")
    means = [one.mean(axis=0) for one in sets]
    # covariances as R^T R: the eigenvalues of their product are the squared singular values of R1 R2^T, so the trace of
    # its root is their sum, and no matrix that is not symmetric, or is singular, has to be taken a root of
    roots = [
        np.asarray(np.linalg.qr((one - mean) / np.sqrt(len(one) - 1), mode="r"))
        for one, mean in zip(sets, means, strict=True)
    ]
    spread = sum(float((root**2).sum()) for root in roots)
    common = float(np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum())
    return max(0.0, float(((means[0] - means[1]) ** 2).sum()) + spread - 2 * common)
