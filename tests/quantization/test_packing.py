from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from compress.errors import QuantizationError
from compress.quantization import pack_nibbles, unpack_nibbles

SHAPES = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)


@given(npst.arrays(np.int8, SHAPES, elements=st.integers(-8, 7)))
def test_signed_codes_come_back_from_half_a_byte_each(codes):
    codes.flags.writeable = False
    packed = pack_nibbles(codes)
    assert packed.nbytes == -(-codes.size // 2)
    back = unpack_nibbles(packed, codes.shape, signed=True)
    assert back.dtype == np.int8
    np.testing.assert_array_equal(back, codes)


@given(npst.arrays(np.uint8, SHAPES, elements=st.integers(0, 15)))
def test_unsigned_codes_come_back_from_half_a_byte_each(codes):
    back = unpack_nibbles(pack_nibbles(codes), codes.shape, signed=False)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, codes)


def test_the_first_code_is_in_the_low_nibble_and_an_odd_end_is_padded_with_zero():
    assert pack_nibbles(np.array([1, -2, 7, -8, -1], np.int8)).tolist() == [0xE1, 0x87, 0x0F]


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.array([8], np.int8), r"-8\.\.\.7, got 8\.\.\.8"),
        (np.array([-9, 0], np.int16), r"-8\.\.\.7, got -9\.\.\.0"),
        (np.array([16], np.uint8), r"0\.\.\.15, got 16"),
        (np.array([1.0]), "integer codes, got float64"),
    ],
)
def test_a_code_that_needs_more_than_four_bits_is_refused(codes, message):
    with pytest.raises(QuantizationError, match=message):
        pack_nibbles(codes)


@pytest.mark.parametrize("packed", [np.zeros(1, np.uint8), np.zeros(3, np.uint8), np.zeros(2, np.int8)])
def test_bytes_that_do_not_fit_the_shape_are_refused(packed):
    with pytest.raises(QuantizationError, match="3 codes of 4 bits are 2 bytes"):
        unpack_nibbles(packed, (3,), signed=True)
