"""Which axes of a kernel its layer sums over, and which count its outputs.

Both N:M sparsity and a rounding per output channel are about those, not about where Keras puts them: a transposed
convolution keeps its inputs last, a depthwise one has an output for each input, an einsum has what its equation says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import keras


class Axes(NamedTuple):
    """The axes of one kernel: ``outputs`` are not summed over; ``inputs`` counts the inputs of each sum, if any does.

    Of a convolution ``(3, 3, 64, 128)`` they are ``(3,)`` and 2; of a depthwise one ``(3, 3, 64, 1)``, whose outputs
    each have a single input, ``(2, 3)`` and None.
    """

    outputs: tuple[int, ...]
    inputs: int | None


def kernel_axes(model: keras.Model) -> dict[str, Axes]:
    """Return the axes of every kernel of `model` (see `compress.training.kernels`) by its path."""
    found: dict[str, Axes] = {}
    for layer in model._flatten_layers():
        for weight in layer._trainable_variables + layer._non_trainable_variables:
            if weight.name.endswith("kernel") and len(weight.shape) >= 2:
                found[weight.path] = _axes(layer, weight)
    return found


def _axes(layer: Any, weight: Any) -> Axes:
    kind, last = type(layer).__name__, len(weight.shape) - 1
    bases = {base.__name__ for base in type(layer).__mro__}
    if weight.name == "depthwise_kernel" or "BaseDepthwiseConv" in bases:
        return Axes((last - 1, last), None)
    if "BaseConvTranspose" in bases:
        return Axes((last - 1,), last)
    if kind == "EinsumDense":
        operands, _, result = layer.equation.partition("->")
        letters = operands.partition(",")[2].strip()
        outputs = tuple(axis for axis, letter in enumerate(letters) if letter in result)
        summed = [axis for axis in range(last + 1) if axis not in outputs]
        return Axes(outputs, summed[-1] if summed else None)
    return Axes((last,), last - 1)
