"""What stands after many runs: of every bench its newest judgement, and of a claim the worst of those."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from compress.claims.claim import Judgement, Verdict, worst
from compress.claims.stored_run import StoredRun, covers
from compress.errors import LedgerError


class Standing(NamedTuple):
    """A judgement that stands, and the run that gave it."""

    run: StoredRun
    judgement: Judgement


def standing_runs(newest_first: Iterable[StoredRun]) -> list[StoredRun]:
    """Return the runs whose verdicts stand, the newest first: all that no newer whole run covers.

    A run is covered by a whole one at its scale whose selection holds its own, folder by folder.
    """
    standing: list[StoredRun] = []
    for run in newest_first:
        if not any(_covers(whole, run) for whole in standing):
            standing.append(run)
    return standing


def _covers(whole: StoredRun, run: StoredRun) -> bool:
    if not whole.compress.get("complete") or whole.scale != run.scale:
        return False
    return covers(str(whole.compress.get("selection")), str(run.compress.get("selection")))


def judgements_of(run: StoredRun) -> list[Judgement]:
    """Return the judgements that a run stored. Raises `LedgerError` that names the file when they are damaged."""
    try:
        return [_judgement(stored) for stored in run.compress.get("verdicts", [])]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"{run.path}: its verdicts cannot be read ({error!r}); restore the file") from error


def _judgement(stored: dict[str, Any]) -> Judgement:
    texts = {one.name: str(stored.get(one.name, "")) for one in fields(Judgement)}
    known = {"sources": tuple(map(str, stored["sources"])), "verdict": Verdict(stored["verdict"])}
    return Judgement(**{**texts, **known, "where": str(stored["where"])})  # type: ignore[arg-type] # kind: any text


def standing(runs: Sequence[StoredRun]) -> dict[str, list[Standing]]:
    """Return the judgements of each source over `runs`, the newest first: of every bench, at each scale, its newest.

    Raises `LedgerError` that names the file whose verdicts are damaged.
    """
    found: dict[str, list[Standing]] = {}
    newest: dict[tuple[str, str, str], StoredRun] = {}
    for run in runs:
        for judgement in judgements_of(run):
            for source in judgement.sources:
                # a bench may carry several claims from one source, each with a bound of its own
                if newest.setdefault((source, str(run.scale), judgement.where), run) is run:
                    found.setdefault(source, []).append(Standing(run, judgement))
    return found


def standing_verdict(judged: Sequence[Standing]) -> Verdict:
    """Return the verdict on a source: where one scale measured what another could not, the measurement counts."""
    verdicts = [one.judgement.verdict for one in judged]
    return worst([one for one in verdicts if one is not Verdict.UNMEASURED] or verdicts)
