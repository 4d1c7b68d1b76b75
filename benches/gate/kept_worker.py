"""A worker of paired timing that never reloads: what the intervals are worth without fresh instances.

Started as ``python -m benches.gate.kept_worker FOLDER`` in place of `compress.runtime.paired_worker`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from compress.runtime import paired_worker
from compress.runtime.paired_worker import Side


def keep() -> None:
    """Let each side be loaded once and keep its instance."""
    load, kept = Side.load, {}

    def load_once(self):
        if self not in kept:
            kept[self] = load(self)
        return kept[self]

    Side.load = load_once


if __name__ == "__main__":
    keep()
    paired_worker.main(Path(sys.argv[1]))
