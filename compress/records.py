"""Samples of a model with several inputs, and answers of one with several outputs: numpy's structured arrays.

    x = records({"token_ids": ids, "padding_mask": mask})   # (n, 64) and (n, 64) -> n records of two fields
    x[:1], x[order], len(x), np.save(file, x)               # as of any array of n samples
    fields(x)["token_ids"]                                  # (n, 64) again

A field is named as the model's input, or output, is. A model with one keeps a plain array, and everything that only
counts, draws, cuts or stores samples need not know which it has.
Structured arrays: https://numpy.org/doc/stable/user/basics.rec.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError


def records(arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Return one record a sample: ``{"token_ids": (n, 64), "padding_mask": (n, 64)}`` gives ``(n,)`` of two fields.

    Raises `DataError` when there is no array, or their lengths differ.
    """
    lengths = {name: len(array) if array.ndim else None for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or None in lengths.values():
        shown = ", ".join(f"{name} {arrays[name].shape}" for name in lengths) or "none"
        raise DataError(f"the arrays of several inputs have one length, and these are {shown}")
    dtype = np.dtype([(name, array.dtype, array.shape[1:]) for name, array in arrays.items()])
    packed = np.empty(next(iter(lengths.values())) or 0, dtype)
    for name, array in arrays.items():
        packed[name] = array
    return packed


def are_records(x: NDArray[Any]) -> bool:
    """Return whether `x` holds records, of several inputs or outputs, and no plain values."""
    return x.dtype.names is not None


def fields(x: NDArray[Any], name: str = "input") -> dict[str, NDArray[Any]]:
    """Return the array of each field, ``{"token_ids": (n, 64), ...}``; a plain array is the one field `name`."""
    if x.dtype.names is None:
        return {name: x}
    return {field: np.ascontiguousarray(x[field]) for field in x.dtype.names}


def by_input(x: NDArray[Any]) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """Return samples as Keras takes them: the array of one input, or a dictionary of the arrays of several."""
    return fields(x) if are_records(x) else x


def flat(x: NDArray[Any]) -> NDArray[np.float32]:
    """Return all values of each sample in one row, ``(n, values)`` float32: of records, field after field."""
    rows = [np.asarray(array, np.float32).reshape(len(array), -1) for array in fields(x).values()]
    return rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)


def shown(x: NDArray[Any]) -> str:
    """Return the shapes as people read them: ``(100, 28, 28, 1)``, or ``token_ids (100, 64), mask (100, 64)``."""
    if not are_records(x):
        return str(x.shape)
    return ", ".join(f"{name} {array.shape}" for name, array in fields(x).items())
