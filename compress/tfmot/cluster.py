"""TFMOT's weight clustering: training around few values a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from compress.errors import RecipeError
from compress.tfmot.bridge import to_keras3, to_tf_keras
from compress.tfmot.training import fit, import_tfmot, seeded, wrapped
from compress.training import check_epochs

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training

CentroidInit = Literal["linear", "density_based", "kmeans_plus_plus"]


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

        with seeded(seed):
            clustered = wrapped(to_tf_keras(model), wrap)
            fit(clustered, data, training, epochs, seed, teacher=model)
            return to_keras3(clustering.strip_clustering(clustered), like=model)
