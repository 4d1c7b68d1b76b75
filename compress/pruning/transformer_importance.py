"""What the loss would change by, to first order, without an attention head or a feed-forward neuron.

Michel et al. 2019, "Are Sixteen Heads Really Better than One?", section 4.1: the mean over data of the absolute
derivative of the loss by a gate on the head. Yang et al. 2022 (TextPruner) take neurons alike. The derivative by a gate
is the sum of gradient times weight over the output weights that the gate would scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.ends import keras_inputs
from compress.errors import RecipeError
from compress.pruning.transformer_blocks import Block, Kept
from compress.records import fields
from compress.subject import UNLABELLED
from compress.training import check_labels, objective

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training

BATCHES = 64
BATCH_SIZE = 8
"""Small, as what one sample gains from a head and another loses would cancel within a batch."""

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Importance:
    """Of a block: what each head ``(heads,)`` and each neuron ``(neurons,)`` matters, all in units of the loss."""

    heads: Scores
    neurons: Scores


def importance_of(
    model: keras.Model, blocks: Sequence[Block], data: Dataset, training: Training, seed: int
) -> Callable[[], list[Importance]]:
    """Return a function that returns the importance of each block's parts, by the weights that `model` then has.

    It is the mean over the same training samples each time, up to 512 drawn with `seed`, and of the loss of the labels:
    where `training` aims at a teacher's answers, those of the model itself have no slope. Where no training sample has
    a label it is of the outputs, added up with signs by chance: the mean square of such a sum's slope is that of all
    outputs' (Hutchinson 1990). Raises `RecipeError` when the model cannot be trained on `data`, `DataError` when
    labels do not fit.
    """
    import keras
    import tensorflow as tf

    targets: NDArray[Any]
    loss_of: Callable[[Any, Any], Any]
    if (data.train_y == UNLABELLED).all():
        targets, loss_of = _signs(len(data.train_y), model, seed), _signed_sum
    else:
        check_labels(data, model)
        by_labels = replace(training, targets="labels")
        targets, loss_of = objective(model, data, by_labels, keras.losses.SparseCategoricalCrossentropy)
    kernels = [each for block in blocks for each in (block.attention.output_dense.kernel, block.second.kernel)]

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def gates(inputs: Any, labels: Any) -> Any:
        weights = [kernel.value for kernel in kernels]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)  # those of a frozen layer too
            loss = loss_of(labels, model(keras_inputs(model, inputs), training=False))
        slopes = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [
            tf.reduce_sum(slope * weight, axis=list(range(1, len(weight.shape))))
            for slope, weight in zip(slopes, weights, strict=True)
        ]

    order = np.random.default_rng(seed).permutation(len(data.train_x))[: BATCHES * BATCH_SIZE]
    batches = [order[start : start + BATCH_SIZE] for start in range(0, len(order), BATCH_SIZE)]

    def importance() -> list[Importance]:
        totals = [np.zeros(kernel.shape[0]) for kernel in kernels]
        for batch in batches:
            inputs = {name: tf.constant(values) for name, values in fields(data.train_x[batch]).items()}
            for total, gate in zip(totals, gates(inputs, tf.constant(targets[batch])), strict=True):
                total += np.abs(gate.numpy()) / len(batches)
        return [Importance(*totals[index : index + 2]) for index in range(0, len(totals), 2)]

    return importance


def _signs(samples: int, model: keras.Model, seed: int) -> NDArray[np.float32]:
    shape = tuple(model.outputs[0].shape[1:])
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), (samples, *shape))


def _signed_sum(signs: Any, outputs: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_sum(signs * outputs) / tf.cast(tf.shape(outputs)[0], outputs.dtype)


def choose_kept(
    importance: Sequence[Importance], heads_removed: float, neurons_removed: float, *, uneven: bool
) -> list[Kept]:
    """Return what stays of each block when so large a fraction of heads and of neurons goes, the least important first.

    ``uneven`` ranks those of all blocks together, so that one block may lose more than another; else each loses the
    fraction of its own. The most important head and neuron of each block stay, as TextPruner keeps them. Raises
    `RecipeError` when the fraction would not leave that many.
    """
    heads = _chosen("heads", [each.heads for each in importance], heads_removed, uneven=uneven)
    neurons = _chosen("neurons", [each.neurons for each in importance], neurons_removed, uneven=uneven)
    return [Kept(*parts) for parts in zip(heads, neurons, strict=True)]


def _chosen(what: str, scores: Sequence[Scores], removed: float, *, uneven: bool) -> list[NDArray[np.bool_]]:
    if not uneven:
        return [_chosen(what, [each], removed, uneven=True)[0] for each in scores]
    total = sum(map(len, scores))
    count = round(total * removed)
    if count > total - len(scores):
        raise RecipeError(
            f"{what}={removed} is {count} of {total}, and each of {len(scores)} layers keeps one: remove at most "
            f"{total - len(scores)}"
        )
    ranked = np.concatenate(scores)
    starts = np.cumsum([0, *map(len, scores)])
    ranked[[start + int(np.argmax(each)) for start, each in zip(starts[:-1], scores, strict=True)]] = np.inf
    kept = np.ones(total, np.bool_)
    kept[np.argsort(ranked, kind="stable")[:count]] = False
    return np.split(kept, starts[1:-1])
