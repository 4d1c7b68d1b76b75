"""The end of a run in the terminal: a table of claims, the tables benches added, what changed, and one last line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from compress.claims.claim import Verdict
from compress.claims.completeness import Gap
from compress.measure.metric import METRICS
from compress.report import cells
from compress.report.claims import rows
from compress.suite import Suite, covered

STYLES = {
    Verdict.HELD: "green",
    Verdict.REFUTED: "cyan",
    Verdict.UNMEASURED: "yellow",
    Verdict.UNDECIDED: "yellow",
    Verdict.BROKEN: "bold red",
}
SLOWEST = 3

LONGEST_NUMBER = 20
"""Characters of an entry up to which a column is one of numbers, with their units and intervals."""


def render(suite: Suite, gaps: Sequence[Gap], stored: Path | str, *, color: bool, width: int) -> str:
    """Return the report of a run as text, with ANSI colours when `color`, at most `width` columns wide.

    `gaps` are what the run left open, `stored` is its file, or the reason why there is none.
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
    _print_baseline(console, suite, gaps)
    _print_last_line(console, suite, stored)
    return out.getvalue().rstrip("\n")


def _print_table(console: Console, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, title_style="bold", padding=(0, 1))
    for index, column in enumerate(columns):
        # a number is never broken over two lines: what gives way are words, first those of the first column
        whole = index > 0 and max((len(row[index]) for row in rows), default=0) <= LONGEST_NUMBER
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print()


def _print_cells(console: Console, suite: Suite) -> None:
    for subject, found in cells.by_subject(suite.cells.values()):
        rows = [cells.row(cell) for cell in found]
        shown = cells.fitting(rows, console.width)
        title = f"{subject}, {found[0].subject.parameters:,} parameters, {cells.scored(found):,} evaluation samples"
        _print_table(console, title, ("recipe", *cells.COLUMNS[:shown]), [row[: shown + 1] for row in rows])
    if suite.cells:
        console.print(f"{cells.LEGEND}\n")


def _claims(suite: Suite) -> Table:
    table = Table(title="claims", title_justify="left", box=None, pad_edge=False, title_style="bold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim", overflow="fold")
    table.add_column("kind", no_wrap=True)
    table.add_column("measured", overflow="fold")
    table.add_column("bound", overflow="fold")
    for row in rows(suite):
        said = Text(f"{row.verdict}{row.times}", STYLES[row.verdict])
        table.add_row(said, row.source, row.kinds, row.measured, row.telling.bound)
    return table


def _print_baseline(console: Console, suite: Suite, gaps: Sequence[Gap]) -> None:
    if suite.baseline is None:
        if suite.gated:
            console.print("\nno baseline: this is the first run here, the next one is compared with it")
        return
    runs = suite.baseline.newest.describe()
    more = len(suite.baseline.runs) - 1
    console.print(f"\nbaseline: {runs}{f' and {more} before it' if more else ''}")
    for line in suite.machine_changes:
        console.print(f"  not the same machine or software: {line}", soft_wrap=True)
    for gap in gaps:
        said, style = f"  {gap.kind}: {gap.text}", "yellow" if gap.allowed else "bold red"
        console.print(
            Text(f"{said} (allowed)" if gap.allowed else f"{said} (--allow {gap.kind} to pass)", style), soft_wrap=True
        )
    whole = suite.whole_baseline
    kept = [] if whole is None else [name for name in whole.cells if name in suite.cells]
    if whole is not None and len(kept) < len(whole.cells) and not any(gap.kind == "missing" for gap in gaps):
        console.print(
            f"  this run is of a part: {len(kept)} of the {len(whole.cells)} cells of the last whole run were measured"
        )
    if suite.new and not any(gap.kind == "new" for gap in gaps):
        first = ", ".join(suite.new[:5]) + (" ..." if len(suite.new) > 5 else "")
        console.print(f"  new: {len(suite.new)} cells without a baseline: {first}", soft_wrap=True)
    for change in suite.changes:
        if change.fails:
            console.print(Text(f"  {change.direction}: {change}", "bold red"), soft_wrap=True)
    for direction, style in (("undecided", "yellow"), ("better", "green")):
        for change in suite.changes:
            if change.direction == direction:
                console.print(Text(f"  {direction}: {change}", style), soft_wrap=True)
    for change in suite.changes:
        if change.direction == "information" and METRICS[change.metric].nature == "quality":
            console.print(Text(f"  not told from chance: {change}"), soft_wrap=True)
    failing = sum(change.fails for change in suite.changes) + sum(not gap.allowed for gap in gaps)
    if failing and not suite.gated:
        console.print(
            "  these do not fail a run without --benchmark-compare, but they keep it from becoming a baseline"
        )
    _print_time(console, suite)
    if suite.gated:
        for subject, n, drop in suite.detectable_drops():
            console.print(
                f"  {subject}: the smallest accuracy drop that its {n:,} samples could show is {drop:.2f} points"
            )


def _print_time(console: Console, suite: Suite) -> None:
    changed, timed = suite.changed_files, len(suite.timings)
    if suite.gated and suite.baseline is not None:
        same = sum(name in suite.baseline.cells for name in suite.cells) - len(changed)
        console.print(
            f"  time: {same} files are the baseline's own, byte for byte, and need no timing; {_timed(suite, timed)}"
        )
    told = [one for one in suite.changes if one.metric == "latency_s" and one.direction == "information"]
    paired = [one for one in told if one.cell in suite.timings]
    for change in paired:
        console.print(f"    {change}", soft_wrap=True)
    between = [one for one in told if one.cell not in suite.timings and "x" in one.detail]
    if not between:
        return
    console.print(f"  latency in the two runs, told only, of {len(between)} cells; it moved most in")
    ratios = sorted(between, key=lambda one: abs(float(one.detail.split("x")[0]) - 1), reverse=True)
    for change in ratios[:SLOWEST]:
        console.print(f"    {change} s", soft_wrap=True)


def _timed(suite: Suite, timed: int) -> str:
    if not suite.changed_files:
        return "no file changed"
    said = f"{timed} of {len(suite.changed_files)} changed files ran beside their baseline's"
    if suite.baseline is not None and suite.baseline.ledger is None:
        said += " (a golden file holds no model files to run)"
    spent = sum(one.spent_s for one in suite.timings.values())
    return f"{said}, {spent:.1f} s" if timed else said


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
    if suite.no_times:
        console.print(Text(f"unmeasured: {suite.no_times}", "bold yellow"))
    if suite.nothing_measured:
        console.print(Text("nothing was measured, which is no pass", "bold red"))
    said = f"stored: {stored}" if isinstance(stored, Path) else f"this run was not stored: {stored}"
    console.print(said, soft_wrap=True)
