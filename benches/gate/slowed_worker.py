"""A worker of paired timing whose new side is really slower: the injected regression that the gate has to find.

Started as ``python -m benches.gate.slowed_worker spin|extra FRACTION FOLDER`` in place of
`compress.runtime.paired_worker`. ``spin`` computes for the fraction of each call's own processor time; of calls too
short for that, ``extra`` makes more than it counts, 11 for 10.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

from compress.runtime import paired_worker
from compress.runtime.paired_worker import NEW, Side

WHOLE = 20
"""Calls are timed in multiples of this many, so that every fraction injected is a whole number of calls."""


def spun(call: Callable[[], object], fraction: float) -> Callable[[], object]:
    """Return `call`, lengthened by `fraction` of the processor time it takes."""

    def slow() -> object:
        started = time.thread_time_ns()
        result = call()
        now = time.thread_time_ns()
        until = started + (now - started) * (1 + fraction)
        while time.thread_time_ns() < until:
            pass
        return result

    return slow


def spin(fraction: float) -> None:
    """Let every call of the new side take `fraction` longer."""
    bind = Side.bind

    def slow_bind(self, session, sample):
        bind(self, session, sample)
        if self.index == NEW:
            self.call = spun(self.call, fraction)

    Side.bind = slow_bind


def extra(fraction: float) -> None:
    """Let the new side make `fraction` more calls than are counted, wherever several are timed at a time."""
    run, plan = Side.run, Side.plan

    def slow_run(self, stage, calls):
        made = round(calls * (1 + fraction)) if self.index == NEW and calls % WHOLE == 0 else calls
        wall_s, cpu_s = run(self, stage, made)
        return wall_s * made / calls, cpu_s * made / calls

    def whole_plan(self, calls, settling_calls):
        plan(self, math.ceil(calls / WHOLE) * WHOLE, settling_calls)

    Side.run, Side.plan = slow_run, whole_plan


if __name__ == "__main__":
    {"spin": spin, "extra": extra}[sys.argv[1]](float(sys.argv[2]))
    paired_worker.main(Path(sys.argv[3]))
