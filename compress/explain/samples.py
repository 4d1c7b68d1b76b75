"""What a file is run on: the samples of an ``.npz`` file, or noise of a seed, laid out as its inputs want them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.runtime.graph import Graph

LABELS = ("y", "labels", "y_test", "evaluation_y")
INPUTS = ("x", "inputs", "x_test", "evaluation_x")
CALIBRATION = ("calibration", "calibration_x", "x_train", "train_x")


@dataclass(frozen=True)
class Samples:
    """`feeds`, an array for each input of the file: ``(n, 1, 28, 28, 1)``, what each of n runs is given.

    ``described`` says where they are from. ``labels`` are ``(n,)`` where the data has them; ``calibration`` is laid out
    as `feeds` are, None where the data has none apart.
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
    """Return `count` samples of standard normal noise for the inputs of `graph`; integers are 0 or 1."""
    generator = np.random.default_rng(seed)
    feeds = []
    for name in graph.inputs:
        shape = (count, *_run_shape(graph, name))
        if graph.dtype(name) in ("int32", "int64", "bool"):
            feeds.append(generator.integers(2, size=shape).astype(graph.dtype(name)))
        else:
            feeds.append(generator.standard_normal(shape, np.float32))
    return Samples(tuple(feeds), f"{count} samples of noise (standard normal, seed {seed}), not of data")


def read_samples(path: Path, graph: Graph, count: int) -> Samples:
    """Return the first `count` samples of an ``.npz`` file for the inputs of `graph`.

    An input's array carries its name; that of an only input may be called ``x`` too, or be the only one that fits.
    Labels are ``y`` or ``labels``, calibration samples ``calibration``. Raises `DataError` that names file and remedy.
    """
    arrays = _arrays(path)
    found = [_find(arrays, name, _run_shape(graph, name), path, only=len(graph.inputs) == 1) for name in graph.inputs]
    lengths = {len(each) for each in found}
    if len(lengths) != 1 or 0 in lengths:
        raise DataError(f"{path}: inputs of {', '.join(map(str, sorted(lengths)))} samples; save as many of each")
    (total,) = lengths
    taken = min(count, total)
    labels = next((arrays[name] for name in LABELS if name in arrays), None)
    if labels is not None and (labels.shape != (total,) or labels.dtype.kind not in "iu"):
        raise DataError(f"{path}: labels of shape {labels.shape} for {total} samples; save one whole number a sample")
    calibration = None
    if len(graph.inputs) == 1 and (name := next((each for each in CALIBRATION if each in arrays), "")):
        calibration = (_laid_out(arrays[name], _run_shape(graph, graph.inputs[0]), path, name),)
    return Samples(
        tuple(each[:taken] for each in found),
        f"{taken} of {total} samples in {path.name}",
        None if labels is None else np.asarray(labels[:taken], np.int64),
        calibration,
    )


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = {name: np.asarray(file[name]) for name in file.files}
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; check the path") from error
    except (ValueError, EOFError, zipfile.BadZipFile, KeyError, TypeError) as error:  # TypeError: a lone .npy array
        raise DataError(f"{path} is no whole .npz file of numbers: {error}; save it with np.savez") from error
    return {name: values for name, values in found.items() if values.ndim and values.dtype.kind in "fiub"}


def _find(
    arrays: dict[str, NDArray[Any]], name: str, shape: tuple[int, ...], path: Path, *, only: bool
) -> NDArray[Any]:
    names = [name, *(INPUTS if only else ())]
    key = next((each for each in names if each in arrays), "")
    if not key and only:
        fitting = [each for each, values in arrays.items() if _fits(values, shape)]
        key = fitting[0] if len(fitting) == 1 else ""
    if not key:
        raise DataError(
            f"{path}: no array {' or '.join(names[:2])!r} for the input of shape {shape}; there are "
            f"{', '.join(f'{each} {values.shape}' for each, values in arrays.items()) or 'none'}"
        )
    return _laid_out(arrays[key], shape, path, key)


def _fits(values: NDArray[Any], shape: tuple[int, ...]) -> bool:
    return values.shape[1:] in (shape, shape[1:])


def _laid_out(values: NDArray[Any], shape: tuple[int, ...], path: Path, name: str) -> NDArray[Any]:
    """Return ``(n, 28, 28, 1)`` as ``(n, 1, 28, 28, 1)`` for an input that takes a sample at a time."""
    if values.shape[1:] == shape:
        return values
    batch = shape[0] if shape else 0
    if values.shape[1:] != shape[1:] or not batch:
        raise DataError(f"{path}: {name} has samples of shape {values.shape[1:]}, the file takes {shape[1:]}")
    whole = len(values) // batch * batch
    return values[:whole].reshape(whole // batch, *shape)


def _run_shape(graph: Graph, name: str) -> tuple[int, ...]:
    shape = graph.tensors[name].shape
    if shape is None:
        raise DataError(f"the file does not say which shape its input {name!r} has; export it with one")
    return shape


def split(feeds: Sequence[NDArray[Any]], count: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield what each of the first `count` runs is given."""
    yield from zip(*(each[:count] for each in feeds), strict=True)
