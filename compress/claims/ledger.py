"""The ledger: stored runs, in pytest-benchmark's own storage and files, and which of them may be a baseline.

A run is one of pytest-benchmark's JSON files with one more key, ``compress``: the measured cells with their per-sample
outcomes, the verdicts, the machine, and a status. Only a green run becomes a baseline, or a red one that was accepted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from compress.errors import LedgerError
from compress.measure.classification import Outcomes
from compress.measure.measurement import Measurement

SCHEMA = 1
LOCK_TIMEOUT_S = 60.0
_RUN_FILE = re.compile(r"(\d{4,})_.*\.json")


def cell_to_json(measurement: Measurement) -> dict[str, Any]:
    """Return what the ledger keeps of a cell: metric values, per-sample outcomes, the file's digest."""
    return {
        "sha256": measurement.artifact.sha256,
        "runtime": measurement.artifact.runtime,
        "values": measurement.values,
        "outcomes": measurement.outcomes.to_json() if measurement.outcomes else None,
        "versions": measurement.versions or {},
    }


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
    def green(self) -> bool:
        """Whether the run may be a baseline: everything passed and nothing got worse, or somebody accepted it."""
        return self.compress.get("status") == "green" or "accepted" in self.compress

    @property
    def cells(self) -> dict[str, dict[str, Any]]:
        """The measured cells by name."""
        cells: dict[str, dict[str, Any]] = self.compress.get("cells", {})
        return cells

    def whole(self, selection: str) -> bool:
        """Return whether the run measured all that `selection`, the paths given to pytest, selects."""
        return bool(self.compress.get("complete")) and self.compress.get("selection") == selection

    @property
    def status(self) -> str:
        """``green``, ``red``, ``accepted``, or ``not ours`` for a run of somebody else's benchmarks."""
        return "accepted" if "accepted" in self.compress else str(self.compress.get("status", "not ours"))

    @property
    def time(self) -> str:
        """When the run ended, UTC, to the second."""
        return str(self.document.get("datetime", ""))[:19]

    @property
    def commit(self) -> str:
        """The first ten digits of the commit it was made from."""
        return str((self.document.get("commit_info") or {}).get("id") or "")[:10] or "no commit"

    def describe(self) -> str:
        """Return the run's number, status, time and commit, for people."""
        return f"run {self.number} ({self.status}, {self.time}, {self.commit})"


@dataclass(frozen=True)
class Baseline:
    """What a run is compared with: for each cell, the newest run that may be a baseline and has it."""

    runs: tuple[StoredRun, ...]
    cells: dict[str, tuple[StoredRun, dict[str, Any]]]

    @property
    def newest(self) -> StoredRun:
        """The newest of the runs it is made of."""
        return self.runs[0]

    def outcomes(self, cell: str) -> Outcomes | None:
        """Return the stored outcomes of a cell. Raises `LedgerError` that names the file when they are damaged."""
        run, stored = self.cells[cell]
        if stored.get("outcomes") is None:
            return None
        try:
            return Outcomes.from_json(stored["outcomes"])
        except ValueError as error:
            raise LedgerError(f"{run.path}: {cell}: {error}; {_REMEDY}") from error


_REMEDY = "move the file out of the ledger (the other runs stay usable) or restore it"


@dataclass(frozen=True)
class Ledger:
    """A folder of stored runs, such as ``.benchmarks/Linux-CPython-3.11-64bit``; it need not exist yet."""

    folder: Path

    def files(self) -> list[Path]:
        """Return the stored run files, the newest last."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.iterdir() if _RUN_FILE.fullmatch(path.name)]
        return sorted(found, key=lambda path: (int(path.name.split("_")[0]), path.name))

    def load(self, path: Path) -> StoredRun:
        """Return the run in `path`. Raises `LedgerError` that names the file when it is not a whole run."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise LedgerError(f"{path}: not a stored run ({error}); {_REMEDY}") from error
        if not isinstance(document, dict) or not isinstance(document.get("benchmarks"), list):
            raise LedgerError(f"{path}: not a stored run (no list of benchmarks); {_REMEDY}")
        ours = document.get("compress", {})
        cells = ours.get("cells", {}) if isinstance(ours, dict) else None
        if not isinstance(cells, dict) or not all(
            isinstance(cell, dict) and isinstance(cell.get("values"), dict) for cell in cells.values()
        ):
            raise LedgerError(f"{path}: not a stored run ('compress' is not what this version writes); {_REMEDY}")
        if ours.get("schema", SCHEMA) != SCHEMA:
            raise LedgerError(
                f"{path}: written by another version (schema {ours['schema']}, this one reads {SCHEMA}); {_REMEDY}"
            )
        return StoredRun(path, document)

    def newest_first(self) -> Iterator[StoredRun]:
        """Yield the runs that have cells, the newest first. Raises `LedgerError` at the first damaged file."""
        for path in reversed(self.files()):
            run = self.load(path)
            if run.cells:
                yield run

    def latest(self) -> list[StoredRun]:
        """Return the runs whose verdicts stand, the newest first: all that no newer whole run covers.

        A run is covered by a whole one at its scale whose selection holds its own, folder by folder.
        """
        standing: list[StoredRun] = []
        for run in self.newest_first():
            if not any(_covers(whole, run) for whole in standing):
                standing.append(run)
        return standing

    def find(self, name: str) -> StoredRun:
        """Return the run with a number (``7`` or ``0007``) or file name that starts with `name`.

        Raises `LedgerError` when there is none, or several.
        """
        wanted = name.zfill(4) if name.isdigit() else name
        found = [path for path in self.files() if path.name.startswith(wanted + "_") or path.name == wanted]
        found = found or [path for path in self.files() if path.name.startswith(wanted)]
        if len(found) != 1:
            there = ", ".join(path.name.split("_")[0] for path in self.files()) or "none"
            raise LedgerError(f"{self.folder}: {len(found)} runs match {name!r}; stored runs: {there}")
        return self.load(found[0])

    def baseline(self, scale: str, selection: str, named: str | None = None) -> Baseline | None:
        """Return what to compare with at `scale`: the run `named`, else the last green ones; None when there is none.

        Green runs of a part of the suite count for the cells they have; the last whole run of the same `selection`
        (the paths that pytest was given) supplies the rest. Raises `LedgerError` when the named run is of another
        scale, holds no cells, or is red: a red run is never a baseline until somebody accepts it with a reason.
        """
        if named is not None:
            run = self.find(named)
            if not run.cells:
                raise LedgerError(f"{run.describe()} holds no measured cells; there is nothing to compare with")
            if not run.green:
                raise LedgerError(
                    f"{run.describe()} cannot be a baseline until it is accepted: "
                    f'`compress-bench accept {run.number} --reason "..."`'
                )
            if run.compress.get("scale") != scale:
                raise LedgerError(f"{run.describe()} was made at --scale {run.compress.get('scale')}, not {scale}")
            return Baseline((run,), {name: (run, cell) for name, cell in run.cells.items()})
        runs: list[StoredRun] = []
        cells: dict[str, tuple[StoredRun, dict[str, Any]]] = {}
        for run in self.newest_first():
            if run.green and run.compress.get("scale") == scale:
                runs.append(run)
                for name, cell in run.cells.items():
                    cells.setdefault(name, (run, cell))
                if run.whole(selection):
                    break
        return Baseline(tuple(runs), cells) if runs else None

    def save(self, document: dict[str, Any], label: str) -> Path:
        """Store a run under the next number and return its path; the file appears whole, by a rename.

        Raises `LedgerError` when the folder cannot be written; nothing is left behind.
        """
        content = json.dumps(document, indent=1, default=_plain).encode()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # runs that end together wait for each other here, and get two numbers
            with FileLock(self.folder / ".lock", timeout=LOCK_TIMEOUT_S):
                files = self.files()
                number = int(files[-1].name.split("_")[0]) + 1 if files else 1
                path = self.folder / f"{number:04}_{label}.json"
                _write(path, content)
        except OSError as error:
            raise LedgerError(f"{self.folder}: the run could not be stored: {error}") from error
        return path

    def accept(self, run: StoredRun, reason: str) -> None:
        """Let a red run be a baseline from now on, with the reason and the time written into it.

        Raises `LedgerError` on an empty reason, a run without cells, a run that is a baseline already, or a file that
        cannot be written.
        """
        if not reason.strip():
            raise LedgerError("accepting a run needs a reason that the next reader will understand")
        if not run.cells:
            raise LedgerError(f"{run.path}: holds no measured cells; there is nothing to accept")
        if run.green:
            raise LedgerError(f"{run.describe()} may be a baseline already; there is nothing to accept")
        accepted = {"reason": reason, "when": datetime.now(UTC).isoformat(timespec="seconds")}
        document = {**run.document, "compress": {**run.compress, "accepted": accepted}}
        try:
            _write(run.path, json.dumps(document, indent=1).encode())
        except OSError as error:
            raise LedgerError(f"{run.path}: the acceptance could not be stored: {error}") from error


def _covers(whole: StoredRun, run: StoredRun) -> bool:
    if not whole.compress.get("complete") or whole.compress.get("scale") != run.compress.get("scale"):
        return False
    folders = str(whole.compress.get("selection")).split()
    paths = str(run.compress.get("selection")).split()
    return all(any(Path(path).is_relative_to(folder) for folder in folders) for path in paths)


def _write(path: Path, content: bytes) -> None:
    """Write `path` whole or not at all: a file beside it, then a rename; nothing else is left behind."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _plain(value: object) -> object:
    """Return what JSON has for `value`: numpy's numbers as Python's, all else as text."""
    return value.item() if isinstance(value, np.generic) else str(value)
