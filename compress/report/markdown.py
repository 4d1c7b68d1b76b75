"""The report of a run for a pull request: the verdict first, then what changed, then all the rest folded.

It is GitHub-flavoured Markdown, short enough for a comment, and goes into a job's summary as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from compress.claims.claim import Verdict
from compress.claims.completeness import Gap
from compress.claims.gate import Change
from compress.report import cells, claims
from compress.report.gfm import Part, code, fit, plain, table
from compress.suite import Suite

CHANGES = ("", "cell", "metric", "before", "now", "how")
ORDER = ("worse", "changed", "undecided", "better")
SHOWN_BETTER = 10
"""Up to how many improvements stand open; more of them are folded."""

SHOWN_DIFFERENCES = 3


def render(suite: Suite, gaps: Sequence[Gap], stored: Path | str, *, failed: int, ended: bool = True) -> str:
    """Return the report of a run as Markdown of at most `LIMIT` characters, which ends with a line break.

    `gaps` are what the run left open, `stored` is its file, or the reason why there is none, `failed` the number of
    tests that failed, and `ended` whether it came to its end: a run that was stopped has not passed.
    """
    return fit([_head(suite, gaps, stored, failed, ended), *_changes(suite, gaps), *_rest(suite)])


def _count(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"


def _head(suite: Suite, gaps: Sequence[Gap], stored: Path | str, failed: int, ended: bool) -> Part:
    lines = [f"## {_verdict(suite, gaps, stored, failed, ended)}", ""]
    if suite.baseline is not None:
        before = len(suite.baseline.runs) - 1
        more = f" and {before} before it" if before else ""
        lines += [f"Compared with {plain(suite.baseline.newest.describe())}{more}.", ""]
    elif suite.gated:
        lines += ["No baseline: this is the first run here, the next one is compared with it.", ""]
    others = suite.machine_changes
    if others:
        said = "; ".join(map(plain, others[:SHOWN_DIFFERENCES]))
        more = f"; and {len(others) - SHOWN_DIFFERENCES} more, below" if len(others) > SHOWN_DIFFERENCES else ""
        lines += [f"Not the same machine or software: {said}{more}.", ""]
    if suite.new and not any(gap.kind == "new" for gap in gaps):
        lines += [f"{_count(len(suite.new), 'cell has', 'cells have')} no baseline yet.", ""]
    if not isinstance(stored, Path):
        lines += [f"This run was not stored: {plain(stored)}", ""]
    else:
        number = stored.name.split("_")[0]
        accept = f' If what changed is meant: `compress-bench accept {number} --reason "..."`.'
        lines += [f"This is run {number}.{accept if _failing(suite, gaps) else ''}", ""]
    return Part(tuple(lines[:-1]))


def _failing(suite: Suite, gaps: Sequence[Gap]) -> list[str]:
    """Return what keeps the run from being a baseline, each with its number."""
    found = []
    worse = sum(change.fails for change in suite.changes)
    if worse:
        found.append(_count(worse, "change for the worse", "changes for the worse"))
    found += [f"{n:,} {kind}" for kind, n in Counter(gap.kind for gap in gaps if not gap.allowed).items()]
    if suite.nothing_measured and not any(gap.kind == "empty" for gap in gaps):
        found.append("nothing was measured, which is no pass")
    return found


def _verdict(suite: Suite, gaps: Sequence[Gap], stored: Path | str, failed: int, ended: bool) -> str:
    failing = _failing(suite, gaps)
    broken = sum(verdict is Verdict.BROKEN for verdict, _, _ in suite.verdicts().values())
    undecided = sum(change.direction == "undecided" for change in suite.changes)
    better = sum(change.direction == "better" for change in suite.changes)
    counts = [_count(broken, "claim broken", "claims broken")] if broken else []
    counts += failing
    counts += [f"{undecided:,} undecided"] if undecided else []
    counts += [f"{better:,} better"] if better else []
    counts += [_count(failed, "test failed", "tests failed")] if failed else []
    if not ended:
        return f"❌ stopped before its end: {', '.join(counts) or 'nothing failed until then'}"
    unstored = ["the run could not be stored"] if suite.cells and not isinstance(stored, Path) else []
    if failed or broken or unstored or (suite.gated and failing):
        return f"❌ failed: {', '.join(unstored + counts)}"
    compared = sum(name in suite.baseline.cells for name in suite.cells) if suite.baseline is not None else 0
    cells_ = f"{_count(compared, 'cell', 'cells')} compared" if compared else _count(len(suite.cells), "cell", "cells")
    if failing:
        return f"⚠️ passed without a gate, but no baseline: {', '.join(counts)}"
    if suite.gated and suite.baseline is None:
        return f"✅ passed: the first run, {', '.join([cells_, *counts])}"
    return f"✅ passed{'' if suite.gated else ' without a gate'}: {', '.join([cells_, *(counts or ['nothing worse'])])}"


def _changes(suite: Suite, gaps: Sequence[Gap]) -> Iterator[Part]:
    """Yield what stands open: changes, the worst first, gaps, and broken claims."""
    judged = [one for direction in ORDER for one in suite.changes if one.direction == direction]
    better = [one for one in judged if one.direction == "better"]
    folded = better if len(better) > SHOWN_BETTER else []
    yield table("What changed", CHANGES, [_row(one) for one in judged if one not in folded])
    said = [
        f"- **{gap.kind}**: {plain(gap.text)} ({'allowed' if gap.allowed else f'`--allow {gap.kind}` to pass'})"
        for gap in sorted(gaps, key=lambda gap: gap.allowed)
    ]
    yield Part(tuple(said), "Missing, new or left out")
    broken = [row for row in claims.rows(suite) if row.verdict is Verdict.BROKEN]
    rows = [(code(row.source), *map(plain, (row.measured, row.telling.bound, _because(row)))) for row in broken]
    yield table("Broken claims", ("claim", "measured", "claimed", "because"), rows)
    yield table(f"Better: {len(folded)}", CHANGES, [_row(one) for one in folded], folded=True)


def _because(row: claims.Row) -> str:
    return row.telling.why or row.telling.reason


def _row(change: Change) -> tuple[str, ...]:
    direction = f"**{change.direction}**" if change.fails else change.direction
    return (direction, code(change.cell), code(change.metric), *map(plain, (change.old, change.new, change.detail)))


def _rest(suite: Suite) -> Iterator[Part]:
    """Yield what is folded: times, what is told only, claims, cells, the benches' tables, the machine."""
    yield _times(suite)
    told = [one for one in suite.changes if one.direction == "information" and not _is_latency_of_pair(one, suite)]
    quality_first = sorted(told, key=lambda one: one.metric not in ("accuracy", "score", "output_sqnr_db"))
    yield table(f"Told, not judged: {len(told)}", CHANGES[1:], [_row(one)[1:] for one in quality_first], folded=True)
    counts = Counter(verdict for verdict, _, _ in suite.verdicts().values())
    title = f"Claims: {', '.join(f'{counts[one]} {one}' for one in Verdict if counts[one])}"
    worst_first = sorted(claims.rows(suite), key=lambda row: -list(Verdict).index(row.verdict))
    said = [
        (f"{row.verdict}{row.times}", code(row.source), row.kinds, plain(row.measured), plain(row.telling.bound))
        for row in worst_first
    ]
    yield table(title, ("verdict", "claim", "kind", "measured", "bound"), said, folded=True)
    drops = {name: f"; they could show a drop of {drop:.2f} points" for name, _, drop in suite.detectable_drops()}
    for subject, found in cells.by_subject(suite.cells.values()):
        about = f"{found[0].subject.parameters:,} parameters, {cells.scored(found):,} evaluation samples"
        title = f"Cells of {subject}: {about}"
        shown = [(code(recipe), *map(plain, values)) for recipe, *values in map(cells.row, found)]
        title += drops.get(subject, "")
        yield table(title, ("recipe", *cells.COLUMNS), shown, folded=True, numbers=True)
    if suite.cells:
        yield Part((plain(cells.LEGEND),), "Columns of the cells", folded=True)
    for printed in suite.tables.values():
        rows = [tuple(map(plain, row)) for row in printed.rows]
        yield table(printed.title, printed.columns, rows, folded=True, numbers=True)
    lines = [f"- {plain(f'{name}: {value}')}" for name, value in suite.fingerprint.items()]
    lines += [f"- not as the baseline's: {plain(line)}" for line in suite.machine_changes]
    yield Part(tuple(lines), "Machine and software", folded=True)


def _times(suite: Suite) -> Part:
    """Return the calls that ran beside the baseline's, judged or told."""
    spent = sum(one.spent_s for one in suite.timings.values())
    title = f"Time: {len(suite.timings)} of {len(suite.changed_files)} changed files ran beside the baseline's"
    rows = [
        (code(one.cell), plain(suite.timings[one.cell].verdict), *map(plain, (one.old, one.new, one.detail)))
        for one in suite.changes
        if _is_latency_of_pair(one, suite) and one.detail.startswith(str(suite.timings[one.cell]))
    ]
    return table(f"{title}, {spent:.1f} s", ("cell", "verdict", "before", "now", "side by side"), rows, folded=True)


def _is_latency_of_pair(change: Change, suite: Suite) -> bool:
    return change.metric == "latency_s" and change.cell in suite.timings
