"""``compress-bench compare``: what the gate has to say of two stored runs, offline."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli.storage import Storage, open_console, open_ledger

if TYPE_CHECKING:
    from rich.console import Console

    from compress.cli.comparison import Comparison

WHICH = "A run's number or file name, the path of a run's JSON file, a golden file's path, or golden."


def compare(
    old: Annotated[str, typer.Argument(metavar="A", help=f"The older side. {WHICH}")],
    new: Annotated[str, typer.Argument(metavar="B", help="The newer side, named likewise.")],
    fail: Annotated[bool, typer.Option("--fail", help="End with exit code 1 where the gate would fail.")] = False,
    time: Annotated[
        bool, typer.Option("--time", help="Run changed model files, old beside new, as a gate does.")
    ] = False,
    scale: Annotated[str | None, typer.Option(help="Of a golden file.", show_default="as the other side")] = None,
    storage: Storage = None,
) -> None:
    """Compare run B with run A by the gate's rules; nothing is run unless --time asks for it.

    The limits are those of [tool.compress]; what single benches allow of their own is not stored with a run.
    """
    from compress.cli.comparison import compare_runs
    from compress.cli.sides import find_sides
    from compress.settings import load_settings

    settings = load_settings(Path.cwd())
    sides = find_sides((old, new), open_ledger(storage), settings.golden, scale)
    console = open_console()
    for letter, side in zip("AB", sides, strict=True):
        console.print(f"{letter}: {side.run.describe()}", soft_wrap=True)
    found = compare_runs(
        *sides, settings, timing=time, announce=lambda text: console.print(f"  {text} ...", soft_wrap=True)
    )
    _print_differences(console, found)
    _print_counts(console, found, timing=time)
    console.print(verdict(found), soft_wrap=True)
    if fail and found.fails:
        raise typer.Exit(1)


def verdict(found: Comparison) -> str:
    """Return the last line: whether a gate would have passed, and the counts of what speaks for and against it."""
    counts = Counter(str(change.direction) for change in found.changes)
    kinds = Counter(gap.kind for gap in found.gaps if not gap.allowed)
    against = [f"{counts[one]} {one}" for one in ("worse", "changed") if counts[one]]
    against += [f"{count} {kind}" for kind, count in kinds.items()]
    against += [f"{len(found.broken)} broken claims"] if found.broken else []
    others = [f"{counts[one]} {one}" for one in ("undecided", "better") if counts[one]]
    allowed = sum(gap.allowed for gap in found.gaps)
    others += [f"{allowed} gaps allowed"] if allowed else []
    said = ", ".join(against + others) or "nothing got worse"
    return f"{'failed' if found.fails else 'passed'}: {said}"


def _print_differences(console: Console, found: Comparison) -> None:
    from rich.text import Text

    lines = [(f"not the same machine or software: {line}", "") for line in found.machine]
    for gap in found.gaps:
        style = "yellow" if gap.allowed else "bold red"
        lines.append((f"{gap.kind}: {gap.text}" + (" (allowed)" if gap.allowed else ""), style))
    lines += [(f"broken: {claim}", "bold red") for claim in found.broken]
    styles = {"worse": "bold red", "changed": "bold red", "undecided": "yellow", "better": "green"}
    lines += [
        (f"{direction}: {change}", style)
        for direction, style in styles.items()
        for change in found.changes
        if change.direction == direction
    ]
    for text, style in lines:
        console.print(Text(f"  {text}", style), soft_wrap=True)


def _print_counts(console: Console, found: Comparison, *, timing: bool) -> None:
    from compress.measure.metric import METRICS

    differing = {change.cell for change in found.changes if change.direction != "information"}
    told = [change for change in found.changes if change.direction == "information"]
    quality = sum(METRICS[change.metric].nature == "quality" for change in told)
    console.print(
        f"  {len(found.shared)} cells in both, {len(found.shared) - len(differing)} alike in all that is judged; told "
        f"only: {quality} differences of quality that may be chance, {len(told) - quality} of time and memory",
        soft_wrap=True,
    )
    alone = [
        sum(name not in other.run.cells for name in side.run.cells)
        for side, other in ((found.old, found.new), (found.new, found.old))
    ]
    if any(alone) and not any(gap.kind in ("missing", "new", "renamed") for gap in found.gaps):
        said = f"{alone[0]} cells only in A, {alone[1]} only in B"
        console.print(f"  {said}: not two whole runs of one selection, so none is missed", soft_wrap=True)
    changed = len(found.changed_files)
    if not changed:
        said = "no timed file changed"
    elif not found.has_files:
        said = f"{changed} files changed and were not compared: a golden file keeps no model files to run"
    elif timing:
        said = f"{len(found.timed)} of {changed} changed files ran beside the older ones"
    else:
        said = f"{changed} files changed and were not compared; --time runs them beside the older ones"
    console.print(f"  time: {said}", soft_wrap=True)
    for change in told:
        if change.cell in found.timed and change.metric == "latency_s":
            console.print(f"    {change}", soft_wrap=True)
