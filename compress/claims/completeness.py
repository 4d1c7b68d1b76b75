"""What a run did not do that its baseline did: nothing that was not measured passes as if it had been."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from compress.claims.claim import Verdict

KINDS = ("missing", "renamed", "new", "deselected", "untimed", "empty")
"""Kinds of gaps, each of which fails a gated run unless it is allowed."""

JUDGED = frozenset({Verdict.HELD, Verdict.BROKEN, Verdict.REFUTED, Verdict.UNDECIDED})


@dataclass(frozen=True)
class Gap:
    """Something that the baseline covers and this run does not, or the other way round; `allowed` ones do not fail."""

    kind: str
    text: str
    allowed: bool = False


def find_gaps(
    old_cells: Mapping[str, str],
    new_cells: Mapping[str, str],
    old_verdicts: Collection[Mapping[str, Any]],
    new_verdicts: Collection[Mapping[str, Any]],
    no_times: str = "",
) -> list[Gap]:
    """Return the cells that went missing, were renamed or are new, and the claims that are no longer judged.

    Cells are given as name -> digest of the file, verdicts as stored (``sources``, ``where``, ``verdict``, ``reason``).
    A cell is renamed when its file is now found under one new name. Claims that are unmeasured for the reason
    `no_times` are untimed, not missing.
    """
    gone = [name for name in old_cells if name not in new_cells]
    added = [name for name in new_cells if name not in old_cells]
    gaps = []
    for name in list(gone):
        same = [other for other in added if new_cells[other] == old_cells[name]]
        if same:
            gone.remove(name)
            added.remove(same[0])
            gaps.append(Gap("renamed", f"{name} is now called {same[0]}: the same file, without its history"))
    gaps += [Gap("missing", f"{name} was measured then and not now") for name in gone]
    gaps += [Gap("new", f"{name} has no baseline") for name in added]
    return gaps + _unjudged(old_verdicts, new_verdicts, no_times)


def _unjudged(old: Collection[Mapping[str, Any]], new: Collection[Mapping[str, Any]], no_times: str) -> list[Gap]:
    now = {(source, one["where"]): one for one in new for source in one["sources"]}
    gaps = []
    unmeasured: dict[str, list[str]] = {}
    for one in old:
        if one["verdict"] not in JUDGED:
            continue
        for source in one["sources"]:
            found = now.get((source, one["where"]))
            judged = f"{source} was judged by {one['where']} then"
            if found is None:
                gaps.append(Gap("missing", f"{judged}, and by nothing of that name now"))
            elif found["verdict"] not in JUDGED:
                unmeasured.setdefault(found["reason"], []).append(judged)
    for reason, said in unmeasured.items():
        more = f", and {len(said) - 1} more" if len(said) > 1 else ""
        kind = "untimed" if no_times and reason == no_times else "missing"
        gaps.append(Gap(kind, f"{said[0]}{more}; now unmeasured: {reason}"))
    return gaps
