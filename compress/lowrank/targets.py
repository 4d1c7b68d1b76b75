"""Which dense layers of a model are adapted, and their kernels as matrices, inputs by outputs.

Names after keras-hub's attention layers: ``query`` (BERT, GPT-2, Llama), ``query_dense`` (Falcon), ``query_projector``
(T5). Hu et al. 2021, section 4.2, adapt the attention's matrices only, and of those query and value in their tables.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from compress.errors import RecipeError

if TYPE_CHECKING:
    import keras

Targets = Literal["query_value", "attention", "all"]
"""The query and value projections of attention, all four projections, or every dense layer."""


@dataclass(frozen=True)
class Target:
    """A dense layer: its ``path``, its kernel's ``shape``, and the axes of it that are inputs and outputs.

    ``(768, 12, 64)`` of a query projection has inputs ``(0,)`` and outputs ``(1, 2)``: a matrix of 768 by 768.
    """

    path: str
    shape: tuple[int, ...]
    input_axes: tuple[int, ...]
    output_axes: tuple[int, ...]

    @property
    def inputs(self) -> int:
        """Rows of the kernel as a matrix."""
        return math.prod(self.shape[axis] for axis in self.input_axes)

    @property
    def outputs(self) -> int:
        """Columns of the kernel as a matrix."""
        return math.prod(self.shape[axis] for axis in self.output_axes)

    def kernel(self, matrix: Any) -> Any:
        """Return ``(inputs, outputs)`` in the kernel's own shape, of numpy or a tensor traced into a graph."""
        axes = (*self.input_axes, *self.output_axes)
        unfolded = tuple(self.shape[axis] for axis in axes)
        back = tuple(int(axis) for axis in np.argsort(axes))
        if isinstance(matrix, np.ndarray):
            return matrix.reshape(unfolded).transpose(back)
        from keras import ops

        return ops.transpose(ops.reshape(matrix, unfolded), back)

    def matrix(self, kernel: NDArray[Any]) -> NDArray[Any]:
        """Return a kernel as ``(inputs, outputs)``: the inverse of `kernel`."""
        return kernel.transpose((*self.input_axes, *self.output_axes)).reshape(self.inputs, self.outputs)


def dense_layers(model: keras.Model) -> dict[str, Any]:
    """Return every dense and einsum layer of `model` by its path, each once, however deep it lies.

    Raises `RecipeError` when two have one path.
    """
    import keras

    found: dict[str, Any] = {}
    for layer in model._flatten_layers(include_self=False):
        is_dense = isinstance(layer, (keras.layers.Dense, keras.layers.EinsumDense))
        if is_dense and found.setdefault(layer.path, layer) is not layer:
            raise RecipeError(f"{model.name} has two dense layers called {layer.path}; give them names of their own")
    return found


def find_targets(model: keras.Model, targets: Targets) -> list[Target]:
    """Return those of `model`'s dense layers that `targets` names, by path.

    Raises `RecipeError` when there is none, or one has a kernel that is no matrix (an axis of inputs and outputs both).
    """
    layers = dense_layers(model)
    chosen = sorted(path for path in layers if _is_target(path, targets))
    if not chosen:
        shown = ", ".join(list(layers)[:6]) or "none at all"
        raise RecipeError(
            f"{model.name} has no dense layer among lora's targets={targets}; it has {shown}; "
            "targets=all takes every one"
        )
    return [target_of(path, layers[path]) for path in chosen]


def target_of(path: str, layer: Any) -> Target:
    """Return how the kernel of a dense or einsum layer is a matrix. Raises `RecipeError` when it is none."""
    shape = tuple(layer.kernel.shape)
    equation = getattr(layer, "equation", None)
    if equation is None:
        return Target(path, shape, (0,), (1,))
    taken, _, given = equation.replace("...", "").partition("->")
    before, _, kernel = taken.partition(",")
    summed = tuple(axis for axis, letter in enumerate(kernel) if letter not in given)
    kept = tuple(axis for axis, letter in enumerate(kernel) if letter in given)
    if not summed or not kept or any(kernel[axis] in before for axis in kept):
        raise RecipeError(f"{path} computes {equation}, which is no product with one matrix; lora cannot adapt it")
    return Target(path, shape, summed, kept)


def lora_parameters(model: keras.Model, rank: int, targets: Targets = "query_value") -> int:
    """Return how many parameters ``lora(rank)`` trains: rank x (inputs + outputs) a target (Hu et al. 2021, 4.2)."""
    return counted([(target.inputs, target.outputs) for target in find_targets(model, targets)], rank)


def counted(shapes: Sequence[tuple[int, int]], rank: int) -> int:
    """Return the parameters of adapters of `rank` for matrices of these ``(inputs, outputs)``.

    24 of ``(768, 768)`` at rank 4, GPT-2 small's queries and values, have 147,456.
    """
    return sum(rank * (inputs + outputs) for inputs, outputs in shapes)


def _is_target(path: str, targets: Targets) -> bool:
    *parents, name = path.split("/")
    if targets == "all":
        return True
    in_attention = bool(parents) and "attention" in parents[-1]
    return in_attention and (targets == "attention" or name.startswith(("query", "value")))
