"""The gate judges each metric by its nature: exact as it is, quality paired, time beside the old file or told."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.claims.gate import (
    compare_cells,
    compare_outcomes,
    compare_scores,
    compare_values,
    slower_than_ever,
    time_change,
)
from compress.claims.policy import Policy
from compress.claims.timing import TimeComparison
from compress.errors import DataError
from compress.measure.classification import Outcomes, score
from compress.measure.metric import METRICS
from compress.measure.scores import Scores

CELL = "mnist_cnn: int8"
VALUES = {
    "raw_bytes": 22_000,
    "gzip_bytes": 18_000,
    "weight_bytes": 20_440,
    "scale_bytes": 184,
    "index_bytes": 0,
    "metadata_bytes": 1_376,
    "weight_elements_by_dtype": {"int8": 20_388, "int32": 22},
    "scales": 23,
    "ops": {"CONV_2D": 1, "FULLY_CONNECTED": 1},
    "multiply_adds": 93_288,
    "sparsity": 0.5,
    "accuracy": 0.98,
    "top_5_accuracy": 0.99,
    "mse": 1e-4,
    "psnr_db": 40.0,
    "cosine_similarity": 0.999,
    "score": 0.7,
    "overall_score": 0.6,
    "frechet_distance": 0.5,
    "output_sqnr_db": 35.0,
    "compress_time_s": 4.0,
    "generation_time_s": 0.1,
    "load_time_s": 0.01,
    "latency_s": 1e-5,
    "peak_memory_bytes": 90_000_000,
}


def changed(**values):
    return compare_values(CELL, VALUES, {**VALUES, **values})


def outcomes(correct, noise=1e-4, labels="labels"):
    correct = np.asarray(correct, bool)
    noise = np.broadcast_to(np.float32(noise), correct.shape)
    return Outcomes(correct, noise, np.ones(len(correct), np.float32), labels).as_stored()


def right(n, wrong):
    """Return outcomes of `n` samples of which the first `wrong` are wrong."""
    return np.arange(n) >= wrong


def test_every_metric_is_in_the_example():
    assert VALUES.keys() == METRICS.keys()


def test_identical_values_are_no_changes():
    assert changed() == []


@pytest.mark.parametrize(
    ("metric", "grown"),
    [
        (name, metric.better == "lower")
        for name, metric in METRICS.items()
        if metric.nature == "exact" and metric.better != "same"
    ],
)
def test_an_exact_metric_is_worse_one_way_and_better_the_other(metric, grown):
    higher, lower = changed(**{metric: VALUES[metric] + 200}), changed(**{metric: VALUES[metric] - 200})
    worse, better = (higher, lower) if grown else (lower, higher)
    assert [(one.metric, one.direction, one.fails) for one in worse] == [(metric, "worse", True)]
    assert [(one.metric, one.direction, one.fails) for one in better] == [(metric, "better", False)]


def test_one_byte_is_a_change():
    (change,) = changed(raw_bytes=22_001)
    assert str(change) == "mnist_cnn: int8: raw_bytes 22,000 -> 22,001 (+0.00% bytes)"


@pytest.mark.parametrize(("gzip_bytes", "fails"), [(18_180, False), (18_181, True), (17_820, False)])
def test_a_tolerance_is_a_fraction_of_the_old_value(gzip_bytes, fails):
    assert any(change.fails for change in changed(gzip_bytes=gzip_bytes)) is fails


def test_what_was_zero_grows_without_bound():
    (change,) = changed(index_bytes=5)
    assert (change.old, change.new, change.direction) == ("0", "5", "worse")


def test_a_value_that_is_no_number_is_no_improvement():
    (change,) = changed(sparsity=math.nan)
    assert change.fails


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("scales", 3, "scales 23 -> 3 (scales)"),
        ("scale_bytes", 24, "scale_bytes 184 -> 24 (bytes)"),
        (
            "weight_elements_by_dtype",
            {"float32": 20_410},
            "weight_elements_by_dtype {int32: 22, int8: 20388} -> {float32: 20410} (elements)",
        ),
        ("ops", {"CONV_2D": 2}, "ops {CONV_2D: 1, FULLY_CONNECTED: 1} -> {CONV_2D: 2} (operators)"),
    ],
)
def test_a_metric_that_should_stay_fails_either_way_until_it_is_accepted(metric, value, shown):
    for old, new in ((VALUES, {**VALUES, metric: value}), ({**VALUES, metric: value}, VALUES)):
        (change,) = compare_values(CELL, old, new)
        assert (change.direction, change.fails) == ("changed", True)
    assert str(changed(**{metric: value})[0]) == f"{CELL}: {shown}"


def test_a_metric_that_was_not_measured_this_time_is_a_change():
    (change,) = compare_values(CELL, VALUES, {name: value for name, value in VALUES.items() if name != "sparsity"})
    assert (change.metric, change.old, change.new, change.fails) == ("sparsity", "0.5", "absent", True)


def test_a_metric_that_is_newer_than_the_baseline_is_told():
    old = {name: value for name, value in VALUES.items() if name != "multiply_adds"}
    (change,) = compare_values(CELL, old, VALUES)
    assert (change.metric, change.old, change.direction, change.fails) == (
        "multiply_adds",
        "absent",
        "information",
        False,
    )


@pytest.mark.parametrize("metric", [name for name, metric in METRICS.items() if metric.nature in ("time", "memory")])
def test_time_and_memory_of_two_runs_are_told_and_never_fail(metric):
    (change,) = changed(**{metric: VALUES[metric] * 3})
    assert (change.direction, change.fails, change.detail) == (
        "information",
        False,
        "3.00x between two runs, told only",
    )


def test_quality_is_left_to_the_paired_tests():
    assert changed(accuracy=0.1, output_sqnr_db=3.0) == []


@given(st.dictionaries(st.sampled_from(sorted(METRICS)), st.integers(0, 10**9) | st.floats(0, 1)))
def test_comparing_the_other_way_round_turns_worse_into_better(values):
    numbers = {name for name in values if not isinstance(VALUES[name], dict)}
    new = {**VALUES, **{name: values[name] for name in numbers}}
    there = {change.metric: change for change in compare_values(CELL, VALUES, new)}
    back = {change.metric: change for change in compare_values(CELL, new, VALUES)}
    opposite = {"worse": "better", "better": "worse", "changed": "changed", "information": "information"}
    within = {name for name in there.keys() ^ back.keys() if METRICS[name].tolerance_fraction}
    assert {name: opposite[one.direction] for name, one in there.items() if name not in within} == {
        name: one.direction for name, one in back.items() if name not in within
    }


def test_identical_outcomes_are_no_changes():
    same = outcomes(right(3000, 60))
    assert compare_outcomes(CELL, same, same) == []


def test_a_drop_that_pairs_prove_is_worse_and_is_shown_with_its_evidence():
    (change,) = compare_outcomes(CELL, outcomes(right(3000, 60)), outcomes(right(3000, 105)))
    assert (change.metric, change.direction, change.fails) == ("accuracy", "worse", True)
    assert (change.old, change.new) == ("98.00%", "96.50%")
    assert change.detail.startswith(
        "-1.50 points; 45 lost, 0 gained of n=3000; McNemar p=2.8e-14; smallest drop that n"
    )


def test_a_drop_that_may_be_chance_is_told_with_the_smallest_that_could_be_seen():
    old, new = right(3000, 60), right(3000, 63)
    (change,) = compare_outcomes(CELL, outcomes(old), outcomes(new))
    assert (change.direction, change.fails) == ("information", False)
    assert "McNemar p=0.12; smallest drop that n could show: 0.35 points" in change.detail


def test_a_certain_drop_below_a_tenth_of_a_point_is_not_a_regression():
    (change,) = compare_outcomes(CELL, outcomes(right(20_000, 400)), outcomes(right(20_000, 410)))
    assert change.direction == "information"
    (change,) = compare_outcomes(CELL, outcomes(right(20_000, 400)), outcomes(right(20_000, 420)))
    assert change.direction == "worse"


def test_a_gain_is_told_and_does_not_fail():
    (change,) = compare_outcomes(CELL, outcomes(right(3000, 105)), outcomes(right(3000, 60)))
    assert (change.direction, change.fails) == ("better", False)


def test_a_sample_too_small_for_any_verdict_says_so():
    (change,) = compare_outcomes(CELL, outcomes([True]), outcomes([False]))
    assert change.direction == "information"
    assert change.detail.endswith("smallest drop that n could show: none")


def test_outputs_that_got_noisier_are_worse_though_no_answer_flipped():
    noise = np.random.default_rng(0).uniform(1e-5, 1e-3, 3000)
    old, new = outcomes(right(3000, 60), noise), outcomes(right(3000, 60), 10 * noise)
    (change,) = compare_outcomes(CELL, old, new)
    assert (change.metric, change.direction) == ("output_sqnr_db", "worse")
    assert "-10.0 dB against the float32 file's outputs; signed rank p=" in change.detail
    (change,) = compare_outcomes(CELL, new, old)
    assert (change.metric, change.direction) == ("output_sqnr_db", "better")


@pytest.mark.parametrize("factor", [1.1, 1.2])
def test_less_than_a_decibel_more_noise_is_no_change(factor):
    noise = np.random.default_rng(0).uniform(1e-5, 1e-3, 3000)
    assert compare_outcomes(CELL, outcomes(right(3000, 60), noise), outcomes(right(3000, 60), factor * noise)) == []


def test_agreement_to_float_rounding_is_agreement():
    old, new = outcomes(right(100, 2), 1e-12), outcomes(right(100, 2), 1e-9)
    assert compare_outcomes(CELL, old, new) == []


@given(st.integers(1, 400), st.floats(1e-13, 1e4), st.integers(0, 2**32 - 1))
def test_stored_outcomes_compared_with_the_same_run_are_no_change(n, scale, seed):
    rng = np.random.default_rng(seed)
    reference = (scale * rng.normal(size=(n, 3))).astype(np.float32)
    outputs = (reference + scale * rng.choice([1e-4, 0.3, 30]) * rng.normal(size=(n, 3))).astype(np.float32)
    scored = score(outputs, rng.integers(0, 3, n), reference)
    stored = Outcomes.from_json(scored.to_json())
    assert compare_outcomes(CELL, stored, scored.as_stored()) == []


def test_another_evaluation_set_is_a_change_that_names_accuracy_old_and_new():
    changes = compare_outcomes(CELL, outcomes(right(3000, 60)), outcomes(right(3000, 2700), labels="shuffled"))
    assert [(one.metric, one.direction) for one in changes] == [
        ("evaluation_samples", "changed"),
        ("accuracy", "worse"),
    ]
    assert changes[0].detail == "n=3000 -> 3000; other labels, or another order"
    assert (changes[1].old, changes[1].new) == ("98.00%", "10.00%")


def test_another_evaluation_set_of_equal_accuracy_still_fails():
    samples, accuracy = compare_outcomes(
        CELL, outcomes(right(3000, 60)), outcomes(right(1000, 20), labels="first third")
    )
    assert samples.fails
    assert samples.detail == "n=3000 -> 1000; other labels, or another order"
    assert (accuracy.direction, accuracy.old, accuracy.new) == ("information", "98.00%", "98.00%")


def test_the_policy_says_how_large_a_drop_counts_and_how_sure_it_has_to_be():
    old, new = outcomes(right(3000, 60)), outcomes(right(3000, 105))
    for policy in (Policy(minimum_drop_fraction=0.02), Policy(confidence=1 - 1e-15)):
        (change,) = compare_outcomes(CELL, old, new, policy)
        assert change.direction == "information"


def test_an_allowed_drop_bounds_what_the_samples_leave_open():
    old, new = outcomes(right(3000, 60)), outcomes(right(3000, 63))
    (told,) = compare_outcomes(CELL, old, new)
    assert told.direction == "information"
    (narrow,) = compare_outcomes(CELL, old, new, Policy(allowed_drop_fraction=0.001))
    assert narrow.direction == "undecided"
    assert "the drop is at most 0." in narrow.detail
    (wide,) = compare_outcomes(CELL, old, new, Policy(allowed_drop_fraction=0.01))
    assert wide.direction == "information"
    # equal outcomes of few samples leave a drop open too
    few = outcomes(right(100, 2))
    (open_,) = compare_outcomes(CELL, few, few, Policy(allowed_drop_fraction=0.001))
    assert open_.direction == "undecided"


def scores(values, labels="labels"):
    return Scores(np.asarray(values, np.float32), labels)


SCORED = np.random.default_rng(0).uniform(0.5, 1, 400).astype(np.float32)


def test_a_mean_score_that_certainly_fell_is_worse_and_the_other_way_round_better():
    fallen = SCORED - np.random.default_rng(1).uniform(0, 0.04, 400).astype(np.float32)
    (change,) = compare_scores(CELL, scores(SCORED), scores(fallen))
    assert (change.metric, change.direction) == ("score", "worse")
    assert "paired bootstrap of n=400; smallest drop that n could show: 0.00" in change.detail
    (back,) = compare_scores(CELL, scores(fallen), scores(SCORED))
    assert back.direction == "better"


def test_a_score_that_moved_by_chance_or_by_less_than_counts_is_told():
    noisy = SCORED + np.random.default_rng(2).normal(0, 0.2, 400).astype(np.float32)
    (chance,) = compare_scores(CELL, scores(SCORED), scores(noisy))
    assert chance.direction == "information"
    (small,) = compare_scores(CELL, scores(SCORED), scores(SCORED - np.float32(0.0005)))
    assert small.direction == "information"
    assert compare_scores(CELL, scores(SCORED), scores(SCORED)) == []


def test_a_score_in_decibels_has_to_fall_as_far_as_noise_has():
    before = Scores(SCORED, "labels", "dB")
    (half,) = compare_scores(CELL, before, Scores(SCORED - np.float32(0.5), "labels", "dB"))
    (two,) = compare_scores(CELL, before, Scores(SCORED - np.float32(2), "labels", "dB"))
    assert (half.direction, two.direction) == ("information", "worse")


def test_scores_of_other_samples_are_a_change_of_their_own():
    (change,) = compare_scores(CELL, scores(SCORED), scores(SCORED, "others"))
    assert (change.metric, change.direction) == ("evaluation_samples", "changed")


def cell(values=VALUES, outcomes_=None, scores_=None):
    return {
        "values": values,
        "outcomes": None if outcomes_ is None else outcomes_.to_json(),
        "scores": None if scores_ is None else scores_.to_json(),
    }


def test_a_cell_is_compared_by_all_that_is_stored_of_it():
    old = cell(outcomes_=outcomes(right(3000, 60)), scores_=scores(SCORED))
    new = cell({**VALUES, "raw_bytes": 30_000}, outcomes(right(3000, 105)), scores(SCORED - 0.1))
    assert [change.metric for change in compare_cells(CELL, old, new)] == ["raw_bytes", "accuracy", "score"]
    assert all(change.fails for change in compare_cells(CELL, old, new))
    assert compare_cells(CELL, old, old) == []


def test_quality_that_is_no_longer_scored_is_a_change():
    old = cell(outcomes_=outcomes(right(3000, 60)), scores_=scores(SCORED))
    lost = [(change.metric, change.new, change.fails) for change in compare_cells(CELL, old, cell())]
    assert lost == [("outcomes", "absent", True), ("scores", "absent", True)]


def test_damaged_outcomes_are_an_error_and_no_comparison():
    old = cell(outcomes_=outcomes(right(3000, 60)))
    old["outcomes"]["correct"] = "?"
    with pytest.raises(DataError, match="damaged"):
        compare_cells(CELL, old, cell(outcomes_=outcomes(right(3000, 60))))


def compared(verdict, ratio=1.2, low=1.1, high=1.3):
    return TimeComparison(verdict, ratio, low, high, 9, 2, 0.5, 10.0, 0.3, "wall", 1e-4, 0.05, 1.0)


@pytest.mark.parametrize(
    ("found", "informs", "direction"),
    [
        (compared("failed"), "", "worse"),
        (compared("undecided"), "", "undecided"),
        (compared("passed", 1.0, 0.98, 1.02), "", "information"),
        (compared("passed", 0.5, 0.4, 0.6), "", "better"),
        (compared("failed"), "another machine", "information"),
    ],
)
def test_a_pair_that_was_timed_is_judged_unless_it_can_only_inform(found, informs, direction):
    change = time_change(CELL, found, informs)
    assert (change.metric, change.direction) == ("latency_s", direction)
    assert change.old == "100 µs"
    assert change.detail.endswith(informs)
    assert "9 blocks" in change.detail


def test_a_time_is_only_worse_when_it_is_beyond_the_slowest_green_run_by_what_is_allowed():
    greens = [1.0, 2.0, 1.5]
    assert slower_than_ever(CELL, "load_time_s", greens, 4.0, 1.0, 0.05) is None
    change = slower_than_ever(CELL, "load_time_s", greens, 4.1, 1.0, 0.05)
    assert change.direction == "worse"
    assert "2.0x the slowest of 3 green runs" in change.detail
    assert slower_than_ever(CELL, "load_time_s", [0.01], 0.05, 1.0, 0.05) is None, "a difference that never counts"
    assert slower_than_ever(CELL, "load_time_s", [], 4.1, 1.0, 0.05) is None
