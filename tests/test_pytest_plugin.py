"""The plugin as a user meets it: what passes, what fails, what is said, what is stored, and what becomes a baseline."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import compress.gatekeeper
import compress.report.terminal
from compress.artifact import Artifact, sha256_of
from compress.claims.golden import Golden
from compress.claims.ledger import Ledger
from compress.claims.timing import TimeComparison
from compress.errors import LedgerError, RuntimeCrash
from compress.measure.classification import Outcomes
from compress.measure.figure import Figure, Line, figure_from_json
from compress.measure.measurement import Measurement
from compress.measure.metric import METRICS
from compress.workbench import Cell, Workbench

LOADED = compress.report.terminal, compress.gatekeeper
"""Pytest's runs inside this process forget what they were the first to import, and numpy cannot be loaded twice."""

CONFTEST = """
from pathlib import Path

import numpy as np

from compress.subject import Dataset, Subject


def data():
    x, y = np.zeros((8, 4), np.float32), np.zeros(8, np.int64)
    return Dataset("tiny", x, y, x.copy(), y.copy())


def pytest_compress_subjects():
    return [Subject("tiny", None, data, lambda: "tiny-1", parameters=250)]


def pytest_compress_papers():
    return sorted(Path(__file__).parent.glob("paper*.toml"))


def pytest_benchmark_generate_machine_info():
    return {"node": "here"}


def pytest_benchmark_generate_commit_info():
    return {"id": "0123456789abcdef"}
"""

SIZE = """
from compress.claims import *


@claim("team/size", at_least(3.85, why="int8 is a quarter of float32"))
def test_size(compressed):
    return compressed("tiny", "int8").size_ratio
"""

DROP = """
from compress.claims import *


@claim("team/drop", at_most(0.5, why="1,000 samples"))
def test_drop(compressed):
    return compressed("tiny", "float16").accuracy_drop
"""

PAPER = """
[paper]
name = "A paper"

[[table]]
id = "a2024/table-I"
title = "Sizes"
columns = [{ name = "Size", unit = "x" }]
rows = [[4.0]]

[[claim]]
id = "a2024/I/smaller"
paraphrase = "It is smaller"
quantity = "size"
value = 1
direction = "at most"
audit = "holds"
finding = ""

[[claim]]
id = "a2024/I/faster"
paraphrase = "It is faster"
quantity = "latency"
value = 1
direction = "at most"
audit = "holds"
finding = ""
"""


def compared(verdict, ratio=1.0, low=0.98, high=1.02):
    """Return what came of timing a pair of files, made up."""
    return TimeComparison(verdict, ratio, low, high, 9, 2, 0.5, 10.0, 0.3, "wall", 1e-4, 0.05, 1.0)


@dataclass
class Suite:
    """A suite of one subject whose measurements are said here; the rest - plugin, gate, ledger - is the real one."""

    pytester: pytest.Pytester
    values: dict[str, dict[str, object]] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=dict)
    labels: str = "labels"
    error: Exception | None = None
    files: dict[str, str] = field(default_factory=dict)
    times: dict[str, TimeComparison] = field(default_factory=dict)
    timed: list[tuple[bytes, bytes]] = field(default_factory=list)
    allowed: list[float] = field(default_factory=list)
    n: int = 1000
    call_time_s: float = 0.0

    def measure(self, workbench, subject, recipe):
        text = str(recipe)
        reference = recipe == recipe.reference()
        if not reference:
            workbench.compressed(subject.name, recipe.reference())
            if self.error is not None:
                raise self.error
        values = {name: 0 if metric.nature == "exact" else 1e-5 for name, metric in METRICS.items()}
        values |= {"raw_bytes": 1000 if reference else 250, "gzip_bytes": 200, "ops": {"MATMUL": 1}}
        correct = np.arange(self.n) >= self.wrong.get(text, 20)
        noise = np.full(self.n, 0 if reference else 1e-4, np.float32)
        outcomes = Outcomes(correct, noise, np.ones(self.n, np.float32), self.labels)
        values |= {"accuracy": outcomes.accuracy} | self.values.get(text, {})
        exact = {name: value for name, value in values.items() if METRICS[name].nature == "exact"}
        content = json.dumps([exact, self.files.get(text, text)]).encode()  # a measured difference is one of the file
        path = self.pytester.path / "models" / sha256_of(content)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        artifact = Artifact(path, subject.name, text, recipe.runtime, sha256_of(content), 250, 0.1)
        return Cell(subject, recipe, Measurement(artifact, (), values, outcomes), workbench)

    def time_pair(self, old, new, runtime, sample, policy):  # noqa: ARG002 - as the real one is called
        self.timed.append((old.read_bytes(), new.read_bytes()))
        self.allowed.append(policy.allowed_slowdown_fraction)
        found = next(
            (self.times[text] for text in self.times if text in self.timed[-1][1].decode()), compared("passed")
        )
        return replace(found, allowed_slowdown_fraction=policy.allowed_slowdown_fraction)

    def bench(self, text, name="test_bench"):
        folder = self.pytester.path / "benches"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(text)
        return folder / f"{name}.py"

    def run(self, *options, first="benches", **kwargs):
        fast = ("--benchmark-max-time=0.001", "--benchmark-min-rounds=1")
        return self.pytester.runpytest_inprocess(first, *fast, *options, **kwargs)

    @property
    def ledger(self):
        (folder,) = (self.pytester.path / ".benchmarks").iterdir()
        return folder

    @property
    def stored(self):
        return [json.loads(path.read_text()) for path in sorted(self.ledger.glob("*.json"))]

    @property
    def statuses(self):
        return [document["compress"]["status"] for document in self.stored]


class Session:
    """A session whose inferences take the time that the suite says, and else none."""

    input_names = ("input",)

    def __init__(self, suite):
        self.suite = suite

    def bind(self, x1):
        assert x1.shape == (1, 4)
        return lambda: time.sleep(self.suite.call_time_s) if self.suite.call_time_s else None


@pytest.fixture
def suite(pytester, monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("COMPRESS_CACHE_DIR", str(pytester.path / "cache"))
    monkeypatch.setattr("compress.runtime.session.open_session", lambda *_, **__: Session(made))
    made = Suite(pytester)
    monkeypatch.setattr("compress.gatekeeper.time_pair", made.time_pair)
    monkeypatch.setattr(Workbench, "_measure", lambda workbench, *cell: made.measure(workbench, *cell))
    pytester.makeconftest(CONFTEST)
    pytester.makeini("[pytest]\naddopts = --import-mode=importlib --benchmark-quiet\nfilterwarnings = error\n")
    return made


def lines(result):
    return "\n".join(line.rstrip() for line in result.outlines)


HEAVY = {"numpy", "scipy", "rich", "tensorflow", "keras", "onnx", "onnxruntime", "ai_edge_litert"}


def test_asking_for_the_version_imports_nothing_heavy(tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "pytest", "-VV"]  # twice, as once loads no plugin
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path)
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "compress.hookspec" in imported
    assert not HEAVY & imported


def test_a_suite_without_claims_is_left_alone(pytester):
    pytester.makepyfile(f"import sys\n\n\ndef test_plain():\n    assert not {HEAVY!r} & sys.modules.keys()\n")
    result = pytester.runpytest_subprocess("-p", "no:xdist")
    result.assert_outcomes(passed=1)
    assert "cells measured" not in lines(result)
    assert "stored" not in lines(result)


def test_benchmarks_of_others_are_compared_as_ever(suite):
    suite.pytester.makepyfile("def test_sum(benchmark):\n    benchmark(sum, [1, 2])\n")
    fast = ("--benchmark-max-time=0.001", "--benchmark-min-rounds=1", "--benchmark-verbose", "-W", "ignore")
    assert suite.pytester.runpytest_inprocess("--benchmark-autosave", *fast).ret == 0
    result = suite.pytester.runpytest_inprocess("--benchmark-compare", *fast)
    assert result.ret == 0
    assert "Comparing against benchmarks from: " in "\n".join(result.errlines)


def test_a_claim_that_holds_passes_and_is_in_the_table(suite):
    suite.bench(SIZE)
    result = suite.run()
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines(
        [r"verdict\s+claim\s+kind\s+measured\s+bound", r"held\s+team/size\s+theorem\s+4\s+>= 3.85"]
    )
    result.stdout.fnmatch_lines(["2 cells measured; claims: 1 held; 0 changes for the worse", "stored: *0001_*.json"])
    (document,) = suite.stored
    assert document["compress"]["status"] == "green"
    assert document["compress"]["complete"] is True
    assert list(document["compress"]["cells"]) == ["tiny: float32", "tiny: int8"]
    assert [(one["sources"], one["verdict"]) for one in document["compress"]["verdicts"]] == [(["team/size"], "held")]
    assert [one["name"] for one in document["benchmarks"]] == ["tiny: float32", "tiny: int8"]
    assert document["benchmarks"][1]["extra_info"]["raw_bytes"] == 250
    assert document["benchmarks"][1]["params"] == {"subject": "tiny", "recipe": "int8"}


def test_a_broken_claim_fails_with_what_was_measured_the_bound_and_its_reason(suite):
    suite.bench(SIZE)
    suite.values["int8"] = {"raw_bytes": 300}
    result = suite.run("--junit-xml=junit.xml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["broken: team/size", "  measured: 3.3333", "  claimed: >= 3.85", "  because:  int8 is a quarter of float32"]
    )
    assert "broken: team/size" in ET.parse(suite.pytester.path / "junit.xml").find(".//failure").get("message")
    assert suite.statuses == ["red"]


def test_an_undecided_claim_passes_unless_strict(suite):
    suite.bench(DROP)
    suite.wrong["float16"] = 26
    plain = suite.run()
    plain.assert_outcomes(passed=1)
    plain.stdout.re_match_lines(
        [r"undecided\s+team/drop\s+theorem\s+0\.6 \[0\.\d+, 1\.\d+\] points \(n=1000\)\s+<= 0\.5"]
    )
    strict = suite.run("--strict-undecided")
    strict.assert_outcomes(failed=1)
    strict.stdout.fnmatch_lines(["undecided: team/drop", "  note: *6 lost, 0 gained"])


@pytest.mark.parametrize(
    "body",
    [
        'unmeasured("needs CIFAR-10")',
        'pytest.skip("needs CIFAR-10")',
    ],
)
def test_what_cannot_be_measured_is_skipped_and_named_with_its_reason(suite, body):
    suite.bench("import pytest\n" + SIZE.replace("team/size", "team/speed").replace("return", f"{body}\n    return"))
    result = suite.run("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*unmeasured: needs CIFAR-10*"])
    result.stdout.re_match_lines([r"unmeasured\s+team/speed\s+theorem\s+needs CIFAR-10"])
    result.stdout.fnmatch_lines(
        ["nothing was measured, which is no pass", "this run was not stored: no cell was measured"]
    )


@pytest.mark.parametrize(
    ("mark", "outcome", "row"),
    [
        ('@pytest.mark.skip(reason="not today")', {"skipped": 1}, r"unmeasured\s+team/speed\s+theorem\s+not today"),
        ('@pytest.mark.usefixtures("breaks")', {"errors": 1}, r"broken\s+team/speed\s+theorem\s+no disk"),
    ],
)
def test_a_bench_that_never_began_has_a_verdict_too(suite, mark, outcome, row):
    breaks = "import pytest\n\n\n@pytest.fixture\ndef breaks():\n    raise OSError('no disk')\n"
    suite.bench(breaks + SIZE.replace("@claim", f"{mark}\n@claim").replace("team/size", "team/speed"))
    result = suite.run()
    result.assert_outcomes(**outcome)
    result.stdout.re_match_lines([row])


@pytest.mark.parametrize(
    ("scale", "options", "outcome", "row"),
    [
        ("paper", [], {"skipped": 1}, r"unmeasured\s+team/size\s+theorem\s+needs --scale paper"),
        ("paper", ["--scale", "paper"], {"passed": 1}, r"held\s+team/size\s+theorem\s+4 "),
        ("embedded", [], {"passed": 1}, r"held\s+team/size\s+theorem\s+4 "),
        ("big", [], {"failed": 1}, r"broken\s+team/size\s+theorem\s+test_size is marked for scale big"),
    ],
)
def test_a_bench_of_one_scale_is_unmeasured_at_the_other(suite, scale, options, outcome, row):
    suite.bench(f"import pytest\n\npytestmark = pytest.mark.scale({scale!r})\n" + SIZE)
    result = suite.run(*options)
    result.assert_outcomes(**outcome)
    result.stdout.re_match_lines([row])


def test_a_subject_whose_data_is_absent_leaves_its_benches_unmeasured(suite):
    suite.bench(SIZE)
    conftest = suite.pytester.path / "conftest.py"
    conftest.write_text(
        conftest.read_text().replace("parameters=250", "parameters=250, absent=lambda: 'needs the set'")
    )
    result = suite.run()
    result.assert_outcomes(skipped=1)
    result.stdout.re_match_lines([r"unmeasured\s+team/size\s+theorem\s+needs the set"])


def test_a_refuted_claim_passes_under_its_own_name(suite):
    suite.bench(SIZE.replace(', why="int8 is a quarter of float32")', ', why="x"), kind="refuted"'))
    result = suite.run()
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines([r"refuted\s+team/size\s+refuted\s+4\s+>= 3.85"])


def test_a_refuted_claim_whose_counterclaim_breaks_fails_as_such(suite):
    suite.bench(
        SIZE.replace('at_least(3.85, why="int8 is a quarter of float32")', 'at_most(3, why="x"), kind="refuted"')
    )
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["broken: team/size", "  what is asserted instead of the paper's claim: <= 3"])


def test_one_claim_judged_for_several_parameters_carries_the_worst_verdict(suite):
    suite.bench(
        'import pytest\nfrom compress.claims import *\n\n\n@claim("team/size", at_least(3.85, why="x"))\n'
        '@pytest.mark.parametrize("recipe", ["int8", "float16"])\n'
        'def test_size(recipe, compressed):\n    return compressed("tiny", recipe).size_ratio\n'
    )
    suite.values["float16"] = {"raw_bytes": 500}
    result = suite.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.re_match_lines([r"broken 1 of 2\s+team/size\s+theorem\s+2\s+>= 3.85"])


def test_a_bounds_rule_sees_parameters_and_scale(suite):
    suite.bench(
        "import pytest\nfrom compress.claims import *\n\n\n"
        '@claim("team/size", lambda factor, scale: exactly(factor if scale == "paper" else 4, why="x"))\n'
        '@pytest.mark.parametrize("factor", [7])\n'
        'def test_size(factor, compressed):\n    return compressed("tiny", "int8").size_ratio\n'
    )
    suite.run().assert_outcomes(passed=1)
    suite.run("--scale=paper").assert_outcomes(failed=1)
    assert list(suite.stored[1]["compress"]["cells"]) == ["paper/tiny: float32", "paper/tiny: int8"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("pass", "a bench with a claim returns a number, a bool or an Estimate, got None"),
        (
            "return compressed('tiny', 'int8')",
            "a bench with a claim returns a number, a bool or an Estimate, got a Cell",
        ),
        ("return compressed('mnist', 'int8').size_ratio", "no subject 'mnist'; there are tiny"),
        (
            "return compressed('tiny', 'int9').size_ratio",
            "recipe 'int9', column 1: no step 'int9'; did you mean 'int8'",
        ),
    ],
)
def test_a_bench_that_is_wrong_fails_with_one_clear_line(suite, body, said):
    suite.bench(SIZE.replace('return compressed("tiny", "int8").size_ratio', body))
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"{said}*"])
    assert "Traceback" not in lines(result)
    result.stdout.re_match_lines([r"broken\s+team/size"])


@pytest.mark.parametrize("body", ["assert 1 == 2, 'the cells disagree'", "raise KeyError('the cells disagree')"])
def test_any_failure_of_a_bench_is_a_broken_claim(suite, body):
    suite.bench(SIZE.replace('return compressed("tiny", "int8").size_ratio', body))
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r"broken\s+team/size\s+theorem\s+.*the cells disagree"])


def test_a_bench_that_returns_a_value_and_claims_nothing_fails(suite):
    suite.bench('def test_size(compressed):\n    return compressed("tiny", "int8").size_ratio\n')
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_size returns a float and has no @claim to judge it by"])


def test_a_crash_of_the_runtime_is_a_broken_claim_and_the_suite_goes_on(suite):
    suite.bench(SIZE)
    suite.bench('def test_later(compressed):\n    compressed("tiny", "float32")\n', "test_later")
    suite.error = RuntimeCrash("model.tflite: the runtime was killed by SIGSEGV while loading the model")
    result = suite.run()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["broken by a crash: model.tflite: the runtime was killed by SIGSEGV while loading the model"]
    )
    result.stdout.re_match_lines([r"broken\s+team/size\s+theorem\s+model.tflite: the runtime was killed"])


@pytest.mark.parametrize(
    ("source", "known"), [("a2024/I/smaller", True), ("a2024/table-I", True), ("a2024/I/smalller", False)]
)
def test_a_claim_must_name_an_entry_of_its_paper(suite, source, known):
    (suite.pytester.path / "paper.toml").write_text(PAPER)
    suite.bench(SIZE.replace("team/size", source))
    result = suite.run()
    if known:
        result.assert_outcomes(passed=1)
    else:
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: no such claim or table in the papers' files: a2024/I/smalller"])


def test_the_report_counts_how_many_of_the_papers_claims_carry_a_verdict(suite):
    (suite.pytester.path / "paper.toml").write_text(PAPER)
    suite.bench(SIZE.replace("team/size", "a2024/I/smaller"))
    suite.run().stdout.fnmatch_lines(["1 of the papers' 2 claims carry a verdict from this run"])


def test_a_damaged_claims_file_is_one_error(suite):
    (suite.pytester.path / "paper.toml").write_text(PAPER[:200])
    suite.bench(SIZE)
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *paper.toml: not *"])


def test_a_bench_may_read_tables_and_print_its_own(suite):
    (suite.pytester.path / "paper.toml").write_text(PAPER)
    suite.bench(
        "def test_table(paper_table, report_table):\n"
        "    table = report_table('sizes', ('subject', 'printed'))\n"
        "    table.rows.append(('tiny [a]', str(paper_table('a2024/table-I').column('Size')[0])))\n"
    )
    result = suite.run()
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines(["sizes", r"subject\s+printed", r"tiny \[a\]\s+4.0"])


def test_the_stored_run_keeps_the_tables_and_figures_that_benches_add(suite):
    suite.bench(
        "from compress.measure.figure import Line\n" + SIZE + "def test_more(report_table, report_figure):\n"
        "    report_table('sizes', ('subject', 'bytes')).rows.append(('tiny', '250'))\n"
        "    report_figure('loss', x='epoch', y='loss', note='of one').add('tiny', Line([1, 2], [0.5, 0.25]))\n"
    )
    suite.run().assert_outcomes(passed=2)
    stored = suite.stored[0]["compress"]
    assert stored["tables"] == [{"title": "sizes", "columns": ["subject", "bytes"], "rows": [["tiny", "250"]]}]
    (figure,) = map(figure_from_json, stored["figures"])
    assert figure == Figure("loss", "epoch", "loss", "of one").add("tiny", Line([1, 2], [0.5, 0.25]))


def test_a_table_that_no_paper_has_is_one_error(suite):
    suite.bench("def test_table(paper_table):\n    paper_table('a2024/table-I')\n")
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["no paper has a table 'a2024/table-I'"])


def test_the_first_gated_run_passes_and_says_that_it_is_the_first(suite):
    suite.bench(SIZE)
    result = suite.run("--benchmark-compare")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["no baseline: this is the first run here, the next one is compared with it"])
    assert suite.statuses == ["green"]


def test_an_unchanged_second_run_passes(suite):
    suite.bench(SIZE)
    assert suite.run("--benchmark-compare").ret == 0
    result = suite.run("--benchmark-compare")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["baseline: run 0001 (green, *, 0123456789)", "*0 changes for the worse"])
    assert suite.statuses == ["green", "green"]
    assert suite.stored[1]["compress"]["baseline"] == [sorted(suite.ledger.glob("0001_*"))[0].name]


def test_a_bigger_file_fails_the_test_that_measures_it_with_old_and_new(suite):
    suite.bench(SIZE)
    suite.run()
    suite.values["int8"] = {"raw_bytes": 251}
    result = suite.run("--benchmark-compare", "--junit-xml=junit.xml")
    result.assert_outcomes(failed=1)
    assert result.ret == 1
    said = "tiny: int8: raw_bytes 250 -> 251 (+0.40% bytes)"
    result.stdout.fnmatch_lines(["not as in run 0001 (green, *", f"  worse: {said}", f"  worse: {said}"])
    assert said in ET.parse(suite.pytester.path / "junit.xml").find(".//testcase[@name='test_size']/failure").get(
        "message"
    )
    assert suite.statuses == ["green", "red"]


def test_a_worse_accuracy_fails_with_its_evidence(suite):
    suite.bench(DROP.replace("at_most(0.5", "at_most(50"))
    suite.run()
    suite.wrong["float16"] = 60
    result = suite.run("--benchmark-compare")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["  worse: tiny: float16: accuracy 98.00% -> 94.00% (-4.00 points; 40 lost, 0 gained of n=1000; McNemar p=*"]
    )


def test_a_drop_that_may_be_chance_is_told_and_passes(suite):
    suite.bench(DROP.replace("at_most(0.5", "at_most(50"))
    suite.run()
    suite.wrong["float16"] = 23
    result = suite.run("--benchmark-compare")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["  not told from chance: tiny: float16: accuracy 98.00% -> 97.70%*smallest drop that n could show*"]
    )


def test_another_evaluation_set_fails_and_names_accuracy(suite):
    suite.bench(SIZE)
    suite.run()
    suite.labels, suite.wrong = "shuffled", {"int8": 900, "float32": 900}
    result = suite.run("--benchmark-compare")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "  changed: tiny: int8: evaluation_samples labels -> shuffled (*",
            "  worse: tiny: int8: accuracy 98.00% -> 10.00% (*",
        ]
    )


def test_an_improvement_is_told_and_passes(suite):
    suite.bench(SIZE)
    suite.run()
    suite.values["int8"] = {"raw_bytes": 200}
    result = suite.run("--benchmark-compare")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["  better: tiny: int8: raw_bytes 250 -> 200 (-20.00% bytes)"])
    assert suite.statuses == ["green", "green"]


def test_a_red_run_never_becomes_the_baseline(suite):
    suite.bench(SIZE)
    suite.run()
    suite.values["int8"] = {"raw_bytes": 251}
    for _ in range(2):
        result = suite.run("--benchmark-compare")
        assert result.ret == 1
        result.stdout.fnmatch_lines(["not as in run 0001 *"])
    assert suite.statuses == ["green", "red", "red"]


def test_a_plain_run_after_a_regression_passes_is_stored_red_and_is_no_baseline(suite):
    suite.bench(SIZE)
    suite.run()
    suite.values["int8"] = {"raw_bytes": 251}
    plain = suite.run()
    assert plain.ret == 0
    plain.stdout.fnmatch_lines(
        [
            "  worse: tiny: int8: raw_bytes 250 -> 251*",
            "*do not fail a run without --benchmark-compare*from becoming a baseline",
        ]
    )
    assert suite.statuses == ["green", "red"]
    assert suite.run("--benchmark-compare").ret == 1


@pytest.mark.parametrize("body", ["unmeasured('no scores')", "pytest.skip('no scores')", "assert False, 'no scores'"])
def test_a_regression_fails_a_bench_that_goes_on_to_skip_or_fail(suite, body):
    suite.bench(SIZE)
    suite.run()
    suite.bench("import pytest\n" + SIZE.replace("return compressed", "compressed") + f"    {body}\n")
    suite.values["int8"] = {"raw_bytes": 251}
    result = suite.run("--benchmark-compare", "--allow=missing")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*not as in run 0001 *", "*  worse: tiny: int8: raw_bytes 250 -> 251 (+0.40% bytes)"])


def test_a_regression_that_a_fixture_came_upon_fails_the_test_that_uses_it(suite):
    suite.bench(
        "import pytest\n\n\n@pytest.fixture\ndef cell(compressed):\n    return compressed('tiny', 'int8')\n\n\n"
        "def test_cell(cell):\n    pass\n\n\ndef test_other(compressed):\n    pass\n"
    )
    suite.run()
    suite.values["int8"] = {"raw_bytes": 251}
    result = suite.run("--benchmark-compare")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["FAILED *::test_cell*"])


def test_a_cell_that_went_missing_fails_a_whole_run(suite):
    suite.bench(SIZE)
    suite.bench(DROP, "test_drop")
    suite.run()
    (suite.pytester.path / "benches" / "test_drop.py").unlink()
    gated = suite.run("--benchmark-compare", "--junit-xml=junit.xml")
    gated.assert_outcomes(passed=1, failed=1)
    assert gated.ret == 1
    gated.stdout.fnmatch_lines(["  missing: tiny: float16 was measured then and not now (--allow missing to pass)"])
    failure = ET.parse(suite.pytester.path / "junit.xml").getroot().find(".//testcase[@name='missing']/failure")
    assert "tiny: float16 was measured then and not now" in failure.text
    assert suite.run("--benchmark-compare", "--allow=missing").ret == 0
    assert suite.statuses == ["green", "red", "green"]
    assert suite.run("--benchmark-compare").ret == 0


def test_a_cell_that_a_later_part_measured_is_missed_all_the_same(suite):
    suite.bench(SIZE)
    suite.bench(DROP, "test_drop")
    suite.run()
    assert suite.run("-k", "drop").ret == 0
    (suite.pytester.path / "benches" / "test_drop.py").unlink()
    result = suite.run("--benchmark-compare")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["  missing: tiny: float16 *"])


@pytest.mark.parametrize(
    "options",
    [
        ("-k", "size", "--allow=deselected"),
        ("--deselect=benches/test_drop.py", "--allow", "new,deselected"),
        ("--ignore=benches/test_drop.py",),
    ],
)
def test_a_part_of_the_suite_misses_nothing(suite, options):
    suite.bench(SIZE)
    suite.bench(DROP, "test_drop")
    suite.run()
    result = suite.run("--benchmark-compare", *options)
    assert result.ret == 0
    assert "missing" not in lines(result)
    result.stdout.fnmatch_lines(["  this run is of a part: 2 of the 3 cells of the last whole run were measured"])
    assert suite.stored[-1]["compress"]["complete"] is False


@pytest.mark.parametrize("options", [("-k", "size"), ("--deselect=benches/test_drop.py",)])
def test_benches_that_were_left_out_fail_a_gate(suite, options):
    suite.bench(SIZE)
    suite.bench(DROP, "test_drop")
    suite.run()
    result = suite.run("--benchmark-compare", *options)
    result.assert_outcomes(passed=1, failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        ["  deselected: 1 benches were left out: benches/test_drop.py::test_drop (--allow deselected to pass)"]
    )
    assert suite.run(*options).ret == 0


def test_a_run_of_one_test_misses_nothing(suite):
    suite.bench(SIZE)
    suite.bench(DROP, "test_drop")
    suite.run()
    assert suite.run("--benchmark-compare", first="benches/test_drop.py::test_drop").ret == 0


def test_a_suite_whose_benches_are_all_gone_fails(suite):
    suite.bench(SIZE)
    suite.run()
    suite.bench("def test_plain():\n    pass\n")
    result = suite.run("--benchmark-compare")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["  missing: tiny: int8 *", "  empty: nothing was measured, which is no pass *"])


def test_a_gated_run_that_measures_nothing_is_no_pass(suite):
    suite.bench(SIZE.replace("return", "unmeasured('no data')\n    return"))
    result = suite.run("--benchmark-compare")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["nothing was measured, which is no pass"])
    assert suite.run("--benchmark-compare", "--allow=empty").ret == 0


def test_a_new_cell_fails_a_gate_unless_that_is_allowed(suite):
    suite.bench(SIZE)
    suite.run()
    suite.bench(DROP, "test_drop")
    result = suite.run("--benchmark-compare")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["  new: tiny: float16 has no baseline (--allow new to pass)"])
    allowed = suite.run("--benchmark-compare", "--allow=new")
    assert allowed.ret == 0
    allowed.stdout.fnmatch_lines(["  new: tiny: float16 has no baseline (allowed)"])


def test_what_a_repository_allows_needs_no_option(suite):
    suite.bench(SIZE)
    suite.run()
    suite.bench(DROP, "test_drop")
    (suite.pytester.path / "pyproject.toml").write_text('[tool.compress]\nallow = ["new"]\n')
    assert suite.run("--benchmark-compare").ret == 0


def test_a_renamed_cell_is_said_to_be_renamed(suite):
    suite.bench(DROP, "test_drop")
    suite.run()
    suite.bench(DROP.replace("float16", "dynamic_range"), "test_drop")
    suite.files["dynamic_range"] = "float16"
    result = suite.run("--benchmark-compare")
    result.stdout.fnmatch_lines(["  renamed: tiny: float16 is now called tiny: dynamic_range: the same file, *"])
    assert result.ret == 1
    assert "missing" not in lines(result)


@pytest.mark.parametrize("option", ["--allow=all", "--allowed-slowdown=5", "--time-budget=-1", "--confidence=0.2"])
def test_a_limit_without_meaning_is_a_usage_error(suite, option):
    suite.bench(SIZE)
    assert suite.run(option).ret == pytest.ExitCode.USAGE_ERROR


def test_a_run_is_compared_with_the_one_that_is_named(suite):
    suite.bench(SIZE)
    suite.run()
    suite.values["int8"] = {"raw_bytes": 200}
    suite.run()
    suite.values["int8"] = {"raw_bytes": 240}
    assert suite.run("--benchmark-compare").ret == 1
    result = suite.run("--benchmark-compare=1")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["baseline: run 0001 *"])


def test_a_named_red_run_is_refused(suite):
    suite.bench(SIZE)
    suite.values["int8"] = {"raw_bytes": 500}
    suite.run()
    result = suite.run("--benchmark-compare=0001")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: run 0001 (red, *) cannot be a baseline until it is accepted: *"])


def test_another_machine_keeps_sizes_gated_and_is_told(suite, monkeypatch):
    suite.bench(SIZE)
    with monkeypatch.context() as patch:
        patch.setattr("compress.fingerprint.platform.machine", lambda: "abacus")
        suite.run()
    conftest = suite.pytester.path / "conftest.py"
    conftest.write_text(CONFTEST.replace('"here"', '"elsewhere"'))
    result = suite.run("--benchmark-compare")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["  not the same machine or software: machine: abacus -> *"])
    suite.values["int8"] = {"raw_bytes": 251}
    assert suite.run("--benchmark-compare").ret == 1


def test_times_of_two_runs_of_one_file_are_told_and_never_fail(suite):
    suite.bench(SIZE)
    suite.run()
    suite.values["int8"] = {"latency_s": 1e-4}
    result = suite.run("--benchmark-compare")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "  latency in the two runs, told only, of 1 cells; it moved most in",
            "    tiny: int8: latency_s 1e-05 -> 0.0001 (10.00x between two runs, told only) s",
        ]
    )


def test_a_time_that_the_user_gates_makes_a_slower_run_red(suite):
    suite.bench(SIZE)
    suite.run()
    suite.call_time_s = 0.002
    result = suite.run("--benchmark-compare", "--benchmark-compare-fail=min:0.001")
    assert result.ret != 0
    assert "PerformanceRegression: Performance has regressed." in result.stderr.str()
    result.stdout.fnmatch_lines(["stored: *0002_*.json"])
    assert suite.statuses == ["green", "red"]


def test_a_truncated_ledger_file_is_one_error_and_nothing_else_is_touched(suite):
    suite.bench(SIZE)
    suite.run()
    suite.run()
    whole, cut = sorted(suite.ledger.glob("*.json"))
    before = whole.read_bytes()
    cut.write_bytes(cut.read_bytes()[:500])
    for options in ((), ("--benchmark-compare",)):
        result = suite.run(*options)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: {cut}: not a stored run (*); move the file out of the ledger*"])
        assert sum("ERROR" in line for line in result.errlines) == 1
    assert [whole.read_bytes(), len(cut.read_bytes())] == [before, 500]
    cut.unlink()
    assert suite.run("--benchmark-compare").ret == 0


def test_damaged_outcomes_fail_by_file_and_cell(suite):
    suite.bench(SIZE)
    suite.run()
    (path,) = suite.ledger.glob("*.json")
    document = json.loads(path.read_text())
    document["compress"]["cells"]["tiny: int8"]["outcomes"]["noise"] = "00"
    path.write_text(json.dumps(document))
    result = suite.run("--benchmark-compare")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"{path}: tiny: int8: stored outcomes are damaged*"])


def test_a_run_that_cannot_be_stored_fails(suite, monkeypatch):
    suite.bench(SIZE)

    def full(*_):
        raise LedgerError("runs: the run could not be stored: [Errno 28] No space left on device")

    monkeypatch.setattr("compress.claims.ledger.Ledger.save", full)
    result = suite.run()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["this run was not stored: runs: the run could not be stored: [[]Errno 28] No space left on device"]
    )


def test_interrupting_a_run_leaves_no_half_file_and_no_baseline(suite):
    suite.bench(SIZE)
    suite.run()
    suite.bench(
        SIZE + "\n\ndef test_stop(compressed):\n    if compressed('tiny', 'float32').raw_bytes > 1:\n"
        "        raise KeyboardInterrupt\n"
    )
    result = suite.run(no_reraise_ctrlc=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert suite.statuses == ["green", "red"]
    assert suite.stored[1]["compress"]["complete"] is False
    assert not list(suite.ledger.rglob("*.part"))


def test_a_run_stopped_at_the_first_failure_is_red_and_misses_nothing(suite):
    suite.bench(SIZE, "test_a")
    suite.bench(DROP, "test_b")
    suite.run()
    suite.values["int8"] = {"raw_bytes": 500}
    result = suite.run("-x", "--benchmark-compare")
    result.assert_outcomes(failed=1)
    assert "missing" not in lines(result)
    assert suite.statuses == ["green", "red"]


def test_a_bench_that_cannot_be_collected_stores_nothing(suite):
    suite.bench(SIZE)
    suite.run()
    suite.bench("import no_such_module\n", "test_b")
    result = suite.run("--benchmark-compare")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "missing:" not in lines(result)
    assert suite.statuses == ["green"]


def test_a_named_save_keeps_its_name(suite):
    suite.bench(SIZE)
    suite.run("--benchmark-save=release")
    assert [path.name for path in suite.ledger.glob("*.json")] == ["0001_release.json"]


def test_a_json_report_holds_cells_and_verdicts_too(suite):
    suite.bench(SIZE)
    suite.run("--benchmark-json=out.json")
    document = json.loads((suite.pytester.path / "out.json").read_text())
    assert document["compress"] == suite.stored[0]["compress"]
    assert document["compress"]["verdicts"][0]["verdict"] == "held"


def test_a_path_taken_for_a_run_is_explained(suite):
    suite.bench(SIZE)
    for path in ("benches", "benches/test_bench.py", "benches/test_bench.py::test_size"):
        result = suite.pytester.runpytest_inprocess("--benchmark-compare", path)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(
            [
                f"ERROR: --benchmark-compare took '{path}' for the run to compare with. "
                f"Put the path first: `pytest {path} --benchmark-compare`"
            ]
        )


def test_requiring_a_baseline_fails_where_there_is_none(suite):
    suite.bench(SIZE)
    result = suite.run("--benchmark-compare", "--require-baseline")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --require-baseline: *.benchmarks/* holds no green run at this scale"])
    suite.run()
    assert suite.run("--benchmark-compare", "--require-baseline").ret == 0


def test_gating_times_without_a_comparison_is_refused(suite):
    suite.bench(SIZE)
    result = suite.run("--benchmark-compare-fail=min:5%")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --benchmark-compare-fail judges nothing without --benchmark-compare; add it"])


def test_benches_are_benchmarks_to_benchmark_only(suite):
    suite.bench(SIZE + "\n\ndef test_plain():\n    pass\n")
    suite.run("--benchmark-only").assert_outcomes(passed=1, skipped=1)


def test_untimed_runs_are_measured_and_gated(suite):
    suite.bench(SIZE)
    suite.run("--benchmark-disable")
    assert suite.statuses == ["green"]
    assert suite.stored[0]["benchmarks"] == []
    suite.values["int8"] = {"raw_bytes": 251}
    assert suite.run("--benchmark-compare", "--benchmark-disable").ret == 1


def test_claims_without_pytest_benchmark_are_one_error(suite):
    suite.bench(SIZE)
    suite.pytester.makeini("[pytest]\naddopts = --import-mode=importlib\n")
    (suite.pytester.path / "conftest.py").write_text(CONFTEST.split("def pytest_benchmark_generate")[0])
    result = suite.pytester.runpytest_inprocess("benches", "-p", "no:benchmark")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: claims need pytest-benchmark, which keeps the runs: do not switch it off"])


def test_colours_are_used_where_pytest_uses_them(suite):
    suite.bench(SIZE)
    assert "\x1b[32mheld" in suite.run("--color=yes").stdout.str()
    assert "\x1b[" not in suite.run("--color=no").stdout.str()


def test_building_is_announced_through_the_capture(suite, monkeypatch):
    suite.bench(SIZE)
    measure = suite.measure

    def announcing(workbench, subject, recipe):
        workbench.builder.announce(f"building {subject.name}: {recipe}")
        return measure(workbench, subject, recipe)

    monkeypatch.setattr(suite, "measure", announcing)
    suite.run().stdout.fnmatch_lines(["  building tiny: int8 ...", "  building tiny: float32 ..."])
    assert "building tiny" not in lines(suite.run("-q"))


def test_a_changed_file_is_timed_beside_the_one_it_replaces(suite):
    suite.bench(SIZE)
    suite.run()
    suite.files["int8"] = "another"
    suite.times["another"] = compared("failed", 1.2, 1.1, 1.3)
    result = suite.run("--benchmark-compare")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  worse: tiny: int8: latency_s 100 µs -> 120 µs (1.20x [[]1.10, 1.30] in 9 blocks*"])
    ((old, new),) = suite.timed
    assert (b"int8" in old, b"another" in new) == (True, True)


def test_files_that_stayed_the_same_are_not_timed(suite):
    suite.bench(SIZE)
    suite.run()
    suite.run("--benchmark-compare")
    assert suite.timed == []


def test_a_run_without_a_gate_times_nothing_and_leaves_the_file_to_be_judged(suite):
    suite.bench(SIZE)
    suite.run()
    suite.files["int8"] = "another"
    suite.times["another"] = compared("failed", 1.2, 1.1, 1.3)
    assert suite.run().ret == 0
    assert suite.timed == []
    assert suite.run("--benchmark-compare").ret == 1, "the green run in between was never timed"


OF_TINY = "[[tool.compress.cell]]\nname = 'tiny: *'\n"


def test_what_passed_is_not_timed_again_but_what_was_undecided_or_changed_again_is(suite):
    suite.bench(SIZE)
    suite.run()
    suite.files["int8"] = "another"
    suite.times["another"] = compared("undecided")
    suite.run("--benchmark-compare")
    suite.times["another"] = compared("passed")
    suite.run("--benchmark-compare")
    assert len(suite.timed) == 2, "undecided, and timed again"
    suite.run("--benchmark-compare")
    assert len(suite.timed) == 2, "it passed"
    suite.run("--benchmark-compare", "--allowed-slowdown=1%")
    assert len(suite.timed) == 3, "it passed by a wider limit"
    suite.files["int8"] = "a third"
    suite.run("--benchmark-compare")
    assert len(suite.timed) == 4, "another file"


def test_a_plain_run_that_misses_a_cell_passes_and_is_no_baseline(suite):
    suite.bench(SIZE)
    suite.bench(DROP, "test_drop")
    suite.run()
    (suite.pytester.path / "benches" / "test_drop.py").unlink()
    assert suite.run().ret == 0
    assert suite.statuses == ["green", "red"]
    assert suite.run("--benchmark-compare").ret == 1


def test_a_gap_is_no_test_that_could_be_run_again(suite):
    suite.bench(SIZE)
    suite.bench(DROP, "test_drop")
    suite.run()
    (suite.pytester.path / "benches" / "test_drop.py").unlink()
    assert suite.run("--benchmark-compare").ret == 1
    again = suite.run("--lf")
    again.assert_outcomes(passed=1)
    assert "known failures" not in lines(again)


def test_builds_of_another_machine_are_not_compared(suite):
    suite.bench(SIZE)
    suite.values["int8"] = {"compress_time_s": 1.0}
    suite.run()
    (path,) = suite.ledger.glob("*.json")
    path.write_text(path.read_text().replace('"cpu": "', '"cpu": "not '))
    suite.values["int8"] = {"compress_time_s": 100.0}
    assert suite.run("--benchmark-compare").ret == 0


def test_small_steps_do_not_add_up(suite):
    suite.bench(SIZE)
    suite.values["int8"] = {"gzip_bytes": 10_000}
    suite.run()
    for gzip_bytes, code in ((10_060, 0), (10_100, 0), (10_120, 1)):
        suite.values["int8"] = {"gzip_bytes": gzip_bytes}
        result = suite.run("--benchmark-compare")
        assert result.ret == code, lines(result)
    result.stdout.fnmatch_lines(["  worse: tiny: int8: gzip_bytes 10,000 -> 10,120 (+1.20% bytes)"])


@pytest.mark.parametrize(
    ("options", "settings", "decorator", "allowed"),
    [
        ((), "", "", 0.05),
        (("--allowed-slowdown=10%",), "", "", 0.1),
        ((), "allowed-slowdown-fraction = 0.2", "", 0.2),
        (("--allowed-slowdown=0.1",), "allowed-slowdown-fraction = 0.2", "", 0.1),
        (
            ("--allowed-slowdown=0.1",),
            "[[tool.compress.cell]]\nname = 'tiny: *'\nallowed-slowdown-fraction = 0.3",
            "",
            0.3,
        ),
        ((), "allowed-slowdown-fraction = 0.2", "@limits(allowed_slowdown_fraction=0.4)", 0.4),
    ],
)
def test_what_is_allowed_is_said_globally_by_cell_and_by_claim(suite, options, settings, decorator, allowed):
    (suite.pytester.path / "pyproject.toml").write_text(f"[tool.compress]\n{settings}\n")
    suite.bench(SIZE.replace("def test_size", f"{decorator}\ndef test_size"))
    suite.run()
    suite.files["int8"] = "another"
    assert suite.run("--benchmark-compare", *options).ret == 0
    assert suite.allowed == [allowed]


def test_a_cell_of_two_benches_is_gated_by_the_limits_of_each(suite):
    suite.bench(SIZE, "test_a")
    suite.bench(SIZE.replace("def test_size", "@limits(allowed_slowdown_fraction=0.4)\ndef test_size"), "test_b")
    suite.run()
    suite.files["int8"] = "another"
    suite.run("--benchmark-compare")
    assert suite.allowed == [0.05, 0.4]


def test_a_build_that_takes_far_longer_than_ever_fails(suite):
    suite.bench(SIZE)
    for seconds, code in ((2.0, 0), (5.0, 0), (14.0, 0), (50.0, 1)):
        suite.values["int8"] = {"compress_time_s": seconds}
        result = suite.run("--benchmark-compare")
        assert result.ret == code, lines(result)
    result.stdout.fnmatch_lines(
        ["  worse: tiny: int8: compress_time_s 14 s -> 50 s (3.6x the slowest of 3 green runs on this machine *"]
    )


@pytest.mark.parametrize(("again", "code"), [(1.5, 1), (0.6, 0)])
def test_a_changed_file_that_loads_far_slower_than_ever_fails_when_it_does_so_again(suite, monkeypatch, again, code):
    monkeypatch.setattr(Workbench, "load_time_s", lambda *_: again)
    suite.bench(SIZE)
    suite.values["int8"] = {"load_time_s": 0.1}
    suite.run()
    suite.values["int8"] = {"load_time_s": 0.5}
    assert suite.run("--benchmark-compare").ret == 0, "the file stayed the same"
    suite.files["int8"] = "another"
    suite.values["int8"] = {"load_time_s": 5.0}
    result = suite.run("--benchmark-compare")
    assert result.ret == code, lines(result)


def test_a_golden_file_gates_where_there_is_no_ledger(suite):
    suite.bench(SIZE)
    suite.run()
    (path,) = suite.ledger.glob("*.json")
    golden = suite.pytester.path / "golden.json"
    Golden(golden).accept(Ledger(suite.ledger).load(path), "the first", ()).write()
    (suite.pytester.path / "pyproject.toml").write_text('[tool.compress]\ngolden = "golden.json"\n')
    path.unlink()
    same = suite.run("--benchmark-compare", "--require-baseline")
    assert same.ret == 0, lines(same)
    same.stdout.fnmatch_lines(["baseline: golden file golden.json (accepted *: the first)"])
    suite.values["int8"] = {"raw_bytes": 251}
    named = suite.run("--benchmark-compare=golden")
    assert named.ret == 1
    named.stdout.fnmatch_lines(["  worse: tiny: int8: raw_bytes 250 -> 251*"])
    assert suite.timed == []


def test_a_damaged_golden_file_is_one_error(suite):
    suite.bench(SIZE)
    (suite.pytester.path / "golden.json").write_text("{")
    (suite.pytester.path / "pyproject.toml").write_text('[tool.compress]\ngolden = "golden.json"\n')
    result = suite.run("--benchmark-compare")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *golden.json: not a golden file *"])
    assert suite.run().ret == 0, "a run without a gate needs no golden file"


def test_the_report_for_people_is_written_where_it_is_asked_for_and_added_to_the_jobs_summary(suite, monkeypatch):
    summary = suite.pytester.path / "summary.md"
    summary.write_text("# another step\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    suite.bench(SIZE)
    suite.run("--report-markdown=out/benches.md")
    suite.values["int8"] = {"raw_bytes": 251}
    suite.run("--benchmark-compare", "--report-markdown=out/benches.md")
    report = (suite.pytester.path / "out" / "benches.md").read_text()
    assert "failed" in report.splitlines()[0]
    assert "250 -&gt; 251" in report or "250 -> 251" in report or "250 | 251" in report
    assert summary.read_text().startswith("# another step\n")
    assert summary.read_text().endswith(report)


def test_a_report_that_cannot_be_written_is_said_and_nothing_is_lost(suite):
    suite.bench(SIZE)
    (suite.pytester.path / "out").write_text("a file")
    result = suite.run("--report-markdown=out/benches.md")
    result.stdout.fnmatch_lines(["error: out/benches.md: the Markdown report could not be written: *"])
    assert suite.statuses == ["green"]


REAL = """
from compress.claims import *


@claim("team/accuracy", at_least(40, why="200 samples of a rounded matrix"))
def test_accuracy(compressed):
    return compressed("tiny", "rounded(1)@onnx").accuracy


@claim("team/crash", is_true(why="it does not come back"))
def test_crash(compressed):
    return compressed("tiny", "deadly@onnx").raw_bytes > 0
"""

REAL_CONFTEST = """
from tests.tiny_subject import subject


def pytest_compress_subjects():
    return [subject()]
"""


def test_a_real_suite_is_built_run_timed_and_stored_and_a_crash_is_a_verdict(pytester, monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    for name, value in {
        "TINY_STEPS": "1",
        "COMPRESS_CACHE_DIR": str(pytester.path / "cache"),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }.items():
        monkeypatch.setenv(name, value)
    pytester.makeconftest(REAL_CONFTEST)
    pytester.makepyfile(test_real=REAL)
    result = pytester.runpytest_subprocess("--benchmark-max-time=0.01", "-W", "error")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "  building tiny: float32@onnx ...",
            "  building tiny: rounded(1)@onnx ...",
            "broken by a crash: tiny: deadly@onnx: the building process died (a crash, or out of memory)",
            "held *team/accuracy*",
            "broken *team/crash*",
            "2 cells measured; claims: 1 held, 1 broken; *",
        ]
    )
    (path,) = (pytester.path / ".benchmarks").rglob("*.json")
    document = json.loads(path.read_text())
    assert document["compress"]["status"] == "red"
    stored = document["compress"]["cells"]["tiny: rounded(1)@onnx"]
    assert stored["values"]["ops"] == {"MatMul": 1}
    assert stored["outcomes"]["n"] == 200
    assert stored["versions"].keys() == {"onnxruntime"}
    assert document["benchmarks"][1]["stats"]["min"] > 0
