"""The libraries of published metrics, of the extra ``metrics``: imported when a metric is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from compress.errors import DataError


def published(module: str) -> Any:
    """Return the module called `module`, ``sacrebleu.metrics``. Raises `DataError` that names the extra without it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise DataError(
            f"this metric is computed by {module.partition('.')[0]}, which is not here ({error}); "
            "pip install 'compress-bench[metrics]'"
        ) from error
