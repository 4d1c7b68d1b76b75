from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from compress.errors import QuantizationError
from compress.quantization import (
    Parameters,
    PerBlock,
    PerChannel,
    PerTensor,
    Scheme,
    choose_parameters,
    dequantize,
    quantize,
    sqnr_db,
)
from compress.quantization.granularity import expand
from tests.quantization.strategies import EVERY_GRANULARITY, matrices, schemes

FLOAT32_MAX = np.finfo(np.float32).max
ANY_FLOAT = st.floats(allow_nan=False, width=64)


def each(values, x, scheme):
    """Return one scale (or zero point) for every value of `x`."""
    return np.broadcast_to(expand(values, x.shape, scheme.granularity), x.shape)


def exact_code(x: float, scale: float, zero_point: int, scheme: Scheme) -> int:
    """Return the code from the definition, in rational arithmetic."""
    if math.isinf(x):
        return scheme.high if x > 0 else scheme.low
    steps = Fraction(x) / Fraction(scale)
    if scheme.rounding == "half_even":
        rounded = round(steps)
    else:
        rounded = math.floor(abs(steps) + Fraction(1, 2)) * (1 if steps >= 0 else -1)
    return min(max(rounded + zero_point, scheme.low), scheme.high)


@given(st.data(), schemes(granularity=PerTensor()))
def test_codes_are_the_exact_quotient_rounded_by_the_named_rule_and_saturated(data, scheme):
    # A power of two divides exactly, so that ties are ties in floating point too.
    scale = 2.0 ** data.draw(st.integers(-20, 20))
    zero_point = data.draw(st.integers(scheme.low, scheme.high))
    near_codes = st.integers(-600, 600).map(lambda halves: halves / 2 * scale)
    x = data.draw(npst.arrays(np.float64, 20, elements=st.one_of(near_codes, ANY_FLOAT)))
    codes = quantize(x, Parameters(np.array([scale]), np.array([zero_point]), scheme))
    assert codes.tolist() == [exact_code(value, scale, zero_point, scheme) for value in x.tolist()]


@pytest.mark.parametrize(
    ("rounding", "codes"), [("half_even", [-2, -2, 0, 0, 2, 2]), ("half_away", [-3, -2, -1, 1, 2, 3])]
)
def test_ties_go_where_the_rounding_rule_says(rounding, codes):
    parameters = Parameters(np.ones(1), np.zeros(1), Scheme(rounding=rounding))
    assert quantize(np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]), parameters).tolist() == codes


def test_rounding_away_does_not_lift_the_float_just_below_a_half():
    parameters = Parameters(np.ones(1), np.zeros(1), Scheme(rounding="half_away"))
    assert quantize(np.array([np.nextafter(0.5, 0), np.nextafter(-0.5, 0)]), parameters).tolist() == [0, 0]


@given(matrices(), schemes())
def test_the_error_inside_the_range_is_at_most_half_a_step(x, scheme):
    parameters = choose_parameters(x, scheme)
    error = np.abs(dequantize(quantize(x, parameters), parameters, np.float64) - x)
    # 1e-9 of a step: what float64 loses on a quotient of up to 65,535 steps.
    assert (error <= each(parameters.scale, x, scheme) * (0.5 + 1e-9)).all()


@given(matrices("float64"), schemes())
def test_the_error_is_at_most_half_a_step_for_any_float64_too(x, scheme):
    parameters = choose_parameters(x, scheme)
    error = np.abs(dequantize(quantize(x, parameters), parameters, np.float64) - x)
    assert (error <= each(parameters.scale, x, scheme) * (0.5 + 1e-9)).all()


@given(matrices(), schemes())
def test_zero_is_exact(x, scheme):
    parameters = choose_parameters(x, scheme)
    codes = quantize(np.zeros_like(x), parameters)
    np.testing.assert_array_equal(codes, each(parameters.zero_point, x, scheme))
    np.testing.assert_array_equal(dequantize(codes, parameters), np.zeros_like(x))


@given(matrices(min_side=1), schemes(), npst.arrays(np.float64, 30, elements=ANY_FLOAT))
def test_values_beyond_the_range_saturate_and_never_wrap_around(x, scheme, anything):
    parameters = choose_parameters(x, Scheme(scheme.dtype, scheme.symmetric, scheme.narrow, rounding=scheme.rounding))
    scale, zero_point = parameters.scale.item(), parameters.zero_point.item()
    codes = quantize(anything.reshape(5, 6), parameters).ravel()
    with np.errstate(over="ignore"):
        steps = anything / scale + zero_point
    assert (codes[steps >= scheme.high] == scheme.high).all()
    assert (codes[steps <= scheme.low] == scheme.low).all()
    assert scheme.low <= codes.min() <= codes.max() <= scheme.high


@given(matrices(), schemes())
def test_quantizing_twice_changes_nothing(x, scheme):
    parameters = choose_parameters(x, scheme)
    codes = quantize(x, parameters)
    np.testing.assert_array_equal(quantize(dequantize(codes, parameters, np.float64), parameters), codes)


@given(matrices(), schemes(symmetric=True))
def test_a_symmetric_range_chosen_anew_from_dequantized_values_gives_the_same_codes(x, scheme):
    parameters = choose_parameters(x, scheme)
    codes = quantize(x, parameters)
    once = dequantize(codes, parameters, np.float64)
    np.testing.assert_array_equal(quantize(once, choose_parameters(once, scheme)), codes)


@given(matrices(min_side=1), schemes(granularity=PerTensor()), npst.arrays(np.float64, 20, elements=ANY_FLOAT))
def test_a_larger_value_never_gets_a_smaller_code(x, scheme, anything):
    ascending = np.sort(anything).reshape(1, -1)
    codes = quantize(ascending, choose_parameters(x, scheme)).astype(np.int64)
    assert (np.diff(codes) >= 0).all()


@pytest.mark.parametrize(("dtype", "forbidden"), [("int4", -8), ("int8", -128), ("int16", -32768), ("uint8", 0)])
@given(x=matrices(min_side=1), others=st.data())
def test_a_symmetric_scheme_never_uses_the_code_without_an_opposite(dtype, forbidden, x, others):
    granularity = others.draw(st.sampled_from(EVERY_GRANULARITY))
    parameters = choose_parameters(x, Scheme(dtype, granularity=granularity))
    for values in (x, np.full_like(x, -np.inf), np.full_like(x, -FLOAT32_MAX)):
        assert not (quantize(values, parameters) == forbidden).any()


@given(matrices(), schemes(symmetric=True))
def test_a_symmetric_scheme_treats_both_signs_alike(x, scheme):
    parameters = choose_parameters(x, scheme)
    mirrored = choose_parameters(-x, scheme)
    np.testing.assert_array_equal(
        dequantize(quantize(-x, mirrored), mirrored, np.float64),
        -dequantize(quantize(x, parameters), parameters, np.float64),
    )


@given(matrices(), schemes())
def test_shapes_and_dtypes_are_kept_and_the_input_is_untouched(x, scheme):
    before = x.tobytes()
    parameters = choose_parameters(x, scheme)
    codes = quantize(x, parameters)
    codes.flags.writeable = False
    values = dequantize(codes, parameters)
    assert x.tobytes() == before
    assert (codes.shape, codes.dtype) == (x.shape, scheme.storage)
    assert (values.shape, values.dtype) == (x.shape, np.float32)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_float_type_is_taken_and_given_back(dtype):
    x = np.linspace(-1, 1, 24, dtype=dtype).reshape(2, 3, 4)
    parameters = choose_parameters(x, Scheme("int16", granularity=PerChannel(1)))
    values = dequantize(quantize(x, parameters), parameters, dtype)
    assert values.dtype == dtype
    np.testing.assert_allclose(values, x, atol=2e-5 if dtype != np.float16 else 1e-3)


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda x: np.repeat(x, 2, axis=1)[:, ::2], np.flipud])
def test_memory_layout_does_not_matter(layout):
    x = np.random.default_rng(0).standard_normal((6, 8))
    scheme = Scheme(granularity=PerBlock(3, axis=1))
    laid_out = layout(x)
    plain = np.ascontiguousarray(laid_out)
    np.testing.assert_array_equal(
        quantize(laid_out, choose_parameters(laid_out, scheme)), quantize(plain, choose_parameters(plain, scheme))
    )


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("granularity", [PerTensor(), PerChannel(0), PerBlock(2)])
def test_an_empty_array_gives_an_empty_array(symmetric, shape, granularity):
    x = np.zeros(shape, np.float32)
    parameters = choose_parameters(x, Scheme(symmetric=symmetric, granularity=granularity))
    assert (parameters.scale == 1).all()
    assert dequantize(quantize(x, parameters), parameters).shape == shape


@pytest.mark.parametrize("dtype", ["int4", "int8", "uint8", "int16"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("constant", [0.0, 1.5, -1.5, 1e-45, -FLOAT32_MAX])
def test_a_constant_array_comes_back_to_a_rounding_error(dtype, symmetric, constant):
    x = np.full((3, 4), constant, np.float32)
    parameters = choose_parameters(x, Scheme(dtype, symmetric=symmetric))
    np.testing.assert_allclose(dequantize(quantize(x, parameters), parameters), x, rtol=1e-7)


@pytest.mark.parametrize("dtype", ["int4", "int8", "uint8", "int16"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("largest", [FLOAT32_MAX, np.finfo(np.float64).max])
def test_a_range_from_minus_max_to_max_stays_finite(dtype, symmetric, largest):
    x = np.array([-largest, 0, largest], type(largest))
    parameters = choose_parameters(x, Scheme(dtype, symmetric=symmetric))
    values = dequantize(quantize(x, parameters), parameters, x.dtype)
    step = parameters.scale.item()
    assert np.isfinite(values).all()
    assert values[1] == 0
    assert np.abs(values.astype(np.float64) / 2 - x.astype(np.float64) / 2).max() <= step / 4 * (1 + 1e-9)


def test_denormals_are_told_apart():
    smallest = np.finfo(np.float32).smallest_subnormal
    x = np.arange(-127, 128).astype(np.float32) * smallest
    parameters = choose_parameters(x, Scheme())
    np.testing.assert_array_equal(dequantize(quantize(x, parameters), parameters), x)


def test_a_scale_is_never_a_denormal_whose_codes_would_not_reach_the_ends():
    smallest = np.finfo(np.float64).smallest_subnormal
    # 190 / 127 denormals are rounded to one denormal, by which 190 would saturate at 127.
    x = np.array([190.0, -3.0]) * smallest
    parameters = choose_parameters(x, Scheme())
    error = np.abs(dequantize(quantize(x, parameters), parameters, np.float64) - x)
    assert parameters.scale.item() == np.finfo(np.float64).tiny
    assert (error <= parameters.scale / 2).all()


def test_infinities_saturate_and_nan_is_refused():
    parameters = choose_parameters(np.array([-1.0, 1.0]), Scheme("uint8", symmetric=False))
    assert quantize(np.array([-np.inf, np.inf]), parameters).tolist() == [0, 255]
    with pytest.raises(QuantizationError, match="1 of 2 values are NaN"):
        quantize(np.array([np.nan, 1.0]), parameters)


def test_integers_are_not_quantized_by_mistake():
    with pytest.raises(QuantizationError, match="expected an array of floats, got int64"):
        choose_parameters(np.arange(3), Scheme())
    parameters = choose_parameters(np.ones(3), Scheme())
    with pytest.raises(QuantizationError, match="got float64 to float32"):
        dequantize(np.ones(3), parameters)
    with pytest.raises(QuantizationError, match="got int8 to int32"):
        dequantize(np.ones(3, np.int8), parameters, np.int32)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dtype": "int5"}, "dtype must be one of int4, int8, uint8, int16, int32, got 'int5'"),
        ({"rounding": "up"}, "rounding must be half_even or half_away, got 'up'"),
    ],
)
def test_a_scheme_names_the_bad_value(fields, message):
    with pytest.raises(QuantizationError, match=message):
        Scheme(**fields)


@pytest.mark.parametrize(
    ("scale", "zero_point", "message"),
    [
        ([0.0], [0], r"positive and finite, got 0\.0"),
        ([-1.0], [0], "positive and finite"),
        ([np.nan], [0], "positive and finite"),
        ([np.inf], [0], "positive and finite"),
        ([1.0], [-128], r"zero point must be a code .* got \[-128\]"),
        ([1.0, 2.0], [0], r"scales of shape \(2,\), zero points of shape \(1,\)"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(scale, zero_point, message):
    with pytest.raises(QuantizationError, match=message):
        Parameters(np.array(scale), np.array(zero_point), Scheme())


def test_parameters_do_not_change_with_the_arrays_they_were_made_of():
    scale = np.ones(1)
    parameters = Parameters(scale, np.zeros(1, np.int32), Scheme())
    scale[0] = 5
    assert parameters.scale.tolist() == [1]
    with pytest.raises(ValueError, match="read-only"):
        parameters.scale[0] = 5


@pytest.mark.parametrize(
    ("scheme", "codes"),
    [
        (Scheme("int4"), (-7, 7)),
        (Scheme("int4", symmetric=False), (-8, 7)),
        (Scheme("int8"), (-127, 127)),
        (Scheme("int8", symmetric=False), (-128, 127)),
        (Scheme("int8", symmetric=False, narrow=True), (-127, 127)),
        (Scheme("uint8", symmetric=False), (0, 255)),
        (Scheme("uint8"), (1, 255)),
        (Scheme("int16"), (-32767, 32767)),
        (Scheme("int32", symmetric=False), (-(2**31), 2**31 - 1)),
    ],
)
def test_the_codes_in_use_are_those_of_the_type(scheme, codes):
    assert (scheme.low, scheme.high) == codes


@pytest.mark.parametrize(("dtype", "codes"), [("int4", 15), ("int8", 255), ("int16", 65535)])
def test_the_noise_of_a_uniform_signal_is_that_of_its_step(dtype, codes):
    # Signal 1/3 on [-1, 1], noise step^2 / 12: the ratio is (codes - 1)^2.
    x = np.random.default_rng(0).uniform(-1, 1, 200_000)
    x[:2] = -1, 1
    parameters = choose_parameters(x, Scheme(dtype))
    assert sqnr_db(x, dequantize(quantize(x, parameters), parameters, np.float64)) == pytest.approx(
        20 * math.log10(codes - 1), abs=0.1
    )


def test_a_perfect_copy_has_no_noise_and_a_lost_signal_nothing_else():
    x = np.array([3.0, 4.0])
    assert sqnr_db(x, x) == math.inf
    assert sqnr_db(x, np.zeros(2)) == 0
    assert sqnr_db(np.zeros(2), x) == -math.inf
    assert sqnr_db(x, np.array([3.0, 4.5])) == pytest.approx(20)
    with pytest.raises(QuantizationError, match=r"shape \(2,\) and an approximation of shape \(1,\)"):
        sqnr_db(x, np.ones(1))
