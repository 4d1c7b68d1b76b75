"""Data from a function of one's own, ``module:function``: it returns arrays, or yields batches, without arguments.

``x``, ``(x, y)`` or ``(x_train, y_train, x_test, y_test)``, or an iterable of batches ``x`` or ``(x, y)``; of a model
with several inputs each ``x`` is a dictionary of arrays by their names. It must give the same samples whenever it is
called: models are built in another process, which calls it again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.measure.quality import load_function
from compress.own.arrays import Arrays
from compress.records import records

_RETURNS = "return x, (x, y) or (x_train, y_train, x_test, y_test), or yield batches of x or (x, y)"


def call_function(name: str) -> Arrays:
    """Return what the function called `name` gives. Raises `DataError` when it cannot be called or gives no arrays."""
    function = load_function(name)
    try:
        given = function()
        arrays = _arrays(given)
    except Exception as error:  # whatever somebody's own function raises
        raise DataError(f"{name} gave no data: {type(error).__name__}: {error}; it must {_RETURNS}") from error
    for x, y in ((arrays.x, arrays.y), (arrays.evaluation_x, arrays.evaluation_y)):
        if x is not None and (x.ndim == 0 or len(x) == 0 or (y is not None and (y.ndim == 0 or len(y) != len(x)))):
            raise DataError(f"{name} gave samples {x.shape} and labels {None if y is None else y.shape}")
    return arrays


def _arrays(given: Any) -> Arrays:
    if hasattr(given, "shape") or isinstance(given, dict):
        return Arrays(_array(given))
    if isinstance(given, tuple) and len(given) in (2, 4):
        return Arrays(*(None if one is None else _array(one) for one in given))  # type: ignore[arg-type]
    batches = [batch if isinstance(batch, tuple | list) else (batch,) for batch in given]
    if not batches or len({len(batch) for batch in batches}) != 1 or len(batches[0]) not in (1, 2):
        raise DataError(f"{len(batches)} batches of {sorted({len(batch) for batch in batches})} arrays")
    return Arrays(*(_joined([_array(batch[place]) for batch in batches]) for place in range(len(batches[0]))))


def _array(given: Any) -> NDArray[Any]:
    """Return an array, or the records of a dictionary of arrays."""
    if isinstance(given, dict):
        return records({str(name): np.asarray(array) for name, array in given.items()})
    return np.asarray(given)


def _joined(batches: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(batches)
