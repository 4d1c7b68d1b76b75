from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from compress.errors import QuantizationError
from compress.quantization import (
    BlockCodebook,
    PerBlock,
    Scheme,
    choose_parameters,
    dequantize_blocks,
    quantize,
    quantize_blocks,
    sqnr_db,
    unpack_nibbles,
)
from compress.quantization.codebook import block_constants, int4_levels, nf4_levels

# QLoRA, appendix E.
PUBLISHED_NF4 = [
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
]
LEVELS = {"nf4": np.array(PUBLISHED_NF4), "int4": np.arange(-7, 8) / 7}
# The widest distance from a value to its nearest level, as a share of the block's constant.
HALF_GAP = {name: np.diff(levels).max() / 2 for name, levels in LEVELS.items()}

CODEBOOKS = st.builds(
    BlockCodebook,
    levels=st.sampled_from(["nf4", "int4"]),
    block_size=st.sampled_from([1, 3, 4, 64]),
    second_block_size=st.sampled_from([None, 1, 2, 256]),
)
SHAPES = npst.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=6)


@st.composite
def float32_arrays(draw):
    anything = st.floats(allow_nan=False, allow_infinity=False, width=32)
    alike = st.floats(-4, 4, width=32, allow_subnormal=False)
    array = draw(npst.arrays(np.float32, draw(SHAPES), elements=draw(st.sampled_from([anything, alike]))))
    array.flags.writeable = False
    return array


def constant_of_each(x, blocks):
    size = blocks.codebook.block_size
    return np.repeat(block_constants(blocks).astype(np.float64), size)[: x.size].reshape(x.shape)


def largest_of_each(x, size):
    flat = np.abs(x).ravel().astype(np.float64)
    largest = [flat[i : i + size].max() for i in range(0, flat.size, size)]
    return np.repeat(np.array(largest, np.float64), size)[: x.size].reshape(x.shape)


def test_nf4_levels_derived_from_normal_quantiles_are_the_published_ones():
    # The published ones start from a probability rounded to 0.9677083: two units in the seventh decimal place.
    np.testing.assert_allclose(nf4_levels(), PUBLISHED_NF4, rtol=0, atol=2e-7)
    assert nf4_levels()[[0, 7, 15]].tolist() == [-1, 0, 1]


def test_int4_levels_are_sevenths():
    np.testing.assert_array_equal(int4_levels(), LEVELS["int4"].astype(np.float32))


@given(float32_arrays(), st.sampled_from(["nf4", "int4"]), st.sampled_from([1, 3, 64]))
def test_every_value_gets_its_nearest_level_by_brute_force(x, name, size):
    blocks = quantize_blocks(x, BlockCodebook(name, size))
    codes = unpack_nibbles(blocks.packed, x.shape, signed=False)
    largest = largest_of_each(x, size)
    distances = np.abs(LEVELS[name] - (x / np.where(largest > 0, largest, 1))[..., None])
    chosen = np.take_along_axis(distances, codes[..., None].astype(np.intp), -1)[..., 0]
    # 2e-7 is what the published levels differ from the derived ones.
    assert (chosen <= distances.min(axis=-1) + 4e-7).all()


@given(float32_arrays(), CODEBOOKS)
def test_the_error_is_at_most_half_a_gap_and_what_the_constant_lost(x, codebook):
    blocks = quantize_blocks(x, codebook)
    error = np.abs(dequantize_blocks(blocks, np.float64) - x)
    largest = largest_of_each(x, codebook.block_size)
    lost = np.abs(constant_of_each(x, blocks) - largest)
    assert (error <= largest * (HALF_GAP[codebook.levels] + 4e-7) + lost * (1 + 1e-6)).all()


@given(float32_arrays(), CODEBOOKS)
def test_a_constant_loses_at_most_half_a_step_of_its_second_block(x, codebook):
    blocks = quantize_blocks(x, codebook)
    largest = np.unique(
        np.stack([largest_of_each(x, codebook.block_size).ravel(), constant_of_each(x, blocks).ravel()]).T, axis=0
    )
    if codebook.second_block_size is None:
        assert (largest[:, 0] == largest[:, 1]).all()
    else:
        step = np.repeat(blocks.constants.scale.astype(np.float64), codebook.second_block_size)
        bound = step[: block_constants(blocks).size].max(initial=0.0) * 0.5
        # Mean, step and result are float32, each rounded once.
        slack = np.abs(x).max(initial=0.0).astype(np.float64) * 2.0**-22 + 1e-37
        assert (np.abs(largest[:, 0] - largest[:, 1]) <= bound + slack).all()


@given(float32_arrays(), CODEBOOKS)
def test_zero_is_exact(x, codebook):
    with_zeros = np.array(x)
    with_zeros.ravel()[::2] = 0
    back = dequantize_blocks(quantize_blocks(with_zeros, codebook))
    assert (back.ravel()[::2] == 0).all()


@given(float32_arrays(), CODEBOOKS)
def test_shapes_dtypes_and_the_input_are_left_alone_and_constants_are_never_negative(x, codebook):
    before = x.tobytes()
    blocks = quantize_blocks(x, codebook)
    back = dequantize_blocks(blocks)
    assert x.tobytes() == before
    assert (back.shape, back.dtype) == (x.shape, np.float32)
    assert np.isfinite(back).all()
    assert (block_constants(blocks) >= 0).all()


@given(
    npst.arrays(
        np.float32,
        SHAPES,
        elements=st.floats(-4, 4, width=32, allow_subnormal=False).filter(lambda v: not 0 < abs(v) < 1e-30),
    ),
    st.sampled_from(["nf4", "int4"]),
)
def test_quantizing_twice_changes_nothing_without_double_quantization(x, name):
    codebook = BlockCodebook(name, 4, second_block_size=None)
    once = dequantize_blocks(quantize_blocks(x, codebook))
    np.testing.assert_array_equal(dequantize_blocks(quantize_blocks(once, codebook)), once)


@given(npst.arrays(np.float32, 40, elements=st.floats(-4, 4, width=32)))
def test_a_larger_value_never_gets_a_smaller_level(x):
    blocks = quantize_blocks(np.sort(x), BlockCodebook("nf4", 64, None))
    assert (np.diff(dequantize_blocks(blocks)) >= 0).all()


@given(npst.arrays(np.float32, st.integers(0, 40), elements=st.integers(-1000, 1000).map(float)), st.integers(1, 9))
def test_int4_codes_are_those_of_the_symmetric_affine_scheme_in_the_same_blocks(x, size):
    codes = unpack_nibbles(quantize_blocks(x, BlockCodebook("int4", size)).packed, x.shape, signed=False)
    affine = quantize(x, choose_parameters(x, Scheme("int4", granularity=PerBlock(size))))
    largest = largest_of_each(x, size)
    steps = 7 * x / np.where(largest > 0, largest, 1)
    # The two settle ties by different rules.
    untied = np.abs(steps - np.floor(steps) - 0.5) > 1e-5
    np.testing.assert_array_equal(codes[untied].astype(int) - 7, affine[untied])


def test_a_constant_that_rounds_below_zero_is_zero():
    # Mean 0.2, step 0.8 / 127: the zeros are coded -32, which stands for -0.0016.
    x = np.array([0, 0, 0, 0, 1], np.float32)
    blocks = quantize_blocks(x, BlockCodebook(block_size=1))
    assert blocks.constants.codes.tolist() == [-32, -32, -32, -32, 127]
    assert block_constants(blocks).tolist() == [0, 0, 0, 0, 1]


def test_constants_too_small_for_a_float32_step_keep_a_step():
    x = np.array([1, 2, 3], np.float32) * np.finfo(np.float32).smallest_subnormal
    blocks = quantize_blocks(x, BlockCodebook(block_size=1))
    assert blocks.constants.scale.tolist() == [np.finfo(np.float32).tiny]
    assert np.abs(dequantize_blocks(blocks) - x).max() <= np.finfo(np.float32).tiny / 2


def test_double_quantization_costs_0_127_bits_a_parameter_at_64_and_256():
    codebook = BlockCodebook(block_size=64, second_block_size=256)
    assert codebook.constant_bits_per_parameter == 8 / 64 + 32 / (64 * 256)
    assert round(codebook.constant_bits_per_parameter, 3) == 0.127
    assert round(BlockCodebook(second_block_size=None).constant_bits_per_parameter - 0.127, 3) == 0.373


@pytest.mark.parametrize("second_block_size", [None, 256])
@pytest.mark.parametrize("levels", ["nf4", "int4"])
def test_the_bytes_stored_are_the_bits_accounted_for(levels, second_block_size):
    codebook = BlockCodebook(levels, 64, second_block_size)
    x = np.random.default_rng(0).standard_normal((128, 64 * 4)).astype(np.float32)
    mean_bytes = 0 if second_block_size is None else 4
    assert quantize_blocks(x, codebook).stored_bytes * 8 == x.size * codebook.bits_per_parameter + mean_bytes * 8


def test_a_short_last_block_is_stored_in_full():
    blocks = quantize_blocks(np.ones(65, np.float32), BlockCodebook())
    # 33 bytes of codes, 2 constants, 1 second constant and the mean.
    assert blocks.stored_bytes == 33 + 2 + 4 + 4


def test_nf4_beats_int4_on_normal_weights_and_double_quantization_costs_little():
    x = np.random.default_rng(0).standard_normal(64 * 256 * 8).astype(np.float32)
    nf4, int4, single = (
        sqnr_db(x, dequantize_blocks(quantize_blocks(x, codebook)))
        for codebook in (BlockCodebook("nf4"), BlockCodebook("int4"), BlockCodebook("nf4", second_block_size=None))
    )
    assert nf4 > int4 + 1
    assert nf4 == pytest.approx(single, abs=0.02)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_values_that_no_float32_constant_covers_are_refused(bad):
    with pytest.raises(QuantizationError, match="must be a finite float32"):
        quantize_blocks(np.array([1.0, bad]), BlockCodebook())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"levels": "fp4"}, "levels must be one of nf4, int4, got 'fp4'"),
        ({"block_size": 0}, "block sizes must be at least 1, got 0"),
        ({"second_block_size": 0}, "block sizes must be at least 1, got 0"),
    ],
)
def test_a_codebook_names_the_bad_value(fields, message):
    with pytest.raises(QuantizationError, match=message):
        BlockCodebook(**fields)
