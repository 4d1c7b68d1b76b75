"""The page of what the papers claim: it is what its generator makes of the committed verdicts, and loses none."""

import json
from collections import Counter
from pathlib import Path

import pytest

from compress.claims.claim import Judgement, Verdict
from compress.claims.paper import Paper, PaperClaim, load_paper, paper_files
from compress.claims.standing import judgements_of
from compress.claims.stored_run import StoredRun
from docs.papers import MEASURED, PAGE, ROOT, page, reduced, restored, written

SOURCE = "p2020/II/small"


def stored(scale, *judgements, path="0007_x.json"):
    verdicts = [{**vars(one), "sources": list(one.sources), "verdict": str(one.verdict)} for one in judgements]
    fingerprint = {"cpu": "a processor", "cores": 2, "system": "Linux", "python": "3.12.1", "libraries": {"keras": "3"}}
    compress = {"status": "green", "scale": scale, "selection": "benches", "complete": True, "verdicts": verdicts}
    document = {
        "datetime": "2026-01-02T03:04:05.678",
        "commit_info": {"id": "0123456789abcdef"},
        "machine_info": {"node": "somebodys-machine"},
        "benchmarks": [],
        "compress": {**compress, "fingerprint": fingerprint},
    }
    return StoredRun(Path("/home/somebody/runs") / path, document)


def judged(case, measured="3.9", *, bound=">= 3.5", verdict=Verdict.HELD, why="a quarter", reason=""):
    where = f"test_it_is_small[{case}]" if case else "test_it_is_small"
    if verdict is Verdict.UNMEASURED:
        measured = bound = why = ""
    return Judgement((SOURCE,), "number", verdict, where, measured, bound, why, reason)


def line(*runs):
    """The cells of the page's only line about `SOURCE`, of one bench and one claim."""
    said = PaperClaim(SOURCE, "Files get smaller", "size ratio", 4.0, "about", "holds", "F1")
    text = page(reduced(runs), [Paper("P et al.", ("p2020",), {}, {SOURCE: said}, "On files")])
    found = [row for row in text.splitlines() if row.startswith("| it is small ")]
    assert len(found) == 1, text
    return [cell.strip() for cell in found[0].strip("| ").split(" | ")]


@pytest.fixture(scope="module")
def measured():
    return json.loads(MEASURED.read_text(encoding="utf-8"))


def test_the_page_is_what_the_generator_makes_of_the_committed_verdicts(measured):
    papers = [load_paper(path) for path in paper_files(ROOT)]
    assert PAGE.read_text(encoding="utf-8") == page(measured, papers), (
        "run `python docs/papers.py`, and commit the page"
    )


def test_the_committed_verdicts_are_written_as_the_generator_writes_them(measured):
    assert MEASURED.read_text(encoding="utf-8") == written(measured)
    assert MEASURED.stat().st_size < 300_000


def test_every_sentence_of_the_papers_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    for path in paper_files(ROOT):
        assert [one for one in load_paper(path).claims if f"`{one}`" not in text] == []


def test_the_committed_runs_are_green_and_whole(measured):
    runs = restored(measured)

    assert {(run.status, run.compress["complete"]) for run in runs} == {("green", True)}
    assert [run.scale for run in runs if run.compress["selection"] == "benches"] == ["embedded"]
    assert {run.scale for run in runs} == {"embedded", "paper"}


def test_reduced_runs_hold_every_judgement_those_of_two_claims_of_one_bench_too():
    given = [
        judged("lenet"),
        judged("lenet", bound="<= 4", why="no more than that"),
        judged("vgg", "3.2", verdict=Verdict.BROKEN),
        judged("vgg", "3.2", bound="<= 4", why="no more than that"),
        judged("", "yes", bound="= 1"),
        judged("[a] b", verdict=Verdict.UNMEASURED, reason="no data"),
    ]
    (again,) = restored(json.loads(written(reduced([stored("embedded", *given)]))))
    assert Counter(judgements_of(again)) == Counter(given)


def test_what_one_scale_could_not_measure_and_another_did_is_left_out_of_the_first():
    missing, found = judged("vgg", verdict=Verdict.UNMEASURED, reason="needs --scale paper"), judged("vgg")
    embedded, paper = restored(reduced([stored("embedded", judged("lenet"), missing), stored("paper", found)]))
    assert judgements_of(embedded) == [judged("lenet")]
    assert judgements_of(paper) == [found]


def test_reduced_runs_name_no_machine_and_no_folder():
    text = written(reduced([stored("embedded", judged("lenet"))]))
    assert "a processor" in text
    assert "somebody" not in text


def test_several_cases_are_told_by_their_least_and_largest_value_and_one_interval():
    cells = line(
        stored(
            "embedded", judged("a", "0.5 [0.2, 0.8] points (n=3000)"), judged("b", "-1 [-1.5, 1e-05] points (n=3000)")
        )
    )
    assert cells == [
        "it is small",
        "number",
        "held, all 2",
        r"-1 to 0.5 \[-1.5, 0.8\] points",
        "3,000",
        "≥ 3.5",
        "a quarter",
    ]


def test_a_number_with_thousands_is_larger_than_one_without():
    assert line(stored("embedded", judged("a", "9,000"), judged("b", "950")))[3] == "950 to 9,000"


def test_the_fewer_cases_of_another_verdict_are_named():
    cells = line(stored("embedded", judged("a"), judged("b"), judged("c", "3.4", verdict=Verdict.BROKEN)))
    assert cells[2] == "broken 1 of 3; held 2 of 3; broken: c"


def test_what_could_not_be_measured_is_told_with_its_reason():
    cells = line(stored("embedded", judged("a", verdict=Verdict.UNMEASURED, reason="needs --weights imagenet")))
    assert cells[2:4] == ["unmeasured", "needs --weights imagenet"]
