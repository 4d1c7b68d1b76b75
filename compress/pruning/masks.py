"""Which weights magnitude pruning keeps: the largest, per layer or over all layers (Han et al. 2015; Zhu & Gupta 2017).

The number kept is TFMOT's: ``max(round(size * (1 - sparsity)), 1)`` in float32, halves to even.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelFileError, RecipeError
from compress.pruning.schedule import check_sparsity

Scope = Literal["layer", "global", "lamp"]
Mask = NDArray[np.bool_]


def check_scope(scope: str) -> None:
    """Raise `RecipeError` unless `scope` names one."""
    if scope not in get_args(Scope):
        raise RecipeError(f"scope must be one of {', '.join(get_args(Scope))}, got {scope!r}")


def kept_count(size: int, sparsity: float) -> int:
    """Return how many of `size` weights stay at `sparsity`: at least one, unless there are none.

    Float32 throughout, as TFMOT computes it: 5 % of 10 weights is 0.5 in real numbers, and 0.50000003 here.
    """
    exact = np.float32(size) * (np.float32(1) - np.float32(sparsity))
    return min(max(int(np.round(exact)), 1), size)


def magnitude_masks(weights: Mapping[str, NDArray[Any]], sparsity: float, scope: Scope = "global") -> dict[str, Mask]:
    """Return a mask for each weight tensor, True where the weight is kept, of the same name and shape.

    Scope ``layer`` keeps the largest magnitudes of each tensor, so that each has the sparsity. Scope ``global`` ranks
    all tensors together, so that only their sum has it; each still keeps its largest weight, as a layer without any
    would make the network's output constant. Scope ``lamp`` ranks them together by `lamp_scores`.

    Of equal magnitudes the first in memory order is kept, so that the count is exact and masks of a growing sparsity
    are nested. (TFMOT keeps every weight tied with the last one kept, and so may prune less; without ties the masks
    are TFMOT's.)

    Raises `RecipeError` for a sparsity outside [0, 1) or an unknown scope, `ModelFileError` for NaN weights.
    """
    check_sparsity("sparsity", sparsity)
    check_scope(scope)
    magnitudes = {name: np.abs(np.asarray(weight)).ravel() for name, weight in weights.items()}
    for name, magnitude in magnitudes.items():
        if np.isnan(magnitude).any():
            raise ModelFileError(f"{name} holds NaN, which has no magnitude to rank; train the model again")
    if scope == "layer":
        kept = {name: largest(each, kept_count(each.size, sparsity)) for name, each in magnitudes.items()}
    else:
        scores = {name: lamp_scores(each) for name, each in magnitudes.items()} if scope == "lamp" else magnitudes
        kept = _largest_overall(scores, sparsity)
    return {name: mask.reshape(np.shape(weights[name])) for name, mask in kept.items()}


def lamp_scores(magnitude: NDArray[Any]) -> NDArray[np.float64]:
    """Return the layer-adaptive score of each weight's magnitude ``(n,)``, comparable between layers: in (0, 1].

    Its square over the sum of squares of all that are no smaller, itself included: what pruning it would cost a layer
    that has lost all smaller ones (Lee et al. 2021, "Layer-adaptive sparsity for the magnitude-based pruning", eq. 2).
    A layer's largest weight scores 1, so that no layer is emptied; the scale of a layer makes no difference. Weights
    that are zero score 0 and are not sorted: in a schedule, they soon are nine in ten.
    """
    scores = np.zeros(magnitude.shape)
    present = np.flatnonzero(magnitude)
    order = present[np.argsort(magnitude[present], kind="stable")]
    squares = np.square(magnitude[order].astype(np.float64))
    left = np.cumsum(squares[::-1])[::-1]
    # infinity over infinity is as large as a share gets, and nothing of nothing none
    shares = np.where(np.isinf(squares), 1.0, 0.0)
    scores[order] = np.divide(squares, left, out=shares, where=(left > 0) & np.isfinite(squares))
    return scores


def _largest_overall(magnitudes: Mapping[str, NDArray[Any]], sparsity: float) -> dict[str, Mask]:
    """Rank all tensors as one, after each tensor's own largest weight."""
    if not magnitudes:
        return {}
    sizes = [each.size for each in magnitudes.values()]
    together = np.concatenate(list(magnitudes.values()))
    starts = np.cumsum([0, *sizes[:-1]])
    champions = [
        start + int(np.argmax(each)) for start, each in zip(starts, magnitudes.values(), strict=True) if each.size
    ]
    together[champions] = -1
    mask = largest(together, max(kept_count(together.size, sparsity) - len(champions), 0))
    mask[champions] = True
    return dict(zip(magnitudes, np.split(mask, starts[1:]), strict=True))


def largest(magnitude: NDArray[Any], count: int) -> Mask:
    """Return a mask of the `count` largest of `magnitude` ``(n,)``; of equal ones, the first."""
    if count in (0, magnitude.size):
        return np.full(magnitude.shape, count > 0)
    threshold = np.partition(magnitude, magnitude.size - count)[magnitude.size - count]
    mask = magnitude > threshold
    tied = np.flatnonzero(magnitude == threshold)
    mask[tied[: count - np.count_nonzero(mask)]] = True
    return np.asarray(mask)
