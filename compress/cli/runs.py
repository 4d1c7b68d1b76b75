"""``compress-bench runs``: the stored runs, one line each."""

from __future__ import annotations

import typer

from compress.cli.storage import Storage, open_console, open_ledger
from compress.errors import CompressError


def runs(storage: Storage = None) -> None:
    """List the stored runs, the newest last; damaged files are named and hide nothing."""
    from compress.report.columns import aligned

    ledger = open_ledger(storage)
    columns = ("run", "status", "scale", "ended (UTC)", "commit", "cells", "of")
    rows: list[tuple[str, ...]] = []
    others, damaged = 0, []
    for path in ledger.files():
        try:
            run = ledger.load(path)
        except CompressError as error:
            damaged.append(str(error))
            rows.append((path.name.split("_")[0], "damaged", *[""] * 5))
            continue
        if not run.compress:
            others += 1
            continue
        of = str(run.compress.get("selection")) + ("" if run.compress.get("complete") else " (a part)")
        rows.append((run.number, run.status, str(run.scale), run.time, run.commit, str(len(run.cells)), of))
    console = open_console()
    for line in aligned([columns, *rows], right=[columns.index("cells")]) if rows else ():
        console.print(line, soft_wrap=True)
    if not rows:
        console.print(f"{ledger.folder}: no runs stored yet; `pytest benches` stores one", soft_wrap=True)
    if others:
        console.print(f"and {others} of other benchmarks, left alone")
    for reason in damaged:
        typer.echo(f"error: {reason}", err=True)
