"""Two files of one network on the same samples: how far each tensor of the second is from its own of the first.

Both run in one process of their own, sample after sample, so that no more than one sample's tensors is ever held.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.runtime.isolation import DEADLINE_S, death
from compress.runtime.workers import worker_environment


@dataclass(frozen=True)
class TensorNoise:
    """Sums of squares over all samples of a tensor: of the first file's values, and of what the second's differ by.

    ``differs`` says why they could not be compared, '' when they were.
    """

    signal: float = 0.0
    noise: float = 0.0
    differs: str = ""


def compare_isolated(
    first: Path,
    second: Path,
    runtime: str,
    feeds: Sequence[NDArray[Any]],
    pairs: Sequence[tuple[str, str]],
    *,
    deadline_s: float = DEADLINE_S,
) -> list[TensorNoise]:
    """Return the noise of each pair of tensors, (name in `first`, name in `second`), over the samples in `feeds`.

    `feeds` has an array for each input, ``(n, 1, 28, 28, 1)``: what one run is given, n times. Raises `ModelFileError`
    when a file does not load, `RuntimeCrash` that names the file that ended the process, or hung it.
    """
    with tempfile.TemporaryDirectory(prefix="compress-compare-") as name:
        folder = Path(name)
        for number, values in enumerate(feeds):
            np.save(folder / f"input_{number}.npy", values, allow_pickle=False)
        job = {"files": [str(first), str(second)], "runtime": runtime, "inputs": len(feeds), "pairs": list(pairs)}
        (folder / "job.json").write_text(json.dumps(job))
        command = [sys.executable, "-m", "compress.runtime.side_by_side_worker", str(folder)]
        returncode, stderr = 0, ""
        try:
            done = subprocess.run(  # noqa: S603 - the interpreter itself, with a folder made here
                command, capture_output=True, text=True, timeout=deadline_s, env=worker_environment(), errors="replace"
            )
            returncode, stderr = done.returncode, done.stderr
        except subprocess.TimeoutExpired:
            returncode, stderr = 1, f"hung; no answer within {deadline_s:g} s"
        at, stage = _stage(folder, str(second))
        if returncode != 0 or not (folder / "result.json").exists():
            raise death(at, returncode, stderr, stage)
        return [TensorNoise(**each) for each in json.loads((folder / "result.json").read_text())]


def _stage(folder: Path, unknown: str) -> tuple[str, str]:
    """Return which file the worker had in hand, and what it did with it."""
    try:
        at, _, stage = (folder / "stage").read_text().partition("\n")
    except OSError:
        return unknown, "starting the process"
    return at, stage
