"""Multiply-adds of a model file at one sample, from the shapes of its operations; nothing is run.

Operations as in LiteRT's schema and in https://onnx.ai/onnx/operators/. Counted as papers on mobile networks do (Howard
et al. 2017, 3.1): additions of biases, activations, pooling and everything elementwise are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import isqrt, prod
from typing import cast

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """An operation of a file's graph, and the shapes of what it reads and writes; None where the file says none."""

    name: str
    inputs: tuple[Shape | None, ...]
    outputs: tuple[Shape | None, ...]


_KERNELS: dict[str, tuple[int | None, int, Callable[[Shape], int]]] = {
    "CONV_2D": (None, 1, lambda kernel: prod(kernel[1:])),
    "CONV_3D": (None, 1, lambda kernel: prod(kernel[:-1])),
    "DEPTHWISE_CONV_2D": (None, 1, lambda kernel: prod(kernel[:-1])),
    "FULLY_CONNECTED": (None, 1, lambda kernel: kernel[-1]),
    "TRANSPOSE_CONV": (2, 1, lambda kernel: prod(kernel[:-1])),
    "Conv": (None, 1, lambda kernel: prod(kernel[1:])),
    "ConvInteger": (None, 1, lambda kernel: prod(kernel[1:])),
    "QLinearConv": (None, 3, lambda kernel: prod(kernel[1:])),
    "ConvTranspose": (0, 1, lambda kernel: prod(kernel[1:])),
}
"""Operation -> (input that the kernel is applied over, None: the output; the kernel's input; products an element)."""

_PRODUCTS = {
    "BATCH_MATMUL": (0, 1),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
    "com.microsoft.DynamicQuantizeMatMul": (0, 1),
    "com.microsoft.FusedMatMul": (0, 1),
    "com.microsoft.MatMulBnb4": (0, 1),
    "com.microsoft.MatMulNBits": (0, 1),
    "com.microsoft.MatMulIntegerToFloat": (0, 1),
    "com.microsoft.QGemm": (0, 3),
}
"""Operation -> inputs that hold the two matrices, either of them perhaps transposed."""


_READERS = {"litert": "compress.runtime.tflite", "onnx": "compress.runtime.onnx_file"}
"""Runtime -> module with ``operations``."""


def multiply_adds(content: bytes, runtime: str) -> int | None:
    """Return the multiply-adds of convolutions and matrix products in a model file, a loop's body once.

    None for a Keras weight file, which holds no graph, and where a shape that is needed is not known before the file is
    run. Raises `ModelFileError` when the content is not a whole model of `runtime`.
    """
    if runtime not in _READERS:
        return None
    reader = cast("Callable[[bytes], Sequence[Operation]]", import_module(_READERS[runtime]).operations)
    total = 0
    for operation in reader(content):
        found = _cost(operation)
        if found is None:
            return None
        total += found
    return total


def _cost(operation: Operation) -> int | None:
    """Return the multiply-adds of an operation, 0 for one that is not counted, None when a shape is missing."""
    if operation.name in _KERNELS:
        every, weights, taps = _KERNELS[operation.name]
        over = operation.outputs[0] if every is None else operation.inputs[every]
        kernel = operation.inputs[weights]
        return None if over is None or kernel is None else prod(over) * taps(kernel)
    if operation.name in _PRODUCTS:
        left, right = (operation.inputs[position] for position in _PRODUCTS[operation.name])
        return None if left is None or right is None else _product(left, right, operation.outputs[0])
    return 0


def _product(left: Shape, right: Shape, output: Shape | None) -> int | None:
    """Return the multiply-adds of ``(..., m, k) x (..., k, n) -> (..., m, n)``, whichever operand is transposed.

    The elements of the three matrices are mk, kn and mn, so that (mkn)^2 is their product.
    """
    if output is None:
        return None
    if min(len(left), len(right)) < 2:  # a vector is as long as what is summed over
        return prod(output) * min(left, right, key=len)[0]
    return isqrt(prod(left[-2:]) * prod(right[-2:]) * prod(output[-2:])) * prod(output[:-2])
