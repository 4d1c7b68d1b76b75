"""A ledger's faults are named, file by file, each with its remedy."""

import os
import time

import pytest
from filelock import FileLock

from compress.artifact import sha256_of
from compress.cli.doctor import storage
from compress.cli.doctor.storage import (
    check_baselines,
    check_disk,
    check_lock,
    check_parts,
    check_runs,
    check_storage,
    check_writable,
)
from tests.cli.stored_run import document


def states(findings):
    return {one.check: one.state for one in findings}


@pytest.fixture
def kept(ledger, tmp_path):
    """Store a green run of one timed cell, its file kept, and return where."""
    model = tmp_path / "model.tflite"
    model.write_bytes(b"model")
    sha256 = sha256_of(b"model")
    cell = {"sha256": sha256, "runtime": "litert", "values": {"raw_bytes": 5}, "outcomes": {"n": 1}}
    ledger.save(document(cells={"tiny: int8": cell}), "x")
    return ledger.keep_file(model, sha256, "litert")


@pytest.mark.usefixtures("kept")
def test_a_sound_ledger_is_ok_throughout(ledger, tmp_path):
    found = states(check_storage(ledger, tmp_path / "cache"))
    assert set(found.values()) == {"ok"}
    assert "baseline of benches (embedded)" in found
    assert "lock" in found


def test_a_ledger_that_was_never_made_is_no_fault(ledger, tmp_path):
    found = {one.check: one for one in check_storage(ledger, tmp_path / "cache")}
    assert {one.state for one in found.values()} == {"ok"}
    assert "no runs stored yet" in found["ledger"].said
    assert not ledger.folder.exists()


def test_runs_are_counted_by_status(ledger):
    for status in ("green", "red", "green"):
        ledger.save(document(status), "x")
    ledger.save({"benchmarks": []}, "theirs")
    (found,) = check_runs(ledger)
    assert found.said == f"{ledger.folder}: 2 green, 1 red, 1 without cells"


def test_each_damaged_file_is_wrong_and_named(ledger):
    paths = [ledger.save(document(), "x") for _ in range(3)]
    for path in paths[:2]:
        path.write_text("{")
    wrong = [one for one in check_runs(ledger) if one.state == "wrong"]
    assert [one.said.split(":")[0] for one in wrong] == list(map(str, paths[:2]))
    assert all(one.remedy.startswith("move the file out of the ledger") for one in wrong)
    assert list(check_baselines(ledger)) == []


def test_a_suite_without_any_green_run_is_warned_of(ledger):
    ledger.save(document("red"), "x")
    (found,) = check_baselines(ledger)
    assert (found.state, found.said) == ("warn", "none: no run is green or accepted")


def test_a_file_that_is_lost_or_damaged_is_warned_of(ledger, kept):
    kept.write_bytes(b"modem")
    (found,) = check_baselines(ledger)
    assert (found.state, found.said) == ("warn", "the files of 1 of 1 cells are lost or damaged: tiny: int8")
    kept.unlink()
    assert [one.state for one in check_baselines(ledger)] == ["warn"]


def test_half_written_files_are_warned_of_once_nobody_writes_them(ledger, kept):
    part = kept.with_name(".x.tflite.123.part")
    part.write_bytes(b"123")
    assert list(check_parts(ledger, time.time())) == []
    hours_ago = time.time() - 2 * 3600
    os.utime(part, (hours_ago, hours_ago))
    (found,) = check_parts(ledger, time.time())
    assert found.state == "warn"
    assert found.said.endswith(f"3 bytes, such as {part}")


@pytest.mark.parametrize(("free_bytes", "state"), [(49_999_999, "wrong"), (10**8, "warn"), (10**10, "ok")])
def test_a_disk_that_is_nearly_full_is_told(free_bytes, state):
    assert check_disk("disk", free_bytes, "--benchmark-storage").state == state


def test_a_folder_that_cannot_be_written_is_wrong(tmp_path, monkeypatch):
    def refuse(**where):  # root may write anywhere, so that a read-only folder would not do
        raise PermissionError(13, "Permission denied", str(where["dir"]))

    monkeypatch.setattr(storage.tempfile, "TemporaryFile", refuse)
    found = check_writable("cache folder", tmp_path / "cache", "COMPRESS_CACHE_DIR")
    assert (found.state, found.said) == ("wrong", f"{tmp_path}: cannot be written (Permission denied)")
    assert "COMPRESS_CACHE_DIR" in found.remedy


def test_a_file_in_place_of_a_folder_is_wrong(tmp_path):
    (tmp_path / "cache").write_text("")
    found = check_writable("cache folder", tmp_path / "cache" / "below", "COMPRESS_CACHE_DIR")
    assert (found.state, found.said) == ("wrong", f"{tmp_path / 'cache'} is a file")


def test_a_lock_that_somebody_holds_is_wrong(ledger, monkeypatch):
    ledger.save(document(), "x")
    assert check_lock(ledger).state == "ok"
    monkeypatch.setattr(storage, "LOCK_WAIT_S", 0.1)
    with FileLock(ledger.folder / ".lock"):
        assert check_lock(ledger).state == "wrong"
    assert check_lock(ledger).state == "ok"
