"""What a LiteRT file must weigh: elements times bytes for every tensor, plus its scales (Saxena et al. 2024, III-A)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from compress.artifact import Part

SCALE_BYTES = 4


@dataclass(frozen=True)
class Format:
    """How an engine stores a network: bytes of a weight and of a bias, and which tensors carry scales.

    Tensors of fewer than ``least_elements``, and all biases unless ``scales_biases``, stay float32 without scales when
    weights are integers; ``scales_activations`` says whether every tensor between operations has a scale as well.
    """

    weight_bytes: int
    bias_bytes: int
    scales: Literal["none", "tensor", "channel"] = "none"
    scales_biases: bool = False
    scales_activations: bool = False
    least_elements: int = 0


_INTEGER = Format(1, 4, "channel", scales_biases=True, scales_activations=True)
_INT16X8 = Format(1, 8, "channel", scales_biases=True, scales_activations=True)

FORMATS: Mapping[str, Format] = {
    "float32": Format(4, 4),
    "float16": Format(2, 2),
    "float16(engine=ai_edge)": Format(2, 4),
    "dynamic_range": Format(1, 4, "channel", least_elements=1024),
    "dynamic_range(engine=ai_edge)": Format(1, 4, "channel"),
    "int8": _INTEGER,
    "int8(engine=ai_edge)": _INTEGER,
    "int8(granularity=tensor)": Format(1, 4, "tensor", scales_biases=True, scales_activations=True),
    "int16x8": _INT16X8,
    "int16x8(engine=ai_edge)": _INT16X8,
}
"""Recipe -> how it stores a network of convolutional and dense layers."""


@dataclass(frozen=True)
class Stored:
    """What a tensor, or a sum of them, takes: bytes of the values and number of scales."""

    value_bytes: int
    scales: int

    def __add__(self, other: Stored) -> Stored:
        return Stored(self.value_bytes + other.value_bytes, self.scales + other.scales)

    @property
    def bytes(self) -> int:
        """Bytes of the values and of their scales, zero points left out."""
        return self.value_bytes + SCALE_BYTES * self.scales


def stored_tensor(tensor: Part, layer_channels: int, format_: Format) -> Stored:
    """Return what `tensor`, a constant of the float32 file, takes; its layer has `layer_channels` outputs.

    A dense kernel ``(300, 784)`` in `dynamic_range` takes 235,200 bytes and 300 scales, its bias 1,200 bytes.
    """
    is_bias = len(tensor.shape) < 2
    width = format_.bias_bytes if is_bias else format_.weight_bytes
    if format_.scales == "none":
        return Stored(tensor.elements * width, 0)
    if not is_bias and tensor.elements < format_.least_elements:
        return Stored(tensor.elements * 4, 0)
    if is_bias and not format_.scales_biases:
        return Stored(tensor.elements * width, 0)
    return Stored(tensor.elements * width, layer_channels if format_.scales == "channel" else 1)


def stored_network(constants: Iterable[Part], operations: int, format_: Format) -> Stored:
    """Return what all `constants` of a float32 file take, with the scales between its `operations` and at its ends."""
    total = Stored(0, operations + 1 if format_.scales_activations else 0)
    for tensor in constants:
        total += stored_tensor(tensor, tensor.shape[0], format_)
    return total
