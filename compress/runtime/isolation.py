"""Run a model file in a process of its own, so that a crash, a hang or an out-of-memory kill is an answer.

A malformed model can crash its runtime, and a runtime can hang; neither may end the suite.
"""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.decoding import Decoding
from compress.errors import CompressError, ModelFileError, RuntimeCrash
from compress.runtime.workers import run_worker

DEADLINE_S = 300.0


@dataclass(frozen=True)
class Run:
    """What a model file did in a fresh process.

    `outputs` by example: ``(3000, 10)`` float32, one row an evaluation sample. ``latency_s`` are single calls, one
    thread, in the order they were made; ``first_call_s`` is the one before them; ``load_time_s`` is opening the file
    until the first call could be made, imports excluded. Memory is the resident set's peak, before and after; of a
    forked process, what was imported counts as far as it is used. Of decoded prompts, `outputs` are token ids,
    ``latency_s`` are steps of one token, and ``generation_time_s`` is the mean time of a whole answer, of the first few
    prompts.
    """

    outputs: NDArray[Any]
    load_time_s: float
    first_call_s: float
    latency_s: tuple[float, ...]
    memory_before_bytes: int
    peak_memory_bytes: int
    versions: dict[str, str]
    generation_time_s: float | None = None


def run_isolated(
    model: Path,
    runtime: str,
    inputs: Path,
    *,
    threads: int = 1,
    latency_budget_s: float = 0.2,
    deadline_s: float = DEADLINE_S,
    memory_limit_bytes: int = 0,
    decoding: Decoding | None = None,
    known: NDArray[Any] | None = None,
) -> Run:
    """Load `model` in a new process, time it, run it over all of `inputs` (an ``.npy`` file), and return what it did.

    Raises `ModelFileError` when the file is refused before the runtime sees it, and `RuntimeCrash` that names the file,
    how far the process got and what ended it: a signal, the deadline, or the runtime's own error.
    With `decoding`, the inputs are prompts, which are decoded. Outputs that are `known` are not asked for: the file is
    only timed. `memory_limit_bytes` caps the process's address space
    (0: no cap).
    """
    with tempfile.TemporaryDirectory(prefix="compress-run-") as name:
        folder = Path(name)
        job = {
            "model": str(model),
            "runtime": runtime,
            "inputs": str(inputs),
            "threads": threads,
            "latency_budget_s": latency_budget_s,
            "memory_limit_bytes": memory_limit_bytes,
            "decoding": asdict(decoding) if decoding else None,
            "answers": known is None,
        }
        (folder / "job.json").write_text(json.dumps(job))
        try:
            returncode = run_worker(runtime, folder, deadline_s)
        except subprocess.TimeoutExpired:
            raise RuntimeCrash(f"{model}: hung; no answer within {deadline_s:g} s while {_stage(folder)}") from None
        if returncode != 0 or not (folder / "result.json").exists():
            raise death(str(model), returncode, _stderr(folder), _stage(folder))
        result = json.loads((folder / "result.json").read_text())
        outputs = np.load(folder / "outputs.npy", allow_pickle=False) if known is None else known
    return Run(outputs=outputs, **{**result, "latency_s": tuple(result["latency_s"])})


def death(model: str, returncode: int, stderr: str, stage: str) -> ModelFileError | RuntimeCrash:
    """Return the error that says why a worker gave no answer: its own refusal of `model`, or what ended it."""
    if returncode == 0:
        return RuntimeCrash(f"{model}: the runtime ended the process without an answer while {stage}")
    if refusal := _refusal(stderr):
        return ModelFileError(f"{model}: {refusal}")
    return RuntimeCrash(f"{model}: {_cause(returncode, stderr)} while {stage}")


def _stage(folder: Path) -> str:
    try:
        return (folder / "stage").read_text()
    except OSError:
        return "starting the process"


def _stderr(folder: Path) -> str:
    try:
        return (folder / "stderr").read_text(errors="replace")
    except OSError:
        return ""


def _refusal(stderr: str) -> str:
    """Return what this package itself had against the file, when that is how the worker ended."""
    last = (stderr.strip().splitlines() or [""])[-1]
    return last.partition(": ")[2] if last.startswith(f"{CompressError.__module__}.") else ""


_NO_MEMORY = ("MemoryError", "bad_alloc", "Cannot allocate memory", "failed to map segment")


def _cause(returncode: int, stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    last = lines[-1] if lines else f"exit code {returncode}"
    if telling := next((line for line in reversed(lines) if any(sign in line for sign in _NO_MEMORY)), ""):
        return f"the runtime ran out of memory ({telling})"
    if returncode < 0:
        known = {each.value: each.name for each in signal.Signals}
        name = known.get(-returncode, f"signal {-returncode}")
        hint = " (out of memory, or killed by someone)" if name == "SIGKILL" else ""
        return f"the runtime was killed by {name}{hint}"
    return f"the runtime said {last!r}"
