"""Files that decode with a cache are calibrated with the caches that the model itself has."""

from __future__ import annotations

import numpy as np
import pytest

from compress.quantization import calls
from compress.quantization.calls import steps
from compress.quantization.export import Int8
from compress.records import fields, records
from compress.runtime.decoding import CachedReader, prompt_of
from compress.runtime.session import load_session
from compress.subject import Dataset

WORDS, LENGTH, WIDTH = 12, 6, 8


@pytest.fixture(scope="module")
def model():
    """Return a model of one token and a cache of ``(1, 6, 8)``: each token's vector, and logits of all so far."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    token = keras.Input(batch_shape=(1, 1), dtype="int32", name="token_ids")
    position = keras.Input(batch_shape=(1, 1), dtype="int32", name="position")
    cache = keras.Input(batch_shape=(1, LENGTH, WIDTH), name="cache")
    vector = layers.Embedding(WORDS, WIDTH, embeddings_initializer="normal", name="words")(token)
    place = keras.ops.expand_dims(keras.ops.one_hot(keras.ops.reshape(position, (1, 1)), LENGTH)[:, 0], -1)
    cached = cache + place * vector
    logits = layers.Dense(WORDS, name="logits")(keras.ops.sum(cached, axis=1))
    ends = {"token_ids": token, "position": position, "cache": cache}
    return keras.Model(ends, {"logits": logits, "new_cache": cached}, name="adder")


def texts(count=9):
    """Texts of one to six tokens, padded by token 11."""
    draw = np.random.default_rng(0)
    lengths = np.r_[LENGTH, draw.integers(1, LENGTH, count - 2, endpoint=True), 4]
    mask = (np.arange(LENGTH) < lengths[:, None]).astype(np.int32)
    return records(
        {"token_ids": np.where(mask, draw.integers(0, 11, mask.shape), 11).astype(np.int32), "padding_mask": mask}
    )


def test_every_step_of_every_text_is_taken_where_there_is_room(model):
    given = texts()
    found = fields(steps(model, given))

    lengths = given["padding_mask"].sum(axis=1)
    np.testing.assert_array_equal(found["position"][:, 0], np.concatenate([np.arange(length) for length in lengths]))
    np.testing.assert_array_equal(found["token_ids"][:, 0], given["token_ids"][given["padding_mask"] == 1])


def test_else_a_step_is_taken_of_each_text_from_first_to_last_token(model, monkeypatch):
    monkeypatch.setattr(calls, "MOST_BYTES", 1)
    given = texts(30)
    found = fields(steps(model, given))
    words = model.get_layer("words").embeddings.numpy()

    places = found["position"][:, 0]
    assert (places[0], places[-1], len(set(places.tolist())) > 2) == (0, 3, True)
    for sample, token, place, cache in zip(given, found["token_ids"][:, 0], places, found["cache"], strict=True):
        assert token == sample["token_ids"][place] != 11
        before = np.zeros((LENGTH, WIDTH), np.float32)
        before[:place] = words[sample["token_ids"][:place]]
        np.testing.assert_allclose(cache, before, atol=1e-6)


def test_samples_of_the_models_own_inputs_stay_as_they_are(model):
    import keras

    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    x, own = np.zeros((3, 4), np.float32), steps(model, texts())

    assert steps(plain, x) is x
    assert steps(model, own) is own


@pytest.mark.parametrize(("step", "runtime"), [(Int8(9, engine="ai_edge"), "litert"), (Int8(9), "onnx")])
def test_an_int8_file_with_a_cache_answers_as_the_float_model_does(model, step, runtime):
    given, labels = texts(), np.zeros(9, np.int64)
    data = Dataset("texts", given, labels, given[:3].copy(), labels[:3])

    session = load_session(step.export(model, data, runtime=runtime, seed=0), runtime)

    for sample in given[:4]:
        prompt = prompt_of(sample[None])
        _, logits = CachedReader(session).begin(prompt)
        words = model.get_layer("words").embeddings.numpy()
        exact = words[prompt.tokens[: prompt.length]].sum(axis=0) @ model.get_layer("logits").kernel.numpy()
        assert ((logits - exact) ** 2).mean() < 1e-2 * (exact**2).mean()
