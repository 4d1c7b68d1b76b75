"""N:M sparsity: of every M consecutive inputs of a sum, at most N weights stay (2:4 on NVIDIA's sparse tensor cores).

Zhou et al. 2021, "Learning N:M fine-grained structured sparse neural networks from scratch"; pruned once by magnitude
and retrained under that mask as Mishra et al. 2021, "Accelerating sparse deep neural networks", section 4.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelFileError, RecipeError
from compress.pruning.axes import kernel_axes
from compress.pruning.masks import Mask
from compress.training import Zeros, check_epochs, clone, kernels, retrain

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from compress.subject import Dataset, Training

_logger = logging.getLogger(__name__)


def n_m_mask(weight: NDArray[Any], n: int = 2, m: int = 4, axis: int = -2) -> Mask:
    """Return a mask of the shape of `weight`, True for the `n` largest magnitudes of every `m` along `axis`.

    ``(3, 3, 64, 128)`` with axis 2 has 9 x 16 x 128 groups of 4. Of equal magnitudes the first stays, so that every
    group keeps exactly `n`. Raises `RecipeError` unless 1 <= n < m and the axis's length is a multiple of `m`,
    `ModelFileError` for NaN weights.
    """
    _check_pattern(n, m)
    last = np.moveaxis(np.abs(np.asarray(weight)), axis, -1)
    if last.shape[-1] % m:
        raise RecipeError(f"{n}:{m} sparsity needs a multiple of {m} along axis {axis}, got shape {np.shape(weight)}")
    if np.isnan(last).any():
        raise ModelFileError("a kernel holds NaN, which has no magnitude to rank; train the model again")
    groups = last.reshape(*last.shape[:-1], -1, m)
    kept = np.argsort(-groups, axis=-1, kind="stable")[..., :n]
    mask = np.zeros(groups.shape, np.bool_)
    np.put_along_axis(mask, kept, True, axis=-1)
    return np.moveaxis(mask.reshape(last.shape), -1, axis)


@dataclass(frozen=True)
class PruneNM:
    """Keep the ``n`` largest of every ``m`` consecutive weights along a kernel's input axis, and retrain those.

    The input axis is the one that the layer sums over: ``in`` of a dense ``(in, out)`` and of a convolution's
    ``(h, w, in, out)`` kernel. Depthwise kernels, which sum over no inputs, and kernels whose count of inputs is no
    multiple of ``m`` (the three colours that a first convolution sees) stay dense; which do is logged at level INFO.
    The mask is drawn once, before the first step of retraining. ``epochs`` is how long to retrain: none for as long as
    the subject's training says, 0 for not at all.

    Raises `RecipeError` unless 1 <= n < m, or for a negative count of epochs.
    """

    n: int = 2
    m: int = 4
    epochs: int | None = None

    def __post_init__(self) -> None:
        _check_pattern(self.n, self.m)
        check_epochs(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a pruned and retrained copy of `model`, of the same architecture, its pruned weights exactly zero.

        The same seed gives the same weights. Raises `RecipeError` when every kernel would stay dense, or the model is
        no classifier and there is retraining.
        """
        pruned = clone(model)
        axes = self._pruned_axes(pruned)

        def masks_at(_: int, weights: Mapping[str, NDArray[Any]]) -> dict[str, Mask]:
            return {
                path: n_m_mask(weight, self.n, self.m, axes[path]) if path in axes else np.ones(weight.shape, np.bool_)
                for path, weight in weights.items()
            }

        zeros = Zeros(masks_at, {1})
        epochs = training.epochs if self.epochs is None else self.epochs
        if epochs == 0:
            zeros.renew(pruned, 1)
        else:
            retrain(pruned, data, training, teacher=model, epochs=epochs, seed=seed, constraint=zeros)
        return pruned

    def _pruned_axes(self, model: keras.Model) -> dict[str, int]:
        """Return the input axis of every kernel that the pattern fits, by path."""
        shapes = {path: tuple(kernel.shape) for path, kernel in kernels(model).items()}
        inputs = {path: axes.inputs for path, axes in kernel_axes(model).items()}
        fitting = {path: axis for path, axis in inputs.items() if axis is not None and shapes[path][axis] % self.m == 0}
        for path in shapes.keys() - fitting.keys():
            _logger.info("%s: %s %s stays dense under %d:%d", model.name, path, shapes[path], self.n, self.m)
        if not fitting:
            raise RecipeError(
                f"no kernel of {model.name} sums over a multiple of {self.m} inputs: {self.n}:{self.m} sparsity would "
                "leave it as it is; use prune(...)"
            )
        return fitting


def _check_pattern(n: int, m: int) -> None:
    if int(n) != n or int(m) != m or not 1 <= n < m:
        raise RecipeError(f"n and m must be whole numbers with 1 <= n < m, got {n}:{m}")
