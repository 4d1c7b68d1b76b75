"""Whole gated runs of a real suite in processes of their own: its files are built, run, timed, stored and compared."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

CONFTEST = """
from tests.tiny_subject import subject


def pytest_compress_subjects():
    return [subject()]
"""

BENCH = """
import pytest

from compress.claims import *


@claim("team/accuracy", at_least(40, why="200 samples of a rounded matrix"))
@pytest.mark.parametrize("step", [1])
def test_accuracy(compressed, step):
    return compressed("tiny", f"rounded({step})@onnx").accuracy
"""

WIDE = BENCH.replace("[1]", "[0.25, 0.5, 1]")

TIMED = """

@claim("team/latency", at_most(1, why="seconds"))
def test_latency(compressed):
    return compressed("tiny", "float32@onnx").value("latency_s")
"""

DRAWN = """

@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_drawn(name, report_figure):
    from compress.measure.figure import Line

    report_figure("loss", x="epoch").add(name, Line([1, 2], [0.5, 0.25]))
"""


@dataclass
class Repository:
    """A folder with a suite, a ledger and a cache of its own, in which pytest runs as a user runs it."""

    path: Path

    def run(self, *options, work=20_000, step=None):
        environment = {
            **os.environ,
            "TINY_STEPS": "1",
            "TINY_WORK": str(work),
            "COMPRESS_CACHE_DIR": str(self.path / "cache"),
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "TINY_LOG", "GITHUB_STEP_SUMMARY"):
            environment.pop(name, None)
        if step is not None:
            environment["TINY_ROUNDED"] = str(step)
        command = [sys.executable, "-m", "pytest", "benches", "--benchmark-max-time=0.01", *options]
        command += ["-p", "no:hypothesispytest"]  # a second of imports that no bench needs
        return subprocess.run(
            command, cwd=self.path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    @property
    def stored(self):
        return [json.loads(path.read_text())["compress"] for path in sorted(self.path.glob(".benchmarks/*/*.json"))]


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib --benchmark-quiet\n")
    (tmp_path / "benches").mkdir()
    (tmp_path / "benches" / "test_bench.py").write_text(BENCH)
    return Repository(tmp_path)


def failures(path):
    cases = ET.parse(path).getroot().iter("testcase")
    return {case.get("name"): case.find("failure").text for case in cases if case.find("failure") is not None}


def test_a_slower_file_of_the_same_bytes_and_answers_stays_red_for_five_runs(repository):
    assert repository.run().returncode == 0
    for _ in range(5):
        done = repository.run("--benchmark-compare", "--junit-xml=junit.xml", work=80_000)
        assert done.returncode == 1, done.stdout
        failed = failures(repository.path / "junit.xml")
        assert failed
        assert all("worse: tiny: rounded" in text and ": latency_s " in text for text in failed.values())
    assert [run["status"] for run in repository.stored] == ["green", *["red"] * 5]
    done = repository.run("--benchmark-compare")
    assert done.returncode == 0, done.stdout
    assert "2 files are the baseline's own, byte for byte, and need no timing; no file changed" in done.stdout


def test_a_faster_file_is_told_and_is_what_the_next_one_is_timed_beside(repository):
    assert repository.run(work=80_000).returncode == 0
    done = repository.run("--benchmark-compare")
    assert done.returncode == 0, done.stdout
    assert "better: tiny: rounded(1)@onnx: latency_s " in done.stdout
    done = repository.run("--benchmark-compare", work=80_000)
    assert done.returncode == 1, "back to what it was before it became faster"


def test_a_slowdown_that_is_allowed_passes_and_is_remembered(repository):
    assert repository.run().returncode == 0
    (repository.path / "pyproject.toml").write_text("[tool.compress]\nallowed-slowdown-fraction = 50\n")
    done = repository.run("--benchmark-compare", work=21_000)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("  timing tiny: ") == 2
    assert "2 of 2 changed files ran beside their baseline's" in done.stdout
    again = repository.run("--benchmark-compare", work=21_000)
    assert again.returncode == 0, again.stdout
    assert "  timing tiny: " not in again.stdout, "these very files passed a run before"
    assert "2 of 2 changed files ran beside their baseline's" in again.stdout


def test_too_little_time_to_decide_is_undecided_and_fails_only_a_strict_run(repository):
    assert repository.run().returncode == 0
    loose = repository.run("--benchmark-compare", "--time-budget=0.000001", work=20_001)
    assert loose.returncode == 0, loose.stdout
    assert "undecided: tiny: rounded(1)@onnx: latency_s " in loose.stdout
    strict = repository.run("--benchmark-compare", "--time-budget=0.000001", "--strict-undecided", work=20_002)
    assert strict.returncode == 1, strict.stdout


def test_another_machine_is_said_and_its_time_is_told_not_judged(repository):
    assert repository.run().returncode == 0
    (path,) = repository.path.glob(".benchmarks/*/*.json")
    document = json.loads(path.read_text())
    document["compress"]["fingerprint"]["cpu"] = "abacus"
    path.write_text(json.dumps(document))
    done = repository.run("--benchmark-compare", work=80_000)
    assert done.returncode == 0, done.stdout
    assert "not the same machine or software: cpu: abacus -> " in done.stdout
    assert "the baseline was made on another machine (cpu): told, not judged" in done.stdout
    (repository.path / "pyproject.toml").write_text('[tool.compress]\ntime-on-another-machine = "gate"\n')
    assert repository.run("--benchmark-compare", "--benchmark-compare=1", work=80_000).returncode == 1


def test_a_changed_file_whose_old_one_is_lost_fails_unless_that_is_allowed(repository):
    assert repository.run().returncode == 0
    for path in repository.path.glob(".benchmarks/*/artifacts/*"):
        path.unlink()
    done = repository.run("--benchmark-compare", work=20_001)
    assert done.returncode == 1
    assert "untimed: tiny: rounded(1)@onnx: its file changed and was not timed: the ledger no longer" in done.stdout
    assert repository.run("--benchmark-compare", "--allow=untimed", work=20_001).returncode == 0


@pytest.mark.parametrize("option", ["--benchmark-disable", "--benchmark-skip"])
def test_a_changed_file_in_a_run_without_benchmarks_fails_unless_that_is_allowed(repository, option):
    assert repository.run().returncode == 0
    assert repository.run("--benchmark-compare", option).returncode == 0, "nothing changed, nothing to time"
    done = repository.run("--benchmark-compare", option, work=80_000)
    assert done.returncode == 1
    assert "was not timed: benchmarks are switched off" in done.stdout


def test_several_processes_measure_one_run_between_them(repository):
    (repository.path / "benches" / "test_bench.py").write_text(WIDE + TIMED + DRAWN)
    done = repository.run("-n2")
    assert done.returncode == 0, done.stdout
    assert "4 cells measured" in done.stdout
    assert "unmeasured: times are not measured under pytest-xdist" in done.stdout
    (run,) = repository.stored
    assert run["status"] == "green"
    assert run["complete"]
    assert len(run["cells"]) == 4
    (figure,) = run["figures"]
    assert (figure["x"], sorted(figure["series"])) == ("epoch", ["a", "b", "c"])
    assert all("latency_s" not in cell["values"] for cell in run["cells"].values())
    assert all(cell["outcomes"]["n"] == 200 for cell in run["cells"].values())
    same = repository.run("--benchmark-compare", "-n2")
    assert same.returncode == 0, same.stdout
    assert "4 files are the baseline's own, byte for byte" in same.stdout


def test_under_xdist_claims_on_time_that_were_judged_before_are_untimed_and_fail_unless_allowed(repository):
    (repository.path / "benches" / "test_bench.py").write_text(BENCH + TIMED)
    assert repository.run().returncode == 0
    done = repository.run("-n2", "--benchmark-compare")
    assert done.returncode == 1, done.stdout
    assert "untimed: team/latency was judged by test_latency then; now unmeasured: times are not" in done.stdout
    assert repository.run("-n2", "--benchmark-compare", "--allow=untimed").returncode == 0


def test_under_xdist_a_slower_file_is_timed_when_the_workers_are_done(repository):
    assert repository.run("-n2").returncode == 0
    done = repository.run("-n2", "--benchmark-compare", "--junit-xml=junit.xml", work=80_000)
    assert done.returncode == 1, done.stdout
    failed = failures(repository.path / "junit.xml")
    assert "tiny: rounded(1)@onnx: latency_s " in failed["tiny: rounded(1)@onnx"]
    assert [run["status"] for run in repository.stored] == ["green", "red"]


def test_under_xdist_a_worse_model_fails_the_bench_that_measures_it(repository):
    bench = repository.path / "benches" / "test_bench.py"
    bench.write_text(WIDE)
    assert repository.run("-n2").returncode == 0
    (path,) = repository.path.glob(".benchmarks/*/*.json")
    document = json.loads(path.read_text())
    document["compress"]["cells"]["tiny: rounded(1)@onnx"]["values"]["raw_bytes"] -= 1
    path.write_text(json.dumps(document))
    done = repository.run("-n2", "--benchmark-compare")
    assert done.returncode == 1, done.stdout
    assert "FAILED benches/test_bench.py::test_accuracy[1]" in done.stdout
    assert done.stdout.count("worse: tiny: rounded(1)@onnx: raw_bytes") >= 1
    bench.write_text(WIDE.replace("[0.25, 0.5, 1]", "[0.25, 0.5]"))
    gone = repository.run("-n2", "--benchmark-compare")
    assert gone.returncode == 1, gone.stdout
    assert "missing: tiny: rounded(1)@onnx was measured then and not now" in gone.stdout
