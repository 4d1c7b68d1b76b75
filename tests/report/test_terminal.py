"""The end of a run says verdicts, changes and where it was stored, whatever characters they hold."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.claims.claim import Judgement, Verdict
from compress.claims.completeness import Gap
from compress.claims.gate import Change
from compress.claims.ledger import Baseline, StoredRun
from compress.report.terminal import render
from compress.suite import Suite

STORED = Path("runs") / "0002_x.json"


def suite(**more):
    return Suite("embedded", "benches", fingerprint={}, **more)


def baseline(*cells, complete=True):
    stored = {"scale": "embedded", "selection": "benches", "status": "green", "complete": complete}
    run = StoredRun(Path("0001_x.json"), {"compress": {**stored, "cells": {name: {} for name in cells}}})
    return Baseline((run,), {name: (run, {}) for name in cells})


def text(made, gaps=(), stored=STORED, *, color=False, width=100):
    return render(made, gaps, stored, color=color, width=width)


def judgement(verdict=Verdict.HELD, **more):
    shown = {"measured": "4", "bound": ">= 3.85", "why": "x"} | more
    return Judgement(("a/b",), "number", verdict, "test_here", **shown)


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_named_and_counted(verdict):
    said = text(suite(judgements=[judgement(verdict)]))
    assert f"claims: 1 {verdict}" in said
    assert any(line.split()[:3] == [verdict, "a/b", "number"] for line in said.splitlines())


def test_several_judgements_of_one_claim_are_one_line():
    alike = text(suite(judgements=[judgement(), judgement(measured="5")]))
    assert "held x2  a/b    number  4 (1 more)  >= 3.85" in alike
    mixed = text(suite(judgements=[judgement(), judgement(), judgement(Verdict.BROKEN, measured="3")]))
    assert "broken 1 of 3  a/b    number  3         >= 3.85" in mixed


@given(st.text(st.sampled_from("[]/\\:a red bold=#@{}"), min_size=1, max_size=30))
def test_no_character_of_a_reason_is_taken_for_markup(reason):
    said = text(
        suite(judgements=[judgement(Verdict.UNMEASURED, measured="", bound="", reason=f"<{reason}>")]), width=300
    )
    assert f"<{reason}>" in said
    assert f"this run was not stored: {reason}" in text(suite(), stored=reason)


def test_colours_appear_only_when_asked_for():
    made = suite(judgements=[judgement(Verdict.BROKEN)])
    assert "\x1b[1;31mbroken" in text(made, color=True)
    assert "\x1b[" not in text(made)


def test_a_first_gated_run_says_that_it_is_the_first():
    assert "no baseline: this is the first run here" in text(suite(gated=True, judgements=[judgement()]))
    assert "no baseline" not in text(suite(judgements=[judgement()]))


def test_changes_are_one_line_each_however_long():
    detail = (
        "-1.50 points; 45 lost, 0 gained of n=3000; McNemar p=2.8e-14; smallest drop that n could show: 0.35 points"
    )
    change = Change("mnist_cnn: prune(0.9) | int8", "accuracy", "98.00%", "96.50%", "worse", detail)
    said = text(suite(baseline=baseline("a"), changes=[change], gated=True))
    assert f"  worse: {change}" in said.splitlines()


def test_ungated_changes_for_the_worse_are_said_to_keep_the_run_from_the_baseline():
    change = Change("a", "raw_bytes", "1", "2", "worse")
    said = text(suite(baseline=baseline("a"), changes=[change]))
    assert "but they keep it from becoming a baseline" in said
    assert "keep it from" not in text(suite(baseline=baseline("a"), changes=[change], gated=True))


def test_improvements_and_undecided_quality_are_told_and_times_only_in_sum():
    changes = [
        Change("a", "raw_bytes", "2", "1", "better"),
        Change("a", "accuracy", "98%", "97.9%", "information"),
        Change("a", "peak_memory_bytes", "1", "2", "information", "2.00x between two runs, told only"),
        *(
            Change(
                f"cell {index}",
                "latency_s",
                "1",
                "2",
                "information",
                f"{1 + index / 10:.2f}x between two runs, told only",
            )
            for index in range(6)
        ),
    ]
    said = text(suite(baseline=baseline("a"), changes=changes))
    assert "  better: a: raw_bytes 2 -> 1" in said
    assert "  not told from chance: a: accuracy 98% -> 97.9%" in said
    assert "latency in the two runs, told only, of 6 cells" in said
    assert [line.split(":")[0].strip() for line in said.splitlines() if "told only)" in line] == [
        "cell 5",
        "cell 4",
        "cell 3",
    ]
    assert "peak_memory" not in said


def test_a_time_that_was_zero_before_is_no_ratio():
    change = Change("a", "latency_s", "0", "1", "information", "told only")
    assert "latenc" not in text(suite(baseline=baseline("a"), changes=[change]))


def test_gaps_are_named_with_what_would_let_them_pass():
    gaps = [Gap("missing", "a was measured then and not now"), Gap("new", "b has no baseline", allowed=True)]
    said = text(suite(baseline=baseline("a")), gaps).splitlines()
    assert "  missing: a was measured then and not now (--allow missing to pass)" in said
    assert "  new: b has no baseline (allowed)" in said


def test_a_run_of_a_part_says_how_much_of_the_whole_it_measured():
    assert "this run is of a part: 0 of the 2 cells of the last whole run" in text(suite(baseline=baseline("a", "b")))
    assert "of a part" not in text(suite(baseline=baseline("a", "b", complete=False)))


def test_a_gate_says_which_files_were_timed_and_which_needed_no_timing():
    same = text(suite(baseline=baseline("a"), gated=True))
    assert "time: 0 files are the baseline's own, byte for byte, and need no timing; no file changed" in same


def test_a_run_that_measured_nothing_is_said_to_be_no_pass():
    assert "nothing was measured, which is no pass" in text(suite(judgements=[judgement(Verdict.UNMEASURED)]))
    assert "nothing was measured" not in text(suite(judgements=[judgement()]))


def test_the_last_line_is_where_the_run_was_stored():
    assert text(suite()).splitlines()[-1] == f"stored: {STORED}"


def test_tables_of_benches_are_printed_with_their_titles():
    made = suite()
    made.table("sizes as printed", ("subject", "paper", "here")).rows.append(("lenet_5", "4.0", "3.9"))
    assert made.table("sizes as printed", ()) is made.tables["sizes as printed"]
    found = text(made).splitlines()
    assert found[0].strip() == "sizes as printed"
    assert [line.split() for line in found[1:3]] == [["subject", "paper", "here"], ["lenet_5", "4.0", "3.9"]]


def test_a_number_is_never_broken_however_narrow_the_line_is():
    made = suite()
    columns = ("recipe", *(f"column {index}" for index in range(9)))
    row = ("prune(0.95, scope=lamp) | kmeans(16, preserve_sparsity=true) | int8", *["7,810,192"] * 9)
    made.table("sizes", columns).rows.append(row)
    found = text(made, width=100).split("\n\n")[0]
    assert found.count("7,810,192") == 9
    assert all(len(line) <= 100 for line in found.splitlines())
