"""How much each channel matters: filter norm, BatchNorm scale, or the first-order change of the loss without it.

L1 norm: Li et al. 2017. BatchNorm scale: Liu et al. 2017 (Network Slimming). Taylor: Molchanov et al. 2019, equation 8,
for a gate on each channel (their section 3.1): the sum of gradient times weight over all that makes the channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from compress.ends import keras_inputs
from compress.pruning.channel_groups import Channels
from compress.records import fields
from compress.training import check_labels, outputs_logits

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset

Criterion = Literal["taylor", "l1", "bn_scale"]
Importance = NDArray[np.float64]

TAYLOR_BATCHES = 32
TAYLOR_BATCH_SIZE = 32

_FILTERS = ("kernel", "pointwise_kernel")
_Weights = Mapping[tuple[str, str], Any]
"""Arrays by the names of layer and weight."""


def channel_importance(
    model: keras.Model, channels: Channels, criterion: Criterion, data: Dataset, seed: int
) -> Importance:
    """Return the importance of each numbered channel, ``(len(channels.fixed),)``; only their ratios mean something.

    It is summed over the layers that make the channel. Norms and scales of a layer are divided by their mean first, as
    one layer's are larger than another's; what the loss would change by needs no such thing. By ``taylor`` and
    ``bn_scale`` a channel that any BatchNormalization scales is judged by those scales alone. ``taylor`` takes the mean
    of 32 batches of 32 training samples, drawn with `seed`, and raises `RecipeError` when the model is no classifier.
    """
    scaled = np.zeros(len(channels.fixed), np.bool_)
    for each in channels.slices:
        if each.weight == "gamma":
            scaled[each.numbers] = True
    if criterion == "taylor":
        filters, scales = _taylor(model, channels, data, seed)
    else:
        norms = {
            (layer.name, weight.name): np.abs(weight.numpy()) for layer in model.layers for weight in layer.weights
        }
        filters, scales = (
            _relative(_by_layer(channels, norms, names), len(scaled)) for names in (_FILTERS, ("gamma",))
        )
    return filters if criterion == "l1" else np.where(scaled, scales, filters)


def _by_layer(channels: Channels, values: _Weights, names: tuple[str, ...]) -> dict[str, Importance]:
    """Return by layer the sum of `values` over the weights called `names` that make each channel."""
    sums: dict[str, Importance] = {}
    for each in channels.slices:
        if each.makes and each.weight in names:
            value = np.asarray(values[each.layer, each.weight], np.float64)
            along = value.sum(axis=tuple(axis for axis in range(value.ndim) if axis != each.axis % value.ndim))
            found = np.bincount(each.numbers, along, len(channels.fixed))
            sums[each.layer] = sums.get(each.layer, np.zeros_like(found)) + found
    return sums


def _relative(by_layer: Mapping[str, Importance], channels: int) -> Importance:
    """Return the sum over layers, each divided by its mean over the channels that it makes."""
    total = np.zeros(channels)
    for one in by_layer.values():
        total += one * np.count_nonzero(one) / (one.sum() or 1.0)
    return total


def _taylor(model: keras.Model, channels: Channels, data: Dataset, seed: int) -> tuple[Importance, Importance]:
    """Return the squared first-order changes of the loss, of filters and of scales (and shifts), summed over layers."""
    import keras
    import tensorflow as tf

    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=outputs_logits(model))
    check_labels(data, model)
    made = {(each.layer, each.weight) for each in channels.slices if each.makes}
    variables = {
        (layer.name, weight.name): weight.value
        for layer in model.layers
        for weight in layer.weights
        if (layer.name, weight.name) in made
    }

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def products(inputs: Any, labels: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(variables.values()))  # those of a frozen layer too
            loss = loss_of(labels, model(inputs, training=False))
        slopes = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return {name: slopes[name] * variable for name, variable in variables.items()}

    order = np.random.default_rng(seed).permutation(len(data.train_x))
    totals = [np.zeros(len(channels.fixed)), np.zeros(len(channels.fixed))]
    for start in range(0, min(len(order), TAYLOR_BATCHES * TAYLOR_BATCH_SIZE), TAYLOR_BATCH_SIZE):
        batch = order[start : start + TAYLOR_BATCH_SIZE]
        given = {name: tf.constant(array) for name, array in fields(data.train_x[batch]).items()}
        found = products(keras_inputs(model, given), tf.constant(data.train_y[batch]))
        for total, names in zip(totals, ((*_FILTERS, "bias"), ("gamma", "beta")), strict=True):
            for change in _by_layer(channels, found, names).values():
                total += change**2
    return totals[0], totals[1]
