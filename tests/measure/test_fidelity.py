"""Fidelity is measured a sample at a time, of any shape, and never rewards an answer that is no number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from compress.errors import DataError
from compress.measure.fidelity import FLOOR_DB, PSNR_CEILING_DB, cosine_similarity, fidelity, psnr_db, sqnr_db

SHAPES = array_shapes(min_dims=1, max_dims=4, max_side=5)
VALUES = st.floats(-1e3, 1e3, width=32)
OUTPUTS = SHAPES.flatmap(lambda shape: arrays(np.float32, shape, elements=VALUES))


@given(OUTPUTS)
def test_a_models_own_outputs_are_perfect(outputs):
    assert (sqnr_db(outputs, outputs) == 60).all()
    assert (psnr_db(outputs, outputs) == PSNR_CEILING_DB).all()
    np.testing.assert_allclose(cosine_similarity(outputs, outputs), 1, rtol=1e-9)
    assert fidelity(outputs, outputs).mse == 0


@given(SHAPES.flatmap(lambda shape: st.tuples(*[arrays(np.float32, shape, elements=VALUES)] * 2)))
def test_there_is_one_bounded_number_a_sample(pair):
    outputs, reference = pair
    for judge, low, high in ((sqnr_db, -100, 60), (psnr_db, -100, 100), (cosine_similarity, -1, 1)):
        scores = judge(outputs, reference)
        assert scores.shape == (len(outputs),)
        assert ((scores >= low) & (scores <= high)).all()


def test_a_tenth_of_the_signal_as_noise_is_20_db():
    reference = np.array([[3.0, 4.0], [1.0, 0.0]], np.float32)
    outputs = reference * np.float32(1.1)
    np.testing.assert_allclose(sqnr_db(outputs, reference), 20, atol=1e-4)
    # range 4, mean squared errors 0.125 and 0.005
    np.testing.assert_allclose(psnr_db(outputs, reference), 10 * np.log10([16 / 0.125, 16 / 0.005]), atol=1e-4)
    np.testing.assert_allclose(fidelity(outputs, reference).mse, (0.125 + 0.005) / 2, rtol=1e-5)
    np.testing.assert_allclose(cosine_similarity(outputs, reference), 1, atol=1e-7)


def test_a_right_angle_has_cosine_0_and_the_opposite_minus_1():
    reference = np.array([[1.0, 0.0], [1.0, 0.0]], np.float32)
    outputs = np.array([[0.0, 2.0], [-3.0, 0.0]], np.float32)
    np.testing.assert_allclose(cosine_similarity(outputs, reference), [0, -1], atol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_no_number_gets_the_least(bad):
    reference = np.ones((2, 3), np.float32)
    outputs = reference.copy()
    outputs[1, 2] = bad
    for judge, least in ((sqnr_db, FLOOR_DB), (psnr_db, FLOOR_DB), (cosine_similarity, 0)):
        assert judge(outputs, reference)[1] == least
    assert fidelity(outputs, reference).mse == np.inf


def test_outputs_of_another_shape_and_a_reference_of_no_numbers_are_refused():
    with pytest.raises(DataError, match=r"\(2, 3\) and the float32 file's \(2, 4\) do not belong together"):
        sqnr_db(np.ones((2, 3), np.float32), np.ones((2, 4), np.float32))
    with pytest.raises(DataError, match="answers with NaN"):
        sqnr_db(np.ones((1, 1), np.float32), np.full((1, 1), np.nan, np.float32))
