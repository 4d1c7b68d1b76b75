"""What a file is run on: samples of one's own data, as `compress-bench run` reads it, or noise of a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.own.data import DataOptions, OwnData
from compress.own.signature import Signature, named
from compress.records import fields
from compress.runtime.graph import Graph
from compress.runtime.signature import End, read_ends


@dataclass(frozen=True)
class Samples:
    """`feeds`, an array for each input of the file: ``(n, 1, 28, 28, 1)``, what each of n runs is given.

    ``described`` says where they are from. ``labels`` are ``(n,)`` where the data has classes; ``calibration`` is laid
    out as `feeds` are, None where the data has none apart.
    """

    feeds: tuple[NDArray[Any], ...]
    described: str
    labels: NDArray[np.int64] | None = None
    calibration: tuple[NDArray[Any], ...] | None = None

    def first(self, count: int) -> Samples:
        """Return the first `count` of the samples."""
        labels = None if self.labels is None else self.labels[:count]
        return Samples(tuple(each[:count] for each in self.feeds), self.described, labels, self.calibration)


def noise(graph: Graph, count: int, seed: int) -> Samples:
    """Return `count` samples of standard normal noise for the inputs of `graph`; integers are 0 or 1.

    Raises `DataError` when the file leaves the shape of an input open.
    """
    generator = np.random.default_rng(seed)
    feeds = []
    for name in graph.inputs:
        shape = graph.tensors[name].shape
        if shape is None:
            raise DataError(f"the file leaves the shape of its input {name!r} open; give it samples with --data")
        if graph.dtype(name) in ("int32", "int64", "bool"):
            feeds.append(generator.integers(2, size=(count, *shape)).astype(graph.dtype(name)))
        else:
            feeds.append(generator.standard_normal((count, *shape), np.float32))
    return Samples(tuple(feeds), f"{count} samples of noise (standard normal, seed {seed}), not of data")


def read_samples(data: str, content: bytes, runtime: str, options: DataOptions) -> Samples:
    """Return samples of `data` for the file `content`: those to be scored, and apart from them those to calibrate with.

    `data` is whatever `compress.own.data` reads. Raises `DataError` that names it and the remedy.
    """
    inputs, outputs = (named(ends) for ends in read_ends(content, runtime))
    found = OwnData(data, Signature(inputs, outputs, parameters=0), options)()
    scored, calibrated = (
        tuple(_laid_out(values, end, data) for values, end in zip(fields(x).values(), inputs, strict=True))
        for x in (found.evaluation_x, found.train_x)
    )
    labels = found.evaluation_y if found.is_labelled and found.evaluation_y.ndim == 1 else None
    return Samples(
        scored,
        f"{len(scored[0])} samples of {Path(data).name}",
        labels if labels is not None and labels.dtype.kind in "iu" else None,
        calibrated,
    )


def _laid_out(values: NDArray[Any], end: End, data: str) -> NDArray[Any]:
    """Return ``(n, 28, 28, 1)`` as ``(n, 1, 28, 28, 1)``, the batches that an input takes, a free one being 1."""
    sizes = end.shape[1:]
    batch = (end.shape[0] or 1) if end.shape else 1
    fits = len(sizes) == values.ndim - 1 and all(
        size in (None, got) for size, got in zip(sizes, values.shape[1:], strict=True)
    )
    whole = len(values) // batch
    if (end.shape and not fits) or not whole:
        raise DataError(f"{data}: samples {values.shape}, and the input {end.name!r} takes {end.shape}")
    return values[: whole * batch].reshape(whole, batch, *values.shape[1:])


def split(feeds: Sequence[NDArray[Any]], count: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield what each of the first `count` runs is given."""
    yield from zip(*(each[:count] for each in feeds), strict=True)
