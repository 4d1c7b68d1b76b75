"""The child side of `compress.runtime.side_by_side`, which holds the contract.

Started as ``python -m compress.runtime.side_by_side_worker FOLDER``; it leaves ``stage`` and ``result.json`` there.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

from compress.runtime.parent import end_with_parent
from compress.runtime.side_by_side import TensorNoise
from compress.runtime.taps import open_taps


def main(folder: Path) -> None:
    """Run the job in `folder`; whatever kills this process leaves the file and the stage it died in behind."""
    end_with_parent()
    job = json.loads((folder / "job.json").read_text())

    def stage(file: str, name: str) -> None:
        (folder / "stage").write_text(f"{file}\n{name}")

    sessions = []
    for side, file in enumerate(job["files"]):
        stage(file, "loading the model")
        sessions.append(open_taps(Path(file).read_bytes(), job["runtime"], [pair[side] for pair in job["pairs"]]))
    feeds = [
        np.load(folder / f"input_{number}.npy", mmap_mode="r", allow_pickle=False) for number in range(job["inputs"])
    ]
    sums = np.zeros((len(job["pairs"]), 2))
    differs = [""] * len(job["pairs"])
    for sample in zip(*feeds, strict=True):
        found = []
        for session, file in zip(sessions, job["files"], strict=True):
            stage(file, "running the samples")
            found.append(session.run([np.asarray(each) for each in sample]))
        for number, (one, other) in enumerate(zip(*found, strict=True)):
            exact, answer = one.astype(np.float64), other.astype(np.float64)
            if exact.shape != answer.shape:
                differs[number] = f"shape {exact.shape} in the float file and {answer.shape} here"
            elif not (np.isfinite(exact).all() and np.isfinite(answer).all()):
                differs[number] = "it holds NaN or infinity"
            else:
                sums[number] += np.square(exact).sum(), np.square(answer - exact).sum()
    result = [
        vars(TensorNoise(signal, noise, why)) for (signal, noise), why in zip(sums.tolist(), differs, strict=True)
    ]
    # the rename is the worker's last word: a result that exists is whole
    (folder / "result.json.part").write_text(json.dumps(result))
    os.replace(folder / "result.json.part", folder / "result.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
