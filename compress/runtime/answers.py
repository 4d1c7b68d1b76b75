"""Answers of a model over many samples, and whether samples are what a model takes: the same for every runtime."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.records import records

if TYPE_CHECKING:
    from compress.runtime.session import Session

LONG_S = 1.0
"""How long a session may take over all samples, in seconds, before another one shares them."""


def answer_all(
    session: Session,
    x: NDArray[Any],
    open_another: Callable[[], Session],
    *,
    inference_s: float,
    answer: Callable[[Session, NDArray[Any]], NDArray[Any]] = lambda one, share: one.invoke(share),
) -> NDArray[Any]:
    """Return what `answer` gives for `x`; where that is long, sessions on all cores answer a share each.

    ``inference_s`` is what one sample takes. Each is an inference of its own, so that its answer is the same wherever
    it is given.
    """
    shares = min(os.cpu_count() or 1, len(x), 1 + int(inference_s * len(x) / LONG_S))
    if shares == 1:
        return answer(session, x)
    sessions = [session, *(open_another() for _ in range(shares - 1))]
    with ThreadPoolExecutor(shares) as threads:
        answered = threads.map(answer, sessions, np.array_split(x, shares))
        return np.concatenate(list(answered))


def answers(outputs: Mapping[str, Sequence[NDArray[Any]]]) -> NDArray[Any]:
    """Return the answers to n samples: ``(n, 10)`` float32 of a model with one output, records of one with several.

    Raises `DataError` when an output's shape changes from sample to sample.
    """
    found = {}
    for name, each in outputs.items():
        shapes = sorted({np.shape(one) for one in each})
        if len(shapes) > 1:
            listed = ", ".join(map(str, shapes[:3]))
            raise DataError(
                f"output {name} is of shape {listed} from sample to sample; only outputs of one shape are measured"
            )
        found[name] = np.asarray(each, np.float32)
    return next(iter(found.values())) if len(found) == 1 else records(found)


def check_fields(x: NDArray[Any], names: Sequence[str]) -> None:
    """Raise `DataError` unless samples `x` have a field for each of several inputs, or are plain for one."""
    fields = x.dtype.names
    if fields is None and len(names) == 1:
        return
    if fields is None or not set(names) <= set(fields):
        has = f"the fields {', '.join(fields)}" if fields else "no fields"
        raise DataError(f"the model takes {', '.join(names)}, and the samples have {has}; name them as its inputs")
