"""``compress-bench doctor``: what is wrong with this environment or this ledger, and how to mend it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import typer

from compress.cli.doctor.finding import Finding
from compress.cli.storage import Storage, open_console, open_ledger

STYLES = {"ok": "green", "warn": "yellow", "wrong": "bold red"}


def doctor(storage: Storage = None) -> None:
    """Say what is wrong with this environment, machine or ledger, and how to mend it.

    One line a check: ok; warn, which weakens the gate; wrong, which breaks it. Exit code 1 when something is wrong.
    """
    from rich.text import Text

    console = open_console()
    counts: Counter[str] = Counter()
    for one in _findings(storage):
        counts[one.state] += 1
        line = Text.assemble((f"{one.state:5}", STYLES[one.state]), f"  {one.check}: {one.said}")
        console.print(line, soft_wrap=True)
        if one.remedy:
            console.print(f"       -> {one.remedy}", soft_wrap=True)
    console.print(f"\n{counts['wrong']} wrong, {counts['warn']} to be warned of, {counts['ok']} ok")
    if counts["wrong"]:
        raise typer.Exit(1)


def _findings(storage: str | None) -> Iterator[Finding]:
    from compress.cli.doctor.environment import check_environment
    from compress.cli.doctor.machine import check_machine
    from compress.cli.doctor.storage import check_storage
    from compress.workbench import cache_folder

    yield from check_environment(Path.cwd())
    with contextlib.suppress(ImportError):  # without pytest-benchmark nobody knows the folder; that was told above
        yield from check_storage(open_ledger(storage), cache_folder())
    yield from check_machine()
