"""`gc` says what it removes before and after, keeps what is needed, and reads sizes strictly."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.cli.gc import format_bytes, parse_bytes
from compress.errors import LedgerError
from tests.cli.stored_run import cell, document


@pytest.fixture
def hoard(ledger, tmp_path):
    """Store four runs, each with a model file of its own, and a half-written file; all of them are hours old."""
    for number, status in enumerate(("green", "red", "green", "green")):
        content = b"%d" % number * 1000
        model = tmp_path / "model.tflite"
        model.write_bytes(content)
        ledger.keep_file(model, cell(content)["sha256"], "litert")
        ledger.save(document(status, cells={"tiny: int8": cell(content)}), "x")
    (ledger.folder / ".0005_x.json.123.part").write_bytes(b"half")
    then = time.time() - 7200
    for path in (*ledger.folder.iterdir(), *(ledger.folder / "artifacts").iterdir()):
        os.utime(path, (then, then))
    return lambda: sorted(path.name for path in ledger.folder.rglob("*") if path.is_file() and path.name != ".lock")


def test_a_dry_run_says_what_would_go_and_removes_nothing(run, hoard):
    before = hoard()
    code, out, err = run("gc", "--keep-runs", "2", "--dry-run")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split(" (")[0] for line in lines[:2]] == ["would remove run 0001", "would remove run 0002"]
    assert lines[2:4] == ["would remove 2 model files that no kept run measured", "would remove 1 half-written files"]
    assert " would be freed; 2 runs and 2 model files stay, " in lines[4]
    assert hoard() == before


def test_what_was_said_is_removed(run, hoard, ledger):
    before = hoard()
    promised = run("gc", "--keep-runs", "2", "--dry-run")[1]
    _, out, _ = run("gc", "--keep-runs", "2")
    assert out == promised.replace("would remove", "removed").replace("would be freed", "were freed")
    assert len(before) - len(hoard()) == 5
    assert [path.name[:4] for path in ledger.files()] == ["0003", "0004"]
    assert run("gc", "--keep-runs", "2")[1].startswith("0 bytes were freed; 2 runs and 2 model files stay")


def test_a_limit_that_cannot_be_met_says_so_and_keeps_what_is_needed(run, hoard, ledger):
    assert hoard()
    code, out, _ = run("gc", "--max-bytes", "1kB")
    assert code == 0
    assert "more than was asked for, and all of it must stay" in out.splitlines()[-1]
    assert [path.name[:4] for path in ledger.files()] == ["0004"]


def test_a_limit_that_is_met_is_no_matter(run, hoard):
    before = hoard()
    _, out, _ = run("gc", "--max-bytes", "1MB")
    assert out.splitlines()[0] == "removed 1 half-written files"
    assert "more than was asked for" not in out
    assert len(before) - len(hoard()) == 1


def test_a_ledger_that_was_never_made_has_nothing_to_free(run, ledger):
    code, out, err = run("gc")
    assert (code, out, err) == (0, "0 bytes were freed; 0 runs and 0 model files stay, 0 bytes\n", "")
    assert not ledger.folder.exists()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("123", 123),
        ("123B", 123),
        ("2GB", 2_000_000_000),
        ("500 MB", 500_000_000),
        ("1.5kB", 1500),
        ("1KB", 1000),
        ("1KiB", 1024),
        ("2GiB", 2 * 1024**3),
        ("1TB", 10**12),
    ],
)
def test_a_size_is_a_number_and_a_unit(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "2 gigs", "1M", "1,5GB", "1e9", "nan", "2GB!", "0x10", "٣GB"])
def test_any_other_size_is_one_error(run, ledger, text):
    with pytest.raises(LedgerError, match="a size is a number and a unit, such as 500MB"):
        parse_bytes(text)
    ledger.save(document(), "x")
    code, out, err = run("gc", f"--max-bytes={text}")
    assert (code, out) == (2, "")
    assert err.startswith("error: a size is a number")


def test_fewer_than_one_run_is_one_error(run):
    code, _, err = run("gc", "--keep-runs", "0")
    assert code == 2
    assert err.startswith("error: at least 1 run")


@given(st.integers(0, 10**15))
def test_a_size_reads_back_to_four_digits(count):
    said = format_bytes(count)
    assert parse_bytes(said.replace(" bytes", "")) == pytest.approx(count, rel=1e-3)
