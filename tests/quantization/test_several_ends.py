"""Models with several inputs and outputs, through every exporter: samples and answers are told apart by name."""

import numpy as np
import pytest

from compress.errors import DataError
from compress.measure.fidelity import sqnr_db
from compress.recipe import Recipe
from compress.records import fields, records
from compress.runtime.session import open_session
from compress.subject import Dataset

LENGTH, WORDS = 12, 40


@pytest.fixture(scope="module")
def model():
    """Words and a mask in, a score of each place and one of the whole out; with the exact GELU."""
    import keras
    from keras import layers, ops

    keras.utils.set_random_seed(1)
    ids = keras.Input((LENGTH,), dtype="int32", name="token_ids")
    mask = keras.Input((LENGTH,), dtype="int32", name="padding_mask")
    x = layers.Embedding(WORDS, 32, embeddings_initializer="random_normal")(ids)
    x = layers.Multiply()([x * 20.0, ops.expand_dims(ops.cast(mask, "float32"), -1)])
    x = layers.Dense(48, activation="gelu")(x)
    places = layers.Dense(1, name="z_first_by_name")(x)
    whole = layers.Dense(3, name="a_last_by_name")(layers.GlobalAveragePooling1D()(x))
    return keras.Model({"token_ids": ids, "padding_mask": mask}, {"places": places, "whole": whole})


@pytest.fixture(scope="module")
def data():
    draw = np.random.default_rng(0)
    ids = draw.integers(0, WORDS, (60, LENGTH)).astype(np.int32)
    mask = (np.arange(LENGTH) < draw.integers(3, LENGTH + 1, (60, 1))).astype(np.int32)
    x, y = records({"token_ids": ids, "padding_mask": mask}), np.zeros(60, np.int64)
    return Dataset("words", x[:40], y[:40], x[40:], y[40:])


@pytest.fixture(scope="module")
def answered(model, data):
    given = fields(data.evaluation_x)
    return records({name: np.asarray(one) for name, one in model(given).items()})


@pytest.mark.parametrize(
    ("text", "least_db"),
    [
        ("float32", 59),
        ("dynamic_range", 30),
        ("float16", 55),
        ("int8(40)", 12),
        ("dynamic_range(engine=ai_edge)", 30),
        ("int8(40, engine=ai_edge)", 18),
        ("int8(40, engine=ai_edge, ranges=percentile)", 15),
        ("float32@onnx", 59),
        ("dynamic_range@onnx", 30),
        ("float16@onnx", 50),
        ("int8(40)@onnx", 18),
    ],
)
def test_every_exporter_keeps_the_names_and_the_answers(model, data, answered, text, least_db):
    recipe = Recipe.parse(text)
    content = recipe.export.export(model, data, runtime=recipe.runtime, seed=0)
    session = open_session(content, recipe.runtime)
    assert sorted(session.input_names) == ["padding_mask", "token_ids"]
    outputs = session.invoke(data.evaluation_x)
    assert set(outputs.dtype.names) == {"places", "whole"}
    for name in ("places", "whole"):
        assert outputs[name].shape == answered[name].shape
        assert sqnr_db(outputs[name], answered[name]).mean() > least_db, name


def test_two_exports_of_one_model_are_the_same_bytes(model, data):
    for text in ("float32", "float32@onnx"):
        recipe = Recipe.parse(text)
        once, again = (recipe.export.export(model, data, runtime=recipe.runtime, seed=0) for _ in range(2))
        assert once == again, text


@pytest.mark.parametrize("text", ["float32", "float32@onnx"])
def test_samples_without_an_inputs_field_are_refused_by_name(model, data, text):
    recipe = Recipe.parse(text)
    session = open_session(recipe.export.export(model, data, runtime=recipe.runtime, seed=0), recipe.runtime)
    with pytest.raises(DataError, match=r"padding_mask.*fields token_ids, other"):
        session.invoke(records({"token_ids": np.zeros((1, LENGTH), np.int32), "other": np.zeros((1, 2))}))
    with pytest.raises(DataError, match="no fields"):
        session.invoke(np.zeros((1, LENGTH), np.int32))
