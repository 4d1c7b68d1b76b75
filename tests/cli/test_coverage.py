"""The claims that carry a verdict are counted by paper."""

from pathlib import Path

import pytest

from tests.cli.stored_run import document

PAPER = """
[paper]
name = "A paper"

[[table]]
id = "a2024/table-I"
title = "Sizes"
columns = [{ name = "Size", unit = "x" }]
rows = [[4.0]]
"""

CLAIM = """
[[claim]]
id = "a2024/I/%s"
paraphrase = "It is %s"
quantity = "size"
value = 1
direction = "at most"
audit = "holds"
finding = ""
"""


@pytest.fixture(autouse=True)
def benches(tmp_path):
    benches = tmp_path / "benches" / "a2024"
    benches.mkdir(parents=True)
    claims = [CLAIM % (word, word) for word in ("smaller", "faster", "better", "cheaper")]
    (benches / "paper.toml").write_text("".join([PAPER, *claims]))


def counts(out):
    rows = (line.split() for line in out.splitlines() if line.startswith("A paper"))
    return next([int(number) for number in row[2:]] for row in rows)


def test_coverage_counts_claims_by_paper_and_verdict(run, ledger):
    verdicts = [("a2024/I/smaller", "held", "t"), ("a2024/I/faster", "unmeasured", "t"), ("a2024/table-I", "held", "t")]
    ledger.save(document("red", verdicts), "x")
    code, out, _ = run("coverage")
    assert code == 0
    header = out.splitlines()[0]
    assert " ".join(header.split()) == "paper claims held refuted unmeasured undecided broken none"
    assert counts(out) == [4, 1, 0, 1, 0, 0, 2]
    assert "2 of 4 claims carry a verdict" in out
    assert "from run 0001 (red, 2026-11-22T00:11:22, 0123456789) of benches" in out


def test_missing_claims_are_listed_with_what_they_say(run, ledger):
    ledger.save(document(verdicts=[("a2024/I/smaller", "held", "t"), ("a2024/I/better", "held", "t")]), "x")
    _, out, _ = run("coverage", "--missing")
    assert out.splitlines()[-2:] == ["a2024/I/faster: It is faster", "a2024/I/cheaper: It is cheaper"]
    assert "It is" not in run("coverage")[1]


def test_without_any_run_no_claim_carries_a_verdict(run):
    code, out, _ = run("coverage")
    assert code == 0
    assert counts(out) == [4, 0, 0, 0, 0, 0, 4]
    assert "no runs stored yet" in out


def test_one_claim_of_several_benches_carries_the_worst_of_their_newest_verdicts(run, ledger):
    smaller = "a2024/I/smaller"
    ledger.save(document(verdicts=[(smaller, "broken", "t[a]"), (smaller, "undecided", "t[b]")]), "x")
    assert counts(run("coverage")[1]) == [4, 0, 0, 0, 0, 1, 3]
    ledger.save(document(verdicts=[(smaller, "held", "t[a]")], complete=False), "x")
    assert counts(run("coverage")[1]) == [4, 0, 0, 0, 1, 0, 3]


def test_both_scales_count_and_a_measurement_outweighs_its_absence(run, ledger):
    ledger.save(document(verdicts=[("a2024/I/smaller", "held", "t")], scale="paper"), "x")
    ledger.save(document(verdicts=[("a2024/I/smaller", "unmeasured", "t"), ("a2024/I/faster", "held", "t")]), "x")
    assert counts(run("coverage")[1]) == [4, 2, 0, 0, 0, 0, 2]


def test_a_bench_that_is_gone_no_longer_counts(run, ledger):
    ledger.save(document(verdicts=[("a2024/I/smaller", "held", "t")]), "x")
    ledger.save(document(verdicts=[("a2024/I/faster", "held", "t")], selection="benches/a2024"), "x")
    assert counts(run("coverage")[1])[1] == 2
    ledger.save(document(verdicts=[("a2024/I/better", "held", "t")]), "x")
    assert counts(run("coverage")[1])[1] == 1


def test_coverage_of_a_named_run_is_of_that_run(run, ledger):
    ledger.save(document(verdicts=[("a2024/I/smaller", "broken", "t")]), "x")
    ledger.save(document(verdicts=[("a2024/I/smaller", "held", "t")]), "x")
    assert counts(run("coverage", "--run", "1")[1]) == [4, 0, 0, 0, 0, 1, 3]


def test_damaged_verdicts_are_refused_by_file(run, ledger):
    stored = document()
    stored["compress"]["verdicts"] = [{"sources": ["a2024/I/smaller"], "verdict": "perhaps", "where": "t"}]
    path = ledger.save(stored, "x")
    code, _, err = run("coverage")
    assert code == 2
    assert err.startswith(f"error: {path}: its verdicts cannot be read (ValueError(")


def test_the_papers_of_this_repository_have_140_claims(run):
    _, out, _ = run("coverage", "--papers", str(Path(__file__).parents[2] / "benches"))
    assert "0 of 140 claims carry a verdict" in out
