"""Size: raw and gzipped bytes of a file, and what every byte is."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable

from compress.artifact import Part

GZIP_LEVEL = 9


def gzip_bytes(content: bytes) -> int:
    """Return the size of `content` after gzip at level 9, in bytes (Ishtiaq et al., III, measure gzipped files)."""
    return len(gzip.compress(content, GZIP_LEVEL, mtime=0))


def bytes_by_kind(parts: Iterable[Part]) -> dict[str, int]:
    """Return the bytes of each kind of part; the sum is the size of the file."""
    total = Counter({"weights": 0, "scales": 0, "indices": 0, "metadata": 0})
    for part in parts:
        total[part.kind] += part.bytes
    return dict(total)


def elements_by_dtype(parts: Iterable[Part]) -> dict[str, int]:
    """Return the number of constant-tensor elements by storage type, such as ``{"int8": 20280, "int32": 22}``."""
    total: Counter[str] = Counter()
    for part in parts:
        if part.kind == "weights":
            total[part.dtype] += part.elements
    return dict(sorted(total.items()))


def sparsity(parts: Iterable[Part]) -> float:
    """Return the fraction of zeros among the weights of two or more dimensions; biases are never pruned nor counted.

    Zero means the stored value that stands for 0.0 (the zero point of a quantized tensor); 0.0 when there are none.
    """
    kernels = [part for part in parts if part.kind == "weights" and len(part.shape) >= 2]
    elements = sum(part.elements for part in kernels)
    return sum(part.zeros for part in kernels) / elements if elements else 0.0
