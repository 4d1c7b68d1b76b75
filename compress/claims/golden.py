"""The golden file: a baseline in version control, for machines without a ledger. It holds no times.

It is the stored cells of accepted runs without what belongs to a machine, and a log of who accepted what, and why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from compress.claims.acceptance import acceptance, chosen_cells
from compress.claims.atomic import write_whole
from compress.claims.ledger import Baseline
from compress.claims.stored_run import SCHEMA, StoredRun, covers, fault_of
from compress.errors import DataError, LedgerError
from compress.measure.classification import Outcomes
from compress.measure.metric import METRICS
from compress.measure.scores import Scores

KIND = "golden"
OF_NO_MACHINE = ("sha256", "runtime", "versions", "outcomes", "scores")
"""Entries of a stored cell that mean the same everywhere, beside the values of exact metrics and of quality."""


@dataclass(frozen=True)
class Golden:
    """A golden file's content: ``cells`` by name, each with its scale, and ``accepted``, the log, newest last.

    ``selections`` names for a scale the paths whose benches the cells are all of: those cells can go missing.
    ``Golden(path)`` is an empty one; nothing is written until `write`.
    """

    path: Path
    cells: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    accepted: Sequence[Mapping[str, Any]] = ()
    selections: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Golden:
        """Return the golden file at `path`. Raises `LedgerError` that names it, and the remedy, when it is none."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise LedgerError(f"{path}: there is no golden file; {_remedy(path)}") from error
        except (OSError, ValueError, RecursionError) as error:
            raise LedgerError(
                f"{path}: not a golden file ({error}); restore it from version control, or {_remedy(path)}"
            ) from error
        if fault := _fault_of(document):
            raise LedgerError(
                f"{path}: not a golden file ({fault}); restore it from version control, or {_remedy(path)}"
            )
        stored = document["compress"]
        return cls(path, stored["cells"], stored["accepted"], stored["selections"])

    def write(self) -> None:
        """Write the file, whole or not at all. Raises `LedgerError` that names it when it cannot be written."""
        compress = {
            "schema": SCHEMA,
            "kind": KIND,
            "selections": self.selections,
            "cells": self.cells,
            "accepted": self.accepted,
        }
        # sorted and one entry a line, so that a change of one cell is a few lines of a diff
        text = json.dumps({"compress": compress}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, [text.encode()])
        except OSError as error:
            raise LedgerError(f"{self.path}: the golden file could not be written: {error}") from error

    def baseline(self, scale: str) -> Baseline | None:
        """Return the cells at `scale` as a baseline, or None when there are none; it has no model files."""
        cells = {name: dict(cell) for name, cell in self.cells.items() if cell["scale"] == scale}
        if not cells:
            return None
        compress = {
            "kind": KIND,
            "status": "green",
            "scale": scale,
            "selection": self.selections.get(scale),
            "complete": scale in self.selections,
            "cells": cells,
            "accepted": list(self.accepted),
        }
        run = StoredRun(self.path, {"benchmarks": [], "datetime": self.accepted[-1]["when"], "compress": compress})
        return Baseline((run,), {name: (run, cell) for name, cell in cells.items()})

    def accept(self, run: StoredRun, reason: str, cells: Sequence[str] = (), who: str | None = None) -> Golden:
        """Return the golden file with `cells` of `run`, or all it has, in place of what it holds; the log says what.

        A whole run takes the place of all cells at its scale that its selection covers, so that removed ones leave.
        Raises `LedgerError` on an empty reason, a run without (one of the) cells, or when nothing would change.
        """
        scale, selection = str(run.scale), str(run.compress.get("selection"))
        taken = {name: _timeless(run.cells[name], scale) for name in chosen_cells(run, cells)}
        others = {name: cell for name, cell in self.cells.items() if name not in taken}
        whole = not cells and bool(run.compress.get("complete"))
        selections = dict(self.selections)
        there = {name for name, cell in self.cells.items() if cell["scale"] == scale}
        held = selections.get(scale)
        if whole and (there <= taken.keys() or (held is not None and covers(selection, held))):
            others = {name: cell for name, cell in others.items() if name not in there}
            selections[scale] = selection
        elif whole and held is not None and not covers(held, selection):
            selections[scale] = " ".join(sorted({*held.split(), *selection.split()}))
        elif held is not None and taken.keys() - there and not covers(held, selection):
            del selections[scale]  # of which paths the new cells are all is not known
        found = {**others, **taken}
        before = _differences(self.cells, found)
        entry = acceptance(reason, who, cells, before)
        if not before and selections == self.selections:
            raise LedgerError(f"{self.path}: holds just this of {run.describe()} already; there is nothing to accept")
        return replace(
            self,
            cells=found,
            accepted=[*self.accepted, {**entry, "run": run.describe()}],
            selections=selections,
        )


def _timeless(cell: Mapping[str, Any], scale: str) -> dict[str, Any]:
    values = {
        name: value
        for name, value in cell["values"].items()
        if name in METRICS and METRICS[name].nature in ("exact", "quality")
    }
    return {**{key: cell[key] for key in OF_NO_MACHINE if key in cell}, "values": values, "scale": scale}


def _differences(
    old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, list[object]]]:
    """Return by cell and metric the old and new value of all that differs; of a cell that comes or goes, its file."""
    found: dict[str, dict[str, list[object]]] = {}
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            found[name] = {"sha256": [one and one.get("sha256") for one in (before, after)]}
        elif before != after:
            sides = [{**one["values"], "sha256": one.get("sha256")} for one in (before, after)]
            names = sorted(sides[0].keys() | sides[1].keys())
            pairs = {key: [side.get(key) for side in sides] for key in names}
            found[name] = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
    return found


def _fault_of(document: object) -> str:
    """Return why `document` is not a golden file of this version, for people; empty when it is."""
    stored = document.get("compress") if isinstance(document, dict) else None
    if not isinstance(stored, dict) or stored.get("kind") != KIND:
        return "'compress' is not of kind 'golden'"
    if fault := fault_of({"benchmarks": [], "compress": stored}):
        return fault
    cells, accepted, selections = (stored.get(key) for key in ("cells", "accepted", "selections"))
    if (
        not isinstance(cells, dict)
        or not isinstance(accepted, list)
        or not accepted
        or not isinstance(selections, dict)
    ):
        return "cells, accepted and selections must all be there"
    if not all(isinstance(one.get(key), str) for one in accepted for key in ("when", "reason")):
        return "an acceptance without a time or a reason"
    for name, cell in cells.items():
        if not isinstance(cell.get("scale"), str):
            return f"{name}: no scale"
        try:
            if cell.get("outcomes") is not None:
                Outcomes.from_json(cell["outcomes"])
            if cell.get("scores") is not None:
                Scores.from_json(cell["scores"])
        except DataError as error:
            return f"{name}: {error}"
    return ""


def _remedy(path: Path) -> str:
    return f'make one: `compress-bench accept RUN --golden {path} --reason "..."`'
