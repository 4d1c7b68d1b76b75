"""Embeddings judged by what they are for: which samples are near which, against the float32 file's. Needs no labels.

Spearman 1904, "The proof and measurement of association between two things", over cosine similarities, as the semantic
similarity of sentences is scored (Reimers and Gurevych 2019, section 4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

NEIGHBOURS = 10


def rank_agreement(outputs: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return for each sample the rank correlation of its similarities to all others: ``(n, d), (n, d) -> (n,)``.

    1 where outputs and reference order the others alike, -1 where one reverses the other, 0 where an answer is not
    finite or has all others equally near. Raises `DataError` when the shapes differ, are no ``(n, d)``, or there are
    fewer than 3 samples.
    """
    from scipy.stats import rankdata

    ours, theirs = (rankdata(_similarities(x), axis=1) for x in _pair(outputs, reference))
    ours -= ours.mean(axis=1, keepdims=True)
    theirs -= theirs.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    correlation = (ours * theirs).sum(axis=1) / np.where(norms > 0, norms, 1)
    return np.asarray(np.where(_finite(outputs), np.clip(correlation, -1, 1), 0.0), np.float64)


def common_neighbours(outputs: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return for each sample the share of its ten nearest others that are also the reference's: ``(n, d) -> (n,)``.

    Of fewer than 21 samples, the nearest half of the others. Raises `DataError` as `rank_agreement`.
    """
    ours, theirs = (_similarities(x) for x in _pair(outputs, reference))
    count = max(1, min(NEIGHBOURS, ours.shape[1] // 2))
    near = [np.argsort(-x, axis=1, kind="stable")[:, :count] for x in (ours, theirs)]
    shared = [len(np.intersect1d(one, other)) for one, other in zip(*near, strict=True)]
    return np.asarray(np.where(_finite(outputs), np.array(shared) / count, 0.0), np.float64)


def _similarities(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine of each row to every other, itself left out: ``(n, d) -> (n, n - 1)``."""
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    unit = x / np.where(norms > 0, norms, 1)
    cosine: NDArray[np.float64] = unit @ unit.T
    n = len(x)
    # rounding far below what float32 holds would order equal similarities
    return cosine[~np.eye(n, dtype=bool)].reshape(n, n - 1).round(9)


def _pair(
    outputs: NDArray[np.float32], reference: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if outputs.shape != reference.shape or outputs.ndim != 2 or len(outputs) < 3:
        raise DataError(
            f"outputs {outputs.shape} and the float32 file's {reference.shape} cannot be ranked: embeddings are (n, "
            "values) of 3 samples or more, the same of both files"
        )
    return np.nan_to_num(outputs.astype(np.float64), posinf=0, neginf=0), reference.astype(np.float64)


def _finite(outputs: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(outputs).all(axis=1))
