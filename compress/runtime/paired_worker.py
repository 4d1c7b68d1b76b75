"""The child side of paired timing: hold two model files at once and time block after block of interleaved calls.

Started as ``python -m compress.runtime.paired_worker FOLDER`` by `compress.runtime.paired`, which holds the contract.
The folder holds ``job.json`` and perhaps ``sample.npy``; the worker keeps ``stage`` up to date (how far it got, with
which file), says what it found out about the pair in one line of JSON, and then answers every line on its standard
input with one block. It never measures unasked: whoever asked may be thinking on the same core.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelFileError
from compress.runtime.session import Session, load_session, prepare, read_content, read_parts

STAGES = (
    "starting the process",
    "importing the runtime",
    "loading the model",
    "running one inference",
    "timing inferences",
)
STARTING, IMPORTING, LOADING, FIRST_CALL, TIMING = range(len(STAGES))
OLD, NEW, BOTH = range(3)

CHUNK_S = 0.5e-3
"""Calls shorter than this are timed several at a time: long enough for the clock, short enough to share its weather."""

LONG_CALL_S = 0.01
"""From here on a block has few pairs, so that several blocks, which is what the interval is made of, fit a budget."""

VERY_LONG_CALL_S = 0.05
"""From here on no call is spent on warm caches: filling them again is less than a millisecond of so long a call."""

MINIMUM_PAIRS, MINIMUM_LONG_PAIRS, MAXIMUM_PAIRS = 8, 4, 32


class Stage:
    """Two bytes of a file that outlive the process: how far it got, and with which of the files."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes((STARTING, BOTH)))
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), 2)

    def set(self, stage: int, side: int) -> None:
        """Note `stage` and `side`; costs a memory write, so that it may stand between timed calls."""
        self._bytes[0], self._bytes[1] = stage, side


class Side:
    """One of the two files: its content, the runtime's instance of it, and how it is to be timed."""

    def __init__(self, index: int, content: bytes, runtime: str, threads: int, stage: Stage) -> None:
        self.index, self.content, self.runtime, self.threads, self.stage = index, content, runtime, threads, stage
        self.call: Callable[[], object] | None = None
        self.call_s = math.nan
        self.calls, self.warm_calls, self.settling_calls = 1, 1, 0

    def load(self) -> tuple[Session, float]:
        """Return a fresh session and the seconds that it took."""
        self.stage.set(LOADING, self.index)
        started = time.perf_counter()
        session = load_session(self.content, self.runtime, self.threads)
        return session, time.perf_counter() - started

    def bind(self, session: Session, sample: NDArray[Any]) -> None:
        """Put `sample` into `session`, whose only reference is kept in the call."""
        self.stage.set(FIRST_CALL, self.index)
        self.call = session.bind(sample)

    def run(self, stage: int, calls: int) -> tuple[float, float]:
        """Return the seconds of the wall and of this thread's processor time that one call took, mean of `calls`."""
        assert self.call is not None, "bound before it is run"
        self.stage.set(stage, self.index)
        call = self.call
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        for _ in range(calls):
            call()
        cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
        return wall / calls * 1e-9, cpu / calls * 1e-9

    def estimate(self) -> None:
        """Note the minimum of five warm calls; fewer when they are so long that one tells enough."""
        first_s, _ = self.run(FIRST_CALL, 1)
        if first_s < VERY_LONG_CALL_S:
            self.run(FIRST_CALL, 2)
        found = [self.run(TIMING, 1)[0]]
        while len(found) < 5 and sum(found) < 5 * VERY_LONG_CALL_S:
            found.append(self.run(TIMING, 1)[0])
        self.call_s = min(found)

    def plan(self, calls: int, settling_calls: int) -> None:
        """Time `calls` at a time from here on, after `settling_calls` that are not timed."""
        self.calls, self.settling_calls = calls, settling_calls
        self.warm_calls = max(3, calls) if settling_calls else 1


class Pair:
    """Both files, and the random order of everything done to them."""

    def __init__(self, job: dict[str, Any], sample: NDArray[Any] | None, stage: Stage) -> None:
        self.rng = np.random.default_rng(job["seed"])
        self.firsts = (0, 0, 0)
        self.answered = 0
        sides = []
        for index, name in ((OLD, "old"), (NEW, "new")):
            stage.set(LOADING, index)
            content = read_content(job[name])
            read_parts(content, job["runtime"])
            sides.append(Side(index, content, job["runtime"], job["threads"], stage))
        self.sides = (sides[OLD], sides[NEW])
        loaded = [side.load() for side in self.sides]
        shapes = [session.input_shape for session, _ in loaded]
        stage.set(LOADING, BOTH)
        if not _agree(*shapes):
            raise ModelFileError(
                f"one takes samples of shape {shapes[OLD]}, the other of {shapes[NEW]}; "
                "they cannot be timed on the same sample"
            )
        names = [sorted(session.input_names) for session, _ in loaded]
        if names[OLD] != names[NEW] or (sample is None and len(names[OLD]) > 1):
            listed = " and ".join(", ".join(each) for each in names)
            raise ModelFileError(f"they take {listed}; only files of the same inputs are timed, several on a sample")
        if sample is None:
            sample = _standard_normal(shapes[OLD], shapes[NEW], self.rng)
        elif not _agree(sample.shape[1:], shapes[OLD]):
            raise ModelFileError(f"they take samples of shape {shapes[OLD]}, got one of {sample.shape[1:]}")
        self.sample = sample
        for side, (session, _) in zip(self.sides, loaded, strict=True):
            side.bind(session, sample)
            side.estimate()
        self.plan(sum(load_s for _, load_s in loaded))

    @property
    def call_s(self) -> float:
        """Seconds of a call of the slower side."""
        return max(side.call_s for side in self.sides)

    def plan(self, load_s: float) -> None:
        """Choose how many calls are timed at a time and how many pairs make a block, given what loading both costs."""
        calls = [max(1, math.ceil(CHUNK_S / side.call_s)) for side in self.sides]
        if max(calls) <= 2 * min(calls):
            calls = [max(calls)] * 2  # alike but for noise: treat them alike
        for side, number in zip(self.sides, calls, strict=True):
            side.plan(number, settling_calls=int(self.call_s < VERY_LONG_CALL_S))
        pair_s = sum((side.calls + side.settling_calls) * side.call_s for side in self.sides)
        least = MINIMUM_PAIRS if self.call_s < LONG_CALL_S else MINIMUM_LONG_PAIRS
        self.pairs = int(np.clip(math.ceil(load_s / pair_s), least, MAXIMUM_PAIRS))

    def next_firsts(self) -> tuple[int, int, int]:
        """Return which side is loaded, warmed and timed first: at random, and every second block the other way round.

        Whoever is loaded second finds warm caches; drawn freely, few blocks would often favour one side.
        """
        if self.answered % 2:
            load, warm, first_timed = (1 - side for side in self.firsts)
        else:
            load, warm, first_timed = self.rng.integers(2, size=3).tolist()
        self.firsts = (load, warm, first_timed)
        self.answered += 1
        return self.firsts

    def block(self) -> dict[str, Any]:
        """Load both files afresh and return the times of alternating chunks; see `compress.runtime.paired.Block`."""
        for side in self.sides:
            side.call = None
        load_first, warm_first, time_first = self.next_firsts()
        load_s = [0.0, 0.0]
        for index in (load_first, 1 - load_first):
            session, load_s[index] = self.sides[index].load()
            self.sides[index].bind(session, self.sample)
        for index in (warm_first, 1 - warm_first):
            self.sides[index].run(FIRST_CALL, self.sides[index].warm_calls)
        times: tuple[list[tuple[float, float]], ...] = ([], [])
        for number in range(self.pairs):
            for position in range(2):
                side = self.sides[(time_first + number + position) % 2]
                if side.settling_calls:
                    side.run(TIMING, side.settling_calls)
                times[side.index].append(side.run(TIMING, side.calls))
        return {
            "old_wall_s": [wall for wall, _ in times[OLD]],
            "new_wall_s": [wall for wall, _ in times[NEW]],
            "old_cpu_s": [cpu for _, cpu in times[OLD]],
            "new_cpu_s": [cpu for _, cpu in times[NEW]],
            "old_load_s": load_s[OLD],
            "new_load_s": load_s[NEW],
        }


def _agree(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Return whether a sample can have both shapes; -1 is any size."""
    return len(one) == len(other) and all(a == b or -1 in (a, b) for a, b in zip(one, other, strict=True))


def _standard_normal(old: tuple[int, ...], new: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    shape = [max(sizes) if max(sizes) > 0 else 1 for sizes in zip(old, new, strict=True)]
    return rng.normal(size=(1, *shape)).astype(np.float32)


def _own_streams() -> tuple[TextIO, TextIO]:
    """Return the streams of questions and answers; a runtime that reads or prints gets nothing and standard error."""
    questions, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return questions, answers


def main(folder: Path) -> None:
    """Time the pair in `folder` until nobody asks any more."""
    stage = Stage(folder / "stage")
    questions, answers = _own_streams()
    job = json.loads((folder / "job.json").read_text())
    sample = np.load(folder / "sample.npy", allow_pickle=False) if (folder / "sample.npy").exists() else None
    stage.set(IMPORTING, BOTH)
    prepare(job["runtime"])
    pair = Pair(job, sample, stage)
    answer: dict[str, Any] = {
        "call_s": pair.call_s,
        "calls": [side.calls for side in pair.sides],
        "pairs": pair.pairs,
    }
    while True:
        print(json.dumps(answer), file=answers, flush=True)
        if not questions.readline():
            return
        answer = pair.block()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
