"""The int4 grid of ONNX Runtime's 4-bit operators: what its own quantizer writes, and how far values move."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from compress.errors import QuantizationError
from compress.quantization.int4_grid import block_scales, from_codes, pack_blocks, round_to_nearest, to_codes
from compress.quantization.packing import unpack_nibbles

BLOCKS = st.sampled_from([16, 32, 64])


@st.composite
def weights(draw: st.DrawFn, most_rows: int = 6, most_columns: int = 100):
    """Draw a read-only finite float32 matrix of ordinary sizes, or with one value that dwarfs the rest."""
    shape = draw(st.integers(1, most_rows)), draw(st.integers(1, most_columns))
    tiny = float(np.float32(2**-60))  # steps of smaller ones are denormal, which every library rounds in its own way
    sizes = st.one_of(st.just(0.0), st.floats(tiny, 4, width=32), st.floats(-4, -tiny, width=32))
    values = draw(npst.arrays(np.float32, shape, elements=sizes))
    if draw(st.booleans()):
        values = (values * np.float32(draw(st.sampled_from([1e-3, 1e3])))).astype(np.float32)
    values.flags.writeable = False
    return values


@given(weights(), BLOCKS)
def test_codes_and_scales_are_those_that_onnx_runtime_writes(rows, block):
    from onnxruntime.capi._pybind_state import quantize_matmul_4bits

    count, width = rows.shape
    blocks = -(-width // block)
    packed = np.zeros((count, blocks, block // 2), np.uint8)
    scales, points = np.zeros((count, blocks), np.float32), np.zeros((count, (blocks + 1) // 2), np.uint8)
    padded = np.pad(rows, ((0, 0), (0, -width % block)))
    quantize_matmul_4bits(packed, np.ascontiguousarray(padded.T), scales, points, block, count, width, True)
    codes, own = round_to_nearest(rows, block)
    assert np.array_equal(own, scales)
    unpacked = unpack_nibbles(packed.reshape(-1), (count, blocks * block), signed=False)
    assert np.array_equal(codes, unpacked[:, :width])  # what fills the last block up is nobody's value


@given(weights(), BLOCKS)
def test_the_value_of_largest_magnitude_comes_back_exactly(rows, block):
    codes, scales = round_to_nearest(rows, block)
    back = from_codes(codes, scales, block)
    for start in range(0, rows.shape[1], block):
        cut = rows[:, start : start + block]
        place = np.abs(cut).argmax(axis=1)
        each = np.arange(len(cut))
        assert np.array_equal(back[each, start + place], cut[each, place])


@given(weights(), BLOCKS)
def test_the_error_is_half_a_step_or_a_whole_one_beyond_the_shorter_end(rows, block):
    codes, scales = round_to_nearest(rows, block)
    error = np.abs(from_codes(codes, scales, block).astype(np.float64) - rows)
    step = np.abs(np.repeat(scales, block, axis=1)[:, : rows.shape[1]]).astype(np.float64)
    beyond = codes == 15  # 7 steps from zero, and values go up to 8
    slack = 1 + 1e-5
    assert (error[~beyond] <= step[~beyond] / 2 * slack).all()
    assert (error[beyond] <= step[beyond] * slack).all()


@given(weights(), BLOCKS)
def test_packed_codes_unpack(rows, block):
    codes, _ = round_to_nearest(rows, block)
    packed = pack_blocks(codes, block)
    width = packed.shape[1] * block
    unpacked = unpack_nibbles(packed.reshape(-1), (len(rows), width), signed=False)
    assert np.array_equal(unpacked[:, : rows.shape[1]], codes)
    assert (unpacked[:, rows.shape[1] :] == 8).all()


def test_a_block_of_zeros_stays_zero():
    codes, scales = round_to_nearest(np.zeros((2, 20), np.float32), 16)
    assert (codes == 8).all()
    assert not from_codes(codes, scales, 16).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_float32_cannot_hold_are_refused(bad):
    rows = np.zeros((1, 16))
    rows[0, 3] = bad
    with np.errstate(over="ignore"), pytest.raises(QuantizationError, match="finite float32"):
        block_scales(rows, 16)


def test_what_is_no_matrix_is_refused():
    with pytest.raises(QuantizationError, match="expected a matrix"):
        block_scales(np.zeros(16, np.float32), 16)


def test_codes_of_a_given_scale_stop_at_the_ends():
    codes = to_codes(np.array([[-100.0, 100.0, 0.5, -0.5]]), np.ones((1, 1), np.float32), 16)
    assert codes.tolist() == [[0, 15, 9, 8]]
