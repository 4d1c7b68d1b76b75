"""The software is checked against what the package declares, and every fault comes with its remedy."""

import shlex
from importlib.metadata import EntryPoint, version

import pytest

from compress.claims.golden import Golden
from compress.claims.stored_run import StoredRun
from compress.cli.doctor import environment
from compress.cli.doctor.environment import (
    check_options,
    check_packages,
    check_plugins,
    check_python,
    check_settings,
)
from tests.cli.stored_run import document

NUMPY = version("numpy")


def states(findings):
    return {one.check: one.state for one in findings}


@pytest.mark.parametrize(
    ("running", "state"), [("3.10.14", "wrong"), ("3.11.0", "ok"), ("3.13.1", "ok"), ("3.14.0", "wrong")]
)
def test_a_python_outside_the_declared_range_is_wrong(running, state):
    assert check_python(running, ">=3.11,<3.14").state == state


def test_a_package_that_is_always_needed_must_be_there_and_fit():
    (found,) = check_packages(["numpy>=1.0", "no-such-distribution-of-ours>=1"])
    assert (found.state, found.said) == ("wrong", "not installed: no-such-distribution-of-ours")
    (found,) = check_packages(["numpy>=9999"])
    assert (found.state, found.said) == ("wrong", f"numpy {NUMPY} is not >=9999")
    assert found.remedy == "pip install --upgrade 'compress-bench'"
    (found,) = check_packages(["numpy>=1.0"])
    assert (found.state, found.said) == ("ok", f"numpy {NUMPY}")


def test_an_extra_may_be_absent_or_partly_there_but_not_unfit():
    declared = [
        'no-such-distribution-of-ours>=1; extra == "absent"',
        'no-such-distribution-of-ours>=1; extra == "part"',
        'numpy>=1; extra == "part"',
        'numpy<1; extra == "unfit"',
        'numpy<1; extra == "all"',
    ]
    found = {one.check: one for one in check_packages(declared)}
    assert {check: one.state for check, one in found.items()} == {
        "extra absent": "ok",
        "extra part": "ok",
        "extra unfit": "wrong",
    }
    assert found["extra absent"].said == "not installed"
    assert found["extra part"].said == f"numpy {NUMPY}; not installed: no-such-distribution-of-ours"
    assert found["extra unfit"].remedy == "pip install --upgrade 'compress-bench[unfit]'"


def test_both_plugins_are_registered_here():
    assert states(check_plugins()) == {"plugin benchmark": "ok", "plugin compress-bench": "ok"}


def test_a_plugin_that_is_not_there_or_breaks_is_wrong(monkeypatch):
    broken = EntryPoint("compress-bench", "no_such_module_of_ours", "pytest11")
    monkeypatch.setattr(environment, "entry_points", lambda **_: [broken])
    missing, breaking = check_plugins()
    assert (missing.check, missing.state) == ("plugin benchmark", "wrong")
    assert "pytest-benchmark" in missing.remedy
    assert (breaking.state, breaking.said.split(":")[:2]) == ("wrong", ["cannot be imported", " ModuleNotFoundError"])


@pytest.mark.parametrize("options", [["-ra", "--benchmark-disable"], ["-p", "no:benchmark"], ["--benchmark-skip"]])
def test_an_option_that_switches_the_gate_off_everywhere_is_wrong(tmp_path, options):
    assert check_options(tmp_path, {"PYTEST_ADDOPTS": shlex.join(options)}).state == "wrong"
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\naddopts = {options}\n")
    found = check_options(tmp_path, {})
    assert (found.state, found.remedy) == ("wrong", f"take {options[-1]} out")
    (tmp_path / "pyproject.toml").write_text(f'[tool.pytest.ini_options]\naddopts = "{" ".join(options)}"\n')
    assert check_options(tmp_path, {}).state == "wrong"


def test_options_that_leave_the_gate_on_are_fine(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = ["--benchmark-quiet"]\n')
    assert check_options(tmp_path, {"PYTEST_ADDOPTS": "-ra"}).state == "ok"
    assert check_options(tmp_path / "nowhere", {}).state == "ok"


def test_plugins_that_pytest_may_not_load_are_wrong(tmp_path):
    assert check_options(tmp_path, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}).state == "wrong"


def test_settings_are_told_where_they_differ_from_the_defaults(tmp_path):
    assert [one.said for one in check_settings(tmp_path)] == ["the limits' defaults"]
    (tmp_path / "pyproject.toml").write_text(
        "[tool.compress]\nallowed-slowdown-fraction = 0.2\n"
        '[[tool.compress.cell]]\nname = "lenet_5: *"\nconfidence = 0.9\n'
    )
    assert [one.said for one in check_settings(tmp_path)] == ["allowed-slowdown-fraction = 0.2; others for lenet_5: *"]


@pytest.mark.parametrize(
    "text", ["[tool.compress]\nno-such-setting = 1\n", "[tool.compress]\nconfidence = 2\n", "[tool"]
)
def test_settings_that_are_not_understood_are_wrong(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    (found,) = check_settings(tmp_path)
    assert found.state == "wrong"
    assert str(tmp_path / "pyproject.toml") in found.remedy


def test_the_golden_file_that_is_named_must_be_readable_and_exist(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.compress]\ngolden = "golden.json"\n')
    path = tmp_path / "golden.json"
    assert states(check_settings(tmp_path)) == {"settings": "ok", "golden file": "warn"}
    Golden(path).accept(StoredRun(tmp_path / "0001_x.json", document()), "first").write()
    assert [one.said for one in check_settings(tmp_path)] == ["the limits' defaults", f"{path}: 1 cells"]
    path.write_text(path.read_text()[:-20])
    assert states(check_settings(tmp_path)) == {"settings": "ok", "golden file": "wrong"}


def test_gaps_that_a_repository_allows_are_told(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.compress]\nallow = ["new", "missing"]\n')
    assert [one.said for one in check_settings(tmp_path)] == ["the limits' defaults; missing, new allowed"]
