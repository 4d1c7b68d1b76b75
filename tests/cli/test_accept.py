"""A red run is accepted with a reason."""

from tests.cli.stored_run import document


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
