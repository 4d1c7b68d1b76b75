"""Samples and labels as they come, before they are split and fitted to a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Arrays:
    """``x (n, ...)`` and the labels ``y (n, ...)``, None for none; ``evaluation_*`` where halves came apart."""

    x: NDArray[Any]
    y: NDArray[Any] | None = None
    evaluation_x: NDArray[Any] | None = None
    evaluation_y: NDArray[Any] | None = None
