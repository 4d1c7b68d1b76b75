"""What a command may name to be compared or accepted: a stored run, a run's file anywhere, or a golden file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from compress.errors import LedgerError

if TYPE_CHECKING:
    from compress.claims.golden import Golden
    from compress.claims.ledger import Ledger
    from compress.claims.stored_run import StoredRun


@dataclass(frozen=True)
class Side:
    """A run, or a golden file's cells as one, and the ledger that keeps its model files (None for a golden file)."""

    run: StoredRun
    ledger: Ledger | None

    def file(self, cell: str) -> Path | None:
        """Return the model file that `cell` was measured on, or None when it is not kept, or damaged."""
        stored = self.run.cells[cell]
        if self.ledger is None or "sha256" not in stored or "runtime" not in stored:
            return None
        return self.ledger.file(stored["sha256"], stored["runtime"])


def find_sides(
    names: tuple[str, str], ledger: Ledger, golden: Path | None, scale: str | None = None
) -> tuple[Side, Side]:
    """Return the two sides called `names`, at one scale: a run's number or file name, a path, or ``golden``.

    `golden` is the repository's golden file. A golden file holds several scales: the one asked for, else the other
    side's, is taken. Raises `LedgerError` when one is not there, has no cells, or the scales differ.
    """
    found = [_find(name, ledger, golden) for name in names]
    runs = [one.run for one in found if isinstance(one, Side)]
    scale = scale or (str(runs[0].scale) if runs else "embedded")
    old, new = (one if isinstance(one, Side) else _at_scale(one, scale) for one in found)
    for side in (old, new):
        if not side.run.cells:
            raise LedgerError(f"{side.run.describe()} holds no measured cells; there is nothing to compare")
        if side.run.scale != scale:
            raise LedgerError(
                f"{side.run.describe()} was made at --scale {side.run.scale}, not {scale}: "
                "its cells are other models; name two runs at one scale"
            )
    return old, new


def find_run(name: str, ledger: Ledger) -> Side:
    """Return the run called `name`, its number or file name in `ledger`, or the path of a run's file anywhere.

    Raises `LedgerError` when there is none, several, or a damaged one.
    """
    from compress.claims.ledger import Ledger

    path = Path(name)
    if name.isdigit() or not path.is_file():
        return Side(ledger.find(name), ledger)
    beside = Ledger(path.parent)
    return Side(beside.load(path), beside)


def _find(name: str, ledger: Ledger, golden: Path | None) -> Side | Golden:
    from compress.claims.golden import Golden

    if name == "golden":
        if golden is None:
            raise LedgerError('no golden file is named; add golden = "benches/golden.json" to [tool.compress]')
        return Golden.load(golden)
    return Golden.load(Path(name)) if _is_golden(Path(name)) else find_run(name, ledger)


def _is_golden(path: Path) -> bool:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False  # the ledger says what is wrong with it
    stored = document.get("compress") if isinstance(document, dict) else None
    return isinstance(stored, dict) and stored.get("kind") == "golden"


def _at_scale(golden: Golden, scale: str) -> Side:
    baseline = golden.baseline(scale)
    if baseline is None:
        there = ", ".join(sorted({str(cell["scale"]) for cell in golden.cells.values()})) or "none"
        raise LedgerError(f"{golden.path}: holds no cells at --scale {scale}; there are {there}")
    return Side(baseline.newest, None)
