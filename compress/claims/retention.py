"""Retention: which stored runs and model files a ledger can do without, and removing them.

What a later run may be compared with stays: accepted runs, the newest green ones, their anchors, and their files.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from compress.artifact import FORMATS
from compress.claims.ledger import Ledger
from compress.claims.stored_run import ANCHORS, StoredRun
from compress.errors import LedgerError

YOUNG_S = 3600.0
"""A file that was written or used within this time may belong to a run that is about to be stored."""

_KEPT_FILE = re.compile(rf"([0-9a-f]{{64}})\.({'|'.join(map(re.escape, FORMATS.values()))})")
_PART = re.compile(r"\..+\.\d+\.part")
_DIGEST = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True)
class Plan:
    """What is to be removed of a ledger, the oldest first, and what stays; sizes in bytes.

    ``stale_parts`` are what killed processes left of files half written. ``over_bytes`` is by how much that which must
    stay exceeds ``max_bytes``. ``kept_files`` are model files; ``kept_bytes`` counts all that stays in the
    ledger's folder, other programs' files too.
    """

    ledger: Ledger
    keep_runs: int
    max_bytes: int | None
    remove_runs: tuple[StoredRun, ...]
    remove_files: tuple[Path, ...]
    stale_parts: tuple[Path, ...]
    kept_runs: tuple[StoredRun, ...]
    kept_files: tuple[Path, ...]
    freed_bytes: int
    kept_bytes: int

    @property
    def over_bytes(self) -> int:
        """By how many bytes the limit is exceeded by what must stay; 0 when it is met, or when there is none."""
        return 0 if self.max_bytes is None else max(0, self.kept_bytes - self.max_bytes)

    @property
    def removed(self) -> tuple[Path, ...]:
        """All files to remove: runs first, so that no run names a file that is gone."""
        return (*(run.path for run in self.remove_runs), *self.remove_files, *self.stale_parts)


def plan(ledger: Ledger, keep_runs: int = 50, max_bytes: int | None = None) -> Plan:
    """Return what to remove so that the newest `keep_runs` runs stay, and no more than `max_bytes` if that can be.

    Whatever their number, these stay: accepted runs, the newest that may be a baseline for each cell and scale, the
    newest whole green one of each selection, what the kept ones are anchored to, other programs' and damaged files, and
    what is younger than an hour. Of the others the oldest go first, with the files that no kept run measured. Raises
    `LedgerError` when `keep_runs` is below 1 or `max_bytes` below 0.
    """
    if keep_runs < 1 or (max_bytes is not None and max_bytes < 0):
        raise LedgerError(f"at least 1 run and 0 bytes must be kept, got keep_runs={keep_runs}, max_bytes={max_bytes}")
    runs, unreadable = _runs(ledger)
    stats = _stats(ledger)
    now = time.time()
    old = {path for path, stat in stats.items() if now - stat.st_mtime > YOUNG_S}
    stale = [path for path in old if _PART.fullmatch(path.name)]
    files = [path for path in stats if path.parent != ledger.folder and _KEPT_FILE.fullmatch(path.name)]
    spared = {digest.decode() for path in unreadable for digest in _DIGEST.findall(path.read_bytes())}
    must_stay = _needed(runs) | {run.path.name for run in runs if run.path not in old}
    anchors = {run.path.name: {str(cell.get(key)) for cell in run.cells.values() for key in ANCHORS} for run in runs}
    digests = {run.path.name: {str(cell.get("sha256")) for cell in run.cells.values()} for run in runs}

    def without(first: int) -> Plan:
        """Return the plan by which of the runs before the index `first` only those that must stay do."""
        names = _with_anchors(anchors, must_stay | {run.path.name for run in runs[first:]})
        kept = [run for run in runs if run.path.name in names]
        gone = [run for run in runs if run.path.name not in names]
        measured = spared.union(*(digests[name] for name in names))
        unnamed = {path for path in files if path in old and path.name.split(".")[0] not in measured}
        freed = sum(stats[path].st_size for path in (*(run.path for run in gone), *unnamed, *stale))
        return Plan(
            ledger=ledger,
            keep_runs=keep_runs,
            max_bytes=max_bytes,
            remove_runs=tuple(gone),
            remove_files=tuple(sorted(unnamed)),
            stale_parts=tuple(sorted(stale)),
            kept_runs=tuple(kept),
            kept_files=tuple(sorted(set(files) - unnamed)),
            freed_bytes=freed,
            kept_bytes=sum(stat.st_size for stat in stats.values()) - freed,
        )

    first = max(0, len(runs) - keep_runs)
    found = without(first)
    while found.over_bytes and first < len(runs) - 1:  # the newest stays: its number must not be given away again
        first += 1
        found = without(first)
    return found


def apply(planned: Plan) -> Plan:
    """Remove what was planned and may still be removed, under the ledger's lock, and return the plan of just that.

    Raises `LedgerError` when the folder cannot be written.
    """
    ledger = planned.ledger
    if not planned.removed:
        return planned
    try:
        with ledger.lock:
            # a run may have been stored or accepted since, which names what was to go
            fresh = plan(ledger, planned.keep_runs, planned.max_bytes)
            agreed = set(planned.removed)
            done = replace(
                fresh,
                remove_runs=tuple(run for run in fresh.remove_runs if run.path in agreed),
                remove_files=tuple(path for path in fresh.remove_files if path in agreed),
                stale_parts=tuple(path for path in fresh.stale_parts if path in agreed),
            )
            freed = 0
            for path in done.removed:
                size = path.stat().st_size
                path.unlink()
                freed += size
    except OSError as error:
        raise LedgerError(f"{ledger.folder}: could not be cleared up: {error}") from error
    return replace(done, freed_bytes=freed, kept_bytes=fresh.kept_bytes + fresh.freed_bytes - freed)


def _runs(ledger: Ledger) -> tuple[list[StoredRun], list[Path]]:
    """Return the runs of this package, the newest last, and the files that look like runs and cannot be read."""
    runs, unreadable = [], []
    for path in ledger.files():
        try:
            run = ledger.load(path)
        except LedgerError:
            unreadable.append(path)  # perhaps another version's, or to be restored: what it names stays too
        else:
            if run.compress:
                runs.append(run)
    return runs, unreadable


def _stats(ledger: Ledger) -> dict[Path, os.stat_result]:
    stats = {}
    for folder in (ledger.folder, ledger.folder / "artifacts"):
        for path in folder.iterdir() if folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):  # another process is writing here
                if path.is_file():
                    stats[path] = path.stat()
    return stats


def _needed(runs: list[StoredRun]) -> set[str]:
    """Return the file names of the runs that a baseline may be made of, and of all accepted ones."""
    needed: dict[tuple[object, ...], str] = {}
    for run in reversed(runs):
        selection = str(run.compress.get("selection"))
        if run.green and run.whole(selection):
            needed.setdefault(("whole", run.scale, selection), run.path.name)
        for cell in run.cells:
            if run.may_be_baseline(cell):
                needed.setdefault(("cell", run.scale, cell), run.path.name)
    return {*needed.values(), *(run.path.name for run in runs if run.acceptances())}


def _with_anchors(anchors: Mapping[str, set[str]], names: set[str]) -> set[str]:
    """Return `names` and those of the runs that a cell of one of them is anchored to, and so on."""
    found: set[str] = set()
    fresh = names
    while fresh:
        found |= fresh
        fresh = {anchor for name in fresh for anchor in anchors[name] & anchors.keys()} - found
    return found
