"""How a subject's answers are judged, by name: right or wrong, close to the float32 file's, or a score of its own.

A judge gives one number a sample, higher is better, so that two runs are paired on the same samples. `JUDGES` is the
registry: one line a metric, one file a task family.
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
    float32 file's outputs - to ``(n,)``.
    """

    name: str
    function: str
    against: Against
    unit: str = ""

    def __call__(self, outputs: NDArray[np.float32], against: NDArray[Any]) -> NDArray[np.float32]:
        """Return one score a sample. Raises `DataError` when the function cannot be imported or fails."""
        judge = load_function(self.function)
        try:
            return np.asarray(judge(outputs, against))
        except DataError:
            raise
        except Exception as error:  # whatever somebody's own function raises
            raise DataError(f"metric {self.name}: {self.function} failed: {type(error).__name__}: {error}") from error


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
