"""`doctor` prints one line a check, each fault with its remedy, and ends with 1 when something is wrong."""

import sys
from importlib.metadata import PackageNotFoundError, version

import pytest

from compress.cli.doctor import environment
from compress.cli.doctor.finding import Finding
from tests.cli.stored_run import document


def test_a_sound_place_ends_with_0(run, ledger):
    ledger.save(document(), "x")
    code, out, err = run("doctor")
    assert (code, err) == (0, "")
    assert {line.split()[0] for line in out.splitlines()[:-2]} <= {"ok", "warn", "->"}
    assert out.splitlines()[-1].startswith("0 wrong, ")


def test_a_damaged_run_ends_with_1_and_says_what_to_do(run, ledger):
    path = ledger.save(document(), "x")
    path.write_text("{")
    code, out, _ = run("doctor")
    assert code == 1
    lines = out.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith(f"wrong  ledger: {path}: not a stored run"))
    assert lines[at + 1].startswith("       -> move the file out of the ledger")
    assert lines[-1].startswith("1 wrong, ")


def test_wrong_settings_end_with_1(run, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.compress]\nno-such-setting = 1\n")
    code, out, _ = run("doctor")
    assert code == 1
    assert "wrong  settings: " in out


def test_without_pytest_benchmark_everything_else_is_still_checked(run, monkeypatch):
    def missing(name):
        if name == "pytest-benchmark":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(environment, "version", missing)
    monkeypatch.setitem(sys.modules, "pytest_benchmark.utils", None)
    code, out, _ = run("doctor", storage=False)
    assert code == 1
    assert "wrong  packages: not installed: pytest-benchmark\n       -> pip install --upgrade 'compress-bench'" in out
    assert "clock: smallest step" in out


def test_no_fault_goes_without_a_remedy():
    with pytest.raises(ValueError, match="disk: a remedy goes with"):
        Finding("wrong", "disk", "full")
    with pytest.raises(ValueError, match="disk: a remedy goes with"):
        Finding("ok", "disk", "free", "none needed")
