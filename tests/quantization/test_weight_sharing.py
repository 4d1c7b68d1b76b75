"""Weight sharing: how many values a kernel is left with, which zeros stay, and what fine-tuning may move."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from compress.errors import QuantizationError, RecipeError
from compress.quantization.weight_sharing import Kmeans, Shared, share
from compress.recipe import Recipe
from compress.subject import Dataset, Training
from compress.training import kernels

if TYPE_CHECKING:
    import keras


@pytest.fixture(scope="module")
def data() -> Dataset:
    """150 noisy 8 x 8 images of four classes to train on, as many to score."""
    generator = np.random.default_rng(0)
    prototypes = generator.normal(size=(4, 8, 8, 1))
    labels = generator.integers(4, size=300)
    images = (prototypes[labels] + generator.normal(size=(300, 8, 8, 1))).astype(np.float32)
    return Dataset("prototypes", images[:150], labels[:150], images[150:], labels[150:])


@pytest.fixture(scope="module")
def training() -> Training:
    return Training(epochs=2, batch_size=32, learning_rate=1e-2)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A kernel of each kind, half of the dense one zero: 72, 72, 8, and 512 weights."""
    import keras

    layers = keras.layers
    made = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu", name="conv"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.BatchNormalization(name="norm"),
            layers.Conv2D(1, 1, name="pointwise"),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(32, activation="relu", name="dense"),
            layers.Dense(4, activation="softmax", name="out"),
        ],
        name="small",
    )
    rng = np.random.default_rng(1)
    made.set_weights([rng.normal(0, 0.3, w.shape) if w.ndim > 1 else w for w in made.get_weights()])
    kernel = made.get_layer("dense").kernel
    kernel.assign(np.where(rng.random(kernel.shape) < 0.5, 0, kernel.numpy()))
    return made


def values_of(model: keras.Model) -> dict[str, NDArray[Any]]:
    return {path.rsplit("/", 2)[-2]: kernel.numpy() for path, kernel in kernels(model).items()}


@given(
    npst.arrays(np.float32, st.integers(1, 40), elements=st.sampled_from([0, -0.0, 0.5, 0.75, -1, 2, 3, 1e-3, 1e30])),
    st.integers(2, 6),
    st.booleans(),
)
def test_a_kernel_has_so_many_values_and_its_zeros_are_one_more(kernel, clusters, preserve_sparsity):
    index, values = share(kernel, clusters, "linear", np.random.default_rng(0), preserve_sparsity=preserve_sparsity)
    shared = values[index]
    assert shared.dtype == kernel.dtype
    assert len(np.unique(shared[shared != 0] if preserve_sparsity else shared)) <= clusters
    if preserve_sparsity:
        assert np.all(shared[kernel == 0] == 0)
        assert np.array_equal(index == len(values) - 1, kernel == 0)


@given(st.integers(0, 2**32 - 1), st.integers(2, 8))
def test_zeros_that_are_held_take_no_part_in_where_the_others_go(seed, clusters):
    rng = np.random.default_rng(seed)
    others = rng.normal(size=40).astype(np.float32)
    kernel = np.zeros(200, np.float32)
    places = rng.choice(200, 40, replace=False)
    kernel[places] = others
    index, values = share(kernel, clusters, "linear", np.random.default_rng(0), preserve_sparsity=True)
    alone, of_alone = share(others, clusters, "linear", np.random.default_rng(0))
    assert np.array_equal(values[index][places], of_alone[alone])


@pytest.mark.parametrize("epochs", [0, 2])
@pytest.mark.parametrize("preserve_sparsity", [False, True])
def test_every_kernel_ends_with_at_most_so_many_values(model, data, training, epochs: int, preserve_sparsity) -> None:
    step = Kmeans(16, preserve_sparsity=preserve_sparsity, epochs=epochs)
    shared = values_of(step.transform(model, data, training, seed=0))
    for layer, kernel in values_of(model).items():
        assert len(np.unique(shared[layer])) <= 16 + (layer == "dense" and preserve_sparsity)
        assert np.any(shared[layer] != kernel) or (layer == "pointwise" and epochs == 0)
    zeros = values_of(model)["dense"] == 0
    if preserve_sparsity:
        assert np.array_equal(shared["dense"] == 0, zeros)
        assert len(np.unique(shared["dense"])) == 17


def test_a_kernel_of_no_more_weights_than_clusters_is_left_alone_and_then_trained_freely(model, data, training) -> None:
    before = values_of(model)["pointwise"]
    assert np.array_equal(values_of(Kmeans(8).transform(model, data, training, seed=0))["pointwise"], before)
    tuned = values_of(Kmeans(8, epochs=1).transform(model, data, training, seed=0))["pointwise"]
    assert len(np.unique(tuned)) == 8
    assert np.all(tuned != before)


def test_fine_tuning_moves_the_shared_values_and_leaves_every_weight_in_its_cluster(model, data, training) -> None:
    fixed = values_of(Kmeans(8).transform(model, data, training, seed=0))
    tuned_model = Kmeans(8, epochs=2).transform(model, data, training, seed=0)
    tuned = values_of(tuned_model)
    for layer in ("conv", "depthwise", "dense"):
        for value in np.unique(fixed[layer]):
            (moved,) = np.unique(tuned[layer][fixed[layer] == value])
            assert moved != value
    assert len(np.unique(tuned_model.get_layer("norm").gamma.numpy())) == 8
    assert len(np.unique(tuned_model.get_layer("dense").bias.numpy())) > 8


def test_fine_tuning_only_sixteen_shared_values_learns_what_they_did_not_know(data) -> None:
    import keras

    training = Training(epochs=6, batch_size=32, learning_rate=1e-2)
    net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
    net.layers[-1].kernel.assign(np.random.default_rng(0).normal(0, 0.1, (64, 4)))

    def accuracy(epochs: int | None) -> float:
        shared = Kmeans(16, epochs=epochs).transform(net, data, training, seed=0)
        return float(np.mean(np.argmax(shared(data.evaluation_x).numpy(), axis=-1) == data.evaluation_y))

    assert accuracy(None) > accuracy(0) + 0.2


def test_an_update_of_a_cluster_is_the_mean_of_its_weights_updates() -> None:
    import keras
    import tensorflow as tf

    layer = keras.layers.Dense(3, use_bias=False)
    net = keras.Sequential([keras.Input((2,)), layer])
    layer.kernel.assign([[1, 1, 5], [0, 5, 5]])
    rule = Shared(2, "linear", 0, preserve_sparsity=True)
    rule.renew(net, 1)
    updated = layer.kernel.value + tf.constant([[0.5, -0.25, 1], [9, 0, 0.5]])
    projected = rule.project(layer.kernel.path, updated)
    assert projected.numpy().tolist() == [[1.125, 1.125, 5.5], [0, 5.5, 5.5]]


def test_a_cluster_of_a_million_equal_weights_stays_exactly_where_it_is() -> None:
    import keras

    layer = keras.layers.Dense(1000, use_bias=False)
    net = keras.Sequential([keras.Input((1000,)), layer])
    layer.kernel.assign(np.full((1000, 1000), 0.1, np.float32))
    rule = Shared(16, "linear", 0, preserve_sparsity=False)
    rule.renew(net, 1)
    assert np.all(rule.project(layer.kernel.path, layer.kernel.value).numpy() == np.float32(0.1))


@pytest.mark.parametrize("step", [Kmeans(16), Kmeans(16, "kmeans_plus_plus"), Kmeans(16, epochs=None)])
def test_the_model_that_is_given_keeps_its_weights_and_a_seed_fixes_the_result(model, data, training, step) -> None:
    before = model.get_weights()
    once = step.transform(model, data, training, seed=3)
    random.seed(99)
    again = step.transform(model, data, training, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(once.get_weights(), again.get_weights(), strict=True))
    assert once.get_config() == model.get_config()
    assert not {id(weight) for weight in once.weights} & {id(weight) for weight in model.weights}


def test_another_seed_gives_other_values_where_centroids_are_drawn(model, data, training) -> None:
    step = Kmeans(8, "forgy")
    one, other = (values_of(step.transform(model, data, training, seed=seed))["dense"] for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_a_kernel_that_is_not_finite_is_refused_by_its_name(model, data, training) -> None:
    import keras

    broken = keras.models.clone_model(model)
    broken.get_layer("dense").kernel.assign(np.full((16, 32), np.nan))
    with pytest.raises(QuantizationError, match="dense/kernel: k-means has no mean"):
        Kmeans(16).transform(broken, data, training, seed=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clusters": 1}, "clusters must be a whole number from 2, got 1"),
        ({"clusters": 2.5}, "clusters must be a whole number from 2, got 2.5"),
        ({"clusters": 16, "init": "random"}, "init must be one of linear, .* got 'random'"),
        ({"clusters": 16, "epochs": -1}, "epochs must be none or a whole number from 0, got -1"),
    ],
)
def test_parameters_that_have_no_meaning_are_refused(arguments, message) -> None:
    with pytest.raises(RecipeError, match=message):
        Kmeans(**arguments)


@pytest.mark.parametrize(
    "text", ["kmeans(16)", "kmeans(16, init=forgy) | int8", "kmeans(32, preserve_sparsity=true, epochs=none)"]
)
def test_a_recipe_that_shares_weights_prints_back_to_itself(text) -> None:
    assert str(Recipe.parse(text)) == text


@pytest.mark.parametrize("clusters", [4, 16])
def test_gzip_shrinks_shared_float32_weights_to_between_their_entropy_and_the_cost_of_a_match(clusters) -> None:
    """Deflate sees a weight as four bytes, and finds 2 or more weights (a match of 8 bytes) it met before.

    Floor: the entropy of the clusters, at most log2(16) = 4 bits of 32; no code is shorter on independent draws.
    Ceiling: the 8,192 weights of its window hold about 8192 / 2^(m H) earlier copies of the next m weights, so a match
    is of about 13 / H weights; it costs at most 13 bits of distance, and 5 and 5 of codes for it and for its length.
    """
    kernel = np.random.default_rng(0).normal(size=250_000).astype(np.float32)
    index, values = share(kernel, clusters, "linear", np.random.default_rng(0))
    share_of = np.bincount(index) / index.size
    used = share_of[share_of > 0]
    entropy_bits = float(-(used * np.log2(used)).sum())
    reduction = kernel.nbytes / len(gzip.compress(values[index].tobytes()))
    assert entropy_bits <= np.log2(clusters)
    assert reduction <= 32 / entropy_bits
    assert reduction >= 32 / (entropy_bits * (13 + 5 + 5) / 13)
    assert kernel.nbytes / len(gzip.compress(kernel.tobytes())) < 1.15
