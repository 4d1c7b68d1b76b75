"""The page of what the papers claim and what was measured, from stored runs reduced to their verdicts.

`python docs/papers.py RUN.json ...` reduces stored runs to ``docs/measured.json`` and writes the page;
without runs it writes the page again, after a change of wording or of a paper.toml.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compress.claims.claim import Judgement, Verdict
from compress.claims.paper import Paper, load_paper, paper_files
from compress.claims.standing import Standing, judgements_of, standing
from compress.claims.stored_run import StoredRun
from compress.report.gfm import code, plain
from compress.report.html.claims import NO_VERDICT, OWN, SUMMED, Row, bound_text, chapters

ROOT = Path(__file__).parents[1]
MEASURED = ROOT / "docs" / "measured.json"
PAGE = ROOT / "docs" / "pages" / "papers.md"
NAMED = 4
"""How many cases, bounds or reasons a line names before it counts the others."""

_PARTS = ("verdict", "measured", "bound", "why", "reason")
_ESTIMATE = re.compile(
    r"(?P<value>-?[\d.,]+(?:e[-+]\d+)?)(?: \[(?P<low>\S+), (?P<high>[^\s\]]+)\])?(?P<unit>[^(]*?)(?: \(n=(?P<n>\d+)\))?"
)

INTRODUCTION = """\
# What the papers claim, and what we measured

Every sentence below is a paper's, in our words, with what it prints; under it, each bench that measured something
about it. `python -m pytest benches` measures all of this again.

- **held**: measured inside the bound. **refuted**: the paper says otherwise, and the bound asserts what is measured
  instead, reproducibly. **undecided**: the samples' interval reaches over the bound. **unmeasured**: not possible
  here, with the reason. **broken**: outside the bound; a green run has none. **no verdict**: no bench judges it.
- A **theorem** holds for any model, a **number** is the paper's own figure or network, a **trend** is an ordering
  shown on a smaller trained network.
- Where a bench has several cases, the least and the largest value stand, and all their intervals lie within the one
  given. *n* is the number of evaluation samples; figures without it are exact, or times.
- *By its own tables* says whether the sentence agrees with the numbers that its paper prints; I03, S04 and the like
  number what was found wrong with those.
"""


class Bench(NamedTuple):
    """The judgements of one bench about one source, over its cases."""

    name: str
    judged: tuple[Judgement, ...]


def reduced(runs: Sequence[StoredRun]) -> dict[str, Any]:
    """Return what the page needs of `runs`: what was measured when and on what, and the verdicts, bench by bench.

    A bench's cases hold only what they do not share. A case that one run could not measure and another did is left out
    of the first. Host names, paths and times of calls are not taken over.
    """
    measured = {
        (one.sources, one.where) for run in runs for one in judgements_of(run) if one.verdict is not Verdict.UNMEASURED
    }
    told = []
    for run in runs:
        benches: dict[tuple[tuple[str, ...], str, str, int], dict[str, dict[str, str]]] = {}
        for (bench, claimed), one in _claimed(judgements_of(run)):
            if one.verdict is Verdict.UNMEASURED and (one.sources, one.where) in measured:
                continue
            cases = benches.setdefault((one.sources, str(one.kind), bench, claimed), {})
            cases[one.where.removeprefix(bench)] = {part: str(getattr(one, part)) for part in _PARTS}
        told.append(
            {
                "file": run.path.name,
                "datetime": run.time,
                "commit": (run.document.get("commit_info") or {}).get("id", ""),
                **{key: run.compress[key] for key in ("status", "scale", "selection", "complete", "fingerprint")},
                "benches": [
                    {"sources": list(sources), "kind": kind, "bench": bench, **_shared(cases)}
                    for (sources, kind, bench, _), cases in benches.items()
                ],
            }
        )
    return {"runs": told}


def _claimed(judgements: Iterable[Judgement]) -> Iterator[tuple[tuple[str, int], Judgement]]:
    """Yield each judgement after its bench's name and which of the bench's claims from the same sources it judges."""
    times: Counter[tuple[object, ...]] = Counter()
    for one in judgements:
        yield (one.where.partition("[")[0], times[one.sources, one.kind, one.where]), one
        times[one.sources, one.kind, one.where] += 1


def _shared(cases: dict[str, dict[str, str]]) -> dict[str, Any]:
    first = next(iter(cases.values()))
    same = [part for part in _PARTS if all(case[part] == first[part] for case in cases.values())]
    rest = {
        name: {part: text for part, text in case.items() if part not in same and text} for name, case in cases.items()
    }
    return {**{part: first[part] for part in same if first[part]}, "cases": rest}


def restored(measured: dict[str, Any]) -> list[StoredRun]:
    """Return the runs that `reduced` was made of, as far as it holds them."""
    runs = []
    for run in measured["runs"]:
        verdicts = [
            {
                **{part: bench.get(part, "") for part in _PARTS},
                **case,
                "sources": bench["sources"],
                "kind": bench["kind"],
                "where": bench["bench"] + name,
            }
            for bench in run["benches"]
            for name, case in bench["cases"].items()
        ]
        document = {"datetime": run["datetime"], "commit_info": {"id": run["commit"]}, "benchmarks": []}
        compress = {key: run[key] for key in ("status", "scale", "selection", "complete", "fingerprint")}
        runs.append(StoredRun(Path(run["file"]), {**document, "compress": {**compress, "verdicts": verdicts}}))
    return runs


def page(measured: dict[str, Any], papers: Sequence[Paper]) -> str:
    """Return the page in Markdown; it ends with a line break."""
    runs = restored(measured)
    written = [one for one in chapters(standing(runs), papers) if one.name != OWN]
    parts = [INTRODUCTION, *_runs(runs)]
    parts.append(
        _table(
            ("paper", "claims and tables", *SUMMED),
            [
                (one.name, str(len(one.rows)), *(str(one.counts.get(str(verdict), 0)) for verdict in SUMMED))
                for one in written
            ],
        )
    )
    for chapter in written:
        parts.append(f"## {plain(chapter.name)}\n\n*{plain(chapter.title)}*\n")
        for section in chapter.sections:
            place = _slug(f"{chapter.name.split()[0]} {section.title}")
            parts.append(f"### {plain(section.title)} {{ #{place} }}\n")
            parts += [_claim(row) for row in section.rows]
    return "\n".join(parts)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _runs(runs: Sequence[StoredRun]) -> Iterator[str]:
    yield "The runs:\n"
    for run in runs:
        known = run.compress["fingerprint"]
        libraries = ", ".join(f"{name} {version}" for name, version in sorted(known["libraries"].items()))
        files = "all benches" if run.compress["selection"] == "benches" else "the files for this scale"
        yield (
            f"- **{run.scale}** scale, {files}: {run.time.replace('T', ' ')} UTC, commit `{run.commit}`, "
            f"{plain(known['cpu'])}, {known['cores']} cores, {known['system']}, Python {known['python']}; {libraries}."
        )
    yield ""


def _claim(row: Row) -> str:
    quantity = f" ({plain(row.quantity)})" if row.quantity and row.quantity != row.printed else ""
    printed = f"Printed: {plain(row.printed)}{quantity}. " if row.printed and not row.table else ""
    audit = f"By its own tables: {plain(row.audit.split(' (')[0])}. " if row.audit else ""
    said = f"**{row.verdict}** · {plain(row.sentence)} · {code(row.source)}\n\n{(printed + audit).strip()}\n"
    if row.verdict == NO_VERDICT:
        return said
    lines = [_line(bench) for bench in _benches(row.judged)]
    return f"{said}\n{_table(('bench', 'kind', 'verdict', 'measured', 'n', 'bound', 'why'), lines)}"


def _benches(judged: Sequence[Standing]) -> list[Bench]:
    """Return the judgements bench by bench, those of each of its claims apart, over both scales."""
    found: dict[tuple[str, str, int], list[Judgement]] = {}
    for scale in dict.fromkeys(one.run.scale for one in judged):
        for (bench, claimed), one in _claimed(one.judgement for one in judged if one.run.scale == scale):
            found.setdefault((bench, one.kind, claimed), []).append(one)
    return [Bench(bench, tuple(of_bench)) for (bench, _, _), of_bench in found.items()]


def _line(bench: Bench) -> tuple[str, ...]:
    judged = bench.judged
    counts = Counter(one.verdict for one in judged)
    verdicts = [f"{verdict} {count} of {len(judged)}" for verdict, count in counts.items()]
    if len(counts) == 1:
        verdicts = [f"{judged[0].verdict}" + (f", all {len(judged)}" if len(judged) > 1 else "")]
    else:
        fewest = min(counts, key=lambda verdict: counts[verdict])
        verdicts.append(f"{fewest}: {_some([_case(one) for one in judged if one.verdict is fewest])}")
    found = [match for one in judged if (match := _ESTIMATE.fullmatch(one.measured))]
    samples = sorted({int(one["n"]) for one in found if one["n"]})
    reasons = [one.reason for one in judged if one.verdict is Verdict.UNMEASURED]
    return (
        plain(bench.name.removeprefix("test_").replace("_", " ")),
        judged[0].kind,
        plain("; ".join(verdicts)),
        plain(_measured(judged) or _some(reasons)),
        ", ".join(f"{count:,}" for count in samples),
        plain(_some([bound_text(one) for one in judged if one.bound])),
        plain(_some([one.why for one in judged])),
    )


def _case(judgement: Judgement) -> str:
    return judgement.where.partition("[")[2].removesuffix("]") or "the only case"


def _measured(judged: Sequence[Judgement]) -> str:
    """Return what was measured: as it is for one case, else the least and the largest value."""
    texts = [one.measured for one in judged if one.measured]
    found = [_ESTIMATE.fullmatch(text) for text in texts]
    values = [one for one in found if one is not None]
    if len(texts) < 2 or len(values) < len(texts):
        return _some([re.sub(r" \(n=\d+\)$", "", text) for text in texts])
    ends = sorted(values, key=lambda one: _number(one["value"]))
    least, largest = ends[0]["value"], ends[-1]["value"]
    said = least if least == largest else f"{least} to {largest}"
    if lows := [one["low"] for one in values if one["low"]]:
        highs = [one["high"] for one in values if one["high"]]
        said += f" [{min(lows, key=_number)}, {max(highs, key=_number)}]"
    return said + values[0]["unit"]


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _some(texts: Iterable[str]) -> str:
    """Return the first few of the distinct `texts`, and how many more there are."""
    distinct = list(dict.fromkeys(text for text in texts if text))
    more = len(distinct) - NAMED
    return "; ".join(distinct[:NAMED]) + (f"; {more} more" if more > 0 else "")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def written(measured: dict[str, Any]) -> str:
    """Return `measured` as JSON with one bench a line, so that a reviewer reads what changed."""
    text = json.dumps(measured, ensure_ascii=False, separators=(",", ":"))
    return text.replace('{"sources"', '\n{"sources"') + "\n"


def main(names: Sequence[str]) -> None:
    """Write the page, of the stored runs `names` when there are any."""
    if names:
        runs = [StoredRun(Path(name), json.loads(Path(name).read_text(encoding="utf-8"))) for name in names]
        MEASURED.write_text(written(reduced(runs)), encoding="utf-8")
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    PAGE.write_text(page(measured, [load_paper(path) for path in paper_files(ROOT)]), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
