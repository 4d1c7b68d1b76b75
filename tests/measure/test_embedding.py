"""Embeddings judged by their neighbourhoods: scipy's rank correlation, reversals, and answers that are no numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from compress.errors import DataError
from compress.measure.embedding import common_neighbours, rank_agreement
from compress.measure.quality import find_judge


def drawn(seed: int, n: int = 30, values: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, values)).astype(np.float32)


def cosines(x: np.ndarray, row: int) -> np.ndarray:
    unit = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    return np.delete(unit @ unit[row], row)


@given(st.integers(0, 2**31), st.integers(3, 20))
def test_rank_agreement_is_scipys_spearman_of_the_similarities_to_the_others(seed, n):
    outputs, reference = drawn(seed, n), drawn(seed + 1, n)

    found = rank_agreement(outputs, reference)

    for row in range(n):
        expected = spearmanr(cosines(outputs, row), cosines(reference, row)).statistic
        np.testing.assert_allclose(found[row], expected, atol=1e-6)


@given(st.integers(0, 2**31), st.floats(0.01, 100))
def test_an_embedding_agrees_with_itself_at_any_scale(seed, scale):
    reference = drawn(seed)

    np.testing.assert_allclose(rank_agreement(reference * np.float32(scale), reference), 1, atol=1e-3)
    np.testing.assert_array_equal(common_neighbours(reference, reference), 1)


def test_a_reversed_order_is_minus_one():
    angles = np.array([0.0, 0.2, 0.5, 0.9])
    reference = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    turned = np.array([0.0, 0.9, 0.5, 0.2])
    outputs = np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)

    assert rank_agreement(outputs, reference)[0] == pytest.approx(-1)


def test_neighbours_are_counted_by_name():
    reference = drawn(0, n=41)
    outputs = reference.copy()
    outputs[1] = -outputs[1]

    found = common_neighbours(outputs, reference)

    assert set(np.round(10 * found)) == set(10 * found)
    assert found[1] < 1
    assert found.mean() > 0.8


def test_answers_that_are_all_alike_or_no_numbers_agree_with_nothing():
    reference = drawn(0)
    broken = reference.copy()
    broken[3] = np.nan

    np.testing.assert_array_equal(rank_agreement(np.ones_like(reference), reference), 0)
    assert (rank_agreement(broken, reference)[3], common_neighbours(broken, reference)[3]) == (0, 0)
    assert rank_agreement(broken, reference)[4] > 0.9


@pytest.mark.parametrize("outputs", [drawn(0, n=29), drawn(0, values=5), drawn(0)[:, :, None]])
def test_embeddings_of_other_shapes_are_refused(outputs):
    for judge in (rank_agreement, common_neighbours):
        with pytest.raises(DataError, match="cannot be ranked"):
            judge(outputs, drawn(0))


def test_two_samples_have_no_order():
    with pytest.raises(DataError, match="3 samples or more"):
        rank_agreement(drawn(0, n=2), drawn(0, n=2))


@pytest.mark.parametrize("name", ["rank_agreement", "common_neighbours"])
def test_both_are_metrics_by_name_against_the_reference(name):
    judge = find_judge(name)

    assert judge.against == "reference"
    np.testing.assert_allclose(judge(drawn(0), drawn(0)), 1)
