"""Worker processes, one a job, forked where that is safe by a process that has imported their runtime before.

Importing a runtime takes longer than most jobs. A worker is as fresh as any for all that: the process that it is forked
from never sees a model file, so no job meets what another one left, and none can take another one down.
"""

from __future__ import annotations

import atexit
import os
import select
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

FORKED = ("litert", "onnx")
"""Runtimes that may be imported in one process and used in its fork: TensorFlow's threads would be missing there."""

OF_THE_CALLER = ("PYTEST_CURRENT_TEST",)
"""Variables of the environment that say what the caller is doing, and nothing to a worker."""

_END_S = 5.0


def run_worker(runtime: str, folder: Path, deadline_s: float) -> int:
    """Do the job in `folder` in a process of its own, and return its exit code; that of a signal is negative.

    What it writes to standard error is in the folder's ``stderr`` then. Raises `subprocess.TimeoutExpired` after
    `deadline_s` seconds; the process is gone then.
    """
    environment = worker_environment()
    if runtime in FORKED and sys.platform == "linux":
        server = ForkServer.take(runtime, environment)
        returncode = server.run(folder, deadline_s)
        server.give_back()
        return returncode
    with (folder / "stderr").open("wb") as errors:
        return subprocess.run(  # noqa: S603 - the interpreter itself, with a folder of ours
            [sys.executable, "-m", "compress.runtime.worker", runtime, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            timeout=deadline_s,
            check=False,
        ).returncode


def worker_environment() -> dict[str, str]:
    """Return the environment of a worker process: this one's, and the same places to import from."""
    inherited = {name: value for name, value in os.environ.items() if name not in OF_THE_CALLER}
    return {**inherited, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@dataclass(frozen=True)
class ForkServer:
    """A process that has imported a runtime and forks a worker for each folder that it is given, one after another.

    It does one job at a time, and ends with this process; one of each runtime is kept between jobs.
    """

    runtime: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    _waiting: ClassVar[dict[str, ForkServer]] = {}

    @classmethod
    def take(cls, runtime: str, environment: dict[str, str]) -> ForkServer:
        """Return the one that waits, if it is of this environment and still lives, else a new one."""
        found = cls._waiting.pop(runtime, None)
        if found is not None and found.environment == environment and found.process.poll() is None:
            return found
        if found is not None:
            found.end()
        pipe = subprocess.PIPE
        process = subprocess.Popen(  # noqa: S603 - the interpreter itself
            [sys.executable, "-m", "compress.runtime.worker", runtime],
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment,
        )
        return cls(runtime, environment, process)

    def give_back(self) -> None:
        """Keep this one for the next job, unless another one is kept already."""
        if self._waiting.setdefault(self.runtime, self) is not self:
            self.end()

    def run(self, folder: Path, deadline_s: float) -> int:
        """Let a worker do the job in `folder`, and return its exit code, or this process's own when that has died.

        Raises `subprocess.TimeoutExpired`; the two are gone then.
        """
        assert self.process.stdin is not None, "opened as a pipe"
        assert self.process.stdout is not None, "opened as a pipe"
        try:
            with suppress(BrokenPipeError):
                self.process.stdin.write(f"{folder}\n".encode())
            if not select.select([self.process.stdout], [], [], deadline_s)[0]:
                raise subprocess.TimeoutExpired(self.process.args, deadline_s)
            said = self.process.stdout.readline()
        except BaseException:
            self.end()
            raise
        return int(said) if said else self.process.wait()

    def end(self) -> None:
        """End the process, and with it the worker that is at a job."""
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None, "opened as a pipe"
            pipe.close()  # what it reads as the end, at a job or not
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @classmethod
    def end_waiting(cls) -> None:
        """End every one that waits."""
        while cls._waiting:
            cls._waiting.popitem()[1].end()


atexit.register(ForkServer.end_waiting)
