"""Workers are forked from a process that has imported their runtime: fresh each, and none is ever left behind."""

import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from compress.errors import RuntimeCrash
from compress.runtime import workers
from compress.runtime.isolation import run_isolated
from compress.runtime.workers import ForkServer, worker_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")


@pytest.fixture
def run(tmp_path, scripted_runtime, monkeypatch):  # noqa: ARG001
    """Return a function that runs a script as a model file, in workers that are forked."""
    np.save(tmp_path / "inputs.npy", np.arange(12, dtype=np.float32).reshape(3, 4))
    monkeypatch.setattr(workers, "FORKED", ("scripted",))
    ForkServer.end_waiting()

    def call(script, **options):
        model = tmp_path / "model.scripted"
        model.write_text(script)
        return run_isolated(model, "scripted", tmp_path / "inputs.npy", latency_budget_s=0.001, **options)

    yield call
    ForkServer.end_waiting()


@pytest.fixture
def said(run, tmp_path):
    """Return a function that gives what an expression is worth in a worker."""

    def call(expression):
        run(f"call: import os, sys, pathlib; pathlib.Path({str(tmp_path / 'said')!r}).write_text(str({expression}))")
        return (tmp_path / "said").read_text()

    return call


def server():
    return ForkServer._waiting["scripted"].process.pid


def test_jobs_have_a_process_each_of_the_same_parent(said):
    first, parent = said("os.getpid()"), server()
    second = said("os.getpid()")

    assert len({first, second, str(parent)}) == 3
    assert said("os.getppid()") == str(parent) == str(server())


def test_no_job_sees_what_another_one_did(run, said):
    run("load: import sys; sys.left_behind = 1")

    assert said("hasattr(sys, 'left_behind')") == "False"


def test_a_job_that_dies_leaves_the_server_for_the_next_one(run):
    run("")
    parent = server()
    with pytest.raises(RuntimeCrash, match="SIGSEGV"):
        run("load: import ctypes; ctypes.string_at(0)")

    assert len(run("").outputs) == 3
    assert server() == parent


def test_another_environment_has_another_server(said, monkeypatch):
    said("1")
    parent = server()
    monkeypatch.setenv("OF_THE_NEXT_JOB", "1")

    assert said("os.environ['OF_THE_NEXT_JOB']") == "1"
    assert not psutil.pid_exists(parent)


def test_the_test_that_asks_is_no_environment_of_its_own(said, monkeypatch):
    said("1")
    parent = server()
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "another one")

    assert said("os.environ.get('PYTEST_CURRENT_TEST')") == "None"
    assert server() == parent


def test_a_server_that_died_as_it_waited_is_replaced(run):
    run("")
    ForkServer._waiting["scripted"].process.kill()
    ForkServer._waiting["scripted"].process.wait()

    assert len(run("").outputs) == 3


def test_a_server_that_is_killed_at_a_job_is_a_crash_that_says_so(run):
    with pytest.raises(RuntimeCrash, match="SIGKILL"):
        run("load: import os, time; os.kill(os.getppid(), 9); time.sleep(30)")


def test_a_job_that_hangs_leaves_no_process(run):
    before = set(psutil.Process().children(recursive=True))

    with pytest.raises(RuntimeCrash, match="hung"):
        run("invoke: import time; time.sleep(60)", deadline_s=4)

    assert set(psutil.Process().children(recursive=True)) <= before
    assert len(run("").outputs) == 3


def test_what_a_worker_prints_disturbs_nothing(run):
    assert len(run("call: print(chr(55)); import os; os.write(1, b'8')").outputs) == 3
    assert len(run("").outputs) == 3


@pytest.mark.parametrize("ending", ["", "; import os; os.kill(os.getpid(), 9)"])
def test_a_server_ends_with_the_process_that_started_it(ending):
    script = (
        "from compress.runtime.workers import *\n"
        "ForkServer.take('litert', worker_environment()).give_back()\n"
        f"print(ForkServer._waiting['litert'].process.pid, flush=True){ending}"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=worker_environment())

    assert ended.stderr == ""
    deadline = time.monotonic() + 10
    while psutil.pid_exists(int(ended.stdout)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(ended.stdout))


def test_a_worker_ends_with_the_process_that_waits_for_it(tmp_path, scripted_runtime):  # noqa: ARG001
    np.save(tmp_path / "inputs.npy", np.ones((1, 4), np.float32))
    (tmp_path / "model").write_text(
        f"load: import os, time, pathlib; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))"
        "; time.sleep(60)"
    )
    script = (
        "import sys; from pathlib import Path; from compress.runtime import workers, isolation\n"
        "workers.FORKED = ('scripted',)\n"
        f"isolation.run_isolated(Path({str(tmp_path / 'model')!r}), 'scripted', Path({str(tmp_path / 'inputs.npy')!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", script], env=worker_environment()) as asking:
        deadline = time.monotonic() + 20
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        asking.kill()
    worker = int((tmp_path / "pid").read_text())
    while psutil.pid_exists(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)
