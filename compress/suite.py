"""One run of the suite: cells measured, claims judged, changes against the baseline, and what is stored of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from compress.claims.claim import Judgement, Verdict, worst
from compress.claims.fingerprint import differences, fingerprint
from compress.claims.gate import Change, compare_outcomes, compare_values
from compress.claims.ledger import SCHEMA, Baseline, cell_to_json
from compress.claims.paper import Paper
from compress.workbench import Cell


@dataclass
class PrintedTable:
    """A table that a bench adds to the report: a paper's figures beside the measured ones."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)


@dataclass
class Suite:
    """The state of one run. ``gated`` says whether changes for the worse fail (``--benchmark-compare``)."""

    scale: str
    selection: str
    baseline: Baseline | None = None
    gated: bool = False
    papers: Sequence[Paper] = ()
    cells: dict[str, Cell] = field(default_factory=dict)
    judgements: list[Judgement] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    tables: dict[str, PrintedTable] = field(default_factory=dict)
    fingerprint: dict[str, object] = field(default_factory=fingerprint)

    def measured(self, cell: Cell) -> list[Change]:
        """Take a newly measured cell in; return how it differs from its baseline, if it has one."""
        self.cells[cell.name] = cell
        if self.baseline is None or cell.name not in self.baseline.cells:
            return []
        _, stored = self.baseline.cells[cell.name]
        changes = compare_values(cell.name, stored["values"], dict(cell.measurement.values))
        old, new = self.baseline.outcomes(cell.name), cell.measurement.outcomes
        if old is not None and new is not None:
            changes += compare_outcomes(cell.name, old, new.as_stored())
        self.changes += changes
        return changes

    @property
    def new(self) -> list[str]:
        """Names of the cells that have no baseline."""
        return [] if self.baseline is None else [name for name in self.cells if name not in self.baseline.cells]

    def missing(self, complete: bool) -> list[str]:
        """Return the cells that the last whole run of the same selection measured and this one, if whole, did not."""
        if self.baseline is None or not complete:
            return []
        whole = (run for run in self.baseline.runs if run.whole(self.selection))
        return [name for run in whole for name in run.cells if name not in self.cells]

    @property
    def nothing_measured(self) -> bool:
        """Whether the run has neither a cell nor a verdict that rests on a measurement."""
        return not self.cells and all(one.verdict is Verdict.UNMEASURED for one in self.judgements)

    @property
    def machine_changes(self) -> list[str]:
        """How this machine and its software differ from the baseline's, one sentence each."""
        if self.baseline is None:
            return []
        return differences(self.baseline.newest.compress.get("fingerprint", {}), self.fingerprint)

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

    def is_green(self, failed: bool) -> bool:
        """Return whether the run may become a baseline: cells were measured, nothing failed, nothing got worse."""
        return bool(self.cells) and not failed and not any(change.fails for change in self.changes)

    def to_json(self, *, failed: bool, complete: bool) -> dict[str, Any]:
        """Return what the ledger stores of the run beside pytest-benchmark's own entries."""
        return {
            "schema": SCHEMA,
            "status": "green" if self.is_green(failed) else "red",
            "scale": self.scale,
            "selection": self.selection,
            "complete": complete,
            "baseline": [str(run.path.name) for run in self.baseline.runs] if self.baseline else [],
            "fingerprint": self.fingerprint,
            "cells": {name: cell_to_json(cell.measurement) for name, cell in self.cells.items()},
            "verdicts": [asdict(judgement) for judgement in self.judgements],
            "changes": [asdict(change) for change in self.changes if change.direction != "information"],
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
