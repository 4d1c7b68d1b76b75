"""GPTQ: a smaller error of the outputs than rounding to nearest, and the same as it where inputs are independent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import QuantizationError
from compress.quantization.gptq import gptq, inverse_factor
from compress.quantization.int4_grid import from_codes, round_to_nearest

SEEDS = st.integers(0, 10_000)


def correlated(seed: int, width: int = 64, samples: int = 300, rank: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return weights ``(24, width)`` and inputs ``(samples, width)`` that lie near a few directions."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(samples, rank)) @ rng.normal(size=(rank, width)) + 0.1 * rng.normal(size=(samples, width))
    return rng.normal(size=(24, width)).astype(np.float32), inputs


def output_error(rows: np.ndarray, codes: np.ndarray, scales: np.ndarray, block: int, inputs: np.ndarray) -> float:
    return float(np.linalg.norm(inputs @ (rows - from_codes(codes, scales, block)).T))


@settings(max_examples=20)
@given(SEEDS)
def test_outputs_err_less_than_by_rounding_to_nearest_on_correlated_inputs(seed):
    rows, inputs = correlated(seed)
    gptq_error = output_error(rows, *gptq(rows, inputs.T @ inputs, 32), 32, inputs)
    assert gptq_error < 0.8 * output_error(rows, *round_to_nearest(rows, 32), 32, inputs)


@settings(max_examples=20)
@given(SEEDS, st.sampled_from([16, 32, 64]))
def test_a_diagonal_hessian_gives_what_rounding_to_nearest_gives(seed, block):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(8, 72)).astype(np.float32)
    codes, scales = gptq(rows, np.diag(rng.uniform(0.1, 9, 72)), block)
    expected, expected_scales = round_to_nearest(rows, block)
    assert np.array_equal(codes, expected)
    assert np.array_equal(scales, expected_scales)


@settings(max_examples=20)
@given(SEEDS, st.floats(1e-3, 1e3))
def test_the_scale_of_the_hessian_does_not_matter(seed, factor):
    rows, inputs = correlated(seed, width=32)
    hessian = inputs.T @ inputs
    codes, _ = gptq(rows, hessian, 16)
    scaled, _ = gptq(rows, hessian * factor, 16)
    assert (codes != scaled).mean() < 0.01  # a rounding that the last bit decides


@settings(max_examples=20)
@given(SEEDS, st.sampled_from([8, 16, 48]))
def test_codes_are_those_of_the_surgeon_that_inverts_the_hessian_of_what_is_left(seed, block):
    """Optimal brain quantization in a fixed order (Frantar et al. 2022, equation 2), with nothing done in blocks."""
    rows, inputs = correlated(seed, width=48)
    hessian = inputs.T @ inputs
    scales = np.repeat(np.abs(rows).max(axis=1, keepdims=True) / 7, 48 // block, axis=1).astype(np.float32)
    left, expected = rows.astype(np.float64), np.zeros(rows.shape, np.uint8)
    damped = hessian + 0.01 * np.mean(np.diag(hessian)) * np.eye(48)
    for column in range(48):
        inverse = np.linalg.inv(damped[column:, column:])
        expected[:, column] = np.clip(np.floor(left[:, column] / scales[:, 0] + 8.5), 0, 15)
        error = left[:, column] - (expected[:, column] - 8.0) * scales[:, 0]
        left[:, column:] -= np.outer(error / inverse[0, 0], inverse[0])
    codes, _ = gptq(rows, hessian, block, given=scales)
    assert (codes != expected).mean() < 0.01  # a rounding that the last bit decides, and what follows from it


@settings(max_examples=20)
@given(SEEDS)
def test_the_factor_is_that_of_the_damped_inverse(seed):
    _, inputs = correlated(seed, width=24)
    hessian = inputs.T @ inputs
    factor = inverse_factor(hessian, 0.01)
    damped = hessian + 0.01 * np.mean(np.diag(hessian)) * np.eye(24)
    assert np.array_equal(factor, np.triu(factor))
    assert np.allclose(factor.T @ factor @ damped, np.eye(24), atol=1e-6)


def test_the_last_weights_of_a_row_are_what_brute_force_finds():
    """The first weight goes to its own nearest code, and the last to the best there is beside it."""
    rng = np.random.default_rng(3)
    basis = rng.normal(size=(2, 2))
    hessian = basis.T @ basis + 0.01 * np.eye(2)
    rows = np.array([[0.87, -0.35]], np.float32)
    scales = np.array([[0.2]], np.float32)
    codes, _ = gptq(rows, hessian, 2, damping=1e-12, given=scales)

    def error(last: int) -> float:
        quantized = from_codes(np.array([[codes[0, 0], last]], np.uint8), scales, 2)
        difference = (rows - quantized)[0]
        return float(difference @ hessian @ difference)

    assert min(range(16), key=error) == codes[0, 1]
    assert codes[0, 0] == min(range(16), key=lambda code: abs(rows[0, 0] - 0.2 * (code - 8)))


def test_scales_that_are_given_stay():
    rows, inputs = correlated(1)
    given_scales = np.full((24, 2), 0.5, np.float32)
    _, scales = gptq(rows, inputs.T @ inputs, 32, given=given_scales)
    assert np.array_equal(scales, given_scales)


def test_inputs_that_never_occur_leave_rounding_to_nearest():
    rows, _ = correlated(2)
    codes, _ = gptq(rows, np.zeros((64, 64)), 32)
    assert np.array_equal(codes, round_to_nearest(rows, 32)[0])


@pytest.mark.parametrize(
    ("hessian", "reason"),
    [
        (np.eye(5), "needs a Hessian"),
        (np.full((64, 64), np.nan), "finite activations"),
        (-np.eye(64), "not positive definite"),
    ],
)
def test_a_hessian_that_is_none_is_refused(hessian, reason):
    rows, _ = correlated(0)
    with pytest.raises(QuantizationError, match=reason):
        gptq(rows, hessian, 32)
