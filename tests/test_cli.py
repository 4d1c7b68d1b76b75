"""The command line lists runs, accepts red ones with a reason, and counts the claims that carry a verdict."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from compress import cli
from compress.claims.ledger import Ledger

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


def document(status="green", verdicts=(), *, scale="embedded", selection="benches", complete=True):
    compress = {
        "schema": 1,
        "status": status,
        "scale": scale,
        "selection": selection,
        "complete": complete,
        "cells": {"tiny: int8": {"values": {"raw_bytes": 1}}},
        "verdicts": [{"sources": [source], "verdict": verdict, "where": where} for source, verdict, where in verdicts],
    }
    stamp = {"datetime": "2026-11-22T00:11:22.3+00:00", "commit_info": {"id": "0123456789ab"}}
    return {"benchmarks": [], "compress": compress, **stamp}


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "runs")


@pytest.fixture
def run(ledger, tmp_path, monkeypatch, capsys):
    """Return a function from arguments to exit code, output and errors."""
    benches = tmp_path / "benches" / "a2024"
    benches.mkdir(parents=True)
    claims = [CLAIM % (word, word) for word in ("smaller", "faster", "better", "cheaper")]
    (benches / "paper.toml").write_text("".join([PAPER, *claims]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments, storage=True):
        where = ["--storage", str(ledger.folder)] if storage else []
        monkeypatch.setattr(sys, "argv", ["compress-bench", *arguments, *where])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        return ended.value.code, written.out, written.err

    return call


def counts(out):
    rows = (line.split() for line in out.splitlines() if line.startswith("A paper"))
    return next([int(number) for number in row[2:]] for row in rows)


def test_runs_are_listed_with_what_tells_them_apart(run, ledger):
    ledger.save(document(), "x")
    ledger.save(document("red", scale="paper", selection="benches/a2024", complete=False), "x")
    code, out, err = run("runs")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["0001", "green", "embedded", "2026-11-22T00:11:22", "0123456789", "1", "benches"],
        ["0002", "red", "paper", "2026-11-22T00:11:22", "0123456789", "1", "benches/a2024", "(a", "part)"],
    ]


def test_a_damaged_run_hides_no_other(run, ledger):
    path = ledger.save(document(), "cut")
    ledger.save(document(), "x")
    path.write_text("{")
    code, out, err = run("runs")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["0001", "damaged"], ["0002", "green"]]
    assert err.startswith(f"error: {path}: not a stored run")


def test_runs_of_other_benchmarks_are_counted(run, ledger):
    ledger.save({"benchmarks": []}, "theirs")
    ledger.save(document(), "ours")
    _, out, _ = run("runs")
    assert "0001" not in out
    assert out.splitlines()[-1] == "and 1 of other benchmarks, left alone"


def test_an_empty_ledger_says_what_stores_a_run(run, ledger):
    code, out, _ = run("runs")
    assert code == 0
    assert out.replace("\n", "") == f"{ledger.folder}: no runs stored yet; `pytest benches` stores one"


def test_the_ledger_is_found_where_pytest_benchmark_keeps_it(run, tmp_path):
    from pytest_benchmark.utils import get_machine_id

    Ledger(tmp_path / ".benchmarks" / get_machine_id()).save(document(), "x")
    _, out, _ = run("runs", storage=False)
    assert "0001  green" in out


def test_accepting_a_red_run_makes_it_a_baseline(run, ledger):
    ledger.save(document("red"), "x")
    assert ledger.baseline("embedded", "benches") is None
    code, out, err = run("accept", "1", "--reason", "the new kernel is worth it")
    assert (code, err) == (0, "")
    assert out == "accepted: run 0001 (accepted, 2026-11-22T00:11:22, 0123456789): the new kernel is worth it\n"
    assert ledger.baseline("embedded", "benches").newest.number == "0001"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("accept", "9", "--reason", "x"), "0 runs match '9'; stored runs: 0001"),
        (("accept", "1", "--reason", " "), "accepting a run needs a reason"),
        (("coverage", "--run", "9"), "0 runs match '9'"),
        (("coverage", "--papers", "nowhere"), "nowhere: no */paper.toml there; name the folder of the benches"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(run, ledger, arguments, said):
    ledger.save(document("red"), "x")
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


def test_accepting_needs_a_reason(run, ledger):
    path = ledger.save(document("red"), "x")
    before = path.read_bytes()
    code, _, err = run("accept", "1")
    assert code == 2
    assert "--reason" in err
    assert path.read_bytes() == before


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
    _, out, _ = run("coverage", "--papers", str(Path(__file__).parents[1] / "benches"))
    assert "0 of 140 claims carry a verdict" in out


def test_asking_for_help_imports_nothing_heavy():
    script = (
        "import sys\nfrom compress.cli import main\nsys.argv = ['compress-bench', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "import json\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "coverage" in done.stdout
    assert not loaded & {"numpy", "scipy", "tensorflow", "keras", "onnx", "pytest"}
