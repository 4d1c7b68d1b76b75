"""The end of a run in the terminal: a table of claims, the tables benches added, what changed, and one last line."""

from __future__ import annotations

from collections import Counter
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from compress.claims.claim import Judgement, Verdict
from compress.measure.metric import METRICS
from compress.report import cells
from compress.suite import Suite, covered

STYLES = {
    Verdict.HELD: "green",
    Verdict.REFUTED: "cyan",
    Verdict.UNMEASURED: "yellow",
    Verdict.UNDECIDED: "yellow",
    Verdict.BROKEN: "bold red",
}
SLOWEST = 3


def render(suite: Suite, complete: bool, stored: Path | str, *, color: bool, width: int) -> str:
    """Return the report of a run as text, with ANSI colours when `color`, at most `width` columns wide.

    `stored` is the file of the run, or the reason why there is none.
    """
    out = StringIO()
    console = Console(
        file=out,
        width=max(width, 100),
        force_terminal=color,
        no_color=not color,
        highlight=False,
        markup=False,  # a reason may hold brackets
        emoji=False,
    )
    _print_cells(console, suite)
    for table in suite.tables.values():
        _print_table(console, table.title, table.columns, table.rows)
    if suite.judgements:
        console.print(_claims(suite))
    _print_baseline(console, suite, complete)
    _print_last_line(console, suite, stored)
    return out.getvalue().rstrip("\n")


def _print_table(console: Console, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, title_style="bold", padding=(0, 1))
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print()


def _print_cells(console: Console, suite: Suite) -> None:
    shown = len(cells.COLUMNS) if console.width >= cells.WIDE else cells.NARROW
    for subject, found in cells.by_subject(suite.cells.values()):
        rows = [cells.row(cell)[: shown + 1] for cell in found]
        samples = next((cell.accuracy.n for cell in found if cell.measurement.outcomes is not None), 0)
        title = f"{subject}, {found[0].subject.parameters:,} parameters, {samples:,} evaluation samples"
        _print_table(console, title, ("recipe", *cells.COLUMNS[:shown]), rows)
    if suite.cells:
        console.print(f"{cells.LEGEND}\n")


def _claims(suite: Suite) -> Table:
    table = Table(title="claims", title_justify="left", box=None, pad_edge=False, title_style="bold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim", overflow="fold")
    table.add_column("kind", no_wrap=True)
    table.add_column("measured", overflow="fold")
    table.add_column("bound", overflow="fold")
    for source, (verdict, counts, judgements) in suite.verdicts().items():
        times = f" x{len(judgements)}" if len(counts) == 1 and len(judgements) > 1 else ""
        if len(counts) > 1:
            times = f" {counts[verdict]} of {len(judgements)}"
        shown = _telling(judgements, verdict)
        kinds = "/".join(sorted({judgement.kind for judgement in judgements}))
        table.add_row(
            Text(f"{verdict}{times}", STYLES[verdict]), source, kinds, _measured(judgements, shown), shown.bound
        )
    return table


def _telling(judgements: list[Judgement], verdict: Verdict) -> Judgement:
    return next(one for one in judgements if one.verdict is verdict)


def _measured(judgements: list[Judgement], shown: Judgement) -> str:
    if not shown.measured:
        return shown.reason
    others = {one.measured for one in judgements if one.verdict is shown.verdict} - {shown.measured}
    return f"{shown.measured} ({len(others)} more)" if others else shown.measured


def _print_baseline(console: Console, suite: Suite, complete: bool) -> None:
    if suite.baseline is None:
        if suite.gated:
            console.print("\nno baseline: this is the first run here, the next one is compared with it")
        return
    runs = suite.baseline.newest.describe()
    more = len(suite.baseline.runs) - 1
    console.print(f"\nbaseline: {runs}{f' and {more} before it' if more else ''}")
    for line in suite.machine_changes:
        console.print(f"  not the same machine or software: {line}", soft_wrap=True)
    for name in suite.missing(complete):
        console.print(
            Text(f"  missing: {name} was measured then and not now (--allow-missing to pass)", "bold red"),
            soft_wrap=True,
        )
    if suite.new:
        first = ", ".join(suite.new[:5]) + (" ..." if len(suite.new) > 5 else "")
        console.print(f"  new: {len(suite.new)} cells without a baseline: {first}", soft_wrap=True)
    for change in suite.changes:
        if change.fails:
            console.print(Text(f"  {change.direction}: {change}", "bold red"), soft_wrap=True)
    for change in suite.changes:
        if change.direction == "better":
            console.print(Text(f"  better: {change}", "green"), soft_wrap=True)
    for change in suite.changes:
        if change.direction == "information" and METRICS[change.metric].nature == "quality":
            console.print(Text(f"  not told from chance: {change}"), soft_wrap=True)
    failing = sum(change.fails for change in suite.changes)
    if failing and not suite.gated:
        console.print(
            "  these do not fail a run without --benchmark-compare, but they keep it from becoming a baseline"
        )
    _print_time(console, suite)


def _print_time(console: Console, suite: Suite) -> None:
    latency = [one for one in suite.changes if one.metric == "latency_s" and "x" in one.detail]
    if not latency:
        return
    console.print(f"  latency of {len(latency)} cells stands beside the baseline's and is not gated; it moved most in")
    ratios = sorted(latency, key=lambda one: abs(float(one.detail.split("x")[0]) - 1), reverse=True)
    for change in ratios[:SLOWEST]:
        console.print(f"    {change} s", soft_wrap=True)


def _print_last_line(console: Console, suite: Suite, stored: Path | str) -> None:
    counts = Counter(verdict for verdict, _, _ in suite.verdicts().values())
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]) or "none"
    by_source = {source: str(verdict) for source, (verdict, _, _) in suite.verdicts().items()}
    coverage = covered(suite.papers, by_source)
    total = sum(len(claims) for claims in coverage.values())
    carried = sum(verdict is not None for claims in coverage.values() for verdict in claims.values())
    worse = sum(change.fails for change in suite.changes)
    console.print(f"\n{len(suite.cells)} cells measured; claims: {said}; {worse} changes for the worse")
    if total:
        console.print(f"{carried} of the papers' {total} claims carry a verdict from this run")
    if suite.nothing_measured:
        console.print(Text("nothing was measured, which is no pass", "bold red"))
    said = f"stored: {stored}" if isinstance(stored, Path) else f"this run was not stored: {stored}"
    console.print(said, soft_wrap=True)
