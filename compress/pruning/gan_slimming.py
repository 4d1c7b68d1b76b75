"""GAN slimming: a generator loses channels, keeps what it knew and still fools its critic, in one optimisation.

Wang et al. 2020 ("GAN Slimming: All-in-One GAN Compression by A Unified Optimization Framework"), as Saxena et al. 2024
give it in section V-D, equations 1 to 4: ``L_GAN + epsilon L_distill + delta |scales|_1``, the last by proximal steps;
with 8 bits, the generator that is optimised is the one that integers would compute.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.conversions import conversions_of
from compress.curve import record_epoch
from compress.errors import DataError, RecipeError
from compress.fused import adam
from compress.pruning.channel_groups import find_channels
from compress.pruning.channels import without_channels
from compress.pruning.rounded_model import rounding_calls
from compress.pruning.scales import Scales
from compress.training import check_epochs, clone

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training

SCALES_RATE = 10.0
"""How many times faster than weights the scales move: they have to get from 1 to 0 in a few hundred steps."""

STEPS_A_LOOK = 8
"""How many steps are taken before it is asked again whether enough scales are zero."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GanSlim:
    """Remove channels of a generator until ``parameters_removed_fraction`` is gone, while it is trained.

    Channels whose scales reach zero are removed, and the training goes on with the smaller network; where too few have
    done so after half of the ``epochs``, those with the smallest scales go as well. ``bits`` of 8 optimises the
    generator as integers compute it, weights and activations (`int8` is still to write the file). ``distillation`` is
    epsilon, the weight of the mean absolute distance from what the given generator makes; ``sparsity`` is delta, in
    steps of the optimizer. ``epochs`` are the subject's training's where none is given.

    The critic is that of the subject's training, and the real pictures are its labels. Both play for least squares (Mao
    et al. 2017), as CycleGAN's do, and not for equation 1's logarithms.

    Raises `RecipeError` for a fraction outside [0, 1), other bits than 8 and 32, negative weights, or under 2 epochs.
    """

    parameters_removed_fraction: float
    bits: int = 32
    distillation: float = 20.0
    sparsity: float = 0.4
    epochs: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.parameters_removed_fraction < 1:
            raise RecipeError(f"parameters_removed_fraction must be in [0, 1), got {self.parameters_removed_fraction}")
        if self.bits not in (8, 32):
            raise RecipeError(f"bits must be 8 or 32, got {self.bits}")
        for name in ("distillation", "sparsity"):
            if not 0 <= getattr(self, name) < np.inf:
                raise RecipeError(f"{name} must be a number from 0, got {getattr(self, name)}")
        check_epochs(self.epochs)
        if self.epochs is not None and self.epochs < 2:
            raise RecipeError(f"epochs must be none or at least 2, to slim and to train on, got {self.epochs}")

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a narrower and trained copy of `model`, of the same layers, inputs and outputs.

        The same seed gives the same channels and weights. Records of every epoch the total loss of equation 4, its
        parts, and the channels that are left. Raises `RecipeError` when the training has no critic, no channel has a
        scale, or the fraction cannot be reached; `DataError` when labels are not pictures as the model makes them.
        """
        if training.critic is None:
            raise RecipeError("gan_slim needs a critic to fool: give the subject a Training(critic=...)")
        if data.train_y.shape[1:] != tuple(model.output_shape[1:]):
            raise DataError(
                f"data set {data.name!r}: gan_slim takes real pictures for labels, {tuple(model.output_shape[1:])} "
                f"each, got {data.train_y.shape[1:]}"
            )
        epochs = training.epochs if self.epochs is None else self.epochs
        play = _Play(self, data, training, model, seed)
        wide = clone(model)
        channels = find_channels(wide)
        scales = Scales(wide, channels)
        most = (1 - self.parameters_removed_fraction) * scales.parameters(np.ones(len(channels.fixed), np.bool_))
        taken = play.slim(wide, scales, epochs // 2, most)
        slim = without_channels(wide, channels, scales.choose(most))
        play.train(slim, Scales(slim, find_channels(slim)), epochs - taken)
        return slim


class _Play:
    """Generators against one critic, over the pictures of `data`; the critic learns throughout."""

    def __init__(self, step: GanSlim, data: Dataset, training: Training, model: keras.Model, seed: int) -> None:
        import tensorflow as tf

        assert training.critic is not None
        self.step, self.training = step, training
        self.critic = training.critic()
        self.generator = np.random.default_rng(seed)
        given = np.ascontiguousarray(data.train_x)
        self.sources, self.real = tf.constant(given), tf.constant(data.train_y)
        digest = hashlib.sha256(given.tobytes()).hexdigest()
        answers = conversions_of(model).once(
            f"answers to {digest}", lambda: model.predict(given, batch_size=100, verbose=0)
        )
        self.wanted = tf.constant(answers)
        self.train_critic = adam(self.critic.trainable_variables, replace(training, decay="none"), 0)

    def slim(self, model: keras.Model, scales: Scales, epochs: int, most_parameters: float) -> int:
        """Train `model` while its scales shrink, for `epochs` or until enough are zero; return how many it took."""
        weights_pace = replace(self.training, decay="none")
        scales_pace = replace(weights_pace, learning_rate=SCALES_RATE * self.training.learning_rate)
        own = {id(one) for one in scales.variables}
        weights = [one for one in model.trainable_variables if id(one) not in own]
        train_weights, train_scales = adam(weights, weights_pace, 0), adam(scales.variables, scales_pace, 0)

        def update(slopes: Sequence[Any]) -> None:
            train_weights(slopes[: len(weights)])
            train_scales(slopes[len(weights) :])
            scales.shrink(scales_pace.learning_rate * self.step.sparsity)

        steps = self._steps(model, [*weights, *scales.variables], update)
        for epoch in range(1, epochs + 1):
            reached = self._epoch(model, scales, steps, lambda: scales.parameters(scales.alive()) <= most_parameters)
            if reached:
                return epoch
        return epochs

    def train(self, model: keras.Model, scales: Scales, epochs: int) -> None:
        """Train `model` for `epochs` as the subject's training says; its scales are weights like others."""
        variables = model.trainable_variables
        update = adam(variables, self.training, epochs * -(-len(self.sources) // self.training.batch_size))
        steps = self._steps(model, variables, update)
        for _ in range(epochs):
            self._epoch(model, scales, steps, lambda: False)

    def _epoch(self, model: keras.Model, scales: Scales, steps: Any, enough: Callable[[], bool]) -> bool:
        """Take the steps of an epoch, but for those after there is `enough`, which is returned; record what they cost.

        Raises `RecipeError` when a loss stops being finite.
        """
        size = self.training.batch_size * STEPS_A_LOOK
        orders = [self.generator.permutation(len(one)) for one in (self.sources, self.real)]
        sums, taken, reached = np.zeros(3), 0, False
        for start in range(0, len(orders[0]), size):
            parts = [order[start : start + size] for order in orders]
            sums += steps(*parts).numpy()
            taken += -(-len(parts[0]) // self.training.batch_size)
            if reached := enough():
                break
        adversarial, distilled, critic = sums / taken
        left = sum(int(scales.alive()[numbers].sum()) for numbers, *_ in scales.layers)
        record_epoch(
            {
                "generator loss": adversarial + self.step.distillation * distilled,
                "distance from the given generator": distilled,
                "critic loss": critic,
                "channels left": left,
            }
        )
        _logger.info("%s: loss %.4f, critic %.4f, %d channels", model.name, adversarial, critic, left)
        if not np.isfinite(sums).all():
            raise RecipeError(
                f"slimming {model.name} diverged; lower the learning rate ({self.training.learning_rate})"
            )
        return reached

    def _steps(self, model: keras.Model, variables: Sequence[Any], update: Callable[[Sequence[Any]], None]) -> Any:
        """Return a TensorFlow function from the places of sources and real pictures to the sums of three losses."""
        import tensorflow as tf

        translate = rounding_calls(model) if self.step.bits == 8 else lambda x: model(x, training=True)
        critic, batch_size = self.critic, self.training.batch_size

        def looks(pictures: Any, value: float) -> Any:
            return tf.reduce_mean((critic(pictures, training=True) - value) ** 2)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)] * 2)  # type: ignore[untyped-decorator]
        def steps(order: Any, others: Any) -> Any:
            sums = tf.zeros(3)
            for start in tf.range(0, tf.size(order), batch_size):
                batch = order[start : start + batch_size]
                with tf.GradientTape() as tape:
                    made = translate(tf.gather(self.sources, batch))
                    fooled = looks(made, 1)
                    distilled = tf.reduce_mean(tf.abs(made - tf.gather(self.wanted, batch)))
                    loss = fooled + self.step.distillation * distilled
                update(tape.gradient(loss, variables))
                with tf.GradientTape() as tape:
                    real = tf.gather(self.real, others[start : start + batch_size])
                    told = 0.5 * (looks(real, 1) + looks(tf.stop_gradient(made), 0))
                self.train_critic(tape.gradient(told, critic.trainable_variables))
                sums += tf.stack([fooled, distilled, told])
            return sums

        return steps
