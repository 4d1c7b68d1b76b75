"""Boxes of a detector in arrays of one shape: what it found, and what is there.

    detections    (n, most, 6) of x1, y1, x2, y2, score, class; rows that are none have a score of 0 or less, or NaN
    ground truth  (n, most, 5) of x1, y1, x2, y2, class; rows that are none have a class below 0, or NaN

Any unit of length serves both. A model with several outputs gives records of boxes ``(n, most, 4)``, scores and classes
``(n, most)``, by the names of its outputs, and perhaps their number ``(n,)`` or ``(n, 1)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.records import are_records, fields, shown

DETECTION = "x1, y1, x2, y2, score, class"
TRUTH = "x1, y1, x2, y2, class"


def ground_truth(labels: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Return the rows of each picture that are objects, ``(n, most, 5) -> n x (objects, 5)``.

    Raises `DataError` when the labels have another form, or a box holds no area, or a class is no whole number.
    """
    if are_records(labels) or labels.ndim != 3 or labels.shape[2] != 5 or labels.dtype.kind not in "iuf":
        raise DataError(f"labels of boxes are (n, most, 5) of {TRUTH}, got {shown(labels)} of {labels.dtype}")
    rows = labels.astype(np.float64)
    is_object = rows[..., 4] >= 0
    objects = rows[is_object]
    positive = (objects[:, 2] > objects[:, 0]) & (objects[:, 3] > objects[:, 1])
    sound = np.isfinite(objects).all(axis=1) & positive & (objects[:, 4] % 1 == 0)
    if not sound.all():
        picture = int(np.argwhere(is_object)[np.argmin(sound)][0])
        raise DataError(
            f"labels of picture {picture}: {objects[np.argmin(sound)].tolist()} is no {TRUTH} with x2 > x1, y2 > y1 "
            "and a whole class; rows that are no object have class -1"
        )
    return [picture[mask] for picture, mask in zip(rows, is_object, strict=True)]


def read_detections(outputs: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Return the rows of each picture that are detections, ``(n, most, 6) -> n x (found, 6)``.

    Classes are rounded. A box that is not finite, or ends before it begins, is a detection of nothing, and stays: as
    an empty box, which is wrong. Raises `DataError` when the outputs have another form.
    """
    rows = _joined(outputs) if are_records(outputs) else outputs
    if rows.ndim != 3 or rows.shape[2] != 6 or rows.dtype.kind not in "iuf":
        raise DataError(
            f"a detector gives (n, most, 6) of {DETECTION}, or several outputs called boxes, scores and classes, got "
            f"{shown(outputs)}; decode and suppress overlaps in the model, or choose module:function"
        )
    rows = rows.astype(np.float64)
    boxes = rows[..., :4]
    empty = ~np.isfinite(rows[..., [0, 1, 2, 3, 5]]).all(axis=-1)
    with np.errstate(invalid="ignore"):
        empty |= (boxes[..., 2] < boxes[..., 0]) | (boxes[..., 3] < boxes[..., 1])
    boxes[empty] = 0
    rows[..., 5] = np.rint(np.nan_to_num(rows[..., 5], nan=-1, posinf=-1, neginf=-1))
    is_found = (rows[..., 4] > 0) & np.isfinite(rows[..., 4])
    return [picture[mask] for picture, mask in zip(rows, is_found, strict=True)]


def _joined(outputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return records of boxes, scores and classes as rows of all; what lies beyond their number has a score of 0."""
    found = {name.lower(): array for name, array in fields(outputs).items()}
    boxes = [array for array in found.values() if array.ndim == 3 and array.shape[2] == 4]
    scores = [array for name, array in found.items() if "score" in name]
    classes = [array for name, array in found.items() if "class" in name or "label" in name]
    single = len(boxes) == len(scores) == len(classes) == 1
    if not single or scores[0].shape != boxes[0].shape[:2] or classes[0].shape != boxes[0].shape[:2]:
        raise DataError(
            "a detector's outputs are boxes (n, most, 4), and scores and classes (n, most) called so, got "
            f"{shown(outputs)}"
        )
    score = scores[0].astype(np.float64)
    for name, array in found.items():
        if ("num" in name or "count" in name) and array.size == len(array):
            score = np.where(np.arange(score.shape[1]) < array.reshape(-1, 1), score, 0.0)
    return np.concatenate([boxes[0], score[..., None], classes[0][..., None]], axis=2, dtype=np.float64)
