"""A run compares each cell with its baseline, knows what is missing and new, and is green when nothing is wrong."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from compress.claims.claim import Judgement, Verdict
from compress.claims.gate import Change
from compress.claims.ledger import Baseline, Ledger, StoredRun
from compress.claims.paper import Paper, PaperClaim, Table
from compress.measure.classification import Outcomes
from compress.suite import Suite, covered, unknown_sources


def cell(name="a", raw_bytes=100, wrong=0, n=400, noise=1e-4, sha256="0"):
    outcomes = Outcomes(np.arange(n) >= wrong, np.full(n, noise, np.float32), np.ones(n, np.float32), "labels")
    artifact = SimpleNamespace(sha256=sha256, runtime="litert", curves=())
    values = {"raw_bytes": raw_bytes, "accuracy": outcomes.accuracy}
    measurement = SimpleNamespace(
        values=values, outcomes=outcomes, scores=None, artifact=artifact, versions={}, pictures={}
    )
    return SimpleNamespace(name=name, artifact=artifact, measurement=measurement)


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
    return Suite("embedded", "benches", Baseline(runs, cells, ledger=Ledger(Path("none"))))


def test_a_run_is_not_green_when_it_failed_or_measured_nothing():
    run = against(stored(1, cell()))
    assert not run.is_green(failed=False)
    run.measured(cell())
    assert run.is_green(failed=False)
    assert not run.is_green(failed=True)


def test_a_cell_without_a_baseline_is_new():
    run = against(stored(1, cell("a")))
    for name in ("b", "a"):
        run.measured(cell(name))
    assert run.new == ["b"]
    assert Suite("embedded", "benches").new == []


@pytest.mark.parametrize(
    ("baseline", "complete", "missing"),
    [
        ((stored(1, cell("a"), cell("b")),), True, ["b was measured then and not now"]),
        ((stored(1, cell("a"), cell("b")),), False, []),
        ((stored(1, cell("a"), cell("b"), complete=False),), True, []),
        ((stored(1, cell("a"), cell("b"), selection="benches/part"),), True, []),
        (
            (stored(2, cell("b"), complete=False), stored(1, cell("a"), cell("b"))),
            True,
            ["b was measured then and not now"],
        ),
    ],
)
def test_what_the_last_whole_run_measured_and_this_one_did_not_is_missing(baseline, complete, missing):
    run = against(*baseline)
    run.measured(cell("a"))
    gaps = run.gaps(complete)
    assert [gap.text for gap in gaps] == missing
    assert run.is_green(False, gaps) is not bool(missing)


def test_a_gap_that_is_allowed_leaves_a_run_green():
    run = against(stored(1, cell("a"), cell("b", sha256="1")))
    run.allow = frozenset({"missing"})
    run.measured(cell("a"))
    (gap,) = run.gaps(True)
    assert (gap.kind, gap.allowed, run.is_green(False, [gap])) == ("missing", True, True)


@pytest.mark.parametrize(("gated", "kinds"), [(True, ["new", "deselected", "untimed"]), (False, [])])
def test_only_a_gate_minds_what_is_new_left_out_or_untimed(gated, kinds):
    run = against(stored(1, cell("a")))
    run.gated = gated
    run.measured(cell("a"))
    run.measured(cell("b", sha256="1"))
    run.untimed["a"] = "benchmarks are switched off"
    assert [gap.kind for gap in run.gaps(True, ["benches/test_x.py::test_x"])] == kinds


def test_a_gate_that_measured_nothing_is_empty():
    run = Suite("embedded", "benches", gated=True)
    assert [gap.kind for gap in run.gaps(True)] == ["empty"]
    run.measured(cell())
    assert run.gaps(True) == []


def change(direction, metric="latency_s", name="a"):
    return Change(name, metric, "1", "2", direction)


def test_a_judged_change_takes_the_place_of_a_told_one_and_none_is_told_twice():
    run = Suite("embedded", "benches")
    run.tell([change("information"), change("information", name="b")])
    run.tell([change("worse"), change("worse")])
    assert run.changes == [change("information", name="b"), change("worse")]


@pytest.mark.parametrize(
    ("changes", "anchors"),
    [
        ([], {"anchor", "time_anchor"}),
        ([change("information", "accuracy"), change("information")], {"anchor", "time_anchor"}),
        ([change("better", "raw_bytes")], {"time_anchor"}),
        ([change("better")], {"anchor"}),
        ([change("better", "raw_bytes"), change("better")], set()),
        ([change("better", "raw_bytes"), change("undecided")], {"anchor", "time_anchor"}),
        ([change("better", "raw_bytes", "b")], {"anchor", "time_anchor"}),
    ],
)
def test_a_cell_answers_to_its_anchors_until_it_is_found_better(changes, anchors):
    run = against(stored(3, cell()))
    run.measured(cell())
    run.changes = changes
    (kept,) = run.to_json(failed=False, complete=True)["cells"].values()
    assert {key: kept[key] for key in kept.keys() & {"anchor", "time_anchor"}} == dict.fromkeys(anchors, "0003_x.json")


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
    assert baseline.cells["a"][1] == json.loads(json.dumps(run.stored["a"]))


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
