"""What `lora` trains: which layers, on which base, by whose answers, from which seed, and what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from compress.errors import RecipeError
from compress.lowrank import lora
from compress.lowrank.adapted import merged
from compress.lowrank.lora import Lora, frozen_base
from compress.lowrank.targets import dense_layers, find_targets, target_of
from compress.subject import Dataset, Training

if TYPE_CHECKING:
    import keras

TRAINING = Training(epochs=2, batch_size=16, learning_rate=3e-2)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Attention over sequences ``(n, 3, 4)`` and a classifier of them."""
    import keras

    keras.utils.set_random_seed(0)
    given = keras.Input((3, 4), name="x")
    x = keras.layers.MultiHeadAttention(2, 2, name="attention")(given, given)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(given, keras.layers.Dense(3, activation="softmax", name="classes")(x), name="block")


def task() -> Dataset:
    x = np.random.default_rng(0).normal(size=(64, 3, 4)).astype(np.float32)
    y = x[:, :, 0].argmax(axis=1).astype(np.int64)
    return Dataset("places", x[:48], y[:48], x[48:], y[48:])


@pytest.mark.parametrize("targets", ["query_value", "attention", "all"])
def test_what_is_named_is_adapted_and_nothing_else(model, targets):
    names = {"query_value": ["query", "value"], "attention": ["attention_output", "key", "query", "value"]}
    paths = [f"attention/{name}" for name in names.get(targets, names["attention"])]

    found = Lora(1, targets, epochs=0).train(model, task(), TRAINING, seed=0)

    assert sorted(found.factors) == paths + ["classes"] * (targets == "all")


@pytest.mark.parametrize(("alpha", "scale"), [(None, 1.0), (6.0, 3.0)])
def test_what_is_trained_is_scaled_by_the_alpha_of_the_step(model, alpha, scale):
    found = Lora(2, alpha=alpha, epochs=0).train(model, task(), TRAINING, seed=0)

    assert found.scale == scale


def test_adapters_of_a_4_bit_base_are_trained_on_it_and_merged_into_it(model):
    step = Lora(1, "all", base="nf4")

    after = step.transform(model, task(), TRAINING, seed=0)

    trained = step.train(model, task(), TRAINING, seed=0)
    for weight, expected in zip(after.weights, merged(frozen_base(model, "nf4"), trained).weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), expected.numpy())


def test_the_model_before_it_is_rounded_teaches_and_seed_and_epochs_are_those_given(model, monkeypatch):
    asked = {}
    monkeypatch.setattr(lora, "retrain", lambda *_, **options: asked.update(options))

    Lora(1, base="nf4").train(model, task(), TRAINING, seed=7)

    assert asked == {"teacher": model, "epochs": 2, "seed": 7}


def test_another_seed_starts_elsewhere(model):
    first, second = (Lora(1, epochs=0).train(model, task(), TRAINING, seed=seed) for seed in (0, 1))

    for path, (a, _) in first.factors.items():
        assert (a != second.factors[path][0]).all()


def test_inputs_of_a_dense_layer_are_the_rows_of_its_kernel(model):
    found = target_of("classes", model.get_layer("classes"))

    assert (found.inputs, found.outputs) == (12, 3)
    assert Lora(2, "all", epochs=0).train(model, task(), TRAINING, seed=0).factors["classes"][0].shape == (12, 2)


@pytest.mark.parametrize("targets", ["query_value", "attention"])
def test_a_layer_called_query_outside_of_attention_is_no_target(targets):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="query")], name="search")

    with pytest.raises(RecipeError, match=r"search has no dense layer among .*; it has search/query"):
        find_targets(model, targets)


def test_a_layer_that_keeps_an_axis_of_its_kernel_apart_is_no_matrix():
    import keras

    layer = keras.layers.EinsumDense("abc,bcd->abd", output_shape=(3, 5), name="apart")
    layer.build((None, 3, 4))

    with pytest.raises(RecipeError, match=r"apart computes abc,bcd->abd, which is no product with one matrix"):
        target_of("apart", layer)


def test_two_layers_of_one_path_are_refused():
    import keras

    def inner(name: str) -> keras.Model:
        given = keras.Input((4,))
        return keras.Model(given, keras.layers.Dense(4, name="dense")(given), name=name)

    given = keras.Input((4,))
    model = keras.Model(given, inner("second")(inner("first")(given)), name="outer")

    with pytest.raises(RecipeError, match="outer has two dense layers called dense; give them names of their own"):
        dense_layers(model)
