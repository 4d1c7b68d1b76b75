"""What the page says, as data: the template only lays it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from compress.claims.paper import Paper
from compress.claims.standing import standing
from compress.claims.stored_run import StoredRun
from compress.report.html.claims import Chapter, chapters, count
from compress.report.html.drawn import Drawn, TableOfNumbers, figures_of, tables_of
from compress.report.html.of_cells import OfSubject, pictures, trainings
from compress.report.html.timeline import Subject, timeline
from compress.report.html.tradeoffs import Tradeoff, tradeoffs

LACKING = {
    "tables": "its benches' tables",
    "figures": "its benches' figures (weights before and after pruning, curves, pictures)",
}
"""What runs of older versions do not hold, by its key."""


@dataclass(frozen=True)
class Page:
    """All that is shown. ``runs`` are the runs whose verdicts are told, the newest first; ``stored`` all, oldest first.

    ``notes`` say what could not be shown, and why.
    """

    runs: tuple[StoredRun, ...]
    stored: tuple[StoredRun, ...]
    chapters: tuple[Chapter, ...]
    tradeoffs: tuple[Tradeoff, ...]
    tables: tuple[TableOfNumbers, ...]
    figures: tuple[Drawn, ...]
    pictures: tuple[OfSubject, ...]
    trainings: tuple[OfSubject, ...]
    history: tuple[Subject, ...]
    machine: tuple[tuple[str, str], ...]
    changes: tuple[dict[str, str], ...]
    gaps: tuple[dict[str, str], ...]
    notes: tuple[str, ...]

    @property
    def newest(self) -> StoredRun:
        """The run that the page is headed by."""
        return self.runs[0]

    @property
    def counts(self) -> dict[str, int]:
        """How many claims there are of each verdict that is given at all."""
        return count([row for chapter in self.chapters for row in chapter.rows])

    @property
    def tiles(self) -> dict[str, int]:
        """The counts, with those that a reader looks for even when they are zero."""
        return {"held": 0, "refuted": 0, "broken": 0} | self.counts

    @property
    def kinds(self) -> list[str]:
        """The kinds of the claims, by name."""
        return sorted({row.kind for chapter in self.chapters for row in chapter.rows if row.kind})


def build_page(
    runs: Sequence[StoredRun], stored: Sequence[StoredRun], papers: Sequence[Paper], notes: Sequence[str] = ()
) -> Page:
    """Return the page on `runs`, the newest first and at least one, with the history of all that is `stored`.

    `stored` are the oldest first, `notes` what else a reader should know. Raises `LedgerError` that names the file
    whose verdicts are damaged.
    """
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    for run in runs:
        for name, cell in run.cells.items():
            cells.setdefault((str(run.scale), name), cell)
    tables, bad_tables = tables_of(runs)
    figures, bad_figures = figures_of(runs)
    seen, bad_pictures = pictures(runs)
    trained, bad_trainings = trainings(runs)
    lacking = [
        f"run {run.number} does not hold {what}: an older version stored it"
        for run in runs
        for key, what in LACKING.items()
        if key not in run.compress
    ]
    return Page(
        tuple(runs),
        tuple(stored),
        tuple(chapters(standing(runs), papers)),
        tuple(tradeoffs(cells)),
        tuple(tables),
        tuple(figures),
        tuple(seen),
        tuple(trained),
        tuple(timeline(stored)),
        tuple(_machine(runs[0])),
        tuple(_texts(runs[0], "changes", ("direction", "cell", "metric", "old", "new", "detail"))),
        tuple(_texts(runs[0], "gaps", ("kind", "text", "allowed"))),
        (*notes, *lacking, *bad_tables, *bad_figures, *bad_pictures, *bad_trainings),
    )


def _machine(run: StoredRun) -> list[tuple[str, str]]:
    stored = run.compress.get("fingerprint")
    found: list[tuple[str, str]] = []
    for name, value in stored.items() if isinstance(stored, dict) else ():
        if isinstance(value, dict):
            found += [(str(library), str(version)) for library, version in value.items()]
        else:
            found.append((str(name), ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return found


def _texts(run: StoredRun, key: str, names: Sequence[str]) -> list[dict[str, str]]:
    stored = run.compress.get(key)
    entries = stored if isinstance(stored, list) else []
    return [{name: str(one.get(name, "")) for name in names} for one in entries if isinstance(one, dict)]
