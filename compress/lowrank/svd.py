"""Dense and 1x1-convolution layers as two thinner ones, by truncated singular value decomposition.

Denton et al. 2014, "Exploiting Linear Structure Within Convolutional Networks for Efficient Evaluation", section 3.
No approximation of a rank is nearer, in Frobenius norm (Eckart & Young 1936).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelFileError, RecipeError
from compress.training import check_epochs, inputs_like, retrain

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training


def rank_left(inputs: int, outputs: int, removed_fraction: float) -> int | None:
    """Return the rank whose factors hold all but `removed_fraction` of a matrix's parameters, or None if none is less.

    ``floor((1 - removed_fraction) * inputs * outputs / (inputs + outputs))``, at least 1: ``(512, 512, 0.5) -> 128``.
    """
    kept = (1 - Fraction(str(removed_fraction))) * inputs * outputs
    rank = max(int(kept / (inputs + outputs)), 1)
    return rank if rank * (inputs + outputs) < inputs * outputs else None


def factors(matrix: NDArray[Any], rank: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the two factors of `rank` whose product is nearest to `matrix`: ``(m, n) -> (m, rank), (rank, n)``.

    Each holds the square roots of the singular values, so that neither trains faster than the other. Of `matrix`'s
    dtype.
    """
    left, singular, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    root = np.sqrt(singular[:rank])
    return (left[:, :rank] * root).astype(matrix.dtype), (root[:, None] * right[:rank]).astype(matrix.dtype)


@dataclass(frozen=True)
class Svd:
    """Replace every dense layer and 1x1 convolution by two of a lower rank, ``<layer>_u`` and ``<layer>_v``.

    Rank ``floor((1 - removed_fraction) * m * n / (m + n))`` for m inputs and n outputs, at least 1: the two kernels
    then hold ``removed_fraction`` fewer parameters than the one, or just more than that. The classifier is no
    exception: at 0.9, one of 500 inputs and 10 classes is of rank 1, and two epochs recover nothing. A layer that no
    rank makes smaller stays, as do grouped, depthwise and wider convolutions, and layers that hold their kernel to a
    constraint. The first factor takes a convolution's stride, the second the bias and the activation. A layer that is
    called twice shares its two factors; models in models are rebuilt too. ``epochs`` is how long the smaller model is
    retrained: 0 for not at all, none for as long as the subject's training says.

    Raises `RecipeError` for a fraction outside (0, 1), or a negative count of epochs.
    """

    removed_fraction: float
    epochs: int | None = 0

    def __post_init__(self) -> None:
        if not 0 < self.removed_fraction < 1:
            raise RecipeError(f"removed_fraction must be in (0, 1), got {self.removed_fraction}")
        check_epochs(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a smaller model that computes nearly what `model` does, of its inputs' names and its own.

        Raises `RecipeError` when no layer can be replaced, or the model is neither functional nor sequential;
        `ModelFileError` for weights that are not finite.
        """
        smaller = factorised(model, self.removed_fraction)
        epochs = training.epochs if self.epochs is None else self.epochs
        if epochs:
            retrain(smaller, data, training, teacher=model, epochs=epochs, seed=seed)
        return smaller


def factorised(model: keras.Model, removed_fraction: float) -> keras.Model:
    """Return `model` rebuilt with its dense layers and 1x1 convolutions factorised. Raises as `Svd.transform`."""
    import keras

    if not _is_graph(model):
        raise RecipeError(f"{model.name} is a {type(model).__name__}: svd rebuilds functional and sequential models")
    parts: dict[int, tuple[Any, list[Any]]] = {}
    rebuilt = _rebuilt(model, removed_fraction, parts)
    if not any(len(made) == 2 for _, made in parts.values()):
        raise RecipeError(
            f"{model.name} has no dense layer or 1x1 convolution that two of a lower rank would make smaller; "
            "leave svd out, or remove a larger fraction"
        )
    for layer, made in parts.values():
        if len(made) == 2:
            _set_factors(layer, *made)
        elif isinstance(layer, keras.layers.Layer) and not _is_graph(layer):  # an operation (x + y) has no weights
            made[0].set_weights(layer.get_weights())
    return rebuilt


def _is_graph(layer: Any) -> bool:
    """Return whether `layer` is a model that is nothing but its layers: one of Keras's own classes, not a subclass."""
    import keras

    # the class of functional models has no public name
    own = type(layer).__name__ in ("Functional", "Sequential") and type(layer).__module__.startswith("keras.")
    return own and isinstance(layer, keras.Model)


def _rebuilt(model: keras.Model, removed_fraction: float, parts: dict[int, tuple[Any, list[Any]]]) -> keras.Model:
    """Return `model` of new layers, and note in `parts` the one or two that each layer became, by its identity."""
    import keras

    def made_of(layer: Any) -> list[Any]:
        if id(layer) not in parts:
            if _is_graph(layer):
                made = [_rebuilt(layer, removed_fraction, parts)]
            else:
                made = _pair(layer, removed_fraction) or [type(layer).from_config(layer.get_config())]
            parts[id(layer)] = layer, made
        return parts[id(layer)][1]

    if isinstance(model, keras.Sequential):
        layers = [made for layer in model.layers for made in made_of(layer)]
        return keras.Sequential([inputs_like(model), *layers], name=model.name)
    second = {}

    def first(layer: Any) -> Any:
        made = made_of(layer)
        if len(made) == 2:
            second[id(made[0])] = made[1]
        return made[0]

    def call(layer: Any, *args: Any, **options: Any) -> Any:
        outputs = layer(*args, **options)
        return second[id(layer)](outputs) if id(layer) in second else outputs

    return keras.models.clone_model(model, input_tensors=inputs_like(model), clone_function=first, call_function=call)


def _pair(layer: Any, removed_fraction: float) -> list[Any] | None:
    """Return the two unbuilt layers that take the place of `layer`, or None where it stays."""
    import keras

    if type(layer) is keras.layers.Dense:
        width, pointwise = "units", {}
    elif type(layer) is keras.layers.Conv2D and layer.kernel_size == (1, 1) and layer.groups == 1:
        width, pointwise = "filters", {"strides": 1, "dilation_rate": 1}
    else:
        return None
    rank = rank_left(layer.kernel.shape[-2], layer.kernel.shape[-1], removed_fraction)
    if rank is None or layer.kernel_constraint is not None:
        return None
    config = layer.get_config()
    first = {
        "name": f"{layer.name}_u",
        width: rank,
        "use_bias": False,
        "activation": None,
        "activity_regularizer": None,
    }
    return [
        type(layer).from_config({**config, **first}),
        type(layer).from_config({**config, **pointwise, "name": f"{layer.name}_v"}),
    ]


def _set_factors(layer: Any, first: Any, second: Any) -> None:
    kernel = layer.kernel.numpy()
    if not np.isfinite(kernel).all():
        raise ModelFileError(f"{layer.name} holds NaN or infinite weights, which have no singular values")
    left, right = factors(kernel.reshape(kernel.shape[-2:]), first.kernel.shape[-1])
    first.kernel.assign(left.reshape(first.kernel.shape))
    second.kernel.assign(right.reshape(second.kernel.shape))
    if layer.use_bias:
        second.bias.assign(layer.bias.numpy())
