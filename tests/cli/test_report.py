"""`report` writes one HTML file from the stored runs, or nothing and one error."""

import json

import pytest

from tests.cli.stored_run import cell, document
from tests.cli.test_coverage import CLAIM, PAPER

VERDICTS = [("a2024/I/smaller", "held", "test_smaller"), ("team/size", "broken", "test_size")]


@pytest.fixture
def stored(ledger):
    ledger.save(document(verdicts=VERDICTS, cells={"tiny: int8": cell()}), "x")
    return ledger


@pytest.mark.usefixtures("stored")
def test_claims_of_papers_and_of_the_team_are_written_to_the_file(run, tmp_path):
    (tmp_path / "benches" / "a2024").mkdir(parents=True)
    (tmp_path / "benches" / "a2024" / "paper.toml").write_text(PAPER + CLAIM % ("smaller", "smaller"))
    code, out, err = run("report", "--output", "site/report.html")
    assert (code, err) == (0, "")
    assert out == "site/report.html: 0.0 MB, of run 0001 (green, 2026-11-22T00:11:22, 0123456789)\n"
    text = (tmp_path / "site" / "report.html").read_text()
    for said in ("It is smaller", "at most 1", "a2024/I/smaller", "team/size", "test_size", "tiny: int8"):
        assert said in text


@pytest.mark.usefixtures("stored")
def test_without_papers_all_claims_are_the_teams_own(run, tmp_path):
    assert run("report")[0] == 0
    assert "claims of this repository" in (tmp_path / "report.html").read_text()


def test_a_named_run_is_told_alone(run, stored, tmp_path):
    stored.save(document(verdicts=[("team/size", "held", "test_size")], cells={"tiny: int8": cell()}), "x")
    assert "of run 0002" in run("report")[1]
    assert "of run 0001" in run("report", "--run", "1")[1]
    text = (tmp_path / "report.html").read_text()
    assert "run 0001" in text
    assert 'data-verdict="broken"' in text


def test_a_damaged_run_is_told_here_and_in_the_file_and_hides_no_other(run, stored, tmp_path):
    (stored.folder / "0002_x.json").write_text("{")
    code, _, err = run("report")
    assert code == 0
    assert err.startswith("error: ")
    assert "0002_x.json: not a stored run" in (tmp_path / "report.html").read_text()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--run", "9"], "0 runs match '9'"),
        (["--papers", "nowhere"], "nowhere: no */paper.toml there; name the folder of the benches with --papers"),
        (["--output", "runs"], "runs: the report could not be written"),
    ],
)
def test_what_cannot_be_told_or_written_is_one_error(run, tmp_path, arguments, fault):
    code, out, err = run("report", *arguments)
    assert (code, out) == (2, "")
    assert fault in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "report.html").exists()


def test_without_any_run_it_says_how_to_store_one(run):
    code, _, err = run("report")
    assert code == 2
    assert err.endswith("no runs stored yet; `pytest benches` stores one\n")


def test_damaged_verdicts_are_one_error_and_leave_the_old_file(run, stored, tmp_path):
    (tmp_path / "report.html").write_text("old")
    path = stored.files()[0]
    damaged = json.loads(path.read_text())
    damaged["compress"]["verdicts"] = [{"verdict": "held"}]
    path.write_text(json.dumps(damaged))
    code, _, err = run("report")
    assert code == 2
    assert "its verdicts cannot be read" in err
    assert (tmp_path / "report.html").read_text() == "old"
