"""``compress-bench accept``: a red run becomes a baseline, with the reason."""

from __future__ import annotations

from typing import Annotated

import typer

from compress.cli.storage import Storage, open_ledger


def accept(
    run: Annotated[str, typer.Argument(help="The run's number, such as 7 or 0007, or its file name.")],
    reason: Annotated[str, typer.Option(help="Why what got worse is to be lived with; it is stored with the run.")],
    storage: Storage = None,
) -> None:
    """Let a red run be the baseline of the next ones, with the reason for it."""
    ledger = open_ledger(storage)
    found = ledger.find(run)
    ledger.accept(found, reason)
    typer.echo(f"accepted: {ledger.load(found.path).describe()}: {reason}")
