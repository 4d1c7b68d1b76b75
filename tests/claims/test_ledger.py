"""The ledger stores runs whole, numbers them apart, and lets only green or accepted ones be a baseline."""

import errno
import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from compress.claims.ledger import Ledger
from compress.errors import LedgerError
from compress.measure.classification import score

OUTCOMES = score(np.eye(3, dtype=np.float32), np.arange(3), np.eye(3, dtype=np.float32)).to_json()


def document(status="green", cells=("a", "b"), *, scale="embedded", selection="benches", complete=True, **more):
    stored = {name: {"values": {"raw_bytes": 1}, "outcomes": OUTCOMES} for name in cells}
    compress = {
        "schema": 1,
        "status": status,
        "scale": scale,
        "selection": selection,
        "complete": complete,
        "cells": stored,
        **more,
    }
    return {"benchmarks": [], "datetime": "2026-11-22T00:11:22.333+00:00", "compress": compress}


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "runs")


def suppliers(baseline):
    return {name: run.number for name, (run, _) in baseline.cells.items()}


def save_many(folder: Path, label: str, count: int) -> None:
    for _ in range(count):
        Ledger(folder).save(document(), label)


def test_a_run_comes_back_as_it_was_stored(ledger):
    path = ledger.save(document(), "abc_20261122")
    assert path.name == "0001_abc_20261122.json"
    run = ledger.load(path)
    assert run.document == document()
    assert run.describe() == "run 0001 (green, 2026-11-22T00:11:22, no commit)"
    assert run.green


def test_numpy_numbers_are_stored_as_numbers(ledger):
    path = ledger.save({**document(), "values": [np.int64(3), np.float32(0.5), np.bool_(True), Path("x")]}, "x")
    assert ledger.load(path).document["values"] == [3, 0.5, True, "x"]


def test_runs_are_numbered_in_order_and_sorted_by_number(ledger):
    assert [ledger.save(document(), label).name[:4] for label in ("z", "a", "m")] == ["0001", "0002", "0003"]
    (ledger.folder / "10000_x.json").write_text(json.dumps(document()))
    assert [path.name.split("_")[0] for path in ledger.files()] == ["0001", "0002", "0003", "10000"]
    assert ledger.save(document(), "next").name == "10001_next.json"


def test_a_number_that_somebody_else_took_is_not_taken_again(ledger):
    ledger.folder.mkdir()
    (ledger.folder / "0041_theirs.json").write_text('{"benchmarks": []}')
    assert ledger.save(document(), "ours").name == "0042_ours.json"


def test_runs_that_end_together_get_numbers_of_their_own(ledger):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=save_many, args=(ledger.folder, f"writer{index}", 15)) for index in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [path.name[:4] for path in ledger.files()] == [f"{number:04}" for number in range(1, 46)]
    assert all(ledger.load(path).green for path in ledger.files())


@pytest.mark.parametrize("step", ["os.fsync", "os.replace"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_run_that_cannot_be_written_leaves_nothing_behind(ledger, monkeypatch, step, failure):
    before = ledger.save(document(), "before").read_bytes()

    def fail(*_):
        raise failure

    monkeypatch.setattr(f"compress.claims.ledger.{step}", fail)
    with pytest.raises((LedgerError, KeyboardInterrupt)) as raised:
        ledger.save(document(), "after")
    monkeypatch.undo()
    if isinstance(failure, OSError):
        assert str(raised.value) == f"{ledger.folder}: the run could not be stored: {failure}"
    assert [path.name for path in ledger.folder.iterdir() if path.name != ".lock"] == ["0001_before.json"]
    assert ledger.files()[0].read_bytes() == before


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="the run could not be stored"):
        Ledger(tmp_path / "file" / "runs").save(document(), "x")


def test_a_ledger_that_does_not_exist_has_no_runs_and_no_baseline(ledger):
    assert ledger.files() == []
    assert ledger.baseline("embedded", "benches") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (json.dumps(document())[:200], "not a stored run"),
        ("", "not a stored run"),
        ("[]", "no list of benchmarks"),
        ('{"benchmarks": 3}', "no list of benchmarks"),
        ('{"benchmarks": [], "compress": 3}', "'compress' is not what this version writes"),
        ('{"benchmarks": [], "compress": {"cells": []}}', "'compress' is not what this version writes"),
        ('{"benchmarks": [], "compress": {"cells": {"a": {}}}}', "'compress' is not what this version writes"),
        ('{"benchmarks": [], "compress": {"schema": 99}}', "written by another version: schema 99, this one reads 1"),
        ("\udcff", "not a stored run"),
    ],
)
def test_a_damaged_run_is_refused_by_name_with_a_remedy(ledger, content, reason):
    ledger.save(document(), "good")
    path = ledger.folder / "0002_bad.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    for read in (lambda: ledger.load(path), lambda: ledger.baseline("embedded", "benches")):
        with pytest.raises(LedgerError) as refused:
            read()
        assert str(refused.value).startswith(f"{path}: ")
        assert reason in str(refused.value)
        assert "move the file out of the ledger (the other runs stay usable)" in str(refused.value)


def test_a_red_run_is_never_chosen(ledger):
    ledger.save(document("green"), "x")
    ledger.save(document("red"), "x")
    ledger.save(document("red"), "x")
    assert ledger.baseline("embedded", "benches").newest.number == "0001"


def test_only_red_runs_are_no_baseline(ledger):
    ledger.save(document("red"), "x")
    assert ledger.baseline("embedded", "benches") is None


def test_an_accepted_run_is_chosen_and_keeps_the_reason(ledger):
    ledger.save(document("green"), "x")
    path = ledger.save(document("red"), "x")
    ledger.accept(ledger.load(path), "the new kernel is worth 300 bytes")
    baseline = ledger.baseline("embedded", "benches")
    assert baseline.newest.number == "0002"
    assert baseline.newest.status == "accepted"
    assert baseline.newest.acceptances("a")[0]["reason"] == "the new kernel is worth 300 bytes"
    assert baseline.newest.acceptances("a")[0]["when"].startswith("20")
    assert baseline.newest.compress["status"] == "red"


@pytest.mark.parametrize(
    ("run", "reason", "refusal"),
    [
        (document("red"), "  ", "needs a reason that the next reader will understand"),
        (document("red", cells=()), "why not", "holds no measured cells"),
        (document("green"), "why not", "may be a baseline already"),
        (document("red", accepted={"reason": "before"}), "again", "may be a baseline already"),
    ],
)
def test_what_cannot_be_accepted_is_refused(ledger, run, reason, refusal):
    path = ledger.save(run, "x")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=refusal):
        ledger.accept(ledger.load(path), reason)
    assert path.read_bytes() == before


def test_an_acceptance_that_cannot_be_written_leaves_the_run_as_it_was(ledger, monkeypatch):
    path = ledger.save(document("red"), "x")
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("compress.claims.ledger.os.replace", full)
    with pytest.raises(LedgerError, match="the acceptance could not be stored"):
        ledger.accept(ledger.load(path), "reason")
    assert path.read_bytes() == before
    assert [one.name for one in ledger.folder.iterdir() if one.name != ".lock"] == [path.name]


def test_green_runs_of_a_part_supply_the_cells_they_have(ledger):
    ledger.save(document(cells=("a", "b", "c")), "whole")
    ledger.save(document(cells=("b",), complete=False), "part")
    ledger.save(document("red", cells=("c",), complete=False), "red part")
    baseline = ledger.baseline("embedded", "benches")
    assert suppliers(baseline) == {"a": "0001", "b": "0002", "c": "0001"}
    assert [run.number for run in baseline.runs] == ["0002", "0001"]


def test_nothing_older_than_the_last_whole_run_is_looked_at(ledger):
    ledger.save(document(cells=("a", "gone")), "x")
    ledger.save(document(cells=("a",)), "x")
    assert suppliers(ledger.baseline("embedded", "benches")) == {"a": "0002"}


def test_a_whole_run_of_another_selection_is_a_part_of_this_one(ledger):
    ledger.save(document(cells=("a", "b")), "x")
    ledger.save(document(cells=("b",), selection="benches/b"), "x")
    assert suppliers(ledger.baseline("embedded", "benches")) == {"a": "0001", "b": "0002"}


def test_runs_at_another_scale_are_passed_over(ledger):
    ledger.save(document(), "x")
    ledger.save(document(scale="paper", cells=("paper/a",)), "x")
    assert suppliers(ledger.baseline("embedded", "benches")) == {"a": "0001", "b": "0001"}
    assert suppliers(ledger.baseline("paper", "benches")) == {"paper/a": "0002"}


def test_a_foreign_run_is_passed_over_and_not_harmed(ledger):
    ledger.save(document(), "x")
    foreign = ledger.folder / "0002_theirs.json"
    foreign.write_text('{"benchmarks": [{"name": "sort", "stats": {}}], "machine_info": {}}')
    before = foreign.read_bytes()
    assert ledger.baseline("embedded", "benches").newest.number == "0001"
    assert ledger.load(foreign).status == "not ours"
    ledger.save(document(), "y")
    assert foreign.read_bytes() == before


def test_other_files_in_the_folder_are_not_runs(ledger):
    ledger.save(document(), "x")
    for name in ("notes.txt", "0002_x.json.part", ".0003_x.json.12.part", "001_x.json"):
        (ledger.folder / name).write_text("{")
    assert [path.name for path in ledger.files()] == ["0001_x.json"]


@pytest.mark.parametrize("name", ["1", "0001", "0001_abc", "0001_abc.json"])
def test_a_run_is_found_by_number_or_name(ledger, name):
    ledger.save(document(cells=("a",)), "abc")
    ledger.save(document(cells=("b",)), "abd")
    assert suppliers(ledger.baseline("embedded", "benches", name)) == {"a": "0001"}


@pytest.mark.parametrize(("name", "count"), [("7", 0), ("1", 2), ("0001_ab", 2), ("benches", 0)])
def test_a_name_that_is_not_of_one_run_is_refused_with_those_there_are(ledger, name, count):
    for file in ("0001_abc.json", "0001_abd.json"):  # two machines' folders, merged
        ledger.folder.mkdir(exist_ok=True)
        (ledger.folder / file).write_text(json.dumps(document()))
    with pytest.raises(LedgerError, match=f"{count} runs match '{name}'; stored runs: 0001, 0001"):
        ledger.find(name)


@pytest.mark.parametrize(
    ("run", "refusal"),
    [
        (
            document("red"),
            r"run 0001 \(red, .*\) cannot be a baseline until it is accepted: `compress-bench accept 0001",
        ),
        (document(scale="paper"), "was made at --scale paper, not embedded"),
        ({"benchmarks": []}, r"run 0001 \(not ours, .*\) holds no measured cells"),
    ],
)
def test_a_named_run_that_cannot_be_compared_with_is_refused(ledger, run, refusal):
    ledger.save(run, "x")
    with pytest.raises(LedgerError, match=refusal):
        ledger.baseline("embedded", "benches", "1")


def test_a_named_green_run_is_the_baseline_though_there_are_newer_ones(ledger):
    for cells in (("a",), ("a", "b")):
        ledger.save(document(cells=cells), "x")
    assert suppliers(ledger.baseline("embedded", "benches", "1")) == {"a": "0001"}


def test_a_run_says_from_which_commit_it_was_made(ledger):
    path = ledger.save({**document(), "commit_info": {"id": "0123456789abcdef"}}, "x")
    assert ledger.load(path).commit == "0123456789"
    assert ledger.load(ledger.save({**document(), "commit_info": None}, "x")).commit == "no commit"


def test_storing_leaves_files_that_anybody_in_the_group_may_read(ledger):
    umask = os.umask(0o022)
    try:
        path = ledger.save(document(), "x")
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o644
