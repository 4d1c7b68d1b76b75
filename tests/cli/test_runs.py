"""The stored runs are listed, whatever state they are in."""

from compress.claims.ledger import Ledger
from tests.cli.stored_run import document


def test_runs_are_listed_with_what_tells_them_apart(run, ledger):
    ledger.save(document(), "x")
    ledger.save(document("red", scale="paper", selection="benches/a2024", complete=False), "x")
    code, out, err = run("runs")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["0001", "green", "embedded", "2026-11-22T00:11:22", "0123456789", "1", "benches"],
        ["0002", "red", "paper", "2026-11-22T00:11:22", "0123456789", "1", "benches/a2024", "(a", "part)"],
    ]


def test_a_damaged_run_hides_no_other(run, ledger):
    path = ledger.save(document(), "cut")
    ledger.save(document(), "x")
    path.write_text("{")
    code, out, err = run("runs")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["0001", "damaged"], ["0002", "green"]]
    assert err.startswith(f"error: {path}: not a stored run")


def test_runs_of_other_benchmarks_are_counted(run, ledger):
    ledger.save({"benchmarks": []}, "theirs")
    ledger.save(document(), "ours")
    _, out, _ = run("runs")
    assert "0001" not in out
    assert out.splitlines()[-1] == "and 1 of other benchmarks, left alone"


def test_an_empty_ledger_says_what_stores_a_run(run, ledger):
    code, out, _ = run("runs")
    assert code == 0
    assert out.replace("\n", "") == f"{ledger.folder}: no runs stored yet; `pytest benches` stores one"


def test_the_ledger_is_found_where_pytest_benchmark_keeps_it(run, tmp_path):
    from pytest_benchmark.utils import get_machine_id

    Ledger(tmp_path / ".benchmarks" / get_machine_id()).save(document(), "x")
    _, out, _ = run("runs", storage=False)
    assert "0001  green" in out


def test_a_run_outside_of_any_repository_has_no_commit(run, ledger):
    ledger.save({**document(), "commit_info": {"id": "unversioned"}}, "x")
    _, out, _ = run("runs")
    assert "no commit" in out.splitlines()[1]
    assert "unversion" not in out
