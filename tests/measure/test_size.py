"""Sizes add up, and sparsity counts kernels only."""

import gzip
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.artifact import Part
from compress.measure import size

KINDS = st.sampled_from(["weights", "scales", "indices", "metadata"])


@st.composite
def parts(draw):
    shape = tuple(draw(st.lists(st.integers(1, 9), max_size=3)))
    elements = draw(st.integers(0, 1000))
    zeros = draw(st.integers(0, elements))
    return Part(
        "p", draw(KINDS), draw(st.sampled_from(["int8", "float32"])), elements, draw(st.integers(0, 4000)), zeros, shape
    )


@given(st.lists(parts()))
def test_every_byte_is_of_one_kind(drawn):
    by_kind = size.bytes_by_kind(drawn)
    assert by_kind.keys() == {"weights", "scales", "indices", "metadata"}
    assert sum(by_kind.values()) == sum(part.bytes for part in drawn)


@given(st.lists(parts()))
def test_elements_are_counted_of_weights_only(drawn):
    by_dtype = size.elements_by_dtype(drawn)
    assert sum(by_dtype.values()) == sum(part.elements for part in drawn if part.kind == "weights")
    assert list(by_dtype) == sorted(by_dtype)


@given(st.lists(parts()))
def test_sparsity_is_a_fraction(drawn):
    assert 0 <= size.sparsity(drawn) <= 1


def test_sparsity_leaves_biases_and_scales_out():
    kernel = Part("kernel", "weights", "int8", 100, 100, zeros=90, shape=(10, 10))
    bias = Part("bias", "weights", "int32", 10, 40, zeros=0, shape=(10,))
    scales = Part("scales", "scales", "float32", 10, 40, zeros=10, shape=(10, 1))
    assert size.sparsity([kernel, bias, scales]) == 0.9
    assert size.sparsity([bias, scales]) == 0.0


@given(st.binary(max_size=2000))
def test_gzipped_size_is_that_of_the_command_line_tool_without_a_name(content):
    assert size.gzip_bytes(content) == len(gzip.compress(content, 9, mtime=1_700_000_000))


def test_zeros_gzip_well_and_noise_does_not():
    noise = np.random.default_rng(0).bytes(10_000)
    assert size.gzip_bytes(bytes(10_000)) < 60
    assert size.gzip_bytes(noise) == pytest.approx(10_000, rel=0.01)


SPARSE = np.where(np.arange(400_000) % 7 < 5, 0, np.random.default_rng(0).normal(size=400_000)).astype(np.float16)
"""Half-precision weights of which five in seven are zero, 800 kB."""


def test_pieces_of_a_large_file_in_a_row_are_one_stream(monkeypatch):
    monkeypatch.setattr(size, "PIECE_BYTES", 100_001)
    content = SPARSE.tobytes()

    pieces = [size.deflated_piece(content, start) for start in range(0, len(content), 100_001)]

    assert len(pieces) == 8
    assert zlib.decompress(b"".join(pieces), wbits=-15) == content
    assert size.gzip_bytes(content) == 18 + sum(map(len, pieces))


def test_a_large_file_gzips_in_pieces_as_small_as_in_one_go(monkeypatch):
    content = SPARSE.tobytes() + SPARSE.tobytes()[:20_000] * 10
    whole = size.gzip_bytes(content)
    monkeypatch.setattr(size, "PIECE_BYTES", 100_000)

    assert size.gzip_bytes(content) == pytest.approx(whole, rel=0.001)


@pytest.mark.parametrize("length", [99, 100, 101, 200, 201])
def test_a_file_of_about_a_whole_number_of_pieces_is_all_counted(monkeypatch, length):
    monkeypatch.setattr(size, "PIECE_BYTES", 100)
    content = np.random.default_rng(0).bytes(length)

    assert length + 18 < size.gzip_bytes(content) <= length + 18 + 10 * 3
