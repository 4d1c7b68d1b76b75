from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import QuantizationError
from compress.quantization import (
    MSE,
    MinMax,
    PerBlock,
    Percentile,
    PerChannel,
    PerTensor,
    Scheme,
    choose_parameters,
    dequantize,
    quantize,
    sqnr_db,
)
from compress.quantization.granularity import expand
from tests.quantization.strategies import matrices, schemes

TRAINED = Path(__file__).parents[2] / "fixtures" / "weights"
FINER = [PerChannel(0), PerChannel(1), PerBlock(2, axis=0), PerBlock(3, axis=1)]


def round_trip(x, scheme, rule=None):
    parameters = choose_parameters(x, scheme, rule)
    return dequantize(quantize(x, parameters), parameters, np.float64)


def squared_error(x, scheme, rule=None):
    # In units of the largest value, whose square float64 might not hold.
    largest = np.abs(x).max(initial=0.0) or 1.0
    return np.square((round_trip(x, scheme, rule) - x) / float(largest)).sum()


@given(matrices("float64", min_side=1), st.sampled_from(["int4", "int8", "int16"]))
def test_a_symmetric_step_is_the_largest_value_over_the_largest_code(x, dtype):
    step = choose_parameters(x, Scheme(dtype, granularity=PerChannel(0))).scale
    largest = np.abs(x).max(axis=1, keepdims=True)
    codes = {"int4": 7, "int8": 127, "int16": 32767}[dtype]
    expected = np.where(largest > 0, np.maximum(largest / codes, np.finfo(np.float64).tiny), 1)
    np.testing.assert_array_max_ulp(step, expected, 1)


@pytest.mark.parametrize(
    ("dtype", "narrow", "values", "scale", "zero_point"),
    [
        ("uint8", False, [-1.0, 0.0, 1.55], 0.01, 100),
        ("int8", False, [-1.0, 0.0, 1.55], 0.01, -28),
        ("int8", True, [-1.0, 0.0, 1.54], 0.01, -27),
        ("uint8", False, [2.0, 5.1], 0.02, 0),
        ("uint8", False, [-2.0, -5.1], 0.02, 255),
        ("int4", False, [-0.5, 1.0], 0.1, -3),
        ("int16", False, [0.0, 65.535], 0.001, -32768),
    ],
)
def test_an_asymmetric_range_holds_zero_and_spends_every_code(dtype, narrow, values, scale, zero_point):
    parameters = choose_parameters(np.array(values), Scheme(dtype, symmetric=False, narrow=narrow))
    assert parameters.scale.item() == pytest.approx(scale, rel=1e-12)
    assert parameters.zero_point.item() == zero_point


def as_one_group(scheme):
    return Scheme(scheme.dtype, scheme.symmetric, scheme.narrow, PerTensor(), scheme.rounding)


# What is a theorem of finer groups, and what is not. Min-max: their step, hence the bound on every error, is never
# above the tensor's. The squared error itself can be (the counterexample below): a wider step may hit the values by
# luck. MSE: every group may take the tensor's best range, so its squared error is never above.


@given(matrices(), schemes())
def test_per_channel_error_is_never_above_half_the_per_tensor_step(x, scheme):
    step = choose_parameters(x, as_one_group(scheme)).scale.item()
    scale = np.broadcast_to(expand(choose_parameters(x, scheme).scale, x.shape, scheme.granularity), x.shape)
    # A group of nothing but zeros has scale 1 by convention, and no error.
    assert (scale[x != 0] <= step).all()
    assert (np.abs(round_trip(x, scheme) - x) <= step * (0.5 + 1e-9)).all()


@settings(max_examples=50, deadline=None)
@given(matrices("float64"), schemes())
def test_per_channel_squared_error_by_mse_is_never_above_per_tensor(x, scheme):
    assert squared_error(x, scheme, MSE(10)) <= squared_error(x, as_one_group(scheme), MSE(10)) * (1 + 1e-9)


@settings(max_examples=50, deadline=None)
@given(matrices("float64"), schemes())
def test_squared_error_by_mse_is_never_above_min_max(x, scheme):
    assert squared_error(x, scheme, MSE(10)) <= squared_error(x, scheme, MinMax()) * (1 + 1e-9)


def test_per_channel_squared_error_by_min_max_can_be_above_per_tensor():
    # Step 1 for the tensor hits every value; step 100 / 127 for the second channel misses 50.
    x = np.array([[127.0, 0.0], [100.0, 50.0]])
    assert squared_error(x, Scheme()) == 0
    assert squared_error(x, Scheme(granularity=PerChannel(0))) > 0
    assert squared_error(x, Scheme(granularity=PerChannel(0)), MSE()) == 0


@pytest.mark.parametrize("model", ["mnist_cnn", "lenet_300_100"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("dtype", ["int4", "int8", "int16"])
def test_per_channel_squared_error_by_min_max_is_below_per_tensor_on_trained_weights(model, symmetric, dtype):
    with np.load(TRAINED / f"{model}.npz", allow_pickle=False) as arrays:
        kernels = [arrays[name] for name in arrays.files if arrays[name].ndim > 1]
    assert kernels
    for kernel in kernels:
        channels = Scheme(dtype, symmetric=symmetric, granularity=PerChannel(-1))
        assert squared_error(kernel, channels) < squared_error(kernel, as_one_group(channels))


@pytest.mark.parametrize("granularity", FINER)
def test_finer_groups_gain_decibels_where_channels_differ_in_size(granularity):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 64)) * np.exp(rng.normal(0, 1, (64, 1)))
    whole, finer = Scheme("int4"), Scheme("int4", granularity=granularity)
    assert sqnr_db(x, round_trip(x, finer)) > sqnr_db(x, round_trip(x, whole)) + 0.5


def exact_squared_error(values, low, high, scheme):
    """Return the squared error of a range in rational arithmetic, from the definition."""
    low, high = min(low, Fraction(0)), max(high, Fraction(0))
    if scheme.symmetric:
        high = max(-low, high)
        low = -high
    if high == low:
        return Fraction(0)
    scale = (high - low) / (scheme.high - scheme.low)
    zero_point = (scheme.high + scheme.low) // 2 if scheme.symmetric else round(scheme.low - low / scale)
    codes = [min(max(round(v / scale) + zero_point, scheme.low), scheme.high) for v in values]
    return sum(((c - zero_point) * scale - v) ** 2 for c, v in zip(codes, values, strict=True))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-4, 4, allow_subnormal=False), min_size=1, max_size=6),
    schemes(granularity=PerTensor(), rounding="half_even"),
)
def test_mse_finds_the_best_of_its_ranges_by_brute_force(values, scheme):
    exact = [Fraction(v) for v in values]
    ranges = [(min(exact) * step / 20, max(exact) * step / 20) for step in range(1, 21)]
    ranges = [(min(low, 0), max(high, 0)) for low, high in ranges]
    best = min(exact_squared_error(exact, Fraction(low), Fraction(high), scheme) for low, high in ranges)
    x = np.array(values)
    # A tie in the rational quotient may fall the other way in floating point, at no cost but rounding.
    assert np.square(round_trip(x, scheme, MSE(20)) - x).sum() == pytest.approx(float(best), rel=1e-6, abs=1e-25)


def test_mse_clips_an_outlier_that_min_max_spends_its_codes_on():
    x = np.random.default_rng(0).laplace(size=20_000)
    kept, clipped = (sqnr_db(x, round_trip(x, Scheme("int4"), rule)) for rule in (MinMax(), MSE()))
    assert clipped > kept + 3


def test_mse_looks_for_a_range_down_to_a_hundredth_of_min_max():
    x = np.append(np.random.default_rng(0).uniform(-2, 2, 100_000), 100.0)
    assert choose_parameters(x, Scheme("int4"), MSE()).scale.item() * 7 == pytest.approx(2, abs=0.5)


@given(
    matrices("float64", min_side=1),
    st.sampled_from([50.0, 75.0, 87.5, 100.0]),
    st.sampled_from([PerTensor(), PerChannel(0)]),
)
def test_a_percentile_is_the_value_of_that_rank(x, percent, granularity):
    low, high = np.moveaxis(Percentile(percent).ends(x, Scheme(granularity=granularity)), -1, 0)
    rows = [x.ravel()] if isinstance(granularity, PerTensor) else list(x)
    ranked = [sorted(abs(v) for v in row)[math.ceil(percent / 100 * len(row)) - 1] for row in rows]
    assert high.ravel().tolist() == ranked
    assert (low == -high).all()


@given(matrices("float64", min_side=1), st.sampled_from([50.0, 75.0, 100.0]))
def test_an_asymmetric_percentile_leaves_out_as_many_values_at_either_end(x, percent):
    low, high = Percentile(percent).ends(x, Scheme(symmetric=False))[0, 0]
    outside = math.floor(x.size * (100 - percent) / 200)
    ranked = sorted(x.ravel())
    assert (low, high) == (ranked[outside], ranked[-1 - outside])


@given(matrices(), schemes())
def test_the_hundredth_percentile_is_min_max(x, scheme):
    ours, expected = choose_parameters(x, scheme, Percentile(100)), choose_parameters(x, scheme, MinMax())
    np.testing.assert_array_equal(ours.scale, expected.scale)
    np.testing.assert_array_equal(ours.zero_point, expected.zero_point)


def test_a_percentile_ignores_one_outlier_in_a_thousand():
    x = np.append(np.linspace(-1, 1, 999), 1000.0)
    assert 99.9 / 100 * 1000 > 999
    assert choose_parameters(x, Scheme(), Percentile(99.9)).scale.item() == pytest.approx(1 / 127)
    assert choose_parameters(x, Scheme(), MinMax()).scale.item() == pytest.approx(1000 / 127)


@pytest.mark.parametrize("rule", [MinMax(), Percentile(99), MSE(5)])
@settings(deadline=None)
@given(x=matrices(), scheme=schemes())
def test_every_rule_composes_with_every_granularity_and_writes_to_nothing(rule, x, scheme):
    before = x.tobytes()
    codes = quantize(x, choose_parameters(x, scheme, rule))
    assert x.tobytes() == before
    assert (codes.shape, codes.dtype) == (x.shape, scheme.storage)


@pytest.mark.parametrize("rule", [MinMax(), Percentile(99), MSE(5)])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([np.nan, np.nan], "2 of 3 values are NaN and 0 infinite: a scale needs finite values"),
        ([np.inf, 1.0], "0 of 3 values are NaN and 1 infinite"),
        ([-np.inf, np.nan], "1 of 3 values are NaN and 1 infinite"),
    ],
)
def test_values_without_a_scale_are_counted_in_the_error(rule, bad, message):
    with pytest.raises(QuantizationError, match=message):
        choose_parameters(np.array([1.0, *bad]), Scheme(), rule)


@pytest.mark.parametrize(
    ("rule", "value", "message"),
    [
        (Percentile, 0, r"percent must be in \(0, 100\], got 0"),
        (Percentile, 100.1, r"got 100\.1"),
        (Percentile, math.nan, "got nan"),
        (MSE, 0, "candidates must be at least 1, got 0"),
    ],
)
def test_a_rule_names_the_bad_value(rule, value, message):
    with pytest.raises(QuantizationError, match=message):
        rule(value)
