"""A measurement: the metric values of one artifact, and the samples behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact import Artifact, Part
from compress.decoding import Decoding
from compress.measure import size
from compress.measure.classification import SQNR_CEILING_DB, Outcomes, in_top_5, score
from compress.measure.fidelity import fidelity, sqnr_db
from compress.measure.picture import Picture
from compress.measure.quality import Judge
from compress.measure.scores import Scores
from compress.runtime.isolation import run_isolated
from compress.runtime.multiply_adds import multiply_adds
from compress.runtime.session import op_counts, read_parts

Value = float | int | dict[str, int]


@dataclass(frozen=True)
class Measurement:
    """Metric values (see `compress.measure.metric`) of one artifact, the parts of its file and per-sample outcomes.

    ``outcomes`` are a classifier's: None for other tasks, and for a format that is kept but not run (Keras weight
    files). ``scores`` are those of the subject's own score, or metric; ``outputs`` are the raw answers.
    """

    artifact: Artifact
    parts: tuple[Part, ...]
    values: dict[str, Value]
    outcomes: Outcomes | None = None
    scores: Scores | None = None
    outputs: NDArray[Any] | None = None
    latency_samples_s: tuple[float, ...] = ()
    versions: dict[str, str] | None = None
    pictures: Mapping[str, Picture] = field(default_factory=dict)

    @property
    def was_run(self) -> bool:
        """Whether the file was run, and so answered all the samples."""
        return self.outcomes is not None or self.scores is not None


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
    reference_outputs: NDArray[Any] | None,
    *,
    score_of: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float32]] | None = None,
    task: str = "classification",
    decoding: Decoding | None = None,
    known: NDArray[Any] | None = None,
    deadline_s: float = 300.0,
) -> Measurement:
    """Return what the file tells and what it does: a fresh process loads it, times it and runs every sample.

    ``inputs`` is an ``.npy`` file of evaluation samples, ``labels (n,)`` their classes, ``reference_outputs`` the
    float32 file's answers (None when `artifact` is the reference itself), `score_of` the subject's own score, from
    ``outputs (n, classes)`` and ``labels (n,)`` to ``(n,)``, higher is better, or a `compress.measure.quality.Judge`.
    A `task` other than classification has no right and wrong: outputs of any shape are held against the reference's.
    With a `decoding`, the samples are prompts and the outputs token ids, which are near to nothing but themselves.
    Outputs that are `known` are judged without being asked for.
    Raises `ModelFileError` when the file is refused, `RuntimeCrash` when the process does not survive it, `DataError`
    when outputs and labels do not belong together.
    """
    measured = measure_file(artifact)
    run = run_isolated(artifact.path, artifact.runtime, inputs, deadline_s=deadline_s, decoding=decoding, known=known)
    reference = run.outputs if reference_outputs is None else reference_outputs
    outcomes = score(run.outputs, labels, reference) if task == "classification" else None
    values: dict[str, Value] = {
        **measured.values,
        "load_time_s": run.load_time_s,
        "latency_s": float(np.median(run.latency_s)),
        "peak_memory_bytes": run.peak_memory_bytes,
    }
    if run.generation_time_s is not None:
        values["generation_time_s"] = run.generation_time_s
    if outcomes is not None:
        values["accuracy"] = outcomes.accuracy
        if run.outputs.shape[1] > 5:
            values["top_5_accuracy"] = float(in_top_5(run.outputs, labels).mean())
        if reference_outputs is not None:
            values["output_sqnr_db"] = min(outcomes.output_sqnr_db, SQNR_CEILING_DB)
    elif reference_outputs is not None and decoding is None:
        found = fidelity(run.outputs, reference)
        values.update(mse=found.mse, psnr_db=found.psnr_db, cosine_similarity=found.cosine_similarity)
        values["output_sqnr_db"] = float(sqnr_db(run.outputs, reference).mean())
    scores = None
    if score_of is not None:
        by_reference = getattr(score_of, "against", "labels") == "reference"
        against = reference if by_reference else labels
        given = score_of(run.outputs, against)
        scored = np.load(inputs, mmap_mode="r", allow_pickle=False) if by_reference else labels
        scores = Scores.of(given, scored, getattr(score_of, "unit", ""))
        values["score"] = scores.mean
        if isinstance(score_of, Judge):
            all_against = {"reference": reference, "labels": labels}.get(score_of.overall_against or "", against)
            if (overall := score_of.of_all(run.outputs, all_against)) is not None:
                values[score_of.overall_metric] = overall
    return Measurement(artifact, measured.parts, values, outcomes, scores, run.outputs, run.latency_s, run.versions)
