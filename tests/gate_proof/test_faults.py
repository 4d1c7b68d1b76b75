"""The gate's proof: a checkout is broken, fault by fault, and the gate must fail and name what got worse.

Every run is a real one: its own process, its own copy of the source, the artifacts built anew by the broken routine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.gate_proof.faults import FAULTS, SUBJECT, Fault

ROOT = Path(__file__).parents[2]
BENCH = f"""
import pytest


@pytest.mark.parametrize("recipe", {sorted({fault.recipe for fault in FAULTS})!r})
def test_cell(recipe, compressed):
    compressed({SUBJECT!r}, recipe)
"""


@dataclass(frozen=True)
class Checkout:
    """A copy of this repository with one bench, a ledger and a cache of its own."""

    path: Path

    def run(self, recipe: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the bench of one recipe, as a user would."""
        return self._run(f"benches/test_proof.py::test_cell[{recipe}]", *options)

    def run_all(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run all benches."""
        return self._run("benches", *options)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COMPRESS_CACHE_DIR": str(self.path / "cache"), "PYTHONPATH": str(self.path)}
        environment.pop("PYTEST_ADDOPTS", None)
        environment.pop("GITHUB_STEP_SUMMARY", None)
        command = [sys.executable, "-m", "pytest", *arguments]
        return subprocess.run(
            command, cwd=self.path, env=environment, capture_output=True, text=True, timeout=600, check=False
        )


@pytest.fixture(scope="module")
def green(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    path = tmp_path_factory.mktemp("proof") / "checkout"
    path.mkdir()
    for name in ("compress", "fixtures"):
        shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, path)
    (path / "benches").mkdir()
    (path / "benches" / "test_proof.py").write_text(BENCH)
    checkout = Checkout(path)
    for recipe in sorted({fault.recipe for fault in FAULTS}):
        done = checkout.run(recipe)
        assert done.returncode == 0, done.stdout + done.stderr
    return checkout


@pytest.fixture
def broken(green: Checkout, request: pytest.FixtureRequest) -> Iterator[Checkout]:
    fault: Fault = request.param
    before = (green.path / fault.file).read_bytes()
    ledger = {path: path.read_bytes() for path in (green.path / ".benchmarks").rglob("*.json")}
    fault.inject(green.path)
    yield green
    (green.path / fault.file).write_bytes(before)
    for path in (green.path / ".benchmarks").rglob("*.json"):
        if path not in ledger:
            path.unlink()


@pytest.mark.parametrize("recipe", sorted({fault.recipe for fault in FAULTS}))
def test_an_unchanged_second_run_passes(recipe: str, green: Checkout) -> None:
    done = green.run(recipe, "--benchmark-compare")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("fault", "broken"), [pytest.param(fault, fault, id=fault.name) for fault in FAULTS], indirect=["broken"]
)
def test_the_gate_fails_and_names_the_metric_with_both_values(
    fault: Fault, broken: Checkout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "junit.xml"
    done = broken.run(fault.recipe, "--benchmark-compare", f"--junit-xml={report}")
    assert done.returncode == 1, done.stdout + done.stderr
    (case,) = ET.parse(report).getroot().iter("testcase")
    failure = case.find("failure")
    assert failure is not None, "JUnit shows the red run as passed"
    named = re.search(rf"{SUBJECT}: {re.escape(fault.recipe)}: {fault.metric} (.+?) -> (\S+).*", str(failure.text))
    assert named is not None, f"{fault.metric} is not named:\n{failure.text}"
    assert named[1] != named[2]
    with capsys.disabled():
        print(f"\n  {fault.name}: {named[0]}", end=" ")  # noqa: T201 - the proof is what it says


def test_a_regression_left_in_place_stays_red_for_five_runs_and_never_becomes_the_baseline(green: Checkout) -> None:
    fault = FAULTS[0]
    before = (green.path / fault.file).read_bytes()
    fault.inject(green.path)
    try:
        for options in ([], *[["--benchmark-compare"]] * 5):
            done = green.run(fault.recipe, *options)
            assert done.returncode == (1 if options else 0), done.stdout + done.stderr
            assert fault.metric in done.stdout
    finally:
        (green.path / fault.file).write_bytes(before)
    assert green.run(fault.recipe, "--benchmark-compare").returncode == 0


@pytest.fixture(scope="module")
def whole(green: Checkout) -> Checkout:
    done = green.run_all()
    assert done.returncode == 0, done.stdout + done.stderr
    return green


@pytest.mark.parametrize(
    ("file", "old", "new", "kind"),
    [
        pytest.param("benches/test_proof.py", "'dynamic_range', ", "", "missing", id="a cell is no longer measured"),
        pytest.param(
            "benches/test_proof.py",
            "    compressed(",
            "    pytest.skip('no data')\n    compressed(",
            "empty",
            id="benches skip",
        ),
        pytest.param(
            "benches/test_proof.py", "'dynamic_range'", "'dynamic_range', 'float16'", "new", id="a cell has no baseline"
        ),
        pytest.param(
            "pyproject.toml",
            '"--strict-markers"',
            '"--strict-markers", "-k", "not dynamic"',
            "deselected",
            id="the configuration leaves benches out",
        ),
    ],
)
def test_the_gate_fails_a_run_that_leaves_something_open(
    file: str, old: str, new: str, kind: str, whole: Checkout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {name: (whole.path / name).read_text() for name in (file, "pyproject.toml")}
    assert before[file].count(old) == 1, f"stale fault: {old!r} is not once in {file}"
    # what this repository allows itself is not what is proved
    (whole.path / "pyproject.toml").write_text(before["pyproject.toml"].replace('allow = ["new"]', "allow = []"))
    (whole.path / file).write_text((whole.path / file).read_text().replace(old, new))
    report = tmp_path / "junit.xml"
    try:
        done = whole.run_all("--benchmark-compare", f"--junit-xml={report}")
    finally:
        for name, text in before.items():
            (whole.path / name).write_text(text)
    assert done.returncode == 1, done.stdout + done.stderr
    failure = ET.parse(report).getroot().find(f".//testcase[@name='{kind}']/failure")
    assert failure is not None, done.stdout
    with capsys.disabled():
        print(f"\n  {kind}: {str(failure.text).splitlines()[0]}", end=" ")  # noqa: T201 - the proof is what it says


def test_a_whole_unchanged_run_passes(whole: Checkout) -> None:
    done = whole.run_all("--benchmark-compare")
    assert done.returncode == 0, done.stdout + done.stderr
