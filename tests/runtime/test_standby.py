"""The process that waits for the next job is used when it fits, replaced when it does not, and never left behind."""

import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from compress.errors import RuntimeCrash
from compress.runtime.isolation import run_isolated, worker_environment
from compress.runtime.standby import Standby

LONG = "invoke: import time; time.sleep(0.5)"


@pytest.fixture
def run(tmp_path, scripted_runtime):  # noqa: ARG001
    """Return a function that runs a script as a model file; nothing waits before it, or after the test."""
    np.save(tmp_path / "inputs.npy", np.arange(12, dtype=np.float32).reshape(3, 4))
    Standby.end_waiting()

    def call(script, **options):
        model = tmp_path / "model.scripted"
        model.write_text(script)
        return run_isolated(model, "scripted", tmp_path / "inputs.npy", latency_budget_s=0.001, **options)

    yield call
    Standby.end_waiting()


def waiting():
    return [each.process.pid for each in Standby._waiting]


def test_the_next_process_is_started_while_one_answers_and_does_the_next_job(run, tmp_path):
    run(LONG)
    (pid,) = waiting()

    answer = run(f"call: import os, pathlib; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))")

    assert (tmp_path / "pid").read_text() == str(pid)
    np.testing.assert_array_equal(answer.outputs, 2 * np.arange(12).reshape(3, 4))
    assert not psutil.pid_exists(pid)


def test_a_process_of_another_environment_is_ended_and_not_used(run, monkeypatch, tmp_path):
    run(LONG)
    (pid,) = waiting()
    monkeypatch.setenv("OF_THE_NEXT_JOB", "1")

    run(f"call: import os, pathlib; pathlib.Path({str(tmp_path / 'seen')!r}).write_text(os.environ['OF_THE_NEXT_JOB'])")

    assert (tmp_path / "seen").read_text() == "1"
    assert not psutil.pid_exists(pid)


def test_a_process_that_died_as_it_waited_is_replaced(run):
    run(LONG)
    Standby._waiting[0].process.kill()
    Standby._waiting[0].process.wait()

    assert len(run("").outputs) == 3


def test_none_is_started_while_something_is_timed(run, monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(Standby, "keep_one", lambda *_: started.append(time.time()))
    clock = f"import time, pathlib; pathlib.Path({str(tmp_path / 'called')!r}).write_text(str(time.time()))"

    run(f"load: import time; time.sleep(0.1)\ncall: {clock}; time.sleep(0.05)\n{LONG}")

    assert started
    assert min(started) > float((tmp_path / "called").read_text()) + 0.05


def test_a_job_that_hangs_leaves_no_process(run):
    before = set(psutil.Process().children())

    with pytest.raises(RuntimeCrash, match="hung"):
        run("invoke: import time; time.sleep(60)", deadline_s=4)

    Standby.end_waiting()
    assert set(psutil.Process().children()) <= before


def test_the_process_that_waits_ends_with_the_one_that_started_it():
    script = (
        "from compress.runtime.isolation import worker_environment as e; from compress.runtime.standby import Standby\n"
        "Standby.keep_one('litert', e()); print(Standby._waiting[0].process.pid)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=worker_environment())

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert not psutil.pid_exists(int(ended.stdout))
