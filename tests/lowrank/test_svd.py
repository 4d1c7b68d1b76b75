"""Layers replaced by two thinner ones: how near they come, how many parameters go, and which models are refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from compress.build import build_artifact
from compress.errors import ModelFileError, RecipeError
from compress.lowrank.svd import Svd, factors, rank_left
from compress.recipe import Recipe
from compress.runtime.session import open_session, read_parts
from compress.store import Store
from compress.subject import Dataset, Subject, Training

if TYPE_CHECKING:
    import keras

# Keras 3.15 saves through a Variable.__array__ that has no copy keyword, which numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

TRAINING = Training(epochs=4, batch_size=32, learning_rate=1e-2)


def data() -> Dataset:
    """Return 150 noisy 8 x 8 images of four classes to train on, as many to score."""
    generator = np.random.default_rng(0)
    prototypes = generator.normal(size=(4, 8, 8, 3))
    labels = generator.integers(4, size=300)
    images = (prototypes[labels] + generator.normal(size=(300, 8, 8, 3))).astype(np.float32)
    return Dataset("prototypes", images[:150], labels[:150], images[150:], labels[150:])


def seeded(model: keras.Model, rank: int | None = None) -> keras.Model:
    """Return `model` with seeded weights, biases included; its matrices of `rank` where one is given."""
    rng = np.random.default_rng(3)
    for weight in model.trainable_variables:
        value = rng.normal(0, 0.2, weight.shape)
        if rank is not None and len(weight.shape) > 1 and np.prod(weight.shape[:-2]) == 1:
            m, n = weight.shape[-2:]
            value = (rng.normal(0, 0.2, (m, rank)) @ rng.normal(size=(rank, n))).reshape(weight.shape)
        weight.assign(value)
    return model


def branching() -> keras.Model:
    """Strided and grouped 1x1 convolutions, a 3x3 one, an operation that is no layer, and a classifier."""
    import keras

    layers = keras.layers
    images = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="wide")(images)
    x = layers.BatchNormalization(name="norm")(x)
    short = layers.Conv2D(24, 1, strides=2, padding="same", use_bias=False, name="shortcut")(x)
    x = layers.Conv2D(24, 1, strides=2, activation="relu", name="strided")(x)
    x = layers.Conv2D(24, 1, groups=2, name="grouped")(x)
    x = layers.Dropout(0.1)(x + short)
    x = layers.Flatten()(x)
    x = layers.Dense(40, activation="tanh", name="dense")(x)
    return keras.Model(images, layers.Dense(4, activation="softmax", name="out")(x), name="branching")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return seeded(branching())


def smaller(model: keras.Model, removed_fraction: float = 0.5, epochs: int | None = 0) -> keras.Model:
    return Svd(removed_fraction, epochs).transform(model, data(), TRAINING, seed=0)


MATRICES = npst.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.floats(-8, 8, allow_subnormal=False),
    fill=st.nothing(),
)


@given(MATRICES, st.integers(1, 6))
def test_the_error_of_a_product_is_the_tail_of_the_singular_values(matrix, rank):
    rank = min(rank, *matrix.shape)
    left, right = factors(matrix, rank)
    assert left.shape == (matrix.shape[0], rank)
    assert right.shape == (rank, matrix.shape[1])
    tail = np.sqrt(np.sum(np.linalg.svd(matrix, compute_uv=False)[rank:] ** 2))
    assert np.linalg.norm(matrix - left @ right) == pytest.approx(tail, abs=1e-12)


@given(MATRICES)
def test_both_factors_are_of_the_same_size_and_at_full_rank_give_the_matrix_back(matrix):
    left, right = factors(matrix, min(matrix.shape))
    assert np.linalg.norm(left) == pytest.approx(np.linalg.norm(right), abs=1e-9)
    np.testing.assert_allclose(left @ right, matrix, atol=1e-12)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 999))
def test_the_rank_is_the_largest_that_removes_the_fraction_of_the_parameters(inputs, outputs, per_mille):
    rank = rank_left(inputs, outputs, per_mille / 1000)
    kept, whole = (1000 - per_mille) * inputs * outputs, 1000 * (inputs + outputs)
    if rank is None:
        assert inputs + outputs >= inputs * outputs
    else:
        assert rank * whole <= kept or rank == 1
        assert (rank + 1) * whole > kept
        assert rank * (inputs + outputs) < inputs * outputs


@pytest.mark.parametrize(
    ("inputs", "outputs", "fraction", "rank"),
    [(512, 512, 0.5, 128), (100, 100, 0.9, 5), (20, 4, 0.99, 1), (2, 2, 0.5, None)],
)
def test_the_rank_is_that_of_exact_arithmetic(inputs, outputs, fraction, rank):
    assert rank_left(inputs, outputs, fraction) == rank


def test_each_layer_that_gets_smaller_becomes_two_and_the_others_stay(model):
    names = [layer.name for layer in smaller(model).layers]
    stay = ["wide", "norm", "grouped"]
    gone = ["shortcut", "strided", "dense", "out"]
    assert [name for name in names if name in stay] == stay
    assert not set(gone) & set(names)
    assert {f"{name}_{factor}" for name in gone for factor in "uv"} <= set(names)


@pytest.mark.parametrize("removed_fraction", [0.3, 0.5, 0.9])
def test_the_parameters_removed_are_those_of_the_formula(model, removed_fraction):
    removed = 0
    for m, n in ((16, 24), (16, 24), (4 * 4 * 24, 40), (40, 4)):
        rank = max(int((1 - removed_fraction) * m * n / (m + n)), 1)
        removed += m * n - rank * (m + n)
    assert smaller(model, removed_fraction).count_params() == model.count_params() - removed


def test_a_network_whose_matrices_are_of_the_rank_left_computes_what_it_did():
    import keras

    low = seeded(branching(), rank=1)
    for layer in low.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(np.linspace(-1, 1, 16))
            layer.moving_variance.assign(np.linspace(0.5, 2, 16))
    x = data().evaluation_x[:20]
    np.testing.assert_allclose(smaller(low)(x).numpy(), low(x).numpy(), atol=1e-5)


def test_a_strided_convolution_is_the_two_products_at_the_places_it_sees(model):
    import keras

    thin = smaller(model)
    first, second = thin.get_layer("strided_u"), thin.get_layer("strided_v")
    assert (first.strides, second.strides) == ((2, 2), (1, 1))
    assert not first.use_bias
    assert first.activation is keras.activations.linear
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 16)).astype(np.float32)
    products = x[:, ::2, ::2] @ first.kernel.numpy()[0, 0] @ second.kernel.numpy()[0, 0]
    expected = np.maximum(products + model.get_layer("strided").bias.numpy(), 0)
    np.testing.assert_allclose(second(first(x)).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("epochs", [0, 2])
def test_the_model_that_is_given_keeps_its_weights_and_a_seed_fixes_the_result(model, epochs):
    before = model.get_weights()
    once, again = smaller(model, epochs=epochs), smaller(model, epochs=epochs)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(once.get_weights(), again.get_weights(), strict=True))
    assert not {id(weight) for weight in once.weights} & {id(weight) for weight in model.weights}
    assert once.name == model.name
    assert once.layers[0].name == model.layers[0].name


def test_retraining_goes_on_as_long_as_the_step_or_the_subject_says(model):
    def loss(thin: keras.Model) -> float:
        outputs = thin(data().train_x).numpy()
        return float(-np.mean(np.log(outputs[np.arange(150), data().train_y])))

    at_once, briefly, fully = (loss(smaller(model, epochs=epochs)) for epochs in (0, 1, None))
    assert fully < briefly < at_once


def test_a_layer_that_is_called_twice_shares_its_two_factors():
    import keras

    one, other = keras.Input((20,), name="one"), keras.Input((20,), name="other")
    shared = keras.layers.Dense(20, name="shared")
    net = seeded(keras.Model([one, other], [shared(one), shared(other)]), rank=3)
    thin = smaller(net)
    assert [layer.name for layer in thin.layers if layer.weights] == ["shared_u", "shared_v"]
    x = [np.random.default_rng(seed).normal(size=(4, 20)).astype(np.float32) for seed in (0, 1)]
    for computed, expected in zip(thin(x), net(x), strict=True):
        np.testing.assert_allclose(computed.numpy(), expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_a_model_in_a_model_is_rebuilt_too(kind):
    import keras

    inner = keras.Sequential([keras.Input((20,)), keras.layers.Dense(20, activation="relu", name="deep")], name="inner")
    if kind == "functional":
        inner = keras.Model(inner.inputs[0], inner.outputs[0], name="inner")
    net = seeded(keras.Sequential([keras.Input((20,)), inner, keras.layers.Dense(2, name="out")], name="outer"), rank=1)
    thin = smaller(net)
    assert [layer.name for layer in thin.get_layer("inner").layers if layer.weights] == ["deep_u", "deep_v"]
    x = np.random.default_rng(0).normal(size=(4, 20)).astype(np.float32)
    np.testing.assert_allclose(thin(x).numpy(), net(x).numpy(), atol=1e-4)


def test_a_layer_shared_by_a_model_and_one_in_it_shares_its_two_factors():
    import keras

    shared, x = keras.layers.Dense(20, name="shared"), keras.Input((20,))
    inner = keras.Model(x, shared(x), name="inner")
    outer = keras.Input((20,))
    thin = smaller(keras.Model(outer, shared(inner(outer)), name="outer"))
    assert thin.count_params() == 5 * (20 + 20) + 20
    assert thin.get_layer("shared_u") is thin.get_layer("inner").get_layer("shared_u")


def test_factorising_again_factorises_the_factors(model):
    twice = smaller(smaller(model))
    assert {"dense_u_u", "dense_u_v", "dense_v_u", "dense_v_v"} <= {layer.name for layer in twice.layers}


def test_a_kernel_held_to_a_constraint_stays():
    import keras

    held = keras.layers.Dense(20, kernel_constraint="non_neg", name="held")
    net = keras.Sequential([keras.Input((20,)), held, keras.layers.Dense(20, name="free")])
    assert [layer.name for layer in smaller(net).layers] == ["held", "free_u", "free_v"]


def test_a_model_with_nothing_to_factorise_is_refused():
    import keras

    layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(1)]
    with pytest.raises(RecipeError, match="plain has no dense layer or 1x1 convolution that two of a lower rank"):
        smaller(keras.Sequential(layers, name="plain"))


def test_a_model_that_is_code_is_refused():
    import keras

    class Coded(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="coded")
            self.dense = keras.layers.Dense(20)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    with pytest.raises(RecipeError, match="coded is a Coded: svd rebuilds functional and sequential models"):
        smaller(Coded())


def test_weights_that_are_not_finite_are_refused_by_the_name_of_their_layer(model):
    broken = branching()
    broken.set_weights(model.get_weights())
    broken.get_layer("dense").kernel.assign(np.full(broken.get_layer("dense").kernel.shape, np.inf))
    with pytest.raises(ModelFileError, match="dense holds NaN or infinite weights"):
        smaller(broken)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0,), r"removed_fraction must be in \(0, 1\), got 0"),
        ((1.0,), r"removed_fraction must be in \(0, 1\), got 1"),
        ((float("nan"),), r"removed_fraction must be in \(0, 1\), got nan"),
        ((0.5, -1), "epochs must be none or a whole number from 0, got -1"),
    ],
)
def test_parameters_that_have_no_meaning_are_refused(arguments, message):
    with pytest.raises(RecipeError, match=message):
        Svd(*arguments)


@pytest.mark.parametrize("text", ["svd(0.5)", "svd(0.25, epochs=none) | int8"])
def test_a_recipe_that_factorises_prints_back_to_itself(text):
    assert str(Recipe.parse(text)) == text


def test_a_saved_model_is_read_back_in_safe_mode_and_computes_the_same(model, tmp_path: Path):
    import keras

    thin = smaller(model)
    thin.save(tmp_path / "thin.keras")
    read = keras.saving.load_model(tmp_path / "thin.keras", safe_mode=True)
    x = data().evaluation_x[:10]
    np.testing.assert_array_equal(read(x).numpy(), thin(x).numpy())


def test_the_file_for_litert_lacks_the_weights_removed_and_computes_what_the_model_does(model, tmp_path: Path):
    subject = Subject("branching", lambda: model, data, lambda: "branching-1", parameters=model.count_params())
    whole, thin = (build_artifact(Store(tmp_path), subject, text) for text in ("float32", "svd(0.5)"))
    elements = [
        sum(part.elements for part in read_parts(built.path.read_bytes(), "litert") if part.kind == "weights")
        for built in (whole, thin)
    ]
    kernels = [(16, 24, 4), (16, 24, 4), (384, 40, 18), (40, 4, 1)]
    removed = sum(m * n - rank * (m + n) for m, n, rank in kernels)
    # LiteRT's convolutions always have a bias: the two first factors share one of 4 zeros
    assert elements[0] - elements[1] == removed - 4
    x = data().evaluation_x[:1]
    session = open_session(thin.path, "litert")
    np.testing.assert_allclose(session.invoke(x), smaller(model)(x).numpy(), atol=1e-5)
