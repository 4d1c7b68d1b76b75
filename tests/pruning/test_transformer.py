"""Heads and neurons removed: what is left computes the same, is as small as its formula says, and stays removed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from compress.errors import RecipeError
from compress.pruning.transformer import PruneTransformer, removal_turns
from compress.pruning.transformer_blocks import Kept, find_blocks, without_parts
from compress.recipe import Recipe
from compress.runtime.session import open_session
from compress.subject import Training
from compress.training import clone
from tests.tiny_transformers import (
    BACKBONES,
    HEADS,
    LAYERS,
    NEURONS,
    WIDTH,
    answers,
    classifier,
    continued,
    texts,
    writer,
)

# Keras 3.15 saves through a Variable.__array__ that has no copy keyword, which numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SIZE = WIDTH // HEADS
EVERYTHING = [Kept(np.ones(HEADS, np.bool_), np.ones(NEURONS, np.bool_))] * LAYERS
UNEVEN = [
    Kept(np.array([True, False, False, False]), np.arange(NEURONS) % 3 == 0),
    Kept(np.array([False, True, True, True]), np.arange(NEURONS) < 5),
]


@pytest.fixture(scope="module")
def model() -> Any:
    return classifier()


@pytest.fixture(scope="module")
def data() -> Any:
    return texts()


def widths(model: Any) -> list[tuple[int, int]]:
    """Return the heads and neurons of each block."""
    found = []
    for index in range(LAYERS):
        inner = model if model.name == "writer" else model.get_layer("backbone")
        heads = inner.get_layer(f"transformer_layer_{index}_attention").output_dense.kernel.shape[0]
        found.append((heads, inner.get_layer(f"transformer_layer_{index}_output").kernel.shape[0]))
    return found


@pytest.mark.parametrize("name", BACKBONES)
def test_with_nothing_removed_the_rebuilt_model_computes_the_very_same(name):
    model, data = classifier(name), texts(60)
    whole = without_parts(model, find_blocks(model), EVERYTHING)
    np.testing.assert_array_equal(answers(whole, data), answers(model, data))
    assert whole.count_params() == model.count_params()
    assert len({weight.path for weight in whole.weights}) == len(model.weights)  # steps tell kernels by their paths
    assert set(whole.input) == set(model.input)
    assert all(tensor._keras_history.operation.name == key for key, tensor in whole.input.items())


@pytest.mark.parametrize("nested", [False, True])
def test_a_model_whose_embedding_gives_its_logits_too_keeps_them_tied(nested):
    model, data = writer(nested=nested), continued()
    whole = without_parts(model, find_blocks(model), EVERYTHING)
    np.testing.assert_array_equal(answers(whole, data), answers(model, data))
    assert whole.count_params() == model.count_params()


@pytest.mark.parametrize("name", ["BertBackbone", "GPT2Backbone"])
def test_removing_a_part_is_as_if_it_had_no_output_weights(name):
    model, data = classifier(name), texts(60)
    damaged = clone(model)
    for block, kept in zip(find_blocks(damaged), UNEVEN, strict=True):
        kernel = block.attention.output_dense.kernel
        kernel.assign(np.where(kept.heads[:, None, None], kernel.numpy(), 0))
        block.second.kernel.assign(np.where(kept.neurons[:, None], block.second.kernel.numpy(), 0))
    smaller = without_parts(model, find_blocks(model), UNEVEN)
    assert widths(smaller) == [(1, 11), (3, 5)]
    np.testing.assert_allclose(answers(smaller, data), answers(damaged, data), atol=2e-6)
    assert np.abs(answers(smaller, data) - answers(model, data)).max() > 1e-2


@pytest.mark.parametrize(("heads", "neurons"), [(1, 1), (2, 32), (4, 7)])
def test_a_block_has_the_parameters_of_its_heads_and_neurons(model, heads, neurons):
    kept = [Kept(np.arange(HEADS) < heads, np.arange(NEURONS) < neurons)] * LAYERS
    attention = 3 * heads * SIZE * (WIDTH + 1) + heads * SIZE * WIDTH + WIDTH
    block = attention + neurons * (WIDTH + 1) + neurons * WIDTH + WIDTH + 4 * WIDTH
    whole = 3 * WIDTH * (WIDTH + 1) + WIDTH * WIDTH + WIDTH
    whole += NEURONS * (WIDTH + 1) + NEURONS * WIDTH + WIDTH + 4 * WIDTH
    smaller = without_parts(model, find_blocks(model), kept)
    assert model.count_params() - smaller.count_params() == LAYERS * (whole - block)


def test_every_layer_loses_the_same_unless_uneven(model, data):
    even = PruneTransformer(0.5, 0.33, epochs=0, uneven=False).transform(model, data, Training(), seed=0)
    assert widths(even) == [(2, 21), (2, 21)]


def test_uneven_layers_lose_the_fraction_of_all_together(data):
    model = classifier()
    first = find_blocks(model)[0]  # a block whose parts hardly reach the output
    first.attention.output_dense.kernel.assign(first.attention.output_dense.kernel.numpy() * 1e-3)
    first.second.kernel.assign(first.second.kernel.numpy() * 1e-3)
    smaller = PruneTransformer(0.375, 0.375, iterations=2, epochs=0).transform(model, data, Training(), seed=0)
    assert widths(smaller) == [(1, 8), (4, 32)]


def test_training_revives_nothing_and_the_rebuilt_model_is_the_trained_one(model, data, monkeypatch):
    trained = []

    def keeping(pruned: Any, *args: Any) -> Any:
        trained.append(answers(pruned, data))
        return without_parts(pruned, *args)

    monkeypatch.setattr("compress.pruning.transformer.without_parts", keeping)
    step = PruneTransformer(0.5, 0.5, iterations=2, epochs=2)
    smaller = step.transform(model, data, Training(batch_size=40, learning_rate=1e-2), seed=0)
    assert sum(heads for heads, _ in widths(smaller)) == LAYERS * HEADS // 2
    assert sum(neurons for _, neurons in widths(smaller)) == LAYERS * NEURONS // 2
    np.testing.assert_allclose(answers(smaller, data), trained[0], atol=1e-5)


def test_retraining_recovers_what_removing_cost(data):
    model, training = classifier(), Training(epochs=12, batch_size=20, learning_rate=1e-2)
    model = Recipe.parse("retrain(20)").transforms[0].transform(model, data, training, seed=0)

    def accuracy(of: Any) -> float:
        return float(np.mean(answers(of, data).argmax(1) == data.evaluation_y))

    bare = PruneTransformer(0.75, 0.75, epochs=0).transform(model, data, training, seed=0)
    recovered = PruneTransformer(0.75, 0.75).transform(model, data, training, seed=0)
    assert accuracy(model) > 0.9
    assert accuracy(recovered) > accuracy(bare) + 0.05
    assert widths(recovered) != [(HEADS, NEURONS)] * LAYERS


def test_the_model_given_keeps_its_weights_and_the_same_seed_gives_the_same(model, data):
    before = [weight.copy() for weight in model.get_weights()]
    step, training = PruneTransformer(0.5, 0.5, iterations=2, epochs=1), Training(batch_size=40)
    one, other = (step.transform(model, data, training, seed=3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_a_saved_model_loads_in_safe_mode_where_nothing_of_ours_was_imported(model, data, tmp_path):
    smaller = without_parts(model, find_blocks(model), UNEVEN)
    smaller.save(tmp_path / "smaller.keras")
    load = f"import keras; print(keras.saving.load_model({str(tmp_path / 'smaller.keras')!r}).count_params())"
    found = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, check=True)
    assert int(found.stdout.split()[-1]) == smaller.count_params()
    import keras

    read = keras.saving.load_model(tmp_path / "smaller.keras", safe_mode=True)
    np.testing.assert_array_equal(answers(read, data), answers(smaller, data))


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
def test_the_file_is_smaller_and_computes_what_the_model_does(model, data, runtime):
    smaller = without_parts(model, find_blocks(model), UNEVEN)
    export = Recipe.parse("float32").export
    whole, content = (export.export(each, data, runtime=runtime, seed=0) for each in (model, smaller))
    removed_bytes = 4 * (model.count_params() - smaller.count_params())
    assert 0.8 * removed_bytes < len(whole) - len(content) < 1.2 * removed_bytes
    outputs = open_session(content, runtime).invoke(data.evaluation_x[:20])
    np.testing.assert_allclose(outputs, answers(smaller, data)[:20], atol=2e-5)


def test_a_model_that_continues_texts_is_pruned_by_the_loss_of_its_next_words():
    model, data = writer(), continued()
    smaller = PruneTransformer(0.5, 0.5, iterations=2, epochs=1).transform(model, data, Training(batch_size=20), seed=0)
    assert [sum(each) for each in zip(*widths(smaller), strict=True)] == [LAYERS * HEADS // 2, LAYERS * NEURONS // 2]
    assert answers(smaller, data).shape == answers(model, data).shape


def test_a_model_without_transformer_layers_is_refused(data):
    import keras

    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="plain")
    with pytest.raises(RecipeError, match="plain has no transformer layer with heads to remove"):
        PruneTransformer(0.5, 0.5).transform(plain, data, Training(), seed=0)


def test_pruning_what_is_pruned_is_refused(model, data):
    smaller = without_parts(model, find_blocks(model), UNEVEN)
    with pytest.raises(RecipeError, match="remove all that is to go in one step"):
        PruneTransformer(0.5, 0.5).transform(smaller, data, Training(), seed=0)


def test_a_block_called_with_more_than_a_padding_mask_is_refused():
    import keras
    import keras_hub

    x, mask = keras.Input((LAYERS, WIDTH)), keras.Input((LAYERS, LAYERS))
    block = keras_hub.layers.TransformerEncoder(NEURONS, HEADS, name="block")
    with pytest.raises(RecipeError, match="block has a cross-attention, or is called with attention_mask"):
        find_blocks(keras.Model([x, mask], block(x, attention_mask=mask)))


@pytest.mark.parametrize(
    ("steps", "turns"),
    [(100, {1: 0.25, 19: 0.5, 38: 0.75, 57: 1.0}), (0, {1: 0.25, 2: 0.5, 3: 0.75, 4: 1.0}), (1, {1: 1.0})],
)
def test_iterations_spread_over_three_quarters_of_the_training(steps, turns):
    assert removal_turns(4, steps) == turns


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, 0.5), r"heads must be in \[0, 1\), the fraction to remove, got 1"),
        ((0.5, -0.1), r"neurons must be in \[0, 1\), the fraction to remove, got -0.1"),
        ((0.5, 0.5, 0), "iterations must be at least 1, got 0"),
        ((0.5, 0.5, 1, -1), "epochs must be none or a whole number from 0, got -1"),
    ],
)
def test_parameters_that_have_no_meaning_are_refused(arguments, message):
    with pytest.raises(RecipeError, match=message):
        PruneTransformer(*arguments)


@pytest.mark.parametrize("text", ["transformer(0.5, neurons=0.33)", "transformer(0, neurons=0.5, uneven=false) | int8"])
def test_a_recipe_that_prunes_transformers_prints_back_to_itself(text):
    assert str(Recipe.parse(text)) == text


def test_a_layer_shared_with_a_model_within_is_refused_and_named() -> None:
    with pytest.raises(RecipeError, match=r"writer calls layers of a model within it once more .*token_embedding"):
        clone(writer(nested=True))
