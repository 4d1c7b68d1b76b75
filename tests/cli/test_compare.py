"""`compare` says offline of two stored runs what the gate would, with its exit code."""

import json
import os

import numpy as np
import pytest

from compress.claims.golden import Golden
from compress.claims.ledger import Ledger
from compress.claims.timing import TimeComparison
from compress.cli import comparison
from compress.errors import RuntimeCrash
from tests.cli.stored_run import cell, document

CPU = {"cpu": "A", "isa": [], "cores": 2}


@pytest.fixture
def compare(run, ledger):
    """Return a function that stores two runs of these cells and compares them."""

    def call(old, new, *arguments, verdicts=((), ()), **more):
        for cells, judged in zip((old, new), verdicts, strict=True):
            ledger.save(document(verdicts=judged, cells=cells, **more), "x")
        last = len(ledger.files())
        return run("compare", str(last - 1), str(last), "--fail", *arguments)

    return call


@pytest.fixture
def timed(monkeypatch):
    """Let files be timed without any runtime; return the list of pairs, and a function to set what comes of it."""
    pairs = []

    def set_to(verdict, ratio, low, high):
        def time_pair(old, new, runtime, sample, policy):
            pairs.append((old.read_bytes(), new.read_bytes(), runtime, sample))
            allowed = policy.allowed_slowdown_fraction
            return TimeComparison(verdict, ratio, low, high, 9, 2, 0.8, 10, 0.1, "wall", 1e-5, allowed, 1.0)

        monkeypatch.setattr(comparison, "time_pair", time_pair)
        return pairs

    return set_to


def test_two_like_runs_pass(compare):
    code, out, err = compare({"a": cell()}, {"a": cell()})
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "A: run 0001 (green, 2026-11-22T00:11:22, 0123456789)"
    assert lines[1].startswith("B: run 0002 (green")
    assert lines[2:] == [
        "  1 cells in both, 1 alike in all that is judged; told only: 0 differences of quality that may be chance, "
        "0 of time and memory",
        "  time: no timed file changed",
        "passed: nothing got worse",
    ]


def test_a_metric_that_is_in_both_and_changed_fails(compare):
    code, out, _ = compare({"a": cell(ops={"ADD": 1})}, {"a": cell(ops={"ADD": 2})})
    assert "changed: a: ops {ADD: 1} -> {ADD: 2}" in out
    assert (code, out.splitlines()[-1]) == (1, "failed: 1 changed")


@pytest.mark.parametrize(
    ("new", "line", "last"),
    [
        (cell(b"larger model"), "worse: a: raw_bytes 5 -> 12 (+140.00% bytes)", "failed: 1 worse"),
        (cell(right=70), "worse: a: accuracy 90.00% -> 70.00% (-20.00 points; 20 lost", "failed: 1 worse"),
        (cell(ops={"ADD": 2}), None, "passed: nothing got worse"),
        (cell(labels="others"), "changed: a: evaluation_samples labels -> others", "failed: 1 changed"),
        (cell(b"tiny"), "better: a: raw_bytes 5 -> 4 (-20.00% bytes)", "passed: 1 better"),
        (cell(right=89), None, "passed: nothing got worse"),
        (cell(latency_s=1.0), None, "passed: nothing got worse"),
    ],
)
def test_each_difference_is_judged_by_the_nature_of_its_metric(compare, new, line, last):
    code, out, _ = compare({"a": cell()}, {"a": new})
    assert out.splitlines()[-1] == last
    assert code == (1 if last.startswith("failed") else 0)
    if line is None:
        assert not any(text.startswith(("  worse", "  changed", "  better")) for text in out.splitlines())
    else:
        assert any(text.startswith(f"  {line}") for text in out.splitlines())


def test_what_may_be_chance_is_counted(compare):
    _, out, _ = compare({"a": cell(latency_s=1.0)}, {"a": cell(right=89, latency_s=2.0)})
    assert "told only: 1 differences of quality that may be chance, 1 of time and memory" in out


def test_without_fail_the_exit_code_is_0(run, ledger):
    for content in (b"model", b"larger model"):
        ledger.save(document(cells={"a": cell(content)}), "x")
    code, out, _ = run("compare", "1", "2")
    assert (code, out.splitlines()[-1]) == (0, "failed: 1 worse")


def test_the_limits_are_those_of_the_repository(compare, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[[tool.compress.cell]]\nname = "a*"\nminimum-drop-fraction = 0.3\n')
    cells = [{"a": cell(right=right), "b": cell(right=right)} for right in (90, 70)]
    _, out, _ = compare(*cells)
    assert "  worse: b: accuracy" in out
    assert "  worse: a: accuracy" not in out


def test_cells_that_come_and_go_between_whole_runs_are_gaps(compare):
    old = {"a": cell(), "gone": cell(b"gone"), "was": cell(b"same")}
    new = {"a": cell(), "fresh": cell(b"fresh"), "is": cell(b"same")}
    code, out, _ = compare(old, new)
    assert code == 1
    assert "  missing: gone was measured then and not now" in out
    assert "  renamed: was is now called is" in out
    assert "  new: fresh has no baseline" in out
    assert out.splitlines()[-1] == "failed: 1 renamed, 1 missing, 1 new"


def test_gaps_that_the_repository_allows_do_not_fail(compare, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.compress]\nallow = ["missing"]\n')
    code, out, _ = compare({"a": cell(), "gone": cell()}, {"a": cell()})
    assert code == 0
    assert "  missing: gone was measured then and not now (allowed)" in out
    assert out.splitlines()[-1] == "passed: 1 gaps allowed"


def test_parts_of_the_suite_miss_nothing_and_say_so(compare):
    code, out, _ = compare({"a": cell(), "other": cell()}, {"a": cell(), "b": cell(), "c": cell()}, complete=False)
    assert code == 0
    assert "  1 cells only in A, 2 only in B: not two whole runs of one selection" in out


def test_runs_with_nothing_in_common_do_not_pass(compare):
    code, out, _ = compare({"a": cell()}, {"b": cell(b"other")}, complete=False)
    assert code == 1
    assert out.splitlines()[-1] == "failed: 1 empty"


def test_a_claim_that_is_broken_or_no_longer_judged_fails(compare):
    held, broken = ("s/x", "held", "test_x"), ("s/x", "broken", "test_x")
    code, out, _ = compare({"a": cell()}, {"a": cell()}, verdicts=([held], [broken]))
    assert code == 1
    assert "  broken: s/x in test_x: 4, bound >= 5" in out
    assert out.splitlines()[-1] == "failed: 1 broken claims"
    code, out, _ = compare({"a": cell()}, {"a": cell()}, verdicts=([held], [("s/x", "unmeasured", "test_x")]))
    assert (code, out.splitlines()[-1]) == (1, "failed: 1 missing")


def test_other_machines_are_named_and_their_times_told_only(run, ledger):
    for cpu, made in (("A", 5.0), ("B", 60.0)):
        cells = {"a": cell(compress_time_s=made)}
        ledger.save(document(cells=cells, fingerprint={**CPU, "cpu": cpu}), "x")
    code, out, _ = run("compare", "1", "2", "--fail")
    assert code == 0
    assert "  not the same machine or software: cpu: A -> B" in out


@pytest.mark.parametrize(
    ("old", "new", "fingerprint", "fails"),
    [
        (cell(compress_time_s=5.0), cell(compress_time_s=16.0), CPU, True),
        (cell(compress_time_s=5.0), cell(compress_time_s=14.0), CPU, False),
        (cell(compress_time_s=5.0), cell(compress_time_s=16.0), {}, False),
        (cell(compress_time_s=0.1), cell(compress_time_s=2.0), CPU, False),
        (cell(load_time_s=0.1), cell(b"tiny", load_time_s=0.3), CPU, True),
        (cell(load_time_s=0.1), cell(load_time_s=0.3), CPU, False),
    ],
)
def test_load_and_compress_times_are_judged_on_one_machine_and_generously(compare, old, new, fingerprint, fails):
    code, out, _ = compare({"a": old}, {"a": new}, fingerprint=fingerprint)
    assert code == fails
    assert ("  worse: a: " in out) == fails
    assert f"{int(not fails)} of time and memory" in out


def test_a_green_run_before_that_was_as_slow_excuses_a_compress_time(run, ledger):
    for made in (15.0, 5.0, 16.0):
        ledger.save(document(cells={"a": cell(compress_time_s=made)}, fingerprint=CPU), "x")
    assert run("compare", "2", "3", "--fail")[0] == 0
    # a red run excuses nothing
    ledger.save(document("red", cells={"a": cell(compress_time_s=60.0)}, fingerprint=CPU), "x")
    ledger.save(document(cells={"a": cell(compress_time_s=5.0)}, fingerprint=CPU), "x")
    ledger.save(document(cells={"a": cell(compress_time_s=60.0)}, fingerprint=CPU), "x")
    code, out, _ = run("compare", "5", "6", "--fail")
    assert code == 1
    assert "the slowest of 4 green runs" in out


def keep(ledger, tmp_path, *contents):
    for number, content in enumerate(contents):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(content)
        ledger.keep_file(path, cell(content)["sha256"], "litert")


def test_changed_files_are_not_timed_unless_asked_for(compare, timed):
    pairs = timed("failed", 1.5, 1.4, 1.6)
    code, out, _ = compare({"a": cell(b"old")}, {"a": cell(b"new")})
    assert (code, pairs) == (0, [])
    assert "  time: 1 files changed and were not compared; --time runs them beside the older ones" in out


@pytest.mark.parametrize(
    ("found", "last", "code"),
    [
        (("failed", 1.5, 1.4, 1.6), "failed: 1 worse", 1),
        (("undecided", 1.05, 0.9, 1.2), "passed: 1 undecided", 0),
        (("passed", 1.0, 0.98, 1.02), "passed: nothing got worse", 0),
        (("passed", 0.5, 0.4, 0.6), "passed: 1 better", 0),
    ],
)
def test_changed_files_are_run_beside_each_other_on_demand(compare, timed, ledger, tmp_path, found, last, code):
    pairs = timed(*found)
    keep(ledger, tmp_path, b"old", b"new")
    old = {"a": cell(b"old", latency_s=1.0), "same": cell()}
    ended, out, _ = compare(old, {"a": cell(b"new", latency_s=9.0), "same": cell()}, "--time")
    assert pairs == [(b"old", b"new", "litert", None)]
    assert (ended, out.splitlines()[-1]) == (code, last)
    assert "  time: 1 of 1 changed files ran beside the older ones" in out
    unchanged = last == "passed: nothing got worse"
    assert f"{int(unchanged)} of time and memory" in out
    assert ("    a: latency_s 10 µs -> 10 µs (1.00x [0.98, 1.02] in 9 blocks" in out) == unchanged


def test_a_file_that_is_not_kept_or_does_not_run_is_untimed_and_fails(compare, timed, ledger, tmp_path, monkeypatch):
    timed("passed", 1.0, 0.9, 1.0)
    keep(ledger, tmp_path, b"old")
    code, out, _ = compare({"a": cell(b"old")}, {"a": cell(b"new")}, "--time")
    assert code == 1
    assert "  untimed: a: its file changed and was not timed: the file of run 0002" in out

    def crash(*_):
        raise RuntimeCrash("new.tflite: died with SIGSEGV")

    monkeypatch.setattr(comparison, "time_pair", crash)
    keep(ledger, tmp_path, b"old", b"new")
    code, out, _ = compare({"a": cell(b"old")}, {"a": cell(b"new")}, "--time")
    assert code == 1
    assert "  untimed: a: its file changed and could not be timed: new.tflite: died with SIGSEGV" in out


def test_a_run_may_be_a_file_anywhere(run, ledger, tmp_path):
    ledger.save(document(cells={"a": cell()}), "x")
    elsewhere = Ledger(tmp_path / "another machine")
    path = elsewhere.save(document(cells={"a": cell(b"larger model")}), "y")
    code, out, _ = run("compare", "1", str(path), "--fail")
    assert (code, out.splitlines()[-1]) == (1, "failed: 1 worse")


@pytest.fixture
def golden(tmp_path, ledger):
    (tmp_path / "pyproject.toml").write_text('[tool.compress]\ngolden = "golden.json"\n')
    path = ledger.save(document(cells={"a": cell()}, verdicts=[("s/x", "held", "test_x")]), "x")
    Golden(tmp_path / "golden.json").accept(ledger.load(path), "the first").write()
    return tmp_path / "golden.json"


@pytest.mark.parametrize("name", ["golden", "golden.json"])
def test_a_run_is_compared_with_the_golden_file(run, ledger, golden, name):
    ledger.save(document(cells={"a": cell(b"larger model")}), "x")
    code, out, _ = run("compare", name, "2", "--fail", "--time")
    assert out.startswith(f"A: golden file {os.path.relpath(golden)} (accepted ")
    assert "  worse: a: raw_bytes 5 -> 12" in out
    assert "  untimed: a: " not in out
    assert "a golden file keeps no model files" in out
    assert code == 1


def test_the_golden_file_may_be_the_newer_side_and_judges_nothing(run, golden):
    code, out, _ = run("compare", "1", str(golden), "--fail")
    assert (code, out.splitlines()[-1]) == (0, "passed: nothing got worse")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("1", "9"), "0 runs match '9'"),
        (("1", "2"), "run 0002 (green, 2026-11-22T00:11:22, 0123456789) was made at --scale paper, not embedded"),
        (("1", "3"), "holds no measured cells; there is nothing to compare"),
        (("1", "golden"), "no golden file is named"),
        (("1", "4"), "a: stored outcomes are damaged"),
        (("1", "5"), "the verdicts cannot be read (KeyError('verdict')); restore the file"),
        (("1", "nowhere/golden.json"), "0 runs match 'nowhere/golden.json'"),
    ],
)
def test_what_cannot_be_compared_is_one_error(run, ledger, arguments, said):
    ledger.save(document(cells={"a": cell()}), "x")
    ledger.save(document(cells={"a": cell()}, scale="paper"), "x")
    ledger.save(document(cells={}), "x")
    ledger.save(document(cells={"a": {**cell(), "outcomes": {"n": 3}}}), "x")
    damaged = document(cells={"a": cell()})
    damaged["compress"]["verdicts"] = [{"sources": []}]
    ledger.save(damaged, "x")
    code, _, err = run("compare", *arguments)
    assert code == 2
    assert said in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_golden_file_without_the_scale_says_which_it_has(run, ledger, golden):
    ledger.save(document(cells={"a": cell()}, scale="paper"), "x")
    code, _, err = run("compare", "golden", "2")
    assert code == 2
    assert f"{golden}: holds no cells at --scale paper; there are embedded" in err


def test_the_files_are_only_read(run, ledger, golden):
    ledger.save(document(cells={"a": cell(b"larger model")}), "x")
    before = {path: path.read_bytes() for path in [*ledger.files(), golden]}
    run("compare", "1", "2")
    run("compare", "golden", "2")
    assert {path: path.read_bytes() for path in before} == before
    assert json.loads(golden.read_text())["compress"]["kind"] == "golden"


def test_real_files_run_beside_each_other_on_noise_of_their_shape(run, ledger, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper = onnx.helper
    for weight in (1, 2):
        weights = onnx.numpy_helper.from_array(np.full((8, 8), weight, np.float32), "w")
        ends = [helper.make_tensor_value_info(name, 1, [1, 8]) for name in ("x", "y")]
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
        graph = helper.make_graph([node], "tiny", ends[:1], ends[1:], [weights])
        model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        stored = cell(path.read_bytes(), runtime="onnx")
        ledger.keep_file(path, stored["sha256"], "onnx")
        ledger.save(document(cells={"tiny: float32@onnx": stored}), "x")
    (tmp_path / "pyproject.toml").write_text("[tool.compress]\ntime-budget-s = 0.5\n")
    _, out, _ = run("compare", "1", "2", "--time")
    assert "  timing tiny: float32@onnx beside its older file ..." in out
    assert "  time: 1 of 1 changed files ran beside the older ones" in out
