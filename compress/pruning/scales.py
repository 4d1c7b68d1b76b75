"""Channels told by the scales that normalisations give them: shrunk towards zero together, then chosen by what is left.

Liu et al. 2017 (Network Slimming) for the scales, Yuan & Lin 2006 for those of one channel that several layers share:
the penalty is the sum over channels of the length of their scales, which is the L1 norm where each has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import RecipeError
from compress.pruning.channel_choice import LEAST_KEPT_FRACTION
from compress.pruning.channel_groups import Channels

if TYPE_CHECKING:
    import keras


class Scales:
    """The scales of a model's channels, by the channels' numbers.

    A channel may go when it is not fixed, and as many normalisations scale it as layers make it: only then is it zero
    when all of its scales are. Raises `RecipeError` when no channel of the model may.
    """

    def __init__(self, model: keras.Model, channels: Channels) -> None:
        self.channels = channels
        count = len(channels.fixed)
        weights = {(layer.name, weight.name): weight for layer in model.layers for weight in layer.weights}
        gammas = [each for each in channels.slices if each.weight == "gamma"]
        self.layers = [
            (each.numbers, weights[each.layer, "gamma"], weights.get((each.layer, "beta"))) for each in gammas
        ]
        """Of each normalisation the channels' numbers, their scales, and their shifts where it has any."""
        self.shared: NDArray[np.int64] = sum(
            (np.bincount(numbers, minlength=count) for numbers, *_ in self.layers), np.zeros(count, np.int64)
        )
        made = sum(
            (
                np.bincount(each.numbers, minlength=count)
                for each in channels.slices
                if each.makes and each.weight.endswith("kernel")
            ),
            np.zeros(count, np.int64),
        )
        self.may_go = ~channels.fixed & (self.shared > 0) & (self.shared == made)
        self.shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
        if not self.may_go.any():
            raise RecipeError(
                f"{model.name} has no channels that normalisations scale: slimming needs layers with a scale (gamma) "
                "of each channel behind those that make channels"
            )

    @property
    def variables(self) -> list[Any]:
        """The variables of the scales."""
        return [gamma for _, gamma, _ in self.layers]

    def lengths(self) -> Any:
        """Return the length of each channel's scales as a TensorFlow tensor, ``(len(channels.fixed),)``."""
        import tensorflow as tf

        squares = [
            tf.math.unsorted_segment_sum(gamma.value**2, numbers, len(self.may_go)) for numbers, gamma, _ in self.layers
        ]
        return tf.sqrt(tf.add_n(squares))

    def shrink(self, by: float) -> None:
        """Shorten the scales of each channel that may go by `by`: the proximal step of the penalty; traced.

        A channel whose scales reach zero loses its shifts too, so that nothing is left of it.
        """
        import tensorflow as tf

        lengths = self.lengths()
        thresholds = tf.constant(by * np.sqrt(self.shared), tf.float32)
        left = tf.where(lengths > thresholds, 1 - tf.math.divide_no_nan(thresholds, lengths), 0)
        factors = tf.where(self.may_go, left, 1)
        for numbers, gamma, beta in self.layers:
            own = tf.gather(factors, numbers)
            gamma.assign(gamma.value * own)
            if beta is not None:
                beta.assign(beta.value * tf.cast(own > 0, tf.float32))

    def parameters(self, kept: NDArray[np.bool_]) -> int:
        """Return how many parameters the model has with the channels that are `kept`."""
        shapes = {name: list(shape) for name, shape in self.shapes.items()}
        for each in self.channels.slices:
            shapes[each.layer, each.weight][each.axis] = int(kept[each.numbers].sum())
        return sum(int(np.prod(shape)) for shape in shapes.values())

    def alive(self) -> NDArray[np.bool_]:
        """Return of each channel whether it has to stay, or has scales that are not zero."""
        alive: NDArray[np.bool_] = ~self.may_go | (self.lengths().numpy() > 0)
        return alive

    def choose(self, most_parameters: float) -> NDArray[np.bool_]:
        """Return the channels to keep: without those at zero, then the smallest, until `most_parameters` are left.

        Scales that are shared count by their root mean square. Every axis that channels run along keeps a tenth.
        Raises `RecipeError` when that is too many.
        """
        lengths = self.lengths().numpy() / np.sqrt(np.maximum(self.shared, 1))
        kept = np.ones(len(self.may_go), np.bool_)
        axes = [(each.numbers, -(-len(each.numbers) * LEAST_KEPT_FRACTION // 1)) for each in self.channels.slices]
        for number in np.argsort(lengths, kind="stable"):
            if not self.may_go[number]:
                continue
            if lengths[number] > 0 and self.parameters(kept) <= most_parameters:
                return kept
            kept[number] = False
            if any(kept[numbers].sum() < least for numbers, least in axes if number in numbers):
                kept[number] = True
        if self.parameters(kept) > most_parameters:
            raise RecipeError(
                f"with the fewest channels in every layer that can lose some, {self.parameters(kept):,} parameters are "
                f"left, more than {most_parameters:,.0f}; ask for less"
            )
        return kept
