"""The command line beside pytest: which runs are stored, which claims carry a verdict, and accepting a red run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.errors import ClaimError, CompressError, LedgerError

if TYPE_CHECKING:
    from compress.claims.claim import Verdict
    from compress.claims.ledger import Ledger, StoredRun
    from compress.claims.paper import Paper

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Storage = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the stored runs.", show_default=".benchmarks/ and this machine's id, as pytest has it"
    ),
]


def main() -> None:
    """Run the command line; an error of ours is one line on stderr and exit code 2."""
    try:
        app()
    except CompressError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None


@app.callback()
def about() -> None:
    """Look at what `pytest benches` stored, and decide what may be a baseline."""


def _ledger(storage: Path | None) -> Ledger:
    from pytest_benchmark.utils import get_machine_id

    from compress.claims.ledger import Ledger

    return Ledger(storage or Path(".benchmarks") / get_machine_id())


@app.command()
def runs(storage: Storage = None) -> None:
    """List the stored runs, the newest last; damaged files are named and hide nothing."""
    from rich.console import Console
    from rich.table import Table

    ledger = _ledger(storage)
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
    console = Console(markup=False, highlight=False, emoji=False)
    if table.row_count:
        console.print(table)
    else:
        console.print(f"{ledger.folder}: no runs stored yet; `pytest benches` stores one", soft_wrap=True)
    if others:
        console.print(f"and {others} of other benchmarks, left alone")
    for reason in damaged:
        typer.echo(f"error: {reason}", err=True)


@app.command()
def accept(
    run: Annotated[str, typer.Argument(help="The run's number, such as 7 or 0007, or its file name.")],
    reason: Annotated[str, typer.Option(help="Why what got worse is to be lived with; it is stored with the run.")],
    storage: Storage = None,
) -> None:
    """Let a red run be the baseline of the next ones, with the reason for it."""
    ledger = _ledger(storage)
    found = ledger.find(run)
    ledger.accept(found, reason)
    typer.echo(f"accepted: {ledger.load(found.path).describe()}: {reason}")


@app.command()
def inspect(model: Annotated[Path, typer.Argument(help="A .tflite, .onnx, .weights.h5 or .keras file.")]) -> None:
    """Say what every byte of a model file is; nothing in the file is run."""
    from compress.report.inspection import inspect_file

    for name, value in inspect_file(model):
        typer.echo(f"{name:28}{value}".rstrip())


@app.command()
def coverage(
    run: Annotated[str | None, typer.Option(help="Count this run alone.", show_default="the last ones")] = None,
    papers: Annotated[Path, typer.Option(help="Folder of the benches, with a paper.toml in each.")] = Path("benches"),
    missing: Annotated[bool, typer.Option("--missing", help="List the claims without a verdict.")] = False,
    storage: Storage = None,
) -> None:
    """Count the papers' claims that carry a verdict, by paper and verdict.

    The last whole run at each scale counts, and whatever is newer or of another part of the suite.
    """
    from rich.console import Console
    from rich.table import Table

    from compress.claims.claim import Verdict
    from compress.claims.paper import load_paper

    ledger = _ledger(storage)
    counted = [ledger.find(run)] if run is not None else ledger.latest()
    verdicts = standing_verdicts(counted)
    loaded = [load_paper(path) for path in sorted(papers.glob("*/paper.toml"))]
    if not loaded:
        raise ClaimError(f"{papers}: no */paper.toml there; name the folder of the benches with --papers")
    table = Table(box=None, pad_edge=False)
    for column in ("paper", "claims", *Verdict, "none"):
        table.add_column(column, justify="left" if column == "paper" else "right")
    for name, claims in [*((paper.name, list(paper.claims)) for paper in loaded), ("all", [*_ids(loaded)])]:
        found = [verdicts.get(claim) for claim in claims]
        counts = [found.count(verdict) for verdict in (*Verdict, None)]
        table.add_row(name, str(len(claims)), *map(str, counts))
    console = Console(markup=False, highlight=False, emoji=False)
    console.print(table)
    total = len(_ids(loaded))
    carried = sum(claim in verdicts for claim in _ids(loaded))
    console.print(f"\n{carried} of {total} claims carry a verdict")
    for one in counted:
        console.print(f"from {one.describe()} of {one.compress.get('selection')}", soft_wrap=True)
    if not counted:
        console.print(f"{ledger.folder}: no runs stored yet; `pytest benches` stores one", soft_wrap=True)
    if missing:
        for paper in loaded:
            for claim in paper.claims.values():
                if claim.id not in verdicts:
                    console.print(f"{claim.id}: {claim.paraphrase}", soft_wrap=True)


def _ids(papers: list[Paper]) -> list[str]:
    return [claim for paper in papers for claim in paper.claims]


def standing_verdicts(runs: list[StoredRun]) -> dict[str, Verdict]:
    """Return each source's verdict over `runs`, the newest first: of every bench its newest, of those the worst.

    Where one scale measured what another could not, the measurement counts. Raises `LedgerError` that names the file
    whose verdicts are damaged.
    """
    from compress.claims.claim import Verdict, worst

    newest: dict[tuple[str, str, str], Verdict] = {}
    for run in runs:
        try:
            for judgement in run.compress.get("verdicts", []):
                for source in judgement["sources"]:
                    bench = (source, str(run.compress.get("scale")), judgement["where"])
                    newest.setdefault(bench, Verdict(judgement["verdict"]))
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerError(f"{run.path}: its verdicts cannot be read ({error!r}); restore the file") from error
    by_source: dict[str, list[Verdict]] = {}
    for (source, _, _), verdict in newest.items():
        by_source.setdefault(source, []).append(verdict)
    return {
        source: worst([one for one in found if one is not Verdict.UNMEASURED] or found)
        for source, found in by_source.items()
    }
