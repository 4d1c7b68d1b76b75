"""A red run, or a cell of it, is accepted with a reason; or a run becomes the golden file."""

import json
import os

import pytest

from compress.claims.golden import Golden
from compress.claims.ledger import Ledger
from tests.cli.stored_run import cell, document

WORSE = {
    "cell": "tiny: int8",
    "metric": "raw_bytes",
    "old": "5",
    "new": "12",
    "direction": "worse",
    "detail": "",
}


@pytest.fixture
def red(ledger):
    """Store a red run of two cells, one of which grew."""
    cells = {"tiny: int8": cell(b"larger model"), "tiny: float16": cell()}
    return ledger.save(document("red", cells=cells, changes=[WORSE]), "x")


def test_accepting_a_red_run_makes_it_a_baseline(run, ledger):
    ledger.save(document("red"), "x")
    assert ledger.baseline("embedded", "benches") is None
    code, out, err = run("accept", "1", "--reason", "the new kernel is worth it")
    assert (code, err) == (0, "")
    assert out == "accepted: run 0001 (accepted, 2026-11-22T00:11:22, 0123456789): the new kernel is worth it\n"
    assert ledger.baseline("embedded", "benches").newest.number == "0001"


def test_accepting_needs_a_reason(run, ledger):
    path = ledger.save(document("red"), "x")
    before = path.read_bytes()
    code, _, err = run("accept", "1")
    assert code == 2
    assert "--reason" in err
    assert path.read_bytes() == before


def test_what_was_what_before_is_told(run, red, ledger):
    _, out, _ = run("accept", "1", "--reason", "worth it")
    assert out.splitlines()[1:] == ["  tiny: int8: raw_bytes 5 -> 12"]
    (stored,) = ledger.load(red).acceptances()
    assert stored["before"] == {"tiny: int8": {"raw_bytes": ["5", "12"]}}


@pytest.mark.parametrize("name", ["tiny: int8", "INT8"])
def test_a_single_cell_may_be_accepted_by_a_part_of_its_name(run, red, ledger, name):
    code, out, _ = run("accept", "1", "--cell", name, "--reason", "worth it")
    assert code == 0
    assert out.startswith("accepted: tiny: int8 of run 0001 (partly accepted, ")
    stored = ledger.load(red)
    assert stored.may_be_baseline("tiny: int8")
    assert not stored.may_be_baseline("tiny: float16")


def test_several_cells_may_be_accepted_at_once(run, red, ledger):
    run("accept", "1", "--cell", "int8", "--cell", "float16", "--reason", "worth it")
    assert ledger.load(red).acceptances()[-1]["cells"] == ["tiny: float16", "tiny: int8"]


def test_a_run_becomes_the_golden_file_and_stays_as_it_is(run, red, tmp_path):
    before = red.read_bytes()
    code, out, _ = run("accept", "1", "--reason", "the first", "--golden", "golden.json")
    assert (code, red.read_bytes()) == (0, before)
    assert out.splitlines() == [
        "accepted: run 0001 (red, 2026-11-22T00:11:22, 0123456789) into golden.json: the first",
        "  2 cells new",
    ]
    golden = Golden.load(tmp_path / "golden.json")
    assert sorted(golden.cells) == ["tiny: float16", "tiny: int8"]
    assert golden.accepted[-1]["reason"] == "the first"


@pytest.mark.usefixtures("red")
def test_a_golden_file_takes_single_cells_and_tells_old_and_new(run, ledger, tmp_path):
    run("accept", "1", "--reason", "the first", "--golden", "golden.json")
    cells = {"tiny: int8": cell(b"tiny"), "tiny: float16": cell(b"other"), "tiny: float32": cell()}
    ledger.save(document(cells=cells), "x")
    _, out, _ = run("accept", "2", "--cell", "int8", "--reason", "smaller", "--golden", "golden.json")
    assert out.splitlines()[1:] == ["  tiny: int8: raw_bytes 12 -> 4"]
    _, out, _ = run("accept", "2", "--reason", "all", "--golden", "golden.json")
    assert out.splitlines()[1:] == ["  tiny: float16: another file, all else alike", "  1 cell new"]
    log = json.loads((tmp_path / "golden.json").read_text())["compress"]["accepted"]
    assert [one["reason"] for one in log] == ["the first", "smaller", "all"]


def test_a_run_of_another_ledger_is_accepted_by_its_path_under_that_ledgers_lock(run, ledger, tmp_path):
    path = Ledger(tmp_path / "ci").save(document("red"), "x")
    code, out, _ = run("accept", os.path.relpath(path, tmp_path), "--reason", "worth it")
    assert code == 0
    assert Ledger(tmp_path / "ci").load(path).status == "accepted"
    assert out.startswith("accepted: run 0001")
    assert not ledger.folder.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cell", "tiny: in8"), "no cell 'tiny: in8' in the stored runs; did you mean 'tiny: int8'"),
        (("--cell", "tiny"), "'tiny' is a part of 2 cells"),
        (("--golden", "damaged.json"), "damaged.json: not a golden file"),
        (("--golden", "damaged.json/golden.json"), "golden file could not be written"),
    ],
)
def test_what_cannot_be_accepted_is_one_error_and_changes_nothing(run, red, tmp_path, arguments, said):
    (tmp_path / "damaged.json").write_text("{")
    before = red.read_bytes()
    code, out, err = run("accept", "1", "--reason", "worth it", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert red.read_bytes() == before
    assert (tmp_path / "damaged.json").read_text() == "{"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.compress]\ngolden = "golden.json"\n')
    return tmp_path / "golden.json"


def test_a_repositorys_golden_file_is_accepted_into_with_the_ledger(run, red, ledger, settings):
    code, out, err = run("accept", "1", "--reason", "worth it")
    assert (code, err) == (0, "")
    assert out.count("accepted: run 0001") == 2
    assert ledger.load(red).green
    assert Golden.load(settings).cells.keys() == {"tiny: int8", "tiny: float16"}


def test_a_green_run_goes_into_the_golden_file_alone(run, ledger, settings):
    path = ledger.save(document("green"), "x")
    before = path.read_bytes()
    code, out, _ = run("accept", "1", "--reason", "the first")
    assert code == 0
    assert f"into {settings}" in out
    assert path.read_bytes() == before
    assert settings.exists()


def test_the_golden_file_can_be_left_as_it_is(run, red, ledger, settings):
    assert run("accept", "1", "--ledger-only", "--reason", "worth it")[0] == 0
    assert ledger.load(red).green
    assert not settings.exists()


def test_what_the_golden_file_refuses_the_ledger_does_not_take_either(run, red, ledger, settings):
    settings.write_text("{")
    code, _, err = run("accept", "1", "--reason", "worth it")
    assert code == 2
    assert "not a golden file" in err
    assert not ledger.load(red).green
