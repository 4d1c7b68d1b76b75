"""Sizes add up, and sparsity counts kernels only."""

import gzip

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
