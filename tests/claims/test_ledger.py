"""The ledger stores runs whole, numbers them apart, and lets only green or accepted ones be a baseline."""

import dataclasses
import errno
import json
import multiprocessing
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from compress.artifact import Artifact, sha256_of
from compress.claims.ledger import Baseline, Ledger, cell_to_json
from compress.curve import Curve, curve_from_json
from compress.errors import LedgerError
from compress.measure import sample_pictures
from compress.measure.classification import score
from compress.measure.measurement import Measurement
from compress.measure.picture import picture
from compress.measure.scores import Scores

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


def newest(baseline):
    return {name: run.number for name, (run, _) in baseline.latest.items()}


def anchored(status="green", **anchors):
    """Return a run of the cells `anchors`, each with the file name of the run that it was equal to, or None."""
    run = document(status, cells=tuple(anchors))
    for name, anchor in anchors.items():
        run["compress"]["cells"][name] |= {"anchor": anchor, "time_anchor": anchor} if anchor else {}
    return run


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
        ('{"benchmarks": [], "compress": {"accepted": 3}}', "'compress' is not what this version writes"),
        ('{"benchmarks": [], "compress": {"accepted": [{"cells": 3}]}}', "'compress' is not what this version writes"),
        ('{"benchmarks": [], "compress": {"schema": 99}}', "written by another version: schema 99, this one reads 1"),
        ("\udcff", "not a stored run"),
        ("[" * 100_000, "not a stored run"),
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
        (document("green"), "why not", r"run 0001 \(green, .*\) may be a baseline already"),
        (document("red", accepted={"reason": "before"}), "again", "may be a baseline already"),
        (document("red", accepted=[{"reason": "before", "cells": "all"}]), "again", "may be a baseline already"),
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


def test_what_is_kept_of_a_cell_can_be_compared_again(tmp_path):
    artifact = Artifact(tmp_path / "model.onnx", "lenet_5", "int8", "onnx", "ab" * 32, 10, 0.5)
    outcomes, scores = score(*[np.eye(3, dtype=np.float32), np.arange(3), np.eye(3, dtype=np.float32)]), None
    cell = cell_to_json(
        Measurement(artifact, (), {"raw_bytes": 10}, outcomes, scores, versions={"onnxruntime": "1.31"})
    )
    assert cell == {
        "sha256": "ab" * 32,
        "runtime": "onnx",
        "values": {"raw_bytes": 10},
        "outcomes": OUTCOMES,
        "scores": None,
        "versions": {"onnxruntime": "1.31"},
    }
    scores = Scores.of(np.array([0.25, 0.5], np.float32), np.arange(2))
    cell = cell_to_json(Measurement(artifact, (), {}, scores=scores))
    assert (cell["outcomes"], cell["versions"]) == (None, {})
    assert Scores.from_json(cell["scores"]).mean == 0.375
    trained = dataclasses.replace(artifact, curves=(Curve("loss", "epochs", (1,), (0.5,), "retrain"),))
    seen = {"int8": picture(np.eye(3))}
    cell = json.loads(json.dumps(cell_to_json(Measurement(trained, (), {}, pictures=seen))))
    assert tuple(map(curve_from_json, cell["curves"])) == trained.curves
    assert sample_pictures.from_json(cell["pictures"]) == seen


def test_a_cell_within_tolerance_is_compared_with_its_anchor_again(ledger):
    ledger.save(anchored(a=None, b=None), "x")
    ledger.save(anchored(a="0001_x.json", b=None), "x")
    ledger.save(anchored(a="0001_x.json", b="0002_x.json"), "x")
    baseline = ledger.baseline("embedded", "benches")
    assert suppliers(baseline) == {"a": "0001", "b": "0002"}
    assert newest(baseline) == {"a": "0003", "b": "0003"}
    assert [run.number for run in baseline.runs] == ["0003"]


def test_steps_within_tolerance_do_not_add_up(ledger):
    ledger.save(anchored(a=None), "x")
    for _ in range(5):  # as the plugin stores them: with the name of what they were compared with
        run, _ = ledger.baseline("embedded", "benches").cells["a"]
        ledger.save(anchored(a=run.path.name), "x")
    assert suppliers(ledger.baseline("embedded", "benches")) == {"a": "0001"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text(path.read_text()[:100]),
        lambda path: path.write_text(json.dumps(document("red", cells=("a",)))),
        lambda path: path.write_text(json.dumps(document(cells=("b",)))),
        lambda path: path.write_text(json.dumps(document(cells=("a",), scale="paper"))),
    ],
    ids=["gone", "cut", "red", "without the cell", "of another scale"],
)
def test_a_cell_whose_anchor_is_lost_is_its_own(ledger, damage):
    anchor = ledger.save(anchored(a=None), "x")
    ledger.save(anchored(a=anchor.name), "x")
    assert suppliers(ledger.baseline("embedded", "benches")) == {"a": "0001"}
    damage(anchor)
    assert suppliers(ledger.baseline("embedded", "benches")) == {"a": "0002"}


@pytest.mark.parametrize(
    "anchor", ["../0001_x.json", "0001_/../../0001_x.json", "/0001_x.json", "x", "", 3, ["0001_x.json"], None]
)
def test_an_anchor_that_names_no_run_of_the_ledger_is_none(ledger, anchor):
    (ledger.folder.parent / "0001_x.json").write_text(json.dumps(document(cells=("a",))))
    (ledger.folder / "0001_").mkdir(parents=True)
    run = document(cells=("a",))
    run["compress"]["cells"]["a"]["anchor"] = anchor
    ledger.save(run, "y")
    assert ledger.baseline("embedded", "benches").cells["a"][0].path.name == "0001_y.json"


def test_a_named_run_is_compared_with_as_it_is(ledger):
    ledger.save(anchored(a=None), "x")
    ledger.save(anchored(a="0001_x.json"), "x")
    baseline = ledger.baseline("embedded", "benches", "2")
    assert suppliers(baseline) == newest(baseline) == {"a": "0002"}


def test_an_accepted_cell_is_its_own_anchor_and_the_others_are_not(ledger):
    ledger.save(anchored(a=None, b=None), "x")
    path = ledger.save(anchored("red", a="0001_x.json", b="0001_x.json"), "x")
    ledger.accept(ledger.load(path), "worth it", ["a"])
    assert suppliers(ledger.baseline("embedded", "benches")) == {"a": "0002", "b": "0001"}
    ledger.accept(ledger.load(path), "b too")
    assert suppliers(ledger.baseline("embedded", "benches")) == {"a": "0002", "b": "0002"}


def test_a_green_run_within_tolerance_may_be_accepted_as_the_new_anchor(ledger):
    ledger.save(anchored(a=None), "x")
    run = anchored(a="0001_x.json")
    run["compress"]["cells"]["a"]["time_anchor"] = "0001_x.json"
    path = ledger.save(run, "x")
    ledger.accept(ledger.load(path), "the drift is understood")
    baseline = ledger.baseline("embedded", "benches")
    assert suppliers(baseline) == {"a": "0002"}
    assert baseline.beside["a"][0].number == "0002"
    with pytest.raises(LedgerError, match="there is nothing to accept"):
        ledger.accept(ledger.load(path), "again")


def test_accepting_a_cell_leaves_the_others_their_anchors(ledger):
    ledger.save(anchored(a=None, b=None), "x")
    path = ledger.save(anchored(a="0001_x.json", b="0001_x.json"), "x")
    ledger.accept(ledger.load(path), "the drift of a is understood", ["a"])
    assert suppliers(ledger.baseline("embedded", "benches")) == {"a": "0002", "b": "0001"}


def test_only_the_accepted_cells_of_a_red_run_may_be_baselines(ledger):
    ledger.save(document(cells=("a", "b", "c")), "x")
    path = ledger.save(document("red", cells=("a", "b", "d")), "x")
    ledger.accept(ledger.load(path), "a is worth it", ["a"])
    run = ledger.load(path)
    assert not run.green
    assert run.status == "partly accepted"
    assert [run.may_be_baseline(name) for name in "abd"] == [True, False, False]
    baseline = ledger.baseline("embedded", "benches")
    assert suppliers(baseline) == {"a": "0002", "b": "0001", "c": "0001"}
    assert [one.number for one in baseline.runs] == ["0002", "0001"]
    assert suppliers(ledger.baseline("embedded", "benches", "2")) == {"a": "0002"}


def change(cell, metric, old, new):
    return {"cell": cell, "metric": metric, "old": old, "new": new, "direction": "worse", "detail": ""}


def test_acceptances_tell_who_was_what_before_and_survive_the_next(ledger):
    changes = [change("a", "raw_bytes", "100", "120"), change("a", "scales", "3", "4"), change("b", "ops", "1", "2")]
    path = ledger.save(document("red", changes=changes), "x")
    ledger.accept(ledger.load(path), "first", ["a"], who="Ada <ada@example.org>")
    ledger.accept(ledger.load(path), "then all", who="Bob")
    first, second = ledger.load(path).acceptances()
    assert first["when"] <= second["when"]
    assert {key: first[key] for key in first if key != "when"} == {
        "reason": "first",
        "who": "Ada <ada@example.org>",
        "cells": ["a"],
        "before": {"a": {"raw_bytes": ["100", "120"], "scales": ["3", "4"]}},
    }
    assert (second["reason"], second["who"], second["cells"]) == ("then all", "Bob", "all")
    assert second["before"]["b"] == {"ops": ["1", "2"]}
    assert [one["reason"] for one in ledger.load(path).acceptances("b")] == ["then all"]
    assert ledger.load(path).status == "accepted"


def test_an_acceptance_of_the_first_version_is_of_the_whole_run(ledger):
    path = ledger.save(document("red", accepted={"reason": "before", "when": "2026-11-21"}), "x")
    run = ledger.load(path)
    assert run.green
    assert run.acceptances("a") == [{"reason": "before", "when": "2026-11-21", "cells": "all"}]


def test_an_acceptance_meanwhile_is_not_lost(ledger):
    path = ledger.save(document("red"), "x")
    loaded_before = ledger.load(path)
    ledger.accept(ledger.load(path), "first", ["a"])
    ledger.accept(loaded_before, "second", ["b"])
    assert [one["reason"] for one in ledger.load(path).acceptances()] == ["first", "second"]


@pytest.mark.parametrize(
    ("cells", "refusal"),
    [
        (["a", "z"], r"run 0001 \(partly accepted, .*\) did not measure 'z'; it has 'a', 'b'"),
        (["a"], r"a of run 0001 \(partly accepted, .*\) may be a baseline already; there is nothing to accept"),
    ],
)
def test_a_cell_that_cannot_be_accepted_is_refused(ledger, cells, refusal):
    path = ledger.save(document("red", accepted=[{"reason": "before", "cells": ["a"]}]), "x")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=refusal):
        ledger.accept(ledger.load(path), "reason", cells)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("configured", "who"),
    [
        ({"user.name": "Ada", "user.email": "ada@example.org"}, "Ada <ada@example.org>"),
        ({"user.name": "Ada"}, "Ada"),
        ({"user.email": "ada@example.org"}, "<ada@example.org>"),
        ({}, "lovelace"),
    ],
)
def test_who_accepts_is_gits_user_else_the_login(ledger, tmp_path, monkeypatch, configured, who):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("LOGNAME", "lovelace")
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q", "."], check=True)
    for key, value in configured.items():
        subprocess.run(["git", "config", key, value], check=True)
    path = ledger.save(document("red"), "x")
    ledger.accept(ledger.load(path), "reason")
    assert ledger.load(path).acceptances()[0]["who"] == who


def test_who_accepts_is_the_login_where_there_is_no_git(ledger, monkeypatch):
    monkeypatch.setenv("LOGNAME", "lovelace")
    monkeypatch.setenv("PATH", "")
    path = ledger.save(document("red"), "x")
    ledger.accept(ledger.load(path), "reason")
    assert ledger.load(path).acceptances()[0]["who"] == "lovelace"


def test_history_goes_from_the_oldest_on_and_damage_hides_nothing(ledger):
    for status, scale in (("green", "embedded"), ("red", "embedded"), ("green", "paper"), ("green", "embedded")):
        ledger.save(document(status, scale=scale), "x")
    ledger.save(document("red", cells=()), "x")
    ledger.save({"benchmarks": []}, "theirs")
    cut = ledger.folder / "0001_x.json"
    cut.write_text("{")
    assert [run.number for run in ledger.history("embedded")] == ["0002", "0004"]
    assert [run.number for run in ledger.history()] == ["0002", "0003", "0004"]
    (error,) = ledger.damaged()
    assert str(error).startswith(f"{cut}: not a stored run")


MODEL = b"a model's bytes" * 1000


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(MODEL)
    return path


@pytest.mark.parametrize(("runtime", "suffix"), [("litert", "tflite"), ("onnx", "onnx"), ("keras", "weights.h5")])
def test_a_model_file_is_kept_by_its_content(ledger, model, runtime, suffix):
    assert ledger.file(sha256_of(MODEL), runtime) is None
    kept = ledger.keep_file(model, sha256_of(MODEL), runtime)
    assert kept == ledger.folder / "artifacts" / f"{sha256_of(MODEL)}.{suffix}"
    assert kept.read_bytes() == MODEL
    model.unlink()
    assert ledger.file(sha256_of(MODEL), runtime) == kept
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_a_kept_file_is_not_copied_again_but_young_again(ledger, model):
    kept = ledger.keep_file(model, sha256_of(MODEL), "litert")
    os.utime(kept, (1e9, 1e9))
    inode = kept.stat().st_ino
    model.unlink()
    assert ledger.keep_file(model, sha256_of(MODEL), "litert") == kept
    assert kept.stat().st_ino == inode
    assert kept.stat().st_mtime > 1e9 + 3600


@pytest.mark.parametrize("damaged", [b"", MODEL[:-1], MODEL[:-1] + b"?"], ids=["empty", "cut", "flipped"])
def test_a_damaged_kept_file_counts_as_absent_and_is_replaced(ledger, model, damaged):
    kept = ledger.keep_file(model, sha256_of(MODEL), "litert")
    kept.write_bytes(damaged)
    assert ledger.file(sha256_of(MODEL), "litert") is None
    assert ledger.keep_file(model, sha256_of(MODEL), "litert").read_bytes() == MODEL


def test_a_file_that_is_no_longer_what_was_measured_is_not_kept(ledger, model):
    model.write_bytes(MODEL + b"rebuilt")
    with pytest.raises(LedgerError, match=r"model\.tflite: its content is no longer what was measured"):
        ledger.keep_file(model, sha256_of(MODEL), "litert")
    assert list((ledger.folder / "artifacts").iterdir()) == []


def test_a_file_that_cannot_be_read_is_one_error(ledger, tmp_path):
    with pytest.raises(LedgerError, match=r"gone\.onnx could not be kept: .*No such file"):
        ledger.keep_file(tmp_path / "gone.onnx", "0" * 64, "onnx")


def test_kept_files_are_no_runs(ledger, model):
    ledger.save(document(), "x")
    ledger.keep_file(model, sha256_of(MODEL), "litert")
    assert [path.name for path in ledger.files()] == ["0001_x.json"]
    assert ledger.damaged() == []


def test_a_baseline_gives_the_file_that_new_ones_are_timed_beside(ledger, model):
    for content, keys in (
        (MODEL, {}),
        (b"other", {"anchor": "0001_x.json"}),
        (b"third", {"time_anchor": "0001_x.json"}),
    ):
        model.write_bytes(content)
        run = document(cells=("a",))
        run["compress"]["cells"]["a"] |= {"sha256": sha256_of(content), "runtime": "litert", **keys}
        ledger.keep_file(model, sha256_of(content), "litert")
        ledger.save(run, "x")
        baseline = ledger.baseline("embedded", "benches")
        # values and time have anchors of their own
        assert baseline.file("a").read_bytes() == (b"other" if "anchor" in keys else MODEL)
        assert suppliers(baseline)["a"] == ("0003" if "time_anchor" in keys else "0001")
    baseline.file("a").unlink()
    assert baseline.file("a") is None


def test_a_baseline_without_files_gives_none(ledger):
    ledger.save(document(), "x")
    baseline = ledger.baseline("embedded", "benches")
    assert baseline.file("a") is None  # stored before files were kept
    with_digest = {"a": (baseline.newest, {"sha256": "0" * 64, "runtime": "onnx"})}
    assert Baseline((baseline.newest,), with_digest).file("a") is None
