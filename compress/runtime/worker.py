"""The child side of isolation: run one model file in a fresh process and write down what happened.

Started as ``python -m compress.runtime.worker RUNTIME`` by `compress.runtime.standby`, and given a folder on its
standard input by `compress.runtime.isolation`, which holds the contract. The folder holds ``job.json``; the worker
leaves ``stage`` (how far it got), ``result.json`` and ``outputs.npy``.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from compress.decoding import Decoding
from compress.errors import CompressError
from compress.runtime.answers import answer_all
from compress.runtime.decoding import decode, sample_for
from compress.runtime.isolation import ANSWERING
from compress.runtime.parent import end_with_parent
from compress.runtime.session import open_session, prepare


def peak_memory_bytes() -> int:
    """Return the largest resident set that this process image has had, in bytes.

    Linux's VmHWM belongs to the image; `getrusage` is inherited across exec and would report the parent's peak.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def main(folder: Path) -> None:
    """Run the job in `folder`; whatever kills this process leaves the stage it died in behind."""
    job = json.loads((folder / "job.json").read_text())

    def stage(name: str) -> None:
        (folder / "stage").write_text(name)

    if job["memory_limit_bytes"]:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (job["memory_limit_bytes"], job["memory_limit_bytes"]))
    stage("importing the runtime")
    prepare(job["runtime"])
    inputs = np.load(job["inputs"], mmap_mode="r", allow_pickle=False)
    memory_before = peak_memory_bytes()

    stage("loading the model")
    open_another = partial(open_session, Path(job["model"]), job["runtime"], threads=job["threads"])
    started = time.perf_counter()
    session = open_another()
    load_time_s = time.perf_counter() - started

    stage("running one inference")
    call = session.bind(sample_for(session, np.asarray(inputs[:1])))
    started = time.perf_counter()
    call()
    first_call_s = time.perf_counter() - started

    stage("timing inferences")
    latency_s: list[float] = []
    deadline = time.perf_counter() + job["latency_budget_s"]
    while len(latency_s) < 5 or (time.perf_counter() < deadline and len(latency_s) < 2000):
        started = time.perf_counter()
        call()
        latency_s.append(time.perf_counter() - started)

    stage(ANSWERING)
    if job["decoding"]:
        outputs, generation_time_s = decode(session, np.asarray(inputs), Decoding(**job["decoding"]))
        peak_memory = peak_memory_bytes()
    else:
        generation_time_s, peak_memory = None, peak_memory_bytes()  # of one session, however many answer
        outputs = answer_all(session, np.asarray(inputs), open_another, inference_s=statistics.median(latency_s))
    np.save(folder / "outputs.npy", outputs, allow_pickle=False)
    result = {
        "load_time_s": load_time_s,
        "first_call_s": first_call_s,
        "latency_s": latency_s,
        "generation_time_s": generation_time_s,
        "memory_before_bytes": memory_before,
        "peak_memory_bytes": peak_memory,
        "versions": session.versions,
    }
    # the rename is the worker's last word: a result that exists is whole
    (folder / "result.json.part").write_text(json.dumps(result))
    os.replace(folder / "result.json.part", folder / "result.json")


def wait(runtime: str) -> None:
    """Import what `runtime` needs, and run the job in the folder that is named then; none comes when it is not needed.

    What importing has against it, it says again when there is a job to answer for.
    """
    end_with_parent()
    with contextlib.suppress(CompressError, ImportError):
        prepare(runtime)
    folder = sys.stdin.readline().strip()
    if folder:
        main(Path(folder))


if __name__ == "__main__":
    wait(sys.argv[1])
