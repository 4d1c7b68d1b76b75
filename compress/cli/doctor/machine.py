"""Checks of the machine: how many processors there are to time on, who else is at work, and how fine the clock is."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

from compress.cli.doctor.finding import Finding

BUSY_PER_CPU = 0.5
"""Load average per processor from which time verdicts are likelier to be undecided."""

COARSE_S = 1e-6
"""Clock resolution from which a block of calls no longer tells 5 % apart."""

FEWEST_CPUS = 2
"""One to time on, one for pytest and the rest of the machine."""


def check_machine() -> Iterator[Finding]:
    """Yield what there is to say of this machine as a place to time on."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield check_cpus(cpus, read_quota(Path("/")))
    if hasattr(os, "getloadavg"):
        yield check_load(os.getloadavg()[0], cpus)
    yield check_governor(Path("/"))
    yield check_clock(time.get_clock_info("perf_counter").monotonic, _smallest_step_s())


def read_quota(root: Path) -> float:
    """Return how many processors this process's control groups (version 1 or 2) allow; infinite without a limit."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return math.inf
    mounted, limits = root / "sys/fs/cgroup", [math.inf]
    for line in groups:
        _, controllers, path = line.split(":", 2)
        base, names = mounted, ["cpu.max"]
        if controllers:
            base, names = mounted / controllers, ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        # inside a container the path may be the host's; the limit then stands at the mount point itself
        inner = base / path.lstrip("/")
        folders = [folder for folder in (inner, *inner.parents) if folder.is_relative_to(base)]
        limits += [_limit([folder / name for name in names]) for folder in folders]
    return min(limits)


def _limit(files: list[Path]) -> float:
    try:
        quota, period = " ".join(file.read_text() for file in files).split()
    except (OSError, ValueError):
        return math.inf
    return math.inf if quota in ("max", "-1") else int(quota) / int(period)


def check_cpus(cpus: int, quota: float) -> Finding:
    """Return whether `cpus` processors, of which `quota` may be used at a time, are enough to time on."""
    limited = quota < cpus
    said = f"{cpus} to run on" + (f", but a quota of {quota:g}" if limited else ", no quota")
    if quota < FEWEST_CPUS:
        remedy = f"give the container at least {FEWEST_CPUS}: calls are stopped in the middle, and nothing is decided"
        return Finding("warn", "processors", said, remedy)
    if cpus < FEWEST_CPUS:
        return Finding(
            "warn", "processors", said, "use a machine with two: whatever else runs is in the way of the timing"
        )
    if limited:
        remedy = "pass --cpuset-cpus instead of --cpus to the container, so that calls are not stopped in the middle"
        return Finding("warn", "processors", said, remedy)
    return Finding("ok", "processors", said)


def check_load(average: float, cpus: int) -> Finding:
    """Return whether others are at work now: `average` is the load of the last minute."""
    said = f"{average:.2f} over the last minute on {cpus} processors"
    if average > BUSY_PER_CPU * cpus:
        return Finding("warn", "load", said, "wait until it is idle, or expect `undecided`: the gate does not guess")
    return Finding("ok", "load", said)


def check_governor(root: Path) -> Finding:
    """Return how the processors' frequency is governed, where the system tells."""
    found = set()
    for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"):
        try:
            found.add(path.read_text().strip())
        except OSError:
            continue
    if not found:
        return Finding("ok", "frequency", "not told here, as in most virtual machines")
    said = f"governed by {', '.join(sorted(found))}"
    if found == {"performance"}:
        return Finding("ok", "frequency", said)
    return Finding("warn", "frequency", said, "`cpupower frequency-set -g performance`, for times that vary less")


def check_clock(monotonic: bool, step_s: float) -> Finding:
    """Return whether the clock that calls are timed with never goes back, and is fine enough."""
    said = f"smallest step {step_s * 1e9:,.0f} ns"
    if not monotonic:
        return Finding("wrong", "clock", f"{said}, and it may go back", "time on a system with a monotonic clock")
    if step_s > COARSE_S:
        remedy = "choose another clock source for the system (tsc): fast calls cannot be told apart with this one"
        return Finding("warn", "clock", said, remedy)
    return Finding("ok", "clock", said)


def _smallest_step_s() -> float:
    steps: list[int] = []
    before = time.perf_counter_ns()
    while len(steps) < 1000:
        now = time.perf_counter_ns()
        if now != before:
            steps.append(now - before)
        before = now
    return min(steps) * 1e-9
