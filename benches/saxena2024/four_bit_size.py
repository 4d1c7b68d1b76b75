"""What a 4-bit ONNX file must weigh: half a byte a value and a float32 a block, tensor by tensor.

Operators as in ONNX Runtime's docs/ContribOperators.md: MatMulNBits fills the last block of a column up, MatMulBnb4
runs on from column to column, GatherBlockQuantized has blocks along a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from fixtures.published_sizes import Weight

Storage = Literal["float32", "float16", "int4", "nf4"]

SCALE_BYTES = 4
LEAST_BLOCK = 16


def stored_bytes(weight: Weight, storage: Storage, block: int) -> int:
    """Return the bytes of all copies of a tensor, scales included; a vector stays float32 in a 4-bit file.

    ``(4096, 4096)`` in ``int4`` of 32 takes 8,388,608 bytes of codes and 2,097,152 of scales. A token embedding is
    looked up by rows, in int4 blocks that divide them, of `block` values or fewer.
    """
    if storage in ("float32", "float16"):
        return weight.elements * (4 if storage == "float32" else 2)
    if len(weight.shape) < 2 or min(weight.shape) < block:
        return weight.elements * 4
    inputs, outputs = weight.shape
    if weight.name == "token_embedding":
        block = largest_block(outputs, block)
        blocks, values = weight.elements // block, weight.elements
    elif storage == "nf4":
        blocks, values = weight.copies * -(-inputs * outputs // block), weight.elements
    else:
        blocks = weight.copies * outputs * -(-inputs // block)
        values = blocks * block
    return values // 2 + SCALE_BYTES * blocks


def largest_block(width: int, most: int) -> int:
    """Return the largest half of a half of `most` that divides `width`: ``(96, 64) -> 32``; 0 below 16."""
    while most >= LEAST_BLOCK and width % most:
        most //= 2
    return most if most >= LEAST_BLOCK else 0


def model_bytes(weights: Iterable[Weight], storage: Storage, block: int = 32) -> int:
    """Return the bytes of all tensors of a model, its file's graph left out."""
    return sum(stored_bytes(weight, storage, block) for weight in weights)
