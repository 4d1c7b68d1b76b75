"""`history` finds the runs at a scale, whatever else the ledger holds."""

import pytest

from tests.cli.stored_run import document


def sized(raw_bytes, status="green", **more):
    return document(status, cells={"tiny: int8": {"values": {"raw_bytes": raw_bytes, "sparsity": 0.5}}}, **more)


@pytest.fixture(autouse=True)
def three_runs(ledger):
    for raw_bytes, status in ((100, "green"), (150, "red"), (110, "green")):
        ledger.save(sized(raw_bytes, status), "x")


def test_a_metric_of_a_cell_is_a_line_a_run(run):
    code, out, err = run("history", "tiny: int8", "raw_bytes")
    assert (code, err) == (0, "")
    assert [(line.split()[0], line.split()[4]) for line in out.splitlines()[2:5]] == [
        ("0001", "100"),
        ("0002", "150"),
        ("0003", "110"),
    ]
    assert out.splitlines()[-1] == "▁█▂  lowest 100, highest 150"


def test_a_cell_alone_shows_all_its_metrics(run):
    _, out, _ = run("history", "int8")
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["raw_bytes", "sparsity"]


def test_a_metric_alone_shows_all_cells(run, ledger):
    ledger.save(document(cells={"other: float16": {"values": {"raw_bytes": 1}}}), "x")
    _, out, _ = run("history", "raw_bytes")
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["other:", "tiny:"]


def test_runs_at_another_scale_are_another_history(run, ledger):
    ledger.save(sized(999, scale="paper"), "x")
    assert "999" not in run("history", "int8", "raw_bytes")[1]
    assert "0004" in run("history", "int8", "raw_bytes", "--scale", "paper")[1]


def test_a_damaged_run_is_named_and_hides_no_other(run, ledger):
    path = ledger.save(sized(1), "cut")
    path.write_text("{")
    code, out, err = run("history", "int8", "raw_bytes")
    assert code == 0
    assert "0003" in out
    assert err.startswith(f"error: {path}: not a stored run")


def test_a_line_is_not_broken_where_it_is_long(run, ledger, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    accepted = {"reason": "because " + "of the kernel " * 12, "when": "2026-11-22"}
    ledger.save(sized(170, "red", accepted=accepted), "x")
    _, out, _ = run("history", "int8", "raw_bytes")
    assert f"      accepted 2026-11-22: {accepted['reason']}".rstrip() in [line.rstrip() for line in out.splitlines()]
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tiny: in8",), "no cell 'tiny: in8' in the stored runs; did you mean 'tiny: int8'?"),
        (("int8", "raw_byte5"), "no metric 'raw_byte5' in the stored runs; did you mean 'raw_bytes'?"),
        (("int8", "--scale", "paper"), "no runs with cells at scale paper; try --scale embedded"),
    ],
)
def test_what_is_not_there_is_one_error(run, arguments, said):
    code, out, err = run("history", *arguments)
    assert (code, out) == (2, "")
    assert err.endswith(f"{said}\n")
    assert err.count("\n") == 1


def test_an_empty_ledger_says_what_stores_a_run(run, tmp_path):
    code, _, err = run("history", "int8", "--storage", str(tmp_path / "nothing"), storage=False)
    assert code == 2
    assert "no runs with cells at scale embedded; `pytest benches` stores one" in err
