"""The Fréchet distance is that of the Gaussians with the samples' means and covariances, whatever their rank."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

from compress.errors import DataError
from compress.measure.frechet import frechet_distance


def sample(n, covariance, mean, seed=0):
    """Vectors whose mean and covariance are exactly these, ``(n, d)``."""
    drawn = np.random.default_rng(seed).standard_normal((n, len(mean)))
    drawn -= drawn.mean(axis=0)
    whitened = drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn.T))).T
    return whitened @ np.linalg.cholesky(covariance).T + mean


def by_root_of_the_product(features, others):
    """The formula as published, by a root of the product of the covariances (Heusel et al. 2017)."""
    first, second = np.cov(features.T), np.cov(others.T)
    root = linalg.sqrtm(first @ second).real
    apart = features.mean(axis=0) - others.mean(axis=0)
    return apart @ apart + np.trace(first + second - 2 * root)


def test_gaussians_whose_covariances_commute_are_as_far_apart_as_their_means_and_deviations():
    here = sample(200, np.diag([1.0, 4.0, 9.0]), np.zeros(3))
    there = sample(300, np.diag([4.0, 4.0, 1.0]), np.array([3.0, 0.0, 4.0]), seed=1)
    assert frechet_distance(here, there) == pytest.approx(25 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)


def test_any_covariances_give_the_published_formula():
    draw = np.random.default_rng(3)
    here, there = draw.normal(size=(80, 6)) @ draw.normal(size=(6, 6)), draw.normal(size=(70, 6)) + 1
    assert frechet_distance(here, there) == pytest.approx(by_root_of_the_product(here, there), rel=1e-8)


@given(st.integers(2, 40), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_set_is_at_distance_0_from_itself_in_any_order_also_with_fewer_vectors_than_features(n, width, seed):
    features = np.random.default_rng(seed).normal(size=(n, width))
    assert frechet_distance(features, features[::-1]) == pytest.approx(0, abs=1e-9)


@given(st.integers(2, 30), st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_there_is_as_far_as_back_and_turning_both_sets_changes_nothing(n, m, seed):
    draw = np.random.default_rng(seed)
    here, there = draw.normal(size=(n, 5)), draw.normal(size=(m, 5)) * 2
    turn = np.linalg.qr(draw.normal(size=(5, 5)))[0]
    forth = frechet_distance(here, there)
    assert forth >= 0
    assert frechet_distance(there, here) == pytest.approx(forth, rel=1e-8, abs=1e-9)
    assert frechet_distance(here @ turn, there @ turn) == pytest.approx(forth, rel=1e-8, abs=1e-9)


def test_a_set_that_was_shifted_is_as_far_as_the_square_of_the_shift():
    features = np.random.default_rng(0).normal(size=(50, 8))
    assert frechet_distance(features, features + 2) == pytest.approx(8 * 4)


@pytest.mark.parametrize(
    ("features", "others"),
    [
        (np.zeros((5, 3)), np.zeros((5, 4))),
        (np.zeros((1, 3)), np.zeros((5, 3))),
        (np.zeros(5), np.zeros(5)),
        (np.full((5, 3), np.nan), np.zeros((5, 3))),
        (np.zeros((5, 0)), np.zeros((5, 0))),
    ],
)
def test_sets_without_a_distance_are_refused(features, others):
    with pytest.raises(DataError, match="Fréchet distance"):
        frechet_distance(features, others)
