"""The steps int4 and nf4: their text, their options, and files of a Keras model in either runtime."""

from __future__ import annotations

import numpy as np
import pytest

from compress.errors import CompressError, RecipeError
from compress.quantization.block_wise import NF4, Int4
from compress.recipe import Recipe
from compress.runtime.session import open_session, read_parts

CELLS = [
    (Int4(), "onnx"),
    (Int4(method="gptq", calibration=40), "onnx"),
    (NF4(block=32), "onnx"),
    (Int4(), "litert"),
    (Int4(method="gptq", calibration=40), "litert"),
    (Int4(granularity="channel"), "litert"),
]
cells = pytest.mark.parametrize(("step", "runtime"), CELLS)


@cells
def test_answers_stay_near_the_float_model(exported, float_outputs, step, runtime):
    x, expected = float_outputs("mlp")
    found = open_session(exported("mlp", step, runtime), runtime).invoke(x)
    assert np.abs(found - expected).max() < 0.25 * np.ptp(expected)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.97


@cells
def test_every_byte_is_accounted_for(exported, step, runtime):
    content = exported("mlp", step, runtime)
    parts = read_parts(content, runtime)
    assert sum(part.bytes for part in parts) == len(content)
    assert any(part.dtype in ("int4", "nf4") for part in parts)


def test_convolutions_stay_float_and_dense_layers_are_packed(exported):
    parts = read_parts(exported("cnn", Int4(), "litert"), "litert")
    dtypes = {len(part.shape): part.dtype for part in parts if part.kind == "weights" and len(part.shape) > 1}
    assert dtypes == {4: "float32", 2: "int4"}


@pytest.mark.parametrize(
    "text",
    [
        "int4@onnx",
        "int4(64, method=gptq)@onnx",
        "int4(64, method=gptq, embeddings=float32, calibration=50)@onnx",
        "int4(granularity=channel)",
        "nf4@onnx",
        "nf4(32, embeddings=float32)@onnx",
    ],
)
def test_a_recipe_prints_back(text):
    assert str(Recipe.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("int4(33)", "block must be one of 16, 32, 64, 128, 256, got 33"),
        ("nf4(block=1)@onnx", "block must be one of"),
        ("int4(method=awq)", "method must be one of rtn, gptq, got 'awq'"),
        ("int4(embeddings=int8)", "embeddings must be one of int4, float32"),
        ("nf4(embeddings=nf4)@onnx", "embeddings must be one of"),
        ("int4(granularity=tensor)", "granularity must be one of block, channel"),
        ("int4(calibration=0)", "calibration must be a whole number of samples from 1"),
        ("nf4", "nf4 cannot be written for @litert; it can for @onnx"),
    ],
)
def test_what_no_runtime_has_is_refused(text, reason):
    with pytest.raises(RecipeError, match=reason):
        Recipe.parse(text)


def test_a_row_for_a_scale_is_for_litert_alone(exported):
    with pytest.raises(RecipeError, match="is for LiteRT and Keras; leave the granularity out for @onnx"):
        exported("mlp", Int4(granularity="channel"), "onnx")


def test_a_matrix_with_a_side_shorter_than_a_block_stays_float(exported):
    parts = read_parts(exported("mlp", Int4(), "onnx"), "onnx")
    dtypes = {part.shape: part.dtype for part in parts if part.kind == "weights" and len(part.shape) == 2}
    assert dtypes == {(64, 32): "int4", (32, 16): "float32", (16, 10): "float32"}


def test_a_block_that_is_longer_than_every_matrix_leaves_nothing_to_pack(exported):
    with pytest.raises(CompressError, match="nothing to pack into 4 bits"):
        exported("mlp", Int4(block=128), "onnx")
