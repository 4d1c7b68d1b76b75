"""Accepting a change: somebody says why it is to be lived with, and that is stored with what was what before."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from compress.claims.stored_run import ANCHORS, EVERYTHING, StoredRun
from compress.errors import LedgerError

Before = Mapping[str, Mapping[str, Sequence[object]]]
"""By cell and metric the old and the new value."""


def acceptance(reason: str, who: str | None, cells: Sequence[str], before: Before) -> dict[str, Any]:
    """Return the record of an acceptance of `cells`, of everything when there are none, made now.

    `who` is by default git's user, else the login. Raises `LedgerError` on an empty reason.
    """
    if not reason.strip():
        raise LedgerError("accepting a run needs a reason that the next reader will understand")
    return {
        "reason": reason,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": who or whoami(),
        "cells": sorted(cells) or EVERYTHING,
        "before": before,
    }


def chosen_cells(run: StoredRun, cells: Sequence[str]) -> list[str]:
    """Return the names in `cells`, or of all cells of `run` when there are none.

    Raises `LedgerError` for a run without cells, or one that did not measure one of `cells`.
    """
    if not run.cells:
        raise LedgerError(f"{run.path}: holds no measured cells; there is nothing to accept")
    if unknown := sorted(set(cells) - run.cells.keys()):
        there = ", ".join(map(repr, sorted(run.cells)))
        raise LedgerError(f"{run.describe()} did not measure {', '.join(map(repr, unknown))}; it has {there}")
    return sorted(cells or run.cells)


def may_stand(run: StoredRun, cells: Sequence[str]) -> bool:
    """Return whether `cells`, or all of `run`, may be a baseline as they are, and answer to no older one."""
    stand = all(
        run.may_be_baseline(name) and not run.cells[name].keys() & set(ANCHORS) for name in chosen_cells(run, cells)
    )
    return stand and (bool(cells) or run.green)


def with_acceptance(run: StoredRun, reason: str, cells: Sequence[str], who: str | None) -> dict[str, Any]:
    """Return the document of `run` with `cells`, or all, accepted: they are their own anchors from now on.

    Raises `LedgerError` on an empty reason, a run without (one of the) cells, or what may be a baseline already and is
    its own anchor.
    """
    chosen = chosen_cells(run, cells)
    before: dict[str, dict[str, list[object]]] = {}
    for change in run.compress.get("changes", []):
        if change["cell"] in chosen:
            before.setdefault(change["cell"], {})[change["metric"]] = [change["old"], change["new"]]
    entry = acceptance(reason, who, cells, before)
    if may_stand(run, cells):
        what = f"{'; '.join(chosen)} of {run.describe()}" if cells else run.describe()
        raise LedgerError(f"{what} may be a baseline already; there is nothing to accept")
    own = {
        name: {key: value for key, value in cell.items() if key not in ANCHORS or name not in chosen}
        for name, cell in run.cells.items()
    }
    return {**run.document, "compress": {**run.compress, "cells": own, "accepted": [*run.acceptances(), entry]}}


def whoami() -> str:
    """Return git's user, such as ``Ada <ada@example.org>``, as far as it is set; else the name of the login."""
    try:
        name, email = (
            subprocess.run(["git", "config", key], capture_output=True, text=True, timeout=10).stdout.strip()  # noqa: S603, S607 - git, by its name
            for key in ("user.name", "user.email")
        )
    except (OSError, subprocess.SubprocessError):
        name = email = ""
    if name or email:
        return f"{name} <{email}>".strip() if email else name
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user is known, as in some containers
        return "unknown"
