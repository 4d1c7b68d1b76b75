"""``compress-bench accept``: a red run, or single cells of it, become a baseline, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from compress.cli.storage import Storage, open_console, open_ledger


def accept(
    run: Annotated[str, typer.Argument(help="The run's number, such as 7, its file name, or a run file's path.")],
    reason: Annotated[str, typer.Option(help="Why what got worse is to be lived with; it is stored with the run.")],
    cell: Annotated[
        list[str] | None,
        typer.Option(help="Only this cell, or a part of its name; may be given again.", show_default="the whole run"),
    ] = None,
    golden: Annotated[
        Path | None, typer.Option(help="Put the cells into this golden file, and leave the ledger as it is.")
    ] = None,
    storage: Storage = None,
) -> None:
    """Let a red run be the baseline of the next ones, with the reason for it; or put a run into a golden file.

    The reason is stored, with who accepted, when, and what was what before.
    """
    from compress.claims.golden import Golden
    from compress.claims.ledger import Ledger
    from compress.cli.sides import find_run
    from compress.report.history import find_cell

    found = find_run(run, open_ledger(storage)).run
    cells = sorted({find_cell([found], name) for name in cell or ()})
    of = f"{', '.join(cells)} of " if cells else ""
    if golden is None:
        ledger = Ledger(found.path.parent)
        ledger.accept(found, reason, cells)
        accepted = ledger.load(found.path)
        said, before = f"{of}{accepted.describe()}", accepted.acceptances()[-1]["before"]
    else:
        held = Golden.load(golden) if golden.exists() else Golden(golden)
        new = held.accept(found, reason, cells)
        new.write()
        said, before = f"{of}{found.describe()} into {golden}", new.accepted[-1]["before"]
    console = open_console()
    console.print(f"accepted: {said}: {reason}", soft_wrap=True)
    for line in _changes(before):
        console.print(f"  {line}", soft_wrap=True)


def _changes(before: Mapping[str, Mapping[str, Sequence[object]]]) -> Iterator[str]:
    """Yield what was accepted, a line for each metric; cells that come or go are only counted."""
    from compress.claims.bound import format_number

    def shown(value: object) -> str:
        return format_number(value) if isinstance(value, int | float) else "none" if value is None else str(value)

    whole: Counter[str] = Counter()
    for cell, metrics in before.items():
        for metric, (old, new) in metrics.items():
            if metric != "sha256":
                yield f"{cell}: {metric} {shown(old)} -> {shown(new)}"
            elif old is None or new is None:
                whole["new" if old is None else "gone"] += 1
            elif len(metrics) == 1:
                yield f"{cell}: another file, all else alike"
    yield from (f"{count} {'cell' if count == 1 else 'cells'} {kind}" for kind, count in whole.items())
