"""Weight sharing: each kernel holds few distinct values (Han et al. 2016, "Deep Compression", section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from compress.errors import QuantizationError, RecipeError
from compress.quantization.kmeans import Init, kmeans, nearest
from compress.training import check_epochs, clone, kernels, retrain

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training


def share(
    kernel: NDArray[Any],
    clusters: int,
    init: Init,
    generator: np.random.Generator,
    *,
    preserve_sparsity: bool = False,
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return the cluster of each weight, ``(3, 3, 8, 16)``, and the clusters' values, at most ``(clusters + 1,)``.

    The last value is 0, and with `preserve_sparsity` it is the exact zeros', of which k-means then knows nothing;
    without, no weight is of it.

    Raises `QuantizationError` as `kmeans` does.
    """
    held = (kernel == 0) & preserve_sparsity
    values = kmeans(kernel[~held], clusters, init, generator)
    index = np.where(held, len(values), nearest(kernel, values))
    return index, np.append(values, values.dtype.type(0))


class Shared:
    """Holds each kernel to the clusters it falls into before the first step: only their values are trained.

    An update is followed by giving every weight of a cluster the mean of them. Han et al. (3.3) sum the gradients of a
    cluster and take one step down the sum; here Adam scales each weight's gradient first, and the mean keeps the step
    of a cluster within the learning rate, however many weights it has.
    """

    turns = frozenset({1})

    def __init__(self, clusters: int, init: Init, seed: int, *, preserve_sparsity: bool) -> None:
        self.clusters = clusters
        self.init = init
        self.generator = np.random.default_rng(seed)
        self.preserve_sparsity = preserve_sparsity
        self._indices: dict[str, Any] = {}
        self._counts: dict[str, Any] = {}

    def renew(self, model: keras.Model, step: int) -> None:
        """Cluster the kernels of `model`, and set each weight to its cluster's value.

        Raises `QuantizationError`, naming the kernel, for weights that k-means has no meaning for.
        """
        import tensorflow as tf

        del step
        for path, kernel in kernels(model).items():
            try:
                index, values = share(
                    kernel.numpy(), self.clusters, self.init, self.generator, preserve_sparsity=self.preserve_sparsity
                )
            except QuantizationError as error:
                raise QuantizationError(f"{path}: {error}") from error
            kernel.assign(values[index])
            self._indices[path] = tf.constant(index, tf.int32)
            self._counts[path] = tf.constant(np.bincount(index.reshape(-1), minlength=len(values)), tf.float64)

    def project(self, path: str, kernel: Any) -> Any:
        """Return `kernel` with each cluster at the mean of its weights, and the zeros held at zero."""
        import tensorflow as tf

        index, counts = self._indices[path], self._counts[path]
        # in float64: added one by one, a million equal float32 values are off by a hundredth
        sums = tf.math.unsorted_segment_sum(tf.cast(kernel, tf.float64), index, tf.size(counts))
        means = tf.cast(tf.math.divide_no_nan(sums, counts), kernel.dtype)
        return tf.gather(tf.concat([means[:-1], [0]], 0), index)

    def view(self, path: str, kernel: Any) -> Any:
        """Return `kernel`."""
        del path
        return kernel


@dataclass(frozen=True)
class Kmeans:
    """Share weights: at most ``clusters`` distinct values a kernel, those that k-means finds, fine-tuned or not.

    ``init`` places the first centroids: ``linear`` (evenly between the smallest and largest weight, best in Han et al.
    2016, 3.2), ``density_based``, ``forgy`` (drawn weights) or ``kmeans_plus_plus``. With ``preserve_sparsity`` exact
    zeros stay, as one value more. Each layer has its own values; a kernel that has no more than ``clusters`` keeps
    them, and biases and normalisations are not shared. ``epochs`` is how long the shared values (and all that is not
    shared) are fine-tuned: 0 for not at all, none for as long as the subject's training says.

    Raises `RecipeError` for fewer than 2 clusters, an unknown ``init``, or a negative count of epochs.
    """

    clusters: int
    init: Init = "linear"
    preserve_sparsity: bool = False
    epochs: int | None = 0

    def __post_init__(self) -> None:
        if self.clusters < 2 or int(self.clusters) != self.clusters:
            raise RecipeError(f"clusters must be a whole number from 2, got {self.clusters}")
        if self.init not in get_args(Init):
            raise RecipeError(f"init must be one of {', '.join(get_args(Init))}, got {self.init!r}")
        check_epochs(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a copy of `model`, of the same architecture, with shared weights; the same seed gives the same ones.

        Raises `QuantizationError` for weights that are not finite, `RecipeError` when a model to fine-tune is no
        classifier.
        """
        shared = clone(model)
        rule = Shared(self.clusters, self.init, seed, preserve_sparsity=self.preserve_sparsity)
        epochs = training.epochs if self.epochs is None else self.epochs
        if epochs == 0:
            rule.renew(shared, 0)
            return shared
        retrain(shared, data, training, teacher=model, epochs=epochs, seed=seed, constraint=rule)
        return shared
