"""``compress-bench report``: the stored runs as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli.storage import Storage, open_console, open_ledger
from compress.errors import ClaimError, LedgerError

if TYPE_CHECKING:
    from compress.claims.paper import Paper

BENCHES = Path("benches")


def report(
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    run: Annotated[
        str | None,
        typer.Option(help="Tell this run's verdicts: its number or file name.", show_default="those that stand"),
    ] = None,
    papers: Annotated[
        Path | None, typer.Option(help="Folder of the benches, with a paper.toml in each.", show_default="benches")
    ] = None,
    storage: Storage = None,
) -> None:
    """Write one HTML file with claims, trade-offs, tables, figures and histories; it needs no network to be read.

    The verdicts that stand are those of the last whole run at each scale, and of whatever is newer or of another part
    of the suite.
    """
    from compress.claims.atomic import write_whole
    from compress.claims.standing import standing_runs
    from compress.report.html.page import build_page
    from compress.report.html.render import render

    ledger = open_ledger(storage)
    named = ledger.find(run) if run is not None else None
    stored = list(ledger.history())
    if named is not None and not named.cells:
        raise LedgerError(f"{named.describe()} holds no measured cells; there is nothing to show")
    if not stored:
        raise LedgerError(f"{ledger.folder}: no runs stored yet; `pytest benches` stores one")
    damaged = [str(error) for error in ledger.damaged()]
    runs = [named] if named is not None else standing_runs(reversed(stored))
    content = render(build_page(runs, stored, _papers(papers), damaged)).encode("utf-8", "replace")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, [content])
    except OSError as error:
        raise LedgerError(f"{output}: the report could not be written: {error}") from error
    said = f"{output}: {len(content) / 1e6:.1f} MB, of {', '.join(one.describe() for one in runs)}"
    open_console().print(said, soft_wrap=True)
    for reason in damaged:
        typer.echo(f"error: {reason}", err=True)


def _papers(folder: Path | None) -> list[Paper]:
    from compress.claims.paper import load_paper

    found = sorted((folder or BENCHES).glob("*/paper.toml"))
    if folder is not None and not found:
        raise ClaimError(f"{folder}: no */paper.toml there; name the folder of the benches with --papers")
    return [load_paper(path) for path in found]
