"""The calls of a model that a calibration sample stands for: one, or one a token where a file decodes with a cache.

A file that takes ``token_ids (1, 1)``, ``position`` and ``cache`` and gives ``new_cache`` reads a sample's tokens one
after another, as it does when it decodes (`compress.runtime.decoding`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.conversions import conversions_of
from compress.ends import INPUT_NAME, keras_ends
from compress.model_file import ModelFile
from compress.quantization.signature import serving
from compress.records import fields, records

if TYPE_CHECKING:
    import keras

CACHE, NEW_CACHE, TOKEN, POSITION, MASK = "cache", "new_cache", "token_ids", "position", "padding_mask"

Arrays = Mapping[str, NDArray[Any]]

MOST_BYTES = 2**27
"""Of the steps that a model is calibrated with: 900 of two layers of width 128 with 72 places; one a text at least."""


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


def steps(model: keras.Model | ModelFile, samples: NDArray[Any]) -> NDArray[Any]:
    """Return what `model` is calibrated with: `samples`, or, where it decodes with a cache, steps out of each of them.

    A step is a record of ``token_ids (1,)``, ``position (1,)`` and the ``cache`` that the model itself has by then.
    They are as many as `MOST_BYTES` hold, spread from the first to the last token of each text, or else one a text: the
    first token of the first, the last of the last, and as far in as the others lie between.
    """
    if isinstance(model, ModelFile):
        return samples
    taken = {one.name: (tuple(size or 1 for size in one.shape), one.dtype) for one in keras_ends(model).inputs}
    if CACHE not in taken or CACHE in fields(samples, INPUT_NAME):
        return samples
    digest = hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()
    made: NDArray[Any] = conversions_of(model).once(f"steps of {digest}", lambda: _steps(model, taken, samples))
    return made


def _steps(model: keras.Model, taken: Mapping[str, tuple[tuple[int, ...], Any]], samples: NDArray[Any]) -> NDArray[Any]:
    import tensorflow as tf

    found = serving(model)
    answer = tf.function(found.answer, input_signature=list(found.specs))
    step_bytes = sum(math.prod(shape) * np.dtype(kind).itemsize for shape, kind in taken.values())
    each = max(1, MOST_BYTES // step_bytes // len(samples))
    chosen: list[Arrays] = []
    for share, sample in zip(np.linspace(0, 1, len(samples)), samples, strict=True):
        feeds: list[Arrays] = []

        def run(feed: Arrays, feeds: list[Arrays] = feeds) -> Arrays:
            feeds.append(feed)
            given = answer(*(tf.constant(feed[one.name]) for one in found.ends.inputs))
            return {name: tensor.numpy() for name, tensor in given.items()}

        call(sample, taken, run)
        shares = np.linspace(0, 1, min(each, len(feeds))) if each > 1 else [share]
        chosen += [feeds[round(one * (len(feeds) - 1))] for one in shares]
    return records({name: np.concatenate([feed[name] for feed in chosen]) for name in taken})
