from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from compress.errors import QuantizationError
from compress.quantization import Float16

SMALLEST_NORMAL, SMALLEST = 2.0**-14, 2.0**-24
# Values that float32 has and float16 handles in each of its ways, in about equal parts.
VALUES = st.one_of(
    st.floats(width=32),
    st.floats(-65600, 65600, width=32),
    st.floats(-2 * SMALLEST_NORMAL, 2 * SMALLEST_NORMAL, width=32),
    st.floats(-2 * SMALLEST, 2 * SMALLEST, width=32),
    st.sampled_from([65504.0, 65519.0, 65520.0, -65520.0, SMALLEST / 2, SMALLEST, SMALLEST_NORMAL, -0.0]),
)
MATRICES = npst.arrays(np.float32, npst.array_shapes(max_dims=2, min_side=0, max_side=8), elements=VALUES)


def packed_by_struct(value: float) -> bytes:
    """Return the half of `value` as Python's own binary16 encoder writes it, which raises where it overflows."""
    try:
        return struct.pack("<e", value)
    except OverflowError:
        return struct.pack("<e", math.copysign(math.inf, value))


@given(st.one_of(VALUES, st.floats()).filter(lambda value: not math.isnan(value)))
@example(65519.99)
@example(1 + 2.0**-11)
@example(1 + 2.0**-11 + 2.0**-40)
def test_bits_are_those_of_an_independent_encoder(value):
    assert Float16().cast(np.array([value])).values.tobytes() == packed_by_struct(value)


@given(MATRICES)
def test_counts_agree_with_a_count_by_hand(x):
    finite = [float(v) for v in x.ravel() if math.isfinite(v)]
    halves = [abs(struct.unpack("<e", packed_by_struct(v))[0]) for v in finite]
    cast = Float16().cast(x)
    assert cast.overflowed == sum(map(math.isinf, halves))
    assert cast.flushed == sum(half == 0 and v != 0 for v, half in zip(finite, halves, strict=True))
    assert cast.subnormal == sum(0 < half < SMALLEST_NORMAL for half in halves)


@given(MATRICES)
def test_the_error_is_at_most_half_a_unit_in_the_last_place(x):
    x = x[np.abs(x) <= 65504].astype(np.float64)
    error = np.abs(Float16().cast(x).values.astype(np.float64) - x)
    # 11 significant bits; below the smallest normal number the unit stays 2^-24.
    assert (error <= np.maximum(np.abs(x) * 2.0**-11, 2.0**-25)).all()


@given(MATRICES)
def test_saturating_replaces_what_overflowed_and_nothing_else(x):
    plain, saturated = Float16("inf").cast(x), Float16("saturate").cast(x)
    overflowed = np.isinf(plain.values) & np.isfinite(x)
    np.testing.assert_array_equal(saturated.values[overflowed], np.copysign(65504, x[overflowed]))
    np.testing.assert_array_equal(saturated.values[~overflowed], plain.values[~overflowed])
    assert (saturated.overflowed, saturated.flushed) == (plain.overflowed, plain.flushed)


@given(MATRICES)
def test_flushing_zeroes_the_subnormals_and_nothing_else(x):
    kept, flushed = Float16().cast(x), Float16(subnormals="flush").cast(x)
    small = np.abs(kept.values) < SMALLEST_NORMAL
    assert (flushed.values[small] == 0).all()
    assert (np.signbit(flushed.values[small]) == np.signbit(x[small])).all()
    np.testing.assert_array_equal(flushed.values[~small], kept.values[~small])
    assert flushed.subnormal == 0
    assert flushed.flushed == kept.flushed + kept.subnormal


@given(MATRICES, st.sampled_from(["inf", "saturate"]), st.sampled_from(["keep", "flush"]))
def test_shape_is_kept_the_input_untouched_and_casting_twice_changes_nothing(x, overflow, subnormals):
    x.flags.writeable = False
    before = x.tobytes()
    policy = Float16(overflow, subnormals)
    once = policy.cast(x).values
    assert x.tobytes() == before
    assert (once.shape, once.dtype) == (x.shape, np.float16)
    np.testing.assert_array_equal(policy.cast(once).values, once)


@given(npst.arrays(np.float64, 30, elements=st.floats(allow_nan=False)))
def test_a_larger_value_never_becomes_a_smaller_half(x):
    halves = Float16("saturate").cast(np.sort(x)).values
    assert (halves[:-1] <= halves[1:]).all()


@pytest.mark.parametrize(
    ("value", "overflow", "half", "overflowed"),
    [
        (65519.0, "inf", 65504.0, 0),
        (65520.0, "inf", math.inf, 1),
        (65520.0, "saturate", 65504.0, 1),
        (-1e30, "inf", -math.inf, 1),
        (-1e30, "saturate", -65504.0, 1),
        (math.inf, "saturate", math.inf, 0),
    ],
)
def test_overflow_begins_half_a_unit_above_the_largest_half(value, overflow, half, overflowed):
    cast = Float16(overflow).cast(np.array([value]))
    assert cast.values.tolist() == [half]
    assert cast.overflowed == overflowed


@pytest.mark.parametrize(
    ("value", "half", "flushed", "subnormal"),
    [
        (SMALLEST_NORMAL, SMALLEST_NORMAL, 0, 0),
        (SMALLEST_NORMAL / 2, SMALLEST_NORMAL / 2, 0, 1),
        (SMALLEST, SMALLEST, 0, 1),
        (SMALLEST / 2, 0.0, 1, 0),
        (np.nextafter(SMALLEST / 2, 1), SMALLEST, 0, 1),
        (5e-324, 0.0, 1, 0),
        (0.0, 0.0, 0, 0),
    ],
)
def test_underflow_is_gradual_down_to_half_the_smallest_subnormal(value, half, flushed, subnormal):
    cast = Float16().cast(np.array([value]))
    assert cast.values.tolist() == [half]
    assert (cast.flushed, cast.subnormal) == (flushed, subnormal)


@pytest.mark.parametrize("overflow", ["inf", "saturate"])
def test_nan_stays_nan_and_is_not_counted(overflow):
    cast = Float16(overflow).cast(np.array([np.nan, 1.0]))
    assert np.isnan(cast.values).tolist() == [True, False]
    assert (cast.overflowed, cast.flushed, cast.subnormal) == (0, 0, 0)


def test_a_policy_names_the_bad_word_and_integers_are_refused():
    with pytest.raises(QuantizationError, match="overflow must be inf or saturate, got 'clip'"):
        Float16("clip")
    with pytest.raises(QuantizationError, match="subnormals must be keep or flush, got 'drop'"):
        Float16(subnormals="drop")
    with pytest.raises(QuantizationError, match="array of floats, got int64"):
        Float16().cast(np.arange(3))
