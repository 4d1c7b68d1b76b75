"""What a recording is made of: pairs, slowdowns and counts, in turn, so that drift of the machine hits all alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from benches.gate.recording import State
from benches.gate.tables import SLOWDOWNS

What = Literal["pair", "kept", "solo"]


@dataclass(frozen=True)
class Pair:
    """A file to run beside itself: how it is made, how it is slowed, and when a trial ends."""

    name: str
    subject: str
    recipe: str
    slowed_by: Literal["spin", "extra"]
    blocks: int = 32
    seconds: float = 2.5


TINY = Pair("tiny", "gate_tiny", "float32", "extra")
MID = Pair("mid", "gate_mid", "float32", "spin")
MID_ONNX = Pair("mid@onnx", "gate_mid", "float32@onnx", "spin")
LONG = Pair("long", "gate_long", "float32", "spin", blocks=24, seconds=10.0)
PAIRS = (TINY, MID, MID_ONNX, LONG)


@dataclass(frozen=True)
class Job:
    """One thing to record: a trial of a pair, really slowed or not, or one file alone."""

    pair: Pair
    what: What = "pair"
    slowdown_fraction: float = 0.0


@dataclass(frozen=True)
class Plan:
    """How many of each are recorded: trials of a file beside itself, of each slowdown, without reloading; solo runs."""

    alike: dict[Pair, int]
    slowed: dict[Pair, int]
    kept: dict[Pair, int]
    solo: dict[Pair, int]

    def jobs(self) -> list[Job]:
        """Return all jobs in the order to record them: each kind spread evenly over the whole."""
        counts = {Job(pair): count for pair, count in self.alike.items()}
        for slowdown in SLOWDOWNS:
            counts |= {Job(pair, "pair", slowdown): count for pair, count in self.slowed.items()}
        counts |= {Job(pair, "kept"): count for pair, count in self.kept.items()}
        counts |= {Job(pair, "solo"): count for pair, count in self.solo.items()}
        placed = [((i + 0.5) / count, job) for job, count in counts.items() for i in range(count)]
        return [job for _, job in sorted(placed, key=lambda one: one[0])]


_QUICK = Plan(
    alike={TINY: 4, MID: 3, MID_ONNX: 3, LONG: 1},
    slowed={TINY: 1, MID: 1},
    kept={TINY: 2, MID: 1},
    solo={TINY: 4, MID: 4},
)
_QUICK_CROWDED = Plan(alike={TINY: 3, MID: 2, MID_ONNX: 2, LONG: 1}, slowed={}, kept={}, solo={})
QUICK: dict[State, Plan] = {"idle": _QUICK, "loaded": replace(_QUICK, kept={}), "crowded": _QUICK_CROWDED}
"""Enough to see that all of it works, in two minutes; most claims stay undecided."""

_FULL = Plan(
    alike={TINY: 126, MID: 75, MID_ONNX: 75, LONG: 24},
    slowed={TINY: 24, MID: 14, MID_ONNX: 8, LONG: 4},
    kept={TINY: 30, MID: 30},
    solo={TINY: 36, MID: 36},
)
_FULL_CROWDED = Plan(
    alike={TINY: 30, MID: 30, MID_ONNX: 30, LONG: 14},
    slowed={},
    kept={},
    solo={},
)
FULL: dict[State, Plan] = {"idle": _FULL, "loaded": replace(_FULL, kept={}), "crowded": _FULL_CROWDED}
"""300 trials of a file beside itself, and 50 of each slowdown: 16 minutes idle, 20 loaded; a third of it crowded: 7."""
