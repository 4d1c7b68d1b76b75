"""The interval is Yuen's, the sequential rule keeps its word about errors, and the budget is kept."""

import json
import math
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from compress.claims import timing
from compress.claims.policy import Policy
from compress.claims.timing import (
    LOOKS,
    TimeComparison,
    block_log_ratio,
    clock_of,
    decide,
    time_pair,
    yuen_limits,
)
from compress.errors import ClaimError, RuntimeCrash
from compress.runtime.paired import Block

LEVEL = 0.01 / 8
LIMIT = math.log(1.05)


def samples(smallest=2):
    return st.lists(st.floats(-1, 1, width=16), min_size=smallest, max_size=60).map(np.array)


@pytest.mark.filterwarnings("ignore:Precision loss")  # what SciPy says of a sample that never varies
@pytest.mark.parametrize("n", [6, 9, 14, 21, 32, 48, 72, 108])
@pytest.mark.parametrize("level", [0.05, LEVEL])
def test_yuens_limits_are_where_scipys_trimmed_test_has_its_level(n, level):
    y = np.random.default_rng(n).standard_t(2, n)
    estimate, low, high = yuen_limits(y, level)
    assert estimate == pytest.approx(stats.trim_mean(y, 0.2))

    def p(value, alternative):
        # beside a sample that never varies, the two-sample test is the one-sample test
        other = np.full(20, value)
        return stats.ttest_ind(y, other, equal_var=False, trim=0.2, alternative=alternative).pvalue

    assert p(low, "greater") == pytest.approx(level, rel=1e-6)
    assert p(high, "less") == pytest.approx(level, rel=1e-6)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_limits_of_few_values_are_students(n):
    y = np.random.default_rng(n).normal(size=n)
    interval = stats.ttest_1samp(y, 0).confidence_interval(1 - 2 * LEVEL)
    assert yuen_limits(y, LEVEL)[1:] == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_one_value_has_no_limits():
    with pytest.raises(ValueError, match="at least two values, got 1"):
        yuen_limits(np.ones(1), 0.01)


@given(samples(), st.floats(-5, 5))
def test_the_limits_move_with_the_values(y, shift):
    expected = [one + shift for one in yuen_limits(y, LEVEL)]
    assert yuen_limits(y + shift, LEVEL) == pytest.approx(expected, abs=1e-6)


@given(samples())
def test_old_and_new_exchanged_mirror_the_limits(y):
    estimate, low, high = yuen_limits(y, LEVEL)
    assert yuen_limits(-y, LEVEL) == pytest.approx((-estimate, -high, -low))


@given(samples(smallest=5))
def test_one_wild_value_is_as_good_as_the_largest(y):
    wild = np.append(y, y.max())
    expected = yuen_limits(wild, LEVEL)
    wild[-1] = 1e6
    assert yuen_limits(wild, LEVEL) == pytest.approx(expected)


@given(samples(smallest=5), st.randoms())
def test_the_order_of_the_values_does_not_matter(y, random):
    shuffled = list(y)
    random.shuffle(shuffled)
    assert yuen_limits(np.array(shuffled), LEVEL) == pytest.approx(yuen_limits(y, LEVEL))


@given(samples(smallest=5))
def test_more_confidence_is_a_wider_interval_around_the_same_estimate(y):
    wide, narrow = yuen_limits(y, 0.001), yuen_limits(y, 0.01)
    assert wide[0] == narrow[0]
    assert wide[1] <= narrow[1] <= narrow[0] <= narrow[2] <= wide[2]


def noise(n=108, scale=0.03, seed=0):
    """Return log ratios with the heavy tails of a shared machine, trimmed mean 0 but for chance."""
    return np.random.default_rng(seed).standard_t(3, n) * scale


def first_decision(y, **options):
    for n in range(1, len(y) + 1):
        if found := decide(y[:n], **options):
            assert found.blocks == n
            return found
    return None


def test_no_decision_falls_between_the_looks():
    assert {first_decision(noise(seed=seed) + 0.025).blocks for seed in range(200)} == set(LOOKS)


def test_equal_times_pass_and_a_clear_slowdown_fails_at_the_first_look():
    calm = noise(scale=0.001)
    assert first_decision(calm).verdict == "passed"
    slow = first_decision(calm + math.log(1.1))
    assert (slow.verdict, slow.blocks, slow.looks) == ("failed", 6, 1)
    assert slow.low < slow.estimate < slow.high
    assert slow.low > LIMIT


def test_the_limits_are_those_of_the_look_that_decided():
    y = noise(scale=0.02)
    found = first_decision(y)
    assert (found.estimate, found.low, found.high) == yuen_limits(y[: found.blocks], 0.01 / 8)
    assert LOOKS.index(found.blocks) == found.looks - 1


def test_later_blocks_do_not_change_a_decision():
    y = noise(scale=0.02)
    first = first_decision(y)
    assert decide(y) == decide(y, out_of_time=True) == first
    assert decide(np.append(y[: first.blocks], 100 * y), out_of_time=True) == first


def test_on_the_limit_all_looks_end_undecided():
    found = first_decision(noise(seed=1) + LIMIT)
    assert (found.verdict, found.blocks, found.looks) == ("undecided", 108, 8)
    assert found.low < LIMIT < found.high


def test_the_end_of_the_budget_is_one_more_look_in_place_of_the_next():
    y = np.append(np.array([0.2, -0.2, 0.2, -0.2, 0.2, -0.2]), np.full(6, 0.0) + 1e-4 * np.arange(6))
    assert decide(y[:11]) is None
    found = decide(y[:11], out_of_time=True)
    assert (found.blocks, found.looks) == (11, 3)
    assert (found.estimate, found.low, found.high) == yuen_limits(y[:11], 0.01 / 8)


def test_a_budget_that_ends_at_a_look_has_no_second_one():
    y = noise(9, scale=0.1)
    found = decide(y, out_of_time=True)
    assert (found.verdict, found.blocks, found.looks) == ("undecided", 9, 2)


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_blocks_decide_nothing(n):
    found = decide([math.log(3)] * n, out_of_time=True)
    assert found.verdict == "undecided"
    assert found.estimate == pytest.approx(math.log(3))
    assert (found.low, found.high, found.blocks, found.looks) == (-math.inf, math.inf, n, 0)


def test_three_blocks_decide_what_is_plain():
    assert decide([1.09, 1.10, 1.11], out_of_time=True).verdict == "failed"


def verdicts(truth, streams=3000):
    rng = np.random.default_rng(9)
    y = rng.standard_t(3, (streams, 108)) * 0.03 + truth
    found = [decide(one, out_of_time=True).verdict for one in y]
    return {verdict: found.count(verdict) / streams for verdict in ("passed", "failed", "undecided")}


def test_exactly_on_the_limit_either_error_is_rarer_than_its_level():
    rates = verdicts(LIMIT)
    # 1 % a side for all looks together, three standard errors of 3,000 streams allowed
    most = 0.01 + 3 * math.sqrt(0.01 * 0.99 / 3000)
    assert rates["passed"] < most
    assert rates["failed"] < most
    assert rates["undecided"] > 0.97


def test_what_is_beyond_the_limit_is_found_and_never_passed():
    rates = verdicts(math.log(1.1), 500)
    assert rates["failed"] > 0.99
    assert rates["passed"] == 0


def test_what_is_equal_passes_and_never_fails():
    rates = verdicts(0.0, 500)
    assert rates["passed"] > 0.99
    assert rates["failed"] == 0


def test_a_larger_allowance_passes_what_a_smaller_one_fails():
    y = noise(scale=0.005) + math.log(1.1)
    assert decide(y, allowed_slowdown_fraction=0.05).verdict == "failed"
    assert decide(y, allowed_slowdown_fraction=0.2).verdict == "passed"


def test_a_block_is_the_ratio_of_low_quantiles_on_either_clock():
    old, new = (1.0, 2.0, 3.0, 4.0, 50.0), (30.0, 3.0, 6.0, 9.0, 12.0)
    block = Block(old, new, tuple(2 * one for one in old), new, 1.0, 1.0)
    assert block_log_ratio(block) == pytest.approx(math.log(6 / 2))
    assert block_log_ratio(block, statistic="min") == pytest.approx(math.log(3 / 1))
    assert block_log_ratio(block, statistic="median") == pytest.approx(math.log(9 / 3))
    assert block_log_ratio(block, "cpu") == pytest.approx(math.log(6 / 4))


@pytest.mark.parametrize(
    ("clock", "call_s", "chosen"),
    [("auto", 1e-5, "cpu"), ("auto", 0.02, "cpu"), ("wall", 1.0, "wall"), ("cpu", 1e-6, "cpu")],
)
def test_calls_are_timed_by_the_threads_own_clock_unless_told_otherwise(clock, call_s, chosen):
    assert clock_of(Policy(clock=clock), call_s) == chosen


def test_a_coarse_thread_clock_is_not_chosen(monkeypatch):
    monkeypatch.setattr(timing.time, "get_clock_info", lambda _: SimpleNamespace(resolution=1 / 64))
    assert clock_of(Policy(), 1.0) == "wall"


PLAIN = TimeComparison("failed", 1.124, 1.092, 1.151, 9, 2, 0.83, 10.0, 0.2, "wall", 1e-3, 0.05, 0.98)


def test_a_comparison_reads_as_a_sentence():
    assert str(PLAIN) == "1.12x [1.09, 1.15] in 9 blocks, 0.8 of 10 s, wall clock; allowed 1.05x"


@pytest.mark.parametrize("high", [1.151, math.inf])
def test_a_comparison_survives_strict_json(high):
    found = TimeComparison(**{**PLAIN.__dict__, "high": high})
    assert TimeComparison.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


@pytest.mark.parametrize(
    "damage", [{"verdict": "maybe"}, {"speed": 1}, {"high": ...}, {"ratio": "1.1"}, {"blocks": None}, {"clock": []}]
)
def test_a_damaged_comparison_is_one_error(damage):
    stored = {name: value for name, value in {**PLAIN.to_json(), **damage}.items() if value is not ...}
    with pytest.raises(ClaimError, match="not a stored time comparison"):
        TimeComparison.from_json(stored)


def test_faster_is_beyond_what_would_be_allowed_the_other_way():
    def comparison(high):
        return TimeComparison(**{**PLAIN.__dict__, "high": high})

    assert comparison(0.95).faster
    assert not comparison(0.96).faster


class Scripted:
    """A pair whose blocks are computed, on a clock of its own."""

    def __init__(self, call_s=1e-3, block_s=0.1, ratio=lambda _: 1.0, cpu_ratio=None, load_ratio=lambda _: 1.0):
        self.call_s, self.block_s, self.now_s, self.start_s = call_s, block_s, 0.0, 0.7
        self.ratio, self.cpu_ratio, self.load_ratio = ratio, cpu_ratio or ratio, load_ratio
        self.given, self.made, self.left = None, 0, False

    def __call__(self, *given, seed):
        self.given = (*given, seed)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.left = True

    def blocks(self, n):
        assert n == 1
        self.made += 1
        self.now_s += self.block_s
        rng = np.random.default_rng(self.made)
        old = tuple(self.call_s * (1 + 0.001 * rng.random(8)))
        new = tuple(one * self.ratio(self.made) for one in old)
        cpu = tuple(one * self.cpu_ratio(self.made) for one in old)
        return [Block(old, new, old, cpu, 1.0, self.load_ratio(self.made))]


@pytest.fixture
def run(monkeypatch):
    """Return a function that compares two files of which the pair is a `Scripted` one."""

    def compare(pair, policy=Policy(), seed=0):  # noqa: B008 - frozen
        monkeypatch.setattr(timing, "PairedProcess", pair)
        clock = SimpleNamespace(perf_counter=lambda: pair.now_s, get_clock_info=timing.time.get_clock_info)
        with monkeypatch.context() as patch:
            patch.setattr(timing, "time", clock)
            return time_pair(Path("old.onnx"), Path("new.onnx"), "onnx", None, policy, seed=seed)

    return compare


def test_equal_files_pass_at_the_first_look(run):
    pair = Scripted(ratio=lambda _: 1.01, load_ratio=lambda block: 2.0 if block < 6 else 900.0)
    found = run(pair, seed=3)
    assert (found.verdict, found.blocks, found.looks, found.clock) == ("passed", 6, 1, "cpu")
    assert found.ratio == pytest.approx(1.01)
    assert found.load_ratio == pytest.approx(2.0)
    assert found.call_s == pytest.approx(1e-3, rel=1e-3)
    assert (found.spent_s, found.budget_s, found.start_s) == (pytest.approx(0.6), 10.0, 0.7)
    assert pair.given == (Path("old.onnx"), Path("new.onnx"), "onnx", None, 3)
    assert pair.left


def test_a_slower_file_fails(run):
    found = run(Scripted(ratio=lambda _: 1.2))
    assert (found.verdict, found.blocks) == ("failed", 6)
    assert found.low > 1.05


def unclear(block):
    return (0.8, 1.3)[block % 2]


def test_the_budget_is_never_overrun_but_by_the_first_block(run):
    found = run(Scripted(block_s=0.9, ratio=unclear))
    assert (found.verdict, found.blocks, found.looks) == ("undecided", 11, 3)
    assert found.spent_s == pytest.approx(9.9)
    found = run(Scripted(block_s=50, ratio=unclear))
    assert (found.verdict, found.blocks, found.high) == ("undecided", 1, math.inf)


def test_without_an_end_of_the_budget_all_looks_are_had(run):
    pair = Scripted(block_s=0.01, ratio=unclear)
    found = run(pair)
    assert (found.verdict, found.blocks, found.looks) == ("undecided", 108, 8)
    assert pair.made == 108


def test_long_calls_have_a_budget_and_a_clock_of_their_own(run):
    found = run(Scripted(call_s=0.02, block_s=2.4, ratio=lambda _: 1.2, cpu_ratio=unclear))
    assert (found.verdict, found.budget_s, found.blocks, found.clock) == ("undecided", 30.0, 12, "cpu")


def test_a_crash_is_no_comparison(run):
    class Crashing(Scripted):
        def blocks(self, _):
            raise RuntimeCrash("new.onnx: the runtime was killed by SIGSEGV")

    pair = Crashing()
    with pytest.raises(RuntimeCrash, match=r"new\.onnx"):
        run(pair)
    assert pair.left


def chain(products):
    """Return an ONNX file of so many products of a matrix of 128 x 128, one after the other."""
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.random.default_rng(0).normal(0, 0.09, (128, 128)).astype(np.float32)
    names = [f"t{number}" for number in range(products + 1)]
    graph = helper.make_graph(
        [helper.make_node("MatMul", [a, "kernel"], [b]) for a, b in pairwise(names)],
        "chain",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, ["n", 128])],
        [helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, ["n", 128])],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return made.SerializeToString()


def test_a_real_pair_is_told_apart_when_it_differs_grossly(tmp_path):
    short, long = tmp_path / "short.onnx", tmp_path / "long.onnx"
    short.write_bytes(chain(2))
    long.write_bytes(chain(60))
    lenient = Policy(allowed_slowdown_fraction=2.0)  # so wide that no load of the machine decides
    assert time_pair(short, short, "onnx", None, lenient).verdict == "passed"
    slower = time_pair(short, long, "onnx", None, lenient)
    assert slower.verdict == "failed"
    assert slower.ratio > 5
    assert time_pair(long, short, "onnx", None, lenient).faster
