"""The ledger: stored runs, in pytest-benchmark's own storage and files, the model files they measured, and baselines.

Only a green run becomes a baseline, or what somebody accepted of a red one. Files are kept by content hash, so that an
old one can run again beside a new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from compress.artifact import FORMATS
from compress.claims.acceptance import with_acceptance
from compress.claims.atomic import write_whole
from compress.claims.standing import standing_runs
from compress.claims.stored_run import ANCHORS, SCHEMA, StoredRun, fault_of
from compress.errors import LedgerError
from compress.measure import sample_pictures
from compress.measure.measurement import Measurement

__all__ = ["SCHEMA", "Baseline", "Ledger", "StoredRun", "cell_to_json"]

LOCK_TIMEOUT_S = 60.0
CHUNK_BYTES = 1 << 20
_RUN_FILE = re.compile(r"(\d{4,})_[^/]*\.json")
_REMEDY = "move the file out of the ledger (the other runs stay usable) or restore it"

Held = tuple[StoredRun, dict[str, Any]]
"""A cell as it was stored, after the run that holds it."""


def cell_to_json(measurement: Measurement) -> dict[str, Any]:
    """Return what the ledger keeps of a cell: metric values, per-sample outcomes and scores, the file's digest.

    The curves of its trainings and sample pictures are kept to be looked at: nothing compares them.
    """
    seen = {
        "curves": [curve.to_json() for curve in measurement.artifact.curves],
        "pictures": sample_pictures.to_json(measurement.pictures),
    }
    return {
        "sha256": measurement.artifact.sha256,
        "runtime": measurement.artifact.runtime,
        "values": measurement.values,
        "outcomes": measurement.outcomes.to_json() if measurement.outcomes else None,
        "scores": measurement.scores.to_json() if measurement.scores else None,
        "versions": measurement.versions or {},
        **{name: one for name, one in seen.items() if one},
    }


@dataclass(frozen=True)
class Baseline:
    """What a run is compared with: for each cell its anchor, and in ``latest`` the newest run that may be a baseline.

    The anchor is what the newest measurement was itself found equal to within tolerance, so that small changes cannot
    add up over green runs; ``beside`` are the anchors of time, whose files run beside new ones. ``ledger`` is None for
    a golden file, which keeps no model files.
    """

    runs: tuple[StoredRun, ...]
    cells: dict[str, Held]
    latest: dict[str, Held] = field(default_factory=dict)
    ledger: Ledger | None = None
    beside: dict[str, Held] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "latest", {**self.cells, **self.latest})
        object.__setattr__(self, "beside", {**self.cells, **self.beside})

    @property
    def newest(self) -> StoredRun:
        """The newest of the runs it is made of."""
        return self.runs[0]

    def file(self, name: str) -> Path | None:
        """Return the model file to time the cell `name` beside, or None when it is not kept, or damaged."""
        stored = self.beside[name][1]
        if self.ledger is None or "sha256" not in stored or "runtime" not in stored:
            return None
        return self.ledger.file(stored["sha256"], stored["runtime"])


@dataclass(frozen=True)
class Ledger:
    """A folder of stored runs, such as ``.benchmarks/Linux-CPython-3.11-64bit``; it need not exist yet."""

    folder: Path

    @property
    def lock(self) -> FileLock:
        """The lock of whoever writes or removes; taking it raises `OSError` when that cannot be, or takes a minute."""
        return FileLock(self.folder / ".lock", timeout=LOCK_TIMEOUT_S)

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
        except (OSError, ValueError, RecursionError) as error:
            raise LedgerError(f"{path}: not a stored run ({error}); {_REMEDY}") from error
        if fault := fault_of(document):
            raise LedgerError(f"{path}: not a stored run ({fault}); {_REMEDY}")
        return StoredRun(path, document)

    def newest_first(self) -> Iterator[StoredRun]:
        """Yield the runs that have cells, the newest first. Raises `LedgerError` at the first damaged file."""
        for path in reversed(self.files()):
            run = self.load(path)
            if run.cells:
                yield run

    def history(self, scale: str | None = None) -> Iterator[StoredRun]:
        """Yield the runs that have cells, red ones too, the oldest first; of one `scale` when given.

        Damaged files are passed over: `damaged` tells them.
        """
        for found in map(self._load_or_error, self.files()):
            if isinstance(found, StoredRun) and found.cells and scale in (None, found.scale):
                yield found

    def damaged(self) -> list[LedgerError]:
        """Return an error for each file that looks like a run and cannot be read as one."""
        return [found for found in map(self._load_or_error, self.files()) if isinstance(found, LedgerError)]

    def _load_or_error(self, path: Path) -> StoredRun | LedgerError:
        try:
            return self.load(path)
        except LedgerError as error:
            return error

    def latest(self) -> list[StoredRun]:
        """Return the runs whose verdicts stand, the newest first: all that no newer whole run covers.

        A run is covered by a whole one at its scale whose selection holds its own, folder by folder.
        """
        return standing_runs(self.newest_first())

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

        Green runs of a part of the suite count for the cells they have, red ones for the cells that were accepted; the
        last whole green run of the same `selection` (the paths that pytest was given) supplies the rest. A cell that
        was equal to an older one within tolerance is compared with that one, its anchor, again; a named run's are not.
        Raises `LedgerError` when the named run is of another scale, holds no cells, or only red ones.
        """
        if named is not None:
            return self._named(scale, named)
        runs: list[StoredRun] = []
        latest: dict[str, Held] = {}
        for run in self.newest_first():
            counting = {name: (run, cell) for name, cell in run.cells.items() if run.may_be_baseline(name)}
            if counting and run.scale == scale:
                runs.append(run)
                latest |= {name: held for name, held in counting.items() if name not in latest}
                if run.green and run.whole(selection):
                    break
        known = {run.path.name: run for run in runs}
        cells = {name: self._anchor(name, held, known, ANCHORS[0]) for name, held in latest.items()}
        beside = {name: self._anchor(name, held, known, ANCHORS[1]) for name, held in latest.items()}
        return Baseline(tuple(runs), cells, latest, self, beside) if runs else None

    def _named(self, scale: str, name: str) -> Baseline:
        run = self.find(name)
        if not run.cells:
            raise LedgerError(f"{run.describe()} holds no measured cells; there is nothing to compare with")
        cells = {name: (run, cell) for name, cell in run.cells.items() if run.may_be_baseline(name)}
        if not cells:
            raise LedgerError(
                f"{run.describe()} cannot be a baseline until it is accepted: "
                f'`compress-bench accept {run.number} --reason "..."`'
            )
        if run.scale != scale:
            raise LedgerError(f"{run.describe()} was made at --scale {run.scale}, not {scale}")
        return Baseline((run,), cells, cells, self)

    def _anchor(self, name: str, held: Held, known: dict[str, StoredRun], key: str) -> Held:
        run, stored = held
        anchor = stored.get(key)
        if not isinstance(anchor, str) or not _RUN_FILE.fullmatch(anchor):
            return held
        found = known.get(anchor) or self._load_or_error(self.folder / anchor)
        if not isinstance(found, StoredRun):
            return held
        known[anchor] = found
        stands = name in found.cells and found.may_be_baseline(name) and found.scale == run.scale
        return (found, found.cells[name]) if stands else held

    def path_of(self, sha256: str, runtime: str) -> Path:
        """Return where a model file of this content is kept, whether it is there or not."""
        return self.folder / "artifacts" / f"{sha256}.{FORMATS[runtime]}"

    def file(self, sha256: str, runtime: str) -> Path | None:
        """Return the kept model file of this content, or None when it is not there; a damaged one counts as absent."""
        path = self.path_of(sha256, runtime)
        try:
            return path if _digest(path) == sha256 else None
        except OSError:
            return None

    def keep_file(self, path: Path, sha256: str, runtime: str) -> Path:
        """Keep a copy of the model file `path` and return where; one that is there, whole, is not copied again.

        Raises `LedgerError` when it cannot be written or has another content than `sha256`; nothing is left behind.
        """
        kept = self.path_of(sha256, runtime)
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            # now it is young, and no collector of old files, who takes the lock too, removes it
            with self.lock, contextlib.suppress(FileNotFoundError, PermissionError):
                os.utime(kept)
            if self.file(sha256, runtime) is None:
                write_whole(kept, _verified(path, sha256))
        except OSError as error:
            raise LedgerError(f"{self.folder}: {path.name} could not be kept: {error}") from error
        return kept

    def save(self, document: dict[str, Any], label: str) -> Path:
        """Store a run under the next number and return its path; the file appears whole, by a rename.

        Raises `LedgerError` when the folder cannot be written; nothing is left behind.
        """
        content = json.dumps(document, indent=1, default=_plain).encode()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.lock:  # runs that end together wait for each other here, and get two numbers
                files = self.files()
                number = int(files[-1].name.split("_")[0]) + 1 if files else 1
                path = self.folder / f"{number:04}_{label}.json"
                write_whole(path, [content])
        except OSError as error:
            raise LedgerError(f"{self.folder}: the run could not be stored: {error}") from error
        return path

    def accept(self, run: StoredRun, reason: str, cells: Sequence[str] = (), who: str | None = None) -> None:
        """Let a red run, or only some `cells` of it, be a baseline from now on; they become their own anchors.

        Reason, time, `who` (by default git's user, else the login) and what was what before are added to its file.
        Raises `LedgerError` on an empty reason, a run without cells or without one of `cells`, on what is its own
        baseline already, or a file that cannot be written.
        """
        try:
            with self.lock:
                current = self.load(run.path)  # somebody may have accepted more of it meanwhile
                document = with_acceptance(current, reason, cells, who)
                write_whole(run.path, [json.dumps(document, indent=1).encode()])
        except OSError as error:
            raise LedgerError(f"{run.path}: the acceptance could not be stored: {error}") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verified(path: Path, sha256: str) -> Iterator[bytes]:
    """Yield the content of `path` in chunks. Raises `LedgerError` at its end when its digest is not `sha256`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            yield chunk
    if digest.hexdigest() != sha256:
        raise LedgerError(f"{path}: its content is no longer what was measured; measure it again")


def _plain(value: object) -> object:
    """Return what JSON has for `value`: numpy's numbers as Python's, all else as text."""
    return value.item() if isinstance(value, np.generic) else str(value)
