"""Training that a damaged model recovers by: Adam on cross-entropy, many steps in one TensorFlow graph, for every step.

Ishtiaq et al. 2021, section III, retrain every pruned model this way for 12 epochs at batch size 128.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compress.curve import record_epoch
from compress.distillation import answers, distillation_loss, soft_targets
from compress.ends import keras_inputs
from compress.errors import DataError, RecipeError
from compress.fused import adam, fused_normalisation
from compress.records import fields
from compress.subject import UNLABELLED

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training

_logger = logging.getLogger(__name__)


def clone(model: keras.Model) -> keras.Model:
    """Return a new Keras 3 model of the same architecture and weights, sharing neither variables nor state.

    Raises `RecipeError` for a model with a layer that a model within it has too: Keras copies such a layer twice.
    """
    import keras

    if isinstance(model, keras.Sequential):
        copy = keras.models.clone_model(model)
    else:
        copy = keras.models.clone_model(model, input_tensors=inputs_like(model))
    if len(copy.weights) != len(model.weights):
        parts = [layer for layer in model.layers if isinstance(layer, keras.Model)]
        within = {id(one) for part in parts for one in part._flatten_layers(include_self=False)}
        shared = ", ".join(layer.name for layer in model.layers if id(layer) in within)
        raise RecipeError(
            f"{model.name} calls layers of a model within it once more ({shared}), which no copy would share; build it "
            "of one graph: call them on the inner model's own output, as keras.Model(backbone.input, "
            "backbone.token_embedding(backbone.output, reverse=True))"
        )
    copy.set_weights(model.get_weights())
    return copy


def inputs_like(model: keras.Model) -> Any:
    """Return new symbolic inputs of the shapes, types and names of `model`'s, in the same structure.

    Left to itself, Keras's ``clone_model`` names the new inputs after tensors and not after the layers that they were.
    """
    import keras

    return keras.tree.map_structure(
        lambda tensor: keras.Input(
            batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor._keras_history.operation.name
        ),
        model.inputs[0] if isinstance(model, keras.Sequential) else model.input,
    )


def check_epochs(epochs: int | None) -> None:
    """Raise `RecipeError` unless `epochs` is None (those of the subject's training) or a count."""
    if epochs is not None and (epochs < 0 or int(epochs) != epochs):
        raise RecipeError(f"epochs must be none or a whole number from 0, got {epochs}")


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


def zeros_left(weights: Iterable[Any]) -> dict[str, float]:
    """Return the exact zeros of variables in percent of all their values, to be recorded; nothing where there is none.

    ``{"zeros in the kernels, %": 90.0}``
    """
    values = [weight.numpy() for weight in weights]
    zeros = sum(int(np.sum(one == 0)) for one in values)
    return {"zeros in the kernels, %": 100 * zeros / sum(one.size for one in values)} if zeros else {}


class Constraint(Protocol):
    """What a training holds the kernels of a model to: their zeros, their shared values, their rounding.

    An instance serves one training of one model. Kernels are told by their path, as `kernels` gives them.
    """

    @property
    def turns(self) -> Collection[int]:
        """The steps, counted from 1, before whose forward pass the constraint is drawn up again."""
        ...

    def renew(self, model: keras.Model, step: int) -> None:
        """Draw the constraint up for the kernels of `model` as they are before `step`, and apply it to them."""
        ...

    def project(self, path: str, kernel: Any) -> Any:
        """Return a kernel's tensor, just updated, as the constraint would have it; traced into TensorFlow's graph."""
        ...

    def view(self, path: str, kernel: Any) -> Any:
        """Return what the forward pass computes with in place of a kernel's tensor; traced, and no gradient taken."""
        ...


class Zeros:
    """Keeps the zeros of the masks that `masks_at` gives at each of its turns.

    Adam's momentum moves a pruned weight; the same step sets it back to zero, so that no forward pass ever sees it.
    """

    def __init__(
        self,
        masks_at: Callable[[int, Mapping[str, NDArray[Any]]], Mapping[str, NDArray[np.bool_]]],
        turns: Collection[int],
    ) -> None:
        self.masks_at = masks_at
        self.turns = turns
        self._masks: dict[str, Any] = {}

    def renew(self, model: keras.Model, step: int) -> None:
        """Set what the masks of `step` leave out to zero."""
        prunable = kernels(model)
        masks = self.masks_at(step, {path: kernel.numpy() for path, kernel in prunable.items()})
        for path, kernel in prunable.items():
            kernel.assign(np.where(masks[path], kernel.numpy(), 0))
            self._mask(path, kernel.shape).assign(masks[path])

    def project(self, path: str, kernel: Any) -> Any:
        """Return `kernel` with its pruned weights zero."""
        import tensorflow as tf

        return kernel * tf.cast(self._mask(path, kernel.shape), kernel.dtype)

    def view(self, path: str, kernel: Any) -> Any:
        """Return `kernel`."""
        del path
        return kernel

    def _mask(self, path: str, shape: Any) -> Any:
        import tensorflow as tf

        if path not in self._masks:
            with tf.init_scope():  # first asked for while the step is traced
                self._masks[path] = tf.Variable(tf.ones(shape, tf.bool))
        return self._masks[path]


class Reparametrization(Protocol):
    """What is trained in place of a model's own weights, which stay as they are."""

    @property
    def variables(self) -> Sequence[Any]:
        """The Keras variables to train."""
        ...

    def kernels(self) -> Mapping[str, Any]:
        """Return by path what the forward pass computes with in place of kernels; traced, gradients reach variables."""
        ...


def retrain(
    model: keras.Model,
    data: Dataset,
    training: Training,
    *,
    teacher: keras.Model,
    epochs: int,
    seed: int,
    constraint: Constraint | None = None,
    reparametrization: Reparametrization | None = None,
) -> None:
    """Train `model` in place for `epochs` of `data`, with Adam at the learning rate of `training`.

    `teacher` is the undamaged model, whose answers are the targets where `training` says so.

    A `constraint` is drawn up before each of its turns; from then on every step's update is followed, in the same
    graph, by its projection of each kernel, and where it has a view of a kernel, loss and gradient are those of the
    view while the update is the kernel's own (straight through; Bengio et al. 2013). Python is entered once a turn and
    once an epoch, not once a step. With a `reparametrization` its variables are trained, and none of the model's.

    The loss of every epoch is recorded (`compress.curve`), and where a `constraint` leaves zeros in the kernels their
    share after it, in percent.

    The order of samples comes from a generator seeded with `seed`, and so do the states of dropout layers; no global
    seed is read or set. Progress is logged at level INFO. Raises `RecipeError` when the model is no classifier or the
    loss stops being finite, `DataError` when a label has no output.
    """
    import keras
    import tensorflow as tf

    steps_an_epoch = training_steps(data, training, 1)
    if training.loss is None:
        check_labels(data, model)
    generator = np.random.default_rng(seed)
    _seed_random_layers(model, generator)
    inputs = {name: tf.constant(array) for name, array in fields(data.train_x).items()}
    targets, loss_of = objective(teacher, data, training, keras.losses.SparseCategoricalCrossentropy)
    labels = keras.tree.map_structure(tf.constant, targets)
    variables = list(reparametrization.variables) if reparametrization else model.trainable_variables
    turns = frozenset(constraint.turns) if constraint else frozenset()
    held = kernels(model) if constraint and not reparametrization else {}
    rule = constraint or Zeros(lambda *_: {}, ())
    update = adam(variables, training, training_steps(data, training, epochs))

    def call(given: dict[str, Any]) -> Any:
        if reparametrization is None:
            return model(keras_inputs(model, given), training=True)
        seen = reparametrization.kernels()
        own = [
            [seen.get(each.path, each.value) for each in group]
            for group in (model.trainable_variables, model.non_trainable_variables)
        ]
        outputs, states = model.stateless_call(*own, keras_inputs(model, given), training=True)
        for variable, state in zip(model.non_trainable_variables, states, strict=True):
            variable.assign(state)
        return outputs

    def gradients(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = call({name: tf.gather(array, batch) for name, array in inputs.items()})
            told = keras.tree.map_structure(lambda one: tf.gather(one, batch), labels)
            loss = loss_of(told, outputs) + sum(model.losses)
        return loss, tape.gradient(loss, variables)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int64)])  # type: ignore[untyped-decorator]
    def train(order: Any, batch_size: Any) -> Any:
        loss_sum = 0.0
        for start in tf.range(0, tf.size(order, tf.int64), batch_size):
            own = {}
            for path, kernel in held.items():
                seen = rule.view(path, kernel.value)
                if seen is not kernel.value:
                    own[path] = tf.identity(kernel.value)
                    kernel.assign(seen)
            loss, slopes = gradients(order[start : start + batch_size])
            for path, value in own.items():
                held[path].assign(value)
            update(slopes)
            for path, kernel in held.items():
                kernel.assign(rule.project(path, kernel.value))
            loss_sum += loss
        return loss_sum

    for epoch in range(epochs):
        order = generator.permutation(len(data.train_x))
        first = epoch * steps_an_epoch + 1
        cuts = sorted(step for step in turns if first < step < first + steps_an_epoch)
        loss_sum = 0.0
        for start, end in itertools.pairwise([first, *cuts, first + steps_an_epoch]):
            if constraint and start in turns:
                constraint.renew(model, start)
            part = order[(start - first) * training.batch_size : (end - first) * training.batch_size]
            with fused_normalisation():  # the first call is traced
                loss_sum += float(train(part, training.batch_size))
        record_epoch({"loss": loss_sum / steps_an_epoch, **zeros_left(held.values())})
        _logger.info("%s: epoch %d of %d, loss %.4f", model.name, epoch + 1, epochs, loss_sum / steps_an_epoch)
        if not np.isfinite(loss_sum):
            raise RecipeError(
                f"retraining {model.name} diverged: the loss of epoch {epoch + 1} is {loss_sum}; "
                f"lower the learning rate ({training.learning_rate})"
            )


def objective(
    teacher: keras.Model, data: Dataset, training: Training, loss_of_labels: Callable[..., Any]
) -> tuple[Any, Callable[[Any, Any], Any]]:
    """Return what a model learns of each training sample, and its loss: labels, or the answers of `teacher`.

    Answers are in the structure of the model's outputs where `training` has a loss of its own.
    """
    if training.loss is not None:
        return data.train_y if training.targets == "labels" else answers(teacher, data.train_x), training.loss
    from_logits = outputs_logits(teacher)
    if data.train_y.ndim > 1:
        if training.targets != "labels" or not from_logits:
            raise RecipeError(f"{teacher.name} continues texts: it is trained by labels (targets=labels), on logits")
        return data.train_y, next_token_loss
    if training.targets == "labels":
        return data.train_y, loss_of_labels(from_logits=from_logits)
    return soft_targets(teacher, data.train_x, from_logits=from_logits), distillation_loss(from_logits=from_logits)


def next_token_loss(labels: Any, logits: Any) -> Any:
    """Return the mean cross-entropy of ``logits (n, 64, vocabulary)`` where ``labels (n, 64)`` name a token."""
    import tensorflow as tf

    told = labels != UNLABELLED
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.where(told, labels, 0), logits)
    weights = tf.cast(told, loss.dtype)
    return tf.reduce_sum(loss * weights) / tf.maximum(tf.reduce_sum(weights), 1.0)


def check_labels(data: Dataset, model: Any) -> None:
    """Raise `DataError` unless every training label has an output of `model`, of either Keras."""
    if not data.is_labelled or (data.train_y == UNLABELLED).all():
        raise DataError(f"data set {data.name!r} has no labels, and training needs them; add y to the data")
    told = data.train_y if data.train_y.ndim == 1 else data.train_y[data.train_y != UNLABELLED]
    low, high, classes = told.min(), told.max(), model.outputs[0].shape[-1]
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
