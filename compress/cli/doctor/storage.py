"""Checks of what is kept: the ledger's runs and files, the cache of built files, and the disk."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from compress.cli.doctor.finding import Finding

if TYPE_CHECKING:
    from compress.claims.ledger import Ledger

STALE_S = 3600.0
"""Age from which a half-written file is nobody's any more."""

LITTLE_BYTES = 1_000_000_000
TOO_LITTLE_BYTES = 50_000_000
LOCK_WAIT_S = 2.0
SHOWN = 3


def check_storage(ledger: Ledger, cache: Path) -> Iterator[Finding]:
    """Yield what there is to say of the ledger's runs and files, and of the folder `cache` of built files."""
    yield from check_runs(ledger)
    yield from check_baselines(ledger)
    yield from check_parts(ledger, time.time())
    for check, folder, option in (
        ("ledger folder", ledger.folder, "--benchmark-storage"),
        ("cache folder", cache, "COMPRESS_CACHE_DIR"),
    ):
        yield check_writable(check, folder, option)
        yield check_disk(f"disk of {check}", shutil.disk_usage(_standing(folder)).free, option)
    if ledger.folder.is_dir() and os.access(ledger.folder, os.W_OK):
        yield check_lock(ledger)


def check_runs(ledger: Ledger) -> Iterator[Finding]:
    """Yield how many runs there are, by status, and one finding for each damaged file."""
    damaged = ledger.damaged()
    for error in damaged:
        said, _, remedy = str(error).rpartition("; ")
        yield Finding("wrong", "ledger", said, remedy)
    counts = Counter(run.status for run in ledger.history())
    others = len(ledger.files()) - len(damaged) - counts.total()
    said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no runs stored yet"
    said += f", {others} without cells" if others else ""
    yield Finding("ok", "ledger", f"{ledger.folder}: {said}")


def check_baselines(ledger: Ledger) -> Iterator[Finding]:
    """Yield for each scale and selection that was measured whether it has a baseline, and its files."""
    if ledger.damaged():
        return  # no run is compared with anything until those are out of the way
    measured = {(run.scale, run.compress.get("selection")) for run in ledger.history() if run.compress.get("complete")}
    for scale, selection in sorted((str(scale), str(selection)) for scale, selection in measured):
        check = f"baseline of {selection} ({scale})"
        baseline = ledger.baseline(scale, selection)
        if baseline is None:
            remedy = "look at what failed, then run again, or `compress-bench accept`: until then nothing is compared"
            yield Finding("warn", check, "none: no run is green or accepted", remedy)
            continue
        timed = [name for name, (_, cell) in baseline.cells.items() if cell.get("outcomes") or cell.get("scores")]
        lost = [name for name in timed if baseline.file(name) is None]
        if lost:
            shown = ", ".join(lost[:SHOWN]) + (" ..." if len(lost) > SHOWN else "")
            said = f"the files of {len(lost)} of {len(timed)} cells are lost or damaged: {shown}"
            remedy = "time of these is not gated until a green run has kept their files again: run once more"
            yield Finding("warn", check, said, remedy)
        else:
            yield Finding("ok", check, f"{baseline.newest.describe()}; {len(baseline.cells)} cells, files kept")


def check_parts(ledger: Ledger, now: float) -> Iterator[Finding]:
    """Yield one finding for half-written files that are older than an hour at the time `now`, if there are any."""
    stale, held = [], 0
    for folder in (ledger.folder, ledger.folder / "artifacts"):
        for path in folder.glob(".*.part"):
            try:
                status = path.stat()
            except OSError:
                continue  # it was finished meanwhile
            if now - status.st_mtime > STALE_S:
                stale.append(path)
                held += status.st_size
    if stale:
        said = f"{len(stale)} from killed processes, {held:,} bytes, such as {stale[0]}"
        yield Finding("warn", "half-written files", said, "`compress-bench gc` removes them; nothing reads them")


def check_writable(check: str, folder: Path, option: str) -> Finding:
    """Return whether files can be made in `folder`, or in the first folder above it that exists."""
    remedy = f"give this user the right to write there, or name another folder with {option}"
    standing = _standing(folder)
    if not standing.is_dir():
        return Finding("wrong", check, f"{standing} is a file", f"move it, or name another folder with {option}")
    try:
        with tempfile.TemporaryFile(dir=standing):
            return Finding("ok", check, f"{folder}: writable" if folder.exists() else f"{folder}: not made yet")
    except OSError as error:
        return Finding("wrong", check, f"{standing}: cannot be written ({error.strerror})", remedy)


def check_disk(check: str, free_bytes: int, option: str) -> Finding:
    """Return whether the free space is enough for some more runs and the files they keep."""
    said = f"{free_bytes / 1e9:,.1f} GB free"
    remedy = f"free some space, `compress-bench gc --max-bytes 500MB`, or name another folder with {option}"
    if free_bytes < TOO_LITTLE_BYTES:
        return Finding("wrong", check, said, remedy)
    return Finding("warn", check, said, remedy) if free_bytes < LITTLE_BYTES else Finding("ok", check, said)


def check_lock(ledger: Ledger) -> Finding:
    """Return whether the lock that everybody takes who writes can be had within two seconds."""
    try:
        with ledger.lock.acquire(timeout=LOCK_WAIT_S):
            return Finding("ok", "lock", "free")
    except OSError as error:  # a timeout is one, too
        said = f"not to be had within {LOCK_WAIT_S:g} s ({type(error).__name__})"
        remedy = (
            "if no run is being stored, end what holds it (`fuser` names it); keep the ledger elsewhere if it is on a "
            "network disk that has no locks"
        )
        return Finding("wrong", "lock", said, remedy)


def _standing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(one for one in (folder, *folder.parents) if one.exists())
