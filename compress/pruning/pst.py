"""Parameter-efficient sparse training: which weights go is learnt by small factors, and so is what the others become.

Li et al. 2022, "Parameter-Efficient Sparsity for Large Language Models Fine-Tuning" (IJCAI), and their own code of it
(github.com/alibaba/AliceMind, S4/PST), whose start, scales and frozen weights are these.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import RecipeError
from compress.pruning.axes import kernel_axes
from compress.pruning.masks import kept_count, largest
from compress.pruning.schedule import check_sparsity, polynomial_within, pruning_steps
from compress.training import check_epochs, clone, kernels, retrain, training_steps

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training


@dataclass(frozen=True)
class Pst:
    """Set the fraction ``sparsity`` of each kernel to zero, by importance that a training of small factors learns.

    For a kernel W, as a matrix, ``W + U V`` is trained through U and V of ``rank`` alone, and what it keeps are the
    largest of ``|W + U V| + A B + R + C``: the magnitude, which needs no data, and an importance by data that is of
    ``rank`` (A B) and of rows and columns (R, C). The gradient of the mask goes straight through to the importance.
    Everything else stays frozen, biases, normalisations and embeddings too. At the start V, B, R and C are zero, so
    that the importance is the magnitude; ``epochs=0`` prunes by it. The sparsity rises from 0 polynomially and is
    reached after three quarters of the training.

    Raises `RecipeError` for a sparsity outside [0, 1), a rank below 1, or a negative count of epochs.
    """

    sparsity: float
    rank: int = 8
    epochs: int | None = None

    def __post_init__(self) -> None:
        check_sparsity("sparsity", self.sparsity)
        if self.rank < 1:
            raise RecipeError(f"rank must be at least 1, got {self.rank}")
        check_epochs(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a copy of `model` of exactly the sparsity in each kernel (`kept_count`), the factors multiplied in.

        The same seed gives the same weights, over the same batches in the same order as `Prune`. Raises `RecipeError`
        when the model cannot be trained on `data`.
        """
        pruned = clone(model)
        epochs = training.epochs if self.epochs is None else self.epochs
        axes, generator = kernel_axes(pruned), np.random.default_rng(seed)
        factors = {
            path: Factors(kernel, _rows(kernel.shape, axes[path].outputs), self.rank, generator)
            for path, kernel in kernels(pruned).items()
        }
        if epochs:
            steps = training_steps(data, training, epochs)
            sparse = _Sparse(factors, pruning_steps(polynomial_within(steps, 0.0, self.sparsity), steps))
            retrain(
                pruned,
                data,
                training,
                teacher=model,
                epochs=epochs,
                seed=seed,
                constraint=sparse,
                reparametrization=sparse,
            )
        for path, kernel in kernels(pruned).items():
            kernel.assign(factors[path].pruned(self.sparsity))
        return pruned


class Factors:
    """What is trained of one kernel: U and V, which change it, and A, B, R and C, which tell what of it matters.

    They are of the kernel as a matrix of `rows`: ``(3, 3, 16, 32)`` is ``(144, 32)``.
    """

    def __init__(self, kernel: Any, rows: int, rank: int, generator: np.random.Generator) -> None:
        import keras

        self.kernel = kernel
        self.shape = tuple(kernel.shape)
        self.size = int(np.prod(self.shape))
        self.matrix = rows, self.size // rows

        def variable(name: str, value: NDArray[Any]) -> Any:
            return keras.Variable(value.astype(np.float32), name=f"{kernel.path.replace('/', '_')}_{name}")

        rows, columns = self.matrix
        self.u = variable("u", generator.normal(size=(rows, rank)))
        self.v = variable("v", np.zeros((rank, columns)))
        self.a = variable("a", generator.normal(size=(rows, rank)))
        self.b = variable("b", np.zeros((rank, columns)))
        self.r = variable("r", np.zeros((rows, 1)))
        self.c = variable("c", np.zeros((1, columns)))

    @property
    def variables(self) -> list[Any]:
        """The trainable factors."""
        return [self.u, self.v, self.a, self.b, self.r, self.c]

    def weight(self) -> Any:
        """Return the kernel with its change, as a matrix; gradients reach U and V."""
        import tensorflow as tf

        return tf.reshape(self.kernel.value, self.matrix) + tf.matmul(self.u.value, self.v.value)

    def importance(self, weight: Any) -> Any:
        """Return what each entry of the matrix `weight` matters; gradients reach A, B, R and C, and `weight`."""
        import tensorflow as tf

        return tf.abs(weight) + tf.matmul(self.a.value, self.b.value) + self.r.value + self.c.value

    def masked(self, count: Any) -> Any:
        """Return the kernel's tensor with all but `count` weights zero (more where the last ones are equal)."""
        import tensorflow as tf

        weight = self.weight()
        return tf.reshape(weight * kept_largest(self.importance(weight), count), self.shape)

    def pruned(self, sparsity: float) -> NDArray[Any]:
        """Return the kernel with its change, all but exactly `kept_count` weights zero."""
        weight = self.weight()
        scores = np.asarray(self.importance(weight), np.float32).ravel()
        mask = largest(scores, kept_count(scores.size, sparsity))
        return np.where(mask.reshape(self.shape), weight.numpy().reshape(self.shape), 0)


def kept_largest(scores: Any, count: Any) -> Any:
    """Return 1 for the `count` largest of `scores`, 0 for the others; its gradient is passed on as it comes.

    Bengio et al. 2013, "Estimating or Propagating Gradients Through Stochastic Neurons", section 3.
    """
    import tensorflow as tf

    threshold = tf.math.top_k(tf.reshape(scores, [-1]), tf.convert_to_tensor(count)).values[-1]
    mask = tf.cast(scores >= threshold, scores.dtype)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def straight_through(given: Any) -> Any:
        del given
        return tf.stop_gradient(mask), lambda slope: slope

    return straight_through(scores)


class _Sparse:
    """The sparse training of all kernels: what is trained in their place, and how many weights are kept when."""

    def __init__(self, factors: Mapping[str, Factors], sparsities: Mapping[int, float]) -> None:
        import tensorflow as tf

        self.factors = factors
        self.sparsities = sparsities
        self.counts = {path: tf.Variable(each.size) for path, each in factors.items()}

    @property
    def variables(self) -> list[Any]:
        """The factors of all kernels."""
        return [variable for each in self.factors.values() for variable in each.variables]

    def kernels(self) -> dict[str, Any]:
        """Return the tensors that the forward pass computes with."""
        return {path: each.masked(self.counts[path]) for path, each in self.factors.items()}

    @property
    def turns(self) -> Collection[int]:
        """The steps at which the sparsity rises."""
        return self.sparsities.keys()

    def renew(self, model: keras.Model, step: int) -> None:
        """Keep as many weights as the sparsity of `step` says."""
        del model
        for path, each in self.factors.items():
            self.counts[path].assign(kept_count(each.size, self.sparsities[step]))

    def project(self, path: str, kernel: Any) -> Any:
        """Return `kernel`, which no update moves."""
        del path
        return kernel

    def view(self, path: str, kernel: Any) -> Any:
        """Return `kernel`."""
        del path
        return kernel


def _rows(shape: Sequence[int], outputs: Sequence[int]) -> int:
    """Return the rows of a kernel as a matrix: its sums, where its outputs come last, ``(16, 4, 8)`` of query: 16."""
    first = min(outputs)
    split = first if first and set(outputs) == set(range(first, len(shape))) else len(shape) - 1
    return int(np.prod(shape[:split]))
