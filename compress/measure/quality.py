"""How a subject's answers are judged, by name: right or wrong, close to the float32 file's, or a score of its own.

A judge gives one number a sample, higher is better, so that two runs are paired on the same samples. What is
published as mean average precision, BLEU or NIST is of all samples together, and no mean: a judge of these gives both.
`JUDGES` is the registry: one line a metric, one file a task family.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

Against = Literal["labels", "reference"]


@dataclass(frozen=True)
class Judge:
    """Scores samples by a function called ``module:function``, imported when it first judges.

    The function goes from ``outputs (n, ...)`` and what they are held `against` - the ``labels (n, ...)``, or the
    float32 file's outputs - to ``(n,)``. `overall` is a function from the same to one number for all samples together,
    where that is not the mean: of the metric `overall_metric`, and held against something else where
    `overall_against` says so.
    """

    name: str
    function: str
    against: Against
    unit: str = ""
    overall: str = ""
    overall_against: Against | None = None
    overall_metric: str = "overall_score"

    def __call__(self, outputs: NDArray[np.float32], against: NDArray[Any]) -> NDArray[np.float32]:
        """Return one score a sample. Raises `DataError` when the function cannot be imported or fails."""
        return np.asarray(self._called(self.function, outputs, against))

    def of_all(self, outputs: NDArray[Any], against: NDArray[Any]) -> float | None:
        """Return the score of all samples together, None where it is the mean. Raises `DataError` as judging does."""
        return float(self._called(self.overall, outputs, against)) if self.overall else None

    def _called(self, name: str, outputs: NDArray[Any], against: NDArray[Any]) -> Any:
        judge = load_function(name)
        try:
            return judge(outputs, against)
        except DataError:
            raise
        except Exception as error:  # whatever somebody's own function raises
            raise DataError(f"metric {self.name}: {name} failed: {type(error).__name__}: {error}") from error


_DETECTION, _TOKENS = "compress.measure.detection", "compress.measure.text.tokens"

JUDGES = {
    judge.name: judge
    for judge in (
        Judge("accuracy", "compress.measure.classification:is_right", "labels"),
        Judge("top_5", "compress.measure.classification:in_top_5", "labels"),
        Judge("sqnr_db", "compress.measure.fidelity:sqnr_db", "reference", "dB"),
        Judge("psnr_db", "compress.measure.fidelity:psnr_db", "reference", "dB"),
        Judge("cosine", "compress.measure.fidelity:cosine_similarity", "reference"),
        Judge("rank_agreement", "compress.measure.embedding:rank_agreement", "reference"),
        Judge("common_neighbours", "compress.measure.embedding:common_neighbours", "reference"),
        Judge("map_25", f"{_DETECTION}:map_25", "labels", overall=f"{_DETECTION}:all_map_25"),
        Judge("map_50", f"{_DETECTION}:map_50", "labels", overall=f"{_DETECTION}:all_map_50"),
        Judge("map", f"{_DETECTION}:map_coco", "labels", overall=f"{_DETECTION}:all_map_coco"),
        Judge("f1", "compress.measure.spans:f1", "labels"),
        Judge("em", "compress.measure.spans:exact_match", "labels"),
        Judge("bleu", f"{_TOKENS}:bleu", "labels", overall=f"{_TOKENS}:corpus_bleu"),
        Judge("nist", f"{_TOKENS}:nist", "labels", overall=f"{_TOKENS}:corpus_nist"),
        Judge("meteor", f"{_TOKENS}:meteor", "labels"),
        Judge("rouge_1", f"{_TOKENS}:rouge_1", "labels"),
        Judge("rouge_2", f"{_TOKENS}:rouge_2", "labels"),
        Judge("rouge_l", f"{_TOKENS}:rouge_l", "labels"),
        Judge("cider", f"{_TOKENS}:cider", "labels"),
    )
}
"""Name of a metric -> who judges by it."""


def find_judge(name: str) -> Judge:
    """Return the judge called `name`, or that of a ``module:function`` of one's own, held against the labels.

    Raises `DataError` that lists the names for one that does not exist, and when the function cannot be imported.
    """
    if name in JUDGES:
        return JUDGES[name]
    if ":" in name:
        load_function(name)
        return Judge(name, name, "labels")
    close = difflib.get_close_matches(name, JUDGES, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise DataError(f"no metric {name!r}; there are {', '.join(JUDGES)}, and module:function{hint}")


def load_function(name: str) -> Callable[..., Any]:
    """Return what ``module:function`` names; modules of the working folder are found, as Python itself would.

    Raises `DataError` when there is no such module or function, or importing it fails.
    """
    module, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:  # whatever importing somebody's module raises
        raise DataError(
            f"{name} cannot be imported: {type(error).__name__}: {error}; it is module:function, and the module lies "
            "in this folder or is installed"
        ) from error
    if not callable(found):
        raise DataError(f"{name} is a {type(found).__name__} and not a function")
    function: Callable[..., Any] = found
    return function
