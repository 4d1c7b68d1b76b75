"""Weight histograms against numpy's and against counting one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from compress.errors import DataError
from compress.measure.histogram import histogram, sparkline

WEIGHTS = hnp.arrays(
    np.float32,
    hnp.array_shapes(max_dims=3, max_side=6),
    elements=st.sampled_from([0.0, -0.0]) | st.floats(-2, 2, width=32, allow_subnormal=False),
)


@given(WEIGHTS, st.integers(1, 20), st.none() | st.floats(0.1, 3))
def test_every_value_is_counted_once_zeros_apart(weights, bins, limit):
    found = histogram(weights, bins, limit)
    assert found.zeros == np.count_nonzero(weights == 0)
    assert found.zeros + sum(found.counts) == weights.size
    assert len(found.counts) == bins == len(found.edges) - 1
    assert found.zeros_fraction == pytest.approx(np.mean(weights == 0))


def test_values_fall_into_the_bin_between_whose_edges_they_lie():
    weights = np.random.default_rng(0).normal(size=(40, 30))
    found = histogram(weights, 7)
    assert found.limit == np.abs(weights).max()
    for count, low, high in zip(found.counts[:-1], found.edges[:-1], found.edges[1:], strict=False):
        assert count == np.count_nonzero((weights >= low) & (weights < high))


def test_values_beyond_the_limit_count_to_the_outermost_bins():
    assert histogram(np.array([-9, -0.9, 0, 0.1, 5, 6]), 3, limit=1).counts == (2, 1, 2)


def test_nothing_but_zeros_has_a_histogram():
    assert histogram(np.zeros(4), 3) == histogram(np.zeros((2, 2)), 3)
    assert (histogram(np.zeros(4), 3).counts, histogram(np.zeros(4), 3).zeros_fraction) == ((0, 0, 0), 1.0)


@pytest.mark.parametrize(
    ("counts", "drawn"),
    [([], ""), ([0, 0], "  "), ([5], "█"), ([0, 1, 4, 8], " ▁▄█"), ([1, 1000], "▁█"), ([7, 8, 9], "▇██")],
)
def test_a_sparkline_is_as_high_as_its_counts_and_blank_only_for_none(counts, drawn):
    assert sparkline(counts) == drawn


def test_it_prints_its_shape_its_range_and_its_zeros():
    assert str(histogram(np.array([-0.5, 0.25, 0.26, 0]), 4)) == "▄  █ ±0.5, 25.0% zeros"


@pytest.mark.parametrize(
    ("values", "bins", "limit"),
    [([], 3, None), ([1, np.nan], 3, None), ([np.inf], 3, None), ([1], 0, None), ([1], 3, 0.0), ([1], 3, np.inf)],
)
def test_what_has_no_histogram_is_refused(values, bins, limit):
    with pytest.raises(DataError, match="a histogram needs"):
        histogram(np.array(values), bins, limit)
