"""An artifact: a compressed model as a file, and what every byte of it is. Plain data; nothing heavy is imported."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from compress.curve import Curve

FORMATS = {"litert": "tflite", "onnx": "onnx", "keras": "weights.h5"}
"""File format (and suffix) that each target runtime loads."""

Kind = Literal["weights", "scales", "indices", "metadata"]


@dataclass(frozen=True)
class Part:
    """A run of bytes in a model file that means one thing.

    ``kind`` is ``weights`` (constant tensors, biases included), ``scales`` (quantization scales and zero points),
    ``indices`` (codebook or sparse indices) or ``metadata`` (graph, names, padding: all the rest). `dtype` is the
    storage type by its numpy name (``int4`` for packed nibbles); ``elements`` counts values.
    """

    name: str
    kind: Kind
    dtype: str
    elements: int
    bytes: int
    zeros: int = 0
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """A compressed model on disk and how it was made.

    ``compress_time_s`` is the wall time of all the recipe's steps, retraining included, without loading frameworks.
    ``made_with`` names the library versions that shaped the bytes. ``gzip_bytes`` is the gzipped size, found out once
    when the file was built, as that takes seconds for sparse float16 weights; 0 when nobody has. ``curves`` are what
    the steps recorded of their trainings, in the order of the steps.
    """

    path: Path
    subject: str
    recipe: str
    runtime: str
    sha256: str
    raw_bytes: int
    compress_time_s: float
    made_with: dict[str, str] = field(default_factory=dict)
    gzip_bytes: int = 0
    curves: tuple[Curve, ...] = ()

    @property
    def format(self) -> str:
        """File format, by the suffix that its runtime expects."""
        return FORMATS[self.runtime]


def sha256_of(content: bytes) -> str:
    """Return the hexadecimal SHA-256 of `content`."""
    return hashlib.sha256(content).hexdigest()
