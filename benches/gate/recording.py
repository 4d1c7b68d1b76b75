"""What was recorded of one state of the machine, raw, so that any rule can judge the very same data later."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from compress.claims.policy import Clock, Policy
from compress.claims.timing import Statistic, block_log_ratio, clock_of
from compress.errors import DataError
from compress.runtime.paired import Block

State = Literal["idle", "loaded", "crowded"]
"""Nothing else runs; one loop beside it and one in bursts; two loops beside it all the time."""


@dataclass(frozen=True)
class Trial:
    """Blocks of one fresh worker, of a file beside itself, until a cap; ``spent_s`` is the time up to each block.

    ``slowdown_fraction`` is what the new side was really slowed by. ``kept`` says that its instances were never
    reloaded, ``others_cores`` how many cores all but the trial and the bench's own load computed on meanwhile.
    """

    pair: str
    slowdown_fraction: float
    kept: bool
    call_s: float
    start_s: float
    others_cores: float
    spent_s: tuple[float, ...]
    blocks: tuple[Block, ...]

    def log_ratios(self, statistic: Statistic, clock: Clock) -> NDArray[np.float64]:
        """Return log(new / old) of the blocks, ``(n,)``."""
        chosen = clock_of(replace(Policy(), clock=clock), self.call_s)
        return np.array([block_log_ratio(block, chosen, statistic) for block in self.blocks])


@dataclass(frozen=True)
class Solo:
    """One file alone in a fresh process: what a run of today's tools keeps of it, in seconds a call."""

    pair: str
    mean_s: float
    median_s: float
    min_s: float
    samples_s: tuple[float, ...]
    others_cores: float = 0.0


@dataclass(frozen=True)
class Recording:
    """Trials and solitary runs in the order they were made. ``confidence`` is that of its claims' intervals."""

    state: State
    scale: str
    confidence: float
    machine: dict[str, Any]
    trials: list[Trial] = field(default_factory=list)
    solos: list[Solo] = field(default_factory=list)

    @property
    def others_cores(self) -> float:
        """Cores that others computed on, the median trial's; 0 of no trial."""
        return float(np.median([trial.others_cores for trial in self.trials])) if self.trials else 0.0

    def beside_itself(self, *, kept: bool = False) -> list[Trial]:
        """Return the trials of a file beside itself, whose truth is 1.00x."""
        return [trial for trial in self.trials if trial.slowdown_fraction == 0 and trial.kept is kept]

    def slowed(self, fraction: float) -> list[Trial]:
        """Return the trials whose new side was really slowed by `fraction`."""
        return [trial for trial in self.trials if trial.slowdown_fraction == fraction]

    def save(self, path: Path) -> Path:
        """Write the recording as gzipped JSON, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(gzip.compress(json.dumps(_rounded(asdict(self))).encode()))
        os.replace(part, path)
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what `save` wrote. Raises `DataError` when the file is not that."""
        try:
            stored = json.loads(gzip.decompress(path.read_bytes()))
            trials = [
                Trial(
                    **{
                        **one,
                        "spent_s": tuple(one["spent_s"]),
                        "blocks": tuple(Block.from_json(block) for block in one["blocks"]),
                    }
                )
                for one in stored["trials"]
            ]
            solos = [Solo(**{**one, "samples_s": tuple(one["samples_s"])}) for one in stored["solos"]]
            return cls(**{**stored, "trials": trials, "solos": solos})
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: not a recording of the gate's bench: {error}") from error


def _rounded(value: Any) -> Any:
    """Return `value` with times in whole tenths of a nanosecond: clocks have no more, and files are half as long."""
    if isinstance(value, float):
        return round(value, 10)
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value
