"""A run as the ledger holds it: one of pytest-benchmark's JSON files with one more key, ``compress``.

That key holds the measured cells with their per-sample outcomes, the verdicts, the machine, a status, and who accepted
what of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = 1
ANCHORS = ("anchor", "time_anchor")
"""Keys under which a stored cell names the run that its values, and its time, are still compared with."""

EVERYTHING = "all"
"""What stands in place of a list of cells when a whole run was accepted."""


@dataclass(frozen=True)
class StoredRun:
    """A run as it was stored; `number` is its counter in the ledger, such as ``0007``."""

    path: Path
    document: dict[str, Any]

    @property
    def number(self) -> str:
        """The run's counter, the first part of its file's name."""
        return self.path.name.split("_")[0]

    @property
    def compress(self) -> dict[str, Any]:
        """What this package stored of the run; empty for a run of somebody else's benchmarks."""
        stored: dict[str, Any] = self.document.get("compress", {})
        return stored

    @property
    def cells(self) -> dict[str, dict[str, Any]]:
        """The measured cells by name."""
        cells: dict[str, dict[str, Any]] = self.compress.get("cells", {})
        return cells

    @property
    def scale(self) -> str | None:
        """The scale it was made at; None for a run of somebody else's benchmarks."""
        scale: str | None = self.compress.get("scale")
        return scale

    def acceptances(self, cell: str | None = None) -> list[dict[str, Any]]:
        """Return who accepted the run, or this cell of it, when, why, and what was what before; the oldest first.

        Keys: ``reason``, ``when``, ``who``, ``cells`` (names, or ``"all"``) and ``before``, by cell and metric the old
        and the new value.
        """
        stored = self.compress.get("accepted", [])
        # one dict, of the whole run, is how the first version stored it
        found = [{"cells": EVERYTHING, **one} for one in ([stored] if isinstance(stored, dict) else stored)]
        return [one for one in found if cell is None or one["cells"] == EVERYTHING or cell in one["cells"]]

    @property
    def green(self) -> bool:
        """Whether the whole run may be a baseline: everything passed and nothing got worse, or somebody accepted it."""
        accepted = any(one["cells"] == EVERYTHING for one in self.acceptances())
        return self.compress.get("status") == "green" or accepted

    def may_be_baseline(self, cell: str) -> bool:
        """Return whether this cell of the run may be compared with: the run is green, or the cell was accepted."""
        return self.green or bool(self.acceptances(cell))

    def whole(self, selection: str) -> bool:
        """Return whether the run measured all that `selection`, the paths given to pytest, selects."""
        return bool(self.compress.get("complete")) and self.compress.get("selection") == selection

    @property
    def status(self) -> str:
        """``green``, ``red``, ``accepted``, ``partly accepted``, or ``not ours`` for a run of other benchmarks."""
        if any(one["cells"] == EVERYTHING for one in self.acceptances()):
            return "accepted"
        status = str(self.compress.get("status", "not ours"))
        return "partly accepted" if self.acceptances() and status == "red" else status

    @property
    def time(self) -> str:
        """When the run ended, UTC, to the second."""
        return str(self.document.get("datetime", ""))[:19]

    @property
    def commit(self) -> str:
        """The first ten digits of the commit it was made from; without any, pytest-benchmark says unversioned."""
        named = str((self.document.get("commit_info") or {}).get("id") or "")
        return "no commit" if named in ("", "unversioned") else named[:10]

    def describe(self) -> str:
        """Return the run's number, status, time and commit, for people; a golden file's name, date and reason."""
        if self.compress.get("kind") == "golden":
            last = self.acceptances()[-1]
            return f"golden file {os.path.relpath(self.path)} (accepted {last['when'][:10]}: {last['reason']})"
        return f"run {self.number} ({self.status}, {self.time}, {self.commit})"


def covers(selection: str, other: str) -> bool:
    """Return whether all paths of the selection `other` are, or are below, paths of `selection`."""
    return all(any(Path(path).is_relative_to(folder) for folder in selection.split()) for path in other.split())


def fault_of(document: object) -> str:
    """Return why `document` is not what this version stores of a run, for people; empty when it is."""
    if not isinstance(document, dict) or not isinstance(document.get("benchmarks"), list):
        return "no list of benchmarks"
    ours = document.get("compress", {})
    if isinstance(ours, dict) and ours.get("schema", SCHEMA) != SCHEMA:
        return f"written by another version: schema {ours['schema']!r}, this one reads {SCHEMA}"
    whole = isinstance(ours, dict) and _are_cells(ours.get("cells", {})) and _are_accepted(ours.get("accepted", []))
    return "" if whole else "'compress' is not what this version writes"


def _are_cells(cells: object) -> bool:
    return isinstance(cells, dict) and all(
        isinstance(cell, dict) and isinstance(cell.get("values"), dict) for cell in cells.values()
    )


def _are_accepted(accepted: object) -> bool:
    found = [accepted] if isinstance(accepted, dict) else accepted
    return isinstance(found, list) and all(
        isinstance(one, dict) and (one.get("cells", EVERYTHING) == EVERYTHING or isinstance(one["cells"], list))
        for one in found
    )
