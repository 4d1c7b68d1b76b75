"""``compress-bench coverage``: how many of the papers' claims carry a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli.storage import Storage, open_console, open_ledger
from compress.errors import ClaimError

if TYPE_CHECKING:
    from compress.claims.paper import Paper


def coverage(
    run: Annotated[str | None, typer.Option(help="Count this run alone.", show_default="the last ones")] = None,
    papers: Annotated[Path, typer.Option(help="Folder of the benches, with a paper.toml in each.")] = Path("benches"),
    missing: Annotated[bool, typer.Option("--missing", help="List the claims without a verdict.")] = False,
    storage: Storage = None,
) -> None:
    """Count the papers' claims that carry a verdict, by paper and verdict.

    The last whole run at each scale counts, and whatever is newer or of another part of the suite.
    """
    from rich.table import Table

    from compress.claims.claim import Verdict
    from compress.claims.paper import load_paper
    from compress.claims.standing import standing, standing_verdict

    ledger = open_ledger(storage)
    counted = [ledger.find(run)] if run is not None else ledger.latest()
    verdicts = {source: standing_verdict(judged) for source, judged in standing(counted).items()}
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
    console = open_console()
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
