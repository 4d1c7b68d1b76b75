"""Scores are one finite number a sample, and come back from a run as they were stored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from compress.errors import DataError
from compress.measure.scores import Scores

VALUES = arrays(np.float32, st.integers(1, 40), elements=st.floats(-60_000, 60_000, width=32))


def of(values):
    return Scores.of(np.asarray(values, np.float32), np.arange(len(values)))


@given(VALUES)
def test_scores_survive_storage_bit_for_bit(values):
    scores = of(values)
    back = Scores.from_json(scores.to_json())
    assert Scores.from_json(Scores(scores.values, "x", "dB").to_json()).unit == "dB"
    np.testing.assert_array_equal(back.values, scores.values)
    assert back.samples == scores.samples


@given(VALUES)
def test_a_score_is_kept_to_a_two_thousandth_of_itself(values):
    np.testing.assert_allclose(of(values).values, values, rtol=2**-11, atol=2**-24)


def test_other_labels_are_other_samples():
    values = np.zeros(3, np.float32)
    samples = {Scores.of(values, np.array(labels)).samples for labels in ([0, 1, 2], [0, 2, 1], [0.0, 1.0, 2.0])}
    assert len(samples) == 3


@pytest.mark.parametrize("values", [[np.nan], [np.inf], [60_001.0]])
def test_a_score_that_cannot_be_kept_is_refused(values):
    with pytest.raises(DataError, match="must be finite and at most 60,000"):
        of(values)


@pytest.mark.parametrize("shape", [(4,), (0,), (3, 1), ()])
def test_a_score_for_each_sample_or_group_is_asked_for(shape):
    with pytest.raises(DataError, match=r"one number a sample, \(3,\), or a group of samples; got shape"):
        Scores.of(np.zeros(shape, np.float32), np.zeros(3, np.int64))


def test_samples_of_one_question_may_have_one_score():
    assert len(Scores.of(np.ones(2, np.float32), np.zeros(3, np.int64)).values) == 2


@pytest.mark.parametrize(
    "change", [{"n": 2}, {"values": "?"}, {"values": "%%"}, {"n": "x"}, {"samples": None, "n": None}]
)
def test_damaged_scores_are_said_to_be_damaged(change):
    with pytest.raises(DataError, match="stored scores are damaged"):
        Scores.from_json({**of([1, 2, 3]).to_json(), **change})
