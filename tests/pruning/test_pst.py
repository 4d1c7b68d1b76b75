"""PST: how sparse a kernel ends, what its factors learn, and what stays as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from compress.errors import RecipeError
from compress.pruning.masks import kept_count, magnitude_masks
from compress.pruning.pst import Factors, Pst, _rows, kept_largest
from compress.recipe import Recipe
from compress.subject import Training
from compress.training import kernels
from tests.tiny_transformers import answers, classifier, continued, texts, writer

TRAINING = Training(epochs=3, batch_size=40, learning_rate=1e-2)


@pytest.fixture(scope="module")
def model() -> Any:
    return classifier("DistilBertBackbone")


@pytest.fixture(scope="module")
def data() -> Any:
    return texts(segments=False)


@pytest.fixture(scope="module")
def pruned(model, data) -> Any:
    return Pst(0.9).transform(model, data, TRAINING, seed=0)


def variable(shape: tuple[int, ...], seed: int = 0) -> Any:
    import keras

    return keras.Variable(np.random.default_rng(seed).normal(size=shape).astype(np.float32), name="kernel")


def factors(shape: tuple[int, ...] = (6, 5), rows: int = 6) -> Factors:
    return Factors(variable(shape), rows, 2, np.random.default_rng(1))


def test_each_kernel_ends_at_exactly_the_sparsity(model, pruned):
    assert len(kernels(pruned)) == len(kernels(model)) > 10
    for path, kernel in kernels(pruned).items():
        assert np.count_nonzero(kernel.numpy()) == kept_count(kernel.numpy().size, 0.9), path


def test_only_kernels_are_trained(model, pruned):
    trained = {path for path, kernel in kernels(pruned).items() if kernel.numpy().any()}
    for before, after in zip(model.weights, pruned.weights, strict=True):
        same = np.array_equal(before.numpy(), after.numpy())
        assert same == (after.path not in trained), after.path


def test_what_a_kernel_changed_by_is_of_the_rank(model, data):
    pruned = Pst(0.0, rank=2).transform(model, data, TRAINING, seed=0)
    path = "transformer_layer_0/feedforward_intermediate_dense/kernel"
    change = kernels(pruned)[path].numpy() - kernels(model)[path].numpy()
    singular = np.linalg.svd(change, compute_uv=False)
    assert singular[1] > 1e-3
    assert singular[2] < 1e-5


def test_without_training_it_is_magnitude_pruning_of_each_kernel(model, data):
    bare = Pst(0.75, epochs=0).transform(model, data, TRAINING, seed=0)
    given = {path: kernel.numpy() for path, kernel in kernels(model).items()}
    for path, mask in magnitude_masks(given, 0.75, "layer").items():
        np.testing.assert_array_equal(kernels(bare)[path].numpy(), np.where(mask, given[path], 0))


def test_training_recovers_more_than_magnitude_leaves(data):
    model = classifier("DistilBertBackbone")
    training = Training(epochs=20, batch_size=20, learning_rate=1e-2)
    model = Recipe.parse("retrain").transforms[0].transform(model, data, training, seed=0)

    def accuracy(of: Any) -> float:
        return float(np.mean(answers(of, data).argmax(1) == data.evaluation_y))

    assert accuracy(model) > 0.9
    bare, learnt = (Pst(0.8, epochs=epochs).transform(model, data, training, seed=0) for epochs in (0, None))
    assert accuracy(learnt) > accuracy(bare) + 0.05


def test_the_same_seed_gives_the_same_weights_and_the_model_given_keeps_its_own(model, data, pruned):
    before = [weight.copy() for weight in model.get_weights()]
    again = Pst(0.9).transform(model, data, TRAINING, seed=0)
    assert all(np.array_equal(a, b) for a, b in zip(pruned.get_weights(), again.get_weights(), strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_model_that_continues_texts_is_trained_by_its_next_words():
    model, data = writer(), continued()
    sparse = Pst(0.6).transform(model, data, TRAINING, seed=0)
    for kernel in kernels(sparse).values():
        assert np.count_nonzero(kernel.numpy()) == kept_count(kernel.numpy().size, 0.6)
    assert answers(sparse, data).shape == answers(model, data).shape


SCORES = npst.arrays(np.float32, npst.array_shapes(min_dims=2, max_dims=2), elements=st.integers(-50, 50), unique=True)


@given(SCORES, st.data())
def test_the_mask_keeps_the_largest_whatever_their_sign(scores, draw):
    count = draw.draw(st.integers(1, scores.size))
    mask = kept_largest(scores, count).numpy()
    assert set(np.flatnonzero(mask)) == set(np.argsort(scores, axis=None)[-count:])
    assert set(np.unique(mask)) <= {0.0, 1.0}


def test_the_gradient_of_the_mask_reaches_every_factor_of_importance_straight_through():
    import tensorflow as tf

    one = factors()
    one.b.assign(np.random.default_rng(2).normal(size=one.b.shape))
    upstream = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(one.masked(12) * upstream)
    a, b, r, c = tape.gradient(loss, [one.a.value, one.b.value, one.r.value, one.c.value])
    by_mask = upstream * one.weight().numpy()  # of the mask, and so of the importance
    np.testing.assert_allclose(r, by_mask.sum(axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(c, by_mask.sum(axis=0, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(a, by_mask @ one.b.numpy().T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(b, one.a.numpy().T @ by_mask, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_the_change_comes_through_what_is_kept_and_through_the_magnitude():
    import tensorflow as tf

    one = factors()
    upstream = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(one.masked(12) * upstream)
    slope = tape.gradient(loss, one.v.value)
    weight = one.weight().numpy()
    mask = kept_largest(np.abs(weight), 12).numpy()
    by_weight = upstream * mask + upstream * weight * np.sign(weight)
    np.testing.assert_allclose(slope, one.u.numpy().T @ by_weight, rtol=1e-4, atol=1e-5)


def test_a_row_and_a_column_of_importance_keep_what_magnitude_would_not():
    one = factors()
    one.r.assign(np.eye(6)[:, :1] * 100)
    kept = one.pruned(1 - 5 / 30) != 0
    assert kept[0].all()
    assert np.count_nonzero(kept) == 5
    one.r.assign(np.zeros((6, 1)))
    one.c.assign(np.eye(5)[:1] * 100)
    assert (one.pruned(1 - 6 / 30) != 0)[:, 0].all()


@pytest.mark.parametrize(
    ("shape", "outputs", "rows"),
    [
        ((16, 32), (1,), 16),
        ((16, 4, 8), (1, 2), 16),
        ((4, 8, 16), (2,), 32),
        ((3, 3, 8, 4), (3,), 72),
        ((2, 5), (0,), 2),
    ],
)
def test_a_kernel_is_a_matrix_of_its_sums_by_its_outputs(shape, outputs, rows):
    assert _rows(shape, outputs) == rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0,), r"sparsity must be in \[0, 1\), got 1"),
        ((0.5, 0), "rank must be at least 1, got 0"),
        ((0.5, 8, -1), "epochs must be none or a whole number from 0, got -1"),
    ],
)
def test_parameters_that_have_no_meaning_are_refused(arguments, message):
    with pytest.raises(RecipeError, match=message):
        Pst(*arguments)


@pytest.mark.parametrize("text", ["pst(0.9)", "pst(0.6, rank=4, epochs=3) | float16"])
def test_a_recipe_of_it_prints_back_to_itself(text):
    assert str(Recipe.parse(text)) == text
