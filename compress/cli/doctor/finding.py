"""What one check of ``compress-bench doctor`` found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One check's answer: ``wrong`` stops the gate or makes it lie, ``warn`` weakens it; either comes with a remedy."""

    state: State
    check: str
    said: str
    remedy: str = ""

    def __post_init__(self) -> None:
        if (self.state == "ok") == bool(self.remedy):
            raise ValueError(f"{self.check}: a remedy goes with what is not ok, and with nothing else")
