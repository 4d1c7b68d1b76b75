"""Pruning with retraining: the masks, the training between them, and what is left untouched."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress.errors import DataError, RecipeError
from compress.pruning.magnitude import Prune, Retrain, magnitude_zeros, schedule_within
from compress.pruning.masks import kept_count, magnitude_masks
from compress.pruning.schedule import pruning_steps
from compress.recipe import Recipe
from compress.step import Transform
from compress.subject import Dataset, Training
from compress.training import clone, kernels, outputs_logits, retrain

if TYPE_CHECKING:
    import keras


def kernel_values(model: keras.Model) -> dict[str, NDArray[Any]]:
    return {path: kernel.numpy() for path, kernel in kernels(model).items()}


def accuracy(model: keras.Model, data: Dataset) -> float:
    return float(np.mean(np.argmax(model(data.evaluation_x).numpy(), axis=-1) == data.evaluation_y))


def same_weights(one: keras.Model, other: keras.Model) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize("schedule", ["polynomial", "constant"])
@pytest.mark.parametrize("sparsity", [0.3, 0.9, 0.99])
def test_each_layer_ends_at_exactly_the_sparsity(model, data, training, sparsity: float, schedule: Any) -> None:
    pruned = Prune(sparsity, "layer", schedule).transform(model, data, training, seed=0)
    for kernel in kernel_values(pruned).values():
        assert np.count_nonzero(kernel) == kept_count(kernel.size, sparsity)


def test_all_layers_together_end_at_exactly_the_sparsity_under_global_scope(model, data, training) -> None:
    pruned = kernel_values(Prune(0.9, "global").transform(model, data, training, seed=0))
    of_convolution, of_dense = (np.count_nonzero(kernel) for kernel in pruned.values())
    assert of_convolution + of_dense == kept_count(36 + 576, 0.9)
    assert of_convolution > kept_count(36, 0.9)


def test_momentum_does_not_resurrect_what_a_constant_schedule_pruned_at_the_first_step(model, data, training) -> None:
    expected = magnitude_masks(kernel_values(model), 0.8, "layer")
    pruned = kernel_values(Prune(0.8, "layer", "constant").transform(model, data, training, seed=0))
    for path, kernel in kernel_values(model).items():
        assert np.array_equal(pruned[path] != 0, expected[path])
        assert np.all(pruned[path][expected[path]] != kernel[expected[path]])


def test_a_weight_pruned_early_stays_pruned_while_sparsity_rises(model, data, training) -> None:
    first = magnitude_masks(kernel_values(model), 0.5, "layer")
    pruned = kernel_values(Prune(0.9, "layer", initial_sparsity=0.5).transform(model, data, training, seed=0))
    assert all(np.all(pruned[path][~mask] == 0) for path, mask in first.items())


def test_no_forward_pass_sees_a_pruned_weight_that_momentum_moved(data, training) -> None:
    import keras
    import tensorflow as tf

    class Recording(keras.layers.Dense):
        def call(self, inputs: Any, *_: Any, **__: Any) -> Any:
            self.most_seen.assign(tf.maximum(self.most_seen, tf.math.count_nonzero(self.kernel.value, dtype=tf.int32)))
            return super().call(inputs)

    layer = Recording(4)
    layer.most_seen = tf.Variable(0)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), layer])
    layer.most_seen.assign(0)
    retrain(model, data, training, teacher=model, epochs=2, seed=0, constraint=magnitude_zeros({1: 0.75}, "global"))
    assert layer.most_seen.numpy() == 256 // 4


@pytest.mark.parametrize("step", [Prune(0.5), Prune(0.5, epochs=0), Retrain()])
def test_the_model_that_is_given_keeps_its_weights_and_the_one_returned_its_architecture(
    model, data, training, step: Transform
) -> None:
    before = model.get_weights()
    returned = step.transform(model, data, training, seed=0)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    assert returned.get_config() == model.get_config()
    assert type(returned) is type(model)
    assert not {id(weight) for weight in returned.weights} & {id(weight) for weight in model.weights}
    assert not any(weight.constraint for weight in returned.trainable_variables)


@pytest.mark.parametrize("step", [Prune(0.8), Prune(0.8, "layer", "constant"), Retrain()])
def test_a_seed_fixes_the_weights_dropout_included(model, data, training, step: Transform) -> None:
    once = step.transform(model, data, training, seed=3)
    random.seed(99)
    assert same_weights(once, step.transform(model, data, training, seed=3))
    assert not same_weights(once, step.transform(model, data, training, seed=4))


def test_no_global_random_state_is_drawn_from_or_set(data, training) -> None:
    import keras

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
    random.seed(7)
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - read, not drawn from
    retrain(model, data, training, teacher=model, epochs=1, seed=0, constraint=magnitude_zeros({1: 0.5}, "global"))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002 - read, not drawn from


@pytest.mark.parametrize(("sparsity", "first"), [(0.9, 0.5), (0.5, 0.5), (0.3, 0.3)])
def test_pruning_starts_at_half_sparsity_or_at_a_final_one_below_it(sparsity: float, first: float) -> None:
    schedule = schedule_within(100, "polynomial", initial_sparsity=0.5, sparsity=sparsity)
    assert pruning_steps(schedule, 100)[1] == pytest.approx(first)


def test_zero_epochs_prune_in_one_shot_and_change_nothing_else(model, data, training) -> None:
    pruned = Prune(0.7, epochs=0).transform(model, data, training, seed=0)
    masks = magnitude_masks(kernel_values(model), 0.7, "global")
    for before, after in zip(model.weights, pruned.weights, strict=True):
        expected = np.where(masks[before.path], before.numpy(), 0) if before.path in masks else before.numpy()
        assert np.array_equal(after.numpy(), expected)


def test_a_training_of_a_single_step_prunes_all_the_same(model, data) -> None:
    pruned = Prune(0.9, "layer").transform(model, data, Training(epochs=1, batch_size=1000), seed=0)
    assert [np.count_nonzero(each) for each in kernel_values(pruned).values()] == [4, 58]


def test_retraining_recovers_what_one_shot_pruning_lost(model, data) -> None:
    training = Training(epochs=20, batch_size=32, learning_rate=1e-2)
    dense = Retrain().transform(model, data, training, seed=0)
    one_shot = Prune(0.98, epochs=0).transform(dense, data, training, seed=0)
    retrained = Prune(0.98).transform(dense, data, training, seed=0)
    assert accuracy(dense, data) > 0.9
    assert accuracy(retrained, data) > accuracy(one_shot, data) + 0.1


def test_retraining_is_what_keras_fit_does_with_the_same_batches(data) -> None:
    import keras

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )
    ours = Retrain().transform(model, data, Training(1, 32, 1e-3), seed=5)
    order = np.random.default_rng(5).permutation(150)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False)
    model.fit(data.train_x[order], data.train_y[order], batch_size=32, shuffle=False, verbose=0)
    for one, other in zip(ours.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_model_that_ends_in_logits_learns_what_its_softmax_twin_learns(data, training) -> None:
    import keras

    def ending_in(activation: str | None) -> keras.Model:
        glorot = keras.initializers.GlorotUniform(4)
        dense = keras.layers.Dense(4, activation=activation, kernel_initializer=glorot)
        return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), dense])

    of_logits = Retrain().transform(ending_in(None), data, training, seed=0)
    of_softmax = Retrain().transform(ending_in("softmax"), data, training, seed=0)
    for one, other in zip(of_logits.get_weights(), of_softmax.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def ending(build: Callable[[Any, Any], Any]) -> keras.Model:
    import keras

    inputs = keras.Input((3,))
    return keras.Model(inputs, build(keras.layers, keras.layers.Dense(4)(inputs)), name="net")


@pytest.mark.parametrize(
    ("logits", "build"),
    [
        (True, lambda _, x: x),
        (True, lambda layers, x: layers.Activation("linear")(x)),
        (True, lambda layers, x: layers.Dropout(0.5)(layers.Reshape((4,))(x))),
        (True, lambda layers, x: ending(lambda _, y: y)(layers.Dense(3)(x))),
        (False, lambda layers, x: layers.Softmax()(x)),
        (False, lambda layers, x: layers.Flatten()(layers.Activation("softmax")(x))),
        (False, lambda layers, x: ending(lambda layers, y: layers.Softmax()(y))(layers.Dense(3)(x))),
    ],
)
def test_logits_and_probabilities_are_told_apart_by_the_last_activation(logits: bool, build: Any) -> None:
    assert outputs_logits(ending(build)) is logits


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_a_model_that_is_no_classifier_is_not_retrained(data, training, activation: str) -> None:
    model = ending(lambda layers, x: layers.Dense(4, activation=activation, name="last")(x))
    with pytest.raises(RecipeError, match=f"net ends in last with activation {activation}"):
        Prune(0.5).transform(model, data, training, seed=0)


def test_a_model_of_two_outputs_is_not_retrained(data, training) -> None:
    with pytest.raises(RecipeError, match="net has 2 outputs"):
        Retrain().transform(ending(lambda layers, x: [x, layers.Dense(4)(x)]), data, training, seed=0)


def test_labels_without_an_output_are_refused(data, training, model) -> None:
    wrong = Dataset("wrong", data.train_x, data.train_y + 1, data.evaluation_x, data.evaluation_y)
    with pytest.raises(DataError, match=r"'wrong': labels 1\.\.4 do not fit the 4 outputs of small"):
        Prune(0.5).transform(model, wrong, training, seed=0)


def test_a_diverging_training_says_so(model, data) -> None:
    with pytest.raises(RecipeError, match=r"retraining small diverged.*lower the learning rate \(1e\+30\)"):
        Retrain().transform(model, data, Training(2, 32, 1e30), seed=0)


def test_kernels_are_weights_of_layers_that_mix_inputs_and_nothing_else() -> None:
    import keras

    layers = keras.layers
    ids, image = keras.Input((6,), name="ids"), keras.Input((8, 8, 4), name="image")
    x = layers.Embedding(9, 4, name="embedding")(ids)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = layers.LayerNormalization(name="norm")(layers.LSTM(4, name="lstm")(x))
    y = layers.DepthwiseConv2D(3, name="depthwise")(image)
    y = layers.PReLU(name="prelu")(layers.SeparableConv2D(4, 3, name="separable")(y))
    y = layers.Flatten()(layers.BatchNormalization(name="batch_norm")(layers.Conv2DTranspose(2, 3, name="up")(y)))
    z = layers.EinsumDense("ab,bc->ac", output_shape=4, bias_axes="c", name="einsum")(layers.Concatenate()([x, y]))
    model = keras.Model([ids, image], z)
    assert set(kernels(model)) == {
        "attention/query/kernel",
        "attention/key/kernel",
        "attention/value/kernel",
        "attention/attention_output/kernel",
        "lstm/lstm_cell/kernel",
        "lstm/lstm_cell/recurrent_kernel",
        "depthwise/kernel",
        "separable/depthwise_kernel",
        "separable/pointwise_kernel",
        "up/kernel",
        "einsum/kernel",
    }


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_a_clone_shares_nothing_has_the_same_names_and_computes_the_same(model, data, kind: str) -> None:
    if kind == "functional":
        import keras

        model = keras.Model(model.inputs[0], model.outputs[0])
    copy = clone(model)
    assert copy.get_config() == model.get_config()
    assert np.array_equal(copy(data.evaluation_x).numpy(), model(data.evaluation_x).numpy())
    copy.trainable_variables[0].assign(np.ones((3, 3, 1, 4), np.float32))
    assert not same_weights(copy, model)


def test_training_is_silent_unless_its_log_is_asked_for(model, data, training, capsys, caplog) -> None:
    Retrain().transform(model, data, training, seed=0)
    assert capsys.readouterr() == ("", "")
    with caplog.at_level(logging.INFO, "compress.training"):
        Retrain().transform(model, data, training, seed=0)
    assert [each[:25] for each in caplog.messages] == ["small: epoch 1 of 2, loss", "small: epoch 2 of 2, loss"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Prune(1.2), r"sparsity must be in \[0, 1\), got 1.2"),
        (lambda: Prune(0.5, initial_sparsity=1.0), r"initial_sparsity must be in \[0, 1\), got 1.0"),
        (lambda: Prune(0.5, "model"), "scope must be one of layer, global, lamp, got 'model'"),
        (lambda: Prune(0.5, schedule="linear"), "schedule must be one of polynomial, constant, got 'linear'"),
        (lambda: Prune(0.5, epochs=-1), "epochs must be none or a whole number from 0, got -1"),
        (lambda: Prune(0.5, epochs=1.5), "epochs must be none or a whole number from 0, got 1.5"),
        (lambda: Retrain(-1), "epochs must be none or a whole number from 0, got -1"),
    ],
)
def test_a_step_that_cannot_be_is_refused_at_construction(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build()


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("prune(0.9)", Prune(0.9)),
        ("prune(0.9, scope=layer)", Prune(0.9, "layer")),
        ("prune(0.95, schedule=constant, epochs=0)", Prune(0.95, schedule="constant", epochs=0)),
        ("retrain", Retrain()),
        ("retrain(3)", Retrain(3)),
    ],
)
def test_a_step_is_spelt_by_its_parameters(text: str, step: Transform) -> None:
    assert Recipe.parse(text).transforms == (step,)
    assert str(Recipe.parse(text)) == text
