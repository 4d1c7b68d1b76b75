"""The statistics agree with scipy, with brute force, and with a published table."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from compress.claims import statistics
from compress.claims.statistics import (
    Paired,
    drop_of_scores,
    minimum_detectable_drop,
    noise_grew_p,
    two_proportions_p,
    wilson_interval,
)

FLIPS = st.tuples(st.integers(0, 60), st.integers(0, 60))


@given(FLIPS)
def test_mcnemar_is_the_binomial_test_of_the_discordant_samples(flips):
    lost, gained = flips
    expected = stats.binomtest(lost, lost + gained, 0.5, alternative="greater").pvalue if lost + gained else 1.0
    assert Paired(200, lost, gained).mcnemar_p() == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 5), st.integers(0, 5))
def test_mcnemar_counts_the_ways_in_which_a_fair_coin_does_as_much(lost, gained):
    tosses = list(itertools.product((0, 1), repeat=lost + gained))
    share = sum(sum(one) >= lost for one in tosses) / len(tosses)
    assert Paired(16, lost, gained).mcnemar_p() == pytest.approx(share, abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=50))
def test_pairs_are_counted_sample_by_sample(pairs):
    old, new = (np.array(column) for column in zip(*pairs, strict=True))
    paired = Paired.of(old, new)
    assert paired.drop == pytest.approx(old.mean() - new.mean(), abs=1e-12)
    assert paired.discordance == pytest.approx((old != new).mean(), abs=1e-12)


def test_outcomes_of_other_lengths_cannot_be_paired():
    with pytest.raises(ValueError, match="cannot be paired"):
        Paired.of(np.ones(3, bool), np.ones(4, bool))


def test_without_any_discordance_nothing_is_claimed():
    paired = Paired(1, 0, 0)
    assert (paired.drop, paired.mcnemar_p()) == (0.0, 1.0)
    assert paired.drop_interval()[0] < 0 < paired.drop_interval()[1]


@pytest.mark.parametrize(
    ("paired", "low", "high"),
    [
        # by hand: p1 = 4/12, p2 = 2/12, half = 1.6448536 sqrt((1/2 - 1/36) / 12)
        (Paired(10, 3, 1), 1 / 6 - 0.3262946, 1 / 6 + 0.3262946),
        # p1 = 46/3002, p2 = 16/3002, half = 1.6448536 sqrt((62/3002 - (30/3002)^2) / 3002) = 0.0043039
        (Paired(3000, 45, 15), 0.0099933 - 0.0043039, 0.0099933 + 0.0043039),
    ],
)
def test_the_interval_of_a_drop_is_bonett_and_prices(paired, low, high):
    assert paired.drop_interval() == pytest.approx((low, high), abs=2e-6)


@pytest.mark.parametrize(("lost", "gained"), [(0.02, 0.005), (0.05, 0.05), (0.002, 0.0)])
def test_the_interval_of_a_drop_covers_it_as_often_as_it_says(lost, gained):
    rng = np.random.default_rng(0)
    n, trials = 1000, 4000
    flips = rng.multinomial(n, [lost, gained, 1 - lost - gained], size=trials)
    limits = np.array([Paired(n, int(a), int(b)).drop_interval() for a, b, _ in flips])
    below, above = (lost - gained < limits[:, 0]).mean(), (lost - gained > limits[:, 1]).mean()
    # 5 % a side, and for rare flips on the safe side of it; 0.015 is more than 4 standard errors of the simulation
    assert max(below, above) < 0.065
    assert below + above < 0.115


@given(st.integers(1, 300), st.data())
def test_the_interval_of_a_drop_holds_it_and_stays_within_what_can_be(n, data):
    lost = data.draw(st.integers(0, n))
    paired = Paired(n, lost, data.draw(st.integers(0, n - lost)))
    low, high = paired.drop_interval()
    assert -1 <= low <= paired.drop <= high <= 1


@given(st.integers(1, 5000), st.data(), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_of_an_accuracy_is_wilsons(n, data, confidence):
    right = data.draw(st.integers(0, n))
    both_sides = 2 * confidence - 1
    expected = stats.binomtest(right, n).proportion_ci(both_sides, method="wilson")
    assert wilson_interval(right, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(
    ("n", "discordance_percent", "points"),
    [
        (500, 1, 3.24),
        (500, 2, 3.87),
        (500, 5, 5.16),
        (1000, 1, 1.94),
        (1000, 2, 2.40),
        (1000, 5, 3.32),
        (2000, 1, 1.20),
        (2000, 2, 1.53),
        (2000, 5, 2.19),
        (10000, 1, 0.44),
        (10000, 2, 0.59),
        (10000, 5, 0.88),
    ],
)
def test_the_smallest_drop_that_can_be_seen_is_that_of_an_independent_computation(n, discordance_percent, points):
    assert 100 * minimum_detectable_drop(n, discordance_percent / 100) == pytest.approx(points, abs=0.0051)


def test_a_drop_of_the_smallest_size_is_found_nine_times_in_ten():
    n, discordance = 500, 0.04
    drop = minimum_detectable_drop(n, discordance)
    flips = np.random.default_rng(1).multinomial(
        n, [discordance / 2 + drop, discordance / 2, 1 - discordance - drop], 4000
    )
    found = np.mean([Paired(n, int(a), int(b)).mcnemar_p() <= 0.01 for a, b, _ in flips])
    assert found == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("n", [1, 2, 6])
def test_a_sample_too_small_to_show_any_drop_says_so(n):
    assert minimum_detectable_drop(n, 0.0) == math.inf


def test_seven_samples_can_show_a_drop_of_nearly_all():
    assert 0.9 < minimum_detectable_drop(7, 0.0) < 1  # 1 / 2**7 < 0.01 < 1 / 2**6


@pytest.mark.parametrize("discordance", [0.0, 0.5, 0.9, 1.0])
def test_the_smallest_drop_that_can_be_seen_shrinks_with_the_sample(discordance):
    drops = [minimum_detectable_drop(n, discordance) for n in (50, 200, 1000, 5000)]
    assert drops == sorted(drops, reverse=True)
    assert 0 < drops[-1] < 0.1


def test_noise_that_grew_on_every_sample_is_seen():
    noise = np.random.default_rng(0).random(200).astype(np.float32)
    assert noise_grew_p(noise, 2 * noise) < 1e-9
    assert noise_grew_p(2 * noise, noise) > 0.99


def test_noise_that_did_not_change_is_not_told_from_chance():
    noise = np.random.default_rng(0).random(50).astype(np.float32)
    assert noise_grew_p(noise, noise.copy()) == 1.0
    assert noise_grew_p(noise, np.random.default_rng(1).permutation(noise)) > 0.01


def test_noise_growth_agrees_with_the_exact_signed_rank_test():
    rng = np.random.default_rng(3)
    old = rng.random(40).astype(np.float32)
    new = (old * rng.uniform(0.72, 1.35, 40)).astype(np.float32)
    exact = stats.wilcoxon(
        np.sqrt(new.astype(float)) - np.sqrt(old.astype(float)), alternative="greater", method="exact"
    ).pvalue
    assert noise_grew_p(old, new) == pytest.approx(exact, abs=0.005)
    assert 0.001 < exact < 0.2


@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_unpaired_accuracies_are_compared_by_the_hypergeometric_tail(old_n, new_n, data):
    old_right, new_right = data.draw(st.integers(0, old_n)), data.draw(st.integers(0, new_n))
    tail = stats.hypergeom(old_n + new_n, old_right + new_right, old_n).sf(old_right - 1)
    assert two_proportions_p(old_right, old_n, new_right, new_n) == pytest.approx(tail, abs=1e-9)


def scores(n, drop, spread=0.2, seed=0):
    rng = np.random.default_rng(seed)
    old = rng.uniform(0, 1, n).astype(np.float32)
    return old, (old - drop + spread * rng.standard_normal(n)).astype(np.float32)


def test_the_bootstrap_of_a_mean_agrees_with_students_t():
    old, new = scores(2000, 0.05)
    found = drop_of_scores(old, new)
    interval = stats.ttest_1samp(old.astype(float) - new, 0).confidence_interval(0.98)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-3)
    assert found.drop == pytest.approx((old.astype(float) - new).mean(), abs=1e-12)


def test_the_bootstrap_turns_around_with_its_sides():
    old, new = scores(300, 0.02)
    there, back = drop_of_scores(old, new), drop_of_scores(new, old)
    assert there.drop == -back.drop
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=3e-3)


def test_samples_that_all_moved_alike_leave_nothing_to_chance():
    found = drop_of_scores(np.ones(5, np.float32), np.full(5, 0.5, np.float32))
    assert (found.low, found.drop, found.high, found.detectable) == (0.5, 0.5, 0.5, 0.0)


def test_equal_means_are_called_a_drop_about_as_rarely_as_asked_for():
    wrong = sum(drop_of_scores(*scores(120, 0.0, seed=seed), confidence=0.95).low > 0 for seed in range(200))
    assert wrong <= 20  # 10 expected; more than 20 by chance: 1 in 1,000


def test_the_smallest_detectable_drop_is_found_nine_times_in_ten():
    n, spread = 200, 0.2
    drop = drop_of_scores(*scores(n, 0.0, spread)).detectable
    found = sum(drop_of_scores(*scores(n, drop, spread, seed)).low > 0 for seed in range(100))
    assert 80 <= found <= 98


@pytest.mark.parametrize("p", [0.0, 1e-4, 0.01, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("n", [0, 1, 2, 5, 17, 100, 1000, 3000])
def test_the_binomial_of_special_functions_is_scipys_own(n, p):
    counts = np.arange(-1, n + 1)
    np.testing.assert_allclose(statistics._binomial_sf(counts, n, p), stats.binom.sf(counts, n, p), 1e-9, 1e-14)
    np.testing.assert_allclose(
        statistics._binomial_pmf(counts[1:], n, p), stats.binom.pmf(counts[1:], n, p), 1e-8, 1e-12
    )
    for alpha in (1e-9, 0.01, 0.5, 1 - 1e-9):
        assert statistics._least(alpha, n, p) == stats.binom.isf(alpha, n, p)


def test_importing_the_statistics_imports_no_library_of_them():
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, compress.workbench, compress.pytest_run; print('scipy.stats' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "False"
