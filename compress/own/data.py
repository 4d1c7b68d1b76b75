"""Your own data as a subject's: which kind a text names, its split into two halves, and whether it fits the model.

    digits.npz           arrays (`compress.own.archive`)
    photos/              a folder of labelled pictures, a class a subfolder (`compress.own.images`)
    mine:batches         a function that returns arrays or yields batches (`compress.own.function`)

What comes without halves of its own is shuffled by a seed and cut: half to calibrate (and retrain) with, half to score.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.own.arrays import Arrays
from compress.own.signature import Signature
from compress.records import are_records, fields, records
from compress.runtime.signature import End
from compress.subject import UNLABELLED, Dataset

Scaling = Literal["auto", "none", "0..1", "-1..1", "caffe"]

_BGR_MEANS = np.array([103.939, 116.779, 123.68], np.float32)
"""ImageNet's mean of each channel, blue first, which Caffe's models have taken away (as Keras' ``caffe`` mode)."""

SAMPLES = 1000
"""Evaluation samples that are scored at most, unless more are asked for: half a minute at 30 ms a sample."""


@dataclass(frozen=True)
class DataOptions:
    """How data is read and split. Raises `DataError` on a value that has no meaning.

    ``scaling`` of pixels, 0 to 255: ``none`` as they are, ``0..1``, ``-1..1``, ``caffe`` (blue first, means taken
    away); ``auto`` is ``none`` for a model that rescales its input itself, else ``0..1``, and leaves anything but
    pixels alone. ``image_size`` is the side of pictures, in pixels, for a model that takes any. ``evaluation_fraction``
    is the half that is scored, of which ``samples`` at most are.
    """

    scaling: Scaling = "auto"
    image_size: int | None = None
    evaluation_fraction: float = 0.5
    samples: int = SAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        if self.scaling not in get_args(Scaling):
            raise DataError(f"scaling must be one of {', '.join(get_args(Scaling))}, got {self.scaling!r}")
        if self.image_size is not None and not 0 < self.image_size <= 4096:
            raise DataError(f"the size of pictures must be from 1 to 4096 pixels, got {self.image_size}")
        if not 0 < self.evaluation_fraction < 1:
            raise DataError(f"evaluation_fraction must be between 0 and 1, got {self.evaluation_fraction}")
        if self.samples < 1:
            raise DataError(f"samples must be at least 1, got {self.samples}")


@dataclass(frozen=True)
class OwnData:
    """What reads the data: called, it returns a `Dataset`; it can be handed to another process."""

    spec: str
    signature: Signature
    options: DataOptions = DataOptions()

    def __call__(self) -> Dataset:
        """Return the data, split, in the model's type. Raises `DataError` that names the data and the remedy."""
        return _load(self, stamp(Path(self.spec)))

    def digest(self) -> str:
        """Return a digest of all samples and labels, as they are split, and of the options that shaped them."""
        found = hashlib.sha256(repr(sorted(asdict(self.options).items())).encode())
        data = self()
        for array in (data.train_x, data.train_y, data.evaluation_x, data.evaluation_y):
            found.update(f"{array.shape} {array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
        return found.hexdigest()


def stamp(path: Path) -> tuple[int, ...]:
    """Return what changes when somebody writes the file or folder at `path` anew; nothing where there is none."""
    try:
        files = [path, *path.rglob("*")] if path.is_dir() else [path]
        return tuple(number for file in files for number in (file.stat().st_size, file.stat().st_mtime_ns))
    except OSError:
        return ()


@lru_cache(maxsize=4)
def _load(own: OwnData, written: tuple[int, ...]) -> Dataset:
    del written  # tells one state of the file from another
    arrays = read_arrays(own.spec, own.signature, own.options)
    if arrays.evaluation_x is None:
        arrays = split(arrays, own.options)
    assert arrays.evaluation_x is not None
    halves = {}
    for half, x, y in (
        ("train", arrays.x, arrays.y),
        ("evaluation", arrays.evaluation_x, arrays.evaluation_y),
    ):
        halves[f"{half}_x"] = _fitted(own, x, half)
        halves[f"{half}_y"] = np.full(len(x), UNLABELLED) if y is None else _labels(own, y)
    kept = min(own.options.samples, len(halves["evaluation_x"]))
    if kept < len(halves["evaluation_x"]):
        total = len(halves["evaluation_x"])
        chosen = np.sort(np.random.default_rng(own.options.seed).choice(total, kept, replace=False))
        halves |= {name: halves[name][chosen] for name in ("evaluation_x", "evaluation_y")}
    return Dataset(own.spec, **halves)


def read_arrays(spec: str, signature: Signature, options: DataOptions) -> Arrays:
    """Return the samples that `spec` names. Raises `DataError` that names it and the remedy."""
    path = Path(spec)
    if path.is_dir():
        from compress.own.images import read_folder

        return read_folder(path, signature, options.image_size)
    if path.suffix == ".npz":
        from compress.own.archive import read_archive

        return read_archive(path, [end.name for end in signature.inputs])
    if ":" in spec and not path.exists():
        from compress.own.function import call_function

        return call_function(spec)
    known = "an .npz file, a folder of pictures with a class a subfolder, or module:function"
    raise DataError(f"{spec}: {'is none of' if path.exists() else 'there is no such data;'} {known}")


def split(arrays: Arrays, options: DataOptions) -> Arrays:
    """Return `arrays` shuffled by the seed and cut in two; the second part is the half to score.

    Raises `DataError` when there are too few samples for two halves.
    """
    n = len(arrays.x)
    scored = round(n * options.evaluation_fraction)
    if not 0 < scored < n:
        raise DataError(f"{n} samples cannot be split into some to calibrate with and some to score; bring more")
    order = np.random.default_rng(options.seed).permutation(n)
    first, second = np.sort(order[: n - scored]), np.sort(order[n - scored :])
    y = arrays.y
    return Arrays(arrays.x[first], None if y is None else y[first], arrays.x[second], None if y is None else y[second])


def _fitted(own: OwnData, x: NDArray[Any], half: str) -> NDArray[Any]:
    """Return samples as the model takes them, in its types; records of a model with several inputs."""
    inputs = own.signature.inputs
    alone = len(inputs) == 1
    given = fields(x, inputs[0].name)
    if missing := [end.name for end in inputs if end.name not in given]:
        has = ", ".join(given) if are_records(x) else "unnamed"
        raise DataError(f"{own.spec}: the model takes {', '.join(missing)} too, and the {half} samples are {has}")
    ready = {}
    for end in inputs:
        array = _scaled(own, given[end.name], end) if alone else given[end.name]
        _check(own, array, end, half)
        ready[end.name] = array.astype(end.dtype)
    return ready[inputs[0].name] if alone else records(ready)


def _scaled(own: OwnData, x: NDArray[Any], end: End) -> NDArray[Any]:
    scaling, wants = own.options.scaling, np.dtype(end.dtype)
    if scaling == "auto":
        pixels = x.dtype == np.uint8 and wants.kind == "f"
        scaling = "0..1" if pixels and not own.signature.rescales_its_input else "none"
    if scaling == "none":
        return x
    pixels_of = x.astype(np.float32)
    if scaling == "caffe":
        axis = next((axis for axis in (-1, 1) if x.ndim == 4 and x.shape[axis] == 3), None)
        if axis is None:
            raise DataError(f"{own.spec}: scaling caffe is for pictures of three channels, got {x.shape[1:]}")
        means = _BGR_MEANS if axis == -1 else _BGR_MEANS[:, None, None]
        return np.flip(pixels_of, axis) - means
    return pixels_of / np.float32(255) if scaling == "0..1" else pixels_of / np.float32(127.5) - np.float32(1)


def _check(own: OwnData, x: NDArray[Any], wanted: End, half: str) -> None:
    found, shape = x.shape[1:], wanted.shape[1:]
    shown = " x ".join("any" if size is None else str(size) for size in shape) or "a single number"
    if wanted.shape and (
        len(found) != len(shape) or any(size not in (None, got) for size, got in zip(shape, found, strict=True))
    ):
        got = " x ".join(map(str, found)) or "a single number"
        raise DataError(
            f"{own.spec}: a {half} sample is {got}, and the model's input {wanted.name!r} takes {shown}; reshape the "
            "data"
        )
    kinds = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}.get(np.dtype(wanted.dtype).kind, "")
    if x.dtype.kind not in kinds:
        raise DataError(
            f"{own.spec}: the {half} samples are {x.dtype}, and the model's input {wanted.name!r} takes "
            f"{wanted.dtype}; convert the data"
        )
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise DataError(f"{own.spec}: {half} samples hold NaN or infinity; clean the data")


def _labels(own: OwnData, y: NDArray[Any]) -> NDArray[Any]:
    labels = np.asarray(y)
    if labels.dtype.kind not in "iufbU":
        raise DataError(f"{own.spec}: labels are {labels.dtype}; numbers or texts are read")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    one_hot = labels.ndim == 2 and labels.shape[1] == own.signature.classes
    if one_hot and ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all():
        labels = labels.argmax(axis=1)
    if labels.dtype.kind in "iub" or (labels.dtype.kind == "f" and labels.ndim == 1 and (labels % 1 == 0).all()):
        labels = labels.astype(np.int64)
    return labels
