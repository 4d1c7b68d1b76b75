"""Outcomes are what a classifier got right and how noisy its answers are; they survive being stored."""

import base64
import math
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import DataError
from compress.measure.classification import SQNR_CEILING_DB, Outcomes, score

LABELS = np.array([0, 1, 2])
REFERENCE = np.eye(3, dtype=np.float32)


def some(n=100, seed=0):
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(n, 10)).astype(np.float32)
    outputs = reference + rng.normal(scale=0.01, size=(n, 10)).astype(np.float32)
    return score(outputs, rng.integers(0, 10, n), reference)


def test_the_largest_output_is_the_answer():
    outputs = np.array([[0.9, 0, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7]], np.float32)
    scored = score(outputs, LABELS, REFERENCE)
    assert scored.correct.tolist() == [True, False, True]
    assert scored.accuracy == pytest.approx(2 / 3)


def test_the_reference_against_itself_has_no_noise():
    scored = score(REFERENCE, LABELS, REFERENCE)
    assert scored.output_sqnr_db == math.inf
    assert scored.noise.tolist() == [0, 0, 0]


def test_noise_of_a_tenth_of_the_amplitude_is_twenty_decibels():
    assert score(REFERENCE * np.float32(1.1), LABELS, REFERENCE).output_sqnr_db == pytest.approx(20, abs=1e-4)


def test_a_silent_reference_has_no_signal():
    assert score(REFERENCE, LABELS, np.zeros_like(REFERENCE)).output_sqnr_db == -math.inf


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_answer_that_is_no_number_is_wrong_and_as_noisy_as_can_be(bad):
    outputs = REFERENCE.copy()
    outputs[0, 0] = bad
    scored = score(outputs, LABELS, REFERENCE)
    assert scored.correct.tolist() == [False, True, True]
    assert scored.output_sqnr_db < -10
    assert scored.as_stored().output_sqnr_db == pytest.approx(scored.output_sqnr_db, abs=0.4)


def test_a_reference_that_is_no_number_is_refused():
    with pytest.raises(DataError, match="the float32 file answers with NaN or infinity"):
        score(REFERENCE, LABELS, REFERENCE * np.nan)


@pytest.mark.parametrize(
    ("outputs", "labels"),
    [(REFERENCE[:, :2], LABELS), (REFERENCE, LABELS[:2]), (REFERENCE[:2], LABELS), (REFERENCE[0], LABELS)],
)
def test_shapes_that_do_not_belong_together_are_refused(outputs, labels):
    with pytest.raises(DataError, match="do not belong together"):
        score(outputs, labels, REFERENCE)


def test_the_digest_tells_labels_and_their_order_apart():
    digests = [score(REFERENCE, np.array(labels), REFERENCE).samples for labels in ([0, 1, 2], [1, 0, 2], [0, 1, 1])]
    assert len(set(digests)) == 3
    assert score(REFERENCE, LABELS.astype(np.int8), REFERENCE).samples == digests[0]


@given(st.integers(1, 200), st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_outcomes_come_back_from_json_as_they_were(n, seed, scale):
    rng = np.random.default_rng(seed)
    signal = (scale * rng.uniform(0.5, 2, n)).astype(np.float32)
    noise = (scale * 10.0 ** rng.uniform(-9, 1.5, n)).astype(np.float32) * (rng.random(n) > 0.2)
    before = Outcomes(rng.random(n) > 0.3, noise, signal, "samples")
    after = before.as_stored()
    assert after.samples == before.samples
    np.testing.assert_array_equal(after.correct, before.correct)
    np.testing.assert_allclose(after.noise, before.noise, rtol=10 ** (1 / 32) - 1 + 1e-3)
    assert after.output_sqnr_db == pytest.approx(before.output_sqnr_db, abs=0.4)


@given(st.integers(0, 2**32 - 1))
def test_storing_twice_changes_nothing(seed):
    once = some(50, seed).as_stored()
    twice = once.as_stored()
    np.testing.assert_allclose(twice.noise, once.noise, rtol=1e-6)
    np.testing.assert_array_equal(twice.correct, once.correct)


def test_a_stored_sample_takes_little_more_than_a_byte():
    stored = some(3000).to_json()
    assert len(stored["correct"]) + len(stored["noise"]) < 3000 * 1.25


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n", 99),
        ("n", 1000),
        ("n", 10**15),
        ("n", 0),
        ("n", -100),
        ("n", "many"),
        ("n", None),
        ("correct", "not base 85 \x00"),
        ("correct", ""),
        ("correct", None),
        ("correct", base64.b85encode(zlib.compress(bytes(12))).decode()),
        ("correct", base64.b85encode(zlib.compress(bytes(14))).decode()),
        ("noise", "00000"),
        ("mean_signal", "loud"),
        ("mean_signal", math.nan),
        ("mean_signal", -1),
    ],
)
def test_damaged_outcomes_are_refused(key, value):
    with pytest.raises(DataError, match="stored outcomes are damaged"):
        Outcomes.from_json({**some().to_json(), key: value})


@pytest.mark.parametrize("key", ["n", "samples", "correct", "noise", "mean_signal"])
def test_incomplete_outcomes_are_refused(key):
    stored = some().to_json()
    del stored[key]
    with pytest.raises(DataError, match=f"stored outcomes are damaged: KeyError\\('{key}'\\)"):
        Outcomes.from_json(stored)


@given(st.sampled_from(["correct", "noise"]), st.data())
def test_damage_to_the_packed_bytes_is_refused_or_changes_nothing(key, data):
    before = some().as_stored()
    stored = some().to_json()
    at = data.draw(st.integers(0, len(stored[key]) - 1))
    stored[key] = stored[key][:at] + data.draw(st.sampled_from("0aZ!~ ")) + stored[key][at + 1 :]
    try:
        after = Outcomes.from_json(stored)
    except DataError:
        return
    np.testing.assert_array_equal(after.correct, before.correct)
    np.testing.assert_array_equal(after.noise, before.noise)


def test_the_ceiling_is_above_what_eleven_bits_can_reach():
    assert SQNR_CEILING_DB < 6.02 * 11
