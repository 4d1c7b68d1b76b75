"""TFMOT's magnitude pruning, on the schedules of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress.pruning.magnitude import ScheduleName, check_schedule, schedule_within
from compress.pruning.schedule import ConstantSparsity, Schedule, check_sparsity, pruning_steps
from compress.tfmot.bridge import to_keras3, to_tf_keras
from compress.tfmot.training import check_trains, fit, import_tfmot, seeded, wrapped
from compress.training import training_steps

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training


def tfmot_schedule(schedule: Schedule) -> Any:
    """Return the TFMOT schedule of the same steps and sparsities."""
    sparsity = import_tfmot().sparsity.keras
    if isinstance(schedule, ConstantSparsity) or schedule.begin_step == schedule.end_step:
        # a decay of a single step is 0 / 0 to TFMOT, and its sparsity NaN
        return sparsity.ConstantSparsity(
            float(schedule.final_sparsity),
            schedule.begin_step,
            end_step=schedule.end_step,
            frequency=schedule.frequency,
        )
    return sparsity.PolynomialDecay(
        float(schedule.initial_sparsity),
        float(schedule.final_sparsity),
        schedule.begin_step,
        schedule.end_step,
        power=schedule.power,
        frequency=schedule.frequency,
    )


@dataclass(frozen=True)
class TfmotPrune:
    """TFMOT's ``prune_low_magnitude`` with retraining: ``sparsity`` of each kernel (and embedding) set to zero.

    The schedules are those of `Prune`, fitted to the training's length: TFMOT's default, every 100 steps, prunes
    nothing in a training of 32. Depthwise kernels stay dense (TFMOT never prunes them). Unlike `Prune`, TFMOT ranks
    weights before it masks the last step's updates, so that a pruned weight may come back while sparsity still rises.

    Raises `RecipeError` for a sparsity outside [0, 1), an unknown schedule, or less than one epoch.
    """

    sparsity: float
    schedule: ScheduleName = "polynomial"
    initial_sparsity: float = 0.5
    epochs: int | None = None

    def __post_init__(self) -> None:
        check_sparsity("sparsity", self.sparsity)
        check_sparsity("initial_sparsity", self.initial_sparsity)
        check_schedule(self.schedule)
        check_trains(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a pruned, retrained and stripped copy of `model`, its pruned weights exactly zero.

        Raises `BridgeError` for a model that cannot be carried to tf_keras.
        """
        sparse = import_tfmot().sparsity.keras
        epochs = training.epochs if self.epochs is None else self.epochs
        steps = training_steps(data, training, epochs)
        schedule = schedule_within(steps, self.schedule, self.initial_sparsity, self.sparsity)
        pruning_steps(schedule, steps)
        with seeded(seed):
            schedule_of_tfmot = tfmot_schedule(schedule)
            pruned = wrapped(to_tf_keras(model), lambda layer, _: sparse.prune_low_magnitude(layer, schedule_of_tfmot))
            callback = sparse.UpdatePruningStep()
            fit(pruned, data, training, epochs, seed, teacher=model, callbacks=[callback])
            return to_keras3(sparse.strip_pruning(pruned), like=model)
