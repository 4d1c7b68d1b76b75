"""Two files are timed under the same conditions, and whatever one of them does to its runtime is told of that file."""

import json
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from compress.errors import ModelFileError, RuntimeCrash
from compress.runtime import paired_worker
from compress.runtime.paired import Block, PairedProcess
from compress.runtime.session import ADAPTERS
from compress.runtime.workers import worker_environment
from tests.runtime.tflite_builder import Builder
from tests.tiny_subject import onnx_file


class Clocked:
    """A runtime in this process whose clock moves only when a model is loaded or called, by what its file says."""

    def __init__(self):
        self.now_ns = 0
        self.log, self.alive, self.samples = [], [], []

    def prepare(self):
        pass

    def read_parts(self, content):
        self.log.append((json.loads(content)["name"], "read"))

    def load_session(self, content, threads):
        assert threads == 1
        said = json.loads(content)
        self.alive = [one for one in self.alive if one() is not None]
        self.log.append((said["name"], f"load beside {len(self.alive)}"))
        self.now_ns += round(said["load_s"] * 1e9)
        session = ClockedSession(self, said)
        self.alive.append(weakref.ref(session))
        return session

    def time(self):
        return SimpleNamespace(
            perf_counter=lambda: self.now_ns * 1e-9,
            perf_counter_ns=lambda: self.now_ns,
            thread_time_ns=lambda: self.now_ns // 2,
        )


class ClockedSession:
    input_names = ("input",)

    def __init__(self, runtime, said):
        self.runtime, self.said, self.input_shape = runtime, said, tuple(said["shape"])

    def bind(self, x1):
        self.runtime.samples.append(x1)

        def call():
            self.runtime.log.append((self.said["name"], "call"))
            self.runtime.now_ns += round(self.said["call_s"] * 1e9)

        return call


@pytest.fixture
def clocked(tmp_path, monkeypatch):
    """Return a function that makes a `Pair` in this process, of files with these times; its ``runtime`` logs all."""

    def make(*, sample=None, seed=0, stage=None, **said):
        runtime = Clocked()
        monkeypatch.setitem(sys.modules, "clocked_adapter", runtime)
        monkeypatch.setitem(ADAPTERS, "clocked", "clocked_adapter")
        monkeypatch.setattr(paired_worker, "time", runtime.time())
        for index, name in enumerate(("old", "new")):
            one = {"name": name, "call_s": 1e-3, "load_s": 1e-3, "shape": [4]}
            one |= {key: value[index] if isinstance(value, tuple) else value for key, value in said.items()}
            (tmp_path / name).write_text(json.dumps(one))
        job = {"old": str(tmp_path / "old"), "new": str(tmp_path / "new"), "runtime": "clocked", "threads": 1}
        pair = paired_worker.Pair({**job, "seed": seed}, sample, stage or paired_worker.Stage(tmp_path / "stage"))
        pair.runtime = runtime
        return pair

    return make


def logged_block(pair):
    pair.runtime.log.clear()
    return pair.block(), list(pair.runtime.log)


def test_a_block_loads_both_warms_both_and_alternates_settled_calls(clocked):
    pair = clocked()
    for _ in range(20):
        _, log = logged_block(pair)
        loads, warm, timed = log[:2], log[2:8], log[8:]
        assert sorted(name for name, _ in loads) == ["new", "old"]
        assert all(what == "call" for _, what in warm + timed)
        assert warm == [warm[0]] * 3 + [warm[3]] * 3
        assert warm[0] != warm[3]
        first, second = timed[0], timed[2]
        assert {first[0], second[0]} == {"old", "new"}
        # one call that settles and one that is timed, each side first in turn
        assert timed == [first, first, second, second, second, second, first, first] * 4


def test_no_instance_survives_its_block(clocked):
    pair = clocked()
    for _ in range(3):
        _, log = logged_block(pair)
        assert [what for _, what in log[:2]] == ["load beside 0", "load beside 1"]


def test_files_are_read_once(clocked, tmp_path):
    pair = clocked()
    assert [what for _, what in pair.runtime.log].count("read") == 2
    (tmp_path / "old").unlink()
    (tmp_path / "new").unlink()
    _, log = logged_block(pair)
    assert "read" not in [what for _, what in log]


def test_each_side_is_as_often_first_at_everything(clocked):
    pair = clocked()
    firsts = []
    for _ in range(40):
        _, log = logged_block(pair)
        firsts.append((log[0][0], log[2][0], log[8][0]))
    for even, odd in zip(firsts[::2], firsts[1::2], strict=True):
        assert all(one != other for one, other in zip(even, odd, strict=True))
    assert len(set(firsts)) == 8


def test_the_order_comes_from_the_seed(clocked):
    def orders(seed):
        pair = clocked(seed=seed)
        return [logged_block(pair)[1] for _ in range(12)]

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)


@pytest.mark.parametrize(
    ("call_s", "calls"),
    [
        ((8e-6, 8e-6), [63, 63]),
        ((0.4e-3, 0.4e-3), [2, 2]),
        ((0.6e-3, 2e-3), [1, 1]),
        ((10e-6, 15e-6), [50, 50]),  # so alike that a different treatment would be a difference of its own
        ((10e-6, 100e-6), [50, 5]),
    ],
)
def test_short_calls_are_timed_as_many_at_a_time_as_make_half_a_millisecond(clocked, call_s, calls):
    pair = clocked(call_s=call_s, load_s=0)
    assert [side.calls for side in pair.sides] == calls
    _, log = logged_block(pair)
    names = [name for name, what in log if what == "call"]
    for name, number in zip(("old", "new"), calls, strict=True):
        assert names.count(name) == max(3, number) + 8 * (1 + number)


@pytest.mark.parametrize(
    ("call_s", "load_s", "pairs"),
    [
        (1e-3, 1e-3, 8),
        (1e-3, 40e-3, 20),  # loading both costs as much as 20 pairs of a settling and a timed call
        (1e-3, 1.0, 32),
        (20e-3, 1e-3, 4),
        (20e-3, 0.4, 10),
    ],
)
def test_a_block_has_eight_pairs_and_more_where_loading_costs_more_and_four_of_long_calls(
    clocked, call_s, load_s, pairs
):
    block, _ = logged_block(clocked(call_s=call_s, load_s=load_s))
    assert {len(block[f"{side}_{clock}_s"]) for side in ("old", "new") for clock in ("wall", "cpu")} == {pairs}


def test_very_long_calls_are_not_settled(clocked):
    _, log = logged_block(clocked(call_s=(0.06, 0.04)))
    names = [name for name, what in log if what == "call"]
    assert names.count("old") == names.count("new") == 1 + 4


def test_times_are_those_of_one_call_and_of_the_runtimes_loading(clocked):
    pair = clocked(call_s=(10e-6, 100e-6), load_s=(2e-3, 3e-3))
    assert pair.call_s == pytest.approx(100e-6)
    block, _ = logged_block(pair)
    np.testing.assert_allclose(block["old_wall_s"], 10e-6)
    np.testing.assert_allclose(block["new_wall_s"], 100e-6)
    np.testing.assert_allclose(block["old_cpu_s"], 5e-6)
    np.testing.assert_allclose(block["new_cpu_s"], 50e-6)
    assert (block["old_load_s"], block["new_load_s"]) == (pytest.approx(2e-3), pytest.approx(3e-3))


def test_without_a_sample_both_run_on_the_same_noise_of_their_shape(clocked):
    pair = clocked(shape=([-1, 3, -1], [2, -1, -1]))
    pair.block()
    assert pair.sample.shape == (1, 2, 3, 1)
    assert pair.sample.dtype == np.float32
    assert all(one is pair.sample for one in pair.runtime.samples)
    assert clocked(shape=[500], seed=1).sample.std() == pytest.approx(1, abs=0.15)


def test_a_sample_is_what_both_run_on(clocked):
    sample = np.arange(4, dtype=np.float32)[None]
    pair = clocked(sample=sample)
    assert len(pair.runtime.samples) == 2
    assert all(one is sample for one in pair.runtime.samples)


def test_a_sample_of_another_shape_is_refused(clocked):
    with pytest.raises(ModelFileError, match=r"take samples of shape \(4,\), got one of \(5,\)"):
        clocked(sample=np.ones((1, 5), np.float32))


def test_the_stage_outlives_the_process(clocked, tmp_path):
    stage = paired_worker.Stage(tmp_path / "kept")
    clocked(stage=stage).block()
    stage, _ = (tmp_path / "kept").read_bytes()
    assert stage == paired_worker.TIMING


@pytest.fixture
def scripted(tmp_path, scripted_runtime):  # noqa: ARG001
    """Return a function that makes the pair of two scripts, old and new."""

    def make(old, new, **options):
        for name, script in (("old", old), ("new", new)):
            (tmp_path / f"{name}.scripted").write_text(script)
        files = tmp_path / "old.scripted", tmp_path / "new.scripted"
        return PairedProcess(*files, "scripted", None, seed=0, **options)

    return make


def crash(pair, blocks=1):
    with pytest.raises(RuntimeCrash) as crashed, pair:
        pair.blocks(blocks)
    path, _, reason = str(crashed.value).partition(": ")
    assert not psutil.pid_exists(pair._process.pid)
    return Path(path).stem, reason


@pytest.mark.parametrize("side", ["old", "new"])
@pytest.mark.parametrize(
    ("when", "stage"),
    [("load", "loading the model"), ("bind", "running one inference"), ("call", "running one inference")],
)
def test_a_segmentation_fault_is_told_of_the_file_that_had_it(scripted, side, when, stage):
    scripts = {"old": "", "new": "", side: f"{when}: import ctypes; ctypes.string_at(0)"}
    found = crash(scripted(scripts["old"], scripts["new"]))
    assert found == (side, f"the runtime was killed by SIGSEGV while {stage}")


LATER = "import sys; sys.calls = getattr(sys, 'calls', 0) + 1; assert sys.calls < 40, 'worn out'"


def test_a_file_that_fails_after_many_calls_is_told_with_the_runtimes_own_words(scripted):
    # calls of a millisecond, so that the fortieth is one of the timed
    side, reason = crash(
        scripted("call: import time; time.sleep(0.001)", f"call: {LATER}; import time; time.sleep(0.001)"), 9
    )
    assert (side, reason) == ("new", "the runtime said 'AssertionError: worn out' while timing inferences")


def test_a_file_that_hangs_at_the_start_is_cut_at_the_deadline(scripted):
    side, reason = crash(scripted("", "load: import time; time.sleep(60)", deadline_s=3))
    assert (side, reason) == ("new", "hung; no answer within 3 s while loading the model")


def test_a_file_that_hangs_in_a_block_is_cut_at_the_deadline(scripted):
    late = LATER.replace(
        "assert sys.calls < 40, 'worn out'", "import time; time.sleep(60 if sys.calls > 40 else 0.001)"
    )
    side, reason = crash(scripted(f"call: {late}", "call: import time; time.sleep(0.001)", deadline_s=4), 9)
    assert side == "old"
    assert reason == "hung; no answer within 4 s while timing inferences"


def test_a_runtime_that_leaves_without_a_word_is_caught(scripted):
    side, reason = crash(scripted("load: import os; os._exit(0)", ""))
    assert (side, reason) == ("old", "the runtime ended the process without an answer while loading the model")


def test_a_worker_that_is_killed_between_blocks_is_a_crash(scripted):
    with scripted("", "") as pair:
        pair.blocks(1)
        os.kill(pair._process.pid, signal.SIGKILL)
        pair._process.wait()
        with pytest.raises(RuntimeCrash, match="killed by SIGKILL"):
            pair.blocks(1)


def test_files_that_take_different_samples_are_refused_with_both_shapes(scripted):
    pair = scripted("shape: 28,28,1", "shape: 32,32,3")
    with pytest.raises(ModelFileError) as refused, pair:
        pytest.fail("entered")
    old, new = pair._files[:2]
    assert str(refused.value) == (
        f"{old} and {new}: one takes samples of shape (28, 28, 1), the other of (32, 32, 3); "
        "they cannot be timed on the same sample"
    )


def test_what_a_runtime_prints_or_reads_does_not_touch_the_answers(scripted):
    loud = "load: import sys; assert sys.stdin.read() == ''; print('{}', flush=True)"
    loud += "\ncall: import os; os.write(1, b'loaded\\n{}\\n')"
    with scripted(loud, loud) as pair:
        (block,) = pair.blocks(1)
    assert len(block.old_wall_s) == pair.pairs


def test_the_worker_measures_only_when_asked(scripted, tmp_path):
    log = tmp_path / "log"
    note = f"load: open({str(log)!r}, 'a').write('x')"
    with scripted(note, note) as pair:
        time.sleep(0.3)
        assert log.read_text() == "xx"
        pair.blocks(2)
        time.sleep(0.3)
        assert log.read_text() == "xxxxxx"


def test_leaving_ends_the_worker_and_removes_its_folder(scripted):
    with scripted("", "") as pair:
        assert psutil.pid_exists(pair._process.pid)
        assert pair._folder.exists()
    assert not psutil.pid_exists(pair._process.pid)
    assert not pair._folder.exists()


def test_an_interrupt_ends_the_worker(scripted):
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    pair = scripted("", "load: import time; time.sleep(60)")
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        with pytest.raises(KeyboardInterrupt), pair:
            pytest.fail("entered")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not psutil.pid_exists(pair._process.pid)
    assert not pair._folder.exists()


ORPHAN = """
import sys
import time
from pathlib import Path

from compress.runtime.paired import PairedProcess

if __name__ == "__main__":
    with PairedProcess(Path(sys.argv[1]), Path(sys.argv[1]), "onnx", None, seed=0) as pair:
        print(pair._process.pid, flush=True)
        time.sleep(60)
"""


def test_a_worker_whose_parent_is_killed_ends_by_itself(tiny_file):
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(tiny_file)], stdout=subprocess.PIPE, env=worker_environment()
    ) as parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    psutil.wait_procs([worker], timeout=20)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pair") / "tiny.onnx"
    path.write_bytes(onnx_file(np.ones((4, 3), np.float32)))
    return path


@pytest.fixture(scope="module")
def tflite_file(tmp_path_factory):
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    build.dense([x, build.constant(np.ones((2, 3), np.float32)), build.constant(np.ones(2, np.float32))], [y])
    path = tmp_path_factory.mktemp("pair") / "tiny.tflite"
    path.write_bytes(build.finish())
    return path


@pytest.mark.parametrize(("runtime", "file"), [("onnx", "tiny_file"), ("litert", "tflite_file")])
def test_a_real_pair_gives_blocks(request, runtime, file):
    path = request.getfixturevalue(file)
    with PairedProcess(path, path, runtime, None, seed=0) as pair:
        assert pair.call_s > 0
        assert pair.start_s > pair.call_s
        assert 8 <= pair.pairs <= 32
        found = pair.blocks(2)
    assert [type(block) for block in found] == [Block, Block]
    for block in found:
        for times in (block.old_wall_s, block.new_wall_s, block.old_cpu_s, block.new_cpu_s):
            assert len(times) == pair.pairs
            assert min(times) > 0
        assert min(block.old_load_s, block.new_load_s) > 0


def test_a_given_sample_reaches_a_real_pair(tiny_file):
    with PairedProcess(tiny_file, tiny_file, "onnx", np.ones((1, 4), np.float32), seed=0) as pair:
        assert len(pair.blocks(1)) == 1
    with (
        pytest.raises(ModelFileError, match=r"got one of \(5,\)"),
        PairedProcess(tiny_file, tiny_file, "onnx", np.ones((1, 5), np.float32), seed=0),
    ):
        pytest.fail("entered")


@pytest.mark.parametrize("side", ["old", "new"])
@pytest.mark.parametrize(
    ("content", "reason"), [(b"\x08\x08" * 50, "not a whole ONNX file"), (None, "cannot read model file")]
)
def test_a_damaged_or_missing_file_is_told_by_name(tmp_path, tiny_file, side, content, reason):
    damaged = tmp_path / "damaged.onnx"
    if content is not None:
        damaged.write_bytes(content)
    files = {"old": tiny_file, "new": tiny_file, side: damaged}
    with (
        pytest.raises(ModelFileError, match=reason) as refused,
        PairedProcess(files["old"], files["new"], "onnx", None, seed=0),
    ):
        pytest.fail("entered")
    assert str(refused.value).startswith(f"{damaged}: ")
    assert len(str(refused.value).splitlines()) == 1


def test_an_unknown_runtime_is_one_error(tiny_file):
    with (
        pytest.raises(ModelFileError, match="runtime must be one of"),
        PairedProcess(tiny_file, tiny_file, "tflite", None, seed=0),
    ):
        pytest.fail("entered")
