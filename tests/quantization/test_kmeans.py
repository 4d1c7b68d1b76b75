"""k-means of one-dimensional values: where it ends, from where, and what it has no answer to."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from compress.errors import QuantizationError
from compress.quantization.kmeans import Init, _first, kmeans, nearest

INITS: list[Init] = ["linear", "density_based", "forgy", "kmeans_plus_plus"]


def arrays(elements: st.SearchStrategy[float], max_side: int = 30) -> st.SearchStrategy[NDArray[np.float32]]:
    return npst.arrays(np.float32, st.integers(1, max_side), elements=elements, fill=st.nothing())


ANYTHING = arrays(st.floats(allow_nan=False, allow_infinity=False, width=32))
ALIKE = arrays(st.floats(-4, 4, width=32, allow_subnormal=False))


def clustered(x: NDArray[Any], clusters: int, init: Init = "linear", seed: int = 0) -> NDArray[Any]:
    centroids = kmeans(x, clusters, init, np.random.default_rng(seed))
    return centroids[nearest(x, centroids)]


def squared_error(x: NDArray[Any], approximated: NDArray[Any]) -> float:
    return float(np.sum((x.astype(np.float64) - approximated) ** 2))


@given(ANYTHING, st.integers(1, 9), st.sampled_from(INITS))
def test_there_are_at_most_so_many_centroids_ascending_within_the_range_and_of_the_values_type(x, clusters, init):
    centroids = kmeans(x, clusters, init, np.random.default_rng(0))
    assert 1 <= len(centroids) <= clusters
    assert np.all(centroids[1:] > centroids[:-1])
    assert x.min() <= centroids[0]
    assert centroids[-1] <= x.max()
    assert centroids.dtype == np.float32


@given(ANYTHING, st.integers(1, 9), st.sampled_from(INITS))
def test_each_value_is_given_its_nearest_centroid(x, clusters, init):
    centroids = kmeans(x, clusters, init, np.random.default_rng(0)).astype(np.float64)
    distances = np.abs(x[:, None].astype(np.float64) - centroids)
    assert np.array_equal(np.take_along_axis(distances, nearest(x, centroids)[:, None], 1)[:, 0], distances.min(1))


@given(ALIKE, st.integers(1, 9), st.sampled_from(INITS))
def test_each_centroid_in_use_is_the_mean_of_its_values(x, clusters, init):
    centroids = kmeans(x, clusters, init, np.random.default_rng(0))
    middles = (centroids[1:].astype(np.float64) + centroids[:-1]) / 2
    # a value half way between two centroids may be of either, once they are rounded to float32
    assume(not np.isclose(x[:, None], middles, rtol=1e-5, atol=1e-30).any())
    index = nearest(x, centroids)
    for used in np.unique(index):
        assert centroids[used] == pytest.approx(x[index == used].mean(dtype=np.float64), rel=1e-6, abs=1e-12)


@given(ALIKE, st.integers(2, 9))
def test_the_error_is_no_greater_than_that_of_the_even_grid_it_starts_from(x, clusters):
    grid = np.linspace(x.min(), x.max(), clusters, dtype=np.float64)
    at_start = np.sum(np.min(np.abs(x[:, None] - grid), axis=1) ** 2)
    assert squared_error(x, clustered(x, clusters)) <= at_start * (1 + 1e-6) + 1e-12


@given(st.integers(0, 2**32 - 1), st.sampled_from(INITS))
def test_twice_the_clusters_leave_less_error_on_normal_weights(seed, init):
    x = np.random.default_rng(seed).normal(size=500).astype(np.float32)
    errors = [squared_error(x, clustered(x, clusters, init, seed)) for clusters in (1, 2, 4, 8, 16, 32)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == pytest.approx(500 * x.var(dtype=np.float64), rel=1e-5)


@given(arrays(st.floats(-4, 4, width=32, allow_subnormal=False), max_side=9), st.integers(1, 4))
def test_no_way_to_start_ends_below_the_least_error_of_any_partition(x, clusters):
    ordered = np.sort(x).astype(np.float64)
    cuts = combinations(range(1, len(x)), min(clusters, len(x)) - 1)
    least = min(sum(float(np.sum((run - run.mean()) ** 2)) for run in np.split(ordered, chosen)) for chosen in cuts)
    ended = [squared_error(x, clustered(x, clusters, init)) for init in INITS]
    assert min(ended) >= least * (1 - 1e-6) - 1e-12


@given(ANYTHING, st.integers(1, 40), st.sampled_from(INITS))
def test_values_that_are_few_enough_are_their_own_centroids(x, clusters, init):
    assume(len(np.unique(x)) <= clusters)
    assert np.array_equal(clustered(x, clusters, init), x)


@given(ALIKE, st.integers(1, 9))
def test_clustering_twice_changes_nothing(x, clusters):
    once = clustered(x, clusters)
    assert np.array_equal(clustered(once, clusters), once)


@pytest.mark.parametrize("init", INITS)
def test_sixteen_centroids_of_normal_weights_are_the_optimal_quantizer_of_lloyd_and_max(init):
    x = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    # Max 1960, "Quantizing for minimum distortion", table I: mean squared error 0.009497, outermost level 2.733
    assert np.mean((x - clustered(x, 16, init)) ** 2) == pytest.approx(0.009497, rel=0.01)
    assert kmeans(x, 16, init, np.random.default_rng(0))[-1] == pytest.approx(2.733, abs=0.05)


@pytest.mark.parametrize(
    ("init", "expected"), [("linear", [0, 8]), ("density_based", [1, 3]), ("kmeans_plus_plus", [0, 1, 2, 3, 8])]
)
def test_centroids_start_evenly_spaced_in_value_or_in_probability_or_apart(init, expected):
    ordered = np.array([0.0, 1.0, 2.0, 3.0, 8.0])
    assert _first(ordered, len(expected), init, np.random.default_rng(0)).tolist() == expected


def test_a_mean_of_small_values_beside_huge_ones_is_among_its_own():
    x = np.array([-1e38, -1e38, 1, 2, 3], np.float32)
    assert 1 <= kmeans(x, 2, "linear", np.random.default_rng(0))[1] <= 3


def test_forgy_starts_at_different_places_in_memory_and_a_seed_fixes_them():
    x = np.arange(100, dtype=np.float32)
    ends = [kmeans(x, 7, "forgy", np.random.default_rng(seed)).tolist() for seed in (0, 0, 1, 2, 3)]
    assert ends[0] == ends[1]
    assert len({tuple(each) for each in ends}) > 1


@pytest.mark.parametrize(
    ("x", "clusters", "init", "message"),
    [
        ([1.0, np.nan], 2, "linear", "finite float32"),
        ([1.0, -np.inf], 2, "linear", "finite float32"),
        ([1.0, 1e39], 2, "linear", "finite float32"),
        ([1, 2, 3], 2, "linear", "expected an array of floats"),
        ([1.0, 2.0, 3.0], 2, "random", "init must be linear, .* got 'random'"),
        ([1.0], 0, "linear", "clusters must be at least 1, got 0"),
    ],
)
def test_what_has_no_clusters_is_refused_with_the_reason(x, clusters, init, message):
    with pytest.raises(QuantizationError, match=message):
        kmeans(np.array(x), clusters, init, np.random.default_rng(0))
