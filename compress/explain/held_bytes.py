"""Where the bytes of a file are: a row a tensor, its scales and indices with it, and what no tensor holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compress.artifact import Part
from compress.explain.layers import uses
from compress.runtime.graph import Graph

_SUFFIXES = (".scale", ".zero_point", "_scale", "_zero_point")


@dataclass(frozen=True)
class Held:
    """A tensor's bytes in the file; ``layer`` is who reads it first, as ``CONV_2D conv_2d_0``, '' for nobody."""

    name: str
    layer: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    weight_bytes: int
    scale_bytes: int
    index_bytes: int
    share: float

    @property
    def bytes(self) -> int:
        """All bytes of the tensor: values, scales and indices."""
        return self.weight_bytes + self.scale_bytes + self.index_bytes


def held_bytes(parts: Sequence[Part], graph: Graph) -> list[Held]:
    """Return a row for each constant, largest first; `share` is of the file, which `parts` add up to.

    Scales of activations and metadata belong to no constant: they are what the rows leave over.
    """
    total = sum(part.bytes for part in parts)
    weights = {part.name: part for part in parts if part.kind == "weights"}
    more: dict[str, dict[str, int]] = {name: {"scales": 0, "indices": 0} for name in weights}
    for part in parts:
        owner = _owner(part, weights)
        if owner and part.kind in more[owner]:
            more[owner][part.kind] += part.bytes
    rows = []
    for name, part in weights.items():
        readers = uses(graph, name) if name in graph.tensors else []
        layer = f"{readers[0][0].op} {readers[0][0].name}" if readers else ""
        scales, indices = more[name]["scales"], more[name]["indices"]
        share = (part.bytes + scales + indices) / total
        rows.append(Held(name, layer, part.dtype, part.shape, part.elements, part.bytes, scales, indices, share))
    return sorted(rows, key=lambda row: -row.bytes)


def _owner(part: Part, weights: dict[str, Part]) -> str:
    """Return the constant that scales or indices belong to by their name; '' for none of them."""
    if part.kind not in ("scales", "indices") or part.name.startswith("activation:"):
        return ""
    stem = next((part.name.removesuffix(end) for end in _SUFFIXES if part.name.endswith(end)), "")
    if part.kind == "indices":
        stem = part.name.rpartition(".")[0]
    # ONNX Runtime's quantizer calls them kernel_quantized and kernel_scale
    return next((name for name in (stem, f"{stem}_quantized") if name in weights), "")
