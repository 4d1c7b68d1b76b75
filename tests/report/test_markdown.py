"""A pull request's report begins with the verdict, then says what changed, and folds the rest."""

import re
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt

from compress.artifact import Artifact
from compress.claims.claim import Judgement, Verdict
from compress.claims.completeness import Gap
from compress.claims.gate import Change, time_change
from compress.claims.golden import Golden
from compress.claims.ledger import Baseline
from compress.claims.stored_run import StoredRun
from compress.claims.timing import TimeComparison
from compress.measure.classification import Outcomes
from compress.measure.measurement import Measurement
from compress.recipe import Recipe
from compress.report.gfm import LIMIT
from compress.report.markdown import SHOWN_BETTER, render
from compress.subject import Dataset, Subject
from compress.suite import Suite
from compress.workbench import Cell, Workbench

STORED = Path("runs") / "0013_x.json"
CELL = "tiny: prune(0.9) | int8"
WORSE = Change(CELL, "raw_bytes", "250", "300", "worse", "+20.00% bytes")
BETTER = Change(CELL, "gzip_bytes", "200", "100", "better", "-50.00% bytes")
SLOWER = TimeComparison("failed", 1.21, 1.12, 1.3, 9, 2, 0.8, 10, 0.1, "wall", 1e-5, 0.05, 1.0)


def baseline(*names, fingerprint=None):
    stored = {"scale": "embedded", "selection": "benches", "status": "green", "complete": True}
    held = {name: {"sha256": "old", "values": {}} for name in names}
    document = {"datetime": "2026-11-22T01:43:28", "commit_info": {"id": "3b7c571a12ff"}}
    run = StoredRun(
        Path("0012_x.json"), {**document, "compress": {**stored, "fingerprint": fingerprint, "cells": held}}
    )
    return Baseline((run,), {name: (run, cell) for name, cell in held.items()})


def data():
    x, y = np.zeros((8, 4), np.float32), np.zeros(8, np.int64)
    return Dataset("tiny", x, y, x.copy(), y.copy())


def cells(folder, *recipes):
    """Return measured cells of the subject ``tiny`` by name."""
    tiny = Subject("tiny", None, data, lambda: "tiny-1", parameters=250)
    bench = Workbench([tiny], folder)
    for text in ("float32", *recipes):
        recipe = Recipe.parse(text)
        outcomes = Outcomes(np.arange(1000) >= 20, np.zeros(1000, np.float32), np.ones(1000, np.float32), "labels")
        artifact = Artifact(Path("none"), "tiny", text, "litert", "new", 250, 0.1)
        values = {"raw_bytes": 1000, "gzip_bytes": 500, "sparsity": 0.0, "latency_s": 1e-5, "accuracy": 0.98}
        bench.cells[f"tiny: {recipe}"] = Cell(tiny, recipe, Measurement(artifact, (), values, outcomes), bench)
    return dict(bench.cells)


def suite(**more):
    return Suite("embedded", "benches", fingerprint={}, **more)


def gated(*changes, **more):
    return suite(baseline=baseline(CELL), gated=True, changes=list(changes), **more)


def text(made, *gaps, stored=STORED, failed=0, ended=True):
    return render(made, gaps, stored, failed=failed, ended=ended)


def first(*args, **kwargs):
    return text(*args, **kwargs).splitlines()[0]


def judgement(verdict=Verdict.HELD, source="a/b", **more):
    shown = {"measured": "4", "bound": ">= 3.85", "why": "x"} | more
    return Judgement((source,), "number", verdict, "test_here", **shown)


def opened(document):
    """Return what stands open: all but the folded parts."""
    return re.sub(r"<details>.*?</details>", "", document, flags=re.DOTALL)


def test_a_green_gated_run_begins_with_how_much_was_compared(tmp_path):
    made = suite(baseline=baseline("tiny: float32", "tiny: int8"), gated=True, cells=cells(tmp_path, "int8", "float16"))
    assert first(made) == "## ✅ passed: 2 cells compared, nothing worse"
    assert "Compared with run 0012 (green, 2026-11-22T01:43:28, 3b7c571a12)." in text(made)
    assert "1 cell has no baseline yet." in text(made)
    assert "This is run 0013.\n" in text(made)
    assert "accept" not in text(made)


def test_a_first_gated_run_says_that_it_is_the_first(tmp_path):
    made = suite(gated=True, cells=cells(tmp_path))
    assert first(made) == "## ✅ passed: the first run, 1 cell"
    assert "No baseline: this is the first run here" in text(made)


def test_a_red_run_counts_everything_that_failed_and_says_how_to_accept_it():
    made = gated(WORSE, WORSE, BETTER, judgements=[judgement(Verdict.BROKEN), judgement()])
    gaps = Gap("missing", "x was measured then and not now"), Gap("new", "y has no baseline", allowed=True)
    assert first(made, *gaps, failed=3) == (
        "## ❌ failed: 1 claim broken, 2 changes for the worse, 1 missing, 1 better, 3 tests failed"
    )
    assert 'If what changed is meant: `compress-bench accept 0013 --reason "..."`.' in text(made, *gaps)


def test_a_golden_file_is_named_as_what_was_compared_with(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    accepted = [{"when": "2026-11-22T01:43:28", "reason": "x"}]
    golden = Golden(tmp_path / "golden.json", {CELL: {"scale": "embedded", "values": {}}}, accepted)
    made = suite(baseline=golden.baseline("embedded"), gated=True, changes=[WORSE])
    assert "Compared with golden file golden.json (accepted 2026-11-22: x)." in text(made)


@pytest.mark.parametrize(
    ("made", "more"),
    [
        (gated(WORSE, judgements=[judgement()]), {}),
        (gated(judgements=[judgement()]), {"failed": 1}),
        (gated(judgements=[judgement(Verdict.BROKEN)]), {}),
        (suite(judgements=[judgement(Verdict.BROKEN)]), {}),
        (gated(), {}),
    ],
    ids=["worse", "a failed test", "a broken claim", "a broken claim without a gate", "nothing measured"],
)
def test_what_fails_a_run_is_no_pass(made, more):
    assert first(made, **more).startswith("## ❌ failed: ")


def test_a_gap_fails_unless_it_is_allowed():
    made = gated(judgements=[judgement()])
    assert first(made, Gap("deselected", "3 benches")) == "## ❌ failed: 1 deselected"
    assert first(made, Gap("deselected", "3 benches", allowed=True)).startswith("## ✅ passed")


def test_a_run_that_could_not_be_stored_has_failed(tmp_path):
    made = suite(gated=True, cells=cells(tmp_path))
    assert first(made, stored="disk is full").startswith("## ❌ failed: the run could not be stored")
    assert "This run was not stored: disk is full" in text(made, stored="disk is full")


def test_a_run_that_was_stopped_is_no_pass(tmp_path):
    made = suite(gated=True, baseline=baseline("tiny: float32"), cells=cells(tmp_path))
    assert first(made, ended=False) == "## ❌ stopped before its end: nothing failed until then"
    assert first(gated(WORSE), ended=False).startswith("## ❌ stopped before its end: 1 change for the worse")


def test_without_a_gate_a_worsening_passes_and_is_said_to_be_no_baseline():
    made = suite(baseline=baseline(CELL), changes=[WORSE], judgements=[judgement()])
    assert first(made) == "## ⚠️ passed without a gate, but no baseline: 1 change for the worse"
    made = suite(baseline=baseline(CELL), judgements=[judgement()])
    assert first(made) == "## ✅ passed without a gate: 0 cells, nothing worse"


def test_changes_stand_open_the_worst_first():
    undecided = Change("a", "latency_s", "1", "2", "undecided", "1.04x")
    changed = Change("a", "scales", "9", "1", "changed", "scales")
    found = [line for line in opened(text(gated(BETTER, undecided, changed, WORSE))).splitlines() if "| `" in line]
    assert found == [
        r"| **worse** | `tiny: prune(0.9) \| int8` | `raw_bytes` | 250 | 300 | +20.00% bytes |",
        "| **changed** | `a` | `scales` | 9 | 1 | scales |",
        "| undecided | `a` | `latency_s` | 1 | 2 | 1.04x |",
        r"| better | `tiny: prune(0.9) \| int8` | `gzip_bytes` | 200 | 100 | -50.00% bytes |",
    ]


@pytest.mark.parametrize("n", [SHOWN_BETTER, SHOWN_BETTER + 1])
def test_many_improvements_are_folded(n):
    made = gated(WORSE, *(Change(f"c{index}", "raw_bytes", "2", "1", "better") for index in range(n)))
    assert opened(text(made)).count("| better |") == (n if n == SHOWN_BETTER else 0)
    assert text(made).count("| better |") == n
    assert "**worse**" in opened(text(made))


def test_gaps_stand_open_and_name_the_option_that_lets_them_pass():
    gaps = Gap("new", "b has no baseline", allowed=True), Gap("missing", "a was measured then and not now")
    lines = opened(text(gated(), *gaps)).splitlines()
    assert "- **missing**: a was measured then and not now (`--allow missing` to pass)" in lines
    assert lines.index("- **new**: b has no baseline (allowed)") > lines.index(
        "- **missing**: a was measured then and not now (`--allow missing` to pass)"
    )


def test_broken_claims_stand_open_with_the_reason_of_their_bound():
    broken = judgement(Verdict.BROKEN, "team/size", measured="3.1", why="int8 is a quarter of float32")
    crashed = judgement(Verdict.BROKEN, "team/run", measured="", bound="", why="", reason="SIGSEGV while loading")
    found = opened(text(gated(judgements=[broken, crashed, judgement()])))
    assert r"| `team/size` | 3.1 | &gt;= 3.85 | int8 is a quarter of float32 |" in found
    assert "| `team/run` | SIGSEGV while loading |  | SIGSEGV while loading |" in found
    assert "a/b" not in found


def test_a_changed_file_s_time_is_told_with_its_interval_and_not_a_second_time():
    made = gated(
        time_change(CELL, SLOWER, "the baseline was made on another machine: told, not judged"),
        Change(CELL, "latency_s", "1", "3", "information", "3.00x between two runs, told only"),
        Change(CELL, "load_time_s", "1", "2", "information", "2.00x between two runs, told only"),
        timings={CELL: SLOWER},
    )
    said = text(made)
    assert "Time: 1 of 0 changed files ran beside the baseline's, 0.8 s" in said
    row = r"| `tiny: prune(0.9) \| int8` | failed | 10 µs | 12.1 µs | 1.21x \[1.12, 1.30\] in 9 blocks, 0.8 of 10 s"
    assert said.count(row) == 1
    assert "Told, not judged: 1<" in said
    assert "3.00x" not in said, "two runs say little where both files ran beside each other"
    assert "| `load_time_s` |" in said
    assert first(made, failed=1) == "## ❌ failed: nothing was measured, which is no pass, 1 test failed"
    assert "1.21x" not in opened(said)


def test_a_judged_slowdown_stands_open():
    made = gated(time_change(CELL, SLOWER), timings={CELL: SLOWER}, judgements=[judgement()])
    assert first(made) == "## ❌ failed: 1 change for the worse"
    assert "`latency_s` | 10 µs | 12.1 µs | 1.21x" in opened(text(made))


def test_quality_that_chance_explains_comes_before_times_that_are_told():
    made = gated(
        Change("a", "load_time_s", "1", "2", "information"),
        Change("a", "accuracy", "98%", "97.9%", "information", "p=0.4"),
    )
    rows = [line for line in text(made).splitlines() if line.startswith("| `a`")]
    assert rows == ["| `a` | `accuracy` | 98% | 97.9% | p=0.4 |", "| `a` | `load_time_s` | 1 | 2 |  |"]


def test_another_machine_is_said_at_the_top_and_every_difference_below():
    here = {"cpu": "B", "cores": 2, "python": "3.12", "system": "Linux"}
    there = {"cpu": "A", "cores": 4, "python": "3.11", "system": "Darwin"}
    made = Suite("embedded", "benches", baseline(CELL, fingerprint=there), gated=True, fingerprint=here)
    said = text(made)
    assert (
        "Not the same machine or software: cores: 4 -&gt; 2; cpu: A -&gt; B; python: 3.11 -&gt; 3.12; and 1 more"
        in said
    )
    assert "- not as the baseline's: system: Darwin -&gt; Linux" in said
    assert "- cpu: B" in said


@pytest.mark.parametrize("verdict", Verdict)
def test_every_claim_is_in_a_folded_table_counted_in_its_title(verdict):
    said = text(suite(judgements=[judgement(verdict), judgement(verdict)]))
    assert f"<summary>Claims: 1 {verdict}</summary>" in said
    assert f"| {verdict} x2 | `a/b` | number | 4 | &gt;= 3.85 |" in said


def test_cells_are_in_folded_tables_by_subject_with_what_their_samples_could_show(tmp_path):
    said = text(suite(cells=cells(tmp_path, "prune(0.9) | int8")))
    assert "Cells of tiny: 250 parameters, 1,000 evaluation samples; they could show a drop of " in said
    assert r"| `prune(0.9) \| int8` | 1,000 | 1.00 | 500 | 1.00 | 0.0% | 98.00% | +0.00 |" in said
    assert "raw_bytes" not in opened(said)


def test_tables_of_benches_are_folded_with_their_titles():
    made = suite()
    made.table("sizes <as printed>", ("subject", "paper|here")).rows.append(("lenet_5", "4.0"))
    said = text(made)
    assert "<summary>sizes &lt;as printed&gt;</summary>" in said
    assert "| subject | paper\\|here |\n| --- | ---: |\n| lenet_5 | 4.0 |" in said


def test_every_folded_part_is_closed_and_every_table_is_one(tmp_path):
    changes = WORSE, BETTER, time_change("a", SLOWER)
    made = gated(*changes, timings={"a": SLOWER}, judgements=[judgement()], cells=cells(tmp_path, "int8"))
    said = text(made, Gap("new", "b"))
    tokens = MarkdownIt("commonmark").enable("table").parse(said)
    assert sum(one.type == "table_open" for one in tokens) == len(re.findall(r"^\| -", said, re.MULTILINE)) == 4
    assert said.count("<details>") == said.count("</details>") == 4
    assert [one.tag for one in tokens if one.type == "heading_open"] == ["h2", "h3", "h3"]


def test_a_report_of_a_thousand_cells_fits_into_a_comment_and_says_what_was_cut():
    told = [Change(f"cell {n}", "load_time_s", "1", "2", "information", "2.00x") for n in range(2_000)]
    said = text(gated(WORSE, *told, judgements=[judgement()]))
    assert len(said) <= LIMIT
    assert "**worse**" in opened(said)
    assert re.search(r"Cut to 65,000 characters: \d+ lines of 'Told, not judged: 2000' and 1 more parts", said)
    assert "Claims: 1 held" not in said
