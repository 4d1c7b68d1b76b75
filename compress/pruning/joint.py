"""Pruning and 8-bit rounding in one training: zeros by magnitude, seen on the grid that the exporter will round to.

Magnitude pruning on a polynomial schedule (Zhu & Gupta 2017) with weights rounded in the forward pass and gradients
passed straight through (Jacob et al. 2018, section 3; Bengio et al. 2013).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress.errors import RecipeError
from compress.pruning.axes import Axes, kernel_axes
from compress.pruning.magnitude import magnitude_zeros, schedule_within
from compress.pruning.masks import Scope, check_scope
from compress.pruning.schedule import check_sparsity, pruning_steps
from compress.training import Zeros, check_epochs, clone, retrain, training_steps

if TYPE_CHECKING:
    from collections.abc import Collection

    import keras

    from compress.subject import Dataset, Training

_LARGEST_CODE = 127


def rounded(kernel: Any, outputs: tuple[int, ...]) -> Any:
    """Return a kernel's tensor rounded to 8 bits, symmetrically, on a scale for each output; as a TensorFlow tensor.

    The scale is the largest magnitude over 127, taken over all axes but `outputs`: ``(3, 3, 64, 128)`` with ``(3,)``
    has 128, each with at most 255 distinct values, zero exactly among them. LiteRT's converter rounds to the same grid.
    """
    import tensorflow as tf

    summed = [axis for axis in range(len(kernel.shape)) if axis not in outputs]
    scale = tf.reduce_max(tf.abs(kernel), axis=summed, keepdims=True) / _LARGEST_CODE
    return tf.round(tf.math.divide_no_nan(kernel, scale)) * scale


class RoundedZeros:
    """Keeps the zeros of `zeros`, and lets the forward pass see the weights between them rounded to 8 bits."""

    def __init__(self, zeros: Zeros, axes: Mapping[str, Axes]) -> None:
        self.zeros = zeros
        self.axes = axes

    @property
    def turns(self) -> Collection[int]:
        """The turns of the zeros."""
        return self.zeros.turns

    def renew(self, model: keras.Model, step: int) -> None:
        """Draw the zeros of `step`."""
        self.zeros.renew(model, step)

    def project(self, path: str, kernel: Any) -> Any:
        """Return `kernel` with its pruned weights zero."""
        return self.zeros.project(path, kernel)

    def view(self, path: str, kernel: Any) -> Any:
        """Return `kernel` rounded to 8 bits for each of its outputs."""
        return rounded(self.zeros.view(path, kernel), self.axes[path].outputs)


@dataclass(frozen=True)
class PruneQat:
    """Prune a model as `Prune` does, in a training whose forward pass sees the weights rounded to 8 bits.

    Sparsity, ranked by `Prune`'s ``scope``, rises from ``initial_sparsity`` to ``sparsity`` polynomially; rounding is
    symmetric, to [-127, 127], per output channel, from the first step. Only weights are rounded: activations keep float
    precision while training, and `int8` estimates their ranges from calibration data. ``epochs`` is how long to train:
    none for as long as the subject's training says.

    Raises `RecipeError` for a sparsity outside [0, 1), an unknown scope, or less than one epoch.
    """

    sparsity: float
    scope: Scope = "global"
    initial_sparsity: float = 0.5
    epochs: int | None = None

    def __post_init__(self) -> None:
        check_sparsity("sparsity", self.sparsity)
        check_sparsity("initial_sparsity", self.initial_sparsity)
        check_scope(self.scope)
        check_epochs(self.epochs)
        if self.epochs == 0:
            raise RecipeError("epochs must be none or at least 1, got 0: weights are rounded while they are trained")

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a pruned and retrained copy of `model`: float weights, before rounding, the pruned ones exactly zero.

        The same seed gives the same weights, over the same batches in the same order as `Prune`. Raises `RecipeError`
        when the model is no classifier.
        """
        pruned = clone(model)
        epochs = training.epochs if self.epochs is None else self.epochs
        steps = training_steps(data, training, epochs)
        schedule = schedule_within(steps, "polynomial", self.initial_sparsity, self.sparsity)
        zeros = magnitude_zeros(pruning_steps(schedule, steps), self.scope)
        constraint = RoundedZeros(zeros, kernel_axes(pruned))
        retrain(pruned, data, training, teacher=model, epochs=epochs, seed=seed, constraint=constraint)
        return pruned
