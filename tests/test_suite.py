"""A run compares each cell with its baseline, knows what is missing and new, and is green when nothing is wrong."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from compress.claims.claim import Judgement, Verdict
from compress.claims.ledger import Baseline, Ledger, StoredRun
from compress.claims.paper import Paper, PaperClaim, Table
from compress.measure.classification import Outcomes
from compress.suite import Suite, covered, unknown_sources


def cell(name="a", raw_bytes=100, wrong=0, n=400, noise=1e-4):
    outcomes = Outcomes(np.arange(n) >= wrong, np.full(n, noise, np.float32), np.ones(n, np.float32), "labels")
    artifact = SimpleNamespace(sha256="0", runtime="litert")
    values = {"raw_bytes": raw_bytes, "accuracy": outcomes.accuracy}
    measurement = SimpleNamespace(values=values, outcomes=outcomes, artifact=artifact, versions={})
    return SimpleNamespace(name=name, measurement=measurement)


def stored(number, *cells, selection="benches", complete=True):
    run = Suite("embedded", selection)
    for one in cells:
        run.measured(one)
    document = {"compress": json.loads(json.dumps(run.to_json(failed=False, complete=complete)))}
    return StoredRun(Path(f"{number:04}_x.json"), document)


def against(*runs):
    cells = {}
    for run in runs:
        for name, one in run.cells.items():
            cells.setdefault(name, (run, one))
    return Suite("embedded", "benches", Baseline(runs, cells))


def test_a_cell_like_its_baseline_has_no_changes():
    run = against(stored(1, cell()))
    assert run.measured(cell()) == []
    assert run.is_green(failed=False)


@pytest.mark.parametrize("noise", [0, 1e-20, 1.03e-4, 1e4])
def test_what_storing_rounds_off_is_no_change(noise):
    assert against(stored(1, cell(noise=noise))).measured(cell(noise=noise)) == []


def test_a_cell_is_compared_by_its_values_and_its_outcomes():
    run = against(stored(1, cell()))
    changes = run.measured(cell(raw_bytes=101, wrong=40))
    assert [(change.metric, change.direction) for change in changes] == [("raw_bytes", "worse"), ("accuracy", "worse")]
    assert run.changes == changes
    assert not run.is_green(failed=False)


def test_a_run_is_not_green_when_it_failed_or_measured_nothing():
    run = against(stored(1, cell()))
    assert not run.is_green(failed=False)
    run.measured(cell())
    assert run.is_green(failed=False)
    assert not run.is_green(failed=True)


def test_a_cell_without_a_baseline_is_new():
    run = against(stored(1, cell("a")))
    assert run.measured(cell("b")) == []
    run.measured(cell("a"))
    assert run.new == ["b"]
    assert Suite("embedded", "benches").new == []


@pytest.mark.parametrize(
    ("baseline", "complete", "missing"),
    [
        ((stored(1, cell("a"), cell("b")),), True, ["b"]),
        ((stored(1, cell("a"), cell("b")),), False, []),
        ((stored(1, cell("a"), cell("b"), complete=False),), True, []),
        ((stored(1, cell("a"), cell("b"), selection="benches/part"),), True, []),
        ((stored(2, cell("b"), complete=False), stored(1, cell("a"), cell("b"))), True, ["b"]),
    ],
)
def test_what_the_last_whole_run_measured_and_this_one_did_not_is_missing(baseline, complete, missing):
    run = against(*baseline)
    run.measured(cell("a"))
    assert run.missing(complete) == missing


def test_the_machine_is_compared_with_the_baselines():
    run = against(stored(1, cell()))
    assert run.machine_changes == []
    run.fingerprint = {**run.fingerprint, "cpu": "abacus"}
    assert [line.split(" -> ")[1] for line in run.machine_changes] == ["abacus"]


def test_what_is_stored_is_read_back_as_a_baseline(tmp_path):
    run = Suite("embedded", "benches")
    run.measured(cell())
    ledger = Ledger(tmp_path)
    ledger.save({"benchmarks": [], "compress": run.to_json(failed=False, complete=True)}, "x")
    baseline = ledger.baseline("embedded", "benches")
    assert Suite("embedded", "benches", baseline).measured(cell()) == []


def judgement(verdict, *sources):
    return Judgement(sources, "number", verdict, "test_here")


def test_a_source_carries_the_worst_of_its_verdicts():
    run = Suite("embedded", "benches")
    run.judgements = [judgement(Verdict.HELD, "p/a", "p/b"), judgement(Verdict.UNDECIDED, "p/b")]
    assert {source: verdict for source, (verdict, _, _) in run.verdicts().items()} == {
        "p/a": Verdict.HELD,
        "p/b": Verdict.UNDECIDED,
    }


@pytest.mark.parametrize(
    ("verdicts", "nothing"),
    [
        ((), True),
        ((Verdict.UNMEASURED,), True),
        ((Verdict.UNMEASURED, Verdict.BROKEN), False),
        ((Verdict.HELD,), False),
    ],
)
def test_a_run_without_a_measured_verdict_measured_nothing(verdicts, nothing):
    run = Suite("embedded", "benches")
    run.judgements = [judgement(verdict, "p/a") for verdict in verdicts]
    assert run.nothing_measured is nothing
    run.measured(cell())
    assert not run.nothing_measured


@pytest.fixture
def paper():
    claims = {id_: PaperClaim(id_, "", "", 0, "", "", "") for id_ in ("p2024/I/a", "p2024/I/b", "p2024-review/c")}
    tables = {"p2024/table-I": Table("p2024/table-I", "", (), (), ())}
    return Paper("P", ("p2024", "p2024-review"), tables, claims)


def test_only_what_begins_like_a_paper_must_be_in_it(paper):
    sources = ["p2024/I/a", "p2024/I/z", "p2024-review/c", "p2024/table-I", "p2024/table-II", "team/budget", "p2024"]
    assert unknown_sources([paper], sources) == ["p2024/I/z", "p2024/table-II", "p2024"]
    assert unknown_sources([], sources) == []


def test_coverage_is_of_claims_and_not_of_tables(paper):
    assert covered([paper], {"p2024/I/a": "held", "p2024/table-I": "held", "team/budget": "held"}) == {
        "p2024": {"p2024/I/a": "held", "p2024/I/b": None},
        "p2024-review": {"p2024-review/c": None},
    }
