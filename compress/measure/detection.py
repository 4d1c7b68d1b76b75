"""Quality of a detector: average precision at an overlap, over all pictures and of each picture alone.

Over all pictures it is the mean over classes of COCO's 101-point average precision (Lin et al. 2014, "Microsoft COCO:
Common Objects in Context"), computed by pycocotools; the overlap 0.5 is PASCAL VOC's (Everingham et al. 2010). Of one
picture, detections of all classes are ranked together, as AP-Pool does (Dave et al. 2021, "Evaluating Large-Vocabulary
Object Detectors: The Devil is in the Details"), so that a detection of a class that is not there counts.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.measure.boxes import ground_truth, read_detections
from compress.measure.extra import published

COCO_IOU = tuple(0.5 + 0.05 * step for step in range(10))
"""COCO's overlaps, 0.5 to 0.95, over which its primary metric is the mean."""

MOST_DETECTIONS = 100
"""Of each class in a picture, those with the highest scores count, as many as COCO allows."""

RECALLS = np.linspace(0, 1, 101)


def mean_average_precision(
    outputs: NDArray[np.float32], labels: NDArray[np.floating[Any]], iou: Sequence[float]
) -> float:
    """Return the mean average precision over the classes that are there and the overlaps `iou`, from 0 to 1.

    ``outputs (n, most, 6)`` or records, and ``labels (n, most, 5)``, are read by `compress.measure.boxes`. Raises
    `DataError` when they cannot be, or no picture shows anything.
    """
    evaluation = _evaluate(outputs, labels, iou)
    with redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    precision = evaluation.eval["precision"]
    there = precision[precision > -1]
    if there.size == 0:
        raise DataError("the labels hold no object, and average precision is of objects found; bring labelled boxes")
    return float(there.mean())


def picture_average_precision(
    outputs: NDArray[np.float32], labels: NDArray[np.floating[Any]], iou: Sequence[float]
) -> NDArray[np.float32]:
    """Return the average precision of each picture alone, ``(n,)``, from 0 to 1: for pairing two models by picture.

    It is the mean over the overlaps `iou`; where nothing is there, it is 1 for no detection and 0 for any. Its mean is
    no mAP, which ranks the detections of all pictures together. Errors as `mean_average_precision`.
    """
    evaluation = _evaluate(outputs, labels, iou)
    by_picture = defaultdict(list)
    for found in evaluation.evalImgs:
        if found is not None:
            by_picture[found["image_id"]].append(found)
    return np.array([_pooled(by_picture[picture], len(iou)) for picture in range(len(outputs))], np.float32)


def _pooled(classes: list[dict[str, Any]], overlaps: int) -> float:
    """Return the mean over overlaps of the average precision of a picture's detections, all classes ranked together."""
    objects = sum(len(found["gtIds"]) for found in classes)
    if not objects:
        return float(not classes)
    scores = np.concatenate([found["dtScores"] for found in classes])
    right = np.concatenate([found["dtMatches"] > 0 for found in classes], axis=1)
    order = np.argsort(-scores, kind="stable")
    return float(np.mean([_average_precision(right[overlap, order], objects) for overlap in range(overlaps)]))


def _average_precision(right: NDArray[np.bool_], objects: int) -> float:
    """Return the mean precision at 101 recalls, each the best at that recall or beyond, of ranked detections."""
    hits = np.cumsum(right)
    best = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    places = np.searchsorted(hits / objects, RECALLS, side="left")
    return float(np.append(best, 0.0)[np.minimum(places, len(best))].mean())


def _evaluate(outputs: NDArray[np.float32], labels: NDArray[np.floating[Any]], iou: Sequence[float]) -> Any:
    """Return pycocotools' evaluation of the pictures, each class matched, nothing accumulated yet."""
    truth, found = ground_truth(labels), read_detections(outputs)
    if len(truth) != len(found):
        raise DataError(f"detections in {len(found)} pictures and labels of {len(truth)} do not belong together")
    classes = sorted({int(row[-1]) for boxes in (*truth, *found) for row in boxes})
    with redirect_stdout(io.StringIO()):
        evaluation = published("pycocotools.cocoeval").COCOeval(
            _coco(truth, classes, len(truth)), _coco(found, classes, len(truth)), "bbox"
        )
        evaluation.params.iouThrs = np.array(iou)
        evaluation.params.recThrs = RECALLS
        evaluation.params.maxDets = [MOST_DETECTIONS]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0.0, np.inf]], ["all"]
        evaluation.evaluate()
    return evaluation


def _coco(pictures: Iterable[NDArray[np.float64]], classes: list[int], n: int) -> Any:
    """Return rows of x1, y1, x2, y2, (score,) class, an array a picture, as pycocotools' own object."""
    coco = published("pycocotools.coco").COCO()
    rows = [(picture, row) for picture, boxes in enumerate(pictures) for row in boxes]
    coco.dataset = {
        "images": [{"id": picture} for picture in range(n)],
        "categories": [{"id": each} for each in classes],
        "annotations": [
            {
                "id": number,  # from 1: it takes 0 for no match
                "image_id": picture,
                "category_id": int(row[-1]),
                "bbox": [row[0], row[1], row[2] - row[0], row[3] - row[1]],
                "area": (row[2] - row[0]) * (row[3] - row[1]),
                "iscrowd": 0,
                "score": row[4],
            }
            for number, (picture, row) in enumerate(rows, 1)
        ],
    }
    coco.createIndex()
    return coco


map_25, map_50, map_coco = (partial(picture_average_precision, iou=iou) for iou in ((0.25,), (0.5,), COCO_IOU))
all_map_25, all_map_50, all_map_coco = (partial(mean_average_precision, iou=iou) for iou in ((0.25,), (0.5,), COCO_IOU))
