"""Data in a folder of labelled pictures: a class a subfolder, as ImageNet's (Deng et al. 2009) are laid out.

    photos/cat/1.jpg  photos/dog/2.png               split by the seed
    photos/train/cat/1.jpg  photos/test/cat/2.jpg    halves of their own (``val`` or ``validation`` for ``test``)

Classes are numbered in the order of their names, or are the names themselves where all are whole numbers. A picture's
largest central square is resized to the model's input, height by width; a model with one channel gets grey.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.own.arrays import Arrays
from compress.own.signature import Signature

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"})
_TESTS = ("test", "val", "validation")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def read_folder(folder: Path, signature: Signature, image_size: int | None) -> Arrays:
    """Return the pictures under `folder`: ``(n, height, width, channels)`` uint8, channels first for a model that is.

    Raises `DataError` that names what is wrong: no pictures, a picture that cannot be decoded, more classes than the
    model has outputs, or a model that takes no pictures, or any size when `image_size` is not given.
    """
    test = next((folder / name for name in _TESTS if (folder / name).is_dir()), None)
    halves = [folder / "train", test] if test is not None and (folder / "train").is_dir() else [folder]
    classes = _classes([half for half in halves if half is not None])
    if signature.classes is not None and max(classes.values()) >= signature.classes:
        raise DataError(
            f"{folder} holds classes up to number {max(classes.values())} ({len(classes)} subfolders), and the model "
            f"has {signature.classes} outputs"
        )
    height, width, channels, first = _layout(folder, signature, image_size)
    found: list[NDArray[Any]] = []
    for half in halves:
        assert half is not None
        files = [(path, classes[name]) for name in classes for path in _pictures(half / name)]
        if not files:
            raise DataError(
                f"{half} holds no pictures; put {', '.join(sorted(SUFFIXES))} files into a subfolder a class"
            )
        pictures = np.stack([_read(path, height, width, channels) for path, _ in files])
        found += [pictures.transpose(0, 3, 1, 2) if first else pictures, np.array([label for _, label in files])]
    return Arrays(*found)


def _classes(halves: list[Path]) -> dict[str, int]:
    names = sorted({path.name for half in halves for path in half.iterdir() if path.is_dir() and _pictures(path)})
    if not names:
        raise DataError(f"{halves[0]} holds no subfolders with pictures; make one a class")
    if all(name.isdecimal() for name in names):
        return {name: int(name) for name in sorted(names, key=int)}
    return {name: number for number, name in enumerate(names)}


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def _layout(folder: Path, signature: Signature, image_size: int | None) -> tuple[int, int, int, bool]:
    """Return height, width and channels of the model's pictures, and whether its channels come first."""
    if signature.takes_records:
        names = ", ".join(end.name for end in signature.inputs)
        raise DataError(f"{folder}: the model takes {names}, which a folder of pictures has not; use .npz")
    shape = signature.sample_shape
    if len(shape) != 3 or not {shape[0], shape[-1]} & _MODES.keys():
        raise DataError(
            f"{folder}: the model's input {signature.inputs[0].name!r} is {shape}, which is no picture; use .npz"
        )
    first = shape[-1] not in _MODES
    height, width = shape[1:] if first else shape[:2]
    channels = shape[0] if first else shape[-1]
    if (height is None or width is None) and image_size is None:
        raise DataError(f"{folder}: the model takes pictures of any size; say which with --image-size")
    return height or image_size or 0, width or image_size or 0, channels or 3, first


def _read(path: Path, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError("reading pictures needs Pillow: pip install compress-bench[data]") from error
    try:
        with Image.open(path) as image:
            scale = min(image.width / width, image.height / height)
            box_width, box_height = width * scale, height * scale
            left, top = (image.width - box_width) / 2, (image.height - box_height) / 2
            box = (left, top, left + box_width, top + box_height)
            resized = image.convert(_MODES[channels]).resize((width, height), Image.Resampling.BILINEAR, box=box)
            return np.asarray(resized).reshape(height, width, channels)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as failure:
        raise DataError(f"{path} cannot be decoded ({failure}); restore the file or remove it") from failure
