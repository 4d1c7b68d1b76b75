"""Time two model files beside each other in one process of their own, interleaved, in fresh instances every block.

Between two instances of the very same file times differ by 1 to 2 %, and between two processes by far more; only
reloading both, again and again, lets that average out. A file that crashes or hangs is an answer, as in `isolation`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from compress.errors import RuntimeCrash
from compress.runtime.isolation import death
from compress.runtime.paired_worker import BOTH, STAGES, STARTING
from compress.runtime.workers import worker_environment

DEADLINE_S = 120.0


@dataclass(frozen=True)
class Block:
    """Times of alternating calls of a fresh instance of each file: seconds a call, in the order they were made.

    Each is the mean of a chunk, which is one call, or as many as make half a millisecond. ``wall`` is the time of the
    wall, ``cpu`` the processor time of the calling thread: all there is when a runtime has one thread. ``load_s`` is
    the runtime's own loading.
    """

    old_wall_s: tuple[float, ...]
    new_wall_s: tuple[float, ...]
    old_cpu_s: tuple[float, ...]
    new_cpu_s: tuple[float, ...]
    old_load_s: float
    new_load_s: float

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Return the block that a worker has sent."""
        found: dict[str, Any] = {name: tuple(it) if isinstance(it, list) else it for name, it in stored.items()}
        return cls(**found)


class PairedProcess:
    """A worker process that holds the files `old` and `new` and runs both; entering starts it, leaving kills it.

    `sample` is what both are run on, ``(1, 28, 28, 1)``; none: seeded standard normal noise of the files' input shape,
    sizes they leave open taken as 1. Every random choice comes from `seed`. A worker that is silent for `deadline_s`,
    at the start or over one block, hangs. Entering and `blocks` raise `RuntimeCrash` that names the file whose side
    died or hung, and `ModelFileError` when a file is refused or the two do not take the same samples.
    """

    worker: Sequence[str] = ("compress.runtime.paired_worker",)
    """The module that is the worker, and arguments of its own; a worker that errs on purpose tests the gate."""

    call_s: float
    """Seconds of a warm call of the slower file: the minimum of five."""

    pairs: int
    """Chunks of each file in a block."""

    start_s: float
    """Seconds until the worker was ready: imports, the first loading and the first calls."""

    def __init__(
        self,
        old: Path,
        new: Path,
        runtime: str,
        sample: NDArray[Any] | None,
        *,
        threads: int = 1,
        seed: int,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._files = (str(old), str(new), f"{old} and {new}")
        self._job = {"old": str(old), "new": str(new), "runtime": runtime, "threads": threads, "seed": seed}
        self._sample = sample
        self._deadline_s = deadline_s
        self._hung = False
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        started = time.perf_counter()
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="compress-pair-")))
            (self._folder / "job.json").write_text(json.dumps(self._job))
            if self._sample is not None:
                np.save(self._folder / "sample.npy", self._sample, allow_pickle=False)
            errors = stack.enter_context((self._folder / "stderr").open("wb"))
            self._process = subprocess.Popen(  # noqa: S603 - the interpreter itself, with a folder made here
                [sys.executable, "-m", *self.worker, str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=worker_environment(),
            )
            stack.callback(self._end)
            ready = self._answer()
            self._stack = stack.pop_all()
        self.call_s, self.pairs = ready["call_s"], ready["pairs"]
        self.start_s = time.perf_counter() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def blocks(self, n: int) -> list[Block]:
        """Return `n` more blocks. The worker measures only while it is waited for."""
        return [self._block() for _ in range(n)]

    def _block(self) -> Block:
        assert self._process.stdin is not None, "opened as a pipe"
        try:
            os.write(self._process.stdin.fileno(), b"\n")  # nothing stays in a buffer that closing would have to flush
        except BrokenPipeError:
            raise self._death() from None
        return Block.from_json(self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None, "opened as a pipe"
        cut = threading.Timer(self._deadline_s, self._cut)
        cut.daemon = True
        cut.start()
        try:
            line = self._process.stdout.readline()
        finally:
            cut.cancel()
        if not line.endswith(b"\n"):
            raise self._death()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _cut(self) -> None:
        self._hung = True
        self._process.kill()

    def _death(self) -> Exception:
        """Return why the worker, whose end of the pipe is closed, gave no answer."""
        try:
            returncode = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._cut()
            returncode = self._process.wait()
        try:
            stage, side = (self._folder / "stage").read_bytes()
        except (OSError, ValueError):
            stage, side = STARTING, BOTH
        if self._hung:
            return RuntimeCrash(
                f"{self._files[side]}: hung; no answer within {self._deadline_s:g} s while {STAGES[stage]}"
            )
        stderr = (self._folder / "stderr").read_text(errors="replace")
        return death(self._files[side], returncode, stderr, STAGES[stage])

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None, "opened as a pipe"
            pipe.close()
