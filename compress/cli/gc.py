"""``compress-bench gc``: remove the runs and model files that a ledger can do without."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli.storage import Storage, open_console, open_ledger
from compress.errors import LedgerError

if TYPE_CHECKING:
    from rich.console import Console

    from compress.claims.retention import Plan

KEEP_RUNS = 50
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kKMGT]i?B|B)?")
_POWERS = {"k": 1, "K": 1, "M": 2, "G": 3, "T": 4}


def gc(
    keep_runs: Annotated[int, typer.Option(help="Keep this many of the newest runs.")] = KEEP_RUNS,
    max_bytes: Annotated[
        str | None, typer.Option(help="Keep no more than this, such as 500MB or 2GB.", show_default="no limit")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    storage: Storage = None,
) -> None:
    """Remove old runs, model files that no kept run measured, and what killed processes left half written.

    What a later run may be compared with stays: accepted runs, the newest green ones, their anchors and files; and
    whatever is younger than an hour.
    """
    from compress.claims import retention

    limit = None if max_bytes is None else parse_bytes(max_bytes)
    planned = retention.plan(open_ledger(storage), keep_runs, limit)
    done = planned if dry_run else retention.apply(planned)
    _print(open_console(), done, dry_run=dry_run)


def parse_bytes(text: str) -> int:
    """Return the bytes that `text` stands for: ``2GB`` is 2e9, ``2GiB`` is 2 x 1024^3, a bare number is bytes.

    Raises `LedgerError` for anything else.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise LedgerError(f"a size is a number and a unit, such as 500MB, 2GB or 1.5GiB; got {text!r}")
    number, unit = found[1], found[2] or "B"
    base = 1024 if "i" in unit else 1000
    return int(float(number) * base ** _POWERS.get(unit[0], 0))


def format_bytes(count: int) -> str:
    """Return a count of bytes in the largest SI unit of which it holds one, such as ``1.5 GB``."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1000**power:
            return f"{count / 1000**power:.4g} {unit}"
    return f"{count} bytes"


def _print(console: Console, done: Plan, *, dry_run: bool) -> None:
    remove, free = ("would remove", "would be") if dry_run else ("removed", "were")
    for run in done.remove_runs:
        console.print(f"{remove} {run.describe()}", soft_wrap=True)
    for files, what in (
        (done.remove_files, "model files that no kept run measured"),
        (done.stale_parts, "half-written files"),
    ):
        if files:
            console.print(f"{remove} {len(files)} {what}")
    stay = f"{len(done.kept_runs)} runs and {len(done.kept_files)} model files stay, {format_bytes(done.kept_bytes)}"
    console.print(f"{format_bytes(done.freed_bytes)} {free} freed; {stay}", soft_wrap=True)
    if done.over_bytes:
        console.print(
            f"that is {format_bytes(done.over_bytes)} more than was asked for, and all of it must stay: accepted runs, "
            "the newest green ones, their anchors and files, and what is younger than an hour",
            soft_wrap=True,
        )
