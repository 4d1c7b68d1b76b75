"""Today's rules, emulated, fail what pytest-benchmark and asv would fail."""

import numpy as np
import pytest

from benches.gate.peers import RULES, Side, all_runs, fails, next_runs, sides_of_runs, sides_of_trial
from benches.gate.recording import Solo, Trial
from compress.runtime.paired import Block

SAMPLES = tuple(1.0 + 0.001 * i for i in range(20))


def side(mean_s=1.0, median_s=1.0, min_s=1.0, samples_s=SAMPLES):
    return Side(mean_s, median_s, min_s, samples_s)


@pytest.mark.parametrize(
    ("rule", "new"),
    [("mean:5%", side(mean_s=1.06)), ("median:5%", side(median_s=1.06)), ("min:5%", side(min_s=1.06))],
)
def test_a_statistics_rule_looks_at_its_statistic_alone(rule, new):
    assert [name for name, fail in RULES.items() if fail(side(), new)] == [rule]
    assert not RULES[rule](new, side())


@pytest.mark.parametrize("rule", ["mean:5%", "median:5%", "min:5%"])
def test_a_statistics_rule_fails_above_five_percent(rule):
    assert not RULES[rule](side(), side().slowed(0.049))
    assert RULES[rule](side(), side().slowed(0.051))


def test_asv_asks_for_a_tenth_and_for_significance():
    assert not RULES["asv"](side(), side().slowed(0.09))
    assert RULES["asv"](side(), side().slowed(0.11))
    assert not RULES["asv"](side().slowed(0.11), side())
    few = side(samples_s=(1.0, 1.01, 1.02))
    assert not RULES["asv"](few, few.slowed(0.5))
    scattered = side(samples_s=tuple(np.random.default_rng(0).lognormal(0, 2, 20)))
    assert not RULES["asv"](scattered, scattered.slowed(0.11))


def test_asvs_significance_is_two_in_a_thousand():
    # five of five samples above the other five have p = 2/252, six of six 2/924, seven of seven 2/3432
    for number, found in ((5, False), (6, False), (7, True)):
        old = side(samples_s=SAMPLES[:number])
        assert RULES["asv"](old, old.slowed(0.5)) is found


def test_a_slowed_side_is_longer_in_everything():
    slow = side(2.0, 3.0, 4.0, (5.0, 6.0)).slowed(0.5)
    assert slow == Side(3.0, 4.5, 6.0, (7.5, 9.0))


def test_a_run_is_a_side_and_for_asv_two_are():
    solos = [Solo("tiny", i, i, i, (float(i),) * 10) for i in range(1, 6)]
    assert [one.median_s for one in sides_of_runs(solos, "median:5%")] == [1, 2, 3, 4, 5]
    assert [set(one.samples_s) for one in sides_of_runs(solos, "asv")] == [{1.0, 2.0}, {3.0, 4.0}]


def test_runs_are_compared_with_the_next_or_all_with_all():
    sides = [side(median_s=i) for i in (1.0, 2.0, 3.0)]
    assert [(old.median_s, new.median_s) for old, new in next_runs(sides)] == [(1, 2), (2, 3)]
    assert len(all_runs(sides)) == 6
    assert all(old is not new for old, new in all_runs(sides))
    assert next_runs(sides[:1]) == all_runs(sides[:1]) == next_runs([]) == []


def test_failures_are_counted_with_the_slowdown_put_on_the_new_side():
    pairs = [(side(), side()), (side(), side(median_s=0.9))]
    assert [fails(pairs, "median:5%", slowdown) for slowdown in (0.0, 0.1, 0.2)] == [0, 1, 2]


def test_an_interleaved_trial_is_two_sides_of_pooled_calls():
    blocks = tuple(Block((1.0, 2.0), (3.0, 6.0), (9.0,), (9.0,), 1.0, 1.0) for _ in range(20))
    old, new = sides_of_trial(Trial("tiny", 0.0, False, 1.0, 1.0, 0.0, (1.0,) * 20, blocks))
    assert (old.mean_s, old.median_s, old.min_s) == (1.5, 1.5, 1.0)
    assert (new.mean_s, new.median_s, new.min_s) == (4.5, 4.5, 3.0)
    assert old.samples_s == (1.5,) * 20
