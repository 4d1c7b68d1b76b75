"""Whatever a model file does to its runtime, the caller gets an answer that names the file, the stage and the cause."""

from pathlib import Path

import numpy as np
import pytest

from compress.errors import ModelFileError, RuntimeCrash
from compress.runtime import workers
from compress.runtime.isolation import _cause, run_isolated


@pytest.fixture(params=["a process for each", "forked from one"])
def run(tmp_path, scripted_runtime, request, monkeypatch):  # noqa: ARG001
    """Return a function that runs a script as a model file."""
    monkeypatch.setattr(workers, "FORKED", ("scripted",) if request.param == "forked from one" else ())
    np.save(tmp_path / "inputs.npy", np.arange(12, dtype=np.float32).reshape(3, 4))

    def call(script, **options):
        model = tmp_path / "model.scripted"
        model.write_text(script)
        return run_isolated(model, "scripted", tmp_path / "inputs.npy", latency_budget_s=0.001, **options)

    return call


def crash(run, script, **options):
    with pytest.raises(RuntimeCrash) as crashed:
        run(script, **options)
    path, _, reason = str(crashed.value).partition(": ")
    assert path.endswith("model.scripted")
    return reason


def test_a_file_that_runs_is_loaded_timed_and_run_over_all_inputs(run):
    answer = run("")
    np.testing.assert_array_equal(answer.outputs, 2 * np.arange(12).reshape(3, 4))
    assert len(answer.latency_s) >= 5
    assert min(answer.load_time_s, answer.first_call_s, *answer.latency_s) > 0
    assert 2**20 < answer.memory_before_bytes <= answer.peak_memory_bytes < 2**31
    assert answer.versions == {"scripted": "1"}


@pytest.mark.parametrize(
    ("when", "stage"),
    [
        ("load", "loading the model"),
        ("bind", "running one inference"),
        ("invoke", "running the evaluation samples"),
    ],
)
def test_a_segmentation_fault_is_named_with_its_stage(run, when, stage):
    reason = crash(run, f"{when}: import ctypes; ctypes.string_at(0)")
    assert reason == f"the runtime was killed by SIGSEGV while {stage}"


def test_an_abort_is_named(run):
    assert crash(run, "load: import os; os.abort()") == "the runtime was killed by SIGABRT while loading the model"


def test_a_kill_hints_at_memory(run):
    reason = crash(run, "call: import os; os.kill(os.getpid(), 9)")
    assert (
        reason == "the runtime was killed by SIGKILL (out of memory, or killed by someone) while running one inference"
    )


def test_a_signal_without_a_name_is_numbered(run):
    assert "killed by signal 40 while" in crash(run, "load: import os; os.kill(os.getpid(), 40)")


def test_a_hang_is_cut_at_the_deadline(run):
    reason = crash(run, "load: import time; time.sleep(60)", deadline_s=3)
    assert reason == "hung; no answer within 3 s while loading the model"


def test_a_runtime_that_leaves_without_a_word_is_caught(run):
    reason = crash(run, "load: import os; os._exit(0)")
    assert reason == "the runtime ended the process without an answer while loading the model"


def test_an_exit_code_is_told(run):
    assert crash(run, "load: import os; os._exit(7)") == "the runtime said 'exit code 7' while loading the model"


def test_the_runtimes_own_error_is_told(run):
    reason = crash(run, "load: raise ValueError('no such operator')")
    assert reason == "the runtime said 'ValueError: no such operator' while loading the model"


def test_memory_beyond_the_limit_is_out_of_memory(run):
    reason = crash(run, "load: import numpy; numpy.ones(2**31)", memory_limit_bytes=4 * 2**30)
    assert reason.startswith("the runtime ran out of memory (")
    assert reason.endswith("while loading the model")


@pytest.mark.parametrize(
    ("returncode", "stderr"),
    [
        (1, "Traceback\nMemoryError"),
        (1, "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 16.0 GiB"),
        (-6, "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n"),
    ],
)
def test_every_way_to_run_out_of_memory_is_called_so(returncode, stderr):
    assert _cause(returncode, stderr).startswith("the runtime ran out of memory (")


def test_an_unknown_runtime_is_one_error(tmp_path):
    np.save(tmp_path / "inputs.npy", np.ones((1, 4), np.float32))
    with pytest.raises(ModelFileError, match="runtime must be one of litert, onnx, keras, got 'scripted'"):
        run_isolated(tmp_path / "model", "scripted", tmp_path / "inputs.npy")


@pytest.mark.parametrize(
    ("runtime", "name", "content", "reason"),
    [
        ("litert", "cut.tflite", b"\x1c\x00\x00\x00TFL3\x14\x00 \x00", "LiteRT file is truncated or damaged"),
        ("litert", "noise.tflite", np.random.default_rng(0).bytes(5000), "not a LiteRT file"),
        ("onnx", "noise.onnx", np.random.default_rng(1).bytes(5000), "not a whole ONNX file"),
        ("onnx", "empty.onnx", b"", "not a whole ONNX file"),
    ],
)
def test_a_damaged_model_file_is_one_clear_error(tmp_path, runtime, name, content, reason):
    model = tmp_path / name
    model.write_bytes(content)
    np.save(tmp_path / "inputs.npy", np.ones((1, 4), np.float32))
    with pytest.raises(ModelFileError, match=reason) as refused:
        run_isolated(model, runtime, tmp_path / "inputs.npy")
    assert str(refused.value).startswith(f"{model}: ")
    assert len(str(refused.value).splitlines()) == 1


def test_a_missing_model_file_is_one_clear_error(tmp_path):
    np.save(tmp_path / "inputs.npy", np.ones((1, 4), np.float32))
    with pytest.raises(ModelFileError, match=r"cannot read model file .*; check the path"):
        run_isolated(Path("/no/such/model.tflite"), "litert", tmp_path / "inputs.npy")


def test_the_callers_memory_is_not_counted_as_the_models(run):
    ballast = np.ones(2**26)  # 512 MiB, touched
    assert run("").peak_memory_bytes < ballast.nbytes
