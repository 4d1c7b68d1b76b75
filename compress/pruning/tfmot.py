"""TensorFlow Model Optimization (TFMOT 0.8) on Keras 3 models: pruning, clustering, quantization-aware training.

TFMOT only speaks Keras 2. Each step carries the model to tf_keras, lets TFMOT wrap and train it there, and brings the
weights back into the Keras 3 architecture. TFMOT trains with random numbers of its own: a step sets tf_keras's and
TensorFlow's global seeds, and leaves those of Python and NumPy as they were.
"""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from compress.errors import BridgeError, RecipeError
from compress.pruning.bridge import to_keras3, to_tf_keras
from compress.pruning.magnitude import ScheduleName, check_schedule, schedule_within
from compress.pruning.schedule import ConstantSparsity, Schedule, check_sparsity, pruning_steps
from compress.training import check_epochs, check_labels, objective, training_steps

if TYPE_CHECKING:
    import keras
    import tf_keras

    from compress.subject import Dataset, Training

CentroidInit = Literal["linear", "density_based", "kmeans_plus_plus"]
_LEGACY = "TF_USE_LEGACY_KERAS"
_WRAPPED = ("kernel", "pointwise_kernel", "embeddings")


def import_tfmot() -> Any:
    """Return the ``tensorflow_model_optimization`` module, imported so that ``tf.keras`` still means what it meant.

    TFMOT sets ``TF_USE_LEGACY_KERAS`` when it is imported, and TensorFlow reads that when ``tf.keras`` is first used:
    so it is used before, and the variable is put back after. Raises `BridgeError` when TFMOT is not installed.
    """
    import tensorflow as tf

    _ = tf.keras.layers
    before = os.environ.get(_LEGACY)
    try:
        with warnings.catch_warnings():
            # TFMOT compares TensorFlow's version by distutils, which says that it is deprecated
            warnings.filterwarnings("ignore", ".*distutils", DeprecationWarning)
            import tensorflow_model_optimization
    except ImportError as error:
        raise BridgeError(f"TFMOT cannot be imported ({error}); pip install 'compress-bench[tfmot]'") from error
    finally:
        if before is None:
            os.environ.pop(_LEGACY, None)
        else:
            os.environ[_LEGACY] = before
    return tensorflow_model_optimization


def tfmot_schedule(schedule: Schedule) -> Any:
    """Return the TFMOT schedule of the same steps and sparsities."""
    sparsity = import_tfmot().sparsity.keras
    if isinstance(schedule, ConstantSparsity) or schedule.begin_step == schedule.end_step:
        # a decay of a single step is 0 / 0 to TFMOT, and its sparsity NaN
        return sparsity.ConstantSparsity(
            schedule.final_sparsity, schedule.begin_step, end_step=schedule.end_step, frequency=schedule.frequency
        )
    return sparsity.PolynomialDecay(
        schedule.initial_sparsity,
        schedule.final_sparsity,
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
        _check_trains(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a pruned, retrained and stripped copy of `model`, its pruned weights exactly zero.

        Raises `BridgeError` for a model that cannot be carried to tf_keras.
        """
        sparse = import_tfmot().sparsity.keras
        epochs = training.epochs if self.epochs is None else self.epochs
        steps = training_steps(data, training, epochs)
        schedule = schedule_within(steps, self.schedule, self.initial_sparsity, self.sparsity)
        pruning_steps(schedule, steps)
        with _seeded(seed):
            schedule_of_tfmot = tfmot_schedule(schedule)
            wrapped = _wrapped(
                to_tf_keras(model), lambda layer, _: sparse.prune_low_magnitude(layer, schedule_of_tfmot)
            )
            callback = sparse.UpdatePruningStep()
            _fit(wrapped, data, training, epochs, seed, teacher=model, callbacks=[callback])
            return to_keras3(sparse.strip_pruning(wrapped), like=model)


@dataclass(frozen=True)
class Cluster:
    """TFMOT's ``cluster_weights`` with fine-tuning: at most ``clusters`` distinct values a kernel (or embedding).

    ``init`` places the first centroids: ``linear`` (evenly between the smallest and largest weight, best in Han et al.
    2016, 3.2), ``density_based`` or ``kmeans_plus_plus``. ``preserve_sparsity`` holds the zeros of the kernels that it
    clusters, and of no other. Kernels of no more than ``clusters`` weights, depthwise kernels, biases and
    normalisations are trained, but not clustered.

    Raises `RecipeError` for fewer than 2 clusters (3 with ``preserve_sparsity``), or an unknown ``init``.
    """

    clusters: int
    init: CentroidInit = "linear"
    preserve_sparsity: bool = False
    epochs: int | None = None

    def __post_init__(self) -> None:
        least = 3 if self.preserve_sparsity else 2
        if self.clusters < least or int(self.clusters) != self.clusters:
            raise RecipeError(f"clusters must be a whole number from {least}, got {self.clusters}")
        if self.init not in get_args(CentroidInit):
            raise RecipeError(f"init must be one of {', '.join(get_args(CentroidInit))}, got {self.init!r}")
        check_epochs(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a clustered, fine-tuned and stripped copy of `model`.

        Raises `BridgeError` for a model that cannot be carried to tf_keras.
        """
        clustering = import_tfmot().clustering.keras
        # TFMOT's own documented way to it: the public ``experimental`` package is empty
        from tensorflow_model_optimization.python.core.clustering.keras.experimental.cluster import (
            cluster_weights as cluster_sparse_weights,
        )

        epochs = training.epochs if self.epochs is None else self.epochs
        centroids = clustering.CentroidInitialization[self.init.upper()]

        def wrap(layer: Any, weights: int) -> Any:
            if weights <= self.clusters:
                return layer
            if self.preserve_sparsity:
                return cluster_sparse_weights(layer, self.clusters, centroids, preserve_sparsity=True)
            return clustering.cluster_weights(layer, self.clusters, centroids)

        with _seeded(seed):
            wrapped = _wrapped(to_tf_keras(model), wrap)
            _fit(wrapped, data, training, epochs, seed, teacher=model)
            return to_keras3(clustering.strip_clustering(wrapped), like=model)


@dataclass(frozen=True)
class QuantizationAwareTraining:
    """TFMOT's ``quantize_model``: training that sees its weights and activations rounded to 8 bits.

    What comes back is the original architecture with the trained float weights, before rounding. TFMOT rounds them
    symmetrically to [-127, 127], convolution kernels per output channel, dense and depthwise kernels per tensor; an
    exporter rounds them again on its own grid, which per channel is never coarser. The learned activation ranges have
    no place in a Keras 3 model and are left behind: ``qat | int8`` estimates them again from calibration data. TFMOT
    starts each of them at -6 to 6 and moves it by a thousandth a step, so that a short training sees that grid. A batch
    normalisation after a convolution is trained unfolded, with the batch's own statistics, and comes back as itself;
    folding it stays the exporter's business, and scales whole output channels.

    ``preserve_sparsity`` holds the zeros of a model pruned before (TFMOT's prune-preserving scheme, which masks dense
    and convolution kernels in the forward pass; depthwise ones, which it leaves out, are set back after every step).

    Raises `RecipeError` for less than one epoch.
    """

    epochs: int | None = None
    preserve_sparsity: bool = False

    def __post_init__(self) -> None:
        _check_trains(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a copy of `model` trained with emulated 8-bit quantization.

        Raises `BridgeError` for a model that cannot be carried to tf_keras, or that TFMOT cannot quantize.
        """
        tfmot = import_tfmot()
        epochs = training.epochs if self.epochs is None else self.epochs
        with _seeded(seed):
            carried = to_tf_keras(model)
            callbacks = []
            try:
                if self.preserve_sparsity:
                    scheme = tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
                    annotated = tfmot.quantization.keras.quantize_annotate_model(carried)
                    wrapped = tfmot.quantization.keras.quantize_apply(annotated, scheme)
                    callbacks.append(_holding_depthwise_zeros(wrapped))
                else:
                    wrapped = tfmot.quantization.keras.quantize_model(carried)
            except (RuntimeError, TypeError, ValueError) as error:
                raise BridgeError(
                    f"TFMOT cannot quantize {model.name}: {error}; replace that layer, or use int8, without training"
                ) from error
            _fit(wrapped, data, training, epochs, seed, teacher=model, callbacks=callbacks)
            return to_keras3(wrapped, like=model)


def _wrapped(model: tf_keras.Model, wrap: Callable[[Any, int], Any]) -> tf_keras.Model:
    """Return `model` with every layer that has a kernel or embeddings replaced by ``wrap(layer, count of those)``.

    Depthwise kernels are neither, to TFMOT. Raises `BridgeError`, naming the layer, where TFMOT cannot wrap it.
    """
    import tf_keras

    def replaced(layer: Any) -> Any:
        if isinstance(layer, tf_keras.Model):
            return tf_keras.models.clone_model(layer, clone_function=replaced)
        weight = next((getattr(layer, name) for name in _WRAPPED if hasattr(layer, name)), None)
        if weight is None:
            return layer
        try:
            return wrap(layer, int(np.prod(weight.shape)))
        except ValueError as error:
            raise BridgeError(
                f"TFMOT cannot wrap layer {layer.name}: {error}; use prune(...), or replace it"
            ) from error

    return tf_keras.models.clone_model(model, clone_function=replaced)


def _holding_depthwise_zeros(model: tf_keras.Model) -> Any:
    """Return a callback that sets what is zero in the depthwise kernels of `model` now back to zero after each step."""
    import tensorflow as tf
    import tf_keras

    kernels = [weight for weight in model.weights if weight.name.rpartition("/")[2].startswith("depthwise_kernel:")]
    held = [(kernel, tf.constant(kernel.numpy() != 0, kernel.dtype)) for kernel in kernels]

    def hold(*_: Any) -> None:
        for kernel, mask in held:
            kernel.assign(kernel * mask)

    return tf_keras.callbacks.LambdaCallback(on_train_batch_end=hold)


def _check_trains(epochs: int | None) -> None:
    check_epochs(epochs)
    if epochs == 0:
        raise RecipeError("epochs must be none or at least 1, got 0: TFMOT does this while it trains")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed tf_keras (whose way is to seed Python, NumPy and TensorFlow too), and give Python and NumPy theirs back."""
    import tf_keras

    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - saved, not drawn from
    tf_keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002 - restored, not drawn from


def _fit(
    model: tf_keras.Model,
    data: Dataset,
    training: Training,
    epochs: int,
    seed: int,
    *,
    teacher: keras.Model,
    callbacks: list[Any] | None = None,
) -> None:
    """Train a tf_keras model in place as `retrain` trains a Keras 3 one: the same batches in the same order."""
    import tf_keras

    check_labels(data, model)
    generator = np.random.default_rng(seed)
    targets, loss = objective(teacher, data, training, tf_keras.losses.SparseCategoricalCrossentropy)
    rate = training.learning_rate
    if training.decay == "cosine":
        rate = tf_keras.optimizers.schedules.CosineDecay(rate, training_steps(data, training, epochs))
    model.compile(tf_keras.optimizers.Adam(rate), loss)
    for _ in range(epochs):
        order = generator.permutation(len(data.train_x))
        model.fit(
            data.train_x[order],
            targets[order],
            batch_size=training.batch_size,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
