"""Training that a damaged model recovers by: Adam on cross-entropy, whole stretches of steps in one TensorFlow graph.

Ishtiaq et al. 2021, section III, retrain every pruned model this way for 12 epochs at batch size 128.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.errors import DataError, RecipeError
from compress.pruning.masks import Mask, Scope, magnitude_masks

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training

_logger = logging.getLogger(__name__)


def clone(model: keras.Model) -> keras.Model:
    """Return a new Keras 3 model of the same architecture and weights, sharing neither variables nor state."""
    import keras

    if isinstance(model, keras.Sequential):
        copy = keras.models.clone_model(model)
    else:
        # left to itself, clone_model names the new inputs after tensors and not after the layers that they were
        inputs = keras.tree.map_structure(
            lambda tensor: keras.Input(
                batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor._keras_history.operation.name
            ),
            model.input,
        )
        copy = keras.models.clone_model(model, input_tensors=inputs)
    copy.set_weights(model.get_weights())
    return copy


def training_steps(data: Dataset, training: Training, epochs: int) -> int:
    """Return how many optimizer steps `epochs` take; the last, smaller batch of an epoch is a step of its own."""
    return epochs * -(-len(data.train_x) // training.batch_size)


def outputs_logits(model: keras.Model) -> bool:
    """Return whether the one output of a classifier is logits (linear) rather than probabilities (softmax).

    Layers that only drop or rearrange values (Flatten, Reshape, Dropout, Identity) are looked through, as are nested
    models. Raises `RecipeError` for any other last activation, or more than one output: cross-entropy has no meaning.
    """
    import keras

    if len(model.outputs) != 1:
        raise RecipeError(f"{model.name} has {len(model.outputs)} outputs: a classifier to retrain has one")
    last = model.outputs[0]._keras_history.operation
    while isinstance(last, (keras.layers.Flatten, keras.layers.Reshape, keras.layers.Dropout, keras.layers.Identity)):
        last = last.input._keras_history.operation
    if isinstance(last, keras.Model):
        return outputs_logits(last)
    activation = getattr(last, "activation", None)
    name = getattr(activation, "__name__", type(activation).__name__) if activation is not None else "linear"
    if type(last).__name__ == "Softmax" or name == "softmax":
        return False
    if name == "linear":
        return True
    raise RecipeError(
        f"{model.name} ends in {last.name} with activation {name}: retraining minimises the cross-entropy of classes; "
        "end the model with softmax, or with no activation"
    )


def kernels(model: keras.Model) -> dict[str, Any]:
    """Return the prunable variables of `model` by path: ``{"conv2d/kernel": <variable (3, 3, 1, 12)>}``.

    They are the weights of two or more dimensions that their layer calls a kernel: of dense, convolutional (depthwise
    and separable too), einsum and recurrent layers. Never biases, normalisations or embeddings.
    """
    found = [weight for weight in model.weights if weight.name.endswith("kernel") and len(weight.shape) >= 2]
    return {weight.path: weight for weight in found}


def masked(model: keras.Model, sparsity: float, scope: Scope) -> dict[str, Mask]:
    """Set the smallest weights of `model` to zero, in place, and return the masks that did it."""
    prunable = kernels(model)
    masks = magnitude_masks({path: kernel.numpy() for path, kernel in prunable.items()}, sparsity, scope)
    for path, kernel in prunable.items():
        kernel.assign(np.where(masks[path], kernel.numpy(), 0))
    return masks


def retrain(
    model: keras.Model,
    data: Dataset,
    training: Training,
    *,
    epochs: int,
    seed: int,
    sparsities: Mapping[int, float] | None = None,
    scope: Scope = "global",
) -> None:
    """Train `model` in place for `epochs` of `data`, with Adam at the learning rate of `training`.

    ``sparsities`` gives the steps, counted from 1, that recompute the masks before their forward pass, and to which
    sparsity. From then on every step's update is followed, in the same graph, by a multiplication of each kernel with
    its mask: Adam's momentum moves a pruned weight, and the same step sets it back to zero, so that no forward pass
    ever sees it. Python is entered once a mask update and once an epoch, not once a step.

    The order of samples comes from a generator seeded with `seed`, and so do the states of dropout layers; no global
    seed is read or set. Progress is logged at level INFO. Raises `RecipeError` when the model is no classifier or the
    loss stops being finite, `DataError` when a label has no output.
    """
    import keras
    import tensorflow as tf

    steps_an_epoch = training_steps(data, training, 1)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=outputs_logits(model))
    check_labels(data, model)
    generator = np.random.default_rng(seed)
    _seed_random_layers(model, generator)
    sparsities = sparsities or {}
    inputs, labels = tf.constant(data.train_x), tf.constant(data.train_y)
    variables = model.trainable_variables
    prunable = kernels(model) if sparsities else {}
    mask_of = {path: tf.Variable(tf.ones(kernel.shape, kernel.dtype)) for path, kernel in prunable.items()}
    optimizer = keras.optimizers.Adam(training.learning_rate)
    optimizer.build(variables)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int64)])  # type: ignore[untyped-decorator]
    def train(order: Any, batch_size: Any) -> Any:
        loss_sum = 0.0
        for start in tf.range(0, tf.size(order, tf.int64), batch_size):
            batch = order[start : start + batch_size]
            with tf.GradientTape() as tape:
                outputs = model(tf.gather(inputs, batch), training=True)
                loss = loss_of(tf.gather(labels, batch), outputs) + sum(model.losses)
            optimizer.apply(tape.gradient(loss, variables), variables)
            for path, kernel in prunable.items():
                kernel.assign(kernel.value * mask_of[path])
            loss_sum += loss
        return loss_sum

    for epoch in range(epochs):
        order = generator.permutation(len(data.train_x))
        first = epoch * steps_an_epoch + 1
        cuts = [step for step in sparsities if first < step < first + steps_an_epoch]
        loss_sum = 0.0
        for start, end in itertools.pairwise([first, *cuts, first + steps_an_epoch]):
            if start in sparsities:
                for path, mask in masked(model, sparsities[start], scope).items():
                    mask_of[path].assign(mask)
            part = order[(start - first) * training.batch_size : (end - first) * training.batch_size]
            loss_sum += float(train(part, training.batch_size))
        _logger.info("%s: epoch %d of %d, loss %.4f", model.name, epoch + 1, epochs, loss_sum / steps_an_epoch)
        if not np.isfinite(loss_sum):
            raise RecipeError(
                f"retraining {model.name} diverged: the loss of epoch {epoch + 1} is {loss_sum}; "
                f"lower the learning rate ({training.learning_rate})"
            )


def check_labels(data: Dataset, model: Any) -> None:
    """Raise `DataError` unless every training label has an output of `model`, of either Keras."""
    low, high, classes = data.train_y.min(), data.train_y.max(), model.outputs[0].shape[-1]
    if low < 0 or high >= classes:
        raise DataError(
            f"data set {data.name!r}: labels {low}..{high} do not fit the {classes} outputs of {model.name}"
        )


def _seed_random_layers(model: keras.Model, generator: np.random.Generator) -> None:
    """Give every dropout's own generator a state from `generator`: Keras draws it from Python's global one."""
    weights = {id(weight) for weight in model.weights}
    for state in model.variables:
        if id(state) not in weights and state.name == "seed_generator_state":
            state.assign(generator.integers(2**32, size=state.shape, dtype=np.uint32))
