"""Adapters in models: which layers, zero at start, merged as unmerged, exchanged over one base, trained and refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import RecipeError
from compress.lowrank.adapted import adapter_of, attached, exchange, merged
from compress.lowrank.adapter import Adapter, initial
from compress.lowrank.lora import Lora, frozen_base
from compress.lowrank.targets import find_targets, lora_parameters
from compress.quantization.codebook import BlockCodebook, dequantize_blocks, quantize_blocks
from compress.recipe import Recipe, format_step
from compress.subject import Dataset, Training
from compress.training import kernels

if TYPE_CHECKING:
    import keras

# Keras 3.15 saves through a Variable.__array__ that has no copy keyword, which numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

TRAINING = Training(epochs=6, batch_size=32, learning_rate=3e-2)
LENGTH, WIDTH, HEADS = 6, 8, 2


@pytest.fixture(scope="module")
def base() -> keras.Model:
    """A block of attention with heads, a normalisation and a classifier of sequences ``(n, 6, 8)``."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    given = keras.Input((LENGTH, WIDTH), name="x")
    x = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, name="attention")(given, given)
    x = layers.BatchNormalization(name="norm")(layers.Add(name="add")([given, x]))
    x = layers.Dense(12, activation="relu", name="feedforward")(x)
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    return keras.Model(given, layers.Dense(3, activation="softmax", name="classes")(x), name="block")


def task(seed: int = 0, n: int = 192) -> Dataset:
    """Sequences whose class is the place of their largest first value, of the first three."""
    x = np.random.default_rng(seed).normal(size=(n, LENGTH, WIDTH)).astype(np.float32)
    y = x[:, :3, 0].argmax(axis=1).astype(np.int64)
    return Dataset("places", x[: n // 2], y[: n // 2], x[n // 2 :], y[n // 2 :])


def drawn(model: keras.Model, rank: int, seed: int, alpha: float | None = None) -> Adapter:
    """An adapter of every dense layer whose factors are all drawn."""
    start = initial(find_targets(model, "all"), rank, alpha, seed)
    rng = np.random.default_rng(seed)
    factors = {path: (a, rng.normal(size=b.shape).astype(np.float32)) for path, (a, b) in start.factors.items()}
    return Adapter(rank, start.alpha, factors)


def answers(model: keras.Model) -> np.ndarray:
    return model.predict(task().evaluation_x, verbose=0)


def test_query_and_value_are_the_targets_unless_others_are_named(base):
    assert [target.path for target in find_targets(base, "query_value")] == ["attention/query", "attention/value"]
    assert [target.path for target in find_targets(base, "attention")] == [
        f"attention/{name}" for name in ("attention_output", "key", "query", "value")
    ]
    assert {"classes", "feedforward"} < {target.path for target in find_targets(base, "all")}


def test_heads_are_columns_of_a_projection_and_rows_of_the_output(base):
    found = {target.path: target for target in find_targets(base, "attention")}

    assert (found["attention/query"].shape, found["attention/query"].output_axes) == ((8, 2, 4), (1, 2))
    assert (found["attention/attention_output"].shape, found["attention/attention_output"].input_axes) == (
        (2, 4, 8),
        (0, 1),
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_what_is_trained_is_counted_and_nothing_else_is(base, rank):
    for targets in ("query_value", "attention", "all"):
        start = initial(find_targets(base, targets), rank, None, seed=0)
        variables = attached(base, start).trainable_variables

        assert sum(int(np.prod(one.shape)) for one in variables) == lora_parameters(base, rank, targets)
    assert lora_parameters(base, rank) == rank * 2 * (8 + 8)


@pytest.mark.parametrize("targets", ["query_value", "attention", "all"])
def test_an_adapted_model_starts_as_its_base_to_the_last_bit(base, targets):
    start = initial(find_targets(base, targets), 2, 16.0, seed=3)

    np.testing.assert_array_equal(answers(attached(base, start)), answers(base))
    np.testing.assert_array_equal(answers(merged(base, start)), answers(base))


@settings(max_examples=8, deadline=None)
@given(rank=st.integers(1, 3), seed=st.integers(0, 2**31), alpha=st.floats(0.5, 8))
def test_merged_and_unmerged_answer_alike(base, rank, seed, alpha):
    adapter = drawn(base, rank, seed, alpha)

    beside, inside = answers(attached(base, adapter)), answers(merged(base, adapter))

    np.testing.assert_allclose(inside, beside, rtol=1e-4, atol=1e-6)
    assert np.abs(inside - answers(base)).max() > 1e-3


def test_a_merged_kernel_differs_from_the_base_by_no_more_than_the_rank(base):
    adapter = drawn(base, 2, seed=1)
    after = kernels(merged(base, adapter))

    for target in find_targets(base, "all"):
        before = kernels(base)[f"{target.path}/kernel"].numpy()
        change = target.matrix(after[f"{target.path}/kernel"].numpy() - before).astype(np.float64)
        singular = np.linalg.svd(change, compute_uv=False)
        assert singular[1] > 1e-2
        assert (singular[2:] < 1e-5 * singular[0]).all()


def test_merging_writes_to_no_weight_of_the_base(base):
    before = [weight.numpy() for weight in base.weights]

    merged(base, drawn(base, 2, seed=1))

    for old, weight in zip(before, base.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)


def test_adapters_are_exchanged_over_one_base_and_taken_off_without_a_trace(base):
    first, second = drawn(base, 3, seed=1), drawn(base, 2, seed=2, alpha=5.0)
    model = attached(base, first)

    seen = {}
    for name, adapter in (("first", first), ("second", second), ("none", None), ("again", first)):
        exchange(model, adapter)
        seen[name] = answers(model)

    np.testing.assert_array_equal(seen["none"], answers(base))
    np.testing.assert_array_equal(seen["again"], seen["first"])
    np.testing.assert_allclose(seen["second"], answers(merged(base, second)), rtol=1e-4, atol=1e-6)
    assert np.abs(seen["first"] - seen["second"]).max() > 1e-3


def test_an_adapter_of_a_higher_rank_or_other_layers_is_not_exchanged(base):
    model = attached(base, drawn(base, 1, seed=1))
    fewer = initial(find_targets(base, "query_value"), 1, None, seed=0)

    for other in (drawn(base, 2, seed=1), fewer):
        with pytest.raises(RecipeError, match="attach it to the base"):
            exchange(model, other)
    with pytest.raises(RecipeError, match="attach it to the base"):
        exchange(attached(base, fewer), drawn(base, 1, seed=1))
    with pytest.raises(RecipeError, match="computes with no adapter; attach one first"):
        exchange(base, None)


def test_an_adapter_of_another_model_is_refused(base):
    a, b = np.zeros((8, 1), np.float32), np.zeros((1, 8), np.float32)

    for path in ("attention/nowhere", "classes"):
        with pytest.raises(RecipeError, match=rf"no kernel of 8 x 8 at {path}; the adapter is another's"):
            merged(base, Adapter(1, 1.0, {path: (a, b)}))


@pytest.fixture(scope="module")
def trained(base) -> Adapter:
    return Lora(2, targets="attention").train(base, task(), TRAINING, seed=0)


def test_training_lowers_the_loss_and_moves_the_factors_only(base, trained):
    data = task()
    before, after = ({"x": model.predict(data.train_x, verbose=0)} for model in (base, merged(base, trained)))
    start = initial(find_targets(base, "attention"), 2, None, seed=0)

    def loss(probabilities: np.ndarray) -> float:
        return float(-np.log(probabilities[np.arange(len(data.train_y)), data.train_y]).mean())

    assert loss(after["x"]) < 0.9 * loss(before["x"])
    assert all(np.abs(b).max() > 0 for _, b in trained.factors.values())
    assert all((trained.factors[path][0] != a).any() for path, (a, _) in start.factors.items())


def test_the_step_merges_what_training_found(base, trained):
    after = Lora(2, targets="attention").transform(base, task(), TRAINING, seed=0)

    np.testing.assert_array_equal(answers(after), answers(merged(base, trained)))
    changed = {path for path, kernel in kernels(after).items() if (kernel.numpy() != kernels(base)[path].numpy()).any()}
    assert changed == {f"{path}/kernel" for path in trained.factors}


def test_statistics_of_the_base_stay_as_they_were(base):
    after = attached(base, initial(find_targets(base, "query_value"), 1, None, seed=0))
    after(task().train_x, training=True)

    np.testing.assert_array_equal(after.get_layer("norm").moving_mean.numpy(), np.zeros(WIDTH))


@pytest.mark.parametrize("codebook", ["nf4", "int4"])
def test_a_4_bit_base_is_rounded_before_it_is_adapted(base, codebook):
    step = Lora(1, base=codebook, epochs=0)

    after = step.transform(base, task(), TRAINING, seed=0)

    for path, kernel in kernels(after).items():
        before = kernels(base)[path].numpy()
        rounded = dequantize_blocks(quantize_blocks(before, BlockCodebook(codebook)))
        np.testing.assert_array_equal(kernel.numpy(), rounded)
        assert (kernel.numpy() != before).any()
    assert frozen_base(base, "float32") is base


def test_a_merged_model_is_saved_and_loaded_like_any_other(base, trained, tmp_path):
    import keras

    after = merged(base, trained)
    after.save(tmp_path / "merged.keras")
    again = keras.saving.load_model(tmp_path / "merged.keras", safe_mode=True, compile=False)

    np.testing.assert_array_equal(answers(again), answers(after))
    assert len(again.weights) == len(base.weights)


def test_kerass_own_adapters_of_a_projection_with_heads_are_of_another_count():
    import keras

    layer = keras.layers.EinsumDense("abc,cde->abde", output_shape=(None, 12, 64), bias_axes="de")
    layer.build((None, 4, 768))
    layer.enable_lora(4)

    own = sum(int(np.prod(one.shape)) for one in (layer.lora_kernel_a, layer.lora_kernel_b))
    assert (own, 4 * (768 + 768)) == (4 * 9_280, 6_144)


def test_factors_are_read_back_from_a_model(base):
    adapter = drawn(base, 2, seed=4, alpha=3.0)

    again = adapter_of(attached(base, adapter), alpha=3.0)

    assert (again.rank, again.alpha) == (2, 3.0)
    for path, (a, b) in adapter.factors.items():
        np.testing.assert_array_equal(again.factors[path][0], a)
        np.testing.assert_array_equal(again.factors[path][1], b)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"rank": 0}, "rank must be a whole number from 1, got 0"),
        ({"targets": "keys"}, "targets must be one of query_value, attention, all, got 'keys'"),
        ({"base": "int3"}, "base must be one of float32, nf4, int4, got 'int3'"),
        ({"alpha": 0.0}, r"alpha must be above 0, got 0\.0"),
        ({"epochs": -1}, "epochs must be none or a whole number from 0, got -1"),
    ],
)
def test_a_step_that_means_nothing_is_refused(fields, reason):
    with pytest.raises(RecipeError, match=reason):
        replace(Lora(4), **fields)


def test_a_model_without_such_layers_is_refused():
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="classes")], name="plain")

    reason = "plain has no dense layer among lora's targets=query_value; it has plain/classes; targets=all"
    with pytest.raises(RecipeError, match=reason):
        find_targets(model, "query_value")


def test_a_sequential_model_can_be_adapted_too():
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="classes")], name="plain")
    x = np.ones((2, 4), np.float32)

    after = merged(model, drawn(model, 2, seed=1))

    assert np.abs(after.predict(x, verbose=0) - model.predict(x, verbose=0)).max() > 1e-3


def test_a_recipe_spells_the_step_and_reads_it_back():
    text = "lora(4, targets=attention, alpha=32, base=nf4) | int8"

    recipe = Recipe.parse(text)

    assert recipe.transforms == (Lora(4, "attention", 32.0, "nf4"),)
    assert str(recipe) == text
    assert format_step(Lora(64)) == "lora(64)"
