"""One run of the suite: cells measured, claims judged, changes against the baseline, and what is stored of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from compress.claims.claim import Judgement, Verdict, worst
from compress.claims.completeness import Gap, find_gaps
from compress.claims.gate import Change
from compress.claims.ledger import SCHEMA, Baseline, StoredRun, cell_to_json
from compress.claims.paper import Paper
from compress.claims.statistics import minimum_detectable_drop
from compress.claims.timing import TimeComparison
from compress.fingerprint import differences, fingerprint
from compress.measure.figure import Figure
from compress.workbench import Cell


@dataclass
class PrintedTable:
    """A table that a bench adds to the report: a paper's figures beside the measured ones."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)


@dataclass
class Suite:
    """The state of one run. ``gated`` says whether changes for the worse fail (``--benchmark-compare``).

    ``allow`` are the kinds of gaps that pass, ``no_times`` the reason why times and memory were not measured, and
    ``untimed`` why the changed file of a cell did not run beside its baseline's.
    """

    scale: str
    selection: str
    baseline: Baseline | None = None
    gated: bool = False
    papers: Sequence[Paper] = ()
    allow: frozenset[str] = frozenset()
    no_times: str = ""
    cells: dict[str, Cell] = field(default_factory=dict)
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    judgements: list[Judgement] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    timings: dict[str, TimeComparison] = field(default_factory=dict)
    untimed: dict[str, str] = field(default_factory=dict)
    tables: dict[str, PrintedTable] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    fingerprint: dict[str, object] = field(default_factory=fingerprint)

    def measured(self, cell: Cell) -> None:
        """Take a newly measured cell in."""
        self.cells[cell.name] = cell
        self.stored.setdefault(cell.name, cell_to_json(cell.measurement))

    def tell(self, changes: Sequence[Change]) -> list[Change]:
        """Add `changes` to those of the run, each once, and return them; a judged one takes the place of a told one."""
        for change in changes:
            if change.direction != "information":
                self.changes = [
                    one
                    for one in self.changes
                    if one.direction != "information" or (one.cell, one.metric) != (change.cell, change.metric)
                ]
            if change not in self.changes:
                self.changes.append(change)
        return list(changes)

    @property
    def changed_files(self) -> list[str]:
        """Names of the cells whose file is another one than their time is compared with."""
        if self.baseline is None:
            return []
        old = {name: stored.get("sha256") for name, (_, stored) in self.baseline.beside.items()}
        return [name for name, cell in self.cells.items() if name in old and old[name] != cell.artifact.sha256]

    def detectable_drops(self) -> list[tuple[str, int, float]]:
        """Return for each subject its evaluation samples and the smallest drop of accuracy they could show, in points.

        Without any flip by chance, as a bound from below: with flips it takes more.
        """
        samples = {
            cell.subject.name: len(cell.measurement.outcomes.correct)
            for cell in self.cells.values()
            if cell.measurement.outcomes
        }
        return [(name, n, 100 * minimum_detectable_drop(n, 0.0)) for name, n in sorted(samples.items())]

    @property
    def new(self) -> list[str]:
        """Names of the cells that have no baseline."""
        return [] if self.baseline is None else [name for name in self.cells if name not in self.baseline.cells]

    def gaps(self, complete: bool, deselected: Sequence[str] = ()) -> list[Gap]:
        """Return what the baseline covers and this run does not, or the other way round; `deselected` names benches."""
        found: list[Gap] = []
        whole = self.whole_baseline
        if whole is not None and complete:
            old = {name: str(cell.get("sha256")) for name, cell in whole.cells.items()}
            new = {name: cell.artifact.sha256 for name, cell in self.cells.items()}
            verdicts = [asdict(judgement) for judgement in self.judgements]
            found = find_gaps(old, new, whole.compress.get("verdicts", []), verdicts, self.no_times)
        if self.baseline is None or not self.gated:
            found = [gap for gap in found if gap.kind != "new"]
        if self.gated:
            if deselected:
                shown = ", ".join(deselected[:3]) + (" ..." if len(deselected) > 3 else "")
                found.append(Gap("deselected", f"{len(deselected)} benches were left out: {shown}"))
            found += [
                Gap("untimed", f"{name}: its file changed and was not timed: {why}")
                for name, why in self.untimed.items()
            ]
            if complete and self.nothing_measured:
                found.append(Gap("empty", "nothing was measured, which is no pass"))
        return [replace(gap, allowed=gap.kind in self.allow) for gap in found]

    @property
    def whole_baseline(self) -> StoredRun | None:
        """The run of the baseline that measured all of this selection, if there is one."""
        runs = self.baseline.runs if self.baseline is not None else ()
        return next((run for run in runs if run.whole(self.selection)), None)

    @property
    def nothing_measured(self) -> bool:
        """Whether the run has neither a cell nor a verdict that rests on a measurement."""
        return not self.cells and all(one.verdict is Verdict.UNMEASURED for one in self.judgements)

    @property
    def machine_changes(self) -> list[str]:
        """How this machine and its software differ from the baseline's, one sentence each."""
        if self.baseline is None:
            return []
        before = self.baseline.newest.compress.get("fingerprint")
        return differences(before, self.fingerprint) if before else []  # a golden file holds no machine

    def verdicts(self) -> dict[str, tuple[Verdict, Counter[Verdict], list[Judgement]]]:
        """Return each source's verdict: the one to report, how often each was given, and the judgements behind it."""
        by_source: dict[str, list[Judgement]] = {}
        for judgement in self.judgements:
            for source in judgement.sources:
                by_source.setdefault(source, []).append(judgement)
        return {
            source: (worst([one.verdict for one in found]), Counter(one.verdict for one in found), found)
            for source, found in sorted(by_source.items())
        }

    def table(self, title: str, columns: tuple[str, ...]) -> PrintedTable:
        """Return the report's table called `title`, made on first use."""
        return self.tables.setdefault(title, PrintedTable(title, columns))

    def figure(self, title: str, x: str = "", y: str = "", note: str = "") -> Figure:
        """Return the report's figure called `title`, made on first use, with what its axes are and a note."""
        return self.figures.setdefault(title, Figure(title, x, y, note))

    def is_green(self, failed: bool, gaps: Sequence[Gap] = ()) -> bool:
        """Return whether the run may be a baseline: cells were measured; nothing failed, got worse or went missing."""
        lost = any(not gap.allowed for gap in gaps)
        return bool(self.cells) and not failed and not lost and not any(change.fails for change in self.changes)

    def _cell_to_json(self, name: str) -> dict[str, Any]:
        """Return what is stored of a cell, with the runs it still answers to.

        What is equal within tolerance, or was not timed, takes no run's place.
        """
        stored = self.stored[name]
        if self.baseline is None or self.baseline.ledger is None or name not in self.baseline.cells:
            return stored
        anchors = {}
        mine = [change for change in self.changes if change.cell == name]
        better = {change.metric for change in mine if change.direction == "better"}
        open_ = any(change.fails or change.direction == "undecided" for change in mine)
        if open_ or not better - {"latency_s"}:
            anchors["anchor"] = self.baseline.cells[name][0].path.name
        if open_ or "latency_s" not in better:
            anchors["time_anchor"] = self.baseline.beside[name][0].path.name
        return {**stored, **anchors}

    def to_json(self, *, failed: bool, complete: bool, gaps: Sequence[Gap] = ()) -> dict[str, Any]:
        """Return what the ledger stores of the run beside pytest-benchmark's own entries."""
        return {
            "schema": SCHEMA,
            "status": "green" if self.is_green(failed, gaps) else "red",
            "scale": self.scale,
            "selection": self.selection,
            "complete": complete,
            "gated": self.gated,
            "baseline": [str(run.path.name) for run in self.baseline.runs] if self.baseline else [],
            "fingerprint": self.fingerprint,
            "cells": {name: self._cell_to_json(name) for name in self.cells},
            "verdicts": [asdict(judgement) for judgement in self.judgements],
            "changes": [asdict(change) for change in self.changes if change.direction != "information"],
            "gaps": [asdict(gap) for gap in gaps],
            "tables": [asdict(table) for table in self.tables.values()],
            "figures": [figure.to_json() for figure in self.figures.values()],
        }


def unknown_sources(papers: Sequence[Paper], sources: Sequence[str]) -> list[str]:
    """Return those sources that begin like a paper's but name neither a claim nor a table of it."""
    prefixes = {prefix for paper in papers for prefix in paper.prefixes}
    return [
        source
        for source in sources
        if source.split("/")[0] in prefixes and not any(paper.knows(source) for paper in papers)
    ]


def covered(papers: Sequence[Paper], verdicts: dict[str, str]) -> dict[str, dict[str, str | None]]:
    """Return for each paper's claims, by prefix and id, the verdict they carry, or None."""
    found: dict[str, dict[str, str | None]] = {}
    for paper in papers:
        for source in paper.claims:
            found.setdefault(source.split("/")[0], {})[source] = verdicts.get(source)
    return found
