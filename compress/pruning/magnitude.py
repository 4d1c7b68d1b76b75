"""Magnitude pruning with retraining (Han et al. 2015; Zhu & Gupta 2017), as Ishtiaq et al. 2021 apply it (III)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from compress.errors import RecipeError
from compress.pruning.masks import Scope, check_scope, magnitude_masks
from compress.pruning.schedule import ConstantSparsity, Schedule, check_sparsity, polynomial_within, pruning_steps
from compress.training import Zeros, check_epochs, clone, retrain, training_steps

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training

ScheduleName = Literal["polynomial", "constant"]


def check_schedule(schedule: str) -> None:
    """Raise `RecipeError` unless `schedule` names one."""
    if schedule not in get_args(ScheduleName):
        raise RecipeError(f"schedule must be one of {', '.join(get_args(ScheduleName))}, got {schedule!r}")


def schedule_within(steps: int, name: ScheduleName, initial_sparsity: float, sparsity: float) -> Schedule:
    """Return the schedule called `name` that reaches `sparsity` within `steps`, however few, of training."""
    if name == "constant":
        return ConstantSparsity(sparsity, begin_step=1, end_step=1)
    return polynomial_within(steps, min(initial_sparsity, sparsity), sparsity)


def magnitude_zeros(sparsities: Mapping[int, float], scope: Scope) -> Zeros:
    """Return the constraint that sets the smallest weights to zero at the steps of `sparsities`, to the sparsity each.

    ``{1: 0.5, 11: 0.9}`` prunes half of the weights before step 1, and nine in ten before step 11.
    """
    return Zeros(lambda step, weights: magnitude_masks(weights, sparsities[step], scope), sparsities.keys())


@dataclass(frozen=True)
class Prune:
    """Set the fraction ``sparsity`` of a model's kernel weights to zero, and retrain the others around them.

    Kernels are the weights of two or more dimensions of dense, convolutional, einsum and recurrent layers; biases,
    normalisations and embeddings stay dense. Scope ``global`` gives the sparsity to all kernels together, ``layer`` to
    each: small kernels then lose what the net cannot do without (at 0.99, 107 of the 108 weights of a first
    convolution). Scope ``lamp`` ranks all kernels together by what a weight is to its layer (Lee et al. 2021), which
    deep networks need, where normalisation has made the scales of layers incomparable: a MobileNetV2 at 0.75 lost 0.8
    points by it and 5 by ``global``. Schedule ``polynomial`` starts at ``initial_sparsity`` (0.5 in Ishtiaq et al.,
    III; never above ``sparsity``) and reaches ``sparsity`` after three quarters of the retraining; ``constant`` is
    there from the first step. ``epochs`` is how long to retrain: none for as long as the subject's training says, 0 for
    not at all.

    Raises `RecipeError` for a sparsity outside [0, 1), an unknown scope or schedule, or a negative count of epochs.
    """

    sparsity: float
    scope: Scope = "global"
    schedule: ScheduleName = "polynomial"
    initial_sparsity: float = 0.5
    epochs: int | None = None

    def __post_init__(self) -> None:
        check_sparsity("sparsity", self.sparsity)
        check_sparsity("initial_sparsity", self.initial_sparsity)
        check_scope(self.scope)
        check_schedule(self.schedule)
        check_epochs(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a pruned and retrained copy of `model`, of the same architecture, its pruned weights exactly zero.

        The same seed gives the same weights. Raises `RecipeError` when the model is no classifier, as retraining
        minimises cross-entropy.
        """
        pruned = clone(model)
        epochs = training.epochs if self.epochs is None else self.epochs
        steps = training_steps(data, training, epochs)
        if steps == 0:
            magnitude_zeros({0: self.sparsity}, self.scope).renew(pruned, 0)
            return pruned
        schedule = schedule_within(steps, self.schedule, self.initial_sparsity, self.sparsity)
        zeros = magnitude_zeros(pruning_steps(schedule, steps), self.scope)
        retrain(pruned, data, training, teacher=model, epochs=epochs, seed=seed, constraint=zeros)
        return pruned


@dataclass(frozen=True)
class Retrain:
    """Train a model for as long as `Prune` retrains it, without pruning: the control that a pruned model is held to.

    A pruned model has seen more epochs than the dense one it is compared with, and part of its accuracy may come from
    those. Raises `RecipeError` for a negative count of epochs.
    """

    epochs: int | None = None

    def __post_init__(self) -> None:
        check_epochs(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a copy of `model` trained for ``epochs`` more, over the same batches in the same order as `Prune`."""
        trained = clone(model)
        retrain(
            trained,
            data,
            training,
            teacher=model,
            epochs=training.epochs if self.epochs is None else self.epochs,
            seed=seed,
        )
        return trained
