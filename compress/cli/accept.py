"""``compress-bench accept``: a red run, or single cells of it, become a baseline, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli.storage import Storage, open_console, open_ledger

if TYPE_CHECKING:
    from rich.console import Console


def accept(
    run: Annotated[str, typer.Argument(help="The run's number, such as 7, its file name, or a run file's path.")],
    reason: Annotated[str, typer.Option(help="Why what got worse is to be lived with; it is stored with the run.")],
    cell: Annotated[
        list[str] | None,
        typer.Option(help="Only this cell, or a part of its name; may be given again.", show_default="the whole run"),
    ] = None,
    golden: Annotated[
        Path | None,
        typer.Option(
            help="Put the cells into this golden file, and leave the ledger as it is.",
            show_default="the one of [tool.compress], beside the ledger",
        ),
    ] = None,
    ledger_only: Annotated[bool, typer.Option("--ledger-only", help="Leave the golden file as it is.")] = False,
    storage: Storage = None,
) -> None:
    """Let a red run be the baseline of the next ones, and the repository's golden file, with the reason for it.

    The reason is stored, with who accepted, when, and what was what before.
    """
    from compress.claims.acceptance import may_stand
    from compress.claims.golden import Golden
    from compress.claims.ledger import Ledger
    from compress.cli.sides import find_run
    from compress.report.history import find_cell
    from compress.settings import load_settings

    found = find_run(run, open_ledger(storage)).run
    cells = sorted({find_cell([found], name) for name in cell or ()})
    of = f"{', '.join(cells)} of " if cells else ""
    console = open_console()
    path = None if ledger_only else golden or load_settings(Path.cwd()).golden
    changed = None
    if path is not None:
        # judged before anything is written, so that one refusal leaves both as they are
        changed = (Golden.load(path) if path.exists() else Golden(path)).accept(found, reason, cells)
    if golden is None and (path is None or not may_stand(found, cells)):
        ledger = Ledger(found.path.parent)
        ledger.accept(found, reason, cells)
        accepted = ledger.load(found.path)
        _say(console, f"{of}{accepted.describe()}: {reason}", accepted.acceptances()[-1]["before"])
    if changed is not None:
        changed.write()
        _say(console, f"{of}{found.describe()} into {path}: {reason}", changed.accepted[-1]["before"])


def _say(console: Console, accepted: str, before: Mapping[str, Mapping[str, Sequence[object]]]) -> None:
    console.print(f"accepted: {accepted}", soft_wrap=True)
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
