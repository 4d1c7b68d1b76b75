"""Eq. 5 of Ishtiaq et al.: its range, its unit, and what it cannot tell apart."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benches.ishtiaq2021.quality_metric import quality

fractions = st.floats(0, 1)
precisions = st.sampled_from([8, 16, 32])
changes_points = st.floats(-100, 100)
factors = st.floats(0, 700)


def test_a_cell_worked_out_by_hand_from_the_printed_row():
    # (0.9 + 1) / 2 = 0.95; tanh 2.22 = (e^4.44 - 1) / (e^4.44 + 1) = 83.7749 / 85.7749; sigmoid(14.66) = 1 - 4e-7
    assert quality(0.9, 8, -2.22, 78170 / 5331) == pytest.approx(-0.95 * 83.7749 / 85.7749, abs=1e-5)


def test_the_change_is_in_points_not_in_a_fraction():
    assert quality(0.99, 8, 4.24, 41.97) == pytest.approx(0.9946, abs=6e-5)
    assert quality(0.99, 8, 0.0424, 41.97) == pytest.approx(0.0422, abs=6e-5)


@given(fractions, precisions, changes_points, factors)
def test_it_stays_between_minus_one_and_one_from_8_bits_up(sparsity, bits, delta_points, reduction):
    assert -1 <= quality(sparsity, bits, delta_points, reduction) <= 1


def test_it_exceeds_one_at_4_bits():
    assert quality(1, 4, 100, 100) == pytest.approx(1.5)


@given(fractions, precisions, factors)
def test_it_is_zero_where_accuracy_does_not_change(sparsity, bits, reduction):
    assert quality(sparsity, bits, 0, reduction) == 0


@given(fractions, precisions, changes_points, factors)
def test_a_gain_and_a_loss_of_the_same_size_are_mirror_images(sparsity, bits, delta_points, reduction):
    assert quality(sparsity, bits, -delta_points, reduction) == -quality(sparsity, bits, delta_points, reduction)


def test_no_compression_at_all_counts_an_eighth():
    assert quality(0, 32, math.inf, math.inf) == 0.125
