"""``compress-bench runs``: the stored runs, one line each."""

from __future__ import annotations

import typer

from compress.cli.storage import Storage, open_console, open_ledger
from compress.errors import CompressError


def runs(storage: Storage = None) -> None:
    """List the stored runs, the newest last; damaged files are named and hide nothing."""
    from rich.table import Table

    ledger = open_ledger(storage)
    table = Table(box=None, pad_edge=False)
    for column in ("run", "status", "scale", "ended (UTC)", "commit", "cells", "of"):
        right, folds = column == "cells", column == "of"
        table.add_column(column, justify="right" if right else "left", no_wrap=not folds, overflow="fold")
    others, damaged = 0, []
    for path in ledger.files():
        try:
            run = ledger.load(path)
        except CompressError as error:
            damaged.append(str(error))
            table.add_row(path.name.split("_")[0], "damaged")
            continue
        if not run.compress:
            others += 1
            continue
        of = str(run.compress.get("selection")) + ("" if run.compress.get("complete") else " (a part)")
        table.add_row(run.number, run.status, run.compress.get("scale"), run.time, run.commit, str(len(run.cells)), of)
    console = open_console()
    if table.row_count:
        console.print(table)
    else:
        console.print(f"{ledger.folder}: no runs stored yet; `pytest benches` stores one", soft_wrap=True)
    if others:
        console.print(f"and {others} of other benchmarks, left alone")
    for reason in damaged:
        typer.echo(f"error: {reason}", err=True)
