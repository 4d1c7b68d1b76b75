"""The calls of a model that a calibration sample stands for: one, or one a token where a file decodes with a cache.

A file that takes ``token_ids (1, 1)``, ``position`` and ``cache`` and gives ``new_cache`` reads a sample's tokens one
after another, as it does when it decodes (`compress.runtime.decoding`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.ends import INPUT_NAME
from compress.records import fields

CACHE, NEW_CACHE, TOKEN, POSITION, MASK = "cache", "new_cache", "token_ids", "position", "padding_mask"

Arrays = Mapping[str, NDArray[Any]]


def call(
    sample: NDArray[Any], inputs: Mapping[str, tuple[tuple[int, ...], Any]], run: Callable[[Arrays], Arrays]
) -> None:
    """Call `run` with what each input of a model gets of one `sample`; `inputs` has the shape and type of each.

    `run` returns the outputs by name, of which only ``new_cache`` is read.
    """
    given = fields(sample[None], INPUT_NAME)
    if CACHE not in inputs or CACHE in given:
        run({name: np.asarray(given[name], dtype) for name, (_, dtype) in inputs.items()})
        return
    shape, dtype = inputs[CACHE]
    cache = np.zeros(shape, dtype)
    tokens = given[TOKEN][0]
    length = int(given[MASK].sum()) if MASK in given else len(tokens)
    for position, token in enumerate(tokens[:length]):
        step = {TOKEN: np.array([[token]]), POSITION: np.array([[position]]), CACHE: cache}
        cache = run({name: np.asarray(step[name], kind) for name, (_, kind) in inputs.items()})[NEW_CACHE]
