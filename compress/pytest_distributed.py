"""Runs under pytest-xdist: each worker measures and judges a share of the suite, and the controller puts them together.

Sizes and quality do not depend on who else is at work; times do. Workers time nothing, and the controller runs changed
files beside their baseline's when all workers are done.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compress.claims.gate import Change
    from compress.pytest_run import Run
    from compress.workbench import Cell


def share_of(run: Run) -> dict[str, Any]:
    """Return what this worker measured and judged, as plain data."""
    suite = run.suite
    return {
        "cells": [_to_json(cell, suite.stored[name]) for name, cell in suite.cells.items()],
        "judgements": [asdict(judgement) for judgement in suite.judgements],
        "changes": [asdict(change) for change in suite.changes],
        "tables": [asdict(table) for table in suite.tables.values()],
        "figures": [figure.to_json() for figure in suite.figures.values()],
    }


def _to_json(cell: Cell, stored: dict[str, Any]) -> dict[str, Any]:
    artifact = asdict(replace(cell.artifact, curves=()))  # those are in what is stored
    return {"artifact": {**artifact, "path": str(artifact["path"])}, "stored": stored}


def merge(run: Run, shares: list[dict[str, Any]]) -> dict[str, list[Change]]:
    """Put the workers' shares into `run`, time what changed, and return the failing changes of each cell timed.

    A cell that several workers measured counts once: its file is the same.
    """
    from compress.claims.claim import Judgement, Verdict
    from compress.claims.gate import Change
    from compress.measure.figure import figure_from_json

    suite = run.suite
    for share in shares:
        for one in share["cells"]:
            cell = _from_json(run, one)
            if cell.name not in suite.cells:
                run.workbench.adopt(cell)
                suite.cells[cell.name], suite.stored[cell.name] = cell, one["stored"]
        for one in share["judgements"]:
            sources, verdict = tuple(one["sources"]), Verdict(one["verdict"])
            suite.judgements.append(Judgement(**{**one, "sources": sources, "verdict": verdict}))
        suite.tell([Change(**one) for one in share["changes"]])
        for one in share["tables"]:
            table = suite.table(one["title"], tuple(one["columns"]))
            table.rows += [row for row in map(tuple, one["rows"]) if row not in table.rows]
        for figure in map(figure_from_json, share["figures"]):
            suite.figure(figure.title, figure.x, figure.y, figure.note).series.update(figure.series)
    failing = {}
    for name, cell in suite.cells.items():
        changes = run.gatekeeper.time(cell, run.settings.policy_of(name)) if suite.gated else []
        if worse := [change for change in changes if run.fails(change)]:
            failing[name] = worse
    return failing


def _from_json(run: Run, one: dict[str, Any]) -> Cell:
    from compress.artifact import Artifact
    from compress.measure.classification import Outcomes
    from compress.measure.measurement import Measurement
    from compress.measure.scores import Scores
    from compress.recipe import Recipe
    from compress.workbench import Cell

    artifact = Artifact(**{**one["artifact"], "path": Path(one["artifact"]["path"])})
    stored = one["stored"]
    outcomes = None if stored.get("outcomes") is None else Outcomes.from_json(stored["outcomes"])
    scores = None if stored.get("scores") is None else Scores.from_json(stored["scores"])
    measurement = Measurement(artifact, (), stored["values"], outcomes, scores, versions=stored["versions"])
    return Cell(run.workbench.subject(artifact.subject), Recipe.parse(artifact.recipe), measurement, run.workbench)
