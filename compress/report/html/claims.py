"""The claims of the page: by paper and section, what is printed beside what was measured, and every judgement."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compress.claims.claim import Judgement, Verdict
from compress.claims.paper import Paper, PaperClaim, Table
from compress.claims.standing import Standing, standing_verdict

NO_VERDICT = "no verdict"
"""What stands beside a paper's claim that no bench of these runs judged."""

ORDER = (*reversed(Verdict), NO_VERDICT)
"""Verdicts to sort by, the one to look at first first."""

SUMMED = (Verdict.HELD, Verdict.REFUTED, Verdict.BROKEN, Verdict.UNDECIDED, Verdict.UNMEASURED, NO_VERDICT)
"""Verdicts as they are counted up for readers."""

OWN = "claims of this repository"
_ROMAN = re.compile(r"table-([IVXLC]+|\d+)")


@dataclass(frozen=True)
class Row:
    """One claim: its source, what the paper says and prints, its verdict and the judgements behind it."""

    source: str
    sentence: str
    printed: str
    quantity: str
    audit: str
    kind: str
    verdict: str
    counts: str
    measured: str
    bound: str
    why: str
    judged: tuple[Standing, ...]
    table: bool = False

    @property
    def rank(self) -> int:
        """Place of the verdict in `ORDER`, to sort by."""
        return ORDER.index(self.verdict)


@dataclass(frozen=True)
class Section:
    """The claims of one section or table of a paper."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Chapter:
    """A paper with its sections and its tables as printed; or the claims that belong to no paper."""

    name: str
    title: str
    sections: tuple[Section, ...]
    tables: tuple[Table, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """All claims of the chapter."""
        return tuple(row for section in self.sections for row in section.rows)

    @property
    def counts(self) -> dict[str, int]:
        """How many claims there are of each verdict that is given at all, in the order of `SUMMED`."""
        return count(self.rows)


def count(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many of `rows` carry each verdict that is carried at all, in the order of `SUMMED`."""
    found = Counter(row.verdict for row in rows)
    return {str(verdict): found[verdict] for verdict in SUMMED if found[verdict]}


def chapters(judged: Mapping[str, Sequence[Standing]], papers: Sequence[Paper]) -> list[Chapter]:
    """Return a chapter for each paper, with all its claims, and one for what is claimed from elsewhere."""
    found = []
    for paper in papers:
        sources = [*paper.claims, *(one for one in paper.tables if one in judged)]
        rows = [_row(source, judged.get(source, ()), paper.claims.get(source), paper) for source in sources]
        found.append(Chapter(paper.name, paper.title, _sections(rows), tuple(paper.tables.values())))
    others = [source for source in judged if not any(paper.knows(source) for paper in papers)]
    if others:
        found.append(Chapter(OWN, "", _sections([_row(one, judged[one], None, None) for one in sorted(others)])))
    return found


def _sections(rows: Sequence[Row]) -> tuple[Section, ...]:
    by_title: dict[str, list[Row]] = {}
    for row in rows:
        by_title.setdefault(_section_of(row.source), []).append(row)
    return tuple(Section(title, tuple(found)) for title, found in by_title.items())


def _section_of(source: str) -> str:
    """Return the title of the section that a source is of: ``paper/III-A/size`` is of section III-A."""
    parts = source.split("/")
    if found := _ROMAN.fullmatch(parts[-1]):
        return f"Table {found[1]}"
    if len(parts) < 3:
        return parts[0]
    return f"Section {parts[1]}" if re.fullmatch(r"[IVXLC\d][\w.-]*", parts[1]) else parts[1].replace("-", " ")


def _row(source: str, judged: Sequence[Standing], said: PaperClaim | None, paper: Paper | None) -> Row:
    sentence, printed, quantity, audit = "", "", "", ""
    if said is not None:
        sentence, quantity = str(said.paraphrase), str(said.quantity)
        printed = _printed(str(said.direction), str(said.value))
        audit = f"{said.audit} ({said.finding})" if said.finding else str(said.audit)
    elif paper is not None and source in paper.tables:
        sentence, printed = paper.tables[source].title, "the table, below"
    table = paper is not None and source in paper.tables
    if not judged:
        told = "no bench of these runs judged it"
        return Row(source, sentence, printed, quantity, audit, "", NO_VERDICT, "", told, "", "", (), table)
    verdict = standing_verdict(judged)
    same = [one for one in judged if one.judgement.verdict is verdict]
    telling = next((one.judgement for one in same if one.judgement.measured), same[0].judgement)
    counts = f"{len(same)} of {len(judged)}" if len(same) < len(judged) else f"all {len(judged)}"
    kinds = "/".join(sorted({one.judgement.kind for one in judged}))
    return Row(
        source,
        sentence,
        printed,
        quantity,
        audit,
        kinds,
        str(verdict),
        counts if len(judged) > 1 else "",
        telling.measured or telling.reason,
        bound_text(telling),
        telling.why,
        tuple(sorted(judged, key=lambda one: ORDER.index(one.judgement.verdict))),
        table,
    )


def bound_text(judgement: Judgement) -> str:
    """Return a judgement's bound as it is read: ``≥ 3.85``, and ``yes`` where the answer is yes or no."""
    if judgement.measured in ("yes", "no") and judgement.bound in ("= 1", "= 0"):
        return "yes" if judgement.bound == "= 1" else "no"
    return judgement.bound.replace(">=", "≥").replace("<=", "≤")


def _printed(direction: str, value: str) -> str:
    """Return what the paper prints, ``at least 4.0``; a direction that says no more than the value is left out."""
    return f"{direction} {value}" if direction in ("about", "at least", "at most", "more than", "exactly") else value
