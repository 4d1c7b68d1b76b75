"""Quality of a model that finds a span in a text: F1 and exact match of token positions.

The span is the one of highest start plus end logit that ends no earlier than it starts (Devlin et al. 2019, 4.2). F1 is
SQuAD's (Rajpurkar et al. 2016) of positions rather than words: the same words elsewhere in the text are not right, and
articles count. `compress.measure.text.squad` scores answers as texts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.records import are_records, fields, shown


def best_spans(outputs: NDArray[Any]) -> NDArray[np.int64]:
    """Return the first and the last position of each best span, ``(n, L, 2) -> (n, 2)``; the earlier of equal ones.

    ``outputs`` are start and end logits, or records of two outputs ``(n, L)`` called so. Where a sample's answers hold
    NaN, or nothing above minus infinity, there is no span: (-1, -1). Raises `DataError` for outputs of another form.
    """
    start, end = _logits(outputs)
    rows = np.arange(len(start))
    # the best start so far, of each end
    reached = np.maximum.accumulate(start, axis=1)
    is_new = np.concatenate([np.ones((len(start), 1), bool), start[:, 1:] > reached[:, :-1]], axis=1)
    where = np.maximum.accumulate(np.where(is_new, np.arange(start.shape[1]), 0), axis=1)
    score = reached + end
    last = np.argmax(score, axis=1)
    spans = np.stack([where[rows, last], last], axis=1).astype(np.int64)
    spans[~(score[rows, last] > -np.inf)] = -1
    return spans


def f1(outputs: NDArray[Any], labels: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Return each sample's F1 of positions by the best of its gold spans, ``(n, L, 2), (n, spans, 2) -> (n,)``.

    Gold spans are first and last position, both within the span; those below 0 are none. One span a sample may be
    ``(n, 2)``. Raises `DataError` for outputs or labels of another form.
    """
    found, gold = best_spans(outputs)[:, None], _gold(outputs, labels)
    common = np.minimum(found[..., 1], gold[..., 1]) - np.maximum(found[..., 0], gold[..., 0]) + 1
    lengths = (found[..., 1] - found[..., 0] + 1) + (gold[..., 1] - gold[..., 0] + 1)
    is_right = (gold[..., 0] >= 0) & (found[..., 0] >= 0) & (common > 0)
    return np.asarray(np.where(is_right, 2 * common / lengths, 0.0).max(axis=1), np.float32)


def exact_match(outputs: NDArray[Any], labels: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """Return 1 where the best span is a gold one, else 0: ``(n,)``. Arguments and errors as of `f1`."""
    found, gold = best_spans(outputs)[:, None], _gold(outputs, labels)
    return np.asarray(((found == gold).all(axis=-1) & (gold[..., 0] >= 0)).any(axis=1), np.float32)


def _logits(outputs: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if are_records(outputs):
        found = fields(outputs)
        pair = [[array for name, array in found.items() if which in name.lower()] for which in ("start", "end")]
        if len(found) == 2 and all(len(each) == 1 for each in pair):
            (start,), (end,) = pair
            if start.ndim == 2 and start.shape == end.shape and start.shape[1]:
                return _finite(start), _finite(end)
    elif outputs.ndim == 3 and outputs.shape[2] == 2 and outputs.shape[1] and outputs.dtype.kind in "iuf":
        return _finite(outputs[..., 0]), _finite(outputs[..., 1])
    raise DataError(
        f"a model that finds spans gives start and end logits (n, L, 2), or two outputs (n, L) called so, got "
        f"{shown(outputs)}"
    )


def _finite(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return logits in double precision; a sample with NaN or plus infinity gets minus infinity everywhere."""
    exact = logits.astype(np.float64)
    exact[(np.isnan(exact) | (exact == np.inf)).any(axis=1)] = -np.inf
    return exact


def _gold(outputs: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int64]:
    spans = labels[:, None] if labels.ndim == 2 else labels
    if spans.ndim != 3 or spans.shape[0] != len(outputs) or not spans.shape[1] or spans.shape[2] != 2:
        raise DataError(
            f"gold spans are (n, spans, 2) of first and last position, one or more for each of {len(outputs)} samples, "
            f"got {labels.shape}"
        )
    if spans.dtype.kind not in "iu" or (spans[..., 1] < spans[..., 0]).any():
        raise DataError(
            f"gold spans are whole positions, the first no later than the last, and -1, -1 for none; got {labels.dtype}"
            + (" with a span that ends before it begins" if spans.dtype.kind in "iu" else "")
        )
    return spans.astype(np.int64)
