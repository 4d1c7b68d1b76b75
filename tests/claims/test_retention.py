"""Clearing up a ledger removes what nothing will be compared with, and nothing else."""

import os

import pytest

from compress.artifact import sha256_of
from compress.claims import retention
from compress.claims.ledger import Ledger
from compress.errors import LedgerError
from tests.cli.stored_run import document

BIG = 10_000
"""Bytes of a model file here: more than a run's own file has."""

LONG_AGO = (1e9, 1e9)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "runs")


@pytest.fixture
def store(ledger, tmp_path):
    """Return a function that stores a run of old files: cells by name, each with what fills its model file."""

    def add(status="green", *, young=False, anchors=None, of=None, **letters):
        cells = {}
        for name, letter in letters.items():
            model = tmp_path / "model.tflite"
            model.write_bytes(letter.encode() * BIG)
            digest = sha256_of(model.read_bytes())
            kept = ledger.keep_file(model, digest, "litert")
            cells[name] = {"values": {}, "sha256": digest, "runtime": "litert", **(anchors or {})}
            os.utime(kept, None if young else LONG_AGO)
        path = ledger.save(document(status, cells=cells, **(of or {})), "x")
        os.utime(path, None if young else LONG_AGO)
        return path

    return add


def accept(ledger, path, *cells):
    ledger.accept(ledger.load(path), "reason", cells)
    os.utime(path, LONG_AGO)


def removed(plan):
    """Return the numbers of the runs to go, and the letters that fill the model files to go."""
    runs = " ".join(run.number[-2:] for run in plan.remove_runs)
    return runs, "".join(sorted(path.read_text()[0] for path in plan.remove_files))


def test_older_runs_go_with_the_files_that_only_they_measured(ledger, store):
    for letter in "ABCD":
        store(a=letter, b="x")
    store("red", a="E", b="x")
    assert removed(retention.plan(ledger, keep_runs=3)) == ("01 02", "AB")
    assert removed(retention.plan(ledger, keep_runs=5)) == ("", "")


def test_red_runs_go_like_green_ones_and_keep_their_files_while_they_stay(ledger, store):
    for status, letter in (("red", "A"), ("green", "B"), ("red", "C"), ("green", "D")):
        store(status, a=letter)
    assert removed(retention.plan(ledger, keep_runs=2)) == ("01 02", "AB")
    assert removed(retention.plan(ledger, keep_runs=3)) == ("01", "A")


def test_the_last_green_run_stays_however_many_red_ones_follow(ledger, store):
    for status, letter in (("green", "A"), ("green", "B"), *(("red", letter) for letter in "CDEF")):
        store(status, a=letter)
    assert removed(retention.plan(ledger, keep_runs=1)) == ("01 03 04 05", "ACDE")


def test_the_last_whole_green_run_of_each_scale_and_selection_stays(ledger, store):
    store(a="A")
    store(a="B", of={"selection": "benches/a"})
    store(a="C", of={"scale": "paper"})
    for letter in "DE":
        store(a=letter)
    assert removed(retention.plan(ledger, keep_runs=1)) == ("01 04", "AD")


def test_a_red_run_takes_no_green_ones_place(ledger, store):
    store(a="A", of={"selection": "benches/a"})
    store("red", a="B", of={"selection": "benches/a"})
    for letter in "CD":
        store(a=letter)
    assert removed(retention.plan(ledger, keep_runs=1)) == ("02 03", "BC")


def test_the_last_green_run_of_a_part_stays_for_the_cells_it_has(ledger, store):
    store(a="A", b="x", of={"complete": False})
    store(a="B", of={"complete": False})
    store(a="C", of={"complete": False})
    assert removed(retention.plan(ledger, keep_runs=1)) == ("02", "B")


def test_accepted_runs_stay_even_when_one_cell_was(ledger, store):
    accept(ledger, store("red", a="A"))
    accept(ledger, store("red", a="B", b="x"), "a")
    for letter in "CD":
        store(a=letter, b="x")
    assert removed(retention.plan(ledger, keep_runs=1)) == ("03", "C")


def test_what_a_kept_run_is_anchored_to_stays(ledger, store):
    first = store(a="A")
    store(a="B")
    second = store(a="C", anchors={"anchor": first.name})
    store(a="D")
    store(a="E", anchors={"anchor": second.name})
    assert removed(retention.plan(ledger, keep_runs=1)) == ("02 04", "BD")
    store(a="F")
    assert removed(retention.plan(ledger, keep_runs=1)) == ("01 02 03 04 05", "ABCDE")


def test_what_a_kept_run_is_timed_beside_stays(ledger, store):
    first = store(a="A")
    store(a="B")
    store(a="C", anchors={"anchor": "0002_x.json", "time_anchor": first.name})
    assert removed(retention.plan(ledger, keep_runs=1)) == ("", "")


def test_an_anchor_that_is_no_run_keeps_nothing_and_breaks_nothing(ledger, store):
    store(a="A")
    store(a="B", anchors={"anchor": "0009_x.json"})
    assert removed(retention.plan(ledger, keep_runs=1)) == ("01", "A")


def test_clearing_up_leaves_the_baseline_as_it_was(ledger, store):
    first = store(a="A", b="x")
    accept(ledger, store("red", a="B", b="y"), "b")
    for letter in "CDEF":
        store(a=letter, b="y", anchors={"anchor": first.name}, of={"complete": False})
    store("red", a="G", b="z")

    def compared():
        found = ledger.baseline("embedded", "benches")
        cells = {name: (run.number, found.file(name).read_text()[0]) for name, (run, _) in found.cells.items()}
        return cells, {name: run.number for name, (run, _) in found.latest.items()}

    before = compared()
    done = retention.apply(retention.plan(ledger, keep_runs=1))
    assert numbers_gone(done) == ["0003", "0004", "0005"]
    assert compared() == before


def numbers_gone(done):
    assert not any(path.exists() for path in done.removed)
    return [run.number for run in done.remove_runs]


def test_a_young_file_stays_as_its_run_may_be_about_to_be_stored(ledger, store, tmp_path):
    store(a="A")
    store(a="B", young=True)
    store(a="C")
    model = tmp_path / "model.tflite"
    for letter, times in (("Y", None), ("Z", LONG_AGO)):
        model.write_text(letter * BIG)
        os.utime(ledger.keep_file(model, sha256_of(model.read_bytes()), "litert"), times)
    assert removed(retention.plan(ledger, keep_runs=1)) == ("01", "AZ")


def test_foreign_and_damaged_files_stay_and_so_do_the_files_they_name(ledger, store):
    newer_version = store(a="A")
    newer_version.write_text(newer_version.read_text().replace('"schema": 1', '"schema": 2'))
    cut = store(a="B")
    cut.write_text(cut.read_text()[:-40])
    store(a="C")
    store(a="D")
    foreign = [
        ledger.folder / "0000_theirs.json",
        ledger.folder / "notes.txt",
        ledger.folder / "artifacts" / "notes.txt",
        ledger.folder / "artifacts" / f"{'0' * 64}.zip",
        ledger.folder / f"{'0' * 64}.tflite",
        ledger.folder / "x.part",
    ]
    for path in foreign:
        path.write_text('{"benchmarks": []}')
    for path in (*foreign, newer_version, cut):
        os.utime(path, LONG_AGO)
    done = retention.apply(retention.plan(ledger, keep_runs=1))
    assert numbers_gone(done) == ["0003"]
    assert len(done.remove_files) == 1
    assert all(path.exists() for path in (*foreign, newer_version, cut))
    assert sorted(path.read_text()[0] for path in done.kept_files) == ["A", "B", "D"]


@pytest.mark.parametrize("name", [".0002_x.json.4711.part", f"artifacts/.{'0' * 64}.tflite.4711.part"])
def test_what_a_killed_process_left_goes_when_it_is_old(ledger, store, name):
    store(a="A")
    (ledger.folder / name).write_text("half")
    assert retention.plan(ledger).stale_parts == ()
    os.utime(ledger.folder / name, LONG_AGO)
    done = retention.apply(retention.plan(ledger))
    assert done.stale_parts == (ledger.folder / name,)
    assert (done.freed_bytes, (ledger.folder / name).exists()) == (4, False)


def disk_bytes(ledger):
    return sum(path.stat().st_size for path in ledger.folder.rglob("*") if path.is_file())


def test_bytes_are_bounded_from_the_oldest_on(ledger, store):
    for letter in "ABCDE":
        store(a=letter)
    all_bytes = disk_bytes(ledger)
    assert removed(retention.plan(ledger, max_bytes=all_bytes)) == ("", "")
    assert removed(retention.plan(ledger, max_bytes=all_bytes - 1)) == ("01", "A")
    two_runs = 2 * (BIG + (ledger.folder / "0001_x.json").stat().st_size)
    assert removed(retention.plan(ledger, max_bytes=all_bytes - two_runs)) == ("01 02", "AB")
    assert removed(retention.plan(ledger, max_bytes=all_bytes - two_runs - 1)) == ("01 02 03", "ABC")


def test_what_is_said_to_be_freed_and_kept_is_what_the_disk_shows(ledger, store):
    for letter in "ABC":
        store(a=letter)
    before = disk_bytes(ledger)
    plan = retention.plan(ledger, keep_runs=1)
    assert plan.freed_bytes > 2 * BIG
    assert plan.kept_bytes == before - plan.freed_bytes
    assert disk_bytes(ledger) == before
    done = retention.apply(plan)
    assert disk_bytes(ledger) == before - plan.freed_bytes
    assert (done.freed_bytes, done.kept_bytes) == (plan.freed_bytes, plan.kept_bytes)


def test_a_limit_that_cannot_be_met_is_said_and_removes_nothing_that_must_stay(ledger, store):
    store(a="A")
    accept(ledger, store("red", a="B"))
    store(a="C")
    plan = retention.plan(ledger, max_bytes=5)
    assert removed(plan) == ("01", "A")
    assert plan.over_bytes == plan.kept_bytes - 5 > 2 * BIG
    assert retention.plan(ledger, max_bytes=100 * BIG).over_bytes == 0
    assert retention.plan(ledger).over_bytes == 0


def test_the_newest_run_stays_so_that_its_number_is_not_given_away_again(ledger, store):
    store(a="A")
    newest = store("red", a="B")
    retention.apply(retention.plan(ledger, keep_runs=1, max_bytes=0))
    assert newest.exists()
    assert ledger.save(document(), "x").name == "0003_x.json"


def test_what_was_accepted_or_stored_after_planning_stays(ledger, store):
    red = store("red", a="A")
    store("red", a="B")
    store(a="C")
    plan = retention.plan(ledger, keep_runs=1)
    assert removed(plan) == ("01 02", "AB")
    accept(ledger, red)
    store("red", young=True, a="B")
    done = retention.apply(plan)
    assert numbers_gone(done) == ["0002"]
    assert done.remove_files == ()
    assert done.kept_bytes == disk_bytes(ledger)


def test_only_what_was_planned_goes(ledger, store):
    for letter in "AB":
        store(a=letter)
    plan = retention.plan(ledger, keep_runs=1)
    store(a="C")
    assert removed(retention.plan(ledger, keep_runs=1)) == ("01 02", "AB")
    done = retention.apply(plan)
    assert (numbers_gone(done), len(done.remove_files), len(ledger.files())) == (["0001"], 1, 2)


def test_a_file_that_a_run_about_to_be_stored_measured_again_after_planning_stays(ledger, store, tmp_path):
    for letter in "AB":
        store(a=letter)
    plan = retention.plan(ledger, keep_runs=1)
    assert removed(plan) == ("01", "A")
    again = ledger.keep_file(tmp_path / "model.tflite", sha256_of(b"A" * BIG), "litert")
    assert retention.apply(plan).remove_files == ()
    assert again.exists()


def test_removing_needs_the_lock_that_storing_takes(ledger, store, monkeypatch):
    for letter in "AB":
        store(a=letter)
    plan = retention.plan(ledger, keep_runs=1)
    monkeypatch.setattr("compress.claims.ledger.LOCK_TIMEOUT_S", 0.1)
    with ledger.lock, pytest.raises(LedgerError, match=r"could not be cleared up: .*lock"):
        retention.apply(plan)
    assert all(path.exists() for path in plan.removed)


def test_a_ledger_that_does_not_exist_has_nothing_to_remove(ledger):
    done = retention.apply(retention.plan(ledger))
    assert (done.removed, done.freed_bytes, done.kept_bytes) == ((), 0, 0)
    assert not ledger.folder.exists()


@pytest.mark.parametrize("limits", [{"keep_runs": 0}, {"max_bytes": -1}])
def test_limits_without_a_meaning_are_refused(ledger, limits):
    with pytest.raises(LedgerError, match=next(iter(limits))):
        retention.plan(ledger, **limits)
