"""int4 LiteRT files: what is packed, that the interpreter computes from it, and GPTQ's codes on the engine's scales."""

from __future__ import annotations

import numpy as np
import pytest

from compress.errors import CompressError
from compress.quantization.export import Float32
from compress.quantization.litert_four_bit import pack_litert
from compress.runtime.multiply_adds import multiply_adds
from compress.runtime.session import op_counts, open_session, read_parts
from compress.runtime.tflite_weights import weight_readers
from compress.subject import Dataset

WORDS, WIDTH, TOKENS = 40, 64, 5


def embedded(seed: int = 0):
    """Return a Keras model: ids (n, 5) -> table -> dense layer of 96 -> dense layer of 20 by rows of 96."""
    import keras

    ids = keras.Input((TOKENS,), dtype="int32")
    x = keras.layers.Embedding(WORDS, WIDTH)(ids)
    x = keras.layers.Dense(96, activation="relu")(x)
    model = keras.Model(ids, keras.layers.Dense(20)(x))
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, 1 if w.shape[0] == WORDS else 0.12, w.shape) for w in model.get_weights()]
    # words near a few directions, as trained ones are: inputs of the first layer are then correlated
    weights[0] = rng.normal(size=(WORDS, 6)) @ rng.normal(size=(6, WIDTH))
    model.set_weights([w.astype(np.float32) for w in weights])
    return model


@pytest.fixture(scope="module")
def ids():
    return np.random.default_rng(1).integers(0, WORDS, (40, TOKENS)).astype(np.int32)


@pytest.fixture(scope="module")
def content(ids):
    labels = np.zeros(len(ids), np.int64)
    return Float32().export(embedded(), Dataset("ids", ids, labels, ids, labels), runtime="litert", seed=0)


@pytest.fixture(scope="module")
def packed(content, ids):
    return {
        "block": pack_litert(content, 32, packs_embeddings=True, calibration=None),
        "channel": pack_litert(content, None, packs_embeddings=True, calibration=None),
        "gptq": pack_litert(content, 32, packs_embeddings=True, calibration=ids),
        "float table": pack_litert(content, 32, packs_embeddings=False, calibration=None),
    }


def answers(content, ids):
    return open_session(content, "litert").invoke(ids)


def by_hand(content, ids):
    """Return what the model answers when its stored codes are dequantized by numpy."""
    values = {read().shape: read().astype(np.float64) for read in weight_readers(content).values()}
    active = np.maximum(values[WORDS, WIDTH][ids] @ values[96, WIDTH].T + values[96,], 0)
    return active @ values[20, 96].T + values[20,]


@pytest.mark.parametrize("kind", ["block", "channel", "gptq", "float table"])
def test_the_interpreter_answers_what_the_stored_codes_stand_for(packed, ids, kind):
    found, expected = answers(packed[kind], ids), by_hand(packed[kind], ids)
    # activations become int8 on the way, 1/127 of a row's largest value
    assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max()


@pytest.mark.parametrize("kind", ["block", "channel", "gptq"])
def test_matrices_and_the_table_are_two_values_a_byte(packed, kind):
    parts = read_parts(packed[kind], "litert")
    sizes = {part.shape: (part.dtype, part.elements, part.bytes) for part in parts if part.kind == "weights"}
    for shape in ((WORDS, WIDTH), (96, WIDTH), (20, 96)):
        assert sizes[shape] == ("int4", shape[0] * shape[1], shape[0] * shape[1] // 2)
    assert sum(part.bytes for part in parts) == len(packed[kind])
    assert op_counts(packed[kind], "litert").get("DEQUANTIZE", 0) == 0


def test_a_block_has_one_float16_scale(packed):
    scales = {part.shape: part for part in read_parts(packed["block"], "litert") if part.kind == "scales"}
    assert set(scales) == {(WORDS, WIDTH // 32), (96, WIDTH // 32), (20, 3)}
    assert all((part.dtype, part.bytes) == ("float16", 2 * part.elements) for part in scales.values())


def test_tables_stay_float_when_asked(packed):
    parts = read_parts(packed["float table"], "litert")
    assert {part.dtype for part in parts if part.shape == (WORDS, WIDTH)} == {"float32"}
    assert "GATHER" in op_counts(packed["float table"], "litert")


def test_a_packed_table_is_looked_up_and_its_rows_err_by_half_a_step(packed, content):
    assert "EMBEDDING_LOOKUP" in op_counts(packed["block"], "litert")
    tables = [
        next(read() for read in weight_readers(one).values() if read().shape == (WORDS, WIDTH))
        for one in (content, packed["block"])
    ]
    largest = np.abs(tables[0]).reshape(WORDS, -1, 32).max(axis=-1)
    step = np.repeat(largest / 7, 32, axis=1)
    # float16 rounds the scale by 2^-11, of at most 8 steps
    assert (np.abs(tables[0] - tables[1]) <= step * (0.5 + 8 * 2**-11)).all()


def test_gptq_keeps_the_scales_and_answers_closer_to_the_float_model(packed, content, ids):
    readers = [{p.name: p for p in read_parts(packed[kind], "litert")} for kind in ("block", "gptq")]
    assert readers[0].keys() == readers[1].keys()
    expected = by_hand(content, ids)
    errors = {kind: np.linalg.norm(by_hand(packed[kind], ids) - expected) for kind in ("block", "gptq")}
    assert errors["gptq"] < 0.9 * errors["block"]
    stored = [weight_readers(packed[kind]) for kind in ("block", "gptq")]
    table = next(name for name, read in stored[0].items() if read().shape == (WORDS, WIDTH))
    assert np.array_equal(stored[0][table](), stored[1][table]())


def test_multiply_adds_stay(packed, content):
    assert multiply_adds(packed["block"], "litert") == multiply_adds(content, "litert")


def test_a_row_that_is_no_multiple_of_the_block_stays_float(content):
    parts = read_parts(pack_litert(content, 64, packs_embeddings=True, calibration=None), "litert")
    assert {part.shape: part.dtype for part in parts if len(part.shape) == 2 and part.kind == "weights"} == {
        (WORDS, WIDTH): "int4",
        (96, WIDTH): "int4",
        (20, 96): "float32",
    }


def test_blocks_that_litert_does_not_have_are_refused(content):
    with pytest.raises(CompressError, match="begin at 32 values, got 16"):
        pack_litert(content, 16, packs_embeddings=True, calibration=None)
    with pytest.raises(CompressError, match="no matrix has rows of a multiple of 256"):
        pack_litert(content, 256, packs_embeddings=True, calibration=None)
