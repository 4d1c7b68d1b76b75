"""``compress-bench history``: a metric over the stored runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli.storage import Scale, Storage, open_console, open_ledger
from compress.errors import LedgerError

if TYPE_CHECKING:
    from compress.claims.ledger import Ledger, StoredRun


def history(
    what: Annotated[str, typer.Argument(metavar="CELL|METRIC", help="A cell, or a part of its name; or a metric.")],
    metric: Annotated[
        str | None, typer.Argument(metavar="METRIC", help="A metric of the cell.", show_default="all")
    ] = None,
    scale: Scale = "embedded",
    storage: Storage = None,
) -> None:
    """Show a metric over the stored runs: of one cell, all metrics of a cell, or one metric of all cells."""
    from compress.report import history as report

    ledger = open_ledger(storage)
    runs = _stored(ledger, scale)
    console = open_console()
    plain = console.options.ascii_only
    if metric is not None:
        cell = report.find_cell(runs, what)
        lines = report.of_metric(runs, cell, report.find_metric(runs, metric), plain=plain)
    elif report.is_metric(runs, what):
        lines = report.over_cells(runs, what, plain=plain)
    else:
        lines = report.of_cell(runs, report.find_cell(runs, what), plain=plain)
    for line in lines:
        console.print(line, soft_wrap=True)
    for reason in ledger.damaged():
        typer.echo(f"error: {reason}", err=True)


def _stored(ledger: Ledger, scale: str) -> list[StoredRun]:
    found = list(ledger.history(scale))
    if not found:
        others = sorted({str(run.scale) for run in ledger.history()})
        hint = f"try --scale {' or '.join(others)}" if others else "`pytest benches` stores one"
        raise LedgerError(f"{ledger.folder}: no runs with cells at scale {scale}; {hint}")
    return found
