"""A busy machine: loops that never rest, and loops that come and go as a neighbour does.

Started as ``python -m benches.gate.load on|bursts SEED``; a loop whose parent is gone ends.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benches.gate.recording import State
from compress.runtime.workers import worker_environment

LOOPS: dict[State, tuple[str, ...]] = {"idle": (), "loaded": ("on", "bursts"), "crowded": ("on", "on")}
"""What computes beside the trials in each state."""

BURST_S = 1.5
"""Mean length of a burst and of a rest, both exponential."""

LOOK_S = 0.2


@contextmanager
def busy_machine(state: State, seed: int = 0) -> Iterator[tuple[int, ...]]:
    """Keep the processes of a state computing; gives their ids, and kills them in the end."""
    pids = []
    with ExitStack() as stack:
        for pattern in LOOPS[state]:
            loop = subprocess.Popen(  # noqa: S603 - the interpreter itself, with this module
                [sys.executable, "-m", "benches.gate.load", pattern, str(seed)], env=worker_environment()
            )
            stack.callback(loop.wait)
            stack.callback(loop.kill)
            pids.append(loop.pid)
        yield tuple(pids)


def main(pattern: str, seed: int) -> None:
    """Compute until the parent is gone."""
    parent = os.getppid()
    rng = random.Random(seed)  # noqa: S311 - when to compute is no secret
    while os.getppid() == parent:
        if pattern == "on":
            _compute(LOOK_S)
        else:
            _compute(rng.expovariate(1 / BURST_S))
            time.sleep(rng.expovariate(1 / BURST_S))


def _compute(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
