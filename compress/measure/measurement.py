"""A measurement: the metric values of one artifact, and the samples behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compress.artifact import Artifact, Part
from compress.measure import size
from compress.measure.classification import SQNR_CEILING_DB, Outcomes, score
from compress.measure.scores import Scores
from compress.runtime.isolation import run_isolated
from compress.runtime.multiply_adds import multiply_adds
from compress.runtime.session import op_counts, read_parts

Value = float | int | dict[str, int]


@dataclass(frozen=True)
class Measurement:
    """Metric values (see `compress.measure.metric`) of one artifact, the parts of its file and per-sample outcomes.

    ``outcomes`` is None for a format that is kept but not run (Keras weight files); ``outputs`` are the raw answers.
    """

    artifact: Artifact
    parts: tuple[Part, ...]
    values: dict[str, Value]
    outcomes: Outcomes | None = None
    scores: Scores | None = None
    outputs: NDArray[np.float32] | None = None
    latency_samples_s: tuple[float, ...] = ()
    versions: dict[str, str] | None = None


def measure_file(artifact: Artifact) -> Measurement:
    """Return what the file alone tells: sizes, parts, operators, multiply-adds, sparsity. Nothing is run."""
    content = artifact.path.read_bytes()
    parts = read_parts(content, artifact.runtime)
    kinds = size.bytes_by_kind(parts)
    values: dict[str, Value] = {
        "raw_bytes": len(content),
        "gzip_bytes": artifact.gzip_bytes or size.gzip_bytes(content),
        "weight_bytes": kinds["weights"],
        "scale_bytes": kinds["scales"],
        "index_bytes": kinds["indices"],
        "metadata_bytes": kinds["metadata"],
        "weight_elements_by_dtype": size.elements_by_dtype(parts),
        "scales": sum(part.elements for part in parts if part.kind == "scales"),
        "ops": op_counts(content, artifact.runtime),
        "sparsity": size.sparsity(parts),
        "compress_time_s": artifact.compress_time_s,
    }
    if (counted := multiply_adds(content, artifact.runtime)) is not None:
        values["multiply_adds"] = counted
    return Measurement(artifact, tuple(parts), values)


def measure_run(
    artifact: Artifact,
    inputs: Path,
    labels: NDArray[np.int64],
    reference_outputs: NDArray[np.float32] | None,
    *,
    score_of: Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float32]] | None = None,
    deadline_s: float = 300.0,
) -> Measurement:
    """Return what the file tells and what it does: a fresh process loads it, times it and runs every sample.

    ``inputs`` is an ``.npy`` file of evaluation samples, ``labels (n,)`` their classes, ``reference_outputs`` the
    float32 file's answers (None when `artifact` is the reference itself), `score_of` the subject's own score, from
    ``outputs (n, classes)`` and ``labels (n,)`` to ``(n,)``, higher is better. Raises `ModelFileError` when the file is
    refused, `RuntimeCrash` when the process does not survive it.
    """
    measured = measure_file(artifact)
    run = run_isolated(artifact.path, artifact.runtime, inputs, deadline_s=deadline_s)
    outcomes = score(run.outputs, labels, run.outputs if reference_outputs is None else reference_outputs)
    values: dict[str, Value] = {
        **measured.values,
        "accuracy": outcomes.accuracy,
        "load_time_s": run.load_time_s,
        "latency_s": float(np.median(run.latency_s)),
        "peak_memory_bytes": run.peak_memory_bytes,
    }
    scores = None if score_of is None else Scores.of(score_of(run.outputs, labels), labels)
    if scores is not None:
        values["score"] = scores.mean
    if reference_outputs is not None:
        values["output_sqnr_db"] = min(outcomes.output_sqnr_db, SQNR_CEILING_DB)
    return Measurement(artifact, measured.parts, values, outcomes, scores, run.outputs, run.latency_s, run.versions)
