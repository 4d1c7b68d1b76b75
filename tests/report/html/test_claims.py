"""Claims by paper and section, printed beside measured, whether a bench judged them or not."""

from pathlib import Path

import pytest

from compress.claims.claim import Judgement, Verdict
from compress.claims.paper import Paper, PaperClaim, Table
from compress.claims.standing import Standing
from compress.claims.stored_run import StoredRun
from compress.report.html.claims import OWN, bound_text, chapters

RUN = StoredRun(Path("0001_x.json"), {"compress": {"scale": "embedded"}})


def judged(verdict, measured="4", bound=">= 3.85", **more):
    return Standing(RUN, Judgement(("p/I/size",), "number", Verdict(verdict), "test", measured, bound, "bytes", **more))


def paper():
    claims = [
        PaperClaim(name, f"It is {name}", "size ratio", 4.0, "about", "partly", "S04")
        for name in ("p/I/size", "p/II/speed")
    ]
    table = Table("p/table-IV", "Sizes", ("Size",), ("MB",), ((1.5,),))
    return Paper("P", ("p",), {table.id: table}, {one.id: one for one in claims}, "On P")


def test_printed_stands_beside_measured_by_section():
    (chapter,) = chapters({"p/I/size": [judged("held")], "p/table-IV": [judged("held")]}, [paper()])
    assert [section.title for section in chapter.sections] == ["Section I", "Section II", "Table IV"]
    row = chapter.rows[0]
    assert (row.sentence, row.printed, row.quantity) == ("It is p/I/size", "about 4.0", "size ratio")
    assert (row.verdict, row.measured, row.bound, row.why) == ("held", "4", "≥ 3.85", "bytes")
    assert chapter.rows[2].table


def test_a_claim_that_no_bench_judged_says_so():
    (chapter,) = chapters({}, [paper()])
    assert chapter.counts == {"no verdict": 2}
    assert {row.measured for row in chapter.rows} == {"no bench of these runs judged it"}


def test_the_worst_judgement_is_told_and_how_many_share_its_verdict():
    (chapter,) = chapters({"p/I/size": [judged("held"), judged("broken", "3"), judged("held")]}, [paper()])
    row = chapter.rows[0]
    assert (row.verdict, row.counts, row.measured) == ("broken", "1 of 3", "3")
    assert row.judged[0].judgement.verdict is Verdict.BROKEN


def test_what_could_not_be_measured_gives_the_reason():
    (chapter,) = chapters({"p/I/size": [judged("unmeasured", "", "", reason="needs a GPU")]}, [paper()])
    assert chapter.rows[0].measured == "needs a GPU"


def test_claims_of_no_paper_stand_in_a_chapter_of_their_own():
    found = chapters({"team/size": [judged("held")], "p/I/size": [judged("held")]}, [paper()])
    assert [(one.name, len(one.rows)) for one in found] == [("P", 2), (OWN, 1)]
    assert found[1].sections[0].title == "team"


@pytest.mark.parametrize(
    ("measured", "bound", "text"),
    [("yes", "= 1", "yes"), ("no", "= 0", "no"), ("1", "= 1", "= 1"), ("2", "<= 3", "≤ 3")],
)
def test_a_bound_reads_as_people_write_it(measured, bound, text):
    assert bound_text(judged("held", measured, bound).judgement) == text
