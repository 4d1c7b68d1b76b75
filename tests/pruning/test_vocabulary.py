"""Vocabulary pruning: texts of tokens that stay get the very answers they had, all others are unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from compress.errors import DataError, RecipeError
from compress.pruning.transformer import PruneTransformer
from compress.pruning.vocabulary import PruneVocabulary, new_ids
from compress.recipe import Recipe
from compress.records import fields, records
from compress.runtime.session import open_session
from compress.subject import Dataset, Training
from tests.tiny_transformers import BACKBONES, WIDTH, WORDS, answers, classifier, continued, texts, writer

# Keras 3.15 saves through a Variable.__array__ that has no copy keyword, which numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

UNKNOWN = 1
USED = 30
"""Texts use the words 0 and 3 to 29."""


@pytest.fixture(scope="module")
def model() -> Any:
    return classifier()


@pytest.fixture(scope="module")
def data() -> Any:
    return texts(words=USED)


def smaller(model: Any, data: Any, fraction: float | None = None, unknown: int = UNKNOWN) -> Any:
    return PruneVocabulary(unknown, fraction).transform(model, data, Training(), seed=0)


def rows(model: Any) -> int:
    (table,) = [each for each in model.weights if each.name == "embeddings" and "token_embedding/" in each.path]
    return int(table.shape[0])


def said(tokens: Any, like: Any) -> Dataset:
    """Return data whose evaluation texts are `tokens`, in full."""
    given = fields(like.evaluation_x[: len(tokens)])
    x = records({**given, "token_ids": tokens.astype(np.int32), "padding_mask": np.ones_like(given["padding_mask"])})
    y = np.zeros(len(tokens), np.int64)
    return Dataset("said", x, y, x, y)


@pytest.mark.parametrize("name", BACKBONES)
def test_texts_of_tokens_that_stay_get_the_very_same_answers(name, data):
    model = classifier(name)
    pruned = smaller(model, data)
    assert rows(pruned) == 1 + 1 + (USED - 3)  # what pads, what is unknown, and the words
    np.testing.assert_array_equal(answers(pruned, data), answers(model, data))


def test_tokens_that_go_are_answered_as_the_unknown_one_is(model, data):
    draw = np.random.default_rng(0)
    tokens = draw.integers(0, WORDS, (40, 12))
    seen = np.isin(tokens, np.unique(fields(data.train_x)["token_ids"]))
    assert not seen.all()
    expected = answers(model, said(np.where(seen, tokens, UNKNOWN), data))
    np.testing.assert_array_equal(answers(smaller(model, data), said(tokens, data)), expected)
    assert not np.allclose(expected, answers(model, said(tokens, data)))


def test_the_parameters_that_go_are_those_of_the_rows_less_the_table(model, data):
    pruned = smaller(model, data)
    assert model.count_params() - pruned.count_params() == (WORDS - rows(pruned)) * WIDTH - WORDS
    assert len(pruned.trainable_variables) == len(model.trainable_variables)


def test_a_fraction_takes_the_rarest_first(model, data):
    pruned = smaller(model, data, 0.8)
    assert rows(pruned) == 10
    uses = np.bincount(fields(data.train_x)["token_ids"].ravel(), minlength=WORDS)
    table = pruned.get_layer("backbone").get_layer("token_embedding_ids").embeddings.numpy()[:, 0]
    stays = {token for token in range(WORDS) if table[token] != table[UNKNOWN]} | {UNKNOWN}
    assert {0, UNKNOWN} <= stays
    assert min(uses[list(stays - {UNKNOWN})]) >= max(uses[token] for token in range(WORDS) if token not in stays)


@given(npst.arrays(np.bool_, st.integers(1, 40)), st.data())
def test_new_ids_count_the_tokens_that_stay_in_their_order(kept, draw):
    unknown = draw.draw(st.integers(0, len(kept) - 1))
    kept[unknown] = True
    ids = new_ids(kept, unknown)
    np.testing.assert_array_equal(ids[kept], np.arange(kept.sum()))
    assert np.all(ids[~kept] == ids[unknown])
    assert ids.dtype == np.int32


@given(npst.arrays(np.int64, st.integers(2, 30), elements=st.integers(0, 4)), st.floats(0, 0.99), st.data())
def test_as_many_go_as_the_fraction_says_but_for_the_two_that_stay(uses, fraction, draw):
    unknown = draw.draw(st.integers(0, len(uses) - 1))
    kept = PruneVocabulary(unknown, fraction)._kept(uses)
    assert kept[0]
    assert kept[unknown]
    may_go = len(uses) - len({0, unknown})
    assert np.count_nonzero(~kept) == min(round(len(uses) * fraction), may_go)
    gone, left = uses[~kept], np.delete(uses, [0, unknown])[np.delete(kept, [0, unknown])]
    assert max(gone, default=0) <= min(left, default=9)


def test_padding_and_the_unknown_token_stay_though_no_text_has_them():
    kept = PruneVocabulary(3)._kept(np.array([0, 5, 0, 0, 2]))
    assert kept.tolist() == [True, True, False, True, True]


def test_a_saved_model_is_read_back_in_safe_mode_and_answers_the_same(model, data, tmp_path):
    import keras

    pruned = smaller(model, data)
    pruned.save(tmp_path / "pruned.keras")
    read = keras.saving.load_model(tmp_path / "pruned.keras", safe_mode=True)
    np.testing.assert_array_equal(answers(read, data), answers(pruned, data))


@pytest.mark.parametrize("text", ["float32", "float32@onnx", "dynamic_range"])
def test_the_file_is_smaller_takes_the_same_inputs_and_answers_what_the_model_does(data, text):
    model = classifier("DistilBertBackbone", vocabulary_size=2000)
    pruned, recipe = smaller(model, data), Recipe.parse(text)
    whole, content = (recipe.export.export(each, data, runtime=recipe.runtime, seed=0) for each in (model, pruned))
    weight_bytes = 1 if text == "dynamic_range" else 4
    removed_bytes = (2000 - rows(pruned)) * WIDTH * weight_bytes - 2000 * 4
    assert len(whole) - len(content) == pytest.approx(removed_bytes, abs=3000)
    session = open_session(content, recipe.runtime)
    few = records({name: fields(data.evaluation_x[:20])[name] for name in ("token_ids", "padding_mask")})
    tolerance = 0.3 if text == "dynamic_range" else 2e-5
    np.testing.assert_allclose(session.invoke(few), answers(pruned, data)[:20], atol=tolerance)


def test_heads_and_vocabulary_are_pruned_one_after_the_other(model, data):
    heads = PruneTransformer(0.5, 0.5, iterations=1, epochs=0)
    one = smaller(heads.transform(model, data, Training(), seed=0), data)
    other = heads.transform(smaller(model, data), data, Training(), seed=0)
    assert one.count_params() == other.count_params() < model.count_params()
    np.testing.assert_array_equal(answers(one, data), answers(other, data))


def test_a_model_that_gives_a_logit_for_each_token_is_refused():
    with pytest.raises(RecipeError, match="writer gives a logit for each row of token_embedding"):
        smaller(writer(), continued())


def test_a_model_without_an_embedding_of_tokens_is_refused(data):
    import keras

    ids = keras.Input((12,), name="token_ids")
    with pytest.raises(RecipeError, match="dense has 0 embeddings of an input called token_ids"):
        smaller(keras.Model(ids, keras.layers.Dense(2)(ids), name="dense"), data)


def test_an_unknown_token_that_is_none_is_refused(model, data):
    with pytest.raises(RecipeError, match="unknown=50 is no token of reader, whose embedding has 50 rows"):
        smaller(model, data, unknown=WORDS)


def test_token_ids_without_a_row_are_refused(model, data):
    with pytest.raises(DataError, match=r"token ids \d+\.\.60 do not fit an embedding of 50 rows"):
        smaller(model, said(np.arange(49, 61)[None], data))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-1,), "unknown must be a token's id, at least 0, got -1"), ((1, 1.0), r"fraction must be none or in \[0, 1\)")],
)
def test_parameters_that_have_no_meaning_are_refused(arguments, message):
    with pytest.raises(RecipeError, match=message):
        PruneVocabulary(*arguments)


@pytest.mark.parametrize("text", ["vocabulary(1)", "vocabulary(3, fraction=0.5) | int8"])
def test_a_recipe_that_prunes_a_vocabulary_prints_back_to_itself(text):
    assert str(Recipe.parse(text)) == text
