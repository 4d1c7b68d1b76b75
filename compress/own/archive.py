"""Data in an ``.npz`` file: ``x`` and, for labels, ``y``; or ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

``x`` may be called like the model's input, and of a model with several each array is: ``token_ids`` and
``padding_mask``, or ``token_ids_train``, ``token_ids_test`` and so on. What is called ``test`` is scored, and ``train``
calibrates and retrains.
Format: NumPy Enhancement Proposal 1 (Kern, 2007); nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.own.arrays import Arrays
from compress.records import records

_KEYS = "x (and y), or x_train and x_test (and y_train and y_test)"


def read_archive(path: Path, input_names: Sequence[str]) -> Arrays:
    """Return the arrays of the file at `path`. Raises `DataError` that names it, what it holds, and what it should."""
    found = _members(path)
    if len(input_names) > 1:
        found = _as_records(path, found, input_names)
    halves = "x_train" in found and "x_test" in found
    x = "x" if "x" in found else input_names[0]
    if not halves and x not in found:
        raise DataError(f"{path} holds {', '.join(found) or 'nothing'}; name its arrays {_KEYS}")
    if halves:
        arrays = Arrays(found["x_train"], found.get("y_train"), found["x_test"], found.get("y_test"))
        pairs = [("x_train", arrays.x, arrays.y), ("x_test", arrays.evaluation_x, arrays.evaluation_y)]
    else:
        arrays = Arrays(found[x], found.get("y"))
        pairs = [(x, arrays.x, arrays.y)]
    for name, samples, labels in pairs:
        if samples is None or samples.ndim == 0 or len(samples) == 0:
            raise DataError(f"{path}: {name} holds no samples")
        if labels is not None and (labels.ndim == 0 or len(labels) != len(samples)):
            raise DataError(f"{path}: {name} has {len(samples)} samples and labels of shape {labels.shape}")
    return arrays


def _as_records(path: Path, found: dict[str, NDArray[Any]], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return `found` with the arrays of several inputs as records ``x``, or ``x_train`` and ``x_test``."""
    joined = {name: array for name, array in found.items() if name.split("_")[0] == "y"}
    for ending in ("", "_train", "_test"):
        own = {name: found[f"{name}{ending}"] for name in names if f"{name}{ending}" in found}
        if len(own) == len(names):
            try:
                joined[f"x{ending}"] = records(own)
            except DataError as error:
                raise DataError(f"{path}: {error}") from error
    if "x" in joined or {"x_train", "x_test"} <= joined.keys():
        return joined
    wanted = ", ".join(names)
    raise DataError(
        f"{path} holds {', '.join(found) or 'nothing'}, and the model takes {wanted}; name its arrays so (and y), or "
        "the same with _train and _test"
    )


def _members(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise DataError(f"no data file {path}; check the path")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    # zipfile, its decompressors and numpy's header parser raise a dozen unrelated types
    except Exception as damage:
        said = str(damage).splitlines()[0] if str(damage) else type(damage).__name__
        raise DataError(f"{path} cannot be read: {said}; write it again with numpy.savez") from damage
