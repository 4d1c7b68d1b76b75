"""What the gate's bench records: plans of evenly mixed trials, workers that are really slower, a machine made busy."""

from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from benches.gate import record as recorder
from benches.gate import slowed_worker
from benches.gate.kept_worker import keep
from benches.gate.load import busy_machine
from benches.gate.plan import FULL, QUICK, TINY, Job, Plan
from benches.gate.record import KeptProcess, Others, SlowedProcess, record
from benches.gate.recording import Recording
from benches.gate.slowed_worker import WHOLE, extra, spin, spun
from benches.gate.tables import SLOWDOWNS
from compress.runtime.paired_worker import NEW, OLD, TIMING, Side
from compress.subject import Dataset
from tests.tiny_subject import onnx_file


@pytest.mark.parametrize("state", ["idle", "loaded"])
def test_the_full_plan_has_the_trials_that_the_figures_ask_for(state):
    jobs = FULL[state].jobs()
    assert sum(job.what == "pair" and not job.slowdown_fraction for job in jobs) >= 300
    for slowdown in SLOWDOWNS:
        assert sum(job.slowdown_fraction == slowdown for job in jobs) >= 50


@pytest.mark.parametrize("plan", [*QUICK.values(), *FULL.values()])
def test_each_kind_is_spread_over_the_whole(plan):
    jobs = plan.jobs()
    half = jobs[: len(jobs) // 2]
    for kind in set(jobs):
        assert abs(half.count(kind) - jobs.count(kind) / 2) <= 1


@pytest.fixture
def side(monkeypatch):
    """Return a function that makes a side whose class may be altered for the length of a test."""
    for name in ("bind", "run", "plan", "load"):
        monkeypatch.setattr(Side, name, getattr(Side, name))

    def make(index):
        return Side(index, b"", "onnx", 1, SimpleNamespace(set=lambda *_: None))

    return make


def session_of(call):
    return SimpleNamespace(bind=lambda _: call)


def test_a_spun_call_takes_its_fraction_of_processor_time_more(monkeypatch):
    now = 0

    def tick():
        nonlocal now
        now += 1
        return now

    def call():
        nonlocal now
        now += 10_000
        return "answer"

    monkeypatch.setattr(slowed_worker, "time", SimpleNamespace(thread_time_ns=tick))
    assert spun(call, 0.1)() == "answer"
    assert now == pytest.approx(11_000, rel=0.001)


def test_spinning_slows_the_new_side_alone(side):
    spin(0.5)
    call = object
    old, new = side(OLD), side(NEW)
    for one in (old, new):
        one.bind(session_of(call), np.zeros(1))
    assert old.call is call
    assert new.call is not call


@pytest.mark.parametrize("fraction", SLOWDOWNS)
def test_extra_calls_are_made_and_not_counted(side, fraction, monkeypatch):
    clock = count()  # a call is as long as a look at the clock

    def tick():
        return 1_000_000 * next(clock)

    monkeypatch.setattr(
        "compress.runtime.paired_worker.time", SimpleNamespace(perf_counter_ns=tick, thread_time_ns=tick)
    )
    extra(fraction)
    taken = {}
    for index in (OLD, NEW):
        one = side(index)
        made = []
        one.bind(session_of(lambda made=made: made.append(next(clock))), np.zeros(1))
        one.plan(63, 1)
        assert one.calls == 4 * WHOLE
        taken[index] = one.run(TIMING, one.calls)[1]
        assert len(made) == (80 if index == OLD else round(80 * (1 + fraction)))
    assert taken[NEW] / taken[OLD] == pytest.approx(1 + fraction, rel=0.02)


def test_a_single_call_has_no_extra(side):
    extra(0.5)
    one, made = side(NEW), []
    one.bind(session_of(lambda: made.append(1)), np.zeros(1))
    one.run(TIMING, 1)
    assert len(made) == 1


def test_kept_sides_are_loaded_once_each(side, monkeypatch):
    loaded = []
    monkeypatch.setattr(Side, "load", lambda self: (loaded.append(self.index) or f"session {self.index}", 0.1))
    keep()
    old, new = side(OLD), side(NEW)
    assert [old.load()[0], new.load()[0], old.load()[0]] == ["session 0", "session 1", "session 0"]
    assert loaded == [OLD, NEW]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(onnx_file(np.ones((4, 3))))
    return path


@pytest.mark.parametrize("slowed_by", ["spin", "extra"])
def test_a_slowed_worker_answers_as_the_gates_own(file, slowed_by):
    job = Job(replace(TINY, slowed_by=slowed_by), "pair", 0.5)
    with SlowedProcess(job, file, "onnx", np.ones((1, 4), np.float32), 0) as pair:
        (block,) = pair.blocks(1)
    assert len(block.new_wall_s) == pair.pairs


def test_a_keeping_worker_answers_as_the_gates_own(file):
    with KeptProcess(file, file, "onnx", None, seed=0) as pair:
        first, second = pair.blocks(2)
    assert (first.old_load_s, first.new_load_s) == (second.old_load_s, second.new_load_s)


def test_the_loops_are_ended_whatever_happens():
    with ExitStack() as stack:
        loops = stack.enter_context(busy_machine("loaded"))
        running = [psutil.Process(pid).is_running() for pid in loops]
        stack.callback(lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            stack.close()
    assert running == [True, True]
    assert not any(psutil.pid_exists(pid) for pid in loops)


def test_others_are_all_but_oneself_ones_children_and_the_loops(monkeypatch):
    busy, used, now = iter((100.0, 106.0)), {0: iter((10.0, 11.0)), 7: iter((50.0, 52.0))}, iter((0.0, 2.0))

    class Process:
        def __init__(self, pid=0):
            self.pid = pid

        def cpu_times(self):
            return SimpleNamespace(user=next(used[self.pid]), system=0.0, children_user=0.0, children_system=0.0)

    times = SimpleNamespace(Process=Process, cpu_times=lambda: SimpleNamespace(user=next(busy), idle=1e6))
    monkeypatch.setattr(recorder, "psutil", times)
    monkeypatch.setattr(recorder.time, "perf_counter", lambda: next(now))
    assert Others((7,)).cores() == pytest.approx((6 - 1 - 2) / 2)


@pytest.fixture
def bench(file, tmp_path):
    """Return a workbench and cells of a file of a few microseconds, in place of the gate's subjects."""
    noise = np.zeros((1, 4), np.float32), np.zeros(1, np.int64)
    workbench = SimpleNamespace(folder=tmp_path, data=lambda _: Dataset("noise", *noise, *noise))
    cell = SimpleNamespace(subject=None, artifact=SimpleNamespace(path=file, runtime="onnx"))
    quick = replace(TINY, blocks=7, seconds=60.0)
    return workbench, {quick: cell}, quick


def recording(state):
    return Recording(state, "embedded", 0.95, {})


def test_a_recording_has_what_was_planned_and_is_kept(bench):
    workbench, cells, pair = bench
    said = []
    plan = Plan(alike={pair: 1}, slowed={pair: 1}, kept={pair: 1}, solo={pair: 1})
    found, path = recording("loaded"), workbench.folder / "gate" / "loaded.json.gz"
    record(found, plan, cells, workbench, path, said.append)
    assert [len(found.beside_itself()), len(found.beside_itself(kept=True)), len(found.solos)] == [1, 1, 1]
    assert [len(found.slowed(slowdown)) for slowdown in SLOWDOWNS] == [1] * 4
    for trial in found.trials:
        assert len(trial.blocks) == len(trial.spent_s) == 7 or trial.slowdown_fraction
        assert list(trial.spent_s) == sorted(trial.spent_s)
    assert 0 < found.solos[0].min_s <= found.solos[0].median_s
    assert len(found.solos[0].samples_s) == 10
    assert said[-1] == f"recorded loaded in {path}"  # a slow machine tells of its progress before
    assert len(Recording.load(path).trials) == len(found.trials)


def test_what_was_recorded_before_a_crash_is_kept(bench, monkeypatch):
    workbench, cells, pair = bench
    jobs = [Job(pair), Job(replace(pair, name="broken"))]
    monkeypatch.setattr(Plan, "jobs", lambda _: jobs)
    cells[jobs[1].pair] = SimpleNamespace(
        subject=None, artifact=SimpleNamespace(path=workbench.folder / "absent.onnx", runtime="onnx")
    )
    with pytest.raises(Exception, match=r"absent\.onnx"):
        record(recording("idle"), QUICK["idle"], cells, workbench, workbench.folder / "idle.json.gz")
    assert [trial.pair for trial in Recording.load(workbench.folder / "idle.json.gz").trials] == ["tiny"]
