"""Importance by gradient against leaving each part out, and what is chosen by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.stats import spearmanr

from compress.ends import keras_inputs
from compress.errors import DataError, RecipeError
from compress.pruning.transformer import PruneTransformer
from compress.pruning.transformer_blocks import find_blocks
from compress.pruning.transformer_importance import BATCH_SIZE, Importance, choose_kept, importance_of
from compress.records import fields
from compress.subject import UNLABELLED, Dataset, Training
from tests.tiny_transformers import HEADS, NEURONS, WIDTH, classifier, texts


@pytest.fixture(scope="module")
def data() -> Any:
    return texts()


def spread(seed: int) -> Any:
    """Return a model whose parts differ in importance by three orders of magnitude, in no order, all small."""
    model, draw = classifier(seed=seed), np.random.default_rng(seed)
    for block in find_blocks(model):
        for kernel in (block.attention.output_dense.kernel, block.second.kernel):
            scales = 10.0 ** draw.uniform(-3, 0, kernel.shape[0])
            kernel.assign(0.3 * kernel.numpy() * scales.reshape(-1, *[1] * (len(kernel.shape) - 1)))
    return model


def loss_changes(model: Any, kernel: Any, data: Any) -> np.ndarray:
    """Return by how much the loss of a batch changes, in the mean, without each part of `kernel` in turn."""
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    order = np.random.default_rng(0).permutation(len(data.train_x))
    batches = [order[start : start + BATCH_SIZE] for start in range(0, len(order), BATCH_SIZE)]
    inputs = keras_inputs(model, fields(data.train_x))
    whole = kernel.numpy()

    def losses() -> np.ndarray:
        outputs = model(inputs, training=False).numpy()
        return np.array([float(loss(data.train_y[batch], outputs[batch])) for batch in batches])

    dense, changes = losses(), []
    for part in range(len(whole)):
        kernel.assign(np.where((np.arange(len(whole)) == part).reshape(-1, *[1] * (whole.ndim - 1)), 0, whole))
        changes.append(np.abs(losses() - dense).mean())
    kernel.assign(whole)
    return np.array(changes)


def test_importance_ranks_heads_and_neurons_as_leaving_each_out_does(data):
    model = spread(1)
    blocks = find_blocks(model)
    found = importance_of(model, blocks, data, Training(), 0)()
    heads = np.concatenate([loss_changes(model, block.attention.output_dense.kernel, data) for block in blocks])
    neurons = np.concatenate([loss_changes(model, block.second.kernel, data) for block in blocks])
    assert spearmanr(np.concatenate([each.heads for each in found]), heads).statistic > 0.95
    assert spearmanr(np.concatenate([each.neurons for each in found]), neurons).statistic > 0.95
    removed = ~np.concatenate([each.heads for each in choose_kept(found, 0.5, 0, uneven=True)])
    assert set(np.flatnonzero(removed)) == set(np.argsort(heads)[: len(blocks) * HEADS // 2])


def test_importance_is_taken_of_the_weights_as_they_are(data):
    model = spread(2)
    blocks = find_blocks(model)
    importance = importance_of(model, blocks, data, Training(), 0)
    before = importance()
    kernel = blocks[0].attention.output_dense.kernel
    kernel.assign(np.where(np.arange(HEADS)[:, None, None] == 2, 0, kernel.numpy()))
    after = importance()
    assert before[0].heads[2] > 0
    assert after[0].heads[2] == 0
    assert np.all(after[0].heads[[0, 1, 3]] > 0)


def test_importance_is_of_the_labels_also_where_training_aims_at_answers(data):
    model = spread(3)
    blocks = find_blocks(model)
    by_labels, by_answers = (
        importance_of(model, blocks, data, Training(targets=targets), 0)() for targets in ("labels", "teacher")
    )
    np.testing.assert_array_equal(by_labels[0].heads, by_answers[0].heads)
    assert by_labels[0].heads.min() > 0


def test_a_frozen_layer_has_importance_too(data):
    model = spread(4)
    free = importance_of(model, find_blocks(model), data, Training(), 0)()
    model.get_layer("backbone").trainable = False
    frozen = importance_of(model, find_blocks(model), data, Training(), 0)()
    np.testing.assert_allclose(frozen[0].neurons, free[0].neurons, rtol=1e-4)
    assert frozen[0].neurons.shape == (NEURONS,)


def without_labels(data: Any) -> Dataset:
    unlabelled = [np.full(len(labels), UNLABELLED) for labels in (data.train_y, data.evaluation_y)]
    return Dataset("bare", data.train_x, unlabelled[0], data.evaluation_x, unlabelled[1])


def test_without_labels_parts_are_ranked_by_what_the_outputs_lose_with_them(data):
    model = spread(5)
    blocks, inputs = find_blocks(model), keras_inputs(model, fields(data.train_x))
    found = importance_of(model, blocks, without_labels(data), Training(), 0)()
    exact = model(inputs, training=False).numpy()

    for block, importance in zip(blocks, found, strict=True):
        whole, lost = block.second.kernel.numpy(), []
        for part in range(NEURONS):
            block.second.kernel.assign(np.where(np.arange(NEURONS)[:, None] == part, 0, whole))
            lost.append(((model(inputs, training=False).numpy() - exact) ** 2).mean())
        block.second.kernel.assign(whole)
        assert spearmanr(importance.neurons, lost).statistic > 0.95


def test_samples_without_labels_are_not_retrained_on(data):
    with pytest.raises(DataError, match="data set 'bare' has no labels, and training needs them"):
        PruneTransformer(0.5, 0.5, epochs=1).transform(spread(5), without_labels(data), Training(), seed=0)


def test_a_model_is_pruned_without_labels_where_nothing_is_retrained(data):
    model = spread(5)
    pruned = PruneTransformer(0.5, 0.5, epochs=0).transform(model, without_labels(data), Training(), seed=0)
    width = WIDTH // HEADS
    a_head, a_neuron = 3 * (WIDTH + 1) * width + width * WIDTH, 2 * WIDTH + 1
    assert model.count_params() - pruned.count_params() == HEADS * a_head + NEURONS * a_neuron


SCORES = st.integers(1, 4).flatmap(
    lambda layers: st.lists(
        npst.arrays(np.float64, st.integers(2, 6), elements=st.floats(0, 1)), min_size=layers, max_size=layers
    )
)


@given(SCORES, st.floats(0, 0.99), st.booleans())
def test_the_fraction_goes_the_least_important_first_and_each_layer_keeps_its_best(scores, fraction, uneven):
    importance = [Importance(each, each) for each in scores]
    groups = [scores] if uneven else [[each] for each in scores]
    counts = [round(sum(map(len, group)) * fraction) for group in groups]
    if any(count > sum(map(len, group)) - len(group) for count, group in zip(counts, groups, strict=True)):
        with pytest.raises(RecipeError, match=r"each of \d layers keeps one: remove at most"):
            choose_kept(importance, fraction, 0, uneven=uneven)
        return
    kept = [each.heads for each in choose_kept(importance, fraction, 0, uneven=uneven)]
    assert sum(np.count_nonzero(~each) for each in kept) == sum(counts)
    for score, stays in zip(scores, kept, strict=True):
        assert stays[np.argmax(score)]
    for group in [range(len(scores))] if uneven else [[index] for index in range(len(scores))]:
        gone = [score for index in group for score in scores[index][~kept[index]]]
        left = [
            score
            for index in group
            for place, score in enumerate(scores[index])
            if kept[index][place] and place != np.argmax(scores[index])
        ]
        assert max(gone, default=0.0) <= min(left, default=1.0)
