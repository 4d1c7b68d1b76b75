"""Latency ratios: their direction, their limits, and what a 15x slowdown does to the bound that refutes it."""

import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from benches.saxena2024.latency import BETWEEN_PROCESSES, latency_ratio, side_by_side, speed_ratio
from compress.claims.bound import at_most
from compress.claims.claim import Claim, Unmeasured, Verdict, judge, unmeasured


@dataclass
class Timed:
    latency_s: float

    def value(self, metric):
        return getattr(self, metric)


def test_a_ratio_below_one_is_faster():
    ratio = latency_ratio(Timed(2e-6), Timed(8e-6))
    assert ratio.value == pytest.approx(0.25)
    assert speed_ratio(Timed(2e-6), Timed(8e-6)).value == pytest.approx(4)


def test_the_limits_hold_95_percent_a_side_of_the_noise_between_processes():
    ratio = latency_ratio(Timed(1e-6), Timed(1e-6))
    assert math.log(ratio.high) == pytest.approx(1.645 * BETWEEN_PROCESSES)
    assert ratio.low == pytest.approx(1 / ratio.high)


def test_the_limits_of_a_speed_are_those_of_the_latency_turned_over():
    slower, faster = latency_ratio(Timed(3e-6), Timed(1e-6)), speed_ratio(Timed(3e-6), Timed(1e-6))
    assert (faster.low, faster.high) == pytest.approx((1 / slower.high, 1 / slower.low))


@pytest.mark.parametrize(("times", "verdict"), [(1, Verdict.REFUTED), (4.5, Verdict.UNDECIDED), (15, Verdict.BROKEN)])
def test_the_bound_that_refutes_15x_slower_breaks_at_15x(times, verdict):
    refutation = Claim(("somebody/says",), at_most(5, why="printed 15x to 520x"), "refuted")
    assert judge(refutation, {}, latency_ratio(Timed(times * 1e-6), Timed(1e-6)), "here").verdict is verdict


def test_files_run_side_by_side_give_the_compressed_ones_time_over_the_originals(monkeypatch):
    def cell(name):
        bench = SimpleNamespace(data=lambda _: SimpleNamespace(evaluation_x=np.zeros((3, 2), np.float32)))
        artifact = SimpleNamespace(path=name, runtime="onnx")
        return SimpleNamespace(artifact=artifact, workbench=bench, subject=None, value=lambda _: 0.0)

    def timed(old, new, runtime, sample, _):
        assert (old, new, runtime, sample.shape) == ("original", "compressed", "onnx", (1, 2))
        return SimpleNamespace(ratio=4.0, low=3.5, high=4.5, call_s=0.002, blocks=6)

    monkeypatch.setattr("compress.own.measures.time_pair", timed)
    ratio = side_by_side(cell("compressed"), cell("original"))

    assert (ratio.value, ratio.low, ratio.high) == (4.0, 3.5, 4.5)
    assert ratio.note == "8.00 ms against 2.00 ms, 6 blocks"


def test_nothing_is_run_side_by_side_where_others_compete_for_the_machine():
    def value(metric):
        unmeasured(f"no {metric} here")

    with pytest.raises(Unmeasured, match="no latency_s here"):
        side_by_side(SimpleNamespace(value=value), SimpleNamespace())
