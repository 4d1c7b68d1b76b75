"""The table of claims: one line a source, with its verdict, how often it was given, and the telling judgement."""

from __future__ import annotations

from typing import NamedTuple

from compress.claims.claim import Judgement, Verdict
from compress.suite import Suite


class Row(NamedTuple):
    """One claim's line: `times` is how often its verdict was given, `measured` a reason where nothing was measured."""

    verdict: Verdict
    times: str
    source: str
    kinds: str
    measured: str
    telling: Judgement


def rows(suite: Suite) -> list[Row]:
    """Return the lines of all claims, by source."""
    found = []
    for source, (verdict, counts, judgements) in suite.verdicts().items():
        times = f" x{len(judgements)}" if len(counts) == 1 and len(judgements) > 1 else ""
        if len(counts) > 1:
            times = f" {counts[verdict]} of {len(judgements)}"
        telling = next(one for one in judgements if one.verdict is verdict)
        kinds = "/".join(sorted({one.kind for one in judgements}))
        found.append(Row(verdict, times, source, kinds, _measured(judgements, telling), telling))
    return found


def _measured(judgements: list[Judgement], telling: Judgement) -> str:
    if not telling.measured:
        return telling.reason
    others = {one.measured for one in judgements if one.verdict is telling.verdict} - {telling.measured}
    return f"{telling.measured} ({len(others)} more)" if others else telling.measured
