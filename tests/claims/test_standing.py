"""Of many runs the newest judgement of every bench stands, and of those the worst is a claim's verdict."""

from pathlib import Path

import pytest

from compress.claims.claim import Verdict
from compress.claims.standing import standing, standing_runs, standing_verdict
from compress.claims.stored_run import StoredRun
from compress.errors import LedgerError


def run(number, *verdicts, scale="embedded", complete=True, selection="benches"):
    stored = [{"sources": ["a/b"], "verdict": verdict, "where": where, "bound": ">= 1"} for where, verdict in verdicts]
    compress = {"scale": scale, "complete": complete, "selection": selection, "verdicts": stored}
    return StoredRun(Path(f"{number:04}_x.json"), {"compress": compress})


def told(*runs):
    return [(one.run.number, one.judgement.where, str(one.judgement.verdict)) for one in standing(runs)["a/b"]]


def test_of_every_bench_the_newest_judgement_stands():
    newer, older = run(2, ("x", "held")), run(1, ("x", "broken"), ("y", "held"))
    assert told(newer, older) == [("0002", "x", "held"), ("0001", "y", "held")]


def test_a_bench_at_another_scale_is_another_one():
    assert len(told(run(2, ("x", "held")), run(1, ("x", "broken"), scale="paper"))) == 2


def test_two_claims_of_one_bench_from_one_source_both_stand():
    assert told(run(2, ("x", "held"), ("x", "broken")), run(1, ("x", "undecided"))) == [
        ("0002", "x", "held"),
        ("0002", "x", "broken"),
    ]


@pytest.mark.parametrize(
    ("verdicts", "found"),
    [(["held", "broken"], "broken"), (["held", "unmeasured"], "held"), (["unmeasured"], "unmeasured")],
)
def test_the_worst_of_what_was_measured_is_the_verdict(verdicts, found):
    judged = standing([run(1, *((str(n), verdict) for n, verdict in enumerate(verdicts)))])["a/b"]
    assert standing_verdict(judged) is Verdict(found)


def test_a_whole_run_covers_the_older_ones_of_its_paths_and_scale():
    runs = [
        run(5, complete=False),
        run(4),
        run(3, selection="benches/one"),
        run(2, scale="paper"),
        run(1, selection="others"),
    ]
    assert [one.number for one in standing_runs(runs)] == ["0005", "0004", "0002", "0001"]


@pytest.mark.parametrize(
    "damaged", [[None], [{"verdict": "held"}], 3, [{"sources": ["a"], "verdict": "no", "where": "x"}]]
)
def test_damaged_verdicts_are_one_error_that_names_the_file(damaged):
    broken = StoredRun(Path("0007_x.json"), {"compress": {"verdicts": damaged}})
    with pytest.raises(LedgerError, match=r"0007_x\.json: its verdicts cannot be read"):
        standing([broken])
