"""The child side of isolation: run one model file in a fresh process and write down what happened.

Started by `compress.runtime.workers`: as ``python -m compress.runtime.worker RUNTIME FOLDER`` for one job, or without a
folder to fork itself for each one that is named on its standard input. `compress.runtime.isolation` holds the contract:
the folder holds ``job.json``; the worker leaves ``stage`` (how far it got), ``result.json`` and ``outputs.npy``.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import statistics
import sys
import time
import traceback
import warnings
from functools import partial
from pathlib import Path

import numpy as np

from compress.decoding import Decoding
from compress.errors import CompressError
from compress.runtime.answers import answer_all
from compress.runtime.decoding import decode, decode_all, sample_for
from compress.runtime.parent import end_with_parent
from compress.runtime.session import open_session, prepare

TIMED_ANSWERS = 8
"""Prompts whose answers are timed, the first ones; the others may be answered side by side."""

PATH_BYTES = 4096
"""Of a folder's name and the end of its line, at most: what a pipe takes in one piece."""


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
    inputs = np.asarray(np.load(job["inputs"], mmap_mode="r", allow_pickle=False))
    decoding = Decoding(**job["decoding"]) if job["decoding"] else None
    memory_before = peak_memory_bytes()

    stage("loading the model")
    open_another = partial(open_session, Path(job["model"]), job["runtime"], threads=job["threads"])
    started = time.perf_counter()
    session = open_another()
    load_time_s = time.perf_counter() - started

    stage("running one inference")
    call = session.bind(sample_for(session, inputs[:1]))
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

    generation_time_s, first = None, np.empty(0, np.int32)
    if decoding is not None:
        stage("timing answers")
        first, generation_time_s = decode(session, inputs[:TIMED_ANSWERS], decoding)
    peak_memory = peak_memory_bytes()  # of one session, however many answer

    if job["answers"]:
        stage("running the evaluation samples")
        if decoding is None:
            outputs = answer_all(session, inputs, open_another, inference_s=statistics.median(latency_s))
        else:
            answer_s = generation_time_s or 0.0
            outputs = decode_all(session, inputs, decoding, open_another, known=first, answer_s=answer_s)
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


def serve(runtime: str) -> None:
    """Import what `runtime` needs, and fork for each folder that is read from standard input, until it ends.

    The exit code of each is written to standard output. What importing has against it, a worker says again.
    """
    with contextlib.suppress(CompressError, ImportError):
        prepare(runtime)
    gc.freeze()  # what is imported stays where it is, in pages that all workers share
    while folder := os.read(0, PATH_BYTES).decode().strip():
        done, working = os.pipe()
        with warnings.catch_warnings():
            # of Python 3.12 on; libraries' threads that fork are their own to restart, and do
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            os.close(done)
            _work(Path(folder))
        os.close(working)
        # either the worker's end of the pipe is closed, as it ended, or nobody waits for it any more
        if 0 in select.select([0, done], [], [])[0]:
            os.kill(child, signal.SIGKILL)
        os.close(done)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _work(folder: Path) -> None:
    """Run the job in `folder` in a process that was forked for it, and end that."""
    code = 1
    try:
        nowhere, errors = os.open(os.devnull, os.O_RDWR), os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT, 0o600)
        for source, target in ((nowhere, 0), (nowhere, 1), (errors, 2)):
            os.dup2(source, target)
        end_with_parent()
        main(folder)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        end_with_parent()
        main(Path(sys.argv[2]))
    else:
        serve(sys.argv[1])
