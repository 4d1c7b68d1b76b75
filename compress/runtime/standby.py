"""A worker process that has imported its runtime before there is a job for it: importing takes longer than most jobs.

It is started while the worker before it answers samples, which nobody times, and is as fresh as any: it has seen no
model file.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar


@dataclass
class Standby:
    """A process that waits on its standard input for the folder of a job, of one runtime and one environment."""

    runtime: str
    environment: dict[str, str]
    process: subprocess.Popen[str]

    _waiting: ClassVar[list[Standby]] = []

    @classmethod
    def start(cls, runtime: str, environment: dict[str, str]) -> Standby:
        """Start a process, which imports what `runtime` needs."""
        command = [sys.executable, "-m", "compress.runtime.worker", runtime]
        pipe = subprocess.PIPE
        process = subprocess.Popen(  # noqa: S603 - the interpreter itself
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment, errors="replace"
        )
        return cls(runtime, environment, process)

    @classmethod
    def take(cls, runtime: str, environment: dict[str, str]) -> Standby:
        """Return the process that waits, if it is of this runtime and environment and still lives, else a new one."""
        while cls._waiting:
            found = cls._waiting.pop()
            if (found.runtime, found.environment) == (runtime, environment) and found.process.poll() is None:
                return found
            found.end()
        return cls.start(runtime, environment)

    @classmethod
    def keep_one(cls, runtime: str, environment: dict[str, str]) -> None:
        """Start a process for the next job, unless one waits."""
        if not cls._waiting:
            cls._waiting.append(cls.start(runtime, environment))

    @classmethod
    def end_waiting(cls) -> None:
        """End the process that waits, if there is one."""
        while cls._waiting:
            cls._waiting.pop().end()

    def end(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.communicate()


atexit.register(Standby.end_waiting)
