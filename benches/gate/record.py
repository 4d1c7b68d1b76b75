"""Record one state of the machine: every job of a plan, one after the other, each in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil

from benches.gate.load import busy_machine
from benches.gate.plan import Job, Pair, Plan
from benches.gate.rates import POLICY
from benches.gate.recording import Recording, Solo, Trial
from compress.claims.timing import LOOKS, block_log_ratio, clock_of, decide
from compress.runtime.paired import Block, PairedProcess
from compress.runtime.workers import worker_environment
from compress.workbench import Cell, Workbench

SOLO_S = 0.7
SOLO_DEADLINE_S = 60.0
TELL_EVERY_S = 20.0


class SlowedProcess(PairedProcess):
    """A paired process whose new side is really slower, by `Pair.slowed_by`."""

    def __init__(self, job: Job, path: Path, runtime: str, sample: np.ndarray, seed: int) -> None:
        super().__init__(path, path, runtime, sample, seed=seed)
        self.worker = ("benches.gate.slowed_worker", job.pair.slowed_by, str(job.slowdown_fraction))


class KeptProcess(PairedProcess):
    """A paired process that never reloads."""

    worker = ("benches.gate.kept_worker",)


class Others:
    """The cores that others compute on, from its making to `cores`: not this process, its ended children or `loops`."""

    def __init__(self, loops: Sequence[int] = ()) -> None:
        self._own = [psutil.Process(), *map(psutil.Process, loops)]
        self._before = self._now()

    def cores(self) -> float:
        """Return their number so far, the mean over time."""
        wall, busy, own = (now - before for now, before in zip(self._now(), self._before, strict=True))
        return max(0.0, (busy - own) / wall)

    def _now(self) -> tuple[float, float, float]:
        times = psutil.cpu_times()
        busy = sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal"))
        own = (process.cpu_times() for process in self._own)
        used = sum(one.user + one.system + one.children_user + one.children_system for one in own)
        return time.perf_counter(), busy, used


def record(
    recording: Recording,
    plan: Plan,
    cells: dict[Pair, Cell],
    workbench: Workbench,
    path: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Add to `recording` all that `plan` has of its state, and save it in `path`; so much as there is, when it ends.

    `cells` are the files of the pairs, built before anything is timed.
    """
    jobs = plan.jobs()
    started = told = time.perf_counter()
    try:
        with busy_machine(recording.state) as loops:
            for number, job in enumerate(jobs):
                now = time.perf_counter()
                if number and now - told > TELL_EVERY_S:
                    left_s = (now - started) / number * (len(jobs) - number)
                    tell(f"{recording.state}: {number} of {len(jobs)} recorded, about {left_s / 60:.1f} min left")
                    told = now
                _record(job, number, recording, workbench, cells[job.pair], Others(loops))
    finally:
        if recording.trials:
            recording.save(path)
            tell(f"recorded {recording.state} in {path}")


def _record(job: Job, seed: int, recording: Recording, workbench: Workbench, cell: Cell, others: Others) -> None:
    path, runtime = cell.artifact.path, cell.artifact.runtime
    sample = workbench.data(cell.subject).evaluation_x[:1]
    if job.what == "solo":
        found = _solo(path, runtime, sample)
        recording.solos.append(Solo(pair=job.pair.name, others_cores=others.cores(), **found))
        return
    if job.what == "kept":
        process = KeptProcess(path, path, runtime, sample, seed=seed)
    elif job.slowdown_fraction:
        process = SlowedProcess(job, path, runtime, sample, seed)
    else:
        process = PairedProcess(path, path, runtime, sample, seed=seed)
    with process:
        blocks, spent_s = _blocks(process, job)
    recording.trials.append(
        Trial(
            pair=job.pair.name,
            slowdown_fraction=job.slowdown_fraction,
            kept=job.what == "kept",
            call_s=process.call_s,
            start_s=process.start_s,
            others_cores=others.cores(),
            spent_s=tuple(spent_s),
            blocks=tuple(blocks),
        )
    )


def _blocks(process: PairedProcess, job: Job) -> tuple[list[Block], list[float]]:
    """Return blocks until the pair's cap, as `time_pair` would; of a slowed side no more than decide."""
    clock = clock_of(POLICY, process.call_s)
    blocks: list[Block] = []
    spent_s: list[float] = []
    started = time.perf_counter()
    while len(blocks) < job.pair.blocks:
        blocks += process.blocks(1)
        spent_s.append(time.perf_counter() - started)
        if spent_s[-1] * (1 + 1 / len(blocks)) > job.pair.seconds:
            break
        if job.slowdown_fraction and len(blocks) in LOOKS:
            y = [block_log_ratio(block, clock) for block in blocks]
            allowed = POLICY.allowed_slowdown_fraction
            if decide(y, allowed_slowdown_fraction=allowed, alpha=POLICY.alpha) is not None:
                break
    return blocks, spent_s


def _solo(path: Path, runtime: str, sample: np.ndarray) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="gate-solo-") as name:
        folder = Path(name)
        np.save(folder / "sample.npy", sample, allow_pickle=False)
        job = {"path": str(path), "runtime": runtime, "sample": str(folder / "sample.npy"), "seconds": SOLO_S}
        (folder / "job.json").write_text(json.dumps(job))
        subprocess.run(  # noqa: S603 - the interpreter itself, with a module of this bench
            [sys.executable, "-m", "benches.gate.solo_worker", str(folder / "job.json"), str(folder / "result.json")],
            env=worker_environment(),
            capture_output=True,
            timeout=SOLO_DEADLINE_S,
            check=True,
        )
        found = json.loads((folder / "result.json").read_text())
    return {**found, "samples_s": tuple(found["samples_s"])}
